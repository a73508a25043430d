/*
 * ICMP errors about our own outer datagrams only ever change soft state of the tunnel that they
 * quote (tunnel_path): a lowered path MTU, or "unreachable"; the next datagram of the tunnel tells
 * its sender. Only a Parameter Problem is relayed at once, and only when it quotes the inner header
 * and points to a field that we copied from it. HA4-MTU-06, -08..11; RFC 2003 4, RFC 2473 8, RFC
 * 8201.
 */
#ifndef DATAPLANE_INPUT_ICMP_TUNNEL_H
#define DATAPLANE_INPUT_ICMP_TUNNEL_H

#include "dataplane/step.h"

/* Whether icmp_tunnel_note looks at messages of this type. */
bool icmp_tunnel_is_error(uint8_t type, bool ipv6);
/* Takes note of an error addressed to an agent; its checksum was right, its first 8 octets are in
 * one piece. The packet stays as it is. */
void icmp_tunnel_note(struct worker *worker, struct rte_mbuf *packet);

/* Next lower plateau of RFC 1191 7 for a datagram of total_length octets that did not fit. */
uint16_t icmp_tunnel_plateau(uint16_t total_length);

#endif
