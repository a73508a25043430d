/* A control process of straw: as many bindings as asked for, made up from their number. */
#ifndef TESTS_UNIT_OPERATOR_FAKE_PROVIDER_H
#define TESTS_UNIT_OPERATOR_FAKE_PROVIDER_H

#include "control/operator/provider.h"

struct fake {
	struct config *config;
	uint32_t bindings;   /* numbers 0..bindings-1, home address 10.0.0.0 + number */
	uint32_t gone_below; /* numbers below it are empty slots */
	unsigned cleared, drained, reloads;
	bool refuse_reload, detached;
	uint64_t epoch;
	struct worker_counters workers[2];
	struct port_counters ports[2];
	uint64_t control[2][3];
	struct config_security_association pair; /* as the last "sa add" gave it, without lists */
	struct config_policy policy;             /* of the last "policy add", likewise */
	struct provider_move move;
	int ipsec_result; /* of the next change */
	unsigned dummies, dummy_length;
	_Atomic unsigned ipsec_changes; /* asked for; a reader of the three above reads it first */
	struct provider provider;
};

void fake_init(struct fake *fake, uint32_t bindings);
void fake_fini(struct fake *fake);

#endif
