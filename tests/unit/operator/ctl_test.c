/* homeportctl against the server: tables, JSON, statuses, keys from a file. */
#include "tests/unit/operator/operator_bed.h"

#include <sys/stat.h>

/* ---- homeportctl ---- */

static void ctl_prints_tables_and_json(void **state)
{
	char out[16384];

	assert_int_equal(ctl("show bindings home 10.0.0.4/31", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "HOME ADDRESS    CARE-OF ADDRESS PORT"));
	assert_non_null(strstr(out, "10.0.0.4        203.0.113.7     40007 udp-ipip"));
	assert_non_null(strstr(out, "odd\"?\xef\xbf\xbd@Example.com"));
	assert_non_null(strstr(out, "2 in all"));
	assert_int_equal(ctl("-j sh bi 10.0.0.7", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "\"remaining_s\":null"));
	assert_int_equal(ctl("show bindings count", out, sizeof(out)), 0);
	assert_string_equal(out, "1000000 in all\n");
	assert_int_equal(ctl("show config", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "\ninstances = (\n"));
	assert_int_equal(ctl("show counters", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "balanced                     yes"));
	assert_int_equal(ctl("show drops", out, sizeof(out)), 0);
	assert_int_equal(ctl("show violations", out, sizeof(out)), 0);
	assert_string_equal(out, "none\n");
	assert_int_equal(ctl("reload", out, sizeof(out)), 0);
	assert_string_equal(out, "done\n");
}

static void ctl_tells_errors_and_statuses(void **state)
{
	char out[4096];

	assert_int_equal(ctl("show binding 10.99.0.1", out, sizeof(out)), 1);
	assert_string_equal(out, "homeportctl: no binding of this home address\n");
	assert_int_equal(ctl("show binding 10.99.0.1 -j", out, sizeof(out)), 1);
	assert_string_equal(out, "{\"ok\":false,\"error\":{\"code\":\"not_found\",\"text\":\"no "
				 "binding of this home address\"}}\n");
	assert_int_equal(ctl("-j shw", out, sizeof(out)), 64);
	assert_non_null(strstr(out, "\"code\":\"usage\""));
	assert_int_equal(ctl("clear", out, sizeof(out)), 64);
	assert_int_equal(ctl("show binding", out, sizeof(out)), 64);
	assert_int_equal(ctl("c", out, sizeof(out)), 64);
	assert_int_equal(ctl("show bindings nai", out, sizeof(out)), 64);
	assert_int_equal(ctl("-s /nonexistent -j show status", out, sizeof(out)), 69);
	assert_non_null(strstr(out, "\"code\":\"unavailable\""));
	assert_int_equal(ctl("--version", out, sizeof(out)), 0);
}

/* ---- IPsec ---- */

static void ctl_reads_keys_from_a_private_file(void **state)
{
	char path[] = "/tmp/hp-operator-keys-XXXXXX", command[500], out[4096];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	dprintf(fd, "in c0ffee01\nout 02\n");
	snprintf(command, sizeof(command),
		"sa add y --local 192.0.2.1 --remote 192.0.2.2 --spi-in 999 spi-out 1000 "
		"--algorithm null-sha1 --key-file %s --esn",
		path);
	assert_int_equal(ctl(command, out, sizeof(out)), 0);
	assert_true(bench.fake.ipsec_changes > 0);
	assert_string_equal(bench.fake.pair.name, "y");
	assert_int_equal(bench.fake.pair.spi_in, 999);
	assert_true(bench.fake.pair.esn);
	assert_int_equal(bench.fake.pair.key_in.bytes[3], 1);
	fchmod(fd, 0640);
	assert_int_equal(ctl(command, out, sizeof(out)), 64);
	assert_non_null(strstr(out, "is open to group or others"));
	assert_int_equal(ctl("sa add y --keys c0ffee01", out, sizeof(out)), 64);
	assert_non_null(strstr(out, "never from here"));
	assert_int_equal(ctl("sa add y --key-fd x", out, sizeof(out)), 64);
	assert_int_equal(ctl("sa add y --key-file /nonexistent", out, sizeof(out)), 64);
	assert_int_equal(ctl("sa add y --nonsense", out, sizeof(out)), 64);
	assert_non_null(strstr(out, "does not take"));
	close(fd);
	unlink(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ctl_prints_tables_and_json),
		cmocka_unit_test(ctl_tells_errors_and_statuses),
		cmocka_unit_test(ctl_reads_keys_from_a_private_file),
	};

	ctl_path = argc > 1 ? argv[1] : "homeportctl";
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
