/*
 * Control's IPsec over a mirror and a dataplane that dies, comes back, refuses and tells events.
 * Time is the test's own.
 */
#include "control/ipsec/audit.h"
#include "control/ipsec/ipsec.h"
#include "control/mirror/mirror.h"
#include "lib/wire/checksum.h"
#include "tests/unit/control/ipsec/esp_dataplane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// after the standard headers
#include <cmocka.h>

#define SECOND CLOCK_NS_PER_S

static const char head[] =
	"dataplane = { max_security_associations = 64; max_policies = 64; max_replay_window = 256;"
	" ports = ( { name = \"a\"; device = \"b\"; } ); };\n";
static const char pair_b[] =
	"{ name = \"b\"; local = \"192.0.2.1\"; remote = \"198.51.100.2\"; encap = true; "
	"remote_port = "
	"40001;"
	" follow_mapping = true; spi_in = 0x1001; spi_out = 0x2001; algorithm = \"aes128gcm16\";"
	" unsafe_static_keys = true; replay_window = 128; life_bytes = 1000000; rekey_time_s = 60;"
	" key_in = \"000102030405060708090a0b0c0d0e0fa0a1a2a3\";"
	" key_out = \"101112131415161718191a1b1c1d1e1fb0b1b2b3\";"
	" local_ts = [ \"10.1.0.0/16\" ]; remote_ts = [ \"10.2.0.0/16\", \"10.3.0.5\" ]; }";
static const char pair_c[] =
	"{ name = \"c\"; local = \"192.0.2.1\"; remote = \"198.51.100.3\"; spi_in = 0x1002; "
	"spi_out ="
	" 0x2002;"
	" algorithm = \"null-sha1\"; key_in = \"0102030405060708090a0b0c0d0e0f1011121314\";"
	" key_out = \"2122232425262728292a2b2c2d2e2f3031323334\"; replay_window = 64;"
	" local_ts = [ \"10.1.0.0/16\" ]; remote_ts = [ \"10.4.0.0/16\" ]; }";
static const char policy_b[] =
	"{ name = \"pb\"; order = 20; action = \"protect\"; security_association = \"b\";"
	" local_ts = [ \"10.1.0.0/16\" ]; remote_ts = [ \"10.2.0.0/16\" ]; }";
static const char policy_rest[] =
	"{ name = \"rest\"; order = 99; action = \"bypass\"; local_ts = [ \"any\" ]; remote_ts = [ "
	"\"any\" ]; }";

static struct esp_dataplane *dataplane;
static struct attachment attachment;
static struct mirror *mirror;
static struct ipsec *ipsec;
static struct config *config;
static monotonic now;
static unsigned told[IPSEC_EVENT_TYPE_COUNT], lost;
static char told_sa[32];
static int told_error;
static const char *told_cause;
static const struct sa *told_of;

static uint64_t refer(void *context, uint16_t type, const struct mirror_reference *reference)
{
	return mirror_refer(mirror, type, reference);
}

static void tell(void *context, const struct ipsec_event *event)
{
	told[event->type]++;
	snprintf(told_sa, sizeof(told_sa), "%s", event->sa ? event->sa->name : "");
	told_error = event->error;
	told_cause = event->cause;
	told_of = event->sa;
}

static void inner_lost(void *context, const struct sa *sa)
{
	lost++;
}

static struct inject_record injected; /* the last */
static unsigned injected_count, inject_room;

static bool send_record(void *context, const struct inject_record *record)
{
	if (inject_room == 0)
		return false;
	inject_room--;
	injected_count++;
	injected = *record;
	return true;
}

static void not_random(void *context, void *out, size_t length)
{
	static uint8_t number;
	memset(out, number++, length);
}

static void on_done(void *context, uint64_t ticket, int error)
{
	ipsec_done(ipsec, ticket, error);
}

static void on_event(void *context, const struct event *event)
{
	assert_true(ipsec_event(ipsec, event, now));
}

static unsigned expand(void *context, uint16_t type, const struct mirror_reference *reference,
	bool is_told, struct command *out)
{
	return ipsec_expand(ipsec, type, reference, is_told, out);
}

static struct config *load(const char *pairs, const char *policies)
{
	struct config *loaded;
	struct config_error error;
	char *text;

	assert_true(asprintf(&text, "%ssecurity_associations = ( %s );\npolicies = ( %s );\n", head,
			    pairs, policies) > 0);
	if (config_load_string(text, "test", &loaded, &error, NULL))
		fail_msg("%s", error.text);
	free(text);
	return loaded;
}

static void settle(void)
{
	for (unsigned i = 0; i < 20; i++) {
		mirror_poll(mirror);
		esp_dataplane_read(dataplane);
	}
	mirror_poll(mirror);
}

static void attach(void)
{
	esp_dataplane_session(dataplane, &attachment);
	mirror_attach(mirror, &attachment);
	ipsec_attached(ipsec, &attachment, now);
	settle();
	assert_true(mirror_synced(mirror));
}

static void detach(void)
{
	mirror_detach(mirror);
	attach_disconnect(&attachment);
	ipsec_detached(ipsec, &attachment);
}

static void control_starts(struct config *with)
{
	struct mirror_callbacks callbacks = {
		.on_done = on_done, .on_event = on_event, .expand = expand};
	struct mirror_limits limits = {.bindings = 16, .others = 512};
	struct ipsec_ops ops = {.refer = refer,
		.random = not_random,
		.tell = tell,
		.send = send_record,
		.inner_lost = inner_lost};

	config = with;
	mirror = mirror_new(&limits, &callbacks);
	assert_non_null(mirror);
	ipsec = ipsec_new(config, &ops, now);
	assert_non_null(ipsec);
}

static void control_dies(void)
{
	mirror_free(mirror);
	ipsec_free(ipsec);
	attach_close(&attachment);
	config_free(config);
}

static int setup(void **state)
{
	dataplane = calloc(1, sizeof(*dataplane));
	esp_dataplane_start(dataplane, 256);
	memset(told, 0, sizeof(told));
	lost = 0;
	injected_count = 0;
	inject_room = 100;
	now = 1000 * SECOND;
	attachment =
		(struct attachment){.socket = -1, .command_doorbell = -1, .event_doorbell = -1};
	return 0;
}

static int teardown(void **state)
{
	control_dies();
	esp_dataplane_kill(dataplane);
	free(dataplane);
	return 0;
}

static char both[2000], both_policies[1000];

static struct config *load_both(void)
{
	snprintf(both, sizeof(both), "%s, %s", pair_b, pair_c);
	snprintf(both_policies, sizeof(both_policies), "%s, %s", policy_b, policy_rest);
	return load(both, both_policies);
}

static struct sa *live(enum sa_direction direction, const char *name)
{
	struct sa *sa = sa_database_named(ipsec_associations(ipsec), direction, name);

	assert_non_null(sa);
	return sa;
}

/* ---- what the configuration makes ---- */

static void configuration_becomes_commands(void **state)
{
	control_starts(load_both());
	attach();
	assert_int_equal(dataplane->refused, 0);
	const struct esp_sa *in = esp_dataplane_find(dataplane, SA_INBOUND, 0x1001),
			    *out = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001);
	assert_non_null(in);
	assert_non_null(out);
	assert_int_equal(in->started, 1);
	assert_int_equal(in->set.flags, SA_UDP);
	assert_int_equal(in->set.remote_port, htons(40001));
	assert_int_equal(in->set.local_port, htons(4500));
	assert_int_equal(in->set.encryption, SA_ENCRYPTION_AES_GCM_16);
	assert_int_equal(in->set.replay_window, 128);
	assert_int_equal(out->set.replay_window, 0);
	assert_int_equal(in->set.pair_id, out->set.sa_id);
	assert_int_equal(out->set.pair_id, in->set.sa_id);
	assert_int_equal(in->key.encryption_length, 20);
	assert_int_equal(in->key.encryption_key[19], 0xa3);
	assert_int_equal(out->key.encryption_key[0], 0x10);
	assert_int_equal(in->limits.hard_bytes, 1000000);
	assert_int_equal(in->limits.soft_ns, now + 60 * SECOND);
	assert_int_equal(in->limits.hard_ns, CLOCK_NEVER);
	assert_int_equal(in->selector_count, 2); // KIF-15
	const struct esp_sa *null = esp_dataplane_find(dataplane, SA_INBOUND, 0x1002);
	assert_int_equal(null->key.encryption_length, 0);
	assert_int_equal(null->key.integrity_length, 20);
	assert_int_equal(null->key.integrity_key[19], 0x14);
	// SPD-22: one commit; both directions; the outbound one knows its SA
	assert_int_equal(dataplane->commits, 1);
	unsigned protect = 0, bypass = 0;
	for (unsigned i = 0; i < ESP_POLICIES; i++) {
		const struct esp_policy *p = &dataplane->policies[i];
		protect += p->live && p->set.action == POLICY_PROTECT &&
			   p->set.sa_id == out->set.sa_id && p->set.order == 20;
		bypass += p->live && p->set.action == POLICY_BYPASS && p->set.order == 99;
	}
	assert_int_equal(protect, 2);
	assert_int_equal(bypass, 2);
	// keys before their SA, SAs before policies
	assert_true(esp_dataplane_logged(dataplane, COMMAND_SA_KEY, 0) <
		    esp_dataplane_logged(dataplane, COMMAND_SA_SET, 0));
	assert_true(esp_dataplane_logged(dataplane, COMMAND_SA_SET, 0) <
		    esp_dataplane_logged(dataplane, COMMAND_POLICY_SET, 0));
}

/* ---- restarts ---- */

/* ESP-SEQ-02, -18: numbers and window go on; the old mapping is read after its process is gone. */
static void dataplane_killed_resumes(void **state)
{
	control_starts(load_both());
	attach();
	uint32_t in = live(SA_INBOUND, "b")->command.sa_id,
		 out = live(SA_OUTBOUND, "b")->command.sa_id;
	uint32_t words = sa_window_words(256);
	dataplane->region.sa_outbound[out].sequence = 1234567;
	dataplane->region.sa_outbound[out].bytes = 99;
	dataplane->region.sa_inbound[in].highest = 777;
	for (uint32_t i = 0; i < words; i++)
		dataplane->region.sa_windows[in * words + i] = 0xabcd0000u + i;
	detach();
	dataplane->region.sa_outbound[out].sequence = 1234599; /* a last burst */
	esp_dataplane_kill(dataplane);
	esp_dataplane_start(dataplane, 256);
	attach();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(dataplane->region.sa_outbound[out].sequence, 1234599);
	assert_int_equal(dataplane->region.sa_outbound[out].bytes, 99);
	assert_int_equal(dataplane->region.sa_inbound[in].highest, 777);
	for (uint32_t i = 0; i < words; i++)
		assert_int_equal(dataplane->region.sa_windows[in * words + i], 0xabcd0000u + i);
	assert_int_equal(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->resumed, 1);
	assert_int_equal(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->started, 0);
	assert_int_equal(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001)->resumed, 1);
	assert_int_equal(ipsec_handover_counters(ipsec).copied, 4);
	// and once more
	detach();
	esp_dataplane_kill(dataplane);
	esp_dataplane_start(dataplane, 256);
	attach();
	assert_int_equal(dataplane->region.sa_outbound[out].sequence, 1234599);
}

/* Another layout of windows: nothing that was accepted is accepted again. */
static void window_of_another_layout_is_closed(void **state)
{
	control_starts(load_both());
	attach();
	uint32_t in = live(SA_INBOUND, "b")->command.sa_id;
	dataplane->region.sa_inbound[in].highest = 777;
	detach();
	esp_dataplane_kill(dataplane);
	esp_dataplane_start(dataplane, 512);
	attach();
	assert_int_equal(dataplane->region.sa_inbound[in].highest, 777 + 512);
	assert_int_equal(ipsec_handover_counters(ipsec).reset, 2);
}

/* The region of the living dataplane tells which slot is whose, whatever the order. */
static void control_killed_adopts(void **state)
{
	struct config_error error;
	control_starts(load_both());
	attach();
	uint32_t in_b = live(SA_INBOUND, "b")->command.sa_id,
		 out_b = live(SA_OUTBOUND, "b")->command.sa_id,
		 out_c = live(SA_OUTBOUND, "c")->command.sa_id;
	dataplane->region.sa_outbound[out_b].sequence = 5000;
	dataplane->region.sa_outbound[out_c].sequence = 6000;
	dataplane->region.sa_inbound[in_b].highest = 4000;
	control_dies();

	snprintf(both, sizeof(both),
		"{ name = \"d\"; local = \"192.0.2.1\"; remote = \"198.51.100.9\"; spi_in = 0x1009;"
		" spi_out = 0x2009; algorithm = \"null-sha1\"; mode = \"transport\";"
		" key_in = \"0102030405060708090a0b0c0d0e0f1011121399\";"
		" key_out = \"2122232425262728292a2b2c2d2e2f3031323399\"; replay_window = 0; }, "
		"%s, %s",
		pair_c, pair_b);
	control_starts(load(both, policy_rest));
	attach();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(live(SA_INBOUND, "b")->command.sa_id, in_b);
	assert_int_equal(live(SA_OUTBOUND, "b")->command.sa_id, out_b);
	assert_int_equal(live(SA_OUTBOUND, "c")->command.sa_id, out_c);
	assert_int_equal(dataplane->region.sa_outbound[out_b].sequence, 5000);
	assert_int_equal(dataplane->region.sa_inbound[in_b].highest, 4000);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out_b].started, 1);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out_b].resumed, 1);
	assert_true(live(SA_OUTBOUND, "d")->command.sa_id != out_b);
	assert_true(live(SA_OUTBOUND, "d")->command.sa_id != out_c);
	// taken out and given again by hand: the same key goes on with its numbers (ESP-ALG-20)
	assert_int_equal(ipsec_manual_del(ipsec, "b", &error, now), 0);
	settle();
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	for (unsigned i = 0; i < config->security_association_count; i++)
		if (strcmp(config->security_associations[i].name, "b") == 0)
			assert_int_equal(ipsec_manual_add(ipsec, config,
						 &config->security_associations[i], &error, now),
				0);
	settle();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(live(SA_OUTBOUND, "b")->command.sa_id, out_b);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out_b].resumed, 1);
	assert_int_equal(dataplane->region.sa_outbound[out_b].sequence, 5000);
}

/* The same dataplane, another session: nothing is copied over what went on meanwhile. */
static void reattached_to_the_living(void **state)
{
	control_starts(load_both());
	attach();
	uint32_t out = live(SA_OUTBOUND, "b")->command.sa_id;
	detach();
	dataplane->region.sa_outbound[out].sequence = 88;
	attach();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(dataplane->region.sa_outbound[out].sequence, 88);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].resumed, 1);
	assert_int_equal(ipsec_handover_counters(ipsec).copied, 0);
}

/* ---- refusals ---- */

static void refusal_is_told(void **state)
{
	control_starts(load_both());
	dataplane->refuse_type = COMMAND_SA_SET;
	dataplane->refuse_errno = ENOTSUP;
	attach();
	assert_true(told[IPSEC_EVENT_REFUSED] >= 1);
	assert_int_equal(told_error, ENOTSUP);
	assert_true(told_sa[0]);
}

/* ---- rekey by hand ---- */

static void rekey_switches_without_gap(void **state)
{
	struct config_error error;
	struct config_policy policy;
	control_starts(load_both());
	attach();
	uint32_t old_out = live(SA_OUTBOUND, "b")->command.sa_id;
	struct config_security_association pair = config->security_associations[0];
	snprintf(pair.name, sizeof(pair.name), "b2");
	pair.spi_in = 0x1101;
	pair.spi_out = 0x2101;
	pair.key_in.bytes[0] ^= 1;
	pair.key_out.bytes[0] ^= 1;
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), 0);
	policy = config->policies[0];
	snprintf(policy.name, sizeof(policy.name), "pb2");
	snprintf(policy.security_association, sizeof(policy.security_association), "b2");
	policy.order = 10;
	assert_int_equal(ipsec_manual_policy_add(ipsec, config, &policy, &error), 0);
	settle();
	unsigned before = dataplane->read;
	// LIFE-06: both accept
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001));
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1101));
	assert_int_equal(ipsec_manual_policy_del(ipsec, "pb", &error), 0);
	assert_int_equal(ipsec_manual_del(ipsec, "b", &error, now), 0);
	settle();
	// the policy is gone for everybody before its SA is
	assert_true(esp_dataplane_logged(dataplane, COMMAND_POLICY_COMMIT, before) <
		    esp_dataplane_logged(dataplane, COMMAND_SA_REMOVE, before));
	assert_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001));
	assert_int_equal(lost, 1);
	assert_int_equal(dataplane->refused, 0);
	// LIFE-10: slot and SPI rest for a minute
	for (unsigned i = 0; i < 70; i++) {
		uint32_t spi = ipsec_get_spi(ipsec, 0, now);
		const struct sa *sa =
			spi ? sa_database_inbound(ipsec_associations(ipsec), spi) : NULL;
		if (sa)
			assert_int_not_equal(sa->command.sa_id, old_out);
	}
}

static void errors_of_operators(void **state)
{
	struct config_error error;
	control_starts(load_both());
	attach();
	struct config_security_association pair = config->security_associations[0];
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), -EEXIST);
	snprintf(pair.name, sizeof(pair.name), "x");
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), -EEXIST);
	assert_string_equal(error.text, "x: spi-in is another association's");
	pair.spi_in = 0x3001;
	pair.key_in.length = 19;
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), -EINVAL);
	assert_non_null(strstr(error.text, "key_in has 19 octets"));
	assert_int_equal(ipsec_manual_del(ipsec, "nobody", &error, now), -ENOENT);
	struct config_policy policy = config->policies[0];
	snprintf(policy.name, sizeof(policy.name), "y");
	snprintf(policy.security_association, sizeof(policy.security_association), "nobody");
	assert_int_equal(ipsec_manual_policy_add(ipsec, config, &policy, &error), -ENOENT);
	assert_int_equal(ipsec_manual_policy_del(ipsec, "y", &error), -ENOENT);
	// SPD-20, BAD-57: two that no packet could tell apart; in another order it is another one
	snprintf(policy.security_association, sizeof(policy.security_association), "b");
	assert_int_equal(ipsec_manual_policy_add(ipsec, config, &policy, &error), -EEXIST);
	assert_string_equal(error.text, "y: another policy has this order and these selectors");
	policy.order++;
	assert_int_equal(ipsec_manual_policy_add(ipsec, config, &policy, &error), 0);
	assert_int_equal(dataplane->refused, 0);
	// TRN-09, BAD-57: two peers behind one NAT, in transport mode, with the same selectors
	struct traffic_selector local, remote;
	assert_int_equal(traffic_selector_parse("192.0.2.1", &local), 0);
	assert_int_equal(traffic_selector_parse("198.51.100.2[udp/434]", &remote), 0);
	pair = config->security_associations[0];
	pair.mode = ESP_MODE_TRANSPORT;
	pair.local_ts = &local;
	pair.remote_ts = &remote;
	pair.local_ts_count = pair.remote_ts_count = 1;
	pair.encap = true;
	pair.remote_port = 40011;
	for (unsigned i = 0; i < 3; i++) { /* the third is the first one's next association */
		snprintf(pair.name, sizeof(pair.name), "t%u", i);
		pair.spi_in = 0x5000 + i;
		pair.remote_port = i == 1 ? 40012 : 40011;
		assert_int_equal(
			ipsec_manual_add(ipsec, config, &pair, &error, now), i == 1 ? -EEXIST : 0);
	}
	// SAD-09, BAD-59: when the slots are used up, nobody else is hurt
	pair = config->security_associations[0];
	int result = 0;
	unsigned added = 0;
	while (!result) {
		snprintf(pair.name, sizeof(pair.name), "many%u", added);
		pair.spi_in = 0x4000 + added;
		result = ipsec_manual_add(ipsec, config, &pair, &error, now);
		added += !result;
	}
	assert_int_equal(result, -ENOSPC);
	assert_int_equal(added, 59);
	assert_non_null(live(SA_INBOUND, "b"));
}

/* ---- events ---- */

static void limits_expire(void **state)
{
	control_starts(load_both());
	attach();
	struct event event = {.type = EVENT_SA_EXPIRED,
		.id = live(SA_OUTBOUND, "b")->command.sa_id,
		.port = SA_OUTBOUND,
		.value = SA_EXPIRED_SOFT_PACKETS};
	esp_dataplane_event(dataplane, &event);
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(told[IPSEC_EVENT_SA_SOFT_EXPIRED], 1); // LIFE-02: once
	assert_string_equal(told_cause, "packets");
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	event.value = SA_EXPIRED_HARD_BYTES;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(told[IPSEC_EVENT_SA_HARD_EXPIRED], 1);
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_int_equal(live(SA_OUTBOUND, "b")->state, SA_IS_EXPIRED);
	for (unsigned i = 0; i < ESP_POLICIES; i++)
		if (dataplane->policies[i].live &&
			dataplane->policies[i].set.action == POLICY_PROTECT)
			assert_int_equal(dataplane->policies[i].set.sa_id, SA_NONE);
	event.id = 60; /* nonsense changes nothing */
	event.value = 99;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(dataplane->refused, 0);
}

static struct event mapping_to(const char *address, uint16_t port)
{
	struct event event = {.type = EVENT_SA_MAPPING,
		.id = live(SA_INBOUND, "b")->command.sa_id,
		.udp_port = htons(port)};

	assert_int_equal(ip_address_parse(address, &event.address), 0);
	return event;
}

// NAT-10, MOB-01, -02, -17
static void mapping_is_followed(void **state)
{
	control_starts(load_both());
	attach();
	unsigned before = dataplane->read;
	struct event event = mapping_to("203.0.113.9", 50001);
	esp_dataplane_event(dataplane, &event);
	settle();
	const struct esp_sa *out = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001),
			    *in = esp_dataplane_find(dataplane, SA_INBOUND, 0x1001);
	assert_true(ip_address_equal(&out->set.remote, &event.address));
	assert_int_equal(out->set.remote_port, htons(50001));
	assert_true(ip_address_equal(&in->set.remote, &event.address));
	assert_int_equal(esp_dataplane_logged(dataplane, COMMAND_SA_KEY, before), -1);
	assert_int_equal(out->started, 1); // not made anew
	assert_int_equal(told[IPSEC_EVENT_SA_MOVED], 1);
	for (unsigned i = 0; i < 100; i++) {
		event = mapping_to("203.0.113.9", (uint16_t)(50002 + i));
		esp_dataplane_event(dataplane, &event);
		settle();
	}
	assert_int_equal(told[IPSEC_EVENT_SA_MOVED], 60);
	assert_int_equal(ipsec_counters_get(ipsec).moves_limited, 41);
	now += 60 * SECOND;
	event = mapping_to("203.0.113.9", 60000);
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(out->set.remote_port, htons(60000));
	// without encapsulation nothing is followed (NAT-12)
	event.id = live(SA_INBOUND, "c")->command.sa_id;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(told[IPSEC_EVENT_MAPPING], 40 + 1);
}

// NAT-10, LIFE-01: a new control knows where the NAT led and how old its associations are
static void restart_keeps_mapping_and_age(void **state)
{
	struct event event;
	char other[1000];

	control_starts(load_both());
	attach();
	event = mapping_to("203.0.113.9", 50001);
	monotonic created = now;
	event.id = live(SA_INBOUND, "b")->command.sa_id;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &event.address));
	// the same configuration again leaves the mapping alone
	struct config *again = load_both();
	struct config_error error;
	assert_int_equal(ipsec_configure(ipsec, config, again, &error, now), 0);
	config_free(config);
	config = again;
	settle();
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &event.address));
	control_dies();

	now += 30 * SECOND;
	control_starts(load_both());
	attach();
	assert_int_equal(dataplane->refused, 0);
	for (unsigned direction = 0; direction < 2; direction++) {
		const struct esp_sa *sa = esp_dataplane_find(dataplane,
			(enum sa_direction)direction, direction == SA_INBOUND ? 0x1001 : 0x2001);
		assert_true(ip_address_equal(&sa->set.remote, &event.address));
		assert_int_equal(sa->set.remote_port, htons(50001));
		assert_int_equal(sa->limits.soft_ns, created + 60 * SECOND);
	}
	assert_int_equal(live(SA_OUTBOUND, "b")->created_ns, created);
	assert_int_equal(live(SA_OUTBOUND, "c")->created_ns, created);
	control_dies();

	// other ends in the configuration count more than what was learned
	snprintf(other, sizeof(other), "%s", pair_b);
	memcpy(strstr(other, "198.51.100.2"), "198.51.100.7", 12);
	control_starts(load(other, policy_rest));
	attach();
	struct ip_address seven;
	assert_int_equal(ip_address_parse("198.51.100.7", &seven), 0);
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &seven));
	assert_int_equal(live(SA_OUTBOUND, "b")->created_ns, created);
}

static void dummies_are_handed_over(void **state) // ESP-FMT-12
{
	struct config_error error;
	const struct sa *sa;

	control_starts(load(both, both_policies));
	assert_int_equal(ipsec_dummy(ipsec, "b", 3, 64, &error), -ENOTCONN);
	attach();
	assert_int_equal(ipsec_dummy(ipsec, "nobody", 1, 64, &error), -ENOENT);
	assert_int_equal(ipsec_dummy(ipsec, "b", 0, 64, &error), -EINVAL);
	assert_int_equal(ipsec_dummy(ipsec, "b", 1, 39, &error), -EINVAL);
	assert_int_equal(ipsec_dummy(ipsec, "b", 1, 1801, &error), -EINVAL);
	assert_int_equal(injected_count, 0);
	assert_int_equal(ipsec_dummy(ipsec, "b", 3, 64, &error), 0);
	assert_int_equal(injected_count, 3);
	assert_int_equal(ipsec_counters_get(ipsec).dummies, 3);
	sa = sa_database_named(ipsec_associations(ipsec), SA_OUTBOUND, "b");
	assert_int_equal(injected.kind, INJECT_ESP_DUMMY);
	assert_int_equal(injected.sa_id, sa->command.sa_id);
	assert_int_equal(injected.vrf, sa->command.vrf);
	assert_int_equal(injected.length, 64);
	assert_int_equal(injected.data[0], 0x45);
	assert_int_equal(injected.data[9], 59);
	assert_true(checksum_verify(checksum_add(0, injected.data, 20)));
	assert_memory_equal(&injected.data[16], &sa->command.remote.bytes[12], 4);
	inject_room = 1; /* the queue is full: what went is not taken back */
	assert_int_equal(ipsec_dummy(ipsec, "b", 3, 64, &error), -EAGAIN);
	assert_int_equal(injected_count, 4);
}

static void update_moves_in_place(void **state)
{
	struct config_error error;
	struct ip_address remote;
	control_starts(load_both());
	attach();
	unsigned before = dataplane->read;
	assert_int_equal(ip_address_parse("203.0.113.77", &remote), 0);
	struct ipsec_move move = {.remote = &remote,
		.local_port = -1,
		.remote_port = -1,
		.encap = 0,
		.follow_mapping = 0,
		.path_mtu = 1400};
	assert_int_equal(ipsec_manual_update(ipsec, "b", &move, &error, now), 0);
	settle();
	const struct esp_sa *out = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001);
	assert_true(ip_address_equal(&out->set.remote, &remote));
	assert_int_equal(out->set.flags & SA_UDP, 0); // MOB-08
	assert_int_equal(out->set.remote_port, 0);
	assert_int_equal(out->set.path_mtu, 1400);
	assert_int_equal(esp_dataplane_logged(dataplane, COMMAND_SA_KEY, before), -1);
	move.follow_mapping = 1;
	assert_int_equal(ipsec_manual_update(ipsec, "b", &move, &error, now), -EINVAL);
	assert_string_equal(error.text, "b: follow_mapping needs encap");
	assert_int_equal(ipsec_manual_update(ipsec, "nobody", &move, &error, now), -ENOENT);
}

static void others_are_told(void **state)
{
	control_starts(load_both());
	attach();
	struct event event = {.type = EVENT_ACQUIRE, .id = 0};
	esp_dataplane_event(dataplane, &event);
	event = (struct event){
		.type = EVENT_SA_REJECTED, .id = SA_NONE, .value = 1ull << 32 | 0xdeadbeef};
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(told[IPSEC_EVENT_ACQUIRE], 1);
	assert_int_equal(told[IPSEC_EVENT_REJECTED], 1);
	assert_non_null(told_cause);
}

/* 2026-11-21 11:30:00.250 UTC, 2 s after it happened. */
#define AUDIT_WALL_NS (UINT64_C(1795260600) * CLOCK_NS_PER_S + 250000000)

static void audit_says_all(void **state) // AUD-02, AUD-03, RFC 4303 4
{
	struct clock_now at = {.monotonic_ns = 9 * SECOND, .wall_ns = AUDIT_WALL_NS};
	struct event_audit audit = {.at_ns = 7 * SECOND,
		.number = 4000000000u,
		.flow_label = 0xabcde,
		.untold = 41,
		.source_port = 5000,
		.destination_port = 53,
		.protocol = 17,
		.flags = AUDIT_NUMBER | AUDIT_SELECTORS | AUDIT_PORTS};
	struct ipsec_event event = {.type = IPSEC_EVENT_REJECTED, .audit = &audit};
	char text[600] = "x";

	control_starts(load_both());
	attach();
	assert_int_equal(ip_address_parse("10.2.0.9", &audit.source), 0);
	assert_int_equal(ip_address_parse("10.1.0.1", &audit.destination), 0);
	event.sa = sa_database_named(ipsec_associations(ipsec), SA_INBOUND, "b");
	size_t length = audit_describe(&event, at, text, 1, sizeof(text));
	assert_int_equal(length, strlen(text));
	assert_string_equal(text, "x time=2026-11-21T11:29:58.250Z sequence=4000000000 "
				  "flow_label=0xabcde packet_source=10.2.0.9[udp/5000] "
				  "packet_destination=10.1.0.1[udp/53] sa_local=10.1.0.0/16 "
				  "sa_remote=10.2.0.0/16 sa_selectors=2 held_back=41");
	assert_int_equal(audit_describe(&event, at, text, 1, 40), 39); /* cut, and ends there */
	assert_int_equal(strlen(text), 39);
	audit = (struct event_audit){.at_ns = 9 * SECOND,
		.source = audit.source,
		.destination = audit.destination,
		.source_port = 0x0301,
		.protocol = 1,
		.flags = AUDIT_SELECTORS | AUDIT_PORTS};
	event.sa = NULL;
	assert_true(audit_describe(&event, at, text, 0, sizeof(text)) > 0);
	assert_string_equal(text, " time=2026-11-21T11:30:00.250Z packet_source=10.2.0.9[icmp/3:1] "
				  "packet_destination=10.1.0.1[icmp/3:1]");
}

static void audit_classes_are_switched(void **state) // AUD-04
{
	char off[][CONFIG_NAME_SIZE] = {"ipsec_replay", "policy_none"};
	struct config_control control = {.audit_off = off, .audit_off_count = 2};

	assert_false(audit_wanted(&control, "ipsec_replay"));
	assert_false(audit_wanted(&control, "policy_none"));
	assert_true(audit_wanted(&control, "ipsec_replay_late"));
	assert_true(audit_wanted(&control, NULL));
}

static void events_name_the_direction(void **state) // AUD-03
{
	control_starts(load_both());
	attach();
	const struct sa *in = sa_database_named(ipsec_associations(ipsec), SA_INBOUND, "c"),
			*out = sa_database_named(ipsec_associations(ipsec), SA_OUTBOUND, "c");
	struct event event = {.type = EVENT_SA_REJECTED, .id = in->command.sa_id};
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_ptr_equal(told_of, in);
	event.id = out->command.sa_id;
	event.audit.flags = AUDIT_OUTBOUND;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_ptr_equal(told_of, out);
}

/* ---- reload ---- */

static void reload(const char *pairs, const char *policies, int expected)
{
	struct config_error error;
	struct config *after = load(pairs, policies);

	assert_int_equal(ipsec_configure(ipsec, config, after, &error, now), expected);
	if (expected) {
		config_free(after);
		return;
	}
	config_free(config);
	config = after;
	settle();
	assert_int_equal(dataplane->refused, 0);
}

/* A copy of pair_b with one piece of its text replaced. */
static const char *pair_with(const char *from, const char *to)
{
	static char text[2000];
	const char *at = strstr(pair_b, from);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - pair_b), pair_b, to, at + strlen(from));
	return text;
}

static void reload_makes_the_difference(void **state)
{
	control_starts(load_both());
	attach();
	unsigned before = dataplane->read;
	reload(both, both_policies, 0);
	assert_int_equal(dataplane->read, before); // nothing changed
	uint32_t out = live(SA_OUTBOUND, "b")->command.sa_id;
	dataplane->region.sa_outbound[out].sequence = 42;

	reload(pair_with("198.51.100.2", "198.51.100.77"), policy_b, 0); // moved; c is gone
	assert_int_equal(esp_dataplane_logged(dataplane, COMMAND_SA_KEY, before), -1);
	assert_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1002));
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].started, 1);

	reload(pair_with("101112131415", "a01112131415"), policy_b, 0); // another key: another SA
	assert_int_equal(live(SA_OUTBOUND, "b")->command.sa_id, out);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].key.encryption_key[0], 0xa0);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].started, 1);
	assert_int_equal(dataplane->region.sa_outbound[out].sequence, 0);

	dataplane->region.sa_outbound[out].sequence = 43;
	reload(pair_with("life_bytes = 1000000", "life_bytes = 2000000"), policy_b, 0);
	// other limits and the old key again: the key's first numbers are gone, this one's are new
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].limits.hard_bytes, 2000000);
	reload(pair_with("life_bytes = 1000000", "life_bytes = 3000000"), policy_b, 0);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].limits.hard_bytes, 3000000);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].resumed, 1); // the same key resumes
}

static void reload_exchanges_spis(void **state)
{
	char swapped[2200];
	control_starts(load_both());
	attach();
	snprintf(swapped, sizeof(swapped), "%s, %s", pair_with("0x1001", "0x1002"), pair_c);
	char *at = strstr(strstr(swapped, "\"c\""), "0x1002");
	memcpy(at, "0x1001", 6);
	reload(swapped, both_policies, 0);
	assert_string_equal(sa_database_inbound(ipsec_associations(ipsec), 0x1001)->name, "c");
	assert_int_equal(
		esp_dataplane_find(dataplane, SA_INBOUND, 0x1001)->key.integrity_length, 20);
	assert_int_equal(
		esp_dataplane_find(dataplane, SA_INBOUND, 0x1002)->key.encryption_length, 20);
	reload(pair_with("\"b\"", "\"renamed\""), policy_rest, 0);
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001));
}

static void reload_leaves_operators_alone(void **state)
{
	struct config_error error;
	control_starts(load(pair_b, policy_b));
	attach();
	struct config_security_association pair = config->security_associations[0];
	snprintf(pair.name, sizeof(pair.name), "c");
	pair.spi_in = 0x9001;
	pair.spi_out = 0x9002;
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), 0);
	settle();
	reload(pair_b, policy_rest, 0);
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x9001));
	unsigned before = dataplane->read;
	config_free(load_both());
	reload(both, both_policies, -EEXIST); // the configuration's "c" is an operator's
	settle();
	assert_int_equal(dataplane->read, before);
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001));
}

/* ---- SPIs, inner addresses ---- */

static void larval_spis_end(void **state)
{
	control_starts(load_both());
	attach();
	uint32_t spi = ipsec_get_spi(ipsec, 0, now), other = ipsec_get_spi(ipsec, 0, now);
	assert_true(spi >= SA_SPI_FIRST && spi <= SA_SPI_LAST); // SAD-06
	assert_int_not_equal(spi, other);
	settle();
	const struct esp_sa *larval = esp_dataplane_find(dataplane, SA_INBOUND, spi);
	assert_non_null(larval);
	assert_true(larval->set.flags & SA_LARVAL);
	assert_int_equal(sa_spi_slot(spi, ESP_SLOTS), larval->set.sa_id);
	// one gets its keys, the other ends
	struct sa model = *live(SA_INBOUND, "c");
	struct sa_keys keys = *model.keys;
	model.name[0] = '\0';
	model.command.spi = htonl(spi);
	model.command.sa_id = 0;
	assert_non_null(ipsec_add_sa(ipsec, &model, &keys, now));
	settle();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(esp_dataplane_find(dataplane, SA_INBOUND, spi)->set.flags & SA_LARVAL, 0);
	now += 165 * SECOND;
	ipsec_tick(ipsec, now);
	settle();
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, spi));
	assert_null(esp_dataplane_find(dataplane, SA_INBOUND, other)); // SAD-05
}

// HA4-MODE-03
static void inner_addresses_have_owners(void **state)
{
	struct ip_address inside, outside;
	control_starts(load_both());
	attach();
	uint32_t in_b = live(SA_INBOUND, "b")->command.sa_id,
		 in_c = live(SA_INBOUND, "c")->command.sa_id;
	assert_int_equal(ip_address_parse("10.3.0.5", &inside), 0);
	assert_int_equal(ip_address_parse("10.3.0.6", &outside), 0);
	assert_true(ipsec_inner_owned(ipsec, in_b, &inside));
	assert_false(ipsec_inner_owned(ipsec, in_b, &outside));
	assert_false(ipsec_inner_owned(ipsec, in_c, &inside));
	assert_false(ipsec_inner_owned(ipsec, 0, &inside));
	assert_false(ipsec_inner_owned(ipsec, UINT32_MAX, &inside));
	assert_int_equal(ipsec_owner_of(ipsec, 0, &inside), in_b);
	assert_int_equal(ipsec_owner_of(ipsec, 1, &inside), 0);
	assert_int_equal(ipsec_owner_of(ipsec, 0, &outside), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(configuration_becomes_commands),
		TEST(dataplane_killed_resumes),
		TEST(window_of_another_layout_is_closed),
		TEST(control_killed_adopts),
		TEST(reattached_to_the_living),
		TEST(refusal_is_told),
		TEST(rekey_switches_without_gap),
		TEST(errors_of_operators),
		TEST(limits_expire),
		TEST(mapping_is_followed),
		TEST(restart_keeps_mapping_and_age),
		TEST(dummies_are_handed_over),
		TEST(update_moves_in_place),
		TEST(others_are_told),
		TEST(audit_says_all),
		cmocka_unit_test(audit_classes_are_switched),
		TEST(events_name_the_direction),
		TEST(reload_makes_the_difference),
		TEST(reload_exchanges_spis),
		TEST(reload_leaves_operators_alone),
		TEST(larval_spis_end),
		TEST(inner_addresses_have_owners),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
