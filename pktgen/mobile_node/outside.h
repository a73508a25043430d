/*
 * The TUN device and the sockets on the outside of a tunnel, for the mobile node and the foreign
 * agent. All are non-blocking; what opens one returns its descriptor or -errno.
 */
#ifndef PKTGEN_MOBILE_NODE_OUTSIDE_H
#define PKTGEN_MOBILE_NODE_OUTSIDE_H

#include "lib/base/address.h"

#include <net/if.h>
#include <sys/uio.h>

/* `made`: the name that the kernel gave it. */
int outside_tun_open(const char *name, char made[IF_NAMESIZE], int *ifindex);
/* Bound to the device unless that is NULL. DF stays clear on what they send (RFC 3519 and RFC 2003
 * leave it to us): a path narrower than the TUN device's MTU fragments instead of losing. */
int outside_udp_open(const char *device, uint16_t port);
int outside_ipip_open(const char *device);
/* One datagram in up to two parts, from a chosen source address and device (0: as the host routes
 * it); port 0 for IP-in-IP. 0 or -errno. */
int outside_send(int fd, be32 source, int ifindex, be32 destination, uint16_t port,
	const struct iovec parts[2]);

#endif
