/*
 * The whole process as one object: what main builds up in order and takes down in reverse.
 *
 *   settings -> EAL -> region -> tables -> crypto -> ports -> workers -> socket -> main loop
 * (main_loop.c) -> exit report
 */
#ifndef DATAPLANE_DATAPLANE_H
#define DATAPLANE_DATAPLANE_H

#include "dataplane/crypto/workers.h"
#include "dataplane/link/command_apply.h"
#include "dataplane/worker.h"

struct dataplane {
	const struct config *config;
	const struct config_dataplane *settings;
	struct region region;
	struct tables *tables;
	struct crypto_workers *crypto; /* NULL when there is no room for security associations */
	struct rte_mempool *pool;
	struct port ports[REGION_PORTS_MAX];
	unsigned port_count;
	struct worker workers[REGION_WORKERS_MAX];
	unsigned worker_count;
	int taps[REGION_PORTS_MAX]; /* -1 none */
	struct command_apply apply;
	uid_t control_uid;
	int listen_fd, client_fd, epoll_fd, signal_fd; /* -1 closed */
};

/* Everything but EAL. 0 or -errno, said why in the log. dataplane_close works after a failure as
 * well. */
int dataplane_open(struct dataplane *dataplane, const struct config *config);
void dataplane_close(struct dataplane *dataplane);
/* Starts the workers on their lcores; waits for them to end after worker_stop. */
int dataplane_start(struct dataplane *dataplane);
void dataplane_join(struct dataplane *dataplane);
/* received + created - sent - dropped - punted - joined - held over all workers, which have ended;
 * 0 is right. */
int64_t dataplane_conservation(const struct dataplane *dataplane);
/* Counters as one JSON object (--exit-report). 0 or -errno. */
int dataplane_report(const struct dataplane *dataplane, const char *path);

/* main_loop.c: until SIGTERM or SIGINT. */
void main_loop_run(struct dataplane *dataplane);

#endif
