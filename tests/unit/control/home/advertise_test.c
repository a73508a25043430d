// control/home/advertise: what is sent, when, to whom. Simulated time, fixed randomness.
#include "control/home/advertise.h"
#include "lib/ipc/command.h"
#include "lib/wire/ethernet.h"
#include "lib/wire/icmp.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S CLOCK_NS_PER_S

static const uint8_t agent_mac[6] = {2, 0, 0, 0, 0, 2}, node_mac[6] = {2, 0, 0, 0, 0, 1};

struct world {
	struct config config;
	struct config_instance instance;
	struct config_home_network networks[2];
	struct ip_address addresses[2];
	struct advertise *advertise;
	struct inject_record last;
	monotonic sent_at[64];
	unsigned sent;
	monotonic now;
	uint32_t random;
};

static bool port_mac(void *context, uint16_t port, uint8_t mac[6])
{
	memcpy(mac, agent_mac, 6);
	return true;
}

static bool take(void *context, const struct inject_record *record)
{
	struct world *world = context;
	world->last = *record;
	if (world->sent < 64)
		world->sent_at[world->sent] = world->now;
	world->sent++;
	return true;
}

static uint32_t random_number(void *context)
{
	struct world *world = context;
	return world->random = world->random * 1664525u + 1013904223u;
}

static struct world *world_new(void)
{
	static struct world w;
	w = (struct world){0};
	ip_address_parse("192.0.2.1", &w.addresses[0]);
	ip_address_parse("10.1.0.1", &w.addresses[1]);
	ip_prefix_parse("10.1.0.0/16", &w.networks[0].prefix);
	w.networks[0].port = 1;
	w.networks[0].advertise = true;
	w.networks[0].advertise_interval_s = 4;
	w.networks[0].advertise_prefix_lengths = true;
	ip_prefix_parse("10.9.0.0/16", &w.networks[1].prefix);
	w.networks[1].port = PORT_NONE;
	w.networks[1].advertise = true;
	w.instance.addresses = w.addresses;
	w.instance.address_count = 2;
	w.instance.home_networks = w.networks;
	w.instance.home_network_count = 2;
	w.instance.max_lifetime_s = 36000;
	w.instance.gre = true;
	w.instance.reverse_tunnel = true;
	w.instance.revocation = true;
	w.config.instances = &w.instance;
	w.config.instance_count = 1;
	struct advertise_ops ops = {
		.context = &w, .port_mac = port_mac, .send = take, .random = random_number};
	w.advertise = advertise_new(&w.config, &ops, 0);
	assert_non_null(w.advertise);
	return &w;
}

static void run_to(struct world *w, monotonic to)
{
	for (; w->now <= to; w->now += S / 100)
		advertise_tick(w->advertise, w->now);
}

static void contents(void **state) // HA4-HOME-15, -16, -17, -20
{
	struct world *w = world_new();
	run_to(w, S);
	assert_int_equal(w->sent, 1);
	struct ethernet_frame frame;
	struct ipv4_header ip;
	struct icmp_message icmp;
	assert_true(ethernet_parse(&frame, w->last.data, w->last.length));
	assert_memory_equal(frame.destination, "\x01\x00\x5e\x00\x00\x01", 6);
	assert_int_equal(ipv4_parse(&ip, frame.payload, frame.payload_length), IPV4_OK);
	assert_int_equal(ip.ttl, 1);
	assert_int_equal(ntohl(ip.destination), 0xe0000001);
	assert_int_equal(ntohl(ip.source), 0x0a010001); // the address on that link
	assert_true(icmp_parse(&icmp, ip.payload, ip.payload_length));
	assert_int_equal(icmp.type, 9);
	assert_int_equal(icmp.code, 0);
	assert_int_equal(icmp.rest, 1 << 24 | 2 << 16 | 12); // one router, lifetime three intervals
	// Router and preference, then extension 16: length 6, sequence 0, lifetime, H|G|T|X; 19
	// with /16.
	static const uint8_t expected[] = {
		10, 1, 0, 1, 0, 0, 0, 0, 16, 6, 0, 0, 0x8c, 0xa0, 0x25, 0x40, 19, 1, 16};
	assert_int_equal(icmp.data_length, sizeof(expected));
	assert_memory_equal(icmp.data, expected, sizeof(expected));
	advertise_free(w->advertise);
}

static void interval_is_a_little_random_and_never_longer(void **state) // HA4-HOME-18
{
	struct world *w = world_new();
	run_to(w, 100 * S);
	assert_in_range(w->sent, 25, 30);
	bool varies = false;
	for (unsigned i = 2; i < w->sent; i++) {
		uint64_t gap = w->sent_at[i] - w->sent_at[i - 1];
		assert_in_range(gap, 3 * S + S / 2, 4 * S + S / 50);
		varies |= gap != w->sent_at[i - 1] - w->sent_at[i - 2];
	}
	assert_true(varies);
	advertise_free(w->advertise);
}

static struct punt_record solicitation(be32 source, uint8_t ttl)
{
	struct punt_record record = {.kind = PUNT_AGENT_SOLICITATION, .port = 1};
	struct writer w = writer_make(record.data, sizeof(record.data));
	struct icmp_message icmp = {.type = 10};
	memcpy(record.source_mac, node_mac, 6);
	struct ipv4_header ip = {.total_length = 28,
		.ttl = ttl,
		.protocol = IP_PROTOCOL_ICMP,
		.source = source,
		.destination = htonl(0xe0000002)};
	ipv4_write(&w, &ip);
	icmp_write(&w, &icmp);
	record.length = (uint16_t)writer_length(&w);
	return record;
}

static void answers_a_solicitor_by_its_hardware_address(void **state) // HA4-HOME-14, HA4-HOME-19
{
	struct world *w = world_new();
	w->networks[0].advertise = false; // still answers
	advertise_configure(w->advertise, &w->config, 0);
	struct punt_record record = solicitation(htonl(0xc6336417), 7); // not of the link's prefix
	advertise_solicited(w->advertise, &record, 10 * S);
	assert_int_equal(w->sent, 1);
	assert_memory_equal(w->last.data, node_mac, 6);
	assert_memory_equal(w->last.data + 14 + 16, "\xc6\x33\x64\x17", 4);
	record = solicitation(0, 1);
	advertise_solicited(w->advertise, &record, 10 * S);
	assert_int_equal(w->sent, 2);
	assert_memory_equal(w->last.data + 14 + 16, "\xe0\x00\x00\x01", 4);
	// Damaged: ICMP checksum.
	record.data[22] ^= 1;
	advertise_solicited(w->advertise, &record, 10 * S);
	assert_int_equal(w->sent, 2);
	record = solicitation(0, 2);
	w->networks[0].solicit_ttl1 = true;
	advertise_solicited(w->advertise, &record, 10 * S);
	assert_int_equal(w->sent, 2);
	assert_int_equal(advertise_statistics_get(w->advertise).solicitations_ignored, 2);
	run_to(w, 60 * S);
	assert_int_equal(w->sent, 2);
	advertise_free(w->advertise);
}

static void solicited_ones_are_limited(void **state) // HA4-HOME-18
{
	struct world *w = world_new();
	struct punt_record record = solicitation(htonl(0x0a010010), 1);
	for (int i = 0; i < 1000; i++)
		advertise_solicited(w->advertise, &record, 10 * S);
	assert_int_equal(w->sent, 20);
	advertise_solicited(w->advertise, &record, 11 * S);
	assert_int_equal(w->sent, 21);
	advertise_free(w->advertise);
}

static void reload_keeps_the_sequence(void **state) // HA4-HOME-17
{
	struct world *w = world_new();
	run_to(w, 20 * S);
	unsigned before = w->sent;
	struct config again = w->config;
	assert_int_equal(advertise_configure(w->advertise, &again, w->now), 0);
	run_to(w, w->now + S);
	assert_true(w->sent > before);
	// Ethernet 14, IP 20, ICMP 8, router 8, type and length 2.
	assert_int_equal(w->last.data[52] << 8 | w->last.data[53], w->sent - 1);
	advertise_free(w->advertise);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents),
		cmocka_unit_test(interval_is_a_little_random_and_never_longer),
		cmocka_unit_test(answers_a_solicitor_by_its_hardware_address),
		cmocka_unit_test(solicited_ones_are_limited),
		cmocka_unit_test(reload_keeps_the_sequence),
	};
	return cmocka_run_group_tests_name("control/home/advertise", tests, NULL, NULL);
}
