"""From mobile nodes: what each tunnel's headers must be, ECN, GRE, minimal encapsulation, NAT, for generate.py."""
from case_bed import *  # noqa: F403
from input_cases import keepalive_reply, reply, request, rrq
from forward_cases import nest

# ---- reverse ----

def reverse_case(name, setup, outer, reason=None, about="", spoof=None, udp_port=0, anomalies=0):
    c = case(name, setup, about).ip(0, outer)
    if spoof:
        c.spoofed(reason, spoof, udp_port)
    else:
        c.drop(reason)
    if anomalies:
        c.count(ecn_anomalies=anomalies)
    return c


inner = data(src=HOA, dst=CN)
reverse_case("reverse-gre-on-ipip", base(binding()), gre(inner, src=COA, dst=HA), "rt_encap_mismatch", "HA4-ALT-10", COA)
reverse_case("reverse-ipip-on-gre", base(binding(encapsulation=47)), ipip(inner, src=COA, dst=HA), "rt_encap_mismatch", "", COA)
reverse_case("reverse-ipip-on-udp", base(udp_binding()), ipip(inner, src=NAT, dst=HA), "rt_encap_mismatch", "", NAT)
reverse_case("reverse-udp-on-ipip", base(binding()), mip_udp(inner, src=COA, dst=HA, sport=434, dport=434), "rt_encap_mismatch", "", COA, 434)
reverse_case("reverse-expired", base(binding(expires_ms=1000), {"advance_ms": 1100}), ipip(inner, src=COA, dst=HA), "rt_no_binding", "HA4-BND-06", COA)
reverse_case("reverse-other-agent", base(binding(), agent(address="192.0.2.2")), ipip(inner, src=COA, dst="192.0.2.2"), "rt_no_binding", "", COA)
reverse_case("reverse-gre-off", base(binding(), flags=0), gre(inner, src=COA, dst=HA), "tunnel_protocol")
reverse_case("reverse-ipv6-inside", base(binding()), ipip(IPv6(src="2001:db8::1", dst="2001:db8::2"), src=COA, dst=HA), "tunnel_protocol", "HA4-REV-15")
reverse_case("reverse-proto4-version6", base(binding()), IP(src=COA, dst=HA, proto=4) / Raw(bytes(IPv6(src="2001:db8::1", dst="2001:db8::2"))), "tunnel_protocol")
reverse_case("reverse-inner-checksum", base(binding()), ipip(data(src=HOA, dst=CN, chksum=0x1111), src=COA, dst=HA), "rt_inner_bad")
reverse_case("reverse-inner-source", base(binding()), ipip(data(src="127.0.0.1", dst=CN), src=COA, dst=HA), "rt_inner_source", "HA4-REV-10")
reverse_case("reverse-inner-destination", base(binding()), ipip(data(src=HOA, dst="127.0.0.1"), src=COA, dst=HA), "rt_inner_destination")
reverse_case("reverse-multicast", base(binding()), ipip(data(src=HOA, dst="224.0.0.9"), src=COA, dst=HA), "rt_inner_multicast", "HA4-BCM-05").reverse(0, 28)
reverse_case("reverse-ttl-0", base(binding()), ipip(data(src=HOA, dst=CN, ttl=0), src=COA, dst=HA), "ttl", "HA4-REV-07")
reverse_case("reverse-needs-ipsec", base(binding(flags=B_IPSEC)), ipip(inner, src=COA, dst=HA), "rt_needs_ipsec")
reverse_case("reverse-require-t", base(binding(), flags=REQUIRE_T), ipip(inner, src=COA, dst=HA), "rt_not_granted", "HA4-REV-05")
case("reverse-require-t-granted", base(binding(flags=B_REVERSE), flags=REQUIRE_T)).ip(0, ipip(inner, src=COA, dst=HA)).reverse(0, 28).out(2, less(inner))
case("reverse-multicast-on", base(binding(), flags=RMULTI)).ip(0, ipip(data(src=HOA, dst="224.0.0.9", ttl=1), src=COA, dst=HA)).reverse(0, 28).out(
    1, data(src=HOA, dst="224.0.0.9", ttl=1), dst="01:00:5e:00:00:09")
case("reverse-no-check", base(binding(), flags=NO_CHECK), "HA4-REV-04: others' tunnels, never a bound address from elsewhere").ip(
    0, ipip(data(src="10.7.0.1", dst=CN), src="198.51.100.77", dst=HA), ipip(inner, src="198.51.100.77", dst=HA)).count(decapsulated=1).out(
        2, less(data(src="10.7.0.1", dst=CN))).spoofed("rt_no_binding", "198.51.100.77")
case("reverse-grace", [agent(grace_ms=2000)] + LINKS + [binding(), binding(care_of="198.51.100.99")], "HA4-REV-16").ip(
    0, ipip(inner, src=COA, dst=HA)).step({"advance_ms": 2500}).ip(0, ipip(inner, src=COA, dst=HA)).reverse(0, 28).out(2, less(inner)).spoofed(
        "rt_no_binding", COA)
case("reverse-no-grace", base(binding(), binding(care_of="198.51.100.99"))).ip(0, ipip(inner, src=COA, dst=HA)).spoofed("rt_no_binding", COA)
case("reverse-simultaneous", base(binding(), binding(id=1, care_of="198.51.100.99")), "HA4-BND-11").ip(
    0, ipip(inner, src="198.51.100.99", dst=HA)).reverse(1, 28).out(2, less(inner))
case("reverse-ttl-1", base(binding()), "HA4-REV-07, HA4-MTU-14: the error goes through the tunnel").ip(
    0, ipip(data(src=HOA, dst=CN, ttl=1), src=COA, dst=HA)).reverse(0, 28).drop("ttl").count(icmp_sent=1, created=1).forward(0, 56).out(
        0, ipip(icmp_error(11, 0, data(src=HOA, dst=CN, ttl=1), HOA), df=True))
nested_inner = data(src="10.1.0.11", dst=CN)
case("reverse-nested", base(*nest), "HA4-REV-13").ip(0, ipip(ipip(nested_inner, src=HOA, dst=HA), src=COA, dst=HA)).reverse(0, 48).reverse(1, 28).out(
    2, less(nested_inner))
deep, layers = data(src="10.1.0.14", dst=CN), []
chain = [binding(id=0, home="10.1.0.10", care_of=COA)] + [binding(id=i, home="10.1.0.%d" % (10 + i), care_of="10.1.0.%d" % (9 + i)) for i in range(1, 5)]
packet, sizes = deep, []
for i in range(4, -1, -1):
    sizes.insert(0, len(packet))
    packet = ipip(packet, src=COA if i == 0 else "10.1.0.%d" % (9 + i), dst=HA)
c = case("reverse-too-deep", base(*chain), "HA4-REV-13").ip(0, packet).drop("rt_nest")
for i in range(4):
    c.reverse(i, sizes[i])
case("reverse-dscp-in", base(binding(), flags=DSCP_IN), "HA4-REV-09").ip(0, ipip(data(src=HOA, dst=CN, tos=0x02), src=COA, dst=HA, tos=0xb8 | 2)).reverse(
    0, 28).out(2, less(data(src=HOA, dst=CN, tos=0xba)))
TABLE = {0: [0, 0, 0, None], 2: [2, 1, 2, 3], 1: [1, 1, 1, 3], 3: [3, 3, 3, 3]}  # RFC 6040 figure 4: inner -> by outer value 0, 1, 2, 3
ODD = {(0, 1), (0, 2), (0, 3), (1, 2), (3, 1)}
c = case("reverse-ecn", base(binding()), "HA4-REV-08: all 16 combinations")
for i in range(4):
    for o in range(4):
        packet = data(src=HOA, dst=CN, tos=0x28 | i, id=16 * i + o)
        c.ip(0, ipip(packet, src=COA, dst=HA, tos=0x48 | o))
        if (i, o) in ODD:
            c.count(ecn_anomalies=1)
        if TABLE[i][o] is None:
            c.drop("ecn_drop")
            continue
        packet.tos = 0x28 | TABLE[i][o]
        c.reverse(0, 28).out(2, less(fresh(packet)))
big = data(src=HOA, dst=CN, size=900)
fr = fragment(fresh(ipip(big, src=COA, dst=HA, df=False)), 400)
c = case("reverse-outer-fragments", base(binding()), "HA4-REV-19").ip(0, fr[2], fr[0], fr[1]).reverse(0, 928).out(2, less(fresh(big))).count(
    reassembled=1, joined=2)
case("reverse-echo", base(binding()), "an agent answers a ping out of the tunnel").ip(
    0, ipip(IP(src=HOA, dst=HA, id=5) / ICMP(type=8, id=1, seq=2) / Raw(b"abc"), src=COA, dst=HA)).reverse(0, 31).forward(0, 31).count(
        keepalives_answered=1).out(0, ipip(IP(src=HA, dst=HOA, id=6) / ICMP(type=0, id=1, seq=2) / Raw(b"abc")))
tcp = IP(src=HOA, dst=HA) / TCP(dport=22, flags="S")
case("reverse-to-kernel", base(binding()), "HA4-REV-11").ip(0, ipip(tcp, src=COA, dst=HA)).reverse(0, 40).to_kernel(1, Ether(dst=PORT[1], src=ROUTER) / tcp)
case("kernel-to-away", base(binding()), "what the kernel answers goes into the tunnel, TTL untouched").from_kernel(
    1, Ether(dst="00:00:00:00:01:01", src=PORT[1]) / IP(src=HA, dst=HOA, ttl=64) / TCP(sport=22, flags="SA")).forward(0, 40).out(
        0, ipip(IP(src=HA, dst=HOA, ttl=64) / TCP(sport=22, flags="SA")))
kernel_frame = Ether(dst=ROUTER, src=PORT[0]) / IP(src=HA, dst="198.51.100.1") / TCP()
case("kernel-frame", base(binding())).from_kernel(0, kernel_frame).frames_out(0, kernel_frame)

# ---- reverse: what each header must be ----

bodies = [bytes(fresh(inner))[:19], b"\x55" + bytes(fresh(inner))[1:], b"\x44" + bytes(fresh(inner))[1:], b"\x4f" + bytes(fresh(inner))[1:],
          bytes(fresh(data(src=HOA, dst=CN, len=19))), bytes(fresh(data(src=HOA, dst=CN, len=29)))]
case("reverse-inner-header", base(binding()), "HA4-REV-06: cut off, version, IHL under 5, IHL beyond the end, Total Length too small, too large").ip(
    0, *[IP(src=COA, dst=HA, proto=4) / Raw(b) for b in bodies]).drop("rt_inner_bad", len(bodies))
case("reverse-inner-trailing", base(binding()), "HA4-REV-06: excess octets are cut").ip(
    0, IP(src=COA, dst=HA, proto=4) / Raw(bytes(fresh(inner)) + b"excess")).reverse(0, 28).out(2, less(inner))
case("reverse-inner-sources", base(binding(), {"prefix": {"prefix": "0.0.0.0/0", "id": 0}}), "HA4-REV-10: also from a mobile network").ip(
    0, *[ipip(data(src=a, dst=CN), src=COA, dst=HA) for a in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1")]).drop(
        "rt_inner_source", 6)
case("reverse-inner-destinations", base(binding())).ip(
    0, *[ipip(data(src=HOA, dst=a), src=COA, dst=HA) for a in ("0.0.0.0", "127.0.0.1", "240.0.0.1")]).drop("rt_inner_destination", 3)
case("reverse-broadcast", base(binding()), "HA4-BCM-05: limited and to the home network").ip(
    0, ipip(data(src=HOA, dst="255.255.255.255"), src=COA, dst=HA), ipip(data(src=HOA, dst="10.1.255.255"), src=COA, dst=HA)).reverse(
        0, 28, 28).drop("rt_inner_multicast").drop("broadcast")
case("reverse-broadcast-on", base(binding(), flags=RMULTI), "HA4-BCM-05: onto the home link at most").ip(
    0, ipip(data(src=HOA, dst="255.255.255.255", ttl=1), src=COA, dst=HA)).reverse(0, 28).out(
        1, data(src=HOA, dst="255.255.255.255", ttl=1), dst=BROADCAST)
tunnelled = IP(src="172.16.5.9", dst=HA) / UDP(sport=5434, dport=434) / Raw(rrq)
case("reverse-others-signalling", base(binding(flags=B_REVERSE), {"prefix": {"prefix": "172.16.5.0/24", "id": 0}}), "HA4-REV-12: a visitor of the mobile network registers").ip(
    0, ipip(tunnelled, src=COA, dst=HA)).reverse(0, len(tunnelled)).punt(1, rrq, source="172.16.5.9", destination=HA, source_port=5434, ttl=64, layers=1)
own_parts = [fresh(p) for p in fragment(fresh(IP(src=HOA, dst=HA, id=7) / UDP(sport=5434, dport=434) / Raw(rrq)), 40)]
case("reverse-signalling-fragments", base(binding()), "HA4-REV-12: the first fragment shows it").ip(
    0, *[ipip(p, src=COA, dst=HA, df=False) for p in own_parts]).reverse(0, *[len(p) for p in own_parts[1:]]).drop("rt_signalling").count(held_reassembly=1)
own_parts = [fresh(p) for p in fragment(fresh(IP(src=HOA, dst=HA, id=7) / UDP(sport=5434, dport=434) / Raw(rrq)), 8)][:3]
case("reverse-signalling-tiny", base(binding()), "HA4-REV-12: too short to show it").ip(
    0, *[ipip(p, src=COA, dst=HA, df=False) for p in own_parts]).reverse(0, 28, 28, 28).drop("reasm_tiny").count(held_reassembly=2)
case("reverse-minimal-off", base(binding(), flags=0), "HA4-ALT-01").ip(0, minimal(inner, src=COA, dst=HA)).drop("tunnel_protocol")

# ---- GRE and minimal encapsulation: HA4-ALT ----

def gre_raw(words, payload, src=COA):
    return IP(src=src, dst=HA, proto=47) / Raw(words + bytes(payload))


on = base(binding(encapsulation=47))
good = fresh(inner)
case("gre-header", on, "HA4-ALT-03, -05: version, routing, key, sequence, strict route, recursion; cut off").ip(
    0, *[gre_raw(bytes([first, second, 8, 0]), good) for first, second in ((0, 1), (0, 7), (0x40, 0), (0x20, 0), (0x10, 0), (0x08, 0), (0x04, 0))],
    gre_raw(b"\0\0\x08", b""), gre_raw(b"\x80\0\x08\0\0\0", b"")).drop("gre_header", 9)
case("gre-reserved-ignored", on, "HA4-ALT-03: bits 6 to 12").ip(0, gre_raw(b"\x03\xf8\x08\0", good)).reverse(0, 28).out(2, less(inner))
with_sum = b"\x80\0\x08\0\0\0\0\0" + bytes(good)
sum_of = checksum(with_sum)
case("gre-checksum", on, "HA4-ALT-03: the C bit, right and wrong").ip(
    0, gre_raw(with_sum[:4] + sum_of.to_bytes(2, "big") + with_sum[6:], b""), gre_raw(with_sum[:4] + (sum_of ^ 1).to_bytes(2, "big") + with_sum[6:], b"")).reverse(
        0, 28).out(2, less(inner)).drop("gre_checksum")
case("gre-protocol", on, "HA4-ALT-03: ARP, transparent Ethernet, IPv6 that was not granted, a version that belies the type").ip(
    0, gre_raw(b"\0\0\x08\x06", good), gre_raw(b"\0\0\x65\x58", good), gre_raw(b"\0\0\x86\xdd", IPv6(src="2001:db8::1", dst="2001:db8::2")),
    gre_raw(b"\0\0\x08\0", IPv6(src="2001:db8::1", dst="2001:db8::2")), gre_raw(b"\0\0\x08\0", b"")).drop("gre_protocol", 3).drop("rt_inner_bad", 2)
case("gre-loop", on, "HA4-ALT-04: back to where it came from").ip(0, gre(data(src=HOA, dst=COA), src=COA, dst=HA)).drop("gre_loop")
case("gre-loop-udp", base(udp_binding(encapsulation=47)), "HA4-ALT-04 in UDP").ip(
    0, mip_udp(data(src=HOA, dst=NAT), src=NAT, dst=HA, sport=NATPORT, dport=434, nh=47, payload=b"\0\0\x08\0" + bytes(fresh(data(src=HOA, dst=NAT))))).drop("gre_loop")
small_on = base(binding(encapsulation=55))


def minimal_raw(flags, spoil=0, cut=None, src=COA):
    raw = bytes(fresh(minimal(inner, src=src, dst=HA, s=bool(flags & 0x80))))
    head = bytearray(raw[20:32] if flags & 0x80 else raw[20:28])
    head[1] = flags
    head[2:4] = b"\0\0"
    head[2:4] = (checksum(bytes(head)) ^ spoil).to_bytes(2, "big")
    rest = bytes(head) + raw[20 + len(head):]
    return IP(src=src, dst=HA, proto=55, ttl=64, id=1) / Raw(rest if cut is None else rest[:cut])


restored = fresh(IP(src=HOA, dst=CN, ttl=64, id=1) / Raw(bytes(fresh(inner))[20:]))
restored.proto, restored.chksum = 17, None
case("minimal-reserved-ignored", small_on, "HA4-ALT-09").ip(0, minimal_raw(0xff)).reverse(0, 28).out(2, less(fresh(restored)))
case("minimal-header", small_on, "HA4-ALT-09: checksum wrong, cut off with and without a source").ip(
    0, minimal_raw(0x80, spoil=1), minimal_raw(0x80, cut=11), minimal_raw(0, cut=7)).drop("minimal_header", 3)
case("minimal-no-source", small_on, "HA4-ALT-09: S=0, so the care-of address is the inner source").ip(0, minimal_raw(0)).spoofed("rt_no_binding", COA)
case("minimal-ipip-whole", small_on, "HA4-ALT-10: IP-in-IP for fragments alone").ip(0, ipip(inner, src=COA, dst=HA)).spoofed("rt_encap_mismatch", COA)

# ---- NAT: HA4-NAT-20..22 ----

half = udp_binding(flags=B_UDP | B_HALF, care_of_port=5434)
case("half-bound-keepalive", base(half), "HA4-NAT-21: the answer goes where the keepalive came from").ip(0, vector("V05")).reverse(0, 44).forward(
    0, 44).count(keepalives_answered=1).event(EVENT_BOUND, id=0, address=NAT, udp_port=NATPORT).out(0, keepalive_reply)
c = case("half-bound-again", base(half), "HA4-NAT-21: told once, again after a second, at once when the endpoint is another")
for port, told in ((NATPORT, True), (NATPORT, False), (NATPORT + 1, True), (NATPORT, False), (0, False), (NATPORT, True)):
    if port == 0:
        c.step({"advance_ms": 1100})
        continue
    c.ip(0, mip_udp(IP(VECTORS["V05"][32:]), src=NAT, dst=HA, sport=port, dport=434)).reverse(0, 44).forward(0, 44).count(
        keepalives_answered=1).out(0, mip_udp(reply, dport=port))
    if told:
        c.event(EVENT_BOUND, id=0, address=NAT, udp_port=port)
case("half-bound-data", base(half)).ip(0, vector("V07")).spoofed("rt_no_binding", NAT, NATPORT)
other = mip_udp(IP(VECTORS["V05"][32:]), src="203.0.113.99", dst=HA, sport=NATPORT, dport=434)
case("half-bound-other-source", base(half), "HA4-NAT-22").ip(0, other).spoofed("rt_no_binding", "203.0.113.99", NATPORT)
case("nat-shared-address", base(udp_binding(), udp_binding(id=1, home="10.1.0.11", care_of_port=40008)), "HA4-NAT-17").ip(
    0, mip_udp(data(src="10.1.0.11", dst=CN), src=NAT, dst=HA, sport=40008, dport=434)).reverse(1, 28).out(2, less(data(src="10.1.0.11", dst=CN))).ip(
        0, mip_udp(data(src="10.1.0.11", dst=CN), src=NAT, dst=HA, sport=NATPORT, dport=434)).spoofed("rt_no_binding", NAT, NATPORT)
bad = mip_udp(inner, src=NAT, dst=HA, sport=NATPORT, dport=434)
bad[UDP].chksum = 0x1234
case("nat-checksum", base(udp_binding()), "HA4-NAT-25").ip(0, bad, mip_udp(inner, src=NAT, dst=HA, sport=NATPORT, dport=434, checksum_on=False)).drop(
    "udp_badsum").reverse(0, 28).out(2, less(inner))
case("nat-signalling-type4-same-tuple", base(udp_binding()), "HA4-MSG-03").ip(0, request(src=NAT, sport=NATPORT)).punt(
    1, rrq, source=NAT, destination=HA, source_port=NATPORT, ttl=64)
case("reverse-keepalive-without-t", base(udp_binding(), flags=REQUIRE_T | UDPF | CHECKSUM), "HA4-NAT-20: also with T=0").ip(0, vector("V05")).reverse(
    0, 44).forward(0, 44).out(0, keepalive_reply).count(keepalives_answered=1)
