#include "control/store/check.h"

#include "lib/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK_SECONDS 60

const uint8_t check_meta_key[1] = {0};
const char check_meta_magic[16] = "homeport-store";

uint32_t check_sum(const void *key, size_t key_size, const void *value, size_t value_size)
{
	static const struct hash_key fixed = {{0x686f6d65706f7274ull, 0x73746f7265000001ull}};
	struct hash_key of_key = {{hash_bytes(&fixed, key, key_size), fixed.words[1]}};

	return (uint32_t)hash_bytes(&of_key, value, value_size);
}

static enum check_verdict check_meta(MDB_txn *transaction, MDB_dbi table)
{
	MDB_val key = {
		.mv_size = sizeof(check_meta_key), .mv_data = (void *)(uintptr_t)check_meta_key};
	MDB_val value;
	struct record_head head;
	MDB_stat status;

	if (!mdb_stat(transaction, table, &status) && !status.ms_entries)
		return CHECK_GOOD; /* ended before its first commit */
	if (mdb_get(transaction, table, &key, &value) ||
		value.mv_size != sizeof(head) + sizeof(check_meta_magic) ||
		memcmp((uint8_t *)value.mv_data + sizeof(head), check_meta_magic,
			sizeof(check_meta_magic)) != 0)
		return CHECK_FOREIGN;
	memcpy(&head, value.mv_data, sizeof(head));
	return head.version == CHECK_FORMAT_VERSION ? CHECK_GOOD : CHECK_VERSION;
}

/* Touches every octet of every record. */
static int read_all(MDB_txn *transaction, MDB_dbi table)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int error = mdb_cursor_open(transaction, table, &cursor);

	if (error)
		return error;
	while (!(error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
		(void)check_sum(key.mv_data, key.mv_size, value.mv_data, value.mv_size);
	mdb_cursor_close(cursor);
	return error == MDB_NOTFOUND ? 0 : error;
}

static enum check_verdict check_here(const char *path, size_t map_size)
{
	MDB_env *env;
	MDB_txn *transaction;
	MDB_dbi table;

	if (mdb_env_create(&env) || mdb_env_set_mapsize(env, map_size))
		return CHECK_FAILED;
	int error = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_RDONLY, 0600);
	if (error)
		return error == EACCES || error == EPERM || error == ENOMEM ? CHECK_FAILED
									    : CHECK_CORRUPTED;
	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &transaction) ||
		mdb_dbi_open(transaction, NULL, 0, &table))
		return CHECK_CORRUPTED;
	enum check_verdict verdict = check_meta(transaction, table);
	if (verdict == CHECK_GOOD && read_all(transaction, table))
		verdict = CHECK_CORRUPTED;
	return verdict;
}

/* What a broken file may do to its reader shall be the end of the child, without a core file or a
 * word on our log. */
static void prepare_child(void)
{
	static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};
	const struct rlimit none = {0};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		signal(deadly[i], SIG_DFL);
	(void)setrlimit(RLIMIT_CORE, &none);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	alarm(CHECK_SECONDS);
}

enum check_verdict check_file(const char *path, size_t map_size)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return CHECK_FAILED;
	if (!child) {
		prepare_child();
		_exit((int)check_here(path, map_size));
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return CHECK_FAILED;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > CHECK_FAILED)
		return CHECK_CORRUPTED;
	return (enum check_verdict)WEXITSTATUS(status);
}

const char *check_verdict_text(enum check_verdict verdict)
{
	static const char *const texts[] = {
		[CHECK_GOOD] = "good",
		[CHECK_VERSION] = "other_format_version",
		[CHECK_FOREIGN] = "not_a_store",
		[CHECK_CORRUPTED] = "corrupted",
		[CHECK_FAILED] = "cannot_be_read",
	};

	return texts[verdict];
}
