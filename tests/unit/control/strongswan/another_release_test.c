/*
 * The plugin in a program that is not the charon it was built for: it is not loaded, and the log
 * says why (BLD-03). The release's name must not be in this file: the plugin looks for it in the
 * program.
 */
#include <library.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static char said[512];

static void note(debug_t group, level_t level, char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(said, sizeof(said), format, arguments);
	va_end(arguments);
}

int main(int argc, char **argv)
{
	void *(*create)(void), *handle;
	bool good;

	library_init(NULL, "another-release-test");
	dbg = note;
	handle = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	create = handle ? dlsym(handle, "kernel_homeport_plugin_create") : NULL;
	good = create && !create() && strstr(said, "kernel-homeport was built for strongSwan") &&
	       strstr(said, "not of that release: not loaded");
	printf("1..1\n%sok 1 - a plugin for another release is not loaded\n# %s\n",
		good ? "" : "not ", create ? said : dlerror());
	return !good;
}
