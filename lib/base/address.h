/*
 * Addresses and prefixes of either family in one shape.
 *
 * An address is 16 octets in network order; IPv4 is held as an IPv4-mapped IPv6 address
 * (::ffff:a.b.c.d, RFC 4291 2.5.5.2). A prefix length is always counted in those 128 bits: IPv4 /n
 * is 96 + n. Tables, commands and configuration need one key and one compare, and IPv6 is never a
 * second code path.
 *
 * Plain values, no allocation, any thread.
 */
#ifndef LIB_BASE_ADDRESS_H
#define LIB_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t be16; /* in network byte order */
typedef uint32_t be32;

struct ip_address {
	union {
		uint8_t bytes[16];
		be32 words[4];
	};
};

struct ip_prefix {
	struct ip_address address; /* host bits zero */
	uint8_t length;            /* 0..128; IPv4 /n is 96 + n */
	uint8_t zero[3];           /* no padding: prefixes are compared and hashed as octets */
};

#define IP_ADDRESS_TEXT_SIZE 46 /* "255.255.255.255" or the longest IPv6 text, with NUL */
#define IP_PREFIX_TEXT_SIZE  50

/* Both halves are whole words: whoever reads the address back in one piece right after does not
 * wait for the stores of four. */
static inline struct ip_address ip_address_from_v4(be32 v4)
{
	static const uint8_t mapped[4] = {0, 0, 0xff, 0xff};
	uint32_t prefix;
	uint64_t halves[2] = {0};
	struct ip_address a;

	memcpy(&prefix, mapped, sizeof(prefix));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	halves[1] = (uint64_t)v4 << 32 | prefix;
#else
	halves[1] = (uint64_t)prefix << 32 | v4;
#endif
	memcpy(&a, halves, sizeof(a));
	return a;
}

static inline struct ip_address ip_address_from_v6(const void *sixteen_octets)
{
	struct ip_address a;
	memcpy(a.bytes, sixteen_octets, 16);
	return a;
}

static inline bool ip_address_is_v4(const struct ip_address *a)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	return memcmp(a->bytes, mapped, 12) == 0;
}

/* The IPv4 address inside; only meaningful when ip_address_is_v4. */
static inline be32 ip_address_v4(const struct ip_address *a)
{
	return a->words[3];
}

static inline bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
	return memcmp(a->bytes, b->bytes, 16) == 0;
}

/* True for :: and for 0.0.0.0. */
static inline bool ip_address_is_unspecified(const struct ip_address *a)
{
	return a->words[3] == 0 && a->words[0] == 0 && a->words[1] == 0 &&
	       (a->words[2] == 0 || ip_address_is_v4(a));
}

/* Unicast in its family: not unspecified, loopback, multicast, IPv4 class E or limited broadcast.
 */
bool ip_address_is_unicast(const struct ip_address *a);

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *a);
bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
/* Clears the host bits. */
struct ip_prefix ip_prefix_make(const struct ip_address *a, uint8_t length_128);

/* Text to value, 0 or -EINVAL. A prefix is "10.1.0.0/16" or "2001:db8::/32"; set host bits are
 * -EINVAL. */
int ip_address_parse(const char *text, struct ip_address *out);
int ip_prefix_parse(const char *text, struct ip_prefix *out);
/* Value to text; returns buffer. */
char *ip_address_format(const struct ip_address *a, char buffer[IP_ADDRESS_TEXT_SIZE]);
char *ip_prefix_format(const struct ip_prefix *p, char buffer[IP_PREFIX_TEXT_SIZE]);

/* Do the two, of one family, hold all its addresses between them? */
static inline bool ip_address_range_is_all(
	const struct ip_address *first, const struct ip_address *last)
{
	const struct ip_address all = {.words = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}};

	if (ip_address_is_v4(first))
		return ip_address_v4(first) == 0 && ip_address_v4(last) == UINT32_MAX;
	return ip_address_is_unspecified(first) && ip_address_equal(last, &all);
}

#endif
