// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/dataplane/peers.h"
#include "tests/unit/selector_any.h"

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_udp.h>

#define SPIS      0xc0001000u
#define MTU_SMALL 300

const struct peer peers_all[PEERS_COUNT] = {
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
uint32_t peers_next(struct script *s, uint32_t below)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ z >> 31) % below);
}

bool peers_odd(struct script *s, uint32_t of)
{
	return !s->even && peers_next(s, s->calm ? 100 * of : of) == 0;
}

static struct ip_address v4(uint32_t host)
{
	return ip_address_from_v4(rte_cpu_to_be_32(host));
}

static uint32_t spi_of(unsigned peer)
{
	return SPIS + peer + (peers_all[peer].spi_high << 4);
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
	struct selector selector = selector_any(false);
	uint32_t host = HOSTS + peer * 16;

	if (peers_all[peer].local)
		selector.local_last = v4(peers_all[peer].local);
	selector.remote_first = v4(host);
	selector.remote_last = v4(host + (peers_all[peer].subnet ? 3 : 0));
	return selector;
}

static struct command sa_command(unsigned peer)
{
	const struct peer *p = &peers_all[peer];

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
	const struct peer *p = &peers_all[peer];
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
	struct command c = {.type = COMMAND_POLICY_SET,
		.policy = {.selector = selector_any(false),
			.policy_id = id,
			.order = id,
			.sa_id = SA_NONE,
			.direction = SA_OUTBOUND,
			.action = action}};

	c.policy.selector.remote_first = v4(net);
	c.policy.selector.remote_last = v4(net | 0xffff);
	apply(s, c);
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

void peers_begin(struct script *s)
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

	if (peers_next(s, 2))
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

void peers_restore(struct script *s)
{
	s->world->ports[1].up = true;
	s->waiting = false;
	if (s->local_host != 0)
		apply(s, (struct command){.type = COMMAND_LOCAL_REMOVE,
				 .local = {.address = v4(s->local_host)}});
	s->local_host = 0;
	world_neighbor(s->world, "172.16.1.2", 1, (uint8_t)(2 + peers_next(s, 2)));
	world_route(s->world, "10.1.0.0/16", "172.16.1.2", 1);
	for (unsigned i = 0; i < PEERS_COUNT; i++)
		sa_restore(s, i);
}

void peers_change(struct script *s)
{
	unsigned peer = peers_next(s, PEERS_COUNT), what = peers_next(s, 13);

	if (what <= 1 && s->world->counters.held_neighbor != 0)
		return; /* which of many would wait is nobody's right */
	switch (what) {
	case 9:
		node_bind(s, peer,
			peers_next(s, 2) ? BINDING_REVERSE | BINDING_REQUIRES_IPSEC
					 : peers_next(s, 2) * BINDING_HALF_BOUND);
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
		policy(s, 1, 0x0a040000u, peers_next(s, 2) ? POLICY_BYPASS : POLICY_DISCARD);
		break;
	case 5:
		s->world->ports[1].up = peers_next(s, 4) != 0;
		break;
	case 6:
		apply(s, (struct command){.type = peers_next(s, 2) ? COMMAND_LOCAL_SET
								   : COMMAND_LOCAL_REMOVE,
				 .local = {.address = v4(0x0a060005u), .port = 1}});
		break;
	case 7:
		world_advance(s->world, 1 + peers_next(s, 5000));
		break;
	case 8: /* a peer's own address is ours now, and near those of all peers ever after */
		if (s->step < BURSTS * 9 / 10)
			break;
		s->local_host = HOSTS + peer * 16;
		apply(s, (struct command){.type = COMMAND_LOCAL_SET,
				 .local = {.address = v4(s->local_host), .port = 1}});
		break;
	default:
		peers_restore(s);
	}
}

/* ---- packets ---- */

void peers_checksum(struct rte_ipv4_hdr *ip)
{
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, (ip->version_ihl & 15u) * 4u);
}

/* Padding, trailer; returns the octets of text. */
static uint32_t trailer_make(
	struct script *s, const struct suite *suite, uint8_t *text, uint32_t length)
{
	static const uint8_t others[] = {41, 59, 17, 0};
	uint32_t all, tfc = peers_odd(s, 8) ? peers_next(s, 100) : 0, pad;

	memset(text + length, 0, tfc);
	length += tfc;
	pad = esp_codec_padding(suite, length);
	if (peers_odd(s, 16)) /* more than it needs */
		pad += suite->alignment * peers_next(s, 240 / suite->alignment);
	all = length + esp_codec_trailer_write(text + length, pad, ESP_NEXT_HEADER_IPV4);
	if (peers_odd(s, 32))
		text[all - 1] = others[peers_next(s, sizeof(others))];
	if (peers_odd(s, 32))
		text[all - 2] = (uint8_t)peers_next(s, 256);
	if (peers_odd(s, pad > 4 ? 8 : 32) && pad > 0) /* many places to look at */
		text[all - 3 - peers_next(s, pad)] ^= 1;
	return all;
}

static uint64_t number_of(struct script *s, unsigned peer)
{
	uint64_t *last = &s->numbers[peer];

	if (peers_odd(s, 16)) /* behind, perhaps seen, perhaps too late */
		return *last > 1 ? *last - peers_next(s, (uint32_t)RTE_MIN(*last, 1500u)) : ++*last;
	switch (peers_next(s, 16)) {
	case 1:
		return *last += 1 + peers_next(s, peers_next(s, 4) ? 50 : 5000);
	case 2: /* then the one before comes after */
		*last += 2;
		return *last - 1;
	default:
		return ++*last;
	}
}

void peers_outer(struct script *s, unsigned peer, struct frame *f, bool udp, uint32_t length)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f->octets + ETHERNET);
	struct rte_udp_hdr *header = (struct rte_udp_hdr *)(ip + 1);

	memcpy(f->octets, (const uint8_t[ETHERNET]){2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0xee, 9, 8, 0},
		ETHERNET);
	length += (uint32_t)(sizeof(*ip) + (udp ? sizeof(*header) : 0));
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service = (uint8_t)(peers_odd(s, 3) ? peers_next(s, 256) : 0),
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
	peers_checksum(ip);
	f->length = ETHERNET + length;
}

uint8_t *peers_text(const struct script *s, unsigned peer, struct frame *f)
{
	return f->octets + ETHERNET + 20 + (peers_all[peer].flags & SA_UDP ? 8 : 0) +
	       esp_codec_text_offset(s->suites[peer]);
}

void peers_seal(struct script *s, unsigned peer, struct frame *f, uint32_t length)
{
	const struct suite *suite = s->suites[peer];
	bool udp = (peers_all[peer].flags & SA_UDP) != 0;
	uint8_t *text = peers_text(s, peer, f), *esp = text - esp_codec_text_offset(suite);
	uint64_t number = number_of(s, peer);
	struct crypto_operation operation = {.suite = suite,
		.key = &s->keys[peer],
		.esp = esp,
		.sequence = number,
		.flags = CRYPTO_IV_GIVEN | (peers_all[peer].flags & SA_ESN ? CRYPTO_ESN : 0)};

	operation.length = length = trailer_make(s, suite, text, length);
	memset(esp + ESP_HEADER_LENGTH, 0, suite->iv_length);
	if (suite->iv_length != 0)
		memcpy(esp + ESP_HEADER_LENGTH, &number, sizeof(number));
	esp_codec_header_write(esp, spi_of(peer), number);
	crypto_engine_encrypt_burst(s->world->worker.crypto, &operation, 1);
	assert_int_equal(operation.status, CRYPTO_DONE);
	peers_outer(s, peer, f, udp, esp_codec_text_offset(suite) + length + suite->icv_length);
}
