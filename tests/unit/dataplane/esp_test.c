/*
 * ESP through the whole pipeline where frames alone cannot say it: buffers in pieces and shared
 * ones, every size over the path's MTU, a dataplane that was started again, and what SA commands
 * are refused for. The far end is the same program's other direction; tests/walk has the
 * independent peer.
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
#include "dataplane/pipeline.h"

#include "tests/walk/world.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <stdio.h>
#include <stdlib.h>

#define SPI       0xc0000001u
#define HERE      "192.0.2.1"
#define THERE     "198.51.100.2"
#define SERVER    "192.0.2.129"
#define CLIENT    "203.0.113.193"
#define PAIR_MAX  3072
#define SIZE_LAST 9200

static struct ip_address address(const char *text)
{
	struct ip_address a;

	assert_int_equal(ip_address_parse(text, &a), 0);
	return a;
}

static struct selector any_selector(void)
{
	return (struct selector){.local_first = address("0.0.0.0"),
		.local_last = address("255.255.255.255"),
		.remote_first = address("0.0.0.0"),
		.remote_last = address("255.255.255.255"),
		.local_port_last = 65535,
		.remote_port_last = 65535};
}

static struct command sa_command(uint8_t direction, uint32_t id, uint32_t spi)
{
	bool out = direction == SA_OUTBOUND;

	return (struct command){.type = COMMAND_SA_SET,
		.sa = {.local = address(out ? HERE : THERE),
			.remote = address(out ? THERE : HERE),
			.sa_id = id,
			.spi = rte_cpu_to_be_32(spi),
			.pair_id = SA_NONE,
			.encryption = SA_ENCRYPTION_AES_GCM_16,
			.replay_window = 64,
			.direction = direction,
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY}};
}

static void stage(struct world *w, const struct sa_command *sa, uint8_t first_octet)
{
	struct command key = {.type = COMMAND_SA_KEY,
		.sa_key = {.sa_id = sa->sa_id,
			.direction = sa->direction,
			.encryption_length = 20,
			.encryption_key = {first_octet, 2, 3}}};
	struct command selector = {.type = COMMAND_SA_SELECTOR,
		.sa_selector = {.sa_id = sa->sa_id,
			.direction = sa->direction,
			.selector = any_selector()}};

	assert_int_equal(world_apply(w, &key), 0);
	assert_int_equal(world_apply(w, &selector), 0);
}

static int sa_set(struct world *w, struct command c)
{
	stage(w, &c.sa, 1);
	return world_apply(w, &c);
}

static void policy(struct world *w, uint32_t id, uint8_t direction, uint8_t action, uint32_t sa_id)
{
	struct command c = {.type = COMMAND_POLICY_SET,
		.policy = {.selector = any_selector(),
			.policy_id = id,
			.order = id,
			.sa_id = sa_id,
			.direction = direction,
			.action = action}};

	assert_int_equal(world_apply(w, &c), 0);
	c = (struct command){.type = COMMAND_POLICY_COMMIT};
	assert_int_equal(world_apply(w, &c), 0);
}

/* From port 2 through the SA out of port 0; from port 1 in again. */
static struct world *setup(uint32_t flags)
{
	struct world *w = world_new();
	struct command c;

	world_local(w, HERE, 0);
	world_local(w, THERE, 1);
	world_route(w, "0.0.0.0/0", NULL, 2);
	world_route(w, "198.51.100.0/24", NULL, 0);
	world_route(w, "203.0.113.0/24", NULL, 0);
	world_neighbor(w, THERE, 0, 9);
	world_neighbor(w, CLIENT, 2, 9);
	world_neighbor(w, SERVER, 2, 9);
	policy(w, 1, SA_OUTBOUND, POLICY_PROTECT, 3);
	policy(w, 2, SA_INBOUND, POLICY_BYPASS, SA_NONE);
	c = sa_command(SA_OUTBOUND, 3, SPI);
	c.sa.flags = flags;
	c.sa.local_port = c.sa.remote_port = flags & SA_UDP ? RTE_BE16(4500) : 0;
	assert_int_equal(sa_set(w, c), 0);
	c = sa_command(SA_INBOUND, 1, SPI);
	c.sa.flags = flags;
	c.sa.local_port = c.sa.remote_port = flags & SA_UDP ? RTE_BE16(4500) : 0;
	assert_int_equal(sa_set(w, c), 0);
	return w;
}

/* An IPv4 packet of `length` octets from SERVER to CLIENT, in a frame for `port`. */
static uint32_t frame_make(uint8_t *frame, uint32_t length, bool df, uint16_t port)
{
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ether + 1);

	memset(frame, 0, sizeof(*ether) + sizeof(*ip));
	ether->dst_addr = (struct rte_ether_addr){{2, 0, 0, 0, (uint8_t)port, 1}};
	ether->src_addr = (struct rte_ether_addr){{2, 0, 0, 0, 0xee, 5}};
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.packet_id = RTE_BE16(77),
		.fragment_offset = df ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = 63,
		.next_proto_id = 253,
		.src_addr = ip_address_v4(&(struct ip_address){.words = {0}}),
		.dst_addr = 0};
	struct ip_address from = address(SERVER), to = address(CLIENT);
	ip->src_addr = ip_address_v4(&from);
	ip->dst_addr = ip_address_v4(&to);
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, sizeof(*ip));
	for (uint32_t i = sizeof(*ip); i < length; i++)
		((uint8_t *)ip)[i] = (uint8_t)(i * 7);
	return length + (uint32_t)sizeof(*ether);
}

static void receive(
	struct world *w, uint16_t port, const uint8_t *frame, uint32_t length, unsigned segments)
{
	struct rte_mbuf *packet = world_packet(w, frame, length, segments);

	w->received_bytes += length;
	pipeline_receive_burst(&w->worker, port, &packet, 1);
	world_advance(w, 1); /* collects */
}

/* The same with buffers that somebody else holds; the octets behind the IP header are still there
 * afterwards. */
static void receive_held(
	struct world *w, uint16_t port, const uint8_t *frame, uint32_t length, unsigned segments)
{
	struct rte_mbuf *packet = world_packet(w, frame, length, segments), *held[8];
	const uint8_t *octets[8];
	uint16_t lengths[8];
	uint32_t at = 0;
	unsigned count = 0;

	for (struct rte_mbuf *m = packet; m != NULL; m = m->next, count++) {
		rte_mbuf_refcnt_update(m, 1);
		held[count] = m;
		octets[count] = rte_pktmbuf_mtod(m, const uint8_t *);
		lengths[count] = m->data_len;
	}
	w->received_bytes += length;
	pipeline_receive_burst(&w->worker, port, &packet, 1);
	world_advance(w, 1);
	for (unsigned i = 0; i < count; i++) {
		uint32_t skip = i == 0 ? 34 : 0; /* headers are forwarding's to change */
		assert_memory_equal(octets[i] + skip, frame + at + skip, lengths[i] - skip);
		at += lengths[i];
		held[i]->next = NULL;
		held[i]->nb_segs = 1;
		rte_pktmbuf_free_seg(held[i]);
	}
}

/* What left port 0 comes in on port 1; returns how many frames came out of port 2. */
static unsigned loop_back(struct world *w, unsigned from)
{
	unsigned until = w->sent_count, before = 0, after = 0;
	static uint8_t frame[65536];

	for (unsigned i = 0; i < w->sent_count; i++)
		before += w->sent[i].port == 2;
	for (unsigned i = from; i < until; i++) {
		if (w->sent[i].port != 0)
			continue;
		memcpy(frame, w->sent[i].octets, w->sent[i].length);
		memcpy(frame, (uint8_t[]){2, 0, 0, 0, 1, 1}, 6);
		world_receive(w, 1, frame, w->sent[i].length);
	}
	for (unsigned i = 0; i < w->sent_count; i++)
		after += w->sent[i].port == 2;
	return after - before;
}

static uint64_t drops_all(const struct world *w)
{
	uint64_t sum = 0;

	for (unsigned i = 1; i < DROP_REASON_COUNT; i++)
		sum += w->counters.drops[i];
	return sum;
}

// ESP-OUT-06, -07: buffers in pieces; buffers that somebody else holds are not touched
static void pieces_and_shared(void **state)
{
	static uint8_t frame[4096];
	(void)state;

	for (unsigned segments = 1; segments <= 5; segments++) {
		for (unsigned shared = 0; shared < 2; shared++) {
			struct world *w = setup(0);
			uint32_t length = frame_make(frame, 1200 + segments, true, 2);
			const struct rte_ipv4_hdr *out;

			if (shared)
				receive_held(w, 2, frame, length, segments);
			else
				receive(w, 2, frame, length, segments);
			assert_int_equal(w->sent_count, 1);
			assert_int_equal(w->sent[0].port, 0);
			out = (const struct rte_ipv4_hdr *)(w->sent[0].octets + 14);
			assert_int_equal(out->next_proto_id, IPPROTO_ESP);
			assert_int_equal(
				loop_back(w, 0), 0); /* back towards port 0: protected again */
			assert_int_equal(w->counters.esp_decrypted, 1);
			assert_true(world_free(w));
		}
	}
}

// MTU-01..03, BAD-46: every size is delivered or answered, never silent
static void every_size(void **state)
{
	static uint8_t frame[SIZE_LAST + 64];
	static const uint32_t variants[] = {0, SA_UDP, SA_FRAGMENT_AFTER};
	(void)state;

	for (unsigned v = 0; v < RTE_DIM(variants); v++) {
		for (unsigned df = 0; df < 2; df++) {
			struct world *w = setup(variants[v]);
			uint64_t sent = 0, answered = 0;
			w->settings.icmp_rate = w->settings.icmp_source_rate = 1000000;
			for (uint32_t size = 20; size <= SIZE_LAST; size += size < 1600 ? 1 : 97) {
				uint64_t before = drops_all(w);
				uint32_t length = frame_make(frame, size, df, 2), fits;
				fits = variants[v] & SA_UDP ? 1438 : 1446;
				world_forget(w);
				receive(w, 2, frame, length, 1);
				unsigned out = 0;
				for (unsigned i = 0; i < w->sent_count; i++) {
					if (w->sent[i].port != 0)
						continue;
					assert_true(w->sent[i].length <= 1500 + 14);
					out++;
				}
				if (size <= fits) {
					assert_int_equal(out, 1);
				} else if (!df) {
					assert_true(out > 1);
				} else {
					assert_int_equal(out, 0);
					assert_int_equal(drops_all(w), before + 1);
					answered++;
				}
				sent += out;
			}
			assert_int_equal(w->counters.drops[DROP_ipsec_mtu_exceeded], answered);
			assert_true(sent > 1400);
			assert_int_equal(
				w->counters.icmp_sent + w->counters.icmp_suppressed, answered);
			assert_int_equal(world_balance(w), 0);
			world_forget(w);
			assert_true(world_free(w));
		}
	}
}

// MTU-16, ESP-OUT-06: jumbo frames in one ESP packet, in one buffer and in several, there and back
static void jumbo(void **state)
{
	static const uint32_t sizes[] = {1501, 4096, 8999, 9000, 9001, 9002, 9003, 9146};
	static uint8_t frame[SIZE_LAST + 64];
	(void)state;

	for (uint32_t flags = 0; flags <= SA_UDP; flags += SA_UDP) {
		struct world *w = setup(flags);
		uint32_t fits =
			flags & SA_UDP ? 9138 : 9146; /* of 9200, by the formula of MTU-01 */
		uint64_t opened = 0;
		for (unsigned port = 0; port < WORLD_PORTS; port++)
			w->ports[port].mtu = 9200;
		world_route(w, "0.0.0.0/0", NULL, 2); /* the ways are looked for anew */
		for (unsigned i = 0; i < RTE_DIM(sizes); i++) {
			uint32_t length = frame_make(frame, sizes[i], true, 2);
			unsigned from, segments = 1 + i % 4;
			world_forget(w);
			from = w->sent_count;
			receive(w, 2, frame, length, segments);
			if (sizes[i] > fits) {
				assert_int_equal(w->counters.drops[DROP_ipsec_mtu_exceeded], 1);
				continue;
			}
			assert_int_equal(w->sent_count, from + 1);
			assert_true(
				w->sent[from].length > sizes[i] && w->sent[from].length <= 9214);
			loop_back(w, from); /* authentic at the other end: every octet is right */
			assert_int_equal(w->counters.esp_decrypted, ++opened);
		}
		assert_int_equal(w->counters.fragments_made, 0);
		assert_int_equal(opened, flags & SA_UDP ? RTE_DIM(sizes) - 1 : RTE_DIM(sizes));
		world_forget(w);
		assert_true(world_free(w));
	}
}

// HA4-MTU-13, AUD-10: rate 0 of either kind means that no error is ever sent
static void rate_0_is_silence(void **state)
{
	static const uint32_t rates[][2] = {{0, 10}, {10, 0}, {10, 10}};
	static uint8_t frame[2000];
	(void)state;

	for (unsigned i = 0; i < RTE_DIM(rates); i++) {
		struct world *w = setup(0);
		bool answers = rates[i][0] != 0 && rates[i][1] != 0;
		w->settings.icmp_rate = rates[i][0];
		w->settings.icmp_source_rate = rates[i][1];
		pipeline_worker_fini(&w->worker);
		assert_int_equal(pipeline_worker_init(&w->worker), 0);
		receive(w, 2, frame, frame_make(frame, 1500, true, 2), 1);
		assert_int_equal(w->counters.drops[DROP_ipsec_mtu_exceeded], 1);
		assert_int_equal(w->counters.icmp_sent, answers);
		assert_int_equal(w->counters.icmp_suppressed, !answers);
		world_forget(w);
		assert_true(world_free(w));
	}
}

// ESP-SEQ-02, HA-05: a new process with the old region's state: numbers go on, the window stays
static void started_again(void **state)
{
	static uint8_t frame[256], old[256];
	struct sa_inbound_state inbound;
	struct sa_outbound_state outbound;
	uint64_t words[128];
	uint32_t length, old_length, stride = sa_window_words(WORLD_WINDOW);
	struct world *w = setup(0);
	(void)state;

	length = frame_make(frame, 100, true, 2);
	for (unsigned i = 0; i < 5; i++)
		world_receive(w, 2, frame, length);
	assert_int_equal(w->sent_count, 5);
	memcpy(old, w->sent[2].octets, w->sent[2].length);
	old_length = w->sent[2].length;
	memcpy(old, (uint8_t[]){2, 0, 0, 0, 1, 1}, 6);
	loop_back(w, 0);
	assert_int_equal(w->counters.esp_decrypted, 5);
	memcpy(&inbound, &w->sas.inbound[1], sizeof(inbound));
	memcpy(&outbound, &w->sas.outbound[3], sizeof(outbound));
	memcpy(words, (void *)(w->sas.windows + stride), stride * sizeof(words[0]));
	world_forget(w);
	assert_true(world_free(w));

	w = setup(0);
	for (uint8_t direction = SA_INBOUND; direction <= SA_OUTBOUND; direction++) {
		struct command c = sa_command(direction, direction == SA_OUTBOUND ? 3 : 1, SPI);
		c.type = COMMAND_SA_REMOVE;
		assert_int_equal(world_apply(w, &c), 0);
	}
	memcpy(&w->sas.inbound[1], &inbound, sizeof(inbound));
	memcpy(&w->sas.outbound[3], &outbound, sizeof(outbound));
	memcpy((void *)(w->sas.windows + stride), words, stride * sizeof(words[0]));
	for (uint8_t direction = SA_INBOUND; direction <= SA_OUTBOUND; direction++) {
		struct command c = sa_command(direction, direction == SA_OUTBOUND ? 3 : 1, SPI);
		c.sa.flags = SA_RESUME;
		assert_int_equal(sa_set(w, c), 0);
	}
	world_receive(w, 1, old, old_length); /* accepted before: never again */
	assert_int_equal(w->counters.drops[DROP_ipsec_replay], 1);
	world_forget(w);
	world_receive(w, 2, frame, length);
	assert_int_equal(w->sent_count, 1);
	rte_be32_t number;
	memcpy(&number, w->sent[0].octets + 14 + 20 + 4, sizeof(number));
	assert_int_equal(rte_be_to_cpu_32(number), outbound.sequence + 1);
	loop_back(w, 0);
	assert_int_equal(w->counters.esp_decrypted, 1);
	assert_int_equal(w->sas.inbound[1].highest, outbound.sequence + 1);
	world_forget(w);
	assert_true(world_free(w));
}

static uint64_t random_state = 1;

static uint32_t random_next(uint32_t below) /* splitmix64 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ z >> 31) % below);
}

/* Text that somebody with the key might send: mostly an inner header with something wrong. */
static uint32_t hostile_text(uint8_t *text)
{
	uint32_t length = 4 * (1 + random_next(random_next(2) ? 20 : 300)), padding;
	uint8_t inner[sizeof(struct rte_ether_hdr) + 1300];
	static const uint8_t next[] = {4, 41, 59, 17, 50, 0};

	for (uint32_t i = 0; i < length; i++)
		text[i] = (uint8_t)random_next(256);
	if (length >= 48 && random_next(4) != 0) {
		frame_make(inner, length - 4, random_next(2), 2);
		memcpy(text, inner + sizeof(struct rte_ether_hdr), length - 4);
		if (random_next(3) == 0)
			text[0] = (uint8_t)(random_next(2) ? 0x60 : 0x40 | random_next(16));
		for (unsigned i = random_next(4); i > 0; i--)
			text[random_next(60 < length ? 60 : length)] = (uint8_t)random_next(256);
		if (random_next(4) != 0) {
			struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)text;
			uint32_t header = (text[0] & 15u) * 4;
			ip->hdr_checksum = 0;
			if (header >= 20 && header <= length)
				ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, header);
		}
	}
	padding = random_next(4) ? 2 : random_next(256);
	for (uint32_t i = 0; i < padding && i + 2 < length; i++)
		text[length - 2 - padding + i < length ? length - 2 - padding + i : 0] =
			(uint8_t)(i + 1);
	text[length - 2] = (uint8_t)padding;
	text[length - 1] = next[random_next(sizeof(next))];
	return length;
}

/* The peer speaks for SERVER alone: such an SA's packets may take the lane. */
static void host_only(struct world *w, uint32_t flags)
{
	struct command c = {.type = COMMAND_SA_SELECTOR,
		.sa_selector = {.sa_id = 1, .direction = SA_INBOUND, .selector = any_selector()}};

	c.sa_selector.selector.remote_first = c.sa_selector.selector.remote_last = address(SERVER);
	assert_int_equal(world_apply(w, &c), 0);
	c = sa_command(SA_INBOUND, 1, SPI);
	c.sa.flags = flags;
	c.sa.local_port = c.sa.remote_port = flags & SA_UDP ? RTE_BE16(4500) : 0;
	assert_int_equal(world_apply(w, &c), 0);
}

// BAD-13..22, BAD-50, -51: authentic and hostile; each packet ends once, wherever
static void hostile_plaintext(void **state)
{
	static uint8_t frame[2048];
	const uint32_t flags[] = {0, SA_TRANSPORT, SA_UDP, 0, SA_UDP};
	const unsigned lane_from = 3; /* of flags[] */
	(void)state;

	for (unsigned v = 0; v < RTE_DIM(flags); v++) {
		struct world *w = setup(flags[v]);
		if (v >= lane_from)
			host_only(w, flags[v]);
		const struct sa_inbound *sa = sa_inbound_get(tables_sas(w->tables), 1);
		uint32_t at = 14 + 20 + (flags[v] & SA_UDP ? 8 : 0);

		for (uint64_t number = 1; number <= 20000; number++) {
			uint8_t *esp = frame + at;
			uint32_t text = hostile_text(esp + 16), length = at + 16 + text + 16;
			struct crypto_operation operation = {.suite = sa->suite,
				.key = sa->key,
				.esp = esp,
				.sequence = number,
				.length = text};
			struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + 14);
			struct ip_address from = address(HERE), to = address(THERE);

			esp_codec_header_write(esp, SPI, number);
			crypto_engine_encrypt_burst(w->worker.crypto, &operation, 1);
			assert_int_equal(operation.status, CRYPTO_DONE);
			frame_make(frame, 20, false, 1);
			ip->total_length = rte_cpu_to_be_16((uint16_t)(length - 14));
			ip->next_proto_id = flags[v] & SA_UDP ? IPPROTO_UDP : IPPROTO_ESP;
			ip->src_addr = ip_address_v4(&from);
			ip->dst_addr = ip_address_v4(&to);
			ip->hdr_checksum = 0;
			ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, sizeof(*ip));
			if (flags[v] & SA_UDP)
				memcpy(frame + 34,
					(uint16_t[]){RTE_BE16(4500), RTE_BE16(4500),
						rte_cpu_to_be_16((uint16_t)(length - 34)), 0},
					8);
			receive(w, 1, frame, length, 1 + random_next(4));
			world_forget(w);
			assert_int_equal(w->counters.esp_decrypted, number);
			assert_int_equal(w->sas.inbound[1].highest, number);
		}
		if (v >= lane_from) /* what is in one piece */
			assert_true(w->worker.lane_taken[LANE_ESP_IN] > 4000);
		assert_true(world_settle(w));
		assert_true(world_free(w));
	}
}

// BAD-17, ESP-IN-05: a piece ends where the inner header begins; what is judged is that header
static void inner_in_next_piece(void **state)
{
	static uint8_t frame[256], inner[256];
	struct world *w = setup(0);
	const struct sa_inbound *sa = sa_inbound_get(tables_sas(w->tables), 1);
	uint8_t *esp = frame + 34, *text = esp + 16;
	struct crypto_operation operation = {
		.suite = sa->suite, .key = sa->key, .esp = esp, .sequence = 1, .length = 84};
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + 14);
	struct ip_address from = address(HERE), to = address(THERE);
	(void)state;

	frame_make(inner, 80, false, 2);
	memcpy(text, inner + 14, 80);
	assert_int_equal(esp_codec_trailer_write(text + 80, 2, ESP_NEXT_HEADER_IPV4), 4);
	esp_codec_header_write(esp, SPI, 1);
	crypto_engine_encrypt_burst(w->worker.crypto, &operation, 1);
	frame_make(frame, 20, false, 1);
	ip->total_length = RTE_BE16(136);
	ip->next_proto_id = IPPROTO_ESP;
	ip->src_addr = ip_address_v4(&from);
	ip->dst_addr = ip_address_v4(&to);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, sizeof(*ip));
	receive(w, 1, frame, 150, 3); /* 50 octets each */
	assert_int_equal(w->counters.esp_decrypted, 1);
	assert_int_equal(w->counters.esp_encrypted, 1); /* the policy sends it on so */
	assert_int_equal(w->sent_count, 1);
	assert_true(world_settle(w));
	assert_true(world_free(w));
}

static int set_changed(struct world *w, void (*change)(struct sa_command *sa))
{
	struct command c = sa_command(SA_INBOUND, 9, 0xc0000009u);

	change(&c.sa);
	stage(w, &c.sa, 1);
	return world_apply(w, &c);
}

static void spi_255(struct sa_command *sa)
{
	sa->spi = RTE_BE32(255);
}
static void window_large(struct sa_command *sa)
{
	sa->replay_window = WORLD_WINDOW + 1;
}
static void remote_multicast(struct sa_command *sa)
{
	sa->remote = address("224.0.0.1");
}
static void families(struct sa_command *sa)
{
	sa->remote = address("2001:db8::1");
}
static void no_port(struct sa_command *sa)
{
	sa->flags = SA_UDP;
}
static void both_df(struct sa_command *sa)
{
	sa->flags = SA_DF_SET | SA_DF_CLEAR;
}
static void null_null(struct sa_command *sa)
{
	sa->encryption = SA_ENCRYPTION_NULL;
}
static void blowfish(struct sa_command *sa)
{
	sa->encryption = 7;
}
static void spi_of_another(struct sa_command *sa)
{
	sa->spi = RTE_BE32(SPI);
}
static void transport_tfc(struct sa_command *sa)
{
	sa->flags = SA_TRANSPORT;
	sa->tfc = 100;
}

// ESP-FMT-16, TUN-10, -11, SAD-02, -09, ESP-ALG-07..10, KIF-10
static void refusals(void **state)
{
	static const struct {
		void (*change)(struct sa_command *sa);
		int error;
	} cases[] = {{spi_255, EINVAL}, {window_large, EINVAL}, {remote_multicast, EINVAL},
		{families, EINVAL}, {no_port, EINVAL}, {both_df, EINVAL}, {null_null, EINVAL},
		{blowfish, ENOTSUP}, {spi_of_another, EEXIST}, {transport_tfc, EINVAL}};
	struct world *w = setup(0);
	struct command c;
	(void)state;

	for (unsigned i = 0; i < RTE_DIM(cases); i++)
		assert_int_equal(set_changed(w, cases[i].change), cases[i].error);
	c = sa_command(SA_INBOUND, 9, 0xc0000009u); /* nothing staged is left over */
	assert_int_equal(world_apply(w, &c), EINVAL);
	c = sa_command(SA_INBOUND, WORLD_SAS, SPI + WORLD_SAS);
	assert_int_equal(world_apply(w, &c), EINVAL);
	c = sa_command(SA_INBOUND, 1, SPI + WORLD_SAS); /* another SPI for a live slot */
	assert_int_equal(sa_set(w, c), EEXIST);
	assert_true(world_free(w));
}

// SAD-01, SAD-12: an SPI that does not carry its slot; SAD-10: a slot given out again at once
static void foreign_spi_and_reuse(void **state)
{
	struct world *w = setup(0);
	const struct sa_table *sas = tables_sas(w->tables);
	(void)state;

	for (unsigned round = 0; round < 200; round++) {
		uint32_t spi = 0x1000 + round * 7919;
		struct command c = sa_command(SA_INBOUND, 20, spi);
		const struct sa_inbound *sa;

		assert_int_equal(sa_set(w, c), 0);
		sa = sa_inbound_lookup(sas, rte_cpu_to_be_32(spi));
		assert_non_null(sa);
		assert_int_equal(sa->sa_id, 20);
		assert_int_equal(sa->state, SA_STATE_LIVE);
		w->sas.inbound[20].highest = 77;
		c.type = COMMAND_SA_REMOVE;
		assert_int_equal(world_apply(w, &c), 0);
		sa = sa_inbound_lookup(sas, rte_cpu_to_be_32(spi));
		assert_non_null(sa); /* told apart from an SPI that never was (LIFE-10) */
		assert_int_equal(sa->state, SA_STATE_REMOVED);
		assert_int_equal(w->sas.inbound[20].highest, 77);
	}
	assert_null(sa_inbound_lookup(sas, RTE_BE32(0x1000)));
	assert_int_equal(sas->used[SA_INBOUND], 1);
	assert_int_equal(sas->keys.taken, 2); /* the others were wiped and given back */
	assert_true(world_free(w));
}

// MOB-01, -02: the object is another, keys and numbers are the same
static void moved_in_place(void **state)
{
	struct world *w = setup(0);
	const struct sa_table *sas = tables_sas(w->tables);
	const struct sa_outbound *before = sa_outbound_get(sas, 3), *after;
	struct command c = sa_command(SA_OUTBOUND, 3, SPI);
	struct crypto_key *key = before->key;
	(void)state;

	w->sas.outbound[3].sequence = 41;
	c.sa.remote = address("198.51.100.77");
	c.sa.flags = SA_UDP;
	c.sa.local_port = RTE_BE16(4500);
	c.sa.remote_port = RTE_BE16(40001);
	assert_int_equal(world_apply(w, &c), 0);
	after = sa_outbound_get(sas, 3);
	assert_ptr_not_equal(before, after);
	assert_ptr_equal(after->key, key);
	assert_int_equal(after->header_length, 20 + 8 + 4);
	assert_int_equal(w->sas.outbound[3].sequence, 41);
	c.sa.flags |= SA_ESN; /* not a thing that changes */
	assert_int_equal(world_apply(w, &c), EEXIST);
	assert_true(world_free(w));
}

// performance.md: SA pair at most 3 KB, key schedules included; 1,000,000 in 4 GiB
static void memory_of_a_pair(void **state)
{
	size_t pair = 2 * sizeof(struct crypto_key) + sizeof(struct sa_inbound) +
		      sizeof(struct sa_outbound) + sizeof(struct sa_inbound_state) +
		      sizeof(struct sa_outbound_state) + sa_window_words(1024) * sizeof(uint64_t) +
		      2 * sizeof(uint32_t) + 2 * sizeof(struct sa_record);
	(void)state;

	print_message("SA pair: %zu octets with a window of 1024\n", pair);
	assert_true(pair <= PAIR_MAX);
	assert_true(pair * 1000000 < UINT64_C(4) << 30);
}

struct heard {
	unsigned count[2][SA_EXPIRED_HARD_SEQUENCE + 1];
	uint32_t sa_id[2];
	bool deaf;
};

static bool hear(void *context, enum sa_direction direction, uint32_t sa_id, enum sa_expiry kind)
{
	struct heard *heard = context;

	if (heard->deaf)
		return false;
	heard->count[direction][kind]++;
	heard->sa_id[direction] = sa_id;
	return true;
}

static void lifetime(struct world *w, uint8_t direction, uint32_t id)
{
	struct command limits = {.type = COMMAND_SA_LIMITS,
		.sa_limits = {.sa_id = id,
			.direction = direction,
			.soft_ns = w->worker.now_ns + 10 * CLOCK_NS_PER_S,
			.hard_ns = w->worker.now_ns + 20 * CLOCK_NS_PER_S}};
	struct command c = sa_command(direction, id, 0xc0000000u + id);

	stage(w, &c.sa, 1);
	assert_int_equal(world_apply(w, &limits), 0);
	assert_int_equal(world_apply(w, &c), 0);
}

/* Ten turns a second, for three seconds: every slot is looked at. */
static unsigned age(struct world *w, struct heard *heard, uint64_t after_s)
{
	const struct sa_ager ager = {.tell = hear, .context = heard};
	unsigned told = 0;

	for (unsigned i = 0; i < 30; i++)
		told += tables_sas_age(w->tables,
			w->worker.now_ns + after_s * CLOCK_NS_PER_S + i * (CLOCK_NS_PER_S / 10),
			&ager);
	return told;
}

// LIFE-01, LIFE-02: each limit in time once, without a packet; and a worker has its share
static void aged_without_traffic(void **state)
{
	struct world *w = setup(0);
	struct heard heard = {.deaf = true};
	uint32_t fresh;
	(void)state;

	lifetime(w, SA_INBOUND, 9);
	lifetime(w, SA_OUTBOUND, 12);
	heard.deaf = false;
	assert_int_equal(age(w, &heard, 5), 0);
	heard.deaf = true; /* control's ring is full: told again later */
	assert_int_equal(age(w, &heard, 11), 0);
	heard.deaf = false;
	assert_int_equal(age(w, &heard, 15), 2);
	assert_int_equal(heard.count[SA_INBOUND][SA_EXPIRED_SOFT_TIME], 1);
	assert_int_equal(heard.count[SA_OUTBOUND][SA_EXPIRED_SOFT_TIME], 1);
	assert_int_equal(heard.sa_id[SA_INBOUND], 9);
	assert_int_equal(heard.sa_id[SA_OUTBOUND], 12);
	/* A worker is first with one hard limit: it tells that, and nobody tells it again. */
	struct sa_use use = {.now_tsc = UINT64_MAX - 1};
	const struct sa_table *sas = tables_sas(w->tables);
	sa_table_inbound_expired(sas, sa_inbound_get(sas, 9), &use, &fresh);
	assert_int_equal(fresh, 1u << SA_EXPIRED_HARD_TIME);
	assert_int_equal(age(w, &heard, 21), 1);
	assert_int_equal(heard.count[SA_OUTBOUND][SA_EXPIRED_HARD_TIME], 1);
	assert_int_equal(heard.count[SA_INBOUND][SA_EXPIRED_HARD_TIME], 0);
	assert_int_equal(age(w, &heard, 25), 0);
	/* And what the main lcore told, no worker tells again. */
	sa_table_outbound_expired(sas, sa_outbound_get(sas, 12), &use, &fresh);
	assert_int_equal(fresh, 0);
	assert_true(world_free(w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_and_shared),
		cmocka_unit_test(every_size),
		cmocka_unit_test(rate_0_is_silence),
		cmocka_unit_test(jumbo),
		cmocka_unit_test(started_again),
		cmocka_unit_test(hostile_plaintext),
		cmocka_unit_test(inner_in_next_piece),
		cmocka_unit_test(refusals),
		cmocka_unit_test(foreign_spi_and_reuse),
		cmocka_unit_test(moved_in_place),
		cmocka_unit_test(memory_of_a_pair),
		cmocka_unit_test(aged_without_traffic),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
