/*
 * How many commands a second go through a ring of lib/ipc, between two threads and between two
 * processes, one by one and in batches of 64 as the mirror puts them. The producer fills each
 * 128-octet record in the slot, the consumer copies it out and adds up, as mirror.c and
 * command_apply.c do. One line of JSON per figure (scripts/bench ring), and a table.
 *
 *   ring_bench [MILLISECONDS PER FIGURE]     default 250
 */
#include "lib/base/clock.h"
#include "lib/ipc/command.h"
#include "lib/ipc/ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS  8192u
#define BATCH  64u
#define TARGET 5000000.0 /* commands a second, issue 2 */

struct shared { /* in memory that both sides see */
	_Atomic int stop;
	uint64_t consumed, sum; /* written by the consumer at its end */
	_Alignas(64) uint8_t ring[];
};

struct side {
	struct shared *shared;
	uint32_t batch;
	uint64_t produced, sum;
};

static size_t ring_octets(void)
{
	return ring_size(SLOTS, sizeof(struct command));
}

/* The spinning side gives its core away now and then: there may be fewer cores than sides. */
static void relax(unsigned *spins)
{
	if (++*spins % 64 == 0)
		sched_yield();
}

static void *produce(void *context)
{
	struct side *side = context;
	struct ring ring;
	unsigned spins = 0;
	uint64_t sequence = 0, sum = 0;

	ring_attach_producer(
		&ring, side->shared->ring, ring_octets(), SLOTS, sizeof(struct command));
	while (!atomic_load_explicit(&side->shared->stop, memory_order_relaxed)) {
		uint32_t count = 0;
		for (struct command *c; count < side->batch && (c = ring_reserve(&ring, count));
			count++) {
			memset(c, 0, sizeof(*c));
			c->sequence = ++sequence;
			c->type = COMMAND_BINDING_SET;
			c->binding.binding_id = (uint32_t)sequence;
			sum += sequence;
		}
		if (count)
			ring_commit(&ring, count);
		else
			relax(&spins);
	}
	struct command end = {.type = COMMAND_NONE};
	while (!ring_put(&ring, &end))
		relax(&spins);
	side->produced = sequence;
	side->sum = sum;
	return NULL;
}

static void *consume(void *context)
{
	struct side *side = context;
	struct ring ring;
	struct command c;
	unsigned spins = 0;
	uint64_t consumed = 0, sum = 0;

	ring_attach_consumer(
		&ring, side->shared->ring, ring_octets(), SLOTS, sizeof(struct command));
	for (bool end = false; !end;) {
		uint32_t count = 0;
		for (const struct command *slot;
			!end && count < side->batch && (slot = ring_peek(&ring, count)); count++) {
			memcpy(&c, slot, sizeof(c));
			__asm__ volatile("" : "+m"(c)); /* the whole copy is made */
			end = c.type == COMMAND_NONE;
			sum += c.sequence;
		}
		consumed += count;
		if (count)
			ring_release(&ring, count);
		else
			relax(&spins);
	}
	side->shared->consumed = consumed - 1;
	side->shared->sum = sum;
	return NULL;
}

/* Commands a second; negative when a record was lost or changed. */
static double measure(bool processes, uint32_t batch, unsigned milliseconds)
{
	size_t size = sizeof(struct shared) + ring_octets();
	struct shared *shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct side producer = {.shared = shared, .batch = batch}, consumer = producer;
	pthread_t produce_thread, consume_thread;
	pid_t child = 0;

	if (shared == MAP_FAILED)
		return -1;
	if (processes) {
		child = fork();
		if (!child) {
			consume(&consumer);
			_exit(0);
		}
	} else {
		pthread_create(&consume_thread, NULL, consume, &consumer);
	}
	monotonic start = clock_read().monotonic_ns;
	pthread_create(&produce_thread, NULL, produce, &producer);
	usleep(milliseconds * 1000);
	atomic_store(&shared->stop, 1);
	pthread_join(produce_thread, NULL);
	if (processes)
		waitpid(child, NULL, 0);
	else
		pthread_join(consume_thread, NULL);
	double seconds = (double)(clock_read().monotonic_ns - start) / 1e9;
	double rate = (double)shared->consumed / seconds;
	if (shared->consumed != producer.produced || shared->sum != producer.sum)
		rate = -1;
	munmap(shared, size);
	return rate;
}

int main(int argc, char **argv)
{
	unsigned milliseconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 250;

	printf("%-12s %-10s %16s\n", "between", "put", "commands/s");
	for (unsigned i = 0; i < 4; i++) {
		bool processes = i >= 2;
		uint32_t batch = i % 2 ? BATCH : 1;
		double rate = measure(processes, batch, milliseconds);
		const char *between = processes ? "processes" : "threads";
		if (rate < 0) {
			fprintf(stderr, "ring_bench: records were lost or changed between %s\n",
				between);
			return 1;
		}
		printf("%-12s %-10s %16.0f\n", between, batch == 1 ? "one by one" : "batches",
			rate);
		printf("{\"bench\": \"ring\", \"figure\": \"between two %s, batches of %u\", "
		       "\"value\": %.0f, "
		       "\"unit\": \"commands/s\", \"target\": %.0f, \"pass\": %s}\n",
			between, batch, rate, TARGET, rate > TARGET ? "true" : "false");
	}
	return 0;
}
