/* The mirror: what is told becomes commands, what is done becomes tickets. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/control/mirror/mirror_bed.h"

#include <errno.h>
#include <stdlib.h>

/* HA4-REG-21: done means applied, not sent. */
static void done_only_when_applied(void **state)
{
	attach_and_settle();
	uint64_t first = set(agent()), second = set(binding(3, 10, 23));
	assert_int_equal(second, first + 1);
	mirror_poll(mirror);
	assert_int_equal(done_ticket, 0);
	assert_int_equal(fake_read(fake, 1), 1);
	mirror_poll(mirror);
	assert_int_equal(done_ticket, 0); // read is not applied
	fake_publish(fake);
	mirror_poll(mirror);
	assert_int_equal(done_ticket, first);
	assert_int_equal(errors[first], 0);
	settle();
	assert_int_equal(done_ticket, second);
	assert_has(binding(3, 10, 23));
	assert_int_equal(mirror_ticket(mirror), second);
	assert_int_equal(mirror_stats(mirror).tickets, 0);
}

static void refusal_reaches_its_ticket_alone(void **state)
{
	attach_and_settle();
	set(agent());
	fake->refuse_type = COMMAND_BINDING_SET;
	fake->refuse_errno = ENOSPC;
	uint64_t bad = set(binding(1, 1, 1)), good = set(binding(2, 2, 2));
	settle();
	assert_int_equal(errors[bad], ENOSPC);
	assert_int_equal(errors[good], 0);
	assert_int_equal(mirror_stats(mirror).refused, 1);
	uint64_t again = set(binding(1, 1, 1)); // the same once more is sent: it was refused
	settle();
	assert_int_equal(errors[again], 0);
	assert_has(binding(1, 1, 1));
	fake->refuse_type = COMMAND_BINDING_SET;
	bad = set(binding(4, 4, 4));
	settle();
	assert_int_equal(errors[bad], ENOSPC);
	uint64_t gone = drop(binding(4, 4, 4)); // the dataplane never had it: gone is gone
	settle();
	assert_int_equal(errors[gone], 0);
}

static void what_changes_twice_is_sent_once(void **state)
{
	attach_and_settle();
	set(agent());
	settle();
	unsigned sets = fake->sets;
	uint64_t one = set(binding(5, 5, 1)), two = set(binding(5, 5, 2)),
		 three = set(binding(5, 5, 3));
	settle();
	assert_int_equal(fake->sets, sets + 1);
	assert_int_equal(done_ticket, three);
	assert_int_equal(errors[one] | errors[two] | errors[three], 0);
	assert_has(binding(5, 5, 3));
	uint64_t same = set(binding(5, 5, 3));
	mirror_poll(mirror);
	assert_int_equal(done_ticket, same); // nothing to send, done at once
	assert_int_equal(fake->sets, sets + 1);
	fake->refuse_type = COMMAND_BINDING_SET;
	fake->refuse_errno = EINVAL;
	one = set(binding(5, 5, 4)), two = set(binding(5, 5, 5)); // one command, both refused
	mirror_poll(mirror);
	three = set(binding(5, 5, 5)); // the same while it is on its way shares its fate
	settle();
	assert_int_equal(errors[one], EINVAL);
	assert_int_equal(errors[two], EINVAL);
	assert_int_equal(errors[three], EINVAL);
}

static void set_and_removed_before_sent_is_not_sent(void **state)
{
	attach_and_settle();
	set(agent());
	settle();
	unsigned read = fake->read;
	set(binding(6, 6, 1));
	uint64_t gone = drop(binding(6, 6, 1)), never = drop(route(9, 0));
	settle();
	assert_int_equal(done_ticket, never);
	assert_int_equal(errors[gone], 0);
	assert_int_equal(fake->read, read);
	assert_int_equal(mirror_stats(mirror).desired, 1);
}

/* An id given to another node: the dataplane must let the first go before. */
static void id_reused_for_another_home_address(void **state)
{
	attach_and_settle();
	set(agent());
	set(binding(7, 7, 1));
	settle();
	drop(binding(7, 7, 1));
	uint64_t reused = set(binding(7, 70, 2));
	settle();
	assert_int_equal(errors[reused], 0);
	assert_has(binding(7, 70, 2));
	assert_int_equal(fake->removes, 1);
	drop(binding(
		7, 70, 2)); // removed and set again for the same node: a handover, without a gap
	set(binding(7, 70, 3));
	settle();
	assert_has(binding(7, 70, 3));
	assert_int_equal(fake->removes, 1);
	set(binding(7, 71, 4)); // changed twice before it was sent
	reused = set(binding(7, 72, 4));
	settle();
	assert_int_equal(errors[reused], 0);
	assert_has(binding(7, 72, 4));
}

static void more_than_the_ring_holds(void **state)
{
	attach_and_settle();
	set(agent());
	for (uint32_t i = 0; i < 1000; i++)
		set(binding(i, i, i));
	mirror_poll(mirror);
	assert_int_equal(done_ticket, 0);
	assert_true(mirror_stats(mirror).in_flight <= limits.command_slots);
	assert_true(mirror_stats(mirror).waiting >= 1000 - limits.command_slots);
	settle();
	assert_int_equal(done_ticket, 1001);
	assert_int_equal(fake_count(fake), 1001);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(errors[2 + i], 0);
}

static void many_refusals_through_a_small_event_ring(void **state)
{
	attach_and_settle();
	for (uint32_t i = 0; i < 200; i++) // no agent: all refused
		set(binding(i, i, i));
	settle();
	assert_int_equal(done_ticket, 200);
	for (unsigned i = 1; i <= 200; i++)
		assert_int_equal(errors[i], ENOENT);
	assert_int_equal(mirror_stats(mirror).refused, 200);
}

static void agents_go_last(void **state)
{
	attach_and_settle();
	set(agent());
	set(binding(1, 1, 1));
	set(prefix(1, 1));
	settle();
	unsigned read = fake->read;
	drop(agent());
	drop(prefix(1, 1));
	drop(binding(1, 1, 1));
	settle();
	assert_int_equal(fake->log[read % 64].type, COMMAND_PREFIX_REMOVE);
	assert_int_equal(fake->log[(read + 1) % 64].type, COMMAND_BINDING_REMOVE);
	assert_int_equal(fake->log[(read + 2) % 64].type, COMMAND_AGENT_REMOVE);
	assert_int_equal(fake_count(fake), 0);
	assert_int_equal(mirror_stats(mirror).desired, 0);
}

static void limits_are_told(void **state)
{
	struct command c = binding(2048, 1, 1), none = {.type = COMMAND_SYNC_END}, remove = agent();

	attach_and_settle();
	assert_int_equal(mirror_set(mirror, &c), 0);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(mirror_set(mirror, &none), 0);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(mirror_remove(mirror, &remove), 0); // a SET is no REMOVE
	assert_int_equal(errno, EINVAL);
	for (uint32_t i = 0; i < 512; i++)
		set(route(i, 1));
	c = route(512, 1);
	assert_int_equal(mirror_set(mirror, &c), 0);
	assert_int_equal(errno, ENOSPC);
	set(route(511, 2)); // a known one may change
	settle();
	for (uint32_t round = 0; round < 3; round++) { // entries come back
		for (uint32_t i = 0; i < 512; i++)
			drop(route(i, 1));
		settle();
		for (uint32_t i = 0; i < 512; i++)
			set(route(1000 * round + i, 1));
		settle();
		for (uint32_t i = 0; i < 512; i++)
			drop(route(1000 * round + i, 1));
		settle();
		for (uint32_t i = 0; i < 512; i++)
			set(route(i, 1));
		settle();
	}
	assert_int_equal(fake_count(fake), 512);
}

static void desired_can_be_read_back(void **state)
{
	struct command c = binding(4, 0, 0);

	assert_false(mirror_get(mirror, &c));
	set(binding(4, 44, 5));
	assert_true(mirror_get(mirror, &c));
	assert_memory_equal(c.payload, binding(4, 44, 5).payload, sizeof(c.payload));
	drop(binding(4, 44, 5));
	assert_false(mirror_get(mirror, &c));
}

static void nonsense_from_the_dataplane_is_ignored(void **state)
{
	struct event lies[] = {
		{.type = EVENT_REFUSED, .sequence = 0, .error = EINVAL},
		{.type = EVENT_REFUSED, .sequence = 1ull << 60, .error = EINVAL},
		{.type = EVENT_REFUSED, .sequence = 3, .error = -5},
		{.type = 999, .sequence = 5},
	};

	attach_and_settle();
	set(agent());
	mirror_poll(mirror);
	for (unsigned i = 0; i < 4; i++)
		ring_put(&fake->region.event, &lies[i]);
	atomic_store(&fake->region.header->applied_sequence, 1000);
	mirror_poll(mirror);
	assert_int_equal(done_ticket, 0); // applied what was never sent?
	atomic_store(&fake->region.header->applied_sequence, 0);
	mirror_poll(mirror);
	assert_int_equal(mirror_stats(mirror).violations, 5);
	assert_int_equal(events_heard, 1);
	settle();
	assert_int_equal(done_ticket, 1);
	assert_int_equal(errors[1], 0);
}

/* Anything in any order against a plain model; at the end both sides agree and every ticket came
 * once, in order. */
static void random_storm(void **state)
{
	enum { IDS = 40, ROUTES = 20 };
	uint32_t home[IDS] = {0}, care_of[IDS] = {0};
	uint16_t port[ROUTES] = {0};
	bool attached = false;

	srandom(11);
	set(agent());
	for (unsigned step = 0; step < 15000; step++) {
		unsigned what = (unsigned)random() % 100, i = (unsigned)random() % IDS,
			 j = i % ROUTES;
		if (what < 30) {
			if (!home[i] || random() % 4 == 0)
				home[i] = 1 + (uint32_t)random() % 1000;
			care_of[i] = (uint32_t)random() % 200;
			set(binding(i, home[i], care_of[i]));
		} else if (what < 40) {
			drop(binding(i, home[i], care_of[i]));
			home[i] = 0;
		} else if (what < 50) {
			port[j] = (uint16_t)(1 + random() % 5);
			set(route(j, port[j]));
		} else if (what < 55) {
			drop(route(j, port[j]));
			port[j] = 0;
		} else if (what < 75) {
			mirror_poll(mirror);
		} else if (what < 95) {
			fake_read(fake, (unsigned)random() % 20);
			if (random() % 2)
				fake_publish(fake);
		} else if (what == 95 && attached) {
			mirror_detach(mirror);
			attached = false;
			if (random() % 2)
				fake_forget(fake);
		} else if (what >= 96 && !attached) {
			mirror_attach(mirror, fake_session(fake));
			attached = true;
		}
	}
	if (!attached)
		mirror_attach(mirror, fake_session(fake));
	settle();
	assert_true(mirror_synced(mirror));
	assert_int_equal(done_ticket, mirror_ticket(mirror));
	unsigned wanted = 1;
	for (unsigned i = 0; i < IDS; i++)
		if (home[i]) {
			assert_has(binding(i, home[i], care_of[i]));
			wanted++;
		}
	for (unsigned j = 0; j < ROUTES; j++)
		if (port[j]) {
			assert_has(route(j, port[j]));
			wanted++;
		}
	assert_int_equal(fake_count(fake), wanted);
	assert_int_equal(mirror_stats(mirror).desired, wanted);
	assert_int_equal(mirror_stats(mirror).violations, 0);
	for (uint64_t t = 1; t <= done_ticket; t++)
		assert_int_equal(errors[t], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(done_only_when_applied),
		TEST(refusal_reaches_its_ticket_alone),
		TEST(what_changes_twice_is_sent_once),
		TEST(set_and_removed_before_sent_is_not_sent),
		TEST(id_reused_for_another_home_address),
		TEST(more_than_the_ring_holds),
		TEST(many_refusals_through_a_small_event_ring),
		TEST(agents_go_last),
		TEST(limits_are_told),
		TEST(desired_can_be_read_back),
		TEST(nonsense_from_the_dataplane_is_ignored),
		TEST(random_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
