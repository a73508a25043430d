/*
 * Events: dataplane -> control, fixed-size records on the event ring. Main lcore writes, control
 * reads. When the ring is full an event is counted as lost (region header) and the state that it
 * told of is told again later; but for EVENT_REFUSED, which is never lost: no command is taken from
 * its ring while the event ring has no room.
 */
#ifndef LIB_IPC_EVENT_H
#define LIB_IPC_EVENT_H

#include "lib/base/address.h"
#include "lib/base/clock.h"

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
	EVENT_SA_REJECTED, /* audit, rate limited (AUD-02, -03): id = SA or SA_NONE, value = drop
			      reason << 32 | SPI in host order, address, address2 = outer source and
			      destination; audit */
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

/* Which fields of struct event_audit say something; what is behind the others is 0. */
enum event_audit_flag {
	AUDIT_NUMBER = 1 << 0,    /* number: an ESP header was there */
	AUDIT_SELECTORS = 1 << 1, /* source, destination, protocol: of the packet that was judged by
				     them, which is the inner one of an opened tunnel */
	AUDIT_PORTS = 1 << 2,     /* and its ports, or ICMP's type << 8 | code as the source port */
	AUDIT_OUTBOUND = 1 << 3,  /* id is an outbound SA's; the packet was to leave */
};

struct event_audit { /* what RFC 4303 4 and RFC 4301 5.2 want an audit record to hold */
	struct ip_address source, destination;
	monotonic at_ns;     /* when it happened */
	uint32_t number;     /* sequence number, low 32 bits */
	uint32_t flow_label; /* of the outer IPv6 header, 0 over IPv4 */
	uint32_t untold; /* records of this worker that were held back so far (AUD-05), low bits */
	uint16_t source_port, destination_port; /* host order */
	uint8_t protocol;
	uint8_t flags; /* enum event_audit_flag */
	uint8_t reserved[2];
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
	struct ip_address address2; /* EVENT_ACQUIRE, EVENT_SA_REJECTED */
	struct event_audit audit;   /* EVENT_SA_REJECTED; other events leave it 0 */
};

static_assert(sizeof(struct event_audit) == 64, "the second line");
static_assert(sizeof(struct event) == 128, "two cache lines an event");

#endif
