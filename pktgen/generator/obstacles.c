#include "pktgen/generator/obstacles.h"

#include <inttypes.h>

/* Of each the unit that it is counted in, what happened and what helps. */
static const struct {
	const char *unit, *what, *remedy;
	bool momentary; /* does no harm while all is sent in time */
} texts[TALLY_OBSTACLE_COUNT] = {
	[TALLY_NO_BUFFER] = {"times", "no packet buffer was free",
		"set buffers higher, and give the EAL memory for them with -m", false},
	[TALLY_PORT_FULL] = {"times", "a port did not take all that it was given",
		"its other end is slower than the rate, or not there; lower the rate, or set "
		"queue_size (of a memif rsize) higher",
		true},
	[TALLY_QUEUE_BUSY] = {"times", "another sender had the queue that they share",
		"set tx_queues to sending_lcores where the device has so many", true},
	[TALLY_NOBODY_READY] = {"times", "nobody was registered who could have sent",
		"see registrations in the report", true},
	[TALLY_MAIL_FULL] = {"messages",
		"of neighbours and home agents came faster than the main lcore took them",
		"lower registration.rate or moves", false},
	[TALLY_SEQUENCE_END] = {"packets",
		"their associations have used all sequence numbers, which must not begin "
		"anew (RFC 4303 3.3.3)",
		"set esn, or begin earlier with sequence_first; a new association is IKE's "
		"business",
		false},
	[TALLY_OUT_OF_TIME] = {"packets", "were due and not begun when the time was over",
		"if nothing else is named, the rate is more than the lcores can build: lower it, "
		"give more sending_lcores, or leave the processors to them",
		false},
};

/* Which ports, behind a count. */
static void ports_tell(FILE *out, const struct profile *profile, const struct tally *tally)
{
	for (unsigned i = 0; i < profile->port_count; i++)
		if (tally->full[i])
			fprintf(out, ", at \"%s\" %" PRIu64, profile->ports[i].name,
				tally->full[i]);
}

void obstacles_tell(FILE *out, const struct profile *profile, const struct obstacles_trial *trial,
	const struct tally *tally, uint32_t *told)
{
	bool unsent = trial->sent < trial->wanted;

	if (unsent && !trial->search)
		fprintf(out, "%s: %" PRIu64 " of %" PRIu64 " packets were not sent\n", trial->name,
			trial->wanted - trial->sent, trial->wanted);
	for (unsigned i = 0; i < TALLY_OBSTACLE_COUNT; i++) {
		if (!tally->obstacles[i] || (*told & 1u << i) || (texts[i].momentary && !unsent))
			continue;
		*told |= 1u << i;
		fprintf(out, "%s: %s: %" PRIu64 " %s", trial->name, tally_obstacle_name(i),
			tally->obstacles[i], texts[i].unit);
		if (i == TALLY_PORT_FULL)
			ports_tell(out, profile, tally);
		fprintf(out, ": %s; %s\n", texts[i].what, texts[i].remedy);
	}
}
