/*
 * The whole generator, once a profile is read and the EAL runs: ports, nodes, keys, the sending and
 * the receiving half. trial.h drives it, report.h tells about it.
 *
 * The main lcore has one loop: send what is due, take what has come (or further lcores do,
 * senders.h and receivers.h), see to ARP and registrations.
 */
#ifndef PKTGEN_GENERATOR_GENERATOR_H
#define PKTGEN_GENERATOR_GENERATOR_H

#include "pktgen/generator/mover.h"
#include "pktgen/generator/receivers.h"
#include "pktgen/generator/registrar.h"
#include "pktgen/generator/senders.h"

#define GENERATOR_ERROR_SIZE 512

struct generator_files {
	const char *transmitted, *received; /* pcap to write; NULL: none */
	uint64_t limit;                     /* frames of each */
	const char *moves;                  /* to write, of ESP peers; NULL: none */
};

struct generator {
	const struct profile *profile;
	struct population *population;
	struct security security;
	struct security_engine *engine; /* NULL without ESP */
	struct rte_mempool *pool;
	struct port ports[PROFILE_PORTS_MAX];
	bool open; /* the ports are */
	struct senders senders;
	struct receivers receivers;
	struct registrar *registrar; /* NULL: nobody registers */
	uint64_t registrar_next;     /* cycles */
	struct mover *mover;         /* NULL: no peer moves */
	double opening_s;            /* how long nodes, keys and ports took to be there */
	double registering_s;        /* how long all nodes took to register */
	struct tally *tally;         /* of what happens between trials */
	uint64_t hz;
	volatile bool *stop; /* set by a signal */
	char error[GENERATOR_ERROR_SIZE];
};

/* 0, or a negative errno with generator->error. `profile`, `stop` outlive it. Main lcore. */
int generator_open(struct generator *generator, const struct profile *profile,
	const struct generator_files *files, volatile bool *stop);
/* -EIO when a capture could not be written. */
int generator_close(struct generator *generator);
/* Links up and the gateway's MACs known. 0, -ETIMEDOUT with error, or -EINTR. */
int generator_resolve(struct generator *generator, uint32_t timeout_ms);
/* All nodes registered. 0, -ETIMEDOUT with error, or -EINTR. */
int generator_register(struct generator *generator);
/* One turn of the loop; how many frames came or went. */
unsigned generator_turn(struct generator *generator, uint64_t now);

#endif
