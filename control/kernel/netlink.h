/*
 * One rtnetlink socket (libmnl): requests, dumps and notifications of links, addresses, routes and
 * neighbours, in the order in which the kernel queued them, so that a dump's rows and later changes
 * never overtake each other. Non-blocking. Loop thread.
 */
#ifndef CONTROL_KERNEL_NETLINK_H
#define CONTROL_KERNEL_NETLINK_H

#include "lib/base/address.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

struct netlink;

struct netlink_callbacks {
	void *context;
	/* RTM_NEW... or RTM_DEL... of a link, address, route or neighbour; checked to be as long as
	 * its header says. */
	void (*message)(void *context, const struct nlmsghdr *message);
	/* The dump asked for last is complete (error 0), was changed under way (-EAGAIN: ask again)
	 * or failed. */
	void (*dumped)(void *context, int error);
	/* Notifications were lost (ENOBUFS): dump everything again. */
	void (*lost)(void *context);
};

/* 0 or -errno. */
int netlink_new(const struct netlink_callbacks *callbacks, struct netlink **out);
void netlink_free(struct netlink *netlink);
int netlink_fd(const struct netlink *netlink);

/* Asks for all rows of RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE or RTM_GETNEIGH. One dump at a time.
 * 0 or -errno. */
int netlink_dump(struct netlink *netlink, uint16_t type);
/* Asks the kernel to use, and so resolve or confirm, a neighbour (NTF_USE). 0 or -errno. */
int netlink_neighbor_use(struct netlink *netlink, int ifindex, const struct ip_address *address);
/* Sets it reachable with this hardware address, or with NULL deletes it. 0 or -errno. */
int netlink_neighbor_set(
	struct netlink *netlink, int ifindex, const struct ip_address *address, const uint8_t *mac);

/* Reads at most `buffers` datagrams. True when there may be more. */
bool netlink_receive(struct netlink *netlink, unsigned buffers);

#endif
