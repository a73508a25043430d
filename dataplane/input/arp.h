/* ARP on a home link: proxy replies for away home addresses (docs/decisions/0001); the rest is the
 * kernel's. */
#ifndef DATAPLANE_INPUT_ARP_H
#define DATAPLANE_INPUT_ARP_H

#include "dataplane/step.h"

/* RFC 5944 4.6; HA4-HOME-01, -02, -13. The data start is the ARP packet. */
step_result arp_input(struct worker *worker, struct rte_mbuf *packet);
void arp_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);
/*
 * An ARP request of our own kernel, data start at the ARP packet: turned into the reply and true
 * when it asks for a home address that is away, so that the kernel's packets reach
 * pipeline_exception_burst as IP. False: not ours to answer.
 */
bool arp_answer_kernel(struct worker *worker, struct rte_mbuf *packet);

#endif
