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

struct format { /* of a file */
	bool swap;
	uint32_t fraction_ns; /* what a record's fraction counts */
};

static int header_read(
	const uint8_t *octets, uint64_t size, struct format *out, const char **reason)
{
	struct file_header header;

	*reason = "is no pcap file";
	if (size < sizeof(header))
		return -EINVAL;
	memcpy(&header, octets, sizeof(header));
	if (header.magic == BLOCK_PCAPNG) {
		*reason = "is a pcapng file: editcap -F nsecpcap makes a pcap file of it";
		return -EINVAL;
	}
	out->swap = header.magic == __builtin_bswap32(MAGIC_MICROSECONDS) ||
		    header.magic == __builtin_bswap32(MAGIC_NANOSECONDS);
	uint32_t magic = order(header.magic, out->swap);
	if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS)
		return -EINVAL;
	out->fraction_ns = magic == MAGIC_NANOSECONDS ? 1 : 1000;
	*reason = "does not hold Ethernet frames";
	return (order(header.link, out->swap) & 0xffff) == LINK_ETHERNET ? 0 : -EINVAL;
}

/* Room for another frame, which doubles when it is used up. */
static bool frame_room(struct capture_file *file, uint32_t *room)
{
	if (file->frame_count < *room)
		return true;
	uint32_t more = *room ? 2 * *room : 1024;
	struct capture_frame *grown = realloc(file->frames, more * sizeof(*grown));
	if (!grown)
		return false;
	file->frames = grown;
	*room = more;
	return true;
}

/* A frame of several interfaces may be written behind a later one: it keeps its place. */
static void frame_add(struct capture_file *file, const uint8_t *data, uint32_t length, uint64_t ns)
{
	struct capture_frame *frame = &file->frames[file->frame_count];
	uint64_t before = file->frame_count ? frame[-1].time_ns : 0;

	if (file->frame_count++ == 0)
		file->first_ns = ns;
	uint64_t since = ns > file->first_ns ? ns - file->first_ns : 0;
	*frame = (struct capture_frame){data, length, since > before ? since : before};
	if (length > file->longest)
		file->longest = length;
}

/* One record at *at; NULL, or the reason why it cannot be. */
static const char *record_read(const uint8_t *octets, uint64_t size, const struct format *format,
	uint64_t *at, uint32_t *room, struct capture_file *out)
{
	struct record_header record;

	if (size - *at < sizeof(record))
		return "is cut off";
	memcpy(&record, octets + *at, sizeof(record));
	*at += sizeof(record);
	uint32_t captured = order(record.captured, format->swap);
	if (captured > size - *at)
		return "is cut off";
	if (captured != order(record.length, format->swap) || captured == 0 ||
		captured > CAPTURE_FRAME_MAX)
		return "holds a frame that was not captured whole";
	if (!frame_room(out, room))
		return "is too large for the memory";
	frame_add(out, octets + *at, captured,
		order(record.seconds, format->swap) * 1000000000ull +
			(uint64_t)order(record.fraction, format->swap) * format->fraction_ns);
	*at += captured;
	return NULL;
}

int capture_parse(uint8_t *octets, uint64_t size, struct capture_file *out, const char **reason)
{
	struct format format;
	uint64_t at = sizeof(struct file_header);
	uint32_t room = 0;

	*out = (struct capture_file){0};
	if (header_read(octets, size, &format, reason))
		return -EINVAL;
	while (at < size) {
		*reason = record_read(octets, size, &format, &at, &room, out);
		if (*reason) {
			free(out->frames);
			*out = (struct capture_file){0};
			return -EINVAL;
		}
	}
	return 0;
}

/* The octets of a file, to be freed; NULL with *result. */
static uint8_t *octets_read(FILE *file, uint64_t *size, int *result, const char **reason)
{
	struct stat status;

	*result = -EINVAL;
	*reason = "is no regular file";
	if (fstat(fileno(file), &status) || !S_ISREG(status.st_mode))
		return NULL;
	*size = (uint64_t)status.st_size;
	*reason = "is larger than 4 GiB";
	if (*size > FILE_SIZE_MAX)
		return NULL;
	*reason = "cannot be read";
	uint8_t *octets = malloc(*size + 1);
	if (!octets)
		*result = -ENOMEM;
	if (octets && fread(octets, 1, *size, file) != *size) {
		*result = -EIO;
		free(octets);
		octets = NULL;
	}
	return octets;
}

int capture_load(const char *path, struct capture_file *out, const char **reason)
{
	FILE *file = fopen(path, "re");
	uint64_t size = 0;
	int result;

	*reason = "cannot be read";
	if (!file)
		return -errno;
	uint8_t *octets = octets_read(file, &size, &result, reason);
	fclose(file);
	if (!octets)
		return result;
	result = capture_parse(octets, size, out, reason);
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
