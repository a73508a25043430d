// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/control/ipsec/control_bed.h"

#include <stdlib.h>

struct esp_dataplane *dataplane;
struct attachment attachment;
struct mirror *mirror;
struct ipsec *ipsec;
struct config *config;
monotonic now;

static uint64_t refer(void *context, uint16_t type, const struct mirror_reference *reference)
{
	return mirror_refer(mirror, type, reference);
}

static unsigned expand(void *context, uint16_t type, const struct mirror_reference *reference,
	bool is_told, struct command *out)
{
	return ipsec_expand(ipsec, type, reference, is_told, out);
}

void control_bed_random(void *context, void *out, size_t length)
{
	static uint8_t number;

	memset(out, ++number, length);
}

void settle(void)
{
	for (unsigned i = 0; i < 20; i++) {
		mirror_poll(mirror);
		esp_dataplane_read(dataplane);
	}
	mirror_poll(mirror);
}

struct config *config_of(const char *text)
{
	struct config *loaded;
	struct config_error error;

	if (config_load_string(text, "test", &loaded, &error, NULL))
		fail_msg("%s", error.text);
	return loaded;
}

void control_bed_open(void)
{
	dataplane = calloc(1, sizeof(*dataplane));
	assert_non_null(dataplane);
	esp_dataplane_start(dataplane, 256);
	now = 1000 * SECOND;
	attachment =
		(struct attachment){.socket = -1, .command_doorbell = -1, .event_doorbell = -1};
}

void control_bed_close(void)
{
	esp_dataplane_kill(dataplane);
	free(dataplane);
}

void control_bed_start(struct config *with, const struct ipsec_ops *ops,
	void (*on_done)(void *context, uint64_t ticket, int error),
	void (*on_event)(void *context, const struct event *event))
{
	struct mirror_callbacks callbacks = {
		.on_done = on_done, .on_event = on_event, .expand = expand};
	struct mirror_limits limits = {.bindings = 16, .others = 512};
	struct ipsec_ops ours = *ops;

	ours.refer = refer;
	ours.random = control_bed_random;
	config = with;
	mirror = mirror_new(&limits, &callbacks);
	assert_non_null(mirror);
	ipsec = ipsec_new(config, &ours, now);
	assert_non_null(ipsec);
}

void control_bed_end(void)
{
	mirror_free(mirror);
	ipsec_free(ipsec);
	attach_close(&attachment);
	config_free(config);
}
