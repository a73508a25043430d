/*
 * Packets that cross the shared region. Punt: a worker hands a packet to control (one ring per
 * worker). Inject: control asks the dataplane to send one (one ring, read by the main lcore).
 * Fixed-size slots; `length` octets of data[] count.
 */
#ifndef LIB_IPC_PACKET_RECORD_H
#define LIB_IPC_PACKET_RECORD_H

#include "lib/base/address.h"
#include "lib/base/clock.h"

#include <assert.h>

#define PACKET_RECORD_DATA_SIZE 1888

enum punt_kind {
	PUNT_NONE,
	PUNT_MOBILE_IPV4, /* data = UDP payload, types 1, 7, 15 (HA4-MSG-03), checksum verified */
	PUNT_AGENT_SOLICITATION, /* data = IPv4 packet, ICMP type 10, from its first octet */
	PUNT_HOME_ARP, /* data = ARP packet whose sender is an away home address (HA4-HOME-13) */
	PUNT_KIND_COUNT
};

enum punt_flag {
	PUNT_LINK_BROADCAST = 1 << 0, /* frame was link broadcast or multicast */
	PUNT_IP_BROADCAST = 1 << 1,   /* IP destination broadcast or multicast */
	PUNT_UDP_ZERO_CHECKSUM = 1 << 2,
	PUNT_REASSEMBLED = 1 << 3,
};

enum decap_kind { DECAP_NONE, DECAP_IPIP, DECAP_GRE, DECAP_MINIMAL, DECAP_UDP, DECAP_ESP };

struct decap_layer {
	uint32_t id;       /* binding_id, or SA id for DECAP_ESP */
	uint8_t kind;      /* enum decap_kind */
	uint8_t transport; /* DECAP_ESP: the SA is one of transport mode */
	uint8_t reserved[2];
};
#define DECAP_LAYERS_MAX 4

struct punt_record {
	monotonic received_ns;
	struct ip_address source;
	struct ip_address destination;
	be16 source_port;
	be16 destination_port;
	uint16_t port; /* ingress */
	uint16_t vlan; /* 0 untagged */
	uint16_t vrf;
	uint8_t source_mac[6];
	uint8_t kind;  /* enum punt_kind */
	uint8_t flags; /* enum punt_flag */
	uint8_t ttl;
	uint8_t layer_count;
	struct decap_layer layers[DECAP_LAYERS_MAX]; /* outermost first */
	uint16_t length;
	uint8_t reserved[2 + 64];
	uint8_t data[PACKET_RECORD_DATA_SIZE];
};

enum inject_kind {
	INJECT_NONE,
	INJECT_FRAME,           /* data = whole Ethernet frame, sent on `port` as it is */
	INJECT_DATAGRAM,        /* data = IP datagram, routed in `vrf`; flags */
	INJECT_DATAGRAM_TO_MAC, /* data = IP datagram, framed to `mac` on `port` (HA4-HOME-09,
				   HA4-RRP-14) */
	INJECT_ESP_DUMMY, /* data = IP datagram to be sent through outbound SA `sa_id` as a dummy:
			     next header 59 in the trailer (ESP-FMT-12). Transport mode: its own
			     addresses; tunnel mode: nobody looks at them */
	INJECT_KIND_COUNT
};

enum inject_flag {
	INJECT_BYPASS_BINDING = 1 << 0, /* never into a Mobile IP tunnel (HA4-MSG-11) */
};

struct inject_record {
	uint16_t kind;
	uint16_t flags;
	uint16_t port;
	uint16_t vrf;
	uint8_t mac[6];
	uint16_t vlan;
	uint16_t length;
	uint8_t reserved[2];
	uint32_t sa_id; /* INJECT_ESP_DUMMY */
	uint8_t reserved2[8];
	uint8_t data[PACKET_RECORD_DATA_SIZE];
	uint8_t tail[128];
};

static_assert(sizeof(struct punt_record) == 2048, "punt slot");
static_assert(sizeof(struct inject_record) == 2048, "inject slot");

#endif
