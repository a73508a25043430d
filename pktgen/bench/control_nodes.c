#include "pktgen/bench/control_nodes.h"

#include "lib/base/clock.h"
#include "lib/wire/ipv4.h"
#include "lib/wire/mip4.h"
#include "lib/wire/udp.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define SPI         0x100u
#define KEY_SIZE    16u
#define LIFETIME_S  1800
#define PORT_FIRST  1024u
#define PORT_COUNT  60000u
#define HOME_FIRST  0x0a000100u /* 10.0.1.0 */
#define NAT_FIRST   0xcb000000u /* 203.0.0.0, 64 nodes behind each */
#define CARE_OF     0x64400000u /* 100.64.0.0/10 */
#define PRIVATE     0xc0a80017u /* 192.168.0.23, the same behind every NAT */
#define HEADER_SIZE (IPV4_HEADER_SIZE + UDP_HEADER_SIZE)

struct node {
	uint64_t identification; /* of the request that waits; 0 none does */
	uint32_t moves;
};

struct control_nodes {
	uint32_t count, next;
	uint64_t asked, answered;
	uint32_t agent; /* host order */
	struct node nodes[];
};

struct control_nodes *control_nodes_new(uint32_t count)
{
	struct control_nodes *nodes = calloc(1, sizeof(*nodes) + count * sizeof(struct node));

	if (nodes) {
		nodes->count = count;
		nodes->agent = ntohl(inet_addr(CONTROL_AGENT));
	}
	return nodes;
}

void control_nodes_free(struct control_nodes *nodes)
{
	free(nodes);
}

static bool behind_nat(uint32_t node)
{
	return node & 2;
}

static uint32_t care_of(const struct control_nodes *nodes, uint32_t node)
{
	return behind_nat(node) ? PRIVATE : CARE_OF + (node * 4 + nodes->nodes[node].moves % 4);
}

/* What control sees the request come from. */
static uint32_t source(const struct control_nodes *nodes, uint32_t node)
{
	return behind_nat(node) ? NAT_FIRST + node / 64 : care_of(nodes, node);
}

static uint16_t source_port(const struct control_nodes *nodes, uint32_t node)
{
	return (uint16_t)(PORT_FIRST + (node + nodes->nodes[node].moves) % PORT_COUNT);
}

static void key_make(uint32_t node, uint8_t key[KEY_SIZE])
{
	uint64_t x = node * 0x9e3779b97f4a7c15ull + 1;

	for (unsigned i = 0; i < KEY_SIZE; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		key[i] = (uint8_t)(x >> 32);
	}
}

void control_nodes_print(const struct control_nodes *nodes, FILE *out)
{
	uint8_t key[KEY_SIZE];

	fputs("mobile_nodes = (\n", out);
	for (uint32_t n = 0; n < nodes->count; n++) {
		struct in_addr home = {.s_addr = htonl(HOME_FIRST + n)};
		fprintf(out,
			" { home_address = \"%s\"; security = ( { spi = %u; algorithm = \"%s\"; "
			"key = \"",
			inet_ntoa(home), SPI, n & 1 ? "hmac-sha1" : "hmac-md5");
		key_make(n, key);
		for (unsigned i = 0; i < KEY_SIZE; i++)
			fprintf(out, "%02x", key[i]);
		fprintf(out, "\"; } ); }%s\n", n + 1 < nodes->count ? "," : "");
	}
	fputs(");\n", out);
}

static unsigned authenticator_length(uint32_t node)
{
	return node & 1 ? 20 : 16;
}

static void authenticate(uint32_t node, const void *data, size_t length, uint8_t *out)
{
	uint8_t key[KEY_SIZE];

	key_make(node, key);
	if (!HMAC(node & 1 ? EVP_sha1() : EVP_md5(), key, KEY_SIZE, data, length, out, NULL))
		abort();
}

bool control_nodes_ask(struct control_nodes *nodes, struct punt_record *record)
{
	uint32_t n = nodes->next;
	struct node *node = &nodes->nodes[n];
	struct clock_now now = clock_read();
	struct writer w = writer_make(record->data, MIP4_PAYLOAD_MAX);

	if (node->identification)
		return false;
	nodes->next = (n + 1) % nodes->count;
	nodes->asked++;
	node->moves++;
	node->identification = clock_ntp_timestamp(now.wall_ns);
	struct mip4_request request = {
		.home_address = htonl(HOME_FIRST + n),
		.home_agent = htonl(nodes->agent),
		.care_of_address = htonl(care_of(nodes, n)),
		.lifetime_s = LIFETIME_S,
		.flags = MIP4_D | MIP4_T,
		.identification = node->identification,
	};
	mip4_request_write(&w, &request);
	if (behind_nat(n))
		mip4_udp_tunnel_request_write(&w, &(struct mip4_udp_tunnel_request){0});
	uint8_t *room = mip4_authentication_write(
		&w, MIP4_EXT_MOBILE_HOME_AUTH, SPI, (uint8_t)authenticator_length(n));
	authenticate(n, record->data, (size_t)(room - record->data), room);
	memset(record, 0, offsetof(struct punt_record, data));
	record->received_ns = now.monotonic_ns;
	record->source = ip_address_from_v4(htonl(source(nodes, n)));
	record->destination = ip_address_from_v4(htonl(nodes->agent));
	record->source_port = htons(source_port(nodes, n));
	record->destination_port = htons(MIP4_PORT);
	record->kind = PUNT_MOBILE_IPV4;
	record->ttl = 64;
	memcpy(record->source_mac, "\x02\x00\x00\x00\x00\x10", 6);
	record->length = (uint16_t)writer_length(&w);
	return true;
}

static bool bad(const char *what, uint32_t node, unsigned value)
{
	fprintf(stderr, "control_bench: a reply with a wrong %s, node %u: %u\n", what, node, value);
	return false;
}

static bool authentic(const struct mip4_message *message, uint32_t node)
{
	uint8_t expected[EVP_MAX_MD_SIZE];
	struct mip4_authentication found;
	int at = mip4_extension_find(message, MIP4_EXT_MOBILE_HOME_AUTH, 0);

	if (at < 0 || !mip4_authentication_read(message, &message->extensions[at], &found) ||
		found.spi != SPI || found.authenticator_length != authenticator_length(node))
		return false;
	authenticate(node, message->payload, found.covered, expected);
	return memcmp(expected, found.authenticator, found.authenticator_length) == 0;
}

bool control_nodes_hear(struct control_nodes *nodes, const struct inject_record *record)
{
	struct ipv4_header ip;
	struct udp_datagram udp;
	struct mip4_message message;

	if (record->kind != INJECT_DATAGRAM || record->length > sizeof(record->data) ||
		ipv4_parse(&ip, record->data, record->length) != IPV4_OK ||
		ip.protocol != IP_PROTOCOL_UDP || udp_parse_v4(&udp, &ip) != UDP_OK)
		return bad("header", UINT32_MAX, record->kind);
	if (mip4_parse(&message, udp.payload, udp.payload_length, false) != MIP4_OK ||
		message.type != MIP4_REGISTRATION_REPLY)
		return bad("message", UINT32_MAX, message.type);
	uint32_t n = ntohl(message.reply.home_address) - HOME_FIRST;
	if (n >= nodes->count)
		return bad("home address", n, message.reply.code);
	struct node *node = &nodes->nodes[n];
	if (message.reply.code != 0)
		return bad("code", n, message.reply.code);
	if (node->identification == 0 || message.reply.identification != node->identification)
		return bad("identification", n, (unsigned)message.reply.identification);
	if (ip.destination != htonl(source(nodes, n)) || ip.source != htonl(nodes->agent) ||
		udp.destination_port != source_port(nodes, n) || udp.source_port != MIP4_PORT)
		return bad("address or port", n, udp.destination_port);
	if (!authentic(&message, n))
		return bad("authenticator", n, message.extension_count);
	node->identification = 0;
	nodes->answered++;
	return true;
}

struct control_path control_nodes_path(const struct control_nodes *nodes)
{
	uint32_t n = (nodes->next + nodes->count - 1) % nodes->count;

	return (struct control_path){.home_address = ip_address_from_v4(htonl(HOME_FIRST + n)),
		.care_of_address = ip_address_from_v4(htonl(source(nodes, n))),
		.care_of_port = behind_nat(n) ? htons(source_port(nodes, n)) : 0};
}

uint64_t control_nodes_asked(const struct control_nodes *nodes)
{
	return nodes->asked;
}

uint64_t control_nodes_answered(const struct control_nodes *nodes)
{
	return nodes->answered;
}
