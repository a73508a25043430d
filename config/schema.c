#include "config/schema.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define AT(type, member)                                                                           \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define LIST(type, member, count) AT(type, member), .second = offsetof(struct type, count)
#define SECTION(id, title, type, rows)                                                             \
	const struct section schema_##id = {title, sizeof(struct type), rows, COUNT(rows)}

static const char *const zone_words[] = {"external", "internal", NULL};
static const char *const idle_words[] = {"adaptive", "poll", NULL};
static const char *const ipsec_role_words[] = {"active", "standby", NULL};
static const char *const unmatched_words[] = {"discard", "local", "bypass", NULL};
static const char *const sa_sharing_words[] = {"shared", "owned", NULL};
static const char *const role_words[] = {"plain", "i-HA", "x-HA", NULL};
static const char *const algorithm_words[] = {
	"hmac-md5", "keyed-md5", "hmac-sha1", "hmac-sha256", NULL};
static const char *const roaming_words[] = {"any", "external", "internal", NULL};
static const char *const replay_words[] = {"timestamp", "nonce", NULL};
static const char *const mn_aaa_words[] = {"ignore", "verify", "require", NULL};
static const char *const away_source_words[] = {"accept", "log", "drop", NULL};
static const char *const udp_checksum_words[] = {"off", "on", NULL};
static const char *const esp_mode_words[] = {"tunnel", "transport", NULL};
static const char *const copy_df_words[] = {"yes", "set", "clear", NULL};
static const char *const copy_dscp_words[] = {"out", "in", "yes", "no", NULL};
static const char *const direction_words[] = {"both", "out", "in", NULL};
static const char *const action_words[] = {"discard", "bypass", "protect", NULL};
static const char *const transport_words[] = {"listed", "peer", "peer-set", NULL};
static const char *const log_level_words[] = {"error", "warning", "notice", "info", "debug", NULL};

/* A table: one setting stays together on its lines. */
/* clang-format off */
static const struct setting port_settings[] = {
	{.name = "name", .kind = SETTING_TEXT, .restart = true, AT(config_port, name),
		.help = "by which the rest of the file refers to the port; unique"},
	{.name = "device", .kind = SETTING_TEXT, .restart = true, AT(config_port, device),
		.help = "DPDK device: \"net_af_packet0,iface=eth0\", \"0000:01:00.0\", ..."},
	{.name = "tap", .kind = SETTING_TEXT, .restart = true, AT(config_port, tap), .fallback = "",
		.help = "interface name of the exception TAP; empty: the kernel has no side of this port"},
	{.name = "zone", .kind = SETTING_WORD, .restart = true, AT(config_port, zone), .words = zone_words,
		.fallback = "external", .help = "which side of the border the port is on (HA4-TNC-03)"},
	{.name = "vrf", .kind = SETTING_INTEGER, .restart = true, AT(config_port, vrf), .max = 65535, .fallback = "0",
		.help = "routing table of packets received here"},
	{.name = "mtu", .kind = SETTING_INTEGER, .restart = true, AT(config_port, mtu), .min = 576, .max = 9600,
		.fallback = "1500", .unit = "octets", .help = "largest IP datagram"},
	{.name = "queue_size", .kind = SETTING_INTEGER, .restart = true, AT(config_port, queue_size), .min = 64, .max = 32768,
		.fallback = "1024", .unit = "descriptors", .help = "of each receive and transmit queue"},
	{.name = "checksum_check", .kind = SETTING_BOOLEAN, .restart = true, AT(config_port, checksum_check), .fallback = "true",
		.help = "false: the peer hands over unfinished UDP and TCP checksums (veth)"},
	{.name = "mac", .kind = SETTING_MAC, .restart = true, AT(config_port, mac), .second = offsetof(struct config_port, has_mac),
		.fallback = "", .help = "Ethernet address instead of the device's own"},
};
SECTION(port, "port", config_port, port_settings);

static const struct setting dataplane_settings[] = {
	{.name = "socket", .kind = SETTING_TEXT, .restart = true, AT(config_dataplane, socket),
		.fallback = "/run/homeport/dataplane.sock", .help = "where control attaches"},
	{.name = "lcores", .kind = SETTING_TEXT, .restart = true, AT(config_dataplane, lcores), .fallback = "",
		.help = "EAL --lcores value, the first is the main lcore; empty: made from workers"},
	{.name = "workers", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, workers), .min = 1, .max = 16,
		.fallback = "1", .help = "poll-mode threads"},
	{.name = "huge_pages", .kind = SETTING_BOOLEAN, .restart = true, AT(config_dataplane, huge_pages), .fallback = "true",
		.help = "false: ordinary memory, for benches and demonstrations"},
	{.name = "memory_mb", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, memory_mb), .min = 64,
		.max = 1048576, .fallback = "512", .unit = "MiB", .help = "DPDK memory"},
	{.name = "file_prefix", .kind = SETTING_TEXT, .restart = true, AT(config_dataplane, file_prefix), .fallback = "homeport",
		.help = "EAL --file-prefix; tells two dataplanes on one machine apart"},
	{.name = "idle", .kind = SETTING_WORD, .restart = true, AT(config_dataplane, idle), .words = idle_words,
		.fallback = "adaptive", .help = "adaptive: a worker without traffic sleeps; poll: it never does"},
	{.name = "idle_sleep_max_us", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, idle_sleep_max_us),
		.min = 50, .max = 100000, .fallback = "2000", .unit = "us",
		.help = "adaptive: longest sleep of a thread without work; the first packet after a pause waits up to as long"},
	{.name = "buffers", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, buffers), .min = 1024,
		.max = 16777216, .fallback = "32768", .help = "packet buffers"},
	{.name = "max_bindings", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, max_bindings), .min = 1,
		.max = 16777216, .fallback = "100000", .help = "care-of addresses held at once, all instances"},
	{.name = "max_prefixes", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, max_prefixes), .min = 1,
		.max = 1048576, .fallback = "4096", .help = "mobile networks held at once"},
	{.name = "max_routes", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, max_routes), .min = 1,
		.max = 4194304, .fallback = "16384", .help = "routes, all VRFs"},
	{.name = "max_neighbors", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, max_neighbors), .min = 1,
		.max = 1048576, .fallback = "16384", .help = "neighbours, all ports"},
	{.name = "max_security_associations", .kind = SETTING_INTEGER, .restart = true,
		AT(config_dataplane, max_security_associations), .max = 1048576, .fallback = "65536", .unit = "pairs",
		.help = "security associations of each direction held at once: a power of two, or 0 for no IPsec (SAD-09)"},
	{.name = "max_policies", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, max_policies), .max = 4194304,
		.fallback = "131072", .help = "entries of the security policy database, both directions"},
	{.name = "unmatched", .kind = SETTING_WORD, .restart = true, AT(config_dataplane, unmatched), .words = unmatched_words,
		.fallback = "local", .help = "outside packets that no policy names, once there are any (SPD-15): dropped; or dropped but for those to the "
			"gateway's own system, which its firewall judges (not Mobile IP, nor tunnels); or passed in clear"},
	{.name = "max_replay_window", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, max_replay_window),
		.max = 4096, .fallback = "1024", .unit = "packets",
		.help = "largest replay window of a security association, 64 or more (ESP-SEQ-12); 0: none is protected"},
	{.name = "sa_sharing", .kind = SETTING_WORD, .restart = true, AT(config_dataplane, sa_sharing),
		.words = sa_sharing_words, .fallback = "shared",
		.help = "shared: any worker works on any security association; owned: each belongs to one worker, the others hand its packets over (MP-04)"},
	{.name = "esp_ports", .kind = SETTING_NUMBERS, .restart = true, AT(config_dataplane, esp_ports), .min = 1, .max = 65535,
		.fallback = "", .help = "UDP ports of ESP and IKE beside 4500, up to 8 (NAT-01)"},
	{.name = "esp_nesting_max", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, esp_nesting_max), .min = 1,
		.max = 3, .fallback = "3", .help = "security associations around one packet, where policies are nested (ESP-OUT-04)"},
	{.name = "move_allowance", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, move_allowance), .max = 1073741824,
		.fallback = "65536", .unit = "octets",
		.help = "sent to an address that a security association was moved to before something authentic comes from there; 0: any number (MOB-12)"},
	{.name = "max_reassembly", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, max_reassembly), .min = 1,
		.max = 65536, .fallback = "1024", .unit = "datagrams", .help = "in reassembly at once, each worker"},
	{.name = "reassembly_timeout_ms", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, reassembly_timeout_ms),
		.min = 100, .max = 120000, .fallback = "30000", .unit = "ms", .help = "for all fragments to come"},
	{.name = "punt_rate", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, punt_rate), .min = 1,
		.max = 10000000, .fallback = "500", .unit = "1/s",
		.help = "Mobile IP messages of one source address, before control's finer policing"},
	{.name = "punt_burst", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, punt_burst), .min = 1,
		.max = 10000000, .fallback = "1000", .help = "as many at once"},
	{.name = "ike_rate", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, ike_rate), .min = 1, .max = 10000000,
		.fallback = "5000", .unit = "1/s", .help = "IKE messages that one worker hands to the kernel (AUD-12)"},
	{.name = "ike_source_rate", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, ike_source_rate), .min = 1,
		.max = 10000000, .fallback = "200", .unit = "1/s", .help = "those from one /24 or /56"},
	{.name = "ike_begin_rate", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, ike_begin_rate), .min = 1,
		.max = 10000000, .fallback = "1000", .unit = "1/s", .help = "those that ask for a new IKE SA, from anywhere"},
	{.name = "icmp_rate", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, icmp_rate), .min = 0, .max = 1000000,
		.fallback = "100", .unit = "1/s", .help = "ICMP errors of one worker; 0: none is ever sent (HA4-MTU-13)"},
	{.name = "icmp_source_rate", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, icmp_source_rate), .min = 0,
		.max = 1000000, .fallback = "10", .unit = "1/s", .help = "ICMP errors to one address; 0: none is ever sent (HA4-MTU-13)"},
	{.name = "path_mtu_floor", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, path_mtu_floor), .min = 68,
		.max = 1500, .fallback = "576", .unit = "octets", .help = "smallest path MTU believed (HA4-MTU-06)"},
	{.name = "path_mtu_timeout_s", .kind = SETTING_INTEGER, .restart = true, AT(config_dataplane, path_mtu_timeout_s),
		.min = 300, .max = 86400, .fallback = "600", .unit = "s",
		.help = "until a lowered path MTU is forgotten (HA4-MTU-07)"},
	{.name = "ports", .kind = SETTING_GROUPS, .restart = true, LIST(config_dataplane, ports, port_count), .max = 32,
		.fallback = "", .section = &schema_port,
		.help = "numbered in this order in every counter and log line"},
};
SECTION(dataplane, "dataplane", config_dataplane, dataplane_settings);

static const struct setting control_settings[] = {
	{.name = "socket", .kind = SETTING_TEXT, .restart = true, AT(config_control, socket),
		.fallback = "/run/homeport/control.sock", .help = "where homeportctl connects"},
	{.name = "user", .kind = SETTING_TEXT, .restart = true, AT(config_control, user), .fallback = "",
		.help = "to run as after start; empty: stay"},
	{.name = "group", .kind = SETTING_TEXT, .restart = true, AT(config_control, group), .fallback = "",
		.help = "whose members may read the operator socket; empty: nobody but root and the user"},
	{.name = "store", .kind = SETTING_TEXT, .restart = true, AT(config_control, store), .fallback = "",
		.help = "directory of what survives a restart; empty: nothing does"},
	{.name = "metrics", .kind = SETTING_TEXT, .restart = true, AT(config_control, metrics), .fallback = "",
		.help = "loopback address and TCP port of the Prometheus page, \"127.0.0.1:9464\"; empty: off"},
	{.name = "log_level", .kind = SETTING_TEXT, AT(config_control, log_level), .words = log_level_words, .fallback = "info",
		.help = "the least important line that is logged"},
	{.name = "ipsec_role", .kind = SETTING_WORD, .restart = true, AT(config_control, ipsec_role), .words = ipsec_role_words,
		.fallback = "active", .help = "standby: another gateway has the same security associations; here they rest until homeportctl sa takeover (HA-04)"},
	{.name = "kernel_mirror", .kind = SETTING_BOOLEAN, .restart = true, AT(config_control, kernel_mirror), .fallback = "true",
		.help = "take routes and neighbours of the exception TAPs from the kernel"},
	{.name = "audit_off", .kind = SETTING_NAMES, LIST(config_control, audit_off, audit_off_count), .max = 64, .fallback = "",
		.help = "drop reasons (docs/drops.md) of which no ipsec_audit line is written (AUD-04)"},
};
SECTION(control, "control", config_control, control_settings);

static const struct setting transport_peer_settings[] = {
	{.name = "identity", .kind = SETTING_TEXT, AT(config_transport_peer, identity),
		.help = "of the peer, as it authenticated itself to charon; \"*\": anybody's"},
	{.name = "addresses", .kind = SETTING_PREFIXES, LIST(config_transport_peer, addresses, address_count), .min = 1, .max = 256,
		.help = "where its transport mode SAs may end"},
};
SECTION(transport_peer, "transport peer", config_transport_peer, transport_peer_settings);

static const struct setting keying_settings[] = {
	{.name = "socket", .kind = SETTING_TEXT, .restart = true, AT(config_keying, socket), .fallback = "",
		.help = "where strongSwan's plugin connects, \"/run/homeport/keying.sock\"; empty: no IKE"},
	{.name = "user", .kind = SETTING_TEXT, .restart = true, AT(config_keying, user), .fallback = "",
		.help = "that charon runs as; root and control's own user may connect anyway"},
	{.name = "vrf", .kind = SETTING_INTEGER, .restart = true, AT(config_keying, vrf), .max = 65535, .fallback = "0",
		.help = "routing table of what it negotiates"},
	{.name = "grace_s", .kind = SETTING_INTEGER, AT(config_keying, grace_s), .max = 3600, .fallback = "60", .unit = "s",
		.help = "after control restarted, the dataplane's SAs wait so long for charon to name them again (HA-07)"},
	{.name = "replay_window", .kind = SETTING_INTEGER, AT(config_keying, replay_window), .max = 4096, .late = true,
		.fallback = "1024, or dataplane.max_replay_window when that is less", .unit = "packets",
		.help = "of a negotiated SA, at least; one that charon switched off stays off (KIF-13)"},
	{.name = "transport", .kind = SETTING_WORD, AT(config_keying, transport), .words = transport_words, .fallback = "listed",
		.help = "transport mode SAs end at transport_peers; or also at the IKE peer's address, or also at its further MOBIKE addresses (TRN-11)"},
	{.name = "transport_peers", .kind = SETTING_GROUPS, LIST(config_keying, transport_peers, transport_peer_count), .max = 4096,
		.fallback = "", .section = &schema_transport_peer, .help = "where transport mode SAs may end, by identity"},
	{.name = "peers", .kind = SETTING_PREFIXES, LIST(config_keying, peers, peer_count), .max = 256, .fallback = "",
		.help = "outer addresses that a peer may have or move to; empty: all (MOB-11)"},
};
SECTION(keying, "keying", config_keying, keying_settings);

static const struct setting home_network_settings[] = {
	{.name = "prefix", .kind = SETTING_PREFIX, AT(config_home_network, prefix), .help = "home addresses"},
	{.name = "port", .kind = SETTING_PORT, AT(config_home_network, port), .fallback = "",
		.help = "port of the home link; empty: a virtual home network, its nodes are always away (HA4-ROLE-04)"},
	{.name = "advertise", .kind = SETTING_BOOLEAN, AT(config_home_network, advertise), .late = true,
		.fallback = "true on a link, false on a virtual one", .help = "send agent advertisements (HA4-HOME-14)"},
	{.name = "advertise_prefix_lengths", .kind = SETTING_BOOLEAN, AT(config_home_network, advertise_prefix_lengths),
		.fallback = "false", .help = "with the Prefix-Lengths extension; all agents of a subnet or none (HA4-HOME-18)"},
	{.name = "advertise_interval_s", .kind = SETTING_INTEGER, AT(config_home_network, advertise_interval_s), .min = 1,
		.max = 1800, .fallback = "5", .unit = "s", .help = "between advertisements, slightly randomised"},
	{.name = "solicit_ttl1", .kind = SETTING_BOOLEAN, AT(config_home_network, solicit_ttl1), .fallback = "false",
		.help = "ignore solicitations whose TTL is not 1 (HA4-HOME-19)"},
	{.name = "broadcast_ports", .kind = SETTING_NUMBERS, AT(config_home_network, broadcast_ports), .min = 1, .max = 65535,
		.fallback = "", .help = "UDP ports whose broadcasts follow nodes with B=1; [65535] = all (HA4-BCM-02)"},
	{.name = "broadcast_rate", .kind = SETTING_INTEGER, AT(config_home_network, broadcast_rate), .min = 0, .max = 1000000,
		.fallback = "100", .unit = "1/s", .help = "broadcast copies of one binding; 0 = none"},
};
SECTION(home_network, "home network", config_home_network, home_network_settings);

static const struct setting pool_settings[] = {
	{.name = "name", .kind = SETTING_TEXT, AT(config_pool, name), .help = "for logs and operators"},
	{.name = "first", .kind = SETTING_ADDRESS, AT(config_pool, first), .help = "first home address of the pool"},
	{.name = "last", .kind = SETTING_ADDRESS, AT(config_pool, last), .help = "last one, itself included"},
};
SECTION(pool, "pool", config_pool, pool_settings);

static const struct setting instance_settings[] = {
	{.name = "name", .kind = SETTING_TEXT, .restart = true, AT(config_instance, name), .help = "unique"},
	{.name = "role", .kind = SETTING_WORD, .restart = true, AT(config_instance, role), .words = role_words, .fallback = "plain",
		.help = "plain RFC 5944 home agent, or the internal or external one of RFC 5265 (HA4-ROLE-01)"},
	{.name = "vrf", .kind = SETTING_INTEGER, .restart = true, AT(config_instance, vrf), .max = 65535, .fallback = "0",
		.help = "routing table of its addresses and home networks"},
	{.name = "addresses", .kind = SETTING_ADDRESSES, LIST(config_instance, addresses, address_count), .min = 1, .max = 64,
		.help = "home agent addresses; the first answers requests that were broadcast"},
	{.name = "home_networks", .kind = SETTING_GROUPS, LIST(config_instance, home_networks, home_network_count), .min = 1,
		.max = 4096, .section = &schema_home_network, .help = "what it is home agent for"},
	{.name = "pools", .kind = SETTING_GROUPS, LIST(config_instance, pools, pool_count), .max = 4096, .fallback = "",
		.section = &schema_pool, .help = "home addresses to hand out to nodes that have a NAI (HA4-DYN-03)"},
	{.name = "trusted", .kind = SETTING_PREFIXES, LIST(config_instance, trusted, trusted_count), .max = 4096, .fallback = "",
		.help = "i-HA: subnets from which it accepts requests; empty: none (HA4-TNC-01)"},
	{.name = "tunnel_inner", .kind = SETTING_PREFIXES, LIST(config_instance, tunnel_inner, tunnel_inner_count), .max = 4096,
		.fallback = "", .help = "addresses that the VPN gives to its tunnels' inner side (TIA pools, HA4-TNC-04)"},
	{.name = "services", .kind = SETTING_NAMES, LIST(config_instance, services, service_count), .max = 256, .fallback = "",
		.help = "known services (RFC 5446); empty: the extension is skipped (HA4-XTN-05)"},
	{.name = "redirect", .kind = SETTING_ADDRESSES, LIST(config_instance, redirect, redirect_count), .max = 64, .fallback = "",
		.help = "home agents to which dynamic_ha sends nodes; empty: they stay here (HA4-DYN-13)"},
	{.name = "max_lifetime_s", .kind = SETTING_INTEGER, AT(config_instance, max_lifetime_s), .min = 1, .max = 65535,
		.fallback = "36000", .unit = "s", .help = "longest lifetime granted; 65535 allows infinite ones (HA4-BND-03)"},
	{.name = "nat_max_lifetime_s", .kind = SETTING_INTEGER, AT(config_instance, nat_max_lifetime_s), .min = 1, .max = 65535,
		.fallback = "60", .unit = "s", .help = "the same for bindings with a UDP tunnel (HA4-NAT-13)"},
	{.name = "keepalive_s", .kind = SETTING_INTEGER, AT(config_instance, keepalive_s), .min = 0, .max = 65535, .fallback = "0",
		.unit = "s", .help = "keepalive interval told to nodes behind a NAT; 0: their own default, else 10 or more (HA4-NAT-12)"},
	{.name = "simultaneous_bindings", .kind = SETTING_INTEGER, AT(config_instance, simultaneous_bindings), .min = 1, .max = 8,
		.fallback = "3", .help = "care-of addresses of one home address; 1 = unsupported (HA4-BND-08)"},
	{.name = "max_bindings", .kind = SETTING_INTEGER, AT(config_instance, max_bindings), .min = 1, .max = 16777216, .late = true,
		.fallback = "dataplane.max_bindings", .help = "code 130 beyond it (HA4-OPS-33)"},
	{.name = "hold_down_s", .kind = SETTING_INTEGER, AT(config_instance, hold_down_s), .min = 0, .max = 86400, .fallback = "60",
		.unit = "s", .help = "before a pool address goes to another node (HA4-DYN-06)"},
	{.name = "revocation_retry_ms", .kind = SETTING_INTEGER, AT(config_instance, revocation_retry_ms), .min = 1000, .max = 60000,
		.fallback = "1000", .unit = "ms", .help = "first retransmission of a Revocation, doubling (HA4-RVK-08)"},
	{.name = "gre", .kind = SETTING_BOOLEAN, AT(config_instance, gre), .fallback = "true", .help = "GRE tunnels on request"},
	{.name = "minimal", .kind = SETTING_BOOLEAN, AT(config_instance, minimal), .fallback = "true",
		.help = "minimal encapsulation on request (RFC 2004)"},
	{.name = "nat_traversal", .kind = SETTING_BOOLEAN, AT(config_instance, nat_traversal), .fallback = "true",
		.help = "UDP tunnels (RFC 3519)"},
	{.name = "nat_force", .kind = SETTING_BOOLEAN, AT(config_instance, nat_force), .fallback = "false",
		.help = "grant the F bit: a UDP tunnel although no NAT was seen"},
	{.name = "reverse_tunnel", .kind = SETTING_BOOLEAN, AT(config_instance, reverse_tunnel), .fallback = "true",
		.help = "grant the T bit (RFC 3024)"},
	{.name = "reverse_tunnel_mandatory", .kind = SETTING_BOOLEAN, AT(config_instance, reverse_tunnel_mandatory),
		.fallback = "false", .help = "deny requests without the T bit"},
	{.name = "source_mismatch_accept", .kind = SETTING_BOOLEAN, AT(config_instance, source_mismatch_accept),
		.fallback = "false", .help = "accept a request whose source is neither care-of nor home address (HA4-REG-19)"},
	{.name = "reply_auth_failure", .kind = SETTING_BOOLEAN, AT(config_instance, reply_auth_failure), .fallback = "true",
		.help = "answer a bad authenticator with code 131 (HA4-AUTH-12)"},
	{.name = "dynamic_ha", .kind = SETTING_BOOLEAN, AT(config_instance, dynamic_ha), .fallback = "false",
		.help = "dynamic home agent assignment (RFC 4433, HA4-DYN-11)"},
	{.name = "strict_reserved", .kind = SETTING_BOOLEAN, AT(config_instance, strict_reserved), .fallback = "false",
		.help = "reserved bits that are set make a request poorly formed (HA4-DEC-02)"},
	{.name = "nemo", .kind = SETTING_BOOLEAN, AT(config_instance, nemo), .fallback = "false", .help = "mobile networks (RFC 5177)"},
	{.name = "revocation", .kind = SETTING_BOOLEAN, AT(config_instance, revocation), .fallback = "true",
		.help = "registration revocation (RFC 3543)"},
	{.name = "revocation_required", .kind = SETTING_BOOLEAN, AT(config_instance, revocation_required), .fallback = "false",
		.help = "deny requests that do not offer it (HA4-RVK-04)"},
	{.name = "challenge_copy", .kind = SETTING_BOOLEAN, AT(config_instance, challenge_copy), .fallback = "true",
		.help = "copy the MN-FA Challenge into the reply (HA4-XTN-07)"},
	{.name = "drop_internal", .kind = SETTING_BOOLEAN, AT(config_instance, drop_internal), .fallback = "false",
		.help = "x-HA: ignore requests that came through a port of zone internal (HA4-TNC-08)"},
	{.name = "mn_aaa", .kind = SETTING_WORD, AT(config_instance, mn_aaa), .words = mn_aaa_words, .fallback = "ignore",
		.help = "what to do with a Mobile-AAA authentication extension (HA4-AUTH-15)"},
	{.name = "replay_default", .kind = SETTING_WORD, AT(config_instance, replay_default), .words = replay_words,
		.fallback = "timestamp", .help = "replay protection of security contexts that do not name one"},
	{.name = "binding_check", .kind = SETTING_BOOLEAN, AT(config_instance, binding_check), .fallback = "true",
		.help = "reverse tunnels: the outer source must be a care-of address of the inner one (HA4-REV-04)"},
	{.name = "require_t", .kind = SETTING_BOOLEAN, AT(config_instance, require_t), .fallback = "false",
		.help = "drop reverse-tunnelled datagrams of bindings without T (HA4-REV-05)"},
	{.name = "ecn_compatibility", .kind = SETTING_BOOLEAN, AT(config_instance, ecn_compatibility), .fallback = "false",
		.help = "outer ECN field 00 (RFC 6040 4.3)"},
	{.name = "dscp_copy_in", .kind = SETTING_BOOLEAN, AT(config_instance, dscp_copy_in), .fallback = "false",
		.help = "decapsulation: the outer DSCP replaces the inner one"},
	{.name = "df_copy", .kind = SETTING_BOOLEAN, AT(config_instance, df_copy), .fallback = "false",
		.help = "outer DF as the inner one; else always set"},
	{.name = "fragment_after", .kind = SETTING_BOOLEAN, AT(config_instance, fragment_after), .fallback = "false",
		.help = "fragment outside the tunnel header instead of inside (HA4-MTU-04)"},
	{.name = "reverse_multicast", .kind = SETTING_BOOLEAN, AT(config_instance, reverse_multicast), .fallback = "false",
		.help = "forward multicast out of reverse tunnels (HA4-BCM-05)"},
	{.name = "mss_clamp", .kind = SETTING_BOOLEAN, AT(config_instance, mss_clamp), .fallback = "false",
		.help = "lower the TCP MSS to what the tunnel carries (HA4-MTU-15)"},
	{.name = "away_source", .kind = SETTING_WORD, AT(config_instance, away_source), .words = away_source_words,
		.fallback = "accept", .help = "un-tunnelled datagrams from an away home address (HA4-REV-17)"},
	{.name = "udp_tunnel_checksum", .kind = SETTING_WORD, AT(config_instance, udp_tunnel_checksum), .words = udp_checksum_words,
		.fallback = "off", .help = "UDP checksum of tunnel data sent; off sends 0 (HA4-NAT-25)"},
	{.name = "old_care_of_grace_ms", .kind = SETTING_INTEGER, AT(config_instance, old_care_of_grace_ms), .min = 0, .max = 5000,
		.fallback = "0", .unit = "ms", .help = "after a handover, datagrams from the old care-of address are accepted (HA4-REV-16)"},
	{.name = "tunnel_ttl", .kind = SETTING_INTEGER, AT(config_instance, tunnel_ttl), .min = 1, .max = 255, .fallback = "64",
		.help = "TTL or hop limit of the outer header"},
	{.name = "dscp", .kind = SETTING_INTEGER, AT(config_instance, dscp), .min = -1, .max = 63, .fallback = "-1",
		.help = "outer DSCP; -1 copies the inner one"},
	{.name = "police_endpoint_rate", .kind = SETTING_INTEGER, AT(config_instance, police_endpoint_rate), .min = 1,
		.max = 10000000, .fallback = "5", .unit = "1/s", .help = "messages of one source address and port (HA4-OPS-30)"},
	{.name = "police_endpoint_burst", .kind = SETTING_INTEGER, AT(config_instance, police_endpoint_burst), .min = 1,
		.max = 10000000, .fallback = "10", .help = "as many at once"},
	{.name = "police_source_rate", .kind = SETTING_INTEGER, AT(config_instance, police_source_rate), .min = 1, .max = 10000000,
		.fallback = "500", .unit = "1/s", .help = "messages of one source address (HA4-OPS-30)"},
	{.name = "police_instance_rate", .kind = SETTING_INTEGER, AT(config_instance, police_instance_rate), .min = 0,
		.max = 10000000, .fallback = "0", .unit = "1/s", .help = "messages in all; 0 = no limit"},
	{.name = "auth_failure_reply_rate", .kind = SETTING_INTEGER, AT(config_instance, auth_failure_reply_rate), .min = 0,
		.max = 10000000, .fallback = "100", .unit = "1/s", .help = "replies to failed authentications in all (HA4-OPS-31)"},
	{.name = "node_rate", .kind = SETTING_INTEGER, AT(config_instance, node_rate), .min = 0, .max = 10000000, .fallback = "1",
		.unit = "1/s", .help = "registrations accepted of one node; 0 = no limit (HA4-OPS-32)"},
	{.name = "node_burst", .kind = SETTING_INTEGER, AT(config_instance, node_burst), .min = 1, .max = 10000000, .fallback = "5",
		.help = "as many at once"},
	{.name = "nat_move_limit", .kind = SETTING_INTEGER, AT(config_instance, nat_move_limit), .min = 0, .max = 100000,
		.fallback = "10", .unit = "1/min", .help = "changes of a NAT endpoint before they are logged and limited (HA4-NAT-27)"},
	{.name = "gratuitous_arp_count", .kind = SETTING_INTEGER, AT(config_instance, gratuitous_arp_count), .min = 1, .max = 10,
		.fallback = "3", .help = "gratuitous ARPs sent when a node leaves or comes home"},
	{.name = "reply_ttl", .kind = SETTING_INTEGER, AT(config_instance, reply_ttl), .min = 64, .max = 255, .fallback = "64",
		.help = "TTL of replies and revocations (HA4-RRP-15)"},
	{.name = "reply_dscp", .kind = SETTING_INTEGER, AT(config_instance, reply_dscp), .min = 0, .max = 63, .fallback = "48",
		.help = "their DSCP; 48 is CS6, network control"},
	{.name = "max_extensions", .kind = SETTING_INTEGER, AT(config_instance, max_extensions), .min = 1, .max = 64,
		.fallback = "64", .help = "extensions of one message; more are discarded (HA4-EXT-14)"},
	{.name = "max_message", .kind = SETTING_INTEGER, AT(config_instance, max_message), .min = 64, .max = 1472,
		.fallback = "1472", .unit = "octets", .help = "UDP payload of one message; a longer one is discarded (HA4-EXT-14)"},
	{.name = "identity", .kind = SETTING_TEXT, AT(config_instance, identity), .fallback = "",
		.help = "the home agent's own NAI, told to nodes that register anew (RFC 3846); empty: not told (HA4-XTN-01)"},
	{.name = "service_echo", .kind = SETTING_BOOLEAN, AT(config_instance, service_echo), .fallback = "false",
		.help = "repeat the Service Selection extension in the reply (HA4-XTN-08)"},
	{.name = "message", .kind = SETTING_TEXT, AT(config_instance, message), .fallback = "",
		.help = "text of the Message String in denials; empty: none (HA4-XTN-03)"},
};
SECTION(instance, "instance", config_instance, instance_settings);

static const struct setting security_settings[] = {
	{.name = "spi", .kind = SETTING_INTEGER, AT(config_security, spi), .min = 2, .max = 4294967295,
		.help = "security parameter index, 256 or more (HA4-AUTH-02); 2 is CHAP_SPI, a mobile node's Mobile-AAA key (HA4-AUTH-15)"},
	{.name = "algorithm", .kind = SETTING_WORD, AT(config_security, algorithm), .words = algorithm_words, .fallback = "hmac-md5",
		.help = "of the authenticator; keyed-md5 is the prefix+suffix mode of RFC 2002"},
	{.name = "key", .kind = SETTING_KEY, AT(config_security, key),
		.second = offsetof(struct config_security, key_file), .fallback = "", .unit = "hex",
		.help = "this or key_file; any octets, 16 to 128 recommended"},
	{.name = "key_file", .kind = SETTING_TEXT, AT(config_security, key_file), .fallback = "",
		.help = "file that holds the key in hex; must not be readable by group or others"},
	{.name = "replay", .kind = SETTING_WORD, AT(config_security, replay), .words = replay_words, .late = true,
		.fallback = "the instance's replay_default", .help = "style of replay protection (HA4-RPL-01)"},
	{.name = "tolerance_s", .kind = SETTING_INTEGER, AT(config_security, tolerance_s), .min = 1, .max = 3600, .fallback = "7",
		.unit = "s", .help = "clock difference of a timestamp; warned about below 4 and above 60 (HA4-RPL-05, -17)"},
	{.name = "require_udp_checksum", .kind = SETTING_BOOLEAN, AT(config_security, require_udp_checksum), .fallback = "false",
		.help = "refuse messages without a UDP checksum"},
	{.name = "not_before", .kind = SETTING_INTEGER, AT(config_security, not_before), .max = 253402300799, .fallback = "0",
		.unit = "Unix s", .help = "key rollover: first second of validity; 0 = open (HA4-AUTH-23)"},
	{.name = "not_after", .kind = SETTING_INTEGER, AT(config_security, not_after), .max = 253402300799, .fallback = "0",
		.unit = "Unix s", .help = "last second of validity; 0 = open"},
};
SECTION(security, "security context", config_security, security_settings);

static const struct setting mobile_node_settings[] = {
	{.name = "nai", .kind = SETTING_TEXT, AT(config_mobile_node, nai), .fallback = "",
		.help = "\"user@realm\", or \"@realm\" for every user of a realm"},
	{.name = "home_address", .kind = SETTING_HOME, AT(config_mobile_node, home_address), .fallback = "",
		.help = "one home address, or a prefix for every node in it; this or nai"},
	{.name = "instance", .kind = SETTING_INSTANCE, AT(config_mobile_node, instance), .fallback = "",
		.help = "whose node it is; may be left out when there is one instance"},
	{.name = "security", .kind = SETTING_GROUPS, LIST(config_mobile_node, security, security_count), .min = 1, .max = 16,
		.section = &schema_security, .help = "shared security contexts; the first is the default (HA4-AUTH-13)"},
	{.name = "home_addresses", .kind = SETTING_ADDRESSES, LIST(config_mobile_node, home_addresses, home_address_count),
		.max = 256, .fallback = "", .help = "static home addresses of this NAI (HA4-DYN-09)"},
	{.name = "networks", .kind = SETTING_PREFIXES, LIST(config_mobile_node, networks, network_count), .max = 64, .fallback = "",
		.help = "mobile networks that it may register"},
	{.name = "implicit_networks", .kind = SETTING_BOOLEAN, AT(config_mobile_node, implicit_networks), .fallback = "false",
		.help = "register all of them without being asked (HA4-NEMO-01)"},
	{.name = "care_of_allowed", .kind = SETTING_PREFIXES, LIST(config_mobile_node, care_of_allowed, care_of_allowed_count),
		.max = 256, .fallback = "", .help = "where it may roam; empty: everywhere"},
	{.name = "agents_allowed", .kind = SETTING_PREFIXES, LIST(config_mobile_node, agents_allowed, agents_allowed_count),
		.max = 256, .fallback = "", .help = "foreign agents it may register through, by care-of address; empty: all (HA4-REG-13)"},
	{.name = "zone", .kind = SETTING_WORD, AT(config_mobile_node, zone), .words = roaming_words, .fallback = "any",
		.help = "ports from which it may register (HA4-REG-13)"},
	{.name = "hours", .kind = SETTING_TEXT, AT(config_mobile_node, hours), .fallback = "",
		.help = "\"08:00-18:00\", UTC, when it may register; may pass midnight; empty: always (HA4-REG-13)"},
	{.name = "services", .kind = SETTING_NAMES, LIST(config_mobile_node, services, service_count), .max = 256, .fallback = "",
		.help = "services it may select"},
	{.name = "dynamic_address", .kind = SETTING_BOOLEAN, AT(config_mobile_node, dynamic_address), .fallback = "true",
		.help = "may get a home address from a pool"},
	{.name = "reverse_tunnel_mandatory", .kind = SETTING_BOOLEAN, AT(config_mobile_node, reverse_tunnel_mandatory),
		.fallback = "false", .help = "deny its requests without the T bit"},
	{.name = "nat_traversal", .kind = SETTING_BOOLEAN, AT(config_mobile_node, nat_traversal), .fallback = "true",
		.help = "may use UDP tunnels, if the instance does"},
	{.name = "nat_force", .kind = SETTING_BOOLEAN, AT(config_mobile_node, nat_force), .fallback = "false",
		.help = "may force one with the F bit"},
	{.name = "mobile_router", .kind = SETTING_BOOLEAN, AT(config_mobile_node, mobile_router), .fallback = "false",
		.help = "may register mobile networks (RFC 5177)"},
	{.name = "requires_ipsec", .kind = SETTING_BOOLEAN, AT(config_mobile_node, requires_ipsec), .fallback = "false",
		.help = "its traffic passes under IPsec only (HA4-MODE-06)"},
	{.name = "max_lifetime_s", .kind = SETTING_INTEGER, AT(config_mobile_node, max_lifetime_s), .max = 65535, .fallback = "0",
		.unit = "s", .help = "longest lifetime granted; 0: the instance's"},
	{.name = "max_bindings", .kind = SETTING_INTEGER, AT(config_mobile_node, max_bindings), .max = 8, .fallback = "0",
		.help = "simultaneous bindings; 0: the instance's"},
};
SECTION(mobile_node, "mobile node", config_mobile_node, mobile_node_settings);

static const struct setting foreign_agent_settings[] = {
	{.name = "address", .kind = SETTING_ADDRESS, AT(config_foreign_agent, address), .help = "of the foreign agent"},
	{.name = "instance", .kind = SETTING_INSTANCE, AT(config_foreign_agent, instance), .fallback = "",
		.help = "that knows it; may be left out when there is one instance"},
	{.name = "security", .kind = SETTING_GROUPS, LIST(config_foreign_agent, security, security_count), .max = 16, .fallback = "",
		.section = &schema_security, .help = "shared security contexts; empty: known, but none shared"},
};
SECTION(foreign_agent, "foreign agent", config_foreign_agent, foreign_agent_settings);

static const struct setting binding_settings[] = {
	{.name = "home_address", .kind = SETTING_ADDRESS, AT(config_binding, home_address), .help = "bound for ever (HA4-BND-12)"},
	{.name = "care_of_address", .kind = SETTING_ADDRESS, AT(config_binding, care_of_address), .help = "end of the tunnel"},
	{.name = "instance", .kind = SETTING_INSTANCE, AT(config_binding, instance), .fallback = "",
		.help = "that holds it; may be left out when there is one instance"},
};
SECTION(binding, "binding", config_binding, binding_settings);

static const struct setting security_association_settings[] = {
	{.name = "name", .kind = SETTING_TEXT, AT(config_security_association, name),
		.help = "by which policies and operators refer to the pair; unique"},
	{.name = "mode", .kind = SETTING_WORD, AT(config_security_association, mode), .words = esp_mode_words, .fallback = "tunnel",
		.help = "fixed for its life (HA4-SPD-09)"},
	{.name = "vrf", .kind = SETTING_INTEGER, AT(config_security_association, vrf), .max = 65535, .fallback = "0",
		.help = "routing table of the outer and the inner packets"},
	{.name = "local", .kind = SETTING_ADDRESS, AT(config_security_association, local),
		.help = "our outer address"},
	{.name = "remote", .kind = SETTING_ADDRESS, AT(config_security_association, remote),
		.help = "the peer's outer address"},
	{.name = "encap", .kind = SETTING_BOOLEAN, AT(config_security_association, encap), .fallback = "false",
		.help = "ESP in UDP (RFC 3948)"},
	{.name = "local_port", .kind = SETTING_INTEGER, AT(config_security_association, local_port), .min = 1, .max = 65535, .fallback = "4500",
		.help = "our UDP port with encap (NAT-07)"},
	{.name = "remote_port", .kind = SETTING_INTEGER, AT(config_security_association, remote_port), .min = 1, .max = 65535, .fallback = "4500",
		.help = "the peer's, as seen from here"},
	{.name = "spi_in", .kind = SETTING_INTEGER, AT(config_security_association, spi_in), .min = 256, .max = 4294967295,
		.help = "of what we receive; unique among all pairs (SAD-01)"},
	{.name = "spi_out", .kind = SETTING_INTEGER, AT(config_security_association, spi_out), .min = 256, .max = 4294967295,
		.help = "of what we send, chosen by the peer"},
	{.name = "reqid", .kind = SETTING_INTEGER, AT(config_security_association, reqid), .min = 0, .max = 4294967295, .fallback = "0",
		.help = "groups associations of one purpose, for logs and events"},
	{.name = "algorithm", .kind = SETTING_TEXT, AT(config_security_association, algorithm),
		.help = "as strongSwan names them: aes128gcm16, aes256-sha256, chacha20poly1305, null-sha256, ..."},
	{.name = "key_in", .kind = SETTING_KEY, AT(config_security_association, key_in), .second = offsetof(struct config_security_association, key_file), .fallback = "", .unit = "hex",
		.help = "encryption key, salt and integrity key in one; this and key_out, or key_file"},
	{.name = "key_out", .kind = SETTING_KEY, AT(config_security_association, key_out), .second = offsetof(struct config_security_association, key_file), .fallback = "", .unit = "hex",
		.help = "the same of what we send"},
	{.name = "key_file", .kind = SETTING_TEXT, AT(config_security_association, key_file), .fallback = "",
		.help = "file with a line \"in HEX\" and a line \"out HEX\"; must not be readable by group or others"},
	{.name = "unsafe_static_keys", .kind = SETTING_BOOLEAN, AT(config_security_association, unsafe_static_keys), .fallback = "false",
		.help = "counter modes (GCM, CCM, CTR, GMAC, ChaCha20) with a key of the configuration repeat nonces when both processes restart, which gives the key away: only for tests (ESP-ALG-20)"},
	{.name = "esn", .kind = SETTING_BOOLEAN, AT(config_security_association, esn), .fallback = "false",
		.help = "64-bit sequence numbers, as agreed with the peer"},
	{.name = "replay_window", .kind = SETTING_INTEGER, AT(config_security_association, replay_window), .max = 4096, .late = true, .fallback = "1024, or dataplane.max_replay_window when that is less", .unit = "packets",
		.help = "0: replays pass; else 32 or more (ESP-SEQ-12)"},
	{.name = "copy_df", .kind = SETTING_WORD, AT(config_security_association, copy_df), .words = copy_df_words, .fallback = "yes",
		.help = "outer DF: the inner one's, set, or clear (HA4-SPD-13)"},
	{.name = "copy_ecn", .kind = SETTING_BOOLEAN, AT(config_security_association, copy_ecn), .fallback = "true",
		.help = "RFC 6040; false sends ECN 00 outside (compatibility mode)"},
	{.name = "copy_dscp", .kind = SETTING_WORD, AT(config_security_association, copy_dscp), .words = copy_dscp_words, .fallback = "out",
		.help = "into the outer header, from it into the inner one, both, or neither"},
	{.name = "dscp", .kind = SETTING_INTEGER, AT(config_security_association, dscp), .max = 63, .fallback = "0",
		.help = "of the outer header when it is not copied"},
	{.name = "tunnel_ttl", .kind = SETTING_INTEGER, AT(config_security_association, tunnel_ttl), .min = 1, .max = 255, .fallback = "64",
		.help = "outer TTL or hop limit"},
	{.name = "path_mtu", .kind = SETTING_INTEGER, AT(config_security_association, path_mtu), .max = 65535, .fallback = "0", .unit = "octets",
		.help = "cap of the outer path's MTU; 0: the egress port's"},
	{.name = "tfc_padding", .kind = SETTING_INTEGER, AT(config_security_association, tfc_padding), .max = 65535, .fallback = "0", .unit = "octets",
		.help = "pad to this length; 65535: to the MTU (ESP-FMT-15)"},
	{.name = "fragment_after", .kind = SETTING_BOOLEAN, AT(config_security_association, fragment_after), .fallback = "false",
		.help = "cut the ESP packet instead of the inner one (MTU-03)"},
	{.name = "icmp_inspect", .kind = SETTING_BOOLEAN, AT(config_security_association, icmp_inspect), .fallback = "true",
		.help = "check the packet inside an ICMP error against the selectors (ESP-IN-09)"},
	{.name = "follow_mapping", .kind = SETTING_BOOLEAN, AT(config_security_association, follow_mapping), .fallback = "false",
		.help = "send to where the newest authentic packet came from (NAT-09); with encap"},
	{.name = "udp_zero_checksum", .kind = SETTING_BOOLEAN, AT(config_security_association, udp_zero_checksum), .fallback = "false",
		.help = "encap over IPv6: send UDP checksum 0, and take it from the peer's own address and port alone (RFC 6935, RFC 6936, NAT-06)"},
	{.name = "rekey_time_s", .kind = SETTING_INTEGER, AT(config_security_association, rekey_time_s), .max = 4294967295, .fallback = "0", .unit = "s",
		.help = "soft limit since installation: an event; 0 = none"},
	{.name = "life_time_s", .kind = SETTING_INTEGER, AT(config_security_association, life_time_s), .max = 4294967295, .fallback = "0", .unit = "s",
		.help = "hard limit: the association stops; 0 = none"},
	{.name = "rekey_bytes", .kind = SETTING_INTEGER, AT(config_security_association, rekey_bytes), .max = INT64_MAX, .fallback = "0", .unit = "octets",
		.help = "soft limit of octets given to the cipher"},
	{.name = "life_bytes", .kind = SETTING_INTEGER, AT(config_security_association, life_bytes), .max = INT64_MAX, .fallback = "0", .unit = "octets",
		.help = "hard limit"},
	{.name = "rekey_packets", .kind = SETTING_INTEGER, AT(config_security_association, rekey_packets), .max = INT64_MAX, .fallback = "0",
		.help = "soft limit"},
	{.name = "life_packets", .kind = SETTING_INTEGER, AT(config_security_association, life_packets), .max = INT64_MAX, .fallback = "0",
		.help = "hard limit"},
	{.name = "local_ts", .kind = SETTING_SELECTORS, LIST(config_security_association, local_ts, local_ts_count), .max = 16, .late = true, .fallback = "transport: the outer address",
		.help = "our side of what may pass inside: \"10.1.0.0/16\", \"192.0.2.1[udp/434]\", \"10.0.0.1-10.0.0.9[tcp]\""},
	{.name = "remote_ts", .kind = SETTING_SELECTORS, LIST(config_security_association, remote_ts, remote_ts_count), .max = 16, .late = true, .fallback = "transport: the outer address",
		.help = "the peer's side; up to 16 of local times remote"},
};
SECTION(security_association, "security association", config_security_association, security_association_settings);

static const struct setting policy_settings[] = {
	{.name = "name", .kind = SETTING_TEXT, AT(config_policy, name),
		.help = "for logs and operators; unique"},
	{.name = "order", .kind = SETTING_INTEGER, AT(config_policy, order), .max = 4294967295,
		.help = "lower is looked at first; the first that matches decides (SPD-03)"},
	{.name = "vrf", .kind = SETTING_INTEGER, AT(config_policy, vrf), .max = 65535, .fallback = "0",
		.help = "routing table whose packets it is about"},
	{.name = "direction", .kind = SETTING_WORD, AT(config_policy, direction), .words = direction_words, .fallback = "both",
		.help = "of the packets"},
	{.name = "local_ts", .kind = SETTING_SELECTORS, LIST(config_policy, local_ts, local_ts_count), .min = 1, .max = 16,
		.help = "our side, whatever the direction, as in security associations"},
	{.name = "remote_ts", .kind = SETTING_SELECTORS, LIST(config_policy, remote_ts, remote_ts_count), .min = 1, .max = 16,
		.help = "the other side; ICMP types and codes as \"any[icmp/3:4]\", Mobility Header types as \"any6[mh/5]\""},
	{.name = "action", .kind = SETTING_WORD, AT(config_policy, action), .words = action_words,
		.help = "what happens to them"},
	{.name = "security_association", .kind = SETTING_TEXT, AT(config_policy, security_association), .fallback = "",
		.help = "protect: the pair that carries what goes out; what comes in clear is dropped (SPD-16)"},
	{.name = "mip_signalling", .kind = SETTING_BOOLEAN, AT(config_policy, mip_signalling), .fallback = "false",
		.help = "bypass: Mobile IP messages 1, 3, 7 and 15 alone, not tunnel data (HA4-SPD-06); reveals addresses and NAI"},
	{.name = "answer_icmp", .kind = SETTING_BOOLEAN, AT(config_policy, answer_icmp), .fallback = "false",
		.help = "discard: answer with \"administratively prohibited\" (AUD-09)"},
	{.name = "nested", .kind = SETTING_BOOLEAN, AT(config_policy, nested), .fallback = "false",
		.help = "protect: our own ESP too, which no other policy is asked about: one security association inside another (ESP-OUT-04)"},
};
SECTION(policy, "policy", config_policy, policy_settings);

static const struct setting route_settings[] = {
	{.name = "prefix", .kind = SETTING_PREFIX, AT(config_route, prefix), .help = "destinations"},
	{.name = "via", .kind = SETTING_ADDRESS, AT(config_route, via), .fallback = "", .help = "next hop; empty: on the link itself"},
	{.name = "port", .kind = SETTING_PORT, AT(config_route, port), .help = "out of which; the route is in the port's VRF"},
};
SECTION(route, "route", config_route, route_settings);

static const struct setting neighbor_settings[] = {
	{.name = "address", .kind = SETTING_ADDRESS, AT(config_neighbor, address), .help = "on the link"},
	{.name = "port", .kind = SETTING_PORT, AT(config_neighbor, port), .help = "of the link"},
	{.name = "mac", .kind = SETTING_MAC, AT(config_neighbor, mac), .second = SIZE_MAX, .help = "Ethernet address"},
};
SECTION(neighbor, "neighbor", config_neighbor, neighbor_settings);

static const struct setting local_settings[] = {
	{.name = "address", .kind = SETTING_ADDRESS, AT(config_local, address), .help = "of the kernel's side"},
	{.name = "port", .kind = SETTING_PORT, AT(config_local, port), .help = "whose exception TAP receives what is sent to it"},
};
SECTION(local, "local address", config_local, local_settings);

static const struct setting root_settings[] = {
	{.name = "dataplane", .kind = SETTING_GROUP, AT(config, dataplane), .fallback = "", .section = &schema_dataplane,
		.help = "the packet process; changes need its restart"},
	{.name = "control", .kind = SETTING_GROUP, AT(config, control), .fallback = "", .section = &schema_control,
		.help = "the registration process"},
	{.name = "keying", .kind = SETTING_GROUP, AT(config, keying), .fallback = "", .section = &schema_keying,
		.help = "strongSwan's charon as the IKE daemon"},
	{.name = "instances", .kind = SETTING_GROUPS, LIST(config, instances, instance_count), .max = 1024, .fallback = "",
		.section = &schema_instance, .help = "home agents; a reload may add some at the end"},
	{.name = "mobile_nodes", .kind = SETTING_GROUPS, LIST(config, mobile_nodes, mobile_node_count), .max = 4194304,
		.fallback = "", .section = &schema_mobile_node, .help = "who may register, with which key"},
	{.name = "foreign_agents", .kind = SETTING_GROUPS, LIST(config, foreign_agents, foreign_agent_count), .max = 65536,
		.fallback = "", .section = &schema_foreign_agent, .help = "that relay registrations"},
	{.name = "bindings", .kind = SETTING_GROUPS, LIST(config, bindings, binding_count), .max = 1048576, .fallback = "",
		.section = &schema_binding, .help = "static permanent bindings"},
	{.name = "security_associations", .kind = SETTING_GROUPS,
		LIST(config, security_associations, security_association_count), .max = 1048576, .fallback = "",
		.section = &schema_security_association, .help = "pairs with keys given by hand"},
	{.name = "policies", .kind = SETTING_GROUPS, LIST(config, policies, policy_count), .max = 4194304, .fallback = "",
		.section = &schema_policy,
		.help = "the ordered SPD; a vrf without any passes everything, with one what matches none is discarded (SPD-15)"},
	{.name = "routes", .kind = SETTING_GROUPS, LIST(config, routes, route_count), .max = 4194304, .fallback = "",
		.section = &schema_route, .help = "static routes, for ports without a kernel side"},
	{.name = "neighbors", .kind = SETTING_GROUPS, LIST(config, neighbors, neighbor_count), .max = 1048576, .fallback = "",
		.section = &schema_neighbor, .help = "static neighbours"},
	{.name = "locals", .kind = SETTING_GROUPS, LIST(config, locals, local_count), .max = 65536, .fallback = "",
		.section = &schema_local, .help = "addresses of the kernel's side that netlink does not tell"},
};
SECTION(root, "configuration", config, root_settings);
/* clang-format on */

bool schema_is_list(const struct setting *setting)
{
	return setting->kind >= SETTING_ADDRESSES && setting->kind <= SETTING_GROUPS;
}

size_t schema_element_size(const struct setting *setting)
{
	switch (setting->kind) {
	case SETTING_ADDRESSES:
		return sizeof(struct ip_address);
	case SETTING_PREFIXES:
		return sizeof(struct ip_prefix);
	case SETTING_NAMES:
		return CONFIG_NAME_SIZE;
	case SETTING_SELECTORS:
		return sizeof(struct traffic_selector);
	case SETTING_GROUPS:
		return setting->section->size;
	default:
		return 0;
	}
}
