#include "pktgen/mobile_node/registration.h"

#define RETRY_FIRST         CLOCK_NS_PER_S // RFC 5944 3.6.3: at least one second
#define RETRY_MAX           (32 * CLOCK_NS_PER_S)
#define DENIED_RETRY_FIRST  (5 * CLOCK_NS_PER_S)
#define DENIED_RETRY_MAX    (60 * CLOCK_NS_PER_S)
#define REQUEST_INTERVAL    CLOCK_NS_PER_S // RFC 5944 2.4.2: on average, whatever happens
#define REQUESTS_AT_ONCE    6
#define UNCHANGED_MAX       (16 * CLOCK_NS_PER_S)
#define STOP_ATTEMPTS       2 /* 1 s and 2 s: a node that leaves does not wait longer */
#define RESYNCS_AT_ONCE     2
#define KEEPALIVE_DEFAULT_S 110 // RFC 3519 4.9
#define KEEPALIVE_MINIMUM_S 10

static void tell(struct registration *r, struct registration_event event)
{
	event.home_address = r->home_address;
	event.care_of_address = r->care_of_address;
	event.attempt = r->attempt;
	r->output.event(r->output.context, &event);
}

static void state_set(struct registration *r, enum registration_state state)
{
	r->state = state;
	if (state == REGISTRATION_SEARCHING || state == REGISTRATION_HOME ||
		state == REGISTRATION_STOPPED) {
		r->pending = false;
		r->deadline = CLOCK_NEVER;
	}
	if (state == REGISTRATION_HOME || state == REGISTRATION_STOPPED)
		r->expiry = CLOCK_NEVER;
}

/* RFC 5944 5.7: a new value for every request; with nonces a retransmission may keep it (3.6.3). */
static uint64_t identification_next(struct registration *r, struct clock_now now)
{
	if (r->settings.replay == REGISTRATION_NONCE)
		return (uint64_t)r->nonce << 32 | r->output.random(r->output.context);

	uint64_t timestamp = clock_ntp_timestamp(now.wall_ns);
	timestamp += (uint64_t)(int64_t)r->clock_offset_s << 32;
	/* Below the microsecond nobody's clock is right: random there makes the match of the low
	 * half hard to guess. */
	timestamp = (timestamp & ~0xfffull) | (r->output.random(r->output.context) & 0xfff);
	if (r->last_timestamp && (int64_t)(timestamp - r->last_timestamp) <= 0)
		timestamp = r->last_timestamp + 1;
	return timestamp;
}

static bool deregistering(const struct registration *r)
{
	return r->state == REGISTRATION_GOING_HOME || r->state == REGISTRATION_STOPPING;
}

static void extensions_write(struct registration *r, struct writer *w)
{
	size_t nai_length = strlen(r->settings.nai);

	if (nai_length)
		mip4_nai_write(w, r->settings.nai, nai_length);
	/* The tunnel is the foreign agent's: so is asking for UDP (RFC 3519 4.3). */
	if (r->settings.tunnel != REGISTRATION_TUNNEL_IPIP && !r->through_agent &&
		!deregistering(r)) {
		const struct mip4_udp_tunnel_request tunnel = {
			.flags = r->settings.tunnel == REGISTRATION_TUNNEL_FORCED
					 ? MIP4_UDP_TUNNEL_F
					 : 0,
		};
		mip4_udp_tunnel_request_write(w, &tunnel);
	}
}

/* An address that comes and goes, or a user with SIGUSR1, must not make a flood of requests. */
static bool may_send(const struct registration *r, monotonic now)
{
	return r->budget_until <= now + (REQUESTS_AT_ONCE - 1) * REQUEST_INTERVAL;
}

static void budget_use(struct registration *r, monotonic now)
{
	if (r->budget_until < now)
		r->budget_until = now;
	r->budget_until += REQUEST_INTERVAL;
}

/* With nonces the unanswered request goes out unchanged (RFC 5944 3.6.3); but the lifetime counts
 * from its first copy, so after a while it is given up for a new one. */
static bool is_repeated(const struct registration *r, struct clock_now now)
{
	return r->settings.replay == REGISTRATION_NONCE &&
	       now.monotonic_ns - r->identified < UNCHANGED_MAX;
}

static void request_send(struct registration *r, struct clock_now now, bool retransmission)
{
	uint8_t payload[512];
	struct writer w = writer_make(payload, sizeof(payload));
	bool to_home = r->state == REGISTRATION_GOING_HOME;

	if (!may_send(r, now.monotonic_ns)) { /* the timer sends it */
		r->pending = false;
		r->deadline = r->budget_until - (REQUESTS_AT_ONCE - 1) * REQUEST_INTERVAL;
		return;
	}
	budget_use(r, now.monotonic_ns);
	r->attempt = retransmission ? r->attempt + 1 : 1;
	if (!retransmission) {
		r->first_sent = now.monotonic_ns;
		r->retry_interval = RETRY_FIRST;
	}
	if (!(retransmission && is_repeated(r, now))) {
		r->identification = identification_next(r, now);
		r->identified = now.monotonic_ns;
	}
	if (r->settings.replay == REGISTRATION_TIMESTAMP)
		r->last_timestamp = r->identification;
	r->requested_lifetime_s = deregistering(r) ? 0 : r->settings.lifetime_s;
	if (r->requested_lifetime_s > r->lifetime_limit_s)
		r->requested_lifetime_s = r->lifetime_limit_s;

	const struct mip4_request request = {
		.flags = r->through_agent ? MIP4_T : MIP4_D | MIP4_T,
		.lifetime_s = r->requested_lifetime_s,
		.home_address = r->home_address,
		.home_agent = r->settings.home_agent,
		.care_of_address = to_home ? r->home_address : r->care_of_address,
		.identification = r->identification,
	};
	uint8_t size = authenticator_size(r->settings.algorithm);
	mip4_request_write(&w, &request);
	extensions_write(r, &w);
	uint8_t *authenticator =
		mip4_authentication_write(&w, MIP4_EXT_MOBILE_HOME_AUTH, r->settings.spi, size);
	r->pending = true;
	r->deadline = now.monotonic_ns + r->retry_interval;
	if (!authenticator || !authenticator_compute(r->settings.algorithm, &r->settings.key,
				      payload, writer_length(&w) - size, authenticator)) {
		tell(r, (struct registration_event){
				.type = REGISTRATION_EVENT_IGNORED, .reason = "no_authenticator"});
		return;
	}
	tell(r, (struct registration_event){
			.type = REGISTRATION_EVENT_REQUEST, .lifetime_s = r->requested_lifetime_s});
	r->output.send(r->output.context, payload, writer_length(&w), request.care_of_address);
}

void registration_init(struct registration *r, const struct registration_settings *settings,
	const struct registration_output *output)
{
	memset(r, 0, sizeof(*r));
	r->settings = *settings;
	r->output = *output;
	r->home_address = settings->home_address;
	r->deadline = CLOCK_NEVER;
	r->expiry = CLOCK_NEVER;
	r->lifetime_limit_s = MIP4_LIFETIME_INFINITE;
	r->nonce = output->random(output->context);
	// RFC 5944 3.6.3: never wait longer than the lifetime that is asked for.
	r->retransmission_max = RETRY_MAX;
	if (settings->lifetime_s * CLOCK_NS_PER_S < r->retransmission_max)
		r->retransmission_max = settings->lifetime_s * CLOCK_NS_PER_S;
	if (r->retransmission_max < RETRY_FIRST)
		r->retransmission_max = RETRY_FIRST;
}

void registration_fini(struct registration *r)
{
	secret_wipe(&r->settings.key, sizeof(r->settings.key));
}

static bool is_home(const struct registration *r, be32 care_of_address)
{
	struct ip_address a = ip_address_from_v4(care_of_address);

	if (r->home_address == 0)
		return false;
	if (care_of_address == r->home_address)
		return true;
	return r->settings.home_prefix.length && ip_prefix_contains(&r->settings.home_prefix, &a);
}

static void place_changed(struct registration *r, struct clock_now now, be32 care_of_address,
	bool through_agent, uint16_t lifetime_limit_s)
{
	if (care_of_address == r->care_of_address || r->state == REGISTRATION_STOPPING ||
		r->state == REGISTRATION_STOPPED)
		return;
	r->care_of_address = care_of_address;
	r->through_agent = through_agent;
	r->lifetime_limit_s = lifetime_limit_s;
	r->announced = false;
	r->resyncs = 0;
	r->denials = 0;
	r->attempt = 0;
	if (care_of_address == 0) {
		state_set(r, REGISTRATION_SEARCHING);
		tell(r, (struct registration_event){.type = REGISTRATION_EVENT_LOST});
		return;
	}
	if (!through_agent && is_home(r, care_of_address)) {
		state_set(r, REGISTRATION_GOING_HOME);
		tell(r, (struct registration_event){.type = REGISTRATION_EVENT_ARRIVED_HOME});
	} else {
		state_set(r, REGISTRATION_REGISTERING);
		tell(r, (struct registration_event){.type = REGISTRATION_EVENT_MOVED});
	}
	request_send(r, now, false);
}

void registration_care_of_changed(
	struct registration *r, struct clock_now now, be32 care_of_address)
{
	place_changed(r, now, care_of_address, false, MIP4_LIFETIME_INFINITE);
}

void registration_agent_changed(struct registration *r, struct clock_now now, be32 care_of_address,
	uint16_t lifetime_limit_s)
{
	place_changed(r, now, care_of_address, true, lifetime_limit_s);
}

void registration_route_changed(struct registration *r, struct clock_now now)
{
	/* The same request once more, as far as replay protection goes. */
	if (r->pending && r->state != REGISTRATION_STOPPING && may_send(r, now.monotonic_ns)) {
		r->retry_interval = RETRY_FIRST;
		request_send(r, now, r->settings.replay == REGISTRATION_NONCE);
	}
}

void registration_refresh_wanted(struct registration *r, struct clock_now now)
{
	if (r->pending && !may_send(r, now.monotonic_ns))
		return; /* one is out and will be repeated */
	if (r->state == REGISTRATION_REGISTERING || r->state == REGISTRATION_REGISTERED ||
		r->state == REGISTRATION_GOING_HOME)
		request_send(r, now, false);
}

static void stop(struct registration *r, const char *reason)
{
	state_set(r, REGISTRATION_STOPPED);
	tell(r, (struct registration_event){.type = REGISTRATION_EVENT_STOPPED, .reason = reason});
}

void registration_stop_wanted(struct registration *r, struct clock_now now)
{
	bool may_be_bound = r->state == REGISTRATION_REGISTERED ||
			    (r->state == REGISTRATION_REGISTERING && r->home_address);

	if (r->state == REGISTRATION_STOPPING || r->state == REGISTRATION_STOPPED)
		return;
	if (!may_be_bound) {
		stop(r, "not_registered");
		return;
	}
	state_set(r, REGISTRATION_STOPPING);
	request_send(r, now, false);
}

void registration_timer(struct registration *r, struct clock_now now)
{
	if (now.monotonic_ns >= r->expiry) {
		r->expiry = CLOCK_NEVER;
		r->announced = false;
		if (r->state == REGISTRATION_REGISTERED)
			state_set(r, REGISTRATION_REGISTERING);
		tell(r, (struct registration_event){.type = REGISTRATION_EVENT_EXPIRED});
	}
	if (now.monotonic_ns < r->deadline)
		return;
	if (!r->pending) { /* half of the lifetime is over, or the pause after a denial */
		request_send(r, now, false);
		return;
	}
	if (r->state == REGISTRATION_STOPPING && r->attempt >= STOP_ATTEMPTS) {
		stop(r, "no_answer");
		return;
	}
	r->retry_interval *= 2;
	if (r->retry_interval > r->retransmission_max)
		r->retry_interval = r->retransmission_max;
	request_send(r, now, true);
}

static void ignore(struct registration *r, const char *reason)
{
	tell(r, (struct registration_event){.type = REGISTRATION_EVENT_IGNORED, .reason = reason});
}

/* RFC 5944 3.6.2.1: exactly one Mobile-Home AE, ours, right. Returns its index or -1 with a reason.
 */
static int authenticate(
	const struct registration *r, const struct mip4_message *message, const char **reason)
{
	struct mip4_authentication authentication;
	uint8_t expected[AUTHENTICATOR_SIZE_MAX];
	uint8_t size = authenticator_size(r->settings.algorithm);
	int index = mip4_extension_find(message, MIP4_EXT_MOBILE_HOME_AUTH, 0);

	*reason = "no_authentication";
	if (index < 0)
		return -1;
	*reason = "bad_authenticator";
	if (mip4_extension_find(message, MIP4_EXT_MOBILE_HOME_AUTH, (unsigned)index + 1) >= 0)
		return -1;
	if (!mip4_authentication_read(message, &message->extensions[index], &authentication) ||
		authentication.spi != r->settings.spi ||
		authentication.authenticator_length != size)
		return -1;
	if (!authenticator_compute(r->settings.algorithm, &r->settings.key, message->payload,
		    authentication.covered, expected) ||
		!secret_equal(expected, authentication.authenticator, size))
		return -1;
	return index;
}

/* What the authenticated part of an accepting reply says about the tunnel and the place. */
static void reply_extensions(
	const struct mip4_message *message, int authentication, struct registration_event *event)
{
	for (int i = 0; i < authentication; i++) {
		const struct mip4_extension *e = &message->extensions[i];
		struct mip4_udp_tunnel_reply tunnel;

		if (!e->recognized)
			continue;
		if (e->type == MIP4_EXT_TNC)
			event->trusted = true;
		if (e->type == MIP4_EXT_UDP_TUNNEL_REPLY &&
			mip4_udp_tunnel_reply_read(message, e, &tunnel) && tunnel.code < 64) {
			event->udp_tunnel = true;
			event->keepalive_s =
				tunnel.keepalive_s ? tunnel.keepalive_s : KEEPALIVE_DEFAULT_S;
			if (event->keepalive_s < KEEPALIVE_MINIMUM_S)
				event->keepalive_s = KEEPALIVE_MINIMUM_S;
		}
	}
}

static void accepted(struct registration *r, struct clock_now now,
	const struct mip4_message *message, int authentication)
{
	uint16_t lifetime = message->reply.lifetime_s;
	struct registration_event event = {
		.code = message->reply.code,
		.took_ns = now.monotonic_ns - r->first_sent,
	};

	r->pending = false;
	r->resyncs = 0;
	r->denials = 0;
	if (r->state == REGISTRATION_STOPPING) {
		stop(r, "deregistered");
		return;
	}
	if (r->state == REGISTRATION_GOING_HOME) {
		state_set(r, REGISTRATION_HOME);
		event.type = REGISTRATION_EVENT_HOME;
		tell(r, event);
		return;
	}
	if (lifetime > r->requested_lifetime_s) // RFC 5944 3.6.2.2: the smaller one counts
		lifetime = r->requested_lifetime_s;
	if (r->home_address == 0)
		r->home_address = message->reply.home_address;
	reply_extensions(message, authentication, &event);
	event.lifetime_s = lifetime;
	event.type = r->announced ? REGISTRATION_EVENT_REFRESHED : REGISTRATION_EVENT_REGISTERED;
	r->announced = true;
	state_set(r, REGISTRATION_REGISTERED);
	/* RFC 5944 3.6.2.2: the home agent counts from when the request reached it, which is not
	 * before its first copy left; refreshed at half of that, however late the reply came. */
	r->expiry = CLOCK_NEVER;
	r->deadline = CLOCK_NEVER;
	if (lifetime != MIP4_LIFETIME_INFINITE) {
		monotonic half = r->identified + lifetime * CLOCK_NS_PER_S / 2;
		monotonic least = now.monotonic_ns + RETRY_FIRST;
		r->expiry = r->identified + lifetime * CLOCK_NS_PER_S;
		r->deadline = half > least ? half : least;
	}
	tell(r, event);
}

static void denied(struct registration *r, struct clock_now now, const struct mip4_reply *reply)
{
	r->pending = false;
	tell(r, (struct registration_event){.type = REGISTRATION_EVENT_DENIED,
			.code = reply->code,
			.took_ns = now.monotonic_ns - r->first_sent});
	if (r->state == REGISTRATION_STOPPING) {
		stop(r, "denied");
		return;
	}
	/* A binding that still lives stays. Ask again, less and less often: what denies us is
	 * seldom repaired by asking (RFC 5944 3.6.2.3). */
	uint64_t pause = DENIED_RETRY_FIRST << r->denials;
	if (pause < DENIED_RETRY_MAX)
		r->denials++;
	r->deadline = now.monotonic_ns + (pause < DENIED_RETRY_MAX ? pause : DENIED_RETRY_MAX);
}

static void resynchronize(
	struct registration *r, struct clock_now now, const struct mip4_reply *reply)
{
	uint32_t high = (uint32_t)(reply->identification >> 32);

	r->pending = false;
	if (r->settings.replay == REGISTRATION_NONCE) {
		r->nonce = high;
	} else {
		r->clock_offset_s = (int32_t)(high - clock_ntp_seconds(now.wall_ns));
		/* The home agent's clock may be behind what we already sent; it has not accepted
		 * that. */
		r->last_timestamp = 0;
	}
	tell(r, (struct registration_event){
			.type = REGISTRATION_EVENT_RESYNC, .code = reply->code});
	if (++r->resyncs <= RESYNCS_AT_ONCE) {
		monotonic first = r->first_sent;
		request_send(r, now, false);
		r->first_sent = first; /* the time it took includes the detour */
	} else {
		r->deadline = now.monotonic_ns + DENIED_RETRY_FIRST;
	}
}

void registration_reply_received(
	struct registration *r, struct clock_now now, const void *payload, size_t length)
{
	struct mip4_message message;
	const char *reason;

	enum mip4_status status = mip4_parse(&message, payload, length, false);
	if (status != MIP4_OK || message.type != MIP4_REGISTRATION_REPLY) {
		ignore(r, status != MIP4_OK ? mip4_status_name(status) : "not_a_reply");
		return;
	}
	const struct mip4_reply *reply = &message.reply;
	int authentication = authenticate(r, &message, &reason);
	/* A foreign agent on the path denies without our key: heed it as a denial, never as more
	 * (RFC 5944 3.6.2.2). */
	bool foreign = reply->code >= 64 && reply->code < 128;
	if (authentication < 0 && !foreign) {
		ignore(r, reason);
		return;
	}
	if (!r->pending || (uint32_t)reply->identification != (uint32_t)r->identification) {
		ignore(r, "identification");
		return;
	}
	if (r->home_address && reply->home_address != r->home_address) {
		ignore(r, "home_address");
		return;
	}
	if (r->settings.replay == REGISTRATION_NONCE && authentication >= 0)
		r->nonce = (uint32_t)(reply->identification >> 32); // RFC 5944 5.7.2
	if (authentication >= 0 && reply->code <= 1) {
		if (r->home_address == 0 && reply->home_address == 0)
			ignore(r, "home_address");
		else
			accepted(r, now, &message, authentication);
	} else if (authentication >= 0 && reply->code == 133) {
		resynchronize(r, now, reply);
	} else {
		denied(r, now, reply);
	}
}

const char *registration_state_name(enum registration_state state)
{
	static const char *const names[REGISTRATION_STATE_COUNT] = {"searching", "registering",
		"registered", "going_home", "home", "stopping", "stopped"};
	return names[state];
}

const char *registration_event_name(enum registration_event_type type)
{
	static const char *const names[REGISTRATION_EVENT_COUNT] = {"request", "registered",
		"refreshed", "denied", "resync", "ignored", "expired", "moved", "lost",
		"arrived_home", "home", "stopped"};
	return names[type];
}
