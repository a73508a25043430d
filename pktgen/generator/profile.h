/*
 * A profile: what homeport-pktgen is to send, to whom, how fast, and what it expects back. One
 * libconfig file; profile_schema.c has a row for each setting, profile_check.c refuses
 * contradictions with the line.
 *
 * The bed that a profile describes has two sides. The access side is where mobile nodes and peers
 * roam: packets there are encapsulated. The core side is where correspondents live: packets there
 * are plain. The gateway under test stands between. With `loopback` there is none: what is sent on
 * a port comes back as it was sent (testpmd, a ring).
 *
 *                 access port                  core port
 *   generator  ── encapsulated ──  gateway  ── plain ──  generator       "up"
 *              <─                          <─                            "down"
 *
 * Read-only after profile_load; any thread.
 */
#ifndef PKTGEN_GENERATOR_PROFILE_H
#define PKTGEN_GENERATOR_PROFILE_H

#include "config/config.h"

#define PROFILE_PORTS_MAX     8
#define PROFILE_GROUPS_MAX    16
#define PROFILE_SIZES_MAX     32
#define PROFILE_SIZE_MIN      64   /* octets of a frame with its check sequence */
#define PROFILE_SIZE_MAX      9018 /* as above */
#define PROFILE_ETHERNET_SIZE 18   /* of them, Ethernet's header and check sequence */
#define PROFILE_NODES_MAX     1048576
#define PROFILE_SEARCHES_MAX  4
#define PROFILE_SENDERS_MAX   16

enum profile_encapsulation {
	PROFILE_PLAIN,
	/* Mobile IP's tunnels. With `security` all between node and home agent is inside ESP,
	 * registrations too: in transport mode (RFC 3884), or in tunnel mode (RFC 5266 mode mc). */
	PROFILE_IPIP,    /* RFC 2003 */
	PROFILE_GRE,     /* RFC 2784 */
	PROFILE_MINIMAL, /* RFC 2004 */
	PROFILE_MIP_UDP, /* RFC 3519 */
	PROFILE_ESP,     /* tunnel mode, RFC 4303: no Mobile IP */
};

enum profile_direction { PROFILE_BOTH, PROFILE_UP, PROFILE_DOWN };
enum profile_size_mode { PROFILE_SIZES_LIST, PROFILE_SIZES_IMIX };
enum profile_order { PROFILE_SEQUENTIAL, PROFILE_RANDOM };
enum profile_timing { PROFILE_TIMING_RATE, PROFILE_TIMING_TIMESTAMPS };

struct profile_port { /* the n-th DPDK port */
	char name[CONFIG_NAME_SIZE];
	struct ip_address address, address6; /* the generator's own: answers ARP, is the next hop */
	struct ip_address gateway, gateway6; /* whose MAC is asked for; unspecified: gateway_mac */
	bool has_gateway_mac, has_mac;
	uint8_t gateway_mac[6], mac[6]; /* mac: instead of the device's */
	uint32_t vlan;                  /* IEEE 802.1Q; 0: untagged */
	uint32_t tx_queues;
};

struct profile_registration { /* of Mobile IP groups */
	uint32_t spi;
	enum config_algorithm algorithm;
	struct secret key;
	uint32_t lifetime_s;
	uint32_t rate;       /* requests a second, first ones and repeated ones; 0: all at once */
	uint32_t in_flight;  /* requests without an answer of a pass over all nodes; 0: any */
	uint32_t timeout_ms; /* until all nodes are registered */
	uint32_t retry_ms;   /* first retransmission, doubling (RFC 5944 3.6.3: 1 s or more) */
	uint32_t moves;      /* nodes a second that change their care-of address in a trial */
	uint32_t storm_ms;   /* from a trial's start until all nodes register anew; 0: never */
	uint32_t storm_rate; /* as `rate` */
};

struct profile_security { /* of ESP groups */
	enum config_esp_mode mode;
	bool encap; /* in UDP, RFC 3948 */
	char algorithm[ESP_ALGORITHM_NAME_SIZE];
	struct esp_algorithm esp;
	bool esn;
	uint32_t replay_window;    /* packets, of the gateway; for its configuration */
	uint32_t spi_up, spi_down; /* of association 0; association n has SPI + n */
	uint64_t sequence_first;   /* number of the first packet less one, in both directions */
	uint32_t moves;            /* of esp: peers a second that change their outer address */
};

struct profile_group {
	char name[CONFIG_NAME_SIZE];
	enum profile_encapsulation encapsulation;
	enum profile_direction direction;
	char access[CONFIG_NAME_SIZE], core[CONFIG_NAME_SIZE];
	uint16_t access_port, core_port; /* index */
	uint32_t nodes, correspondents;
	struct ip_address node, correspondent; /* first of consecutive addresses */
	struct ip_address care_of;             /* the same of outer addresses */
	uint32_t care_of_count;                /* 0: one for each node */
	struct ip_address agent;               /* the gateway's outer address */
	struct ip_address home_agent;          /* of Mobile IP; with mode mc it may be another */
	struct ip_address vpn_address; /* mc: first of the care-of addresses inside the tunnel */
	bool secured;                  /* has ESP */
	uint16_t node_udp_port, correspondent_udp_port;
	uint16_t nat_port;      /* first outer port of nodes that share an address */
	uint32_t nat_rebind_ms; /* after so long each node's NAT gives it another port; 0: never */
	uint32_t share;         /* of the rate, relative to other groups */
	uint32_t dscp;
	bool dont_fragment;
	struct profile_registration registration;
	struct profile_security security;
};

struct profile_traffic {
	enum profile_size_mode size_mode;
	uint16_t sizes[PROFILE_SIZES_MAX]; /* of the plain frame, check sequence included */
	uint32_t size_max;                 /* larger ones are cut to it */
	enum profile_order order;          /* of flows */
	uint64_t rate;    /* packets a second, all flows together; 0: as fast as it goes */
	uint64_t packets; /* end of a trial; 0: duration_ms alone */
	uint32_t duration_ms, warm_up_ms;
	uint32_t drain_ms; /* after the last packet: quiet for so long ends a trial */
	uint32_t burst;
	uint32_t trials;
};

struct profile_search {
	char name[CONFIG_NAME_SIZE];
	uint32_t loss_ppm;        /* goal loss ratio */
	uint32_t width_ppm;       /* goal width, of the upper bound */
	uint32_t exceed_ppm;      /* goal exceed ratio */
	uint32_t duration_sum_ms; /* goal duration sum */
	uint32_t trial_ms;        /* goal final trial duration */
};

struct profile_replay {
	char file[CONFIG_TEXT_SIZE];
	char port[CONFIG_NAME_SIZE];
	uint16_t port_index;
	uint32_t loops;
	enum profile_timing timing;
	uint32_t speed_percent; /* of that of the timestamps */
};

struct profile {
	uint64_t seed;
	bool loopback;
	struct profile_port *ports;
	unsigned port_count;
	struct profile_group *groups;
	unsigned group_count;
	struct profile_traffic traffic;
	uint64_t search_min, search_max; /* packets a second */
	struct profile_search *searches;
	unsigned search_count;
	struct profile_replay replay;
	uint32_t queue_size, buffers, sleep_us;
	uint32_t sending_lcores;
	uint32_t resolve_ms;  /* for links and the gateway's MACs, at most */
	uint32_t settle_ms;   /* from the links' coming up to the first frame */
	uint32_t progress_ms; /* between progress lines; 0: none */
};

extern const struct section profile_schema_root;

/* 0 and *out owned by the caller, or a negative errno and "file:line: ..." in error. */
int profile_load(const char *path, struct profile **out, struct config_error *error);
/* The same from text. */
int profile_load_string(
	const char *text, const char *name, struct profile **out, struct config_error *error);
void profile_free(struct profile *profile);

/* "ipip", for reports. */
const char *profile_encapsulation_name(enum profile_encapsulation encapsulation);

static inline bool profile_is_mobile_ip(const struct profile_group *group)
{
	return group->encapsulation != PROFILE_PLAIN && group->encapsulation != PROFILE_ESP;
}

/* Mobile IP inside ESP: of the transport mode, or mode mc. */
static inline bool profile_is_transport(const struct profile_group *group)
{
	return group->secured && group->security.mode == ESP_MODE_TRANSPORT;
}

static inline bool profile_is_mc(const struct profile_group *group)
{
	return group->secured && profile_is_mobile_ip(group) && !profile_is_transport(group);
}

static inline bool profile_is_sealed(const struct profile_group *group)
{
	return group->secured && profile_is_mobile_ip(group);
}

/* What a NAT sees and changes is UDP. */
static inline bool profile_is_udp(const struct profile_group *group)
{
	return group->secured ? group->security.encap : group->encapsulation == PROFILE_MIP_UDP;
}

/* Care-of addresses of a node inside ESP that it has associations for: ESP does not move, so who
 * moves has a pair at either end, as IKE would make one after the other (TRN-12, HA4-MODE-10). */
static inline uint32_t profile_places(const struct profile_group *group)
{
	return profile_is_sealed(group) && group->registration.moves ? 2 : 1;
}

#endif
