/*
 * charon's security associations: one message makes a model of one direction, which is looked at
 * from all sides before control/ipsec gets it.
 */
#include "control/charon/charon_state.h"
#include "control/charon/policy_stack.h"
#include "control/ipsec/sa_identity.h"
#include "control/ipsec/selector.h"
#include "lib/base/esp_algorithm.h"
#include "lib/base/secret.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define MOVES_PER_MINUTE 60 /* MOB-17 */
#define MINUTE_NS        (60 * CLOCK_NS_PER_S)
#define WINDOW_MIN       64 /* of the dataplane, but for 0 */

static_assert(KEYING_SELECTORS_MAX == SA_SELECTORS_MAX, "what a message carries fits");

struct model {
	struct sa sa;
	struct sa_keys keys;
	struct selector selectors[CONFIG_SELECTORS_MAX];
};

/* ---- from the message to a model ---- */

static bool take_keys(const struct keying_add_sa *add, struct model *model, struct verdict *verdict)
{
	char name[ESP_ALGORITHM_NAME_SIZE];
	struct esp_algorithm algorithm;
	const char *reason = "is unknown";
	bool known = false;

	for (unsigned length = 0; !known && length <= SA_ENCRYPTION_KEY_MAX; length++)
		known = esp_algorithm_name(add->encryption, add->integrity, (uint8_t)length, name);
	if (!known || esp_algorithm_parse(name, &algorithm, &reason)) // KIF-11
		return verdict_refuse(verdict, KEYING_BAD_ALGORITHM,
			"encryption algorithm %u with integrity algorithm %u %s", add->encryption,
			add->integrity, reason);
	if (add->encryption_length > SA_ENCRYPTION_KEY_MAX ||
		!esp_algorithm_name(
			add->encryption, add->integrity, (uint8_t)add->encryption_length, name))
		return verdict_refuse(verdict, KEYING_BAD_KEY,
			"a key of %u octets is not one of encryption algorithm %u",
			add->encryption_length, add->encryption);
	if (esp_algorithm_parse(name, &algorithm, &reason) ||
		add->integrity_length != algorithm.integrity_key)
		return verdict_refuse(verdict, KEYING_BAD_KEY,
			"an integrity key of %u octets, %s has %u", add->integrity_length, name,
			algorithm.integrity_key);
	model->keys.encryption_length = (uint8_t)add->encryption_length;
	model->keys.integrity_length = (uint8_t)add->integrity_length;
	memcpy(model->keys.encryption, add->encryption_key, add->encryption_length);
	memcpy(model->keys.integrity, add->integrity_key, add->integrity_length);
	return true;
}

static bool endpoints_are_good(const struct charon *c, const struct keying_endpoint *a,
	const struct keying_endpoint *b, uint32_t flags, struct verdict *verdict)
{
	be16 local = flags & KEYING_SA_INBOUND ? b->port : a->port;

	if (!ip_address_is_unicast(&a->address) || !ip_address_is_unicast(&b->address))
		return verdict_refuse(verdict, KEYING_BAD_ADDRESS,
			"source and destination must be unicast addresses"); // SAD-02
	if (ip_address_is_v4(&a->address) != ip_address_is_v4(&b->address))
		return verdict_refuse(
			verdict, KEYING_BAD_ADDRESS, "source and destination are of two families");
	if (ip_address_equal(&a->address, &b->address))
		return verdict_refuse(
			verdict, KEYING_BAD_ADDRESS, "source and destination are one address");
	if (!(flags & KEYING_SA_ENCAP))
		return true;
	if (!a->port || !b->port)
		return verdict_refuse(verdict, KEYING_BAD_ADDRESS, "UDP encapsulation with port 0");
	if (!authorise_is_esp_port(c, ntohs(local)))
		return verdict_refuse(verdict, KEYING_UNSUPPORTED,
			"UDP port %u is neither 4500 nor in dataplane.esp_ports", ntohs(local));
	return true;
}

static bool selector_is_good(const struct traffic_selector *ts)
{
	bool opaque = ts->port_first == UINT16_MAX && ts->port_last == 0;

	return ip_address_is_v4(&ts->first) == ip_address_is_v4(&ts->last) &&
	       memcmp(&ts->first, &ts->last, sizeof(ts->first)) <= 0 &&
	       (ts->port_first <= ts->port_last || opaque);
}

static bool take_selectors(
	const struct keying_add_sa *add, struct model *model, struct verdict *verdict)
{
	bool inbound = add->flags & KEYING_SA_INBOUND;
	const struct keying_selectors *local = inbound ? &add->destination_ts : &add->source_ts;
	const struct keying_selectors *remote = inbound ? &add->source_ts : &add->destination_ts;
	unsigned fit = 0;

	for (unsigned i = 0; i < local->count; i++)
		for (unsigned k = 0; k < remote->count; k++) {
			if (!selector_is_good(&local->of[i]) || !selector_is_good(&remote->of[k]))
				return verdict_refuse(verdict, KEYING_BAD_SELECTOR,
					"a selector is of two families, or ends before it begins");
			fit += traffic_selector_fits(&local->of[i], &remote->of[k]);
		}
	if (fit == 0 || fit > SA_SELECTORS_MAX)
		return verdict_refuse(verdict, KEYING_BAD_SELECTOR,
			"the selectors make %u pairs, not 1 to %u", fit, SA_SELECTORS_MAX);
	model->sa.selector_count = selector_combine(
		local->of, local->count, remote->of, remote->count, model->selectors);
	model->sa.selectors = model->selectors;
	return true;
}

static uint32_t flags_of(const struct keying_add_sa *add)
{
	uint32_t flags = 0;

	flags |= add->mode == KEYING_TRANSPORT ? SA_TRANSPORT : 0u;
	flags |= add->flags & KEYING_SA_ENCAP ? SA_UDP : 0u;
	flags |= add->flags & KEYING_SA_ESN ? SA_ESN : 0u;
	flags |= add->flags & KEYING_SA_COPY_DF ? 0u : SA_DF_CLEAR; // TUN-06
	flags |= add->flags & KEYING_SA_COPY_ECN ? 0u : SA_ECN_OFF;
	flags |= add->flags & KEYING_SA_COPY_DSCP_IN ? SA_DSCP_COPY_IN : 0u;
	flags |= add->flags & KEYING_SA_NO_MAPPING ? SA_NO_MAPPING_EVENT : 0u;
	return flags;
}

/* KIF-13: charon's default is 32, for a path with one queue. */
static uint16_t window_of(const struct charon *c, const struct keying_add_sa *add)
{
	uint32_t least = c->config->keying.replay_window;
	uint32_t widest = c->config->dataplane.max_replay_window;
	uint32_t window = add->replay_window > least ? add->replay_window : least;

	if (!(add->flags & KEYING_SA_INBOUND) || !add->replay_window || !widest)
		return 0;
	if (window < WINDOW_MIN)
		window = WINDOW_MIN;
	return (uint16_t)(window < widest ? window : widest);
}

static void set_ends(struct sa_command *command, const struct keying_endpoint *source,
	const struct keying_endpoint *destination)
{
	bool inbound = command->direction == SA_INBOUND, udp = command->flags & SA_UDP;
	const struct keying_endpoint *local = inbound ? destination : source;
	const struct keying_endpoint *remote = inbound ? source : destination;

	command->local = local->address;
	command->remote = remote->address;
	command->local_port = udp ? local->port : 0; // KIF-12
	command->remote_port = udp ? remote->port : 0;
}

static void take_command(
	const struct charon *c, const struct keying_add_sa *add, struct sa_command *command)
{
	bool inbound = add->flags & KEYING_SA_INBOUND, tunnel = add->mode == KEYING_TUNNEL;

	memset(command, 0, sizeof(*command));
	command->direction = inbound ? SA_INBOUND : SA_OUTBOUND;
	command->flags = flags_of(add);
	set_ends(command, &add->source, &add->destination);
	command->spi = add->spi;
	command->reqid = add->reqid;
	command->pair_id = SA_NONE;
	command->encryption = add->encryption;
	command->integrity = add->integrity;
	command->replay_window = window_of(c, add);
	command->vrf = c->config->keying.vrf;
	command->tfc = inbound || !tunnel      ? 0 // ESP-FMT-15
		       : add->tfc > UINT16_MAX ? UINT16_MAX
					       : (uint16_t)add->tfc;
	command->tunnel_ttl = 64;
	command->dscp = add->flags & KEYING_SA_COPY_DSCP_OUT ? DSCP_COPY : 0;
}

/* "home.12": the CHILD_SA's name, and a number that no other SA has. */
static void make_name(struct charon *c, const char *child, char out[SA_NAME_SIZE])
{
	char text[SA_NAME_SIZE - 11];

	snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, child[0] ? child : "ike");
	for (char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_-.", *p))
			*p = '_';
	snprintf(out, SA_NAME_SIZE, "%s.%u", text, ++c->names);
}

static bool make_model(const struct charon *c, const struct keying_add_sa *add, struct model *model,
	struct verdict *verdict)
{
	const struct keying_lifetime *l = &add->lifetime;

	memset(model, 0, sizeof(*model));
	if (ntohl(add->spi) < 256)
		return verdict_refuse(verdict, KEYING_BAD_SPI, "SPI %u is reserved, 256 or more",
			ntohl(add->spi));
	if (!take_keys(add, model, verdict) ||
		!endpoints_are_good(c, &add->source, &add->destination, add->flags, verdict) ||
		!take_selectors(add, model, verdict))
		return false;
	take_command(c, add, &model->sa.command);
	model->sa.origin = SA_FROM_IKE;
	model->sa.state = SA_IS_LIVE;
	model->sa.lifetime = (struct sa_lifetime){l->soft_bytes, l->hard_bytes, l->soft_packets,
		l->hard_packets, l->soft_s, l->hard_s};
	model->sa.handle = add->handle;
	model->sa.peer = inner_peer(c, add->identity);
	model->sa.round = c->round;
	model->sa.resume = add->flags & KEYING_SA_RESUME;
	model->sa.proxy =
		add->mode == KEYING_TRANSPORT && !add->source.port && !add->destination.port;
	sa_identity(&model->sa.command, &model->keys, model->sa.identity);
	return authorise_remote(c, &model->sa.command.remote, verdict) &&
	       authorise_sa(c, add, &model->sa, verdict);
}

/* ---- add ---- */

/* KIF-10: the same again is no error; what moved since goes to where it is now. */
static bool add_again(struct charon *c, struct sa *sa, const struct model *model,
	struct verdict *verdict, monotonic now)
{
	const struct sa_command *is = &sa->command, *wanted = &model->sa.command;
	struct sa_command settings = sa->command;

	if (is->direction != wanted->direction || is->spi != wanted->spi ||
		memcmp(sa->identity, model->sa.identity, sizeof(sa->identity)) != 0 ||
		(is->flags ^ wanted->flags) & (SA_TRANSPORT | SA_ESN))
		return verdict_refuse(verdict, KEYING_EXISTS,
			"handle %llu is a security association with SPI 0x%08x and other keys",
			(unsigned long long)sa->handle, ntohl(is->spi));
	sa->round = c->round;
	if (sa->state == SA_IS_EXPIRED)
		return verdict_refuse(verdict, KEYING_STALE, "its hard limit was reached");
	/* TRN-13: such a one is named with its first ends, and its move comes behind the policies.
	 */
	if (!sa->selectors_moved) {
		settings.local = wanted->local;
		settings.remote = wanted->remote;
		settings.local_port = wanted->local_port;
		settings.remote_port = wanted->remote_port;
		settings.flags = (settings.flags & ~(uint32_t)SA_UDP) | (wanted->flags & SA_UDP);
	}
	settings.reqid = wanted->reqid;
	if (memcmp(&settings, &sa->command, sizeof(settings)) != 0)
		(void)ipsec_update_sa(c->ipsec, sa, &settings, false, now);
	return true;
}

struct pair_key {
	uint32_t reqid, direction;
};

static struct pair_key pair_key(const struct sa *sa, bool other)
{
	return (struct pair_key){sa->command.reqid, (uint32_t)(sa->command.direction ^ other)};
}

/* charon installs the two directions of a CHILD_SA one after another. */
static struct sa *find_partner(const struct charon *c, const struct sa *sa)
{
	struct pair_key key = pair_key(sa, true);
	uint64_t handle;
	struct sa *other =
		map_get(c->unpaired, &key, &handle) ? map_get_pointer(c->handles, &handle) : NULL;

	if (!other || other->pair || (other->command.flags ^ sa->command.flags) & SA_TRANSPORT ||
		!ip_address_equal(&other->command.local, &sa->command.local) ||
		!ip_address_equal(&other->command.remote, &sa->command.remote))
		return NULL;
	return other;
}

static void join(struct charon *c, struct sa *sa, struct sa *partner)
{
	struct pair_key key = pair_key(sa, true), own = pair_key(sa, false);

	if (!partner) {
		(void)map_put(c->unpaired, &own, sa->handle);
		return;
	}
	map_remove(c->unpaired, &key, NULL);
	if (sa->command.direction == SA_INBOUND)
		ipsec_pair(c->ipsec, sa, partner);
	else
		ipsec_pair(c->ipsec, partner, sa);
}

static bool refuse_errno(struct verdict *verdict, int error, uint32_t spi)
{
	if (error == EEXIST)
		return verdict_refuse(verdict, KEYING_EXISTS,
			"inbound SPI 0x%08x is another security association's", spi); // SAD-01
	if (error == ENOSPC)
		return verdict_refuse(verdict, KEYING_NO_ROOM, // SAD-09
			"dataplane.max_security_associations are in use");
	return verdict_refuse(verdict, KEYING_NO_MEMORY, "out of memory");
}

static void add_new(struct charon *c, const struct keying_add_sa *add, struct model *model,
	struct verdict *verdict, monotonic now)
{
	uint64_t handle = add->handle;
	struct sa *partner = find_partner(c, &model->sa);

	if (model->sa.resume && ipsec_is_placed(c->ipsec) &&
		!ipsec_has_numbers(c->ipsec, &model->sa.command, &model->keys)) {
		c->counters[CHARON_STALE]++;
		(void)verdict_refuse(verdict, KEYING_STALE,
			"the numbers of SPI 0x%08x are lost, it would use them again",
			ntohl(add->spi));
		return;
	}
	if (!inner_free(c, &model->sa, verdict))
		return;
	if (partner)
		memcpy(model->sa.name, partner->name, sizeof(model->sa.name));
	else
		make_name(c, add->name, model->sa.name);
	struct sa *sa = ipsec_add_sa(c->ipsec, &model->sa, &model->keys, now);
	if (!sa) {
		(void)refuse_errno(verdict, errno, ntohl(add->spi));
		return;
	}
	if (map_put_pointer(c->handles, &handle, sa)) {
		sa->handle = 0;
		ipsec_del_sa(c->ipsec, sa, now);
		(void)refuse_errno(verdict, ENOSPC, ntohl(add->spi));
		return;
	}
	inner_take(c, sa, add->identity);
	join(c, sa, partner);
}

void association_add(
	struct charon *c, const struct keying_add_sa *add, struct verdict *verdict, monotonic now)
{
	struct model model;
	uint64_t handle = add->handle;

	if (make_model(c, add, &model, verdict)) {
		struct sa *sa = map_get_pointer(c->handles, &handle);
		if (sa)
			(void)add_again(c, sa, &model, verdict, now);
		else
			add_new(c, add, &model, verdict, now);
	}
	secret_wipe(&model, sizeof(model));
}

/* ---- update ---- */

struct sa *association_find(const struct charon *c, const struct keying_sa_id *id)
{
	uint64_t handle = id->handle;
	struct sa *sa = map_get_pointer(c->handles, &handle);
	enum sa_direction direction = id->flags & KEYING_SA_INBOUND ? SA_INBOUND : SA_OUTBOUND;

	return sa && sa->command.spi == id->spi && sa->command.direction == direction ? sa : NULL;
}

static struct sa_command moved(const struct sa *sa, const struct keying_update_sa *update)
{
	struct sa_command settings = sa->command;

	settings.flags &= ~(uint32_t)SA_UDP;
	settings.flags |= update->flags & KEYING_SA_ENCAP ? SA_UDP : 0u; // MOB-08
	set_ends(&settings, &update->source, &update->destination);
	if (update->reqid)
		settings.reqid = update->reqid;
	return settings;
}

bool association_follow(struct ip_address *first, struct ip_address *last,
	const struct ip_address *former, const struct ip_address *now)
{
	if (!ip_address_equal(first, last) || !ip_address_equal(first, former) ||
		ip_address_equal(former, now) || ip_address_is_v4(former) != ip_address_is_v4(now))
		return false;
	*first = *last = *now;
	return true;
}

/* TRN-13: selectors that are the SA's own ends stay so, as charon leaves them to us. */
static void follow(struct charon *c, struct sa *sa, const struct sa_command *settings)
{
	char identity[KEYING_NAME_SIZE];
	bool moved = false;

	inner_identity(c, sa, identity);
	inner_release(c, sa);
	for (unsigned i = 0; i < sa->selector_count; i++) {
		struct selector *s = &sa->selectors[i];
		moved |= association_follow(
			&s->local_first, &s->local_last, &sa->command.local, &settings->local);
		moved |= association_follow(
			&s->remote_first, &s->remote_last, &sa->command.remote, &settings->remote);
	}
	sa->selectors_moved |= moved;
	inner_take(c, sa, identity);
}

static void apply_move(
	struct charon *c, struct sa *sa, const struct sa_command *settings, monotonic now)
{
	struct sa_command former = sa->command;

	follow(c, sa, settings);
	(void)ipsec_update_sa(c->ipsec, sa, settings, false, now);
	if (sa->selectors_moved)
		policy_stack_follow(c, sa, &former);
}

/* MOB-17: false when it has to wait; then only the latest of the waiting ones counts. */
static bool may_move(
	struct charon *c, struct sa *sa, const struct keying_update_sa *update, monotonic now)
{
	if (now - sa->moves_since_ns >= MINUTE_NS) {
		sa->moves_since_ns = now;
		sa->moves = 0;
	}
	if (sa->moves < MOVES_PER_MINUTE || c->delayed_count == DELAYED_MOVES_MAX) {
		sa->moves++;
		return true;
	}
	unsigned i = 0;
	while (i < c->delayed_count && c->delayed[i].update.sa.handle != update->sa.handle)
		i++;
	c->delayed[i] = (struct delayed_move){*update, sa->moves_since_ns + MINUTE_NS};
	if (i == c->delayed_count)
		c->delayed_count++;
	c->counters[CHARON_MOVES_DELAYED]++;
	return false;
}

void association_update(struct charon *c, const struct keying_update_sa *update,
	struct sa_command *former, struct verdict *verdict, monotonic now)
{
	struct sa *sa = association_find(c, &update->sa);

	if (!sa) {
		(void)verdict_refuse(verdict, KEYING_NOT_FOUND,
			"no security association with SPI 0x%08x", ntohl(update->sa.spi));
		return;
	}
	*former = sa->command;
	if (authorise_is_proxy(sa)) {
		(void)verdict_refuse(verdict, KEYING_REFUSED,
			"a transport mode association between home addresses is not moved");
		return;
	}
	uint32_t flags = update->flags | (update->sa.flags & KEYING_SA_INBOUND);
	struct sa_command settings = moved(sa, update);
	if (!endpoints_are_good(c, &update->source, &update->destination, flags, verdict) ||
		!authorise_remote(c, &settings.remote, verdict))
		return;
	if (!may_move(c, sa, update, now)) {
		verdict->status = KEYING_ACCEPTED;
		return;
	}
	apply_move(c, sa, &settings, now);
}

monotonic association_tick(struct charon *c, monotonic now)
{
	monotonic next = CLOCK_NEVER;

	for (unsigned i = 0; i < c->delayed_count;) {
		struct delayed_move *d = &c->delayed[i];
		if (d->due_ns > now) {
			next = d->due_ns < next ? d->due_ns : next;
			i++;
			continue;
		}
		struct sa *sa = association_find(c, &d->update.sa);
		struct sa_command settings;
		if (sa) {
			settings = moved(sa, &d->update);
			sa->moves_since_ns = now;
			sa->moves = 1;
			apply_move(c, sa, &settings, now);
		}
		c->delayed[i] = c->delayed[--c->delayed_count];
	}
	return next;
}

/* ---- delete ---- */

void association_gone(struct charon *c, struct sa *sa)
{
	uint64_t handle = sa->handle, waiting;
	struct pair_key key = pair_key(sa, false);

	inner_release(c, sa);
	if (!handle)
		return;
	if (map_get(c->unpaired, &key, &waiting) && waiting == handle)
		map_remove(c->unpaired, &key, NULL);
	map_remove(c->handles, &handle, NULL);
	for (unsigned i = 0; i < c->delayed_count; i++)
		if (c->delayed[i].update.sa.handle == handle) {
			c->delayed[i] = c->delayed[--c->delayed_count];
			break;
		}
	sa->handle = 0;
}

void association_drop(struct charon *c, struct sa *sa, monotonic now)
{
	c->deleting = true;
	ipsec_del_sa(c->ipsec, sa, now);
	c->deleting = false;
}

unsigned association_drop_all(struct charon *c,
	bool (*unwanted)(const struct charon *c, const struct sa *sa), monotonic now)
{
	const struct sa_database *database = ipsec_associations(c->ipsec);
	unsigned dropped = 0;

	for (unsigned direction = 0; direction < 2; direction++) {
		uint32_t cursor = 0;
		for (struct sa *sa;
			(sa = sa_database_next(database, (enum sa_direction)direction, &cursor));) {
			if (sa->origin != SA_FROM_IKE || !unwanted(c, sa))
				continue;
			association_drop(c, sa, now);
			dropped++;
			cursor--; /* another took its place */
		}
	}
	return dropped;
}

/* A lease, by its SPI alone. */
static bool drop_lease(struct charon *c, const struct keying_sa_id *id, monotonic now)
{
	struct sa *sa = id->flags & KEYING_SA_INBOUND
				? sa_database_inbound(ipsec_associations(c->ipsec), ntohl(id->spi))
				: NULL;

	if (!sa || sa->state != SA_IS_LARVAL || sa->origin != SA_FROM_IKE)
		return false;
	association_drop(c, sa, now);
	return true;
}

void association_del(
	struct charon *c, const struct keying_sa_id *id, struct verdict *verdict, monotonic now)
{
	struct sa *sa = association_find(c, id);

	if (sa)
		association_drop(c, sa, now);
	else if (id->handle || !drop_lease(c, id, now))
		(void)verdict_refuse(verdict, KEYING_NOT_FOUND,
			"no security association with SPI 0x%08x", ntohl(id->spi));
}
