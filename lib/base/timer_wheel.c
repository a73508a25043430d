#include "lib/base/timer_wheel.h"

#include <assert.h>
#include <string.h>

#define NS_PER_TICK 1000000ull
#define DIGIT_BITS  6
#define DIGIT_MASK  (TIMER_WHEEL_SLOTS - 1)

static_assert(UINT64_MAX / NS_PER_TICK < 1ull << (DIGIT_BITS * TIMER_WHEEL_LEVELS),
	"no deadline lies beyond the wheels");

void timer_wheel_init(struct timer_wheel *wheel, monotonic now)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick = now / NS_PER_TICK;
	wheel->cascading = -1;
}

void timer_init(struct timer *timer, timer_expired *expired, void *owner)
{
	*timer = (struct timer){.deadline_ns = CLOCK_NEVER, .expired = expired, .owner = owner};
}

static unsigned digit_of(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (DIGIT_BITS * level)) & DIGIT_MASK;
}

static void link_timer(struct timer_wheel *wheel, struct timer *timer)
{
	uint64_t tick = timer->deadline_ns / NS_PER_TICK + !!(timer->deadline_ns % NS_PER_TICK);
	unsigned level = 0;

	if (tick <= wheel->tick)
		tick = wheel->tick;
	if (tick != wheel->tick)
		level = (63u - (unsigned)__builtin_clzll(tick ^ wheel->tick)) / DIGIT_BITS;
	unsigned digit = digit_of(tick, level);
	timer->slot = (uint16_t)(level * TIMER_WHEEL_SLOTS + digit);
	struct timer **head = &wheel->slots[timer->slot];
	timer->next = *head;
	timer->link = head;
	if (*head)
		(*head)->link = &timer->next;
	*head = timer;
	wheel->occupied[level] |= 1ull << digit;
	wheel->count++;
}

static void unlink_timer(struct timer_wheel *wheel, struct timer *timer)
{
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->next = NULL;
	timer->link = NULL;
	if (!wheel->slots[timer->slot])
		wheel->occupied[timer->slot / TIMER_WHEEL_SLOTS] &=
			~(1ull << (timer->slot & DIGIT_MASK));
	wheel->count--;
}

void timer_wheel_add(struct timer_wheel *wheel, struct timer *timer, monotonic deadline_ns)
{
	if (timer->link)
		unlink_timer(wheel, timer);
	timer->deadline_ns = deadline_ns;
	if (deadline_ns != CLOCK_NEVER)
		link_timer(wheel, timer);
}

void timer_wheel_cancel(struct timer_wheel *wheel, struct timer *timer)
{
	if (timer->link)
		unlink_timer(wheel, timer);
	timer->deadline_ns = CLOCK_NEVER;
}

/*
 * The next slot that holds timers, and the tick at which it begins. Slots of a level lie ahead of
 * the current digit and inside the span of one slot of the level above, so the lowest occupied
 * level has the earliest.
 */
static int next_slot(const struct timer_wheel *wheel, uint64_t *tick)
{
	for (unsigned level = 0; level < TIMER_WHEEL_LEVELS; level++) {
		if (!wheel->occupied[level])
			continue;
		unsigned digit = (unsigned)__builtin_ctzll(wheel->occupied[level]);
		unsigned shift = DIGIT_BITS * level;
		*tick = (wheel->tick >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS)) |
			(uint64_t)digit << shift;
		return (int)(level * TIMER_WHEEL_SLOTS + digit);
	}
	return -1;
}

/* Moves the slot that has just begun down to the lower wheels; false when max_work ended it early.
 */
static bool cascade(struct timer_wheel *wheel, uint32_t *work)
{
	unsigned level = (unsigned)wheel->cascading;
	struct timer **head =
		&wheel->slots[level * TIMER_WHEEL_SLOTS + digit_of(wheel->tick, level)];

	while (*head) {
		if (!*work)
			return false;
		--*work;
		struct timer *timer = *head;
		unlink_timer(wheel, timer);
		link_timer(wheel, timer);
	}
	wheel->cascading = -1;
	return true;
}

/* Takes the slot of the current tick aside, so that a timer that starts itself again waits for the
 * others. */
static void take_due(struct timer_wheel *wheel)
{
	unsigned digit = digit_of(wheel->tick, 0);

	wheel->due = wheel->slots[digit];
	wheel->due->link = &wheel->due;
	wheel->slots[digit] = NULL;
	wheel->occupied[0] &= ~(1ull << digit);
}

/* Expires what was taken aside; false when max_work ended it early. */
static bool expire(struct timer_wheel *wheel, monotonic now, uint32_t *work)
{
	while (wheel->due) {
		if (!*work)
			return false;
		--*work;
		struct timer *timer = wheel->due;
		unlink_timer(wheel, timer);
		timer->deadline_ns = CLOCK_NEVER;
		timer->expired(timer, timer->owner, now);
	}
	return true;
}

bool timer_wheel_advance(struct timer_wheel *wheel, monotonic now, uint32_t max_work)
{
	uint64_t now_tick = now / NS_PER_TICK, tick;
	uint32_t work = max_work;

	for (;;) {
		if (wheel->cascading >= 0 && !cascade(wheel, &work))
			return true;
		if (!expire(wheel, now, &work))
			return true;
		int slot = next_slot(wheel, &tick);
		if (slot < 0 || tick > now_tick) {
			if (now_tick > wheel->tick)
				wheel->tick = now_tick;
			return false;
		}
		wheel->tick = tick;
		if (slot >= TIMER_WHEEL_SLOTS)
			wheel->cascading = slot / TIMER_WHEEL_SLOTS;
		else
			take_due(wheel);
	}
}

monotonic timer_wheel_next(const struct timer_wheel *wheel)
{
	uint64_t tick;

	if (wheel->cascading >= 0 || wheel->due)
		return wheel->tick * NS_PER_TICK;
	return next_slot(wheel, &tick) < 0 ? CLOCK_NEVER : tick * NS_PER_TICK;
}
