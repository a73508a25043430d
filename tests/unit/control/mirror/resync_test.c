/* The mirror when the dataplane, or control, begins anew. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/control/mirror/mirror_bed.h"

static void nothing_is_done_without_a_dataplane(void **state)
{
	set(agent());
	set(binding(1, 1, 1));
	drop(binding(2, 2, 2));
	assert_false(mirror_poll(mirror));
	assert_int_equal(done_ticket, 0);
	assert_false(mirror_synced(mirror));
	attach_and_settle();
	assert_int_equal(done_ticket, 3);
	assert_has(binding(1, 1, 1));
}

/* Told in the wrong order, sent in the right one; what nobody wants any more is swept. */
static void control_restarts(void **state)
{
	attach_and_settle();
	set(agent());
	for (uint32_t i = 0; i < 20; i++)
		set(binding(i, i, i));
	set(prefix(1, 5));
	set(route(1, 1));
	settle();
	assert_int_equal(fake_count(fake), 23);
	mirror_detach(mirror);
	new_mirror();
	set(prefix(2, 30));
	set(binding(30, 30, 30));
	set(binding(5, 5, 50));   // roamed meanwhile
	set(binding(6, 600, 60)); // the id is another node's now
	set(route(2, 1));
	set(agent());
	attach_and_settle();
	assert_int_equal(done_ticket, 6);
	for (unsigned i = 1; i <= 6; i++)
		assert_int_equal(errors[i], 0);
	assert_int_equal(fake_count(fake), 6);
	assert_has(binding(5, 5, 50));
	assert_has(binding(6, 600, 60));
	assert_has(prefix(2, 30));
	assert_int_equal(fake->syncs_ended, 2);
}

static void dataplane_restarts(void **state)
{
	attach_and_settle();
	set(agent());
	for (uint32_t i = 0; i < 500; i++)
		set(binding(i, i, i));
	settle();
	uint64_t last = drop(binding(3, 3, 3));
	mirror_poll(mirror); // sent, never applied
	mirror_detach(mirror);
	fake_forget(fake);
	uint64_t later = set(binding(501, 501, 1));
	mirror_poll(mirror);
	assert_int_equal(done_ticket, last - 1);
	attach_and_settle();
	assert_int_equal(done_ticket, later);
	assert_int_equal(fake_count(fake), 501);
	assert_null(fake_find(
		fake, &(struct command){.type = COMMAND_BINDING_SET, .binding.binding_id = 3}));
}

/* The same replayed twice changes nothing (all SETs are idempotent). */
static void replay_changes_nothing(void **state)
{
	attach_and_settle();
	set(agent());
	for (uint32_t i = 0; i < 300; i++)
		set(binding(i, i, i));
	for (uint32_t i = 0; i < 30; i++)
		set(prefix(i, i));
	settle();
	unsigned changes = fake->changes;
	for (unsigned round = 0; round < 2; round++) {
		mirror_detach(mirror);
		attach_and_settle();
		assert_int_equal(fake->changes, changes);
	}
	assert_int_equal(fake_count(fake), 331);
}

static void detached_in_the_middle_of_a_resynchronisation(void **state)
{
	set(agent());
	for (uint32_t i = 0; i < 300; i++)
		set(binding(i, i, i));
	for (unsigned stop = 1; stop < 290; stop += 17) {
		mirror_attach(mirror, fake_session(fake));
		for (unsigned i = 0; i < stop;) {
			mirror_poll(mirror);
			i += fake_read(fake, stop - i);
		}
		assert_false(mirror_synced(mirror));
		mirror_detach(mirror);
		assert_int_equal(done_ticket, 0);
	}
	attach_and_settle();
	assert_int_equal(done_ticket, 301);
	assert_int_equal(fake_count(fake), 301);
	for (unsigned i = 1; i <= 301; i++)
		assert_int_equal(errors[i], 0);
}

/* A registration during a long resynchronisation is not answered only at its end. */
static void changes_go_before_the_replay(void **state)
{
	set(agent());
	for (uint32_t i = 0; i < 2000; i++)
		set(binding(i, i, i));
	attach_and_settle();
	mirror_detach(mirror);
	mirror_attach(mirror, fake_session(fake));
	mirror_poll(mirror);
	fake_read(fake, EVERYTHING);
	fake_publish(fake);
	mirror_poll(mirror);
	uint64_t fresh = set(binding(1999, 1999, 77)), gone = drop(binding(1998, 1998, 0));
	for (unsigned i = 0; i < 3; i++) {
		fake_read(fake, EVERYTHING);
		fake_publish(fake);
		mirror_poll(mirror);
	}
	assert_int_equal(done_ticket, fresh);
	assert_false(mirror_synced(mirror));
	settle();
	assert_int_equal(done_ticket, gone); // was not told of yet: gone with the sweep
	assert_int_equal(errors[gone], 0);
	assert_int_equal(fake_count(fake), 2000);
	assert_has(binding(1999, 1999, 77));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_done_without_a_dataplane),
		TEST(control_restarts),
		TEST(dataplane_restarts),
		TEST(replay_changes_nothing),
		TEST(detached_in_the_middle_of_a_resynchronisation),
		TEST(changes_go_before_the_replay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
