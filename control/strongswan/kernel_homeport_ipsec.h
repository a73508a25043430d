/*
 * charon's IPsec kernel is homeport: every callback, every event.
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
 * @defgroup kernel_homeport_ipsec kernel_homeport_ipsec
 * @{ @ingroup kernel_homeport
 */

#ifndef KERNEL_HOMEPORT_IPSEC_H_
#define KERNEL_HOMEPORT_IPSEC_H_

#include <library.h>
#include <kernel/kernel_ipsec.h>

/**
 * Create the IPsec interface; a kernel_ipsec_constructor_t.
 *
 * Settings, in charon.plugins.kernel-homeport:
 *   socket               control's socket
 *   timeout              longest wait of a call in ms
 *   replay_window        least window of inbound SAs that have one
 *   soft_bytes           soft limits of SAs whose configuration has none in
 *   soft_packets         bytes and packets, 0 to set none
 *   ignore_mappings      names of connections whose peers' NAT mappings are
 *                        not followed
 */
kernel_ipsec_t *kernel_homeport_ipsec_create();

#endif /** KERNEL_HOMEPORT_IPSEC_H_ @}*/
