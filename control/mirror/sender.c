/*
 * What a command's way onto the ring is made of: entries are taken from their queues in order and
 * turned into commands, one step of a resynchronisation after the other, as far as the ring, the
 * window and the turn allow.
 */
#include "control/mirror/sender.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW    65536u /* commands sent and not yet applied, at most */
#define BATCH     64u    /* commands made visible at once */
#define TURN_SENT 16384u /* per call of sender_poll: commands, */
#define TURN_SCAN 65536u /* entries looked at */

int sender_init(struct sender *sender, struct entries *entries, struct tickets *tickets,
	const struct mirror_callbacks *callbacks)
{
	*sender = (struct sender){.entries = entries, .tickets = tickets, .callbacks = callbacks};
	sender->in_flight = calloc(WINDOW, sizeof(*sender->in_flight));
	return sender->in_flight ? 0 : -ENOMEM;
}

void sender_fini(struct sender *sender)
{
	free(sender->in_flight);
}

bool sender_told(const struct sender *sender, const struct entry *entry)
{
	return sender->attachment && entry->session == sender->session;
}

struct in_flight *sender_in_flight(const struct sender *sender, uint64_t sequence)
{
	if (sequence <= sender->applied || sequence > sender->sequence)
		return NULL;
	return &sender->in_flight[sequence % WINDOW];
}

/* For `count` commands in a row. */
static bool room(struct sender *s, uint32_t count)
{
	uint32_t window = WINDOW - (uint32_t)(s->sequence - s->applied);

	return window >= count && ring_reserve(&s->attachment->command, s->pending + count - 1);
}

/* The most that sending the entry takes: a removal and a SET, or what a reference makes. */
static uint32_t need(const struct entry *e)
{
	return e->type == COMMAND_SA_SET ? MIRROR_EXPANSION_MAX + 1 : 2;
}

static void flush(struct sender *s)
{
	if (s->pending)
		ring_commit(&s->attachment->command, s->pending);
	s->pending = 0;
}

/* Puts one command on the ring; there is room. */
static void put(struct sender *s, uint16_t type, const void *payload, size_t size, uint32_t index,
	uint64_t last_ticket)
{
	struct command *c = ring_reserve(&s->attachment->command, s->pending);

	memset(c, 0, sizeof(*c));
	c->sequence = ++s->sequence;
	c->type = type;
	memcpy(c->payload, payload, size);
	s->in_flight[s->sequence % WINDOW] = (struct in_flight){.last_ticket = last_ticket,
		.entry = index,
		.remove = type != entries_set_type(type)};
	s->sent++;
	if (++s->pending == BATCH)
		flush(s);
}

/* Every ticket of the chain waits for `sequence` from now on. */
static void assign(struct sender *s, uint64_t last_ticket, uint64_t sequence)
{
	for (uint64_t n = last_ticket; n; n = tickets_older(s->tickets, n))
		tickets_get(s->tickets, n)->sequence = sequence;
}

static void send_removal(struct sender *s, uint32_t index, uint64_t last)
{
	struct entry *e = entries_get(s->entries, index);
	bool alone = !(e->flags & ENTRY_DESIRED);
	struct mirror_reference reference;
	struct command c = {.type = (uint16_t)entries_remove_type(e->type)};

	memcpy(&reference, e->payload, sizeof(reference));
	switch (e->type) {
	case COMMAND_BINDING_SET:
		c.binding.binding_id = index;
		break;
	case COMMAND_SA_SET:
		c.sa.sa_id = reference.id;
		c.sa.direction = (uint8_t)reference.direction;
		break;
	case COMMAND_POLICY_SET:
		c.policy.policy_id = reference.id;
		s->uncommitted = true;
		break;
	default:
		memcpy(c.payload, e->payload, sizeof(e->payload));
		break;
	}
	put(s, c.type, c.payload, sizeof(c.payload), alone ? index : ENTRY_NONE, alone ? last : 0);
	e->session = 0;
}

/* What its owner makes of it now. */
static void send_reference(struct sender *s, uint32_t index, uint64_t last)
{
	struct entry *e = entries_get(s->entries, index);
	struct mirror_reference reference;
	struct command *c = s->expansion;

	memcpy(&reference, e->payload, sizeof(reference));
	unsigned count = s->callbacks->expand ? s->callbacks->expand(s->callbacks->context, e->type,
							&reference, sender_told(s, e), c)
					      : 0;
	for (unsigned i = 0; i < count && i < MIRROR_EXPANSION_MAX; i++) {
		put(s, c[i].type, c[i].payload, sizeof(c[i].payload), index, last);
		secret_wipe(&c[i], sizeof(c[i]));
	}
	s->uncommitted |= count && e->type == COMMAND_POLICY_SET;
}

/* Sends what the entry wants; there is room. */
static void send_entry(struct sender *s, uint32_t index)
{
	struct entry *e = entries_get(s->entries, index);
	bool told = sender_told(s, e);
	uint64_t last = e->last_ticket;

	entries_dequeue(s->entries, index);
	if (!told)
		e->flags &= (uint8_t)~ENTRY_REMOVE_FIRST;
	if (!(e->flags & ENTRY_DESIRED) && !told) {
		if (s->step < SYNC_SENT) { /* SYNC_END will remove it */
			entries_enqueue(s->entries, index, QUEUE_SWEEP);
			return;
		}
		e->last_ticket = 0;
		assign(s, last, s->end_sequence);
		return;
	}
	e->last_ticket = 0;
	if (e->flags & ENTRY_REMOVE_FIRST || !(e->flags & ENTRY_DESIRED))
		send_removal(s, index, last);
	if (e->flags & ENTRY_DESIRED) {
		if (!entries_is_reference(e->type))
			put(s, e->type, e->payload, sizeof(e->payload), index, last);
		else
			send_reference(s, index, last);
		e->session = s->session;
	}
	e->flags &= (uint8_t) ~(ENTRY_REMOVE_FIRST | ENTRY_REFUSED);
	e->sequence = (uint32_t)s->sequence;
	assign(s, last, s->sequence);
}

/* SPD-22: all policies sent since the last one become visible together. False: no room. */
static bool send_commit(struct sender *s)
{
	if (!s->uncommitted)
		return true;
	if (!room(s, 1))
		return false;
	put(s, COMMAND_POLICY_COMMIT, "", 0, ENTRY_NONE, 0);
	s->uncommitted = false;
	return true;
}

/* Sends changes in order; false when there is no room. */
static bool send_changes(struct sender *s, enum entry_queue last_queue, uint32_t *budget)
{
	for (unsigned q = QUEUE_BASE; q <= (unsigned)last_queue; q++) {
		for (uint32_t index; !(s->held && q == QUEUE_POLICY) &&
				     (index = s->entries->queues[q].head) != ENTRY_NONE;
			--*budget) {
			if (!*budget || !room(s, need(entries_get(s->entries, index))))
				return false;
			send_entry(s, index);
		}
		if (q == QUEUE_POLICY && !send_commit(s))
			return false;
	}
	return true;
}

/* Sends the entries of one step of the resynchronisation that were not sent in this session; false
 * when there is no room or time. */
static bool send_step(struct sender *s, enum entry_queue which, uint32_t *budget, uint32_t *scan)
{
	struct entries *entries = s->entries;
	uint32_t base = which == QUEUE_BINDING ? 0 : entries->bindings;
	uint32_t end = which == QUEUE_BINDING ? entries->bindings_end : base + entries->others_end;

	for (; base + s->cursor < end; s->cursor++, --*scan) {
		uint32_t index = base + s->cursor;
		const struct entry *e = entries_get(s->entries, index);
		if (!*scan)
			return false;
		if (!e->type || !(e->flags & ENTRY_DESIRED) || sender_told(s, e) ||
			entries_set_queue(e->type) != which)
			continue;
		if (!*budget || !room(s, need(e)))
			return false;
		send_entry(s, index);
		--*budget;
	}
	s->cursor = 0;
	return true;
}

static bool send_sync_mark(struct sender *s, uint16_t type)
{
	if (!room(s, 1))
		return false;
	put(s, type, "", 0, ENTRY_NONE, 0);
	return true;
}

/* One step; true when the next may begin at once. */
static bool sync_advance(struct sender *s, uint32_t *budget, uint32_t *scan)
{
	bool finished = false;

	switch (s->step) {
	case SYNC_BEGIN:
		finished = send_sync_mark(s, COMMAND_SYNC_BEGIN);
		break;
	case SYNC_BASE:
		finished = send_step(s, QUEUE_BASE, budget, scan);
		break;
	case SYNC_SA:
		finished = send_step(s, QUEUE_SA, budget, scan);
		break;
	case SYNC_POLICY:
		finished = s->held || (send_step(s, QUEUE_POLICY, budget, scan) && send_commit(s));
		break;
	case SYNC_ROUTE:
		finished = send_step(s, QUEUE_ROUTE, budget, scan);
		break;
	case SYNC_BINDING:
		finished = send_changes(s, QUEUE_BINDING, budget) &&
			   send_step(s, QUEUE_BINDING, budget, scan);
		break;
	case SYNC_PREFIX:
		finished = send_changes(s, QUEUE_PREFIX, budget) &&
			   send_step(s, QUEUE_PREFIX, budget, scan);
		break;
	case SYNC_END:
		if (s->held) {
			(void)send_changes(s, QUEUE_PREFIX, budget);
			return false;
		}
		finished = send_sync_mark(s, COMMAND_SYNC_END);
		if (finished)
			s->end_sequence = s->sequence;
		break;
	case SYNC_SENT:
	case SYNC_DONE:
		(void)send_changes(s, QUEUE_SWEEP, budget);
		return false;
	}
	if (finished)
		s->step++;
	return finished;
}

bool sender_poll(struct sender *sender)
{
	uint64_t before = sender->sequence;
	uint32_t budget = TURN_SENT, scan = TURN_SCAN;

	while (sync_advance(sender, &budget, &scan))
		;
	flush(sender);
	if (sender->sequence != before)
		doorbell_ring(sender->attachment->command_doorbell);
	return !budget || !scan;
}

/* ---- the dataplane comes, answers, goes ---- */

void sender_attach(struct sender *sender, struct attachment *attachment)
{
	sender->attachment = attachment;
	sender->session++;
	sender->sequence = sender->applied = sender->end_sequence = 0;
	sender->pending = sender->cursor = 0;
	sender->step = SYNC_BEGIN;
	sender->uncommitted = false;
}

void sender_detach(struct sender *sender)
{
	sender->attachment = NULL;
	sender->step = SYNC_BEGIN;
}

bool sender_applied(struct sender *sender, uint64_t applied)
{
	if (applied < sender->applied || applied > sender->sequence)
		return false;
	sender->applied = applied;
	if (sender->step == SYNC_SENT && applied >= sender->end_sequence) {
		sender->step = SYNC_DONE;
		sender->syncs++;
	}
	return true;
}

void sender_hold(struct sender *sender, bool hold)
{
	if (sender->held && !hold && sender->step > SYNC_SA && sender->step <= SYNC_END) {
		sender->step = SYNC_SA; /* what was left out; what was sent is not sent again */
		sender->cursor = 0;
	}
	sender->held = hold;
}

bool sender_synced(const struct sender *sender)
{
	return sender->attachment && sender->step == SYNC_DONE;
}
