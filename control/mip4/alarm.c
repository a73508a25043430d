/*
 * Alarms at 90 % of a limit: bindings of an instance and of all, addresses of a pool, messages a
 * second. Told once when the mark is passed, again after it was left.
 */
#include "control/mip4/engine_state.h"

#include <stdio.h>
#include <stdlib.h>

struct alarm {
	uint64_t received; /* when it was last looked at */
	bool bindings, rate;
};

struct alarm *alarm_new(unsigned instances)
{
	return calloc(instances + 1, sizeof(struct alarm));
}

struct level {
	uint64_t used, limit; /* limit 0: none */
};

static bool high(struct level level)
{
	return level.limit && level.used * 10 >= level.limit * 9;
}

static void tell(struct mip4_engine *e, unsigned instance, const char *what, const char *name,
	struct level level, monotonic now)
{
	char text[160];
	struct mip4_event event = {
		.type = MIP4_EVENT_ALARM, .instance = (uint16_t)instance, .nai = "", .text = text};

	snprintf(text, sizeof(text), "%s%s%s at %llu of %llu, 90 %% of the limit passed", what,
		name[0] ? " " : "", name, (unsigned long long)level.used,
		(unsigned long long)level.limit);
	event_emit(e, &event, false, now);
}

static void bindings_check(
	struct mip4_engine *e, unsigned i, const char *name, struct level level, monotonic now)
{
	bool before = e->alarms[i].bindings;

	e->alarms[i].bindings = high(level);
	if (e->alarms[i].bindings && !before)
		tell(e, i, "bindings", name, level, now);
}

static void rate_check(struct mip4_engine *e, unsigned i, uint64_t elapsed_ms, monotonic now)
{
	const struct config_instance *c = &e->config->instances[i];
	struct alarm *a = &e->alarms[i];
	uint64_t received = 0;
	bool before = a->rate;

	for (unsigned k = MIP4_RX_REQUEST; k <= MIP4_RX_OTHER; k++)
		received += e->counters[i].value[k];
	struct level rate = {(received - a->received) * 1000 / elapsed_ms, c->police_instance_rate};
	a->received = received;
	a->rate = high(rate);
	if (a->rate && !before)
		tell(e, i, "messages a second", c->name, rate, now);
}

void alarm_check(struct mip4_engine *e, monotonic now)
{
	uint64_t elapsed_ms = (now - e->alarmed_ns) / 1000000;

	if (elapsed_ms < 1000)
		return;
	e->alarmed_ns = now;
	for (unsigned i = 0; i < e->config->instance_count; i++) {
		const struct config_instance *c = &e->config->instances[i];
		struct level bindings = {
			binding_cache_instance_count(e->cache, (uint16_t)i), c->max_bindings};
		bindings_check(e, i, c->name, bindings, now);
		rate_check(e, i, elapsed_ms, now);
		for (unsigned p = 0; p < c->pool_count; p++) {
			struct pool *pool = e->pools[i][p];
			struct level leased = {pool_leased(pool), pool_size(pool)};
			if (pool_alarm(pool, high(leased)))
				tell(e, i, "pool", c->pools[p].name, leased, now);
		}
	}
	struct level all = {binding_cache_count(e->cache), binding_cache_capacity(e->cache)};
	bindings_check(e, e->config->instance_count, "of all instances", all, now);
}
