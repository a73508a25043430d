#include "pktgen/generator/generator.h"

#include "pktgen/generator/cycles.h"
#include "pktgen/generator/excuse.h"
#include "pktgen/generator/neighbor.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <stdlib.h>

#define ARP_INTERVAL_MS 200
#define CACHE_SIZE      256
/* Between looks at registrations; one look sends at most 16 of a group. */
#define REGISTRAR_INTERVAL_US 20

/* ---- ARP and Mobile IP messages that came in ---- */

static void message(void *context, unsigned port, enum inspect_kind kind,
	const struct inspected *what, const void *frame)
{
	struct generator *g = context;
	uint8_t answer[NEIGHBOR_FRAME_SIZE];

	if (kind == INSPECT_REGISTRATION && g->registrar)
		registrar_receive(g->registrar, clock_read(), what);
	if (!neighbor_is_message(kind, what))
		return;
	uint32_t length = neighbor_receive(g->population, g->ports, port, what, frame, answer);
	if (length)
		transmit_frame(&g->senders.own, port, answer, length);
}

static bool registration_send(void *context, const struct population_group *group, uint32_t node,
	uint8_t *frame, uint32_t length)
{
	struct generator *g = context;
	uint16_t port = group->settings->access_port;
	struct ethernet_header ethernet = {.type = htons(ETHERNET_IPV4)};
	uint8_t sealed[REGISTRAR_FRAME_MAX + FRAME_OVERHEAD_MAX];

	if (profile_is_sealed(group->settings)) {
		length = transmit_seal(&g->senders.own, group, node, frame + ETHERNET_HEADER_SIZE,
			(uint16_t)(length - ETHERNET_HEADER_SIZE), sealed);
		return length && transmit_frame(&g->senders.own, port, sealed, length);
	}
	memcpy(ethernet.destination, g->ports[port].link.destination, 6);
	memcpy(ethernet.source, g->ports[port].link.source, 6);
	memcpy(frame, &ethernet, sizeof(ethernet));
	return transmit_frame(&g->senders.own, port, frame, length);
}

static uint64_t stamp(void *context, const struct population_group *group, uint32_t node)
{
	const struct generator *g = context;

	return senders_stamp(&g->senders, group, node);
}

static bool has_left(
	void *context, const struct population_group *group, uint32_t node, uint64_t stamp)
{
	const struct generator *g = context;

	return senders_stamp(&g->senders, group, node) > stamp;
}

/* ---- opening ---- */

/* The longest frame that may come or go, without check sequence. */
static uint32_t frame_max(const struct profile *profile)
{
	const struct profile_traffic *traffic = &profile->traffic;
	uint32_t longest = traffic->size_mode == PROFILE_SIZES_IMIX ? 1518 : 64;

	for (unsigned i = 0; i < PROFILE_SIZES_MAX && traffic->sizes[i]; i++)
		if (traffic->sizes[i] > longest)
			longest = traffic->sizes[i];
	if (longest > traffic->size_max)
		longest = traffic->size_max;
	longest += FRAME_OVERHEAD_MAX + ETHERNET_VLAN_SIZE;
	return longest < RTE_ETHER_MAX_LEN ? RTE_ETHER_MAX_LEN : longest;
}

static int refuse(struct generator *g, int result, const char *what)
{
	snprintf(g->error, sizeof(g->error), "%s", what);
	return result;
}

static int capture_open(struct generator *g, const char *path, uint64_t limit, struct capture **out)
{
	if (!path)
		return 0;
	*out = capture_new(path, limit);
	if (*out)
		return 0;
	int result = errno ? -errno : -EIO;
	snprintf(g->error, sizeof(g->error), "%s: %s", path, strerror(-result));
	return result;
}

static int crypto_open(struct generator *g)
{
	char why[LIBRARY_ERROR_SIZE] = "";
	int result = security_init(&g->security, g->population, why);

	if (result)
		return refuse(g, result, why);
	g->engine = security_engine_new(&g->security, why);
	return why[0] ? refuse(g, -ENOTSUP, why) : 0;
}

static int halves_open(struct generator *g, const struct generator_files *files)
{
	struct transmitter *t = &g->senders.own;
	struct receiver *r = &g->receivers.own;
	int result = capture_open(g, files->transmitted, files->limit, &t->capture);

	if (!result)
		result = capture_open(g, files->received, files->limit, &r->capture);
	if (result)
		return result;
	t->population = r->population = g->population;
	t->security = r->security = &g->security;
	t->engine = r->engine = g->engine;
	t->ports = r->ports = g->ports;
	t->pool = g->pool;
	t->burst = g->profile->traffic.burst;
	r->context = g;
	r->message = message;
	g->receivers.pool = g->pool;
	receive_begin(r, 0, g->tally);
	return 0;
}

static int registrar_open(struct generator *g)
{
	const struct registrar_output output = {g, registration_send, stamp, has_left};
	bool needed = false;

	for (unsigned i = 0; !g->profile->loopback && i < g->profile->group_count; i++)
		needed |= profile_is_mobile_ip(&g->profile->groups[i]);
	if (!needed)
		return 0;
	g->registrar = registrar_new(g->population, &output, clock_read());
	return g->registrar ? 0 : refuse(g, -ENOMEM, "no memory for the registrations");
}

static int mover_open(struct generator *g, const char *path)
{
	int result = mover_new(g->population, path, g->hz, &g->mover);

	if (result)
		snprintf(g->error, sizeof(g->error), "%s: %s", path ? path : "moves",
			strerror(-result));
	return result;
}

/* The last of all: further lcores begin at once. */
static int lcores_start(struct generator *g)
{
	struct transmitter *t = &g->senders.own;
	char why[LIBRARY_ERROR_SIZE] = "";
	int result = senders_open(&g->senders, why);

	if (result)
		return refuse(g, result, why[0] ? why : "no memory for the flows");
	transmit_begin(t, UINT64_MAX, 0, 0, g->tally);
	t->started = 0;
	result = receivers_open(&g->receivers, why);
	return result ? refuse(g, result, why[0] ? why : "no memory for the flows") : 0;
}

int generator_open(struct generator *g, const struct profile *profile,
	const struct generator_files *files, volatile bool *stop)
{
	uint32_t longest = frame_max(profile);
	uint64_t start = rte_rdtsc();

	*g = (struct generator){.profile = profile, .stop = stop, .hz = cycles_hz()};
	g->population = population_new(profile);
	g->tally = malloc(sizeof(*g->tally));
	if (!g->population || !g->tally)
		return refuse(g, -ENOMEM, "no memory for the nodes");
	tally_clear(g->tally);
	int result = crypto_open(g);
	if (result)
		return result;
	g->pool = rte_pktmbuf_pool_create("pktgen", profile->buffers - 1, CACHE_SIZE, 0,
		(uint16_t)(RTE_PKTMBUF_HEADROOM + (longest > RTE_MBUF_DEFAULT_DATAROOM
								  ? longest
								  : RTE_MBUF_DEFAULT_DATAROOM)),
		(int)rte_socket_id());
	if (!g->pool)
		return refuse(g, -ENOMEM,
			"no DPDK memory for the packet buffers: give the EAL more with -m, or set "
			"buffers lower");
	result = port_open_all(g->ports, profile, g->pool, longest, stop, g->error);
	g->open = result == 0;
	if (!result)
		result = halves_open(g, files);
	if (!result)
		result = registrar_open(g);
	if (!result)
		result = mover_open(g, files->moves);
	if (!result)
		result = lcores_start(g);
	g->opening_s = (double)(rte_rdtsc() - start) / (double)g->hz;
	return result;
}

int generator_close(struct generator *g)
{
	int result = 0;

	receivers_close(&g->receivers); /* first: it hands on what others took until now */
	senders_close(&g->senders);
	registrar_free(g->registrar);
	mover_free(g->mover);
	if (g->open)
		port_close_all(g->ports, g->profile->port_count);
	if (capture_free(g->senders.own.capture))
		result = -EIO;
	if (capture_free(g->receivers.own.capture))
		result = -EIO;
	security_engine_free(g->engine);
	if (g->population)
		security_fini(&g->security, g->population);
	population_free(g->population);
	rte_mempool_free(g->pool);
	free(g->tally);
	return result;
}

/* ---- running ---- */

unsigned generator_turn(struct generator *g, uint64_t now)
{
	unsigned moved = senders_poll(&g->senders, now);

	moved += receivers_poll(&g->receivers);
	if (g->mover)
		mover_poll(g->mover, now);
	if (g->registrar && now >= g->registrar_next) {
		registrar_poll(g->registrar, clock_read());
		g->registrar_next = now + g->hz / 1000000 * REGISTRAR_INTERVAL_US;
	}
	return moved;
}

/* A line of progress is due, if the profile wants any. */
static bool is_time_to_tell(const struct generator *g, uint64_t *told, uint64_t now)
{
	if (!g->profile->progress_ms || now - *told < g->hz / 1000 * g->profile->progress_ms)
		return false;
	*told = now;
	return true;
}

static uint32_t register_timeout_ms(const struct profile *profile)
{
	uint32_t longest = 0;

	for (unsigned i = 0; i < profile->group_count; i++)
		if (profile_is_mobile_ip(&profile->groups[i]) &&
			profile->groups[i].registration.timeout_ms > longest)
			longest = profile->groups[i].registration.timeout_ms;
	return longest;
}

int generator_register(struct generator *g)
{
	uint64_t start = rte_rdtsc(), now = start, told = start;
	char why[EXCUSE_SIZE];

	if (!g->registrar)
		return 0;
	uint64_t deadline = start + g->hz / 1000 * register_timeout_ms(g->profile);
	uint32_t count = registrar_node_count(g->registrar);
	registrar_begin(g->registrar, clock_read());
	while (registrar_registered(g->registrar) < count) {
		if (*g->stop)
			return -EINTR;
		if (now > deadline) {
			excuse_registration(registrar_counters_get(g->registrar), why);
			snprintf(g->error, sizeof(g->error),
				"%" PRIu32 " of %" PRIu32 " nodes registered in time: %s",
				registrar_registered(g->registrar), count, why);
			return -ETIMEDOUT;
		}
		if (generator_turn(g, now) == 0 && g->profile->sleep_us)
			rte_delay_us_sleep(g->profile->sleep_us);
		now = rte_rdtsc();
		if (is_time_to_tell(g, &told, now))
			fprintf(stderr, "registering: %" PRIu32 " of %" PRIu32 "\n",
				registrar_registered(g->registrar), count);
	}
	g->registering_s = (double)(now - start) / (double)g->hz;
	return 0;
}

static const struct port *port_unresolved(const struct generator *g)
{
	for (unsigned i = 0; i < g->profile->port_count; i++)
		if (!g->ports[i].resolved)
			return &g->ports[i];
	return NULL;
}

static void ask(struct generator *g)
{
	uint8_t frame[NEIGHBOR_FRAME_SIZE];

	for (unsigned i = 0; i < g->profile->port_count; i++) {
		if (g->ports[i].resolved)
			continue;
		transmit_frame(&g->senders.own, i, frame, neighbor_request(&g->ports[i], frame));
	}
}

/* What comes meanwhile is seen to: ARP, say. */
static int settle(struct generator *g)
{
	uint64_t end = rte_rdtsc() + g->hz / 1000 * g->profile->settle_ms;

	while (rte_rdtsc() < end) {
		if (*g->stop)
			return -EINTR;
		if (receivers_poll(&g->receivers) == 0)
			rte_delay_us_sleep(1000);
	}
	return 0;
}

int generator_resolve(struct generator *g, uint32_t timeout_ms)
{
	const struct port *down =
		port_wait_links(g->ports, g->profile->port_count, timeout_ms, g->stop);
	if (*g->stop)
		return -EINTR;
	if (down) {
		snprintf(g->error, sizeof(g->error),
			"port \"%s\": the link does not come up; is its other end there?",
			down->settings->name);
		return -ETIMEDOUT;
	}
	if (settle(g))
		return -EINTR;
	uint64_t now = rte_rdtsc(), told = now, next = 0;
	uint64_t deadline = now + g->hz / 1000 * timeout_ms;
	for (; port_unresolved(g); now = rte_rdtsc()) {
		if (*g->stop)
			return -EINTR;
		if (now > deadline) {
			snprintf(g->error, sizeof(g->error),
				"port \"%s\": nobody answers for the gateway's address "
				"(set gateway_mac?)",
				port_unresolved(g)->settings->name);
			return -ETIMEDOUT;
		}
		if (now >= next) {
			ask(g);
			next = now + g->hz / 1000 * ARP_INTERVAL_MS;
		}
		if (is_time_to_tell(g, &told, now))
			fprintf(stderr, "resolving: port \"%s\" has no answer yet\n",
				port_unresolved(g)->settings->name);
		if (receivers_poll(&g->receivers) == 0)
			rte_delay_us_sleep(100);
	}
	return 0;
}
