/*
 * ESP tunnels through the real pipeline in process, from the receive to the transmit step, beside
 * the bare IPsec-MB call on the same sizes and keys in the same run (esp_cell.h).
 *
 *   esp_bench [PAIRS [PIECES [TEXT]]]   default 100000 pairs of SAs, at least 60 pieces of 512
 *                                       packets a run; TEXT: only figures whose name begins so.
 *                                       BENCH_NO_LANES in the environment: by the steps alone
 *
 * Every pair belongs to one inner address of 10/8: an outbound host policy (a /32), an outbound and
 * an inbound SA with AES-GCM and a replay window of 1,024 packets, an address of its own as its
 * peer; 1,000 general policies stand before them. The smallest packets also go to 1,000 of the
 * pairs alone, all of AES-128-GCM without UDP to 10,000 and to one. With more than 100,000 pairs
 * only AES-128-GCM is measured, with all of them.
 *
 *   out   packets in clear from an internal port, each to a random pair's address; ESP out
 *   in    ESP from an external port, encrypted here as the pair's far end would: rising numbers,
 *         so the window is checked and moved by each packet; nothing is sent twice
 *   IP-in-IP in ESP   RFC 5266 mode mc: every pair's address is a mobile node's care-of address,
 * and packets go to and come from its home address through the tunnel inside ESP
 */
#include "pktgen/bench/esp_cell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint16_t sizes[] = {64, 512, 1400, ESP_CELL_IMIX};

static struct worker *worker;
static uint32_t pair_count;
static const char *wanted = "";

/* All pairs: made anew with the present suite, or changed in place. */
static void pairs_set(bool fresh, bool udp)
{
	for (uint32_t i = 0; i < pair_count; i++)
		esp_pairs_set(i, fresh, udp, 0);
}

static void suite_change(uint8_t cipher_key)
{
	for (uint32_t i = 0; i < pair_count; i++)
		esp_pairs_remove(i);
	esp_pairs_suite_set(suite_find(SA_ENCRYPTION_AES_GCM_16, 0, cipher_key + 4u, 0, NULL));
	pairs_set(true, false);
}

static bool ends(uint16_t size)
{
	return size == sizes[0] || size == sizes[2];
}

enum counts { ALL_PAIRS, ONE_TOO, SOME_TOO, FEW_TOO };

/* Both directions of one size. */
static void size_run(enum esp_pairs_inside inside, uint16_t size, enum counts more)
{
	uint32_t counts[ESP_CELL_COUNTS] = {1};
	unsigned count = more != ALL_PAIRS && pair_count > 1 && pair_count <= ESP_CELL_MANY;

	if (more >= FEW_TOO && count > 0 && pair_count > ESP_CELL_FEW)
		counts[count++] = ESP_CELL_FEW;
	if (more >= SOME_TOO && count > 0 && pair_count > ESP_CELL_SOME)
		counts[count++] = ESP_CELL_SOME;
	counts[count++] = pair_count;
	for (unsigned in = 0; in < 2; in++)
		esp_cell_run(&(struct esp_cell_shape){in ? SA_INBOUND : SA_OUTBOUND, inside, size},
			counts, count);
}

static bool any_wanted(const char *name)
{
	return strncmp(name, wanted, RTE_MIN(strlen(name), strlen(wanted))) == 0;
}

static void tunnels_run(void)
{
	esp_pairs_nodes_init();
	for (uint32_t i = 0; i < pair_count; i++)
		esp_pairs_node_set(i, esp_pairs_home(i));
	for (unsigned size = 0; size < 3; size++)
		size_run(ESP_PAIRS_TUNNEL, sizes[size], ALL_PAIRS);
}

/* Everything with the usual key; the smallest and the largest inside UDP, and of all pairs with the
 * long key; IMIX for whoever asks for it. */
static void run(void)
{
	bool million = pair_count > ESP_CELL_MANY;

	for (unsigned size = 0; size < RTE_DIM(sizes); size++)
		if (sizes[size] != ESP_CELL_IMIX || *wanted)
			size_run(ESP_PAIRS_PLAIN, sizes[size], size ? SOME_TOO : FEW_TOO);
	if (million)
		return;
	pairs_set(false, true);
	for (unsigned size = 0; size < RTE_DIM(sizes); size++)
		if (ends(sizes[size]))
			size_run(ESP_PAIRS_IN_UDP, sizes[size], ONE_TOO);
	if (any_wanted("ESP out, AES-256") || any_wanted("ESP in, AES-256")) {
		suite_change(32);
		for (unsigned size = 0; size < RTE_DIM(sizes); size++)
			if (ends(sizes[size]))
				size_run(ESP_PAIRS_PLAIN, sizes[size], ALL_PAIRS);
	}
	if (any_wanted("IP-in-IP")) {
		suite_change(16);
		tunnels_run();
	}
}

/* ---- memory ---- */

static void memory_figures(uint64_t before, uint64_t policies, uint64_t after, double seconds)
{
	uint64_t all = after - before;

	printf("{\"figure\": \"memory of an SA pair, keys, windows and state included, %u pairs\", "
	       "\"value\": %.0f, \"unit\": \"octets\", \"target\": 3072, \"pass\": %s}\n",
		pair_count, (double)(after - policies) / pair_count,
		(after - policies) / pair_count <= 3072 ? "true" : "false");
	printf("{\"figure\": \"%u SA pairs and their policies in memory\", \"value\": %.2f, "
	       "\"unit\": \"GiB\"",
		pair_count, (double)all / (1 << 30));
	if (pair_count >= 1000000)
		printf(", \"target\": 4, \"pass\": %s", all <= 4ull << 30 ? "true" : "false");
	printf("}\n{\"figure\": \"SA pairs made, tables and key schedules alone\", \"value\": "
	       "%.0f, \"unit\": \"1/s\"}\n",
		pair_count / seconds);
	fflush(stdout);
}

/* One piece of memory, as the shared region is: run-time state and the policies' counters. */
static void make(void)
{
	struct region_limits limits = {.bindings = pair_count > ESP_CELL_MANY ? 1 : pair_count};

	esp_pairs_limits(&limits, pair_count, pair_count);
	path_bench_init("esp_bench", &limits, &worker);
	uint64_t before = path_bench_resident();
	esp_pairs_init(worker, 1, pair_count, LIBRARY_PRIVATE);
	printf("{\"figure\": \"crypto path\", \"value\": \"%s\", \"unit\": \"\"}\n",
		esp_pairs_crypto_text());
	for (uint32_t i = 0; i < pair_count; i++)
		esp_pairs_policy_set(i);
	esp_pairs_policy_commit();
	uint64_t policies = path_bench_resident(), from = rte_rdtsc();
	pairs_set(true, false);
	memory_figures(before, policies, path_bench_resident(),
		(double)(rte_rdtsc() - from) / (double)rte_get_tsc_hz());
}

int main(int argc, char **argv)
{
	uint32_t pieces = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 60;

	pair_count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : ESP_CELL_MANY;
	wanted = argc > 3 ? argv[3] : wanted;
	if (pair_count == 0 || pair_count > 1u << 20 || pieces == 0 || pieces > ESP_CELL_PIECES)
		return 64;
	make();
	esp_cell_init(worker, pair_count, pieces, wanted);
	worker->lanes_off = getenv("BENCH_NO_LANES") != NULL;
	run();
	esp_pairs_fini();
	return path_bench_fini();
}
