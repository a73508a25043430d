/*
 * All 74 vectors at the parser's level: each parses or is refused for the very reason that its
 * expectation names, and the builders make the same octets again from what was parsed (HA4-FMT,
 * HA4-EXT, HA4-BAD-03..05, HA4-MSG-05..08).
 */
#include "lib/wire/arp.h"
#include "lib/wire/mip4.h"
#include "lib/wire/tunnel.h"
#include "lib/wire/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static json_t *vectors;

static size_t hex_read(const char *hex, uint8_t *out, size_t size)
{
	size_t length = strlen(hex) / 2;

	assert_true(length <= size);
	for (size_t i = 0; i < length; i++) {
		unsigned value;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
		out[i] = (uint8_t)value;
	}
	return length;
}

static void same(const char *name, const uint8_t *a, const uint8_t *b, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (a[i] != b[i])
			fail_msg("%s: octet %zu is %02x, not %02x", name, i, a[i], b[i]);
}

/* The status that the walk has to give: the reason that a "drop" names, when it is one of the
 * walk's. */
static enum mip4_status expected_status(const char *kind, const char *expect)
{
	if (strcmp(kind, "drop") != 0)
		return MIP4_OK;
	for (int s = MIP4_OK + 1; s < MIP4_STATUS_COUNT; s++)
		if (strstr(expect, mip4_status_name((enum mip4_status)s)))
			return (enum mip4_status)s;
	return MIP4_OK;
}

static void fixed_part_write(struct writer *w, const struct mip4_message *m)
{
	switch (m->type) {
	case MIP4_REGISTRATION_REQUEST:
		mip4_request_write(w, &m->request);
		break;
	case MIP4_REGISTRATION_REPLY:
		mip4_reply_write(w, &m->reply);
		break;
	case MIP4_REVOCATION:
		mip4_revocation_write(w, &m->revocation);
		break;
	case MIP4_REVOCATION_ACK:
		mip4_revocation_ack_write(w, &m->revocation);
		break;
	default:
		fail_msg("type %u", m->type);
	}
}

static void extension_rewrite(
	struct writer *w, const struct mip4_message *m, const struct mip4_extension *e)
{
	struct mip4_authentication authentication;
	struct mip4_udp_tunnel_request asked;
	struct mip4_udp_tunnel_reply told;
	const uint8_t *at = m->payload + e->offset;

	while (writer_length(w) < e->offset) /* pads are not listed */
		writer_u8(w, MIP4_EXT_PAD);
	if (e->type != MIP4_EXT_GENERALIZED_AUTH &&
		mip4_authentication_read(m, e, &authentication)) {
		uint8_t length = (uint8_t)authentication.authenticator_length;
		assert_int_equal(authentication.covered, e->offset + 6);
		uint8_t *room = mip4_authentication_write(w, e->type, authentication.spi, length);
		assert_non_null(room);
		memcpy(room, authentication.authenticator, length);
	} else if (mip4_udp_tunnel_request_read(m, e, &asked)) {
		mip4_udp_tunnel_request_write(w, &asked);
	} else if (mip4_udp_tunnel_reply_read(m, e, &told)) {
		mip4_udp_tunnel_reply_write(w, &told);
	} else if (e->type == MIP4_EXT_NAI) {
		mip4_nai_write(w, (const char *)m->payload + e->data_offset, e->data_length);
	} else if (at[1] + 2 == e->length) {
		mip4_extension_write(w, e->type, at + 2, at[1]);
	} else { /* the long ones and 139 have no builder of their own */
		writer_bytes(w, at, e->length);
	}
}

static void message_check(const char *name, const char *kind, const char *expect,
	const uint8_t *payload, uint16_t length, bool to_agent)
{
	enum mip4_status expected = expected_status(kind, expect);
	struct mip4_message m;
	uint8_t again[2000];
	struct writer w = writer_make(again, sizeof(again));
	enum mip4_status status = mip4_parse(&m, payload, length, to_agent);

	if (status != expected)
		fail_msg("%s: %s, expected %s", name, mip4_status_name(status),
			mip4_status_name(expected));
	if (status != MIP4_OK)
		return;
	if (m.type == MIP4_TUNNEL_DATA) {
		struct tunnel_mip tunnel;
		assert_true(tunnel_mip_parse(&tunnel, payload, length));
		tunnel_mip_write(&w, tunnel.next_header);
		writer_bytes(&w, tunnel.packet, tunnel.packet_length);
	} else {
		fixed_part_write(&w, &m);
		for (unsigned i = 0; i < m.extension_count; i++)
			extension_rewrite(&w, &m, &m.extensions[i]);
	}
	assert_false(w.overflow);
	assert_int_equal(writer_length(&w), length);
	same(name, payload, again, length);
}

/* Header, UDP and payload again; only without options and fragments, as all vectors are. */
static void packet_rebuild(const char *name, const uint8_t *packet, const struct ipv4_header *ip,
	const struct udp_datagram *udp)
{
	uint8_t again[2000];
	struct writer w = writer_make(again, sizeof(again));

	ipv4_write(&w, ip);
	same(name, packet, again, IPV4_HEADER_SIZE);
	udp_write_v4(&w, ip->source, ip->destination, udp->source_port, udp->destination_port,
		udp->payload, udp->payload_length);
	if (udp->has_checksum)
		same(name, packet, again, writer_length(&w));
}

static void inner_form_check(const char *name, const struct ipv4_header *ip)
{
	struct tunnel_gre gre;
	struct tunnel_minimal minimal;
	struct ipv4_header inner;

	if (ip->protocol == IP_PROTOCOL_IPV4) {
		bool bad = strstr(name, "N26") != NULL;
		enum ipv4_status status = ipv4_parse(&inner, ip->payload, ip->payload_length);
		assert_int_equal(status, bad ? IPV4_BAD_LENGTH : IPV4_OK);
	} else if (ip->protocol == IP_PROTOCOL_GRE) {
		assert_int_equal(
			tunnel_gre_parse(&gre, ip->payload, ip->payload_length), TUNNEL_OK);
	} else if (ip->protocol == IP_PROTOCOL_MINIMAL) {
		assert_int_equal(
			tunnel_minimal_parse(&minimal, ip->payload, ip->payload_length), TUNNEL_OK);
	}
}

static void vector_check(json_t *vector)
{
	const char *name = json_string_value(json_object_get(vector, "name"));
	const char *kind = json_string_value(json_object_get(vector, "kind"));
	const char *expect = json_string_value(json_object_get(vector, "expect"));
	const char *layer = json_string_value(json_object_get(vector, "layer"));
	uint8_t octets[2000];
	size_t length =
		hex_read(json_string_value(json_object_get(vector, "hex")), octets, sizeof(octets));
	struct ipv4_header ip;
	struct udp_datagram udp;
	struct arp arp;

	if (strcmp(layer, "arp") == 0) {
		uint8_t again[ARP_SIZE];
		struct writer w = writer_make(again, sizeof(again));
		assert_true(arp_parse(&arp, octets, length));
		arp_write(&w, &arp);
		same(name, octets, again, ARP_SIZE);
		return;
	}
	assert_string_equal(layer, "ipv4");
	if (ipv4_parse(&ip, octets, length) != IPV4_OK)
		fail_msg("%s: outer header", name);
	if (ip.protocol != IP_PROTOCOL_UDP) {
		inner_form_check(name, &ip);
		return;
	}
	enum udp_status status = udp_parse_v4(&udp, &ip);
	bool bad_sum = strstr(expect, "udp_badsum") != NULL; // HA4-MSG-05
	assert_int_equal(status, bad_sum ? UDP_BAD_CHECKSUM : UDP_OK);
	if (bad_sum)
		return;
	packet_rebuild(name, octets, &ip, &udp);
	if (udp.destination_port != MIP4_PORT && udp.source_port != MIP4_PORT)
		return;
	struct ip_address agents[2];
	ip_address_parse("192.0.2.1", &agents[0]);
	ip_address_parse("10.0.0.1", &agents[1]);
	bool to_agent = ip.destination == ip_address_v4(&agents[0]) ||
			ip.destination == ip_address_v4(&agents[1]);
	message_check(name, kind, expect, udp.payload, udp.payload_length, to_agent);
}

static void every_vector(void **state)
{
	size_t index;
	json_t *vector;

	assert_int_equal(json_array_size(vectors), 74);
	json_array_foreach(vectors, index, vector)
	{
		vector_check(vector);
	}
}

/* The table above would accept too much if no vector were refused: count them. */
static void refusals_are_the_seven_known(void **state)
{
	size_t index, refused = 0;
	json_t *vector;

	json_array_foreach(vectors, index, vector)
	{
		refused += expected_status(json_string_value(json_object_get(vector, "kind")),
				   json_string_value(json_object_get(vector, "expect"))) != MIP4_OK;
	}
	assert_int_equal(refused, 7); /* N01 N03 N04 N05 N08 N23 N27 */
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector),
		cmocka_unit_test(refusals_are_the_seven_known),
	};
	json_error_t error;
	json_t *root = json_load_file(argc > 1 ? argv[1] : "", 0, &error);

	if (!root) {
		fprintf(stderr, "%s: %s\n", argc > 1 ? argv[1] : "no file", error.text);
		return 1;
	}
	vectors = json_object_get(root, "vectors");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(root);
	return failed;
}
