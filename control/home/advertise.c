#include "control/home/advertise.h"

#include "lib/ipc/command.h"
#include "lib/wire/ethernet.h"
#include "lib/wire/icmp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SOLICITED_PER_SECOND 20 /* per link (HA4-HOME-18) */
#define INTERVAL_DEFAULT_S   10
#define PREFIX_V4            96

struct link {
	const struct config_instance *instance;
	const struct config_home_network *network;
	monotonic due_ns;    /* CLOCK_NEVER: answers solicitations only */
	monotonic window_ns; /* of the solicited rate */
	uint32_t window_count;
	uint16_t sequence;
};

struct advertise {
	struct advertise_ops ops;
	struct link *links;
	unsigned link_count;
	struct advertise_statistics statistics;
};

static uint32_t interval_s(const struct config_home_network *network)
{
	return network->advertise_interval_s ? network->advertise_interval_s : INTERVAL_DEFAULT_S;
}

/* HA4-HOME-16: H, what the dataplane can decapsulate, and X (HA4-HOME-20). */
static uint16_t agent_flags(const struct config_instance *instance)
{
	unsigned flags = ICMP_AGENT_H;
	flags |= instance->minimal ? ICMP_AGENT_M : 0;
	flags |= instance->gre ? ICMP_AGENT_G : 0;
	flags |= instance->reverse_tunnel ? ICMP_AGENT_T : 0;
	flags |= instance->revocation ? ICMP_AGENT_X : 0;
	return (uint16_t)flags;
}

/* The agent's address on the link if it has one there, else its first IPv4 one; 0 = none. */
static be32 router_address(const struct link *link)
{
	be32 first = 0;
	for (unsigned i = 0; i < link->instance->address_count; i++) {
		const struct ip_address *a = &link->instance->addresses[i];
		if (!ip_address_is_v4(a))
			continue;
		if (ip_prefix_contains(&link->network->prefix, a))
			return ip_address_v4(a);
		if (!first)
			first = ip_address_v4(a);
	}
	return first;
}

static void write_datagram(const struct link *link, struct writer *w, be32 source, be32 destination)
{
	uint32_t maximum = link->instance->max_lifetime_s;
	uint8_t prefix_length = (uint8_t)(link->network->prefix.length - PREFIX_V4);
	uint32_t lifetime = interval_s(link->network) * 3; // HA4-HOME-18
	struct icmp_agent_advertisement message = {
		.code = 0,
		.router_lifetime_s = lifetime > 9000 ? 9000 : (uint16_t)lifetime, // RFC 1256 4.1
		.routers = &source,
		.router_count = 1,
		.sequence = link->sequence,
		.registration_lifetime_s = maximum > 0xffff ? 0xffff : (uint16_t)maximum,
		.flags = agent_flags(link->instance),
		.prefix_lengths = link->network->advertise_prefix_lengths ? &prefix_length : NULL,
	};
	uint8_t *ip = writer_reserve(w, IPV4_HEADER_SIZE);
	icmp_agent_advertisement_write(w, &message);
	if (!ip || w->overflow)
		return;
	struct ipv4_header header = {
		.total_length = (uint16_t)(w->at - ip),
		.ttl = 1, // RFC 5944 2.1
		.protocol = IP_PROTOCOL_ICMP,
		.source = source,
		.destination = destination,
	};
	struct writer front = writer_make(ip, IPV4_HEADER_SIZE);
	ipv4_write(&front, &header);
}

/* To 224.0.0.1, or to one node: `mac` and its address. */
static bool transmit(struct advertise *advertise, struct link *link, const uint8_t *mac,
	uint16_t vlan, be32 destination)
{
	static const uint8_t all_systems_mac[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01};
	struct inject_record record = {.kind = INJECT_FRAME, .port = link->network->port};
	struct writer w = writer_make(record.data, sizeof(record.data));
	be32 source = router_address(link);
	uint8_t own[6];
	if (!source || !advertise->ops.port_mac(advertise->ops.context, record.port, own))
		return false;
	ethernet_write(&w, mac ? mac : all_systems_mac, own, vlan, ETHERNET_IPV4);
	write_datagram(link, &w, source, destination);
	record.length = (uint16_t)writer_length(&w);
	if (w.overflow || !advertise->ops.send(advertise->ops.context, &record))
		return false;
	link->sequence = icmp_agent_sequence_next(link->sequence);
	advertise->statistics.sent++;
	return true;
}

static bool serves(const struct config_home_network *network)
{
	return network->port != PORT_NONE && ip_address_is_v4(&network->prefix.address) &&
	       network->prefix.length >= PREFIX_V4;
}

static const struct link *same_link(const struct advertise *advertise, const struct link *wanted)
{
	for (unsigned i = 0; i < advertise->link_count; i++) {
		const struct link *link = &advertise->links[i];
		if (link->network->port == wanted->network->port &&
			link->instance->vrf == wanted->instance->vrf &&
			ip_prefix_equal(&link->network->prefix, &wanted->network->prefix))
			return link;
	}
	return NULL;
}

static void add_link(struct advertise *advertise, struct link *link,
	const struct config_instance *instance, const struct config_home_network *network,
	monotonic now)
{
	*link = (struct link){.instance = instance, .network = network, .due_ns = CLOCK_NEVER};
	const struct link *before = same_link(advertise, link);
	if (before) {
		link->sequence = before->sequence;
		link->window_ns = before->window_ns;
		link->window_count = before->window_count;
	}
	// A second of grace so that many agents started together do not speak together.
	if (network->advertise)
		link->due_ns = now + advertise->ops.random(advertise->ops.context) % CLOCK_NS_PER_S;
}

int advertise_configure(struct advertise *advertise, const struct config *config, monotonic now)
{
	unsigned count = 0, used = 0;
	for (unsigned i = 0; i < config->instance_count; i++)
		count += config->instances[i].home_network_count;
	struct link *links = calloc(count + 1, sizeof(*links));
	if (!links)
		return -ENOMEM;
	for (unsigned i = 0; i < config->instance_count; i++) {
		const struct config_instance *instance = &config->instances[i];
		for (unsigned n = 0; n < instance->home_network_count; n++) {
			if (serves(&instance->home_networks[n]))
				add_link(advertise, &links[used++], instance,
					&instance->home_networks[n], now);
		}
	}
	free(advertise->links);
	advertise->links = links;
	advertise->link_count = used;
	return 0;
}

struct advertise *advertise_new(
	const struct config *config, const struct advertise_ops *ops, monotonic now)
{
	struct advertise *advertise = calloc(1, sizeof(*advertise));
	if (!advertise)
		return NULL;
	advertise->ops = *ops;
	if (advertise_configure(advertise, config, now)) {
		free(advertise);
		return NULL;
	}
	return advertise;
}

void advertise_free(struct advertise *advertise)
{
	if (!advertise)
		return;
	free(advertise->links);
	free(advertise);
}

void advertise_solicited(
	struct advertise *advertise, const struct punt_record *record, monotonic now)
{
	struct ipv4_header ip;
	struct icmp_message icmp;
	advertise->statistics.solicitations++;
	if (record->length > sizeof(record->data) ||
		ipv4_parse(&ip, record->data, record->length) != IPV4_OK ||
		ip.protocol != IP_PROTOCOL_ICMP || ipv4_is_fragment(&ip) ||
		!icmp_parse(&icmp, ip.payload, ip.payload_length) ||
		icmp.type != ICMP_ROUTER_SOLICITATION || icmp.code != 0) {
		advertise->statistics.solicitations_ignored++;
		return;
	}
	for (unsigned i = 0; i < advertise->link_count; i++) {
		struct link *link = &advertise->links[i];
		if (link->network->port != record->port)
			continue;
		if (now - link->window_ns >= CLOCK_NS_PER_S) {
			link->window_ns = now;
			link->window_count = 0;
		}
		if ((link->network->solicit_ttl1 && ip.ttl != 1) ||
			link->window_count >= SOLICITED_PER_SECOND) {
			advertise->statistics.solicitations_ignored++;
			continue;
		}
		link->window_count++;
		// RFC 1256 7.1: a solicitor without an address is answered at the all-systems
		// address, here in its own frame.
		be32 destination = ip.source ? ip.source : htonl(0xe0000001);
		if (transmit(advertise, link, record->source_mac, record->vlan, destination))
			advertise->statistics.solicited++;
	}
}

monotonic advertise_tick(struct advertise *advertise, monotonic now)
{
	monotonic next = CLOCK_NEVER;
	for (unsigned i = 0; i < advertise->link_count; i++) {
		struct link *link = &advertise->links[i];
		if (link->due_ns <= now) {
			uint64_t interval = (uint64_t)interval_s(link->network) * CLOCK_NS_PER_S;
			bool sent = transmit(advertise, link, NULL, 0, htonl(0xe0000001));
			// Up to an eighth shorter, never longer: a third of the lifetime is the
			// most.
			uint64_t shorter = (interval / 8 >> 16) *
					   (advertise->ops.random(advertise->ops.context) & 0xffff);
			link->due_ns = now + (sent ? interval - shorter : CLOCK_NS_PER_S);
		}
		if (link->due_ns < next)
			next = link->due_ns;
	}
	return next;
}

struct advertise_statistics advertise_statistics_get(const struct advertise *advertise)
{
	return advertise->statistics;
}
