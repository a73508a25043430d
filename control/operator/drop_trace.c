/*
 * "trace drop": switches the workers' drop traces (lib/ipc/drop_trace.h) and shows what they hold,
 * of all workers in the order of time. Each "on" begins a generation, so that records of an earlier
 * one are not shown again; the switch lies in the region and outlives this process.
 */
#include "control/operator/server.h"

#include "lib/ipc/drop_trace.h"
#include "lib/wire/summary.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_DEFAULT 100u

struct found {
	monotonic at_ns;
	uint64_t number;
	unsigned worker;
};

static struct found found[REGION_WORKERS_MAX * DROP_TRACE_SLOTS];

static bool attached(
	struct operator_server *server, struct provider_drop_trace *trace, struct writer *out)
{
	const struct provider *provider = server->provider;

	if (provider->drop_trace && provider->drop_trace(provider->context, trace))
		return true;
	answer_error(out, out->used, "unavailable", "no dataplane is attached");
	return false;
}

/* The arguments "reason" and "count"; false with an error written. 0 when not given. */
static bool read_filter(
	const struct request *request, unsigned *reason, uint32_t *count, struct writer *out)
{
	const struct request_argument *named = request_argument(request, "reason"),
				      *number = request_argument(request, "count");

	*reason = named->given ? drop_reason_by_name(named->text) : DROP_NONE;
	*count = number->given ? (uint32_t)number->number : 0;
	if (named->given && *reason == DROP_NONE) {
		answer_error(out, out->used, "bad_argument",
			"no such reason; show drops all has their names");
		return false;
	}
	if (number->given && (number->number == 0 || number->number > DROP_TRACE_SLOTS)) {
		answer_error(out, out->used, "bad_argument", "count is from 1 to 512");
		return false;
	}
	return true;
}

static void answer_mode(
	struct writer *out, const struct request *request, uint32_t mode, uint32_t count)
{
	answer_begin(out, request);
	writer_object_begin(out, "data");
	writer_boolean(out, "on", mode & DROP_TRACE_ON);
	writer_unsigned(out, "count", count);
	writer_text(out, "reason",
		mode >> DROP_TRACE_REASON ? drop_reason_name(mode >> DROP_TRACE_REASON) : NULL);
	writer_boolean(out, "plaintext", mode & DROP_TRACE_TEXT);
	writer_object_end(out);
	answer_end(out);
}

void drop_trace_on(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	struct provider_drop_trace trace;
	uint32_t mode, count;
	unsigned reason;

	if (!attached(server, &trace, out) || !read_filter(request, &reason, &count, out))
		return;
	count = count ? count : COUNT_DEFAULT;
	mode = atomic_load_explicit(trace.mode, memory_order_relaxed);
	mode = (((mode >> DROP_TRACE_GENERATION) + 1) & 0xff) << DROP_TRACE_GENERATION |
	       reason << DROP_TRACE_REASON | DROP_TRACE_ON |
	       (request_argument(request, "plaintext")->given ? DROP_TRACE_TEXT : 0);
	atomic_store_explicit(trace.count, count, memory_order_relaxed);
	atomic_store_explicit(trace.mode, mode, memory_order_relaxed);
	answer_mode(out, request, mode, count);
}

void drop_trace_off(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	struct provider_drop_trace trace;
	uint32_t mode;

	if (!attached(server, &trace, out))
		return;
	mode = atomic_load_explicit(trace.mode, memory_order_relaxed) & ~DROP_TRACE_ON;
	atomic_store_explicit(trace.mode, mode, memory_order_relaxed);
	answer_mode(out, request, mode, atomic_load_explicit(trace.count, memory_order_relaxed));
}

/* ---- show ---- */

static int compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	if (x->worker != y->worker)
		return x->worker < y->worker ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static size_t collect(const struct provider_drop_trace *trace, unsigned reason)
{
	uint32_t mode = atomic_load_explicit(trace->mode, memory_order_relaxed);
	struct drop_record record;
	size_t count = 0;

	for (unsigned w = 0; w < trace->workers && w < REGION_WORKERS_MAX; w++) {
		const struct drop_trace *of = &trace->traces[w];
		uint64_t last = atomic_load_explicit(&of->taken, memory_order_acquire);
		uint64_t number = last > DROP_TRACE_SLOTS ? last - DROP_TRACE_SLOTS + 1 : 1;
		for (unsigned i = 0; i < DROP_TRACE_SLOTS && number <= last; i++, number++)
			if (drop_trace_get(of, number, &record) &&
				record.generation == (mode >> DROP_TRACE_GENERATION & 0xff) &&
				(reason == DROP_NONE || record.reason == reason))
				found[count++] = (struct found){record.at_ns, number, w};
	}
	qsort(found, count, sizeof(found[0]), compare);
	return count;
}

static void write_hex(struct writer *out, const char *key, const uint8_t *octets, size_t length)
{
	char text[2 * DROP_TRACE_OCTETS + 1] = "";

	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", octets[i]);
	writer_text(out, key, length ? text : NULL);
}

static void write_time(struct writer *out, const struct clock_now *now, monotonic at_ns)
{
	uint64_t unix_ns = at_ns + (now->wall_ns - now->monotonic_ns);
	time_t seconds = (time_t)(unix_ns / CLOCK_NS_PER_S);
	char text[48];
	struct tm parts;

	gmtime_r(&seconds, &parts);
	size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, sizeof(text) - length, ".%06uZ",
		(unsigned)(unix_ns % CLOCK_NS_PER_S / 1000));
	writer_text(out, "time", text);
	writer_unsigned(out, "unix_ns", unix_ns);
}

static const char *protocol_name(const struct summary *s, char number[8])
{
	static const struct {
		uint8_t protocol;
		const char *name;
	} names[] = {{IPPROTO_ICMP, "icmp"}, {IPPROTO_IPIP, "ipip"}, {IPPROTO_TCP, "tcp"},
		{IPPROTO_UDP, "udp"}, {IPPROTO_IPV6, "ipv6"}, {IPPROTO_GRE, "gre"},
		{IPPROTO_ESP, "esp"}, {IPPROTO_AH, "ah"}, {55, "minimal"},
		{IPPROTO_ICMPV6, "icmpv6"}, {IPPROTO_SCTP, "sctp"}, {135, "mh"}};

	if (s->esp && s->protocol == IPPROTO_UDP)
		return "esp-udp";
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].protocol == s->protocol)
			return names[i].name;
	snprintf(number, 8, "%u", s->protocol);
	return number;
}

/* What the octets of the header say, decoded. */
static void write_summary(
	struct operator_server *server, const struct drop_record *record, struct writer *out)
{
	const struct config *config = server->provider->config(server->provider->context);
	struct summary_ports ports;
	struct summary s;
	char text[16];

	memcpy(ports.esp, config->dataplane.esp_ports, sizeof(ports.esp));
	if (!summary_read(record->head, record->head_length, record->kind == DROP_HEAD_FRAME,
		    &ports, &s)) {
		writer_null(out, "source");
		writer_null(out, "destination");
		writer_text(out, "protocol", record->kind == DROP_HEAD_FRAME ? "frame" : NULL);
		return;
	}
	writer_address(out, "source", &s.source);
	writer_address(out, "destination", &s.destination);
	writer_text(out, "protocol", protocol_name(&s, text));
	if (s.source_port || s.destination_port) {
		writer_unsigned(out, "source_port", s.source_port);
		writer_unsigned(out, "destination_port", s.destination_port);
	}
	if (s.esp) {
		snprintf(text, sizeof(text), "0x%08x", s.spi);
		writer_text(out, "spi", text);
		writer_unsigned(out, "sequence", s.sequence);
	}
	if (s.later)
		writer_boolean(out, "later_fragment", true);
}

static void write_sa(
	struct operator_server *server, const struct drop_record *record, struct writer *out)
{
	const struct provider *provider = server->provider;
	bool inbound = record->sa_direction == SA_INBOUND;

	if (record->sa_id == SA_NONE)
		return;
	writer_text(out, "sa",
		provider->sa_name ? provider->sa_name(provider->context, inbound, record->sa_id)
				  : NULL);
	writer_unsigned(out, "sa_id", record->sa_id);
	writer_text(out, "sa_direction", inbound ? "in" : "out");
}

static void write_row(struct operator_server *server, const struct clock_now *now, unsigned worker,
	const struct drop_record *record, struct writer *out)
{
	const struct config_dataplane *dataplane =
		&server->provider->config(server->provider->context)->dataplane;

	writer_object_begin(out, NULL);
	write_time(out, now, record->at_ns);
	writer_unsigned(out, "worker", worker);
	writer_text(out, "port",
		record->port < dataplane->port_count ? dataplane->ports[record->port].name : NULL);
	writer_unsigned(out, "vrf", record->vrf);
	writer_text(out, "step", drop_reason_step(record->reason));
	writer_text(out, "reason", drop_reason_name(record->reason));
	writer_unsigned(out, "length", record->length);
	write_summary(server, record, out);
	write_sa(server, record, out);
	writer_boolean(out, "frame", record->kind == DROP_HEAD_FRAME);
	write_hex(out, "header", record->head, record->head_length);
	if (record->text_length)
		write_hex(out, "plaintext", record->text, record->text_length);
	writer_object_end(out);
}

void drop_trace_show(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	struct clock_now now = clock_read();
	struct provider_drop_trace trace;
	struct drop_record record;
	uint32_t count;
	unsigned reason;

	if (!attached(server, &trace, out) || !read_filter(request, &reason, &count, out))
		return;
	if (count == 0)
		count = atomic_load_explicit(trace.count, memory_order_relaxed);
	if (count == 0 || count > DROP_TRACE_SLOTS)
		count = COUNT_DEFAULT;
	size_t total = collect(&trace, reason);
	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (size_t i = total > count ? total - count : 0; i < total; i++)
		if (drop_trace_get(&trace.traces[found[i].worker], found[i].number, &record))
			write_row(server, &now, found[i].worker, &record, out);
	writer_array_end(out);
	writer_boolean(
		out, "on", atomic_load_explicit(trace.mode, memory_order_relaxed) & DROP_TRACE_ON);
	answer_page_end(out, 0, false);
}
