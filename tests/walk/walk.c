/*
 * Runs the cases of tests/walk/cases: frames in, frames out, and exactly these counters.
 *
 * A case is a folder with case.json and pcaps (Ethernet), written by generate.py with Scapy, which
 * knows nothing of this code:
 *
 *   "steps":    in order: {"agent": {...}}, {"local": ...}, {"home_network": ...}, {"binding":
 * ...}, {"prefix": ...}, {"route": ...},
 *               {"neighbor": ...}, {"policy": ...}, {"port": ...}, {"esp_port": n}, {"unmatched":
 * n}; {"receive": port, "pcap": file, "times": each frame},
 * {"burst": port,
 * ...}: at once, {"kernel": port, "pcap": file}, {"inject": kind,
 *               {"advance_ms": n}, and any setup command
 * a dummy packet through SA n: {"inject": 4, "sa": n, ...}
 *   "sent", "kernel": {port: file}; a port that is not named must stay silent
 *   "finished_ipv4", "finished_udp": checksums that the device was to finish
 *   "punted":   [{"kind": n, "hex": data, ...}]
 *   "events":   [{"type": n, "reason": drop reason's name, "value": the rest, ...}]
 *   "sas": what must stand in the run-time state of security associations; {"sa": ...} makes one
 *   "counters": every counter that moved, but for octets (checked against the pcaps); "drops":
 * {reason: n} "bindings": {id: [forward packets, forward octets, reverse packets, reverse octets]}
 */
#include "tests/walk/walk_case.h"

#include <dirent.h>
#include <errno.h>
#include <rte_byteorder.h>
#include <stdio.h>
#include <stdlib.h>

static void set_binding(struct world *world, const json_t *o)
{
	json_int_t expires_ms = number(o, "expires_ms", -1);
	struct command c = {.type = COMMAND_BINDING_SET,
		.binding = {.home_address = address_of(o, "home", "10.1.0.10"),
			.care_of_address = address_of(o, "care_of", "198.51.100.23"),
			.care_of_field = address_of(o, "care_of_field", text(o, "care_of")),
			.agent_address = address_of(o, "agent", "192.0.2.1"),
			.expires_ns = expires_ms < 0 ? CLOCK_NEVER
						     : world->worker.now_ns +
							       (uint64_t)expires_ms * 1000000,
			.binding_id = (uint32_t)number(o, "id", 0),
			.flags = (uint32_t)number(o, "flags", 0),
			.sa_id = (uint32_t)number(o, "sa", 0),
			.home_port = (uint16_t)number(o, "home_port", 1),
			.care_of_port = rte_cpu_to_be_16((uint16_t)number(o, "care_of_port", 0)),
			.agent_port = rte_cpu_to_be_16((uint16_t)number(o, "agent_port", 0)),
			.path_mtu = (uint16_t)number(o, "path_mtu", 0),
			.encapsulation = (uint8_t)number(o, "encapsulation", 4)}};
	if (world_apply(world, &c) != 0)
		abort();
}

static void set_agent(struct world *world, const json_t *o)
{
	struct command c = {.type = COMMAND_AGENT_SET,
		.agent = {.address = address_of(o, "address", "192.0.2.1"),
			.flags = (uint32_t)number(o, "flags", 0),
			.old_care_of_grace_ns = (uint64_t)number(o, "grace_ms", 0) * 1000000,
			.tunnel_ttl = (uint8_t)number(o, "ttl", 64),
			.dscp = (uint8_t)number(o, "dscp", DSCP_COPY)}};
	if (world_apply(world, &c) != 0)
		abort();
}

static void set_home_network(struct world *world, const json_t *o)
{
	struct command c = {.type = COMMAND_HOME_NETWORK_SET,
		.home_network = {.port = (uint16_t)number(o, "port", PORT_NONE),
			.flags = (uint32_t)number(o, "flags", 0),
			.broadcast_ports = {(uint16_t)number(o, "broadcast_port", 0)},
			.broadcast_rate = (uint32_t)number(o, "broadcast_rate", 0)}};
	if (c.home_network.port == PORT_NONE)
		c.home_network.flags |= HOME_NETWORK_VIRTUAL;
	if (ip_prefix_parse(text(o, "prefix"), &c.home_network.prefix) != 0 ||
		world_apply(world, &c) != 0)
		abort();
}

static void set_prefix(struct world *world, const json_t *o)
{
	struct command c = {
		.type = COMMAND_PREFIX_SET, .prefix = {.binding_id = (uint32_t)number(o, "id", 0)}};
	if (ip_prefix_parse(text(o, "prefix"), &c.prefix.prefix) != 0 ||
		world_apply(world, &c) != 0)
		abort();
}

static void set_route(struct world *world, const json_t *o)
{
	struct command c = {.type = COMMAND_ROUTE_SET,
		.route = {.port = (uint16_t)number(o, "port", 0),
			.mtu = (uint16_t)number(o, "mtu", 0),
			.flags = (uint32_t)number(o, "flags", 0),
			.next_hop = address_of(o, "via", NULL)}};
	if (ip_prefix_parse(text(o, "prefix"), &c.route.prefix) != 0 || world_apply(world, &c) != 0)
		abort();
}

static void feed(struct world *world, const char *folder, const json_t *step, const char *how)
{
	FILE *file = pcap_open(folder, text(step, "pcap"));
	uint16_t port = (uint16_t)number(step, how, 0);
	static struct frame frame;

	if (file == NULL)
		abort();
	while (pcap_read(file, &frame)) {
		if (strcmp(how, "receive") == 0)
			for (json_int_t i = 0; i < number(step, "times", 1); i++)
				world_receive(world, port, frame.octets, frame.length);
		else if (strcmp(how, "kernel") == 0)
			world_kernel(world, port, frame.octets, frame.length);
		else if (number(step, "sa", 0)) {
			world->inject_sa_id = (uint32_t)number(step, "sa", 0);
			world_inject(world, (uint16_t)number(step, "inject", 0), 0, 0, NULL,
				frame.octets + 14, frame.length - 14);
		} else /* the pcap's frame: its Ethernet header names the MAC, the rest is the
			datagram */
			world_inject(world, (uint16_t)number(step, "inject", 0),
				(uint16_t)number(step, "flags", 0),
				(uint16_t)number(step, "port", 0), frame.octets,
				number(step, "inject", 0) == INJECT_FRAME ? frame.octets
									  : frame.octets + 14,
				number(step, "inject", 0) == INJECT_FRAME ? frame.length
									  : frame.length - 14);
	}
	fclose(file);
}

/* All frames of the pcap at once. */
static void feed_burst(struct world *world, const char *folder, const json_t *step)
{
	FILE *file = pcap_open(folder, text(step, "pcap"));
	struct world_frame frames[BURST_SIZE];
	static struct frame frame;
	unsigned count = 0;

	if (file == NULL)
		abort();
	for (; pcap_read(file, &frame); count++) {
		if (count == BURST_SIZE)
			abort();
		frames[count] = (struct world_frame){
			.length = frame.length, .octets = malloc(frame.length)};
		memcpy(frames[count].octets, frame.octets, frame.length);
	}
	world_receive_burst(world, (uint16_t)number(step, "burst", 0), frames, count);
	for (unsigned i = 0; i < count; i++)
		free(frames[i].octets);
	fclose(file);
}

/* Beside 4500, for this world alone. */
static void set_esp_port(struct world *world, const json_t *step)
{
	world->settings.esp_ports[1] = (uint16_t)number(step, "esp_port", 0);
}

static void set_unmatched(struct world *world, const json_t *step)
{
	world->settings.unmatched = (enum config_unmatched)number(step, "unmatched", 0);
}

static void set_port(struct world *world, const json_t *o)
{
	struct port *port = &world->ports[number(o, "index", 0)];
	port->mtu = (uint16_t)number(o, "mtu", port->mtu);
	port->up = number(o, "up", 1) != 0;
	port->has_exception = number(o, "tap", 1) != 0;
	port->checksum_check = number(o, "checksum_check", 1) != 0;
	port->tx_ipv4_checksum = number(o, "tx_ipv4", 0) != 0;
	port->tx_udp_checksum = number(o, "tx_udp", 0) != 0;
	if (number(o, "rx_good", 0))
		world->rx_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	if (number(o, "rx_bad", 0))
		world->rx_flags = RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD;
}
/* An address range from a prefix, for one side of a selector. */
static void set_range(const char *text, struct ip_address *first, struct ip_address *last)
{
	struct ip_prefix prefix;

	if (ip_prefix_parse(text, &prefix) != 0)
		abort();
	*first = *last = prefix.address;
	for (unsigned bit = prefix.length; bit < 128; bit++)
		last->bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

/* Set and committed at once. */
static void set_policy(struct world *world, const json_t *o)
{
	struct command c = {.type = COMMAND_POLICY_SET,
		.policy = {.policy_id = (uint32_t)number(o, "id", 0),
			.order = (uint32_t)number(o, "order", number(o, "id", 0)),
			.sa_id = (uint32_t)number(o, "sa", SA_NONE),
			.flags = (uint32_t)number(o, "flags", 0),
			.direction = (uint8_t)number(o, "direction", SA_OUTBOUND),
			.action = (uint8_t)number(o, "action", POLICY_DISCARD),
			.selector = {.protocol = (uint8_t)number(o, "protocol", 0),
				.local_port_first = (uint16_t)number(o, "local_port", 0),
				.local_port_last = (uint16_t)number(o, "local_port", 65535),
				.remote_port_first = (uint16_t)number(o, "remote_port", 0),
				.remote_port_last = (uint16_t)number(o, "remote_port", 65535)}}};

	set_range(text(o, "local"), &c.policy.selector.local_first, &c.policy.selector.local_last);
	set_range(
		text(o, "remote"), &c.policy.selector.remote_first, &c.policy.selector.remote_last);
	if (world_apply(world, &c) != 0)
		abort();
	c = (struct command){.type = COMMAND_POLICY_COMMIT};
	if (world_apply(world, &c) != 0)
		abort();
}

static uint8_t unhex(const json_t *o, const char *key, uint8_t *out, size_t room)
{
	const char *hex = text(o, key);
	size_t length = 0;

	for (; hex != NULL && hex[0] != '\0'; hex += 2, length++) {
		unsigned value;
		if (length == room || sscanf(hex, "%2x", &value) != 1)
			abort();
		out[length] = (uint8_t)value;
	}
	return (uint8_t)length;
}

static void sa_selectors(
	struct world *world, const json_t *selectors, uint8_t direction, uint32_t id)
{
	const json_t *s;
	size_t i;

	json_array_foreach(selectors, i, s)
	{
		struct command c = {.type = COMMAND_SA_SELECTOR,
			.sa_selector = {.sa_id = id,
				.direction = direction,
				.selector = {.protocol = (uint8_t)number(s, "protocol", 0),
					.local_port_first = (uint16_t)number(s, "local_port", 0),
					.local_port_last = (uint16_t)number(s, "local_port", 65535),
					.remote_port_first = (uint16_t)number(s, "remote_port", 0),
					.remote_port_last =
						(uint16_t)number(s, "remote_port", 65535)}}};
		struct selector *selector = &c.sa_selector.selector;
		set_range(text(s, "local"), &selector->local_first, &selector->local_last);
		set_range(text(s, "remote"), &selector->remote_first, &selector->remote_last);
		if (world_apply(world, &c) != 0)
			abort();
	}
}

/* Key, limits and selectors are staged when they are given; "remove" takes it away again. */
static void set_sa(struct world *world, const json_t *o)
{
	uint8_t direction = (uint8_t)number(o, "direction", SA_INBOUND);
	uint32_t id = (uint32_t)number(o, "id", 0);
	struct command key = {
		.type = COMMAND_SA_KEY, .sa_key = {.sa_id = id, .direction = direction}};
	struct command limits = {.type = COMMAND_SA_LIMITS,
		.sa_limits = {.sa_id = id,
			.direction = direction,
			.soft_packets = (uint64_t)number(o, "soft_packets", 0),
			.hard_packets = (uint64_t)number(o, "hard_packets", 0),
			.soft_bytes = (uint64_t)number(o, "soft_bytes", 0),
			.hard_bytes = (uint64_t)number(o, "hard_bytes", 0),
			.soft_ns = CLOCK_NEVER,
			.hard_ns = CLOCK_NEVER}};
	struct command set = {
		.type = (uint16_t)(number(o, "remove", 0) ? COMMAND_SA_REMOVE : COMMAND_SA_SET),
		.sa = {.sa_id = id,
			.direction = direction,
			.local = address_of(o, "local", "192.0.2.1"),
			.remote = address_of(o, "remote", "198.51.100.2"),
			.spi = rte_cpu_to_be_32((uint32_t)number(o, "spi", 0)),
			.flags = (uint32_t)number(o, "flags", 0),
			.pair_id = (uint32_t)number(o, "pair", SA_NONE),
			.local_port = rte_cpu_to_be_16((uint16_t)number(o, "local_port", 0)),
			.remote_port = rte_cpu_to_be_16((uint16_t)number(o, "remote_port", 0)),
			.encryption = (uint16_t)number(o, "encryption", SA_ENCRYPTION_AES_GCM_16),
			.integrity = (uint16_t)number(o, "integrity", 0),
			.replay_window = (uint16_t)number(o, "window", 64),
			.path_mtu = (uint16_t)number(o, "path_mtu", 0),
			.tfc = (uint16_t)number(o, "tfc", 0),
			.vrf = (uint16_t)number(o, "vrf", 0),
			.tunnel_ttl = 64,
			.dscp = (uint8_t)number(o, "dscp", DSCP_COPY)}};

	key.sa_key.encryption_length =
		unhex(o, "key", key.sa_key.encryption_key, sizeof(key.sa_key.encryption_key));
	key.sa_key.integrity_length = unhex(
		o, "integrity_key", key.sa_key.integrity_key, sizeof(key.sa_key.integrity_key));
	if (number(o, "hard_ms", 0))
		limits.sa_limits.hard_ns =
			world->worker.now_ns + (uint64_t)number(o, "hard_ms", 0) * 1000000;
	if (number(o, "soft_ms", 0))
		limits.sa_limits.soft_ns =
			world->worker.now_ns + (uint64_t)number(o, "soft_ms", 0) * 1000000;
	if ((text(o, "key") != NULL && world_apply(world, &key) != 0) ||
		(number(o, "limits", 0) && world_apply(world, &limits) != 0))
		abort();
	sa_selectors(world, json_object_get(o, "selectors"), direction, id);
	if (json_object_get(o, "sequence")) /* SA_RESUME goes on from there */
		world->sas.outbound[id].sequence = (uint64_t)number(o, "sequence", 0);
	if (json_object_get(o, "highest"))
		world->sas.inbound[id].highest = (uint64_t)number(o, "highest", 0);
	if (world_apply(world, &set) != number(o, "error", 0))
		abort();
}

static void do_step(struct world *world, const char *folder, const json_t *step)
{
	const json_t *o;

	if (json_object_get(step, "receive"))
		feed(world, folder, step, "receive");
	else if (json_object_get(step, "burst"))
		feed_burst(world, folder, step);
	else if (json_object_get(step, "kernel"))
		feed(world, folder, step, "kernel");
	else if (json_object_get(step, "inject"))
		feed(world, folder, step, "inject");
	else if (json_object_get(step, "advance_ms"))
		world_advance(world, (uint64_t)number(step, "advance_ms", 0));
	else if ((o = json_object_get(step, "agent")))
		set_agent(world, o);
	else if ((o = json_object_get(step, "local")))
		world_local(world, text(o, "address"), (uint16_t)number(o, "port", 0));
	else if ((o = json_object_get(step, "home_network")))
		set_home_network(world, o);
	else if ((o = json_object_get(step, "binding")))
		set_binding(world, o);
	else if ((o = json_object_get(step, "prefix")))
		set_prefix(world, o);
	else if ((o = json_object_get(step, "route")))
		set_route(world, o);
	else if ((o = json_object_get(step, "neighbor")))
		world_neighbor(world, text(o, "address"), (uint16_t)number(o, "port", 0),
			(uint8_t)number(o, "mac", 0));
	else if ((o = json_object_get(step, "policy")))
		set_policy(world, o);
	else if ((o = json_object_get(step, "sa")))
		set_sa(world, o);
	else if ((o = json_object_get(step, "port")))
		set_port(world, o);
	else if (json_object_get(step, "esp_nesting_max"))
		world->settings.esp_nesting_max = (uint32_t)number(step, "esp_nesting_max", 0);
	else if (json_object_get(step, "move_allowance"))
		tables_sas_allow(world->tables, (uint32_t)number(step, "move_allowance", 0));
	else if (json_object_get(step, "esp_port"))
		set_esp_port(world, step);
	else if (json_object_get(step, "unmatched"))
		set_unmatched(world, step);
	else
		abort();
}

/* Reasons are told by name, so that a new one changes no case; a name must be one. */
static bool reasons_known(const json_t *c)
{
	const json_t *event, *count;
	const char *name;
	size_t i;

	json_object_foreach((json_t *)json_object_get(c, "drops"), name, count)
	{
		if (drop_reason_by_name(name) == DROP_NONE)
			return wrong("there is no drop reason %s", name);
	}
	json_array_foreach(json_object_get(c, "events"), i, event)
	{
		name = text(event, "reason");
		if (name != NULL && drop_reason_by_name(name) == DROP_NONE)
			return wrong("there is no drop reason %s", name);
	}
	return true;
}

static bool run_case(const char *folder, bool lanes_off, bool traced)
{
	char path[640];
	json_error_t error;
	json_t *c, *step;
	size_t i;
	struct world *world;
	bool passed;

	snprintf(path, sizeof(path), "%s/case.json", folder);
	c = json_load_file(path, 0, &error);
	if (c == NULL)
		return wrong("%s:%d: %s", path, error.line, error.text);
	if (!reasons_known(c)) {
		json_decref(c);
		return false;
	}
	world = world_new();
	world->worker.lanes_off = lanes_off;
	atomic_store(&world->drop_switch, traced ? DROP_TRACE_ON : 0);
	json_array_foreach(json_object_get(c, "steps"), i, step) do_step(world, folder, step);
	passed = walk_check(world, folder, c, traced);
	if (!world_free(world) && passed)
		passed = wrong("a packet was lost or leaked at the end");
	json_decref(c);
	return passed;
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/*
 * walk [-s | -t] CASES [NAME]: all cases, or one; -s: by the steps alone, without lanes; -t: with
 * the drop trace on, what it kept checked.
 */
int main(int argc, char **argv)
{
	bool lanes_off = argc > 1 && strcmp(argv[1], "-s") == 0,
	     traced = argc > 1 && strcmp(argv[1], "-t") == 0;
	struct dirent **entries;
	int count, failed = 0, ran = 0;

	argv += lanes_off || traced;
	argc -= lanes_off || traced;

	if (argc < 2) {
		fprintf(stderr, "usage: walk [-s | -t] CASES [NAME]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	count = scandir(argv[1], &entries, is_case, alphasort);
	if (count <= 0) {
		fprintf(stderr, "walk: no cases in %s\n", argv[1]);
		return 1;
	}
	for (int i = 0; i < count; i++) {
		char folder[512];
		bool passed;
		if (argc > 2 && strcmp(entries[i]->d_name, argv[2]) != 0)
			continue;
		snprintf(folder, sizeof(folder), "%s/%s", argv[1], entries[i]->d_name);
		passed = run_case(folder, lanes_off, traced);
		printf("%s %d - %s%s%s\n", passed ? "ok" : "not ok", ++ran, entries[i]->d_name,
			passed ? "" : ": ", passed ? "" : wrong_text());
		failed += !passed;
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	printf("1..%d\n", ran);
	return failed > 0 || ran == 0;
}
