#include "tests/unit/dataplane/crypto/openssl_reader.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum { NOT_AUTHENTIC = -1, NO_ALGORITHM = -2 };

static void write64(uint8_t *at, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		at[i] = (uint8_t)value;
}

static const EVP_CIPHER *aes(const char *mode, unsigned key_length)
{
	char name[24];

	snprintf(name, sizeof(name), "AES-%u-%s", key_length * 8, mode);
	return EVP_get_cipherbyname(name);
}

/* RFC 4106 5, 4309 5, 7634 2.1. */
static int additional_data(
	const struct openssl_association *a, const uint8_t *esp, uint64_t sequence, uint8_t *out)
{
	memcpy(out, esp, 8);
	if (!a->esn)
		return 8;
	write64(out + 4, sequence);
	return 12;
}

static int aead_open(const struct openssl_association *a, const uint8_t *esp, uint32_t length,
	uint64_t sequence, uint8_t *text, unsigned icv)
{
	bool ccm = (a->encryption >= 14 && a->encryption <= 16) || a->encryption == 29;
	bool implicit = a->encryption >= 29; /* RFC 8750 */
	bool gmac = a->encryption == 21, chacha = a->encryption == 28 || a->encryption == 31;
	unsigned salt = ccm ? 3 : 4, key_length = a->encryption_key_length - salt;
	unsigned offset = implicit ? 8 : 16;
	int text_length = (int)(length - offset - icv), n;
	uint8_t nonce[12], additional[12], tag[16];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const EVP_CIPHER *cipher =
		chacha ? EVP_chacha20_poly1305() : aes(ccm ? "CCM" : "GCM", key_length);
	int additional_length = additional_data(a, esp, sequence, additional), result;

	memcpy(nonce, a->encryption_key + key_length, salt);
	if (implicit)
		write64(nonce + salt, a->esn ? sequence : (uint32_t)sequence);
	else
		memcpy(nonce + salt, esp + 8, 8);
	memcpy(tag, esp + length - icv, icv);
	EVP_DecryptInit_ex(ctx, cipher, NULL, NULL, NULL);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)salt + 8, NULL);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)icv, tag);
	EVP_DecryptInit_ex(ctx, NULL, NULL, a->encryption_key, nonce);
	if (ccm)
		EVP_DecryptUpdate(ctx, NULL, &n, NULL, text_length);
	EVP_DecryptUpdate(ctx, NULL, &n, additional, additional_length);
	if (gmac) { /* RFC 4543 3.3, figure 4 */
		EVP_DecryptUpdate(ctx, NULL, &n, esp + 8, text_length + 8);
		memcpy(text, esp + 16, (size_t)text_length);
		result = EVP_DecryptFinal_ex(ctx, tag, &n);
	} else {
		result = EVP_DecryptUpdate(ctx, text, &n, esp + offset, text_length);
		if (!ccm && result > 0)
			result = EVP_DecryptFinal_ex(ctx, text + n, &n);
	}
	EVP_CIPHER_CTX_free(ctx);
	return result > 0 ? text_length : NOT_AUTHENTIC;
}

static void xor_block(uint8_t *a, const uint8_t *b, size_t length)
{
	for (size_t i = 0; i < length; i++)
		a[i] ^= b[i];
}

static void ecb(const uint8_t *key, const uint8_t *in, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, key, NULL);
	EVP_CIPHER_CTX_set_padding(ctx, 0);
	EVP_EncryptUpdate(ctx, out, &n, in, 16);
	EVP_CIPHER_CTX_free(ctx);
}

/* RFC 3566 4; libcrypto has no XCBC: CBC under K1, the last block prepared by hand. */
static void xcbc(const uint8_t *key, const uint8_t *data, size_t length, uint8_t *mac)
{
	uint8_t constants[3][16], keys[3][16], last[16] = {0}, state[16] = {0}, out[16];
	size_t whole = (length - 1) / 16 * 16, rest = length - whole;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	for (int i = 0; i < 3; i++) {
		memset(constants[i], i + 1, 16);
		ecb(key, constants[i], keys[i]);
	}
	EVP_EncryptInit_ex(ctx, EVP_aes_128_cbc(), NULL, keys[0], state);
	EVP_CIPHER_CTX_set_padding(ctx, 0);
	for (size_t at = 0; at < whole; at += 16)
		EVP_EncryptUpdate(ctx, out, &n, data + at, 16);
	memcpy(last, data + whole, rest);
	if (rest < 16)
		last[rest] = 0x80;
	xor_block(last, rest == 16 ? keys[1] : keys[2], 16);
	EVP_EncryptUpdate(ctx, mac, &n, last, 16);
	EVP_CIPHER_CTX_free(ctx);
}

static void cmac(const uint8_t *key, const uint8_t *data, size_t length, uint8_t *out)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	char name[] = "AES-128-CBC";
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0),
		OSSL_PARAM_construct_end()};
	size_t n;

	EVP_MAC_init(ctx, key, 16, params);
	EVP_MAC_update(ctx, data, length);
	EVP_MAC_final(ctx, out, &n, 16);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

/* Writes the whole MAC, returns how many octets of it ESP carries; 0 = no such algorithm. */
static unsigned integrity_of(
	const struct openssl_association *a, const uint8_t *data, size_t length, uint8_t *mac)
{
	static const struct {
		unsigned id, key_length, icv;
		const EVP_MD *(*digest)(void);
	} hashes[] = {{2, 20, 12, EVP_sha1}, {12, 32, 16, EVP_sha256}, {13, 48, 24, EVP_sha384},
		{14, 64, 32, EVP_sha512}};

	for (unsigned i = 0; i < 4; i++)
		if (hashes[i].id == a->integrity) {
			if (length)
				HMAC(hashes[i].digest(), a->integrity_key,
					(int)hashes[i].key_length, data, length, mac, NULL);
			return hashes[i].icv;
		}
	if (a->integrity != 5 && a->integrity != 8)
		return 0;
	if (length)
		(a->integrity == 5 ? xcbc : cmac)(a->integrity_key, data, length, mac);
	return 12;
}

static int separate_open(const struct openssl_association *a, const uint8_t *esp, uint32_t length,
	uint64_t sequence, uint8_t *text)
{
	static uint8_t covered[65536 + 4];
	uint8_t mac[64], whole_number[8], iv[16] = {0};
	unsigned icv = integrity_of(a, NULL, 0, mac);
	unsigned salt = a->encryption == 13 ? 4 : 0, key_length = a->encryption_key_length - salt;
	unsigned iv_length = a->encryption == 12 ? 16 : a->encryption == 13 ? 8 : 0;
	int text_length = (int)(length - 8 - iv_length - icv), n;
	size_t covered_length = length - icv;

	if (icv == 0)
		return NO_ALGORITHM;
	memcpy(covered, esp, covered_length);
	write64(whole_number, sequence);
	if (a->esn) { /* RFC 4303 3.3.2.1 */
		memcpy(covered + covered_length, whole_number, 4);
		covered_length += 4;
	}
	integrity_of(a, covered, covered_length, mac);
	if (memcmp(mac, esp + length - icv, icv) != 0)
		return NOT_AUTHENTIC;
	if (a->encryption == 11) {
		memcpy(text, esp + 8, (size_t)text_length);
		return text_length;
	}
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (a->encryption == 12) {
		memcpy(iv, esp + 8, 16);
	} else { /* RFC 3686 4 */
		memcpy(iv, a->encryption_key + key_length, 4);
		memcpy(iv + 4, esp + 8, 8);
		iv[15] = 1;
	}
	EVP_DecryptInit_ex(ctx, aes(a->encryption == 12 ? "CBC" : "CTR", key_length), NULL,
		a->encryption_key, iv);
	EVP_CIPHER_CTX_set_padding(ctx, 0);
	EVP_DecryptUpdate(ctx, text, &n, esp + 8 + iv_length, text_length);
	EVP_CIPHER_CTX_free(ctx);
	return text_length;
}

int openssl_reader_open(const struct openssl_association *a, const uint8_t *esp, uint32_t length,
	uint64_t sequence, uint8_t *text)
{
	switch (a->encryption) {
	case 11: /* NULL */
	case 12: /* CBC */
	case 13: /* CTR */
		return separate_open(a, esp, length, sequence, text);
	case 14: /* CCM_8 */
	case 18: /* GCM_8 */
		return aead_open(a, esp, length, sequence, text, 8);
	case 15:
	case 19:
		return aead_open(a, esp, length, sequence, text, 12);
	case 16:
	case 20:
	case 21: /* GMAC */
	case 28: /* ChaCha20-Poly1305 */
		return aead_open(a, esp, length, sequence, text, 16);
	case 29: /* CCM_8 with implicit IV */
		return aead_open(a, esp, length, sequence, text, 8);
	case 30:
	case 31:
		return aead_open(a, esp, length, sequence, text, 16);
	default:
		return NO_ALGORITHM;
	}
}
