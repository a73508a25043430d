/*
 * What survives a restart of control: bindings, last identifications, nonces and the like, as
 * opaque records by key in one LMDB file in a directory of our own (mode 0700). Never keys of
 * security associations.
 *
 * One write transaction per loop turn, committed before replies leave: after kill -9 everything
 * answered for is there. The disk itself is told about once a second (store_sync, on a thread of
 * its own so that the loop never waits for a disk): a power cut may lose the last second, which
 * replay protection by timestamps covers.
 *
 * Each record carries a format version and a checksum. At open a child process reads the whole file
 * first; when that fails, or the format is of another version, the file is renamed aside
 * (store.mdb.bad-<unix seconds>), which is logged, and a new one is begun.
 *
 * A store opened with directory "" keeps nothing and every call succeeds. Loop thread alone.
 */
#ifndef CONTROL_STORE_STORE_H
#define CONTROL_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct store;

enum store_kind {                 /* values are on the disk: never renumber */
	STORE_BINDING = 1,        /* by binding_id (host uint32) */
	STORE_IDENTIFICATION = 2, /* last accepted Identification of a mobile node, HA4-RPL-09 */
	STORE_NONCE = 3,
	STORE_META = 4, /* control's own odds and ends */
};

#define STORE_KEY_SIZE_MAX   300
#define STORE_VALUE_SIZE_MAX 4096

/*
 * Makes the directory for uid/gid with mode 0700 when it is not there (parents must be), or
 * corrects its owner and mode; for the time before privileges are given up. 0 or -errno; "" is 0.
 */
int store_prepare(const char *directory, uid_t uid, gid_t gid);
/*
 * Opens; `records` is the number of records to make room for. 0 and *store; -EBUSY another control
 * has it open; -EPERM the directory is not ours or is a link; -errno. The reason is logged. After
 * privileges were given up: it starts a thread.
 */
int store_open(struct store **store, const char *directory, uint64_t records);
/* Commits nothing that is not committed; syncs to disk. */
void store_close(struct store *store);

/* Begins a transaction unless one is open. 0 or -errno. */
int store_begin(struct store *store);
/* Within a transaction (begun when there is none). 0; -ENOSPC the store is full: nothing more goes
 * into this transaction. */
int store_put(struct store *store, enum store_kind kind, const void *key, size_t key_size,
	const void *value, size_t value_size);
/* 0 also when it was not there. */
int store_delete(struct store *store, enum store_kind kind, const void *key, size_t key_size);
/* 0 = on its way to the disk in the kernel's hands, also when nothing was begun; on -errno the
 * transaction is lost as a whole. */
int store_commit(struct store *store);
/* Asks for the disk to be brought up to date; does not wait. */
int store_sync(struct store *store);

/*
 * Calls `record` for each record of a kind (outside of a transaction; do not write from inside).
 * Stops when it returns non-zero and returns that; else 0 or -errno. Records whose checksum is
 * wrong are skipped, counted and logged. `value` is valid during the call, with no alignment.
 */
int store_each(struct store *store, enum store_kind kind,
	int (*record)(void *context, const void *key, size_t key_size, const void *value,
		size_t value_size),
	void *context);

struct store_stats {
	uint64_t records, bytes_used, bytes_limit;
	uint64_t commits, bad_records;
	int last_error; /* positive errno of the last failed commit or sync, 0 */
};
struct store_stats store_stats(const struct store *store);

#endif
