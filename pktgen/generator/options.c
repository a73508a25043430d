#include "pktgen/generator/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>

static void usage(FILE *out)
{
	fputs("usage: homeport-pktgen [EAL arguments] -- --profile FILE [options]\n"
	      "       homeport-pktgen --profile FILE --check | --gateway-config FILE | --keys "
	      "FILE\n"
	      "\n"
	      "  --profile FILE               what to send; docs/pktgen.md\n"
	      "  --report FILE                JSON; default -, standard output\n"
	      "  --rate N                     packets a second instead of traffic.rate; 0: as "
	      "fast as it goes\n"
	      "  --capture-transmitted FILE   pcap of what is sent\n"
	      "  --capture-received FILE      pcap of what comes\n"
	      "  --capture-limit N            frames of each; default 100000, 0: all\n"
	      "  --strict                     exit status 1 when a packet was lost, doubled or "
	      "wrong\n"
	      "  --check                      check the profile and exit: 0 good, 78 bad\n"
	      "  --gateway-config FILE        write the part of the gateway's configuration that "
	      "fits the\n"
	      "                               profile (security associations, policies, mobile "
	      "nodes, neighbours)\n"
	      "  --keys FILE                  write the ESP keys as Wireshark's esp_sa table\n"
	      "  --help, --version\n",
		out);
}

int options_find(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return 0;
}

static bool number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && end != text && *end == '\0' && text[0] != '-';
}

static bool take(struct options *options, int choice, const char *value)
{
	switch (choice) {
	case 'p':
		options->profile = value;
		return true;
	case 'r':
		options->report = value;
		return true;
	case 'R':
		options->has_rate = true;
		return number(value, &options->rate);
	case 't':
		options->files.transmitted = value;
		return true;
	case 'T':
		options->files.received = value;
		return true;
	case 'l':
		return number(value, &options->files.limit);
	case 's':
		options->strict = true;
		return true;
	case 'k':
		options->check = true;
		return true;
	case 'g':
		options->gateway_config = value;
		return true;
	case 'e':
		options->keys = value;
		return true;
	case 'h':
		usage(stdout);
		options->done = true;
		return true;
	case 'v':
		puts("homeport-pktgen " VERSION);
		options->done = true;
		return true;
	default:
		return false;
	}
}

int options_parse(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{"profile", required_argument, NULL, 'p'},
		{"report", required_argument, NULL, 'r'},
		{"rate", required_argument, NULL, 'R'},
		{"capture-transmitted", required_argument, NULL, 't'},
		{"capture-received", required_argument, NULL, 'T'},
		{"capture-limit", required_argument, NULL, 'l'},
		{"strict", no_argument, NULL, 's'},
		{"check", no_argument, NULL, 'k'},
		{"gateway-config", required_argument, NULL, 'g'},
		{"keys", required_argument, NULL, 'e'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	int choice;

	*options = (struct options){.report = "-", .files.limit = 100000};
	optind = 1;
	while (!options->done && (choice = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (take(options, choice, optarg))
			continue;
		usage(stderr);
		return EX_USAGE;
	}
	if (options->done)
		return EX_OK;
	if (optind < argc || !options->profile) {
		usage(stderr);
		return EX_USAGE;
	}
	return EX_OK;
}

bool options_is_offline(const struct options *options)
{
	return options->check || options->gateway_config || options->keys;
}
