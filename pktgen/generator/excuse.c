#include "pktgen/generator/excuse.h"

#include <inttypes.h>
#include <stdio.h>

static void append(char out[EXCUSE_SIZE], uint64_t count, const char *what)
{
	size_t at = strlen(out);

	if (count)
		snprintf(out + at, EXCUSE_SIZE - at, ", %" PRIu64 " %s", count, what);
}

void excuse_registration(const struct registrar_counters *c, char out[EXCUSE_SIZE])
{
	unsigned code = 0;
	char denied[32];

	for (unsigned i = 1; i < 256; i++)
		if (c->codes[i] > c->codes[code])
			code = i;
	snprintf(denied, sizeof(denied), "denied, most by code %u", code);
	snprintf(out, EXCUSE_SIZE, "%" PRIu64 " requests", c->requests);
	append(out, c->accepted, "accepted");
	append(out, c->denied, denied);
	append(out, c->bad_address, "replies from or to another address or port");
	append(out, c->bad_authenticator, "with a wrong authenticator (registration.key)");
	append(out, c->bad_tunnel, "without the UDP tunnel");
	append(out, c->malformed, "malformed");
	append(out, c->unmatched, "that answer no request");
	if (!strchr(out, ','))
		snprintf(out + strlen(out), EXCUSE_SIZE - strlen(out), ", no reply");
}
