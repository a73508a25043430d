/*
 * The lane of plain IPv6 against the steps, as lane_forward_test.c has it for IPv4: one script of
 * bursts and changes for a world with lanes and for one without. Packets to destinations of all
 * kinds, whole and plain or wrong in one of many ways, some IPv4 among them; between bursts routes,
 * neighbours, addresses, agents and policies change.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/lane/lane.h"

#include "tests/unit/dataplane/player.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_udp.h>
#include <stdio.h>

#define OUTSIDE   0
#define INSIDE    1
#define HOME_LINK 2
#define ETHERNET  14
#define IPV6      40
#define STEPS     1100
#define SEEDS     4

#define PEER    "2001:db8:8::8"
#define GATEWAY "fe80::9"       /* outside; a router's address is link-local more often than not */
#define ROUTER  "2001:db8:1::2" /* inside */

/* Usual ones first. */
static const char *const destinations[] = {"2001:db8:60::1", "2001:db8:60::2", "2001:db8:60:7::1",
	"2001:db8:61::1", "2001:db8:61::2", "2001:4860::8888", "2a00::1", "64:ff9b::808:808",
	"2001:db8:62::1", "fd00:1::1"};

/* Sources and destinations that are wrong, or somebody else's. */
static const char *const others[] = {"::", "::1", "::ffff:10.60.0.1", "ff02::1", "ff0e::5",
	"fe80::5", "2001:db8:1::1", "2001:db8:60::99", "2001:db8:50::1", "2001:db8:50::2",
	"2001:db8:50::77", "2001:db8:70::5", "2001:db8:63::1", "2001:db8:64::1", "2001:db8:65::1",
	"2001:db8:66::1", "2001:db8:66::2", "fec0::1", "::5", ROUTER, "fe80::1"};

static struct ip_address address(const char *text)
{
	struct ip_address a;

	assert_int_equal(ip_address_parse(text, &a), 0);
	return a;
}

static int apply(struct world *w, struct command command)
{
	return world_apply(w, &command);
}

static void route(struct world *w, const char *prefix, const char *via, uint16_t port, uint16_t mtu,
	uint32_t flags)
{
	struct command c = {
		.type = COMMAND_ROUTE_SET, .route = {.port = port, .mtu = mtu, .flags = flags}};

	assert_int_equal(ip_prefix_parse(prefix, &c.route.prefix), 0);
	if (via != NULL)
		c.route.next_hop = address(via);
	assert_int_equal(world_apply(w, &c), 0);
}

static void route_remove(struct world *w, const char *prefix)
{
	struct command c = {.type = COMMAND_ROUTE_REMOVE};

	assert_int_equal(ip_prefix_parse(prefix, &c.route.prefix), 0);
	assert_int_equal(world_apply(w, &c), 0);
}

/* All as it is in the beginning, but for what was learned. */
static void heal(struct player *player)
{
	struct world *w = player->world;

	world_agent(w, "192.0.2.1", 0);
	route(w, "::/0", GATEWAY, OUTSIDE, 0, 0);
	route(w, "2001:db8:60::/48", ROUTER, INSIDE, 0, 0);
	route_remove(w, "2001:db8:60::2/128");
	route(w, "2001:db8:61::/64", NULL, HOME_LINK, 0, 0);
	route(w, "2001:db8:62::/56", ROUTER, INSIDE, 1280, 0);
	route(w, "2001:db8:63::/48", NULL, INSIDE, 0, ROUTE_BLACKHOLE);
	route(w, "2001:db8:64::/64", NULL, INSIDE, 0, 0); /* nobody answers there */
	route(w, "2001:db8:65::/64", "10.61.0.1", INSIDE, 0, 0);
	route(w, "2001:db8:66::1/128", ROUTER, INSIDE, 0, ROUTE_UNREACHABLE);
	route(w, "10.60.0.0/16", "10.61.0.1", INSIDE, 0, 0);
	world_neighbor(w, "10.61.0.1", INSIDE, 4);
	world_neighbor(w, GATEWAY, OUTSIDE, 9);
	world_neighbor(w, ROUTER, INSIDE, 5);
	world_neighbor(w, "2001:db8:61::1", HOME_LINK, 6);
	world_neighbor(w, "2001:db8:61::2", HOME_LINK, 7);
	player_policy_remove(w);
	for (unsigned i = 0; i < WORLD_PORTS; i++)
		w->ports[i].up = true;
}

static void setup(struct player *player, bool lanes, uint64_t seed)
{
	struct world *w;

	*player = (struct player){.step = 0};
	w = player_begin(player, lanes, seed);
	world_local(w, "192.0.2.1", OUTSIDE);
	/* Where packets come from, one: which of two an error is from is nobody's right. */
	world_local(w, "2001:db8:2::1", OUTSIDE);
	world_local(w, "2001:db8:1::1", INSIDE);
	world_local(w, "2001:db8:60::99", HOME_LINK); /* among what is routed */
	world_local(w, "fe80::1", HOME_LINK);
	world_home_network(w, "2001:db8:50::/64", HOME_LINK);
	heal(player);
	world_binding(w, 1, "2001:db8:50::1", "203.1.113.7", 0, ENCAPSULATION_IPIP,
		BINDING_REVERSE | BINDING_COLOCATED);
	struct command c = {.type = COMMAND_PREFIX_SET, .prefix = {.binding_id = 1}};
	assert_int_equal(ip_prefix_parse("2001:db8:70::/56", &c.prefix.prefix), 0);
	assert_int_equal(apply(w, c), 0);
}

/* ---- frames ---- */

static struct rte_ipv6_hdr *header(uint8_t *frame)
{
	return (struct rte_ipv6_hdr *)(frame + ETHERNET);
}

static void destination_set(uint8_t *frame, const char *text)
{
	const struct ip_address a = address(text);

	memcpy(&header(frame)->dst_addr, a.bytes, 16);
}

static void source_set(uint8_t *frame, const char *text)
{
	const struct ip_address a = address(text);

	memcpy(&header(frame)->src_addr, a.bytes, 16);
}

static const char *any(struct player *player, const char *const *texts, unsigned count)
{
	return texts[player_below(player, count)];
}

/* Whole and plain, of any length. */
static uint32_t datagram(struct player *player, uint8_t *frame, uint16_t port)
{
	uint32_t payload =
		player_chance(player, 70) ? player_below(player, 100) : player_below(player, 1460);
	uint8_t *udp = frame + ETHERNET + IPV6;

	if (player_chance(player, 10)) /* about what fits */
		payload = 1400 + player_below(player, 80);
	if (player_chance(player, 5)) /* 1280 octets, one less, one more */
		payload = 1239 + player_below(player, 3);
	memset(frame, (uint8_t)player_below(player, 256), PLAYER_FRAME);
	memcpy(frame, (const uint8_t[]){2, 0, 0, 0, (uint8_t)port, 1, 2, 2, 2, 2, 2, 2, 0x86, 0xdd},
		14);
	*header(frame) = (struct rte_ipv6_hdr){
		.vtc_flow = rte_cpu_to_be_32(0x60000000 | player_below(player, 1 << 28)),
		.payload_len = rte_cpu_to_be_16((uint16_t)payload),
		.proto = player_chance(player, 80) ? IPPROTO_UDP
						   : (uint8_t)player_below(player, 256),
		.hop_limits = (uint8_t)(2 + player_below(player, 254))};
	memcpy(udp, (const uint8_t[]){0, (uint8_t)player_below(player, 2), 0, 9}, 4);
	source_set(frame, PEER);
	destination_set(frame, any(player, destinations, RTE_DIM(destinations)));
	return ETHERNET + IPV6 + payload;
}

/* An extension header before what was there. */
static void extension_put(struct player *player, uint8_t *frame, uint8_t kind)
{
	uint8_t *at = frame + ETHERNET + IPV6;

	memset(at, 0, 8);
	at[0] = (uint8_t)(player_chance(player, 90) ? IPPROTO_UDP : IPPROTO_DSTOPTS);
	if (kind == IPPROTO_FRAGMENT) {
		at[2] = (uint8_t)player_below(player, 2);
		at[3] = (uint8_t)(player_below(player, 3) << 3 | player_below(player, 2));
	} else {
		at[1] = (uint8_t)(player_chance(player, 80) ? 0 : player_below(player, 20));
		at[2] = 1, at[3] = 4; /* padding */
	}
	header(frame)->proto = kind;
}

static uint32_t spoil(struct player *player, uint8_t *frame, uint32_t length)
{
	static const uint8_t extensions[] = {
		IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS};
	struct rte_ipv6_hdr *ip = header(frame);

	switch (player_below(player, 16)) {
	case 0:
		ip->hop_limits = (uint8_t)player_below(player, 2);
		break;
	case 1:
		ip->vtc_flow ^= rte_cpu_to_be_32(1u << (28 + player_below(player, 4)));
		break;
	case 2:
		frame[player_below(player, 6)] ^= (uint8_t)(1 + player_below(player, 255));
		break;
	case 3: /* to a group of the link */
		memcpy(frame, (const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, 6);
		break;
	case 4:
		frame[12] = 8, frame[13] = player_chance(player, 50) ? 0 : 6;
		break;
	case 5: /* a tag: priority alone, or a VLAN */
		memmove(frame + 16, frame + 12, length - 12);
		memcpy(frame + 12, (const uint8_t[]){0x81, 0, 0x20, 0}, 4);
		frame[15] = player_chance(player, 60) ? 0 : 5;
		return length + 4;
	case 6: /* octets behind the datagram */
		return length + 1 + player_below(player, 40);
	case 7:
		return 1 + player_below(player, length);
	case 8:
		ip->payload_len = rte_cpu_to_be_16((uint16_t)player_below(player, 1600));
		break;
	case 9:
	case 10:
		source_set(frame, any(player, others, RTE_DIM(others)));
		break;
	case 11:
	case 12:
	case 13:
		destination_set(frame, any(player, others, RTE_DIM(others)));
		break;
	case 14:
		if (length >= ETHERNET + IPV6 + 8)
			extension_put(player, frame,
				extensions[player_below(player, RTE_DIM(extensions))]);
		break;
	default:
		ip->proto = (uint8_t)(player_chance(player, 50) ? IPPROTO_ICMPV6 : IPPROTO_ESP);
		break;
	}
	return length;
}

static uint32_t frame_any(struct player *player, uint8_t *frame, uint16_t port, unsigned odd)
{
	uint32_t length;

	if (player_chance(player, 10))
		return player_datagram(
			player, frame, port, 0x08080808, 0x0a3c0000 + 1 + player_below(player, 3));
	length = datagram(player, frame, port);
	return player_chance(player, odd) ? spoil(player, frame, length) : length;
}

static void burst(struct player *player, unsigned percent_odd, unsigned most)
{
	struct player_burst frames = {.count = 0};
	unsigned count = 1 + player_below(player, most);
	uint16_t port = player_chance(player, 85) ? OUTSIDE : INSIDE;
	uint8_t frame[2 * PLAYER_FRAME];

	for (unsigned i = 0; i < count; i++) {
		uint32_t length = frame_any(player, frame, port, percent_odd);
		player_burst_add(player, &frames, frame, length);
	}
	player_burst_receive(player, &frames, port);
}

/* ---- changes ---- */

static void change_route(struct player *player)
{
	static const uint16_t mtus[] = {0, 0, 1400, 1280, 700};
	uint16_t mtu = mtus[player_below(player, RTE_DIM(mtus))];
	struct world *w = player->world;

	switch (player_below(player, 7)) {
	case 0:
		route(w, "2001:db8:60::/48", player_chance(player, 50) ? ROUTER : NULL, INSIDE, mtu,
			0);
		break;
	case 1:
		route(w, "2001:db8:60::2/128", GATEWAY, OUTSIDE, mtu, 0);
		break;
	case 2: /* longer and shorter ones around the same destinations */
		route(w, "2001:db8:60::/64", ROUTER, INSIDE, mtu,
			player_chance(player, 30) ? ROUTE_BLACKHOLE : 0);
		break;
	case 3:
		route_remove(w, "2001:db8:60::/64");
		break;
	case 4:
		route(w, "2001:db8::/32", player_chance(player, 50) ? GATEWAY : ROUTER,
			player_chance(player, 50) ? OUTSIDE : INSIDE, mtu, 0);
		break;
	case 5:
		route_remove(w, player_chance(player, 50) ? "2001:db8::/32" : "2001:db8:60::/48");
		break;
	default:
		route_remove(w, "::/0");
		break;
	}
}

static void change_other(struct player *player)
{
	static const uint32_t flags[] = {AGENT_AWAY_SOURCE_DROP, AGENT_AWAY_SOURCE_LOG, 0};
	struct world *w = player->world;

	switch (player_below(player, 6)) {
	case 0:
		world_neighbor(w, GATEWAY, OUTSIDE, (uint8_t)(9 + player_below(player, 2)));
		break;
	case 1:
		w->ports[player_below(player, WORLD_PORTS)].up = player_chance(player, 50);
		break;
	case 2:
		world_agent(w, "192.0.2.1", flags[player_below(player, RTE_DIM(flags))]);
		break;
	case 3: /* an address of ours, for a while */
		assert_int_equal(apply(w, (struct command){.type = player_chance(player, 50)
									   ? COMMAND_LOCAL_SET
									   : COMMAND_LOCAL_REMOVE,
						  .local = {.address = address("2001:db8:60::1"),
							  .port = HOME_LINK}}),
			0);
		break;
	case 4:
		world_neighbor(w, ROUTER, INSIDE, (uint8_t)(5 + player_below(player, 2)));
		break;
	default:
		heal(player);
		break;
	}
}

/* Nobody answers for a next hop, and then somebody does. */
static void wait_for_neighbor(struct player *player)
{
	struct world *w = player->world;
	uint16_t port = (uint16_t)player_below(player, 2);

	world_advance(w, 4000);
	assert_int_equal(
		apply(w,
			(struct command){.type = COMMAND_NEIGHBOR_REMOVE,
				.neighbor = {.address = address(port == OUTSIDE ? GATEWAY : ROUTER),
					.port = port}}),
		0);
	burst(player, 0, 3);
	if (player_chance(player, 50)) {
		burst(player, 0, 1);
		world_neighbor(w, GATEWAY, OUTSIDE, 9);
		world_neighbor(w, ROUTER, INSIDE, 5);
	}
	burst(player, 0, 2);
	world_advance(w, player_chance(player, 50) ? 10 : 4000);
	heal(player);
}

static void play(struct player *player)
{
	for (player->step = 0; player->step < STEPS; player->step++) {
		unsigned what = player_below(player, 22);

		if (player->step % 50 == 0)
			heal(player);
		if (what == 0)
			change_route(player);
		else if (what == 1)
			change_other(player);
		else if (what == 2 && player_chance(player, 40))
			player_policy_change(player, 40, true);
		else if (what == 3 && player_chance(player, 30))
			wait_for_neighbor(player);
		else if (what == 4)
			world_advance(player->world, 10 + player_below(player, 500));
		else
			burst(player, what < 12 ? 15 : 0, BURST_SIZE);
		record_write(player->record, player->world, player->step);
	}
}

static void enough(const struct world *with)
{
	assert_true(with->worker.lane_taken[LANE_FORWARD6] > 5000);
	assert_true(with->worker.lane_taken[LANE_FORWARD] > 500);
}

/* HA4-FWD-17: nothing that can be seen differs. */
static void steps_and_lanes_are_one(void **state)
{
	player_compare(&(struct player_script){setup, play, enough}, SEEDS, LANE_FORWARD6);
}

/* ---- packet by packet ---- */

/* The lane's packets out of a frame that is usual but for what the caller changes. */
static uint32_t usual(struct player *player, uint8_t *frame, const char *to)
{
	uint32_t length;

	do
		length = datagram(player, frame, OUTSIDE);
	while (length < ETHERNET + IPV6 + 8 || length > 500);
	header(frame)->proto = IPPROTO_UDP;
	destination_set(frame, to);
	return length;
}

static void lane_takes_the_usual(void **state)
{
	static const struct {
		const char *to;
		bool taken;
	} cases[] = {
		{"2001:db8:60::1", true},
		{"2001:db8:61::2", true},
		{"2001:4860::8888", true},
		{"64:ff9b::808:808", true},
		{"fd00:1::1", true},
		{"2001:db8:60::99", false}, /* ours */
		{"2001:db8:50::1", false},  /* away */
		{"2001:db8:70::5", false},  /* behind it */
		{"2001:db8:63::1", false},  /* nowhere */
		{"2001:db8:65::1", false},  /* by an IPv4 router */
		{"fe80::5", false},
		{"ff0e::5", false},
		{"::ffff:10.60.0.1", false},
		{"::1", false},
	};
	struct player player;
	uint8_t frame[2 * PLAYER_FRAME];

	setup(&player, true, 2);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		const uint64_t *taken = &player.world->worker.lane_taken[LANE_FORWARD6];
		uint64_t before = *taken;

		world_receive(player.world, OUTSIDE, frame, usual(&player, frame, cases[i].to));
		if (*taken - before != cases[i].taken)
			fail_msg("%s: %u of 1 taken", cases[i].to, (unsigned)(*taken - before));
	}
	player_end(&player);
}

/* HA4-FWD-17: behind one that the steps get, the rest of its flow goes there too. */
static void lane_leaves_a_flow_whole(void **state)
{
	static const char *const to[4] = {
		"2001:db8:60::1", "2001:db8:60::1", "2001:4860::8888", "2001:db8:60::1"};
	static uint8_t octets[4][2 * PLAYER_FRAME];
	struct world_frame frames[4];
	struct player player;

	setup(&player, true, 2);
	for (unsigned i = 0; i < 4; i++)
		frames[i] = (struct world_frame){
			.octets = octets[i], .length = usual(&player, octets[i], to[i])};
	/* whole, options for every hop, another flow, whole: both of the second's flow go with it
	 */
	extension_put(&player, octets[1], IPPROTO_HOPOPTS);
	octets[1][ETHERNET + IPV6 + 1] = 0;
	world_receive_burst(player.world, OUTSIDE, frames, 4);
	assert_int_equal(player.world->worker.lane_taken[LANE_FORWARD6], 1);
	assert_int_equal(player.world->sent_count, 4);
	player_end(&player);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lane_takes_the_usual),
		cmocka_unit_test(lane_leaves_a_flow_whole),
		cmocka_unit_test(steps_and_lanes_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
