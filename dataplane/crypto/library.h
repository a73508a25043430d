/*
 * Intel's multi-buffer crypto library (libIPSec_MB), one private copy a worker.
 *
 * Release 1.3 (Debian 12) stores an error word that is one for the whole process at every call, so
 * workers that share the library fight for its cache line. A private copy is the library's file
 * copied into a memfd and loaded from there: another inode, so another set of globals. The program
 * is therefore never linked with the library; the few entry points are looked up by name and
 * everything else is a function pointer in the manager.
 *
 * Libraries are opened one after another by the main lcore, before workers start: initialising a
 * manager is not safe to do twice at once.
 */
#ifndef DATAPLANE_CRYPTO_LIBRARY_H
#define DATAPLANE_CRYPTO_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

struct crypto_library;
struct IMB_MGR;

enum library_architecture {
	LIBRARY_BEST, /* the best the processor has */
	LIBRARY_SSE,
	LIBRARY_AVX,
	LIBRARY_AVX2,
	LIBRARY_AVX512,
};

enum library_copy { LIBRARY_SHARED, LIBRARY_PRIVATE };

#define LIBRARY_ERROR_SIZE 160

/*
 * Opens a copy and initialises its manager. NULL on failure, with one sentence in `error` (at least
 * LIBRARY_ERROR_SIZE octets): library missing, of another major release than was compiled for, no
 * AES instructions, or an architecture (other than LIBRARY_BEST) that the processor lacks. When a
 * private copy cannot be made (no executable memfd allowed) the shared one is opened and
 * crypto_library_is_private says so. Main lcore.
 */
struct crypto_library *crypto_library_open(
	enum library_copy copy, enum library_architecture architecture, char *error);
void crypto_library_close(struct crypto_library *library);

/* The manager: for the one thread that owns the library. */
struct IMB_MGR *crypto_library_manager(struct crypto_library *library);
/* Does it share nothing with other workers' libraries? */
bool crypto_library_is_private(const struct crypto_library *library);
/* "AVX512 VAES", "AVX512", "AVX2", "AVX", "SSE": the path that AES-GCM takes. Any thread. */
const char *crypto_library_path(const struct crypto_library *library);
/* The library's release, "1.3.0". Any thread. */
const char *crypto_library_version(const struct crypto_library *library);

#endif
