#include "control/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENTS_PER_TURN 64
#define TIMERS_PER_TURN 256
#define STAGES_MAX      16

struct stage {
	loop_stage_handler *handler;
	void *context;
	monotonic wanted_ns;
};

struct loop {
	int epoll_fd;
	bool stopped;
	bool no_pwait2; /* kernel before 5.11 */
	struct epoll_event events[EVENTS_PER_TURN];
	int event_count, event_at;
	struct loop_timer **heap; /* [1..heap_count], earliest first */
	uint32_t heap_count, heap_size;
	struct stage stages[STAGES_MAX];
	unsigned stage_count;
	struct loop_statistics statistics;
};

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return NULL;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		free(loop);
		return NULL;
	}
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
}

int loop_source_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	loop_handler *handler, void *context)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	*source = (struct loop_source){
		.handler = handler, .context = context, .fd = fd, .added = true};
	return 0;
}

int loop_source_modify(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	if (!source->added)
		return -ENOENT;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

void loop_source_remove(struct loop *loop, struct loop_source *source)
{
	if (!source->added)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->added = false;
	// Its owner may free it now: forget what epoll_wait already handed us.
	for (int i = loop->event_at; i < loop->event_count; i++) {
		if (loop->events[i].data.ptr == source)
			loop->events[i].data.ptr = NULL;
	}
}

static void heap_place(struct loop *loop, uint32_t position, struct loop_timer *timer)
{
	loop->heap[position] = timer;
	timer->position = position;
}

static void heap_up(struct loop *loop, uint32_t position, struct loop_timer *timer)
{
	while (position > 1 && loop->heap[position / 2]->deadline_ns > timer->deadline_ns) {
		heap_place(loop, position, loop->heap[position / 2]);
		position /= 2;
	}
	heap_place(loop, position, timer);
}

static void heap_down(struct loop *loop, uint32_t position, struct loop_timer *timer)
{
	for (;;) {
		uint32_t child = position * 2;
		if (child > loop->heap_count)
			break;
		if (child < loop->heap_count &&
			loop->heap[child + 1]->deadline_ns < loop->heap[child]->deadline_ns)
			child++;
		if (loop->heap[child]->deadline_ns >= timer->deadline_ns)
			break;
		heap_place(loop, position, loop->heap[child]);
		position = child;
	}
	heap_place(loop, position, timer);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	uint32_t position = timer->position;
	if (!position)
		return;
	struct loop_timer *last = loop->heap[loop->heap_count--];
	timer->position = 0;
	timer->deadline_ns = CLOCK_NEVER;
	if (last == timer)
		return;
	heap_up(loop, position, last);
	heap_down(loop, last->position, last);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, monotonic deadline_ns)
{
	loop_timer_cancel(loop, timer);
	if (deadline_ns == CLOCK_NEVER)
		return 0;
	if (loop->heap_count + 1 >= loop->heap_size) {
		uint32_t size = loop->heap_size ? loop->heap_size * 2 : 64;
		struct loop_timer **heap = realloc(loop->heap, size * sizeof(*heap));
		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->heap_size = size;
	}
	timer->deadline_ns = deadline_ns;
	loop->heap_count++;
	heap_up(loop, loop->heap_count, timer);
	return 0;
}

int loop_stage_add(struct loop *loop, loop_stage_handler *handler, void *context)
{
	if (loop->stage_count == STAGES_MAX)
		return -ENOSPC;
	loop->stages[loop->stage_count++] =
		(struct stage){.handler = handler, .context = context, .wanted_ns = 0};
	return 0;
}

/* Nanoseconds until the earliest deadline, at most max_wait_ns. */
static uint64_t wait_length(const struct loop *loop, uint64_t max_wait_ns)
{
	monotonic now = clock_read().monotonic_ns;
	monotonic earliest = loop->heap_count ? loop->heap[1]->deadline_ns : CLOCK_NEVER;
	for (unsigned i = 0; i < loop->stage_count; i++) {
		if (loop->stages[i].wanted_ns < earliest)
			earliest = loop->stages[i].wanted_ns;
	}
	if (earliest <= now)
		return 0;
	if (earliest == CLOCK_NEVER || earliest - now > max_wait_ns)
		return max_wait_ns;
	return earliest - now;
}

static int wait_events(struct loop *loop, uint64_t wait_ns)
{
	bool forever = wait_ns == UINT64_MAX;
	if (!loop->no_pwait2) {
		struct timespec timeout = {
			.tv_sec = (time_t)(wait_ns / CLOCK_NS_PER_S),
			.tv_nsec = (long)(wait_ns % CLOCK_NS_PER_S),
		};
		int count = epoll_pwait2(loop->epoll_fd, loop->events, EVENTS_PER_TURN,
			forever ? NULL : &timeout, NULL);
		if (count >= 0 || (errno != ENOSYS && errno != EPERM))
			return count;
		loop->no_pwait2 = true;
	}
	uint64_t wait_ms = (wait_ns + 999999) / 1000000;
	int timeout_ms = forever ? -1 : wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms;
	return epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, timeout_ms);
}

static void measure(struct loop *loop, const struct clock_now *start)
{
	struct loop_statistics *s = &loop->statistics;
	uint64_t took = clock_read().monotonic_ns - start->monotonic_ns;
	unsigned bucket = 0;
	while (bucket < LOOP_LATENCY_BUCKETS - 1 && took >> (bucket + 10))
		bucket++;
	s->turns++;
	s->turn_ns_total += took;
	s->turn_histogram[bucket]++;
	if (took > s->turn_ns_max)
		s->turn_ns_max = took;
}

int loop_turn(struct loop *loop, uint64_t max_wait_ns)
{
	int count = wait_events(loop, wait_length(loop, max_wait_ns));
	if (count < 0) {
		if (errno != EINTR)
			return -errno;
		count = 0;
	}
	struct clock_now now = clock_read();
	loop->event_count = count;
	for (loop->event_at = 0; loop->event_at < loop->event_count;) {
		struct epoll_event *event = &loop->events[loop->event_at++];
		struct loop_source *source = event->data.ptr;
		if (source)
			source->handler(source->context, event->events, &now);
	}
	loop->event_count = 0;
	for (unsigned i = 0; i < TIMERS_PER_TURN && loop->heap_count; i++) {
		struct loop_timer *timer = loop->heap[1];
		if (timer->deadline_ns > now.monotonic_ns)
			break;
		loop_timer_cancel(loop, timer);
		timer->handler(timer->context, &now);
	}
	for (unsigned i = 0; i < loop->stage_count; i++) {
		struct stage *stage = &loop->stages[i];
		stage->wanted_ns = stage->handler(stage->context, &now);
	}
	measure(loop, &now);
	return 0;
}

int loop_run(struct loop *loop)
{
	int error = 0;
	loop->stopped = false;
	while (!loop->stopped && !error)
		error = loop_turn(loop, UINT64_MAX);
	return error;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

const struct loop_statistics *loop_statistics_get(const struct loop *loop)
{
	return &loop->statistics;
}
