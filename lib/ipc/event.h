/*
 * Events: dataplane -> control, fixed-size records on the event ring. Main lcore writes, control
 * reads. When the ring is full an event is counted as lost (region header) and the state that it
 * told of is told again later; but for EVENT_REFUSED, which is never lost: no command is taken from
 * its ring while the event ring has no room.
 */
#ifndef LIB_IPC_EVENT_H
#define LIB_IPC_EVENT_H

#include "lib/base/address.h"

#include <assert.h>

enum event_type {
	EVENT_NONE,
	EVENT_REFUSED,       /* command `sequence` was refused: `error` says why; state unchanged */
	EVENT_BINDING_BOUND, /* half-bound UDP tunnel got its endpoint (HA4-NAT-21): id, address,
				udp_port */
	EVENT_NEIGHBOR_NEEDED,    /* traffic waits for (port, address) */
	EVENT_PORT_STATE,         /* port: value 1 up, 0 down */
	EVENT_TUNNEL_UNREACHABLE, /* ICMP says so (HA4-MTU-10): id, value = ICMP type << 8 | code,
				     ICMPv6 as its IPv4 likeness */
	EVENT_AWAY_SOURCE,        /* HA4-REV-17 log */
	EVENT_TUNNEL_SPOOFED, /* a tunnel packet failed its check (rate limited): address = outer
				 source, id = drop reason */
	EVENT_WORKER_STALLED, /* value = worker */
	EVENT_SA_EXPIRED,     /* id, direction in port; value = enum sa_expiry; once each (LIFE) */
	EVENT_SA_MAPPING,  /* newest authentic packet came from elsewhere (NAT-09): id = inbound SA,
			      address, udp_port */
	EVENT_SA_REJECTED, /* audit, rate limited (AUD-01): id = SA or SA_NONE, value = drop reason
			      << 32 | SPI in host order, address = outer source */
	EVENT_ACQUIRE, /* outbound PROTECT without SA (SPD-13): id = policy, address = destination,
			  address2 = source, value = protocol << 32 | source port << 16 |
			  destination port */
	EVENT_TYPE_COUNT
};

enum sa_expiry {
	SA_EXPIRED_SOFT_TIME,
	SA_EXPIRED_SOFT_BYTES,
	SA_EXPIRED_SOFT_PACKETS,
	SA_EXPIRED_SOFT_SEQUENCE, /* ESP-SEQ-04 */
	SA_EXPIRED_HARD_TIME,
	SA_EXPIRED_HARD_BYTES,
	SA_EXPIRED_HARD_PACKETS,
	SA_EXPIRED_HARD_SEQUENCE, /* ESP-SEQ-03 */
};

struct event {
	uint64_t sequence; /* EVENT_REFUSED: the command's */
	uint16_t type;
	uint16_t port;
	be16 udp_port;
	uint16_t vrf;
	struct ip_address address;
	uint32_t id;
	int32_t error; /* EVENT_REFUSED: positive errno */
	uint64_t value;
	struct ip_address address2; /* EVENT_ACQUIRE */
};

static_assert(sizeof(struct event) == 64, "one cache line an event");

#endif
