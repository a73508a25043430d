#include "pktgen/generator/timeline.h"

#include "lib/base/clock.h"

struct timeline timeline_make(
	const struct capture_file *file, const struct profile_replay *settings, uint64_t rate)
{
	uint32_t count = file->frame_count;
	uint64_t last_ns = file->frames[count - 1].time_ns;

	return (struct timeline){
		.file = file,
		.timing = settings->timing,
		.rate = rate,
		.speed_percent = settings->speed_percent,
		.loop_ns = count > 1 ? last_ns + last_ns / (count - 1) : 0,
	};
}

uint64_t timeline_due_ns(const struct timeline *timeline, uint64_t index)
{
	const struct capture_file *file = timeline->file;
	unsigned __int128 recorded;

	if (timeline->timing == PROFILE_TIMING_RATE)
		return timeline->rate ? (uint64_t)((unsigned __int128)index * CLOCK_NS_PER_S /
						   timeline->rate)
				      : 0;
	recorded = (unsigned __int128)(index / file->frame_count) * timeline->loop_ns +
		   file->frames[index % file->frame_count].time_ns;
	recorded = recorded * 100 / timeline->speed_percent;
	return recorded < UINT64_MAX ? (uint64_t)recorded : UINT64_MAX;
}
