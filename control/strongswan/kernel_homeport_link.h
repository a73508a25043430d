/*
 * The connection to homeport-control: requests, answers, events.
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
 * @defgroup kernel_homeport_link kernel_homeport_link
 * @{ @ingroup kernel_homeport
 *
 * A thread of its own connects, greets, sends what was queued and hands out
 * what arrives. Callers never touch the socket. Requests leave in the order in
 * which send() was called.
 */

#ifndef KERNEL_HOMEPORT_LINK_H_
#define KERNEL_HOMEPORT_LINK_H_

#include <library.h>

#include "lib/ipc/keying.h"

typedef struct kernel_homeport_link_t kernel_homeport_link_t;
typedef struct kernel_homeport_handler_t kernel_homeport_handler_t;

/**
 * How much control can do for us
 */
typedef enum {
	/** not connected, or not yet greeted */
	LINK_DOWN,
	/** connected, but a request was left unanswered for too long */
	LINK_STALLED,
	/** requests are answered */
	LINK_UP,
} kernel_homeport_state_t;

/**
 * Called by the link's thread; no lock of the link is held.
 */
struct kernel_homeport_handler_t {

	/**
	 * Control greeted: queue all there is with send(), which works from now on.
	 *
	 * @param welcome	what control offers
	 */
	void (*replay)(kernel_homeport_handler_t *this,
				   const struct keying_welcome *welcome);

	/**
	 * The answer to a request nobody waits for.
	 *
	 * @param type		type of the request
	 * @param context	as given to send()
	 * @param answer	the answer
	 */
	void (*answer)(kernel_homeport_handler_t *this, uint16_t type,
				   uint64_t context, const struct keying_message *answer);

	/**
	 * EXPIRE, MAPPING, ACQUIRE or MIGRATE.
	 */
	void (*event)(kernel_homeport_handler_t *this,
				  const struct keying_message *event);
};

/**
 * Connection to homeport-control
 */
struct kernel_homeport_link_t {

	/**
	 * Whether it is worth asking. Never blocks.
	 */
	kernel_homeport_state_t (*get_state)(kernel_homeport_link_t *this);

	/**
	 * Queue a request; it is encoded before this returns. Never blocks.
	 *
	 * Dropped while there is no connection: a replay follows. More than a
	 * bounded number of unanswered requests ends the connection instead, again
	 * for a replay.
	 *
	 * @param request	request, its id is filled in
	 * @param context	passed to the handler's answer()
	 * @param wait		TRUE if the answer is fetched by wait()
	 * @return			id of the request, 0 if it was dropped
	 */
	uint64_t (*send)(kernel_homeport_link_t *this,
					 struct keying_message *request, uint64_t context,
					 bool wait);

	/**
	 * Wait for the answer to a request, until the time-out at the latest.
	 * Each request sent with wait must be waited for, once.
	 *
	 * @param id		of the request, may be 0
	 * @param answer	the answer
	 * @return			FALSE if there was none in time
	 */
	bool (*wait)(kernel_homeport_link_t *this, uint64_t id,
				 struct keying_message *answer);

	/**
	 * Start to connect.
	 */
	void (*start)(kernel_homeport_link_t *this);

	/**
	 * Stop the thread and disconnect; the handler is not called anymore.
	 */
	void (*stop)(kernel_homeport_link_t *this);

	/**
	 * Destroy a kernel_homeport_link_t.
	 */
	void (*destroy)(kernel_homeport_link_t *this);
};

/**
 * Create a link, not started yet.
 *
 * @param path			control's socket, cloned
 * @param timeout		time-out of wait() in ms
 * @param instance		number of this charon process
 * @param handler		whom to call
 */
kernel_homeport_link_t *kernel_homeport_link_create(char *path, u_int timeout,
							uint64_t instance,
							kernel_homeport_handler_t *handler);

#endif /** KERNEL_HOMEPORT_LINK_H_ @}*/
