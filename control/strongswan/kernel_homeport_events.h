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

/**
 * @defgroup kernel_homeport_events kernel_homeport_events
 * @{ @ingroup kernel_homeport
 *
 * Call with no lock held (KIF-03), from a thread of strongSwan's (KIF-04).
 */

#ifndef KERNEL_HOMEPORT_EVENTS_H_
#define KERNEL_HOMEPORT_EVENTS_H_

#include <library.h>
#include <networking/host.h>

#include "lib/ipc/keying.h"

/**
 * Tell charon of an EXPIRE, MAPPING, ACQUIRE or MIGRATE.
 */
void kernel_homeport_events_raise(const struct keying_message *event);

#endif /** KERNEL_HOMEPORT_EVENTS_H_ @}*/
