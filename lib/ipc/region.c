#include "lib/ipc/region.h"

#include "lib/ipc/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#define BINDINGS_MAX (1u << 26)
#define SAS_MAX      (1u << 22)
#define POLICIES_MAX (1u << 23)
#define SLOTS_MAX    (1u << 22)
#define HUGE_PAGE    (2ull << 20)
#define PAGE         4096ull

static bool slots_valid(uint32_t slots)
{
	return slots >= 2 && slots <= SLOTS_MAX && !(slots & (slots - 1));
}

static struct region_span span_after(uint64_t *end, uint64_t size)
{
	struct region_span span = {.offset = (*end + 63) & ~63ull, .size = size};

	*end = span.offset + size;
	return span;
}

static bool sas_valid(const struct region_limits *limits)
{
	return limits->reserved == 0 && limits->sas <= SAS_MAX &&
	       !(limits->sas & (limits->sas - 1)) && limits->policies <= POLICIES_MAX &&
	       limits->replay_window <= REGION_WINDOW_MAX;
}

static void layout_sas(struct region_header *header, uint64_t *end)
{
	uint64_t sas = header->limits.sas;
	uint64_t words = sa_window_words(header->limits.replay_window);

	header->sa_inbound = span_after(end, sas * sizeof(struct sa_inbound_state));
	header->sa_outbound = span_after(end, sas * sizeof(struct sa_outbound_state));
	header->sa_notes = span_after(end, 2 * sas * sizeof(struct sa_note));
	header->sa_windows = span_after(end, sas * words * sizeof(uint64_t));
	header->policy_hits = span_after(
		end, (uint64_t)header->limits.workers * header->limits.policies * sizeof(uint64_t));
	header->policy_lines =
		span_after(end, header->limits.policies * sizeof(struct policy_line));
}

int region_layout(struct region_header *header, const struct region_limits *limits)
{
	if (!limits->workers || limits->workers > REGION_WORKERS_MAX ||
		limits->ports > REGION_PORTS_MAX || limits->bindings > BINDINGS_MAX ||
		!sas_valid(limits) || !slots_valid(limits->command_slots) ||
		!slots_valid(limits->event_slots) || !slots_valid(limits->inject_slots) ||
		!slots_valid(limits->punt_slots))
		return -EINVAL;
	uint64_t end = sizeof(*header);
	header->header_size = sizeof(*header);
	header->limits = *limits;
	header->command_ring =
		span_after(&end, ring_size(limits->command_slots, sizeof(struct command)));
	header->event_ring = span_after(&end, ring_size(limits->event_slots, sizeof(struct event)));
	header->inject_ring =
		span_after(&end, ring_size(limits->inject_slots, sizeof(struct inject_record)));
	for (unsigned i = 0; i < REGION_WORKERS_MAX; i++) {
		header->punt_ring[i] = (struct region_span){0};
		if (i < limits->workers)
			header->punt_ring[i] = span_after(
				&end, ring_size(limits->punt_slots, sizeof(struct punt_record)));
	}
	header->worker_counters =
		span_after(&end, (uint64_t)limits->workers * sizeof(struct worker_counters));
	header->drop_traces =
		span_after(&end, (uint64_t)limits->workers * sizeof(struct drop_trace));
	header->port_counters =
		span_after(&end, (uint64_t)limits->ports * sizeof(struct port_counters));
	header->binding_counters = span_after(&end,
		(uint64_t)limits->workers * limits->bindings * sizeof(struct binding_counters));
	layout_sas(header, &end);
	header->size = (end + PAGE - 1) & ~(PAGE - 1);
	return 0;
}

static bool span_equal(const struct region_span *a, const struct region_span *b)
{
	return a->offset == b->offset && a->size == b->size;
}

int region_check(const struct region_header *copy, uint64_t size)
{
	struct region_header expected;

	if (copy->magic != REGION_MAGIC || copy->layout_version != REGION_LAYOUT_VERSION ||
		copy->size != size)
		return -EPROTO;
	if (region_layout(&expected, &copy->limits) || copy->header_size != expected.header_size ||
		size < expected.size)
		return -EPROTO;
	for (unsigned i = 0; i < REGION_WORKERS_MAX; i++)
		if (!span_equal(&copy->punt_ring[i], &expected.punt_ring[i]))
			return -EPROTO;
	bool same = span_equal(&copy->command_ring, &expected.command_ring) &&
		    span_equal(&copy->event_ring, &expected.event_ring) &&
		    span_equal(&copy->inject_ring, &expected.inject_ring) &&
		    span_equal(&copy->worker_counters, &expected.worker_counters) &&
		    span_equal(&copy->drop_traces, &expected.drop_traces) &&
		    span_equal(&copy->port_counters, &expected.port_counters) &&
		    span_equal(&copy->binding_counters, &expected.binding_counters) &&
		    span_equal(&copy->sa_inbound, &expected.sa_inbound) &&
		    span_equal(&copy->sa_outbound, &expected.sa_outbound) &&
		    span_equal(&copy->sa_windows, &expected.sa_windows) &&
		    span_equal(&copy->sa_notes, &expected.sa_notes) &&
		    span_equal(&copy->policy_hits, &expected.policy_hits) &&
		    span_equal(&copy->policy_lines, &expected.policy_lines);
	return same ? 0 : -EPROTO;
}

/* A memfd of `size` octets, mapped. Huge pages are reserved by mmap, so a later access cannot find
 * them gone. */
static int map_new(int *fd, uint64_t size, unsigned flags, struct region_header **header)
{
	int error;

	*fd = memfd_create("homeport-region", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	if (*fd < 0)
		return -errno;
	if (!ftruncate(*fd, (off_t)size) &&
		!fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
		if (memory != MAP_FAILED) {
			*header = memory;
			return 0;
		}
	}
	error = -errno;
	close(*fd);
	*fd = -1;
	return error;
}

/* Our own view of our own layout: pointers and rings. */
static int attach_rings(struct region *region)
{
	struct region_header *h = region->header;
	const struct region_limits *limits = &region->limits;
	uint8_t *base = (uint8_t *)h;
	int error = ring_attach_consumer(&region->command, base + h->command_ring.offset,
		h->command_ring.size, limits->command_slots, sizeof(struct command));

	if (!error)
		error = ring_attach_producer(&region->event, base + h->event_ring.offset,
			h->event_ring.size, limits->event_slots, sizeof(struct event));
	if (!error)
		error = ring_attach_consumer(&region->inject, base + h->inject_ring.offset,
			h->inject_ring.size, limits->inject_slots, sizeof(struct inject_record));
	for (unsigned i = 0; i < limits->workers && !error; i++)
		error = ring_attach_producer(&region->punt[i], base + h->punt_ring[i].offset,
			h->punt_ring[i].size, limits->punt_slots, sizeof(struct punt_record));
	region->worker_counters = (void *)(base + h->worker_counters.offset);
	region->drop_traces = (void *)(base + h->drop_traces.offset);
	region->port_counters = (void *)(base + h->port_counters.offset);
	region->binding_counters = (void *)(base + h->binding_counters.offset);
	region->sa_inbound = (void *)(base + h->sa_inbound.offset);
	region->sa_outbound = (void *)(base + h->sa_outbound.offset);
	region->sa_notes = (void *)(base + h->sa_notes.offset);
	region->sa_windows = (void *)(base + h->sa_windows.offset);
	region->policy_hits = (void *)(base + h->policy_hits.offset);
	region->policy_lines = (void *)(base + h->policy_lines.offset);
	return error;
}

void region_write_header(const struct region *region)
{
	struct region_header h;

	memset(&h, 0, sizeof(h));
	(void)region_layout(&h, &region->limits); /* checked by region_create */
	h.magic = REGION_MAGIC;
	h.layout_version = REGION_LAYOUT_VERSION;
	h.size = region->size;
	h.epoch = region->epoch;
	h.session = region->session;
	memcpy(region->header, &h, offsetof(struct region_header, applied_sequence));
}

int region_create(struct region *region, const struct region_limits *limits, bool huge)
{
	struct region_header layout;

	memset(&layout, 0, sizeof(layout));
	*region = (struct region){.fd = -1, .command_doorbell = -1, .event_doorbell = -1};
	int error = region_layout(&layout, limits);
	if (error)
		return error;
	uint64_t size = layout.size;
	if (huge) {
		layout.size = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
		error = map_new(
			&region->fd, layout.size, MFD_HUGETLB | MFD_HUGE_2MB, &region->header);
	}
	if (!huge || error) {
		layout.size = size;
		error = map_new(&region->fd, layout.size, 0, &region->header);
	}
	if (error)
		return error;
	/* Rings and counters of workers are touched now, so that no worker pays for a page fault;
	 * failing is no harm. */
	(void)madvise(region->header, layout.binding_counters.offset, MADV_POPULATE_WRITE);
	if (getrandom(&layout.epoch, sizeof(layout.epoch), 0) != (ssize_t)sizeof(layout.epoch))
		layout.epoch = (uint64_t)(uintptr_t)region ^ (uint64_t)getpid() << 32;
	region->limits = *limits;
	region->epoch = layout.epoch;
	region->size = layout.size;
	region_write_header(region);
	region->command_doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	region->event_doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (region->command_doorbell < 0 || region->event_doorbell < 0)
		error = -errno;
	if (!error)
		error = attach_rings(region);
	if (error)
		region_destroy(region);
	return error;
}

void region_destroy(struct region *region)
{
	if (region->header)
		munmap(region->header, region->size);
	if (region->fd >= 0)
		close(region->fd);
	if (region->command_doorbell >= 0)
		close(region->command_doorbell);
	if (region->event_doorbell >= 0)
		close(region->event_doorbell);
	*region = (struct region){.fd = -1, .command_doorbell = -1, .event_doorbell = -1};
}
