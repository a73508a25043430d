/*
 * ESP packets of any octets: lengths before crypto, decryption of what nobody encrypted, and what
 * an authentic peer may put inside: the engine encrypts the fuzzer's text itself, so a hostile
 * trailer and inner packet always come with a valid ICV. Buffers are exactly as long as the packet,
 * so a sanitizer sees each octet read or written beside it.
 *
 *   suite 1 | how 1 | number 8 | octets
 *
 * how: bit 0 ESN, bit 1 the octets are a whole packet (else text to be encrypted), bit 2 in pieces,
 * bits 3-7 how they are cut.
 */
#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/crypto/library.h"
#include "tests/fuzz/fuzz_assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIECES_MAX 16
#define TEXT_MAX   9216

static struct crypto_library *library;
static struct crypto_engine *engine;
static struct crypto_key *keys;

static void open_once(void)
{
	char error[LIBRARY_ERROR_SIZE];
	uint8_t raw[SA_INTEGRITY_KEY_MAX];

	if (engine)
		return;
	library = crypto_library_open(LIBRARY_SHARED, LIBRARY_BEST, error);
	FUZZ_ASSERT(library);
	engine = crypto_engine_new(library);
	FUZZ_ASSERT(engine);
	FUZZ_ASSERT(!posix_memalign((void **)&keys, 64, suite_count() * sizeof(*keys)));
	memset(raw, 0x5a, sizeof(raw));
	for (unsigned i = 0; i < suite_count(); i++)
		crypto_key_expand(library, suite_at(i), raw, raw, &keys[i]);
}

/* What a step does with text that was authentic. */
static void inside(const uint8_t *text, uint32_t length)
{
	uint32_t payload = 0, inner = 0, again = 0;
	uint8_t next_header = 0, other = 0;
	enum esp_verdict verdict =
		esp_codec_trailer_read(text, length, length, &payload, &next_header);

	FUZZ_ASSERT(verdict == ESP_ACCEPT || verdict == ESP_BAD_PAD);
	if (length >= 257) /* the tail is enough */
		FUZZ_ASSERT(esp_codec_trailer_read(
				    text + length - 257, 257, length, &again, &other) == verdict &&
			    again == payload && other == next_header);
	if (verdict != ESP_ACCEPT)
		return;
	FUZZ_ASSERT(payload + ESP_TRAILER_LENGTH <= length && next_header == text[length - 1]);
	/* the head alone, in memory of its own */
	uint32_t head_length = payload < 60 ? payload : 60;
	uint8_t *head = malloc(head_length + 1);
	memcpy(head, text, head_length);
	head = realloc(head, head_length ? head_length : 1);
	verdict = esp_codec_inner_check(head, head_length, payload, next_header, &inner);
	free(head);
	FUZZ_ASSERT(verdict == esp_codec_inner_check(text, payload, payload, next_header, &again));
	FUZZ_ASSERT((verdict == ESP_DUMMY) == (next_header == ESP_NEXT_HEADER_NONE));
	if (verdict == ESP_ACCEPT)
		FUZZ_ASSERT(inner >= 20 && inner <= payload && inner == again &&
			    text[0] >> 4 == (next_header == ESP_NEXT_HEADER_IPV4 ? 4 : 6));
}

static unsigned cut(uint8_t *packet, uint32_t length, uint32_t first, unsigned how,
	struct crypto_segment *segments)
{
	uint32_t at = 0, piece = first + how * 3;
	unsigned count = 0;

	while (at < length) {
		if (piece > length - at || count == PIECES_MAX - 1)
			piece = length - at;
		segments[count].data = malloc(piece ? piece : 1);
		segments[count].length = piece;
		memcpy(segments[count].data, packet + at, piece);
		at += piece;
		piece = how * (count % 3);
		count++;
	}
	return count;
}

static void join(uint8_t *packet, struct crypto_segment *segments, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		memcpy(packet, segments[i].data, segments[i].length);
		packet += segments[i].length;
		free(segments[i].data);
	}
}

static uint8_t run(struct crypto_operation operation, uint32_t length, unsigned how, bool encrypt)
{
	struct crypto_segment segments[PIECES_MAX];
	uint8_t *packet = operation.esp;
	unsigned count = 0;

	if (how & 4) {
		count = cut(
			packet, length, esp_codec_text_offset(operation.suite), how >> 3, segments);
		operation.esp = segments[0].data;
		operation.segments = segments;
		operation.segment_count = (uint16_t)count;
	}
	if (encrypt)
		crypto_engine_encrypt_burst(engine, &operation, 1);
	else
		crypto_engine_decrypt_burst(engine, &operation, 1);
	join(packet, segments, count);
	return operation.status;
}

/* A packet as it came from anywhere. */
static void hostile_packet(
	struct crypto_operation operation, unsigned how, const uint8_t *data, uint32_t size)
{
	uint32_t fixed = esp_codec_text_offset(operation.suite) + operation.suite->icv_length;

	if (esp_codec_check_length(operation.suite, size) != ESP_ACCEPT) {
		FUZZ_ASSERT(size < fixed + operation.suite->alignment ||
			    (size - fixed) % operation.suite->alignment);
		return;
	}
	operation.length = size - fixed;
	operation.esp = malloc(size);
	memcpy(operation.esp, data, size);
	uint8_t status = run(operation, size, how, false);
	FUZZ_ASSERT(status == CRYPTO_BAD_ICV || status == CRYPTO_DONE);
	free(operation.esp);
}

/* Text of a peer who has the keys. */
static void hostile_text(
	struct crypto_operation operation, unsigned how, const uint8_t *data, uint32_t size)
{
	const struct suite *suite = operation.suite;
	uint32_t offset = esp_codec_text_offset(suite), length;

	operation.length = size & ~(suite->alignment - 1u);
	if (operation.length == 0)
		return;
	length = offset + operation.length + suite->icv_length;
	operation.esp = malloc(length);
	memset(operation.esp, 0, length);
	esp_codec_header_write(operation.esp, 0xc0000001, operation.sequence);
	memcpy(operation.esp + offset, data, operation.length);
	FUZZ_ASSERT(run(operation, length, how, true) == CRYPTO_DONE);
	FUZZ_ASSERT(esp_codec_check_length(suite, length) == ESP_ACCEPT);
	FUZZ_ASSERT(run(operation, length, how ^ 4, false) == CRYPTO_DONE);
	FUZZ_ASSERT(!memcmp(operation.esp + offset, data, operation.length));
	inside(operation.esp + offset, operation.length);
	free(operation.esp);
}

/* Paths and outer headers of any size: what fits, fits. */
static void mtu(const struct suite *suite, uint32_t path, uint32_t outer)
{
	uint32_t fits = esp_codec_inner_mtu(suite, path, outer);

	if (fits)
		FUZZ_ASSERT(outer + esp_codec_packet_length(suite, fits) <= path);
	FUZZ_ASSERT(outer + esp_codec_packet_length(suite, fits + 1) > path || fits == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crypto_operation operation = {0};
	unsigned index;

	if (size < 10)
		return 0;
	open_once();
	index = data[0] % suite_count();
	operation.suite = suite_at(index);
	operation.key = &keys[index];
	operation.flags = data[1] & 1 ? CRYPTO_ESN : 0;
	memcpy(&operation.sequence, data + 2, 8);
	mtu(operation.suite, (uint32_t)(operation.sequence & 0x1ffff),
		(uint32_t)(operation.sequence >> 17 & 0xff));
	size -= 10;
	if (size > TEXT_MAX)
		size = TEXT_MAX;
	if (data[1] & 2)
		hostile_packet(operation, data[1], data + 10, (uint32_t)size);
	else
		hostile_text(operation, data[1], data + 10, (uint32_t)size);
	return 0;
}
