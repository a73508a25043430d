/*
 * Whose the inner addresses are: two peers that are not the same may not have the same remote
 * selector at once, or the answers for one reach the other (SPD-20, TRN-09, BAD-57). Nor may theirs
 * cross, as then the order of coming would decide. One inside the other is a host of a site, or a
 * site of a larger one: the narrower policy goes first (KIF-18), whoever came first, and it is told
 * of. Counted by inbound SAs, so that a rekey and a reauthentication of one peer overlap.
 */
#include "control/charon/charon_state.h"
#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>

struct inner_key {
	struct ip_address first, last;
};

struct owner {
	uint64_t peer;
	uint32_t count;
	char identity[KEYING_NAME_SIZE];
};

uint64_t inner_peer(const struct charon *c, const char *identity)
{
	if (!identity[0])
		return 0;
	return hash_bytes(&c->hash, identity, strlen(identity)) | 1;
}

static struct inner_key key_of(const struct selector *s)
{
	return (struct inner_key){s->remote_first, s->remote_last};
}

/* Any is nobody's own: a gateway to gateway tunnel of two peers may both carry all. */
static bool counts(const struct sa *sa, const struct selector *s)
{
	return sa->command.direction == SA_INBOUND && sa->peer &&
	       !ip_address_range_is_all(&s->remote_first, &s->remote_last);
}

/* ---- overlaps ---- */

enum relation { DISJOINT, NESTED, CROSSING }; /* the worst last */

static int compare(const struct ip_address *a, const struct ip_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static enum relation relate(const struct inner_key *a, const struct inner_key *b)
{
	if (compare(&a->last, &b->first) < 0 || compare(&b->last, &a->first) < 0)
		return DISJOINT;
	int begin = compare(&a->first, &b->first), end = compare(&a->last, &b->last);
	return (begin < 0 && end < 0) || (begin > 0 && end > 0) ? CROSSING : NESTED;
}

static void report_overlap(
	struct charon *c, const struct inner_key *key, const struct inner_key *other)
{
	static struct log_limit limit = LOG_LIMIT(1, 10);
	char first[IP_ADDRESS_TEXT_SIZE], last[IP_ADDRESS_TEXT_SIZE], text[2 * KEYING_NAME_SIZE];
	const struct owner *owner = map_get_pointer(c->inner, other);

	c->counters[CHARON_OVERLAPS]++;
	log_limited(&limit, clock_read().monotonic_ns, LOG_LEVEL_WARNING, "keying_overlap",
		"first=%s last=%s peer=%s effect=\"the narrower selectors go first\"",
		ip_address_format(&key->first, first), ip_address_format(&key->last, last),
		log_quote(text, sizeof(text), owner->identity));
}

#define ODD (-1) /* no prefix */

/* In bits, IPv4 as mapped: 0 to 128, or ODD. */
static int length_of(const struct inner_key *key)
{
	const uint8_t *first = key->first.bytes, *last = key->last.bytes;
	int bits = 0;

	while (bits < 128 && !((first[bits / 8] ^ last[bits / 8]) & 0x80 >> bits % 8))
		bits++;
	for (int bit = bits; bit < 128; bit++)
		if (first[bit / 8] & 0x80 >> bit % 8 || !(last[bit / 8] & 0x80 >> bit % 8))
			return ODD;
	return bits;
}

static struct inner_key widen(const struct ip_address *address, int length)
{
	struct inner_key key = {*address, *address};

	for (int bit = length; bit < 128; bit++) {
		key.first.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		key.last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	}
	return key;
}

static const struct owner *other_owner(
	const struct charon *c, const struct inner_key *key, uint64_t peer)
{
	const struct owner *owner = map_get_pointer(c->inner, key);

	return owner && owner->peer != peer ? owner : NULL;
}

/* Prefixes do not cross: one that holds another is found by each length in use. */
static bool find_holder(const struct charon *c, const struct inner_key *key, uint64_t peer,
	int length, struct inner_key *found)
{
	for (int wider = 0; wider < length; wider++) {
		*found = widen(&key->first, wider);
		if (c->inner_lengths[wider] && other_owner(c, found, peer))
			return true;
	}
	return false;
}

/* Any of those that begin and end as they like; what crosses before what is nested. */
static enum relation find_odd(
	const struct charon *c, const struct inner_key *key, uint64_t peer, struct inner_key *found)
{
	enum relation worst = DISJOINT;

	for (uint32_t i = 0; i < c->odd_count && worst != CROSSING; i++) {
		enum relation relation = relate(key, &c->odds[i]);
		if (relation > worst && other_owner(c, &c->odds[i], peer)) {
			worst = relation;
			*found = c->odds[i];
		}
	}
	return worst;
}

/* All there is: for the few that may hold others. */
static enum relation find_any(
	const struct charon *c, const struct inner_key *key, uint64_t peer, struct inner_key *found)
{
	enum relation worst = DISJOINT;
	const void *at;
	uint32_t cursor = 0;
	uint64_t value;

	while (worst != CROSSING && map_next(c->inner, &cursor, &at, &value)) {
		enum relation relation = relate(key, at);
		if (relation > worst && other_owner(c, at, peer)) {
			worst = relation;
			*found = *(const struct inner_key *)at;
		}
	}
	return worst;
}

static bool has_narrower(const struct charon *c, int length)
{
	for (int narrower = length + 1; narrower <= 128; narrower++)
		if (c->inner_lengths[narrower])
			return true;
	return false;
}

/* With the ranges of other peers. */
static enum relation find_overlap(
	const struct charon *c, const struct inner_key *key, uint64_t peer, struct inner_key *found)
{
	int length = length_of(key);

	if (length == ODD)
		return find_any(c, key, peer, found);
	enum relation relation = find_odd(c, key, peer, found);
	if (relation != DISJOINT)
		return relation;
	if (find_holder(c, key, peer, length, found))
		return NESTED;
	return has_narrower(c, length) ? find_any(c, key, peer, found) : DISJOINT;
}

static bool note_odd(struct charon *c, const struct inner_key *key)
{
	struct inner_key *odds = realloc(c->odds, (c->odd_count + 1) * sizeof(*odds));

	if (!odds)
		return false;
	c->odds = odds;
	c->odds[c->odd_count++] = *key;
	return true;
}

static bool note_length(struct charon *c, const struct inner_key *key)
{
	int length = length_of(key);

	if (length == ODD)
		return note_odd(c, key);
	c->inner_lengths[length]++;
	return true;
}

static void forget_length(struct charon *c, const struct inner_key *key)
{
	int length = length_of(key);

	if (length != ODD)
		c->inner_lengths[length]--;
	for (uint32_t i = 0; length == ODD && i < c->odd_count; i++)
		if (memcmp(&c->odds[i], key, sizeof(*key)) == 0) {
			c->odds[i] = c->odds[--c->odd_count];
			return;
		}
}

/* ---- taking and giving back ---- */

/* False: it crosses another peer's. */
static bool check_overlap(
	struct charon *c, const struct inner_key *key, uint64_t peer, struct verdict *verdict)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	struct inner_key other;
	enum relation relation = find_overlap(c, key, peer, &other);

	if (relation == NESTED)
		report_overlap(c, key, &other);
	if (relation != CROSSING)
		return true;
	const struct owner *owner = map_get_pointer(c->inner, &other);
	return verdict_refuse(verdict, KEYING_CONFLICT,
		"inner addresses from %s on are in part %.60s's now",
		ip_address_format(&key->first, text), owner->identity);
}

bool inner_free(struct charon *c, const struct sa *model, struct verdict *verdict)
{
	char text[IP_ADDRESS_TEXT_SIZE];

	for (unsigned i = 0; i < model->selector_count; i++) {
		struct inner_key key = key_of(&model->selectors[i]);
		const struct owner *owner = map_get_pointer(c->inner, &key);
		if (!counts(model, &model->selectors[i]) || (owner && owner->peer == model->peer))
			continue;
		if (!owner && check_overlap(c, &key, model->peer, verdict))
			continue;
		if (!owner)
			return false;
		return verdict_refuse(verdict, KEYING_CONFLICT, "inner address %s is %.60s's now",
			ip_address_format(&key.first, text), owner->identity);
	}
	return true;
}

void inner_take(struct charon *c, const struct sa *sa, const char *identity)
{
	for (unsigned i = 0; i < sa->selector_count; i++) {
		struct inner_key key = key_of(&sa->selectors[i]);
		struct owner *owner = map_get_pointer(c->inner, &key);
		if (!counts(sa, &sa->selectors[i]))
			continue;
		if (!owner) {
			owner = calloc(1, sizeof(*owner));
			if (!owner || map_put_pointer(c->inner, &key, owner)) {
				free(owner); /* then it is not looked after */
				continue;
			}
			(void)note_length(c, &key);
			owner->peer = sa->peer;
			snprintf(owner->identity, sizeof(owner->identity), "%s", identity);
		}
		owner->count++;
	}
}

void inner_identity(const struct charon *c, const struct sa *sa, char out[KEYING_NAME_SIZE])
{
	out[0] = '\0';
	for (unsigned i = 0; i < sa->selector_count && !out[0]; i++) {
		struct inner_key key = key_of(&sa->selectors[i]);
		const struct owner *owner = map_get_pointer(c->inner, &key);
		if (owner && owner->peer == sa->peer)
			memcpy(out, owner->identity, KEYING_NAME_SIZE);
	}
}

void inner_release(struct charon *c, const struct sa *sa)
{
	for (unsigned i = 0; i < sa->selector_count; i++) {
		struct inner_key key = key_of(&sa->selectors[i]);
		struct owner *owner = map_get_pointer(c->inner, &key);
		if (!counts(sa, &sa->selectors[i]) || !owner || owner->peer != sa->peer)
			continue;
		if (--owner->count)
			continue;
		map_remove(c->inner, &key, NULL);
		forget_length(c, &key);
		free(owner);
	}
}

void inner_clear(struct charon *c)
{
	const void *key;
	uint32_t cursor = 0;
	uint64_t value;

	while (map_next(c->inner, &cursor, &key, &value))
		free((void *)(uintptr_t)value);
	map_clear(c->inner);
	free(c->odds);
	c->odds = NULL;
	c->odd_count = 0;
	memset(c->inner_lengths, 0, sizeof(c->inner_lengths));
}
