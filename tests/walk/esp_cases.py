"""What may be wrong with ESP, audits, numbers, ESP in UDP, orders, for generate.py. The peer is Scapy's own ESP (AES-GCM); what must come out is
built by the rules of the RFCs, never taken from the program."""
from esp_bed import *  # noqa: F403
from esp_worked_cases import NO_SA

# ---- the rest of section 18, with Scapy's ESP as the peer ----
peer = {}


def esp(packet, seq, spi=SPI, natt=None, src=PEER, dst=US, tos=0, **header):
    """What the peer sends: tunnel mode AES-GCM, IV = number."""
    a = peer.setdefault((spi, natt, src), SecurityAssociation(
        ESP, spi=spi, crypt_algo="AES-GCM", crypt_key=bytes.fromhex(KEY), tunnel_header=IP(src=src, dst=dst, ttl=64, id=0, flags="DF"),
        nat_t_header=UDP(sport=natt, dport=4500) if natt else None))
    p = a.encrypt(packet, seq_num=seq, iv=seq.to_bytes(8, "big"))
    p.tos = tos
    for field, value in header.items():
        setattr(p, field, value)
    if natt:
        p[UDP].chksum = 0
        del p[UDP].len  # Scapy has counted the header alone
    del p.chksum
    return fresh(p)


def data(src=CLIENT, dst=SERVER, size=20, **more):
    return fresh(IP(src=src, dst=dst, ttl=63, **more) / UDP(sport=5000, dport=6000) / Raw(bytes(i & 0xff for i in range(size))))


def through(c, *packets):
    return c.out(2, *[less(p) for p in packets], dst="02:00:00:00:ee:05").count(esp_decrypted=len(packets))


one, two = esp(data(), 1), esp(data(size=24), 2)
c = case("esp-larval", links({"sa": dict(direction=IN, id=1, spi=SPI, flags=LARVAL)}), "BAD-06, SAD-05").ip(0, one).drop("ipsec_sa_larval")
c.step(sa()).ip(0, one)
through(c, data())
c = case("esp-removed", links(sa()), "BAD-07, LIFE-10").ip(0, one).step({"sa": dict(direction=IN, id=1, spi=SPI, remove=1)}).ip(0, two).drop(
    "ipsec_no_sa_recent")
through(c, data()).step({"advance_ms": 61000}).ip(0, two)
rejected(c, "ipsec_no_sa", id=NO_SA)
c = case("esp-hard-packets", links(sa(limits=1, soft_packets=1, hard_packets=2)), "BAD-08, LIFE-01..03").ip(0, one, two, esp(data(), 3), esp(data(), 4))
through(c, data(), data(size=24)).event(EVENT_EXPIRED, id=1, value=SOFT_PACKETS).event(EVENT_EXPIRED, id=1, value=HARD_PACKETS)
c.drop("ipsec_sa_expired", 2).sa(IN, packets=2)
c = case("esp-hard-bytes", links(sa(limits=1, hard_bytes=120)), "LIFE-03: what would cross the limit").ip(0, one, two, esp(data(), 3))
through(c, data(), data(size=24)).event(EVENT_EXPIRED, id=1, value=HARD_BYTES).drop("ipsec_sa_expired").sa(IN, packets=2, bytes=52 + 56)
c = case("esp-hard-time", links(sa(limits=1, soft_ms=1000, hard_ms=5000)), "LIFE-14").ip(0, one).step({"advance_ms": 2000}).ip(0, two).step(
    {"advance_ms": 4000}).ip(0, esp(data(), 3))
through(c, data(), data(size=24)).event(EVENT_EXPIRED, id=1, value=SOFT_TIME).event(EVENT_EXPIRED, id=1, value=HARD_TIME).drop("ipsec_sa_expired")
c = case("esp-replay", links(sa()), "BAD-09").ip(0, two, one, two)
through(c, data(size=24), data())
rejected(c, "ipsec_replay").sa(IN, highest=2, packets=2, replays=1)
c = case("esp-replay-burst", links(sa()), "ESP-SEQ-10: the copy in the same burst")
c._feed({"burst": 0}, [Ether(dst=g.PORT[0], src=ROUTER) / p for p in (one, one)])
c.count(received_port=2)
through(c, data())
rejected(c, "ipsec_replay").sa(IN, highest=1, packets=1, replays=1)
c = case("esp-replay-late", links(sa()), "BAD-10").ip(0, esp(data(), 65), one)
through(c, data())
rejected(c, "ipsec_replay_late").sa(IN, highest=65, replays_late=1)
c = case("esp-window-off", links(sa(window=0)), "ESP-SEQ-15").ip(0, two, two, one)
through(c, data(size=24), data(size=24), data())
c = case("esp-move", links(sa()), "MOB-01..03, ESP-SEQ-18: both ends' old address still works, numbers stay").ip(0, one)
moved = esp(data(), 3, src="203.0.113.99")
c.step({"sa": dict(direction=IN, id=1, spi=SPI, remote="203.0.113.99")}).ip(0, moved, two, one)
through(c, data(), data(), data(size=24)).count(ipsec_outer_mismatch=1)
rejected(c, "ipsec_replay").sa(IN, highest=3, packets=3)
case("esp-set-other-key", links(sa(), sa(key="ff" + KEY[2:], error=17)), "KIF-10").ip(0, one).out(2, less(data()), dst="02:00:00:00:ee:05").count(esp_decrypted=1)
case("esp-set-again", links(sa(), sa()), "KIF-10: idempotent").ip(0, one).out(2, less(data()), dst="02:00:00:00:ee:05").count(esp_decrypted=1)
# fragments and selectors
ports = selectors(protocol=17, local_port=6000)
later = fresh(IP(src=CLIENT, dst=SERVER, ttl=63, frag=2, proto=17) / Raw(bytes(16)))
rejected(case("esp-frag-selector", links(sa(selectors=ports)), "BAD-20, ESP-IN-07").ip(0, esp(later, 1)).count(esp_decrypted=1), "ipsec_frag_selector")
through(case("esp-frag-any", links(sa()), "ESP-IN-07").ip(0, esp(later, 1)), later)
through(case("esp-ports", links(sa(selectors=ports)), "ESP-IN-05").ip(0, one), data())
rejected(case("esp-ports-other", links(sa(selectors=selectors(protocol=17, local_port=6001))), "ESP-IN-05, AUD-03").ip(0, one).count(
    esp_decrypted=1), "ipsec_selector_mismatch", **opened(data(), number=1))
labelled = IPv6(src=PEER6, dst=US6, fl=0xabcde, nh=50) / Raw((0xc00000ff).to_bytes(4, "big") + (77).to_bytes(4, "big") + bytes(32))
rejected(case("esp-no-sa-ipv6", links(sa()), "AUD-02, RFC 4303 4: the flow label too").ip(0, labelled), "ipsec_no_sa", spi=0xc00000ff, id=NO_SA,
         source=PEER6, to=US6, flow_label=0xabcde, number=77, flags=1)
# AUD-05: ten at once of one SA and reason; others are told of meanwhile, and how many were held back
c = case("esp-audit-limit", links(sa()), "AUD-05").ip(0, one, *[one] * 13)
through(c, data())
for i in range(10):
    c.event(EVENT_REJECTED, id=1, address=PEER, reason="ipsec_replay", value=SPI, audit=dict(number=1, to=US, untold=0))
c.drop("ipsec_replay", 13).count(audits_held_back=3).ip(0, fresh(IP(src=PEER, dst=US, proto=50) / Raw(b"\0\0\1\1" + bytes(36))))
rejected(c, "ipsec_no_sa", spi=0x101, id=NO_SA, untold=3).step({"advance_ms": 1100}).ip(0, one)
rejected(c, "ipsec_replay", number=1).sa(IN, replays=14)
tiny = fresh(IP(src=CLIENT, dst=SERVER, ttl=63, frag=1, proto=17) / Raw(bytes(16)))
case("esp-tiny", links(sa()), "BAD-21").ip(0, esp(tiny, 1)).count(esp_decrypted=1).drop("ipsec_tiny_fragment")
quoted = fresh(IP(src=SERVER, dst=CLIENT) / UDP(sport=6000, dport=5000) / Raw(b"x" * 8))
net = [{"local": "192.0.2.128/25", "remote": "198.51.100.192/28", "protocol": 17}]
error = fresh(IP(src="198.51.100.194", dst=SERVER, ttl=63) / ICMP(type=3, code=1) / Raw(bytes(quoted)))
through(case("esp-icmp-embedded", links(sa(selectors=net)), "ESP-IN-09: what it quotes fits the SA").ip(0, esp(error, 1)), error)
foreign = fresh(IP(src="198.51.100.194", dst=SERVER, ttl=63) / ICMP(type=3, code=1) / Raw(bytes(fresh(IP(src=SERVER, dst="203.0.113.9") / UDP()))))
rejected(case("esp-icmp-embedded-foreign", links(sa(selectors=net)), "BAD-22").ip(0, esp(foreign, 1)).count(esp_decrypted=1), "ipsec_icmp_embedded")
rejected(case("esp-icmp-not-inspected", links(sa(selectors=net, flags=NO_INSPECT)), "ESP-IN-09 off").ip(0, esp(error, 1)).count(esp_decrypted=1),
         "ipsec_selector_mismatch")
# sources and routes inside
for name, src, dst, reason in (("multicast", "224.0.0.5", SERVER, "ipsec_inner_malformed"), ("loopback", "127.0.0.1", SERVER, "ipsec_inner_malformed"),
                               ("ours", US, SERVER, "ipsec_inner_malformed"), ("to-multicast", CLIENT, "224.0.0.9", "rt_inner_multicast")):
    case("esp-inner-" + name, links(sa(selectors=[{"local": "0.0.0.0/0", "remote": "0.0.0.0/0"}])), "BAD-50, ESP-IN-14").ip(
        0, esp(data(src=src, dst=dst), 1)).count(esp_decrypted=1).drop(reason)
routed = fresh(IP(src=CLIENT, dst=SERVER, ttl=63, options=[g.IPOption(b"\x83\x07\x04\x0a\x00\x00\x01\x00")]) / UDP(sport=1, dport=2))
case("esp-source-route", links(sa()), "BAD-51").ip(0, esp(routed, 1)).count(esp_decrypted=1).drop("ipsec_option_reject")
# AUD-14: 1,024 forgeries in a row; then the SA's peer alone is listened to, and nothing else has changed
forged, elsewhere = IP(bytes(one)[:-1] + bytes([bytes(one)[-1] ^ 1])), "203.0.113.66"
foreign = forged.copy()
foreign.src = elsewhere
del foreign.chksum
foreign = fresh(foreign)
c = case("esp-icv-limit", links(sa()), "AUD-14, BAD-54").many(0, foreign, 1024)
for i in range(10):
    c.event(EVENT_REJECTED, id=1, address=elsewhere, reason="ipsec_bad_icv", value=SPI)
good_elsewhere = esp(data(), 1, src=elsewhere)
c.ip(0, foreign, good_elsewhere, forged, two, good_elsewhere)
through(c, data(size=24), data()).drop("ipsec_bad_icv", 1025).drop("ipsec_icv_limit", 2).count(audits_held_back=1015, ipsec_outer_mismatch=1)
c.sa(IN, highest=2, packets=2, bad_icv=1025)

# ESP-SEQ-17: the peer is 2 * 2^32 numbers ahead of what we believe


def esn(number, packet=data()):
    plain = bytes(packet)
    pad = -(len(plain) + 2) % 4
    plain += bytes(range(1, pad + 1)) + bytes([pad, 4])
    iv, low = number.to_bytes(8, "big"), (number & 0xffffffff).to_bytes(4, "big")
    sealed = AESGCM(bytes.fromhex(KEY)[:16]).encrypt(bytes.fromhex(KEY)[16:] + iv, plain, SPI.to_bytes(4, "big") + (number >> 32).to_bytes(4, "big") + low)
    return fresh(IP(src=PEER, dst=US, ttl=64, id=0, flags="DF", proto=50) / Raw(SPI.to_bytes(4, "big") + low + iv + sealed))


def failed(c, n):
    for i in range(min(n, 10)):
        c.event(EVENT_REJECTED, id=1, address=PEER, reason="ipsec_bad_icv", value=SPI)
    return c.drop("ipsec_bad_icv", n).count(audits_held_back=n - 10) if n > 10 else c.drop("ipsec_bad_icv", n)

extended = sa(flags=ESN | RESUME, highest=5)
ahead = 2 << 32
c = case("esp-esn-resync", links(extended), "ESP-SEQ-17: after 1,024 failures, and then as ever").many(0, esn(ahead + 9), 1024)
failed(c, 1024).ip(0, esn(ahead + 9), esn(ahead + 10), esn(ahead + 9), esn(6))
through(c, data(), data()).event(EVENT_REJECTED, id=1, address=PEER, reason="ipsec_replay", value=SPI).drop("ipsec_replay")
c.drop("ipsec_bad_icv").count(audits_held_back=1).sa(IN, highest=ahead + 10, packets=2, bad_icv=1025, replays=1)
c = case("esp-esn-resync-limit", links(extended), "ESP-SEQ-17: four halves on, once a second").many(0, esn(ahead + 9), 1023)
failed(c, 1027).ip(0, esn((5 << 32) + 9), esn((5 << 32) + 9), esn(ahead + 9), esn(ahead + 9)).step({"advance_ms": 20}).step({"advance_ms": 1000})
c.ip(0, esn((4 << 32) + 9))
through(c, data()).sa(IN, highest=(4 << 32) + 9, packets=1, bad_icv=1027)
c = case("esp-esn-resync-elsewhere", links(extended), "ESP-SEQ-17, AUD-14: for the SA's peer alone").many(0, esn(ahead + 9), 1024)
stranger = esn(ahead + 9)
stranger.src = elsewhere
del stranger.chksum
failed(c, 1024).ip(0, fresh(stranger)).drop("ipsec_icv_limit").sa(IN, highest=5, bad_icv=1024)
# UDP 4500
wrapped = dict(flags=NATT, local_port=4500, remote_port=40001)
n1 = esp(data(), 1, natt=40001)
through(case("esp-udp-on-plain", links(sa()), "BAD-38, ESP-IN-12").ip(0, n1), data()).count(ipsec_outer_mismatch=1)
through(case("esp-plain-on-udp", links(sa(**wrapped)), "BAD-38, ESP-IN-12").ip(0, one), data()).count(ipsec_outer_mismatch=1)
c = case("esp-mapping", links(sa(**wrapped)), "BAD-39, BAD-40, NAT-09, NAT-10: the newest alone, once").ip(
    0, esp(data(), 3, natt=40001), esp(data(), 2, natt=40002), esp(data(), 4, natt=40002), esp(data(), 5, natt=40002))
through(c, *[data()] * 4).event(EVENT_MAPPING, id=1, address=PEER, udp_port=40002)
case("esp-mapping-off", links(sa(**dict(wrapped, flags=NATT | NO_MAPPING))), "NAT-11").ip(0, esp(data(), 1, natt=40002)).out(
    2, less(data()), dst="02:00:00:00:ee:05").count(esp_decrypted=1)


def udp4500(payload, **more):
    return fresh(IP(src=PEER, dst=US) / UDP(sport=40001, dport=4500, **more) / Raw(payload))


case("esp-natt-short", links(sa()), "BAD-33").ip(0, udp4500(b"\xff\xff"), udp4500(b"\x00"), udp4500(b"")).drop("ipsec_natt_short", 3)
case("esp-natt-keepalive", links(sa()), "BAD-34, NAT-13").ip(0, udp4500(b"\xff")).drop("ipsec_natt_keepalive").sa(IN, used=0)
ike = udp4500(bytes(4) + b"ike message")
case("esp-natt-ike", links(sa()), "BAD-35").ip(0, ike).to_kernel(0, Ether(dst=g.PORT[0], src=ROUTER) / ike)
ike = fresh(IP(src=PEER, dst=US) / UDP(sport=500, dport=500) / Raw(b"x" * 40))
case("esp-ike-500", links(sa()), "NAT-02: never ESP").ip(0, ike).to_kernel(0, Ether(dst=g.PORT[0], src=ROUTER) / ike)
case("esp-udp-checksum", links(sa(**wrapped)), "BAD-36").ip(0, udp4500(bytes(40), chksum=0x1234)).drop("ipsec_udp_csum")
case("esp-udp-checksum-ipv6", links(sa(**wrapped)), "BAD-36, NAT-06").ip(
    0, IPv6(src=PEER6, dst=US6) / UDP(sport=40001, dport=4500, chksum=0) / Raw(bytes(40))).drop("ipsec_udp_csum")
# NAT-06, RFC 6936: checksum 0 over IPv6, by setting and between the SA's own ends alone
ZERO6 = 1 << 13
six_natt = dict(flags=NATT | ZERO6, local=US6, remote=PEER6, local_port=4500, remote_port=40001)


def sealed(packet, seq, next_header=4):
    plain = bytes(packet)
    pad = -(len(plain) + 2) % 4
    plain += bytes(range(1, pad + 1)) + bytes([pad, next_header])
    head, iv = SPI.to_bytes(4, "big") + seq.to_bytes(4, "big"), seq.to_bytes(8, "big")
    return head + iv + AESGCM(bytes.fromhex(KEY)[:16]).encrypt(bytes.fromhex(KEY)[16:] + iv, plain, head)


def udp6(payload, src=PEER6, dst=US6, sport=40001, dport=4500, **more):
    return fresh(IPv6(src=src, dst=dst) / UDP(sport=sport, dport=dport, **more) / Raw(payload))

bare = udp6(sealed(data(), 1), chksum=0)
through(case("esp-udp-zero-ipv6", links(sa(**six_natt)), "NAT-06").ip(0, bare, udp6(sealed(data(), 2))), data(), data())
case("esp-udp-zero-ipv6-off", links(sa(**dict(six_natt, flags=NATT))), "NAT-06").ip(0, bare).drop("ipsec_udp_csum").sa(IN, highest=0, packets=0)
case("esp-udp-zero-ipv6-elsewhere", links({"local": {"address": "2001:db8:1::2", "port": 0}}, sa(**six_natt)), "NAT-06: RFC 6936 4").ip(
    0, udp6(sealed(data(), 1), src="2001:db8:2::9", chksum=0), udp6(sealed(data(), 1), sport=40002, chksum=0),
    udp6(sealed(data(), 1), dst="2001:db8:1::2", chksum=0)).drop("ipsec_udp_csum", 3).sa(IN, highest=0, packets=0)
case("esp-udp-zero-ipv6-other", links(sa(**six_natt)), "NAT-06: no keepalive, no IKE").ip(
    0, udp6(b"\xff", chksum=0), udp6(bytes(40), chksum=0)).drop("ipsec_udp_csum", 2)
for name, chksum, flags in (("esp-out-udp-ipv6", None, NATT), ("esp-out-udp-zero-ipv6", 0, NATT | ZERO6)):
    inside6 = data(src=SERVER, dst=CLIENT)
    wire = IPv6(src=US6, dst=PEER6, hlim=64, fl=0xfffff)  # any
    c = case(name, links(g.policy(8, OUT, BYPASS, order=99), g.policy(9, IN, BYPASS, order=99),
             g.policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", sa=1), sa(**dict(six_natt, flags=flags, direction=OUT))), "NAT-06")
    c.ip(2, inside6).out(0, fresh(wire / UDP(sport=4500, dport=40001, **({} if chksum is None else {"chksum": 0})) / Raw(sealed(less(inside6), 1))))
    c.count(esp_encrypted=1)
# other ports than 4500: what the settings say, and nothing else
elsewhere_port = fresh(IP(src=PEER, dst=US) / UDP(sport=40001, dport=14500, chksum=0) / Raw(sealed(data(), 1)))
other_port = dict(flags=NATT, local_port=14500, remote_port=40001)
through(case("esp-udp-port", links({"esp_port": 14500}, sa(**other_port)), "NAT-01: a configurable list").ip(
    0, elsewhere_port, fresh(IP(src=PEER, dst=US) / UDP(sport=40001, dport=14500) / Raw(b"\xff"))).drop("ipsec_natt_keepalive"), data())
case("esp-udp-port-none", links(sa(**other_port)), "NAT-01: an ordinary port").ip(0, elsewhere_port).to_kernel(
    0, Ether(dst=g.PORT[0], src=ROUTER) / elsewhere_port)
case("esp-udp-length", links(sa(**wrapped)), "BAD-03").ip(0, fresh(IP(src=PEER, dst=US) / UDP(sport=40001, dport=4500, len=100) / Raw(bytes(40)))).drop(
    "ipsec_bad_length")
transit = fresh(IP(src=PEER, dst=SERVER, ttl=63, proto=50) / Raw(bytes(40)))
case("esp-transit", links(sa()), "BAD-37, SAD-11: not to an address of ours").ip(0, transit).out(2, less(transit), dst="02:00:00:00:ee:05")
case("esp-ah", links(sa()), "BAD-47, ESP-IN-15").ip(0, fresh(IP(src=PEER, dst=US, proto=51) / Raw(bytes(24)))).drop("ipsec_ah_unsupported")
whole = bytes(one[IP].payload)
parts = [fresh(IP(src=PEER, dst=US, id=7, flags="MF", proto=50) / Raw(whole[:48])), fresh(IP(src=PEER, dst=US, id=7, frag=6, proto=50) / Raw(whole[48:]))]
through(case("esp-reassembly", links(sa()), "MTU-12, ESP-IN-02").ip(0, parts[1], parts[0]), data()).count(reassembled=1, joined=1)
large = data(size=3000)
whole = esp(large, 1)
c = case("esp-reassembly-large", links(sa()), "MTU-12: more than one buffer holds; cut again on the way out").ip(
    0, *[fresh(f) for f in g.fragment(whole, 1400)])
c.out(2, *[fresh(f) for f in g.fragment(less(large), 1480)], dst="02:00:00:00:ee:05").count(
    esp_decrypted=1, reassembled=1, joined=2, fragments_made=3, created=2)
# nesting


def nested(depth):
    p = data()
    for level in range(depth):
        p = esp(p, 1, spi=SPI + depth - 1 - level)
        p[IP].src, p[IP].dst = PEER, US
        del p.chksum
        p = fresh(p)
    return p


many = [sa(id=1 + i, spi=SPI + i, selectors=[{"local": "0.0.0.0/0", "remote": "0.0.0.0/0"}]) for i in range(5)]
c = case("esp-nested-3", links(*many), "ESP-IN-11").ip(0, nested(3))
c.out(2, less(data()), dst="02:00:00:00:ee:05").count(esp_decrypted=3)
c = case("esp-nested-4", links(*many), "BAD-32").ip(0, nested(4)).count(esp_decrypted=3)
rejected(c, "ipsec_nesting", spi=SPI + 3, id=NO_SA)
# outbound ends
out_sa = dict(direction=OUT, selectors=[], local=US, remote=PEER)
inside = data(src=SERVER, dst=CLIENT)


def protect(*more, **policy):
    return links(*more, g.policy(8, OUT, BYPASS, order=99), g.policy(9, IN, BYPASS, order=99),
                 g.policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", sa=1, **policy))


def ours(packet, seq, df=0, **header):
    p = esp(packet, seq, src=US, dst=PEER, tos=packet.tos, **header)
    p.flags = "DF" if df else 0
    del p.chksum
    return fresh(p)

case("esp-out-df-copied", protect(sa(**out_sa)), "TUN-06").ip(2, data(src=SERVER, dst=CLIENT, flags="DF")).out(
    0, ours(less(data(src=SERVER, dst=CLIENT, flags="DF")), 1, 1)).count(esp_encrypted=1)
case("esp-out-df-set", protect(sa(flags=DF_SET, **out_sa)), "TUN-06").ip(2, inside).out(0, ours(less(inside), 1, 1)).count(esp_encrypted=1)
marked = data(src=SERVER, dst=CLIENT, flags="DF", tos=0xb9)
# dummies: an inner datagram that nobody looks at, next header 59 (ESP-FMT-12)
INJECT_DUMMY, dummy = 4, fresh(IP(src=US, dst=PEER, ttl=64, id=0, flags="DF", proto=59) / Raw(bytes(range(44))))


def trailed(packet, seq, next_header, natt=None):
    """What stands inside, sealed by the rules of RFC 4303 2 and RFC 4106, not by Scapy's ESP, which has no next header 59."""
    plain = bytes(packet)
    pad = -(len(plain) + 2) % 4
    plain += bytes(range(1, pad + 1)) + bytes([pad, next_header])
    head = SPI.to_bytes(4, "big") + seq.to_bytes(4, "big")
    iv = seq.to_bytes(8, "big")
    return head + iv + AESGCM(bytes.fromhex(KEY)[:16]).encrypt(bytes.fromhex(KEY)[16:] + iv, plain, head)


outer = IP(src=US, dst=PEER, ttl=64, id=0, flags="DF", proto=50)
c = case("esp-out-dummy", protect(sa(flags=DF_SET, **out_sa)), "ESP-FMT-12: numbers run on between dummies and data").inject(
    INJECT_DUMMY, 0, Ether() / dummy, sa=1).ip(2, inside)
c.out(0, fresh(outer / Raw(trailed(dummy, 1, 59))), ours(less(inside), 2, 1)).count(esp_encrypted=2).sa(OUT, sequence=2, packets=2)
wrapped = fresh(IP(src=US, dst=PEER, ttl=64, id=0, flags="DF") / UDP(sport=4500, dport=40001, chksum=0) / Raw(trailed(dummy, 1, 59)))
case("esp-out-dummy-udp", protect(sa(flags=NATT, local_port=4500, remote_port=40001, **out_sa)), "ESP-FMT-12").inject(
    INJECT_DUMMY, 0, Ether() / dummy, sa=1).out(0, wrapped).count(esp_encrypted=1).sa(OUT, sequence=1, packets=1)
case("esp-out-dummy-transport", protect(sa(flags=TRANSPORT, **out_sa)), "ESP-FMT-12: the header is the datagram's own").inject(
    INJECT_DUMMY, 0, Ether() / dummy, sa=1).out(0, fresh(outer / Raw(trailed(bytes(dummy)[20:], 1, 59)))).count(esp_encrypted=1).sa(
    OUT, sequence=1, packets=1)
case("esp-out-dummy-no-sa", protect(sa(**out_sa)), "ESP-FMT-12").inject(INJECT_DUMMY, 0, Ether() / dummy, sa=2).drop("policy_no_sa").sa(OUT, sequence=0)
large = fresh(IP(src=US, dst=PEER, ttl=64, id=0, flags="DF", proto=59) / Raw(bytes(1427)))
case("esp-out-dummy-too-big", protect(sa(**out_sa)), "ESP-FMT-12: no fragments, no ICMP error").inject(
    INJECT_DUMMY, 0, Ether() / large, sa=1).drop("ipsec_mtu_exceeded").count(icmp_suppressed=1).sa(OUT, sequence=0)
case("esp-out-tos", protect(sa(**out_sa)), "ECN-01, ECN-08").ip(2, marked).out(0, ours(less(marked), 1, 1)).count(esp_encrypted=1)
fixed = ours(less(marked), 1, 1)
fixed.tos = 10 << 2
del fixed.chksum
case("esp-out-tos-fixed", protect(sa(dscp=10, flags=ECN_OFF, **out_sa)), "ECN-02, ECN-08").ip(2, marked).out(0, fresh(fixed)).count(esp_encrypted=1)
c = case("esp-out-last", protect(sa(flags=RESUME | DF_SET, sequence=(1 << 32) - 2, **out_sa)), "BAD-44, ESP-SEQ-03").ip(2, inside, inside)
c.out(0, ours(less(inside), (1 << 32) - 1, 1)).count(esp_encrypted=1).event(EVENT_EXPIRED, id=1, port=OUT, value=SOFT_SEQUENCE).event(
    EVENT_REJECTED, id=1, address=SERVER, reason="ipsec_seq_overflow", value=SPI).event(
        EVENT_EXPIRED, id=1, port=OUT, value=HARD_SEQUENCE).drop("ipsec_seq_overflow").sa(OUT, sequence=(1 << 32) - 1, packets=1, bytes=52)
c = case("esp-out-hard", protect(sa(limits=1, hard_packets=1, flags=DF_SET, **out_sa)), "LIFE-03").ip(2, inside, inside).drop("ipsec_out_expired")
c.out(0, ours(less(inside), 1, 1)).count(esp_encrypted=1).event(EVENT_EXPIRED, id=1, port=OUT, value=HARD_PACKETS).sa(OUT, sequence=1, packets=1)
case("esp-out-none", protect(), "BAD-42: never in clear").ip(2, inside).drop("policy_no_sa")
case("esp-out-ttl", protect(sa(**out_sa)), "BAD-45").ip(2, fresh(IP(src=SERVER, dst=CLIENT, ttl=1) / ICMP(type=3, code=1))).drop("ttl").count(
    icmp_suppressed=1).sa(OUT, sequence=0)
full = data(src=SERVER, dst=CLIENT, size=1446 - 28, flags="DF")
case("esp-out-fits", protect(sa(**out_sa)), "MTU-01: 1446 over 1500").ip(2, full).out(0, ours(less(full), 1, 1)).count(esp_encrypted=1)
large = data(src=SERVER, dst=CLIENT, size=1447 - 28, flags="DF")
c = case("esp-out-too-big", protect(sa(**out_sa)), "BAD-46, MTU-02").ip(2, large).drop("ipsec_mtu_exceeded").count(icmp_sent=1, created=1).sa(OUT, sequence=0)
c.out(2, g.icmp_error(3, 4, less(large), SERVER, src=US, mtu=1446), dst="02:00:00:00:ee:05")
