#include "control/operator/server.h"

#include <stdio.h>
#include <stdlib.h>

static bool flags_read(const char *text, struct provider_rehearsal *out)
{
	static const char letters[] = "SBDMG T"; /* from 0x80 down; 0x04 and 0x01 are reserved */

	for (; *text; text++) {
		const char *at = *text == ' ' ? NULL : strchr(letters, *text);
		if (at)
			out->flags |= (uint8_t)(0x80 >> (at - letters));
		else if (*text == 'U')
			out->udp_tunnel = true;
		else if (*text == 'F')
			out->udp_forced = true;
		else
			return false;
	}
	return true;
}

static bool port_read(const struct config *config, const char *name, uint16_t *out)
{
	for (unsigned i = 0; i < config->dataplane.port_count; i++)
		if (strcmp(config->dataplane.ports[i].name, name) == 0) {
			*out = (uint16_t)i;
			return true;
		}
	return false;
}

static bool lifetime_read(const char *text, uint16_t *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*out = (uint16_t)value;
	return end != text && !*end && value <= 65535;
}

/* NULL, or what is wrong. */
static const char *describe(struct operator_server *server, const struct request *request,
	struct provider_rehearsal *out)
{
	const struct request_argument *nai = request_argument(request, "nai"),
				      *source = request_argument(request, "source"),
				      *port = request_argument(request, "port"),
				      *flags = request_argument(request, "flags"),
				      *lifetime = request_argument(request, "lifetime");
	const struct config *config = server->provider->config(server->provider->context);

	*out = (struct provider_rehearsal){
		.nai = nai->given ? nai->text : "",
		.home_address = request_argument(request, "home")->prefix.address,
		.care_of_address = request_argument(request, "care-of")->prefix.address,
		.lifetime_s = 600,
	};
	out->source = source->given ? source->prefix.address : out->care_of_address;
	if (!ip_address_is_v4(&out->home_address) || !ip_address_is_v4(&out->care_of_address) ||
		!ip_address_is_v4(&out->source))
		return "Mobile IPv4 has IPv4 addresses";
	if (!answer_select_instance(server, request, &out->instance) ||
		(out->instance == PROVIDER_INSTANCE_ANY && config->instance_count != 1))
		return "name one of the instances";
	if (out->instance == PROVIDER_INSTANCE_ANY)
		out->instance = 0;
	if (port->given && !port_read(config, port->text, &out->port))
		return "no such port";
	if (!flags_read(flags->given ? flags->text : "DT", out))
		return "flags are letters of SBDMGT, U and F";
	if (lifetime->given && !lifetime_read(lifetime->text, &out->lifetime_s))
		return "lifetime is 0 to 65535";
	return NULL;
}

void act_test_registration(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	static const char *const encapsulations[] = {[4] = "ipip", [47] = "gre", [55] = "minimal"};
	const struct provider *provider = server->provider;
	struct provider_rehearsal what;
	struct provider_rehearsed end;
	const char *wrong = describe(server, request, &what);

	if (wrong || !provider->rehearse) {
		answer_error(out, out->used, wrong ? "bad_argument" : "unsupported",
			wrong ? wrong : "nobody to ask");
		return;
	}
	provider->rehearse(provider->context, &what, &end);
	answer_begin(out, request);
	writer_object_begin(out, "data");
	writer_text(out, "outcome",
		end.discarded   ? "discarded"
		: end.code <= 1 ? "accepted"
				: "denied");
	writer_unsigned(out, "step", end.step);
	if (end.discarded)
		writer_null(out, "code");
	else
		writer_unsigned(out, "code", end.code);
	writer_text(out, "reason", end.why);
	if (!end.discarded && end.code <= 1 && what.lifetime_s) {
		writer_unsigned(out, "lifetime_s", end.lifetime_s);
		writer_text(out, "encapsulation",
			end.encapsulation < 56 ? encapsulations[end.encapsulation] : NULL);
		writer_boolean(out, "udp", end.udp);
		if (ip_address_is_unspecified(&end.home_address))
			writer_text(out, "home_address", "from a pool");
		else
			writer_address(out, "home_address", &end.home_address);
		writer_address(out, "care_of_address", &end.care_of_address);
	}
	writer_object_end(out);
	answer_end(out);
}
