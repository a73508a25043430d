/*
 * IPv4 datagrams on one link by hardware address, past the host's routing: how a mobile node and a
 * foreign agent speak with each other before either can be routed to (RFC 5944 3.6.1.1, 3.7.1).
 * Receives what the two have to say: agent advertisements and solicitations, and UDP to port 434;
 * whole datagrams only. One thread, non-blocking. Needs CAP_NET_RAW to open.
 */
#ifndef PKTGEN_MOBILE_NODE_LINK_H
#define PKTGEN_MOBILE_NODE_LINK_H

#include "lib/wire/icmp.h"

#define LINK_PACKET_MAX 2048

struct link {
	int fd, ifindex;
};

struct link_packet {
	uint8_t source_mac[6];
	struct ipv4_header ip; /* points into data */
	uint8_t data[LINK_PACKET_MAX];
};

/* 0 or -errno; link->fd is -1 then. */
int link_open(struct link *link, const char *interface);
void link_close(struct link *link);
/* A whole IPv4 datagram to that hardware address. 0 or -errno. */
int link_send(const struct link *link, const uint8_t mac[6], const void *packet, size_t length);
/* An ICMP message alone on the link (TTL 1), to one host; `mac` NULL: to a multicast group. 0 or
 * -errno. */
int link_icmp_send(const struct link *link, be32 source, const uint8_t *mac, be32 destination,
	const void *message, size_t length);
/* A UDP datagram from or to port 434. 0 or -errno. */
int link_udp_send(const struct link *link, const uint8_t mac[6], const struct ipv4_header *ip,
	const uint16_t ports[2], const void *payload, size_t length);
/* True: the next good datagram is in *packet. False: nothing more at present. */
bool link_receive(const struct link *link, struct link_packet *packet);

#endif
