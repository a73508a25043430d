#include "dataplane/lane/ahead.h"

#include "dataplane/crypto/esp_codec.h"
#include "dataplane/crypto/key.h"
#include "dataplane/handover.h"
#include "dataplane/lane/lane.h"
#include "dataplane/table/sa_table.h"

#include <netinet/in.h>
#include <rte_udp.h>
#include <stdlib.h>

#define HEADERS (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr))
#define PASSES  3

struct lane_ahead {
	const struct burst *burst; /* whose passes these are; NULL none */
	unsigned passes;           /* made */
	struct policy_hosts hosts;
	unsigned run_count;
	uint64_t hashes[BURST_SIZE]; /* of each run */
	struct ahead_policies found;
	uint32_t slots[BURST_SIZE]; /* of the table of SAs */
};

struct lane_ahead *lane_ahead_new(void)
{
	return calloc(1, sizeof(struct lane_ahead));
}

void lane_ahead_free(struct lane_ahead *ahead)
{
	free(ahead);
}

/* ---- from inside ---- */

/* Whatever stands where an IPv4 header has its destination: of a frame that is none, nothing that
 * is found is used. */
static void hashes_find(struct lane_ahead *ahead, const struct burst *burst)
{
	struct ahead_run *run = ahead->found.runs;
	uint64_t *hash = ahead->hashes;
	uint64_t before = UINT64_MAX; /* no frame's */

	for (unsigned i = 0; i < burst->count; i++) {
		const struct rte_mbuf *frame = burst->frames[i];
		be32 destination;

		if (unlikely(frame->data_len < HEADERS))
			continue;
		destination = lane_ip(burst->frames[i])->dst_addr;
		if (destination == before)
			continue;
		before = destination;
		*hash++ = policy_host_hash(&ahead->hosts, destination);
		run++->place = i;
	}
	run->place = BURST_SIZE;
	ahead->run_count = (unsigned)(run - ahead->found.runs);
}

static void policies_find(struct lane_ahead *ahead)
{
	for (unsigned i = 0; i < ahead->run_count; i++)
		ahead->found.runs[i].policy = policy_host_entry(&ahead->hosts, ahead->hashes[i]);
}

/* Its line, and where the key behind it ends, which may be another page. */
static inline void object_prefetch(const void *sa, const struct crypto_key *key)
{
	rte_prefetch0(sa);
	rte_prefetch0((const uint8_t *)(key + 1) - 64);
}

/* A policy that can be seen in this version stays what it is as long as there is no other one. */
static void sas_fetch(const struct worker *worker, struct lane_ahead *ahead)
{
	const struct sa_table *sas = tables_sas(worker->tables);

	for (unsigned i = 0; i < ahead->run_count; i++) {
		struct ahead_run *run = &ahead->found.runs[i];
		const struct policy_entry *policy = run->policy;

		if (policy == NULL)
			continue;
		if (!policy_entry_visible(policy, ahead->hosts.number)) {
			run->policy = NULL;
			continue;
		}
		run->sa = sa_outbound_at(
			sas, atomic_load_explicit(&policy->sa_object, memory_order_relaxed));
		run->state = sa_outbound_state(sas, policy->sa_id);
		if (!handover_may_fetch(worker, SA_OUTBOUND, policy->sa_id))
			continue;
		object_prefetch(run->sa, sa_outbound_key(run->sa));
		rte_prefetch0(run->state);
	}
}

static void outbound_pass(const struct worker *worker, struct lane_ahead *ahead)
{
	const struct burst *burst = ahead->burst;

	switch (ahead->passes) {
	case 0:
		ahead->hosts = policy_hosts_begin(
			tables_policies(worker->tables), worker->ports[burst->port].vrf);
		hashes_find(ahead, burst);
		break;
	case 1:
		policies_find(ahead);
		break;
	default:
		sas_fetch(worker, ahead);
		break;
	}
}

/* ---- from outside ---- */

static void slots_find(
	const struct sa_table *sas, struct lane_ahead *ahead, const struct burst *burst)
{
	for (unsigned i = 0; i < burst->count; i++) {
		const struct rte_ipv4_hdr *ip = lane_ip(burst->frames[i]);
		const uint8_t *spi = (const uint8_t *)(ip + 1);

		ahead->slots[i] = 0;
		if (burst->frames[i]->data_len <
			HEADERS + sizeof(struct rte_udp_hdr) + ESP_HEADER_LENGTH)
			continue;
		if (ip->next_proto_id == IPPROTO_UDP)
			spi += sizeof(struct rte_udp_hdr);
		ahead->slots[i] = sa_spi_slot(esp_codec_spi(spi), sas->count);
		rte_prefetch0(&sas->inbound_of[ahead->slots[i]]);
	}
}

static void inbound_fetch(
	const struct worker *worker, const struct sa_table *sas, const struct lane_ahead *ahead)
{
	const struct burst *burst = ahead->burst;
	const struct sa_inbound *sa;

	for (unsigned i = 0; i < burst->count; i++) {
		if (i > 0 && ahead->slots[i] == ahead->slots[i - 1])
			continue;
		sa = sa_inbound_get(sas, ahead->slots[i]);
		if (sa == NULL || !handover_may_fetch(worker, SA_INBOUND, ahead->slots[i]))
			continue;
		object_prefetch(sa, sa_inbound_key(sa));
		rte_prefetch0(&sas->region.inbound[ahead->slots[i]]);
	}
}

static void inbound_pass(const struct worker *worker, struct lane_ahead *ahead)
{
	const struct sa_table *sas = tables_sas(worker->tables);

	if (sas->count == 0)
		return;
	if (ahead->passes == 0)
		slots_find(sas, ahead, ahead->burst);
	else if (ahead->passes == 1)
		inbound_fetch(worker, sas, ahead);
}

/* ---- */

void lane_ahead_pass(struct worker *worker)
{
	struct lane_ahead *ahead = worker->ahead;

	if (ahead->burst != worker->waiting) {
		ahead->burst = worker->waiting;
		ahead->passes = 0;
	}
	if (ahead->passes == PASSES)
		return;
	if (worker->ports[ahead->burst->port].zone == ZONE_EXTERNAL)
		inbound_pass(worker, ahead);
	else
		outbound_pass(worker, ahead);
	ahead->passes++;
}

const struct ahead_policies *lane_ahead_policies(
	const struct worker *worker, struct rte_mbuf **frames, const struct policy_hosts *hosts)
{
	const struct lane_ahead *ahead = worker->ahead;

	return ahead->burst != NULL && ahead->burst->frames == frames && ahead->passes == PASSES &&
			       ahead->hosts.table == hosts->table &&
			       ahead->hosts.number == hosts->number &&
			       ahead->hosts.vrf == hosts->vrf
		       ? &ahead->found
		       : NULL;
}

void lane_ahead_forget(struct worker *worker, const struct burst *burst)
{
	if (worker->ahead->burst == burst)
		worker->ahead->burst = NULL;
}
