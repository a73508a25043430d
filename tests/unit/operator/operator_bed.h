/*
 * The operators' server for its tests, over a real socket in a temporary directory: the loop runs
 * on a thread of its own, the test is its client.
 */
#ifndef TESTS_UNIT_OPERATOR_OPERATOR_BED_H
#define TESTS_UNIT_OPERATOR_OPERATOR_BED_H

#include "control/operator/operator.h"
#include "lib/ipc/operator.h"
#include "tests/unit/operator/fake_provider.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BINDINGS  1000000u
#define LINE_SIZE (4 << 20)

struct bench {
	struct fake fake;
	struct loop *loop;
	struct operator_server *server;
	pthread_t thread;
	atomic_bool stop, publish;
	char folder[64], path[108];
};

extern struct bench bench;
extern const char *ctl_path; /* of homeportctl */

/* The server's thread, until bench.stop. */
void *run_loop(void *context);
/* Of a group of tests. */
int set_up(void **state);
int tear_down(void **state);
/* Connected, nothing read yet. */
int dial(void);
/* One line, or "" at the end of the stream; it is line_text too. */
extern char line_text[LINE_SIZE];
const char *read_line(int fd);
json_t *read_json(int fd);
/* Connected, and its greeting read. */
int greeted(void);
/* The answer; the caller drops it. */
json_t *ask_on(int fd, const char *request);
json_t *ask(const char *request);
/* The answer, which has to be ok. */
json_t *ask_good(const char *request);
void assert_refused(const char *request, const char *code, const char *text);
/* NULL when there is none. */
const char *text_of(const json_t *object, const char *key);
/* Runs homeportctl; its exit status, what it said in out. */
int ctl(const char *arguments, char *out, size_t size);

#endif
