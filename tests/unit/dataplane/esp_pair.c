#include "tests/unit/dataplane/esp_pair.h"

struct command sa_command(uint8_t direction, uint32_t id, uint32_t spi)
{
	bool out = direction == SA_OUTBOUND;

	return (struct command){.type = COMMAND_SA_SET,
		.sa = {.local = address_of(out ? HERE : THERE),
			.remote = address_of(out ? THERE : HERE),
			.sa_id = id,
			.spi = rte_cpu_to_be_32(spi),
			.pair_id = SA_NONE,
			.encryption = SA_ENCRYPTION_AES_GCM_16,
			.replay_window = 64,
			.direction = direction,
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY}};
}

void stage(struct world *w, const struct sa_command *sa, uint8_t first_octet)
{
	struct command key = {.type = COMMAND_SA_KEY,
		.sa_key = {.sa_id = sa->sa_id,
			.direction = sa->direction,
			.encryption_length = 20,
			.encryption_key = {first_octet, 2, 3}}};
	struct command selector = {.type = COMMAND_SA_SELECTOR,
		.sa_selector = {.sa_id = sa->sa_id,
			.direction = sa->direction,
			.selector = selector_any(false)}};

	assert_int_equal(world_apply(w, &key), 0);
	assert_int_equal(world_apply(w, &selector), 0);
}

int sa_set(struct world *w, struct command c)
{
	stage(w, &c.sa, 1);
	return world_apply(w, &c);
}

void policy(struct world *w, uint32_t id, uint8_t direction, uint8_t action, uint32_t sa_id)
{
	struct command c = {.type = COMMAND_POLICY_SET,
		.policy = {.selector = selector_any(false),
			.policy_id = id,
			.order = id,
			.sa_id = sa_id,
			.direction = direction,
			.action = action}};

	assert_int_equal(world_apply(w, &c), 0);
	c = (struct command){.type = COMMAND_POLICY_COMMIT};
	assert_int_equal(world_apply(w, &c), 0);
}

struct world *setup(uint32_t flags)
{
	struct world *w = world_new();
	struct command c;

	world_local(w, HERE, 0);
	world_local(w, THERE, 1);
	world_route(w, "0.0.0.0/0", NULL, 2);
	world_route(w, "198.51.100.0/24", NULL, 0);
	world_route(w, "203.0.113.0/24", NULL, 0);
	world_neighbor(w, THERE, 0, 9);
	world_neighbor(w, CLIENT, 2, 9);
	world_neighbor(w, SERVER, 2, 9);
	policy(w, 1, SA_OUTBOUND, POLICY_PROTECT, 3);
	policy(w, 2, SA_INBOUND, POLICY_BYPASS, SA_NONE);
	c = sa_command(SA_OUTBOUND, 3, SPI);
	c.sa.flags = flags;
	c.sa.local_port = c.sa.remote_port = flags & SA_UDP ? RTE_BE16(4500) : 0;
	assert_int_equal(sa_set(w, c), 0);
	c = sa_command(SA_INBOUND, 1, SPI);
	c.sa.flags = flags;
	c.sa.local_port = c.sa.remote_port = flags & SA_UDP ? RTE_BE16(4500) : 0;
	assert_int_equal(sa_set(w, c), 0);
	return w;
}

uint32_t frame_make(uint8_t *frame, uint32_t length, bool df, uint16_t port)
{
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ether + 1);

	memset(frame, 0, sizeof(*ether) + sizeof(*ip));
	ether->dst_addr = (struct rte_ether_addr){{2, 0, 0, 0, (uint8_t)port, 1}};
	ether->src_addr = (struct rte_ether_addr){{2, 0, 0, 0, 0xee, 5}};
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.packet_id = RTE_BE16(77),
		.fragment_offset = df ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = 63,
		.next_proto_id = 253,
		.src_addr = ip_address_v4(&(struct ip_address){.words = {0}}),
		.dst_addr = 0};
	struct ip_address from = address_of(SERVER), to = address_of(CLIENT);
	ip->src_addr = ip_address_v4(&from);
	ip->dst_addr = ip_address_v4(&to);
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, sizeof(*ip));
	for (uint32_t i = sizeof(*ip); i < length; i++)
		((uint8_t *)ip)[i] = (uint8_t)(i * 7);
	return length + (uint32_t)sizeof(*ether);
}

unsigned loop_back(struct world *w, unsigned from)
{
	unsigned until = w->sent_count, before = 0, after = 0;
	static uint8_t frame[65536];

	for (unsigned i = 0; i < w->sent_count; i++)
		before += w->sent[i].port == 2;
	for (unsigned i = from; i < until; i++) {
		if (w->sent[i].port != 0)
			continue;
		memcpy(frame, w->sent[i].octets, w->sent[i].length);
		memcpy(frame, (uint8_t[]){2, 0, 0, 0, 1, 1}, 6);
		world_receive(w, 1, frame, w->sent[i].length);
	}
	for (unsigned i = 0; i < w->sent_count; i++)
		after += w->sent[i].port == 2;
	return after - before;
}
