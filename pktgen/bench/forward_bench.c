/*
 * Forwarding through the real pipeline in process: one destination, and as many as asked for with a
 * route each, drawn at random. IPv4: host routes side by side (a pool of addresses) and scattered
 * over 16/8 (the trie's worst case). IPv6: a /64 each, side by side as a gateway has them for
 * mobile networks, and a /128 each, scattered. No binding is there.
 *
 *   forward_bench [DESTINATIONS [PACKETS]]     default 100000 and 1000000; huge pages when there
 * are any
 */
#include "pktgen/bench/path_bench.h"

#include <stdio.h>
#include <stdlib.h>

#define POOL_NET      0x14000000u /* 20/8 */
#define SCATTERED_NET 0x10000000u /* 16/8 */
#define HEADERS_V6    62          /* octets: Ethernet, IPv6, UDP */

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

/* ---- IPv6 ---- */

static struct ip_address address_v6(uint64_t network, uint64_t host)
{
	uint64_t halves[2] = {rte_cpu_to_be_64(network), rte_cpu_to_be_64(host)};

	return ip_address_from_v6(halves);
}

/* 2001:db8:NNNN:NNNN::1 */
static struct ip_address network_host(uint32_t n)
{
	return address_v6(UINT64_C(0x20010db800000000) | n, 1);
}

/* Somewhere in 2001:db9::/32. */
static struct ip_address scattered_host(uint32_t n)
{
	return address_v6(UINT64_C(0x20010db900000000) | (uint32_t)(n * 2654435761u),
		n * UINT64_C(0x9e3779b97f4a7c15));
}

static void template_v6(uint8_t *frame, uint16_t size)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(frame + 14);
	const struct ip_address source = address_v6(UINT64_C(0x20010db700000000), 5);

	frame[12] = 0x86, frame[13] = 0xdd;
	*ip = (struct rte_ipv6_hdr){.vtc_flow = RTE_BE32(0x60000000),
		.payload_len = rte_cpu_to_be_16((uint16_t)(size - 54)),
		.proto = IPPROTO_UDP,
		.hop_limits = 64};
	memcpy(&ip->src_addr, source.bytes, 16);
	path_bench_udp(ip + 1, 9, 9, (uint16_t)(size - 54));
}

static void destination_set(uint8_t *frame, struct ip_address destination)
{
	memcpy(&((struct rte_ipv6_hdr *)(frame + 14))->dst_addr, destination.bytes, 16);
}

static void network_choose(uint8_t *frame, uint32_t n)
{
	destination_set(frame, network_host(n));
}

static void scattered_host_choose(uint8_t *frame, uint32_t n)
{
	destination_set(frame, scattered_host(n));
}

static void route_set_v6(struct ip_address destination, uint8_t length)
{
	path_bench_apply((struct command){.type = COMMAND_ROUTE_SET,
		.route = {.prefix = ip_prefix_make(&destination, length),
			.next_hop = address_v6(UINT64_C(0xfe80) << 48, 9)}});
}

static void gateway_set_v6(void)
{
	path_bench_apply((struct command){.type = COMMAND_NEIGHBOR_SET,
		.neighbor = {.address = address_v6(UINT64_C(0xfe80) << 48, 9),
			.mac = {2, 0, 0, 0, 0, 9}}});
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
	char pool_name[64], scattered_name[64], networks_name[64], hosts_name[64];
	struct worker *worker;

	if (destinations == 0 || destinations > 1u << 20 || packets < BURST_SIZE)
		return 64;
	path_bench_init("forward_bench",
		&(struct region_limits){.bindings = 16, .routes = 4 * destinations}, &worker);
	gateway_set_v6();
	for (uint32_t i = 0; i < destinations; i++) {
		route_set(POOL_NET + i);
		route_set(scattered(i));
		route_set_v6(network_host(i), 64);
		route_set_v6(scattered_host(i), 128);
	}
	snprintf(pool_name, sizeof(pool_name), "IPv4 forwarding, %u destinations", destinations);
	snprintf(scattered_name, sizeof(scattered_name),
		"IPv4 forwarding, %u scattered destinations", destinations);
	snprintf(networks_name, sizeof(networks_name), "IPv6 forwarding, %u /64s", destinations);
	snprintf(hosts_name, sizeof(hosts_name), "IPv6 forwarding, %u scattered /128s",
		destinations);
	struct bench_path paths[] = {
		{"IPv4 forwarding, 1 destination", 1, template, pool_choose, 0},
		{pool_name, destinations, template, pool_choose, 0},
		{scattered_name, destinations, template, scattered_choose, 0},
		{"IPv6 forwarding, 1 destination", 1, template_v6, network_choose, HEADERS_V6},
		{networks_name, destinations, template_v6, network_choose, HEADERS_V6},
		{hosts_name, destinations, template_v6, scattered_host_choose, HEADERS_V6},
	};
	path_bench_run(paths, RTE_DIM(paths), packets);
	return path_bench_fini();
}
