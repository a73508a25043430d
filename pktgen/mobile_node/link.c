#include "pktgen/mobile_node/link.h"

#include "lib/wire/mip4.h"
#include "lib/wire/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

/* Not a fragment, and UDP to port 434 or ICMP of types 9 and 10. */
static int filter_attach(int fd)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET, 9,
			0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IP_PROTOCOL_ICMP, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IP_PROTOCOL_UDP, 0, 5),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MIP4_PORT, 4, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ROUTER_ADVERTISEMENT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ROUTER_SOLICITATION, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, LINK_PACKET_MAX),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

int link_open(struct link *link, const char *interface)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};

	link->fd = -1;
	link->ifindex = (int)if_nametoindex(interface);
	if (!link->ifindex) /* 0 would be all interfaces */
		return -ENODEV;
	address.sll_ifindex = link->ifindex;
	/* Protocol 0: nothing comes in before the filter is there. */
	link->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return -errno;
	int error = filter_attach(link->fd);
	if (!error && bind(link->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		error = -errno;
	if (error)
		link_close(link);
	return error;
}

void link_close(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

int link_send(const struct link *link, const uint8_t mac[6], const void *packet, size_t length)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = link->ifindex,
		.sll_halen = 6};

	memcpy(to.sll_addr, mac, 6);
	return sendto(link->fd, packet, length, 0, (const struct sockaddr *)&to, sizeof(to)) < 0
		       ? -errno
		       : 0;
}

int link_icmp_send(const struct link *link, be32 source, const uint8_t *mac, be32 destination,
	const void *message, size_t length)
{
	uint32_t group = ntohl(destination) & 0x7fffff; // RFC 1112 6.4
	const uint8_t group_mac[6] = {
		0x01, 0x00, 0x5e, (uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
	uint8_t packet[LINK_PACKET_MAX];
	struct writer w = writer_make(packet, sizeof(packet));
	const struct ipv4_header ip = {
		.total_length = (uint16_t)(IPV4_HEADER_SIZE + length),
		.ttl = 1, // RFC 5944 2.3, 2.4
		.protocol = IP_PROTOCOL_ICMP,
		.source = source,
		.destination = destination,
	};

	ipv4_write(&w, &ip);
	writer_bytes(&w, message, length);
	return w.overflow ? -EMSGSIZE
			  : link_send(link, mac ? mac : group_mac, packet, writer_length(&w));
}

int link_udp_send(const struct link *link, const uint8_t mac[6], const struct ipv4_header *ip,
	const uint16_t ports[2], const void *payload, size_t length)
{
	uint8_t packet[LINK_PACKET_MAX];
	struct writer w = writer_make(packet, sizeof(packet));
	struct ipv4_header header = *ip;

	header.protocol = IP_PROTOCOL_UDP;
	header.total_length = (uint16_t)(IPV4_HEADER_SIZE + UDP_HEADER_SIZE + length);
	ipv4_write(&w, &header);
	udp_write_v4(
		&w, ip->source, ip->destination, ports[0], ports[1], payload, (uint16_t)length);
	return w.overflow ? -EMSGSIZE : link_send(link, mac, packet, writer_length(&w));
}

bool link_receive(const struct link *link, struct link_packet *packet)
{
	for (;;) {
		struct sockaddr_ll from = {0};
		socklen_t from_length = sizeof(from);
		ssize_t got = recvfrom(link->fd, packet->data, sizeof(packet->data), 0,
			(struct sockaddr *)&from, &from_length);
		if (got < 0 && errno != EINTR)
			return false; /* EAGAIN, or the link is down: told again when it is up */
		if (got <= 0 || ipv4_parse(&packet->ip, packet->data, (size_t)got) != IPV4_OK)
			continue;
		memcpy(packet->source_mac, from.sll_addr, 6);
		return true;
	}
}
