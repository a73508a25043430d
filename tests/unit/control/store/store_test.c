/* What survives: a clean restart, kill -9, a broken file. */
#include "control/store/store.h"
#include "lib/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
// after the standard headers
#include <cmocka.h>

static char base[64], directory[96], file[160];

static int setup(void **state)
{
	snprintf(base, sizeof(base), "/tmp/hp-store-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(directory, sizeof(directory), "%s/state", base);
	snprintf(file, sizeof(file), "%s/store.mdb", directory);
	return 0;
}

static int teardown(void **state)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

static struct store *open_store(void)
{
	struct store *store;

	assert_int_equal(store_open(&store, directory, 10000), 0);
	return store;
}

static void put(struct store *store, enum store_kind kind, uint32_t key, uint64_t value)
{
	assert_int_equal(store_put(store, kind, &key, sizeof(key), &value, sizeof(value)), 0);
}

struct found {
	unsigned count, stop_after;
	uint64_t sum;
};

static int collect(
	void *context, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct found *found = context;
	uint64_t v;

	assert_int_equal(key_size, 4);
	assert_int_equal(value_size, 8);
	memcpy(&v, value, 8);
	found->sum += v;
	return ++found->count == found->stop_after ? 42 : 0;
}

static struct found all(struct store *store, enum store_kind kind)
{
	struct found found = {0};

	assert_int_equal(store_each(store, kind, collect, &found), 0);
	return found;
}

static void survives_a_restart(void **state)
{
	struct store *store = open_store();
	struct stat status;

	assert_int_equal(stat(directory, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	for (uint32_t i = 0; i < 100; i++)
		put(store, STORE_BINDING, i, i);
	put(store, STORE_IDENTIFICATION, 7, 1000);
	uint32_t key = 50, absent = 5000;
	assert_int_equal(store_delete(store, STORE_BINDING, &key, sizeof(key)), 0);
	assert_int_equal(store_delete(store, STORE_BINDING, &absent, sizeof(absent)), 0);
	put(store, STORE_BINDING, 7, 8);
	assert_int_equal(store_commit(store), 0);
	assert_int_equal(store_commit(store), 0); // nothing begun
	put(store, STORE_BINDING, 200, 1);        // not committed: not kept
	store_close(store);

	store = open_store();
	struct found bindings = all(store, STORE_BINDING),
		     identifications = all(store, STORE_IDENTIFICATION);
	assert_int_equal(bindings.count, 99);
	assert_int_equal(bindings.sum, 4950 - 50 + 1);
	assert_int_equal(identifications.count, 1);
	assert_int_equal(identifications.sum, 1000);
	assert_int_equal(all(store, STORE_NONCE).count, 0);
	assert_int_equal(store_stats(store).records, 100);
	struct found some = {.stop_after = 3};
	assert_int_equal(store_each(store, STORE_BINDING, collect, &some), 42);
	assert_int_equal(some.count, 3);
	store_close(store);
}

/* Everything committed before kill -9 is there; the transaction that was open is not. */
static void survives_kill_9(void **state)
{
	int status;
	pid_t child = fork();

	if (!child) {
		struct store *store;
		if (store_open(&store, directory, 10000))
			_exit(1);
		for (uint32_t i = 0; i < 1000; i++) {
			uint64_t value = i;
			if (store_put(store, STORE_BINDING, &i, sizeof(i), &value, sizeof(value)))
				_exit(2);
			if (i % 10 == 9 && i < 995 && store_commit(store))
				_exit(3);
		}
		kill(getpid(), SIGKILL);
		_exit(4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	struct store *store = open_store();
	struct found found = all(store, STORE_BINDING);
	assert_int_equal(found.count, 990);
	assert_int_equal(found.sum, 990 * 989 / 2);
	put(store, STORE_BINDING, 2000, 1); // and it goes on
	assert_int_equal(store_commit(store), 0);
	store_close(store);
}

static void fill(unsigned count)
{
	struct store *store = open_store();

	for (uint32_t i = 0; i < count; i++)
		put(store, STORE_BINDING, i, 1);
	assert_int_equal(store_commit(store), 0);
	store_close(store);
}

static unsigned moved_aside(void)
{
	unsigned count = 0;
	DIR *d = opendir(directory);
	const struct dirent *entry;

	while ((entry = readdir(d)))
		count += strncmp(entry->d_name, "store.mdb.bad-", 14) == 0;
	closedir(d);
	return count;
}

/* The log line of the opening, in text. */
static struct store *open_and_hear(char *text, size_t size)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	log_redirect(fds[1]);
	struct store *store = open_store();
	log_redirect(-1);
	ssize_t length = read(fds[0], text, size - 1);
	text[length < 0 ? 0 : length] = '\0';
	close(fds[0]);
	close(fds[1]);
	return store;
}

static void starts_empty_beside_the_broken_file(const char *reason)
{
	char text[1024];
	struct store *store = open_and_hear(text, sizeof(text));

	assert_non_null(strstr(text, " error store_moved_aside "));
	assert_non_null(strstr(text, reason));
	assert_int_equal(all(store, STORE_BINDING).count, 0);
	put(store, STORE_BINDING, 1, 1);
	assert_int_equal(store_commit(store), 0);
	store_close(store);
	assert_int_equal(moved_aside(), 1);
	store = open_store();
	assert_int_equal(all(store, STORE_BINDING).count, 1);
	store_close(store);
	assert_int_equal(moved_aside(), 1);
}

static void garbage_is_moved_aside(void **state)
{
	fill(10);
	FILE *f = fopen(file, "w");
	for (unsigned i = 0; i < 50000; i++)
		fputc((int)(i * 7919 % 251), f);
	fclose(f);
	starts_empty_beside_the_broken_file("reason=corrupted");
}

static void a_file_cut_short_is_moved_aside(void **state)
{
	fill(5000);
	struct stat status;
	assert_int_equal(stat(file, &status), 0);
	assert_true(status.st_size > 100000);
	assert_int_equal(truncate(file, 3 * 4096), 0); // LMDB reading this dies of SIGBUS
	starts_empty_beside_the_broken_file("reason=corrupted");
}

static void overwritten_pages_are_moved_aside(void **state)
{
	uint8_t noise[4096];

	fill(5000);
	int fd = open(file, O_WRONLY);
	struct stat status;
	fstat(fd, &status);
	memset(noise, 0xa5, sizeof(noise));
	for (off_t at = 2 * 4096; at < status.st_size; at += 4096)
		assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	close(fd);
	starts_empty_beside_the_broken_file(
		"reason=" /* LMDB may just find nothing in such a page */);
}

/* Changes the version octet of the record that makes the file ours, as a later release would have
 * written it. */
static void another_format_version_is_moved_aside(void **state)
{
	static uint8_t bytes[1 << 20];
	bool changed = false;

	fill(10);
	int fd = open(file, O_RDWR);
	ssize_t length = read(fd, bytes, sizeof(bytes));
	for (ssize_t at = 9; at + 16 < length; at++)
		if (!memcmp(bytes + at, "homeport-store", 15)) {
			uint8_t version = 2;
			assert_int_equal(pwrite(fd, &version, 1, at - 8), 1);
			changed = true;
		}
	close(fd);
	assert_true(changed);
	starts_empty_beside_the_broken_file("reason=other_format_version");
}

static void one_bad_record_is_skipped(void **state)
{
	static uint8_t bytes[1 << 20];
	char text[1024];
	const uint64_t pattern = 0x1122334455667788ull, spoilt = 0;
	struct store *store = open_store();

	for (uint32_t i = 0; i < 10; i++)
		put(store, STORE_BINDING, i, i == 5 ? pattern : 1);
	assert_int_equal(store_commit(store), 0);
	store_close(store);
	int fd = open(file, O_RDWR);
	ssize_t length = read(fd, bytes, sizeof(bytes));
	for (ssize_t at = 0; at + 8 < length; at++)
		if (!memcmp(bytes + at, &pattern, 8))
			assert_int_equal(pwrite(fd, &spoilt, 8, at), 8);
	close(fd);
	store = open_and_hear(text, sizeof(text));
	assert_int_equal(all(store, STORE_BINDING).count, 9);
	assert_int_equal(store_stats(store).bad_records, 1);
	store_close(store);
	assert_int_equal(moved_aside(), 0);
}

static void an_empty_file_is_a_new_store(void **state)
{
	assert_int_equal(mkdir(directory, 0755), 0);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	fill(1);
	struct stat status;
	stat(directory, &status);
	assert_int_equal(status.st_mode & 0777, 0700); // was 0755
	assert_int_equal(moved_aside(), 0);
}

static void one_control_at_a_time(void **state)
{
	struct store *store = open_store(), *second;

	log_set_level(LOG_LEVEL_ERROR - 1);
	assert_int_equal(store_open(&second, directory, 10), -EBUSY);
	assert_null(second);
	store_close(store);
	fill(1);
}

static void directories_of_others_are_refused(void **state)
{
	struct store *store;
	char real[128];

	snprintf(real, sizeof(real), "%s/real", base);
	assert_int_equal(mkdir(real, 0700), 0);
	assert_int_equal(symlink(real, directory), 0);
	assert_int_equal(store_open(&store, directory, 10), -EPERM);
	assert_int_equal(unlink(directory), 0);
	if (!geteuid()) {
		assert_int_equal(store_prepare(directory, 65534, 65534), 0);
		assert_int_equal(store_open(&store, directory, 10), -EPERM);
		assert_int_equal(store_prepare(directory, 0, 0), 0);
		fill(1);
	}
	snprintf(real, sizeof(real), "%s/no/such", base);
	assert_int_equal(store_open(&store, real, 10), -ENOENT);
}

static void without_a_directory_nothing_is_kept(void **state)
{
	struct store *store;

	assert_int_equal(store_prepare("", 0, 0), 0);
	assert_int_equal(store_open(&store, "", 10), 0);
	assert_int_equal(store_begin(store), 0);
	put(store, STORE_BINDING, 1, 1);
	assert_int_equal(store_delete(store, STORE_BINDING, "abcd", 4), 0);
	assert_int_equal(store_commit(store), 0);
	assert_int_equal(store_sync(store), 0);
	assert_int_equal(all(store, STORE_BINDING).count, 0);
	store_close(store);
}

static void a_full_store_loses_the_whole_transaction(void **state)
{
	struct store *store;
	static uint8_t big[STORE_VALUE_SIZE_MAX];
	uint32_t i = 0;
	int error;

	assert_int_equal(store_open(&store, directory, 0), 0);
	put(store, STORE_BINDING, 1, 1);
	assert_int_equal(store_commit(store), 0);
	while (!(error = store_put(store, STORE_META, &i, sizeof(i), big, sizeof(big))) &&
		i < 100000)
		i++;
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(store_put(store, STORE_BINDING, &i, sizeof(i), &i, sizeof(i)), -ENOSPC);
	assert_int_equal(store_commit(store), -ENOSPC);
	assert_int_equal(store_stats(store).last_error, ENOSPC);
	assert_int_equal(all(store, STORE_BINDING).count, 1); // still good, and writable
	put(store, STORE_BINDING, 2, 1);
	assert_int_equal(store_commit(store), 0);
	assert_int_equal(store_sync(store), 0);
	assert_int_equal(store_put(store, STORE_META, big, 301, big, 1), -EINVAL);
	assert_int_equal(store_put(store, STORE_META, big, 1, big, sizeof(big) + 1), -EINVAL);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(survives_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_kill_9, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage_is_moved_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_cut_short_is_moved_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(overwritten_pages_are_moved_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(
			another_format_version_is_moved_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(one_bad_record_is_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_file_is_a_new_store, setup, teardown),
		cmocka_unit_test_setup_teardown(one_control_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(directories_of_others_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			without_a_directory_nothing_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_full_store_loses_the_whole_transaction, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
