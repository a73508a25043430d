/*
 * ESP through the whole pipeline where frames alone cannot say it: buffers in pieces and shared
 * ones, every size over the path's MTU, what a peer may have put inside. The far end is the same
 * program's other direction; tests/walk has the independent peer.
 */
#include "tests/unit/dataplane/esp_pair.h"

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
		.sa_selector = {
			.sa_id = 1, .direction = SA_INBOUND, .selector = selector_any(false)}};

	c.sa_selector.selector.remote_first = c.sa_selector.selector.remote_last =
		address_of(SERVER);
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
			struct ip_address from = address_of(HERE), to = address_of(THERE);

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
			assert_true(w->worker.lane_taken[LANE_ESP_IN_JUDGED] > 4000);
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
	struct ip_address from = address_of(HERE), to = address_of(THERE);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_and_shared),
		cmocka_unit_test(every_size),
		cmocka_unit_test(rate_0_is_silence),
		cmocka_unit_test(jumbo),
		cmocka_unit_test(hostile_plaintext),
		cmocka_unit_test(inner_in_next_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
