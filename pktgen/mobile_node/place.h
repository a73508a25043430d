/*
 * Where the home address stands on this host: on the TUN device with the routes into the tunnel, on
 * the access interface at home, or nowhere. And the TUN device's queue, in which packets wait
 * between two places. One thread.
 */
#ifndef PKTGEN_MOBILE_NODE_PLACE_H
#define PKTGEN_MOBILE_NODE_PLACE_H

#include "pktgen/mobile_node/network.h"
#include "pktgen/mobile_node/options.h"
#include "pktgen/mobile_node/report.h"
#include "pktgen/mobile_node/tunnel.h"

struct place {
	const struct options *options;
	struct network *network;
	struct tunnel *tunnel;
	struct report *report;
	int epoll;            /* watches the TUN device */
	bool address_at_home; /* the home address stands on the access interface, put there by us */
	be32 tun_address;     /* on the TUN device; 0 none */
	uint32_t tun_mtu;
	monotonic hold_deadline; /* until then packets wait in the TUN device's queue; CLOCK_NEVER:
				    not held */
};

/* Away: the home address and the routes on the TUN device. */
void place_away(struct place *place, enum tunnel_form form, be32 home_address);
/* At home: the home address on the access interface, unless it is the one the network gave. */
void place_home(struct place *place, be32 home_address, be32 care_of_address);
/* Takes the home address off the access interface again. */
void place_home_end(struct place *place);
/* Takes address and routes off the TUN device. */
void place_withdraw(struct place *place);
/*
 * Between two places packets wait in the TUN device's queue instead of being read and dropped, but
 * not for long: what is older than a few seconds is better lost than late.
 */
void place_hold(struct place *place, bool hold);
/* Says on stdout what the host refused; `error` is negative. */
void place_problem(struct place *place, const char *what, int error);

#endif
