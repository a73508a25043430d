#include "dataplane/table/policy_classifier.h"

#include <stdlib.h>

typedef unsigned __int128 wide; /* an address as a number */

struct dimension {
	uint32_t count; /* intervals */
	wide *starts;   /* [count], rising, starts[0] = 0 */
	uint64_t *rows; /* [count][words] */
};

enum { LOCAL, REMOTE, PROTOCOL, LOCAL_PORT, REMOTE_PORT, DIMENSIONS };

struct policy_classifier {
	uint32_t count, words;
	const struct selector *selectors; /* copies, in order */
	struct dimension dimensions[DIMENSIONS];
};

static bool matches(const struct selector *s, unsigned dimension, wide value)
{
	switch (dimension) {
	case LOCAL:
		return value >= policy_address_number(&s->local_first) &&
		       value <= policy_address_number(&s->local_last);
	case REMOTE:
		return value >= policy_address_number(&s->remote_first) &&
		       value <= policy_address_number(&s->remote_last);
	case PROTOCOL:
		return selector_protocol_match(s->protocol, (uint32_t)value);
	case LOCAL_PORT:
		return selector_port_match(
			s->local_port_first, s->local_port_last, (uint32_t)value);
	default:
		return selector_port_match(
			s->remote_port_first, s->remote_port_last, (uint32_t)value);
	}
}

/* Where matching may begin or end in a dimension: at most three places for each selector and two
 * that all share. */
static uint32_t boundaries(const struct selector *s, unsigned dimension, wide out[2])
{
	switch (dimension) {
	case LOCAL:
		out[0] = policy_address_number(&s->local_first);
		out[1] = policy_address_number(&s->local_last) + 1; /* wraps to 0, which is there */
		break;
	case REMOTE:
		out[0] = policy_address_number(&s->remote_first);
		out[1] = policy_address_number(&s->remote_last) + 1;
		break;
	case PROTOCOL:
		out[0] = s->protocol;
		out[1] = s->protocol + 1u;
		break;
	case LOCAL_PORT:
		out[0] = s->local_port_first;
		out[1] = s->local_port_last + 1u;
		break;
	default:
		out[0] = s->remote_port_first;
		out[1] = s->remote_port_last + 1u;
		break;
	}
	return 2;
}

static int compare(const void *a, const void *b)
{
	wide x = *(const wide *)a, y = *(const wide *)b;

	return x < y ? -1 : x > y;
}

static bool dimension_build(const struct policy_classifier *c, unsigned which, struct dimension *d)
{
	uint32_t total = 0;

	d->starts = malloc(((size_t)c->count * 2 + 3) * sizeof(*d->starts));
	if (d->starts == NULL)
		return false;
	d->starts[total++] = 0;
	if (which >= LOCAL_PORT) {
		d->starts[total++] = POLICY_PORT_HIDDEN;
		d->starts[total++] = POLICY_PORT_IGNORED;
	}
	for (uint32_t i = 0; i < c->count; i++)
		total += boundaries(&c->selectors[i], which, d->starts + total);
	qsort(d->starts, total, sizeof(*d->starts), compare);
	d->count = 1; /* 0 starts the first interval of each */
	for (uint32_t i = 1; i < total; i++)
		if (d->starts[i] != d->starts[d->count - 1])
			d->starts[d->count++] = d->starts[i];
	d->rows = calloc((size_t)d->count * c->words, sizeof(*d->rows));
	if (d->rows == NULL)
		return false;
	for (uint32_t i = 0; i < d->count; i++)
		for (uint32_t p = 0; p < c->count; p++)
			if (matches(&c->selectors[p], which, d->starts[i]))
				d->rows[(size_t)i * c->words + p / 64] |= 1ull << (p % 64);
	return true;
}

struct policy_classifier *policy_classifier_new(const struct selector *selectors, uint32_t count)
{
	struct policy_classifier *c = calloc(1, sizeof(*c));
	bool built = c != NULL;

	if (c == NULL) {
		free((void *)selectors);
		return NULL;
	}
	c->selectors = selectors;
	c->count = count;
	c->words = count > 0 ? (count + 63) / 64 : 1;
	for (unsigned i = 0; built && i < DIMENSIONS; i++)
		built = dimension_build(c, i, &c->dimensions[i]);
	if (built)
		return c;
	policy_classifier_free(c);
	return NULL;
}

void policy_classifier_free(struct policy_classifier *classifier)
{
	if (classifier == NULL)
		return;
	for (unsigned i = 0; i < DIMENSIONS; i++) {
		free(classifier->dimensions[i].starts);
		free(classifier->dimensions[i].rows);
	}
	free((void *)classifier->selectors);
	free(classifier);
}

/* The row of the last interval that starts at or before the value. */
static const uint64_t *row(const struct policy_classifier *c, unsigned which, wide value)
{
	const struct dimension *d = &c->dimensions[which];
	uint32_t low = 0, length = d->count;

	while (length > 1) {
		uint32_t half = length / 2;
		low += d->starts[low + half] <= value ? half : 0;
		length -= half;
	}
	return d->rows + (size_t)low * c->words;
}

uint32_t policy_classifier_lookup(const struct policy_classifier *classifier,
	const struct policy_key *key, uint32_t from, uint32_t before)
{
	const uint64_t *local = row(classifier, LOCAL, policy_address_number(&key->local));
	const uint64_t *remote = row(classifier, REMOTE, policy_address_number(&key->remote));
	const uint64_t *protocol = row(classifier, PROTOCOL, key->protocol);
	const uint64_t *local_port = row(classifier, LOCAL_PORT, key->local_port);
	const uint64_t *remote_port = row(classifier, REMOTE_PORT, key->remote_port);

	for (uint32_t w = from / 64; w < classifier->words && w * 64 < before; w++) {
		uint64_t bits = local[w] & remote[w] & protocol[w] & local_port[w] & remote_port[w];
		if (w == from / 64)
			bits &= ~0ull << (from % 64);
		if (bits != 0) {
			uint32_t place = w * 64 + (uint32_t)__builtin_ctzll(bits);
			return place < before ? place : POLICY_NO_MATCH;
		}
	}
	return POLICY_NO_MATCH;
}

static bool addresses_overlap(const struct ip_address *first, const struct ip_address *last,
	const struct ip_address *other_first, const struct ip_address *other_last)
{
	return memcmp(first->bytes, other_last->bytes, 16) <= 0 &&
	       memcmp(other_first->bytes, last->bytes, 16) <= 0;
}

/* Generous: says yes when in doubt, since an IGNORED or HIDDEN port can match two different ranges.
 */
static bool overlap(const struct selector *a, const struct selector *b)
{
	return (a->protocol == 0 || b->protocol == 0 || a->protocol == b->protocol) &&
	       addresses_overlap(
		       &a->local_first, &a->local_last, &b->local_first, &b->local_last) &&
	       addresses_overlap(
		       &a->remote_first, &a->remote_last, &b->remote_first, &b->remote_last);
}

uint32_t policy_classifier_overlaps(const struct policy_classifier *classifier,
	const struct selector *selector, uint32_t before, uint16_t *places, uint32_t limit)
{
	const uint64_t *remote =
		row(classifier, REMOTE, policy_address_number(&selector->remote_first));
	uint32_t found = 0;

	for (uint32_t w = 0; w < classifier->words && w * 64 < before; w++) {
		for (uint64_t bits = remote[w]; bits != 0; bits &= bits - 1) {
			uint32_t place = w * 64 + (uint32_t)__builtin_ctzll(bits);
			if (place >= before || found > limit)
				return found;
			if (!overlap(&classifier->selectors[place], selector))
				continue;
			if (found < limit)
				places[found] = (uint16_t)place;
			found++;
		}
	}
	return found;
}
