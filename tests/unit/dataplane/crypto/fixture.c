#include "tests/unit/dataplane/crypto/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define GUARD 0xa5

void fixture_open(struct fixture *fixture)
{
	char error[LIBRARY_ERROR_SIZE] = "";

	fixture->library = crypto_library_open(LIBRARY_SHARED, LIBRARY_BEST, error);
	if (!fixture->library)
		fail_msg("%s", error);
	fixture->engine = crypto_engine_new(fixture->library);
	assert_non_null(fixture->engine);
}

void fixture_close(struct fixture *fixture)
{
	crypto_engine_free(fixture->engine);
	crypto_library_close(fixture->library);
}

void fixture_key_make(
	struct fixture *fixture, const struct suite *suite, unsigned seed, struct fixture_key *key)
{
	key->suite = suite;
	for (unsigned i = 0; i < sizeof(key->encryption); i++)
		key->encryption[i] = (uint8_t)(i * 13 + seed * 31 + 1);
	for (unsigned i = 0; i < sizeof(key->integrity); i++)
		key->integrity[i] = (uint8_t)(i * 17 + seed * 29 + 2);
	crypto_key_expand(fixture->library, suite, key->encryption, key->integrity, &key->key);
}

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

struct fixture_packet fixture_packet_make(
	const struct fixture_key *key, uint32_t payload, uint64_t sequence, unsigned flags)
{
	const struct suite *suite = key->suite;
	struct fixture_packet packet = {.length = esp_codec_packet_length(suite, payload)};
	uint8_t *esp, *text;

	packet.memory = malloc(packet.length + 2 * FIXTURE_GUARD);
	assert_non_null(packet.memory);
	memset(packet.memory, GUARD, packet.length + 2 * FIXTURE_GUARD);
	esp = packet.memory + FIXTURE_GUARD;
	text = esp + esp_codec_text_offset(suite);
	esp_codec_header_write(esp, FIXTURE_SPI, sequence);
	for (uint32_t i = 0; i < payload; i++)
		text[i] = pattern(i);
	esp_codec_trailer_write(text + payload, esp_codec_padding(suite, payload), 4);
	packet.operation = (struct crypto_operation){
		.suite = suite,
		.key = &key->key,
		.esp = esp,
		.sequence = sequence,
		.length = esp_codec_text_length(suite, payload),
		.flags = (uint8_t)flags,
		.status = 99,
	};
	return packet;
}

void fixture_packet_free(struct fixture_packet *packet)
{
	free(packet->memory);
	packet->memory = NULL;
}

void fixture_packet_check_guards(const struct fixture_packet *packet)
{
	for (uint32_t i = 0; i < FIXTURE_GUARD; i++) {
		assert_int_equal(packet->memory[i], GUARD);
		assert_int_equal(packet->memory[FIXTURE_GUARD + packet->length + i], GUARD);
	}
}

bool fixture_packet_is_plain(const struct fixture_packet *packet, uint32_t payload)
{
	const uint8_t *text =
		packet->operation.esp + esp_codec_text_offset(packet->operation.suite);
	uint32_t padding = esp_codec_padding(packet->operation.suite, payload);

	for (uint32_t i = 0; i < payload; i++)
		if (text[i] != pattern(i))
			return false;
	for (uint32_t i = 0; i < padding; i++)
		if (text[payload + i] != i + 1)
			return false;
	return text[payload + padding] == padding && text[payload + padding + 1] == 4;
}
