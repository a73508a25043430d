/*
 * The keying server over control/ipsec, a mirror and a dataplane that refuses, stops and dies.
 * Requests go in without a socket; what became of them is seen in the databases, in the dataplane
 * and in the counters. Time is the test's own.
 */
#include "control/charon/charon_state.h"
#include "control/charon/policy_stack.h"
#include "control/mirror/mirror.h"
#include "tests/unit/control/ipsec/esp_dataplane.h"
#include "tests/unit/parsed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
// after the standard headers
#include <cmocka.h>

#define SECOND CLOCK_NS_PER_S

static struct esp_dataplane *dataplane;
static struct attachment attachment;
static struct mirror *mirror;
static struct ipsec *ipsec;
static struct charon *charon;
static struct config *config;
static struct loop *loop;
static monotonic now;
static char directory[32];
static struct keying_message answer;

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

static void settle(void)
{
	for (unsigned i = 0; i < 20; i++) {
		mirror_poll(mirror);
		esp_dataplane_read(dataplane);
	}
	mirror_poll(mirror);
}

static void attach(uint64_t session)
{
	esp_dataplane_session(dataplane, &attachment);
	mirror_attach(mirror, &attachment);
	ipsec_attached(ipsec, &attachment, now);
	charon_attached(charon, session, now);
	settle();
}

static void detach(void)
{
	mirror_detach(mirror);
	charon_detached(charon);
	attach_disconnect(&attachment);
	ipsec_detached(ipsec, &attachment);
}

static void control_starts(void)
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

static void control_dies(void)
{
	charon_free(charon);
	charon = NULL;
	loop_free(loop);
	mirror_free(mirror);
	ipsec_free(ipsec);
	attach_close(&attachment);
	config_free(config);
}

static int setup(void **state)
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

static int teardown(void **state)
{
	control_dies();
	esp_dataplane_kill(dataplane);
	free(dataplane);
	return rmdir(directory);
}

/* ---- requests ---- */

/* True when it was answered at once. */
static bool ask(const struct keying_message *message)
{
	bool end;

	return charon_request(charon, message, &answer, &end, now);
}

static void simple(uint16_t type)
{
	struct keying_message m = {.header = {.type = type, .id = 1}};

	(void)ask(&m);
}

static void connects(uint64_t instance)
{
	struct keying_message m = {.header = {.type = KEYING_HELLO, .id = 1}};

	charon->greeted = false;
	m.hello = (struct keying_hello){.magic = KEYING_MAGIC, .instance = instance};
	assert_true(ask(&m));
	assert_int_equal(answer.header.type, KEYING_WELCOME);
}

static void replays_nothing(void)
{
	simple(KEYING_REPLAY_BEGIN);
	simple(KEYING_REPLAY_END);
	settle();
}

static struct keying_message sa_of(uint64_t handle, uint32_t spi, bool inbound, const char *inner)
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

static struct keying_message policy_of(uint64_t handle, uint32_t spi, enum keying_action action)
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

static const struct sa *named_out(const char *prefix)
{
	uint32_t cursor = 0;

	for (const struct sa *sa;
		(sa = sa_database_next(ipsec_associations(ipsec), SA_OUTBOUND, &cursor));)
		if (!strncmp(sa->name, prefix, strlen(prefix)))
			return sa;
	return NULL;
}

static unsigned policies_out(uint32_t *sa_id, uint8_t *action)
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

static void ready(void)
{
	attach(1);
	connects(5);
	replays_nothing();
}

/* ---- tests ---- */

/* KIF-18: what kernel-netlink writes for these, as `ip xfrm policy` shows it. */
static void orders_are_kernel_netlinks(void **state)
{
	static const struct {
		const char *source, *destination;
		enum keying_priority priority;
		uint32_t manual, order;
	} rows[] = {
		{"10.1.0.0/16", "10.3.0.10", KEYING_PRIORITY_DEFAULT, 0, 375423},
		{"0.0.0.0/0", "10.3.0.10", KEYING_PRIORITY_DEFAULT, 0, 383615},
		{"0.0.0.0/0", "0.0.0.0/0", KEYING_PRIORITY_DEFAULT, 0, 399999},
		{"0.0.0.0/0", "0.0.0.0/0", KEYING_PRIORITY_ROUTED, 0, 400000},
		{"0.0.0.0/0", "0.0.0.0/0", KEYING_PRIORITY_FALLBACK, 0, 599999},
		{"10.0.0.1", "10.0.0.2", KEYING_PRIORITY_PASS, 0, 167231},
		{"10.1.0.0/16[tcp]", "10.3.0.10", KEYING_PRIORITY_DEFAULT, 0, 375167},
		{"10.1.0.0/16[tcp/80]", "10.3.0.10", KEYING_PRIORITY_DEFAULT, 0, 375103},
		{"2001:db8::/32", "2001:db8:1::1", KEYING_PRIORITY_DEFAULT, 0, 318079},
		{"10.1.0.0/16", "10.3.0.10", KEYING_PRIORITY_FALLBACK, 17, 17},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keying_policy p = {.priority = (uint16_t)rows[i].priority,
			.manual_priority = rows[i].manual,
			.source_ts = selector_of(rows[i].source),
			.destination_ts = selector_of(rows[i].destination)};
		if (policy_stack_order(&p) != rows[i].order)
			fail_msg("%s %s: %u", rows[i].source, rows[i].destination,
				policy_stack_order(&p));
	}
}

static void an_answer_waits_for_the_dataplane(void **state) // KIF-09, MOB-09
{
	struct keying_message m = sa_of(1, 0x2001, false, "10.9.0.1");

	ready();
	assert_false(ask(&m));
	assert_int_equal(charon_summary_get(charon).waiting, 1);
	settle();
	assert_int_equal(charon_summary_get(charon).waiting, 0);
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_int_equal(charon_counter(charon, CHARON_ACCEPTED_LATE), 0);
	/* And not for ever. */
	m = sa_of(2, 0x2002, false, "10.9.0.2");
	assert_false(ask(&m));
	assert_int_equal(charon_tick(charon, now), now + CHARON_WAIT_NS);
	now += CHARON_WAIT_NS;
	(void)charon_tick(charon, now);
	assert_int_equal(charon_counter(charon, CHARON_ACCEPTED_LATE), 1);
	assert_int_equal(charon_summary_get(charon).waiting, 1);
	settle();
	assert_int_equal(charon_summary_get(charon).waiting, 0);
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002));
}

static void a_refused_association_is_taken_back(void **state)
{
	struct keying_message m = sa_of(1, 0x2001, false, "10.9.0.1");

	ready();
	dataplane->refuse_type = COMMAND_SA_SET;
	dataplane->refuse_errno = EINVAL;
	assert_false(ask(&m));
	settle();
	assert_int_equal(charon_counter(charon, CHARON_TAKEN_BACK), 1);
	assert_null(named_out("home"));
	assert_int_equal(charon_summary_get(charon).associations, 0);
	assert_int_equal(map_count(charon->inner), 0);
	assert_false(ask(&m)); /* nothing of it is left: the same again is a new one */
	settle();
	assert_non_null(named_out("home"));
	assert_int_equal(charon_counter(charon, CHARON_TAKEN_BACK), 1);
}

static void a_refused_move_is_taken_back(void **state)
{
	struct keying_message m = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message move = {.header = {.type = KEYING_UPDATE_SA, .id = 2}};

	ready();
	(void)ask(&m);
	settle();
	move.update_sa.sa = (struct keying_sa_id){1, htonl(0x2001), 0};
	move.update_sa.source.address = address_of("192.0.2.1");
	move.update_sa.destination.address = address_of("198.51.100.9");
	dataplane->refuse_type = COMMAND_SA_SET;
	dataplane->refuse_errno = EINVAL;
	assert_false(ask(&move));
	settle();
	struct ip_address before = address_of("198.51.100.2"), after = address_of("198.51.100.9");
	assert_true(ip_address_equal(&named_out("home")->command.remote, &before));
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &before));
	assert_false(ask(&move));
	settle();
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &after));
}

static void a_refused_policy_is_taken_back(void **state)
{
	struct keying_message m = policy_of(0, 0, KEYING_PROTECT);
	uint32_t sa_id;
	uint8_t action;

	ready();
	dataplane->refuse_type = COMMAND_POLICY_SET;
	dataplane->refuse_errno = ENOSPC;
	assert_false(ask(&m));
	settle();
	assert_int_equal(charon_counter(charon, CHARON_TAKEN_BACK), 1);
	assert_int_equal(charon_summary_get(charon).policies, 0);
	assert_int_equal(policies_out(&sa_id, &action), 0);
}

/* LIFE-07, LIFE-08: the policy names the SA, the other stays until it is deleted. */
static void the_policy_names_the_sa(void **state)
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message two = sa_of(2, 0x2002, false, "10.9.0.1");
	struct keying_message first = policy_of(1, 0x2001, KEYING_PROTECT);
	struct keying_message second = policy_of(2, 0x2002, KEYING_PROTECT);
	struct keying_message drop = policy_of(0, 0, KEYING_DROP);
	uint32_t sa_id = 0;
	uint8_t action;

	ready();
	(void)ask(&one);
	(void)ask(&first);
	(void)ask(&two);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(sa_id, esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.sa_id);
	(void)ask(&second);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(sa_id, esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002)->set.sa_id);
	drop.policy.priority = KEYING_PRIORITY_PASS;
	(void)ask(&drop);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(action, POLICY_DISCARD);
	drop.header.type = first.header.type = KEYING_DEL_POLICY;
	(void)ask(&drop);
	(void)ask(&first);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(action, POLICY_PROTECT);
	assert_int_equal(sa_id, esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002)->set.sa_id);
	/* An SA that goes before its policy leaves nobody's slot behind. */
	struct keying_message del = {.header = {.type = KEYING_DEL_SA, .id = 9}};
	del.sa = (struct keying_sa_id){2, htonl(0x2002), 0};
	(void)ask(&del);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(sa_id, SA_NONE);
}

/* SPD-20: one peer may have an address twice, two may not. */
static void inner_addresses_are_one_peers(void **state)
{
	struct keying_message carol = sa_of(1, 0x1001, true, "10.9.0.1");
	struct keying_message again = sa_of(2, 0x1002, true, "10.9.0.1");
	struct keying_message dave = sa_of(3, 0x1003, true, "10.9.0.1");
	struct keying_message del = {.header = {.type = KEYING_DEL_SA, .id = 9}};

	snprintf(dave.add_sa.identity, sizeof(dave.add_sa.identity), "dave");
	ready();
	(void)ask(&carol);
	(void)ask(&again);
	settle();
	assert_true(ask(&dave));
	assert_int_equal(answer.status.status, KEYING_CONFLICT);
	assert_string_equal(answer.status.text, "inner address 10.9.0.1 is carol's now");
	del.sa = (struct keying_sa_id){1, htonl(0x1001), KEYING_SA_INBOUND};
	(void)ask(&del);
	assert_true(ask(&dave));
	assert_int_equal(answer.status.status, KEYING_CONFLICT);
	del.sa = (struct keying_sa_id){2, htonl(0x1002), KEYING_SA_INBOUND};
	(void)ask(&del);
	assert_false(ask(&dave));
	settle();
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1003));
}

/* Of a gateway or a host behind it; "" the settled identity. */
static uint32_t status_of(uint64_t handle, uint32_t spi, const char *inner, const char *identity)
{
	struct keying_message sa = sa_of(handle, spi, true, inner);

	snprintf(sa.add_sa.identity, sizeof(sa.add_sa.identity), "%s", identity);
	if (!ask(&sa)) {
		settle();
		return KEYING_OK;
	}
	return answer.status.status;
}

/* SPD-20: ranges of two peers that cross are refused, one in the other is told. */
static void inner_ranges_do_not_cross(void **state)
{
	struct keying_message del = {.header = {.type = KEYING_DEL_SA, .id = 9}};

	ready();
	assert_int_equal(status_of(1, 0x1001, "10.9.0.0-10.9.1.0", "carol"), KEYING_OK);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 0);
	assert_int_equal(status_of(2, 0x1002, "10.9.0.128-10.9.2.0", "dave"), KEYING_CONFLICT);
	assert_string_equal(
		answer.status.text, "inner addresses from 10.9.0.128 on are in part carol's now");
	assert_int_equal(status_of(2, 0x1002, "10.8.0.0-10.9.0.5", "dave"), KEYING_CONFLICT);
	assert_int_equal(charon_counter(charon, CHARON_CONFLICTS), 2);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 0);
	/* her own may cross */
	assert_int_equal(status_of(3, 0x1003, "10.9.0.128-10.9.2.0", "carol"), KEYING_OK);
	/* a host in it, and a range around it */
	assert_int_equal(status_of(4, 0x1004, "10.9.0.7", "dave"), KEYING_OK);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 1);
	assert_int_equal(status_of(5, 0x1005, "10.0.0.0/8", "erin"), KEYING_OK);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 2);
	/* what is gone is in nobody's way */
	del.sa = (struct keying_sa_id){1, htonl(0x1001), KEYING_SA_INBOUND};
	(void)ask(&del);
	del.sa = (struct keying_sa_id){3, htonl(0x1003), KEYING_SA_INBOUND};
	(void)ask(&del);
	del.sa = (struct keying_sa_id){5, htonl(0x1005), KEYING_SA_INBOUND};
	(void)ask(&del);
	assert_int_equal(status_of(6, 0x1006, "10.9.0.0-10.9.0.200", "frank"), KEYING_OK);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 3);
}

/* HA-07: until the replay, a new control neither gives up nor overwrites what it does not know. */
static void a_new_control_holds_what_is_there(void **state)
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message policy = policy_of(1, 0x2001, KEYING_PROTECT);
	struct keying_message fresh = sa_of(2, 0x2002, false, "10.9.0.2");
	uint32_t sa_id;
	uint8_t action;

	ready();
	(void)ask(&one);
	(void)ask(&policy);
	settle();
	uint32_t slot = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.sa_id;
	attachment.sa_outbound[slot].sequence = 1234;
	control_dies();
	control_starts();
	attach(2);
	assert_true(charon_summary_get(charon).held);
	assert_false(mirror_synced(mirror));
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_int_equal(policies_out(&sa_id, &action), 1);
	connects(5);
	struct keying_message lease = {.header = {.type = KEYING_LEASE_SPIS}};
	lease.lease_spis.count = 1;
	assert_true(ask(&lease));
	assert_int_equal(answer.status.status, KEYING_WRONG_STATE);
	simple(KEYING_REPLAY_BEGIN);
	assert_true(ask(&fresh)); /* one that the dead control never had, before the others */
	assert_int_equal(answer.status.status, KEYING_ACCEPTED);
	one.add_sa.flags |= KEYING_SA_RESUME;
	assert_true(ask(&one));
	assert_int_equal(answer.status.status, KEYING_ACCEPTED);
	assert_true(ask(&policy));
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	simple(KEYING_REPLAY_END);
	settle();
	assert_true(mirror_synced(mirror));
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.sa_id, slot);
	assert_int_equal(attachment.sa_outbound[slot].sequence, 1234);
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002));
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(sa_id, slot);
}

static void nobody_comes_back(void **state) // HA-07
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");

	ready();
	(void)ask(&one);
	settle();
	control_dies();
	control_starts();
	attach(2);
	assert_int_equal(charon_tick(charon, now), now + 5 * SECOND);
	now += 5 * SECOND;
	(void)charon_tick(charon, now);
	settle();
	assert_true(mirror_synced(mirror));
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
}

/* What was named before the dataplane came, and whose numbers it does not have, is dropped. */
static void numbers_are_never_begun_anew(void **state) // ESP-ALG-20
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message fresh = sa_of(2, 0x2002, false, "10.9.0.2");

	connects(5);
	simple(KEYING_REPLAY_BEGIN);
	one.add_sa.flags |= KEYING_SA_RESUME;
	assert_true(ask(&one));
	assert_int_equal(answer.status.status, KEYING_ACCEPTED);
	assert_true(ask(&fresh));
	simple(KEYING_REPLAY_END);
	attach(1);
	settle();
	assert_int_equal(charon_counter(charon, CHARON_STALE), 1);
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002));
	/* The dataplane dies, control lives: it keeps the numbers, and the SA goes on. */
	detach();
	esp_dataplane_kill(dataplane);
	memset(dataplane, 0, sizeof(*dataplane));
	esp_dataplane_start(dataplane, 256);
	attach(1);
	settle();
	struct esp_sa *sa = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002);
	assert_non_null(sa);
	assert_int_equal(sa->resumed, 1);
	assert_int_equal(charon_counter(charon, CHARON_STALE), 1);
}

static void another_charon_sweeps(void **state)
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message policy = policy_of(1, 0x2001, KEYING_PROTECT);
	struct keying_message lease = {.header = {.type = KEYING_LEASE_SPIS}};
	uint32_t sa_id;
	uint8_t action;

	ready();
	(void)ask(&one);
	(void)ask(&policy);
	lease.lease_spis.count = 4;
	assert_true(ask(&lease));
	assert_int_equal(answer.spis.count, 4);
	settle();
	connects(6);
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)); /* until then */
	replays_nothing();
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_int_equal(policies_out(&sa_id, &action), 0);
	assert_int_equal(charon_counter(charon, CHARON_SWEPT), 6);
	assert_int_equal(ipsec_leases(ipsec), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_kernel_netlinks),
		TEST(an_answer_waits_for_the_dataplane),
		TEST(a_refused_association_is_taken_back),
		TEST(a_refused_move_is_taken_back),
		TEST(a_refused_policy_is_taken_back),
		TEST(the_policy_names_the_sa),
		TEST(inner_addresses_are_one_peers),
		TEST(inner_ranges_do_not_cross),
		TEST(a_new_control_holds_what_is_there),
		TEST(nobody_comes_back),
		TEST(numbers_are_never_begun_anew),
		TEST(another_charon_sweeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
