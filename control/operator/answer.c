#include "control/operator/server.h"

#include <stdio.h>

typedef void command_handler(
	struct operator_server *server, const struct request *request, struct writer *out);

static command_handler *const handlers[OPERATOR_COMMAND_COUNT] = {
	[OPERATOR_SHOW_BINDINGS] = show_bindings,
	[OPERATOR_SHOW_BINDING] = show_binding,
	[OPERATOR_SHOW_COUNTERS] = show_counters,
	[OPERATOR_SHOW_DROPS] = show_drops,
	[OPERATOR_SHOW_PORTS] = show_ports,
	[OPERATOR_SHOW_WORKERS] = show_workers,
	[OPERATOR_SHOW_CONFIG] = show_config,
	[OPERATOR_SHOW_STATUS] = show_status,
	[OPERATOR_SHOW_VIOLATIONS] = show_violations,
	[OPERATOR_SHOW_MOBILE_NODES] = show_mobile_nodes,
	[OPERATOR_SHOW_NODES] = show_nodes,
	[OPERATOR_SHOW_INSTANCES] = show_instances,
	[OPERATOR_SHOW_POOLS] = show_pools,
	[OPERATOR_SHOW_CHARON] = ipsec_charon_show,
	[OPERATOR_TRACE_DROP_ON] = drop_trace_on,
	[OPERATOR_TRACE_DROP_OFF] = drop_trace_off,
	[OPERATOR_TRACE_DROP_SHOW] = drop_trace_show,
	[OPERATOR_TRACE] = act_trace,
	[OPERATOR_TEST_REGISTRATION] = act_test_registration,
	[OPERATOR_CLEAR_BINDINGS] = act_clear_bindings,
	[OPERATOR_CLEAR_COUNTERS] = act_clear_counters,
	[OPERATOR_REVOKE] = act_revoke,
	[OPERATOR_DRAIN] = act_drain,
	[OPERATOR_RELOAD] = act_reload,
	[OPERATOR_SA_SHOW] = ipsec_sa_show,
	[OPERATOR_SA_ADD] = ipsec_sa_add,
	[OPERATOR_SA_UPDATE] = ipsec_sa_update,
	[OPERATOR_SA_DEL] = ipsec_sa_del,
	[OPERATOR_SA_DUMMY] = ipsec_sa_dummy,
	[OPERATOR_SA_MOVE] = takeover_sa_move,
	[OPERATOR_SA_EXPORT] = takeover_sa_export,
	[OPERATOR_SA_TAKEOVER] = takeover_sa_takeover,
	[OPERATOR_SA_RELEASE] = takeover_sa_release,
	[OPERATOR_POLICY_SHOW] = ipsec_policy_show,
	[OPERATOR_POLICY_ADD] = ipsec_policy_add,
	[OPERATOR_POLICY_DEL] = ipsec_policy_del,
	[OPERATOR_HELP] = show_help,
};

void answer_error(struct writer *out, size_t start, const char *code, const char *text)
{
	out->used = start;
	out->failed = false;
	out->comma = false;
	writer_object_begin(out, NULL);
	writer_boolean(out, "ok", false);
	writer_object_begin(out, "error");
	writer_text(out, "code", code);
	writer_text(out, "text", text);
	writer_object_end(out);
	writer_object_end(out);
	writer_line_end(out);
}

void answer_begin(struct writer *out, const struct request *request)
{
	writer_object_begin(out, NULL);
	writer_boolean(out, "ok", true);
	writer_text(out, "command", request->row->words);
}

void answer_end(struct writer *out)
{
	writer_object_end(out);
	writer_line_end(out);
}

void answer_page_end(struct writer *out, uint64_t cursor, bool more)
{
	if (more)
		writer_unsigned(out, "cursor", cursor);
	else
		writer_null(out, "cursor");
	answer_end(out);
}

void answer_request(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	size_t start = out->used;

	handlers[request->command](server, request, out);
	if (out->failed)
		answer_error(out, start, "too_large", "the answer does not fit");
}

bool answer_select_instance(
	struct operator_server *server, const struct request *request, uint16_t *instance)
{
	const struct request_argument *argument = request_argument(request, "instance");
	const struct config *config = server->provider->config(server->provider->context);

	*instance = PROVIDER_INSTANCE_ANY;
	if (!argument->given)
		return true;
	for (unsigned i = 0; i < config->instance_count; i++)
		if (strcmp(config->instances[i].name, argument->text) == 0) {
			*instance = (uint16_t)i;
			return true;
		}
	return false;
}

const char *answer_instance_name(struct operator_server *server, unsigned instance)
{
	const struct config *config = server->provider->config(server->provider->context);

	return instance < config->instance_count ? config->instances[instance].name : NULL;
}
