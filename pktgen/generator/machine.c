#include "pktgen/generator/machine.h"

#include "pktgen/generator/cycles.h"

#include <rte_version.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The value behind "name : " in a file of /proc; false when there is none. */
static bool proc_value(const char *path, const char *name, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	char line[8192];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');
		if (!colon || strncmp(line, name, strlen(name)) != 0)
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(out, size, "%s", colon);
		found = true;
	}
	if (file)
		fclose(file);
	return found;
}

json_t *machine_report(void)
{
	char text[4096];
	struct utsname name;
	json_t *machine = json_object();

	if (proc_value("/proc/cpuinfo", "model name", text, sizeof(text)))
		json_object_set_new(machine, "processor", json_string(text));
	json_object_set_new(machine, "processors", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(machine, "tsc_hz", json_integer((json_int_t)cycles_hz()));
	if (proc_value("/proc/cpuinfo", "flags", text, sizeof(text)))
		json_object_set_new(
			machine, "virtual", json_boolean(strstr(text, "hypervisor") != NULL));
	if (proc_value("/proc/meminfo", "MemTotal", text, sizeof(text)))
		json_object_set_new(machine, "memory", json_string(text));
	if (proc_value("/proc/meminfo", "HugePages_Total", text, sizeof(text)))
		json_object_set_new(machine, "hugepages", json_integer(strtoll(text, NULL, 10)));
	if (uname(&name) == 0) {
		json_object_set_new(machine, "host", json_string(name.nodename));
		json_object_set_new(machine, "kernel", json_string(name.release));
	}
	json_object_set_new(machine, "dpdk", json_string(rte_version()));
	json_object_set_new(machine, "homeport", json_string(VERSION));
	return machine;
}
