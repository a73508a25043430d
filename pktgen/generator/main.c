/*
 * homeport-pktgen: generates and checks traffic for home agents and VPN gateways, through any DPDK
 * port. Start here.
 *
 *   profile      what is wanted: ports, groups of nodes, sizes, rates        profile*.c
 *   population   who is there: addresses, flows                             population.c
 *   security     keys and numbers of the nodes' ESP                          security.c
 *   schedule     whose packet is next        pace      when                  frame   what it is
 *   senders, receivers   on which lcores
 *   transmit     a burst out                 receive   a burst in: inspect, decrypt, expect
 *   registrar    Mobile IP's registrations   mover   ESP peers that change their address
 *   trial        both for a while            search    at which rate
 *   replay       frames of a file instead    timeline  when
 *   report       what came of it, as JSON    obstacles, excuse   what was in the way, in words
 *
 * Exit status (sysexits): 0 done or stopped by a signal, 1 the same but --strict and something was
 * lost, doubled or wrong, 64 usage, 66 no file to replay, 69 the gateway does not answer, nodes did
 * not register or a port takes no more of a replay, 71 the system or DPDK refused, 73 the report
 * cannot be made, 74 or written, 78 bad profile.
 */
#include "pktgen/generator/options.h"
#include "pktgen/generator/report.h"
#include "pktgen/generator/run.h"

#include <rte_eal.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static volatile bool stop;

static void on_signal(int number)
{
	(void)number;
	stop = true;
}

/* With the EAL running. */
static int work(
	const struct options *options, const struct profile *profile, int argc, char *const *argv)
{
	static struct generator generator;
	int status = EX_OSERR;

	if (generator_open(&generator, profile, &options->files, &stop))
		fprintf(stderr, "homeport-pktgen: %s\n", generator.error);
	else
		status = run_all(&generator, options, argc, argv);
	if (generator_close(&generator)) {
		fprintf(stderr, "homeport-pktgen: a pcap file could not be written\n");
		status = status ? status : EX_IOERR;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	struct profile *profile;
	struct config_error error;
	int own = options_find(argc, argv),
	    status = options_parse(&options, argc - own, argv + own);

	if (status != EX_OK || options.done)
		return status;
	if (profile_load(options.profile, &profile, &error)) {
		fprintf(stderr, "homeport-pktgen: %s\n", error.text);
		return CONFIG_EXIT_BAD;
	}
	if (options.has_rate &&
		(profile->search_count || profile->replay.timing == PROFILE_TIMING_TIMESTAMPS)) {
		fprintf(stderr, "homeport-pktgen: --rate: the profile %s, which has no rate\n",
			profile->search_count ? "is a search" : "replays by timestamps");
		profile_free(profile);
		return EX_USAGE;
	}
	if (options.has_rate)
		profile->traffic.rate = options.rate;
	if (options_is_offline(&options)) {
		status = run_offline(profile, &options);
		profile_free(profile);
		return status;
	}
	/* Once: who asks a second time does not want to wait for the report. */
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* whoever reads --moves may go */
	/* The EAL moves its arguments about. */
	char **copy = malloc((size_t)argc * sizeof(*copy));
	if (copy)
		memcpy(copy, argv, (size_t)argc * sizeof(*copy));
	if (!copy || rte_eal_init(own, copy) < 0) {
		fprintf(stderr, "homeport-pktgen: the EAL refused its arguments (those before "
				"--)\n");
		free(copy);
		profile_free(profile);
		return EX_OSERR;
	}
	status = work(&options, profile, argc, argv);
	rte_eal_cleanup();
	free(copy);
	profile_free(profile);
	return status;
}
