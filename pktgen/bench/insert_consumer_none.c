#include "pktgen/bench/insert_consumer.h"

#include <stdlib.h>

#define BATCH 1024

const char *const insert_consumer_name = "mirror and ring alone";

struct insert_consumer {
	struct region *region;
	uint64_t sequence, bindings;
};

struct insert_consumer *insert_consumer_new(struct region *region)
{
	struct insert_consumer *consumer = calloc(1, sizeof(*consumer));

	if (consumer)
		consumer->region = region;
	return consumer;
}

unsigned insert_consumer_poll(struct insert_consumer *consumer)
{
	struct command command;
	unsigned count = 0;

	for (; count < BATCH && ring_get(&consumer->region->command, &command); count++) {
		consumer->sequence = command.sequence;
		consumer->bindings += command.type == COMMAND_BINDING_SET;
	}
	if (count) {
		atomic_store_explicit(&consumer->region->header->applied_sequence,
			consumer->sequence, memory_order_release);
		doorbell_ring(consumer->region->event_doorbell);
	}
	return count;
}

uint64_t insert_consumer_bindings(struct insert_consumer *consumer)
{
	return consumer->bindings;
}

void insert_consumer_free(struct insert_consumer *consumer)
{
	free(consumer);
}
