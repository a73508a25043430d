/* The library's copies and the path it takes. // ESP-ALG-26 */
#include "dataplane/crypto/library.h"

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/known_answer.h"
#include "dataplane/crypto/workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct crypto_library *open_best(enum library_copy copy)
{
	char error[LIBRARY_ERROR_SIZE] = "";
	struct crypto_library *library = crypto_library_open(copy, LIBRARY_BEST, error);

	if (!library)
		fail_msg("%s", error);
	return library;
}

/* Another reader of the processor's abilities than the library: the kernel's list. */
static bool processor_has(const char *flag)
{
	static char line[8192];
	FILE *file = fopen("/proc/cpuinfo", "r");
	char word[40];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) && strncmp(line, "flags", 5) != 0)
		;
	fclose(file);
	line[strcspn(line, "\n")] = ' ';
	snprintf(word, sizeof(word), " %s ", flag);
	return strstr(line, word) != NULL;
}

static bool processor_has_all(const char *const *flags)
{
	for (; *flags; flags++)
		if (!processor_has(*flags))
			return false;
	return true;
}

/* A build or a processor that silently falls back to a slower path shows here: it costs a factor
 * of three to four. */
static void test_best_path(void **state)
{
	static const char *const avx2[] = {"avx2", "bmi2", "aes", "pclmulqdq", NULL};
	static const char *const avx512[] = {
		"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl", NULL};
	static const char *const vaes[] = {
		"vaes", "vpclmulqdq", "gfni", "avx512ifma", "sha_ni", NULL};
	const char *expected = processor_has("avx") ? "AVX" : "SSE";
	struct crypto_library *library = open_best(LIBRARY_PRIVATE);

	(void)state;
	if (processor_has_all(avx2)) {
		expected = "AVX2";
		if (processor_has_all(avx512))
			expected = processor_has_all(vaes) ? "AVX512 VAES" : "AVX512";
	}
	print_message("# crypto: %s, library %s\n", crypto_library_path(library),
		crypto_library_version(library));
	assert_string_equal(crypto_library_path(library), expected);
	crypto_library_close(library);
}

/* Two private copies and the shared one: three different sets of code and globals. */
static void test_private_copies(void **state)
{
	struct crypto_library *a = open_best(LIBRARY_PRIVATE), *b = open_best(LIBRARY_PRIVATE);
	struct crypto_library *c = open_best(LIBRARY_SHARED), *d = open_best(LIBRARY_SHARED);
	aes_gcm_enc_dec_t of_a = crypto_library_manager(a)->gcm128_enc;
	aes_gcm_enc_dec_t of_b = crypto_library_manager(b)->gcm128_enc;
	aes_gcm_enc_dec_t of_c = crypto_library_manager(c)->gcm128_enc;

	(void)state;
	assert_true(crypto_library_is_private(a));
	assert_true(crypto_library_is_private(b));
	assert_false(crypto_library_is_private(c));
	assert_true(of_a != of_b && of_b != of_c && of_a != of_c);
	assert_true(crypto_library_manager(d)->gcm128_enc == of_c);
	assert_true(crypto_library_manager(d) != crypto_library_manager(c));
	/* the path of a closed copy is not taken for a loaded library */
	crypto_library_close(b);
	b = open_best(LIBRARY_PRIVATE);
	assert_true(crypto_library_manager(b)->gcm128_enc != of_a);
	assert_true(crypto_library_is_private(b));
	crypto_library_close(a);
	crypto_library_close(b);
	crypto_library_close(c);
	crypto_library_close(d);
}

/* Every suite on every architecture that this processor has. */
static void test_known_answers(void **state)
{
	static const char *const names[] = {"best", "SSE", "AVX", "AVX2", "AVX512"};
	char error[LIBRARY_ERROR_SIZE];
	unsigned checked = 0;

	(void)state;
	for (unsigned i = LIBRARY_BEST; i <= LIBRARY_AVX512; i++) {
		const char *first = NULL;
		struct crypto_library *library = crypto_library_open(LIBRARY_PRIVATE, i, error);
		if (!library) {
			assert_int_not_equal(i, LIBRARY_BEST);
			print_message("# %s: %s\n", names[i], error);
			continue;
		}
		struct crypto_engine *engine = crypto_engine_new(library);
		assert_non_null(engine);
		if (known_answer_check(library, engine, &first))
			fail_msg("%s on %s", first, names[i]);
		checked++;
		crypto_engine_free(engine);
		crypto_library_close(library);
	}
	assert_true(checked >= 2);
}

/* A suite that was withdrawn is not offered, and says why. */
static void test_withdrawn(void **state)
{
	enum suite_error error;

	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		assert_ptr_equal(
			suite_find(suite->encryption, suite->integrity,
				suite->encryption_key_length, suite->integrity_key_length, &error),
			suite);
		suite_withdraw(i);
		assert_null(suite_find(suite->encryption, suite->integrity,
			suite->encryption_key_length, suite->integrity_key_length, &error));
		assert_int_equal(error, SUITE_NOT_OFFERED);
		suite_offer(i);
	}
}

/* A library whose answers are wrong is noticed: keys expanded by one architecture's code are wrong
 * for another's. */
static void test_wrong_answers(void **state)
{
	char error[LIBRARY_ERROR_SIZE];
	const char *first = NULL;
	struct crypto_library *sse = crypto_library_open(LIBRARY_PRIVATE, LIBRARY_SSE, error);
	struct crypto_library *best = open_best(LIBRARY_PRIVATE);
	struct crypto_engine *engine = crypto_engine_new(best);
	const struct suite *suite = suite_find(SA_ENCRYPTION_AES_GCM_16, 0, 20, 0, NULL);
	enum suite_error why;

	(void)state;
	assert_non_null(sse);
	if (!strcmp(crypto_library_path(best), "SSE"))
		skip();
	assert_true(known_answer_check(sse, engine, &first) >= 9);
	assert_string_equal(first, "aes-gcm-16/128");
	assert_null(suite_find(SA_ENCRYPTION_AES_GCM_16, 0, 20, 0, &why));
	assert_int_equal(why, SUITE_NOT_OFFERED);
	for (unsigned i = 0; i < suite_count(); i++)
		suite_offer(i);
	assert_ptr_equal(suite_find(SA_ENCRYPTION_AES_GCM_16, 0, 20, 0, NULL), suite);
	crypto_engine_free(engine);
	crypto_library_close(best);
	crypto_library_close(sse);
}

/* What a process of three workers opens: a library each, proved, one text for all. */
static void test_workers(void **state)
{
	char error[LIBRARY_ERROR_SIZE], expected[CRYPTO_TEXT_SIZE];
	struct crypto_workers *crypto = crypto_workers_new(3, LIBRARY_PRIVATE, error);

	(void)state;
	if (!crypto)
		fail_msg("%s", error);
	assert_false(crypto_library_is_private(crypto_workers_library(crypto)));
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(crypto_workers_engine(crypto, i));
	assert_ptr_not_equal(crypto_workers_engine(crypto, 0), crypto_workers_engine(crypto, 1));
	snprintf(expected, sizeof(expected), "%s, IPsec-MB %s, private copies",
		crypto_library_path(crypto_workers_library(crypto)),
		crypto_library_version(crypto_workers_library(crypto)));
	assert_string_equal(crypto_workers_text(crypto), expected);
	crypto_workers_free(crypto);
	crypto = crypto_workers_new(2, LIBRARY_SHARED, error);
	assert_non_null(crypto);
	assert_non_null(strstr(crypto_workers_text(crypto), ", one copy"));
	crypto_workers_free(crypto);
	crypto_workers_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_best_path),
		cmocka_unit_test(test_private_copies),
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_withdrawn),
		cmocka_unit_test(test_wrong_answers),
		cmocka_unit_test(test_workers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
