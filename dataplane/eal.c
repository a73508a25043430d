#include "dataplane/eal.h"
#include "lib/base/processor.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <stdarg.h>
#include <stdlib.h>

static int argument_add(struct eal_arguments *arguments, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int argument_add(struct eal_arguments *arguments, const char *format, ...)
{
	va_list list;
	char *text = NULL;

	if (arguments->count == EAL_ARGUMENTS_MAX)
		return -E2BIG;
	va_start(list, format);
	int length = vasprintf(&text, format, list);
	va_end(list);
	if (length < 0)
		return -ENOMEM;
	arguments->values[arguments->count++] = text;
	return 0;
}

/* "0000:01:00.0" or "01:00.0", with or without device arguments. */
static bool device_is_pci(const char *device)
{
	unsigned a, b, c, d;
	char after;

	// The shape counts, not the values; the widths keep every number in range.
	// NOLINTNEXTLINE(cert-err34-c)
	if (sscanf(device, "%4x:%2x:%2x.%1x%c", &a, &b, &c, &d, &after) >= 4)
		return true;
	// NOLINTNEXTLINE(cert-err34-c)
	return sscanf(device, "%2x:%2x.%1x%c", &a, &b, &c, &after) >= 3;
}

/*
 * One lcore each for main and workers. As many processors as lcores: one each. Fewer: the workers
 * share what there is, and unless they poll the scheduler may move them.
 */
static int lcores_add(struct eal_arguments *arguments, const struct config_dataplane *settings)
{
	int cpus[128];
	char text[1024], all[512] = "";
	size_t at = 0, all_at = 0;

	if (settings->lcores[0])
		return argument_add(arguments, "--lcores=%s", settings->lcores);
	int count = (int)processor_list(cpus, RTE_DIM(cpus));
	if (count == 0)
		return -EINVAL;
	for (int i = 0; i < count && all_at < sizeof(all) - 8; i++)
		all_at += (size_t)snprintf(
			all + all_at, sizeof(all) - all_at, "%s%d", i ? "," : "", cpus[i]);
	bool move = settings->idle != IDLE_POLL && count <= settings->workers + 1;
	for (int i = 0; i <= settings->workers && at < sizeof(text) - 64; i++) {
		const char *comma = i ? "," : "";
		if (move)
			at += (size_t)snprintf(
				text + at, sizeof(text) - at, "%s%d@(%s)", comma, i, all);
		else
			at += (size_t)snprintf(
				text + at, sizeof(text) - at, "%s%d@%d", comma, i, cpus[i % count]);
		if (at >= sizeof(text))
			return -E2BIG;
	}
	return argument_add(arguments, "--lcores=%s", text);
}

static int memory_add(struct eal_arguments *arguments, const struct config_dataplane *settings)
{
	int error = 0;

	/* 22.11 refuses --no-huge together with --in-memory. */
	if (settings->huge_pages)
		error = argument_add(arguments, "--in-memory");
	else
		error = argument_add(arguments, "--no-huge");
	if (!error && settings->memory_mb)
		error = argument_add(arguments, "-m%u", settings->memory_mb);
	return error;
}

static int devices_add(struct eal_arguments *arguments, const struct config_dataplane *settings)
{
	bool pci = false;
	int error = 0;

	for (unsigned i = 0; !error && i < settings->port_count; i++) {
		const char *device = settings->ports[i].device;
		bool is_pci = device_is_pci(device);
		pci |= is_pci;
		error = argument_add(arguments, is_pci ? "--allow=%s" : "--vdev=%s", device);
	}
	if (!error && !pci)
		error = argument_add(arguments, "--no-pci");
	return error;
}

int eal_arguments_make(struct eal_arguments *arguments, const struct config_dataplane *settings,
	int extra_count, char *const *extra)
{
	int error;

	*arguments = (struct eal_arguments){0};
	error = argument_add(arguments, "homeport-dataplane");
	if (!error)
		error = lcores_add(arguments, settings);
	if (!error)
		error = memory_add(arguments, settings);
	if (!error && settings->file_prefix[0])
		error = argument_add(arguments, "--file-prefix=%s", settings->file_prefix);
	if (!error)
		error = argument_add(arguments, "--no-telemetry");
	if (!error)
		error = argument_add(arguments, "--log-level=*:warning");
	if (!error)
		error = devices_add(arguments, settings);
	for (int i = 0; !error && i < extra_count; i++)
		error = argument_add(arguments, "%s", extra[i]);
	if (error)
		eal_arguments_free(arguments);
	return error;
}

void eal_arguments_free(struct eal_arguments *arguments)
{
	for (int i = 0; i < arguments->count; i++)
		free(arguments->values[i]);
	arguments->count = 0;
}

void eal_arguments_print(const struct eal_arguments *arguments, FILE *out)
{
	for (int i = 0; i < arguments->count; i++)
		fprintf(out, "%s%s", i ? " " : "", arguments->values[i]);
	fputc('\n', out);
}

char *eal_device_name(const char *device, char *buffer, size_t size)
{
	snprintf(buffer, size, "%.*s", (int)strcspn(device, ","), device);
	return buffer;
}

int eal_start(const struct eal_arguments *arguments)
{
	char *values[EAL_ARGUMENTS_MAX + 1]; /* EAL reorders the vector it is given */

	memcpy(values, arguments->values, sizeof(values));
	return rte_eal_init(arguments->count, values) < 0 ? -rte_errno : 0;
}
