/*
 * One rtnetlink row as plain values: parsing apart from deciding. Any thread; nothing is trusted
 * beyond nlmsg_len.
 */
#ifndef CONTROL_KERNEL_ROW_H
#define CONTROL_KERNEL_ROW_H

#include "lib/base/address.h"

#include <linux/netlink.h>

struct row_link {
	int ifindex;
	unsigned flags; /* IFF_UP ... */
	char name[16];
};

struct row_address {
	int ifindex;
	struct ip_address address;
};

struct row_route {
	struct ip_prefix prefix;
	struct ip_address gateway; /* :: when on-link */
	uint32_t table, metric;
	int ifindex;  /* 0 = none: blackhole and the like */
	uint16_t mtu; /* 0 = the link's */
	uint8_t type; /* RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, others */
	bool cloned;  /* a cache entry, not a route */
};

struct row_neighbor {
	int ifindex;
	struct ip_address address;
	uint16_t state; /* NUD_... */
	bool proxy;
	bool has_mac;
	uint8_t mac[6];
};

/* False when the row is of another family or cut off. */
bool row_link_parse(struct row_link *row, const struct nlmsghdr *message);
bool row_address_parse(struct row_address *row, const struct nlmsghdr *message);
/* Of a multipath route the first next hop. */
bool row_route_parse(struct row_route *row, const struct nlmsghdr *message);
bool row_neighbor_parse(struct row_neighbor *row, const struct nlmsghdr *message);

#endif
