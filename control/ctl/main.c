/*
 * homeportctl: the operators' command. Its words are those of the command table
 * (lib/ipc/operator.h), each may be cut as long as it stays unique: "sh bi 10.1.0.10" is `show
 * binding 10.1.0.10`. It sends one request, follows the cursor of paged answers, and prints tables,
 * or with -j the JSON rows as they come.
 *
 *   arguments.c  words to a request    connection.c  socket, lines    split.c  rows of an answer
 *   print.c      tables                completion.c  bash, help, Markdown
 *   export.c     `sa export` to a file
 *
 * Exit status: 0 done; 1 the daemon said no; 64 usage; 69 no daemon or connection lost; 77 not
 * allowed.
 */
#include "control/ctl/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static void print_error(bool as_json, const char *code, const char *text)
{
	if (as_json) {
		json_t *answer = json_pack(
			"{s:b, s:{s:s, s:s}}", "ok", 0, "error", "code", code, "text", text);
		json_dumpf(answer, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(answer);
	} else {
		fprintf(stderr, "homeportctl: %s\n", text);
	}
}

static int refused(bool as_json, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "text"));

	code = code ? code : "failed";
	print_error(as_json, code, text ? text : "the daemon refused without a reason");
	return strcmp(code, "forbidden") == 0 ? EX_NOPERM : EXIT_FAILURE;
}

static int lost(bool as_json)
{
	print_error(as_json, "unavailable", "the daemon closed the connection");
	return EX_UNAVAILABLE;
}

/* What is left of an answer when its rows are taken out. */
static json_t *parse_rest(const char *line, const struct split *split)
{
	size_t tail_length = (size_t)(split->end - split->tail);
	char *text = malloc(split->head_length + 1 + tail_length);
	json_t *answer = NULL;

	if (text) {
		memcpy(text, line, split->head_length);
		text[split->head_length] = ']';
		memcpy(text + split->head_length + 1, split->tail, tail_length);
		answer = json_loadb(text, split->head_length + 1 + tail_length, 0, NULL);
	}
	free(text);
	return answer;
}

/* Rows go straight to the printer; `printer` NULL: there are none. */
static json_t *read_answer(struct connection *connection, struct printer *printer)
{
	size_t length, row_length;
	const char *line = connection_read(connection, &length), *row;
	struct split split;

	if (!line)
		return NULL;
	if (!printer || !split_rows(line, length, &split))
		return json_loadb(line, length, 0, NULL);
	json_t *answer = parse_rest(line, &split);
	while (answer && (row = split_next(&split, &row_length)))
		print_row(printer, row, row_length);
	return answer;
}

/* Event lines until the daemon or the user ends it. */
static int watch(struct connection *connection, bool as_json)
{
	const char *line;
	size_t length;

	while ((line = connection_read(connection, &length))) {
		if (as_json)
			printf("%.*s\n", (int)length, line);
		else
			print_event(line, length);
		fflush(stdout);
	}
	return lost(as_json);
}

/* Rows go to what the request's "save" names, which is taken out of the request. */
static bool capture_begin(const char *path, struct printer *printer)
{
	char text[320];

	printer->capture = capture_open(path);
	if (!printer->capture) {
		snprintf(text, sizeof(text), "%s: %s", path, strerror(errno));
		print_error(printer->as_json, "failed", text);
	}
	return printer->capture;
}

static int capture_end(struct printer *printer, const char *path, int status)
{
	bool failed = fclose(printer->capture) || printer->capture_failed;

	if (status || failed)
		unlink(path);
	if (status)
		return status;
	if (failed) {
		print_error(printer->as_json, "failed", "the file could not be written");
		return EX_IOERR;
	}
	if (!printer->as_json)
		printf("%llu packets in %s\n", printer->rows, path);
	return EXIT_SUCCESS;
}

static int export(struct connection *connection, json_t *request, bool as_json)
{
	json_t *refusal = NULL;
	int result = export_run(connection, request, &refusal);
	int status = result ? EXIT_FAILURE : EXIT_SUCCESS;

	if (refusal)
		status = refused(as_json, refusal);
	else if (result == -EPIPE)
		status = lost(as_json);
	else if (result)
		print_error(as_json, "failed", strerror(-result));
	json_decref(refusal);
	return status;
}

/* Asks page after page. With -j every row is one line, and the last line is the answer without its
 * rows. */
static int run_pages(struct connection *connection, json_t *request, struct printer *printer)
{
	const bool as_json = printer->as_json;

	if (strcmp(printer->row->words, "sa export") == 0)
		return export(connection, request, as_json);
	for (;;) {
		if (connection_send(connection, request))
			return lost(as_json);
		json_t *answer = read_answer(connection, printer);
		if (!answer)
			return lost(as_json);
		if (!json_is_true(json_object_get(answer, "ok"))) {
			int status = refused(as_json, answer);
			json_decref(answer);
			return status;
		}
		if (strcmp(printer->row->words, "watch events") == 0) {
			json_decref(answer);
			return watch(connection, as_json);
		}
		json_t *cursor = json_incref(json_object_get(answer, "cursor"));
		print_answer(printer, answer);
		json_decref(answer);
		if (!json_is_integer(cursor)) {
			json_decref(cursor);
			break;
		}
		json_object_set_new(request, "cursor", cursor);
	}
	print_end(printer);
	return EXIT_SUCCESS;
}

static int run(struct connection *connection, json_t *request,
	const struct operator_command_row *row, bool as_json)
{
	struct printer printer = {.row = row, .as_json = as_json};
	json_t *save = json_incref(json_object_get(request, "save"));
	const char *path = json_string_value(save);
	int status = EX_CANTCREAT;

	json_object_del(request, "save");
	if (!path || capture_begin(path, &printer))
		status = run_pages(connection, request, &printer);
	if (printer.capture)
		status = capture_end(&printer, path, status);
	json_decref(save);
	return status;
}

/* 0, or the exit status. */
static int greet(struct connection *connection, const char *path, bool as_json)
{
	char text[256];
	int result = connection_open(connection, path);

	if (result) {
		snprintf(text, sizeof(text), "%s: %s%s", path, strerror(-result),
			result == -ECONNREFUSED || result == -ENOENT
				? " (is homeport-control running?)"
				: "");
		print_error(as_json, result == -EACCES ? "forbidden" : "unavailable", text);
		return result == -EACCES ? EX_NOPERM : EX_UNAVAILABLE;
	}
	json_t *hello = read_answer(connection, NULL);
	if (!hello)
		return lost(as_json);
	int status = 0;
	if (json_is_false(json_object_get(hello, "ok"))) {
		status = refused(as_json, hello);
	} else if (json_integer_value(json_object_get(hello, "protocol")) != OPERATOR_PROTOCOL) {
		print_error(as_json, "unavailable",
			"the daemon speaks another version of the protocol");
		status = EX_UNAVAILABLE;
	}
	json_decref(hello);
	return status;
}

static int usage(FILE *out, int status)
{
	fputs("usage: homeportctl [-s SOCKET] [-j] COMMAND [ARGUMENT...]\n"
	      "       homeportctl completion bash | completion markdown | --version\n\n"
	      "  -s, --socket SOCKET  of homeport-control (default " CTL_SOCKET
	      ", or $HOMEPORT_SOCKET)\n"
	      "  -j, --json           print JSON: one line per row, then one line for the "
	      "whole\n\n",
		out);
	completion_usage(out);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0}};
	const char *path = getenv("HOMEPORT_SOCKET");
	bool as_json = false;
	int option;

	while ((option = getopt_long(argc, argv, "+s:jhV", options, NULL)) != -1) {
		if (option == 's')
			path = optarg;
		else if (option == 'j')
			as_json = true;
		else if (option == 'V')
			return puts("homeportctl 0.1.0") < 0;
		else
			return usage(option == 'h' ? stdout : stderr, option == 'h' ? 0 : EX_USAGE);
	}
	argv += optind;
	argc -= optind;
	/* "-j" reads naturally at the end too. */
	if (argc > 1 &&
		(strcmp(argv[argc - 1], "-j") == 0 || strcmp(argv[argc - 1], "--json") == 0)) {
		as_json = true;
		argc--;
	}
	if (argc == 2 && strcmp(argv[0], "completion") == 0)
		return completion_print(argv[1], stdout) ? usage(stderr, EX_USAGE) : 0;

	const struct operator_command_row *row;
	char error[200];
	json_t *request = arguments_request(argc, argv, &row, error, sizeof(error));
	if (!request) {
		print_error(as_json, "usage", error);
		return EX_USAGE;
	}
	struct connection connection = {.fd = -1};
	int status = greet(&connection, path ? path : CTL_SOCKET, as_json);
	if (!status)
		status = run(&connection, request, row, as_json);
	connection_close(&connection);
	json_decref(request);
	return status;
}
