/*
 * The binding table alone: inserts a second, then lookups in bursts of 32 in random order, in TSC
 * cycles each, few and many bindings.
 *
 *   tables_bench [BINDINGS]     default 1000000
 */
#include "dataplane/table/tables.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

#define BURST   32
#define LOOKUPS 4000000u

static struct ip_address home_of(uint32_t n)
{
	/* 10.0.0.0/8, scattered: neighbours in the pool are no neighbours in time. */
	uint32_t host = (n * 2654435761u) & 0x00ffffff;
	return ip_address_from_v4(__builtin_bswap32(0x0a000000 | host));
}

static void figure(const char *name, uint32_t bindings, double value, const char *unit)
{
	printf("{\"figure\": \"%s, %u bindings\", \"value\": %.1f, \"unit\": \"%s\"}\n", name,
		bindings, value, unit);
}

static struct tables *tables_filled(uint32_t bindings, double *first, double *last)
{
	const struct region_limits limits = {.workers = 1,
		.ports = 1,
		.bindings = bindings,
		.routes = 16,
		.neighbors = 16,
		.prefixes = 16};
	struct tables *tables = tables_new(&limits, 1);
	struct command agent = {.type = COMMAND_AGENT_SET,
		.agent = {.address = ip_address_from_v4(0x010200c0),
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY}};
	struct command c = {.type = COMMAND_BINDING_SET,
		.binding = {.agent_address = agent.agent.address,
			.expires_ns = CLOCK_NEVER,
			.home_port = PORT_NONE,
			.encapsulation = ENCAPSULATION_IPIP}};
	uint64_t tenth[11];

	if (!tables || tables_apply(tables, &agent))
		exit(1);
	for (uint32_t i = 0; i < bindings; i++) {
		if (i % (bindings / 10) == 0)
			tenth[i / (bindings / 10)] = clock_read().monotonic_ns;
		c.binding.binding_id = i;
		c.binding.home_address = home_of(i);
		c.binding.care_of_address = c.binding.care_of_field =
			ip_address_from_v4(__builtin_bswap32(0x0b000000 + i));
		if (tables_apply(tables, &c))
			exit(1);
		if (i % 1024 == 0)
			tables_publish(tables);
	}
	tenth[10] = clock_read().monotonic_ns;
	*first = bindings / 10.0 * 1e9 / (double)(tenth[1] - tenth[0]);
	*last = bindings / 10.0 * 1e9 / (double)(tenth[10] - tenth[9]);
	return tables;
}

static double lookup_cycles(const struct tables *tables, uint32_t bindings)
{
	struct ip_address homes[BURST];
	const uint16_t vrf[BURST] = {0};
	const struct tunnel *out[BURST];
	uint64_t cycles = 0, found = 0, random = 88172645463325252ull;

	for (uint32_t done = 0; done < LOOKUPS; done += BURST) {
		for (unsigned i = 0; i < BURST; i++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			homes[i] = home_of((uint32_t)(random % bindings));
		}
		uint64_t from = rte_rdtsc();
		tables_home_lookup_burst(tables, vrf, homes, BURST, out);
		cycles += rte_rdtsc() - from;
		for (unsigned i = 0; i < BURST; i++)
			found += out[i] != NULL;
	}
	if (found != LOOKUPS)
		exit(1);
	return (double)cycles / LOOKUPS;
}

int main(int argc, char **argv)
{
	uint32_t most = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1000000;
	const uint32_t sizes[] = {10000, 100000, 1000000};
	double first = 1, last = 1;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && sizes[i] <= most; i++) {
		struct tables *tables = tables_filled(sizes[i], &first, &last);
		figure("tunnel lookup", sizes[i], lookup_cycles(tables, sizes[i]), "cycles");
		tables_free(tables);
	}
	figure("inserts, last tenth", most, last, "1/s");
	printf("{\"figure\": \"inserts, last tenth to first\", \"value\": %.2f, \"unit\": "
	       "\"ratio\", \"target\": 0.8, "
	       "\"pass\": %s}\n",
		last / first, last / first >= 0.8 ? "true" : "false");
	return 0;
}
