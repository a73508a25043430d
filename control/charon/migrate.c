/*
 * Asking charon to move an association's ends, IKE's with them (KIF-44). It is charon that moves:
 * its update_sa comes back for both directions, so that there is one mind about where a peer is.
 * An operator asks; a binding update with Mobile IPv6's K bit (TRN-15) will.
 */
#include "control/charon/charon_state.h"

#include <errno.h>

static int say(struct config_error *error, int result, const char *name, const char *why)
{
	snprintf(error->text, sizeof(error->text), "%s: %s", name, why);
	return result;
}

static struct traffic_selector side(const struct selector *s, bool local)
{
	return (struct traffic_selector){.first = local ? s->local_first : s->remote_first,
		.last = local ? s->local_last : s->remote_last,
		.port_first = local ? s->local_port_first : s->remote_port_first,
		.port_last = local ? s->local_port_last : s->remote_port_last,
		.protocol = s->protocol};
}

/* charon 5.9.8 takes addresses without ports, and says port 500 where it has none. */
static const char *impossible(const struct sa *sa, const struct ipsec_move *move)
{
	if (sa->command.flags & SA_UDP)
		return "charon cannot be asked to move an association in UDP: its peer's MOBIKE "
		       "does";
	if (sa->proxy)
		return "an association between home addresses is not moved";
	if (move->local_port >= 0 || move->remote_port >= 0 || move->encap >= 0 ||
		move->follow_mapping >= 0 || move->path_mtu >= 0)
		return "charon is asked for other addresses alone";
	if (!move->local && !move->remote)
		return "neither local nor remote is given";
	return NULL;
}

int charon_migrate(struct charon *charon, const struct sa *outbound, const struct ipsec_move *move,
	struct config_error *error)
{
	struct keying_message m = {.header = {.type = KEYING_MIGRATE}};
	const char *why = impossible(outbound, move);

	if (why)
		return say(error, -EINVAL, outbound->name, why);
	m.migrate.reqid = outbound->command.reqid;
	m.migrate.direction = KEYING_OUT;
	m.migrate.local = move->local ? *move->local : outbound->command.local;
	m.migrate.remote = move->remote ? *move->remote : outbound->command.remote;
	m.migrate.source_ts = side(&outbound->selectors[0], true);
	m.migrate.destination_ts = side(&outbound->selectors[0], false);
	if (ip_address_is_v4(&m.migrate.local) != ip_address_is_v4(&m.migrate.remote))
		return say(error, -EINVAL, outbound->name, "local and remote are of two families");
	if (!tell_event(charon, &m, CHARON_MIGRATES))
		return say(
			error, -ENOTCONN, outbound->name, "charon moves it, and is not connected");
	return 0;
}
