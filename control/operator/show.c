#include "config/fingerprint.h"
#include "control/operator/counters.h"

#include <stdio.h>
#include <stdlib.h>

#define LIST_SHOWN_MAX 1000u /* longer lists are left out of "show config" */

void show_status(struct operator_server *server, const struct request *request, struct writer *out)
{
	struct provider_status status = {0};
	const struct config *config = server->provider->config(server->provider->context);
	char hex[24];

	server->provider->status(server->provider->context, &status);
	answer_begin(out, request);
	writer_object_begin(out, "data");
	writer_text(out, "configuration", config->file);
	writer_boolean(out, "attached", status.attached);
	writer_boolean(out, "synchronised", status.synchronised);
	writer_boolean(out, "draining", status.draining);
	writer_unsigned(out, "uptime_s", status.uptime_ms / 1000);
	snprintf(hex, sizeof(hex), "0x%016llx", (unsigned long long)status.dataplane_epoch);
	writer_text(out, "dataplane_epoch", hex);
	writer_unsigned(out, "session", status.session);
	writer_unsigned(out, "dataplane_heartbeat", status.dataplane_heartbeat);
	writer_unsigned(out, "commands_sent", status.commands_sent);
	writer_unsigned(out, "commands_applied", status.commands_applied);
	writer_unsigned(out, "events_lost", status.events_lost);
	writer_unsigned(out, "pending_replies", status.pending_replies);
	writer_unsigned(out, "bindings", status.bindings);
	writer_unsigned(out, "bindings_max", status.bindings_max);
	writer_unsigned(out, "nodes", status.nodes);
	writer_unsigned(out, "routes", status.routes_used);
	writer_unsigned(out, "routes_max", status.routes_max);
	writer_unsigned(out, "neighbors", status.neighbors_used);
	writer_unsigned(out, "neighbors_max", status.neighbors_max);
	writer_unsigned(out, "networks", status.prefixes_used);
	writer_unsigned(out, "networks_max", status.prefixes_max);
	writer_unsigned(out, "buffers", status.buffers_used);
	writer_unsigned(out, "buffers_max", status.buffers_max);
	writer_text(out, "crypto", status.crypto);
	writer_unsigned(out, "loop_turns", status.loop_turns);
	writer_unsigned(out, "loop_turn_us_max", status.loop_turn_ns_max / 1000);
	writer_object_end(out);
	answer_end(out);
}

void show_drops(struct operator_server *server, const struct request *request, struct writer *out)
{
	struct worker_counters sum = counters_sum(server->provider);
	const struct worker_counters *base =
		counters_baseline(server, request_argument(request, "raw")->given);
	bool all = request_argument(request, "all")->given;
	uint64_t total = 0;

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned reason = 1; reason < DROP_REASON_COUNT; reason++) {
		uint64_t packets =
			counters_since(sum.drops[reason], base ? base->drops[reason] : 0);
		total += packets;
		if (!packets && !all)
			continue;
		writer_object_begin(out, NULL);
		writer_text(out, "reason", drop_reason_name(reason));
		writer_text(out, "step", drop_reason_step(reason));
		writer_unsigned(out, "packets", packets);
		writer_text(out, "help", drop_reason_text(reason));
		writer_object_end(out);
	}
	writer_array_end(out);
	writer_unsigned(out, "total", total);
	answer_page_end(out, 0, false);
}

void show_workers(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	unsigned count = 0;
	const struct worker_counters *workers =
		provider->workers ? provider->workers(provider->context, &count) : NULL;

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned i = 0; workers && i < count; i++) {
		struct worker_counters now = workers[i];
		uint64_t cycles = now.busy_tsc + now.idle_tsc;
		writer_object_begin(out, NULL);
		writer_unsigned(out, "worker", i);
		for (size_t k = 0; k < COUNTERS_FIELDS; k++)
			writer_unsigned(out, counters_fields[k].name,
				counters_value(&now, &counters_fields[k]));
		writer_unsigned(out, "dropped", counters_dropped(&now));
		for (size_t k = 0; k < COUNTERS_GAUGES; k++)
			writer_unsigned(out, counters_gauges[k].name,
				counters_value(&now, &counters_gauges[k]));
		for (size_t k = 0; k < COUNTERS_ACTIVITY; k++)
			writer_unsigned(out, counters_activity[k].name,
				counters_value(&now, &counters_activity[k]));
		writer_unsigned(out, "busy_permille",
			cycles ? (uint64_t)(1000.0 * (double)now.busy_tsc / (double)cycles) : 0);
		writer_object_end(out);
	}
	writer_array_end(out);
	answer_page_end(out, 0, false);
}

static void write_port(
	struct writer *out, const struct config_port *port, const struct port_counters *counters)
{
	char mac[18];
	char name[sizeof(counters->name) + 1] = "";

	if (counters)
		memcpy(name, counters->name, sizeof(counters->name)); /* the peer need not end it */
	writer_text(out, "port", port ? port->name : name);
	writer_text(out, "device", port ? port->device : NULL);
	writer_text(out, "zone",
		!port                         ? NULL
		: port->zone == ZONE_EXTERNAL ? "external"
					      : "internal");
	writer_text(out, "tap", port && port->tap[0] ? port->tap : NULL);
	writer_unsigned(out, "vrf", port ? port->vrf : 0);
	writer_boolean(out, "attached", counters != NULL);
	if (!counters)
		return;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", counters->mac[0],
		counters->mac[1], counters->mac[2], counters->mac[3], counters->mac[4],
		counters->mac[5]);
	writer_text(out, "mac", mac);
	writer_unsigned(out, "mtu", counters->mtu);
	writer_boolean(out, "link_up", counters->link_up);
	writer_unsigned(out, "speed_mbps", counters->speed_mbps);
	writer_unsigned(out, "rx_packets", counters->rx_packets);
	writer_unsigned(out, "tx_packets", counters->tx_packets);
	writer_unsigned(out, "rx_bytes", counters->rx_bytes);
	writer_unsigned(out, "tx_bytes", counters->tx_bytes);
	writer_unsigned(out, "rx_missed", counters->rx_missed);
	writer_unsigned(out, "rx_errors", counters->rx_errors);
	writer_unsigned(out, "tx_errors", counters->tx_errors);
	writer_unsigned(out, "rx_no_buffer", counters->rx_no_buffer);
	writer_unsigned(out, "exception_lost", counters->exception_lost);
	writer_unsigned(out, "exception_refused", counters->exception_refused);
}

void show_ports(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	const struct config *config = provider->config(provider->context);
	unsigned count = 0;
	const struct port_counters *ports =
		provider->ports ? provider->ports(provider->context, &count) : NULL;

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned i = 0; i < config->dataplane.port_count || (ports && i < count); i++) {
		writer_object_begin(out, NULL);
		write_port(out,
			i < config->dataplane.port_count ? &config->dataplane.ports[i] : NULL,
			ports && i < count ? &ports[i] : NULL);
		writer_object_end(out);
	}
	writer_array_end(out);
	answer_page_end(out, 0, false);
}

/* Long lists would take longer than a turn may: they are told by their length. */
static void leave_out(struct writer *out, const char *name, unsigned *count)
{
	if (*count <= LIST_SHOWN_MAX)
		return;
	writer_unsigned(out, name, *count);
	*count = 0;
}

void show_config(struct operator_server *server, const struct request *request, struct writer *out)
{
	struct config shown = *server->provider->config(server->provider->context);
	size_t start = out->used, size = 0;
	char *text = NULL;
	FILE *file = open_memstream(&text, &size);

	if (!file) {
		answer_error(out, start, "failed", "out of memory");
		return;
	}
	answer_begin(out, request);
	writer_object_begin(out, "data");
	writer_text(out, "file", shown.file);
	writer_object_begin(out, "left_out");
	leave_out(out, "mobile_nodes", &shown.mobile_node_count);
	leave_out(out, "foreign_agents", &shown.foreign_agent_count);
	leave_out(out, "bindings", &shown.binding_count);
	leave_out(out, "routes", &shown.route_count);
	leave_out(out, "neighbors", &shown.neighbor_count);
	leave_out(out, "locals", &shown.local_count);
	writer_object_end(out);
	config_print(&shown, file, false); // HA4-AUTH-24: never with keys
	fclose(file);
	writer_text(out, "text", text);
	free(text);
	writer_object_end(out);
	answer_end(out);
}

void show_violations(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	struct provider_violation violation;
	uint64_t cursor = request->cursor;
	unsigned rows = 0;
	bool more = false;
	char hex[24];

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	while (rows < request->limit && cursor < UINT32_MAX &&
		(more = provider->violation &&
			provider->violation(provider->context, (unsigned)cursor, &violation))) {
		writer_object_begin(out, NULL);
		writer_address(out, "source", &violation.source);
		writer_text(out, "reason", violation.reason);
		writer_unsigned(out, "count", violation.count);
		writer_address(out, "home_address", &violation.home_address);
		writer_text(out, "nai", violation.nai && violation.nai[0] ? violation.nai : NULL);
		snprintf(hex, sizeof(hex), "0x%x", violation.spi);
		writer_text(out, "spi", hex);
		snprintf(hex, sizeof(hex), "0x%016llx",
			(unsigned long long)violation.identification);
		writer_text(out, "identification", hex);
		writer_text(out, "instance", answer_instance_name(server, violation.instance));
		writer_unsigned(out, "last_unix_s", violation.last_wall_ns / CLOCK_NS_PER_S);
		writer_object_end(out);
		rows++;
		cursor++;
	}
	writer_array_end(out);
	answer_page_end(out, cursor, more);
}

static void write_context(struct writer *out, const struct config_security *security)
{
	static const char *const algorithms[] = {
		"hmac-md5", "keyed-md5", "hmac-sha1", "hmac-sha256"};
	char text[24];

	writer_object_begin(out, NULL);
	snprintf(text, sizeof(text), "0x%x", security->spi);
	writer_text(out, "spi", text);
	writer_text(out, "algorithm", algorithms[security->algorithm]);
	writer_text(out, "replay", security->replay == REPLAY_NONCE ? "nonce" : "timestamp");
	writer_unsigned(out, "tolerance_s", security->tolerance_s);
	writer_unsigned(out, "key_bits", security->key.length * UINT64_C(8));
	config_fingerprint(&security->key, text);
	writer_text(out, "fingerprint", text);
	writer_object_end(out);
}

static void write_node(
	struct operator_server *server, struct writer *out, const struct config_mobile_node *node)
{
	char text[IP_PREFIX_TEXT_SIZE];

	writer_object_begin(out, NULL);
	writer_text(out, "nai", node->nai[0] ? node->nai : NULL);
	writer_text(out, "home_address",
		node->home_address.length == 128
			? ip_address_format(&node->home_address.address, text)
		: node->home_address.length ? ip_prefix_format(&node->home_address, text)
					    : NULL);
	writer_text(out, "instance", answer_instance_name(server, node->instance));
	writer_array_begin(out, "security");
	for (unsigned i = 0; i < node->security_count; i++)
		write_context(out, &node->security[i]);
	writer_array_end(out);
	writer_array_begin(out, "home_addresses");
	for (unsigned i = 0; i < node->home_address_count; i++)
		writer_address(out, NULL, &node->home_addresses[i]);
	writer_array_end(out);
	writer_array_begin(out, "networks");
	for (unsigned i = 0; i < node->network_count; i++)
		writer_prefix(out, NULL, &node->networks[i]);
	writer_array_end(out);
	writer_boolean(out, "dynamic_address", node->dynamic_address);
	writer_boolean(out, "nat_traversal", node->nat_traversal);
	writer_boolean(out, "mobile_router", node->mobile_router);
	writer_boolean(out, "requires_ipsec", node->requires_ipsec);
	writer_unsigned(out, "max_lifetime_s", node->max_lifetime_s);
	writer_object_end(out);
}

void show_mobile_nodes(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct config *config = server->provider->config(server->provider->context);
	uint64_t cursor = request->cursor;
	uint16_t instance;

	if (!answer_select_instance(server, request, &instance)) {
		answer_error(out, out->used, "not_found", "no such instance");
		return;
	}
	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned looked = 0; looked < request->limit && cursor < config->mobile_node_count;
		looked++, cursor++) {
		const struct config_mobile_node *node = &config->mobile_nodes[cursor];
		if (instance == PROVIDER_INSTANCE_ANY || node->instance == instance)
			write_node(server, out, node);
	}
	writer_array_end(out);
	answer_page_end(out, cursor, cursor < config->mobile_node_count);
}

void show_instances(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	static const char *const roles[] = {"plain", "i-HA", "x-HA"};
	const struct config *config = server->provider->config(server->provider->context);

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned i = 0; i < config->instance_count; i++) {
		const struct config_instance *instance = &config->instances[i];
		writer_object_begin(out, NULL);
		writer_text(out, "instance", instance->name);
		writer_text(out, "role", roles[instance->role]);
		writer_unsigned(out, "vrf", instance->vrf);
		writer_array_begin(out, "addresses");
		for (unsigned k = 0; k < instance->address_count; k++)
			writer_address(out, NULL, &instance->addresses[k]);
		writer_array_end(out);
		writer_array_begin(out, "home_networks");
		for (unsigned k = 0; k < instance->home_network_count; k++)
			writer_prefix(out, NULL, &instance->home_networks[k].prefix);
		writer_array_end(out);
		writer_array_begin(out, "trusted");
		for (unsigned k = 0; k < instance->trusted_count; k++)
			writer_prefix(out, NULL, &instance->trusted[k]);
		writer_array_end(out);
		writer_unsigned(out, "max_bindings", instance->max_bindings);
		writer_unsigned(out, "max_lifetime_s", instance->max_lifetime_s);
		writer_unsigned(out, "nat_max_lifetime_s", instance->nat_max_lifetime_s);
		writer_unsigned(out, "simultaneous_bindings", instance->simultaneous_bindings);
		writer_object_end(out);
	}
	writer_array_end(out);
	answer_page_end(out, 0, false);
}

void show_pools(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	struct provider_pool pool;

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned i = 0; i < OPERATOR_LIMIT_MAX && provider->pool &&
			     provider->pool(provider->context, i, &pool);
		i++) {
		writer_object_begin(out, NULL);
		writer_text(out, "pool", pool.name);
		writer_text(out, "instance", answer_instance_name(server, pool.instance));
		writer_address(out, "first", &pool.first);
		writer_address(out, "last", &pool.last);
		writer_unsigned(out, "size", pool.size);
		writer_unsigned(out, "leased", pool.leased);
		writer_unsigned(out, "held_down", pool.held_down);
		writer_object_end(out);
	}
	writer_array_end(out);
	answer_page_end(out, 0, false);
}

void show_help(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct operator_command_row *row;

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned i = 0; (row = operator_command_get(i)); i++) {
		writer_object_begin(out, NULL);
		writer_text(out, "command", row->words);
		writer_text(out, "role", operator_role_name(row->role));
		writer_text(out, "help", row->help);
		writer_object_end(out);
	}
	writer_array_end(out);
	answer_page_end(out, 0, false);
}
