#include "dataplane/dataplane.h"

#include "dataplane/conservation.h"
#include "dataplane/crypto/engine.h"
#include "dataplane/handover.h"
#include "dataplane/link/event.h"
#include "dataplane/link/exception.h"
#include "dataplane/packet.h"
#include "dataplane/port.h"
#include "dataplane/table/sa_table.h"

#include "lib/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <pwd.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <stdlib.h>
#include <sys/stat.h>

#define COMMAND_SLOTS 16384
#define EVENT_SLOTS   8192
#define INJECT_SLOTS  1024
#define PUNT_SLOTS    1024
#define RING_SLOTS    1024
#define POOL_CACHE    256

static int refuse(const char *setting, int error)
{
	char reason[64];

	log_error("start_refused", "setting=%s error=%s", setting,
		log_quote(reason, sizeof(reason), strerror(-error)));
	return error;
}

static int region_open(struct dataplane *dataplane)
{
	const struct config_dataplane *settings = dataplane->settings;
	const struct region_limits limits = {
		.workers = settings->workers,
		.ports = settings->port_count,
		.bindings = settings->max_bindings,
		.routes = settings->max_routes,
		.neighbors = settings->max_neighbors,
		.prefixes = settings->max_prefixes,
		.sas = settings->max_security_associations,
		.policies = settings->max_policies,
		.replay_window = settings->max_replay_window,
		.command_slots = COMMAND_SLOTS,
		.event_slots = EVENT_SLOTS,
		.inject_slots = INJECT_SLOTS,
		.punt_slots = PUNT_SLOTS,
	};
	int error = region_create(&dataplane->region, &limits, settings->huge_pages);

	if (error)
		return refuse("dataplane.max_bindings", error);
	dataplane->tables = tables_new(&limits, settings->workers);
	return dataplane->tables ? 0 : refuse("dataplane.max_bindings", -errno);
}

/* Only with room for security associations: without, the crypto library need not be installed. */
static int crypto_open(struct dataplane *dataplane)
{
	const struct sa_region sas = {dataplane->region.sa_inbound, dataplane->region.sa_outbound,
		dataplane->region.sa_windows, dataplane->region.policy_lines};
	char error[LIBRARY_ERROR_SIZE], reason[LIBRARY_ERROR_SIZE + 16];

	if (dataplane->region.limits.sas == 0)
		return 0;
	dataplane->crypto =
		crypto_workers_new(dataplane->settings->workers, LIBRARY_PRIVATE, error);
	if (!dataplane->crypto) {
		log_error("start_refused", "setting=dataplane.max_security_associations error=%s",
			log_quote(reason, sizeof(reason), error));
		return -ENOTSUP;
	}
	tables_sas_attach(dataplane->tables, &sas, crypto_workers_library(dataplane->crypto));
	tables_sas_allow(dataplane->tables, dataplane->settings->move_allowance);
	snprintf(dataplane->region.header->crypto, sizeof(dataplane->region.header->crypto), "%s",
		crypto_workers_text(dataplane->crypto));
	log_notice("crypto_ready", "path=%s",
		log_quote(reason, sizeof(reason), crypto_workers_text(dataplane->crypto)));
	return 0;
}

static int rings_open(struct worker *worker)
{
	struct {
		struct rte_ring **ring;
		const char *name;
		unsigned flags;
	} rings[] = {
		{&worker->exception_out, "exception_out", RING_F_SP_ENQ | RING_F_SC_DEQ},
		{&worker->exception_in, "exception_in", RING_F_SP_ENQ | RING_F_SC_DEQ},
		{&worker->inject_in, "inject_in", RING_F_SP_ENQ | RING_F_SC_DEQ},
		{&worker->handoff_in, "handoff_in", RING_F_SC_DEQ},
	};

	for (unsigned i = 0; i < RTE_DIM(rings); i++) {
		char name[32];
		snprintf(name, sizeof(name), "%s_%u", rings[i].name, worker->index);
		*rings[i].ring = rte_ring_create(name, RING_SLOTS, SOCKET_ID_ANY, rings[i].flags);
		if (!*rings[i].ring)
			return -rte_errno;
	}
	return 0;
}

static int worker_open(struct dataplane *dataplane, unsigned index)
{
	struct worker *worker = &dataplane->workers[index];

	worker->index = index;
	worker->counters = &dataplane->region.worker_counters[index];
	worker->drop_switch = &dataplane->region.header->drop_trace;
	worker->drop_trace = &dataplane->region.drop_traces[index];
	worker->binding_counters = dataplane->region.binding_counters +
				   (size_t)index * dataplane->region.limits.bindings;
	worker->policy_hits =
		dataplane->region.policy_hits + (size_t)index * dataplane->region.limits.policies;
	worker->punt = &dataplane->region.punt[index];
	worker->ports = dataplane->ports;
	worker->port_count = dataplane->port_count;
	worker->pool = dataplane->pool;
	if (dataplane->crypto)
		worker->crypto = crypto_workers_engine(dataplane->crypto, index);
	worker->tx = calloc(dataplane->port_count, sizeof(*worker->tx));
	if (!worker->tx)
		return -ENOMEM;
	int error = rings_open(worker);
	if (!error)
		error = worker_init(worker, index, dataplane->tables, dataplane->settings);
	if (!error)
		error = event_worker_init(worker);
	return error;
}

static int taps_open(struct dataplane *dataplane)
{
	for (unsigned i = 0; i < dataplane->port_count; i++) {
		const struct config_port *settings = &dataplane->settings->ports[i];
		struct port *port = &dataplane->ports[i];
		if (settings->tap[0] == '\0')
			continue;
		int tap = exception_tap_open(settings->tap, port->mac, port->mtu);
		if (tap < 0)
			return refuse("dataplane.ports.tap", tap);
		dataplane->taps[i] = tap;
		port->has_exception = true;
	}
	return 0;
}

static int ports_open(struct dataplane *dataplane, struct port_queues *queues)
{
	const struct config_dataplane *settings = dataplane->settings;

	for (unsigned i = 0; i < settings->port_count; i++) {
		int error = port_open(&dataplane->ports[i], &settings->ports[i], (uint16_t)i,
			settings->workers, dataplane->pool, &queues[i]);
		if (error)
			return error;
		dataplane->port_count++;
	}
	return taps_open(dataplane);
}

static int socket_open(struct dataplane *dataplane)
{
	const struct config *config = dataplane->config;
	char directory[CONFIG_PATH_SIZE];

	dataplane->control_uid = geteuid();
	if (config->control.user[0]) {
		const struct passwd *user = getpwnam(config->control.user);
		if (!user)
			return refuse("control.user", -ENOENT);
		dataplane->control_uid = user->pw_uid;
	}
	snprintf(directory, sizeof(directory), "%s", dataplane->settings->socket);
	if (mkdir(dirname(directory), 0755) && errno != EEXIST)
		return refuse("dataplane.socket", -errno);
	int error = attach_listen(dataplane->settings->socket, &dataplane->listen_fd);
	if (error)
		return refuse("dataplane.socket", error);
	if (dataplane->control_uid != geteuid() &&
		chown(dataplane->settings->socket, dataplane->control_uid, (gid_t)-1))
		return refuse("control.user", -errno);
	return 0;
}

/* With one worker there is nobody to share with. */
static int owners_open(struct dataplane *dataplane)
{
	struct worker *workers[REGION_WORKERS_MAX];
	struct sa_owner *owner;

	if (dataplane->settings->sa_sharing != SAS_OWNED || dataplane->worker_count < 2 ||
		dataplane->region.limits.sas == 0)
		return 0;
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		workers[i] = &dataplane->workers[i];
	owner = tables_sas_own(dataplane->tables, dataplane->worker_count);
	int error = owner ? handover_open(workers, dataplane->worker_count, owner) : -errno;
	return error ? refuse("dataplane.sa_sharing", error) : 0;
}

int dataplane_open(struct dataplane *dataplane, const struct config *config)
{
	struct port_queues queues[REGION_PORTS_MAX] = {0};
	const struct config_dataplane *settings = &config->dataplane;

	memset(dataplane, 0, sizeof(*dataplane));
	dataplane->config = config;
	dataplane->settings = settings;
	dataplane->region.fd = -1;
	dataplane->listen_fd = dataplane->client_fd = dataplane->epoll_fd = dataplane->signal_fd =
		-1;
	for (unsigned i = 0; i < REGION_PORTS_MAX; i++)
		dataplane->taps[i] = -1;
	if (settings->port_count > REGION_PORTS_MAX || settings->port_count == 0)
		return refuse("dataplane.ports", -EINVAL);
	if (settings->workers > REGION_WORKERS_MAX || rte_lcore_count() < settings->workers + 1u)
		return refuse("dataplane.workers", -EINVAL);
	int error = region_open(dataplane);
	if (!error)
		error = crypto_open(dataplane);
	if (error)
		return error;
	dataplane->pool = rte_pktmbuf_pool_create("packets", settings->buffers, POOL_CACHE,
		PACKET_PRIVATE_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!dataplane->pool)
		return refuse("dataplane.buffers", -rte_errno);
	error = ports_open(dataplane, queues);
	for (unsigned i = 0; !error && i < settings->workers; i++) {
		dataplane->worker_count++;
		error = worker_open(dataplane, i);
		if (error)
			refuse("dataplane.workers", error);
	}
	for (unsigned i = 0; !error && i < dataplane->port_count; i++)
		port_assign(&dataplane->ports[i], &queues[i], dataplane->workers,
			dataplane->worker_count);
	if (!error)
		error = owners_open(dataplane);
	return error ? error : socket_open(dataplane);
}

static void worker_close(struct worker *worker)
{
	worker_fini(worker);
	event_worker_fini(worker);
	rte_ring_free(worker->exception_out);
	rte_ring_free(worker->exception_in);
	rte_ring_free(worker->inject_in);
	rte_ring_free(worker->handoff_in);
	free(worker->tx);
}

void dataplane_close(struct dataplane *dataplane)
{
	if (dataplane->listen_fd >= 0) {
		close(dataplane->listen_fd);
		unlink(dataplane->settings->socket);
	}
	if (dataplane->client_fd >= 0)
		close(dataplane->client_fd);
	for (unsigned i = 0; i < REGION_PORTS_MAX; i++)
		if (dataplane->taps[i] >= 0)
			close(dataplane->taps[i]);
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		handover_close(&dataplane->workers[i]);
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		worker_close(&dataplane->workers[i]);
	for (unsigned i = 0; i < dataplane->port_count; i++)
		port_close(&dataplane->ports[i]);
	tables_free(dataplane->tables);
	crypto_workers_free(dataplane->crypto);
	if (dataplane->region.fd >= 0)
		region_destroy(&dataplane->region);
	rte_mempool_free(dataplane->pool);
}

int dataplane_start(struct dataplane *dataplane)
{
	unsigned index = 0, lcore;

	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		if (index == dataplane->worker_count)
			break;
		dataplane->workers[index].lcore = lcore;
		if (rte_eal_remote_launch(worker_run, &dataplane->workers[index], lcore))
			return refuse("dataplane.lcores", -EBUSY);
		index++;
	}
	return 0;
}

void dataplane_join(struct dataplane *dataplane)
{
	const struct sa_owner *owner = tables_sas(dataplane->tables)->owner;
	unsigned found;

	rte_eal_mp_wait_lcore();
	do { /* nobody receives any more: each round leaves less between them */
		found = owner != NULL && owner->phase != SA_OWNER_RESTS;
		tables_publish(dataplane->tables); /* ends a move */
		for (unsigned i = 0; i < dataplane->worker_count; i++)
			if (dataplane->workers[i].handover != NULL)
				found += handover_poll(&dataplane->workers[i]);
	} while (found > 0);
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		worker_drain(&dataplane->workers[i]);
}

int64_t dataplane_conservation(const struct dataplane *dataplane)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < dataplane->worker_count; i++)
		sum += conservation_check(&dataplane->workers[i]);
	return sum;
}

static void worker_report(const struct worker_counters *c, FILE *out)
{
	fprintf(out,
		"{\"received_port\":%" PRIu64 ",\"received_exception\":%" PRIu64
		",\"received_inject\":%" PRIu64 ",\"created\":%" PRIu64 ",\"sent_port\":%" PRIu64
		",\"punted_control\":%" PRIu64 ",\"punted_exception\":%" PRIu64
		",\"joined\":%" PRIu64 ",\"held_reassembly\":%" PRIu64 ",\"held_neighbor\":%" PRIu64
		",\"encapsulated\":%" PRIu64 ",\"decapsulated\":%" PRIu64
		",\"reassembled\":%" PRIu64 ",\"fragments_made\":%" PRIu64
		",\"keepalives_answered\":%" PRIu64 ",\"proxy_arp_sent\":%" PRIu64
		",\"icmp_sent\":%" PRIu64 ",\"busy_tsc\":%" PRIu64 ",\"idle_tsc\":%" PRIu64
		",\"sleeps\":%" PRIu64 ",\"slept_ns\":%" PRIu64 ",\"handed_over\":%" PRIu64
		",\"taken_over\":%" PRIu64 ",\"drops\":{",
		c->received_port, c->received_exception, c->received_inject, c->created,
		c->sent_port, c->punted_control, c->punted_exception, c->joined, c->held_reassembly,
		c->held_neighbor, c->encapsulated, c->decapsulated, c->reassembled,
		c->fragments_made, c->keepalives_answered, c->proxy_arp_sent, c->icmp_sent,
		c->busy_tsc, c->idle_tsc, c->sleeps, c->slept_ns, c->handed_over, c->taken_over);
	const char *comma = "";
	for (unsigned reason = 1; reason < DROP_REASON_COUNT; reason++) {
		if (c->drops[reason] == 0)
			continue;
		fprintf(out, "%s\"%s\":%" PRIu64, comma, drop_reason_name(reason),
			c->drops[reason]);
		comma = ",";
	}
	fputs("}}", out);
}

int dataplane_report(const struct dataplane *dataplane, const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		return -errno;
	fprintf(out,
		"{\"conservation\":%" PRId64 ",\"commands_applied\":%" PRIu64
		",\"commands_refused\":%" PRIu64 ",\"workers\":[",
		dataplane_conservation(dataplane), dataplane->apply.applied,
		dataplane->apply.refused);
	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		fputs(i ? "," : "", out);
		worker_report(dataplane->workers[i].counters, out);
	}
	fputs("]}\n", out);
	return fclose(out) ? -errno : 0;
}
