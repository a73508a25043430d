/*
 * A home agent in simulated time: the engine, a clock the test moves, and a dataplane, store and
 * operators' watch that remember what they were told. Shared by the vectors, the scenarios, the
 * fuzz target and the registration bench.
 */
#ifndef TESTS_SCENARIO_HOME_H
#define TESTS_SCENARIO_HOME_H

#include "control/mip4/counters.h"
#include "control/mip4/engine.h"
#include "lib/wire/mip4.h"

#define HOME_SENT_MAX 64
#define HOME_T0       1767225600ull /* 2026-01-01T00:00:00Z, the vectors' clock */

struct home_record { /* of the store */
	uint8_t key[MIP4_STORE_KEY_MAX], data[MIP4_STORE_RECORD_MAX];
	size_t key_length, length;
	bool used;
};

struct home {
	struct mip4_engine *engine;
	struct config *config;
	struct clock_now now;
	/* dataplane */
	bool hold;  /* true: tickets wait for home_acknowledge */
	int refuse; /* errno for binding_set, 0: applied */
	int refuse_prefix;
	bool full; /* binding_set takes no command */
	uint64_t ticket, acknowledged;
	uint64_t refused[64];
	int refused_errno[64];
	unsigned refused_count;
	struct binding_command *live; /* by id */
	bool *is_live;
	uint32_t size, live_count;
	unsigned sets, removes, prefix_sets, prefix_removes;
	/* what left */
	struct inject_record sent[HOME_SENT_MAX];
	unsigned sent_count; /* may pass HOME_SENT_MAX: only the first are kept */
	struct mip4_home_change arrived, returned;
	unsigned arrived_count, returned_count;
	struct mip4_event event; /* the last one; text and nai copied */
	char event_text[256];
	unsigned events[MIP4_EVENT_COUNT];
	char trace_texts[3][600]; /* the last three, in turn */
	/* store */
	bool no_store;
	struct home_record *records;
	unsigned record_count;
	/* randomness: a counter, so that runs repeat */
	uint32_t random;
	uint32_t owned_sa;    /* SA that owns every tunnel inner address; 0 none */
	uint32_t inner_owner; /* who owns them after an SA was lost; 0 nobody */
};

/* `text` is the instances, nodes and agents of a configuration; ports are "outside" (0) and
 * "inside" (1). NULL: the vectors' one. */
struct home *home_new(const char *text);
void home_free(struct home *home);
/* The engine dies without a word and a new one starts from the store (`keep`) or from nothing. */
void home_restart(struct home *home, bool keep);
void home_configure(struct home *home, const char *text);

void home_at(struct home *home, uint64_t unix_s); /* sets the wall clock alone */
void home_pass(
	struct home *home, double seconds); /* both clocks, ticking once a second and at the end */
void home_acknowledge(struct home *home);   /* everything held so far */
/* With acknowledgements unless held. */
void home_receive(struct home *home, const struct punt_record *record);

/* A whole configuration from the text of its instances, nodes and agents; aborts when it is wrong.
 */
struct config *home_config_load(const char *text, uint32_t bindings);
/* Text of the vectors' configuration. */
extern const char home_config[];

/* A request in the making. */
struct ask {
	const char *home_address, *home_agent, *care_of, *source, *destination, *nai;
	uint16_t source_port; /* host order */
	uint16_t lifetime_s;
	uint16_t port, vrf;
	uint8_t flags;
	uint64_t identification; /* 0: the clock's, ever rising */
	const void *extensions;  /* before the Mobile-Home authenticator, after the NAI */
	size_t extensions_length;
	const void *after; /* behind it */
	size_t after_length;
	uint32_t spi;    /* 0: 0x100 */
	const char *key; /* hex; NULL: the vectors' */
	bool no_auth, bad_auth;
	uint32_t agent_spi; /* not 0: Foreign-Home authenticator with the vectors' key */
	bool agent_bad;
};
/* Defaults: V01's values. Fills *record and returns the identification used. */
uint64_t ask_build(const struct home *home, const struct ask *ask, struct punt_record *record);
/* Appends a Foreign-Home authenticator with the vectors' key. */
void ask_authenticate(struct writer *w, uint32_t spi, bool bad);
/* Builds, receives, returns the code of the one reply, -1 when none left. */
int ask_send(struct home *home, const struct ask *ask);

/* The last reply that left, parsed; false when none. */
bool home_reply(const struct home *home, struct mip4_message *message);
uint64_t home_counter(const struct home *home, enum mip4_counter counter); /* instance 0 */
const struct binding *home_binding(const struct home *home, const char *home_address);
/* The dataplane's view of it, NULL when it has none. */
const struct binding_command *home_live(const struct home *home, const char *home_address);

struct ip_address address_of(const char *text);
/* An IPv4 packet with UDP inside as a worker would punt it; false when it would not. */
bool punt_from_packet(const uint8_t *packet, size_t length, struct punt_record *record);

#endif
