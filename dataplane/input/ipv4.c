#include "dataplane/input/ipv4.h"

#include "dataplane/header.h"

#define NET(v4)       (rte_be_to_cpu_32(v4) >> 24)
#define IS_CLASS_E(n) ((n) >= 240)

/* RFC 1812 5.2.2, in its order. */
static enum drop_reason check_header(struct rte_mbuf *packet)
{
	const struct rte_ipv4_hdr *ip;
	uint16_t header_length, total_length;

	if (!packet_pull(packet, sizeof(*ip)))
		return DROP_ipv4_header;
	ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	header_length = rte_ipv4_hdr_len(ip);
	if (unlikely(ip->version_ihl != 0x45) &&
		(ip->version_ihl >> 4 != 4 || header_length < sizeof(*ip) ||
			!packet_pull(packet, header_length)))
		return DROP_ipv4_header;
	if (!device_verified_ipv4(packet) && !ipv4_checksum_right(ip))
		return DROP_ipv4_checksum;
	total_length = rte_be_to_cpu_16(ip->total_length);
	if (total_length < header_length || total_length > rte_pktmbuf_pkt_len(packet))
		return DROP_ipv4_header;
	packet_trim(packet, total_length);
	return DROP_NONE;
}

/* Limited broadcast, multicast, or the broadcast address of the home link that the port is on. */
static bool is_broadcast(struct worker *worker, const struct packet *p, be32 destination)
{
	const struct home_network *network;

	if (destination == RTE_BE32(0xffffffff) || NET(destination) >> 4 == 0xe)
		return true;
	network = tables_home_network_of_port(worker->tables, p->port);
	if (network == NULL || network->prefix.length < 96 || network->prefix.length >= 127)
		return false;
	be32 hosts = rte_cpu_to_be_32(UINT32_MAX >> (network->prefix.length - 96));
	return destination == (ip_address_v4(&network->prefix.address) | hosts);
}

/* `*own` is the packet before whose destination was ours, or NULL; tunnels all end at a few
 * addresses. */
static bool is_ours(struct worker *worker, const struct packet *p, const struct packet **own)
{
	if (*own != NULL && (*own)->vrf == p->vrf &&
		ip_address_equal(&(*own)->destination, &p->destination))
		return true;
	if (tables_local_lookup(worker->tables, p->vrf, &p->destination).kind == LOCAL_NONE)
		return false;
	*own = p;
	return true;
}

static step_result classify(struct worker *worker, struct packet *p, const struct packet **own)
{
	be32 source = ip_address_v4(&p->source), destination = ip_address_v4(&p->destination);
	uint32_t source_net = NET(source), destination_net = NET(destination);
	unsigned near = tables_near(worker->tables, p->vrf, &p->destination);

	/* Nearly all: what follows would find nothing. */
	if (likely(ipv4_is_plain(source) && ipv4_is_plain(destination) && near == 0 &&
		    !(p->flags & PACKET_LINK_BROADCAST)))
		return step_inbound(worker, p, STEP_DESTINATION);
	/* RFC 1812 5.3.7. 0.0.0.0 may only speak to us: DHCP, or a registration on the home link
	 * (HA4-BAD-13). */
	if (source_net == 127 || source_net >= 224 || (source_net == 0 && source != 0))
		return STEP_DROP(DROP_source_invalid);
	if (destination_net == 0 || destination_net == 127 ||
		(IS_CLASS_E(destination_net) && destination != RTE_BE32(0xffffffff)))
		return STEP_DROP(DROP_destination_invalid);
	if (is_broadcast(worker, p, destination)) {
		p->flags |= PACKET_IP_BROADCAST;
		return STEP_LOCAL_DEMUX;
	}
	if (p->flags & PACKET_LINK_BROADCAST)
		return STEP_DROP(DROP_link_broadcast_unicast); /* RFC 1812 5.3.4, HA4-BCM-06 */
	if (near & VICINITY_LOCAL && is_ours(worker, p, own))
		return STEP_LOCAL_DEMUX;
	if (source == 0)
		return STEP_DROP(DROP_source_invalid);
	return step_inbound(worker, p, STEP_DESTINATION);
}

static step_result input(struct worker *worker, struct rte_mbuf *packet, const struct packet **own)
{
	struct packet *p = packet_get(packet);
	enum drop_reason reason = check_header(packet);

	if (reason != DROP_NONE)
		return STEP_DROP(reason);
	packet_note_ipv4(p, rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *));
	return classify(worker, p, own);
}

step_result ipv4_input(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *own = NULL;

	return input(worker, packet, &own);
}

void ipv4_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	const struct packet *own = NULL;

	for (unsigned i = 0; i < count; i++)
		next[i] = input(worker, packets[i], &own);
}
