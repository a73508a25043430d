// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/dataplane/lane_scene.h"

#include "dataplane/table/sa_sequence.h"

const struct sa_row sa_rows[CLIENTS] = {
	[1] = {"plain", 0, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0, LANE},
	[2] = {"in UDP", SA_UDP, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0, LANE},
	[3] = {"ESN", SA_ESN, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 36, 0, LANE},
	[4] = {"DF set", SA_DF_SET, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, 46, 20, 0, LANE},
	[5] = {"DF clear", SA_DF_CLEAR | SA_ECN_OFF, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY,
		20, 0, LANE},
	[6] = {"transport", SA_TRANSPORT, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0,
		STEPS_ONLY},
	[7] = {"TFC", 0, SA_ENCRYPTION_AES_GCM_16, 0, 0, 800, DSCP_COPY, 20, 0, STEPS_ONLY},
	[8] = {"small path", 0, SA_ENCRYPTION_AES_GCM_16, 0, 900, 0, DSCP_COPY, 20, 0, LANE},
	[9] = {"implicit IV", 0, SA_ENCRYPTION_AES_GCM_16_IIV, 0, 0, 0, DSCP_COPY, 20, 0, LANE},
	[10] = {"NULL", 0, SA_ENCRYPTION_NULL, SA_INTEGRITY_HMAC_SHA2_256_128, 0, 0, DSCP_COPY, 0,
		32, LANE},
	[11] = {"CTR", SA_ESN, SA_ENCRYPTION_AES_CTR, SA_INTEGRITY_HMAC_SHA1_96, 0, 0, DSCP_COPY,
		20, 20, LANE},
	[12] = {"limits", 0, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0, LANE},
	[13] = {"numbers end", 0, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0, STEPS_ONLY},
};

int apply(struct world *w, struct command command)
{
	return world_apply(w, &command);
}

struct selector selector(uint32_t first, uint32_t last)
{
	struct selector s = selector_any(false);

	s.remote_first = player_v4(first);
	s.remote_last = player_v4(last);
	return s;
}

void commit(struct world *w)
{
	assert_int_equal(apply(w, (struct command){.type = COMMAND_POLICY_COMMIT}), 0);
}

void policy(struct world *w, uint32_t id, uint32_t order, struct selector s, uint8_t action,
	uint32_t sa_id)
{
	assert_int_equal(apply(w, (struct command){.type = COMMAND_POLICY_SET,
					  .policy = {.selector = s,
						  .policy_id = id,
						  .order = order,
						  .sa_id = sa_id,
						  .direction = SA_OUTBOUND,
						  .action = action}}),
		0);
}

void host_policy(struct world *w, unsigned client, uint8_t action, uint32_t sa_id)
{
	policy(w, client, 100, selector(CLIENT(client), CLIENT(client)), action, sa_id);
}

void sa_stage(struct world *w, unsigned n, uint8_t first_octet)
{
	const struct sa_row *row = &sa_rows[n];
	struct command key = {.type = COMMAND_SA_KEY,
		.sa_key = {.sa_id = n,
			.direction = SA_OUTBOUND,
			.encryption_length = row->encryption_length,
			.integrity_length = row->integrity_length,
			.encryption_key = {first_octet, (uint8_t)n},
			.integrity_key = {first_octet, (uint8_t)n}}};

	assert_int_equal(apply(w, key), 0);
	if (n == LIMITED_SA)
		assert_int_equal(apply(w, (struct command){.type = COMMAND_SA_LIMITS,
						  .sa_limits = {.sa_id = n,
							  .direction = SA_OUTBOUND,
							  .soft_packets = 150,
							  .hard_packets = 700,
							  .soft_bytes = 5000000}}),
			0);
}

int sa_set(struct world *w, unsigned n, uint32_t peer, uint32_t spi)
{
	const struct sa_row *row = &sa_rows[n];
	struct command c = {.type = COMMAND_SA_SET,
		.sa = {.local = player_v4(HERE),
			.remote = player_v4(peer),
			.sa_id = n,
			.spi = rte_cpu_to_be_32(spi + n),
			.flags = row->flags,
			.pair_id = SA_NONE,
			.encryption = row->encryption,
			.integrity = row->integrity,
			.path_mtu = row->path_mtu,
			.tfc = row->tfc,
			.direction = SA_OUTBOUND,
			.tunnel_ttl = 64,
			.dscp = row->dscp}};

	if (row->flags & SA_UDP)
		c.sa.local_port = c.sa.remote_port = RTE_BE16(4500);
	return apply(w, c);
}

void sa_remove(struct world *w, unsigned n)
{
	assert_int_equal(apply(w, (struct command){.type = COMMAND_SA_REMOVE,
					  .sa = {.sa_id = n, .direction = SA_OUTBOUND}}),
		0);
}

void node_bind(struct world *w, unsigned n, uint32_t flags, uint8_t encapsulation)
{
	struct command c = {.type = COMMAND_BINDING_SET,
		.binding = {.home_address = player_v4(NODE(n)),
			.care_of_address = player_v4(CLIENT(n)),
			.care_of_field = player_v4(CLIENT(n)),
			.agent_address = player_v4(HERE),
			.expires_ns = CLOCK_NEVER,
			.binding_id = FIRST_BINDING + n,
			.flags = flags | BINDING_REVERSE,
			.home_port = PORT_NONE,
			.encapsulation = encapsulation}};

	if (flags & BINDING_UDP)
		c.binding.care_of_port = c.binding.agent_port = RTE_BE16(434);
	assert_int_equal(apply(w, c), 0);
}

/* What a source or destination may be that is wrong, or of somebody else. */
static const uint32_t sources[] = {
	0, 0x7f000001, 0xe0000001, 0xf0000001, 0x00000005, HERE, CLIENT(14)};
static const uint32_t others[] = {0xffffffff, 0xe0000005, HERE, 0x0a15ff01, 0x0a300001, 0x7f000001,
	0x0a090009, 0x08080808, CLIENT(200)};

bool to_nodes;

static uint32_t destination(struct player *player)
{
	uint32_t n = player_below(player, CLIENTS);

	return to_nodes ? NODE(n) : CLIENT(n);
}

void setup(struct player *player, bool lanes, uint64_t seed)
{
	struct world *w;

	*player = (struct player){.sources = sources,
		.others = others,
		.source_count = RTE_DIM(sources),
		.other_count = RTE_DIM(others),
		.destination = destination,
		.hops = {{GATEWAY, 0}, {GATEWAY_2, 0}, {SERVER, INSIDE}}};
	w = player_begin(player, lanes, seed);
	world_local(w, "192.0.2.1", 0);
	world_local(w, "10.21.255.1", INSIDE); /* in the /16 of client 1 */
	world_agent(w, "192.0.2.1", 0);
	player_route(w, 0, 0, GATEWAY, 0, 0, 0);
	player_route(w, SERVER & 0xffff0000, 16, 0, INSIDE, 0, 0);
	player_neighbor(w, GATEWAY, 0, 9);
	player_neighbor(w, GATEWAY_2, 0, 10);
	player_neighbor(w, SERVER, INSIDE, 5);
	for (unsigned n = 1; n <= LAST_SA; n++) {
		sa_stage(w, n, 1);
		assert_int_equal(sa_set(w, n, PEER(n), 0xc0000100u), 0);
		host_policy(w, n, POLICY_PROTECT, n);
	}
	for (unsigned n = 1; n <= LAST_SA; n++)
		node_bind(w, n, n % 2 ? BINDING_REQUIRES_IPSEC : 0, ENCAPSULATION_IPIP);
	w->sas.outbound[EXPIRING_SA].sequence = SA_SEQUENCE_SOFT - 3;
	/* Behind them, and before them but for others. */
	policy(w, 14, 200, selector(0x0a140000, 0x0a2fffff), POLICY_BYPASS, SA_NONE);
	policy(w, 15, 50, selector(0x0a300000, 0x0a30ffff), POLICY_DISCARD, SA_NONE);
	commit(w);
}

uint32_t frame_to(struct player *player, uint8_t *frame, uint32_t host)
{
	return player_datagram(player, frame, INSIDE, SERVER + player_below(player, 3), host);
}

uint32_t frame_plain(struct player *player, uint8_t *frame, unsigned client)
{
	return frame_to(player, frame, CLIENT(client));
}
