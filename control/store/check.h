/* Reading a store file as a stranger's: in a child process, because LMDB trusts its pages. Only
 * store.c uses this. */
#ifndef CONTROL_STORE_CHECK_H
#define CONTROL_STORE_CHECK_H

#include <stddef.h>
#include <stdint.h>

#define CHECK_FORMAT_VERSION 1u

enum check_verdict {
	CHECK_GOOD,      /* every page read */
	CHECK_VERSION,   /* a store of another format version */
	CHECK_FOREIGN,   /* an LMDB file, but no store of ours */
	CHECK_CORRUPTED, /* no LMDB file, or the reader crashed, or took over a minute */
	CHECK_FAILED,    /* could not tell: errno of the attempt */
};

struct record_head {     /* before each value */
	uint8_t version; /* CHECK_FORMAT_VERSION */
	uint8_t zero[3];
	uint32_t checksum; /* over kind, key and value */
};

uint32_t check_sum(const void *key, size_t key_size, const void *value, size_t value_size);
/* Forks; returns when the child has ended. */
enum check_verdict check_file(const char *path, size_t map_size);
const char *check_verdict_text(enum check_verdict verdict);

/* Key and value of the record that makes a file ours. */
extern const uint8_t check_meta_key[1];
extern const char check_meta_magic[16];

#endif
