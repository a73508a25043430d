#include "dataplane/forward/policy.h"

#include "dataplane/forward/fragment_state.h"

#include "dataplane/home_address.h"
#include "dataplane/icmp_error.h"
#include "dataplane/icmp_quoted.h"
#include "dataplane/sa_event.h"
#include "dataplane/table/policy_table.h"
#include "dataplane/table/sa_table.h"

#include <rte_ip.h>

#define MOBILITY_HEADER      135
#define MOBILE_IP_PORT       434
#define IKE_PORT             500
#define IKE_NAT_PORT         4500
#define ROUTER_SOLICITATION  133 /* RFC 4861 4.1, the first of neighbour discovery */
#define REDIRECT             137 /* the last */
#define REGISTRATION_REQUEST 1   /* RFC 5944 3.3, 3.4; RFC 3543 3 */
#define REGISTRATION_REPLY   3
#define REVOCATION           7
#define REVOCATION_ANSWER    15
#define ACQUIRE_RATE         1 /* a second and policy (SPD-13) */
#define ACQUIRE_KEY          (UINT64_C(1) << 62)

struct ports {
	uint32_t source, destination; /* as struct policy_key's */
	bool mip_signalling;
};

static bool has_ports(uint16_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

/* HA4-SPD-06: tunnel data shares the port with signalling; the first octet tells. */
static bool is_mip_signalling(
	struct rte_mbuf *packet, uint16_t protocol, uint32_t at, struct ports ports)
{
	uint8_t type;

	at += 8;
	if (protocol != IPPROTO_UDP ||
		(ports.source != MOBILE_IP_PORT && ports.destination != MOBILE_IP_PORT) ||
		!packet_pull(packet, at + 1))
		return false;
	type = *rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
	return type == REGISTRATION_REQUEST || type == REGISTRATION_REPLY || type == REVOCATION ||
	       type == REVOCATION_ANSWER;
}

/* RFC 4301 4.4.1.1: ports, or what stands in their place. A later fragment shows none (SPD-10). */
static struct ports ports_at(struct rte_mbuf *packet, uint16_t protocol, uint32_t at, bool later)
{
	struct ports ports = {POLICY_PORT_HIDDEN, POLICY_PORT_HIDDEN, false};
	const uint8_t *octets;

	if (later || !packet_pull(packet, at + 4))
		return ports;
	octets = rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
	if (has_ports(protocol)) {
		ports.source = (uint32_t)octets[0] << 8 | octets[1];
		ports.destination = (uint32_t)octets[2] << 8 | octets[3];
		ports.mip_signalling = is_mip_signalling(packet, protocol, at, ports);
	} else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		ports.source = (uint32_t)octets[0] << 8 | octets[1]; /* SPD-06 */
		ports.destination = POLICY_PORT_IGNORED;
	} else if (protocol == MOBILITY_HEADER) {
		ports.source = (uint32_t)octets[2] << 8; /* SPD-07 */
		ports.destination = POLICY_PORT_IGNORED;
	}
	return ports;
}

/* TRN-14: of what we send, and of what is for us. */
static __attribute__((noinline)) void home_addresses_take(
	struct policy_key *key, struct rte_mbuf *packet, const struct packet *p, bool out)
{
	struct home_addresses ends;

	if (out ? !(p->flags & PACKET_LOCAL) : p->after_policy != STEP_LOCAL_DEMUX)
		return;
	ends = home_address_read(packet, p);
	if (ends.refused)
		return;
	key->local = out ? ends.source : ends.destination;
	key->remote = out ? ends.destination : ends.source;
}

/* SPD-08 comes out by itself: type and code are the sender's "port", local of what we send, remote
 * of what we receive. */
static void key_write(struct policy_key *key, struct rte_mbuf *packet, enum sa_direction direction)
{
	const struct packet *p = packet_get(packet);
	struct packet_upper upper = packet_upper_get(packet, p);
	struct ports ports = ports_at(packet, upper.protocol, upper.offset, upper.later);
	bool out = direction == SA_OUTBOUND;

	/* Field by field: a structure made elsewhere and copied would wait for its own stores. */
	key->local = out ? p->source : p->destination;
	key->remote = out ? p->destination : p->source;
	if (unlikely(packet_is_ipv6(p) && p->payload_offset > sizeof(struct rte_ipv6_hdr)))
		home_addresses_take(key, packet, p, out);
	key->local_port = out ? ports.source : ports.destination;
	key->remote_port = out ? ports.destination : ports.source;
	key->protocol = upper.protocol;
	key->vrf = p->vrf;
	key->direction = (uint8_t)direction;
	key->mip_signalling = ports.mip_signalling;
}

static __attribute__((noinline)) void keys_fill(struct rte_mbuf **packets, unsigned count,
	enum sa_direction direction, struct policy_key *keys)
{
	for (unsigned i = 0; i < count; i++)
		rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
	for (unsigned i = 0; i < count; i++)
		key_write(&keys[i], packets[i], direction);
}

static void count_hit(struct worker *worker, const struct policy_verdict *verdict)
{
	if (worker->policy_hits != NULL && verdict->policy_id != POLICY_NONE)
		worker->policy_hits[verdict->policy_id]++;
}

static enum drop_reason discard_reason(const struct packet *p, const struct policy_verdict *verdict)
{
	if (verdict->policy_id != POLICY_NONE)
		return DROP_policy_discard;
	return p->flags & PACKET_FRAGMENT_LATER ? DROP_ipsec_frag_state : DROP_policy_none;
}

/* AUD-03. */
static step_result discard(struct worker *worker, struct rte_mbuf *packet,
	enum sa_direction direction, enum drop_reason reason)
{
	sa_event_rejected(worker, packet,
		&(struct sa_rejected){.sa_id = SA_NONE,
			.reason = reason,
			.outbound = direction == SA_OUTBOUND,
			.judged = true});
	return STEP_DROP(reason);
}

static bool is_tunnel(uint8_t protocol)
{
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE ||
	       protocol == ENCAPSULATION_MINIMAL;
}

/* SPD-15: the last policy is a setting's. What is for the gateway's own system is judged there,
 * Mobile IP and tunnels are not its. */
static bool unmatched_passes(
	const struct worker *worker, const struct packet *p, const struct policy_key *key)
{
	if (worker->settings->unmatched != UNMATCHED_LOCAL)
		return worker->settings->unmatched == UNMATCHED_BYPASS;
	return p->after_policy == STEP_LOCAL_DEMUX && !is_tunnel(p->protocol) &&
	       !(p->protocol == IPPROTO_UDP && key->local_port == MOBILE_IP_PORT);
}

static step_result inbound_decide(struct worker *worker, struct rte_mbuf *packet,
	const struct policy_key *key, const struct policy_verdict *verdict)
{
	struct packet *p = packet_get(packet);

	count_hit(worker, verdict);
	switch ((enum policy_action)verdict->action) {
	case POLICY_BYPASS:
		p->flags |= PACKET_POLICY_PASSED;
		return p->after_policy;
	case POLICY_PROTECT:
		return discard(worker, packet, SA_INBOUND, DROP_policy_cleartext); /* SPD-14, -16 */
	case POLICY_DISCARD:
		if (verdict->policy_id != POLICY_NONE || !unmatched_passes(worker, p, key))
			break;
		p->flags |= PACKET_POLICY_PASSED;
		return p->after_policy;
	}
	return discard(worker, packet, SA_INBOUND, discard_reason(packet_get(packet), verdict));
}

static void acquire(
	struct worker *worker, const struct policy_key *key, const struct policy_verdict *verdict)
{
	if (!pipeline_limit(worker, ACQUIRE_KEY | verdict->policy_id, ACQUIRE_RATE, ACQUIRE_RATE))
		return;
	uint64_t source_port = key->local_port <= UINT16_MAX ? key->local_port : 0;
	uint64_t destination_port = key->remote_port <= UINT16_MAX ? key->remote_port : 0;
	pipeline_event(worker, &(struct event){.type = EVENT_ACQUIRE,
				       .vrf = key->vrf,
				       .address = key->remote,
				       .address2 = key->local,
				       .id = verdict->policy_id,
				       .value = (uint64_t)key->protocol << 32 | source_port << 16 |
						destination_port});
}

/*
 * ESP-OUT-13, RFC 4301 6.2: an error that no policy names goes through the SA that carries the
 * answers to the packet it is about. None is asked for on its behalf.
 */
static step_result error_decide(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	struct policy_key key;
	struct policy_verdict verdict;
	struct icmp_quoted quoted;

	if (icmp_quoted_read(packet, p, &quoted)) {
		struct ports ports =
			ports_at(packet, quoted.protocol, quoted.payload_offset, quoted.later);
		key = (struct policy_key){.local = quoted.destination,
			.remote = quoted.source,
			.local_port = ports.destination,
			.remote_port = ports.source,
			.protocol = quoted.protocol,
			.vrf = p->vrf,
			.direction = SA_OUTBOUND,
			.mip_signalling = ports.mip_signalling};
		tables_policy_lookup_burst(worker->tables, &key, 1, &verdict);
		if (verdict.policy_id != POLICY_NONE && verdict.action == POLICY_PROTECT &&
			sa_outbound_get(tables_sas(worker->tables), verdict.sa_id) != NULL) {
			count_hit(worker, &verdict);
			p->sa_id = verdict.sa_id;
			return STEP_ENCAP_ESP;
		}
	}
	return discard(worker, packet, SA_OUTBOUND, DROP_ipsec_icmp_no_sa);
}

/*
 * ESP of ours (ESP-OUT-03, -04): the one policy that may ask for more is one that says so; into the
 * SA that it came out of it does not go again (TUN-12).
 */
static __attribute__((noinline)) step_result nested_decide(struct worker *worker,
	struct rte_mbuf *packet, const struct policy_key *key, const struct policy_verdict *verdict)
{
	struct packet *p = packet_get(packet);
	const struct sa_outbound *sa;

	if (verdict->policy_id == POLICY_NONE || verdict->action != POLICY_PROTECT ||
		!(verdict->flags & POLICY_NESTED))
		return STEP_LINK_MTU;
	if (verdict->sa_id == p->sa_id) { /* in transport mode the addresses stay what they were */
		sa = sa_outbound_get(tables_sas(worker->tables), p->sa_id);
		return sa != NULL && sa->flags & SA_TRANSPORT
			       ? STEP_LINK_MTU
			       : discard(worker, packet, SA_OUTBOUND, DROP_ipsec_nesting);
	}
	count_hit(worker, verdict);
	if (verdict->sa_id == SA_NONE) {
		acquire(worker, key, verdict);
		return STEP_DROP(DROP_policy_no_sa);
	}
	p->sa_id = verdict->sa_id;
	return STEP_ENCAP_ESP;
}

static step_result outbound_decide(struct worker *worker, struct rte_mbuf *packet,
	const struct policy_key *key, const struct policy_verdict *verdict)
{
	struct packet *p = packet_get(packet);

	if (unlikely(p->flags & PACKET_PROTECTED))
		return nested_decide(worker, packet, key, verdict);
	count_hit(worker, verdict);
	switch ((enum policy_action)verdict->action) {
	case POLICY_BYPASS:
		return STEP_LINK_MTU;
	case POLICY_PROTECT:
		p->sa_id = verdict->sa_id;
		if (verdict->sa_id != SA_NONE)
			return STEP_ENCAP_ESP;
		acquire(worker, key, verdict);
		return STEP_DROP(DROP_policy_no_sa);
	case POLICY_DISCARD:
		if (verdict->policy_id == POLICY_NONE &&
			worker->settings->unmatched == UNMATCHED_BYPASS)
			return STEP_LINK_MTU;
		if (verdict->policy_id == POLICY_NONE &&
			icmp_quoted_is_error(packet, packet_get(packet)))
			return error_decide(worker, packet);
		if (verdict->flags & POLICY_HIT_ICMP)
			icmp_error_send(worker, packet, ICMP_ERROR_PROHIBITED, 0);
		break;
	}
	return discard(worker, packet, SA_OUTBOUND, discard_reason(p, verdict));
}

/* The lines that a host's policy leads to are its own: the hit counter, the slot of its SA. */
static void verdicts_prefetch(
	struct worker *worker, const struct policy_verdict *verdicts, unsigned count)
{
	const struct sa_table *sas = tables_sas(worker->tables);

	for (unsigned i = 0; i < count; i++) {
		if (worker->policy_hits != NULL && verdicts[i].policy_id != POLICY_NONE)
			rte_prefetch0(&worker->policy_hits[verdicts[i].policy_id]);
		if (verdicts[i].sa_id < sas->count)
			rte_prefetch0(&sas->outbound_of[verdicts[i].sa_id]);
	}
}

/* SPD-17. */
static void fragments_judge(struct worker *worker, struct rte_mbuf **packets, unsigned count,
	enum sa_direction direction, struct policy_verdict *verdicts)
{
	for (unsigned i = 0; i < count; i++)
		if (unlikely(packet_get(packets[i])->flags & PACKET_FRAGMENT))
			fragment_state_judge(worker, packets[i], direction, &verdicts[i]);
}

void policy_inbound_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	struct policy_key keys[BURST_SIZE];
	struct policy_verdict verdicts[BURST_SIZE];

	keys_fill(packets, count, SA_INBOUND, keys);
	tables_policy_lookup_burst(worker->tables, keys, count, verdicts);
	fragments_judge(worker, packets, count, SA_INBOUND, verdicts);
	for (unsigned i = 0; i < count; i++)
		next[i] = inbound_decide(worker, packets[i], &keys[i], &verdicts[i]);
}

void policy_outbound_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	struct policy_key keys[BURST_SIZE];
	struct policy_verdict verdicts[BURST_SIZE];

	keys_fill(packets, count, SA_OUTBOUND, keys);
	tables_policy_lookup_burst(worker->tables, keys, count, verdicts);
	fragments_judge(worker, packets, count, SA_OUTBOUND, verdicts);
	verdicts_prefetch(worker, verdicts, count);
	for (unsigned i = 0; i < count; i++)
		next[i] = outbound_decide(worker, packets[i], &keys[i], &verdicts[i]);
}

/* How protection comes about, and how neighbours are found (SPD-15). */
static bool is_before_protection(const struct packet *p, const struct policy_key *key)
{
	uint32_t type = key->local_port >> 8;

	if (p->protocol == IPPROTO_ESP || p->protocol == IPPROTO_AH)
		return true;
	if (p->protocol == IPPROTO_ICMPV6)
		return key->local_port <= UINT16_MAX && type >= ROUTER_SOLICITATION &&
		       type <= REDIRECT;
	return p->protocol == IPPROTO_UDP &&
	       (key->local_port == IKE_PORT || key->local_port == IKE_NAT_PORT);
}

bool policy_claims_kernel(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *p = packet_get(packet);
	struct policy_key key;
	struct policy_verdict verdict;

	if (!step_policy_asked(worker, p, p->port) || !ip_address_is_unicast(&p->destination))
		return false;
	key_write(&key, packet, SA_OUTBOUND);
	if (is_before_protection(p, &key))
		return false;
	tables_policy_lookup_burst(worker->tables, &key, 1, &verdict);
	return verdict.policy_id != POLICY_NONE && verdict.action != POLICY_BYPASS;
}

step_result policy_inbound(struct worker *worker, struct rte_mbuf *packet)
{
	step_result next;

	policy_inbound_burst(worker, &packet, 1, &next);
	return next;
}

step_result policy_outbound(struct worker *worker, struct rte_mbuf *packet)
{
	step_result next;

	policy_outbound_burst(worker, &packet, 1, &next);
	return next;
}
