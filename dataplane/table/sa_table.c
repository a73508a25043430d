#include "dataplane/table/sa_lane.h"
#include "dataplane/table/sa_table_private.h"

#include "dataplane/crypto/key.h"
#include "dataplane/crypto/suite.h"
#include "dataplane/tsc_clock.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>

#define SPARE_MAX 4096 /* objects that wait for a grace period besides those in use */

static uint32_t with_spare(uint32_t count)
{
	return count + (count < SPARE_MAX ? count : SPARE_MAX);
}

static void *array_map(size_t count, size_t size)
{
	return slab_map(count * size);
}

int sa_table_init(struct sa_table *table, struct retirement *retirement, uint32_t sas,
	uint32_t window_max, bool shared)
{
	int error;

	memset(table, 0, sizeof(*table));
	if (sas == 0)
		return 0;
	table->retirement = retirement;
	table->count = sas;
	table->window_max = window_max;
	table->window_words = sa_window_words(window_max);
	table->shared = shared;
	table->secret = hash_key_random();
	table->allowance = SA_ALLOWANCE;
	error = slab_init(&table->inbound, sizeof(struct sa_inbound) + sizeof(struct crypto_key),
		with_spare(sas));
	if (!error)
		error = slab_init(&table->outbound,
			sizeof(struct sa_outbound) + sizeof(struct crypto_key), with_spare(sas));
	if (!error)
		error = slab_init(&table->selectors, sizeof(struct sa_selector), with_spare(sas));
	if (!error)
		error = slot_table_init(&table->spis, sas + 1);
	if (!error)
		error = slot_table_init(&table->peers, sas + 1);
	if (error)
		return error;
	slab_keep_secret(&table->inbound, sizeof(struct crypto_key));
	slab_keep_secret(&table->outbound, sizeof(struct crypto_key));
	table->inbound_of = array_map(sas, sizeof(*table->inbound_of));
	table->outbound_of = array_map(sas, sizeof(*table->outbound_of));
	for (unsigned i = 0; i < 2; i++)
		table->records[i] = slab_map_small(sas * sizeof(*table->records[i]));
	return table->inbound_of && table->outbound_of && table->records[0] && table->records[1]
		       ? 0
		       : -ENOMEM;
}

void sa_table_fini(struct sa_table *table)
{
	secret_wipe(&table->staging, sizeof(table->staging));
	sa_owner_free(table->owner);
	slab_fini(&table->inbound);
	slab_fini(&table->outbound);
	slab_fini(&table->selectors);
	slot_table_fini(&table->spis);
	slot_table_fini(&table->peers);
	slab_unmap(table->inbound_of, table->count * sizeof(*table->inbound_of));
	slab_unmap(table->outbound_of, table->count * sizeof(*table->outbound_of));
	for (unsigned i = 0; i < 2; i++)
		slab_unmap(table->records[i], table->count * sizeof(*table->records[i]));
	memset(table, 0, sizeof(*table));
}

void sa_table_attach(
	struct sa_table *table, const struct sa_region *region, struct crypto_library *library)
{
	table->region = *region;
	table->library = library;
}

int sa_table_own(struct sa_table *table, uint32_t workers, struct rte_rcu_qsbr *qsbr)
{
	table->owner = sa_owner_new(table->count, workers, qsbr);
	if (!table->owner)
		return -errno;
	table->shared = false;
	return 0;
}

uint64_t sa_table_objects(const struct sa_table *table)
{
	/* An inbound one may wait twice: its key, then all of it. */
	return 2 * (uint64_t)table->inbound.capacity + table->outbound.capacity +
	       table->selectors.capacity;
}

/* ---- staging ---- */

static void staging_clear(struct sa_table *table)
{
	secret_wipe(&table->staging, sizeof(table->staging));
}

/* What was staged for another SA is forgotten. NULL for an SA that cannot be. */
static struct sa_staging *staging_for(struct sa_table *table, uint8_t direction, uint32_t sa_id)
{
	struct sa_staging *s = &table->staging;

	if (direction > SA_OUTBOUND || sa_id >= table->count)
		return NULL;
	if (s->sa_id != sa_id || s->direction != direction)
		staging_clear(table);
	s->sa_id = sa_id;
	s->direction = direction;
	return s;
}

static int stage_key(struct sa_table *table, const struct sa_key_command *c)
{
	struct sa_staging *s = staging_for(table, c->direction, c->sa_id);

	if (!s || c->encryption_length > SA_ENCRYPTION_KEY_MAX ||
		c->integrity_length > SA_INTEGRITY_KEY_MAX)
		return -EINVAL;
	s->key_command = *c;
	s->key = true;
	return 0;
}

static int stage_limits(struct sa_table *table, const struct sa_limits_command *c)
{
	struct sa_staging *s = staging_for(table, c->direction, c->sa_id);

	if (!s)
		return -EINVAL;
	s->limits_command = *c;
	s->limits = true;
	return 0;
}

static int stage_selector(struct sa_table *table, const struct sa_selector_command *c)
{
	struct sa_staging *s = staging_for(table, c->direction, c->sa_id);

	if (!s || s->selector_count == SA_SELECTORS_MAX || sa_table_check_selector(&c->selector))
		return -EINVAL;
	s->selectors[s->selector_count++] = c->selector;
	return 0;
}

static uint64_t fingerprint(
	const struct sa_table *table, const struct sa_command *c, const struct sa_key_command *key)
{
	uint64_t print;
	uint8_t all[4 + SA_ENCRYPTION_KEY_MAX + SA_INTEGRITY_KEY_MAX] = {0};

	all[0] = (uint8_t)c->encryption;
	all[1] = (uint8_t)c->integrity;
	all[2] = key->encryption_length;
	all[3] = key->integrity_length;
	memcpy(all + 4, key->encryption_key, key->encryption_length);
	memcpy(all + 4 + key->encryption_length, key->integrity_key, key->integrity_length);
	print = hash_bytes(&table->secret, all, sizeof(all));
	secret_wipe(all, sizeof(all));
	return print;
}

/* ---- SA_SET ---- */

/* The state may be that of a dataplane in which each SA was one worker's, killed at any instant. */
static void window_resume(struct sa_table *table, const struct sa_command *c)
{
	const struct sa_inbound resumed = {.sa_id = c->sa_id,
		.window = c->replay_window,
		.window_mask = (uint8_t)(sa_window_words(c->replay_window) - 1)};
	const struct replay_window window = sa_inbound_window(table, &resumed);

	if (table->shared)
		replay_window_share(&window);
}

/* A number starts where nobody else was, or goes on where the region says (SA_RESUME). Control's
 * own words stay. */
static void state_start(struct sa_table *table, const struct sa_command *c)
{
	if (c->flags & SA_RESUME) {
		if (c->direction == SA_INBOUND)
			window_resume(table, c);
		return;
	}
	if (c->direction == SA_OUTBOUND) {
		struct sa_outbound_state *state = sa_outbound_state(table, c->sa_id);
		atomic_store(&state->sequence, 0);
		atomic_store(&state->packets, 0);
		atomic_store(&state->bytes, 0);
		atomic_store(&state->last_use_ns, 0);
		atomic_store(&state->expired, 0);
		return;
	}
	struct sa_inbound_state *state = sa_inbound_state(table, c->sa_id);
	_Atomic uint64_t *words = table->region.windows + (size_t)c->sa_id * table->window_words;
	for (uint32_t i = 0; i < table->window_words; i++)
		atomic_store_explicit(&words[i], 0, memory_order_relaxed);
	atomic_store(&state->highest, 0);
	atomic_store(&state->front, 0);
	atomic_store(&state->packets, 0);
	atomic_store(&state->bytes, 0);
	atomic_store(&state->last_use_ns, 0);
	atomic_store(&state->expired, 0);
	atomic_store(&state->replays, 0);
	atomic_store(&state->replays_late, 0);
	atomic_store(&state->bad_icv, 0);
}

static struct sa_limits limits_of(const struct sa_table *table, const struct tsc_clock *clock)
{
	const struct sa_limits_command none = {0};

	return sa_table_build_limits(
		table->staging.limits ? &table->staging.limits_command : &none, clock);
}

static bool is_port_asked(const struct sa_staging *s)
{
	for (uint32_t i = 0; i < s->selector_count; i++) {
		struct sa_selector selector;
		sa_table_build_selector(&selector, &s->selectors[i]);
		if (!selector.any_port)
			return true;
	}
	return false;
}

/* Room comes with the end of a grace period, or not at all. */
static int full(const struct sa_table *table)
{
	return retirement_count(table->retirement) > 0 ? -EAGAIN : -ENOSPC;
}

/* Into a new object: that of the SA that is moved, or, `from` NULL, what was staged. */
static void key_put(struct sa_table *table, const struct suite *suite,
	const struct crypto_key *from, struct crypto_key *key)
{
	if (from)
		*key = *from;
	else
		crypto_key_expand(table->library, suite, table->staging.key_command.encryption_key,
			table->staging.key_command.integrity_key, key);
}

/* `from` is the live SA that is moved, or NULL for a new one. */
static int outbound_put(struct sa_table *table, const struct sa_command *c,
	const struct sa_outbound *from, const struct suite *suite, const struct tsc_clock *clock)
{
	uint32_t old = table->outbound_of[c->sa_id], slot = slab_take(&table->outbound);
	struct sa_outbound *sa = slab_at(&table->outbound, slot);

	if (slot == 0)
		return full(table);
	sa_table_build_outbound(sa, c);
	sa->suite = suite;
	sa->suite_row = (uint8_t)suite_row(suite);
	sa->key = sa_outbound_key(sa);
	key_put(table, suite, from ? from->key : NULL, sa->key);
	sa->iv_length = suite->iv_length;
	sa->limits = from && !table->staging.limits ? from->limits : limits_of(table, clock);
	sa->selects_ports = from && table->staging.selector_count == 0
				    ? from->selects_ports
				    : is_port_asked(&table->staging);
	if (from)
		sa_table_outbound_prove(table, sa, from);
	sa_table_watch_set(
		&sa->watch, &sa->limits, atomic_load(&sa_outbound_state(table, c->sa_id)->expired));
	sa_lane_build(table, sa);
	sa_table_index_outbound(table, c->sa_id, old, slot);
	return 0;
}

/* 0 when it is an IPv6 address. */
static be32 host_of(const struct sa_selector *selector)
{
	const uint64_t number[2] = {__builtin_bswap64(selector->remote_first[0]),
		__builtin_bswap64(selector->remote_first[1])};
	struct ip_address remote;

	memcpy(&remote, number, sizeof(remote));
	return ip_address_is_v4(&remote) ? ip_address_v4(&remote) : 0;
}

static int inbound_put(struct sa_table *table, const struct sa_command *c,
	const struct sa_inbound *from, const struct suite *suite, const struct tsc_clock *clock)
{
	uint32_t old = table->inbound_of[c->sa_id], slot = slab_take(&table->inbound);
	struct sa_inbound *sa = slab_at(&table->inbound, slot);
	bool fresh = !from || table->staging.selector_count > 0;

	if (slot == 0)
		return full(table);
	memset(sa, 0, sizeof(*sa));
	sa_table_build_inbound(sa, c);
	sa->state = suite ? SA_STATE_LIVE : SA_STATE_LARVAL;
	sa->suite = suite;
	sa->key = sa_inbound_key(sa);
	if (suite) {
		key_put(table, suite, from ? from->key : NULL, sa->key);
		sa->iv_length = suite->iv_length;
		sa->icv_length = suite->icv_length;
		sa->alignment = suite->alignment;
	}
	sa->limits = from && !table->staging.limits ? from->limits : limits_of(table, clock);
	if (!fresh) {
		sa->selector = from->selector;
	} else if (suite && !sa_table_selectors_build(table, sa)) {
		slab_give(&table->inbound, slot);
		return -ENOSPC;
	}
	if (sa->selector.remote_host)
		sa->host = host_of(&sa->selector);
	if (!sa->selector.host)
		sa->flags |= SA_ASKS_LOCAL;
	sa_table_build_usual(sa);
	if (from)
		sa_table_inbound_prove(sa, from);
	sa_table_watch_set(
		&sa->watch, &sa->limits, atomic_load(&sa_inbound_state(table, c->sa_id)->expired));
	if (!sa_table_index_inbound(table, c->sa_id, old, slot)) {
		if (fresh && suite)
			sa_table_selectors_retire(table, sa);
		slab_give(&table->inbound, slot);
		return -ENOSPC;
	}
	if (fresh && from)
		sa_table_selectors_retire(table, from);
	return 0;
}

static void remove_one(
	struct sa_table *table, uint8_t direction, uint32_t sa_id, const struct tsc_clock *clock)
{
	struct sa_record *record = &table->records[direction][sa_id];

	if (direction == SA_OUTBOUND) {
		uint32_t slot = table->outbound_of[sa_id];
		if (slot == 0)
			return;
		sa_table_index_outbound(table, sa_id, slot, 0);
	} else {
		struct sa_inbound *sa = (struct sa_inbound *)sa_inbound_get(table, sa_id);
		if (!sa || sa->state == SA_STATE_REMOVED)
			return;
		sa->removed_until_tsc =
			clock->tsc + tsc_clock_cycles(clock, SA_REMOVED_S * CLOCK_NS_PER_S);
		__atomic_store_n(&sa->state, SA_STATE_REMOVED, __ATOMIC_RELEASE);
		sa_table_selectors_retire(table, sa);
		retirement_add_secret(table->retirement, &table->inbound, table->inbound_of[sa_id]);
	}
	record->keyed = false;
	record->removed_at = table->retirement->tail;
	table->used[direction]--;
}

static bool is_live(const struct sa_table *table, uint8_t direction, uint32_t sa_id)
{
	const struct sa_inbound *sa;

	if (direction == SA_OUTBOUND)
		return table->outbound_of[sa_id] != 0;
	sa = sa_inbound_get(table, sa_id);
	return sa && sa->state != SA_STATE_REMOVED;
}

static be32 spi_of(const struct sa_table *table, uint8_t direction, uint32_t sa_id)
{
	return direction == SA_OUTBOUND ? sa_outbound_get(table, sa_id)->spi
					: sa_inbound_get(table, sa_id)->spi;
}

static int suite_of(
	const struct sa_table *table, const struct sa_command *c, const struct suite **suite)
{
	const struct sa_key_command *key = &table->staging.key_command;
	enum suite_error error = SUITE_FOUND;

	*suite = suite_find(
		c->encryption, c->integrity, key->encryption_length, key->integrity_length, &error);
	if (*suite)
		return 0;
	return error == SUITE_UNKNOWN_ENCRYPTION || error == SUITE_UNKNOWN_INTEGRITY ||
			       error == SUITE_NOT_OFFERED
		       ? -ENOTSUP
		       : -EINVAL;
}

/* KIF-10: what makes an SA what it is does not change while it lives. */
static int move(struct sa_table *table, const struct sa_command *c, const struct tsc_clock *clock)
{
	const struct sa_record *record = &table->records[c->direction][c->sa_id];
	const uint32_t fixed = SA_TRANSPORT | SA_ESN | SA_LARVAL;

	if (record->encryption != c->encryption || record->integrity != c->integrity ||
		((record->flags ^ c->flags) & fixed) ||
		(c->direction == SA_INBOUND && record->window != c->replay_window))
		return -EEXIST;
	if (table->staging.key &&
		fingerprint(table, c, &table->staging.key_command) != record->key_fingerprint)
		return -EEXIST;
	if (c->direction == SA_OUTBOUND) {
		const struct sa_outbound *sa = sa_outbound_get(table, c->sa_id);
		return outbound_put(table, c, sa, sa->suite, clock);
	}
	const struct sa_inbound *sa = sa_inbound_get(table, c->sa_id);
	return inbound_put(table, c, sa, sa->suite, clock);
}

/* A removed SA with this SPI elsewhere gives it up; a live one keeps it. */
static int spi_claim(struct sa_table *table, const struct sa_command *c)
{
	const struct sa_inbound *other = sa_inbound_lookup(table, c->spi);

	if (!other || other->sa_id == c->sa_id)
		return 0;
	if (other->state != SA_STATE_REMOVED)
		return -EEXIST;
	sa_table_index_inbound(table, other->sa_id, table->inbound_of[other->sa_id], 0);
	return 0;
}

static int create(struct sa_table *table, const struct sa_command *c, const struct tsc_clock *clock)
{
	struct sa_record *record = &table->records[c->direction][c->sa_id];
	const struct suite *suite = NULL;
	int error = 0;

	/* Workers may still count for the one that was here. */
	if (table->retirement->head < record->removed_at)
		return -EAGAIN;
	if (!(c->flags & SA_LARVAL)) {
		if (!table->staging.key ||
			(c->direction == SA_INBOUND && table->staging.selector_count == 0))
			return -EINVAL;
		error = suite_of(table, c, &suite);
	} else if (c->direction == SA_OUTBOUND) {
		error = -EINVAL; /* numbers are given out for what will come in alone */
	}
	if (!error && c->direction == SA_INBOUND)
		error = spi_claim(table, c);
	if (error)
		return error;
	state_start(table, c);
	error = c->direction == SA_OUTBOUND ? outbound_put(table, c, NULL, suite, clock)
					    : inbound_put(table, c, NULL, suite, clock);
	if (error)
		return error;
	record->keyed = suite != NULL;
	record->key_fingerprint = suite ? fingerprint(table, c, &table->staging.key_command) : 0;
	table->used[c->direction]++;
	return 0;
}

/* MP-05; a worker that is not there any more was wished in vain. */
static int own(struct sa_table *table, const struct sa_command *c)
{
	if (!table->owner || c->worker == 0 || c->worker > table->owner->workers)
		return 0;
	return sa_owner_move(table->owner, c->direction, c->sa_id, c->worker - 1u);
}

static int set(struct sa_table *table, const struct sa_command *c, const struct tsc_clock *clock,
	uint32_t generation, bool syncing)
{
	struct sa_record *record;
	struct sa_staging *s;
	int error = table->region.inbound ? sa_table_check(table, c) : -EINVAL;

	if (!error)
		error = own(table, c);
	if (error)
		return error;
	s = staging_for(table, c->direction, c->sa_id);
	record = &table->records[c->direction][c->sa_id];
	bool live = is_live(table, c->direction, c->sa_id);
	if (live && spi_of(table, c->direction, c->sa_id) != c->spi) {
		/* A control that lost its memory numbers its SAs anew. */
		if (!syncing || record->generation == generation)
			return -EEXIST;
		remove_one(table, c->direction, c->sa_id, clock);
		live = false;
	}
	if (live && !record->keyed && s->key) { /* larval: now it gets its keys */
		remove_one(table, c->direction, c->sa_id, clock);
		record->removed_at = 0; /* nothing was counted for it */
		live = false;
	}
	error = live ? move(table, c, clock) : create(table, c, clock);
	if (error)
		return error;
	record->generation = generation;
	record->encryption = (uint8_t)c->encryption;
	record->integrity = (uint8_t)c->integrity;
	record->window = c->replay_window;
	record->flags = (uint16_t)c->flags;
	return 0;
}

int sa_table_apply(struct sa_table *table, const struct command *c, const struct tsc_clock *clock,
	uint32_t generation, bool syncing)
{
	int error;

	if (table->count == 0)
		return -EINVAL;
	switch (c->type) {
	case COMMAND_SA_KEY:
		return stage_key(table, &c->sa_key);
	case COMMAND_SA_LIMITS:
		return stage_limits(table, &c->sa_limits);
	case COMMAND_SA_SELECTOR:
		return stage_selector(table, &c->sa_selector);
	case COMMAND_SA_SET:
		error = set(table, &c->sa, clock, generation, syncing);
		if (error != -EAGAIN)
			staging_clear(table);
		return error;
	case COMMAND_SA_REMOVE:
		if (c->sa.sa_id >= table->count || c->sa.direction > SA_OUTBOUND)
			return -EINVAL;
		if (is_live(table, c->sa.direction, c->sa.sa_id))
			remove_one(table, c->sa.direction, c->sa.sa_id, clock);
		return 0;
	default:
		return -EINVAL;
	}
}

void sa_table_forget(struct sa_table *table)
{
	staging_clear(table);
}

void sa_table_sweep(struct sa_table *table, uint32_t generation, const struct tsc_clock *clock)
{
	static const uint8_t directions[] = {SA_INBOUND, SA_OUTBOUND};

	for (unsigned d = 0; d < sizeof(directions); d++)
		for (uint32_t i = 0; i < table->count; i++)
			if (is_live(table, directions[d], i) &&
				table->records[directions[d]][i].generation != generation)
				remove_one(table, directions[d], i, clock);
}
