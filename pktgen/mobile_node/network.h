/*
 * What the node does to the host's network, and what it hears of it: rtnetlink through libmnl.
 *
 * `network` carries two sockets. One sends a request and waits for the kernel's answer
 * (microseconds). The other hears address, route and link changes and is for the loop to poll.
 * Needs CAP_NET_ADMIN for changes. One thread.
 */
#ifndef PKTGEN_MOBILE_NODE_NETWORK_H
#define PKTGEN_MOBILE_NODE_NETWORK_H

#include "lib/base/address.h"

struct mnl_socket;

#define NETWORK_ADDRESSES_MAX 16

struct network {
	struct mnl_socket *requests, *changes;
	int access;   /* ifindex */
	be32 ignored; /* an address that the node itself put on the access interface; 0 none */
	/* IPv4 addresses of global scope on the access interface, in the order in which they came
	 */
	be32 addresses[NETWORK_ADDRESSES_MAX];
	struct ip_prefix inner; /* tunnel inner addresses of a VPN client; length 0: none */
	be32 inner_address;     /* one of them, on any interface; 0 none */
	unsigned address_count;
	unsigned sequence;
	bool route_changed; /* since network_changes_read last said so */
};

/* 0 or -errno. Reads the addresses that are there already. */
int network_open(struct network *network, int access_ifindex, const struct ip_prefix *inner);
void network_close(struct network *network);
int network_fd(const struct network *network);
/*
 * Drains what the kernel told. Returns true when the care-of address or the default route may have
 * changed: then look at network_care_of_address and route_changed.
 */
bool network_changes_read(struct network *network);
/* The newest address that is not `ignored`; 0 when none. */
be32 network_care_of_address(const struct network *network);

/* 0 or -errno; adding what is there and removing what is not are no errors. `length` is IPv4's
 * 0..32. */
int network_address_set(
	struct network *network, bool add, int ifindex, be32 address, uint8_t length);
int network_link_up(struct network *network, int ifindex, uint32_t mtu);
/* A route to `prefix` on the device, preferred source `source`; one that is there already is left
 * alone. */
int network_route_set(struct network *network, bool add, int ifindex,
	const struct ip_prefix *prefix, be32 source);

/*
 * For a router that knows its hosts: `address` is at that hardware address, whatever ARP says; a
 * host route to it; and what it sends goes by a table of its own, whose default route is `device`.
 */
int network_neighbor_set(
	struct network *network, bool add, int ifindex, be32 address, const uint8_t mac[6]);
int network_rule_set(
	struct network *network, bool add, const char *incoming, be32 source, uint32_t table);
int network_table_set(struct network *network, bool add, int device, uint32_t table);

/* Strict reverse path filtering throws away what the home agent sends once routes point into the
 * tunnel. */
bool network_reverse_path_strict(const char *access);

#endif
