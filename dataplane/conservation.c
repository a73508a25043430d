#include "dataplane/conservation.h"

int64_t conservation_check(const struct worker *worker)
{
	const struct worker_counters *c = worker->counters;
	uint64_t in = c->received_port + c->received_exception + c->received_inject + c->created +
		      c->taken_over;
	uint64_t out = c->sent_port + c->punted_control + c->punted_exception + c->joined +
		       c->held_reassembly + c->held_neighbor + c->handed_over;
	for (unsigned i = 0; i < COUNTERS_DROPS_MAX; i++)
		out += c->drops[i];
	return (int64_t)(in - out);
}
