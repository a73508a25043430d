/*
 * Security associations and policies for operators. What is added is checked by the rules of the
 * configuration; keys come in a request and leave in no answer.
 */
#include "control/operator/server.h"
#include "lib/base/secret.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- arguments ---- */

static const struct request_argument *given(const struct request *request, const char *name)
{
	const struct request_argument *argument = request_argument(request, name);

	return argument->given ? argument : NULL;
}

static uint64_t number(const struct request *request, const char *name, uint64_t fallback)
{
	const struct request_argument *argument = given(request, name);

	return argument ? argument->number : fallback;
}

/* The place of the given word among the argument's words: their order is that of the enum. */
static unsigned word(const struct request *request, const char *name, unsigned fallback)
{
	const struct request_argument *argument = given(request, name);
	const char *words = operator_argument_find(request->row, name)->words;
	unsigned index = 0;

	if (!argument)
		return fallback;
	for (size_t length = strlen(argument->text); *words; index++) {
		size_t next = strcspn(words, "|");
		if (next == length && memcmp(words, argument->text, length) == 0)
			break;
		words += next + (words[next] == '|');
	}
	return index;
}

struct selector_list {
	struct traffic_selector items[CONFIG_SELECTORS_MAX];
	unsigned count;
};

/* False when there are too many. */
static bool take_selectors(
	const struct request *request, const char *name, struct selector_list *out)
{
	const struct request_argument *argument = given(request, name);
	char text[REQUEST_TEXT_SIZE], *rest = text;

	out->count = 0;
	if (!argument)
		return true;
	memcpy(text, argument->text, sizeof(text));
	for (char *one; (one = strsep(&rest, ","));) {
		if (out->count == CONFIG_SELECTORS_MAX)
			return false;
		(void)traffic_selector_parse(one, &out->items[out->count++]); /* checked before */
	}
	return true;
}

static bool take_name(const struct request *request, const char *argument, char *out)
{
	const struct request_argument *name = given(request, argument);

	if (name && strlen(name->text) >= CONFIG_NAME_SIZE)
		return false;
	snprintf(out, CONFIG_NAME_SIZE, "%s", name ? name->text : "");
	return true;
}

struct range {
	const char *name;
	uint64_t min, max;
};

/* A sentence about the first number that is out of its range; NULL. */
static const char *out_of_range(
	const struct request *request, const struct range *ranges, size_t count)
{
	static char text[120];

	for (size_t i = 0; i < count; i++) {
		const struct request_argument *argument = given(request, ranges[i].name);
		if (!argument ||
			(argument->number >= ranges[i].min && argument->number <= ranges[i].max))
			continue;
		snprintf(text, sizeof(text), "%s is %llu, not %llu to %llu", ranges[i].name,
			(unsigned long long)argument->number, (unsigned long long)ranges[i].min,
			(unsigned long long)ranges[i].max);
		return text;
	}
	return NULL;
}

static void answer_result(
	const struct request *request, struct writer *out, int result, const char *text)
{
	if (result) {
		answer_error(out, out->used,
			result == -ENOENT   ? "not_found"
			: result == -EEXIST ? "exists"
			: result == -ENOSPC ? "full"
			: result == -EINVAL ? "bad_argument"
					    : "failed",
			text);
		return;
	}
	answer_begin(out, request);
	answer_end(out);
}

/* ---- sa show ---- */

static void write_limit(struct writer *out, const char *key, uint64_t value)
{
	if (value)
		writer_unsigned(out, key, value);
	else
		writer_null(out, key);
}

static void write_selectors(struct writer *out, const struct provider_sa *sa)
{
	char text[TRAFFIC_SELECTOR_TEXT_SIZE];

	writer_array_begin(out, "selectors");
	for (unsigned i = 0; i < sa->selector_count; i++) {
		const struct selector *s = &sa->selectors[i];
		struct traffic_selector local = {.first = s->local_first,
			.last = s->local_last,
			.port_first = s->local_port_first,
			.port_last = s->local_port_last,
			.protocol = s->protocol};
		struct traffic_selector remote = {.first = s->remote_first,
			.last = s->remote_last,
			.port_first = s->remote_port_first,
			.port_last = s->remote_port_last,
			.protocol = s->protocol};
		writer_object_begin(out, NULL);
		writer_text(out, "local", traffic_selector_format(&local, text));
		writer_text(out, "remote", traffic_selector_format(&remote, text));
		writer_object_end(out);
	}
	writer_array_end(out);
}

static void write_sa_use(struct writer *out, const struct provider_sa *sa)
{
	writer_boolean(out, "in_dataplane", sa->in_dataplane);
	writer_unsigned(out, "packets", sa->packets);
	writer_unsigned(out, "bytes", sa->bytes);
	writer_unsigned(out, "sequence", sa->sequence);
	writer_unsigned(out, "age_s", sa->age_s);
	if (sa->idle_s == UINT64_MAX)
		writer_null(out, "idle_s");
	else
		writer_unsigned(out, "idle_s", sa->idle_s);
	if (sa->inbound) {
		writer_unsigned(out, "replay_window", sa->replay_window);
		writer_unsigned(out, "replays", sa->replays);
		writer_unsigned(out, "replays_late", sa->replays_late);
		writer_unsigned(out, "bad_icv", sa->bad_icv);
	}
	write_limit(out, "rekey_time_s", sa->soft_s);
	write_limit(out, "life_time_s", sa->hard_s);
	write_limit(out, "rekey_bytes", sa->soft_bytes);
	write_limit(out, "life_bytes", sa->hard_bytes);
	write_limit(out, "rekey_packets", sa->soft_packets);
	write_limit(out, "life_packets", sa->hard_packets);
}

static void write_sa(struct writer *out, const struct provider_sa *sa)
{
	char hex[12];

	writer_object_begin(out, NULL);
	writer_text(out, "name", sa->name);
	writer_text(out, "direction", sa->inbound ? "in" : "out");
	snprintf(hex, sizeof(hex), "0x%08x", sa->spi);
	writer_text(out, "spi", hex);
	writer_text(out, "state", sa->state);
	writer_text(out, "origin", sa->origin);
	writer_text(out, "mode", sa->transport ? "transport" : "tunnel");
	writer_text(out, "algorithm", sa->algorithm);
	writer_boolean(out, "esn", sa->esn);
	writer_address(out, "local", &sa->local);
	writer_address(out, "remote", &sa->remote);
	writer_boolean(out, "encap", sa->encap);
	write_limit(out, "local_port", ntohs(sa->local_port));
	write_limit(out, "remote_port", ntohs(sa->remote_port));
	writer_boolean(out, "follow_mapping", sa->follow_mapping);
	writer_unsigned(out, "vrf", sa->vrf);
	writer_unsigned(out, "reqid", sa->reqid);
	writer_unsigned(out, "sa_id", sa->sa_id);
	if (sa->pair_id == UINT32_MAX)
		writer_null(out, "pair_id");
	else
		writer_unsigned(out, "pair_id", sa->pair_id);
	write_limit(out, "path_mtu", sa->path_mtu);
	write_sa_use(out, sa);
	write_selectors(out, sa);
	writer_object_end(out);
}

static void show_one_pair(const struct provider *provider, const struct request *request,
	const char *name, struct writer *out)
{
	struct provider_sa sa;
	size_t start = out->used;
	unsigned found = 0;

	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned inbound = 0; inbound < 2; inbound++)
		if (provider->sa_find(provider->context, name, inbound == 0, &sa)) {
			write_sa(out, &sa);
			found++;
		}
	writer_array_end(out);
	answer_page_end(out, 0, false);
	if (!found)
		answer_error(out, start, "not_found", "no security association has that name");
}

void ipsec_sa_show(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	const struct request_argument *name = given(request, "name");
	uint64_t cursor = request->cursor;
	bool more = true;
	struct provider_sa sa;

	if (!provider->sa_next || !provider->sa_find) {
		answer_error(out, out->used, "unsupported", "no IPsec here");
		return;
	}
	if (name) {
		show_one_pair(provider, request, name->text, out);
		return;
	}
	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned i = 0; more && i < request->limit; i++) {
		more = provider->sa_next(provider->context, &cursor, &sa);
		if (more)
			write_sa(out, &sa);
	}
	writer_array_end(out);
	answer_page_end(out, cursor, more);
}

/* ---- sa add, update, del ---- */

static void fill_lifetimes(const struct request *request, struct config_security_association *pair)
{
	pair->rekey_time_s = number(request, "rekey-time", 0);
	pair->life_time_s = number(request, "life-time", 0);
	pair->rekey_bytes = number(request, "rekey-bytes", 0);
	pair->life_bytes = number(request, "life-bytes", 0);
	pair->rekey_packets = number(request, "rekey-packets", 0);
	pair->life_packets = number(request, "life-packets", 0);
}

static void fill_pair(const struct operator_server *server, const struct request *request,
	struct config_security_association *pair)
{
	const struct config *config = server->provider->config(server->provider->context);
	uint32_t widest = config->dataplane.max_replay_window;

	pair->mode = (enum config_esp_mode)word(request, "mode", ESP_MODE_TUNNEL);
	pair->local = request_argument(request, "local")->prefix.address;
	pair->remote = request_argument(request, "remote")->prefix.address;
	pair->encap = given(request, "encap");
	pair->local_port = (uint16_t)number(request, "local-port", 4500);
	pair->remote_port = (uint16_t)number(request, "remote-port", 4500);
	pair->spi_in = (uint32_t)number(request, "spi-in", 0);
	pair->spi_out = (uint32_t)number(request, "spi-out", 0);
	pair->reqid = (uint32_t)number(request, "reqid", 0);
	pair->vrf = (uint16_t)number(request, "vrf", 0);
	pair->esn = given(request, "esn");
	pair->unsafe_static_keys = given(request, "unsafe-static-keys");
	pair->udp_zero_checksum = given(request, "udp-zero-checksum");
	pair->follow_mapping = given(request, "follow-mapping");
	pair->replay_window =
		(uint32_t)number(request, "replay-window", widest < 1024 ? widest : 1024);
	pair->copy_df = (enum config_copy_df)word(request, "copy-df", COPY_DF_YES);
	pair->copy_ecn = word(request, "copy-ecn", 0) == 0;
	pair->copy_dscp = (enum config_copy_dscp)word(request, "copy-dscp", COPY_DSCP_OUT);
	pair->dscp = (uint32_t)number(request, "dscp", 0);
	pair->path_mtu = (uint32_t)number(request, "path-mtu", 0);
	pair->tfc_padding = (uint32_t)number(request, "tfc-padding", 0);
	pair->tunnel_ttl = 64;
	pair->icmp_inspect = true;
	fill_lifetimes(request, pair);
}

static struct traffic_selector *copy_list(const struct selector_list *list)
{
	struct traffic_selector *copy = calloc(list->count ? list->count : 1, sizeof(*copy));

	if (copy)
		memcpy(copy, list->items, list->count * sizeof(*copy));
	return copy;
}

/* 0 or -errno with error filled. */
static int add_pair(struct operator_server *server, const struct request *request,
	struct config_security_association *pair, struct config_error *error)
{
	const char *algorithm = request_argument(request, "algorithm")->text;
	struct selector_list local, remote;

	snprintf(error->text, sizeof(error->text), "name or algorithm is too long");
	if (!take_name(request, "name", pair->name) || strlen(algorithm) >= sizeof(pair->algorithm))
		return -EINVAL;
	memcpy(pair->algorithm, algorithm, strlen(algorithm) + 1);
	snprintf(error->text, sizeof(error->text), "more than %u selectors", CONFIG_SELECTORS_MAX);
	if (!take_selectors(request, "local-ts", &local) ||
		!take_selectors(request, "remote-ts", &remote))
		return -EINVAL;
	snprintf(error->text, sizeof(error->text),
		"keys are no two lines \"in HEX\" and \"out HEX\"");
	if (config_key_parse_pair(
		    request_argument(request, "keys")->text, &pair->key_in, &pair->key_out))
		return -EINVAL;
	snprintf(error->text, sizeof(error->text), "out of memory");
	pair->local_ts = copy_list(&local);
	pair->remote_ts = copy_list(&remote);
	pair->local_ts_count = local.count;
	pair->remote_ts_count = remote.count;
	if (!pair->local_ts || !pair->remote_ts)
		return -ENOMEM;
	return server->provider->sa_add(server->provider->context, pair, error);
}

void ipsec_sa_add(struct operator_server *server, const struct request *request, struct writer *out)
{
	static const struct range ranges[] = {{"spi-in", 256, UINT32_MAX},
		{"spi-out", 256, UINT32_MAX}, {"local-port", 1, 65535}, {"remote-port", 1, 65535},
		{"replay-window", 0, 4096}, {"vrf", 0, 65535}, {"reqid", 0, UINT32_MAX},
		{"dscp", 0, 63}, {"path-mtu", 0, 65535}, {"tfc-padding", 0, 65535},
		{"rekey-time", 0, UINT32_MAX}, {"life-time", 0, UINT32_MAX}};
	const char *range = out_of_range(request, ranges, sizeof(ranges) / sizeof(ranges[0]));
	struct config_security_association pair = {0};
	struct config_error error = {""};

	if (!server->provider->sa_add) {
		answer_error(out, out->used, "unsupported", "no IPsec here");
		return;
	}
	if (range) {
		answer_error(out, out->used, "bad_argument", range);
		return;
	}
	fill_pair(server, request, &pair);
	int result = add_pair(server, request, &pair, &error);
	free(pair.local_ts);
	free(pair.remote_ts);
	secret_wipe(&pair, sizeof(pair));
	answer_result(request, out, result, error.text);
}

static int number_or_stay(const struct request *request, const char *name)
{
	const struct request_argument *argument = given(request, name);

	return argument ? (int)argument->number : -1;
}

static int word_or_stay(const struct request *request, const char *name)
{
	return given(request, name) ? word(request, name, 0) == 0 : -1;
}

void ipsec_sa_update(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	static const struct range ranges[] = {
		{"local-port", 1, 65535}, {"remote-port", 1, 65535}, {"path-mtu", 0, 65535}};
	const struct provider *provider = server->provider;
	const char *range = out_of_range(request, ranges, 3);
	const struct request_argument *local = given(request, "local"),
				      *remote = given(request, "remote");
	struct config_error error = {""};
	struct provider_move move = {.local = local ? &local->prefix.address : NULL,
		.remote = remote ? &remote->prefix.address : NULL,
		.local_port = number_or_stay(request, "local-port"),
		.remote_port = number_or_stay(request, "remote-port"),
		.encap = word_or_stay(request, "encap"),
		.follow_mapping = word_or_stay(request, "follow-mapping"),
		.path_mtu = number_or_stay(request, "path-mtu")};

	if (!provider->sa_update)
		answer_error(out, out->used, "unsupported", "no IPsec here");
	else if (range)
		answer_error(out, out->used, "bad_argument", range);
	else
		answer_result(request, out,
			provider->sa_update(provider->context,
				request_argument(request, "name")->text, &move, &error),
			error.text);
}

void ipsec_sa_del(struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	struct config_error error = {""};

	if (!provider->sa_del)
		answer_error(out, out->used, "unsupported", "no IPsec here");
	else
		answer_result(request, out,
			provider->sa_del(
				provider->context, request_argument(request, "name")->text, &error),
			error.text);
}

void ipsec_sa_dummy(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	static const struct range ranges[] = {{"count", 1, 1000}, {"length", 40, 1800}};
	const struct provider *provider = server->provider;
	const char *range = out_of_range(request, ranges, 2);
	struct config_error error = {""};

	if (!provider->sa_dummy)
		answer_error(out, out->used, "unsupported", "no IPsec here");
	else if (range)
		answer_error(out, out->used, "bad_argument", range);
	else
		answer_result(request, out,
			provider->sa_dummy(provider->context,
				request_argument(request, "name")->text,
				(unsigned)number(request, "count", 1),
				(unsigned)number(request, "length", 64), &error),
			error.text);
}

/* ---- policies ---- */

static void write_policy(struct writer *out, const struct provider_policy *policy)
{
	static const char *const actions[] = {"discard", "bypass", "protect"};
	static const char *const directions[] = {"both", "out", "in"};
	const struct config_policy *s = policy->settings;
	char text[TRAFFIC_SELECTOR_TEXT_SIZE];

	writer_object_begin(out, NULL);
	writer_unsigned(out, "order", s->order);
	writer_text(out, "name", s->name);
	writer_text(out, "direction", directions[s->direction]);
	writer_text(out, "action", actions[s->action]);
	writer_text(out, "security_association",
		s->security_association[0] ? s->security_association : NULL);
	writer_unsigned(out, "vrf", s->vrf);
	writer_boolean(out, "mip_signalling", s->mip_signalling);
	writer_boolean(out, "answer_icmp", s->answer_icmp);
	writer_boolean(out, "nested", s->nested);
	writer_text(out, "origin", policy->from_config ? "configuration" : "operator");
	writer_unsigned(out, "hits_out", policy->hits_out); // SPD-24
	writer_unsigned(out, "hits_in", policy->hits_in);
	writer_array_begin(out, "local_ts");
	for (unsigned i = 0; i < s->local_ts_count; i++)
		writer_text(out, NULL, traffic_selector_format(&s->local_ts[i], text));
	writer_array_end(out);
	writer_array_begin(out, "remote_ts");
	for (unsigned i = 0; i < s->remote_ts_count; i++)
		writer_text(out, NULL, traffic_selector_format(&s->remote_ts[i], text));
	writer_array_end(out);
	writer_object_end(out);
}

void ipsec_policy_show(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	const struct request_argument *name = given(request, "name");
	struct provider_policy policy;
	uint64_t cursor = request->cursor;
	bool more = true;

	if (!provider->policy_at || !provider->policy_find) {
		answer_error(out, out->used, "unsupported", "no IPsec here");
		return;
	}
	if (name && !provider->policy_find(provider->context, name->text, &policy)) {
		answer_error(out, out->used, "not_found", "no policy has that name");
		return;
	}
	answer_begin(out, request);
	writer_array_begin(out, "rows");
	if (name)
		write_policy(out, &policy);
	for (unsigned i = 0; !name && more && i < request->limit; i++) {
		more = provider->policy_at(provider->context, cursor, &policy);
		cursor += more;
		if (more)
			write_policy(out, &policy);
	}
	writer_array_end(out);
	answer_page_end(out, cursor, more && !name);
}

void ipsec_policy_add(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	static const struct range ranges[] = {{"order", 0, UINT32_MAX}, {"vrf", 0, 65535}};
	const struct provider *provider = server->provider;
	const char *range = out_of_range(request, ranges, 2);
	struct selector_list local, remote;
	struct config_error error = {""};
	struct config_policy policy = {.order = (uint32_t)number(request, "order", 0),
		.vrf = (uint16_t)number(request, "vrf", 0),
		.direction =
			(enum config_policy_direction)word(request, "direction", DIRECTION_BOTH),
		.action = (enum config_policy_action)word(request, "action", ACTION_DISCARD),
		.mip_signalling = given(request, "mip-signalling"),
		.answer_icmp = given(request, "answer-icmp"),
		.nested = given(request, "nested"),
		.local_ts = local.items,
		.remote_ts = remote.items};

	if (!provider->policy_add) {
		answer_error(out, out->used, "unsupported", "no IPsec here");
		return;
	}
	if (!range && (!take_name(request, "name", policy.name) ||
			      !take_name(request, "sa", policy.security_association)))
		range = "name or sa is too long";
	if (!range && (!take_selectors(request, "local-ts", &local) ||
			      !take_selectors(request, "remote-ts", &remote)))
		range = "more than 16 selectors";
	if (range) {
		answer_error(out, out->used, "bad_argument", range);
		return;
	}
	policy.local_ts_count = local.count;
	policy.remote_ts_count = remote.count;
	answer_result(
		request, out, provider->policy_add(provider->context, &policy, &error), error.text);
}

void ipsec_policy_del(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	struct config_error error = {""};

	if (!provider->policy_del)
		answer_error(out, out->used, "unsupported", "no IPsec here");
	else
		answer_result(request, out,
			provider->policy_del(
				provider->context, request_argument(request, "name")->text, &error),
			error.text);
}

/* ---- charon ---- */

void ipsec_charon_show(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	struct provider_charon charon = {0};
	struct provider_counter counter;
	char hex[24];

	if (!provider->charon || !provider->charon(provider->context, &charon)) {
		answer_error(out, out->used, "unsupported", "keying.socket is not configured");
		return;
	}
	answer_begin(out, request);
	writer_object_begin(out, "data");
	writer_boolean(out, "connected", charon.connected);
	writer_boolean(out, "replayed", charon.replayed);
	writer_boolean(out, "awaited", charon.awaited);
	writer_text(out, "agent", charon.agent);
	snprintf(hex, sizeof(hex), "0x%016llx", (unsigned long long)charon.instance);
	writer_text(out, "instance", hex);
	writer_unsigned(out, "associations", charon.associations);
	writer_unsigned(out, "leases", charon.leases);
	writer_unsigned(out, "policies", charon.policies);
	writer_unsigned(out, "waiting", charon.waiting);
	for (unsigned i = 0; provider->charon_counter(provider->context, i, &counter); i++)
		writer_unsigned(out, counter.name, counter.value);
	writer_object_end(out);
	answer_end(out);
}
