#include "control/ipsec/sa_database.h"

#include "lib/base/map.h"
#include "lib/ipc/sa_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct resting { /* FIFO: all rest equally long */
	monotonic until_ns;
	uint32_t slot; /* 0 none */
	uint32_t spi;  /* inbound, host order; 0 none */
	enum sa_direction direction;
};

struct side {
	struct sa **slots;    /* [count] */
	struct sa **all;      /* dense, any order */
	uint32_t *free_slots; /* ring of those to give out next: the longest unused first */
	uint32_t *free_at;    /* [slot]: where in the ring */
	uint32_t free_first, free_count, used;
	struct map *names;
};

struct sa_database {
	uint32_t count; /* slots, 0 included */
	struct side sides[2];
	struct map *spis;     /* inbound: live, larval (pointer) and resting (0) */
	struct sa_keys *keys; /* [2 * count], secret */
	uint32_t *free_keys;
	uint32_t free_key_count;
	struct resting *resting; /* ring [2 * count] */
	uint32_t resting_first, resting_count;
	uint32_t incarnations;
};

static size_t keys_size(uint32_t count)
{
	return (size_t)2 * count * sizeof(struct sa_keys);
}

/* Page-locked as it is used: a million slots cost nothing before. */
static struct sa_keys *map_keys(uint32_t count)
{
	void *memory = mmap(NULL, keys_size(count), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	(void)mlock2(memory, keys_size(count), MLOCK_ONFAULT); /* as in secret_alloc */
	(void)madvise(memory, keys_size(count), MADV_DONTDUMP);
	return memory;
}

static void give_slot(struct side *side, uint32_t count, uint32_t slot)
{
	uint32_t at = (side->free_first + side->free_count++) % count;

	side->free_slots[at] = slot;
	side->free_at[slot] = at;
}

static int side_init(struct side *side, uint32_t count)
{
	side->slots = calloc(count, sizeof(*side->slots));
	side->all = calloc(count, sizeof(*side->all));
	side->free_slots = calloc(count, sizeof(*side->free_slots));
	side->free_at = calloc(count, sizeof(*side->free_at));
	side->names = map_new(SA_NAME_SIZE, count);
	if (!side->slots || !side->all || !side->free_slots || !side->free_at || !side->names)
		return -ENOMEM;
	for (uint32_t slot = 1; slot < count; slot++)
		give_slot(side, count, slot);
	return 0;
}

struct sa_database *sa_database_new(uint32_t slots)
{
	struct sa_database *d = calloc(1, sizeof(*d));
	uint32_t count = slots ? slots : 1;

	if (!d)
		return NULL;
	d->count = count;
	d->keys = map_keys(count);
	d->spis = map_new(sizeof(uint32_t), 3 * count);
	d->free_keys = calloc((size_t)2 * count, sizeof(*d->free_keys));
	d->resting = calloc((size_t)2 * count, sizeof(*d->resting));
	if (!d->keys || !d->spis || !d->free_keys || !d->resting ||
		side_init(&d->sides[0], count) || side_init(&d->sides[1], count)) {
		sa_database_free(d);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 2 * count; i-- > 0;)
		d->free_keys[d->free_key_count++] = i;
	return d;
}

static void free_sa(struct sa_database *d, struct sa *sa)
{
	if (sa->keys) {
		secret_wipe(sa->keys, sizeof(*sa->keys));
		d->free_keys[d->free_key_count++] = (uint32_t)(sa->keys - d->keys);
	}
	free(sa->selectors);
	free(sa);
}

void sa_database_free(struct sa_database *database)
{
	if (!database)
		return;
	for (unsigned s = 0; s < 2; s++) {
		struct side *side = &database->sides[s];
		for (uint32_t i = 0; i < side->used; i++)
			free_sa(database, side->all[i]);
		free(side->slots);
		free(side->all);
		free(side->free_slots);
		free(side->free_at);
		map_free(side->names);
	}
	if (database->keys)
		munmap(database->keys, keys_size(database->count));
	map_free(database->spis);
	free(database->free_keys);
	free(database->resting);
	free(database);
}

static struct side *side_of(const struct sa_database *d, enum sa_direction direction)
{
	return (struct side *)(uintptr_t)&d->sides[direction == SA_OUTBOUND];
}

static struct sa_keys *take_keys(struct sa_database *d, const struct sa_keys *from)
{
	struct sa_keys *keys = &d->keys[d->free_keys[--d->free_key_count]];

	*keys = *from;
	return keys;
}

/* Whether nobody else lives with this SPI. A resting one may be given again by hand. */
static bool spi_is_free(const struct sa_database *d, uint32_t spi, const struct sa *owner)
{
	uint64_t value;

	return !map_get(d->spis, &spi, &value) || !value || value == (uint64_t)(uintptr_t)owner;
}

static int copy_selectors(struct sa *sa, const struct sa *model)
{
	struct selector *copy = NULL;

	if (model->selector_count) {
		copy = malloc(model->selector_count * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, model->selectors, model->selector_count * sizeof(*copy));
	}
	sa->selectors = copy;
	sa->selector_count = model->selector_count;
	return 0;
}

static struct sa *fail(int error)
{
	errno = error;
	return NULL;
}

static bool is_inbound(const struct sa *sa)
{
	return sa->command.direction == SA_INBOUND;
}

struct sa *sa_database_add(struct sa_database *database, const struct sa *model,
	const struct sa_keys *keys, monotonic now)
{
	struct side *side = side_of(database, model->command.direction);
	uint32_t spi = ntohl(model->command.spi);

	if (side->used + 1 >= database->count)
		return fail(ENOSPC);
	if (is_inbound(model) && !spi_is_free(database, spi, NULL))
		return fail(EEXIST);
	struct sa *sa = malloc(sizeof(*sa));
	if (!sa)
		return fail(ENOMEM);
	*sa = *model;
	sa->keys = NULL;
	if (copy_selectors(sa, model)) {
		free(sa);
		return fail(ENOMEM);
	}
	if (keys)
		sa->keys = take_keys(database, keys);
	sa->pair = NULL;
	sa->command.sa_id = SA_SLOT_NONE;
	sa->command.pair_id = SA_NONE;
	sa->incarnation = ++database->incarnations;
	sa->version = 1;
	sa->created_ns = now;
	sa->state = keys ? SA_IS_LIVE : SA_IS_LARVAL;
	sa->place = side->used;
	side->all[side->used++] = sa;
	if (sa->name[0])
		(void)map_put_pointer(side->names, sa->name, sa);
	if (is_inbound(sa))
		(void)map_put_pointer(database->spis, &spi, sa);
	return sa;
}

/* True when the slot stands in the ring. */
static bool is_free_slot(const struct sa_database *d, const struct side *side, uint32_t slot)
{
	uint32_t at = side->free_at[slot];

	return side->free_slots[at] == slot &&
	       (at + d->count - side->free_first) % d->count < side->free_count;
}

/* `wanted` when it is free, else the one that rested longest; 0 when there is none. */
static uint32_t take_slot(struct sa_database *d, struct side *side, uint32_t wanted)
{
	if (!side->free_count)
		return SA_SLOT_NONE;
	uint32_t slot = side->free_slots[side->free_first];
	if (wanted && wanted < d->count && is_free_slot(d, side, wanted)) {
		side->free_slots[side->free_at[wanted]] = slot;
		side->free_at[slot] = side->free_at[wanted];
		slot = wanted;
	}
	side->free_first = (side->free_first + 1) % d->count;
	side->free_count--;
	return slot;
}

int sa_database_place(struct sa_database *database, struct sa *sa, uint32_t wanted, monotonic now)
{
	struct side *side = side_of(database, sa->command.direction);

	if (sa->command.sa_id)
		return 0;
	(void)sa_database_tick(database, now);
	uint32_t slot = take_slot(database, side, wanted);
	if (!slot)
		return -ENOSPC;
	side->slots[slot] = sa;
	sa->command.sa_id = slot;
	if (sa->pair) {
		sa->pair->command.pair_id = slot;
		sa->command.pair_id = sa->pair->command.sa_id ? sa->pair->command.sa_id : SA_NONE;
	}
	return 0;
}

int sa_database_replace(struct sa_database *database, struct sa *sa, const struct sa *model,
	const struct sa_keys *keys, monotonic now)
{
	uint32_t before = ntohl(sa->command.spi), after = ntohl(model->command.spi);
	struct sa fresh = *model;

	if (is_inbound(sa) && !spi_is_free(database, after, sa))
		return -EEXIST;
	if (copy_selectors(&fresh, model))
		return -ENOMEM;
	fresh.keys = sa->keys;
	if (keys && fresh.keys)
		*fresh.keys = *keys;
	else if (keys)
		fresh.keys = take_keys(database, keys);
	fresh.command.sa_id = sa->command.sa_id;
	fresh.command.pair_id = sa->command.pair_id;
	fresh.pair = sa->pair;
	fresh.place = sa->place;
	fresh.incarnation = ++database->incarnations;
	fresh.version = sa->version + 1;
	fresh.created_ns = now;
	fresh.state = fresh.keys ? SA_IS_LIVE : SA_IS_LARVAL;
	if (sa->name[0])
		memcpy(fresh.name, sa->name, sizeof(fresh.name));
	else if (fresh.name[0]) /* it was larval */
		(void)map_put_pointer(side_of(database, SA_INBOUND)->names, fresh.name, sa);
	free(sa->selectors);
	*sa = fresh;
	if (is_inbound(sa) && before != after) {
		map_remove(database->spis, &before, NULL);
		(void)map_put_pointer(database->spis, &after, sa);
	}
	return 0;
}

/* Slot and SPI rest; when too many do, the oldest are woken early. */
static void lay_to_rest(struct sa_database *d, const struct sa *sa, monotonic now)
{
	uint32_t spi = is_inbound(sa) ? ntohl(sa->command.spi) : 0;

	if (d->resting_count == 2 * d->count)
		(void)sa_database_tick(d, d->resting[d->resting_first].until_ns);
	// NOLINTNEXTLINE(clang-analyzer-core.DivideZero): sa_database_new makes count 1 at least
	d->resting[(d->resting_first + d->resting_count++) % (2 * d->count)] =
		(struct resting){.until_ns = now + SA_REST_NS,
			.slot = sa->command.sa_id,
			.spi = spi,
			.direction = sa->command.direction};
	if (spi)
		(void)map_put(d->spis, &spi, 0);
}

void sa_database_remove(struct sa_database *database, struct sa *sa, monotonic now)
{
	struct side *side = side_of(database, sa->command.direction);

	if (sa->pair) {
		sa->pair->pair = NULL;
		sa->pair->command.pair_id = SA_NONE;
	}
	if (sa->command.sa_id)
		side->slots[sa->command.sa_id] = NULL;
	if (sa->name[0])
		map_remove(side->names, sa->name, NULL);
	side->all[sa->place] = side->all[--side->used];
	side->all[sa->place]->place = sa->place;
	lay_to_rest(database, sa, now);
	free_sa(database, sa);
}

struct sa *sa_database_slot(
	const struct sa_database *database, enum sa_direction direction, uint32_t slot)
{
	return slot && slot < database->count ? side_of(database, direction)->slots[slot] : NULL;
}

struct sa *sa_database_inbound(const struct sa_database *database, uint32_t spi)
{
	return map_get_pointer(database->spis, &spi);
}

struct sa *sa_database_named(
	const struct sa_database *database, enum sa_direction direction, const char *name)
{
	char key[SA_NAME_SIZE] = "";

	if (strlen(name) >= sizeof(key))
		return NULL;
	memcpy(key, name, strlen(name) + 1);
	return map_get_pointer(side_of(database, direction)->names, key);
}

struct sa *sa_database_next(
	const struct sa_database *database, enum sa_direction direction, uint32_t *cursor)
{
	const struct side *side = side_of(database, direction);

	return *cursor < side->used ? side->all[(*cursor)++] : NULL;
}

uint32_t sa_database_count(const struct sa_database *database, enum sa_direction direction)
{
	return side_of(database, direction)->used;
}

uint32_t sa_database_slots(const struct sa_database *database)
{
	return database->count;
}

uint32_t sa_database_spi(const struct sa_database *database, uint32_t slot,
	void (*random)(void *context, void *out, size_t length), void *context)
{
	for (unsigned i = 0; i < SA_SPI_TRIES; i++) {
		uint32_t spi;
		random(context, &spi, sizeof(spi));
		spi = SA_SPI_FIRST |
		      ((spi & (SA_SPI_LAST - SA_SPI_FIRST)) & ~(database->count - 1)) | slot;
		if (!map_get(database->spis, &spi, NULL))
			return spi;
	}
	return 0;
}

uint32_t sa_database_free_slot(struct sa_database *database, monotonic now)
{
	const struct side *in = &database->sides[0], *out = &database->sides[1];

	(void)sa_database_tick(database, now);
	for (uint32_t i = 0; i < in->free_count; i++) {
		uint32_t slot = in->free_slots[(in->free_first + i) % database->count];
		if (!out->slots[slot])
			return slot;
	}
	return SA_SLOT_NONE;
}

uint32_t sa_database_wake(
	struct sa_database *database, enum sa_direction direction, uint32_t slot, uint32_t spi)
{
	for (uint32_t i = database->resting_count; i-- > 0;) {
		struct resting *r =
			&database->resting[(database->resting_first + i) % (2 * database->count)];
		if (r->direction != direction || !r->slot ||
			(slot ? r->slot != slot : r->spi != spi))
			continue;
		uint32_t woken = r->slot;
		r->slot = 0;
		give_slot(side_of(database, direction), database->count, woken);
		return woken;
	}
	return SA_SLOT_NONE;
}

monotonic sa_database_tick(struct sa_database *database, monotonic now)
{
	while (database->resting_count) {
		struct resting *r = &database->resting[database->resting_first];
		struct side *side = side_of(database, r->direction);
		uint64_t value;
		if (r->until_ns > now)
			return r->until_ns;
		if (r->slot)
			give_slot(side, database->count, r->slot);
		if (r->spi && map_get(database->spis, &r->spi, &value) && !value)
			map_remove(database->spis, &r->spi, NULL);
		database->resting_first = (database->resting_first + 1) % (2 * database->count);
		database->resting_count--;
	}
	return CLOCK_NEVER;
}
