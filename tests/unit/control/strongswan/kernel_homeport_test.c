/* What charon asks of the plugin arrives at control, and what control says comes back. */
#include "tests/unit/control/strongswan/charon_bed.h"

static void spis_are_of_the_lease_and_each_is_given_once(void **state) // KIF-07
{
	uint32_t one = get_spi(), other = get_spi();
	uint16_t cpi;

	assert_int_not_equal(one, 0);
	assert_int_not_equal(one, other);
	assert_int_equal(ntohl(one) >> 24, 0x10);
	for (unsigned i = 0; i < 200; i++) // more than a block
		assert_int_not_equal(get_spi(), 0);
	assert_int_equal(charon->kernel->get_cpi(charon->kernel, NULL, NULL, &cpi), NOT_SUPPORTED);
}

static void an_sa_arrives_as_charon_said_it(void **state) // KIF-05, KIF-08, KIF-12..15, ESP-ALG-24
{
	const struct keying_message *in, *out;
	uint32_t spi = get_spi();
	char text[TRAFFIC_SELECTOR_TEXT_SIZE];

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	in = fake_control_request(KEYING_ADD_SA, 0);
	out = fake_control_request(KEYING_ADD_SA, 1);
	assert_non_null(in);
	assert_non_null(out);
	assert_int_not_equal(in->add_sa.handle, 0);
	assert_int_not_equal(in->add_sa.handle, out->add_sa.handle);
	assert_int_equal(in->add_sa.spi, spi);
	assert_int_equal(out->add_sa.spi, SPI_PEER);
	assert_int_equal(in->add_sa.flags,
		KEYING_SA_INBOUND | KEYING_SA_UPDATE | KEYING_SA_ENCAP | KEYING_SA_COPY_DF);
	assert_int_equal(out->add_sa.flags, KEYING_SA_ENCAP | KEYING_SA_COPY_DF);
	assert_int_equal(in->add_sa.mode, KEYING_TUNNEL);
	assert_int_equal(in->add_sa.encryption, 20);
	assert_int_equal(in->add_sa.integrity, 0);
	assert_int_equal(in->add_sa.encryption_length, 36);
	assert_int_equal(in->add_sa.encryption_key[35], 0x11);
	assert_int_equal(out->add_sa.encryption_key[35], 0x22);
	assert_int_equal(in->add_sa.replay_window, 1024); // charon's 32 is too small
	assert_int_equal(in->add_sa.source.port, htons(40001));
	assert_int_equal(in->add_sa.destination.port, htons(4500));
	assert_int_equal(in->add_sa.lifetime.soft_s, 3000);
	assert_int_equal(in->add_sa.lifetime.hard_s, 3600);
	assert_true(in->add_sa.lifetime.soft_bytes == 1ULL << 40);
	assert_true(in->add_sa.lifetime.soft_packets == 1ULL << 33);
	assert_int_equal(in->add_sa.source_ts.count, 1);
	assert_string_equal(traffic_selector_format(&in->add_sa.source_ts.of[0], text), "10.9.0.1");
	assert_string_equal(
		traffic_selector_format(&in->add_sa.destination_ts.of[0], text), "10.1.0.0/16");
}

static void what_homeport_lacks_is_refused_and_never_sent(void **state) // KIF-11
{
	struct sa sa;

	for (unsigned which = 0; which < 7; which++) {
		sa_init(&sa, get_spi(), TRUE);
		switch (which) {
		case 0:
			sa.id.proto = IPPROTO_AH;
			break;
		case 1:
			sa.data.mode = MODE_BEET;
			break;
		case 2:
			sa.data.ipcomp = IPCOMP_DEFLATE;
			break;
		case 3:
			sa.data.hw_offload = HW_OFFLOAD_YES;
			break;
		case 4:
			sa.id.mark.value = 1;
			break;
		case 5:
			sa.id.if_id = 3;
			break;
		default:
			sa.data.interface = "eth0";
			break;
		}
		assert_int_equal(
			charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data), NOT_SUPPORTED);
		sa_fini(&sa);
	}
	assert_int_equal(fake_control_count_of(KEYING_ADD_SA), 0);
}

static void a_refusal_leaves_nothing_but_the_spi(void **state) // KIF-09
{
	const struct keying_message *request;
	uint32_t spi = get_spi();

	// charon adds both directions at once: the answer to the second tells of the first.
	fake_control_mood(FAKE_REFUSES, KEYING_BAD_ALGORITHM);
	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_non_null(fake_control_request(KEYING_ADD_SA, 0));
	fake_control_mood(FAKE_OK, KEYING_OK);
	assert_int_equal(add_sa(SPI_PEER, FALSE), NOT_SUPPORTED);
	request = fake_control_request(KEYING_DEL_SA, 0); // what was taken of the second
	assert_non_null(request);
	assert_int_equal(request->sa.spi, SPI_PEER);
	assert_int_equal(del_sa(SPI_PEER, FALSE), NOT_FOUND);
	assert_int_equal(del_sa(spi, TRUE), SUCCESS); // the lease goes back
	request = fake_control_request(KEYING_DEL_SA, 1);
	assert_non_null(request);
	assert_int_equal(request->sa.handle, 0);
	assert_int_equal(request->sa.spi, spi);
	assert_int_equal(del_sa(spi, TRUE), NOT_FOUND);

	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	assert_int_equal(add_sa(SPI_PEER, FALSE), FAILED);
	fake_control_mood(FAKE_OK, KEYING_OK);
	assert_int_equal(del_sa(SPI_PEER, FALSE), NOT_FOUND);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS); // no old refusal is held against it
	assert_int_equal(counted(&heard.expires), 0);
}

static void a_refused_policy_ends_its_sa(void **state)
{
	uint32_t spi = get_spi();

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, SPI_PEER, PEER),
		SUCCESS);
	wait_until(counted(&heard.expires) == 1);
	assert_true(heard.hard);
	assert_int_equal(heard.spi, SPI_PEER);
	fake_control_mood(FAKE_OK, KEYING_OK);
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER, PEER),
		NOT_FOUND);

	// Who sets up a trap is told at once.
	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_ROUTED, 9, 0, PEER), FAILED);
}

static void a_policy_tells_when_it_was_used(void **state)
{
	kernel_ipsec_query_policy_t query = {};
	kernel_ipsec_policy_id_t id = {.dir = POLICY_OUT,
		.src_ts = traffic_selector_create_from_cidr("10.1.0.0/16", 0, 0, 65535),
		.dst_ts = traffic_selector_create_from_cidr("10.9.0.1/32", 0, 0, 65535)};
	const struct keying_message *request;
	time_t last = 1;

	assert_int_equal(
		charon->kernel->query_policy(charon->kernel, &id, &query, &last), NOT_FOUND);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, SPI_PEER, PEER),
		SUCCESS);
	fake_control_usage(1000, 10, 77);
	assert_int_equal(charon->kernel->query_policy(charon->kernel, &id, &query, &last), SUCCESS);
	assert_int_equal(last, 77);
	request = fake_control_request(KEYING_QUERY_POLICY, 0);
	assert_int_equal(request->policy.spi, SPI_PEER);
	assert_int_equal(request->policy.direction, KEYING_OUT);
	id.if_id = 3;
	assert_int_equal(
		charon->kernel->query_policy(charon->kernel, &id, &query, &last), NOT_SUPPORTED);
	id.src_ts->destroy(id.src_ts);
	id.dst_ts->destroy(id.dst_ts);
}

static void the_same_sa_twice_has_one_handle(void **state) // KIF-10
{
	uint32_t spi = get_spi();

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(fake_control_request(KEYING_ADD_SA, 0)->add_sa.handle,
		fake_control_request(KEYING_ADD_SA, 1)->add_sa.handle);
}

static void peers_of_one_nat_may_have_one_spi(void **state) // NAT-15, KIF-25
{
	struct sa one, other;
	kernel_ipsec_del_sa_t nothing = {0};
	uint64_t handle;

	sa_init(&one, SPI_PEER, FALSE);
	sa_init(&other, SPI_PEER, FALSE);
	other.id.dst->set_port(other.id.dst, 40002);
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &one.id, &one.data), SUCCESS);
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &other.id, &other.data), SUCCESS);
	handle = fake_control_request(KEYING_ADD_SA, 1)->add_sa.handle;
	assert_int_not_equal(handle, fake_control_request(KEYING_ADD_SA, 0)->add_sa.handle);
	assert_int_equal(charon->kernel->del_sa(charon->kernel, &other.id, &nothing), SUCCESS);
	assert_int_equal(fake_control_request(KEYING_DEL_SA, 0)->sa.handle, handle);
	sa_fini(&one);
	sa_fini(&other);
}

static void a_move_keeps_the_handle_and_is_never_unsupported(void **state) // MOB-09, MOB-10
{
	const struct keying_message *request;
	uint32_t spi = get_spi();

	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4500), NOT_FOUND);
	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4501), SUCCESS);
	request = fake_control_request(KEYING_UPDATE_SA, 0);
	assert_non_null(request);
	assert_int_equal(request->update_sa.sa.handle,
		fake_control_request(KEYING_ADD_SA, 0)->add_sa.handle);
	assert_int_equal(request->update_sa.source.port, htons(4501));
	assert_int_equal(request->update_sa.flags, KEYING_SA_ENCAP);

	fake_control_mood(FAKE_REFUSES, KEYING_UNSUPPORTED);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.10", 4500), FAILED);
	wait_until(counted(&heard.expires) == 1); // charon ignores the result: a hard expire
	assert_true(heard.hard);
	assert_int_equal(heard.spi, spi);
}

static void an_sa_of_mobile_ipv6_is_not_moved(void **state) // TRN-12
{
	struct sa sa;
	uint32_t spi = get_spi();

	sa_init(&sa, spi, TRUE);
	sa.data.mode = MODE_TRANSPORT;
	sa.data.encap = FALSE;
	sa.id.src->set_port(sa.id.src, 0);
	sa.id.dst->set_port(sa.id.dst, 0);
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data), SUCCESS);
	sa_fini(&sa);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4500), SUCCESS);
	assert_int_equal(del_sa(spi, TRUE), SUCCESS);
	assert_non_null(fake_control_request(KEYING_DEL_SA, 0));
	assert_int_equal(fake_control_count_of(KEYING_UPDATE_SA), 0);
}

static void numbers_of_an_sa_never_go_back(void **state) // KIF-23, LIFE-12
{
	kernel_ipsec_query_sa_t query = {0};
	uint64_t bytes, packets;
	struct sa sa;
	time_t last;

	sa_init(&sa, get_spi(), TRUE);
	assert_int_equal(
		charon->kernel->query_sa(charon->kernel, &sa.id, &query, &bytes, &packets, &last),
		NOT_FOUND);
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data), SUCCESS);
	fake_control_usage(1000, 10, 77);
	assert_int_equal(
		charon->kernel->query_sa(charon->kernel, &sa.id, &query, &bytes, &packets, &last),
		SUCCESS);
	assert_int_equal(bytes, 1000);
	assert_int_equal(packets, 10);
	assert_int_equal(last, 77);
	fake_control_usage(0, 0, 0);
	assert_int_equal(
		charon->kernel->query_sa(charon->kernel, &sa.id, &query, &bytes, &packets, &last),
		SUCCESS);
	assert_int_equal(bytes, 1000);
	assert_int_equal(last, 77);
	sa_fini(&sa);
}

static void a_rekey_as_responder(void **state) // KIF-16, KIF-21, LIFE-07
{
	uint32_t old = get_spi(), fresh;
	const struct keying_message *request;
	uint64_t first;

	assert_int_equal(add_sa(old, TRUE), SUCCESS);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, SPI_PEER, PEER),
		SUCCESS);
	first = fake_control_request(KEYING_ADD_SA, 1)->add_sa.handle;
	request = fake_control_request(KEYING_ADD_POLICY, 0);
	assert_int_equal(request->policy.handle, first);
	assert_int_equal(request->policy.direction, KEYING_OUT);
	assert_int_equal(request->policy.action, KEYING_PROTECT);

	fresh = get_spi();
	assert_int_equal(add_sa(fresh, TRUE), SUCCESS);
	assert_int_equal(add_sa(SPI_PEER + 1, FALSE), SUCCESS);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER + 1, PEER),
		SUCCESS);
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER, PEER),
		SUCCESS);
	assert_int_equal(del_sa(SPI_PEER, FALSE), SUCCESS);
	request = fake_control_request(KEYING_DEL_POLICY, 0);
	assert_non_null(request);
	assert_int_equal(request->policy.spi, SPI_PEER);
	assert_int_equal(fake_control_request(KEYING_DEL_SA, 0)->sa.handle, first);
	assert_int_not_equal(fake_control_request(KEYING_ADD_POLICY, 1)->policy.handle, first);
}

static void a_policy_is_found_after_its_sa_moved(void **state) // MOB-06, KIF-22
{
	const struct keying_message *request;

	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, SPI_PEER, PEER),
		SUCCESS);
	assert_int_equal(update_sa(SPI_PEER, FALSE, "198.51.100.9", 4500), SUCCESS);
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 8,
				 SPI_PEER, "198.51.100.9"),
		NOT_FOUND); // another reqid
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER, "198.51.100.9"),
		SUCCESS);
	request = fake_control_request(KEYING_DEL_POLICY, 0);
	assert_non_null(request);
	assert_int_equal( // as it was added
		request->policy.destination.words[3], inet_addr(PEER));
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER, PEER),
		NOT_FOUND);
}

static void traps_shunts_and_forward_policies(void **state) // KIF-16, KIF-19, KIF-20
{
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_ROUTED, 9, 0, PEER), SUCCESS);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_DROP, POLICY_PRIORITY_FALLBACK, 0, 0, PEER),
		SUCCESS);
	assert_int_equal(policy(ADD, POLICY_FWD, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, 5, PEER),
		SUCCESS);
	assert_int_equal(
		policy(ADD, POLICY_FWD, POLICY_IPSEC, POLICY_PRIORITY_ROUTED, 0, 5, PEER), SUCCESS);
	assert_int_equal(fake_control_request(KEYING_ADD_POLICY, 0)->policy.handle, 0);
	assert_int_equal(fake_control_request(KEYING_ADD_POLICY, 0)->policy.priority,
		KEYING_PRIORITY_ROUTED);
	assert_int_equal(fake_control_request(KEYING_ADD_POLICY, 1)->policy.action, KEYING_DROP);
	assert_int_equal(
		fake_control_request(KEYING_ADD_POLICY, 2)->policy.direction, KEYING_FORWARD);
	assert_int_equal(
		fake_control_count_of(KEYING_ADD_POLICY), 3); // Linux' outbound FWD is none here
}

static void events_reach_charon(void **state) // KIF-40..42, KIF-44
{
	struct keying_message event = {.header.type = KEYING_EXPIRE};

	event.expire = (struct keying_expire){.sa = {1, SPI_PEER, 0}, .hard = 0, .cause = "bytes"};
	event.expire.destination = ip_address_from_v4(inet_addr(PEER));
	fake_control_send(&event);
	wait_until(counted(&heard.expires) == 1);
	assert_false(heard.hard);
	assert_int_equal(heard.spi, SPI_PEER);
	assert_string_equal(heard.dst, PEER);

	event = (struct keying_message){.header.type = KEYING_MAPPING};
	event.mapping.sa = (struct keying_sa_id){1, 0x1234, KEYING_SA_INBOUND};
	event.mapping.local.address = ip_address_from_v4(inet_addr(OURS));
	event.mapping.local.port = htons(4500);
	event.mapping.remote.address = ip_address_from_v4(inet_addr("198.51.100.9"));
	event.mapping.remote.port = htons(4503);
	fake_control_send(&event);
	wait_until(counted(&heard.mappings) == 1);
	assert_string_equal(heard.dst, OURS);
	assert_string_equal(heard.remote, "198.51.100.9[4503]");

	event = (struct keying_message){.header.type = KEYING_ACQUIRE};
	event.acquire.reqid = 9;
	assert_int_equal(traffic_selector_parse("10.1.0.5[udp/5000]", &event.acquire.source), 0);
	assert_int_equal(traffic_selector_parse("10.9.0.1[udp/53]", &event.acquire.destination), 0);
	fake_control_send(&event);
	wait_until(counted(&heard.acquires) == 1);
	assert_int_equal(heard.reqid, 9);
	assert_string_equal(heard.source, "10.1.0.5/32[udp/5000]");
	assert_string_equal(heard.destination, "10.9.0.1/32[udp/domain]");

	event = (struct keying_message){.header.type = KEYING_MIGRATE};
	event.migrate.reqid = 4;
	event.migrate.direction = KEYING_OUT;
	event.migrate.local = ip_address_from_v4(inet_addr(OURS));
	event.migrate.remote = ip_address_from_v4(inet_addr("198.51.100.77"));
	assert_int_equal(traffic_selector_parse("10.1.0.0/16", &event.migrate.source_ts), 0);
	assert_int_equal(traffic_selector_parse("10.9.0.1", &event.migrate.destination_ts), 0);
	fake_control_send(&event);
	wait_until(counted(&heard.migrates) == 1);
	assert_int_equal(heard.reqid, 4);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(spis_are_of_the_lease_and_each_is_given_once),
		TEST(an_sa_arrives_as_charon_said_it),
		TEST(what_homeport_lacks_is_refused_and_never_sent),
		TEST(a_refusal_leaves_nothing_but_the_spi),
		TEST(a_refused_policy_ends_its_sa),
		TEST(a_policy_tells_when_it_was_used),
		TEST(the_same_sa_twice_has_one_handle),
		TEST(peers_of_one_nat_may_have_one_spi),
		TEST(a_move_keeps_the_handle_and_is_never_unsupported),
		TEST(an_sa_of_mobile_ipv6_is_not_moved),
		TEST(numbers_of_an_sa_never_go_back),
		TEST(a_rekey_as_responder),
		TEST(a_policy_is_found_after_its_sa_moved),
		TEST(traps_shunts_and_forward_policies),
		TEST(events_reach_charon),
	};
	int failed;

	if (!charon_bed_start(argv[1]))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	charon_bed_stop();
	return failed;
}
