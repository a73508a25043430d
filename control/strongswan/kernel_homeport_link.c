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

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <collections/linked_list.h>
#include <threading/condvar.h>
#include <threading/mutex.h>
#include <threading/thread.h>
#include <utils/debug.h>

/** pause before connecting again, doubled up to the maximum */
#define RECONNECT_MIN 100
#define RECONNECT_MAX 1000

/** time for the greeting */
#define GREETING_TIMEOUT 2000

/** unanswered requests besides those of a replay */
#define UNANSWERED_MAX 16384

typedef struct private_kernel_homeport_link_t private_kernel_homeport_link_t;
typedef struct request_t request_t;

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
	 * time-out in ms
	 */
	u_int timeout;

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
	 * socket, -1 if there is none; of our thread alone
	 */
	int fd;

	/**
	 * locks all below
	 */
	mutex_t *mutex;

	/**
	 * signals answers, and that there won't be any
	 */
	condvar_t *condvar;

	/**
	 * TRUE to end
	 */
	bool stop;

	/**
	 * TRUE from the greeting on
	 */
	bool up;

	/**
	 * TRUE if too much is unanswered: our thread ends the connection
	 */
	bool overflow;

	/**
	 * last id given to a request
	 */
	uint64_t id;

	/**
	 * encoded requests to send, as chunk_t*
	 */
	linked_list_t *queue;

	/**
	 * requests without an answer, as request_t*, oldest first
	 */
	linked_list_t *unanswered;

	/**
	 * requests that somebody waits for and that have what they will get
	 */
	linked_list_t *answered;

	/**
	 * how many the last replay left unanswered at first
	 */
	u_int replayed;
};

/**
 * A request that was queued
 */
struct request_t {

	/** its id */
	uint64_t id;

	/** its type */
	uint16_t type;

	/** for the handler */
	uint64_t context;

	/** when it was queued, in ms */
	uint64_t queued;

	/** somebody waits for it */
	bool waited;

	/** nobody waits anymore */
	bool abandoned;

	/** the answer, for who waits; NULL if there won't be one */
	struct keying_message *answer;
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
 * Free an encoded request; it may hold keys
 */
static void destroy_encoded(chunk_t *encoded)
{
	chunk_clear(encoded);
	free(encoded);
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
	kernel_homeport_state_t state = LINK_DOWN;
	request_t *oldest;

	this->mutex->lock(this->mutex);
	if (this->up && !this->overflow)
	{
		state = LINK_UP;
		if (this->unanswered->get_first(this->unanswered,
										(void**)&oldest) == SUCCESS &&
			now_ms() - oldest->queued > this->timeout)
		{
			state = LINK_STALLED;
		}
	}
	this->mutex->unlock(this->mutex);
	return state;
}

METHOD(kernel_homeport_link_t, send_, uint64_t,
	private_kernel_homeport_link_t *this, struct keying_message *request,
	uint64_t context, bool wait)
{
	uint8_t octets[KEYING_MESSAGE_MAX];
	chunk_t *encoded = NULL;
	request_t *entry;
	size_t length;
	uint64_t id = 0;

	this->mutex->lock(this->mutex);
	if (this->up && !this->overflow)
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
			INIT(encoded);
			*encoded = chunk_clone(chunk_create(octets, length));
			INIT(entry,
				.id = id,
				.type = request->header.type,
				.context = context,
				.queued = now_ms(),
				.waited = wait,
			);
			this->queue->insert_last(this->queue, encoded);
			this->unanswered->insert_last(this->unanswered, entry);
			if (this->unanswered->get_count(this->unanswered) >
												UNANSWERED_MAX + this->replayed)
			{
				this->overflow = TRUE;
			}
		}
		memwipe(octets, sizeof(octets));
	}
	this->mutex->unlock(this->mutex);
	if (id)
	{
		wake(this);
	}
	return id;
}

/**
 * Find a request by its id; lock is held
 */
static request_t *find(linked_list_t *list, uint64_t id, bool remove)
{
	enumerator_t *enumerator;
	request_t *entry, *found = NULL;

	/* answers come about in order, so this ends early */
	enumerator = list->create_enumerator(list);
	while (enumerator->enumerate(enumerator, &entry))
	{
		if (entry->id == id)
		{
			found = entry;
			if (remove)
			{
				list->remove_at(list, enumerator);
			}
			break;
		}
	}
	enumerator->destroy(enumerator);
	return found;
}

METHOD(kernel_homeport_link_t, wait_, bool,
	private_kernel_homeport_link_t *this, uint64_t id,
	struct keying_message *answer)
{
	request_t *entry;
	uint64_t deadline, now;

	if (!id)
	{
		return FALSE;
	}
	deadline = now_ms() + this->timeout;
	this->mutex->lock(this->mutex);
	while (TRUE)
	{
		entry = find(this->answered, id, TRUE);
		if (entry)
		{
			break;
		}
		now = now_ms();
		if (now >= deadline)
		{	/* it stays in the list, a sign of how late control is */
			entry = find(this->unanswered, id, FALSE);
			if (entry)
			{
				entry->waited = FALSE;
				entry->abandoned = TRUE;
				entry = NULL;
			}
			break;
		}
		this->condvar->timed_wait(this->condvar, this->mutex, deadline - now);
	}
	this->mutex->unlock(this->mutex);
	if (!entry)
	{
		return FALSE;
	}
	if (entry->answer)
	{
		*answer = *entry->answer;
		free(entry->answer);
		free(entry);
		return TRUE;
	}
	free(entry);
	return FALSE;
}

/**
 * Take the connection down: whoever waits is told, the queue is for nothing.
 */
static void disconnect(private_kernel_homeport_link_t *this)
{
	request_t *entry;
	chunk_t *encoded;

	if (this->fd >= 0)
	{
		close(this->fd);
		this->fd = -1;
	}
	this->mutex->lock(this->mutex);
	this->up = FALSE;
	this->overflow = FALSE;
	while (this->queue->remove_first(this->queue, (void**)&encoded) == SUCCESS)
	{
		destroy_encoded(encoded);
	}
	while (this->unanswered->remove_first(this->unanswered,
										  (void**)&entry) == SUCCESS)
	{
		if (entry->waited)
		{
			this->answered->insert_last(this->answered, entry);
		}
		else
		{
			free(entry);
		}
	}
	this->condvar->broadcast(this->condvar);
	this->mutex->unlock(this->mutex);
}

/**
 * Only who owns the socket, root or ourselves get to see keys (KIF-52).
 */
static bool trusted(private_kernel_homeport_link_t *this, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
		stat(this->path, &st) < 0)
	{
		return FALSE;
	}
	if (st.st_mode & S_IWOTH)
	{
		DBG1(DBG_KNL, "homeport: everybody may write to %s, not used",
			 this->path);
		return FALSE;
	}
	if (peer.uid != 0 && peer.uid != geteuid() && peer.uid != st.st_uid)
	{
		DBG1(DBG_KNL, "homeport: user %u listens on %s, which is not its own",
			 (u_int)peer.uid, this->path);
		return FALSE;
	}
	return TRUE;
}

/**
 * Connect and say hello; quiet, but for the first time that it fails
 */
static bool connect_to_control(private_kernel_homeport_link_t *this,
							   bool *told)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct keying_message hello = {
		.header.type = KEYING_HELLO,
		.header.id = 1,
		.hello = {
			.magic = KEYING_MAGIC,
			.instance = this->instance,
		},
	};
	uint8_t octets[KEYING_MESSAGE_MAX];
	size_t length;
	int fd;

	snprintf(hello.hello.agent, sizeof(hello.hello.agent), "strongSwan %s",
			 HOMEPORT_STRONGSWAN_VERSION);
	length = keying_encode(&hello, octets);
	if (!length || strlen(this->path) >= sizeof(sun.sun_path))
	{
		if (!*told)
		{
			DBG1(DBG_KNL, "homeport: '%s' is no path of a socket", this->path);
			*told = TRUE;
		}
		return FALSE;
	}
	strcpy(sun.sun_path, this->path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
		connect(fd, (struct sockaddr*)&sun, sizeof(sun)) < 0)
	{
		if (!*told)
		{
			DBG1(DBG_KNL, "homeport: no homeport-control at %s: %s, trying on",
				 this->path, strerror(errno));
			*told = TRUE;
		}
		if (fd >= 0)
		{
			close(fd);
		}
		return FALSE;
	}
	if (!trusted(this, fd) ||
		send(fd, octets, length, MSG_NOSIGNAL) != (ssize_t)length)
	{
		close(fd);
		return FALSE;
	}
	this->fd = fd;
	return TRUE;
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
	request_t *entry;

	this->mutex->lock(this->mutex);
	entry = find(this->unanswered, message->header.id, TRUE);
	if (entry && entry->waited)
	{
		entry->answer = malloc_thing(struct keying_message);
		*entry->answer = *message;
		this->answered->insert_last(this->answered, entry);
		this->condvar->broadcast(this->condvar);
		entry = NULL;
	}
	this->mutex->unlock(this->mutex);
	if (entry && !entry->abandoned)
	{
		this->handler->answer(this->handler, entry->type, entry->context,
							  message);
	}
	free(entry);
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
			this->mutex->lock(this->mutex);
			this->up = TRUE;
			this->id = message->header.id;
			/* no bound for a replay */
			this->replayed = UINT_MAX - UNANSWERED_MAX;
			this->mutex->unlock(this->mutex);

			this->handler->replay(this->handler, &message->welcome);

			this->mutex->lock(this->mutex);
			this->replayed = this->unanswered->get_count(this->unanswered);
			this->mutex->unlock(this->mutex);
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
 * Send what the socket takes.
 *
 * @param left		whether there is more
 * @return			FALSE if the connection is at its end
 */
static bool send_all(private_kernel_homeport_link_t *this, bool *left)
{
	chunk_t *encoded;
	ssize_t sent;

	while (TRUE)
	{
		this->mutex->lock(this->mutex);
		if (this->queue->remove_first(this->queue,
									  (void**)&encoded) != SUCCESS)
		{
			encoded = NULL;
		}
		this->mutex->unlock(this->mutex);
		if (!encoded)
		{
			*left = FALSE;
			return TRUE;
		}
		sent = send(this->fd, encoded->ptr, encoded->len,
					MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent == (ssize_t)encoded->len)
		{
			destroy_encoded(encoded);
			continue;
		}
		if (sent < 0 && (errno == EAGAIN || errno == EINTR ||
						 errno == ENOBUFS))
		{
			this->mutex->lock(this->mutex);
			this->queue->insert_first(this->queue, encoded);
			this->mutex->unlock(this->mutex);
			*left = TRUE;
			return TRUE;
		}
		DBG1(DBG_KNL, "homeport: lost homeport-control: %s", strerror(errno));
		destroy_encoded(encoded);
		return FALSE;
	}
}

/**
 * Wait for the socket, a wakeup or the time given.
 *
 * @return			events of the socket
 */
static int wait_for_events(private_kernel_homeport_link_t *this, int events,
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
 * Whether to end the thread, or the connection
 */
static bool ends(private_kernel_homeport_link_t *this, bool *overflow)
{
	bool stop;

	this->mutex->lock(this->mutex);
	stop = this->stop;
	*overflow = this->overflow;
	this->mutex->unlock(this->mutex);
	return stop;
}

/**
 * One connection, from the greeting to its end
 */
static void serve(private_kernel_homeport_link_t *this, bool *greeted)
{
	uint64_t deadline = now_ms() + GREETING_TIMEOUT;
	bool left = FALSE, overflow;
	int events;

	while (!ends(this, &overflow))
	{
		if (overflow)
		{
			DBG1(DBG_KNL, "homeport: homeport-control left %d requests "
				 "unanswered, connecting anew", UNANSWERED_MAX);
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
		if (*greeted && !send_all(this, &left))
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
	u_int pause = RECONNECT_MIN;
	bool told = FALSE, greeted, overflow;

	/* ends by itself */
	thread_cancelability(FALSE);
	while (!ends(this, &overflow))
	{
		greeted = FALSE;
		if (connect_to_control(this, &told))
		{
			serve(this, &greeted);
			disconnect(this);
		}
		if (greeted)
		{
			pause = RECONNECT_MIN;
			told = FALSE;
		}
		if (!ends(this, &overflow))
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
	this->mutex->lock(this->mutex);
	this->stop = TRUE;
	this->mutex->unlock(this->mutex);
	wake(this);
	if (this->thread)
	{
		this->thread->join(this->thread);
		this->thread = NULL;
	}
	disconnect(this);
}

/**
 * Free a request
 */
static void request_destroy(request_t *entry)
{
	free(entry->answer);
	free(entry);
}

METHOD(kernel_homeport_link_t, destroy, void,
	private_kernel_homeport_link_t *this)
{
	stop(this);
	this->queue->destroy(this->queue);
	this->unanswered->destroy_function(this->unanswered,
									   (void*)request_destroy);
	this->answered->destroy_function(this->answered, (void*)request_destroy);
	this->condvar->destroy(this->condvar);
	this->mutex->destroy(this->mutex);
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
		.timeout = timeout,
		.instance = instance,
		.handler = handler,
		.wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.fd = -1,
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.condvar = condvar_create(CONDVAR_TYPE_DEFAULT),
		.queue = linked_list_create(),
		.unanswered = linked_list_create(),
		.answered = linked_list_create(),
	);
	if (this->wakeup < 0)
	{
		DBG1(DBG_KNL, "homeport: no eventfd: %s", strerror(errno));
		destroy(this);
		return NULL;
	}
	return &this->public;
}
