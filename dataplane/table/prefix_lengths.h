/*
 * Which lengths the long IPv6 prefixes near an address have, so that a lookup asks the hash of
 * prefixes for few of them, mostly one.
 *
 * Lengths from 33 to 128 stand in three bands. For each band, addresses are put into groups by a
 * hash of the bits that all prefixes of the band have, and each group has a bit for each length. A
 * clear bit says that there is no such prefix; a set one that it is worth asking: groups are
 * shared, and a bit stays until the last prefix of its length is gone from the VRF.
 *
 * Writer: main lcore. Any thread reads.
 */
#ifndef DATAPLANE_TABLE_PREFIX_LENGTHS_H
#define DATAPLANE_TABLE_PREFIX_LENGTHS_H

#include "lib/base/address.h"

#define PREFIX_LENGTHS_BELOW  33 /* what is shorter is not kept here */
#define PREFIX_LENGTHS_ALL    129
#define PREFIX_LENGTHS_BANDS  3 /* from 33, 49 and 65 on */
#define PREFIX_LENGTHS_GROUPS 8192

struct prefix_band {
	uint64_t any; /* bit n: length first + n is somewhere */
	uint64_t near[PREFIX_LENGTHS_GROUPS];
	uint32_t count[64]; /* main lcore */
};

struct prefix_lengths {
	struct prefix_band *bands; /* [vrf][PREFIX_LENGTHS_BANDS] */
	uint16_t vrf_count;
};

/* 0 or -ENOMEM. */
int prefix_lengths_init(struct prefix_lengths *lengths, uint16_t vrf_count);
void prefix_lengths_fini(struct prefix_lengths *lengths);
/* One more prefix, one less: IPv6, longer than 32 bits, vrf below vrf_count. */
void prefix_lengths_add(
	struct prefix_lengths *lengths, uint16_t vrf, const struct ip_prefix *prefix);
void prefix_lengths_remove(
	struct prefix_lengths *lengths, uint16_t vrf, const struct ip_prefix *prefix);

/* The length that bit 0 of a band stands for; all prefixes of it have the bits before. */
static inline unsigned prefix_band_first(unsigned band)
{
	return PREFIX_LENGTHS_BELOW + 16 * band;
}

/* `first_bits`: the address' first 64 bits, host order. */
static inline unsigned prefix_band_group(unsigned band, uint64_t first_bits)
{
	uint64_t common = first_bits >> (65 - prefix_band_first(band));

	return (unsigned)(common * UINT64_C(0x9e3779b97f4a7c15) >> 51);
}
_Static_assert(PREFIX_LENGTHS_GROUPS == 1 << (64 - 51), "bits of a group");

/* The longest length below `below` that a prefix over the address may have; 0 none. */
static inline unsigned prefix_lengths_next(const struct prefix_lengths *lengths, uint16_t vrf,
	const struct ip_address *address, unsigned below)
{
	const struct prefix_band *bands = &lengths->bands[(size_t)vrf * PREFIX_LENGTHS_BANDS];
	uint64_t first_bits;

	memcpy(&first_bits, address->bytes, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	first_bits = __builtin_bswap64(first_bits);
#endif
	for (unsigned band = PREFIX_LENGTHS_BANDS; band-- > 0;) {
		unsigned first = prefix_band_first(band);
		if (below <= first || __atomic_load_n(&bands[band].any, __ATOMIC_ACQUIRE) == 0)
			continue;
		uint64_t bits = __atomic_load_n(
			&bands[band].near[prefix_band_group(band, first_bits)], __ATOMIC_ACQUIRE);
		if (below - first < 64)
			bits &= (UINT64_C(1) << (below - first)) - 1;
		if (bits != 0)
			return first + 63 - (unsigned)__builtin_clzll(bits);
	}
	return 0;
}

#endif
