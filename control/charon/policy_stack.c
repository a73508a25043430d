#include "control/charon/policy_stack.h"

#include "lib/ipc/attach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITY_BASE 200000u /* of kernel-netlink */

struct entry {
	struct entry *next; /* of lower rank */
	struct stack *stack;
	struct keying_policy policy;
	char sa[SA_NAME_SIZE]; /* that it sends through; "" none */
	uint64_t number;
	uint32_t order, round;
};

struct stack_key {
	struct traffic_selector local, remote;
	uint32_t direction; /* enum sa_direction, or UNUSED */
};
#define UNUSED 2 /* KIF-19: an outbound forward policy */

struct stack {
	struct stack_key key;
	struct traffic_selector local, remote; /* in force: the key's, but see TRN-13 */
	struct entry *top;
	struct policy *policy; /* in force; NULL: UNUSED */
	uint32_t place;
};

struct policy_stacks {
	struct map *by_key, *by_number;
	struct stack **all; /* dense */
	uint32_t count, entries, limit;
	uint64_t numbers;
};

struct policy_stacks *policy_stack_new(uint32_t policies)
{
	struct policy_stacks *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->limit = 4 * policies;
	s->by_key = map_new(sizeof(struct stack_key), s->limit);
	s->by_number = map_new(sizeof(uint64_t), s->limit);
	s->all = calloc(s->limit, sizeof(struct stack *));
	if (s->by_key && s->by_number && s->all)
		return s;
	policy_stack_free(s);
	return NULL;
}

static void free_entries(struct stack *stack)
{
	for (struct entry *e; (e = stack->top);) {
		stack->top = e->next;
		free(e);
	}
	free(stack);
}

void policy_stack_free(struct policy_stacks *stacks)
{
	if (!stacks)
		return;
	for (uint32_t i = 0; i < stacks->count; i++)
		free_entries(stacks->all[i]);
	map_free(stacks->by_key);
	map_free(stacks->by_number);
	free(stacks->all);
	free(stacks);
}

/* ---- order ---- */

/* Of the smallest prefix that holds both. */
static unsigned prefix_bits(const struct traffic_selector *ts)
{
	unsigned from = ip_address_is_v4(&ts->first) ? 12 : 0, bits = 0;

	for (unsigned i = from; i < 16; i++) {
		uint8_t differ = ts->first.bytes[i] ^ ts->last.bytes[i];
		if (!differ) {
			bits += 8;
			continue;
		}
		return bits + (unsigned)__builtin_clz(differ) - 24;
	}
	return bits;
}

static unsigned port_bits(const struct traffic_selector *ts)
{
	uint16_t differ = ts->port_first ^ ts->port_last;

	if (ts->port_first > ts->port_last)
		return 0;
	return differ ? (unsigned)__builtin_clz(differ) - 16 : 16;
}

uint32_t policy_stack_order(const struct keying_policy *policy)
{
	static const uint32_t classes[] = {[KEYING_PRIORITY_PASS] = 1,
		[KEYING_PRIORITY_DEFAULT] = 2,
		[KEYING_PRIORITY_ROUTED] = 2,
		[KEYING_PRIORITY_FALLBACK] = 3};
	const struct traffic_selector *a = &policy->source_ts, *b = &policy->destination_ts;

	if (policy->manual_priority)
		return policy->manual_priority;
	return classes[policy->priority] * PRIORITY_BASE - 512 * (prefix_bits(a) + prefix_bits(b)) -
	       (a->protocol || b->protocol ? 256u : 0u) - 4 * (port_bits(a) + port_bits(b)) -
	       (policy->priority != KEYING_PRIORITY_ROUTED ? 1u : 0u);
}

/* ---- one stack ---- */

static struct stack_key key_of(const struct keying_policy *policy)
{
	bool inbound = policy->direction != KEYING_OUT;
	struct stack_key key;

	memset(&key, 0, sizeof(key));
	key.local = inbound ? policy->destination_ts : policy->source_ts;
	key.remote = inbound ? policy->source_ts : policy->destination_ts;
	key.direction = inbound ? SA_INBOUND : SA_OUTBOUND;
	if (policy->direction == KEYING_FORWARD && policy->action == KEYING_PROTECT &&
		!policy->reqid)
		key.direction = UNUSED;
	return key;
}

static struct config_policy settings_of(
	struct charon *c, struct stack *stack, const struct entry *top)
{
	static const enum config_policy_action actions[] = {[KEYING_PROTECT] = ACTION_PROTECT,
		[KEYING_PASS] = ACTION_BYPASS,
		[KEYING_DROP] = ACTION_DISCARD};
	struct config_policy p = {.order = top->order,
		.vrf = c->config->keying.vrf,
		.direction = stack->key.direction == SA_OUTBOUND ? DIRECTION_OUT : DIRECTION_IN,
		.action = actions[top->policy.action],
		.local_ts = &stack->local,
		.remote_ts = &stack->remote,
		.local_ts_count = 1,
		.remote_ts_count = 1};

	memcpy(p.security_association, top->sa, sizeof(p.security_association));
	snprintf(p.name, sizeof(p.name), "ike-%u-%s", ++c->names,
		p.direction == DIRECTION_OUT ? "out" : "in");
	return p;
}

static bool in_force(const struct stack *stack, const struct config_policy *p, uint32_t reqid)
{
	const struct config_policy *now = &stack->policy->settings;

	return now->action == p->action && now->order == p->order &&
	       !strcmp(now->security_association, p->security_association) &&
	       stack->policy->entries[0].reqid == reqid;
}

/* The top entry is in force. 0 or -errno, then it is not. */
static int apply(struct charon *c, struct stack *stack)
{
	if (stack->key.direction == UNUSED)
		return 0;
	struct config_policy p = settings_of(c, stack, stack->top);
	uint32_t reqid = stack->top->policy.reqid;
	if (!stack->policy) {
		stack->policy = ipsec_keyed_policy_add(c->ipsec, &p, reqid, stack);
		return stack->policy ? 0 : -errno;
	}
	if (!in_force(stack, &p, reqid))
		ipsec_keyed_policy_change(
			c->ipsec, stack->policy, p.action, p.order, p.security_association, reqid);
	return 0;
}

/* The SA that the entry names, NULL none. */
static const struct sa *sa_of(const struct charon *c, const struct entry *e)
{
	uint64_t handle = e->policy.handle;

	return e->stack->key.direction == SA_OUTBOUND
		       ? map_get_pointer(c->handles, &handle)
		       : sa_database_inbound(ipsec_associations(c->ipsec), ntohl(e->policy.spi));
}

static struct stack *make_stack(struct policy_stacks *s, const struct stack_key *key)
{
	struct stack *stack = map_get_pointer(s->by_key, key);

	if (stack)
		return stack;
	stack = calloc(1, sizeof(*stack));
	if (!stack)
		return NULL;
	stack->key = *key;
	stack->local = key->local;
	stack->remote = key->remote;
	stack->place = s->count;
	s->all[s->count++] = stack;
	(void)map_put_pointer(s->by_key, key, stack);
	return stack;
}

static void drop_stack(struct charon *c, struct stack *stack)
{
	struct policy_stacks *s = c->policies;

	if (stack->policy)
		ipsec_keyed_policy_remove(c->ipsec, stack->policy);
	map_remove(s->by_key, &stack->key, NULL);
	s->all[stack->place] = s->all[--s->count];
	s->all[stack->place]->place = stack->place;
	free(stack);
}

static void unlink_entry(struct charon *c, struct entry *entry)
{
	struct entry **at = &entry->stack->top;

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	map_remove(c->policies->by_number, &entry->number, NULL);
	c->policies->entries--;
	free(entry);
}

static void remove_entry(struct charon *c, struct entry *entry)
{
	struct stack *stack = entry->stack;

	unlink_entry(c, entry);
	if (stack->top)
		(void)apply(c, stack); /* a change takes nothing that could be missing */
	else
		drop_stack(c, stack);
}

/* Lower order first; then one with reqid before one without; then the newest. */
static bool goes_before(const struct entry *a, const struct entry *b)
{
	if (a->order != b->order)
		return a->order < b->order;
	if (!a->policy.reqid != !b->policy.reqid)
		return a->policy.reqid;
	return a->number > b->number;
}

static void link_entry(struct stack *stack, struct entry *entry)
{
	struct entry **at = &stack->top;

	while (*at && !goes_before(entry, *at))
		at = &(*at)->next;
	entry->next = *at;
	entry->stack = stack;
	*at = entry;
}

static bool same_entry(const struct keying_policy *a, const struct keying_policy *b)
{
	return a->direction == b->direction && a->action == b->action &&
	       a->priority == b->priority && a->manual_priority == b->manual_priority &&
	       a->reqid == b->reqid && a->spi == b->spi && a->mode == b->mode &&
	       ip_address_equal(&a->source, &b->source) &&
	       ip_address_equal(&a->destination, &b->destination);
}

/* MOB-02: charon names an entry by the addresses that the SA has now, or those it had. */
static bool same_but_addresses(const struct keying_policy *a, const struct keying_policy *b)
{
	struct keying_policy copy = *b;

	copy.source = a->source;
	copy.destination = a->destination;
	return a->spi && same_entry(a, &copy);
}

static struct entry *find_entry(const struct charon *c, const struct keying_policy *policy)
{
	struct stack_key key = key_of(policy);
	struct stack *stack = map_get_pointer(c->policies->by_key, &key);

	for (struct entry *e = stack ? stack->top : NULL; e; e = e->next)
		if (same_entry(&e->policy, policy))
			return e;
	for (struct entry *e = stack ? stack->top : NULL; e; e = e->next)
		if (same_but_addresses(&e->policy, policy))
			return e;
	return NULL;
}

/* ---- requests ---- */

static bool selector_is_good(const struct traffic_selector *ts)
{
	bool opaque = ts->port_first == UINT16_MAX && ts->port_last == 0;

	return ip_address_is_v4(&ts->first) == ip_address_is_v4(&ts->last) &&
	       memcmp(&ts->first, &ts->last, sizeof(ts->first)) <= 0 &&
	       (ts->port_first <= ts->port_last || opaque);
}

/* The name of the SA that it sends through in `name`, "" when none. */
static bool check(struct charon *c, const struct keying_policy *p, char name[SA_NAME_SIZE],
	struct verdict *verdict)
{
	bool sends = p->direction == KEYING_OUT && p->action == KEYING_PROTECT;
	uint64_t handle = p->handle;

	name[0] = '\0';
	if (!selector_is_good(&p->source_ts) || !selector_is_good(&p->destination_ts) ||
		!traffic_selector_fits(&p->source_ts, &p->destination_ts))
		return verdict_refuse(verdict, KEYING_BAD_SELECTOR,
			"the policy's selectors are of two families or protocols, or end before "
			"they begin");
	if (p->action != KEYING_PROTECT && (p->spi || handle))
		return verdict_refuse(verdict, KEYING_CONFLICT,
			"a policy that passes or drops names a security association");
	if (!sends)
		return true;
	const struct sa *sa = handle ? map_get_pointer(c->handles, &handle) : NULL;
	if (!sa && (handle || p->spi))
		return verdict_refuse(verdict, KEYING_NOT_FOUND,
			"the policy names SPI 0x%08x, which is no security association",
			ntohl(p->spi));
	if (sa && (sa->command.direction != SA_OUTBOUND || sa->command.spi != p->spi))
		return verdict_refuse(verdict, KEYING_CONFLICT,
			"the policy names SPI 0x%08x, its security association has 0x%08x %s",
			ntohl(p->spi), ntohl(sa->command.spi),
			sa->command.direction == SA_OUTBOUND ? "out" : "in");
	if (sa)
		memcpy(name, sa->name, SA_NAME_SIZE);
	return true;
}

static struct entry *new_entry(
	struct charon *c, const struct keying_policy *policy, const char name[SA_NAME_SIZE])
{
	struct policy_stacks *s = c->policies;
	struct stack_key key = key_of(policy);
	struct entry *entry = s->entries < s->limit ? calloc(1, sizeof(*entry)) : NULL;
	struct stack *stack = entry ? make_stack(s, &key) : NULL;

	if (!stack) {
		free(entry);
		return NULL;
	}
	entry->policy = *policy;
	memcpy(entry->sa, name, sizeof(entry->sa));
	entry->number = ++s->numbers;
	entry->order = policy_stack_order(policy);
	entry->round = c->round;
	(void)map_put_pointer(s->by_number, &entry->number, entry);
	s->entries++;
	link_entry(stack, entry);
	return entry;
}

uint64_t policy_stack_add(
	struct charon *c, const struct keying_policy *policy, struct verdict *verdict)
{
	char name[SA_NAME_SIZE];

	if (!check(c, policy, name, verdict))
		return 0;
	struct entry *entry = c->replaying ? find_entry(c, policy) : NULL;
	if (entry && entry->round != c->round) {
		entry->round = c->round;
		entry->policy = *policy;
		memcpy(entry->sa, name, sizeof(entry->sa));
		(void)apply(c, entry->stack);
		return entry->number;
	}
	entry = new_entry(c, policy, name);
	if (!entry) {
		(void)verdict_refuse(verdict, KEYING_NO_ROOM, "no room for a policy more");
		return 0;
	}
	uint64_t number = entry->number;
	int error = apply(c, entry->stack);
	if (!error)
		return number;
	remove_entry(c, entry);
	(void)verdict_refuse(verdict, error == -ENOMEM ? KEYING_NO_MEMORY : KEYING_NO_ROOM,
		"dataplane.max_policies are in use");
	return 0;
}

void policy_stack_del(struct charon *c, const struct keying_policy *policy, struct verdict *verdict)
{
	struct entry *entry = find_entry(c, policy);

	if (entry)
		remove_entry(c, entry);
	else
		(void)verdict_refuse(verdict, KEYING_NOT_FOUND, "there is no such policy");
}

/* A packet passes by a policy into or out of the SAs that its stack names, old and new. */
static monotonic last_use(const struct charon *c, const struct stack *stack)
{
	monotonic last = 0;

	for (const struct entry *e = stack->top; e; e = e->next) {
		const struct sa *sa = sa_of(c, e);
		monotonic use = sa ? ipsec_query_sa(c->ipsec, sa).last_use_ns : 0;
		last = use > last ? use : last;
	}
	return last;
}

bool policy_stack_state(const struct charon *c, const struct keying_policy *policy,
	struct keying_policy_state *state)
{
	const struct entry *entry = find_entry(c, policy);
	const struct attachment *attachment = ipsec_attachment(c->ipsec);

	memset(state, 0, sizeof(*state));
	if (!entry)
		return false;
	if (entry->stack->policy && attachment)
		state->hits = attach_policy_hits(attachment, entry->stack->policy->ids[0]);
	state->last_use_s = last_use(c, entry->stack) / CLOCK_NS_PER_S;
	return true;
}

static bool names(const struct stack *stack, const struct sa *sa)
{
	bool inbound = stack->key.direction == SA_INBOUND;

	if (stack->key.direction == UNUSED || inbound != (sa->command.direction == SA_INBOUND))
		return false;
	for (const struct entry *e = stack->top; e; e = e->next)
		if (inbound ? e->policy.spi == sa->command.spi : !strcmp(e->sa, sa->name))
			return true;
	return false;
}

void policy_stack_follow(struct charon *c, const struct sa *sa, const struct sa_command *former)
{
	const struct sa_command *now = &sa->command;

	for (uint32_t i = 0; i < c->policies->count; i++) {
		struct stack *stack = c->policies->all[i];
		if (!stack->policy || !names(stack, sa))
			continue;
		bool moved = move_address(
			&stack->local.first, &stack->local.last, &former->local, &now->local);
		moved |= move_address(
			&stack->remote.first, &stack->remote.last, &former->remote, &now->remote);
		if (!moved)
			continue;
		/* Both changes are in one commit. */
		ipsec_keyed_policy_remove(c->ipsec, stack->policy);
		stack->policy = NULL;
		(void)apply(c, stack); /* there is the room that it left */
	}
}

void policy_stack_take_back(struct charon *c, uint64_t number)
{
	struct entry *entry = map_get_pointer(c->policies->by_number, &number);

	if (entry)
		remove_entry(c, entry);
}

static unsigned sweep_stack(struct charon *c, struct stack *stack, bool all)
{
	unsigned swept = 0;

	for (struct entry *entry = stack->top, *next; entry; entry = next) {
		next = entry->next;
		if (!all && entry->round == c->round)
			continue;
		remove_entry(c, entry); /* the last one takes the stack with it */
		swept++;
	}
	return swept;
}

unsigned policy_stack_sweep(struct charon *c, bool all)
{
	unsigned swept = 0;

	/* From the end: what takes the place of a stack that went was here before. */
	for (uint32_t i = c->policies->count; i-- > 0;)
		swept += sweep_stack(c, c->policies->all[i], all);
	return swept;
}

uint32_t policy_stack_reqid(const struct policy *policy)
{
	const struct stack *stack = policy->owner;

	return stack && stack->top ? stack->top->policy.reqid : 0;
}

uint32_t policy_stack_count(const struct charon *c)
{
	return c->policies->entries;
}
