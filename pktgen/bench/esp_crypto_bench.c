/*
 * The crypto under ESP, in TSC cycles a packet: the library's bare call and the engine's burst,
 * warm and with many keys in random order. This is what scripts/bench esp measures the pipeline
 * against: no lookup, no header but ESP's, no mbuf.
 *
 *   esp_crypto_bench [KEYS [PACKETS]]     default 100000 keys, 400000 packets a measurement
 *
 * Packets lie in 64 buffers that stay in the second level cache; keys in huge pages when there are
 * any. "bare" is one direct call after another, each key named only just before; "engine" comes
 * in bursts of 32 and fetches ahead. A round's figure is the lower quartile of its pieces of 512
 * packets: a piece in which the kernel gave the processor to somebody else does not count. Said is
 * the median of seven interleaved rounds, with the lowest and the highest.
 */
#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/crypto/library.h"
#include "pktgen/bench/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define BURST       32
#define BUFFERS     64
#define BUFFER_SIZE 2048
#define ROUNDS      7
#define PIECE       512
#define PIECES_MAX  (1u << 16)

struct bench {
	struct crypto_library *library;
	struct crypto_engine *engine;
	struct crypto_key *keys;
	uint32_t key_count;
	uint64_t packets;
	uint8_t *buffers;
	uint64_t random;
};

struct sample {
	uint32_t count;
	uint32_t pieces[PIECES_MAX]; /* cycles of each of this round */
	struct runs_values rounds;   /* cycles a packet */
};

static const struct {
	const char *name;
	uint8_t encryption, integrity, encryption_key, integrity_key;
} ALGORITHMS[] = {
	{"aes-128-gcm", SA_ENCRYPTION_AES_GCM_16, 0, 20, 0},
	{"aes-256-gcm", SA_ENCRYPTION_AES_GCM_16, 0, 36, 0},
	{"aes-cbc/128+hmac-sha1-96", SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA1_96, 16, 20},
	{"aes-cbc/128+hmac-sha2-256-128", SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA2_256_128, 16,
		32},
	{"chacha20-poly1305/256", SA_ENCRYPTION_CHACHA20_POLY1305, 0, 36, 0},
};

static const uint32_t SIZES[] = {64, 512, 1400};

static void *map(size_t size)
{
	size_t whole = (size + (2u << 20) - 1) & ~(((size_t)2 << 20) - 1);
	void *at = mmap(NULL, whole, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED) {
		fprintf(stderr, "no huge pages: figures with many keys will be worse\n");
		at = mmap(NULL, whole, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	}
	if (at == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return at;
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static const struct crypto_key *pick(struct bench *bench, uint32_t keys)
{
	return &bench->keys[keys == 1 ? 0 : random_next(&bench->random) % keys];
}

/* The library itself: GCM's direct call, key after key. */
static void bare_gcm(
	struct bench *bench, const struct suite *suite, uint32_t size, uint32_t keys, bool encrypt)
{
	const IMB_MGR *m = crypto_library_manager(bench->library);
	bool small = suite->cipher_key_length == 16;
	aes_gcm_enc_dec_t call = encrypt ? (small ? m->gcm128_enc : m->gcm256_enc)
					 : (small ? m->gcm128_dec : m->gcm256_dec);
	struct gcm_context_data context;
	uint8_t nonce[16] = {0}, tag[16];

	for (uint64_t i = 0; i < PIECE; i++) {
		const struct crypto_key *key = pick(bench, keys);
		uint8_t *packet = bench->buffers + i % BUFFERS * BUFFER_SIZE;
		memcpy(nonce, key->salt, 4);
		memcpy(nonce + 4, &i, 8);
		call(&key->gcm, &context, packet + 16, packet + 16, size, nonce, packet, 8,
			encrypt ? packet + 16 + size : tag, 16);
	}
}

/* A burst of operations, as the ESP steps make them; the first keys are asked for at once, like
 * steps do while they look up the rest. */
static void make_burst(struct bench *bench, const struct suite *suite, uint32_t length,
	uint32_t keys, uint64_t number, struct crypto_operation *operations)
{
	for (unsigned i = 0; i < BURST; i++) {
		uint8_t *packet = bench->buffers + (number + i) % BUFFERS * BUFFER_SIZE;
		esp_codec_header_write(packet, 0xc0000001, number + i);
		operations[i] = (struct crypto_operation){.suite = suite,
			.key = pick(bench, keys),
			.esp = packet,
			.sequence = number + i,
			.length = length};
		if (i < 8 && keys > 1)
			crypto_key_prefetch(suite, operations[i].key, length);
	}
}

static void engine_burst(
	struct bench *bench, const struct suite *suite, uint32_t size, uint32_t keys, bool encrypt)
{
	struct crypto_operation operations[2][BURST];
	uint32_t length = (size + suite->alignment - 1u) / suite->alignment * suite->alignment;
	unsigned now = 0;

	make_burst(bench, suite, length, keys, 0, operations[now]);
	for (uint64_t done = 0; done < PIECE; done += BURST, now ^= 1) {
		make_burst(bench, suite, length, keys, done + BURST, operations[now ^ 1]);
		if (encrypt)
			crypto_engine_encrypt_burst(bench->engine, operations[now], BURST);
		else
			crypto_engine_decrypt_burst(bench->engine, operations[now], BURST);
	}
}

typedef void (*piece_function)(
	struct bench *bench, const struct suite *suite, uint32_t size, uint32_t keys, bool encrypt);

struct series { /* what is measured, again and again */
	piece_function function;
	const struct suite *suite;
	uint32_t size, keys;
	bool encrypt;
};

static int compare_pieces(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* One round. */
static void take(struct bench *bench, const struct series *series, struct sample *sample)
{
	sample->count = 0;
	for (uint64_t done = 0; done < bench->packets / ROUNDS && sample->count < PIECES_MAX;
		done += PIECE) {
		uint64_t start = __rdtsc();
		series->function(bench, series->suite, series->size, series->keys, series->encrypt);
		sample->pieces[sample->count++] = (uint32_t)(__rdtsc() - start);
	}
	const unsigned quartile = sample->count / 4;

	qsort(sample->pieces, sample->count, sizeof(sample->pieces[0]), compare_pieces);
	runs_add(&sample->rounds, (double)sample->pieces[quartile] / PIECE);
}

/* `reference`: the bare call with one warm key, 0 where there is no such call. */
static void figure(const struct series *series, const char *algorithm, const char *what,
	const struct sample *sample, double reference)
{
	printf("{\"figure\": \"%s %s, %u octets, %s, %u keys\", \"suite\": \"%s\", "
	       "\"direction\": \"%s\", \"udp\": false, \"size\": %u, \"entries\": %u, "
	       "\"unit\": \"cycles\", \"cycles_per_packet\": %.0f, ",
		algorithm, series->encrypt ? "encrypt" : "decrypt", series->size, what,
		series->keys, algorithm, series->encrypt ? "out" : "in", series->size, series->keys,
		runs_median(&sample->rounds));
	runs_print(&sample->rounds);
	if (reference > 0)
		printf(", \"reference\": {\"bare call, one key\": %.0f}", reference);
	puts("}");
}

static void measure(struct bench *bench, const char *name, const struct suite *suite, uint32_t size,
	bool encrypt)
{
	static struct sample bare[3], engine[3];
	const uint32_t counts[] = {
		1, bench->key_count < 1000 ? bench->key_count : 1000, bench->key_count};
	struct series series = {NULL, suite, size, 0, encrypt};
	bool gcm = suite->cipher == SUITE_CIPHER_GCM;
	double reference = 0;

	for (unsigned i = 0; i < 3; i++)
		bare[i].rounds.count = engine[i].rounds.count = 0;
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < 3; i++) {
			series.keys = counts[i];
			series.function = bare_gcm;
			if (gcm)
				take(bench, &series, &bare[i]);
			series.function = engine_burst;
			take(bench, &series, &engine[i]);
		}
	for (unsigned i = 0; i < 3; i++) {
		series.keys = counts[i];
		if (gcm) {
			reference = i == 0 ? runs_median(&bare[i].rounds) : reference;
			figure(&series, name, "bare", &bare[i], reference);
		}
		figure(&series, name, "engine", &engine[i], reference);
	}
}

static void fill_keys(const struct bench *bench, const struct suite *suite)
{
	uint8_t encryption[SA_ENCRYPTION_KEY_MAX] = {0}, integrity[SA_INTEGRITY_KEY_MAX] = {0};

	for (uint32_t i = 0; i < bench->key_count; i++) {
		memcpy(encryption, &i, sizeof(i));
		memcpy(integrity, &i, sizeof(i));
		crypto_key_expand(bench->library, suite, encryption, integrity, &bench->keys[i]);
	}
}

int main(int argc, char **argv)
{
	struct bench bench = {.random = 88172645463325252ull,
		.key_count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000,
		.packets = argc > 2 ? strtoull(argv[2], NULL, 10) : 400000};
	char error[LIBRARY_ERROR_SIZE];

	if (bench.key_count == 0 || bench.packets == 0)
		return 2;
	bench.library = crypto_library_open(LIBRARY_PRIVATE, LIBRARY_BEST, error);
	bench.engine = bench.library ? crypto_engine_new(bench.library) : NULL;
	if (!bench.engine) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	bench.keys = map((size_t)bench.key_count * sizeof(struct crypto_key));
	bench.buffers = map((size_t)BUFFERS * BUFFER_SIZE);
	printf("path %s, IPsec-MB %s\n", crypto_library_path(bench.library),
		crypto_library_version(bench.library));
	printf("{\"figure\": \"expanded key\", \"value\": %zu, \"unit\": \"octets\"}\n",
		sizeof(struct crypto_key));
	for (unsigned a = 0; a < sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]); a++) {
		const struct suite *suite =
			suite_find(ALGORITHMS[a].encryption, ALGORITHMS[a].integrity,
				ALGORITHMS[a].encryption_key, ALGORITHMS[a].integrity_key, NULL);
		fill_keys(&bench, suite);
		for (unsigned s = 0; s < sizeof(SIZES) / sizeof(SIZES[0]); s++)
			for (unsigned encrypt = 2; encrypt-- > 0;)
				measure(&bench, ALGORITHMS[a].name, suite, SIZES[s], encrypt);
	}
	crypto_engine_free(bench.engine);
	crypto_library_close(bench.library);
	return 0;
}
