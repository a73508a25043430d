#include "control/mirror/mirror.h"

#include "control/mirror/entries.h"
#include "control/mirror/sender.h"
#include "control/mirror/tickets.h"
#include "lib/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TURN_DONE 2048u /* tickets reported per call of mirror_poll */

struct mirror {
	struct mirror_callbacks callbacks;
	struct entries entries;
	struct tickets tickets;
	struct sender sender;
	uint64_t refused, nonsense; /* since start */
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
	int error = sender_init(&m->sender, &m->entries, &m->tickets, &m->callbacks);
	if (!error)
		error = tickets_init(&m->tickets);
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
	sender_fini(&mirror->sender);
	free(mirror);
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
	entries_get(&m->entries, index)->tickets++;
	return number;
}

static void wait_for_send(struct mirror *m, uint32_t index, uint64_t number)
{
	struct entry *e = entries_get(&m->entries, index);

	tickets_chain(&m->tickets, number, e->last_ticket);
	e->last_ticket = number;
	entries_enqueue(&m->entries, index, entries_queue_of(e));
}

/* Nothing to send: the ticket waits for the command that said the same before, when that is still
 * on its way. */
static void wait_for_last(struct mirror *m, const struct entry *e, uint64_t number)
{
	struct ticket *t = tickets_get(&m->tickets, number);
	uint64_t behind = (uint32_t)m->sender.sequence - e->sequence;
	uint64_t sequence = m->sender.sequence - behind;
	struct in_flight *f = sender_in_flight(&m->sender, sequence);

	if (!f) {
		t->sequence = 0;
		return;
	}
	t->sequence = sequence;
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

	if (!entries_is_reference((uint16_t)entries_set_type(type))) {
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
	if (!number && !entries_get(&mirror->entries, *index)->flags &&
		!entries_get(&mirror->entries, *index)->tickets)
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
	struct entry *e = entries_get(&mirror->entries, index);
	bool told = sender_told(&mirror->sender, e);
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
	struct entry *e = entries_get(&mirror->entries, index);
	if (e->flags & ENTRY_DESIRED)
		mirror->entries.desired--;
	else if (!sender_told(&mirror->sender, e)) /* may be new: the key must be in it */
		memcpy(e->payload, command->payload, sizeof(e->payload));
	e->flags &= (uint8_t)~ENTRY_DESIRED;
	wait_for_send(mirror, index, number);
	return number;
}

bool mirror_get(const struct mirror *mirror, struct command *command)
{
	uint32_t index = entries_find(&mirror->entries, command);

	if (index == ENTRY_NONE || !(entries_get(&mirror->entries, index)->flags & ENTRY_DESIRED))
		return false;
	memcpy(command->payload, entries_get(&mirror->entries, index)->payload, ENTRY_PAYLOAD_SIZE);
	return true;
}

/* ---- hearing from the dataplane ---- */

static void violation(struct mirror *m, const char *what, uint64_t value)
{
	m->nonsense++;
	log_limited(&m->violations, clock_read().monotonic_ns, LOG_LEVEL_WARNING,
		"dataplane_nonsense", "what=%s value=%llu", what, (unsigned long long)value);
}

static void refused(struct mirror *m, const struct event *event)
{
	struct in_flight *f = sender_in_flight(&m->sender, event->sequence);

	if (!f || event->error <= 0) {
		violation(m, "refused_sequence", event->sequence);
		return;
	}
	struct entry *e = f->entry == ENTRY_NONE ? NULL : entries_get(&m->entries, f->entry);
	bool newest = e && e->sequence == (uint32_t)event->sequence;
	m->refused++;
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
	for (uint32_t count = ring_used_count(&m->sender.attachment->event);
		count && m->sender.attachment; count--) {
		if (!ring_get(&m->sender.attachment->event, &event))
			break;
		if (event.type == EVENT_REFUSED)
			refused(m, &event);
		else if (m->callbacks.on_event)
			m->callbacks.on_event(m->callbacks.context, &event);
	}
}

static void release_if_unwanted(struct mirror *m, uint32_t index)
{
	struct entry *e = entries_get(&m->entries, index);

	if (!(e->flags & ENTRY_DESIRED) && e->queue == QUEUE_NONE && !e->tickets)
		entries_release(&m->entries, index);
}

/* Reports tickets in order; true when there are more than a turn's worth. */
static bool report_done(struct mirror *m)
{
	for (uint32_t count = 0; m->tickets.first != m->tickets.next; count++) {
		uint64_t number = m->tickets.first;
		struct ticket t = *tickets_get(&m->tickets, number);
		if (t.sequence > m->sender.applied)
			return false;
		if (count == TURN_DONE)
			return true;
		m->tickets.first++;
		entries_get(&m->entries, t.entry)->tickets--;
		release_if_unwanted(m, t.entry);
		m->callbacks.on_done(m->callbacks.context, number, t.error);
	}
	return false;
}

bool mirror_poll(struct mirror *mirror)
{
	if (!mirror->sender.attachment)
		return false;
	/* First how far it came, then the events: those of refused commands precede it on the ring
	 * (command.h). */
	uint64_t applied = atomic_load_explicit(
		&mirror->sender.attachment->header->applied_sequence, memory_order_acquire);
	read_events(mirror);
	if (!mirror->sender.attachment)
		return false;
	if (!sender_applied(&mirror->sender, applied))
		violation(mirror, "applied_sequence", applied);
	bool more = report_done(mirror);
	if (!mirror->sender.attachment) /* a callback detached */
		return false;
	return sender_poll(&mirror->sender) || more;
}

/* ---- the dataplane comes and goes ---- */

void mirror_attach(struct mirror *mirror, struct attachment *attachment)
{
	if (mirror->sender.attachment)
		mirror_detach(mirror);
	sender_attach(&mirror->sender, attachment);
}

/*
 * Whatever was on its way may have arrived or not, and the next dataplane may be another one: every
 * ticket that was not refused waits for its entry to be sent again, or swept.
 */
void mirror_detach(struct mirror *mirror)
{
	struct tickets *tickets = &mirror->tickets;

	if (!mirror->sender.attachment)
		return;
	sender_detach(&mirror->sender);
	for (uint64_t n = tickets->first; n != tickets->next; n++)
		entries_get(&mirror->entries, tickets_get(tickets, n)->entry)->last_ticket = 0;
	for (uint64_t n = tickets->first; n != tickets->next; n++) {
		struct ticket *t = tickets_get(tickets, n);
		struct entry *e = entries_get(&mirror->entries, t->entry);
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
	sender_hold(&mirror->sender, hold);
}

bool mirror_synced(const struct mirror *mirror)
{
	return sender_synced(&mirror->sender);
}

uint64_t mirror_ticket(const struct mirror *mirror)
{
	return mirror->tickets.next - 1;
}

struct mirror_stats mirror_stats(const struct mirror *mirror)
{
	const struct sender *sender = &mirror->sender;
	struct mirror_stats stats = {
		.desired = mirror->entries.desired,
		.in_flight = sender->attachment ? sender->sequence - sender->applied : 0,
		.tickets = mirror->tickets.next - mirror->tickets.first,
		.sent = sender->sent,
		.refused = mirror->refused,
		.syncs = sender->syncs,
		.violations = mirror->nonsense,
		.attached = sender->attachment,
		.synced = mirror_synced(mirror),
	};

	for (unsigned q = 0; q < QUEUE_COUNT; q++)
		stats.waiting += mirror->entries.queues[q].count;
	return stats;
}
