#include "pktgen/generator/tally.h"

#include <string.h>

void tally_clear(struct tally *tally)
{
	memset(tally, 0, sizeof(*tally));
	for (unsigned i = 0; i < PROFILE_GROUPS_MAX; i++)
		for (unsigned k = 0; k < 2; k++)
			histogram_clear(&tally->received[i][k].latency);
}

void tally_received_merge(struct tally_received *to, const struct tally_received *from)
{
	to->packets += from->packets;
	to->octets += from->octets;
	to->duplicates += from->duplicates;
	to->reordered += from->reordered;
	to->beyond += from->beyond;
	to->late += from->late;
	if (from->latency.count)
		histogram_merge(&to->latency, &from->latency);
}

static void sent_merge(struct tally_sent *to, const struct tally_sent *from)
{
	to->packets += from->packets;
	to->octets += from->octets;
	to->wire_octets += from->wire_octets;
}

void tally_merge(struct tally *to, const struct tally *from)
{
	for (unsigned i = 0; i < PROFILE_GROUPS_MAX; i++) {
		for (unsigned k = 0; k < 2; k++) {
			sent_merge(&to->sent[i][k], &from->sent[i][k]);
			tally_received_merge(&to->received[i][k], &from->received[i][k]);
		}
	}
	for (unsigned i = 0; i < TALLY_FAULT_COUNT; i++)
		to->faults[i] += from->faults[i];
	for (unsigned i = 0; i < TALLY_OTHER_COUNT; i++)
		to->others[i] += from->others[i];
	for (unsigned i = 0; i < TALLY_OBSTACLE_COUNT; i++)
		to->obstacles[i] += from->obstacles[i];
	for (unsigned i = 0; i < PROFILE_PORTS_MAX; i++)
		to->full[i] += from->full[i];
}

uint64_t tally_sent_packets(const struct tally *tally)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PROFILE_GROUPS_MAX; i++)
		sum += tally->sent[i][0].packets + tally->sent[i][1].packets;
	return sum;
}

uint64_t tally_received_packets(const struct tally *tally)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PROFILE_GROUPS_MAX; i++)
		sum += tally->received[i][0].packets + tally->received[i][1].packets;
	return sum;
}

uint64_t tally_fault_count(const struct tally *tally)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < TALLY_FAULT_COUNT; i++)
		sum += tally->faults[i];
	return sum;
}

const char *tally_fault_name(enum tally_fault fault)
{
	static const char *const names[TALLY_FAULT_COUNT] = {
		[TALLY_CHECKSUM] = "checksum",
		[TALLY_MALFORMED] = "malformed",
		[TALLY_FRAGMENT] = "fragment",
		[TALLY_FLOW] = "flow",
		[TALLY_PORT] = "port",
		[TALLY_ENCAPSULATION] = "encapsulation",
		[TALLY_OUTER] = "outer",
		[TALLY_INNER] = "inner",
		[TALLY_SPI] = "spi",
		[TALLY_ICV] = "icv",
		[TALLY_ESP] = "esp",
		[TALLY_NUMBER] = "esp_number",
	};
	return names[fault];
}

const char *tally_other_name(enum tally_other other)
{
	static const char *const names[TALLY_OTHER_COUNT] = {
		[TALLY_FOREIGN] = "foreign",
		[TALLY_ARP] = "arp",
		[TALLY_ICMP] = "icmp",
		[TALLY_KEEPALIVE] = "keepalive",
		[TALLY_DUMMY] = "dummy",
		[TALLY_REGISTRATION] = "registration",
		[TALLY_OLD_MAPPING] = "old_mapping",
	};
	return names[other];
}

const char *tally_obstacle_name(enum tally_obstacle obstacle)
{
	static const char *const names[TALLY_OBSTACLE_COUNT] = {
		[TALLY_NO_BUFFER] = "no_buffer",
		[TALLY_PORT_FULL] = "port_full",
		[TALLY_QUEUE_BUSY] = "queue_busy",
		[TALLY_NOBODY_READY] = "nobody_ready",
		[TALLY_MAIL_FULL] = "mail_full",
		[TALLY_SEQUENCE_END] = "sequence_end",
		[TALLY_OUT_OF_TIME] = "out_of_time",
	};
	return names[obstacle];
}
