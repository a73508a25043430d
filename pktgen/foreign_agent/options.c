#include "pktgen/foreign_agent/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static const char help[] =
	"homeport-foreign-agent: a Mobile IPv4 foreign agent in user space, for tests and benches\n"
	"\n"
	"usage: homeport-foreign-agent --access IFNAME --address ADDRESS --care-of ADDRESS [option "
	"...]\n"
	"\n"
	"  --access IFNAME        the link with the mobile nodes\n"
	"  --address ADDRESS      this router's own address there\n"
	"  --care-of ADDRESS      the care-of address: of this host, reachable for home agents\n"
	"  --tun NAME             name of the TUN device (default hp-fa0)\n"
	"  --table NUMBER         table of the kernel's routes for what visitors send (default "
	"434)\n"
	"  --lifetime SECONDS     longest lifetime that is accepted (default 1800)\n"
	"  --advertise SECONDS    interval of the advertisements, 1..3000 (default 3)\n"
	"  --reverse-only         refuses requests without reverse tunnel (code 75)\n"
	"  --busy                 advertises that it takes no new visitors\n"
	"  --json                 one JSON object per event instead of key=value lines\n"
	"  --help\n"
	"\n"
	"The host forwards (net.ipv4.ip_forward=1) and does not filter by reverse path on the TUN\n"
	"device. Needs CAP_NET_ADMIN, and CAP_NET_RAW at the start. SIGTERM and SIGINT end it.\n";

static const struct option long_options[] = {
	{"access", required_argument, NULL, 'i'},
	{"address", required_argument, NULL, 'a'},
	{"care-of", required_argument, NULL, 'c'},
	{"tun", required_argument, NULL, 't'},
	{"table", required_argument, NULL, 'r'},
	{"lifetime", required_argument, NULL, 'l'},
	{"advertise", required_argument, NULL, 'v'},
	{"reverse-only", no_argument, NULL, 'R'},
	{"busy", no_argument, NULL, 'b'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool number_read(const char *text, unsigned long high, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && !errno && *out && *out <= high;
}

static bool address_read(const char *text, be32 *out)
{
	struct ip_address a;

	if (ip_address_parse(text, &a) != 0 || !ip_address_is_v4(&a) || !ip_address_is_unicast(&a))
		return false;
	*out = ip_address_v4(&a);
	return true;
}

static bool name_read(const char *text, char name[IF_NAMESIZE])
{
	return text[0] && snprintf(name, IF_NAMESIZE, "%s", text) < IF_NAMESIZE;
}

static bool value_read(struct options *o, int option, const char *value)
{
	unsigned long number = 0;
	bool good = true;

	switch (option) {
	case 'i':
		return name_read(value, o->access);
	case 't':
		return name_read(value, o->tun);
	case 'a':
		return address_read(value, &o->visitors.link_address);
	case 'c':
		return address_read(value, &o->visitors.care_of_address);
	case 'r':
		good = number_read(value, UINT32_MAX, &number);
		o->table = (uint32_t)number;
		return good;
	case 'l':
		good = number_read(value, UINT16_MAX, &number);
		o->visitors.lifetime_max_s = (uint16_t)number;
		return good;
	case 'v': // RFC 1256 4.1: three times that is at most 9000
		good = number_read(value, 3000, &number);
		o->advertise_s = (unsigned)number;
		return good;
	case 'R':
		o->visitors.reverse_tunnel_mandatory = true;
		return true;
	case 'b':
		o->busy = true;
		return true;
	case 'j':
		o->json = true;
		return true;
	default:
		return false;
	}
}

int options_read(struct options *options, int argc, char **argv)
{
	int option, which = 0;

	*options = (struct options){
		.tun = "hp-fa0", .table = 434, .advertise_s = 3, .visitors.lifetime_max_s = 1800};
	while ((option = getopt_long(argc, argv, "", long_options, &which)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (option == '?')
			return EX_USAGE; /* getopt said why */
		if (!value_read(options, option, optarg)) {
			fprintf(stderr, "homeport-foreign-agent: --%s %s: bad value\n",
				long_options[which].name, optarg ? optarg : "");
			return EX_USAGE;
		}
	}
	if (optind < argc || !options->access[0] || !options->visitors.link_address ||
		!options->visitors.care_of_address) {
		fputs("homeport-foreign-agent: wants --access, --address and --care-of; --help "
		      "shows the usage\n",
			stderr);
		return EX_USAGE;
	}
	return -1;
}
