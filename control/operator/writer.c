#include "control/operator/writer.h"

#include <stdio.h>
#include <stdlib.h>

static bool room(struct writer *writer, size_t wanted)
{
	if (writer->failed)
		return false;
	if (writer->used + wanted <= writer->size)
		return true;
	size_t size = writer->size ? writer->size : 1024;
	while (size < writer->used + wanted)
		size *= 2;
	char *grown = writer->used + wanted <= writer->limit ? realloc(writer->text, size) : NULL;
	if (!grown) {
		writer->failed = true;
		return false;
	}
	writer->text = grown;
	writer->size = size;
	return true;
}

static void put(struct writer *writer, const char *text, size_t length)
{
	if (!room(writer, length))
		return;
	memcpy(writer->text + writer->used, text, length);
	writer->used += length;
}

/* Octets of a whole, shortest-form UTF-8 sequence at `at`; 0 when it is none. */
static unsigned utf8_length(const unsigned char *at)
{
	unsigned length = at[0] < 0xc2   ? 0
			  : at[0] < 0xe0 ? 2
			  : at[0] < 0xf0 ? 3
			  : at[0] < 0xf5 ? 4
					 : 0;

	for (unsigned i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
		(at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

static void put_octet(struct writer *writer, unsigned char c)
{
	char escaped[8];

	if (c == '"' || c == '\\') {
		escaped[0] = '\\';
		escaped[1] = (char)c;
		put(writer, escaped, 2);
	} else if (c < ' ' || c == 127) {
		put(writer, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", c));
	} else if (c < 128) {
		put(writer, (const char *)&c, 1);
	} else {
		put(writer, "\xef\xbf\xbd", 3);
	}
}

static void put_quoted(struct writer *writer, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	put(writer, "\"", 1);
	while (*at) {
		const unsigned char *plain = at;
		while (*plain >= ' ' && *plain < 127 && *plain != '"' && *plain != '\\')
			plain++;
		put(writer, (const char *)at, (size_t)(plain - at));
		at = plain;
		unsigned length = *at >= 128 ? utf8_length(at) : 0;
		if (length)
			put(writer, (const char *)at, length);
		else if (*at)
			put_octet(writer, *at);
		at += length ? length : *at != 0;
	}
	put(writer, "\"", 1);
}

static void begin(struct writer *writer, const char *key)
{
	if (writer->comma)
		put(writer, ",", 1);
	writer->comma = true;
	if (key) { /* keys are ours: nothing to escape */
		put(writer, "\"", 1);
		put(writer, key, strlen(key));
		put(writer, "\":", 2);
	}
}

void writer_object_begin(struct writer *writer, const char *key)
{
	begin(writer, key);
	put(writer, "{", 1);
	writer->comma = false;
}

void writer_object_end(struct writer *writer)
{
	put(writer, "}", 1);
	writer->comma = true;
}

void writer_array_begin(struct writer *writer, const char *key)
{
	begin(writer, key);
	put(writer, "[", 1);
	writer->comma = false;
}

void writer_array_end(struct writer *writer)
{
	put(writer, "]", 1);
	writer->comma = true;
}

void writer_text(struct writer *writer, const char *key, const char *text)
{
	begin(writer, key);
	if (text)
		put_quoted(writer, text);
	else
		put(writer, "null", 4);
}

static void put_unsigned(struct writer *writer, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put(writer, digits + at, sizeof(digits) - at);
}

void writer_unsigned(struct writer *writer, const char *key, uint64_t value)
{
	begin(writer, key);
	put_unsigned(writer, value);
}

void writer_signed(struct writer *writer, const char *key, int64_t value)
{
	begin(writer, key);
	if (value < 0)
		put(writer, "-", 1);
	put_unsigned(writer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void writer_boolean(struct writer *writer, const char *key, bool value)
{
	begin(writer, key);
	put(writer, value ? "true" : "false", value ? 4 : 5);
}

void writer_null(struct writer *writer, const char *key)
{
	writer_text(writer, key, NULL);
}

void writer_address(struct writer *writer, const char *key, const struct ip_address *address)
{
	char text[IP_ADDRESS_TEXT_SIZE];

	writer_text(writer, key,
		ip_address_is_unspecified(address) ? NULL : ip_address_format(address, text));
}

void writer_prefix(struct writer *writer, const char *key, const struct ip_prefix *prefix)
{
	char text[IP_PREFIX_TEXT_SIZE];

	writer_text(writer, key, ip_prefix_format(prefix, text));
}

void writer_line_end(struct writer *writer)
{
	put(writer, "\n", 1);
	writer->comma = false;
}
