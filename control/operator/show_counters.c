/*
 * Counters of both processes. The dataplane's are read from the region as they are, never reset: "clear counters" remembers them and
 * shows differences from then on (HA4-OPS-24). Whether packets add up is always judged on the raw values.
 */
#include "control/operator/server.h"

#include <stdio.h>

struct field {
	const char *name;
	size_t offset;
};

#define FIELD(name) {#name, offsetof(struct worker_counters, name)}
static const struct field counted[] = {FIELD(received_port), FIELD(received_port_bytes), FIELD(received_exception),
	FIELD(received_inject), FIELD(created), FIELD(sent_port), FIELD(sent_port_bytes), FIELD(punted_control),
	FIELD(punted_exception), FIELD(joined), FIELD(icmp_sent), FIELD(icmp_suppressed), FIELD(keepalives_answered),
	FIELD(proxy_arp_sent), FIELD(fragments_made), FIELD(reassembled), FIELD(encapsulated), FIELD(decapsulated),
	FIELD(ecn_anomalies)};
static const struct field gauges[] = {FIELD(held_reassembly), FIELD(held_neighbor)};
static const struct field activity[] = {
	FIELD(bursts), FIELD(bursts_empty), FIELD(sleeps), FIELD(busy_tsc), FIELD(idle_tsc), FIELD(heartbeat)};
#undef FIELD
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t value_of(const struct worker_counters *counters, const struct field *field)
{
	uint64_t value;

	memcpy(&value, (const char *)counters + field->offset, sizeof(value));
	return value;
}

struct worker_counters counters_sum(const struct provider *provider)
{
	struct worker_counters sum = {0};
	unsigned count = 0;
	const struct worker_counters *workers = provider->workers ? provider->workers(provider->context, &count) : NULL;
	uint64_t *total = (uint64_t *)&sum;

	for (unsigned i = 0; workers && i < count; i++) {
		/* Volatile: another process writes them; each is one aligned 64-bit load. */
		const volatile uint64_t *one = (const volatile uint64_t *)&workers[i];
		for (size_t k = 0; k < sizeof(sum) / sizeof(uint64_t); k++)
			total[k] += one[k];
	}
	return sum;
}

uint64_t counters_dropped(const struct worker_counters *counters)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < COUNTERS_DROPS_MAX; i++)
		sum += counters->drops[i];
	return sum;
}

static uint64_t dataplane_epoch(struct operator_server *server)
{
	struct provider_status status = {0};

	server->provider->status(server->provider->context, &status);
	return status.dataplane_epoch;
}

/* NULL when there is none, or when the dataplane that counted is gone. */
static const struct worker_counters *dataplane_baseline(struct operator_server *server, bool raw)
{
	const struct baseline *baseline = &server->baseline;

	return !raw && baseline->taken_ns && baseline->epoch == dataplane_epoch(server) ? &baseline->workers : NULL;
}

static uint64_t since(uint64_t value, uint64_t baseline)
{
	return value >= baseline ? value - baseline : value;
}

static uint64_t control_value(struct operator_server *server, unsigned instance, unsigned index, bool raw, uint64_t value)
{
	if (raw || instance >= BASELINE_INSTANCES_MAX || index >= BASELINE_COUNTERS_MAX)
		return value;
	return since(value, server->baseline.control[instance][index]);
}

/* RFC 2006's names for what control counts (HA4-OPS-22), each the sum of up to three of ours. */
static const struct {
	const char *name;
	const char *parts[3];
} rfc2006[] = {
	{"haRegistrationAccepted", {"reg_accepted", "dereg_accepted"}},
	{"haMultiBindingUnsupported", {"reg_accepted_nosim", "dereg_accepted_nosim"}},
	{"haReasonUnspecified", {"denied_128"}},
	{"haAdmProhibited", {"denied_129"}},
	{"haInsufficientResource", {"denied_130"}},
	{"haMNAuthenticationFailure", {"denied_131"}},
	{"haFAAuthenticationFailure", {"denied_132"}},
	{"haIDMismatch", {"denied_133"}},
	{"haPoorlyFormedRequest", {"denied_134"}},
	{"haTooManyBindings", {"denied_135"}},
	{"haUnknownHA", {"denied_136"}},
	{"haGratuitiousARPsSent", {"gratuitous_arp_sent"}},
	{"haRegRequestsReceived", {"rx_request"}},
	{"haDeRegRequestsReceived", {"rx_deregistration"}},
	{"haRegRepliesSent", {"tx_reply"}},
	{"haDeRegRepliesSent", {"tx_dereg_reply"}},
};

static void write_control(struct operator_server *server, struct writer *out, unsigned instance, bool raw)
{
	const struct provider *provider = server->provider;
	uint64_t sums[COUNT(rfc2006)] = {0};
	struct provider_counter counter;

	writer_object_begin(out, NULL);
	writer_text(out, "instance", instance_name(server, instance));
	writer_object_begin(out, "counters");
	for (unsigned i = 0; provider->counter(provider->context, instance, i, &counter); i++) {
		uint64_t value = control_value(server, instance, i, raw, counter.value);
		writer_unsigned(out, counter.name, value);
		for (size_t k = 0; k < COUNT(rfc2006); k++)
			for (unsigned part = 0; part < 3 && rfc2006[k].parts[part]; part++)
				sums[k] += strcmp(rfc2006[k].parts[part], counter.name) == 0 ? value : 0;
	}
	writer_object_end(out);
	writer_object_begin(out, "rfc2006");
	for (size_t k = 0; k < COUNT(rfc2006); k++)
		writer_unsigned(out, rfc2006[k].name, sums[k]);
	writer_object_end(out);
	writer_object_end(out);
}

/* received + created == sent + dropped + punted + joined + held; off by what is in flight while packets move. */
static void write_conservation(struct writer *out, const struct worker_counters *sum)
{
	uint64_t received = sum->received_port + sum->received_exception + sum->received_inject;
	uint64_t punted = sum->punted_control + sum->punted_exception, dropped = counters_dropped(sum);
	uint64_t held = sum->held_reassembly + sum->held_neighbor;
	uint64_t in = received + sum->created, gone = sum->sent_port + dropped + punted + sum->joined + held;

	writer_object_begin(out, "conservation");
	writer_unsigned(out, "received", received);
	writer_unsigned(out, "created", sum->created);
	writer_unsigned(out, "sent", sum->sent_port);
	writer_unsigned(out, "dropped", dropped);
	writer_unsigned(out, "punted", punted);
	writer_unsigned(out, "joined", sum->joined);
	writer_unsigned(out, "held", held);
	writer_signed(out, "difference", (int64_t)(in - gone));
	writer_boolean(out, "balanced", in == gone);
	writer_object_end(out);
}

static void write_baseline(struct operator_server *server, struct writer *out, bool raw)
{
	if (raw || !server->baseline.taken_ns)
		writer_null(out, "cleared_s_ago");
	else
		writer_unsigned(out, "cleared_s_ago", (server->now_ns - server->baseline.taken_ns) / CLOCK_NS_PER_S);
}

void show_counters(struct operator_server *server, const struct request *request, struct writer *out)
{
	bool raw = request_argument(request, "raw")->given;
	struct worker_counters sum = counters_sum(server->provider);
	const struct worker_counters *base = dataplane_baseline(server, raw);
	const struct config *config = server->provider->config(server->provider->context);

	answer_begin(out, request);
	writer_object_begin(out, "data");
	write_baseline(server, out, raw);
	writer_object_begin(out, "dataplane");
	for (size_t i = 0; i < COUNT(counted); i++)
		writer_unsigned(out, counted[i].name, since(value_of(&sum, &counted[i]), base ? value_of(base, &counted[i]) : 0));
	writer_unsigned(out, "dropped", since(counters_dropped(&sum), base ? counters_dropped(base) : 0));
	for (size_t i = 0; i < COUNT(gauges); i++)
		writer_unsigned(out, gauges[i].name, value_of(&sum, &gauges[i]));
	writer_object_end(out);
	write_conservation(out, &sum);
	writer_array_begin(out, "control");
	for (unsigned i = 0; server->provider->counter && i <= config->instance_count; i++)
		write_control(server, out, i, raw);
	writer_array_end(out);
	writer_object_end(out);
	answer_end(out);
}

void show_drops(struct operator_server *server, const struct request *request, struct writer *out)
{
	struct worker_counters sum = counters_sum(server->provider);
	const struct worker_counters *base = dataplane_baseline(server, request_argument(request, "raw")->given);
	bool all = request_argument(request, "all")->given;
	uint64_t total = 0;

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned reason = 1; reason < DROP_REASON_COUNT; reason++) {
		uint64_t packets = since(sum.drops[reason], base ? base->drops[reason] : 0);
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
	const struct worker_counters *workers = provider->workers ? provider->workers(provider->context, &count) : NULL;

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned i = 0; workers && i < count; i++) {
		struct worker_counters now = workers[i];
		uint64_t cycles = now.busy_tsc + now.idle_tsc;
		writer_object_begin(out, NULL);
		writer_unsigned(out, "worker", i);
		for (size_t k = 0; k < COUNT(counted); k++)
			writer_unsigned(out, counted[k].name, value_of(&now, &counted[k]));
		writer_unsigned(out, "dropped", counters_dropped(&now));
		for (size_t k = 0; k < COUNT(gauges); k++)
			writer_unsigned(out, gauges[k].name, value_of(&now, &gauges[k]));
		for (size_t k = 0; k < COUNT(activity); k++)
			writer_unsigned(out, activity[k].name, value_of(&now, &activity[k]));
		writer_unsigned(out, "busy_permille", cycles ? (uint64_t)(1000.0 * (double)now.busy_tsc / (double)cycles) : 0);
		writer_object_end(out);
	}
	writer_array_end(out);
	answer_page_end(out, 0, false);
}

static void write_port(struct writer *out, const struct config_port *port, const struct port_counters *counters)
{
	char mac[18];
	char name[sizeof(counters->name) + 1] = "";

	if (counters)
		memcpy(name, counters->name, sizeof(counters->name)); /* the peer need not end it */
	writer_text(out, "port", port ? port->name : name);
	writer_text(out, "device", port ? port->device : NULL);
	writer_text(out, "zone", !port ? NULL : port->zone == ZONE_EXTERNAL ? "external" : "internal");
	writer_text(out, "tap", port && port->tap[0] ? port->tap : NULL);
	writer_unsigned(out, "vrf", port ? port->vrf : 0);
	writer_boolean(out, "attached", counters != NULL);
	if (!counters)
		return;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", counters->mac[0], counters->mac[1], counters->mac[2],
		counters->mac[3], counters->mac[4], counters->mac[5]);
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
}

void show_ports(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	const struct config *config = provider->config(provider->context);
	unsigned count = 0;
	const struct port_counters *ports = provider->ports ? provider->ports(provider->context, &count) : NULL;

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned i = 0; i < config->dataplane.port_count || (ports && i < count); i++) {
		writer_object_begin(out, NULL);
		write_port(out, i < config->dataplane.port_count ? &config->dataplane.ports[i] : NULL,
			ports && i < count ? &ports[i] : NULL);
		writer_object_end(out);
	}
	writer_array_end(out);
	answer_page_end(out, 0, false);
}

void act_clear_counters(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	struct baseline *baseline = &server->baseline;
	struct provider_counter counter;

	baseline->taken_ns = server->now_ns;
	baseline->epoch = dataplane_epoch(server);
	baseline->workers = counters_sum(provider);
	for (unsigned i = 0; provider->counter && i < BASELINE_INSTANCES_MAX; i++)
		for (unsigned k = 0; k < BASELINE_COUNTERS_MAX && provider->counter(provider->context, i, k, &counter); k++)
			baseline->control[i][k] = counter.value;
	answer_begin(out, request);
	answer_end(out);
}
