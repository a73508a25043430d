/*
 * homeport-mobile-node: a Mobile IPv4 node in user space (RFC 5944, RFC 3519, RFC 5265, RFC 5266).
 *
 *   options        the command line
 *   registration   the protocol: what to ask, when, and what an answer means; no sockets, no clock
 *   keepalive      is the way through the NAT still there; no sockets, no clock
 *   authenticator  HMAC through OpenSSL
 *   network        rtnetlink: the access interface's addresses; addresses and routes
 *   boundary       which address is the care-of address: the network's, the VPN's, an agent's
 *   agent, link    the foreign agent on the access link, and datagrams by hardware address
 *   tunnel         the TUN device and the two outer sockets
 *   place          on which interface the home address stands
 *   report         lines on stdout
 *   main           one thread, one epoll, one timer: carries events between them
 *
 * An address appears on the access interface: the registration machine asks the home agent from
 * there. Accepted: the TUN device gets the home address and the routes, and packets flow. The
 * address changes: it asks again from the new place; the TUN device, its address and its routes
 * stay, so connections do not notice. The address lies in the home prefix: the home address goes
 * onto the access interface itself, everything is deregistered, the TUN device is emptied.
 */
#include "pktgen/mobile_node/agent.h"
#include "pktgen/mobile_node/boundary.h"
#include "pktgen/mobile_node/keepalive.h"
#include "pktgen/mobile_node/place.h"
#include "pktgen/mobile_node/privileges.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#define ONCE_TIMEOUT (10 * CLOCK_NS_PER_S)
#define ALL_ROUTERS  0xe0000002u // 224.0.0.2

struct node {
	struct options options;
	struct registration registration;
	struct network network;
	struct tunnel tunnel;
	struct report report;
	int epoll, signals;
	struct place place;
	struct keepalive keepalive;
	struct boundary boundary;
	struct link link; /* open when foreign agents are used */
	struct agent agent;
	bool trusted, trust_known;
	monotonic request_sent, once_deadline;
	bool path_pending; /* registered, nothing came through the tunnel yet */
	int exit_code;
	bool done;
};

static void registered(struct node *node, const struct registration_event *event)
{
	enum tunnel_form form = event->udp_tunnel ? TUNNEL_UDP : TUNNEL_IPIP;

	if (node->registration.through_agent)
		form = TUNNEL_AGENT;
	if (node->options.once) {
		node->exit_code = EXIT_SUCCESS;
		node->done = true;
		return;
	}
	if (form == TUNNEL_IPIP && node->tunnel.raw < 0) {
		place_problem(&node->place, "ip_in_ip_needs_CAP_NET_RAW_at_start", -EPERM);
		return;
	}
	tunnel_up(&node->tunnel, form, event->home_address, event->care_of_address);
	place_away(&node->place, form, node->registration.home_address);
	place_hold(&node->place, false);
	node->path_pending = true;
	keepalive_stop(&node->keepalive);
	if (event->udp_tunnel)
		keepalive_start(&node->keepalive,
			node->options.keepalive_s ? node->options.keepalive_s : event->keepalive_s,
			clock_read().monotonic_ns);
}

/* RFC 5265 3.4: TNC in a reply means that the node is inside. Said once per change. */
static void trust_heard(struct node *node, bool trusted)
{
	if (node->trust_known && node->trusted == trusted)
		return;
	node->trust_known = true;
	node->trusted = trusted;
	report_begin(&node->report, "network");
	report_truth(&node->report, "trusted", trusted);
	report_end(&node->report);
}

static void registration_event(void *context, const struct registration_event *event)
{
	struct node *node = context;

	report_registration(&node->report, event);
	switch (event->type) {
	case REGISTRATION_EVENT_REQUEST:
		if (event->attempt == 1)
			node->request_sent = clock_read().monotonic_ns;
		break;
	case REGISTRATION_EVENT_REGISTERED:
	case REGISTRATION_EVENT_REFRESHED:
		boundary_heard(&node->boundary, event->care_of_address, event->trusted);
		/* Through the VPN the reply has TNC as well: the address inside it is trusted. */
		trust_heard(node, event->trusted && event->care_of_address != node->boundary.inner);
		registered(node, event);
		break;
	case REGISTRATION_EVENT_DENIED:
		if (node->options.once)
			node->done = true;
		break;
	case REGISTRATION_EVENT_ARRIVED_HOME:
		place_home(&node->place, node->registration.home_address,
			node->registration.care_of_address);
		keepalive_stop(&node->keepalive);
		break;
	case REGISTRATION_EVENT_MOVED:
	case REGISTRATION_EVENT_LOST:
		place_home_end(&node->place);
		node->trust_known = false;
		tunnel_expect(&node->tunnel, event->home_address, event->care_of_address);
		place_hold(&node->place, true);
		keepalive_moved(&node->keepalive);
		break;
	case REGISTRATION_EVENT_EXPIRED:
		tunnel_down(&node->tunnel);
		keepalive_stop(&node->keepalive);
		break;
	case REGISTRATION_EVENT_STOPPED:
		node->done = true;
		break;
	default:
		break;
	}
}

static void registration_send(void *context, const void *payload, size_t length, be32 source)
{
	struct node *node = context;
	int error = tunnel_signalling_send(&node->tunnel, payload, length, source);

	if (error)
		place_problem(&node->place, "send_request", error);
}

static uint32_t random_word(void *context)
{
	uint32_t word = 0;

	if (getrandom(&word, sizeof(word), 0) != sizeof(word))
		abort(); /* without a random generator nothing here is safe */
	return word;
}

/* RFC 5265 3.4: in clear from a new network, and with TNC, means that it is inside. And whether the
 * home agent is heard through a foreign agent. */
static void probe_event(void *context, const struct registration_event *event)
{
	struct node *node = context;

	if (event->type == REGISTRATION_EVENT_REQUEST) {
		report_begin(&node->report, "probe");
		report_address(&node->report, "care_of", event->care_of_address);
		report_end(&node->report);
	}
	if (event->type == REGISTRATION_EVENT_REGISTERED)
		boundary_heard(&node->boundary, event->care_of_address, event->trusted);
}

static struct registration_output probe_output(struct node *node)
{
	return (struct registration_output){.context = node,
		.send = registration_send,
		.event = probe_event,
		.random = random_word};
}

static void care_of_again(struct node *node, struct clock_now now)
{
	const struct boundary *boundary = &node->boundary;
	be32 care_of_address = boundary_care_of(boundary);

	if (care_of_address && care_of_address == boundary->agent_used)
		registration_agent_changed(
			&node->registration, now, care_of_address, boundary->agent_lifetime_s);
	else
		registration_care_of_changed(&node->registration, now, care_of_address);
}

/* What was heard, of the home agent or of a foreign one, may name a better care-of address. */
static void settle(struct node *node)
{
	struct clock_now now = clock_read();
	const struct registration_output output = probe_output(node);

	if (node->done || node->registration.state == REGISTRATION_STOPPING)
		return;
	care_of_again(node, now);
	if (node->registration.state == REGISTRATION_REGISTERED)
		boundary_agent_probe(&node->boundary, &node->registration, &output, now);
}

static void agent_changed(struct node *node, enum agent_change change)
{
	struct registration *r = &node->registration;
	uint8_t message[ICMP_HEADER_SIZE];
	struct writer w = writer_make(message, sizeof(message));

	if (change == AGENT_FOUND || change == AGENT_LOST) {
		report_begin(&node->report, change == AGENT_FOUND ? "agent" : "agent_lost");
		report_address(&node->report, "care_of", node->agent.care_of_address);
		report_end(&node->report);
		boundary_agent_changed(&node->boundary, node->agent.care_of_address,
			node->agent.registration_lifetime_s);
		settle(node);
	}
	if (change == AGENT_RESTARTED && r->through_agent)
		registration_refresh_wanted(r, clock_read());
	if (change == AGENT_SOLICIT) {
		agent_solicitation_write(&w);
		link_icmp_send(&node->link, node->boundary.access, NULL, htonl(ALL_ROUTERS),
			message, writer_length(&w));
	}
}

static void link_readable(struct node *node)
{
	static struct link_packet packet;

	for (unsigned i = 0; i < 64 && link_receive(&node->link, &packet); i++)
		agent_changed(node, agent_heard(&node->agent, &packet, clock_read().monotonic_ns));
}

/* The home agent has the probe's address now: it becomes the node's, or the node's is told again.
 */
static void probe_answered(struct node *node)
{
	struct clock_now now = clock_read();
	struct boundary *boundary = &node->boundary;
	be32 before = node->registration.care_of_address;

	node->registration.nonce = boundary->probe.nonce;
	node->registration.last_timestamp = boundary->probe.last_timestamp;
	boundary_probe_end(boundary);
	care_of_again(node, now);
	if (node->registration.care_of_address == before)
		registration_refresh_wanted(&node->registration, now);
}

static void signalling_received(void *context, const void *payload, size_t length)
{
	struct node *node = context;
	bool probe = boundary_is_answer(&node->boundary, payload, length);

	registration_reply_received(
		probe ? &node->boundary.probe : &node->registration, clock_read(), payload, length);
	if (probe && !node->boundary.probe.pending)
		probe_answered(node);
	settle(node);
}

static void keepalive_due(struct node *node, struct clock_now now)
{
	switch (keepalive_timer(&node->keepalive, now.monotonic_ns)) {
	case KEEPALIVE_SEND:
		tunnel_keepalive_send(&node->tunnel);
		break;
	case KEEPALIVE_LOST: // RFC 3519 4.10
		report_begin(&node->report, "keepalive_lost");
		report_address(&node->report, "care_of", node->registration.care_of_address);
		report_end(&node->report);
		registration_refresh_wanted(&node->registration, now);
		break;
	default:
		break;
	}
}

/* After packets came in: was the keepalive answered, is it the first on a new path? */
static void packets_received(struct node *node, uint64_t received, bool waited)
{
	struct clock_now now = clock_read();
	bool answered = waited && node->tunnel.keepalive_answered;

	if (received)
		keepalive_heard(&node->keepalive, answered, received > answered, now.monotonic_ns);
	if (node->path_pending && node->tunnel.first_packet) {
		node->path_pending = false;
		report_begin(&node->report, "path");
		report_address(&node->report, "care_of", node->tunnel.care_of_address);
		report_milliseconds(
			&node->report, "first_packet_ms", now.monotonic_ns - node->request_sent);
		report_end(&node->report);
	}
}

/* True: a probe has to tell whether the place is inside. */
static bool places_read(struct node *node)
{
	be32 access = network_care_of_address(&node->network);
	struct ip_address a = ip_address_from_v4(access);
	const struct ip_prefix *home = &node->registration.settings.home_prefix;

	node->tunnel.inner_address = node->network.inner_address;
	if (access != node->boundary.access)
		agent_moved(&node->agent, access != 0, clock_read().monotonic_ns);
	if (!boundary_changed(&node->boundary, access, node->network.inner_address))
		return false;
	if (!home->length || !ip_prefix_contains(home, &a))
		return true;
	boundary_heard(&node->boundary, access, true); /* at home */
	return false;
}

static void access_changed(struct node *node)
{
	struct clock_now now = clock_read();
	be32 before = node->registration.care_of_address;

	if (!network_changes_read(&node->network))
		return;
	bool route_changed = node->network.route_changed;
	node->network.route_changed = false;
	const struct registration_output output = probe_output(node);
	if (places_read(node))
		boundary_probe(&node->boundary, &node->registration, &output, now);
	care_of_again(node, now);
	if (node->registration.care_of_address == before && route_changed)
		registration_route_changed(&node->registration, now);
}

static void signal_received(struct node *node)
{
	struct signalfd_siginfo info;

	while (read(node->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1) {
			registration_refresh_wanted(&node->registration, clock_read());
		} else if (node->registration.state == REGISTRATION_STOPPING) {
			node->done = true; /* asked twice */
		} else {
			registration_stop_wanted(&node->registration, clock_read());
		}
	}
}

static int loop_timeout_ms(const struct node *node)
{
	monotonic deadline = registration_deadline(&node->registration);
	uint64_t now = clock_read().monotonic_ns;

	if (boundary_deadline(&node->boundary) < deadline)
		deadline = boundary_deadline(&node->boundary);
	if (agent_deadline(&node->agent) < deadline)
		deadline = agent_deadline(&node->agent);
	if (keepalive_deadline(&node->keepalive) < deadline)
		deadline = keepalive_deadline(&node->keepalive);
	if (node->once_deadline < deadline)
		deadline = node->once_deadline;
	if (node->place.hold_deadline < deadline)
		deadline = node->place.hold_deadline;
	if (deadline == CLOCK_NEVER)
		return -1;
	if (deadline <= now)
		return 0;
	uint64_t ms = (deadline - now + 999999) / 1000000;
	return ms > 3600000 ? 3600000 : (int)ms;
}

static void loop_timers(struct node *node)
{
	struct clock_now now = clock_read();

	registration_timer(&node->registration, now);
	boundary_timer(&node->boundary, now);
	agent_changed(node, agent_timer(&node->agent, now.monotonic_ns));
	keepalive_due(node, now);
	if (now.monotonic_ns >= node->once_deadline)
		node->done = true;
	if (now.monotonic_ns >= node->place.hold_deadline)
		place_hold(&node->place, false);
}

static void loop_run(struct node *node)
{
	while (!node->done) {
		struct epoll_event events[8];
		int count = epoll_wait(node->epoll, events, 8, loop_timeout_ms(node));

		for (int i = 0; i < count && !node->done; i++) {
			int fd = events[i].data.fd;
			if (fd == node->signals) {
				signal_received(node);
			} else if (fd == network_fd(&node->network)) {
				access_changed(node);
			} else if (fd == node->link.fd) {
				link_readable(node);
			} else if (fd == node->tunnel.tun) {
				uint64_t sent = node->tunnel.sent;
				tunnel_tun_readable(&node->tunnel);
				if (node->tunnel.sent != sent)
					keepalive_data_sent(
						&node->keepalive, clock_read().monotonic_ns);
			} else {
				/* The reply before the packets that follow it on the other socket.
				 */
				uint64_t received = node->tunnel.received;
				bool waited = !node->tunnel.keepalive_answered;
				tunnel_udp_readable(&node->tunnel);
				if (fd == node->tunnel.raw)
					tunnel_raw_readable(&node->tunnel);
				packets_received(node, node->tunnel.received - received, waited);
			}
		}
		if (!node->done)
			loop_timers(node);
	}
}

static bool loop_watch(struct node *node)
{
	const int fds[] = {node->signals, network_fd(&node->network), node->tunnel.tun,
		node->tunnel.udp, node->tunnel.raw, node->link.fd};

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
		if (fds[i] >= 0 && epoll_ctl(node->epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return false;
	}
	return true;
}

static int failed(const char *what, int error)
{
	fprintf(stderr, "homeport-mobile-node: %s: %s%s\n", what, strerror(-error),
		error == -EPERM || error == -EACCES ? " (needs CAP_NET_ADMIN)" : "");
	return error == -EPERM || error == -EACCES ? EX_NOPERM : EX_OSERR;
}

static int node_open(struct node *node)
{
	const char *what;
	sigset_t signals;
	int access = (int)if_nametoindex(node->options.access);

	if (access == 0) {
		fprintf(stderr, "homeport-mobile-node: --access %s: no such interface\n",
			node->options.access);
		return EX_UNAVAILABLE;
	}
	int error = tunnel_open(&node->tunnel, node->options.tun, node->options.access,
		node->options.port, node->options.vpn.length, &what);
	if (error)
		return failed(what, error);
	error = node->options.foreign_agents ? link_open(&node->link, node->options.access) : 0;
	if (error)
		return failed("packet socket on the access interface", error);
	error = network_open(&node->network, access, &node->options.vpn);
	if (error)
		return failed("rtnetlink", error);
	error = privileges_drop();
	if (error)
		return failed("dropping privileges", error);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	node->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	node->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (node->signals < 0 || node->epoll < 0 || !loop_watch(node))
		return failed("epoll", -errno);
	return 0;
}

static void summary(struct node *node)
{
	struct report *r = &node->report;

	report_begin(r, "exit");
	report_number(r, "sent", node->tunnel.sent);
	report_number(r, "received", node->tunnel.received);
	for (unsigned i = 0; i < TUNNEL_DROP_COUNT; i++) {
		if (!node->tunnel.dropped[i])
			continue;
		char key[40];
		snprintf(key, sizeof(key), "dropped_%s", tunnel_drop_name((enum tunnel_drop)i));
		report_number(r, key, node->tunnel.dropped[i]);
	}
	report_end(r);
}

int main(int argc, char **argv)
{
	static struct node node = {.once_deadline = CLOCK_NEVER, .link.fd = -1};
	const struct registration_output output = {
		.context = &node,
		.send = registration_send,
		.event = registration_event,
		.random = random_word,
	};
	int code = options_read(&node.options, argc, argv);

	if (code >= 0)
		return code;
	node.report.json = node.options.json;
	code = node_open(&node);
	if (code)
		return code;
	node.place = (struct place){.options = &node.options,
		.network = &node.network,
		.tunnel = &node.tunnel,
		.report = &node.report,
		.epoll = node.epoll,
		.hold_deadline = CLOCK_NEVER};
	node.tunnel.home_agent = node.options.registration.home_agent;
	node.tunnel.keepalive_identifier = (uint16_t)random_word(&node);
	node.tunnel.link = &node.link;
	node.tunnel.agent = &node.agent;
	node.tunnel.context = &node;
	node.tunnel.signalling = signalling_received;
	if (node.options.once) {
		node.exit_code = EXIT_FAILURE;
		node.once_deadline = clock_read().monotonic_ns + ONCE_TIMEOUT;
	} else {
		if (network_reverse_path_strict(node.options.access))
			place_problem(&node.place,
				"rp_filter_is_strict_on_the_access_interface:_set_it_to_2", -EXDEV);
	}
	registration_init(&node.registration, &node.options.registration, &output);
	secret_wipe(&node.options.registration.key, sizeof(node.options.registration.key));
	node.boundary.has_vpn = node.options.vpn.length != 0;
	agent_init(&node.agent, node.options.foreign_agents, node.options.foreign_agent);
	(void)places_read(&node);
	care_of_again(&node, clock_read());
	loop_run(&node);

	place_withdraw(&node.place);
	place_home_end(&node.place);
	summary(&node);
	boundary_probe_end(&node.boundary);
	registration_fini(&node.registration);
	network_close(&node.network);
	link_close(&node.link);
	tunnel_close(&node.tunnel);
	return node.exit_code;
}
