/*
 * Region commands: whatever control's shared memory holds, tables_apply accepts or refuses it, and
 * what workers then look up is inside the tables. Input: one octet that chooses how a record is
 * read, then a record; a terse form reaches deep states with few octets.
 */
#include "dataplane/table/tables.h"
#include "tests/fuzz/fuzz_assert.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BINDINGS 32

static const struct region_limits limits = {.workers = 1,
	.ports = 2,
	.bindings = BINDINGS,
	.routes = 32,
	.neighbors = 16,
	.prefixes = 8};

static struct ip_address small_address(uint8_t n)
{
	struct ip_address a = ip_address_from_v4(0);
	a.bytes[12] = 10;
	a.bytes[13] = n >> 4;
	a.bytes[15] = n & 15;
	return a;
}

/* Eight octets: type, id, addresses out of a few. */
static struct command terse_command(const uint8_t *d)
{
	struct command c = {.type = d[0] % (COMMAND_TYPE_COUNT + 1)};

	switch ((enum command_type)c.type) {
	case COMMAND_AGENT_SET:
		c.agent = (struct agent_command){.address = small_address(d[1] & 3),
			.vrf = d[2] & 1,
			.flags = d[3],
			.old_care_of_grace_ns = d[4] & 1,
			.tunnel_ttl = d[5],
			.dscp = d[6] & 63};
		break;
	case COMMAND_BINDING_SET:
		c.binding = (struct binding_command){.binding_id = d[1] % (BINDINGS + 1),
			.home_address = small_address(d[2] & 15),
			.care_of_address = small_address(d[3]),
			.agent_address = small_address(d[4] & 3),
			.vrf = d[4] >> 7,
			.flags = d[5],
			.care_of_port = d[6],
			.agent_port = 434,
			.expires_ns = d[7],
			.home_port = PORT_NONE,
			.encapsulation = d[6] & 1 ? ENCAPSULATION_GRE : ENCAPSULATION_IPIP};
		break;
	case COMMAND_BINDING_REMOVE:
		c.binding.binding_id = d[1] % (BINDINGS + 1);
		break;
	case COMMAND_NEIGHBOR_SET:
	case COMMAND_NEIGHBOR_REMOVE:
		c.neighbor = (struct neighbor_command){
			.address = small_address(d[1]), .port = d[2] & 3, .mac = {2, d[3]}};
		break;
	case COMMAND_LOCAL_SET:
	case COMMAND_LOCAL_REMOVE:
	case COMMAND_AGENT_REMOVE:
		c.local =
			(struct local_command){.address = small_address(d[1] & 7), .vrf = d[2] & 1};
		break;
	default: { /* the prefix family begins alike */
		struct ip_address a = small_address(d[1]);
		c.route.prefix = ip_prefix_make(&a, (uint8_t)(96 + d[2] % 40));
		c.route.vrf = d[3] & 1;
		c.route.port = d[4] & 1;
		if (c.type == COMMAND_PREFIX_SET)
			c.prefix.binding_id = d[4] % BINDINGS;
	}
	}
	return c;
}

static void chain_check(const struct tables *t, uint16_t vrf, const struct ip_address *home)
{
	unsigned length = 0;

	for (const struct tunnel *at = tables_home_lookup(t, vrf, home); at;
		at = tables_tunnel_next(t, at)) {
		FUZZ_ASSERT(at->binding_id < BINDINGS);
		FUZZ_ASSERT(at->vrf == vrf && ip_address_equal(&at->home_address, home));
		FUZZ_ASSERT(at->outer_length >= 20 && at->outer_length <= TUNNEL_OUTER_MAX);
		FUZZ_ASSERT(tables_agent_of(t, at)->users > 0);
		FUZZ_ASSERT(++length <= BINDINGS);
	}
}

static void tables_look(const struct tables *t)
{
	for (unsigned n = 0; n < 64; n++) {
		struct ip_address a = small_address((uint8_t)n);
		for (uint16_t vrf = 0; vrf < 2; vrf++) {
			chain_check(t, vrf, &a);
			const struct route *route = tables_route_lookup(t, vrf, &a);
			FUZZ_ASSERT(!route || ip_prefix_contains(&route->prefix, &a));
			const struct home_network *network = tables_home_network_lookup(t, vrf, &a);
			FUZZ_ASSERT(!network || ip_prefix_contains(&network->prefix, &a));
			struct local local = tables_local_lookup(t, vrf, &a);
			FUZZ_ASSERT(local.kind != LOCAL_AGENT ||
				    ip_address_equal(&local.agent->address, &a));
			tables_prefix_lookup(t, vrf, &a);
		}
		const struct neighbor *neighbor = tables_neighbor_lookup(t, n & 1, &a);
		FUZZ_ASSERT(!neighbor || ip_address_equal(&neighbor->address, &a));
	}
	struct tables_use use = tables_use(t);
	FUZZ_ASSERT(use.bindings <= BINDINGS && use.routes <= 32 && use.neighbors <= 16 &&
		    use.prefixes <= 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tables *tables = tables_new(&limits, 1);
	const uint8_t *end = data + size;
	unsigned count = 0;

	FUZZ_ASSERT(tables != NULL);
	while (end - data >= 9) {
		struct command c;
		if (*data & 1) {
			size_t length = (size_t)(end - data - 1) < sizeof(c)
						? (size_t)(end - data - 1)
						: sizeof(c);
			memset(&c, 0, sizeof(c));
			memcpy(&c, data + 1, length);
			data += 1 + length;
		} else {
			c = terse_command(data + 1);
			data += 9;
		}
		int error = tables_apply(tables, &c);
		FUZZ_ASSERT(error >= 0);
		if (++count % 8 == 0)
			tables_publish(tables);
	}
	tables_look(tables);
	tables_publish(tables);
	FUZZ_ASSERT(tables_waiting(tables) < 64 * 1024);
	tables_free(tables);
	return 0;
}
