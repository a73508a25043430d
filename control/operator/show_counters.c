/*
 * Counters of both processes. The dataplane's are read from the region as they are, never reset:
 * "clear counters" remembers them and shows differences from then on (HA4-OPS-24). Whether packets
 * add up is always judged on the raw values.
 */
#include "control/operator/counters.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t control_value(
	struct operator_server *server, unsigned instance, unsigned index, bool raw, uint64_t value)
{
	if (raw || instance >= BASELINE_INSTANCES_MAX || index >= BASELINE_COUNTERS_MAX)
		return value;
	return counters_since(value, server->baseline.control[instance][index]);
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

static void write_control(
	struct operator_server *server, struct writer *out, unsigned instance, bool raw)
{
	const struct provider *provider = server->provider;
	uint64_t sums[COUNT(rfc2006)] = {0};
	struct provider_counter counter;

	writer_object_begin(out, NULL);
	writer_text(out, "instance", answer_instance_name(server, instance));
	writer_object_begin(out, "counters");
	for (unsigned i = 0; provider->counter(provider->context, instance, i, &counter); i++) {
		uint64_t value = control_value(server, instance, i, raw, counter.value);
		writer_unsigned(out, counter.name, value);
		for (size_t k = 0; k < COUNT(rfc2006); k++)
			for (unsigned part = 0; part < 3 && rfc2006[k].parts[part]; part++)
				sums[k] += strcmp(rfc2006[k].parts[part], counter.name) == 0 ? value
											     : 0;
	}
	writer_object_end(out);
	writer_object_begin(out, "rfc2006");
	for (size_t k = 0; k < COUNT(rfc2006); k++)
		writer_unsigned(out, rfc2006[k].name, sums[k]);
	writer_object_end(out);
	writer_object_end(out);
}

/* received + created == sent + dropped + punted + joined + held; off by what is in flight while
 * packets move. */
static void write_conservation(struct writer *out, const struct worker_counters *sum)
{
	uint64_t received = sum->received_port + sum->received_exception + sum->received_inject;
	uint64_t punted = sum->punted_control + sum->punted_exception,
		 dropped = counters_dropped(sum);
	uint64_t held =
		sum->held_reassembly + sum->held_neighbor + (sum->handed_over - sum->taken_over);
	uint64_t in = received + sum->created,
		 gone = sum->sent_port + dropped + punted + sum->joined + held;

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
		writer_unsigned(out, "cleared_s_ago",
			(server->now_ns - server->baseline.taken_ns) / CLOCK_NS_PER_S);
}

void show_counters(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	bool raw = request_argument(request, "raw")->given;
	struct worker_counters sum = counters_sum(server->provider);
	const struct worker_counters *base = counters_baseline(server, raw);
	const struct config *config = server->provider->config(server->provider->context);

	answer_begin(out, request);
	writer_object_begin(out, "data");
	write_baseline(server, out, raw);
	writer_object_begin(out, "dataplane");
	for (size_t i = 0; i < COUNTERS_FIELDS; i++)
		writer_unsigned(out, counters_fields[i].name,
			counters_since(counters_value(&sum, &counters_fields[i]),
				base ? counters_value(base, &counters_fields[i]) : 0));
	writer_unsigned(out, "dropped",
		counters_since(counters_dropped(&sum), base ? counters_dropped(base) : 0));
	for (size_t i = 0; i < COUNTERS_GAUGES; i++)
		writer_unsigned(
			out, counters_gauges[i].name, counters_value(&sum, &counters_gauges[i]));
	writer_object_end(out);
	write_conservation(out, &sum);
	writer_array_begin(out, "control");
	for (unsigned i = 0; server->provider->counter && i <= config->instance_count; i++)
		write_control(server, out, i, raw);
	writer_array_end(out);
	writer_object_end(out);
	answer_end(out);
}
