"""ESP with every algorithm, family pair, mode and encapsulation: the peer is Scapy, or OpenSSL where Scapy has no right answer.

What comes in must appear inside octet by octet; what goes out is opened by the peer, and the whole packet, outer headers included, is
built again from its number and IV and compared.
"""
from esp_bed import *  # noqa: F403

GCM, CBC = "aes128gcm16", "aes128-sha256"
NAMES = ["aes128gcm16", "aes192gcm16", "aes256gcm16", "aes128gcm12", "aes256gcm8", "aes128ccm16", "aes128ccm8", "aes256ccm12",
	"chacha20poly1305", "aes128-sha1", "aes128-sha256", "aes192-sha384", "aes256-sha256", "aes256-sha512", "aes128-aescmac",
	"aes128ctr-sha1", "aes256ctr-sha256", "null-sha1", "null-sha256", "null-sha512", "aes128gmac", "aes256gmac", "aes128gcm16iiv",
	"chacha20poly1305iiv"]
ESN = ["aes128gcm16", "aes256gcm16", "aes128ccm16", "chacha20poly1305", "aes256-sha256", "aes128-sha1", "null-sha512", "aes128-aescmac",
	"aes128ctr-sha256", "aes128gmac", "aes128gcm16iiv", "chacha20poly1305iiv"]
TUNNELS = [Sa(name, name, i) for i, name in enumerate(NAMES, 1)]
TUNNELS += [Sa(f"{name}-esn", name, i, esn=True) for i, name in enumerate(ESN, 40)]
FAMILIES = [Sa("gcm-v6", GCM, 60, AGENT6, PEER6), Sa("cbc-v6", CBC, 61, AGENT6, PEER6),
	Sa("gcm-udp", GCM, 62, encap=True, remote_port=40001), Sa("cbc-udp", CBC, 63, encap=True),
	Sa("gcm-udp-v6", GCM, 64, AGENT6, PEER6, encap=True, remote_port=50002), Sa("null-udp", "null-sha256", 65, encap=True, remote_port=4501)]
TRANSPORTS = [Sa(f"{name}-t", name, 100 + i, remote=f"198.51.100.{100 + i}", mode="transport", local_ts=[], remote_ts=[])
	for i, name in enumerate(NAMES)]
TRANSPORTS += [Sa(f"{name}-u", name, 130 + i, remote=f"198.51.100.{130 + i}", mode="transport", local_ts=[], remote_ts=[], encap=True,
	remote_port=40000 + i) for i, name in enumerate((GCM, CBC, "null-sha1"))]
FLOW_LABELS = {}
SAS = {sa.name: sa for sa in TUNNELS + FAMILIES + TRANSPORTS}


def rebuilt(sa, inner, outer, number, iv):
	"""The gateway's packet, from the text of the RFCs: RFC 4301 5.1.2.1 and 5.1.2.2, RFC 4303 2, RFC 3948 2.1."""
	payload = hop(inner)
	esp = sa.back.seal(payload, 4 if inner.version == 4 else 41, number, iv)
	tos = inner.tos if inner.version == 4 else inner.tc
	if ":" in sa.remote:
		label = FLOW_LABELS.setdefault(sa.name, IPv6(outer).fl)  # TUN-09: of the SA alone, whatever is inside
		header = IPv6(src=sa.local, dst=sa.remote, hlim=64, tc=tos, fl=label, nh=50)
	else:
		df = inner.version == 6 or inner.flags.DF
		header = IP(src=sa.local, dst=sa.remote, ttl=64, tos=tos, proto=50, flags="DF" if df else 0, id=0 if df else IP(outer).id)
	if not sa.encap:
		return bytes(header / Raw(esp))
	header.nh = header.proto = 17
	udp = UDP(sport=sa.local_port, dport=sa.remote_port) / Raw(esp)
	if ":" not in sa.remote:
		udp.chksum = 0  # NAT-04
	return bytes(header / udp)


def check_out(bed, sa, inner):
	outer, esp, number, iv = bed.outward(sa, inner)
	assert outer == rebuilt(sa, inner, outer, number, iv), f"{sa.name}: outer packet differs: {outer[:60].hex()}"
	if sa.a.counter and sa.a.iv:
		assert iv == struct.pack("!Q", number), f"{sa.name}: IV {iv.hex()} of number {number}"  # ESP-ALG-18
	return number, iv


def test_every_algorithm_in_tunnel_mode(bed):  # ESP-ALG-01 -02 -03 -04 -05 -06 -11 -14 -15 -16 -21 ESP-FMT-02 -03 -04 -05 -09
	for sa in TUNNELS:
		for size in (28, 29, 30, 31, 333):  # all paddings of 4; several of 16
			bed.inward(sa, udp4(sa.host, CORRESPONDENT, size, size))
			check_out(bed, sa, udp4(CORRESPONDENT, sa.host, size, size, flags="DF"))
		bed.inward(sa, udp6(sa.host6, CORRESPONDENT6, 77, 1))
		check_out(bed, sa, udp6(CORRESPONDENT6, sa.host6, 77, 1))
		rows = bed.pair(sa)
		assert rows["in"]["packets"] == 6 and rows["out"]["packets"] == 6, f"{sa.name}: {rows}"  # AUD-07
		assert rows["in"]["sequence"] == 6 and rows["out"]["sequence"] == 6, f"{sa.name}: {rows}"


def test_numbers_begin_with_1_and_ivs_are_unpredictable(bed):  # ESP-SEQ-01 ESP-ALG-19
	sa = SAS["aes256-sha512"]
	ivs, blocks = [], set()
	for n in range(40):
		outer, esp, number, iv = bed.outward(sa, udp4(CORRESPONDENT, sa.host, 60, n))
		assert number == 7 + n, number
		assert iv not in blocks, "an IV is a block of an earlier packet"
		ivs.append(iv)
		blocks.update(esp[at:at + 16] for at in range(8, len(esp) - 16, 16))
	assert len(set(ivs)) == 40
	# Neither a counter nor near one: the differences between neighbours are all different, and half of the bits change.
	steps = {int.from_bytes(b, "big") - int.from_bytes(a, "big") for a, b in zip(ivs, ivs[1:])}
	assert len(steps) == 39
	changed = sum(bin(int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).count("1") for a, b in zip(ivs, ivs[1:])) / 39
	assert 52 < changed < 76, changed  # mean 64 of 128, deviation of the mean 0.9


def test_all_family_pairs(bed):  # TUN-01 TUN-03 TUN-04 TUN-06 TUN-09 TUN-10
	for sa in FAMILIES:
		for tos in (0, 0xb8, 0x02):
			bed.inward(sa, udp4(sa.host, CORRESPONDENT, 100 + tos, tos, tos=tos))
			bed.inward(sa, udp6(sa.host6, CORRESPONDENT6, 101 + tos, tos, tc=tos))
			check_out(bed, sa, udp4(CORRESPONDENT, sa.host, 100 + tos, tos, tos=tos))
			check_out(bed, sa, udp4(CORRESPONDENT, sa.host, 100 + tos, tos, tos=tos, flags="DF"))
			check_out(bed, sa, udp6(CORRESPONDENT6, sa.host6, 101 + tos, tos, tc=tos))


def test_esn_goes_over_the_end_of_32_bits(bed):  # ESP-SEQ-05 -06 -08
	for name in ("aes128gcm16-esn", "aes256-sha256-esn", "null-sha512-esn"):
		sa = SAS[name]
		for number in (0x7ffffff0, 0xfffffffe, 0xffffffff, 1 << 32, (1 << 32) + 1, 0xfffffffd):
			inner = udp4(sa.host, CORRESPONDENT, 90, number & 0xffff)
			bed.inward(sa, inner, number=number)
		before = bed.drops()
		bed.outside.send(sa.protect(udp4(sa.host, CORRESPONDENT, 90), number=1 << 32))
		bed.drops_only({"ipsec_replay": 1}, before, name)
		assert bed.pair(sa)["in"]["sequence"] == (1 << 32) + 1, bed.pair(sa)["in"]


def test_udp_encapsulation_takes_either_form(bed):  # ESP-IN-12 NAT-01 NAT-05 NAT-08 BAD-34 BAD-38
	sa, plain = SAS["cbc-udp"], SAS["aes128-sha256"]
	bed.inward(sa, udp4(sa.host, CORRESPONDENT, 64, 5), udp=False)
	bed.inward(plain, udp4(plain.host, CORRESPONDENT, 64, 6), udp=True)
	summed = sa.protect(udp4(sa.host, CORRESPONDENT, 64, 7))
	summed[UDP].chksum = None
	bed.outside.send(summed)
	bed.home.expect(lambda p: UDP in p and p[IP].id == 7, "the packet with a UDP checksum")
	before = bed.drops()
	for n in range(7):
		bed.outside.send(IP(src=PEER, dst=AGENT) / UDP(sport=40001, dport=4500, chksum=0) / Raw(b"\xff"))
	bed.drops_only({"ipsec_natt_keepalive": 7}, before)


def register_over(bed, sa):
	"""A registration in transport mode: request in, reply out, both inside ESP."""
	message = bed.request(care_of=sa.remote)
	datagram = UDP(sport=5434, dport=mip.PORT) / Raw(message)
	summed = bytes(IP(src=sa.remote, dst=AGENT) / datagram)[20:]
	bed.outside.send(sa.outer(sa.esp(summed, next_header=17)))
	frame = bed.outside.expect(lambda f: ip_octets(f) and sa.esp_of(ip_octets(f)), f"{sa.name}: protected reply")
	outer = ip_octets(frame)
	payload, next_header, number, iv = sa.open(sa.esp_of(outer))
	assert next_header == 17, next_header
	assert payload[8:] == bed.expected_reply(message), f"{sa.name}: {payload.hex()}"
	assert payload[:4] == struct.pack("!HH", mip.PORT, 5434), payload[:4]
	again = sa.back.seal(payload, 17, number, iv)
	assert sa.esp_of(outer) == again, f"{sa.name}: ESP differs"
	if sa.encap:
		assert outer[20:28] == struct.pack("!HHHH", 4500, sa.remote_port, len(again) + 8, 0), outer[20:28].hex()  # NAT-04
	return outer


def test_transport_mode_carries_registrations(bed):  # TRN-01 TRN-02 TRN-03 ECN-11 HA4-SPD-05
	for sa in TRANSPORTS:
		register_over(bed, sa)
		assert bed.gateway.binding(HOME_ADDRESS)["care_of_address"] == sa.remote


def test_transport_mode_carries_the_tunnel(bed):  # TRN-05 TRN-06 TRN-07: RFC 3884
	for sa in (SAS["aes128gcm16-t"], SAS["aes128-sha256-t"], SAS["aes128gcm16-u"]):
		register_over(bed, sa)
		inner = udp4(CORRESPONDENT, HOME_ADDRESS, 200, sa.index, flags="DF")
		bed.home.send(inner)
		frame = bed.outside.expect(lambda f: ip_octets(f) and sa.esp_of(ip_octets(f)), f"{sa.name}: the tunnel in ESP")
		payload, next_header, _, _ = sa.open(sa.esp_of(ip_octets(frame)))
		assert (payload, next_header) == (hop(inner), 4)
		back = udp4(HOME_ADDRESS, CORRESPONDENT, 210, sa.index)
		bed.outside.send(sa.outer(sa.esp(back)))
		got = bed.home.expect(lambda f: (ip_octets(f) or b"")[20:] == bytes(back)[20:], "the reverse tunnel's packet")
		assert ip_octets(got) == hop(back), ip_octets(got).hex()
	# No binding, no tunnel: the selectors of a transport SA say nothing about what a tunnel carries.
	before = bed.drops()
	bed.outside.send(sa.outer(sa.esp(udp4("10.1.0.99", CORRESPONDENT, 100))))
	bed.drops_only({"rt_no_binding": 1}, before)


def test_dummies_leave_on_command(bed):  # ESP-FMT-12: opened by the peer, next header 59
	for name, words in (("aes128gcm16", ()), ("cbc-udp", ("--length", "100")), ("gcm-v6", ()), ("aes128gcm16-t", ())):
		sa = SAS[name]
		before = bed.pair(sa)["out"]
		bed.ctl("sa", "dummy", name, "--count", "3", *words)
		for step in range(1, 4):
			frame = bed.outside.expect(lambda f: ip_octets(f) and sa.esp_of(ip_octets(f)), f"{name}: a dummy outside")
			bed.note(ip_octets(frame))
			payload, next_header, number, _ = sa.open(sa.esp_of(ip_octets(frame)))
			bed.dummies.add((sa.spi_out, number))
			assert (next_header, number) == (59, before["sequence"] + step), (next_header, number, before)
			header = (20 if sa.mode == "transport" else 0)  # the datagram's own header is outside
			assert len(payload) == (100 if words else 64) - header, len(payload)
		assert bed.pair(sa)["out"]["packets"] == before["packets"] + 3


def test_nothing_was_dropped_that_should_not_be(bed):  # AUD-01
	allowed = {"ipsec_replay": 3, "ipsec_natt_keepalive": 7, "rt_no_binding": 1}
	drops = {reason: count for reason, count in bed.drops().items() if reason.startswith(("ipsec", "policy", "rt_")) and count}
	assert drops == allowed, drops


run(dict(globals()), sas=TUNNELS + FAMILIES + TRANSPORTS)  # noqa: F405
