#include "pktgen/mobile_node/network.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define BUFFER_SIZE 8192 /* what libmnl recommends for receiving */

static void address_forget(struct network *network, be32 address)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < network->address_count; i++)
		if (network->addresses[i] != address)
			network->addresses[kept++] = network->addresses[i];
	network->address_count = kept;
}

/* RFC 5266: what the VPN gave us is no address of the access network, wherever it stands. */
static bool inner_heard(struct network *network, be32 address, bool added)
{
	struct ip_address a = ip_address_from_v4(address);

	if (!network->inner.length || !ip_prefix_contains(&network->inner, &a))
		return false;
	if (added)
		network->inner_address = address;
	else if (network->inner_address == address)
		network->inner_address = 0;
	return true;
}

static void address_heard(struct network *network, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	be32 address = 0, local = 0;

	if (body->ifa_family != AF_INET || body->ifa_scope != RT_SCOPE_UNIVERSE)
		return;
	mnl_attr_for_each(attribute, message, sizeof(*body))
	{
		if (mnl_attr_get_payload_len(attribute) < sizeof(be32))
			continue;
		if (mnl_attr_get_type(attribute) == IFA_LOCAL)
			memcpy(&local, mnl_attr_get_payload(attribute), sizeof(local));
		if (mnl_attr_get_type(attribute) == IFA_ADDRESS)
			memcpy(&address, mnl_attr_get_payload(attribute), sizeof(address));
	}
	if (local)
		address = local;
	if (inner_heard(network, address, message->nlmsg_type == RTM_NEWADDR) ||
		(int)body->ifa_index != network->access)
		return;
	if (message->nlmsg_type == RTM_DELADDR) {
		address_forget(network, address);
		return;
	}
	/* A renewed lifetime (DHCP) is told as a new address: it keeps its place. */
	for (unsigned i = 0; i < network->address_count; i++)
		if (network->addresses[i] == address)
			return;
	if (network->address_count == NETWORK_ADDRESSES_MAX)
		address_forget(network, network->addresses[0]);
	network->addresses[network->address_count++] = address;
}

static void route_heard(struct network *network, const struct nlmsghdr *message)
{
	const struct rtmsg *body = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;

	if (body->rtm_family != AF_INET || body->rtm_type != RTN_UNICAST)
		return;
	mnl_attr_for_each(attribute, message, sizeof(*body))
	{
		if (mnl_attr_get_type(attribute) == RTA_OIF &&
			mnl_attr_get_payload_len(attribute) >= sizeof(uint32_t) &&
			(int)mnl_attr_get_u32(attribute) == network->access)
			network->route_changed = true;
	}
}

static int change_heard(const struct nlmsghdr *message, void *context)
{
	struct network *network = context;

	if (message->nlmsg_type == RTM_NEWADDR || message->nlmsg_type == RTM_DELADDR)
		address_heard(network, message);
	else if (message->nlmsg_type == RTM_NEWROUTE)
		route_heard(network, message);
	return MNL_CB_OK;
}

static int exchange(struct network *network, struct nlmsghdr *message, mnl_cb_t callback)
{
	char buffer[BUFFER_SIZE];
	unsigned port = mnl_socket_get_portid(network->requests);

	message->nlmsg_seq = ++network->sequence;
	if (mnl_socket_sendto(network->requests, message, message->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t got = mnl_socket_recvfrom(network->requests, buffer, sizeof(buffer));
		if (got < 0)
			return -errno;
		int more =
			mnl_cb_run(buffer, (size_t)got, network->sequence, port, callback, network);
		if (more < 0)
			return -errno;
		if (more == MNL_CB_STOP)
			return 0;
	}
}

static int addresses_dump(struct network *network)
{
	char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = RTM_GETADDR;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(message, sizeof(*body));
	body->ifa_family = AF_INET;
	network->address_count = 0;
	network->inner_address = 0;
	return exchange(network, message, change_heard);
}

int network_open(struct network *network, int access_ifindex, const struct ip_prefix *inner)
{
	memset(network, 0, sizeof(*network));
	network->inner = *inner;
	network->access = access_ifindex;
	network->requests = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	network->changes = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!network->requests || !network->changes ||
		mnl_socket_bind(network->requests, 0, MNL_SOCKET_AUTOPID) < 0 ||
		mnl_socket_bind(network->changes, RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE,
			MNL_SOCKET_AUTOPID) < 0) {
		int error = errno;
		network_close(network);
		return -error;
	}
	/* Listen first, look second: nothing falls in between. */
	int error = addresses_dump(network);
	if (error)
		network_close(network);
	/* What was there at the start counts from its first address, the kernel's primary. */
	for (unsigned i = 0; i < network->address_count / 2; i++) {
		be32 *a = &network->addresses[i];
		be32 *b = &network->addresses[network->address_count - 1 - i];
		be32 t = *a;
		*a = *b;
		*b = t;
	}
	return error;
}

void network_close(struct network *network)
{
	if (network->requests)
		mnl_socket_close(network->requests);
	if (network->changes)
		mnl_socket_close(network->changes);
	network->requests = network->changes = NULL;
}

int network_fd(const struct network *network)
{
	return mnl_socket_get_fd(network->changes);
}

bool network_changes_read(struct network *network)
{
	char buffer[BUFFER_SIZE];
	be32 before = network_care_of_address(network), inner = network->inner_address;

	for (;;) {
		ssize_t got = mnl_socket_recvfrom(network->changes, buffer, sizeof(buffer));
		if (got < 0 && errno == ENOBUFS) { /* told more than fits: look again */
			addresses_dump(network);
			network->route_changed = true;
			continue;
		}
		if (got <= 0)
			break;
		mnl_cb_run(buffer, (size_t)got, 0, 0, change_heard, network);
	}
	return network->route_changed || before != network_care_of_address(network) ||
	       inner != network->inner_address;
}

be32 network_care_of_address(const struct network *network)
{
	for (unsigned i = network->address_count; i-- > 0;)
		if (network->addresses[i] != network->ignored)
			return network->addresses[i];
	return 0;
}

/* Adding twice and removing nothing are both done already. */
static int done_already(bool add, int error)
{
	if (add)
		return error == -EEXIST ? 0 : error;
	return error == -EADDRNOTAVAIL || error == -ESRCH || error == -ENODEV ? 0 : error;
}

int network_address_set(
	struct network *network, bool add, int ifindex, be32 address, uint8_t length)
{
	char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
	message->nlmsg_flags =
		(uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_REPLACE : 0));
	struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(message, sizeof(*body));
	body->ifa_family = AF_INET;
	body->ifa_prefixlen = length;
	body->ifa_scope = RT_SCOPE_UNIVERSE;
	body->ifa_index = (uint32_t)ifindex;
	mnl_attr_put(message, IFA_LOCAL, sizeof(address), &address);
	mnl_attr_put(message, IFA_ADDRESS, sizeof(address), &address);
	return done_already(add, exchange(network, message, NULL));
}

int network_link_up(struct network *network, int ifindex, uint32_t mtu)
{
	char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = RTM_NEWLINK;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct ifinfomsg *body = mnl_nlmsg_put_extra_header(message, sizeof(*body));
	body->ifi_family = AF_UNSPEC;
	body->ifi_index = ifindex;
	body->ifi_flags = IFF_UP;
	body->ifi_change = IFF_UP;
	mnl_attr_put_u32(message, IFLA_MTU, mtu);
	return exchange(network, message, NULL);
}

int network_route_set(
	struct network *network, bool add, int ifindex, const struct ip_prefix *prefix, be32 source)
{
	char buffer[256];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	be32 destination = ip_address_v4(&prefix->address);

	message->nlmsg_type = add ? RTM_NEWROUTE : RTM_DELROUTE;
	message->nlmsg_flags =
		(uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
	struct rtmsg *body = mnl_nlmsg_put_extra_header(message, sizeof(*body));
	body->rtm_family = AF_INET;
	body->rtm_dst_len = (uint8_t)(prefix->length - 96);
	body->rtm_table = RT_TABLE_MAIN;
	body->rtm_protocol = RTPROT_STATIC;
	body->rtm_scope = RT_SCOPE_LINK;
	body->rtm_type = RTN_UNICAST;
	mnl_attr_put(message, RTA_DST, sizeof(destination), &destination);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)ifindex);
	if (add && source)
		mnl_attr_put(message, RTA_PREFSRC, sizeof(source), &source);
	return done_already(add, exchange(network, message, NULL));
}

/* A request to add or remove, its kind's header zeroed behind it. */
static struct nlmsghdr *change_begin(char *buffer, bool add, uint16_t type, size_t header)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags =
		(uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_REPLACE : 0));
	mnl_nlmsg_put_extra_header(message, header);
	return message;
}

int network_neighbor_set(
	struct network *network, bool add, int ifindex, be32 address, const uint8_t mac[6])
{
	char buffer[256];
	struct nlmsghdr *message =
		change_begin(buffer, add, add ? RTM_NEWNEIGH : RTM_DELNEIGH, sizeof(struct ndmsg));
	struct ndmsg *body = mnl_nlmsg_get_payload(message);

	body->ndm_family = AF_INET;
	body->ndm_ifindex = ifindex;
	body->ndm_state = NUD_PERMANENT;
	mnl_attr_put(message, NDA_DST, sizeof(address), &address);
	if (add)
		mnl_attr_put(message, NDA_LLADDR, 6, mac);
	return done_already(add, exchange(network, message, NULL));
}

int network_rule_set(
	struct network *network, bool add, const char *incoming, be32 source, uint32_t table)
{
	char buffer[256];
	struct nlmsghdr *message = change_begin(
		buffer, add, add ? RTM_NEWRULE : RTM_DELRULE, sizeof(struct fib_rule_hdr));
	struct fib_rule_hdr *body = mnl_nlmsg_get_payload(message);

	if (add)
		message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	body->family = AF_INET;
	body->src_len = 32;
	body->action = FR_ACT_TO_TBL;
	mnl_attr_put(message, FRA_SRC, sizeof(source), &source);
	mnl_attr_put_strz(message, FRA_IIFNAME, incoming);
	mnl_attr_put_u32(message, FRA_TABLE, table);
	return done_already(add, exchange(network, message, NULL));
}

int network_table_set(struct network *network, bool add, int device, uint32_t table)
{
	char buffer[256];
	struct nlmsghdr *message =
		change_begin(buffer, add, add ? RTM_NEWROUTE : RTM_DELROUTE, sizeof(struct rtmsg));
	struct rtmsg *body = mnl_nlmsg_get_payload(message);

	body->rtm_family = AF_INET;
	body->rtm_protocol = RTPROT_STATIC;
	body->rtm_scope = RT_SCOPE_LINK;
	body->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(message, RTA_TABLE, table);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)device);
	return done_already(add, exchange(network, message, NULL));
}

bool network_reverse_path_strict(const char *access)
{
	const char *const names[] = {"all", access};
	int strictest = 0;

	for (unsigned i = 0; i < 2; i++) {
		char path[128];
		char value[16];
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", names[i]);
		FILE *file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(value, sizeof(value), file) && strtol(value, NULL, 10) > strictest)
			strictest = (int)strtol(value, NULL, 10);
		fclose(file);
	}
	return strictest == 1;
}
