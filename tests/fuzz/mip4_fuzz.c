/*
 * The Mobile IPv4 walk (HA4-EXT-16, HA4-BAD-14). Input is a UDP payload. What must hold for any
 * octets: every listed extension lies inside the message, in order and without overlap, what lies
 * between is padding, lengths nest, the reading functions stay inside, and both roles agree on
 * where extensions begin.
 */
#include "lib/wire/mip4.h"
#include "tests/fuzz/fuzz_assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t fixed_part(uint8_t type)
{
	return type == 1 ? 24 : type == 15 ? 12 : 20;
}

static void extension_check(const struct mip4_message *m, const struct mip4_extension *e)
{
	struct mip4_authentication authentication;
	struct mip4_udp_tunnel_request asked;
	struct mip4_udp_tunnel_reply told;

	FUZZ_ASSERT(e->type == m->payload[e->offset] && e->type != MIP4_EXT_PAD);
	FUZZ_ASSERT(e->length >= 2);
	FUZZ_ASSERT(e->offset + e->length <= m->length);
	FUZZ_ASSERT(e->data_offset >= e->offset + 2 && e->data_offset <= e->offset + 4);
	FUZZ_ASSERT(e->data_offset + e->data_length == e->offset + e->length);
	FUZZ_ASSERT(e->recognized || e->type >= 128);
	if (mip4_authentication_read(m, e, &authentication)) {
		FUZZ_ASSERT(authentication.authenticator == m->payload + authentication.covered);
		FUZZ_ASSERT(authentication.covered + authentication.authenticator_length ==
			    e->offset + e->length);
	}
	mip4_udp_tunnel_request_read(m, e, &asked);
	mip4_udp_tunnel_reply_read(m, e, &told);
	int found = mip4_extension_find(m, e->type, 0);
	FUZZ_ASSERT(!e->recognized || (found >= 0 && &m->extensions[found] <= e));
}

static void message_check(const struct mip4_message *m, const uint8_t *data, size_t size)
{
	FUZZ_ASSERT(m->payload == data && m->length == size);
	if (m->type == MIP4_TUNNEL_DATA) {
		FUZZ_ASSERT(m->extension_count == 0);
		return;
	}
	FUZZ_ASSERT(size <= MIP4_PAYLOAD_MAX && m->extension_count <= MIP4_EXTENSIONS_MAX);
	size_t at = fixed_part(m->type);
	unsigned odd = 0;
	for (unsigned i = 0; i < m->extension_count; i++) {
		const struct mip4_extension *e = &m->extensions[i];
		FUZZ_ASSERT(e->offset >= at);
		for (; at < e->offset; at++)
			FUZZ_ASSERT(data[at] == MIP4_EXT_PAD);
		extension_check(m, e);
		at += e->length;
		odd += !e->recognized;
	}
	for (; at < size; at++)
		FUZZ_ASSERT(data[at] == MIP4_EXT_PAD);
	FUZZ_ASSERT(odd == (unsigned)m->skipped_unknown + m->skipped_badlen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mip4_message as_agent, as_node;

	if (size > UINT16_MAX)
		return 0;
	enum mip4_status agent = mip4_parse(&as_agent, data, size, true);
	enum mip4_status node = mip4_parse(&as_node, data, size, false);

	FUZZ_ASSERT(agent < MIP4_STATUS_COUNT && node < MIP4_STATUS_COUNT);
	if (agent == MIP4_OK) {
		message_check(&as_agent, data, size);
		/* What a home agent takes, a mobile node takes: it only knows more types. */
		FUZZ_ASSERT(node == MIP4_OK);
		FUZZ_ASSERT(as_node.extension_count == as_agent.extension_count);
	} else {
		FUZZ_ASSERT(as_agent.error_offset <= size);
	}
	if (node == MIP4_OK)
		message_check(&as_node, data, size);
	return 0;
}
