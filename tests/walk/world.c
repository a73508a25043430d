#include "tests/walk/world.h"

#include "dataplane/conservation.h"
#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/library.h"
#include "dataplane/link/event.h"
#include "dataplane/link/punt.h"
#include "dataplane/packet.h"
#include "dataplane/pipeline.h"
#include "dataplane/table/tables_private.h"
#include "dataplane/tsc_clock.h"
#include "lib/base/processor.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ip.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring_elem.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>

#define POOL_MBUFS 4095
#define PUNT_SLOTS 32
#define HELD_S     31 /* longer than a fragment or an unresolved packet waits */
#define TICK_MS    100
#define DATA_ROOM  2048

static struct rte_mempool *pool;
static unsigned pool_full;
static struct crypto_library *library;
static struct crypto_engine *engine;
static unsigned worlds; /* made so far */

static void fail(const char *what)
{
	fprintf(stderr, "world: %s\n", what);
	abort();
}

static void eal_start(void)
{
	char lcores[24];
	char *arguments[] = {"walk", "--no-huge", "--no-pci", "-m", "256", "--no-shconf",
		"--no-telemetry", lcores, "--log-level=error", NULL};

	if (pool != NULL)
		return;
	snprintf(lcores, sizeof(lcores), "--lcores=0@%d", processor_first());
	if (rte_eal_init((int)RTE_DIM(arguments) - 1, arguments) < 0)
		fail("rte_eal_init");
	pool = rte_pktmbuf_pool_create("world", POOL_MBUFS, 0, PACKET_PRIVATE_SIZE,
		DATA_ROOM + PACKET_HEADROOM, SOCKET_ID_ANY);
	if (pool == NULL)
		fail("no mbuf pool");
	pool_full = rte_mempool_avail_count(pool);
	char error[LIBRARY_ERROR_SIZE];
	library = crypto_library_open(LIBRARY_SHARED, LIBRARY_BEST, error);
	engine = library != NULL ? crypto_engine_new(library) : NULL;
	if (engine == NULL)
		fail(library == NULL ? error : "no crypto engine");
}

static void ring_make(struct worker *worker)
{
	size_t size = ring_size(PUNT_SLOTS, sizeof(struct punt_record));
	void *memory = aligned_alloc(64, (size + 63) & ~(size_t)63);

	worker->punt = calloc(1, sizeof(*worker->punt));
	if (memory == NULL || worker->punt == NULL)
		fail("no memory");
	memset(memory, 0, size);
	ring_reset(memory);
	if (ring_attach_producer(
		    worker->punt, memory, size, PUNT_SLOTS, sizeof(struct punt_record)) != 0)
		fail("punt ring");
}

static void *zeroed(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) & ~(size_t)63);

	if (memory == NULL)
		fail("no memory");
	return memset(memory, 0, size);
}

static void sas_make(struct world *world)
{
	world->sas.inbound = zeroed(WORLD_SAS * sizeof(*world->sas.inbound));
	world->sas.outbound = zeroed(WORLD_SAS * sizeof(*world->sas.outbound));
	world->sas.windows =
		zeroed(WORLD_SAS * sa_window_words(WORLD_WINDOW) * sizeof(*world->sas.windows));
	world->sas.policies = zeroed(WORLD_POLICIES * sizeof(*world->sas.policies));
	tables_sas_attach(world->tables, &world->sas, library);
	world->worker.crypto = engine;
}

struct world *world_new(void)
{
	const struct region_limits limits = {.workers = 1,
		.ports = WORLD_PORTS,
		.bindings = WORLD_BINDINGS,
		.routes = 64,
		.neighbors = 64,
		.prefixes = 64,
		.sas = WORLD_SAS,
		.policies = WORLD_POLICIES,
		.replay_window = WORLD_WINDOW};
	struct world *world;
	struct worker *worker;
	char name[32];

	eal_start();
	world = aligned_alloc(64, (sizeof(*world) + 63) & ~(size_t)63);
	if (world == NULL)
		fail("no memory");
	memset(world, 0, sizeof(*world));
	worker = &world->worker;
	world->tables = tables_new(&limits, 1);
	if (world->tables == NULL)
		fail("tables_new");
	sas_make(world);
	world->settings.icmp_rate = 1000; /* burst 100: the per-source limit is what tests meet */
	world->settings.icmp_source_rate = 10;
	world->settings.ike_rate = 1000;
	world->settings.ike_source_rate = 20;
	world->settings.ike_begin_rate = 50;
	world->settings.max_reassembly = 64;
	worker->tables = world->tables;
	worker->counters = &world->counters;
	worker->drop_switch = &world->drop_switch;
	worker->drop_trace = &world->drop_trace;
	worker->binding_counters = world->bindings;
	worker->policy_hits = world->policy_hits;
	worker->ports = world->ports;
	worker->port_count = WORLD_PORTS;
	worker->tx = world->tx;
	worker->pool = pool;
	worker->settings = &world->settings;
	/* The tables' own clock: two worlds meet what ends in time at the same step. */
	worker->tsc_hz = rte_get_tsc_hz();
	worker->now_tsc = world->tables->clock.tsc;
	worker->now_ns = world->tables->clock.ns;
	for (uint16_t i = 0; i < WORLD_PORTS; i++)
		world->ports[i] = (struct port){.index = i,
			.mtu = 1500,
			.mac = {2, 0, 0, 0, (uint8_t)i, 1},
			.zone = i == 0 ? ZONE_EXTERNAL : ZONE_INTERNAL,
			.has_exception = true,
			.checksum_check = true,
			.up = true};
	ring_make(worker);
	worker->index = worlds++; /* two worlds at once: rings have names */
	snprintf(name, sizeof(name), "world_exception%u", worker->index);
	worker->exception_out =
		rte_ring_create(name, 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (worker->exception_out == NULL || event_worker_init(worker) != 0 ||
		punt_worker_init(worker) != 0 || pipeline_worker_init(worker) != 0)
		fail("worker");
	rte_rcu_qsbr_thread_online(tables_qsbr(world->tables), 0);
	return world;
}

static void keep(
	struct world_frame *frames, unsigned *count, uint16_t port, struct rte_mbuf *packet)
{
	struct world_frame *frame = &frames[*count];
	uint32_t length = rte_pktmbuf_pkt_len(packet);
	const void *octets;

	if (*count == WORLD_CAUGHT)
		return;
	frame->port = port;
	frame->length = length;
	frame->octets = malloc(length != 0 ? length : 1);
	if (frame->octets == NULL)
		fail("no memory");
	octets = rte_pktmbuf_read(packet, 0, length, frame->octets);
	if (octets != frame->octets)
		memcpy(frame->octets, octets, length);
	(*count)++;
}

/* What a device does that finishes checksums: it takes the header lengths and flags at their word.
 */
static void finish_checksums(struct world *world, struct rte_mbuf *packet)
{
	char *l3 = rte_pktmbuf_mtod_offset(packet, char *, packet->l2_len);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)l3;

	if (packet->ol_flags & RTE_MBUF_F_TX_UDP_CKSUM) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(l3 + packet->l3_len);
		uint16_t sum;
		if (!rte_raw_cksum_mbuf(packet, packet->l2_len + packet->l3_len,
			    rte_pktmbuf_pkt_len(packet) - packet->l2_len - packet->l3_len, &sum))
			udp->dgram_cksum = sum == 0xffff ? sum : (uint16_t)~sum;
		world->finished_udp++;
	}
	if (packet->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) {
		if (ip->hdr_checksum != 0 || packet->l3_len != rte_ipv4_hdr_len(ip))
			fail("not ready for a device");
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		world->finished_ipv4++;
	}
}

void worker_flush(struct worker *worker)
{
	struct world *world = (struct world *)((char *)worker - offsetof(struct world, worker));

	for (uint16_t port = 0; port < worker->port_count; port++) {
		struct tx_buffer *tx = &worker->tx[port];
		for (unsigned i = 0; i < tx->count; i++) {
			finish_checksums(world, tx->packets[i]);
			keep(world->sent, &world->sent_count, port, tx->packets[i]);
			worker->counters->sent_port++;
			worker->counters->sent_port_bytes += rte_pktmbuf_pkt_len(tx->packets[i]);
			rte_pktmbuf_free(tx->packets[i]);
		}
		tx->count = 0;
	}
}

/* What a worker's loop and the main lcore do after a burst. */
static void collect(struct world *world)
{
	struct worker *worker = &world->worker;
	struct rte_mbuf *frame;
	struct event event;
	struct ring consumer;

	worker_flush(worker);
	while (rte_ring_dequeue(worker->exception_out, (void **)&frame) == 0) {
		keep(world->kernel, &world->kernel_count, frame->port, frame);
		rte_pktmbuf_free(frame);
	}
	while (rte_ring_sc_dequeue_elem(worker->event_out, &event, sizeof(event)) == 0)
		if (world->event_count < RTE_DIM(world->events))
			world->events[world->event_count++] = event;
	size_t size = ring_size(PUNT_SLOTS, sizeof(struct punt_record));
	if (ring_attach_consumer(&consumer, worker->punt->shared, size, PUNT_SLOTS,
		    sizeof(struct punt_record)) != 0)
		fail("punt ring");
	const struct punt_record *record;
	while ((record = ring_peek(&consumer, 0)) != NULL) {
		if (world->punted_count < RTE_DIM(world->punted))
			world->punted[world->punted_count++] = *record;
		ring_release(&consumer, 1);
	}
	rte_rcu_qsbr_quiescent(tables_qsbr(world->tables), 0);
}

void world_forget(struct world *world)
{
	for (unsigned i = 0; i < world->sent_count; i++)
		free(world->sent[i].octets);
	for (unsigned i = 0; i < world->kernel_count; i++)
		free(world->kernel[i].octets);
	world->sent_count = world->kernel_count = world->punted_count = world->event_count = 0;
}

bool world_free(struct world *world)
{
	struct worker *worker = &world->worker;
	bool whole;

	pipeline_worker_fini(worker);
	collect(world);
	whole = conservation_check(worker) == 0 && rte_mempool_avail_count(pool) == pool_full;
	world_forget(world);
	punt_worker_fini(worker);
	event_worker_fini(worker);
	rte_ring_free(worker->exception_out);
	free(worker->punt->shared);
	free(worker->punt);
	rte_rcu_qsbr_thread_offline(tables_qsbr(world->tables), 0);
	tables_free(world->tables);
	free(world->sas.inbound);
	free(world->sas.outbound);
	free(world->sas.windows);
	free(world->sas.policies);
	free(world);
	return whole;
}

int world_apply(struct world *world, struct command *command)
{
	int error;
	uint64_t token;

	command->sequence = ++world->sequence;
	error = tables_apply(world->tables, command);
	token = tables_publish(world->tables);
	rte_rcu_qsbr_quiescent(tables_qsbr(world->tables), 0);
	if (!tables_synced(world->tables, token))
		fail("not synced");
	return error;
}

struct rte_mbuf *world_packet(
	struct world *world, const void *octets, uint32_t length, unsigned segments)
{
	struct rte_mbuf *first = NULL, *last = NULL;
	const char *from = octets;

	for (unsigned i = 0; i < segments || length > 0; i++) {
		uint32_t part = i + 1 < segments ? length / (segments - i) : length;
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
		part = RTE_MIN(part, (uint32_t)DATA_ROOM - 64);
		if (mbuf == NULL)
			fail("no mbuf");
		memcpy(rte_pktmbuf_append(mbuf, (uint16_t)part), from, part);
		from += part;
		length -= part;
		if (first == NULL) {
			first = mbuf;
		} else {
			last->next = mbuf;
			first->nb_segs++;
			first->pkt_len += part;
		}
		last = mbuf;
	}
	return first;
}

void world_receive_burst(
	struct world *world, uint16_t port, const struct world_frame *frames, unsigned count)
{
	struct rte_mbuf *packets[BURST_SIZE];

	for (unsigned i = 0; i < count; i++) {
		packets[i] = world_packet(world, frames[i].octets, frames[i].length, 1);
		packets[i]->ol_flags |= world->rx_flags;
		world->received_bytes += frames[i].length;
	}
	pipeline_receive_burst(&world->worker, port, packets, count);
	collect(world);
}

void world_receive_mbufs(
	struct world *world, uint16_t port, struct rte_mbuf **packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		world->received_bytes += rte_pktmbuf_pkt_len(packets[i]);
	pipeline_receive_burst(&world->worker, port, packets, count);
	collect(world);
}

void world_receive(struct world *world, uint16_t port, const void *frame, uint32_t length)
{
	world_receive_burst(world, port,
		&(struct world_frame){.length = length, .octets = (uint8_t *)(uintptr_t)frame}, 1);
}

void world_kernel(struct world *world, uint16_t port, const void *frame, uint32_t length)
{
	struct rte_mbuf *packet = world_packet(world, frame, length, 1);

	packet->port = port;
	pipeline_exception_burst(&world->worker, &packet, 1);
	collect(world);
}

void world_inject(struct world *world, uint16_t kind, uint16_t flags, uint16_t port,
	const uint8_t mac[6], const void *data, uint32_t length)
{
	struct rte_mbuf *packet = world_packet(world, data, length, 1);
	struct packet *p = packet_init(packet, &world->ports[port < WORLD_PORTS ? port : 0]);

	p->inject_kind = kind;
	p->inject_flags = flags;
	p->flags = PACKET_LOCAL;
	p->sa_id = world->inject_sa_id;
	if (mac != NULL)
		memcpy(p->mac, mac, 6);
	pipeline_inject_burst(&world->worker, &packet, 1);
	collect(world);
}

void world_advance(struct world *world, uint64_t milliseconds)
{
	while (milliseconds > 0) {
		uint64_t step = RTE_MIN(milliseconds, (uint64_t)TICK_MS);
		world->worker.now_tsc += world->worker.tsc_hz * step / 1000;
		world->worker.now_ns += step * 1000000;
		milliseconds -= step;
		pipeline_tick(&world->worker);
		collect(world);
	}
}

bool world_settle(struct world *world)
{
	world->worker.now_tsc += world->worker.tsc_hz * HELD_S;
	world->worker.now_ns += HELD_S * CLOCK_NS_PER_S;
	for (unsigned i = 0; i < 4; i++) { /* an error of one turn may be held in the next */
		world_advance(world, TICK_MS);
		world->worker.now_tsc += world->worker.tsc_hz * HELD_S;
	}
	world_forget(world);
	return conservation_check(&world->worker) == 0 &&
	       rte_mempool_avail_count(pool) == pool_full;
}

int64_t world_balance(const struct world *world)
{
	return conservation_check(&world->worker);
}

static struct ip_address address(const char *text)
{
	struct ip_address a;

	if (ip_address_parse(text, &a) != 0)
		fail(text);
	return a;
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	if (ip_prefix_parse(text, &p) != 0)
		fail(text);
	return p;
}

static void apply(struct world *world, struct command command)
{
	if (world_apply(world, &command) != 0)
		fail("command refused");
}

void world_agent(struct world *world, const char *text, uint32_t flags)
{
	apply(world, (struct command){.type = COMMAND_AGENT_SET,
			     .agent = {.address = address(text),
				     .flags = flags,
				     .tunnel_ttl = 64,
				     .dscp = DSCP_COPY}});
}

void world_local(struct world *world, const char *text, uint16_t port)
{
	apply(world, (struct command){.type = COMMAND_LOCAL_SET,
			     .local = {.address = address(text), .port = port}});
}

void world_home_network(struct world *world, const char *text, uint16_t port)
{
	apply(world, (struct command){.type = COMMAND_HOME_NETWORK_SET,
			     .home_network = {.prefix = prefix(text),
				     .port = port,
				     .flags = port == PORT_NONE ? HOME_NETWORK_VIRTUAL : 0}});
}

void world_binding(struct world *world, uint32_t id, const char *home, const char *care_of,
	uint16_t care_of_port, uint8_t encapsulation, uint32_t flags)
{
	apply(world, (struct command){.type = COMMAND_BINDING_SET,
			     .binding = {.home_address = address(home),
				     .care_of_address = address(care_of),
				     .care_of_field = address(care_of),
				     .agent_address = address("192.0.2.1"),
				     .expires_ns = CLOCK_NEVER,
				     .binding_id = id,
				     .flags = flags | (care_of_port != 0 ? BINDING_UDP : 0),
				     .home_port = 1,
				     .care_of_port = rte_cpu_to_be_16(care_of_port),
				     .agent_port = rte_cpu_to_be_16(
					     flags & BINDING_UDP || care_of_port != 0 ? 434 : 0),
				     .encapsulation = encapsulation}});
}

void world_route(struct world *world, const char *text, const char *via, uint16_t port)
{
	apply(world, (struct command){.type = COMMAND_ROUTE_SET,
			     .route = {.prefix = prefix(text),
				     .next_hop = via != NULL ? address(via)
							     : (struct ip_address){.words = {0}},
				     .port = port}});
}

void world_neighbor(struct world *world, const char *text, uint16_t port, uint8_t last_mac_octet)
{
	apply(world, (struct command){.type = COMMAND_NEIGHBOR_SET,
			     .neighbor = {.address = address(text),
				     .port = port,
				     .mac = {2, 0, 0, 0, 0xee, last_mac_octet}}});
}
