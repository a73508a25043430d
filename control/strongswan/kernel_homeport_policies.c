/*
 * Policies of charon's, in the protocol's words.
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

#include "kernel_homeport_policies.h"
#include "kernel_homeport_convert.h"

#include <utils/debug.h>

/**
 * Whether homeport does not have the like; says so
 */
static bool is_unsupported(kernel_ipsec_policy_id_t *id)
{
	if (id->mark.value || id->mark.mask || id->if_id || id->interface ||
		id->label)
	{
		DBG1(DBG_KNL, "homeport: policy %R === %R %N refused: marks, "
			 "interfaces and labels are not supported", id->src_ts, id->dst_ts,
			 policy_dir_names, id->dir);
		return TRUE;
	}
	return FALSE;
}

/**
 * The direction of a policy
 */
static uint16_t direction_of(kernel_ipsec_policy_id_t *id)
{
	return id->dir == POLICY_IN ? KEYING_IN :
		   id->dir == POLICY_OUT ? KEYING_OUT : KEYING_FORWARD;
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
	if (is_unsupported(id))
	{
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
		.direction = direction_of(id),
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

/**
 * Keep and queue an ADD_POLICY
 *
 * @param wait		set to whether to wait
 * @return			id of the request, 0 if there is no connection
 */
static uint64_t queue_add_policy(kernel_homeport_core_t *this,
								 kernel_ipsec_manage_policy_t *data,
								 struct keying_message *message, bool *wait)
{
	struct keying_policy *policy = &message->policy;
	kernel_ipsec_sa_id_t sa_id = {
		.src = data->src,
		.dst = data->dst,
		.spi = policy->spi,
	};
	kernel_homeport_sa_t *sa = NULL;
	uint64_t request, number;

	this->mutex->lock(this->mutex);
	if (policy->direction == KEYING_OUT && policy->spi)
	{
		sa = this->sad->find(this->sad, &sa_id);
	}
	policy->handle = sa ? sa->handle : 0;
	/* of an SA: behind it in one queue, and the SA goes if it is refused.
	 * Who sets up a trap or a shunt wants to hear of it, once for IN and FWD */
	*wait = !this->lagging && !policy->spi &&
			policy->direction != KEYING_FORWARD;
	number = this->spd->add(this->spd, policy);
	request = this->link->send(this->link, message, number, *wait);
	this->mutex->unlock(this->mutex);
	return request;
}

/*
 * see header file
 */
status_t kernel_homeport_policies_add(kernel_homeport_core_t *this,
									kernel_ipsec_policy_id_t *id,
									kernel_ipsec_manage_policy_t *data)
{
	struct keying_message message = { .header.type = KEYING_ADD_POLICY }, answer;
	uint64_t request;
	uint32_t status;
	char what[256];
	bool wait;

	if (!build_policy(id, data, &message.policy))
	{
		return NOT_SUPPORTED;
	}
	if (is_forward_out(&message.policy))
	{
		return SUCCESS;
	}
	request = queue_add_policy(this, data, &message, &wait);
	/* kept without control too: shunts and traps are told of but once */
	if (!request || !wait || !this->link->wait(this->link, request, &answer))
	{
		return SUCCESS;
	}
	status = kernel_homeport_core_status(&answer);
	kernel_homeport_core_note_lag(this, status);
	if (!kernel_homeport_core_is_good(status))
	{
		snprintf(what, sizeof(what), "policy %R === %R %N", id->src_ts,
				 id->dst_ts, policy_dir_names, id->dir);
		kernel_homeport_core_log(what, &answer);
		this->mutex->lock(this->mutex);
		this->spd->remove(this->spd, &message.policy);
		this->mutex->unlock(this->mutex);
	}
	return convert_status(status);
}

/*
 * see header file
 */
status_t kernel_homeport_policies_query(kernel_homeport_core_t *this,
									  kernel_ipsec_policy_id_t *id,
									  time_t *use_time)
{
	struct keying_message message = { .header.type = KEYING_QUERY_POLICY };
	struct keying_message answer;
	uint64_t request = 0;
	bool found;

	if (is_unsupported(id))
	{
		return NOT_SUPPORTED;
	}
	message.policy.direction = direction_of(id);
	message.policy.source_ts = convert_selector(id->src_ts);
	message.policy.destination_ts = convert_selector(id->dst_ts);
	this->mutex->lock(this->mutex);
	found = this->spd->newest(this->spd, &message.policy);
	this->mutex->unlock(this->mutex);
	if (!found)
	{
		return NOT_FOUND;
	}
	if (this->link->get_state(this->link) == LINK_UP)
	{
		request = this->link->send(this->link, &message, 0, TRUE);
	}
	if (!this->link->wait(this->link, request, &answer) ||
		answer.header.type != KEYING_POLICY_STATE)
	{	/* charon goes on with the time that it knows */
		return FAILED;
	}
	*use_time = (time_t)answer.policy_state.last_use_s;
	return SUCCESS;
}

/*
 * see header file
 */
status_t kernel_homeport_policies_del(kernel_homeport_core_t *this,
									kernel_ipsec_policy_id_t *id,
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
