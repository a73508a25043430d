/*
 * Do workers disturb each other in the crypto library? One thread, then two at once on two
 * processors, each with its own engine, keys and packets: with a private copy of the library each,
 * and on one copy, whose error word every call writes.
 *
 *   esp_scale_bench [PIECES]     default 4000 pieces of 512 packets a thread
 *
 * Median of the pieces during which the other thread ran too, in TSC cycles a packet of 64 octets,
 * AES-128-GCM.
 */
#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/crypto/workers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#define BURST  32
#define PIECE  512
#define LENGTH 64

struct runner {
	struct crypto_engine *engine;
	const struct suite *suite;
	struct crypto_key *key;
	pthread_barrier_t *start;
	unsigned processor;
	uint32_t pieces, taken;
	uint32_t *cycles;
	const struct runner *other; /* NULL: alone */
	_Alignas(64) _Atomic uint32_t progress;
	char end[60];
};

static void piece(const struct runner *runner, uint8_t (*packets)[128], uint64_t *number)
{
	struct crypto_operation operations[BURST];

	for (unsigned done = 0; done < PIECE; done += BURST) {
		for (unsigned i = 0; i < BURST; i++) {
			esp_codec_header_write(packets[i], 0xc0000001, *number);
			operations[i] = (struct crypto_operation){.suite = runner->suite,
				.key = runner->key,
				.esp = packets[i],
				.sequence = (*number)++,
				.length = LENGTH};
		}
		crypto_engine_encrypt_burst(runner->engine, operations, BURST);
	}
}

static void *run(void *argument)
{
	struct runner *runner = argument;
	static _Thread_local uint8_t packets[BURST][128] __attribute__((aligned(64)));
	uint64_t number = 1;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(runner->processor, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	pthread_barrier_wait(runner->start);
	for (uint32_t i = 0; i < 64 * runner->pieces && runner->taken < runner->pieces; i++) {
		uint32_t before = runner->other ? runner->other->progress : 0;
		uint64_t start = __rdtsc();
		piece(runner, packets, &number);
		uint32_t cycles = (uint32_t)(__rdtsc() - start);
		runner->progress++;
		if (!runner->other || runner->other->progress != before)
			runner->cycles[runner->taken++] = cycles;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Mean over the threads of each one's median, cycles a packet. */
static double measure(unsigned threads, enum library_copy copy, uint32_t pieces)
{
	char error[LIBRARY_ERROR_SIZE];
	struct crypto_workers *crypto = crypto_workers_new(threads, copy, error);
	struct runner runners[2];
	pthread_t ids[2];
	pthread_barrier_t start;
	const struct suite *suite = suite_find(SA_ENCRYPTION_AES_GCM_16, 0, 20, 0, NULL);
	const uint8_t raw[SA_ENCRYPTION_KEY_MAX] = {1};
	double sum = 0;

	if (!crypto) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	pthread_barrier_init(&start, NULL, threads);
	for (unsigned i = 0; i < threads; i++) {
		runners[i] = (struct runner){.engine = crypto_workers_engine(crypto, i),
			.suite = suite,
			.start = &start,
			.processor = i,
			.pieces = pieces,
			.other = threads == 2 ? &runners[1 - i] : NULL,
			.cycles = calloc(pieces, sizeof(uint32_t))};
		if (posix_memalign((void **)&runners[i].key, 64, sizeof(struct crypto_key)) ||
			!runners[i].cycles)
			exit(1);
		crypto_key_expand(crypto_workers_library(crypto), suite, raw, NULL, runners[i].key);
	}
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, run, &runners[i]))
			exit(1);
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		qsort(runners[i].cycles, runners[i].taken, sizeof(uint32_t), compare);
		uint32_t middle = runners[i].taken / 2;
		sum += (double)runners[i].cycles[middle] / PIECE / threads;
		free(runners[i].cycles);
		free(runners[i].key);
	}
	pthread_barrier_destroy(&start);
	crypto_workers_free(crypto);
	return sum;
}

/* `one`: the same with one worker, 0 when this is it. */
static void figure(const char *name, unsigned workers, double value, double one)
{
	printf("{\"figure\": \"aes-128-gcm, 64 octets, %s\", \"direction\": \"out\", \"suite\": "
	       "\"aes-128-gcm\", \"size\": 64, \"entries\": 1, \"udp\": false, \"workers\": %u, "
	       "\"value\": %.0f, \"unit\": \"cycles\", \"cycles_per_packet\": %.0f",
		name, workers, value, value);
	if (one > 0)
		printf(", \"reference\": {\"one worker\": %.0f}", one);
	puts("}");
}

int main(int argc, char **argv)
{
	uint32_t pieces = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 4000;

	if (pieces == 0)
		return 2;
	double one = measure(1, LIBRARY_PRIVATE, pieces);
	figure("one worker", 1, one, 0);
	figure("two workers, a copy of the library each", 2, measure(2, LIBRARY_PRIVATE, pieces),
		one);
	figure("two workers, one copy", 2, measure(2, LIBRARY_SHARED, pieces), one);
	return 0;
}
