/*
 * One side of an IPsec selector (RFC 4301 4.4.1.1) and its text, as swanctl writes it:
 *
 *   10.1.0.0/16   10.1.0.5   10.1.0.5-10.1.0.9   any   any6
 *   10.1.0.0/16[udp]   192.0.2.1[udp/434]   any[tcp/1024-65535]   any[17/opaque]
 *   any[icmp/8]   any[icmp/3:4]   any6[mh/5]
 *
 * Ports of ICMP, ICMPv6 and the Mobility Header are type * 256 + code (SPD-06, -07): a type alone
 * covers all its codes. OPAQUE is first 65535, last 0 (SPD-05). Plain values, any thread.
 */
#ifndef LIB_BASE_TRAFFIC_SELECTOR_H
#define LIB_BASE_TRAFFIC_SELECTOR_H

#include "lib/base/address.h"

#define TRAFFIC_SELECTOR_TEXT_SIZE 128

struct traffic_selector {
	struct ip_address first, last;  /* inclusive, one family */
	uint16_t port_first, port_last; /* host order; 0, 65535 is ANY; 65535, 0 is OPAQUE */
	uint8_t protocol;               /* 0 = ANY */
	uint8_t reserved[3];            /* 0: compared as memory */
};

/* 0 or -EINVAL. */
int traffic_selector_parse(const char *text, struct traffic_selector *out);
/* Returns buffer; parses back to the same. */
char *traffic_selector_format(
	const struct traffic_selector *selector, char buffer[TRAFFIC_SELECTOR_TEXT_SIZE]);
/* Whether the two sides make one selector: one family, protocols equal or one of them ANY. */
bool traffic_selector_fits(
	const struct traffic_selector *local, const struct traffic_selector *remote);
bool traffic_selector_contains(
	const struct traffic_selector *selector, const struct ip_address *address);
/* A selector of one address, any protocol. */
struct traffic_selector traffic_selector_host(const struct ip_address *address);

#endif
