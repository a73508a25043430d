#include "dataplane/table/prefix_lengths.h"

#include "dataplane/table/slab.h"

#include <errno.h>

static size_t size_of(const struct prefix_lengths *lengths)
{
	return (size_t)lengths->vrf_count * PREFIX_LENGTHS_BANDS * sizeof(*lengths->bands);
}

int prefix_lengths_init(struct prefix_lengths *lengths, uint16_t vrf_count)
{
	lengths->vrf_count = vrf_count;
	lengths->bands = slab_map_small(size_of(lengths));
	return lengths->bands ? 0 : -ENOMEM;
}

void prefix_lengths_fini(struct prefix_lengths *lengths)
{
	slab_unmap(lengths->bands, size_of(lengths));
	*lengths = (struct prefix_lengths){0};
}

static unsigned band_of(uint8_t length)
{
	unsigned band = PREFIX_LENGTHS_BANDS - 1;

	while (length < prefix_band_first(band))
		band--;
	return band;
}

static uint64_t first_bits(const struct ip_address *address)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 8; i++)
		bits = bits << 8 | address->bytes[i];
	return bits;
}

static void set(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void prefix_lengths_add(
	struct prefix_lengths *lengths, uint16_t vrf, const struct ip_prefix *prefix)
{
	unsigned number = band_of(prefix->length);
	unsigned at = prefix->length - prefix_band_first(number);
	struct prefix_band *band = &lengths->bands[vrf * PREFIX_LENGTHS_BANDS + number];
	uint64_t *near = &band->near[prefix_band_group(number, first_bits(&prefix->address))];

	band->count[at]++;
	set(near, *near | UINT64_C(1) << at);
	set(&band->any, band->any | UINT64_C(1) << at);
}

void prefix_lengths_remove(
	struct prefix_lengths *lengths, uint16_t vrf, const struct ip_prefix *prefix)
{
	unsigned number = band_of(prefix->length);
	unsigned at = prefix->length - prefix_band_first(number);
	struct prefix_band *band = &lengths->bands[vrf * PREFIX_LENGTHS_BANDS + number];

	if (--band->count[at] > 0)
		return;
	set(&band->any, band->any & ~(UINT64_C(1) << at));
	for (unsigned i = 0; i < PREFIX_LENGTHS_GROUPS; i++)
		if (band->near[i] >> at & 1)
			set(&band->near[i], band->near[i] ^ UINT64_C(1) << at);
}
