#include "pktgen/mobile_node/options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#ifndef HOMEPORT_VERSION
#define HOMEPORT_VERSION "unknown"
#endif

static const char help[] =
	"homeport-mobile-node: a Mobile IPv4 node in user space, on a TUN device\n"
	"\n"
	"usage: homeport-mobile-node --access IFNAME --home-agent ADDRESS --key-file FILE\n"
	"                            (--home-address ADDRESS | --nai USER@REALM) [option ...]\n"
	"\n"
	"  --access IFNAME        the interface whose address is the care-of address; the node\n"
	"                         moves whenever that address changes\n"
	"  --home-agent ADDRESS   the home agent's IPv4 address\n"
	"  --home-address ADDRESS the node's home address; without it the home agent assigns one\n"
	"  --nai USER@REALM       network access identifier (RFC 2794)\n"
	"  --home-prefix PREFIX   at home when the care-of address lies in it, for example "
	"10.1.0.0/16\n"
	"\n"
	"  --key-file FILE        key shared with the home agent: hex digits, 32 or more\n"
	"  --key-fd NUMBER        the same from an open file descriptor\n"
	"  --spi NUMBER           security parameter index, 256 or more (default 256)\n"
	"  --algorithm NAME       hmac-md5 (default), hmac-sha1, hmac-sha256, keyed-md5\n"
	"  --replay STYLE         timestamp (default) or nonce\n"
	"\n"
	"  --tunnel FORM          auto (default): UDP behind a NAT, else IP-in-IP;\n"
	"                         udp: UDP always (asks the home agent to force it); ipip: no UDP\n"
	"  --lifetime SECONDS     lifetime to ask for, 1..65534, or 65535 for ever (default 600)\n"
	"  --keepalive SECONDS    keepalive interval instead of the home agent's, 10 or more\n"
	"  --port NUMBER          local UDP port (default: any)\n"
	"  --tun NAME             name of the TUN device (default hp-mn0)\n"
	"  --route PREFIX         what goes into the tunnel; may be repeated (default 0.0.0.0/0)\n"
	"  --no-route             no route at all\n"
	"  --vpn PREFIX           addresses that a VPN client gets (RFC 5266): outside the "
	"trusted\n"
	"                         network such an address is the care-of address\n"
	"  --foreign-agent WHICH  any, or an address: uses its care-of address where it "
	"advertises\n"
	"                         itself, with --vpn in trusted networks only (RFC 5266 mode f)\n"
	"\n"
	"  --json                 one JSON object per event instead of key=value lines\n"
	"  --once                 register once, print the outcome, exit: 0 accepted, 1 not\n"
	"  --help, --version\n"
	"\n"
	"signals: SIGUSR1 registers now; SIGTERM and SIGINT deregister and exit.\n"
	"exit:    0 done, 1 not registered (--once), 64 wrong usage, 65 or 66 bad key, 69 no such\n"
	"         interface, 77 no permission (needs CAP_NET_ADMIN; IP-in-IP also CAP_NET_RAW at "
	"start)\n"
	"\n"
	"examples:\n"
	"  homeport-mobile-node --access wlan0 --home-agent 192.0.2.1 --home-address 10.1.0.10 \\\n"
	"      --home-prefix 10.1.0.0/16 --key-file /etc/homeport/mn1.key\n"
	"  homeport-mobile-node --access eth0 --home-agent 192.0.2.1 --nai mn1@example.com \\\n"
	"      --key-fd 3 --tunnel udp --route 10.0.0.0/8 --json 3< mn1.key\n";

__attribute__((format(printf, 1, 2))) static int usage_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("homeport-mobile-node: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs("; --help shows the usage\n", stderr);
	va_end(arguments);
	return EX_USAGE;
}

static bool number_read(const char *text, unsigned long low, unsigned long high, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 0);
	return isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0 && *out >= low &&
	       *out <= high;
}

static bool address_read(const char *text, be32 *out)
{
	struct ip_address a;

	if (ip_address_parse(text, &a) != 0 || !ip_address_is_v4(&a) || !ip_address_is_unicast(&a))
		return false;
	*out = ip_address_v4(&a);
	return true;
}

static bool prefix_read(const char *text, struct ip_prefix *out)
{
	return ip_prefix_parse(text, out) == 0 && ip_address_is_v4(&out->address);
}

/* Hex digits, spaces around them allowed; everything read is wiped again. */
static int key_read(struct secret *key, const char *file, int fd)
{
	char text[2 * SECRET_SIZE_MAX + 16] = "";
	size_t length = 0;
	const char *name = file ? file : "--key-fd";

	if (file)
		fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "homeport-mobile-node: %s: %s\n", name, strerror(errno));
		return EX_NOINPUT;
	}
	while (length < sizeof(text) - 1) {
		ssize_t got = read(fd, text + length, sizeof(text) - 1 - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fprintf(stderr, "homeport-mobile-node: %s: %s\n", name, strerror(errno));
			close(fd);
			secret_wipe(text, sizeof(text));
			return EX_NOINPUT;
		}
		if (got == 0)
			break;
		length += (size_t)got;
	}
	close(fd);
	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	int error = secret_from_hex(text + strspn(text, " \t\n"), key);
	secret_wipe(text, sizeof(text));
	if (error || key->length < 16) { // RFC 5944 5.1: 128 bits at least
		fprintf(stderr,
			"homeport-mobile-node: %s: want 32 to %d hex digits and nothing else\n",
			name, 2 * SECRET_SIZE_MAX);
		return EX_DATAERR;
	}
	return -1;
}

enum option_name {
	OPTION_ACCESS = 1000,
	OPTION_HOME_AGENT,
	OPTION_HOME_ADDRESS,
	OPTION_HOME_PREFIX,
	OPTION_NAI,
	OPTION_KEY_FILE,
	OPTION_KEY_FD,
	OPTION_SPI,
	OPTION_ALGORITHM,
	OPTION_REPLAY,
	OPTION_TUNNEL,
	OPTION_LIFETIME,
	OPTION_KEEPALIVE,
	OPTION_PORT,
	OPTION_TUN,
	OPTION_ROUTE,
	OPTION_NO_ROUTE,
	OPTION_VPN,
	OPTION_FOREIGN_AGENT,
	OPTION_JSON,
	OPTION_ONCE,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{"access", required_argument, NULL, OPTION_ACCESS},
	{"home-agent", required_argument, NULL, OPTION_HOME_AGENT},
	{"home-address", required_argument, NULL, OPTION_HOME_ADDRESS},
	{"home-prefix", required_argument, NULL, OPTION_HOME_PREFIX},
	{"nai", required_argument, NULL, OPTION_NAI},
	{"key-file", required_argument, NULL, OPTION_KEY_FILE},
	{"key-fd", required_argument, NULL, OPTION_KEY_FD},
	{"spi", required_argument, NULL, OPTION_SPI},
	{"algorithm", required_argument, NULL, OPTION_ALGORITHM},
	{"replay", required_argument, NULL, OPTION_REPLAY},
	{"tunnel", required_argument, NULL, OPTION_TUNNEL},
	{"lifetime", required_argument, NULL, OPTION_LIFETIME},
	{"keepalive", required_argument, NULL, OPTION_KEEPALIVE},
	{"port", required_argument, NULL, OPTION_PORT},
	{"tun", required_argument, NULL, OPTION_TUN},
	{"route", required_argument, NULL, OPTION_ROUTE},
	{"no-route", no_argument, NULL, OPTION_NO_ROUTE},
	{"vpn", required_argument, NULL, OPTION_VPN},
	{"foreign-agent", required_argument, NULL, OPTION_FOREIGN_AGENT},
	{"json", no_argument, NULL, OPTION_JSON},
	{"once", no_argument, NULL, OPTION_ONCE},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

struct key_source {
	const char *file;
	int fd;
};

/* The options that say who and where. False when the value does not fit. */
static bool identity_option(struct options *o, int option, const char *value)
{
	struct registration_settings *s = &o->registration;
	unsigned long number;

	switch (option) {
	case OPTION_ACCESS:
		return snprintf(o->access, sizeof(o->access), "%s", value) < (int)sizeof(o->access);
	case OPTION_TUN:
		return value[0] &&
		       snprintf(o->tun, sizeof(o->tun), "%s", value) < (int)sizeof(o->tun);
	case OPTION_HOME_AGENT:
		return address_read(value, &s->home_agent);
	case OPTION_HOME_ADDRESS:
		return address_read(value, &s->home_address);
	case OPTION_HOME_PREFIX:
		return prefix_read(value, &s->home_prefix);
	case OPTION_NAI:
		return value[0] &&
		       snprintf(s->nai, sizeof(s->nai), "%s", value) < (int)sizeof(s->nai);
	case OPTION_PORT:
		if (!number_read(value, 1, UINT16_MAX, &number))
			return false;
		o->port = (uint16_t)number;
		return true;
	case OPTION_ROUTE:
		return o->route_count < OPTIONS_ROUTES_MAX &&
		       prefix_read(value, &o->routes[o->route_count++]);
	case OPTION_VPN:
		return prefix_read(value, &o->vpn);
	case OPTION_FOREIGN_AGENT:
		o->foreign_agents = true;
		return strcmp(value, "any") == 0 || address_read(value, &o->foreign_agent);
	default:
		return false;
	}
}

static bool choice(const char *value, const char *const *names, unsigned count, unsigned *out)
{
	for (*out = 0; *out < count; ++*out)
		if (strcmp(value, names[*out]) == 0)
			return true;
	return false;
}

/* The options that say how. */
static bool protocol_option(struct options *o, int option, const char *value)
{
	static const char *const tunnels[] = {"auto", "udp", "ipip"};
	static const char *const replays[] = {"timestamp", "nonce"};
	struct registration_settings *s = &o->registration;
	unsigned long number = 0;
	unsigned index;
	bool good;

	switch (option) {
	case OPTION_SPI: // HA4-AUTH-02: 0-255 are reserved
		good = number_read(value, 256, UINT32_MAX, &number);
		s->spi = (uint32_t)number;
		return good;
	case OPTION_ALGORITHM:
		return authenticator_algorithm_parse(value, &s->algorithm) == 0;
	case OPTION_REPLAY:
		good = choice(value, replays, 2, &index);
		s->replay = (enum registration_replay)index;
		return good;
	case OPTION_TUNNEL:
		good = choice(value, tunnels, 3, &index);
		s->tunnel = (enum registration_tunnel)index;
		return good;
	case OPTION_LIFETIME:
		good = number_read(value, 1, UINT16_MAX, &number);
		s->lifetime_s = (uint16_t)number;
		return good;
	case OPTION_KEEPALIVE: // RFC 3519 4.9
		good = number_read(value, 10, UINT16_MAX, &number);
		o->keepalive_s = (uint16_t)number;
		return good;
	default:
		return false;
	}
}

static int check_complete(const struct options *o, const struct key_source *key)
{
	const struct registration_settings *s = &o->registration;

	if (!o->access[0])
		return usage_error("--access is missing");
	if (!s->home_agent)
		return usage_error("--home-agent is missing");
	if (!s->home_address && !s->nai[0])
		return usage_error("--home-address or --nai is missing");
	if (!key->file && key->fd < 0)
		return usage_error("--key-file or --key-fd is missing");
	if (key->file && key->fd >= 0)
		return usage_error("--key-file and --key-fd exclude each other");
	if (strcmp(o->access, o->tun) == 0)
		return usage_error("--access and --tun name the same interface");
	return -1;
}

int options_read(struct options *options, int argc, char **argv)
{
	struct key_source key = {.fd = -1};
	bool no_route = false;
	int option;

	memset(options, 0, sizeof(*options));
	strcpy(options->tun, "hp-mn0");
	options->registration.lifetime_s = 600;
	options->registration.spi = 256;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		unsigned long number;

		switch (option) {
		case OPTION_HELP:
			fputs(help, stdout);
			return 0;
		case OPTION_VERSION:
			puts("homeport-mobile-node " HOMEPORT_VERSION);
			return 0;
		case OPTION_JSON:
			options->json = true;
			continue;
		case OPTION_ONCE:
			options->once = true;
			continue;
		case OPTION_NO_ROUTE:
			no_route = true;
			continue;
		case OPTION_KEY_FILE:
			key.file = optarg;
			continue;
		case OPTION_KEY_FD:
			if (!number_read(optarg, 0, INT32_MAX, &number))
				return usage_error("--key-fd %s: not a descriptor", optarg);
			key.fd = (int)number;
			continue;
		case ':':
			return usage_error("%s wants a value", argv[optind - 1]);
		case '?':
			return usage_error("unknown option %s", argv[optind - 1]);
		default:
			if (!identity_option(options, option, optarg) &&
				!protocol_option(options, option, optarg))
				return usage_error("--%s %s: bad value",
					long_options[option - OPTION_ACCESS].name, optarg);
		}
	}
	if (optind < argc)
		return usage_error("unexpected argument %s", argv[optind]);
	if (no_route && options->route_count)
		return usage_error("--route and --no-route exclude each other");
	if (!no_route && !options->route_count)
		ip_prefix_parse("0.0.0.0/0", &options->routes[options->route_count++]);
	int bad = check_complete(options, &key);
	return bad >= 0 ? bad : key_read(&options->registration.key, key.file, key.fd);
}
