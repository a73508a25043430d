/* A configuration read again: what changed is changed, what an operator made stays. */
#include "tests/unit/control/ipsec/ipsec_bed.h"

/* ---- reload ---- */

static void reload(const char *pairs, const char *policies, int expected)
{
	struct config_error error;
	struct config *after = load(pairs, policies);

	assert_int_equal(ipsec_configure(ipsec, config, after, &error, now), expected);
	if (expected) {
		config_free(after);
		return;
	}
	config_free(config);
	config = after;
	settle();
	assert_int_equal(dataplane->refused, 0);
}

/* A copy of pair_b with one piece of its text replaced. */
static const char *pair_with(const char *from, const char *to)
{
	static char text[2000];
	const char *at = strstr(pair_b, from);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - pair_b), pair_b, to, at + strlen(from));
	return text;
}

static void reload_makes_the_difference(void **state)
{
	control_starts(load_both());
	attach();
	unsigned before = dataplane->read;
	reload(both, both_policies, 0);
	assert_int_equal(dataplane->read, before); // nothing changed
	uint32_t out = live(SA_OUTBOUND, "b")->command.sa_id;
	dataplane->region.sa_outbound[out].sequence = 42;

	reload(pair_with("198.51.100.2", "198.51.100.77"), policy_b, 0); // moved; c is gone
	assert_int_equal(esp_dataplane_logged(dataplane, COMMAND_SA_KEY, before), -1);
	assert_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1002));
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].started, 1);

	reload(pair_with("101112131415", "a01112131415"), policy_b, 0); // another key: another SA
	assert_int_equal(live(SA_OUTBOUND, "b")->command.sa_id, out);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].key.encryption_key[0], 0xa0);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].started, 1);
	assert_int_equal(dataplane->region.sa_outbound[out].sequence, 0);

	dataplane->region.sa_outbound[out].sequence = 43;
	reload(pair_with("life_bytes = 1000000", "life_bytes = 2000000"), policy_b, 0);
	// other limits and the old key again: the key's first numbers are gone, this one's are new
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].limits.hard_bytes, 2000000);
	reload(pair_with("life_bytes = 1000000", "life_bytes = 3000000"), policy_b, 0);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].limits.hard_bytes, 3000000);
	assert_int_equal(dataplane->sas[SA_OUTBOUND][out].resumed, 1); // the same key resumes
}

static void reload_exchanges_spis(void **state)
{
	char swapped[2200];
	control_starts(load_both());
	attach();
	snprintf(swapped, sizeof(swapped), "%s, %s", pair_with("0x1001", "0x1002"), pair_c);
	char *at = strstr(strstr(swapped, "\"c\""), "0x1002");
	memcpy(at, "0x1001", 6);
	reload(swapped, both_policies, 0);
	assert_string_equal(sa_database_inbound(ipsec_associations(ipsec), 0x1001)->name, "c");
	assert_int_equal(
		esp_dataplane_find(dataplane, SA_INBOUND, 0x1001)->key.integrity_length, 20);
	assert_int_equal(
		esp_dataplane_find(dataplane, SA_INBOUND, 0x1002)->key.encryption_length, 20);
	reload(pair_with("\"b\"", "\"renamed\""), policy_rest, 0);
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001));
}

static void reload_leaves_operators_alone(void **state)
{
	struct config_error error;
	control_starts(load(pair_b, policy_b));
	attach();
	struct config_security_association pair = config->security_associations[0];
	snprintf(pair.name, sizeof(pair.name), "c");
	pair.spi_in = 0x9001;
	pair.spi_out = 0x9002;
	assert_int_equal(ipsec_manual_add(ipsec, config, &pair, &error, now), 0);
	settle();
	reload(pair_b, policy_rest, 0);
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x9001));
	unsigned before = dataplane->read;
	config_free(load_both());
	reload(both, both_policies, -EEXIST); // the configuration's "c" is an operator's
	settle();
	assert_int_equal(dataplane->read, before);
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1001));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reload_makes_the_difference),
		TEST(reload_exchanges_spis),
		TEST(reload_leaves_operators_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
