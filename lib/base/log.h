/*
 * The log: one line per event on standard error, an event name and key=value pairs:
 *
 *   2026-11-21T06:15:02.123Z warning registration_denied home=10.1.0.10 code=133 suppressed=41
 *
 * Under journald (JOURNAL_STREAM set) the time is left out and the line starts with "<4>". The line
 * leaves in one write; octets that are not printable ASCII appear as \xNN, so that a peer's text
 * can never forge a line or an escape sequence. Never give it keys. Log once, where the matter is
 * decided; anything that a stranger on the network can cause goes through a struct log_limit. One
 * thread at a time per limit; lines of several threads do not mix.
 */
#ifndef LIB_BASE_LOG_H
#define LIB_BASE_LOG_H

#include "lib/base/clock.h"

#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

#define LOG_LINE_SIZE 1024 /* longer lines end in "..." */

/* What is written from now on: this level and the graver ones. At first LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
/* "error" ... "debug": 0 and *level, or -EINVAL. */
int log_level_parse(const char *name, enum log_level *level);
/* Lines go to this descriptor instead of standard error (tests); -1 = back. */
void log_redirect(int fd);

/* `event` is one word; `format` (may be "") makes "key=value key=value". */
void log_error(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_notice(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text as a value: quoted when it holds a space, quote, '=' or nothing, always NUL-terminated, cut
 * when too long. Returns buffer. */
char *log_quote(char *buffer, size_t size, const char *text);

/* At most `burst` lines at once and one per `interval_ns` in the long run. Zero-initialise but for
 * these two. */
struct log_limit {
	uint64_t interval_ns;
	uint32_t burst;
	uint32_t spent;      /* lines not yet earned back */
	uint64_t suppressed; /* since the last line written */
	monotonic earned_ns; /* when `spent` was last lowered */
};
#define LOG_LIMIT(per_second, burst_lines)                                                         \
	{                                                                                          \
		.interval_ns = CLOCK_NS_PER_S / (per_second), .burst = (burst_lines)               \
	}

/* May a line be written now? Counts it as suppressed when not. */
bool log_limit_pass(struct log_limit *limit, monotonic now);
/* One line within the limit; the next one after a silence says suppressed=N. */
void log_limited(struct log_limit *limit, monotonic now, enum log_level level, const char *event,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
