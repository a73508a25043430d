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

#include "kernel_homeport_core.h"

#include <daemon.h>
#include <processing/jobs/callback_job.h>

/** charon has long registered a CHILD_SA by then, or given it up; in seconds */
#define GIVE_UP_DELAY 1

/**
 * An SA that charon is to give up
 */
typedef struct {
	kernel_homeport_core_t *core;
	uint32_t spi;
	bool inbound;
	host_t *src, *dst;
} given_up_t;

/*
 * see header file
 */
uint32_t kernel_homeport_core_status(const struct keying_message *answer)
{
	return answer->header.type == KEYING_STATUS ? answer->status.status
												: KEYING_OK;
}

/*
 * see header file
 */
bool kernel_homeport_core_is_good(uint32_t status)
{
	return status == KEYING_OK || status == KEYING_ACCEPTED;
}

/*
 * see header file
 */
void kernel_homeport_core_log(const char *what, const struct keying_message *answer)
{
	DBG1(DBG_KNL, "homeport: %s refused: %s: %s", what,
		 keying_status_name(answer->status.status), answer->status.text);
}

/*
 * see header file
 */
void kernel_homeport_core_note_lag(kernel_homeport_core_t *this,
								   uint32_t status)
{
	bool before;

	if (!kernel_homeport_core_is_good(status))
	{
		return;
	}
	this->mutex->lock(this->mutex);
	before = this->lagging;
	this->lagging = status == KEYING_ACCEPTED;
	this->mutex->unlock(this->mutex);
	if (before != (status == KEYING_ACCEPTED))
	{
		DBG1(DBG_KNL, before ? "homeport: the dataplane is back" :
			 "homeport: the dataplane does not answer, homeport-control holds "
			 "what it is told for it");
	}
}

/*
 * see header file
 */
bool kernel_homeport_core_is_usable(kernel_homeport_core_t *this,
									const char *what)
{
	switch (this->link->get_state(this->link))
	{
		case LINK_UP:
			return TRUE;
		case LINK_STALLED:
			DBG1(DBG_KNL, "homeport: homeport-control does not answer, %s "
				 "failed", what);
			return FALSE;
		default:
			DBG1(DBG_KNL, "homeport: not connected to homeport-control, %s "
				 "failed", what);
			return FALSE;
	}
}

/*
 * see header file
 */
void kernel_homeport_core_del_sa(kernel_homeport_core_t *this, uint64_t handle,
								 uint32_t spi, bool inbound)
{
	struct keying_message message = {
		.header.type = KEYING_DEL_SA,
		.sa = {
			.handle = handle,
			.spi = spi,
			.flags = inbound ? KEYING_SA_INBOUND : 0,
		},
	};

	this->link->send(this->link, &message, handle, FALSE);
}

/**
 * Destroy a given_up_t
 */
static void given_up_destroy(given_up_t *this)
{
	this->src->destroy(this->src);
	this->dst->destroy(this->dst);
	free(this);
}

/**
 * Tell charon, in a worker thread; not if it has deleted it meanwhile
 */
static job_requeue_t tell(given_up_t *this)
{
	kernel_homeport_core_t *core = this->core;
	bool there;

	core->mutex->lock(core->mutex);
	there = this->inbound ?
			core->sad->find_inbound(core->sad, this->spi) != NULL :
			core->sad->find_outbound(core->sad, this->spi, this->src,
									 this->dst) != NULL;
	core->mutex->unlock(core->mutex);
	if (there)
	{
		charon->kernel->expire(charon->kernel, IPPROTO_ESP, this->spi,
							   this->dst, TRUE);
	}
	return JOB_REQUEUE_NONE;
}

/*
 * see header file
 */
void kernel_homeport_core_give_up(kernel_homeport_core_t *this, uint64_t handle)
{
	kernel_homeport_sa_t *sa;
	given_up_t *given_up = NULL;

	this->mutex->lock(this->mutex);
	sa = this->sad->find_handle(this->sad, handle);
	if (sa)
	{
		INIT(given_up,
			.core = this,
			.spi = sa->spi,
			.inbound = sa->inbound,
			.src = sa->src->clone(sa->src),
			.dst = sa->dst->clone(sa->dst),
		);
	}
	this->mutex->unlock(this->mutex);
	if (given_up)
	{
		lib->scheduler->schedule_job(lib->scheduler,
			(job_t*)callback_job_create((callback_job_cb_t)tell, given_up,
				(callback_job_cleanup_t)given_up_destroy, NULL), GIVE_UP_DELAY);
	}
}

/**
 * An SA, or its move, was refused
 */
static void sa_refused(kernel_homeport_core_t *this, bool added,
					   uint64_t handle, const struct keying_message *answer)
{
	kernel_homeport_sa_t *sa;
	char what[64] = "an SA";

	kernel_homeport_core_give_up(this, handle);
	this->mutex->lock(this->mutex);
	sa = this->sad->find_handle(this->sad, handle);
	if (sa)
	{
		snprintf(what, sizeof(what), "%s%s SA %.8x", added ? "" : "move of ",
				 sa->inbound ? "inbound" : "outbound", ntohl(sa->spi));
		if (added && sa->reserved)
		{	/* charon deletes it in a moment: then the SPI goes back */
			this->sad->unset(this->sad, sa);
			sa->refused = kernel_homeport_core_status(answer);
		}
	}
	this->mutex->unlock(this->mutex);
	kernel_homeport_core_log(what, answer);
}

/**
 * A policy was refused: its SA is of no use without it
 */
static void policy_refused(kernel_homeport_core_t *this, uint64_t number,
						   const struct keying_message *answer)
{
	struct keying_policy policy;
	kernel_homeport_sa_t *sa;
	uint64_t handle = 0;
	char what[64];

	this->mutex->lock(this->mutex);
	if (this->spd->remove_number(this->spd, number, &policy))
	{
		handle = policy.handle;
		if (!handle && policy.spi && policy.direction != KEYING_OUT)
		{
			sa = this->sad->find_inbound(this->sad, policy.spi);
			handle = sa ? sa->handle : 0;
		}
		snprintf(what, sizeof(what), "%s policy of SA %.8x",
				 policy.direction == KEYING_OUT ? "outbound" : "inbound",
				 ntohl(policy.spi));
		kernel_homeport_core_log(what, answer);
	}
	this->mutex->unlock(this->mutex);
	if (handle)
	{
		kernel_homeport_core_give_up(this, handle);
	}
}

/*
 * see header file
 */
void kernel_homeport_core_answer(kernel_homeport_core_t *this, uint16_t type,
								 uint64_t context,
								 const struct keying_message *answer)
{
	uint32_t status = kernel_homeport_core_status(answer);

	if (kernel_homeport_core_is_good(status))
	{
		if ((type == KEYING_ADD_SA || type == KEYING_ADD_POLICY) &&
			answer->header.id > this->replayed)
		{
			kernel_homeport_core_note_lag(this, status);
		}
		return;
	}
	switch (type)
	{
		case KEYING_ADD_SA:
		case KEYING_UPDATE_SA:
			sa_refused(this, type == KEYING_ADD_SA, context, answer);
			break;
		case KEYING_ADD_POLICY:
			policy_refused(this, context, answer);
			break;
		case KEYING_DEL_SA:
		case KEYING_DEL_POLICY:
			if (status == KEYING_NOT_FOUND)
			{	/* gone by a hard limit, or never there */
				break;
			}
			/* fall-through */
		default:
			kernel_homeport_core_log(keying_type_name(type), answer);
			break;
	}
}
