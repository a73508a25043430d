/*
 * The shared region: one memfd that the dataplane creates, seals (size) and hands to control with
 * SCM_RIGHTS over a UNIX seqpacket socket, together with two eventfd doorbells. Offsets, never
 * pointers.
 *
 *   header | command ring | event ring | inject ring | punt ring per worker | worker counters |
 * drop trace per worker | port counters | binding counters [worker][binding] | inbound SA state
 * [sa] | outbound SA state [sa] | replay windows [sa][sa_window_words] | policy hits
 * [worker][policy] | policy lines [policy]
 *
 * Trust: each side copies what it needs of the directory once (control checks it against the sealed
 * size; the dataplane keeps its own), copies each record out before it reads it twice, and masks
 * every index. A peer that scribbles can lose its own records; it cannot make the other side read
 * outside the region or loop.
 */
#ifndef LIB_IPC_REGION_H
#define LIB_IPC_REGION_H

#include "lib/ipc/command.h"
#include "lib/ipc/counters.h"
#include "lib/ipc/drop_trace.h"
#include "lib/ipc/event.h"
#include "lib/ipc/packet_record.h"

#include <stdatomic.h>

#define REGION_MAGIC          0x74726f70656d6f68ull /* "homeport" */
#define REGION_LAYOUT_VERSION 16u
#define REGION_WORKERS_MAX    16
#define REGION_PORTS_MAX      32
#define REGION_WINDOW_MAX     4096

struct region_limits { /* chosen by the dataplane's configuration */
	uint32_t workers;
	uint32_t ports;
	uint32_t bindings;
	uint32_t routes;
	uint32_t neighbors;
	uint32_t prefixes;
	uint32_t sas;           /* slots of each direction: a power of two, or 0 */
	uint32_t policies;      /* SPD entries */
	uint32_t replay_window; /* largest window of an SA, packets, 0..4096 */
	uint32_t command_slots, event_slots, inject_slots, punt_slots; /* powers of two */
	uint32_t reserved;
};

/* Which of two gateways is it (HA-04)? What an operator said lasts as long as the dataplane. */
enum region_role { REGION_ROLE_CONFIGURED, REGION_ROLE_ACTIVE, REGION_ROLE_STANDBY };

struct region_span {
	uint64_t offset, size;
};

struct region_header {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t header_size;
	uint64_t size;
	uint64_t epoch;   /* random, new at each start of the dataplane */
	uint64_t session; /* rises with each attach */
	struct region_limits limits;
	struct region_span command_ring, event_ring, inject_ring, punt_ring[REGION_WORKERS_MAX];
	struct region_span worker_counters, drop_traces, port_counters, binding_counters;
	struct region_span sa_inbound, sa_outbound, sa_windows; /* sa_state.h; [limits.sas] each */
	struct region_span sa_notes;                            /* [2 * limits.sas] */
	struct region_span policy_hits;  /* [workers][policies], 64 bits each */
	struct region_span policy_lines; /* [policies]; policy_line.h */
	_Alignas(64) _Atomic uint64_t
		applied_sequence; /* dataplane writes, release; control reads, acquire */
	_Atomic uint64_t events_lost;
	_Atomic uint64_t dataplane_heartbeat;
	/* Table use, written by the main lcore. */
	_Atomic uint64_t bindings_used, routes_used, neighbors_used, prefixes_used, buffers_used,
		buffers_total, sas_used, policies_used;
	char crypto[64]; /* "AVX512 VAES, IPsec-MB 1.3.0, private copies"; empty without any */
	_Alignas(64) _Atomic uint64_t control_heartbeat; /* control writes */
	_Atomic uint32_t drop_trace;       /* control writes: the switch of drop_trace.h */
	_Atomic uint32_t drop_trace_count; /* control's own: how many are to be shown */
	_Atomic uint32_t control_role;     /* enum region_role, for a control that comes after it */
};

/*
 * The one layout that belongs to `limits`: fills header_size, limits, the spans and the smallest
 * size (octets). -EINVAL when a limit is out of range or a slot count no power of two. Touches
 * nothing else of the header. Pure.
 */
int region_layout(struct region_header *header, const struct region_limits *limits);
/*
 * Control's check of a header that it has copied out of the region: magic, layout version, every
 * span where region_layout puts it (so inside `size`, apart from each other, aligned to 64, with
 * rings of the right size). 0 or -EPROTO. Pure.
 */
int region_check(const struct region_header *copy, uint64_t size);

struct region;
/* Main lcore: writes the part of the header that never changes, again at each session: the last
 * peer may have scribbled on it. */
void region_write_header(const struct region *region);

#endif
