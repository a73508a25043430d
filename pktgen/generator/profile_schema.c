#include "pktgen/generator/profile.h"

#include "config/schema.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define AT(type, member)                                                                           \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define LIST(type, member, count) AT(type, member), .second = offsetof(struct type, count)
#define SECTION(id, title, type, rows)                                                             \
	static const struct section id = {title, sizeof(struct type), rows, COUNT(rows)}

static const char *const encapsulation_words[] = {
	"plain", "ipip", "gre", "minimal", "mip-udp", "esp", NULL};
static const char *const mode_words[] = {"tunnel", "transport", NULL};
static const char *const direction_words[] = {"both", "up", "down", NULL};
static const char *const size_words[] = {"list", "imix", NULL};
static const char *const timing_words[] = {"rate", "timestamps", NULL};
static const char *const order_words[] = {"sequential", "random", NULL};
static const char *const algorithm_words[] = {
	"hmac-md5", "keyed-md5", "hmac-sha1", "hmac-sha256", NULL};

/* A table: one setting stays together on its lines. */
/* clang-format off */
static const struct setting port_settings[] = {
	{.name = "name", .kind = SETTING_TEXT, AT(profile_port, name), .help = "by which groups refer to the port; unique"},
	{.name = "address", .kind = SETTING_ADDRESS, AT(profile_port, address), .fallback = "",
		.help = "the generator's own IPv4 address on the link: the gateway's next hop to nodes or correspondents"},
	{.name = "address6", .kind = SETTING_ADDRESS, AT(profile_port, address6), .fallback = "", .help = "the same, IPv6"},
	{.name = "gateway", .kind = SETTING_ADDRESS, AT(profile_port, gateway), .fallback = "",
		.help = "the gateway's IPv4 address on the link; asked for by ARP unless gateway_mac is given"},
	{.name = "gateway6", .kind = SETTING_ADDRESS, AT(profile_port, gateway6), .fallback = "",
		.help = "the same, IPv6; for its configuration"},
	{.name = "gateway_mac", .kind = SETTING_MAC, AT(profile_port, gateway_mac), .second = offsetof(struct profile_port, has_gateway_mac),
		.fallback = "", .help = "Ethernet address that frames go to"},
	{.name = "mac", .kind = SETTING_MAC, AT(profile_port, mac), .second = offsetof(struct profile_port, has_mac), .fallback = "",
		.help = "Ethernet address instead of the device's own"},
	{.name = "vlan", .kind = SETTING_INTEGER, AT(profile_port, vlan), .max = 4094, .fallback = "0",
		.help = "IEEE 802.1Q tag of all frames, expected of all that come; 0: none. The device only carries it"},
	{.name = "tx_queues", .kind = SETTING_INTEGER, AT(profile_port, tx_queues), .min = 1, .max = PROFILE_SENDERS_MAX, .fallback = "1",
		.help = "transmit queues, at most one for each sending lcore, which share them otherwise: 1 suits every device, a NIC has more"},
};
SECTION(port_section, "port", profile_port, port_settings);

static const struct setting registration_settings[] = {
	{.name = "spi", .kind = SETTING_INTEGER, AT(profile_registration, spi), .min = 256, .max = UINT32_MAX, .fallback = "256",
		.help = "of the mobility security association that all nodes of the group share"},
	{.name = "algorithm", .kind = SETTING_WORD, AT(profile_registration, algorithm), .words = algorithm_words,
		.fallback = "hmac-md5", .help = "of the authenticator"},
	{.name = "key", .kind = SETTING_KEY, AT(profile_registration, key), .second = SIZE_MAX, .fallback = "",
		.help = "of the authenticator; without one it is made from the seed"},
	{.name = "lifetime_s", .kind = SETTING_INTEGER, AT(profile_registration, lifetime_s), .min = 10, .max = 65535,
		.fallback = "36000", .unit = "s", .help = "asked for; refreshed at half of what was granted"},
	{.name = "rate", .kind = SETTING_INTEGER, AT(profile_registration, rate), .max = 10000000, .fallback = "1000", .unit = "1/s",
		.help = "requests before the traffic begins; 0: as fast as it goes"},
	{.name = "in_flight", .kind = SETTING_INTEGER, AT(profile_registration, in_flight), .max = PROFILE_NODES_MAX, .fallback = "0",
		.help = "requests without an answer yet, at most, while all nodes register: with rate = 0 as fast as the gateway answers; 0: any number"},
	{.name = "timeout_ms", .kind = SETTING_INTEGER, AT(profile_registration, timeout_ms), .min = 100, .max = 3600000,
		.fallback = "30000", .unit = "ms", .help = "until all nodes are registered, else the run ends"},
	{.name = "retry_ms", .kind = SETTING_INTEGER, AT(profile_registration, retry_ms), .min = 1000, .max = 60000,
		.fallback = "1000", .unit = "ms", .help = "first retransmission of a request without reply, doubling"},
	{.name = "moves", .kind = SETTING_INTEGER, AT(profile_registration, moves), .max = 1000000, .fallback = "0", .unit = "1/s",
		.help = "nodes that change their care-of address and register there while traffic runs; inside ESP through the pair of associations that they have there"},
	{.name = "storm_ms", .kind = SETTING_INTEGER, AT(profile_registration, storm_ms), .max = 86400000, .fallback = "0", .unit = "ms",
		.help = "after so much of a trial all nodes register anew; 0: never"},
	{.name = "storm_rate", .kind = SETTING_INTEGER, AT(profile_registration, storm_rate), .max = 10000000, .fallback = "0",
		.unit = "1/s", .help = "requests of the storm; 0: as fast as it goes"},
};
SECTION(registration_section, "registration", profile_registration, registration_settings);

static const struct setting security_settings[] = {
	{.name = "mode", .kind = SETTING_WORD, AT(profile_security, mode), .words = mode_words, .fallback = "tunnel",
		.help = "transport: around the Mobile IP tunnel alone (RFC 3884); tunnel: of Mobile IP this is RFC 5266's mode mc, and vpn_address is needed"},
	{.name = "encap", .kind = SETTING_BOOLEAN, AT(profile_security, encap), .fallback = "false",
		.help = "ESP in UDP (RFC 3948), as through a NAT"},
	{.name = "algorithm", .kind = SETTING_TEXT, AT(profile_security, algorithm), .fallback = "aes128gcm16",
		.help = "as in the gateway's configuration"},
	{.name = "esn", .kind = SETTING_BOOLEAN, AT(profile_security, esn), .fallback = "true", .help = "64-bit sequence numbers"},
	{.name = "replay_window", .kind = SETTING_INTEGER, AT(profile_security, replay_window), .max = 4096, .fallback = "1024",
		.unit = "packets", .help = "for the gateway's configuration; 0: off"},
	{.name = "spi_up", .kind = SETTING_INTEGER, AT(profile_security, spi_up), .min = 256, .max = UINT32_MAX, .fallback = "268435456",
		.help = "SPI of node 0 towards the gateway, the others follow; with moves twice as many"},
	{.name = "spi_down", .kind = SETTING_INTEGER, AT(profile_security, spi_down), .min = 256, .max = UINT32_MAX,
		.fallback = "536870912", .help = "the same from the gateway"},
	{.name = "sequence_first", .kind = SETTING_INTEGER, AT(profile_security, sequence_first), .max = INT64_MAX, .fallback = "0",
		.help = "numbers towards the gateway begin behind it: to test long runs and the end of 32 bits"},
	{.name = "moves", .kind = SETTING_INTEGER, AT(profile_security, moves), .max = 1000000, .fallback = "0", .unit = "1/s",
		.help = "esp: peers that change their outer address while traffic runs and keep their associations; --moves writes them down for who tells the gateway"},
};
SECTION(security_section, "security", profile_security, security_settings);

static const struct setting group_settings[] = {
	{.name = "name", .kind = SETTING_TEXT, AT(profile_group, name), .help = "in reports; unique"},
	{.name = "encapsulation", .kind = SETTING_WORD, AT(profile_group, encapsulation), .words = encapsulation_words,
		.fallback = "plain", .help = "between node and gateway"},
	{.name = "direction", .kind = SETTING_WORD, AT(profile_group, direction), .words = direction_words, .fallback = "both",
		.help = "up: nodes send, down: correspondents send"},
	{.name = "access", .kind = SETTING_TEXT, AT(profile_group, access), .help = "port of the nodes"},
	{.name = "core", .kind = SETTING_TEXT, AT(profile_group, core), .help = "port of the correspondents; may be the same"},
	{.name = "nodes", .kind = SETTING_INTEGER, AT(profile_group, nodes), .min = 1, .max = PROFILE_NODES_MAX, .fallback = "1",
		.help = "mobile nodes or peers"},
	{.name = "correspondents", .kind = SETTING_INTEGER, AT(profile_group, correspondents), .min = 1, .max = PROFILE_NODES_MAX,
		.fallback = "1", .help = "node n talks to correspondent n modulo this"},
	{.name = "node", .kind = SETTING_ADDRESS, AT(profile_group, node),
		.help = "inner address (home address) of node 0, the others follow"},
	{.name = "correspondent", .kind = SETTING_ADDRESS, AT(profile_group, correspondent),
		.help = "address of correspondent 0, the others follow"},
	{.name = "care_of", .kind = SETTING_ADDRESS, AT(profile_group, care_of), .fallback = "",
		.help = "outer address of node 0, the others follow"},
	{.name = "care_of_count", .kind = SETTING_INTEGER, AT(profile_group, care_of_count), .max = PROFILE_NODES_MAX, .fallback = "0",
		.help = "outer addresses that the nodes share; 0: one each"},
	{.name = "agent", .kind = SETTING_ADDRESS, AT(profile_group, agent), .fallback = "", .help = "outer address of the gateway"},
	{.name = "home_agent", .kind = SETTING_ADDRESS, AT(profile_group, home_agent), .fallback = "",
		.help = "Mobile IP in tunnel mode ESP: the home agent's address inside, when agent is a VPN gateway in front of it or IPv6; without it agent"},
	{.name = "vpn_address", .kind = SETTING_ADDRESS, AT(profile_group, vpn_address), .fallback = "",
		.help = "Mobile IP in tunnel mode ESP: what the VPN gave node 0, its care-of address inside; the others follow, with moves twice as many"},
	{.name = "node_udp_port", .kind = SETTING_INTEGER, AT(profile_group, node_udp_port), .min = 1, .max = 65535,
		.fallback = "10001", .help = "of the measured datagrams"},
	{.name = "correspondent_udp_port", .kind = SETTING_INTEGER, AT(profile_group, correspondent_udp_port), .min = 1, .max = 65535,
		.fallback = "10002", .help = "the same at the other end"},
	{.name = "nat_port", .kind = SETTING_INTEGER, AT(profile_group, nat_port), .min = 1024, .max = 65535, .fallback = "20000",
		.help = "outer UDP port (mip-udp, security.encap) of the first node behind an outer address, the others follow; Mobile IP inside ESP: of its messages, all nodes'"},
	{.name = "nat_rebind_ms", .kind = SETTING_INTEGER, AT(profile_group, nat_rebind_ms), .max = 86400000, .fallback = "0", .unit = "ms",
		.help = "with security.encap: after so long the NAT gives every node another port; 0: never"},
	{.name = "share", .kind = SETTING_INTEGER, AT(profile_group, share), .min = 1, .max = 1000000, .fallback = "1",
		.help = "of the rate, relative to the other groups"},
	{.name = "dscp", .kind = SETTING_INTEGER, AT(profile_group, dscp), .max = 63, .fallback = "0", .help = "of the inner packets"},
	{.name = "dont_fragment", .kind = SETTING_BOOLEAN, AT(profile_group, dont_fragment), .fallback = "true",
		.help = "the DF bit of inner IPv4 packets"},
	{.name = "registration", .kind = SETTING_GROUP, AT(profile_group, registration), .fallback = "", .section = &registration_section,
		.help = "of all but plain and esp"},
	{.name = "security", .kind = SETTING_GROUP, AT(profile_group, security), .fallback = "", .section = &security_section,
		.help = "ESP: of esp, and of Mobile IP inside it; of esp its defaults will do"},
};
SECTION(group_section, "group", profile_group, group_settings);

static const struct setting traffic_settings[] = {
	{.name = "size_mode", .kind = SETTING_WORD, AT(profile_traffic, size_mode), .words = size_words, .fallback = "list",
		.help = "list: sizes in turn; imix: CSIT's mix, 7 of 64, 4 of 570, 1 of 1518"},
	{.name = "sizes", .kind = SETTING_NUMBERS, AT(profile_traffic, sizes), .min = PROFILE_SIZE_MIN, .max = PROFILE_SIZE_MAX,
		.fallback = "", .unit = "octets",
		.help = "of the plain frame with its check sequence, as RFC 2544 counts; none: 64"},
	{.name = "size_max", .kind = SETTING_INTEGER, AT(profile_traffic, size_max), .min = PROFILE_SIZE_MIN, .max = PROFILE_SIZE_MAX,
		.fallback = "1518", .unit = "octets", .help = "larger ones are cut to it, if it is given: what fits a tunnel"},
	{.name = "order", .kind = SETTING_WORD, AT(profile_traffic, order), .words = order_words, .fallback = "sequential",
		.help = "of the flows; random: a permutation drawn from the seed"},
	{.name = "rate", .kind = SETTING_INTEGER, AT(profile_traffic, rate), .max = 1000000000, .fallback = "1000", .unit = "1/s",
		.help = "packets of all flows together; 0: as fast as it goes. A search has it for its warm-up alone"},
	{.name = "packets", .kind = SETTING_INTEGER, AT(profile_traffic, packets), .max = INT64_MAX, .fallback = "0",
		.help = "of a trial, which ends with the last; 0: duration_ms alone ends it. Not of a search's"},
	{.name = "duration_ms", .kind = SETTING_INTEGER, AT(profile_traffic, duration_ms), .min = 1, .max = 604800000, .fallback = "1000",
		.unit = "ms", .help = "of a trial; a search has trial_ms"},
	{.name = "warm_up_ms", .kind = SETTING_INTEGER, AT(profile_traffic, warm_up_ms), .max = 600000, .fallback = "0", .unit = "ms",
		.help = "of traffic before the first trial; not counted"},
	{.name = "drain_ms", .kind = SETTING_INTEGER, AT(profile_traffic, drain_ms), .min = 1, .max = 60000, .fallback = "200", .unit = "ms",
		.help = "without any packet, after the last was sent, until the missing ones are lost; a tenth when none is missing, for doubles"},
	{.name = "burst", .kind = SETTING_INTEGER, AT(profile_traffic, burst), .min = 1, .max = 64, .fallback = "32",
		.help = "packets handed to a port at once, at most"},
	{.name = "trials", .kind = SETTING_INTEGER, AT(profile_traffic, trials), .min = 1, .max = 10000, .fallback = "1",
		.help = "at `rate`; a search does its own"},
};
SECTION(traffic_section, "traffic", profile_traffic, traffic_settings);

static const struct setting search_settings[] = {
	{.name = "name", .kind = SETTING_TEXT, AT(profile_search, name), .help = "\"ndr\", \"pdr\"; unique"},
	{.name = "loss_ppm", .kind = SETTING_INTEGER, AT(profile_search, loss_ppm), .max = 999999, .fallback = "0", .unit = "1/1,000,000",
		.help = "goal loss ratio; 0 for NDR, 5000 for PDR"},
	{.name = "width_ppm", .kind = SETTING_INTEGER, AT(profile_search, width_ppm), .min = 100, .max = 500000, .fallback = "5000",
		.unit = "1/1,000,000", .help = "goal width: between the bounds, relative to the upper one"},
	{.name = "exceed_ppm", .kind = SETTING_INTEGER, AT(profile_search, exceed_ppm), .max = 999999, .fallback = "500000",
		.unit = "1/1,000,000", .help = "goal exceed ratio: part of the trials that may lose more at a lower bound"},
	{.name = "duration_sum_ms", .kind = SETTING_INTEGER, AT(profile_search, duration_sum_ms), .min = 10, .max = 3600000,
		.fallback = "21000", .unit = "ms", .help = "goal duration sum: of the trials that decide on one load"},
	{.name = "trial_ms", .kind = SETTING_INTEGER, AT(profile_search, trial_ms), .min = 10, .max = 600000, .fallback = "1000",
		.unit = "ms", .help = "duration of each trial"},
};
SECTION(search_section, "search", profile_search, search_settings);

static const struct setting replay_settings[] = {
	{.name = "file", .kind = SETTING_TEXT, AT(profile_replay, file), .fallback = "", .help = "pcap file to send; empty: none"},
	{.name = "port", .kind = SETTING_TEXT, AT(profile_replay, port), .fallback = "", .help = "on which; empty: the first"},
	{.name = "loops", .kind = SETTING_INTEGER, AT(profile_replay, loops), .min = 1, .max = UINT32_MAX, .fallback = "1",
		.help = "times the file is sent"},
	{.name = "timing", .kind = SETTING_WORD, AT(profile_replay, timing), .words = timing_words, .fallback = "rate",
		.help = "rate: at traffic.rate; timestamps: as far apart as the file says"},
	{.name = "speed_percent", .kind = SETTING_INTEGER, AT(profile_replay, speed_percent), .min = 1, .max = 1000000, .fallback = "100",
		.unit = "%", .help = "with timestamps: of the recorded speed; 200 is twice as fast"},
};
SECTION(replay_section, "replay", profile_replay, replay_settings);

static const struct setting root_settings[] = {
	{.name = "seed", .kind = SETTING_INTEGER, AT(profile, seed), .max = INT64_MAX, .fallback = "1",
		.help = "of keys and of all that is random: the same profile and seed make the same packets"},
	{.name = "loopback", .kind = SETTING_BOOLEAN, AT(profile, loopback), .fallback = "false",
		.help = "no gateway: each packet comes back as it was sent"},
	{.name = "ports", .kind = SETTING_GROUPS, LIST(profile, ports, port_count), .min = 1, .max = PROFILE_PORTS_MAX,
		.section = &port_section, .help = "in the order of the EAL's ports"},
	{.name = "groups", .kind = SETTING_GROUPS, LIST(profile, groups, group_count), .max = PROFILE_GROUPS_MAX, .fallback = "",
		.section = &group_section, .help = "of nodes that are alike"},
	{.name = "traffic", .kind = SETTING_GROUP, AT(profile, traffic), .fallback = "", .section = &traffic_section, .help = "what is sent"},
	{.name = "search_min", .kind = SETTING_INTEGER, AT(profile, search_min), .min = 1, .max = 1000000000, .fallback = "9001",
		.unit = "1/s", .help = "smallest load of a search"},
	{.name = "search_max", .kind = SETTING_INTEGER, AT(profile, search_max), .min = 1, .max = 1000000000, .fallback = "14880952",
		.unit = "1/s", .help = "largest load of a search"},
	{.name = "searches", .kind = SETTING_GROUPS, LIST(profile, searches, search_count), .max = PROFILE_SEARCHES_MAX, .fallback = "",
		.section = &search_section, .help = "after MLRsearch, instead of traffic.rate"},
	{.name = "replay", .kind = SETTING_GROUP, AT(profile, replay), .fallback = "", .section = &replay_section,
		.help = "instead of groups"},
	{.name = "queue_size", .kind = SETTING_INTEGER, AT(profile, queue_size), .min = 64, .max = 32768, .fallback = "1024",
		.unit = "descriptors", .help = "of each port's queues"},
	{.name = "buffers", .kind = SETTING_INTEGER, AT(profile, buffers), .min = 1024, .max = 4194304, .fallback = "16384",
		.help = "packet buffers"},
	{.name = "sending_lcores", .kind = SETTING_INTEGER, AT(profile, sending_lcores), .min = 1, .max = PROFILE_SENDERS_MAX, .fallback = "1",
		.help = "lcores that send, each an equal share of every group's nodes; the EAL's further ones receive"},
	{.name = "settle_ms", .kind = SETTING_INTEGER, AT(profile, settle_ms), .max = 600000, .fallback = "0", .unit = "ms",
		.help = "after the links came up, before the first frame: until a gateway on virtual ports has seen them"},
	{.name = "resolve_ms", .kind = SETTING_INTEGER, AT(profile, resolve_ms), .min = 100, .max = 600000, .fallback = "10000", .unit = "ms",
		.help = "until the ports start, until the links are up, and until the gateway has answered for its addresses, at most; as long a port may take nothing of a replay"},
	{.name = "sleep_us", .kind = SETTING_INTEGER, AT(profile, sleep_us), .max = 10000, .fallback = "0", .unit = "us",
		.help = "while nothing is due and nothing comes; 0: poll, as latency wants it"},
	{.name = "progress_ms", .kind = SETTING_INTEGER, AT(profile, progress_ms), .max = 3600000, .fallback = "1000", .unit = "ms",
		.help = "between progress lines on standard error; 0: none"},
};
const struct section profile_schema_root = {"profile", sizeof(struct profile), root_settings, COUNT(root_settings)};
