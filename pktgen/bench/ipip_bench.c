/*
 * IP-in-IP with a million bindings in random order, through the real pipeline in process:
 * pre-filled packets go into pipeline_receive_burst on the one port, the sink frees what the
 * pipeline would transmit. Beside each other in one run: plain forwarding (the reference),
 * encapsulation towards mobile nodes, decapsulation from them. 64-octet and 512-octet frames
 * (without FCS 60 and 508). Processor time in TSC cycles a packet, median of five rounds, source
 * and sink included; the source copies the frame into a fresh mbuf.
 *
 *   ipip_bench [BINDINGS [PACKETS]]     default 1000000 each; huge pages when there are any
 */
#include "dataplane/conservation.h"
#include "dataplane/packet.h"
#include "dataplane/pipeline.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS   5
#define HOME_NET 0x0a000000u /* 10/8 */
#define CARE_NET 0x0b000000u

static struct worker_counters counters;
static struct config_dataplane settings = {.reassembly_timeout_ms = 1000,
	.max_reassembly = 16,
	.icmp_rate = 100,
	.icmp_source_rate = 10,
	.path_mtu_floor = 576,
	.path_mtu_timeout_s = 600,
	.punt_rate = 100,
	.punt_burst = 100};
static struct port ports[1] = {
	{.mtu = 1500, .mac = {2, 0, 0, 0, 0, 1}, .up = true, .name = "bench"}};
static struct tx_buffer tx[1];
static struct worker worker;
static uint32_t bindings = 1000000, packet_count = 1000000;

/* The sink: what would go to the device is counted and freed. */
void worker_flush(struct worker *w)
{
	w->counters->sent_port += w->tx[0].count;
	rte_pktmbuf_free_bulk(w->tx[0].packets, w->tx[0].count);
	w->tx[0].count = 0;
}

static uint32_t home_of(uint32_t n)
{
	return HOME_NET | ((n * 2654435761u) & 0x00ffffff);
}

static struct ip_address v4(uint32_t host)
{
	return ip_address_from_v4(rte_cpu_to_be_32(host));
}

static void apply(struct command c)
{
	int error = tables_apply(worker.tables, &c);
	if (error) {
		fprintf(stderr, "ipip_bench: command %u refused: %d\n", c.type, error);
		exit(1);
	}
}

static void tables_fill(void)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct command route = {.type = COMMAND_ROUTE_SET, .route.next_hop = v4(0xc6336401)};
	struct command neighbor = {
		.type = COMMAND_NEIGHBOR_SET, .neighbor.address = v4(0xc6336401)};
	struct command c = {.type = COMMAND_BINDING_SET,
		.binding = {.agent_address = v4(0xc0000201),
			.expires_ns = CLOCK_NEVER,
			.home_port = PORT_NONE,
			.flags = BINDING_REVERSE | BINDING_COLOCATED,
			.encapsulation = ENCAPSULATION_IPIP}};

	apply((struct command){.type = COMMAND_AGENT_SET,
		.agent = {.address = v4(0xc0000201),
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY,
			.flags = AGENT_UDP}});
	route.route.prefix.address = v4(0);
	route.route.prefix.length = 96;
	apply(route);
	memcpy(neighbor.neighbor.mac, mac, sizeof(mac));
	apply(neighbor);
	for (uint32_t i = 0; i < bindings; i++) {
		c.binding.binding_id = i;
		c.binding.home_address = v4(home_of(i));
		c.binding.care_of_address = c.binding.care_of_field = v4(CARE_NET + i);
		apply(c);
		if (i % 1024 == 0)
			tables_publish(worker.tables);
	}
}

static void ipv4_fill(struct rte_ipv4_hdr *ip, uint32_t source, uint32_t destination,
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

enum path { PATH_FORWARD, PATH_ENCAPSULATE, PATH_DECAPSULATE, PATH_COUNT };
static const char *const path_names[] = {
	"plain forwarding", "IP-in-IP encapsulation", "IP-in-IP decapsulation"};

static void frame_fill(struct rte_mbuf *mbuf, enum path path, uint32_t n, uint16_t size)
{
	static const uint8_t ethernet[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0};
	uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(data + 14);
	uint16_t length = (uint16_t)(size - 14);

	memcpy(data, ethernet, sizeof(ethernet));
	mbuf->data_len = size;
	mbuf->pkt_len = size;
	if (path == PATH_FORWARD) {
		ipv4_fill(ip, 0xcb007105, 0xcb007200 | (n & 255), 17, length);
	} else if (path == PATH_ENCAPSULATE) {
		ipv4_fill(ip, 0xcb007105, home_of(n), 17, length);
	} else {
		ipv4_fill(ip, CARE_NET + n, 0xc0000201, 4, length);
		ipv4_fill(ip + 1, home_of(n), 0xcb007105, 17, length - 20);
	}
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + (path == PATH_DECAPSULATE ? 2 : 1));
	uint16_t udp_length = (uint16_t)(length - (path == PATH_DECAPSULATE ? 40 : 20));
	*udp = (struct rte_udp_hdr){.src_port = rte_cpu_to_be_16(9),
		.dst_port = rte_cpu_to_be_16(9),
		.dgram_len = rte_cpu_to_be_16(udp_length)};
}

/* Processor time of this thread as TSC cycles: another process on the core does not count. */
static double cycles_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9) * (double)worker.tsc_hz;
}

static double round_cycles(enum path path, uint16_t size, bool run)
{
	struct rte_mbuf *packets[BURST_SIZE];
	uint64_t random = 88172645463325252ull;
	double from = cycles_now();

	for (uint32_t done = 0; done < packet_count; done += BURST_SIZE) {
		if (rte_pktmbuf_alloc_bulk(worker.pool, packets, BURST_SIZE))
			exit(1);
		for (unsigned i = 0; i < BURST_SIZE; i++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			frame_fill(packets[i], path, (uint32_t)(random % bindings), size);
		}
		if (!run) {
			rte_pktmbuf_free_bulk(packets, BURST_SIZE);
			continue;
		}
		worker.now_tsc = rte_rdtsc();
		pipeline_receive_burst(&worker, 0, packets, BURST_SIZE);
		worker_flush(&worker);
	}
	return (cycles_now() - from) / packet_count;
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

/* Paths alternate, so that a noisy neighbour hits them alike. */
static void sizes_run(uint16_t size)
{
	double cycles[PATH_COUNT][ROUNDS], source[PATH_COUNT][ROUNDS];

	for (unsigned r = 0; r < ROUNDS; r++) {
		for (enum path path = 0; path < PATH_COUNT; path++) {
			source[path][r] = round_cycles(path, size, false);
			cycles[path][r] = round_cycles(path, size, true) - source[path][r];
		}
	}
	for (enum path path = 0; path < PATH_COUNT; path++) {
		qsort(cycles[path], ROUNDS, sizeof(double), compare);
		qsort(source[path], ROUNDS, sizeof(double), compare);
		printf("{\"figure\": \"%s, %u octets, %u bindings, random order\", \"value\": "
		       "%.0f, \"unit\": \"cycles\", "
		       "\"low\": %.0f, \"high\": %.0f, \"source\": %.0f, \"to_forwarding\": "
		       "%.2f}\n",
			path_names[path], size + 4, bindings, cycles[path][ROUNDS / 2],
			cycles[path][0], cycles[path][ROUNDS - 1], source[path][ROUNDS / 2],
			cycles[path][ROUNDS / 2] / cycles[PATH_FORWARD][ROUNDS / 2]);
	}
}

static void worker_make(void)
{
	const struct region_limits limits = {.workers = 1,
		.ports = 1,
		.bindings = bindings,
		.routes = 16,
		.neighbors = 16,
		.prefixes = 16};
	struct tsc_clock clock = tsc_clock_read();

	worker = (struct worker){.tables = tables_new(&limits, 1),
		.counters = &counters,
		.ports = ports,
		.port_count = 1,
		.tx = tx,
		.settings = &settings,
		.tsc_hz = clock.hz,
		.now_tsc = rte_rdtsc(),
		.now_ns = clock.ns,
		.binding_counters = calloc(bindings, sizeof(struct binding_counters))};
	worker.pool = rte_pktmbuf_pool_create(
		"bench", 4095, 256, PACKET_PRIVATE_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!worker.tables || !worker.pool || pipeline_worker_init(&worker))
		exit(1);
}

static uint64_t drops_print(void)
{
	uint64_t sum = 0;

	for (unsigned reason = 1; reason < DROP_REASON_COUNT; reason++) {
		sum += counters.drops[reason];
		if (counters.drops[reason])
			printf("dropped %s: %llu\n", drop_reason_name(reason),
				(unsigned long long)counters.drops[reason]);
	}
	return sum;
}

int main(int argc, char **argv)
{
	char *huge[] = {"ipip_bench", "-l0", "--in-memory", "--no-pci", "--no-telemetry", "-m64",
		"--log-level=*:error", NULL};
	char *plain[] = {"ipip_bench", "-l0", "--no-huge", "--no-pci", "--no-telemetry", "-m128",
		"--log-level=*:error", "--file-prefix=hpipip", NULL};
	FILE *pages = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned free_pages = 0;

	if (argc > 1)
		bindings = (uint32_t)strtoul(argv[1], NULL, 0);
	if (argc > 2)
		packet_count = (uint32_t)strtoul(argv[2], NULL, 0);
	if (bindings == 0 || packet_count < BURST_SIZE)
		return 64;
	if (pages && fscanf(pages, "%u", &free_pages) != 1)
		free_pages = 0;
	if (pages)
		fclose(pages);
	if (rte_eal_init(free_pages >= 32 ? 7 : 8, free_pages >= 32 ? huge : plain) < 0)
		return 1;
	worker_make();
	tables_fill();
	sizes_run(60);
	sizes_run(508);
	uint64_t dropped = drops_print();
	pipeline_worker_fini(&worker);
	return dropped || conservation_check(&worker) ? 1 : 0;
}
