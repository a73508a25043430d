#include "dataplane/encap/gre.h"

#include "dataplane/encap/outer.h"

#include <rte_byteorder.h>
#include <rte_ether.h>

step_result gre_encap(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	struct inner inner = outer_inner(packet, p);
	uint16_t length = p->tunnel->outer_length;
	uint8_t *outer = outer_prepend(packet, p->tunnel, length);
	be16 type = inner.is_ipv6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);

	if (outer == NULL)
		return STEP_DROP(DROP_no_headroom);
	memcpy(outer + length - 2, &type, 2);
	return outer_finish(worker, packet, &inner);
}

void gre_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(gre_encap, worker, packets, count, next);
}
