#include "dataplane/table/tunnel_template.h"

#include <netinet/in.h>

#define IPV4_TOS   1
#define IPV4_FLAGS 6
#define IPV4_TTL   8
#define IPV6_HOPS  7
#define IPV4_DF    0x40

struct style { /* what an agent's settings say */
	uint8_t ttl, dscp, df;
};

static struct style style_of(const struct agent *agent)
{
	return (struct style){
		.ttl = agent->tunnel_ttl,
		.dscp = agent->dscp == DSCP_COPY ? 0 : agent->dscp, /* copied per packet */
		.df = agent->flags & AGENT_DF_COPY ? 0 : IPV4_DF,
	};
}

static uint8_t *octets_put(uint8_t *at, const void *octets, size_t length)
{
	memcpy(at, octets, length);
	return at + length;
}

static uint8_t *ip_put(
	uint8_t *at, const struct binding_command *c, struct style style, uint8_t protocol)
{
	if (ip_address_is_v4(&c->agent_address)) {
		uint8_t header[12] = {0x45, [IPV4_TOS] = (uint8_t)(style.dscp << 2),
			[IPV4_FLAGS] = style.df, [IPV4_TTL] = style.ttl, protocol};
		at = octets_put(at, header, sizeof(header));
		at = octets_put(at, &c->agent_address.bytes[12], 4);
		return octets_put(at, &c->care_of_address.bytes[12], 4);
	}
	uint8_t header[8] = {(uint8_t)(0x60 | style.dscp >> 2), (uint8_t)(style.dscp << 6), 0, 0, 0,
		0, protocol, style.ttl};
	at = octets_put(at, header, sizeof(header));
	at = octets_put(at, c->agent_address.bytes, 16);
	return octets_put(at, c->care_of_address.bytes, 16);
}

static uint8_t inner_protocol(const struct tunnel *tunnel)
{
	if (tunnel->encapsulation == ENCAPSULATION_GRE ||
		tunnel->encapsulation == ENCAPSULATION_MINIMAL)
		return tunnel->encapsulation;
	return ip_address_is_v4(&tunnel->home_address) ? ENCAPSULATION_IPIP : ENCAPSULATION_IPV6;
}

void tunnel_template_build(
	struct tunnel *tunnel, const struct binding_command *command, const struct agent *agent)
{
	bool udp = tunnel->flags & BINDING_UDP;
	uint8_t protocol = inner_protocol(tunnel);
	uint8_t *at = tunnel->outer;

	memset(tunnel->outer, 0, sizeof(tunnel->outer));
	at = ip_put(at, command, style_of(agent), udp ? IPPROTO_UDP : protocol);
	if (udp) {
		const uint8_t lengths[4] = {0};
		const uint8_t tunnel_data[4] = {4, protocol, 0, 0};
		at = octets_put(at, &command->agent_port, 2);
		at = octets_put(at, &command->care_of_port, 2);
		at = octets_put(at, lengths, sizeof(lengths));
		at = octets_put(at, tunnel_data, sizeof(tunnel_data));
	}
	if (protocol == ENCAPSULATION_GRE) {
		bool v4 = ip_address_is_v4(&tunnel->home_address);
		const uint8_t gre[4] = {0, 0, v4 ? 0x08 : 0x86, v4 ? 0x00 : 0xdd};
		at = octets_put(at, gre, sizeof(gre));
	} else if (protocol == ENCAPSULATION_MINIMAL) {
		const uint8_t minimal[12] = {0, 0x80};
		at = octets_put(at, minimal, sizeof(minimal));
	}
	tunnel->outer_length = (uint8_t)(at - tunnel->outer);
}

static void octet_store(uint8_t *at, uint8_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

void tunnel_template_restyle(struct tunnel *tunnel, const struct agent *agent)
{
	struct style style = style_of(agent);

	if (tunnel_is_over_ipv4(tunnel)) {
		octet_store(&tunnel->outer[IPV4_TOS], (uint8_t)(style.dscp << 2));
		octet_store(&tunnel->outer[IPV4_FLAGS], style.df);
		octet_store(&tunnel->outer[IPV4_TTL], style.ttl);
		return;
	}
	octet_store(&tunnel->outer[0], (uint8_t)(0x60 | style.dscp >> 2));
	octet_store(&tunnel->outer[1], (uint8_t)(style.dscp << 6));
	octet_store(&tunnel->outer[IPV6_HOPS], style.ttl);
}
