/*
 * Policies of charon's, in the protocol's words.
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
 * @defgroup kernel_homeport_policies kernel_homeport_policies
 * @{ @ingroup kernel_homeport
 */

#ifndef KERNEL_HOMEPORT_POLICIES_H_
#define KERNEL_HOMEPORT_POLICIES_H_

#include <kernel/kernel_ipsec.h>

#include "kernel_homeport_core.h"

/**
 * kernel_ipsec_t.add_policy. Those of an SA are sent behind it and not waited
 * for: refused, they take the SA with them.
 */
status_t kernel_homeport_policies_add(kernel_homeport_core_t *this,
									kernel_ipsec_policy_id_t *id,
									kernel_ipsec_manage_policy_t *data);

/**
 * kernel_ipsec_t.query_policy: when a packet last passed by it, 0 never.
 */
status_t kernel_homeport_policies_query(kernel_homeport_core_t *this,
									  kernel_ipsec_policy_id_t *id,
									  time_t *use_time);

/**
 * kernel_ipsec_t.del_policy.
 */
status_t kernel_homeport_policies_del(kernel_homeport_core_t *this,
									kernel_ipsec_policy_id_t *id,
									kernel_ipsec_manage_policy_t *data);

#endif /** KERNEL_HOMEPORT_POLICIES_H_ @}*/
