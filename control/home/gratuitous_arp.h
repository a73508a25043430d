/*
 * Gratuitous ARP on home links (RFC 5944 4.6; HA4-HOME-03..07, -12): tells the link whose hardware
 * address carries a home address now. When a node leaves: the home agent's own; when it came back
 * and deregistered from there: the node's own.
 *
 * Each announcement is sent `count` times a second apart (HA4-HOME-04) and replaces what was still
 * to be sent for that home address: repetition stops when the state changes. Those of restored
 * bindings are spread (1000 a second, HA4-HOME-12). What cannot leave because the dataplane is away
 * or its ring full waits without losing a repetition. IPv4 home addresses only.
 *
 * Time is an argument, frames go to a callback: simulated in tests. Loop thread.
 */
#ifndef CONTROL_HOME_GRATUITOUS_ARP_H
#define CONTROL_HOME_GRATUITOUS_ARP_H

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/ipc/packet_record.h"

#include <stdbool.h>
#include <stdint.h>

#define GRATUITOUS_ARP_INTERVAL_NS CLOCK_NS_PER_S
#define GRATUITOUS_ARP_PACE_NS     (CLOCK_NS_PER_S / 1000)

struct gratuitous_arp;

struct gratuitous_arp_ops {
	void *context;
	/* Our hardware address on a port; false while it is not known (no dataplane yet). */
	bool (*port_mac)(void *context, uint16_t port, uint8_t mac[6]);
	/* Takes the frame or says false: try later. */
	bool (*send)(void *context, const struct inject_record *record);
};

struct gratuitous_arp_announcement {
	struct ip_address home_address;
	uint16_t vrf, port, vlan;
	bool has_mac; /* the node's own address instead of ours */
	bool paced;   /* one of many after a restart */
	uint8_t mac[6];
	uint32_t count; /* 0 = none, but stop the former one */
};

/* At most `limit` home addresses at once; NULL when out of memory. */
struct gratuitous_arp *gratuitous_arp_new(
	uint32_t limit, const struct gratuitous_arp_ops *ops, monotonic now);
void gratuitous_arp_free(struct gratuitous_arp *arp);

/* Starts; the first frame leaves from inside this call unless paced. Beyond the limit one frame
 * alone is tried at once. */
void gratuitous_arp_announce(struct gratuitous_arp *arp,
	const struct gratuitous_arp_announcement *announcement, monotonic now);
/* The binding ended otherwise than by a return home: no more frames (HA4-HOME-07). */
void gratuitous_arp_stop(
	struct gratuitous_arp *arp, uint16_t vrf, const struct ip_address *home_address);

/* Sends what is due, a bounded number. When it wants to be called again; 0 = at once. */
monotonic gratuitous_arp_tick(struct gratuitous_arp *arp, monotonic now);

uint64_t gratuitous_arp_sent(const struct gratuitous_arp *arp);
uint32_t gratuitous_arp_waiting(const struct gratuitous_arp *arp);

#endif
