/*
 * The engine's promises: what goes in comes out at every size, nothing beside the packet is
 * touched, no changed octet passes, bursts of anything, packets in pieces, IVs.
 */
#include "dataplane/crypto/hmac.h"
#include "dataplane/crypto/workers.h"
#include "tests/unit/dataplane/crypto/fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define BURST 32

static struct fixture fixture;

static uint32_t random_next(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static void open_bursts(struct crypto_operation *operations, unsigned count, bool encrypt)
{
	if (encrypt)
		crypto_engine_encrypt_burst(fixture.engine, operations, count);
	else
		crypto_engine_decrypt_burst(fixture.engine, operations, count);
}

/* A burst of payloads from `first` on, `step` apart: there and back. */
static void round_trip(const struct fixture_key *key, uint32_t first, uint32_t step)
{
	struct fixture_packet packets[BURST];
	struct crypto_operation operations[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		packets[i] = fixture_packet_make(
			key, first + i * step, first + i, first & 1 ? CRYPTO_ESN : 0);
		operations[i] = packets[i].operation;
	}
	for (unsigned encrypt = 2; encrypt-- > 0;) {
		open_bursts(operations, BURST, encrypt);
		for (unsigned i = 0; i < BURST; i++) {
			assert_int_equal(operations[i].status, CRYPTO_DONE);
			fixture_packet_check_guards(&packets[i]);
			/* the header stays, whatever is written behind it */
			assert_int_equal(esp_codec_spi(operations[i].esp), FIXTURE_SPI);
			assert_int_equal(esp_codec_sequence_low(operations[i].esp), first + i);
			if (!encrypt)
				assert_true(fixture_packet_is_plain(&packets[i], first + i * step));
			else if (!(key->suite->flags & SUITE_AUTHENTICATION_ONLY))
				assert_false(
					fixture_packet_is_plain(&packets[i], first + i * step));
		}
	}
	for (unsigned i = 0; i < BURST; i++)
		fixture_packet_free(&packets[i]);
}

/* Every payload of 1 to 9200 octets for the suites that matter most, every padding and many sizes
 * for all. */
static void test_sizes(void **state)
{
	static const struct {
		uint8_t encryption, integrity, encryption_key, integrity_key;
	} all_sizes[] = {{SA_ENCRYPTION_AES_GCM_16, 0, 20, 0},
		{SA_ENCRYPTION_AES_GCM_16_IIV, 0, 36, 0},
		{SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA2_256_128, 32, 32},
		{SA_ENCRYPTION_CHACHA20_POLY1305, 0, 36, 0}};
	struct fixture_key key;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct suite *suite =
			suite_find(all_sizes[i].encryption, all_sizes[i].integrity,
				all_sizes[i].encryption_key, all_sizes[i].integrity_key, NULL);
		fixture_key_make(&fixture, suite, i, &key);
		for (uint32_t first = 1; first <= 9200 - BURST; first += BURST)
			round_trip(&key, first, 1);
	}
	for (unsigned i = 0; i < suite_count(); i++) {
		fixture_key_make(&fixture, suite_at(i), i, &key);
		for (uint32_t first = 1; first < 290; first += BURST)
			round_trip(&key, first, 1);
		for (uint32_t first = 300; first < 500; first += 23)
			round_trip(&key, first, 280);
	}
}

/* Any octet of header, IV, text or ICV changed in any way. // ESP-ALG-22 // BAD-12 */
static void test_changed_octets(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		struct fixture_key key;
		fixture_key_make(&fixture, suite_at(i), i, &key);
		struct fixture_packet packet =
			fixture_packet_make(&key, 46, 0x300000005, CRYPTO_ESN);
		uint8_t *sealed = malloc(packet.length);

		crypto_engine_encrypt_burst(fixture.engine, &packet.operation, 1);
		memcpy(sealed, packet.operation.esp, packet.length);
		for (uint32_t at = 0; at < packet.length; at++) {
			packet.operation.esp[at] ^= (uint8_t)(1u << at % 8);
			crypto_engine_decrypt_burst(fixture.engine, &packet.operation, 1);
			if (packet.operation.status != CRYPTO_BAD_ICV)
				fail_msg("%s: octet %u", key.suite->name, at);
			if (hmac_has(key.suite)) { /* ESP-ALG-17: it was not even deciphered */
				sealed[at] ^= (uint8_t)(1u << at % 8);
				assert_memory_equal(packet.operation.esp, sealed,
					packet.length - key.suite->icv_length);
				sealed[at] ^= (uint8_t)(1u << at % 8);
			}
			memcpy(packet.operation.esp, sealed, packet.length);
		}
		packet.operation.sequence ^= 1ull << 32; /* the half that is not sent */
		crypto_engine_decrypt_burst(fixture.engine, &packet.operation, 1);
		assert_int_equal(packet.operation.status, CRYPTO_BAD_ICV);
		packet.operation.sequence ^= 1ull << 32;
		memcpy(packet.operation.esp, sealed, packet.length);
		crypto_engine_decrypt_burst(fixture.engine, &packet.operation, 1);
		assert_int_equal(packet.operation.status, CRYPTO_DONE);
		assert_true(fixture_packet_is_plain(&packet, 46));
		fixture_packet_free(&packet);
		free(sealed);
	}
}

/* Lengths that the library would not survive. // ESP-OUT-08 */
static void test_unsound_lengths(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		struct fixture_key key;
		fixture_key_make(&fixture, suite_at(i), i, &key);
		struct fixture_packet packet = fixture_packet_make(&key, 100, 1, 0);
		uint8_t *before = malloc(packet.length);
		uint32_t sound = packet.operation.length;

		memcpy(before, packet.operation.esp, packet.length);
		for (uint32_t length = 0; length < sound; length++) {
			if (length && length % key.suite->alignment == 0)
				continue;
			packet.operation.length = length;
			for (unsigned encrypt = 0; encrypt < 2; encrypt++) {
				packet.operation.status = 99;
				open_bursts(&packet.operation, 1, encrypt);
				assert_int_equal(packet.operation.status, CRYPTO_FAILED);
				assert_memory_equal(packet.operation.esp, before, packet.length);
			}
		}
		fixture_packet_free(&packet);
		free(before);
	}
}

/* 500 packets of all suites in random order in one burst, with changed and unsound ones between:
 * each gets its own verdict. */
static void test_mixed_burst(void **state)
{
	enum { COUNT = 500 };
	static struct fixture_key keys[100];
	static struct fixture_packet packets[COUNT];
	static struct crypto_operation operations[COUNT];
	static uint32_t payloads[COUNT];
	static uint8_t expected[COUNT];

	(void)state;
	assert_true(suite_count() <= 100);
	for (unsigned i = 0; i < suite_count(); i++)
		fixture_key_make(&fixture, suite_at(i), i, &keys[i]);
	for (unsigned i = 0; i < COUNT; i++) {
		payloads[i] = 1 + random_next() % 2000;
		packets[i] = fixture_packet_make(&keys[random_next() % suite_count()], payloads[i],
			i, random_next() % 2 ? CRYPTO_ESN : 0);
		operations[i] = packets[i].operation;
		operations[i].user = &packets[i];
	}
	crypto_engine_encrypt_burst(fixture.engine, operations, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(operations[i].status, CRYPTO_DONE);
		assert_ptr_equal(operations[i].user, &packets[i]);
		expected[i] = CRYPTO_DONE;
		if (i % 7 == 3) {
			operations[i].esp[random_next() % packets[i].length] ^= 4;
			expected[i] = CRYPTO_BAD_ICV;
		} else if (i % 11 == 5) {
			operations[i].length--;
			expected[i] = CRYPTO_FAILED;
		}
	}
	crypto_engine_decrypt_burst(fixture.engine, operations, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(operations[i].status, expected[i]);
		fixture_packet_check_guards(&packets[i]);
		if (expected[i] == CRYPTO_DONE)
			assert_true(fixture_packet_is_plain(&packets[i], payloads[i]));
		fixture_packet_free(&packets[i]);
	}
	crypto_engine_decrypt_burst(fixture.engine, operations, 0);
}

/* Cuts a packet into pieces of their own memory; returns how many. The first holds header and IV.
 */
static unsigned cut(
	const struct fixture_packet *packet, struct crypto_segment *segments, unsigned most)
{
	uint32_t at = 0, left = packet->length, piece;
	unsigned count = 0;

	while (left) {
		piece = 1 + random_next() % (random_next() % 4 ? 700 : 20);
		if (count == 0)
			piece += esp_codec_text_offset(packet->operation.suite);
		if (piece > left || count == most - 1)
			piece = left;
		segments[count].data = malloc(piece);
		segments[count].length = piece;
		memcpy(segments[count].data, packet->operation.esp + at, piece);
		at += piece;
		left -= piece;
		count++;
		if (count < most - 1 && random_next() % 8 == 0) { /* an empty one */
			segments[count].data = malloc(1);
			segments[count++].length = 0;
		}
	}
	return count;
}

static void join(
	const struct fixture_packet *packet, struct crypto_segment *segments, unsigned count)
{
	uint8_t *at = packet->operation.esp;

	for (unsigned i = 0; i < count; i++) {
		memcpy(at, segments[i].data, segments[i].length);
		at += segments[i].length;
		free(segments[i].data);
	}
}

/* In pieces it is the same packet as in one. // ESP-OUT-06 */
static void test_segments(void **state)
{
	struct crypto_segment segments[40] = {0};

	(void)state;
	for (unsigned i = 0; i < suite_count() * 20; i++) {
		struct fixture_key key;
		uint32_t payload = 1 + random_next() % 9000;
		fixture_key_make(&fixture, suite_at(i % suite_count()), i, &key);
		struct fixture_packet packet =
			fixture_packet_make(&key, payload, 77, i % 3 ? CRYPTO_ESN : 0);
		for (unsigned encrypt = 2; encrypt-- > 0;) {
			struct crypto_operation operation = packet.operation;
			unsigned count = cut(&packet, segments, 40);
			operation.esp = segments[0].data;
			operation.segments = segments;
			operation.segment_count = (uint16_t)count;
			open_bursts(&operation, 1, encrypt);
			assert_int_equal(operation.status, CRYPTO_DONE);
			join(&packet, segments, count);
			if (!encrypt)
				break;
			/* what was encrypted in pieces is read as one */
			struct fixture_packet copy = packet;
			copy.memory = malloc(packet.length + 2 * FIXTURE_GUARD);
			memcpy(copy.memory, packet.memory, packet.length + 2 * FIXTURE_GUARD);
			copy.operation.esp = copy.memory + FIXTURE_GUARD;
			open_bursts(&copy.operation, 1, false);
			assert_int_equal(copy.operation.status, CRYPTO_DONE);
			assert_true(fixture_packet_is_plain(&copy, payload));
			fixture_packet_free(&copy);
		}
		assert_true(fixture_packet_is_plain(&packet, payload));
		fixture_packet_free(&packet);
	}
}

static void test_segments_wrong(void **state)
{
	struct crypto_segment segments[40] = {0};

	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		struct fixture_key key;
		fixture_key_make(&fixture, suite_at(i), i, &key);
		struct fixture_packet packet = fixture_packet_make(&key, 3000, 77, 0);
		struct crypto_operation operation = packet.operation;
		crypto_engine_encrypt_burst(fixture.engine, &packet.operation, 1);
		packet.operation.esp[packet.length - 1] ^= 1;
		unsigned count = cut(&packet, segments, 40);
		operation.esp = segments[0].data;
		operation.segments = segments;
		operation.segment_count = (uint16_t)count;
		operation.length += suite_at(i)->alignment; /* more than there is */
		crypto_engine_decrypt_burst(fixture.engine, &operation, 1);
		assert_int_equal(operation.status, CRYPTO_FAILED);
		operation.length -= suite_at(i)->alignment;
		crypto_engine_decrypt_burst(fixture.engine, &operation, 1);
		assert_int_equal(operation.status, CRYPTO_BAD_ICV);
		join(&packet, segments, count);
		fixture_packet_free(&packet);
	}
}

/* The IV on the wire is the number, its high half zero without ESN. // ESP-ALG-18 // ESP-ALG-21 */
static void test_counter_iv(void **state)
{
	static const uint64_t numbers[] = {1, 2, UINT32_MAX, 0x100000000ull, 0x123456789abcdef0ull};

	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		if (!(suite->flags & SUITE_COUNTER))
			continue;
		assert_int_equal(suite->iv_length, suite->flags & SUITE_IMPLICIT_IV ? 0 : 8);
		for (unsigned j = 0; suite->iv_length && j < 10; j++) {
			struct fixture_key key;
			bool esn = j >= 5;
			uint64_t number = numbers[j % 5], iv = 0;
			fixture_key_make(&fixture, suite, i, &key);
			struct fixture_packet packet =
				fixture_packet_make(&key, 50, number, esn ? CRYPTO_ESN : 0);
			crypto_engine_encrypt_burst(fixture.engine, &packet.operation, 1);
			for (unsigned k = 0; k < 8; k++)
				iv = iv << 8 | packet.operation.esp[8 + k];
			assert_true(iv == (esn ? number : (uint32_t)number));
			fixture_packet_free(&packet);
		}
	}
}

static const struct suite *cbc(void)
{
	return suite_find(SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA2_256_128, 16, 32, NULL);
}

static int compare_iv(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* Writes the IVs of `count` packets, and checks that none is the end of the packet before. */
static void collect_ivs(struct crypto_engine *engine, uint8_t (*ivs)[16], unsigned count)
{
	struct fixture_key key;
	uint8_t last[16] = {0};

	fixture_key_make(&fixture, cbc(), 1, &key);
	struct fixture_packet packet = fixture_packet_make(&key, 30, 9, 0);
	for (unsigned i = 0; i < count; i++) {
		crypto_engine_encrypt_burst(engine, &packet.operation, 1);
		memcpy(ivs[i], packet.operation.esp + 8, 16);
		assert_memory_not_equal(ivs[i], last, 16);
		memcpy(last, packet.operation.esp + 24 + packet.operation.length - 16, 16);
	}
	fixture_packet_free(&packet);
}

/*
 * No IV comes twice, none is a counter or close to the one before: each of its 128 bits is one half
 * of the time, changes half of the time, and another worker's IVs are others. // ESP-ALG-19
 */
static void test_cbc_iv(void **state)
{
	enum { COUNT = 50000 };
	static uint8_t ivs[2 * COUNT][16];
	struct crypto_engine *other = crypto_engine_new(fixture.library);
	unsigned ones[128] = {0}, changes[128] = {0};

	(void)state;
	collect_ivs(fixture.engine, ivs, COUNT);
	collect_ivs(other, ivs + COUNT, COUNT);
	crypto_engine_free(other);
	for (unsigned i = 1; i < COUNT; i++)
		for (unsigned bit = 0; bit < 128; bit++) {
			unsigned now = ivs[i][bit / 8] >> bit % 8 & 1;
			ones[bit] += now;
			changes[bit] += now ^ (ivs[i - 1][bit / 8] >> bit % 8 & 1);
		}
	/* the standard deviation is 112: a fair bit misses these limits once in 10^9 */
	for (unsigned bit = 0; bit < 128; bit++) {
		assert_in_range(ones[bit], COUNT / 2 - 700, COUNT / 2 + 700);
		assert_in_range(changes[bit], COUNT / 2 - 700, COUNT / 2 + 700);
	}
	qsort(ivs, (size_t)2 * COUNT, sizeof(ivs[0]), compare_iv);
	for (unsigned i = 1; i < 2 * COUNT; i++)
		assert_memory_not_equal(ivs[i - 1], ivs[i], 16);
}

/* The same packet twice is two different packets on the wire. // ESP-ALG-19 */
static void test_cbc_twice(void **state)
{
	struct fixture_key key;

	(void)state;
	fixture_key_make(&fixture, cbc(), 1, &key);
	struct fixture_packet a = fixture_packet_make(&key, 100, 9, 0);
	struct fixture_packet b = fixture_packet_make(&key, 100, 9, 0);
	crypto_engine_encrypt_burst(fixture.engine, &a.operation, 1);
	crypto_engine_encrypt_burst(fixture.engine, &b.operation, 1);
	for (uint32_t at = 8; at + 16 <= a.length; at += 16)
		assert_memory_not_equal(a.operation.esp + at, b.operation.esp + at, 16);
	fixture_packet_free(&a);
	fixture_packet_free(&b);
}

/* // ESP-ALG-25 */
static void test_wipe(void **state)
{
	static const struct crypto_key empty;

	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		struct fixture_key key;
		fixture_key_make(&fixture, suite_at(i), i, &key);
		assert_memory_not_equal(&key.key, &empty, sizeof(empty));
		crypto_key_wipe(&key.key);
		assert_memory_equal(&key.key, &empty, sizeof(empty));
	}
}

struct thread {
	struct crypto_engine *engine;
	const struct fixture_key *keys; /* of all suites, read by all threads */
	unsigned wrong;
};

/* A worker of its own: bursts of all suites, there and back. */
static void *thread_run(void *argument)
{
	struct thread *thread = argument;
	struct fixture_packet packets[BURST];
	struct crypto_operation operations[BURST];

	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < BURST; i++) {
			packets[i] =
				fixture_packet_make(&thread->keys[(round * 7 + i) % suite_count()],
					40 + i * round % 1400, round, CRYPTO_ESN);
			operations[i] = packets[i].operation;
		}
		crypto_engine_encrypt_burst(thread->engine, operations, BURST);
		for (unsigned i = 0; i < BURST; i++)
			thread->wrong += operations[i].status != CRYPTO_DONE;
		crypto_engine_decrypt_burst(thread->engine, operations, BURST);
		for (unsigned i = 0; i < BURST; i++) {
			thread->wrong += operations[i].status != CRYPTO_DONE;
			thread->wrong +=
				!fixture_packet_is_plain(&packets[i], 40 + i * round % 1400);
			fixture_packet_free(&packets[i]);
		}
	}
	return NULL;
}

/* Three workers at once, on copies of the library and on one: nothing of the library is shared that
 * matters. */
static void test_threads(void **state)
{
	static struct fixture_key keys[100];
	char error[LIBRARY_ERROR_SIZE];

	(void)state;
	for (unsigned i = 0; i < suite_count(); i++)
		fixture_key_make(&fixture, suite_at(i), i, &keys[i]);
	for (unsigned copy = LIBRARY_SHARED; copy <= LIBRARY_PRIVATE; copy++) {
		struct crypto_workers *crypto = crypto_workers_new(3, copy, error);
		struct thread threads[3];
		pthread_t ids[3];
		assert_non_null(crypto);
		for (unsigned i = 0; i < 3; i++) {
			threads[i] = (struct thread){crypto_workers_engine(crypto, i), keys, 0};
			assert_int_equal(pthread_create(&ids[i], NULL, thread_run, &threads[i]), 0);
		}
		for (unsigned i = 0; i < 3; i++) {
			pthread_join(ids[i], NULL);
			assert_int_equal(threads[i].wrong, 0);
		}
		crypto_workers_free(crypto);
	}
}

static int open_all(void **state)
{
	(void)state;
	fixture_open(&fixture);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	fixture_close(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_changed_octets),
		cmocka_unit_test(test_unsound_lengths),
		cmocka_unit_test(test_mixed_burst),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_segments_wrong),
		cmocka_unit_test(test_counter_iv),
		cmocka_unit_test(test_cbc_iv),
		cmocka_unit_test(test_cbc_twice),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
