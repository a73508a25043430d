#include "tests/unit/control/mirror/fake_dataplane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void fake_init(struct fake_dataplane *fake, const struct region_limits *limits)
{
	memset(fake, 0, sizeof(*fake));
	if (region_create(&fake->region, limits, false))
		abort();
}

void fake_fini(struct fake_dataplane *fake)
{
	region_destroy(&fake->region);
}

void fake_forget(struct fake_dataplane *fake)
{
	memset(fake->slots, 0, sizeof(fake->slots));
	fake->slot_count = 0;
}

struct attachment *fake_session(struct fake_dataplane *fake)
{
	struct region *r = &fake->region;
	const struct region_limits *l = &r->limits;
	struct attachment *a = &fake->attachment;
	size_t command_size = ring_size(l->command_slots, sizeof(struct command));
	size_t event_size = ring_size(l->event_slots, sizeof(struct event));

	r->session++;
	ring_reset(r->command.shared);
	ring_reset(r->event.shared);
	r->command.own = r->command.peer = r->event.own = r->event.peer = 0;
	atomic_store(&r->header->applied_sequence, 0);
	fake->taken = 0;
	fake->syncing = false;
	*a = (struct attachment){
		.socket = -1,
		.command_doorbell = r->command_doorbell,
		.event_doorbell = r->event_doorbell,
		.header = r->header,
		.limits = *l,
	};
	if (ring_attach_producer(&a->command, r->command.shared, command_size, l->command_slots,
		    sizeof(struct command)) ||
		ring_attach_consumer(&a->event, r->event.shared, event_size, l->event_slots,
			sizeof(struct event)))
		abort();
	return a;
}

/* Types come in pairs, SET and the REMOVE after it. */
static uint16_t set_type(uint16_t type)
{
	return (uint16_t)(type - (type - COMMAND_AGENT_SET) % 2);
}

static bool key_equal(const struct command *a, const struct command *b)
{
	if (set_type(a->type) != set_type(b->type))
		return false;
	switch (set_type(a->type)) {
	case COMMAND_AGENT_SET:
		return a->agent.vrf == b->agent.vrf &&
		       ip_address_equal(&a->agent.address, &b->agent.address);
	case COMMAND_LOCAL_SET:
		return a->local.vrf == b->local.vrf &&
		       ip_address_equal(&a->local.address, &b->local.address);
	case COMMAND_HOME_NETWORK_SET:
		return a->home_network.vrf == b->home_network.vrf &&
		       ip_prefix_equal(&a->home_network.prefix, &b->home_network.prefix);
	case COMMAND_BINDING_SET:
		return a->binding.binding_id == b->binding.binding_id;
	case COMMAND_PREFIX_SET:
		return a->prefix.vrf == b->prefix.vrf &&
		       ip_prefix_equal(&a->prefix.prefix, &b->prefix.prefix);
	case COMMAND_ROUTE_SET:
		return a->route.vrf == b->route.vrf &&
		       ip_prefix_equal(&a->route.prefix, &b->route.prefix);
	default:
		return a->neighbor.port == b->neighbor.port &&
		       ip_address_equal(&a->neighbor.address, &b->neighbor.address);
	}
}

static struct fake_slot *find_slot(const struct fake_dataplane *fake, const struct command *command)
{
	for (unsigned i = 0; i < fake->slot_count; i++)
		if (fake->slots[i].set.type && key_equal(&fake->slots[i].set, command))
			return (struct fake_slot *)(uintptr_t)&fake->slots[i];
	return NULL;
}

const struct command *fake_find(const struct fake_dataplane *fake, const struct command *command)
{
	struct fake_slot *slot = find_slot(fake, command);

	return slot ? &slot->set : NULL;
}

unsigned fake_count(const struct fake_dataplane *fake)
{
	unsigned count = 0;

	for (unsigned i = 0; i < fake->slot_count; i++)
		count += fake->slots[i].set.type != 0;
	return count;
}

static bool agent_known(const struct fake_dataplane *fake, const struct command *c)
{
	struct command agent = {.type = COMMAND_AGENT_SET};

	agent.agent.vrf = c->binding.vrf;
	agent.agent.address = c->binding.agent_address;
	return fake_find(fake, &agent);
}

static bool binding_known(const struct fake_dataplane *fake, uint32_t id)
{
	struct command binding = {.type = COMMAND_BINDING_SET, .binding.binding_id = id};

	return fake_find(fake, &binding);
}

/* The rules of command.h that depend on order. */
static int set_error(
	const struct fake_dataplane *fake, const struct fake_slot *old, const struct command *c)
{
	if (c->type == COMMAND_BINDING_SET && !agent_known(fake, c))
		return ENOENT;
	if (c->type == COMMAND_PREFIX_SET && !binding_known(fake, c->prefix.binding_id))
		return ENOENT;
	if (c->type == COMMAND_BINDING_SET && old &&
		!(fake->syncing && old->generation != fake->generation) &&
		!ip_address_equal(&old->set.binding.home_address, &c->binding.home_address))
		return EEXIST;
	return 0;
}

static int apply_set(struct fake_dataplane *fake, const struct command *c)
{
	struct fake_slot *slot = find_slot(fake, c);
	int error = set_error(fake, slot, c);

	if (error)
		return error;
	fake->sets++;
	if (!slot || memcmp(slot->set.payload, c->payload, sizeof(c->payload)))
		fake->changes++;
	for (unsigned i = 0; !slot && i < FAKE_SLOTS; i++)
		if (!fake->slots[i].set.type) {
			slot = &fake->slots[i];
			if (i >= fake->slot_count)
				fake->slot_count = i + 1;
		}
	if (!slot)
		return ENOSPC;
	slot->set = *c;
	slot->generation = fake->generation;
	return 0;
}

static void sweep(struct fake_dataplane *fake)
{
	for (unsigned i = 0; i < fake->slot_count; i++)
		if (fake->slots[i].set.type && fake->slots[i].generation != fake->generation) {
			fake->slots[i].set.type = 0;
			fake->changes++;
		}
	fake->syncing = false;
	fake->syncs_ended++;
}

static int apply(struct fake_dataplane *fake, const struct command *c)
{
	if (c->type == COMMAND_SYNC_BEGIN) {
		fake->generation++;
		fake->syncing = true;
		fake->syncs_begun++;
		return 0;
	}
	if (c->type == COMMAND_SYNC_END) {
		sweep(fake);
		return 0;
	}
	if (fake->refuse_type && fake->refuse_type == c->type) {
		fake->refuse_type = 0;
		return fake->refuse_errno;
	}
	if (c->type == set_type(c->type))
		return apply_set(fake, c);
	struct fake_slot *slot = find_slot(fake, c);
	fake->removes++;
	if (!slot)
		return ENOENT;
	slot->set.type = 0;
	fake->changes++;
	return 0;
}

unsigned fake_read(struct fake_dataplane *fake, unsigned count)
{
	struct command c;
	unsigned done = 0;

	for (; done < count && ring_free_count(&fake->region.event) &&
		ring_get(&fake->region.command, &c);
		done++) {
		if (c.sequence != fake->taken + 1)
			abort();
		fake->taken = c.sequence;
		fake->log[fake->read++ % 64] = c;
		int error = apply(fake, &c);
		if (error) {
			struct event event = {
				.sequence = c.sequence, .type = EVENT_REFUSED, .error = error};
			ring_put(&fake->region.event, &event);
		}
	}
	return done;
}

void fake_publish(struct fake_dataplane *fake)
{
	atomic_store_explicit(
		&fake->region.header->applied_sequence, fake->taken, memory_order_release);
	doorbell_ring(fake->region.event_doorbell);
}
