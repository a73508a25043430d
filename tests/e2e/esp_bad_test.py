"""What ESP must refuse, each under its own counter and nothing else; the order of policies, and their change under load."""
from esp_bed import *  # noqa: F403

GCM = Sa("gcm", "aes128gcm16", 1)
CBC = Sa("cbc", "aes128-sha256", 2, encap=True, remote_port=40002)
PORTS = Sa("ports", "aes128gcm16", 3, local_ts=["10.1.0.0/16[udp/12]"], remote_ts=["10.100.3.0/24"])
SMALL = Sa("small", "aes128gcm16", 4, replay_window=64)
LIMITED = Sa("limited", "aes128gcm16", 5, life_packets=3)
HOST = Sa("host", "chacha20poly1305", 6, remote_ts=["10.100.6.7"])
SAS = [GCM, CBC, PORTS, SMALL, LIMITED, HOST]


def refused(bed, packet, reason, what, count=1):
	"""The packet is dropped under exactly this reason, once, and nothing comes out."""
	before = bed.drops()
	bed.outside.send(packet)
	bed.drops_only({reason: count}, before, what)
	bed.home.read()
	through = [frame for frame in bed.home.seen if not (IP in frame and frame[IP].dst == "224.0.0.1")]  # its advertisements
	assert not through, f"{what}: came through: {through[0].summary()}"


def inner(sa, size=100, number=0, source=None, destination=CORRESPONDENT, **header):
	return udp4(source or sa.host, destination, size, number, **header)


def flipped(esp, at):
	return esp[:at] + bytes([esp[at] ^ 1]) + esp[at + 1:]


def test_replays(bed):  # BAD-09 BAD-10 ESP-SEQ-05 -09 -11 -20
	first = GCM.protect(inner(GCM))
	bed.outside.send(first)
	bed.home.expect(lambda p: UDP in p, "the first packet")
	refused(bed, first, "ipsec_replay", "the same packet again")
	refused(bed, GCM.outer(GCM.esp(inner(GCM), number=0)), "ipsec_replay", "number 0")
	bed.inward(SMALL, inner(SMALL), number=1000)
	bed.inward(SMALL, inner(SMALL, 101), number=937)
	refused(bed, SMALL.outer(SMALL.esp(inner(SMALL), number=936)), "ipsec_replay_late", "left of a window of 64")
	refused(bed, SMALL.outer(SMALL.esp(inner(SMALL), number=937)), "ipsec_replay", "the window's last number again")
	rows = bed.pair(SMALL)["in"]
	assert (rows["replays"], rows["replays_late"], rows["sequence"]) == (1, 1, 1000), rows
	SMALL.number = 1000


def test_tampered_octets(bed):  # BAD-12 ESP-SEQ-11 ESP-IN-04
	before = {sa.name: bed.pair(sa)["in"] for sa in (GCM, CBC)}
	for sa in (GCM, CBC):
		esp = sa.esp(inner(sa), number=50)
		places = [5, 7, 8, 8 + sa.a.iv, 8 + sa.a.iv + 20, len(esp) - sa.a.icv - 1, len(esp) - sa.a.icv, len(esp) - 1]
		for at in places:
			refused(bed, sa.outer(flipped(esp, at)), "ipsec_bad_icv", f"{sa.name}: octet {at}")
		after = bed.pair(sa)["in"]
		assert after["bad_icv"] == len(places), after
		for field in ("packets", "bytes", "sequence", "replays", "remote_port"):  # nothing moved
			assert after[field] == before[sa.name][field], (field, after, before[sa.name])
		bed.inward(sa, inner(sa), number=50)  # the window was not moved by the forgeries
		sa.number = 50


def test_unknown_and_reserved_spis(bed):  # BAD-04 BAD-05 BAD-07 ESP-FMT-16 SAD-08 ESP-IN-03
	esp = GCM.esp(inner(GCM))
	for spi, reason in ((0, "ipsec_spi_reserved"), (1, "ipsec_no_sa"), (255, "ipsec_no_sa"), (0xdeadbeef, "ipsec_no_sa"),
			(GCM.spi_out, "ipsec_no_sa")):
		refused(bed, GCM.outer(struct.pack("!I", spi) + esp[4:]), reason, f"SPI {spi:#x}")
	gone = bed.add(Sa("gone", "aes128gcm16", 20))
	bed.inward(gone, inner(gone))
	bed.ctl("sa", "del", "gone")
	net.wait_for(lambda: bed.gateway.ask("sa", "show", "gone", quiet=True) in (None, []), "the pair to go", 5)
	refused(bed, gone.protect(inner(gone)), "ipsec_no_sa_recent", "an SPI that was removed")
	bed.outside.nothing(lambda p: IP in p and p[IP].proto in (1, 50), 0.2)  # no answer to a stranger


def test_lengths(bed):  # BAD-01 BAD-02 BAD-33 ESP-FMT-17 NAT-03
	esp = GCM.esp(inner(GCM))
	for length in (0, 1, 4, 7):
		refused(bed, GCM.outer(esp[:length]), "ipsec_too_short", f"{length} octets of ESP")
	for length in (8, 16, 32, 35):  # 8 + IV 8 + 4 + ICV 16 = 36
		refused(bed, GCM.outer(esp[:length]), "ipsec_too_short", f"{length} octets of ESP")
	for length in (37, 38, 39, len(esp) - 1):
		refused(bed, GCM.outer(esp[:length]), "ipsec_bad_length", f"{length} octets of ESP")
	refused(bed, GCM.outer(esp[:36]), "ipsec_bad_icv", "36 octets of ESP")
	cbc = CBC.esp(inner(CBC))
	for cut in (1, 4, 8, 15):
		refused(bed, CBC.outer(cbc[:-cut]), "ipsec_bad_length", f"{cut} octets less of CBC")
	for payload in (b"\0", b"\0\0", b"\xff\xff", b"\1\2\3"):
		refused(bed, IP(src=PEER, dst=AGENT) / UDP(sport=40002, dport=4500, chksum=0) / Raw(payload), "ipsec_natt_short", payload.hex())


def test_what_is_inside(bed):  # BAD-13 -14 -15 -16 -17 -18 -19 -21 ESP-IN-05 -06 -08 -14 ESP-FMT-07 -08 -10 -11 -14
	def sealed(text, next_header, sa=GCM):
		return sa.outer(sa.esp(text, next_header=next_header))
	good = bytes(inner(GCM))
	refused(bed, sealed(good, 41), "ipsec_inner_malformed", "IPv4 said to be IPv6")
	refused(bed, sealed(good, 17), "ipsec_bad_next_header", "next header 17 in a tunnel")
	refused(bed, sealed(b"nothing", 59), "ipsec_dummy", "a dummy")
	refused(bed, sealed(good[:2] + b"\x0f\xff" + good[4:], 4), "ipsec_inner_malformed", "an inner length beyond the packet")
	refused(bed, sealed(b"\x44" + good[1:], 4), "ipsec_inner_malformed", "IHL 4")
	refused(bed, sealed(b"", 4), "ipsec_inner_malformed", "nothing inside")
	refused(bed, sealed(bytes(inner(GCM, source="10.100.9.9")), 4), "ipsec_selector_mismatch", "another inner source")
	refused(bed, sealed(bytes(inner(HOST, source="10.100.6.8")), 4, HOST), "ipsec_selector_mismatch", "the neighbour's address")
	refused(bed, sealed(bytes(inner(GCM, destination="10.2.0.5")), 4), "ipsec_selector_mismatch", "another inner destination")
	refused(bed, sealed(bytes(inner(GCM, source="127.0.0.1")), 4), "ipsec_inner_malformed", "loopback inside")
	tiny = IP(src=GCM.host, dst=CORRESPONDENT, frag=1, proto=17) / Raw(bytes(40))
	refused(bed, sealed(bytes(tiny), 4), "ipsec_tiny_fragment", "offset 1")
	error = IP(src=GCM.host, dst="10.2.0.5") / ICMP(type=3, code=1) / Raw(bytes(udp4("10.2.0.5", "10.9.9.9", 60)))
	refused(bed, sealed(bytes(error), 4), "ipsec_icmp_embedded", "an error about a packet of others")


def test_padding_that_is_authentic_and_wrong(bed):  # BAD-13 BAD-14 ESP-FMT-06 -07 -08
	def padded(tail):
		body = bytes(inner(GCM, 98))  # 98 + 2 octets: a multiple of 4 without padding
		text = body + tail
		GCM.number += 1
		number = GCM.number
		# OpenSSL's AEAD on a text of our own
		from esp_peer import OpenSsl
		peer = OpenSsl(GCM.a, GCM.spi_in, GCM.key_in, False)
		iv = struct.pack("!Q", number)
		nonce, key = peer.nonce(number, iv)
		return GCM.outer(peer.head(number) + iv + peer.aead(key).encrypt(nonce, text, peer.aad(number)))
	refused(bed, padded(bytes([1, 2, 3, 5, 4, 4])), "ipsec_bad_pad", "padding 1 2 3 5")
	refused(bed, padded(bytes([1, 1, 1, 1, 4, 4])), "ipsec_bad_pad", "padding 1 1 1 1")
	refused(bed, padded(bytes([255, 4])), "ipsec_bad_pad", "a pad length beyond the packet")
	bed.outside.send(padded(bytes(range(1, 253)) + bytes([252, 4])))  # as long as it can be
	bed.home.expect(lambda p: UDP in p and p[IP].len == 98, "a packet with 252 octets of padding")
	assert bed.pair(GCM)["in"]["sequence"] == GCM.number  # authentic: the window moved


def test_fragments(bed):  # BAD-20 BAD-23 BAD-24 ESP-IN-02 -07 MTU-12 HA4-SPD-15
	outer = IP(bytes(GCM.protect(inner(GCM, 900))))
	outer.id = 77
	for piece in reversed(fragment(outer, 400)):
		bed.outside.send(piece)
	bed.home.expect(lambda p: UDP in p and p[IP].len == 900, "ESP that came in fragments")
	pieces = fragment(IP(bytes(CBC.protect(inner(CBC, 901), id=78))), 400)
	for piece in pieces:
		bed.outside.send(piece)
	bed.home.expect(lambda p: UDP in p and p[IP].len == 901, "ESP in UDP that came in fragments")
	late = IP(src=PORTS.host, dst=CORRESPONDENT, frag=100, proto=17) / Raw(bytes(64))
	refused(bed, PORTS.protect(late), "ipsec_frag_selector", "a later fragment for selectors with ports")
	bed.inward(PORTS, udp4(PORTS.host, CORRESPONDENT, 77))
	bed.inward(GCM, IP(src=GCM.host, dst=CORRESPONDENT, frag=100, proto=17) / Raw(bytes(64)))  # selectors without: it passes


def test_cleartext_that_should_be_protected(bed):  # BAD-29 BAD-30 SPD-14 SPD-16 SPD-15
	refused(bed, inner(GCM), "policy_cleartext", "in clear from the remote side")
	refused(bed, udp6(GCM.host6, CORRESPONDENT6, 100), "policy_cleartext", "the same over IPv6")
	refused(bed, udp4("8.8.8.8", CORRESPONDENT, 100), "policy_none", "no policy")
	before = bed.drops()
	bed.home.send(udp4(CORRESPONDENT, "8.8.8.8", 100))
	bed.drops_only({"policy_none": 1}, before, "outwards without a policy")
	bed.outside.nothing(lambda p: UDP in p, 0.2)


def test_hard_limit_in_packets(bed):  # BAD-08 ESP-IN-13 LIFE-02 LIFE-03
	for n in range(3):
		bed.inward(LIMITED, inner(LIMITED, 60 + n))
		bed.outward(LIMITED, udp4(CORRESPONDENT, LIMITED.host, 60 + n))
	before = bed.drops()
	bed.outside.send(LIMITED.protect(inner(LIMITED)))
	bed.home.send(udp4(CORRESPONDENT, LIMITED.host, 64))
	net.wait_for(lambda: sum(bed.moved(before).values()) == 2, "both to be dropped", 3)
	moved = bed.moved(before)
	# Control takes the association out as soon as it hears of the end: either name is right for the second packet.
	assert set(moved) <= {"ipsec_sa_expired", "ipsec_out_expired", "ipsec_no_sa_recent", "policy_no_sa"}, moved
	bed.outside.nothing(lambda f: ip_octets(f) and LIMITED.esp_of(ip_octets(f)), 0.2)
	states = {row["direction"]: row["state"] for row in bed.gateway.ask("sa", "show", "limited")}
	assert states == {"in": "expired", "out": "expired"}, states


def told(bed, name):
	"""What control logged of an association's limits: (soft or hard, direction) -> how often."""
	counts = {}
	for process in bed.network.processes:
		for line in process.output().splitlines():
			words = line.split()
			kind = next((kind for kind in ("soft", "hard") if f"sa_{kind}_expired" in line), None)
			if kind and f"sa={name}" in words:
				assert "cause=time" in words, line
				way = next(word[len("direction="):] for word in words if word.startswith("direction="))
				counts[kind, way] = counts.get((kind, way), 0) + 1
	return counts


def test_limits_in_time_need_no_packet(bed):  # LIFE-01 LIFE-02 LIFE-14: a soft and a hard one, once each way
	aged = Sa("aged", "aes128gcm16", 7, rekey_time=2, life_time=7)
	bed.add(aged)
	soft, hard = {("soft", way): 1 for way in ("in", "out")}, {("hard", way): 1 for way in ("in", "out")}
	net.wait_for(lambda: told(bed, "aged") == soft, "the soft limits", 6)
	states = {row["direction"]: row["state"] for row in bed.pair(aged).values()}
	assert states == {"in": "live", "out": "live"}, states
	net.wait_for(lambda: told(bed, "aged") == {**soft, **hard}, "the hard limits", 9)
	states = {row["direction"]: row["state"] for row in bed.pair(aged).values()}
	assert states == {"in": "expired", "out": "expired"}, states
	refused(bed, aged.protect(inner(aged)), "ipsec_no_sa_recent", "behind the end")
	assert told(bed, "aged") == {**soft, **hard}, told(bed, "aged")


# ---- policies

def rule(bed, name, order, action, remote, *more, local="10.1.0.0/16"):
	bed.ctl("policy", "add", name, "--order", str(order), "--action", action, "--local-ts", local, "--remote-ts", remote, *more)


def verdict(bed, packet):
	"""What becomes of a packet to the outside: "esp NAME", "clear" or a drop reason."""
	before = bed.drops()
	bed.outside.clear()
	bed.home.send(packet)

	def look():
		bed.outside.read()
		for frame in bed.outside.seen:
			octets = ip_octets(frame)
			for sa in bed.sas.values():
				if octets and sa.esp_of(octets):
					return f"esp {sa.name}"
			if octets and octets[20:] == bytes(packet)[20:]:
				return "clear"
		return next(iter(bed.moved(before)), None)
	return net.wait_for(look, f"a verdict about {packet.summary()}", 3, 0.002)


def test_first_match_in_order_decides(bed):  # SPD-02 SPD-03 SPD-24 LIFE-07
	packet = udp4(CORRESPONDENT, "10.200.0.9", 100)
	assert verdict(bed, packet) == "policy_none"
	rule(bed, "p500", 500, "bypass", "10.200.0.0/16")
	assert verdict(bed, packet) == "clear"
	rule(bed, "p400", 400, "discard", "10.200.0.0/24")
	assert verdict(bed, packet) == "policy_discard"
	assert verdict(bed, udp4(CORRESPONDENT, "10.200.1.9", 100)) == "clear"
	rule(bed, "p300", 300, "protect", "10.200.0.9", "--sa", "gcm")
	assert verdict(bed, packet) == "esp gcm"
	rule(bed, "p200", 200, "bypass", "10.200.0.9[udp/12]")
	assert verdict(bed, packet) == "clear"
	rule(bed, "p100", 100, "discard", "10.200.0.8-10.200.0.10", local="10.1.0.5[udp/9]")
	assert verdict(bed, packet) == "policy_discard"
	hits = {row["name"]: row["hits_out"] for row in bed.gateway.ask("policy", "show") if row["name"] in ("p100", "p200", "p300", "p400", "p500")}
	assert hits == {"p100": 1, "p200": 1, "p300": 1, "p400": 1, "p500": 2}, hits
	for name, becomes in (("p100", "clear"), ("p200", "esp gcm"), ("p300", "policy_discard"), ("p400", "clear"), ("p500", "policy_none")):
		bed.ctl("policy", "del", name)
		assert verdict(bed, packet) == becomes, f"after {name} went"


def test_bypass_before_protect_lets_cleartext_in(bed):  # SPD-16
	rule(bed, "in-clear", 900, "bypass", "10.100.1.0/24", "--direction", "in")
	packet = inner(GCM, 111)
	bed.outside.send(packet)
	bed.home.expect(lambda f: ip_octets(f) == hop(packet), "the bypassed packet")
	assert verdict(bed, udp4(CORRESPONDENT, GCM.host, 111)) == "esp gcm"  # the other direction is as before
	bed.ctl("policy", "del", "in-clear")
	refused(bed, packet, "policy_cleartext", "after the bypass went")


def test_discard_may_tell_the_sender(bed):  # SPD-25 AUD-09
	rule(bed, "told", 50, "discard", "10.201.0.0/16", "--answer-icmp")
	bed.home.send(udp4(CORRESPONDENT, "10.201.0.9", 100))
	error = bed.home.expect(lambda p: ICMP in p, "an ICMP error")
	assert (error[ICMP].type, error[ICMP].code) == (3, 13), error.summary()
	bed.ctl("policy", "del", "told")


def test_the_drop_trace(bed):  # AUD-16
	"""What an operator sees of packets that die, in rows and in Wireshark; nothing that was decrypted unless asked for."""
	secret = udp4("10.100.9.9", CORRESPONDENT, 200)  # not the client's address
	forged = GCM.outer(flipped(GCM.esp(inner(GCM)), 40))
	refused(bed, forged, "ipsec_bad_icv", "before the trace is on")
	bed.ctl("trace", "drop", "on", "count", "10")
	refused(bed, GCM.outer(flipped(GCM.esp(inner(GCM)), 40)), "ipsec_bad_icv", "a forgery")
	number = GCM.number
	refused(bed, CBC.protect(secret), "ipsec_selector_mismatch", "another's address")
	rows = bed.gateway.ask("trace", "drop", "show")
	assert [(row["reason"], row["sa"], row["sa_direction"], row["port"]) for row in rows] == [
		("ipsec_bad_icv", "gcm", "in", "ext"), ("ipsec_selector_mismatch", "cbc", "in", "ext")], rows
	first, second = rows
	assert (first["source"], first["destination"], first["protocol"]) == (PEER, AGENT, "esp"), first
	assert (int(first["spi"], 16), first["sequence"], first["length"]) == (GCM.spi_in, number, len(forged)), first
	assert (second["protocol"], second["source_port"], second["destination_port"]) == ("esp-udp", 40002, 4500), second
	assert len(first["header"]) == 2 * 28 and len(second["header"]) == 2 * 36, rows  # up to the ESP header
	assert not any("plaintext" in row for row in rows)
	path = bed.network.path("drops.pcapng")
	bed.ctl("trace", "drop", "show", "pcap", path)
	read = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", "-e", "ip.src", "-e", "esp.spi", "-e", "frame.len", "-e", "frame.comment"],
		capture_output=True, text=True, check=True).stdout.splitlines()
	assert len(read) == 2 and read[0].split("\t") == [
		PEER, f"0x{GCM.spi_in:08x}", str(len(forged)), "dropped: ipsec_bad_icv, port ext, worker 0, SA gcm"], read
	assert bed.gateway.ctl("trace", "drop", "show", "pcap", path).returncode != 0  # never over a file
	bed.ctl("trace", "drop", "on", "reason", "ipsec_selector_mismatch", "plaintext")
	refused(bed, GCM.outer(flipped(GCM.esp(inner(GCM)), 40)), "ipsec_bad_icv", "not the reason that is traced")
	refused(bed, CBC.protect(secret), "ipsec_selector_mismatch", "another's address again")
	rows = bed.gateway.ask("trace", "drop", "show")
	assert [row["reason"] for row in rows] == ["ipsec_selector_mismatch"] and rows[0]["plaintext"] == bytes(secret)[:64].hex(), rows
	bed.ctl("trace", "drop", "off")
	refused(bed, CBC.protect(secret), "ipsec_selector_mismatch", "when it is off")
	assert len(bed.gateway.ask("trace", "drop", "show")) == 1


def test_esp_in_esp(bed):  # ESP-OUT-04 TUN-12
	"""A policy that is asked about our own ESP puts CBC's packets into another association, and one that leads into itself is told."""
	hub = bed.add(Sa("hub", "aes128gcm16", 22, local_ts=[AGENT], remote_ts=[PEER]))
	del bed.sas["hub"]  # tshark would show two ESP headers in one line
	ends = ["--local-ts", AGENT + "[udp/4500]", "--remote-ts", PEER + "[udp/40002]"]
	plain = udp4(CORRESPONDENT, CBC.host, 300)

	def wrapped(number):
		bed.home.send(plain)
		outer = ip_octets(bed.outside.expect(lambda f: ip_octets(f) and hub.esp_of(ip_octets(f)), "ESP of the hub's"))
		bed.note(outer)
		middle, next_header, seen, _ = hub.open(hub.esp_of(outer))
		assert (next_header, seen) == (4, number), (next_header, seen)
		payload, next_header, _, _ = CBC.open(CBC.esp_of(middle))
		assert payload == hop(plain) and next_header == 4, payload.hex()
	bed.ctl("policy", "add", "around", "--order", "10", "--action", "protect", "--sa", "hub", "nested", *ends)
	wrapped(1)
	wrapped(2)
	bed.ctl("policy", "del", "around")
	bed.outward(CBC, plain)  # as before
	bed.ctl("policy", "add", "around", "--order", "10", "--action", "protect", "--sa", "cbc", "nested", *ends)
	before = bed.drops()
	bed.home.send(plain)
	bed.drops_only({"ipsec_nesting": 1}, before, "a tunnel that leads into itself")
	bed.ctl("policy", "del", "around")


def test_a_change_under_load_is_one_step(bed):  # SPD-22 LIFE-08 MP-06
	"""From one pair to another and back while packets pass: each leaves under the one or the other, none in clear, none is lost."""
	other = bed.add(Sa("other", "aes256gcm16", 21, remote_ts=GCM.remote_ts))
	flow = Flow(bed, GCM.host, 0.0015)
	for round in range(5):
		at = flow.sent
		net.wait_for(lambda: flow.sent > at + 60, "traffic", 5)
		bed.ctl("policy", "add", "over", "--order", "10", "--action", "protect", "--sa", "other", "--local-ts", "10.1.0.0/16",
			"--remote-ts", "10.100.1.0/24")
		at = flow.sent
		net.wait_for(lambda: flow.sent > at + 60, "traffic", 5)
		bed.ctl("policy", "del", "over")
	arrived, by, clear = flow.finish([GCM, other])
	assert not clear, f"{clear} packets in clear"
	missing = sorted(set(range(flow.sent)) - set(arrived))
	assert not missing, f"{len(missing)} of {flow.sent} lost, first {missing[:3]}"
	assert all(count == 1 for count in arrived.values()), "a packet came twice"
	assert by["gcm"] > 200 and by["other"] > 200, by


run(dict(globals()), sas=SAS)  # noqa: F405
