#include "pktgen/bench/esp_cell.h"

#include "pktgen/bench/runs.h"

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/lane/lane.h"
#include "dataplane/table/sa_table.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE        512
#define AHEAD        8
#define BARE_BUFFERS 64
#define FRAME_MAX    1600
#define IMIX_MEAN    344
#define TUNNEL       20 /* octets of IP-in-IP */

enum part { WHOLE, SOURCE, AHEAD_KEYS, COLD_KEYS, PARTS };

struct cell { /* one number of pairs: a run's pieces, and the median piece of each run; cycles a
		 packet */
	unsigned count;
	double pieces[PARTS][ESP_CELL_PIECES];
	struct runs_values runs[PARTS];
	double run_s;           /* of the shortest run, what belongs to its pieces included */
	uint64_t sent, by_lane; /* packets, and those that took a lane */
};

static const uint16_t imix[12] = {64, 570, 64, 64, 570, 64, 1400, 64, 570, 64, 64, 570};

static struct worker *worker;
static uint32_t pair_count, pieces;
static const char *wanted;
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

static uint16_t size_of(const struct esp_cell_shape *shape, unsigned i)
{
	return shape->size == ESP_CELL_IMIX ? imix[i % RTE_DIM(imix)] : shape->size;
}

static uint32_t text_length(const struct esp_cell_shape *shape, unsigned i)
{
	return esp_codec_text_length(esp_pairs_suite(),
		(uint16_t)(size_of(shape, i) + (shape->inside & ESP_PAIRS_TUNNEL ? TUNNEL : 0)));
}

/* Packets of random ones of `pairs`, or those of the pairs from `first` on, one each. */
static void piece_make(const struct esp_cell_shape *shape, uint32_t pairs, const uint32_t *first)
{
	for (unsigned i = 0; i < PIECE; i++) {
		uint32_t pair = first ? (*first + i) % pairs : random_below(pairs);
		uint16_t size = size_of(shape, i);
		uint32_t to = shape->inside & ESP_PAIRS_TUNNEL ? esp_pairs_node(pair)
							       : esp_pairs_home(pair);
		lengths[i] = shape->direction == SA_INBOUND
				     ? esp_pairs_sealed_frame(frames[i], pair, size, shape->inside)
				     : esp_pairs_clear_frame(frames[i], to, size);
	}
}

/* Cycles a packet; `run`: through the pipeline, else only in and out of mbufs. */
static double piece_time(const struct esp_cell_shape *shape, bool run)
{
	unsigned port = shape->direction == SA_INBOUND ? 0 : ESP_PAIRS_PORT;
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
static void warm(const struct esp_cell_shape *shape)
{
	const struct esp_cell_shape small = {shape->direction, shape->inside, 64};

	for (uint32_t first = 0; first < pair_count; first += PIECE) {
		piece_make(&small, pair_count, &first);
		piece_time(&small, true);
	}
}

/* ---- the bare call ---- */

struct bare {
	const struct crypto_key *keys[PIECE + AHEAD];
	uint32_t texts[PIECE + AHEAD];
};

static void bare_draw(struct bare *bare, const struct esp_cell_shape *shape, uint32_t pairs)
{
	const struct sa_table *sas = tables_sas(worker->tables);

	for (unsigned i = 0; i < PIECE + AHEAD; i++) {
		uint32_t pair = random_below(pairs);
		bare->keys[i] = shape->direction == SA_OUTBOUND ? sa_outbound_get(sas, pair)->key
								: sa_inbound_get(sas, pair)->key;
		bare->texts[i] = text_length(shape, i);
	}
}

static double bare_gcm_time(
	const struct esp_cell_shape *shape, const struct bare *bare, uint32_t pairs, bool ahead)
{
	const IMB_MGR *m = crypto_library_manager(esp_pairs_far_library());
	const struct suite *suite = esp_pairs_suite();
	bool out = shape->direction == SA_OUTBOUND, small = suite->cipher_key_length == 16;
	aes_gcm_enc_dec_t call = out ? (small ? m->gcm128_enc : m->gcm256_enc)
				     : (small ? m->gcm128_dec : m->gcm256_dec);
	struct gcm_context_data context;
	uint8_t nonce[16] = {0}, tag[16];

	for (unsigned i = 0; ahead && i < AHEAD; i++)
		crypto_key_prefetch(suite, bare->keys[i], bare->texts[i]);
	uint64_t from = rte_rdtsc();
	for (unsigned i = 0; i < PIECE; i++) {
		uint8_t *packet = bare_buffers[i % BARE_BUFFERS];
		if (ahead && pairs > 1)
			crypto_key_prefetch(suite, bare->keys[i + AHEAD], bare->texts[i + AHEAD]);
		memcpy(nonce, bare->keys[i]->salt, 4);
		memcpy(nonce + 4, &i, 4);
		call(&bare->keys[i]->gcm, &context, packet + 16, packet + 16, bare->texts[i], nonce,
			packet, 8, out ? packet + 16 + bare->texts[i] : tag, 16);
	}
	return (double)(rte_rdtsc() - from) / PIECE;
}

/* In bursts as the pipeline's were. Decrypting, no ICV is right: it is compared all the same. */
static double bare_engine_time(const struct esp_cell_shape *shape, const struct bare *bare)
{
	struct crypto_operation operations[BURST_SIZE];
	uint64_t from = rte_rdtsc();

	for (unsigned i = 0, burst; i < PIECE; i += burst) {
		burst = RTE_MIN((unsigned)worker->burst, PIECE - i);
		for (unsigned n = 0; n < burst; n++)
			operations[n] = (struct crypto_operation){.suite = esp_pairs_suite(),
				.key = bare->keys[i + n],
				.esp = bare_buffers[(i + n) % BARE_BUFFERS],
				.sequence = i + n + 1,
				.length = bare->texts[i + n]};
		if (shape->direction == SA_OUTBOUND)
			crypto_engine_encrypt_burst(worker->crypto, operations, burst);
		else
			crypto_engine_decrypt_burst(worker->crypto, operations, burst);
	}
	return (double)(rte_rdtsc() - from) / PIECE;
}

static bool is_gcm(void)
{
	return esp_pairs_suite()->encryption == SA_ENCRYPTION_AES_GCM_16 &&
	       esp_pairs_suite()->cipher_key_length != 24;
}

static double bare_time(const struct esp_cell_shape *shape, uint32_t pairs, bool ahead)
{
	struct bare bare;

	bare_draw(&bare, shape, pairs);
	return is_gcm() ? bare_gcm_time(shape, &bare, pairs, ahead)
			: bare_engine_time(shape, &bare);
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

static void run_end(struct cell *cell, double seconds)
{
	if (cell->runs[WHOLE].count == 0 || seconds < cell->run_s)
		cell->run_s = seconds;
	for (unsigned part = 0; part < PARTS; part++) {
		qsort(cell->pieces[part], cell->count, sizeof(double), compare);
		runs_add(&cell->runs[part], cell->pieces[part][cell->count / 2]);
	}
	cell->count = 0;
}

/* "aes-128-gcm" for the usual ones, else as the suite's row says. */
static void suite_write(char name[64])
{
	const struct suite *suite = esp_pairs_suite();

	if (is_gcm())
		snprintf(name, 64, "aes-%u-gcm", suite->cipher_key_length * 8u);
	else
		snprintf(name, 64, "%s", suite->name);
}

static void name_write(const struct esp_cell_shape *shape, char name[128])
{
	char size[32], suite[64];

	suite_write(suite);
	for (char *at = suite; *at; at++)
		*at = (char)toupper(*at);
	snprintf(size, sizeof(size), "%u octets", shape->size);
	snprintf(name, 128, "%sESP %s%s, %s, %s",
		shape->inside & ESP_PAIRS_TUNNEL ? "IP-in-IP in " : "",
		shape->direction == SA_OUTBOUND ? "out" : "in",
		shape->inside & ESP_PAIRS_IN_UDP ? " in UDP" : "", suite,
		shape->size == ESP_CELL_IMIX ? "IMIX" : size);
}

/* `one_key`: the bare call with one key, 0 when it was not among them. */
static void references(const struct cell *cell, double one_key)
{
	if (!is_gcm()) {
		printf("\"reference\": {\"engine alone\": %.0f}",
			runs_median(&cell->runs[AHEAD_KEYS]));
		return;
	}
	printf("\"reference\": {");
	if (one_key > 0)
		printf("\"bare call, one key\": %.0f, ", one_key);
	printf("\"bare, keys fetched ahead\": %.0f, \"bare, cold keys\": %.0f}",
		runs_median(&cell->runs[AHEAD_KEYS]), runs_median(&cell->runs[COLD_KEYS]));
}

static void figure(
	const struct esp_cell_shape *shape, uint32_t pairs, const struct cell *cell, double one_key)
{
	double value = runs_median(&cell->runs[WHOLE]);
	double source = runs_median(&cell->runs[SOURCE]);
	double ahead = runs_median(&cell->runs[AHEAD_KEYS]);
	unsigned octets = shape->size == ESP_CELL_IMIX ? IMIX_MEAN : shape->size;
	char name[128], suite[64];

	name_write(shape, name);
	suite_write(suite);
	printf("{\"figure\": \"%s, %u SA%s\", \"direction\": \"%s\", \"suite\": \"%s\", "
	       "\"udp\": %s, \"size\": %u, \"entries\": %u, \"unit\": \"cycles\", ",
		name, pairs, pairs > 1 ? "s" : "", shape->direction == SA_OUTBOUND ? "out" : "in",
		suite, shape->inside & ESP_PAIRS_IN_UDP ? "true" : "false", octets, pairs);
	runs_print(&cell->runs[WHOLE]);
	printf(", \"inside\": %s, \"cycles_per_packet\": %.0f, \"source\": %.1f, \"rest\": %.0f, "
	       "\"by_lane\": %.4f, \"run_s\": %.3f, ",
		shape->inside & ESP_PAIRS_TUNNEL ? "\"ipip\"" : "null", value, source,
		value - source - ahead, (double)cell->by_lane / (double)cell->sent, cell->run_s);
	references(cell, one_key);
	puts("}");
	fflush(stdout);
}

static void ratio(const struct esp_cell_shape *shape, uint32_t pairs, const struct cell *many,
	const struct cell *one)
{
	double target = shape->size == 64 ? 1.4 : 1.45;
	struct runs_values ratios = {0};
	char name[128];

	name_write(shape, name);
	for (unsigned r = 0; r < many->runs[WHOLE].count; r++)
		runs_add(&ratios, many->runs[WHOLE].values[r] / one->runs[WHOLE].values[r]);
	printf("{\"figure\": \"%s, %u SAs to one\", \"unit\": \"ratio\", ", name, pairs);
	runs_print(&ratios);
	printf(", \"target\": %.2f, \"pass\": %s}\n", target,
		runs_median(&ratios) <= target ? "true" : "false");
	fflush(stdout);
}

static uint64_t by_lanes(void)
{
	return worker->lane_taken[LANE_ESP_OUT] + worker->lane_taken[LANE_ESP_IN];
}

static void piece_run(const struct esp_cell_shape *shape, uint32_t pairs, struct cell *cell)
{
	unsigned n = cell->count++;

	piece_make(shape, pairs, NULL);
	cell->pieces[SOURCE][n] = piece_time(shape, false);
	cell->by_lane -= by_lanes();
	cell->pieces[WHOLE][n] = piece_time(shape, true);
	cell->by_lane += by_lanes();
	cell->sent += PIECE;
	cell->pieces[AHEAD_KEYS][n] = bare_time(shape, pairs, true);
	cell->pieces[COLD_KEYS][n] = is_gcm() ? bare_time(shape, pairs, false) : 0;
}

void esp_cell_init(struct worker *first, uint32_t pairs, uint32_t least_pieces, const char *names)
{
	worker = first;
	pair_count = pairs;
	pieces = least_pieces;
	wanted = names;
}

/* A run ends when each of them had its seconds, with all that belongs to its pieces. */
void esp_cell_run(const struct esp_cell_shape *shape, const uint32_t *counts, unsigned count)
{
	static struct cell cells[ESP_CELL_COUNTS];
	struct runs runs = runs_wanted(1, 0);
	double hz = (double)rte_get_tsc_hz();
	char name[128];

	name_write(shape, name);
	if (strncmp(name, wanted, strlen(wanted)) != 0)
		return;
	warm(shape);
	memset(cells, 0, sizeof(cells));
	for (unsigned r = 0; r < runs.count; r++) {
		uint64_t from = rte_rdtsc(), end = from + (uint64_t)(runs.seconds * count * hz);
		for (unsigned piece = 0;
			piece < ESP_CELL_PIECES && (piece < pieces || rte_rdtsc() < end); piece++)
			for (unsigned c = 0; c < count; c++)
				piece_run(shape, counts[c], &cells[c]);
		double seconds = (double)(rte_rdtsc() - from) / hz / count;
		for (unsigned c = 0; c < count; c++)
			run_end(&cells[c], seconds);
	}
	for (unsigned c = 0; c < count; c++)
		figure(shape, counts[c], &cells[c],
			counts[0] == 1 ? runs_median(&cells[0].runs[AHEAD_KEYS]) : 0);
	if (counts[0] == 1 && counts[count - 1] == ESP_CELL_MANY &&
		(shape->size == 64 || shape->size == 1400) && shape->inside == ESP_PAIRS_PLAIN)
		ratio(shape, counts[count - 1], &cells[count - 1], &cells[0]);
}
