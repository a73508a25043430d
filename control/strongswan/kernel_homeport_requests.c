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

#include "kernel_homeport_requests.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include <collections/hashtable.h>
#include <collections/linked_list.h>
#include <threading/condvar.h>
#include <threading/mutex.h>
#include <utils/debug.h>

typedef struct private_kernel_homeport_requests_t private_kernel_homeport_requests_t;
typedef struct request_t request_t;

/**
 * private data of the requests
 */
struct private_kernel_homeport_requests_t {

	/**
	 * public interface
	 */
	kernel_homeport_requests_t public;

	/**
	 * time-out in ms
	 */
	u_int timeout;

	/**
	 * locks all below
	 */
	mutex_t *mutex;

	/**
	 * socket, -1 if there is none or control did not greet
	 */
	int fd;

	/**
	 * TRUE if too much is unanswered
	 */
	bool overflow;

	/**
	 * last id given to a request; of all connections, a late waiter must not
	 * meet another one's answer
	 */
	uint64_t id;

	/**
	 * encoded requests that the socket did not take yet, as chunk_t*
	 */
	linked_list_t *queue;

	/**
	 * id as pointer => request_t: unanswered, or waited for
	 */
	hashtable_t *by_id;

	/**
	 * unanswered requests by time
	 */
	request_t *first, *last;

	/**
	 * their number
	 */
	u_int unanswered;

	/**
	 * how many there may be: a replay has as many as it needs
	 */
	u_int limit;
};

/**
 * A request, from send() to its answer
 */
struct request_t {

	/** its id */
	uint64_t id;

	/** its type */
	uint16_t type;

	/** what send() was given */
	uint64_t context;

	/** when it was sent, monotonic ms */
	uint64_t sent;

	/** who waits for it, NULL nobody */
	condvar_t *condvar;

	/** nobody waits anymore */
	bool abandoned;

	/** no answer will come, or it is here */
	bool done;

	/** the answer, for who waits; NULL if there won't be one */
	struct keying_message *answer;

	/** neighbours among the unanswered */
	request_t *before, *after;
};

/**
 * Monotonic time in ms
 */
static uint64_t now_ms()
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/**
 * An id as key
 */
static void *id_key(uint64_t id)
{
	return (void*)(uintptr_t)id;
}

/**
 * Free an encoded request; it may hold keys
 */
static void destroy_encoded(chunk_t *encoded)
{
	chunk_clear(encoded);
	free(encoded);
}

/**
 * Forget a request that is not among the unanswered; lock is held
 */
static void forget(private_kernel_homeport_requests_t *this, request_t *entry)
{
	this->by_id->remove(this->by_id, id_key(entry->id));
	DESTROY_IF(entry->condvar);
	free(entry->answer);
	free(entry);
}

/**
 * Take a request out of the unanswered; lock is held
 */
static void take_out(private_kernel_homeport_requests_t *this, request_t *entry)
{
	*(entry->before ? &entry->before->after : &this->first) = entry->after;
	*(entry->after ? &entry->after->before : &this->last) = entry->before;
	this->unanswered--;
	entry->done = TRUE;
}

METHOD(kernel_homeport_requests_t, get_state, kernel_homeport_state_t,
	private_kernel_homeport_requests_t *this)
{
	kernel_homeport_state_t state = LINK_DOWN;

	this->mutex->lock(this->mutex);
	if (this->fd >= 0 && !this->overflow)
	{
		state = this->first && now_ms() - this->first->sent > this->timeout
					? LINK_STALLED : LINK_UP;
	}
	this->mutex->unlock(this->mutex);
	return state;
}

/**
 * Write to the socket, or queue; lock is held
 *
 * @return			TRUE if the socket took it
 */
static bool write_or_queue(private_kernel_homeport_requests_t *this,
						   chunk_t octets)
{
	chunk_t *encoded;

	/* an error is found again, and told, by the link's thread */
	if (!this->queue->get_count(this->queue) &&
		send(this->fd, octets.ptr, octets.len,
			 MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)octets.len)
	{
		return TRUE;
	}
	INIT(encoded);
	*encoded = chunk_clone(octets);
	this->queue->insert_last(this->queue, encoded);
	return FALSE;
}

/**
 * Note a request as unanswered; lock is held
 */
static void note(private_kernel_homeport_requests_t *this, uint16_t type,
				 uint64_t context, bool wait)
{
	request_t *entry;

	INIT(entry,
		.id = this->id,
		.type = type,
		.context = context,
		.sent = now_ms(),
		.condvar = wait ? condvar_create(CONDVAR_TYPE_DEFAULT) : NULL,
		.before = this->last,
	);
	*(this->last ? &this->last->after : &this->first) = entry;
	this->last = entry;
	this->by_id->put(this->by_id, id_key(entry->id), entry);
	if (++this->unanswered > this->limit)
	{
		this->overflow = TRUE;
	}
}

METHOD(kernel_homeport_requests_t, send_, uint64_t,
	private_kernel_homeport_requests_t *this, struct keying_message *request,
	uint64_t context, bool wait, bool *stuck)
{
	uint8_t octets[KEYING_MESSAGE_MAX];
	size_t length;
	uint64_t id = 0;

	*stuck = FALSE;
	this->mutex->lock(this->mutex);
	if (this->fd >= 0 && !this->overflow)
	{
		request->header.id = this->id + 1;
		length = keying_encode(request, octets);
		if (!length)
		{
			DBG1(DBG_KNL, "homeport: %s request cannot be encoded",
				 keying_type_name(request->header.type));
		}
		else
		{
			id = ++this->id;
			note(this, request->header.type, context, wait);
			*stuck = !write_or_queue(this, chunk_create(octets, length)) ||
					 this->overflow;
			memwipe(octets, length);
		}
	}
	this->mutex->unlock(this->mutex);
	return id;
}

METHOD(kernel_homeport_requests_t, wait_, bool,
	private_kernel_homeport_requests_t *this, uint64_t id,
	struct keying_message *answer)
{
	uint64_t deadline = now_ms() + this->timeout, now;
	request_t *entry;
	bool answered = FALSE;

	if (!id)
	{
		return FALSE;
	}
	this->mutex->lock(this->mutex);
	entry = this->by_id->get(this->by_id, id_key(id));
	while (entry && !entry->done && (now = now_ms()) < deadline)
	{
		entry->condvar->timed_wait(entry->condvar, this->mutex, deadline - now);
	}
	if (entry && entry->done)
	{
		if (entry->answer)
		{
			*answer = *entry->answer;
			answered = TRUE;
		}
		forget(this, entry);
	}
	else if (entry)
	{	/* it stays in the list, a sign of how late control is */
		entry->abandoned = TRUE;
		entry->condvar->destroy(entry->condvar);
		entry->condvar = NULL;
	}
	this->mutex->unlock(this->mutex);
	return answered;
}

METHOD(kernel_homeport_requests_t, answer_, bool,
	private_kernel_homeport_requests_t *this,
	const struct keying_message *message, uint16_t *type, uint64_t *context)
{
	request_t *entry;
	bool unwanted = FALSE;

	this->mutex->lock(this->mutex);
	entry = this->by_id->get(this->by_id, id_key(message->header.id));
	if (entry && !entry->done)
	{
		take_out(this, entry);
		if (entry->condvar)
		{
			entry->answer = malloc_thing(struct keying_message);
			*entry->answer = *message;
			entry->condvar->signal(entry->condvar);
		}
		else
		{
			*type = entry->type;
			*context = entry->context;
			unwanted = !entry->abandoned;
			forget(this, entry);
		}
	}
	this->mutex->unlock(this->mutex);
	return unwanted;
}

METHOD(kernel_homeport_requests_t, flush, bool,
	private_kernel_homeport_requests_t *this, bool *left)
{
	chunk_t *encoded;
	ssize_t sent;
	bool alive = TRUE;

	*left = FALSE;
	this->mutex->lock(this->mutex);
	while (alive && !*left && this->queue->get_first(this->queue,
											(void**)&encoded) == SUCCESS)
	{
		sent = send(this->fd, encoded->ptr, encoded->len,
					MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent == (ssize_t)encoded->len)
		{
			this->queue->remove_first(this->queue, (void**)&encoded);
			destroy_encoded(encoded);
		}
		else if (sent < 0 && (errno == EAGAIN || errno == EINTR ||
							  errno == ENOBUFS))
		{
			*left = TRUE;
		}
		else
		{
			DBG1(DBG_KNL, "homeport: lost homeport-control: %s",
				 strerror(errno));
			alive = FALSE;
		}
	}
	this->mutex->unlock(this->mutex);
	return alive;
}

METHOD(kernel_homeport_requests_t, open_, void,
	private_kernel_homeport_requests_t *this, int fd)
{
	this->mutex->lock(this->mutex);
	this->fd = fd;
	this->limit = UINT_MAX;
	this->mutex->unlock(this->mutex);
}

METHOD(kernel_homeport_requests_t, opened, void,
	private_kernel_homeport_requests_t *this)
{
	this->mutex->lock(this->mutex);
	this->limit = this->unanswered + KERNEL_HOMEPORT_UNANSWERED_MAX;
	this->mutex->unlock(this->mutex);
}

METHOD(kernel_homeport_requests_t, close_, void,
	private_kernel_homeport_requests_t *this)
{
	request_t *entry;
	chunk_t *encoded;

	this->mutex->lock(this->mutex);
	this->fd = -1;
	this->overflow = FALSE;
	while (this->queue->remove_first(this->queue, (void**)&encoded) == SUCCESS)
	{
		destroy_encoded(encoded);
	}
	while ((entry = this->first))
	{
		take_out(this, entry);
		if (entry->condvar)
		{
			entry->condvar->signal(entry->condvar);
		}
		else
		{
			forget(this, entry);
		}
	}
	this->mutex->unlock(this->mutex);
}

METHOD(kernel_homeport_requests_t, is_overflown, bool,
	private_kernel_homeport_requests_t *this)
{
	bool overflow;

	this->mutex->lock(this->mutex);
	overflow = this->overflow;
	this->mutex->unlock(this->mutex);
	return overflow;
}

METHOD(kernel_homeport_requests_t, destroy, void,
	private_kernel_homeport_requests_t *this)
{
	close_(this);
	this->queue->destroy(this->queue);
	this->by_id->destroy(this->by_id);
	this->mutex->destroy(this->mutex);
	free(this);
}

/*
 * see header file
 */
kernel_homeport_requests_t *kernel_homeport_requests_create(u_int timeout)
{
	private_kernel_homeport_requests_t *this;

	INIT(this,
		.public = {
			.get_state = _get_state,
			.send = _send_,
			.wait = _wait_,
			.answer = _answer_,
			.flush = _flush,
			.open = _open_,
			.opened = _opened,
			.close = _close_,
			.is_overflown = _is_overflown,
			.destroy = _destroy,
		},
		.timeout = timeout,
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.fd = -1,
		.id = KERNEL_HOMEPORT_HELLO_ID,
		.queue = linked_list_create(),
		.by_id = hashtable_create(hashtable_hash_ptr, hashtable_equals_ptr,
								  1024),
	);
	return &this->public;
}
