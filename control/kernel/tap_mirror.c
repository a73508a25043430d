#include "control/kernel/tap_mirror.h"

#include "control/kernel/netlink.h"
#include "control/kernel/row.h"
#include "lib/base/log.h"
#include "lib/base/map.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define BUFFERS_PER_TURN 32
#define REFRESH_PER_TICK 1024
#define TICK_NS          CLOCK_NS_PER_S
#define REDUMP_DELAY_NS  (CLOCK_NS_PER_S / 20)
#define NEIGHBOR_USABLE                                                                            \
	(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct key {
	struct ip_address address;
	uint16_t type;  /* COMMAND_..._SET */
	uint16_t scope; /* vrf, of a neighbour the port */
	uint8_t length;
	uint8_t zero[3];
};

struct entry {
	struct command command;
	struct key key;
	int ifindex;
	uint32_t metric;
	uint32_t generation;
	uint16_t state;    /* NUD_... of a neighbour */
	bool alternatives; /* other routes to this prefix were seen: look again when this one goes
			    */
};

struct tap {         /* one per configured port */
	int ifindex; /* 0 = not there */
	bool up;
};

struct tap_mirror {
	const struct config *config;
	struct tap_mirror_callbacks callbacks;
	struct netlink *netlink;
	struct tap *taps;
	unsigned tap_count;
	struct map *entries;
	uint32_t generation;
	unsigned dump_step; /* index into dump_types, DUMP_IDLE = none */
	bool dump_wanted;
	monotonic dump_at_ns, refresh_at_ns;
	uint32_t refresh_cursor;
	struct tap_mirror_statistics statistics;
};

static const uint16_t dump_types[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH};
#define DUMP_IDLE (sizeof(dump_types) / sizeof(dump_types[0]))

/* ---- entries ---- */

static struct key key_make(const struct command *c)
{
	struct key key = {.type = c->type};
	if (c->type == COMMAND_LOCAL_SET) {
		key.address = c->local.address;
		key.scope = c->local.vrf;
	} else if (c->type == COMMAND_ROUTE_SET) {
		key.address = c->route.prefix.address;
		key.length = c->route.prefix.length;
		key.scope = c->route.vrf;
	} else {
		key.address = c->neighbor.address;
		key.scope = c->neighbor.port;
	}
	return key;
}

static struct entry *entry_lookup(struct tap_mirror *mirror, const struct command *command)
{
	struct key key = key_make(command);
	return map_get_pointer(mirror->entries, &key);
}

static void entry_remove(struct tap_mirror *mirror, struct entry *entry)
{
	struct command command = entry->command;
	command.type++; // ..._REMOVE
	map_remove(mirror->entries, &entry->key, NULL);
	free(entry);
	mirror->callbacks.remove(mirror->callbacks.context, &command);
}

static struct entry *entry_set(
	struct tap_mirror *mirror, const struct command *command, int ifindex)
{
	static struct log_limit limit = LOG_LIMIT(1, 1);
	struct entry *entry = entry_lookup(mirror, command);
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return NULL;
		entry->key = key_make(command);
		if (map_put_pointer(mirror->entries, &entry->key, entry)) {
			free(entry);
			log_limited(&limit, clock_read().monotonic_ns, LOG_LEVEL_WARNING,
				"kernel_mirror_full", "entries=%u", map_count(mirror->entries));
			return NULL;
		}
	}
	entry->command = *command;
	entry->ifindex = ifindex;
	entry->generation = mirror->generation;
	mirror->callbacks.set(mirror->callbacks.context, command);
	return entry;
}

/* Removes entries of other generations (ifindex < 0), or all of one link. */
static void sweep(struct tap_mirror *mirror, int ifindex)
{
	uint32_t count = 0, cursor = 0, total = map_count(mirror->entries);
	struct entry **stale = calloc(total + 1, sizeof(struct entry *));
	const void *key;
	uint64_t value;
	if (!stale)
		return; // the next dump sweeps
	while (map_next(mirror->entries, &cursor, &key, &value)) {
		struct entry *entry = (struct entry *)(uintptr_t)value;
		if (ifindex < 0 ? entry->generation != mirror->generation
				: entry->ifindex == ifindex)
			stale[count++] = entry;
	}
	for (uint32_t i = 0; i < count; i++)
		entry_remove(mirror, stale[i]);
	free(stale);
}

/* ---- rows ---- */

static int port_of(const struct tap_mirror *mirror, int ifindex)
{
	for (unsigned i = 0; ifindex > 0 && i < mirror->tap_count; i++) {
		if (mirror->taps[i].ifindex == ifindex)
			return (int)i;
	}
	return -1;
}

static void link_row(struct tap_mirror *mirror, const struct nlmsghdr *message)
{
	struct row_link row;
	if (!row_link_parse(&row, message))
		return;
	int known = port_of(mirror, row.ifindex);
	if (message->nlmsg_type == RTM_DELLINK) {
		if (known < 0)
			return;
		mirror->taps[known] = (struct tap){0};
		sweep(mirror, row.ifindex);
		log_notice("tap_gone", "port=%s tap=%s",
			mirror->config->dataplane.ports[known].name, row.name);
		return;
	}
	for (unsigned i = 0; i < mirror->tap_count; i++) {
		const struct config_port *port = &mirror->config->dataplane.ports[i];
		if (!port->tap[0] || strncmp(port->tap, row.name, sizeof(row.name)) != 0)
			continue;
		bool up = (row.flags & IFF_UP) != 0;
		if (mirror->taps[i].ifindex == row.ifindex && mirror->taps[i].up == up)
			return;
		log_info("tap", "port=%s tap=%s ifindex=%d up=%d", port->name, row.name,
			row.ifindex, up);
		mirror->taps[i] = (struct tap){.ifindex = row.ifindex, .up = up};
		// Linux does not tell of each IPv4 route that goes down with its link.
		if (mirror->dump_step != 0)
			mirror->dump_wanted = true;
	}
}

static void address_row(struct tap_mirror *mirror, const struct nlmsghdr *message)
{
	struct row_address row;
	if (!row_address_parse(&row, message))
		return;
	int port = port_of(mirror, row.ifindex);
	if (port < 0)
		return;
	struct command command = {.type = COMMAND_LOCAL_SET};
	command.local.address = row.address;
	command.local.vrf = mirror->config->dataplane.ports[port].vrf;
	command.local.port = (uint16_t)port;
	if (message->nlmsg_type == RTM_NEWADDR) {
		entry_set(mirror, &command, row.ifindex);
		return;
	}
	struct entry *entry = entry_lookup(mirror, &command);
	if (entry && entry->ifindex == row.ifindex)
		entry_remove(mirror, entry);
}

/* False when the route is none of ours. */
static bool route_command(
	const struct tap_mirror *mirror, const struct row_route *row, struct command *command)
{
	if (row->cloned || row->table == RT_TABLE_LOCAL)
		return false;
	// Link-local and multicast prefixes lie on every link: the dataplane leaves them to the
	// kernel.
	if (!ip_address_is_v4(&row->prefix.address) &&
		(row->prefix.address.bytes[0] == 0xff ||
			(row->prefix.address.bytes[0] == 0xfe &&
				row->prefix.address.bytes[1] >= 0x80)))
		return false;
	*command = (struct command){.type = COMMAND_ROUTE_SET};
	command->route.prefix = row->prefix;
	command->route.mtu = row->mtu;
	if (row->type == RTN_UNICAST) {
		int port = port_of(mirror, row->ifindex);
		if (port < 0)
			return false;
		command->route.port = (uint16_t)port;
		command->route.vrf = mirror->config->dataplane.ports[port].vrf;
		command->route.next_hop = row->gateway;
		return command->route.vrf != 0 || row->table == RT_TABLE_MAIN;
	}
	if (row->table != RT_TABLE_MAIN)
		return false;
	command->route.port = PORT_NONE;
	if (row->type == RTN_BLACKHOLE)
		command->route.flags = ROUTE_BLACKHOLE;
	else if (row->type == RTN_UNREACHABLE || row->type == RTN_PROHIBIT)
		command->route.flags = ROUTE_UNREACHABLE;
	return command->route.flags != 0;
}

static bool same_route(const struct entry *entry, const struct command *command, uint32_t metric)
{
	return entry->metric == metric && entry->command.route.port == command->route.port &&
	       ip_address_equal(&entry->command.route.next_hop, &command->route.next_hop);
}

static void route_row(struct tap_mirror *mirror, const struct nlmsghdr *message)
{
	struct row_route row;
	struct command command;
	if (!row_route_parse(&row, message) || !route_command(mirror, &row, &command))
		return;
	struct entry *entry = entry_lookup(mirror, &command);
	if (message->nlmsg_type == RTM_DELROUTE) {
		if (!entry || entry->metric != row.metric)
			return;
		if (entry->alternatives)
			mirror->dump_wanted = true;
		entry_remove(mirror, entry);
		return;
	}
	bool replace = message->nlmsg_flags & NLM_F_REPLACE;
	bool current = entry && entry->generation == mirror->generation;
	if (current && !replace && !same_route(entry, &command, row.metric)) {
		entry->alternatives = true;
		if (row.metric >= entry->metric)
			return;
	}
	bool alternatives = current && entry->alternatives;
	entry = entry_set(mirror, &command, row.ifindex);
	if (entry) {
		entry->metric = row.metric;
		entry->alternatives = alternatives;
	}
}

static void neighbor_row(struct tap_mirror *mirror, const struct nlmsghdr *message)
{
	struct row_neighbor row;
	if (!row_neighbor_parse(&row, message) || row.proxy)
		return;
	int port = port_of(mirror, row.ifindex);
	if (port < 0 || !ip_address_is_unicast(&row.address) || (row.has_mac && row.mac[0] & 1))
		return;
	struct command command = {.type = COMMAND_NEIGHBOR_SET};
	command.neighbor.address = row.address;
	command.neighbor.port = (uint16_t)port;
	memcpy(command.neighbor.mac, row.mac, sizeof(row.mac));
	struct entry *entry = entry_lookup(mirror, &command);
	if (message->nlmsg_type == RTM_NEWNEIGH && row.state & NEIGHBOR_USABLE && row.has_mac) {
		entry = entry_set(mirror, &command, row.ifindex);
		if (entry)
			entry->state = row.state;
		return;
	}
	// While it is resolved anew (INCOMPLETE) the old answer serves; FAILED and deleted end it.
	if (entry && (message->nlmsg_type == RTM_DELNEIGH || row.state & NUD_FAILED))
		entry_remove(mirror, entry);
}

/* ---- dumps ---- */

static void dump_start(struct tap_mirror *mirror)
{
	mirror->dump_wanted = false;
	mirror->generation++;
	mirror->dump_step = 0;
	mirror->statistics.synced = false;
	if (netlink_dump(mirror->netlink, dump_types[0])) {
		mirror->dump_step = DUMP_IDLE;
		mirror->dump_wanted = true;
	}
}

static void on_dumped(void *context, int error)
{
	struct tap_mirror *mirror = context;
	if (mirror->dump_step == DUMP_IDLE)
		return;
	if (!error && ++mirror->dump_step < DUMP_IDLE)
		error = netlink_dump(mirror->netlink, dump_types[mirror->dump_step]);
	if (error) {
		mirror->dump_step = DUMP_IDLE;
		mirror->dump_wanted = true;
		return;
	}
	if (mirror->dump_step == DUMP_IDLE) {
		sweep(mirror, -1);
		mirror->statistics.dumps++;
		mirror->statistics.synced = true;
	}
}

static void on_lost(void *context)
{
	struct tap_mirror *mirror = context;
	mirror->dump_step = DUMP_IDLE;
	mirror->dump_wanted = true;
	mirror->statistics.lost++;
}

static void on_message(void *context, const struct nlmsghdr *message)
{
	struct tap_mirror *mirror = context;
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		link_row(mirror, message);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		address_row(mirror, message);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		route_row(mirror, message);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		neighbor_row(mirror, message);
		break;
	default:
		break;
	}
}

/* ---- public ---- */

int tap_mirror_new(const struct config *config, const struct tap_mirror_callbacks *callbacks,
	struct tap_mirror **out)
{
	struct tap_mirror *mirror = calloc(1, sizeof(*mirror));
	if (!mirror)
		return -ENOMEM;
	mirror->config = config;
	mirror->callbacks = *callbacks;
	mirror->tap_count = config->dataplane.port_count;
	mirror->taps = calloc(mirror->tap_count + 1, sizeof(struct tap));
	mirror->entries = map_new(sizeof(struct key),
		config->dataplane.max_routes + config->dataplane.max_neighbors + 256);
	mirror->dump_step = DUMP_IDLE;
	struct netlink_callbacks netlink = {
		.context = mirror, .message = on_message, .dumped = on_dumped, .lost = on_lost};
	int error = mirror->taps && mirror->entries ? 0 : -ENOMEM;
	if (!error)
		error = netlink_new(&netlink, &mirror->netlink);
	if (error) {
		tap_mirror_free(mirror);
		return error;
	}
	dump_start(mirror);
	*out = mirror;
	return 0;
}

void tap_mirror_free(struct tap_mirror *mirror)
{
	if (!mirror)
		return;
	uint32_t cursor = 0;
	const void *key;
	uint64_t value;
	while (mirror->entries && map_next(mirror->entries, &cursor, &key, &value))
		free((void *)(uintptr_t)value);
	map_free(mirror->entries);
	netlink_free(mirror->netlink);
	free(mirror->taps);
	free(mirror);
}

void tap_mirror_configure(struct tap_mirror *mirror, const struct config *config)
{
	uint32_t cursor = 0;
	const void *key;
	uint64_t value;
	mirror->config = config;
	while (map_next(mirror->entries, &cursor, &key, &value)) {
		struct entry *entry = (struct entry *)(uintptr_t)value;
		mirror->callbacks.set(mirror->callbacks.context, &entry->command);
	}
}

int tap_mirror_fd(const struct tap_mirror *mirror)
{
	return netlink_fd(mirror->netlink);
}

void tap_mirror_readable(struct tap_mirror *mirror)
{
	netlink_receive(mirror->netlink, BUFFERS_PER_TURN);
}

/* The kernel does not see the dataplane's traffic, so it would never confirm a stale neighbour by
 * itself. */
static void refresh(struct tap_mirror *mirror)
{
	const void *key;
	uint64_t value;
	for (unsigned i = 0; i < REFRESH_PER_TICK; i++) {
		if (!map_next(mirror->entries, &mirror->refresh_cursor, &key, &value)) {
			mirror->refresh_cursor = 0;
			break;
		}
		struct entry *entry = (struct entry *)(uintptr_t)value;
		if (entry->command.type != COMMAND_NEIGHBOR_SET || entry->state != NUD_STALE)
			continue;
		entry->state = NUD_DELAY;
		netlink_neighbor_use(
			mirror->netlink, entry->ifindex, &entry->command.neighbor.address);
	}
}

monotonic tap_mirror_tick(struct tap_mirror *mirror, monotonic now)
{
	if (mirror->dump_wanted && mirror->dump_step == DUMP_IDLE && now >= mirror->dump_at_ns) {
		mirror->dump_at_ns = now + REDUMP_DELAY_NS;
		dump_start(mirror);
	}
	if (now >= mirror->refresh_at_ns) {
		mirror->refresh_at_ns = now + TICK_NS;
		refresh(mirror);
	}
	if (mirror->dump_wanted && mirror->dump_at_ns < mirror->refresh_at_ns)
		return mirror->dump_step == DUMP_IDLE ? mirror->dump_at_ns : mirror->refresh_at_ns;
	return mirror->refresh_at_ns;
}

void tap_mirror_resolve(struct tap_mirror *mirror, uint16_t port, const struct ip_address *address)
{
	if (port >= mirror->tap_count || !mirror->taps[port].ifindex ||
		!ip_address_is_unicast(address))
		return;
	struct command command = {.type = COMMAND_NEIGHBOR_SET};
	command.neighbor.address = *address;
	command.neighbor.port = port;
	struct entry *entry = entry_lookup(mirror, &command);
	mirror->statistics.asked++;
	if (entry) {
		mirror->callbacks.set(mirror->callbacks.context, &entry->command);
		return;
	}
	netlink_neighbor_use(mirror->netlink, mirror->taps[port].ifindex, address);
}

bool tap_mirror_neighbor_set(struct tap_mirror *mirror, uint16_t port,
	const struct ip_address *address, const uint8_t *mac)
{
	if (port >= mirror->tap_count || !mirror->taps[port].ifindex)
		return false;
	netlink_neighbor_set(mirror->netlink, mirror->taps[port].ifindex, address, mac);
	return true;
}

struct tap_mirror_statistics tap_mirror_statistics_get(const struct tap_mirror *mirror)
{
	struct tap_mirror_statistics statistics = mirror->statistics;
	statistics.entries = map_count(mirror->entries);
	statistics.synced = statistics.synced && mirror->dump_step == DUMP_IDLE;
	return statistics;
}
