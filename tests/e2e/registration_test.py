"""Registration, data both ways, refusals; every reply compared byte by byte."""
from harness import *  # noqa: F403


# HA4-FMT-01 HA4-REG-04 HA4-RRP-01 HA4-RRP-02 HA4-RRP-06 HA4-RRP-09
def test_a_request_is_answered_byte_by_byte(bed):
	message = bed.request()
	bed.send_request(message)
	reply = bed.reply(message)
	assert (reply[IP].src, reply[IP].dst) == (AGENT, CARE_OF)
	assert (reply[UDP].sport, reply[UDP].dport) == (434, 5434)
	assert reply[IP].ttl >= 64, reply[IP].ttl  # HA4-RRP-15
	assert not reply[IP].flags.DF
	assert bytes(reply[UDP].payload) == bed.expected_reply(message), bytes(reply[UDP].payload).hex()


# HA4-OPS-25
def test_the_operator_sees_the_binding(bed):
	binding = bed.gateway.binding(HOME_ADDRESS)
	assert binding, bed.gateway.bindings()
	assert binding["care_of_address"] == CARE_OF, binding
	assert 500 <= binding["remaining_s"] <= 600, binding


# HA4-FWD-01 HA4-FWD-02: a packet for the home address leaves in IP-in-IP, inner untouched but for TTL
def test_data_to_the_node_is_tunnelled(bed):
	inner = IP(src=CORRESPONDENT, dst=HOME_ADDRESS, ttl=64, id=77) / UDP(sport=9, dport=10) / Raw(b"to the node")
	bed.home.send(inner)
	outer = bed.outside.expect(lambda p: IP in p and p[IP].proto == 4, "IP-in-IP packet")
	assert (outer[IP].src, outer[IP].dst) == (AGENT, CARE_OF)
	got = outer[IP].payload
	assert (got.src, got.dst, got.ttl, got.id) == (CORRESPONDENT, HOME_ADDRESS, 63, 77), got.summary()
	assert bytes(got[UDP].payload) == b"to the node"


# HA4-REV-01: from the tunnel to the home network
def test_data_from_the_node_is_unpacked(bed):
	inner = IP(src=HOME_ADDRESS, dst=CORRESPONDENT, ttl=64, id=78) / UDP(sport=10, dport=9) / Raw(b"from the node")
	bed.outside.send(IP(src=CARE_OF, dst=AGENT, proto=4) / inner)
	got = bed.home.expect(lambda p: IP in p and p[IP].src == HOME_ADDRESS and UDP in p, "unpacked datagram")
	assert got[IP].dst == CORRESPONDENT and got[IP].ttl == 63 and got[IP].id == 78
	assert bytes(got[UDP].payload) == b"from the node"


# HA4-REV-02 HA4-REV-03: the inner source must be the registered home address
def test_a_spoofed_inner_source_is_dropped_by_name(bed):
	before = bed.drops().get("rt_no_binding", 0)
	bed.outside.send(IP(src=CARE_OF, dst=AGENT, proto=4) / IP(src="10.1.0.99", dst=CORRESPONDENT) / UDP(dport=9) / Raw(b"x"))
	bed.dropped("rt_no_binding", before)
	bed.home.nothing(lambda p: IP in p and p[IP].src == "10.1.0.99", 0.2)


# HA4-AUTH-12 HA4-AUTH-13: a wrong authenticator is code 131, and the reply itself is authentic
def test_a_wrong_authenticator_is_refused_with_131(bed):
	message = bed.request(lifetime=300, key="ff" * 16)
	bed.send_request(message)
	payload = bytes(bed.reply(message)[UDP].payload)
	assert payload[1] == 131, payload[1]
	assert bed.gateway.binding(HOME_ADDRESS)["remaining_s"] > 300, "a denied request changed the binding"  # HA4-REG-02


# HA4-RPL-05 HA4-RPL-07 HA4-RPL-11: the same request again, and one with an old timestamp
def test_a_replayed_request_changes_nothing(bed):
	message, _ = bed.register(lifetime=500)
	bed.send_request(message)
	payload = bytes(bed.reply(message)[UDP].payload)
	assert payload[1] == 133, payload[1]
	old = bed.request(lifetime=77, identification=mip.identification(time.time() - 3600, 7))
	bed.send_request(old)
	payload = bytes(bed.reply(old)[UDP].payload)
	assert payload[1] == 133, payload[1]
	high = int.from_bytes(payload[12:16], "big") - mip.NTP_UNIX
	assert abs(high - time.time()) < 60, "code 133 carries our clock in its high half"
	assert bed.gateway.binding(HOME_ADDRESS)["remaining_s"] > 77


# HA4-NAT-03 HA4-NAT-05 HA4-NAT-07 HA4-NAT-08 HA4-NAT-13 HA4-RRP-12
def test_behind_a_nat_the_tunnel_is_udp(bed):
	message = bed.request(care_of=PRIVATE, nai=True, extra=bytes(mip.UdpTunnelRequest()))
	bed.send_request(message, NAT, NAT_PORT)
	reply = bed.reply(message)
	assert (reply[IP].dst, reply[UDP].dport) == (NAT, NAT_PORT)  # HA4-RRP-03
	payload = bytes(reply[UDP].payload)
	kinds = {kind: data for kind, data, _ in mip.extensions(payload)}
	assert kinds[131] == NAI.encode()
	keepalive = int.from_bytes(kinds[44][4:6], "big")
	extra = bytes(mip.Extension(type=131, data=NAI.encode())) + bytes(mip.UdpTunnelReply(keepalive=keepalive))
	assert payload == bed.expected_reply(message, lifetime=60, extra=extra), payload.hex()


# HA4-NAT-14 HA4-NAT-25
def test_udp_tunnel_to_the_node(bed):
	bed.home.send(IP(src=CORRESPONDENT, dst=HOME_ADDRESS, id=79) / UDP(sport=9, dport=10) / Raw(b"through the NAT"))
	outer = bed.outside.expect(lambda p: mip.is_message(p, 4), "MIP tunnel data")
	assert (outer[IP].src, outer[UDP].sport, outer[IP].dst, outer[UDP].dport) == (AGENT, 434, NAT, NAT_PORT)
	data = bytes(outer[UDP].payload)
	assert data[:4] == b"\x04\x04\x00\x00", data[:4].hex()
	inner = IP(data[4:])
	assert (inner.src, inner.dst, inner.ttl, inner.id) == (CORRESPONDENT, HOME_ADDRESS, 63, 79)


# HA4-NAT-15
def test_udp_tunnel_from_the_node(bed):
	inner = IP(src=HOME_ADDRESS, dst=CORRESPONDENT, id=80) / UDP(sport=10, dport=9) / Raw(b"out of the NAT")
	bed.outside.send(IP(src=NAT, dst=AGENT) / UDP(sport=NAT_PORT, dport=434) / mip.TunnelData() / inner)
	got = bed.home.expect(lambda p: IP in p and p[IP].src == HOME_ADDRESS and UDP in p, "unpacked datagram")
	assert bytes(got[UDP].payload) == b"out of the NAT"


# HA4-NAT-15 HA4-NAT-16: data never moves the endpoint
def test_data_from_another_port_moves_nothing(bed):
	before = bed.drops().get("rt_no_binding", 0)
	inner = IP(src=HOME_ADDRESS, dst=CORRESPONDENT) / UDP(sport=10, dport=9) / Raw(b"another port")
	bed.outside.send(IP(src=NAT, dst=AGENT) / UDP(sport=NAT_PORT + 1, dport=434) / mip.TunnelData() / inner)
	bed.dropped("rt_no_binding", before)
	bed.home.send(IP(src=CORRESPONDENT, dst=HOME_ADDRESS) / UDP(sport=9, dport=10) / Raw(b"still there"))
	outer = bed.outside.expect(lambda p: mip.is_message(p, 4), "MIP tunnel data")
	assert outer[UDP].dport == NAT_PORT


# HA4-NAT-20
def test_a_keepalive_is_answered_through_the_tunnel(bed):
	ping = IP(src=HOME_ADDRESS, dst=AGENT) / ICMP(type=8, id=0x4d49, seq=3) / Raw(b"keepalive")
	bed.outside.send(IP(src=NAT, dst=AGENT) / UDP(sport=NAT_PORT, dport=434) / mip.TunnelData() / ping)
	outer = bed.outside.expect(lambda p: mip.is_message(p, 4), "keepalive answer")
	inner = IP(bytes(outer[UDP].payload)[4:])
	assert (inner.src, inner.dst) == (AGENT, HOME_ADDRESS)
	assert (inner[ICMP].type, inner[ICMP].id, inner[ICMP].seq, bytes(inner[ICMP].payload)) == (0, 0x4d49, 3, b"keepalive")


# HA4-REG-05 HA4-NAT-04: deregistration, from behind the NAT still
def test_deregistration_removes_the_binding(bed):
	message = bed.request(care_of=HOME_ADDRESS, lifetime=0)
	bed.send_request(message, NAT, NAT_PORT)
	payload = bytes(bed.reply(message)[UDP].payload)
	assert payload == bed.expected_reply(message, lifetime=0), payload.hex()
	net.wait_for(lambda: bed.gateway.binding(HOME_ADDRESS) is None, "binding gone", 2)
	bed.home.send(IP(src=CORRESPONDENT, dst=HOME_ADDRESS) / UDP(sport=9, dport=10) / Raw(b"nobody away"))
	bed.outside.nothing(lambda p: IP in p and (p[IP].proto == 4 or mip.is_message(p, 4)), 0.3)


# HA4-BND-05 HA4-BND-06: a binding ends with its lifetime, also in the dataplane
def test_a_binding_expires_on_time(bed):
	start = time.monotonic()
	bed.register(lifetime=2)
	seen = bed.gateway.binding(HOME_ADDRESS)
	assert seen or time.monotonic() - start > 2, "it was never there"
	net.wait_for(lambda: bed.gateway.binding(HOME_ADDRESS) is None, "expiry", 5)
	took = time.monotonic() - start  # since before it began: it cannot be less, however late we look
	assert took >= 2, took


# HA4-EXT-08 HA4-FMT-01: what does not parse is dropped and counted, never answered
def test_malformed_messages_get_no_answer(bed):
	good = bed.request()
	for message in (good[:20], good[:-3], good[:24] + bytes([32, 250]) + good[26:], bytes([99]) + good[1:]):
		bed.send_request(message)
	bed.outside.nothing(lambda p: mip.is_message(p, 3), 0.5)


main(dict(globals()))  # noqa: F405
