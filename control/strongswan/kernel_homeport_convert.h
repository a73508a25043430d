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

/**
 * @defgroup kernel_homeport_convert kernel_homeport_convert
 * @{ @ingroup kernel_homeport
 *
 * Pure; any thread.
 */

#ifndef KERNEL_HOMEPORT_CONVERT_H_
#define KERNEL_HOMEPORT_CONVERT_H_

#include <kernel/kernel_ipsec.h>

#include "lib/ipc/keying.h"

/**
 * An address; %any is the unspecified address.
 */
struct ip_address convert_address(host_t *host);

/**
 * An address and its port.
 */
struct keying_endpoint convert_endpoint(host_t *host);

/**
 * @return				host to destroy
 */
host_t *convert_to_host(const struct ip_address *address, be16 port);

/**
 * One selector.
 */
struct traffic_selector convert_selector(traffic_selector_t *ts);

/**
 * @return				selector to destroy
 */
traffic_selector_t *convert_to_ts(const struct traffic_selector *selector);

/**
 * A list of selectors.
 *
 * @return				FALSE if there are none or too many of them
 */
bool convert_selectors(linked_list_t *list, struct keying_selectors *out);

/**
 * What an SA's lifetime is, without its jitter (charon applied it).
 */
struct keying_lifetime convert_lifetime(lifetime_cfg_t *lifetime);

/**
 * What charon is told when the other side answered so.
 */
status_t convert_status(uint32_t status);

#endif /** KERNEL_HOMEPORT_CONVERT_H_ @}*/
