/*
 * The main lcore after start: it makes every system call so that workers make none. One epoll over
 * the attach socket, the client, the command doorbell, the TAPs and the signals; between them it
 * looks at the rings from the workers, which nobody announces: at once while there is something to
 * do, else after 50 us growing to dataplane.idle_sleep_max_us. The control process may come, die
 * and come again; forwarding never notices.
 */
#include "dataplane/dataplane.h"
#include "dataplane/link/event.h"
#include "dataplane/link/exception.h"
#include "dataplane/link/inject.h"
#include "dataplane/port.h"
#include "dataplane/table/sa_table.h"

#include "lib/base/log.h"

#include <errno.h>
#include <rte_mempool.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define WAIT_MIN_NS 50000
#define EVENTS_MAX  64
#define STALLED_S   2

enum source {
	SOURCE_LISTEN = REGION_PORTS_MAX,
	SOURCE_CLIENT,
	SOURCE_DOORBELL,
	SOURCE_SIGNAL
}; /* below: TAPs */

struct loop { /* between turns */
	struct dataplane *dataplane;
	bool stop;
	uint32_t wait_ns;
	monotonic second_ns; /* next once-a-second work */
	uint64_t punted[REGION_WORKERS_MAX];
	uint64_t heartbeat[REGION_WORKERS_MAX];
	unsigned silent_s[REGION_WORKERS_MAX];
};

static void watch(struct dataplane *dataplane, int fd, uint32_t source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};

	if (epoll_ctl(dataplane->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		log_error("epoll_refused", "error=%d", errno);
}

/* ---- control comes and goes ---- */

static void client_close(struct dataplane *dataplane)
{
	if (dataplane->client_fd < 0)
		return;
	close(dataplane->client_fd); /* epoll forgets it */
	dataplane->client_fd = -1;
	log_notice(
		"control_detached", "session=%llu", (unsigned long long)dataplane->region.session);
}

/* Nothing is ever said on the socket after the hello: readable means hang-up, or noise to throw
 * away. */
static void client_read(struct dataplane *dataplane)
{
	char noise[64];

	if (dataplane->client_fd < 0)
		return;
	ssize_t length = recv(dataplane->client_fd, noise, sizeof(noise), MSG_DONTWAIT);
	if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
		client_close(dataplane);
}

static void client_accept(struct dataplane *dataplane)
{
	static struct log_limit limit = LOG_LIMIT(1, 5);

	client_read(dataplane); /* the old one may have died a moment ago */
	int fd = attach_accept(dataplane->listen_fd, &dataplane->region, dataplane->control_uid,
		dataplane->client_fd >= 0);
	if (fd >= 0) {
		dataplane->client_fd = fd;
		command_apply_reset(&dataplane->apply, &dataplane->region, dataplane->tables);
		watch(dataplane, fd, SOURCE_CLIENT);
		log_notice("control_attached", "session=%llu",
			(unsigned long long)dataplane->region.session);
	} else if (fd != -EAGAIN) {
		log_limited(&limit, clock_read().monotonic_ns, LOG_LEVEL_WARNING, "attach_refused",
			"error=%d", -fd);
	}
}

/* ---- once a second ---- */

static void workers_watch(struct loop *loop)
{
	struct dataplane *dataplane = loop->dataplane;

	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		uint64_t beat = dataplane->workers[i].counters->heartbeat;
		loop->silent_s[i] = beat == loop->heartbeat[i] ? loop->silent_s[i] + 1 : 0;
		loop->heartbeat[i] = beat;
		if (loop->silent_s[i] != STALLED_S)
			continue;
		const struct event event = {.type = EVENT_WORKER_STALLED, .value = i};
		log_error("worker_stalled", "worker=%u", i);
		if (dataplane->client_fd >= 0)
			event_put(&dataplane->region, &event);
	}
}

static void ports_watch(struct dataplane *dataplane)
{
	for (unsigned i = 0; i < dataplane->port_count; i++) {
		struct port *port = &dataplane->ports[i];
		if (!port_watch(port, &dataplane->region.port_counters[i]))
			continue;
		bool up = atomic_load(&port->up);
		const struct event event = {
			.type = EVENT_PORT_STATE, .port = port->index, .value = up};
		log_notice("port_state", "port=%s up=%d", port->name, up);
		if (dataplane->client_fd >= 0)
			event_put(&dataplane->region, &event);
	}
}

static void gauges_write(struct dataplane *dataplane)
{
	struct region_header *header = dataplane->region.header;
	struct tables_use use = tables_use(dataplane->tables);

	atomic_store_explicit(&header->bindings_used, use.bindings, memory_order_relaxed);
	atomic_store_explicit(&header->sas_used, use.sas, memory_order_relaxed);
	atomic_store_explicit(&header->routes_used, use.routes, memory_order_relaxed);
	atomic_store_explicit(&header->neighbors_used, use.neighbors, memory_order_relaxed);
	atomic_store_explicit(&header->prefixes_used, use.prefixes, memory_order_relaxed);
	atomic_store_explicit(&header->policies_used, use.policies, memory_order_relaxed);
	atomic_store_explicit(&header->buffers_used, rte_mempool_in_use_count(dataplane->pool),
		memory_order_relaxed);
	atomic_store_explicit(&header->buffers_total, dataplane->pool->size, memory_order_relaxed);
}

static void second_pass(struct loop *loop, monotonic now)
{
	loop->second_ns = now + CLOCK_NS_PER_S;
	tables_clock_update(loop->dataplane->tables);
	workers_watch(loop);
	ports_watch(loop->dataplane);
	gauges_write(loop->dataplane);
}

/* ---- every turn ---- */

static bool expired_tell(
	void *context, enum sa_direction direction, uint32_t sa_id, enum sa_expiry kind)
{
	const struct event event = {
		.type = EVENT_SA_EXPIRED, .port = (uint16_t)direction, .id = sa_id, .value = kind};

	return event_put(context, &event);
}

/* LIFE-02: with nobody there it is told to who comes. */
static void sas_age(struct dataplane *dataplane, monotonic now)
{
	const struct sa_ager ager = {.tell = expired_tell, .context = &dataplane->region};

	if (dataplane->client_fd >= 0 && tables_sas_age(dataplane->tables, now, &ager) > 0)
		doorbell_ring(dataplane->region.event_doorbell);
}

static bool workers_poll(struct loop *loop)
{
	struct dataplane *dataplane = loop->dataplane;
	bool tell = false, found = false;

	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		struct worker *worker = &dataplane->workers[i];
		uint64_t punted =
			__atomic_load_n(&worker->counters->punted_control, __ATOMIC_RELAXED);
		tell |= punted != loop->punted[i];
		loop->punted[i] = punted;
		tell |= event_collect(worker, &dataplane->region, dataplane->client_fd >= 0) > 0;
		found |= exception_write(worker, dataplane->taps, dataplane->region.port_counters,
				 dataplane->port_count) > 0;
	}
	if (tell && dataplane->client_fd >= 0)
		doorbell_ring(dataplane->region.event_doorbell);
	return found || tell;
}

static bool control_poll(struct dataplane *dataplane)
{
	bool found = command_apply_poll(&dataplane->apply) > 0;

	found |= inject_poll(&dataplane->region, dataplane->workers, dataplane->worker_count) > 0;
	return found || command_apply_waiting(&dataplane->apply);
}

static void tap_read(struct dataplane *dataplane, unsigned port)
{
	struct worker *worker = &dataplane->workers[port % dataplane->worker_count];

	exception_read(worker, dataplane->taps[port], (uint16_t)port,
		&dataplane->region.port_counters[port]);
}

static void source_handle(struct loop *loop, uint32_t source)
{
	struct dataplane *dataplane = loop->dataplane;

	switch (source) {
	case SOURCE_LISTEN:
		client_accept(dataplane);
		break;
	case SOURCE_CLIENT:
		client_read(dataplane);
		break;
	case SOURCE_DOORBELL:
		doorbell_clear(dataplane->region.command_doorbell);
		break;
	case SOURCE_SIGNAL:
		loop->stop = true;
		break;
	default:
		tap_read(dataplane, source);
		break;
	}
}

static void loop_turn(struct loop *loop)
{
	struct dataplane *dataplane = loop->dataplane;
	struct epoll_event events[EVENTS_MAX];
	const struct timespec wait = {.tv_nsec = loop->wait_ns};

	int count = epoll_pwait2(dataplane->epoll_fd, events, EVENTS_MAX, &wait, NULL);
	for (int i = 0; i < count; i++)
		source_handle(loop, events[i].data.u32);
	bool found = workers_poll(loop);
	found |= control_poll(dataplane);
	atomic_fetch_add_explicit(
		&dataplane->region.header->dataplane_heartbeat, 1, memory_order_relaxed);
	monotonic now = clock_read().monotonic_ns;
	sas_age(dataplane, now);
	if (now >= loop->second_ns)
		second_pass(loop, now);
	if (found)
		loop->wait_ns = 0;
	else if (count > 0 || loop->wait_ns == 0)
		loop->wait_ns = WAIT_MIN_NS;
	else
		loop->wait_ns = RTE_MIN(loop->wait_ns + loop->wait_ns / 4,
			dataplane->settings->idle_sleep_max_us * 1000);
}

static int loop_open(struct dataplane *dataplane)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	dataplane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	dataplane->signal_fd =
		signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC); /* main has blocked them */
	if (dataplane->epoll_fd < 0 || dataplane->signal_fd < 0)
		return -errno;
	watch(dataplane, dataplane->signal_fd, SOURCE_SIGNAL);
	watch(dataplane, dataplane->listen_fd, SOURCE_LISTEN);
	watch(dataplane, dataplane->region.command_doorbell, SOURCE_DOORBELL);
	for (unsigned i = 0; i < dataplane->port_count; i++)
		if (dataplane->taps[i] >= 0)
			watch(dataplane, dataplane->taps[i], i);
	return 0;
}

void main_loop_run(struct dataplane *dataplane)
{
	struct loop loop = {.dataplane = dataplane, .wait_ns = WAIT_MIN_NS};

	command_apply_reset(&dataplane->apply, &dataplane->region, dataplane->tables);
	int error = loop_open(dataplane);
	if (error) {
		log_error("loop_refused", "error=%d", -error);
		return;
	}
	while (!loop.stop)
		loop_turn(&loop);
	close(dataplane->epoll_fd);
	close(dataplane->signal_fd);
}
