/*
 * The configuration of a homeport host: one libconfig file, read by both processes. config/schema.c
 * holds one row per setting (path, type, range, default, help, whether a reload may change it);
 * load, check, print and docs/settings.md are made from it.
 *
 * config_load either fills a complete, checked struct config or fails with one line "file:line:
 * message" and leaves nothing behind. Keys are in struct secret (wiped by config_free). Loaded by
 * one thread; afterwards read-only.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "lib/base/address.h"
#include "lib/base/esp_algorithm.h"
#include "lib/base/secret.h"
#include "lib/base/traffic_selector.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_NAME_SIZE 32
#define CONFIG_PATH_SIZE 108 /* fits sun_path */
#define CONFIG_TEXT_SIZE 256
#define CONFIG_EXIT_BAD  78 /* sysexits EX_CONFIG */

enum config_zone { ZONE_EXTERNAL, ZONE_INTERNAL };
enum config_roaming { ROAMING_ANY, ROAMING_EXTERNAL, ROAMING_INTERNAL };
enum config_idle { IDLE_ADAPTIVE, IDLE_POLL };
enum config_ipsec_role { ROLE_ACTIVE, ROLE_STANDBY };
/* Of packets that no policy names, in a vrf that has policies (SPD-15). */
enum config_unmatched { UNMATCHED_DISCARD, UNMATCHED_LOCAL, UNMATCHED_BYPASS };
enum config_sa_sharing { SAS_SHARED, SAS_OWNED };
enum config_role { ROLE_PLAIN, ROLE_INTERNAL_HA, ROLE_EXTERNAL_HA };
enum config_algorithm {
	ALGORITHM_HMAC_MD5,
	ALGORITHM_KEYED_MD5,
	ALGORITHM_HMAC_SHA1,
	ALGORITHM_HMAC_SHA256
};
enum config_replay { REPLAY_TIMESTAMP, REPLAY_NONCE };
enum config_mn_aaa { MN_AAA_IGNORE, MN_AAA_VERIFY, MN_AAA_REQUIRE };
enum config_away_source { AWAY_SOURCE_ACCEPT, AWAY_SOURCE_LOG, AWAY_SOURCE_DROP };
enum config_udp_checksum { UDP_CHECKSUM_OFF, UDP_CHECKSUM_ON };
enum config_esp_mode { ESP_MODE_TUNNEL, ESP_MODE_TRANSPORT };
enum config_copy_df { COPY_DF_YES, COPY_DF_SET, COPY_DF_CLEAR };
enum config_copy_dscp { COPY_DSCP_OUT, COPY_DSCP_IN, COPY_DSCP_YES, COPY_DSCP_NO };
enum config_policy_direction { DIRECTION_BOTH, DIRECTION_OUT, DIRECTION_IN };
enum config_transport { TRANSPORT_LISTED, TRANSPORT_PEER, TRANSPORT_PEER_SET }; /* TRN-11 */
enum config_policy_action { ACTION_DISCARD, ACTION_BYPASS, ACTION_PROTECT };

struct config_port {
	char name[CONFIG_NAME_SIZE];
	char device[CONFIG_TEXT_SIZE]; /* DPDK device: "net_af_packet0,iface=eth0", "0000:01:00.0",
					  ... */
	char tap[16];                  /* exception TAP's interface name; "" = none */
	enum config_zone zone;
	uint16_t vrf;
	uint16_t mtu;        /* IP octets, 1500 */
	uint16_t queue_size; /* descriptors, 1024 */
	bool checksum_check; /* false: the port's peer hands over unfinished UDP/TCP checksums
				(veth) */
	bool has_mac;
	uint8_t mac[6]; /* overrides the device's when has_mac */
};

struct config_dataplane {
	char socket[CONFIG_PATH_SIZE];
	char lcores[CONFIG_TEXT_SIZE]; /* EAL --lcores value, first is the main lcore; "" = made
					  from workers */
	uint16_t workers;
	bool huge_pages;
	uint32_t memory_mb;
	char file_prefix[CONFIG_NAME_SIZE];
	enum config_idle idle;
	uint32_t idle_sleep_max_us;
	uint32_t buffers; /* mbufs */
	uint32_t max_bindings, max_prefixes, max_routes, max_neighbors;
	uint32_t max_security_associations; /* slots of each direction: a power of two, or 0 */
	uint32_t max_policies;
	enum config_unmatched unmatched;
	uint32_t max_replay_window; /* packets: 0, or 64..4096 */
	enum config_sa_sharing sa_sharing;
	uint32_t max_reassembly; /* datagrams at once per worker */
	uint32_t reassembly_timeout_ms;
	uint32_t punt_rate, punt_burst; /* Mobile IP messages per source address and second, before
					   control's finer policing */
	uint32_t ike_rate, ike_source_rate, ike_begin_rate; /* AUD-12: per worker, a second */
	uint32_t icmp_rate, icmp_source_rate; /* HA4-MTU-13: per worker, per source, a second */
	uint32_t path_mtu_floor, path_mtu_timeout_s; /* HA4-MTU-06, -07 */
	struct config_port *ports;
	unsigned port_count;
	uint16_t esp_ports[8];    /* UDP ports of ESP beside 4500; 0 unused */
	uint32_t esp_nesting_max; /* ESP in ESP (ESP-OUT-04) */
	uint32_t move_allowance;  /* octets, 0 any number (MOB-12) */
};

struct config_control {
	char socket[CONFIG_PATH_SIZE];
	char user[CONFIG_NAME_SIZE];  /* run as; "" = stay */
	char group[CONFIG_NAME_SIZE]; /* of the operator socket */
	char store[CONFIG_PATH_SIZE]; /* directory; "" = keep nothing over a restart */
	char metrics[64];             /* "127.0.0.1:9464", "" = off */
	char log_level[16];
	enum config_ipsec_role ipsec_role;   /* at start */
	bool kernel_mirror;                  /* routes and neighbours from the TAPs over netlink */
	char (*audit_off)[CONFIG_NAME_SIZE]; /* drop reasons whose audit records are not wanted */
	unsigned audit_off_count;
};

struct config_transport_peer { /* TRN-11 (c): who may be the end of transport mode SAs, and where */
	char identity[CONFIG_TEXT_SIZE]; /* as the peer authenticated itself; "*" anybody */
	struct ip_prefix *addresses;
	unsigned address_count;
};

struct config_keying {                 /* charon's plugin (lib/ipc/keying.h) */
	char socket[CONFIG_PATH_SIZE]; /* "" = no IKE */
	char user[CONFIG_NAME_SIZE]; /* that charon runs as, besides root and our own; "" = none */
	uint16_t vrf;                /* of what it negotiates */
	uint32_t grace_s;            /* HA-07: for its replay, after a restart of control */
	uint32_t replay_window;      /* KIF-13: at least; 0 is off all the same */
	enum config_transport transport;
	struct config_transport_peer *transport_peers;
	unsigned transport_peer_count;
	struct ip_prefix *peers; /* MOB-11: where SAs may end; empty = anywhere */
	unsigned peer_count;
};

struct config_security { /* one context of an MSA (HA4-AUTH-01) */
	uint32_t spi;    /* 256.. */
	enum config_algorithm algorithm;
	struct secret key;
	char key_file[CONFIG_PATH_SIZE]; /* where the key came from; "" = written in the
					    configuration */
	enum config_replay replay;
	uint32_t tolerance_s; /* 7 */
	bool require_udp_checksum;
	int64_t not_before, not_after; /* Unix seconds, 0 = open */
};

struct config_mobile_node {
	char nai[CONFIG_TEXT_SIZE];    /* "", "user@realm" or wildcard "@realm" */
	struct ip_prefix home_address; /* one address, or a prefix as wildcard; length 0 = none */
	uint16_t instance;             /* index */
	struct config_security *security;
	unsigned security_count;           /* first is the default context (HA4-AUTH-13) */
	struct ip_address *home_addresses; /* static ones of this NAI */
	unsigned home_address_count;
	struct ip_prefix *networks; /* allowed mobile networks */
	unsigned network_count;
	bool implicit_networks; /* register all of them without being asked (HA4-NEMO-01) */
	struct ip_prefix *care_of_allowed; /* empty = all */
	unsigned care_of_allowed_count;
	struct ip_prefix *agents_allowed; /* empty = all */
	unsigned agents_allowed_count;
	enum config_roaming zone;
	char hours[16];                /* "HH:MM-HH:MM" UTC, "" = always */
	uint16_t hours_from, hours_to; /* the same in minutes; equal: always */
	char (*services)[CONFIG_NAME_SIZE];
	unsigned service_count;
	bool dynamic_address, reverse_tunnel_mandatory, nat_traversal, nat_force, mobile_router,
		requires_ipsec;
	uint32_t max_lifetime_s; /* 0 = the instance's */
	uint32_t max_bindings;   /* simultaneous; 0 = the instance's */
};

struct config_foreign_agent {
	struct ip_address address;
	uint16_t instance;
	struct config_security *security; /* empty: known, but no MSA shared */
	unsigned security_count;
};

struct config_home_network {
	struct ip_prefix prefix;
	uint16_t port;  /* index of the link's port; UINT16_MAX = virtual */
	bool advertise; /* agent advertisements (HA4-HOME-14) */
	bool advertise_prefix_lengths;
	uint32_t advertise_interval_s;
	bool solicit_ttl1;
	uint16_t broadcast_ports[8]; /* as struct home_network_command */
	uint32_t broadcast_rate;
};

struct config_pool {
	char name[CONFIG_NAME_SIZE];
	struct ip_address first, last;
};

struct config_instance { /* one home agent */
	char name[CONFIG_NAME_SIZE];
	enum config_role role;
	uint16_t vrf;
	struct ip_address *addresses; /* first is the instance's own in replies to broadcasts */
	unsigned address_count;
	struct config_home_network *home_networks;
	unsigned home_network_count;
	struct config_pool *pools;
	unsigned pool_count;
	struct ip_prefix *trusted; /* HA4-TNC-01 */
	unsigned trusted_count;
	struct ip_prefix *tunnel_inner; /* TIA pools (HA4-MODE) */
	unsigned tunnel_inner_count;
	char (*services)[CONFIG_NAME_SIZE]; /* known services (HA4-XTN-05); empty = extension 151
					       off */
	unsigned service_count;
	struct ip_address *redirect; /* RFC 4433 targets; empty = accept */
	unsigned redirect_count;

	uint32_t max_lifetime_s;        /* 65535 = infinite allowed */
	uint32_t nat_max_lifetime_s;    /* 60 */
	uint32_t keepalive_s;           /* 0 or 10.. */
	uint32_t simultaneous_bindings; /* 1..8 */
	uint32_t max_bindings;
	uint32_t hold_down_s;         /* 60 */
	uint32_t revocation_retry_ms; /* first retransmission, >= 1000 */
	bool gre, minimal, nat_traversal, nat_force, reverse_tunnel, reverse_tunnel_mandatory;
	bool source_mismatch_accept, reply_auth_failure, dynamic_ha, strict_reserved, nemo,
		revocation, revocation_required;
	bool challenge_copy, drop_internal; /* HA4-XTN-07, HA4-TNC-08 */
	enum config_mn_aaa mn_aaa;
	enum config_replay replay_default;
	/* dataplane side, passed on in AGENT_SET */
	bool binding_check, require_t, ecn_compatibility, dscp_copy_in, df_copy, fragment_after,
		reverse_multicast, mss_clamp;
	enum config_away_source away_source;
	enum config_udp_checksum udp_tunnel_checksum;
	uint32_t old_care_of_grace_ms, tunnel_ttl;
	int dscp; /* -1 = copy */
	/* policing */
	uint32_t police_endpoint_rate, police_endpoint_burst; /* source address and port: 5, 10 */
	uint32_t police_source_rate;                          /* source address: 500 */
	uint32_t police_instance_rate;                        /* 0 = none */
	uint32_t auth_failure_reply_rate;                     /* 100 */
	uint32_t node_rate, node_burst; /* accepted registrations per node: 1, 5; rate 0 = none */
	uint32_t nat_move_limit;        /* HA4-NAT-27, per minute */
	uint32_t gratuitous_arp_count;  /* 3 */
	uint32_t reply_ttl, reply_dscp; /* HA4-RRP-15 */
	uint32_t max_extensions, max_message; /* HA4-EXT-14 */
	char identity[CONFIG_TEXT_SIZE];      /* HA4-XTN-01; "" = not told */
	bool service_echo;                    /* HA4-XTN-08 */
	char message[CONFIG_TEXT_SIZE];       /* Message String for denials; "" = none */
};

struct config_binding { /* static permanent binding (HA4-BND-12) */
	struct ip_address home_address, care_of_address;
	uint16_t instance;
};

/* A pair of security associations with keys given by hand. */
struct config_security_association {
	char name[CONFIG_NAME_SIZE];
	enum config_esp_mode mode;
	uint16_t vrf;
	struct ip_address local, remote; /* outer addresses */
	bool encap;                      /* RFC 3948, with the two ports */
	uint16_t local_port, remote_port;
	uint32_t spi_in, spi_out; /* 256.. */
	uint32_t reqid;
	char algorithm[ESP_ALGORITHM_NAME_SIZE];
	struct esp_algorithm esp;        /* what the name means */
	struct secret key_in, key_out;   /* encryption key, salt, integrity key */
	char key_file[CONFIG_PATH_SIZE]; /* where both came from; "" = written in the configuration
					  */
	bool unsafe_static_keys;
	bool esn;
	uint32_t replay_window; /* packets, 0 = off */
	enum config_copy_df copy_df;
	enum config_copy_dscp copy_dscp;
	uint32_t dscp; /* of the outer header when it is not copied */
	bool copy_ecn, fragment_after, follow_mapping, icmp_inspect;
	bool udp_zero_checksum; /* encap over IPv6: RFC 6935, RFC 6936 */
	uint32_t tunnel_ttl;
	uint32_t path_mtu;    /* octets, 0 = the egress port's */
	uint32_t tfc_padding; /* octets, 0 none, 65535 up to the MTU */
	/* Lifetimes from installation, 0 = none; rekey_* are the soft ones. */
	uint64_t rekey_time_s, life_time_s, rekey_bytes, life_bytes, rekey_packets, life_packets;
	struct traffic_selector *local_ts, *remote_ts;
	unsigned local_ts_count, remote_ts_count;
};
#define CONFIG_SELECTORS_MAX 16 /* of one association or policy: local times remote */

struct config_policy { /* of the ordered SPD */
	char name[CONFIG_NAME_SIZE];
	uint32_t order; /* lower is looked at first */
	uint16_t vrf;
	enum config_policy_direction direction;
	enum config_policy_action action;
	struct traffic_selector *local_ts, *remote_ts; /* local is our side in both directions */
	unsigned local_ts_count, remote_ts_count;
	char security_association[CONFIG_NAME_SIZE]; /* protect */
	bool mip_signalling; /* bypass: messages 1, 3, 7, 15 of Mobile IP alone (HA4-SPD-06) */
	bool answer_icmp;    /* discard: "administratively prohibited" (AUD-09) */
	bool nested;         /* protect: ESP of ours too (ESP-OUT-04) */
};

struct config_route {
	struct ip_prefix prefix;
	struct ip_address via; /* unspecified = on-link */
	uint16_t port, vrf;
};

struct config_neighbor {
	struct ip_address address;
	uint16_t port;
	uint8_t mac[6];
};

struct config_local { /* an address of the kernel side that netlink does not tell (bench ports) */
	struct ip_address address;
	uint16_t port;
};

struct config {
	char file[CONFIG_TEXT_SIZE];
	struct config_dataplane dataplane;
	struct config_control control;
	struct config_keying keying;
	struct config_instance *instances;
	unsigned instance_count;
	struct config_mobile_node *mobile_nodes;
	unsigned mobile_node_count;
	struct config_foreign_agent *foreign_agents;
	unsigned foreign_agent_count;
	struct config_binding *bindings;
	unsigned binding_count;
	struct config_security_association *security_associations;
	unsigned security_association_count;
	struct config_policy *policies;
	unsigned policy_count;
	struct config_route *routes;
	unsigned route_count;
	struct config_neighbor *neighbors;
	unsigned neighbor_count;
	struct config_local *locals;
	unsigned local_count;
};

struct config_error {
	char text[512]; /* "file:line: message", no newline */
};

/* 0 and *out owned by the caller, or -EINVAL / -errno with error filled. Warnings go to `warnings`
 * when not NULL, one line each. */
int config_load(const char *path, struct config **out, struct config_error *error, FILE *warnings);
/* The same from text; `name` stands for the file. */
int config_load_string(const char *text, const char *name, struct config **out,
	struct config_error *error, FILE *warnings);
void config_free(struct config *config);
/* Prints the effective configuration as a file that config_load reads back to the same. Keys are
 * printed only with with_keys. */
void config_print(const struct config *config, FILE *out, bool with_keys);
/*
 * The keys of a pair, from the text of a key file: a line "in HEX" and a line "out HEX". 0 or
 * -EINVAL.
 */
int config_key_parse_pair(const char *text, struct secret *in, struct secret *out);
/*
 * Completes and checks a pair or a policy that did not come from the file (an operator's) by the
 * same rules, but for what concerns its place among others. 0 or -EINVAL with a sentence in error.
 */
int config_check_ipsec_association(const struct config *config,
	struct config_security_association *association, struct config_error *error);
int config_check_ipsec_policy(const struct config *config, const struct config_policy *policy,
	struct config_error *error);
/* 0 when `after` may replace `before` in a running process; -EBUSY and the setting that needs a
 * restart in error. */
int config_reload_check(
	const struct config *before, const struct config *after, struct config_error *error);

#endif
