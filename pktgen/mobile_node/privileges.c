#include "pktgen/mobile_node/privileges.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>

int privileges_drop(void)
{
	const cap_value_t kept[] = {CAP_NET_ADMIN};
	cap_t capabilities = cap_init();
	int error = 0;

	if (!capabilities || cap_set_flag(capabilities, CAP_PERMITTED, 1, kept, CAP_SET) < 0 ||
		cap_set_flag(capabilities, CAP_EFFECTIVE, 1, kept, CAP_SET) < 0 ||
		cap_set_proc(capabilities) < 0)
		error = -errno;
	if (capabilities)
		cap_free(capabilities);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the key stays out of core files */
	return error;
}
