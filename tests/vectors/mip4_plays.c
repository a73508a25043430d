// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/vectors/mip4_plays.h"

#include "control/home/gratuitous_arp.h"
#include "control/mip4/engine.h"
#include "tests/scenario/home.h"

/* Plays it at its own clock; what left is in home->sent. */
static void play(struct home *h, const char *name)
{
	const struct vector *v = vector_find(name);
	struct punt_record record;

	if (v->clock_unix)
		home_at(h, v->clock_unix);
	assert_true(punt_from_packet(v->bytes, v->length, &record));
	record.port = 0;
	memcpy(record.source_mac, "\x02\x00\x00\x00\x00\x10", 6);
	h->sent_count = 0;
	home_receive(h, &record);
}

static int code(const struct home *h)
{
	struct mip4_message reply;

	if (!home_reply(h, &reply))
		return -1;
	assert_int_equal(reply.type, MIP4_REGISTRATION_REPLY);
	return reply.reply.code;
}

/* HA4-RRP-15 leaves TTL and DSCP to us, IP identification is free: addresses and all of UDP are
 * not. */
static void assert_emitted(const struct home *h, const char *name)
{
	const struct vector *v = vector_find(name);

	assert_int_equal(h->sent_count, 1);
	assert_int_equal(h->sent[0].length, v->length);
	assert_memory_equal(h->sent[0].data + 12, v->bytes + 12, v->length - 12);
	assert_int_equal(h->sent[0].data[0], 0x45);
	assert_true(h->sent[0].data[8] >= 64);
	assert_int_equal(h->sent[0].data[9], 17);
	assert_true(h->sent[0].flags & INJECT_BYPASS_BINDING); // HA4-MSG-11
}

static struct home *fresh(void)
{
	return home_new(NULL);
}

#define ONE_NODE(extra)                                                                            \
	"mobile_nodes = ( { nai = \"mn1@example.com\"; " extra " security = ( { spi = 0x100;"      \
	" key = \"0123456789abcdeffedcba9876543210\"; } ); } );\n"

static const char dynamic_config[] = "instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\" "
				     "]; dynamic_ha = true; node_rate = 0;"
				     " home_networks = ( { prefix = \"10.1.0.0/16\"; } );"
				     " pools = ( { name = \"dynamic\"; first = \"10.1.0.77\"; last "
				     "= \"10.1.0.79\"; } ); } );\n" ONE_NODE("");

static const char redirect_config[] = "instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\" "
				      "]; dynamic_ha = true; node_rate = 0;"
				      " redirect = [ \"192.0.2.2\" ]; home_networks = ( { prefix = "
				      "\"10.1.0.0/16\"; } ); } );\n" ONE_NODE("");

static const char service_config[] =
	"instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\" ]; services = [ \"internet\" "
	"]; node_rate = 0;"
	" message = \"service not allowed\"; home_networks = ( { prefix = \"10.1.0.0/16\"; } ); } "
	");\n" ONE_NODE("home_address = \"10.1.0.10\";");

static const char internal_config[] =
	"instances = ( { name = \"inner\"; role = \"i-HA\"; addresses = [ \"10.0.0.1\" ]; "
	"nat_force = true; node_rate = 0;"
	" trusted = [ \"10.9.0.0/24\" ]; tunnel_inner = [ \"10.9.0.0/24\" ];"
	" home_networks = ( { prefix = \"10.1.0.0/16\"; } ); } );\n" ONE_NODE(
		"home_address = \"10.1.0.10\"; nat_force = true;");

void play_v01(void)
{
	struct home *h = fresh();
	const struct binding_command *b;

	play(h, "V01");
	assert_emitted(h, "V02");
	b = home_live(h, "10.1.0.10");
	assert_non_null(b);
	assert_int_equal(b->encapsulation, ENCAPSULATION_IPIP);
	assert_int_equal(b->flags, BINDING_REVERSE | BINDING_COLOCATED);
	struct ip_address care_of = address_of("198.51.100.23");
	assert_true(ip_address_equal(&b->care_of_address, &care_of));
	assert_int_equal(home_binding(h, "10.1.0.10")->lifetime_s, 600);
	home_free(h);
}

void play_v03(void)
{
	struct home *h = fresh();
	const struct binding_command *b;

	play(h, "V03");
	assert_emitted(h, "V04");
	b = home_live(h, "10.1.0.10");
	struct ip_address nat = address_of("203.0.113.7"), field = address_of("192.168.1.23");
	assert_true(ip_address_equal(&b->care_of_address, &nat)); // HA4-NAT-07
	assert_true(ip_address_equal(&b->care_of_field, &field));
	assert_int_equal(b->care_of_port, (be16)__builtin_bswap16(40007));
	assert_true(b->flags & BINDING_UDP);
	home_free(h);
}

void play_v08(void)
{
	struct home *h = fresh();

	play(h, "V01");
	assert_int_equal(h->arrived_count, 1); // HA4-HOME-03, V10's occasion
	const struct vector *v = vector_find("V08");
	struct punt_record record;
	home_at(h, v->clock_unix);
	assert_true(punt_from_packet(v->bytes, v->length, &record));
	record.port = 1; /* the home link */
	memcpy(record.source_mac, "\x02\x00\x00\x00\x00\x10", 6);
	h->sent_count = 0;
	home_receive(h, &record);
	assert_emitted(h, "V09");
	assert_int_equal(h->sent[0].kind, INJECT_DATAGRAM_TO_MAC); // HA4-HOME-09
	assert_int_equal(h->sent[0].port, 1);
	assert_memory_equal(h->sent[0].mac, record.source_mac, 6);
	assert_null(home_live(h, "10.1.0.10"));
	assert_int_equal(h->returned_count, 1); // HA4-HOME-06, V11's occasion
	assert_true(h->returned.has_mac);
	assert_memory_equal(h->returned.mac, record.source_mac, 6);
	home_free(h);
}

void play_v12(void)
{
	struct home *h = fresh();

	play(h, "V12");
	assert_emitted(h, "V13");
	assert_null(home_binding(h, "10.1.0.10"));
	assert_int_equal(home_counter(h, MIP4_ID_MISMATCH), 1);
	home_free(h);
}

void play_v14(void)
{
	struct home *h = fresh();

	/* V15's own clock reads one second later: the dataplane took that long. */
	h->hold = true;
	play(h, "V14");
	assert_int_equal(h->sent_count, 0); // HA4-REG-21
	home_pass(h, 1);
	home_acknowledge(h);
	h->hold = false;
	assert_emitted(h, "V15");
	const struct binding *b = home_binding(h, "10.1.0.10");
	assert_true(b->revocation.negotiated);
	assert_true(b->revocation.inform);

	home_at(h, 0x6955bb58);
	h->sent_count = 0;
	mip4_engine_clear(h->engine, b->id, h->now);
	assert_emitted(h, "V16");
	assert_null(home_live(h, "10.1.0.10"));
	play(h, "V17");
	assert_int_equal(home_counter(h, MIP4_REVOCATION_ACKED), 1);
	h->sent_count = 0;
	home_pass(h, 30);
	assert_int_equal(h->sent_count, 0); /* no retransmission any more */
	home_free(h);
}

void play_v18(void)
{
	struct home *h = home_new(dynamic_config);

	play(h, "V18");
	assert_emitted(h, "V19");
	home_free(h);
	h = fresh(); /* RFC 4433 off */
	play(h, "V18");
	assert_int_equal(code(h), 136);
	struct mip4_message reply;
	home_reply(h, &reply);
	struct ip_address own = address_of("192.0.2.1");
	assert_int_equal(reply.reply.home_agent, ip_address_v4(&own));
	home_free(h);
}

void play_v20(void)
{
	struct home *h = home_new(redirect_config);

	play(h, "V18");
	assert_emitted(h, "V20");
	home_free(h);
}

void play_v25(void)
{
	struct home *h = home_new(internal_config);
	const struct vector *v = vector_find("V25");
	struct punt_record record;

	home_at(h, v->clock_unix);
	h->owned_sa = 7;
	for (unsigned way = 0; way < 4; way++) {
		static const enum mip4_counter want[] = {
			MIP4_UNTRUSTED_ZONE, MIP4_TUNNEL_INNER_SOURCE, MIP4_TUNNEL_INNER_SOURCE};
		punt_from_packet(v->bytes, v->length, &record);
		record.port = way == 1; /* clear outside; clear inside; another's SA; its own SA */
		record.layer_count = way >= 2;
		record.layers[0] = (struct decap_layer){.kind = DECAP_ESP, .id = way == 2 ? 8 : 7};
		h->sent_count = 0;
		home_receive(h, &record);
		if (way < 3) { // HA4-TNC-03, HA4-MODE-03
			assert_int_equal(h->sent_count, 0);
			assert_true(home_counter(h, want[way]) >= 1);
		}
	}
	assert_emitted(h, "V26");
	const struct binding_command *b = home_live(h, "10.1.0.10");
	assert_true(b->flags & BINDING_REQUIRES_IPSEC); // HA4-MODE-06
	assert_int_equal(b->sa_id, 7);
	home_free(h);
}

void play_v38(void)
{
	struct home *h = home_new(internal_config);
	const struct vector *v = vector_find("V38");
	struct punt_record record;
	struct mip4_message reply;
	struct mip4_udp_tunnel_reply udp;

	home_at(h, v->clock_unix);
	h->owned_sa = 7;
	punt_from_packet(v->bytes, v->length, &record);
	record.layer_count = 1;
	record.layers[0] = (struct decap_layer){.kind = DECAP_ESP, .id = 7};
	home_receive(h, &record);
	assert_int_equal(code(h), 0);
	home_reply(h, &reply);
	assert_true(mip4_extension_find(&reply, MIP4_EXT_TNC, 0) >= 0);
	int i = mip4_extension_find(&reply, MIP4_EXT_UDP_TUNNEL_REPLY, 0);
	assert_true(i >= 0 && i < mip4_extension_find(&reply, MIP4_EXT_MOBILE_HOME_AUTH, 0));
	assert_true(mip4_udp_tunnel_reply_read(&reply, &reply.extensions[i], &udp));
	assert_true(udp.forced); // HA4-NAT-08
	assert_int_equal(udp.code, 0);
	home_free(h);
}

void play_v30(void)
{
	struct home *h = fresh();

	play(h, "V30");
	assert_emitted(h, "V31");
	assert_int_equal(h->prefix_sets, 1);
	assert_int_equal(home_binding(h, "10.1.0.10")->prefix_count, 1);
	home_free(h);
}

void play_v32(void)
{
	struct home *h = home_new(service_config);
	static const uint8_t service[] = {151, 4, 'g', 'o', 'l', 'd'};
	struct ask ask = {
		.flags = MIP4_D | MIP4_T,
		.lifetime_s = 600,
		.nai = "mn1@example.com",
		.identification = 0xed0037c610000032, /* V32's own */
		.extensions = service,
		.extensions_length = sizeof(service),
	};

	home_at(h, vector_find("V32")->clock_unix);
	assert_int_equal(ask_send(h, &ask), 151);
	assert_emitted(h, "V32");
	home_free(h);
}

void play_v33(void)
{
	struct home *h = home_new(dynamic_config);
	struct mip4_message reply;

	play(h, "V33");
	assert_int_equal(code(h), 0);
	home_reply(h, &reply);
	struct ip_address assigned = address_of("10.1.0.77");
	assert_int_equal(reply.reply.home_address, ip_address_v4(&assigned));
	home_free(h);
}

void play_code(const char *name, int want)
{
	struct home *h = fresh();

	play(h, name);
	assert_int_equal(code(h), want);
	if (want >= 128)
		assert_null(home_binding(h, "10.1.0.10")); // HA4-REG-02
	assert_true(mip4_counters_balance(h->engine));     // HA4-BAD-01
	home_free(h);
}

void play_encapsulation(const char *name, uint8_t encapsulation)
{
	struct home *h = fresh();

	play(h, name);
	assert_int_equal(code(h), 0);
	assert_int_equal(home_live(h, "10.1.0.10")->encapsulation, encapsulation);
	home_free(h);
	/* Switched off: 139, for T is set (HA4-REG-15). */
	h = home_new("instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\" ]; gre = false; "
		     "minimal = false;"
		     " node_rate = 0; home_networks = ( { prefix = \"10.1.0.0/16\"; } ); } "
		     ");\n" ONE_NODE("home_address = \"10.1.0.10\";"));
	play(h, name);
	assert_int_equal(code(h), 139);
	home_free(h);
}

void play_drop(const char *name, enum mip4_counter reason)
{
	struct home *h = fresh();

	play(h, name);
	assert_int_equal(h->sent_count, 0);
	for (unsigned c = MIP4_DISCARD_FIRST; c <= MIP4_DISCARD_LAST; c++)
		assert_int_equal(home_counter(h, c), c == reason);
	assert_int_equal(binding_cache_count(mip4_show_cache(h->engine)), 0);
	assert_int_equal(mip4_show_node_count(h->engine), 0); // HA4-AUTH-10
	assert_true(mip4_counters_balance(h->engine));
	home_free(h);
}

void play_authentication(const char *name)
{
	struct home *h = fresh();
	struct mip4_message reply;

	play(h, name);
	assert_int_equal(code(h), 131);
	home_reply(h, &reply);
	assert_true(mip4_extension_find(&reply, MIP4_EXT_MOBILE_HOME_AUTH, 0) >= 0); // HA4-RRP-09
	assert_int_equal(home_counter(h, MIP4_AUTH_FAIL), 1);
	assert_int_equal(mip4_show_node_count(h->engine), 0);
	struct mip4_violation violation;
	assert_true(mip4_show_violation(h->engine, 0, &violation)); // HA4-BAD-06
	assert_int_equal(violation.counter, MIP4_AUTH_FAIL);
	home_free(h);
}

void play_n13(void)
{
	struct home *h = fresh();

	play(h, "N13");
	assert_int_equal(code(h), 0);
	for (unsigned at = 0; at + 4 < h->sent[0].length; at++)
		assert_memory_not_equal(h->sent[0].data + at, "evil", 4); // HA4-EXT-12
	assert_string_equal(
		mip4_show_nai(h->engine, home_binding(h, "10.1.0.10")), "mn1@example.com");
	home_free(h);
}

void play_n20(void)
{
	struct home *h = fresh();
	struct mip4_message reply;
	struct mip4_udp_tunnel_reply udp;

	play(h, "N20");
	assert_int_equal(code(h), 0);
	home_reply(h, &reply);
	int i = mip4_extension_find(&reply, MIP4_EXT_UDP_TUNNEL_REPLY, 0);
	assert_true(i >= 0);
	mip4_udp_tunnel_reply_read(&reply, &reply.extensions[i], &udp);
	assert_true(udp.forced);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_UDP);
	home_free(h);
}

static struct inject_record arp_frame;

static bool arp_mac(void *context, uint16_t port, uint8_t mac[6])
{
	(void)port;
	memcpy(mac, context, 6);
	return true;
}

static bool arp_send(void *context, const struct inject_record *record)
{
	(void)context;
	arp_frame = *record;
	return true;
}

/* The engine's home_arrived and home_returned become these frames: HA4-HOME-03, -06. */
static void play_arp(const char *name, bool returned)
{
	const struct vector *v = vector_find(name);
	uint8_t ours[6] = {2, 0, 0, 0, 0, 0x99};
	struct gratuitous_arp_announcement what = {.home_address = address_of("10.1.0.10"),
		.port = 1,
		.count = 1,
		.has_mac = returned};

	/* Whose hardware address it is lies in the vector: sender hardware, octets 8-13. */
	memcpy(returned ? what.mac : ours, v->bytes + 8, 6);
	struct gratuitous_arp_ops ops = {.context = ours, .port_mac = arp_mac, .send = arp_send};
	struct gratuitous_arp *arp = gratuitous_arp_new(4, &ops, 1);
	gratuitous_arp_announce(arp, &what, 1);
	assert_int_equal(arp_frame.kind, INJECT_FRAME);
	assert_memory_equal(arp_frame.data, "\xff\xff\xff\xff\xff\xff", 6);
	assert_memory_equal(arp_frame.data + 14, v->bytes, v->length);
	gratuitous_arp_free(arp);
}

void play_v10(void)
{
	play_arp("V10", false);
}

void play_v11(void)
{
	play_arp("V11", true);
}
