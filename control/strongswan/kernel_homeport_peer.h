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

/**
 * @defgroup kernel_homeport_peer kernel_homeport_peer
 * @{ @ingroup kernel_homeport
 */

#ifndef KERNEL_HOMEPORT_PEER_H_
#define KERNEL_HOMEPORT_PEER_H_

#include <library.h>

#include "lib/ipc/keying.h"

/**
 * Fill in name, identity and addresses of the peer, from the IKE_SA that the
 * calling thread works on; they stay empty if it does on none. TRN-11.
 *
 * @param add_sa		ADD_SA to fill in
 */
void kernel_homeport_peer_describe(struct keying_add_sa *add_sa);

#endif /** KERNEL_HOMEPORT_PEER_H_ @}*/
