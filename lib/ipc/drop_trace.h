/*
 * The drop trace (AUD-16): the last packets that died, for whoever looks for a fault. One ring for
 * each worker in the shared region, written by that worker alone, read by control at any time; the
 * switch is one word of the region's header that control writes and every worker reads when it
 * drops a packet. Off, a drop costs that one look; packets that live never come here.
 *
 * The switch and the rings outlive control: a new one shows what the old one began.
 *
 * A record is copied word by word, so that a reader who is overtaken sees it: the number is 0 while
 * the words change. Both sides trust nothing that the other wrote beyond its own bounds.
 */
#ifndef LIB_IPC_DROP_TRACE_H
#define LIB_IPC_DROP_TRACE_H

#include "lib/base/address.h"
#include "lib/base/clock.h"

#include <assert.h>
#include <stdatomic.h>

#define DROP_TRACE_SLOTS  512u /* of one worker */
#define DROP_TRACE_OCTETS 64

/* The switch: these bits, the generation in bits 8 to 15, and above them the one reason (enum
 * drop_reason) that is wanted, 0 for all. */
#define DROP_TRACE_ON         1u
#define DROP_TRACE_TEXT       2u /* what was decrypted too */
#define DROP_TRACE_GENERATION 8
#define DROP_TRACE_REASON     16

enum drop_head { DROP_HEAD_NONE, DROP_HEAD_IP, DROP_HEAD_FRAME };

struct drop_record {
	monotonic at_ns; /* of the burst */
	uint32_t length; /* octets, of the packet as it died */
	uint32_t sa_id;  /* SA_NONE: none known */
	uint16_t reason, port, vrf;
	uint8_t generation;
	uint8_t sa_direction;             /* enum sa_direction */
	uint8_t kind;                     /* enum drop_head: what head[] begins with */
	uint8_t head_length, text_length; /* octets of head[], text[] */
	uint8_t reserved[5];
	uint8_t head[DROP_TRACE_OCTETS]; /* the outer header as it came, or as we made it */
	uint8_t text[DROP_TRACE_OCTETS]; /* DROP_TRACE_TEXT: the packet as it died */
};
#define DROP_TRACE_WORDS (sizeof(struct drop_record) / sizeof(uint64_t))

struct drop_slot {
	_Alignas(64) _Atomic uint64_t number; /* from 1; 0: nothing, or being written */
	_Atomic uint64_t words[DROP_TRACE_WORDS];
};

struct drop_trace {
	_Alignas(64) _Atomic uint64_t taken; /* records so far */
	struct drop_slot slots[DROP_TRACE_SLOTS];
};

static_assert(sizeof(struct drop_record) == 160, "whole words");
static_assert(sizeof(struct drop_slot) == 192, "three cache lines");

/* The worker whose ring it is. */
void drop_trace_put(struct drop_trace *trace, const struct drop_record *record);
/* Any thread: record `number`, from 1 to `taken`. False when it was overwritten, or is just being.
 */
bool drop_trace_get(const struct drop_trace *trace, uint64_t number, struct drop_record *record);

#endif
