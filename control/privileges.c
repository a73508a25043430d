#include "control/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int fail(char *error, size_t error_size, const char *what)
{
	int saved = errno ? errno : EPERM;
	snprintf(error, error_size, "cannot give up privileges: %s: %s", what, strerror(saved));
	return -saved;
}

int privileges_lookup(
	const char *user, const char *group, uid_t *uid, gid_t *gid, char *error, size_t error_size)
{
	*uid = geteuid();
	*gid = getegid();
	if (user[0]) {
		const struct passwd *entry = getpwnam(user);
		if (!entry) {
			snprintf(error, error_size, "control.user: no user \"%s\" on this system",
				user);
			return -ENOENT;
		}
		*uid = entry->pw_uid;
		*gid = entry->pw_gid;
	}
	if (group[0]) {
		const struct group *entry = getgrnam(group);
		if (!entry) {
			snprintf(error, error_size, "control.group: no group \"%s\" on this system",
				group);
			return -ENOENT;
		}
		*gid = entry->gr_gid;
	}
	return 0;
}

/* Permitted and effective: CAP_NET_ADMIN; `inheritable` too, which the ambient set needs. */
static int keep_net_admin(void)
{
	cap_value_t keep[] = {CAP_NET_ADMIN};
	cap_t capabilities = cap_init();
	if (!capabilities)
		return -1;
	int result = 0;
	result |= cap_set_flag(capabilities, CAP_PERMITTED, 1, keep, CAP_SET);
	result |= cap_set_flag(capabilities, CAP_EFFECTIVE, 1, keep, CAP_SET);
	result |= cap_set_flag(capabilities, CAP_INHERITABLE, 1, keep, CAP_SET);
	if (!result)
		result = cap_set_proc(capabilities);
	cap_free(capabilities);
	return result;
}

static bool has_net_admin(void)
{
	cap_t capabilities = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;
	if (capabilities) {
		cap_get_flag(capabilities, CAP_NET_ADMIN, CAP_PERMITTED, &value);
		cap_free(capabilities);
	}
	return value == CAP_SET;
}

int privileges_drop(const char *user, uid_t uid, gid_t gid, char *error, size_t error_size)
{
	const struct rlimit no_core = {0, 0};
	if (setrlimit(RLIMIT_CORE, &no_core))
		return fail(error, error_size, "RLIMIT_CORE");
	bool change = user[0] && uid != geteuid();
	if (change) {
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
			return fail(error, error_size, "PR_SET_KEEPCAPS");
		if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
			return fail(error, error_size, "change to control.user");
		if (uid != 0 && (setuid(0) == 0 || geteuid() != uid)) {
			errno = EPERM;
			return fail(error, error_size, "root could come back");
		}
	}
	// Started by root, systemd (AmbientCapabilities) or plainly without: keep the one, if it is
	// there at all.
	if (has_net_admin()) {
		if (keep_net_admin())
			return fail(error, error_size, "keep CAP_NET_ADMIN");
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0))
			return fail(error, error_size, "ambient CAP_NET_ADMIN");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(error, error_size, "PR_SET_NO_NEW_PRIVS");
	// Last: a change of uid may set it again.
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return fail(error, error_size, "PR_SET_DUMPABLE");
	return 0;
}
