#include "lib/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int syslog_priority; /* RFC 5424 6.2.1 */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", 3},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_NOTICE] = {"notice", 5},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};
#define LEVEL_COUNT (sizeof(levels) / sizeof(levels[0]))

static _Atomic int current_level = LOG_LEVEL_INFO;
static _Atomic int output = -1;

void log_set_level(enum log_level level)
{
	current_level = (int)level;
}

bool log_enabled(enum log_level level)
{
	return (int)level <= current_level;
}

int log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++)
		if (!strcmp(name, levels[i].name)) {
			*level = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}

void log_redirect(int fd)
{
	output = fd;
}

/* The only place that reads the clock for the log. */
static int line_start(char *line, size_t size, enum log_level level, const char *event)
{
	struct timespec now;
	struct tm utc;
	char stamp[32];

	if (getenv("JOURNAL_STREAM"))
		return snprintf(line, size, "<%d>%s", levels[level].syslog_priority, event);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
	return snprintf(line, size, "%s.%03ldZ %s %s", stamp, now.tv_nsec / 1000000,
		levels[level].name, event);
}

/* Copies with unprintable octets as \xNN; what does not fit is cut with "...". Room for the newline
 * stays. */
static size_t line_escape(char *out, size_t size, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0;

	for (; *text; text++) {
		uint8_t octet = (uint8_t)*text;
		bool plain = octet >= 0x20 && octet < 0x7f;
		if (at + (plain ? 1 : 4) + 4 > size) {
			for (unsigned i = 0; i < 3; i++)
				out[at++] = '.';
			return at;
		}
		if (plain) {
			out[at++] = (char)octet;
			continue;
		}
		out[at++] = '\\';
		out[at++] = 'x';
		out[at++] = hex[octet >> 4];
		out[at++] = hex[octet & 15];
	}
	return at;
}

static void write_line(enum log_level level, uint64_t suppressed, const char *event,
	const char *format, va_list arguments)
{
	char raw[LOG_LINE_SIZE], line[LOG_LINE_SIZE];
	int length = line_start(raw, sizeof(raw), level, event);
	size_t at = length < (int)sizeof(raw) ? (size_t)length : sizeof(raw) - 1;
	int saved_errno = errno;

	if (suppressed && at < sizeof(raw)) {
		length = snprintf(raw + at, sizeof(raw) - at, " suppressed=%" PRIu64, suppressed);
		at = at + (size_t)length < sizeof(raw) ? at + (size_t)length : sizeof(raw) - 1;
	}
	if (*format && at + 1 < sizeof(raw)) {
		raw[at++] = ' ';
		vsnprintf(raw + at, sizeof(raw) - at, format, arguments);
	}
	at = line_escape(line, sizeof(line), raw);
	line[at++] = '\n';
	ssize_t ignored =
		write(output < 0 ? STDERR_FILENO : output, line, at); /* nowhere to complain */
	(void)ignored;
	errno = saved_errno;
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *event, const char *format, ...)                                      \
	{                                                                                          \
		va_list arguments;                                                                 \
		if (!log_enabled(level))                                                           \
			return;                                                                    \
		va_start(arguments, format);                                                       \
		write_line(level, 0, event, format, arguments);                                    \
		va_end(arguments);                                                                 \
	}
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_notice, LOG_LEVEL_NOTICE)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

char *log_quote(char *buffer, size_t size, const char *text)
{
	size_t at = 0;
	bool quote = !*text || strpbrk(text, " \"=\\");

	if (!size)
		return buffer;
	if (quote && size > 2)
		buffer[at++] = '"';
	for (; *text && at + (quote ? 4 : 2) <= size; text++) {
		if (quote && (*text == '"' || *text == '\\'))
			buffer[at++] = '\\';
		buffer[at++] = *text;
	}
	if (quote && size > 2)
		buffer[at++] = '"';
	buffer[at] = '\0';
	return buffer;
}

bool log_limit_pass(struct log_limit *limit, monotonic now)
{
	if (limit->interval_ns && now > limit->earned_ns) {
		uint64_t earned = (now - limit->earned_ns) / limit->interval_ns;
		if (earned >= limit->spent) {
			limit->spent = 0;
			limit->earned_ns = now;
		} else {
			limit->spent -= (uint32_t)earned;
			limit->earned_ns += earned * limit->interval_ns;
		}
	}
	if (limit->spent >= limit->burst) {
		limit->suppressed++;
		return false;
	}
	limit->spent++;
	return true;
}

void log_limited(struct log_limit *limit, monotonic now, enum log_level level, const char *event,
	const char *format, ...)
{
	va_list arguments;

	if (!log_enabled(level) || !log_limit_pass(limit, now))
		return;
	va_start(arguments, format);
	write_line(level, limit->suppressed, event, format, arguments);
	va_end(arguments);
	limit->suppressed = 0;
}
