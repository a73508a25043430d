/*
 * A described registration walked through the same steps as a real one, with nothing counted, kept
 * or sent (HA4-OPS-29). What only bytes can show (4, 6 and 7: policing, authenticators,
 * Identification) is taken to be right.
 */
#include "control/mip4/engine_state.h"

static size_t payload_write(const struct mip4_rehearsal *what, uint8_t *out, size_t size)
{
	struct writer w = writer_make(out, size);
	struct mip4_request request = {
		.home_address = ip_address_v4(&what->home_address),
		.home_agent = ip_address_v4(&what->home_agent),
		.care_of_address = ip_address_v4(&what->care_of_address),
		.lifetime_s = what->lifetime_s,
		.flags = what->flags,
	};
	struct mip4_udp_tunnel_request tunnel = {.flags = what->udp_forced ? MIP4_UDP_TUNNEL_F : 0};

	mip4_request_write(&w, &request);
	if (what->nai[0])
		mip4_nai_write(&w, what->nai, strlen(what->nai));
	if (what->udp_tunnel || what->udp_forced)
		mip4_udp_tunnel_request_write(&w, &tunnel);
	return writer_length(&w);
}

static void discarded(struct mip4_rehearsed *out, uint8_t step, enum mip4_counter reason)
{
	out->step = step;
	out->discarded = true;
	out->why = mip4_counter_name(reason);
}

static bool known_and_let_in(
	const struct mip4_engine *e, struct request *r, struct mip4_rehearsed *out)
{
	if (!receive_source_good(e, r)) {
		discarded(out, 1, MIP4_RX_SOURCE_ADDRESS);
		return false;
	}
	enum mip4_counter reason = receive_way(e, r);
	if (reason != MIP4_COUNTER_COUNT) {
		discarded(out, 3, reason);
		return false;
	}
	reason = walk_identity(e, r);
	if (reason != MIP4_COUNTER_COUNT) {
		discarded(out, 5, reason);
		return false;
	}
	return true;
}

void mip4_rehearse(struct mip4_engine *e, const struct mip4_rehearsal *what, struct clock_now now,
	struct mip4_rehearsed *out)
{
	uint8_t payload[512];
	struct punt_record record = {
		.source = what->source,
		.destination = what->home_agent,
		.source_port = what->source_port,
		.port = what->port,
		.vrf = e->config->instances[what->instance].vrf,
	};
	struct request r = {.record = &record,
		.instance = what->instance,
		.config = &e->config->instances[what->instance],
		.agent = PROFILE_NONE,
		.rehearsed = true,
		.now = now};
	struct decide_input input;
	struct verdict verdict;

	*out = (struct mip4_rehearsed){.home_address = what->home_address};
	enum mip4_status status = mip4_parse(
		&r.message, payload, payload_write(what, payload, sizeof(payload)), true);
	if (status != MIP4_OK) { /* a NAI that no extension holds */
		discarded(out, 2, MIP4_EXT_BADLEN_COUNT);
		return;
	}
	facts_read(&r.facts, &r.message);
	if (!known_and_let_in(e, &r, out))
		return;
	walk_agent_find(e, &r);
	r.agent_authentic = true;
	r.node = node_table_lookup(e->nodes, &r.key);
	view_gather(e, &r, &input);
	decide(&input, &verdict);
	out->step = verdict.step;
	out->code = verdict.code;
	out->why = verdict.why;
	out->home_address = r.home_address;
	if (verdict.code > CODE_ACCEPTED_NOSIM)
		return;
	out->lifetime_s = verdict.lifetime_s;
	out->encapsulation = verdict.encapsulation;
	out->udp = verdict.udp;
	out->effective = verdict.effective;
	out->effective_port = verdict.effective_port;
}
