/*
 * Which tables may know an address: one octet for each 65,536th part of an address family (the
 * first 16 bits), so that most packets are spared most lookups. A clear bit says that the table has
 * nothing there; a set one says that it is worth asking. A bit is set before the first entry is
 * published and stays when the last one goes: what is left behind costs a lookup, no more.
 *
 * All IPv6 addresses of an operator begin alike, so what is not shorter than a /48 has octets of
 * its own, found by a hash of the first 48 bits; the others say what shorter prefixes there are.
 *
 * Writer: main lcore. Any thread reads.
 */
#ifndef DATAPLANE_TABLE_VICINITY_H
#define DATAPLANE_TABLE_VICINITY_H

#include "lib/base/address.h"

#include <netinet/in.h>

enum vicinity_bit {
	VICINITY_HOME = 1 << 0,         /* a home address */
	VICINITY_LOCAL = 1 << 1,        /* an address of ours */
	VICINITY_PREFIX = 1 << 2,       /* a mobile network */
	VICINITY_HOME_NETWORK = 1 << 3, /* a home network */
};

#define VICINITY_PARTS 65536

struct vicinity {
	uint8_t *parts; /* [vrf][v4, v6 shorter than /48, other v6][VICINITY_PARTS] */
	uint16_t vrf_count;
	uint32_t grown; /* main lcore: how often an octet changed */
};

/* 0 or -ENOMEM. */
int vicinity_init(struct vicinity *vicinity, uint16_t vrf_count);
void vicinity_fini(struct vicinity *vicinity);
/* Sets the bit for all that the prefix covers. vrf below vrf_count. */
void vicinity_add(struct vicinity *vicinity, uint16_t vrf, const struct ip_prefix *prefix,
	enum vicinity_bit bit);

/* The octet of an IPv6 address' /48. */
static inline size_t vicinity_site(const struct ip_address *address)
{
	uint64_t site =
		(uint64_t)address->words[0] << 16 | address->bytes[4] << 8 | address->bytes[5];

	return (size_t)(site * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

/* Bits of enum vicinity_bit. */
static inline unsigned vicinity_of(
	const struct vicinity *vicinity, uint16_t vrf, const struct ip_address *address)
{
	bool v4 = ip_address_is_v4(address);
	const uint8_t *key = address->bytes + (v4 ? 12 : 0);
	size_t part = (size_t)key[0] << 8 | key[1];
	const uint8_t *parts = &vicinity->parts[((size_t)vrf * 3 + !v4) * VICINITY_PARTS];
	unsigned bits;

	if (vrf >= vicinity->vrf_count)
		return 0;
	bits = __atomic_load_n(&parts[part], __ATOMIC_RELAXED);
	if (!v4)
		bits |= __atomic_load_n(
			&parts[VICINITY_PARTS + vicinity_site(address)], __ATOMIC_RELAXED);
	return bits;
}

/* For many IPv4 addresses of one vrf: the parts, NULL when nothing is near any of them, and the
 * bits of one. */
static inline const uint8_t *vicinity_parts_v4(const struct vicinity *vicinity, uint16_t vrf)
{
	return vrf < vicinity->vrf_count ? &vicinity->parts[(size_t)vrf * 3 * VICINITY_PARTS]
					 : NULL;
}

static inline unsigned vicinity_part_v4(const uint8_t *parts, be32 address)
{
	be16 part;

	memcpy(&part, &address, sizeof(part));
	return __atomic_load_n(&parts[ntohs(part)], __ATOMIC_RELAXED);
}

/* Bits of enum vicinity_bit for an IPv4 address. */
static inline unsigned vicinity_of_v4(const struct vicinity *vicinity, uint16_t vrf, be32 address)
{
	const uint8_t *parts = vicinity_parts_v4(vicinity, vrf);

	return parts != NULL ? vicinity_part_v4(parts, address) : 0;
}

#endif
