/*
 * The tables as one object: made from the limits, published to workers, freed after a grace period.
 *
 *   tables_apply.c   commands in: checked (tables_check.c), then done to one of the maps below
 *   tables_lookup.c  what workers ask
 *   binding_table.c  home address -> tunnel; destinations; simultaneous bindings; grace of an old
 * care-of address tunnel_template.c  the outer header as octets prefix_map.c     longest prefix:
 * routes, mobile networks, home networks address_map.c    exact: neighbours, local addresses
 *   policy_table.c   the ordered SPD: host policies by a hash, general ones by policy_classifier.c
 *   policy_hits.c    which policies count their hits in the state of an SA
 *   sa_table.c       security associations: sa_id or SPI -> what a packet needs
 *   vicinity.c       which of them may know an address at all
 *   slot_table.c     the hash below both: seven entries a cache line, no tombstones, nothing moves
 *   slab.c           preallocated objects, and those that wait for the end of a grace period
 *
 * Threads: the main lcore writes; workers read between two quiescent points and report these to the
 * QSBR variable. A change is one store of a slot number (release) over the old one; the old object
 * is retired (retirement_add), gets the token of the next tables_publish and is reused when every
 * worker has passed that token. A worker that sleeps is offline and holds up nobody. Nothing in
 * here waits or allocates after tables_new.
 *
 * RFC 5944 3.8.2 (binding cache), RFC 2003 5 (soft state), RFC 5177 (prefixes).
 */
#include "dataplane/table/tables_private.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_rcu_qsbr.h>
#include <stdlib.h>

static int qsbr_new(struct tables *tables, unsigned workers)
{
	uint32_t threads = workers > 0 ? workers : 1;

	tables->qsbr_size = rte_rcu_qsbr_get_memsize(threads);
	tables->qsbr = slab_map(tables->qsbr_size);
	if (!tables->qsbr)
		return -ENOMEM;
	if (rte_rcu_qsbr_init(tables->qsbr, threads))
		return -EINVAL;
	for (unsigned i = 0; i < workers; i++)
		rte_rcu_qsbr_thread_register(tables->qsbr, i);
	return 0;
}

static uint32_t at_least_one(uint32_t limit)
{
	return limit > 0 ? limit : 1;
}

static int maps_new(struct tables *t, unsigned workers)
{
	const struct region_limits *l = &t->limits;
	struct retirement *r = &t->retirement;
	int error = vicinity_init(&t->vicinity, TABLES_VRF_MAX);

	if (!error)
		error = binding_table_init(&t->bindings, r, &t->agents, at_least_one(l->bindings));

	if (!error)
		error = address_map_init(
			&t->locals, r, sizeof(struct local_record), TABLES_LOCALS_MAX);
	if (!error)
		error = address_map_init(
			&t->neighbors, r, sizeof(struct neighbor), at_least_one(l->neighbors));
	if (!error)
		error = prefix_map_init(&t->home_networks, r, sizeof(struct home_network),
			TABLES_HOME_NETWORKS_MAX, TABLES_VRF_MAX);
	if (!error)
		error = prefix_map_init(&t->prefixes, r, sizeof(struct prefix_record),
			at_least_one(l->prefixes), TABLES_VRF_MAX);
	if (!error)
		error = prefix_map_init(&t->routes, r, sizeof(struct route),
			at_least_one(l->routes), TABLES_VRF_MAX);
	if (!error)
		error = slab_init(&t->agents, sizeof(struct agent), TABLES_AGENTS_MAX);
	if (!error)
		error = sa_table_init(&t->sas, r, l->sas, l->replay_window, workers > 1);
	if (!error)
		error = policy_table_init(&t->policies, t->qsbr, r, l->policies);
	return error;
}

static uint64_t objects_count(const struct tables *t)
{
	return (uint64_t)t->bindings.tunnels.capacity + t->bindings.destinations.capacity +
	       t->locals.objects.capacity + t->neighbors.objects.capacity +
	       t->home_networks.objects.capacity + t->home_networks.nodes.capacity +
	       t->prefixes.objects.capacity + t->prefixes.nodes.capacity +
	       t->routes.objects.capacity + t->routes.nodes.capacity + t->agents.capacity +
	       sa_table_objects(&t->sas) + policy_table_objects(&t->policies);
}

struct tables *tables_new(const struct region_limits *limits, unsigned workers)
{
	struct tables *tables = aligned_alloc(64, (sizeof(*tables) + 63) & ~(size_t)63);
	int error;

	if (!tables)
		return NULL;
	memset(tables, 0, sizeof(*tables));
	tables->limits = *limits;
	tables->change = tables->ground = 1;
	tables->clock = tsc_clock_read();
	error = qsbr_new(tables, workers);
	if (!error)
		error = maps_new(tables, workers);
	if (!error)
		error = retirement_init(&tables->retirement, tables->qsbr, objects_count(tables));
	if (!error)
		return tables;
	tables_free(tables);
	errno = -error;
	return NULL;
}

void tables_free(struct tables *tables)
{
	if (!tables)
		return;
	vicinity_fini(&tables->vicinity);
	binding_table_fini(&tables->bindings);
	address_map_fini(&tables->locals);
	address_map_fini(&tables->neighbors);
	prefix_map_fini(&tables->home_networks);
	prefix_map_fini(&tables->prefixes);
	prefix_map_fini(&tables->routes);
	policy_table_fini(&tables->policies);
	slab_fini(&tables->agents);
	sa_table_fini(&tables->sas);
	retirement_fini(&tables->retirement);
	slab_unmap(tables->qsbr, tables->qsbr_size);
	free(tables);
}

struct rte_rcu_qsbr *tables_qsbr(struct tables *tables)
{
	return tables->qsbr;
}

void tables_sas_attach(
	struct tables *tables, const struct sa_region *region, struct crypto_library *library)
{
	sa_table_attach(&tables->sas, region, library);
	tables->policies.sas = &tables->sas;
}

void tables_sas_allow(struct tables *tables, uint32_t octets)
{
	tables->sas.allowance = octets != 0 ? octets : SA_PROVED;
}

struct sa_owner *tables_sas_own(struct tables *tables, uint32_t workers)
{
	int error = sa_table_own(&tables->sas, workers, tables->qsbr);

	if (!error)
		return tables->sas.owner;
	errno = -error;
	return NULL;
}

uint32_t tables_sas_age(struct tables *tables, monotonic now, const struct sa_ager *ager)
{
	return tables->syncing ? 0 : sa_table_age(&tables->sas, now, &tables->clock, ager);
}

void tables_clock_update(struct tables *tables)
{
	tables->clock = tsc_clock_read();
}

uint64_t tables_waiting(const struct tables *tables)
{
	return retirement_count(&tables->retirement);
}

struct tables_use tables_use(const struct tables *tables)
{
	return (struct tables_use){.bindings = tables->bindings.used,
		.routes = tables->routes.rules.used,
		.neighbors = tables->neighbors.index.used,
		.prefixes = tables->prefixes.rules.used,
		.policies = tables->policies.used,
		.sas = RTE_MAX(tables->sas.used[0], tables->sas.used[1])};
}
