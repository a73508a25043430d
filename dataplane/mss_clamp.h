/* TCP MSS option of a SYN lowered to what fits a tunnel (HA4-MTU-15). Off unless the agent's option
 * says so. */
#ifndef DATAPLANE_MSS_CLAMP_H
#define DATAPLANE_MSS_CLAMP_H

#include "dataplane/packet.h"

/* An unfragmented TCP SYN, its fixed header in one piece. */
bool mss_clamp_applies(struct rte_mbuf *packet, const struct packet *p);
/* `mtu`: largest IP datagram that passes. Leaves anything but an unfragmented SYN with a larger MSS
 * alone; keeps the checksum. */
void mss_clamp(struct rte_mbuf *packet, const struct packet *p, uint16_t mtu);

#endif
