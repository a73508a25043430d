#include "pktgen/generator/capture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC_MICROSECONDS 0xa1b2c3d4u
#define MAGIC_NANOSECONDS  0xa1b23c4du
#define BLOCK_PCAPNG       0x0a0d0d0au /* in either order */
#define LINK_ETHERNET      1
#define FILE_SIZE_MAX      (4ull << 30)

struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap_length, link;
};
_Static_assert(sizeof(struct file_header) == 24, "file format");

struct record_header {
	uint32_t seconds, fraction, captured, length;
};
_Static_assert(sizeof(struct record_header) == 16, "file format");

struct capture {
	FILE *file;
	uint64_t limit, count;
	uint64_t latest_ns;
	bool failed;
	pthread_mutex_t mutex; /* over all of it */
};

struct capture *capture_new(const char *path, uint64_t limit)
{
	const struct file_header header = {.magic = MAGIC_NANOSECONDS,
		.major = 2,
		.minor = 4,
		.snap_length = CAPTURE_FRAME_MAX,
		.link = LINK_ETHERNET};
	struct capture *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return NULL;
	pthread_mutex_init(&capture->mutex, NULL);
	capture->limit = limit;
	capture->file = fopen(path, "we");
	if (!capture->file) {
		free(capture);
		return NULL;
	}
	capture->failed = fwrite(&header, sizeof(header), 1, capture->file) != 1;
	return capture;
}

static void frame_write(
	struct capture *capture, const void *frame, uint32_t length, uint64_t wall_ns)
{
	if (capture->limit && capture->count == capture->limit)
		return;
	if (wall_ns > capture->latest_ns)
		capture->latest_ns = wall_ns;
	const struct record_header header = {(uint32_t)(capture->latest_ns / 1000000000),
		(uint32_t)(capture->latest_ns % 1000000000), length, length};
	capture->count++;
	if (fwrite(&header, sizeof(header), 1, capture->file) != 1 ||
		fwrite(frame, length, 1, capture->file) != 1)
		capture->failed = true;
}

void capture_write(struct capture *capture, const void *frame, uint32_t length, uint64_t wall_ns)
{
	if (!capture)
		return;
	pthread_mutex_lock(&capture->mutex);
	frame_write(capture, frame, length, wall_ns);
	pthread_mutex_unlock(&capture->mutex);
}

int capture_free(struct capture *capture)
{
	if (!capture)
		return 0;
	bool failed = fclose(capture->file) != 0 || capture->failed;
	pthread_mutex_destroy(&capture->mutex);
	free(capture);
	return failed ? -EIO : 0;
}

static uint32_t order(uint32_t value, bool swap)
{
	return swap ? __builtin_bswap32(value) : value;
}

int capture_parse(uint8_t *octets, uint64_t size, struct capture_file *out, const char **reason)
{
	struct file_header header;
	uint64_t at = sizeof(header);
	uint32_t room = 0;

	*out = (struct capture_file){0};
	*reason = "is no pcap file";
	if (size < sizeof(header))
		return -EINVAL;
	memcpy(&header, octets, sizeof(header));
	if (header.magic == BLOCK_PCAPNG) {
		*reason = "is a pcapng file: editcap -F nsecpcap makes a pcap file of it";
		return -EINVAL;
	}
	bool swap = header.magic == __builtin_bswap32(MAGIC_MICROSECONDS) ||
		    header.magic == __builtin_bswap32(MAGIC_NANOSECONDS);
	uint32_t magic = order(header.magic, swap);
	if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS)
		return -EINVAL;
	*reason = "does not hold Ethernet frames";
	if ((order(header.link, swap) & 0xffff) != LINK_ETHERNET)
		return -EINVAL;
	while (at < size) {
		struct record_header record;
		*reason = "is cut off";
		if (size - at < sizeof(record))
			goto bad;
		memcpy(&record, octets + at, sizeof(record));
		at += sizeof(record);
		uint32_t captured = order(record.captured, swap);
		if (captured > size - at)
			goto bad;
		*reason = "holds a frame that was not captured whole";
		if (captured != order(record.length, swap) || captured == 0 ||
			captured > CAPTURE_FRAME_MAX)
			goto bad;
		if (out->frame_count == room) {
			room = room ? 2 * room : 1024;
			struct capture_frame *grown = realloc(out->frames, room * sizeof(*grown));
			*reason = "is too large for the memory";
			if (!grown)
				goto bad;
			out->frames = grown;
		}
		out->frames[out->frame_count++] = (struct capture_frame){octets + at, captured};
		if (captured > out->longest)
			out->longest = captured;
		at += captured;
	}
	return 0;
bad:
	free(out->frames);
	*out = (struct capture_file){0};
	return -EINVAL;
}

int capture_load(const char *path, struct capture_file *out, const char **reason)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	uint8_t *octets = NULL;
	int result = 0;

	*reason = "cannot be read";
	if (!file)
		return -errno;
	if (fstat(fileno(file), &status) || !S_ISREG(status.st_mode) ||
		(uint64_t)status.st_size > FILE_SIZE_MAX)
		result = -EINVAL;
	if (!result) {
		octets = malloc((size_t)status.st_size + 1);
		if (!octets ||
			fread(octets, 1, (size_t)status.st_size, file) != (size_t)status.st_size)
			result = -EIO;
	}
	fclose(file);
	if (!result)
		result = capture_parse(octets, (uint64_t)status.st_size, out, reason);
	if (result)
		free(octets);
	else
		out->octets = octets;
	return result;
}

void capture_unload(struct capture_file *file)
{
	free(file->frames);
	free(file->octets);
	*file = (struct capture_file){0};
}
