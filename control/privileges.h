/*
 * What control gives up once it has opened its sockets: root, every capability but CAP_NET_ADMIN
 * (neighbour resolution over netlink), the way to new privileges, and core dumps (it holds keys).
 * Start-up thread alone, before any other thread exists.
 */
#ifndef CONTROL_PRIVILEGES_H
#define CONTROL_PRIVILEGES_H

#include <stddef.h>
#include <sys/types.h>

/* uid of `user`, gid of `group` ("" = the user's own); 0 or -ENOENT with a sentence in error. */
int privileges_lookup(const char *user, const char *group, uid_t *uid, gid_t *gid, char *error,
	size_t error_size);
/*
 * No core dumps, not traceable (PR_SET_DUMPABLE 0), no_new_privs. Then, when started as root and
 * `user` is not "": uid, gid and groups of user; CAP_NET_ADMIN stays, permitted, effective and
 * ambient, nothing else. Started without root, user must be
 * "" or the caller. 0, or -errno with a sentence in error; checks afterwards that root cannot come
 * back.
 */
int privileges_drop(const char *user, uid_t uid, gid_t gid, char *error, size_t error_size);

#endif
