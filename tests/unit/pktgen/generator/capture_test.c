/* pcap files, written and read, and when their frames are due that are sent again. */
#include "pktgen/generator/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_capture_is_read_back(void **state)
{
	char path[] = "/tmp/pktgen-capture-XXXXXX";
	struct capture_file file;
	const char *reason;
	uint8_t octets[200];

	(void)state;
	close(mkstemp(path));
	struct capture *capture = capture_new(path, 3);
	for (unsigned i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)i;
	for (uint32_t i = 0; i < 5; i++)
		capture_write(capture, octets + i, 60 + i, 1700000000123456789ull);
	assert_int_equal(capture_free(capture), 0);
	assert_int_equal(capture_load(path, &file, &reason), 0);
	assert_int_equal(file.frame_count, 3);
	assert_int_equal(file.longest, 62);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(file.frames[i].length, 60 + i);
		assert_memory_equal(file.frames[i].data, octets + i, 60 + i);
	}
	capture_unload(&file);
	unlink(path);
	assert_int_not_equal(capture_load(path, &file, &reason), 0);
}

static void test_bad_captures(void **state)
{
	uint8_t head[64] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, [20] = 1};
	struct capture_file file;
	const char *reason;

	assert_int_equal(capture_parse(head, 24, &file, &reason), 0);
	assert_int_equal(file.frame_count, 0);
	assert_int_not_equal(capture_parse(head, 23, &file, &reason), 0);
	assert_int_not_equal(capture_parse(head, 30, &file, &reason), 0);
	assert_string_equal(reason, "is cut off");
	head[32] = 16;
	head[36] = 16;
	assert_int_equal(capture_parse(head, 56, &file, &reason), 0);
	assert_int_equal(file.frame_count, 1);
	capture_unload(&(struct capture_file){.frames = file.frames});
	assert_int_not_equal(capture_parse(head, 55, &file, &reason), 0);
	head[36] = 17;
	assert_int_not_equal(capture_parse(head, 56, &file, &reason), 0);
	assert_string_equal(reason, "holds a frame that was not captured whole");
	head[20] = 113;
	assert_int_not_equal(capture_parse(head, 56, &file, &reason), 0);
	assert_string_equal(reason, "does not hold Ethernet frames");
	head[0] = 0;
	assert_int_not_equal(capture_parse(head, 56, &file, &reason), 0);
	assert_string_equal(reason, "is no pcap file");
}

#define RECORDS_MAX 8

struct record {
	uint32_t seconds, fraction;
};

/* A file of frames of one octet; big: the other byte order. */
static struct capture_file file_make(
	uint32_t magic, bool big, const struct record *records, unsigned count)
{
	static uint8_t octets[24 + RECORDS_MAX * 17];
	struct capture_file file;
	const char *reason;
	uint8_t *at = octets + 24;
	const uint32_t head[6] = {
		big ? __builtin_bswap32(magic) : magic, 0, 0, 0, 0, big ? __builtin_bswap32(1) : 1};

	memcpy(octets, head, sizeof(head));
	for (unsigned i = 0; i < count; i++, at += 17) {
		uint32_t record[4] = {records[i].seconds, records[i].fraction, 1, 1};
		for (unsigned k = 0; big && k < 4; k++)
			record[k] = __builtin_bswap32(record[k]);
		memcpy(at, record, sizeof(record));
		at[16] = (uint8_t)i;
	}
	assert_int_equal(capture_parse(octets, (uint64_t)(at - octets), &file, &reason), 0);
	assert_int_equal(file.frame_count, count);
	return file;
}

static void file_free(struct capture_file *file)
{
	file->octets = NULL;
	capture_unload(file);
}

#define MICROSECONDS 0xa1b2c3d4u
#define NANOSECONDS  0xa1b23c4du

static void test_times_in_both_units_and_orders(void **state)
{
	static const struct record records[] = {{100, 999999}, {101, 1}, {103, 0}};

	(void)state;
	for (unsigned big = 0; big < 2; big++) {
		struct capture_file file = file_make(MICROSECONDS, big, records, 3);
		assert_int_equal(file.first_ns, 100999999000);
		assert_int_equal(file.frames[0].time_ns, 0);
		assert_int_equal(file.frames[1].time_ns, 2000);
		assert_int_equal(file.frames[2].time_ns, 2000001000);
		file_free(&file);
		file = file_make(NANOSECONDS, big, records, 3);
		assert_int_equal(file.first_ns, 100000999999);
		assert_int_equal(file.frames[1].time_ns, 999000002);
		assert_int_equal(file.frames[2].time_ns, 2999000001);
		file_free(&file);
	}
}

static void test_times_never_go_back(void **state)
{
	static const struct record records[] = {{10, 0}, {9, 0}, {12, 0}, {11, 0}, {13, 0}};
	static const uint64_t expected_s[] = {0, 0, 2, 2, 3};
	struct capture_file file = file_make(MICROSECONDS, false, records, 5);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(file.frames[i].time_ns, expected_s[i] * 1000000000);
	file_free(&file);
}

static void test_due_by_timestamps(void **state)
{
	static const struct record records[] = {{5, 0}, {5, 100}, {5, 400}, {5, 900}};
	static const uint64_t expected_us[] = {0, 100, 400, 900, 1200, 1300, 1600, 2100, 2400};
	static const uint32_t speeds[] = {100, 200, 50, 33, 1000000};
	struct capture_file file = file_make(MICROSECONDS, false, records, 4);

	(void)state;
	for (unsigned s = 0; s < 5; s++) {
		const struct profile_replay settings = {
			.timing = PROFILE_TIMING_TIMESTAMPS, .speed_percent = speeds[s]};
		struct timeline timeline = timeline_make(&file, &settings, 7);
		assert_int_equal(timeline.loop_ns, 1200000);
		for (unsigned i = 0; i < 9; i++)
			assert_int_equal(
				timeline_due_ns(&timeline, i), expected_us[i] * 100000 / speeds[s]);
		/* a year of loops later still exact */
		assert_int_equal(timeline_due_ns(&timeline, 4 * 26280000000ull + 2),
			(26280000000ull * 1200 + 400) * 100000 / speeds[s]);
	}
	file_free(&file);
}

static void test_due_by_rate(void **state)
{
	static const struct record records[] = {{5, 0}, {5, 100}};
	struct capture_file file = file_make(MICROSECONDS, false, records, 2);
	const struct profile_replay settings = {.timing = PROFILE_TIMING_RATE};
	struct timeline timeline = timeline_make(&file, &settings, 3);

	(void)state;
	assert_int_equal(timeline_due_ns(&timeline, 0), 0);
	assert_int_equal(timeline_due_ns(&timeline, 1), 333333333);
	assert_int_equal(timeline_due_ns(&timeline, 3000000000ull), 1000000000000000000ull);
	timeline = timeline_make(&file, &settings, 0);
	assert_int_equal(timeline_due_ns(&timeline, 12345), 0);
	file_free(&file);
}

static void test_one_frame_has_no_distance(void **state)
{
	static const struct record one = {5, 0};
	struct capture_file file = file_make(NANOSECONDS, false, &one, 1);
	const struct profile_replay settings = {
		.timing = PROFILE_TIMING_TIMESTAMPS, .speed_percent = 100};
	struct timeline timeline = timeline_make(&file, &settings, 0);

	(void)state;
	assert_int_equal(timeline_due_ns(&timeline, 1000), 0);
	file_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capture_is_read_back),
		cmocka_unit_test(test_bad_captures),
		cmocka_unit_test(test_times_in_both_units_and_orders),
		cmocka_unit_test(test_times_never_go_back),
		cmocka_unit_test(test_due_by_timestamps),
		cmocka_unit_test(test_due_by_rate),
		cmocka_unit_test(test_one_frame_has_no_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
