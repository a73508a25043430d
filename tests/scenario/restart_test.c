/*
 * A day of roaming in which control, the dataplane, or both die again and again, with the real
 * mirror between the engine and a dataplane that only remembers what it was told. What was answered
 * for is kept apart, as the mobile nodes know it, and compared:
 *
 *   no binding is lost or comes back: once both sides have spoken, engine, dataplane and answers
 * agree while control is down the dataplane holds the very deadlines that were granted no request
 * is accepted twice, whatever died in between
 *
 * HA4-OPS-19, HA4-BND-06, HA4-RPL-09, HA4-RPL-10, HA4-RPL-11, HA4-REG-21
 */
#include "control/mirror/mirror.h"
#include "tests/scenario/configs.h"
#include "tests/unit/control/mirror/fake_dataplane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODE_COUNT 40u
#define KEPT_MAX   1024u /* the last requests, kept for replay */
#define DAY_S      86400u

struct answered { /* what a node was told last */
	bool bound;
	bool leaving; /* asked to be forgotten, not answered: either may be the case after a death
		       */
	bool open;    /* asked something since all was quiet */
	struct ip_address care_of;
	monotonic expires_ns;
};

struct kept {
	struct punt_record record;
	uint64_t identification;
	unsigned node;
	bool accepted;
};

static struct {
	struct config *config;
	struct mip4_engine *engine; /* NULL: control is down */
	struct mirror *mirror;
	struct fake_dataplane *fake; /* NULL: the dataplane is down */
	struct home clock;           /* its `now` alone is used, by ask_build */
	struct home_record records[4 * NODE_COUNT];
	struct answered answers[NODE_COUNT];
	struct kept kept[KEPT_MAX];
	unsigned kept_count;
	unsigned asked; /* entry of `kept` that the next reply is about */
	unsigned accepted, refused, replayed, control_deaths, dataplane_deaths, compared, alone;
	unsigned now_dice;
} site;

static uint32_t dice(uint32_t sides)
{
	site.now_dice ^= site.now_dice << 13;
	site.now_dice ^= site.now_dice >> 17;
	site.now_dice ^= site.now_dice << 5;
	return site.now_dice % sides;
}

static const char *home_text(unsigned node)
{
	static char text[16];
	snprintf(text, sizeof(text), "10.1.0.%u", 10 + node);
	return text;
}

/* ---- what the engine asks for ---- */

static void ops_send(void *context, const struct inject_record *record)
{
	struct mip4_message reply;

	(void)context;
	assert_int_equal(mip4_parse(&reply, record->data + 28, record->length - 28u, false), 0);
	for (unsigned i = 0; i < KEPT_MAX && i < site.kept_count; i++) {
		struct kept *k = &site.kept[(site.kept_count - 1 - i) % KEPT_MAX];
		/* Which request it answers: node and the low half of the Identification. */
		struct ip_address home = address_of(home_text(k->node));
		if (reply.reply.home_address != ip_address_v4(&home) ||
			(uint32_t)reply.reply.identification != (uint32_t)k->identification)
			continue;
		if (reply.reply.code > 1) {
			site.refused++;
			return;
		}
		assert_false(k->accepted); /* never twice */
		k->accepted = true;
		site.accepted++;
		be32 care_of;
		uint16_t asked = (uint16_t)(k->record.data[2] << 8 | k->record.data[3]);
		memcpy(&care_of, k->record.data + 12, 4);
		struct answered *a = &site.answers[k->node];
		a->bound = asked != 0;
		a->care_of = ip_address_from_v4(care_of);
		if (!a->bound)
			return;
		/* From the moment it was accepted, which is not before it was asked. */
		uint64_t lifetime_ns = reply.reply.lifetime_s * CLOCK_NS_PER_S;
		a->expires_ns =
			binding_cache_home(mip4_show_cache(site.engine), 0, &home)->expires_ns;
		assert_true(a->expires_ns >= k->record.received_ns + lifetime_ns);
		assert_true(a->expires_ns <= site.clock.now.monotonic_ns + lifetime_ns);
		return;
	}
	fail_msg("a reply to nothing that was asked");
}

static uint64_t to_mirror(uint16_t type, const void *payload, size_t size)
{
	struct command command = {.type = type};

	memcpy(command.payload, payload, size);
	return (type - COMMAND_AGENT_SET) % 2 ? mirror_remove(site.mirror, &command)
					      : mirror_set(site.mirror, &command);
}

static uint64_t ops_binding_set(void *context, const struct binding_command *c)
{
	(void)context;
	return to_mirror(COMMAND_BINDING_SET, c, sizeof(*c));
}

static uint64_t ops_binding_remove(void *context, const struct binding_command *c)
{
	(void)context;
	return to_mirror(COMMAND_BINDING_REMOVE, c, sizeof(*c));
}

static uint64_t ops_prefix_set(void *context, const struct prefix_command *c)
{
	(void)context;
	return to_mirror(COMMAND_PREFIX_SET, c, sizeof(*c));
}

static uint64_t ops_prefix_remove(void *context, const struct prefix_command *c)
{
	(void)context;
	return to_mirror(COMMAND_PREFIX_REMOVE, c, sizeof(*c));
}

static void ops_home(void *context, const struct mip4_home_change *change)
{
	(void)context;
	(void)change;
}

static struct home_record *record_find(const void *key, size_t length, bool make)
{
	struct home_record *unused = NULL;

	for (unsigned i = 0; i < sizeof(site.records) / sizeof(site.records[0]); i++) {
		struct home_record *r = &site.records[i];
		if (r->used && r->key_length == length && memcmp(r->key, key, length) == 0)
			return r;
		if (!r->used && !unused)
			unused = r;
	}
	assert_true(!make || unused);
	return make ? unused : NULL;
}

static void ops_store_put(
	void *context, const void *key, size_t key_length, const void *record, size_t length)
{
	struct home_record *r = record_find(key, key_length, true);

	(void)context;
	r->used = true;
	r->key_length = key_length;
	r->length = length;
	memcpy(r->key, key, key_length);
	memcpy(r->data, record, length);
}

static void ops_store_delete(void *context, const void *key, size_t key_length)
{
	struct home_record *r = record_find(key, key_length, false);

	(void)context;
	if (r)
		r->used = false;
}

static void ops_event(void *context, const struct mip4_event *event)
{
	(void)context;
	(void)event;
}

static void ops_random(void *context, void *out, size_t length)
{
	(void)context;
	for (size_t i = 0; i < length; i++)
		((uint8_t *)out)[i] = (uint8_t)dice(256);
}

static void on_done(void *context, uint64_t ticket, int error)
{
	(void)context;
	mip4_transaction_done(site.engine, ticket, error, site.clock.now);
}

/* ---- life and death ---- */

static void settle(void)
{
	bool more = true;
	unsigned read = 0;

	while (site.engine && site.fake && (more || read)) {
		more = mirror_poll(site.mirror);
		read = fake_read(site.fake, 1000);
		fake_publish(site.fake);
	}
	if (site.engine && site.fake)
		mirror_poll(site.mirror);
}

static void attach(void)
{
	if (site.engine && site.fake)
		mirror_attach(site.mirror, fake_session(site.fake));
}

static void control_start(void)
{
	static const struct mirror_limits limits = {.bindings = 1000, .others = 100};
	static const struct mirror_callbacks callbacks = {.on_done = on_done};
	static const struct mip4_ops ops = {ops_send, ops_binding_set, ops_binding_remove,
		ops_prefix_set, ops_prefix_remove, ops_home, ops_home, ops_store_put,
		ops_store_delete, ops_event, ops_random, NULL};
	struct command agent = {.type = COMMAND_AGENT_SET};

	site.mirror = mirror_new(&limits, &callbacks);
	agent.agent.address = address_of("192.0.2.1");
	mirror_set(site.mirror, &agent);
	assert_int_equal(mip4_engine_new(site.config, &ops, NULL, site.clock.now, &site.engine), 0);
	/* The engine writes the store while it is read back: a copy, as LMDB gives one. */
	struct home_record *copy = malloc(sizeof(site.records));
	memcpy(copy, site.records, sizeof(site.records));
	for (unsigned i = 0; i < sizeof(site.records) / sizeof(site.records[0]); i++)
		if (copy[i].used)
			mip4_record_restore(site.engine, copy[i].key, copy[i].key_length,
				copy[i].data, copy[i].length, site.clock.now);
	free(copy);
	mip4_engine_started(site.engine, true, site.clock.now);
	attach();
}

static void control_die(void)
{
	if (!site.engine)
		return;
	mip4_engine_free(site.engine);
	mirror_free(site.mirror);
	site.engine = NULL;
	site.mirror = NULL;
	site.control_deaths++;
}

static const struct region_limits region_limits = {.workers = 1,
	.ports = 1,
	.bindings = 1024,
	.routes = 10,
	.neighbors = 10,
	.prefixes = 10,
	.command_slots = 64,
	.event_slots = 16,
	.inject_slots = 2,
	.punt_slots = 2};

static void dataplane_start(void)
{
	site.fake = calloc(1, sizeof(*site.fake));
	fake_init(site.fake, &region_limits);
	attach();
}

static void dataplane_die(void)
{
	if (!site.fake)
		return;
	if (site.engine)
		mirror_detach(site.mirror);
	fake_fini(site.fake);
	free(site.fake);
	site.fake = NULL;
	site.dataplane_deaths++;
}

/* ---- what must hold ---- */

static const struct binding_command *dataplane_has(unsigned node, unsigned *count)
{
	struct ip_address home = address_of(home_text(node));
	const struct binding_command *found = NULL;

	*count = 0;
	for (unsigned i = 0; i < site.fake->slot_count; i++) {
		const struct command *c = &site.fake->slots[i].set;
		if (c->type != COMMAND_BINDING_SET ||
			!ip_address_equal(&c->binding.home_address, &home) ||
			c->binding.expires_ns <= site.clock.now.monotonic_ns)
			continue; /* past its deadline it is not used (HA4-BND-06) */
		found = &c->binding;
		++*count;
	}
	return found;
}

/* `quiet`: both sides have spoken, no request is on its way. Else control is down. */
static void compare(bool quiet)
{
	for (unsigned node = 0; node < NODE_COUNT; node++) {
		struct answered *a = &site.answers[node];
		bool bound = a->bound && a->expires_ns > site.clock.now.monotonic_ns;
		unsigned count;
		if (site.engine && site.fake && quiet) {
			struct ip_address home = address_of(home_text(node));
			const struct binding *b =
				binding_cache_home(mip4_show_cache(site.engine), 0, &home);
			monotonic now = site.clock.now.monotonic_ns;
			if (a->leaving && !b)
				a->bound = bound = false;
			a->leaving = a->open = false;
			assert_int_equal(b && b->expires_ns > now, bound);
			/* On time: the wheel turns once a second at the latest (HA4-BND-04). */
			assert_true(!b || b->expires_ns + CLOCK_NS_PER_S > now);
		}
		/* Alone, the dataplane may have taken what nobody was told of yet. */
		if (!site.fake || (!quiet && a->open))
			continue;
		const struct binding_command *c = dataplane_has(node, &count);
		assert_int_equal(count, bound);
		if (!bound)
			continue;
		assert_true(ip_address_equal(&c->care_of_field, &a->care_of));
		assert_int_equal(c->expires_ns, a->expires_ns);
		site.compared++;
		site.alone += site.engine == NULL;
	}
}

/* ---- what happens ---- */

static void ask(unsigned node)
{
	char care_of[16];
	struct ask ask = plain;
	struct kept *k = &site.kept[site.kept_count++ % KEPT_MAX];

	snprintf(care_of, sizeof(care_of), "198.51.100.%u", 1 + dice(200));
	ask.home_address = home_text(node);
	ask.care_of = care_of;
	ask.lifetime_s = dice(8) ? (uint16_t)(5 + dice(200)) : 0;
	if (!ask.lifetime_s) {
		ask.care_of = ask.home_address;
		ask.source = care_of;
	}
	k->node = node;
	k->accepted = false;
	k->identification = ask_build(&site.clock, &ask, &k->record);
	if (!site.engine)
		return;
	site.answers[node].open = true;
	site.answers[node].leaving |= ask.lifetime_s == 0;
	mip4_receive(site.engine, &k->record, site.clock.now);
}

/* An eavesdropper sends one of them again, from where it was sent. */
static void replay(void)
{
	if (!site.engine)
		return;
	/* Mostly a recent one: the tolerance alone forbids the old ones. */
	unsigned back = dice(dice(4) ? 16 : KEPT_MAX) + 1;
	if (back > site.kept_count)
		return;
	struct punt_record record = site.kept[(site.kept_count - back) % KEPT_MAX].record;
	mip4_receive(site.engine, &record, site.clock.now);
	site.replayed++;
}

static void tick(void)
{
	while (site.engine &&
		mip4_engine_tick(site.engine, site.clock.now) <= site.clock.now.monotonic_ns)
		;
}

static void pass(unsigned seconds)
{
	while (seconds--) {
		site.clock.now.monotonic_ns += CLOCK_NS_PER_S;
		site.clock.now.wall_ns += CLOCK_NS_PER_S;
		tick();
		settle();
		if (!site.engine || site.fake) /* with both up everything has settled */
			compare(true);
	}
}

/* Somebody dies, in the middle of requests or in peace, and comes back some time later. */
static void accident(void)
{
	unsigned who = 1 + dice(3);

	for (unsigned i = dice(4); i; i--)
		ask(dice(NODE_COUNT)); /* not applied, not answered */
	if (dice(2) && site.engine && site.fake) {
		mirror_poll(site.mirror);
		fake_read(site.fake, dice(3)); /* or only just */
		if (dice(2))
			fake_publish(site.fake);
	}
	if (who & 1)
		control_die();
	if (who & 2)
		dataplane_die();
	if (who == 1)
		fake_read(site.fake, 1000); /* what lies in the ring is carried out */
	site.clock.now.monotonic_ns += 1;
	for (unsigned rest = dice(60); rest; rest--) {
		site.clock.now.monotonic_ns += CLOCK_NS_PER_S;
		site.clock.now.wall_ns += CLOCK_NS_PER_S;
		tick();
		if (!site.engine)
			compare(false);
		else if (dice(4) == 0)
			ask(dice(NODE_COUNT));
	}
	bool control_first = dice(2);
	if (control_first && !site.engine)
		control_start();
	if (!site.fake)
		dataplane_start();
	if (!site.engine)
		control_start();
	tick();
	settle();
	compare(true);
	for (unsigned i = 0; i < 8; i++)
		replay();
	settle();
	compare(true);
}

static void day(void **state)
{
	(void)state;
	site.now_dice = 20260101;
	site.config = home_config_load(INSTANCE("simultaneous_bindings = 1;")
					       NODES(NODE("home_address = \"10.1.0.0/16\";")),
		1000);
	site.clock.now = (struct clock_now){
		.monotonic_ns = 5000 * CLOCK_NS_PER_S, .wall_ns = HOME_T0 * CLOCK_NS_PER_S};
	control_start();
	dataplane_start();
	monotonic end = site.clock.now.monotonic_ns + DAY_S * CLOCK_NS_PER_S;
	while (site.clock.now.monotonic_ns < end) {
		pass(1 + dice(20));
		for (unsigned i = dice(6); i; i--)
			ask(dice(NODE_COUNT));
		settle();
		compare(true);
		if (dice(6) == 0)
			replay();
		settle();
		if (dice(10) == 0)
			accident();
	}
	assert_true(site.accepted > 5000 && site.refused > 500 && site.replayed > 500);
	assert_true(site.control_deaths > 100 && site.dataplane_deaths > 100);
	assert_true(site.compared > 10000 && site.alone > 10000);
	print_message(
		"# %u accepted, %u refused, %u replayed, control died %u times, the dataplane "
		"%u times\n",
		site.accepted, site.refused, site.replayed, site.control_deaths,
		site.dataplane_deaths);
	control_die();
	dataplane_die();
	config_free(site.config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(day)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
