#include "dataplane/crypto/known_answer.h"

#include "dataplane/crypto/cbc_iv.h"
#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/crypto/known_answer_table.h"

#include <stdbool.h>
#include <string.h>

#define SPI         0xc0a80001u
#define PACKET_SIZE 1600

/* One of the two packets of each row; every number here is also in tests/vectors/known_answers.py.
 */
static const struct {
	uint64_t sequence;
	uint32_t text_length; /* rounded up to the alignment */
	uint8_t flags;
} PACKETS[2] = {
	{.sequence = 7, .text_length = 100, .flags = 0},
	{.sequence = 3ull << 32 | 9, .text_length = 1420, .flags = CRYPTO_ESN},
};

static void fill(uint8_t *at, uint32_t length, unsigned step, unsigned start)
{
	for (uint32_t i = 0; i < length; i++)
		at[i] = (uint8_t)(step * i + start);
}

static bool text_is(const uint8_t *text, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		if (text[i] != (uint8_t)(11 * i + 5))
			return false;
	return true;
}

/* A packet before encryption, and the operation on it. */
static struct crypto_operation make(
	const struct suite *suite, const struct crypto_key *key, unsigned index, uint8_t *packet)
{
	uint32_t mask = suite->alignment - 1u;
	struct crypto_operation operation = {
		.suite = suite,
		.key = key,
		.esp = packet,
		.sequence = PACKETS[index].sequence,
		.length = (PACKETS[index].text_length + mask) & ~mask,
		.flags = PACKETS[index].flags,
	};

	memset(packet, 0, PACKET_SIZE);
	esp_codec_header_write(packet, SPI, operation.sequence);
	fill(packet + esp_codec_text_offset(suite), operation.length, 11, 5);
	if (suite->cipher == SUITE_CIPHER_CBC) {
		operation.flags |= CRYPTO_IV_GIVEN;
		fill(packet + ESP_HEADER_LENGTH, CBC_IV_LENGTH, 3, 9);
	}
	return operation;
}

static bool check_packet(struct crypto_engine *engine, const struct suite *suite,
	const struct crypto_key *key, unsigned index, const uint8_t *icv)
{
	uint8_t packet[PACKET_SIZE], sealed[PACKET_SIZE];
	struct crypto_operation operation = make(suite, key, index, packet);
	uint8_t *text = packet + esp_codec_text_offset(suite);

	crypto_engine_encrypt_burst(engine, &operation, 1);
	if (operation.status != CRYPTO_DONE ||
		memcmp(text + operation.length, icv, suite->icv_length) != 0)
		return false;
	memcpy(sealed, packet, sizeof(sealed));
	crypto_engine_decrypt_burst(engine, &operation, 1);
	if (operation.status != CRYPTO_DONE || !text_is(text, operation.length))
		return false;
	/* the last octet of the ICV, then the last of the text */
	for (uint32_t back = 1; back <= suite->icv_length + 1u; back += suite->icv_length) {
		memcpy(packet, sealed, sizeof(packet));
		text[operation.length + suite->icv_length - back] ^= 1;
		crypto_engine_decrypt_burst(engine, &operation, 1);
		if (operation.status != CRYPTO_BAD_ICV)
			return false;
	}
	return true;
}

static const struct known_answer *answer_of(const struct suite *suite)
{
	for (unsigned i = 0; i < known_answer_table_count; i++)
		if (!strcmp(known_answer_table[i].suite, suite->name))
			return &known_answer_table[i];
	return NULL;
}

static bool check_suite(
	struct crypto_library *library, struct crypto_engine *engine, const struct suite *suite)
{
	const struct known_answer *answer = answer_of(suite);
	uint8_t encryption_key[SA_ENCRYPTION_KEY_MAX], integrity_key[SA_INTEGRITY_KEY_MAX];
	struct crypto_key key;
	bool right = answer != NULL;

	fill(encryption_key, sizeof(encryption_key), 7, 1);
	fill(integrity_key, sizeof(integrity_key), 5, 3);
	crypto_key_expand(library, suite, encryption_key, integrity_key, &key);
	for (unsigned i = 0; right && i < 2; i++)
		right = check_packet(engine, suite, &key, i, answer->icv[i]);
	crypto_key_wipe(&key);
	return right;
}

unsigned known_answer_check(
	struct crypto_library *library, struct crypto_engine *engine, const char **first)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < suite_count(); i++) {
		if (check_suite(library, engine, suite_at(i)))
			continue;
		suite_withdraw(i);
		if (failed++ == 0 && first)
			*first = suite_at(i)->name;
	}
	return failed;
}
