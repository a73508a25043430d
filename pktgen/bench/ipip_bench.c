/*
 * Tunnels with a million bindings in random order, through the real pipeline in process: IP-in-IP
 * and MIP-UDP encapsulation towards mobile nodes, decapsulation from them, and plain forwarding
 * beside them in the same run as the reference. Binding i belongs to the i-th home address of a
 * scattered pool in 10/8; every node has a care-of address of its own.
 *
 *   ipip_bench [BINDINGS [PACKETS]]     default 1000000 each; huge pages when there are any.
 *                                       BENCH_ONLY in the environment: only those figures
 */
#include "pktgen/bench/path_bench.h"

#include <stdio.h>
#include <stdlib.h>

#define HOME_NET  0x0a000000u /* 10/8 */
#define CARE_NET  0x0b000000u /* 11/8 and on */
#define CARE_PORT 40000       /* the node's, behind its NAT */
#define MIP_PORT  434
#define IPV4      20
#define UDP       8
#define MIP       4     /* tunnel data header, RFC 3519 3.3 */
#define OCTETS    256.0 /* of a binding at most, its counters of one worker included: the budget's */
#define MANY      100000 /* where what does not grow with bindings does not count any more */

static uint32_t home_of(uint32_t n)
{
	return HOME_NET | ((n * 2654435761u) & 0x00ffffff);
}

/* A UDP datagram of the user, in its own header at `offset`. */
static void user_datagram(
	uint8_t *frame, uint16_t size, unsigned offset, uint32_t source, uint32_t destination)
{
	uint16_t length = (uint16_t)(size - 14 - offset);
	struct rte_ipv4_hdr *ip = path_bench_ipv4_at(frame, offset);

	path_bench_ipv4(ip, source, destination, IPPROTO_UDP, length);
	if (length >= IPV4 + UDP)
		path_bench_udp(ip + 1, 9, 9, (uint16_t)(length - IPV4));
}

static void forward_template(uint8_t *frame, uint16_t size)
{
	user_datagram(frame, size, 0, PATH_BENCH_PEER, 0);
}

static void forward_choose(uint8_t *frame, uint32_t n)
{
	struct rte_ipv4_hdr *ip = path_bench_ipv4_at(frame, 0);
	path_bench_destination_set(ip, 0xcb007200u | n);
}

static void encapsulate_choose(uint8_t *frame, uint32_t n)
{
	struct rte_ipv4_hdr *ip = path_bench_ipv4_at(frame, 0);
	path_bench_destination_set(ip, home_of(n));
}

static void ipip_template(uint8_t *frame, uint16_t size)
{
	path_bench_ipv4(path_bench_ipv4_at(frame, 0), 0, PATH_BENCH_AGENT, IPPROTO_IPIP,
		(uint16_t)(size - 14));
	user_datagram(frame, size, IPV4, 0, PATH_BENCH_PEER);
}

static void udp_template(uint8_t *frame, uint16_t size)
{
	struct rte_ipv4_hdr *outer = path_bench_ipv4_at(frame, 0);
	uint8_t *mip = (uint8_t *)(outer + 1) + UDP;

	path_bench_ipv4(outer, 0, PATH_BENCH_AGENT, IPPROTO_UDP, (uint16_t)(size - 14));
	path_bench_udp(outer + 1, CARE_PORT, MIP_PORT, (uint16_t)(size - 14 - IPV4));
	mip[0] = 4;
	mip[1] = ENCAPSULATION_IPIP;
	user_datagram(frame, size, IPV4 + UDP + MIP, 0, PATH_BENCH_PEER);
}

static void decapsulate_choose(uint8_t *frame, unsigned inner_at, uint32_t n)
{
	struct rte_ipv4_hdr *outer = path_bench_ipv4_at(frame, 0);
	struct rte_ipv4_hdr *inner = path_bench_ipv4_at(frame, inner_at);

	path_bench_source_set(outer, CARE_NET + n);
	path_bench_source_set(inner, home_of(n));
}

static void ipip_choose(uint8_t *frame, uint32_t n)
{
	decapsulate_choose(frame, IPV4, n);
}

static void udp_choose(uint8_t *frame, uint32_t n)
{
	decapsulate_choose(frame, IPV4 + UDP + MIP, n);
}

static void bindings_set(uint32_t bindings, bool udp)
{
	struct command c = {.type = COMMAND_BINDING_SET,
		.binding = {.agent_address = path_bench_v4(PATH_BENCH_AGENT),
			.expires_ns = CLOCK_NEVER,
			.home_port = PORT_NONE,
			.flags = BINDING_REVERSE | BINDING_COLOCATED | (udp ? BINDING_UDP : 0),
			.encapsulation = ENCAPSULATION_IPIP}};

	if (udp) {
		c.binding.care_of_port = rte_cpu_to_be_16(CARE_PORT);
		c.binding.agent_port = rte_cpu_to_be_16(MIP_PORT);
	}
	for (uint32_t i = 0; i < bindings; i++) {
		c.binding.binding_id = i;
		c.binding.home_address = path_bench_v4(home_of(i));
		c.binding.care_of_address = c.binding.care_of_field = path_bench_v4(CARE_NET + i);
		path_bench_apply(c);
	}
}

static void run(bool udp, uint32_t bindings, uint32_t packets)
{
	char forwarding[96], encapsulation[96], decapsulation[96];
	const char *kind = udp ? "MIP-UDP" : "IP-in-IP";

	snprintf(forwarding, sizeof(forwarding), "plain forwarding beside %u %s bindings", bindings,
		kind);
	snprintf(encapsulation, sizeof(encapsulation), "%s encapsulation, %u bindings", kind,
		bindings);
	snprintf(decapsulation, sizeof(decapsulation), "%s decapsulation, %u bindings", kind,
		bindings);
	struct bench_path paths[] = {
		{forwarding, 256, forward_template, forward_choose, 0},
		{encapsulation, bindings, forward_template, encapsulate_choose, 0},
		{decapsulation, bindings, udp ? udp_template : ipip_template,
			udp ? udp_choose : ipip_choose,
			udp ? 14 + IPV4 + UDP + MIP + IPV4 + UDP : 0},
	};
	path_bench_run(paths, RTE_DIM(paths), packets);
}

/* `before`: octets in memory without bindings; packets have been to all of them meanwhile. */
static void memory_figure(uint32_t bindings, uint64_t before)
{
	double octets = (double)(path_bench_resident() - before) / bindings;

	printf("{\"figure\": \"memory of a binding, %u bindings\", \"entries\": %u, "
	       "\"value\": %.0f, \"unit\": \"octets\", \"target\": %.0f, \"pass\": %s}\n",
		bindings, bindings, octets, OCTETS, octets <= OCTETS ? "true" : "false");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint32_t bindings = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1000000;
	uint32_t packets = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 1000000;
	struct worker *worker;

	if (bindings == 0 || bindings > 1u << 24 || packets < BURST_SIZE)
		return 64;
	path_bench_init("ipip_bench", &(struct region_limits){.bindings = bindings}, &worker);
	path_bench_apply((struct command){.type = COMMAND_HOME_NETWORK_SET,
		.home_network = {.prefix = {path_bench_v4(HOME_NET), 96 + 8},
			.port = PORT_NONE,
			.flags = HOME_NETWORK_VIRTUAL}});
	uint64_t before = path_bench_resident();
	bindings_set(bindings, false);
	run(false, bindings, packets);
	if (bindings >= MANY && !getenv("BENCH_ONLY"))
		memory_figure(bindings, before);
	bindings_set(bindings, true);
	run(true, bindings, packets);
	return path_bench_fini();
}
