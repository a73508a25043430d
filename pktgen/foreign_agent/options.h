/* The command line of homeport-foreign-agent. */
#ifndef PKTGEN_FOREIGN_AGENT_OPTIONS_H
#define PKTGEN_FOREIGN_AGENT_OPTIONS_H

#include "pktgen/foreign_agent/visitors.h"

#include <net/if.h>

struct options {
	struct visitors_settings visitors;
	char access[IF_NAMESIZE], tun[IF_NAMESIZE];
	unsigned advertise_s;
	uint32_t table; /* of the kernel's routes, for what visitors send */
	bool busy, json;
};

/* Returns -1 to go on; else the exit code: 0 after --help, EX_USAGE (64) for a wrong line, with a
 * sentence on stderr. */
int options_read(struct options *options, int argc, char **argv);

#endif
