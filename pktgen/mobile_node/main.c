/*
 * homeport-mobile-node: a Mobile IPv4 node in user space (RFC 5944 with a co-located care-of
 * address, RFC 3519, RFC 5265).
 *
 *   options        the command line
 *   registration   the protocol: what to ask, when, and what an answer means; no sockets, no clock
 *   authenticator  HMAC through OpenSSL
 *   network        rtnetlink: the access interface's addresses; addresses and routes of the TUN
 * device tunnel         TUN device and the two outer sockets report         lines on stdout main
 * one thread, one epoll, one timer: carries events between them
 *
 * An address appears on the access interface: the registration machine asks the home agent from
 * there. Accepted: the TUN device gets the home address and the routes, and packets flow. The
 * address changes: it asks again from the new place; the TUN device, its address and its routes
 * stay, so connections do not notice. The address lies in the home prefix: the home address goes
 * onto the access interface itself, everything is deregistered, the TUN device is emptied.
 *
 * A keepalive goes through a UDP tunnel at the interval that the home agent gave (RFC 3519 4.9).
 * When three of them in a row stay unanswered the NAT has lost or changed the mapping, and the node
 * registers again (RFC 3519 4.10).
 */
#include "pktgen/mobile_node/network.h"
#include "pktgen/mobile_node/options.h"
#include "pktgen/mobile_node/report.h"
#include "pktgen/mobile_node/tunnel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#define KEEPALIVE_RETRY    CLOCK_NS_PER_S
#define KEEPALIVE_ATTEMPTS 3
#define ONCE_TIMEOUT       (10 * CLOCK_NS_PER_S)
#define HOLD_MAX           (3 * CLOCK_NS_PER_S)

struct node {
	struct options options;
	struct registration registration;
	struct network network;
	struct tunnel tunnel;
	struct report report;
	int epoll, signals;
	bool address_at_home; /* the home address stands on the access interface, put there by us */
	be32 tun_address;     /* on the TUN device; 0 none */
	uint32_t tun_mtu;
	bool trusted, trust_known;
	monotonic keepalive_deadline, keepalive_sent, keepalive_interval;
	unsigned keepalive_attempt;
	monotonic request_sent, once_deadline;
	monotonic hold_deadline; /* until then packets wait in the TUN device's queue; CLOCK_NEVER:
				    not held */
	bool path_pending;       /* registered, nothing came through the tunnel yet */
	int exit_code;
	bool done;
};

static void problem(struct node *node, const char *what, int error)
{
	report_begin(&node->report, "problem");
	report_text(&node->report, "what", what);
	report_text(&node->report, "error", strerror(-error));
	report_end(&node->report);
}

static uint8_t home_prefix_length(const struct node *node)
{
	uint8_t length = node->options.registration.home_prefix.length;
	return length ? (uint8_t)(length - 96) : 32;
}

/* 0.0.0.0/0 goes in as two halves: more specific than the access network's default route, which
 * stays for our own sockets. */
static void routes_set(struct node *node, bool add)
{
	for (unsigned i = 0; i < node->options.route_count; i++) {
		struct ip_prefix p = node->options.routes[i];
		bool halves = p.length == 96;
		for (unsigned half = 0; half < (halves ? 2u : 1u); half++) {
			if (halves) {
				struct ip_address a = p.address;
				a.bytes[12] = half ? 0x80 : 0;
				p = ip_prefix_make(&a, 97);
			}
			int error = network_route_set(&node->network, add, node->tunnel.tun_ifindex,
				&p, node->registration.home_address);
			if (error)
				problem(node, add ? "add_route" : "remove_route", error);
		}
	}
}

/*
 * Between two places packets wait in the TUN device's queue instead of being read and dropped, but
 * not for long: what is older than a few seconds is better lost than late.
 */
static void tun_hold(struct node *node, bool hold)
{
	struct epoll_event event = {.events = hold ? 0 : EPOLLIN, .data.fd = node->tunnel.tun};

	if (hold == (node->hold_deadline != CLOCK_NEVER))
		return;
	node->hold_deadline = hold ? clock_read().monotonic_ns + HOLD_MAX : CLOCK_NEVER;
	epoll_ctl(node->epoll, EPOLL_CTL_MOD, node->tunnel.tun, &event);
}

static void tun_withdraw(struct node *node)
{
	tunnel_down(&node->tunnel);
	tun_hold(node, false);
	node->keepalive_deadline = CLOCK_NEVER;
	if (!node->tun_address)
		return;
	routes_set(node, false);
	network_address_set(&node->network, false, node->tunnel.tun_ifindex, node->tun_address, 32);
	node->tun_address = 0;
	node->tun_mtu = 0;
}

static void tun_provide(struct node *node, enum tunnel_form form)
{
	be32 home_address = node->registration.home_address;
	int error = 0;

	if (node->tun_mtu != tunnel_mtu(form)) {
		node->tun_mtu = tunnel_mtu(form);
		error = network_link_up(&node->network, node->tunnel.tun_ifindex, node->tun_mtu);
		if (error)
			problem(node, "tun_up", error);
	}
	if (node->tun_address == home_address)
		return;
	error = network_address_set(
		&node->network, true, node->tunnel.tun_ifindex, home_address, 32);
	if (error)
		problem(node, "tun_address", error);
	node->tun_address = home_address;
	routes_set(node, true);
}

static void home_address_leaves_access(struct node *node)
{
	if (!node->address_at_home)
		return;
	network_address_set(&node->network, false, node->network.access, node->network.ignored,
		home_prefix_length(node));
	node->network.ignored = 0;
	node->address_at_home = false;
}

/* RFC 5944 2.4, 4.6: at home the node uses its home address on the link like any host. */
static void home_address_enters_access(struct node *node)
{
	be32 home_address = node->registration.home_address;

	tun_withdraw(node);
	if (node->registration.care_of_address == home_address)
		return; /* the access network gave it to us */
	node->network.ignored = home_address;
	node->address_at_home = true;
	int error = network_address_set(
		&node->network, true, node->network.access, home_address, home_prefix_length(node));
	if (error)
		problem(node, "home_address", error);
}

static void registered(struct node *node, const struct registration_event *event)
{
	enum tunnel_form form = event->udp_tunnel ? TUNNEL_UDP : TUNNEL_IPIP;

	if (node->options.once) {
		node->exit_code = EXIT_SUCCESS;
		node->done = true;
		return;
	}
	if (form == TUNNEL_IPIP && node->tunnel.raw < 0) {
		problem(node, "ip_in_ip_needs_CAP_NET_RAW_at_start", -EPERM);
		return;
	}
	tunnel_up(&node->tunnel, form, event->home_address, event->care_of_address);
	tun_provide(node, form);
	tun_hold(node, false);
	node->keepalive_attempt = 0;
	node->path_pending = true;
	node->keepalive_deadline = CLOCK_NEVER;
	if (event->udp_tunnel) {
		uint16_t interval =
			node->options.keepalive_s ? node->options.keepalive_s : event->keepalive_s;
		node->keepalive_interval = interval * CLOCK_NS_PER_S;
		node->keepalive_deadline = 0; /* the first at once: it proves the path */
	}
}

static void report_registration(struct node *node, const struct registration_event *event)
{
	struct report *r = &node->report;
	bool outcome = event->type == REGISTRATION_EVENT_REGISTERED ||
		       event->type == REGISTRATION_EVENT_REFRESHED ||
		       event->type == REGISTRATION_EVENT_HOME;

	report_begin(r, registration_event_name(event->type));
	if (event->reason)
		report_text(r, "reason", event->reason);
	if (outcome || event->type == REGISTRATION_EVENT_DENIED ||
		event->type == REGISTRATION_EVENT_RESYNC)
		report_number(r, "code", event->code);
	if (outcome || event->type == REGISTRATION_EVENT_REQUEST)
		report_number(r, "lifetime", event->lifetime_s);
	report_address(r, "home_address", event->home_address);
	report_address(r, "care_of", event->care_of_address);
	if (event->type == REGISTRATION_EVENT_REQUEST)
		report_number(r, "attempt", event->attempt);
	if (outcome) {
		report_truth(r, "udp", event->udp_tunnel);
		if (event->udp_tunnel)
			report_number(r, "keepalive", event->keepalive_s);
		report_truth(r, "trusted", event->trusted);
		report_milliseconds(r, "took_ms", event->took_ns);
	}
	report_end(r);
}

/* RFC 5265 3.4: TNC in a reply means that the node is inside. Said once per change. */
static void trust_heard(struct node *node, bool trusted)
{
	if (node->trust_known && node->trusted == trusted)
		return;
	node->trust_known = true;
	node->trusted = trusted;
	report_begin(&node->report, "network");
	report_truth(&node->report, "trusted", trusted);
	report_end(&node->report);
}

static void registration_event(void *context, const struct registration_event *event)
{
	struct node *node = context;

	report_registration(node, event);
	switch (event->type) {
	case REGISTRATION_EVENT_REQUEST:
		if (event->attempt == 1)
			node->request_sent = clock_read().monotonic_ns;
		break;
	case REGISTRATION_EVENT_REGISTERED:
	case REGISTRATION_EVENT_REFRESHED:
		trust_heard(node, event->trusted);
		registered(node, event);
		break;
	case REGISTRATION_EVENT_DENIED:
		if (node->options.once)
			node->done = true;
		break;
	case REGISTRATION_EVENT_ARRIVED_HOME:
		home_address_enters_access(node);
		break;
	case REGISTRATION_EVENT_MOVED:
	case REGISTRATION_EVENT_LOST:
		home_address_leaves_access(node);
		node->trust_known = false;
		tunnel_expect(&node->tunnel, event->home_address, event->care_of_address);
		tun_hold(node, true);
		node->keepalive_deadline = CLOCK_NEVER;
		break;
	case REGISTRATION_EVENT_EXPIRED:
		tunnel_down(&node->tunnel);
		node->keepalive_deadline = CLOCK_NEVER;
		break;
	case REGISTRATION_EVENT_STOPPED:
		node->done = true;
		break;
	default:
		break;
	}
}

static void registration_send(void *context, const void *payload, size_t length, be32 source)
{
	struct node *node = context;
	int error = tunnel_signalling_send(&node->tunnel, payload, length, source);

	if (error)
		problem(node, "send_request", error);
}

static uint32_t random_word(void *context)
{
	uint32_t word = 0;

	if (getrandom(&word, sizeof(word), 0) != sizeof(word))
		abort(); /* without a random generator nothing here is safe */
	return word;
}

static void signalling_received(void *context, const void *payload, size_t length)
{
	struct node *node = context;

	registration_reply_received(&node->registration, clock_read(), payload, length);
}

static void keepalive_timer(struct node *node, struct clock_now now)
{
	if (now.monotonic_ns < node->keepalive_deadline)
		return;
	if (node->tunnel.form != TUNNEL_UDP) {
		node->keepalive_deadline = CLOCK_NEVER;
		return;
	}
	if (node->keepalive_attempt >= KEEPALIVE_ATTEMPTS) { // RFC 3519 4.10
		report_begin(&node->report, "keepalive_lost");
		report_address(&node->report, "care_of", node->registration.care_of_address);
		report_end(&node->report);
		node->keepalive_attempt = 0;
		node->keepalive_deadline = now.monotonic_ns + node->keepalive_interval;
		registration_refresh_wanted(&node->registration, now);
		return;
	}
	node->keepalive_attempt++;
	node->keepalive_sent = now.monotonic_ns;
	node->keepalive_deadline = now.monotonic_ns + KEEPALIVE_RETRY;
	tunnel_keepalive_send(&node->tunnel);
}

/* After packets came in: was the keepalive answered, is it the first on a new path? */
static void packets_received(struct node *node)
{
	struct clock_now now = clock_read();

	if (node->keepalive_attempt && node->tunnel.keepalive_answered) {
		node->keepalive_attempt = 0;
		node->keepalive_deadline = now.monotonic_ns + node->keepalive_interval;
	}
	if (node->path_pending && node->tunnel.first_packet) {
		node->path_pending = false;
		report_begin(&node->report, "path");
		report_address(&node->report, "care_of", node->tunnel.care_of_address);
		report_milliseconds(
			&node->report, "first_packet_ms", now.monotonic_ns - node->request_sent);
		report_end(&node->report);
	}
}

static void access_changed(struct node *node)
{
	struct clock_now now = clock_read();
	be32 before = node->registration.care_of_address;

	if (!network_changes_read(&node->network))
		return;
	bool route_changed = node->network.route_changed;
	node->network.route_changed = false;
	be32 care_of_address = network_care_of_address(&node->network);
	if (care_of_address != before)
		registration_care_of_changed(&node->registration, now, care_of_address);
	else if (route_changed)
		registration_route_changed(&node->registration, now);
}

static void signal_received(struct node *node)
{
	struct signalfd_siginfo info;

	while (read(node->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1) {
			registration_refresh_wanted(&node->registration, clock_read());
		} else if (node->registration.state == REGISTRATION_STOPPING) {
			node->done = true; /* asked twice */
		} else {
			registration_stop_wanted(&node->registration, clock_read());
		}
	}
}

static int loop_timeout_ms(const struct node *node)
{
	monotonic deadline = registration_deadline(&node->registration);
	uint64_t now = clock_read().monotonic_ns;

	if (node->keepalive_deadline < deadline)
		deadline = node->keepalive_deadline;
	if (node->once_deadline < deadline)
		deadline = node->once_deadline;
	if (node->hold_deadline < deadline)
		deadline = node->hold_deadline;
	if (deadline == CLOCK_NEVER)
		return -1;
	if (deadline <= now)
		return 0;
	uint64_t ms = (deadline - now + 999999) / 1000000;
	return ms > 3600000 ? 3600000 : (int)ms;
}

static void loop_timers(struct node *node)
{
	struct clock_now now = clock_read();

	registration_timer(&node->registration, now);
	keepalive_timer(node, now);
	if (now.monotonic_ns >= node->once_deadline)
		node->done = true;
	if (now.monotonic_ns >= node->hold_deadline)
		tun_hold(node, false);
}

static void loop_run(struct node *node)
{
	while (!node->done) {
		struct epoll_event events[8];
		int count = epoll_wait(node->epoll, events, 8, loop_timeout_ms(node));

		for (int i = 0; i < count && !node->done; i++) {
			int fd = events[i].data.fd;
			if (fd == node->signals) {
				signal_received(node);
			} else if (fd == network_fd(&node->network)) {
				access_changed(node);
			} else if (fd == node->tunnel.tun) {
				tunnel_tun_readable(&node->tunnel);
			} else {
				/* The reply before the packets that follow it on the other socket.
				 */
				tunnel_udp_readable(&node->tunnel);
				if (fd == node->tunnel.raw)
					tunnel_raw_readable(&node->tunnel);
				packets_received(node);
			}
		}
		if (!node->done)
			loop_timers(node);
	}
}

static bool loop_watch(struct node *node)
{
	const int fds[] = {node->signals, network_fd(&node->network), node->tunnel.tun,
		node->tunnel.udp, node->tunnel.raw};

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
		if (fds[i] >= 0 && epoll_ctl(node->epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return false;
	}
	return true;
}

/* From here on the process can configure its interfaces and nothing else that root could. */
static int privileges_drop(void)
{
	const cap_value_t kept[] = {CAP_NET_ADMIN};
	cap_t capabilities = cap_init();
	int error = 0;

	if (!capabilities || cap_set_flag(capabilities, CAP_PERMITTED, 1, kept, CAP_SET) < 0 ||
		cap_set_flag(capabilities, CAP_EFFECTIVE, 1, kept, CAP_SET) < 0 ||
		cap_set_proc(capabilities) < 0)
		error = -errno;
	if (capabilities)
		cap_free(capabilities);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the key stays out of core files */
	return error;
}

static int failed(const char *what, int error)
{
	fprintf(stderr, "homeport-mobile-node: %s: %s%s\n", what, strerror(-error),
		error == -EPERM || error == -EACCES ? " (needs CAP_NET_ADMIN)" : "");
	return error == -EPERM || error == -EACCES ? EX_NOPERM : EX_OSERR;
}

/* Strict reverse path filtering throws away what the home agent sends once routes point into the
 * tunnel. */
static void reverse_path_filter_check(struct node *node)
{
	const char *const names[] = {"all", node->options.access};
	int strictest = 0;

	for (unsigned i = 0; i < 2; i++) {
		char path[128];
		int value = 0;
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", names[i]);
		FILE *file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%d", &value) == 1 && value > strictest)
			strictest = value;
		fclose(file);
	}
	if (strictest == 1)
		problem(node, "rp_filter_is_strict_on_the_access_interface:_set_it_to_2", -EXDEV);
}

static int node_open(struct node *node)
{
	const char *what;
	sigset_t signals;
	int access = (int)if_nametoindex(node->options.access);

	if (access == 0) {
		fprintf(stderr, "homeport-mobile-node: --access %s: no such interface\n",
			node->options.access);
		return EX_UNAVAILABLE;
	}
	int error = tunnel_open(
		&node->tunnel, node->options.tun, node->options.access, node->options.port, &what);
	if (error)
		return failed(what, error);
	error = network_open(&node->network, access);
	if (error)
		return failed("rtnetlink", error);
	error = privileges_drop();
	if (error)
		return failed("dropping privileges", error);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	node->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	node->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (node->signals < 0 || node->epoll < 0 || !loop_watch(node))
		return failed("epoll", -errno);
	return 0;
}

static void summary(struct node *node)
{
	struct report *r = &node->report;

	report_begin(r, "exit");
	report_number(r, "sent", node->tunnel.sent);
	report_number(r, "received", node->tunnel.received);
	for (unsigned i = 0; i < TUNNEL_DROP_COUNT; i++) {
		if (!node->tunnel.dropped[i])
			continue;
		char key[40];
		snprintf(key, sizeof(key), "dropped_%s", tunnel_drop_name((enum tunnel_drop)i));
		report_number(r, key, node->tunnel.dropped[i]);
	}
	report_end(r);
}

int main(int argc, char **argv)
{
	static struct node node = {.keepalive_deadline = CLOCK_NEVER,
		.once_deadline = CLOCK_NEVER,
		.hold_deadline = CLOCK_NEVER};
	const struct registration_output output = {
		.context = &node,
		.send = registration_send,
		.event = registration_event,
		.random = random_word,
	};
	int code = options_read(&node.options, argc, argv);

	if (code >= 0)
		return code;
	node.report.json = node.options.json;
	code = node_open(&node);
	if (code)
		return code;
	node.tunnel.home_agent = node.options.registration.home_agent;
	node.tunnel.keepalive_identifier = (uint16_t)random_word(&node);
	node.tunnel.context = &node;
	node.tunnel.signalling = signalling_received;
	if (node.options.once) {
		node.exit_code = EXIT_FAILURE;
		node.once_deadline = clock_read().monotonic_ns + ONCE_TIMEOUT;
	} else {
		reverse_path_filter_check(&node);
	}
	registration_init(&node.registration, &node.options.registration, &output);
	secret_wipe(&node.options.registration.key, sizeof(node.options.registration.key));
	registration_care_of_changed(
		&node.registration, clock_read(), network_care_of_address(&node.network));
	loop_run(&node);

	tun_withdraw(&node);
	home_address_leaves_access(&node);
	summary(&node);
	registration_fini(&node.registration);
	network_close(&node.network);
	tunnel_close(&node.tunnel);
	return node.exit_code;
}
