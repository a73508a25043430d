// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/control/mirror/mirror_bed.h"

#include <stdlib.h>
#include <string.h>

const struct region_limits limits = {
	.workers = 1,
	.ports = 1,
	.bindings = 2048,
	.routes = 100,
	.neighbors = 100,
	.prefixes = 100,
	.command_slots = 64,
	.event_slots = 16,
	.inject_slots = 2,
	.punt_slots = 2,
};
static const struct mirror_limits mirror_limits = {.bindings = 2048, .others = 512};

struct fake_dataplane *fake;
struct mirror *mirror;
uint64_t done_ticket;
int errors[20000];
unsigned events_heard;

static void on_done(void *context, uint64_t ticket, int error)
{
	assert_ptr_equal(context, &done_ticket);
	assert_int_equal(ticket, done_ticket + 1);
	done_ticket = ticket;
	errors[ticket] = error;
}

static void on_event(void *context, const struct event *event)
{
	assert_int_not_equal(event->type, EVENT_REFUSED);
	events_heard++;
}

void new_mirror(void)
{
	struct mirror_callbacks callbacks = {
		.context = &done_ticket, .on_done = on_done, .on_event = on_event};

	mirror_free(mirror);
	mirror = mirror_new(&mirror_limits, &callbacks);
	assert_non_null(mirror);
	done_ticket = 0;
	memset(errors, -1, sizeof(errors));
}

int setup(void **state)
{
	fake = calloc(1, sizeof(*fake));
	fake_init(fake, &limits);
	events_heard = 0;
	new_mirror();
	return 0;
}

int teardown(void **state)
{
	mirror_free(mirror);
	mirror = NULL;
	fake_fini(fake);
	free(fake);
	return 0;
}

void settle(void)
{
	bool more;
	unsigned read;

	do {
		more = mirror_poll(mirror);
		read = fake_read(fake, EVERYTHING);
		fake_publish(fake);
	} while (more || read);
	mirror_poll(mirror);
}

static struct ip_address v4(uint32_t host)
{
	return ip_address_from_v4(__builtin_bswap32(host));
}

struct command agent(void)
{
	struct command c = {.type = COMMAND_AGENT_SET};

	c.agent.address = v4(0xc0000201);
	return c;
}

struct command binding(uint32_t id, uint32_t home, uint32_t care_of)
{
	struct command c = {.type = COMMAND_BINDING_SET};

	c.binding.binding_id = id;
	c.binding.home_address = v4(0x0a010000 + home);
	c.binding.care_of_address = c.binding.care_of_field = v4(0xc6336400 + care_of);
	c.binding.agent_address = v4(0xc0000201);
	c.binding.encapsulation = ENCAPSULATION_IPIP;
	return c;
}

struct command prefix(uint32_t number, uint32_t id)
{
	struct command c = {.type = COMMAND_PREFIX_SET};
	struct ip_address a = v4(0x0a800000 + (number << 8));

	c.prefix.prefix = ip_prefix_make(&a, 96 + 24);
	c.prefix.binding_id = id;
	return c;
}

struct command route(uint32_t number, uint16_t port)
{
	struct command c = {.type = COMMAND_ROUTE_SET};
	struct ip_address a = v4(0x14000000 + (number << 8));

	c.route.prefix = ip_prefix_make(&a, 96 + 24);
	c.route.port = port;
	return c;
}

uint64_t set(struct command c)
{
	uint64_t ticket = mirror_set(mirror, &c);

	assert_true(ticket);
	return ticket;
}

uint64_t drop(struct command c)
{
	c.type++;
	uint64_t ticket = mirror_remove(mirror, &c);
	assert_true(ticket);
	return ticket;
}

void attach_and_settle(void)
{
	mirror_attach(mirror, fake_session(fake));
	settle();
	assert_true(mirror_synced(mirror));
}

void assert_has(struct command c)
{
	const struct command *there = fake_find(fake, &c);

	assert_non_null(there);
	assert_memory_equal(there->payload, c.payload, sizeof(c.payload));
}
