/*
 * Events of the gateway, told to charon.
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

#include "kernel_homeport_events.h"
#include "kernel_homeport_convert.h"

#include <daemon.h>

/**
 * EXPIRE: LIFE-02, LIFE-04, KIF-40
 */
static void raise_expire(const struct keying_expire *expire)
{
	host_t *dst;

	dst = convert_to_host(&expire->destination, 0);
	DBG1(DBG_KNL, "homeport: %s limit of SA %.8x/%H: %s", expire->hard ?
		 "hard" : "soft", ntohl(expire->sa.spi), dst, expire->cause);
	charon->kernel->expire(charon->kernel, IPPROTO_ESP, expire->sa.spi, dst,
						   expire->hard != 0);
	dst->destroy(dst);
}

/**
 * MAPPING: NAT-09, KIF-41
 */
static void raise_mapping(const struct keying_mapping *mapping)
{
	host_t *local, *remote;

	local = convert_to_host(&mapping->local.address, mapping->local.port);
	remote = convert_to_host(&mapping->remote.address, mapping->remote.port);
	charon->kernel->mapping(charon->kernel, IPPROTO_ESP, mapping->sa.spi, local,
							remote);
	local->destroy(local);
	remote->destroy(remote);
}

/**
 * ACQUIRE: always with both selectors, charon looks at them (KIF-42)
 */
static void raise_acquire(const struct keying_acquire *acquire)
{
	kernel_acquire_data_t data = {
		.src = convert_to_ts(&acquire->source),
		.dst = convert_to_ts(&acquire->destination),
	};

	if (data.src && data.dst)
	{
		charon->kernel->acquire(charon->kernel, acquire->reqid, &data);
	}
	DESTROY_IF(data.src);
	DESTROY_IF(data.dst);
}

/**
 * MIGRATE: charon adopts all four objects (KIF-44)
 */
static void raise_migrate(const struct keying_migrate *migrate)
{
	traffic_selector_t *src, *dst;

	src = convert_to_ts(&migrate->source_ts);
	dst = convert_to_ts(&migrate->destination_ts);
	if (!src || !dst)
	{
		DESTROY_IF(src);
		DESTROY_IF(dst);
		return;
	}
	charon->kernel->migrate(charon->kernel, migrate->reqid, src, dst,
							migrate->direction == KEYING_IN ? POLICY_IN :
							migrate->direction == KEYING_OUT ? POLICY_OUT :
							POLICY_FWD,
							convert_to_host(&migrate->local, 0),
							convert_to_host(&migrate->remote, 0));
}

/*
 * see header file
 */
void kernel_homeport_events_raise(const struct keying_message *event)
{
	switch (event->header.type)
	{
		case KEYING_EXPIRE:
			raise_expire(&event->expire);
			break;
		case KEYING_MAPPING:
			raise_mapping(&event->mapping);
			break;
		case KEYING_ACQUIRE:
			raise_acquire(&event->acquire);
			break;
		case KEYING_MIGRATE:
			raise_migrate(&event->migrate);
			break;
		default:
			DBG1(DBG_KNL, "homeport: event %s is unknown",
				 keying_type_name(event->header.type));
			break;
	}
}
