/*
 * A reader on its own thread looks home addresses up while the writer moves them. Every tunnel that
 * it sees must be whole: the outer header, the care-of address and the port of one and the same
 * handover (HA4-REG-22). Free of EAL, so that it also runs under TSan.
 */
#include "tests/unit/dataplane/table/table_fixture.h"

#include <pthread.h>
#include <rte_rcu_qsbr.h>

#define HOMES 64
#define MOVES 60000

static struct tables *tables;
static _Atomic bool done;
static _Atomic uint64_t seen;
static _Atomic unsigned torn;

static struct ip_address home_number(unsigned n)
{
	struct ip_address a = address("10.1.0.0");
	a.bytes[15] = (uint8_t)n;
	return a;
}

static bool tunnel_whole(const struct tunnel *tunnel)
{
	/* The writer puts the same number into address and port. */
	const struct ip_address care_of = tunnel_care_of_address(tunnel);
	uint16_t port = ntohs(tunnel_care_of_port(tunnel));

	return care_of.bytes[14] == port >> 8 && care_of.bytes[15] == (uint8_t)port;
}

static void *reader(void *unused)
{
	struct rte_rcu_qsbr *qsbr = tables_qsbr(tables);
	unsigned n = 0;

	rte_rcu_qsbr_thread_online(qsbr, 0);
	while (!atomic_load(&done)) {
		for (unsigned i = 0; i < 32; i++) {
			struct ip_address a = home_number(n++ % HOMES);
			const struct tunnel *tunnel = tables_home_lookup(tables, 0, &a);
			if (tunnel && (!tunnel_whole(tunnel) ||
					      !ip_address_equal(&tunnel->home_address, &a)))
				atomic_fetch_add(&torn, 1);
			atomic_fetch_add(&seen, tunnel != NULL);
		}
		rte_rcu_qsbr_quiescent(qsbr, 0);
	}
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	return NULL;
}

static void move(unsigned id, uint16_t number)
{
	struct command c = udp_binding_command(id, "10.1.0.0", "198.51.0.0", number);

	c.binding.home_address = home_number(id);
	c.binding.care_of_address.bytes[14] = (uint8_t)(number >> 8);
	c.binding.care_of_address.bytes[15] = (uint8_t)number;
	int error;
	while ((error = tables_apply(tables, &c)) == EAGAIN)
		sched_yield();
	assert_int_equal(error, 0);
}

static void reader_sees_whole_tunnels(void **state)
{
	struct region_limits limits = {.workers = 1, .ports = 1, .bindings = HOMES};
	struct command agent = agent_command("192.0.2.1");
	pthread_t thread;

	tables = tables_new(&limits, 1);
	assert_int_equal(tables_apply(tables, &agent), 0);
	assert_int_equal(pthread_create(&thread, NULL, reader, NULL), 0);
	for (unsigned i = 0; i < MOVES || atomic_load(&seen) < 100000; i++) {
		move(i % HOMES, (uint16_t)(1 + i % 60000));
		if (i % 7 == 0) {
			struct command gone = plain_command(COMMAND_BINDING_REMOVE);
			gone.binding.binding_id = (i * 13) % HOMES;
			assert_int_equal(tables_apply(tables, &gone), 0);
		}
		if (i % 16 == 0)
			tables_publish(tables);
	}
	uint64_t token = tables_publish(tables); // HA4-REG-21: applied = every worker has passed
	while (!tables_synced(tables, token))
		sched_yield();
	assert_int_equal(tables_waiting(tables), 0);
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	assert_int_equal(torn, 0);
	assert_true(seen >= 100000);
	tables_free(tables);
}

/* Nothing is given back while a worker is inside its burst. */
static void token_waits_for_the_worker(void **state)
{
	struct region_limits limits = {.workers = 1, .ports = 1, .bindings = HOMES};
	struct command agent = agent_command("192.0.2.1");

	tables = tables_new(&limits, 1);
	assert_int_equal(tables_apply(tables, &agent), 0);
	move(0, 1);
	rte_rcu_qsbr_thread_online(tables_qsbr(tables), 0);
	move(0, 2);
	uint64_t token = tables_publish(tables);
	assert_false(tables_synced(tables, token));
	assert_true(tables_waiting(tables) > 0);
	rte_rcu_qsbr_quiescent(tables_qsbr(tables), 0);
	assert_true(tables_synced(tables, token));
	assert_int_equal(tables_waiting(tables), 0);
	move(0, 3);
	token = tables_publish(tables);
	assert_false(tables_synced(tables, token));
	rte_rcu_qsbr_thread_offline(tables_qsbr(tables), 0); // asleep: holds up nobody
	assert_true(tables_synced(tables, token));
	tables_free(tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_waits_for_the_worker),
		cmocka_unit_test(reader_sees_whole_tunnels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
