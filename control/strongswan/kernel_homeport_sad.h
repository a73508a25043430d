/*
 * The associations that charon wants, and the SPIs it has in hand.
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
 * @defgroup kernel_homeport_sad kernel_homeport_sad
 * @{ @ingroup kernel_homeport
 *
 * Keeps all that a replay needs, keys included; these are wiped when an entry
 * goes. Not locked: the owner does.
 */

#ifndef KERNEL_HOMEPORT_SAD_H_
#define KERNEL_HOMEPORT_SAD_H_

#include <kernel/kernel_ipsec.h>

#include "kernel_homeport_link.h"

typedef struct kernel_homeport_sad_t kernel_homeport_sad_t;
typedef struct kernel_homeport_sa_t kernel_homeport_sa_t;

/**
 * One direction of an SA, or an SPI given to charon that has no keys yet
 */
struct kernel_homeport_sa_t {

	/** number in the protocol, 0 without keys */
	uint64_t handle;

	/** network order */
	uint32_t spi;

	/** TRUE if received with it */
	bool inbound;

	/** current addresses; NULL without keys */
	host_t *src, *dst;

	/** transport mode whose addresses are the selectors': never moved */
	bool proxy;

	/** last numbers told to charon; none ever goes back */
	uint64_t bytes, packets;
	time_t last_use;

	/** when it was added, monotonic */
	time_t added;

	/** a soft limit was told of already */
	bool soft_expired;

	/** its SPI was handed out by get_spi(): it stays charon's without keys */
	bool reserved;

	/** why it has no keys, enum keying_status; 0 if none were refused */
	uint32_t refused;

	/** encoded ADD_SA, as it is now; with `moved`, as it was at first */
	chunk_t message;

	/** TRUE if its selectors are its ends: what moved it last */
	bool moved;
	struct keying_update_sa update;

	/** next with this SPI */
	kernel_homeport_sa_t *next;
};

/**
 * The associations
 */
struct kernel_homeport_sad_t {

	/**
	 * Add an SPI without keys.
	 */
	void (*reserve)(kernel_homeport_sad_t *this, uint32_t spi);

	/**
	 * Find an inbound entry, with keys or without.
	 */
	kernel_homeport_sa_t *(*find_inbound)(kernel_homeport_sad_t *this,
										  uint32_t spi);

	/**
	 * Find an outbound entry: an SPI is unique to a peer only, several peers
	 * may share a NAT's address (NAT-15).
	 */
	kernel_homeport_sa_t *(*find_outbound)(kernel_homeport_sad_t *this,
										   uint32_t spi, host_t *src,
										   host_t *dst);

	/**
	 * Find the entry that charon means. It does not tell the direction, and
	 * the addresses may be those before an update (KIF-25).
	 */
	kernel_homeport_sa_t *(*find)(kernel_homeport_sad_t *this,
								  kernel_ipsec_sa_id_t *id);

	/**
	 * Find by handle.
	 */
	kernel_homeport_sa_t *(*find_handle)(kernel_homeport_sad_t *this,
										 uint64_t handle);

	/**
	 * Add an entry, or give one that was reserved or added its keys.
	 *
	 * @param sa		existing entry, or NULL
	 * @param add_sa	ADD_SA message with its handle
	 * @param src		source address, cloned
	 * @param dst		destination address, cloned
	 * @return			the entry, NULL if the message cannot be encoded
	 */
	kernel_homeport_sa_t *(*set)(kernel_homeport_sad_t *this,
								 kernel_homeport_sa_t *sa,
								 struct keying_message *add_sa,
								 host_t *src, host_t *dst);

	/**
	 * Take the keys away again: an SPI in hand is what remains.
	 */
	void (*unset)(kernel_homeport_sad_t *this, kernel_homeport_sa_t *sa);

	/**
	 * Other addresses.
	 */
	void (*move)(kernel_homeport_sad_t *this, kernel_homeport_sa_t *sa,
				 const struct keying_update_sa *update, host_t *src,
				 host_t *dst);

	/**
	 * Remove and destroy an entry.
	 */
	void (*remove)(kernel_homeport_sad_t *this, kernel_homeport_sa_t *sa);

	/**
	 * Remove all.
	 */
	void (*flush)(kernel_homeport_sad_t *this);

	/**
	 * Send CLAIM_SPI and ADD_SA for all, with what is left of their lifetimes
	 * and only to be resumed: each may have used numbers.
	 *
	 * @return			number of entries
	 */
	u_int (*replay)(kernel_homeport_sad_t *this, kernel_homeport_link_t *link);

	/**
	 * Send UPDATE_SA for those whose selectors follow their ends: control
	 * moves both, and policies, from where charon left them (TRN-13). After
	 * the policies.
	 */
	void (*replay_moves)(kernel_homeport_sad_t *this,
						 kernel_homeport_link_t *link);

	/**
	 * Destroy a kernel_homeport_sad_t.
	 */
	void (*destroy)(kernel_homeport_sad_t *this);
};

/**
 * Create a kernel_homeport_sad_t.
 */
kernel_homeport_sad_t *kernel_homeport_sad_create();

#endif /** KERNEL_HOMEPORT_SAD_H_ @}*/
