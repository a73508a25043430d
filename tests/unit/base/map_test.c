#include "lib/base/hash.h"
#include "lib/base/map.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
// after the standard headers
#include <cmocka.h>

static void puts_gets_and_removes(void **state)
{
	struct map *map = map_new(3, 10);
	uint64_t value = 0;

	assert_false(map_get(map, "abc", &value));
	assert_int_equal(map_put(map, "abc", 7), 0);
	assert_int_equal(map_put(map, "abd", 8), 0);
	assert_int_equal(map_put(map, "abc", 9), 0); // replaces
	assert_int_equal(map_count(map), 2);
	assert_true(map_get(map, "abc", &value));
	assert_int_equal(value, 9);
	assert_true(map_remove(map, "abc", &value));
	assert_int_equal(value, 9);
	assert_false(map_remove(map, "abc", NULL));
	assert_true(map_get(map, "abd", &value));
	assert_int_equal(value, 8);
	assert_int_equal(map_put_pointer(map, "abe", map), 0);
	assert_ptr_equal(map_get_pointer(map, "abe"), map);
	map_clear(map);
	assert_int_equal(map_count(map), 0);
	assert_null(map_get_pointer(map, "abe"));
	map_free(map);
}

static void is_full_at_its_capacity(void **state)
{
	struct map *map = map_new(sizeof(uint32_t), 100);

	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(map_put(map, &i, i), 0);
	uint32_t more = 100, there = 50;
	assert_int_equal(map_put(map, &more, 0), -ENOSPC);
	assert_int_equal(map_put(map, &there, 1), 0); // replacing needs no room
	assert_true(map_remove(map, &there, NULL));
	assert_int_equal(map_put(map, &more, 0), 0);
	map_free(map);
	errno = 0;
	assert_null(map_new(0, 10));
	assert_int_equal(errno, EINVAL);
}

/* Against a plain array as the truth, near its capacity, with many removals: chains stay whole. */
static void agrees_with_an_array(void **state)
{
	enum { KEYS = 3000, CAPACITY = 1536 };
	static uint64_t truth[KEYS]; // 0 = absent
	struct map *map = map_new(sizeof(uint32_t), CAPACITY);
	uint32_t count = 0;

	srandom(3);
	for (unsigned round = 0; round < 300000; round++) {
		uint32_t key = (uint32_t)random() % KEYS;
		uint64_t value = 0;
		if (random() % 2) {
			int error = map_put(map, &key, round + 1);
			assert_int_equal(error, !truth[key] && count == CAPACITY ? -ENOSPC : 0);
			count += !error && !truth[key];
			truth[key] = error ? truth[key] : round + 1;
		} else {
			assert_int_equal(map_remove(map, &key, &value), truth[key] != 0);
			assert_int_equal(value, truth[key]);
			count -= truth[key] != 0;
			truth[key] = 0;
		}
		assert_int_equal(map_count(map), count);
	}
	uint32_t cursor = 0, seen = 0;
	const void *key;
	uint64_t value;
	while (map_next(map, &cursor, &key, &value)) {
		uint32_t k;
		memcpy(&k, key, sizeof(k));
		assert_int_equal(truth[k], value);
		seen++;
	}
	assert_int_equal(seen, count);
	for (uint32_t k = 0; k < KEYS; k++)
		assert_int_equal(map_get(map, &k, NULL), truth[k] != 0);
	map_free(map);
}

/* SipHash-1-3 of the octets 00 01 02 ... under the key 00..0f, made with an implementation of its
 * own (Python). */
static void hash_is_siphash_1_3(void **state)
{
	static const struct {
		size_t length;
		uint64_t hash;
	} known[] = {
		{0, 0xabac0158050fc4dcull},
		{1, 0xc9f49bf37d57ca93ull},
		{7, 0xd3927d989bb11140ull},
		{8, 0x369095118d299a8eull},
		{9, 0x25a48eb36c063de4ull},
		{15, 0xd320d86d2a519956ull},
		{16, 0xcc4fdd1a7d908b66ull},
		{24, 0xf464aeb267349c8cull},
		{33, 0x4d54b9e57a8ff9bfull},
		{63, 0x9d199062b7bbb3a8ull},
	};
	struct hash_key key;
	uint8_t bytes[64];

	for (unsigned i = 0; i < 64; i++)
		bytes[i] = (uint8_t)i;
	memcpy(&key, bytes, sizeof(key));
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_true(hash_bytes(&key, bytes, known[i].length) == known[i].hash);
	struct hash_key a = hash_key_random(), b = hash_key_random();
	assert_memory_not_equal(&a, &b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_gets_and_removes),
		cmocka_unit_test(is_full_at_its_capacity),
		cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(hash_is_siphash_1_3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
