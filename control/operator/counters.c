#include "control/operator/counters.h"

#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct worker_counters, name)                                      \
	}
const struct counters_field counters_fields[COUNTERS_FIELDS] = {FIELD(received_port),
	FIELD(received_port_bytes), FIELD(received_exception), FIELD(received_inject),
	FIELD(created), FIELD(sent_port), FIELD(sent_port_bytes), FIELD(punted_control),
	FIELD(punted_exception), FIELD(joined), FIELD(icmp_sent), FIELD(icmp_suppressed),
	FIELD(keepalives_answered), FIELD(proxy_arp_sent), FIELD(fragments_made),
	FIELD(reassembled), FIELD(encapsulated), FIELD(decapsulated), FIELD(ecn_anomalies),
	FIELD(udp_trailing), FIELD(events_lost), FIELD(handed_over), FIELD(taken_over)};
const struct counters_field counters_gauges[COUNTERS_GAUGES] = {
	FIELD(held_reassembly), FIELD(held_neighbor)};
const struct counters_field counters_activity[COUNTERS_ACTIVITY] = {FIELD(bursts),
	FIELD(bursts_empty), FIELD(sleeps), FIELD(busy_tsc), FIELD(idle_tsc), FIELD(heartbeat)};
#undef FIELD

uint64_t counters_value(const struct worker_counters *counters, const struct counters_field *field)
{
	uint64_t value;

	memcpy(&value, (const char *)counters + field->offset, sizeof(value));
	return value;
}

struct worker_counters counters_sum(const struct provider *provider)
{
	struct worker_counters sum = {0};
	unsigned count = 0;
	const struct worker_counters *workers =
		provider->workers ? provider->workers(provider->context, &count) : NULL;
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

uint64_t counters_epoch(struct operator_server *server)
{
	struct provider_status status = {0};

	server->provider->status(server->provider->context, &status);
	return status.dataplane_epoch;
}

const struct worker_counters *counters_baseline(struct operator_server *server, bool raw)
{
	const struct baseline *baseline = &server->baseline;

	return !raw && baseline->taken_ns && baseline->epoch == counters_epoch(server)
		       ? &baseline->workers
		       : NULL;
}

uint64_t counters_since(uint64_t value, uint64_t baseline)
{
	return value >= baseline ? value - baseline : value;
}
