#include "pktgen/generator/report.h"

#include "pktgen/generator/machine.h"

#include <errno.h>
#include <time.h>

static void set(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_real(json_t *object, const char *name, double value)
{
	json_object_set_new(object, name, json_real(value));
}

static void set_text(json_t *object, const char *name, const char *value)
{
	json_object_set_new(object, name, json_string(value));
}

static void set_mac(json_t *object, const char *name, const uint8_t *mac)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	set_text(object, name, text);
}

json_t *report_new(const struct generator *g, const char *profile_path, int argc, char *const *argv)
{
	json_t *report = json_object(), *arguments = json_array(), *ports = json_array();
	time_t now = time(NULL);
	char text[64];
	struct tm utc;

	set_text(report, "program", "homeport-pktgen");
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	set_text(report, "time", text);
	set_text(report, "profile", profile_path);
	set(report, "seed", g->profile->seed);
	for (int i = 0; i < argc; i++)
		json_array_append_new(arguments, json_string(argv[i]));
	json_object_set_new(report, "arguments", arguments);
	json_t *machine = machine_report();
	if (g->security.library) {
		set_text(machine, "ipsec_mb", crypto_library_version(g->security.library));
		set_text(machine, "ipsec_mb_path", crypto_library_path(g->security.library));
	}
	json_object_set_new(report, "machine", machine);
	set_real(report, "opening_seconds", g->opening_s);
	set(report, "sending_lcores", g->senders.count + 1);
	set(report, "receiving_lcores", g->receivers.count);
	for (unsigned i = 0; i < g->profile->port_count; i++) {
		json_t *port = json_object();
		set_text(port, "name", g->ports[i].settings->name);
		set_text(port, "device", g->ports[i].device);
		set_text(port, "driver", g->ports[i].driver);
		set_mac(port, "mac", g->ports[i].link.source);
		json_array_append_new(ports, port);
	}
	json_object_set_new(report, "ports", ports);
	json_object_set_new(report, "trials", json_array());
	return report;
}

static json_t *latency_report(const struct histogram *latency)
{
	json_t *object = json_object();

	set(object, "count", latency->count);
	if (latency->count == 0)
		return object;
	set(object, "min", latency->min);
	set(object, "mean", histogram_mean(latency));
	set(object, "p50", histogram_quantile(latency, 500000));
	set(object, "p90", histogram_quantile(latency, 900000));
	set(object, "p99", histogram_quantile(latency, 990000));
	set(object, "p99_9", histogram_quantile(latency, 999000));
	set(object, "max", latency->max);
	return object;
}

static json_t *direction_report(
	const struct tally_sent *sent, const struct tally_received *received, double seconds)
{
	json_t *object = json_object();

	set(object, "sent", sent->packets);
	set(object, "received", received->packets);
	set(object, "lost",
		sent->packets > received->packets ? sent->packets - received->packets : 0);
	set(object, "duplicates", received->duplicates);
	set(object, "reordered", received->reordered);
	set(object, "beyond_window", received->beyond);
	set(object, "late", received->late);
	set(object, "sent_octets", sent->octets);
	set(object, "received_octets", received->octets);
	if (seconds > 0) {
		set_real(object, "sent_pps", (double)sent->packets / seconds);
		set_real(
			object, "sent_gbps_on_wire", (double)sent->wire_octets * 8 / seconds / 1e9);
	}
	json_object_set_new(object, "latency_ns", latency_report(&received->latency));
	return object;
}

static json_t *security_report(const struct profile_security *security)
{
	json_t *object = json_object();

	set_text(object, "algorithm", security->algorithm);
	set_text(object, "mode", security->mode == ESP_MODE_TRANSPORT ? "transport" : "tunnel");
	json_object_set_new(object, "encap", json_boolean(security->encap));
	json_object_set_new(object, "esn", json_boolean(security->esn));
	return object;
}

static json_t *groups_report(const struct generator *g, const struct trial *trial)
{
	json_t *groups = json_array();

	for (unsigned i = 0; i < g->population->group_count; i++) {
		const struct population_group *group = &g->population->groups[i];
		json_t *object = json_object();
		set_text(object, "name", group->settings->name);
		set_text(object, "encapsulation",
			profile_encapsulation_name(group->settings->encapsulation));
		if (group->settings->secured)
			json_object_set_new(
				object, "security", security_report(&group->settings->security));
		set(object, "nodes", group->settings->nodes);
		if (group->up)
			json_object_set_new(object, "up",
				direction_report(&trial->tally.sent[i][0],
					&trial->tally.received[i][0], trial->seconds));
		if (group->down)
			json_object_set_new(object, "down",
				direction_report(&trial->tally.sent[i][1],
					&trial->tally.received[i][1], trial->seconds));
		json_array_append_new(groups, object);
	}
	return groups;
}

/* How the loss is spread: a million nodes that lose one packet each are not one that loses all. */
static json_t *flows_report(const struct generator *g, const struct trial *trial)
{
	json_t *object = json_object(), *worst = json_array();

	set(object, "active", trial->flows_active);
	set(object, "lossy", trial->flows_lossy);
	set(object, "doubled", trial->flows_doubled);
	set(object, "reordered", trial->flows_reordered);
	for (unsigned i = 0; i < trial->worst_count; i++) {
		const struct trial_flow *flow = &trial->worst[i];
		struct population_flow who;
		json_t *row = json_object();
		if (population_flow_find(g->population, flow->flow, &who)) {
			set_text(row, "group", who.group->settings->name);
			set(row, "node", who.node);
			set_text(row, "direction", who.up ? "up" : "down");
		}
		set(row, "sent", flow->sent);
		set(row, "received", flow->received);
		set(row, "duplicates", flow->duplicates);
		set(row, "reordered", flow->reordered);
		json_array_append_new(worst, row);
	}
	json_object_set_new(object, "worst", worst);
	return object;
}

/* By port only those that were full. */
static json_t *obstacles_report(const struct profile *profile, const struct tally *tally)
{
	json_t *object = json_object(), *full = json_object();

	for (unsigned i = 0; i < TALLY_OBSTACLE_COUNT; i++)
		set(object, tally_obstacle_name(i), tally->obstacles[i]);
	for (unsigned i = 0; i < profile->port_count; i++)
		if (tally->full[i])
			set(full, profile->ports[i].name, tally->full[i]);
	json_object_set_new(object, "ports_full", full);
	return object;
}

/* Frames that are no packets of a trial, by what they are. */
static void kinds_report(json_t *object, const struct tally *tally)
{
	json_t *faults = json_object(), *others = json_object();

	set(faults, "sum", tally_fault_count(tally));
	for (unsigned i = 0; i < TALLY_FAULT_COUNT; i++)
		set(faults, tally_fault_name(i), tally->faults[i]);
	for (unsigned i = 0; i < TALLY_OTHER_COUNT; i++)
		set(others, tally_other_name(i), tally->others[i]);
	json_object_set_new(object, "faults", faults);
	json_object_set_new(object, "others", others);
}

/* Of all groups and both directions. */
static void sums_report(json_t *object, const struct tally *tally)
{
	static struct tally_received all; /* large */

	all = (struct tally_received){0};
	histogram_clear(&all.latency);
	for (unsigned i = 0; i < PROFILE_GROUPS_MAX; i++)
		for (unsigned k = 0; k < 2; k++)
			tally_received_merge(&all, &tally->received[i][k]);
	set(object, "duplicates", all.duplicates);
	set(object, "reordered", all.reordered);
	set(object, "beyond_window", all.beyond);
	set(object, "late", all.late);
	json_object_set_new(object, "latency_ns", latency_report(&all.latency));
}

json_t *report_replay(const struct generator *g, const struct replay *replay)
{
	const struct profile_replay *settings = &g->profile->replay;
	json_t *object = json_object();

	set(object, "frames", replay->frames);
	set(object, "wanted", replay->wanted);
	set(object, "sent", replay->sent);
	set(object, "sent_octets", replay->sent_octets);
	set(object, "received", replay->received);
	set_real(object, "seconds", replay->seconds);
	set(object, "loops", settings->loops);
	set_text(object, "timing", settings->timing == PROFILE_TIMING_RATE ? "rate" : "timestamps");
	set(object, "speed_percent", settings->speed_percent);
	set_real(object, "recorded_seconds", replay->recorded_s);
	json_object_set_new(object, "lag_ns", latency_report(&replay->lag));
	kinds_report(object, &replay->tally);
	json_object_set_new(object, "obstacles", obstacles_report(g->profile, &replay->tally));
	return object;
}

json_t *report_trial(const struct generator *g, const struct trial *trial)
{
	json_t *object = json_object();

	set_text(object, "name", trial->settings.name);
	set(object, "rate", trial->settings.rate);
	set_real(object, "seconds", trial->seconds);
	set(object, "wanted", trial->wanted);
	set(object, "sent", trial->sent);
	set(object, "received", trial->received);
	set(object, "unsent", trial->unsent);
	set(object, "lost", trial->sent > trial->received ? trial->sent - trial->received : 0);
	set_real(object, "loss_ratio", trial->loss_ratio);
	set_real(object, "sent_pps", trial->seconds > 0 ? (double)trial->sent / trial->seconds : 0);
	set_real(object, "received_pps",
		trial->seconds > 0 ? (double)trial->received / trial->seconds : 0);
	sums_report(object, &trial->tally);
	kinds_report(object, &trial->tally);
	json_object_set_new(object, "obstacles", obstacles_report(g->profile, &trial->tally));
	json_object_set_new(object, "flows", flows_report(g, trial));
	json_object_set_new(object, "groups", groups_report(g, trial));
	return object;
}

void report_outside(json_t *report, const struct generator *g)
{
	json_t *object = json_object();

	sums_report(object, g->tally);
	kinds_report(object, g->tally);
	json_object_set_new(object, "obstacles", obstacles_report(g->profile, g->tally));
	json_object_set_new(report, "outside_trials", object);
}

void report_registrations(json_t *report, const struct generator *g)
{
	json_t *object = json_object(), *codes = json_object();

	if (!g->registrar) {
		json_decref(object);
		json_decref(codes);
		return;
	}
	const struct registrar_counters *c = registrar_counters_get(g->registrar);
	set(object, "nodes", registrar_node_count(g->registrar));
	set(object, "registered", registrar_registered(g->registrar));
	set(object, "waiting", registrar_waiting(g->registrar));
	set_real(object, "seconds", g->registering_s);
	set(object, "requests", c->requests);
	set(object, "retransmissions", c->retransmissions);
	set(object, "accepted", c->accepted);
	set(object, "denied", c->denied);
	for (unsigned i = 0; i < 256; i++) {
		char text[8];
		snprintf(text, sizeof(text), "%u", i);
		if (c->codes[i])
			set(codes, text, c->codes[i]);
	}
	json_object_set_new(object, "codes", codes);
	set(object, "unmatched", c->unmatched);
	set(object, "bad_address", c->bad_address);
	set(object, "bad_authenticator", c->bad_authenticator);
	set(object, "bad_tunnel", c->bad_tunnel);
	set(object, "malformed", c->malformed);
	set(object, "expired", c->expired);
	set(object, "moves", c->moves);
	set(object, "storms", c->storms);
	set_real(object, "storm_seconds", (double)c->storm_ns / 1e9);
	json_object_set_new(object, "latency_ns", latency_report(&c->latency));
	json_object_set_new(report, "registrations", object);
}

void report_moves(json_t *report, const struct generator *g)
{
	if (!g->mover)
		return;
	json_t *object = json_object();
	set(object, "moves", mover_counters_get(g->mover)->moves);
	set(object, "untold", mover_counters_get(g->mover)->untold);
	json_object_set_new(report, "peer_moves", object);
}

void report_ports(json_t *report, const struct generator *g)
{
	json_t *ports = json_object_get(report, "ports");

	for (unsigned i = 0; i < g->profile->port_count; i++) {
		struct rte_eth_stats stats;
		json_t *port = json_array_get(ports, i);
		if (g->ports[i].resolved)
			set_mac(port, "gateway_mac", g->ports[i].link.destination);
		if (rte_eth_stats_get(g->ports[i].ethdev, &stats))
			continue;
		set(port, "opackets", stats.opackets);
		set(port, "oerrors", stats.oerrors);
		set(port, "ipackets", stats.ipackets);
		set(port, "ierrors", stats.ierrors);
		set(port, "imissed", stats.imissed);
		set(port, "rx_nombuf", stats.rx_nombuf);
	}
}

int report_try(const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "ae");

	if (!file)
		return strcmp(path, "-") == 0 ? 0 : -errno;
	return fclose(file) ? -errno : 0;
}

int report_write(const json_t *report, const char *path)
{
	const size_t flags = JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(10);

	if (strcmp(path, "-") == 0) {
		bool failed = json_dumpf(report, stdout, flags) || putchar('\n') == EOF;
		return failed || fflush(stdout) ? -EIO : 0;
	}
	return json_dump_file(report, path, flags) ? -EIO : 0;
}
