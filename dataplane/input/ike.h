/*
 * The budget of IKE messages on their way to the kernel (AUD-12, RFC 7296 2.6, RFC 8019): all that
 * a worker hands over a second, those of one neighbourhood (a /24 or /56), and, smaller, those that
 * ask for a new IKE SA: their responder SPI is 0, anybody can send them, and each costs the daemon
 * a Diffie-Hellman exchange. A message of an IKE SA has both SPIs; who guesses at them is bounded
 * by neighbourhood.
 */
#ifndef DATAPLANE_INPUT_IKE_H
#define DATAPLANE_INPUT_IKE_H

#include "dataplane/step.h"

struct ike_police;

/* Messages a second; 0: no limit of this kind. NULL without memory. */
struct ike_police *ike_police_new(
	uint32_t rate, uint32_t source_rate, uint32_t begin_rate, uint64_t tsc_hz);
void ike_police_free(struct ike_police *police);

/* DROP_NONE, or why the message whose IKE header begins at `at` is one too many. Worker. */
enum drop_reason ike_police_pass(struct worker *worker, struct rte_mbuf *packet, uint32_t at);

#endif
