/*
 * How many authenticated registrations a second the whole control path carries on one core: the
 * real homeport-control, its own process on a core of its own, with its region, rings, mirror, LMDB
 * store and replies; fed here, on another core, by a stand-in for the dataplane that punts
 * requests, applies the commands to real tables, acknowledges, and takes the replies. Every reply
 * is checked as its node would check it, and at the end the store is read: it must hold every node.
 *
 * Two figures, each over the wall clock and over the CPU time that homeport-control used, system
 * calls and the store's thread included: first registrations (nobody is known: binding, home
 * address and store record are new), then moves (every node comes from another place each time).
 * Where the machine is shared the second clock is the one to believe. Then one request at a time:
 * from its punt record to its reply's inject record, commit and acknowledgement included, as
 * percentiles (HA4-OPS-36), and to the moment from which a packet to the node goes the new way.
 * A node is new once, so first registrations are one run of this program, which scripts/bench
 * starts several times; the rest is the median of several (runs.h).
 *
 *   control_bench [NODES] [SECONDS] [HOMEPORT-CONTROL]     default 100000 2, the build's own
 */
#include "control/store/store.h"
#include "lib/base/clock.h"
#include "pktgen/bench/control_nodes.h"
#include "pktgen/bench/insert_consumer.h"
#include "pktgen/bench/runs.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define TARGET          20000.0 /* registrations a second, issue 2 */
#define PUNT_SLOTS      1024
#define WINDOW          768u /* registrations in flight: what neither queue of control can overflow */
#define START_S         120   /* to read the configuration of a million nodes */
#define LATENCIES       65536 /* at most in a run */
#define LATENCIES_LEAST 400
#define PATIENCE_NS     (10 * CLOCK_NS_PER_S)

struct bench {
	char folder[64], config[96], socket[96], store[96], program[PATH_MAX];
	struct region region;
	struct insert_consumer *tables;
	struct control_nodes *nodes;
	int listen_fd, client_fd;
	pid_t control;
	clockid_t cpu_clock; /* of the control process */
	bool wrong;
};

struct rates {
	struct runs_values wall, cpu; /* registrations a second of each, one a run */
};

static int fail(const char *what)
{
	fprintf(stderr, "control_bench: %s: %s\n", what, strerror(errno));
	return -1;
}

/* Room enough that nothing warns of a limit. */
static uint32_t binding_limit(uint32_t nodes)
{
	return nodes + nodes / 4;
}

static int config_write(struct bench *b, uint32_t nodes)
{
	FILE *out = fopen(b->config, "we");

	if (!out)
		return fail(b->config);
	fprintf(out,
		"dataplane = { huge_pages = false; max_bindings = %u; socket = \"%s\";\n"
		" ports = ( { name = \"outside\"; device = \"net_null0\"; } ); };\n"
		"control = { socket = \"\"; store = \"%s\"; kernel_mirror = false; log_level = "
		"\"warning\"; };\n"
		"instances = ( { name = \"bench\"; addresses = [ \"" CONTROL_AGENT "\" ];\n"
		" home_networks = ( { prefix = \"10.0.0.0/8\"; } ); nat_max_lifetime_s = 1800;\n"
		" node_rate = 0; nat_move_limit = 100000; police_source_rate = 10000000;\n"
		" police_endpoint_rate = 10000000; police_endpoint_burst = 10000000; } );\n",
		binding_limit(nodes), b->socket, b->store);
	control_nodes_print(b->nodes, out);
	return fclose(out) ? fail(b->config) : 0;
}

static int region_open(struct bench *b, uint32_t nodes)
{
	const struct region_limits limits = {.workers = 1,
		.ports = 1,
		.bindings = binding_limit(nodes),
		.routes = 64,
		.neighbors = 64,
		.prefixes = 64,
		.command_slots = 16384,
		.event_slots = 8192,
		.inject_slots = 1024,
		.punt_slots = PUNT_SLOTS};
	int error = region_create(&b->region, &limits, false);

	if (!error)
		error = attach_listen(b->socket, &b->listen_fd);
	b->tables = error ? NULL : insert_consumer_new(&b->region);
	errno = error ? -error : ENOMEM;
	return b->tables ? 0 : fail("region");
}

/* The first processor we may use is control's, the others ours; with one alone they share it. */
static void processor_choose(bool control)
{
	cpu_set_t all, own;
	int first = 0;

	CPU_ZERO(&own);
	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	while (!CPU_ISSET(first, &all))
		first++;
	if (control) {
		CPU_SET(first, &own);
	} else {
		own = all;
		CPU_CLR(first, &own);
	}
	if (CPU_COUNT(&own))
		sched_setaffinity(0, sizeof(own), &own);
}

static int control_start(struct bench *b)
{
	b->control = fork();
	if (b->control < 0)
		return fail("fork");
	if (b->control == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		processor_choose(true);
		execl(b->program, "homeport-control", "--config", b->config, (char *)NULL);
		fail(b->program);
		_exit(127);
	}
	monotonic deadline = clock_read().monotonic_ns + START_S * CLOCK_NS_PER_S;
	while (clock_read().monotonic_ns < deadline) {
		struct pollfd wait = {.fd = b->listen_fd, .events = POLLIN};
		(void)poll(&wait, 1, 100);
		b->client_fd = attach_accept(b->listen_fd, &b->region, geteuid(), false);
		if (b->client_fd >= 0)
			break;
		if (waitpid(b->control, NULL, WNOHANG) == b->control) {
			b->control = 0;
			fprintf(stderr, "control_bench: homeport-control ended at its start\n");
			return -1;
		}
	}
	errno = clock_getcpuclockid(b->control, &b->cpu_clock);
	if (b->client_fd < 0 || errno)
		return fail("homeport-control did not attach");
	processor_choose(false);
	return 0;
}

/* ---- the stand-in dataplane ---- */

static unsigned punts_put(struct bench *b)
{
	uint64_t waiting = control_nodes_asked(b->nodes) - control_nodes_answered(b->nodes);
	uint32_t count = 0;

	while (waiting + count < WINDOW) {
		struct punt_record *record = ring_reserve(&b->region.punt[0], count);
		if (!record || !control_nodes_ask(b->nodes, record))
			break;
		count++;
	}
	if (count) {
		ring_commit(&b->region.punt[0], count);
		doorbell_ring(b->region.event_doorbell);
	}
	return count;
}

static unsigned injects_take(struct bench *b)
{
	static struct inject_record record;
	unsigned count = 0;

	for (; ring_get(&b->region.inject, &record); count++)
		b->wrong |= !control_nodes_hear(b->nodes, &record);
	return count;
}

/* One turn of the main loop; `ask` false lets what is in flight come to its end. */
static bool turn(struct bench *b, bool ask)
{
	unsigned found = injects_take(b);

	found += insert_consumer_poll(b->tables);
	found += ask ? punts_put(b) : 0;
	if (!found) {
		struct pollfd wait = {.fd = b->region.command_doorbell, .events = POLLIN};
		(void)poll(&wait, 1, 1);
		doorbell_clear(b->region.command_doorbell);
	}
	return found > 0;
}

static double cpu_seconds(const struct bench *b)
{
	struct timespec t = {0};

	clock_gettime(b->cpu_clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One run: registers until `goal` are answered and `seconds` have passed. */
static int measure(struct bench *b, uint64_t goal, double seconds, struct rates *rates)
{
	uint64_t first = control_nodes_answered(b->nodes), answered = first;
	double cpu = cpu_seconds(b);
	monotonic start = clock_read().monotonic_ns, now = start, progress = start;
	monotonic end = start + (monotonic)(seconds * 1e9);

	while (!b->wrong) {
		bool ask = control_nodes_asked(b->nodes) < goal || (now < end && goal == 0);
		bool found = turn(b, ask);
		if (!ask && control_nodes_asked(b->nodes) == control_nodes_answered(b->nodes))
			break;
		now = clock_read().monotonic_ns;
		if (found && control_nodes_answered(b->nodes) != answered) {
			answered = control_nodes_answered(b->nodes);
			progress = now;
		} else if (now - progress > PATIENCE_NS) {
			errno = ETIMEDOUT;
			return fail("replies are missing");
		}
	}
	double wall_s = (double)(clock_read().monotonic_ns - start) / 1e9;
	double count = (double)(control_nodes_answered(b->nodes) - first);
	runs_add(&rates->wall, count / wall_s);
	runs_add(&rates->cpu, count / (cpu_seconds(b) - cpu));
	return b->wrong ? -1 : 0;
}

static int compare(const void *a, const void *b)
{
	monotonic x = *(const monotonic *)a, y = *(const monotonic *)b;

	return (x > y) - (x < y);
}

/* Both sorted. */
struct latencies {
	monotonic reply_ns[LATENCIES]; /* from the punt record to the reply's inject record */
	monotonic path_ns[LATENCIES];  /* until the tables send a packet the new way */
	unsigned count;
};

/* One run: one request after another until `seconds` have passed. */
static int measure_latency(struct bench *b, double seconds, struct latencies *latencies)
{
	monotonic end = clock_read().monotonic_ns + (monotonic)(seconds * 1e9);
	unsigned i = 0;

	while (i < LATENCIES && (i < LATENCIES_LEAST || clock_read().monotonic_ns < end)) {
		uint64_t answered = control_nodes_answered(b->nodes);
		struct punt_record *record = ring_reserve(&b->region.punt[0], 0);
		if (!record || !control_nodes_ask(b->nodes, record))
			return fail("the punt ring is full");
		const struct control_path path = control_nodes_path(b->nodes);
		monotonic start = clock_read().monotonic_ns, now = start, led = 0;
		ring_commit(&b->region.punt[0], 1);
		doorbell_ring(b->region.event_doorbell);
		while (control_nodes_answered(b->nodes) == answered && !b->wrong) {
			turn(b, false);
			now = clock_read().monotonic_ns;
			if (led == 0 && insert_consumer_leads(b->tables, &path.home_address,
						&path.care_of_address, path.care_of_port))
				led = now;
			if (now - start > PATIENCE_NS) {
				errno = ETIMEDOUT;
				return fail("a reply is missing");
			}
		}
		if (led == 0) {
			errno = ENOENT;
			return fail("a reply came before the new path was there");
		}
		latencies->reply_ns[i] = now - start;
		latencies->path_ns[i++] = led - start;
	}
	latencies->count = i;
	qsort(latencies->reply_ns, latencies->count, sizeof(monotonic), compare);
	qsort(latencies->path_ns, latencies->count, sizeof(monotonic), compare);
	return b->wrong ? -1 : 0;
}

static const struct {
	const char *name;
	unsigned permille;
} percentiles[] = {{"50", 500}, {"99", 990}, {"99.9", 999}};

#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

/* Values of a percentile, one a run, in microseconds. */
static void add_latency(
	struct runs_values values[PERCENTILES], const monotonic *took_ns, unsigned count)
{
	for (unsigned i = 0; i < PERCENTILES; i++) {
		const unsigned at = count * percentiles[i].permille / 1000;
		runs_add(&values[i], (double)took_ns[at] / 1000);
	}
}

static void print_latency(const char *what, const struct runs_values values[PERCENTILES])
{
	for (unsigned i = 0; i < PERCENTILES; i++) {
		printf("{\"figure\": \"request in to %s, one at a time, %s %%\", \"unit\": "
		       "\"us\", ",
			what, percentiles[i].name);
		runs_print(&values[i]);
		puts("}");
	}
}

static int control_stop(struct bench *b)
{
	int status = 0;

	if (b->control <= 0)
		return -1;
	kill(b->control, SIGTERM);
	waitpid(b->control, &status, 0);
	b->control = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	fprintf(stderr, "control_bench: homeport-control ended with status %#x\n", status);
	return -1;
}

static int record_count(
	void *context, const void *key, size_t key_size, const void *value, size_t value_size)
{
	++*(uint64_t *)context;
	return 0;
}

static int store_check(const struct bench *b, uint32_t nodes)
{
	struct store *store;
	uint64_t records = 0;
	int error = store_open(&store, b->store, nodes * 2ull + 1024);

	if (error)
		return error;
	error = store_each(store, STORE_BINDING, record_count, &records);
	store_close(store);
	if (!error && records >= nodes)
		return 0;
	fprintf(stderr, "control_bench: the store holds %llu of %u nodes\n",
		(unsigned long long)records, nodes);
	return -1;
}

/* ---- */

static void print_rate(
	const char *what, const char *clock, uint32_t nodes, const struct runs_values *values)
{
	printf("{\"figure\": \"%s, %s\", \"entries\": %u, \"unit\": \"1/s\", ", what, clock, nodes);
	runs_print(values);
	printf(", \"target\": %.0f, \"pass\": %s}\n", TARGET,
		runs_median(values) >= TARGET ? "true" : "false");
}

static void print(const char *what, uint32_t nodes, const struct rates *rates)
{
	char wall[64];

	snprintf(wall, sizeof(wall), "%u nodes, store and rings included", nodes);
	print_rate(what, wall, nodes, &rates->wall);
	print_rate(what, "for a second of control's CPU time", nodes, &rates->cpu);
}

static int run(struct bench *b, uint32_t nodes, struct runs runs)
{
	static struct latencies latencies;
	struct rates first = {0}, moves = {0};
	struct runs_values reply[PERCENTILES] = {0}, path[PERCENTILES] = {0};

	if (config_write(b, nodes) || region_open(b, nodes) || control_start(b) ||
		measure(b, nodes, 0, &first))
		return -1;
	for (unsigned i = 0; i < runs.count; i++)
		if (measure(b, 0, runs.seconds, &moves))
			return -1;
	for (unsigned i = 0; i < runs.count; i++) {
		if (measure_latency(b, runs.seconds, &latencies))
			return -1;
		add_latency(reply, latencies.reply_ns, latencies.count);
		add_latency(path, latencies.path_ns, latencies.count);
	}
	if (insert_consumer_bindings(b->tables) != nodes) {
		fprintf(stderr, "control_bench: the tables hold %llu of %u nodes\n",
			(unsigned long long)insert_consumer_bindings(b->tables), nodes);
		return -1;
	}
	if (control_stop(b) || store_check(b, nodes))
		return -1;
	print("first registrations", nodes, &first);
	print("moves", nodes, &moves);
	print_latency("reply out", reply);
	print_latency("first packet on the new path", path);
	return 0;
}

static void clean(struct bench *b)
{
	char path[128];

	if (b->control > 0) {
		kill(b->control, SIGKILL);
		waitpid(b->control, NULL, 0);
	}
	snprintf(path, sizeof(path), "%s/store.mdb", b->store);
	unlink(path);
	rmdir(b->store);
	unlink(b->socket);
	unlink(b->config);
	rmdir(b->folder);
	insert_consumer_free(b->tables);
	control_nodes_free(b->nodes);
}

static int names_make(struct bench *b, const char *program)
{
	char self[PATH_MAX] = "";
	const char *temporary = getenv("TMPDIR");

	snprintf(b->folder, sizeof(b->folder), "%.40s/hp-control-XXXXXX",
		temporary ? temporary : "/tmp");
	if (!mkdtemp(b->folder))
		return fail(b->folder);
	snprintf(b->config, sizeof(b->config), "%s/homeport.cfg", b->folder);
	snprintf(b->socket, sizeof(b->socket), "%s/dataplane.sock", b->folder);
	snprintf(b->store, sizeof(b->store), "%s/store", b->folder);
	if (program) {
		snprintf(b->program, sizeof(b->program), "%s", program);
		return 0;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return fail("/proc/self/exe");
	int length = snprintf(
		b->program, sizeof(b->program), "%s/../../control/homeport-control", dirname(self));
	return length < (int)sizeof(b->program) ? 0 : -1;
}

int main(int argc, char **argv)
{
	uint32_t nodes = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 100000;
	struct runs runs = runs_wanted(5, argc > 2 ? strtod(argv[2], NULL) : 2);
	struct bench b = {.listen_fd = -1, .client_fd = -1};

	if (nodes < 2 * WINDOW || nodes > CONTROL_NODES_MAX || runs.seconds <= 0 || argc > 4) {
		fprintf(stderr,
			"usage: control_bench [NODES %u..%u] [SECONDS] [HOMEPORT-CONTROL]\n",
			2 * WINDOW, CONTROL_NODES_MAX);
		return 64;
	}
	b.nodes = control_nodes_new(nodes);
	int error = !b.nodes || names_make(&b, argc > 3 ? argv[3] : NULL) || run(&b, nodes, runs);
	clean(&b);
	return error ? 1 : 0;
}
