/*
 * ICMP errors that this gateway sends about packets it drops: RFC 1812 4.3.2, RFC 4443 2.4,
 * HA4-MTU-12..14. Rate limited per worker and per source; an error to a mobile node goes back
 * through its tunnel because it is forwarded like any packet of ours.
 */
#ifndef DATAPLANE_ICMP_ERROR_H
#define DATAPLANE_ICMP_ERROR_H

#include "dataplane/step.h"

enum icmp_error {
	ICMP_ERROR_NET_UNREACHABLE,
	ICMP_ERROR_HOST_UNREACHABLE,
	ICMP_ERROR_TIME_EXCEEDED,
	ICMP_ERROR_TOO_BIG,    /* with an MTU: RFC 1191 4, RFC 4443 3.2 */
	ICMP_ERROR_PARAMETER,  /* IPv4 alone; with a pointer: RFC 792 */
	ICMP_ERROR_PROHIBITED, /* RFC 1812 5.2.7.1, RFC 4443 3.1: by policy */
};

/* rate: errors a second of this worker; source_rate: of one source; either 0: none at all.
 * NULL without memory. */
struct icmp_limiter *icmp_error_limiter_new(uint32_t rate, uint32_t source_rate, uint64_t tsc_hz);
void icmp_error_limiter_free(struct icmp_limiter *limiter);

/*
 * Sends an error about the packet to its source when the rules allow it (icmp_sent), else counts
 * icmp_suppressed. The packet stays the caller's, unchanged; its data start is the IP header and
 * struct packet describes it. `value`: the MTU or the pointer.
 */
void icmp_error_send(
	struct worker *worker, struct rte_mbuf *packet, enum icmp_error error, uint16_t value);

#endif
