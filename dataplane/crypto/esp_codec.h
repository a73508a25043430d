/*
 * What is ESP but not cryptography, on plain octets: lengths, padding, trailer, TFC, and how much
 * fits a path (RFC 4303 2, 3.3.2, 3.4.4; ESP-FMT, MTU-01). Pure; any thread.
 *
 *   SPI 4 | sequence 4 | IV | payload | TFC padding | padding | pad length 1 | next header 1 | ICV
 *                           '------------------ text, encrypted -------------------------'
 */
#ifndef DATAPLANE_CRYPTO_ESP_CODEC_H
#define DATAPLANE_CRYPTO_ESP_CODEC_H

#include "dataplane/crypto/suite.h"

#include "lib/base/address.h"

#include <string.h>

#define ESP_HEADER_LENGTH     8
#define ESP_TRAILER_LENGTH    2
#define ESP_NEXT_HEADER_IPV4  4
#define ESP_NEXT_HEADER_IPV6  41
#define ESP_NEXT_HEADER_NONE  59 /* a dummy packet (ESP-FMT-11) */
#define ESP_SPI_RESERVED_LAST 255

enum esp_verdict {
	ESP_ACCEPT,
	ESP_TOO_SHORT,       /* BAD-01 */
	ESP_BAD_LENGTH,      /* BAD-02 */
	ESP_BAD_PAD,         /* BAD-13, BAD-14 */
	ESP_BAD_NEXT_HEADER, /* BAD-15 */
	ESP_DUMMY,           /* BAD-16: authentic, discard without a word */
	ESP_INNER_MALFORMED, /* BAD-17 */
};

/* Octets before the text. */
static inline uint32_t esp_codec_text_offset(const struct suite *suite)
{
	return ESP_HEADER_LENGTH + suite->iv_length;
}

/* Padding octets that follow `payload` octets (TFC padding included): 0..15 (ESP-FMT-04). */
static inline uint32_t esp_codec_padding(const struct suite *suite, uint32_t payload)
{
	return -(payload + ESP_TRAILER_LENGTH) & (suite->alignment - 1u);
}

/* Octets of text for `payload` octets: the whole encrypted part. */
static inline uint32_t esp_codec_text_length(const struct suite *suite, uint32_t payload)
{
	return payload + esp_codec_padding(suite, payload) + ESP_TRAILER_LENGTH;
}

/* Octets of the ESP packet, header to ICV, for `payload` octets. */
static inline uint32_t esp_codec_packet_length(const struct suite *suite, uint32_t payload)
{
	return esp_codec_text_offset(suite) + esp_codec_text_length(suite, payload) +
	       suite->icv_length;
}

/* SPI (host order) and the low half of the number. */
static inline void esp_codec_header_write(uint8_t *esp, uint32_t spi, uint64_t sequence)
{
	const uint32_t words[2] = {__builtin_bswap32(spi), __builtin_bswap32((uint32_t)sequence)};

	memcpy(esp, words, sizeof(words));
}

static inline uint32_t esp_codec_spi(const uint8_t *esp)
{
	uint32_t word;

	memcpy(&word, esp, sizeof(word));
	return __builtin_bswap32(word);
}

static inline uint32_t esp_codec_sequence_low(const uint8_t *esp)
{
	return esp_codec_spi(esp + 4);
}

/*
 * The largest payload whose ESP packet fits `path_mtu` behind `outer_length` octets of outer
 * headers (IP 20 or 40 with what follows it, and 8 of UDP); 0 when none fits (MTU-01). One octet
 * more does not fit.
 */
uint32_t esp_codec_inner_mtu(const struct suite *suite, uint32_t path_mtu, uint32_t outer_length);

/* Padding 1, 2, 3 ..., its length and the next header, at `at` (ESP-FMT-05). Returns the octets
 * written: padding + 2; padding 0..255. */
uint32_t esp_codec_trailer_write(uint8_t *at, uint32_t padding, uint8_t next_header);

/*
 * TFC padding for `payload` octets: enough to reach `wish` (UINT32_MAX: inner_mtu), never beyond
 * inner_mtu (ESP-FMT-15). Tunnel mode only; the octets are the caller's to write.
 */
uint32_t esp_codec_tfc_padding(uint32_t payload, uint32_t wish, uint32_t inner_mtu);

/* Before any crypto: ESP_ACCEPT, ESP_TOO_SHORT or ESP_BAD_LENGTH for an ESP packet of `length`
 * octets (ESP-FMT-17). */
enum esp_verdict esp_codec_check_length(const struct suite *suite, uint32_t length);

/*
 * The trailer of authentic text: payload octets (TFC padding still among them) and next header.
 * `tail` are the last `tail_length` octets of the text, all of it or at least 257 (padding can be
 * 255 octets); `length` is that of the whole text. ESP_ACCEPT or ESP_BAD_PAD (ESP-FMT-06..08).
 */
enum esp_verdict esp_codec_trailer_read(const uint8_t *tail, uint32_t tail_length, uint32_t length,
	uint32_t *payload_length, uint8_t *next_header);

/*
 * Tunnel mode: the inner packet's own length within `payload_length` octets; TFC padding behind it
 * is ignored. The first `head_length` octets are at `head`: all of them, or at least the inner
 * header (60 octets are always enough). ESP_ACCEPT, ESP_DUMMY, ESP_BAD_NEXT_HEADER or
 * ESP_INNER_MALFORMED (ESP-FMT-10..14).
 */
enum esp_verdict esp_codec_inner_check(const uint8_t *head, uint32_t head_length,
	uint32_t payload_length, uint8_t next_header, uint32_t *inner_length);

#endif
