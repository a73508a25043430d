#include "control/operator/request.h"

#include "lib/base/secret.h"
#include "lib/base/traffic_selector.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>

static int refuse(struct request_error *error, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct request_error *error, const char *code, const char *format, ...)
{
	va_list arguments;

	error->code = code;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static bool is_one_of(const char *text, const char *words)
{
	size_t length = strlen(text);

	for (const char *at = words; at && length;
		at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
		if (strncmp(at, text, length) == 0 && (at[length] == '|' || at[length] == '\0'))
			return true;
	return false;
}

static int parse_decimal_or_hex(const struct operator_argument *argument, const char *text,
	uint64_t *out, struct request_error *error)
{
	char *end;

	errno = 0;
	*out = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 0) : 0;
	if (text[0] < '0' || text[0] > '9' || *end || errno || *out > INT64_MAX ||
		(text[0] == '0' && text[1] >= '0' && text[1] <= '9'))
		return refuse(error, "bad_argument", "%s is not a number, decimal or 0x...",
			argument->name);
	return 0;
}

/* Each of the list must be one; which of them is not is told. */
static int check_selectors(
	const struct operator_argument *argument, const char *text, struct request_error *error)
{
	for (const char *at = text; at;) {
		char one[TRAFFIC_SELECTOR_TEXT_SIZE];
		struct traffic_selector selector;
		size_t length = strcspn(at, ",");
		snprintf(one, sizeof(one), "%.*s", (int)length, at);
		if (length >= sizeof(one) || traffic_selector_parse(one, &selector))
			return refuse(error, "bad_argument",
				"%s: \"%.60s\" is no traffic selector, as 10.1.0.0/16[udp/434]",
				argument->name, one);
		at = at[length] ? at + length + 1 : NULL;
	}
	return 0;
}

static int parse_value(const struct operator_argument *argument, const char *text,
	struct request_argument *out, struct request_error *error)
{
	struct ip_address address;
	bool prefix = argument->kind == OPERATOR_PREFIX && strchr(text, '/');

	if (argument->kind == OPERATOR_KEY_FILE || argument->kind == OPERATOR_KEY_FD)
		return refuse(error, "bad_argument", "%s is read by homeportctl: send its text",
			argument->name);
	if (argument->kind == OPERATOR_OUT_FILE)
		return refuse(error, "bad_argument", "%s is written by homeportctl: leave it out",
			argument->name);
	if (!text[0] || strlen(text) >= sizeof(out->text))
		return refuse(error, "bad_argument", "%s is empty or too long", argument->name);
	memcpy(out->text, text, strlen(text) + 1);
	if (argument->kind == OPERATOR_WORDS && !is_one_of(text, argument->words))
		return refuse(error, "bad_argument", "%s must be one of %s", argument->name,
			argument->words);
	if (argument->kind == OPERATOR_NUMBER)
		return parse_decimal_or_hex(argument, text, &out->number, error);
	if (argument->kind == OPERATOR_SELECTORS)
		return check_selectors(argument, text, error);
	if (argument->kind != OPERATOR_ADDRESS && argument->kind != OPERATOR_PREFIX)
		return 0;
	if (prefix ? ip_prefix_parse(text, &out->prefix) : ip_address_parse(text, &address))
		return refuse(error, "bad_argument", "%s is not an IP address%s", argument->name,
			argument->kind == OPERATOR_PREFIX ? " or prefix" : "");
	if (!prefix)
		out->prefix = ip_prefix_make(&address, 128);
	return 0;
}

static int parse_argument(
	struct request *out, const char *name, const json_t *value, struct request_error *error)
{
	const struct operator_argument *argument = operator_argument_find(out->row, name);

	if (!argument)
		return refuse(error, "bad_argument", "%s has no argument \"%.40s\"",
			out->row->words, name);
	struct request_argument *slot = &out->arguments[argument - out->row->arguments];
	if (argument->kind == OPERATOR_FLAG) {
		if (!json_is_boolean(value))
			return refuse(
				error, "bad_argument", "%s must be true or false", argument->name);
		slot->given = json_is_true(value);
		return 0;
	}
	if (!json_is_string(value))
		return refuse(error, "bad_argument", "%s must be a string", argument->name);
	slot->given = true;
	return parse_value(argument, json_string_value(value), slot, error);
}

static int parse_number(
	const json_t *value, const char *name, uint64_t *out, struct request_error *error)
{
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return refuse(error, "bad_request", "%s must be a number from 0", name);
	*out = (uint64_t)json_integer_value(value);
	return 0;
}

static int parse_object(json_t *root, struct request *out, struct request_error *error)
{
	const json_t *words = json_object_get(root, "command");
	json_t *arguments = json_object_get(root, "arguments");
	uint64_t limit = OPERATOR_LIMIT_DEFAULT;
	const char *name;
	json_t *value;

	if (!json_is_string(words))
		return refuse(error, "bad_request",
			"a request is {\"command\":\"...\",\"arguments\":{...}}");
	out->command = operator_command_find(json_string_value(words));
	out->row = operator_command_get(out->command);
	if (!out->row)
		return refuse(
			error, "unknown_command", "no command \"%.60s\"", json_string_value(words));
	if (arguments && !json_is_object(arguments))
		return refuse(error, "bad_request", "arguments must be an object");
	json_object_foreach(
		arguments, name, value) if (parse_argument(out, name, value, error)) return -EINVAL;
	for (unsigned i = 0; i < OPERATOR_ARGUMENTS_MAX && out->row->arguments[i].name; i++)
		if (out->row->arguments[i].required && !out->arguments[i].given)
			return refuse(error, "bad_argument", "%s needs %s", out->row->words,
				out->row->arguments[i].name);
	if (parse_number(json_object_get(root, "cursor"), "cursor", &out->cursor, error) ||
		parse_number(json_object_get(root, "limit"), "limit", &limit, error))
		return -EINVAL;
	out->limit =
		limit == 0 || limit > OPERATOR_LIMIT_MAX ? OPERATOR_LIMIT_MAX : (uint32_t)limit;
	return 0;
}

/* jansson's copies of a line may hold keys: nothing of it is given back unwiped. */
static void wiping_free(void *memory)
{
	if (!memory)
		return;
	secret_wipe(memory, malloc_usable_size(memory));
	free(memory);
}

void request_wipe(struct request *request)
{
	secret_wipe(request, sizeof(*request));
}

int request_parse(const char *line, size_t length, struct request *out, struct request_error *error)
{
	json_error_t why;

	json_set_alloc_funcs(malloc, wiping_free);
	json_t *root = json_loadb(line, length, JSON_REJECT_DUPLICATES, &why);

	memset(out, 0, sizeof(*out));
	if (!json_is_object(root)) {
		json_decref(root);
		return refuse(error, "bad_request", "not a JSON object: %.100s",
			root ? "another value" : why.text);
	}
	int result = parse_object(root, out, error);
	json_decref(root);
	return result;
}

const struct request_argument *request_argument(const struct request *request, const char *name)
{
	return &request->arguments[operator_argument_find(request->row, name) -
				   request->row->arguments];
}
