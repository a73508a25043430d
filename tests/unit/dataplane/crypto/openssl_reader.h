/*
 * An independent reader of ESP: OpenSSL's libcrypto, from the raw keys and the RFCs, with nothing
 * of the dataplane's. It knows its own lengths.
 */
#ifndef TESTS_UNIT_DATAPLANE_CRYPTO_OPENSSL_READER_H
#define TESTS_UNIT_DATAPLANE_CRYPTO_OPENSSL_READER_H

#include <stdbool.h>
#include <stdint.h>

struct openssl_association {
	unsigned encryption, integrity; /* IKEv2 transform ids */
	const uint8_t *encryption_key, *integrity_key;
	unsigned encryption_key_length; /* octets, salt included */
	bool esn;
};

/*
 * Checks the ICV of the ESP packet and writes the decrypted text (payload to next header). Returns
 * its length, -1 when the packet is not authentic, -2 when there is no such algorithm. `sequence`
 * is the whole number.
 */
int openssl_reader_open(const struct openssl_association *association, const uint8_t *esp,
	uint32_t length, uint64_t sequence, uint8_t *text);

#endif
