#include "pktgen/generator/registrar.h"

#include "lib/wire/ethernet.h"
#include "lib/wire/mip4.h"
#include "lib/wire/udp.h"
#include "pktgen/generator/pace.h"
#include "pktgen/generator/reply.h"

#include <stdatomic.h>
#include <stdlib.h>

#define POLL_MAX       16 /* requests of one poll: traffic goes on in between */
#define TIMERS_MAX     256
#define ATTEMPTS_MAX   6
#define PRIVATE_FIRST  0xc0a80100u /* 192.168.1.0: behind every NAT the same */
#define PRIVATE_COUNT  250u
#define DENIED_RETRY_S 1u
#define LEAVING_MAX    64 /* moves that have begun and not gone */

struct node {
	struct timer timer; /* retransmission, or refreshing */
	uint64_t identification;
	monotonic first_sent, expires; /* expires 0: no binding */
	uint8_t attempt;               /* 0: nothing under way */
	uint8_t storm;                 /* the latest in which it was accepted */
};

struct leaving { /* a node that sends no more where it was */
	uint32_t node;
	uint64_t stamp;
};

struct group {
	struct registrar *registrar;
	const struct population_group *group;
	struct node *nodes;
	enum authenticator_algorithm algorithm;
	struct pace pace; /* of a pass over all nodes */
	uint32_t cursor;  /* of the pass; nodes when it is over */
	uint32_t waiting; /* nodes whose request is under way */
	struct pace moves;
	uint64_t moved;
	struct leaving leaving[LEAVING_MAX]; /* a ring */
	unsigned leaving_first, leaving_count;
	monotonic storm; /* when one begins; CLOCK_NEVER */
	/* The latest storm: number, beginning, nodes that it has still to bring. */
	uint8_t storm_number;
	monotonic storm_begun;
	uint32_t storm_left;
	int64_t clock_offset_s;
};

struct registrar {
	struct registrar_output output;
	const struct population *population;
	struct timer_wheel wheel;
	struct clock_now now;
	uint32_t node_count, registered;
	unsigned group_count;
	struct group groups[PROFILE_GROUPS_MAX];
	struct registrar_counters counters;
};

static void timer_due(struct timer *timer, void *owner, monotonic now);

static enum authenticator_algorithm algorithm_of(enum config_algorithm algorithm)
{
	switch (algorithm) {
	case ALGORITHM_KEYED_MD5:
		return AUTHENTICATOR_KEYED_MD5;
	case ALGORITHM_HMAC_SHA1:
		return AUTHENTICATOR_HMAC_SHA1;
	case ALGORITHM_HMAC_SHA256:
		return AUTHENTICATOR_HMAC_SHA256;
	default:
		return AUTHENTICATOR_HMAC_MD5;
	}
}

static bool group_add(struct registrar *r, const struct population_group *group)
{
	struct group *own = &r->groups[r->group_count++];
	uint32_t nodes = group->settings->nodes;

	*own = (struct group){.registrar = r,
		.group = group,
		.nodes = calloc(nodes, sizeof(*own->nodes)),
		.algorithm = algorithm_of(group->settings->registration.algorithm),
		.cursor = nodes,
		.moves.start = UINT64_MAX,
		.storm = CLOCK_NEVER};
	for (uint32_t i = 0; own->nodes && i < nodes; i++)
		timer_init(&own->nodes[i].timer, timer_due, own);
	r->node_count += nodes;
	return own->nodes != NULL;
}

struct registrar *registrar_new(
	struct population *population, const struct registrar_output *output, struct clock_now now)
{
	struct registrar *r = calloc(1, sizeof(*r));
	bool done = r != NULL;

	for (unsigned i = 0; done && i < population->group_count; i++)
		if (profile_is_mobile_ip(population->groups[i].settings))
			done = group_add(r, &population->groups[i]);
	if (!done || !r->node_count) {
		registrar_free(r);
		return NULL;
	}
	r->output = *output;
	r->population = population;
	r->now = now;
	timer_wheel_init(&r->wheel, now.monotonic_ns);
	histogram_clear(&r->counters.latency);
	return r;
}

void registrar_free(struct registrar *r)
{
	for (unsigned i = 0; r && i < r->group_count; i++)
		free(r->groups[i].nodes);
	free(r);
}

/* ---- requests ---- */

static uint64_t identification_next(const struct group *own, const struct node *node)
{
	uint64_t stamp = clock_ntp_timestamp(own->registrar->now.wall_ns) +
			 ((uint64_t)own->clock_offset_s << 32);

	return stamp > node->identification || !node->identification ? stamp
								     : node->identification + 1;
}

/* The address that a node behind a NAT knows as its own. */
static be32 private_address(uint32_t index)
{
	return htonl(PRIVATE_FIRST + index % PRIVATE_COUNT);
}

static size_t message_write(struct group *own, uint32_t index, uint8_t *out, size_t size)
{
	const struct profile_group *settings = own->group->settings;
	struct ip_address home = population_node_address(own->group, index);
	struct ip_address care_of =
		population_tunnel_end(own->group, index, own->group->nodes[index].place);
	bool nat = settings->encapsulation == PROFILE_MIP_UDP;
	uint8_t length = authenticator_size(own->algorithm);
	struct writer w = writer_make(out, size);
	const struct mip4_request request = {
		.flags = (uint8_t)(MIP4_D | MIP4_T |
				   (settings->encapsulation == PROFILE_GRE ? MIP4_G : 0) |
				   (settings->encapsulation == PROFILE_MINIMAL ? MIP4_M : 0)),
		.lifetime_s = (uint16_t)settings->registration.lifetime_s,
		.home_address = ip_address_v4(&home),
		.home_agent = ip_address_v4(&settings->home_agent),
		.care_of_address = nat ? private_address(index) : ip_address_v4(&care_of),
		.identification = own->nodes[index].identification,
	};

	mip4_request_write(&w, &request);
	if (nat)
		mip4_udp_tunnel_request_write(&w, &(struct mip4_udp_tunnel_request){0});
	uint8_t *authenticator = mip4_authentication_write(
		&w, MIP4_EXT_MOBILE_HOME_AUTH, settings->registration.spi, length);
	if (!authenticator || !authenticator_compute(own->algorithm, &settings->registration.key,
				      out, writer_length(&w) - length, authenticator))
		return 0;
	return writer_length(&w);
}

/* False when the port would not take it. */
static bool request_send(struct group *own, uint32_t index)
{
	const struct population_node *state = &own->group->nodes[index];
	const struct profile_group *settings = own->group->settings;
	struct ip_address care_of = population_tunnel_end(own->group, index, state->place);
	be32 source = ip_address_v4(&care_of), agent = ip_address_v4(&settings->home_agent);
	/* Inside transport mode no NAT mends the sum over the address behind it (TRN-08). */
	bool hidden = profile_is_transport(settings) && settings->security.encap;
	uint8_t message[REGISTRAR_FRAME_MAX], frame[REGISTRAR_FRAME_MAX];
	size_t length = message_write(own, index, message, sizeof(message) - 64);
	struct writer w =
		writer_make(frame + ETHERNET_HEADER_SIZE, sizeof(frame) - ETHERNET_HEADER_SIZE);
	const struct ipv4_header ip = {
		.total_length = (uint16_t)(IPV4_HEADER_SIZE + UDP_HEADER_SIZE + length),
		.ttl = 64,
		.protocol = IP_PROTOCOL_UDP,
		.source = source,
		.destination = agent,
	};

	ipv4_write(&w, &ip);
	udp_write_v4(&w, hidden ? private_address(index) : source, agent,
		population_mip_port(own->group, index, state->mapping), MIP4_PORT, message,
		(uint16_t)length);
	return own->registrar->output.send(own->registrar->output.context, own->group, index, frame,
		ETHERNET_HEADER_SIZE + ip.total_length);
}

static monotonic retry_after(const struct group *own, unsigned attempt)
{
	uint64_t ms = own->group->settings->registration.retry_ms;

	return (ms << (attempt - 1)) * 1000000;
}

/* A new request of a node, or the next copy of one: with a timestamp of its own (RFC 5944 5.7.1).
 */
static bool request(struct group *own, uint32_t index, bool again)
{
	struct registrar *r = own->registrar;
	struct node *node = &own->nodes[index];
	uint64_t before = node->identification;

	node->identification = identification_next(own, node);
	if (!request_send(own, index)) {
		node->identification = before;
		return false;
	}
	r->counters.requests++;
	r->counters.retransmissions += again;
	if (!node->attempt) {
		own->waiting++;
		node->first_sent = r->now.monotonic_ns;
	}
	if (!again)
		node->attempt = 1;
	else if (node->attempt < ATTEMPTS_MAX)
		node->attempt++;
	timer_wheel_add(
		&r->wheel, &node->timer, r->now.monotonic_ns + retry_after(own, node->attempt));
	return true;
}

static void timer_due(struct timer *timer, void *owner, monotonic now)
{
	struct group *own = owner;
	struct registrar *r = own->registrar;
	struct node *node = (struct node *)timer; /* its first member */
	uint32_t index = (uint32_t)(node - own->nodes);

	if (node->expires && now >= node->expires) {
		r->counters.expired++;
		r->registered--;
		node->expires = 0;
		own->group->nodes[index].ready = 0;
	}
	if (!request(own, index, node->attempt != 0)) /* the port is full */
		timer_wheel_add(&r->wheel, timer, now + 1000000);
}

/* ---- passes, moves ---- */

static struct pace pace_make(monotonic start, uint32_t rate)
{
	return (struct pace){.start = start, .hz = CLOCK_NS_PER_S, .rate = rate};
}

void registrar_begin(struct registrar *r, struct clock_now now)
{
	for (unsigned i = 0; i < r->group_count; i++) {
		struct group *own = &r->groups[i];
		own->cursor = 0;
		own->pace = pace_make(now.monotonic_ns, own->group->settings->registration.rate);
	}
}

static void storm_begin(struct group *own, monotonic now)
{
	own->storm = CLOCK_NEVER;
	own->cursor = 0;
	own->pace = pace_make(now, own->group->settings->registration.storm_rate);
	own->storm_number++;
	own->storm_begun = now;
	own->storm_left = own->group->settings->nodes;
	own->registrar->counters.storms++;
}

static void storm_note(struct group *own, struct node *node, monotonic now)
{
	if (!own->storm_left || node->storm == own->storm_number)
		return;
	node->storm = own->storm_number;
	if (--own->storm_left == 0)
		own->registrar->counters.storm_ns = now - own->storm_begun;
}

void registrar_trial(struct registrar *r, struct clock_now now, bool begin)
{
	for (unsigned i = 0; i < r->group_count; i++) {
		struct group *own = &r->groups[i];
		const struct profile_registration *settings = &own->group->settings->registration;
		own->moves.start = UINT64_MAX;
		own->storm = CLOCK_NEVER;
		if (begin && settings->moves) {
			own->moves = pace_make(now.monotonic_ns, settings->moves);
			own->moved = 0;
		}
		if (begin && settings->storm_ms)
			own->storm = now.monotonic_ns + settings->storm_ms * 1000000ull;
	}
}

/* The node stops sending; it goes when its last packet has left by whoever sends for it. */
static void leave(struct group *own, uint32_t index)
{
	const struct registrar_output *output = &own->registrar->output;
	struct population_node *state = &own->group->nodes[index];
	unsigned last = (own->leaving_first + own->leaving_count) % LEAVING_MAX;

	if (state->ready != POPULATION_READY || own->nodes[index].attempt)
		return; /* busy registering: the next one moves */
	state->ready = POPULATION_READY_DOWN;
	own->leaving[last] = (struct leaving){
		index, output->stamp ? output->stamp(output->context, own->group, index) : 0};
	own->leaving_count++;
}

/* The node is at its other care-of address: it may not send before the home agent knows. False
 * when the request could not be sent. */
static bool arrive(struct group *own, uint32_t index)
{
	struct population_node *state = &own->group->nodes[index];

	if (state->ready != POPULATION_READY_DOWN || own->nodes[index].attempt)
		return true; /* it registered where it was meanwhile, and stays */
	state->moved = 1;    /* before: what comes meanwhile to the old place is old, not wrong */
	atomic_thread_fence(memory_order_release);
	state->place ^= 1;
	if (!request(own, index, false)) {
		state->place ^= 1;
		return false;
	}
	own->registrar->counters.moves++;
	return true;
}

static void moves_poll(struct group *own, monotonic now, unsigned most)
{
	const struct registrar_output *output = &own->registrar->output;

	for (unsigned done = 0; done < most && own->moved < pace_due(&own->moves, now) &&
				own->leaving_count < LEAVING_MAX;
		done++, own->moved++)
		// A group has a node at least: profile_schema.c.
		// NOLINTNEXTLINE(clang-analyzer-core.DivideZero)
		leave(own, (uint32_t)(own->moved % own->group->settings->nodes));
	while (own->leaving_count) {
		const struct leaving *first = &own->leaving[own->leaving_first];
		if ((output->has_left && !output->has_left(output->context, own->group, first->node,
						 first->stamp)) ||
			!arrive(own, first->node))
			return;
		own->leaving_first = (own->leaving_first + 1) % LEAVING_MAX;
		own->leaving_count--;
	}
}

/* A pass does not run away from the home agent's answers. */
static bool has_room(const struct group *own)
{
	uint32_t limit = own->group->settings->registration.in_flight;

	return !limit || own->waiting < limit;
}

static void group_poll(struct registrar *r, struct group *own)
{
	uint32_t nodes = own->group->settings->nodes;
	monotonic now = r->now.monotonic_ns;
	unsigned done = 0;

	if (now >= own->storm)
		storm_begin(own, now);
	for (; own->cursor < nodes && own->cursor < pace_due(&own->pace, now) && done < POLL_MAX &&
		has_room(own);
		done++) {
		if (!own->nodes[own->cursor].attempt && !request(own, own->cursor, false))
			break;
		own->cursor++;
	}
	moves_poll(own, now, POLL_MAX - done);
}

void registrar_poll(struct registrar *r, struct clock_now now)
{
	r->now = now;
	timer_wheel_advance(&r->wheel, now.monotonic_ns, TIMERS_MAX);
	for (unsigned i = 0; i < r->group_count; i++)
		group_poll(r, &r->groups[i]);
}

/* ---- replies ---- */

static struct group *node_find(struct registrar *r, be32 home_address, uint32_t *index)
{
	struct ip_address home = ip_address_from_v4(home_address);

	for (unsigned i = 0; i < r->group_count; i++) {
		const struct profile_group *settings = r->groups[i].group->settings;
		*index = ntohl(home.words[3]) - ntohl(settings->node.words[3]);
		if (*index < settings->nodes)
			return &r->groups[i];
	}
	return NULL;
}

static void registered(struct group *own, uint32_t index, uint16_t lifetime_s)
{
	struct registrar *r = own->registrar;
	struct node *node = &own->nodes[index];
	monotonic now = r->now.monotonic_ns;
	bool infinite = lifetime_s == MIP4_LIFETIME_INFINITE;

	r->counters.accepted++;
	histogram_add(&r->counters.latency, now - node->first_sent);
	own->waiting--;
	storm_note(own, node, now);
	node->attempt = 0;
	r->registered += node->expires == 0;
	node->expires = infinite ? CLOCK_NEVER : now + lifetime_s * CLOCK_NS_PER_S;
	own->group->nodes[index].ready = POPULATION_READY;
	timer_wheel_add(&r->wheel, &node->timer,
		infinite ? CLOCK_NEVER : now + lifetime_s * CLOCK_NS_PER_S / 2);
}

static void denied(struct group *own, uint32_t index, const struct mip4_reply *reply)
{
	struct registrar *r = own->registrar;

	r->counters.denied++;
	r->counters.codes[reply->code]++;
	if (reply->code == 133) { /* RFC 5944 5.7.1: the home agent's clock is in the high half */
		own->clock_offset_s = (int32_t)((uint32_t)(reply->identification >> 32) -
						clock_ntp_seconds(r->now.wall_ns));
		own->nodes[index].identification = 0; /* that clock may be behind what was sent */
	}
	timer_wheel_add(&r->wheel, &own->nodes[index].timer,
		r->now.monotonic_ns + DENIED_RETRY_S * CLOCK_NS_PER_S);
}

void registrar_receive(struct registrar *r, struct clock_now now, const struct inspected *what)
{
	struct mip4_message message;
	uint32_t index;

	r->now = now;
	if (mip4_parse(&message, what->part, what->part_length, false) != MIP4_OK) {
		r->counters.malformed++;
		return;
	}
	struct group *own = message.type == MIP4_REGISTRATION_REPLY
				    ? node_find(r, message.reply.home_address, &index)
				    : NULL;
	if (!own || !own->nodes[index].attempt ||
		(uint32_t)own->nodes[index].identification !=
			(uint32_t)message.reply.identification) {
		r->counters.unmatched++;
		return;
	}
	switch (reply_check(own->group, index, own->algorithm, &message, &what->outer)) {
	case REPLY_BAD_ADDRESS:
		r->counters.bad_address++;
		break;
	case REPLY_BAD_AUTHENTICATOR:
		r->counters.bad_authenticator++;
		break;
	case REPLY_DENIED:
		denied(own, index, &message.reply);
		break;
	case REPLY_BAD_TUNNEL:
		r->counters.bad_tunnel++;
		break;
	case REPLY_GOOD:
		registered(own, index, message.reply.lifetime_s);
		break;
	}
}

uint32_t registrar_node_count(const struct registrar *r)
{
	return r->node_count;
}

uint32_t registrar_registered(const struct registrar *r)
{
	return r->registered;
}

uint32_t registrar_waiting(const struct registrar *r)
{
	uint32_t waiting = 0;

	for (unsigned i = 0; i < r->group_count; i++)
		waiting += r->groups[i].waiting;
	return waiting;
}

const struct registrar_counters *registrar_counters_get(const struct registrar *r)
{
	return &r->counters;
}
