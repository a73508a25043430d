#include "pktgen/generator/replay.h"

#include "lib/base/clock.h"
#include "pktgen/generator/pace.h"
#include "pktgen/generator/progress.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#define BURST 32

/* The frames due next, as many as the port takes; none is left out. */
static void burst_send(
	struct generator *g, const struct capture_file *file, struct replay *replay, uint64_t due)
{
	uint16_t ethdev = g->ports[g->profile->replay.port_index].ethdev;
	struct rte_mbuf *mbufs[BURST];
	unsigned count = 0;

	while (count < BURST && replay->sent + count < due) {
		const struct capture_frame *frame =
			&file->frames[(replay->sent + count) % file->frame_count];
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(g->pool);
		if (!mbuf)
			break;
		memcpy(rte_pktmbuf_append(mbuf, (uint16_t)frame->length), frame->data,
			frame->length);
		mbufs[count++] = mbuf;
	}
	unsigned taken = rte_eth_tx_burst(ethdev, 0, mbufs, (uint16_t)count);
	for (unsigned i = 0; i < taken; i++) {
		const struct capture_frame *frame =
			&file->frames[(replay->sent + i) % file->frame_count];
		replay->sent_octets += frame->length;
		capture_write(
			g->senders.own.capture, frame->data, frame->length, clock_read().wall_ns);
	}
	replay->sent += taken;
	rte_pktmbuf_free_bulk(mbufs + taken, count - taken);
}

static void turns(struct generator *g, const struct capture_file *file, struct replay *replay)
{
	uint64_t start = rte_rdtsc(), now = start, last = start;
	uint64_t quiet = (uint64_t)g->profile->traffic.drain_ms * (g->hz / 1000);
	const struct pace pace = {.start = start,
		.hz = g->hz,
		.rate = g->profile->traffic.rate,
		.limit = replay->wanted};

	struct progress progress = progress_make("replay", start, g->hz, g->profile->progress_ms);

	while (!*g->stop && (replay->sent < replay->wanted || now - last < quiet)) {
		uint64_t before = replay->sent;
		if (replay->sent < replay->wanted)
			burst_send(g, file, replay, pace_due(&pace, now));
		unsigned received = receivers_poll(&g->receivers);
		replay->received += received;
		now = rte_rdtsc();
		if (progress_is_due(&progress, now))
			progress_tell(&progress, now, replay->sent, replay->received,
				receivers_faults(&g->receivers));
		if (received || replay->sent != before)
			last = now;
		else if (g->profile->sleep_us)
			rte_delay_us_sleep(g->profile->sleep_us);
		if (replay->sent != before)
			replay->seconds = (double)(now - start) / (double)g->hz;
	}
}

int replay_run(struct generator *g, struct replay *replay)
{
	const struct profile_replay *settings = &g->profile->replay;
	const char *reason;
	struct capture_file file;
	int result = capture_load(settings->file, &file, &reason);

	if (!result && file.frame_count == 0) {
		capture_unload(&file);
		result = -EINVAL;
		reason = "holds no frame";
	}
	if (result) {
		snprintf(g->error, sizeof(g->error), "%s %s", settings->file, reason);
		return result;
	}
	if (file.longest > (uint32_t)rte_pktmbuf_data_room_size(g->pool) - RTE_PKTMBUF_HEADROOM) {
		snprintf(g->error, sizeof(g->error),
			"%s holds a frame of %u octets: set traffic.sizes to as many",
			settings->file, file.longest);
		capture_unload(&file);
		return -EMSGSIZE;
	}
	*replay = (struct replay){
		.frames = file.frame_count, .wanted = (uint64_t)file.frame_count * settings->loops};
	tally_clear(&replay->tally);
	receivers_begin(&g->receivers, 0, &replay->tally, false);
	turns(g, &file, replay);
	receivers_begin(&g->receivers, 0, g->tally, false);
	capture_unload(&file);
	return *g->stop ? -EINTR : 0;
}
