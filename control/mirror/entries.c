#include "control/mirror/entries.h"

#include "control/mirror/mirror.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

static_assert(sizeof(struct agent_command) <= ENTRY_PAYLOAD_SIZE, "payload");
static_assert(sizeof(struct local_command) <= ENTRY_PAYLOAD_SIZE, "payload");
static_assert(sizeof(struct home_network_command) <= ENTRY_PAYLOAD_SIZE, "payload");
static_assert(sizeof(struct binding_command) <= ENTRY_PAYLOAD_SIZE, "payload");
static_assert(sizeof(struct prefix_command) <= ENTRY_PAYLOAD_SIZE, "payload");
static_assert(sizeof(struct route_command) <= ENTRY_PAYLOAD_SIZE, "payload");
static_assert(sizeof(struct neighbor_command) <= ENTRY_PAYLOAD_SIZE, "payload");
static_assert(sizeof(struct mirror_reference) <= ENTRY_PAYLOAD_SIZE, "payload");

static const struct {
	uint16_t set, remove;
	enum entry_queue set_queue, remove_queue;
} kinds[] = {
	{COMMAND_AGENT_SET, COMMAND_AGENT_REMOVE, QUEUE_BASE, QUEUE_LATE},
	{COMMAND_LOCAL_SET, COMMAND_LOCAL_REMOVE, QUEUE_BASE, QUEUE_LATE},
	{COMMAND_HOME_NETWORK_SET, COMMAND_HOME_NETWORK_REMOVE, QUEUE_BASE, QUEUE_LATE},
	{COMMAND_SA_SET, COMMAND_SA_REMOVE, QUEUE_SA, QUEUE_LATE},
	{COMMAND_POLICY_SET, COMMAND_POLICY_REMOVE, QUEUE_POLICY, QUEUE_POLICY},
	{COMMAND_ROUTE_SET, COMMAND_ROUTE_REMOVE, QUEUE_ROUTE, QUEUE_ROUTE},
	{COMMAND_NEIGHBOR_SET, COMMAND_NEIGHBOR_REMOVE, QUEUE_ROUTE, QUEUE_ROUTE},
	{COMMAND_BINDING_SET, COMMAND_BINDING_REMOVE, QUEUE_BINDING, QUEUE_BINDING},
	{COMMAND_PREFIX_SET, COMMAND_PREFIX_REMOVE, QUEUE_PREFIX, QUEUE_BINDING},
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

struct key { /* of everything but a binding */
	struct ip_address address;
	uint16_t type;  /* SET */
	uint16_t scope; /* vrf, a neighbour's port, or an SA's direction */
	uint8_t length; /* of a prefix */
	uint8_t zero[3];
};

int entries_init(struct entries *entries, uint32_t bindings, uint32_t others)
{
	size_t size = ((size_t)bindings + others) * sizeof(struct entry);

	*entries =
		(struct entries){.bindings = bindings, .others = others, .free_other = ENTRY_NONE};
	for (unsigned q = 0; q < QUEUE_COUNT; q++)
		entries->queues[q].head = entries->queues[q].tail = ENTRY_NONE;
	if (!others || (uint64_t)bindings + others >= ENTRY_NONE)
		return -EINVAL;
	/* Reserved for the limits, given by the kernel page by page as it is used. */
	entries->table = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (entries->table == MAP_FAILED) {
		entries->table = NULL;
		return -ENOMEM;
	}
	entries->map = map_new(sizeof(struct key), others);
	if (!entries->map) {
		int error = -errno;
		entries_fini(entries);
		return error;
	}
	return 0;
}

void entries_fini(struct entries *entries)
{
	if (entries->table)
		munmap(entries->table,
			((size_t)entries->bindings + entries->others) * sizeof(struct entry));
	map_free(entries->map);
	entries->table = NULL;
	entries->map = NULL;
}

enum command_type entries_set_type(uint16_t type)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (kinds[i].set == type || kinds[i].remove == type)
			return (enum command_type)kinds[i].set;
	return COMMAND_NONE;
}

static size_t kind_of(uint16_t set_type)
{
	size_t i = 0;

	while (i < KIND_COUNT - 1 && kinds[i].set != set_type)
		i++;
	return i;
}

enum command_type entries_remove_type(uint16_t set_type)
{
	return (enum command_type)kinds[kind_of(set_type)].remove;
}

enum entry_queue entries_set_queue(uint16_t set_type)
{
	return kinds[kind_of(set_type)].set_queue;
}

bool entries_is_reference(uint16_t set_type)
{
	return set_type == COMMAND_SA_SET || set_type == COMMAND_POLICY_SET;
}

struct entry *entries_get(const struct entries *entries, uint32_t index)
{
	return &entries->table[index];
}

static struct key key_of(const struct command *c)
{
	struct key key;

	memset(&key, 0, sizeof(key));
	key.type = (uint16_t)entries_set_type(c->type);
	switch (key.type) {
	case COMMAND_AGENT_SET:
		key.address = c->agent.address;
		key.scope = c->agent.vrf;
		break;
	case COMMAND_LOCAL_SET:
		key.address = c->local.address;
		key.scope = c->local.vrf;
		break;
	case COMMAND_HOME_NETWORK_SET:
		key.address = c->home_network.prefix.address;
		key.length = c->home_network.prefix.length;
		key.scope = c->home_network.vrf;
		break;
	case COMMAND_PREFIX_SET:
		key.address = c->prefix.prefix.address;
		key.length = c->prefix.prefix.length;
		key.scope = c->prefix.vrf;
		break;
	case COMMAND_ROUTE_SET:
		key.address = c->route.prefix.address;
		key.length = c->route.prefix.length;
		key.scope = c->route.vrf;
		break;
	case COMMAND_NEIGHBOR_SET:
		key.address = c->neighbor.address;
		key.scope = c->neighbor.port;
		break;
	case COMMAND_SA_SET:
	case COMMAND_POLICY_SET: {
		struct mirror_reference reference;
		memcpy(&reference, c->payload, sizeof(reference));
		key.address.words[0] = reference.id;
		key.scope = reference.direction;
		break;
	}
	default:
		break;
	}
	return key;
}

uint32_t entries_find(const struct entries *entries, const struct command *command)
{
	uint64_t index;

	if (entries_set_type(command->type) == COMMAND_BINDING_SET) {
		uint32_t id = command->binding.binding_id;
		return id < entries->bindings && entries->table[id].type ? id : ENTRY_NONE;
	}
	struct key key = key_of(command);
	return map_get(entries->map, &key, &index) ? (uint32_t)index : ENTRY_NONE;
}

static uint32_t take_other(struct entries *entries)
{
	uint32_t index = entries->free_other;

	if (index != ENTRY_NONE)
		entries->free_other = entries->table[index].next;
	else if (entries->others_end < entries->others)
		index = entries->bindings + entries->others_end++;
	return index;
}

uint32_t entries_make(struct entries *entries, const struct command *command)
{
	uint32_t index = entries_find(entries, command);
	uint16_t type = (uint16_t)entries_set_type(command->type);

	if (index != ENTRY_NONE)
		return index;
	if (type == COMMAND_BINDING_SET) {
		index = command->binding.binding_id;
		if (index >= entries->bindings) {
			errno = EINVAL;
			return ENTRY_NONE;
		}
		if (index >= entries->bindings_end)
			entries->bindings_end = index + 1;
	} else {
		struct key key = key_of(command);
		index = take_other(entries);
		if (index == ENTRY_NONE) {
			errno = ENOSPC;
			return ENTRY_NONE;
		}
		(void)map_put(entries->map, &key, index); /* as many places as entries */
	}
	struct entry *e = &entries->table[index];
	memset(e, 0, sizeof(*e));
	e->type = type;
	e->queue = QUEUE_NONE;
	return index;
}

void entries_release(struct entries *entries, uint32_t index)
{
	struct entry *e = &entries->table[index];

	if (index >= entries->bindings) {
		struct command command = {.type = e->type};
		memcpy(command.payload, e->payload, sizeof(e->payload));
		struct key key = key_of(&command);
		map_remove(entries->map, &key, NULL);
		e->next = entries->free_other;
		entries->free_other = index;
	}
	e->type = COMMAND_NONE;
}

enum entry_queue entries_queue_of(const struct entry *entry)
{
	size_t kind = kind_of(entry->type);

	return entry->flags & ENTRY_DESIRED ? kinds[kind].set_queue : kinds[kind].remove_queue;
}

void entries_enqueue(struct entries *entries, uint32_t index, enum entry_queue queue)
{
	struct entry *e = &entries->table[index];

	if (e->queue == queue)
		return;
	entries_dequeue(entries, index);
	e->queue = (uint8_t)queue;
	e->next = ENTRY_NONE;
	e->prev = entries->queues[queue].tail;
	if (e->prev == ENTRY_NONE)
		entries->queues[queue].head = index;
	else
		entries->table[e->prev].next = index;
	entries->queues[queue].tail = index;
	entries->queues[queue].count++;
}

void entries_dequeue(struct entries *entries, uint32_t index)
{
	struct entry *e = &entries->table[index];

	if (e->queue == QUEUE_NONE)
		return;
	if (e->prev == ENTRY_NONE)
		entries->queues[e->queue].head = e->next;
	else
		entries->table[e->prev].next = e->next;
	if (e->next == ENTRY_NONE)
		entries->queues[e->queue].tail = e->prev;
	else
		entries->table[e->next].prev = e->prev;
	entries->queues[e->queue].count--;
	e->queue = QUEUE_NONE;
}
