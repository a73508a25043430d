#include "dataplane/icmp_error.h"

#include "dataplane/header.h"
#include "dataplane/limiter.h"

#include <rte_icmp.h>

#include <stdlib.h>

#define IPV4_ERROR_MAX 576  /* HA4-MTU-13, RFC 1812 4.3.2.3 */
#define IPV6_ERROR_MAX 1280 /* RFC 4443 3.1 */
#define ERROR_TTL      64
#define ERROR_TOS      0xc0 /* RFC 1812 4.3.2.5: internetwork control */
#define SOURCE_SLOTS   1024
#define BURST          10

struct icmp_limiter {
	struct limiter *all, *sources;
	uint64_t interval_tsc, source_interval_tsc;
	uint32_t burst, source_burst;
	bool none; /* the setting says that no error is ever sent */
	uint16_t identification;
};

struct icmp_limiter *icmp_error_limiter_new(uint32_t rate, uint32_t source_rate, uint64_t tsc_hz)
{
	struct icmp_limiter *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->all = limiter_new(1);
	l->sources = limiter_new(SOURCE_SLOTS);
	l->none = rate == 0 || source_rate == 0;
	l->burst = RTE_MAX(rate / BURST, 1u);
	l->source_burst = RTE_MIN(RTE_MAX(source_rate, 1u), (uint32_t)BURST);
	l->interval_tsc = tsc_hz / RTE_MAX(rate, 1u);
	l->source_interval_tsc = tsc_hz / RTE_MAX(source_rate, 1u);
	if (l->all == NULL || l->sources == NULL) {
		icmp_error_limiter_free(l);
		return NULL;
	}
	return l;
}

void icmp_error_limiter_free(struct icmp_limiter *l)
{
	if (l == NULL)
		return;
	limiter_free(l->all);
	limiter_free(l->sources);
	free(l);
}

static bool is_icmp_error(struct rte_mbuf *packet, const struct packet *p)
{
	uint8_t type;

	if (p->protocol != (packet_is_ipv6(p) ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return false;
	if (!packet_pull(packet, p->payload_offset + 1u))
		return true; /* cannot tell: do not answer */
	type = *rte_pktmbuf_mtod_offset(packet, const uint8_t *, p->payload_offset);
	if (packet_is_ipv6(p))
		return type < 128 || type == 137; /* RFC 4443 2.4 e */
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* The broadcast address of a home link. */
static bool is_link_broadcast(struct worker *worker, const struct packet *p)
{
	const struct home_network *network =
		tables_home_network_lookup(worker->tables, p->vrf, &p->source);

	if (network == NULL || network->prefix.length < 96 || network->prefix.length >= 127)
		return false;
	be32 hosts = rte_cpu_to_be_32(UINT32_MAX >> (network->prefix.length - 96));
	return ip_address_v4(&p->source) == (ip_address_v4(&network->prefix.address) | hosts);
}

/* RFC 1812 4.3.2.7, HA4-MTU-12. */
static bool is_silent(struct worker *worker, struct rte_mbuf *packet, const struct packet *p)
{
	return p->flags & (PACKET_FRAGMENT_LATER | PACKET_LINK_BROADCAST | PACKET_IP_BROADCAST) ||
	       ip_address_is_unspecified(&p->source) || !ip_address_is_unicast(&p->source) ||
	       (ip_address_is_v4(&p->source) && p->source.bytes[12] == 0) ||
	       is_link_broadcast(worker, p) || is_icmp_error(packet, p);
}

static bool is_within_rate(struct worker *worker, const struct packet *p)
{
	struct icmp_limiter *l = worker->icmp_limiter;
	uint64_t key = ((uint64_t)p->source.words[0] << 32 | p->source.words[3]) ^
		       ((uint64_t)p->source.words[2] << 32 | p->source.words[1]);

	return !l->none &&
	       limiter_pass(
		       l->sources, key, worker->now_tsc, l->source_interval_tsc, l->source_burst) &&
	       limiter_pass(l->all, 0, worker->now_tsc, l->interval_tsc, l->burst);
}

/* HA4-MTU-14: the agent of the tunnel that the sender, or the receiver, is behind. */
static const struct ip_address *own_address(struct worker *worker, const struct packet *p)
{
	bool v4 = !packet_is_ipv6(p);

	if (p->origin != NULL && tunnel_is_over_ipv4(p->origin) == v4)
		return &tables_agent_of(worker->tables, p->origin)->address;
	if (p->tunnel != NULL && tunnel_is_over_ipv4(p->tunnel) == v4)
		return &tables_agent_of(worker->tables, p->tunnel)->address;
	return tables_own_address(worker->tables, p->vrf, p->port, !v4);
}

static void write_ipv4(struct rte_mbuf *error, const struct ip_address *from,
	const struct ip_address *to, enum icmp_error kind, uint16_t value, uint16_t identification)
{
	static const uint8_t type[] = {3, 3, 11, 3, 12, 3}, code[] = {0, 1, 0, 4, 0, 13};
	struct rte_ipv4_hdr *ip;
	struct rte_icmp_hdr *icmp =
		(struct rte_icmp_hdr *)rte_pktmbuf_prepend(error, sizeof(struct rte_icmp_hdr));

	*icmp = (struct rte_icmp_hdr){.icmp_type = type[kind], .icmp_code = code[kind]};
	icmp->icmp_seq_nb = kind == ICMP_ERROR_TOO_BIG ? rte_cpu_to_be_16(value) : 0;
	if (kind == ICMP_ERROR_PARAMETER)
		icmp->icmp_ident = rte_cpu_to_be_16((uint16_t)(value << 8));
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, rte_pktmbuf_data_len(error));
	ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(error, sizeof(*ip));
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service = ERROR_TOS,
		.total_length = rte_cpu_to_be_16(rte_pktmbuf_data_len(error)),
		.packet_id = rte_cpu_to_be_16(identification),
		.time_to_live = ERROR_TTL,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = ip_address_v4(from),
		.dst_addr = ip_address_v4(to)};
	ipv4_checksum_set(ip);
}

static void write_ipv6(struct rte_mbuf *error, const struct ip_address *from,
	const struct ip_address *to, enum icmp_error kind, uint16_t value)
{
	static const uint8_t type[] = {1, 1, 3, 2, 4, 1}, code[] = {0, 3, 0, 0, 0, 1};
	struct rte_ipv6_hdr *ip;
	struct rte_icmp_hdr *icmp =
		(struct rte_icmp_hdr *)rte_pktmbuf_prepend(error, sizeof(struct rte_icmp_hdr));

	*icmp = (struct rte_icmp_hdr){.icmp_type = type[kind], .icmp_code = code[kind]};
	icmp->icmp_seq_nb =
		kind == ICMP_ERROR_TOO_BIG ? rte_cpu_to_be_16(value) : 0; /* low half of 32 bits */
	ip = (struct rte_ipv6_hdr *)rte_pktmbuf_prepend(error, sizeof(*ip));
	*ip = (struct rte_ipv6_hdr){.vtc_flow = rte_cpu_to_be_32(6u << 28 | ERROR_TOS << 20),
		.payload_len =
			rte_cpu_to_be_16((uint16_t)(rte_pktmbuf_data_len(error) - sizeof(*ip))),
		.proto = IPPROTO_ICMPV6,
		.hop_limits = ERROR_TTL};
	memcpy(&ip->src_addr, from->bytes, 16);
	memcpy(&ip->dst_addr, to->bytes, 16);
	icmp->icmp_cksum = rte_ipv6_udptcp_cksum(ip, icmp);
}

static bool copy_head(struct rte_mbuf *to, struct rte_mbuf *from, uint32_t length)
{
	char *octets;
	const void *data;

	length = RTE_MIN(length, rte_pktmbuf_pkt_len(from));
	octets = rte_pktmbuf_append(to, (uint16_t)length);
	if (octets == NULL)
		return false;
	data = rte_pktmbuf_read(from, 0, length, octets);
	if (data != octets)
		memcpy(octets, data, length);
	return true;
}

void icmp_error_send(
	struct worker *worker, struct rte_mbuf *packet, enum icmp_error kind, uint16_t value)
{
	const struct packet *p = packet_get(packet);
	const struct ip_address *from;
	struct rte_mbuf *error;
	bool v6 = packet_is_ipv6(p);
	uint32_t headers =
		(uint32_t)(v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)) +
		(uint32_t)sizeof(struct rte_icmp_hdr);

	from = own_address(worker, p);
	if (from == NULL || (p->flags & (PACKET_LOCAL | PACKET_KERNEL)) == PACKET_LOCAL ||
		is_silent(worker, packet, p) || !is_within_rate(worker, p) ||
		(error = packet_new(worker, &worker->ports[p->port])) == NULL) {
		worker->counters->icmp_suppressed++;
		return;
	}
	if (!copy_head(error, packet, (v6 ? IPV6_ERROR_MAX : IPV4_ERROR_MAX) - headers)) {
		worker->counters->icmp_suppressed++;
		worker->counters->created--;
		rte_pktmbuf_free(error);
		return;
	}
	if (v6)
		write_ipv6(error, from, &p->source, kind, value);
	else
		write_ipv4(error, from, &p->source, kind, value,
			worker->icmp_limiter->identification++);
	packet_get(error)->vrf = p->vrf;
	packet_get(error)->flags = PACKET_LOCAL;
	packet_parse(error, packet_get(error));
	worker->counters->icmp_sent++;
	pipeline_emit(worker, error, STEP_DESTINATION);
}
