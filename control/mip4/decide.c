/*
 * One function for each step of HA4-REG-01, in a table in the order of that list. A step returns
 * true to go on, false with the verdict filled. A deregistration leaves the walk after step 14
 * (step 15 of the list).
 */
#include "control/mip4/decide.h"

static bool deny(struct verdict *v, uint8_t code, const char *why)
{
	v->code = code;
	v->why = why;
	return false;
}

static bool is_deregistration(const struct decide_input *in)
{
	return in->facts->request.lifetime_s == 0;
}

unsigned decide_simultaneous(
	const struct config_instance *instance, const struct config_mobile_node *profile)
{
	uint32_t limit =
		profile->max_bindings ? profile->max_bindings : instance->simultaneous_bindings;
	return limit < 1 ? 1 : limit > 8 ? 8 : limit;
}

static bool form(const struct decide_input *in, struct verdict *v)
{
	const struct facts *f = in->facts;
	bool colocated = f->request.flags & MIP4_D;

	if (f->misplaced_auth)
		return deny(
			v, CODE_POORLY_FORMED, "another authenticator before the Mobile-Home one");
	if (f->repeated)
		return deny(v, CODE_POORLY_FORMED, "single-instance extension repeated");
	if (f->udp_present && !f->udp_from_agent && !colocated)
		return deny(v, CODE_POORLY_FORMED, "UDP Tunnel Request of a node with D=0");
	if (f->udp_present && f->udp_from_agent && colocated)
		return deny(
			v, CODE_POORLY_FORMED, "UDP Tunnel Request of a foreign agent with D=1");
	if (in->instance->strict_reserved && (f->request.flags & (MIP4_R | MIP4_X)))
		return deny(v, CODE_POORLY_FORMED, "reserved bits set (strict-reserved)");
	if (f->networks_overflow)
		return deny(v, CODE_POORLY_FORMED, "too many mobile networks asked for");
	return true;
}

static bool vendor(const struct decide_input *in, struct verdict *v)
{
	if (in->facts->vendor_node)
		return deny(
			v, CODE_VENDOR_NODE, "vendor extension of the mobile node not understood");
	if (in->facts->vendor_agent)
		return deny(v, CODE_VENDOR_AGENT,
			"vendor extension of the foreign agent not understood");
	return true;
}

static bool all_zero_one(const struct facts *f)
{
	return f->request.home_agent == 0 || f->request.home_agent == 0xffffffff;
}

static bool home_agent(const struct decide_input *in, struct verdict *v)
{
	const struct facts *f = in->facts;

	if (in->view.broadcast)
		return deny(v, CODE_UNKNOWN_HOME_AGENT, "home agent discovery by broadcast");
	/* RFC 4433 off: extension 139 is one more skippable extension (N11). */
	if (in->instance->dynamic_ha && f->dynamic_ha &&
		f->requested_ha != ip_address_v4(&in->destination))
		return deny(v, CODE_UNKNOWN_HOME_AGENT, "Requested HA is not the destination");
	if (in->view.agent_field_ours)
		return true;
	if (!all_zero_one(f))
		return deny(v, CODE_UNKNOWN_HOME_AGENT, "Home Agent field is not ours");
	if (!in->instance->dynamic_ha)
		return deny(v, CODE_UNKNOWN_HOME_AGENT, "dynamic home agent assignment is off");
	if (!f->nai.at)
		return deny(
			v, CODE_UNKNOWN_HOME_AGENT, "dynamic home agent asked for without a NAI");
	return true;
}

static bool redirect(const struct decide_input *in, struct verdict *v)
{
	/* Only new registrations; with a Home Agent field of ours nobody is redirected
	 * (HA4-DYN-15). */
	if (is_deregistration(in) || !all_zero_one(in->facts) || !in->instance->redirect_count)
		return true;
	v->redirected = true;
	v->redirect = in->instance->redirect[0];
	return deny(v, CODE_REDIRECT, "redirection policy");
}

static bool home_address(const struct decide_input *in, struct verdict *v)
{
	switch (in->view.home) {
	case HOME_GRANTED:
		return true;
	case HOME_NOT_SERVED:
		return deny(v, CODE_PROHIBITED, "home address not in a served prefix");
	case HOME_NOT_ALLOWED:
		return deny(v, CODE_PROHIBITED, "home address not allowed for this mobile node");
	case HOME_TAKEN:
		return deny(v, CODE_PROHIBITED, "home address bound to another identity");
	case HOME_RESERVED_ADDRESS:
		return deny(
			v, CODE_PROHIBITED, "home address is a network, broadcast or own address");
	case HOME_NO_DYNAMIC:
		return deny(v, CODE_PROHIBITED, "no dynamic home address for this user");
	default:
		return true; /* an empty pool is step 19 */
	}
}

static bool care_of(const struct decide_input *in, struct verdict *v)
{
	const struct facts *f = in->facts;

	if (is_deregistration(in))
		return true;
	if (!ip_address_is_unicast(&f->care_of_address))
		return deny(v, CODE_POORLY_FORMED, "care-of address is not unicast");
	if (in->view.care_of_broadcast)
		return deny(v, CODE_POORLY_FORMED, "care-of address is a broadcast address");
	if (ip_address_equal(&f->care_of_address, &in->home_address))
		return deny(v, CODE_POORLY_FORMED, "care-of address is the home address");
	if (in->view.care_of_own)
		return deny(v, CODE_PROHIBITED, "care-of address is an address of this gateway");
	if (in->view.care_of_cycle)
		return deny(v, CODE_PROHIBITED, "care-of addresses would form a cycle");
	if (in->instance->revocation_required && !f->revocation_agent && !f->revocation_node)
		return deny(v, CODE_PROHIBITED, "revocation support is demanded");
	return true;
}

static bool prefix_listed(
	const struct ip_prefix *list, unsigned count, const struct ip_address *address)
{
	for (unsigned i = 0; i < count; i++)
		if (ip_prefix_contains(&list[i], address))
			return true;
	return count == 0;
}

/* HA4-REG-13: where and when this user may roam. */
static bool roaming(const struct decide_input *in, struct verdict *v)
{
	const struct config_mobile_node *p = in->profile;
	uint16_t from = p->hours_from, to = p->hours_to, minute = in->view.minute;
	bool overnight = from > to;

	if (is_deregistration(in))
		return true;
	if (!prefix_listed(
		    p->care_of_allowed, p->care_of_allowed_count, &in->facts->care_of_address))
		return deny(v, CODE_PROHIBITED, "care-of address not in this user's list");
	if (!(in->facts->request.flags & MIP4_D) &&
		!prefix_listed(
			p->agents_allowed, p->agents_allowed_count, &in->facts->care_of_address))
		return deny(v, CODE_PROHIBITED, "foreign agent not in this user's list");
	if (p->zone != ROAMING_ANY && (p->zone == ROAMING_EXTERNAL) != in->view.external)
		return deny(v, CODE_PROHIBITED, "not in this user's zone");
	if (from != to &&
		(overnight ? minute < from && minute >= to : minute < from || minute >= to))
		return deny(v, CODE_PROHIBITED, "not in this user's hours");
	return true;
}

static bool service(const struct decide_input *in, struct verdict *v)
{
	const struct facts_text *s = &in->facts->service;
	const struct config_instance *instance = in->instance;

	if (!instance->service_count || !s->at || is_deregistration(in))
		return true; /* switched off: skipped; absent: the default service */
	for (unsigned i = 0; i < instance->service_count; i++)
		if (strlen(instance->services[i]) == s->length &&
			memcmp(instance->services[i], s->at, s->length) == 0)
			v->service = (uint8_t)(i + 1);
	bool allowed = v->service && !in->profile->service_count;
	for (unsigned i = 0; v->service && i < in->profile->service_count; i++)
		if (strcmp(in->profile->services[i], instance->services[v->service - 1]) == 0)
			allowed = true;
	if (allowed)
		return true;
	v->delete_bindings = true;
	return deny(v, CODE_SERVICE, "service unknown or not allowed for this user");
}

/* HA4-NAT-06 before anything is denied: will there be a UDP tunnel, and why. */
static bool mismatch(const struct decide_input *in)
{
	/* HA4-NAT-29: from its home address or from nowhere a request is never behind a NAT. */
	return !ip_address_equal(&in->source, &in->facts->care_of_address) &&
	       !ip_address_equal(&in->source, &in->home_address) &&
	       !ip_address_is_unspecified(&in->source);
}

static bool traversal(const struct decide_input *in)
{
	return in->instance->nat_traversal && in->profile->nat_traversal;
}

static bool wants_udp(const struct decide_input *in)
{
	const struct facts *f = in->facts;
	bool half_bound = (f->udp.flags & MIP4_UDP_TUNNEL_R) && !f->udp_from_agent;
	bool from_home = ip_address_equal(&in->source, &in->home_address) ||
			 ip_address_is_unspecified(&in->source);

	return f->udp_present && traversal(in) && !from_home &&
	       (mismatch(in) || half_bound || (f->udp.flags & MIP4_UDP_TUNNEL_F));
}

static bool encapsulation(const struct decide_input *in, struct verdict *v)
{
	const struct facts *f = in->facts;
	uint8_t flags = f->request.flags;
	bool gre = in->instance->gre && (flags & MIP4_G);
	bool minimal = in->instance->minimal && (flags & MIP4_M);

	v->encapsulation = gre       ? ENCAPSULATION_GRE
			   : minimal ? ENCAPSULATION_MINIMAL
				     : ENCAPSULATION_IPIP;
	if (wants_udp(in) && f->udp.encapsulation != 0) {
		uint8_t asked = f->udp.encapsulation;
		if (asked != ENCAPSULATION_IPIP &&
			!(asked == ENCAPSULATION_GRE && in->instance->gre) &&
			!(asked == ENCAPSULATION_MINIMAL && in->instance->minimal))
			return deny(
				v, CODE_UDP_ENCAPSULATION, "encapsulation in UDP not supported");
		v->encapsulation = asked; /* exactly that one (HA4-NAT-09) */
		return true;
	}
	if ((flags & (MIP4_G | MIP4_M)) && !gre && !minimal && (flags & MIP4_T))
		return deny(
			v, CODE_ENCAPSULATION, "none of the encapsulations asked for is enabled");
	return true;
}

static bool source(const struct decide_input *in, struct verdict *v)
{
	const struct facts *f = in->facts;
	bool forced = f->udp_present && (f->udp.flags & MIP4_UDP_TUNNEL_F);
	bool force_allowed = in->instance->nat_force && in->profile->nat_force;

	v->effective = f->care_of_address;
	if (f->udp_present && !mismatch(in) && forced && (!traversal(in) || !force_allowed))
		return deny(v, CODE_PROHIBITED, "forced UDP tunnelling is not allowed");
	if (f->udp_present && mismatch(in) && !traversal(in))
		return deny(v, CODE_PROHIBITED, "behind a NAT, and traversal is not allowed");
	if (!f->udp_present && mismatch(in) && !in->instance->source_mismatch_accept &&
		!(in->view.agent_known && (f->request.flags & MIP4_D)))
		return deny(v, CODE_PROHIBITED,
			"source is not the care-of address, no UDP tunnel asked");
	if (!f->udp_present || !traversal(in))
		return true;
	v->udp_reply = true;
	if (!wants_udp(in)) {
		v->udp_reply_code = 64; // RFC 3519 3.2: registration without UDP tunnelling
		return true;
	}
	if (in->view.source_own)
		return deny(v, CODE_PROHIBITED, "tunnel would end at this gateway");
	if (in->view.source_cycle)
		return deny(v, CODE_PROHIBITED, "effective care-of address would form a cycle");
	v->udp = true;
	v->forced = forced;
	v->half_bound = (f->udp.flags & MIP4_UDP_TUNNEL_R) && !f->udp_from_agent;
	v->effective = in->source;
	v->effective_port = v->half_bound ? 0 : in->source_port;
	return true;
}

static bool reverse_tunnel(const struct decide_input *in, struct verdict *v)
{
	bool reverse = in->facts->request.flags & MIP4_T;

	if (!reverse &&
		(in->instance->reverse_tunnel_mandatory || in->profile->reverse_tunnel_mandatory ||
			in->view.care_of_inner || (v->udp && in->view.source_inner)))
		return deny(v, CODE_REVERSE_MANDATORY, "reverse tunnel is mandatory");
	if (reverse && !in->instance->reverse_tunnel)
		return deny(v, CODE_REVERSE_UNAVAILABLE, "reverse tunnel is switched off");
	return true;
}

static bool networks(const struct decide_input *in, struct verdict *v)
{
	const struct facts *f = in->facts;
	bool any = false;

	if (!in->instance->nemo || f->network_count == 0)
		return true;
	if (!in->profile->mobile_router)
		return deny(v, CODE_NETWORK_DISALLOWED, "user may not be a mobile router");
	for (unsigned i = 0; i < f->network_count; i++)
		any = any || in->view.networks[i] == NETWORK_OK;
	return any || deny(v, CODE_NETWORK_ERROR, "no requested mobile network could be set up");
}

static bool resources(const struct decide_input *in, struct verdict *v)
{
	unsigned limit = decide_simultaneous(in->instance, in->profile);

	v->keep_others = (in->facts->request.flags & MIP4_S) && limit > 1;
	if (in->view.bindings == 0 && in->view.draining)
		return deny(v, CODE_RESOURCES, "draining: no new mobile nodes");
	if (in->view.bindings == 0 && in->view.instance_full)
		return deny(v, CODE_RESOURCES, "binding limit reached");
	if (v->keep_others && !in->view.same_care_of && in->view.bindings >= limit)
		return deny(v, CODE_TOO_MANY_BINDINGS, "too many simultaneous bindings");
	if (v->keep_others && !in->view.same_care_of && in->view.instance_full)
		return deny(v, CODE_RESOURCES, "binding limit reached");
	if (in->view.home == HOME_POOL_EMPTY)
		return deny(v, CODE_RESOURCES, "home address pool empty");
	return true;
}

static uint16_t lifetime(const struct decide_input *in, const struct verdict *v)
{
	uint32_t granted = in->facts->request.lifetime_s; /* 0xffff is above every finite value */
	uint32_t most = in->profile->max_lifetime_s ? in->profile->max_lifetime_s
						    : in->instance->max_lifetime_s;

	if (most < granted)
		granted = most;
	if (v->udp && in->instance->nat_max_lifetime_s &&
		in->instance->nat_max_lifetime_s < granted)
		granted = in->instance->nat_max_lifetime_s;
	return (uint16_t)granted;
}

static void accept(const struct decide_input *in, struct verdict *v)
{
	uint8_t flags = in->facts->request.flags;
	bool inner = in->view.care_of_inner || (v->udp && in->view.source_inner);

	v->code = decide_simultaneous(in->instance, in->profile) > 1 ? CODE_ACCEPTED
								     : CODE_ACCEPTED_NOSIM;
	v->step = 20;
	v->why = "accepted";
	if (is_deregistration(in))
		return;
	v->lifetime_s = lifetime(in, v);
	v->binding_flags = (v->udp ? BINDING_UDP : 0u) | (v->half_bound ? BINDING_HALF_BOUND : 0u) |
			   (flags & MIP4_B ? BINDING_BROADCAST : 0u) |
			   (flags & MIP4_T ? BINDING_REVERSE : 0u) |
			   (flags & MIP4_D ? BINDING_COLOCATED : 0u) |
			   (inner || in->profile->requires_ipsec ? BINDING_REQUIRES_IPSEC : 0u);
}

void decide(const struct decide_input *in, struct verdict *v)
{
	static const struct {
		uint8_t step;
		bool (*check)(const struct decide_input *in, struct verdict *v);
	} steps[] = {
		{9, form},
		{10, vendor},
		{11, home_agent},
		{12, redirect},
		{13, home_address},
		{13, care_of},
		{13, roaming},
		{14, service},
		{16, encapsulation},
		{17, source},
		{18, reverse_tunnel},
		{19, networks},
		{19, resources},
	};

	*v = (struct verdict){.encapsulation = ENCAPSULATION_IPIP};
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (is_deregistration(in) && steps[i].step > 15)
			break;
		v->step = steps[i].step;
		if (!steps[i].check(in, v))
			return;
	}
	accept(in, v);
}
