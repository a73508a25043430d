/*
 * What the outer side of ESP needs that frames of a case cannot fix: headers over IPv6, whose flow
 * label is ours to choose, and their fragments; identifications; ciphers with drawn IVs in one
 * burst; and what a worker does when the library fails or buffers are short. Port 1, in a vrf of
 * its own, stands for the far gateway: what leaves port 0 comes in there and must come out as it
 * went in. Everything runs with lanes and by the steps alone.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/crypto/engine.h"
#include "dataplane/decap/esp.h"
#include "dataplane/packet.h"
#include "dataplane/pipeline.h"
#include "dataplane/table/sa_table.h"

#include "tests/unit/selector_any.h"
#include "tests/walk/world.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <stdlib.h>

#define SPI        0xc0000001u
#define FRAME_SIZE 2048
#define LABEL_MASK 0xfffffu

struct kind {
	bool outer6, inner6;
	uint16_t encryption, integrity;
	uint8_t key_length, integrity_length;
	uint32_t flags;
};

static const struct kind gcm = {
	.encryption = SA_ENCRYPTION_AES_GCM_16, .key_length = 20, .flags = SA_DF_SET};

static struct ip_address address(const char *text)
{
	struct ip_address a;

	assert_int_equal(ip_address_parse(text, &a), 0);
	return a;
}

static void apply(struct world *w, struct command c)
{
	assert_int_equal(world_apply(w, &c), 0);
}

static const char *here(const struct kind *k)
{
	return k->outer6 ? "2001:db8:1::1" : "192.0.2.1";
}

static const char *there(const struct kind *k)
{
	return k->outer6 ? "2001:db8:2::2" : "198.51.100.2";
}

static const char *client(const struct kind *k)
{
	return k->inner6 ? "2001:db8:4::4" : "203.0.113.193";
}

static void association(struct world *w, const struct kind *k, uint8_t direction)
{
	bool out = direction == SA_OUTBOUND;

	apply(w, (struct command){.type = COMMAND_SA_KEY,
			 .sa_key = {.sa_id = 1,
				 .direction = direction,
				 .encryption_length = k->key_length,
				 .integrity_length = k->integrity_length,
				 .encryption_key = {1, 2, 3},
				 .integrity_key = {4, 5}}});
	for (unsigned v6 = 0; v6 < 2; v6++)
		apply(w, (struct command){.type = COMMAND_SA_SELECTOR,
				 .sa_selector = {.sa_id = 1,
					 .direction = direction,
					 .selector = selector_any(v6)}});
	apply(w, (struct command){.type = COMMAND_SA_SET,
			 .sa = {.local = address(out ? here(k) : there(k)),
				 .remote = address(out ? there(k) : here(k)),
				 .sa_id = 1,
				 .spi = RTE_BE32(SPI),
				 .pair_id = SA_NONE,
				 .encryption = k->encryption,
				 .integrity = k->integrity,
				 .flags = k->flags,
				 .replay_window = 1024,
				 .vrf = !out,
				 .direction = direction,
				 .tunnel_ttl = 64,
				 .dscp = DSCP_COPY}});
}

static void route(struct world *w, const char *text, uint16_t vrf, uint16_t port)
{
	struct command c = {.type = COMMAND_ROUTE_SET, .route = {.vrf = vrf, .port = port}};

	assert_int_equal(ip_prefix_parse(text, &c.route.prefix), 0);
	apply(w, c);
}

/* From port 2 through the SA out of port 0; in at port 1 and out of it again. */
static struct world *setup(const struct kind *k, bool lanes_off)
{
	struct world *w = world_new();

	w->worker.lanes_off = lanes_off;
	w->ports[1].vrf = 1;
	w->ports[1].zone = ZONE_INTERNAL;
	world_local(w, here(k), 0);
	apply(w, (struct command){.type = COMMAND_LOCAL_SET,
			 .local = {.address = address(there(k)), .port = 1, .vrf = 1}});
	route(w, k->inner6 ? "::/0" : "0.0.0.0/0", 0, 0);
	route(w, k->outer6 ? "::/0" : "0.0.0.0/0", 0, 0);
	route(w, k->inner6 ? "::/0" : "0.0.0.0/0", 1, 1);
	world_neighbor(w, there(k), 0, 9);
	world_neighbor(w, client(k), 1, 9);
	apply(w, (struct command){.type = COMMAND_POLICY_SET,
			 .policy = {.selector = selector_any(k->inner6),
				 .policy_id = 1,
				 .order = 1,
				 .sa_id = 1,
				 .direction = SA_OUTBOUND,
				 .action = POLICY_PROTECT}});
	apply(w, (struct command){.type = COMMAND_POLICY_COMMIT});
	association(w, k, SA_OUTBOUND);
	association(w, k, SA_INBOUND);
	return w;
}

/* A packet of `length` octets for the client in a frame for port 2; its label and octets vary. */
static uint32_t frame_make(uint8_t *frame, const struct kind *k, uint32_t length, unsigned what)
{
	static const uint8_t ether[] = {2, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0xee, 5};
	struct ip_address to = address(client(k));
	struct ip_address from = address(k->inner6 ? "2001:db8:3::3" : "192.0.2.129");

	for (uint32_t i = 0; i < length; i++)
		frame[14 + i] = (uint8_t)(i * 7 + what);
	memcpy(frame, ether, sizeof(ether));
	memcpy(frame + 12, (uint16_t[]){k->inner6 ? RTE_BE16(0x86dd) : RTE_BE16(0x0800)}, 2);
	if (k->inner6) {
		struct rte_ipv6_hdr ip = {.vtc_flow = rte_cpu_to_be_32(6u << 28 | (what + 5u)),
			.payload_len = rte_cpu_to_be_16((uint16_t)(length - sizeof(ip))),
			.proto = 59,
			.hop_limits = 9};
		memcpy(&ip.src_addr, from.bytes, 16);
		memcpy(&ip.dst_addr, to.bytes, 16);
		memcpy(frame + 14, &ip, sizeof(ip));
	} else {
		struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
			.total_length = rte_cpu_to_be_16((uint16_t)length),
			.time_to_live = 9,
			.next_proto_id = 253,
			.src_addr = ip_address_v4(&from),
			.dst_addr = ip_address_v4(&to)};
		ip.hdr_checksum = (uint16_t)~rte_raw_cksum(&ip, sizeof(ip));
		memcpy(frame + 14, &ip, sizeof(ip));
	}
	return length + 14;
}

/* What left port 0, in its order, as one burst into port 1; forgets it. */
static void cross(struct world *w)
{
	struct world_frame frames[BURST_SIZE];
	unsigned count = 0;

	for (unsigned i = 0; i < w->sent_count; i++) {
		if (w->sent[i].port != 0)
			continue;
		assert_true(count < BURST_SIZE);
		frames[count] = w->sent[i];
		frames[count].octets = malloc(w->sent[i].length);
		memcpy(frames[count].octets, w->sent[i].octets, w->sent[i].length);
		memcpy(frames[count++].octets, (uint8_t[]){2, 0, 0, 0, 1, 1}, 6);
	}
	world_forget(w);
	world_receive_burst(w, 1, frames, count);
	for (unsigned i = 0; i < count; i++)
		free(frames[i].octets);
}

/* frames[i] came out of port 1 as the i-th, but for what forwarding it twice changed. */
static void assert_crossed(const struct world *w, uint8_t (*frames)[FRAME_SIZE],
	const uint32_t *lengths, unsigned count, bool ipv6)
{
	uint32_t header = ipv6 ? 40 : 20;

	assert_int_equal(w->sent_count, count);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(w->sent[i].port, 1);
		assert_int_equal(w->sent[i].length, lengths[i]);
		assert_memory_equal(w->sent[i].octets + 14 + header, frames[i] + 14 + header,
			lengths[i] - 14 - header);
	}
}

// MTU-04, MTU-12: IPv6 of up to 1280 octets always goes, in fragments of an outer IPv6 where need
// be TUN-09: one label for all of an SA, not that of the packet inside
static void fragments_over_ipv6(void **state)
{
	const struct kind k = {.outer6 = true,
		.inner6 = true,
		.encryption = SA_ENCRYPTION_AES_GCM_16,
		.key_length = 20};
	static uint8_t frame[1][FRAME_SIZE];
	uint32_t label = 0;
	(void)state;

	for (unsigned lanes_off = 0; lanes_off < 2; lanes_off++) {
		struct world *w = setup(&k, lanes_off);
		unsigned cut = 0;

		w->ports[0].mtu = 1280;
		for (uint32_t size = 48; size <= 1280; size += size < 1000 ? 131 : 1) {
			uint32_t length = frame_make(frame[0], &k, size, size), end = 0;
			uint32_t pieces, identification = 0;

			world_receive(w, 2, frame[0], length);
			pieces = w->sent_count;
			/* 40 + 8 + 8 + 16 and the trailer: 1206 fit in 1280 */
			assert_int_equal(pieces, size <= 1206 ? 1 : 2);
			cut += pieces == 2;
			for (unsigned i = 0; i < pieces; i++) {
				const uint8_t *ip = w->sent[i].octets + 14;
				uint32_t first, id;
				memcpy(&first, ip, 4);
				first = rte_be_to_cpu_32(first);
				label = label != 0 ? label : first & LABEL_MASK;
				assert_int_equal(first & LABEL_MASK, label);
				assert_true(w->sent[i].length - 14 <= 1280);
				assert_int_equal(ip[4] << 8 | ip[5], w->sent[i].length - 14 - 40);
				assert_int_equal(ip[6], pieces == 1 ? 50 : 44);
				if (pieces == 1)
					continue;
				memcpy(&id, ip + 44, 4);
				identification = i == 0 ? id : identification;
				assert_int_equal(ip[40], 50);
				assert_int_equal(id, identification);
				assert_int_equal((ip[42] << 8 | ip[43]) & 0xfff8, end);
				assert_int_equal(ip[43] & 1, i == 0);
				end += w->sent[i].length - 14 - 48;
			}
			cross(w);
			assert_crossed(w, frame, &length, 1, true);
			world_forget(w);
		}
		assert_int_equal(cut, 1280 - 1206);
		assert_int_equal(w->counters.reassembled, cut);
		assert_int_equal(w->sas.inbound[1].packets, w->sas.outbound[1].packets);
		/* One octet more is told of, and nothing is sent. */
		world_receive(w, 2, frame[0], frame_make(frame[0], &k, 1281, 0));
		assert_int_equal(w->counters.drops[DROP_ipsec_mtu_exceeded], 1);
		world_forget(w);
		assert_true(world_free(w));
	}
	assert_int_not_equal(label, 0);
}

// TUN-07: with DF 0 no identification twice while fragments may live; with DF 1 none is needed
static void identifications_differ(void **state)
{
	static uint8_t frame[FRAME_SIZE], seen[65536];
	struct kind k = gcm;
	(void)state;

	for (unsigned lanes_off = 0; lanes_off < 2; lanes_off++) {
		for (unsigned df = 0; df < 2; df++) {
			k.flags = df ? SA_DF_SET : SA_DF_CLEAR;
			struct world *w = setup(&k, lanes_off);
			memset(seen, 0, sizeof(seen));
			for (unsigned i = 0; i < 5000; i++) {
				uint16_t id;
				world_receive(w, 2, frame, frame_make(frame, &k, 60, i));
				assert_int_equal(w->sent_count, 1);
				id = (uint16_t)(w->sent[0].octets[18] << 8 | w->sent[0].octets[19]);
				assert_int_equal(w->sent[0].octets[20] & 0x40, df ? 0x40 : 0);
				if (!df)
					assert_int_equal(seen[id]++, 0);
				world_forget(w);
			}
			assert_true(world_free(w));
		}
	}
}

// MP-10, ESP-OUT-09: jobs of the library end in any order; packets and numbers keep theirs
static void bursts_keep_their_order(void **state)
{
	static const struct kind kinds[] = {{.encryption = SA_ENCRYPTION_AES_CBC,
						    .integrity = SA_INTEGRITY_HMAC_SHA2_256_128,
						    .key_length = 16,
						    .integrity_length = 32,
						    .flags = SA_DF_SET},
		{.encryption = SA_ENCRYPTION_CHACHA20_POLY1305,
			.key_length = 36,
			.flags = SA_DF_SET},
		{.encryption = SA_ENCRYPTION_NULL,
			.integrity = SA_INTEGRITY_HMAC_SHA1_96,
			.integrity_length = 20,
			.flags = SA_DF_SET}};
	static uint8_t frames[BURST_SIZE][FRAME_SIZE];
	uint32_t lengths[BURST_SIZE];
	(void)state;

	for (unsigned v = 0; v < 2 * RTE_DIM(kinds); v++) {
		const struct kind *k = &kinds[v / 2];
		struct world *w = setup(k, v % 2);
		for (uint32_t round = 0; round < 20; round++) {
			struct world_frame burst[BURST_SIZE];
			for (unsigned i = 0; i < BURST_SIZE; i++) {
				lengths[i] = frame_make(
					frames[i], k, 40 + (i * 397 + round * 31) % 1300, i);
				burst[i] = (struct world_frame){
					.length = lengths[i], .octets = frames[i]};
			}
			world_receive_burst(w, 2, burst, BURST_SIZE);
			assert_int_equal(w->sent_count, BURST_SIZE);
			for (unsigned i = 0; i < BURST_SIZE; i++) {
				uint32_t low;
				memcpy(&low, w->sent[i].octets + 38, 4);
				assert_int_equal(rte_be_to_cpu_32(low), round * BURST_SIZE + i + 1);
			}
			cross(w);
			assert_crossed(w, frames, lengths, BURST_SIZE, false);
			world_forget(w);
		}
		assert_true(world_free(w));
	}
}

/* ---- what fails ---- */

static void fail_some(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned left)
{
	(void)engine;
	(void)left;
	for (unsigned i = 0; i < count; i++)
		if (operations[i].sequence % 2 != 0)
			operations[i].status = CRYPTO_FAILED;
}

// BAD-48, ESP-OUT-08, ESP-SEQ-02: what the library refused does not leave, and its number is gone
static void library_fails(void **state)
{
	static uint8_t frames[BURST_SIZE][FRAME_SIZE];
	struct world_frame burst[BURST_SIZE];
	struct world *w = setup(&gcm, true); /* a lane calls the cipher by its own name */
	const struct sa_table *sas = tables_sas(w->tables);
	struct sa_outbound *out = (struct sa_outbound *)(uintptr_t)sa_outbound_get(sas, 1);
	struct sa_inbound *in = (struct sa_inbound *)(uintptr_t)sa_inbound_get(sas, 1);
	struct suite failing = *out->suite;
	const struct suite *sound = out->suite;
	(void)state;

	failing.encrypt = failing.decrypt = fail_some;
	out->suite = &failing;
	for (unsigned i = 0; i < BURST_SIZE; i++)
		burst[i] = (struct world_frame){
			.length = frame_make(frames[i], &gcm, 100, i), .octets = frames[i]};
	world_receive_burst(w, 2, burst, BURST_SIZE);
	assert_int_equal(w->counters.drops[DROP_ipsec_crypto_error], BURST_SIZE / 2);
	assert_int_equal(w->sent_count, BURST_SIZE / 2);
	for (unsigned i = 0; i < w->sent_count; i++) {
		uint32_t low;
		memcpy(&low, w->sent[i].octets + 38, 4);
		assert_int_equal(rte_be_to_cpu_32(low), 2 * (i + 1));
	}
	assert_int_equal(w->sas.outbound[1].sequence, BURST_SIZE);
	out->suite = sound;
	world_forget(w);
	world_receive_burst(w, 2, burst, 1);
	in->suite = &failing;
	cross(w);
	assert_int_equal(w->counters.drops[DROP_ipsec_crypto_error], BURST_SIZE / 2 + 1);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(w->sas.inbound[1].highest, 0); /* nothing was believed */
	in->suite = sound;
	assert_true(world_free(w));
}

// BAD-48, ESP-OUT-06: a packet that needs a buffer when there is none ends as ipsec_no_buffer
static void buffers_run_out(void **state)
{
	static uint8_t frame[FRAME_SIZE];
	struct kind k = gcm;
	(void)state;

	for (unsigned lanes_off = 0; lanes_off < 2; lanes_off++) {
		struct world *w = setup(&k, lanes_off);
		struct rte_mempool *pool = w->worker.pool;
		unsigned count = rte_mempool_avail_count(pool), taken = 0;
		struct rte_mbuf **all = calloc(count, sizeof(*all)), *packet, *held;
		uint32_t length = frame_make(frame, &k, 600, 1);

		packet = world_packet(w, frame, length, 1);
		held = packet;
		rte_mbuf_refcnt_update(held, 1); /* somebody looks at it: it has to be copied */
		while (taken < count && (all[taken] = rte_pktmbuf_alloc(pool)) != NULL)
			taken++;
		w->received_bytes += length;
		pipeline_receive_burst(&w->worker, 2, &packet, 1);
		assert_int_equal(w->counters.drops[DROP_ipsec_no_buffer], 1);
		assert_int_equal(w->sas.outbound[1].sequence, 0); /* ESP-OUT-02 */
		assert_int_equal(w->sent_count, 0);
		rte_pktmbuf_free(held);
		for (unsigned i = 0; i < taken; i++)
			rte_pktmbuf_free(all[i]);
		free(all);
		assert_true(world_free(w));
	}
}

// ESP-IN-16: what the device said of the outer packet is not true of the inner one
static void metadata_is_forgotten(void **state)
{
	static uint8_t frame[FRAME_SIZE];
	struct world *w = setup(&gcm, true);
	struct rte_mbuf *packet;
	step_result next;
	(void)state;

	world_receive(w, 2, frame, frame_make(frame, &gcm, 200, 1));
	assert_int_equal(w->sent_count, 1);
	packet = world_packet(w, w->sent[0].octets, w->sent[0].length, 1);
	packet_init(packet, &w->ports[1]);
	rte_pktmbuf_adj(packet, 14);
	assert_true(packet_parse(packet, packet_get(packet)));
	packet->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD |
			    RTE_MBUF_F_RX_RSS_HASH | RTE_MBUF_F_RX_VLAN |
			    RTE_MBUF_F_RX_VLAN_STRIPPED;
	packet->packet_type = RTE_PTYPE_L3_IPV4 | RTE_PTYPE_TUNNEL_ESP;
	next = esp_decap(&w->worker, &packet);
	assert_int_equal(next, STEP_DESTINATION);
	assert_int_equal(packet->ol_flags, 0);
	assert_int_equal(packet->packet_type, 0);
	rte_pktmbuf_free(packet);
	world_forget(w);
	assert_true(world_free(w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_over_ipv6),
		cmocka_unit_test(identifications_differ),
		cmocka_unit_test(bursts_keep_their_order),
		cmocka_unit_test(library_fails),
		cmocka_unit_test(buffers_run_out),
		cmocka_unit_test(metadata_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
