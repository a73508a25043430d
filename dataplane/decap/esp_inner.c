#include "dataplane/decap/esp_inner.h"

#include "dataplane/home_address.h"
#include "dataplane/icmp_quoted.h"
#include "dataplane/source_route.h"

#include <rte_ip.h>

#define MOBILITY_HEADER 135

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

/* RFC 1812 5.3.7 and the like. An IPv4 address in IPv6 clothes would match IPv4 selectors. */
static bool is_source_bad(struct worker *worker, const struct packet *p)
{
	if (!ip_address_is_unicast(&p->source))
		return true;
	if (packet_is_ipv6(p) == ip_address_is_v4(&p->source))
		return true;
	if (!packet_is_ipv6(p) && (p->source.bytes[12] == 127 || p->source.bytes[12] == 0))
		return true;
	return tables_local_lookup(worker->tables, p->vrf, &p->source).kind != LOCAL_NONE;
}

static enum drop_reason check_destination(const struct packet *p)
{
	const uint8_t *v4 = &p->destination.bytes[12];

	if (packet_is_ipv6(p)) {
		if (p->destination.bytes[0] == 0xff)
			return DROP_rt_inner_multicast;
		return ip_address_is_v4(&p->destination) || !ip_address_is_unicast(&p->destination)
			       ? DROP_ipsec_inner_malformed
			       : DROP_NONE;
	}
	if (v4[0] >> 4 == 0xe || ip_address_v4(&p->destination) == UINT32_MAX)
		return DROP_rt_inner_multicast;
	return v4[0] == 0 || v4[0] == 127 || v4[0] >= 240 ? DROP_ipsec_inner_malformed : DROP_NONE;
}

/* Ports, or what stands in their place, as the far end sent them. */
static void ports_read(struct rte_mbuf *packet, uint32_t at, struct sa_selector_key *key)
{
	const uint8_t *octets;

	key->ports = SA_PORTS_NONE;
	if (!packet_pull(packet, at + 4))
		return;
	octets = rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
	key->remote_port = (uint16_t)(octets[0] << 8 | octets[1]);
	key->local_port = (uint16_t)(octets[2] << 8 | octets[3]);
	if (has_ports(key->protocol)) {
		key->ports = SA_PORTS_BOTH;
	} else if (key->protocol == IPPROTO_ICMP || key->protocol == IPPROTO_ICMPV6) {
		key->ports = SA_PORTS_REMOTE; /* SPD-06, -08: type and code */
	} else if (key->protocol == MOBILITY_HEADER) {
		key->ports = SA_PORTS_REMOTE; /* SPD-07 */
		key->remote_port = (uint16_t)(octets[2] << 8);
	}
}

/* But for the addresses. */
static struct sa_selector_key key_of(struct rte_mbuf *packet, const struct packet *p)
{
	struct packet_upper upper = packet_upper_get(packet, p);
	struct sa_selector_key key = {.ports = SA_PORTS_NONE};

	if (upper.protocol != PACKET_PROTOCOL_HIDDEN) /* 0 fits ANY alone */
		key.protocol = (uint8_t)upper.protocol;
	if (!upper.later)
		ports_read(packet, upper.offset, &key);
	return key;
}

/* The packet that an error quotes went out from our side: its source is local. */
static bool embedded_key(
	struct rte_mbuf *packet, const struct packet *p, struct sa_selector_key *key)
{
	struct icmp_quoted quoted;

	if (!icmp_quoted_read(packet, p, &quoted))
		return false;
	key->protocol = quoted.protocol;
	sa_selector_address(&quoted.source, key->local);
	sa_selector_address(&quoted.destination, key->remote);
	key->ports = SA_PORTS_NONE;
	if (quoted.later)
		return true;
	ports_read(packet, quoted.payload_offset, key);
	if (key->ports == SA_PORTS_BOTH) { /* quoted as we sent it */
		uint16_t ours = key->remote_port;
		key->remote_port = key->local_port;
		key->local_port = ours;
	} else if (key->ports == SA_PORTS_REMOTE) {
		key->local_port = key->remote_port;
		key->ports = SA_PORTS_LOCAL;
	}
	return true;
}

static bool is_number_v4(const uint64_t number[2])
{
	return number[0] == 0 && number[1] >> 32 == 0xffff;
}

/* ESP-IN-06: a peer that was given addresses, not networks, speaks with those, in errors too. */
static bool is_host_of_another(
	const struct sa_table *sas, const struct sa_inbound *sa, const struct sa_selector_key *key)
{
	const struct sa_selector *s = &sa->selector;
	bool is_given = false;

	for (;;) {
		if (is_number_v4(s->remote_first) == is_number_v4(key->remote)) {
			if (memcmp(s->remote_first, s->remote_last, sizeof(s->remote_first)) != 0 ||
				memcmp(s->remote_first, key->remote, sizeof(key->remote)) == 0)
				return false;
			is_given = true;
		}
		if (s->next == 0)
			return is_given;
		s = slab_at(&sas->selectors, s->next);
	}
}

/* Would it match, if only it showed its ports? */
static bool is_fragment_of_match(
	const struct sa_table *sas, const struct sa_inbound *sa, const struct sa_selector_key *key)
{
	const struct sa_selector *s = &sa->selector;

	for (;;) {
		struct sa_selector any = *s;
		any.any_port = true;
		if (sa_table_selector_match(&any, key))
			return true;
		if (s->next == 0)
			return false;
		s = slab_at(&sas->selectors, s->next);
	}
}

/* TRN-14: what ends here comes from its home address. */
static enum drop_reason check_home_address(struct rte_mbuf *packet, const struct packet *p,
	const struct sa_inbound *sa, struct home_addresses *ends)
{
	if (likely(!(sa->flags & SA_TRANSPORT)))
		return DROP_NONE;
	*ends = home_address_read(packet, p);
	return ends->refused || (ends->option && !home_address_is_update(packet, p))
		       ? DROP_ipsec_option_reject
		       : DROP_NONE;
}

static enum drop_reason check_selectors(
	struct worker *worker, struct rte_mbuf *packet, const struct sa_inbound *sa)
{
	const struct sa_table *sas = tables_sas(worker->tables);
	const struct packet *p = packet_get(packet);
	struct sa_selector_key key, quoted = {.protocol = 0};
	struct home_addresses ends = {.source = p->source, .destination = p->destination};
	enum drop_reason reason = check_home_address(packet, p, sa, &ends);

	if (reason != DROP_NONE)
		return reason;
	if (likely(sa_selector_host_match(&sa->selector, &ends.source)))
		return DROP_NONE;
	key = key_of(packet, p);
	sa_selector_address(&ends.destination, key.local);
	sa_selector_address(&ends.source, key.remote);
	if (sa_table_selectors_match(sas, sa, &key))
		return DROP_NONE;
	if (p->flags & PACKET_FRAGMENT_LATER && is_fragment_of_match(sas, sa, &key))
		return DROP_ipsec_frag_selector;
	if (sa->flags & SA_ICMP_INSPECT_OFF || !icmp_quoted_is_error(packet, p) ||
		is_host_of_another(sas, sa, &key))
		return DROP_ipsec_selector_mismatch;
	if (embedded_key(packet, p, &quoted) && sa_table_selectors_match(sas, sa, &quoted))
		return DROP_NONE;
	return DROP_ipsec_icmp_embedded;
}

enum drop_reason esp_inner_check(
	struct worker *worker, struct rte_mbuf *packet, const struct sa_inbound *sa)
{
	const struct packet *p = packet_get(packet);
	enum drop_reason reason;

	if (!(sa->flags & SA_TRANSPORT)) {
		if (is_source_bad(worker, p))
			return DROP_ipsec_inner_malformed;
		reason = check_destination(p);
		if (reason != DROP_NONE)
			return reason;
	}
	if (source_route_is_there(packet, p))
		return DROP_ipsec_option_reject;
	if (!packet_is_ipv6(p) &&
		(rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *)->fragment_offset &
			RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) == RTE_BE16(1))
		return DROP_ipsec_tiny_fragment; /* ESP-IN-08 */
	return check_selectors(worker, packet, sa);
}
