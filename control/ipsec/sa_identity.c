#include "control/ipsec/sa_identity.h"

#include <openssl/sha.h>
#include <string.h>

struct identity_input {
	char purpose[24];
	be32 spi;
	uint16_t encryption, integrity, esn;
	uint8_t direction, reserved;
	struct sa_keys keys;
};

void sa_identity(const struct sa_command *command, const struct sa_keys *keys, uint32_t out[2])
{
	struct identity_input input;
	uint8_t hash[SHA256_DIGEST_LENGTH];

	memset(&input, 0, sizeof(input));
	memcpy(input.purpose, "homeport SA identity", 20);
	input.spi = command->spi;
	input.encryption = command->encryption;
	input.integrity = command->integrity;
	input.esn = (command->flags & SA_ESN) != 0;
	input.direction = command->direction;
	input.keys = *keys;
	SHA256((const uint8_t *)&input, sizeof(input), hash);
	secret_wipe(&input, sizeof(input));
	memcpy(out, hash, 2 * sizeof(*out));
	out[0] |= !(out[0] | out[1]);
}
