/* What commands do to an SA that is in use: refused, removed, moved, begun again, aged. */
#include "tests/unit/dataplane/esp_pair.h"

#include <rte_rcu_qsbr.h>

// ESP-SEQ-02, HA-05: a new process with the old region's state: numbers go on, the window stays
static void started_again(void **state)
{
	static uint8_t frame[256], old[256];
	struct sa_inbound_state inbound;
	struct sa_outbound_state outbound;
	uint64_t words[128];
	uint32_t length, old_length, stride = sa_window_words(WORLD_WINDOW);
	struct world *w = setup(0);
	(void)state;

	length = frame_make(frame, 100, true, 2);
	for (unsigned i = 0; i < 5; i++)
		world_receive(w, 2, frame, length);
	assert_int_equal(w->sent_count, 5);
	memcpy(old, w->sent[2].octets, w->sent[2].length);
	old_length = w->sent[2].length;
	memcpy(old, (uint8_t[]){2, 0, 0, 0, 1, 1}, 6);
	loop_back(w, 0);
	assert_int_equal(w->counters.esp_decrypted, 5);
	memcpy(&inbound, &w->sas.inbound[1], sizeof(inbound));
	memcpy(&outbound, &w->sas.outbound[3], sizeof(outbound));
	memcpy(words, (void *)(w->sas.windows + stride), stride * sizeof(words[0]));
	world_forget(w);
	assert_true(world_free(w));

	w = setup(0);
	for (uint8_t direction = SA_INBOUND; direction <= SA_OUTBOUND; direction++) {
		struct command c = sa_command(direction, direction == SA_OUTBOUND ? 3 : 1, SPI);
		c.type = COMMAND_SA_REMOVE;
		assert_int_equal(world_apply(w, &c), 0);
	}
	memcpy(&w->sas.inbound[1], &inbound, sizeof(inbound));
	memcpy(&w->sas.outbound[3], &outbound, sizeof(outbound));
	memcpy((void *)(w->sas.windows + stride), words, stride * sizeof(words[0]));
	for (uint8_t direction = SA_INBOUND; direction <= SA_OUTBOUND; direction++) {
		struct command c = sa_command(direction, direction == SA_OUTBOUND ? 3 : 1, SPI);
		c.sa.flags = SA_RESUME;
		assert_int_equal(sa_set(w, c), 0);
	}
	world_receive(w, 1, old, old_length); /* accepted before: never again */
	assert_int_equal(w->counters.drops[DROP_ipsec_replay], 1);
	world_forget(w);
	world_receive(w, 2, frame, length);
	assert_int_equal(w->sent_count, 1);
	rte_be32_t number;
	memcpy(&number, w->sent[0].octets + 14 + 20 + 4, sizeof(number));
	assert_int_equal(rte_be_to_cpu_32(number), outbound.sequence + 1);
	loop_back(w, 0);
	assert_int_equal(w->counters.esp_decrypted, 1);
	assert_int_equal(w->sas.inbound[1].highest, outbound.sequence + 1);
	world_forget(w);
	assert_true(world_free(w));
}

static int set_changed(struct world *w, void (*change)(struct sa_command *sa))
{
	struct command c = sa_command(SA_INBOUND, 9, 0xc0000009u);

	change(&c.sa);
	stage(w, &c.sa, 1);
	return world_apply(w, &c);
}

static void spi_255(struct sa_command *sa)
{
	sa->spi = RTE_BE32(255);
}
static void window_large(struct sa_command *sa)
{
	sa->replay_window = WORLD_WINDOW + 1;
}
static void remote_multicast(struct sa_command *sa)
{
	sa->remote = address_of("224.0.0.1");
}
static void families(struct sa_command *sa)
{
	sa->remote = address_of("2001:db8::1");
}
static void no_port(struct sa_command *sa)
{
	sa->flags = SA_UDP;
}
static void both_df(struct sa_command *sa)
{
	sa->flags = SA_DF_SET | SA_DF_CLEAR;
}
static void null_null(struct sa_command *sa)
{
	sa->encryption = SA_ENCRYPTION_NULL;
}
static void blowfish(struct sa_command *sa)
{
	sa->encryption = 7;
}
static void spi_of_another(struct sa_command *sa)
{
	sa->spi = RTE_BE32(SPI);
}
static void transport_tfc(struct sa_command *sa)
{
	sa->flags = SA_TRANSPORT;
	sa->tfc = 100;
}

// ESP-FMT-16, TUN-10, -11, SAD-02, -09, ESP-ALG-07..10, KIF-10
static void refusals(void **state)
{
	static const struct {
		void (*change)(struct sa_command *sa);
		int error;
	} cases[] = {{spi_255, EINVAL}, {window_large, EINVAL}, {remote_multicast, EINVAL},
		{families, EINVAL}, {no_port, EINVAL}, {both_df, EINVAL}, {null_null, EINVAL},
		{blowfish, ENOTSUP}, {spi_of_another, EEXIST}, {transport_tfc, EINVAL}};
	struct world *w = setup(0);
	struct command c;
	(void)state;

	for (unsigned i = 0; i < RTE_DIM(cases); i++)
		assert_int_equal(set_changed(w, cases[i].change), cases[i].error);
	c = sa_command(SA_INBOUND, 9, 0xc0000009u); /* nothing staged is left over */
	assert_int_equal(world_apply(w, &c), EINVAL);
	c = sa_command(SA_INBOUND, WORLD_SAS, SPI + WORLD_SAS);
	assert_int_equal(world_apply(w, &c), EINVAL);
	c = sa_command(SA_INBOUND, 1, SPI + WORLD_SAS); /* another SPI for a live slot */
	assert_int_equal(sa_set(w, c), EEXIST);
	assert_true(world_free(w));
}

// SAD-01, SAD-12: an SPI that does not carry its slot; SAD-10: a slot given out again at once
static void foreign_spi_and_reuse(void **state)
{
	struct world *w = setup(0);
	const struct sa_table *sas = tables_sas(w->tables);
	(void)state;

	for (unsigned round = 0; round < 200; round++) {
		uint32_t spi = 0x1000 + round * 7919;
		struct command c = sa_command(SA_INBOUND, 20, spi);
		const struct sa_inbound *sa;

		assert_int_equal(sa_set(w, c), 0);
		sa = sa_inbound_lookup(sas, rte_cpu_to_be_32(spi));
		assert_non_null(sa);
		assert_int_equal(sa->sa_id, 20);
		assert_int_equal(sa->state, SA_STATE_LIVE);
		w->sas.inbound[20].highest = 77;
		c.type = COMMAND_SA_REMOVE;
		assert_int_equal(world_apply(w, &c), 0);
		sa = sa_inbound_lookup(sas, rte_cpu_to_be_32(spi));
		assert_non_null(sa); /* told apart from an SPI that never was (LIFE-10) */
		assert_int_equal(sa->state, SA_STATE_REMOVED);
		assert_int_equal(w->sas.inbound[20].highest, 77);
	}
	assert_null(sa_inbound_lookup(sas, RTE_BE32(0x1000)));
	assert_int_equal(sas->used[SA_INBOUND], 1);
	assert_int_equal(sas->inbound.taken, 2); /* the others were wiped and given back */
	assert_true(world_free(w));
}

// MOB-01, -02: the object is another, keys and numbers are the same
static void moved_in_place(void **state)
{
	struct world *w = setup(0);
	const struct sa_table *sas = tables_sas(w->tables);
	const struct sa_outbound *before = sa_outbound_get(sas, 3), *after;
	struct command c = sa_command(SA_OUTBOUND, 3, SPI);
	struct crypto_key key = *before->key;
	(void)state;

	w->sas.outbound[3].sequence = 41;
	c.sa.remote = address_of("198.51.100.77");
	c.sa.flags = SA_UDP;
	c.sa.local_port = RTE_BE16(4500);
	c.sa.remote_port = RTE_BE16(40001);
	assert_int_equal(world_apply(w, &c), 0);
	after = sa_outbound_get(sas, 3);
	assert_ptr_not_equal(before, after);
	assert_memory_equal(after->key, &key, sizeof(key));
	assert_int_equal(after->header_length, 20 + 8 + 4);
	assert_int_equal(w->sas.outbound[3].sequence, 41);
	c.sa.flags |= SA_ESN; /* not a thing that changes */
	assert_int_equal(world_apply(w, &c), EEXIST);
	assert_true(world_free(w));
}

static bool is_wiped(const struct crypto_key *key)
{
	static const struct crypto_key nothing;

	return memcmp(key, &nothing, sizeof(nothing)) == 0;
}

static void grace_over(struct world *w)
{
	uint64_t token = tables_publish(w->tables);

	rte_rcu_qsbr_quiescent(tables_qsbr(w->tables), 0);
	assert_true(tables_synced(w->tables, token));
}

// ESP-ALG-25: after a move the old place of a key, after a removal every one, also where what tells
// late packets apart stays (LIFE-10)
static void keys_are_wiped(void **state)
{
	struct world *w = setup(0);
	const struct sa_table *sas = tables_sas(w->tables);
	const struct crypto_key *in = sa_inbound_get(sas, 1)->key;
	const struct crypto_key *out = sa_outbound_get(sas, 3)->key, *moved;
	struct command c = sa_command(SA_OUTBOUND, 3, SPI);
	(void)state;

	c.sa.remote = address_of("198.51.100.77");
	assert_int_equal(tables_apply(w->tables, &c), 0);
	moved = sa_outbound_get(sas, 3)->key;
	assert_memory_equal(moved, out, sizeof(*out)); /* a worker may be at it */
	grace_over(w);
	assert_ptr_not_equal(moved, out);
	assert_true(is_wiped(out));
	assert_false(is_wiped(moved));
	c.type = COMMAND_SA_REMOVE;
	assert_int_equal(world_apply(w, &c), 0);
	c = sa_command(SA_INBOUND, 1, SPI);
	c.type = COMMAND_SA_REMOVE;
	assert_false(is_wiped(in));
	assert_int_equal(world_apply(w, &c), 0);
	assert_true(is_wiped(moved));
	assert_true(is_wiped(in));
	assert_int_equal(sa_inbound_get(sas, 1)->state, SA_STATE_REMOVED);
	assert_true(world_free(w));
}

// performance.md: SA pair at most 3 KB, key schedules included; 1,000,000 in 4 GiB
static void memory_of_a_pair(void **state)
{
	size_t pair = 2 * sizeof(struct crypto_key) + sizeof(struct sa_inbound) +
		      sizeof(struct sa_outbound) + sizeof(struct sa_inbound_state) +
		      sizeof(struct sa_outbound_state) + sa_window_words(1024) * sizeof(uint64_t) +
		      2 * sizeof(uint32_t) + 2 * sizeof(struct sa_record);
	(void)state;

	print_message("SA pair: %zu octets with a window of 1024\n", pair);
	assert_true(pair <= PAIR_MAX);
	assert_true(pair * 1000000 < UINT64_C(4) << 30);
}

struct heard {
	unsigned count[2][SA_EXPIRED_HARD_SEQUENCE + 1];
	uint32_t sa_id[2];
	bool deaf;
};

static bool hear(void *context, enum sa_direction direction, uint32_t sa_id, enum sa_expiry kind)
{
	struct heard *heard = context;

	if (heard->deaf)
		return false;
	heard->count[direction][kind]++;
	heard->sa_id[direction] = sa_id;
	return true;
}

static void lifetime(struct world *w, uint8_t direction, uint32_t id)
{
	struct command limits = {.type = COMMAND_SA_LIMITS,
		.sa_limits = {.sa_id = id,
			.direction = direction,
			.soft_ns = w->worker.now_ns + 10 * CLOCK_NS_PER_S,
			.hard_ns = w->worker.now_ns + 20 * CLOCK_NS_PER_S}};
	struct command c = sa_command(direction, id, 0xc0000000u + id);

	stage(w, &c.sa, 1);
	assert_int_equal(world_apply(w, &limits), 0);
	assert_int_equal(world_apply(w, &c), 0);
}

/* Ten turns a second, for three seconds: every slot is looked at. */
static unsigned age(struct world *w, struct heard *heard, uint64_t after_s)
{
	const struct sa_ager ager = {.tell = hear, .context = heard};
	unsigned told = 0;

	for (unsigned i = 0; i < 30; i++)
		told += tables_sas_age(w->tables,
			w->worker.now_ns + after_s * CLOCK_NS_PER_S + i * (CLOCK_NS_PER_S / 10),
			&ager);
	return told;
}

// LIFE-01, LIFE-02: each limit in time once, without a packet; and a worker has its share
static void aged_without_traffic(void **state)
{
	struct world *w = setup(0);
	struct heard heard = {.deaf = true};
	uint32_t fresh;
	(void)state;

	lifetime(w, SA_INBOUND, 9);
	lifetime(w, SA_OUTBOUND, 12);
	heard.deaf = false;
	assert_int_equal(age(w, &heard, 5), 0);
	heard.deaf = true; /* control's ring is full: told again later */
	assert_int_equal(age(w, &heard, 11), 0);
	heard.deaf = false;
	assert_int_equal(age(w, &heard, 15), 2);
	assert_int_equal(heard.count[SA_INBOUND][SA_EXPIRED_SOFT_TIME], 1);
	assert_int_equal(heard.count[SA_OUTBOUND][SA_EXPIRED_SOFT_TIME], 1);
	assert_int_equal(heard.sa_id[SA_INBOUND], 9);
	assert_int_equal(heard.sa_id[SA_OUTBOUND], 12);
	/* A worker is first with one hard limit: it tells that, and nobody tells it again. */
	struct sa_use use = {.now_tsc = UINT64_MAX - 1};
	const struct sa_table *sas = tables_sas(w->tables);
	sa_table_inbound_expired(sas, sa_inbound_get(sas, 9), &use, &fresh);
	assert_int_equal(fresh, 1u << SA_EXPIRED_HARD_TIME);
	assert_int_equal(age(w, &heard, 21), 1);
	assert_int_equal(heard.count[SA_OUTBOUND][SA_EXPIRED_HARD_TIME], 1);
	assert_int_equal(heard.count[SA_INBOUND][SA_EXPIRED_HARD_TIME], 0);
	assert_int_equal(age(w, &heard, 25), 0);
	/* And what the main lcore told, no worker tells again. */
	sa_table_outbound_expired(sas, sa_outbound_get(sas, 12), &use, &fresh);
	assert_int_equal(fresh, 0);
	assert_true(world_free(w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(started_again),
		cmocka_unit_test(refusals),
		cmocka_unit_test(foreign_spi_and_reuse),
		cmocka_unit_test(moved_in_place),
		cmocka_unit_test(keys_are_wiped),
		cmocka_unit_test(memory_of_a_pair),
		cmocka_unit_test(aged_without_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
