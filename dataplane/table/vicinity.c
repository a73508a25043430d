#include "dataplane/table/vicinity.h"

#include "dataplane/table/slab.h"

#include <errno.h>

#define V4_BITS   96 /* of the mapped prefix */
#define PART_BITS 16
#define SITE_BITS 48

static size_t size_of(const struct vicinity *vicinity)
{
	return (size_t)vicinity->vrf_count * 3 * VICINITY_PARTS;
}

int vicinity_init(struct vicinity *vicinity, uint16_t vrf_count)
{
	vicinity->vrf_count = vrf_count;
	vicinity->parts = slab_map(size_of(vicinity));
	return vicinity->parts ? 0 : -ENOMEM;
}

void vicinity_fini(struct vicinity *vicinity)
{
	slab_unmap(vicinity->parts, size_of(vicinity));
	*vicinity = (struct vicinity){0};
}

void vicinity_add(struct vicinity *vicinity, uint16_t vrf, const struct ip_prefix *prefix,
	enum vicinity_bit bit)
{
	bool v4 = ip_address_is_v4(&prefix->address) && prefix->length >= V4_BITS;
	const uint8_t *key = prefix->address.bytes + (v4 ? V4_BITS / 8 : 0);
	unsigned length = prefix->length - (v4 ? V4_BITS : 0);
	unsigned free_bits = length < PART_BITS ? PART_BITS - length : 0;
	size_t first = ((size_t)key[0] << 8 | key[1]) >> free_bits << free_bits;
	size_t count = (size_t)1 << free_bits;
	uint8_t *parts = &vicinity->parts[((size_t)vrf * 3 + !v4) * VICINITY_PARTS];

	if (!v4 && length >= SITE_BITS) {
		parts += VICINITY_PARTS;
		first = vicinity_site(&prefix->address);
		count = 1;
	}
	for (size_t i = first; i < first + count; i++) {
		vicinity->grown += !(parts[i] & bit);
		__atomic_store_n(&parts[i], (uint8_t)(parts[i] | bit), __ATOMIC_RELAXED);
	}
}
