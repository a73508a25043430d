/*
 * First match over an ordered list of up to POLICY_GENERAL_MAX general policies, at a cost that
 * does not grow with the list but for one bit a policy: the "bit vector" scheme. For each of five
 * dimensions (local and remote address, protocol, local and remote port) the values are cut into
 * the intervals in which the same policies match; each interval has a row of bits, bit p for the
 * policy at place p of the list. A lookup finds the five rows by binary search, ands them word by
 * word and takes the first bit that is left: the first match, as RFC 4301 4.4.1 orders it (SPD-03).
 *
 * Built at once by the main lcore, immutable afterwards, read by workers; whoever publishes it
 * frees it.
 */
#ifndef DATAPLANE_TABLE_POLICY_CLASSIFIER_H
#define DATAPLANE_TABLE_POLICY_CLASSIFIER_H

#include "lib/ipc/command.h"

#include <endian.h>
#include <stdbool.h>

#define POLICY_GENERAL_MAX 4096
#define POLICY_NO_MATCH    UINT32_MAX

/* What a packet shows to a selector. */
#define POLICY_PORT_HIDDEN                                                                         \
	65536u /* absent: another protocol, a later fragment (SPD-05, SPD-10)                      \
		*/
#define POLICY_PORT_IGNORED                                                                        \
	65537u /* the side that a protocol with one selector does not look at (SPD-08) */
#define POLICY_PROTOCOL_UNKNOWN                                                                    \
	256u /* hidden behind a header chain that we do not walk (SPD-09)                          \
	      */

struct policy_key {
	struct ip_address local, remote;  /* our side and the far side, whatever the direction */
	uint32_t local_port, remote_port; /* host order, or one of the above */
	uint16_t protocol;
	uint16_t vrf;
	uint8_t direction;   /* enum sa_direction */
	bool mip_signalling; /* Mobile IP message 1, 3, 7 or 15 (HA4-SPD-06) */
	uint8_t reserved[6];
};

/* An address as a number, for ranges. */
static inline unsigned __int128 policy_address_number(const struct ip_address *a)
{
	uint64_t high, low;

	memcpy(&high, a->bytes, 8);
	memcpy(&low, a->bytes + 8, 8);
	return (unsigned __int128)be64toh(high) << 64 | be64toh(low);
}

/* RFC 4301 4.4.1.1: the one definition of "the selector matches the packet"; addresses excluded. */
static inline bool selector_port_match(uint16_t first, uint16_t last, uint32_t port)
{
	if (port == POLICY_PORT_IGNORED || (first == 0 && last == UINT16_MAX)) /* ANY */
		return true;
	if (first > last) /* OPAQUE */
		return port == POLICY_PORT_HIDDEN;
	return port >= first && port <= last;
}

static inline bool selector_protocol_match(uint8_t wanted, uint32_t protocol)
{
	return wanted == 0 || protocol == wanted;
}

struct policy_classifier;

/* Takes `selectors` over (malloc), also when it fails: in the order of the list, all of one address
 * family. NULL when there is no memory. Main lcore. */
struct policy_classifier *policy_classifier_new(const struct selector *selectors, uint32_t count);
void policy_classifier_free(struct policy_classifier *classifier);
/* Place in the list of the first policy from place `from` on and before place `before` that
 * matches, POLICY_NO_MATCH. Worker. */
uint32_t policy_classifier_lookup(const struct policy_classifier *classifier,
	const struct policy_key *key, uint32_t from, uint32_t before);
/*
 * The first places, up to `limit` of them, below `before` whose selectors may have a packet in
 * common with `selector`, whose remote is one address; in order. Returns how many: more than
 * `limit` means that the list was cut. Main lcore.
 */
uint32_t policy_classifier_overlaps(const struct policy_classifier *classifier,
	const struct selector *selector, uint32_t before, uint16_t *places, uint32_t limit);

#endif
