#include "dataplane/link/command_apply.h"
#include "pktgen/bench/insert_consumer.h"

#include <stdlib.h>

const char *const insert_consumer_name = "mirror, ring and the dataplane's tables";

struct insert_consumer {
	struct command_apply apply;
	struct tables *tables;
};

struct insert_consumer *insert_consumer_new(struct region *region)
{
	struct insert_consumer *consumer = calloc(1, sizeof(*consumer));

	if (!consumer)
		return NULL;
	consumer->tables = tables_new(&region->limits, 1); /* its worker sleeps: offline */
	if (!consumer->tables) {
		free(consumer);
		return NULL;
	}
	command_apply_reset(&consumer->apply, region, consumer->tables);
	return consumer;
}

unsigned insert_consumer_poll(struct insert_consumer *consumer)
{
	return command_apply_poll(&consumer->apply);
}

uint64_t insert_consumer_bindings(struct insert_consumer *consumer)
{
	return tables_use(consumer->tables).bindings;
}

bool insert_consumer_leads(const struct insert_consumer *consumer,
	const struct ip_address *home_address, const struct ip_address *care_of_address,
	be16 care_of_port)
{
	const struct tunnel *tunnel = tables_home_lookup(consumer->tables, 0, home_address);

	if (!tunnel)
		return false;
	const struct ip_address end = tunnel_care_of_address(tunnel);
	return tunnel_care_of_port(tunnel) == care_of_port &&
	       ip_address_equal(&end, care_of_address);
}

void insert_consumer_free(struct insert_consumer *consumer)
{
	tables_free(consumer->tables);
	free(consumer);
}
