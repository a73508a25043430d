/*
 * Reaching homeport-control: is it the one, and who are we?
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

#include "kernel_homeport_connect.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <utils/debug.h>

#include "lib/ipc/keying.h"

/**
 * Only who owns the socket, root or ourselves get to see keys (KIF-52).
 */
static bool trusted(const char *path, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
		stat(path, &st) < 0)
	{
		return FALSE;
	}
	if (st.st_mode & S_IWOTH)
	{
		DBG1(DBG_KNL, "homeport: everybody may write to %s, not used",
			 path);
		return FALSE;
	}
	if (peer.uid != 0 && peer.uid != geteuid() && peer.uid != st.st_uid)
	{
		DBG1(DBG_KNL, "homeport: user %u listens on %s, which is not its own",
			 (u_int)peer.uid, path);
		return FALSE;
	}
	return TRUE;
}

/**
 * Encode the first message
 */
static size_t encode_hello(uint64_t instance, uint8_t octets[KEYING_MESSAGE_MAX])
{
	struct keying_message hello = {
		.header.type = KEYING_HELLO,
		.header.id = KERNEL_HOMEPORT_HELLO_ID,
		.hello = {
			.magic = KEYING_MAGIC,
			.instance = instance,
		},
	};

	snprintf(hello.hello.agent, sizeof(hello.hello.agent), "strongSwan %s",
			 HOMEPORT_STRONGSWAN_VERSION);
	return keying_encode(&hello, octets);
}

/*
 * see header file
 */
int kernel_homeport_connect(const char *path, uint64_t instance, bool *told)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	uint8_t octets[KEYING_MESSAGE_MAX];
	size_t length, path_length = strlen(path);
	int fd;

	length = encode_hello(instance, octets);
	if (!length || path_length >= sizeof(sun.sun_path))
	{
		if (!*told)
		{
			DBG1(DBG_KNL, "homeport: '%s' is no path of a socket", path);
			*told = TRUE;
		}
		return -1;
	}
	memcpy(sun.sun_path, path, path_length + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
		connect(fd, (struct sockaddr*)&sun, sizeof(sun)) < 0)
	{
		if (!*told)
		{
			DBG1(DBG_KNL, "homeport: no homeport-control at %s: %s, trying on",
				 path, strerror(errno));
			*told = TRUE;
		}
		if (fd >= 0)
		{
			close(fd);
		}
		return -1;
	}
	if (!trusted(path, fd) ||
		send(fd, octets, length, MSG_NOSIGNAL) != (ssize_t)length)
	{
		close(fd);
		return -1;
	}
	return fd;
}
