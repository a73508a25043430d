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

#include "kernel_homeport_spis.h"

#include <threading/condvar.h>
#include <threading/mutex.h>
#include <utils/debug.h>

typedef struct private_kernel_homeport_spis_t private_kernel_homeport_spis_t;

/**
 * private data of the SPIs
 */
struct private_kernel_homeport_spis_t {

	/**
	 * public interface
	 */
	kernel_homeport_spis_t public;

	/**
	 * connection
	 */
	kernel_homeport_link_t *link;

	/**
	 * time-out in ms
	 */
	u_int timeout;

	/**
	 * locks all below
	 */
	mutex_t *mutex;

	/**
	 * signals that there are some
	 */
	condvar_t *condvar;

	/**
	 * SPIs at hand
	 */
	uint32_t spis[2 * KEYING_SPIS_MAX];

	/**
	 * their number
	 */
	u_int count;

	/**
	 * how many to lease at once
	 */
	u_int block;

	/**
	 * how many are asked for
	 */
	u_int asked;
};

/**
 * Lease more if there are few; lock is held
 */
static void refill(private_kernel_homeport_spis_t *this)
{
	struct keying_message message = {
		.header.type = KEYING_LEASE_SPIS,
		.lease_spis.count = this->block,
	};

	if (this->block && !this->asked && this->count <= this->block / 2 &&
		this->link->send(this->link, &message, 0, FALSE))
	{
		this->asked = this->block;
	}
}

METHOD(kernel_homeport_spis_t, take, bool,
	private_kernel_homeport_spis_t *this, uint32_t *spi)
{
	bool taken = FALSE, late = FALSE;

	this->mutex->lock(this->mutex);
	refill(this);
	while (!this->count && this->asked && !late)
	{
		late = this->condvar->timed_wait(this->condvar, this->mutex,
										 this->timeout);
	}
	if (this->count)
	{
		*spi = this->spis[--this->count];
		taken = TRUE;
		refill(this);
	}
	this->mutex->unlock(this->mutex);
	return taken;
}

METHOD(kernel_homeport_spis_t, restart, void,
	private_kernel_homeport_spis_t *this, u_int block)
{
	this->mutex->lock(this->mutex);
	this->block = max(1, min(block, KEYING_SPIS_MAX));
	this->count = 0;
	this->asked = 0;
	refill(this);
	this->mutex->unlock(this->mutex);
}

METHOD(kernel_homeport_spis_t, answer, void,
	private_kernel_homeport_spis_t *this, const struct keying_message *answer)
{
	u_int i;

	this->mutex->lock(this->mutex);
	this->asked = 0;
	if (answer->header.type == KEYING_SPIS)
	{
		for (i = 0; i < answer->spis.count &&
			 this->count < countof(this->spis); i++)
		{
			this->spis[this->count++] = answer->spis.of[i];
		}
	}
	else
	{
		DBG1(DBG_KNL, "homeport: lease of SPIs refused: %s: %s",
			 keying_status_name(answer->status.status), answer->status.text);
	}
	this->condvar->broadcast(this->condvar);
	this->mutex->unlock(this->mutex);
}

METHOD(kernel_homeport_spis_t, flush, void,
	private_kernel_homeport_spis_t *this)
{
	this->mutex->lock(this->mutex);
	this->count = 0;
	this->mutex->unlock(this->mutex);
}

METHOD(kernel_homeport_spis_t, destroy, void,
	private_kernel_homeport_spis_t *this)
{
	this->condvar->destroy(this->condvar);
	this->mutex->destroy(this->mutex);
	free(this);
}

/*
 * see header file
 */
kernel_homeport_spis_t *kernel_homeport_spis_create(
									kernel_homeport_link_t *link, u_int timeout)
{
	private_kernel_homeport_spis_t *this;

	INIT(this,
		.public = {
			.take = _take,
			.restart = _restart,
			.answer = _answer,
			.flush = _flush,
			.destroy = _destroy,
		},
		.link = link,
		.timeout = timeout,
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.condvar = condvar_create(CONDVAR_TYPE_DEFAULT),
	);
	return &this->public;
}
