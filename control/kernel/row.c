#include "control/kernel/row.h"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#define PREFIX_V4 96

static const void *header(const struct nlmsghdr *message, size_t size)
{
	return mnl_nlmsg_get_payload_len(message) < size ? NULL : mnl_nlmsg_get_payload(message);
}

static bool read_address(struct ip_address *out, int family, const struct nlattr *attribute)
{
	size_t length = mnl_attr_get_payload_len(attribute);
	const void *data = mnl_attr_get_payload(attribute);
	if (family == AF_INET && length >= 4) {
		be32 v4;
		memcpy(&v4, data, sizeof(v4));
		*out = ip_address_from_v4(v4);
		return true;
	}
	if (family == AF_INET6 && length >= 16) {
		*out = ip_address_from_v6(data);
		return true;
	}
	return false;
}

static uint32_t read_u32(const struct nlattr *attribute)
{
	return mnl_attr_get_payload_len(attribute) >= 4 ? mnl_attr_get_u32(attribute) : 0;
}

bool row_link_parse(struct row_link *row, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = header(message, sizeof(*link));
	const struct nlattr *attribute;
	if (!link)
		return false;
	*row = (struct row_link){.ifindex = link->ifi_index, .flags = link->ifi_flags};
	mnl_attr_for_each(attribute, message, sizeof(*link))
	{
		if (mnl_attr_get_type(attribute) != IFLA_IFNAME)
			continue;
		size_t length = mnl_attr_get_payload_len(attribute);
		if (length >= sizeof(row->name))
			length = sizeof(row->name) - 1;
		memcpy(row->name, mnl_attr_get_payload(attribute), length);
		row->name[length] = '\0';
	}
	return row->name[0] != '\0';
}

bool row_address_parse(struct row_address *row, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *address = header(message, sizeof(*address));
	const struct nlattr *attribute;
	bool found = false;
	if (!address)
		return false;
	*row = (struct row_address){.ifindex = (int)address->ifa_index};
	mnl_attr_for_each(attribute, message, sizeof(*address))
	{
		int type = mnl_attr_get_type(attribute);
		// Point-to-point links: IFA_LOCAL is ours, IFA_ADDRESS the peer's.
		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !found))
			found |= read_address(&row->address, address->ifa_family, attribute);
	}
	return found;
}

static void read_metrics(struct row_route *row, const struct nlattr *metrics)
{
	const struct nlattr *attribute;
	mnl_attr_for_each_nested(attribute, metrics)
	{
		if (mnl_attr_get_type(attribute) == RTAX_MTU) {
			uint32_t mtu = read_u32(attribute);
			row->mtu = mtu > UINT16_MAX ? 0 : (uint16_t)mtu;
		}
	}
}

static void read_multipath(struct row_route *row, int family, const struct nlattr *multipath)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	size_t length = mnl_attr_get_payload_len(multipath);
	if (length < sizeof(*hop) || hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > length)
		return;
	row->ifindex = hop->rtnh_ifindex;
	const char *at = (const char *)hop + sizeof(*hop), *end = (const char *)hop + hop->rtnh_len;
	const struct nlattr *attribute = (const void *)at;
	while (mnl_attr_ok(attribute, (int)(end - (const char *)attribute))) {
		if (mnl_attr_get_type(attribute) == RTA_GATEWAY)
			read_address(&row->gateway, family, attribute);
		attribute = mnl_attr_next(attribute);
	}
}

bool row_route_parse(struct row_route *row, const struct nlmsghdr *message)
{
	const struct rtmsg *route = header(message, sizeof(*route));
	const struct nlattr *attribute;
	if (!route || (route->rtm_family != AF_INET && route->rtm_family != AF_INET6))
		return false;
	bool v4 = route->rtm_family == AF_INET;
	struct ip_address destination = {0};
	if (v4)
		destination = ip_address_from_v4(0);
	*row = (struct row_route){.table = route->rtm_table,
		.type = route->rtm_type,
		.cloned = (route->rtm_flags & RTM_F_CLONED) != 0};
	mnl_attr_for_each(attribute, message, sizeof(*route))
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_DST:
			read_address(&destination, route->rtm_family, attribute);
			break;
		case RTA_GATEWAY:
			read_address(&row->gateway, route->rtm_family, attribute);
			break;
		case RTA_OIF:
			row->ifindex = (int)read_u32(attribute);
			break;
		case RTA_PRIORITY:
			row->metric = read_u32(attribute);
			break;
		case RTA_TABLE:
			row->table = read_u32(attribute);
			break;
		case RTA_METRICS:
			read_metrics(row, attribute);
			break;
		case RTA_MULTIPATH:
			read_multipath(row, route->rtm_family, attribute);
			break;
		default:
			break;
		}
	}
	unsigned length = route->rtm_dst_len + (v4 ? PREFIX_V4 : 0u);
	if (length > 128)
		return false;
	row->prefix = ip_prefix_make(&destination, (uint8_t)length);
	return true;
}

bool row_neighbor_parse(struct row_neighbor *row, const struct nlmsghdr *message)
{
	const struct ndmsg *neighbor = header(message, sizeof(*neighbor));
	const struct nlattr *attribute;
	bool found = false;
	if (!neighbor)
		return false;
	*row = (struct row_neighbor){.ifindex = neighbor->ndm_ifindex,
		.state = neighbor->ndm_state,
		.proxy = (neighbor->ndm_flags & NTF_PROXY) != 0};
	mnl_attr_for_each(attribute, message, sizeof(*neighbor))
	{
		int type = mnl_attr_get_type(attribute);
		if (type == NDA_DST)
			found = read_address(&row->address, neighbor->ndm_family, attribute);
		if (type == NDA_LLADDR && mnl_attr_get_payload_len(attribute) == 6) {
			memcpy(row->mac, mnl_attr_get_payload(attribute), 6);
			row->has_mac = true;
		}
	}
	return found;
}
