/* Control's IPsec over a mirror and a dataplane that refuses and tells events. Time is the test's
 * own. */
#include "tests/unit/control/ipsec/ipsec_bed.h"

/* ---- what the configuration makes ---- */

static void configuration_becomes_commands(void **state)
{
	control_starts(load_both());
	attach();
	assert_int_equal(dataplane->refused, 0);
	const struct esp_sa *in = esp_dataplane_find(dataplane, SA_INBOUND, 0x1001),
			    *out = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001);
	assert_non_null(in);
	assert_non_null(out);
	assert_int_equal(in->started, 1);
	assert_int_equal(in->set.flags, SA_UDP);
	assert_int_equal(in->set.remote_port, htons(40001));
	assert_int_equal(in->set.local_port, htons(4500));
	assert_int_equal(in->set.encryption, SA_ENCRYPTION_AES_GCM_16);
	assert_int_equal(in->set.replay_window, 128);
	assert_int_equal(out->set.replay_window, 0);
	assert_int_equal(in->set.pair_id, out->set.sa_id);
	assert_int_equal(out->set.pair_id, in->set.sa_id);
	assert_int_equal(in->key.encryption_length, 20);
	assert_int_equal(in->key.encryption_key[19], 0xa3);
	assert_int_equal(out->key.encryption_key[0], 0x10);
	assert_int_equal(in->limits.hard_bytes, 1000000);
	assert_int_equal(in->limits.soft_ns, now + 60 * SECOND);
	assert_int_equal(in->limits.hard_ns, CLOCK_NEVER);
	assert_int_equal(in->selector_count, 2); // KIF-15
	const struct esp_sa *null = esp_dataplane_find(dataplane, SA_INBOUND, 0x1002);
	assert_int_equal(null->key.encryption_length, 0);
	assert_int_equal(null->key.integrity_length, 20);
	assert_int_equal(null->key.integrity_key[19], 0x14);
	// SPD-22: one commit; both directions; the outbound one knows its SA
	assert_int_equal(dataplane->commits, 1);
	unsigned protect = 0, bypass = 0;
	for (unsigned i = 0; i < ESP_POLICIES; i++) {
		const struct esp_policy *p = &dataplane->policies[i];
		protect += p->live && p->set.action == POLICY_PROTECT &&
			   p->set.sa_id == out->set.sa_id && p->set.order == 20;
		bypass += p->live && p->set.action == POLICY_BYPASS && p->set.order == 99;
	}
	assert_int_equal(protect, 2);
	assert_int_equal(bypass, 2);
	// keys before their SA, SAs before policies
	assert_true(esp_dataplane_logged(dataplane, COMMAND_SA_KEY, 0) <
		    esp_dataplane_logged(dataplane, COMMAND_SA_SET, 0));
	assert_true(esp_dataplane_logged(dataplane, COMMAND_SA_SET, 0) <
		    esp_dataplane_logged(dataplane, COMMAND_POLICY_SET, 0));
}

/* ---- refusals ---- */

static void refusal_is_told(void **state)
{
	control_starts(load_both());
	dataplane->refuse_type = COMMAND_SA_SET;
	dataplane->refuse_errno = ENOTSUP;
	attach();
	assert_true(told[IPSEC_EVENT_REFUSED] >= 1);
	assert_int_equal(told_error, ENOTSUP);
	assert_true(told_sa[0]);
}

/* ---- rekey by hand ---- */

static void rekey_switches_without_gap(void **state)
{
	struct config_error error;
	struct config_policy policy;
	control_starts(load_both());
	attach();
	uint32_t old_out = live(SA_OUTBOUND, "b")->command.sa_id;
	struct config_security_association pair = config->security_associations[0];
	snprintf(pair.name, sizeof(pair.name), "b2");
	pair.spi_in = 0x1101;
	pair.spi_out = 0x2101;
	pair.key_in.bytes[0] ^= 1;
	pair.key_out.bytes[0] ^= 1;
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), 0);
	policy = config->policies[0];
	snprintf(policy.name, sizeof(policy.name), "pb2");
	snprintf(policy.security_association, sizeof(policy.security_association), "b2");
	policy.order = 10;
	assert_int_equal(ipsec_manual_policy_add(ipsec, config, &policy, &error), 0);
	settle();
	unsigned before = dataplane->read;
	// LIFE-06: both accept
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001));
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1101));
	assert_int_equal(ipsec_manual_policy_del(ipsec, "pb", &error), 0);
	assert_int_equal(ipsec_manual_del(ipsec, "b", &error, now), 0);
	settle();
	// the policy is gone for everybody before its SA is
	assert_true(esp_dataplane_logged(dataplane, COMMAND_POLICY_COMMIT, before) <
		    esp_dataplane_logged(dataplane, COMMAND_SA_REMOVE, before));
	assert_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001));
	assert_int_equal(lost, 1);
	assert_int_equal(dataplane->refused, 0);
	// LIFE-10: slot and SPI rest for a minute
	for (unsigned i = 0; i < 70; i++) {
		uint32_t spi = ipsec_get_spi(ipsec, 0, now);
		const struct sa *sa =
			spi ? sa_database_inbound(ipsec_associations(ipsec), spi) : NULL;
		if (sa)
			assert_int_not_equal(sa->command.sa_id, old_out);
	}
}

static void errors_of_operators(void **state)
{
	struct config_error error;
	control_starts(load_both());
	attach();
	struct config_security_association pair = config->security_associations[0];
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), -EEXIST);
	snprintf(pair.name, sizeof(pair.name), "x");
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), -EEXIST);
	assert_string_equal(error.text, "x: spi-in is another association's");
	pair.spi_in = 0x3001;
	pair.key_in.length = 19;
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), -EINVAL);
	assert_non_null(strstr(error.text, "key_in has 19 octets"));
	assert_int_equal(ipsec_manual_del(ipsec, "nobody", &error, now), -ENOENT);
	struct config_policy policy = config->policies[0];
	snprintf(policy.name, sizeof(policy.name), "y");
	snprintf(policy.security_association, sizeof(policy.security_association), "nobody");
	assert_int_equal(ipsec_manual_policy_add(ipsec, config, &policy, &error), -ENOENT);
	assert_int_equal(ipsec_manual_policy_del(ipsec, "y", &error), -ENOENT);
	// SPD-20, BAD-57: two that no packet could tell apart; in another order it is another one
	snprintf(policy.security_association, sizeof(policy.security_association), "b");
	assert_int_equal(ipsec_manual_policy_add(ipsec, config, &policy, &error), -EEXIST);
	assert_string_equal(error.text, "y: another policy has this order and these selectors");
	policy.order++;
	assert_int_equal(ipsec_manual_policy_add(ipsec, config, &policy, &error), 0);
	assert_int_equal(dataplane->refused, 0);
	// TRN-09, BAD-57: two peers behind one NAT, in transport mode, with the same selectors
	struct traffic_selector local, remote;
	assert_int_equal(traffic_selector_parse("192.0.2.1", &local), 0);
	assert_int_equal(traffic_selector_parse("198.51.100.2[udp/434]", &remote), 0);
	pair = config->security_associations[0];
	pair.mode = ESP_MODE_TRANSPORT;
	pair.local_ts = &local;
	pair.remote_ts = &remote;
	pair.local_ts_count = pair.remote_ts_count = 1;
	pair.encap = true;
	pair.remote_port = 40011;
	for (unsigned i = 0; i < 3; i++) { /* the third is the first one's next association */
		snprintf(pair.name, sizeof(pair.name), "t%u", i);
		pair.spi_in = 0x5000 + i;
		pair.remote_port = i == 1 ? 40012 : 40011;
		assert_int_equal(
			ipsec_manual_add(ipsec, config, &pair, &error, now), i == 1 ? -EEXIST : 0);
	}
	// SAD-09, BAD-59: when the slots are used up, nobody else is hurt
	pair = config->security_associations[0];
	int result = 0;
	unsigned added = 0;
	while (!result) {
		snprintf(pair.name, sizeof(pair.name), "many%u", added);
		pair.spi_in = 0x4000 + added;
		result = ipsec_manual_add(ipsec, config, &pair, &error, now);
		added += !result;
	}
	assert_int_equal(result, -ENOSPC);
	assert_int_equal(added, 59);
	assert_non_null(live(SA_INBOUND, "b"));
}

/* ---- events ---- */

static void limits_expire(void **state)
{
	control_starts(load_both());
	attach();
	struct event event = {.type = EVENT_SA_EXPIRED,
		.id = live(SA_OUTBOUND, "b")->command.sa_id,
		.port = SA_OUTBOUND,
		.value = SA_EXPIRED_SOFT_PACKETS};
	esp_dataplane_event(dataplane, &event);
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(told[IPSEC_EVENT_SA_SOFT_EXPIRED], 1); // LIFE-02: once
	assert_string_equal(told_cause, "packets");
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	event.value = SA_EXPIRED_HARD_BYTES;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(told[IPSEC_EVENT_SA_HARD_EXPIRED], 1);
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_int_equal(live(SA_OUTBOUND, "b")->state, SA_IS_EXPIRED);
	for (unsigned i = 0; i < ESP_POLICIES; i++)
		if (dataplane->policies[i].live &&
			dataplane->policies[i].set.action == POLICY_PROTECT)
			assert_int_equal(dataplane->policies[i].set.sa_id, SA_NONE);
	event.id = 60; /* nonsense changes nothing */
	event.value = 99;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(dataplane->refused, 0);
}

// NAT-10, MOB-01, -02, -17
static void mapping_is_followed(void **state)
{
	control_starts(load_both());
	attach();
	unsigned before = dataplane->read;
	struct event event = mapping_to("203.0.113.9", 50001);
	esp_dataplane_event(dataplane, &event);
	settle();
	const struct esp_sa *out = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001),
			    *in = esp_dataplane_find(dataplane, SA_INBOUND, 0x1001);
	assert_true(ip_address_equal(&out->set.remote, &event.address));
	assert_int_equal(out->set.remote_port, htons(50001));
	assert_true(ip_address_equal(&in->set.remote, &event.address));
	assert_int_equal(esp_dataplane_logged(dataplane, COMMAND_SA_KEY, before), -1);
	assert_int_equal(out->started, 1); // not made anew
	assert_int_equal(told[IPSEC_EVENT_SA_MOVED], 1);
	for (unsigned i = 0; i < 100; i++) {
		event = mapping_to("203.0.113.9", (uint16_t)(50002 + i));
		esp_dataplane_event(dataplane, &event);
		settle();
	}
	assert_int_equal(told[IPSEC_EVENT_SA_MOVED], 60);
	assert_int_equal(ipsec_counters_get(ipsec).moves_limited, 41);
	now += 60 * SECOND;
	event = mapping_to("203.0.113.9", 60000);
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(out->set.remote_port, htons(60000));
	// without encapsulation nothing is followed (NAT-12)
	event.id = live(SA_INBOUND, "c")->command.sa_id;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(told[IPSEC_EVENT_MAPPING], 40 + 1);
}

static void dummies_are_handed_over(void **state) // ESP-FMT-12
{
	struct config_error error;
	const struct sa *sa;

	control_starts(load(both, both_policies));
	assert_int_equal(ipsec_dummy(ipsec, "b", 3, 64, &error), -ENOTCONN);
	attach();
	assert_int_equal(ipsec_dummy(ipsec, "nobody", 1, 64, &error), -ENOENT);
	assert_int_equal(ipsec_dummy(ipsec, "b", 0, 64, &error), -EINVAL);
	assert_int_equal(ipsec_dummy(ipsec, "b", 1, 39, &error), -EINVAL);
	assert_int_equal(ipsec_dummy(ipsec, "b", 1, 1801, &error), -EINVAL);
	assert_int_equal(injected_count, 0);
	assert_int_equal(ipsec_dummy(ipsec, "b", 3, 64, &error), 0);
	assert_int_equal(injected_count, 3);
	assert_int_equal(ipsec_counters_get(ipsec).dummies, 3);
	sa = sa_database_named(ipsec_associations(ipsec), SA_OUTBOUND, "b");
	assert_int_equal(injected.kind, INJECT_ESP_DUMMY);
	assert_int_equal(injected.sa_id, sa->command.sa_id);
	assert_int_equal(injected.vrf, sa->command.vrf);
	assert_int_equal(injected.length, 64);
	assert_int_equal(injected.data[0], 0x45);
	assert_int_equal(injected.data[9], 59);
	assert_true(checksum_verify(checksum_add(0, injected.data, 20)));
	assert_memory_equal(&injected.data[16], &sa->command.remote.bytes[12], 4);
	inject_room = 1; /* the queue is full: what went is not taken back */
	assert_int_equal(ipsec_dummy(ipsec, "b", 3, 64, &error), -EAGAIN);
	assert_int_equal(injected_count, 4);
}

static void update_moves_in_place(void **state)
{
	struct config_error error;
	struct ip_address remote;
	control_starts(load_both());
	attach();
	unsigned before = dataplane->read;
	assert_int_equal(ip_address_parse("203.0.113.77", &remote), 0);
	struct ipsec_move move = {.remote = &remote,
		.local_port = -1,
		.remote_port = -1,
		.encap = 0,
		.follow_mapping = 0,
		.path_mtu = 1400};
	assert_int_equal(ipsec_manual_update(ipsec, "b", &move, &error, now), 0);
	settle();
	const struct esp_sa *out = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001);
	assert_true(ip_address_equal(&out->set.remote, &remote));
	assert_int_equal(out->set.flags & SA_UDP, 0); // MOB-08
	assert_int_equal(out->set.remote_port, 0);
	assert_int_equal(out->set.path_mtu, 1400);
	assert_int_equal(esp_dataplane_logged(dataplane, COMMAND_SA_KEY, before), -1);
	move.follow_mapping = 1;
	assert_int_equal(ipsec_manual_update(ipsec, "b", &move, &error, now), -EINVAL);
	assert_string_equal(error.text, "b: follow_mapping needs encap");
	assert_int_equal(ipsec_manual_update(ipsec, "nobody", &move, &error, now), -ENOENT);
}

static void others_are_told(void **state)
{
	control_starts(load_both());
	attach();
	struct event event = {.type = EVENT_ACQUIRE, .id = 0};
	esp_dataplane_event(dataplane, &event);
	event = (struct event){
		.type = EVENT_SA_REJECTED, .id = SA_NONE, .value = 1ull << 32 | 0xdeadbeef};
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_int_equal(told[IPSEC_EVENT_ACQUIRE], 1);
	assert_int_equal(told[IPSEC_EVENT_REJECTED], 1);
	assert_non_null(told_cause);
}

/* ---- SPIs, inner addresses ---- */

static void larval_spis_end(void **state)
{
	control_starts(load_both());
	attach();
	uint32_t spi = ipsec_get_spi(ipsec, 0, now), other = ipsec_get_spi(ipsec, 0, now);
	assert_true(spi >= SA_SPI_FIRST && spi <= SA_SPI_LAST); // SAD-06
	assert_int_not_equal(spi, other);
	settle();
	const struct esp_sa *larval = esp_dataplane_find(dataplane, SA_INBOUND, spi);
	assert_non_null(larval);
	assert_true(larval->set.flags & SA_LARVAL);
	assert_int_equal(sa_spi_slot(spi, ESP_SLOTS), larval->set.sa_id);
	// one gets its keys, the other ends
	struct sa model = *live(SA_INBOUND, "c");
	struct sa_keys keys = *model.keys;
	model.name[0] = '\0';
	model.command.spi = htonl(spi);
	model.command.sa_id = 0;
	assert_non_null(ipsec_add_sa(ipsec, &model, &keys, now));
	settle();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(esp_dataplane_find(dataplane, SA_INBOUND, spi)->set.flags & SA_LARVAL, 0);
	now += 165 * SECOND;
	ipsec_tick(ipsec, now);
	settle();
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, spi));
	assert_null(esp_dataplane_find(dataplane, SA_INBOUND, other)); // SAD-05
}

// HA4-MODE-03
static void inner_addresses_have_owners(void **state)
{
	struct ip_address inside, outside;
	control_starts(load_both());
	attach();
	uint32_t in_b = live(SA_INBOUND, "b")->command.sa_id,
		 in_c = live(SA_INBOUND, "c")->command.sa_id;
	assert_int_equal(ip_address_parse("10.3.0.5", &inside), 0);
	assert_int_equal(ip_address_parse("10.3.0.6", &outside), 0);
	assert_true(ipsec_inner_owned(ipsec, in_b, &inside));
	assert_false(ipsec_inner_owned(ipsec, in_b, &outside));
	assert_false(ipsec_inner_owned(ipsec, in_c, &inside));
	assert_false(ipsec_inner_owned(ipsec, 0, &inside));
	assert_false(ipsec_inner_owned(ipsec, UINT32_MAX, &inside));
	assert_int_equal(ipsec_owner_of(ipsec, 0, &inside), in_b);
	assert_int_equal(ipsec_owner_of(ipsec, 1, &inside), 0);
	assert_int_equal(ipsec_owner_of(ipsec, 0, &outside), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(configuration_becomes_commands),
		TEST(refusal_is_told),
		TEST(rekey_switches_without_gap),
		TEST(errors_of_operators),
		TEST(limits_expire),
		TEST(mapping_is_followed),
		TEST(dummies_are_handed_over),
		TEST(update_moves_in_place),
		TEST(others_are_told),
		TEST(larval_spis_end),
		TEST(inner_addresses_have_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
