#include "pktgen/mobile_node/tunnel.h"

#include "lib/wire/icmp.h"
#include "lib/wire/mip4.h"
#include "lib/wire/tunnel.h"
#include "pktgen/mobile_node/outside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKETS_AT_ONCE 64
#define PACKET_SIZE_MAX 65535

int tunnel_open(struct tunnel *tunnel, const char *tun_name, const char *access, uint16_t port,
	bool vpn, const char **what)
{
	memset(tunnel, 0, sizeof(*tunnel));
	tunnel->access_ifindex = vpn ? (int)if_nametoindex(access) : 0;
	access = vpn ? NULL : access;
	tunnel->tun = tunnel->udp = tunnel->raw = -1;
	*what = "UDP socket on the access interface";
	tunnel->udp = outside_udp_open(access, port);
	int error = tunnel->udp < 0 ? tunnel->udp : 0;
	if (error == 0) {
		*what = "IP-in-IP socket on the access interface";
		tunnel->raw = outside_ipip_open(access);
		error = tunnel->raw < 0 && tunnel->raw != -EPERM ? tunnel->raw : 0;
	}
	if (error == 0) {
		*what = "TUN device";
		tunnel->tun = outside_tun_open(tun_name, tunnel->tun_name, &tunnel->tun_ifindex);
		error = tunnel->tun < 0 ? tunnel->tun : 0;
	}
	if (error)
		tunnel_close(tunnel);
	return error;
}

void tunnel_close(struct tunnel *tunnel)
{
	int *const fds[] = {&tunnel->tun, &tunnel->udp, &tunnel->raw};

	for (unsigned i = 0; i < 3; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* One datagram to the home agent from a chosen source address, in up to two parts. */
static int outer_send(const struct tunnel *tunnel, int fd, be32 source, uint16_t port,
	const struct iovec parts[2])
{
	int ifindex = source == tunnel->inner_address ? 0 : tunnel->access_ifindex;

	return outside_send(fd, source, ifindex, tunnel->home_agent, port, parts);
}

/* RFC 5944 3.6.1.1, RFC 3024 4.1.1: from the home address, TTL 255, by the hardware address that
 * the agent's advertisement came from. */
static int agent_signalling_send(const struct tunnel *tunnel, const void *payload, size_t length)
{
	struct sockaddr_in local = {0};
	socklen_t size = sizeof(local);
	const struct ipv4_header ip = {
		.ttl = 255, .source = tunnel->home_address, .destination = tunnel->agent->address};

	if (getsockname(tunnel->udp, (struct sockaddr *)&local, &size) < 0)
		return -errno;
	const uint16_t ports[2] = {ntohs(local.sin_port), MIP4_PORT};
	return link_udp_send(tunnel->link, tunnel->agent->mac, &ip, ports, payload, length);
}

static bool is_agents(const struct tunnel *tunnel, be32 care_of_address)
{
	return tunnel->agent && care_of_address &&
	       care_of_address == tunnel->agent->care_of_address;
}

int tunnel_signalling_send(struct tunnel *tunnel, const void *payload, size_t length, be32 source)
{
	const struct iovec parts[2] = {{(void *)payload, length}, {NULL, 0}};

	if (is_agents(tunnel, source))
		return agent_signalling_send(tunnel, payload, length);
	return outer_send(tunnel, tunnel->udp, source, MIP4_PORT, parts);
}

void tunnel_up(
	struct tunnel *tunnel, enum tunnel_form form, be32 home_address, be32 care_of_address)
{
	tunnel->form = form;
	tunnel->expecting = false;
	tunnel->home_address = home_address;
	tunnel->care_of_address = care_of_address;
	tunnel->keepalive_answered = true;
	tunnel->first_packet = false;
}

void tunnel_down(struct tunnel *tunnel)
{
	tunnel->form = TUNNEL_DOWN;
	tunnel->expecting = false;
}

void tunnel_expect(struct tunnel *tunnel, be32 home_address, be32 care_of_address)
{
	tunnel->form = TUNNEL_DOWN;
	tunnel->expecting = true;
	tunnel->home_address = home_address;
	tunnel->care_of_address = care_of_address;
}

/*
 * Either form while there is a tunnel or soon will be one: what the home agent sent to the last
 * place just before a move is still good.
 */
static bool inbound_open(const struct tunnel *tunnel)
{
	return tunnel->form != TUNNEL_DOWN || tunnel->expecting;
}

static void inner_send(struct tunnel *tunnel, const uint8_t *packet, size_t length)
{
	static const uint8_t header[TUNNEL_MIP_SIZE] = {MIP4_TUNNEL_DATA, IP_PROTOCOL_IPV4, 0, 0};
	struct iovec parts[2] = {{(void *)header, sizeof(header)}, {(void *)packet, length}};
	int fd = tunnel->udp;
	uint16_t port = MIP4_PORT;

	int error;

	if (tunnel->form == TUNNEL_IPIP) {
		parts[0].iov_len = 0;
		fd = tunnel->raw;
		port = 0;
	}
	if (tunnel->form == TUNNEL_AGENT)
		error = link_send(tunnel->link, tunnel->agent->mac, packet, length);
	else
		error = outer_send(tunnel, fd, tunnel->care_of_address, port, parts);
	if (error)
		tunnel->dropped[TUNNEL_DROP_SEND]++;
	else
		tunnel->sent++;
}

void tunnel_keepalive_send(struct tunnel *tunnel)
{
	uint8_t packet[IPV4_HEADER_SIZE + ICMP_HEADER_SIZE + 8] = {0};
	struct writer w = writer_make(packet, sizeof(packet));
	const struct ipv4_header ip = {
		.total_length = sizeof(packet),
		.ttl = 64,
		.protocol = IP_PROTOCOL_ICMP,
		.source = tunnel->home_address,
		.destination = tunnel->home_agent,
	};
	uint8_t data[8] = "homeport";

	if (tunnel->form == TUNNEL_DOWN)
		return;
	tunnel->keepalive_sequence++;
	tunnel->keepalive_answered = false;
	const struct icmp_message echo = {
		.type = ICMP_ECHO_REQUEST,
		.rest = (uint32_t)tunnel->keepalive_identifier << 16 | tunnel->keepalive_sequence,
		.data = data,
		.data_length = sizeof(data),
	};
	ipv4_write(&w, &ip);
	icmp_write(&w, &echo);
	inner_send(tunnel, packet, writer_length(&w));
}

/* Our own keepalive's answer ends here; every other echo reply is the host's. */
static bool keepalive_reply(struct tunnel *tunnel, const struct ipv4_header *ip)
{
	struct icmp_message icmp;

	if (ip->protocol != IP_PROTOCOL_ICMP || ip->source != tunnel->home_agent ||
		!icmp_parse(&icmp, ip->payload, ip->payload_length) ||
		icmp.type != ICMP_ECHO_REPLY || icmp.rest >> 16 != tunnel->keepalive_identifier)
		return false;
	/* A repeated one may be answered late: the path is there all the same. */
	if ((uint16_t)(tunnel->keepalive_sequence - (uint16_t)icmp.rest) < 3)
		tunnel->keepalive_answered = true;
	return true;
}

static void inner_received(struct tunnel *tunnel, const uint8_t *packet, size_t length)
{
	struct ipv4_header ip;

	if (ipv4_parse(&ip, packet, length) != IPV4_OK) {
		tunnel->dropped[TUNNEL_DROP_INNER]++;
		return;
	}
	if (ip.destination != tunnel->home_address) {
		tunnel->dropped[TUNNEL_DROP_DESTINATION]++;
		return;
	}
	tunnel->received++;
	tunnel->first_packet = true;
	if (!keepalive_reply(tunnel, &ip) && write(tunnel->tun, packet, ip.total_length) < 0)
		tunnel->dropped[TUNNEL_DROP_SEND]++;
}

void tunnel_tun_readable(struct tunnel *tunnel)
{
	static uint8_t packet[PACKET_SIZE_MAX];

	for (unsigned i = 0; i < PACKETS_AT_ONCE; i++) {
		struct ipv4_header ip;
		ssize_t got = read(tunnel->tun, packet, sizeof(packet));
		if (got <= 0)
			return;
		if (tunnel->form == TUNNEL_DOWN)
			tunnel->dropped[TUNNEL_DROP_NOT_UP]++;
		else if (ipv4_parse(&ip, packet, (size_t)got) != IPV4_OK ||
			 ip.source != tunnel->home_address)
			tunnel->dropped[TUNNEL_DROP_SOURCE]++;
		else
			inner_send(tunnel, packet, (size_t)got);
	}
}

static void udp_received(struct tunnel *tunnel, const struct sockaddr_in *from,
	const uint8_t *payload, size_t length)
{
	struct tunnel_mip data;
	bool home = from->sin_addr.s_addr == tunnel->home_agent;
	bool foreign = tunnel->agent && tunnel->agent->address &&
		       from->sin_addr.s_addr == tunnel->agent->address;

	if ((!home && !foreign) || from->sin_port != htons(MIP4_PORT)) {
		tunnel->dropped[TUNNEL_DROP_NOT_AGENT]++;
		return;
	}
	if (length < 1 || payload[0] != MIP4_TUNNEL_DATA) {
		tunnel->signalling(tunnel->context, payload, length);
		return;
	}
	if (!home || !inbound_open(tunnel) || !tunnel_mip_parse(&data, payload, length) ||
		data.next_header != IP_PROTOCOL_IPV4) {
		tunnel->dropped[TUNNEL_DROP_FORM]++;
		return;
	}
	inner_received(tunnel, data.packet, data.packet_length);
}

void tunnel_udp_readable(struct tunnel *tunnel)
{
	static uint8_t payload[PACKET_SIZE_MAX];

	for (unsigned i = 0; i < PACKETS_AT_ONCE; i++) {
		struct sockaddr_in from = {0};
		socklen_t from_length = sizeof(from);
		ssize_t got = recvfrom(tunnel->udp, payload, sizeof(payload), 0,
			(struct sockaddr *)&from, &from_length);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			continue; /* an ICMP error about something we sent: the next call reads on
				   */
		if (got < 0)
			return;
		udp_received(tunnel, &from, payload, (size_t)got);
	}
}

void tunnel_raw_readable(struct tunnel *tunnel)
{
	static uint8_t packet[PACKET_SIZE_MAX];

	for (unsigned i = 0; i < PACKETS_AT_ONCE; i++) {
		struct ipv4_header outer;
		ssize_t got = read(tunnel->raw, packet, sizeof(packet));
		if (got < 0)
			return;
		if (ipv4_parse(&outer, packet, (size_t)got) != IPV4_OK ||
			outer.source != tunnel->home_agent)
			tunnel->dropped[TUNNEL_DROP_NOT_AGENT]++;
		else if (!inbound_open(tunnel))
			tunnel->dropped[TUNNEL_DROP_FORM]++;
		else
			inner_received(tunnel, outer.payload, outer.payload_length);
	}
}

uint32_t tunnel_mtu(enum tunnel_form form)
{
	return 1500 - (form == TUNNEL_UDP ? TUNNEL_OVERHEAD_UDP : TUNNEL_OVERHEAD_IPIP);
}

const char *tunnel_drop_name(enum tunnel_drop drop)
{
	static const char *const names[TUNNEL_DROP_COUNT] = {
		"not_up", "source", "send", "not_agent", "form", "inner", "destination"};
	return names[drop];
}
