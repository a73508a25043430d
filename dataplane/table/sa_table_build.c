/* What a worker needs of an SA, made from what control configured. */
#include "dataplane/crypto/suite.h"
#include "dataplane/header.h"
#include "dataplane/table/sa_table.h"
#include "dataplane/tsc_clock.h"

#include <errno.h>
#include <netinet/in.h>

#define FLAGS_KNOWN   (SA_STANDBY * 2u - 1)
#define SPI_FIRST     256 /* ESP-FMT-16 */
#define WINDOW_MIN    32
#define PATH_MTU_MIN  68
#define DSCP_MAX      63
#define VRFS_MAX      16
#define PORT_ANY_LAST 65535
#define IPV4_LENGTH   20
#define IPV6_LENGTH   40
#define UDP_LENGTH    8
#define UDP_PROTOCOL  IPPROTO_UDP
#define LABEL_MASK    0xfffff

/* TUN-10, TUN-11, SAD-02. A larval SA has no ends yet. */
static bool is_ends_valid(const struct sa_command *c)
{
	if (c->flags & SA_LARVAL)
		return c->direction == SA_INBOUND;
	return ip_address_is_unicast(&c->local) && ip_address_is_unicast(&c->remote) &&
	       ip_address_is_v4(&c->local) == ip_address_is_v4(&c->remote) &&
	       (!(c->flags & SA_UDP) || (c->local_port != 0 && c->remote_port != 0)) &&
	       (c->flags & SA_TRANSPORT || c->tunnel_ttl > 0);
}

int sa_table_check(const struct sa_table *table, const struct sa_command *c)
{
	const uint32_t df = SA_DF_SET | SA_DF_CLEAR;
	bool valid =
		c->sa_id < table->count && c->direction <= SA_OUTBOUND &&
		(c->flags & ~FLAGS_KNOWN) == 0 && (c->flags & df) != df &&
		__builtin_bswap32(c->spi) >= SPI_FIRST && is_ends_valid(c) && c->vrf < VRFS_MAX &&
		(c->path_mtu == 0 || c->path_mtu >= PATH_MTU_MIN) &&
		(c->dscp <= DSCP_MAX || c->dscp == DSCP_COPY) &&
		(c->tfc == 0 || !(c->flags & SA_TRANSPORT)) &&
		(c->pair_id < table->count || c->pair_id == SA_NONE) &&
		(c->direction == SA_OUTBOUND || c->replay_window == 0 ||
			(c->replay_window >= WINDOW_MIN && c->replay_window <= table->window_max));
	return valid ? 0 : -EINVAL;
}

static bool is_order_right(const struct ip_address *first, const struct ip_address *last)
{
	return memcmp(first->bytes, last->bytes, 16) <= 0 &&
	       ip_address_is_v4(first) == ip_address_is_v4(last);
}

int sa_table_check_selector(const struct selector *c)
{
	bool valid = is_order_right(&c->local_first, &c->local_last) &&
		     is_order_right(&c->remote_first, &c->remote_last) &&
		     ip_address_is_v4(&c->local_first) == ip_address_is_v4(&c->remote_first);
	return valid ? 0 : -EINVAL;
}

/* In the place of the checksum stands the sum of all that does not change, from the TTL on. */
static uint16_t put_ipv4(uint8_t *at, const struct sa_command *c)
{
	uint32_t sum = 0;
	uint16_t half;
	be32 local = ip_address_v4(&c->local), remote = ip_address_v4(&c->remote);

	at[0] = 0x45;
	at[1] = c->dscp == DSCP_COPY ? 0 : (uint8_t)(c->dscp << 2);
	at[8] = c->tunnel_ttl;
	at[9] = c->flags & SA_UDP ? UDP_PROTOCOL : IPPROTO_ESP;
	memcpy(at + 12, &local, 4);
	memcpy(at + 16, &remote, 4);
	for (unsigned i = 8; i < IPV4_LENGTH; i += 2) {
		memcpy(&half, at + i, 2);
		sum += half;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	half = (uint16_t)((sum & 0xffff) + (sum >> 16));
	memcpy(at + 10, &half, 2);
	return IPV4_LENGTH;
}

/* TUN-09: not the inner flow label but one that keeps the SA's packets on one path. */
static uint32_t flow_label(const struct sa_command *c)
{
	uint32_t hash = c->spi;

	for (unsigned i = 0; i < 4; i++)
		hash = (hash ^ c->local.words[i] ^ (c->remote.words[i] << 1)) * 0x9e3779b1u;
	return (hash ^ hash >> 16) & LABEL_MASK;
}

static uint16_t put_ipv6(uint8_t *at, const struct sa_command *c)
{
	uint32_t tos = c->dscp == DSCP_COPY ? 0 : (uint32_t)c->dscp << 2;
	uint32_t first = htonl(6u << 28 | tos << 20 | flow_label(c));

	memcpy(at, &first, 4);
	at[6] = c->flags & SA_UDP ? UDP_PROTOCOL : IPPROTO_ESP;
	at[7] = c->tunnel_ttl;
	memcpy(at + 8, c->local.bytes, 16);
	memcpy(at + 24, c->remote.bytes, 16);
	return IPV6_LENGTH;
}

/* But for `lane`, which a worker may look at that noted the object's number in another life. */
static void clear(struct sa_outbound *sa)
{
	const size_t at = offsetof(struct sa_outbound, lane);

	memset(sa, 0, at);
	memset((uint8_t *)sa + at + sizeof(sa->lane), 0, sizeof(*sa) - at - sizeof(sa->lane));
}

void sa_table_build_outbound(struct sa_outbound *sa, const struct sa_command *c)
{
	uint16_t at = 0;

	clear(sa);
	if (!(c->flags & SA_TRANSPORT))
		at = ip_address_is_v4(&c->local) ? put_ipv4(sa->header, c)
						 : put_ipv6(sa->header, c);
	sa->ip_length = (uint8_t)at;
	if (c->flags & SA_UDP) {
		memcpy(sa->header + at, &c->local_port, 2);
		memcpy(sa->header + at + 2, &c->remote_port, 2);
		at += UDP_LENGTH;
	}
	memcpy(sa->header + at, &c->spi, 4);
	sa->header_length = (uint8_t)(at + 4);
	sa->dscp = c->dscp;
	sa->flags = (uint16_t)c->flags;
	sa->sa_id = c->sa_id;
	sa->pair_id = c->pair_id;
	sa->vrf = c->vrf;
	sa->path_mtu = c->path_mtu;
	sa->tfc = c->tfc;
	sa->spi = c->spi;
	atomic_store_explicit(&sa->allowance, SA_PROVED, memory_order_relaxed);
	atomic_store_explicit(&sa->learned_mtu, 0, memory_order_relaxed); /* MTU-11 */
}

struct sa_peer sa_table_build_peer(const struct sa_outbound *sa)
{
	struct sa_peer peer = {.spi = sa->spi};
	be32 v4[2];

	if (sa->ip_length == IPV4_LENGTH) {
		memcpy(v4, sa->header + 12, sizeof(v4));
		peer.local = ip_address_from_v4(v4[0]);
		peer.remote = ip_address_from_v4(v4[1]);
	} else if (sa->ip_length == IPV6_LENGTH) {
		peer.local = ip_address_from_v6(sa->header + 8);
		peer.remote = ip_address_from_v6(sa->header + 24);
	}
	if (sa->flags & SA_UDP) {
		memcpy(&peer.local_port, sa->header + sa->ip_length, 2);
		memcpy(&peer.remote_port, sa->header + sa->ip_length + 2, 2);
	}
	return peer;
}

void sa_table_build_inbound(struct sa_inbound *sa, const struct sa_command *c)
{
	sa->spi = c->spi;
	sa->sa_id = c->sa_id;
	sa->flags = (uint16_t)c->flags;
	sa->vrf = (uint8_t)c->vrf;
	sa->window = c->replay_window;
	sa->window_mask = (uint8_t)(sa_window_words(c->replay_window) - 1);
	sa->local = c->local;
	sa->remote = c->remote;
	sa->remote_port = c->flags & SA_UDP ? c->remote_port : 0;
}

void sa_table_build_usual(struct sa_inbound *sa)
{
	const struct suite *suite = sa->suite;

	if (suite == NULL || sa->flags & (SA_TRANSPORT | SA_STANDBY) || !ipv4_is_plain(sa->host) ||
		!ip_address_is_v4(&sa->remote))
		return;
	sa->outer_remote = ip_address_v4(&sa->remote);
	sa->outer_local = ip_address_v4(&sa->local);
	if (suite_is_direct(suite))
		sa->gcm_key = suite->cipher_key_length;
}

void sa_table_build_selector(struct sa_selector *selector, const struct selector *c)
{
	*selector = (struct sa_selector){.local_port_first = c->local_port_first,
		.local_port_last = c->local_port_last,
		.remote_port_first = c->remote_port_first,
		.remote_port_last = c->remote_port_last,
		.protocol = c->protocol};
	sa_selector_address(&c->local_first, selector->local_first);
	sa_selector_address(&c->local_last, selector->local_last);
	sa_selector_address(&c->remote_first, selector->remote_first);
	sa_selector_address(&c->remote_last, selector->remote_last);
	/* Without a protocol there are no ports to ask for. */
	selector->any_port =
		c->protocol == 0 ||
		(c->local_port_first == 0 && c->local_port_last == PORT_ANY_LAST &&
			c->remote_port_first == 0 && c->remote_port_last == PORT_ANY_LAST);
	selector->remote_host =
		c->protocol == 0 && ip_address_equal(&c->remote_first, &c->remote_last);
	selector->host =
		selector->remote_host && ip_address_range_is_all(&c->local_first, &c->local_last);
}

static uint64_t limit(uint64_t configured)
{
	return configured != 0 ? configured : UINT64_MAX;
}

struct sa_limits sa_table_build_limits(
	const struct sa_limits_command *c, const struct tsc_clock *clock)
{
	return (struct sa_limits){.soft_packets = limit(c->soft_packets),
		.hard_packets = limit(c->hard_packets),
		.soft_bytes = limit(c->soft_bytes),
		.hard_bytes = limit(c->hard_bytes),
		.soft_tsc = tsc_clock_from_ns(clock, limit(c->soft_ns)),
		.hard_tsc = tsc_clock_from_ns(clock, limit(c->hard_ns))};
}

/* ---- and what a packet is compared with ---- */

static bool is_between(const uint64_t n[2], const uint64_t first[2], const uint64_t last[2])
{
	return (n[0] > first[0] || (n[0] == first[0] && n[1] >= first[1])) &&
	       (n[0] < last[0] || (n[0] == last[0] && n[1] <= last[1]));
}

/* ANY is all of it, OPAQUE (first > last) only what is not there (SPD-05). */
static bool is_port_right(uint16_t first, uint16_t last, bool there, uint16_t port)
{
	if (first == 0 && last == PORT_ANY_LAST)
		return true;
	if (first > last)
		return !there;
	return there && port >= first && port <= last;
}

bool sa_table_selector_match(const struct sa_selector *s, const struct sa_selector_key *key)
{
	bool both = key->ports == SA_PORTS_BOTH;

	if (!is_between(key->remote, s->remote_first, s->remote_last) ||
		!is_between(key->local, s->local_first, s->local_last))
		return false;
	if (s->protocol != 0 && s->protocol != key->protocol)
		return false;
	if (s->any_port)
		return true;
	return (key->ports == SA_PORTS_REMOTE ||
		       is_port_right(s->local_port_first, s->local_port_last,
			       both || key->ports == SA_PORTS_LOCAL, key->local_port)) &&
	       (key->ports == SA_PORTS_LOCAL ||
		       is_port_right(s->remote_port_first, s->remote_port_last,
			       both || key->ports == SA_PORTS_REMOTE, key->remote_port));
}
