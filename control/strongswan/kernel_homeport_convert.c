/*
 * charon's objects as the keying protocol writes them, and back.
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

#include "kernel_homeport_convert.h"

#include <library.h>

/*
 * see header file
 */
struct ip_address convert_address(host_t *host)
{
	struct ip_address address = {};
	chunk_t octets;
	be32 v4;

	if (host->is_anyaddr(host))
	{
		return address;
	}
	octets = host->get_address(host);
	if (octets.len == sizeof(v4))
	{
		memcpy(&v4, octets.ptr, sizeof(v4));
		return ip_address_from_v4(v4);
	}
	return ip_address_from_v6(octets.ptr);
}

/*
 * see header file
 */
struct keying_endpoint convert_endpoint(host_t *host)
{
	struct keying_endpoint endpoint = {
		.address = convert_address(host),
		.port = htons(host->get_port(host)),
	};
	return endpoint;
}

/**
 * The octets of an address in its own family
 */
static chunk_t octets_of(const struct ip_address *address, int *family)
{
	if (ip_address_is_v4(address))
	{
		*family = AF_INET;
		return chunk_create((u_char*)address->bytes + 12, 4);
	}
	*family = AF_INET6;
	return chunk_create((u_char*)address->bytes, 16);
}

/*
 * see header file
 */
host_t *convert_to_host(const struct ip_address *address, be16 port)
{
	chunk_t octets;
	int family;

	octets = octets_of(address, &family);
	return host_create_from_chunk(family, octets, ntohs(port));
}

/*
 * see header file
 */
struct traffic_selector convert_selector(traffic_selector_t *ts)
{
	struct traffic_selector selector = {
		.port_first = ts->get_from_port(ts),
		.port_last = ts->get_to_port(ts),
		.protocol = ts->get_protocol(ts),
	};
	chunk_t first, last;

	first = ts->get_from_address(ts);
	last = ts->get_to_address(ts);
	if (ts->get_type(ts) == TS_IPV4_ADDR_RANGE)
	{
		be32 v4;

		memcpy(&v4, first.ptr, sizeof(v4));
		selector.first = ip_address_from_v4(v4);
		memcpy(&v4, last.ptr, sizeof(v4));
		selector.last = ip_address_from_v4(v4);
	}
	else
	{
		selector.first = ip_address_from_v6(first.ptr);
		selector.last = ip_address_from_v6(last.ptr);
	}
	return selector;
}

/*
 * see header file
 */
traffic_selector_t *convert_to_ts(const struct traffic_selector *selector)
{
	chunk_t first, last;
	int family;

	first = octets_of(&selector->first, &family);
	last = octets_of(&selector->last, &family);
	return traffic_selector_create_from_bytes(selector->protocol,
				family == AF_INET ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE,
				first, selector->port_first, last, selector->port_last);
}

/*
 * see header file
 */
bool convert_selectors(linked_list_t *list, struct keying_selectors *out)
{
	enumerator_t *enumerator;
	traffic_selector_t *ts;
	bool fit = TRUE;

	out->count = 0;
	enumerator = list->create_enumerator(list);
	while (enumerator->enumerate(enumerator, &ts))
	{
		if (out->count == KEYING_SELECTORS_MAX)
		{
			fit = FALSE;
			break;
		}
		out->of[out->count++] = convert_selector(ts);
	}
	enumerator->destroy(enumerator);
	return fit && out->count;
}

/*
 * see header file
 */
struct keying_lifetime convert_lifetime(lifetime_cfg_t *lifetime)
{
	struct keying_lifetime converted = {
		.soft_s = lifetime->time.rekey,
		.hard_s = lifetime->time.life,
		.soft_bytes = lifetime->bytes.rekey,
		.hard_bytes = lifetime->bytes.life,
		.soft_packets = lifetime->packets.rekey,
		.hard_packets = lifetime->packets.life,
	};
	return converted;
}

/*
 * see header file
 */
status_t convert_status(uint32_t status)
{
	switch (status)
	{
		case KEYING_OK:
		case KEYING_ACCEPTED:
			return SUCCESS;
		case KEYING_NOT_FOUND:
			return NOT_FOUND;
		case KEYING_BAD_ALGORITHM:
		case KEYING_UNSUPPORTED:
			return NOT_SUPPORTED;
		default:
			return FAILED;
	}
}
