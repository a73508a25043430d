/*
 * Run-time state of security associations, in the shared region: one cache line a direction and SA,
 * and the replay bitmap of each inbound SA. The dataplane's workers write it with atomics; control
 * reads it at any time (query_sa, show).
 *
 * It is exact across a restart of either process. When control attaches to a new dataplane it
 * copies the lines and the replay bitmap (sa_window_words of the SA's own window, from the start of
 * its stretch) of every SA that it knows from the old mapping, which it kept, into the new region
 * and then sends SA_SET with SA_RESUME. So a number once taken is never taken again, even by
 * a dataplane that was killed in the middle of a burst: a worker takes numbers here, by an atomic
 * add, before it uses them (RFC 4303 3.3.3, ESP-SEQ-02), and the window is updated here before the
 * packet goes on (3.4.3). The dataplane trusts none of it for memory safety: every index is masked.
 *
 * Whose state a line holds is written by control into `identity` (a hash of SPI, keys and more)
 * when the dataplane has acknowledged the SA, and wiped when it has acknowledged the removal; the
 * dataplane leaves both words alone, also at an SA_SET that starts at zero. So a control that lost
 * its memory finds the state of an SA that the configuration gives it again, and never resumes one
 * SA with the numbers of another.
 *
 * An inbound SPI that control chose: low bits the slot, the rest random, within
 * 0xc0000000..0xcfffffff when there are at most 2^20 slots.
 */
#ifndef LIB_IPC_SA_STATE_H
#define LIB_IPC_SA_STATE_H

#include "lib/base/address.h"
#include "lib/base/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

struct sa_outbound_state {
	_Alignas(64) _Atomic uint64_t
		sequence;                /* last number taken; the next packet carries one more */
	_Atomic uint64_t packets, bytes; /* octets given to the cipher */
	_Atomic uint64_t last_use_ns;    /* CLOCK_MONOTONIC, of the burst; 0 never */
	_Atomic uint32_t expired;        /* bit of each enum sa_expiry that was told */
	uint32_t reserved;
	_Atomic uint32_t identity[2]; /* control's: sa_identity, 0 0: nobody's state */
	/* Not the SA's, and not handed over with it: policy_line.h. */
	_Atomic uint64_t policy_hits;
	_Atomic uint32_t
		policy_slot; /* dataplane's number of the policy that they are of; 0 none */
	uint32_t reserved2;
};

#define SA_OUTBOUND_STATE_OWN offsetof(struct sa_outbound_state, policy_hits)

struct sa_inbound_state {
	_Alignas(64) _Atomic uint64_t highest; /* T: highest authenticated number; 0 none yet */
	_Atomic uint64_t front; /* the word of the window that numbers are marked in now, taken out
				   of the bitmap (replay_window.h); 0 none. Workers that share the
				   SA change it and T at once, packets and bytes too. */
	_Atomic uint64_t packets, bytes;
	_Atomic uint64_t last_use_ns;
	_Atomic uint32_t expired;
	_Atomic uint32_t replays, replays_late, bad_icv; /* ESP-SEQ-20, per SA */
	_Atomic uint32_t identity[2]; /* control's: sa_identity, 0 0: nobody's state */
};

static_assert(sizeof(struct sa_outbound_state) == 64, "one cache line a direction");
static_assert(sizeof(struct sa_inbound_state) == 64, "one cache line a direction");
static_assert(offsetof(struct sa_inbound_state, front) == 8, "changes together with T");
static_assert(offsetof(struct sa_inbound_state, packets) == 16 &&
		      offsetof(struct sa_inbound_state, bytes) == 24,
	"change together");

/*
 * What control notes of an SA for a control that comes after it: [2 * sas], by direction * sas +
 * slot. The dataplane never looks at it. It belongs to whom the line of that direction and slot
 * belongs.
 */
struct sa_note {
	_Alignas(32) _Atomic uint64_t created_ns; /* CLOCK_MONOTONIC; 0 nothing was noted */
	struct ip_address remote; /* where it sends to now, which a NAT may have changed */
	be16 remote_port;
	uint16_t reserved;
	uint32_t wanted; /* a hash of the ends that the configuration gave it */
};

static_assert(sizeof(struct sa_note) == 32, "two a cache line");

/*
 * Words of 64 bits that one SA's bitmap takes for windows of up to `window` packets: a power of
 * two, one word more than the window needs (RFC 6479 2). 0 for 0. Each word holds 40 packets, and
 * in its upper 24 bits the turn of the ring that they belong to (dataplane/table/replay_window.h).
 */
#define SA_WINDOW_WORD_PACKETS 40
static inline uint32_t sa_window_words(uint32_t window)
{
	uint32_t words = 2;

	if (window == 0)
		return 0;
	while (words * SA_WINDOW_WORD_PACKETS < window + SA_WINDOW_WORD_PACKETS)
		words *= 2;
	return words;
}

#define SA_SPI_FIRST                                                                               \
	0xc0000000u /* of those that control chooses; manual keying may use any from 256 on */
#define SA_SPI_LAST 0xcfffffffu

/* The slot that an SPI (host order) of control's choosing carries; `slots` is a power of two. */
static inline uint32_t sa_spi_slot(uint32_t spi, uint32_t slots)
{
	return spi & (slots - 1);
}

#endif
