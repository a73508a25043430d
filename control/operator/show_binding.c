#include "control/operator/server.h"

#include <arpa/inet.h>
#include <stdio.h>

/* Bindings that one page looks at when a filter finds little: keeps a turn short. */
#define LOOK_MAX 4096u

static const char *encapsulation_name(unsigned encapsulation, uint32_t flags)
{
	if (flags & BINDING_UDP)
		return encapsulation == ENCAPSULATION_GRE       ? "udp-gre"
		       : encapsulation == ENCAPSULATION_MINIMAL ? "udp-minimal"
								: "udp-ipip";
	return encapsulation == ENCAPSULATION_GRE       ? "gre"
	       : encapsulation == ENCAPSULATION_MINIMAL ? "minimal"
							: "ipip";
}

/* Upper case = set (HA4-OPS-25). */
static const char *flag_letters(uint8_t flags, char text[7])
{
	static const struct {
		uint8_t bit;
		char set, clear;
	} letters[] = {{0x80, 'S', 's'}, {0x40, 'B', 'b'}, {0x20, 'D', 'd'}, {0x10, 'M', 'm'},
		{0x08, 'G', 'g'}, {0x02, 'T', 't'}};

	for (unsigned i = 0; i < 6; i++)
		text[i] = (char)(flags & letters[i].bit ? letters[i].set : letters[i].clear);
	text[6] = '\0';
	return text;
}

static const char *nat_name(const struct provider_binding *binding)
{
	static const char *const names[] = {"none", "detected", "forced"};

	if (binding->flags & BINDING_HALF_BOUND)
		return "half-bound";
	return binding->flags & BINDING_STALE_NAT ? "stale" : names[binding->nat];
}

static const char *or_null(const char *text)
{
	return text && text[0] ? text : NULL;
}

/* The columns of the list. */
static void write_row(
	struct operator_server *server, struct writer *out, const struct provider_binding *binding)
{
	char letters[7];

	writer_address(out, "home_address", &binding->home_address);
	writer_text(out, "nai", or_null(binding->nai));
	writer_text(out, "instance", answer_instance_name(server, binding->instance));
	writer_address(out, "care_of_address", &binding->care_of_address);
	writer_unsigned(out, "care_of_port", ntohs(binding->care_of_port));
	writer_text(
		out, "encapsulation", encapsulation_name(binding->encapsulation, binding->flags));
	writer_text(out, "nat", nat_name(binding));
	writer_text(out, "flags", flag_letters(binding->request_flags, letters));
	writer_text(out, "state", binding->flags & BINDING_STATIC ? "static" : binding->state);
	writer_unsigned(out, "lifetime_s", binding->lifetime_s);
	if (binding->remaining_ms == UINT64_MAX)
		writer_null(out, "remaining_s");
	else
		writer_unsigned(out, "remaining_s", (binding->remaining_ms + 999) / 1000);
}

static void write_details(
	struct operator_server *server, struct writer *out, const struct provider_binding *binding)
{
	char hex[24];

	write_row(server, out, binding);
	writer_unsigned(out, "binding_id", binding->binding_id);
	writer_address(out, "care_of_field", &binding->care_of_field);
	writer_address(out, "source_address", &binding->source);
	writer_unsigned(out, "source_port", ntohs(binding->source_port));
	writer_address(out, "home_agent", &binding->agent_address);
	snprintf(hex, sizeof(hex), "0x%08x", (unsigned)(binding->identification >> 32));
	writer_text(out, "identification_high", hex);
	snprintf(hex, sizeof(hex), "0x%08x", (unsigned)binding->identification);
	writer_text(out, "identification_low", hex);
	snprintf(hex, sizeof(hex), "0x%x", binding->spi);
	writer_text(out, "spi", hex);
	writer_boolean(out, "reverse_tunnel", binding->flags & BINDING_REVERSE);
	writer_boolean(out, "broadcast", binding->flags & BINDING_BROADCAST);
	writer_boolean(out, "suspended", binding->flags & BINDING_SUSPENDED);
	writer_boolean(out, "requires_ipsec", binding->flags & BINDING_REQUIRES_IPSEC);
	writer_unsigned(out, "keepalive_s", binding->keepalive_s);
	writer_text(out, "through", binding->relayed ? "foreign agent" : "direct");
	writer_boolean(out, "unreachable", binding->unreachable);
	writer_text(out, "mode", or_null(binding->mode));
	writer_text(out, "service", or_null(binding->service));
	writer_boolean(out, "revocation_negotiated", binding->revocation_negotiated);
	writer_boolean(out, "revocation_inform", binding->revocation_inform);
	writer_array_begin(out, "networks");
	for (unsigned i = 0; i < binding->network_count && i < PROVIDER_NETWORKS_MAX; i++)
		writer_prefix(out, NULL, &binding->networks[i]);
	writer_array_end(out);
	writer_unsigned(out, "age_s", binding->age_ms / 1000);
	writer_unsigned(out, "refreshed_s", binding->refreshed_ms / 1000);
	writer_unsigned(out, "forward_packets", binding->counters.forward_packets);
	writer_unsigned(out, "forward_bytes", binding->counters.forward_bytes);
	writer_unsigned(out, "reverse_packets", binding->counters.reverse_packets);
	writer_unsigned(out, "reverse_bytes", binding->counters.reverse_bytes);
}

struct filter {
	const struct request_argument *home, *nai, *care_of;
	uint16_t instance;
};

static bool nai_matches(const char *wanted, const char *nai)
{
	const char *realm = nai ? strchr(nai, '@') : NULL, *wanted_realm = strchr(wanted, '@');

	if (!realm || !wanted_realm)
		return nai && strcmp(nai, wanted) == 0;
	if (strcasecmp(realm, wanted_realm) != 0) // HA4-DYN-02
		return false;
	return wanted == wanted_realm || (realm - nai == wanted_realm - wanted &&
						 memcmp(nai, wanted, (size_t)(realm - nai)) == 0);
}

static bool filter_passes(const struct filter *filter, const struct provider_binding *binding)
{
	if (filter->instance != PROVIDER_INSTANCE_ANY && filter->instance != binding->instance)
		return false;
	if (filter->home->given &&
		!ip_prefix_contains(&filter->home->prefix, &binding->home_address))
		return false;
	if (filter->care_of->given &&
		!ip_prefix_contains(&filter->care_of->prefix, &binding->care_of_address))
		return false;
	return !filter->nai->given || nai_matches(filter->nai->text, binding->nai);
}

void show_bindings(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	struct filter filter = {request_argument(request, "home"), request_argument(request, "nai"),
		request_argument(request, "care-of"), PROVIDER_INSTANCE_ANY};
	bool count_only = request_argument(request, "count")->given;
	enum provider_step step = PROVIDER_AGAIN;
	uint64_t cursor = request->cursor, found = 0;
	struct provider_binding binding;

	if (!answer_select_instance(server, request, &filter.instance)) {
		answer_error(out, out->used, "not_found", "no such instance");
		return;
	}
	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned looked = 0; looked < LOOK_MAX && (count_only || found < request->limit);
		looked++) {
		step = provider->binding_next(provider->context, &cursor, &binding);
		if (step == PROVIDER_END)
			break;
		if (step == PROVIDER_AGAIN) {
			looked += 63; /* it passed over empty slots */
			continue;
		}
		if (!filter_passes(&filter, &binding))
			continue;
		found++;
		if (count_only)
			continue;
		writer_object_begin(out, NULL);
		write_row(server, out, &binding);
		writer_object_end(out);
	}
	writer_array_end(out);
	writer_unsigned(out, "count", found);
	answer_page_end(out, cursor, step != PROVIDER_END);
}

void show_binding(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	const struct ip_address *home = &request_argument(request, "address")->prefix.address;
	struct provider_binding binding;
	size_t start = out->used;
	uint16_t instance;
	unsigned count = 0;

	if (!answer_select_instance(server, request, &instance)) {
		answer_error(out, start, "not_found", "no such instance");
		return;
	}
	answer_begin(out, request);
	writer_array_begin(out, "rows");
	/* A home address has a handful of bindings an instance; a thousand would be the provider's
	 * mistake. */
	while (count < OPERATOR_LIMIT_MAX &&
		provider->binding_find(provider->context, instance, home, count, &binding)) {
		writer_object_begin(out, NULL);
		write_details(server, out, &binding);
		writer_object_end(out);
		count++;
	}
	writer_array_end(out);
	answer_page_end(out, 0, false);
	if (count == 0)
		answer_error(out, start, "not_found", "no binding of this home address");
}
