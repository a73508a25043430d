/*
 * The dataplane as a function, for tests: one worker without a device, tables filled by commands,
 * time that a test moves. What leaves is caught: frames per port (worker_flush is ours), frames for
 * the kernel, punted records, events.
 *
 * EAL runs without network, huge pages or shared files. One world at a time.
 */
#ifndef TESTS_WALK_WORLD_H
#define TESTS_WALK_WORLD_H

#include "dataplane/table/sa_table.h"
#include "dataplane/worker.h"

#include "lib/ipc/drop_trace.h"
#include "lib/ipc/event.h"
#include "lib/ipc/packet_record.h"

#define WORLD_PORTS    3
#define WORLD_BINDINGS 64
#define WORLD_SAS      64
#define WORLD_WINDOW   1024
#define WORLD_POLICIES 16
#define WORLD_CAUGHT   512

struct world_frame {
	uint16_t port;
	uint32_t length;
	uint8_t *octets; /* owned by the world */
};

struct world {
	struct tables *tables;
	struct worker worker;
	struct worker_counters counters;
	_Atomic uint32_t drop_switch;
	struct drop_trace drop_trace;
	struct binding_counters bindings[WORLD_BINDINGS];
	struct sa_region sas; /* run-time state: zero at first, [WORLD_SAS] each */
	uint64_t policy_hits[WORLD_POLICIES];
	struct port ports[WORLD_PORTS];
	struct tx_buffer tx[WORLD_PORTS];
	struct config_dataplane settings;
	uint64_t sequence;
	struct world_frame sent[WORLD_CAUGHT], kernel[WORLD_CAUGHT];
	unsigned sent_count, kernel_count;
	struct punt_record punted[32];
	unsigned punted_count;
	struct event events[64];
	unsigned event_count;
	uint64_t received_bytes;
	uint32_t inject_sa_id; /* of what control injects next */
	uint64_t rx_flags;     /* what the device says of received frames: mbuf ol_flags */
	uint64_t finished_ipv4, finished_udp; /* checksums that were left to the device */
};

/* First call starts EAL. Aborts on failure: nothing to test then. Ports 0..2: 02:00:00:00:00:P1,
 * MTU 1500, VRF 0, up, with TAP. */
struct world *world_new(void);
/* Frees all; every held packet is dropped first, then the sum and the pool must be whole: false
 * when something leaked. */
bool world_free(struct world *world);

/* 0 or the errno that tables_apply gave. Published and synced at once. */
int world_apply(struct world *world, struct command *command);
/* An mbuf with these octets, metadata not set. `segments` > 1 cuts it into that many. */
struct rte_mbuf *world_packet(
	struct world *world, const void *octets, uint32_t length, unsigned segments);
/* A frame that came in on a port; and one that the kernel sent; what leaves is in sent[] and so on
 * afterwards. */
void world_receive(struct world *world, uint16_t port, const void *frame, uint32_t length);
void world_kernel(struct world *world, uint16_t port, const void *frame, uint32_t length);
/* At most BURST_SIZE frames that came in together. */
void world_receive_burst(
	struct world *world, uint16_t port, const struct world_frame *frames, unsigned count);
/* The same for mbufs that the caller has made; takes ownership. */
void world_receive_mbufs(
	struct world *world, uint16_t port, struct rte_mbuf **packets, unsigned count);
/* What control injects: kind INJECT_*. */
void world_inject(struct world *world, uint16_t kind, uint16_t flags, uint16_t port,
	const uint8_t mac[6], const void *data, uint32_t length);
/* Moves the worker's clock and ticks. */
void world_advance(struct world *world, uint64_t milliseconds);
/* Lets everything held time out; true when every buffer is back in the pool and the sum is right.
 */
bool world_settle(struct world *world);
/* 0 when every packet is accounted for. */
int64_t world_balance(const struct world *world);
/* Forgets what was caught so far. */
void world_forget(struct world *world);

/* Shorthand for commands. Addresses as text. */
void world_agent(struct world *world, const char *address, uint32_t flags);
void world_local(struct world *world, const char *address, uint16_t port);
void world_home_network(
	struct world *world, const char *prefix, uint16_t port); /* PORT_NONE virtual */
void world_binding(struct world *world, uint32_t id, const char *home, const char *care_of,
	uint16_t care_of_port, uint8_t encapsulation, uint32_t flags);
void world_route(struct world *world, const char *prefix, const char *via, uint16_t port);
void world_neighbor(
	struct world *world, const char *address, uint16_t port, uint8_t last_mac_octet);

#endif
