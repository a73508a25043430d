/* A packet in the lane of IPv4 without ESP: shared by forward.c, mip_out.c and mip_in.c. */
#ifndef DATAPLANE_LANE_FORWARD_WORK_H
#define DATAPLANE_LANE_FORWARD_WORK_H

#include "dataplane/lane/way.h"
#include "dataplane/table/binding_table.h"

#include <netinet/in.h>

struct forward_work {
	struct rte_mbuf *frame;
	struct rte_ipv4_hdr *ip;     /* of the packet that is forwarded, inside its tunnel if any */
	const struct tunnel *tunnel; /* into which, or out of which; NULL none was found */
	uint16_t length;             /* octets from ip on */
	uint8_t index;               /* in the burst */
	uint8_t kind;                /* enum lane_kind */
	uint8_t tos;                 /* of ip, as it leaves a tunnel */
	uint8_t added;               /* octets before ip, into a tunnel */
	bool refused;                /* the steps get it */
};
static_assert(sizeof(struct forward_work) == 32, "half a line a packet");

/*
 * Where packets along one route leave, found with the first of them: most of a burst go the same
 * way. Nothing of it changes while the lane is at work.
 */
struct forward_exit {
	const struct route *route;  /* NULL: of no other packet */
	const struct lane_way *way; /* NULL: to the steps */
	struct tx_buffer *tx;       /* NULL: the port is down */
	uint16_t mtu;
};

/* What is the same for a whole burst. */
struct forward_burst {
	struct lane_burst *burst;
	const struct tables *tables;
	const struct binding_table *bindings;
	const uint8_t *near; /* vicinity_part_v4 */
	uint16_t vrf;
	uint32_t away_source; /* flags of HA4-REV-17 that any agent has */
	be32 broadcast;       /* of the home link that the port is on; 0 none */
	be32 here;            /* an agent's address, the last one found; 0 none yet */
	uint8_t usual; /* TUNNEL_USUAL_BARE: what is asked of a tunnel besides its direction; 0
			  with ESP around it */
	bool policies; /* there are some in the port's vrf */
};

/* forward.c */
struct forward_burst forward_begin(struct lane_burst *burst);
const struct tunnel *forward_tunnel_elsewhere(const struct forward_burst *f, be32 home);

/* The home address' first tunnel, or NULL; `candidate`: binding_table_candidate's. */
static inline const struct tunnel *forward_tunnel(
	const struct forward_burst *f, const struct tunnel *candidate, be32 home)
{
	const struct tunnel *t = binding_table_confirm_v4(candidate, f->vrf, home);

	return likely(t != NULL) ? t : forward_tunnel_elsewhere(f, home);
}

static inline bool forward_is_usual(
	const struct forward_burst *f, const struct tunnel *t, enum tunnel_usual direction)
{
	unsigned asked = direction | f->usual;

	return (t->usual & asked) == asked;
}

static inline unsigned forward_near(const struct forward_burst *f, be32 address)
{
	return vicinity_part_v4(f->near, address);
}

/* Nothing was learned of the way through the tunnel that a packet has to hear of or to mend. */
static inline bool forward_path_is_plain(const struct forward_burst *f, const struct tunnel *t)
{
	const struct tunnel_path *path;

	if (likely(!binding_table_is_marked(f->bindings, t->destination)))
		return true;
	path = tables_path_of(f->tables, t);
	return atomic_load_explicit(&path->path_mtu, memory_order_relaxed) == 0 &&
	       atomic_load_explicit(&path->unreachable_code, memory_order_relaxed) == 0;
}

/* A TCP SYN, or what may be one (HA4-MTU-15). */
static inline bool forward_is_syn(const struct rte_ipv4_hdr *ip, uint16_t length)
{
	return ip->next_proto_id == IPPROTO_TCP &&
	       (length < sizeof(*ip) + 14 || ((const uint8_t *)(ip + 1))[13] & 2);
}

#endif
