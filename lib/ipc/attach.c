#include "lib/ipc/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define ERRNO_MAX    4095
#define HELLO_FDS    3  /* region, command doorbell, event doorbell */
#define FDS_READ_MAX 64 /* room for what a rogue peer sends too much, so that it can be closed */

static_assert(sizeof(struct attach_hello) == 64, "hello layout");

static int socket_address(struct sockaddr_un *address, const char *path)
{
	size_t length = strlen(path);

	if (!length || length >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, length);
	return 0;
}

static int seqpacket_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* ---- the dataplane's side ---- */

/* 0 when the path is free now: nothing was there, or a socket that nobody serves. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat status;

	if (lstat(address->sun_path, &status))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	int probe = seqpacket_socket();
	if (probe < 0)
		return probe;
	int error = connect(probe, (const struct sockaddr *)address, sizeof(*address)) ? errno : 0;
	close(probe);
	if (error != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) && errno != ENOENT ? -errno : 0;
}

int attach_listen(const char *path, int *fd)
{
	struct sockaddr_un address;
	int error = socket_address(&address, path);

	if (!error)
		error = remove_stale(&address);
	if (error)
		return error;
	int s = seqpacket_socket();
	if (s < 0)
		return s;
	if (fchmod(s, 0660) || bind(s, (struct sockaddr *)&address, sizeof(address)) ||
		chmod(path, 0660) || listen(s, 8)) {
		error = -errno;
		close(s);
		return error;
	}
	*fd = s;
	return 0;
}

static int send_hello(int client, const struct attach_hello *hello, const int *fds, size_t fd_count)
{
	union {
		char buffer[CMSG_SPACE(HELLO_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec data = {.iov_base = (void *)(uintptr_t)hello, .iov_len = sizeof(*hello)};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

	if (fd_count) {
		message.msg_control = control.buffer;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	return sendmsg(client, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int refuse(int client, int error)
{
	struct attach_hello hello = {
		.magic = REGION_MAGIC,
		.layout_version = REGION_LAYOUT_VERSION,
		.error = (uint32_t)error,
	};

	(void)send_hello(client, &hello, NULL, 0); /* it is leaving anyway */
	close(client);
	return -error;
}

static void start_session(struct region *region)
{
	struct region_header *h = region->header;
	struct ring *rings[] = {&region->command, &region->event, &region->inject};

	region->session++;
	for (unsigned i = 0; i < 3; i++) {
		ring_reset(rings[i]->shared);
		rings[i]->own = rings[i]->peer = 0;
	}
	atomic_store_explicit(&h->applied_sequence, 0, memory_order_release);
	atomic_store_explicit(&h->control_heartbeat, 0, memory_order_relaxed);
	doorbell_clear(region->command_doorbell);
	doorbell_clear(region->event_doorbell);
	region_write_header(region);
}

int attach_accept(int listen_fd, struct region *region, uid_t control_uid, bool busy)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int client = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return refuse(client, errno);
	if (peer.uid && peer.uid != geteuid() && peer.uid != control_uid)
		return refuse(client, EPERM);
	if (busy)
		return refuse(client, EBUSY);
	start_session(region);
	struct attach_hello hello = {
		.magic = REGION_MAGIC,
		.layout_version = REGION_LAYOUT_VERSION,
		.epoch = region->epoch,
		.session = region->session,
		.region_size = region->size,
	};
	int fds[HELLO_FDS] = {region->fd, region->command_doorbell, region->event_doorbell};
	int error = send_hello(client, &hello, fds, HELLO_FDS);
	if (error) {
		close(client);
		return error;
	}
	return client;
}

/* ---- control's side ---- */

/* Milliseconds left of timeout_ms since start; 0 when over. */
static int time_left(monotonic start, int timeout_ms)
{
	uint64_t passed_ms = (clock_read().monotonic_ns - start) / 1000000;

	return passed_ms >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)passed_ms;
}

static int connect_within(int s, const struct sockaddr_un *address, monotonic start, int timeout_ms)
{
	while (connect(s, (const struct sockaddr *)address, sizeof(*address))) {
		if (errno != EAGAIN && errno != EINTR) /* EAGAIN: its queue is full */
			return -errno;
		int left = time_left(start, timeout_ms);
		if (!left)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, left < 10 ? left : 10);
	}
	return 0;
}

/*
 * Whom to believe: root, our own user, or the owner of the socket's directory, who decides anyway
 * what lies there. In a directory like /tmp anybody can put a socket first.
 */
static int check_server(int s, const char *path)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	struct stat directory;
	char copy[PATH_MAX];

	if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return -errno;
	if (!peer.uid || peer.uid == geteuid())
		return 0;
	snprintf(copy, sizeof(copy), "%s", path);
	return !stat(dirname(copy), &directory) && directory.st_uid == peer.uid ? 0 : -EACCES;
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Collects every descriptor that came, so that the caller can close them all. */
static size_t received_fds(struct msghdr *message, int fds[FDS_READ_MAX])
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
			c->cmsg_len < CMSG_LEN(0))
			continue;
		size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < FDS_READ_MAX)
				fds[count++] = fd;
			else
				close(fd);
		}
	}
	return count;
}

/* 0 and three descriptors, or -errno and none. */
static int receive_hello(int s, struct attach_hello *hello, int fds[FDS_READ_MAX])
{
	union {
		char buffer[CMSG_SPACE(FDS_READ_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec data = {.iov_base = hello, .iov_len = sizeof(*hello)};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	ssize_t length = recvmsg(s, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (length < 0)
		return -errno;
	size_t count = received_fds(&message, fds);
	int error = 0;
	if (!length)
		error = -ECONNRESET;
	else if (length != sizeof(*hello) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
		 hello->magic != REGION_MAGIC || hello->layout_version != REGION_LAYOUT_VERSION ||
		 hello->error > ERRNO_MAX || (!hello->error && count != HELLO_FDS))
		error = -EPROTO;
	else
		error = -(int)hello->error;
	if (error)
		close_all(fds, count);
	return error;
}

static int wait_hello(
	int s, struct attach_hello *hello, int fds[FDS_READ_MAX], monotonic start, int timeout_ms)
{
	for (;;) {
		int error = receive_hello(s, hello, fds);
		if (error != -EAGAIN && error != -EINTR)
			return error;
		struct pollfd wait = {.fd = s, .events = POLLIN};
		int left = time_left(start, timeout_ms);
		if (!left || (poll(&wait, 1, left) < 0 && errno != EINTR))
			return -ETIMEDOUT;
	}
}

/* A doorbell must be an eventfd that does not block: a write to it can neither wait nor raise a
 * signal. */
static bool is_doorbell(int fd)
{
	char name[64], target[64];
	int flags = fcntl(fd, F_GETFL);

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(name, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	return flags >= 0 && (flags & O_NONBLOCK) && !strcmp(target, "anon_inode:[eventfd]");
}

/* Maps the region once its size can no longer change under us; then checks and keeps a copy of what
 * the header says. */
static int map_region(struct attachment *a, int fd, const struct attach_hello *hello)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat status;
	struct region_header copy;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & needed) != needed || fstat(fd, &status) ||
		status.st_size < (off_t)sizeof(copy) ||
		(uint64_t)status.st_size != hello->region_size)
		return -EPROTO;
	void *memory = mmap(NULL, hello->region_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return errno == EPERM || errno == EACCES ? -EPROTO : -errno;
	a->header = memory;
	a->size = hello->region_size;
	memcpy(&copy, memory, sizeof(copy));
	if (region_check(&copy, a->size) || copy.epoch != hello->epoch ||
		copy.session != hello->session)
		return -EPROTO;
	a->limits = copy.limits;
	a->epoch = copy.epoch;
	a->session = copy.session;
	uint8_t *base = memory;
	int error = ring_attach_producer(&a->command, base + copy.command_ring.offset,
		copy.command_ring.size, a->limits.command_slots, sizeof(struct command));
	if (!error)
		error = ring_attach_consumer(&a->event, base + copy.event_ring.offset,
			copy.event_ring.size, a->limits.event_slots, sizeof(struct event));
	if (!error)
		error = ring_attach_producer(&a->inject, base + copy.inject_ring.offset,
			copy.inject_ring.size, a->limits.inject_slots,
			sizeof(struct inject_record));
	for (unsigned i = 0; i < a->limits.workers && !error; i++)
		error = ring_attach_consumer(&a->punt[i], base + copy.punt_ring[i].offset,
			copy.punt_ring[i].size, a->limits.punt_slots, sizeof(struct punt_record));
	a->worker_counters = (const void *)(base + copy.worker_counters.offset);
	a->drop_traces = (const void *)(base + copy.drop_traces.offset);
	a->port_counters = (const void *)(base + copy.port_counters.offset);
	a->binding_counters = (const void *)(base + copy.binding_counters.offset);
	a->sa_inbound = (void *)(base + copy.sa_inbound.offset);
	a->sa_outbound = (void *)(base + copy.sa_outbound.offset);
	a->sa_notes = (void *)(base + copy.sa_notes.offset);
	a->sa_windows = (void *)(base + copy.sa_windows.offset);
	a->policy_hits = (const void *)(base + copy.policy_hits.offset);
	a->policy_lines = (const void *)(base + copy.policy_lines.offset);
	return error;
}

static int take_hello(
	struct attachment *a, const struct attach_hello *hello, const int fds[HELLO_FDS])
{
	a->command_doorbell = fds[1];
	a->event_doorbell = fds[2];
	int error =
		is_doorbell(fds[1]) && is_doorbell(fds[2]) ? map_region(a, fds[0], hello) : -EPROTO;
	close(fds[0]); /* the mapping stays */
	return error;
}

int attach_receive(struct attachment *attachment, int connected_socket, int timeout_ms)
{
	struct attach_hello hello;
	int fds[FDS_READ_MAX] = {-1, -1, -1};

	*attachment = (struct attachment){
		.socket = connected_socket, .command_doorbell = -1, .event_doorbell = -1};
	int error =
		wait_hello(connected_socket, &hello, fds, clock_read().monotonic_ns, timeout_ms);
	if (!error)
		error = take_hello(attachment, &hello, fds);
	if (error)
		attach_close(attachment);
	return error;
}

int attach_connect(struct attachment *attachment, const char *path, int timeout_ms)
{
	monotonic start = clock_read().monotonic_ns;
	struct sockaddr_un address;

	*attachment =
		(struct attachment){.socket = -1, .command_doorbell = -1, .event_doorbell = -1};
	int error = socket_address(&address, path);
	if (error)
		return error;
	int s = seqpacket_socket();
	if (s < 0)
		return s;
	error = connect_within(s, &address, start, timeout_ms);
	if (!error)
		error = check_server(s, path);
	if (error) {
		close(s);
		return error;
	}
	return attach_receive(attachment, s, time_left(start, timeout_ms));
}

void attach_disconnect(struct attachment *attachment)
{
	int fds[] = {attachment->socket, attachment->command_doorbell, attachment->event_doorbell};

	close_all(fds, 3);
	attachment->socket = attachment->command_doorbell = attachment->event_doorbell = -1;
}

void attach_close(struct attachment *attachment)
{
	attach_disconnect(attachment);
	if (attachment->header)
		munmap(attachment->header, attachment->size);
	*attachment =
		(struct attachment){.socket = -1, .command_doorbell = -1, .event_doorbell = -1};
}

struct binding_counters attach_binding_counters(
	const struct attachment *attachment, uint32_t binding_id)
{
	struct binding_counters sum = {0};

	if (!attachment->header || binding_id >= attachment->limits.bindings)
		return sum;
	for (size_t worker = 0; worker < attachment->limits.workers; worker++) {
		const volatile struct binding_counters *c =
			&attachment->binding_counters[worker * attachment->limits.bindings +
						      binding_id];
		sum.forward_packets += c->forward_packets;
		sum.forward_bytes += c->forward_bytes;
		sum.reverse_packets += c->reverse_packets;
		sum.reverse_bytes += c->reverse_bytes;
	}
	return sum;
}

uint64_t attach_policy_hits(const struct attachment *attachment, uint32_t policy_id)
{
	uint64_t sum;

	if (!attachment->header || policy_id >= attachment->limits.policies)
		return 0;
	sum = policy_line_hits(&attachment->policy_lines[policy_id], attachment->sa_outbound,
		attachment->limits.sas);
	for (size_t worker = 0; worker < attachment->limits.workers; worker++)
		sum += *(const volatile uint64_t *)&attachment
				->policy_hits[worker * attachment->limits.policies + policy_id];
	return sum;
}
