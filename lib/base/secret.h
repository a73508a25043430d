/*
 * Keys: kept out of logs, JSON and core dumps, wiped when given up. Bytes of any value, up to
 * SECRET_SIZE_MAX.
 */
#ifndef LIB_BASE_SECRET_H
#define LIB_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_SIZE_MAX         128
#define SECRET_FINGERPRINT_SIZE 9 /* eight hex digits and NUL */

struct secret {
	uint16_t length;
	uint8_t bytes[SECRET_SIZE_MAX];
};

/* Overwrites in a way that the compiler may not drop. */
void secret_wipe(void *memory, size_t length);
/* 0, or -EINVAL when not hex, odd, empty or too long; on error *out is wiped. */
int secret_from_hex(const char *hex, struct secret *out);
/* Constant time over `length`. */
bool secret_equal(const void *a, const void *b, size_t length);
/* Memory for keys: page-locked when allowed, excluded from core dumps (MADV_DONTDUMP), zeroed. NULL
 * when out of memory. */
void *secret_alloc(size_t size);
void secret_free(void *memory, size_t size);

#endif
