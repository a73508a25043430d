#include "tests/unit/dataplane/lane_record.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <stdio.h>
#include <stdlib.h>

#define ETHERNET      14
#define FLOW          39
#define RECORD_EVENTS RTE_DIM(((struct world *)0)->events)

struct record *record_new(const struct world *world)
{
	struct record *record = calloc(1, sizeof(*record));

	if (record == NULL)
		abort();
	record->from_ns = world->worker.now_ns;
	return record;
}

void record_free(struct record *record)
{
	free(record->octets);
	free(record);
}

/* Name, length and octets. */
static void put(
	struct record *record, unsigned step, const char *name, const void *octets, uint32_t length)
{
	struct {
		char name[24];
		uint32_t step, length;
	} head = {.step = step, .length = length};

	snprintf(head.name, sizeof(head.name), "%s", name);
	if (record->length + sizeof(head) + length > record->room) {
		record->room = 2 * record->room + sizeof(head) + length;
		record->octets = realloc(record->octets, record->room);
		if (record->octets == NULL)
			abort();
	}
	memcpy(record->octets + record->length, &head, sizeof(head));
	memcpy(record->octets + record->length + sizeof(head), octets, length);
	record->length += sizeof(head) + length;
}

/* The header of a datagram of our own that may be fragmented: its identification is from a counter
 * of the process. */
static struct rte_ipv4_hdr *counted(const struct world_frame *frame)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame->octets + ETHERNET);

	if (frame->length < ETHERNET + sizeof(*ip) || frame->octets[12] != 8 ||
		frame->octets[13] != 0 || ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG) ||
		ip->src_addr != RTE_BE32(RECORD_HERE) ||
		(ip->hdr_checksum != 0 && rte_raw_cksum(ip, sizeof(*ip)) != 0xffff))
		return NULL;
	return ip;
}

/* The same inside a tunnel of whichever kind: an error of ours, or a tunnel. */
static void blank_inner(const struct world_frame *frame)
{
	static const uint8_t places[] = {20, 24, 32, 36, 40};

	for (unsigned i = 0; i < RTE_DIM(places); i++) {
		uint32_t at = ETHERNET + places[i];
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame->octets + at);
		if (frame->length < at + sizeof(*ip) || ip->version_ihl != 0x45 ||
			ip->src_addr != RTE_BE32(RECORD_HERE))
			continue;
		ip->packet_id = 0;
		ip->hdr_checksum = 0;
	}
}

/* Whose counter. */
static unsigned host_of(struct record *record, const struct rte_ipv4_hdr *ip)
{
	uint16_t identification = rte_be_to_cpu_16(ip->packet_id);

	for (unsigned i = 0; i < record->hosts; i++)
		if (record->host[i] == ip->dst_addr)
			return i;
	if (record->hosts == RECORD_HOSTS)
		abort();
	record->host[record->hosts] = ip->dst_addr;
	record->first[record->hosts] = identification;
	return record->hosts++;
}

/* Errors of our own have one counter for all, and some of them die on their way: whose number is
 * seen depends on the order among flows. That it is one that was taken, and nobody else's, does
 * not. */
static void error_note(struct record *record, const struct world *world, uint16_t identification)
{
	record->strays +=
		record->seen[identification] || identification >= world->counters.icmp_sent;
	record->seen[identification] = true;
}

/* Flows to one host share its counter and have no order among each other: what they took of it
 * together is told, from the first one on. */
static void put_identifications(struct record *record, unsigned step, const struct world *world,
	const struct world_frame *frames, unsigned count)
{
	unsigned before = record->hosts;

	for (unsigned i = 0; i < count; i++) {
		const struct rte_ipv4_hdr *ip = counted(&frames[i]);
		if (ip == NULL || ip->next_proto_id == IPPROTO_ICMP)
			continue;
		uint16_t identification = rte_be_to_cpu_16(ip->packet_id);
		unsigned host = host_of(record, ip);
		if (host >= before && (int16_t)(identification - record->first[host]) < 0)
			record->first[host] = identification;
	}
	for (unsigned i = 0; i < count; i++) {
		struct rte_ipv4_hdr *ip = counted(&frames[i]);
		blank_inner(&frames[i]);
		if (ip == NULL)
			continue;
		uint16_t identification = rte_be_to_cpu_16(ip->packet_id);
		if (ip->next_proto_id == IPPROTO_ICMP) {
			error_note(record, world, identification);
		} else {
			unsigned host = host_of(record, ip);
			record->taken[host] += (uint16_t)(identification - record->first[host]);
		}
		ip->packet_id = 0;
		ip->hdr_checksum = 0;
	}
	for (unsigned i = 0; i < record->hosts; i++) {
		put(record, step, "identifications", &record->host[i], sizeof(record->host[i]));
		put(record, step, "identifications", &record->taken[i], sizeof(record->taken[i]));
	}
}

/* Addresses, protocol and what follows the header: ports or SPI, nothing where there is none. */
static void flow_of_packet(const uint8_t *ip, uint32_t length, uint8_t flow[13])
{
	if (length < 20)
		return;
	flow[0] = ip[9];
	memcpy(flow + 1, ip + 12, 8);
	if (length >= 24)
		memcpy(flow + 9, ip + 20, 4);
}

static void flow_of_ipv6(const uint8_t *ip, uint32_t length, uint8_t flow[37])
{
	flow[0] = ip[6];
	memcpy(flow + 1, ip + 8, 32);
	if (length >= 44)
		memcpy(flow + 33, ip + 40, 4);
}

/* That of a Mobile IP tunnel is the one inside. */
static void flow_of(const struct world_frame *frame, uint8_t flow[FLOW])
{
	const uint8_t *ip = frame->octets + ETHERNET;
	uint32_t inner = 0;

	memset(flow, 0, FLOW);
	flow[0] = (uint8_t)frame->port;
	if (frame->length < ETHERNET + 20)
		return;
	if (ip[0] >> 4 == 6 && frame->length >= ETHERNET + 40) {
		flow_of_ipv6(ip, frame->length - ETHERNET, flow + 1);
		return;
	}
	if (ip[9] == IPPROTO_IPIP)
		inner = 20;
	else if (ip[9] == IPPROTO_UDP && frame->length >= ETHERNET + 32 && ip[20] == 1 &&
		 ip[21] == 434 - 256)
		inner = 32;
	flow_of_packet(ip, frame->length - ETHERNET, flow + 1);
	if (inner != 0 && frame->length >= ETHERNET + inner)
		flow_of_packet(ip + inner, frame->length - ETHERNET - inner, flow + 10);
}

static int flow_compare(const struct world_frame *a, const struct world_frame *b)
{
	uint8_t flows[2][FLOW];

	flow_of(a, flows[0]);
	flow_of(b, flows[1]);
	return memcmp(flows[0], flows[1], sizeof(flows[0]));
}

/* Insertion: frames of one flow stay in their order. */
static void sort(struct world_frame *frames, unsigned count)
{
	for (unsigned i = 1; i < count; i++) {
		struct world_frame frame = frames[i];
		unsigned at = i;
		for (; at > 0 && flow_compare(&frames[at - 1], &frame) > 0; at--)
			frames[at] = frames[at - 1];
		frames[at] = frame;
	}
}

static void put_frames(struct record *record, unsigned step, const char *name,
	const struct world *world, struct world_frame *frames, unsigned count)
{
	if (count == WORLD_CAUGHT)
		abort(); /* some may be missing */
	put_identifications(record, step, world, frames, count);
	for (unsigned i = 0; i < count; i++) {
		put(record, step, name, &frames[i].port, sizeof(frames[i].port));
		put(record, step, name, frames[i].octets, frames[i].length);
	}
	record->frames += count;
}

/* Of packets that name no SA a whole neighbourhood shares what may be told a second (AUD-05): which
 * of them it was told of depends on the order among SAs. */
static struct event event_of(const struct event *event)
{
	struct event known = {.type = event->type,
		.id = event->id,
		.value = event->value,
		.address = event->address};

	if (event->type == EVENT_SA_REJECTED && event->id == SA_NONE) {
		known.value >>= 32;
		memset(&known.address, 0, sizeof(known.address));
	}
	return known;
}

/* Events of one burst have no order that means anything. */
static bool is_later(const struct event *a, const struct event *b)
{
	if (a->type != b->type)
		return a->type > b->type;
	if (a->id != b->id)
		return a->id > b->id;
	if (a->value != b->value)
		return a->value > b->value;
	return memcmp(&a->address, &b->address, sizeof(a->address)) > 0;
}

static void put_events(
	struct record *record, unsigned step, const struct event *events, unsigned count)
{
	struct event sorted[RECORD_EVENTS];

	if (count == RECORD_EVENTS)
		abort(); /* some may be missing */
	for (unsigned i = 0; i < count; i++) {
		struct event event = event_of(&events[i]);
		unsigned at = i;
		for (; at > 0 && is_later(&sorted[at - 1], &event); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = event;
	}
	put(record, step, "events", sorted, (uint32_t)(count * sizeof(sorted[0])));
}

/* Wherever they were counted. */
static void put_hits(struct record *record, unsigned step, const struct world *world)
{
	uint64_t hits[WORLD_POLICIES];

	for (unsigned i = 0; i < WORLD_POLICIES; i++)
		hits[i] = world->policy_hits[i] +
			  policy_line_hits(&world->sas.policies[i], world->sas.outbound, WORLD_SAS);
	put(record, step, "policies", hits, sizeof(hits));
}

static void put_sas(struct record *record, unsigned step, const struct world *world)
{
	const struct sa_table *sas = tables_sas(world->tables);

	for (uint32_t i = 0; i < WORLD_SAS; i++) {
		struct sa_outbound_state state = world->sas.outbound[i];
		const struct sa_outbound *sa = sa_outbound_get(sas, i);
		char name[24];

		snprintf(name, sizeof(name), "SA %u", i);
		if (state.last_use_ns != 0)
			state.last_use_ns -= record->from_ns;
		put(record, step, name, &state, SA_OUTBOUND_STATE_OWN);
		if (sa == NULL)
			continue;
		uint32_t soft[2] = {sa->learned_mtu, sa->allowance};
		put(record, step, name, soft, sizeof(soft));
	}
	for (uint32_t i = 0; i < WORLD_SAS; i++) {
		struct sa_inbound_state state = world->sas.inbound[i];
		const struct sa_inbound *sa = sa_inbound_get(sas, i);
		char name[24];

		snprintf(name, sizeof(name), "SA in %u", i);
		if (state.last_use_ns != 0)
			state.last_use_ns -= record->from_ns;
		put(record, step, name, &state, sizeof(state));
		if (sa == NULL)
			continue;
		uint32_t soft[3] = {sa->failures, sa->proved, sa->mapping_told_to};
		put(record, step, name, soft, sizeof(soft));
	}
	put(record, step, "windows", world->sas.windows,
		WORLD_SAS * sa_window_words(WORLD_WINDOW) * sizeof(*world->sas.windows));
}

void record_write(struct record *record, struct world *world, unsigned step)
{
	sort(world->sent, world->sent_count);
	put_frames(record, step, "sent", world, world->sent, world->sent_count);
	sort(world->kernel, world->kernel_count);
	put_frames(record, step, "kernel", world, world->kernel, world->kernel_count);
	for (unsigned i = 0; i < world->punted_count; i++)
		put(record, step, "punted", world->punted[i].data, world->punted[i].length);
	put_events(record, step, world->events, world->event_count);
	put(record, step, "counters", &world->counters, sizeof(world->counters));
	put(record, step, "bindings", world->bindings, sizeof(world->bindings));
	put_hits(record, step, world);
	put_sas(record, step, world);
	world_forget(world);
}

const char *record_differs(const struct record *a, const struct record *b)
{
	static char text[160];
	size_t at = 0;

	if (a->strays != 0 || b->strays != 0)
		return "an error of ours has a number that it did not take";
	while (at < a->length && at < b->length) {
		uint32_t words[2], other[2];
		memcpy(words, a->octets + at + 24, sizeof(words));
		memcpy(other, b->octets + at + 24, sizeof(other));
		size_t all = 32 + words[1];
		if (memcmp(a->octets + at, b->octets + at, 32) != 0 ||
			memcmp(a->octets + at + 32, b->octets + at + 32, words[1]) != 0) {
			size_t octet = 32;
			while (octet < all && a->octets[at + octet] == b->octets[at + octet])
				octet++;
			snprintf(text, sizeof(text),
				"step %u: %.24s of %u octets, octet %zu, against step %u: %.24s of "
				"%u",
				words[0], (const char *)a->octets + at, words[1], octet - 32,
				other[0], (const char *)b->octets + at, other[1]);
			return text;
		}
		at += all;
	}
	return a->length == b->length ? NULL : "one is longer";
}
