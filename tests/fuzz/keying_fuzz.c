/*
 * One datagram of the keying socket, from either end: taken or refused with a reason, never read
 * beyond its end; what is taken makes the very same octets again, and nothing of a refused message
 * is left behind (it may have been a key).
 */
#include "lib/ipc/keying.h"
#include "tests/fuzz/fuzz_assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keying_message message;
	static const struct keying_message none;
	static uint8_t again[KEYING_MESSAGE_MAX];
	const char *reason = NULL;
	enum keying_status status = keying_decode(data, size, &message, &reason);

	if (status == KEYING_OK) {
		FUZZ_ASSERT(!reason);
		FUZZ_ASSERT(keying_encode(&message, again) == size);
		FUZZ_ASSERT(!memcmp(again, data, size));
		return 0;
	}
	FUZZ_ASSERT(status == KEYING_MALFORMED || status == KEYING_WRONG_VERSION);
	FUZZ_ASSERT(reason && reason[0]);
	FUZZ_ASSERT(!memcmp((const char *)&message + sizeof(message.header), &none,
		sizeof(message) - sizeof(message.header)));
	FUZZ_ASSERT(!keying_encode(&none, again));
	return 0;
}
