/*
 * An SA of charon's, in the protocol's words, and its way to control.
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
 * @defgroup kernel_homeport_add_sa kernel_homeport_add_sa
 * @{ @ingroup kernel_homeport
 */

#ifndef KERNEL_HOMEPORT_ADD_SA_H_
#define KERNEL_HOMEPORT_ADD_SA_H_

#include <kernel/kernel_ipsec.h>

#include "kernel_homeport_core.h"

/**
 * kernel_ipsec_t.add_sa.
 *
 * The inbound direction of a CHILD_SA is sent and not waited for; SUCCESS of
 * the outbound one, which follows it at once, means that both are in force.
 */
status_t kernel_homeport_add_sa(kernel_homeport_core_t *this,
								kernel_ipsec_sa_id_t *id,
								kernel_ipsec_add_sa_t *data);

#endif /** KERNEL_HOMEPORT_ADD_SA_H_ @}*/
