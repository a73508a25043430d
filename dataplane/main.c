/*
 * homeport-dataplane: forwards packets. Start-up fails loudly with one sentence; after it nothing
 * exits but on SIGTERM or SIGINT.
 *
 * Exit status (sysexits): 0 stopped by signal, 64 usage, 71 the system or DPDK refused, 78 bad
 * configuration.
 */
#include "dataplane/dataplane.h"
#include "dataplane/eal.h"

#include "lib/base/log.h"

#include <getopt.h>
#include <inttypes.h>
#include <rte_eal.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>

#define DEFAULT_CONFIG "/etc/homeport/homeport.cfg"

struct options {
	const char *config, *exit_report;
	bool check, print_config, print_eal;
	int extra_count;
	char **extra;
};

static void usage(FILE *out)
{
	fputs("usage: homeport-dataplane [--config FILE] [options] [-- EAL arguments]\n"
	      "\n"
	      "  --config FILE       settings, default " DEFAULT_CONFIG "\n"
	      "  --check             check the settings and exit: 0 good, 78 bad\n"
	      "  --print-config      print the effective settings, without keys, and exit\n"
	      "  --print-eal         print the DPDK arguments made from the settings and exit\n"
	      "  --exit-report FILE  write all counters as JSON when stopped\n"
	      "  --log-level LEVEL   error, warning, notice, info or debug\n"
	      "  --help, --version\n"
	      "\n"
	      "Runs in the foreground; SIGTERM or SIGINT stops it. Forwards also while "
	      "homeport-control is away.\n",
		out);
}

static int options_parse(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"print-config", no_argument, NULL, 'p'},
		{"print-eal", no_argument, NULL, 'e'},
		{"exit-report", required_argument, NULL, 'r'},
		{"log-level", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	enum log_level level;
	int choice;

	*options = (struct options){.config = DEFAULT_CONFIG};
	while ((choice = getopt_long(argc, argv, "+c:hv", names, NULL)) != -1) {
		switch (choice) {
		case 'c':
			options->config = optarg;
			break;
		case 'k':
			options->check = true;
			break;
		case 'p':
			options->print_config = true;
			break;
		case 'e':
			options->print_eal = true;
			break;
		case 'r':
			options->exit_report = optarg;
			break;
		case 'l':
			if (log_level_parse(optarg, &level)) {
				fprintf(stderr, "homeport-dataplane: unknown log level %s\n",
					optarg);
				exit(EX_USAGE);
			}
			log_set_level(level);
			break;
		case 'h':
			usage(stdout);
			exit(EX_OK);
		case 'v':
			puts("homeport-dataplane " VERSION);
			exit(EX_OK);
		default:
			usage(stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
		fprintf(stderr, "homeport-dataplane: unexpected argument %s\n", argv[optind]);
		return EX_USAGE;
	}
	options->extra_count = argc - optind;
	options->extra = argv + optind;
	return EX_OK;
}

/* Main's signals come through a descriptor; workers are born with them blocked. */
static void signals_block(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* control reloads; what concerns us comes as commands */
}

static int dataplane_run(const struct config *config, const struct options *options)
{
	static struct dataplane dataplane;
	int error = dataplane_open(&dataplane, config);

	if (!error)
		error = dataplane_start(&dataplane);
	if (error) {
		worker_stop();
		rte_eal_mp_wait_lcore();
		dataplane_close(&dataplane);
		return EX_OSERR;
	}
	log_notice("dataplane_running", "workers=%u ports=%u epoch=%016" PRIx64,
		dataplane.worker_count, dataplane.port_count, dataplane.region.epoch);
	main_loop_run(&dataplane);
	worker_stop();
	dataplane_join(&dataplane);
	log_notice(
		"dataplane_stopped", "conservation=%" PRId64, dataplane_conservation(&dataplane));
	if (options->exit_report && dataplane_report(&dataplane, options->exit_report))
		log_error("exit_report_failed", "file=%s", options->exit_report);
	dataplane_close(&dataplane);
	return EX_OK;
}

static int settings_use(const struct config *config, const struct options *options)
{
	struct eal_arguments arguments;

	if (options->check)
		return EX_OK;
	if (options->print_config) {
		config_print(config, stdout, false);
		return EX_OK;
	}
	if (eal_arguments_make(
		    &arguments, &config->dataplane, options->extra_count, options->extra)) {
		fprintf(stderr, "homeport-dataplane: too many EAL arguments\n");
		return EX_USAGE;
	}
	if (options->print_eal) {
		eal_arguments_print(&arguments, stdout);
		eal_arguments_free(&arguments);
		return EX_OK;
	}
	signals_block();
	int error = eal_start(&arguments);
	eal_arguments_free(&arguments);
	if (error) {
		log_error("eal_refused",
			"error=%d hint=dataplane.ports,dataplane.memory_mb,dataplane.lcores",
			-error);
		return EX_OSERR;
	}
	int status = dataplane_run(config, options);
	rte_eal_cleanup();
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	struct config *config;
	struct config_error error;
	int status = options_parse(&options, argc, argv);

	if (status != EX_OK)
		return status;
	if (config_load(options.config, &config, &error, stderr)) {
		fprintf(stderr, "homeport-dataplane: %s\n", error.text);
		return CONFIG_EXIT_BAD;
	}
	status = settings_use(config, &options);
	config_free(config);
	return status;
}
