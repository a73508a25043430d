/*
 * The real pipeline in process, with an in-memory source and sink, for benches that measure a path
 * of it.
 *
 * The source takes fresh mbufs, copies the path's template frame into each and lets the path write
 * the addresses of a random destination; pipeline_receive_burst does the work; the sink counts and
 * frees. All of that is in the figure (as in the budget: source and sink included), the source and
 * sink alone are printed beside it. Processor time of the thread as TSC cycles a packet, median of
 * the runs (runs.h) and their spread. The paths of a run alternate, so that a noisy neighbour hits
 * them alike; the first is the others' reference.
 */
#ifndef PKTGEN_BENCH_PATH_BENCH_H
#define PKTGEN_BENCH_PATH_BENCH_H

#include "dataplane/pipeline.h"

#include <rte_byteorder.h>
#include <rte_ip.h>

#define PATH_BENCH_AGENT     0xc0000201u /* 192.0.2.1 */
#define PATH_BENCH_PEER      0xcb007105u /* 203.0.113.5, a correspondent */
#define PATH_BENCH_GATEWAY   0xc6336401u /* 198.51.100.1, the next hop of everything */
#define PATH_BENCH_FRAME_MAX 1514
#define PATH_BENCH_WORKERS   2

struct bench_path {
	const char *name;
	uint32_t choices; /* the source draws a number below it for each packet */
	/* Octets of headers in the template that the path's own template() writes; `size` without
	 * FCS. */
	void (*template)(uint8_t *frame, uint16_t size);
	/* Addresses (and checksums) of choice n into a frame that is a copy of the template. */
	void (*choose)(uint8_t *frame, uint32_t n);
	uint16_t least; /* octets that its headers need; a smaller frame becomes that long */
};

/*
 * EAL (huge pages when there are any), worker, tables; exits with a sentence when it cannot.
 * Routes, neighbours and prefixes of `limits` are those besides the few that every path needs. Port
 * 0 is external and has the default route; port 1 is internal. limits->workers of them (0: one), up
 * to PATH_BENCH_WORKERS, one after another from *worker; the paths below run on the first.
 */
void path_bench_init(
	const char *program, const struct region_limits *limits, struct worker **worker);
/* The last processor that this process might use before EAL pinned this thread to the first. Behind
 * path_bench_init, any thread. */
int path_bench_processor_last(void);
#ifdef __clang__
#define PATH_BENCH_WHOLE __attribute__((noinline))
#else
#define PATH_BENCH_WHOLE __attribute__((noinline, noclone))
#endif
/*
 * What the worker does with a burst, all of it and nothing else: never inlined, so that callgrind
 * can count between its entry and its end.
 */
PATH_BENCH_WHOLE void path_bench_receive(
	struct worker *worker, unsigned port, struct rte_mbuf **packets, uint16_t count);
/* Applies a command to the tables; exits when it is refused. */
void path_bench_apply(struct command command);
/* Runs the paths at each frame size (64, 512, 1400 octets, FCS counted) and prints a JSON line for
 * each; paths[0] is their reference. */
void path_bench_run(const struct bench_path *paths, unsigned count, uint32_t packets);
/* Prints what was dropped. The program's exit status: 0 when nothing was and the conservation sum
 * is exact. */
int path_bench_fini(void);
/* Octets of this process that are in memory. */
uint64_t path_bench_resident(void);

static inline struct ip_address path_bench_v4(uint32_t host)
{
	return ip_address_from_v4(rte_cpu_to_be_32(host));
}

/* An Ethernet header to the port, and an IPv4 header after it at ipv4_at(frame). */
void path_bench_ethernet(uint8_t *frame);
void path_bench_ipv4(struct rte_ipv4_hdr *ip, uint32_t source, uint32_t destination,
	uint8_t protocol, uint16_t length);
/* A UDP header without checksum. */
void path_bench_udp(void *at, uint16_t source, uint16_t destination, uint16_t length);

static inline struct rte_ipv4_hdr *path_bench_ipv4_at(uint8_t *frame, unsigned offset)
{
	return (struct rte_ipv4_hdr *)(frame + 14 + offset);
}

/* The header checksum after an address that was 0 became `value` (RFC 1624). */
static inline rte_be16_t path_bench_checksum(rte_be16_t checksum, rte_be32_t value)
{
	uint32_t sum = (uint16_t)~checksum + (value & 0xffff) + (value >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	return (rte_be16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* Write an address that is 0 in the template. */
static inline void path_bench_source_set(struct rte_ipv4_hdr *ip, uint32_t host)
{
	ip->src_addr = rte_cpu_to_be_32(host);
	ip->hdr_checksum = path_bench_checksum(ip->hdr_checksum, ip->src_addr);
}

static inline void path_bench_destination_set(struct rte_ipv4_hdr *ip, uint32_t host)
{
	ip->dst_addr = rte_cpu_to_be_32(host);
	ip->hdr_checksum = path_bench_checksum(ip->hdr_checksum, ip->dst_addr);
}

#endif
