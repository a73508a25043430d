#include "pktgen/generator/trial.h"

#include "pktgen/generator/progress.h"

#include <errno.h>
#include <rte_cycles.h>

#define FLUSH_MS    100 /* for ports that are full at the end */
#define CATCH_UP_MS 5   /* and 0.2 % of the trial */

/* Without work: sleep as long as the profile allows, or not at all. */
static void rest(const struct generator *g, unsigned moved)
{
	if (moved == 0 && g->profile->sleep_us)
		rte_delay_us_sleep(g->profile->sleep_us);
}

/* What the rate makes due in the whole time; UINT64_MAX without a rate. */
static uint64_t packets_wanted(const struct trial_settings *settings)
{
	/* The first is due at once: rounded up. */
	uint64_t due =
		settings->rate
			? (uint64_t)(((unsigned __int128)settings->rate * settings->duration_ms +
					     999) /
				     1000)
			: UINT64_MAX;

	return settings->packets && settings->packets < due ? settings->packets : due;
}

static void send_for(struct generator *g, struct trial *trial, uint64_t start)
{
	uint64_t length = (uint64_t)trial->settings.duration_ms * (g->hz / 1000);
	/* Who was kept from sending for a moment may catch up, but not stretch the trial. */
	uint64_t slack = trial->settings.rate ? length / 500 + g->hz / 1000 * CATCH_UP_MS : 0;
	uint64_t now = rte_rdtsc(), end = start + length + slack;
	/* The last packet has its interval as all others: else a rate of 10 a second looks like 11.
	 */
	uint64_t due = trial->settings.rate ? (uint64_t)((unsigned __int128)trial->wanted * g->hz /
							 trial->settings.rate)
					    : 0;
	struct progress progress =
		progress_make(trial->settings.name, start, g->hz, g->profile->progress_ms);

	while (now < end && !*g->stop) {
		if (now >= start + due && senders_built(&g->senders) == trial->wanted &&
			senders_are_flushed(&g->senders))
			break;
		rest(g, generator_turn(g, now));
		if (progress_is_due(&progress, now))
			progress_tell(&progress, now, senders_packets(&g->senders),
				receivers_packets(&g->receivers), receivers_faults(&g->receivers));
		now = rte_rdtsc();
	}
	trial->seconds = now > start ? (double)(now - start) / (double)g->hz : 0;
	senders_stop(&g->senders);
	uint64_t last = now + FLUSH_MS * (g->hz / 1000);
	while (!senders_are_flushed(&g->senders) && now < last) {
		generator_turn(g, now);
		now = rte_rdtsc();
	}
	trial->unsent = senders_end(&g->senders);
	uint64_t built = senders_built(&g->senders);
	if (*g->stop) /* nobody knows of the rest whether it would have left in time */
		trial->wanted = built;
	if (trial->wanted != UINT64_MAX)
		trial->tally.obstacles[TALLY_OUT_OF_TIME] = trial->wanted - built;
}

static void drain(struct generator *g, struct trial *trial)
{
	uint64_t quiet = (uint64_t)g->profile->traffic.drain_ms * (g->hz / 1000);
	uint64_t now = rte_rdtsc(), last = now, received = 0, sent = senders_packets(&g->senders);

	/* With all of it back a tenth as long will do: for doubles. */
	while (now - last < (received < sent ? quiet : quiet / 10)) {
		rest(g, generator_turn(g, now));
		uint64_t count = receivers_packets(&g->receivers);
		now = rte_rdtsc();
		if (count != received) {
			received = count;
			last = now;
		}
	}
}

/* Into the list of the worst, if it belongs there; insertion keeps it sorted. */
static void worst_note(struct trial *trial, const struct trial_flow *flow)
{
	int64_t lost = (int64_t)(flow->sent - flow->received);
	unsigned at = trial->worst_count;

	while (at > 0) {
		const struct trial_flow *before = &trial->worst[at - 1];
		int64_t lost_before = (int64_t)(before->sent - before->received);
		if (lost_before > lost ||
			(lost_before == lost && before->duplicates >= flow->duplicates))
			break;
		at--;
	}
	if (at == TRIAL_WORST_MAX)
		return;
	if (trial->worst_count < TRIAL_WORST_MAX)
		trial->worst_count++;
	memmove(&trial->worst[at + 1], &trial->worst[at],
		(trial->worst_count - 1 - at) * sizeof(trial->worst[0]));
	trial->worst[at] = *flow;
}

static void flows_judge(const struct generator *g, struct trial *trial)
{
	trial->flows_active = trial->flows_lossy = trial->flows_doubled = 0;
	trial->flows_reordered = trial->worst_count = 0;
	for (uint32_t i = 0; i < g->population->flow_count; i++) {
		const struct window *window = &g->receivers.own.flows[i];
		const struct trial_flow flow = {
			.flow = i,
			.sent = g->senders.sequences[i] - g->senders.begun[i],
			.received = window->received,
			.duplicates = window->duplicates,
			.reordered = window->reordered,
		};
		trial->flows_active += flow.sent != 0;
		trial->flows_lossy += flow.sent > flow.received;
		trial->flows_doubled += flow.duplicates != 0;
		trial->flows_reordered += flow.reordered != 0;
		if (flow.sent > flow.received || flow.duplicates)
			worst_note(trial, &flow);
	}
}

int trial_run(struct generator *g, const struct trial_settings *settings, struct trial *trial)
{
	trial->settings = *settings;
	trial->stopped = false;
	trial->wanted = packets_wanted(settings);
	tally_clear(&trial->tally);
	uint64_t start = rte_rdtsc() + g->hz / 1000;
	receivers_begin(&g->receivers, start, &trial->tally, true);
	senders_begin(&g->senders, start, settings->rate,
		trial->wanted == UINT64_MAX ? 0 : trial->wanted, &trial->tally);
	if (g->registrar)
		registrar_trial(g->registrar, clock_read(), true);
	if (g->mover)
		mover_trial(g->mover, start, true);
	send_for(g, trial, start);
	if (g->mover)
		mover_trial(g->mover, start, false);
	if (g->registrar)
		registrar_trial(g->registrar, clock_read(), false);
	drain(g, trial);
	receivers_collect(&g->receivers);
	trial->sent = tally_sent_packets(&trial->tally);
	trial->received = tally_received_packets(&trial->tally);
	if (!settings->rate && !settings->packets)
		trial->wanted = trial->sent;
	trial->loss_ratio =
		trial->wanted > trial->received
			? (double)(trial->wanted - trial->received) / (double)trial->wanted
			: 0;
	trial->stopped = *g->stop;
	flows_judge(g, trial);
	receivers_begin(&g->receivers, 0, g->tally, false);
	transmit_begin(&g->senders.own, UINT64_MAX, 0, 0, g->tally);
	return trial->stopped ? -EINTR : 0;
}
