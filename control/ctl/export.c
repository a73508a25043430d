/*
 * `sa export`: the rows of one or many looks become a file for another gateway
 * (control/ipsec/sa_export.h). With "watch" the rate of each association is the highest that was
 * seen between two looks. The file is replaced as a whole: who reads it finds an old or a new one.
 */
#include "control/ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WATCH_MAX_S 3600

struct watched { /* between looks, by name */
	json_t *seen;
	uint64_t seen_ms, now_ms; /* CLOCK_MONOTONIC */
};

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* An association that goes and comes back is another one: its numbers fall. */
static json_t *rate_of(const json_t *before, json_int_t sequence, uint64_t passed_ms)
{
	json_int_t was = json_integer_value(json_object_get(before, "sequence"));
	const json_t *known = json_object_get(before, "rate");
	json_int_t rate;

	if (!before || sequence < was || passed_ms == 0)
		return json_null();
	rate = (sequence - was) * 1000 / (json_int_t)passed_ms + 1;
	if (json_is_integer(known) && json_integer_value(known) > rate)
		rate = json_integer_value(known);
	return json_integer(rate);
}

static int row_take(json_t *row, struct watched *watched, json_t *next, json_t *list)
{
	const char *direction = json_string_value(json_object_get(row, "direction"));
	const char *spi = json_string_value(json_object_get(row, "spi"));
	const char *remote = json_string_value(json_object_get(row, "remote"));
	const json_t *sequence = json_object_get(row, "sequence");
	char name[120];

	if (!direction || !spi || !remote || !json_is_integer(sequence))
		return -EPROTO;
	snprintf(name, sizeof(name), "%s %s %s", direction, spi, remote);
	json_object_set_new(row, "rate",
		rate_of(json_object_get(watched->seen, name), json_integer_value(sequence),
			watched->now_ms - watched->seen_ms));
	json_object_set(next, name, row);
	return json_array_append(list, row) ? -ENOMEM : 0;
}

/* All pages of one look. */
static int look(struct connection *connection, json_t *request, struct watched *watched,
	json_t *list, json_t **refusal)
{
	json_t *next = json_object();
	int result = 0;

	watched->now_ms = clock_ms(CLOCK_MONOTONIC);
	json_object_set_new(request, "cursor", json_integer(0));
	for (bool more = true; more && !result;) {
		size_t length, index;
		json_t *row;
		const char *line = connection_send(connection, request)
					   ? NULL
					   : connection_read(connection, &length);
		json_t *answer = line ? json_loadb(line, length, 0, NULL) : NULL;
		if (!answer) {
			result = -EPIPE;
			break;
		}
		if (!json_is_true(json_object_get(answer, "ok"))) {
			*refusal = answer;
			result = -EACCES;
			break;
		}
		json_array_foreach(json_object_get(answer, "rows"), index, row)
		{
			if (!result)
				result = row_take(row, watched, next, list);
		}
		json_t *cursor = json_object_get(answer, "cursor");
		more = json_is_integer(cursor);
		if (more)
			json_object_set(request, "cursor", cursor);
		json_decref(answer);
	}
	json_decref(watched->seen);
	watched->seen = next;
	watched->seen_ms = watched->now_ms;
	return result;
}

/* 0 or -errno. Written beside it, made sure of, then renamed. */
static int replace(const char *path, const json_t *root)
{
	char *beside = NULL, *text = json_dumps(root, JSON_COMPACT);
	FILE *file = NULL;
	int result = -ENOMEM;

	if (text && asprintf(&beside, "%s.new", path) < 0)
		beside = NULL;
	if (beside) {
		mode_t mask = umask(0137); /* the group may read it: control's */
		file = fopen(beside, "we");
		umask(mask);
		result = file ? 0 : -errno;
	}
	if (file && (fputs(text, file) < 0 || fputc('\n', file) < 0 || fflush(file) ||
			    fsync(fileno(file))))
		result = -EIO;
	if (file && fclose(file) && !result)
		result = -EIO;
	if (!result && rename(beside, path))
		result = -errno;
	if (result && beside)
		unlink(beside);
	free(beside);
	free(text);
	return result;
}

static int write_one(struct connection *connection, json_t *request, struct watched *watched,
	uint64_t interval_ms, json_t **refusal)
{
	const char *path =
		json_string_value(json_object_get(json_object_get(request, "arguments"), "file"));
	json_t *list = json_array();
	uint64_t written_ms = clock_ms(CLOCK_REALTIME); /* the numbers are not older than that */
	int result = look(connection, request, watched, list, refusal);

	if (!result) {
		json_t *root = json_pack("{s:s, s:i, s:I, s:I, s:O}", "format", "homeport-sas",
			"version", 1, "written_ms", (json_int_t)written_ms, "interval_ms",
			(json_int_t)interval_ms, "sas", list);
		result = root ? replace(path, root) : -ENOMEM;
		json_decref(root);
	}
	json_decref(list);
	return result;
}

/* Seconds; 0: one look. */
static long watch_of(const json_t *arguments)
{
	const json_t *given = json_object_get(arguments, "watch");
	const char *text = json_string_value(given);

	return text ? strtol(text, NULL, 0) : (long)json_integer_value(given);
}

int export_run(struct connection *connection, json_t *request, json_t **refusal)
{
	long watch_s = watch_of(json_object_get(request, "arguments"));
	struct watched watched = {.seen = json_object()};
	int result = watch_s < 0 || watch_s > WATCH_MAX_S ? -ERANGE : 0;

	while (!result) {
		result =
			write_one(connection, request, &watched, (uint64_t)watch_s * 1000, refusal);
		if (watch_s == 0)
			break;
		sleep((unsigned)watch_s);
	}
	json_decref(watched.seen);
	return result;
}
