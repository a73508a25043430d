/*
 * charon's IPsec kernel is homeport: every callback, every event.
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

#include "kernel_homeport_ipsec.h"
#include "kernel_homeport_convert.h"
#include "kernel_homeport_events.h"
#include "kernel_homeport_link.h"
#include "kernel_homeport_peer.h"
#include "kernel_homeport_sad.h"
#include "kernel_homeport_spd.h"
#include "kernel_homeport_spis.h"

#include <daemon.h>
#include <collections/array.h>
#include <threading/mutex.h>
#include <utils/debug.h>

/** longest wait of a call in ms; that of control is shorter */
#define TIMEOUT_DEFAULT 150

/** least replay window: charon's default of 32 is too small for a gateway */
#define REPLAY_WINDOW_DEFAULT 1024

/** soft limits of SAs that have none: ESP-ALG-24 */
#define SOFT_BYTES_DEFAULT (1ULL << 40)
#define SOFT_PACKETS_DEFAULT (1ULL << 33)

typedef struct private_kernel_homeport_ipsec_t private_kernel_homeport_ipsec_t;

/**
 * private data of the IPsec interface
 */
struct private_kernel_homeport_ipsec_t {

	/**
	 * public interface
	 */
	kernel_ipsec_t public;

	/**
	 * what the link calls
	 */
	kernel_homeport_handler_t handler;

	/**
	 * connection to control
	 */
	kernel_homeport_link_t *link;

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
	 * leased SPIs
	 */
	kernel_homeport_spis_t *spis;

	/**
	 * ports on which charon expects ESP in UDP, as struct keying_udp_port
	 */
	array_t *ports;

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
 * Tell of a refusal
 */
static void log_status(const char *what, const struct keying_message *answer)
{
	DBG1(DBG_KNL, "homeport: %s refused: %s: %s", what,
		 keying_status_name(answer->status.status), answer->status.text);
}

/**
 * The status in an answer
 */
static uint32_t status_of(const struct keying_message *answer)
{
	return answer->header.type == KEYING_STATUS ? answer->status.status
												: KEYING_OK;
}

/**
 * Note whether the dataplane keeps up; lock is not held
 */
static void note_lag(private_kernel_homeport_ipsec_t *this, uint32_t status)
{
	bool before;

	if (status != KEYING_OK && status != KEYING_ACCEPTED)
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

/**
 * Whether it is worth to ask control now; says why not
 */
static bool is_usable(private_kernel_homeport_ipsec_t *this, const char *what)
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

METHOD(kernel_ipsec_t, get_features, kernel_feature_t,
	private_kernel_homeport_ipsec_t *this)
{
	/* policies name SPIs: a rekeyed outbound SA is used when its policy comes.
	 * Addresses of policies follow those of SAs by themselves: a MOBIKE update
	 * leaves no gap, and SAs of Mobile IPv6 stay where they are */
	return KERNEL_ESP_V3_TFC | KERNEL_POLICY_SPI | KERNEL_NO_POLICY_UPDATES;
}

METHOD(kernel_ipsec_t, get_spi, status_t,
	private_kernel_homeport_ipsec_t *this, host_t *src, host_t *dst,
	uint8_t protocol, uint32_t *spi)
{
	if (protocol != IPPROTO_ESP)
	{
		DBG1(DBG_KNL, "homeport: protocol %u is not supported, ESP alone is",
			 protocol);
		return NOT_SUPPORTED;
	}
	/* the pool is lent by a control that may be stopped: that costs no time */
	if (this->link->get_state(this->link) == LINK_DOWN)
	{
		DBG1(DBG_KNL, "homeport: not connected to homeport-control, no SPI");
		return FAILED;
	}
	if (!this->spis->take(this->spis, spi))
	{
		DBG1(DBG_KNL, "homeport: no SPI, homeport-control lends none");
		return FAILED;
	}
	this->mutex->lock(this->mutex);
	this->sad->reserve(this->sad, *spi);
	this->mutex->unlock(this->mutex);
	return SUCCESS;
}

METHOD(kernel_ipsec_t, get_cpi, status_t,
	private_kernel_homeport_ipsec_t *this, host_t *src, host_t *dst,
	uint16_t *cpi)
{
	DBG1(DBG_KNL, "homeport: IPComp is not supported");
	return NOT_SUPPORTED;
}

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
static bool ignores_mappings(private_kernel_homeport_ipsec_t *this,
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
static bool build_add_sa(private_kernel_homeport_ipsec_t *this,
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
 * Queue a DEL_SA; lock is held
 */
static void send_del_sa(private_kernel_homeport_ipsec_t *this, uint64_t handle,
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
 * An SA that was told to control did not come to be.
 *
 * @param known		TRUE if control said so, else it may hold it
 */
static void undo_add_sa(private_kernel_homeport_ipsec_t *this, uint64_t handle,
						bool was_reserved, bool known)
{
	kernel_homeport_sa_t *sa;

	this->mutex->lock(this->mutex);
	sa = this->sad->find_handle(this->sad, handle);
	if (sa)
	{
		if (!known)
		{
			send_del_sa(this, handle, sa->spi, sa->inbound);
		}
		if (known && was_reserved)
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
 * Keep and queue an ADD_SA
 *
 * @param fresh		set to TRUE if there was no such SA
 * @param reserved	set to TRUE if its SPI was in hand
 * @param handle	set to its number
 * @param wait		in: FALSE not to wait; out: whether to wait
 * @return			id of the request, 0 if it could not be queued
 */
static uint64_t queue_add_sa(private_kernel_homeport_ipsec_t *this,
							 kernel_ipsec_sa_id_t *id,
							 struct keying_message *message, bool *fresh,
							 bool *reserved, uint64_t *handle, bool *wait)
{
	kernel_homeport_sa_t *sa;
	uint64_t request = 0;

	this->mutex->lock(this->mutex);
	sa = message->add_sa.flags & KEYING_SA_INBOUND ?
			this->sad->find_inbound(this->sad, id->spi) :
			this->sad->find_outbound(this->sad, id->spi, id->src, id->dst);
	*reserved = sa && !sa->handle;
	*fresh = !sa || *reserved;
	*wait = !this->lagging;
	if (*fresh)
	{
		*handle = ++this->handle;
	}
	else
	{	/* the same again, or other keys: control tells these apart (KIF-10) */
		*handle = sa->handle;
	}
	message->add_sa.handle = *handle;
	request = this->link->send(this->link, message, *handle, *wait);
	if (request && *fresh &&
		!this->sad->set(this->sad, sa, message, id->src, id->dst))
	{
		send_del_sa(this, *handle, id->spi,
					message->add_sa.flags & KEYING_SA_INBOUND);
		request = 0;
	}
	this->mutex->unlock(this->mutex);
	return request;
}

METHOD(kernel_ipsec_t, add_sa, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_sa_id_t *id,
	kernel_ipsec_add_sa_t *data)
{
	struct keying_message message = {}, answer;
	bool fresh, reserved, wait;
	uint64_t request, handle;
	uint32_t status;
	char what[64];

	snprintf(what, sizeof(what), "%s SA %.8x", data->inbound ? "inbound" :
			 "outbound", ntohl(id->spi));
	if (is_unsupported(id, data))
	{
		return NOT_SUPPORTED;
	}
	if (!is_usable(this, what))
	{
		return FAILED;
	}
	if (!build_add_sa(this, id, data, &message))
	{
		memwipe(&message, sizeof(message));
		return NOT_SUPPORTED;
	}
	request = queue_add_sa(this, id, &message, &fresh, &reserved, &handle,
						   &wait);
	memwipe(&message, sizeof(message));
	if (!request)
	{
		DBG1(DBG_KNL, "homeport: %s failed", what);
		return FAILED;
	}
	if (!wait)
	{	/* handle_answer() sees to it */
		return SUCCESS;
	}
	if (!this->link->wait(this->link, request, &answer))
	{
		DBG1(DBG_KNL, "homeport: homeport-control did not answer in time, %s "
			 "failed", what);
		if (fresh)
		{
			undo_add_sa(this, handle, reserved, FALSE);
		}
		return FAILED;
	}
	status = status_of(&answer);
	note_lag(this, status);
	if (status != KEYING_OK && status != KEYING_ACCEPTED)
	{
		log_status(what, &answer);
		if (fresh)
		{
			undo_add_sa(this, handle, reserved, TRUE);
		}
	}
	return convert_status(status);
}

METHOD(kernel_ipsec_t, update_sa, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_sa_id_t *id,
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
			note_lag(this, status_of(&answer));
			this->handler.answer(&this->handler, KEYING_UPDATE_SA, handle,
								 &answer);
			status = convert_status(status_of(&answer));
		}
		else
		{
			DBG1(DBG_KNL, "homeport: homeport-control did not answer the move "
				 "of SA %.8x in time", ntohl(id->spi));
		}
	}
	return status == NOT_SUPPORTED ? FAILED : status;
}

METHOD(kernel_ipsec_t, query_sa, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_sa_id_t *id,
	kernel_ipsec_query_sa_t *data, uint64_t *bytes, uint64_t *packets,
	time_t *time)
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

METHOD(kernel_ipsec_t, del_sa, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_sa_id_t *id,
	kernel_ipsec_del_sa_t *data)
{
	kernel_homeport_sa_t *sa;

	this->mutex->lock(this->mutex);
	sa = this->sad->find(this->sad, id);
	if (sa)
	{
		send_del_sa(this, sa->handle, sa->spi, sa->inbound);
		this->sad->remove(this->sad, sa);
	}
	this->mutex->unlock(this->mutex);
	return sa ? SUCCESS : NOT_FOUND;
}

/**
 * Queue a request that is nothing but its type; its id
 */
static uint64_t send_bare(private_kernel_homeport_ipsec_t *this, uint16_t type)
{
	struct keying_message message = { .header.type = type };

	return this->link->send(this->link, &message, 0, FALSE);
}

METHOD(kernel_ipsec_t, flush_sas, status_t,
	private_kernel_homeport_ipsec_t *this)
{
	this->mutex->lock(this->mutex);
	this->sad->flush(this->sad);
	this->spis->flush(this->spis);
	send_bare(this, KEYING_FLUSH_SAS);
	this->mutex->unlock(this->mutex);
	return SUCCESS;
}

/**
 * Say in the protocol's words which policy charon means.
 *
 * @return			FALSE if homeport does not have the like; said in the log
 */
static bool build_policy(kernel_ipsec_policy_id_t *id,
						 kernel_ipsec_manage_policy_t *data,
						 struct keying_policy *policy)
{
	if (id->mark.value || id->mark.mask || id->if_id || id->interface ||
		id->label)
	{
		DBG1(DBG_KNL, "homeport: policy %R === %R %N refused: marks, "
			 "interfaces and labels are not supported", id->src_ts, id->dst_ts,
			 policy_dir_names, id->dir);
		return FALSE;
	}
	if (data->sa->ah.use || data->sa->ipcomp.transform != IPCOMP_NONE)
	{
		DBG1(DBG_KNL, "homeport: policy %R === %R %N refused: AH and IPComp "
			 "are not supported", id->src_ts, id->dst_ts, policy_dir_names,
			 id->dir);
		return FALSE;
	}
	*policy = (struct keying_policy){
		.reqid = data->sa->reqid,
		.direction = id->dir == POLICY_IN ? KEYING_IN :
					 id->dir == POLICY_OUT ? KEYING_OUT : KEYING_FORWARD,
		.action = data->type == POLICY_PASS ? KEYING_PASS :
				  data->type == POLICY_DROP ? KEYING_DROP : KEYING_PROTECT,
		.priority = data->prio == POLICY_PRIORITY_PASS ? KEYING_PRIORITY_PASS :
			data->prio == POLICY_PRIORITY_ROUTED ? KEYING_PRIORITY_ROUTED :
			data->prio == POLICY_PRIORITY_FALLBACK ? KEYING_PRIORITY_FALLBACK :
			KEYING_PRIORITY_DEFAULT,
		.manual_priority = data->manual_prio,
		.source = convert_address(data->src),
		.destination = convert_address(data->dst),
		.source_ts = convert_selector(id->src_ts),
		.destination_ts = convert_selector(id->dst_ts),
	};
	if (data->type == POLICY_IPSEC)
	{
		policy->spi = data->sa->esp.use ? data->sa->esp.spi : 0;
		policy->mode = data->sa->mode == MODE_TRANSPORT ? KEYING_TRANSPORT
														: KEYING_TUNNEL;
	}
	return TRUE;
}

/**
 * An "outbound" FWD policy excepts forwarded packets from discards in
 * Linux, where FWD looks at them a second time; homeport looks once (KIF-19)
 */
static bool is_forward_out(const struct keying_policy *policy)
{
	return policy->direction == KEYING_FORWARD &&
		   policy->action == KEYING_PROTECT && !policy->reqid;
}

METHOD(kernel_ipsec_t, add_policy, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_policy_id_t *id,
	kernel_ipsec_manage_policy_t *data)
{
	struct keying_message message = { .header.type = KEYING_ADD_POLICY }, answer;
	struct keying_policy *policy = &message.policy;
	kernel_homeport_sa_t *sa;
	uint64_t request;
	uint32_t status;
	bool wait;
	char what[256];

	if (!build_policy(id, data, policy))
	{
		return NOT_SUPPORTED;
	}
	if (is_forward_out(policy))
	{
		return SUCCESS;
	}
	snprintf(what, sizeof(what), "policy %R === %R %N", id->src_ts, id->dst_ts,
			 policy_dir_names, id->dir);

	this->mutex->lock(this->mutex);
	if (policy->direction == KEYING_OUT && policy->spi)
	{
		kernel_ipsec_sa_id_t sa_id = {
			.src = data->src,
			.dst = data->dst,
			.spi = policy->spi,
		};

		sa = this->sad->find(this->sad, &sa_id);
		policy->handle = sa ? sa->handle : 0;
	}
	/* one with IN of the same selectors, whose answer was waited for */
	wait = !this->lagging && policy->direction != KEYING_FORWARD;
	this->spd->add(this->spd, policy);
	request = this->link->send(this->link, &message, 0, wait);
	this->mutex->unlock(this->mutex);

	/* kept without control too: shunts and traps are told of but once. An SA
	 * that failed takes its policies with it */
	if (!request || !wait || !this->link->wait(this->link, request, &answer))
	{
		return SUCCESS;
	}
	status = status_of(&answer);
	note_lag(this, status);
	if (status == KEYING_OK || status == KEYING_ACCEPTED)
	{
		return SUCCESS;
	}
	log_status(what, &answer);
	this->mutex->lock(this->mutex);
	this->spd->remove(this->spd, policy);
	this->mutex->unlock(this->mutex);
	return convert_status(status);
}

METHOD(kernel_ipsec_t, query_policy, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_policy_id_t *id,
	kernel_ipsec_query_policy_t *data, time_t *use_time)
{
	/* the times of SAs are told by query_sa(), those of policies are not
	 * kept: charon does without (KIF) */
	return NOT_SUPPORTED;
}

METHOD(kernel_ipsec_t, del_policy, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_policy_id_t *id,
	kernel_ipsec_manage_policy_t *data)
{
	struct keying_message message = { .header.type = KEYING_DEL_POLICY };
	bool found;

	if (!build_policy(id, data, &message.policy))
	{
		return NOT_SUPPORTED;
	}
	if (is_forward_out(&message.policy))
	{
		return SUCCESS;
	}
	this->mutex->lock(this->mutex);
	found = this->spd->remove(this->spd, &message.policy);
	if (found)
	{
		this->link->send(this->link, &message, 0, FALSE);
	}
	this->mutex->unlock(this->mutex);
	return found ? SUCCESS : NOT_FOUND;
}

METHOD(kernel_ipsec_t, flush_policies, status_t,
	private_kernel_homeport_ipsec_t *this)
{
	this->mutex->lock(this->mutex);
	this->spd->flush(this->spd);
	send_bare(this, KEYING_FLUSH_POLICIES);
	this->mutex->unlock(this->mutex);
	return SUCCESS;
}

METHOD(kernel_ipsec_t, bypass_socket, bool,
	private_kernel_homeport_ipsec_t *this, int fd, int family)
{
	/* IKE reaches charon by the exception TAP and no policy is asked: SPD-15 */
	return TRUE;
}

METHOD(kernel_ipsec_t, enable_udp_decap, bool,
	private_kernel_homeport_ipsec_t *this, int fd, int family, uint16_t port)
{
	struct keying_message message = {
		.header.type = KEYING_UDP_PORT,
		.udp_port = {
			.port = htons(port),
			.family = family == AF_INET6 ? 6 : 4,
		},
	};

	this->mutex->lock(this->mutex);
	array_insert(this->ports, ARRAY_TAIL, &message.udp_port);
	this->link->send(this->link, &message, port, FALSE);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

/**
 * Implementation of kernel_homeport_handler_t.replay
 */
static void handle_replay(kernel_homeport_handler_t *handler,
						  const struct keying_welcome *welcome)
{
	private_kernel_homeport_ipsec_t *this;
	struct keying_message message = { .header.type = KEYING_UDP_PORT };
	u_int sas, policies;
	int i;

	this = (private_kernel_homeport_ipsec_t*)((char*)handler -
							offsetof(private_kernel_homeport_ipsec_t, handler));
	this->mutex->lock(this->mutex);
	this->replay_window_max = welcome->replay_window_max;
	this->lagging = !welcome->dataplane;
	send_bare(this, KEYING_REPLAY_BEGIN);
	sas = this->sad->replay(this->sad, this->link);
	policies = this->spd->replay(this->spd, this->link);
	this->replayed = send_bare(this, KEYING_REPLAY_END);
	for (i = 0; i < array_count(this->ports); i++)
	{
		array_get(this->ports, i, &message.udp_port);
		this->link->send(this->link, &message,
						 ntohs(message.udp_port.port), FALSE);
	}
	this->spis->restart(this->spis, welcome->spi_block);
	this->mutex->unlock(this->mutex);
	DBG1(DBG_KNL, "homeport: connected to homeport-control%s, told of %u SAs "
		 "and %u policies", welcome->dataplane ? "" :
		 " (it has no dataplane now)", sas, policies);
}

/**
 * An SA that charon takes for live is not: have charon delete it
 */
static void give_up(private_kernel_homeport_ipsec_t *this, uint64_t handle)
{
	kernel_homeport_sa_t *sa;
	host_t *dst = NULL;
	uint32_t spi = 0;

	this->mutex->lock(this->mutex);
	sa = this->sad->find_handle(this->sad, handle);
	if (sa)
	{
		spi = sa->spi;
		dst = sa->dst->clone(sa->dst);
	}
	this->mutex->unlock(this->mutex);
	if (dst)
	{
		kernel_homeport_events_give_up(spi, dst);
	}
}

/**
 * Implementation of kernel_homeport_handler_t.answer
 */
static void handle_answer(kernel_homeport_handler_t *handler, uint16_t type,
						  uint64_t context, const struct keying_message *answer)
{
	private_kernel_homeport_ipsec_t *this;
	uint32_t status = status_of(answer);

	this = (private_kernel_homeport_ipsec_t*)((char*)handler -
							offsetof(private_kernel_homeport_ipsec_t, handler));
	if (type == KEYING_LEASE_SPIS)
	{
		this->spis->answer(this->spis, answer);
		return;
	}
	if (status == KEYING_OK || status == KEYING_ACCEPTED)
	{
		if ((type == KEYING_ADD_SA || type == KEYING_ADD_POLICY) &&
			answer->header.id > this->replayed)
		{
			note_lag(this, status);
		}
		return;
	}
	switch (type)
	{
		case KEYING_ADD_SA:
		case KEYING_UPDATE_SA:
			log_status(type == KEYING_ADD_SA ? "SA" : "move of an SA", answer);
			give_up(this, context);
			break;
		case KEYING_DEL_SA:
		case KEYING_DEL_POLICY:
			if (status == KEYING_NOT_FOUND)
			{	/* gone by a hard limit, or never there */
				break;
			}
			/* fall-through */
		default:
			log_status(keying_type_name(type), answer);
			break;
	}
}

/**
 * Implementation of kernel_homeport_handler_t.event
 */
static void handle_event(kernel_homeport_handler_t *handler,
						 const struct keying_message *event)
{
	private_kernel_homeport_ipsec_t *this;
	kernel_homeport_sa_t *sa;

	this = (private_kernel_homeport_ipsec_t*)((char*)handler -
							offsetof(private_kernel_homeport_ipsec_t, handler));
	if (event->header.type == KEYING_EXPIRE && !event->expire.hard)
	{
		this->mutex->lock(this->mutex);
		sa = this->sad->find_handle(this->sad, event->expire.sa.handle);
		if (sa)
		{
			sa->soft_expired = TRUE;
		}
		this->mutex->unlock(this->mutex);
	}
	kernel_homeport_events_raise(event);
}

METHOD(kernel_ipsec_t, destroy, void,
	private_kernel_homeport_ipsec_t *this)
{
	DESTROY_IF(this->link);
	DESTROY_IF(this->spis);
	DESTROY_IF(this->sad);
	DESTROY_IF(this->spd);
	array_destroy(this->ports);
	this->mutex->destroy(this->mutex);
	free(this);
}

/**
 * A limit out of the settings
 */
static uint64_t limit_setting(char *name, uint64_t otherwise)
{
	char *text;

	text = lib->settings->get_str(lib->settings,
						"%s.plugins.kernel-homeport.%s", NULL, lib->ns, name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

/**
 * A number of this process that no other one has
 */
static bool make_instance(uint64_t *instance)
{
	rng_t *rng;
	bool made;

	rng = lib->crypto->create_rng(lib->crypto, RNG_STRONG);
	if (!rng)
	{
		return FALSE;
	}
	made = rng->get_bytes(rng, sizeof(*instance), (uint8_t*)instance);
	*instance |= 1;
	rng->destroy(rng);
	return made;
}

/*
 * see header file
 */
kernel_ipsec_t *kernel_homeport_ipsec_create()
{
	private_kernel_homeport_ipsec_t *this;
	uint64_t instance;
	u_int timeout;

	if (!make_instance(&instance))
	{
		DBG1(DBG_KNL, "homeport: no random numbers");
		return NULL;
	}
	INIT(this,
		.public = {
			.get_features = _get_features,
			.get_spi = _get_spi,
			.get_cpi = _get_cpi,
			.add_sa = _add_sa,
			.update_sa = _update_sa,
			.query_sa = _query_sa,
			.del_sa = _del_sa,
			.flush_sas = _flush_sas,
			.add_policy = _add_policy,
			.query_policy = _query_policy,
			.del_policy = _del_policy,
			.flush_policies = _flush_policies,
			.bypass_socket = _bypass_socket,
			.enable_udp_decap = _enable_udp_decap,
			.destroy = _destroy,
		},
		.handler = {
			.replay = handle_replay,
			.answer = handle_answer,
			.event = handle_event,
		},
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.sad = kernel_homeport_sad_create(),
		.spd = kernel_homeport_spd_create(),
		.ports = array_create(sizeof(struct keying_udp_port), 0),
		.replay_window = lib->settings->get_int(lib->settings,
							"%s.plugins.kernel-homeport.replay_window",
							REPLAY_WINDOW_DEFAULT, lib->ns),
		.soft_bytes = limit_setting("soft_bytes", SOFT_BYTES_DEFAULT),
		.soft_packets = limit_setting("soft_packets", SOFT_PACKETS_DEFAULT),
		.ignore_mappings = lib->settings->get_str(lib->settings,
							"%s.plugins.kernel-homeport.ignore_mappings", NULL,
							lib->ns),
	);
	timeout = lib->settings->get_int(lib->settings,
							"%s.plugins.kernel-homeport.timeout",
							TIMEOUT_DEFAULT, lib->ns);
	this->link = kernel_homeport_link_create(
					lib->settings->get_str(lib->settings,
							"%s.plugins.kernel-homeport.socket", KEYING_PATH,
							lib->ns),
					timeout, instance, &this->handler);
	if (!this->link)
	{
		destroy(this);
		return NULL;
	}
	this->spis = kernel_homeport_spis_create(this->link, timeout);
	this->link->start(this->link);
	return &this->public;
}
