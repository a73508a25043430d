#include "pktgen/generator/neighbor.h"

#include "lib/wire/arp.h"
#include "lib/wire/ethernet.h"
#include "lib/wire/icmpv6.h"
#include "lib/wire/ipv4.h"

bool neighbor_is_ours(
	const struct population *population, unsigned port, const struct ip_address *address)
{
	const struct profile *profile = population->profile;

	if (ip_address_equal(address, &profile->ports[port].address) ||
		ip_address_equal(address, &profile->ports[port].address6))
		return !ip_address_is_unspecified(address);
	for (unsigned i = 0; i < profile->group_count; i++) {
		const struct profile_group *group = &profile->groups[i];
		bool plain = group->encapsulation == PROFILE_PLAIN;
		if (group->core_port == port &&
			population_has(&group->correspondent, group->correspondents, address))
			return true;
		if (group->access_port != port)
			continue;
		if (plain ? population_has(&group->node, group->nodes, address)
			  : population_has(&group->care_of, 2 * group->care_of_count, address))
			return true;
	}
	return false;
}

/* ---- ARP ---- */

#define ARP_FRAME_SIZE 60

static uint32_t arp_frame(
	uint8_t *frame, const uint8_t *destination, const uint8_t *source, const struct arp *arp)
{
	struct writer w = writer_make(frame, ARP_FRAME_SIZE);

	memset(frame, 0, ARP_FRAME_SIZE);
	ethernet_write(&w, destination, source, 0, ETHERNET_ARP);
	arp_write(&w, arp);
	return ARP_FRAME_SIZE;
}

static uint32_t arp_request(const struct port *port, uint8_t *frame)
{
	struct arp arp = {
		.operation = ARP_REQUEST,
		.sender_protocol = ip_address_v4(&port->settings->address),
		.target_protocol = ip_address_v4(&port->settings->gateway),
	};

	memcpy(arp.sender_hardware, port->link.source, 6);
	return arp_frame(frame, ethernet_broadcast, port->link.source, &arp);
}

static void gateway_learn(struct port *port, const struct ip_address *gateway, const uint8_t *mac,
	const struct ip_address *sender)
{
	if (port->settings->has_gateway_mac || !ip_address_equal(sender, gateway))
		return;
	memcpy(port->link.destination, mac, 6);
	port->resolved = true;
}

static uint32_t arp_receive(const struct population *population, struct port *ports, unsigned index,
	const struct inspected *what, uint8_t *answer)
{
	struct port *port = &ports[index];
	struct arp arp;

	if (!arp_parse(&arp, what->part, what->part_length))
		return 0;
	struct ip_address sender = ip_address_from_v4(arp.sender_protocol);
	struct ip_address target = ip_address_from_v4(arp.target_protocol);
	gateway_learn(port, &port->settings->gateway, arp.sender_hardware, &sender);
	if (arp.operation != ARP_REQUEST || !neighbor_is_ours(population, index, &target))
		return 0;
	struct arp reply = {
		.operation = ARP_REPLY,
		.sender_protocol = arp.target_protocol,
		.target_protocol = arp.sender_protocol,
	};
	memcpy(reply.sender_hardware, port->link.source, 6);
	memcpy(reply.target_hardware, arp.sender_hardware, 6);
	return arp_frame(answer, arp.sender_hardware, port->link.source, &reply);
}

/* ---- neighbour discovery ---- */

#define ND_LENGTH     32          /* of a message: 8, the target, one option */
#define ND_HOPS       255         /* RFC 4861 7.1.1: from the link itself */
#define ND_SOLICITED  0x60000000u /* and override: 4.4 */
#define OPTION_SOURCE 1
#define OPTION_TARGET 2
#define OPTION_OCTETS 8

struct nd {
	uint8_t type, option;
	uint32_t flags;
	struct ip_address source, destination, target;
	const uint8_t *source_mac, *destination_mac;
};

static uint32_t nd_frame(uint8_t *frame, const struct nd *nd)
{
	struct writer w = writer_make(frame, NEIGHBOR_FRAME_SIZE);
	struct ipv6_header ip = {.payload_length = ND_LENGTH,
		.next_header = IP_PROTOCOL_ICMPV6,
		.hop_limit = ND_HOPS};
	uint8_t data[ND_LENGTH - ICMPV6_HEADER_SIZE];
	const struct icmpv6_message icmp = {
		.type = nd->type, .rest = nd->flags, .data = data, .data_length = sizeof(data)};

	memcpy(ip.source, nd->source.bytes, 16);
	memcpy(ip.destination, nd->destination.bytes, 16);
	memcpy(data, nd->target.bytes, 16);
	data[16] = nd->option;
	data[17] = 1; /* in units of eight octets */
	memcpy(data + 18, nd->source_mac, 6);
	ethernet_write(&w, nd->destination_mac, nd->source_mac, 0, ETHERNET_IPV6);
	ipv6_write(&w, &ip);
	icmpv6_write(&w, ip.source, ip.destination, &icmp);
	return NEIGHBOR_FRAME_SIZE;
}

static uint32_t nd_solicitation(const struct port *port, uint8_t *frame)
{
	/* RFC 4291 2.7.1: the solicited-node address ends in the target's last 24 bits. */
	static const uint8_t group[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
	uint8_t mac[6] = {0x33, 0x33, 0xff};
	struct nd nd = {.type = ICMPV6_NEIGHBOR_SOLICITATION,
		.option = OPTION_SOURCE,
		.source = port->settings->address6,
		.target = port->settings->gateway6,
		.source_mac = port->link.source,
		.destination_mac = mac};

	memcpy(nd.destination.bytes, group, sizeof(group));
	memcpy(nd.destination.bytes + 13, nd.target.bytes + 13, 3);
	memcpy(mac + 3, nd.target.bytes + 13, 3);
	return nd_frame(frame, &nd);
}

/* The MAC in an option of kind `wanted`; NULL when there is none. */
static const uint8_t *nd_option(const struct icmpv6_message *icmp, uint8_t wanted)
{
	for (size_t at = 16; at + OPTION_OCTETS <= icmp->data_length;) {
		if (icmp->data[at] == wanted)
			return icmp->data + at + 2;
		if (icmp->data[at + 1] == 0)
			return NULL;
		at += (size_t)icmp->data[at + 1] * OPTION_OCTETS;
	}
	return NULL;
}

static uint32_t nd_receive(const struct population *population, struct port *ports, unsigned index,
	const struct inspected *what, const void *frame, uint8_t *answer)
{
	struct port *port = &ports[index];
	struct ethernet_frame ethernet;
	struct icmpv6_message icmp;
	struct ipv6_header ip;
	struct ip_address target;

	if (!ethernet_parse(&ethernet, frame, ETHERNET_HEADER_SIZE + IPV6_HEADER_SIZE) ||
		ipv6_parse(&ip, ethernet.payload,
			(size_t)(what->part + what->part_length - ethernet.payload)) ||
		ip.hop_limit != ND_HOPS ||
		!icmpv6_parse(&icmp, ip.source, ip.destination, what->part, what->part_length) ||
		icmp.data_length < 16)
		return 0;
	memcpy(target.bytes, icmp.data, 16);
	bool asked = icmp.type == ICMPV6_NEIGHBOR_SOLICITATION;
	const uint8_t *mac = nd_option(&icmp, asked ? OPTION_SOURCE : OPTION_TARGET);
	if (mac)
		gateway_learn(port, &port->settings->gateway6, mac,
			asked ? &what->outer.source : &target);
	if (!asked || !neighbor_is_ours(population, index, &target) ||
		ip_address_is_unspecified(&what->outer.source))
		return 0;
	return nd_frame(answer, &(struct nd){.type = ICMPV6_NEIGHBOR_ADVERTISEMENT,
					.option = OPTION_TARGET,
					.flags = ND_SOLICITED,
					.source = target,
					.destination = what->outer.source,
					.target = target,
					.source_mac = port->link.source,
					.destination_mac = ethernet.source});
}

/* ---- */

uint32_t neighbor_request(const struct port *port, uint8_t *frame)
{
	return ip_address_is_unspecified(&port->settings->gateway) ? nd_solicitation(port, frame)
								   : arp_request(port, frame);
}

bool neighbor_is_message(enum inspect_kind kind, const struct inspected *what)
{
	if (kind != INSPECT_ICMP)
		return kind == INSPECT_ARP;
	return !ip_address_is_v4(&what->outer.source) && what->part_length >= ND_LENGTH - 8 &&
	       (what->part[0] == ICMPV6_NEIGHBOR_SOLICITATION ||
		       what->part[0] == ICMPV6_NEIGHBOR_ADVERTISEMENT);
}

uint32_t neighbor_receive(const struct population *population, struct port *ports, unsigned index,
	const struct inspected *what, const void *frame, uint8_t *answer)
{
	const uint8_t *type = (const uint8_t *)frame + 12;

	return type[0] == ETHERNET_ARP >> 8 && type[1] == (ETHERNET_ARP & 0xff)
		       ? arp_receive(population, ports, index, what, answer)
		       : nd_receive(population, ports, index, what, frame, answer);
}
