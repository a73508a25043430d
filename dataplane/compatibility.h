/*
 * Where the supported libraries differ: DPDK 22.11 (Debian 12) and 24.11 (Debian 13). Each entry
 * says what changed, and goes when the older release is no longer supported;
 * docs/decisions/0020-two-debian-releases.md. Nothing else in the tree asks for a version.
 */
#ifndef DATAPLANE_COMPATIBILITY_H
#define DATAPLANE_COMPATIBILITY_H

#include "lib/base/address.h"

#include <rte_ip.h>
#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "homeport needs DPDK 22.11 or newer"
#endif

/* An IPv6 header's addresses are arrays of 16 octets up to 24.07 and struct rte_ipv6_addr
 * since 24.11; the address of either one is the address of the octets. To write one:
 * memcpy(&header->src_addr, octets, 16). */
static inline struct ip_address ipv6_source(const struct rte_ipv6_hdr *header)
{
	return ip_address_from_v6(&header->src_addr);
}

static inline struct ip_address ipv6_destination(const struct rte_ipv6_hdr *header)
{
	return ip_address_from_v6(&header->dst_addr);
}

_Static_assert(sizeof((struct rte_ipv6_hdr){0}.src_addr) == 16, "an IPv6 address is 16 octets");

#endif
