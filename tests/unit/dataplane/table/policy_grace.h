/* A grace period of policies alone, for tests with one worker, which is thread 0. */
#ifndef TESTS_UNIT_DATAPLANE_TABLE_POLICY_GRACE_H
#define TESTS_UNIT_DATAPLANE_TABLE_POLICY_GRACE_H

#include "dataplane/table/policy_table.h"
#include "dataplane/table/slab.h"

#include <rte_rcu_qsbr.h>

/* The worker passes, and everything is collected. */
static inline void policy_grace(struct policy_table *table, struct retirement *retirement)
{
	for (int i = 0; i < 3; i++) {
		rte_rcu_qsbr_quiescent(retirement->qsbr, 0);
		policy_table_collect(table);
		retirement_publish(retirement);
		rte_rcu_qsbr_quiescent(retirement->qsbr, 0);
		retirement_collect(retirement);
	}
}

#endif
