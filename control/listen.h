/* Sockets of the file system that this process listens on. Loop thread. */
#ifndef CONTROL_LISTEN_H
#define CONTROL_LISTEN_H

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

#define LISTEN_PATH_SIZE (sizeof(((struct sockaddr_un *)0)->sun_path))

struct listen_settings {
	const char *path;
	int type;    /* SOCK_STREAM, SOCK_SEQPACKET */
	mode_t mode; /* of the socket, from its first moment on */
	uid_t owner; /* (uid_t)-1: as it is */
	gid_t group; /* likewise */
};

/*
 * A non-blocking socket, or -errno: -ENAMETOOLONG; -EADDRINUSE when somebody listens there; what is
 * left of who does no more is replaced. `bound` is the path from the moment that there is something
 * to unlink, "" before, also when it fails later.
 */
int listen_open(const struct listen_settings *settings, char bound[LISTEN_PATH_SIZE]);

#endif
