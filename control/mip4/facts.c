#include "control/mip4/facts.h"

enum zone { ZONE_NODE, ZONE_AGENT, ZONE_BEYOND };

static uint32_t u32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static be32 be32_at(const uint8_t *p)
{
	be32 v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static struct facts_text text_of(const struct mip4_message *m, const struct mip4_extension *e)
{
	return (struct facts_text){
		(const char *)m->payload + e->data_offset, (uint8_t)e->data_length};
}

/* HA4-EXT-13: those of which one per zone is allowed; a bit each. */
static unsigned single_bit(const struct mip4_extension *e)
{
	switch (e->type) {
	case MIP4_EXT_NAI:
		return 1 << 0;
	case MIP4_EXT_CHALLENGE:
		return 1 << 1;
	case MIP4_EXT_REVOCATION_SUPPORT:
		return 1 << 2;
	case MIP4_EXT_DYNAMIC_HA:
		return e->subtype == 1 ? 1 << 3 : 1 << 4;
	case MIP4_EXT_UDP_TUNNEL_REQUEST:
		return 1 << 5;
	case MIP4_EXT_SERVICE_SELECTION:
		return 1 << 6;
	default:
		return 0;
	}
}

static void network_read(struct facts *f, const struct mip4_extension *e)
{
	const uint8_t *data = f->message->payload + e->data_offset;

	if (e->subtype != 0 || e->data_length != 5)
		return;
	if (f->network_count == NETWORKS_PER_BINDING_MAX) {
		f->networks_overflow = true;
		return;
	}
	f->networks[f->network_count++] =
		(struct facts_network){.length = data[0], .prefix = be32_at(data + 1)};
}

static void revocation_read(struct facts *f, const struct mip4_extension *e)
{
	const uint8_t *data = f->message->payload + e->data_offset;

	f->revocation_inform = (data[0] << 8 | data[1]) & MIP4_REVOCATION_SUPPORT_I;
	f->revocation_timestamp = u32_at(data + 2);
}

static void udp_read(struct facts *f, const struct mip4_extension *e, bool from_agent)
{
	struct mip4_udp_tunnel_request udp;

	/* HA4-NAT-01: another Sub-Type is skipped; Reserved 3 not zero counts as absent
	 * (HA4-DEC-16). */
	if (!mip4_udp_tunnel_request_read(f->message, e, &udp) || udp.reserved3 != 0)
		return;
	f->udp_present = true;
	f->udp_from_agent = from_agent;
	f->udp = udp;
}

static void node_zone_read(struct facts *f, const struct mip4_extension *e)
{
	const uint8_t *payload = f->message->payload;

	switch (e->type) {
	case MIP4_EXT_NAI:
		f->nai = text_of(f->message, e);
		break;
	case MIP4_EXT_SERVICE_SELECTION:
		f->service = text_of(f->message, e);
		break;
	case MIP4_EXT_UDP_TUNNEL_REQUEST:
		udp_read(f, e, false);
		break;
	case MIP4_EXT_DYNAMIC_HA:
		f->dynamic_ha = e->subtype == 1;
		f->dynamic_short = payload[e->offset + 1] == 5;
		f->requested_ha = be32_at(payload + e->data_offset);
		break;
	case MIP4_EXT_REVOCATION_SUPPORT:
		f->revocation_node = true;
		revocation_read(f, e);
		break;
	case MIP4_EXT_MOBILE_NETWORK:
		network_read(f, e);
		break;
	case MIP4_EXT_CVSE:
		f->vendor_node = true;
		break;
	case MIP4_EXT_NAI_CARRYING:
		f->nai_carrying = true;
		break;
	default:
		break;
	}
}

static void agent_zone_read(struct facts *f, const struct mip4_extension *e)
{
	switch (e->type) {
	case MIP4_EXT_UDP_TUNNEL_REQUEST:
		if (!f->udp_present)
			udp_read(f, e, true);
		break;
	case MIP4_EXT_CHALLENGE:
		f->challenge = text_of(f->message, e);
		break;
	case MIP4_EXT_REVOCATION_SUPPORT:
		/* HA4-RVK-02: only with a Foreign-Home authenticator after it. */
		f->revocation_agent = f->agent_auth >= 0;
		if (f->revocation_agent)
			revocation_read(f, e);
		break;
	case MIP4_EXT_SERVICE_SELECTION:
		if (!f->service.at) {
			f->service = text_of(f->message, e);
			f->service_from_agent = true;
		}
		break;
	case MIP4_EXT_CVSE:
		f->vendor_agent = true;
		break;
	default:
		break;
	}
}

static bool is_authentication(uint8_t type)
{
	return type == MIP4_EXT_MOBILE_FOREIGN_AUTH || type == MIP4_EXT_FOREIGN_HOME_AUTH ||
	       type == MIP4_EXT_GENERALIZED_AUTH;
}

void facts_read(struct facts *f, const struct mip4_message *m)
{
	unsigned seen[2] = {0, 0};

	*f = (struct facts){
		.message = m,
		.request = m->request,
		.home_address = ip_address_from_v4(m->request.home_address),
		.home_agent = ip_address_from_v4(m->request.home_agent),
		.care_of_address = ip_address_from_v4(m->request.care_of_address),
	};
	f->first_auth = mip4_extension_find(m, MIP4_EXT_MOBILE_HOME_AUTH, 0);
	f->agent_auth = mip4_extension_find(m, MIP4_EXT_FOREIGN_HOME_AUTH, 0);
	for (int i = 0; i < m->extension_count; i++) {
		const struct mip4_extension *e = &m->extensions[i];
		enum zone zone = f->first_auth < 0 || i < f->first_auth     ? ZONE_NODE
				 : f->agent_auth >= 0 && i >= f->agent_auth ? ZONE_BEYOND
									    : ZONE_AGENT;
		if (e->type == MIP4_EXT_FOREIGN_HOME_AUTH)
			f->agent_auth_count++;
		if (is_authentication(e->type) && zone == ZONE_NODE)
			f->misplaced_auth = true;
		if (!e->recognized || zone == ZONE_BEYOND)
			continue;
		unsigned bit = single_bit(e);
		if ((seen[zone] & bit) && (zone == ZONE_NODE || f->agent_auth >= 0))
			f->repeated = true;
		seen[zone] |= bit;
		if (zone == ZONE_NODE)
			node_zone_read(f, e);
		else
			agent_zone_read(f, e);
	}
}
