/*
 * The operators' socket: one line of JSON each way, over a UNIX stream socket.
 *
 *   server  {"hello":"homeport","version":"0.1.0","protocol":1,"role":"admin"}
 *   client  {"command":"show bindings","arguments":{"instance":"lab"},"cursor":0,"limit":500}
 *   server  {"ok":true,"command":"show bindings","rows":[...],"cursor":500}        more to come:
 * ask again with this cursor server  {"ok":true,"command":"show
 * bindings","rows":[...],"cursor":null}       the last page; it may be empty server
 * {"ok":true,"command":"show status","data":{...}}                       commands that are not
 * paged server  {"ok":false,"error":{"code":"not_found","text":"..."}}
 *
 * A client sends its next request after the reply to the last. `watch events` turns the connection
 * into a stream of event lines. Keys of JSON objects are stable within a protocol version: new ones
 * may come, none changes its meaning.
 *
 * The table below is the one list of commands: the server's dispatch, homeportctl's parsing, its
 * help and completion and docs/commands.md are made from it. Read-only data, any thread.
 */
#ifndef LIB_IPC_OPERATOR_H
#define LIB_IPC_OPERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPERATOR_PROTOCOL      1
#define OPERATOR_LINE_MAX      65536u /* octets of a request with its newline */
#define OPERATOR_LIMIT_DEFAULT 500u   /* rows of a page when the request names no limit */
#define OPERATOR_LIMIT_MAX     1000u
#define OPERATOR_ARGUMENTS_MAX 36

enum operator_command {
	OPERATOR_SHOW_BINDINGS,
	OPERATOR_SHOW_BINDING,
	OPERATOR_SHOW_COUNTERS,
	OPERATOR_SHOW_DROPS,
	OPERATOR_SHOW_PORTS,
	OPERATOR_SHOW_WORKERS,
	OPERATOR_SHOW_CONFIG,
	OPERATOR_SHOW_STATUS,
	OPERATOR_SHOW_VIOLATIONS,
	OPERATOR_SHOW_MOBILE_NODES,
	OPERATOR_SHOW_NODES,
	OPERATOR_SHOW_INSTANCES,
	OPERATOR_SHOW_POOLS,
	OPERATOR_SHOW_CHARON,
	OPERATOR_CLEAR_BINDINGS,
	OPERATOR_CLEAR_COUNTERS,
	OPERATOR_REVOKE,
	OPERATOR_DRAIN,
	OPERATOR_RELOAD,
	OPERATOR_TEST_REGISTRATION,
	OPERATOR_SA_SHOW,
	OPERATOR_SA_ADD,
	OPERATOR_SA_UPDATE,
	OPERATOR_SA_DEL,
	OPERATOR_SA_DUMMY,
	OPERATOR_SA_MOVE,
	OPERATOR_SA_EXPORT,
	OPERATOR_SA_TAKEOVER,
	OPERATOR_SA_RELEASE,
	OPERATOR_POLICY_SHOW,
	OPERATOR_POLICY_ADD,
	OPERATOR_POLICY_DEL,
	OPERATOR_TRACE_DROP_ON,
	OPERATOR_TRACE_DROP_OFF,
	OPERATOR_TRACE_DROP_SHOW,
	OPERATOR_TRACE,
	OPERATOR_WATCH_EVENTS,
	OPERATOR_HELP,
	OPERATOR_COMMAND_COUNT
};

enum operator_role { OPERATOR_READ_ONLY, OPERATOR_ADMIN };

enum operator_argument_kind {
	OPERATOR_TEXT,
	OPERATOR_ADDRESS,   /* IPv4 or IPv6, as text */
	OPERATOR_PREFIX,    /* the same, or a prefix */
	OPERATOR_FLAG,      /* JSON true; on the command line the bare name */
	OPERATOR_WORDS,     /* one of `words` */
	OPERATOR_NUMBER,    /* from 0, decimal or 0x...; a string in JSON too */
	OPERATOR_SELECTORS, /* traffic selectors (lib/base/traffic_selector.h), commas between */
	OPERATOR_SECRET,    /* in JSON alone, never in a log or an answer: the text of a key file */
	OPERATOR_KEY_FILE,  /* on the command line alone: whose content is sent as the secret */
	OPERATOR_KEY_FD,    /* the same from an open descriptor */
	OPERATOR_OUT_FILE   /* on the command line alone: where homeportctl writes the rows */
};

struct operator_argument {
	const char *name; /* JSON key; on the command line "name value", or the bare value when
			     positional */
	enum operator_argument_kind kind;
	bool positional, required;
	const char *words; /* OPERATOR_WORDS: separated by '|' */
	const char *help;
};

struct operator_command_row {
	const char *words; /* "show bindings" */
	enum operator_role role;
	bool paged;
	const char *help;
	struct operator_argument
		arguments[OPERATOR_ARGUMENTS_MAX]; /* ends with name NULL, or full */
};

/* NULL beyond the last. */
const struct operator_command_row *operator_command_get(unsigned command);
/* By its exact words; OPERATOR_COMMAND_COUNT when there is none. */
unsigned operator_command_find(const char *words);
/* NULL when the command has no such argument. */
const struct operator_argument *operator_argument_find(
	const struct operator_command_row *row, const char *name);
const char *operator_role_name(enum operator_role role);

#endif
