/*
 * The service manager's readiness protocol (sd_notify(3)) without libsystemd: one datagram to
 * $NOTIFY_SOCKET.
 */
#ifndef CONTROL_NOTIFY_H
#define CONTROL_NOTIFY_H

/* "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=...". 0, also when there is no service manager;
 * or -errno. Any thread. */
int notify_send(const char *state);

#endif
