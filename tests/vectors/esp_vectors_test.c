/*
 * ESP packets whose bytes others have fixed, through the engine and the codec in both directions:
 *
 *   esp_vectors.json     51 whole packets of the requirement list, 22: what is sound must come out
 * of the plain text octet by octet and go back; each bad one must fail at its own step with its own
 * verdict. // TV-02 esp_published.json   RFC 7634 A, RFC 3602 cases 5-8 and RFC 3686 1-9 (cipher
 * only), the cases of draft-mcgrew-gcm-test-01. // TV-01
 */
#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/crypto/library.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIZE 2048

struct vector {
	const char *name, *expect;
	const struct suite *suite;
	struct crypto_key key;
	uint8_t esp[SIZE], plain[SIZE], inner[SIZE], iv[16], icv[32], cipher[SIZE];
	size_t esp_length, plain_length, inner_length, icv_length;
	uint64_t sequence;
	uint32_t spi;
	uint8_t flags, next_header;
	bool separate_hash_missing; /* published without integrity: the cipher alone is compared */
};

static struct crypto_library *library;
static struct crypto_engine *engine;

static size_t unhex(const json_t *object, const char *name, uint8_t *out)
{
	const char *text = json_string_value(json_object_get(object, name));
	size_t length = 0;

	for (; text && text[0] && text[1]; text += 2) {
		const char digits[3] = {text[0], text[1], 0};
		char *end;
		out[length++] = (uint8_t)strtoul(digits, &end, 16);
		assert_ptr_equal(end, digits + 2);
	}
	assert_true(length <= SIZE);
	return length;
}

static unsigned encryption_of(const char *name)
{
	static const struct {
		const char *name;
		unsigned id;
	} names[] = {{"null", SA_ENCRYPTION_NULL}, {"aes-cbc", SA_ENCRYPTION_AES_CBC},
		{"aes-ctr", SA_ENCRYPTION_AES_CTR}, {"aes-gcm-16", SA_ENCRYPTION_AES_GCM_16},
		{"aes-gcm-12", SA_ENCRYPTION_AES_GCM_12}, {"aes-gcm-8", SA_ENCRYPTION_AES_GCM_8},
		{"aes-gmac", SA_ENCRYPTION_NULL_AES_GMAC}, {"aes-ccm-16", SA_ENCRYPTION_AES_CCM_16},
		{"aes-ccm-8", SA_ENCRYPTION_AES_CCM_8},
		{"chacha20-poly1305", SA_ENCRYPTION_CHACHA20_POLY1305},
		{"aes-gcm-16-iiv", SA_ENCRYPTION_AES_GCM_16_IIV},
		{"chacha20-poly1305-iiv", SA_ENCRYPTION_CHACHA20_POLY1305_IIV}};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].name, name))
			return names[i].id;
	fail_msg("no encryption %s", name);
	return 0;
}

static unsigned integrity_of(const char *name)
{
	if (!name || !strcmp(name, "none"))
		return SA_INTEGRITY_NONE;
	if (!strcmp(name, "hmac-sha1-96"))
		return SA_INTEGRITY_HMAC_SHA1_96;
	if (!strcmp(name, "hmac-sha256-128"))
		return SA_INTEGRITY_HMAC_SHA2_256_128;
	assert_string_equal(name, "hmac-sha512-256");
	return SA_INTEGRITY_HMAC_SHA2_512_256;
}

static struct vector *load(const json_t *object)
{
	struct vector *v = NULL;
	uint8_t key[SIZE], integrity_key[SIZE] = {0}, spi[SIZE] = {0};
	unsigned encryption = encryption_of(json_string_value(json_object_get(object, "enc")));
	unsigned integrity = integrity_of(json_string_value(json_object_get(object, "integ")));
	size_t key_length = unhex(object, "keymat", key);
	size_t integrity_length = unhex(object, "ikey", integrity_key);

	assert_int_equal(posix_memalign((void **)&v, 64, sizeof(*v)), 0);
	memset(v, 0, sizeof(*v));
	v->name = json_string_value(json_object_get(object, "name"));
	v->expect = json_string_value(json_object_get(object, "expect"));
	if (integrity == SA_INTEGRITY_NONE && encryption <= SA_ENCRYPTION_AES_CTR) {
		v->separate_hash_missing = true;
		integrity = SA_INTEGRITY_HMAC_SHA1_96;
		integrity_length = 20;
	}
	v->suite = suite_find(
		encryption, integrity, (unsigned)key_length, (unsigned)integrity_length, NULL);
	if (!v->suite)
		fail_msg("%s: no suite", v->name);
	crypto_key_expand(library, v->suite, key, integrity_key, &v->key);
	unhex(object, "spi", spi);
	v->spi = esp_codec_spi(spi);
	const json_t *sequence = json_object_get(object, "seq"); /* as hex when beyond 63 bits */
	v->sequence = json_is_string(sequence) ? strtoull(json_string_value(sequence), NULL, 16)
					       : (uint64_t)json_integer_value(sequence);
	v->flags = json_is_true(json_object_get(object, "esn")) ? CRYPTO_ESN : 0;
	v->next_header = (uint8_t)json_integer_value(json_object_get(object, "next_header"));
	v->esp_length = unhex(object, "esp", v->esp);
	v->plain_length = unhex(object, "plaintext", v->plain);
	v->inner_length = unhex(object, "inner", v->inner);
	v->icv_length = unhex(object, "icv", v->icv);
	unhex(object, "ciphertext", v->cipher);
	unhex(object, "iv", v->iv);
	return v;
}

static bool expects(const struct vector *v, const char *word)
{
	return strstr(v->expect, word) != NULL;
}

/* The plain text, encrypted into `out`; IV as the vector has it, or the engine's own. */
static struct crypto_operation seal(const struct vector *v, uint8_t *out, bool iv_given)
{
	struct crypto_operation operation = {.suite = v->suite,
		.key = &v->key,
		.esp = out,
		.sequence = v->sequence,
		.length = (uint32_t)v->plain_length,
		.flags = (uint8_t)(v->flags | (iv_given ? CRYPTO_IV_GIVEN : 0))};

	esp_codec_header_write(out, v->spi, v->sequence);
	memset(out + ESP_HEADER_LENGTH, 0, v->suite->iv_length);
	if (iv_given)
		memcpy(out + ESP_HEADER_LENGTH, v->iv, v->suite->iv_length);
	memcpy(out + esp_codec_text_offset(v->suite), v->plain, v->plain_length);
	crypto_engine_encrypt_burst(engine, &operation, 1);
	assert_int_equal(operation.status, CRYPTO_DONE);
	return operation;
}

static bool iv_is_number(const struct vector *v)
{
	uint64_t iv = 0;

	if (!(v->suite->flags & SUITE_COUNTER))
		return false;
	for (unsigned i = 0; i < 8; i++)
		iv = iv << 8 | v->iv[i];
	return v->suite->iv_length == 0 || iv == v->sequence;
}

/* The trailer that the codec writes behind the inner packet is the vector's. */
static void check_trailer_build(const struct vector *v)
{
	uint8_t text[SIZE];
	uint32_t inner = (uint32_t)v->inner_length;

	if (esp_codec_text_length(v->suite, inner) != v->plain_length)
		assert_true(!strcmp(v->name, "gcm128-tfc") || !strcmp(v->name, "gcm128-maxpad"));
	else {
		memcpy(text, v->inner, inner);
		esp_codec_trailer_write(
			text + inner, esp_codec_padding(v->suite, inner), v->next_header);
		assert_memory_equal(text, v->plain, v->plain_length);
	}
}

static void check_inside(const struct vector *v, const uint8_t *text)
{
	uint32_t payload = 0, inner = 0;
	uint8_t next_header = 0;
	enum esp_verdict verdict = esp_codec_trailer_read(
		text, (uint32_t)v->plain_length, (uint32_t)v->plain_length, &payload, &next_header);

	if (expects(v, "BAD_PAD")) {
		assert_int_equal(verdict, ESP_BAD_PAD);
		return;
	}
	assert_int_equal(verdict, ESP_ACCEPT);
	assert_int_equal(next_header, v->next_header);
	if (!strncmp(v->name, "gcm128-transport", 16)) {
		assert_int_equal(payload, v->inner_length);
		return;
	}
	verdict = esp_codec_inner_check(text, payload, payload, next_header, &inner);
	if (expects(v, "DUMMY"))
		assert_int_equal(verdict, ESP_DUMMY);
	else if (expects(v, "BAD_NEXT_HEADER"))
		assert_int_equal(verdict, ESP_BAD_NEXT_HEADER);
	else if (expects(v, "INNER_MALFORMED"))
		assert_int_equal(verdict, ESP_INNER_MALFORMED);
	else {
		assert_int_equal(verdict, ESP_ACCEPT);
		if (!strcmp(v->name, "gcm128-tfc")) /* "inner" holds the padding too */
			assert_true(inner == 84 && inner < v->inner_length);
		else
			assert_int_equal(inner, v->inner_length);
		assert_memory_equal(text, v->inner, inner);
		check_trailer_build(v);
	}
}

static void test_packet(void **state)
{
	const struct vector *v = *state;
	uint8_t packet[SIZE];
	enum esp_verdict verdict = esp_codec_check_length(v->suite, (uint32_t)v->esp_length);
	struct crypto_operation operation = {.suite = v->suite,
		.key = &v->key,
		.esp = packet,
		.sequence = v->sequence,
		.flags = v->flags};

	if (expects(v, "TOO_SHORT") || expects(v, "BAD_LENGTH")) {
		assert_int_equal(verdict, expects(v, "TOO_SHORT") ? ESP_TOO_SHORT : ESP_BAD_LENGTH);
		return;
	}
	assert_int_equal(verdict, ESP_ACCEPT);
	operation.length =
		(uint32_t)v->esp_length - esp_codec_text_offset(v->suite) - v->suite->icv_length;
	memcpy(packet, v->esp, v->esp_length);
	crypto_engine_decrypt_burst(engine, &operation, 1);
	if (expects(v, "BAD_ICV")) {
		assert_int_equal(operation.status, CRYPTO_BAD_ICV);
		return;
	}
	assert_int_equal(operation.status, CRYPTO_DONE);
	assert_int_equal(operation.length, v->plain_length);
	const uint8_t *text = packet + esp_codec_text_offset(v->suite);
	assert_memory_equal(text, v->plain, v->plain_length);
	check_inside(v, text);
	seal(v, packet, true);
	assert_memory_equal(packet, v->esp, v->esp_length);
	if (iv_is_number(v)) { /* as the engine itself numbers */
		seal(v, packet, false);
		assert_memory_equal(packet, v->esp, v->esp_length);
	}
}

static void test_published(void **state)
{
	const struct vector *v = *state;
	uint8_t packet[SIZE];
	struct crypto_operation operation = seal(v, packet, true);
	const uint8_t *text = packet + esp_codec_text_offset(v->suite);

	assert_memory_equal(text, v->cipher, v->plain_length);
	if (!v->separate_hash_missing) {
		assert_int_equal(v->icv_length, v->suite->icv_length);
		assert_memory_equal(text + v->plain_length, v->icv, v->icv_length);
	}
	crypto_engine_decrypt_burst(engine, &operation, 1);
	assert_int_equal(operation.status, CRYPTO_DONE);
	assert_memory_equal(text, v->plain, v->plain_length);
}

static json_t *files[2]; /* the vectors' names borrow from them */

/* One test a vector. */
static unsigned add_file(const char *path, CMUnitTestFunction function, struct CMUnitTest *tests)
{
	json_error_t error;
	json_t *root = json_load_file(path, 0, &error), *object;
	size_t index;

	if (!root) {
		fprintf(stderr, "%s: %s\n", path, error.text);
		exit(1);
	}
	json_array_foreach(root, index, object)
	{
		struct vector *v = load(object);
		tests[index] = (struct CMUnitTest){v->name, function, NULL, NULL, v};
	}
	files[files[0] != NULL] = root;
	return (unsigned)json_array_size(root);
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[128];
	char error[LIBRARY_ERROR_SIZE];
	unsigned count, published;

	if (argc < 3)
		return 2;
	library = crypto_library_open(LIBRARY_SHARED, LIBRARY_BEST, error);
	engine = library ? crypto_engine_new(library) : NULL;
	if (!engine) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	count = add_file(argv[1], test_packet, tests);
	published = add_file(argv[2], test_published, tests + count);
	if (count != 51 || published != 27) {
		fprintf(stderr, "%u and %u vectors\n", count, published);
		return 1;
	}
	return _cmocka_run_group_tests("esp vectors", tests, count + published, NULL, NULL);
}
