#include "pktgen/generator/replay.h"

#include "lib/base/clock.h"
#include "pktgen/generator/progress.h"
#include "pktgen/generator/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#define BURST 32

struct player { /* what a replay works on */
	struct generator *g;
	struct replay *replay;
	struct capture_file file;
	struct timeline timeline;
	uint64_t start, taken; /* cycles; taken: when the port last took what was due */
};

static uint64_t ns_of(const struct player *player, uint64_t cycles)
{
	return (uint64_t)((unsigned __int128)cycles * CLOCK_NS_PER_S / player->g->hz);
}

static const struct capture_frame *frame_of(const struct player *player, uint64_t index)
{
	return &player->file.frames[index % player->file.frame_count];
}

static bool is_due(const struct player *player, uint64_t index, uint64_t since_ns)
{
	return index < player->replay->wanted &&
	       timeline_due_ns(&player->timeline, index) <= since_ns;
}

/* Copies of the frames due next; a buffer that is missing is counted. */
static unsigned burst_copy(struct player *player, uint64_t since_ns, struct rte_mbuf **mbufs)
{
	struct replay *replay = player->replay;
	unsigned count = 0;

	while (count < BURST && is_due(player, replay->sent + count, since_ns)) {
		const struct capture_frame *frame = frame_of(player, replay->sent + count);
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(player->g->pool);
		if (!mbuf) {
			replay->tally.obstacles[TALLY_NO_BUFFER]++;
			break;
		}
		memcpy(rte_pktmbuf_append(mbuf, (uint16_t)frame->length), frame->data,
			frame->length);
		mbufs[count++] = mbuf;
	}
	return count;
}

/* What is due at `now`, as much as the port takes; none is left out. False when nothing of it left.
 */
static bool burst_send(struct player *player, uint64_t now)
{
	struct replay *replay = player->replay;
	uint16_t port = player->g->profile->replay.port_index;
	uint64_t since_ns = ns_of(player, now - player->start);
	struct rte_mbuf *mbufs[BURST];
	unsigned count = burst_copy(player, since_ns, mbufs);
	unsigned taken = rte_eth_tx_burst(player->g->ports[port].ethdev, 0, mbufs, (uint16_t)count);

	for (unsigned i = 0; i < taken; i++, replay->sent++) {
		const struct capture_frame *frame = frame_of(player, replay->sent);
		replay->sent_octets += frame->length;
		if (player->timeline.timing == PROFILE_TIMING_TIMESTAMPS || player->timeline.rate)
			histogram_add(&replay->lag,
				since_ns - timeline_due_ns(&player->timeline, replay->sent));
		capture_write(player->g->senders.own.capture, frame->data, frame->length,
			clock_read().wall_ns);
	}
	if (taken < count) {
		replay->tally.obstacles[TALLY_PORT_FULL]++;
		replay->tally.full[port]++;
		rte_pktmbuf_free_bulk(mbufs + taken, count - taken);
	}
	return taken || !is_due(player, replay->sent, since_ns);
}

/* 0, or -ETIMEDOUT when the port takes no more. */
static int turns(struct player *player)
{
	struct generator *g = player->g;
	struct replay *replay = player->replay;
	uint64_t start = rte_rdtsc(), now = start, last = start;
	uint64_t quiet = (uint64_t)g->profile->traffic.drain_ms * (g->hz / 1000);
	uint64_t patience = (uint64_t)g->profile->resolve_ms * (g->hz / 1000);
	struct progress progress = progress_make("replay", start, g->hz, g->profile->progress_ms);

	player->start = player->taken = start;
	while (!*g->stop && (replay->sent < replay->wanted || now - last < quiet)) {
		uint64_t before = replay->sent;
		if (burst_send(player, now))
			player->taken = now;
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
		if (now - player->taken > patience)
			return -ETIMEDOUT;
	}
	return *g->stop ? -EINTR : 0;
}

static int file_open(struct generator *g, struct capture_file *file)
{
	const char *path = g->profile->replay.file, *reason;
	int result = capture_load(path, file, &reason);

	if (result == -EINVAL)
		snprintf(g->error, sizeof(g->error), "%s %s", path, reason);
	else if (result)
		snprintf(g->error, sizeof(g->error), "%s %s: %s", path, reason, strerror(-result));
	if (result)
		return result;
	if (file->frame_count == 0) {
		snprintf(g->error, sizeof(g->error), "%s holds no frame", path);
		result = -EINVAL;
	} else if (file->longest >
		   (uint32_t)rte_pktmbuf_data_room_size(g->pool) - RTE_PKTMBUF_HEADROOM) {
		snprintf(g->error, sizeof(g->error),
			"%s holds a frame of %" PRIu32 " octets: set traffic.sizes and size_max to "
			"as many, and no more than 9018",
			path, file->longest);
		result = -EMSGSIZE;
	}
	if (result)
		capture_unload(file);
	return result;
}

int replay_run(struct generator *g, struct replay *replay)
{
	const struct profile_replay *settings = &g->profile->replay;
	struct player player = {.g = g, .replay = replay};
	int result = file_open(g, &player.file);

	*replay = (struct replay){0};
	tally_clear(&replay->tally);
	histogram_clear(&replay->lag);
	if (result)
		return result;
	replay->frames = player.file.frame_count;
	replay->wanted = (uint64_t)replay->frames * settings->loops;
	player.timeline = timeline_make(&player.file, settings, g->profile->traffic.rate);
	replay->recorded_s = (double)player.timeline.loop_ns / 1e9;
	receivers_begin(&g->receivers, 0, &replay->tally, false);
	result = turns(&player);
	receivers_begin(&g->receivers, 0, g->tally, false);
	capture_unload(&player.file);
	if (result == -ETIMEDOUT)
		snprintf(g->error, sizeof(g->error),
			"port \"%s\" takes no more frames; is its other end there?",
			g->ports[settings->port_index].settings->name);
	return result;
}
