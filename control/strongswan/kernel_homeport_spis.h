/*
 * Leased SPIs, at hand before charon asks for one.
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
 * @defgroup kernel_homeport_spis kernel_homeport_spis
 * @{ @ingroup kernel_homeport
 *
 * Locks itself; any thread.
 */

#ifndef KERNEL_HOMEPORT_SPIS_H_
#define KERNEL_HOMEPORT_SPIS_H_

#include "kernel_homeport_link.h"

typedef struct kernel_homeport_spis_t kernel_homeport_spis_t;

/**
 * SPIs that control lent to us
 */
struct kernel_homeport_spis_t {

	/**
	 * Take one. Waits for a lease if there is none, until the time-out.
	 *
	 * @param spi		SPI, network order
	 */
	bool (*take)(kernel_homeport_spis_t *this, uint32_t *spi);

	/**
	 * Forget those at hand and lease others: control greeted.
	 *
	 * @param block		how many to lease at once
	 */
	void (*restart)(kernel_homeport_spis_t *this, u_int block);

	/**
	 * The answer to a lease.
	 */
	void (*answer)(kernel_homeport_spis_t *this,
				   const struct keying_message *answer);

	/**
	 * Forget those at hand: control took them back.
	 */
	void (*flush)(kernel_homeport_spis_t *this);

	/**
	 * Destroy a kernel_homeport_spis_t.
	 */
	void (*destroy)(kernel_homeport_spis_t *this);
};

/**
 * Create a kernel_homeport_spis_t.
 *
 * @param link			connection
 * @param timeout		time-out of take() in ms
 */
kernel_homeport_spis_t *kernel_homeport_spis_create(
									kernel_homeport_link_t *link, u_int timeout);

#endif /** KERNEL_HOMEPORT_SPIS_H_ @}*/
