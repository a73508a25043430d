/*
 * One request line, from JSON to checked values. Parsing allocates (jansson) and gives all of it
 * back before it returns.
 */
#ifndef CONTROL_OPERATOR_REQUEST_H
#define CONTROL_OPERATOR_REQUEST_H

#include "lib/base/address.h"
#include "lib/ipc/operator.h"

#define REQUEST_TEXT_SIZE 512

struct request_argument {
	bool given;
	char text[REQUEST_TEXT_SIZE];
	struct ip_prefix prefix; /* ADDRESS (length 128) and PREFIX */
	uint64_t number;         /* NUMBER */
};

struct request {
	unsigned command; /* enum operator_command */
	const struct operator_command_row *row;
	uint64_t cursor;
	uint32_t limit;
	struct request_argument arguments[OPERATOR_ARGUMENTS_MAX]; /* in the row's order */
};

struct request_error {
	const char *code; /* "bad_request", "unknown_command", "bad_argument" */
	char text[200];
};

/* `line` without its newline. 0, or -EINVAL with error filled. */
int request_parse(
	const char *line, size_t length, struct request *out, struct request_error *error);
/* Overwrites what may hold a key. */
void request_wipe(struct request *request);
/* The argument by its name; `given` is false when the client left it out. The command must have it.
 */
const struct request_argument *request_argument(const struct request *request, const char *name);

#endif
