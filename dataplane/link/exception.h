/*
 * Packets for the kernel: one TAP per port with the port's MAC, in the dataplane's network
 * namespace. Workers hand whole frames to the main lcore, which alone makes the system calls;
 * frames that the kernel sends come back to the worker that transmits on that port.
 */
#ifndef DATAPLANE_LINK_EXCEPTION_H
#define DATAPLANE_LINK_EXCEPTION_H

#include "dataplane/worker.h"

/* Worker. A whole Ethernet frame, mbuf->port = index of the port. DROP_NONE: taken and counted as
 * punted_exception. */
enum drop_reason exception_packet(struct worker *worker, struct rte_mbuf *frame);

/* Main lcore. Makes TAP `name` with this MAC and MTU, up, and returns its non-blocking descriptor,
 * or -errno. */
int exception_tap_open(const char *name, const uint8_t mac[6], uint16_t mtu);
/* Writes what the worker handed over to the TAPs (fds by port index, -1 none), counts in `ports`
 * what the kernel does not take: exception_lost. Returns frames written or lost. */
unsigned exception_write(
	struct worker *worker, const int *taps, struct port_counters *ports, unsigned port_count);
/*
 * Reads up to a burst of frames from one TAP and gives them to `worker`; none when the worker has
 * no room. A frame for which buffers run out is counted in `counters`, exception_refused: it was
 * never received. Returns frames read.
 */
unsigned exception_read(
	struct worker *worker, int tap, uint16_t port, struct port_counters *counters);

#endif
