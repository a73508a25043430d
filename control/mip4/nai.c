#include "control/mip4/nai.h"

#include <string.h>

const char *nai_realm(const char *nai, size_t length)
{
	const char *at = NULL;

	for (size_t i = 0; i < length; i++)
		if (nai[i] == '@')
			at = nai + i;
	return at;
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool nai_equal(const char *a, size_t a_length, const char *b, size_t b_length)
{
	if (a_length != b_length)
		return false;
	const char *realm = nai_realm(a, a_length);
	size_t user = realm ? (size_t)(realm - a) : a_length;

	if (memcmp(a, b, user) != 0)
		return false;
	for (size_t i = user; i < a_length; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

static uint64_t hash_bytes(uint64_t h, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		h = (h ^ (uint8_t)bytes[i]) * 0x100000001b3ull;
	return h;
}

uint64_t nai_hash(const char *nai, size_t length)
{
	const char *realm = nai_realm(nai, length);
	size_t user = realm ? (size_t)(realm - nai) : length;
	uint64_t h = hash_bytes(0xcbf29ce484222325ull, nai, user);

	for (size_t i = user; i < length; i++) {
		char c = lower(nai[i]);
		h = hash_bytes(h, &c, 1);
	}
	return h ^ h >> 29;
}

bool nai_valid(const char *nai, size_t length)
{
	if (length == 0 || length > 253 || memchr(nai, '\0', length))
		return false;
	const char *realm = nai_realm(nai, length);
	return !realm || (realm != nai && realm != nai + length - 1);
}
