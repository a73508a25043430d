/*
 * The charon plugin kernel-homeport: makes homeport's dataplane charon's IPsec
 * kernel. Part of homeport, but a derivative of strongSwan's headers, hence
 * under strongSwan's licence.
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
 * @defgroup kernel_homeport kernel_homeport
 * @ingroup cplugins
 *
 * @defgroup kernel_homeport_plugin kernel_homeport_plugin
 * @{ @ingroup kernel_homeport
 *
 * The files, from charon's calls down to the socket:
 *
 *   kernel_homeport_plugin   loaded by charon; checks that it fits
 *   kernel_homeport_ipsec    kernel_ipsec_t: SPIs, the replay, and who does
 *                            what of the rest:
 *   kernel_homeport_add_sa   a new SA
 *   kernel_homeport_sas      moving, looking at and deleting one
 *   kernel_homeport_policies policies
 *   kernel_homeport_core     what these share; late answers
 *   kernel_homeport_events   events, to charon
 *   kernel_homeport_sad      what charon wants: associations, reserved SPIs
 *   kernel_homeport_spd      what charon wants: policies
 *   kernel_homeport_convert  charon's objects <-> the keying protocol's structs
 *   kernel_homeport_peer     who the peer of the IKE_SA at hand is
 *   kernel_homeport_spis     SPIs at hand before charon asks for one
 *   kernel_homeport_link     one thread, one socket to homeport-control
 *   kernel_homeport_connect  how it is reached
 *   kernel_homeport_requests requests, and who waits for their answers
 *
 * charon's worker threads call with an IKE_SA checked out, so no call waits
 * longer than `timeout` (150 ms); once control is known not to answer, calls
 * fail without waiting. What charon wants is kept here: whenever control comes
 * back, or the plugin loses it, everything is told again (REPLAY_BEGIN ...
 * REPLAY_END of lib/ipc/keying.h).
 *
 * Two locks, taken in this order: that of kernel_homeport_core around tables
 * and the order of requests, that of kernel_homeport_requests around its queue.
 * Neither is held while charon is called.
 */

#ifndef KERNEL_HOMEPORT_PLUGIN_H_
#define KERNEL_HOMEPORT_PLUGIN_H_

#include <library.h>
#include <plugins/plugin.h>

typedef struct kernel_homeport_plugin_t kernel_homeport_plugin_t;

/**
 * Plugin that hands SAs and policies to homeport
 */
struct kernel_homeport_plugin_t {

	/**
	 * implements plugin interface
	 */
	plugin_t plugin;
};

#endif /** KERNEL_HOMEPORT_PLUGIN_H_ @}*/
