/* SPD-24: wherever a policy's hits are counted, they are all there, once. */
#include "tests/unit/dataplane/table/policy_grace.h"
#include "tests/unit/dataplane/table/table_fixture.h"

#include "dataplane/table/policy_hits.h"
#include "dataplane/table/policy_host.h"
#include "dataplane/table/sa_table.h"

#define LIMIT 16u
#define SAS   8u

struct fixture {
	struct rte_rcu_qsbr *qsbr;
	struct retirement retirement;
	struct policy_table table;
	struct sa_table sas; /* its states alone */
	struct policy_line lines[LIMIT];
	uint64_t hits[LIMIT], expected[LIMIT];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->qsbr = aligned_alloc(64, rte_rcu_qsbr_get_memsize(1));
	assert_int_equal(rte_rcu_qsbr_init(f->qsbr, 1), 0);
	rte_rcu_qsbr_thread_register(f->qsbr, 0);
	rte_rcu_qsbr_thread_online(f->qsbr, 0);
	assert_int_equal(policy_table_init(&f->table, f->qsbr, &f->retirement, LIMIT), 0);
	assert_int_equal(
		retirement_init(&f->retirement, f->qsbr, policy_table_objects(&f->table)), 0);
	f->sas.count = SAS;
	f->sas.region.outbound = aligned_alloc(64, SAS * sizeof(*f->sas.region.outbound));
	memset(f->sas.region.outbound, 0, SAS * sizeof(*f->sas.region.outbound));
	f->sas.region.policies = f->lines;
	f->table.sas = &f->sas;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	policy_table_fini(&f->table);
	retirement_fini(&f->retirement);
	free(f->sas.region.outbound);
	free(f->qsbr);
	free(f);
	return 0;
}

static void grace(struct fixture *f)
{
	policy_grace(&f->table, &f->retirement);
}

/* Policy `id` is about 198.51.100.`id`. */
static void put(struct fixture *f, uint32_t id, uint32_t sa_id, uint32_t order)
{
	struct ip_address remote = ip_address_from_v4(htonl(0xc6336400u + id));
	struct policy_command c = {.policy_id = id,
		.order = order,
		.direction = SA_OUTBOUND,
		.action = POLICY_PROTECT,
		.sa_id = sa_id,
		.selector = {.local_first = address("0.0.0.0"),
			.local_last = address("255.255.255.255"),
			.remote_first = remote,
			.remote_last = remote,
			.local_port_last = UINT16_MAX,
			.remote_port_last = UINT16_MAX}};

	assert_int_equal(policy_table_check(&c), 0);
	assert_int_equal(policy_table_set(&f->table, &c, 0), 0);
}

static void commit(struct fixture *f)
{
	assert_int_equal(policy_table_commit(&f->table), 0);
}

static struct policy_entry *entry_of(struct fixture *f, uint32_t id)
{
	return slab_at(&f->table.entries, f->table.live[id]);
}

/* As a worker does it that decides by `e`. True: in the state of its SA. */
static bool hit(struct fixture *f, const struct policy_entry *e)
{
	struct sa_outbound_state *state = sa_outbound_state(&f->sas, e->sa_id);
	bool there = policy_hits_are_there(&f->table, e, state);

	f->expected[e->policy_id]++;
	if (there)
		state->policy_hits++;
	else
		f->hits[e->policy_id]++;
	return there;
}

static void assert_all(struct fixture *f)
{
	for (uint32_t id = 0; id < LIMIT; id++)
		assert_int_equal(
			f->hits[id] + policy_line_hits(&f->lines[id], f->sas.region.outbound, SAS),
			f->expected[id]);
}

static void one_policy_goes_from_sa_to_sa(void **state)
{
	struct fixture *f = *state;
	struct policy_entry *old;

	put(f, 1, 3, 10);
	commit(f);
	assert_true(hit(f, entry_of(f, 1)));
	assert_true(hit(f, entry_of(f, 1)));
	assert_all(f);
	old = entry_of(f, 1);
	put(f, 1, 4, 10);
	commit(f);
	assert_true(hit(f, old)); // a worker that has not passed yet
	assert_false(hit(f, entry_of(f, 1)));
	assert_all(f);
	grace(f);
	assert_all(f);
	assert_true(hit(f, entry_of(f, 1)));
	assert_int_equal(f->sas.region.outbound[4].policy_hits, 1);
	assert_int_equal(f->sas.region.outbound[3].policy_slot, 0);
	assert_all(f);
}

/* Another order: another entry of the same SA. */
static void one_policy_changes_beside_its_sa(void **state)
{
	struct fixture *f = *state;

	put(f, 1, 3, 10);
	commit(f);
	for (uint32_t order = 11; order < 15; order++) {
		const struct policy_entry *old = entry_of(f, 1);
		assert_true(hit(f, old));
		put(f, 1, 3, order);
		commit(f);
		assert_true(hit(f, old));
		assert_false(hit(f, entry_of(f, 1)));
		assert_all(f);
		grace(f);
		assert_all(f);
	}
	assert_true(hit(f, entry_of(f, 1)));
	assert_all(f);
}

/* The SA's next policy begins where the one before it ends, which keeps what it had. */
static void one_sa_goes_from_policy_to_policy(void **state)
{
	struct fixture *f = *state;

	for (uint32_t id = 1; id < 6; id++) {
		put(f, id, 3, 10);
		commit(f);
		for (uint32_t i = 0; i < id; i++)
			assert_true(hit(f, entry_of(f, id)));
		assert_int_equal(policy_table_remove(&f->table, id), 0);
		commit(f);
		assert_all(f);
		grace(f);
		assert_all(f);
	}
	assert_int_equal(f->sas.region.outbound[3].policy_hits, 1 + 2 + 3 + 4 + 5);
	assert_int_equal(policy_line_hits(&f->lines[4], f->sas.region.outbound, SAS), 4);
}

/* Two policies of one SA: one of them has the line. */
static void two_policies_of_one_sa(void **state)
{
	struct fixture *f = *state;

	put(f, 1, 3, 10);
	put(f, 2, 3, 10);
	commit(f);
	assert_true(hit(f, entry_of(f, 1)));
	assert_false(hit(f, entry_of(f, 2)));
	assert_int_equal(policy_table_remove(&f->table, 1), 0);
	commit(f);
	grace(f);
	assert_false(hit(f, entry_of(f, 2)));
	assert_all(f);
}

/* Several workers at once add to an SA's line: then none of them counts hits there. */
static void shared_lines_are_nobodys(void **state)
{
	struct fixture *f = *state;

	f->sas.shared = true;
	put(f, 1, 3, 10);
	put(f, 2, SAS, 10); // and there is no such SA
	commit(f);
	assert_false(hit(f, entry_of(f, 1)));
	assert_int_equal(f->lines[1].line, 0);
	assert_int_equal(f->lines[2].line, 0);
	assert_all(f);
}

/* A dataplane that died in the middle of a change, or wrote nonsense: the reader comes back. */
static void reader_ends(void **state)
{
	struct fixture *f = *state;
	struct policy_line line = {.rest = 5, .line = 3 + 1, .turn = 1};

	f->sas.region.outbound[3].policy_hits = 7;
	assert_int_equal(policy_line_hits(&line, f->sas.region.outbound, SAS), 12);
	line.line = SAS + 1;
	assert_int_equal(policy_line_hits(&line, f->sas.region.outbound, SAS), 5);
	line.line = UINT32_MAX;
	assert_int_equal(policy_line_hits(&line, f->sas.region.outbound, SAS), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_policy_goes_from_sa_to_sa, setup, teardown),
		cmocka_unit_test_setup_teardown(one_policy_changes_beside_its_sa, setup, teardown),
		cmocka_unit_test_setup_teardown(one_sa_goes_from_policy_to_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(two_policies_of_one_sa, setup, teardown),
		cmocka_unit_test_setup_teardown(shared_lines_are_nobodys, setup, teardown),
		cmocka_unit_test_setup_teardown(reader_ends, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
