/*
 * DPDK's arguments made from the settings; what stands after "--" on the command line comes last
 * and wins.
 */
#ifndef DATAPLANE_EAL_H
#define DATAPLANE_EAL_H

#include "config/config.h"

#define EAL_ARGUMENTS_MAX 96

struct eal_arguments {
	int count;
	char *values[EAL_ARGUMENTS_MAX + 1]; /* NULL-terminated, each from malloc */
};

/* 0, or -E2BIG, -ENOMEM. `extra` is borrowed. */
int eal_arguments_make(struct eal_arguments *arguments, const struct config_dataplane *settings,
	int extra_count, char *const *extra);
void eal_arguments_free(struct eal_arguments *arguments);
/* One line for --print-eal. */
void eal_arguments_print(const struct eal_arguments *arguments, FILE *out);
/* The DPDK name of a device setting: "net_tap0" of "net_tap0,iface=x". Returns buffer. */
char *eal_device_name(const char *device, char *buffer, size_t size);
/* rte_eal_init. 0 or -errno; DPDK has said why on stderr. */
int eal_start(const struct eal_arguments *arguments);

#endif
