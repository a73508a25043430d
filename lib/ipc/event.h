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
	EVENT_TUNNEL_UNREACHABLE, /* ICMP says so (HA4-MTU-10): id, value = ICMP type << 8 | code */
	EVENT_AWAY_SOURCE,        /* HA4-REV-17 log */
	EVENT_TUNNEL_SPOOFED, /* a tunnel packet failed its check (rate limited): address = outer
				 source, id = drop reason */
	EVENT_WORKER_STALLED, /* value = worker */
	EVENT_TYPE_COUNT
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
	uint8_t reserved[16];
};

static_assert(sizeof(struct event) == 64, "one cache line an event");

#endif
