/*
 * Loading; see kernel_homeport_plugin.h for how the parts work together.
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

#include "kernel_homeport_plugin.h"
#include "kernel_homeport_ipsec.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <daemon.h>

typedef struct private_kernel_homeport_plugin_t private_kernel_homeport_plugin_t;

/**
 * Sizes under Debian's own configuration: charon and this file must agree
 */
_Static_assert(sizeof(daemon_t) == 176, "daemon_t is another charon's");
_Static_assert(sizeof(kernel_ipsec_t) == 120, "kernel_ipsec_t is another charon's");
_Static_assert(sizeof(kernel_ipsec_add_sa_t) == 144, "kernel_ipsec_add_sa_t is another charon's");
_Static_assert(sizeof(kernel_ipsec_update_sa_t) == 32, "kernel_ipsec_update_sa_t is another charon's");
_Static_assert(sizeof(ike_sa_t) == 728, "ike_sa_t is another charon's");

/**
 * private data of homeport plugin
 */
struct private_kernel_homeport_plugin_t {

	/**
	 * implements plugin interface
	 */
	kernel_homeport_plugin_t public;
};

METHOD(plugin_t, get_name, char*,
	private_kernel_homeport_plugin_t *this)
{
	return "kernel-homeport";
}

METHOD(plugin_t, get_features, int,
	private_kernel_homeport_plugin_t *this, plugin_feature_t *features[])
{
	static plugin_feature_t f[] = {
		PLUGIN_CALLBACK(kernel_ipsec_register, kernel_homeport_ipsec_create),
			PLUGIN_PROVIDE(CUSTOM, "kernel-ipsec"),
				PLUGIN_DEPENDS(RNG, RNG_STRONG),
	};
	*features = f;
	return countof(f);
}

METHOD(plugin_t, destroy, void,
	private_kernel_homeport_plugin_t *this)
{
	free(this);
}

/**
 * Structures change between releases and the libraries do not tell theirs;
 * the program does: its text of the version is that of its log.
 */
static bool made_for_this_charon()
{
	static const char text[] = HOMEPORT_STRONGSWAN_VERSION;
	struct stat st;
	bool found = FALSE;
	void *program;
	int fd;

	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
	{
		return FALSE;
	}
	if (fstat(fd, &st) == 0)
	{
		program = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (program != MAP_FAILED)
		{
			/* with its NUL: a whole text, and not 5.9.80 */
			found = memmem(program, st.st_size, text, sizeof(text)) != NULL;
			munmap(program, st.st_size);
		}
	}
	close(fd);
	return found;
}

/*
 * see header file
 */
plugin_t *kernel_homeport_plugin_create();

__attribute__((visibility("default")))
plugin_t *kernel_homeport_plugin_create()
{
	private_kernel_homeport_plugin_t *this;

	if (!made_for_this_charon())
	{
		/* not by charon's bus, whose place in it may be another */
		dbg(DBG_KNL, 1, "kernel-homeport was built for strongSwan %s, and this "
			"program is not of that release: not loaded",
			HOMEPORT_STRONGSWAN_VERSION);
		return NULL;
	}
	INIT(this,
		.public = {
			.plugin = {
				.get_name = _get_name,
				.get_features = _get_features,
				.destroy = _destroy,
			},
		},
	);
	return &this->public.plugin;
}
