#include "control/mirror/mirror.h"

#include "control/mirror/entries.h"
#include "control/mirror/tickets.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW    65536u /* commands sent and not yet applied, at most */
#define BATCH     64u    /* commands made visible at once */
#define TURN_SENT 16384u /* per call of mirror_poll: commands, */
#define TURN_SCAN 65536u /* entries looked at, */
#define TURN_DONE 2048u  /* tickets reported */

enum sync_step { /* of a resynchronisation; each step sends its entries, then the next begins */
	SYNC_BEGIN,
	SYNC_BASE,
	SYNC_SA,
	SYNC_POLICY,
	SYNC_ROUTE,
	SYNC_BINDING, /* from here on changes are sent first */
	SYNC_PREFIX,
	SYNC_END,
	SYNC_SENT, /* waits for SYNC_END to be applied */
	SYNC_DONE,
};

struct in_flight { /* what a command carried, until it is applied */
	uint64_t last_ticket;
	uint32_t entry;
	bool remove;
};

struct mirror {
	struct mirror_callbacks callbacks;
	struct attachment *attachment; /* NULL: no dataplane */
	struct entries entries;
	struct tickets tickets;
	uint32_t session;  /* of the mirror: counts attaches */
	uint64_t sequence; /* last command put on the ring */
	uint64_t applied;  /* as the dataplane said, believed */
	uint32_t pending;  /* reserved on the ring, not yet visible */
	enum sync_step step;
	uint32_t cursor; /* entry that the step looks at next */
	uint64_t end_sequence;
	bool held;
	bool uncommitted; /* policies were sent since the last commit */
	struct command expansion[MIRROR_EXPANSION_MAX]; /* zero but while it is sent */
	struct in_flight *in_flight;                    /* [sequence % WINDOW] */
	struct mirror_stats stats;
	struct log_limit violations;
};

struct mirror *mirror_new(
	const struct mirror_limits *limits, const struct mirror_callbacks *callbacks)
{
	struct mirror *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->callbacks = *callbacks;
	m->violations = (struct log_limit)LOG_LIMIT(1, 5);
	m->in_flight = calloc(WINDOW, sizeof(*m->in_flight));
	int error = m->in_flight ? tickets_init(&m->tickets) : -ENOMEM;
	if (!error)
		error = entries_init(&m->entries, limits->bindings, limits->others);
	if (error) {
		mirror_free(m);
		errno = -error;
		return NULL;
	}
	return m;
}

void mirror_free(struct mirror *mirror)
{
	if (!mirror)
		return;
	entries_fini(&mirror->entries);
	tickets_fini(&mirror->tickets);
	free(mirror->in_flight);
	free(mirror);
}

static struct entry *entry_at(const struct mirror *m, uint32_t index)
{
	return &m->entries.table[index];
}

/* The dataplane was told in this session to have it. */
static bool is_told(const struct mirror *m, const struct entry *e)
{
	return m->attachment && e->session == m->session;
}

/* ---- what control wants ---- */

/* A new ticket at the end of the entry's chain; 0 with errno. */
static uint64_t take_ticket(struct mirror *m, uint32_t index)
{
	uint64_t number = tickets_new(&m->tickets, index);

	if (!number) {
		errno = ENOMEM;
		return 0;
	}
	entry_at(m, index)->tickets++;
	return number;
}

static void wait_for_send(struct mirror *m, uint32_t index, uint64_t number)
{
	struct entry *e = entry_at(m, index);

	tickets_chain(&m->tickets, number, e->last_ticket);
	e->last_ticket = number;
	entries_enqueue(&m->entries, index, entries_queue_of(e));
}

/* Nothing to send: the ticket waits for the command that said the same before, when that is still
 * on its way. */
static void wait_for_last(struct mirror *m, const struct entry *e, uint64_t number)
{
	struct ticket *t = tickets_get(&m->tickets, number);
	uint64_t behind = (uint32_t)m->sequence - e->sequence;

	if (m->sequence - behind <= m->applied || behind >= WINDOW) {
		t->sequence = 0;
		return;
	}
	struct in_flight *f = &m->in_flight[(m->sequence - behind) % WINDOW];
	t->sequence = m->sequence - behind;
	tickets_chain(&m->tickets, number, f->last_ticket);
	f->last_ticket = number;
}

static bool is_home_changed(const struct entry *e, const struct command *desired)
{
	struct binding_command old;

	memcpy(&old, e->payload, sizeof(old));
	return old.vrf != desired->binding.vrf ||
	       !ip_address_equal(&old.home_address, &desired->binding.home_address);
}

static bool is_reference(uint16_t set_type)
{
	return set_type == COMMAND_SA_SET || set_type == COMMAND_POLICY_SET;
}

/* What the dataplane has under this id must go first. */
static bool is_another(const struct entry *e, const struct command *desired)
{
	struct mirror_reference old, new;

	if (desired->type == COMMAND_BINDING_SET)
		return is_home_changed(e, desired);
	if (desired->type != COMMAND_SA_SET)
		return false;
	memcpy(&old, e->payload, sizeof(old));
	memcpy(&new, desired->payload, sizeof(new));
	return old.incarnation != new.incarnation;
}

uint64_t mirror_refer(
	struct mirror *mirror, uint16_t type, const struct mirror_reference *reference)
{
	struct command command = {.type = type};

	if (!is_reference((uint16_t)entries_set_type(type))) {
		errno = EINVAL;
		return 0;
	}
	memcpy(command.payload, reference, sizeof(*reference));
	return entries_set_type(type) == type ? mirror_set(mirror, &command)
					      : mirror_remove(mirror, &command);
}

/* A ticket for the command's entry, made when there is none yet; 0 and nothing made when that
 * fails.
 */
static uint64_t ticket_for(struct mirror *mirror, const struct command *command, uint32_t *index)
{
	uint64_t number;

	*index = entries_make(&mirror->entries, command);
	if (*index == ENTRY_NONE)
		return 0;
	number = take_ticket(mirror, *index);
	if (!number && !entry_at(mirror, *index)->flags && !entry_at(mirror, *index)->tickets)
		entries_release(&mirror->entries, *index);
	return number;
}

uint64_t mirror_set(struct mirror *mirror, const struct command *desired)
{
	if (!desired->type || entries_set_type(desired->type) != desired->type) {
		errno = EINVAL;
		return 0;
	}
	uint32_t index;
	uint64_t number = ticket_for(mirror, desired, &index);
	if (!number)
		return 0;
	struct entry *e = entry_at(mirror, index);
	bool told = is_told(mirror, e);
	if (told && e->queue == QUEUE_NONE &&
		(e->flags & (ENTRY_DESIRED | ENTRY_REFUSED)) == ENTRY_DESIRED &&
		!memcmp(e->payload, desired->payload, sizeof(e->payload))) {
		wait_for_last(mirror, e, number);
		return number;
	}
	if (told && is_another(e, desired))
		e->flags |= ENTRY_REMOVE_FIRST;
	if (!(e->flags & ENTRY_DESIRED))
		mirror->entries.desired++;
	e->flags |= ENTRY_DESIRED;
	memcpy(e->payload, desired->payload, sizeof(e->payload));
	wait_for_send(mirror, index, number);
	return number;
}

uint64_t mirror_remove(struct mirror *mirror, const struct command *command)
{
	uint16_t type = (uint16_t)entries_set_type(command->type);

	if (!type || type == command->type) {
		errno = EINVAL;
		return 0;
	}
	uint32_t index;
	uint64_t number = ticket_for(mirror, command, &index);
	if (!number)
		return 0;
	struct entry *e = entry_at(mirror, index);
	if (e->flags & ENTRY_DESIRED)
		mirror->entries.desired--;
	else if (!is_told(mirror, e)) /* may be new: the key must be in it */
		memcpy(e->payload, command->payload, sizeof(e->payload));
	e->flags &= (uint8_t)~ENTRY_DESIRED;
	wait_for_send(mirror, index, number);
	return number;
}

bool mirror_get(const struct mirror *mirror, struct command *command)
{
	uint32_t index = entries_find(&mirror->entries, command);

	if (index == ENTRY_NONE || !(entry_at(mirror, index)->flags & ENTRY_DESIRED))
		return false;
	memcpy(command->payload, entry_at(mirror, index)->payload, ENTRY_PAYLOAD_SIZE);
	return true;
}

/* ---- sending ---- */

/* For `count` commands in a row. */
static bool room(struct mirror *m, uint32_t count)
{
	uint32_t window = WINDOW - (uint32_t)(m->sequence - m->applied);

	return window >= count && ring_reserve(&m->attachment->command, m->pending + count - 1);
}

/* The most that sending the entry takes: a removal and a SET, or what a reference makes. */
static uint32_t need(const struct entry *e)
{
	return e->type == COMMAND_SA_SET ? MIRROR_EXPANSION_MAX + 1 : 2;
}

static void flush(struct mirror *m)
{
	if (m->pending)
		ring_commit(&m->attachment->command, m->pending);
	m->pending = 0;
}

/* Puts one command on the ring; there is room. */
static void put(struct mirror *m, uint16_t type, const void *payload, size_t size, uint32_t index,
	uint64_t last_ticket)
{
	struct command *c = ring_reserve(&m->attachment->command, m->pending);

	memset(c, 0, sizeof(*c));
	c->sequence = ++m->sequence;
	c->type = type;
	memcpy(c->payload, payload, size);
	m->in_flight[m->sequence % WINDOW] = (struct in_flight){.last_ticket = last_ticket,
		.entry = index,
		.remove = type != entries_set_type(type)};
	m->stats.sent++;
	if (++m->pending == BATCH)
		flush(m);
}

/* Every ticket of the chain waits for `sequence` from now on. */
static void assign(struct mirror *m, uint64_t last_ticket, uint64_t sequence)
{
	for (uint64_t n = last_ticket; n; n = tickets_older(&m->tickets, n))
		tickets_get(&m->tickets, n)->sequence = sequence;
}

static void release_if_unwanted(struct mirror *m, uint32_t index)
{
	struct entry *e = entry_at(m, index);

	if (!(e->flags & ENTRY_DESIRED) && e->queue == QUEUE_NONE && !e->tickets)
		entries_release(&m->entries, index);
}

static void send_removal(struct mirror *m, uint32_t index, uint64_t last)
{
	struct entry *e = entry_at(m, index);
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
		m->uncommitted = true;
		break;
	default:
		memcpy(c.payload, e->payload, sizeof(e->payload));
		break;
	}
	put(m, c.type, c.payload, sizeof(c.payload), alone ? index : ENTRY_NONE, alone ? last : 0);
	e->session = 0;
}

/* What its owner makes of it now. */
static void send_reference(struct mirror *m, uint32_t index, uint64_t last)
{
	struct entry *e = entry_at(m, index);
	struct mirror_reference reference;
	struct command *c = m->expansion;

	memcpy(&reference, e->payload, sizeof(reference));
	unsigned count = m->callbacks.expand ? m->callbacks.expand(m->callbacks.context, e->type,
						       &reference, is_told(m, e), c)
					     : 0;
	for (unsigned i = 0; i < count && i < MIRROR_EXPANSION_MAX; i++) {
		put(m, c[i].type, c[i].payload, sizeof(c[i].payload), index, last);
		secret_wipe(&c[i], sizeof(c[i]));
	}
	m->uncommitted |= count && e->type == COMMAND_POLICY_SET;
}

/* Sends what the entry wants; there is room. */
static void send_entry(struct mirror *m, uint32_t index)
{
	struct entry *e = entry_at(m, index);
	bool told = is_told(m, e);
	uint64_t last = e->last_ticket;

	entries_dequeue(&m->entries, index);
	if (!told)
		e->flags &= (uint8_t)~ENTRY_REMOVE_FIRST;
	if (!(e->flags & ENTRY_DESIRED) && !told) {
		if (m->step < SYNC_SENT) { /* SYNC_END will remove it */
			entries_enqueue(&m->entries, index, QUEUE_SWEEP);
			return;
		}
		e->last_ticket = 0;
		assign(m, last, m->end_sequence);
		return;
	}
	e->last_ticket = 0;
	if (e->flags & ENTRY_REMOVE_FIRST || !(e->flags & ENTRY_DESIRED))
		send_removal(m, index, last);
	if (e->flags & ENTRY_DESIRED) {
		if (!is_reference(e->type))
			put(m, e->type, e->payload, sizeof(e->payload), index, last);
		else
			send_reference(m, index, last);
		e->session = m->session;
	}
	e->flags &= (uint8_t) ~(ENTRY_REMOVE_FIRST | ENTRY_REFUSED);
	e->sequence = (uint32_t)m->sequence;
	assign(m, last, m->sequence);
}

/* SPD-22: all policies sent since the last one become visible together. False: no room. */
static bool send_commit(struct mirror *m)
{
	if (!m->uncommitted)
		return true;
	if (!room(m, 1))
		return false;
	put(m, COMMAND_POLICY_COMMIT, "", 0, ENTRY_NONE, 0);
	m->uncommitted = false;
	return true;
}

/* Sends changes in order; false when there is no room. */
static bool send_changes(struct mirror *m, enum entry_queue last_queue, uint32_t *budget)
{
	for (unsigned q = QUEUE_BASE; q <= (unsigned)last_queue; q++) {
		for (uint32_t index; !(m->held && q == QUEUE_POLICY) &&
				     (index = m->entries.queues[q].head) != ENTRY_NONE;
			--*budget) {
			if (!*budget || !room(m, need(entry_at(m, index))))
				return false;
			send_entry(m, index);
		}
		if (q == QUEUE_POLICY && !send_commit(m))
			return false;
	}
	return true;
}

/* Sends the entries of one step of the resynchronisation that were not sent in this session; false
 * when there is no room or time. */
static bool send_step(struct mirror *m, enum entry_queue which, uint32_t *budget, uint32_t *scan)
{
	struct entries *entries = &m->entries;
	uint32_t base = which == QUEUE_BINDING ? 0 : entries->bindings;
	uint32_t end = which == QUEUE_BINDING ? entries->bindings_end : base + entries->others_end;

	for (; base + m->cursor < end; m->cursor++, --*scan) {
		uint32_t index = base + m->cursor;
		const struct entry *e = entry_at(m, index);
		if (!*scan)
			return false;
		if (!e->type || !(e->flags & ENTRY_DESIRED) || is_told(m, e) ||
			entries_set_queue(e->type) != which)
			continue;
		if (!*budget || !room(m, need(e)))
			return false;
		send_entry(m, index);
		--*budget;
	}
	m->cursor = 0;
	return true;
}

static bool send_sync_mark(struct mirror *m, uint16_t type)
{
	if (!room(m, 1))
		return false;
	put(m, type, "", 0, ENTRY_NONE, 0);
	return true;
}

/* One step; true when the next may begin at once. */
static bool sync_advance(struct mirror *m, uint32_t *budget, uint32_t *scan)
{
	bool finished = false;

	switch (m->step) {
	case SYNC_BEGIN:
		finished = send_sync_mark(m, COMMAND_SYNC_BEGIN);
		break;
	case SYNC_BASE:
		finished = send_step(m, QUEUE_BASE, budget, scan);
		break;
	case SYNC_SA:
		finished = send_step(m, QUEUE_SA, budget, scan);
		break;
	case SYNC_POLICY:
		finished = m->held || (send_step(m, QUEUE_POLICY, budget, scan) && send_commit(m));
		break;
	case SYNC_ROUTE:
		finished = send_step(m, QUEUE_ROUTE, budget, scan);
		break;
	case SYNC_BINDING:
		finished = send_changes(m, QUEUE_BINDING, budget) &&
			   send_step(m, QUEUE_BINDING, budget, scan);
		break;
	case SYNC_PREFIX:
		finished = send_changes(m, QUEUE_PREFIX, budget) &&
			   send_step(m, QUEUE_PREFIX, budget, scan);
		break;
	case SYNC_END:
		if (m->held) {
			(void)send_changes(m, QUEUE_PREFIX, budget);
			return false;
		}
		finished = send_sync_mark(m, COMMAND_SYNC_END);
		if (finished)
			m->end_sequence = m->sequence;
		break;
	case SYNC_SENT:
	case SYNC_DONE:
		(void)send_changes(m, QUEUE_SWEEP, budget);
		return false;
	}
	if (finished)
		m->step++;
	return finished;
}

/* Sends what the ring takes; true when the turn's budget, not the ring, ended it. */
static bool send_all(struct mirror *m)
{
	uint64_t before = m->sequence;
	uint32_t budget = TURN_SENT, scan = TURN_SCAN;

	while (sync_advance(m, &budget, &scan))
		;
	flush(m);
	if (m->sequence != before)
		doorbell_ring(m->attachment->command_doorbell);
	return !budget || !scan;
}

/* ---- hearing from the dataplane ---- */

static void violation(struct mirror *m, const char *what, uint64_t value)
{
	m->stats.violations++;
	log_limited(&m->violations, clock_read().monotonic_ns, LOG_LEVEL_WARNING,
		"dataplane_nonsense", "what=%s value=%llu", what, (unsigned long long)value);
}

static void refused(struct mirror *m, const struct event *event)
{
	if (event->sequence <= m->applied || event->sequence > m->sequence || event->error <= 0) {
		violation(m, "refused_sequence", event->sequence);
		return;
	}
	struct in_flight *f = &m->in_flight[event->sequence % WINDOW];
	struct entry *e = f->entry == ENTRY_NONE ? NULL : entry_at(m, f->entry);
	bool newest = e && e->sequence == (uint32_t)event->sequence;
	m->stats.refused++;
	if (f->remove && event->error == ENOENT)
		return; /* what should go is gone */
	if (newest)
		e->flags |= ENTRY_REFUSED;
	for (uint64_t n = f->last_ticket; n; n = tickets_older(&m->tickets, n))
		tickets_get(&m->tickets, n)->error = event->error;
}

static void read_events(struct mirror *m)
{
	struct event event;

	/* Only what is there now: a peer that goes on writing must not hold the loop. */
	for (uint32_t count = ring_used_count(&m->attachment->event); count && m->attachment;
		count--) {
		if (!ring_get(&m->attachment->event, &event))
			break;
		if (event.type == EVENT_REFUSED)
			refused(m, &event);
		else if (m->callbacks.on_event)
			m->callbacks.on_event(m->callbacks.context, &event);
	}
}

/* Reports tickets in order; true when there are more than a turn's worth. */
static bool report_done(struct mirror *m)
{
	for (uint32_t count = 0; m->tickets.first != m->tickets.next; count++) {
		uint64_t number = m->tickets.first;
		struct ticket t = *tickets_get(&m->tickets, number);
		if (t.sequence > m->applied)
			return false;
		if (count == TURN_DONE)
			return true;
		m->tickets.first++;
		entry_at(m, t.entry)->tickets--;
		release_if_unwanted(m, t.entry);
		m->callbacks.on_done(m->callbacks.context, number, t.error);
	}
	return false;
}

bool mirror_poll(struct mirror *mirror)
{
	if (!mirror->attachment)
		return false;
	/* First how far it came, then the events: those of refused commands precede it on the ring
	 * (command.h). */
	uint64_t applied = atomic_load_explicit(
		&mirror->attachment->header->applied_sequence, memory_order_acquire);
	read_events(mirror);
	if (!mirror->attachment)
		return false;
	if (applied < mirror->applied || applied > mirror->sequence)
		violation(mirror, "applied_sequence", applied);
	else
		mirror->applied = applied;
	if (mirror->step == SYNC_SENT && mirror->applied >= mirror->end_sequence) {
		mirror->step = SYNC_DONE;
		mirror->stats.syncs++;
	}
	bool more = report_done(mirror);
	if (!mirror->attachment) /* a callback detached */
		return false;
	return send_all(mirror) || more;
}

/* ---- the dataplane comes and goes ---- */

void mirror_attach(struct mirror *mirror, struct attachment *attachment)
{
	if (mirror->attachment)
		mirror_detach(mirror);
	mirror->attachment = attachment;
	mirror->session++;
	mirror->sequence = mirror->applied = mirror->end_sequence = 0;
	mirror->pending = mirror->cursor = 0;
	mirror->step = SYNC_BEGIN;
	mirror->uncommitted = false;
}

/*
 * Whatever was on its way may have arrived or not, and the next dataplane may be another one: every
 * ticket that was not refused waits for its entry to be sent again, or swept.
 */
void mirror_detach(struct mirror *mirror)
{
	struct tickets *tickets = &mirror->tickets;

	if (!mirror->attachment)
		return;
	mirror->attachment = NULL;
	mirror->step = SYNC_BEGIN;
	for (uint64_t n = tickets->first; n != tickets->next; n++)
		entry_at(mirror, tickets_get(tickets, n)->entry)->last_ticket = 0;
	for (uint64_t n = tickets->first; n != tickets->next; n++) {
		struct ticket *t = tickets_get(tickets, n);
		struct entry *e = entry_at(mirror, t->entry);
		if (t->error) {
			t->sequence = 0;
			continue;
		}
		t->sequence = TICKET_UNSENT;
		tickets_chain(tickets, n, e->last_ticket);
		e->last_ticket = n;
		entries_enqueue(&mirror->entries, t->entry, entries_queue_of(e));
	}
}

void mirror_hold(struct mirror *mirror, bool hold)
{
	if (mirror->held && !hold && mirror->step > SYNC_SA && mirror->step <= SYNC_END) {
		mirror->step = SYNC_SA; /* what was left out; what was sent is not sent again */
		mirror->cursor = 0;
	}
	mirror->held = hold;
}

bool mirror_synced(const struct mirror *mirror)
{
	return mirror->attachment && mirror->step == SYNC_DONE;
}

uint64_t mirror_ticket(const struct mirror *mirror)
{
	return mirror->tickets.next - 1;
}

struct mirror_stats mirror_stats(const struct mirror *mirror)
{
	struct mirror_stats stats = mirror->stats;

	for (unsigned q = 0; q < QUEUE_COUNT; q++)
		stats.waiting += mirror->entries.queues[q].count;
	stats.desired = mirror->entries.desired;
	stats.in_flight = mirror->attachment ? mirror->sequence - mirror->applied : 0;
	stats.tickets = mirror->tickets.next - mirror->tickets.first;
	stats.attached = mirror->attachment;
	stats.synced = mirror_synced(mirror);
	return stats;
}
