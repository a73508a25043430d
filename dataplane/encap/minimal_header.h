/* The minimal forwarding header of RFC 2004 3, for tunnels over IP and over UDP. */
#ifndef DATAPLANE_ENCAP_MINIMAL_HEADER_H
#define DATAPLANE_ENCAP_MINIMAL_HEADER_H

#include "dataplane/header.h"

#define MINIMAL_HEADER_LENGTH  12
#define MINIMAL_SOURCE_PRESENT 0x80

struct minimal_header {
	uint8_t protocol, flags;
	rte_be16_t checksum;
	rte_be32_t destination, source;
} __attribute__((packed));

/* For the datagram with this header; checksum over the 12 octets alone (HA4-ALT-06). */
static inline struct minimal_header minimal_header_of(const struct rte_ipv4_hdr *ip)
{
	struct minimal_header m = {.protocol = ip->next_proto_id,
		.flags = MINIMAL_SOURCE_PRESENT,
		.destination = ip->dst_addr,
		.source = ip->src_addr};

	m.checksum = (uint16_t)~rte_raw_cksum(&m, sizeof(m));
	return m;
}

#endif
