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

#include "kernel_homeport_sad.h"

#include <collections/hashtable.h>
#include <utils/debug.h>

typedef struct private_kernel_homeport_sad_t private_kernel_homeport_sad_t;

/**
 * private data of the associations
 */
struct private_kernel_homeport_sad_t {

	/**
	 * public interface
	 */
	kernel_homeport_sad_t public;

	/**
	 * SPI as pointer => first kernel_homeport_sa_t
	 */
	hashtable_t *by_spi;

	/**
	 * handle as pointer => kernel_homeport_sa_t
	 */
	hashtable_t *by_handle;
};

/**
 * An SPI as key
 */
static void *spi_key(uint32_t spi)
{
	return (void*)(uintptr_t)spi;
}

/**
 * A handle as key
 */
static void *handle_key(uint64_t handle)
{
	return (void*)(uintptr_t)handle;
}

/**
 * Free an entry
 */
static void sa_destroy(kernel_homeport_sa_t *sa)
{
	chunk_clear(&sa->message);
	DESTROY_IF(sa->src);
	DESTROY_IF(sa->dst);
	free(sa);
}

/**
 * Put a new entry in front of those with its SPI
 */
static void insert(private_kernel_homeport_sad_t *this,
				   kernel_homeport_sa_t *sa)
{
	sa->next = this->by_spi->get(this->by_spi, spi_key(sa->spi));
	this->by_spi->put(this->by_spi, spi_key(sa->spi), sa);
}

METHOD(kernel_homeport_sad_t, reserve, void,
	private_kernel_homeport_sad_t *this, uint32_t spi)
{
	kernel_homeport_sa_t *sa;

	INIT(sa,
		.spi = spi,
		.inbound = TRUE,
		.reserved = TRUE,
	);
	insert(this, sa);
}

METHOD(kernel_homeport_sad_t, find_inbound, kernel_homeport_sa_t*,
	private_kernel_homeport_sad_t *this, uint32_t spi)
{
	kernel_homeport_sa_t *sa;

	for (sa = this->by_spi->get(this->by_spi, spi_key(spi)); sa; sa = sa->next)
	{
		if (sa->inbound)
		{
			return sa;
		}
	}
	return NULL;
}

METHOD(kernel_homeport_sad_t, find_outbound, kernel_homeport_sa_t*,
	private_kernel_homeport_sad_t *this, uint32_t spi, host_t *src,
	host_t *dst)
{
	kernel_homeport_sa_t *sa;

	for (sa = this->by_spi->get(this->by_spi, spi_key(spi)); sa; sa = sa->next)
	{
		if (!sa->inbound && src->equals(src, sa->src) &&
			dst->equals(dst, sa->dst))
		{
			return sa;
		}
	}
	return NULL;
}

/**
 * How well an entry fits addresses
 */
static int fit(kernel_homeport_sa_t *sa, host_t *src, host_t *dst)
{
	if (!sa->src)
	{	/* no keys, no addresses */
		return 1;
	}
	return 4 * dst->ip_equals(dst, sa->dst) + 4 * src->ip_equals(src, sa->src) +
		   (dst->get_port(dst) == sa->dst->get_port(sa->dst)) +
		   (src->get_port(src) == sa->src->get_port(sa->src));
}

METHOD(kernel_homeport_sad_t, find_, kernel_homeport_sa_t*,
	private_kernel_homeport_sad_t *this, kernel_ipsec_sa_id_t *id)
{
	kernel_homeport_sa_t *sa, *best = NULL;
	int current, score = -1;

	for (sa = this->by_spi->get(this->by_spi, spi_key(id->spi)); sa;
		 sa = sa->next)
	{
		current = fit(sa, id->src, id->dst);
		if (current > score)
		{
			score = current;
			best = sa;
		}
	}
	return best;
}

METHOD(kernel_homeport_sad_t, find_handle, kernel_homeport_sa_t*,
	private_kernel_homeport_sad_t *this, uint64_t handle)
{
	return this->by_handle->get(this->by_handle, handle_key(handle));
}

/**
 * Keep an ADD_SA
 */
static bool keep_message(kernel_homeport_sa_t *sa,
						 struct keying_message *add_sa)
{
	uint8_t octets[KEYING_MESSAGE_MAX];
	size_t length;

	length = keying_encode(add_sa, octets);
	if (length)
	{
		chunk_clear(&sa->message);
		sa->message = chunk_clone(chunk_create(octets, length));
	}
	memwipe(octets, sizeof(octets));
	return length != 0;
}

/**
 * Replace an address
 */
static void set_host(host_t **field, host_t *host)
{
	host = host->clone(host);
	DESTROY_IF(*field);
	*field = host;
}

METHOD(kernel_homeport_sad_t, set, kernel_homeport_sa_t*,
	private_kernel_homeport_sad_t *this, kernel_homeport_sa_t *sa,
	struct keying_message *add_sa, host_t *src, host_t *dst)
{
	struct keying_add_sa *data = &add_sa->add_sa;
	kernel_homeport_sa_t *fresh = NULL;

	if (!sa)
	{
		INIT(fresh,
			.spi = data->spi,
			.inbound = (data->flags & KEYING_SA_INBOUND) != 0,
		);
		sa = fresh;
	}
	if (!keep_message(sa, add_sa))
	{
		free(fresh);
		return NULL;
	}
	if (fresh)
	{
		insert(this, fresh);
	}
	sa->handle = data->handle;
	sa->refused = KEYING_OK;
	sa->proxy = data->mode == KEYING_TRANSPORT && !data->source.port &&
				!data->destination.port;
	sa->added = time_monotonic(NULL);
	sa->moved = FALSE;
	sa->update.reqid = 0;
	set_host(&sa->src, src);
	set_host(&sa->dst, dst);
	this->by_handle->put(this->by_handle, handle_key(sa->handle), sa);
	return sa;
}

METHOD(kernel_homeport_sad_t, unset, void,
	private_kernel_homeport_sad_t *this, kernel_homeport_sa_t *sa)
{
	this->by_handle->remove(this->by_handle, handle_key(sa->handle));
	chunk_clear(&sa->message);
	sa->handle = 0;
	DESTROY_IF(sa->src);
	DESTROY_IF(sa->dst);
	sa->src = sa->dst = NULL;
}

/**
 * Whether one of the selectors is an end alone
 */
static bool has_end(const struct keying_selectors *selectors,
					const struct ip_address *end)
{
	u_int i;

	for (i = 0; i < selectors->count; i++)
	{
		if (ip_address_equal(&selectors->of[i].first, end) &&
			ip_address_equal(&selectors->of[i].last, end))
		{
			return TRUE;
		}
	}
	return FALSE;
}

/**
 * TRN-13: charon calls such an SA and its policies by the selectors that they
 * had at first, whatever their ends are now. So the first ADD_SA is kept.
 */
static bool keep_move(kernel_homeport_sa_t *sa,
					  const struct keying_add_sa *add_sa,
					  const struct keying_update_sa *update)
{
	uint32_t reqid = update->reqid ? update->reqid : sa->update.reqid;

	sa->moved = sa->moved ||
				has_end(&add_sa->source_ts, &add_sa->source.address) ||
				has_end(&add_sa->destination_ts, &add_sa->destination.address);
	sa->update = *update;
	sa->update.reqid = reqid;
	return sa->moved;
}

METHOD(kernel_homeport_sad_t, move, void,
	private_kernel_homeport_sad_t *this, kernel_homeport_sa_t *sa,
	const struct keying_update_sa *update, host_t *src, host_t *dst)
{
	struct keying_message message;
	const char *reason;

	if (keying_decode(sa->message.ptr, sa->message.len, &message,
					  &reason) == KEYING_OK &&
		!keep_move(sa, &message.add_sa, update))
	{
		message.add_sa.source = update->source;
		message.add_sa.destination = update->destination;
		message.add_sa.flags &= ~KEYING_SA_ENCAP;
		message.add_sa.flags |= update->flags & KEYING_SA_ENCAP;
		if (update->reqid)
		{
			message.add_sa.reqid = update->reqid;
		}
		keep_message(sa, &message);
	}
	memwipe(&message, sizeof(message));
	set_host(&sa->src, src);
	set_host(&sa->dst, dst);
}

METHOD(kernel_homeport_sad_t, remove_, void,
	private_kernel_homeport_sad_t *this, kernel_homeport_sa_t *sa)
{
	kernel_homeport_sa_t *first, **link;

	if (sa->handle)
	{
		this->by_handle->remove(this->by_handle, handle_key(sa->handle));
	}
	first = this->by_spi->remove(this->by_spi, spi_key(sa->spi));
	for (link = &first; *link; link = &(*link)->next)
	{
		if (*link == sa)
		{
			*link = sa->next;
			break;
		}
	}
	if (first)
	{
		this->by_spi->put(this->by_spi, spi_key(sa->spi), first);
	}
	sa_destroy(sa);
}

METHOD(kernel_homeport_sad_t, flush, void,
	private_kernel_homeport_sad_t *this)
{
	enumerator_t *enumerator;
	kernel_homeport_sa_t *sa, *next;
	void *key;

	enumerator = this->by_spi->create_enumerator(this->by_spi);
	while (enumerator->enumerate(enumerator, &key, &sa))
	{
		this->by_spi->remove_at(this->by_spi, enumerator);
		for (; sa; sa = next)
		{
			next = sa->next;
			if (sa->handle)
			{
				this->by_handle->remove(this->by_handle,
										handle_key(sa->handle));
			}
			sa_destroy(sa);
		}
	}
	enumerator->destroy(enumerator);
}

/**
 * What is left of a time that began `elapsed` ago; 0 stays: no limit
 */
static uint64_t left(uint64_t seconds, time_t elapsed)
{
	if (!seconds)
	{
		return 0;
	}
	return seconds > elapsed ? seconds - elapsed : 1;
}

/**
 * Send the ADD_SA of an entry
 */
static void replay_sa(kernel_homeport_sa_t *sa, kernel_homeport_link_t *link)
{
	struct keying_message message;
	struct keying_lifetime *lifetime = &message.add_sa.lifetime;
	time_t elapsed = time_monotonic(NULL) - sa->added;
	const char *reason;

	if (keying_decode(sa->message.ptr, sa->message.len, &message,
					  &reason) == KEYING_OK)
	{
		message.add_sa.flags |= KEYING_SA_RESUME;
		lifetime->hard_s = left(lifetime->hard_s, elapsed);
		lifetime->soft_s = sa->soft_expired ? 0
											: left(lifetime->soft_s, elapsed);
		link->send(link, &message, sa->handle, FALSE);
	}
	memwipe(&message, sizeof(message));
}

METHOD(kernel_homeport_sad_t, replay, u_int,
	private_kernel_homeport_sad_t *this, kernel_homeport_link_t *link)
{
	enumerator_t *enumerator;
	kernel_homeport_sa_t *sa;
	u_int count = 0;
	void *key;

	enumerator = this->by_spi->create_enumerator(this->by_spi);
	while (enumerator->enumerate(enumerator, &key, &sa))
	{
		for (; sa; sa = sa->next)
		{
			count++;
			if (sa->handle)
			{
				replay_sa(sa, link);
			}
			else
			{
				struct keying_message message = {
					.header.type = KEYING_CLAIM_SPI,
					.claim_spi.spi = sa->spi,
				};
				link->send(link, &message, 0, FALSE);
			}
		}
	}
	enumerator->destroy(enumerator);
	return count;
}

METHOD(kernel_homeport_sad_t, replay_moves, void,
	private_kernel_homeport_sad_t *this, kernel_homeport_link_t *link)
{
	enumerator_t *enumerator;
	kernel_homeport_sa_t *sa;
	void *key;

	enumerator = this->by_handle->create_enumerator(this->by_handle);
	while (enumerator->enumerate(enumerator, &key, &sa))
	{
		if (sa->moved)
		{
			struct keying_message message = {
				.header.type = KEYING_UPDATE_SA,
				.update_sa = sa->update,
			};
			link->send(link, &message, sa->handle, FALSE);
		}
	}
	enumerator->destroy(enumerator);
}

METHOD(kernel_homeport_sad_t, destroy, void,
	private_kernel_homeport_sad_t *this)
{
	flush(this);
	this->by_spi->destroy(this->by_spi);
	this->by_handle->destroy(this->by_handle);
	free(this);
}

/*
 * see header file
 */
kernel_homeport_sad_t *kernel_homeport_sad_create()
{
	private_kernel_homeport_sad_t *this;

	INIT(this,
		.public = {
			.reserve = _reserve,
			.find_inbound = _find_inbound,
			.find_outbound = _find_outbound,
			.find = _find_,
			.find_handle = _find_handle,
			.set = _set,
			.unset = _unset,
			.move = _move,
			.remove = _remove_,
			.flush = _flush,
			.replay = _replay,
			.replay_moves = _replay_moves,
			.destroy = _destroy,
		},
		.by_spi = hashtable_create(hashtable_hash_ptr, hashtable_equals_ptr,
								   1024),
		.by_handle = hashtable_create(hashtable_hash_ptr, hashtable_equals_ptr,
									  1024),
	);
	return &this->public;
}
