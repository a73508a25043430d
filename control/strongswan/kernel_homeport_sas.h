/*
 * What charon does to an SA that is there: move it, look at it, delete it.
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
 * @defgroup kernel_homeport_sas kernel_homeport_sas
 * @{ @ingroup kernel_homeport
 */

#ifndef KERNEL_HOMEPORT_SAS_H_
#define KERNEL_HOMEPORT_SAS_H_

#include <kernel/kernel_ipsec.h>

#include "kernel_homeport_core.h"

/**
 * kernel_ipsec_t.update_sa: in place, SPI, keys and numbers stay.
 */
status_t kernel_homeport_sas_update(kernel_homeport_core_t *this,
								   kernel_ipsec_sa_id_t *id,
								   kernel_ipsec_update_sa_t *data);

/**
 * kernel_ipsec_t.query_sa: no number ever goes back.
 */
status_t kernel_homeport_sas_query(kernel_homeport_core_t *this,
								  kernel_ipsec_sa_id_t *id, uint64_t *bytes,
								  uint64_t *packets, time_t *time);

/**
 * kernel_ipsec_t.del_sa: of an SA, or of an SPI in hand.
 */
status_t kernel_homeport_sas_del(kernel_homeport_core_t *this,
								kernel_ipsec_sa_id_t *id);

#endif /** KERNEL_HOMEPORT_SAS_H_ @}*/
