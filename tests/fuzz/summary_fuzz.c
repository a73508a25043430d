/* The first octets of anybody's packet, as a trace reads them: first octet whether a frame, then
 * the octets. What is told lies inside them. */
#include "lib/wire/summary.h"
#include "tests/fuzz/fuzz_assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct summary_ports ports = {{10000, 4501}};
	struct summary s;
	bool read;

	if (size < 1)
		return 0;
	read = summary_read(data + 1, size - 1, data[0] & 1, &ports, &s);
	FUZZ_ASSERT(read == (s.version != 0));
	FUZZ_ASSERT(s.link_length <= size - 1 && s.payload_at <= size - 1);
	FUZZ_ASSERT(!read || s.payload_at >= s.link_length + 20u);
	FUZZ_ASSERT(!s.esp || (s.esp_at >= s.payload_at && s.esp_at + 8u <= size - 1));
	FUZZ_ASSERT(!(s.later && s.esp));
	return 0;
}
