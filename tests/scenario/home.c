#include "tests/scenario/home.h"

#include "control/mip4/authenticate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static const char ports[] =
	"dataplane = { workers = 1; huge_pages = false; max_bindings = %u; max_prefixes = 1000; "
	"ports = ("
	" { name = \"outside\"; device = \"net_null0\"; zone = \"external\"; },"
	" { name = \"inside\"; device = \"net_null1\"; zone = \"internal\"; } ); };\n";

#define KEY_NODE  "0123456789abcdeffedcba9876543210"
#define KEY_AGENT "00112233445566778899aabbccddeeff"

const char home_config[] =
	"instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\", \"192.0.2.3\" ];"
	" home_networks = ( { prefix = \"10.1.0.0/16\"; port = \"inside\"; } );"
	" pools = ( { name = \"dynamic\"; first = \"10.1.0.77\"; last = \"10.1.0.79\"; } );"
	" keepalive_s = 30; nat_force = true; gre = true; minimal = true; nemo = true;"
	" node_rate = 0; police_endpoint_rate = 1000000; police_endpoint_burst = 1000000; "
	"police_source_rate = 1000000; } );\n"
	"mobile_nodes = ( { nai = \"mn1@example.com\"; home_address = \"10.1.0.10\";"
	" nat_force = true; mobile_router = true; networks = [ \"10.50.1.0/24\" ];"
	" security = ( { spi = 0x100; key = \"" KEY_NODE "\"; } ); } );\n"
	"foreign_agents = ( { address = \"198.51.100.254\"; security = ( { spi = 0x200; key = "
	"\"" KEY_AGENT "\"; } ); }, { address = \"198.51.100.253\"; } );\n";

struct ip_address address_of(const char *text)
{
	struct ip_address a;

	if (ip_address_parse(text, &a) < 0) {
		fprintf(stderr, "test: bad address %s\n", text);
		abort();
	}
	return a;
}

static void ops_send(void *context, const struct inject_record *record)
{
	struct home *h = context;

	if (h->sent_count < HOME_SENT_MAX)
		h->sent[h->sent_count] = *record;
	h->sent_count++;
}

static uint64_t refuse(struct home *h, int error)
{
	if (h->refused_count < 64) {
		h->refused[h->refused_count] = ++h->ticket;
		h->refused_errno[h->refused_count++] = error;
	}
	return h->ticket;
}

static uint64_t ops_binding_set(void *context, const struct binding_command *command)
{
	struct home *h = context;

	h->sets++;
	if (h->full)
		return 0;
	if (h->refuse)
		return refuse(h, h->refuse);
	if (command->binding_id >= h->size)
		abort();
	if (!h->is_live[command->binding_id])
		h->live_count++;
	else if (!ip_address_equal(
			 &h->live[command->binding_id].home_address, &command->home_address))
		abort(); /* a slot changes its home address only after a remove */
	h->is_live[command->binding_id] = true;
	h->live[command->binding_id] = *command;
	return ++h->ticket;
}

static uint64_t ops_binding_remove(void *context, const struct binding_command *command)
{
	struct home *h = context;

	h->removes++;
	if (command->binding_id < h->size && h->is_live[command->binding_id]) {
		h->is_live[command->binding_id] = false;
		h->live_count--;
	}
	return ++h->ticket;
}

static uint64_t ops_prefix_set(void *context, const struct prefix_command *command)
{
	struct home *h = context;

	(void)command;
	h->prefix_sets++;
	return h->refuse_prefix ? refuse(h, h->refuse_prefix) : ++h->ticket;
}

static uint64_t ops_prefix_remove(void *context, const struct prefix_command *command)
{
	struct home *h = context;

	(void)command;
	h->prefix_removes++;
	return ++h->ticket;
}

static void ops_arrived(void *context, const struct mip4_home_change *change)
{
	struct home *h = context;
	h->arrived = *change;
	h->arrived_count++;
}

static void ops_returned(void *context, const struct mip4_home_change *change)
{
	struct home *h = context;
	h->returned = *change;
	h->returned_count++;
}

static struct home_record *record_find(struct home *h, const void *key, size_t length)
{
	for (unsigned i = 0; i < h->record_count; i++)
		if (h->records[i].used && h->records[i].key_length == length &&
			memcmp(h->records[i].key, key, length) == 0)
			return &h->records[i];
	return NULL;
}

static void ops_store_put(
	void *context, const void *key, size_t key_length, const void *record, size_t length)
{
	struct home *h = context;
	struct home_record *r;

	if (h->no_store)
		return;
	r = record_find(h, key, key_length);
	if (!r) {
		h->records = realloc(h->records, (h->record_count + 1) * sizeof(*h->records));
		r = &h->records[h->record_count++];
	}
	if (!h->records || key_length > sizeof(r->key) || length > sizeof(r->data))
		abort();
	r->used = true;
	r->key_length = key_length;
	r->length = length;
	memcpy(r->key, key, key_length);
	memcpy(r->data, record, length);
}

static void ops_store_delete(void *context, const void *key, size_t key_length)
{
	struct home *h = context;
	struct home_record *r = h->no_store ? NULL : record_find(h, key, key_length);

	if (r)
		r->used = false;
}

static void ops_event(void *context, const struct mip4_event *event)
{
	struct home *h = context;

	h->event = *event;
	snprintf(h->event_text, sizeof(h->event_text), "%s", event->text);
	h->event.text = h->event_text;
	h->event.nai = NULL;
	h->event.binding = NULL;
	if (event->type == MIP4_EVENT_TRACE)
		snprintf(h->trace_texts[h->events[event->type] % 3], sizeof(h->trace_texts[0]),
			"%s", event->text);
	h->events[event->type]++;
}

static void ops_random(void *context, void *out, size_t length)
{
	struct home *h = context;
	uint8_t *at = out;

	for (size_t i = 0; i < length; i++) {
		h->random = h->random * 1664525 + 1013904223;
		at[i] = (uint8_t)(h->random >> 24);
	}
}

static bool ops_owned(void *context, uint32_t sa_id, const struct ip_address *address)
{
	(void)address;
	return ((struct home *)context)->owned_sa == sa_id;
}

static uint32_t ops_owner(void *context, uint16_t vrf, const struct ip_address *address)
{
	(void)vrf;
	(void)address;
	return ((struct home *)context)->inner_owner;
}

static const struct mip4_ops ops = {
	.send = ops_send,
	.binding_set = ops_binding_set,
	.binding_remove = ops_binding_remove,
	.prefix_set = ops_prefix_set,
	.prefix_remove = ops_prefix_remove,
	.home_arrived = ops_arrived,
	.home_returned = ops_returned,
	.store_put = ops_store_put,
	.store_delete = ops_store_delete,
	.event = ops_event,
	.random = ops_random,
	.inner_address_owned = ops_owned,
	.inner_address_owner = ops_owner,
};

struct config *home_config_load(const char *text, uint32_t bindings)
{
	struct config_error error;
	struct config *config;
	char *whole = NULL, *head = NULL;

	if (asprintf(&head, ports, bindings) < 0 || asprintf(&whole, "%s%s", head, text) < 0)
		abort();
	if (config_load_string(whole, "test", &config, &error, NULL) < 0) {
		fprintf(stderr, "%s\n%s\n", error.text, whole);
		abort();
	}
	free(head);
	free(whole);
	return config;
}

struct home *home_new(const char *text)
{
	struct home *h = calloc(1, sizeof(*h));
	const char *large = getenv("HOME_BINDINGS");

	h->size = large ? (uint32_t)atoi(large) : 1000;
	h->config = home_config_load(text ? text : home_config, h->size);
	h->live = calloc(h->size, sizeof(*h->live));
	h->is_live = calloc(h->size, sizeof(*h->is_live));
	h->now = (struct clock_now){
		.monotonic_ns = 5000 * CLOCK_NS_PER_S,
		.wall_ns = HOME_T0 * CLOCK_NS_PER_S,
	};
	if (mip4_engine_new(h->config, &ops, h, h->now, &h->engine) < 0)
		abort();
	mip4_engine_started(h->engine, true, h->now);
	return h;
}

void home_free(struct home *h)
{
	mip4_engine_free(h->engine);
	config_free(h->config);
	free(h->live);
	free(h->is_live);
	free(h->records);
	free(h);
}

void home_restart(struct home *h, bool keep)
{
	struct home_record *records = h->records;
	unsigned count = h->record_count;

	mip4_engine_free(h->engine);
	h->records = NULL;
	h->record_count = 0;
	if (mip4_engine_new(h->config, &ops, h, h->now, &h->engine) < 0)
		abort();
	for (unsigned i = 0; keep && i < count; i++) {
		if (!records[i].used)
			continue;
		ops_store_put(h, records[i].key, records[i].key_length, records[i].data,
			records[i].length);
		mip4_record_restore(h->engine, records[i].key, records[i].key_length,
			records[i].data, records[i].length, h->now);
	}
	free(records);
	mip4_engine_started(h->engine, keep, h->now);
}

void home_configure(struct home *h, const char *text)
{
	struct config *before = h->config;

	h->config = home_config_load(text, h->size);
	if (mip4_engine_configure(h->engine, h->config, h->now) < 0)
		abort();
	config_free(before);
}

void home_at(struct home *h, uint64_t unix_s)
{
	h->now.wall_ns = unix_s * CLOCK_NS_PER_S;
}

void home_acknowledge(struct home *h)
{
	for (unsigned i = 0; i < h->refused_count; i++)
		mip4_transaction_done(h->engine, h->refused[i], h->refused_errno[i], h->now);
	h->refused_count = 0;
	/* Completing one transaction issues commands of the next phase. */
	while (h->acknowledged != h->ticket) {
		h->acknowledged = h->ticket;
		mip4_transaction_done(h->engine, h->ticket, 0, h->now);
		for (unsigned i = 0; i < h->refused_count; i++)
			mip4_transaction_done(
				h->engine, h->refused[i], h->refused_errno[i], h->now);
		h->refused_count = 0;
	}
}

void home_pass(struct home *h, double seconds)
{
	uint64_t left = (uint64_t)(seconds * 1e9);

	while (left) {
		uint64_t step = left < CLOCK_NS_PER_S ? left : CLOCK_NS_PER_S;
		h->now.monotonic_ns += step;
		h->now.wall_ns += step;
		left -= step;
		while (mip4_engine_tick(h->engine, h->now) <= h->now.monotonic_ns)
			;
		if (!h->hold)
			home_acknowledge(h);
	}
}

void home_receive(struct home *h, const struct punt_record *record)
{
	mip4_receive(h->engine, record, h->now);
	if (!h->hold)
		home_acknowledge(h);
}

static void authenticator_append(
	struct writer *w, uint8_t type, uint32_t spi, const char *key, bool bad)
{
	static struct authenticator *a;
	struct config_security context = {.spi = spi, .algorithm = ALGORITHM_HMAC_MD5};

	if (!a && authenticate_new(&a) < 0)
		abort();
	secret_from_hex(key, &context.key);
	uint8_t *room = mip4_authentication_write(w, type, spi, 16);
	authenticate_make(a, &context, w->start, (size_t)(room - w->start), room);
	if (bad)
		room[15] ^= 1;
}

void ask_authenticate(struct writer *w, uint32_t spi, bool bad)
{
	authenticator_append(w, MIP4_EXT_FOREIGN_HOME_AUTH, spi, KEY_AGENT, bad);
}

uint64_t ask_build(const struct home *h, const struct ask *ask, struct punt_record *record)
{
	static uint32_t serial;
	const char *home = ask->home_address ? ask->home_address : "10.1.0.10";
	const char *agent = ask->home_agent ? ask->home_agent : "192.0.2.1";
	const char *care_of = ask->care_of ? ask->care_of : "198.51.100.23";
	struct ip_address home_address = address_of(home), agent_address = address_of(agent),
			  care_of_address = address_of(care_of);
	struct mip4_request request = {
		.home_address = ip_address_v4(&home_address),
		.home_agent = ip_address_v4(&agent_address),
		.care_of_address = ip_address_v4(&care_of_address),
		.lifetime_s = ask->lifetime_s,
		.flags = ask->flags,
		.identification = ask->identification,
	};
	struct writer w = writer_make(record->data, MIP4_PAYLOAD_MAX);

	if (!request.identification)
		request.identification =
			(uint64_t)clock_ntp_seconds(h->now.wall_ns) << 32 | ++serial;
	memset(record, 0, offsetof(struct punt_record, data));
	mip4_request_write(&w, &request);
	record->data[1] = ask->flags; /* the builder never sets reserved bits; a test may */
	if (ask->nai)
		mip4_nai_write(&w, ask->nai, strlen(ask->nai));
	writer_bytes(&w, ask->extensions, ask->extensions_length);
	if (!ask->no_auth)
		authenticator_append(&w, MIP4_EXT_MOBILE_HOME_AUTH, ask->spi ? ask->spi : 0x100,
			ask->key ? ask->key : KEY_NODE, ask->bad_auth);
	writer_bytes(&w, ask->after, ask->after_length);
	if (ask->agent_spi)
		authenticator_append(
			&w, MIP4_EXT_FOREIGN_HOME_AUTH, ask->agent_spi, KEY_AGENT, ask->agent_bad);
	record->kind = PUNT_MOBILE_IPV4;
	record->length = (uint16_t)writer_length(&w);
	record->received_ns = h->now.monotonic_ns;
	record->source = address_of(ask->source ? ask->source : care_of);
	record->destination = address_of(ask->destination ? ask->destination : "192.0.2.1");
	record->source_port = htons(ask->source_port ? ask->source_port : 5434);
	record->destination_port = htons(MIP4_PORT);
	record->port = ask->port;
	record->vrf = ask->vrf;
	record->ttl = 64;
	memcpy(record->source_mac, "\x02\x00\x00\x00\x00\x10", 6);
	return request.identification;
}

bool home_reply(const struct home *h, struct mip4_message *message)
{
	if (h->sent_count == 0 || h->sent_count > HOME_SENT_MAX)
		return false;
	const struct inject_record *r = &h->sent[h->sent_count - 1];
	return mip4_parse(message, r->data + 28, r->length - 28u, false) == MIP4_OK;
}

int ask_send(struct home *h, const struct ask *ask)
{
	struct punt_record record;
	struct mip4_message reply;

	ask_build(h, ask, &record);
	h->sent_count = 0;
	home_receive(h, &record);
	if (!home_reply(h, &reply) || reply.type != MIP4_REGISTRATION_REPLY)
		return -1;
	return reply.reply.code;
}

uint64_t home_counter(const struct home *h, enum mip4_counter counter)
{
	return mip4_counters_of(h->engine, 0)->value[counter];
}

const struct binding *home_binding(const struct home *h, const char *home_address)
{
	struct ip_address a = address_of(home_address);
	return binding_cache_home(mip4_show_cache(h->engine), 0, &a);
}

const struct binding_command *home_live(const struct home *h, const char *home_address)
{
	struct ip_address a = address_of(home_address);

	for (uint32_t i = 0; i < h->size; i++)
		if (h->is_live[i] && ip_address_equal(&h->live[i].home_address, &a))
			return &h->live[i];
	return NULL;
}

bool punt_from_packet(const uint8_t *packet, size_t length, struct punt_record *record)
{
	memset(record, 0, offsetof(struct punt_record, data));
	if (length < 28 || packet[0] != 0x45 || packet[9] != 17)
		return false;
	size_t udp = (size_t)(packet[24] << 8 | packet[25]);
	if (udp < 8 || udp + 20 > length || udp - 8 > PACKET_RECORD_DATA_SIZE)
		return false;
	be32 source, destination;
	memcpy(&source, packet + 12, 4);
	memcpy(&destination, packet + 16, 4);
	memcpy(&record->source_port, packet + 20, 2);
	memcpy(&record->destination_port, packet + 22, 2);
	record->source = ip_address_from_v4(source);
	record->destination = ip_address_from_v4(destination);
	record->ttl = packet[8];
	record->kind = PUNT_MOBILE_IPV4;
	record->flags = packet[26] == 0 && packet[27] == 0 ? PUNT_UDP_ZERO_CHECKSUM : 0;
	record->length = (uint16_t)(udp - 8);
	memcpy(record->data, packet + 28, record->length);
	return true;
}
