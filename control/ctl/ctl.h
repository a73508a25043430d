/* What the files of homeportctl share. One thread; everything may block. */
#ifndef CONTROL_CTL_CTL_H
#define CONTROL_CTL_CTL_H

#include "lib/ipc/operator.h"

#include <jansson.h>
#include <stdio.h>

#define CTL_SOCKET "/run/homeport/control.sock"

/* connection.c */
struct connection {
	int fd;
	char *text;
	size_t used, taken, size;
};
/* 0 or -errno. */
int connection_open(struct connection *connection, const char *path);
int connection_send(struct connection *connection, const json_t *request);
/* One line without its newline, borrowed until the next call; NULL at the end. */
const char *connection_read(struct connection *connection, size_t *length);
void connection_close(struct connection *connection);

/*
 * key_text.c: the text of a key file, NULL with a sentence in error. `path` must name a file that
 * is not open to group or others; `descriptor` is a number. key_text_free wipes it.
 */
#define KEY_TEXT_MAX 480
char *key_text_file(const char *path, char *error, size_t error_size);
char *key_text_fd(const char *descriptor, char *error, size_t error_size);
void key_text_free(char *text);

/*
 * arguments.c: command line words to a request; what an OPERATOR_OUT_FILE names is its member
 * "save", which is not to be sent. NULL with a sentence in error. Words may be cut
 * while they stay unique; arguments may be written with two dashes before them.
 */
json_t *arguments_request(int count, char **words, const struct operator_command_row **row,
	char *error, size_t error_size);

/*
 * split.c: the rows of an answer's line, one after another, without making a tree of them: a
 * million rows would take longer to parse than to fetch.
 */
struct split {
	const char *rows, *tail, *end;
	size_t head_length;
};
/* False when the line has no "rows": parse it whole. The line must stay as it is while it is split.
 */
bool split_rows(const char *line, size_t length, struct split *split);
/* The next row, not NUL-terminated; NULL after the last. */
const char *split_next(struct split *split, size_t *length);

/* capture.c: a pcapng file of dropped packets. NULL with errno; never over an existing file. */
FILE *capture_open(const char *path);
bool capture_row(FILE *file, const json_t *row);

/* print.c */
struct printer {
	const struct operator_command_row *row;
	FILE *capture; /* rows go there instead; NULL: none */
	bool capture_failed;
	bool as_json;
	unsigned long long rows, count; /* printed; as the pages told it */
	bool header;
	json_t *rest; /* -j: the answer without its rows */
};
/* One row, as it came. */
void print_row(struct printer *printer, const char *row, size_t length);
/* The answer without its rows; the last one is kept for print_end. */
void print_answer(struct printer *printer, json_t *answer);
void print_end(struct printer *printer);
void print_event(const char *line, size_t length);

/*
 * export.c: the request is `sa export` with all its arguments; it is asked once, or again and again
 * until something fails. 0 or -errno; -EACCES: *refusal is what the daemon said, the caller's.
 */
int export_run(struct connection *connection, json_t *request, json_t **refusal);

/* completion.c */
void completion_usage(FILE *out);
/* "bash" or "markdown"; -EINVAL for other formats. */
int completion_print(const char *format, FILE *out);

#endif
