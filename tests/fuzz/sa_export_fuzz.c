/* An export of another gateway (control/ipsec/sa_export.h): refused with a sentence, or every
 * record in range, found again, and with an estimate that neither goes back nor leaves its space.
 */
#include "control/ipsec/sa_export.h"
#include "tests/fuzz/fuzz_assert.h"

#include <arpa/inet.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const struct sa_export *export, const struct sa_export_record *r)
{
	const struct sa sa = {.command = {.direction = (uint8_t)r->direction,
				      .spi = htonl(r->spi),
				      .remote = r->remote}};
	uint64_t gap_ms = export->interval_ms;

	FUZZ_ASSERT(r->spi != 0 && r->sequence <= INT64_MAX);
	FUZZ_ASSERT(sa_export_find(export, &sa) == r);
	for (unsigned esn = 0; esn < 2; esn++) {
		uint64_t running = esn ? r->packets : r->packets & UINT32_MAX;
		uint64_t last = esn ? UINT64_MAX : UINT32_MAX;
		struct sa_export_estimate out = sa_export_outbound(r, running, gap_ms, esn);
		struct sa_export_estimate in = sa_export_inbound(r, running, gap_ms, esn);
		FUZZ_ASSERT(out.number >= running && in.number >= running);
		FUZZ_ASSERT(out.too_old || r->sequence > last ||
			    (out.number >= r->sequence && out.number <= last &&
				    (out.number > r->sequence || out.number == last)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[SA_EXPORT_ERROR_SIZE] = "";
	struct sa_export export;

	if (sa_export_parse((const char *)data, size, &export, error)) {
		FUZZ_ASSERT(error[0] && memchr(error, '\0', sizeof(error)));
		return 0;
	}
	for (uint32_t i = 0; i < export.count; i++)
		check_record(&export, &export.records[i]);
	sa_export_fini(&export);
	return 0;
}
