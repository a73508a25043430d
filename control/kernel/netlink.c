#include "control/kernel/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define RECEIVE_BUFFER_SIZE (64 * 1024)
#define SOCKET_BUFFER_SIZE  (8 * 1024 * 1024)

struct netlink {
	struct netlink_callbacks callbacks;
	struct mnl_socket *socket;
	uint32_t sequence;
	uint32_t dump_sequence; /* 0 = none under way */
	bool dump_interrupted;
	_Alignas(8) char buffer[RECEIVE_BUFFER_SIZE];
};

static int subscribe(struct mnl_socket *socket)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEIGH};
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];
		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
			return -errno;
	}
	return 0;
}

int netlink_new(const struct netlink_callbacks *callbacks, struct netlink **out)
{
	struct netlink *netlink = calloc(1, sizeof(*netlink));
	if (!netlink)
		return -ENOMEM;
	netlink->callbacks = *callbacks;
	netlink->sequence = (uint32_t)time(NULL);
	netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int error = netlink->socket ? 0 : -errno;
	if (!error && mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID))
		error = -errno;
	if (!error) {
		int size = SOCKET_BUFFER_SIZE, fd = mnl_socket_get_fd(netlink->socket);
		// Without CAP_NET_ADMIN the plain one applies, up to rmem_max; ENOBUFS is handled
		// anyway.
		if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		error = subscribe(netlink->socket);
	}
	if (error) {
		netlink_free(netlink);
		return error;
	}
	*out = netlink;
	return 0;
}

void netlink_free(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	free(netlink);
}

int netlink_fd(const struct netlink *netlink)
{
	return mnl_socket_get_fd(netlink->socket);
}

static int transmit(struct netlink *netlink, struct nlmsghdr *message)
{
	if (!++netlink->sequence)
		netlink->sequence = 1;
	message->nlmsg_seq = netlink->sequence;
	return mnl_socket_sendto(netlink->socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

int netlink_dump(struct netlink *netlink, uint16_t type)
{
	_Alignas(8) char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	// The kernel looks at the header that belongs to the type; all zero means all rows.
	switch (type) {
	case RTM_GETLINK:
		mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
		break;
	case RTM_GETADDR:
		mnl_nlmsg_put_extra_header(message, sizeof(struct ifaddrmsg));
		break;
	case RTM_GETROUTE:
		mnl_nlmsg_put_extra_header(message, sizeof(struct rtmsg));
		break;
	default:
		mnl_nlmsg_put_extra_header(message, sizeof(struct ndmsg));
		break;
	}
	int error = transmit(netlink, message);
	if (!error) {
		netlink->dump_sequence = netlink->sequence;
		netlink->dump_interrupted = false;
	}
	return error;
}

static void put_address(
	struct nlmsghdr *message, struct ndmsg *neighbor, const struct ip_address *a)
{
	bool v4 = ip_address_is_v4(a);
	neighbor->ndm_family = v4 ? AF_INET : AF_INET6;
	if (v4)
		mnl_attr_put(message, NDA_DST, 4, a->bytes + 12);
	else
		mnl_attr_put(message, NDA_DST, 16, a->bytes);
}

int netlink_neighbor_use(struct netlink *netlink, int ifindex, const struct ip_address *address)
{
	_Alignas(8) char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = RTM_NEWNEIGH;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
	struct ndmsg *neighbor = mnl_nlmsg_put_extra_header(message, sizeof(*neighbor));
	neighbor->ndm_ifindex = ifindex;
	neighbor->ndm_flags = NTF_USE;
	neighbor->ndm_state = NUD_NONE;
	put_address(message, neighbor, address);
	return transmit(netlink, message);
}

int netlink_neighbor_set(
	struct netlink *netlink, int ifindex, const struct ip_address *address, const uint8_t *mac)
{
	_Alignas(8) char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = mac ? RTM_NEWNEIGH : RTM_DELNEIGH;
	message->nlmsg_flags = NLM_F_REQUEST;
	if (mac)
		message->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	struct ndmsg *neighbor = mnl_nlmsg_put_extra_header(message, sizeof(*neighbor));
	neighbor->ndm_ifindex = ifindex;
	neighbor->ndm_state = mac ? NUD_REACHABLE : NUD_NONE;
	put_address(message, neighbor, address);
	if (mac)
		mnl_attr_put(message, NDA_LLADDR, 6, mac);
	return transmit(netlink, message);
}

static void dump_ended(struct netlink *netlink, int error)
{
	netlink->dump_sequence = 0;
	if (!error && netlink->dump_interrupted)
		error = -EAGAIN;
	netlink->callbacks.dumped(netlink->callbacks.context, error);
}

static void handle(struct netlink *netlink, const struct nlmsghdr *message)
{
	bool of_dump = netlink->dump_sequence && message->nlmsg_seq == netlink->dump_sequence &&
		       message->nlmsg_pid == mnl_socket_get_portid(netlink->socket);
	if (of_dump && message->nlmsg_flags & NLM_F_DUMP_INTR)
		netlink->dump_interrupted = true;
	switch (message->nlmsg_type) {
	case NLMSG_DONE:
		if (of_dump)
			dump_ended(netlink, 0);
		break;
	case NLMSG_ERROR: {
		// Of the other requests none matters: a neighbour that cannot be asked for stays
		// unresolved.
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
		if (of_dump && mnl_nlmsg_get_payload_len(message) >= sizeof(*error))
			dump_ended(netlink, error->error);
		break;
	}
	default:
		if (message->nlmsg_type >= RTM_BASE)
			netlink->callbacks.message(netlink->callbacks.context, message);
		break;
	}
}

bool netlink_receive(struct netlink *netlink, unsigned buffers)
{
	for (unsigned i = 0; i < buffers; i++) {
		ssize_t got = mnl_socket_recvfrom(
			netlink->socket, netlink->buffer, sizeof(netlink->buffer));
		if (got < 0 && errno == ENOBUFS) {
			netlink->dump_sequence = 0;
			netlink->callbacks.lost(netlink->callbacks.context);
			continue;
		}
		if (got <= 0)
			return got < 0 && errno == EINTR;
		int left = (int)got;
		for (const struct nlmsghdr *m = (const void *)netlink->buffer;
			mnl_nlmsg_ok(m, left); m = mnl_nlmsg_next(m, &left))
			handle(netlink, m);
	}
	return true;
}
