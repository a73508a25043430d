/*
 * The peers' side of security associations: a pair for each node of an ESP group, or for each of
 * its places (population_association), keys drawn from the seed, numbers and replay windows of our
 * own. "Up" is towards the gateway. The gateway under
 * test has the same keys from the configuration that gateway_config.c writes, so it really decrypts
 * what is sent here, and what it sends is really opened here.
 *
 * Encryption and decryption are the engine of dataplane/crypto, each thread with its own; framing,
 * numbers and windows are this folder's (RFC 4303).
 *
 * What transmitters own (numbers to send) and what receivers own (windows) lie apart.
 */
#ifndef PKTGEN_GENERATOR_SECURITY_H
#define PKTGEN_GENERATOR_SECURITY_H

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/library.h"
#include "pktgen/generator/population.h"
#include "pktgen/generator/window.h"

#include <stdatomic.h>

struct security_group {
	const struct suite *suite; /* NULL: no ESP */
	bool esn;
	/* Each of all associations: */
	struct crypto_key *keys[2]; /* [0] up, [1] down; NULL: not needed */
	_Atomic uint64_t *sent;     /* the last number, up */
	struct window *numbers[2];  /* received */
};

struct security {
	struct crypto_library *library; /* expands keys */
	struct security_group groups[PROFILE_GROUPS_MAX];
};

/*
 * Makes the associations of all groups. 0; or -ENOMEM, -ENOTSUP (a suite that the library or this
 * build lacks) with a sentence in `error`, LIBRARY_ERROR_SIZE octets. Without ESP groups nothing is
 * opened. `population` outlives it.
 */
int security_init(struct security *security, const struct population *population, char *error);
void security_fini(struct security *security, const struct population *population);

/*
 * A thread's engine, proved by the known answers; NULL with a sentence in `error`, or NULL with an
 * empty one when no group needs one.
 */
struct security_engine;
struct security_engine *security_engine_new(const struct security *security, char *error);
void security_engine_free(struct security_engine *engine);
struct crypto_engine *security_engine_get(struct security_engine *engine);

struct security_peer { /* whom a received SPI belongs to */
	const struct population_group *group;
	uint32_t association, node;
	uint8_t place; /* of the node; 0 when both have this association */
	bool up;
};

/*
 * The number of the next packet towards the gateway; 0: there is none left, and nothing may be sent
 * any more (RFC 4303 3.3.3: the counter never cycles). Any thread: a node's registrations may leave
 * by another one than its packets.
 */
static inline uint64_t security_number_next(struct security_group *group, uint32_t association)
{
	uint64_t last = group->esn ? UINT64_MAX : UINT32_MAX;
	_Atomic uint64_t *sent = &group->sent[association];

	/* Looked at first: those who come too late do not count on. */
	if (atomic_load_explicit(sent, memory_order_relaxed) >= last)
		return 0;
	uint64_t number = atomic_fetch_add_explicit(sent, 1, memory_order_relaxed) + 1;
	return number <= last ? number : 0;
}

/* Notes the number of an authentic packet; false when the gateway may not have sent it: it came
 * before, is 0, or the 32 bits of an SA without ESN have begun anew. */
bool security_number_take(
	struct security_group *group, const struct security_peer *peer, uint64_t number);

/* The raw keys of an association: encryption key, salt, integrity key. */
void security_material(const struct population_group *group, uint64_t seed, uint32_t association,
	bool up, struct secret *out);

/* False when no association of ours receives under `spi`. */
bool security_find(const struct security *security, const struct population *population,
	uint32_t spi, struct security_peer *out);

#endif
