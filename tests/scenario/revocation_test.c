/* RFC 3543: who revokes what from whom, how often it is said, and who has to have agreed. */
#include "tests/scenario/scenario.h"

/* A request through a foreign agent that supports revocation (RFC 3543 3.1). */
static const uint8_t support[8] = {137, 6, 0x80, 0, 0x69, 0x55, 0xb9, 0x00};
static const struct ask with_support = {.flags = MIP4_T,
	.lifetime_s = 600,
	.care_of = "198.51.100.254",
	.source_port = 434,
	.after = support,
	.after_length = sizeof(support),
	.agent_spi = 0x200};

/* HA4-RVK-08, HA4-RVK-10..-14. */
static void revocations(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = with_support;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(home_binding(h, "10.1.0.10")->revocation.negotiated);
	h->sent_count = 0;
	mip4_engine_clear(h->engine, home_binding(h, "10.1.0.10")->id, h->now);
	assert_int_equal(h->sent_count, 1);
	/* Every acknowledgment is lost: back-off, at most one a second, a new identifier each, none
	 * past the natural end. */
	home_pass(h, 60);
	assert_in_range(h->sent_count, 5, 8);
	struct mip4_message one, two;
	mip4_parse(&one, h->sent[0].data + 28, h->sent[0].length - 28u, true);
	mip4_parse(&two, h->sent[1].data + 28, h->sent[1].length - 28u, true);
	assert_true(two.revocation.identifier > one.revocation.identifier);
	assert_int_equal(one.revocation.flags, MIP4_REVOCATION_A | MIP4_REVOCATION_I);
	home_pass(h, 600);
	unsigned sent = h->sent_count;
	home_pass(h, 600);
	assert_int_equal(h->sent_count, sent);
	end(h);
}

// HA4-RVK-08: what has expired is cleared without a word, also before its second was looked at
static void expired_is_not_revoked(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = with_support;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	const struct binding *b = home_binding(h, "10.1.0.10");
	assert_true(b->revocation.negotiated);
	h->sent_count = 0;
	h->now.monotonic_ns = b->expires_ns;
	mip4_engine_clear(h->engine, b->id, h->now);
	home_acknowledge(h);
	assert_null(home_binding(h, "10.1.0.10"));
	assert_int_equal(h->sent_count, 0);
	end(h);
}

// HA4-RVK-05: the agent that a node leaves is told, once, and only when it knows of revocation
static void left_agent_is_told(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = with_support, moved = plain;
	struct ip_address agent = address_of("198.51.100.254");
	unsigned type_at = REPLY_HEADERS;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	h->sent_count = 0;
	struct punt_record record;
	ask_build(h, &moved, &record);
	home_receive(h, &record);
	assert_int_equal(h->sent_count, 2); /* and the reply */
	unsigned told = h->sent[0].data[type_at] == 7 ? 0 : 1;
	assert_int_equal(h->sent[told].data[type_at], 7);
	assert_memory_equal(h->sent[told].data + 16, &agent.words[3], 4);
	assert_int_equal(h->sent[!told].data[type_at], 3);
	assert_int_equal(home_counter(h, MIP4_TX_REVOCATION), 1);
	end(h);

	h = home_new(NULL);
	ask.after_length = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(ask_send(h, &moved), 0);
	assert_int_equal(home_counter(h, MIP4_TX_REVOCATION), 0);
	end(h);
}

// HA4-RVK-02: an agent that nobody vouches for cannot agree on revocation
static void unknown_agent_agrees_on_nothing(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = with_support;

	(void)state;
	ask.care_of = "198.51.100.253";
	ask.agent_spi = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_false(home_binding(h, "10.1.0.10")->revocation.negotiated);
	end(h);
}

/* A message of the foreign agent's, as it would come in from `source`. */
static void agent_says(struct home *h, const struct mip4_revocation *message,
	void (*write)(struct writer *w, const struct mip4_revocation *message), const char *source,
	bool bad)
{
	struct ask ask = {.no_auth = true,
		.agent_spi = 0x200,
		.agent_bad = bad,
		.care_of = source,
		.source_port = 434};
	struct punt_record record, with;
	struct writer w = writer_make(record.data, MIP4_PAYLOAD_MAX);

	ask_build(h, &ask, &record);
	with = record;
	write(&w, message);
	ask_authenticate(&w, 0x200, bad);
	memcpy(with.data, record.data, writer_length(&w));
	with.length = (uint16_t)writer_length(&w);
	h->sent_count = 0;
	home_receive(h, &with);
}

/* A Revocation (message 7). */
static void revoke(
	struct home *h, uint32_t identifier, uint16_t flags, const char *source, bool bad)
{
	struct ip_address home = address_of("10.1.0.10"), domain = address_of("192.0.2.1"),
			  agent = address_of("198.51.100.254");
	struct mip4_revocation message = {.home_address = ip_address_v4(&home),
		.home_domain_address = ip_address_v4(&domain),
		.foreign_domain_address = ip_address_v4(&agent),
		.identifier = identifier,
		.flags = flags};

	agent_says(h, &message, mip4_revocation_write, source, bad);
}

/* Of the i-th datagram that left, which is a Revocation. */
static uint32_t identifier_told(const struct home *h, unsigned i)
{
	struct mip4_message told;

	assert_int_equal(mip4_parse(&told, h->sent[i].data + REPLY_HEADERS,
				 (size_t)(h->sent[i].length - REPLY_HEADERS), true),
		MIP4_OK);
	assert_int_equal(told.type, MIP4_REVOCATION);
	return told.revocation.identifier;
}

// HA4-RVK-08: identifiers rise, also when the wall clock goes back; who was told acknowledges, and
// nobody else
static void acknowledged_by_who_was_told(void **state)
{
	struct ip_address home = address_of("10.1.0.10");
	struct home *h = home_new(NULL);
	struct ask ask = with_support;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	h->sent_count = 0;
	mip4_engine_clear(h->engine, home_binding(h, "10.1.0.10")->id, h->now);
	assert_int_equal(h->sent_count, 1);
	h->now.wall_ns -= 30 * CLOCK_NS_PER_S;
	home_pass(h, 20);
	assert_true(h->sent_count >= 2);
	for (unsigned i = 1; i < h->sent_count; i++)
		assert_true(identifier_told(h, i) > identifier_told(h, i - 1));
	struct mip4_revocation ack = {.home_address = ip_address_v4(&home),
		.identifier = identifier_told(h, h->sent_count - 1)};
	agent_says(h, &ack, mip4_revocation_ack_write, "198.51.100.253", false);
	agent_says(h, &ack, mip4_revocation_ack_write, "198.51.100.254", true);
	ack.identifier++;
	agent_says(h, &ack, mip4_revocation_ack_write, "198.51.100.254", false);
	assert_int_equal(home_counter(h, MIP4_REVOCATION_ACKED), 0);
	assert_int_equal(home_counter(h, MIP4_REVOCATION_ACK_STRAY), 3);
	ack.identifier--;
	agent_says(h, &ack, mip4_revocation_ack_write, "198.51.100.254", false);
	assert_int_equal(home_counter(h, MIP4_REVOCATION_ACKED), 1);
	home_pass(h, 120);
	assert_int_equal(h->sent_count, 0); /* no more of them */
	end(h);
}

/* HA4-RVK-10..-14: only the agent itself, only fresh, only its own binding; a lost acknowledgment
 * is sent again. */
static void revoked_by_agent(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = with_support;
	struct mip4_message reply;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	revoke(h, 0x6955b901, MIP4_REVOCATION_I, "198.51.100.254", true);
	revoke(h, 0x6955b901, MIP4_REVOCATION_A, "198.51.100.254", false); /* reflected */
	assert_int_equal(home_counter(h, MIP4_REVOCATION_BAD), 2);
	revoke(h, 0x6955b900, MIP4_REVOCATION_I, "198.51.100.254",
		false); /* not later than the registration's */
	assert_int_equal(home_counter(h, MIP4_REVOCATION_REPLAY), 1);
	assert_int_equal(h->sent_count, 0);
	assert_non_null(home_live(h, "10.1.0.10"));
	revoke(h, 0x6955b901, MIP4_REVOCATION_I, "198.51.100.254", false);
	assert_null(home_live(h, "10.1.0.10"));
	assert_int_equal(h->sent_count, 1);
	assert_int_equal(
		mip4_parse(&reply, h->sent[0].data + 28, h->sent[0].length - 28u, true), MIP4_OK);
	assert_int_equal(reply.type, MIP4_REVOCATION_ACK);
	assert_int_equal(reply.revocation.identifier, 0x6955b901);
	assert_int_equal(reply.revocation.flags, MIP4_REVOCATION_ACK_I);
	revoke(h, 0x6955b901, MIP4_REVOCATION_I, "198.51.100.254", false); /* a copy: nothing */
	assert_int_equal(h->sent_count, 0);
	revoke(h, 0x6955b902, MIP4_REVOCATION_I, "198.51.100.254",
		false); /* the agent repeats itself */
	assert_int_equal(h->sent_count, 1);
	home_pass(h, 61);
	revoke(h, 0x6955b9ff, MIP4_REVOCATION_I, "198.51.100.254", false);
	assert_int_equal(home_counter(h, MIP4_REVOCATION_NO_BINDING), 1);
	end(h);
}

// HA4-XTN-15: the agent refuses toward its visitor what we accepted; that is a deregistration, or a
// Revocation, like any other, and the visitor may try again
static void refused_by_agent(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = with_support;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_null(home_live(h, "10.1.0.10"));
	ask.lifetime_s = 600;
	assert_int_equal(ask_send(h, &ask), 0);
	revoke(h, 0x6955b901, MIP4_REVOCATION_I, "198.51.100.254", false);
	assert_int_equal(h->sent_count, 1); /* the acknowledgment */
	assert_null(home_live(h, "10.1.0.10"));
	home_pass(h, 2);
	assert_int_equal(ask_send(h, &ask), 0);
	assert_non_null(home_live(h, "10.1.0.10"));
	assert_int_equal(home_counter(h, MIP4_REVOCATION_BAD), 0);
	end(h);
}

/* ---- codes ---- */

// HA4-RVK-04
static void revocation_demanded(void **state)
{
	struct home *h =
		home_new(INSTANCE("revocation_required = true;") NODES(TEN) AGENTS(AGENT(FA)));
	struct ask ask = plain;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: revocation support is demanded");
	ask.extensions = support;
	ask.extensions_length = sizeof(support);
	assert_int_equal(ask_send(h, &ask), 0);
	ask.lifetime_s = 0;
	ask.extensions_length = 0;
	assert_int_equal(ask_send(h, &ask), 0); /* leaving needs nothing */
	ask = relayed();
	assert_int_equal(ask_send(h, &ask), 129);
	ask.after = support;
	ask.after_length = sizeof(support);
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

/* ---- foreign agents ---- */

// HA4-RVK-07, HA4-RVK-06: a direct node behind a NAT hears of it through its own mapping
static void revocation_through_nat(void **state)
{
	static const uint8_t both[16] = {
		144, 6, 0, 0, 0, 0, 0, 0, 137, 6, 0x80, 0, 0x69, 0x55, 0xb9, 0x00};
	struct home *h = home_new(NULL);
	struct ask ask = natted(both);
	struct mip4_message message;
	struct mip4_authentication auth;
	struct ip_address nat = address_of("203.0.113.7");

	(void)state;
	ask.extensions_length = sizeof(both);
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(in_reply(h, MIP4_EXT_REVOCATION_SUPPORT) < in_reply(h, 32));
	h->sent_count = 0;
	mip4_engine_clear(h->engine, home_binding(h, "10.1.0.10")->id, h->now);
	assert_int_equal(h->sent_count, 1);
	const uint8_t *ip = h->sent[0].data;
	assert_memory_equal(ip + 16, &nat.words[3], 4);
	assert_int_equal(ip[20] << 8 | ip[21], 434);
	assert_int_equal(ip[22] << 8 | ip[23], 40007);
	assert_int_equal(h->sent[0].flags, INJECT_BYPASS_BINDING);
	assert_int_equal(mip4_parse(&message, ip + 28, h->sent[0].length - 28u, true), MIP4_OK);
	assert_int_equal(message.type, MIP4_REVOCATION);
	int at = mip4_extension_find(&message, 32, 0);
	assert_true(at >= 0 && mip4_authentication_read(&message, &message.extensions[at], &auth));
	assert_int_equal(auth.spi, 0x100);
	assert_int_equal(ask_send(h, &ask), 0); // HA4-RVK-15: it may come back at once
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revocations),
		cmocka_unit_test(expired_is_not_revoked),
		cmocka_unit_test(acknowledged_by_who_was_told),
		cmocka_unit_test(left_agent_is_told),
		cmocka_unit_test(unknown_agent_agrees_on_nothing),
		cmocka_unit_test(revoked_by_agent),
		cmocka_unit_test(refused_by_agent),
		cmocka_unit_test(revocation_demanded),
		cmocka_unit_test(revocation_through_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
