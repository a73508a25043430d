/*
 * homeport-control: the control process of a homeport gateway. See control/process.h for what it
 * consists of.
 */
#include "config/config.h"
#include "control/process.h"
#include "lib/base/log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define CONFIG_DEFAULT "/etc/homeport/homeport.cfg"

static const char usage[] =
	"Usage: homeport-control [OPTION]...\n"
	"Mobile IP home agent: registers nodes and tells homeport-dataplane what to forward.\n"
	"\n"
	"  -c, --config FILE    configuration (default " CONFIG_DEFAULT ")\n"
	"      --check          read and check the configuration, then exit (78: bad)\n"
	"      --print-config   print the effective configuration without keys, then exit\n"
	"  -h, --help           print this and exit\n"
	"  -V, --version        print the version and exit\n"
	"\n"
	"Runs in the foreground and logs to standard error. SIGHUP reloads the configuration,\n"
	"all of it or nothing; SIGTERM and SIGINT stop it. Exit status: as in sysexits.h.\n";

enum action { ACTION_RUN, ACTION_CHECK, ACTION_PRINT };

struct options {
	const char *file;
	enum action action;
};

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	enum { OPTION_CHECK = 256, OPTION_PRINT };
	static const struct option names[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, OPTION_CHECK},
		{"print-config", no_argument, NULL, OPTION_PRINT},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "c:hV", names, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->file = optarg;
			break;
		case OPTION_CHECK:
			options->action = ACTION_CHECK;
			break;
		case OPTION_PRINT:
			options->action = ACTION_PRINT;
			break;
		case 'h':
			fputs(usage, stdout);
			return EX_OK;
		case 'V':
			puts("homeport-control " HOMEPORT_VERSION);
			return EX_OK;
		default:
			fputs("Try: homeport-control --help\n", stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "homeport-control: unexpected argument \"%s\"\n", argv[optind]);
		return EX_USAGE;
	}
	return -1;
}

static int run(struct config *config)
{
	struct process process;
	enum log_level level;
	if (!log_level_parse(config->control.log_level, &level))
		log_set_level(level);
	int error = process_new(&process, config);
	if (!error)
		error = process_run(&process);
	process_free(&process);
	switch (-error) {
	case 0:
		return EX_OK;
	case ENOENT:
	case EINVAL:
		return CONFIG_EXIT_BAD;
	case EPERM:
	case EACCES:
		return EX_NOPERM;
	case EADDRINUSE:
	case EBUSY:
		return EX_UNAVAILABLE;
	default:
		return EX_OSERR;
	}
}

int main(int argc, char **argv)
{
	struct options options = {.file = CONFIG_DEFAULT};
	struct config *config = NULL;
	struct config_error error;
	int status = parse_options(argc, argv, &options);
	if (status >= 0)
		return status;
	if (config_load(options.file, &config, &error, stderr)) {
		fprintf(stderr, "homeport-control: %s\n", error.text);
		return CONFIG_EXIT_BAD;
	}
	if (options.action == ACTION_RUN)
		return run(config); // takes it over
	if (options.action == ACTION_PRINT)
		config_print(config, stdout, false);
	else
		printf("%s: good\n", options.file);
	config_free(config);
	return EX_OK;
}
