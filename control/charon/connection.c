#include "control/charon/connection.h"

#include "control/listen.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_PER_EVENT 64u
#define BEHIND_PAUSE   256u   /* messages that wait: nothing more is read */
#define BEHIND_MAX     65536u /* the client is let go; it comes back and replays */

struct waiting { /* to be sent, oldest first */
	struct waiting *next;
	size_t length;
	uint8_t octets[];
};

struct connection {
	struct loop *loop;
	struct connection_callbacks callbacks;
	struct loop_source listening, source;
	int listen_fd, fd; /* fd -1: no client */
	uid_t owner;
	uint32_t number, behind;
	bool ending;
	struct waiting *first, **last;
	char path[LISTEN_PATH_SIZE];
	uint8_t octets[KEYING_MESSAGE_MAX + 1];
};

static void drop_waiting(struct connection *c)
{
	for (struct waiting *w; (w = c->first);) {
		c->first = w->next;
		free(w);
	}
	c->last = &c->first;
	c->behind = 0;
}

static void close_client(struct connection *c)
{
	if (c->fd < 0)
		return;
	loop_source_remove(c->loop, &c->source);
	close(c->fd);
	c->fd = -1;
	c->ending = false;
	drop_waiting(c);
	c->callbacks.closed(c->callbacks.context);
}

static void interest(struct connection *c)
{
	uint32_t events = c->behind >= BEHIND_PAUSE || c->ending ? 0 : (uint32_t)EPOLLIN;

	(void)loop_source_modify(
		c->loop, &c->source, events | (c->behind ? (uint32_t)EPOLLOUT : 0));
}

/* False when the client is gone. */
static bool send_waiting(struct connection *c)
{
	for (struct waiting *w; (w = c->first);) {
		if (send(c->fd, w->octets, w->length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
		c->first = w->next;
		if (!c->first)
			c->last = &c->first;
		c->behind--;
		free(w);
	}
	return true;
}

static bool put_waiting(struct connection *c, const uint8_t *octets, size_t length)
{
	struct waiting *w =
		c->behind < BEHIND_MAX ? malloc(sizeof(*w) + length) : (struct waiting *)NULL;

	if (!w)
		return false;
	w->next = NULL;
	w->length = length;
	memcpy(w->octets, octets, length);
	*c->last = w;
	c->last = &w->next;
	c->behind++;
	return true;
}

bool connection_send(struct connection *connection, const struct keying_message *message)
{
	struct connection *c = connection;
	uint8_t octets[KEYING_MESSAGE_MAX];

	if (c->fd < 0 || c->ending)
		return false;
	size_t length = keying_encode(message, octets);
	if (!length)
		return false;
	if (!c->behind && send(c->fd, octets, length, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	if (!put_waiting(c, octets, length)) {
		c->ending = true; /* closed by its own handler, not from inside a callback */
		drop_waiting(c);
		(void)shutdown(c->fd, SHUT_RDWR);
	}
	interest(c);
	return !c->ending;
}

/* False: closed, or to be closed. */
static bool read_one(struct connection *c, const struct clock_now *now)
{
	struct iovec piece = {.iov_base = c->octets, .iov_len = sizeof(c->octets)};
	struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
	ssize_t got = recvmsg(c->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	bool goes_on = c->callbacks.message(c->callbacks.context, c->octets, (size_t)got, now);
	secret_wipe(c->octets, (size_t)got);
	if (!goes_on)
		c->ending = true;
	return true;
}

static bool is_readable(const struct connection *c)
{
	uint8_t octet;

	return recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static void client_ready(void *context, uint32_t events, const struct clock_now *now)
{
	struct connection *c = context;
	bool alive = send_waiting(c);

	for (unsigned i = 0;
		alive && i < READ_PER_EVENT && events & (EPOLLIN | EPOLLHUP | EPOLLERR); i++) {
		if (c->ending || c->behind >= BEHIND_PAUSE || !is_readable(c))
			break;
		alive = read_one(c, now);
	}
	if (!alive || (c->ending && !c->behind))
		close_client(c);
	else
		interest(c);
}

/* NULL: welcome. */
static const char *unwelcome(struct connection *c, const struct ucred *peer)
{
	if (peer->uid != 0 && peer->uid != geteuid() &&
		(c->owner == (uid_t)-1 || peer->uid != c->owner))
		return "another user";
	/* A client that died is closed before its successor is looked at. */
	if (c->fd >= 0 && is_readable(c) && c->behind < BEHIND_PAUSE) {
		uint8_t octet;
		if (recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
			close_client(c);
	}
	return c->fd >= 0 ? "a second client" : NULL;
}

/* KEYING_BUSY is told; a stranger is told nothing. */
static void turn_away(int fd, bool busy)
{
	struct keying_message message = {.header = {.type = KEYING_STATUS}};
	uint8_t octets[KEYING_MESSAGE_MAX];

	message.status = (struct keying_status_text){
		KEYING_BUSY, "another charon is connected to this control"};
	size_t length = busy ? keying_encode(&message, octets) : 0;
	if (length)
		(void)!send(fd, octets, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void listen_ready(void *context, uint32_t events, const struct clock_now *now)
{
	struct connection *c = context;
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size = sizeof(peer);
	int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	(void)now;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		peer.uid = (uid_t)-1;
	const char *why = unwelcome(c, &peer);
	if (why) {
		c->callbacks.stranger(c->callbacks.context, peer.uid, why);
		turn_away(fd, c->fd >= 0 && strcmp(why, "another user") != 0);
		return;
	}
	if (loop_source_add(c->loop, &c->source, fd, EPOLLIN, client_ready, c)) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->number++;
	c->callbacks.opened(c->callbacks.context);
}

int connection_listen(struct loop *loop, const char *path, uid_t owner,
	const struct connection_callbacks *callbacks, struct connection **out)
{
	struct connection *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->callbacks = *callbacks;
	c->owner = owner;
	c->listen_fd = c->fd = -1;
	c->last = &c->first;
	const struct listen_settings settings = {.path = path,
		.type = SOCK_SEQPACKET,
		.mode = 0600, // KIF-52
		.owner = owner,
		.group = (gid_t)-1};
	int result = listen_open(&settings, c->path);
	c->listen_fd = result < 0 ? -1 : result;
	if (result >= 0)
		result = loop_source_add(
			loop, &c->listening, c->listen_fd, EPOLLIN, listen_ready, c);
	if (result) {
		connection_free(c);
		return result;
	}
	*out = c;
	return 0;
}

void connection_free(struct connection *connection)
{
	struct connection *c = connection;

	if (!c)
		return;
	if (c->fd >= 0) {
		loop_source_remove(c->loop, &c->source);
		close(c->fd);
	}
	drop_waiting(c);
	loop_source_remove(c->loop, &c->listening);
	if (c->listen_fd >= 0)
		close(c->listen_fd);
	if (c->path[0])
		unlink(c->path);
	free(c);
}

bool connection_is_open(const struct connection *connection)
{
	return connection->fd >= 0 && !connection->ending;
}

uint32_t connection_number(const struct connection *connection)
{
	return connection->number;
}
