/*
 * The mobile nodes of control_bench: each has a home address, a key and a care-of address that
 * changes with every registration it makes. Even nodes authenticate with HMAC-MD5, odd ones with
 * HMAC-SHA1; every second pair sits behind a NAT and asks for a UDP tunnel. One thread.
 */
#ifndef PKTGEN_BENCH_CONTROL_NODES_H
#define PKTGEN_BENCH_CONTROL_NODES_H

#include "lib/ipc/packet_record.h"

#include <stdbool.h>
#include <stdio.h>

#define CONTROL_NODES_MAX 1000000u
#define CONTROL_AGENT     "192.0.2.1"

struct control_nodes;

/* NULL when it cannot. */
struct control_nodes *control_nodes_new(uint32_t count);
void control_nodes_free(struct control_nodes *nodes);
/* The mobile_nodes setting: one group a node, each with its own key. */
void control_nodes_print(const struct control_nodes *nodes, FILE *out);

/* The next request of the node whose turn it is, as a worker would punt it; false when that node
 * still waits for a reply. */
bool control_nodes_ask(struct control_nodes *nodes, struct punt_record *record);
/*
 * Takes a reply and checks it as its node would: addresses and ports, identification, home agent,
 * authenticator, code 0, once. False with one line on stderr when anything is wrong.
 */
bool control_nodes_hear(struct control_nodes *nodes, const struct inject_record *record);

/* Where the node that asked last will be reached once its request is granted. */
struct control_path {
	struct ip_address home_address, care_of_address;
	be16 care_of_port; /* 0: no UDP tunnel */
};
struct control_path control_nodes_path(const struct control_nodes *nodes);

uint64_t control_nodes_asked(const struct control_nodes *nodes);
uint64_t control_nodes_answered(const struct control_nodes *nodes);

#endif
