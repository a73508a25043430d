#include "dataplane/table/tables_private.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

static struct agent *agent_at(const struct tables *tables, uint32_t slot)
{
	return slab_at(&tables->agents, slot);
}

/* An agent's object outlives its removal while tunnels name it. */
static void agent_retire_unused(struct tables *tables, struct agent *agent)
{
	if (!agent->removed || agent->users > 0)
		return;
	uint32_t slot = (uint32_t)(((uint8_t *)agent - tables->agents.objects) / sizeof(*agent));
	retirement_add(&tables->retirement, &tables->agents, slot);
}

static void agent_released(void *context, const struct agent *agent)
{
	struct agent *own = (struct agent *)agent;

	own->users--;
	agent_retire_unused(context, own);
}

/* ---- addresses that are ours ---- */

static struct local_record local_get(
	const struct tables *tables, const struct ip_address *address, uint16_t vrf)
{
	const struct local_record *record = address_map_lookup(&tables->locals, address, vrf);
	return record ? *record : (struct local_record){0};
}

static void own_visit(
	const struct tables *tables, struct own_addresses *own, const struct address_key *key)
{
	const struct local_record *record = (const struct local_record *)(key + 1);
	unsigned ipv6 = !ip_address_is_v4(&key->address);

	if (record->agent) {
		const struct ip_address **first = &own->agent[key->salt][ipv6];
		own->agent_flags |= agent_at(tables, record->agent)->flags;
		if (!*first || memcmp(key->address.bytes, (*first)->bytes, 16) < 0)
			*first = &key->address;
	}
	if (record->kernel && ip_address_is_unicast(&key->address)) {
		own->kernel[key->salt][ipv6] = &key->address;
		own->of_port[record->kernel_port][ipv6] = &key->address;
	}
}

static void own_update(struct tables *tables)
{
	const struct slot_table *index = &tables->locals.index;
	struct own_addresses own = {0};

	for (uint32_t b = 0; b <= index->mask; b++)
		for (unsigned i = 0; i < SLOT_BUCKET_ENTRIES; i++)
			if (index->buckets[b].fingerprint[i])
				own_visit(tables, &own,
					slab_at(&tables->locals.objects,
						index->buckets[b].slot[i]));
	/* Each pointer alone is right at any time; nobody needs them to agree. */
	for (unsigned i = 0; i < TABLES_VRF_MAX * 2; i++) {
		__atomic_store_n(&tables->own.agent[i / 2][i % 2], own.agent[i / 2][i % 2],
			__ATOMIC_RELEASE);
		__atomic_store_n(&tables->own.kernel[i / 2][i % 2], own.kernel[i / 2][i % 2],
			__ATOMIC_RELEASE);
	}
	for (unsigned i = 0; i < REGION_PORTS_MAX * 2; i++)
		__atomic_store_n(&tables->own.of_port[i / 2][i % 2], own.of_port[i / 2][i % 2],
			__ATOMIC_RELEASE);
	__atomic_store_n(&tables->own.agent_flags, own.agent_flags, __ATOMIC_RELAXED);
}

static int local_put(struct tables *tables, const struct ip_address *address, uint16_t vrf,
	const struct local_record *record)
{
	int error = 0;

	if (record->kernel || record->agent)
		vicinity_add(
			&tables->vicinity, vrf, &(struct ip_prefix){*address, 128}, VICINITY_LOCAL);
	if (record->kernel || record->agent)
		error = address_map_set(&tables->locals, address, vrf, record, tables->generation);
	else
		address_map_remove(&tables->locals, address, vrf);
	own_update(tables);
	return error;
}

static int local_set(struct tables *tables, const struct local_command *command)
{
	struct local_record record = local_get(tables, &command->address, command->vrf);

	record.kernel = true;
	record.kernel_port = command->port;
	record.kernel_generation = tables->generation;
	return local_put(tables, &command->address, command->vrf, &record);
}

static int local_remove(struct tables *tables, const struct ip_address *address, uint16_t vrf)
{
	struct local_record record = local_get(tables, address, vrf);

	record.kernel = false;
	record.kernel_port = 0;
	record.kernel_generation = 0;
	return local_put(tables, address, vrf, &record);
}

static void agent_configure(
	struct tables *tables, struct agent *agent, const struct agent_command *command)
{
	bool restyle = agent->tunnel_ttl != command->tunnel_ttl || agent->dscp != command->dscp ||
		       ((agent->flags ^ command->flags) & AGENT_DF_COPY);

	/* Independent settings of one word each, read by workers at any time: no packet minds a
	 * mixture. */
	__atomic_store_n(&agent->flags, command->flags, __ATOMIC_RELAXED);
	__atomic_store_n(&agent->instance, command->instance, __ATOMIC_RELAXED);
	__atomic_store_n(&agent->tunnel_ttl, command->tunnel_ttl, __ATOMIC_RELAXED);
	__atomic_store_n(&agent->dscp, command->dscp, __ATOMIC_RELAXED);
	__atomic_store_n(&agent->old_care_of_grace_tsc,
		tsc_clock_cycles(&tables->clock, command->old_care_of_grace_ns), __ATOMIC_RELAXED);
	agent->generation = tables->generation;
	if (restyle && agent->users > 0)
		binding_table_restyle(&tables->bindings, agent);
}

static int agent_set(struct tables *tables, const struct agent_command *command)
{
	struct local_record record = local_get(tables, &command->address, command->vrf);

	if (record.agent) {
		agent_configure(tables, agent_at(tables, record.agent), command);
		own_update(tables);
		return 0;
	}
	record.agent = slab_take(&tables->agents);
	if (!record.agent)
		return -ENOSPC;
	struct agent *agent = agent_at(tables, record.agent);
	*agent = (struct agent){.address = command->address, .vrf = command->vrf};
	agent_configure(tables, agent, command);
	int error = local_put(tables, &command->address, command->vrf, &record);
	if (error)
		slab_give(&tables->agents, record.agent);
	return error;
}

static int agent_remove(struct tables *tables, const struct ip_address *address, uint16_t vrf)
{
	struct local_record record = local_get(tables, address, vrf);
	uint32_t slot = record.agent;

	if (!slot)
		return 0;
	record.agent = 0;
	int error = local_put(tables, address, vrf, &record);
	if (error)
		return error;
	agent_at(tables, slot)->removed = true;
	agent_retire_unused(tables, agent_at(tables, slot));
	return 0;
}

static void locals_sweep(struct tables *tables)
{
	const struct slot_table *index = &tables->locals.index;

	for (uint32_t b = 0; b <= index->mask; b++) {
		for (unsigned i = 0; i < SLOT_BUCKET_ENTRIES; i++) {
			if (index->buckets[b].fingerprint[i] == 0)
				continue;
			struct address_key *entry =
				slab_at(&tables->locals.objects, index->buckets[b].slot[i]);
			struct address_key key = *entry;
			struct local_record record = *(struct local_record *)(entry + 1);
			if (record.agent &&
				agent_at(tables, record.agent)->generation != tables->generation)
				agent_remove(tables, &key.address, (uint16_t)key.salt);
			if (record.kernel && record.kernel_generation != tables->generation)
				local_remove(tables, &key.address, (uint16_t)key.salt);
		}
	}
}

/* ---- home networks ---- */

static void of_port_visit(void *context, const void *payload)
{
	const struct home_network **of_port = context;
	const struct home_network *network = payload;

	if (network->port >= REGION_PORTS_MAX)
		return;
	const struct home_network **best = &of_port[network->port];
	if (!*best || memcmp(&network->prefix.address, &(*best)->prefix.address, 16) < 0)
		*best = network;
}

static void of_port_update(struct tables *tables)
{
	const struct home_network *of_port[REGION_PORTS_MAX] = {0};

	prefix_map_walk(&tables->home_networks, of_port_visit, of_port);
	for (unsigned i = 0; i < REGION_PORTS_MAX; i++)
		__atomic_store_n(&tables->home_network_of_port[i], of_port[i], __ATOMIC_RELEASE);
}

static int home_network_set(struct tables *tables, const struct home_network_command *command)
{
	struct home_network network;

	memset(&network, 0, sizeof(network)); /* compared as octets */
	network.prefix.address = command->prefix.address;
	network.prefix.length = command->prefix.length;
	network.vrf = command->vrf;
	network.port = command->port;
	network.instance = command->instance;
	network.flags = command->flags;
	memcpy(network.broadcast_ports, command->broadcast_ports, sizeof(network.broadcast_ports));
	network.broadcast_rate = command->broadcast_rate;
	vicinity_add(&tables->vicinity, command->vrf, &command->prefix, VICINITY_HOME_NETWORK);
	int error = prefix_map_set(&tables->home_networks, command->vrf, &command->prefix, &network,
		tables->generation);
	of_port_update(tables);
	return error;
}

/* ---- the rest ---- */

static int binding_set(struct tables *tables, const struct binding_command *command)
{
	uint32_t agent = local_get(tables, &command->agent_address, command->vrf).agent;

	if (!agent)
		return -ENOENT;
	uint64_t grace = agent_at(tables, agent)->old_care_of_grace_tsc;
	struct binding_change change = {
		.command = command,
		.agent = agent_at(tables, agent),
		.agent_slot = (uint16_t)agent,
		.expires_tsc = tsc_clock_from_ns(&tables->clock, command->expires_ns),
		.grace_until_tsc = grace ? rte_rdtsc() + grace : 0,
		.generation = tables->generation,
		.syncing = tables->syncing,
	};
	vicinity_add(&tables->vicinity, command->vrf,
		&(struct ip_prefix){command->home_address, 128}, VICINITY_HOME);
	return binding_table_set(&tables->bindings, &change, agent_released, tables);
}

static int prefix_set(struct tables *tables, const struct prefix_command *command)
{
	uint32_t slot = tables->bindings.tunnel_of[command->binding_id];
	struct prefix_record record;

	if (!slot || binding_table_tunnel(&tables->bindings, slot)->vrf != command->vrf)
		return -ENOENT;
	memset(&record, 0, sizeof(record));
	record.binding_id = command->binding_id;
	record.home_address = binding_table_tunnel(&tables->bindings, slot)->home_address;
	vicinity_add(&tables->vicinity, command->vrf, &command->prefix, VICINITY_PREFIX);
	return prefix_map_set(
		&tables->prefixes, command->vrf, &command->prefix, &record, tables->generation);
}

static int route_set(struct tables *tables, const struct route_command *command)
{
	struct route route;

	memset(&route, 0, sizeof(route));
	route.prefix.address = command->prefix.address;
	route.prefix.length = command->prefix.length;
	route.next_hop = command->next_hop;
	route.port = command->port;
	route.mtu = command->mtu;
	route.vrf = command->vrf;
	route.flags = command->flags;
	return prefix_map_set(
		&tables->routes, command->vrf, &command->prefix, &route, tables->generation);
}

static int neighbor_set(struct tables *tables, const struct neighbor_command *command)
{
	struct neighbor neighbor;

	memset(&neighbor, 0, sizeof(neighbor));
	neighbor.address = command->address;
	neighbor.port = command->port;
	memcpy(neighbor.mac, command->mac, sizeof(neighbor.mac));
	return address_map_set(&tables->neighbors, &command->address, command->port, &neighbor,
		tables->generation);
}

static int sync_end(struct tables *tables)
{
	if (!tables->syncing)
		return -EINVAL;
	prefix_map_sweep(&tables->prefixes, tables->generation);
	binding_table_sweep(&tables->bindings, tables->generation, agent_released, tables);
	locals_sweep(tables);
	prefix_map_sweep(&tables->home_networks, tables->generation);
	of_port_update(tables);
	prefix_map_sweep(&tables->routes, tables->generation);
	address_map_sweep(&tables->neighbors, tables->generation);
	sa_table_sweep(&tables->sas, tables->generation, &tables->clock);
	int error = policy_table_sweep(&tables->policies, tables->generation);
	tables->syncing = error == -EAGAIN; /* then all of this is done again */
	return error;
}

static int remove_one(struct tables *tables, const struct command *c)
{
	switch ((enum command_type)c->type) {
	case COMMAND_AGENT_REMOVE:
		return agent_remove(tables, &c->agent.address, c->agent.vrf);
	case COMMAND_LOCAL_REMOVE:
		return local_remove(tables, &c->local.address, c->local.vrf);
	case COMMAND_HOME_NETWORK_REMOVE:
		prefix_map_remove(
			&tables->home_networks, c->home_network.vrf, &c->home_network.prefix);
		of_port_update(tables);
		return 0;
	case COMMAND_BINDING_REMOVE:
		binding_table_remove(
			&tables->bindings, c->binding.binding_id, agent_released, tables);
		return 0;
	case COMMAND_PREFIX_REMOVE:
		prefix_map_remove(&tables->prefixes, c->prefix.vrf, &c->prefix.prefix);
		return 0;
	case COMMAND_ROUTE_REMOVE:
		prefix_map_remove(&tables->routes, c->route.vrf, &c->route.prefix);
		return 0;
	case COMMAND_NEIGHBOR_REMOVE:
		address_map_remove(&tables->neighbors, &c->neighbor.address, c->neighbor.port);
		return 0;
	case COMMAND_POLICY_REMOVE:
		return policy_table_remove(&tables->policies, c->policy.policy_id);
	default:
		return -EINVAL;
	}
}

static int apply_one(struct tables *tables, const struct command *c)
{
	switch ((enum command_type)c->type) {
	case COMMAND_SYNC_BEGIN:
		tables->generation++;
		tables->syncing = true;
		sa_table_forget(&tables->sas);
		return 0;
	case COMMAND_SYNC_END:
		return sync_end(tables);
	case COMMAND_AGENT_SET:
		return agent_set(tables, &c->agent);
	case COMMAND_LOCAL_SET:
		return local_set(tables, &c->local);
	case COMMAND_HOME_NETWORK_SET:
		return home_network_set(tables, &c->home_network);
	case COMMAND_BINDING_SET:
		return binding_set(tables, &c->binding);
	case COMMAND_PREFIX_SET:
		return prefix_set(tables, &c->prefix);
	case COMMAND_ROUTE_SET:
		return route_set(tables, &c->route);
	case COMMAND_NEIGHBOR_SET:
		return neighbor_set(tables, &c->neighbor);
	case COMMAND_POLICY_SET:
		return policy_table_set(&tables->policies, &c->policy, tables->generation);
	case COMMAND_POLICY_COMMIT:
		return policy_table_commit(&tables->policies);
	case COMMAND_SA_KEY:
	case COMMAND_SA_LIMITS:
	case COMMAND_SA_SELECTOR:
	case COMMAND_SA_SET:
	case COMMAND_SA_REMOVE:
		return sa_table_apply(
			&tables->sas, c, &tables->clock, tables->generation, tables->syncing);
	default:
		return remove_one(tables, c);
	}
}

/* May packets go elsewhere after it? */
static bool is_way_command(uint16_t type)
{
	switch ((enum command_type)type) {
	case COMMAND_SYNC_END:
	case COMMAND_AGENT_SET:
	case COMMAND_AGENT_REMOVE:
	case COMMAND_LOCAL_SET:
	case COMMAND_LOCAL_REMOVE:
	case COMMAND_HOME_NETWORK_SET:
	case COMMAND_HOME_NETWORK_REMOVE:
	case COMMAND_BINDING_SET:
	case COMMAND_BINDING_REMOVE:
	case COMMAND_PREFIX_SET:
	case COMMAND_PREFIX_REMOVE:
	case COMMAND_ROUTE_SET:
	case COMMAND_ROUTE_REMOVE:
		return true;
	default:
		return false;
	}
}

/* Is it a change of what tables_ground stands for? */
static bool is_ground_command(uint16_t type)
{
	switch ((enum command_type)type) {
	case COMMAND_BINDING_SET:
	case COMMAND_BINDING_REMOVE:
		return false;
	case COMMAND_NEIGHBOR_SET:
	case COMMAND_NEIGHBOR_REMOVE:
		return true;
	default:
		return is_way_command(type);
	}
}

/* After the change and before what it replaced can be given back. */
static void count_change(uint32_t *counter)
{
	uint32_t change = *counter + 1;

	__atomic_store_n(counter, change != 0 ? change : 1, __ATOMIC_RELEASE);
}

int tables_apply(struct tables *tables, const struct command *command)
{
	int error = tables_check(&tables->limits, command);
	uint32_t grown = tables->vicinity.grown;
	bool nested = policy_table_nested(&tables->policies);

	if (error)
		return error;
	error = apply_one(tables, command);
	nested |= policy_table_nested(&tables->policies); /* an SA's way leads through policies */
	if (is_way_command(command->type) || nested)
		count_change(&tables->change);
	if (is_ground_command(command->type) || tables->vicinity.grown != grown)
		count_change(&tables->ground);
	if (error == -EAGAIN) { /* perhaps the workers have passed on already */
		tables_publish(tables);
		error = apply_one(tables, command);
	}
	return -error;
}

uint64_t tables_publish(struct tables *tables)
{
	binding_table_age(&tables->bindings, rte_rdtsc(), agent_released, tables);
	policy_table_collect(&tables->policies);
	if (tables->sas.owner)
		sa_owner_step(tables->sas.owner);
	uint64_t token = retirement_publish(&tables->retirement);
	retirement_collect(&tables->retirement);
	return token;
}

bool tables_synced(struct tables *tables, uint64_t token)
{
	bool synced = rte_rcu_qsbr_check(tables->qsbr, token, false) == 1;

	retirement_collect(&tables->retirement);
	return synced;
}
