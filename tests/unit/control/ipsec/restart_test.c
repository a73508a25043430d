/* What associations keep when control or the dataplane dies: numbers, windows, mappings, ages. */
#include "tests/unit/control/ipsec/ipsec_bed.h"

static void detach(void)
{
	mirror_detach(mirror);
	attach_disconnect(&attachment);
	ipsec_detached(ipsec, &attachment);
}

/* ---- restarts ---- */

/* ESP-SEQ-02, -18: numbers and window go on; the old mapping is read after its process is gone. */
static void dataplane_killed_resumes(void **state)
{
	control_starts(load_both());
	attach();
	uint32_t in = live(SA_INBOUND, "b")->command.sa_id,
		 out = live(SA_OUTBOUND, "b")->command.sa_id;
	uint32_t words = sa_window_words(256);
	dataplane->region.sa_outbound[out].sequence = 1234567;
	dataplane->region.sa_outbound[out].bytes = 99;
	dataplane->region.sa_inbound[in].highest = 777;
	for (uint32_t i = 0; i < words; i++)
		dataplane->region.sa_windows[in * words + i] = 0xabcd0000u + i;
	detach();
	dataplane->region.sa_outbound[out].sequence = 1234599; /* a last burst */
	dataplane->region.sa_outbound[out].policy_hits = 7;    /* a policy's, not the SA's */
	dataplane->region.sa_outbound[out].policy_slot = 3;
	esp_dataplane_kill(dataplane);
	esp_dataplane_start(dataplane, 256);
	attach();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(dataplane->region.sa_outbound[out].sequence, 1234599);
	assert_int_equal(dataplane->region.sa_outbound[out].bytes, 99);
	assert_int_equal(dataplane->region.sa_outbound[out].policy_hits, 0);
	assert_int_equal(dataplane->region.sa_outbound[out].policy_slot, 0);
	assert_int_equal(dataplane->region.sa_inbound[in].highest, 777);
	for (uint32_t i = 0; i < words; i++)
		assert_int_equal(dataplane->region.sa_windows[in * words + i], 0xabcd0000u + i);
	assert_int_equal(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->resumed, 1);
	assert_int_equal(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->started, 0);
	assert_int_equal(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001)->resumed, 1);
	assert_int_equal(ipsec_handover_counters(ipsec).copied, 4);
	// and once more
	detach();
	esp_dataplane_kill(dataplane);
	esp_dataplane_start(dataplane, 256);
	attach();
	assert_int_equal(dataplane->region.sa_outbound[out].sequence, 1234599);
}

/* Another layout of windows: nothing that was accepted is accepted again. */
static void window_of_another_layout_is_closed(void **state)
{
	control_starts(load_both());
	attach();
	uint32_t in = live(SA_INBOUND, "b")->command.sa_id;
	dataplane->region.sa_inbound[in].highest = 777;
	detach();
	esp_dataplane_kill(dataplane);
	esp_dataplane_start(dataplane, 512);
	attach();
	assert_int_equal(dataplane->region.sa_inbound[in].highest, 777 + 512);
	assert_int_equal(ipsec_handover_counters(ipsec).reset, 2);
}

/* The region of the living dataplane tells which slot is whose, whatever the order. */
static void control_killed_adopts(void **state)
{
	struct config_error error;
	control_starts(load_both());
	attach();
	uint32_t in_b = live(SA_INBOUND, "b")->command.sa_id,
		 out_b = live(SA_OUTBOUND, "b")->command.sa_id,
		 out_c = live(SA_OUTBOUND, "c")->command.sa_id;
	dataplane->region.sa_outbound[out_b].sequence = 5000;
	dataplane->region.sa_outbound[out_c].sequence = 6000;
	dataplane->region.sa_inbound[in_b].highest = 4000;
	control_dies();

	snprintf(both, sizeof(both),
		"{ name = \"d\"; local = \"192.0.2.1\"; remote = \"198.51.100.9\"; spi_in = 0x1009;"
		" spi_out = 0x2009; algorithm = \"null-sha1\"; mode = \"transport\";"
		" key_in = \"0102030405060708090a0b0c0d0e0f1011121399\";"
		" key_out = \"2122232425262728292a2b2c2d2e2f3031323399\"; replay_window = 0; }, "
		"%s, %s",
		pair_c, pair_b);
	control_starts(load(both, policy_rest));
	attach();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(live(SA_INBOUND, "b")->command.sa_id, in_b);
	assert_int_equal(live(SA_OUTBOUND, "b")->command.sa_id, out_b);
	assert_int_equal(live(SA_OUTBOUND, "c")->command.sa_id, out_c);
	assert_int_equal(dataplane->region.sa_outbound[out_b].sequence, 5000);
	assert_int_equal(dataplane->region.sa_inbound[in_b].highest, 4000);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out_b].started, 1);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out_b].resumed, 1);
	assert_true(live(SA_OUTBOUND, "d")->command.sa_id != out_b);
	assert_true(live(SA_OUTBOUND, "d")->command.sa_id != out_c);
	// taken out and given again by hand: the same key goes on with its numbers (ESP-ALG-20)
	assert_int_equal(ipsec_manual_del(ipsec, "b", &error, now), 0);
	settle();
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	for (unsigned i = 0; i < config->security_association_count; i++)
		if (strcmp(config->security_associations[i].name, "b") == 0)
			assert_int_equal(ipsec_manual_add(ipsec, config,
						 &config->security_associations[i], &error, now),
				0);
	settle();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(live(SA_OUTBOUND, "b")->command.sa_id, out_b);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out_b].resumed, 1);
	assert_int_equal(dataplane->region.sa_outbound[out_b].sequence, 5000);
}

/* The same dataplane, another session: nothing is copied over what went on meanwhile. */
static void reattached_to_the_living(void **state)
{
	control_starts(load_both());
	attach();
	uint32_t out = live(SA_OUTBOUND, "b")->command.sa_id;
	detach();
	dataplane->region.sa_outbound[out].sequence = 88;
	attach();
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(dataplane->region.sa_outbound[out].sequence, 88);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].resumed, 1);
	assert_int_equal(ipsec_handover_counters(ipsec).copied, 0);
}

/* ---- events ---- */

// NAT-10, LIFE-01: a new control knows where the NAT led and how old its associations are
static void restart_keeps_mapping_and_age(void **state)
{
	struct event event;
	char other[1000];

	control_starts(load_both());
	attach();
	event = mapping_to("203.0.113.9", 50001);
	monotonic created = now;
	event.id = live(SA_INBOUND, "b")->command.sa_id;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &event.address));
	// the same configuration again leaves the mapping alone
	struct config *again = load_both();
	struct config_error error;
	assert_int_equal(ipsec_configure(ipsec, config, again, &error, now), 0);
	config_free(config);
	config = again;
	settle();
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &event.address));
	control_dies();

	now += 30 * SECOND;
	control_starts(load_both());
	attach();
	assert_int_equal(dataplane->refused, 0);
	for (unsigned direction = 0; direction < 2; direction++) {
		const struct esp_sa *sa = esp_dataplane_find(dataplane,
			(enum sa_direction)direction, direction == SA_INBOUND ? 0x1001 : 0x2001);
		assert_true(ip_address_equal(&sa->set.remote, &event.address));
		assert_int_equal(sa->set.remote_port, htons(50001));
		assert_int_equal(sa->limits.soft_ns, created + 60 * SECOND);
	}
	assert_int_equal(live(SA_OUTBOUND, "b")->created_ns, created);
	assert_int_equal(live(SA_OUTBOUND, "c")->created_ns, created);
	control_dies();

	// other ends in the configuration count more than what was learned
	snprintf(other, sizeof(other), "%s", pair_b);
	memcpy(strstr(other, "198.51.100.2"), "198.51.100.7", 12);
	control_starts(load(other, policy_rest));
	attach();
	struct ip_address seven;
	assert_int_equal(ip_address_parse("198.51.100.7", &seven), 0);
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &seven));
	assert_int_equal(live(SA_OUTBOUND, "b")->created_ns, created);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dataplane_killed_resumes),
		TEST(window_of_another_layout_is_closed),
		TEST(control_killed_adopts),
		TEST(reattached_to_the_living),
		TEST(restart_keeps_mapping_and_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
