/*
 * Runs the cases of tests/walk/cases: frames in, frames out, and exactly these counters.
 *
 * A case is a folder with case.json and pcaps (Ethernet), written by generate.py with Scapy, which
 * knows nothing of this code:
 *
 *   "steps":    in order: {"agent": {...}}, {"local": ...}, {"home_network": ...}, {"binding":
 * ...}, {"prefix": ...}, {"route": ...},
 *               {"neighbor": ...}, {"policy": ...}, {"port": ...}, {"esp_port": n}; {"receive":
 * port, "pcap": file, "times": each frame},
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
#include "tests/walk/world.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <rte_byteorder.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char message[512];

static bool wrong(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return false;
}

struct frame {
	uint32_t length;
	uint8_t octets[65536];
};

/* Classic pcap, either byte order is not needed: Scapy writes the host's. */
static FILE *pcap_open(const char *folder, const char *name)
{
	char path[640];
	uint8_t header[24];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (file != NULL && fread(header, sizeof(header), 1, file) != 1) {
		fclose(file);
		return NULL;
	}
	return file;
}

static bool pcap_read(FILE *file, struct frame *frame)
{
	uint32_t record[4];

	if (fread(record, sizeof(record), 1, file) != 1 || record[2] > sizeof(frame->octets))
		return false;
	frame->length = record[2];
	return fread(frame->octets, 1, frame->length, file) == frame->length;
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t number(const json_t *object, const char *key, json_int_t otherwise)
{
	const json_t *value = json_object_get(object, key);
	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static struct ip_address address_of(const json_t *object, const char *key, const char *otherwise)
{
	struct ip_address a = {.words = {0}};
	const char *value = text(object, key);

	if (value == NULL)
		value = otherwise;
	if (value != NULL && ip_address_parse(value, &a) != 0)
		abort();
	return a;
}

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
	else if (json_object_get(step, "esp_port"))
		set_esp_port(world, step);
	else
		abort();
}

/* What is ours to choose is all ones where any will do: the flow label (TUN-09), a fragment's
 * identification. */
static void take_label(struct frame *expected, const struct world_frame *sent)
{
	static const uint8_t type[2] = {0x86, 0xdd}, any[4] = {0xff, 0xff, 0xff, 0xff};
	uint8_t *ip = expected->octets + 14;

	if (expected->length >= 62 && sent->length >= 62 && memcmp(ip - 2, type, 2) == 0 &&
		ip[6] == IPPROTO_FRAGMENT && memcmp(ip + 44, any, 4) == 0)
		memcpy(ip + 44, sent->octets + 14 + 44, 4);

	if (expected->length < 54 || sent->length < 54 || memcmp(ip - 2, type, 2) != 0 ||
		(ip[1] & 0xf) != 0xf || memcmp(ip + 2, any, 2) != 0)
		return;
	ip[1] = (uint8_t)((ip[1] & 0xf0) | (sent->octets[15] & 0xf));
	memcpy(ip + 2, sent->octets + 16, 2);
}

static bool check_frames(const char *folder, const char *what, const json_t *expected,
	uint16_t port, const struct world_frame *frames, unsigned count)
{
	char key[8];
	const char *name;
	static struct frame frame;
	FILE *file = NULL;
	unsigned i = 0, n = 0;

	snprintf(key, sizeof(key), "%u", port);
	name = text(expected, key);
	if (name != NULL && (file = pcap_open(folder, name)) == NULL)
		return wrong("cannot read %s", name);
	while (file != NULL && pcap_read(file, &frame)) {
		n++;
		while (i < count && frames[i].port != port)
			i++;
		if (i == count) {
			fclose(file);
			return wrong("%s %u: frame %u of %s did not come", what, port, n, name);
		}
		take_label(&frame, &frames[i]);
		if (frames[i].length != frame.length ||
			memcmp(frames[i].octets, frame.octets, frame.length) != 0) {
			uint32_t at = 0;
			while (at < frame.length && at < frames[i].length &&
				frames[i].octets[at] == frame.octets[at])
				at++;
			fclose(file);
			return wrong("%s %u: frame %u differs from %s at octet %u (%u octets, %u "
				     "expected; %02x, %02x)",
				what, port, n, name, at, frames[i].length, frame.length,
				frames[i].octets[at], frame.octets[at]);
		}
		i++;
	}
	if (file != NULL)
		fclose(file);
	for (; i < count; i++)
		if (frames[i].port == port)
			return wrong("%s %u: a frame of %u octets too many", what, port,
				frames[i].length);
	return true;
}

struct named {
	const char *name;
	size_t offset;
};
#define COUNTER(field)                                                                             \
	{                                                                                          \
#field, offsetof(struct worker_counters, field)                                    \
	}
static const struct named named[] = {COUNTER(received_port), COUNTER(received_exception),
	COUNTER(received_inject), COUNTER(created), COUNTER(sent_port), COUNTER(punted_control),
	COUNTER(punted_exception), COUNTER(joined), COUNTER(held_reassembly),
	COUNTER(held_neighbor), COUNTER(icmp_sent), COUNTER(icmp_suppressed),
	COUNTER(keepalives_answered), COUNTER(proxy_arp_sent), COUNTER(fragments_made),
	COUNTER(reassembled), COUNTER(encapsulated), COUNTER(decapsulated), COUNTER(ecn_anomalies),
	COUNTER(esp_encrypted), COUNTER(esp_decrypted), COUNTER(ipsec_outer_mismatch),
	COUNTER(ipsec_ptb_reject), COUNTER(audits_held_back), COUNTER(udp_trailing)};

static bool check_counters(const struct world *world, const json_t *expected)
{
	const json_t *drops = json_object_get(expected, "drops"),
		     *counters = json_object_get(expected, "counters");
	size_t used = 0;

	for (size_t i = 0; i < RTE_DIM(named); i++) {
		uint64_t value =
			*(const uint64_t *)((const char *)&world->counters + named[i].offset);
		json_int_t wanted = number(counters, named[i].name, 0);
		used += json_object_get(counters, named[i].name) != NULL;
		if (value != (uint64_t)wanted)
			return wrong(
				"%s is %lu, not %lld", named[i].name, (unsigned long)value, wanted);
	}
	if (used != json_object_size(counters))
		return wrong("case names a counter that there is not");
	for (unsigned i = 1; i < DROP_REASON_COUNT; i++) {
		json_int_t wanted = number(drops, drop_reason_name(i), 0);
		if (world->counters.drops[i] != (uint64_t)wanted)
			return wrong("drop %s is %lu, not %lld", drop_reason_name(i),
				(unsigned long)world->counters.drops[i], wanted);
	}
	if (world->counters.received_port_bytes != world->received_bytes)
		return wrong("received_port_bytes");
	return true;
}

static bool check_bindings(const struct world *world, const json_t *expected)
{
	for (unsigned i = 0; i < WORLD_BINDINGS; i++) {
		const uint64_t *values = (const uint64_t *)&world->bindings[i];
		char key[8];
		snprintf(key, sizeof(key), "%u", i);
		const json_t *wanted = json_object_get(expected, key);
		for (size_t f = 0; f < 4; f++)
			if (values[f] != (uint64_t)json_integer_value(json_array_get(wanted, f)))
				return wrong("binding %u counter %zu is %lu", i, f,
					(unsigned long)values[f]);
	}
	return true;
}

static bool check_punted(const struct world *world, const json_t *expected)
{
	if (world->punted_count != json_array_size(expected))
		return wrong("%u punted, not %zu", world->punted_count, json_array_size(expected));
	for (unsigned i = 0; i < world->punted_count; i++) {
		const struct punt_record *r = &world->punted[i];
		const json_t *e = json_array_get(expected, i);
		const char *hex = text(e, "hex");
		struct ip_address source = address_of(e, "source", NULL),
				  destination = address_of(e, "destination", NULL);
		if (r->kind != number(e, "kind", 0) || r->flags != number(e, "flags", 0) ||
			r->ttl != number(e, "ttl", 0) || r->port != number(e, "port", 0) ||
			r->layer_count != number(e, "layers", 0))
			return wrong("punted %u: kind %u flags %u ttl %u port %u layers %u", i,
				r->kind, r->flags, r->ttl, r->port, r->layer_count);
		if (!ip_address_equal(&r->source, &source) ||
			!ip_address_equal(&r->destination, &destination) ||
			r->source_port != rte_cpu_to_be_16((uint16_t)number(e, "source_port", 0)))
			return wrong("punted %u: addresses or port", i);
		if (strlen(hex) != r->length * 2u)
			return wrong("punted %u: %u octets", i, r->length);
		for (unsigned o = 0; o < r->length; o++) {
			unsigned value;
			if (sscanf(hex + 2 * (size_t)o, "%2x", &value) != 1 || value != r->data[o])
				return wrong("punted %u: octet %u", i, o);
		}
	}
	return true;
}

/* Of EVENT_SA_REJECTED: the fields that are given. */
static bool check_audit(const struct event *event, const json_t *expected, unsigned i)
{
	const struct event_audit *a = &event->audit;
	const struct {
		const char *name;
		json_int_t value;
	} numbers[] = {{"number", a->number}, {"flow_label", a->flow_label}, {"flags", a->flags},
		{"protocol", a->protocol}, {"source_port", a->source_port},
		{"destination_port", a->destination_port}, {"untold", a->untold}};
	const struct {
		const char *name;
		struct ip_address value;
	} addresses[] = {{"to", event->address2}, {"inner_source", a->source},
		{"inner_destination", a->destination}};

	if (expected == NULL)
		return true;
	if (a->at_ns == 0)
		return wrong("event %u: no time", i);
	for (unsigned k = 0; k < RTE_DIM(numbers); k++)
		if (number(expected, numbers[k].name, numbers[k].value) != numbers[k].value)
			return wrong("event %u: %s is %lld", i, numbers[k].name,
				(long long)numbers[k].value);
	for (unsigned k = 0; k < RTE_DIM(addresses); k++) {
		struct ip_address address = address_of(expected, addresses[k].name, "::");
		if (text(expected, addresses[k].name) != NULL &&
			!ip_address_equal(&addresses[k].value, &address))
			return wrong("event %u: %s", i, addresses[k].name);
	}
	return true;
}

/* The id and value that an event is to have; a reason is named in the case and a number here. */
static void event_wanted(const json_t *e, json_int_t *id, uint64_t *value)
{
	unsigned reason = text(e, "reason") ? drop_reason_by_name(text(e, "reason")) : DROP_NONE;

	*id = number(e, "id", 0);
	*value = (uint64_t)number(e, "value", 0);
	if (number(e, "type", 0) == EVENT_TUNNEL_SPOOFED)
		*id = reason;
	else
		*value |= (uint64_t)reason << 32;
}

static bool check_events(const struct world *world, const json_t *expected)
{
	if (world->event_count != json_array_size(expected))
		return wrong("%u events, not %zu", world->event_count, json_array_size(expected));
	for (unsigned i = 0; i < world->event_count; i++) {
		const json_t *e = json_array_get(expected, i);
		const struct event *event = &world->events[i];
		json_int_t id;
		uint64_t value;
		event_wanted(e, &id, &value);
		if (event->type != number(e, "type", 0) || event->id != id ||
			event->value != value ||
			event->udp_port != rte_cpu_to_be_16((uint16_t)number(e, "udp_port", 0)))
			return wrong("event %u: type %u id %u value %lu port %u", i, event->type,
				event->id, (unsigned long)event->value,
				rte_be_to_cpu_16(event->udp_port));
		struct ip_address address = address_of(e, "address", NULL);
		if (!ip_address_equal(&event->address, &address))
			return wrong("event %u: address", i);
		if (!check_audit(event, json_object_get(e, "audit"), i))
			return false;
	}
	return true;
}

static bool check_value(
	const char *name, size_t id, const json_t *expected, const char *key, uint64_t value)
{
	const json_t *e = json_object_get(expected, key);

	if (e == NULL || (uint64_t)json_integer_value(e) == value)
		return true;
	return wrong("%s SA %zu: %s is %lu, not %lld", name, id, key, (unsigned long)value,
		(long long)json_integer_value(e));
}

/* What is named of the run-time state: {"inbound": {id: {...}}, "outbound": ...}. */
static bool check_sas(const struct world *world, const json_t *expected)
{
	const json_t *e;
	const char *key;

	json_object_foreach(json_object_get(expected, "inbound"), key, e)
	{
		size_t id = strtoul(key, NULL, 10);
		const struct sa_inbound_state *s = &world->sas.inbound[id];
		if (!check_value("inbound", id, e, "highest", s->highest) ||
			!check_value("inbound", id, e, "packets", s->packets) ||
			!check_value("inbound", id, e, "bytes", s->bytes) ||
			!check_value("inbound", id, e, "used", s->last_use_ns != 0) ||
			!check_value("inbound", id, e, "replays", s->replays) ||
			!check_value("inbound", id, e, "replays_late", s->replays_late) ||
			!check_value("inbound", id, e, "bad_icv", s->bad_icv) ||
			!check_value("inbound", id, e, "refused", s->refused))
			return false;
	}
	json_object_foreach(json_object_get(expected, "outbound"), key, e)
	{
		size_t id = strtoul(key, NULL, 10);
		const struct sa_outbound_state *s = &world->sas.outbound[id];
		if (!check_value("outbound", id, e, "sequence", s->sequence) ||
			!check_value("outbound", id, e, "packets", s->packets) ||
			!check_value("outbound", id, e, "bytes", s->bytes) ||
			!check_value("outbound", id, e, "used", s->last_use_ns != 0))
			return false;
	}
	return true;
}

static bool check(const struct world *world, const char *folder, const json_t *c)
{
	for (uint16_t port = 0; port < WORLD_PORTS; port++)
		if (!check_frames(folder, "sent", json_object_get(c, "sent"), port, world->sent,
			    world->sent_count) ||
			!check_frames(folder, "kernel", json_object_get(c, "kernel"), port,
				world->kernel, world->kernel_count))
			return false;
	if (world_balance(world) != 0)
		return wrong("sum is off by %ld", (long)world_balance(world));
	if (world->finished_ipv4 != (uint64_t)number(c, "finished_ipv4", 0) ||
		world->finished_udp != (uint64_t)number(c, "finished_udp", 0))
		return wrong("the device finished %lu IPv4 and %lu UDP checksums",
			(unsigned long)world->finished_ipv4, (unsigned long)world->finished_udp);
	return check_counters(world, c) && check_bindings(world, json_object_get(c, "bindings")) &&
	       check_punted(world, json_object_get(c, "punted")) &&
	       check_events(world, json_object_get(c, "events")) &&
	       check_sas(world, json_object_get(c, "sas"));
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

static bool run_case(const char *folder, bool lanes_off)
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
	json_array_foreach(json_object_get(c, "steps"), i, step) do_step(world, folder, step);
	passed = check(world, folder, c);
	if (!world_free(world) && passed)
		passed = wrong("a packet was lost or leaked at the end");
	json_decref(c);
	return passed;
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* walk [-s] CASES [NAME]: all cases, or one; -s: by the steps alone, without lanes. */
int main(int argc, char **argv)
{
	bool lanes_off = argc > 1 && strcmp(argv[1], "-s") == 0;
	struct dirent **entries;
	int count, failed = 0, ran = 0;

	argv += lanes_off;
	argc -= lanes_off;

	if (argc < 2) {
		fprintf(stderr, "usage: walk [-s] CASES [NAME]\n");
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
		passed = run_case(folder, lanes_off);
		printf("%s %d - %s%s%s\n", passed ? "ok" : "not ok", ++ran, entries[i]->d_name,
			passed ? "" : ": ", passed ? "" : message);
		failed += !passed;
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	printf("1..%d\n", ran);
	return failed > 0 || ran == 0;
}
