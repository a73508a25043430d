#include "tests/unit/control/ipsec/ipsec_bed.h"

static const char head[] =
	"dataplane = { max_security_associations = 64; max_policies = 64; max_replay_window = 256;"
	" ports = ( { name = \"a\"; device = \"b\"; } ); };\n";
const char pair_b[] =
	"{ name = \"b\"; local = \"192.0.2.1\"; remote = \"198.51.100.2\"; encap = true; "
	"remote_port = "
	"40001;"
	" follow_mapping = true; spi_in = 0x1001; spi_out = 0x2001; algorithm = \"aes128gcm16\";"
	" unsafe_static_keys = true; replay_window = 128; life_bytes = 1000000; rekey_time_s = 60;"
	" key_in = \"000102030405060708090a0b0c0d0e0fa0a1a2a3\";"
	" key_out = \"101112131415161718191a1b1c1d1e1fb0b1b2b3\";"
	" local_ts = [ \"10.1.0.0/16\" ]; remote_ts = [ \"10.2.0.0/16\", \"10.3.0.5\" ]; }";
const char pair_c[] =
	"{ name = \"c\"; local = \"192.0.2.1\"; remote = \"198.51.100.3\"; spi_in = 0x1002; "
	"spi_out ="
	" 0x2002;"
	" algorithm = \"null-sha1\"; key_in = \"0102030405060708090a0b0c0d0e0f1011121314\";"
	" key_out = \"2122232425262728292a2b2c2d2e2f3031323334\"; replay_window = 64;"
	" local_ts = [ \"10.1.0.0/16\" ]; remote_ts = [ \"10.4.0.0/16\" ]; }";
const char policy_b[] =
	"{ name = \"pb\"; order = 20; action = \"protect\"; security_association = \"b\";"
	" local_ts = [ \"10.1.0.0/16\" ]; remote_ts = [ \"10.2.0.0/16\" ]; }";
const char policy_rest[] =
	"{ name = \"rest\"; order = 99; action = \"bypass\"; local_ts = [ \"any\" ]; remote_ts = [ "
	"\"any\" ]; }";

unsigned told[IPSEC_EVENT_TYPE_COUNT], lost;
char told_sa[32];
int told_error;
const char *told_cause;
const struct sa *told_of;

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

struct inject_record injected; /* the last */
unsigned injected_count, inject_room;

static bool send_record(void *context, const struct inject_record *record)
{
	if (inject_room == 0)
		return false;
	inject_room--;
	injected_count++;
	injected = *record;
	return true;
}

static void on_done(void *context, uint64_t ticket, int error)
{
	ipsec_done(ipsec, ticket, error);
}

static void on_event(void *context, const struct event *event)
{
	assert_true(ipsec_event(ipsec, event, now));
}

struct config *load(const char *pairs, const char *policies)
{
	struct config *loaded;
	char *text;

	assert_true(asprintf(&text, "%ssecurity_associations = ( %s );\npolicies = ( %s );\n", head,
			    pairs, policies) > 0);
	loaded = config_of(text);
	free(text);
	return loaded;
}

void attach(void)
{
	esp_dataplane_session(dataplane, &attachment);
	mirror_attach(mirror, &attachment);
	ipsec_attached(ipsec, &attachment, now);
	settle();
	assert_true(mirror_synced(mirror));
}

void control_starts(struct config *with)
{
	control_bed_start(with,
		&(struct ipsec_ops){.tell = tell, .send = send_record, .inner_lost = inner_lost},
		on_done, on_event);
}

void control_dies(void)
{
	control_bed_end();
}

int setup(void **state)
{
	control_bed_open();
	memset(told, 0, sizeof(told));
	lost = 0;
	injected_count = 0;
	inject_room = 100;
	return 0;
}

int teardown(void **state)
{
	control_dies();
	control_bed_close();
	return 0;
}

char both[2000], both_policies[1000];

struct config *load_both(void)
{
	snprintf(both, sizeof(both), "%s, %s", pair_b, pair_c);
	snprintf(both_policies, sizeof(both_policies), "%s, %s", policy_b, policy_rest);
	return load(both, both_policies);
}

struct sa *live(enum sa_direction direction, const char *name)
{
	struct sa *sa = sa_database_named(ipsec_associations(ipsec), direction, name);

	assert_non_null(sa);
	return sa;
}

struct event mapping_to(const char *address, uint16_t port)
{
	struct event event = {.type = EVENT_SA_MAPPING,
		.id = live(SA_INBOUND, "b")->command.sa_id,
		.udp_port = htons(port)};

	assert_int_equal(ip_address_parse(address, &event.address), 0);
	return event;
}
