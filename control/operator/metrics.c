/*
 * The Prometheus page: text exposition format 0.0.4 over HTTP, GET /metrics alone, on a loopback
 * address. Never a label with a subscriber in it: a series per mobile node would outgrow every
 * scraper. Values are raw; "clear counters" does not touch them.
 */
#include "control/operator/counters.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCRAPERS_MAX      8
#define REQUEST_MAX       4096
#define SCRAPE_TIMEOUT_NS (10 * CLOCK_NS_PER_S)

struct scraper {
	struct operator_metrics *metrics;
	struct loop_source source;
	struct loop_timer timer; /* who does not finish is cut off */
	int fd;
	unsigned slot;
	size_t in_used, out_used, out_sent;
	char *out;
	char in[REQUEST_MAX];
};

struct operator_metrics {
	struct loop *loop;
	const struct provider *provider;
	struct loop_source source;
	int fd;
	struct scraper *scrapers[SCRAPERS_MAX];
};

/* ---- the page ---- */

static void family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP homeport_%s %s\n# TYPE homeport_%s %s\n", name, help, name, type);
}

static void sample(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
	family(out, name, type, help);
	fprintf(out, "homeport_%s %llu\n", name, (unsigned long long)value);
}

/* A label's value, quoted and escaped. */
static void label(FILE *out, const char *text)
{
	fputc('"', out);
	for (; text && *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(isprint((unsigned char)*text) ? *text : '?', out);
	}
	fputc('"', out);
}

static void page_status(FILE *out, const struct provider *provider)
{
	struct provider_status status = {0};

	provider->status(provider->context, &status);
	family(out, "build_info", "gauge", "Version of the control process.");
	fputs("homeport_build_info{version=\"0.1.0\"} 1\n", out);
	sample(out, "dataplane_attached", "gauge", "1 while control is attached to a dataplane.",
		status.attached);
	sample(out, "dataplane_synchronised", "gauge",
		"1 while everything control wants is acknowledged.", status.synchronised);
	sample(out, "uptime_seconds", "gauge", "Age of the control process.",
		status.uptime_ms / 1000);
	sample(out, "bindings", "gauge", "Mobility bindings held.", status.bindings);
	sample(out, "bindings_limit", "gauge", "Mobility bindings that fit.", status.bindings_max);
	sample(out, "pending_replies", "gauge", "Registrations that wait for the dataplane.",
		status.pending_replies);
	sample(out, "commands_total", "counter", "Commands sent to the dataplane.",
		status.commands_sent);
	sample(out, "commands_applied_total", "counter", "Commands the dataplane has applied.",
		status.commands_applied);
	sample(out, "events_lost_total", "counter", "Dataplane events lost to a full ring.",
		status.events_lost);
	sample(out, "routes", "gauge", "Routes in the dataplane.", status.routes_used);
	sample(out, "neighbors", "gauge", "Neighbours in the dataplane.", status.neighbors_used);
	sample(out, "buffers_used", "gauge", "Packet buffers in use.", status.buffers_used);
	sample(out, "buffers_limit", "gauge", "Packet buffers there are.", status.buffers_max);
	sample(out, "loop_turn_max_microseconds", "gauge", "Longest turn of control's loop.",
		status.loop_turn_ns_max / 1000);
}

struct worker_family {
	const char *name, *help;
	size_t offset;
};
#define FAMILY(name, field, help)                                                                  \
	{                                                                                          \
		name, help, offsetof(struct worker_counters, field)                                \
	}
static const struct worker_family worker_families[] = {
	FAMILY("received_packets_total", received_port, "Packets received from ports."),
	FAMILY("received_bytes_total", received_port_bytes, "Octets received from ports."),
	FAMILY("received_exception_packets_total", received_exception,
		"Packets received from the kernel's side."),
	FAMILY("received_inject_packets_total", received_inject, "Packets received from control."),
	FAMILY("created_packets_total", created, "Copies, fragments and messages of our own."),
	FAMILY("sent_packets_total", sent_port, "Packets sent to ports."),
	FAMILY("sent_bytes_total", sent_port_bytes, "Octets sent to ports."),
	FAMILY("punted_control_packets_total", punted_control, "Packets handed to control."),
	FAMILY("punted_exception_packets_total", punted_exception,
		"Packets handed to the kernel's side."),
	FAMILY("joined_fragments_total", joined, "Fragments swallowed by reassembly."),
	FAMILY("encapsulated_packets_total", encapsulated, "Packets put into a tunnel."),
	FAMILY("decapsulated_packets_total", decapsulated, "Packets taken out of a tunnel."),
	FAMILY("icmp_sent_total", icmp_sent, "ICMP errors sent."),
	FAMILY("icmp_suppressed_total", icmp_suppressed,
		"ICMP errors that the rate limit held back."),
	FAMILY("keepalives_answered_total", keepalives_answered, "NAT keepalives answered."),
};
#undef FAMILY

static void page_workers(FILE *out, const struct provider *provider)
{
	unsigned count = 0;
	const struct worker_counters *workers =
		provider->workers ? provider->workers(provider->context, &count) : NULL;
	struct worker_counters sum = counters_sum(provider);

	for (size_t f = 0; workers && f < sizeof(worker_families) / sizeof(worker_families[0]);
		f++) {
		family(out, worker_families[f].name, "counter", worker_families[f].help);
		for (unsigned i = 0; i < count; i++) {
			uint64_t value;
			memcpy(&value, (const char *)&workers[i] + worker_families[f].offset,
				sizeof(value));
			fprintf(out, "homeport_%s{worker=\"%u\"} %llu\n", worker_families[f].name,
				i, (unsigned long long)value);
		}
	}
	if (!workers)
		return;
	sample(out, "held_packets", "gauge",
		"Packets in reassembly, waiting for a neighbour or between workers.",
		sum.held_reassembly + sum.held_neighbor + (sum.handed_over - sum.taken_over));
	family(out, "dropped_packets_total", "counter", "Packets dropped, by the step and reason.");
	for (unsigned reason = 1; reason < DROP_REASON_COUNT; reason++)
		fprintf(out, "homeport_dropped_packets_total{step=\"%s\",reason=\"%s\"} %llu\n",
			drop_reason_step(reason), drop_reason_name(reason),
			(unsigned long long)sum.drops[reason]);
}

static void page_ports(FILE *out, const struct provider *provider)
{
	static const struct {
		const char *name, *type, *help;
		size_t offset;
	} families[] = {
		{"port_received_packets_total", "counter", "Packets the device received.",
			offsetof(struct port_counters, rx_packets)},
		{"port_sent_packets_total", "counter", "Packets the device sent.",
			offsetof(struct port_counters, tx_packets)},
		{"port_missed_packets_total", "counter", "Packets the device had no room for.",
			offsetof(struct port_counters, rx_missed)},
		{"port_receive_errors_total", "counter", "Bad frames.",
			offsetof(struct port_counters, rx_errors)},
	};
	const struct config *config = provider->config(provider->context);
	unsigned count = 0;
	const struct port_counters *ports =
		provider->ports ? provider->ports(provider->context, &count) : NULL;

	if (count > config->dataplane.port_count)
		count = config->dataplane.port_count;
	for (size_t f = 0; ports && f < sizeof(families) / sizeof(families[0]); f++) {
		family(out, families[f].name, families[f].type, families[f].help);
		for (unsigned i = 0; i < count; i++) {
			uint64_t value;
			memcpy(&value, (const char *)&ports[i] + families[f].offset, sizeof(value));
			fprintf(out, "homeport_%s{port=", families[f].name);
			label(out, config->dataplane.ports[i].name);
			fprintf(out, "} %llu\n", (unsigned long long)value);
		}
	}
}

/* One family with the counter's name as a label: names need no translation between here and `show
 * counters`. */
static void page_control(FILE *out, const struct provider *provider)
{
	const struct config *config = provider->config(provider->context);
	struct provider_counter counter;

	family(out, "mip4_total", "counter",
		"What control counted of Mobile IPv4, by home agent instance.");
	for (unsigned i = 0; provider->counter && i <= config->instance_count; i++)
		for (unsigned k = 0; provider->counter(provider->context, i, k, &counter); k++) {
			fputs("homeport_mip4_total{instance=", out);
			label(out, i < config->instance_count ? config->instances[i].name : "");
			fputs(",counter=", out);
			label(out, counter.name);
			fprintf(out, "} %llu\n", (unsigned long long)counter.value);
		}
}

/* Sums, never a series per association. */
static void page_ipsec(FILE *out, const struct provider *provider)
{
	struct provider_ipsec s = {0};
	struct provider_counter counter;

	if (!provider->ipsec)
		return;
	provider->ipsec(provider->context, &s);
	family(out, "ipsec_associations", "gauge", "Security associations that control holds.");
	for (unsigned i = 0; i < 2; i++) {
		const char *direction = i ? "out" : "in";
		fprintf(out, "homeport_ipsec_associations{direction=\"%s\",state=\"live\"} %llu\n",
			direction, (unsigned long long)s.live[i]);
		fprintf(out,
			"homeport_ipsec_associations{direction=\"%s\",state=\"expired\"} %llu\n",
			direction, (unsigned long long)s.expired[i]);
	}
	fprintf(out, "homeport_ipsec_associations{direction=\"in\",state=\"larval\"} %llu\n",
		(unsigned long long)s.larval);
	sample(out, "ipsec_associations_limit", "gauge",
		"Slots of each direction, one of them never used.", s.slots);
	sample(out, "ipsec_policies", "gauge", "Policies that control holds.", s.policies);
	sample(out, "ipsec_policy_entries", "gauge",
		"Entries that they make: directions and selectors.", s.policy_entries);
	sample(out, "ipsec_policy_entries_limit", "gauge", "Entries that fit.",
		s.policy_entries_max);
	sample(out, "ipsec_states_copied_total", "counter",
		"Lines of numbers and windows copied into a new dataplane's region.",
		s.states_copied);
	sample(out, "ipsec_states_resumed_total", "counter",
		"Associations that went on with the numbers they found.", s.states_adopted);
	sample(out, "ipsec_moves_limited_total", "counter",
		"NAT mappings not followed: too many a minute.", s.moves_limited);
	sample(out, "ipsec_dummies_total", "counter",
		"Dummy packets handed to the dataplane to send.", s.dummies);
	family(out, "ipsec_events_total", "counter", "What happened to associations and policies.");
	for (unsigned i = 0; provider->ipsec_counter(provider->context, i, &counter); i++)
		fprintf(out, "homeport_ipsec_events_total{event=\"%s\"} %llu\n", counter.name,
			(unsigned long long)counter.value);
}

static void page_charon(FILE *out, const struct provider *provider)
{
	struct provider_charon s = {0};
	struct provider_counter counter;

	if (!provider->charon || !provider->charon(provider->context, &s))
		return;
	sample(out, "charon_connected", "gauge", "1 while the IKE daemon is connected.",
		s.connected);
	sample(out, "charon_associations", "gauge", "Directions that it named.", s.associations);
	sample(out, "charon_leases", "gauge", "Inbound SPIs that it holds without keys.", s.leases);
	sample(out, "charon_policies", "gauge", "Its entries, those below others too.", s.policies);
	sample(out, "charon_waiting", "gauge", "Requests that the dataplane has not applied.",
		s.waiting);
	family(out, "charon_total", "counter", "What control counted of the IKE daemon.");
	for (unsigned i = 0; provider->charon_counter(provider->context, i, &counter); i++)
		fprintf(out, "homeport_charon_total{counter=\"%s\"} %llu\n", counter.name,
			(unsigned long long)counter.value);
}

static void write_page(FILE *out, const struct provider *provider)
{
	page_status(out, provider);
	page_workers(out, provider);
	page_ports(out, provider);
	page_control(out, provider);
	page_ipsec(out, provider);
	page_charon(out, provider);
}

/* ---- HTTP ---- */

static void scraper_close(struct scraper *scraper)
{
	scraper->metrics->scrapers[scraper->slot] = NULL;
	loop_timer_cancel(scraper->metrics->loop, &scraper->timer);
	loop_source_remove(scraper->metrics->loop, &scraper->source);
	close(scraper->fd);
	free(scraper->out);
	free(scraper);
}

static void scraper_late(void *context, const struct clock_now *now)
{
	scraper_close(context);
}

static bool is_request_for(const char *request, const char *start)
{
	size_t length = strlen(start);

	return strncmp(request, start, length) == 0 &&
	       (request[length] == ' ' || request[length] == '?');
}

/* False when out of memory. */
static bool scraper_answer(struct scraper *scraper)
{
	char *page = NULL;
	size_t page_size = 0;
	const char *status = "200 OK";
	FILE *body = open_memstream(&page, &page_size);

	if (!body)
		return false;
	if (is_request_for(scraper->in, "GET /metrics"))
		write_page(body, scraper->metrics->provider);
	else if (is_request_for(scraper->in, "GET /"))
		fputs("homeport: metrics are at /metrics\n", body);
	else
		status = strncmp(scraper->in, "GET ", 4) == 0 ? "404 Not Found"
							      : "405 Method Not Allowed";
	fclose(body);
	FILE *out = open_memstream(&scraper->out, &scraper->out_used);
	if (out) {
		fprintf(out,
			"HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; "
			"charset=utf-8\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
			status, page_size,
			status[0] == '4' && status[2] == '5' ? "Allow: GET\r\n" : "");
		fwrite(page, 1, page_size, out);
		fclose(out);
	}
	free(page);
	return out && scraper->out;
}

/* False when done or gone. */
static bool scraper_send(struct scraper *scraper)
{
	while (scraper->out_sent < scraper->out_used) {
		ssize_t sent = send(scraper->fd, scraper->out + scraper->out_sent,
			scraper->out_used - scraper->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (sent <= 0)
			return false;
		scraper->out_sent += (size_t)sent;
	}
	shutdown(scraper->fd, SHUT_WR);
	return false;
}

/* False when the peer is gone. */
static bool scraper_read(struct scraper *scraper, bool *complete)
{
	size_t room = sizeof(scraper->in) - 1 - scraper->in_used;
	ssize_t got = recv(scraper->fd, scraper->in + scraper->in_used, room, MSG_DONTWAIT);

	*complete = false;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	scraper->in_used += (size_t)got;
	scraper->in[scraper->in_used] = '\0';
	*complete = strstr(scraper->in, "\r\n\r\n") || strstr(scraper->in, "\n\n") ||
		    scraper->in_used == sizeof(scraper->in) - 1;
	return true;
}

static void scraper_ready(void *context, uint32_t events, const struct clock_now *now)
{
	struct scraper *scraper = context;
	bool alive = !(events & (EPOLLERR | EPOLLHUP)), complete = false;

	if (alive && !scraper->out) {
		alive = scraper_read(scraper, &complete);
		if (complete)
			alive = scraper_answer(scraper) &&
				loop_source_modify(
					scraper->metrics->loop, &scraper->source, EPOLLOUT) == 0;
	}
	if (alive && scraper->out)
		alive = scraper_send(scraper);
	if (!alive)
		scraper_close(scraper);
}

static void metrics_ready(void *context, uint32_t events, const struct clock_now *now)
{
	struct operator_metrics *metrics = context;
	int fd = accept4(metrics->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	unsigned slot = 0;

	if (fd < 0)
		return;
	while (slot < SCRAPERS_MAX && metrics->scrapers[slot])
		slot++;
	struct scraper *scraper = slot < SCRAPERS_MAX ? calloc(1, sizeof(*scraper)) : NULL;
	if (!scraper || loop_source_add(metrics->loop, &scraper->source, fd, EPOLLIN, scraper_ready,
				scraper)) {
		free(scraper);
		close(fd);
		return;
	}
	scraper->metrics = metrics;
	scraper->fd = fd;
	scraper->slot = slot;
	scraper->timer.handler = scraper_late;
	scraper->timer.context = scraper;
	metrics->scrapers[slot] = scraper;
	loop_timer_set(metrics->loop, &scraper->timer, now->monotonic_ns + SCRAPE_TIMEOUT_NS);
}

/* "127.0.0.1:9464" or "[::1]:9464"; the configuration has checked it. */
static int parse_endpoint(const char *text, struct sockaddr_storage *out, socklen_t *size)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	char address[64];

	if (!colon || (size_t)(colon - text) >= sizeof(address))
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	memcpy(address, text, (size_t)(colon - text));
	address[colon - text] = '\0';
	be16 port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (strcmp(address, "[::1]") == 0) {
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
			.sin6_port = port,
			.sin6_addr = IN6ADDR_LOOPBACK_INIT};
		*size = sizeof(*v6);
		return 0;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = port;
	*size = sizeof(*v4);
	return inet_pton(AF_INET, address, &v4->sin_addr) == 1 &&
			       ntohl(v4->sin_addr.s_addr) >> 24 == 127
		       ? 0
		       : -EINVAL;
}

int operator_metrics_new(struct loop *loop, const char *endpoint, const struct provider *provider,
	struct operator_metrics **out)
{
	struct operator_metrics *metrics = calloc(1, sizeof(*metrics));
	struct sockaddr_storage address;
	socklen_t size = 0;
	int on = 1;

	*out = NULL;
	if (!metrics)
		return -ENOMEM;
	metrics->loop = loop;
	metrics->provider = provider;
	metrics->fd = -1;
	int result = parse_endpoint(endpoint, &address, &size);
	if (!result) {
		metrics->fd =
			socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (metrics->fd < 0 ||
			setsockopt(metrics->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
			bind(metrics->fd, (struct sockaddr *)&address, size) ||
			listen(metrics->fd, 8))
			result = -errno;
	}
	if (!result)
		result = loop_source_add(
			loop, &metrics->source, metrics->fd, EPOLLIN, metrics_ready, metrics);
	if (result) {
		operator_metrics_free(metrics);
		return result;
	}
	*out = metrics;
	return 0;
}

void operator_metrics_free(struct operator_metrics *metrics)
{
	if (!metrics)
		return;
	for (unsigned i = 0; i < SCRAPERS_MAX; i++)
		if (metrics->scrapers[i])
			scraper_close(metrics->scrapers[i]);
	loop_source_remove(metrics->loop, &metrics->source);
	if (metrics->fd >= 0)
		close(metrics->fd);
	free(metrics);
}
