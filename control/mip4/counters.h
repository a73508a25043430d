/*
 * Control's counters of one home agent instance (HA4-OPS-22, HA4-BAD-01). Every message received
 * ends in exactly one of accepted, denied, discarded, or answered otherwise: the sum rule is
 * mip4_counters_balance. 64-bit, never reset; "clear" is a baseline that the operators' provider
 * keeps (HA4-OPS-24).
 */
#ifndef CONTROL_MIP4_COUNTERS_H
#define CONTROL_MIP4_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

struct mip4_engine;

enum mip4_counter {
	/* received, by type */
	MIP4_RX_REQUEST,
	MIP4_RX_DEREGISTRATION,
	MIP4_RX_REVOCATION,
	MIP4_RX_REVOCATION_ACK,
	MIP4_RX_OTHER,
	/* accepted */
	MIP4_REG_ACCEPTED,
	MIP4_REG_ACCEPTED_NOSIM,
	MIP4_REG_DUPLICATE,
	MIP4_DEREG_ACCEPTED,
	MIP4_DEREG_ACCEPTED_NOSIM,
	/* denied, by code; in the order of the codes */
	MIP4_DENIED_128,
	MIP4_DENIED_129,
	MIP4_DENIED_130,
	MIP4_DENIED_131,
	MIP4_DENIED_132,
	MIP4_DENIED_133,
	MIP4_DENIED_134,
	MIP4_DENIED_135,
	MIP4_DENIED_136,
	MIP4_DENIED_137,
	MIP4_DENIED_138,
	MIP4_DENIED_139,
	MIP4_DENIED_140,
	MIP4_DENIED_141,
	MIP4_DENIED_142,
	MIP4_DENIED_143,
	MIP4_DENIED_144,
	MIP4_DENIED_147,
	MIP4_DENIED_148,
	MIP4_DENIED_151,
	/* discarded without a reply, by reason: MIP4_DISCARD_FIRST..MIP4_DISCARD_LAST */
	MIP4_RX_SHORT,
	MIP4_RX_UNKNOWN_TYPE,
	MIP4_RX_UNEXPECTED_RRP,
	MIP4_RX_TUNNEL_DATA,
	MIP4_RX_SOURCE_PORT,
	MIP4_RX_SOURCE_ADDRESS,
	MIP4_RX_NO_INSTANCE,
	MIP4_EXT_OVERRUN_COUNT,
	MIP4_EXT_BADLEN_COUNT,
	MIP4_UNKNOWN_EXT_NONSKIP,
	MIP4_EXT_LIMIT_COUNT,
	MIP4_UNTRUSTED_SOURCE,
	MIP4_UNTRUSTED_ZONE,
	MIP4_TUNNEL_INNER_SOURCE,
	MIP4_INTERNAL_SOURCE,
	MIP4_POLICED_ENDPOINT,
	MIP4_POLICED_SOURCE,
	MIP4_POLICED_INSTANCE,
	MIP4_NO_IDENTITY,
	MIP4_NO_MSA,
	MIP4_NO_AUTH_EXT,
	MIP4_ZERO_CHECKSUM,
	MIP4_AUTH_FAIL_SILENT,
	MIP4_STRAY_FA_AUTH,
	MIP4_SUPERSEDED,
	MIP4_SIGNALLING_IN_TUNNEL,
	MIP4_REVOCATION_BAD,
	MIP4_REVOCATION_REPLAY,
	MIP4_REVOCATION_NO_BINDING,
	MIP4_REVOCATION_ACK_STRAY,
	/* messages 7 and 15 that had effect */
	MIP4_REVOCATION_ACCEPTED,
	MIP4_REVOCATION_ACKED,
	/* not ends of messages: remarks and activity */
	MIP4_AUTH_FAIL,
	MIP4_ID_MISMATCH,
	MIP4_DUP_EXT,
	MIP4_UNKNOWN_EXT_SKIP,
	MIP4_EXT_BADLEN_SKIP,
	MIP4_TX_REPLY,
	MIP4_TX_DEREG_REPLY,
	MIP4_TX_REVOCATION,
	MIP4_TX_REVOCATION_RETRY,
	MIP4_TX_REVOCATION_ACK,
	MIP4_BINDINGS_ADDED,
	MIP4_BINDINGS_MOVED,
	MIP4_BINDINGS_REFRESHED,
	MIP4_BINDINGS_EXPIRED,
	MIP4_BINDINGS_REVOKED,
	MIP4_STALE_NAT,
	MIP4_BOUND,
	MIP4_REFUSED,
	MIP4_CLOCK_STEPS,
	MIP4_COUNTER_COUNT
};
#define MIP4_DISCARD_FIRST MIP4_RX_SHORT
#define MIP4_DISCARD_LAST  MIP4_REVOCATION_ACK_STRAY

struct mip4_counters {
	uint64_t value[MIP4_COUNTER_COUNT];
};

/* "reg_accepted", "denied_129", "no_auth_ext" ... and a line of help. */
const char *mip4_counter_name(enum mip4_counter counter);
const char *mip4_counter_help(enum mip4_counter counter);
/* Of one instance; index instance_count: messages that reached no instance. NULL beyond. Borrowed.
 */
const struct mip4_counters *mip4_counters_of(const struct mip4_engine *engine, unsigned instance);
/* received == accepted + denied + discarded + effective + pending, over all instances (HA4-BAD-01).
 */
bool mip4_counters_balance(const struct mip4_engine *engine);

#endif
