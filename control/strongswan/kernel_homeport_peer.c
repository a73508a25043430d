/*
 * Who the peer is for whom charon installs an SA.
 *
 * This program is free software; you can redistribute it and/or modify it
 * under the terms of the GNU General Public License as published by the
 * Free Software Foundation; either version 2 of the License, or (at your
 * option) any later version.  See <http://www.fsf.org/copyleft/gpl.txt>.
 *
 * This program is distributed in the hope that it will be useful, but
 * WITHOUT ANY WARRANTY; without even the implied warranty of MERCHANTABILITY
 * or FITNESS FOR A PARTICULAR PURPOSE.  See the GNU General Public License
 * for more details.
 */

#include "kernel_homeport_peer.h"
#include "kernel_homeport_convert.h"

#include <daemon.h>

/**
 * Add an address to those of the peer, if it is not among them
 */
static void add_address(struct keying_add_sa *add_sa, host_t *host)
{
	struct ip_address address = convert_address(host);
	u_int i;

	if (ip_address_is_unspecified(&address) ||
		add_sa->peer_address_count == KEYING_ADDRESSES_MAX)
	{
		return;
	}
	for (i = 0; i < add_sa->peer_address_count; i++)
	{
		if (ip_address_equal(&address, &add_sa->peer_addresses[i]))
		{
			return;
		}
	}
	add_sa->peer_addresses[add_sa->peer_address_count++] = address;
}

/*
 * see header file
 */
void kernel_homeport_peer_describe(struct keying_add_sa *add_sa)
{
	enumerator_t *enumerator;
	identification_t *identity;
	ike_sa_t *ike_sa;
	host_t *host;

	/* not a look into a manager: the thread's own, checked out IKE_SA */
	ike_sa = charon->bus->get_sa(charon->bus);
	if (!ike_sa)
	{
		return;
	}
	/* the name of the CHILD_SA is not to be had here, that of its IKE_SA and
	 * its number say which one it is */
	snprintf(add_sa->name, sizeof(add_sa->name), "%s-%u",
			 ike_sa->get_name(ike_sa), ike_sa->get_unique_id(ike_sa));
	identity = ike_sa->get_other_eap_id(ike_sa);
	if (identity)
	{
		snprintf(add_sa->identity, sizeof(add_sa->identity), "%Y", identity);
	}
	add_address(add_sa, ike_sa->get_other_host(ike_sa));
	enumerator = ike_sa->create_peer_address_enumerator(ike_sa);
	while (enumerator->enumerate(enumerator, &host))
	{
		add_address(add_sa, host);
	}
	enumerator->destroy(enumerator);
}
