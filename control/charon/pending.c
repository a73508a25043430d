#include "control/charon/pending.h"

#include "control/charon/charon_state.h"
#include "control/charon/policy_stack.h"
#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>

static struct pending *at(const struct pending_queue *q, uint32_t index)
{
	return &q->items[(q->first + index) & (q->size - 1)];
}

static bool grow(struct pending_queue *q)
{
	uint32_t size = q->size ? 2 * q->size : 256;

	if (size > PENDING_MAX)
		return false;
	struct pending *items = calloc(size, sizeof(*items));
	if (!items)
		return false;
	for (uint32_t i = 0; i < q->count; i++)
		items[i] = *at(q, i);
	free(q->items);
	q->items = items;
	q->size = size;
	q->first = 0;
	return true;
}

bool pending_put(struct charon *c, const struct pending *pending)
{
	struct pending_queue *q = &c->pending;

	if (q->count == q->size && !grow(q))
		return false;
	*at(q, q->count++) = *pending;
	return true;
}

static void answer(
	struct charon *c, const struct pending *p, enum keying_status status, const char *text)
{
	struct keying_message m = {.header = {.type = KEYING_STATUS, .id = p->id}};

	m.status.status = status;
	snprintf(m.status.text, sizeof(m.status.text), "%s", text);
	if (p->connection == connection_number(c->connection))
		(void)connection_send(c->connection, &m);
}

static void restore(struct charon *c, const struct pending *p, monotonic now)
{
	uint64_t handle = p->about;
	struct sa *sa = map_get_pointer(c->handles, &handle);

	if (sa && sa->state == SA_IS_LIVE)
		(void)ipsec_update_sa(c->ipsec, sa, &p->former, sa->follow_mapping, now);
}

/* The dataplane refused it: as if it had never been. */
static void take_back(struct charon *c, const struct pending *p, monotonic now)
{
	static struct log_limit limit = LOG_LIMIT(1, 10);
	uint64_t handle = p->about;
	struct sa *sa = p->kind == PENDING_ADD_SA ? map_get_pointer(c->handles, &handle) : NULL;

	log_limited(&limit, now, LOG_LEVEL_WARNING, "keying_taken_back",
		"request=%llu error=\"%s\"", (unsigned long long)p->id, strerror(p->error));
	c->counters[CHARON_TAKEN_BACK]++;
	if (sa) {
		if (p->answered)
			(void)tell_expire(c, sa, true, "refused");
		association_drop(c, sa, now);
	} else if (p->kind == PENDING_UPDATE_SA) {
		restore(c, p, now);
	} else if (p->kind == PENDING_POLICY) {
		policy_stack_take_back(c, p->about);
	}
}

void pending_done(struct charon *c, uint64_t ticket, int error, monotonic now)
{
	struct pending_queue *q = &c->pending;

	/* Tickets of others lie between the ranges. */
	if (!q->count || ticket < at(q, 0)->first)
		return;
	struct pending *head = at(q, 0);
	if (error && !head->error)
		head->error = error;
	if (ticket < head->last)
		return;
	struct pending p = *head;
	q->first = (q->first + 1) & (q->size - 1);
	q->count--;
	q->late -= q->late > 0;
	if (p.error)
		take_back(c, &p, now);
	if (!p.answered)
		answer(c, &p, p.error ? KEYING_REFUSED : KEYING_OK,
			p.error ? "the dataplane refused it" : "");
}

monotonic pending_tick(struct charon *c, monotonic now)
{
	struct pending_queue *q = &c->pending;

	for (; q->late < q->count; q->late++) {
		struct pending *p = at(q, q->late);
		if (p->answered)
			continue;
		if (p->due_ns > now)
			return p->due_ns;
		p->answered = true;
		c->counters[CHARON_ACCEPTED_LATE]++;
		answer(c, p, KEYING_ACCEPTED, "");
	}
	return CLOCK_NEVER;
}

void pending_free(struct pending_queue *queue)
{
	free(queue->items);
	*queue = (struct pending_queue){NULL, 0, 0, 0, 0};
}
