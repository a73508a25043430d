/*
 * Arbitrary octets as a punted Mobile IP message: the whole home agent behind it, in three rounds
 * so that state of one message meets the next. The first octet chooses how it arrived.
 */
#include "tests/fuzz/fuzz_assert.h"
#include "tests/scenario/home.h"

#include <arpa/inet.h>

static struct home *h;

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
/* A configuration lies in mapped memory, which the leak checker does not look through: what its
 * lists point to is no leak, also not while a fuzzer looks between two inputs. */
static void configuration_tell(bool there)
{
	(there ? __lsan_register_root_region : __lsan_unregister_root_region)(
		h->config, sizeof(*h->config));
}
#else
static void configuration_tell(bool there)
{
}
#endif

static void begin(void)
{
	h = home_new(NULL);
	configuration_tell(true);
}

static void end(void)
{
	configuration_tell(false);
	home_free(h);
	h = NULL;
}

static void finish(void)
{
	if (h)
		end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool registered;
	struct punt_record record;

	if (!registered)
		registered = atexit(finish) == 0;
	if (!h)
		begin();
	if (size < 1 || size - 1 > PACKET_RECORD_DATA_SIZE)
		return 0;
	memset(&record, 0, offsetof(struct punt_record, data));
	record.kind = PUNT_MOBILE_IPV4;
	record.flags = data[0] & 0x0f;
	record.port = data[0] >> 4 & 1;
	record.source = address_of(data[0] & 0x20   ? "203.0.113.7"
				   : data[0] & 0x40 ? "198.51.100.254"
						    : "198.51.100.23");
	record.destination = address_of("192.0.2.1");
	record.source_port = htons(5434);
	record.destination_port = htons(434);
	record.length = (uint16_t)(size - 1);
	memcpy(record.data, data + 1, size - 1);
	for (unsigned round = 0; round < 3; round++) {
		h->sent_count = 0;
		h->hold = round == 1;
		home_receive(h, &record);
		home_pass(h, 0.5);
	}
	h->hold = false;
	home_acknowledge(h);
	FUZZ_ASSERT(mip4_counters_balance(h->engine));
	FUZZ_ASSERT(h->live_count == binding_cache_count(mip4_show_cache(h->engine)));
	if (h->now.wall_ns >
		(HOME_T0 + 3600) * CLOCK_NS_PER_S) /* keep the vectors' clock in reach */
		end();
	return 0;
}
