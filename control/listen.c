#include "control/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 16

/* A socket that nobody listens on is a leftover. */
static int remove_stale(const struct sockaddr_un *address, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), result = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		result = -EADDRINUSE;
	else if (errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(fd);
	return result;
}

/* There, ours, and open for clients; 0 or -errno. */
static int settle(int fd, const struct sockaddr_un *address, const struct listen_settings *settings,
	char bound[LISTEN_PATH_SIZE])
{
	mode_t mask = umask(0777 & ~settings->mode);
	int result = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(mask);
	if (result)
		return result;
	memcpy(bound, address->sun_path, LISTEN_PATH_SIZE);
	if ((settings->owner != (uid_t)-1 || settings->group != (gid_t)-1) &&
		chown(settings->path, settings->owner, settings->group))
		return -errno;
	return listen(fd, BACKLOG) ? -errno : 0;
}

int listen_open(const struct listen_settings *settings, char bound[LISTEN_PATH_SIZE])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(settings->path);

	bound[0] = '\0';
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, settings->path, length + 1);
	int result = remove_stale(&address, settings->type);
	if (result)
		return result;
	int fd = socket(AF_UNIX, settings->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	result = settle(fd, &address, settings, bound);
	if (!result)
		return fd;
	close(fd);
	return result;
}
