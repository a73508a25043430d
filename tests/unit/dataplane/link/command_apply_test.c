/* Keys on the command ring: gone from the shared memory as soon as they were taken, or refused. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/link/command_apply.h"
#include "dataplane/table/sa_table.h"
#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>

#define SAS 16

static const struct region_limits limits = {.workers = 1,
	.ports = 2,
	.bindings = 16,
	.routes = 16,
	.neighbors = 16,
	.prefixes = 16,
	.sas = SAS,
	.policies = 16,
	.replay_window = 64,
	.command_slots = 16,
	.event_slots = 16,
	.inject_slots = 2,
	.punt_slots = 2};
static const uint8_t secret[] = {0x5e, 0xc2, 0xe7, 0x11, 0x5e, 0xc2, 0xe7, 0x22};

static void *zeroed(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) & ~(size_t)63);

	assert_non_null(memory);
	return memset(memory, 0, size);
}

/* How often the secret lies in the ring's memory. */
static unsigned found(const struct region *region)
{
	const uint8_t *memory = (const uint8_t *)region->command.shared;
	size_t size = ring_size(limits.command_slots, sizeof(struct command));
	unsigned count = 0;

	for (size_t i = 0; i + sizeof(secret) <= size; i++)
		count += memcmp(memory + i, secret, sizeof(secret)) == 0;
	return count;
}

static struct command key(uint64_t sequence, uint8_t direction)
{
	struct command c = {.type = COMMAND_SA_KEY,
		.sequence = sequence,
		.sa_key = {.sa_id = 1,
			.direction = direction,
			.encryption_length = 20,
			.integrity_length = 20}};

	memcpy(c.sa_key.encryption_key + 8, secret, sizeof(secret));
	memcpy(c.sa_key.integrity_key, secret, sizeof(secret));
	return c;
}

// ESP-ALG-25
static void keys_leave_the_ring(void **state)
{
	static struct region region;
	static struct command_apply apply;
	struct sa_region sas = {.inbound = zeroed(SAS * sizeof(*sas.inbound)),
		.outbound = zeroed(SAS * sizeof(*sas.outbound)),
		.windows = zeroed(SAS * sa_window_words(64) * sizeof(*sas.windows))};
	struct tables *tables = tables_new(&limits, 1);
	struct ring control;
	struct command c;
	(void)state;

	assert_non_null(tables);
	assert_int_equal(region_create(&region, &limits, false), 0);
	tables_sas_attach(tables, &sas, NULL); /* nothing is expanded here */
	assert_int_equal(ring_attach_producer(&control, region.command.shared,
				 ring_size(limits.command_slots, sizeof(struct command)),
				 limits.command_slots, sizeof(struct command)),
		0);
	command_apply_reset(&apply, &region, tables);
	/* taken; refused for a direction that there is not; refused for a sequence that fell */
	for (unsigned i = 0; i < 3; i++) {
		c = key(i == 2 ? 1 : i + 1, i == 1 ? 7 : SA_INBOUND);
		assert_true(ring_put(&control, &c));
		assert_int_equal(found(&region), 2);
		command_apply_poll(&apply);
		assert_int_equal(found(&region), 0);
		assert_int_equal(apply.applied, 1);
		assert_int_equal(apply.refused, i);
	}
	tables_free(tables);
	region_destroy(&region);
	free(sas.inbound);
	free(sas.outbound);
	free(sas.windows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(keys_leave_the_ring)};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
