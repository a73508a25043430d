/*
 * The outer header that all encapsulations share: the tunnel's template before the packet, then
 * what changes with each packet (RFC 2003 3.1, RFC 6040 4.1, RFC 6864 4.1; HA4-FWD-02..09).
 */
#ifndef DATAPLANE_ENCAP_OUTER_H
#define DATAPLANE_ENCAP_OUTER_H

#include "dataplane/header.h"
#include "dataplane/step.h"
#include "dataplane/table/sa_table.h"

#include <rte_ip.h>

#define OUTER_UDP_LENGTH 32 /* IPv4, UDP, MIP tunnel data */

/* What the outer header takes over from the inner one; read before the packet changes. */
struct inner {
	uint8_t tos;
	bool df; /* always for IPv6 */
	bool is_ipv6;
};

static inline struct inner outer_inner(const struct rte_mbuf *packet, const struct packet *p)
{
	struct inner inner = {.tos = p->tos, .df = true, .is_ipv6 = packet_is_ipv6(p)};

	if (!inner.is_ipv6)
		inner.df = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *)->fragment_offset &
			   RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	return inner;
}

/* The step that puts the tunnel's own header on. */
static inline enum step outer_encapsulation_step(const struct tunnel *t)
{
	if (t->flags & BINDING_UDP)
		return STEP_ENCAP_UDP;
	switch (t->encapsulation) {
	case ENCAPSULATION_GRE:
		return STEP_ENCAP_GRE;
	case ENCAPSULATION_MINIMAL:
		return STEP_ENCAP_MINIMAL;
	default:
		return STEP_ENCAP_IPIP;
	}
}

/* HA4-FWD-06, -07: ECN copied unless the far end is an old one, DSCP copied or fixed by the
 * template. */
static inline uint8_t outer_tunnel_tos(
	const struct tunnel *t, const struct agent *agent, uint8_t inner_tos, uint8_t template_tos)
{
	uint8_t tos = agent->dscp == DSCP_COPY ? inner_tos : template_tos;
	bool compatibility =
		t->flags & BINDING_ECN_COMPATIBILITY || agent->flags & AGENT_ECN_COMPATIBILITY;

	return (uint8_t)((tos & ~ECN_MASK) | (compatibility ? ECN_NOT_ECT : inner_tos & ECN_MASK));
}

/* Template octets 0..length-1 before the data start. NULL without headroom. */
static inline uint8_t *outer_prepend(
	struct rte_mbuf *packet, const struct tunnel *t, uint16_t length)
{
	uint8_t *outer = (uint8_t *)rte_pktmbuf_prepend(packet, length);

	if (outer == NULL)
		return NULL;
	if (length == sizeof(struct rte_ipv4_hdr)) /* a few plain stores instead of a call */
		memcpy(outer, t->outer, sizeof(struct rte_ipv4_hdr));
	else if (length == OUTER_UDP_LENGTH)
		memcpy(outer, t->outer, OUTER_UDP_LENGTH);
	else
		memcpy(outer, t->outer, length);
	return outer;
}

/*
 * Fills TOS, DF, identification, lengths and checksum of the outer IP header (protocol as it stands
 * there) and turns struct packet to it. Returns the next step: the route, or the tunnel that the
 * care-of address is itself behind.
 */
step_result outer_finish(struct worker *worker, struct rte_mbuf *packet, const struct inner *inner);
/* The port that this encapsulation leaves through, when it is the outermost one; else NULL. Its
 * device may be left to finish checksums. */
static inline const struct port *outer_port(const struct worker *worker, const struct packet *p)
{
	return p->nested == NULL && p->route != NULL ? &worker->ports[p->route->port] : NULL;
}
/* The header checksum of the IPv4 header at the data start, now or by the device. */
void outer_checksum(struct worker *worker, struct rte_mbuf *packet);

/* IP-in-IP around the packet. */
step_result outer_ipip(struct worker *worker, struct rte_mbuf *packet);

/* A header from the agent to the tunnel's home address, in the tunnel's style. False without
 * headroom. */
bool outer_home(struct worker *worker, struct rte_mbuf *packet);

/*
 * Identifications of datagrams that may be fragmented: a counter for each destination's hash, the
 * low bits are the worker's number. So two workers never give one number to one destination, and
 * need no shared counter for it, which would be a locked add in every packet (HA4-FWD-09, TUN-07).
 */
#define OUTER_IDENTIFICATIONS 4096
struct outer_identifications {
	uint16_t shift, worker; /* bits of the worker's number, and it */
	uint16_t next[OUTER_IDENTIFICATIONS];
};
/* NULL without memory; free() it. Main lcore. */
struct outer_identifications *outer_identifications_new(const struct worker *worker);

static inline uint16_t outer_identification(const struct worker *worker, be32 destination)
{
	struct outer_identifications *ids = worker->outer_identifications;
	uint32_t slot = (destination * 0x9e3779b1u >> 20) % OUTER_IDENTIFICATIONS;

	return (uint16_t)(ids->next[slot]++ << ids->shift | ids->worker);
}

/* DSCP and ECN octet of the outer header around a packet with this one (ECN-01, -02, -08). Worker.
 */
static inline uint8_t outer_esp_tos(const struct sa_outbound *sa, uint8_t inner)
{
	uint8_t dscp =
		sa->dscp == DSCP_COPY ? inner & (uint8_t)~ECN_MASK : (uint8_t)(sa->dscp << 2);

	return (uint8_t)(dscp | (sa->flags & SA_ECN_OFF ? ECN_NOT_ECT : inner & ECN_MASK));
}

#endif
