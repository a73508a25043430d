#include "dataplane/crypto/esp_codec.h"

#include "lib/wire/checksum.h"

#define IPV4_HEADER_MIN 20
#define IPV6_HEADER     40
#define IPV6_HOP_BY_HOP 0
#define SHORT_PADDING   16

/* ESP-FMT-05: 1, 2, 3 ... */
static const uint8_t PADDING[255] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
	19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41,
	42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64,
	65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87,
	88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108,
	109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126,
	127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144,
	145, 146, 147, 148, 149, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 161, 162,
	163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 179, 180,
	181, 182, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 198,
	199, 200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216,
	217, 218, 219, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234,
	235, 236, 237, 238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252,
	253, 254, 255};

uint32_t esp_codec_inner_mtu(const struct suite *suite, uint32_t path_mtu, uint32_t outer_length)
{
	uint32_t fixed = outer_length + esp_codec_text_offset(suite) + suite->icv_length;

	if (path_mtu < fixed + suite->alignment)
		return 0;
	return ((path_mtu - fixed) & ~(suite->alignment - 1u)) - ESP_TRAILER_LENGTH;
}

uint32_t esp_codec_trailer_write(uint8_t *at, uint32_t padding, uint8_t next_header)
{
	if (padding < SHORT_PADDING) /* cheaper than a call */
		for (uint32_t i = 0; i < padding; i++)
			at[i] = (uint8_t)(i + 1);
	else
		memcpy(at, PADDING, padding);
	at[padding] = (uint8_t)padding;
	at[padding + 1] = next_header;
	return padding + ESP_TRAILER_LENGTH;
}

uint32_t esp_codec_tfc_padding(uint32_t payload, uint32_t wish, uint32_t inner_mtu)
{
	uint32_t target = wish < inner_mtu ? wish : inner_mtu;

	return target > payload ? target - payload : 0;
}

enum esp_verdict esp_codec_check_length(const struct suite *suite, uint32_t length)
{
	uint32_t fixed = esp_codec_text_offset(suite) + suite->icv_length;

	if (length < fixed + suite->alignment)
		return ESP_TOO_SHORT;
	return (length - fixed) & (suite->alignment - 1u) ? ESP_BAD_LENGTH : ESP_ACCEPT;
}

static bool padding_is_right(const uint8_t *at, uint32_t padding)
{
	uint32_t difference = 0;

	if (padding >= SHORT_PADDING)
		return memcmp(at, PADDING, padding) == 0;
	for (uint32_t i = 0; i < padding; i++)
		difference |= at[i] ^ (i + 1);
	return difference == 0;
}

enum esp_verdict esp_codec_trailer_read(const uint8_t *tail, uint32_t tail_length, uint32_t length,
	uint32_t *payload_length, uint8_t *next_header)
{
	uint32_t padding;

	if (length < ESP_TRAILER_LENGTH || tail_length < ESP_TRAILER_LENGTH || tail_length > length)
		return ESP_BAD_PAD;
	padding = tail[tail_length - 2];
	if (padding + ESP_TRAILER_LENGTH > tail_length)
		return ESP_BAD_PAD;
	if (!padding_is_right(tail + tail_length - ESP_TRAILER_LENGTH - padding, padding))
		return ESP_BAD_PAD;
	*next_header = tail[tail_length - 1];
	*payload_length = length - ESP_TRAILER_LENGTH - padding;
	return ESP_ACCEPT;
}

static uint32_t read16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* Nearly every header has no options: five words, added at once. */
static bool header_sum_is_right(const uint8_t *head, uint32_t header)
{
	uint32_t words[5];
	uint64_t sum = 0;

	if (header != IPV4_HEADER_MIN)
		return checksum_verify(checksum_add(0, head, header));
	memcpy(words, head, sizeof(words));
	for (unsigned i = 0; i < 5; i++)
		sum += words[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static enum esp_verdict check_ipv4(
	const uint8_t *head, uint32_t head_length, uint32_t payload_length, uint32_t *inner_length)
{
	if (payload_length < IPV4_HEADER_MIN || head_length < IPV4_HEADER_MIN || head[0] >> 4 != 4)
		return ESP_INNER_MALFORMED;
	uint32_t header = (head[0] & 15u) * 4, total = read16(head + 2);
	if (header < IPV4_HEADER_MIN || header > head_length || total < header ||
		total > payload_length)
		return ESP_INNER_MALFORMED;
	if (!header_sum_is_right(head, header))
		return ESP_INNER_MALFORMED;
	*inner_length = total;
	return ESP_ACCEPT;
}

/* A length of zero with hop-by-hop options announces a jumbo payload, which TFC padding makes
 * undecidable. */
static enum esp_verdict check_ipv6(
	const uint8_t *head, uint32_t head_length, uint32_t payload_length, uint32_t *inner_length)
{
	if (payload_length < IPV6_HEADER || head_length < IPV6_HEADER || head[0] >> 4 != 6)
		return ESP_INNER_MALFORMED;
	uint32_t length = read16(head + 4);
	if (length + IPV6_HEADER > payload_length || (length == 0 && head[6] == IPV6_HOP_BY_HOP))
		return ESP_INNER_MALFORMED;
	*inner_length = length + IPV6_HEADER;
	return ESP_ACCEPT;
}

enum esp_verdict esp_codec_inner_check(const uint8_t *head, uint32_t head_length,
	uint32_t payload_length, uint8_t next_header, uint32_t *inner_length)
{
	if (head_length > payload_length)
		head_length = payload_length;
	switch (next_header) {
	case ESP_NEXT_HEADER_NONE:
		return ESP_DUMMY;
	case ESP_NEXT_HEADER_IPV4:
		return check_ipv4(head, head_length, payload_length, inner_length);
	case ESP_NEXT_HEADER_IPV6:
		return check_ipv6(head, head_length, payload_length, inner_length);
	default:
		return ESP_BAD_NEXT_HEADER;
	}
}
