/*
 * From charon's message to a model of one direction, which is looked at from all sides before
 * control/ipsec gets it.
 */
#include "control/charon/charon_state.h"
#include "control/ipsec/sa_identity.h"
#include "control/ipsec/selector.h"
#include "lib/base/esp_algorithm.h"

#include <arpa/inet.h>
#include <string.h>

#define WINDOW_MIN 64 /* of the dataplane, but for 0 */

static_assert(KEYING_SELECTORS_MAX == SA_SELECTORS_MAX, "what a message carries fits");

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

bool model_ends_are_good(const struct charon *c, const struct keying_endpoint *a,
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

void model_set_ends(struct sa_command *command, const struct keying_endpoint *source,
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
	model_set_ends(command, &add->source, &add->destination);
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

bool model_make(const struct charon *c, const struct keying_add_sa *add, struct model *model,
	struct verdict *verdict)
{
	const struct keying_lifetime *l = &add->lifetime;

	memset(model, 0, sizeof(*model));
	if (ntohl(add->spi) < 256)
		return verdict_refuse(verdict, KEYING_BAD_SPI, "SPI %u is reserved, 256 or more",
			ntohl(add->spi));
	if (!take_keys(add, model, verdict) ||
		!model_ends_are_good(c, &add->source, &add->destination, add->flags, verdict) ||
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
