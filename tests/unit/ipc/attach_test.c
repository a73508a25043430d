/* Attaching, and every way in which a stale or rogue peer is refused: the very errno, and no
 * descriptor left behind. */
#include "lib/ipc/attach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
// after the standard headers
#include <cmocka.h>

static const struct region_limits limits = {
	.workers = 2,
	.ports = 3,
	.bindings = 100,
	.routes = 10,
	.neighbors = 10,
	.prefixes = 10,
	.sas = 16,
	.policies = 20,
	.replay_window = 128,
	.command_slots = 64,
	.event_slots = 32,
	.inject_slots = 8,
	.punt_slots = 16,
};

static char directory[64], path[96];
static int fds_before;

static unsigned fd_count(void)
{
	unsigned count = 0;
	DIR *d = opendir("/proc/self/fd");

	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/hp-ipc-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/dataplane.sock", directory);
	fds_before = (int)fd_count();
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	rmdir(directory);
	return (int)fd_count() == fds_before ? 0 : -1; // whatever the test did, nothing leaks
}

/* ---- an honest dataplane that accepts once on a thread ---- */

struct server {
	struct region region;
	int listen_fd, client, busy, closes;
	uid_t control_uid;
	pthread_t thread;
};

static void *serve(void *context)
{
	struct server *s = context;

	for (int i = 0; i < 60000; i++) {
		s->client = attach_accept(s->listen_fd, &s->region, s->control_uid, s->busy);
		if (s->client != -EAGAIN)
			break;
		usleep(1000);
	}
	return NULL;
}

static void server_open(struct server *s)
{
	memset(s, 0, sizeof(*s));
	s->control_uid = geteuid();
	assert_int_equal(region_create(&s->region, &limits, false), 0);
	assert_int_equal(attach_listen(path, &s->listen_fd), 0);
}

static int server_connect(struct server *s, struct attachment *a)
{
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	int error = attach_connect(a, path, 60000);
	pthread_join(s->thread, NULL);
	return error;
}

static void server_close(struct server *s)
{
	if (s->client >= 0)
		close(s->client);
	close(s->listen_fd);
	region_destroy(&s->region);
	unlink(path);
}

static void both_see_one_region(void **state)
{
	struct server s;
	struct attachment a;
	struct command command = {.sequence = 1, .type = COMMAND_ROUTE_SET}, seen;
	struct event event = {.type = EVENT_PORT_STATE, .port = 2}, heard;
	static struct punt_record punt = {.length = 5, .data = "punt"}, punted;
	uint64_t rung = 0;

	server_open(&s);
	assert_int_equal(server_connect(&s, &a), 0);
	assert_int_equal(a.epoch, s.region.epoch);
	assert_int_equal(a.session, 1);
	assert_memory_equal(&a.limits, &limits, sizeof(limits));
	assert_true(ring_put(&a.command, &command));
	doorbell_ring(a.command_doorbell);
	assert_int_equal(read(s.region.command_doorbell, &rung, sizeof(rung)), 8);
	assert_true(ring_get(&s.region.command, &seen));
	assert_int_equal(seen.type, COMMAND_ROUTE_SET);
	assert_true(ring_put(&s.region.event, &event));
	assert_true(ring_get(&a.event, &heard));
	assert_int_equal(heard.port, 2);
	assert_true(ring_put(&s.region.punt[1], &punt));
	assert_true(ring_get(&a.punt[1], &punted));
	assert_string_equal((char *)punted.data, "punt");
	s.region.binding_counters[7].forward_packets = 3;
	s.region.binding_counters[limits.bindings + 7].forward_packets = 4;
	assert_int_equal(attach_binding_counters(&a, 7).forward_packets, 7);
	assert_int_equal(attach_binding_counters(&a, 8).forward_packets, 0);
	assert_int_equal(attach_binding_counters(&a, limits.bindings).forward_packets, 0);
	attach_close(&a);
	attach_close(&a); // harmless
	server_close(&s);
}

static void a_new_session_starts_clean(void **state)
{
	struct server s;
	struct attachment a;
	struct command command = {.sequence = 1};
	static struct punt_record punt;

	server_open(&s);
	assert_int_equal(server_connect(&s, &a), 0);
	ring_put(&a.command, &command);
	ring_put(&s.region.event, &(struct event){.type = EVENT_REFUSED});
	ring_put(&s.region.punt[0], &punt);
	atomic_store(&s.region.header->applied_sequence, 77);
	a.header->magic = 0; // the old control scribbles before it dies
	atomic_store(&a.command.shared->tail, 1ull << 50);
	atomic_store(&a.punt[1].shared->head, 1ull << 50);
	attach_close(&a);
	close(s.client);
	assert_int_equal(server_connect(&s, &a), 0);
	assert_int_equal(a.session, 2);
	assert_int_equal(ring_used_count(&s.region.command), 0);
	assert_int_equal(ring_free_count(&a.command), limits.command_slots);
	assert_int_equal(ring_used_count(&a.event), 0);
	assert_int_equal(
		ring_used_count(&a.punt[0]), 1); // registrations that came meanwhile are kept
	assert_int_equal(ring_used_count(&a.punt[1]), 0);
	assert_int_equal(ring_free_count(&s.region.punt[1]), limits.punt_slots);
	assert_int_equal(atomic_load(&a.header->applied_sequence), 0);
	attach_close(&a);
	server_close(&s);
}

static void busy_and_strangers_are_told(void **state)
{
	struct server s;
	struct attachment a;

	server_open(&s);
	s.busy = true;
	assert_int_equal(server_connect(&s, &a), -EBUSY);
	assert_int_equal(s.client, -EBUSY);
	assert_int_equal(s.region.session, 0); // the session that lives was not disturbed
	server_close(&s);
}

static void wrong_uid_is_refused(void **state)
{
	struct server s;
	int status;

	if (geteuid()) {
		print_message("skipped: needs root to become somebody else\n");
		skip();
	}
	server_open(&s);
	chmod(directory, 0755);
	chmod(path, 0666);
	pid_t child = fork();
	if (!child) {
		struct attachment a;
		if (setresuid(65534, 65534, 65534))
			_exit(99);
		_exit(-attach_connect(&a, path, 60000));
	}
	serve(&s);
	assert_int_equal(s.client, -EPERM);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), EPERM);
	s.control_uid = 65534; // the configured user may
	child = fork();
	if (!child) {
		struct attachment a;
		_exit(setresuid(65534, 65534, 65534) ? 99 : -attach_connect(&a, path, 60000));
	}
	serve(&s);
	assert_true(s.client >= 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
	server_close(&s);
}

static void silent_client_holds_nobody(void **state)
{
	struct server s;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	server_open(&s);
	strcpy(address.sun_path, path);
	assert_int_equal(attach_accept(s.listen_fd, &s.region, 0, false), -EAGAIN);
	int silent = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(connect(silent, (struct sockaddr *)&address, sizeof(address)), 0);
	s.client = attach_accept(s.listen_fd, &s.region, 0, false); // returns though nobody reads
	assert_true(s.client >= 0);
	close(silent);
	close(s.client);
	silent = socket(AF_UNIX, SOCK_SEQPACKET, 0); // gone before it is accepted
	assert_int_equal(connect(silent, (struct sockaddr *)&address, sizeof(address)), 0);
	close(silent);
	s.client = attach_accept(s.listen_fd, &s.region, 0, false);
	assert_true(s.client == -EPIPE || s.client == -ECONNRESET);
	server_close(&s);
}

static void listen_replaces_only_what_is_dead(void **state)
{
	int first, second, file;
	struct stat status;

	assert_int_equal(attach_listen(path, &first), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0660);
	assert_int_equal(attach_listen(path, &second), -EADDRINUSE);
	close(first); // killed: the socket file stays
	assert_int_equal(attach_listen(path, &second), 0);
	close(second);
	unlink(path);
	file = open(path, O_CREAT | O_WRONLY, 0600);
	close(file);
	assert_int_equal(attach_listen(path, &second), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
}

static void nobody_there(void **state)
{
	struct attachment a;
	struct server s;
	char longer[200];

	assert_int_equal(attach_connect(&a, path, 100), -ENOENT);
	server_open(&s);
	s.client = -1;
	assert_int_equal(attach_connect(&a, path, 50), -ETIMEDOUT); // listens, never says hello
	close(s.listen_fd);
	assert_int_equal(attach_connect(&a, path, 100), -ECONNREFUSED);
	s.listen_fd = open("/dev/null", O_RDONLY);
	server_close(&s);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(attach_connect(&a, longer, 100), -ENAMETOOLONG);
}

/* ---- rogue dataplanes: one hello of any shape ---- */

struct rogue {
	struct region region; // a good one, to be spoilt
	struct attach_hello hello;
	size_t hello_length;
	int fds[80];
	size_t fd_count;
	int listen_fd;
};

static void rogue_open(struct rogue *r)
{
	memset(r, 0, sizeof(*r));
	assert_int_equal(region_create(&r->region, &limits, false), 0);
	assert_int_equal(attach_listen(path, &r->listen_fd), 0);
	r->region.session = 1;
	region_write_header(&r->region);
	r->hello = (struct attach_hello){
		.magic = REGION_MAGIC,
		.layout_version = REGION_LAYOUT_VERSION,
		.epoch = r->region.epoch,
		.session = 1,
		.region_size = r->region.size,
	};
	r->hello_length = sizeof(r->hello);
	r->fds[0] = r->region.fd;
	r->fds[1] = r->region.command_doorbell;
	r->fds[2] = r->region.event_doorbell;
	r->fd_count = 3;
}

static void *rogue_serve(void *context)
{
	struct rogue *r = context;
	char control[CMSG_SPACE(sizeof(r->fds))] = {0};
	char data[sizeof(r->hello) + 64] = {0};
	struct iovec iov = {.iov_base = data, .iov_len = r->hello_length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	int client = -1;

	memcpy(data, &r->hello, sizeof(r->hello));
	if (r->fd_count) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(r->fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(r->fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), r->fds, r->fd_count * sizeof(int));
	}
	for (int i = 0; i < 60000 && client < 0; i++) {
		client = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		usleep(1000);
	}
	if (r->hello_length)
		sendmsg(client, &message, MSG_NOSIGNAL);
	close(client);
	return NULL;
}

/* What attach_connect makes of it. */
static int rogue_try(struct rogue *r)
{
	pthread_t thread;
	struct attachment a;
	unsigned before = fd_count();

	pthread_create(&thread, NULL, rogue_serve, r);
	int error = attach_connect(&a, path, 60000);
	pthread_join(thread, NULL);
	if (!error)
		attach_close(&a);
	assert_int_equal(fd_count(), before);
	return error;
}

static void rogue_close(struct rogue *r)
{
	close(r->listen_fd);
	region_destroy(&r->region);
	unlink(path);
}

static void rogue_hello_is_refused(void **state)
{
	struct rogue r;

	rogue_open(&r);
	assert_int_equal(rogue_try(&r), 0); // unspoilt: the others fail for their own reason
	r.hello.magic++;
	assert_int_equal(rogue_try(&r), -EPROTO);
	r.hello.magic--;
	r.hello.layout_version++;
	assert_int_equal(rogue_try(&r), -EPROTO);
	r.hello.layout_version--;
	r.hello_length = 63;
	assert_int_equal(rogue_try(&r), -EPROTO);
	r.hello_length = 65;
	assert_int_equal(rogue_try(&r), -EPROTO);
	r.hello_length = 0;
	assert_int_equal(rogue_try(&r), -ECONNRESET);
	r.hello_length = 64;
	r.hello.error = UINT32_MAX;
	assert_int_equal(rogue_try(&r), -EPROTO);
	r.hello.error = 0;
	r.hello.session = 2; // stale
	assert_int_equal(rogue_try(&r), -EPROTO);
	r.hello.session = 1;
	r.hello.epoch++;
	assert_int_equal(rogue_try(&r), -EPROTO);
	rogue_close(&r);
}

static void rogue_descriptors_are_refused_and_closed(void **state)
{
	struct rogue r;
	static const size_t counts[] = {0, 1, 2, 4, 63, 64, 80};
	int pipe_fds[2];

	rogue_open(&r);
	for (size_t i = 3; i < 80; i++)
		r.fds[i] = r.region.fd;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		r.fd_count = counts[i];
		assert_int_equal(rogue_try(&r), -EPROTO);
	}
	r.fd_count = 3;
	r.hello.error = EBUSY; // refused, and yet descriptors came
	assert_int_equal(rogue_try(&r), -EBUSY);
	r.hello.error = 0;
	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
	r.fds[1] = pipe_fds[1]; // a doorbell that could raise SIGPIPE
	assert_int_equal(rogue_try(&r), -EPROTO);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	r.fds[1] = eventfd(0, EFD_CLOEXEC); // one that could block
	assert_int_equal(rogue_try(&r), -EPROTO);
	close(r.fds[1]);
	rogue_close(&r);
}

static int make_memfd(uint64_t size, int seals)
{
	int fd = memfd_create("rogue", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void rogue_region_is_refused(void **state)
{
	const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct rogue r;
	char name[128];

	rogue_open(&r);
	r.fds[0] = make_memfd(r.region.size, 0); // could be cut short under us
	assert_int_equal(rogue_try(&r), -EPROTO);
	close(r.fds[0]);
	r.fds[0] = make_memfd(r.region.size, F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(rogue_try(&r), -EPROTO);
	close(r.fds[0]);
	r.fds[0] = make_memfd(100, all); // shorter than its own header
	r.hello.region_size = 100;
	assert_int_equal(rogue_try(&r), -EPROTO);
	r.hello.region_size = r.region.size; // shorter than it says
	assert_int_equal(rogue_try(&r), -EPROTO);
	close(r.fds[0]);
	r.fds[0] = make_memfd(
		sizeof(struct region_header) + 4096, all); // header right, region cut short
	r.hello.region_size = sizeof(struct region_header) + 4096;
	struct region_header *h =
		mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE, MAP_SHARED, r.fds[0], 0);
	memcpy(h, r.region.header, sizeof(*h));
	h->size = r.hello.region_size;
	munmap(h, sizeof(*h));
	assert_int_equal(rogue_try(&r), -EPROTO);
	close(r.fds[0]);
	r.fds[0] = make_memfd(r.region.size, all | F_SEAL_WRITE); // cannot be written
	r.hello.region_size = r.region.size;
	assert_int_equal(rogue_try(&r), -EPROTO);
	close(r.fds[0]);
	snprintf(name, sizeof(name), "%s/file", directory);
	r.fds[0] = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600); // no memfd at all
	unlink(name);
	assert_int_equal(ftruncate(r.fds[0], (off_t)r.region.size), 0);
	assert_int_equal(rogue_try(&r), -EPROTO);
	close(r.fds[0]);
	rogue_close(&r);
}

static void every_wrong_header_field_is_refused(void **state)
{
	struct region_header good, bad;

	memset(&good, 0, sizeof(good));
	assert_int_equal(region_layout(&good, &limits), 0);
	good.magic = REGION_MAGIC;
	good.layout_version = REGION_LAYOUT_VERSION;
	assert_int_equal(region_check(&good, good.size), 0);
	assert_int_equal(region_check(&good, good.size - 4096), -EPROTO);
	// routes, neighbours, prefixes lay nothing out; epoch and session are compared with the
	// hello
	for (size_t at = 0; at < offsetof(struct region_header, applied_sequence); at++) {
		static const size_t free_from = offsetof(struct region_header, limits.routes);
		static const size_t free_to = offsetof(struct region_header, limits.sas);
		static const size_t ranged_from = offsetof(struct region_header, limits.policies);
		static const size_t ranged_to =
			offsetof(struct region_header, limits.command_slots);
		bool is_free = (at >= free_from && at < free_to) ||
			       (at >= offsetof(struct region_header, epoch) &&
				       at < offsetof(struct region_header, limits));
		if (at >= ranged_from && at < ranged_to) // any value in range will do
			continue;
		if (at >= offsetof(struct region_header, policy_lines) + sizeof(struct region_span))
			break; // padding
		for (unsigned bit = 0; bit < 8; bit++) {
			bad = good;
			((uint8_t *)&bad)[at] ^= (uint8_t)(1u << bit);
			int expected = is_free ? 0 : -EPROTO;
			if (region_check(&bad, good.size) != expected)
				fail_msg("octet %zu bit %u", at, bit);
		}
	}
}

static void limits_out_of_range_are_refused(void **state)
{
	static const size_t fields[] = {offsetof(struct region_limits, command_slots),
		offsetof(struct region_limits, event_slots),
		offsetof(struct region_limits, inject_slots),
		offsetof(struct region_limits, punt_slots)};
	struct region_header h;
	struct region region;

	for (size_t i = 0; i < 4; i++) {
		static const uint32_t wrong[] = {0, 1, 3, 1u << 31, UINT32_MAX};
		for (size_t j = 0; j < 5; j++) {
			struct region_limits l = limits;
			memcpy((uint8_t *)&l + fields[i], &wrong[j], 4);
			assert_int_equal(region_layout(&h, &l), -EINVAL);
			assert_int_equal(region_create(&region, &l, false), -EINVAL);
		}
	}
	struct region_limits l = limits;
	l.workers = REGION_WORKERS_MAX + 1;
	assert_int_equal(region_layout(&h, &l), -EINVAL);
	l.workers = 0;
	assert_int_equal(region_layout(&h, &l), -EINVAL);
	l = limits;
	l.bindings = UINT32_MAX;
	assert_int_equal(region_layout(&h, &l), -EINVAL);
}

static void region_is_sealed_and_huge_pages_fall_back(void **state)
{
	struct region region;
	const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	for (int huge = 0; huge < 2; huge++) {
		assert_int_equal(region_create(&region, &limits, huge), 0);
		assert_int_equal(fcntl(region.fd, F_GET_SEALS) & all, all);
		assert_int_not_equal(ftruncate(region.fd, 0), 0);
		assert_int_equal(errno, EPERM);
		assert_int_equal(region_check(region.header, region.size), 0);
		region.worker_counters[1].heartbeat = 1;
		region.binding_counters[2 * limits.bindings - 1].reverse_bytes = 1;
		region_destroy(&region);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_see_one_region, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_session_starts_clean, setup, teardown),
		cmocka_unit_test_setup_teardown(busy_and_strangers_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_uid_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(silent_client_holds_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(listen_replaces_only_what_is_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
		cmocka_unit_test_setup_teardown(rogue_hello_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			rogue_descriptors_are_refused_and_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(rogue_region_is_refused, setup, teardown),
		cmocka_unit_test(every_wrong_header_field_is_refused),
		cmocka_unit_test(limits_out_of_range_are_refused),
		cmocka_unit_test_setup_teardown(
			region_is_sealed_and_huge_pages_fall_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
