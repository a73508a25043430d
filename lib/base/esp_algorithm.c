#include "lib/base/esp_algorithm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum kind { KIND_AEAD, KIND_CIPHER, KIND_COUNTER /* without its own integrity */ };

static const struct {
	const char *name;
	uint16_t id;
	uint8_t key; /* octets, salt included */
	enum kind kind;
} ciphers[] = {
	{"aes128gcm16", 20, 20, KIND_AEAD},
	{"aes192gcm16", 20, 28, KIND_AEAD},
	{"aes256gcm16", 20, 36, KIND_AEAD},
	{"aes128gcm12", 19, 20, KIND_AEAD},
	{"aes192gcm12", 19, 28, KIND_AEAD},
	{"aes256gcm12", 19, 36, KIND_AEAD},
	{"aes128gcm8", 18, 20, KIND_AEAD},
	{"aes192gcm8", 18, 28, KIND_AEAD},
	{"aes256gcm8", 18, 36, KIND_AEAD},
	{"aes128gmac", 21, 20, KIND_AEAD},
	{"aes192gmac", 21, 28, KIND_AEAD},
	{"aes256gmac", 21, 36, KIND_AEAD},
	{"aes128ccm16", 16, 19, KIND_AEAD},
	{"aes256ccm16", 16, 35, KIND_AEAD},
	{"aes128ccm12", 15, 19, KIND_AEAD},
	{"aes256ccm12", 15, 35, KIND_AEAD},
	{"aes128ccm8", 14, 19, KIND_AEAD},
	{"aes256ccm8", 14, 35, KIND_AEAD},
	{"chacha20poly1305", 28, 36, KIND_AEAD},
	{"aes128ccm8iiv", 29, 19, KIND_AEAD},
	{"aes256ccm8iiv", 29, 35, KIND_AEAD},
	{"aes128gcm16iiv", 30, 20, KIND_AEAD},
	{"aes192gcm16iiv", 30, 28, KIND_AEAD},
	{"aes256gcm16iiv", 30, 36, KIND_AEAD},
	{"chacha20poly1305iiv", 31, 36, KIND_AEAD},
	{"aes128ctr", 13, 20, KIND_COUNTER},
	{"aes192ctr", 13, 28, KIND_COUNTER},
	{"aes256ctr", 13, 36, KIND_COUNTER},
	{"aes128", 12, 16, KIND_CIPHER},
	{"aes192", 12, 24, KIND_CIPHER},
	{"aes256", 12, 32, KIND_CIPHER},
	{"null", 11, 0, KIND_CIPHER},
};
#define CIPHER_COUNT (sizeof(ciphers) / sizeof(ciphers[0]))

static const struct {
	const char *name;
	uint16_t id;
	uint8_t key;
} integrities[] = {{"sha1", 2, 20}, {"aesxcbc", 5, 16}, {"aescmac", 8, 16}, {"sha256", 12, 32},
	{"sha384", 13, 48}, {"sha512", 14, 64}};
#define INTEGRITY_COUNT (sizeof(integrities) / sizeof(integrities[0]))

static bool is_word(const char *word, const char *text, size_t length)
{
	return strlen(word) == length && memcmp(word, text, length) == 0;
}

static int fail(const char **reason, const char *text)
{
	*reason = text;
	return -EINVAL;
}

int esp_algorithm_parse(const char *name, struct esp_algorithm *out, const char **reason)
{
	size_t length = strcspn(name, "-"), cipher = 0, integrity = 0;
	const char *rest = name[length] ? name + length + 1 : NULL;

	while (cipher < CIPHER_COUNT && !is_word(ciphers[cipher].name, name, length))
		cipher++;
	if (cipher == CIPHER_COUNT)
		return fail(reason, "is not known");
	*out = (struct esp_algorithm){.encryption = ciphers[cipher].id,
		.encryption_key = ciphers[cipher].key,
		.counter_mode = ciphers[cipher].kind != KIND_CIPHER};
	if (ciphers[cipher].kind == KIND_AEAD)
		return rest ? fail(reason, "authenticates by itself: no integrity beside it") : 0;
	if (!rest)
		return fail(reason, "needs integrity, as \"-sha256\"");
	while (integrity < INTEGRITY_COUNT && strcmp(integrities[integrity].name, rest) != 0)
		integrity++;
	if (integrity == INTEGRITY_COUNT)
		return fail(reason, "names an integrity that is not known");
	out->integrity = integrities[integrity].id;
	out->integrity_key = integrities[integrity].key;
	return 0;
}

char *esp_algorithm_name(uint16_t encryption, uint16_t integrity, uint8_t encryption_key,
	char buffer[ESP_ALGORITHM_NAME_SIZE])
{
	size_t cipher = 0, with = 0;

	while (cipher < CIPHER_COUNT &&
		(ciphers[cipher].id != encryption || ciphers[cipher].key != encryption_key))
		cipher++;
	while (integrity && with < INTEGRITY_COUNT && integrities[with].id != integrity)
		with++;
	if (cipher == CIPHER_COUNT || with == INTEGRITY_COUNT)
		return NULL;
	snprintf(buffer, ESP_ALGORITHM_NAME_SIZE, "%s%s%s", ciphers[cipher].name,
		integrity ? "-" : "", integrity ? integrities[with].name : "");
	return buffer;
}
