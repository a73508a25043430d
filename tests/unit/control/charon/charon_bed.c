#include "tests/unit/control/charon/charon_bed.h"

#include <stdlib.h>
#include <unistd.h>

struct charon *charon;
static struct loop *loop;
static char directory[32];
struct keying_message answer;

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

static void on_done(void *context, uint64_t done, int error)
{
	charon_done(charon, done, error, now);
	ipsec_done(ipsec, done, error);
}

static void on_event(void *context, const struct event *event)
{
	ipsec_event(ipsec, event, now);
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
	struct charon_ops ops = {.ticket = ticket, .hold = hold, .random = control_bed_random};
	struct config *with;
	char *text;

	assert_true(
		asprintf(&text,
			"dataplane = { max_security_associations = 64; max_policies = 64; "
			"max_replay_window = 256; ports = ( { name = \"a\"; device = \"b\"; } ); };"
			"keying = { socket = \"%s/keying.sock\"; grace_s = 5; };",
			directory) > 0);
	with = config_of(text);
	free(text);
	control_bed_start(with, &(struct ipsec_ops){.tell = tell}, on_done, on_event);
	loop = loop_new();
	assert_int_equal(charon_new(loop, config, ipsec, &ops, (uid_t)-1, &charon), 0);
}

void control_dies(void)
{
	charon_free(charon);
	charon = NULL;
	loop_free(loop);
	control_bed_end();
}

int setup(void **state)
{
	control_bed_open();
	snprintf(directory, sizeof(directory), "/tmp/hp-charon-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	control_starts();
	return 0;
}

int teardown(void **state)
{
	control_dies();
	control_bed_close();
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
