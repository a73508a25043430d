/*
 * The operators' server (lib/ipc/operator.h tells the protocol) and the metrics page, on control's
 * loop.
 *
 * Files: operator (clients, buffers, roles), request (one line to one checked request), show and
 * act (what commands do), json (streaming writer), baseline ("clear counters"), metrics
 * (Prometheus).
 *
 * The server never blocks and never works long: a turn serves one page of one request per client,
 * into a buffer that the client must have emptied before its next line is even read. So a client
 * that stops reading costs one page of memory and no time.
 *
 * SO_PEERCRED decides the role: root and the process's own user are admin, members of the group
 * read only, everybody else is refused. Loop thread alone.
 */
#ifndef CONTROL_OPERATOR_OPERATOR_H
#define CONTROL_OPERATOR_OPERATOR_H

#include "control/loop.h"
#include "control/operator/provider.h"

#include <sys/types.h>

#define OPERATOR_CLIENTS_MAX 32

struct operator_server;
struct operator_metrics;

/* An event for `watch events` (HA4-OPS-40). Texts may be NULL: left out. */
struct operator_event {
	const char *type;  /* "binding_added" */
	const char *cause; /* of a deletion */
	const char *text;
	const char *nai;
	const struct ip_address *home_address, *care_of_address, *source;
	uint16_t instance;
	int code; /* of a denial; negative: none */
};

/*
 * Listens at `path` (mode 0660, group `group` unless ""; a stale socket is replaced). `provider` is
 * borrowed until free. Call it before the privileges go: the socket's group may need them. 0;
 * -EADDRINUSE when a live server is there; other -errno.
 */
int operator_new(struct loop *loop, const char *path, const char *group,
	const struct provider *provider, struct operator_server **out);
void operator_free(struct operator_server *server);
/* Hands an event to every watching client; one that is behind loses it and is told how many it
 * lost. */
void operator_publish(
	struct operator_server *server, const struct operator_event *event, uint64_t wall_ns);

/*
 * The role of a peer with these groups (its own and supplementary ones); -EPERM when it has none.
 * `group` is the configured one, (gid_t)-1 when there is none.
 */
int operator_role_of(uid_t peer, const gid_t *groups, unsigned group_count, uid_t own, gid_t group);

/* Serves GET /metrics at `endpoint` ("127.0.0.1:9464"). 0 or -errno. */
int operator_metrics_new(struct loop *loop, const char *endpoint, const struct provider *provider,
	struct operator_metrics **out);
void operator_metrics_free(struct operator_metrics *metrics);

#endif
