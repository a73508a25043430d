/*
 * An SA of charon's, in the protocol's words, and its way to control.
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

#include "kernel_homeport_add_sa.h"
#include "kernel_homeport_convert.h"
#include "kernel_homeport_peer.h"

#include <utils/debug.h>

/**
 * Whether an SA needs something that homeport does not have; says what
 */
static bool is_unsupported(kernel_ipsec_sa_id_t *id,
						   kernel_ipsec_add_sa_t *data)
{
	const char *what = NULL;

	if (id->proto != IPPROTO_ESP)
	{
		what = "protocols other than ESP are";
	}
	else if (data->mode != MODE_TUNNEL && data->mode != MODE_TRANSPORT)
	{
		what = "modes other than tunnel and transport are";
	}
	else if (data->ipcomp != IPCOMP_NONE)
	{
		what = "IPComp is";
	}
	else if (data->hw_offload == HW_OFFLOAD_YES)
	{
		what = "hardware offload is";
	}
	else if (id->mark.value || id->mark.mask || data->mark.value ||
			 data->mark.mask)
	{
		what = "marks are";
	}
	else if (id->if_id || data->interface)
	{
		what = "SAs of an interface are";
	}
	else if (data->label)
	{
		what = "security labels are";
	}
	else if (data->enc_key.len > KEYING_KEY_MAX ||
			 data->int_key.len > KEYING_KEY_MAX)
	{
		what = "keys of that length are";
	}
	if (what)
	{
		DBG1(DBG_KNL, "homeport: SA %.8x refused: %s not supported",
			 ntohl(id->spi), what);
	}
	return what != NULL;
}

/**
 * The flags of an SA
 */
static uint32_t flags_of(kernel_ipsec_add_sa_t *data)
{
	uint32_t flags = 0;

	flags |= data->inbound ? KEYING_SA_INBOUND : 0;
	flags |= data->update ? KEYING_SA_UPDATE : 0;
	flags |= data->initiator ? KEYING_SA_INITIATOR : 0;
	flags |= data->esn ? KEYING_SA_ESN : 0;
	flags |= data->encap ? KEYING_SA_ENCAP : 0;
	flags |= data->copy_df ? KEYING_SA_COPY_DF : 0;
	flags |= data->copy_ecn ? KEYING_SA_COPY_ECN : 0;
	switch (data->copy_dscp)
	{
		case DSCP_COPY_OUT_ONLY:
			flags |= KEYING_SA_COPY_DSCP_OUT;
			break;
		case DSCP_COPY_IN_ONLY:
			flags |= KEYING_SA_COPY_DSCP_IN;
			break;
		case DSCP_COPY_YES:
			flags |= KEYING_SA_COPY_DSCP_OUT | KEYING_SA_COPY_DSCP_IN;
			break;
		case DSCP_COPY_NO:
			break;
	}
	return flags;
}

/**
 * Whether mappings of this connection's peers are not followed: NAT-11
 */
static bool ignores_mappings(kernel_homeport_core_t *this,
							 const char *name)
{
	enumerator_t *enumerator;
	size_t length;
	char *token;
	bool found = FALSE;

	if (!this->ignore_mappings)
	{
		return FALSE;
	}
	enumerator = enumerator_create_token(this->ignore_mappings, ",", " ");
	while (enumerator->enumerate(enumerator, &token))
	{
		length = strlen(token);
		/* the number of the IKE_SA is behind it */
		if (strpfx(name, token) && name[length] == '-' &&
			strspn(name + length + 1, "0123456789") == strlen(name + length + 1))
		{
			found = TRUE;
		}
	}
	enumerator->destroy(enumerator);
	return found;
}

/**
 * Say in the protocol's words what charon wants
 */
static bool build_add_sa(kernel_homeport_core_t *this,
						 kernel_ipsec_sa_id_t *id, kernel_ipsec_add_sa_t *data,
						 struct keying_message *message)
{
	struct keying_add_sa *sa = &message->add_sa;
	struct keying_lifetime *lifetime = &sa->lifetime;

	message->header.type = KEYING_ADD_SA;
	sa->spi = id->spi;
	sa->reqid = data->reqid;
	sa->flags = flags_of(data);
	sa->mode = data->mode == MODE_TRANSPORT ? KEYING_TRANSPORT : KEYING_TUNNEL;
	sa->encryption = data->enc_alg;
	sa->integrity = data->int_alg == AUTH_UNDEFINED ? 0 : data->int_alg;
	sa->encryption_length = data->enc_key.len;
	sa->integrity_length = data->int_key.len;
	sa->replay_window = data->replay_window;
	if (data->inbound && data->replay_window)
	{
		sa->replay_window = min(max(data->replay_window, this->replay_window),
								this->replay_window_max ?: UINT32_MAX);
	}
	sa->tfc = data->tfc;
	sa->source = convert_endpoint(id->src);
	sa->destination = convert_endpoint(id->dst);
	*lifetime = convert_lifetime(data->lifetime);
	if (!lifetime->soft_bytes && !lifetime->hard_bytes &&
		!lifetime->soft_packets && !lifetime->hard_packets)
	{
		lifetime->soft_bytes = this->soft_bytes;
		lifetime->soft_packets = this->soft_packets;
	}
	memcpy(sa->encryption_key, data->enc_key.ptr, data->enc_key.len);
	memcpy(sa->integrity_key, data->int_key.ptr, data->int_key.len);
	kernel_homeport_peer_describe(sa);
	if (ignores_mappings(this, sa->name))
	{
		sa->flags |= KEYING_SA_NO_MAPPING;
	}
	if (!convert_selectors(data->src_ts, &sa->source_ts) ||
		!convert_selectors(data->dst_ts, &sa->destination_ts))
	{
		DBG1(DBG_KNL, "homeport: SA %.8x refused: it has no selectors, or more "
			 "than %d a side", ntohl(id->spi), KEYING_SELECTORS_MAX);
		return FALSE;
	}
	return TRUE;
}

/**
 * An SA that was told to control did not come to be.
 *
 * @param known		TRUE if control said so, else it may hold it
 */
static void undo_add_sa(kernel_homeport_core_t *this, uint64_t handle,
						bool known)
{
	kernel_homeport_sa_t *sa;

	this->mutex->lock(this->mutex);
	sa = this->sad->find_handle(this->sad, handle);
	if (sa)
	{
		if (!known)
		{
			kernel_homeport_core_del_sa(this, handle, sa->spi, sa->inbound);
		}
		if (known && sa->reserved)
		{	/* charon deletes it in a moment: then the SPI goes back */
			this->sad->unset(this->sad, sa);
		}
		else
		{
			this->sad->remove(this->sad, sa);
		}
	}
	this->mutex->unlock(this->mutex);
}

/**
 * Whether the answer to an ADD_SA is waited for; lock is held.
 *
 * charon adds both directions of a CHILD_SA one after another, in one thread:
 * the answer to the second one tells of the first one too.
 */
static bool is_awaited(kernel_homeport_core_t *this, uint32_t flags)
{
	if (this->lagging)
	{
		return FALSE;
	}
	return !(flags & KEYING_SA_INBOUND) || !(flags & KEYING_SA_UPDATE);
}

/**
 * Keep and queue an ADD_SA
 *
 * @param fresh		set to TRUE if there was no such SA
 * @param handle	set to its number
 * @param wait		set to whether to wait
 * @return			id of the request, 0 if it could not be queued
 */
static uint64_t queue_add_sa(kernel_homeport_core_t *this,
							 kernel_ipsec_sa_id_t *id,
							 struct keying_message *message, bool *fresh,
							 uint64_t *handle, bool *wait)
{
	kernel_homeport_sa_t *sa;
	uint64_t request;

	this->mutex->lock(this->mutex);
	sa = message->add_sa.flags & KEYING_SA_INBOUND ?
			this->sad->find_inbound(this->sad, id->spi) :
			this->sad->find_outbound(this->sad, id->spi, id->src, id->dst);
	*fresh = !sa || !sa->handle;
	*wait = is_awaited(this, message->add_sa.flags);
	/* the same again, or other keys: control tells these apart (KIF-10) */
	*handle = *fresh ? ++this->handle : sa->handle;
	message->add_sa.handle = *handle;
	request = this->link->send(this->link, message, *handle, *wait);
	if (request && *fresh &&
		!this->sad->set(this->sad, sa, message, id->src, id->dst))
	{
		kernel_homeport_core_del_sa(this, *handle, id->spi,
									message->add_sa.flags & KEYING_SA_INBOUND);
		request = 0;
	}
	this->mutex->unlock(this->mutex);
	return request;
}

/**
 * The answer to an ADD_SA
 */
static uint32_t await_answer(kernel_homeport_core_t *this, uint64_t request,
							 uint64_t handle, bool fresh, const char *what)
{
	struct keying_message answer;
	uint32_t status = KEYING_REFUSED;
	bool answered;

	answered = this->link->wait(this->link, request, &answer);
	if (!answered)
	{
		DBG1(DBG_KNL, "homeport: homeport-control did not answer in time, %s "
			 "failed", what);
	}
	else
	{
		status = kernel_homeport_core_status(&answer);
		kernel_homeport_core_note_lag(this, status);
		if (kernel_homeport_core_is_good(status))
		{
			return status;
		}
		kernel_homeport_core_log(what, &answer);
	}
	if (fresh)
	{
		undo_add_sa(this, handle, answered);
	}
	return status;
}

/**
 * What became of the inbound SA that this thread added before: what is refused
 * is answered before what was sent later is in force
 */
static uint32_t inbound_status(kernel_homeport_core_t *this)
{
	uint32_t spi = (uintptr_t)this->inbound->get(this->inbound);
	kernel_homeport_sa_t *sa;
	uint32_t status = KEYING_OK;

	this->inbound->set(this->inbound, NULL);
	if (spi)
	{
		this->mutex->lock(this->mutex);
		sa = this->sad->find_inbound(this->sad, spi);
		status = sa ? sa->refused : KEYING_OK;
		this->mutex->unlock(this->mutex);
	}
	return status;
}

/**
 * Add what was built
 */
static status_t add_built(kernel_homeport_core_t *this,
						  kernel_ipsec_sa_id_t *id,
						  struct keying_message *message, const char *what)
{
	bool inbound = message->add_sa.flags & KEYING_SA_INBOUND, fresh, wait;
	uint64_t request, handle;
	uint32_t status, other;

	request = queue_add_sa(this, id, message, &fresh, &handle, &wait);
	if (!request)
	{
		DBG1(DBG_KNL, "homeport: %s failed", what);
		return FAILED;
	}
	if (inbound)
	{
		this->inbound->set(this->inbound, wait ? NULL
											   : (void*)(uintptr_t)id->spi);
	}
	if (!wait)
	{	/* kernel_homeport_core_answer() sees to it */
		return SUCCESS;
	}
	status = await_answer(this, request, handle, fresh, what);
	other = inbound ? KEYING_OK : inbound_status(this);
	if (kernel_homeport_core_is_good(status) &&
		!kernel_homeport_core_is_good(other))
	{
		undo_add_sa(this, handle, FALSE);
		status = other;
	}
	return convert_status(status);
}

/*
 * see header file
 */
status_t kernel_homeport_add_sa(kernel_homeport_core_t *this,
								kernel_ipsec_sa_id_t *id,
								kernel_ipsec_add_sa_t *data)
{
	struct keying_message message = {};
	status_t status = NOT_SUPPORTED;
	char what[64];

	snprintf(what, sizeof(what), "%s SA %.8x", data->inbound ? "inbound" :
			 "outbound", ntohl(id->spi));
	if (is_unsupported(id, data))
	{
		return NOT_SUPPORTED;
	}
	if (!kernel_homeport_core_is_usable(this, what))
	{
		return FAILED;
	}
	if (build_add_sa(this, id, data, &message))
	{
		status = add_built(this, id, &message, what);
	}
	memwipe(&message, sizeof(message));
	return status;
}
