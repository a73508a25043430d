/*
 * The command line of homeport-mobile-node. The key never stands on it: a file or an inherited
 * descriptor gives it.
 */
#ifndef PKTGEN_MOBILE_NODE_OPTIONS_H
#define PKTGEN_MOBILE_NODE_OPTIONS_H

#include "pktgen/mobile_node/registration.h"

#include <net/if.h>

#define OPTIONS_ROUTES_MAX 16

struct options {
	struct registration_settings registration;
	char access[IF_NAMESIZE];
	char tun[IF_NAMESIZE];
	struct ip_prefix routes[OPTIONS_ROUTES_MAX];
	unsigned route_count;
	struct ip_prefix vpn; /* tunnel inner addresses (RFC 5266); length 0: no VPN */
	bool foreign_agents;  /* used where there are some */
	be32 foreign_agent;   /* the only one that is; 0: any */
	uint16_t port;        /* local UDP port, 0 any */
	uint16_t keepalive_s; /* 0: as the home agent says */
	bool json;
	bool once;
};

/*
 * Fills *options and reads the key. Returns -1 to go on; else the exit code: 0 after --help or
 * --version, EX_USAGE (64) for a wrong line, EX_NOINPUT (66) or EX_DATAERR (65) for the key; a
 * sentence on stderr says why.
 */
int options_read(struct options *options, int argc, char **argv);

#endif
