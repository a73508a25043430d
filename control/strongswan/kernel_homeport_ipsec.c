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
#include "kernel_homeport_add_sa.h"
#include "kernel_homeport_core.h"
#include "kernel_homeport_events.h"
#include "kernel_homeport_policies.h"
#include "kernel_homeport_sas.h"

#include <daemon.h>
#include <collections/array.h>
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
	 * what the calls share
	 */
	kernel_homeport_core_t core;

	/**
	 * ports on which charon expects ESP in UDP, as struct keying_udp_port;
	 * locked as all of it
	 */
	array_t *ports;
};

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
	if (this->core.link->get_state(this->core.link) == LINK_DOWN)
	{
		DBG1(DBG_KNL, "homeport: not connected to homeport-control, no SPI");
		return FAILED;
	}
	if (!this->core.spis->take(this->core.spis, spi))
	{
		DBG1(DBG_KNL, "homeport: no SPI, homeport-control lends none");
		return FAILED;
	}
	this->core.mutex->lock(this->core.mutex);
	this->core.sad->reserve(this->core.sad, *spi);
	this->core.mutex->unlock(this->core.mutex);
	return SUCCESS;
}

METHOD(kernel_ipsec_t, get_cpi, status_t,
	private_kernel_homeport_ipsec_t *this, host_t *src, host_t *dst,
	uint16_t *cpi)
{
	DBG1(DBG_KNL, "homeport: IPComp is not supported");
	return NOT_SUPPORTED;
}

METHOD(kernel_ipsec_t, add_sa, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_sa_id_t *id,
	kernel_ipsec_add_sa_t *data)
{
	return kernel_homeport_add_sa(&this->core, id, data);
}

METHOD(kernel_ipsec_t, update_sa, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_sa_id_t *id,
	kernel_ipsec_update_sa_t *data)
{
	return kernel_homeport_sas_update(&this->core, id, data);
}

METHOD(kernel_ipsec_t, query_sa, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_sa_id_t *id,
	kernel_ipsec_query_sa_t *data, uint64_t *bytes, uint64_t *packets,
	time_t *time)
{
	return kernel_homeport_sas_query(&this->core, id, bytes, packets, time);
}

METHOD(kernel_ipsec_t, del_sa, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_sa_id_t *id,
	kernel_ipsec_del_sa_t *data)
{
	return kernel_homeport_sas_del(&this->core, id);
}

/**
 * Queue a request that is nothing but its type; its id
 */
static uint64_t send_bare(private_kernel_homeport_ipsec_t *this, uint16_t type)
{
	struct keying_message message = { .header.type = type };

	return this->core.link->send(this->core.link, &message, 0, FALSE);
}

METHOD(kernel_ipsec_t, flush_sas, status_t,
	private_kernel_homeport_ipsec_t *this)
{
	this->core.mutex->lock(this->core.mutex);
	this->core.sad->flush(this->core.sad);
	this->core.spis->flush(this->core.spis);
	send_bare(this, KEYING_FLUSH_SAS);
	this->core.mutex->unlock(this->core.mutex);
	return SUCCESS;
}

METHOD(kernel_ipsec_t, add_policy, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_policy_id_t *id,
	kernel_ipsec_manage_policy_t *data)
{
	return kernel_homeport_policies_add(&this->core, id, data);
}

METHOD(kernel_ipsec_t, query_policy, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_policy_id_t *id,
	kernel_ipsec_query_policy_t *data, time_t *use_time)
{
	return kernel_homeport_policies_query(&this->core, id, use_time);
}

METHOD(kernel_ipsec_t, del_policy, status_t,
	private_kernel_homeport_ipsec_t *this, kernel_ipsec_policy_id_t *id,
	kernel_ipsec_manage_policy_t *data)
{
	return kernel_homeport_policies_del(&this->core, id, data);
}

METHOD(kernel_ipsec_t, flush_policies, status_t,
	private_kernel_homeport_ipsec_t *this)
{
	this->core.mutex->lock(this->core.mutex);
	this->core.spd->flush(this->core.spd);
	send_bare(this, KEYING_FLUSH_POLICIES);
	this->core.mutex->unlock(this->core.mutex);
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

	this->core.mutex->lock(this->core.mutex);
	array_insert(this->ports, ARRAY_TAIL, &message.udp_port);
	this->core.link->send(this->core.link, &message, port, FALSE);
	this->core.mutex->unlock(this->core.mutex);
	return TRUE;
}

/**
 * Whose handler it is
 */
static private_kernel_homeport_ipsec_t *from_handler(
										kernel_homeport_handler_t *handler)
{
	return (private_kernel_homeport_ipsec_t*)((char*)handler -
							offsetof(private_kernel_homeport_ipsec_t, handler));
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

	this = from_handler(handler);
	this->core.mutex->lock(this->core.mutex);
	this->core.replay_window_max = welcome->replay_window_max;
	this->core.lagging = !welcome->dataplane;
	send_bare(this, KEYING_REPLAY_BEGIN);
	sas = this->core.sad->replay(this->core.sad, this->core.link);
	policies = this->core.spd->replay(this->core.spd, this->core.link);
	this->core.sad->replay_moves(this->core.sad, this->core.link);
	this->core.replayed = send_bare(this, KEYING_REPLAY_END);
	for (i = 0; i < array_count(this->ports); i++)
	{
		array_get(this->ports, i, &message.udp_port);
		this->core.link->send(this->core.link, &message,
						 ntohs(message.udp_port.port), FALSE);
	}
	this->core.spis->restart(this->core.spis, welcome->spi_block);
	this->core.mutex->unlock(this->core.mutex);
	DBG1(DBG_KNL, "homeport: connected to homeport-control%s, told of %u SAs "
		 "and %u policies", welcome->dataplane ? "" :
		 " (it has no dataplane now)", sas, policies);
}

/**
 * Implementation of kernel_homeport_handler_t.answer
 */
static void handle_answer(kernel_homeport_handler_t *handler, uint16_t type,
						  uint64_t context, const struct keying_message *answer)
{
	private_kernel_homeport_ipsec_t *this = from_handler(handler);

	if (type == KEYING_LEASE_SPIS)
	{
		this->core.spis->answer(this->core.spis, answer);
	}
	else
	{
		kernel_homeport_core_answer(&this->core, type, context, answer);
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

	this = from_handler(handler);
	if (event->header.type == KEYING_EXPIRE && !event->expire.hard)
	{
		this->core.mutex->lock(this->core.mutex);
		sa = this->core.sad->find_handle(this->core.sad, event->expire.sa.handle);
		if (sa)
		{
			sa->soft_expired = TRUE;
		}
		this->core.mutex->unlock(this->core.mutex);
	}
	kernel_homeport_events_raise(event);
}

METHOD(kernel_ipsec_t, destroy, void,
	private_kernel_homeport_ipsec_t *this)
{
	DESTROY_IF(this->core.link);
	DESTROY_IF(this->core.spis);
	DESTROY_IF(this->core.sad);
	DESTROY_IF(this->core.spd);
	array_destroy(this->ports);
	this->core.inbound->destroy(this->core.inbound);
	this->core.mutex->destroy(this->core.mutex);
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

/**
 * The parts that need no connection, by the settings
 */
static void init_core(kernel_homeport_core_t *core)
{
	core->inbound = thread_value_create(NULL);
	core->mutex = mutex_create(MUTEX_TYPE_DEFAULT);
	core->sad = kernel_homeport_sad_create();
	core->spd = kernel_homeport_spd_create();
	core->replay_window = lib->settings->get_int(lib->settings,
							"%s.plugins.kernel-homeport.replay_window",
							REPLAY_WINDOW_DEFAULT, lib->ns);
	core->soft_bytes = limit_setting("soft_bytes", SOFT_BYTES_DEFAULT);
	core->soft_packets = limit_setting("soft_packets", SOFT_PACKETS_DEFAULT);
	core->ignore_mappings = lib->settings->get_str(lib->settings,
							"%s.plugins.kernel-homeport.ignore_mappings", NULL,
							lib->ns);
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
		.ports = array_create(sizeof(struct keying_udp_port), 0),
	);
	init_core(&this->core);
	timeout = lib->settings->get_int(lib->settings,
							"%s.plugins.kernel-homeport.timeout",
							TIMEOUT_DEFAULT, lib->ns);
	this->core.link = kernel_homeport_link_create(
					lib->settings->get_str(lib->settings,
							"%s.plugins.kernel-homeport.socket", KEYING_PATH,
							lib->ns),
					timeout, instance, &this->handler);
	if (!this->core.link)
	{
		destroy(this);
		return NULL;
	}
	this->core.spis = kernel_homeport_spis_create(this->core.link, timeout);
	this->core.link->start(this->core.link);
	return &this->public;
}
