#include "lib/wire/mip4.h"

/*
 * The walk knows three extension layouts (RFC 5944 1.9-1.11) and one exception, type 139, which
 * exists in two. Where the next extension starts follows from the layout alone, so layout and
 * length rule of every known type stand in one table; an unknown type below 128 ends the walk,
 * because nobody can say where it ends.
 */

enum layout {
	LAYOUT_NONE,   /* type not known */
	LAYOUT_SIMPLE, /* Type, Length, Data */
	LAYOUT_SHORT,  /* Type, Length, Sub-Type, Data; Length counts the Sub-Type */
	LAYOUT_LONG,   /* Type, Sub-Type, Length (2), Data */
	LAYOUT_DYNAMIC_HA,
};

struct extension_rule {
	uint8_t layout;
	uint8_t minimum; /* of the Length field */
	uint16_t maximum;
	bool to_mobile_node; /* sent by home agents only: unknown to a home agent */
};

/* The table of HA4-EXT (requirement list section 5). 148 and 152 have gaps between their lengths:
 * length_allowed. */
static const struct extension_rule rules[256] = {
	[MIP4_EXT_MOBILE_HOME_AUTH] = {LAYOUT_SIMPLE, 4, 255},
	[MIP4_EXT_MOBILE_FOREIGN_AUTH] = {LAYOUT_SIMPLE, 4, 255},
	[MIP4_EXT_FOREIGN_HOME_AUTH] = {LAYOUT_SIMPLE, 4, 255},
	[MIP4_EXT_GENERALIZED_AUTH] = {LAYOUT_LONG, 20, UINT16_MAX},
	[MIP4_EXT_CVSE] = {LAYOUT_LONG, 6, UINT16_MAX},
	[MIP4_EXT_UDP_TUNNEL_REPLY] = {LAYOUT_SHORT, 6, 6, true},
	[MIP4_EXT_FA_ERROR] = {LAYOUT_SHORT, 2, 2, true},
	[MIP4_EXT_DELIVERY_STYLE] = {LAYOUT_SIMPLE, 0, 0},
	[MIP4_EXT_NAI] = {LAYOUT_SIMPLE, 1, 255},
	[MIP4_EXT_CHALLENGE] = {LAYOUT_SIMPLE, 1, 255},
	[MIP4_EXT_NVSE_OLD] = {LAYOUT_SIMPLE, 8, 255},
	[MIP4_EXT_NVSE] = {LAYOUT_SIMPLE, 8, 255},
	[MIP4_EXT_NAI_CARRYING] = {LAYOUT_SHORT, 2, 255},
	[MIP4_EXT_REVOCATION_SUPPORT] = {LAYOUT_SIMPLE, 6, 255},
	[MIP4_EXT_DYNAMIC_HA] = {LAYOUT_DYNAMIC_HA, 0, 255},
	[MIP4_EXT_UDP_TUNNEL_REQUEST] = {LAYOUT_SHORT, 6, 6},
	[MIP4_EXT_MESSAGE_STRING] = {LAYOUT_SHORT, 2, 255},
	[MIP4_EXT_MOBILE_NETWORK] = {LAYOUT_SHORT, 6, 8},
	[MIP4_EXT_TNC] = {LAYOUT_SHORT, 2, 2},
	[MIP4_EXT_SERVICE_SELECTION] = {LAYOUT_SIMPLE, 1, 255},
	[MIP4_EXT_DSMIPV4] = {LAYOUT_SHORT, 2, 20},
};

static bool length_allowed(uint8_t type, uint16_t length)
{
	const struct extension_rule *rule = &rules[type];

	if (length < rule->minimum || length > rule->maximum)
		return false;
	if (type == MIP4_EXT_MOBILE_NETWORK)
		return length == 6 || length == 8; // RFC 5177 4.1, 4.3
	if (type == MIP4_EXT_DSMIPV4)
		return length == 2 || length == 18 || length == 20; // RFC 5454 2
	return true;
}

/*
 * RFC 4433 3.4 gives type 139 a 16-bit Length although its number lies in the skippable range; a
 * widely used reader takes the short layout. Octet 1 tells them apart (HA4-EXT-05, HA4-DEC-04).
 * Anything else has no layout of ours.
 */
static enum layout dynamic_ha_layout(const uint8_t *at, size_t left)
{
	if (at[1] == 5)
		return LAYOUT_SHORT;
	if ((at[1] == 1 || at[1] == 2) && left >= 4 && at[2] == 0 && at[3] == 4)
		return LAYOUT_LONG;
	return LAYOUT_NONE;
}

/* Fills *e from the octets at `at`; `left` >= 2. Its end may lie beyond the message: the caller
 * looks. */
static enum mip4_status extension_read(
	struct mip4_extension *e, const uint8_t *at, size_t left, bool as_home_agent)
{
	const struct extension_rule *rule = &rules[at[0]];
	enum layout layout = rule->layout;
	size_t header = 2;

	if (as_home_agent && rule->to_mobile_node)
		layout = LAYOUT_NONE;
	e->type = at[0];
	e->recognized = layout != LAYOUT_NONE;
	if (layout == LAYOUT_NONE && at[0] < 128)
		return MIP4_EXT_UNKNOWN;
	if (layout == LAYOUT_DYNAMIC_HA)
		layout = dynamic_ha_layout(at, left);

	if (layout == LAYOUT_LONG) {
		if (left < 4)
			return MIP4_EXT_OVERRUN;
		uint32_t length = (uint32_t)at[2] << 8 | at[3];
		if (length + 4 > left)
			return MIP4_EXT_OVERRUN;
		header = 4;
		e->length = (uint16_t)(length + 4);
		if (at[0] == MIP4_EXT_CVSE)
			e->reserved = at[1];
		else
			e->subtype = at[1];
	} else {
		if (at[1] + 2u > left)
			return MIP4_EXT_OVERRUN;
		e->length = (uint16_t)(at[1] + 2);
		if (layout == LAYOUT_SHORT && at[1] >= 1) {
			header = 3;
			e->subtype = at[2];
		}
	}
	e->data_offset = (uint16_t)(e->offset + header);
	e->data_length = (uint16_t)(e->length - header);
	return MIP4_OK;
}

/* What the Length field of a read extension says. */
static uint16_t extension_length_field(const struct mip4_extension *e)
{
	bool is_long = rules[e->type].layout == LAYOUT_LONG;
	return (uint16_t)(e->length - (is_long ? 4 : 2));
}

static enum mip4_status extension_check(struct mip4_message *m, struct mip4_extension *e)
{
	bool good;

	if (!e->recognized) {
		m->skipped_unknown++;
		return MIP4_OK;
	}
	if (e->type == MIP4_EXT_DYNAMIC_HA)
		good = e->data_length == 4 && e->data_offset > e->offset + 2;
	else
		good = length_allowed(e->type, extension_length_field(e));
	if (good) {
		/* Sub-Type 1 is the only generalized authentication anybody defined for a request:
		 * HA4-EXT-06. */
		if (e->type == MIP4_EXT_GENERALIZED_AUTH && e->subtype != 1)
			return MIP4_EXT_UNKNOWN;
		return MIP4_OK;
	}
	if (e->type < 128)
		return MIP4_EXT_BADLEN;
	e->recognized = false;
	m->skipped_badlen++;
	return MIP4_OK;
}

static enum mip4_status walk_extensions(struct mip4_message *m, size_t at, bool as_home_agent)
{
	while (at < m->length) {
		size_t left = m->length - at;

		m->error_offset = (uint16_t)at;
		if (m->payload[at] == MIP4_EXT_PAD) {
			at++;
			continue;
		}
		if (left < 2)
			return MIP4_EXT_OVERRUN;
		if (m->extension_count == MIP4_EXTENSIONS_MAX)
			return MIP4_EXT_LIMIT;

		struct mip4_extension e = {.offset = (uint16_t)at};
		enum mip4_status status = extension_read(&e, m->payload + at, left, as_home_agent);
		if (status == MIP4_OK)
			status = extension_check(m, &e);
		if (status != MIP4_OK)
			return status;
		m->extensions[m->extension_count++] = e;
		at += e.length;
	}
	return MIP4_OK;
}

static size_t fixed_part(uint8_t type)
{
	switch (type) {
	case MIP4_REGISTRATION_REQUEST:
		return 24;
	case MIP4_REGISTRATION_REPLY:
		return 20;
	case MIP4_TUNNEL_DATA:
		return 4;
	case MIP4_REVOCATION:
		return 20;
	case MIP4_REVOCATION_ACK:
		return 12;
	default:
		return 0;
	}
}

static void request_read(struct reader *r, struct mip4_request *request)
{
	request->flags = reader_u8(r);
	request->lifetime_s = reader_u16(r);
	request->home_address = reader_be32(r);
	request->home_agent = reader_be32(r);
	request->care_of_address = reader_be32(r);
	request->identification = reader_u64(r);
}

static void reply_read(struct reader *r, struct mip4_reply *reply)
{
	reply->code = reader_u8(r);
	reply->lifetime_s = reader_u16(r);
	reply->home_address = reader_be32(r);
	reply->home_agent = reader_be32(r);
	reply->identification = reader_u64(r);
}

static void revocation_read(struct reader *r, uint8_t type, struct mip4_revocation *revocation)
{
	reader_u8(r); /* Reserved */
	revocation->flags = reader_u16(r);
	revocation->home_address = reader_be32(r);
	if (type == MIP4_REVOCATION) {
		revocation->home_domain_address = reader_be32(r);
		revocation->foreign_domain_address = reader_be32(r);
	}
	revocation->identifier = reader_u32(r);
}

enum mip4_status mip4_parse(
	struct mip4_message *message, const void *payload, size_t length, bool as_home_agent)
{
	struct reader r = reader_make(payload, length);

	memset(message, 0, offsetof(struct mip4_message, extensions));
	message->payload = payload;
	if (length < 1)
		return MIP4_SHORT;
	message->type = reader_u8(&r);
	size_t fixed = fixed_part(message->type);
	if (fixed == 0)
		return MIP4_UNKNOWN_TYPE;
	if (length < fixed)
		return MIP4_SHORT;
	/* Tunnel data is no signalling: no extensions, and as long as the path allows. */
	if (message->type == MIP4_TUNNEL_DATA) {
		message->length = (uint16_t)(length > UINT16_MAX ? UINT16_MAX : length);
		return MIP4_OK;
	}
	if (length > MIP4_PAYLOAD_MAX) {
		message->error_offset = MIP4_PAYLOAD_MAX;
		return MIP4_EXT_LIMIT;
	}
	message->length = (uint16_t)length;

	if (message->type == MIP4_REGISTRATION_REQUEST)
		request_read(&r, &message->request);
	else if (message->type == MIP4_REGISTRATION_REPLY)
		reply_read(&r, &message->reply);
	else
		revocation_read(&r, message->type, &message->revocation);
	enum mip4_status status = walk_extensions(message, fixed, as_home_agent);
	if (status == MIP4_OK)
		message->error_offset = 0;
	return status;
}

const char *mip4_status_name(enum mip4_status status)
{
	static const char *const names[MIP4_STATUS_COUNT] = {
		[MIP4_OK] = "ok",
		[MIP4_SHORT] = "rx_short",
		[MIP4_UNKNOWN_TYPE] = "rx_unknown_type",
		[MIP4_EXT_OVERRUN] = "ext_overrun",
		[MIP4_EXT_BADLEN] = "ext_badlen",
		[MIP4_EXT_UNKNOWN] = "unknown_ext_nonskip",
		[MIP4_EXT_LIMIT] = "ext_limit",
	};
	return (unsigned)status < MIP4_STATUS_COUNT ? names[status] : "unknown";
}

int mip4_extension_find(const struct mip4_message *message, uint8_t type, unsigned from)
{
	for (unsigned i = from; i < message->extension_count; i++)
		if (message->extensions[i].type == type && message->extensions[i].recognized)
			return (int)i;
	return -1;
}

void mip4_request_write(struct writer *w, const struct mip4_request *request)
{
	writer_u8(w, MIP4_REGISTRATION_REQUEST);
	writer_u8(w, (uint8_t)(request->flags & ~(MIP4_R | MIP4_X))); // HA4-FMT-07
	writer_u16(w, request->lifetime_s);
	writer_be32(w, request->home_address);
	writer_be32(w, request->home_agent);
	writer_be32(w, request->care_of_address);
	writer_u64(w, request->identification);
}

void mip4_reply_write(struct writer *w, const struct mip4_reply *reply)
{
	writer_u8(w, MIP4_REGISTRATION_REPLY);
	writer_u8(w, reply->code);
	writer_u16(w, reply->lifetime_s);
	writer_be32(w, reply->home_address);
	writer_be32(w, reply->home_agent);
	writer_u64(w, reply->identification);
}

void mip4_revocation_write(struct writer *w, const struct mip4_revocation *revocation)
{
	writer_u8(w, MIP4_REVOCATION);
	writer_u8(w, 0);
	writer_u16(w, revocation->flags & (MIP4_REVOCATION_A | MIP4_REVOCATION_I));
	writer_be32(w, revocation->home_address);
	writer_be32(w, revocation->home_domain_address);
	writer_be32(w, revocation->foreign_domain_address);
	writer_u32(w, revocation->identifier);
}

void mip4_revocation_ack_write(struct writer *w, const struct mip4_revocation *revocation)
{
	writer_u8(w, MIP4_REVOCATION_ACK);
	writer_u8(w, 0);
	writer_u16(w, revocation->flags & MIP4_REVOCATION_ACK_I);
	writer_be32(w, revocation->home_address);
	writer_u32(w, revocation->identifier);
}

void mip4_extension_write(struct writer *w, uint8_t type, const void *data, uint8_t length)
{
	writer_u8(w, type);
	writer_u8(w, length);
	writer_bytes(w, data, length);
}

void mip4_nai_write(struct writer *w, const char *nai, size_t length)
{
	if (length < 1 || length > 255) {
		w->overflow = true;
		return;
	}
	mip4_extension_write(w, MIP4_EXT_NAI, nai, (uint8_t)length);
}

void mip4_udp_tunnel_request_write(struct writer *w, const struct mip4_udp_tunnel_request *request)
{
	const uint8_t data[6] = {
		[2] = request->flags & (MIP4_UDP_TUNNEL_F | MIP4_UDP_TUNNEL_R),
		[3] = request->encapsulation,
		[4] = (uint8_t)(request->reserved3 >> 8),
		[5] = (uint8_t)request->reserved3,
	};
	mip4_extension_write(w, MIP4_EXT_UDP_TUNNEL_REQUEST, data, sizeof(data));
}

void mip4_udp_tunnel_reply_write(struct writer *w, const struct mip4_udp_tunnel_reply *reply)
{
	const uint8_t data[6] = {
		[1] = reply->code,
		[2] = reply->forced ? MIP4_UDP_TUNNEL_F : 0,
		[4] = (uint8_t)(reply->keepalive_s >> 8),
		[5] = (uint8_t)reply->keepalive_s,
	};
	mip4_extension_write(w, MIP4_EXT_UDP_TUNNEL_REPLY, data, sizeof(data));
}

/* A reader after the Sub-Type of a recognized extension 144 or 44; both are five octets there. */
static bool udp_tunnel_reader(const struct mip4_message *m, const struct mip4_extension *e,
	uint8_t type, struct reader *r)
{
	if (e->type != type || !e->recognized || e->subtype != 0 || e->data_length != 5)
		return false;
	*r = reader_make(m->payload + e->data_offset, e->data_length);
	return true;
}

bool mip4_udp_tunnel_request_read(const struct mip4_message *m, const struct mip4_extension *e,
	struct mip4_udp_tunnel_request *out)
{
	struct reader r;

	if (!udp_tunnel_reader(m, e, MIP4_EXT_UDP_TUNNEL_REQUEST, &r))
		return false;
	reader_u8(&r); /* Reserved 1 */
	out->flags = reader_u8(&r) & (MIP4_UDP_TUNNEL_F | MIP4_UDP_TUNNEL_R);
	out->encapsulation = reader_u8(&r);
	out->reserved3 = reader_u16(&r);
	return true;
}

bool mip4_udp_tunnel_reply_read(const struct mip4_message *m, const struct mip4_extension *e,
	struct mip4_udp_tunnel_reply *out)
{
	struct reader r;

	if (!udp_tunnel_reader(m, e, MIP4_EXT_UDP_TUNNEL_REPLY, &r))
		return false;
	out->code = reader_u8(&r);
	out->forced = (reader_u16(&r) & 0x8000) != 0;
	out->keepalive_s = reader_u16(&r);
	return true;
}

bool mip4_authentication_read(const struct mip4_message *m, const struct mip4_extension *e,
	struct mip4_authentication *out)
{
	bool authentication =
		e->type == MIP4_EXT_MOBILE_HOME_AUTH || e->type == MIP4_EXT_MOBILE_FOREIGN_AUTH ||
		e->type == MIP4_EXT_FOREIGN_HOME_AUTH || e->type == MIP4_EXT_GENERALIZED_AUTH;

	if (!authentication || e->data_length < 4)
		return false;
	struct reader r = reader_make(m->payload + e->data_offset, e->data_length);
	out->spi = reader_u32(&r);
	out->authenticator = r.at;
	out->authenticator_length = (uint16_t)reader_left(&r);
	out->covered = (uint16_t)(e->data_offset + 4);
	return true;
}

uint8_t *mip4_authentication_write(
	struct writer *w, uint8_t type, uint32_t spi, uint8_t authenticator_length)
{
	if (authenticator_length > 255 - 4) {
		w->overflow = true;
		return NULL;
	}
	writer_u8(w, type);
	writer_u8(w, (uint8_t)(authenticator_length + 4));
	writer_u32(w, spi);
	uint8_t *authenticator = writer_reserve(w, authenticator_length);
	if (authenticator)
		memset(authenticator, 0, authenticator_length);
	return authenticator;
}
