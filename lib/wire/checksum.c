#include "lib/wire/checksum.h"

uint64_t checksum_add(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *p = data;

	for (; length >= 4; p += 4, length -= 4) {
		uint32_t word;
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (length >= 2) {
		uint16_t word;
		memcpy(&word, p, sizeof(word));
		sum += word;
		p += 2;
		length -= 2;
	}
	if (length) {
		uint16_t word = 0;
		memcpy(&word, p, 1);
		sum += word;
	}
	return sum;
}

/* One's complement sums do not care in which byte order they are taken (RFC 1071 2 B). */
static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

be16 checksum_finish(uint64_t sum)
{
	return (be16)~fold(sum);
}

be16 checksum(const void *data, size_t length)
{
	return checksum_finish(checksum_add(0, data, length));
}

bool checksum_verify(uint64_t sum)
{
	return fold(sum) == 0xffff;
}

uint64_t checksum_pseudo_v4(be32 source, be32 destination, uint8_t protocol, uint16_t length)
{
	const uint8_t tail[4] = {0, protocol, (uint8_t)(length >> 8), (uint8_t)length};

	return checksum_add((uint64_t)source + destination, tail, sizeof(tail));
}

uint64_t checksum_pseudo_v6(const uint8_t source[16], const uint8_t destination[16],
	uint8_t next_header, uint32_t length)
{
	const uint8_t tail[8] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
		(uint8_t)(length >> 8), (uint8_t)length, 0, 0, 0, next_header};

	return checksum_add(
		checksum_add(checksum_add(0, source, 16), destination, 16), tail, sizeof(tail));
}

be16 checksum_update16(be16 field, be16 before, be16 after)
{
	return (be16)~fold((uint64_t)(uint16_t)~field + (uint16_t)~before + after);
}

be16 checksum_update32(be16 field, be32 before, be32 after)
{
	return (be16)~fold((uint64_t)(uint16_t)~field + (uint32_t)~before + after);
}
