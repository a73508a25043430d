#include "control/mip4/counters.h"

#include "control/mip4/engine_state.h"

static const struct {
	const char *name, *help;
} texts[MIP4_COUNTER_COUNT] = {
	[MIP4_RX_REQUEST] = {"rx_request", "registration requests received, lifetime not 0"},
	[MIP4_RX_DEREGISTRATION] = {"rx_deregistration", "registration requests with lifetime 0"},
	[MIP4_RX_REVOCATION] = {"rx_revocation", "registration revocations received"},
	[MIP4_RX_REVOCATION_ACK] = {"rx_revocation_ack", "revocation acknowledgments received"},
	[MIP4_RX_OTHER] = {"rx_other", "messages of another or no recognisable type"},
	[MIP4_REG_ACCEPTED] = {"reg_accepted", "registrations answered with code 0"},
	[MIP4_REG_ACCEPTED_NOSIM] = {"reg_accepted_nosim", "registrations answered with code 1"},
	[MIP4_REG_DUPLICATE] = {"reg_duplicate", "nonce-style retransmissions answered again"},
	[MIP4_DEREG_ACCEPTED] = {"dereg_accepted", "deregistrations answered with code 0"},
	[MIP4_DEREG_ACCEPTED_NOSIM] = {"dereg_accepted_nosim",
		"deregistrations answered with code 1"},
	[MIP4_DENIED_128] = {"denied_128", "reason unspecified"},
	[MIP4_DENIED_129] = {"denied_129", "administratively prohibited"},
	[MIP4_DENIED_130] = {"denied_130", "insufficient resources"},
	[MIP4_DENIED_131] = {"denied_131", "mobile node failed authentication"},
	[MIP4_DENIED_132] = {"denied_132", "foreign agent failed authentication"},
	[MIP4_DENIED_133] = {"denied_133", "registration Identification mismatch"},
	[MIP4_DENIED_134] = {"denied_134", "poorly formed Request"},
	[MIP4_DENIED_135] = {"denied_135", "too many simultaneous mobility bindings"},
	[MIP4_DENIED_136] = {"denied_136", "unknown home agent address"},
	[MIP4_DENIED_137] = {"denied_137", "requested reverse tunnel unavailable"},
	[MIP4_DENIED_138] = {"denied_138", "reverse tunnel is mandatory and T not set"},
	[MIP4_DENIED_139] = {"denied_139", "requested encapsulation unavailable"},
	[MIP4_DENIED_140] = {"denied_140", "unsupported vendor extension from the mobile node"},
	[MIP4_DENIED_141] = {"denied_141", "unsupported vendor extension from the foreign agent"},
	[MIP4_DENIED_142] = {"denied_142", "requested UDP tunnel encapsulation unavailable"},
	[MIP4_DENIED_143] = {"denied_143", "redirected to another home agent"},
	[MIP4_DENIED_144] = {"denied_144", "Mobile-AAA authenticator wrong"},
	[MIP4_DENIED_147] = {"denied_147", "no requested mobile network could be set up"},
	[MIP4_DENIED_148] = {"denied_148", "mobile node may not act as mobile router"},
	[MIP4_DENIED_151] = {"denied_151", "service unknown or not allowed"},
	[MIP4_RX_SHORT] = {"rx_short", "shorter than the fixed part of its type"},
	[MIP4_RX_UNKNOWN_TYPE] = {"rx_unknown_type", "message type unknown"},
	[MIP4_RX_UNEXPECTED_RRP] = {"rx_unexpected_rrp", "registration reply sent to a home agent"},
	[MIP4_RX_TUNNEL_DATA] = {"rx_tunnel_data", "tunnel data among the signalling"},
	[MIP4_RX_SOURCE_PORT] = {"rx_source_port", "source port 0"},
	[MIP4_RX_SOURCE_ADDRESS] = {"rx_source_address", "source address that cannot be a peer"},
	[MIP4_RX_NO_INSTANCE] = {"rx_no_instance", "destination is no home agent address"},
	[MIP4_EXT_OVERRUN_COUNT] = {"ext_overrun", "an extension ends beyond the message"},
	[MIP4_EXT_BADLEN_COUNT] = {"ext_badlen", "wrong length of a known extension below 128"},
	[MIP4_UNKNOWN_EXT_NONSKIP] = {"unknown_ext_nonskip", "unknown extension below 128"},
	[MIP4_EXT_LIMIT_COUNT] = {"ext_limit", "more extensions or octets than the limit"},
	[MIP4_UNTRUSTED_SOURCE] = {"untrusted_source", "i-HA: source not in a trusted network"},
	[MIP4_UNTRUSTED_ZONE] = {"untrusted_zone", "i-HA: in clear through an external port"},
	[MIP4_TUNNEL_INNER_SOURCE] = {"tia_without_sa", "tunnel inner address outside its own SA"},
	[MIP4_INTERNAL_SOURCE] = {"internal_source", "x-HA: request from an internal port"},
	[MIP4_POLICED_ENDPOINT] = {"policed_endpoint", "too many from one address and port"},
	[MIP4_POLICED_SOURCE] = {"policed_source", "too many from one address"},
	[MIP4_POLICED_INSTANCE] = {"policed_instance", "too many for the instance"},
	[MIP4_NO_IDENTITY] = {"no_identity", "neither a home address nor a usable NAI"},
	[MIP4_NO_MSA] = {"no_msa", "mobile node without security association"},
	[MIP4_NO_AUTH_EXT] = {"no_auth_ext", "no Mobile-Home authentication extension"},
	[MIP4_ZERO_CHECKSUM] = {"zero_checksum", "UDP checksum 0, which this context forbids"},
	[MIP4_AUTH_FAIL_SILENT] = {"auth_fail_silent", "failed authentication, no reply allowed"},
	[MIP4_STRAY_FA_AUTH] = {"stray_fa_auth", "Foreign-Home authentication without association"},
	[MIP4_SUPERSEDED] = {"superseded", "overtaken by a newer request of the same node"},
	[MIP4_SIGNALLING_IN_TUNNEL] = {"signalling_in_tunnel", "from inside the node's own tunnel"},
	[MIP4_REVOCATION_BAD] = {"revocation_bad", "revocation not acceptable or not authentic"},
	[MIP4_REVOCATION_REPLAY] = {"revocation_replay", "revocation identifier not new"},
	[MIP4_REVOCATION_NO_BINDING] = {"revocation_no_binding",
		"revocation of no binding of ours"},
	[MIP4_REVOCATION_ACK_STRAY] = {"revocation_ack_stray",
		"acknowledgment of nothing outstanding"},
	[MIP4_REVOCATION_ACCEPTED] = {"revocation_accepted", "revocations carried out"},
	[MIP4_REVOCATION_ACKED] = {"revocation_acked", "our revocations acknowledged"},
	[MIP4_AUTH_FAIL] = {"auth_fail", "invalid authenticator or unknown SPI"},
	[MIP4_ID_MISMATCH] = {"id_mismatch", "replayed, early or late Identification"},
	[MIP4_DUP_EXT] = {"dup_ext", "single extension repeated"},
	[MIP4_UNKNOWN_EXT_SKIP] = {"unknown_ext_skip", "unknown extensions skipped"},
	[MIP4_EXT_BADLEN_SKIP] = {"ext_badlen_skip", "extensions of wrong length skipped"},
	[MIP4_TX_REPLY] = {"tx_reply", "registration replies sent"},
	[MIP4_TX_DEREG_REPLY] = {"tx_dereg_reply", "replies to deregistrations sent"},
	[MIP4_TX_REVOCATION] = {"tx_revocation", "revocations sent, first transmission"},
	[MIP4_TX_REVOCATION_RETRY] = {"tx_revocation_retry", "revocations sent again"},
	[MIP4_TX_REVOCATION_ACK] = {"tx_revocation_ack", "revocation acknowledgments sent"},
	[MIP4_BINDINGS_ADDED] = {"bindings_added", "bindings created"},
	[MIP4_BINDINGS_MOVED] = {"bindings_moved", "bindings that changed their endpoint"},
	[MIP4_BINDINGS_REFRESHED] = {"bindings_refreshed", "bindings refreshed in place"},
	[MIP4_BINDINGS_EXPIRED] = {"bindings_expired", "bindings whose lifetime ran out"},
	[MIP4_BINDINGS_REVOKED] = {"bindings_revoked",
		"bindings ended by us or by the foreign agent"},
	[MIP4_STALE_NAT] = {"stale_nat", "bindings silenced because their NAT mapping was reused"},
	[MIP4_BOUND] = {"bound", "half-bound tunnels completed"},
	[MIP4_REFUSED] = {"refused", "bindings that the dataplane refused"},
	[MIP4_CLOCK_STEPS] = {"clock_steps", "steps of the wall clock beyond the tolerance"},
};

const char *mip4_counter_name(enum mip4_counter counter)
{
	return (unsigned)counter < MIP4_COUNTER_COUNT ? texts[counter].name : "none";
}

const char *mip4_counter_help(enum mip4_counter counter)
{
	return (unsigned)counter < MIP4_COUNTER_COUNT ? texts[counter].help : "";
}

void counter_add(struct mip4_engine *e, unsigned instance, enum mip4_counter counter)
{
	e->counters[instance].value[counter]++;
}

const struct mip4_counters *mip4_counters_of(const struct mip4_engine *e, unsigned instance)
{
	return instance <= e->config->instance_count ? &e->counters[instance] : NULL;
}

bool mip4_counters_balance(const struct mip4_engine *e)
{
	uint64_t received = 0, ended = 0;

	for (unsigned i = 0; i <= e->config->instance_count; i++) {
		const uint64_t *v = e->counters[i].value;
		for (unsigned c = MIP4_RX_REQUEST; c <= MIP4_RX_OTHER; c++)
			received += v[c];
		for (unsigned c = MIP4_REG_ACCEPTED; c <= MIP4_REVOCATION_ACKED; c++)
			ended += v[c];
	}
	return received == ended + mip4_show_pending_count(e);
}
