// control/home/gratuitous_arp: bytes of V10 and V11, repetition, replacement, pace. Simulated time.
#include "control/home/gratuitous_arp.h"
#include "lib/wire/arp.h"
#include "lib/wire/ethernet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define S CLOCK_NS_PER_S

static const uint8_t agent_mac[6] = {2, 0, 0, 0, 0, 2}, node_mac[6] = {2, 0, 0, 0, 0, 1};

struct world {
	struct gratuitous_arp *arp;
	struct inject_record last;
	unsigned sent;
	bool blocked;
};

static bool port_mac(void *context, uint16_t port, uint8_t mac[6])
{
	assert_int_equal(port, 1);
	memcpy(mac, agent_mac, 6);
	return true;
}

static bool take(void *context, const struct inject_record *record)
{
	struct world *world = context;
	if (world->blocked)
		return false;
	world->last = *record;
	world->sent++;
	return true;
}

static struct world *world_new(void)
{
	static struct world world;
	world = (struct world){0};
	struct gratuitous_arp_ops ops = {.context = &world, .port_mac = port_mac, .send = take};
	world.arp = gratuitous_arp_new(2000, &ops, 0);
	assert_non_null(world.arp);
	return &world;
}

static struct gratuitous_arp_announcement away(uint32_t host, unsigned count)
{
	struct gratuitous_arp_announcement a = {.port = 1, .count = count};
	char text[32];
	snprintf(text, sizeof(text), "10.1.%u.%u", host >> 8, host & 255);
	assert_int_equal(ip_address_parse(text, &a.home_address), 0);
	return a;
}

static void run_to(struct world *world, monotonic from, monotonic to)
{
	for (monotonic now = from; now <= to; now += S / 100)
		gratuitous_arp_tick(world->arp, now);
}

/* The frame's ARP must be the vector's 28 octets, sent to everybody from our own address. */
static void assert_frame(const struct inject_record *record, const char *octets)
{
	assert_int_equal(record->kind, INJECT_FRAME);
	assert_int_equal(record->port, 1);
	assert_int_equal(record->length, ETHERNET_HEADER_SIZE + ARP_SIZE);
	assert_memory_equal(record->data, ethernet_broadcast, 6);
	assert_memory_equal(record->data + 6, agent_mac, 6);
	assert_memory_equal(record->data + 12, "\x08\x06", 2);
	assert_memory_equal(record->data + 14, octets, ARP_SIZE);
}

static void arrival_is_v10(void **state) // HA4-HOME-03
{
	struct world *world = world_new();
	struct gratuitous_arp_announcement a = away(10, 1);
	gratuitous_arp_announce(world->arp, &a, 0);
	assert_int_equal(world->sent, 1);
	assert_frame(&world->last,
		"\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x02\x0a\x01"
		"\x00\x0a\x00\x00\x00\x00\x00\x00\x0a\x01\x00\x0a");
	gratuitous_arp_free(world->arp);
}

static void return_is_v11(void **state) // HA4-HOME-06, HA4-HOME-07
{
	struct world *world = world_new();
	struct gratuitous_arp_announcement a = away(10, 1);
	a.has_mac = true;
	memcpy(a.mac, node_mac, 6);
	gratuitous_arp_announce(world->arp, &a, 0);
	assert_frame(&world->last,
		"\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x01\x0a\x01"
		"\x00\x0a\x00\x00\x00\x00\x00\x00\x0a\x01\x00\x0a");
	gratuitous_arp_free(world->arp);
}

static void repeats_three_times_a_second_apart(void **state) // HA4-HOME-04
{
	struct world *world = world_new();
	struct gratuitous_arp_announcement a = away(10, 3);
	gratuitous_arp_announce(world->arp, &a, 0);
	run_to(world, 0, S - S / 100);
	assert_int_equal(world->sent, 1);
	run_to(world, S, S + S / 10);
	assert_int_equal(world->sent, 2);
	run_to(world, 2 * S, 10 * S);
	assert_int_equal(world->sent, 3);
	assert_int_equal(gratuitous_arp_waiting(world->arp), 0);
	assert_int_equal(gratuitous_arp_sent(world->arp), 3);
	gratuitous_arp_free(world->arp);
}

static void stops_when_the_state_changes(void **state) // HA4-HOME-04, HA4-HOME-07
{
	struct world *world = world_new();
	struct gratuitous_arp_announcement a = away(10, 3);
	gratuitous_arp_announce(world->arp, &a, 0);
	// Home again before the second: from now on only the node's own address is told.
	struct gratuitous_arp_announcement home = a;
	home.has_mac = true;
	memcpy(home.mac, node_mac, 6);
	gratuitous_arp_announce(world->arp, &home, S / 2);
	assert_int_equal(world->sent, 2);
	run_to(world, S / 2, 10 * S);
	assert_int_equal(world->sent, 4);
	assert_memory_equal(world->last.data + 14 + 8, node_mac, 6);
	// Expiry: silence.
	gratuitous_arp_announce(world->arp, &a, 20 * S);
	gratuitous_arp_stop(world->arp, 0, &a.home_address);
	run_to(world, 20 * S, 30 * S);
	assert_int_equal(world->sent, 5);
	gratuitous_arp_free(world->arp);
}

static void waits_without_losing_a_repetition(void **state)
{
	struct world *world = world_new();
	struct gratuitous_arp_announcement a = away(10, 2);
	world->blocked = true;
	gratuitous_arp_announce(world->arp, &a, 0);
	run_to(world, 0, 5 * S);
	assert_int_equal(world->sent, 0);
	world->blocked = false;
	run_to(world, 5 * S, 20 * S);
	assert_int_equal(world->sent, 2);
	gratuitous_arp_free(world->arp);
}

static void restored_bindings_are_paced(void **state) // HA4-HOME-12
{
	struct world *world = world_new();
	for (unsigned i = 0; i < 2000; i++) {
		struct gratuitous_arp_announcement a = away(i + 1, 1);
		a.paced = true;
		gratuitous_arp_announce(world->arp, &a, 0);
	}
	for (monotonic now = 0; now < S / 2; now += S / 1000)
		gratuitous_arp_tick(world->arp, now);
	assert_in_range(world->sent, 490, 510);
	for (monotonic now = S / 2; now < 2 * S + S / 10; now += S / 1000)
		gratuitous_arp_tick(world->arp, now);
	assert_int_equal(world->sent, 2000);
	gratuitous_arp_free(world->arp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrival_is_v10),
		cmocka_unit_test(return_is_v11),
		cmocka_unit_test(repeats_three_times_a_second_apart),
		cmocka_unit_test(stops_when_the_state_changes),
		cmocka_unit_test(waits_without_losing_a_repetition),
		cmocka_unit_test(restored_bindings_are_paced),
	};
	return cmocka_run_group_tests_name("control/home/gratuitous_arp", tests, NULL, NULL);
}
