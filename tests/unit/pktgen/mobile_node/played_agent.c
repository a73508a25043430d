#include "tests/unit/pktgen/mobile_node/played_agent.h"

be32 v4(const char *text)
{
	struct ip_address a;
	assert_int_equal(ip_address_parse(text, &a), 0);
	return ip_address_v4(&a);
}

static void on_send(void *context, const void *payload, size_t length, be32 source)
{
	struct world *w = context;

	assert_true(length <= sizeof(w->request));
	memcpy(w->request, payload, length);
	w->request_length = length;
	w->request_source = source;
	w->request_at[w->requests++ % 64] = w->now.monotonic_ns;
	assert_int_equal(mip4_parse(&w->parsed, w->request, length, true), MIP4_OK);
	assert_int_equal(w->parsed.type, MIP4_REGISTRATION_REQUEST);
}

static void on_event(void *context, const struct registration_event *event)
{
	struct world *w = context;
	w->last = *event;
	w->history[w->events++ % 64] = *event;
}

static uint32_t on_random(void *context)
{
	struct world *w = context;
	w->random = w->random * 1664525 + 1013904223;
	return w->random;
}

struct registration_settings settings_default(void)
{
	struct registration_settings s = {
		.home_agent = v4("192.0.2.1"),
		.home_address = v4("10.1.0.10"),
		.lifetime_s = 600,
		.spi = 256,
	};
	assert_int_equal(secret_from_hex("0123456789abcdeffedcba9876543210", &s.key), 0);
	assert_int_equal(ip_prefix_parse("10.1.0.0/16", &s.home_prefix), 0);
	return s;
}

void world_start(struct world *w, const struct registration_settings *settings)
{
	const struct registration_output output = {w, on_send, on_event, on_random};

	memset(w, 0, sizeof(*w));
	w->now.monotonic_ns = 1000 * S;
	w->now.wall_ns = 1767225600ull * S;
	w->agent_lifetime_s = 600;
	registration_init(&w->node, settings, &output);
}

void pass(struct world *w, uint64_t ns)
{
	w->now.monotonic_ns += ns;
	w->now.wall_ns += ns;
}

void next_deadline(struct world *w)
{
	monotonic deadline = registration_deadline(&w->node);

	assert_true(deadline != CLOCK_NEVER);
	if (deadline > w->now.monotonic_ns)
		pass(w, deadline - w->now.monotonic_ns);
	registration_timer(&w->node, w->now);
}

void reply(struct world *w, struct answer a)
{
	uint8_t payload[256];
	struct writer out = writer_make(payload, sizeof(payload));
	const uint8_t tnc[2] = {0, 0};
	const struct mip4_request *request = &w->parsed.request;
	const struct mip4_reply header = {
		.code = a.code,
		.lifetime_s = a.lifetime_s,
		.home_address = a.home_address ? a.home_address : request->home_address,
		.home_agent = request->home_agent,
		.identification = a.identification ? a.identification : request->identification,
	};

	mip4_reply_write(&out, &header);
	if (a.udp) {
		const struct mip4_udp_tunnel_reply tunnel = {a.udp_code, false, a.keepalive_s};
		mip4_udp_tunnel_reply_write(&out, &tunnel);
	}
	if (a.tnc)
		mip4_extension_write(&out, MIP4_EXT_TNC, tnc, 2);
	for (int i = 0; i < (a.no_authentication ? 0 : a.two_authentications ? 2 : 1); i++) {
		uint8_t *at = mip4_authentication_write(&out, MIP4_EXT_MOBILE_HOME_AUTH, 256, 16);
		assert_non_null(at);
		assert_true(authenticator_compute(AUTHENTICATOR_HMAC_MD5, &w->node.settings.key,
			payload, writer_length(&out) - 16, at));
		if (a.bad_authenticator)
			at[15] ^= 1;
	}
	if (a.tnc_behind)
		mip4_extension_write(&out, MIP4_EXT_TNC, tnc, 2);
	registration_reply_received(&w->node, w->now, payload, writer_length(&out));
}

void answer_honestly(struct world *w)
{
	uint32_t clock = clock_ntp_seconds(w->now.wall_ns) + (uint32_t)w->agent_clock_offset_s;
	uint32_t high = (uint32_t)(w->parsed.request.identification >> 32);
	int32_t difference = (int32_t)(high - clock);
	uint16_t lifetime = w->parsed.request.lifetime_s;

	if (difference > 7 || difference < -7)
		reply(w, (struct answer){.code = 133,
				 .identification = (uint64_t)clock << 32 |
						   (uint32_t)w->parsed.request.identification});
	else
		reply(w, (struct answer){.lifetime_s = lifetime < w->agent_lifetime_s
							       ? lifetime
							       : w->agent_lifetime_s});
}

void registered_world(struct world *w)
{
	struct registration_settings s = settings_default();

	world_start(w, &s);
	registration_care_of_changed(&w->node, w->now, v4("198.51.100.23"));
	pass(w, S / 100);
	answer_honestly(w);
	assert_int_equal(w->last.type, REGISTRATION_EVENT_REGISTERED);
}
