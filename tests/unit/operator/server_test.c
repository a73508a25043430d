/* The server and its clients: who they are, how many, and those that stall. */
#include "tests/unit/operator/operator_bed.h"

#include <grp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* ---- requests ---- */

static void clients_are_counted(void **state)
{
	int fds[OPERATOR_CLIENTS_MAX];

	for (unsigned i = 0; i < OPERATOR_CLIENTS_MAX; i++)
		fds[i] = greeted();
	int fd = dial();
	assert_non_null(strstr(read_line(fd), "\"busy\""));
	assert_string_equal(read_line(fd), "");
	close(fd);
	for (unsigned i = 0; i < OPERATOR_CLIENTS_MAX; i++)
		close(fds[i]);
	/* The places come free once the loop has seen the hang-ups. */
	const char *line;
	unsigned tries = 0;
	do {
		struct pollfd pause = {.fd = -1};
		poll(&pause, 1, 5);
		fd = dial();
		line = read_line(fd);
		close(fd);
	} while (strstr(line, "busy") && ++tries < 10000);
	assert_true(tries < 10000);
}

static void credentials_make_roles(void **state)
{
	const gid_t groups[] = {100, 200};

	assert_int_equal(operator_role_of(0, NULL, 0, 1000, 200), OPERATOR_ADMIN);
	assert_int_equal(operator_role_of(1000, NULL, 0, 1000, 200), OPERATOR_ADMIN);
	assert_int_equal(operator_role_of(1001, groups, 2, 1000, 200), OPERATOR_READ_ONLY);
	assert_int_equal(operator_role_of(1001, groups, 1, 1000, 200), -EPERM);
	assert_int_equal(operator_role_of(1001, groups, 2, 1000, (gid_t)-1), -EPERM);
}

/* Runs as uid 65534 with the group `gid`: what the server says to `request`, into `out`. False when
 * that is not allowed here. */
static bool as_nobody(gid_t gid, const char *request, char *out, size_t size)
{
	int pipes[2];

	if (geteuid() != 0)
		return false;
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	if (child == 0) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		char text[2000] = "";
		strcpy(address.sun_path, bench.path);
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (setgroups(1, &gid) || setgid(65534) || setuid(65534) ||
			connect(fd, (struct sockaddr *)&address, sizeof(address)))
			_exit(2);
		read_line(fd);
		snprintf(text + strlen(text), 1000, "%.900s", line_text);
		if (send(fd, request, strlen(request), MSG_NOSIGNAL) > 0) {
			read_line(fd);
			snprintf(text + strlen(text), 1000, "%.900s", line_text);
		}
		_exit(write(pipes[1], text, strlen(text)) < 0);
	}
	close(pipes[1]);
	ssize_t got = read(pipes[0], out, size - 1);
	out[got > 0 ? got : 0] = '\0';
	close(pipes[0]);
	waitpid(child, NULL, 0);
	return true;
}

static void others_are_refused_and_groups_only_read(void **state)
{
	struct operator_server *second;
	struct group *group =
		getgrgid(12); /* Debian's "man": there everywhere, and nobody is in it */
	char out[2000], path[108];
	const char *admin = "{\"command\":\"reload\"}\n";

	if (geteuid() != 0 || !group)
		skip();
	assert_int_equal(chmod(bench.folder, 0755), 0);
	assert_int_equal(
		chmod(bench.path, 0666), 0); /* so that the credentials decide, not the mode */
	assert_true(as_nobody(65534, admin, out, sizeof(out)));
	assert_non_null(strstr(out, "\"forbidden\""));
	assert_null(strstr(out, "hello"));

	/* A second server with the group; it takes over the path for the while. */
	strcpy(path, bench.path);
	snprintf(bench.path, sizeof(bench.path), "%s/group.sock", bench.folder);
	bench.stop = true;
	pthread_join(bench.thread, NULL);
	assert_int_equal(
		operator_new(bench.loop, bench.path, group->gr_name, &bench.fake.provider, &second),
		0);
	bench.stop = false;
	pthread_create(&bench.thread, NULL, run_loop, NULL);
	unsigned reloads = bench.fake.reloads;
	assert_true(as_nobody(12, admin, out, sizeof(out)));
	assert_non_null(strstr(out, "\"role\":\"read-only\""));
	assert_non_null(strstr(out, "this command is for administrators"));
	assert_int_equal(bench.fake.reloads, reloads);
	assert_true(as_nobody(12, "{\"command\":\"show status\"}\n", out, sizeof(out)));
	assert_non_null(strstr(out, "\"uptime_s\":61"));
	bench.stop = true;
	pthread_join(bench.thread, NULL);
	operator_free(second);
	strcpy(bench.path, path);
	bench.stop = false;
	pthread_create(&bench.thread, NULL, run_loop, NULL);
}

static void live_socket_is_not_taken_over(void **state)
{
	struct operator_server *second;

	assert_int_equal(operator_new(bench.loop, bench.path, "", &bench.fake.provider, &second),
		-EADDRINUSE);
	assert_null(second);
	assert_int_equal(operator_new(bench.loop, bench.path, "no-such-group", &bench.fake.provider,
				 &second),
		-ENOENT);
}

/* ---- last, for it is the heaviest ---- */

static double cpu_seconds(void)
{
	struct rusage own, children;

	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec + children.ru_utime.tv_sec +
			children.ru_stime.tv_sec) +
	       (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec + children.ru_utime.tv_usec +
			children.ru_stime.tv_usec) /
		       1e6;
}

// HA4-OPS-28: 1,000,000 bindings in under 10 s while another client has stopped reading
static void a_stalled_client_stalls_nobody(void **state)
{
	int stalled[4], tiny = 1;
	char out[4096], command[700];
	struct timespec start, end;
	double cpu = cpu_seconds();

	for (unsigned i = 0; i < 4; i++) {
		stalled[i] = greeted();
		setsockopt(stalled[i], SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny));
		for (unsigned k = 0; k < 8; k++) {
			static const char request[] =
				"{\"command\":\"show bindings\",\"limit\":1000}\n";
			send(stalled[i], request, sizeof(request) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	snprintf(command, sizeof(command), "-j show bindings | (wc -l; cat >/dev/null)");
	assert_int_equal(ctl(command, out, sizeof(out)), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	double seconds =
		(double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	cpu = cpu_seconds() - cpu;
	print_message("# 1,000,000 bindings by homeportctl -j with 4 stalled clients: %.1f s, both "
		      "ends %.1f s of CPU\n",
		seconds, cpu);
	assert_int_equal(atoi(out), BINDINGS + 1);
	/* Time on a machine that others use as well says little: the work of both ends has to be in
	 * the order of what fits into ten seconds. A sanitizer's build is some times slower. */
	if (!SANITIZED)
		assert_true(seconds < 10 || cpu < 40);
	const struct loop_statistics *statistics = loop_statistics_get(bench.loop);
	print_message(
		"# longest turn of the loop: %.1f ms\n", (double)statistics->turn_ns_max / 1e6);
	for (unsigned i = 0; i < 4; i++)
		close(stalled[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_are_counted),
		cmocka_unit_test(credentials_make_roles),
		cmocka_unit_test(others_are_refused_and_groups_only_read),
		cmocka_unit_test(live_socket_is_not_taken_over),
		cmocka_unit_test(a_stalled_client_stalls_nobody),
	};

	ctl_path = argc > 1 ? argv[1] : "homeportctl";
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
