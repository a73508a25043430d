/*
 * The lane of inbound ESP against the steps: one script of bursts and changes of the tables is
 * played to a dataplane with lanes and to one without, and all that can be seen of the two must be
 * the same, octet by octet: frames of each flow in their order, counters, events, states of SAs.
 *
 * The script is random, from a seed: several peers with suites, windows and selectors of all kinds,
 * whose packets come usual, repeated, late, forged, authentic but hostile inside, from elsewhere,
 * in fragments, with trailing octets; among them packets that are no ESP at all. Between bursts
 * routes, neighbours, policies, addresses and SAs come and go. In most bursts hardly anything is
 * odd, as one odd packet may take all of its SA away from the lane; how many left by the lane, and
 * how many it deciphered for the steps to judge, is asserted: a lane that takes nothing proves
 * nothing.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/lane/lane.h"
#include "dataplane/packet.h"

#include "tests/unit/dataplane/lane_record.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>

#define HERE       0xc0000201u /* 192.0.2.1 */
#define PEERS      0xcb007100u /* 203.0.113.0 and on */
#define HOSTS      0x0a630000u /* 10.99.0.0 and on: the peers' inner addresses */
#define NODES      0x0a3c0000u /* 10.60.0.0 and on: home addresses of mobile peers */
#define SPIS       0xc0001000u
#define LOCAL_LAST 0x0a01ffffu /* 10.1.255.255 */
#define FRAME_MAX  2000
#define KEPT       64
#define ETHERNET   14
#define MTU_SMALL  300
#define WAIT_MAX   8 /* output/neighbor holds as many */

enum { BURSTS = 2500 };

struct peer { /* an SA and its far end */
	uint16_t encryption, integrity, window;
	uint8_t key_length, integrity_length;
	uint32_t flags;
	bool subnet; /* its selector is no single host */
	bool limits; /* it is always close to one */
	uint32_t spi_high;
	uint32_t local; /* the last destination that its selector has; 0 any */
};

static const struct peer peers[] = {
	{SA_ENCRYPTION_AES_GCM_16, 0, 1024, 20, 0, 0, false, false, 0},
	{SA_ENCRYPTION_AES_GCM_16, 0, 64, 20, 0, SA_UDP, false, false, 0},
	{SA_ENCRYPTION_AES_GCM_16, 0, 1024, 36, 0, SA_ESN, false, false, 0},
	{SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA2_256_128, 128, 16, 32, 0, false, false, 0},
	{SA_ENCRYPTION_CHACHA20_POLY1305, 0, 64, 36, 0, SA_UDP | SA_DSCP_COPY_IN, false, false, 0},
	{SA_ENCRYPTION_AES_GCM_16, 0, 0, 20, 0, 0, false, false, 0},
	{SA_ENCRYPTION_AES_GCM_16, 0, 64, 20, 0, 0, true, false, 0},
	{SA_ENCRYPTION_AES_GCM_16, 0, 64, 20, 0, 0, false, true, 0},
	{SA_ENCRYPTION_AES_GCM_16, 0, 64, 20, 0, 0, false, false, 5}, /* an SPI of another slot */
	{SA_ENCRYPTION_AES_GCM_16_IIV, 0, 64, 20, 0, SA_ESN | SA_UDP, false, false, 0},
	{SA_ENCRYPTION_NULL, SA_INTEGRITY_HMAC_SHA1_96, 64, 0, 20, 0, false, false, 0},
	{SA_ENCRYPTION_AES_GCM_16, 0, 64, 20, 0, 0, false, false, 0, LOCAL_LAST},
};
#define PEERS_COUNT ((unsigned)RTE_DIM(peers))

struct frame {
	uint32_t length;
	uint8_t octets[FRAME_MAX];
};

struct script { /* one performance */
	struct world *world;
	struct record *record;
	uint64_t random;
	uint64_t numbers[PEERS_COUNT];       /* last one used */
	struct crypto_key keys[PEERS_COUNT]; /* of the SA as it was set last */
	const struct suite *suites[PEERS_COUNT];
	uint8_t generation[PEERS_COUNT];
	struct frame kept[KEPT]; /* sent before, to be repeated */
	uint64_t frames;
	unsigned step;
	uint32_t local_host;
	bool calm;    /* hardly anything is odd in this burst */
	bool even;    /* nothing is, but what is asked for */
	bool waiting; /* a next hop is not resolved: few packets wait for it */
};

static uint32_t next(struct script *s, uint32_t below)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ z >> 31) % below);
}

/* One of `of`, and hardly ever in a burst that is calm: one odd packet takes all of its SA's away
 * from the lane. */
static bool odd(struct script *s, uint32_t of)
{
	return !s->even && next(s, s->calm ? 100 * of : of) == 0;
}

static struct ip_address v4(uint32_t host)
{
	return ip_address_from_v4(rte_cpu_to_be_32(host));
}

static uint32_t spi_of(unsigned peer)
{
	return SPIS + peer + (peers[peer].spi_high << 4);
}

static void apply(struct script *s, struct command c)
{
	int error = world_apply(s->world, &c);

	/* A removed SA cannot be moved. */
	if (error != 0 && error != EAGAIN && (error != EINVAL || c.type != COMMAND_SA_SET))
		fail_msg("command %u refused: %d (SA %u)", c.type, error, c.sa.sa_id);
}

/* ---- tables ---- */

static struct selector selector_of(unsigned peer)
{
	uint32_t host = HOSTS + peer * 16;

	return (struct selector){.local_first = v4(0),
		.local_last = v4(peers[peer].local ? peers[peer].local : UINT32_MAX),
		.remote_first = v4(host),
		.remote_last = v4(host + (peers[peer].subnet ? 3 : 0)),
		.local_port_last = UINT16_MAX,
		.remote_port_last = UINT16_MAX};
}

static struct command sa_command(unsigned peer)
{
	const struct peer *p = &peers[peer];

	return (struct command){.type = COMMAND_SA_SET,
		.sa = {.local = v4(HERE),
			.remote = v4(PEERS + peer),
			.sa_id = peer,
			.spi = rte_cpu_to_be_32(spi_of(peer)),
			.flags = p->flags,
			.pair_id = SA_NONE,
			.encryption = p->encryption,
			.integrity = p->integrity,
			.local_port = p->flags & SA_UDP ? RTE_BE16(4500) : 0,
			.remote_port = p->flags & SA_UDP ? RTE_BE16(4500) : 0,
			.replay_window = p->window,
			.direction = SA_INBOUND,
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY}};
}

static void sa_make(struct script *s, unsigned peer)
{
	const struct peer *p = &peers[peer];
	struct command key = {.type = COMMAND_SA_KEY,
		.sa_key = {.sa_id = peer,
			.direction = SA_INBOUND,
			.encryption_length = p->key_length,
			.integrity_length = p->integrity_length}};
	struct command limits = {.type = COMMAND_SA_LIMITS,
		.sa_limits = {.sa_id = peer,
			.direction = SA_INBOUND,
			.soft_packets = 40,
			.hard_packets = 120,
			.hard_bytes = 60000}};
	const struct sa_inbound *sa;

	memset(key.sa_key.encryption_key, ++s->generation[peer], p->key_length);
	memset(key.sa_key.integrity_key, s->generation[peer], p->integrity_length);
	apply(s, key);
	if (p->limits)
		apply(s, limits);
	apply(s, (struct command){.type = COMMAND_SA_SELECTOR,
			 .sa_selector = {.sa_id = peer,
				 .direction = SA_INBOUND,
				 .selector = selector_of(peer)}});
	apply(s, sa_command(peer));
	sa = sa_inbound_get(tables_sas(s->world->tables), peer);
	assert_non_null(sa);
	s->keys[peer] = *sa->key;
	s->suites[peer] = sa->suite;
	s->numbers[peer] = 0;
}

static void policy(struct script *s, uint32_t id, uint32_t net, uint8_t action)
{
	apply(s, (struct command){.type = COMMAND_POLICY_SET,
			 .policy = {.selector = {.local_first = v4(0),
					    .local_last = v4(UINT32_MAX),
					    .remote_first = v4(net),
					    .remote_last = v4(net | 0xffff),
					    .local_port_last = UINT16_MAX,
					    .remote_port_last = UINT16_MAX},
				 .policy_id = id,
				 .order = id,
				 .sa_id = SA_NONE,
				 .direction = SA_OUTBOUND,
				 .action = action}});
	apply(s, (struct command){.type = COMMAND_POLICY_COMMIT});
}

/* RFC 5266, mode mc: a mobile node inside its own ESP. */
static void node_bind(struct script *s, unsigned peer, uint32_t flags)
{
	apply(s, (struct command){.type = COMMAND_BINDING_SET,
			 .binding = {.home_address = v4(NODES + peer),
				 .care_of_address = v4(HOSTS + peer * 16),
				 .care_of_field = v4(HOSTS + peer * 16),
				 .agent_address = v4(HERE),
				 .expires_ns = CLOCK_NEVER,
				 .binding_id = 8 + peer,
				 .flags = flags,
				 .home_port = PORT_NONE,
				 .encapsulation = ENCAPSULATION_IPIP}});
}

static void world_make(struct script *s)
{
	struct world *w = s->world;

	world_agent(w, "192.0.2.1", AGENT_NO_BINDING_CHECK);
	world_local(w, "192.0.2.1", 0);
	world_local(w, "10.6.9.9", 1); /* ours, among what is routed */
	world_route(w, "10.1.0.0/16", "172.16.1.2", 1);
	world_route(w, "10.6.0.0/16", "172.16.1.2", 1);
	world_route(w, "10.2.0.0/16", NULL, 2);
	world_route(w, "10.4.0.0/16", "192.0.2.2", 0);
	world_route(w, "10.99.0.0/16", "192.0.2.2", 0);
	world_route(w, "203.0.113.0/24", "192.0.2.2", 0);
	world_neighbor(w, "172.16.1.2", 1, 2);
	world_neighbor(w, "192.0.2.2", 0, 3);
	world_neighbor(w, "10.5.0.8", 2, 8);
	for (unsigned i = 1; i < 7; i++)
		apply(s, (struct command){.type = COMMAND_NEIGHBOR_SET,
				 .neighbor = {.address = v4(0x0a020000u + i),
					 .port = 2,
					 .mac = {2, 0, 0, 2, 0, (uint8_t)i}}});
	apply(s, (struct command){.type = COMMAND_ROUTE_SET,
			 .route = {.prefix = {.address = v4(0x0a030000u), .length = 96 + 16},
				 .next_hop = v4(0xac100102u),
				 .port = 1,
				 .mtu = MTU_SMALL}});
	world_home_network(w, "10.5.0.0/16", 2);
	world_binding(w, 3, "10.5.0.7", "203.0.113.200", 0, ENCAPSULATION_IPIP, 0);
	for (unsigned i = 0; i < PEERS_COUNT; i++)
		node_bind(s, i, BINDING_REVERSE | (i % 2 ? BINDING_REQUIRES_IPSEC : 0));
	policy(s, 1, 0x0a040000u, POLICY_BYPASS);
	policy(s, 2, 0x0a990000u, POLICY_DISCARD);
	policy(s, 3, 0xcb000000u, POLICY_BYPASS);
	for (unsigned i = 0; i < PEERS_COUNT; i++)
		sa_make(s, i);
}

/* MOBIKE, or a NAT that control has heard of. */
static void sa_move(struct script *s, unsigned peer)
{
	struct command c = sa_command(peer);

	if (next(s, 2))
		c.sa.remote = v4(PEERS + 64 + peer);
	else if (c.sa.flags & SA_UDP)
		c.sa.remote_port = RTE_BE16(7777);
	apply(s, c);
}

static void sa_restore(struct script *s, unsigned peer)
{
	const struct sa_inbound *sa = sa_inbound_get(tables_sas(s->world->tables), peer);

	if (sa == NULL || sa->state != SA_STATE_LIVE)
		sa_make(s, peer);
	else
		apply(s, sa_command(peer));
}

/* All as it was. */
static void tables_restore(struct script *s)
{
	s->world->ports[1].up = true;
	s->waiting = false;
	if (s->local_host != 0)
		apply(s, (struct command){.type = COMMAND_LOCAL_REMOVE,
				 .local = {.address = v4(s->local_host)}});
	s->local_host = 0;
	world_neighbor(s->world, "172.16.1.2", 1, (uint8_t)(2 + next(s, 2)));
	world_route(s->world, "10.1.0.0/16", "172.16.1.2", 1);
	for (unsigned i = 0; i < PEERS_COUNT; i++)
		sa_restore(s, i);
}

/* Something that control might do between two bursts. */
static void table_change(struct script *s)
{
	unsigned peer = next(s, PEERS_COUNT), what = next(s, 13);

	if (what <= 1 && s->world->counters.held_neighbor != 0)
		return; /* which of many would wait is nobody's right */
	switch (what) {
	case 9:
		node_bind(s, peer,
			next(s, 2) ? BINDING_REVERSE | BINDING_REQUIRES_IPSEC
				   : next(s, 2) * BINDING_HALF_BOUND);
		break;
	case 0:
		apply(s, (struct command){.type = COMMAND_NEIGHBOR_REMOVE,
				 .neighbor = {.address = v4(0xac100102u), .port = 1}});
		s->waiting = true;
		break;
	case 1:
		world_route(s->world, "10.1.0.0/16", "172.16.1.3", 1);
		s->waiting = true;
		break;
	case 2:
		apply(s, (struct command){.type = COMMAND_SA_REMOVE,
				 .sa = {.sa_id = peer, .direction = SA_INBOUND}});
		break;
	case 3:
		sa_move(s, peer);
		break;
	case 4:
		policy(s, 1, 0x0a040000u, next(s, 2) ? POLICY_BYPASS : POLICY_DISCARD);
		break;
	case 5:
		s->world->ports[1].up = next(s, 4) != 0;
		break;
	case 6:
		apply(s, (struct command){
				 .type = next(s, 2) ? COMMAND_LOCAL_SET : COMMAND_LOCAL_REMOVE,
				 .local = {.address = v4(0x0a060005u), .port = 1}});
		break;
	case 7:
		world_advance(s->world, 1 + next(s, 5000));
		break;
	case 8: /* a peer's own address is ours now, and near those of all peers ever after */
		if (s->step < BURSTS * 9 / 10)
			break;
		s->local_host = HOSTS + peer * 16;
		apply(s, (struct command){.type = COMMAND_LOCAL_SET,
				 .local = {.address = v4(s->local_host), .port = 1}});
		break;
	default:
		tables_restore(s);
	}
}

/* ---- packets ---- */

static void checksum_set(struct rte_ipv4_hdr *ip)
{
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, (ip->version_ihl & 15u) * 4u);
}

static uint32_t destination(struct script *s)
{
	static const uint32_t nets[] = {0x0a010000u, 0x0a010000u, 0x0a010000u, 0x0a020000u,
		0x0a030000u, 0x0a040000u, 0x0a050000u, 0x0a060000u, 0x0a630000u, 0x0b000000u,
		0xe0000000u, 0x7f000000u};
	uint32_t net = nets[next(s, odd(s, 4) ? RTE_DIM(nets) : s->calm ? 4 : 5)];

	if (net == 0x0a050000u)
		return net + 7 + next(s, 2);
	if (net == 0x0a060000u && next(s, 8) == 0)
		return 0x0a060909u;
	return net + 1 + next(s, 6);
}

/* A packet from `source`, mostly sound. Returns its length. */
static uint32_t packet_make(struct script *s, uint32_t source, uint8_t *text)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)text;
	static const uint16_t lengths[] = {20, 28, 40, 64, 200, 512, 1200};
	uint32_t length = lengths[next(s, RTE_DIM(lengths))] + next(s, 8);

	for (uint32_t i = 0; i < length; i++)
		text[i] = (uint8_t)(i * 7 + s->frames);
	if (length >= 24)
		memset(text + 20, 7, 4); /* ports: one flow to a destination */
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service = (uint8_t)(odd(s, 4) ? next(s, 256) : 0),
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.packet_id = rte_cpu_to_be_16((uint16_t)s->frames),
		.fragment_offset = next(s, 2) ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = (uint8_t)(odd(s, 8) ? next(s, 4) : 64),
		.next_proto_id = (uint8_t)(next(s, 4) ? IPPROTO_UDP : 253),
		.src_addr = rte_cpu_to_be_32(source),
		.dst_addr = rte_cpu_to_be_32(destination(s))};
	switch (odd(s, 4) ? next(s, 6) : UINT32_MAX) {
	case 0:
		ip->src_addr = rte_cpu_to_be_32(HOSTS + 1 + next(s, 200));
		break;
	case 1:
		ip->fragment_offset =
			rte_cpu_to_be_16((uint16_t)(next(s, 4) ? next(s, 0x10000) : 1));
		break;
	case 2:
		if (length >= 28)
			ip->version_ihl = (uint8_t)(0x40 | next(s, 8));
		break;
	case 3:
		ip->total_length = rte_cpu_to_be_16((uint16_t)next(s, length + 8));
		break;
	case 4:
		ip->src_addr = rte_cpu_to_be_32(next(s, 2) ? 0x0a060909u : 0x7f000001u);
		break;
	case 5: { /* an ICMP error about anything */
		ip->next_proto_id = IPPROTO_ICMP;
		if (length >= 32)
			memset(text + 20, 3, 2);
		break;
	}
	default:
		break;
	}
	if ((ip->version_ihl & 15u) >= 5 && (ip->version_ihl & 15u) * 4u <= length)
		checksum_set(ip);
	if (odd(s, 32))
		text[next(s, 20)] ^= (uint8_t)(1u << next(s, 8));
	return length;
}

/* What a peer sends: a packet of its own, or one of the mobile node that it is, in its tunnel. */
static uint32_t inner_make(struct script *s, unsigned peer, uint8_t *text)
{
	uint32_t host = HOSTS + peer * 16 + (peers[peer].subnet ? next(s, 4) : 0), length;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)text;

	if (next(s, 4) != 0)
		return packet_make(s, host, text);
	length = 20 + packet_make(s, NODES + (odd(s, 16) ? next(s, PEERS_COUNT) : peer),
			      text + sizeof(*ip));
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service = (uint8_t)(odd(s, 4) ? next(s, 256) : 0),
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.packet_id = rte_cpu_to_be_16((uint16_t)s->frames),
		.time_to_live = (uint8_t)(odd(s, 16) ? next(s, 2) : 64),
		.next_proto_id = (uint8_t)(odd(s, 16) ? next(s, 256) : IPPROTO_IPIP),
		.src_addr = rte_cpu_to_be_32(host),
		.dst_addr = rte_cpu_to_be_32(odd(s, 16) ? 0x0a060909u : HERE)};
	checksum_set(ip);
	return length;
}

/* Padding, trailer; returns the octets of text. */
static uint32_t trailer_make(
	struct script *s, const struct suite *suite, uint8_t *text, uint32_t length)
{
	static const uint8_t others[] = {41, 59, 17, 0};
	uint32_t all, tfc = odd(s, 8) ? next(s, 100) : 0, pad;

	memset(text + length, 0, tfc);
	length += tfc;
	pad = esp_codec_padding(suite, length);
	if (odd(s, 16)) /* more than it needs */
		pad += suite->alignment * next(s, 240 / suite->alignment);
	all = length + esp_codec_trailer_write(text + length, pad, ESP_NEXT_HEADER_IPV4);
	if (odd(s, 32))
		text[all - 1] = others[next(s, sizeof(others))];
	if (odd(s, 32))
		text[all - 2] = (uint8_t)next(s, 256);
	if (odd(s, pad > 4 ? 8 : 32) && pad > 0) /* many places to look at */
		text[all - 3 - next(s, pad)] ^= 1;
	return all;
}

static uint64_t number_of(struct script *s, unsigned peer)
{
	uint64_t *last = &s->numbers[peer];

	if (odd(s, 16)) /* behind, perhaps seen, perhaps too late */
		return *last > 1 ? *last - next(s, (uint32_t)RTE_MIN(*last, 1500u)) : ++*last;
	switch (next(s, 16)) {
	case 1:
		return *last += 1 + next(s, next(s, 4) ? 50 : 5000);
	case 2: /* then the one before comes after */
		*last += 2;
		return *last - 1;
	default:
		return ++*last;
	}
}

/* Outer headers around what begins at octets + ETHERNET + 20 (+ 8). */
static void outer_make(struct script *s, unsigned peer, struct frame *f, bool udp, uint32_t length)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f->octets + ETHERNET);
	struct rte_udp_hdr *header = (struct rte_udp_hdr *)(ip + 1);

	memcpy(f->octets, (const uint8_t[ETHERNET]){2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0xee, 9, 8, 0},
		ETHERNET);
	length += (uint32_t)(sizeof(*ip) + (udp ? sizeof(*header) : 0));
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service = (uint8_t)(odd(s, 3) ? next(s, 256) : 0),
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.packet_id = rte_cpu_to_be_16((uint16_t)s->frames),
		.time_to_live = 60,
		.next_proto_id = udp ? IPPROTO_UDP : IPPROTO_ESP,
		.src_addr = rte_cpu_to_be_32(PEERS + peer),
		.dst_addr = rte_cpu_to_be_32(HERE)};
	if (udp)
		*header = (struct rte_udp_hdr){.src_port = RTE_BE16(4500),
			.dst_port = RTE_BE16(4500),
			.dgram_len = rte_cpu_to_be_16((uint16_t)(length - sizeof(*ip)))};
	checksum_set(ip);
	f->length = ETHERNET + length;
}

/* Where the text of a peer's frame begins. */
static uint8_t *text_of(const struct script *s, unsigned peer, struct frame *f)
{
	return f->octets + ETHERNET + 20 + (peers[peer].flags & SA_UDP ? 8 : 0) +
	       esp_codec_text_offset(s->suites[peer]);
}

/* Around a packet of `length` octets that is there. */
static void seal(struct script *s, unsigned peer, struct frame *f, uint32_t length)
{
	const struct suite *suite = s->suites[peer];
	bool udp = (peers[peer].flags & SA_UDP) != 0;
	uint8_t *text = text_of(s, peer, f), *esp = text - esp_codec_text_offset(suite);
	uint64_t number = number_of(s, peer);
	struct crypto_operation operation = {.suite = suite,
		.key = &s->keys[peer],
		.esp = esp,
		.sequence = number,
		.flags = CRYPTO_IV_GIVEN | (peers[peer].flags & SA_ESN ? CRYPTO_ESN : 0)};

	operation.length = length = trailer_make(s, suite, text, length);
	memset(esp + ESP_HEADER_LENGTH, 0, suite->iv_length);
	if (suite->iv_length != 0)
		memcpy(esp + ESP_HEADER_LENGTH, &number, sizeof(number));
	esp_codec_header_write(esp, spi_of(peer), number);
	crypto_engine_encrypt_burst(s->world->worker.crypto, &operation, 1);
	assert_int_equal(operation.status, CRYPTO_DONE);
	outer_make(s, peer, f, udp, esp_codec_text_offset(suite) + length + suite->icv_length);
}

static void sealed_make(struct script *s, unsigned peer, struct frame *f)
{
	seal(s, peer, f, inner_make(s, peer, text_of(s, peer, f)));
}

/* The whole datagram's right checksum in place of none. */
static void udp_checksum_set(struct frame *f)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f->octets + ETHERNET);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	udp->dgram_cksum = 0;
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
}

static void udp_spoil(struct script *s, struct frame *f)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(f->octets + ETHERNET + 20);

	switch (next(s, 6)) {
	case 0:
		udp_checksum_set(f);
		break;
	case 1:
		udp_checksum_set(f);
		udp->dgram_cksum ^= 0x100;
		break;
	case 2:
		udp->src_port = RTE_BE16(7777);
		break;
	case 3:
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)next(s, 200));
		break;
	case 4: /* IKE, or a keepalive */
		memset(udp + 1, next(s, 2) ? 0 : 0xff, 4);
		if (next(s, 2))
			udp->dgram_len = RTE_BE16(9);
		break;
	default:
		udp->dst_port = RTE_BE16(next(s, 2) ? 500 : 434);
	}
}

/* Something on the way, or somebody, changes the frame. */
static void spoil(struct script *s, struct frame *f)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f->octets + ETHERNET);
	bool udp = ip->next_proto_id == IPPROTO_UDP;
	uint32_t at;

	switch (next(s, 14)) {
	case 0: /* forged, anywhere behind the SPI: one of another SA would come in the other
		   encapsulation, and the steps take what is not in UDP first */
	case 1:
		at = ETHERNET + 20 + (udp ? 8 : 0) + 4;
		f->octets[at + next(s, f->length - at)] ^= (uint8_t)(1u << next(s, 8));
		break;
	case 2:
		f->length -= next(s, RTE_MIN(f->length, 60u));
		break;
	case 3: /* Ethernet padding */
		memset(f->octets + f->length, 0, 40);
		f->length += 1 + next(s, 30);
		break;
	case 4:
		ip->fragment_offset =
			rte_cpu_to_be_16((uint16_t)(next(s, 2) ? 0x2000 : next(s, 100)));
		break;
	case 5:
		ip->src_addr = rte_cpu_to_be_32(PEERS + next(s, 80));
		break;
	case 6:
		ip->dst_addr = rte_cpu_to_be_32(next(s, 2) ? HERE + 1 : 0x0a060909u);
		break;
	case 7:
		f->octets[next(s, 14)] ^= 1;
		break;
	case 8:
		ip->next_proto_id = (uint8_t)(next(s, 2) ? IPPROTO_TCP : IPPROTO_AH);
		break;
	case 9: /* priority tagged */
		memmove(f->octets + 16, f->octets + 12, f->length - 12);
		memcpy(f->octets + 12, (const uint8_t[]){0x81, 0, 0x20, 0}, 4);
		f->length += 4;
		return;
	case 10: /* an SPI of nobody, or a small one */
		at = ETHERNET + 20 + (udp ? 8 : 0);
		memset(f->octets + at, next(s, 2) ? 0 : 0xc7, 3);
		break;
	case 11: /* cut where the total length says so */
		ip->total_length = rte_cpu_to_be_16((uint16_t)next(s, f->length));
		break;
	default:
		if (udp)
			udp_spoil(s, f);
	}
	if (next(s, 16) != 0)
		checksum_set(ip);
}

/* A packet in clear, to be forwarded or to us. */
static void clear_make(struct script *s, struct frame *f)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f->octets + ETHERNET);

	outer_make(s, 70, f, false, 60);
	ip->next_proto_id = (uint8_t)(next(s, 2) ? IPPROTO_ICMP : 253);
	if (next(s, 2))
		ip->dst_addr = rte_cpu_to_be_32(destination(s));
	checksum_set(ip);
}

static void frame_make(struct script *s, struct frame *f, unsigned peer)
{
	struct frame *kept = &s->kept[next(s, KEPT)];

	s->frames++;
	if (next(s, 16) == 0) {
		clear_make(s, f);
		return;
	}
	if (odd(s, 16) && kept->length != 0) {
		*f = *kept;
		return;
	}
	sealed_make(s, peer, f);
	if (odd(s, 8))
		spoil(s, f);
	*kept = *f;
}

static void burst(struct script *s, unsigned port)
{
	static struct frame f;
	struct rte_mbuf *packets[BURST_SIZE], *held[BURST_SIZE];
	unsigned most = next(s, 8) == 0 ? BURST_SIZE : BURST_SIZE_ESP;
	unsigned count = 1 + next(s, s->waiting ? WAIT_MAX : most), peer = next(s, PEERS_COUNT),
		 holding = 0;
	bool one = next(s, 3) == 0, plain;

	s->calm = next(s, 3) != 0;
	plain = s->calm || next(s, 3) != 0;
	for (unsigned i = 0; i < count; i++) {
		frame_make(s, &f, one ? peer : next(s, PEERS_COUNT));
		packets[i] = world_packet(
			s->world, f.octets, f.length, plain || next(s, 16) ? 1 : 1 + next(s, 3));
		if (!plain && next(s, 32) == 0 && packets[i]->nb_segs == 1) {
			rte_mbuf_refcnt_update(packets[i], 1);
			held[holding++] = packets[i];
		}
	}
	world_receive_mbufs(s->world, (uint16_t)port, packets, count);
	for (unsigned i = 0; i < holding; i++)
		rte_pktmbuf_free(held[i]);
}

/* ---- the comparison ---- */

struct outcome {
	struct record *record;
	struct worker_counters counters;
	uint64_t frames, taken, judged, tunnels; /* the last three by the lane */
};

static void perform(uint64_t seed, bool lanes, struct outcome *outcome)
{
	struct script *s = aligned_alloc(64, (sizeof(*s) + 63) & ~(size_t)63);

	assert_non_null(s);
	memset(s, 0, sizeof(*s));
	s->random = seed;
	s->world = world_new();
	s->world->worker.lanes_off = !lanes;
	world_make(s);
	s->record = record_new(s->world);
	for (; s->step < BURSTS; s->step++) {
		if (s->waiting) { /* for one burst */
			world_advance(s->world, next(s, 2) ? 1 : 4000);
			tables_restore(s);
		} else if (next(s, 4) == 0) {
			table_change(s);
		}
		world_advance(s->world, 20);
		burst(s, next(s, 16) ? 0 : 1);
		record_write(s->record, s->world, s->step);
	}
	*outcome = (struct outcome){.record = s->record,
		.counters = s->world->counters,
		.frames = s->frames,
		.taken = s->world->worker.lane_taken[LANE_ESP_IN],
		.judged = s->world->worker.lane_taken[LANE_ESP_IN_JUDGED],
		.tunnels = s->world->worker.lane_taken[LANE_MIP_IN]};
	assert_true(world_settle(s->world));
	assert_true(world_free(s->world));
	free(s);
}

/* Nothing of it would be proved if it did not happen, in one performance or another. */
static void check_coverage(const struct worker_counters *c)
{
	static const enum drop_reason reasons[] = {DROP_ipsec_bad_icv, DROP_ipsec_replay,
		DROP_ipsec_replay_late, DROP_ipsec_bad_pad, DROP_ipsec_bad_next_header,
		DROP_ipsec_dummy, DROP_ipsec_inner_malformed, DROP_ipsec_selector_mismatch,
		DROP_ipsec_ecn_ce_not_ect, DROP_ipsec_sa_expired, DROP_ipsec_no_sa,
		DROP_ipsec_udp_csum, DROP_ipsec_natt_keepalive, DROP_rt_inner_multicast, DROP_ttl,
		DROP_no_route, DROP_mtu_df, DROP_policy_discard, DROP_port_down,
		DROP_ipsec_tiny_fragment, DROP_neighbor_unresolved};

	for (unsigned i = 0; i < RTE_DIM(reasons); i++)
		if (c->drops[reasons[i]] == 0)
			fail_msg("the script never met drop reason %u", reasons[i]);
	assert_true(c->ecn_anomalies > 0 && c->ipsec_outer_mismatch > 0 && c->icmp_sent > 0);
}

// HA4-FWD-17, ESP-SEQ-09, -10, ECN-03, NAT-09, HA4-OPS-23: a lane changes nothing that can be seen
static void same_as_steps(void **state)
{
	struct worker_counters all = {0};
	(void)state;

	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct outcome lanes, steps;
		const char *difference;

		perform(seed, true, &lanes);
		perform(seed, false, &steps);
		difference = record_differs(lanes.record, steps.record);
		if (difference != NULL)
			fail_msg("seed %u: %s", (unsigned)seed, difference);
		assert_int_equal(lanes.frames, steps.frames);
		assert_int_equal(steps.taken + steps.judged, 0);
		printf("# seed %u: of %u frames %u left by the lane, %u of them out of a tunnel; "
		       "%u were judged behind the cipher\n",
			(unsigned)seed, (unsigned)lanes.frames, (unsigned)lanes.taken,
			(unsigned)lanes.tunnels, (unsigned)lanes.judged);
		assert_true(lanes.taken > lanes.frames / 4);
		assert_true(lanes.tunnels > lanes.frames / 25);
		assert_true(lanes.judged > lanes.frames / 8);
		for (unsigned i = 0; i < sizeof(all) / sizeof(uint64_t); i++)
			((uint64_t *)&all)[i] += ((const uint64_t *)&lanes.counters)[i];
		record_free(lanes.record);
		record_free(steps.record);
	}
	check_coverage(&all);
}

/* ---- one by one ---- */

/* What the lane takes to its end, and what it deciphers and leaves to the steps. */
static const struct kind {
	const char *name;
	bool tunnel, forged;
	uint8_t time_to_live, protocol;
	uint32_t source;         /* 0: the peer's own */
	enum drop_reason judged; /* DROP_NONE: the lane sends it */
} kinds[] = {
	{"usual", false, false, 64, IPPROTO_UDP, 0, DROP_NONE},
	{"ICMP error", false, false, 64, IPPROTO_ICMP, 0, DROP_NONE},
	{"tunnel", true, false, 64, IPPROTO_UDP, 0, DROP_NONE},
	{"ICMP error in a tunnel", true, false, 64, IPPROTO_ICMP, 0, DROP_NONE},
	{"expired", false, false, 1, IPPROTO_UDP, 0, DROP_ttl},
	{"wrong selector", false, false, 64, IPPROTO_UDP, HOSTS + 1, DROP_ipsec_selector_mismatch},
	{"forged", false, true, 64, IPPROTO_UDP, 0, DROP_ipsec_bad_icv},
	{"expired in a tunnel", true, false, 1, IPPROTO_UDP, 0, DROP_ttl},
	{"tunnel of another node", true, false, 64, IPPROTO_UDP, NODES + 11, DROP_rt_no_binding},
};

static void ip_make(uint8_t *at, uint32_t length, const struct kind *kind, uint8_t protocol,
	uint32_t source, uint32_t to)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)at;

	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.time_to_live = kind->time_to_live,
		.next_proto_id = protocol,
		.src_addr = rte_cpu_to_be_32(source),
		.dst_addr = rte_cpu_to_be_32(to)};
	checksum_set(ip);
}

static void kind_make(struct script *s, unsigned peer, const struct kind *kind, struct frame *f)
{
	const uint32_t payload = 44, host = HOSTS + peer * 16;
	const struct kind usual = {.time_to_live = 64};
	uint8_t *text = text_of(s, peer, f), *ip = text + (kind->tunnel ? 20 : 0);
	uint32_t source = kind->tunnel ? NODES + peer : host;

	memset(text, 3, 64 + 20);
	ip_make(ip, 20 + payload, kind, kind->protocol, kind->source != 0 ? kind->source : source,
		0x0a010001u);
	if (kind->tunnel)
		ip_make(text, 40 + payload, &usual, IPPROTO_IPIP, host, HERE);
	seal(s, peer, f, (uint32_t)(ip - text) + 20 + payload);
	if (kind->forged)
		f->octets[f->length - 1] ^= 1;
}

static void check_kind(struct script *s, unsigned peer, const struct kind *kind)
{
	struct world *w = s->world;
	struct worker before = w->worker;
	struct worker_counters counters = w->counters;
	static struct frame f;
	uint64_t sent, tunnels, judged;

	kind_make(s, peer, kind, &f);
	world_receive(w, 0, f.octets, f.length);
	sent = w->worker.lane_taken[LANE_ESP_IN] - before.lane_taken[LANE_ESP_IN];
	tunnels = w->worker.lane_taken[LANE_MIP_IN] - before.lane_taken[LANE_MIP_IN];
	judged = w->worker.lane_taken[LANE_ESP_IN_JUDGED] - before.lane_taken[LANE_ESP_IN_JUDGED];
	if (sent != (kind->judged == DROP_NONE) || judged != !sent ||
		tunnels != (sent && kind->tunnel))
		fail_msg("peer %u, %s: %u sent, %u tunnels, %u judged", peer, kind->name,
			(unsigned)sent, (unsigned)tunnels, (unsigned)judged);
	if (sent != 0)
		assert_int_equal(w->counters.sent_port - counters.sent_port, 1);
	else if (w->counters.drops[kind->judged] - counters.drops[kind->judged] != 1)
		fail_msg("peer %u, %s: dropped for another reason", peer, kind->name);
	world_forget(w);
}

/* HA4-MODE-06: every suite, in UDP and not. */
static void lane_goes_to_its_end(void **state)
{
	struct script *s = aligned_alloc(64, (sizeof(*s) + 63) & ~(size_t)63);
	static struct frame first; /* of a peer: the steps look at its limits */
	(void)state;

	assert_non_null(s);
	memset(s, 0, sizeof(*s));
	s->even = true;
	s->world = world_new();
	world_make(s);
	for (unsigned peer = 0; peer < PEERS_COUNT; peer++) {
		if (peers[peer].subnet || peers[peer].limits)
			continue;
		kind_make(s, peer, &kinds[0], &first);
		world_receive(s->world, 0, first.octets, first.length);
		for (unsigned i = 0; i < RTE_DIM(kinds); i++)
			if (!kinds[i].tunnel || peers[peer].local == 0)
				check_kind(s, peer, &kinds[i]);
	}
	assert_true(world_settle(s->world));
	assert_true(world_free(s->world));
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lane_goes_to_its_end), cmocka_unit_test(same_as_steps)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
