/*
 * pcap files (the classic format, nanoseconds, Ethernet): writes what was sent or received, reads
 * what is to be replayed.
 */
#ifndef PKTGEN_GENERATOR_CAPTURE_H
#define PKTGEN_GENERATOR_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#define CAPTURE_FRAME_MAX 65535

struct capture; /* being written */

/* At most `limit` frames are written, 0: all. NULL with errno. */
struct capture *capture_new(const char *path, uint64_t limit);
/* `wall_ns` since 1970. NULL capture is nothing. Any thread: several take turns, and no frame is
 * earlier than the one before it. */
void capture_write(struct capture *capture, const void *frame, uint32_t length, uint64_t wall_ns);
/* 0, or -EIO when something could not be written. */
int capture_free(struct capture *capture);

struct capture_frame {
	const uint8_t *data;
	uint32_t length;
	uint64_t time_ns; /* since the first frame; not less than of the one before */
};

struct capture_file { /* read whole */
	uint8_t *octets;
	struct capture_frame *frames;
	uint32_t frame_count;
	uint32_t longest;  /* octets */
	uint64_t first_ns; /* of the first frame, since 1970 */
};

/*
 * Either byte order, micro- or nanoseconds; Ethernet alone. 0; or -errno for what the system
 * refuses, or -EINVAL for a file that is no such thing, cut off or holds frames longer than was
 * captured, with a reason that ends the sentence "FILE ...".
 */
int capture_load(const char *path, struct capture_file *out, const char **reason);
/* The same of octets in memory, which must outlive it. For tests. */
int capture_parse(uint8_t *octets, uint64_t size, struct capture_file *out, const char **reason);
void capture_unload(struct capture_file *file);

#endif
