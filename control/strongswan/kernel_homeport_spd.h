/*
 * The policies that charon wants.
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
 * @defgroup kernel_homeport_spd kernel_homeport_spd
 * @{ @ingroup kernel_homeport
 *
 * Every entry as it was added, in that order: which one of those with the same
 * selectors is in force, control decides (KIF-17). Not locked: the owner does.
 */

#ifndef KERNEL_HOMEPORT_SPD_H_
#define KERNEL_HOMEPORT_SPD_H_

#include "kernel_homeport_link.h"

typedef struct kernel_homeport_spd_t kernel_homeport_spd_t;

/**
 * The policies
 */
struct kernel_homeport_spd_t {

	/**
	 * Add an entry.
	 *
	 * @param policy	the entry, copied
	 * @return			its number
	 */
	uint64_t (*add)(kernel_homeport_spd_t *this,
					const struct keying_policy *policy);

	/**
	 * Find the entry of these selectors and direction that was added last.
	 *
	 * @param policy	selectors and direction, replaced by the entry
	 * @return			FALSE if there is none
	 */
	bool (*newest)(kernel_homeport_spd_t *this, struct keying_policy *policy);

	/**
	 * Remove the entry that charon means. Its addresses may be those after an
	 * update of the SA: an SPI tells enough (MOB-06).
	 *
	 * @param policy	as charon sees it, replaced by what was added
	 * @return			FALSE if there is none
	 */
	bool (*remove)(kernel_homeport_spd_t *this, struct keying_policy *policy);

	/**
	 * Remove the entry of that number.
	 *
	 * @param policy	set to what was added
	 * @return			FALSE if there is none
	 */
	bool (*remove_number)(kernel_homeport_spd_t *this, uint64_t number,
						  struct keying_policy *policy);

	/**
	 * Remove all.
	 */
	void (*flush)(kernel_homeport_spd_t *this);

	/**
	 * Send ADD_POLICY for all, oldest first.
	 *
	 * @return			number of entries
	 */
	u_int (*replay)(kernel_homeport_spd_t *this, kernel_homeport_link_t *link);

	/**
	 * Destroy a kernel_homeport_spd_t.
	 */
	void (*destroy)(kernel_homeport_spd_t *this);
};

/**
 * Create a kernel_homeport_spd_t.
 */
kernel_homeport_spd_t *kernel_homeport_spd_create();

#endif /** KERNEL_HOMEPORT_SPD_H_ @}*/
