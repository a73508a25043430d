/*
 * One request line of the operators' socket: refused with a code and a sentence, or checked values
 * within their limits. Where strings go back to clients, they go through the writer: what it makes
 * of any octets is JSON.
 */
#include "control/operator/request.h"
#include "control/operator/writer.h"
#include "tests/fuzz/fuzz_assert.h"

#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const struct request *request)
{
	FUZZ_ASSERT(request->row == operator_command_get(request->command));
	FUZZ_ASSERT(request->limit >= 1 && request->limit <= OPERATOR_LIMIT_MAX);
	for (unsigned i = 0; i < OPERATOR_ARGUMENTS_MAX && request->row->arguments[i].name; i++) {
		const struct operator_argument *argument = &request->row->arguments[i];
		const struct request_argument *value = request_argument(request, argument->name);
		FUZZ_ASSERT(value == &request->arguments[i]);
		FUZZ_ASSERT(memchr(value->text, '\0', sizeof(value->text)));
		FUZZ_ASSERT(value->given || !argument->required);
		FUZZ_ASSERT(value->prefix.length <= 128);
		FUZZ_ASSERT(value->number <= INT64_MAX);
		FUZZ_ASSERT(!value->given || (argument->kind != OPERATOR_KEY_FILE &&
						     argument->kind != OPERATOR_KEY_FD));
		if (value->given && argument->kind == OPERATOR_ADDRESS)
			FUZZ_ASSERT(value->prefix.length == 128);
	}
}

static void check_writer(const uint8_t *data, size_t size)
{
	struct writer out = {.limit = 1 << 20};
	char *text = malloc(size + 1);

	FUZZ_ASSERT(text);
	memcpy(text, data, size);
	text[size] = '\0';
	writer_object_begin(&out, NULL);
	writer_text(&out, "text", text);
	writer_object_end(&out);
	writer_line_end(&out);
	if (!out.failed) {
		FUZZ_ASSERT(
			out.used && memchr(out.text, '\n', out.used) == out.text + out.used - 1);
		json_t *json = json_loadb(out.text, out.used, 0, NULL);
		FUZZ_ASSERT(json_is_string(json_object_get(json, "text")));
		json_decref(json);
	}
	free(out.text);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request;
	struct request_error error = {NULL, ""};

	if (request_parse((const char *)data, size, &request, &error))
		FUZZ_ASSERT(error.code && error.text[0]);
	else
		check_request(&request);
	check_writer(data, size);
	return 0;
}
