#include "dataplane/encap/esp_path.h"

#include "dataplane/crypto/esp_codec.h"
#include "dataplane/fragment.h"
#include "dataplane/icmp_error.h"
#include "dataplane/table/policy_table.h"
#include "dataplane/tunnel_mtu.h"

#include <rte_ip.h>
#include <rte_udp.h>

#define PATH_MTU_TIMEOUT_S 600 /* MTU-10 */
#define IPV6_MTU_LEAST     1280
#define IPV4_MTU_LEAST     68

static struct ip_address peer_of(const struct sa_outbound *sa)
{
	be32 v4;

	if (sa->ip_length == sizeof(struct rte_ipv6_hdr))
		return ip_address_from_v6(sa->header + 24);
	memcpy(&v4, sa->header + 16, sizeof(v4));
	return ip_address_from_v4(v4);
}

static const struct tunnel *live_tunnel(
	struct worker *worker, uint16_t vrf, const struct ip_address *address)
{
	const struct tunnel *t = tables_home_lookup(worker->tables, vrf, address);

	if (t == NULL)
		t = tables_prefix_lookup(worker->tables, vrf, address);
	while (t != NULL && !tables_tunnel_live(t, worker->now_tsc))
		t = tables_tunnel_next(worker->tables, t);
	return t;
}

static unsigned passes_max(const struct worker *worker)
{
	const struct config_dataplane *settings = worker->settings;

	return settings != NULL && settings->esp_nesting_max != 0 ? settings->esp_nesting_max
								  : ESP_PASSES_MAX;
}

bool esp_path_is_too_deep(const struct worker *worker, const struct packet *p)
{
	return p->flags >> PACKET_ESP_PASSES >= passes_max(worker);
}

/* What an SA's own packet looks like to a policy. `ends`: its outer addresses. */
struct ends {
	struct ip_address local, remote;
	uint16_t ip_length, vrf;
};

static const struct sa_outbound *nested_sa(
	struct worker *worker, const struct sa_outbound *sa, const struct ends *ends)
{
	struct policy_key key = {.local = ends->local,
		.remote = ends->remote,
		.local_port = POLICY_PORT_HIDDEN,
		.remote_port = POLICY_PORT_HIDDEN,
		.protocol = sa->flags & SA_UDP ? IPPROTO_UDP : IPPROTO_ESP,
		.vrf = ends->vrf,
		.direction = SA_OUTBOUND};
	struct policy_verdict verdict;
	struct rte_udp_hdr udp;

	if (sa->flags & SA_UDP) {
		memcpy(&udp, sa->header + sa->ip_length, sizeof(udp));
		key.local_port = rte_be_to_cpu_16(udp.src_port);
		key.remote_port = rte_be_to_cpu_16(udp.dst_port);
	}
	tables_policy_lookup_burst(worker->tables, &key, 1, &verdict);
	if (verdict.policy_id == POLICY_NONE || verdict.action != POLICY_PROTECT ||
		!(verdict.flags & POLICY_NESTED) || verdict.sa_id == sa->sa_id)
		return NULL;
	return sa_outbound_get(tables_sas(worker->tables), verdict.sa_id);
}

static struct esp_path path_find(
	struct worker *worker, const struct sa_outbound *constant, unsigned depth);

/* What the SA around this one leaves for it, `mtu` when there is none. */
static uint16_t nested_mtu(struct worker *worker, const struct sa_outbound *sa,
	const struct ends *ends, uint16_t mtu, unsigned depth)
{
	const struct sa_outbound *around = nested_sa(worker, sa, ends);
	uint32_t udp, left;

	if (around == NULL || depth >= passes_max(worker))
		return mtu;
	udp = around->flags & SA_UDP ? sizeof(struct rte_udp_hdr) : 0;
	if (around->flags & SA_TRANSPORT)
		left = ends->ip_length +
		       esp_codec_inner_mtu(around->suite, mtu, ends->ip_length + udp);
	else
		left = esp_codec_inner_mtu(around->suite, path_find(worker, around, depth + 1).mtu,
			around->ip_length + udp);
	return (uint16_t)RTE_MIN(left, (uint32_t)UINT16_MAX);
}

static bool is_judged(struct worker *worker, uint16_t vrf, uint16_t port)
{
	const struct packet p = {.vrf = vrf};

	return tables_policies_nested(worker->tables) && step_policy_asked(worker, &p, port);
}

static struct ip_address source_of(const struct sa_outbound *sa)
{
	be32 v4;

	if (sa->ip_length == sizeof(struct rte_ipv6_hdr))
		return ip_address_from_v6(sa->header + 8);
	memcpy(&v4, sa->header + 12, sizeof(v4));
	return ip_address_from_v4(v4);
}

struct esp_path esp_path_transport(
	struct worker *worker, const struct sa_outbound *sa, const struct packet *p)
{
	struct esp_path path = {.mtu = p->out_mtu};

	if (unlikely(is_judged(worker, p->vrf, p->out_port)))
		path.mtu = nested_mtu(worker, sa,
			&(struct ends){p->source, p->destination, p->payload_offset, p->vrf},
			path.mtu, 1);
	return path;
}

static void way_find(struct worker *worker, struct sa_outbound *sa, uint32_t change, unsigned depth)
{
	struct ip_address peer = peer_of(sa);
	const struct tunnel *t = live_tunnel(worker, sa->vrf, &peer);
	const struct route *route = NULL;
	uint16_t mtu = 0;

	if (t != NULL) { /* HA4-SPD-02: the peer is a home address */
		struct tunnel_way way = tunnel_mtu_way(worker, t);
		uint16_t added =
			(uint16_t)(tunnel_mtu_overhead(t, false) +
				   (tunnel_mtu_is_double(t, &peer) ? TUNNEL_MTU_HOME_HEADER : 0));
		mtu = !way.too_deep && way.mtu > added ? (uint16_t)(way.mtu - added) : 0;
	} else {
		route = tables_route_lookup(worker->tables, sa->vrf, &peer);
		if (route != NULL && route->port < worker->port_count) {
			mtu = worker->ports[route->port].mtu;
			mtu = route->mtu != 0 ? RTE_MIN(route->mtu, mtu) : mtu;
			if (unlikely(is_judged(worker, sa->vrf, route->port))) {
				mtu = nested_mtu(worker, sa,
					&(struct ends){source_of(sa), peer, sa->ip_length, sa->vrf},
					mtu, depth);
				change = 0; /* the other SA's path may change without a command */
			}
		}
	}
	/* Another worker may do the same now, with the same result. */
	atomic_store_explicit(&sa->way_change, 0, memory_order_release);
	atomic_store_explicit(&sa->way_route, route, memory_order_relaxed);
	atomic_store_explicit(&sa->way_mtu, mtu, memory_order_relaxed);
	atomic_store_explicit(&sa->way_is_home, t != NULL, memory_order_relaxed);
	/* A tunnel's path may change without a command. */
	atomic_store_explicit(&sa->way_change, t != NULL ? 0 : change, memory_order_release);
}

static uint16_t learned_mtu(struct worker *worker, struct sa_outbound *sa)
{
	uint16_t mtu = atomic_load_explicit(&sa->learned_mtu, memory_order_relaxed);
	uint32_t timeout_s = worker->settings != NULL && worker->settings->path_mtu_timeout_s != 0
				     ? worker->settings->path_mtu_timeout_s
				     : PATH_MTU_TIMEOUT_S;

	if (mtu == 0)
		return UINT16_MAX;
	if ((uint32_t)(worker->now_ns / CLOCK_NS_PER_S) -
			atomic_load_explicit(&sa->learned_s, memory_order_relaxed) <
		timeout_s)
		return mtu;
	atomic_store_explicit(&sa->learned_mtu, 0, memory_order_relaxed);
	return UINT16_MAX;
}

static struct esp_path path_find(
	struct worker *worker, const struct sa_outbound *constant, unsigned depth)
{
	struct sa_outbound *sa = (struct sa_outbound *)constant; /* soft state alone */
	uint32_t change = tables_change(worker->tables);
	struct esp_path path;

	if (atomic_load_explicit(&sa->way_change, memory_order_acquire) != change)
		way_find(worker, sa, change, depth);
	path.route = atomic_load_explicit(&sa->way_route, memory_order_relaxed);
	path.mtu = atomic_load_explicit(&sa->way_mtu, memory_order_relaxed);
	if (sa->path_mtu != 0)
		path.mtu = RTE_MIN(path.mtu, sa->path_mtu);
	path.mtu = RTE_MIN(path.mtu, learned_mtu(worker, sa));
	return path;
}

struct esp_path esp_path_find(struct worker *worker, const struct sa_outbound *sa)
{
	return path_find(worker, sa, 1);
}

static bool has_df(struct rte_mbuf *packet, const struct packet *p)
{
	return packet_is_ipv6(p) ||
	       rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *)->fragment_offset &
		       RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
}

static enum esp_fit refuse(
	struct worker *worker, struct rte_mbuf *packet, uint32_t mtu, step_result *result)
{
	icmp_error_send(worker, packet, ICMP_ERROR_TOO_BIG, (uint16_t)mtu);
	*result = STEP_DROP(DROP_ipsec_mtu_exceeded);
	return ESP_DROPPED;
}

/* Transport mode: no fragments of what is inside; the whole may be cut when its DF allows (MTU-05).
 */
static enum esp_fit fit_transport(struct worker *worker, struct rte_mbuf *packet,
	const struct sa_outbound *sa, uint16_t path_mtu, step_result *result)
{
	const struct packet *p = packet_get(packet);
	uint32_t udp = sa->flags & SA_UDP ? sizeof(struct rte_udp_hdr) : 0;
	uint32_t inner = esp_codec_inner_mtu(sa->suite, path_mtu, p->payload_offset + udp);

	if (!has_df(packet, p) ||
		(packet_is_ipv6(p) && rte_pktmbuf_pkt_len(packet) <= IPV6_MTU_LEAST))
		return ESP_FITS_CUT;
	inner += p->payload_offset;
	return refuse(worker, packet,
		RTE_MAX(inner, (uint32_t)(packet_is_ipv6(p) ? IPV6_MTU_LEAST : IPV4_MTU_LEAST)),
		result);
}

static enum esp_fit fit_tunnel(struct worker *worker, struct rte_mbuf *packet,
	const struct sa_outbound *sa, uint32_t inner_mtu, step_result *result)
{
	struct packet *p = packet_get(packet);

	if (packet_is_ipv6(p)) { /* MTU-04 */
		if (rte_pktmbuf_pkt_len(packet) <= IPV6_MTU_LEAST)
			return ESP_FITS_CUT;
		return refuse(worker, packet, RTE_MAX(inner_mtu, (uint32_t)IPV6_MTU_LEAST), result);
	}
	if (has_df(packet, p)) /* MTU-02 */
		return refuse(worker, packet, RTE_MAX(inner_mtu, (uint32_t)IPV4_MTU_LEAST), result);
	if (sa->selects_ports || (sa->flags & SA_FRAGMENT_AFTER && !(sa->flags & SA_UDP)))
		return ESP_FITS_CUT; /* MTU-03, -06 */
	*result = fragment_ipv4(worker, packet, (uint16_t)inner_mtu, STEP_ENCAP_ESP);
	return ESP_DROPPED;
}

enum esp_fit esp_path_fit(struct worker *worker, struct rte_mbuf *packet,
	const struct sa_outbound *sa, uint16_t path_mtu, step_result *result)
{
	const struct packet *p = packet_get(packet);
	uint32_t length = rte_pktmbuf_pkt_len(packet), outer, payload;
	bool transport = sa->flags & SA_TRANSPORT;

	outer = (transport ? p->payload_offset : sa->ip_length) +
		(uint32_t)(sa->flags & SA_UDP ? sizeof(struct rte_udp_hdr) : 0);
	payload = transport ? length - p->payload_offset : length;
	if (outer + esp_codec_packet_length(sa->suite, payload) <= path_mtu)
		return ESP_FITS;
	if (outer + esp_codec_packet_length(sa->suite, payload) > UINT16_MAX) {
		*result = STEP_DROP(DROP_ipsec_mtu_exceeded);
		return ESP_DROPPED;
	}
	if (transport)
		return fit_transport(worker, packet, sa, path_mtu, result);
	return fit_tunnel(
		worker, packet, sa, esp_codec_inner_mtu(sa->suite, path_mtu, outer), result);
}
