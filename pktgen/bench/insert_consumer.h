/*
 * The dataplane's end of binding_insert_bench: something that takes commands off the ring of a
 * region. One implementation is linked: insert_consumer_tables.c, the dataplane's own, or
 * insert_consumer_none.c, which only looks at each record and so shows what mirror and ring cost by
 * themselves.
 */
#ifndef PKTGEN_BENCH_INSERT_CONSUMER_H
#define PKTGEN_BENCH_INSERT_CONSUMER_H

#include "lib/ipc/attach.h"

struct insert_consumer;

extern const char *const insert_consumer_name;

/* Allocates for the region's limits; NULL when it cannot. */
struct insert_consumer *insert_consumer_new(struct region *region);
/* Takes what is there, reports what is applied; returns how many it took. Its own thread calls. */
unsigned insert_consumer_poll(struct insert_consumer *consumer);
/* Bindings that it holds. */
uint64_t insert_consumer_bindings(struct insert_consumer *consumer);
/* Would a packet to the home address go there now? With the dataplane's own tables alone. */
bool insert_consumer_leads(const struct insert_consumer *consumer,
	const struct ip_address *home_address, const struct ip_address *care_of_address,
	be16 care_of_port);
void insert_consumer_free(struct insert_consumer *consumer);

#endif
