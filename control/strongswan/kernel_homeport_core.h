/*
 * What the calls of charon share, and what becomes of late answers.
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
 * @defgroup kernel_homeport_core kernel_homeport_core
 * @{ @ingroup kernel_homeport
 *
 * Each call of charon's has a file of its own meaning; all of them work on this.
 */

#ifndef KERNEL_HOMEPORT_CORE_H_
#define KERNEL_HOMEPORT_CORE_H_

#include <library.h>
#include <threading/mutex.h>
#include <threading/thread_value.h>

#include "kernel_homeport_link.h"
#include "kernel_homeport_sad.h"
#include "kernel_homeport_spd.h"
#include "kernel_homeport_spis.h"

typedef struct kernel_homeport_core_t kernel_homeport_core_t;

/**
 * What the calls share
 */
struct kernel_homeport_core_t {

	/**
	 * connection to control
	 */
	kernel_homeport_link_t *link;

	/**
	 * leased SPIs
	 */
	kernel_homeport_spis_t *spis;

	/**
	 * SPI of the inbound SA that the thread added last and whose answer it did
	 * not wait for, as pointer
	 */
	thread_value_t *inbound;

	/**
	 * locks all below, and keeps requests in the order of changes here
	 */
	mutex_t *mutex;

	/**
	 * associations
	 */
	kernel_homeport_sad_t *sad;

	/**
	 * policies
	 */
	kernel_homeport_spd_t *spd;

	/**
	 * last handle given to an SA
	 */
	uint64_t handle;

	/**
	 * TRUE while the dataplane does not take what control accepts: calls then
	 * do not wait for it
	 */
	bool lagging;

	/**
	 * id of the last request of the last replay: control accepts these without
	 * asking the dataplane
	 */
	uint64_t replayed;

	/**
	 * largest window the gateway has
	 */
	uint32_t replay_window_max;

	/**
	 * least window
	 */
	uint32_t replay_window;

	/**
	 * soft limits of SAs that have none
	 */
	uint64_t soft_bytes, soft_packets;

	/**
	 * names of connections whose mappings are not followed
	 */
	char *ignore_mappings;
};

/**
 * The status in an answer.
 */
uint32_t kernel_homeport_core_status(const struct keying_message *answer);

/**
 * Whether control did what it was asked for, or will.
 */
bool kernel_homeport_core_is_good(uint32_t status);

/**
 * Tell of a refusal.
 */
void kernel_homeport_core_log(const char *what,
							  const struct keying_message *answer);

/**
 * Note whether the dataplane keeps up; lock is not held.
 */
void kernel_homeport_core_note_lag(kernel_homeport_core_t *this,
								   uint32_t status);

/**
 * Whether it is worth to ask control now; says why not.
 */
bool kernel_homeport_core_is_usable(kernel_homeport_core_t *this,
									const char *what);

/**
 * Queue a DEL_SA; lock is held.
 */
void kernel_homeport_core_del_sa(kernel_homeport_core_t *this, uint64_t handle,
								 uint32_t spi, bool inbound);

/**
 * An SA that charon takes for live is not: have charon delete it, in a moment,
 * as it may still be busy with setting it up; lock is not held.
 */
void kernel_homeport_core_give_up(kernel_homeport_core_t *this,
								  uint64_t handle);

/**
 * An answer that nobody waited for; lock is not held.
 *
 * @param type			type of the request
 * @param context		SA: its handle; policy: its number
 */
void kernel_homeport_core_answer(kernel_homeport_core_t *this, uint16_t type,
								 uint64_t context,
								 const struct keying_message *answer);

#endif /** KERNEL_HOMEPORT_CORE_H_ @}*/
