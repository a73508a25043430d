#include "control/operator/server.h"

static void write_ago(struct writer *out, const char *key, uint64_t ms)
{
	if (ms == UINT64_MAX)
		writer_null(out, key);
	else
		writer_unsigned(out, key, ms / 1000);
}

static void write_row(
	struct operator_server *server, struct writer *out, const struct provider_node *node)
{
	writer_object_begin(out, NULL);
	if (ip_address_is_unspecified(&node->home_address))
		writer_null(out, "home_address");
	else
		writer_address(out, "home_address", &node->home_address);
	writer_text(out, "nai", node->nai[0] ? node->nai : NULL);
	writer_text(out, "instance", answer_instance_name(server, node->instance));
	writer_unsigned(out, "bindings", node->bindings);
	writer_unsigned(out, "accepted", node->accepted);
	writer_unsigned(out, "denied", node->denied);
	writer_unsigned(out, "service_s", node->service_ms / 1000);
	write_ago(out, "accepted_ago_s", node->accepted_ago_ms);
	write_ago(out, "denied_ago_s", node->denied_ago_ms);
	if (node->denied_code)
		writer_unsigned(out, "denied_code", node->denied_code);
	else
		writer_null(out, "denied_code");
	writer_object_end(out);
}

void show_nodes(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	enum provider_step step = PROVIDER_END;
	uint64_t cursor = request->cursor;
	struct provider_node node;
	uint16_t instance;
	unsigned rows = 0;

	if (!answer_select_instance(server, request, &instance)) {
		answer_error(out, out->used, "not_found", "no such instance");
		return;
	}
	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned looked = 0; rows < request->limit && looked < 64 && provider->node_next;) {
		step = provider->node_next(provider->context, &cursor, &node);
		if (step == PROVIDER_END)
			break;
		looked += step == PROVIDER_AGAIN;
		if (step == PROVIDER_FOUND &&
			(instance == PROVIDER_INSTANCE_ANY || node.instance == instance)) {
			write_row(server, out, &node);
			rows++;
		}
	}
	writer_array_end(out);
	answer_page_end(out, cursor, step != PROVIDER_END);
}
