/* The inside of struct tables: shared by tables.c, tables_apply.c and tables_lookup.c alone. */
#ifndef DATAPLANE_TABLE_TABLES_PRIVATE_H
#define DATAPLANE_TABLE_TABLES_PRIVATE_H

#include "dataplane/table/address_map.h"
#include "dataplane/table/binding_table.h"
#include "dataplane/table/policy_table.h"
#include "dataplane/table/prefix_map.h"
#include "dataplane/table/sa_table.h"
#include "dataplane/table/tables.h"
#include "dataplane/table/vicinity.h"
#include "dataplane/tsc_clock.h"

#define TABLES_AGENTS_MAX        1024
#define TABLES_LOCALS_MAX        8192
#define TABLES_HOME_NETWORKS_MAX 1024

struct local_record { /* payload of `locals`: an address may be an agent's and the kernel's at once
		       */
	uint32_t agent; /* slot in agents, 0 none */
	uint32_t kernel_generation;
	uint16_t kernel_port;
	bool kernel;
	uint8_t reserved[5];
};

struct prefix_record {                  /* payload of `prefixes` */
	struct ip_address home_address; /* of the binding when the prefix was set: an id may be
					   given to another node */
	uint32_t binding_id;
};

/* Made anew after each change of `locals`; pointers into its objects. */
struct own_addresses {
	const struct ip_address *agent[TABLES_VRF_MAX][2]; /* [vrf][IPv6] */
	const struct ip_address *kernel[TABLES_VRF_MAX][2];
	const struct ip_address *of_port[REGION_PORTS_MAX][2];
	uint32_t agent_flags;
};

struct tables {
	/* read by workers */
	struct vicinity vicinity; /* first: tables_near */
	struct binding_table bindings;
	struct address_map locals;    /* salt vrf */
	struct address_map neighbors; /* salt port */
	struct prefix_map home_networks, prefixes, routes;
	struct slab agents;
	struct sa_table sas;
	uint32_t change; /* tables_change; never 0 */
	uint32_t ground; /* tables_ground; never 0 */
	struct policy_table policies;
	struct own_addresses own;
	const struct home_network *home_network_of_port[REGION_PORTS_MAX];
	/* main lcore alone */
	struct region_limits limits;
	struct rte_rcu_qsbr *qsbr;
	size_t qsbr_size;
	struct retirement retirement;
	struct tsc_clock clock;
	uint32_t generation;
	bool syncing;
};

_Static_assert(offsetof(struct tables, vicinity) == 0, "tables_near");

/* 0 or the positive errno that refuses the command, from its fields alone. */
int tables_check(const struct region_limits *limits, const struct command *command);

#endif
