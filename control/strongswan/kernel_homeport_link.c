/*
 * The connection to homeport-control: requests, answers, events.
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

#include "kernel_homeport_link.h"
#include "kernel_homeport_connect.h"
#include "kernel_homeport_requests.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <threading/thread.h>
#include <utils/debug.h>

/** pause before connecting again, doubled up to the maximum */
#define RECONNECT_MIN 100
#define RECONNECT_MAX 1000

/** time for the greeting */
#define GREETING_TIMEOUT 2000

typedef struct private_kernel_homeport_link_t private_kernel_homeport_link_t;

/**
 * private data of the link
 */
struct private_kernel_homeport_link_t {

	/**
	 * public interface
	 */
	kernel_homeport_link_t public;

	/**
	 * path of control's socket
	 */
	char *path;

	/**
	 * number of this process
	 */
	uint64_t instance;

	/**
	 * whom to call
	 */
	kernel_homeport_handler_t *handler;

	/**
	 * our thread
	 */
	thread_t *thread;

	/**
	 * wakes our thread
	 */
	int wakeup;

	/**
	 * socket, -1 if there is none; opened and closed by our thread alone
	 */
	int fd;

	/**
	 * what was asked and not answered
	 */
	kernel_homeport_requests_t *requests;

	/**
	 * TRUE to end
	 */
	refcount_t stop;
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
 * Wake our thread
 */
static void wake(private_kernel_homeport_link_t *this)
{
	uint64_t one = 1;

	ignore_result(write(this->wakeup, &one, sizeof(one)));
}

METHOD(kernel_homeport_link_t, get_state, kernel_homeport_state_t,
	private_kernel_homeport_link_t *this)
{
	return this->requests->get_state(this->requests);
}

METHOD(kernel_homeport_link_t, send_, uint64_t,
	private_kernel_homeport_link_t *this, struct keying_message *request,
	uint64_t context, bool wait)
{
	uint64_t id;
	bool stuck;

	id = this->requests->send(this->requests, request, context, wait, &stuck);
	if (stuck)
	{
		wake(this);
	}
	return id;
}

METHOD(kernel_homeport_link_t, wait_, bool,
	private_kernel_homeport_link_t *this, uint64_t id,
	struct keying_message *answer)
{
	return this->requests->wait(this->requests, id, answer);
}

/**
 * Take the connection down: whoever waits is told, the queue is for nothing.
 */
static void disconnect(private_kernel_homeport_link_t *this)
{
	this->requests->close(this->requests);
	if (this->fd >= 0)
	{
		close(this->fd);
		this->fd = -1;
	}
}

/**
 * Receive a message.
 *
 * @return			0 if there is none, -1 if the connection is at its end
 */
static int receive(private_kernel_homeport_link_t *this,
				   struct keying_message *message)
{
	uint8_t octets[KEYING_MESSAGE_MAX + 1];
	const char *reason;
	ssize_t length;

	length = recv(this->fd, octets, sizeof(octets), MSG_DONTWAIT);
	if (length < 0)
	{
		if (errno == EAGAIN || errno == EINTR)
		{
			return 0;
		}
		DBG1(DBG_KNL, "homeport: lost homeport-control: %s", strerror(errno));
		return -1;
	}
	if (length == 0)
	{
		DBG1(DBG_KNL, "homeport: homeport-control closed the connection");
		return -1;
	}
	switch (keying_decode(octets, length, message, &reason))
	{
		case KEYING_OK:
			return 1;
		default:
			DBG1(DBG_KNL, "homeport: homeport-control speaks another protocol: "
				 "the message %s", reason);
			return -1;
	}
}

/**
 * Hand an answer to who waits for it, or to the handler
 */
static void process_answer(private_kernel_homeport_link_t *this,
						   const struct keying_message *message)
{
	uint64_t context;
	uint16_t type;

	if (this->requests->answer(this->requests, message, &type, &context))
	{
		this->handler->answer(this->handler, type, context, message);
	}
}

/**
 * The first message of control; from now on requests are queued
 */
static bool process_greeting(private_kernel_homeport_link_t *this,
							 const struct keying_message *message)
{
	switch (message->header.type)
	{
		case KEYING_WELCOME:
			this->requests->open(this->requests, this->fd);
			this->handler->replay(this->handler, &message->welcome);
			this->requests->opened(this->requests);
			return TRUE;
		case KEYING_STATUS:
			DBG1(DBG_KNL, "homeport: homeport-control does not take us: %s: %s",
				 keying_status_name(message->status.status),
				 message->status.text);
			return FALSE;
		default:
			DBG1(DBG_KNL, "homeport: homeport-control greets with %s",
				 keying_type_name(message->header.type));
			return FALSE;
	}
}

/**
 * Receive all there is.
 *
 * @param greeted	whether control did greet; set to TRUE when it does
 * @return			FALSE if the connection is at its end
 */
static bool receive_all(private_kernel_homeport_link_t *this, bool *greeted)
{
	struct keying_message message;
	int received;

	while ((received = receive(this, &message)) > 0)
	{
		if (!*greeted)
		{
			if (!process_greeting(this, &message))
			{
				return FALSE;
			}
			*greeted = TRUE;
		}
		else if (message.header.type >= KEYING_EXPIRE)
		{
			this->handler->event(this->handler, &message);
		}
		else if (message.header.type >= KEYING_WELCOME)
		{
			process_answer(this, &message);
		}
		else
		{
			DBG1(DBG_KNL, "homeport: homeport-control sends %s",
				 keying_type_name(message.header.type));
			return FALSE;
		}
	}
	return received == 0;
}

/**
 * Wait for the socket, a wakeup or the time given.
 *
 * @return			events of the socket
 */
static int wait_for_events(private_kernel_homeport_link_t *this, short events,
						   int ms)
{
	struct pollfd fds[] = {
		{ .fd = this->wakeup, .events = POLLIN },
		{ .fd = this->fd, .events = events },
	};
	uint64_t count;

	if (poll(fds, countof(fds), ms) <= 0)
	{
		return 0;
	}
	if (fds[0].revents)
	{
		ignore_result(read(this->wakeup, &count, sizeof(count)));
	}
	return this->fd < 0 ? 0 : fds[1].revents;
}

/**
 * One connection, from the greeting to its end
 */
static void serve(private_kernel_homeport_link_t *this, bool *greeted)
{
	uint64_t deadline = now_ms() + GREETING_TIMEOUT;
	bool left = FALSE;
	int events;

	while (!ref_cur(&this->stop))
	{
		if (this->requests->is_overflown(this->requests))
		{
			DBG1(DBG_KNL, "homeport: homeport-control left %d requests "
				 "unanswered, connecting anew", KERNEL_HOMEPORT_UNANSWERED_MAX);
			return;
		}
		if (!*greeted && now_ms() > deadline)
		{
			DBG1(DBG_KNL, "homeport: homeport-control does not answer");
			return;
		}
		events = wait_for_events(this, POLLIN | (left ? POLLOUT : 0),
								 *greeted ? -1 : 200);
		if (events && !receive_all(this, greeted))
		{
			return;
		}
		if (*greeted && !this->requests->flush(this->requests, &left))
		{
			return;
		}
	}
}

/**
 * Our thread
 */
static void *run(private_kernel_homeport_link_t *this)
{
	int pause = RECONNECT_MIN;
	bool told = FALSE, greeted;

	/* ends by itself */
	thread_cancelability(FALSE);
	while (!ref_cur(&this->stop))
	{
		greeted = FALSE;
		this->fd = kernel_homeport_connect(this->path, this->instance, &told);
		if (this->fd >= 0)
		{
			serve(this, &greeted);
			disconnect(this);
		}
		if (greeted)
		{
			pause = RECONNECT_MIN;
			told = FALSE;
		}
		if (!ref_cur(&this->stop))
		{
			wait_for_events(this, 0, pause);
			pause = min(pause * 2, RECONNECT_MAX);
		}
	}
	return NULL;
}

METHOD(kernel_homeport_link_t, start, void,
	private_kernel_homeport_link_t *this)
{
	this->thread = thread_create((thread_main_t)run, this);
	if (!this->thread)
	{
		DBG1(DBG_KNL, "homeport: no thread for the connection");
	}
}

METHOD(kernel_homeport_link_t, stop, void,
	private_kernel_homeport_link_t *this)
{
	ref_get(&this->stop);
	wake(this);
	if (this->thread)
	{
		this->thread->join(this->thread);
		this->thread = NULL;
	}
	disconnect(this);
}

METHOD(kernel_homeport_link_t, destroy, void,
	private_kernel_homeport_link_t *this)
{
	stop(this);
	this->requests->destroy(this->requests);
	if (this->wakeup >= 0)
	{
		close(this->wakeup);
	}
	free(this->path);
	free(this);
}

/*
 * see header file
 */
kernel_homeport_link_t *kernel_homeport_link_create(char *path, u_int timeout,
							uint64_t instance,
							kernel_homeport_handler_t *handler)
{
	private_kernel_homeport_link_t *this;

	INIT(this,
		.public = {
			.get_state = _get_state,
			.send = _send_,
			.wait = _wait_,
			.start = _start,
			.stop = _stop,
			.destroy = _destroy,
		},
		.path = strdup(path),
		.instance = instance,
		.handler = handler,
		.wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.fd = -1,
		.requests = kernel_homeport_requests_create(timeout),
	);
	if (this->wakeup < 0)
	{
		DBG1(DBG_KNL, "homeport: no eventfd: %s", strerror(errno));
		destroy(this);
		return NULL;
	}
	return &this->public;
}
