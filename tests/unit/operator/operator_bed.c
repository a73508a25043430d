#include "tests/unit/operator/operator_bed.h"

const char *ctl_path;
struct bench bench;

void *run_loop(void *context)
{
	static const struct ip_address home = {
		.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 0, 10}};

	while (!bench.stop) {
		loop_turn(bench.loop, 2000000);
		if (atomic_exchange(&bench.publish, false))
			operator_publish(bench.server,
				&(struct operator_event){.type = "binding_added",
					.home_address = &home,
					.nai = "mn1@example.com",
					.code = -1},
				1000000000);
	}
	return NULL;
}

int set_up(void **state)
{
	strcpy(bench.folder, "/tmp/hp-operator-XXXXXX");
	assert_non_null(mkdtemp(bench.folder));
	snprintf(bench.path, sizeof(bench.path), "%s/control.sock", bench.folder);
	fake_init(&bench.fake, BINDINGS);
	bench.loop = loop_new();
	assert_int_equal(
		operator_new(bench.loop, bench.path, "", &bench.fake.provider, &bench.server), 0);
	bench.stop = false;
	return pthread_create(&bench.thread, NULL, run_loop, NULL);
}

int tear_down(void **state)
{
	bench.stop = true;
	pthread_join(bench.thread, NULL);
	operator_free(bench.server);
	loop_free(bench.loop);
	assert_int_equal(access(bench.path, F_OK), -1);
	rmdir(bench.folder);
	fake_fini(&bench.fake);
	return 0;
}

int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, bench.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

char line_text[LINE_SIZE];

const char *read_line(int fd)
{
	size_t used = 0;

	while (used < sizeof(line_text) - 1) {
		char part[65536];
		ssize_t got = recv(fd, part, sizeof(part), MSG_PEEK);
		if (got <= 0)
			break;
		const char *end = memchr(part, '\n', (size_t)got);
		size_t take = end ? (size_t)(end + 1 - part) : (size_t)got;
		assert_int_equal(recv(fd, line_text + used, take, MSG_WAITALL), take);
		used += take;
		if (end)
			break;
	}
	line_text[used] = '\0';
	return line_text;
}

json_t *read_json(int fd)
{
	json_error_t why;
	json_t *json = json_loads(read_line(fd), 0, &why);

	if (!json)
		fail_msg("%s in: %.200s", why.text, line_text);
	return json;
}

int greeted(void)
{
	int fd = dial();
	json_t *hello = read_json(fd);

	assert_string_equal(json_string_value(json_object_get(hello, "hello")), "homeport");
	assert_int_equal(json_integer_value(json_object_get(hello, "protocol")), OPERATOR_PROTOCOL);
	assert_string_equal(json_string_value(json_object_get(hello, "role")), "admin");
	json_decref(hello);
	return fd;
}

json_t *ask_on(int fd, const char *request)
{
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	assert_int_equal(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
	return read_json(fd);
}

json_t *ask(const char *request)
{
	int fd = greeted();
	json_t *answer = ask_on(fd, request);

	close(fd);
	return answer;
}

json_t *ask_good(const char *request)
{
	json_t *answer = ask(request);

	if (!json_is_true(json_object_get(answer, "ok")))
		fail_msg("refused: %.300s", line_text);
	return answer;
}

void assert_refused(const char *request, const char *code, const char *text)
{
	json_t *answer = ask(request);
	const json_t *error = json_object_get(answer, "error");

	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(error, "code")), code);
	assert_non_null(strstr(json_string_value(json_object_get(error, "text")), text));
	json_decref(answer);
}

const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int ctl(const char *arguments, char *out, size_t size)
{
	char command[600];
	size_t used = 0, got;

	snprintf(command, sizeof(command), "%s -s %s %s 2>&1", ctl_path, bench.path, arguments);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	while (used < size - 1 && (got = fread(out + used, 1, size - 1 - used, pipe)) > 0)
		used += got;
	out[used] = '\0';
	return WEXITSTATUS(pclose(pipe));
}
