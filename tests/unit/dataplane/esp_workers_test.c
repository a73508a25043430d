/*
 * Two workers on one SA, both directions at once: two threads, each with its own struct worker,
 * crypto engine and pipeline, as worker.c has them, over one set of tables. Each encrypts its own
 * packets, and each is given every ESP packet that either of them sent, so that of every number two
 * copies race for the window. Each packet carries its own identity inside: it must come out once.
 *
 * Once with the SA shared by both, once owned by one of them, which the other hands its packets to
 * (MP-04), and once with the SA moving to and fro meanwhile (MP-05). An inner packet's length says
 * which worker received it and its place among eight, so that the numbers show the order.
 *
 * The threads meet after each round, so that no number can be left of the window: then every drop
 * is known in advance, and a late one is an error. The last test has a small window instead.
 *
 * Not under TSan: libdpdk is not instrumented, so what its rings and mempool hand from thread to
 * thread looks like a race. The functions that the workers share of an SA, the window and the
 * numbers, are free of DPDK and run there: table/replay_window_test.c.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/conservation.h"
#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/library.h"
#include "dataplane/handover.h"
#include "dataplane/link/event.h"
#include "dataplane/link/punt.h"
#include "dataplane/packet.h"
#include "dataplane/pipeline.h"
#include "dataplane/table/sa_table.h"
#include "lib/base/processor.h"
#include "tests/unit/parsed.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_rcu_qsbr.h>
#include <stdlib.h>
#include <time.h>

#define WORKERS     2
#define PORTS       3
#define ROUNDS      200
#define BURSTS      8 /* of each worker in a round */
#define PER_ROUND   (WORKERS * BURSTS * BURST_SIZE_ESP)
#define PACKETS     (ROUNDS * PER_ROUND)
#define WINDOW      1024 /* above PER_ROUND: nothing is late */
#define SAS         4
#define SA_OUT      3
#define SA_IN       1
#define SPI         0xc0000001u
#define POOL_MBUFS  8191
#define WIRE_SLOTS  4096
#define TEXT_LENGTH 64 /* octets of an inner packet, at least */
#define PLACES      8
#define SERVER      0xc0000281u
#define CLIENT      0xcb0071c1u

/* Port 0 is outside, port 2 inside; port 1, of another vrf, stands for the far gateway. */
struct side {
	struct worker worker;
	struct worker_counters counters;
	uint64_t policy_hits[SAS];
	struct tx_buffer tx[PORTS];
	struct rte_ring *wire; /* ESP packets that it is to receive */
	uint64_t numbers_twice, identities_twice, strangers, delivered, encrypted, lost;
	uint32_t first_identity;
};

static struct rte_mempool *pool;
static struct crypto_library *library;
static struct port ports[PORTS];
static struct config_dataplane settings;
static struct tables *tables;
static struct sa_region region;
static struct side sides[WORKERS];
static pthread_barrier_t barrier;
static cpu_set_t processors; /* before EAL bound us to one */
static _Atomic uint8_t numbers[PACKETS + 1], identities[PACKETS];
static uint64_t number_before; /* what the SA had sent before */
static uint16_t replay_window = WINDOW;
static bool owned;
static bool by_turns; /* in each round one worker sends all before it receives any */
static uint16_t lengths[PACKETS + 1]; /* of the inner packet with a number */
static _Atomic unsigned running, arrivals;

/* ---- what leaves ---- */

static uint16_t length_of(uint32_t identity)
{
	unsigned from = identity / (PACKETS / WORKERS);

	return (uint16_t)(TEXT_LENGTH + 4 * (from * PLACES + identity % PLACES));
}

static void to_wire(struct side *side, struct rte_mbuf *packet)
{
	struct rte_mbuf *copy;

	for (unsigned i = 0; i < WORKERS; i++) {
		copy = rte_pktmbuf_copy(packet, pool, 0, UINT32_MAX);
		if (copy == NULL || rte_ring_mp_enqueue(sides[i].wire, copy) != 0) {
			rte_pktmbuf_free(copy);
			side->lost++;
		}
	}
}

static void take_encrypted(struct side *side, struct rte_mbuf *packet)
{
	rte_be32_t low;
	uint64_t number;

	memcpy(&low, rte_pktmbuf_mtod_offset(packet, char *, 14 + 20 + 4), sizeof(low));
	number = (uint32_t)(rte_be_to_cpu_32(low) - (uint32_t)number_before);
	if (number == 0 || number > PACKETS)
		side->strangers++;
	else if (atomic_fetch_add(&numbers[number], 1) != 0)
		side->numbers_twice++;
	else
		lengths[number] = (uint16_t)(rte_pktmbuf_pkt_len(packet) - 14 - 20 - 16 - 4 - 16);
	side->encrypted++;
	to_wire(side, packet);
}

static void take_decrypted(struct side *side, struct rte_mbuf *packet)
{
	uint32_t identity;

	memcpy(&identity, rte_pktmbuf_mtod_offset(packet, char *, 14 + 20), sizeof(identity));
	if (identity >= PACKETS || rte_pktmbuf_pkt_len(packet) != 14u + length_of(identity))
		side->strangers++;
	else if (atomic_fetch_add(&identities[identity], 1) != 0)
		side->identities_twice++;
	side->delivered++;
}

void worker_flush(struct worker *worker)
{
	struct side *side = &sides[worker->index];

	for (uint16_t port = 0; port < PORTS; port++) {
		for (unsigned i = 0; i < worker->tx[port].count; i++) {
			struct rte_mbuf *packet = worker->tx[port].packets[i];
			worker->counters->sent_port++;
			if (port == 0)
				take_encrypted(side, packet);
			else if (port == 1)
				take_decrypted(side, packet);
			else
				side->strangers++;
			rte_pktmbuf_free(packet);
		}
		worker->tx[port].count = 0;
	}
}

/* ---- a worker's thread ---- */

static struct rte_mbuf *clear_packet(uint32_t identity)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *ether;
	struct rte_ipv4_hdr *ip;
	uint16_t length = length_of(identity);

	if (packet == NULL)
		abort(); /* the pool holds every packet of a round */
	ether = (struct rte_ether_hdr *)rte_pktmbuf_append(packet, 14 + length);
	if (ether == NULL)
		abort();
	memset(ether, 0, 14 + length);
	ether->dst_addr = (struct rte_ether_addr){{2, 0, 0, 0, 2, 1}};
	ether->src_addr = (struct rte_ether_addr){{2, 0, 0, 0, 0xee, 5}};
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip = (struct rte_ipv4_hdr *)(ether + 1);
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16(length),
		.time_to_live = 63,
		.next_proto_id = 253,
		.src_addr = RTE_BE32(SERVER),
		.dst_addr = RTE_BE32(CLIENT)};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	memcpy(ip + 1, &identity, sizeof(identity));
	return packet;
}

static void send_clear(struct side *side)
{
	struct rte_mbuf *packets[BURST_SIZE_ESP];

	for (unsigned i = 0; i < BURST_SIZE_ESP; i++)
		packets[i] = clear_packet(side->first_identity++);
	pipeline_receive_burst(&side->worker, 2, packets, BURST_SIZE_ESP);
	worker_flush(&side->worker);
}

/* False when nothing waited. */
static bool receive_wire(struct side *side)
{
	struct rte_mbuf *packets[BURST_SIZE_ESP];
	unsigned count =
		rte_ring_sc_dequeue_burst(side->wire, (void **)packets, BURST_SIZE_ESP, NULL);

	for (unsigned i = 0; i < count; i++)
		memcpy(rte_pktmbuf_mtod(packets[i], char *), (uint8_t[]){2, 0, 0, 0, 1, 1}, 6);
	if (count > 0)
		pipeline_receive_burst(&side->worker, 1, packets, count);
	worker_flush(&side->worker);
	return count > 0;
}

/* The other threads' turn: there may be fewer processors than threads. */
static void rest(void)
{
	const struct timespec moment = {.tv_nsec = 20000};

	nanosleep(&moment, NULL);
}

static bool take_over(struct side *side)
{
	return owned && handover_poll(&side->worker) > 0;
}

/* Until all of the round is through: every buffer is back. */
static void meet(struct side *side)
{
	unsigned all = (atomic_fetch_add(&arrivals, 1) / WORKERS + 1) * WORKERS;

	while (atomic_load(&arrivals) < all || rte_mempool_avail_count(pool) < POOL_MBUFS) {
		if (!take_over(side) && !receive_wire(side))
			rest();
		rte_rcu_qsbr_quiescent(tables_qsbr(tables), side->worker.index);
	}
	pthread_barrier_wait(&barrier);
}

static void *run(void *argument)
{
	struct side *side = argument;
	struct rte_rcu_qsbr *qsbr = tables_qsbr(tables);

	pthread_setaffinity_np(pthread_self(), sizeof(processors), &processors);
	rte_rcu_qsbr_thread_online(qsbr, side->worker.index);
	for (unsigned round = 0; round < ROUNDS; round++) {
		const bool waits = by_turns && round % WORKERS == side->worker.index;
		for (unsigned i = 0; i < BURSTS; i++) {
			take_over(side);
			send_clear(side);
			if (!waits)
				receive_wire(side);
			rte_rcu_qsbr_quiescent(qsbr, side->worker.index);
		}
		meet(side);
	}
	atomic_fetch_sub(&running, 1);
	while (atomic_load(&running) > 0) { /* a move may be under way */
		if (!take_over(side))
			rest();
		rte_rcu_qsbr_quiescent(qsbr, side->worker.index);
	}
	rte_rcu_qsbr_thread_offline(qsbr, side->worker.index);
	return NULL;
}

/* ---- the two workers and their tables ---- */

static int start(void **state)
{
	char lcores[24];
	char *arguments[] = {"workers", "--no-huge", "--no-pci", "-m", "128", "--no-shconf",
		"--no-telemetry", lcores, "--log-level=error", NULL};
	char error[LIBRARY_ERROR_SIZE];
	(void)state;

	assert_int_equal(
		pthread_getaffinity_np(pthread_self(), sizeof(processors), &processors), 0);
	snprintf(lcores, sizeof(lcores), "--lcores=0@%d", processor_first());
	assert_true(rte_eal_init((int)RTE_DIM(arguments) - 1, arguments) >= 0);
	pool = rte_pktmbuf_pool_create("workers", POOL_MBUFS, 0, PACKET_PRIVATE_SIZE,
		2048 + PACKET_HEADROOM, SOCKET_ID_ANY);
	assert_non_null(pool);
	library = crypto_library_open(LIBRARY_SHARED, LIBRARY_BEST, error);
	assert_non_null(library);
	return 0;
}

static void apply(struct command command)
{
	static uint64_t sequence;

	command.sequence = ++sequence;
	assert_int_equal(tables_apply(tables, &command), 0);
	tables_publish(tables); /* the workers are offline: nobody to wait for */
}

static struct selector any_selector(void)
{
	return (struct selector){.local_first = address_of("0.0.0.0"),
		.local_last = address_of("255.255.255.255"),
		.remote_first = address_of("0.0.0.0"),
		.remote_last = address_of("255.255.255.255"),
		.local_port_last = 65535,
		.remote_port_last = 65535};
}

static struct command sa_set(uint8_t direction, uint32_t id, uint32_t flags, uint8_t worker)
{
	bool out = direction == SA_OUTBOUND;

	return (struct command){.type = COMMAND_SA_SET,
		.sa = {.local = address_of(out ? "192.0.2.1" : "198.51.100.2"),
			.remote = address_of(out ? "198.51.100.2" : "192.0.2.1"),
			.sa_id = id,
			.spi = RTE_BE32(SPI),
			.pair_id = SA_NONE,
			.encryption = SA_ENCRYPTION_AES_GCM_16,
			.replay_window = replay_window,
			.flags = flags | SA_RESUME,
			.vrf = !out,
			.direction = direction,
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY,
			.worker = worker}};
}

static void sa(uint8_t direction, uint32_t id, uint32_t flags)
{
	apply((struct command){.type = COMMAND_SA_KEY,
		.sa_key = {.sa_id = id,
			.direction = direction,
			.encryption_length = 20,
			.encryption_key = {1, 2, 3}}});
	apply((struct command){.type = COMMAND_SA_SELECTOR,
		.sa_selector = {.sa_id = id, .direction = direction, .selector = any_selector()}});
	apply(sa_set(direction, id, flags, 0));
}

static void route(const char *to, uint16_t vrf, uint16_t port)
{
	apply((struct command){.type = COMMAND_ROUTE_SET,
		.route = {.prefix = prefix_of(to), .vrf = vrf, .port = port}});
}

static void neighbor(const char *of, uint16_t port)
{
	apply((struct command){.type = COMMAND_NEIGHBOR_SET,
		.neighbor = {
			.address = address_of(of), .port = port, .mac = {2, 0, 0, 0, 0xee, 9}}});
}

static void *zeroed(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) & ~(size_t)63);

	assert_non_null(memory);
	return memset(memory, 0, size);
}

static void tables_make(uint32_t flags)
{
	const struct region_limits limits = {.workers = WORKERS,
		.ports = PORTS,
		.bindings = 16,
		.routes = 64,
		.neighbors = 64,
		.prefixes = 16,
		.sas = SAS,
		.policies = SAS,
		.replay_window = WINDOW};

	tables = tables_new(&limits, WORKERS);
	assert_non_null(tables);
	region.inbound = zeroed(SAS * sizeof(*region.inbound));
	region.outbound = zeroed(SAS * sizeof(*region.outbound));
	region.windows = zeroed(SAS * sa_window_words(WINDOW) * sizeof(*region.windows));
	tables_sas_attach(tables, &region, library);
	region.outbound[SA_OUT].sequence = number_before;
	region.inbound[SA_IN].highest = number_before;
	apply((struct command){.type = COMMAND_LOCAL_SET,
		.local = {.address = address_of("192.0.2.1"), .port = 0}});
	apply((struct command){.type = COMMAND_LOCAL_SET,
		.local = {.address = address_of("198.51.100.2"), .vrf = 1, .port = 1}});
	route("0.0.0.0/0", 0, 0);
	route("192.0.2.128/25", 0, 2);
	route("0.0.0.0/0", 1, 1);
	neighbor("198.51.100.2", 0);
	neighbor("203.0.113.193", 0);
	neighbor("203.0.113.193", 1);
	sa(SA_OUTBOUND, SA_OUT, flags);
	sa(SA_INBOUND, SA_IN, flags);
	apply((struct command){.type = COMMAND_POLICY_SET,
		.policy = {.selector = any_selector(),
			.policy_id = 1,
			.sa_id = SA_OUT,
			.direction = SA_OUTBOUND,
			.action = POLICY_PROTECT}});
	apply((struct command){.type = COMMAND_POLICY_COMMIT});
}

static void side_make(unsigned index)
{
	struct side *side = &sides[index];
	struct worker *worker = &side->worker;
	char name[32];

	memset(side, 0, sizeof(*side));
	side->first_identity = index * (PACKETS / WORKERS);
	snprintf(name, sizeof(name), "wire_%u", index);
	side->wire = rte_ring_create(name, WIRE_SLOTS, SOCKET_ID_ANY, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "exception_%u", index);
	*worker = (struct worker){.index = index,
		.tables = tables,
		.counters = &side->counters,
		.policy_hits = side->policy_hits,
		.ports = ports,
		.port_count = PORTS,
		.tx = side->tx,
		.pool = pool,
		.crypto = crypto_engine_new(library),
		.now_tsc = rte_rdtsc(),
		.tsc_hz = rte_get_tsc_hz(),
		.now_ns = CLOCK_NS_PER_S,
		.settings = &settings,
		.exception_out = rte_ring_create(name, 64, SOCKET_ID_ANY, 0)};
	assert_true(side->wire != NULL && worker->crypto != NULL && worker->exception_out != NULL);
	assert_int_equal(event_worker_init(worker), 0);
	assert_int_equal(punt_worker_init(worker), 0);
	assert_int_equal(pipeline_worker_init(worker), 0);
}

static void side_free(struct side *side)
{
	struct worker *worker = &side->worker;

	pipeline_worker_fini(worker);
	punt_worker_fini(worker);
	event_worker_fini(worker);
	handover_close(worker);
	crypto_engine_free(worker->crypto);
	rte_ring_free(worker->exception_out);
	rte_ring_free(side->wire);
}

static void sides_make(uint32_t flags, uint64_t before)
{
	struct worker *workers[WORKERS] = {&sides[0].worker, &sides[1].worker};

	number_before = before;
	memset((void *)numbers, 0, sizeof(numbers));
	memset((void *)identities, 0, sizeof(identities));
	settings.max_reassembly = 64;
	for (uint16_t i = 0; i < PORTS; i++)
		ports[i] = (struct port){.index = i,
			.vrf = i == 1,
			.mtu = 1500,
			.mac = {2, 0, 0, 0, (uint8_t)i, 1},
			.zone = i == 0 ? ZONE_EXTERNAL : ZONE_INTERNAL,
			.up = true};
	tables_make(flags);
	for (unsigned i = 0; i < WORKERS; i++)
		side_make(i);
	if (owned)
		assert_int_equal(
			handover_open(workers, WORKERS, tables_sas_own(tables, WORKERS)), 0);
}

/* How often it had to be asked. */
static unsigned move(uint8_t direction, uint32_t id, uint32_t flags, uint32_t worker)
{
	const struct command command = sa_set(direction, id, flags, (uint8_t)(worker + 1));
	unsigned asked = 1;
	int error;

	while ((error = tables_apply(tables, &command)) == EAGAIN) {
		tables_publish(tables);
		rest();
		asked++;
	}
	assert_int_equal(error, 0);
	return asked;
}

static void race_moving(uint32_t flags, uint64_t before, bool moving)
{
	pthread_t threads[WORKERS];
	unsigned moves = 0;

	sides_make(flags, before);
	atomic_store(&running, WORKERS + moving);
	atomic_store(&arrivals, 0);
	assert_int_equal(pthread_barrier_init(&barrier, NULL, WORKERS), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, &sides[i]), 0);
	pthread_setaffinity_np(pthread_self(), sizeof(processors), &processors);
	for (; moving && atomic_load(&running) > 1; moves++) {
		move(SA_OUTBOUND, SA_OUT, flags, moves % WORKERS);
		move(SA_INBOUND, SA_IN, flags, (moves + 1) % WORKERS);
	}
	if (moving) {
		print_message("# %u moves of each direction\n", moves);
		assert_true(moves > WORKERS);
		atomic_fetch_sub(&running, 1);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
}

static void race(uint32_t flags, uint64_t before)
{
	race_moving(flags, before, false);
}

static uint64_t drops(enum drop_reason reason)
{
	return sides[0].counters.drops[reason] + sides[1].counters.drops[reason];
}

static void finish(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		const struct side *side = &sides[i];
		assert_int_equal(conservation_check(&side->worker), 0);
		assert_int_equal(side->lost + side->strangers, 0);
		assert_int_equal(side->numbers_twice, 0);
		assert_int_equal(side->identities_twice, 0);
		assert_true(owned || side->delivered > 0); /* both took part */
		side_free(&sides[i]);
	}
	assert_int_equal(rte_mempool_avail_count(pool), POOL_MBUFS);
	tables_free(tables);
	free(region.inbound);
	free(region.outbound);
	free(region.windows);
}

/* `sent` numbers were used: each once, and one of the two copies of each was accepted. */
static void check(uint64_t sent)
{
	const struct sa_inbound_state *in = &region.inbound[SA_IN];
	uint64_t used = 0, seen = 0;

	for (unsigned i = 1; i <= PACKETS; i++)
		used += i <= sent ? numbers[i] == 1 : numbers[i] == 0;
	for (unsigned i = 0; i < PACKETS; i++)
		seen += identities[i];
	assert_int_equal(used, PACKETS);
	assert_int_equal(seen, sent);
	assert_int_equal(sides[0].encrypted + sides[1].encrypted, sent);
	assert_int_equal(sides[0].delivered + sides[1].delivered, sent);
	assert_int_equal(sides[0].counters.esp_encrypted + sides[1].counters.esp_encrypted, sent);
	assert_int_equal(sides[0].counters.esp_decrypted + sides[1].counters.esp_decrypted, sent);
	assert_int_equal(drops(DROP_ipsec_replay), sent);
	assert_int_equal(drops(DROP_ipsec_replay_late), 0);
	assert_int_equal(drops(DROP_ipsec_bad_icv), 0);
	assert_int_equal(drops(DROP_ipsec_seq_overflow), PACKETS - sent);
	assert_int_equal(in->highest, number_before + sent);
	assert_int_equal(in->packets, sent);
	assert_int_equal(in->replays, sent);
	assert_int_equal(region.outbound[SA_OUT].sequence, number_before + sent);
	assert_int_equal(region.outbound[SA_OUT].packets, sent);
}

// MP-01, MP-03, MP-05, ESP-SEQ-02, -10, ESP-ALG-18: conservation over both
static void one_sa(void **state)
{
	(void)state;
	race(0, 0);
	check(PACKETS);
	finish();
}

// ESP-SEQ-06, -07: both pass 2^32 in the middle
static void one_sa_extended(void **state)
{
	(void)state;
	race(SA_ESN, (UINT64_C(1) << 32) - PACKETS / 2);
	check(PACKETS);
	finish();
}

// ESP-SEQ-03, BAD-44: both come to the last number; none goes round
static void one_sa_ends(void **state)
{
	(void)state;
	race(0, UINT32_MAX - PACKETS / 2 - 7);
	check(PACKETS / 2 + 7);
	finish();
}

/*
 * ESP-SEQ-09, -20, MP-03: a window far smaller than what is on the way, of which one worker at a
 * time looks at nothing until it has sent its part. Copies come late, and now and then first ones:
 * whichever way, nothing passes twice, every copy is counted under one reason, and the SA's
 * counters say the same as the workers'.
 */
static void one_sa_late(void **state)
{
	const struct sa_inbound_state *in;
	uint64_t delivered, twice = 0;
	(void)state;

	replay_window = 64;
	by_turns = true;
	race(0, 0);
	in = &region.inbound[SA_IN]; /* made anew for each race */
	replay_window = WINDOW;
	by_turns = false;
	delivered = sides[0].delivered + sides[1].delivered;
	for (unsigned i = 0; i < PACKETS; i++)
		twice += identities[i] > 1;
	print_message("# %llu of %u passed, %llu copies were late\n", (unsigned long long)delivered,
		PACKETS, (unsigned long long)drops(DROP_ipsec_replay_late));
	assert_int_equal(twice, 0);
	assert_true(drops(DROP_ipsec_replay_late) > PACKETS / 100);
	assert_int_equal(delivered + drops(DROP_ipsec_replay) + drops(DROP_ipsec_replay_late),
		(uint64_t)WORKERS * PACKETS);
	assert_int_equal(in->packets, delivered);
	assert_int_equal(in->replays, drops(DROP_ipsec_replay));
	assert_int_equal(in->replays_late, drops(DROP_ipsec_replay_late));
	assert_int_equal(in->highest, PACKETS);
	assert_int_equal(drops(DROP_ipsec_bad_icv), 0);
	finish();
}

/* In the order of the numbers, each worker's packets are in the order in which it received them. */
static void check_order(uint64_t sent)
{
	uint16_t next[WORKERS] = {0};
	uint64_t wrong = 0;

	for (uint64_t i = 1; i <= sent; i++) {
		unsigned place = (unsigned)(lengths[i] - TEXT_LENGTH) / 4, from = place / PLACES;
		assert_true(from < WORKERS);
		wrong += place % PLACES != next[from] % PLACES;
		next[from] = (uint16_t)(place + 1);
	}
	assert_int_equal(wrong, 0);
}

static void check_handed(void)
{
	uint64_t handed = sides[0].counters.handed_over + sides[1].counters.handed_over;

	assert_int_equal(handed, sides[0].counters.taken_over + sides[1].counters.taken_over);
	assert_true(handed > PACKETS / 4);
	assert_int_equal(drops(DROP_ipsec_handover_full), 0);
	print_message("# %llu handed over\n", (unsigned long long)handed);
}

// MP-04, MP-01, MP-03: worker 1 owns both directions
static void one_sa_owned(void **state)
{
	(void)state;
	owned = true;
	race(0, 0);
	check(PACKETS);
	check_order(PACKETS);
	check_handed();
	assert_int_equal(sides[1].counters.esp_encrypted, PACKETS);
	assert_int_equal(sides[1].counters.esp_decrypted, PACKETS);
	assert_int_equal(sides[0].counters.taken_over, 0);
	finish();
	owned = false;
}

// MP-05: numbers, window and counters go with it, and order stays
static void one_sa_moves(void **state)
{
	(void)state;
	owned = true;
	race_moving(SA_ESN, (UINT64_C(1) << 32) - PACKETS / 2, true);
	check(PACKETS);
	check_order(PACKETS);
	check_handed();
	assert_true(sides[0].counters.esp_encrypted > 0 && sides[1].counters.esp_encrypted > 0);
	assert_true(sides[0].counters.esp_decrypted > 0 && sides[1].counters.esp_decrypted > 0);
	finish();
	owned = false;
}

// MP-04: the owner does not look; what finds no room is counted, the rest arrives
static void ring_full(void **state)
{
	const unsigned bursts = HANDOVER_SLOTS / BURST_SIZE_ESP + 2, room = HANDOVER_SLOTS - 1;
	const unsigned sent = bursts * BURST_SIZE_ESP;
	(void)state;

	owned = true;
	sides_make(0, 0);
	for (unsigned i = 0; i < bursts; i++)
		send_clear(&sides[0]);
	assert_int_equal(sides[0].counters.handed_over, room);
	assert_int_equal(sides[0].counters.drops[DROP_ipsec_handover_full], sent - room);
	while (take_over(&sides[1]))
		;
	assert_int_equal(sides[1].counters.taken_over, room);
	assert_int_equal(sides[1].encrypted, room);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct rte_mbuf *packet;
		while (rte_ring_sc_dequeue(sides[i].wire, (void **)&packet) == 0)
			rte_pktmbuf_free(packet);
	}
	finish();
	owned = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_sa),
		cmocka_unit_test(one_sa_extended),
		cmocka_unit_test(one_sa_ends),
		cmocka_unit_test(one_sa_late),
		cmocka_unit_test(one_sa_owned),
		cmocka_unit_test(one_sa_moves),
		cmocka_unit_test(ring_full),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
