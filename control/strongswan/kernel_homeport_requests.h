/*
 * Requests to homeport-control that are not answered yet.
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
 * @defgroup kernel_homeport_requests kernel_homeport_requests
 * @{ @ingroup kernel_homeport
 *
 * Whoever asks writes to the socket himself, as long as it takes what it is
 * given; what it does not take is left to the link's thread. Answers are taken
 * from the socket by that thread alone. Any thread, if nothing else is said.
 */

#ifndef KERNEL_HOMEPORT_REQUESTS_H_
#define KERNEL_HOMEPORT_REQUESTS_H_

#include "kernel_homeport_connect.h"
#include "kernel_homeport_link.h"

typedef struct kernel_homeport_requests_t kernel_homeport_requests_t;

/**
 * Requests to control, sent and not yet answered
 */
struct kernel_homeport_requests_t {

	/**
	 * Whether it is worth asking.
	 */
	kernel_homeport_state_t (*get_state)(kernel_homeport_requests_t *this);

	/**
	 * As kernel_homeport_link_t.send.
	 *
	 * @param stuck		set to TRUE if the link's thread has to look: the
	 *					socket takes no more, or too much is unanswered
	 */
	uint64_t (*send)(kernel_homeport_requests_t *this,
					 struct keying_message *request, uint64_t context,
					 bool wait, bool *stuck);

	/**
	 * As kernel_homeport_link_t.wait.
	 */
	bool (*wait)(kernel_homeport_requests_t *this, uint64_t id,
				 struct keying_message *answer);

	/**
	 * An answer arrived: wake who waits for it. The link's thread.
	 *
	 * @param type		set to the type of the request
	 * @param context	set to what send() was given
	 * @return			TRUE if nobody waits and the handler is to be called
	 */
	bool (*answer)(kernel_homeport_requests_t *this,
				   const struct keying_message *message, uint16_t *type,
				   uint64_t *context);

	/**
	 * Send what was left over. The link's thread.
	 *
	 * @param left		set to whether there is more
	 * @return			FALSE if the connection is at its end
	 */
	bool (*flush)(kernel_homeport_requests_t *this, bool *left);

	/**
	 * Control greeted, a replay begins: no bound for it. The link's thread.
	 *
	 * @param fd		socket
	 */
	void (*open)(kernel_homeport_requests_t *this, int fd);

	/**
	 * The replay is queued: from now on there is a bound. The link's thread.
	 */
	void (*opened)(kernel_homeport_requests_t *this);

	/**
	 * The connection is at its end: whoever waits is told. The link's thread.
	 */
	void (*close)(kernel_homeport_requests_t *this);

	/**
	 * Whether so much is unanswered that the connection has to end.
	 */
	bool (*is_overflown)(kernel_homeport_requests_t *this);

	/**
	 * Destroy a kernel_homeport_requests_t.
	 */
	void (*destroy)(kernel_homeport_requests_t *this);
};

/** unanswered requests besides those of a replay */
#define KERNEL_HOMEPORT_UNANSWERED_MAX 16384

/**
 * Create a kernel_homeport_requests_t.
 *
 * @param timeout		time-out of wait() in ms
 */
kernel_homeport_requests_t *kernel_homeport_requests_create(u_int timeout);

#endif /** KERNEL_HOMEPORT_REQUESTS_H_ @}*/
