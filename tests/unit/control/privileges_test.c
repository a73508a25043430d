// control/privileges: what a child may still do afterwards. Needs root.
#include "control/privileges.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Exit status of the child: 0, or the number of the first thing that was wrong. */
static int child(void)
{
	char error[256];
	uid_t uid;
	gid_t gid;
	struct rlimit core;
	if (privileges_lookup("nobody", "", &uid, &gid, error, sizeof(error)))
		return 1;
	if (privileges_drop("nobody", uid, gid, error, sizeof(error)))
		return 2;
	if (getuid() != uid || geteuid() != uid || getgid() != gid || getgroups(0, NULL) != 1)
		return 3;
	if (setuid(0) == 0 || setgid(0) == 0)
		return 4;
	cap_t now = cap_get_proc(), wanted = cap_from_text("cap_net_admin=epi");
	if (cap_compare(now, wanted))
		return 5;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0) != 1)
		return 6;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 7;
	if (getrlimit(RLIMIT_CORE, &core) || core.rlim_cur || core.rlim_max)
		return 8;
	return 0;
}

static void net_admin_alone_remains(void **state)
{
	int status;
	if (geteuid() != 0)
		skip();
	pid_t pid = fork();
	if (pid == 0)
		_exit(child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void unknown_user_is_named(void **state)
{
	char error[256];
	uid_t uid;
	gid_t gid;
	assert_int_equal(
		privileges_lookup("no-such-user", "", &uid, &gid, error, sizeof(error)), -ENOENT);
	assert_string_equal(error, "control.user: no user \"no-such-user\" on this system");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(net_admin_alone_remains),
		cmocka_unit_test(unknown_user_is_named),
	};
	return cmocka_run_group_tests_name("control/privileges", tests, NULL, NULL);
}
