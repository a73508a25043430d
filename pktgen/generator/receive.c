#include "pktgen/generator/receive.h"

#include "dataplane/crypto/esp_codec.h"
#include "lib/base/clock.h"
#include "lib/wire/checksum.h"
#include "lib/wire/ethernet.h"
#include "lib/wire/ipv4.h"
#include "lib/wire/udp.h"
#include "pktgen/generator/cycles.h"
#include "pktgen/generator/expect.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <stdlib.h>

#define BURST    32
#define TAIL_MAX 257 /* the longest padding and its trailer */

struct opening { /* ESP that waits for decryption */
	struct inspected what;
	struct security_peer peer;
	unsigned port;
	uint64_t number;
};

struct burst { /* what one poll of a port works on */
	unsigned port;
	uint64_t now;
	struct opening openings[BURST];
	struct crypto_operation operations[BURST];
	unsigned opening_count;
};

int receive_init(struct receiver *r)
{
	r->flows = window_array_new(r->population->flow_count);
	r->hz = cycles_hz();
	return r->flows ? 0 : -ENOMEM;
}

void receive_fini(struct receiver *r)
{
	free(r->flows);
	r->flows = NULL;
}

void receive_forget(struct receiver *r)
{
	memset(r->flows, 0, r->population->flow_count * sizeof(*r->flows));
}

void receive_begin(struct receiver *r, uint64_t begin, struct tally *tally)
{
	r->begin = begin;
	r->tally = tally;
}

static void fault(struct receiver *r, enum tally_fault which)
{
	r->tally->faults[which]++;
}

static void other(struct receiver *r, enum tally_other which)
{
	r->tally->others[which]++;
}

/* ---- a packet with a signature ---- */

static void data_count(struct receiver *r, const struct population_flow *flow,
	const struct inspected *what, uint64_t now)
{
	const struct signature *signature = &what->signature;
	struct tally_received *sum =
		&r->tally->received[flow->group->index][tally_direction(flow->up)];
	struct window *window = &r->flows[signature->flow];
	uint64_t cycles = now - signature->timestamp;

	if (signature->timestamp < r->begin) {
		sum->late++;
		return;
	}
	switch (window_put(window, window_extend(window, signature->sequence))) {
	case WINDOW_DUPLICATE:
		sum->duplicates++;
		return;
	case WINDOW_REORDERED:
		sum->reordered++;
		break;
	case WINDOW_BEYOND:
		sum->beyond++;
		break;
	case WINDOW_NEXT:
		break;
	}
	sum->packets++;
	sum->octets += what->inner_length + (uint64_t)PROFILE_ETHERNET_SIZE;
	if (now >= signature->timestamp)
		histogram_add(&sum->latency,
			(uint64_t)((unsigned __int128)cycles * CLOCK_NS_PER_S / r->hz));
}

static void data_judge(
	struct receiver *r, unsigned port, uint64_t now, const struct inspected *what)
{
	static const uint8_t faults[] = {
		[EXPECT_PORT] = TALLY_PORT,
		[EXPECT_ENCAPSULATION] = TALLY_ENCAPSULATION,
		[EXPECT_INNER] = TALLY_INNER,
		[EXPECT_OUTER] = TALLY_OUTER,
	};
	struct population_flow flow;

	if (!population_flow_find(r->population, what->signature.flow, &flow)) {
		fault(r, TALLY_FLOW);
		return;
	}
	enum expect_verdict verdict = expect_judge(r->population, &flow, port, what);
	switch (verdict) {
	case EXPECT_OLD:
		other(r, TALLY_OLD_MAPPING);
		/* fall through */
	case EXPECT_RIGHT:
		data_count(r, &flow, what, now);
		break;
	default:
		fault(r, (enum tally_fault)faults[verdict]);
		break;
	}
}

/* ---- ESP ---- */

/* Found, measured and put into the burst; the engine opens it later. */
static void esp_queue(struct receiver *r, struct burst *burst, const struct inspected *what)
{
	struct opening *opening = &burst->openings[burst->opening_count];

	if (what->part_length < ESP_HEADER_LENGTH ||
		!security_find(
			r->security, r->population, esp_codec_spi(what->part), &opening->peer)) {
		fault(r, TALLY_SPI);
		return;
	}
	const struct population_group *group = opening->peer.group;
	if (burst->port != group->settings->access_port) {
		fault(r, TALLY_PORT);
		return;
	}
	const struct security_group *own = &r->security->groups[group->index];
	if (esp_codec_check_length(own->suite, what->part_length) != ESP_ACCEPT) {
		fault(r, TALLY_ESP);
		return;
	}
	uint32_t low = esp_codec_sequence_low(what->part);
	unsigned down = !opening->peer.up;
	opening->number =
		own->esn ? window_extend(&own->numbers[down][opening->peer.association], low) : low;
	opening->what = *what;
	opening->port = burst->port;
	burst->operations[burst->opening_count++] = (struct crypto_operation){
		.suite = own->suite,
		.key = &own->keys[down][opening->peer.association],
		.esp = (uint8_t *)(uintptr_t)what->part,
		.sequence = opening->number,
		.length = what->part_length - esp_codec_text_offset(own->suite) -
			  own->suite->icv_length,
		.flags = own->esn ? CRYPTO_ESN : 0,
	};
}

/*
 * A registration reply out of ESP: as if it had come without, in a frame that begins in front of
 * the `packet`; ESP's header leaves room enough.
 */
static void registration_open(struct receiver *r, const struct burst *burst,
	const struct opening *opening, uint8_t *packet)
{
	const struct population_group *group = opening->peer.group;
	struct ip_address node =
		population_tunnel_end(group, opening->peer.node, opening->peer.place);
	const struct inspected *what = &opening->what;
	const struct ethernet_header ethernet = {.type = htons(ETHERNET_IPV4)};
	uint8_t *frame = packet - ETHERNET_HEADER_SIZE;

	if (!profile_is_sealed(group->settings) ||
		!ip_address_equal(&what->outer.destination, &node)) {
		fault(r, TALLY_INNER);
		return;
	}
	memcpy(frame, &ethernet, sizeof(ethernet));
	other(r, TALLY_REGISTRATION);
	if (r->message)
		r->message(r->context, burst->port, INSPECT_REGISTRATION, what, frame);
}

/*
 * Transport mode: the outer header is the packet's own (RFC 4303 3.1.1) and is brought to what was
 * inside. Returns where the packet begins, in what was ESP's header.
 */
static uint8_t *header_restore(const struct opening *opening, const uint8_t *esp, uint8_t *text,
	uint32_t length, uint8_t protocol)
{
	uint16_t udp = opening->what.layers & INSPECT_LAYER_UDP ? UDP_HEADER_SIZE : 0;
	struct ipv4_wire header;

	memcpy(&header, esp - udp - IPV4_HEADER_SIZE, sizeof(header));
	header.total_length = htons((uint16_t)(IPV4_HEADER_SIZE + length));
	header.protocol = protocol;
	header.checksum = 0;
	header.checksum = checksum_finish(checksum_add(0, &header, sizeof(header)));
	return memcpy(text - IPV4_HEADER_SIZE, &header, sizeof(header));
}

/* The packet that was under ESP and its length; NULL when there is none, which is counted. */
static uint8_t *esp_packet(struct receiver *r, const struct opening *opening,
	const struct crypto_operation *operation, uint32_t *length)
{
	const struct security_group *own = &r->security->groups[opening->peer.group->index];
	uint8_t *text = operation->esp + esp_codec_text_offset(own->suite);
	uint32_t tail = operation->length < TAIL_MAX ? operation->length : TAIL_MAX, payload;
	uint8_t next_header;

	if (esp_codec_trailer_read(text + operation->length - tail, tail, operation->length,
		    &payload, &next_header) != ESP_ACCEPT) {
		fault(r, TALLY_ESP);
		return NULL;
	}
	if (profile_is_transport(opening->peer.group->settings) &&
		next_header != ESP_NEXT_HEADER_NONE) {
		*length = IPV4_HEADER_SIZE + payload;
		return header_restore(opening, operation->esp, text, payload, next_header);
	}
	switch (esp_codec_inner_check(text, payload, payload, next_header, length)) {
	case ESP_ACCEPT:
		return text;
	case ESP_DUMMY:
		other(r, TALLY_DUMMY);
		return NULL;
	default:
		fault(r, TALLY_ESP);
		return NULL;
	}
}

/* Under this association only this node's packets, and only to where it is for: its selectors. */
static bool peer_is_right(
	const struct receiver *r, const struct security_peer *peer, const struct inspected *what)
{
	const struct population_group *group = peer->group;
	struct ip_address end = population_tunnel_end(group, peer->node, peer->place);
	struct population_flow flow;

	if (!population_flow_find(r->population, what->signature.flow, &flow))
		return true; /* said of all packets */
	if (flow.group != group || flow.node != peer->node)
		return false;
	return !profile_is_sealed(group->settings) ||
	       ip_address_equal(peer->up ? &what->tunnel.source : &what->tunnel.destination, &end);
}

/* Authentic: number, trailer and what is inside. */
static void esp_open(struct receiver *r, const struct burst *burst, struct opening *opening,
	const struct crypto_operation *operation)
{
	const struct security_peer *peer = &opening->peer;
	struct security_group *own = &r->security->groups[peer->group->index];
	struct inspected *what = &opening->what;
	uint32_t length;

	if (!security_number_take(own, peer, opening->number)) {
		fault(r, TALLY_NUMBER);
		return;
	}
	uint8_t *packet = esp_packet(r, opening, operation, &length);
	if (!packet)
		return;
	switch (inspect_packet(packet, length, r->population->magic, what)) {
	case INSPECT_DATA:
		if (peer_is_right(r, peer, what))
			data_judge(r, opening->port, burst->now, what);
		else
			fault(r, TALLY_SPI);
		return;
	case INSPECT_REGISTRATION:
		registration_open(r, burst, opening, packet);
		return;
	case INSPECT_ICMP:
		other(r, TALLY_ICMP);
		return;
	case INSPECT_CHECKSUM:
		fault(r, TALLY_CHECKSUM);
		return;
	default:
		fault(r, TALLY_MALFORMED);
		return;
	}
}

static void esp_burst(struct receiver *r, struct burst *burst)
{
	if (!burst->opening_count)
		return;
	crypto_engine_decrypt_burst(
		security_engine_get(r->engine), burst->operations, burst->opening_count);
	for (unsigned i = 0; i < burst->opening_count; i++) {
		if (burst->operations[i].status == CRYPTO_DONE)
			esp_open(r, burst, &burst->openings[i], &burst->operations[i]);
		else
			fault(r, TALLY_ICV);
	}
}

/* ---- frames ---- */

/* A reply in clear to a node that is reached inside ESP alone. */
static bool registration_is_bare(const struct population *population, const struct inspected *what)
{
	for (unsigned i = 0; i < population->group_count; i++) {
		const struct population_group *group = &population->groups[i];
		struct ip_address first = population_tunnel_end(group, 0, 0);
		if (profile_is_sealed(group->settings) &&
			population_has(&first, group->associations, &what->outer.destination))
			return true;
	}
	return false;
}

static void frame_judge(struct receiver *r, struct burst *burst, const void *frame, uint32_t length)
{
	static const int8_t others[] = {
		[INSPECT_REGISTRATION] = TALLY_REGISTRATION,
		[INSPECT_ARP] = TALLY_ARP,
		[INSPECT_ICMP] = TALLY_ICMP,
		[INSPECT_KEEPALIVE] = TALLY_KEEPALIVE,
		[INSPECT_FOREIGN] = TALLY_FOREIGN,
	};
	struct inspected what;
	enum inspect_kind kind = inspect_frame(frame, length, r->population->magic, &what);

	if (!r->population->group_count && (kind == INSPECT_DATA || kind == INSPECT_ESP))
		kind = INSPECT_FOREIGN; /* a replay: nobody is there to whom it could belong */
	switch (kind) {
	case INSPECT_DATA:
		data_judge(r, burst->port, burst->now, &what);
		return;
	case INSPECT_ESP:
		esp_queue(r, burst, &what);
		return;
	case INSPECT_FRAGMENT:
		fault(r, TALLY_FRAGMENT);
		return;
	case INSPECT_CHECKSUM:
		fault(r, TALLY_CHECKSUM);
		return;
	case INSPECT_MALFORMED:
		fault(r, TALLY_MALFORMED);
		return;
	default:
		if (kind == INSPECT_REGISTRATION && registration_is_bare(r->population, &what)) {
			fault(r, TALLY_ENCAPSULATION);
			return;
		}
		other(r, (enum tally_other)others[kind]);
		if (r->message)
			r->message(r->context, burst->port, kind, &what, frame);
		return;
	}
}

static unsigned port_poll(struct receiver *r, unsigned index)
{
	struct rte_mbuf *mbufs[BURST];
	uint16_t count = rte_eth_rx_burst(r->ports[index].ethdev, 0, mbufs, BURST);
	struct burst burst;

	if (count == 0)
		return 0;
	burst.port = index;
	burst.now = rte_rdtsc();
	burst.opening_count = 0;
	for (uint16_t i = 0; i < count; i++) {
		if (i + 4 < count)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + 4], void *));
		const void *frame = rte_pktmbuf_mtod(mbufs[i], void *);
		if (r->capture)
			capture_write(r->capture, frame, mbufs[i]->data_len, clock_read().wall_ns);
		if (!port_untag(&r->ports[index], mbufs[i])) {
			fault(r, TALLY_ENCAPSULATION);
			continue;
		}
		frame = rte_pktmbuf_mtod(mbufs[i], void *);
		if (mbufs[i]->nb_segs == 1)
			frame_judge(r, &burst, frame, mbufs[i]->data_len);
		else /* longer than anything that was sent */
			fault(r, TALLY_MALFORMED);
	}
	esp_burst(r, &burst);
	rte_pktmbuf_free_bulk(mbufs, count);
	return count;
}

unsigned receive_poll(struct receiver *r)
{
	unsigned count = 0;

	for (unsigned i = r->port_first; i < r->population->profile->port_count;
		i += r->port_step ? r->port_step : 1)
		count += port_poll(r, i);
	return count;
}
