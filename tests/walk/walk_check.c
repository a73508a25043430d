#include "tests/walk/walk_case.h"

#include "lib/wire/summary.h"

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <stdlib.h>

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
			!check_value("inbound", id, e, "bad_icv", s->bad_icv))
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

/* Those that die after the cipher: what is kept of them ends with the ESP header. */
static bool is_opened(const struct world *world, unsigned reason)
{
	static const enum drop_reason opened[] = {DROP_ipsec_bad_icv, DROP_ipsec_bad_pad,
		DROP_ipsec_bad_next_header, DROP_ipsec_dummy, DROP_ipsec_inner_malformed,
		DROP_ipsec_tiny_fragment, DROP_ipsec_frag_selector, DROP_ipsec_selector_mismatch,
		DROP_ipsec_ecn_ce_not_ect, DROP_ipsec_nesting, DROP_ipsec_no_tunnel};

	for (size_t i = 0; i < RTE_DIM(opened); i++)
		if (opened[i] == reason)
			return true;
	/* These stop packets that were never sealed, too. */
	return (reason == DROP_port_down || reason == DROP_ipsec_option_reject) &&
	       world->counters.esp_decrypted > 0;
}

static bool is_transport(const struct world *world)
{
	const struct sa_table *sas = tables_sas(world->tables);

	for (uint32_t i = 0; i < WORLD_SAS; i++) {
		const struct sa_inbound *sa = sa_inbound_get(sas, i);
		if (sa != NULL && sa->flags & SA_TRANSPORT)
			return true;
	}
	return false;
}

static bool check_record(const struct world *world, const struct drop_record *r)
{
	const struct summary_ports ports = {{world->settings.esp_ports[1]}};
	const char *name = drop_reason_name(r->reason);
	struct summary s;
	bool read = summary_read(r->head, r->head_length, r->kind == DROP_HEAD_FRAME, &ports, &s);

	if (r->at_ns == 0 || r->text_length != 0)
		return wrong("traced %s: no time, or text", name);
	if (read && s.esp && r->head_length != RTE_MIN(s.esp_at + 8, DROP_TRACE_OCTETS))
		return wrong("traced %s: %u octets, ESP at %u", name, r->head_length, s.esp_at);
	if (!is_opened(world, r->reason))
		return true;
	if (!read || (!s.esp && r->head_length != s.payload_at))
		return wrong("traced %s: %u octets without an ESP header", name, r->head_length);
	/* Transport mode moves the IP header: it alone is left to be shown. */
	if (!s.esp && !is_transport(world))
		return wrong("traced %s: not the outer header", name);
	if (s.esp && r->reason != DROP_port_down && r->sa_id == SA_NONE)
		return wrong("traced %s: without an SA", name);
	return true;
}

/* The trace tells each drop once, in order, and nothing that was decrypted. // AUD-16 */
static bool check_trace(const struct world *world)
{
	uint64_t taken = atomic_load(&world->drop_trace.taken), total = 0,
		 seen[DROP_REASON_COUNT] = {0};
	struct drop_record record;

	for (unsigned i = 1; i < DROP_REASON_COUNT; i++)
		total += world->counters.drops[i];
	if (taken != total)
		return wrong(
			"%lu traced of %lu dropped", (unsigned long)taken, (unsigned long)total);
	for (uint64_t n = taken > DROP_TRACE_SLOTS ? taken - DROP_TRACE_SLOTS + 1 : 1; n <= taken;
		n++) {
		if (!drop_trace_get(&world->drop_trace, n, &record) ||
			record.reason >= DROP_REASON_COUNT)
			return wrong("record %lu cannot be read", (unsigned long)n);
		seen[record.reason]++;
		if (!check_record(world, &record))
			return false;
	}
	for (unsigned i = 1; i < DROP_REASON_COUNT && taken <= DROP_TRACE_SLOTS; i++)
		if (seen[i] != world->counters.drops[i])
			return wrong("traced %s %lu times, not %lu", drop_reason_name(i),
				(unsigned long)seen[i], (unsigned long)world->counters.drops[i]);
	return true;
}

bool walk_check(const struct world *world, const char *folder, const json_t *c, bool traced)
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
	       check_sas(world, json_object_get(c, "sas")) && (!traced || check_trace(world));
}
