#include "tests/unit/control/charon/charon_bed.h"

#include <stdlib.h>
#include <unistd.h>

struct esp_dataplane *dataplane;
struct attachment attachment;
struct mirror *mirror;
struct ipsec *ipsec;
struct charon *charon;
static struct config *config;
static struct loop *loop;
monotonic now;
static char directory[32];
struct keying_message answer;

static uint64_t refer(void *context, uint16_t type, const struct mirror_reference *reference)
{
	return mirror_refer(mirror, type, reference);
}

static uint64_t ticket(void *context)
{
	return mirror_ticket(mirror);
}

static void hold(void *context, bool held)
{
	mirror_hold(mirror, held);
}

static void tell(void *context, const struct ipsec_event *event)
{
	if (charon)
		charon_tell(charon, event);
}

static void not_random(void *context, void *out, size_t length)
{
	static uint8_t number;
	memset(out, ++number, length);
}

static void on_done(void *context, uint64_t done, int error)
{
	charon_done(charon, done, error, now);
	ipsec_done(ipsec, done, error);
}

static void on_event(void *context, const struct event *event)
{
	ipsec_event(ipsec, event, now);
}

static unsigned expand(void *context, uint16_t type, const struct mirror_reference *reference,
	bool is_told, struct command *out)
{
	return ipsec_expand(ipsec, type, reference, is_told, out);
}

void settle(void)
{
	for (unsigned i = 0; i < 20; i++) {
		mirror_poll(mirror);
		esp_dataplane_read(dataplane);
	}
	mirror_poll(mirror);
}

void attach(uint64_t session)
{
	esp_dataplane_session(dataplane, &attachment);
	mirror_attach(mirror, &attachment);
	ipsec_attached(ipsec, &attachment, now);
	charon_attached(charon, session, now);
	settle();
}

void detach(void)
{
	mirror_detach(mirror);
	charon_detached(charon);
	attach_disconnect(&attachment);
	ipsec_detached(ipsec, &attachment);
}

void control_starts(void)
{
	struct mirror_callbacks callbacks = {
		.on_done = on_done, .on_event = on_event, .expand = expand};
	struct mirror_limits limits = {.bindings = 16, .others = 512};
	struct ipsec_ops ops = {.refer = refer, .random = not_random, .tell = tell};
	struct charon_ops charon_ops = {.ticket = ticket, .hold = hold, .random = not_random};
	struct config_error error;
	char *text;

	assert_true(
		asprintf(&text,
			"dataplane = { max_security_associations = 64; max_policies = 64; "
			"max_replay_window = 256; ports = ( { name = \"a\"; device = \"b\"; } ); };"
			"keying = { socket = \"%s/keying.sock\"; grace_s = 5; };",
			directory) > 0);
	if (config_load_string(text, "test", &config, &error, NULL))
		fail_msg("%s", error.text);
	free(text);
	mirror = mirror_new(&limits, &callbacks);
	ipsec = ipsec_new(config, &ops, now);
	loop = loop_new();
	assert_int_equal(charon_new(loop, config, ipsec, &charon_ops, (uid_t)-1, &charon), 0);
}

void control_dies(void)
{
	charon_free(charon);
	charon = NULL;
	loop_free(loop);
	mirror_free(mirror);
	ipsec_free(ipsec);
	attach_close(&attachment);
	config_free(config);
}

int setup(void **state)
{
	dataplane = calloc(1, sizeof(*dataplane));
	esp_dataplane_start(dataplane, 256);
	now = 1000 * SECOND;
	snprintf(directory, sizeof(directory), "/tmp/hp-charon-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	attachment =
		(struct attachment){.socket = -1, .command_doorbell = -1, .event_doorbell = -1};
	control_starts();
	return 0;
}

int teardown(void **state)
{
	control_dies();
	esp_dataplane_kill(dataplane);
	free(dataplane);
	return rmdir(directory);
}

/* ---- requests ---- */

bool ask(const struct keying_message *message)
{
	bool end;

	return charon_request(charon, message, &answer, &end, now);
}

void simple(uint16_t type)
{
	struct keying_message m = {.header = {.type = type, .id = 1}};

	(void)ask(&m);
}

void connects(uint64_t instance)
{
	struct keying_message m = {.header = {.type = KEYING_HELLO, .id = 1}};

	charon->greeted = false;
	m.hello = (struct keying_hello){.magic = KEYING_MAGIC, .instance = instance};
	assert_true(ask(&m));
	assert_int_equal(answer.header.type, KEYING_WELCOME);
}

void replays_nothing(void)
{
	simple(KEYING_REPLAY_BEGIN);
	simple(KEYING_REPLAY_END);
	settle();
}

struct keying_message sa_of(uint64_t handle, uint32_t spi, bool inbound, const char *inner)
{
	struct keying_message m = {.header = {.type = KEYING_ADD_SA, .id = handle}};
	struct keying_add_sa *sa = &m.add_sa;
	struct keying_endpoint here = {.address = address_of("192.0.2.1")};
	struct keying_endpoint there = {.address = address_of("198.51.100.2")};

	*sa = (struct keying_add_sa){.handle = handle,
		.spi = htonl(spi),
		.reqid = 7,
		.flags = inbound ? KEYING_SA_INBOUND : 0,
		.mode = KEYING_TUNNEL,
		.encryption = 20,
		.encryption_length = 20,
		.replay_window = 32,
		.source = inbound ? there : here,
		.destination = inbound ? here : there,
		.name = "home",
		.identity = "carol"};
	memset(sa->encryption_key, (int)handle, 20);
	sa->source_ts.count = sa->destination_ts.count = 1;
	sa->source_ts.of[0] = selector_of(inbound ? inner : "10.1.0.0/16");
	sa->destination_ts.of[0] = selector_of(inbound ? "10.1.0.0/16" : inner);
	return m;
}

struct keying_message policy_of(uint64_t handle, uint32_t spi, enum keying_action action)
{
	struct keying_message m = {.header = {.type = KEYING_ADD_POLICY, .id = 1}};

	m.policy = (struct keying_policy){.handle = handle,
		.spi = htonl(spi),
		.reqid = 7,
		.direction = KEYING_OUT,
		.action = action,
		.priority = KEYING_PRIORITY_DEFAULT,
		.source_ts = selector_of("10.1.0.0/16"),
		.destination_ts = selector_of("10.9.0.1")};
	return m;
}

const struct sa *named_out(const char *prefix)
{
	uint32_t cursor = 0;

	for (const struct sa *sa;
		(sa = sa_database_next(ipsec_associations(ipsec), SA_OUTBOUND, &cursor));)
		if (!strncmp(sa->name, prefix, strlen(prefix)))
			return sa;
	return NULL;
}

unsigned policies_out(uint32_t *sa_id, uint8_t *action)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ESP_POLICIES; i++) {
		if (!dataplane->policies[i].live ||
			dataplane->policies[i].set.direction != SA_OUTBOUND)
			continue;
		*sa_id = dataplane->policies[i].set.sa_id;
		*action = dataplane->policies[i].set.action;
		count++;
	}
	return count;
}

void ready(void)
{
	attach(1);
	connects(5);
	replays_nothing();
}
