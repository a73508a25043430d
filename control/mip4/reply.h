/*
 * Registration replies (RFC 5944 3.4, 3.8.3; HA4-RRP): from facts that outlive the request to a
 * datagram ready to inject.
 */
#ifndef CONTROL_MIP4_REPLY_H
#define CONTROL_MIP4_REPLY_H

#include "control/mip4/authenticate.h"
#include "control/mip4/facts.h"
#include "lib/ipc/packet_record.h"

struct reply_network { /* acknowledgement of a mobile network, 148/1 or 148/2 */
	be32 prefix;
	uint8_t length, code, subtype;
};

struct reply { /* nothing borrowed but the contexts of the configuration */
	uint8_t code;
	uint16_t lifetime_s;
	uint64_t identification;
	be32 home_address, home_agent;
	uint16_t instance;
	bool deregistration;
	/* delivery */
	struct ip_address source, destination;
	be16 source_port, destination_port;
	uint16_t port, vlan, vrf;
	bool to_mac;
	uint8_t mac[6];
	/* extensions */
	char nai[256];
	uint8_t nai_length;
	bool udp_reply, udp_to_agent, udp_forced;
	uint8_t udp_code;
	uint16_t keepalive_s;
	bool redirected, redirect_short;
	be32 redirect;
	struct reply_network networks[NETWORKS_PER_BINDING_MAX];
	unsigned network_count;
	char message[256];  /* Message String, "" none */
	char identity[254]; /* NAI Carrying, "" none */
	char service[255];  /* echo, in the zone it came from */
	uint8_t service_length;
	bool service_to_agent;
	bool trusted; /* TNC */
	bool revocation, revocation_to_agent, revocation_inform;
	uint8_t challenge[255];
	uint8_t challenge_length;
	/* Authentication: who and which SPI. The contexts are looked up when it is built, for a
	 * reload may come between, and after one an index means somebody else. */
	uint32_t node;    /* of the node table; UINT32_MAX: not known there, `profile` counts */
	uint32_t profile; /* configured mobile node, good until the next reload */
	uint32_t spi;
	struct ip_address agent; /* configured foreign agent; unspecified: no Foreign-Home
				    authenticator */
	uint32_t agent_spi;
};

struct reply_contexts {
	const struct config_security *node;
	const struct config_security *agent; /* NULL: no Foreign-Home authenticator */
};

struct reply_endpoint {
	const struct ip_address *address;
	be16 port;
};

/* Builds the datagram into *out. `wall_ns`: for the timestamp of extension 137. False when it
 * cannot be built. */
bool reply_build(struct authenticator *a, const struct config_instance *instance,
	const struct reply *reply, struct reply_contexts contexts, uint64_t wall_ns,
	struct inject_record *out);

/* IPv4 and UDP header before `length` octets of payload that already lie at data + 28 (HA4-MSG-07,
 * HA4-RRP-15). */
void reply_frame(struct inject_record *out, const struct config_instance *instance,
	struct reply_endpoint source, struct reply_endpoint destination, size_t length);
/* Appends an authenticator over everything in the writer. False on overflow or a failing library.
 */
bool reply_authenticate(struct authenticator *a, struct writer *w, uint8_t type,
	const struct config_security *context);
#define REPLY_HEADERS 28

#endif
