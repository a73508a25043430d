/*
 * The dataplane's end of the command ring against a hostile control: commands of any content in any
 * order, ring indices scribbled on, resynchronisations begun and left. The tables must refuse or
 * apply, answer lookups, and be empty after a resynchronisation that sets nothing.
 *
 * Input: commands, each one octet of type (0x80: scribble on the ring instead), one octet of
 * identity (binding id, address), one octet n, then n & 15 edits (offset, value to XOR) of a valid
 * payload.
 */
#include "dataplane/link/command_apply.h"
#include "lib/base/log.h"
#include "tests/fuzz/fuzz_assert.h"

#include <string.h>

static const struct region_limits limits = {
	.workers = 1,
	.ports = 2,
	.bindings = 16,
	.routes = 16,
	.neighbors = 16,
	.prefixes = 16,
	.command_slots = 16,
	.event_slots = 16,
	.inject_slots = 2,
	.punt_slots = 2,
};
static struct region region;
static struct tables *tables;
static struct command_apply apply;
static struct ring control; /* the producer's side */
static uint64_t sequence;

static void session(void)
{
	size_t size = ring_size(limits.command_slots, sizeof(struct command));

	ring_reset(region.command.shared);
	ring_reset(region.event.shared);
	region.command.own = region.command.peer = region.event.own = region.event.peer = 0;
	FUZZ_ASSERT(!ring_attach_producer(&control, region.command.shared, size,
		limits.command_slots, sizeof(struct command)));
	command_apply_reset(&apply, &region, tables);
	sequence = 0;
}

static void setup(void)
{
	FUZZ_ASSERT(!region_create(&region, &limits, false));
	tables = tables_new(&limits, 1);
	FUZZ_ASSERT(tables);
	log_set_level(LOG_LEVEL_ERROR);
}

static struct ip_address v4(uint32_t host)
{
	return ip_address_from_v4(__builtin_bswap32(host));
}

/* Something that would be applied. */
static void fill(struct command *c, uint8_t who)
{
	struct ip_address network = v4(0x0a010000u | (uint32_t)(who & 15) << 8),
			  host = v4(0x0a010000u | who);

	switch (c->type) {
	case COMMAND_AGENT_SET:
	case COMMAND_AGENT_REMOVE:
		c->agent.address = v4(0xc0000200u | (who & 3));
		c->agent.tunnel_ttl = 64;
		break;
	case COMMAND_LOCAL_SET:
	case COMMAND_LOCAL_REMOVE:
		c->local.address = host;
		break;
	case COMMAND_HOME_NETWORK_SET:
	case COMMAND_HOME_NETWORK_REMOVE:
		c->home_network.prefix = ip_prefix_make(&network, 96 + 24);
		break;
	case COMMAND_BINDING_SET:
	case COMMAND_BINDING_REMOVE:
		c->binding.binding_id = who & 15;
		c->binding.home_address = host;
		c->binding.care_of_address = c->binding.care_of_field = v4(0xc6336400u | who >> 1);
		c->binding.agent_address = v4(0xc0000200u);
		c->binding.expires_ns = CLOCK_NEVER;
		c->binding.home_port = PORT_NONE;
		c->binding.agent_port = __builtin_bswap16(434);
		c->binding.encapsulation = ENCAPSULATION_IPIP;
		break;
	case COMMAND_PREFIX_SET:
	case COMMAND_PREFIX_REMOVE:
		c->prefix.prefix = ip_prefix_make(&network, 96 + 24);
		c->prefix.binding_id = who >> 4;
		break;
	case COMMAND_ROUTE_SET:
	case COMMAND_ROUTE_REMOVE:
		c->route.prefix = ip_prefix_make(&network, (uint8_t)(96 + 16 + (who & 8)));
		c->route.next_hop = v4(0xc0000200u | who);
		break;
	case COMMAND_NEIGHBOR_SET:
	case COMMAND_NEIGHBOR_REMOVE:
		c->neighbor.address = host;
		c->neighbor.mac[0] = 2;
		break;
	default:
		break;
	}
}

/* What workers ask; the answers must be readable. */
static void look(void)
{
	for (uint32_t who = 0; who < 256; who += 5) {
		struct ip_address host = v4(0x0a010000u | who);
		const struct tunnel *t = tables_home_lookup(tables, 0, &host);
		for (unsigned chain = 0; t; chain++) {
			FUZZ_ASSERT(chain < 64 && t->outer_length <= sizeof(t->outer));
			FUZZ_ASSERT(t->binding_id < limits.bindings);
			FUZZ_ASSERT(tables_agent_of(tables, t)->users > 0);
			t = tables_tunnel_next(tables, t);
		}
		(void)tables_prefix_lookup(tables, 0, &host);
		(void)tables_local_lookup(tables, 0, &host);
		(void)tables_home_network_lookup(tables, 0, &host);
		(void)tables_route_lookup(tables, 0, &host);
		(void)tables_neighbor_lookup(tables, 0, &host);
	}
}

/* A refusal names a command of this session and a reason. */
static void hear(void)
{
	struct ring *ring = &region.event;

	for (uint64_t at = atomic_load(&ring->shared->head); at != atomic_load(&ring->shared->tail);
		at++) {
		const struct event *e = (const void *)(ring->shared->records +
						       (at & ring->mask) * ring->record_size);
		FUZZ_ASSERT(e->type == EVENT_REFUSED && e->error > 0);
	}
	atomic_store(&ring->shared->head, atomic_load(&ring->shared->tail));
}

static void put(const struct command *command)
{
	if (ring_put(&control, command))
		return;
	(void)command_apply_poll(&apply);
	(void)ring_put(&control, command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!tables)
		setup();
	session();
	for (size_t at = 0; at + 3 <= size && at < 4096;) {
		struct command c = {.type = data[at] & 0x7f};
		unsigned edits = data[at + 2] & 15;
		if (data[at] & 0x80) {
			((uint8_t *)region.command.shared)[(data[at + 1] & 0x7f)] ^= data[at + 2];
			at += 3;
			(void)command_apply_poll(&apply);
			continue;
		}
		fill(&c, data[at + 1]);
		at += 3;
		for (; edits && at + 2 <= size; edits--, at += 2)
			c.payload[data[at] % sizeof(c.payload)] ^= data[at + 1];
		c.sequence = ++sequence;
		put(&c);
		if (sequence % 4 == 0) {
			(void)command_apply_poll(&apply);
			hear();
		}
	}
	(void)command_apply_poll(&apply);
	look();
	session();
	put(&(struct command){.sequence = 1, .type = COMMAND_SYNC_BEGIN});
	put(&(struct command){.sequence = 2, .type = COMMAND_SYNC_END});
	while (command_apply_poll(&apply) || command_apply_waiting(&apply))
		;
	struct tables_use use = tables_use(tables);
	FUZZ_ASSERT(!use.bindings && !use.routes && !use.neighbors && !use.prefixes);
	FUZZ_ASSERT(atomic_load(&region.header->applied_sequence) == 2);
	return 0;
}
