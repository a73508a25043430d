/*
 * How many authenticated registrations a second one core of control carries through: parse, police,
 * HMAC-MD5, decide, binding cache, reply with its own HMAC; the dataplane is the test's. Prints one
 * JSON line. usage: registration_bench [NODES] [SECONDS] (HA4-OPS-36; target 20,000 a second.)
 */
#include "tests/scenario/home.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char bench_config[] =
	"instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\" ]; node_rate = 0;"
	" home_networks = ( { prefix = \"10.0.0.0/8\"; } );"
	" police_endpoint_rate = 1000000; police_endpoint_burst = 1000000; police_source_rate = "
	"10000000; } );\n"
	"mobile_nodes = ( { home_address = \"10.0.0.0/8\"; security = ( { spi = 0x100;"
	" key = \"0123456789abcdeffedcba9876543210\"; } ); } );\n";

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Requests are built outside the measured time, a batch at a time. */
static void batch_build(
	struct home *h, struct punt_record *records, uint32_t first, uint32_t count, uint32_t nodes)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t node = (first + i) % nodes;
		char home[16], care_of[16];
		struct ask ask = {.flags = MIP4_D | MIP4_T,
			.lifetime_s = 1800,
			.home_address = home,
			.care_of = care_of};
		snprintf(home, sizeof(home), "10.%u.%u.%u", 1 + node / 62500, node / 250 % 250,
			1 + node % 250);
		snprintf(care_of, sizeof(care_of), "100.%u.%u.%u", 64 + node / 62500,
			node / 250 % 250, 1 + node % 250);
		ask_build(h, &ask, &records[i]);
	}
}

int main(int argc, char **argv)
{
	uint32_t nodes = argc > 1 ? (uint32_t)atoi(argv[1]) : 100000, done = 0, batch = 1024;
	double limit = argc > 2 ? atof(argv[2]) : 2, used = 0, first_round = 0;
	char text[16];

	if (nodes < batch || nodes > 1000000) {
		fprintf(stderr, "usage: registration_bench [NODES 1024..1000000] [SECONDS]\n");
		return 64;
	}
	snprintf(text, sizeof(text), "%u", nodes);
	setenv("HOME_BINDINGS", text, 1);
	struct home *h = home_new(bench_config);
	struct punt_record *records = calloc(batch, sizeof(*records));
	h->no_store = true;
	while (used < limit || done < nodes) {
		batch_build(h, records, done, batch, nodes);
		double start = seconds_now();
		for (uint32_t i = 0; i < batch; i++) {
			mip4_receive(h->engine, &records[i], h->now);
			if (i % 32 == 31)
				home_acknowledge(h);
		}
		used += seconds_now() - start;
		done += batch;
		if (first_round == 0 && done >= nodes)
			first_round = used;
		home_pass(h, 0.001);
	}
	uint64_t accepted = home_counter(h, MIP4_REG_ACCEPTED);
	printf("{\"bench\": \"registration\", \"nodes\": %u, \"registrations\": %u, \"accepted\": "
	       "%llu, \"cpu_s\": %.3f, "
	       "\"per_second\": %.0f, \"new_per_second\": %.0f}\n",
		nodes, done, (unsigned long long)accepted, used, done / used, nodes / first_round);
	bool good = accepted == done;
	free(records);
	home_free(h);
	return good ? 0 : 1;
}
