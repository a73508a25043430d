/*
 * IPv4 forwarding through the real pipeline in process: one destination, and as many as asked for
 * with a host route each, drawn at random; routes side by side (a pool of addresses) and scattered
 * over 16/8 (the trie's worst case). No binding is there.
 *
 *   forward_bench [DESTINATIONS [PACKETS]]     default 100000 and 1000000; huge pages when there
 * are any
 */
#include "pktgen/bench/path_bench.h"

#include <stdio.h>
#include <stdlib.h>

#define POOL_NET      0x14000000u /* 20/8 */
#define SCATTERED_NET 0x10000000u /* 16/8 */

static uint32_t scattered(uint32_t n)
{
	return SCATTERED_NET | ((n * 2654435761u) & 0x00ffffff);
}

static void template(uint8_t *frame, uint16_t size)
{
	struct rte_ipv4_hdr *ip = path_bench_ipv4_at(frame, 0);

	path_bench_ipv4(ip, PATH_BENCH_PEER, 0, IPPROTO_UDP, (uint16_t)(size - 14));
	path_bench_udp(ip + 1, 9, 9, (uint16_t)(size - 34));
}

static void pool_choose(uint8_t *frame, uint32_t n)
{
	struct rte_ipv4_hdr *ip = path_bench_ipv4_at(frame, 0);
	path_bench_destination_set(ip, POOL_NET + n);
}

static void scattered_choose(uint8_t *frame, uint32_t n)
{
	struct rte_ipv4_hdr *ip = path_bench_ipv4_at(frame, 0);
	path_bench_destination_set(ip, scattered(n));
}

static void route_set(uint32_t destination)
{
	path_bench_apply((struct command){.type = COMMAND_ROUTE_SET,
		.route = {.prefix = {path_bench_v4(destination), 128},
			.next_hop = path_bench_v4(PATH_BENCH_GATEWAY)}});
}

int main(int argc, char **argv)
{
	uint32_t destinations = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 100000;
	uint32_t packets = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 1000000;
	char pool_name[64], scattered_name[64];
	struct worker *worker;

	if (destinations == 0 || destinations > 1u << 20 || packets < BURST_SIZE)
		return 64;
	path_bench_init("forward_bench",
		&(struct region_limits){.bindings = 16, .routes = 2 * destinations}, &worker);
	for (uint32_t i = 0; i < destinations; i++) {
		route_set(POOL_NET + i);
		route_set(scattered(i));
	}
	snprintf(pool_name, sizeof(pool_name), "IPv4 forwarding, %u destinations", destinations);
	snprintf(scattered_name, sizeof(scattered_name),
		"IPv4 forwarding, %u scattered destinations", destinations);
	struct bench_path paths[] = {
		{"IPv4 forwarding, 1 destination", 1, template, pool_choose, 0, {65, 100, 170}},
		{pool_name, destinations, template, pool_choose, 0, {110, 170, 330}},
		{scattered_name, destinations, template, scattered_choose, 0, {0}},
	};
	path_bench_run(paths, RTE_DIM(paths), packets);
	return path_bench_fini();
}
