/*
 * The command line: EAL arguments, then "--", then ours.
 */
#ifndef PKTGEN_GENERATOR_OPTIONS_H
#define PKTGEN_GENERATOR_OPTIONS_H

#include "pktgen/generator/generator.h"

struct options {
	const char *profile;
	const char *report;         /* "-": standard output */
	const char *gateway_config; /* to write, instead of running; NULL: none */
	const char *keys;           /* the same: the ESP keys as Wireshark reads them */
	struct generator_files files;
	bool check, strict, has_rate;
	uint64_t rate;
	bool done; /* --help or --version was answered */
};

/* Index of the "--" that ends the EAL's arguments; 0 when there is none: all are ours. */
int options_find(int argc, char **argv);
/* `argv[0]` is not looked at. EX_OK or EX_USAGE, after telling standard error. */
int options_parse(struct options *options, int argc, char **argv);
/* Nothing to send: files to write or a profile to check. */
bool options_is_offline(const struct options *options);

#endif
