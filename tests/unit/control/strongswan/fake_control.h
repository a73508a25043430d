/*
 * The other end of the keying protocol, for tests of charon's plugin: a thread that greets, notes
 * each request and answers as it is told to. Any thread calls; a test has one at a time.
 */
#ifndef TESTS_UNIT_CONTROL_STRONGSWAN_FAKE_CONTROL_H
#define TESTS_UNIT_CONTROL_STRONGSWAN_FAKE_CONTROL_H

#include "lib/ipc/keying.h"

enum fake_mood {
	FAKE_OK,       /* answers KEYING_OK */
	FAKE_ACCEPTED, /* answers KEYING_ACCEPTED, as when the dataplane is stopped */
	FAKE_REFUSES,  /* answers `refusal` to ADD_SA, UPDATE_SA and ADD_POLICY, else KEYING_OK */
	FAKE_DEAF,     /* reads nothing, as when it is stopped */
};

/* Begins to listen; `path` must stay. */
void fake_control_start(const char *path);
/* Ends the connection and stops to listen. What was noted stays. */
void fake_control_stop(void);
void fake_control_mood(enum fake_mood mood, enum keying_status refusal);
/* What query_sa is answered. */
void fake_control_usage(uint64_t bytes, uint64_t packets, uint64_t last_use_s);
void fake_control_send(struct keying_message *event);
/* Octets that are no message. */
void fake_control_send_garbage(void);

/* Forgets what was noted. */
void fake_control_forget(void);
unsigned fake_control_count(void);
unsigned fake_control_count_of(enum keying_type type);
/* The nth request of a type since forget; waits up to 3 s for it, NULL when it does not come. Good
 * until forget. */
const struct keying_message *fake_control_request(enum keying_type type, unsigned nth);
/* Its place among all requests. */
unsigned fake_control_place(const struct keying_message *request);

#endif
