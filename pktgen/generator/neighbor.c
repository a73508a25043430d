#include "pktgen/generator/neighbor.h"

#include "lib/wire/ethernet.h"

static bool in_range(
	const struct ip_address *address, const struct ip_address *first, uint32_t count)
{
	return memcmp(address, first, 12) == 0 &&
	       ntohl(address->words[3]) - ntohl(first->words[3]) < count;
}

bool neighbor_is_ours(
	const struct population *population, unsigned port, const struct ip_address *address)
{
	const struct profile *profile = population->profile;

	if (ip_address_equal(address, &profile->ports[port].address))
		return true;
	for (unsigned i = 0; i < profile->group_count; i++) {
		const struct profile_group *group = &profile->groups[i];
		bool plain = group->encapsulation == PROFILE_PLAIN;
		if (group->core_port == port &&
			in_range(address, &group->correspondent, group->correspondents))
			return true;
		if (group->access_port != port)
			continue;
		if (plain ? in_range(address, &group->node, group->nodes)
			  : in_range(address, &group->care_of, 2 * group->care_of_count))
			return true;
	}
	return false;
}

static void frame_write(
	uint8_t *frame, const uint8_t *destination, const uint8_t *source, const struct arp *arp)
{
	struct writer w = writer_make(frame, NEIGHBOR_FRAME_SIZE);

	memset(frame, 0, NEIGHBOR_FRAME_SIZE);
	ethernet_write(&w, destination, source, 0, ETHERNET_ARP);
	arp_write(&w, arp);
}

void neighbor_request(const struct port *port, uint8_t *frame)
{
	struct arp arp = {
		.operation = ARP_REQUEST,
		.sender_protocol = ip_address_v4(&port->settings->address),
		.target_protocol = ip_address_v4(&port->settings->gateway),
	};

	memcpy(arp.sender_hardware, port->link.source, 6);
	frame_write(frame, ethernet_broadcast, port->link.source, &arp);
}

bool neighbor_receive(const struct population *population, struct port *ports, unsigned index,
	const void *message, uint32_t length, uint8_t *answer)
{
	struct port *port = &ports[index];
	struct arp arp;

	if (!arp_parse(&arp, message, length))
		return false;
	struct ip_address sender = ip_address_from_v4(arp.sender_protocol);
	struct ip_address target = ip_address_from_v4(arp.target_protocol);
	if (ip_address_equal(&sender, &port->settings->gateway) &&
		!port->settings->has_gateway_mac) {
		memcpy(port->link.destination, arp.sender_hardware, 6);
		port->resolved = true;
	}
	if (arp.operation != ARP_REQUEST || !neighbor_is_ours(population, index, &target))
		return false;
	struct arp reply = {
		.operation = ARP_REPLY,
		.sender_protocol = arp.target_protocol,
		.target_protocol = arp.sender_protocol,
	};
	memcpy(reply.sender_hardware, port->link.source, 6);
	memcpy(reply.target_hardware, arp.sender_hardware, 6);
	frame_write(answer, arp.sender_hardware, port->link.source, &reply);
	return true;
}
