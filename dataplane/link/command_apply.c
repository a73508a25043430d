#include "dataplane/link/command_apply.h"

#include "dataplane/link/event.h"

#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>

/* Replaced objects that may wait before we let the workers catch up: well below what the tables
 * have spare. */
#define WAITING_MAX 2048

void command_apply_reset(struct command_apply *apply, struct region *region, struct tables *tables)
{
	*apply = (struct command_apply){.region = region, .tables = tables};
}

bool command_apply_waiting(const struct command_apply *apply)
{
	return apply->head != apply->tail;
}

/* Reports the batches whose grace period is over. True when applied_sequence moved. */
static bool batches_finish(struct command_apply *apply)
{
	uint64_t sequence = 0;

	while (apply->head != apply->tail) {
		const struct command_batch *batch =
			&apply->batches[apply->head % COMMAND_APPLY_BATCHES];
		if (!tables_synced(apply->tables, batch->token))
			break;
		sequence = batch->sequence;
		apply->head++;
	}
	if (sequence == 0)
		return false;
	/* Edge A1: control acquires this and then may let replies leave. */
	atomic_store_explicit(
		&apply->region->header->applied_sequence, sequence, memory_order_release);
	return true;
}

/* False when the event ring has no room: the command stays where it is, its refusal must not be
 * lost. */
static bool refusal_put(struct command_apply *apply, const struct command *command, int error)
{
	static struct log_limit limit = LOG_LIMIT(1, 10);
	struct event event = {.sequence = command->sequence,
		.type = EVENT_REFUSED,
		.error = error,
		.id = command->type};

	if (ring_free_count(&apply->region->event) == 0)
		return false;
	ring_put(&apply->region->event, &event);
	apply->refused++;
	log_limited(&limit, clock_read().monotonic_ns, LOG_LEVEL_WARNING, "command_refused",
		"sequence=%llu type=%u error=%d", (unsigned long long)command->sequence,
		command->type, error);
	return true;
}

/* True when the command at the head of the ring was dealt with. */
static bool command_take(struct command_apply *apply)
{
	const struct command *shared = ring_peek(&apply->region->command, 0);
	struct command command;

	if (!shared)
		return false;
	memcpy(&command, shared, sizeof(command)); /* the only look at shared memory */
	/* Sequences rise, or "applied" would mean nothing. */
	int error =
		command.sequence > apply->sequence ? tables_apply(apply->tables, &command) : EINVAL;
	bool done = error != EAGAIN && (!error || refusal_put(apply, &command, error));
	if (done) {
		if (command.sequence > apply->sequence)
			apply->sequence = command.sequence;
		apply->applied += error == 0;
		if (command.type == COMMAND_SA_KEY) /* ESP-ALG-25 */
			secret_wipe((void *)(uintptr_t)shared, sizeof(*shared));
		ring_release(&apply->region->command, 1);
	}
	if (command.type == COMMAND_SA_KEY)
		secret_wipe(&command, sizeof(command));
	return done;
}

unsigned command_apply_poll(struct command_apply *apply)
{
	unsigned count = 0;
	bool told = batches_finish(apply);

	if (apply->tail - apply->head < COMMAND_APPLY_BATCHES &&
		tables_waiting(apply->tables) < WAITING_MAX)
		while (count < COMMAND_APPLY_BATCH && command_take(apply))
			count++;
	if (count > 0) {
		apply->batches[apply->tail++ % COMMAND_APPLY_BATCHES] = (struct command_batch){
			.token = tables_publish(apply->tables), .sequence = apply->sequence};
		told |= batches_finish(apply);
	} else {
		tables_publish(apply->tables); /* ages graces and collects what waits */
	}
	if (told)
		doorbell_ring(apply->region->event_doorbell);
	return count;
}
