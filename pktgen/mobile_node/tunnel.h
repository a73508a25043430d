/*
 * The node's end of the tunnel: a TUN device on the inside; on the outside a UDP socket (requests,
 * replies, MIP tunnel data) and a raw socket (IP-in-IP), both bound to the access interface, so
 * that what they send never follows the routes that point into the tunnel. Every datagram is sent
 * with the care-of address as its source. One thread, non-blocking.
 */
#ifndef PKTGEN_MOBILE_NODE_TUNNEL_H
#define PKTGEN_MOBILE_NODE_TUNNEL_H

#include "pktgen/mobile_node/agent.h"

#include <net/if.h>

enum tunnel_form {
	TUNNEL_DOWN,
	TUNNEL_UDP,
	TUNNEL_IPIP,
	TUNNEL_AGENT, /* the tunnel is the foreign agent's; as they are, to it by hardware address
		       * (RFC 3024 5.1); what comes from it is the host's own business */
};

enum tunnel_drop {               /* why a packet of either direction went no further */
	TUNNEL_DROP_NOT_UP,      /* from the TUN device while there is no tunnel */
	TUNNEL_DROP_SOURCE,      /* from the TUN device, source not the home address */
	TUNNEL_DROP_SEND,        /* the kernel refused it */
	TUNNEL_DROP_NOT_AGENT,   /* from the network, but not from the home agent('s port 434) */
	TUNNEL_DROP_FORM,        /* no tunnel at present, or not IPv4 inside */
	TUNNEL_DROP_INNER,       /* inner packet malformed */
	TUNNEL_DROP_DESTINATION, /* inner destination not the home address */
	TUNNEL_DROP_COUNT
};

struct tunnel {
	int tun, udp, raw; /* descriptors; raw -1 when not permitted */
	int tun_ifindex;
	char tun_name[IF_NAMESIZE];
	be32 home_agent, home_address, care_of_address;
	const struct link *link;   /* of the access interface; NULL or closed: no foreign agents */
	const struct agent *agent; /* borrowed */
	be32 inner_address;        /* of the VPN: from there, any interface; see tunnel_open */
	int access_ifindex;        /* 0: the sockets are bound to it */
	enum tunnel_form form;
	bool expecting; /* a request is out: the home agent may tunnel before we have read its reply
			 */
	uint16_t keepalive_identifier, keepalive_sequence;
	bool keepalive_answered; /* the last keepalive has its reply */
	bool first_packet;       /* something came through since tunnel_up */
	uint64_t sent, received, dropped[TUNNEL_DROP_COUNT];
	void *context;
	void (*signalling)(void *context, const void *payload, size_t length);
};

/*
 * Makes the device and the sockets. `vpn`: the sockets are not bound; each datagram names the
 * access interface, but what has the inner address as its source goes as the host routes it, into
 * the VPN (RFC 5266). 0 or -errno; *what then names what failed. A raw socket that is
 * not permitted is no error: tunnel->raw is -1 and IP-in-IP cannot be used.
 */
int tunnel_open(struct tunnel *tunnel, const char *tun_name, const char *access, uint16_t port,
	bool vpn, const char **what);
void tunnel_close(struct tunnel *tunnel);

/* Signalling to the home agent's port 434 from `source`, or through the foreign agent when that is
 * its care-of address. 0 or -errno. */
int tunnel_signalling_send(struct tunnel *tunnel, const void *payload, size_t length, be32 source);
void tunnel_up(
	struct tunnel *tunnel, enum tunnel_form form, be32 home_address, be32 care_of_address);
void tunnel_down(struct tunnel *tunnel);
/* Down, but packets of either form that the home agent sends to this care-of address are taken
 * already. */
void tunnel_expect(struct tunnel *tunnel, be32 home_address, be32 care_of_address);
/* ICMP echo request from the home address to the home agent, inside the tunnel (RFC 3519 4.9). */
void tunnel_keepalive_send(struct tunnel *tunnel);
/* What the loop calls when a descriptor is readable; each handles a bounded number of packets. */
void tunnel_tun_readable(struct tunnel *tunnel);
void tunnel_udp_readable(struct tunnel *tunnel);
void tunnel_raw_readable(struct tunnel *tunnel);

uint32_t tunnel_mtu(enum tunnel_form form); /* of the TUN device, for an access MTU of 1500 */
const char *tunnel_drop_name(enum tunnel_drop drop);

#endif
