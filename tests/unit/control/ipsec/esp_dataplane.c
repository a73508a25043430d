#include "tests/unit/control/ipsec/esp_dataplane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void esp_dataplane_start(struct esp_dataplane *dataplane, uint32_t replay_window)
{
	struct region_limits limits = {.workers = 1,
		.ports = 1,
		.bindings = 16,
		.routes = 16,
		.neighbors = 16,
		.prefixes = 16,
		.sas = ESP_SLOTS,
		.policies = ESP_POLICIES,
		.replay_window = replay_window,
		.command_slots = 256,
		.event_slots = 64,
		.inject_slots = 2,
		.punt_slots = 2};

	memset(dataplane, 0, sizeof(*dataplane));
	if (region_create(&dataplane->region, &limits, false))
		abort();
}

void esp_dataplane_kill(struct esp_dataplane *dataplane)
{
	region_destroy(&dataplane->region);
}

static uint8_t *rebase(struct attachment *a, const struct region *r, const void *pointer)
{
	return (uint8_t *)a->header + ((const uint8_t *)pointer - (const uint8_t *)r->header);
}

void esp_dataplane_session(struct esp_dataplane *dataplane, struct attachment *attachment)
{
	struct region *r = &dataplane->region;
	const struct region_limits *l = &r->limits;
	void *memory = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);

	if (memory == MAP_FAILED)
		abort();
	r->session++;
	ring_reset(r->command.shared);
	ring_reset(r->event.shared);
	r->command.own = r->command.peer = r->event.own = r->event.peer = 0;
	atomic_store(&r->header->applied_sequence, 0);
	dataplane->taken = 0;
	*attachment = (struct attachment){.socket = -1,
		.command_doorbell = dup(r->command_doorbell),
		.event_doorbell = dup(r->event_doorbell),
		.header = memory,
		.limits = *l,
		.size = r->size,
		.epoch = r->epoch,
		.session = r->session};
	attachment->sa_inbound = (void *)rebase(attachment, r, r->sa_inbound);
	attachment->sa_outbound = (void *)rebase(attachment, r, r->sa_outbound);
	attachment->sa_notes = (void *)rebase(attachment, r, r->sa_notes);
	attachment->sa_windows = (void *)rebase(attachment, r, r->sa_windows);
	attachment->policy_hits = (void *)rebase(attachment, r, r->policy_hits);
	attachment->policy_lines = (void *)rebase(attachment, r, r->policy_lines);
	if (ring_attach_producer(&attachment->command, rebase(attachment, r, r->command.shared),
		    ring_size(l->command_slots, sizeof(struct command)), l->command_slots,
		    sizeof(struct command)) ||
		ring_attach_consumer(&attachment->event, rebase(attachment, r, r->event.shared),
			ring_size(l->event_slots, sizeof(struct event)), l->event_slots,
			sizeof(struct event)))
		abort();
}

static void clear_staging(struct esp_dataplane *d)
{
	memset(&d->staging, 0, sizeof(d->staging));
	d->staged_key = false;
}

static void zero_state(struct esp_dataplane *d, unsigned direction, uint32_t slot)
{
	if (direction == SA_INBOUND) {
		struct sa_inbound_state *s = &d->region.sa_inbound[slot];
		uint32_t words = sa_window_words(d->region.limits.replay_window);
		s->highest = s->front = s->packets = s->bytes = s->last_use_ns = 0;
		for (uint32_t i = 0; i < words; i++)
			d->region.sa_windows[slot * words + i] = 0;
	} else {
		struct sa_outbound_state *s = &d->region.sa_outbound[slot];
		s->sequence = s->packets = s->bytes = s->last_use_ns = 0;
	}
}

struct esp_sa *esp_dataplane_find(
	struct esp_dataplane *dataplane, enum sa_direction direction, uint32_t spi)
{
	for (unsigned i = 0; i < ESP_SLOTS; i++)
		if (dataplane->sas[direction][i].live &&
			ntohl(dataplane->sas[direction][i].set.spi) == spi)
			return &dataplane->sas[direction][i];
	return NULL;
}

static int set_sa(struct esp_dataplane *d, const struct sa_command *c)
{
	struct esp_sa *sa = &d->sas[c->direction & 1][c->sa_id % ESP_SLOTS];
	struct esp_sa *twin = esp_dataplane_find(d, SA_INBOUND, ntohl(c->spi));
	bool larval = c->flags & SA_LARVAL;

	if (c->sa_id == 0 || c->sa_id >= ESP_SLOTS ||
		c->replay_window > d->region.limits.replay_window)
		return EINVAL;
	if (c->direction == SA_INBOUND && twin && twin != sa)
		return EEXIST;
	if (sa->live && sa->set.spi != c->spi)
		return EEXIST;
	if (sa->live && d->staged_key && memcmp(&sa->key, &d->staging.key, sizeof(sa->key)) != 0)
		return EEXIST;
	if (!sa->live && !d->staged_key && !larval)
		return EINVAL;
	if (d->staged_key && d->staging.key.sa_id != c->sa_id)
		return EINVAL;
	if (!sa->live) {
		*sa = d->staging;
		sa->live = true;
		if (c->flags & SA_RESUME)
			sa->resumed++;
		else
			sa->started++;
		if (!(c->flags & SA_RESUME))
			zero_state(d, c->direction, c->sa_id);
	} else if (d->staged_key && c->flags & SA_RESUME) {
		sa->resumed++;
	}
	sa->set = *c;
	sa->generation = d->generation;
	return 0;
}

static int remove_sa(struct esp_dataplane *d, const struct sa_command *c)
{
	struct esp_sa *sa = &d->sas[c->direction & 1][c->sa_id % ESP_SLOTS];

	if (!sa->live)
		return ENOENT;
	memset(sa, 0, sizeof(*sa));
	return 0;
}

static void sweep(struct esp_dataplane *d)
{
	for (unsigned direction = 0; direction < 2; direction++)
		for (unsigned i = 0; i < ESP_SLOTS; i++)
			if (d->sas[direction][i].generation != d->generation)
				d->sas[direction][i].live = false;
	for (unsigned i = 0; i < ESP_POLICIES; i++)
		if (d->policies[i].generation != d->generation)
			d->policies[i].live = d->staged[i].live = false;
}

static int apply(struct esp_dataplane *d, const struct command *c)
{
	int error = 0;

	if (d->refuse_type == c->type && c->type) {
		d->refuse_type = 0;
		clear_staging(d);
		return d->refuse_errno;
	}
	switch (c->type) {
	case COMMAND_SYNC_BEGIN:
		d->generation++;
		return 0;
	case COMMAND_SYNC_END:
		sweep(d);
		return 0;
	case COMMAND_SA_KEY:
		clear_staging(d);
		d->staging.key = c->sa_key;
		d->staged_key = true;
		return 0;
	case COMMAND_SA_LIMITS:
		d->staging.limits = c->sa_limits;
		return 0;
	case COMMAND_SA_SELECTOR:
		d->staging.selectors[d->staging.selector_count++] = c->sa_selector.selector;
		return 0;
	case COMMAND_SA_SET:
		error = set_sa(d, &c->sa);
		clear_staging(d);
		return error;
	case COMMAND_SA_REMOVE:
		return remove_sa(d, &c->sa);
	case COMMAND_POLICY_SET:
		d->staged[c->policy.policy_id] =
			(struct esp_policy){true, d->generation, c->policy};
		return 0;
	case COMMAND_POLICY_REMOVE:
		d->staged[c->policy.policy_id].live = false;
		return 0;
	case COMMAND_POLICY_COMMIT:
		memcpy(d->policies, d->staged, sizeof(d->policies));
		d->commits++;
		return 0;
	default:
		return 0;
	}
}

unsigned esp_dataplane_read(struct esp_dataplane *dataplane)
{
	struct command c;
	unsigned done = 0;

	while (ring_get(&dataplane->region.command, &c)) {
		if (c.sequence != dataplane->taken + 1)
			abort();
		dataplane->taken = c.sequence;
		int error = apply(dataplane, &c);
		dataplane->log[dataplane->read++ % ESP_LOG_SIZE] = c;
		if (error) {
			struct event event = {
				.sequence = c.sequence, .type = EVENT_REFUSED, .error = error};
			ring_put(&dataplane->region.event, &event);
			dataplane->refused++;
		}
		done++;
	}
	atomic_store(&dataplane->region.header->applied_sequence, dataplane->taken);
	return done;
}

void esp_dataplane_event(struct esp_dataplane *dataplane, const struct event *event)
{
	if (!ring_put(&dataplane->region.event, event))
		abort();
}

int esp_dataplane_logged(const struct esp_dataplane *dataplane, uint16_t type, unsigned from)
{
	for (unsigned i = from; i < dataplane->read; i++)
		if (dataplane->log[i % ESP_LOG_SIZE].type == type)
			return (int)i;
	return -1;
}
