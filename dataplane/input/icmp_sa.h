/*
 * "Too big" about our own ESP (MTU-08..11, RFC 4301 8.2.1): believed only when what it quotes is an
 * outbound SA of ours (addresses, SPI, ports, a recent number), and then it lowers that SA's path
 * MTU alone, never below a floor, and for some minutes. Nobody inside is told at that moment: the
 * next packet that does not fit is. Anything else from outside changes nothing (NAT-18).
 */
#ifndef DATAPLANE_INPUT_ICMP_SA_H
#define DATAPLANE_INPUT_ICMP_SA_H

#include "dataplane/step.h"

/* An ICMP or ICMPv6 message to an address of ours, not a later fragment. The packet stays as it is.
 */
void icmp_sa_note(struct worker *worker, struct rte_mbuf *packet);

#endif
