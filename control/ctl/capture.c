/*
 * "trace drop show pcap FILE": rows become a pcapng file (draft-ietf-opsawg-pcapng): one interface
 * for IP packets, one for Ethernet frames, the reason of each drop as its comment.
 */
#include "control/ctl/ctl.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINK_ETHERNET 1
#define LINK_RAW      101 /* IPv4 or IPv6 */
#define OCTETS_MAX    256

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, PACKET = 6 };
enum { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_RESOLUTION = 9 };

struct block {
	uint8_t octets[1024];
	size_t used;
};

static void put(struct block *block, const void *octets, size_t length)
{
	if (length && length <= sizeof(block->octets) - block->used) {
		memcpy(block->octets + block->used, octets, length);
		block->used += length;
	}
}

static void put16(struct block *block, uint16_t value)
{
	put(block, &value, sizeof(value));
}

static void put32(struct block *block, uint32_t value)
{
	put(block, &value, sizeof(value));
}

static void put_padded(struct block *block, const void *octets, size_t length)
{
	put(block, octets, length);
	put(block, "\0\0\0", (4 - length % 4) % 4);
}

static void put_option(struct block *block, uint16_t code, const void *octets, size_t length)
{
	put16(block, code);
	put16(block, (uint16_t)length);
	put_padded(block, octets, length);
}

/* The host's byte order: the file says which it is. */
static bool write_block(FILE *file, uint32_t type, const struct block *block)
{
	uint32_t length = (uint32_t)block->used + 12;

	return fwrite(&type, 4, 1, file) == 1 && fwrite(&length, 4, 1, file) == 1 &&
	       fwrite(block->octets, block->used, 1, file) == 1 && fwrite(&length, 4, 1, file) == 1;
}

static bool write_interface(FILE *file, uint16_t link_type)
{
	struct block block = {.used = 0};
	uint8_t nanoseconds = 9;

	put16(&block, link_type);
	put16(&block, 0);
	put32(&block, 0); /* no limit of a packet's length */
	put_option(&block, OPTION_RESOLUTION, &nanoseconds, 1);
	put_option(&block, OPTION_END, NULL, 0);
	return write_block(file, INTERFACE, &block);
}

FILE *capture_open(const char *path)
{
	struct block section = {.used = 0};
	FILE *file = fopen(path, "wbx");

	if (!file)
		return NULL;
	put32(&section, 0x1a2b3c4d);
	put16(&section, 1);
	put16(&section, 0);
	put(&section, "\xff\xff\xff\xff\xff\xff\xff\xff", 8); /* a section of unknown length */
	if (write_block(file, SECTION, &section) && write_interface(file, LINK_RAW) &&
		write_interface(file, LINK_ETHERNET))
		return file;
	fclose(file);
	errno = EIO;
	return NULL;
}

/* Value of a hexadecimal digit as operators' JSON has them; 16 for anything else. */
static unsigned digit_value(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = digit ? strchr(digits, digit) : NULL;

	return found ? (unsigned)(found - digits) : 16;
}

static size_t unhex(const char *text, uint8_t *octets)
{
	size_t length = 0;

	for (; text && text[0] && length < OCTETS_MAX; text += 2) {
		unsigned high = digit_value(text[0]), low = digit_value(text[1]);
		if (high > 15 || low > 15)
			break;
		octets[length++] = (uint8_t)(high << 4 | low);
	}
	return length;
}

bool capture_row(FILE *file, const json_t *row)
{
	uint8_t octets[OCTETS_MAX];
	size_t length = unhex(json_string_value(json_object_get(row, "header")), octets);
	uint64_t at = (uint64_t)json_integer_value(json_object_get(row, "unix_ns"));
	const char *reason = json_string_value(json_object_get(row, "reason")),
		   *port = json_string_value(json_object_get(row, "port")),
		   *sa = json_string_value(json_object_get(row, "sa"));
	struct block block = {.used = 0};
	char comment[200];

	snprintf(comment, sizeof(comment), "dropped: %.60s, port %.40s, worker %d%s%.60s",
		reason ? reason : "?", port ? port : "?",
		(int)json_integer_value(json_object_get(row, "worker")), sa ? ", SA " : "",
		sa ? sa : "");
	put32(&block, json_is_true(json_object_get(row, "frame")) ? 1 : 0);
	put32(&block, (uint32_t)(at >> 32));
	put32(&block, (uint32_t)at);
	put32(&block, (uint32_t)length);
	uint64_t whole = (uint64_t)json_integer_value(json_object_get(row, "length"));
	put32(&block, whole > length && whole < UINT32_MAX ? (uint32_t)whole : (uint32_t)length);
	put_padded(&block, octets, length);
	put_option(&block, OPTION_COMMENT, comment, strlen(comment));
	put_option(&block, OPTION_END, NULL, 0);
	return write_block(file, PACKET, &block);
}
