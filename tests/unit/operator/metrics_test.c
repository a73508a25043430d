/* The metrics page: HTTP as a scraper speaks it, and every line as Prometheus' text format wants
 * it. */
#include "control/operator/operator.h"
#include "tests/unit/operator/fake_provider.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct fake fake;
static struct loop *loop;
static struct operator_metrics *metrics;
static unsigned port;

static int set_up(void **state)
{
	char endpoint[32];

	fake_init(&fake, 10);
	loop = loop_new();
	/* Some port that nobody has. */
	for (port = 20000 + (unsigned)getpid() % 20000; port < 65000; port++) {
		snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", port);
		if (operator_metrics_new(loop, endpoint, &fake.provider, &metrics) == 0)
			return 0;
	}
	return -1;
}

static int tear_down(void **state)
{
	operator_metrics_free(metrics);
	loop_free(loop);
	fake_fini(&fake);
	return 0;
}

static char answer[1 << 20];

static const char *fetch(const char *request)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t used = 0;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	for (unsigned turns = 0; turns < 2000; turns++) {
		assert_int_equal(loop_turn(loop, 5000000), 0);
		ssize_t got = recv(fd, answer + used, sizeof(answer) - 1 - used, MSG_DONTWAIT);
		if (got == 0)
			break;
		assert_true(got > 0 || errno == EAGAIN);
		used += got > 0 ? (size_t)got : 0;
	}
	answer[used] = '\0';
	close(fd);
	return answer;
}

static void only_get_of_metrics(void **state)
{
	assert_true(strncmp(fetch("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
			    "HTTP/1.1 200 OK\r\n", 17) == 0);
	assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
	assert_true(strncmp(fetch("GET /metricsx HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 ", 13) == 0);
	assert_true(strncmp(fetch("POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 ", 13) == 0);
	assert_non_null(strstr(answer, "\r\nAllow: GET\r\n"));
}

static bool is_name(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '_')
			return false;
	return length > 0 && !isdigit((unsigned char)text[0]);
}

/* One sample line of the family: name, labels, a whole number. */
static void check_sample(const char *line, const char *family)
{
	size_t length = strcspn(line, "{ ");
	const char *at = line + length;

	assert_true(is_name(line, length));
	assert_int_equal(length, strlen(family));
	assert_memory_equal(line, family, length);
	if (*at == '{')
		at = strchr(at, '}') + 1;
	assert_int_equal(*at, ' ');
	assert_int_equal(strspn(at + 1, "0123456789"), strlen(at + 1));
}

static void every_line_is_well_formed(void **state)
{
	char family[100] = "", type[20] = "";
	char *body = strstr(fetch("GET /metrics HTTP/1.0\r\n\r\n"), "\r\n\r\n") + 4;
	unsigned samples = 0;

	assert_int_equal(body[strlen(body) - 1], '\n');
	for (char *line = strtok(body, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, "# HELP ", 7) == 0) {
			snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "),
				line + 7);
			assert_true(strncmp(family, "homeport_", 9) == 0);
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_int_equal(sscanf(line + 7 + strlen(family), " %19s", type), 1);
			assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0);
			/* Counters, and they alone, end in _total. */
			bool total = strlen(family) > 6 &&
				     strcmp(family + strlen(family) - 6, "_total") == 0;
			assert_int_equal(total, strcmp(type, "counter") == 0);
		} else {
			check_sample(line, family);
			samples++;
		}
	}
	assert_true(samples > 100);
}

static void values_are_those_of_the_commands(void **state)
{
	fetch("GET /metrics HTTP/1.1\r\n\r\n");
	assert_non_null(strstr(answer, "\nhomeport_bindings 10\n"));
	assert_non_null(strstr(answer, "\nhomeport_received_packets_total{worker=\"0\"} 100\n"));
	assert_non_null(strstr(answer,
		"\nhomeport_dropped_packets_total{step=\"decap\",reason=\"rt_no_binding\"} 15\n"));
	assert_non_null(
		strstr(answer, "\nhomeport_port_received_packets_total{port=\"out\"} 110\n"));
	assert_non_null(strstr(
		answer, "\nhomeport_mip4_total{instance=\"lab\",counter=\"denied_133\"} 2\n"));
	assert_null(strstr(answer, "example.com"));
	assert_null(strstr(answer, "10.0.0."));
}

static void other_endpoints_are_refused(void **state)
{
	struct operator_metrics *second;
	char endpoint[32];

	assert_int_equal(
		operator_metrics_new(loop, "0.0.0.0:9464", &fake.provider, &second), -EINVAL);
	snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", port);
	assert_int_equal(
		operator_metrics_new(loop, endpoint, &fake.provider, &second), -EADDRINUSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_get_of_metrics),
		cmocka_unit_test(every_line_is_well_formed),
		cmocka_unit_test(values_are_those_of_the_commands),
		cmocka_unit_test(other_endpoints_are_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
