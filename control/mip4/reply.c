#include "control/mip4/reply.h"

#include "lib/base/clock.h"

#include <arpa/inet.h>

#define IP_UDP 17

static uint32_t sum16(const uint8_t *p, size_t length, uint32_t sum)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (length % 2)
		sum += (uint32_t)p[length - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void reply_frame(struct inject_record *out, const struct config_instance *instance,
	struct reply_endpoint source, struct reply_endpoint destination, size_t length)
{
	uint8_t *ip = out->data, *udp = out->data + 20;
	be32 from = ip_address_v4(source.address), to = ip_address_v4(destination.address);

	memset(ip, 0, REPLY_HEADERS);
	ip[0] = 0x45;
	ip[1] = (uint8_t)(instance->reply_dscp << 2);
	put16(ip + 2, (uint16_t)(length + REPLY_HEADERS));
	ip[8] = (uint8_t)instance->reply_ttl;
	ip[9] = IP_UDP;
	memcpy(ip + 12, &from, 4);
	memcpy(ip + 16, &to, 4);
	memcpy(udp, &source.port, 2);
	memcpy(udp + 2, &destination.port, 2);
	put16(udp + 4, (uint16_t)(length + 8));

	/* DF is clear, so the identification must not be a constant (RFC 6864 4.3). */
	static uint16_t datagram;
	put16(ip + 4, ++datagram);
	put16(ip + 10, fold(sum16(ip, 20, 0)));
	uint32_t pseudo = sum16(ip + 12, 8, IP_UDP + (uint32_t)length + 8);
	uint16_t checksum = fold(sum16(udp, length + 8, pseudo));
	put16(udp + 6, checksum ? checksum : 0xffff);
	out->length = (uint16_t)(length + REPLY_HEADERS);
}

bool reply_authenticate(struct authenticator *a, struct writer *w, uint8_t type,
	const struct config_security *context)
{
	uint8_t size = authenticate_size(context->algorithm);
	uint8_t *room = mip4_authentication_write(w, type, context->spi, size);

	return room && authenticate_make(a, context, w->start, (size_t)(room - w->start), room);
}

static void revocation_support(struct writer *w, const struct reply *r, uint64_t wall_ns)
{
	writer_u8(w, MIP4_EXT_REVOCATION_SUPPORT);
	writer_u8(w, 6);
	writer_u16(w, r->revocation_inform ? MIP4_REVOCATION_SUPPORT_I : 0);
	writer_u32(w, (uint32_t)(wall_ns / CLOCK_NS_PER_S));
}

static void udp_tunnel_reply(struct writer *w, const struct reply *r)
{
	struct mip4_udp_tunnel_reply reply = {
		.code = r->udp_code,
		.forced = r->udp_forced,
		.keepalive_s = r->keepalive_s,
	};
	mip4_udp_tunnel_reply_write(w, &reply);
}

static void redirected(struct writer *w, const struct reply *r)
{
	writer_u8(w, MIP4_EXT_DYNAMIC_HA);
	if (r->redirect_short) { // HA4-DEC-04: the layout of the request
		writer_u8(w, 5);
		writer_u8(w, 2);
	} else {
		writer_u8(w, 2);
		writer_u16(w, 4);
	}
	writer_be32(w, r->redirect);
}

static void network_acknowledgement(struct writer *w, const struct reply_network *n)
{
	writer_u8(w, MIP4_EXT_MOBILE_NETWORK);
	writer_u8(w, 8);
	writer_u8(w, n->subtype);
	writer_u8(w, n->code);
	writer_u8(w, n->length);
	writer_u8(w, 0);
	writer_be32(w, n->prefix);
}

static void message_string(struct writer *w, const char *text)
{
	size_t length = strlen(text);

	writer_u8(w, MIP4_EXT_MESSAGE_STRING);
	writer_u8(w, (uint8_t)(length + 1));
	writer_u8(w, 1); // RFC 4917 3: from the home agent
	writer_bytes(w, text, length);
}

/* RFC 3846 4: sub-type 1, the home agent's identity. */
static void identity(struct writer *w, const char *nai)
{
	size_t length = strlen(nai);

	writer_u8(w, MIP4_EXT_NAI_CARRYING);
	writer_u8(w, (uint8_t)(length + 1));
	writer_u8(w, 1);
	writer_bytes(w, nai, length);
}

/* HA4-RRP-08: those for the mobile node, in this order. */
static void node_extensions(struct writer *w, const struct reply *r, uint64_t wall_ns)
{
	if (r->nai_length)
		mip4_nai_write(w, r->nai, r->nai_length);
	if (r->udp_reply && !r->udp_to_agent)
		udp_tunnel_reply(w, r);
	if (r->redirected)
		redirected(w, r);
	for (unsigned i = 0; i < r->network_count; i++)
		network_acknowledgement(w, &r->networks[i]);
	if (r->message[0])
		message_string(w, r->message);
	if (r->trusted) {
		static const uint8_t nothing[2] = {0, 0}; // RFC 5265 3.4
		mip4_extension_write(w, MIP4_EXT_TNC, nothing, sizeof(nothing));
	}
	if (r->identity[0])
		identity(w, r->identity);
	if (r->service_length && !r->service_to_agent)
		mip4_extension_write(w, MIP4_EXT_SERVICE_SELECTION, r->service, r->service_length);
	if (r->revocation && !r->revocation_to_agent)
		revocation_support(w, r, wall_ns);
}

static void agent_extensions(struct writer *w, const struct reply *r, uint64_t wall_ns)
{
	if (r->revocation && r->revocation_to_agent)
		revocation_support(w, r, wall_ns);
	if (r->challenge_length)
		mip4_extension_write(w, MIP4_EXT_CHALLENGE, r->challenge, r->challenge_length);
	if (r->udp_reply && r->udp_to_agent)
		udp_tunnel_reply(w, r);
	if (r->service_length && r->service_to_agent)
		mip4_extension_write(w, MIP4_EXT_SERVICE_SELECTION, r->service, r->service_length);
}

static bool payload_build(struct authenticator *a, const struct reply *r,
	struct reply_contexts contexts, uint64_t wall_ns, struct writer *w)
{
	struct mip4_reply fixed = {
		.code = r->code,
		.lifetime_s = r->lifetime_s,
		.home_address = r->home_address,
		.home_agent = r->home_agent,
		.identification = r->identification,
	};

	mip4_reply_write(w, &fixed);
	node_extensions(w, r, wall_ns);
	if (!reply_authenticate(a, w, MIP4_EXT_MOBILE_HOME_AUTH, contexts.node))
		return false;
	agent_extensions(w, r, wall_ns);
	if (contexts.agent && !r->deregistration && // HA4-DEC-10
		!reply_authenticate(a, w, MIP4_EXT_FOREIGN_HOME_AUTH, contexts.agent))
		return false;
	return !w->overflow;
}

bool reply_build(struct authenticator *a, const struct config_instance *instance,
	const struct reply *r, struct reply_contexts contexts, uint64_t wall_ns,
	struct inject_record *out)
{
	struct reply slim;
	struct writer w;

	memset(out, 0, offsetof(struct inject_record, data));
	w = writer_make(out->data + REPLY_HEADERS, MIP4_PAYLOAD_MAX);
	if (!payload_build(a, r, contexts, wall_ns, &w)) {
		/* HA4-RRP-16: what may be left out goes, rather than fragment. */
		slim = *r;
		slim.message[0] = '\0';
		w = writer_make(out->data + REPLY_HEADERS, MIP4_PAYLOAD_MAX);
		if (!payload_build(a, &slim, contexts, wall_ns, &w))
			return false;
	}
	reply_frame(out, instance, (struct reply_endpoint){&r->source, r->source_port},
		(struct reply_endpoint){&r->destination, r->destination_port}, writer_length(&w));
	out->kind = r->to_mac ? INJECT_DATAGRAM_TO_MAC : INJECT_DATAGRAM;
	out->flags = INJECT_BYPASS_BINDING; // HA4-MSG-11
	out->port = r->port;
	out->vlan = r->vlan;
	out->vrf = r->vrf;
	memcpy(out->mac, r->mac, sizeof(out->mac));
	return true;
}
