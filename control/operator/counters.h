/*
 * The dataplane's counters as the region has them, summed and set against the baseline of "clear
 * counters". Internal to control/operator.
 */
#ifndef CONTROL_OPERATOR_COUNTERS_H
#define CONTROL_OPERATOR_COUNTERS_H

#include "control/operator/server.h"

struct counters_field {
	const char *name;
	size_t offset; /* in struct worker_counters */
};

#define COUNTERS_FIELDS   23
#define COUNTERS_GAUGES   2
#define COUNTERS_ACTIVITY 6

extern const struct counters_field counters_fields[COUNTERS_FIELDS]; /* only rise */
extern const struct counters_field counters_gauges[COUNTERS_GAUGES];
extern const struct counters_field
	counters_activity[COUNTERS_ACTIVITY]; /* how a worker spends its time */

uint64_t counters_value(const struct worker_counters *counters, const struct counters_field *field);
/* Sum over workers; gauges too. Zeros while detached. */
struct worker_counters counters_sum(const struct provider *provider);
uint64_t counters_dropped(const struct worker_counters *counters);
/* Of the dataplane that counts now; 0 while detached. */
uint64_t counters_epoch(struct operator_server *server);
/* NULL when there is none, or when the dataplane that counted is gone. */
const struct worker_counters *counters_baseline(struct operator_server *server, bool raw);
/* `value` less `baseline`, unless counting began anew below it. */
uint64_t counters_since(uint64_t value, uint64_t baseline);

#endif
