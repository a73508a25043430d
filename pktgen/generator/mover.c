#include "pktgen/generator/mover.h"

#include "pktgen/generator/pace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define POLL_MAX 16 /* moves of a group: traffic goes on in between */

struct group {
	const struct population_group *group;
	struct pace pace; /* of the trial */
	uint64_t done;    /* moves of the trial */
	uint32_t cursor;  /* who is next */
};

struct mover {
	uint64_t hz;
	int file; /* -1: none */
	unsigned group_count;
	struct group groups[PROFILE_GROUPS_MAX];
	struct mover_counters counters;
};

int mover_new(struct population *population, const char *path, uint64_t hz, struct mover **out)
{
	struct mover *mover = calloc(1, sizeof(*mover));

	*out = NULL;
	if (!mover)
		return -ENOMEM;
	mover->hz = hz;
	mover->file = -1;
	for (unsigned i = 0; i < population->group_count; i++) {
		const struct population_group *group = &population->groups[i];
		if (group->settings->secured && group->settings->security.moves)
			mover->groups[mover->group_count++] =
				(struct group){.group = group, .pace.start = UINT64_MAX};
	}
	if (!mover->group_count) {
		free(mover);
		return 0;
	}
	/* Traffic does not wait for a reader. */
	if (path)
		mover->file =
			open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0644);
	if (path && mover->file < 0) {
		int result = -errno;
		free(mover);
		return result;
	}
	*out = mover;
	return 0;
}

void mover_free(struct mover *mover)
{
	if (mover && mover->file >= 0)
		close(mover->file);
	free(mover);
}

void mover_trial(struct mover *mover, uint64_t now, bool begin)
{
	for (unsigned i = 0; i < mover->group_count; i++) {
		struct group *own = &mover->groups[i];
		/* The first moves when the first interval is over. */
		own->pace = (struct pace){.start = UINT64_MAX};
		own->done = 1;
		if (begin)
			own->pace = (struct pace){.start = now,
				.hz = mover->hz,
				.rate = own->group->settings->security.moves};
	}
}

/* What homeportctl is to be told; false when the reader did not take the whole line. */
static bool tell(const struct mover *mover, const struct population_group *group, uint32_t node)
{
	struct ip_address care_of = population_care_of(group, node, group->nodes[node].place);
	char line[CONFIG_NAME_SIZE + IP_ADDRESS_TEXT_SIZE + 64], address[IP_ADDRESS_TEXT_SIZE];
	int length = snprintf(line, sizeof(line), "sa update %s-%" PRIu32 " remote %s\n",
		group->settings->name, node, ip_address_format(&care_of, address));

	return mover->file < 0 || write(mover->file, line, (size_t)length) == length;
}

static void move(struct mover *mover, const struct population_group *group, uint32_t node)
{
	struct population_node *state = &group->nodes[node];

	state->moved = 1; /* before: what comes meanwhile to the old place is old, not wrong */
	atomic_thread_fence(memory_order_release);
	state->place ^= 1;
	mover->counters.moves++;
	mover->counters.untold += !tell(mover, group, node);
}

void mover_poll(struct mover *mover, uint64_t now)
{
	for (unsigned i = 0; i < mover->group_count; i++) {
		struct group *own = &mover->groups[i];
		uint64_t due = pace_due(&own->pace, now);
		for (unsigned k = 0; k < POLL_MAX && own->done < due; k++, own->done++) {
			move(mover, own->group, own->cursor);
			own->cursor = (own->cursor + 1) % own->group->settings->nodes;
		}
	}
}

const struct mover_counters *mover_counters_get(const struct mover *mover)
{
	return &mover->counters;
}
