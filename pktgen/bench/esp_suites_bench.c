/*
 * ESP through the real pipeline in process with other algorithms than AES-GCM: one pair of SAs, 64
 * octets and most also with 1400, out and in, beside the crypto engine alone (esp_cell.h).
 *
 *   esp_suites_bench [PIECES [TEXT]]     at least so many pieces of 512 packets a run, default 60;
 *                                        TEXT: only figures whose name begins so
 *
 * One of each kind of work that the library does: a cipher and a hash apart, a cipher that
 * authenticates by itself, authentication alone.
 */
#include "pktgen/bench/esp_cell.h"

#include <stdlib.h>

static const struct {
	uint8_t encryption, encryption_key, integrity, integrity_key; /* octets, salt included */
	uint8_t sizes;                                                /* how many of them */
} suites[] = {
	{SA_ENCRYPTION_AES_CBC, 16, SA_INTEGRITY_HMAC_SHA1_96, 20, 2},
	{SA_ENCRYPTION_AES_CBC, 16, SA_INTEGRITY_HMAC_SHA2_256_128, 32, 2},
	{SA_ENCRYPTION_CHACHA20_POLY1305, 36, 0, 0, 2},
	{SA_ENCRYPTION_AES_CCM_16, 19, 0, 0, 2},
	{SA_ENCRYPTION_NULL_AES_GMAC, 20, 0, 0, 2},
	{SA_ENCRYPTION_NULL, 0, SA_INTEGRITY_HMAC_SHA2_256_128, 32, 2},
	{SA_ENCRYPTION_AES_CBC, 16, SA_INTEGRITY_HMAC_SHA2_512_256, 64, 1},
	{SA_ENCRYPTION_AES_CBC, 16, SA_INTEGRITY_AES_XCBC_96, 16, 1},
	{SA_ENCRYPTION_AES_CBC, 16, SA_INTEGRITY_AES_CMAC_96, 16, 1},
	{SA_ENCRYPTION_AES_CTR, 20, SA_INTEGRITY_HMAC_SHA1_96, 20, 1},
	{SA_ENCRYPTION_AES_CTR, 20, SA_INTEGRITY_HMAC_SHA2_256_128, 32, 1},
};
static const uint16_t sizes[] = {64, 1400};
static const uint32_t one = 1;

int main(int argc, char **argv)
{
	uint32_t pieces = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 60;
	struct region_limits limits = {.bindings = 1};
	struct worker *worker;

	if (pieces == 0 || pieces > ESP_CELL_PIECES)
		return 64;
	esp_pairs_limits(&limits, one, one);
	path_bench_init("esp_suites_bench", &limits, &worker);
	esp_pairs_init(worker, 1, one, LIBRARY_PRIVATE);
	esp_pairs_policy_set(0);
	esp_pairs_policy_commit();
	esp_cell_init(worker, one, pieces, argc > 2 ? argv[2] : "");
	for (unsigned i = 0; i < RTE_DIM(suites); i++) {
		if (i > 0)
			esp_pairs_remove(0);
		esp_pairs_suite_set(suite_find(suites[i].encryption, suites[i].integrity,
			suites[i].encryption_key, suites[i].integrity_key, NULL));
		esp_pairs_set(0, true, false, 0);
		for (unsigned size = 0; size < suites[i].sizes; size++)
			for (unsigned in = 0; in < 2; in++)
				esp_cell_run(&(struct esp_cell_shape){in ? SA_INBOUND : SA_OUTBOUND,
						     ESP_PAIRS_PLAIN, sizes[size]},
					&one, 1);
	}
	esp_pairs_fini();
	return path_bench_fini();
}
