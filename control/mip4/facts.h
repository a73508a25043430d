/*
 * What a registration request says: its extensions read by zone (HA4-EXT-11), nothing acted on. MN
 * zone: before the first Mobile-Home authenticator; FA zone: after it and before a Foreign-Home
 * one; what follows that one does not exist. Pure; pointers borrow from the message.
 */
#ifndef CONTROL_MIP4_FACTS_H
#define CONTROL_MIP4_FACTS_H

#include "control/mip4/network.h"
#include "lib/wire/mip4.h"

struct facts_network { /* extension 148/0 */
	be32 prefix;   /* as requested, host bits and all */
	uint8_t length;
};

struct facts_text {
	const char *at; /* NULL: absent */
	uint8_t length;
};

struct facts {
	const struct mip4_message *message;
	struct mip4_request request;
	struct ip_address home_address, home_agent, care_of_address;
	struct facts_text nai, service, challenge;
	bool service_from_agent;
	int first_auth; /* index of the first type 32, -1 none */
	int agent_auth; /* index of the first type 34, -1 none */
	unsigned agent_auth_count;
	bool misplaced_auth; /* 33, 34 or 36 before the first 32 */
	bool repeated;       /* a single-instance extension twice in one authenticated zone */
	bool udp_present, udp_from_agent;
	struct mip4_udp_tunnel_request udp;
	bool dynamic_ha, dynamic_short; /* Requested HA, and in the short layout */
	be32 requested_ha;
	bool revocation_node, revocation_agent, revocation_inform;
	uint32_t revocation_timestamp;
	bool vendor_node, vendor_agent; /* CVSE; none is known to us */
	bool nai_carrying;
	struct facts_network networks[NETWORKS_PER_BINDING_MAX];
	unsigned network_count;
	bool networks_overflow;
};

/* The message is a registration request that mip4_parse accepted. */
void facts_read(struct facts *facts, const struct mip4_message *message);

#endif
