"""The way out: order within a burst, checksums left to the device, links; and reassembly, for generate.py."""
from case_bed import *  # noqa: F403
from reverse_cases import bad, inner
from input_cases import fragments, keepalive_reply, rrq, v01
from forward_cases import nest, small

# ---- order within a burst: HA4-FWD-17 ----

# Every datagram of the flow leaves behind the one that came before it, whatever way it took.
def one(size, id, **more):
    return data(size=size, id=id, **more)


def fragments_of(packet, over):
    return [fresh(p) for p in fragment(less(fresh(packet)), (1500 - over - 20) // 8 * 8)]


whole = [one(30, 1), one(1972, 2), one(31, 3), one(1972, 4), one(32, 5)]
for name, make, over, wrap in (("ipip", binding, 20, ipip), ("gre", lambda: binding(encapsulation=47), 24, gre), ("udp", udp_binding, 32, mip_udp)):
    c = case("order-%s-cut" % name, base(make())).burst(2, *whole)
    for p in whole:
        if len(p) <= 1500 - over:
            c.forward(0, len(p)).out(0, wrap(less(p)))
            continue
        parts = fragments_of(p, over)
        c.forward_octets(0, 1, len(p)).count(encapsulated=len(parts), fragments_made=len(parts), created=len(parts) - 1).out(
            0, *[wrap(q) for q in parts])
parts = fragment(one(60, 9), 32)
mixed = [one(30, 1), parts[0], one(31, 2), parts[1], parts[2], one(32, 3)]
c = case("order-minimal-fragments", base(binding(encapsulation=55)), "fragments go IP-in-IP beside minimal encapsulation").burst(2, *mixed)
for p in mixed:
    p = fresh(p)
    c.forward(0, len(p)).out(0, (ipip if p.frag or p.flags.MF else minimal)(less(p)))
parts = [fresh(p) for p in fragment(fresh(data(src=HOA, dst=CN, size=60, id=9)), 32)]
mixed = [data(src=HOA, dst=CN, size=30, id=1), parts[0], data(src=HOA, dst=CN, size=31, id=2), parts[1], parts[2], data(src=HOA, dst=CN, size=32, id=3)]
c = case("order-minimal-reverse", base(binding(encapsulation=55)), "HA4-ALT-10").burst(
    0, *[fresh((ipip if p.frag or p.flags.MF else minimal)(fresh(p), src=COA, dst=HA)) for p in mixed])
for p in mixed:
    c.reverse(0, len(fresh(p))).out(2, less(fresh(p)))
inners = [data(src=HOA, dst=CN, size=size, id=i) for i, size in enumerate((30, 900, 31, 32))]
outer = [fragment(fresh(ipip(p, src=COA, dst=HA, df=False)), 500) if len(p) > 500 else [ipip(p, src=COA, dst=HA)] for p in inners]
assert len(outer[1]) == 2
c = case("order-reassembled", base(binding()), "joined: where its last fragment came").burst(
    0, *outer[0], outer[1][0], *outer[2], outer[1][1], *outer[3]).count(reassembled=1, joined=1)
for i in (0, 2, 1, 3):
    c.reverse(0, len(inners[i])).out(2, less(fresh(inners[i])))
late = [data(src=COA, dst="10.2.0.77", id=i, size=s) for i, s in enumerate((10, 1400, 11))]
c = case("order-neighbor", base({"port": {"index": 2, "mtu": 1000}}), "what waited goes before what comes, fragments in their place").burst(
    0, *late).step({"neighbor": {"address": "10.2.0.77", "port": 2, "mac": 0x4d}}).burst(0, data(src=COA, dst="10.2.0.77", id=9, size=1400), data(
        src=COA, dst="10.2.0.77", id=10)).event(EVENT_NEIGHBOR, address="10.2.0.77").count(fragments_made=4, created=2)
for p in late + [data(src=COA, dst="10.2.0.77", id=9, size=1400), data(src=COA, dst="10.2.0.77", id=10)]:
    c.out(2, *([less(p)] if len(p) <= 1000 else [fresh(q) for q in fragment(less(p), 976)]), dst="02:00:00:00:ee:4d")
c = case("order-copies", base(binding(), udp_binding(id=1)), "each copy's tunnel sees the order").burst(2, *whole).count(created=len(whole))
for p in whole:
    for id, over, wrap in ((0, 20, ipip), (1, 32, mip_udp)):
        if len(p) <= 1500 - over:
            c.forward(id, len(p)).out(0, wrap(less(p)))
            continue
        parts = fragments_of(p, over)
        c.forward_octets(id, 1, len(p)).count(encapsulated=len(parts), fragments_made=len(parts), created=len(parts) - 1).out(
            0, *[wrap(q) for q in parts])

# ---- checksums left to the device: the same octets on the wire, whoever writes them ----

offload = {"port": {"index": 0, "tx_ipv4": 1, "tx_udp": 1}}
opted = data(size=30, options=IPOption(b"\x94\x04\0\0"))
for name, make, packet, wrap, finished in (
        ("ipip", binding, small, ipip, (1, 0)), ("gre", lambda: binding(encapsulation=47), small, gre, (1, 0)),
        ("minimal", lambda: binding(encapsulation=55), opted, minimal, (1, 0)), ("udp", udp_binding, small, mip_udp, (1, 1)),
        ("udp-odd", udp_binding, data(size=31), mip_udp, (1, 1))):
    packet = fresh(packet)
    case("offload-" + name, base(make(), offload)).ip(2, packet).forward(0, len(packet)).out(0, wrap(less(packet))).finished_by_device(*finished)
case("offload-ipv4-alone", base(udp_binding(), {"port": {"index": 0, "tx_ipv4": 1}})).ip(2, small).forward(0, 58).out(
    0, mip_udp(less(small))).finished_by_device(1, 0)
case("offload-no-udp-checksum", base(udp_binding(), offload, flags=UDPF)).ip(2, small).forward(0, 58).out(
    0, mip_udp(less(small), checksum_on=False)).finished_by_device(1, 0)
case("offload-keepalive", base(udp_binding(), offload)).ip(0, vector("V05")).reverse(0, 44).forward(0, 44).out(0, keepalive_reply).count(
    keepalives_answered=1).finished_by_device(1, 1)
case("offload-nested", base(*(nest + [offload])), "the outermost header alone").ip(2, data(dst="10.1.0.11")).forward(1, 28).forward(0, 48).out(
    0, ipip(ipip(less(data(dst="10.1.0.11")), dst=HOA))).finished_by_device(1, 0)
case("offload-other-port", base(binding(), {"port": {"index": 2, "tx_ipv4": 1, "tx_udp": 1}})).ip(2, small).forward(0, 58).out(0, ipip(less(small)))
case("offload-transit", base(offload), "a header that only lost a hop is right already").ip(2, data(src=CN, dst="192.0.2.77")).out(
    0, less(data(src=CN, dst="192.0.2.77")))
good = {"port": {"index": 0, "rx_good": 1}}
case("rx-checksum-good", base(udp_binding(), good), "the device's word is taken for the outer headers, never for what is inside").ip(
    0, bad, mip_udp(data(src=HOA, dst=CN, chksum=0x1111), src=NAT, dst=HA, sport=NATPORT, dport=434)).reverse(0, 28).out(2, less(inner)).drop("rt_inner_bad")
case("rx-checksum-good-reassembled", base(good), "no device sees the sum over fragments").ip(0, *fragment(
    fresh(IP(src=COA, dst=HA, id=78) / UDP(sport=5434, dport=434, chksum=0x1234) / Raw(rrq + bytes(700))), 400)).drop("udp_badsum").count(
        reassembled=1, joined=len(fragments) - 1)
case("rx-checksum-bad", base({"port": {"index": 0, "rx_bad": 1}}), "looked at again: a right one passes").ip(0, vector("V01"), vector("N14")).punt(
    1, v01[28:], source=COA, destination=HA, source_port=5434, ttl=IP(v01).ttl).drop("udp_badsum")

# ---- links ----

whole = data(src=COA, dst=CN, size=1472, id=300)
parts = fragment(less(fresh(whole)), 976)
case("link-fragments", base({"port": {"index": 2, "mtu": 1000}})).ip(0, whole).count(fragments_made=2, created=1).out(2, *[fresh(p) for p in parts])
df = data(src=COA, dst=CN, size=1472, flags="DF")
case("link-df", base({"port": {"index": 2, "mtu": 1000}})).ip(0, df).drop("mtu_df").count(icmp_sent=1, created=1).out(
    0, icmp_error(3, 4, less(df), COA, mtu=1000))
unknown = data(src=COA, dst="10.2.0.77")
case("neighbor-late", base(), "held until control tells, in order").ip(0, unknown, data(src=COA, dst="10.2.0.77", id=2)).step(
    {"neighbor": {"address": "10.2.0.77", "port": 2, "mac": 0x4d}}).step({"advance_ms": 100}).event(EVENT_NEIGHBOR, address="10.2.0.77").out(
        2, less(unknown), less(data(src=COA, dst="10.2.0.77", id=2)), dst="02:00:00:00:ee:4d")
c = case("neighbor-never", base()).ip(0, *[data(src=COA, dst="10.2.0.77", id=i) for i in range(10)]).step({"advance_ms": 3500})
c.drop("neighbor_queue_full", 2).drop("neighbor_unresolved", 8).count(icmp_sent=8, created=8)
for i in range(8):
    c.out(0, icmp_error(3, 1, less(data(src=COA, dst="10.2.0.77", id=i)), COA, id=i))
for i in range(3):
    c.event(EVENT_NEIGHBOR, address="10.2.0.77")
c = case("neighbor-held", base()).ip(0, unknown).count(held_neighbor=1).event(EVENT_NEIGHBOR, address="10.2.0.77")

# ---- reassembly: HA4-MTU-16 ----

outer = fresh(ipip(data(src=HOA, dst=CN, size=900), src=COA, dst=HA, df=False, ))
fr = fragment(outer, 400)
case("reassembly-held", base(binding())).ip(0, fr[0], fr[2]).count(held_reassembly=2)
case("reassembly-timeout", base(binding())).ip(0, fr[0], fr[2]).step({"advance_ms": 30500}).drop("reasm_timeout", 2)
overlap = IP(bytes(fr[1]))
overlap.frag -= 8
del overlap.chksum
case("reassembly-overlap", base(binding()), "the whole datagram is gone").ip(0, fr[0], overlap, fr[1], fr[2]).drop("reasm_overlap", 2).count(
    held_reassembly=2)
case("reassembly-duplicate", base(binding())).ip(0, fr[0], fr[0], fr[1], fr[2]).drop("reasm_overlap").count(reassembled=1, joined=2).reverse(0, 928).out(
    2, less(fresh(data(src=HOA, dst=CN, size=900))))
tiny = IP(src=COA, dst=HA, proto=4, flags="MF", id=3) / Raw(bytes(8))
case("reassembly-tiny", base(binding())).ip(0, tiny).drop("reasm_tiny")
case("reassembly-too-long", base(binding())).ip(0, IP(bytes(IP(src=COA, dst=HA, proto=4, frag=8190, id=3) / Raw(bytes(100))))).drop("ipv4_header")
flood = [IP(src=COA, dst=HA, proto=4, flags="MF", id=i) / Raw(bytes(64)) for i in range(12)]
case("reassembly-limit", base(binding()), "an eighth of the table for one source").ip(0, *flood).drop("reasm_limit", 4).count(held_reassembly=8)

big = data(src=HOA, dst=CN, size=900)
for name, make, wrapped, over in (("gre", lambda: binding(encapsulation=47), gre(big, src=COA, dst=HA), 24),
                                  ("minimal", lambda: binding(encapsulation=55), minimal(big, src=COA, dst=HA), 12),
                                  ("udp", udp_binding, mip_udp(big, src=NAT, dst=HA, sport=NATPORT, dport=434), 32)):
    wrapped = fresh(wrapped)
    wrapped.flags, wrapped.chksum = 0, None
    fr = fragment(fresh(wrapped), 400)
    case("reassembly-" + name, base(make()), "HA4-MTU-16, HA4-REV-19").ip(0, fr[1], fr[2], fr[0]).reverse(0, 928).out(2, less(fresh(big))).count(
        reassembled=1, joined=2)
flood = [fresh(p) for p in fragment(fresh(IP(src=COA, dst=HA, proto=4, id=4) / Raw(bytes(8 * 70))), 8)]
flood[0] = fresh(IP(src=COA, dst=HA, proto=4, id=4, flags="MF") / Raw(bytes(16)))
del flood[1]
case("reassembly-many", base(binding()), "more than 64 fragments: the datagram is gone").ip(0, *flood[:65]).drop("reasm_limit", 65)
# 131,070 octets for one source: the 94th of 1400 is one too many; its datagram's nine others go with it, the last two begin anew
hoard = [IP(src=COA, dst=HA, proto=4, id=i, frag=k * 175, flags="MF") / Raw(bytes(1400)) for i in range(8) for k in range(12)]
case("reassembly-octets", base(binding()), "HA4-MTU-16: octets of one source").ip(0, *hoard).drop("reasm_limit", 10).count(held_reassembly=86)
last = [fresh(p) for p in fragment(fresh(ipip(big, src=COA, dst=HA, df=False)), 400)]
beyond = fresh(IP(src=COA, dst=HA, proto=4, id=last[0].id, frag=(last[2].frag * 8 + len(last[2]) - 20 + 7) // 8 + 1) / Raw(bytes(8)))
case("reassembly-beyond-end", base(binding()), "two ends: the whole datagram is gone").ip(0, last[0], last[2], beyond).drop("reasm_overlap", 3)
other_end = fresh(IP(src="198.51.100.24", dst=HA, proto=4, id=last[0].id, frag=last[1].frag, flags="MF") / Raw(bytes(last[1].payload)))
case("reassembly-other-source", base(binding()), "same identification, another sender").ip(0, last[0], other_end, last[2]).count(held_reassembly=3)
