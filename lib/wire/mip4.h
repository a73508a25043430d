/*
 * Mobile IPv4 messages on the wire: RFC 5944 3.3-3.4, RFC 3519 3, RFC 3543 3.3-3.4 (HA4-FMT,
 * HA4-EXT).
 *
 * mip4_parse walks a whole UDP payload once: fixed part, then every extension with its offset and
 * length, nothing acted on. What an extension means, and whether it is honoured where it stands, is
 * control's business; the walk only says what lies before and after the first and last
 * authentication extension. No allocation, no state, any thread.
 */
#ifndef LIB_WIRE_MIP4_H
#define LIB_WIRE_MIP4_H

#include "lib/wire/cursor.h"

#define MIP4_PORT              434
#define MIP4_PAYLOAD_MAX       1472 /* HA4-EXT-14 */
#define MIP4_EXTENSIONS_MAX    64
#define MIP4_LIFETIME_INFINITE 0xffff

enum mip4_type {
	MIP4_REGISTRATION_REQUEST = 1,
	MIP4_REGISTRATION_REPLY = 3,
	MIP4_TUNNEL_DATA = 4,
	MIP4_REVOCATION = 7,
	MIP4_REVOCATION_ACK = 15,
};

enum mip4_flag { /* of a registration request */
	MIP4_S = 0x80,
	MIP4_B = 0x40,
	MIP4_D = 0x20,
	MIP4_M = 0x10,
	MIP4_G = 0x08,
	MIP4_R = 0x04,
	MIP4_T = 0x02,
	MIP4_X = 0x01,
};

enum mip4_revocation_flag { /* 16-bit words of messages 7 and 15 and of extension 137 */
	MIP4_REVOCATION_A = 0x8000,
	MIP4_REVOCATION_I = 0x4000,
	MIP4_REVOCATION_ACK_I = 0x8000,
	MIP4_REVOCATION_SUPPORT_I = 0x8000,
};

enum mip4_extension_type {
	MIP4_EXT_PAD = 0,
	MIP4_EXT_MOBILE_HOME_AUTH = 32,
	MIP4_EXT_MOBILE_FOREIGN_AUTH = 33,
	MIP4_EXT_FOREIGN_HOME_AUTH = 34,
	MIP4_EXT_GENERALIZED_AUTH = 36,
	MIP4_EXT_CVSE = 38,
	MIP4_EXT_UDP_TUNNEL_REPLY = 44,
	MIP4_EXT_FA_ERROR = 45,
	MIP4_EXT_DELIVERY_STYLE = 130,
	MIP4_EXT_NAI = 131,
	MIP4_EXT_CHALLENGE = 132,
	MIP4_EXT_NVSE_OLD = 133,
	MIP4_EXT_NVSE = 134,
	MIP4_EXT_NAI_CARRYING = 136,
	MIP4_EXT_REVOCATION_SUPPORT = 137,
	MIP4_EXT_DYNAMIC_HA = 139,
	MIP4_EXT_UDP_TUNNEL_REQUEST = 144,
	MIP4_EXT_MESSAGE_STRING = 145,
	MIP4_EXT_MOBILE_NETWORK = 148,
	MIP4_EXT_TNC = 149,
	MIP4_EXT_SERVICE_SELECTION = 151,
	MIP4_EXT_DSMIPV4 = 152,
};

enum mip4_status { /* why a message was refused by the walk (HA4-BAD-03..05) */
	MIP4_OK = 0,
	MIP4_SHORT,        /* rx_short: fixed part not complete */
	MIP4_UNKNOWN_TYPE, /* rx_unknown_type */
	MIP4_EXT_OVERRUN,  /* ext_overrun */
	MIP4_EXT_BADLEN,   /* ext_badlen: known type < 128 with a wrong length */
	MIP4_EXT_UNKNOWN,  /* unknown_ext_nonskip */
	MIP4_EXT_LIMIT,    /* ext_limit */
	MIP4_STATUS_COUNT
};

struct mip4_extension {
	uint16_t offset;      /* of the Type octet in the payload */
	uint16_t length;      /* whole, header included */
	uint16_t data_offset; /* after Type, Length and, where the type has one, Sub-Type (and
				 Reserved of 38) */
	uint16_t data_length;
	uint8_t type;
	uint8_t subtype; /* 0 when the format has none */
	bool recognized; /* false: skippable and unknown, or known >= 128 with a bad length */
	uint8_t reserved;
};

struct mip4_request {
	be32 home_address, home_agent, care_of_address;
	uint64_t identification; /* host order; high half at +0 (HA4-FMT-05) */
	uint16_t lifetime_s;
	uint8_t flags;
};

struct mip4_reply {
	be32 home_address, home_agent;
	uint64_t identification;
	uint16_t lifetime_s;
	uint8_t code;
};

struct mip4_revocation { /* message 7; in message 15 the domain addresses are 0 */
	be32 home_address, home_domain_address, foreign_domain_address;
	uint32_t identifier;
	uint16_t flags;
};

struct mip4_message {
	const uint8_t *payload; /* the caller's, borrowed */
	uint16_t length;
	uint8_t type; /* enum mip4_type */
	union {
		struct mip4_request request;
		struct mip4_reply reply;
		struct mip4_revocation revocation;
	};
	uint16_t extension_count; /* pads are walked over, not listed */
	uint16_t skipped_unknown; /* extensions with recognized == false because of their type */
	uint16_t skipped_badlen;
	uint16_t error_offset; /* where the walk stopped when the status is not MIP4_OK */
	struct mip4_extension extensions[MIP4_EXTENSIONS_MAX];
};

/*
 * Parses a UDP payload. Everything but MIP4_OK means: discard silently and count under that name.
 * Type 44, 45 and 149-like "sent only" rules are the receiver's role: `as_home_agent` true treats
 * 44 as unknown (discard) and 45 as invalid (HA4-EXT table); false is the mobile node's view of a
 * reply.
 */
enum mip4_status mip4_parse(
	struct mip4_message *message, const void *payload, size_t length, bool as_home_agent);
const char *mip4_status_name(enum mip4_status status); /* "ext_overrun" ... */

/* First listed and recognized extension of a type at or after index `from`; -1 when none. */
int mip4_extension_find(const struct mip4_message *message, uint8_t type, unsigned from);

/* Builders append to a writer; overflow is the writer's flag. Field order and reserved bits as the
 * RFC says. */
void mip4_request_write(struct writer *w, const struct mip4_request *request);
void mip4_reply_write(struct writer *w, const struct mip4_reply *reply);
void mip4_revocation_write(struct writer *w, const struct mip4_revocation *revocation); /* type 7 */
void mip4_revocation_ack_write(
	struct writer *w, const struct mip4_revocation *revocation); /* type 15 */
void mip4_extension_write(
	struct writer *w, uint8_t type, const void *data, uint8_t length); /* simple format */
void mip4_nai_write(struct writer *w, const char *nai, size_t length);

struct mip4_udp_tunnel_request { /* extension 144, RFC 3519 3.1 */
	uint8_t flags;           /* F 0x80, R 0x40 */
	uint8_t encapsulation;   /* 0, 4, 47, 55 */
	uint16_t reserved3;
};
#define MIP4_UDP_TUNNEL_F 0x80
#define MIP4_UDP_TUNNEL_R 0x40
struct mip4_udp_tunnel_reply { /* extension 44, RFC 3519 3.2 */
	uint8_t code;          /* 0-63 will tunnel */
	bool forced;
	uint16_t keepalive_s;
};
void mip4_udp_tunnel_request_write(struct writer *w, const struct mip4_udp_tunnel_request *request);
void mip4_udp_tunnel_reply_write(struct writer *w, const struct mip4_udp_tunnel_reply *reply);
/* Reads extension 144 or 44 that the walk listed as recognized; false when its Sub-Type is not 0.
 */
bool mip4_udp_tunnel_request_read(const struct mip4_message *m, const struct mip4_extension *e,
	struct mip4_udp_tunnel_request *out);
bool mip4_udp_tunnel_reply_read(const struct mip4_message *m, const struct mip4_extension *e,
	struct mip4_udp_tunnel_reply *out);

/*
 * Authentication extensions 32, 33, 34 (RFC 5944 3.5): SPI and Authenticator of one in the list.
 * `covered` is the count of leading payload octets that the authenticator covers: everything before
 * it plus its own Type, Length, SPI (HA4-AUTH-05).
 */
struct mip4_authentication {
	uint32_t spi;
	const uint8_t *authenticator;
	uint16_t authenticator_length;
	uint16_t covered;
};
bool mip4_authentication_read(const struct mip4_message *m, const struct mip4_extension *e,
	struct mip4_authentication *out);
/*
 * Appends Type, Length, SPI and room for an authenticator of `authenticator_length` octets, which
 * the caller computes over the writer's content so far minus that room. Returns where to put it,
 * NULL on overflow.
 */
uint8_t *mip4_authentication_write(
	struct writer *w, uint8_t type, uint32_t spi, uint8_t authenticator_length);

#endif
