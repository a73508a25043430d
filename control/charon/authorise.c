/*
 * What an SA of an authenticated peer may still not be: transport mode to an end that is not the
 * peer's (TRN-11, draft-dupont-mobike-transport 2), or an outer address outside the operator's
 * prefixes (MOB-11).
 */
#include "control/charon/charon_state.h"

#include <string.h>

static bool in_prefixes(
	const struct ip_prefix *list, unsigned count, const struct ip_address *address)
{
	for (unsigned i = 0; i < count; i++)
		if (ip_prefix_contains(&list[i], address))
			return true;
	return false;
}

bool authorise_remote(
	const struct charon *c, const struct ip_address *remote, struct verdict *verdict)
{
	const struct config_keying *keying = &c->config->keying;
	char text[IP_ADDRESS_TEXT_SIZE];

	if (!keying->peer_count || in_prefixes(keying->peers, keying->peer_count, remote))
		return true;
	return verdict_refuse(verdict, KEYING_REFUSED,
		"the peer's address %s is in no prefix of keying.peers",
		ip_address_format(remote, text));
}

/* (c) of TRN-11: by the identity. */
static bool is_listed(
	const struct config_keying *keying, const char *identity, const struct ip_address *address)
{
	for (unsigned i = 0; i < keying->transport_peer_count; i++) {
		const struct config_transport_peer *p = &keying->transport_peers[i];
		bool named = strcmp(p->identity, "*") == 0 ||
			     (identity[0] && strcmp(p->identity, identity) == 0);
		if (named && in_prefixes(p->addresses, p->address_count, address))
			return true;
	}
	return false;
}

/* (a) the peer's address as IKE uses it, (b) its further ones. */
static bool is_peers(const struct config_keying *keying, const struct keying_add_sa *add,
	const struct ip_address *address)
{
	unsigned count = keying->transport == TRANSPORT_LISTED ? 0
			 : keying->transport == TRANSPORT_PEER ? 1
							       : add->peer_address_count;

	for (unsigned i = 0; i < count && i < add->peer_address_count; i++)
		if (ip_address_equal(&add->peer_addresses[i], address))
			return true;
	return false;
}

bool authorise_sa(const struct charon *c, const struct keying_add_sa *add, const struct sa *model,
	struct verdict *verdict)
{
	const struct config_keying *keying = &c->config->keying;
	char text[IP_ADDRESS_TEXT_SIZE];

	if (add->mode != KEYING_TRANSPORT)
		return true;
	for (unsigned i = 0; i < model->selector_count; i++) {
		const struct selector *s = &model->selectors[i];
		if (!ip_address_equal(&s->local_first, &s->local_last) ||
			!ip_address_equal(&s->remote_first, &s->remote_last))
			return verdict_refuse(verdict, KEYING_UNAUTHORISED,
				"transport mode is between two hosts");
		if (c->ops.is_local &&
			!c->ops.is_local(c->ops.context, keying->vrf, &s->local_first))
			return verdict_refuse(verdict, KEYING_UNAUTHORISED,
				"transport mode ends here, and %s is not the gateway's",
				ip_address_format(&s->local_first, text));
		if (!is_listed(keying, add->identity, &s->remote_first) &&
			!is_peers(keying, add, &s->remote_first))
			return verdict_refuse(verdict, KEYING_UNAUTHORISED,
				"%s is not authorised to be %.40s's end of transport mode: see "
				"keying.transport and transport_peers",
				ip_address_format(&s->remote_first, text),
				add->identity[0] ? add->identity : "the peer");
	}
	return true;
}

bool authorise_is_esp_port(const struct charon *c, uint16_t port)
{
	const struct config_dataplane *d = &c->config->dataplane;

	for (unsigned i = 0; port && i < sizeof(d->esp_ports) / sizeof(d->esp_ports[0]); i++)
		if (d->esp_ports[i] == port)
			return true;
	return port == 4500;
}

bool authorise_is_proxy(const struct sa *sa)
{
	return sa->proxy;
}
