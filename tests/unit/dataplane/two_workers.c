// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/dataplane/two_workers.h"

#include "dataplane/conservation.h"
#include "dataplane/crypto/engine.h"
#include "dataplane/handover.h"
#include "dataplane/link/event.h"
#include "dataplane/link/punt.h"
#include "dataplane/packet.h"
#include "dataplane/pipeline.h"
#include "lib/base/processor.h"

#include <errno.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_rcu_qsbr.h>
#include <time.h>

#define POOL_MBUFS  8191
#define WIRE_SLOTS  4096
#define TEXT_LENGTH 64 /* octets of an inner packet, at least */
#define PLACES      8

struct race_kind race_kind = {.replay_window = WINDOW};
struct side sides[WORKERS];

static struct rte_mempool *pool;
static struct crypto_library *library;
static struct port ports[PORTS];
static struct config_dataplane settings;
static pthread_barrier_t barrier;
static cpu_set_t processors; /* before EAL bound us to one */
static _Atomic uint8_t numbers[PACKETS + 1], identities[PACKETS];
static uint64_t number_before;        /* what the SA had sent before */
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

void send_clear(struct side *side)
{
	struct rte_mbuf *packets[BURST_SIZE_ESP];

	for (unsigned i = 0; i < BURST_SIZE_ESP; i++)
		packets[i] = clear_packet(side->first_identity++);
	pipeline_receive_burst(&side->worker, 2, packets, BURST_SIZE_ESP);
	worker_flush(&side->worker);
}

bool receive_wire(struct side *side)
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

void wires_empty(void)
{
	struct rte_mbuf *packet;

	for (unsigned i = 0; i < WORKERS; i++)
		while (rte_ring_sc_dequeue(sides[i].wire, (void **)&packet) == 0)
			rte_pktmbuf_free(packet);
}

/* The other threads' turn: there may be fewer processors than threads. */
static void rest(void)
{
	const struct timespec moment = {.tv_nsec = 20000};

	nanosleep(&moment, NULL);
}

bool take_over(struct side *side)
{
	return race_kind.owned && handover_poll(&side->worker) > 0;
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
		const bool waits = race_kind.by_turns && round % WORKERS == side->worker.index;
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

/* ---- the two workers ---- */

int workers_start(void **state)
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

void sides_make(uint32_t flags, uint64_t before)
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
	two_tables_make(flags, before, library);
	for (unsigned i = 0; i < WORKERS; i++)
		side_make(i);
	if (race_kind.owned)
		assert_int_equal(
			handover_open(workers, WORKERS, tables_sas_own(tables, WORKERS)), 0);
}

/* How often it had to be asked. */
static unsigned move(uint8_t direction, uint32_t id, uint32_t flags, uint32_t worker)
{
	const struct command command = two_tables_sa(direction, id, flags, (uint8_t)(worker + 1));
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

void race(uint32_t flags, uint64_t before, bool moving)
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

void finish(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		const struct side *side = &sides[i];
		assert_int_equal(conservation_check(&side->worker), 0);
		assert_int_equal(side->lost + side->strangers, 0);
		assert_int_equal(side->numbers_twice, 0);
		assert_int_equal(side->identities_twice, 0);
		assert_true(race_kind.owned || side->delivered > 0); /* both took part */
		side_free(&sides[i]);
	}
	assert_int_equal(rte_mempool_avail_count(pool), POOL_MBUFS);
	two_tables_free();
}

/* ---- what they made of it ---- */

uint64_t drops(enum drop_reason reason)
{
	return sides[0].counters.drops[reason] + sides[1].counters.drops[reason];
}

uint64_t arrived_twice(void)
{
	uint64_t twice = 0;

	for (unsigned i = 0; i < PACKETS; i++)
		twice += identities[i] > 1;
	return twice;
}

void check(uint64_t sent)
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

void check_order(uint64_t sent)
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
