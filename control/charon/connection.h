/*
 * The keying socket: one client at a time, looked at by its credentials before a word is read, one
 * message a datagram. Answers and events that the client does not take wait in memory; while many
 * do, nothing more is read from it. Loop thread.
 */
#ifndef CONTROL_CHARON_CONNECTION_H
#define CONTROL_CHARON_CONNECTION_H

#include "control/loop.h"
#include "lib/ipc/keying.h"

#include <sys/types.h>

struct connection;

struct connection_callbacks {
	void *context;
	void (*opened)(void *context);
	void (*closed)(void *context);
	/* False: the connection has to end, after what was sent. */
	bool (*message)(
		void *context, const uint8_t *octets, size_t length, const struct clock_now *now);
	void (*stranger)(void *context, uid_t uid, const char *why);
};

/* As charon_new says. 0 or -errno. */
int connection_listen(struct loop *loop, const char *path, uid_t owner,
	const struct connection_callbacks *callbacks, struct connection **out);
void connection_free(struct connection *connection);
/* False when there is no client, or it was so far behind that it was let go. */
bool connection_send(struct connection *connection, const struct keying_message *message);
bool connection_is_open(const struct connection *connection);
/* Counts the clients; 0 before the first. */
uint32_t connection_number(const struct connection *connection);

#endif
