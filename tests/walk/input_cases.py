"""The Mobile IPv4 vectors, what is no packet for us, ARP: the first steps of the pipeline, for generate.py."""
from case_bed import *  # noqa: F403

# ---- the vectors: HA4-MSG, HA4-REV, HA4-FWD, HA4-NAT, HA4-BAD ----

inner = IP(VECTORS["V22"][20:])
case("V22-ipip-reverse", base(binding())).ip(0, vector("V22")).reverse(0, 44).out(2, less(inner))
inner = IP(VECTORS["V07"][32:])
case("V07-udp-reverse", base(udp_binding())).ip(0, vector("V07")).reverse(0, 44).out(2, less(inner))
case("V23-gre-reverse", base(binding(encapsulation=47))).ip(0, vector("V23")).reverse(0, 44).out(2, less(IP(VECTORS["V23"][24:])))
inner = IP(src=HOA, dst=CN, ttl=64, id=0x42, proto=1) / Raw(VECTORS["V24"][32:])
case("V24-minimal-reverse", base(binding(encapsulation=55))).ip(0, vector("V24")).reverse(0, 44).out(2, less(fresh(inner)))
# HA4-NAT-20, V06 but for the samples' outer identification
reply = IP(VECTORS["V06"][32:])
keepalive_reply = mip_udp(reply)
case("V05-keepalive", base(udp_binding())).ip(0, vector("V05")).reverse(0, 44).forward(0, 44).out(0, keepalive_reply).count(
    keepalives_answered=1)
v21 = IP(VECTORS["V21"][20:])
before = v21.copy()
before.ttl = 64
del before.chksum
case("V21-ipip-forward", base(binding())).ip(2, fresh(before)).forward(0, 44).out(0, vector("V21"))
v35 = IP(VECTORS["V35"][32:])
before = v35.copy()
before.ttl = 64
del before.chksum
case("V35-udp-forward", base(udp_binding())).ip(2, fresh(before)).forward(0, 44).out(0, mip_udp(v35))
v08 = VECTORS["V08"]
case("V08-dereg-home", base(binding()), "HA4-MSG-15: TTL 1 does not matter").receive(
    1, Ether(dst=PORT[1], src=HOST) / IP(v08)).punt(1, v08[28:], source=HOA, destination=HA, source_port=5434, ttl=1, port=1)
v01 = VECTORS["V01"]
case("V01-registration", base()).ip(0, vector("V01")).punt(1, v01[28:], source=COA, destination=HA, source_port=5434, ttl=IP(v01).ttl)
n15 = VECTORS["N15"]
case("N15-zero-checksum", base()).ip(0, vector("N15")).punt(1, n15[28:], source=COA, destination=HA, source_port=5434, ttl=IP(n15).ttl,
                                                          flags=4)
v16 = VECTORS["V16"]
case("V10-garp-sent", base(), "gratuitous ARP that control injects").inject(
    1, 1, Ether(dst=BROADCAST, src=PORT[1], type=0x806) / Raw(VECTORS["V10"])).frames_out(
        1, Ether(dst=BROADCAST, src=PORT[1], type=0x806) / Raw(VECTORS["V10"]))
for name, reason, setup in (("N14", "udp_badsum", []), ("N23", "rx_short", [udp_binding()]), ("N26", "rt_inner_bad", [binding()]),
                            ("N27", "rx_unknown_type", []), ("N28", "rx_unexpected_rrp", []), ("N29", "rt_signalling", [binding()]),
                            ("N36", "ecn_drop", [binding()])):
    c = case(name + "-" + reason.replace("_", "-"), base(*setup)).ip(0, vector(name)).drop(reason)
    if name == "N36":
        c.count(ecn_anomalies=1)
case("N21-wrong-next-header", base(udp_binding())).ip(0, vector("N21")).spoofed("udp_tun_nh_mismatch", NAT, NATPORT)
case("N22-wrong-port", base(udp_binding()), "HA4-NAT-16: the endpoint does not move").ip(0, vector("N22")).spoofed(
    "rt_no_binding", NAT, NATPORT + 1).ip(2, data(size=20)).forward(0, 48).out(0, mip_udp(less(data(size=20))))
case("N24-wrong-care-of", base(binding())).ip(0, vector("N24")).spoofed("rt_no_binding", "198.51.100.99")
case("N25-wrong-inner", base(binding())).ip(0, vector("N25")).spoofed("rt_no_binding", COA)
case("N35-loop", base(binding())).ip(0, vector("N35")).drop("fwd_encapsulated_loop")

# ---- input ----

case("input-headers", base()).receive(
    0, Raw(bytes(10)), Ether(dst="02:00:00:00:99:99", src=ROUTER) / data(),
    Ether(dst=PORT[0], src=ROUTER, type=0x8100) / Raw(b"\x00\x07\x08\x00" + bytes(data())),
    Ether(dst=PORT[0], src=ROUTER) / Raw(b"\x45" + bytes(10)),
    Ether(dst=PORT[0], src=ROUTER, type=0x800) / Raw(bytes(IP(src=CN, dst=HOA, ttl=9, chksum=0x1234))),
    Ether(dst=PORT[0], src=ROUTER, type=0x800) / Raw(bytes(IP(src=CN, dst=HOA, len=2000) / Raw(bytes(20)))),
    Ether(dst=PORT[0], src=ROUTER) / IP(src="127.0.0.1", dst=HOA), Ether(dst=PORT[0], src=ROUTER) / IP(src="224.1.1.1", dst=HOA),
    Ether(dst=PORT[0], src=ROUTER) / IP(src="240.1.1.1", dst=HOA), Ether(dst=PORT[0], src=ROUTER) / IP(src="0.0.0.0", dst=HOA),
    Ether(dst=PORT[0], src=ROUTER) / IP(src=CN, dst="127.0.0.1"), Ether(dst=PORT[0], src=ROUTER) / IP(src=CN, dst="0.1.2.3"),
    Ether(dst=BROADCAST, src=ROUTER) / data()).drop("rx_frame_short").drop("rx_not_for_us").drop("rx_vlan_unknown").drop(
        "ipv4_checksum").drop("ipv4_header", 1).drop("source_invalid", 4).drop("destination_invalid", 2).drop("link_broadcast_unicast")
CASES[-1].drop("ipv4_header")
CASES[-1].files["in0.pcap"][3] = Ether(dst=PORT[0], src=ROUTER, type=0x800) / Raw(b"\x45" + bytes(10))
arp_kernel = Ether(dst=BROADCAST, src=ROUTER) / ARP(op=1, hwsrc=ROUTER, psrc=GATEWAY, pdst=HA)
ssh = Ether(dst=PORT[0], src=ROUTER) / IP(src=COA, dst=HA) / TCP(dport=22, flags="S")
other = Ether(dst=PORT[0], src=ROUTER, type=0x88cc) / Raw(bytes(46))
case("exception", base()).receive(0, arp_kernel, ssh, other).to_kernel(0, arp_kernel, ssh, other)
case("exception-without-tap", base({"port": {"index": 0, "tap": 0}})).receive(0, ssh).drop("exception_none")
padded = Ether(dst=PORT[0], src=ROUTER) / IP(src=COA, dst=HA) / TCP(dport=22, flags="S")
case("padding-is-cut", base(binding())).receive(
    2, Ether(dst=PORT[2], src=CNMAC) / IP(bytes(data(size=1)) + bytes(17))).forward(0, 29).out(0, ipip(less(data(size=1))))
v6kernel = Ether(dst="33:33:00:00:00:01", src=ROUTER) / IPv6(src="fe80::1", dst="ff02::1", hlim=255) / ICMPv6EchoRequest()
case("ipv6-headers", base()).receive(
    0, v6kernel, Ether(dst=PORT[0], src=ROUTER) / IPv6(src="::ffff:10.1.0.10", dst="2001:db8::1") / UDP(),
    Ether(dst=PORT[0], src=ROUTER) / IPv6(src="2001:db8::1", dst="::ffff:10.1.0.10") / UDP(),
    Ether(dst=PORT[0], src=ROUTER) / IPv6(src="ff02::1", dst="2001:db8::1") / UDP(),
    Ether(dst=PORT[0], src=ROUTER) / IPv6(src="2001:db8::1", dst="2001:db8::2", plen=900)).to_kernel(0, v6kernel).drop(
        "source_invalid", 2).drop("destination_invalid").drop("ipv6_header")

rrq = VECTORS["V01"][28:]


def request(src=COA, dst=HA, sport=5434, payload=rrq, **more):
    return IP(src=src, dst=dst, **more) / UDP(sport=sport, dport=434) / Raw(payload)


case("registration-invalid-source", base(), "HA4-BAD-13: multicast, loopback, broadcast, class E").ip(
    0, *[request(src=a) for a in ("224.0.0.1", "127.0.0.1", "255.255.255.255", "240.0.0.1")]).drop("source_invalid", 4)
case("registration-bad-source", base(), "HA4-BAD-03, -12, -13").ip(
    0, request(sport=0), request(src=HA), request(src="0.0.0.0"), request(payload=rrq[:23]), request(payload=b""),
    request(payload=bytes([7]) * 19), request(payload=bytes([15]) * 11)).drop("rx_source_port").drop("rx_source_address", 2).drop("rx_short", 4)
long_udp = IP(src=COA, dst=HA) / UDP(sport=5434, dport=434, len=500) / Raw(rrq)
short_udp = IP(src=COA, dst=HA) / UDP(sport=5434, dport=434, len=7) / Raw(rrq)
trailing = IP(bytes(IP(src=COA, dst=HA, len=28 + len(rrq) + 5) / UDP(sport=5434, dport=434, len=8 + len(rrq), chksum=0) / Raw(rrq + b"extra")))
case("registration-udp-length", base(), "HA4-MSG-08").ip(0, long_udp, short_udp, trailing).drop("udp_short", 2).punt(
    1, rrq, source=COA, destination=HA, source_port=5434, ttl=64, flags=4).count(udp_trailing=1)
case("registration-broadcast", base(), "HA4-MSG-01, HA4-BAD-13: on the home link alone").receive(
    1, Ether(dst=BROADCAST, src=HOST) / request(src="0.0.0.0", dst="255.255.255.255"),
    Ether(dst=BROADCAST, src=HOST) / request(src=HOA, dst="10.1.255.255"),
    Ether(dst="01:00:5e:00:00:0b", src=HOST) / request(src=HOA, dst="224.0.0.11")).punt(
        1, rrq, source="0.0.0.0", destination="255.255.255.255", source_port=5434, ttl=64, flags=3, port=1).punt(
            1, rrq, source=HOA, destination="10.1.255.255", source_port=5434, ttl=64, flags=3, port=1).punt(
                1, rrq, source=HOA, destination="224.0.0.11", source_port=5434, ttl=64, flags=3, port=1)
outside = Ether(dst=BROADCAST, src=ROUTER) / request(dst="255.255.255.255")
case("registration-broadcast-outside", base()).receive(0, outside).to_kernel(0, outside)
case("registration-transit", base(), "HA4-MSG-12").ip(2, request(src=CN, dst="192.0.2.77")).out(0, less(request(src=CN, dst="192.0.2.77")))
unfinished = request()
pseudo = 0
raw = bytes(fresh(unfinished))
for i in range(12, 20, 2):
    pseudo += raw[i] << 8 | raw[i + 1]
pseudo += 17 + 8 + len(rrq)
pseudo = (pseudo & 0xffff) + (pseudo >> 16)
unfinished[UDP].chksum = pseudo
case("registration-unfinished", base({"port": {"index": 0, "checksum_check": 0}})).ip(0, unfinished, vector("N14")).punt(
    1, rrq, source=COA, destination=HA, source_port=5434, ttl=64).drop("udp_badsum")
case("registration-unfinished-strict", base()).ip(0, unfinished).drop("udp_badsum")
fragments = fragment(request(src=COA, dst=HA, payload=rrq + bytes(700), id=77), 400)
case("registration-fragments", base(), "HA4-MSG-14").ip(0, *fragments).punt(
    1, rrq + bytes(700), source=COA, destination=HA, source_port=5434, ttl=64, flags=8).count(reassembled=1, joined=len(fragments) - 1)
solicit = IP(src="10.1.0.99", dst="255.255.255.255", ttl=1) / ICMP(type=10)
case("solicitation", base()).receive(1, Ether(dst=BROADCAST, src=HOST) / solicit).punt(
    2, bytes(solicit), source="10.1.0.99", destination="255.255.255.255", ttl=1, port=1, flags=3)

# ---- ARP: HA4-HOME-01, -02, -13 ----

who = Ether(dst=BROADCAST, src=HOST) / ARP(op=1, hwsrc=HOST, psrc="10.1.0.99", pdst=HOA)
case("arp-proxy", base(binding())).receive(1, who).count(proxy_arp_sent=1).frames_out(
    1, Ether(dst=HOST, src=PORT[1]) / ARP(op=2, hwsrc=PORT[1], psrc=HOA, hwdst=HOST, pdst="10.1.0.99"))
case("arp-not-bound", base()).receive(1, who).to_kernel(1, who)
case("arp-expired", base(binding(expires_ms=5000))).step({"advance_ms": 5200}).receive(1, who).to_kernel(1, who)
case("arp-other-link", base(binding())).receive(2, who).to_kernel(2, who)
own = Ether(dst=BROADCAST, src=HOST) / ARP(op=1, hwsrc=HOST, psrc=HOA, pdst=HOA)
ask = Ether(dst=BROADCAST, src=HOST) / ARP(op=1, hwsrc=HOST, psrc=HOA, pdst=HA)
case("arp-own", base(binding())).receive(1, own, ask).punt(
    3, bytes(own)[14:], source=HOA, destination=HOA, port=1, flags=1).to_kernel(1, ask)
mine = Ether(dst=BROADCAST, src=PORT[1]) / ARP(op=1, hwsrc=PORT[1], psrc="10.1.0.1", pdst=HOA)
case("arp-from-kernel", base(binding())).from_kernel(1, mine).to_kernel(
    1, Ether(dst=PORT[1], src="00:00:00:00:01:01") / ARP(op=2, hwsrc="00:00:00:00:01:01", psrc=HOA, hwdst=PORT[1], pdst="10.1.0.1"))
