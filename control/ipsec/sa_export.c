#include "control/ipsec/sa_export.h"

#include "lib/base/map.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RATE_MAX     (UINT64_C(1) << 32)
#define GAP_MAX_MS   (UINT64_C(1) << 32)
#define BURST_MAX_MS 16000 /* so long an idle SA may have sent at SA_EXPORT_BURST_PPS */
#define JUMP_MAX     (UINT64_C(1) << 31)
#define RECORDS_MAX  (1u << 22)

struct key {
	uint32_t direction, spi;
	struct ip_address peer; /* outbound: SPIs are the peer's choice; inbound: :: */
};

static struct key key_of(enum sa_direction direction, uint32_t spi, const struct ip_address *remote)
{
	struct key key;

	memset(&key, 0, sizeof(key));
	key.direction = direction;
	key.spi = spi;
	if (direction == SA_OUTBOUND)
		key.peer = *remote;
	return key;
}

/* ---- reading ---- */

static bool read_number(const json_t *object, const char *name, uint64_t max, uint64_t *out)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		(uint64_t)json_integer_value(value) > max)
		return false;
	*out = (uint64_t)json_integer_value(value);
	return true;
}

static bool read_address(const json_t *object, const char *name, struct ip_address *out)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && ip_address_parse(text, out) == 0;
}

static bool read_spi(const json_t *object, uint32_t *spi)
{
	const char *text = json_string_value(json_object_get(object, "spi"));
	char *end;

	if (!text || strlen(text) != 10 || strncmp(text, "0x", 2) != 0)
		return false;
	unsigned long value = strtoul(text + 2, &end, 16);
	*spi = (uint32_t)value;
	return *end == '\0' && end != text + 2 && text[2] != '-' && text[2] != '+' && value != 0;
}

static bool read_record(const json_t *object, struct sa_export_record *r)
{
	const char *direction = json_string_value(json_object_get(object, "direction"));
	const json_t *rate = json_object_get(object, "rate");

	memset(r, 0, sizeof(*r));
	if (!direction || (strcmp(direction, "in") != 0 && strcmp(direction, "out") != 0))
		return false;
	r->direction = direction[0] == 'i' ? SA_INBOUND : SA_OUTBOUND;
	r->has_rate = !json_is_null(rate);
	return read_spi(object, &r->spi) && read_address(object, "local", &r->local) &&
	       read_address(object, "remote", &r->remote) &&
	       read_number(object, "sequence", INT64_MAX, &r->sequence) &&
	       (!r->has_rate || read_number(object, "rate", RATE_MAX, &r->rate)) &&
	       read_number(object, "packets", INT64_MAX, &r->packets) &&
	       read_number(object, "bytes", INT64_MAX, &r->bytes);
}

/* NULL, or what is wrong. */
static const char *read_head(const json_t *root, struct sa_export *out)
{
	const char *format = json_string_value(json_object_get(root, "format"));
	uint64_t version;

	if (!format || strcmp(format, "homeport-sas") != 0)
		return "it is no export of security associations";
	if (!read_number(root, "version", INT64_MAX, &version) || version != SA_EXPORT_VERSION)
		return "it has another version";
	if (!read_number(root, "written_ms", INT64_MAX, &out->written_ms) ||
		!read_number(root, "interval_ms", UINT32_MAX, &out->interval_ms))
		return "it does not say when it was written";
	if (!json_is_array(json_object_get(root, "sas")) ||
		json_array_size(json_object_get(root, "sas")) > RECORDS_MAX)
		return "it has no list of associations";
	return NULL;
}

/* 0, -EINVAL, -ENOMEM. */
static int read_records(const json_t *list, struct sa_export *out, char *error)
{
	out->count = (uint32_t)json_array_size(list);
	out->records = calloc(out->count + 1u, sizeof(*out->records));
	out->index = map_new(sizeof(struct key), out->count + 1u);
	if (!out->records || !out->index)
		return -ENOMEM;
	for (uint32_t i = 0; i < out->count; i++) {
		struct sa_export_record *r = &out->records[i];
		if (!read_record(json_array_get(list, i), r)) {
			snprintf(error, SA_EXPORT_ERROR_SIZE, "association %u is not right", i);
			return -EINVAL;
		}
		struct key key = key_of(r->direction, r->spi, &r->remote);
		if (map_get(out->index, &key, NULL)) {
			snprintf(error, SA_EXPORT_ERROR_SIZE, "association %u is there twice", i);
			return -EINVAL;
		}
		if (map_put(out->index, &key, i))
			return -ENOMEM;
	}
	return 0;
}

int sa_export_parse(
	const char *text, size_t length, struct sa_export *out, char error[SA_EXPORT_ERROR_SIZE])
{
	json_error_t reason;
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &reason);

	memset(out, 0, sizeof(*out));
	if (!root) {
		snprintf(error, SA_EXPORT_ERROR_SIZE, "line %d: %.120s", reason.line, reason.text);
		return -EINVAL;
	}
	const char *wrong = read_head(root, out);
	if (wrong)
		snprintf(error, SA_EXPORT_ERROR_SIZE, "%s", wrong);
	int result = wrong ? -EINVAL : read_records(json_object_get(root, "sas"), out, error);
	if (result == -ENOMEM)
		snprintf(error, SA_EXPORT_ERROR_SIZE, "no memory for it");
	json_decref(root);
	if (result)
		sa_export_fini(out);
	return result;
}

int sa_export_read(const char *path, struct sa_export *out, char error[SA_EXPORT_ERROR_SIZE])
{
	struct stat status;
	int result, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *text;

	if (fd < 0 || fstat(fd, &status)) {
		result = -errno;
		snprintf(error, SA_EXPORT_ERROR_SIZE, "%s", strerror(-result));
		if (fd >= 0)
			close(fd);
		return result;
	}
	if (!S_ISREG(status.st_mode) || status.st_size < 2 ||
		status.st_size > (off_t)SA_EXPORT_SIZE_MAX) {
		snprintf(error, SA_EXPORT_ERROR_SIZE, "no file, or not of a size that can be");
		close(fd);
		return -EINVAL;
	}
	text = malloc((size_t)status.st_size);
	ssize_t got = text ? read(fd, text, (size_t)status.st_size) : -1;
	close(fd);
	if (got < 0) {
		snprintf(error, SA_EXPORT_ERROR_SIZE, "it cannot be read");
		result = text ? -EIO : -ENOMEM;
	} else {
		result = sa_export_parse(text, (size_t)got, out, error);
	}
	free(text);
	return result;
}

void sa_export_fini(struct sa_export *export)
{
	map_free(export->index);
	free(export->records);
	memset(export, 0, sizeof(*export));
}

const struct sa_export_record *sa_export_find(const struct sa_export *export, const struct sa *sa)
{
	struct key key = key_of((enum sa_direction)sa->command.direction, ntohl(sa->command.spi),
		&sa->command.remote);
	uint64_t index;

	return map_get(export->index, &key, &index) ? &export->records[index] : NULL;
}

/* ---- estimating ---- */

static uint64_t packets_in(uint64_t rate, uint64_t ms)
{
	uint64_t time = ms < GAP_MAX_MS ? ms : GAP_MAX_MS;

	return rate > UINT64_MAX / GAP_MAX_MS ? UINT64_MAX : (rate * time + 999) / 1000;
}

/* Numbers never wrap: at the end of its space the SA has none left (ESP-SEQ-03). */
static uint64_t beyond(uint64_t number, uint64_t jump, bool esn)
{
	uint64_t last = esn ? UINT64_MAX : UINT32_MAX;

	return number >= last || jump > last - number ? last : number + jump;
}

static struct sa_export_estimate jumped(
	const struct sa_export_record *record, uint64_t running, uint64_t jump, bool esn)
{
	uint64_t last = record && record->sequence > running ? record->sequence : running;

	return (struct sa_export_estimate){
		.number = beyond(last, jump, esn), .soft = jump >= SA_EXPORT_JUMP};
}

struct sa_export_estimate sa_export_outbound(
	const struct sa_export_record *record, uint64_t running, uint64_t gap_ms, bool esn)
{
	uint64_t jump, burst;

	if (!record || !record->has_rate)
		return jumped(record, running, SA_EXPORT_JUMP, esn);
	burst = 2 * packets_in(SA_EXPORT_BURST_PPS, gap_ms < BURST_MAX_MS ? gap_ms : BURST_MAX_MS);
	jump = packets_in(record->rate, gap_ms);
	if (jump > JUMP_MAX / 2)
		return (struct sa_export_estimate){.number = running, .too_old = true};
	jump = 2 * jump > burst ? 2 * jump : burst;
	return jumped(record, running, jump, esn);
}

struct sa_export_estimate sa_export_inbound(
	const struct sa_export_record *record, uint64_t running, uint64_t gap_ms, bool esn)
{
	uint64_t missed;

	if (!record)
		return jumped(NULL, running, SA_EXPORT_JUMP, esn);
	missed = record->has_rate ? packets_in(record->rate, gap_ms) : 0;
	if (missed > JUMP_MAX)
		return (struct sa_export_estimate){.number = running, .too_old = true};
	return jumped(record, running, missed, esn);
}
