#include "control/process.h"

#include "control/notify.h"
#include "control/privileges.h"
#include "control/wiring.h"
#include "lib/base/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define KERNEL_WAIT_NS (2 * CLOCK_NS_PER_S)
#define STORE_SYNC_NS  CLOCK_NS_PER_S
#define STALE_KEYS_MAX 4096
#define GRATUITOUS_MAX 262144

/* ---- the stages of a turn ---- */

static monotonic stage_receive(void *context, const struct clock_now *now)
{
	struct process *p = context;
	return dataplane_link_receive(p->link, now);
}

static monotonic earlier(monotonic a, monotonic b)
{
	return a < b ? a : b;
}

static monotonic stage_timers(void *context, const struct clock_now *now)
{
	struct process *p = context;
	monotonic next = mip4_engine_tick(p->engine, *now);
	if (wiring_announce_some(p, now))
		next = 0;
	next = earlier(next, ipsec_tick(p->ipsec, now->monotonic_ns));
	if (p->charon)
		next = earlier(next, charon_tick(p->charon, now->monotonic_ns));
	next = earlier(next, gratuitous_arp_tick(p->arp, now->monotonic_ns));
	next = earlier(next, advertise_tick(p->advertise, now->monotonic_ns));
	if (p->taps)
		next = earlier(next, tap_mirror_tick(p->taps, now->monotonic_ns));
	return next;
}

static monotonic stage_mirror(void *context, const struct clock_now *now)
{
	struct process *p = context;
	// What the acknowledgements caused (a newer request that waited) must be timed anew: one
	// more turn.
	uint64_t ticket = mirror_ticket(p->mirror);
	bool more = mirror_poll(p->mirror);
	return more || mirror_ticket(p->mirror) != ticket ? 0 : CLOCK_NEVER;
}

static monotonic stage_store(void *context, const struct clock_now *now)
{
	struct process *p = context;
	if (!p->store)
		return CLOCK_NEVER;
	if (p->store_dirty) {
		int error = store_commit(p->store);
		p->store_dirty = false;
		if (error && !p->store_failed)
			log_error("store_commit",
				"error=\"%s\" effect=\"bindings would not survive a restart\"",
				strerror(-error));
		p->store_failed = error != 0;
		if (p->sync_due_ns == CLOCK_NEVER)
			p->sync_due_ns = now->monotonic_ns + STORE_SYNC_NS;
	}
	if (p->sync_due_ns <= now->monotonic_ns) {
		p->sync_due_ns = CLOCK_NEVER;
		store_sync(p->store);
	}
	return p->sync_due_ns;
}

static monotonic stage_flush(void *context, const struct clock_now *now)
{
	struct process *p = context;
	return dataplane_link_flush(p->link, now);
}

/* ---- signals ---- */

static void on_signal(void *context, uint32_t events, const struct clock_now *now)
{
	struct process *p = context;
	struct signalfd_siginfo signal;
	struct config_error error;
	while (read(p->signal_fd, &signal, sizeof(signal)) == sizeof(signal)) {
		if (signal.ssi_signo == SIGHUP) {
			notify_send("RELOADING=1");
			process_reload(p, &error); // logged there
			notify_send("READY=1");
		} else {
			log_notice("stopping", "signal=%u", signal.ssi_signo);
			notify_send("STOPPING=1");
			loop_stop(p->loop);
		}
	}
}

static int open_signals(struct process *p)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signal_fd < 0)
		return -errno;
	return loop_source_add(p->loop, &p->signals, p->signal_fd, EPOLLIN, on_signal, p);
}

static void on_netlink(void *context, uint32_t events, const struct clock_now *now)
{
	struct process *p = context;
	tap_mirror_readable(p->taps);
}

/* ---- start ---- */

static int failed(const char *what, int error)
{
	log_error("start", "part=\"%s\" error=\"%s\"", what, strerror(-error));
	return error;
}

static int open_kernel(struct process *p)
{
	bool has_tap = false;
	for (unsigned i = 0; i < p->config->dataplane.port_count; i++)
		has_tap |= p->config->dataplane.ports[i].tap[0] != '\0';
	if (!p->config->control.kernel_mirror || !has_tap)
		return 0;
	struct tap_mirror_callbacks callbacks = wiring_tap_callbacks(p);
	int error = tap_mirror_new(p->config, &callbacks, &p->taps);
	if (error)
		return error;
	// Complete before the first attach, or the resynchronisation would sweep routes that are
	// still wanted.
	monotonic deadline = clock_read().monotonic_ns + KERNEL_WAIT_NS;
	struct pollfd readable = {.fd = tap_mirror_fd(p->taps), .events = POLLIN};
	while (!tap_mirror_statistics_get(p->taps).synced) {
		monotonic now = clock_read().monotonic_ns;
		if (now >= deadline) {
			log_warning("kernel_slow", "effect=\"first routes come late\"");
			break;
		}
		tap_mirror_tick(p->taps, now);
		poll(&readable, 1, 20);
		tap_mirror_readable(p->taps);
	}
	return loop_source_add(
		p->loop, &p->netlink, tap_mirror_fd(p->taps), EPOLLIN, on_netlink, p);
}

struct restore {
	struct process *process;
	struct clock_now now;
	uint64_t restored, refused;
	struct stale_key {
		size_t length;
		uint8_t bytes[STORE_KEY_SIZE_MAX];
	} * stale;
	unsigned stale_count;
};

static int restore_record(
	void *context, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct restore *r = context;
	int error =
		mip4_record_restore(r->process->engine, key, key_size, value, value_size, r->now);
	if (!error) {
		r->restored++;
		return 0;
	}
	r->refused++;
	if (r->stale_count < STALE_KEYS_MAX && key_size <= STORE_KEY_SIZE_MAX) {
		struct stale_key *stale = &r->stale[r->stale_count++];
		stale->length = key_size;
		memcpy(stale->bytes, key, key_size);
	}
	return 0;
}

static int note_meta(
	void *context, const void *key, size_t key_size, const void *value, size_t value_size)
{
	*(bool *)context = true;
	return 0;
}

static int restore(struct process *p)
{
	static const char mark[] = "used";
	struct restore r = {.process = p, .now = clock_read()};
	bool used = false;
	r.stale = calloc(STALE_KEYS_MAX, sizeof(*r.stale));
	if (!r.stale)
		return -ENOMEM;
	int error = store_each(p->store, STORE_META, note_meta, &used);
	if (!error)
		error = store_each(p->store, STORE_BINDING, restore_record, &r);
	for (unsigned i = 0; !error && i < r.stale_count; i++)
		error = store_delete(p->store, STORE_BINDING, r.stale[i].bytes, r.stale[i].length);
	free(r.stale);
	if (!error)
		error = store_put(p->store, STORE_META, mark, sizeof(mark), mark, sizeof(mark));
	if (!error)
		error = store_commit(p->store);
	bool complete = !error && used && !store_stats(p->store).bad_records;
	mip4_engine_started(p->engine, complete, r.now);
	log_notice("restored", "records=%llu refused=%llu complete=%d",
		(unsigned long long)r.restored, (unsigned long long)r.refused, complete);
	return error;
}

static int open_operators(struct process *p, gid_t gid)
{
	const struct config_control *settings = &p->config->control;
	int error = 0;
	provider_fill(&p->provider, p);
	if (settings->socket[0])
		error = operator_new(
			p->loop, settings->socket, settings->group, &p->provider, &p->operators);
	if (error)
		return failed("control.socket", error);
	if (settings->metrics[0])
		error = operator_metrics_new(p->loop, settings->metrics, &p->provider, &p->metrics);
	return error ? failed("control.metrics", error) : 0;
}

static int open_keying(struct process *p)
{
	const struct config_keying *settings = &p->config->keying;
	struct charon_ops ops = wiring_charon_ops(p);
	char sentence[256];
	uid_t uid = (uid_t)-1;
	gid_t gid;
	if (!settings->socket[0])
		return 0;
	int error = settings->user[0] ? privileges_lookup(settings->user, "", &uid, &gid, sentence,
						sizeof(sentence))
				      : 0;
	if (error) {
		log_error("start", "error=\"%s\"", sentence);
		return error;
	}
	error = charon_new(p->loop, p->config, p->ipsec, &ops, uid, &p->charon);
	return error ? failed("keying.socket", error) : 0;
}

static int open_parts(struct process *p)
{
	const struct config_dataplane *d = &p->config->dataplane;
	struct clock_now now = clock_read();
	struct mirror_limits limits = {.bindings = d->max_bindings,
		.others = d->max_routes + d->max_neighbors + d->max_prefixes +
			  2 * d->max_security_associations + d->max_policies + 4096};
	struct mirror_callbacks mirror = wiring_mirror_callbacks(p);
	struct gratuitous_arp_ops arp = wiring_arp_ops(p);
	struct advertise_ops advertise = wiring_advertise_ops(p);
	uint32_t announcements =
		d->max_bindings < GRATUITOUS_MAX ? d->max_bindings + 1 : GRATUITOUS_MAX;
	p->loop = loop_new();
	p->mirror = p->loop ? mirror_new(&limits, &mirror) : NULL;
	if (!p->mirror)
		return failed("dataplane.max_bindings", errno ? -errno : -ENOMEM);
	p->arp = gratuitous_arp_new(announcements, &arp, now.monotonic_ns);
	p->advertise = advertise_new(p->config, &advertise, now.monotonic_ns);
	if (!p->arp || !p->advertise)
		return failed("memory", -ENOMEM);
	struct ipsec_ops ipsec = wiring_ipsec_ops(p);
	p->ipsec = ipsec_new(p->config, &ipsec, now.monotonic_ns);
	if (!p->ipsec)
		return failed("dataplane.max_security_associations", -errno);
	int error = desired_new(&p->desired, p->config);
	if (error)
		return failed("memory", error);
	wiring_apply_desired(p, &(struct desired){0}, &p->desired);
	return 0;
}

static int start_engine(struct process *p)
{
	struct mip4_ops ops = wiring_engine_ops();
	struct dataplane_link_callbacks link = wiring_link_callbacks(p);
	uint64_t records = (uint64_t)p->config->dataplane.max_bindings * 2 + 1024;
	int error = dataplane_link_new(
		p->loop, p->config->dataplane.socket, p->mirror, &link, &p->link);
	if (error)
		return failed("memory", error);
	error = store_open(&p->store, p->config->control.store, records);
	if (error)
		return failed("control.store", error);
	error = mip4_engine_new(p->config, &ops, p, clock_read(), &p->engine);
	if (error)
		return failed("mobile ip engine", error);
	error = restore(p);
	return error ? failed("control.store", error) : 0;
}

static int add_stages(struct process *p)
{
	int error = 0;
	error |= loop_stage_add(p->loop, stage_receive, p);
	error |= loop_stage_add(p->loop, stage_timers, p);
	error |= loop_stage_add(p->loop, stage_mirror, p);
	error |= loop_stage_add(p->loop, stage_store, p);
	error |= loop_stage_add(p->loop, stage_flush, p);
	return error;
}

int process_new(struct process *p, struct config *config)
{
	const struct config_control *settings = &config->control;
	char sentence[256];
	uid_t uid;
	gid_t gid;
	*p = (struct process){.config = config,
		.signal_fd = -1,
		.sync_due_ns = CLOCK_NEVER,
		.arrival_cursor = UINT32_MAX,
		.started_ns = clock_read().monotonic_ns};
	int error = privileges_lookup(settings->user, "", &uid, &gid, sentence, sizeof(sentence));
	if (error) {
		log_error("start", "error=\"%s\"", sentence);
		return error;
	}
	error = open_parts(p);
	if (!error)
		error = open_signals(p);
	if (!error)
		error = open_kernel(p);
	if (error)
		return failed("signals or netlink", error);
	error = open_keying(p);
	if (!error)
		error = open_operators(p, gid);
	if (!error && settings->store[0]) {
		error = store_prepare(settings->store, uid, gid);
		if (error)
			failed("control.store", error);
	}
	if (error)
		return error;
	error = privileges_drop(settings->user, uid, gid, sentence, sizeof(sentence));
	if (error) {
		log_error("start", "error=\"%s\"", sentence);
		return error;
	}
	error = start_engine(p);
	return error ? error : add_stages(p);
}

int process_run(struct process *p)
{
	notify_send("READY=1");
	log_notice("started", "pid=%d uid=%u config=\"%s\"", (int)getpid(), (unsigned)geteuid(),
		p->config->file);
	int error = loop_run(p->loop);
	return error ? failed("epoll", error) : 0;
}

void process_free(struct process *p)
{
	operator_metrics_free(p->metrics);
	operator_free(p->operators);
	if (p->link)
		dataplane_link_free(p->link);
	if (p->engine)
		mip4_engine_free(p->engine);
	charon_free(p->charon);
	ipsec_free(p->ipsec);
	if (p->store)
		store_close(p->store);
	if (p->mirror)
		mirror_free(p->mirror);
	tap_mirror_free(p->taps);
	advertise_free(p->advertise);
	gratuitous_arp_free(p->arp);
	desired_free(&p->desired);
	if (p->signal_fd >= 0)
		close(p->signal_fd);
	loop_free(p->loop);
	config_free(p->config);
	*p = (struct process){.signal_fd = -1};
}

/* ---- reload ---- */

static int reload_apply(struct process *p, struct config *after, struct config_error *error)
{
	struct clock_now now = clock_read();
	struct desired desired;
	int result = desired_new(&desired, after);
	if (!result)
		result = advertise_configure(p->advertise, after, now.monotonic_ns);
	if (!result) {
		result = mip4_engine_configure(p->engine, after, now);
		if (result) // it frees as much as it took: there is room for the old one
			advertise_configure(p->advertise, p->config, now.monotonic_ns);
	}
	if (!result) {
		result = ipsec_configure(p->ipsec, p->config, after, error, now.monotonic_ns);
		if (result) {
			mip4_engine_configure(p->engine, p->config, now);
			advertise_configure(p->advertise, p->config, now.monotonic_ns);
			desired_free(&desired);
			return result;
		}
	}
	if (result) {
		snprintf(error->text, sizeof(error->text), "%s: not applied: %s", after->file,
			strerror(-result));
		desired_free(&desired);
		return result;
	}
	struct desired former = p->desired;
	struct config *old = p->config;
	p->desired = desired;
	p->config = after;
	if (p->charon)
		charon_configure(p->charon, after);
	wiring_apply_desired(p, &former, &desired);
	if (p->taps)
		tap_mirror_configure(p->taps, after);
	desired_free(&former);
	config_free(old);
	return 0;
}

int process_reload(struct process *p, struct config_error *error)
{
	struct config *after = NULL;
	char text[sizeof(error->text) + 8];
	int result = config_load(p->config->file, &after, error, NULL);
	if (!result)
		result = config_reload_check(p->config, after, error);
	if (!result)
		result = reload_apply(p, after, error);
	if (result) {
		config_free(after);
		log_error("reload", "effect=\"nothing changed\" error=%s",
			log_quote(text, sizeof(text), error->text));
		return result;
	}
	enum log_level level;
	if (!log_level_parse(p->config->control.log_level, &level))
		log_set_level(level);
	log_notice("reloaded", "config=\"%s\"", p->config->file);
	return 0;
}
