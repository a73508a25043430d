#include "control/ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_SIZE (64u << 20)

int connection_open(struct connection *connection, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->fd < 0 ||
		connect(connection->fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return 0;
}

int connection_send(struct connection *connection, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t length = text ? strlen(text) : 0;
	int result = text ? 0 : -ENOMEM;

	if (text)
		text[length++] = '\n'; /* in place of the NUL: from here on the length counts */
	for (size_t sent = 0; !result && sent < length;) {
		ssize_t step = send(connection->fd, text + sent, length - sent, MSG_NOSIGNAL);
		if (step < 0 && errno == EINTR)
			continue;
		if (step <= 0)
			result = -EPIPE;
		sent += step > 0 ? (size_t)step : 0;
	}
	free(text);
	return result;
}

/* Octets more in the buffer; 0 at the end of the stream. */
static size_t fill(struct connection *connection)
{
	if (connection->taken) {
		connection->used -= connection->taken;
		memmove(connection->text, connection->text + connection->taken, connection->used);
		connection->taken = 0;
	}
	if (connection->used == connection->size) {
		size_t size = connection->size ? 2 * connection->size : 65536;
		char *grown = size <= LINE_MAX_SIZE ? realloc(connection->text, size) : NULL;
		if (!grown)
			return 0;
		connection->text = grown;
		connection->size = size;
	}
	ssize_t got;
	do
		got = recv(connection->fd, connection->text + connection->used,
			connection->size - connection->used, 0);
	while (got < 0 && errno == EINTR);
	connection->used += got > 0 ? (size_t)got : 0;
	return got > 0 ? (size_t)got : 0;
}

const char *connection_read(struct connection *connection, size_t *length)
{
	size_t looked = 0; /* from `taken` on */

	if (!connection->size && !fill(connection))
		return NULL;
	for (;;) {
		const char *start = connection->text + connection->taken;
		size_t have = connection->used - connection->taken;
		const char *end =
			have > looked ? memchr(start + looked, '\n', have - looked) : NULL;
		if (end) {
			*length = (size_t)(end - start);
			connection->taken += *length + 1;
			return start;
		}
		looked = have;
		if (!fill(connection))
			return NULL;
	}
}

void connection_close(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	free(connection->text);
}
