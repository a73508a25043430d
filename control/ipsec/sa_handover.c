#include "control/ipsec/sa_handover.h"

#include "lib/base/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct line_key { /* of the map */
	uint32_t identity[2];
	uint32_t direction;
};

struct sa_handover {
	const struct attachment *attachment; /* NULL: none */
	struct attachment former;            /* header NULL: none */
	struct map *lines;                   /* -> slot */
	struct sa_handover_counters counters;
};

struct sa_handover *sa_handover_new(uint32_t slots)
{
	struct sa_handover *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->former = (struct attachment){.socket = -1, .command_doorbell = -1, .event_doorbell = -1};
	h->lines = map_new(sizeof(struct line_key), 2 * (slots ? slots : 1));
	if (!h->lines) {
		free(h);
		errno = ENOMEM;
		return NULL;
	}
	return h;
}

void sa_handover_free(struct sa_handover *handover)
{
	if (!handover)
		return;
	attach_close(&handover->former);
	map_free(handover->lines);
	free(handover);
}

void sa_handover_keep(struct sa_handover *handover, struct attachment *former)
{
	attach_close(&handover->former);
	handover->former = *former;
	handover->attachment = NULL;
	*former = (struct attachment){.socket = -1, .command_doorbell = -1, .event_doorbell = -1};
}

static uint32_t load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static struct line_key inbound_key(const struct attachment *a, uint32_t slot)
{
	const struct sa_inbound_state *s = &a->sa_inbound[slot];

	return (struct line_key){{load(&s->identity[0]), load(&s->identity[1])}, SA_INBOUND};
}

static struct line_key outbound_key(const struct attachment *a, uint32_t slot)
{
	const struct sa_outbound_state *s = &a->sa_outbound[slot];

	return (struct line_key){{load(&s->identity[0]), load(&s->identity[1])}, SA_OUTBOUND};
}

static bool is_owned(const struct line_key *key)
{
	return key->identity[0] || key->identity[1];
}

/* The old owner is dead, the new one does not look before SA_SET. */
static void copy_line(void *to, const void *from, size_t size)
{
	const volatile uint64_t *source = from;
	volatile uint64_t *target = to;

	for (size_t i = 0; i < size / sizeof(uint64_t); i++)
		target[i] = source[i];
}

/*
 * The bitmap of one SA: as it is between regions of one layout, whose words are the dataplane's
 * business. Into another layout nothing is copied; the window is moved to the right of everything
 * that was accepted, so that none of it is accepted again, and what is newer is.
 */
static void copy_window(struct sa_handover *h, const struct attachment *to, uint32_t slot)
{
	const struct attachment *from = &h->former;
	size_t words = sa_window_words(to->limits.replay_window);
	_Atomic uint64_t *highest = &to->sa_inbound[slot].highest;
	uint64_t number = atomic_load_explicit(highest, memory_order_relaxed);

	if (from->limits.replay_window == to->limits.replay_window) {
		copy_line((void *)(uintptr_t)(to->sa_windows + slot * words),
			(const void *)(uintptr_t)(from->sa_windows + slot * words),
			words * sizeof(uint64_t));
		return;
	}
	if (number)
		atomic_store_explicit(
			highest, number + to->limits.replay_window, memory_order_relaxed);
	h->counters.reset++;
}

static void copy_all(struct sa_handover *h, const struct attachment *to)
{
	const struct attachment *from = &h->former;
	uint32_t count = from->limits.sas < to->limits.sas ? from->limits.sas : to->limits.sas;

	for (uint32_t slot = 0; slot < count; slot++) {
		struct line_key in = inbound_key(from, slot), out = outbound_key(from, slot);
		if (is_owned(&in)) {
			copy_line(&to->sa_inbound[slot], &from->sa_inbound[slot],
				sizeof(struct sa_inbound_state));
			copy_window(h, to, slot);
			h->counters.copied++;
		}
		if (is_owned(&out)) {
			copy_line(&to->sa_outbound[slot], &from->sa_outbound[slot],
				SA_OUTBOUND_STATE_OWN);
			h->counters.copied++;
		}
	}
}

static void index_lines(struct sa_handover *h, const struct attachment *a)
{
	map_clear(h->lines);
	for (uint32_t slot = 0; slot < a->limits.sas; slot++) {
		struct line_key in = inbound_key(a, slot), out = outbound_key(a, slot);
		if (is_owned(&in))
			(void)map_put(h->lines, &in, slot); /* full: then it is not found */
		if (is_owned(&out))
			(void)map_put(h->lines, &out, slot);
	}
}

void sa_handover_attached(struct sa_handover *handover, const struct attachment *attachment)
{
	if (handover->former.header && handover->former.epoch != attachment->epoch)
		copy_all(handover, attachment);
	attach_close(&handover->former);
	handover->attachment = attachment;
	index_lines(handover, attachment);
}

static struct line_key key_of(const struct sa *sa)
{
	return (struct line_key){{sa->identity[0], sa->identity[1]}, sa->command.direction};
}

uint32_t sa_handover_find(const struct sa_handover *handover, const struct sa *sa)
{
	struct line_key key = key_of(sa);
	uint64_t slot;

	if (!sa->keys || !map_get(handover->lines, &key, &slot))
		return SA_SLOT_NONE;
	return (uint32_t)slot;
}

bool sa_handover_owned(
	const struct sa_handover *handover, enum sa_direction direction, uint32_t slot)
{
	const struct attachment *a = handover->attachment;

	if (!a || slot >= a->limits.sas)
		return false;
	struct line_key there =
		direction == SA_INBOUND ? inbound_key(a, slot) : outbound_key(a, slot);
	return is_owned(&there);
}

bool sa_handover_is_own(const struct sa_handover *handover, const struct sa *sa)
{
	const struct attachment *a = sa_handover_region(handover);
	uint32_t slot = sa->command.sa_id;
	struct line_key key = key_of(sa);

	if (!a || !slot || slot >= a->limits.sas)
		return false;
	struct line_key there =
		key.direction == SA_INBOUND ? inbound_key(a, slot) : outbound_key(a, slot);
	return memcmp(&there, &key, sizeof(key)) == 0;
}

uint32_t sa_handover_lines(const struct sa_handover *handover)
{
	return map_count(handover->lines);
}

const struct attachment *sa_handover_region(const struct sa_handover *handover)
{
	if (handover->attachment)
		return handover->attachment;
	return handover->former.header ? &handover->former : NULL;
}

static void own(const struct attachment *a, const struct line_key *key, uint32_t slot)
{
	_Atomic uint32_t *identity = key->direction == SA_INBOUND ? a->sa_inbound[slot].identity
								  : a->sa_outbound[slot].identity;

	atomic_store_explicit(&identity[0], key->identity[0], memory_order_relaxed);
	atomic_store_explicit(&identity[1], key->identity[1], memory_order_relaxed);
}

bool sa_handover_claim(struct sa_handover *handover, const struct sa *sa)
{
	const struct attachment *a = handover->attachment;
	uint32_t slot = sa->command.sa_id;
	struct line_key key = key_of(sa);

	if (!a || slot >= a->limits.sas || !sa->keys)
		return false;
	struct line_key there =
		sa->command.direction == SA_INBOUND ? inbound_key(a, slot) : outbound_key(a, slot);
	if (memcmp(&there, &key, sizeof(key)) == 0) {
		handover->counters.adopted++;
		return true;
	}
	if (is_owned(&there))
		map_remove(handover->lines, &there, NULL);
	own(a, &key, slot);
	(void)map_put(handover->lines, &key, slot);
	return false;
}

uint32_t sa_handover_ends(const struct sa_command *command)
{
	uint32_t hash = 0x811c9dc5u; /* FNV-1a: of what we ourselves were told */

	for (unsigned i = 0; i < sizeof(command->local.bytes); i++)
		hash = (hash ^ command->local.bytes[i]) * 0x01000193u;
	for (unsigned i = 0; i < sizeof(command->remote.bytes); i++)
		hash = (hash ^ command->remote.bytes[i]) * 0x01000193u;
	hash = (hash ^ command->local_port) * 0x01000193u;
	return (hash ^ command->remote_port) * 0x01000193u;
}

static struct sa_note *note_of(
	const struct attachment *a, enum sa_direction direction, uint32_t slot)
{
	return &a->sa_notes[(size_t)direction * a->limits.sas + slot];
}

void sa_handover_note(struct sa_handover *handover, const struct sa *sa)
{
	const struct attachment *a = handover->attachment;
	uint32_t slot = sa->command.sa_id;

	if (!a || slot >= a->limits.sas)
		return;
	struct sa_note *note = note_of(a, (enum sa_direction)sa->command.direction, slot);
	note->remote = sa->command.remote;
	note->remote_port = sa->command.remote_port;
	note->wanted = sa->wanted;
	atomic_store_explicit(&note->created_ns, sa->created_ns, memory_order_release);
}

void sa_handover_recall(const struct sa_handover *handover, struct sa *sa, uint32_t slot)
{
	const struct attachment *a = handover->attachment;

	if (!a || slot >= a->limits.sas)
		return;
	const struct sa_note *note = note_of(a, (enum sa_direction)sa->command.direction, slot);
	monotonic created_ns = atomic_load_explicit(&note->created_ns, memory_order_acquire);
	if (created_ns == 0 || created_ns > sa->created_ns)
		return;
	sa->created_ns = created_ns;
	if (!sa->follow_mapping || !(sa->command.flags & SA_UDP) || note->wanted != sa->wanted ||
		!ip_address_is_unicast(&note->remote) || note->remote_port == 0 ||
		ip_address_is_v4(&note->remote) != ip_address_is_v4(&sa->command.local))
		return;
	sa->command.remote = note->remote;
	sa->command.remote_port = note->remote_port;
}

struct sa_handover_counters sa_handover_counters_get(const struct sa_handover *handover)
{
	return handover->counters;
}
