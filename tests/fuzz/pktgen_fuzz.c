/*
 * What homeport-pktgen takes from others: frames (with what is inside decrypted ESP), replies to
 * registrations, pcap files. The first octet chooses.
 */
#include "tests/fuzz/fuzz_assert.h"

#include "pktgen/generator/capture.h"
#include "pktgen/generator/inspect.h"
#include "pktgen/generator/registrar.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAGIC 0x9096 /* of seed 7, as the corpus has it */

static void frame(const uint8_t *data, uint32_t size)
{
	struct inspected what;
	enum inspect_kind kind = inspect_frame(data, size, MAGIC, &what);

	if (kind == INSPECT_ESP || kind == INSPECT_REGISTRATION || kind == INSPECT_ARP ||
		kind == INSPECT_ICMP)
		FUZZ_ASSERT(what.part >= data && what.part + what.part_length <= data + size);
	if (kind == INSPECT_DATA)
		FUZZ_ASSERT(what.inner_length <= size);
}

static void packet(const uint8_t *data, uint32_t size)
{
	struct inspected what = {.layers = INSPECT_LAYER_ESP};

	inspect_packet(data, size, MAGIC, &what);
	FUZZ_ASSERT(what.layers & INSPECT_LAYER_ESP);
}

static void capture(const uint8_t *data, size_t size)
{
	struct capture_file file;
	const char *reason;
	uint8_t *copy = malloc(size + 1);

	memcpy(copy, data, size);
	if (capture_parse(copy, size, &file, &reason) == 0) {
		for (uint32_t i = 0; i < file.frame_count; i++)
			FUZZ_ASSERT(file.frames[i].data + file.frames[i].length <= copy + size);
		capture_unload(&file);
	}
	free(copy);
}

static bool swallow(void *context, const struct population_group *group, uint32_t node,
	uint8_t *octets, uint32_t length)
{
	return true;
}

/* A node that waits for its answer; without its key nothing may register it. */
static void reply(const uint8_t *data, uint32_t size)
{
	static const char text[] = "ports = ( { name = \"a\"; } ); groups = ( { name = \"g\"; "
				   "encapsulation = \"mip-udp\"; access = \"a\"; core = \"a\"; "
				   "node = \"10.1.0.1\"; correspondent = \"10.2.0.1\"; agent = "
				   "\"192.0.2.1\"; care_of = \"198.51.100.1\"; } );";
	const struct clock_now now = {CLOCK_NS_PER_S, 1700000000 * CLOCK_NS_PER_S};
	struct profile *profile;
	struct config_error error;

	FUZZ_ASSERT(profile_load_string(text, "p", &profile, &error) == 0);
	struct population *population = population_new(profile);
	struct registrar *registrar =
		registrar_new(population, &(struct registrar_output){NULL, swallow}, now);
	struct inspected what = {.part = data, .part_length = size};
	what.outer = (struct inspect_end){profile->groups[0].agent, profile->groups[0].care_of, 434,
		profile->groups[0].nat_port};
	registrar_begin(registrar, now);
	registrar_poll(registrar, now);
	registrar_receive(registrar, now, &what);
	FUZZ_ASSERT(registrar_registered(registrar) == 0);
	registrar_free(registrar);
	population_free(population);
	profile_free(profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 70000)
		return 0;
	switch (data[0] & 3) {
	case 0:
		frame(data + 1, (uint32_t)size - 1);
		break;
	case 1:
		packet(data + 1, (uint32_t)size - 1);
		break;
	case 2:
		capture(data + 1, size - 1);
		break;
	default:
		reply(data + 1, (uint32_t)size - 1);
		break;
	}
	return 0;
}
