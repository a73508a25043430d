/*
 * The Internet checksum: RFC 1071, pseudo headers of RFC 768 and RFC 8200 8.1, incremental update
 * of RFC 1624.
 *
 * A `sum` is a running one's complement sum in host arithmetic over network-order 16-bit words;
 * only checksum_finish gives the value of a header field, in network byte order. Plain functions,
 * any thread.
 */
#ifndef LIB_WIRE_CHECKSUM_H
#define LIB_WIRE_CHECKSUM_H

#include "lib/base/address.h"

/* Adds `length` octets; an odd last octet is padded with zero, so only the last part of a message
 * may be odd. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);
/* Folds and complements: what goes into the field. */
be16 checksum_finish(uint64_t sum);
be16 checksum(const void *data, size_t length);
/* True when data that includes its own checksum field sums to all ones. */
bool checksum_verify(uint64_t sum);

/* `length` is that of the upper layer, header included, in octets. */
uint64_t checksum_pseudo_v4(be32 source, be32 destination, uint8_t protocol, uint16_t length);
uint64_t checksum_pseudo_v6(const uint8_t source[16], const uint8_t destination[16],
	uint8_t next_header, uint32_t length);

/* New field value after one 16-bit word changed from `before` to `after`: RFC 1624 equation 3. All
 * as on the wire. */
be16 checksum_update16(be16 field, be16 before, be16 after);
be16 checksum_update32(be16 field, be32 before, be32 after);

#endif
