/*
 * ESP tunnels through the real pipeline in process, from the receive to the transmit step, beside
 * the bare IPsec-MB call on the same sizes and keys in the same run.
 *
 *   esp_bench [PAIRS [PIECES [TEXT]]]   default 100000 pairs of SAs, at least 60 pieces of 512
 *                                       packets a run; TEXT: only figures whose name begins so.
 *                                       BENCH_NO_LANES in the environment: by the steps alone
 *
 * Every pair belongs to one inner address of 10/8: an outbound host policy (a /32), an outbound and
 * an inbound SA with AES-GCM and a replay window of 1,024 packets, an address of its own as its
 * peer; 1,000 general policies stand before them. With more than 100,000 pairs only AES-128-GCM is
 * measured, with all of them.
 *
 *   out   packets in clear from an internal port, each to a random pair's address; ESP out
 *   in    ESP from an external port, encrypted here as the pair's far end would: rising numbers,
 *         so the window is checked and moved by each packet; nothing is sent twice
 *
 * Every pair sends one packet before a figure, then a piece of 512 packets is made, then copied
 * into mbufs and freed (the source and sink alone), then copied into mbufs and sent through the
 * pipeline. Making them is not timed and uses no memory of the SA table: keys are expanded from
 * their raw form, one by one. The copy, from a buffer that stays in the second level cache, is in
 * the figure, as it is in the budget. "bare" is the library's direct call on as many packets, the
 * keys being those of as many SAs of the table in random order, fetched 8 packets ahead
 * ("bare_cold": not fetched ahead). "rest" is the pipeline without source, sink and bare call. Gbps
 * count the inner packets.
 *
 * Cycles are TSC cycles; a run's value is the median of its pieces, which are so short that those
 * which the kernel interrupted are few; the figure is the median of the runs (runs.h), the spread
 * that of the runs.
 */
#include "pktgen/bench/esp_pairs.h"
#include "pktgen/bench/runs.h"

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/table/sa_table.h"

#include <stdio.h>
#include <stdlib.h>

#define PIECE        512
#define PIECES_MAX   4096
#define AHEAD        8
#define BARE_BUFFERS 64
#define FRAME_MAX    1600
#define FEW          1000
#define MANY         100000
#define IMIX         0
#define IMIX_MEAN    344

enum direction { OUT, IN };

struct shape { /* one figure */
	enum direction direction;
	bool udp;
	uint16_t size; /* of the inner packet; IMIX */
	uint32_t pairs;
};

enum part { WHOLE, SOURCE, AHEAD_KEYS, COLD_KEYS, PARTS };

struct cell { /* one number of pairs: a run's pieces, and the median piece of each run; cycles a
		 packet */
	unsigned count;
	double pieces[PARTS][PIECES_MAX];
	struct runs_values runs[PARTS];
	uint64_t sent, by_lane; /* packets, and those that took a lane */
};

static const uint16_t imix[12] = {64, 570, 64, 64, 570, 64, 1400, 64, 570, 64, 64, 570};
static const uint16_t sizes[] = {64, 512, 1400, IMIX};

static struct worker *worker;
static uint32_t pair_count, pieces = 60;
static const char *wanted = "";
static uint64_t random_state = 88172645463325252ull;
static uint8_t frames[PIECE][FRAME_MAX] __rte_cache_aligned;
static uint16_t lengths[PIECE];
static uint8_t bare_buffers[BARE_BUFFERS][2048] __rte_cache_aligned;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * limit >> 32);
}

/* All pairs: made anew with the present key length, or changed in place. */
static void pairs_set(bool fresh, bool udp)
{
	for (uint32_t i = 0; i < pair_count; i++)
		esp_pairs_set(i, fresh, udp, 0);
}

static void pairs_remove(void)
{
	for (uint32_t i = 0; i < pair_count; i++)
		esp_pairs_remove(i);
}

static uint16_t size_of(const struct shape *shape, unsigned i)
{
	return shape->size == IMIX ? imix[i % RTE_DIM(imix)] : shape->size;
}

/* Packets of random pairs, or those of the pairs from `first` on, one each. */
static void piece_make(const struct shape *shape, const uint32_t *first)
{
	for (unsigned i = 0; i < PIECE; i++) {
		uint32_t pair = first ? (*first + i) % shape->pairs : random_below(shape->pairs);
		uint16_t size = size_of(shape, i);
		lengths[i] = shape->direction == IN
				     ? esp_pairs_sealed_frame(frames[i], pair, size, shape->udp)
				     : esp_pairs_clear_frame(frames[i], pair, size);
	}
}

/* Cycles a packet; `run`: through the pipeline, else only in and out of mbufs. */
static double piece_time(const struct shape *shape, bool run)
{
	unsigned port = shape->direction == IN ? 0 : ESP_PAIRS_PORT;
	struct rte_mbuf *packets[BURST_SIZE];
	uint64_t from = rte_rdtsc();

	for (unsigned done = 0, count; done < PIECE; done += count) {
		count = RTE_MIN(worker->burst, PIECE - done);
		if (rte_pktmbuf_alloc_bulk(worker->pool, packets, count))
			exit(1);
		for (unsigned i = 0; i < count; i++) {
			uint16_t length = lengths[done + i];
			memcpy(rte_pktmbuf_mtod(packets[i], void *), frames[done + i], length);
			packets[i]->data_len = length;
			packets[i]->pkt_len = length;
		}
		if (!run) {
			rte_pktmbuf_free_bulk(packets, count);
			continue;
		}
		path_bench_receive(worker, port, packets, (uint16_t)count);
		worker_flush(worker);
	}
	return (double)(rte_rdtsc() - from) / PIECE;
}

/* What is found once about a pair's way is found before anything is timed. */
static void warm(enum direction direction, bool udp)
{
	const struct shape shape = {direction, udp, 64, pair_count};

	for (uint32_t first = 0; first < pair_count; first += PIECE) {
		piece_make(&shape, &first);
		piece_time(&shape, true);
	}
}

/* ---- the bare call ---- */

static double bare_time(const struct shape *shape, bool ahead)
{
	const IMB_MGR *m = crypto_library_manager(esp_pairs_far_library());
	const struct sa_table *sas = tables_sas(worker->tables);
	const struct suite *suite =
		suite_find(SA_ENCRYPTION_AES_GCM_16, 0, esp_pairs_key_length_get() + 4u, 0, NULL);
	aes_gcm_enc_dec_t call =
		shape->direction == OUT
			? (esp_pairs_key_length_get() == 16 ? m->gcm128_enc : m->gcm256_enc)
			: (esp_pairs_key_length_get() == 16 ? m->gcm128_dec : m->gcm256_dec);
	const struct crypto_key *keys[PIECE + AHEAD];
	uint32_t texts[PIECE + AHEAD];
	struct gcm_context_data context;
	uint8_t nonce[16] = {0}, tag[16];

	for (unsigned i = 0; i < PIECE + AHEAD; i++) {
		uint32_t pair = random_below(shape->pairs);
		keys[i] = shape->direction == OUT ? sa_outbound_get(sas, pair)->key
						  : sa_inbound_get(sas, pair)->key;
		texts[i] = esp_codec_text_length(suite, size_of(shape, i));
	}
	for (unsigned i = 0; ahead && i < AHEAD; i++)
		crypto_key_prefetch(suite, keys[i], texts[i]);
	uint64_t from = rte_rdtsc();
	for (unsigned i = 0; i < PIECE; i++) {
		uint8_t *packet = bare_buffers[i % BARE_BUFFERS];
		if (ahead && shape->pairs > 1)
			crypto_key_prefetch(suite, keys[i + AHEAD], texts[i + AHEAD]);
		memcpy(nonce, keys[i]->salt, 4);
		memcpy(nonce + 4, &i, 4);
		call(&keys[i]->gcm, &context, packet + 16, packet + 16, texts[i], nonce, packet, 8,
			shape->direction == OUT ? packet + 16 + texts[i] : tag, 16);
	}
	return (double)(rte_rdtsc() - from) / PIECE;
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

static void run_end(struct cell *cell)
{
	for (unsigned part = 0; part < PARTS; part++) {
		qsort(cell->pieces[part], cell->count, sizeof(double), compare);
		runs_add(&cell->runs[part], cell->pieces[part][cell->count / 2]);
	}
	cell->count = 0;
}

/* Guide, performance: budget. */
static double budget(const struct shape *shape)
{
	static const double out[2][3] = {{185, 280, 420}, {260, 370, 600}};
	static const double in[2][3] = {{200, 280, 440}, {260, 370, 600}};
	unsigned row = shape->pairs > 1, column = shape->size == 64    ? 0
						  : shape->size == 512 ? 1
								       : 2;

	if (shape->size == IMIX || esp_pairs_key_length_get() != 16 || shape->pairs == FEW)
		return 0;
	return ((shape->direction == OUT ? out : in)[row][column] + (shape->udp ? 15 : 0)) *
	       (shape->pairs > MANY ? 1.25 : 1);
}

static void name_write(const struct shape *shape, char name[96])
{
	char size[32];

	snprintf(size, sizeof(size), "%u octets", shape->size);
	snprintf(name, 96, "ESP %s%s, AES-%u-GCM, %s", shape->direction == OUT ? "out" : "in",
		shape->udp ? " in UDP" : "", esp_pairs_key_length_get() * 8u,
		shape->size == IMIX ? "IMIX" : size);
}

/* `warm`: the bare call with one key. */
static void figure(const struct shape *shape, const struct cell *cell, double warm)
{
	double value = runs_median(&cell->runs[WHOLE]);
	double source = runs_median(&cell->runs[SOURCE]);
	double ahead = runs_median(&cell->runs[AHEAD_KEYS]);
	unsigned octets = shape->size == IMIX ? IMIX_MEAN : shape->size;
	char name[96];

	name_write(shape, name);
	printf("{\"figure\": \"%s, %u SA%s\", \"direction\": \"%s\", \"suite\": \"aes-%u-gcm\", "
	       "\"udp\": %s, \"size\": %u, \"entries\": %u, \"unit\": \"cycles\", ",
		name, shape->pairs, shape->pairs > 1 ? "s" : "",
		shape->direction == OUT ? "out" : "in", esp_pairs_key_length_get() * 8u,
		shape->udp ? "true" : "false", octets, shape->pairs);
	runs_print(&cell->runs[WHOLE]);
	printf(", \"cycles_per_packet\": %.0f, \"source\": %.0f, \"rest\": %.0f, "
	       "\"budget\": %.0f, \"by_lane\": %.4f, \"reference\": {\"bare call, one key\": %.0f, "
	       "\"bare, keys "
	       "fetched ahead\": %.0f, \"bare, cold keys\": %.0f}}\n",
		value, source, value - source - ahead, budget(shape),
		(double)cell->by_lane / (double)cell->sent, warm, ahead,
		runs_median(&cell->runs[COLD_KEYS]));
	fflush(stdout);
}

static void ratio(const char *name, uint16_t size, const struct cell *many, const struct cell *one)
{
	double target = size == 64 ? 1.4 : 1.45;
	struct runs_values ratios = {0};

	for (unsigned r = 0; r < many->runs[WHOLE].count; r++)
		runs_add(&ratios, many->runs[WHOLE].values[r] / one->runs[WHOLE].values[r]);
	printf("{\"figure\": \"%s, %u SAs to one\", \"unit\": \"ratio\", ", name, pair_count);
	runs_print(&ratios);
	printf(", \"target\": %.2f, \"pass\": %s}\n", target,
		runs_median(&ratios) <= target ? "true" : "false");
}

static uint64_t by_lanes(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WORKER_LANES; i++)
		sum += worker->lane_taken[i];
	return sum;
}

static void piece_run(const struct shape *shape, struct cell *cell)
{
	unsigned n = cell->count++;

	piece_make(shape, NULL);
	cell->pieces[SOURCE][n] = piece_time(shape, false);
	cell->by_lane -= by_lanes();
	cell->pieces[WHOLE][n] = piece_time(shape, true);
	cell->by_lane += by_lanes();
	cell->sent += PIECE;
	cell->pieces[AHEAD_KEYS][n] = bare_time(shape, true);
	cell->pieces[COLD_KEYS][n] = bare_time(shape, false);
}

/* One size in one direction with 1, 1,000 and all pairs, piece by piece in turn. A run ends when
 * each of them had its seconds, with all that belongs to its pieces. */
static void size_run(enum direction direction, bool udp, uint16_t size)
{
	static struct cell cells[3];
	struct runs runs = runs_wanted(1, 0);
	uint32_t counts[3] = {1, FEW, pair_count};
	unsigned figures = pair_count > FEW ? 3 : pair_count > 1 ? 2 : 1;
	char name[96];

	name_write(&(struct shape){direction, udp, size, 1}, name);
	if (strncmp(name, wanted, strlen(wanted)) != 0)
		return;
	counts[figures - 1] = pair_count;
	warm(direction, udp);
	memset(cells, 0, sizeof(cells));
	for (unsigned r = 0; r < runs.count; r++) {
		uint64_t end =
			rte_rdtsc() + (uint64_t)(runs.seconds * figures * (double)rte_get_tsc_hz());
		for (unsigned piece = 0;
			piece < PIECES_MAX && (piece < pieces || rte_rdtsc() < end); piece++)
			for (unsigned c = 0; c < figures; c++)
				piece_run(&(struct shape){direction, udp, size, counts[c]},
					&cells[c]);
		for (unsigned c = 0; c < figures; c++)
			run_end(&cells[c]);
	}
	for (unsigned c = 0; c < figures; c++)
		figure(&(struct shape){direction, udp, size, counts[c]}, &cells[c],
			runs_median(&cells[0].runs[AHEAD_KEYS]));
	if (pair_count == MANY && size != 512 && size != IMIX)
		ratio(name, size, &cells[2], &cells[0]);
}

/* All sizes with the usual key, the smallest and the largest with the long one and inside UDP. */
static void suite_run(uint8_t cipher_key, bool again)
{
	if (again) {
		pairs_remove();
		esp_pairs_key_length(cipher_key);
		pairs_set(true, false);
	}
	for (unsigned udp = 0; udp < 2 - (unsigned)again; udp++) {
		if (udp)
			pairs_set(false, true);
		for (unsigned size = 0; size < RTE_DIM(sizes); size++)
			for (unsigned direction = OUT; direction <= IN; direction++)
				if ((!udp && cipher_key == 16) || sizes[size] == 64 ||
					sizes[size] == 1400)
					size_run((enum direction)direction, udp, sizes[size]);
	}
}

/* ---- memory ---- */

/* Octets of this process that are in memory. */
static uint64_t resident(void)
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
	struct region_limits limits = {.bindings = 1};

	esp_pairs_limits(&limits, pair_count, pair_count);
	path_bench_init("esp_bench", &limits, &worker);
	uint64_t before = resident();
	esp_pairs_init(worker, 1, pair_count, LIBRARY_PRIVATE);
	printf("{\"figure\": \"crypto path\", \"value\": \"%s\", \"unit\": \"\"}\n",
		esp_pairs_crypto_text());
	for (uint32_t i = 0; i < pair_count; i++)
		esp_pairs_policy_set(i);
	esp_pairs_policy_commit();
	uint64_t policies = resident(), from = rte_rdtsc();
	pairs_set(true, false);
	memory_figures(before, policies, resident(),
		(double)(rte_rdtsc() - from) / (double)rte_get_tsc_hz());
}

int main(int argc, char **argv)
{
	pair_count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : MANY;
	pieces = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : pieces;
	wanted = argc > 3 ? argv[3] : wanted;
	if (pair_count == 0 || pair_count > 1u << 20 || pieces == 0 || pieces > PIECES_MAX)
		return 64;
	make();
	worker->lanes_off = getenv("BENCH_NO_LANES") != NULL;
	suite_run(16, false);
	if (pair_count <= MANY)
		suite_run(32, true);
	esp_pairs_fini();
	return path_bench_fini();
}
