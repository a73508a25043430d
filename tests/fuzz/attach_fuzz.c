/*
 * Control's end of the shared region against a hostile dataplane. The input edits a valid hello and
 * a valid region before control attaches, and the region again while it is attached; control must
 * refuse, or read what is there without leaving the region, looping or leaking a descriptor.
 *
 * Input: one octet (descriptors to pass, short hello), then edits of four octets: where and when,
 * offset (2), value to XOR.
 */
#include "control/mirror/mirror.h"
#include "lib/base/log.h"
#include "lib/ipc/attach.h"
#include "tests/fuzz/fuzz_assert.h"

#include <string.h>
#include <sys/socket.h>

enum { EDIT_HELLO = 1, EDIT_ATTACHED = 2, EDIT_INDICES = 4 };

struct input {
	const uint8_t *data;
	size_t size;
};

static struct region region;
static uint8_t *pristine;

static void setup(void)
{
	static const struct region_limits limits = {
		.workers = 2,
		.ports = 2,
		.bindings = 16,
		.routes = 4,
		.neighbors = 4,
		.prefixes = 4,
		.command_slots = 16,
		.event_slots = 8,
		.inject_slots = 2,
		.punt_slots = 2,
	};

	FUZZ_ASSERT(!region_create(&region, &limits, false));
	region.session = 1;
	region_write_header(&region);
	pristine = malloc(region.size);
	FUZZ_ASSERT(pristine);
	memcpy(pristine, region.header, region.size);
	log_set_level(LOG_LEVEL_ERROR);
}

/* The octet that an edit means: of the hello, of a ring's indices, or anywhere in the region. */
static uint8_t *target(struct attach_hello *hello, unsigned where, unsigned offset)
{
	uint8_t *base = (uint8_t *)region.header;
	uint8_t *const rings[] = {(uint8_t *)region.command.shared, (uint8_t *)region.event.shared,
		(uint8_t *)region.inject.shared, (uint8_t *)region.punt[0].shared,
		(uint8_t *)region.punt[1].shared, (uint8_t *)&region.header->applied_sequence};

	if (where & EDIT_HELLO)
		return (uint8_t *)hello + offset % sizeof(*hello);
	if (where & EDIT_INDICES)
		return rings[(offset >> 8) % 6] + offset % 128;
	return base + offset % region.size;
}

static void edit(const struct input *input, struct attach_hello *hello, unsigned when)
{
	for (size_t at = 1; at + 4 <= input->size; at += 4) {
		const uint8_t *e = input->data + at;
		if ((e[0] & EDIT_ATTACHED) == when)
			*target(hello, e[0], (unsigned)e[1] << 8 | e[2]) ^= e[3];
	}
}

static void send_hello(int socket, const struct attach_hello *hello, size_t length, size_t fd_count)
{
	int fds[8] = {region.fd, region.command_doorbell, region.event_doorbell};
	char control[CMSG_SPACE(sizeof(fds))] = {0};
	struct iovec data = {.iov_base = (void *)(uintptr_t)hello, .iov_len = length};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

	for (size_t i = 3; i < 8; i++)
		fds[i] = region.fd;
	if (fd_count) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	(void)sendmsg(socket, &message, MSG_NOSIGNAL);
}

static void on_done(void *context, uint64_t ticket, int error)
{
	uint64_t *last = context;

	FUZZ_ASSERT(ticket == *last + 1);
	FUZZ_ASSERT(error >= 0);
	*last = ticket;
}

/* Everything that control does with a region. */
static void use(struct attachment *a, const struct input *input)
{
	static struct punt_record punt;
	static struct inject_record inject;
	const struct mirror_limits limits = {.bindings = 16, .others = 16};
	uint64_t last_done = 0;
	const struct mirror_callbacks callbacks = {.context = &last_done, .on_done = on_done};
	struct mirror *mirror = mirror_new(&limits, &callbacks);
	struct command c = {.type = COMMAND_BINDING_SET};

	FUZZ_ASSERT(mirror && a->size == region.size);
	mirror_attach(mirror, a);
	for (unsigned round = 0; round < 4; round++) {
		c.binding.binding_id = round * 3;
		FUZZ_ASSERT(mirror_set(mirror, &c) == round + 1);
		(void)mirror_poll(mirror);
		for (unsigned i = 0; i < a->limits.workers; i++) {
			FUZZ_ASSERT(ring_used_count(&a->punt[i]) <= a->limits.punt_slots);
			(void)ring_get(&a->punt[i], &punt);
		}
		FUZZ_ASSERT(ring_free_count(&a->command) <= a->limits.command_slots);
		(void)ring_put(&a->inject, &inject);
		(void)attach_binding_counters(a, round * 7);
		if (round == 1)
			edit(input, NULL, EDIT_ATTACHED);
	}
	mirror_detach(mirror);
	mirror_free(mirror);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct input input = {.data = data, .size = size < 1 + 4 * 64 ? size : 1 + 4 * 64};
	struct attachment attachment;
	int pair[2];

	if (!pristine)
		setup();
	for (size_t at = 1; at + 4 <= input.size; at += 4)
		if ((data[at] & EDIT_HELLO) && (data[at] & EDIT_ATTACHED))
			return 0; /* the hello is over by then */
	struct attach_hello hello = {
		.magic = REGION_MAGIC,
		.layout_version = REGION_LAYOUT_VERSION,
		.epoch = region.epoch,
		.session = 1,
		.region_size = region.size,
	};
	memcpy(region.header, pristine, region.size);
	edit(&input, &hello, 0);
	FUZZ_ASSERT(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	unsigned shape = size ? data[0] : 0;
	send_hello(pair[0], &hello, shape & 8 ? shape >> 4 : sizeof(hello), (shape & 7) ^ 3);
	int error = attach_receive(&attachment, pair[1], 100);
	if (!error)
		use(&attachment, &input);
	attach_close(&attachment);
	close(pair[0]);
	/* The lowest free number is the same as before: nothing was left open. */
	int probe = dup(region.fd);
	FUZZ_ASSERT(probe == pair[0]);
	close(probe);
	return 0;
}
