#include "config/fingerprint.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

void config_fingerprint(const struct secret *key, char text[SECRET_FINGERPRINT_SIZE])
{
	static const char purpose[] = "homeport key fingerprint";
	uint8_t input[sizeof(purpose) + SECRET_SIZE_MAX], hash[SHA256_DIGEST_LENGTH];

	memcpy(input, purpose, sizeof(purpose));
	memcpy(input + sizeof(purpose), key->bytes, key->length);
	SHA256(input, sizeof(purpose) + key->length, hash);
	secret_wipe(input, sizeof(input));
	snprintf(text, SECRET_FINGERPRINT_SIZE, "%02x%02x%02x%02x", hash[0], hash[1], hash[2],
		hash[3]);
}
