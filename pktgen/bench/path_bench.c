#include "pktgen/bench/path_bench.h"

#include "pktgen/bench/runs.h"

#include "dataplane/conservation.h"
#include "dataplane/packet.h"
#include "dataplane/table/slab.h"
#include "lib/base/processor.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_udp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATHS_MAX 8
#define SIZES     3
#define FCS       4
#define MBUFS     4095 /* and few of them in flight: they stay in the second cache */

static const uint16_t sizes[SIZES] = {64, 512, 1400};
static struct worker_counters counters[PATH_BENCH_WORKERS];
static struct config_dataplane settings = {.reassembly_timeout_ms = 1000,
	.max_reassembly = 16,
	.icmp_rate = 100,
	.icmp_source_rate = 10,
	.path_mtu_floor = 576,
	.path_mtu_timeout_s = 600,
	.punt_rate = 100,
	.punt_burst = 100};
static struct port ports[2] = {{.mtu = 1500,
				       .mac = {2, 0, 0, 0, 0, 1},
				       .zone = ZONE_EXTERNAL,
				       .up = true,
				       .name = "outside"},
	{.index = 1,
		.mtu = 1500,
		.mac = {2, 0, 0, 0, 0, 1},
		.zone = ZONE_INTERNAL,
		.up = true,
		.name = "inside"}};
static struct tx_buffer tx[PATH_BENCH_WORKERS][2];
static struct worker workers[PATH_BENCH_WORKERS];
static unsigned worker_count;
static int processor_last;

/* The sink: what would go to the device is counted and freed. */
void worker_flush(struct worker *w)
{
	for (unsigned i = 0; i < RTE_DIM(ports); i++) {
		struct tx_buffer *t = &w->tx[i];
		w->counters->sent_port += t->count;
		rte_pktmbuf_free_bulk(t->packets, t->count);
		t->count = 0;
	}
}

void path_bench_apply(struct command command)
{
	static unsigned since_publish;
	int error = tables_apply(workers[0].tables, &command);

	if (error) {
		fprintf(stderr, "bench: command %u refused: %d\n", command.type, error);
		exit(1);
	}
	if (++since_publish % 1024 == 0)
		tables_publish(workers[0].tables);
}

void path_bench_ethernet(uint8_t *frame)
{
	static const uint8_t ethernet[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0};

	memcpy(frame, ethernet, sizeof(ethernet));
}

void path_bench_ipv4(struct rte_ipv4_hdr *ip, uint32_t source, uint32_t destination,
	uint8_t protocol, uint16_t length)
{
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16(length),
		.time_to_live = 64,
		.next_proto_id = protocol,
		.src_addr = rte_cpu_to_be_32(source),
		.dst_addr = rte_cpu_to_be_32(destination)};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

void path_bench_udp(void *at, uint16_t source, uint16_t destination, uint16_t length)
{
	*(struct rte_udp_hdr *)at = (struct rte_udp_hdr){.src_port = rte_cpu_to_be_16(source),
		.dst_port = rte_cpu_to_be_16(destination),
		.dgram_len = rte_cpu_to_be_16(length)};
}

/* Processor time of this thread as TSC cycles: another process on the core does not count. */
static double cycles_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9) * (double)workers[0].tsc_hz;
}

/* Whole blocks of 64: plain moves, no call. The mbuf has room for them. */
static inline void frame_copy(uint8_t *frame, const uint8_t *template, uint16_t size)
{
	for (uint16_t at = 0; at < size; at = (uint16_t)(at + 64))
		memcpy(frame + at, template + at, 64);
}

void path_bench_receive(
	struct worker *receiver, unsigned port, struct rte_mbuf **packets, uint16_t count)
{
	receiver->now_tsc = rte_rdtsc();
	pipeline_receive_burst(receiver, port, packets, count);
}

/* Processor cycles that `packet_count` packets take. */
static double piece_cycles(const struct bench_path *path, const uint8_t *template, uint16_t size,
	uint32_t packet_count, bool run)
{
	static uint64_t random = 88172645463325252ull;
	struct rte_mbuf *packets[BURST_SIZE];
	double from = cycles_now();

	for (uint32_t done = 0, count; done < packet_count; done += count) {
		count = RTE_MIN(workers[0].burst, packet_count - done);
		if (rte_pktmbuf_alloc_bulk(workers[0].pool, packets, count))
			exit(1);
		for (unsigned i = 0; i < count; i++) {
			uint8_t *frame = rte_pktmbuf_mtod(packets[i], uint8_t *);
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			frame_copy(frame, template, size);
			path->choose(frame, (uint32_t)((random >> 32) * path->choices >> 32));
			packets[i]->data_len = size;
			packets[i]->pkt_len = size;
		}
		if (!run) {
			rte_pktmbuf_free_bulk(packets, count);
			continue;
		}
		path_bench_receive(&workers[0], 0, packets, (uint16_t)count);
		worker_flush(&workers[0]);
	}
	return cycles_now() - from;
}

/* Cycles a packet over at least `seconds` of processor time. */
static double round_cycles(const struct bench_path *path, uint16_t size, uint32_t packet_count,
	bool run, double seconds)
{
	_Alignas(64) uint8_t template[PATH_BENCH_FRAME_MAX + 64] = {0};
	double cycles = 0, packets = 0;

	path_bench_ethernet(template);
	path->template(template, size);
	do {
		cycles += piece_cycles(path, template, size, packet_count, run);
		packets += packet_count;
	} while (cycles < seconds * (double)workers[0].tsc_hz);
	return cycles / packets;
}

/* BENCH_ONLY in the environment: only figures whose name begins with one of its parts, which "|"
 * separates. */
static bool chosen(const struct bench_path *path, uint16_t size)
{
	const char *only = getenv("BENCH_ONLY");
	char name[160];

	snprintf(name, sizeof(name), "%s, %u octets", path->name, size + FCS);
	while (only) {
		size_t length = strcspn(only, "|");
		if (strncmp(name, only, length) == 0)
			return true;
		only = only[length] ? only + length + 1 : NULL;
	}
	return !getenv("BENCH_ONLY");
}

/* What was measured of a path at one size. */
struct cell {
	uint16_t size;
	struct runs_values cycles, source;
};

static const char *direction(const struct bench_path *path)
{
	return strstr(path->name, "encaps")   ? "out"
	       : strstr(path->name, "decaps") ? "in"
					      : "forward";
}

static void figure(const struct bench_path *path, const struct cell *cell,
	const struct bench_path *beside, const struct cell *reference)
{
	printf("{\"figure\": \"%s, %u octets\", \"direction\": \"%s\", \"size\": %u, "
	       "\"entries\": %u, \"udp\": %s, \"unit\": \"cycles\", "
	       "\"cycles_per_packet\": %.1f, ",
		path->name, cell->size + FCS, direction(path), cell->size + FCS, path->choices,
		strstr(path->name, "UDP") ? "true" : "false", runs_median(&cell->cycles));
	runs_print(&cell->cycles);
	printf(", \"source\": %.1f, \"reference\": {\"%s\": %.1f}}\n", runs_median(&cell->source),
		beside->name, runs_median(&reference->cycles));
	fflush(stdout);
}

static void size_run(
	const struct bench_path *paths, unsigned count, uint32_t packets, unsigned size_index)
{
	struct cell cells[PATHS_MAX] = {0};
	struct runs runs = runs_wanted(7, 0);

	for (unsigned p = 0; p < count; p++)
		cells[p].size = RTE_MAX((uint16_t)(sizes[size_index] - FCS), paths[p].least);
	for (unsigned r = 0; r < runs.count; r++) {
		for (unsigned p = 0; p < count; p++) {
			struct cell *cell = &cells[p];
			if (!chosen(&paths[p], cell->size))
				continue;
			runs_add(&cell->cycles,
				round_cycles(&paths[p], cell->size, packets, true, runs.seconds));
			runs_add(&cell->source, round_cycles(&paths[p], cell->size, packets, false,
							runs.seconds / 10));
		}
	}
	for (unsigned p = 0; p < count; p++)
		if (chosen(&paths[p], cells[p].size))
			figure(&paths[p], &cells[p], &paths[0], &cells[0]);
}

/* BENCH_SIZES in the environment: only those sizes of all. */
static bool size_wanted(uint16_t size)
{
	char *at = getenv("BENCH_SIZES");

	for (; at && *at; at += strcspn(at, "0123456789"))
		if (strtoul(at, &at, 10) == size)
			return true;
	return !getenv("BENCH_SIZES");
}

void path_bench_run(const struct bench_path *paths, unsigned count, uint32_t packets)
{
	for (unsigned i = 0; i < SIZES && count <= PATHS_MAX; i++)
		if (size_wanted(sizes[i]))
			size_run(paths, count, packets, i);
}

static bool worker_make(struct worker *made, unsigned index, struct tables *tables,
	struct binding_counters *binding_counters)
{
	struct tsc_clock clock = tsc_clock_read();
	char name[16];

	snprintf(name, sizeof(name), "bench%u", index);
	*made = (struct worker){.index = index,
		.tables = tables,
		.counters = &counters[index],
		.ports = ports,
		.port_count = RTE_DIM(ports),
		.tx = tx[index],
		.settings = &settings,
		.tsc_hz = clock.hz,
		.now_tsc = rte_rdtsc(),
		.now_ns = clock.ns,
		.burst = BURST_SIZE,
		.binding_counters = binding_counters};
	made->pool = rte_pktmbuf_pool_create(
		name, MBUFS, 256, PACKET_PRIVATE_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return made->pool && !pipeline_worker_init(made);
}

static void workers_make(const struct region_limits *wanted)
{
	struct region_limits limits = *wanted;

	worker_count = wanted->workers ? wanted->workers : 1;
	limits.workers = worker_count;
	limits.ports = RTE_DIM(ports);
	limits.routes += 16;
	limits.neighbors += 16;
	limits.prefixes += 16;
	struct tables *tables = tables_new(&limits, worker_count);
	for (unsigned i = 0; i < worker_count; i++) {
		struct binding_counters *binding_counters =
			slab_map((size_t)limits.bindings * sizeof(*binding_counters));
		if (!tables || !binding_counters ||
			!worker_make(&workers[i], i, tables, binding_counters)) {
			fprintf(stderr, "bench: no memory for %u bindings, %u routes, %u SAs\n",
				limits.bindings, limits.routes, limits.sas);
			exit(1);
		}
	}
}

/* What every path needs: the agent, a default route and its next hop. */
static void tables_fill(void)
{
	struct command route = {
		.type = COMMAND_ROUTE_SET, .route.next_hop = path_bench_v4(PATH_BENCH_GATEWAY)};

	path_bench_apply((struct command){.type = COMMAND_AGENT_SET,
		.agent = {.address = path_bench_v4(PATH_BENCH_AGENT),
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY,
			.flags = AGENT_UDP}});
	route.route.prefix.address = path_bench_v4(0);
	route.route.prefix.length = 96;
	path_bench_apply(route);
	path_bench_apply((struct command){.type = COMMAND_NEIGHBOR_SET,
		.neighbor = {
			.address = path_bench_v4(PATH_BENCH_GATEWAY), .mac = {2, 0, 0, 0, 0, 9}}});
}

int path_bench_processor_last(void)
{
	return processor_last;
}

static void processors_note(void)
{
	int numbers[CPU_SETSIZE];
	unsigned count = processor_list(numbers, RTE_DIM(numbers));

	processor_last = count > 0 ? numbers[count - 1] : 0;
}

uint64_t path_bench_resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long total, pages = 0;

	// NOLINTNEXTLINE(cert-err34-c): the kernel writes it, and it fits
	if (file && fscanf(file, "%llu %llu", &total, &pages) != 2)
		pages = 0;
	if (file)
		fclose(file);
	return pages * 4096;
}

static unsigned free_pages(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned pages = 0;

	// NOLINTNEXTLINE(cert-err34-c): the kernel writes it, and it fits
	if (file && fscanf(file, "%u", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages;
}

void path_bench_init(const char *program, const struct region_limits *limits, struct worker **made)
{
	bool huge = free_pages() >= 32 && getenv("BENCH_NO_HUGE") == NULL;
	char name[32], prefix[48], lcores[24];
	char *with[] = {name, lcores, "--in-memory", "--no-pci", "--no-telemetry", "-m64",
		"--log-level=*:error", NULL};
	char *without[] = {name, lcores, "--no-huge", "--no-pci", "--no-telemetry", "-m128",
		"--log-level=*:error", prefix, NULL};

	processors_note();
	snprintf(name, sizeof(name), "%s", program);
	snprintf(lcores, sizeof(lcores), "--lcores=0@%d", processor_first());
	snprintf(prefix, sizeof(prefix), "--file-prefix=hp%s%d", program, (int)getpid());
	if (rte_eal_init(huge ? 7 : 8, huge ? with : without) < 0) {
		fprintf(stderr, "bench: EAL does not start\n");
		exit(1);
	}
	fprintf(stderr, "%s: packets in %s\n", program,
		huge ? "huge pages" : "small pages (vm.nr_hugepages is 0: slower)");
	workers_make(limits);
	tables_fill();
	*made = workers;
}

int path_bench_fini(void)
{
	uint64_t dropped = 0;
	bool wrong = false;

	for (unsigned i = 0; i < worker_count; i++) {
		for (unsigned reason = 1; reason < DROP_REASON_COUNT; reason++) {
			dropped += counters[i].drops[reason];
			if (counters[i].drops[reason])
				printf("dropped %s: %llu\n", drop_reason_name(reason),
					(unsigned long long)counters[i].drops[reason]);
		}
		wrong = conservation_check(&workers[i]) || wrong;
		pipeline_worker_fini(&workers[i]);
	}
	return dropped || wrong ? 1 : 0;
}
