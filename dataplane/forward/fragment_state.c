#include "dataplane/forward/fragment_state.h"

#include "lib/base/hash.h"

#include <rte_ip.h>
#include <stdlib.h>

#define PLACES      1024
#define HEADERS_MAX 8 /* of IPv6, before the Fragment header */

struct key { /* of a datagram; no padding: compared as memory */
	struct ip_address source, destination;
	uint32_t identification; /* as in the packet */
	uint16_t vrf;
	uint8_t protocol; /* IPv4; over IPv6 a later fragment may hide it */
	uint8_t direction;
};

struct place {
	struct key key;
	uint32_t policy_id, order;
	uint64_t until_tsc; /* 0: nothing here */
};

struct fragment_state {
	struct hash_key secret;
	struct place places[PLACES];
};

struct fragment_state *fragment_state_new(void)
{
	struct fragment_state *state = calloc(1, sizeof(*state));

	if (state != NULL)
		state->secret = hash_key_random();
	return state;
}

void fragment_state_free(struct fragment_state *state)
{
	free(state);
}

/* False when the Fragment header is not there. */
static bool identification_ipv6(struct rte_mbuf *packet, uint32_t *identification)
{
	uint32_t at = sizeof(struct rte_ipv6_hdr);
	uint8_t next = rte_pktmbuf_mtod(packet, const struct rte_ipv6_hdr *)->proto;

	for (unsigned i = 0; i < HEADERS_MAX && packet_pull(packet, at + 8); i++) {
		const uint8_t *header = rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
		if (next == IPPROTO_FRAGMENT) {
			memcpy(identification, header + 4, sizeof(*identification));
			return true;
		}
		next = header[0];
		at += 8 + 8u * header[1];
	}
	return false;
}

static bool key_read(struct rte_mbuf *packet, enum sa_direction direction, struct key *key)
{
	const struct packet *p = packet_get(packet);

	memset(key, 0, sizeof(*key));
	key->source = p->source;
	key->destination = p->destination;
	key->vrf = p->vrf;
	key->direction = (uint8_t)direction;
	if (packet_is_ipv6(p))
		return identification_ipv6(packet, &key->identification);
	key->identification = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *)->packet_id;
	key->protocol = p->protocol;
	return true;
}

/* SPD-03: does the first fragment's entry stand before the one that this one met? */
static bool is_before(const struct place *place, const struct policy_verdict *verdict)
{
	if (verdict->policy_id == POLICY_NONE || place->order != verdict->order)
		return verdict->policy_id == POLICY_NONE || place->order < verdict->order;
	return place->policy_id < verdict->policy_id;
}

void fragment_state_judge(struct worker *worker, struct rte_mbuf *packet,
	enum sa_direction direction, struct policy_verdict *verdict)
{
	struct fragment_state *state = worker->fragment_state;
	bool later = packet_get(packet)->flags & PACKET_FRAGMENT_LATER;
	struct place *place;
	struct key key;

	if ((!later && (verdict->action != POLICY_BYPASS || verdict->policy_id == POLICY_NONE)) ||
		!key_read(packet, direction, &key))
		return;
	place = &state->places[hash_bytes(&state->secret, &key, sizeof(key)) % PLACES];
	if (!later) {
		*place = (struct place){.key = key,
			.policy_id = verdict->policy_id,
			.order = verdict->order,
			.until_tsc = worker->now_tsc + FRAGMENT_STATE_S * worker->tsc_hz};
		return;
	}
	if (place->until_tsc <= worker->now_tsc || memcmp(&place->key, &key, sizeof(key)) != 0 ||
		!is_before(place, verdict))
		return;
	*verdict = (struct policy_verdict){.policy_id = place->policy_id,
		.order = place->order,
		.sa_id = SA_NONE,
		.action = POLICY_BYPASS};
}
