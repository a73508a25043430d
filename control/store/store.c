#include "control/store/store.h"

#include "control/store/check.h"
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BYTES_PER_RECORD 1024u /* with pages half full and their copies during a transaction */
#define BYTES_LEAST      (64ull << 20)

struct store {
	int lock_fd; /* -1: keeps nothing */
	size_t map_size;
	MDB_env *env;
	MDB_dbi table;
	MDB_txn *transaction; /* NULL: none open */
	int failed;           /* -errno of a put or delete: the transaction cannot be committed */
	struct store_stats stats;

	pthread_t syncer;
	bool syncer_runs;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	bool sync_asked, sync_stop;
	int sync_error; /* positive errno */
};

static int error_of(int lmdb)
{
	if (lmdb >= 0)
		return -lmdb;
	if (lmdb == MDB_MAP_FULL || lmdb == MDB_TXN_FULL)
		return -ENOSPC;
	return lmdb == MDB_BAD_VALSIZE ? -EINVAL : -EIO;
}

/* ---- directory and file ---- */

/* Opens the directory, made when it is not there; never through a symbolic link. A descriptor or
 * -errno. */
static int open_directory(const char *directory)
{
	if (mkdir(directory, 0700) && errno != EEXIST)
		return -errno;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? -EPERM : -errno;
	return fd;
}

int store_prepare(const char *directory, uid_t uid, gid_t gid)
{
	if (!*directory)
		return 0;
	int fd = open_directory(directory);
	if (fd < 0)
		return fd;
	int error = fchown(fd, uid, gid) || fchmod(fd, 0700) ? -errno : 0;
	close(fd);
	return error;
}

/* The directory is ours alone and no other control has it. */
static int lock_directory(struct store *store, const char *directory)
{
	struct stat status;
	int error = 0, fd = open_directory(directory);

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) || status.st_uid != geteuid())
		error = -EPERM;
	else if ((status.st_mode & 077) && fchmod(fd, 0700))
		error = -errno;
	else if (flock(fd, LOCK_EX | LOCK_NB))
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (error)
		close(fd);
	else
		store->lock_fd = fd;
	return error;
}

/* Looks at what is there before trusting it; moves it aside when it cannot be trusted. */
static int vet_file(const char *path, size_t map_size)
{
	char aside[PATH_MAX + 32];
	struct stat status;

	if (lstat(path, &status))
		return errno == ENOENT ? 0 : -errno;
	enum check_verdict verdict = S_ISREG(status.st_mode) ? CHECK_GOOD : CHECK_FOREIGN;
	if (verdict == CHECK_GOOD && status.st_size)
		verdict = check_file(path, map_size);
	if (verdict == CHECK_GOOD)
		return 0;
	if (verdict == CHECK_FAILED)
		return -EIO;
	snprintf(aside, sizeof(aside), "%s.bad-%lld", path, (long long)time(NULL));
	if (rename(path, aside))
		return -errno;
	log_error("store_moved_aside", "file=%s to=%s reason=%s consequence=starting_empty", path,
		aside, check_verdict_text(verdict));
	return 0;
}

static int put_record(
	struct store *store, const void *key, size_t key_size, const void *data, size_t size)
{
	MDB_val k = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};
	MDB_val v = {.mv_size = sizeof(struct record_head) + size};
	struct record_head head = {
		.version = CHECK_FORMAT_VERSION,
		.checksum = check_sum(key, key_size, data, size),
	};
	int error = mdb_put(store->transaction, store->table, &k, &v, MDB_RESERVE);

	if (error)
		return error_of(error);
	memcpy(v.mv_data, &head, sizeof(head));
	memcpy((uint8_t *)v.mv_data + sizeof(head), data, size);
	return 0;
}

/* The table's handle, and the record that says whose file this is. */
static int open_table(struct store *store)
{
	int error = error_of(mdb_txn_begin(store->env, NULL, 0, &store->transaction));

	if (error)
		return error;
	error = error_of(mdb_dbi_open(store->transaction, NULL, 0, &store->table));
	if (!error)
		error = put_record(store, check_meta_key, sizeof(check_meta_key), check_meta_magic,
			sizeof(check_meta_magic));
	if (error) {
		mdb_txn_abort(store->transaction);
		store->transaction = NULL;
		return error;
	}
	return store_commit(store);
}

static int open_file(struct store *store, const char *path)
{
	int error = vet_file(path, store->map_size);

	if (error)
		return error;
	error = error_of(mdb_env_create(&store->env));
	if (error)
		return error;
	error = error_of(mdb_env_set_mapsize(store->env, store->map_size));
	/* One process, held by the directory's lock; one thread reads and writes. So no lock file
	 * that a kill could leave. */
	if (!error)
		error = error_of(mdb_env_open(
			store->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600));
	return error ? error : open_table(store);
}

/* ---- the thread that waits for the disk ---- */

static void *sync_loop(void *context)
{
	struct store *store = context;

	pthread_mutex_lock(&store->mutex);
	while (!store->sync_stop) {
		if (!store->sync_asked) {
			pthread_cond_wait(&store->wake, &store->mutex);
			continue;
		}
		store->sync_asked = false;
		pthread_mutex_unlock(&store->mutex);
		int error = -error_of(mdb_env_sync(store->env, 1));
		pthread_mutex_lock(&store->mutex);
		store->sync_error = error;
	}
	pthread_mutex_unlock(&store->mutex);
	return NULL;
}

int store_sync(struct store *store)
{
	if (store->lock_fd < 0)
		return 0;
	pthread_mutex_lock(&store->mutex);
	int error = store->sync_error;
	store->sync_asked = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->mutex);
	if (error)
		store->stats.last_error = error;
	return -error;
}

/* Signals are the loop's: the thread takes none. */
static int start_syncer(struct store *store)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&store->syncer, NULL, sync_loop, store);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	store->syncer_runs = !error;
	return -error;
}

static void stop_syncer(struct store *store)
{
	if (!store->syncer_runs)
		return;
	pthread_mutex_lock(&store->mutex);
	store->sync_stop = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->mutex);
	pthread_join(store->syncer, NULL);
	store->syncer_runs = false;
}

/* ---- open and close ---- */

int store_open(struct store **store, const char *directory, uint64_t records)
{
	char path[PATH_MAX];
	struct store *s = calloc(1, sizeof(*s));

	*store = NULL;
	if (!s)
		return -ENOMEM;
	s->lock_fd = -1;
	s->map_size = (size_t)((BYTES_LEAST + records * BYTES_PER_RECORD) & ~4095ull);
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->wake, NULL);
	if (!*directory) {
		*store = s;
		return 0;
	}
	int length = snprintf(path, sizeof(path), "%s/store.mdb", directory);
	int error = length < PATH_MAX - 32 ? lock_directory(s, directory) : -ENAMETOOLONG;
	if (!error)
		error = open_file(s, path);
	if (!error)
		error = start_syncer(s);
	if (error) {
		log_error("store_open_failed", "directory=%s error=\"%s\"%s", directory,
			strerror(-error),
			error == -EBUSY   ? " reason=another_control_has_it"
			: error == -EPERM ? " reason=directory_is_not_ours_or_a_link"
					  : "");
		store_close(s);
		return error;
	}
	*store = s;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->transaction)
		mdb_txn_abort(store->transaction);
	stop_syncer(store);
	if (store->env) {
		(void)mdb_env_sync(store->env, 1);
		mdb_env_close(store->env);
	}
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	pthread_mutex_destroy(&store->mutex);
	pthread_cond_destroy(&store->wake);
	free(store);
}

/* ---- transactions ---- */

int store_begin(struct store *store)
{
	if (store->lock_fd < 0 || store->transaction)
		return 0;
	store->failed = 0;
	int error = error_of(mdb_txn_begin(store->env, NULL, 0, &store->transaction));
	if (error)
		store->transaction = NULL;
	return error;
}

/* Kind and key in one buffer; its length, or 0 when too long. */
static size_t join_key(
	uint8_t out[1 + STORE_KEY_SIZE_MAX], enum store_kind kind, const void *key, size_t key_size)
{
	if (key_size > STORE_KEY_SIZE_MAX)
		return 0;
	out[0] = (uint8_t)kind;
	memcpy(out + 1, key, key_size);
	return key_size + 1;
}

int store_put(struct store *store, enum store_kind kind, const void *key, size_t key_size,
	const void *value, size_t value_size)
{
	uint8_t joined[1 + STORE_KEY_SIZE_MAX];
	size_t size = join_key(joined, kind, key, key_size);

	if (!size || value_size > STORE_VALUE_SIZE_MAX)
		return -EINVAL;
	if (store->lock_fd < 0)
		return 0;
	int error = store_begin(store);
	if (!error && !store->failed)
		store->failed = put_record(store, joined, size, value, value_size);
	return error ? error : store->failed;
}

int store_delete(struct store *store, enum store_kind kind, const void *key, size_t key_size)
{
	uint8_t joined[1 + STORE_KEY_SIZE_MAX];
	MDB_val k = {.mv_size = join_key(joined, kind, key, key_size), .mv_data = joined};

	if (!k.mv_size)
		return -EINVAL;
	if (store->lock_fd < 0)
		return 0;
	int error = store_begin(store);
	if (error || store->failed)
		return error ? error : store->failed;
	error = mdb_del(store->transaction, store->table, &k, NULL);
	store->failed = error == MDB_NOTFOUND ? 0 : error_of(error);
	return store->failed;
}

int store_commit(struct store *store)
{
	if (!store->transaction)
		return 0;
	int error = store->failed;
	if (error)
		mdb_txn_abort(store->transaction);
	else
		error = error_of(mdb_txn_commit(store->transaction));
	store->transaction = NULL;
	store->failed = 0;
	if (error)
		store->stats.last_error = -error;
	else
		store->stats.commits++;
	return error;
}

/* ---- reading ---- */

/* The value of one record, or NULL when its checksum or version is wrong. */
static const uint8_t *value_of(
	struct store *store, const MDB_val *key, const MDB_val *value, size_t *size)
{
	struct record_head head;

	if (value->mv_size >= sizeof(head)) {
		const uint8_t *data = (const uint8_t *)value->mv_data + sizeof(head);
		memcpy(&head, value->mv_data, sizeof(head));
		*size = value->mv_size - sizeof(head);
		if (head.version == CHECK_FORMAT_VERSION &&
			head.checksum == check_sum(key->mv_data, key->mv_size, data, *size))
			return data;
	}
	store->stats.bad_records++;
	return NULL;
}

int store_each(struct store *store, enum store_kind kind,
	int (*record)(void *context, const void *key, size_t key_size, const void *value,
		size_t value_size),
	void *context)
{
	uint8_t first = (uint8_t)kind;
	uint64_t bad_before = store->stats.bad_records;
	MDB_val key = {.mv_size = 1, .mv_data = &first}, value;
	MDB_txn *transaction;
	MDB_cursor *cursor;

	if (store->lock_fd < 0)
		return 0;
	int error = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &transaction);
	if (error)
		return error_of(error);
	error = mdb_cursor_open(transaction, store->table, &cursor);
	if (error) {
		mdb_txn_abort(transaction);
		return error_of(error);
	}
	int stopped = 0;
	for (error = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
		!error && !stopped && key.mv_size && *(uint8_t *)key.mv_data == first;
		error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		size_t size = 0;
		const uint8_t *data = value_of(store, &key, &value, &size);
		if (data)
			stopped = record(
				context, (uint8_t *)key.mv_data + 1, key.mv_size - 1, data, size);
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(transaction);
	if (store->stats.bad_records != bad_before)
		log_warning("store_records_skipped", "kind=%d count=%" PRIu64 " reason=checksum",
			(int)kind, store->stats.bad_records - bad_before);
	if (stopped)
		return stopped;
	return error == MDB_NOTFOUND ? 0 : error_of(error);
}

struct store_stats store_stats(const struct store *store)
{
	struct store_stats stats = store->stats;
	MDB_envinfo info;
	MDB_stat status;

	if (store->env && !mdb_env_info(store->env, &info) && !mdb_env_stat(store->env, &status)) {
		stats.records = status.ms_entries ? status.ms_entries - 1 : 0;
		stats.bytes_used = (info.me_last_pgno + 1) * status.ms_psize;
		stats.bytes_limit = info.me_mapsize;
	}
	return stats;
}
