#include "pktgen/mobile_node/place.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define HOLD_MAX (3 * CLOCK_NS_PER_S)

void place_problem(struct place *place, const char *what, int error)
{
	report_begin(place->report, "problem");
	report_text(place->report, "what", what);
	report_text(place->report, "error", strerror(-error));
	report_end(place->report);
}

static uint8_t home_prefix_length(const struct place *place)
{
	uint8_t length = place->options->registration.home_prefix.length;
	return length ? (uint8_t)(length - 96) : 32;
}

/* 0.0.0.0/0 goes in as two halves: more specific than the access network's default route, which
 * stays for our own sockets. */
static void routes_set(struct place *place, bool add, be32 home_address)
{
	for (unsigned i = 0; i < place->options->route_count; i++) {
		struct ip_prefix p = place->options->routes[i];
		bool halves = p.length == 96;
		for (unsigned half = 0; half < (halves ? 2u : 1u); half++) {
			if (halves) {
				struct ip_address a = p.address;
				a.bytes[12] = half ? 0x80 : 0;
				p = ip_prefix_make(&a, 97);
			}
			int error = network_route_set(
				place->network, add, place->tunnel->tun_ifindex, &p, home_address);
			if (error)
				place_problem(place, add ? "add_route" : "remove_route", error);
		}
	}
}

void place_hold(struct place *place, bool hold)
{
	struct epoll_event event = {.events = hold ? 0 : EPOLLIN, .data.fd = place->tunnel->tun};

	if (hold == (place->hold_deadline != CLOCK_NEVER))
		return;
	place->hold_deadline = hold ? clock_read().monotonic_ns + HOLD_MAX : CLOCK_NEVER;
	epoll_ctl(place->epoll, EPOLL_CTL_MOD, place->tunnel->tun, &event);
}

void place_withdraw(struct place *place)
{
	tunnel_down(place->tunnel);
	place_hold(place, false);
	if (!place->tun_address)
		return;
	routes_set(place, false, place->tun_address);
	network_address_set(
		place->network, false, place->tunnel->tun_ifindex, place->tun_address, 32);
	place->tun_address = 0;
	place->tun_mtu = 0;
}

void place_away(struct place *place, enum tunnel_form form, be32 home_address)
{
	int error = 0;

	if (place->tun_mtu != tunnel_mtu(form)) {
		place->tun_mtu = tunnel_mtu(form);
		error = network_link_up(place->network, place->tunnel->tun_ifindex, place->tun_mtu);
		if (error)
			place_problem(place, "tun_up", error);
	}
	if (place->tun_address == home_address)
		return;
	error = network_address_set(
		place->network, true, place->tunnel->tun_ifindex, home_address, 32);
	if (error)
		place_problem(place, "tun_address", error);
	place->tun_address = home_address;
	routes_set(place, true, home_address);
}

void place_home_end(struct place *place)
{
	if (!place->address_at_home)
		return;
	network_address_set(place->network, false, place->network->access, place->network->ignored,
		home_prefix_length(place));
	place->network->ignored = 0;
	place->address_at_home = false;
}

/* RFC 5944 2.4, 4.6: at home the node uses its home address on the link like any host. */
void place_home(struct place *place, be32 home_address, be32 care_of_address)
{
	place_withdraw(place);
	if (care_of_address == home_address)
		return; /* the access network gave it to us */
	place->network->ignored = home_address;
	place->address_at_home = true;
	int error = network_address_set(place->network, true, place->network->access, home_address,
		home_prefix_length(place));
	if (error)
		place_problem(place, "home_address", error);
}
