/*
 * The verdict on an authenticated, fresh request: steps 9 to 19 of HA4-REG-01 in that order, the
 * first failure decides. Pure: facts of the request, policy, and what the caches hold, gathered
 * beforehand in struct decide_view; no clock, no socket, nothing changed.
 */
#ifndef CONTROL_MIP4_DECIDE_H
#define CONTROL_MIP4_DECIDE_H

#include "config/config.h"
#include "control/mip4/facts.h"
#include "lib/ipc/command.h"

enum mip4_code { // RFC 5944 3.4 and the documents of HA4-CODE-01
	CODE_ACCEPTED = 0,
	CODE_ACCEPTED_NOSIM = 1,
	CODE_UNSPECIFIED = 128,
	CODE_PROHIBITED = 129,
	CODE_RESOURCES = 130,
	CODE_NODE_AUTHENTICATION = 131,
	CODE_AGENT_AUTHENTICATION = 132,
	CODE_IDENTIFICATION = 133,
	CODE_POORLY_FORMED = 134,
	CODE_TOO_MANY_BINDINGS = 135,
	CODE_UNKNOWN_HOME_AGENT = 136,
	CODE_REVERSE_UNAVAILABLE = 137,
	CODE_REVERSE_MANDATORY = 138,
	CODE_ENCAPSULATION = 139,
	CODE_VENDOR_NODE = 140,
	CODE_VENDOR_AGENT = 141,
	CODE_UDP_ENCAPSULATION = 142,
	CODE_REDIRECT = 143,
	CODE_AAA_AUTHENTICATION = 144,
	CODE_NETWORK_ERROR = 147,
	CODE_NETWORK_DISALLOWED = 148,
	CODE_SERVICE = 151,
};

enum network_code { // RFC 5177 4.3
	NETWORK_OK = 0,
	NETWORK_INVALID_LENGTH = 1,
	NETWORK_UNAUTHORISED = 2,
	NETWORK_FAILED = 3,
};

enum decide_home {
	HOME_GRANTED,
	HOME_NOT_SERVED,
	HOME_NOT_ALLOWED,
	HOME_TAKEN,
	HOME_RESERVED_ADDRESS,
	HOME_NO_DYNAMIC,
	HOME_POOL_EMPTY
};

struct decide_view {
	enum decide_home home;
	bool broadcast;               /* the request's IP destination */
	bool agent_field_ours;        /* Home Agent field is a unicast address of this instance */
	bool agent_known;             /* source is a configured foreign agent */
	bool agent_authentic;         /* its authenticator verified */
	bool care_of_own, source_own; /* an address of this gateway */
	bool care_of_broadcast;       /* of a home network, or the network's own address */
	bool care_of_cycle,
		source_cycle; /* would close a chain of care-of addresses (HA4-REG-12) */
	bool care_of_inner, source_inner; /* in a tunnel inner address pool */
	bool same_care_of;                /* a binding with this care-of field exists */
	bool external;                    /* it came through a port of zone external */
	bool instance_full, draining;
	uint16_t minute;                            /* of the day, UTC */
	unsigned bindings;                          /* live ones of the home address */
	uint8_t networks[NETWORKS_PER_BINDING_MAX]; /* enum network_code of each requested one */
};

struct decide_input {
	const struct facts *facts;
	const struct config_instance *instance;
	const struct config_mobile_node *profile;
	struct decide_view view;
	struct ip_address home_address; /* requested or assigned */
	struct ip_address source, destination;
	be16 source_port;
	uint8_t replay_style;
};

struct verdict {
	uint8_t code;
	uint8_t step;         /* of HA4-REG-01 */
	const char *why;      /* rule and reason, for log and watch (HA4-CODE-04) */
	uint16_t lifetime_s;  /* granted */
	bool keep_others;     /* S granted */
	bool delete_bindings; /* a failed service re-authorization takes the binding with it
				 (HA4-XTN-06) */
	bool udp, forced, half_bound;
	bool udp_reply; /* extension 44 belongs in the reply */
	uint8_t udp_reply_code;
	uint8_t encapsulation;       /* enum encapsulation */
	uint8_t service;             /* index + 1 */
	uint32_t binding_flags;      /* enum binding_flag */
	struct ip_address effective; /* tunnel end */
	be16 effective_port;
	bool redirected;
	struct ip_address redirect;
};

void decide(const struct decide_input *input, struct verdict *verdict);
/* Limit of simultaneous bindings for this node, 1..8. */
unsigned decide_simultaneous(
	const struct config_instance *instance, const struct config_mobile_node *profile);

#endif
