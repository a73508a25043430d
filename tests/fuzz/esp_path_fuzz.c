/*
 * The whole packet path with security associations whose keys the input holds: its octets are
 * sealed here, so that everything behind the integrity check is reached. Each input is played
 * twice, with lanes and by the steps alone: what leaves, what is told, every counter and the
 * run-time state of every association must be the same.
 *
 * An input is records: what, how, length (2 octets, big endian), that many octets.
 *
 *   what % 8   0 a frame as it is; 1 from the kernel; 2 time; 3.. sealed for inbound association
 *              what % 8 - 2
 *   how        bit 0: wait for the next record, so that bursts come about; bit 1: the octets are
 *              the whole text with its trailer, else a payload, and the octet before it is the
 *              next header; bit 2: a later number, else the next; bits 3-4: pieces; bits 5-7: the
 *              frame is damaged at this place
 */
#include "tests/fuzz/fuzz_assert.h"
#include "tests/unit/selector_any.h"
#include "tests/walk/world.h"

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/pipeline.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HERE          "192.0.2.1"
#define PEER          "198.51.100.2"
#define HERE6         "2001:db8:1::1"
#define PEER6         "2001:db8:2::2"
#define HOST          "10.9.0.1" /* behind associations 1 and 2: what lanes take */
#define HOSTS         2
#define SPI           0xc0000000u
#define SEALED        5 /* inbound associations 1..5 */
#define RECORD_HEADER 4
#define RECORDS_MAX   48
#define TEXT_MAX      1400
#define FRAME_MAX     1900

struct sealed {
	uint16_t encryption, integrity;
	uint8_t key_length, integrity_length;
	uint32_t flags;
	bool ipv6;
};

static const struct sealed kinds[SEALED + 1] = {
	[1] = {SA_ENCRYPTION_AES_GCM_16, 0, 20, 0, 0, false},
	[2] = {SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA2_256_128, 16, 32, SA_UDP, false},
	[3] = {SA_ENCRYPTION_AES_GCM_16, 0, 20, 0, SA_TRANSPORT, false},
	[4] = {SA_ENCRYPTION_AES_GCM_16, 0, 20, 0, SA_ESN, true},
	[5] = {SA_ENCRYPTION_CHACHA20_POLY1305, 0, 36, 0, SA_TRANSPORT | SA_UDP, false},
};

struct outcome {
	uint64_t frames, events, sas;
	struct worker_counters counters;
};

/* The second play is given what the first one sealed: an IV may be drawn. */
static struct sealed_frame {
	uint32_t length;
	uint8_t octets[2 * FRAME_MAX];
} sealed_frames[RECORDS_MAX];

/* Packets of different ways through the input steps have no order among each other, and numbers and
 * identifications follow the order: a burst is of one way. */
enum way { WAY_FRAME, WAY_PLAIN, WAY_UDP, WAY_IPV6 };

struct play {
	struct world *world;
	bool second;
	unsigned record;
	struct rte_mbuf *waiting[BURST_SIZE];
	unsigned waiting_count, way; /* by which all that wait come to the cipher, enum way */
	uint64_t numbers[SEALED + 1];
	struct outcome outcome;
};

/* ---- the world ---- */

static struct ip_address address(const char *text)
{
	struct ip_address a;

	FUZZ_ASSERT(ip_address_parse(text, &a) == 0);
	return a;
}

static void apply(struct world *w, struct command c)
{
	FUZZ_ASSERT(world_apply(w, &c) == 0);
}

static void association(struct world *w, uint8_t direction, uint32_t id, uint32_t extra_flags)
{
	const struct sealed *k = &kinds[id];
	be16 port = k->flags & SA_UDP ? RTE_BE16(4500) : 0;
	struct command key = {.type = COMMAND_SA_KEY,
		.sa_key = {.sa_id = id,
			.direction = direction,
			.encryption_length = k->key_length,
			.integrity_length = k->integrity_length,
			.encryption_key = {(uint8_t)id, direction},
			.integrity_key = {(uint8_t)id, direction}}};

	apply(w, key);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct command selector = {.type = COMMAND_SA_SELECTOR,
			.sa_selector = {
				.sa_id = id, .direction = direction, .selector = selector_any(v6)}};
		if (id <= HOSTS)
			selector.sa_selector.selector.remote_first =
				selector.sa_selector.selector.remote_last = address(HOST);
		if (id > HOSTS || v6 == 0)
			apply(w, selector);
	}
	apply(w, (struct command){.type = COMMAND_SA_SET,
			 .sa = {.local = address(k->ipv6 ? HERE6 : HERE),
				 .remote = address(k->ipv6 ? PEER6 : PEER),
				 .sa_id = id,
				 .spi = rte_cpu_to_be_32(SPI + id),
				 .pair_id = SA_NONE,
				 .flags = k->flags | extra_flags,
				 .local_port = port,
				 .remote_port = port,
				 .encryption = k->encryption,
				 .integrity = k->integrity,
				 .replay_window = 64,
				 .direction = direction,
				 .tunnel_ttl = 64,
				 .dscp = DSCP_COPY}});
}

static void protect(struct world *w, uint32_t id, const char *prefix, uint32_t sa_id, bool ipv6)
{
	struct command c = {.type = COMMAND_POLICY_SET,
		.policy = {.selector = selector_any(ipv6),
			.policy_id = id,
			.order = id,
			.sa_id = sa_id,
			.direction = SA_OUTBOUND,
			.action = POLICY_PROTECT}};
	struct ip_prefix p;

	FUZZ_ASSERT(ip_prefix_parse(prefix, &p) == 0);
	c.policy.selector.remote_first = c.policy.selector.remote_last = p.address;
	for (unsigned bit = p.length; bit < 128; bit++)
		c.policy.selector.remote_last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	apply(w, c);
}

static struct world *make(bool lanes_off)
{
	struct world *w = world_new();

	w->worker.lanes_off = lanes_off;
	world_agent(w, HERE, AGENT_GRE | AGENT_MINIMAL | AGENT_UDP | AGENT_UDP_CHECKSUM);
	world_local(w, HERE6, 0);
	world_home_network(w, "10.1.0.0/16", 1);
	world_route(w, "0.0.0.0/0", "192.0.2.254", 0);
	world_route(w, "::/0", "2001:db8:1::fe", 0);
	world_route(w, "10.2.0.0/16", NULL, 2);
	world_route(w, "2001:db8:3::/48", NULL, 2);
	world_neighbor(w, "192.0.2.254", 0, 0xfe);
	world_neighbor(w, "2001:db8:1::fe", 0, 0xfe);
	world_neighbor(w, "10.2.0.5", 2, 5);
	world_neighbor(w, "2001:db8:3::5", 2, 5);
	world_binding(w, 0, "10.1.0.10", "198.51.100.2", 0, ENCAPSULATION_IPIP, 0);
	for (uint32_t id = 1; id <= SEALED; id++) {
		association(w, SA_INBOUND, id, 0);
		if (kinds[id].encryption != SA_ENCRYPTION_AES_CBC) /* its IVs are drawn */
			association(w, SA_OUTBOUND, id, SA_DF_SET);
	}
	protect(w, 1, "198.51.100.2/32", 3, false);
	protect(w, 2, "10.9.0.0/16", 1, false);
	protect(w, 3, "10.8.0.0/16", 4, false);
	protect(w, 4, "2001:db8:9::/48", 4, true);
	protect(w, 0, HOST "/32", 1, false);
	apply(w, (struct command){.type = COMMAND_POLICY_SET,
			 .policy = {.selector = selector_any(false),
				 .policy_id = 5,
				 .order = 5,
				 .sa_id = SA_NONE,
				 .direction = SA_OUTBOUND,
				 .action = POLICY_BYPASS}});
	apply(w, (struct command){.type = COMMAND_POLICY_COMMIT});
	return w;
}

/* ---- what came of it ---- */

static uint64_t digest(uint64_t hash, const void *octets, size_t length)
{
	const uint8_t *at = octets;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return hash;
}

/* Where ESP begins in a frame that may be ours; 0 when it is none. */
static uint32_t esp_find(const uint8_t *frame, uint32_t length)
{
	bool ipv6 = frame[12] == 0x86;
	uint32_t at = ipv6 ? 54 : 34;
	uint8_t protocol;

	if (length < at + 8 + ESP_HEADER_LENGTH)
		return 0;
	protocol = frame[ipv6 ? 20 : 23];
	if (protocol == IPPROTO_UDP)
		at += (uint32_t)sizeof(struct rte_udp_hdr);
	return protocol == IPPROTO_ESP || protocol == IPPROTO_UDP ? at : 0;
}

/* An association's numbers are given out in the order of packets, which is each flow's own alone:
 * of what we sealed, the text is compared, and number, IV and ICV are left out. */
static void unseal(const struct world *w, struct world_frame *f)
{
	uint32_t at = esp_find(f->octets, f->length), id, overhead;
	const struct sa_outbound *sa;

	if (at == 0)
		return;
	id = esp_codec_spi(f->octets + at) - SPI;
	sa = id <= SEALED ? sa_outbound_get(tables_sas(w->tables), id) : NULL;
	overhead = sa != NULL ? esp_codec_text_offset(sa->suite) + sa->suite->icv_length : 0;
	if (sa == NULL || esp_codec_check_length(sa->suite, f->length - at) != ESP_ACCEPT)
		return;
	uint8_t *copy = malloc(f->length);
	memcpy(copy, f->octets, f->length);
	struct crypto_operation operation = {.suite = sa->suite,
		.key = sa->key,
		.esp = copy + at,
		.sequence = esp_codec_sequence_low(copy + at),
		.length = f->length - at - overhead,
		.flags = sa->flags & SA_ESN ? CRYPTO_ESN : 0};
	crypto_engine_decrypt_burst(w->worker.crypto, &operation, 1);
	if (operation.status == CRYPTO_DONE) {
		memcpy(f->octets, copy, f->length);
		memset(f->octets + at + 4, 0, esp_codec_text_offset(sa->suite) - 4);
		memset(f->octets + f->length - sa->suite->icv_length, 0, sa->suite->icv_length);
	}
	free(copy);
}

/* Sums: lanes keep the order of each flow, not that of all. An identification that counts all
 * packets of the process is left out, and the checksum over it. */
static void note(struct play *play)
{
	struct world *w = play->world;

	for (unsigned i = 0; i < w->sent_count; i++) {
		struct world_frame *f = &w->sent[i];
		if (f->length >= 34 && f->octets[12] == 8 && f->octets[13] == 0)
			f->octets[18] = f->octets[19] = f->octets[24] = f->octets[25] = 0;
		unseal(w, f);
		play->outcome.frames += digest(f->port + 1u, f->octets, f->length);
	}
	for (unsigned i = 0; i < w->kernel_count; i++)
		play->outcome.frames +=
			digest(w->kernel[i].port + 100u, w->kernel[i].octets, w->kernel[i].length);
	for (unsigned i = 0; i < w->event_count; i++) {
		const struct event *e = &w->events[i];
		uint64_t what[] = {e->type, e->port, e->id, e->value};
		play->outcome.events += digest(digest(7, what, sizeof(what)), &e->address, 16);
	}
	FUZZ_ASSERT(world_balance(w) == 0);
	world_forget(w);
}

static void flush(struct play *play)
{
	struct world *w = play->world;

	if (play->waiting_count == 0)
		return;
	pipeline_receive_burst(&w->worker, 0, play->waiting, play->waiting_count);
	play->waiting_count = 0;
	world_advance(w, 1); /* collects */
	note(play);
}

static void put(struct play *play, uint16_t port, enum way way, const uint8_t *frame,
	uint32_t length, unsigned pieces, bool wait)
{
	struct rte_mbuf *packet = world_packet(play->world, frame, length, pieces);

	if (port != 0) {
		flush(play);
		play->world->received_bytes += length;
		pipeline_receive_burst(&play->world->worker, port, &packet, 1);
		world_advance(play->world, 1);
		note(play);
		return;
	}
	if (way != play->way)
		flush(play);
	play->way = way;
	play->waiting[play->waiting_count++] = packet;
	if (!wait || play->waiting_count == BURST_SIZE)
		flush(play);
}

/* ---- sealing ---- */

static uint32_t outer_write(uint8_t *frame, const struct sealed *k, uint32_t esp_length)
{
	static const uint8_t ether[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0xee, 0xfe};
	uint32_t udp = k->flags & SA_UDP ? sizeof(struct rte_udp_hdr) : 0, at = 14;
	uint8_t protocol = udp ? IPPROTO_UDP : IPPROTO_ESP;

	memcpy(frame, ether, sizeof(ether));
	memcpy(frame + 12, (uint16_t[]){k->ipv6 ? RTE_BE16(0x86dd) : RTE_BE16(0x0800)}, 2);
	if (k->ipv6) {
		struct ip_address from = address(PEER6), to = address(HERE6);
		struct rte_ipv6_hdr ip = {.vtc_flow = RTE_BE32(6u << 28),
			.payload_len = rte_cpu_to_be_16((uint16_t)(esp_length + udp)),
			.proto = protocol,
			.hop_limits = 60};
		memcpy(&ip.src_addr, from.bytes, 16);
		memcpy(&ip.dst_addr, to.bytes, 16);
		memcpy(frame + at, &ip, sizeof(ip));
		at += (uint32_t)sizeof(ip);
	} else {
		struct ip_address from = address(PEER), to = address(HERE);
		struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
			.total_length = rte_cpu_to_be_16((uint16_t)(20 + esp_length + udp)),
			.time_to_live = 60,
			.next_proto_id = protocol,
			.src_addr = ip_address_v4(&from),
			.dst_addr = ip_address_v4(&to)};
		ip.hdr_checksum = (uint16_t)~rte_raw_cksum(&ip, sizeof(ip));
		memcpy(frame + at, &ip, sizeof(ip));
		at += (uint32_t)sizeof(ip);
	}
	if (udp) {
		uint16_t ports[] = {RTE_BE16(4500), RTE_BE16(4500),
			rte_cpu_to_be_16((uint16_t)(esp_length + udp)), 0};
		memcpy(frame + at, ports, sizeof(ports));
		at += udp;
	}
	return at;
}

/* The text of the record: whole, or a payload with a right trailer. Returns its length. */
static uint32_t text_write(
	const struct suite *suite, bool whole, const uint8_t *data, uint32_t length, uint8_t *text)
{
	uint8_t next_header;

	length = RTE_MIN(length, (uint32_t)TEXT_MAX);
	if (whole) {
		length &= ~(suite->alignment - 1u);
		memcpy(text, data, length);
		return length;
	}
	if (length == 0)
		return 0;
	next_header = data[0];
	memcpy(text, data + 1, --length);
	return length + esp_codec_trailer_write(
				text + length, esp_codec_padding(suite, length), next_header);
}

static uint32_t seal(struct play *play, uint32_t id, uint8_t how, const uint8_t *data,
	uint32_t length, uint8_t *frame)
{
	const struct sa_inbound *sa = sa_inbound_get(tables_sas(play->world->tables), id);
	uint8_t text[TEXT_MAX + 64];
	uint32_t text_length = text_write(sa->suite, how & 2, data, length, text), at, esp_length;

	if (text_length == 0)
		return 0;
	esp_length = esp_codec_text_offset(sa->suite) + text_length + sa->suite->icv_length;
	at = outer_write(frame, &kinds[id], esp_length);
	esp_codec_header_write(frame + at, SPI + id, play->numbers[id]);
	struct crypto_operation operation = {.suite = sa->suite,
		.key = sa->key,
		.esp = frame + at,
		.sequence = play->numbers[id],
		.length = text_length,
		.flags = sa->flags & SA_ESN ? CRYPTO_ESN : 0};
	memcpy(frame + at + esp_codec_text_offset(sa->suite), text, text_length);
	crypto_engine_encrypt_burst(play->world->worker.crypto, &operation, 1);
	FUZZ_ASSERT(operation.status == CRYPTO_DONE);
	length = at + esp_length;
	if (how >> 5)
		frame[length * (how >> 5u) / 8] ^= 0x10;
	return length;
}

/* ---- play ---- */

static void put_sealed(
	struct play *play, uint32_t id, uint8_t how, const uint8_t *data, uint32_t length)
{
	struct sealed_frame *f = &sealed_frames[play->record];

	play->numbers[id] += how & 4 ? 1000 : 1;
	if (!play->second)
		f->length = seal(play, id, how, data, length, f->octets);
	if (f->length > 0)
		put(play, 0,
			kinds[id].ipv6             ? WAY_IPV6
			: kinds[id].flags & SA_UDP ? WAY_UDP
						   : WAY_PLAIN,
			f->octets, f->length, 1 + (how >> 3 & 3u), how & 1);
}

static void play_all(struct play *play, const uint8_t *data, size_t size)
{
	for (unsigned n = 0; n < RECORDS_MAX && size >= RECORD_HEADER; n++) {
		uint8_t what = data[0] % 8, how = data[1];
		play->record = n;
		uint32_t length = (uint32_t)(data[2] << 8 | data[3]);

		data += RECORD_HEADER;
		size -= RECORD_HEADER;
		if (what == 2) {
			flush(play);
			world_advance(play->world, (length & 0xfff) * 8);
			note(play);
			continue;
		}
		length = length < size ? length : (uint32_t)size;
		length = RTE_MIN(length, (uint32_t)FRAME_MAX);
		if (what == 0)
			put(play, how >> 5 & 3, WAY_FRAME, data, length, 1 + (how >> 3 & 3u),
				how & 1);
		if (what == 1) {
			flush(play);
			world_kernel(play->world, how % WORLD_PORTS, data, length);
			note(play);
		}
		if (what > 2)
			put_sealed(play, what - 2u, how, data, length);
		data += length;
		size -= length;
	}
	flush(play);
}

static void sas_note(struct play *play)
{
	for (uint32_t id = 1; id <= SEALED; id++) {
		const struct sa_inbound_state *in = &play->world->sas.inbound[id];
		const struct sa_outbound_state *out = &play->world->sas.outbound[id];
		uint64_t state[] = {in->highest, in->packets, in->bytes, in->replays,
			in->replays_late, in->bad_icv,
			in->last_use_ns != 0 ? play->world->worker.now_ns - in->last_use_ns : 1,
			out->sequence, out->packets, out->bytes,
			out->last_use_ns != 0 ? play->world->worker.now_ns - out->last_use_ns : 1};

		play->outcome.sas = digest(play->outcome.sas, state, sizeof(state));
		FUZZ_ASSERT(in->highest <= play->numbers[id]);
	}
}

static void run(struct play *play, bool second, const uint8_t *data, size_t size)
{
	if (play->world == NULL)
		play->world = make(second);
	play->second = second;
	play->outcome = (struct outcome){0};
	play_all(play, data, size);
	sas_note(play);
	play->outcome.counters = play->world->counters;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play lanes, steps; /* one state in both: what one input did, the next finds */

	run(&lanes, false, data, size);
	run(&steps, true, data, size);
	for (unsigned i = 0; i < 2; i++) { /* one pool: it is whole when both hold nothing */
		bool first = world_settle(lanes.world), second = world_settle(steps.world);
		FUZZ_ASSERT(i == 0 || (first && second));
	}
	FUZZ_ASSERT(lanes.outcome.frames == steps.outcome.frames);
	FUZZ_ASSERT(lanes.outcome.events == steps.outcome.events);
	FUZZ_ASSERT(lanes.outcome.sas == steps.outcome.sas);
	FUZZ_ASSERT(!memcmp(
		&lanes.outcome.counters, &steps.outcome.counters, sizeof(struct worker_counters)));
	return 0;
}
