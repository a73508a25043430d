/*
 * The outer header of a tunnel as octets, built when a binding is set: RFC 2003 3.1 (IP-in-IP), RFC
 * 2784 (GRE), RFC 2004 (minimal), RFC 3519 3.3 (MIP tunnel data in UDP), RFC 2473 (IPv6 outer).
 * Pure functions.
 */
#ifndef DATAPLANE_TABLE_TUNNEL_TEMPLATE_H
#define DATAPLANE_TABLE_TUNNEL_TEMPLATE_H

#include "dataplane/table/tables.h"

/* Fills outer[] and outer_length: the ends that the command says, the agent's settings, the rest
 * from the tunnel's other fields. */
void tunnel_template_build(
	struct tunnel *tunnel, const struct binding_command *command, const struct agent *agent);
/* Writes TTL, DSCP and DF of a reconfigured agent into a live tunnel, octet by octet. Main lcore.
 */
void tunnel_template_restyle(struct tunnel *tunnel, const struct agent *agent);

#endif
