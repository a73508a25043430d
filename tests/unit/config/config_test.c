/*
 * The configuration by files: every example loads and reads back from its own print; every file in
 * bad/ is refused with, and every file in warned/ loads with, exactly the message of its first line
 * ("# LINE: text").
 */
#include "config/config.h"
#include "config/fingerprint.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *examples_folder, *cases_folder;

static struct config *load(const char *path)
{
	struct config_error error;
	struct config *config;

	if (config_load(path, &config, &error, stderr))
		fail_msg("%s", error.text);
	return config;
}

static struct config *load_text(const char *text)
{
	struct config_error error;
	struct config *config;

	if (config_load_string(text, "text", &config, &error, NULL))
		fail_msg("%s", error.text);
	return config;
}

static char *print(const struct config *config, bool with_keys)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	config_print(config, out, with_keys);
	fclose(out);
	return text;
}

/* Calls `check` with every .cfg of a folder; fails when there is none. */
static void each_file(const char *folder, const char *inner, void (*check)(const char *path))
{
	char path[1024];
	unsigned count = 0;
	snprintf(path, sizeof(path), "%s/%s", folder, inner);
	DIR *directory = opendir(path);

	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (!strstr(entry->d_name, ".cfg"))
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", folder, inner, entry->d_name);
		check(path);
		count++;
	}
	closedir(directory);
	assert_true(count >= 4);
}

static void example_reads_back(const char *path)
{
	struct config *first = load(path);
	char *text = print(first, true);
	struct config_error error;
	struct config *second;

	if (config_load_string(text, path, &second, &error, NULL))
		fail_msg("printed %s does not load: %s", path, error.text);
	char *again = print(second, true);
	assert_string_equal(text, again);
	assert_int_equal(config_reload_check(first, second, &error), 0);
	free(text);
	free(again);
	config_free(first);
	config_free(second);
}

static void examples_read_back(void **state)
{
	each_file(examples_folder, ".", example_reads_back);
}

static void first_line(const char *path, char *out, size_t size)
{
	FILE *file = fopen(path, "r");
	char line[600];

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	snprintf(out, size, "%s:%s", path, line + 2);
}

static void bad_file_is_refused(const char *path)
{
	struct config_error error = {""};
	struct config *config = (struct config *)&error;
	char expected[1800];

	first_line(path, expected, sizeof(expected));
	assert_int_equal(config_load(path, &config, &error, NULL), -EINVAL);
	assert_null(config);
	assert_string_equal(error.text, expected);
}

// HA4-ROLE-02 -03 -04, HA4-TNC-10, HA4-NAT-12, HA4-AUTH-02, HA4-RPL-17: one file each
// SPD-20, TRN-09, BAD-57: policy_conflict, sa_transport_twice
// TRN-11, BAD-58: sa_transport_ts
static void bad_files_are_refused(void **state)
{
	each_file(cases_folder, "bad", bad_file_is_refused);
}

static void warned_file_loads(const char *path)
{
	struct config_error error;
	struct config *config;
	char expected[1800], *text = NULL;
	size_t size = 0;
	FILE *warnings = open_memstream(&text, &size);

	first_line(path, expected, sizeof(expected) - 1);
	strcat(expected, "\n");
	if (config_load(path, &config, &error, warnings))
		fail_msg("%s", error.text);
	fclose(warnings);
	assert_string_equal(text, expected);
	free(text);
	config_free(config);
}

// HA4-TNC-04, HA4-RPL-05 -17: one file each
static void warned_files_load(void **state)
{
	each_file(cases_folder, "warned", warned_file_loads);
}

static void lab_has_the_values_of_the_vectors(void **state)
{
	char path[1024], text[IP_PREFIX_TEXT_SIZE];
	snprintf(path, sizeof(path), "%s/lab.cfg", examples_folder);
	struct config *config = load(path);
	static const uint8_t key[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc,
		0xba, 0x98, 0x76, 0x54, 0x32, 0x10};

	assert_int_equal(config->instance_count, 1);
	assert_int_equal(config->instances[0].address_count, 1);
	assert_string_equal(
		ip_address_format(&config->instances[0].addresses[0], text), "192.0.2.1");
	assert_string_equal(ip_prefix_format(&config->instances[0].home_networks[0].prefix, text),
		"10.1.0.0/16");
	assert_int_equal(config->instances[0].home_networks[0].port, UINT16_MAX);
	assert_false(config->instances[0].home_networks[0].advertise);
	assert_int_equal(config->instances[0].keepalive_s, 30);
	assert_int_equal(config->instances[0].nat_max_lifetime_s, 60);
	assert_int_equal(config->instances[0].max_bindings, 1000);
	assert_int_equal(config->instances[0].dscp, -1);
	assert_int_equal(config->mobile_node_count, 1);
	const struct config_mobile_node *node = &config->mobile_nodes[0];
	assert_string_equal(node->nai, "mn1@example.com");
	assert_int_equal(node->home_address.length, 128);
	assert_string_equal(ip_address_format(&node->home_address.address, text), "10.1.0.10");
	assert_int_equal(node->security[0].spi, 0x100);
	assert_int_equal(node->security[0].tolerance_s, 7);
	assert_int_equal(node->security[0].key.length, 16);
	assert_memory_equal(node->security[0].key.bytes, key, 16);
	assert_int_equal(config->routes[1].port, 1);
	assert_true(ip_address_is_unspecified(&config->routes[1].via));
	config_free(config);
}

#define HEAD                                                                                       \
	"instances = ( { name = \"a\"; addresses = [ \"192.0.2.1\" ]; home_networks = ( { prefix " \
	"= \"10.1.0.0/16\"; } );"                                                                  \
	" replay_default = \"nonce\"; } );\n"
#define NODE(settings)                                                                             \
	"mobile_nodes = ( { home_address = \"10.1.0.10\"; security = ( { " settings " } ); } );\n"
#define KEY "key = \"000102030405060708090a0b0c0d0e0f\";"

static void large_spis_are_not_cut(void **state) /* libconfig 1.5 keeps 32 signed bits */
{
	struct config *config = load_text(HEAD NODE("spi = 0xfffffff0; " KEY));
	assert_int_equal(config->mobile_nodes[0].security[0].spi, 0xfffffff0u);
	config_free(config);
	config = load_text(HEAD NODE("spi = 3000000000; not_after = 4102444800; " KEY));
	assert_int_equal(config->mobile_nodes[0].security[0].spi, 3000000000u);
	assert_int_equal(config->mobile_nodes[0].security[0].not_after, 4102444800);
	config_free(config);
	config = load_text(
		HEAD NODE("spi = 3000000000L; /* 99999999999 */ # 99999999999999999999\n " KEY));
	assert_int_equal(config->mobile_nodes[0].security[0].spi, 3000000000u);
	config_free(config);
}

static void replay_style_follows_the_instance(void **state)
{
	struct config *config = load_text(HEAD NODE("spi = 256; " KEY));
	assert_int_equal(config->mobile_nodes[0].security[0].replay, REPLAY_NONCE);
	config_free(config);
	config = load_text(HEAD NODE("spi = 256; replay = \"timestamp\"; " KEY));
	assert_int_equal(config->mobile_nodes[0].security[0].replay, REPLAY_TIMESTAMP);
	config_free(config);
}

// HA4-AUTH-24
static void printed_without_keys_is_refused(void **state)
{
	struct config *config = load_text(HEAD NODE("spi = 256; " KEY)), *again;
	struct config_error error;
	char *text = print(config, false), fingerprint[SECRET_FINGERPRINT_SIZE];

	config_fingerprint(&config->mobile_nodes[0].security[0].key, fingerprint);
	assert_null(strstr(text, "000102030405"));
	assert_non_null(strstr(text, fingerprint));
	assert_int_equal(config_load_string(text, "text", &again, &error, NULL), -EINVAL);
	assert_non_null(strstr(error.text, "printed without its keys"));
	free(text);
	config_free(config);
}

static void key_file_must_be_private(void **state)
{
	char path[] = "/tmp/hp-config-key-XXXXXX", text[1024];
	int fd = mkstemp(path);
	struct config_error error;
	struct config *config;

	assert_int_equal(write(fd, "00ff10\n", 7), 7);
	close(fd);
	snprintf(text, sizeof(text), HEAD NODE("spi = 256; key_file = \"%s\";"), path);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(config_load_string(text, "text", &config, &error, NULL), -EINVAL);
	assert_non_null(strstr(error.text, "is open to group or others: chmod 600 it"));
	assert_int_equal(chmod(path, 0600), 0);
	config = load_text(text);
	assert_int_equal(config->mobile_nodes[0].security[0].key.length, 3);
	assert_int_equal(config->mobile_nodes[0].security[0].key.bytes[1], 0xff);
	/* Names its file again, with keys or without: both read back. */
	char *printed = print(config, false);
	struct config *again = load_text(printed);
	assert_int_equal(again->mobile_nodes[0].security[0].key.bytes[2], 0x10);
	free(printed);
	config_free(config);
	config_free(again);
	unlink(path);
}

static int reload(const char *before, const char *after, struct config_error *error)
{
	struct config *one = load_text(before), *two = load_text(after);
	int result = config_reload_check(one, two, error);

	config_free(one);
	config_free(two);
	return result;
}

static const char pair_text[] =
	"dataplane = { ports = ( { name = \"a\"; device = \"b\"; } ); };\n"
	"security_associations = ( { name = \"x\"; local = \"192.0.2.1\"; remote = "
	"\"192.0.2.2\"; mode = \"transport\";\n"
	"  spi_in = 300; spi_out = 0xffffffff; algorithm = \"null-sha1\"; %s } );\n";

/* Transport mode needs no selectors, the window has a default, keys come in one file for both. */
static void pair_of_a_key_file(void **state)
{
	char path[] = "/tmp/hp-ipsec-keys-XXXXXX", setting[100], text[800];
	struct config_error error;
	struct config *config;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	dprintf(fd, "# of the pair x\nout 0102030405060708090a0b0c0d0e0f1011121314\n\n"
		    " in\tf102030405060708090a0b0c0d0e0f1011121314 \n");
	snprintf(setting, sizeof(setting), "key_file = \"%s\";", path);
	snprintf(text, sizeof(text), pair_text, setting);
	config = load_text(text);
	const struct config_security_association *pair = &config->security_associations[0];
	assert_int_equal(pair->key_in.bytes[0], 0xf1);
	assert_int_equal(pair->key_out.bytes[0], 1);
	assert_int_equal(pair->key_in.length, 20);
	assert_int_equal(pair->replay_window, 1024);
	assert_int_equal(pair->spi_out, UINT32_MAX);
	assert_int_equal(pair->local_ts_count, 1);
	assert_true(traffic_selector_contains(&pair->remote_ts[0], &pair->remote));
	char *printed = print(config, false);
	assert_null(strstr(printed, "f102030405")); // ESP-ALG-25
	assert_non_null(strstr(printed, path));
	free(printed);
	config_free(config);

	chmod(path, 0640);
	assert_int_equal(config_load_string(text, "text", &config, &error, NULL), -EINVAL);
	assert_non_null(strstr(error.text, "is open to group or others"));
	chmod(path, 0600);
	static const char *const bad[] = {"in 01\n", "in 01\nout 02\nout 03\n",
		"in 01 02\nout 02\n", "in 0x01\nout 02\n", "in01\nout 02\n", "in\nout 02\n",
		"key 01\n", ""};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct secret in, out;
		assert_int_equal(config_key_parse_pair(bad[i], &in, &out), -EINVAL);
		assert_int_equal(in.length, 0);
		assert_int_equal(out.length, 0);
	}
	close(fd);
	unlink(path);
}

static void printed_pair_hides_its_keys(void **state)
{
	char text[800];
	struct config *config;

	snprintf(text, sizeof(text), pair_text,
		"key_in = \"f102030405060708090a0b0c0d0e0f1011121314\"; "
		"key_out = \"f202030405060708090a0b0c0d0e0f1011121314\";");
	config = load_text(text);
	char *printed = print(config, false);
	assert_null(strstr(printed, "f102030405"));
	assert_null(strstr(printed, "f202030405"));
	assert_non_null(strstr(printed, "key_out = \"\" /* not shown, fingerprint"));
	free(printed);
	config_free(config);
}

static void reload_names_what_needs_a_restart(void **state)
{
	struct config_error error;
	const char *before = HEAD "dataplane = { ports = ( { name = \"a\"; device = \"x\"; } ); };";

	assert_int_equal(reload(before,
				 HEAD NODE("spi = 256; " KEY) "dataplane = { ports = ( { name = "
							      "\"a\"; device = \"x\"; } ); };",
				 &error),
		0);
	assert_int_equal(reload(before,
				 HEAD "dataplane = { workers = 2; ports = ( { name = \"a\"; device "
				      "= \"x\"; } ); };",
				 &error),
		-EBUSY);
	assert_string_equal(error.text, "dataplane.workers: a change needs a restart");
	assert_int_equal(
		reload(before,
			HEAD "dataplane = { ports = ( { name = \"a\"; device = \"y\"; } ); };",
			&error),
		-EBUSY);
	assert_string_equal(error.text, "dataplane.ports[0].device: a change needs a restart");
	assert_int_equal(reload(before, HEAD, &error), -EBUSY);
	assert_string_equal(error.text, "dataplane.ports: a change needs a restart");
	assert_int_equal(
		reload(HEAD, "control = { metrics = \"127.0.0.1:1\"; };" HEAD, &error), -EBUSY);
	assert_string_equal(error.text, "control.metrics: a change needs a restart");
	assert_int_equal(reload(HEAD, "control = { log_level = \"debug\"; };" HEAD, &error), 0);
	assert_int_equal(reload(HEAD, "", &error), -EBUSY);
	assert_string_equal(error.text, "instances: a change needs a restart");
}

static void missing_file_and_folder_are_told(void **state)
{
	struct config_error error;
	struct config *config;

	assert_int_equal(config_load("/nonexistent/homeport.cfg", &config, &error, NULL), -ENOENT);
	assert_string_equal(error.text, "/nonexistent/homeport.cfg: No such file or directory");
	assert_int_equal(config_load("/tmp", &config, &error, NULL), -EINVAL);
}

static void warnings_stop_at_a_hundred(void **state)
{
	char *text = NULL, *warned = NULL;
	size_t size = 0, warned_size = 0, lines = 0;
	FILE *out = open_memstream(&text, &size), *warnings = open_memstream(&warned, &warned_size);
	struct config_error error;
	struct config *config;

	fputs(HEAD "mobile_nodes = (", out);
	for (unsigned i = 0; i < 300; i++)
		fprintf(out,
			"%s{ home_address = \"10.1.1.%u\"; security = ( { spi = 256; key = \"00\"; "
			"} ); }",
			i ? "," : "", i % 256);
	fputs(");", out);
	fclose(out);
	config_load_string(text, "text", &config, &error, warnings);
	fclose(warnings);
	for (const char *at = warned; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 101);
	assert_non_null(strstr(error.text, "is given twice"));
	free(text);
	free(warned);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_read_back),
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(warned_files_load),
		cmocka_unit_test(lab_has_the_values_of_the_vectors),
		cmocka_unit_test(large_spis_are_not_cut),
		cmocka_unit_test(replay_style_follows_the_instance),
		cmocka_unit_test(printed_without_keys_is_refused),
		cmocka_unit_test(key_file_must_be_private),
		cmocka_unit_test(pair_of_a_key_file),
		cmocka_unit_test(printed_pair_hides_its_keys),
		cmocka_unit_test(reload_names_what_needs_a_restart),
		cmocka_unit_test(missing_file_and_folder_are_told),
		cmocka_unit_test(warnings_stop_at_a_hundred),
	};

	examples_folder = argc > 1 ? argv[1] : "config/examples";
	cases_folder = argc > 2 ? argv[2] : "tests/unit/config";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
