/*
 * What is known about a packet besides its bytes: struct packet, in the private area of every mbuf.
 *
 * From input/ether on, an mbuf's data starts at the current IP (or ARP) header: decapsulation moves
 * the start forward, encapsulation back. The Ethernet header that a frame came with is only moved
 * over, so a packet that was not changed can be handed to the kernel as it came
 * (packet_restore_frame). Steps keep source, destination, protocol and payload_offset in step with
 * the header at the data start; all of them are host values but for addresses and be16 fields.
 *
 * A packet for control (STEP_PUNT) is cut so that the mbuf's data is exactly what punt_record.data
 * gets; source, destination, ports, ttl, flags, layers and punt_kind say the rest. A packet for the
 * kernel (STEP_EXCEPTION) is a whole Ethernet frame again (packet_restore_frame) when link/ sees
 * it, with mbuf->port = p->port.
 *
 * The private area is not cleared by drivers: packet_init is called for every mbuf that enters the
 * pipeline, and by whoever makes a packet. Pointers into tables (tunnel, origin, route) are valid
 * inside one burst only and never kept in a queue.
 *
 * Every mbuf pool of the dataplane must have PACKET_PRIVATE_SIZE octets of private area and
 * PACKET_HEADROOM of headroom.
 */
#ifndef DATAPLANE_PACKET_H
#define DATAPLANE_PACKET_H

#include "dataplane/worker.h"

#include "lib/ipc/packet_record.h"

#include <rte_branch_prediction.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

enum packet_flag {
	PACKET_LOCAL = 1 << 0, /* made by this gateway (kernel, control, own errors and replies):
				  TTL stays, no loop rule */
	PACKET_BYPASS_BINDING = 1 << 1, /* never into a Mobile IP tunnel (HA4-MSG-11) */
	PACKET_LINK_BROADCAST = 1 << 2, /* frame was link broadcast or multicast */
	PACKET_IP_BROADCAST = 1 << 3,   /* IP destination is broadcast or multicast */
	PACKET_REASSEMBLED = 1 << 4,
	PACKET_UDP_ZERO_CHECKSUM = 1 << 5,
	PACKET_CHECKSUM_UNFINISHED =
		1 << 6,           /* UDP checksum wrong, port says its peer leaves it to hardware */
	PACKET_FRAGMENT = 1 << 7, /* fragment of a larger datagram, first or not */
	PACKET_FRAGMENT_LATER = 1 << 8, /* its offset is not zero */
	PACKET_FORWARDED = 1 << 9,      /* TTL was decremented: once a packet */
	PACKET_VIA_TUNNEL = 1 << 10, /* answer goes back through p->tunnel, whatever the tables say
					(HA4-NAT-20) */
	PACKET_TUNNELLED =
		1 << 11, /* the header at the data start is a tunnel's outer header, ours */
	PACKET_UDP_TUNNEL = 1 << 12, /* and the tunnel is in UDP: never fragmented (HA4-MTU-05) */
	PACKET_HOME_LINK = 1 << 13,  /* next hop is the destination itself on the home link */
	PACKET_AS_IT_CAME = 1 << 14, /* packet_restore_frame gives back the received frame */
	PACKET_IPV6 = 1 << 15,       /* version of the header at the data start */
	PACKET_KERNEL =
		1 << 16, /* PACKET_LOCAL, and our own kernel sent it: it may be told of errors */
	PACKET_POLICY_PASSED = 1 << 17, /* inbound policy has judged it */
	PACKET_PROTECTED = 1 << 18, /* it is ESP of ours: policies of POLICY_NESTED alone are asked
				       about it */
	PACKET_MAY_CUT = 1 << 20,   /* ESP of ours that leaves in fragments, of p->path_mtu at most;
				       IPv6 too (MTU-03, MTU-04) */
	PACKET_NEEDS_PROTECTION = 1 << 19, /* tunnelled for a binding that demands IPsec: leaves in
					      an SA or not at all (HA4-MODE-06) */
	PACKET_DUMMY = 1 << 22,      /* of control's making, leaves in p->sa_id with next header 59
					(ESP-FMT-12) */
	PACKET_HANDED_IN = 1 << 23,  /* handed to the worker that owns its SA (handover.h), */
	PACKET_HANDED_OUT = 1 << 24, /* in either direction */
	PACKET_TO_HOME_ADDRESS = 1 << 21, /* goes to p->tunnel's home address in a header of its own
					     first (HA4-NEMO-07, HA4-BCM-03) */
};

/* How often the packet passed the outbound IPsec step, in the highest bits of its flags: at most
 * ESP_PASSES_MAX (ESP-OUT-04). */
#define PACKET_ESP_PASSES 30
#define ESP_PASSES_MAX    3

struct packet {
	/* line 0: what every packet needs; packet_init clears it up to the addresses */
	uint16_t port; /* ingress; index of worker->ports */
	uint16_t vrf;
	uint32_t flags;          /* enum packet_flag */
	uint16_t payload_offset; /* of the transport header, from the data start */
	uint16_t out_port;       /* egress, for the output steps */
	uint16_t out_mtu;        /* of the route */
	uint16_t order;   /* place in the burst that it came with, from 1; 0: was here before it */
	uint8_t protocol; /* of the transport header; ICMPv6 58 and so on */
	uint8_t ttl;      /* or hop limit, as received */
	uint8_t tos;      /* TOS octet or traffic class */
	uint8_t link_length;  /* octets of the Ethernet header that was moved over */
	uint8_t layer_count;  /* of layers[] */
	uint8_t tunnel_count; /* encapsulations done to it */
	uint8_t outer_kind;   /* enum decap_kind of the layer that is being removed */
	uint8_t outer_tos;    /* its TOS octet */
	uint8_t outer_next; /* enum encapsulation of what was inside (of the UDP or plain layer) */
	uint8_t punt_kind;  /* enum punt_kind, for STEP_PUNT */
	uint8_t source_mac[6];
	struct ip_address source, destination; /* of the header at the data start */
	/* line 1: tunnels and the way out; packet_init clears it up to next_hop */
	const struct tunnel *tunnel; /* the way to go */
	const struct tunnel *nested; /* the tunnel's care-of address is itself away: its way to go
					(HA4-FWD-12) */
	const struct tunnel *origin; /* tunnel it was last taken out of; NULL none */
	const struct route *route;   /* of the outer destination, when known */
	be16 source_port, destination_port; /* of the UDP header, for STEP_PUNT and tunnel data */
	be16 care_of_port; /* not 0: answer to a half-bound tunnel goes to this port (HA4-NAT-21) */
	uint16_t vlan;     /* 0 untagged */
	be16 outer_source_port, outer_destination_port; /* of the layer that is being removed */
	uint32_t sa_id;                                 /* outbound SA, for STEP_ENCAP_ESP */
	struct ip_address next_hop;
	/* lines 2, 3: set by the steps that use them, undefined before */
	struct ip_address outer_source, outer_destination;
	struct rte_mbuf *next;                  /* in a queue of ours */
	uint16_t fragment_offset, fragment_end; /* octets, while in reassembly */
	uint16_t inject_kind;                   /* enum inject_kind */
	uint16_t inject_flags;                  /* enum inject_flag */
	uint16_t path_mtu; /* PACKET_MAY_CUT: of the way to its destination, as the SA knows it */
	uint8_t mac[6];    /* INJECT_DATAGRAM_TO_MAC: where to */
	uint8_t after_policy;                        /* enum step, for STEP_POLICY_INBOUND */
	struct decap_layer layers[DECAP_LAYERS_MAX]; /* outermost first (HA4-SPD-15) */
};
static_assert(offsetof(struct packet, source) == 32 && offsetof(struct packet, tunnel) == 64 &&
		      offsetof(struct packet, next_hop) == 112,
	"lines 0 and 1");

#define PACKET_PRIVATE_SIZE 256
#define PACKET_HEADROOM     128
#define PACKET_PIECES_MAX   128 /* mbufs of one packet; more, fragments of fragments, are copied */
static_assert(sizeof(struct packet) <= PACKET_PRIVATE_SIZE, "private area");

static inline struct packet *packet_get(struct rte_mbuf *mbuf)
{
	return (struct packet *)(mbuf + 1);
}

/* Fresh metadata for a frame or packet that belongs to `port` (index): what a step may read before
 * one has set it is 0. */
static inline struct packet *packet_init(struct rte_mbuf *mbuf, const struct port *port)
{
	struct packet *p = packet_get(mbuf);
#ifdef __SANITIZE_ADDRESS__ /* what is not cleared below is nobody's to read */
	memset(p, 0xa5, PACKET_PRIVATE_SIZE);
#endif
	memset(p, 0, offsetof(struct packet, source));
	memset(&p->tunnel, 0, offsetof(struct packet, next_hop) - offsetof(struct packet, tunnel));
	p->port = p->out_port = port->index;
	p->vrf = port->vrf;
	return p;
}

static inline bool packet_is_ipv6(const struct packet *p)
{
	return p->flags & PACKET_IPV6;
}

/*
 * Makes the first `length` octets contiguous, moving octets from later segments into the first
 * one's tail. False when the packet is shorter or there is no room; the packet is then unchanged in
 * content.
 */
bool packet_pull_segments(struct rte_mbuf *mbuf, uint32_t length);
static inline bool packet_pull(struct rte_mbuf *mbuf, uint32_t length)
{
	return likely(rte_pktmbuf_data_len(mbuf) >= length) || packet_pull_segments(mbuf, length);
}

/*
 * One's complement sum, not complemented, over `length` octets from `offset`, over segments of any
 * size. False when there are not as many. DPDK 22.11's rte_raw_cksum_mbuf loses carries when a
 * segment begins at an odd octet.
 */
bool packet_sum(const struct rte_mbuf *mbuf, uint32_t offset, uint32_t length, uint16_t *sum);

/* Cuts the packet to `length` octets, which it has at least; drops whole segments when need be. */
void packet_trim_segments(struct rte_mbuf *mbuf, uint32_t length);
static inline void packet_trim(struct rte_mbuf *mbuf, uint32_t length)
{
	if (unlikely(rte_pktmbuf_pkt_len(mbuf) != length))
		packet_trim_segments(mbuf, length);
}

/*
 * Fills p's fields from the IPv4 or IPv6 header at the data start, which the caller knows to be
 * valid or has built: version, addresses, protocol, payload_offset (IPv6: after the extension
 * headers it may step over), ttl, tos, fragment flags. False when the header does not parse
 * (HA4-REV-06 conditions); checksum is not looked at.
 */
bool packet_parse(struct rte_mbuf *mbuf, struct packet *p);

/*
 * What a selector may know of the packet (RFC 4301 4.4.1.1): its next layer protocol, which for a
 * fragment over IPv6 is that of the whole, and where that begins. SPD-09, SPD-10.
 */
#define PACKET_PROTOCOL_HIDDEN 256 /* behind more extension headers than are stepped over */
struct packet_upper {
	uint32_t offset; /* from the data start; nothing is there in a later fragment */
	uint16_t protocol;
	bool later; /* a fragment that does not begin with the protocol's header */
};
struct packet_upper packet_upper_ipv6(struct rte_mbuf *mbuf, const struct packet *p);
static inline struct packet_upper packet_upper_get(struct rte_mbuf *mbuf, const struct packet *p)
{
	if (unlikely(p->flags & PACKET_IPV6))
		return packet_upper_ipv6(mbuf, p);
	return (struct packet_upper){.offset = p->payload_offset,
		.protocol = p->protocol,
		.later = p->flags & PACKET_FRAGMENT_LATER};
}

/* packet_parse for an IPv4 header that was checked already. */
static inline void packet_note_ipv4(struct packet *p, const struct rte_ipv4_hdr *ip)
{
	uint16_t fragment = rte_be_to_cpu_16(ip->fragment_offset);
	uint32_t flags =
		p->flags & ~(uint32_t)(PACKET_FRAGMENT | PACKET_FRAGMENT_LATER | PACKET_IPV6);

	if (unlikely(fragment & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)))
		flags |= PACKET_FRAGMENT |
			 (fragment & RTE_IPV4_HDR_OFFSET_MASK ? PACKET_FRAGMENT_LATER : 0);
	p->flags = flags;
	p->source = ip_address_from_v4(ip->src_addr);
	p->destination = ip_address_from_v4(ip->dst_addr);
	p->protocol = ip->next_proto_id;
	p->payload_offset = rte_ipv4_hdr_len(ip);
	p->ttl = ip->time_to_live;
	p->tos = ip->type_of_service;
}

/*
 * Puts an Ethernet header before the IP header so that the packet can be handed to the kernel on
 * p->port: the received one when the packet is as it came, else one addressed to the port. False
 * when there is no headroom.
 */
bool packet_restore_frame(struct worker *worker, struct rte_mbuf *mbuf);

/* A copy in one new mbuf (or chain when longer), metadata included; counted in `created`. NULL when
 * the pool is empty. */
struct rte_mbuf *packet_copy(struct worker *worker, struct rte_mbuf *mbuf);

/*
 * Makes the packet ours alone, to be changed in place: with `headroom` octets in front, in buffers
 * that nobody else sees (ESP-OUT-06), in at most PACKET_PIECES_MAX of them. A copy stands in where
 * it is not so already. False without a buffer: the packet stays as it was, its owner's.
 */
bool packet_own_copied(struct worker *worker, struct rte_mbuf **packet, uint16_t headroom);
static inline bool packet_own(struct worker *worker, struct rte_mbuf **packet, uint16_t headroom)
{
	const struct rte_mbuf *m = *packet;

	return likely(m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) &&
		       rte_pktmbuf_headroom(m) >= headroom) ||
	       packet_own_copied(worker, packet, headroom);
}
/* An empty packet of our own, metadata as of `port`, counted in `created`. NULL when the pool is
 * empty. */
struct rte_mbuf *packet_new(struct worker *worker, const struct port *port);

#endif
