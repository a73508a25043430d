/*
 * Each message is one function that walks its fields in the order of the wire, and the same
 * function reads and writes: the two cannot differ. A walk never leaves the octets; after the first
 * field that does not fit, or has a value that it may not have, it goes on with zeroes and the
 * message is refused.
 */
#include "lib/ipc/keying.h"

#include "lib/base/secret.h"

#include <arpa/inet.h>

struct walk {
	uint8_t *at, *end;
	bool writing;
	const char *bad; /* the first reason */
};

static void refuse(struct walk *w, const char *reason)
{
	if (!w->bad)
		w->bad = reason;
}

static void octets(struct walk *w, void *value, size_t length)
{
	if (w->bad || (size_t)(w->end - w->at) < length) {
		refuse(w, "is shorter than its type");
		if (!w->writing)
			memset(value, 0, length);
		return;
	}
	if (w->writing)
		memcpy(w->at, value, length);
	else
		memcpy(value, w->at, length);
	w->at += length;
}

static void u16(struct walk *w, uint16_t *value)
{
	uint16_t wire = htons(*value);

	octets(w, &wire, sizeof(wire));
	if (!w->writing)
		*value = ntohs(wire);
}

static void u32(struct walk *w, uint32_t *value)
{
	uint32_t wire = htonl(*value);

	octets(w, &wire, sizeof(wire));
	if (!w->writing)
		*value = ntohl(wire);
}

static void u64(struct walk *w, uint64_t *value)
{
	uint32_t high = (uint32_t)(*value >> 32), low = (uint32_t)*value;

	u32(w, &high);
	u32(w, &low);
	if (!w->writing)
		*value = (uint64_t)high << 32 | low;
}

static void u16_between(
	struct walk *w, uint16_t *value, uint16_t first, uint16_t last, const char *reason)
{
	u16(w, value);
	if (*value < first || *value > last)
		refuse(w, reason);
}

static void u32_between(
	struct walk *w, uint32_t *value, uint32_t first, uint32_t last, const char *reason)
{
	u32(w, value);
	if (*value < first || *value > last)
		refuse(w, reason);
}

/* Not a field of the struct: what is reserved is zero. */
static void zero(struct walk *w, size_t length)
{
	uint8_t none[8] = {0};

	octets(w, none, length);
	for (size_t i = 0; i < length; i++)
		if (none[i])
			refuse(w, "has reserved octets that are not zero");
}

/* At least one NUL, nothing behind it, and no control characters: it goes to logs. */
static void text(struct walk *w, char *value, size_t size)
{
	octets(w, value, size);
	size_t length = strnlen(value, size);
	if (length == size)
		refuse(w, "has a text without an end");
	for (size_t i = 0; i < size; i++)
		if (i < length ? (uint8_t)value[i] < 0x20 || value[i] == 0x7f : value[i] != 0)
			refuse(w, "has a text with control characters");
}

static void address(struct walk *w, struct ip_address *value)
{
	octets(w, value->bytes, sizeof(value->bytes));
}

static void endpoint(struct walk *w, struct keying_endpoint *value)
{
	address(w, &value->address);
	octets(w, &value->port, sizeof(value->port));
	zero(w, 2);
}

static void selector(struct walk *w, struct traffic_selector *value)
{
	address(w, &value->first);
	address(w, &value->last);
	u16(w, &value->port_first);
	u16(w, &value->port_last);
	octets(w, &value->protocol, 1);
	zero(w, 3);
}

static void sa_id(struct walk *w, struct keying_sa_id *value)
{
	u64(w, &value->handle);
	octets(w, &value->spi, sizeof(value->spi));
	u32_between(w, &value->flags, 0, KEYING_SA_INBOUND, "has unknown flags");
}

/* ---- one for each type ---- */

static void nothing(struct walk *w, struct keying_message *m)
{
	(void)w;
	(void)m;
}

static void hello(struct walk *w, struct keying_message *m)
{
	u32_between(w, &m->hello.magic, KEYING_MAGIC, KEYING_MAGIC, "has another magic number");
	zero(w, 4);
	u64(w, &m->hello.instance);
	text(w, m->hello.agent, sizeof(m->hello.agent));
	if (!m->hello.instance)
		refuse(w, "has instance 0");
}

static void welcome(struct walk *w, struct keying_message *m)
{
	u64(w, &m->welcome.epoch);
	u32(w, &m->welcome.spi_block);
	u32(w, &m->welcome.wait_ms);
	u32(w, &m->welcome.replay_window_max);
	u32_between(w, &m->welcome.dataplane, 0, 1, "has a flag that is neither 0 nor 1");
}

static void lease_spis(struct walk *w, struct keying_message *m)
{
	u32_between(w, &m->lease_spis.count, 1, KEYING_SPIS_MAX, "has a count out of range");
}

static void claim_spi(struct walk *w, struct keying_message *m)
{
	octets(w, &m->claim_spi.spi, sizeof(m->claim_spi.spi));
}

static void selectors(struct walk *w, struct keying_selectors *value)
{
	for (unsigned i = 0; !w->bad && i < value->count; i++)
		selector(w, &value->of[i]);
}

static void lifetime(struct walk *w, struct keying_lifetime *value)
{
	u64(w, &value->soft_s);
	u64(w, &value->hard_s);
	u64(w, &value->soft_bytes);
	u64(w, &value->hard_bytes);
	u64(w, &value->soft_packets);
	u64(w, &value->hard_packets);
}

static void add_sa(struct walk *w, struct keying_message *m)
{
	struct keying_add_sa *sa = &m->add_sa;

	u64(w, &sa->handle);
	octets(w, &sa->spi, sizeof(sa->spi));
	u32(w, &sa->reqid);
	u32_between(w, &sa->flags, 0, KEYING_SA_FLAGS_ALL, "has unknown flags");
	u16_between(w, &sa->mode, KEYING_TRANSPORT, KEYING_TUNNEL, "has an unknown mode");
	u16(w, &sa->encryption);
	u16(w, &sa->integrity);
	u16_between(w, &sa->encryption_length, 0, KEYING_KEY_MAX, "has too long a key");
	u16_between(w, &sa->integrity_length, 0, KEYING_KEY_MAX, "has too long a key");
	zero(w, 2);
	u32(w, &sa->replay_window);
	u32(w, &sa->tfc);
	endpoint(w, &sa->source);
	endpoint(w, &sa->destination);
	lifetime(w, &sa->lifetime);
	octets(w, sa->encryption_key, sizeof(sa->encryption_key));
	octets(w, sa->integrity_key, sizeof(sa->integrity_key));
	text(w, sa->name, sizeof(sa->name));
	text(w, sa->identity, sizeof(sa->identity));
	u16_between(w, &sa->source_ts.count, 1, KEYING_SELECTORS_MAX, "has a count out of range");
	u16_between(
		w, &sa->destination_ts.count, 1, KEYING_SELECTORS_MAX, "has a count out of range");
	u16_between(
		w, &sa->peer_address_count, 0, KEYING_ADDRESSES_MAX, "has a count out of range");
	zero(w, 2);
	selectors(w, &sa->source_ts);
	selectors(w, &sa->destination_ts);
	for (unsigned i = 0; !w->bad && i < sa->peer_address_count; i++)
		address(w, &sa->peer_addresses[i]);
}

static void update_sa(struct walk *w, struct keying_message *m)
{
	sa_id(w, &m->update_sa.sa);
	u32(w, &m->update_sa.flags);
	u32(w, &m->update_sa.reqid);
	endpoint(w, &m->update_sa.source);
	endpoint(w, &m->update_sa.destination);
	if (m->update_sa.flags & ~(uint32_t)KEYING_SA_ENCAP)
		refuse(w, "has unknown flags");
}

static void sa(struct walk *w, struct keying_message *m)
{
	sa_id(w, &m->sa);
}

static void policy(struct walk *w, struct keying_message *m)
{
	struct keying_policy *p = &m->policy;

	u64(w, &p->handle);
	octets(w, &p->spi, sizeof(p->spi));
	u32(w, &p->reqid);
	u16_between(w, &p->direction, KEYING_IN, KEYING_FORWARD, "has an unknown direction");
	u16_between(w, &p->action, KEYING_PROTECT, KEYING_DROP, "has an unknown action");
	u16_between(w, &p->priority, KEYING_PRIORITY_PASS, KEYING_PRIORITY_FALLBACK,
		"has an unknown priority");
	u16_between(w, &p->mode, 0, KEYING_TUNNEL, "has an unknown mode");
	u32(w, &p->manual_priority);
	zero(w, 4);
	address(w, &p->source);
	address(w, &p->destination);
	selector(w, &p->source_ts);
	selector(w, &p->destination_ts);
}

static void udp_port(struct walk *w, struct keying_message *m)
{
	octets(w, &m->udp_port.port, sizeof(m->udp_port.port));
	u16(w, &m->udp_port.family);
	if (m->udp_port.family != 4 && m->udp_port.family != 6)
		refuse(w, "has an unknown family");
}

static void status(struct walk *w, struct keying_message *m)
{
	u32_between(w, &m->status.status, 0, KEYING_STATUS_COUNT - 1, "has an unknown status");
	text(w, m->status.text, sizeof(m->status.text));
}

static void spis(struct walk *w, struct keying_message *m)
{
	u16_between(w, &m->spis.count, 1, KEYING_SPIS_MAX, "has a count out of range");
	zero(w, 2);
	for (unsigned i = 0; !w->bad && i < m->spis.count; i++)
		octets(w, &m->spis.of[i], sizeof(m->spis.of[i]));
}

static void sa_state(struct walk *w, struct keying_message *m)
{
	u64(w, &m->sa_state.packets);
	u64(w, &m->sa_state.bytes);
	u64(w, &m->sa_state.last_use_s);
	u64(w, &m->sa_state.sequence);
}

static void policy_state(struct walk *w, struct keying_message *m)
{
	u64(w, &m->policy_state.hits);
	u64(w, &m->policy_state.last_use_s);
}

static void expire(struct walk *w, struct keying_message *m)
{
	sa_id(w, &m->expire.sa);
	u32_between(w, &m->expire.hard, 0, 1, "has a flag that is neither 0 nor 1");
	zero(w, 4);
	address(w, &m->expire.destination);
	text(w, m->expire.cause, sizeof(m->expire.cause));
}

static void mapping(struct walk *w, struct keying_message *m)
{
	sa_id(w, &m->mapping.sa);
	endpoint(w, &m->mapping.local);
	endpoint(w, &m->mapping.remote);
}

static void acquire(struct walk *w, struct keying_message *m)
{
	u32(w, &m->acquire.reqid);
	zero(w, 4);
	selector(w, &m->acquire.source);
	selector(w, &m->acquire.destination);
}

static void migrate(struct walk *w, struct keying_message *m)
{
	u32(w, &m->migrate.reqid);
	u16_between(
		w, &m->migrate.direction, KEYING_IN, KEYING_FORWARD, "has an unknown direction");
	zero(w, 2);
	address(w, &m->migrate.local);
	address(w, &m->migrate.remote);
	selector(w, &m->migrate.source_ts);
	selector(w, &m->migrate.destination_ts);
}

static const struct shape {
	const char *name;
	void (*walk)(struct walk *w, struct keying_message *m);
} shapes[] = {
	[KEYING_HELLO] = {"hello", hello},
	[KEYING_LEASE_SPIS] = {"lease_spis", lease_spis},
	[KEYING_CLAIM_SPI] = {"claim_spi", claim_spi},
	[KEYING_ADD_SA] = {"add_sa", add_sa},
	[KEYING_UPDATE_SA] = {"update_sa", update_sa},
	[KEYING_QUERY_SA] = {"query_sa", sa},
	[KEYING_DEL_SA] = {"del_sa", sa},
	[KEYING_FLUSH_SAS] = {"flush_sas", nothing},
	[KEYING_ADD_POLICY] = {"add_policy", policy},
	[KEYING_QUERY_POLICY] = {"query_policy", policy},
	[KEYING_DEL_POLICY] = {"del_policy", policy},
	[KEYING_FLUSH_POLICIES] = {"flush_policies", nothing},
	[KEYING_REPLAY_BEGIN] = {"replay_begin", nothing},
	[KEYING_REPLAY_END] = {"replay_end", nothing},
	[KEYING_UDP_PORT] = {"udp_port", udp_port},
	[KEYING_WELCOME] = {"welcome", welcome},
	[KEYING_STATUS] = {"status", status},
	[KEYING_SPIS] = {"spis", spis},
	[KEYING_SA_STATE] = {"sa_state", sa_state},
	[KEYING_POLICY_STATE] = {"policy_state", policy_state},
	[KEYING_EXPIRE] = {"expire", expire},
	[KEYING_MAPPING] = {"mapping", mapping},
	[KEYING_ACQUIRE] = {"acquire", acquire},
	[KEYING_MIGRATE] = {"migrate", migrate},
};

static const struct shape *shape_of(uint16_t type)
{
	return type < sizeof(shapes) / sizeof(shapes[0]) && shapes[type].walk ? &shapes[type]
									      : NULL;
}

static void header(struct walk *w, struct keying_header *h)
{
	u16(w, &h->version);
	u16(w, &h->type);
	u32(w, &h->length);
	u64(w, &h->id);
}

size_t keying_encode(const struct keying_message *message, uint8_t out[KEYING_MESSAGE_MAX])
{
	/* A walk that writes octets changes no field. */
	struct keying_message *m = (struct keying_message *)(uintptr_t)message;
	struct keying_header h = {
		.version = KEYING_VERSION, .type = message->header.type, .id = message->header.id};
	const struct shape *shape = shape_of(h.type);
	struct walk w = {
		.at = out + KEYING_HEADER_SIZE, .end = out + KEYING_MESSAGE_MAX, .writing = true};

	if (!shape)
		return 0;
	shape->walk(&w, m);
	if (w.bad) {
		secret_wipe(out, KEYING_MESSAGE_MAX);
		return 0;
	}
	h.length = (uint32_t)(w.at - out);
	header(&(struct walk){.at = out, .end = out + KEYING_HEADER_SIZE, .writing = true}, &h);
	return h.length;
}

static enum keying_status finish(
	const struct walk *w, struct keying_message *out, const char **reason)
{
	*reason = w->bad ? w->bad : "is longer than its type";
	if (!w->bad && w->at == w->end) {
		*reason = NULL;
		return KEYING_OK;
	}
	struct keying_header h = out->header;
	secret_wipe(out, sizeof(*out));
	out->header = h;
	return KEYING_MALFORMED;
}

enum keying_status keying_decode(
	const void *datagram, size_t length, struct keying_message *out, const char **reason)
{
	struct walk w = {.at = (uint8_t *)(uintptr_t)datagram,
		.end = (uint8_t *)(uintptr_t)datagram + length};

	memset(out, 0, sizeof(*out));
	header(&w, &out->header);
	if (w.bad) {
		*reason = "is shorter than a header";
		memset(out, 0, sizeof(*out));
		return KEYING_MALFORMED;
	}
	if (out->header.version != KEYING_VERSION) {
		*reason = "has another version of the protocol";
		return KEYING_WRONG_VERSION;
	}
	const struct shape *shape = shape_of(out->header.type);
	if (out->header.length != length)
		refuse(&w, "is not as long as it says");
	else if (!shape)
		refuse(&w, "has an unknown type");
	else
		shape->walk(&w, out);
	return finish(&w, out, reason);
}

const char *keying_type_name(uint16_t type)
{
	const struct shape *shape = shape_of(type);

	return shape ? shape->name : "unknown";
}

const char *keying_status_name(uint32_t status)
{
	static const char *const names[KEYING_STATUS_COUNT] = {"ok", "accepted", "malformed",
		"wrong_version", "wrong_state", "busy", "not_found", "exists", "bad_spi",
		"bad_algorithm", "bad_key", "bad_address", "bad_selector", "unsupported", "no_room",
		"conflict", "unauthorised", "refused", "no_memory", "stale"};

	return status < KEYING_STATUS_COUNT ? names[status] : "unknown";
}
