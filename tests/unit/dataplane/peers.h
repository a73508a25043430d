/*
 * Far ends of ESP for the tests of its inbound lane: SAs with suites, windows and selectors of all
 * kinds, each a mobile node, too (RFC 5266, mode mc); the tables around them and how those change;
 * and ESP as such a peer would send it.
 */
#ifndef TESTS_UNIT_DATAPLANE_PEERS_H
#define TESTS_UNIT_DATAPLANE_PEERS_H

#include "dataplane/crypto/key.h"
#include "dataplane/crypto/suite.h"

#include "tests/unit/dataplane/lane_record.h"

#include <rte_ip.h>

#define HERE        0xc0000201u /* 192.0.2.1 */
#define PEERS       0xcb007100u /* 203.0.113.0 and on */
#define HOSTS       0x0a630000u /* 10.99.0.0 and on: the peers' inner addresses */
#define NODES       0x0a3c0000u /* 10.60.0.0 and on: home addresses of mobile peers */
#define LOCAL_LAST  0x0a01ffffu /* 10.1.255.255 */
#define PEERS_COUNT 12u
#define FRAME_MAX   2000
#define KEPT        64
#define ETHERNET    14

enum { BURSTS = 2500 };

struct peer { /* an SA and its far end */
	uint16_t encryption, integrity, window;
	uint8_t key_length, integrity_length;
	uint32_t flags;
	bool subnet; /* its selector is no single host */
	bool limits; /* it is always close to one */
	uint32_t spi_high;
	uint32_t local; /* the last destination that its selector has; 0 any */
};
extern const struct peer peers_all[PEERS_COUNT];

struct frame {
	uint32_t length;
	uint8_t octets[FRAME_MAX];
};

struct script { /* one performance */
	struct world *world;
	struct record *record;
	uint64_t random;
	uint64_t numbers[PEERS_COUNT];       /* last one used */
	struct crypto_key keys[PEERS_COUNT]; /* of the SA as it was set last */
	const struct suite *suites[PEERS_COUNT];
	uint8_t generation[PEERS_COUNT];
	struct frame kept[KEPT]; /* sent before, to be repeated */
	uint64_t frames;
	unsigned step;
	uint32_t local_host;
	unsigned asked[2]; /* how often the lane made the next burst one of 32, of 64 */
	bool calm;         /* hardly anything is odd in this burst */
	bool even;         /* nothing is, but what is asked for */
	bool waiting;      /* a next hop is not resolved: few packets wait for it */
};

/* Below `below`, at random. */
uint32_t peers_next(struct script *s, uint32_t below);
/* One of `of`, and hardly ever in a burst that is calm: one odd packet takes all of its SA's away
 * from the lane. */
bool peers_odd(struct script *s, uint32_t of);
/* Tables as they are in the beginning, and all SAs. */
void peers_begin(struct script *s);
/* Something that control might do between two bursts. */
void peers_change(struct script *s);
/* All as it was. */
void peers_restore(struct script *s);
void peers_checksum(struct rte_ipv4_hdr *ip);
/* Where the text of a peer's frame begins. */
uint8_t *peers_text(const struct script *s, unsigned peer, struct frame *f);
/* ESP around a packet of `length` octets that is there. */
void peers_seal(struct script *s, unsigned peer, struct frame *f, uint32_t length);
/* Outer headers around what begins at octets + ETHERNET + 20 (+ 8). */
void peers_outer(struct script *s, unsigned peer, struct frame *f, bool udp, uint32_t length);

#endif
