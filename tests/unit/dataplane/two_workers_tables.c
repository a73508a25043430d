// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/dataplane/two_workers.h"

#include "tests/unit/parsed.h"
#include "tests/unit/selector_any.h"

#include <stdlib.h>

#define SPI 0xc0000001u

struct tables *tables;
struct sa_region region;

static void apply(struct command command)
{
	static uint64_t sequence;

	command.sequence = ++sequence;
	assert_int_equal(tables_apply(tables, &command), 0);
	tables_publish(tables); /* the workers are offline: nobody to wait for */
}

struct command two_tables_sa(uint8_t direction, uint32_t id, uint32_t flags, uint8_t worker)
{
	bool out = direction == SA_OUTBOUND;

	return (struct command){.type = COMMAND_SA_SET,
		.sa = {.local = address_of(out ? "192.0.2.1" : "198.51.100.2"),
			.remote = address_of(out ? "198.51.100.2" : "192.0.2.1"),
			.sa_id = id,
			.spi = RTE_BE32(SPI),
			.pair_id = SA_NONE,
			.encryption = SA_ENCRYPTION_AES_GCM_16,
			.replay_window = race_kind.replay_window,
			.flags = flags | SA_RESUME,
			.vrf = !out,
			.direction = direction,
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY,
			.worker = worker}};
}

/* Of what is sent through the SA, or received. */
static struct selector selector_of_sa(uint8_t direction)
{
	struct selector selector = selector_any(false);

	if (race_kind.hosts)
		selector.remote_first = selector.remote_last = ip_address_from_v4(
			direction == SA_OUTBOUND ? RTE_BE32(CLIENT) : RTE_BE32(SERVER));
	return selector;
}

static void sa(uint8_t direction, uint32_t id, uint32_t flags)
{
	apply((struct command){.type = COMMAND_SA_KEY,
		.sa_key = {.sa_id = id,
			.direction = direction,
			.encryption_length = 20,
			.encryption_key = {1, 2, 3}}});
	apply((struct command){.type = COMMAND_SA_SELECTOR,
		.sa_selector = {.sa_id = id,
			.direction = direction,
			.selector = selector_of_sa(direction)}});
	apply(two_tables_sa(direction, id, flags, 0));
}

static void route(const char *to, uint16_t vrf, uint16_t port)
{
	apply((struct command){.type = COMMAND_ROUTE_SET,
		.route = {.prefix = prefix_of(to), .vrf = vrf, .port = port}});
}

static void neighbor(const char *of, uint16_t port)
{
	apply((struct command){.type = COMMAND_NEIGHBOR_SET,
		.neighbor = {
			.address = address_of(of), .port = port, .mac = {2, 0, 0, 0, 0xee, 9}}});
}

static void *zeroed(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) & ~(size_t)63);

	assert_non_null(memory);
	return memset(memory, 0, size);
}

void two_tables_make(uint32_t flags, uint64_t before, struct crypto_library *library)
{
	const struct region_limits limits = {.workers = WORKERS,
		.ports = PORTS,
		.bindings = 16,
		.routes = 64,
		.neighbors = 64,
		.prefixes = 16,
		.sas = SAS,
		.policies = SAS,
		.replay_window = WINDOW};

	tables = tables_new(&limits, WORKERS);
	assert_non_null(tables);
	region.inbound = zeroed(SAS * sizeof(*region.inbound));
	region.outbound = zeroed(SAS * sizeof(*region.outbound));
	region.windows = zeroed(SAS * sa_window_words(WINDOW) * sizeof(*region.windows));
	tables_sas_attach(tables, &region, library);
	region.outbound[SA_OUT].sequence = before;
	region.inbound[SA_IN].highest = before;
	apply((struct command){.type = COMMAND_LOCAL_SET,
		.local = {.address = address_of("192.0.2.1"), .port = 0}});
	apply((struct command){.type = COMMAND_LOCAL_SET,
		.local = {.address = address_of("198.51.100.2"), .vrf = 1, .port = 1}});
	route("0.0.0.0/0", 0, 0);
	route("192.0.2.128/25", 0, 2);
	route("0.0.0.0/0", 1, 1);
	neighbor("198.51.100.2", 0);
	neighbor("203.0.113.193", 0);
	neighbor("203.0.113.193", 1);
	sa(SA_OUTBOUND, SA_OUT, flags);
	sa(SA_INBOUND, SA_IN, flags);
	apply((struct command){.type = COMMAND_POLICY_SET,
		.policy = {.selector = selector_of_sa(SA_OUTBOUND),
			.policy_id = 1,
			.sa_id = SA_OUT,
			.direction = SA_OUTBOUND,
			.action = POLICY_PROTECT}});
	apply((struct command){.type = COMMAND_POLICY_COMMIT});
}

void two_tables_free(void)
{
	tables_free(tables);
	free(region.inbound);
	free(region.outbound);
	free(region.windows);
}
