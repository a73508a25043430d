#include "control/mip4/identification.h"

const char *identification_text(enum identification_result result)
{
	static const char *const texts[] = {
		[IDENTIFICATION_OK] = "fresh",
		[IDENTIFICATION_FAR] = "timestamp too far from our clock",
		[IDENTIFICATION_OLD] = "timestamp not newer than the last one accepted",
		[IDENTIFICATION_NONCE] = "nonce is not the one we gave",
		[IDENTIFICATION_UNSET] = "our wall clock is not set",
	};
	return texts[result];
}

static bool later(uint64_t a, uint64_t b) /* modular: a after b */
{
	return (int64_t)(a - b) > 0;
}

static enum identification_result timestamp_check(const struct node_replay *replay,
	const struct config_security *context, uint64_t identification,
	struct identification_clock clock)
{
	if (!clock.wall_set)
		return IDENTIFICATION_UNSET;
	int32_t apart =
		(int32_t)((uint32_t)(identification >> 32) - clock_ntp_seconds(clock.wall_ns));
	int64_t tolerance = context->tolerance_s; /* never off, not even at 0 (HA4-RPL-17) */

	if (apart > tolerance || apart < -tolerance)
		return IDENTIFICATION_FAR;
	if (replay->has_identification)
		return later(identification, replay->last_identification) ? IDENTIFICATION_OK
									  : IDENTIFICATION_OLD;
	if (clock.floor && !later(identification, clock.floor))
		return IDENTIFICATION_OLD;
	return IDENTIFICATION_OK;
}

enum identification_result identification_check(const struct node_replay *replay,
	const struct config_security *context, uint64_t identification,
	struct identification_clock clock)
{
	uint32_t high = (uint32_t)(identification >> 32);

	if (context->replay == REPLAY_TIMESTAMP)
		return timestamp_check(replay, context, identification, clock);
	if ((replay->has_nonce_success && high == replay->nonce_success) ||
		(replay->has_nonce_failure && high == replay->nonce_failure))
		return IDENTIFICATION_OK;
	return IDENTIFICATION_NONCE;
}

void identification_accept(
	struct node_replay *replay, const struct config_security *context, uint64_t identification)
{
	uint32_t high = (uint32_t)(identification >> 32);

	if (context->replay == REPLAY_TIMESTAMP) {
		replay->last_identification = identification;
		replay->has_identification = true;
		return;
	}
	/* Each once (HA4-RPL-14). */
	if (replay->has_nonce_success && high == replay->nonce_success)
		replay->has_nonce_success = false;
	if (replay->has_nonce_failure && high == replay->nonce_failure)
		replay->has_nonce_failure = false;
}

uint64_t identification_reply(struct node_replay *replay, const struct config_security *context,
	uint64_t identification, bool fresh, uint64_t wall_ns, uint32_t nonce)
{
	uint32_t low = (uint32_t)identification;

	if (context->replay == REPLAY_TIMESTAMP)
		return fresh ? identification : (uint64_t)clock_ntp_seconds(wall_ns) << 32 | low;
	if (fresh) {
		replay->nonce_success = nonce;
		replay->has_nonce_success = true;
	} else {
		replay->nonce_failure = nonce;
		replay->has_nonce_failure = true;
	}
	return (uint64_t)nonce << 32 | low;
}
