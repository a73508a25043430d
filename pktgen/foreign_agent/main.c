/*
 * homeport-foreign-agent: a Mobile IPv4 foreign agent in user space, for tests and benches (RFC
 * 5944 3.7, RFC 3024 with direct delivery).
 *
 *   options    the command line
 *   visitors   the visitor list: what a registration message means; no sockets, no clock
 *   main       one thread, one epoll, one timer: carries messages and packets
 *
 * It advertises itself on the link and answers solicitations. Requests come in by their hardware
 * address (mobile_node/link) and leave for the home agent from the care-of address; replies go back
 * by the hardware address that the request came from. Once the home agent has accepted, the kernel
 * is told three things about the visitor: its neighbour entry, the route to it on the link, and
 * that what it sends goes to the TUN device. IP-in-IP that comes for a visitor is taken off and
 * written to the TUN device, so the kernel forwards it; what a visitor sends is read from there and
 * put into IP-in-IP to its home agent. Without a reverse tunnel its packets are forwarded as they
 * are.
 */
#include "lib/wire/udp.h"
#include "pktgen/foreign_agent/options.h"
#include "pktgen/mobile_node/link.h"
#include "pktgen/mobile_node/network.h"
#include "pktgen/mobile_node/outside.h"
#include "pktgen/mobile_node/privileges.h"
#include "pktgen/mobile_node/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#define PACKETS_AT_ONCE 64
#define TUN_MTU         1480        /* an access MTU of 1500 less the tunnel's header */
#define ALL_SYSTEMS     0xe0000001u // 224.0.0.1

static struct foreign_agent {
	struct options options;
	struct visitors visitors;
	struct network network;
	struct report report;
	struct link link;
	int udp, ipip, tun, tun_ifindex, signals, epoll;
	uint16_t sequence;
	monotonic advertise_at;
	uint64_t to_visitors, from_visitors, discarded, failed;
	bool done;
} agent = {.link.fd = -1};

/* ---- the kernel's part */

static void count_failure(int error)
{
	agent.failed += error != 0;
}

static void visitor_set(const struct visitor *visitor, bool add)
{
	struct ip_address a = ip_address_from_v4(visitor->home_address);
	struct ip_prefix host = ip_prefix_make(&a, 128);
	struct network *network = &agent.network;

	count_failure(network_neighbor_set(
		network, add, agent.link.ifindex, visitor->home_address, visitor->mac));
	count_failure(network_route_set(network, add, agent.link.ifindex, &host, 0));
	if (visitor->reverse_tunnel)
		count_failure(network_rule_set(network, add, agent.options.access,
			visitor->home_address, agent.options.table));
}

static bool is_same(const struct visitor *a, const struct visitor *b)
{
	return a->home_address == b->home_address && a->reverse_tunnel == b->reverse_tunnel &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

static void visitor_changed(const struct visitor *before, const struct visitor *after)
{
	if (is_same(before, after))
		return;
	if (before->home_address)
		visitor_set(before, false);
	if (after->home_address)
		visitor_set(after, true);
	report_begin(&agent.report, after->home_address ? "visitor" : "visitor_gone");
	report_address(&agent.report, "home_address",
		after->home_address ? after->home_address : before->home_address);
	report_end(&agent.report);
}

/* ---- messages */

static void answer_act(const struct visitors_answer *answer)
{
	const struct iovec parts[2] = {{(void *)answer->payload, answer->length}, {NULL, 0}};
	be32 care_of = agent.options.visitors.care_of_address;
	be32 asked = answer->sender.destination;
	/* RFC 5944 3.7.2.3: from the address that was asked, unless that was a group's. */
	bool group = IN_MULTICAST(ntohl(asked)) || asked == INADDR_BROADCAST;
	const struct ipv4_header ip = {.ttl = 64,
		.source = group ? agent.options.visitors.link_address : asked,
		.destination = answer->home_address};
	const uint16_t ports[2] = {MIP4_PORT, answer->sender.port};

	visitor_changed(&answer->before, &answer->after);
	if (answer->verdict == VISITORS_TO_HOME_AGENT)
		count_failure(
			outside_send(agent.udp, care_of, 0, answer->home_agent, MIP4_PORT, parts));
	if (answer->verdict != VISITORS_TO_NODE)
		return;
	count_failure(link_udp_send(
		&agent.link, answer->sender.mac, &ip, ports, answer->payload, answer->length));
	report_begin(&agent.report, "reply");
	report_address(&agent.report, "home_address", answer->home_address);
	report_number(&agent.report, "code", answer->code);
	report_end(&agent.report);
}

static void advertise(const uint8_t *mac, be32 destination)
{
	uint8_t message[128];
	struct writer w = writer_make(message, sizeof(message));
	const struct options *o = &agent.options;
	const struct icmp_agent_advertisement advertisement = {
		.router_lifetime_s = (uint16_t)(3 * o->advertise_s),
		.routers = &o->visitors.link_address,
		.router_count = 1,
		.sequence = agent.sequence,
		.registration_lifetime_s = o->visitors.lifetime_max_s,
		.flags = (uint16_t)(ICMP_AGENT_F | ICMP_AGENT_T | (o->busy ? ICMP_AGENT_B : 0)),
		.care_of_address = o->visitors.care_of_address,
	};

	icmp_agent_advertisement_write(&w, &advertisement);
	agent.sequence = icmp_agent_sequence_next(agent.sequence);
	count_failure(link_icmp_send(&agent.link, o->visitors.link_address, mac,
		mac ? destination : htonl(ALL_SYSTEMS), message, writer_length(&w)));
}

static void link_received(const struct link_packet *packet, monotonic now)
{
	static struct visitors_answer answer;
	struct icmp_message icmp;
	struct udp_datagram udp;
	const struct ipv4_header *ip = &packet->ip;

	if (ip->protocol == IP_PROTOCOL_ICMP) {
		if (icmp_parse(&icmp, ip->payload, ip->payload_length) &&
			icmp.type == ICMP_ROUTER_SOLICITATION && ip->source)
			advertise(packet->source_mac, ip->source);
		return;
	}
	/* What is relayed through this router is not for its port 434. */
	bool ours = ip->destination == agent.options.visitors.link_address ||
		    ip->destination == agent.options.visitors.care_of_address ||
		    IN_MULTICAST(ntohl(ip->destination)) || ip->destination == INADDR_BROADCAST;
	if (!ours || udp_parse_v4(&udp, ip) != UDP_OK)
		return;
	struct visitors_sender sender = {.ttl = ip->ttl,
		.source = ip->source,
		.destination = ip->destination,
		.port = udp.source_port};
	memcpy(sender.mac, packet->source_mac, sizeof(sender.mac));
	visitors_request(&agent.visitors, now, &sender, udp.payload, udp.payload_length, &answer);
	answer_act(&answer);
}

static void link_readable(void)
{
	static struct link_packet packet;

	for (unsigned i = 0; i < PACKETS_AT_ONCE && link_receive(&agent.link, &packet); i++)
		link_received(&packet, clock_read().monotonic_ns);
}

/* Replies. Requests arrive here as well, and were taken from the link already. */
static void udp_readable(void)
{
	static struct visitors_answer answer;
	uint8_t payload[2048];

	for (unsigned i = 0; i < PACKETS_AT_ONCE; i++) {
		struct sockaddr_in from = {0};
		socklen_t size = sizeof(from);
		ssize_t got = recvfrom(
			agent.udp, payload, sizeof(payload), 0, (struct sockaddr *)&from, &size);
		if (got < 0)
			return;
		visitors_reply(&agent.visitors, clock_read().monotonic_ns, from.sin_addr.s_addr,
			payload, (size_t)got, &answer);
		answer_act(&answer);
	}
}

/* ---- packets */

static void ipip_readable(void)
{
	static uint8_t packet[65536];

	for (unsigned i = 0; i < PACKETS_AT_ONCE; i++) {
		struct ipv4_header outer, inner;
		ssize_t got = read(agent.ipip, packet, sizeof(packet));
		if (got < 0)
			return;
		const struct visitor *visitor = NULL;
		if (ipv4_parse(&outer, packet, (size_t)got) == IPV4_OK &&
			ipv4_parse(&inner, outer.payload, outer.payload_length) == IPV4_OK)
			visitor = visitors_lookup(&agent.visitors, inner.destination);
		if (!visitor || visitor->home_agent != outer.source) {
			agent.discarded++; // RFC 5944 4.2.2: for no visitor of ours
			continue;
		}
		agent.to_visitors++;
		count_failure(write(agent.tun, outer.payload, inner.total_length) < 0);
	}
}

static void tun_readable(void)
{
	static uint8_t packet[65536];

	for (unsigned i = 0; i < PACKETS_AT_ONCE; i++) {
		struct ipv4_header inner;
		ssize_t got = read(agent.tun, packet, sizeof(packet));
		if (got <= 0)
			return;
		const struct visitor *visitor = NULL;
		if (ipv4_parse(&inner, packet, (size_t)got) == IPV4_OK)
			visitor = visitors_lookup(&agent.visitors, inner.source);
		if (!visitor || !visitor->reverse_tunnel) {
			agent.discarded++;
			continue;
		}
		const struct iovec parts[2] = {{NULL, 0}, {packet, (size_t)got}};
		agent.from_visitors++;
		count_failure(outside_send(agent.ipip, agent.options.visitors.care_of_address, 0,
			visitor->home_agent, 0, parts));
	}
}

/* ---- the loop */

static void timers(void)
{
	static struct visitors_answer answer;
	monotonic now = clock_read().monotonic_ns;

	while (visitors_timer(&agent.visitors, now, &answer))
		answer_act(&answer);
	if (now >= agent.advertise_at) {
		advertise(NULL, 0);
		agent.advertise_at = now + agent.options.advertise_s * CLOCK_NS_PER_S;
	}
}

static int timeout_ms(void)
{
	monotonic now = clock_read().monotonic_ns;
	monotonic deadline = visitors_deadline(&agent.visitors);

	if (agent.advertise_at < deadline)
		deadline = agent.advertise_at;
	return deadline <= now ? 0 : (int)((deadline - now + 999999) / 1000000);
}

static void dispatch(int fd)
{
	if (fd == agent.signals)
		agent.done = true;
	else if (fd == agent.link.fd)
		link_readable();
	else if (fd == agent.udp)
		udp_readable();
	else if (fd == agent.ipip)
		ipip_readable();
	else
		tun_readable();
}

static void loop_run(void)
{
	while (!agent.done) {
		struct epoll_event events[8];
		int count = epoll_wait(agent.epoll, events, 8, timeout_ms());

		for (int i = 0; i < count; i++)
			dispatch(events[i].data.fd);
		timers();
	}
}

/* ---- start and end */

static int sockets_open(const char **what)
{
	const struct options *o = &agent.options;
	const struct ip_prefix none = {.length = 0};
	char made[IF_NAMESIZE];
	int error;

	*what = "packet socket on the access interface";
	error = link_open(&agent.link, o->access);
	*what = error ? *what : "UDP port 434";
	agent.udp = error ? error : outside_udp_open(NULL, MIP4_PORT);
	*what = agent.udp < 0 ? *what : "IP-in-IP socket";
	agent.ipip = agent.udp < 0 ? agent.udp : outside_ipip_open(NULL);
	*what = agent.ipip < 0 ? *what : "TUN device";
	agent.tun =
		agent.ipip < 0 ? agent.ipip : outside_tun_open(o->tun, made, &agent.tun_ifindex);
	if (agent.tun < 0)
		return agent.tun;
	*what = "rtnetlink";
	error = network_open(&agent.network, agent.link.ifindex, &none);
	if (!error)
		error = network_link_up(&agent.network, agent.tun_ifindex, TUN_MTU);
	return error ? error : network_table_set(&agent.network, true, agent.tun_ifindex, o->table);
}

static int loop_watch(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	agent.signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	agent.epoll = epoll_create1(EPOLL_CLOEXEC);
	const int fds[] = {agent.signals, agent.link.fd, agent.udp, agent.ipip, agent.tun};
	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
		if (epoll_ctl(agent.epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return -errno;
	}
	return 0;
}

static void end(void)
{
	static const struct visitor nobody;

	for (unsigned i = 0; i < VISITORS_MAX; i++)
		if (agent.visitors.list[i].home_address)
			visitor_changed(&agent.visitors.list[i], &nobody);
	network_table_set(&agent.network, false, agent.tun_ifindex, agent.options.table);
	report_begin(&agent.report, "exit");
	report_number(&agent.report, "to_visitors", agent.to_visitors);
	report_number(&agent.report, "from_visitors", agent.from_visitors);
	report_number(&agent.report, "discarded", agent.discarded);
	report_number(&agent.report, "failed", agent.failed);
	report_end(&agent.report);
}

int main(int argc, char **argv)
{
	const char *what;
	int code = options_read(&agent.options, argc, argv);

	if (code >= 0)
		return code;
	int error = sockets_open(&what);
	if (!error) {
		what = "dropping privileges";
		error = privileges_drop();
	}
	if (!error) {
		what = "epoll";
		error = loop_watch();
	}
	if (error) {
		fprintf(stderr, "homeport-foreign-agent: %s: %s\n", what, strerror(-error));
		return error == -EPERM || error == -EACCES ? EX_NOPERM : EX_OSERR;
	}
	agent.report.json = agent.options.json;
	visitors_init(&agent.visitors, &agent.options.visitors);
	loop_run();
	end();
	return 0;
}
