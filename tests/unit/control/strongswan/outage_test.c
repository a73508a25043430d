/* A control or dataplane that is stopped, gone, back, or talks nonsense: charon waits for nobody.
 */
#include "tests/unit/control/strongswan/charon_bed.h"

static void calls_do_not_wait_for_a_control_that_is_stopped(void **state) // KIF-02, KIF-51
{
	uint64_t begin = now_ms(), each;
	uint32_t spi = get_spi();

	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	fake_control_mood(FAKE_DEAF, KEYING_OK);
	assert_int_equal(add_sa(spi, TRUE), SUCCESS); // the other direction will tell
	begin = now_ms();
	assert_int_equal(add_sa(htonl(0x22000000), FALSE), FAILED);
	each = now_ms() - begin;
	assert_in_range(each, TIMEOUT_MS - 20, 20 * TIMEOUT_MS);
	begin = now_ms();
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(add_sa(htonl(0x20000000 + i), FALSE), FAILED);
	assert_true(now_ms() - begin < 100 * TIMEOUT_MS);   // not 10,000 of them
	assert_int_equal(del_sa(SPI_PEER, FALSE), SUCCESS); // kept for when it is back

	fake_control_mood(FAKE_OK, KEYING_OK);
	wait_until(add_sa(htonl(0x21000000), FALSE) == SUCCESS);
	assert_non_null(
		fake_control_request(KEYING_DEL_SA, 1)); // what timed out, and the one above
}

static void ten_thousand_sas_for_a_dataplane_that_is_stopped(void **state) // KIF-02
{
	uint64_t begin;

	fake_control_mood(FAKE_ACCEPTED, KEYING_OK);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	begin = now_ms();
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(add_sa(htonl(0x20000000 + i), FALSE), SUCCESS);
	assert_true(now_ms() - begin < 100 * TIMEOUT_MS);
	assert_non_null(fake_control_request(KEYING_ADD_SA, 10000));

	// One that control refuses after all ends by a hard expire.
	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	assert_int_equal(add_sa(htonl(0x30000000), FALSE), SUCCESS);
	wait_until(counted(&heard.expires) >= 1);
	assert_true(heard.hard);
	assert_int_equal(heard.spi, htonl(0x30000000));
	assert_string_equal(heard.dst, PEER);

	// Once the dataplane is back, answers are waited for again.
	fake_control_mood(FAKE_OK, KEYING_OK);
	assert_int_equal(add_sa(htonl(0x30000001), FALSE), SUCCESS);
	assert_non_null(fake_control_request(KEYING_ADD_SA, 10002));
	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	wait_until(add_sa(htonl(0x30000002), FALSE) == FAILED);
}

static void selectors_that_follow_are_replayed_from_their_start(void **state) // TRN-13
{
	const struct keying_message *add, *rule, *move, *end;
	struct sa sa;
	uint32_t spi = get_spi();

	sa_init(&sa, spi, TRUE);
	sa.data.mode = MODE_TRANSPORT;
	sa.data.src_ts->destroy_offset(sa.data.src_ts, offsetof(traffic_selector_t, destroy));
	sa.data.src_ts = selectors(PEER "/32");
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data), SUCCESS);
	sa_fini(&sa);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, 5, PEER),
		SUCCESS);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4501), SUCCESS);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.10", 4502), SUCCESS);
	fake_control_stop();
	wait_until(!connected());
	fake_control_forget();
	fake_control_start(path);

	end = fake_control_request(KEYING_REPLAY_END, 0);
	add = fake_control_request(KEYING_ADD_SA, 0);
	rule = fake_control_request(KEYING_ADD_POLICY, 0);
	move = fake_control_request(KEYING_UPDATE_SA, 0);
	assert_true(end && add && rule && move);
	assert_int_equal(add->add_sa.source.address.words[3], inet_addr(PEER));
	assert_int_equal(add->add_sa.source.port, htons(40001));
	assert_int_equal(move->update_sa.source.address.words[3], inet_addr("198.51.100.10"));
	assert_int_equal(move->update_sa.source.port, htons(4502));
	assert_int_equal(fake_control_count_of(KEYING_UPDATE_SA), 1);
	assert_true(fake_control_place(add) < fake_control_place(rule));
	assert_true(fake_control_place(rule) < fake_control_place(move));
	assert_true(fake_control_place(move) < fake_control_place(end));
}

static void a_control_that_comes_back_is_told_everything(void **state) // KIF-51, HA-07
{
	const struct keying_message *begin, *sa, *claim, *one, *two, *end;
	uint32_t spi = get_spi(), larval = get_spi();

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4501), SUCCESS);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, 5, PEER),
		SUCCESS);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, 6, PEER),
		SUCCESS);
	assert_true(charon->kernel->enable_udp_decap(charon->kernel, 0, AF_INET, 4500));
	fake_control_stop();
	wait_until(!connected());
	assert_int_equal(add_sa(SPI_PEER, FALSE), FAILED); // at once
	fake_control_forget();
	fake_control_start(path);

	end = fake_control_request(KEYING_REPLAY_END, 0);
	begin = fake_control_request(KEYING_REPLAY_BEGIN, 0);
	sa = fake_control_request(KEYING_ADD_SA, 0);
	claim = fake_control_request(KEYING_CLAIM_SPI, 0);
	one = fake_control_request(KEYING_ADD_POLICY, 0);
	two = fake_control_request(KEYING_ADD_POLICY, 1);
	assert_true(end && begin && sa && claim && one && two);
	assert_int_equal(sa->add_sa.spi, spi);
	assert_int_equal(sa->add_sa.flags & KEYING_SA_RESUME, KEYING_SA_RESUME);
	assert_int_equal(sa->add_sa.source.port, htons(4501)); // where it is now
	assert_int_equal(sa->add_sa.encryption_key[0], 0x11);
	assert_int_equal(claim->claim_spi.spi, larval);
	assert_int_equal(one->policy.spi, 5);
	assert_int_equal(two->policy.spi, 6);
	assert_true(fake_control_place(begin) < fake_control_place(sa));
	assert_true(fake_control_place(sa) < fake_control_place(one));
	assert_true(fake_control_place(one) < fake_control_place(two));
	assert_true(fake_control_place(two) < fake_control_place(end));
	assert_int_equal(fake_control_count_of(KEYING_ADD_SA), 1);
	assert_int_equal(fake_control_count_of(KEYING_CLAIM_SPI), 1);
	assert_int_equal(fake_control_request(KEYING_UDP_PORT, 0)->udp_port.port, htons(4500));
}

static void an_sa_whose_numbers_are_lost_ends(void **state) // ESP-ALG-20
{
	uint32_t spi = get_spi();

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	fake_control_stop();
	fake_control_forget();
	fake_control_mood(FAKE_REFUSES, KEYING_STALE);
	fake_control_start(path);
	wait_until(counted(&heard.expires) == 1);
	assert_true(heard.hard);
	assert_int_equal(heard.spi, spi);
	assert_string_equal(heard.dst, OURS);
}

static void a_message_that_is_none_ends_the_connection(void **state) // KIF-52
{
	fake_control_send_garbage();
	assert_non_null(fake_control_request(KEYING_HELLO, 0));
	assert_non_null(fake_control_request(KEYING_REPLAY_END, 0));
	wait_until(connected());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_do_not_wait_for_a_control_that_is_stopped),
		TEST(ten_thousand_sas_for_a_dataplane_that_is_stopped),
		TEST(a_control_that_comes_back_is_told_everything),
		TEST(selectors_that_follow_are_replayed_from_their_start),
		TEST(an_sa_whose_numbers_are_lost_ends),
		TEST(a_message_that_is_none_ends_the_connection),
	};
	int failed;

	if (!charon_bed_start(argv[1]))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	charon_bed_stop();
	return failed;
}
