// control/loop: order of a turn, removal while events are pending, timers, stages that ask for
// more.
#include "control/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000000ull

struct probe {
	struct loop *loop;
	struct loop_source source, *victim;
	struct loop_timer timer;
	int calls;
	int *order;
	int seen;
	monotonic want;
};

static int sequence;

static void on_event(void *context, uint32_t events, const struct clock_now *now)
{
	struct probe *p = context;
	uint64_t value;
	assert_true(events & EPOLLIN);
	assert_int_equal(read(p->source.fd, &value, sizeof(value)), sizeof(value));
	p->calls++;
	p->seen = ++sequence;
	if (p->victim)
		loop_source_remove(p->loop, p->victim);
}

static void on_timer(void *context, const struct clock_now *now)
{
	struct probe *p = context;
	p->calls++;
	p->seen = ++sequence;
}

static monotonic on_stage(void *context, const struct clock_now *now)
{
	struct probe *p = context;
	p->calls++;
	p->seen = ++sequence;
	return p->want;
}

static void watch(struct probe *p, struct loop *loop)
{
	p->loop = loop;
	int fd = eventfd(1, EFD_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(loop_source_add(loop, &p->source, fd, EPOLLIN, on_event, p), 0);
}

static void turn_calls_events_then_timers_then_stages(void **state)
{
	struct loop *loop = loop_new();
	struct probe event = {0}, timer = {.timer.handler = on_timer},
		     stage = {.want = CLOCK_NEVER};
	timer.timer.context = &timer;
	sequence = 0;
	watch(&event, loop);
	assert_int_equal(loop_timer_set(loop, &timer.timer, clock_read().monotonic_ns), 0);
	assert_int_equal(loop_stage_add(loop, on_stage, &stage), 0);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(event.seen, 1);
	assert_int_equal(timer.seen, 2);
	assert_int_equal(stage.seen, 3);
	assert_int_equal(timer.timer.position, 0);
	assert_int_equal(loop_statistics_get(loop)->turns, 1);
	close(event.source.fd);
	loop_free(loop);
}

static void removed_source_gets_no_pending_event(void **state)
{
	struct loop *loop = loop_new();
	struct probe a = {0}, b = {0};
	watch(&a, loop);
	watch(&b, loop);
	a.victim = &b.source;
	b.victim = &a.source;
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(a.calls + b.calls, 1);
	close(a.source.fd);
	close(b.source.fd);
	loop_free(loop);
}

static void timers_fire_in_order_of_deadline(void **state)
{
	enum { COUNT = 200 };
	struct loop *loop = loop_new();
	static struct probe probes[COUNT];
	monotonic base = clock_read().monotonic_ns - 10 * 1000 * MS;
	sequence = 0;
	srand(7);
	for (int i = 0; i < COUNT; i++) {
		probes[i] = (struct probe){.timer = {.handler = on_timer, .context = &probes[i]}};
		loop_timer_set(loop, &probes[i].timer, base + (uint64_t)rand() % 1000000);
		// Move it once: the heap must follow.
		loop_timer_set(loop, &probes[i].timer, base + (uint64_t)(i * 7919 % COUNT));
	}
	loop_timer_cancel(loop, &probes[5].timer);
	loop_timer_cancel(loop, &probes[5].timer);
	assert_int_equal(loop_turn(loop, 0), 0);
	for (int i = 0; i < COUNT; i++) {
		if (i == 5) {
			assert_int_equal(probes[i].calls, 0);
			continue;
		}
		int rank = i * 7919 % COUNT, removed = 5 * 7919 % COUNT;
		assert_int_equal(probes[i].calls, 1);
		assert_int_equal(probes[i].seen, rank + 1 - (rank > removed));
	}
	loop_free(loop);
}

static void waits_for_the_earliest_deadline_and_not_longer(void **state)
{
	struct loop *loop = loop_new();
	struct probe timer = {.timer.handler = on_timer};
	timer.timer.context = &timer;
	monotonic start = clock_read().monotonic_ns;
	loop_timer_set(loop, &timer.timer, start + 20 * MS);
	for (int i = 0; i < 100 && !timer.calls; i++)
		assert_int_equal(loop_turn(loop, 100000 * MS), 0);
	uint64_t took = clock_read().monotonic_ns - start;
	assert_int_equal(timer.calls, 1);
	assert_true(took >= 20 * MS);
	assert_true(took < 50000 * MS);
	loop_free(loop);
}

static void stage_with_more_to_do_is_called_again_at_once(void **state)
{
	struct loop *loop = loop_new();
	struct probe stage = {.want = 0};
	loop_stage_add(loop, on_stage, &stage);
	monotonic start = clock_read().monotonic_ns;
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(loop, 100000 * MS), 0);
	assert_int_equal(stage.calls, 5);
	assert_true(clock_read().monotonic_ns - start < 50000 * MS);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turn_calls_events_then_timers_then_stages),
		cmocka_unit_test(removed_source_gets_no_pending_event),
		cmocka_unit_test(timers_fire_in_order_of_deadline),
		cmocka_unit_test(waits_for_the_earliest_deadline_and_not_longer),
		cmocka_unit_test(stage_with_more_to_do_is_called_again_at_once),
	};
	return cmocka_run_group_tests_name("control/loop", tests, NULL, NULL);
}
