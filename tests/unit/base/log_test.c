#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// after the standard headers
#include <cmocka.h>

static int pipe_fds[2];
static char text[8192];

static const char *written(void)
{
	ssize_t length = read(pipe_fds[0], text, sizeof(text) - 1);

	text[length < 0 ? 0 : length] = '\0';
	return text;
}

static int setup(void **state)
{
	unsetenv("JOURNAL_STREAM");
	log_set_level(LOG_LEVEL_INFO);
	if (pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC))
		return -1;
	log_redirect(pipe_fds[1]);
	return 0;
}

static int teardown(void **state)
{
	log_redirect(-1);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

static void one_line_per_event(void **state)
{
	log_warning("registration_denied", "home=%s code=%d", "10.1.0.10", 133);
	written();
	assert_int_equal(text[4], '-');
	assert_string_equal(
		strchr(text, 'Z'), "Z warning registration_denied home=10.1.0.10 code=133\n");
	log_notice("started", "%s", "");
	assert_non_null(strstr(written(), " notice started \n"));
}

static void journald_gets_priorities(void **state)
{
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_error("broken", "why=%d", 1);
	assert_string_equal(written(), "<3>broken why=1\n");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("detail", "a=1");
	assert_string_equal(written(), "<7>detail a=1\n");
}

static void levels_filter(void **state)
{
	enum log_level level;

	log_set_level(LOG_LEVEL_WARNING);
	log_info("quiet", "a=1");
	assert_string_equal(written(), "");
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
}

static void text_cannot_forge_a_line(void **state)
{
	char buffer[64];

	setenv("JOURNAL_STREAM", "8:1", 1);
	log_info("nai", "nai=%s", "a\nb\x1b[31m\xff");
	assert_string_equal(written(), "<6>nai nai=a\\x0ab\\x1b[31m\\xff\n");
	assert_string_equal(log_quote(buffer, sizeof(buffer), "plain"), "plain");
	assert_string_equal(log_quote(buffer, sizeof(buffer), ""), "\"\"");
	assert_string_equal(
		log_quote(buffer, sizeof(buffer), "a \"b\" c=\\"), "\"a \\\"b\\\" c=\\\\\"");
	assert_string_equal(log_quote(buffer, 6, "a bcdefgh"), "\"a \"");
	assert_string_equal(log_quote(buffer, 3, "abcdefgh"), "ab");
}

static void long_lines_are_cut(void **state)
{
	char longer[3000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_info("long", "x=%s", longer);
	written();
	assert_true(strlen(text) <= LOG_LINE_SIZE);
	assert_string_equal(text + strlen(text) - 4, "...\n");
	memset(longer, '\n', sizeof(longer) - 1);
	log_info("long", "x=%s", longer);
	written();
	assert_true(strlen(text) <= LOG_LINE_SIZE);
	assert_string_equal(text + strlen(text) - 4, "...\n");
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void limit_counts_what_it_holds_back(void **state)
{
	struct log_limit limit = LOG_LIMIT(2, 3);
	monotonic now = 100 * CLOCK_NS_PER_S;

	setenv("JOURNAL_STREAM", "8:1", 1);
	for (int i = 0; i < 10; i++)
		log_limited(&limit, now, LOG_LEVEL_WARNING, "denied", "n=%d", i);
	assert_string_equal(written(), "<4>denied n=0\n<4>denied n=1\n<4>denied n=2\n");
	now += CLOCK_NS_PER_S / 2; // one is earned back
	log_limited(&limit, now, LOG_LEVEL_WARNING, "denied", "n=%d", 10);
	log_limited(&limit, now, LOG_LEVEL_WARNING, "denied", "n=%d", 11);
	assert_string_equal(written(), "<4>denied suppressed=7 n=10\n");
	now += 60 * CLOCK_NS_PER_S; // not more than the burst is saved up
	for (int i = 0; i < 5; i++)
		log_limited(&limit, now, LOG_LEVEL_WARNING, "denied", "n=%d", i);
	assert_string_equal(
		written(), "<4>denied suppressed=1 n=0\n<4>denied n=1\n<4>denied n=2\n");
	assert_int_equal(limit.suppressed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_line_per_event, setup, teardown),
		cmocka_unit_test_setup_teardown(journald_gets_priorities, setup, teardown),
		cmocka_unit_test_setup_teardown(levels_filter, setup, teardown),
		cmocka_unit_test_setup_teardown(text_cannot_forge_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(long_lines_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(limit_counts_what_it_holds_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
