#include "dataplane/crypto/workers.h"

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/known_answer.h"

#include <stdio.h>
#include <stdlib.h>

struct crypto_workers {
	struct crypto_library *library; /* the main lcore's */
	char text[CRYPTO_TEXT_SIZE];
	unsigned count;
	struct {
		struct crypto_library *library;
		struct crypto_engine *engine;
	} workers[];
};

/* Proves a library by an engine on it. */
static bool prove(struct crypto_library *library, struct crypto_engine *engine, char *error)
{
	const char *first = NULL;
	unsigned failed = known_answer_check(library, engine, &first);

	if (failed == 0)
		return true;
	snprintf(error, LIBRARY_ERROR_SIZE,
		"crypto library %s on %s gives wrong answers: %s (%u of %u algorithms)",
		crypto_library_version(library), crypto_library_path(library), first, failed,
		suite_count());
	return false;
}

static bool open_worker(
	struct crypto_workers *crypto, unsigned index, enum library_copy copy, char *error)
{
	struct crypto_library *library = crypto_library_open(copy, LIBRARY_BEST, error);

	crypto->workers[index].library = library;
	if (!library)
		return false;
	crypto->workers[index].engine = crypto_engine_new(library);
	if (!crypto->workers[index].engine) {
		snprintf(error, LIBRARY_ERROR_SIZE,
			"no memory or no randomness for a worker's crypto");
		return false;
	}
	return prove(library, crypto->workers[index].engine, error);
}

struct crypto_workers *crypto_workers_new(unsigned workers, enum library_copy copy, char *error)
{
	struct crypto_workers *crypto =
		calloc(1, sizeof(*crypto) + workers * sizeof(crypto->workers[0]));
	bool private = copy == LIBRARY_PRIVATE;

	if (!crypto) {
		snprintf(error, LIBRARY_ERROR_SIZE, "no memory for the crypto library");
		return NULL;
	}
	crypto->count = workers;
	crypto->library = crypto_library_open(LIBRARY_SHARED, LIBRARY_BEST, error);
	if (!crypto->library) {
		crypto_workers_free(crypto);
		return NULL;
	}
	for (unsigned i = 0; i < workers; i++) {
		if (!open_worker(crypto, i, copy, error)) {
			crypto_workers_free(crypto);
			return NULL;
		}
		private = private && crypto_library_is_private(crypto->workers[i].library);
	}
	snprintf(crypto->text, sizeof(crypto->text), "%s, IPsec-MB %s, %s",
		crypto_library_path(crypto->library), crypto_library_version(crypto->library),
		private ? "private copies" : "one copy");
	return crypto;
}

void crypto_workers_free(struct crypto_workers *crypto)
{
	if (!crypto)
		return;
	for (unsigned i = 0; i < crypto->count; i++) {
		crypto_engine_free(crypto->workers[i].engine);
		crypto_library_close(crypto->workers[i].library);
	}
	crypto_library_close(crypto->library);
	free(crypto);
}

struct crypto_library *crypto_workers_library(struct crypto_workers *crypto)
{
	return crypto->library;
}

struct crypto_engine *crypto_workers_engine(struct crypto_workers *crypto, unsigned worker)
{
	return crypto->workers[worker].engine;
}

const char *crypto_workers_text(const struct crypto_workers *crypto)
{
	return crypto->text;
}
