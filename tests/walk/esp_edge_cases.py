"""More ESP cases for generate.py: what policies, fragments, moves and errors do to protected packets. The peer is AES-GCM of the cryptography
package with the trailer written by hand, so that padding, traffic flow padding and next header are the case's to choose."""
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from scapy.all import ICMP, IP, TCP, UDP, Ether, IPv6, Raw
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment

import esp_bed
from esp_bed import (AFTER, BYPASS, CLIENT, DF_SET, EVENT_EXPIRED, EVENT_REJECTED, HARD_SEQUENCE, IN, KEY, NATT, OUT, PEER, PROTECT, RESUME,
                       ROUTER, SERVER, SOFT_SEQUENCE, SPI, TRANSPORT, US)

CLIENT2, PEER2, US2 = "198.51.100.195", "198.51.100.3", "192.0.2.2"
HOST6, CLIENT6 = "2001:db8:3::3", "2001:db8:4::4"
INSIDE = "02:00:00:00:ee:05"
DISCARD = 0
NO_SA = (1 << 32) - 1


def esp_octets(plain, seq, spi=SPI, next_header=4, tfc=0):
    """SPI, number, IV = number, ciphertext, ICV (RFC 4106)."""
    head = spi.to_bytes(4, "big") + seq.to_bytes(4, "big")
    iv = seq.to_bytes(8, "big")
    text = bytes(plain) + bytes(tfc)
    padding = -(len(text) + 2) % 4
    text += bytes(range(1, padding + 1)) + bytes([padding, next_header])
    key = bytes.fromhex(KEY)
    return head + iv + AESGCM(key[:-4]).encrypt(key[-4:] + iv, text, head)


def add(g):
    case, less, fresh, policy = g.case, g.less, g.fresh, g.policy

    def sa(direction=IN, id=1, spi=SPI, **more):
        more.setdefault("selectors", esp_bed.BOTH if direction == IN else [])
        return esp_bed.sa(direction, id=id, spi=spi, **dict(dict(local=US, remote=PEER), **more))

    def links(*more):
        return [{"local": {"address": US, "port": 0}},
                {"route": {"prefix": "0.0.0.0/0", "via": g.GATEWAY, "port": 0}}, {"route": {"prefix": "::/0", "via": "2001:db8:1::fe", "port": 0}},
                {"route": {"prefix": "192.0.2.128/25", "port": 2}}, {"route": {"prefix": "2001:db8:3::/48", "port": 2}},
                {"neighbor": {"address": g.GATEWAY, "port": 0, "mac": 0xfe}}, {"neighbor": {"address": "2001:db8:1::fe", "port": 0, "mac": 0xfe}},
                {"neighbor": {"address": SERVER, "port": 2, "mac": 5}}, {"neighbor": {"address": HOST6, "port": 2, "mac": 5}}, *more]

    rest = [policy(8, OUT, BYPASS, order=99), policy(9, IN, BYPASS, order=99)]

    def protect(*more, **selector):
        return links(*more, *rest, policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", sa=1, **selector))

    def data(src=SERVER, dst=CLIENT, size=20, **more):
        return fresh(IP(src=src, dst=dst, ttl=63, **more) / UDP(sport=5000, dport=6000) / Raw(bytes(i & 0xff for i in range(size))))

    def tunnel(inner, seq, src=US, dst=PEER, df=True, tos=0, id=0, natt=None, ttl=64, **more):
        body = esp_octets(bytes(inner), seq, next_header=41 if bytes(inner)[0] >> 4 == 6 else 4, **more)
        head = IP(src=src, dst=dst, ttl=ttl, id=id, flags="DF" if df else 0, tos=tos, proto=17 if natt else 50)
        if natt:
            body = bytes(UDP(sport=natt[0], dport=natt[1], chksum=0, len=8 + len(body))) + body
        return fresh(head / Raw(body))

    def from_peer(inner, seq, src=PEER, dst=US, **more):
        return tunnel(inner, seq, src=src, dst=dst, **more)

    def coming(size=20, **more):
        return data(src=CLIENT, dst=SERVER, size=size, **more)

    def through(c, *packets):
        return c.out(2, *[less(p) for p in packets], dst=INSIDE).count(esp_decrypted=len(packets))

    def rejected(c, reason, spi=SPI, id=1, source=PEER, n=1):
        for _ in range(n):
            c.event(EVENT_REJECTED, id=id, address=source, reason=reason, value=spi)
        return c.drop(reason, n)

    def denied(c, reason, *packets):
        for p in packets:
            c.event(EVENT_REJECTED, id=NO_SA, address=p.src, reason=reason).drop(reason)
        return c

    inside = data()

    # ---- traffic flow confidentiality: ESP-FMT-13, -15 ----
    c = case("esp-out-tfc", protect(sa(OUT, tfc=600, flags=DF_SET)), "ESP-FMT-15: up to 600 octets, what is longer as it is")
    longer = data(size=700)
    c.ip(2, inside, longer).out(0, tunnel(less(inside), 1, tfc=600 - len(inside)), tunnel(less(longer), 2)).count(esp_encrypted=2).sa(
        OUT, bytes=(602 + 2) + (728 + 4))
    c = case("esp-out-tfc-mtu", protect(sa(OUT, tfc=65535, flags=DF_SET)), "ESP-FMT-15: to the path's MTU, never beyond")
    c.ip(2, inside).out(0, tunnel(less(inside), 1, tfc=1446 - len(inside))).count(esp_encrypted=1)
    for size in (1, 3, 700, 1390):
        through(case("esp-in-tfc-%d" % size, links(sa()), "ESP-FMT-13: cut by the inner length").ip(0, from_peer(coming(), 1, tfc=size)), coming())
    six = fresh(IPv6(src=CLIENT6, dst=HOST6) / UDP(sport=1, dport=2) / Raw(b"six"))
    through(case("esp-in-tfc-ipv6", links(sa()), "ESP-FMT-13: 40 and the payload length").ip(0, from_peer(six, 1, tfc=77)), six)

    # ---- unused combinations of RFC 6040 4.2, and a hop limit that is over ----
    odd = [(0, 2, 0), (1, 2, 1), (3, 1, 3)]
    c = case("esp-in-ecn-unused", links(sa()), "BAD-28, ECN-04: forwarded by the table, and counted").ip(
        0, *[from_peer(coming(tos=inner), 1 + i, tos=outer) for i, (inner, outer, _) in enumerate(odd)]).count(ecn_anomalies=3)
    through(c, *[coming(tos=result) for _, _, result in odd])
    last = IP(bytes(data()))
    last.ttl = 1
    del last.chksum
    last = fresh(last)
    case("esp-out-ttl-told", protect(sa(OUT)), "BAD-45, TUN-02: nothing is sealed, the sender is told").ip(2, last).drop("ttl").count(
        icmp_sent=1, created=1).out(2, g.icmp_error(11, 0, last, SERVER, src=US), dst=INSIDE).sa(OUT, sequence=0)

    # ---- which SA: SPD-23, SAD-07, NAT-15, TRN-09 ----
    two = [sa(OUT, flags=DF_SET), sa(OUT, id=2, spi=SPI + 1, flags=DF_SET)]
    c = case("esp-out-two-sas", protect(*two), "SPD-23: the one that the topmost policy names, newest or not").ip(2, inside)
    c.step(policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", sa=2)).ip(2, inside)
    c.step(policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", sa=1)).ip(2, inside)
    c.out(0, tunnel(less(inside), 1), tunnel(less(inside), 1, spi=SPI + 1), tunnel(less(inside), 2)).count(esp_encrypted=3)
    c = case("esp-in-two-sas", links(sa(), sa(id=2, spi=SPI + 1)), "SPD-23, ECN-10: parallel SAs take any DSCP").ip(
        0, from_peer(coming(tos=0xb8), 1, tos=0xb8), from_peer(coming(tos=0xb8), 1, spi=SPI + 1, tos=0x28))
    through(c, coming(tos=0xb8), coming(tos=0xb8))
    nat = [dict(flags=NATT | DF_SET, local_port=4500, remote_port=port) for port in (40001, 40002)]
    c = case("esp-out-one-nat", links(sa(OUT, **nat[0]), sa(OUT, id=2, **nat[1]), *rest,
             policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", sa=1),
             policy(2, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT2 + "/32", sa=2)), "NAT-15, SAD-07: one address, one SPI, two peers")
    second = data(dst=CLIENT2)
    c.ip(2, inside, second).out(0, tunnel(less(inside), 1, natt=(4500, 40001)), tunnel(less(second), 1, natt=(4500, 40002))).count(esp_encrypted=2)
    c.sa(OUT, sequence=1, packets=1).sa(OUT, id=2, sequence=1, packets=1)

    # ---- order inside a burst: ESP-OUT-09, MP-02, MP-10 ----
    many = [data(size=20 + 61 * i % 1200) for i in range(32)]
    c = case("esp-out-order", protect(sa(OUT, flags=DF_SET)), "ESP-OUT-09, MP-02: numbers and packets in the order of arrival").burst(2, *many)
    c.out(0, *[tunnel(less(p), 1 + i) for i, p in enumerate(many)]).count(esp_encrypted=32)
    c = case("esp-in-order", links(sa()), "MP-10: and back, some of it beside the SA").burst(
        0, *[from_peer(coming(size=20 + 61 * i % 1200), 1 + i) for i in range(32)])
    through(c, *[coming(size=20 + 61 * i % 1200) for i in range(32)]).sa(IN, highest=32, packets=32)
    # Flows have no order among each other: what is not protected leaves by another port here.
    elsewhere = "10.66.0.9"
    mixed = [data(size=i, dst=CLIENT if i % 3 else elsewhere) for i in range(30)]
    c = case("esp-out-order-mixed", protect(sa(OUT, flags=DF_SET), {"route": {"prefix": "10.66.0.0/16", "port": 1}},
             {"neighbor": {"address": elsewhere, "port": 1, "mac": 0x77}}), "ESP-OUT-09 beside packets that are not protected").burst(2, *mixed)
    numbers = iter(range(1, 31))
    protected = [tunnel(less(p), next(numbers)) for p in mixed if p.dst == CLIENT]
    c.out(0, *protected).out(1, *[less(p) for p in mixed if p.dst == elsewhere]).count(esp_encrypted=len(protected))

    # ---- what seemed shown and was not: each of these failed with no code behind it ----
    wrapped = dict(flags=NATT, local_port=4500, remote_port=40001)
    c = case("esp-mapping-newest", links(sa(**wrapped)), "NAT-09 (2): a packet inside the window tells nothing, whoever sent it").ip(
        0, from_peer(coming(), 3, natt=(40001, 4500)), from_peer(coming(), 2, natt=(40003, 4500)))
    through(c, coming(), coming())
    c = case("esp-mapping-no-window", links(sa(window=0, **wrapped)), "NAT-09 (3): without anti-replay nothing is told").ip(
        0, from_peer(coming(), 1, natt=(40003, 4500)))
    through(c, coming())
    c = case("esp-out-last-burst", protect(sa(OUT, flags=RESUME | DF_SET, sequence=(1 << 32) - 2)), "ESP-SEQ-03, ESP-OUT-12: only what was sent is counted")
    c.burst(2, inside, inside).out(0, tunnel(less(inside), (1 << 32) - 1)).count(esp_encrypted=1).sa(OUT, sequence=(1 << 32) - 1, packets=1, bytes=52)
    c.event(EVENT_REJECTED, id=1, address=SERVER, reason="ipsec_seq_overflow", value=SPI).drop("ipsec_seq_overflow")
    c.event(EVENT_EXPIRED, id=1, port=OUT, value=SOFT_SEQUENCE).event(EVENT_EXPIRED, id=1, port=OUT, value=HARD_SEQUENCE)
    quoted = fresh(IP(src=SERVER, dst=CLIENT) / UDP(sport=6000, dport=5000) / Raw(b"x" * 8))
    error = fresh(IP(src="198.51.100.194", dst=SERVER, ttl=63) / ICMP(type=3, code=1) / Raw(bytes(quoted)))
    c = case("esp-icmp-of-another", links(sa()), "ESP-IN-06: a peer with one address sends errors with that one too").ip(0, from_peer(error, 1))
    rejected(c.count(esp_decrypted=1), "ipsec_selector_mismatch").sa(IN, packets=1)
    head = fresh(IP(src=PEER, dst=US, id=9) / UDP(sport=7, dport=9) / Raw(bytes(2)))
    rest_sum = (0xffff - head[UDP].chksum) & 0xffff
    head = fresh(IP(src=PEER, dst=US, id=9) / UDP(sport=7, dport=9) / Raw((0xffff - rest_sum).to_bytes(2, "big")))
    assert head[UDP].chksum == 0xffff  # a sum of 0, sent as all ones (RFC 768)
    broken = bytearray(bytes(head))
    broken[26:28] = b"\x42\x42"
    c = case("esp-transport-nat-zero", links(sa(flags=TRANSPORT | NATT, local_port=4500, remote_port=40001, selectors=[dict(
        local=US + "/32", remote=PEER + "/32")])), "TRN-08: a repaired sum of 0 becomes all ones").count(esp_decrypted=1)
    body = esp_octets(bytes(broken)[20:], 1, next_header=17)
    c.ip(0, fresh(IP(src=PEER, dst=US, id=9, ttl=64, proto=17) / Raw(bytes(UDP(sport=40001, dport=4500, chksum=0, len=8 + len(body))) + body)))
    c.to_kernel(0, Ether(dst=g.PORT[0], src=ROUTER) / head)

    # ---- moves: MOB-03..05, -07, MOB-16, LIFE-09 ----
    both = {"local": {"address": US2, "port": 0}}
    c = case("esp-move-local", links(both, sa()), "MOB-04: to the old local address as long as it is ours").step({"sa": dict(direction=IN, id=1, spi=SPI, local=US2)})
    c.ip(0, from_peer(coming(), 1), from_peer(coming(), 2, dst=US2))
    through(c, coming(), coming()).sa(IN, highest=2, packets=2)
    c = case("esp-move-halves", protect(sa(), sa(OUT, flags=DF_SET)), "MOB-05: traffic between the two halves of a move")
    c.step({"sa": dict(direction=IN, id=1, spi=SPI, remote=PEER2)})
    c.ip(2, inside).ip(0, from_peer(coming(), 1), from_peer(coming(), 2, src=PEER2))
    c.step({"sa": dict(direction=OUT, id=1, spi=SPI, remote=PEER2, flags=DF_SET, local=US)}).ip(2, inside)
    c.out(0, tunnel(less(inside), 1), tunnel(less(inside), 2, dst=PEER2)).count(esp_encrypted=2, ipsec_outer_mismatch=1)
    through(c, coming(), coming())
    c = case("esp-move-liveness", links(sa(remote=PEER2)), "MOB-07: packets from an outdated address count, and are no sign of life").ip(0, from_peer(coming(), 1))
    through(c, coming()).count(ipsec_outer_mismatch=1).sa(IN, packets=1, used=0)
    c = case("esp-move-liveness-local", links(both, sa(local=US2)), "MOB-07: nor to an outdated one").ip(0, from_peer(coming(), 1))
    through(c, coming()).sa(IN, packets=1, used=0)
    c = case("esp-move-liveness-port", links(sa(flags=NATT, local_port=4500, remote_port=40001)), "MOB-07: nor from another port").ip(
        0, from_peer(coming(), 1, natt=(40002, 4500)))
    through(c, coming()).event(10, id=1, address=PEER, udp_port=40002).sa(IN, packets=1, used=0)
    c = case("esp-switch-held", [s for s in protect(sa(OUT, flags=DF_SET)) if s.get("neighbor", {}).get("address") != g.GATEWAY],
             "LIFE-09: what the old SA encrypted and waits is sent").ip(2, inside)
    c.event(3, port=0, address=g.GATEWAY)
    c.step({"sa": dict(direction=OUT, id=1, spi=SPI, remove=1)}).step({"neighbor": {"address": g.GATEWAY, "port": 0, "mac": 0xfe}}).step({"advance_ms": 100})
    c.out(0, tunnel(less(inside), 1)).count(esp_encrypted=1)

    # ---- outer fragments: BAD-24..26, ECN-06, MTU-12, MTU-14 ----
    whole = from_peer(coming(size=900), 1, df=False, id=77)
    octets = bytes(whole)[20:]

    def part(first, last, more, tos=0, src=PEER, id=77):
        return fresh(IP(src=src, dst=US, ttl=64, id=id, flags="MF" if more else 0, frag=first // 8, proto=50, tos=tos) / Raw(octets[first:last]))

    ends = (0, 400, 800, len(octets))

    def parts(*tos, **more):
        return [part(ends[i], ends[i + 1], i < 2, tos=t, **more) for i, t in enumerate(tos)]

    c = case("esp-outer-overlap", links(sa()), "BAD-24: the whole datagram goes").ip(0, part(0, 400, True), part(392, 800, True), part(800, len(octets), False))
    c.drop("reasm_overlap", 2).count(held_reassembly=1).sa(IN, packets=0)
    case("esp-outer-timeout", links(sa()), "BAD-25").ip(0, *parts(0, 0, 0)[1:]).step({"advance_ms": 30500}).drop("reasm_timeout", 2).sa(IN, packets=0)
    flood = [part(0, 400, True, id=1000 + i, src="203.0.113.66") for i in range(12)]
    c = case("esp-outer-limit", links(sa()), "BAD-25, MTU-14: one source's flood has its eighth of the table, an SA's fragments have room").ip(0, *flood)
    c.ip(0, *parts(0, 0, 0)).drop("reasm_limit", 4).count(held_reassembly=8, reassembled=1, joined=2)
    through(c, coming(size=900))
    for name, tos, result in (("ce", (2, 3, 2), 3), ("ce-ect1", (1, 1, 3), 3), ("equal", (2, 2, 2), 2), ("mixed", (2, 1, 2), 2), ("not-ect", (2, 0, 2), 0)):
        inner = coming(size=900, tos=2)
        octets = bytes(from_peer(inner, 1))[20:]
        c = case("esp-outer-ecn-" + name, links(sa()), "ECN-06: CE of any fragment is CE of the whole").ip(0, *parts(*tos)).count(reassembled=1, joined=2)
        if result == 3:
            inner = coming(size=900, tos=3)
        through(c, inner)
    c = case("esp-outer-ecn-bad", links(sa()), "BAD-26, ECN-06: CE beside Not-ECT").ip(0, *parts(3, 0, 3)).drop("reasm_ecn", 3).sa(IN, packets=0)

    # ---- fragments that we make: ECN-07, MTU-03, -06; identifications count by destination, so each case has its own (TUN-07) ----
    large = data(size=2000, tos=0xb9, id=9)
    c = case("esp-out-cut-tos", protect(sa(OUT, flags=AFTER, remote="198.51.100.61")), "ECN-07, MTU-03: fragments of the ESP packet carry its DSCP and ECN").ip(2, large)
    esp = bytes(tunnel(less(large), 1))[20:]
    for first in range(0, len(esp), 1480):
        c.out(0, fresh(IP(src=US, dst="198.51.100.61", ttl=64, id=0, tos=0xb9, flags="MF" if first + 1480 < len(esp) else 0, frag=first // 8, proto=50) / Raw(
            esp[first:first + 1480])))
    c.count(esp_encrypted=1, created=1, fragments_made=2)
    c = case("esp-out-cut-before-tos", protect(sa(OUT, flags=DF_SET)), "ECN-07: and so do fragments made before ESP").ip(2, large)
    pieces = [fresh(p) for p in g.fragment(less(large), 1424)]
    assert len(pieces) == 2 and all(len(p) <= 1446 for p in pieces)
    c.out(0, *[tunnel(p, 1 + i, tos=0xb9) for i, p in enumerate(pieces)]).count(esp_encrypted=2, created=1, fragments_made=2)
    c = case("esp-out-cut-ports", protect(sa(OUT, remote="198.51.100.62", selectors=[dict(local="192.0.2.128/25", remote=CLIENT + "/32", protocol=17, remote_port=6000)]),
             protocol=17, remote_port=6000), "MTU-06: an SA that names ports gets no fragments, it is cut itself").ip(2, less(large, -1))
    esp = bytes(tunnel(large, 1))[20:]
    for first in range(0, len(esp), 1480):
        c.out(0, fresh(IP(src=US, dst="198.51.100.62", ttl=64, id=0, tos=0xb9, flags="MF" if first + 1480 < len(esp) else 0, frag=first // 8, proto=50) / Raw(
            esp[first:first + 1480])))
    c.count(esp_encrypted=1, created=1, fragments_made=2)

    # ---- transport mode: MTU-05, TRN-01, TRN-04 ----
    host = [dict(local=US + "/32", remote=PEER + "/32")]
    transport = links(sa(OUT, flags=TRANSPORT), *rest, policy(1, OUT, PROTECT, local=US + "/32", remote=PEER + "/32", sa=1))
    ours = fresh(IP(src=US, dst=PEER, id=5, ttl=64, tos=0x28) / UDP(sport=7, dport=9) / Raw(bytes(1460)))

    def kernel(p):
        return Ether(dst=ROUTER, src=g.PORT[0]) / p

    def transported(p, seq):
        return fresh(IP(src=p.src, dst=p.dst, ttl=p.ttl, id=p.id, tos=p.tos, flags=p.flags, proto=50) / Raw(
            esp_octets(bytes(p)[20:], seq, next_header=p.proto)))

    c = case("esp-transport-cut", transport, "MTU-05, ECN-07: the whole is protected, then cut").from_kernel(0, kernel(ours))
    esp = bytes(transported(ours, 1))[20:]
    for first in range(0, len(esp), 1480):
        c.out(0, fresh(IP(src=US, dst=PEER, ttl=64, id=5, tos=0x28, flags="MF" if first + 1480 < len(esp) else 0, frag=first // 8, proto=50) / Raw(
            esp[first:first + 1480])))
    c.count(esp_encrypted=1, created=1, fragments_made=2)
    c = case("esp-transport-fragment", transport, "TRN-04, MTU-05: a fragment is not protected").from_kernel(
        0, kernel(fresh(IP(src=US, dst=PEER, id=6, flags="MF", proto=17) / Raw(bytes(64))))).drop("ipsec_esp_fragment").sa(OUT, sequence=0)
    c = case("esp-transport-forwarded", transport, "TRN-01: what is forwarded is never put in").ip(
        2, fresh(IP(src=US, dst=PEER, ttl=9) / UDP(sport=7, dport=9)))
    c.drop("policy_no_sa").sa(OUT, sequence=0)
    natt = [dict(flags=TRANSPORT | NATT, local_port=4500, remote_port=port, selectors=host) for port in (40001, 40002)]
    c = case("esp-transport-two-behind-nat", links(sa(OUT, **natt[0]), sa(OUT, id=2, spi=SPI + 1, **natt[1]), *rest,
             policy(1, OUT, PROTECT, local=US + "/32", remote=PEER + "/32", sa=1, order=1), policy(2, OUT, PROTECT, local=US + "/32", remote=PEER + "/32", sa=2, order=2)),
             "TRN-09: overlapping selectors: the first's traffic alone").from_kernel(0, kernel(fresh(IP(src=US, dst=PEER, id=5) / UDP(sport=7, dport=9))))
    small = fresh(IP(src=US, dst=PEER, id=5) / UDP(sport=7, dport=9))
    body = esp_octets(bytes(small)[20:], 1, next_header=17)
    c.out(0, fresh(IP(src=US, dst=PEER, id=5, ttl=64, proto=17) / Raw(bytes(UDP(sport=4500, dport=40001, chksum=0, len=8 + len(body))) + body)))
    c.count(esp_encrypted=1).sa(OUT, id=2, sequence=0)

    twins = [dict(flags=NATT | DF_SET, local_port=4500, remote_port=port) for port in (40001, 40002)]
    c = case("esp-out-same-spi", links(sa(OUT, **twins[0]), sa(OUT, id=2, **twins[1]), *rest,
             policy(1, OUT, PROTECT, remote=CLIENT + "/32", sa=1), policy(2, OUT, PROTECT, remote=CLIENT2 + "/32", sa=2)),
             "SAD-07, NAT-15, SPD-19: two peers behind one NAT that chose the same SPI").ip(2, data(), data(dst=CLIENT2), data(), data(dst=CLIENT2))
    c.out(0, *[tunnel(less(data(dst=d)), seq, natt=(4500, port)) for seq in (1, 2) for d, port in ((CLIENT, 40001), (CLIENT2, 40002))])
    c.count(esp_encrypted=4).sa(OUT, id=1, sequence=2, packets=2).sa(OUT, id=2, sequence=2, packets=2)

    # ---- policy: SPD-09, -10, -17, -25, TRN-10, NAT-14, BAD-29, -30, -43, -52, MTU-17, AUD-11 ----
    c = case("esp-cleartext-behind-nat", protect(sa(), policy(2, IN, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", order=3)),
             "TRN-10, BAD-29: clear packets beside an SA of the same address").ip(0, coming())
    denied(c, "policy_cleartext", coming())
    c.ip(0, from_peer(coming(), 1))
    through(c, coming())
    keepalive = fresh(IP(src=US, dst=PEER, ttl=64, id=3) / UDP(sport=4500, dport=40001, chksum=0) / Raw(b"\xff"))
    c = case("esp-kernel-keepalive", protect(sa(OUT, flags=NATT | DF_SET, local_port=4500, remote_port=40001)),
             "NAT-14: the IKE side's keepalive leaves with the addresses and ports of the SA").from_kernel(0, kernel(keepalive)).ip(2, inside)
    c.out(0, keepalive, tunnel(less(inside), 1, natt=(4500, 40001))).count(esp_encrypted=1)
    error = fresh(IP(src="203.0.113.1", dst=SERVER, ttl=60) / ICMP(type=3, code=4, nexthopmtu=900) / Raw(bytes(data(dst="203.0.113.50", size=100))[:28]))
    c = case("esp-ptb-transit", protect(sa(OUT)), "MTU-17: about a bypassed packet of somebody else: forwarded as it is").ip(0, error).out(
        2, less(error), dst=INSIDE)

    def chain(count, src=HOST6, dst=CLIENT6):
        p = IPv6(src=src, dst=dst, hlim=9)
        for _ in range(count):
            p = p / IPv6ExtHdrDestOpt()
        return fresh(p / UDP(sport=5000, dport=6000) / Raw(b"chain"))

    udp6 = dict(local="::/0", remote="::/0", protocol=17, remote_port=6000)
    c = case("policy-chain", links(policy(1, OUT, BYPASS, **udp6)), "SPD-09: stepped over up to 8").ip(2, chain(8)).out(0, less(chain(8)))
    denied(case("policy-chain-long", links(policy(1, OUT, BYPASS, **udp6), policy(2, OUT, BYPASS, local="::/0", remote="::/0", protocol=60)),
         "BAD-52, SPD-09: beyond, the protocol is hidden").ip(2, chain(9)), "policy_none", chain(9))
    case("policy-chain-any", links(policy(1, OUT, BYPASS, local="::/0", remote="::/0")), "BAD-52: ANY matches it all the same").ip(2, chain(9)).out(
        0, less(chain(9)))

    def part6(offset, more, body, nh=17, src=HOST6, dst=CLIENT6):
        return fresh(IPv6(src=src, dst=dst, hlim=9) / IPv6ExtHdrFragment(nh=nh, offset=offset, m=more, id=7) / Raw(body))

    udp_head = bytes(fresh(IPv6(src=HOST6, dst=CLIENT6) / UDP(sport=5000, dport=6000, len=48, chksum=0x1234) / Raw(bytes(40))))[40:56]
    first6, later6 = part6(0, 1, udp_head), part6(2, 0, bytes(32))
    c = case("policy-fragment-ipv6", links(policy(1, OUT, BYPASS, **udp6)), "SPD-10, SPD-17: a later IPv6 fragment shows no ports; it follows the first").ip(
        2, later6)
    denied(c, "ipsec_frag_state", later6).ip(2, first6, later6).out(0, less(first6), less(later6))
    c = case("policy-fragment-ipv6-any", links(policy(1, OUT, BYPASS, local="::/0", remote="::/0", protocol=17)),
             "SPD-10: and its protocol").ip(2, first6, later6).out(0, less(first6), less(later6))
    hidden6 = part6(2, 0, b"\x11" + bytes(31), nh=60)
    c = case("policy-fragment-ipv6-hidden", links(policy(1, OUT, BYPASS, local="::/0", remote="::/0", protocol=17)),
             "SPD-10: a later fragment of what begins with an extension header shows no protocol").ip(2, hidden6)
    denied(c, "ipsec_frag_state", hidden6)
    c = case("policy-fragment-ipv6-44", links(policy(1, OUT, BYPASS, local="::/0", remote="::/0", protocol=44)),
         "SPD-09: the fragment header is no next layer protocol").ip(2, first6, later6)
    denied(denied(c, "policy_none", first6), "ipsec_frag_state", later6)
    ports6 = [dict(local="2001:db8:3::/48", remote="2001:db8:4::/48", protocol=17, local_port=6000)]
    inner_first = part6(0, 1, udp_head, src=CLIENT6, dst=HOST6)
    inner_later = part6(2, 0, bytes(32), src=CLIENT6, dst=HOST6)
    c = case("esp-frag-selector-ipv6", links(sa(selectors=ports6)), "BAD-20, ESP-IN-05, -07 for IPv6").ip(0, from_peer(inner_first, 1), from_peer(inner_later, 2))
    through(c, inner_first)
    rejected(c.count(esp_decrypted=1), "ipsec_frag_selector")

    # ---- a hub: from one SA into another; its errors go back protected (MTU-07) ----
    hub = links(sa(selectors=[{"local": "0.0.0.0/0", "remote": CLIENT + "/32"}]), sa(OUT, flags=DF_SET), sa(OUT, id=2, spi=SPI + 1, remote=PEER2, path_mtu=600, flags=DF_SET),
                *rest, policy(1, OUT, PROTECT, remote=CLIENT + "/32", sa=1), policy(2, OUT, PROTECT, remote=CLIENT2 + "/32", sa=2))
    spoke = data(src=CLIENT, dst=CLIENT2, size=600, flags="DF")
    c = case("esp-hub-too-big", hub, "MTU-07: the error passes the SPD itself, so it is protected").ip(0, from_peer(spoke, 1)).drop("ipsec_mtu_exceeded")
    told = g.icmp_error(3, 4, less(spoke), CLIENT, src=US, mtu=546)
    c.out(0, tunnel(fresh(told), 1, tos=0xc0)).count(esp_decrypted=1, esp_encrypted=1, icmp_sent=1, created=1).sa(OUT, id=2, sequence=0)
    c = case("esp-hub-ttl", hub, "TUN-02, TUN-03: decremented once; at 1 it is told of").ip(0, from_peer(fresh(data(src=CLIENT, dst=CLIENT2)), 1))
    hop = data(src=CLIENT, dst=CLIENT2)
    c.out(0, tunnel(less(hop), 1, spi=SPI + 1, dst=PEER2)).count(esp_decrypted=1, esp_encrypted=1)

    # ---- what the device said: ESP-IN-16 ----
    wrong = data(src=CLIENT, dst=SERVER)
    wrong[UDP].dport = 434
    wrong[UDP].chksum = 0x4242
    wrong.dst = g.HA
    del wrong.chksum
    wrong = fresh(wrong)
    c = case("esp-in-offload", g.base({"port": {"index": 0, "rx_good": 1}}, sa(local=g.HA, selectors=[{"local": g.HA + "/32", "remote": CLIENT + "/32"}])),
             "ESP-IN-16: what the device says is about the outer packet").ip(0, from_peer(wrong, 1, dst=g.HA)).count(esp_decrypted=1).drop("udp_badsum")


def corpus():
    """Inputs of tests/fuzz/esp_path_fuzz.c: name -> octets."""
    site, far, server = "10.9.0.1", "10.9.0.2", "10.2.0.5"
    udp = IP(src=site, dst=server, ttl=9) / UDP(sport=5, dport=6)
    inner = {
        "udp": udp / Raw(b"x" * 40), "empty": udp, "spoofed": IP(src=far, dst=server, ttl=9) / UDP(), "large": udp / Raw(bytes(1200)), "hairpin": IP(src=site, dst=far, ttl=9) / UDP() / Raw(b"y" * 9),
        "tcp": IP(src=site, dst=server, ttl=9, tos=0xb9, flags="DF") / TCP(dport=80, flags="S"), "ttl": IP(src=site, dst=server, ttl=1) / UDP(),
        "first": IP(src=site, dst=server, ttl=9, flags="MF") / UDP() / Raw(bytes(24)), "later": IP(src=site, dst=server, ttl=9, frag=3, proto=17) / Raw(bytes(24)),
        "tiny": IP(src=site, dst=server, ttl=9, frag=1, proto=17) / Raw(bytes(24)), "ours": IP(src=US, dst=server, ttl=9) / UDP(),
        "to-us": IP(src=site, dst=US, ttl=9) / ICMP(), "to-agent": IP(src=site, dst=US, ttl=9) / UDP(sport=434, dport=434) / Raw(b"\x01" + bytes(40)),
        "ipip": IP(src=PEER, dst=US, ttl=9, proto=4) / Raw(bytes(IP(src="10.1.0.10", dst=server) / UDP())), "no-checksum": IP(src=site, dst=server, chksum=1) / UDP(),
        "options": IP(bytes([0x46, 0, 0, 28, 0, 0, 0, 0, 9, 17, 0, 0, 10, 9, 0, 1, 10, 2, 0, 5, 1, 1, 1, 0]) + bytes(4)),
        "error": IP(src=site, dst=server, ttl=9) / ICMP(type=3, code=4, nexthopmtu=600) / Raw(bytes(IP(src=server, dst=site) / UDP())),
        "six": IPv6(src="2001:db8:9::1", dst="2001:db8:3::5", hlim=9) / UDP() / Raw(b"6"), "six-fragment": IPv6(src="2001:db8:9::1", dst="2001:db8:3::5") /
        IPv6ExtHdrFragment(m=1, id=3) / UDP() / Raw(bytes(32)), "six-chain": IPv6(src="2001:db8:9::1", dst="2001:db8:3::5") / IPv6ExtHdrDestOpt() / UDP(),
    }

    def record(what, how, octets):
        octets = bytes(octets)
        return bytes([what, how]) + len(octets).to_bytes(2, "big") + octets

    found = {}
    for name, packet in inner.items():
        raw = bytes(packet.__class__(bytes(packet)))
        nh = bytes([41 if raw[0] >> 4 == 6 else 4])
        found["tunnel-" + name] = b"".join(record(what, 0, nh + raw) for what in (3, 4, 6))
        found["burst-" + name] = b"".join(record(3 + i % 2, i < 31, nh + raw + bytes(i % 5)) for i in range(32))
        found["transport-" + name] = b"".join(record(what, 0, raw[9:10] + raw[20:]) for what in (5, 7))
        found["damaged-" + name] = b"".join(record(3, i << 5 | 1, nh + raw) for i in range(1, 8)) + record(3, 24, nh + raw)
        frame = bytes(Ether(dst="02:00:00:00:02:01", src=INSIDE) / packet.__class__(raw))
        found["out-" + name] = record(0, 2 << 5, frame) + record(1, 0, bytes(Ether(dst=ROUTER, src="02:00:00:00:00:01") / packet.__class__(raw)))
    back = bytes(Ether(dst="02:00:00:00:02:01", src=INSIDE) / IP(src=server, dst=site, ttl=9) / UDP(sport=1, dport=2) / Raw(bytes(300)))
    found["both-ways"] = b"".join(record(0, 2 << 5, back) + record(3, 0, b"\x04" + bytes(inner["udp"])) for _ in range(6)) + record(2, 0, b"")
    outward = [dict(), dict(ttl=1), dict(ttl=2), dict(tos=0xb9), dict(flags="DF"), dict(flags="MF"), dict(frag=2), dict(dst=far), dict(proto=50), dict(chksum=1)]
    for i, header in enumerate(outward):
        p = IP(**dict(dict(src=server, dst=site, ttl=9, proto=253), **header)) / Raw(bytes(100 * i))
        found["outward-%d" % i] = b"".join(record(0, 2 << 5, bytes(Ether(dst="02:00:00:00:02:01", src=INSIDE) / p) + bytes(k)) for k in range(4))
    large = IP(src=server, dst=site, ttl=9, proto=253, flags="DF") / Raw(bytes(1426))
    found["outward-large"] = record(0, 2 << 5, bytes(Ether(dst="02:00:00:00:02:01", src=INSIDE) / large) + bytes(1)) * 3
    found["dummy"] = record(3, 0, b"\x3b" + bytes(30)) + record(4, 0, b"\x3b") + record(3, 4, b"\x11" + bytes(30))
    found["text"] = b"".join(record(3, 2, bytes(inner["udp"]) + bytes([1, 2, 2, 4][4 - k:]) + bytes([9, 4])) for k in range(5))
    found["jump"] = b"".join(record(3, how, b"\x04" + bytes(inner["udp"])) for how in (0, 4, 0, 5, 1, 0))
    return found
