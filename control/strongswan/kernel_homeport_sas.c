/*
 * What charon does to an SA that is there: move it, look at it, delete it.
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

#include "kernel_homeport_sas.h"
#include "kernel_homeport_convert.h"

#include <utils/debug.h>

/*
 * see header file
 */
status_t kernel_homeport_sas_update(kernel_homeport_core_t *this,
								   kernel_ipsec_sa_id_t *id,
								   kernel_ipsec_update_sa_t *data)
{
	struct keying_message message = {
		.header.type = KEYING_UPDATE_SA,
		.update_sa = {
			.flags = data->new_encap ? KEYING_SA_ENCAP : 0,
			.reqid = data->new_reqid,
			.source = convert_endpoint(data->new_src),
			.destination = convert_endpoint(data->new_dst),
		},
	}, answer;
	kernel_homeport_sa_t *sa;
	uint64_t request = 0, handle = 0;
	status_t status = SUCCESS;
	bool wait = FALSE;

	this->mutex->lock(this->mutex);
	sa = this->sad->find(this->sad, id);
	if (!sa || !sa->handle)
	{
		status = NOT_FOUND;
	}
	else if (!sa->proxy)
	{	/* an SA of Mobile IPv6 is moved by its binding alone (TRN-12) */
		handle = sa->handle;
		message.update_sa.sa.handle = handle;
		message.update_sa.sa.spi = sa->spi;
		message.update_sa.sa.flags = sa->inbound ? KEYING_SA_INBOUND : 0;
		wait = !this->lagging;
		this->sad->move(this->sad, sa, &message.update_sa, data->new_src,
						data->new_dst);
		request = this->link->send(this->link, &message, handle, wait);
	}
	this->mutex->unlock(this->mutex);

	/* whatever comes of it: charon heeds NOT_SUPPORTED alone, so an update
	 * without an answer is made up by the next replay, one that was refused
	 * by a hard expire (MOB-09) */
	if (request && wait)
	{
		if (this->link->wait(this->link, request, &answer))
		{
			status = convert_status(kernel_homeport_core_status(&answer));
			kernel_homeport_core_note_lag(this,
									kernel_homeport_core_status(&answer));
			kernel_homeport_core_answer(this, KEYING_UPDATE_SA, handle, &answer);
		}
		else
		{
			DBG1(DBG_KNL, "homeport: homeport-control did not answer the move "
				 "of SA %.8x in time", ntohl(id->spi));
		}
	}
	return status == NOT_SUPPORTED ? FAILED : status;
}

/*
 * see header file
 */
status_t kernel_homeport_sas_query(kernel_homeport_core_t *this,
								  kernel_ipsec_sa_id_t *id, uint64_t *bytes,
								  uint64_t *packets, time_t *time)
{
	struct keying_message message = { .header.type = KEYING_QUERY_SA }, answer;
	kernel_homeport_sa_t *sa;
	uint64_t request = 0, handle = 0;
	bool answered, ask;

	ask = this->link->get_state(this->link) == LINK_UP;
	this->mutex->lock(this->mutex);
	sa = this->sad->find(this->sad, id);
	if (sa && sa->handle)
	{
		handle = sa->handle;
		message.sa.handle = handle;
		message.sa.spi = sa->spi;
		message.sa.flags = sa->inbound ? KEYING_SA_INBOUND : 0;
		if (ask)
		{
			request = this->link->send(this->link, &message, 0, TRUE);
		}
	}
	this->mutex->unlock(this->mutex);
	if (!handle)
	{
		return NOT_FOUND;
	}

	answered = this->link->wait(this->link, request, &answer) &&
			   answer.header.type == KEYING_SA_STATE;
	this->mutex->lock(this->mutex);
	sa = this->sad->find_handle(this->sad, handle);
	if (sa)
	{
		if (answered)
		{	/* a byte count that goes back would hide a use time (LIFE-12) */
			sa->bytes = max(sa->bytes, answer.sa_state.bytes);
			sa->packets = max(sa->packets, answer.sa_state.packets);
			sa->last_use = max(sa->last_use,
							   (time_t)answer.sa_state.last_use_s);
		}
		*bytes = sa->bytes;
		*packets = sa->packets;
		*time = sa->last_use;
	}
	this->mutex->unlock(this->mutex);
	return sa ? SUCCESS : NOT_FOUND;
}

/*
 * see header file
 */
status_t kernel_homeport_sas_del(kernel_homeport_core_t *this,
								kernel_ipsec_sa_id_t *id)
{
	kernel_homeport_sa_t *sa;

	this->mutex->lock(this->mutex);
	sa = this->sad->find(this->sad, id);
	if (sa)
	{
		kernel_homeport_core_del_sa(this, sa->handle, sa->spi, sa->inbound);
		this->sad->remove(this->sad, sa);
	}
	this->mutex->unlock(this->mutex);
	return sa ? SUCCESS : NOT_FOUND;
}
