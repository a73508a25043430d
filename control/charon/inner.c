/*
 * Whose the inner addresses are: two peers that are not the same may not have the same remote
 * selector at once, or the answers for one reach the other (SPD-20, TRN-09, BAD-57). Counted by
 * inbound SAs, so that a rekey and a reauthentication of one peer overlap.
 */
#include "control/charon/charon_state.h"

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

bool inner_free(const struct charon *c, const struct sa *model, struct verdict *verdict)
{
	char text[IP_ADDRESS_TEXT_SIZE];

	for (unsigned i = 0; i < model->selector_count; i++) {
		struct inner_key key = key_of(&model->selectors[i]);
		const struct owner *owner = map_get_pointer(c->inner, &key);
		if (!counts(model, &model->selectors[i]) || !owner || owner->peer == model->peer)
			continue;
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
}
