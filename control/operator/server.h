/* What the server's files share. Internal to control/operator. */
#ifndef CONTROL_OPERATOR_SERVER_H
#define CONTROL_OPERATOR_SERVER_H

#include "control/operator/operator.h"
#include "control/operator/request.h"
#include "control/operator/writer.h"

#define BASELINE_COUNTERS_MAX  160
#define BASELINE_INSTANCES_MAX 64 /* instances beyond it are always shown raw */

struct baseline {           /* HA4-OPS-24: what "clear counters" remembers */
	monotonic taken_ns; /* 0: never */
	uint64_t epoch;     /* of the dataplane that counted */
	struct worker_counters workers;
	uint64_t control[BASELINE_INSTANCES_MAX][BASELINE_COUNTERS_MAX];
};

struct operator_client;

struct operator_server {
	struct loop *loop;
	const struct provider *provider;
	struct loop_source source;
	int fd;
	gid_t group;
	char path[CONFIG_PATH_SIZE];
	struct operator_client *clients[OPERATOR_CLIENTS_MAX];
	struct baseline baseline;
	monotonic now_ns; /* of the turn */
};

/* Writes one whole reply line for a checked request of a client that may ask for it. */
void answer_request(
	struct operator_server *server, const struct request *request, struct writer *out);
/* {"ok":false,...}: in place of everything written since `start`. */
void answer_error(struct writer *out, size_t start, const char *code, const char *text);
/* {"ok":true,"command":"..." so far: the caller adds its members and calls answer_end. */
void answer_begin(struct writer *out, const struct request *request);
void answer_end(struct writer *out);
/* "cursor": and the end; `more` false writes null. */
void answer_page_end(struct writer *out, uint64_t cursor, bool more);

/* The commands, by file. Each writes one whole line. */
void show_bindings(
	struct operator_server *server, const struct request *request, struct writer *out);
void show_binding(
	struct operator_server *server, const struct request *request, struct writer *out);
void show_counters(
	struct operator_server *server, const struct request *request, struct writer *out);
void show_drops(struct operator_server *server, const struct request *request, struct writer *out);
void show_ports(struct operator_server *server, const struct request *request, struct writer *out);
void show_workers(
	struct operator_server *server, const struct request *request, struct writer *out);
void show_config(struct operator_server *server, const struct request *request, struct writer *out);
void show_status(struct operator_server *server, const struct request *request, struct writer *out);
void show_violations(
	struct operator_server *server, const struct request *request, struct writer *out);
void show_mobile_nodes(
	struct operator_server *server, const struct request *request, struct writer *out);
void show_nodes(struct operator_server *server, const struct request *request, struct writer *out);
void act_test_registration(
	struct operator_server *server, const struct request *request, struct writer *out);
void show_instances(
	struct operator_server *server, const struct request *request, struct writer *out);
void show_pools(struct operator_server *server, const struct request *request, struct writer *out);
void show_help(struct operator_server *server, const struct request *request, struct writer *out);
void act_clear_bindings(
	struct operator_server *server, const struct request *request, struct writer *out);
void act_clear_counters(
	struct operator_server *server, const struct request *request, struct writer *out);
void act_revoke(struct operator_server *server, const struct request *request, struct writer *out);
void drop_trace_on(
	struct operator_server *server, const struct request *request, struct writer *out);
void drop_trace_off(
	struct operator_server *server, const struct request *request, struct writer *out);
void drop_trace_show(
	struct operator_server *server, const struct request *request, struct writer *out);
void act_trace(struct operator_server *server, const struct request *request, struct writer *out);
void act_drain(struct operator_server *server, const struct request *request, struct writer *out);
void ipsec_charon_show(
	struct operator_server *server, const struct request *request, struct writer *out);
void ipsec_sa_show(
	struct operator_server *server, const struct request *request, struct writer *out);
void ipsec_sa_add(
	struct operator_server *server, const struct request *request, struct writer *out);
void ipsec_sa_update(
	struct operator_server *server, const struct request *request, struct writer *out);
void ipsec_sa_del(
	struct operator_server *server, const struct request *request, struct writer *out);
void ipsec_sa_dummy(
	struct operator_server *server, const struct request *request, struct writer *out);
void takeover_sa_move(
	struct operator_server *server, const struct request *request, struct writer *out);
void takeover_sa_export(
	struct operator_server *server, const struct request *request, struct writer *out);
void takeover_sa_takeover(
	struct operator_server *server, const struct request *request, struct writer *out);
void takeover_sa_release(
	struct operator_server *server, const struct request *request, struct writer *out);
void ipsec_policy_show(
	struct operator_server *server, const struct request *request, struct writer *out);
void ipsec_policy_add(
	struct operator_server *server, const struct request *request, struct writer *out);
void ipsec_policy_del(
	struct operator_server *server, const struct request *request, struct writer *out);
void act_reload(struct operator_server *server, const struct request *request, struct writer *out);

/* The instance argument of a request: true and its index, or PROVIDER_INSTANCE_ANY when not given;
 * false when no instance has that name. */
bool answer_select_instance(
	struct operator_server *server, const struct request *request, uint16_t *instance);
const char *answer_instance_name(struct operator_server *server, unsigned instance);

#endif
