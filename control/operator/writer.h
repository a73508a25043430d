/*
 * Writes JSON straight into a growing buffer: replies of thousands of rows never exist as a tree.
 * Commas are the writer's business; braces are the caller's. Text is escaped, and octets that are
 * not UTF-8 come out as U+FFFD. When memory runs out the writer turns `failed` and swallows the
 * rest.
 */
#ifndef CONTROL_OPERATOR_WRITER_H
#define CONTROL_OPERATOR_WRITER_H

#include "lib/base/address.h"

struct writer {
	char *text;
	size_t used, size, limit; /* octets; never grows beyond limit */
	bool comma, failed;
};

/* Key NULL inside an array. */
void writer_object_begin(struct writer *writer, const char *key);
void writer_object_end(struct writer *writer);
void writer_array_begin(struct writer *writer, const char *key);
void writer_array_end(struct writer *writer);
void writer_text(struct writer *writer, const char *key, const char *text); /* text NULL: null */
void writer_unsigned(struct writer *writer, const char *key, uint64_t value);
void writer_signed(struct writer *writer, const char *key, int64_t value);
void writer_boolean(struct writer *writer, const char *key, bool value);
void writer_null(struct writer *writer, const char *key);
void writer_address(struct writer *writer, const char *key,
	const struct ip_address *address); /* unspecified: null */
void writer_prefix(struct writer *writer, const char *key, const struct ip_prefix *prefix);
/* Ends a line: a newline, and the next value starts afresh. */
void writer_line_end(struct writer *writer);

#endif
