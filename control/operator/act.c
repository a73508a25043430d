#include "control/operator/counters.h"

#define CLEAR_STEP                                                                                 \
	500u /* bindings removed in one turn: each costs a command, perhaps a Revocation */

static void answer_removed(struct writer *out, const struct request *request, uint64_t removed,
	uint64_t cursor, bool more)
{
	answer_begin(out, request);
	writer_array_begin(out, "rows");
	writer_array_end(out);
	writer_unsigned(out, "count", removed);
	answer_page_end(out, cursor, more);
}

static void clear_all(struct operator_server *server, const struct request *request,
	uint16_t instance, struct writer *out)
{
	const struct provider *provider = server->provider;
	enum provider_step step = PROVIDER_AGAIN;
	uint64_t cursor = request->cursor;
	struct provider_binding binding;
	unsigned removed = 0;

	for (unsigned looked = 0; looked < 4096 && removed < CLEAR_STEP; looked++) {
		step = provider->binding_next(provider->context, &cursor, &binding);
		if (step == PROVIDER_END)
			break;
		if (step == PROVIDER_FOUND &&
			(instance == PROVIDER_INSTANCE_ANY || binding.instance == instance))
			removed +=
				provider->clear_binding(provider->context, binding.binding_id) == 0;
		looked += step == PROVIDER_AGAIN ? 63 : 0;
	}
	answer_removed(out, request, removed, cursor, step != PROVIDER_END);
}

void act_clear_bindings(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	const char *which = request_argument(request, "which")->text;
	struct ip_address home;
	uint16_t instance;
	unsigned removed;

	if (!answer_select_instance(server, request, &instance)) {
		answer_error(out, out->used, "not_found", "no such instance");
		return;
	}
	if (strcmp(which, "all") == 0) {
		clear_all(server, request, instance, out);
		return;
	}
	if (strchr(which, '@')) {
		removed = provider->clear_nai(provider->context, instance, which);
	} else if (ip_address_parse(which, &home) == 0) {
		removed = provider->clear_home(provider->context, instance, &home);
	} else {
		answer_error(
			out, out->used, "bad_argument", "neither a home address, a NAI nor all");
		return;
	}
	if (removed)
		answer_removed(out, request, removed, 0, false);
	else
		answer_error(out, out->used, "not_found", "no such binding");
}

void act_revoke(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	const struct ip_address *home = &request_argument(request, "address")->prefix.address;
	struct provider_binding binding;
	bool negotiated = false;
	uint16_t instance;

	if (!answer_select_instance(server, request, &instance)) {
		answer_error(out, out->used, "not_found", "no such instance");
		return;
	}
	for (unsigned i = 0; provider->binding_find(provider->context, instance, home, i, &binding);
		i++)
		negotiated |= binding.revocation_negotiated;
	unsigned removed = provider->clear_home(provider->context, instance, home);
	if (!removed) {
		answer_error(out, out->used, "not_found", "no binding of this home address");
		return;
	}
	answer_begin(out, request);
	writer_object_begin(out, "data");
	writer_unsigned(out, "removed", removed);
	writer_boolean(out, "node_told", negotiated);
	writer_object_end(out);
	answer_end(out);
}

void act_drain(struct operator_server *server, const struct request *request, struct writer *out)
{
	server->provider->drain(server->provider->context,
		strcmp(request_argument(request, "state")->text, "on") == 0);
	answer_begin(out, request);
	answer_end(out);
}

void act_reload(struct operator_server *server, const struct request *request, struct writer *out)
{
	struct config_error error = {"the configuration was refused"};

	if (server->provider->reload(server->provider->context, &error)) {
		answer_error(out, out->used, "refused", error.text);
		return;
	}
	answer_begin(out, request);
	answer_end(out);
}

void act_clear_counters(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	struct baseline *baseline = &server->baseline;
	struct provider_counter counter;

	baseline->taken_ns = server->now_ns;
	baseline->epoch = counters_epoch(server);
	baseline->workers = counters_sum(provider);
	for (unsigned i = 0; provider->counter && i < BASELINE_INSTANCES_MAX; i++)
		for (unsigned k = 0; k < BASELINE_COUNTERS_MAX &&
				     provider->counter(provider->context, i, k, &counter);
			k++)
			baseline->control[i][k] = counter.value;
	answer_begin(out, request);
	answer_end(out);
}

void act_trace(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;

	if (!provider->trace) {
		answer_error(out, out->used, "unsupported", "nobody to ask");
		return;
	}
	if (!provider->trace(provider->context, request_argument(request, "which")->text)) {
		answer_error(
			out, out->used, "bad_argument", "neither an IPv4 address, a NAI nor off");
		return;
	}
	answer_begin(out, request);
	answer_end(out);
}
