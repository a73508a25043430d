/*
 * The path of a packet, and the only file that knows all steps.
 *
 *   device ─> ether ─┬─> ipv4, ipv6 ─┬─> local_demux ─┬─> udp ─┬─> punt (to control)
 *                    └─> arp         │                │        └─> decap/udp ──────┐
 *                                    │   reassembly <─┤                            │
 *                                    │                ├─> icmp                     │
 *                                    │                ├─> decap/ipip, gre, minimal ┤
 *                                    │                └─> exception (to kernel)    │
 *                                    └─> destination <── decap/inner_check <───────┘
 *                                          │   └─> binding ─> mtu_check ─┐
 *                                          │          ^       encap/home │ (behind an agent)
 *                                          │          └── care-of is ────┤
 *                                          │              itself away    │
 *                                          └─> route <── encap/ipip, <───┘
 *                                                │       gre, minimal, udp
 *                                                └─> link_mtu ─> neighbor ─> transmit
 *
 * ESP stands beside the other tunnels: local_demux and udp hand it to decap/esp, which goes on at
 * destination (tunnel mode) or local_demux (transport mode); forward/policy, asked between route
 * and link_mtu, hands what it protects to encap/esp, which goes on at route or destination.
 *
 * Every step has a queue. A turn takes the earliest step that has packets, runs a burst of them
 * through it and puts each where its result says: the next step's queue, an end (punt, exception,
 * drop) or nowhere, when the step kept it. So a burst moves through the steps together, each step's
 * code and tables hot, and a packet that needs a step twice (a tunnel in a tunnel) simply stands in
 * its queue again; depth is bounded by the steps themselves. A burst whose packets all go to the
 * same step, with nobody waiting before it, goes there without the queue.
 *
 * Packets of one flow keep their order (HA4-FWD-17) because they take the same queues. Where they
 * do not (a fragment is joined or cut, a copy made, minimal encapsulation left) `disordered` is
 * set, and until the burst is through each queue is sorted by packet.order before its step runs:
 * paths that part meet again in the queue of a later step.
 *
 * Before all of them dataplane/lane takes those packets of a burst whose whole way is the usual
 * one.
 *
 * Ends count: drop_packet under its reason, link/ what it took over, whoever flushes worker->tx
 * what was sent. What comes in is counted here (lib/ipc/counters.h has the sum).
 */
#include "dataplane/pipeline.h"

#include "dataplane/decap/esp.h"
#include "dataplane/decap/gre.h"
#include "dataplane/decap/inner_check.h"
#include "dataplane/decap/ipip.h"
#include "dataplane/decap/minimal.h"
#include "dataplane/decap/udp.h"
#include "dataplane/drop.h"
#include "dataplane/encap/esp.h"
#include "dataplane/encap/gre.h"
#include "dataplane/encap/home.h"
#include "dataplane/encap/ipip.h"
#include "dataplane/encap/minimal.h"
#include "dataplane/encap/mtu_check.h"
#include "dataplane/encap/outer.h"
#include "dataplane/encap/udp.h"
#include "dataplane/forward/binding.h"
#include "dataplane/forward/destination.h"
#include "dataplane/forward/fragment_state.h"
#include "dataplane/forward/policy.h"
#include "dataplane/forward/route.h"
#include "dataplane/handover.h"
#include "dataplane/icmp_error.h"
#include "dataplane/input/arp.h"
#include "dataplane/input/ether.h"
#include "dataplane/input/icmp.h"
#include "dataplane/input/ike.h"
#include "dataplane/input/ipv4.h"
#include "dataplane/input/ipv6.h"
#include "dataplane/input/local_demux.h"
#include "dataplane/input/reassembly.h"
#include "dataplane/input/udp.h"
#include "dataplane/lane/lane.h"
#include "dataplane/lane/way.h"
#include "dataplane/limiter.h"
#include "dataplane/link/event.h"
#include "dataplane/link/exception.h"
#include "dataplane/link/punt.h"
#include "dataplane/output/link_mtu.h"
#include "dataplane/output/neighbor.h"
#include "dataplane/output/transmit.h"
#include "dataplane/table/sa_table.h"

#include "lib/base/line.h"

#include <errno.h>
#include <rte_ether.h>
#include <stdlib.h>

#define QUEUE_SIZE            1024
#define LIMITER_SLOTS         4096
#define REASSEMBLY_DATAGRAMS  256
#define REASSEMBLY_TIMEOUT_MS 30000 /* HA4-MTU-16 */
#define ICMP_RATE             100   /* HA4-MTU-13 */
#define ICMP_SOURCE_RATE      10

typedef void (*burst_function)(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

static const burst_function steps[STEP_PUNT] = {
	[STEP_ETHER] = ether_input_burst,
	[STEP_ARP] = arp_input_burst,
	[STEP_IPV4] = ipv4_input_burst,
	[STEP_IPV6] = ipv6_input_burst,
	[STEP_REASSEMBLY] = reassembly_input_burst,
	[STEP_POLICY_INBOUND] = policy_inbound_burst,
	[STEP_LOCAL_DEMUX] = local_demux_burst,
	[STEP_UDP] = udp_input_burst,
	[STEP_ICMP] = icmp_input_burst,
	[STEP_DECAP_IPIP] = ipip_decap_burst,
	[STEP_DECAP_GRE] = gre_decap_burst,
	[STEP_DECAP_MINIMAL] = minimal_decap_burst,
	[STEP_DECAP_UDP] = udp_decap_burst,
	[STEP_DECAP_ESP] = esp_decap_burst,
	[STEP_INNER_CHECK] = inner_check_burst,
	[STEP_DESTINATION] = destination_forward_burst,
	[STEP_BINDING] = binding_forward_burst,
	[STEP_MTU_CHECK] = mtu_check_burst,
	[STEP_ENCAP_HOME] = home_encap_burst,
	[STEP_ENCAP_IPIP] = ipip_encap_burst,
	[STEP_ENCAP_GRE] = gre_encap_burst,
	[STEP_ENCAP_MINIMAL] = minimal_encap_burst,
	[STEP_ENCAP_UDP] = udp_encap_burst,
	[STEP_ROUTE] = route_forward_burst,
	[STEP_POLICY_OUTBOUND] = policy_outbound_burst,
	[STEP_ENCAP_ESP] = esp_encap_burst,
	[STEP_LINK_MTU] = link_mtu_output_burst,
	[STEP_NEIGHBOR] = neighbor_output_burst,
	[STEP_TRANSMIT] = transmit_output_burst,
};

struct queue {
	unsigned head, tail;
	struct rte_mbuf *packets[QUEUE_SIZE];
};

struct pipeline {       /* worker->step_state */
	uint32_t ready; /* bit of each step whose queue is not empty */
	bool disordered;
	struct limiter *limiter;
	struct queue queues[STEP_PUNT];
};

int pipeline_worker_init(struct worker *worker)
{
	static const _Atomic uint32_t drop_trace_off;
	const struct config_dataplane *s = worker->settings;
	uint32_t datagrams =
		s != NULL && s->max_reassembly ? s->max_reassembly : REASSEMBLY_DATAGRAMS;
	uint64_t timeout_ms = s != NULL && s->reassembly_timeout_ms ? s->reassembly_timeout_ms
								    : REASSEMBLY_TIMEOUT_MS;
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));

	if (worker->drop_switch == NULL)
		worker->drop_switch = &drop_trace_off;
	worker->step_state = pipeline;
	worker->reassembly = reassembly_new(datagrams, timeout_ms * worker->tsc_hz / 1000);
	worker->icmp_limiter = icmp_error_limiter_new(s != NULL ? s->icmp_rate : ICMP_RATE,
		s != NULL ? s->icmp_source_rate : ICMP_SOURCE_RATE, worker->tsc_hz);
	worker->neighbor_queue = neighbor_queue_new();
	worker->fragment_state = fragment_state_new();
	worker->outer_identifications = outer_identifications_new(worker);
	worker->ike_police =
		ike_police_new(s != NULL ? s->ike_rate : 0, s != NULL ? s->ike_source_rate : 0,
			s != NULL ? s->ike_begin_rate : 0, worker->tsc_hz);
	worker->ways = way_table_new();
	if (pipeline != NULL)
		pipeline->limiter = limiter_new(LIMITER_SLOTS);
	if (pipeline == NULL || worker->ways == NULL || pipeline->limiter == NULL ||
		worker->reassembly == NULL || worker->icmp_limiter == NULL ||
		worker->neighbor_queue == NULL || worker->fragment_state == NULL ||
		worker->ike_police == NULL || worker->outer_identifications == NULL) {
		pipeline_worker_fini(worker);
		return -ENOMEM;
	}
	return 0;
}

void pipeline_worker_fini(struct worker *worker)
{
	struct pipeline *pipeline = worker->step_state;

	reassembly_free(worker, worker->reassembly);
	neighbor_queue_free(worker, worker->neighbor_queue);
	icmp_error_limiter_free(worker->icmp_limiter);
	fragment_state_free(worker->fragment_state);
	ike_police_free(worker->ike_police);
	free(worker->outer_identifications);
	way_table_free(worker->ways);
	if (pipeline != NULL)
		limiter_free(pipeline->limiter);
	free(pipeline);
	worker->reassembly = NULL;
	worker->neighbor_queue = NULL;
	worker->icmp_limiter = NULL;
	worker->fragment_state = NULL;
	worker->ike_police = NULL;
	worker->outer_identifications = NULL;
	worker->ways = NULL;
	worker->step_state = NULL;
}

static void to_kernel_frame(struct worker *worker, struct rte_mbuf *frame)
{
	enum drop_reason reason;

	frame->port = packet_get(frame)->port;
	reason = exception_packet(worker, frame);
	if (reason != DROP_NONE)
		drop_packet(worker, frame, reason);
}

static void to_kernel(struct worker *worker, struct rte_mbuf *packet)
{
	if (packet_restore_frame(worker, packet))
		to_kernel_frame(worker, packet);
	else
		drop_packet(worker, packet, DROP_no_headroom);
}

static void to_control(struct worker *worker, struct rte_mbuf *packet)
{
	enum drop_reason reason = punt_packet(worker, packet);

	if (reason != DROP_NONE)
		drop_packet(worker, packet, reason);
}

static void enqueue(struct worker *worker, struct rte_mbuf *packet, enum step step)
{
	struct pipeline *pipeline = worker->step_state;
	struct queue *queue = &pipeline->queues[step];

	if (queue->tail == QUEUE_SIZE && queue->head > 0) {
		memmove(queue->packets, queue->packets + queue->head,
			(queue->tail - queue->head) * sizeof(queue->packets[0]));
		queue->tail -= queue->head;
		queue->head = 0;
	}
	if (queue->tail == QUEUE_SIZE) {
		drop_packet(worker, packet, DROP_no_buffer);
		return;
	}
	queue->packets[queue->tail++] = packet;
	pipeline->ready |= 1u << step;
}

static void go_on(struct worker *worker, struct rte_mbuf *packet, step_result next)
{
	if (next < 0)
		drop_packet(worker, packet, (enum drop_reason) - next);
	else if (next < STEP_PUNT)
		enqueue(worker, packet, (enum step)next);
	else if (next == STEP_PUNT)
		to_control(worker, packet);
	else if (next == STEP_EXCEPTION)
		to_kernel(worker, packet);
}

void pipeline_emit(struct worker *worker, struct rte_mbuf *packet, step_result next)
{
	pipeline_disorder(worker);
	go_on(worker, packet, next);
}

void pipeline_disorder(struct worker *worker)
{
	((struct pipeline *)worker->step_state)->disordered = true;
}

bool pipeline_limit(struct worker *worker, uint64_t key, uint32_t rate, uint32_t burst)
{
	struct pipeline *pipeline = worker->step_state;

	return limiter_pass(pipeline->limiter, key, worker->now_tsc, worker->tsc_hz / rate, burst);
}

void pipeline_event(struct worker *worker, const struct event *event)
{
	if (worker->event_out != NULL)
		event_emit(worker, event);
}

/* Insertion: stable, and quick on what is nearly in order. */
static void sort(struct queue *queue)
{
	for (unsigned i = queue->head + 1; i < queue->tail; i++) {
		struct rte_mbuf *packet = queue->packets[i];
		uint16_t order = packet_get(packet)->order;
		unsigned at = i;

		for (; at > queue->head && packet_get(queue->packets[at - 1])->order > order; at--)
			queue->packets[at] = queue->packets[at - 1];
		queue->packets[at] = packet;
	}
}

/* The one result of the whole burst, STEP_COUNT when ways part. */
static step_result result_of_all(const step_result *next, unsigned count)
{
	int differs = 0;

	for (unsigned i = 1; i < count; i++)
		differs |= next[i] ^ next[0];
	return differs ? STEP_COUNT : next[0];
}

/* May a burst enter the step past its queue? Only when its turn would be next and it alone. */
static bool is_next(const struct pipeline *pipeline, enum step step)
{
	return (pipeline->ready & ((2u << step) - 1)) == 0 && !pipeline->disordered;
}

/* Takes a burst through a step and, while all of it has one way, through the steps that follow. */
static void run_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, enum step step)
{
	const struct pipeline *pipeline = worker->step_state;
	step_result next[BURST_SIZE], all;

	for (;; step = (enum step)all) {
		steps[step](worker, packets, count, next);
		all = result_of_all(next, count);
		if (all == STEP_DONE)
			return;
		if (all < 0 || all >= STEP_PUNT || !is_next(pipeline, (enum step)all))
			break;
	}
	for (unsigned i = 0; i < count; i++)
		go_on(worker, packets[i], next[i]);
}

/* Runs until every queue is empty. */
static void run(struct worker *worker)
{
	struct pipeline *pipeline = worker->step_state;

	while (pipeline->ready != 0) {
		unsigned step = (unsigned)__builtin_ctz(pipeline->ready);
		struct queue *queue = &pipeline->queues[step];
		unsigned count = RTE_MIN(queue->tail - queue->head, (unsigned)BURST_SIZE);
		struct rte_mbuf *packets[BURST_SIZE];

		if (pipeline->disordered)
			sort(queue);
		memcpy(packets, queue->packets + queue->head, count * sizeof(packets[0]));
		queue->head += count;
		if (queue->head == queue->tail) {
			queue->head = queue->tail = 0;
			pipeline->ready &= ~(1u << step);
		}
		run_burst(worker, packets, count, (enum step)step);
	}
	pipeline->disordered = false;
	if (unlikely(worker->handover != NULL))
		handover_flush(worker);
}

/* Lanes, then what they leave from step ETHER on. */
static void frames_run(struct worker *worker, unsigned port, struct rte_mbuf **packets,
	unsigned count, uint32_t flags)
{
	const struct port *from = &worker->ports[port];
	uint64_t stay = ~lane_receive(worker, port, packets, count) & lane_all(count);
	unsigned left = 0;

	for (uint64_t bits = stay; bits != 0; bits &= bits - 1)
		rte_prefetch0(packet_get(packets[__builtin_ctzll(bits)]));
	for (uint64_t bits = stay; bits != 0; bits &= bits - 1) {
		unsigned i = (unsigned)__builtin_ctzll(bits);
		struct packet *p = packet_init(packets[i], from);
		p->order = (uint16_t)(i + 1);
		p->flags |= flags;
		packets[left++] = packets[i];
	}
	if (left > 0)
		run_burst(worker, packets, left, STEP_ETHER);
	run(worker); /* a lane may have sent some to a step */
}

void pipeline_receive_burst(
	struct worker *worker, unsigned port, struct rte_mbuf **packets, unsigned count)
{
	struct worker_counters *counters = worker->counters;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
		bytes += rte_pktmbuf_pkt_len(packets[i]);
	}
	counters->received_port_bytes += bytes;
	counters->received_port += count;
	frames_run(worker, port, packets, count, 0);
}

void pipeline_handover_frames(struct worker *worker, unsigned port, struct rte_mbuf **packets,
	unsigned count, uint32_t flag)
{
	for (unsigned i = 0; i < count; i++)
		line_take(rte_pktmbuf_mtod(packets[i], void *));
	frames_run(worker, port, packets, count, flag);
}

static bool is_away(struct worker *worker, const struct packet *p)
{
	const struct tunnel *t = tables_home_lookup(worker->tables, p->vrf, &p->destination);

	if (t == NULL)
		t = tables_prefix_lookup(worker->tables, p->vrf, &p->destination);
	for (; t != NULL; t = tables_tunnel_next(worker->tables, t))
		if (tables_tunnel_live(t, worker->now_tsc))
			return true;
	return false;
}

/* What the kernel sends goes out as it is, but for what it sends to a node that is away, its
 * questions for such a node, and what a policy says to protect or discard. */
static void from_kernel(struct worker *worker, struct rte_mbuf *frame)
{
	struct packet *p = packet_get(frame);
	const struct rte_ether_hdr *ether;
	uint16_t type;

	if (!packet_pull(frame, sizeof(*ether))) {
		drop_packet(worker, frame, DROP_rx_frame_short);
		return;
	}
	ether = rte_pktmbuf_mtod(frame, const struct rte_ether_hdr *);
	type = rte_be_to_cpu_16(ether->ether_type);
	p->flags |= PACKET_LOCAL | PACKET_KERNEL;
	rte_pktmbuf_adj(frame, sizeof(*ether));
	if (type == RTE_ETHER_TYPE_ARP && arp_answer_kernel(worker, frame)) {
		to_kernel_frame(worker, frame);
		return;
	}
	if ((type == RTE_ETHER_TYPE_IPV4 || type == RTE_ETHER_TYPE_IPV6) &&
		packet_parse(frame, p) &&
		(is_away(worker, p) || policy_claims_kernel(worker, frame))) {
		memcpy(p->source_mac, worker->ports[p->port].mac, 6);
		enqueue(worker, frame, STEP_DESTINATION);
		return;
	}
	rte_pktmbuf_prepend(frame, sizeof(*ether));
	enqueue(worker, frame, STEP_TRANSMIT);
}

void pipeline_exception_burst(struct worker *worker, struct rte_mbuf **packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		packet_init(packets[i], &worker->ports[packets[i]->port])->order =
			(uint16_t)(i + 1);
		worker->counters->received_exception++;
		from_kernel(worker, packets[i]);
	}
	run(worker);
}

/* RFC 919 7, RFC 1112: no route is asked for these; they go out on the port that control names. */
static bool is_group(const struct ip_address *a)
{
	if (ip_address_is_v4(a))
		return a->bytes[12] >> 4 == 0xe || ip_address_v4(a) == UINT32_MAX;
	return a->bytes[0] == 0xff;
}

static step_result inject_datagram(struct worker *worker, struct rte_mbuf *packet, struct packet *p)
{
	if (!packet_parse(packet, p))
		return STEP_DROP(DROP_inject_bad);
	if (p->inject_flags & INJECT_BYPASS_BINDING)
		p->flags |= PACKET_BYPASS_BINDING;
	if (is_group(&p->destination)) {
		p->next_hop = p->destination;
		p->out_mtu = worker->ports[p->out_port].mtu;
		return step_outbound(worker, p);
	}
	return STEP_DESTINATION;
}

static step_result inject_to_mac(struct worker *worker, struct rte_mbuf *packet, struct packet *p)
{
	struct rte_ether_hdr *ether;

	if (!packet_parse(packet, p))
		return STEP_DROP(DROP_inject_bad);
	ether = (struct rte_ether_hdr *)rte_pktmbuf_prepend(packet, sizeof(*ether));
	if (ether == NULL)
		return STEP_DROP(DROP_no_headroom);
	memcpy(ether->dst_addr.addr_bytes, p->mac, 6);
	memcpy(ether->src_addr.addr_bytes, worker->ports[p->out_port].mac, 6);
	ether->ether_type =
		packet_is_ipv6(p) ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
	return STEP_TRANSMIT;
}

/* ESP-FMT-12. In transport mode the datagram's own header shows the way. */
static step_result inject_dummy(struct worker *worker, struct rte_mbuf *packet, struct packet *p)
{
	const struct sa_outbound *sa = sa_outbound_get(tables_sas(worker->tables), p->sa_id);
	step_result routed;

	if (!packet_parse(packet, p))
		return STEP_DROP(DROP_inject_bad);
	if (sa == NULL || sa->vrf != p->vrf)
		return STEP_DROP(DROP_policy_no_sa);
	p->flags |= PACKET_DUMMY;
	routed = sa->flags & SA_TRANSPORT ? route_forward(worker, packet) : STEP_ENCAP_ESP;
	return routed < 0 ? routed : STEP_ENCAP_ESP;
}

void pipeline_inject_burst(struct worker *worker, struct rte_mbuf **packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct packet *p = packet_get(packets[i]);
		step_result next = STEP_DROP(DROP_inject_bad);

		worker->counters->received_inject++;
		if (p->inject_kind == INJECT_FRAME)
			next = STEP_TRANSMIT;
		else if (p->inject_kind == INJECT_DATAGRAM)
			next = inject_datagram(worker, packets[i], p);
		else if (p->inject_kind == INJECT_DATAGRAM_TO_MAC)
			next = inject_to_mac(worker, packets[i], p);
		else if (p->inject_kind == INJECT_ESP_DUMMY)
			next = inject_dummy(worker, packets[i], p);
		p->order = (uint16_t)(i + 1);
		go_on(worker, packets[i], next);
	}
	run(worker);
}

void pipeline_handover_burst(struct worker *worker, struct rte_mbuf **packets, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct packet *p = packet_get(packets[i]);
		p->order = (uint16_t)(i + 1);
		enqueue(worker, packets[i],
			p->flags & PACKET_HANDED_IN ? STEP_DECAP_ESP : STEP_ENCAP_ESP);
	}
	run(worker);
}

void pipeline_tick(struct worker *worker)
{
	reassembly_tick(worker);
	neighbor_tick(worker);
	run(worker);
}
