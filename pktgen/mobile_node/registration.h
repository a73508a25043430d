/*
 * The mobile node's side of Mobile IPv4 registration, as a state machine without sockets, clocks or
 * randomness of its own: what happened goes in through functions, requests and events come out
 * through `struct registration_output`. So a day of roaming is a unit test. Co-located care-of
 * addresses (RFC 5944 3.6 with D=1), those of a foreign agent, RFC 3519 tunnels, RFC 5265 TNC.
 *
 *   searching    no care-of address
 *   registering  a request is out, not registered (or the binding is about a place where we no
 * longer are) registered   a binding is known to live; it is refreshed at half its lifetime,
 * retransmitted when unanswered going_home   the care-of address lies in the home prefix:
 * deregistering everything with source = home address home         deregistered at home stopping
 * deregistering before exit stopped
 *
 * One thread. Times are `struct clock_now`.
 */
#ifndef PKTGEN_MOBILE_NODE_REGISTRATION_H
#define PKTGEN_MOBILE_NODE_REGISTRATION_H

#include "lib/base/clock.h"
#include "lib/wire/mip4.h"
#include "pktgen/mobile_node/authenticator.h"

enum registration_state {
	REGISTRATION_SEARCHING,
	REGISTRATION_REGISTERING,
	REGISTRATION_REGISTERED,
	REGISTRATION_GOING_HOME,
	REGISTRATION_HOME,
	REGISTRATION_STOPPING,
	REGISTRATION_STOPPED,
	REGISTRATION_STATE_COUNT
};

enum registration_tunnel {          /* what to ask for */
	REGISTRATION_TUNNEL_AUTO,   /* extension 144: UDP when the home agent sees a NAT, else
				       IP-in-IP */
	REGISTRATION_TUNNEL_FORCED, /* extension 144 with F: UDP always */
	REGISTRATION_TUNNEL_IPIP,   /* no extension 144 */
};

enum registration_replay {
	REGISTRATION_TIMESTAMP,
	REGISTRATION_NONCE,
};

struct registration_settings {
	be32 home_agent;
	be32 home_address;            /* 0: asked for by NAI */
	struct ip_prefix home_prefix; /* length 0: never at home */
	char nai[256];                /* "" for none */
	uint16_t lifetime_s;          /* asked for; 0xffff is infinity */
	uint32_t spi;
	enum authenticator_algorithm algorithm;
	struct secret key;
	enum registration_tunnel tunnel;
	enum registration_replay replay;
};

enum registration_event_type {
	REGISTRATION_EVENT_REQUEST,    /* a request leaves: attempt, identification, care_of */
	REGISTRATION_EVENT_REGISTERED, /* accepted, the first time at this care-of address */
	REGISTRATION_EVENT_REFRESHED,  /* accepted again */
	REGISTRATION_EVENT_DENIED,  /* an authenticated denial (or a foreign agent's code); will be
				       tried again */
	REGISTRATION_EVENT_RESYNC,  /* 133: identification taken over */
	REGISTRATION_EVENT_IGNORED, /* a reply that counts for nothing: reason */
	REGISTRATION_EVENT_EXPIRED, /* the lifetime ended without an answer */
	REGISTRATION_EVENT_MOVED,   /* new care-of address; a request follows */
	REGISTRATION_EVENT_LOST,    /* no care-of address any more */
	REGISTRATION_EVENT_ARRIVED_HOME, /* before the deregistration leaves: put the home address
					    on the access link now */
	REGISTRATION_EVENT_HOME,         /* deregistered at home */
	REGISTRATION_EVENT_STOPPED,      /* deregistered, or given up */
	REGISTRATION_EVENT_COUNT
};

struct registration_event {
	enum registration_event_type type;
	const char *reason; /* IGNORED, STOPPED */
	be32 home_address, care_of_address;
	uint64_t took_ns; /* from the first request of this attempt to the reply */
	unsigned attempt;
	uint16_t lifetime_s;
	uint16_t keepalive_s; /* 0 without UDP tunnel; else what to use (RFC 3519 4.9) */
	uint8_t code;
	bool udp_tunnel;
	bool trusted; /* TNC was in the authenticated part (RFC 5265 3.4, HA4-TNC-06) */
};

struct registration_output {
	void *context;
	/* Sends a UDP payload to the home agent's port 434 from `source`, or through the foreign
	 * agent whose care-of address `source` is. Failure is a lost message: it is sent again. */
	void (*send)(void *context, const void *payload, size_t length, be32 source);
	void (*event)(void *context, const struct registration_event *event);
	uint32_t (*random)(void *context); /* for nonces and the low bits of timestamps */
};

struct registration {
	struct registration_settings settings;
	struct registration_output output;
	enum registration_state state;
	be32 home_address;         /* in use; 0 until assigned */
	be32 care_of_address;      /* 0 when none */
	bool through_agent;        /* it is a foreign agent's */
	uint16_t lifetime_limit_s; /* what the foreign agent advertises; else 0xffff */
	monotonic deadline;        /* of the next registration_timer; CLOCK_NEVER */
	monotonic expiry;          /* of the binding; CLOCK_NEVER */
	/* the request that waits for its reply */
	bool pending;
	bool announced; /* REGISTERED was told for this care-of address */
	unsigned attempt;
	uint64_t identification;
	uint64_t last_timestamp;
	uint16_t requested_lifetime_s;
	monotonic first_sent, retry_interval;
	monotonic identified;   /* when the first request with this identification left */
	monotonic budget_until; /* one second later with each request; never far beyond now */
	unsigned resyncs;       /* 133 answers in a row */
	unsigned denials;       /* in a row, as far as the pause grows */
	int32_t clock_offset_s; /* home agent's clock minus ours (timestamps) */
	uint32_t nonce;
	monotonic retransmission_max;
};

/* Copies settings and output. Nothing is sent before a care-of address is known. */
void registration_init(struct registration *r, const struct registration_settings *settings,
	const struct registration_output *output);
void registration_fini(struct registration *r); /* wipes the key */

/* The access interface has this address now; 0: none. The same address again does nothing. */
void registration_care_of_changed(
	struct registration *r, struct clock_now now, be32 care_of_address);
/* The same with a foreign agent's care-of address, which takes no longer lifetimes than its limit.
 */
void registration_agent_changed(struct registration *r, struct clock_now now, be32 care_of_address,
	uint16_t lifetime_limit_s);
/* The way to the home agent may have come back: a waiting request goes out again at once. */
void registration_route_changed(struct registration *r, struct clock_now now);
/* Register now (SIGUSR1, NAT mapping lost). */
void registration_refresh_wanted(struct registration *r, struct clock_now now);
/* Deregister this care-of address; STOPPED follows, at the latest after about 3 s. */
void registration_stop_wanted(struct registration *r, struct clock_now now);
void registration_timer(struct registration *r, struct clock_now now);
/* A UDP payload from the home agent's address and port. */
void registration_reply_received(
	struct registration *r, struct clock_now now, const void *payload, size_t length);

static inline monotonic registration_deadline(const struct registration *r)
{
	return r->deadline < r->expiry ? r->deadline : r->expiry;
}

const char *registration_state_name(enum registration_state state);
const char *registration_event_name(enum registration_event_type type);

#endif
