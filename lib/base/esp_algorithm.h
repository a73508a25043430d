/*
 * The ESP algorithms by the names that strongSwan gives them, with the transform ids of IKEv2 (IANA
 * types 1 and 3) and the key lengths of req-ipsec's table: what configuration and operators write,
 * checked before any key reaches the dataplane.
 *
 *   aes128gcm16 aes256gcm12 aes128gmac aes128ccm16 chacha20poly1305      alone
 *   aes128gcm16iiv chacha20poly1305iiv aes128ccm8iiv                     alone, RFC 8750
 *   aes128 aes192ctr null    each with   -sha1 -sha256 -sha384 -sha512 -aesxcbc -aescmac
 */
#ifndef LIB_BASE_ESP_ALGORITHM_H
#define LIB_BASE_ESP_ALGORITHM_H

#include <stdbool.h>
#include <stdint.h>

struct esp_algorithm {
	uint16_t encryption, integrity; /* transform ids; integrity 0: none of its own */
	uint8_t encryption_key;         /* octets with the salt behind the key (ESP-ALG-10) */
	uint8_t integrity_key;          /* octets */
	bool counter_mode;              /* a nonce used twice is fatal (ESP-ALG-20) */
};

/*
 * 0; or -EINVAL with a reason that ends the sentence "algorithm NAME ...": an unknown name, an AEAD
 * with integrity (ESP-ALG-09), a cipher without (ESP-ALG-08).
 */
int esp_algorithm_parse(const char *name, struct esp_algorithm *out, const char **reason);
/* The name that parses to these; NULL when there is none. `buffer` of ESP_ALGORITHM_NAME_SIZE. */
#define ESP_ALGORITHM_NAME_SIZE 32
char *esp_algorithm_name(uint16_t encryption, uint16_t integrity, uint8_t encryption_key,
	char buffer[ESP_ALGORITHM_NAME_SIZE]);

#endif
