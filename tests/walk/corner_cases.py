"""Corners of each step, for generate.py."""
from case_bed import *  # noqa: F403
from reverse_cases import inner
from forward_cases import small

# ---- corners of each step ----

tagged = lambda tci, body: Ether(dst=PORT[2], src=CNMAC, type=0x8100) / Raw(tci.to_bytes(2, "big") + b"\x08\0" + bytes(fresh(body)))
case("input-priority-tag", base(binding()), "VLAN 0 is no VLAN; a tag cut off").receive(2, tagged(0xe000, small)).forward(0, 58).out(
    0, ipip(less(small))).receive(2, Ether(dst=PORT[2], src=CNMAC, type=0x8100) / Raw(b"\0")).drop("rx_frame_short")
cut_arp = Ether(dst=BROADCAST, src=HOST, type=0x806) / Raw(bytes(ARP(op=1, psrc="10.1.0.99", pdst=HOA))[:27])
gratuitous = Ether(dst=BROADCAST, src=HOST) / ARP(op=2, hwsrc=HOST, psrc="10.1.0.99", pdst="10.1.0.99")
case("arp-odd", base(binding()), "cut off, an announcement of another, a sender that claims a group address").receive(
    1, cut_arp, gratuitous, Ether(dst=BROADCAST, src=HOST) / ARP(op=1, hwsrc="01:00:5e:00:00:01", psrc="10.1.0.99", pdst=HOA)).to_kernel(
        1, cut_arp, gratuitous).drop("source_invalid")
dns = IP(src=COA, dst=HA) / UDP(sport=9, dport=53)
short_icmp = IP(src=COA, dst=HA, proto=1) / Raw(b"\x08\0\xf7")
c = case("agent-to-kernel", base(binding()), "UDP to another port, ICMP cut off; a UDP header cut off is dropped")
kernel_copy(c.ip(0, dns), dns)
kernel_copy(c.ip(0, short_icmp), short_icmp)
c.ip(0, IP(src=COA, dst=HA, proto=17) / Raw(bytes(7))).drop("udp_short")
case("udp-tunnel-odd", base(udp_binding()), "an unknown Next Header; ESP's is not for here").ip(
    0, mip_udp(inner, src=NAT, dst=HA, sport=NATPORT, dport=434, nh=99)).drop("udp_tun_nh_mismatch")
um = fresh(minimal(inner, src=NAT, dst=HA))
case("reverse-udp-minimal", base(udp_binding(encapsulation=55))).ip(
    0, mip_udp(inner, src=NAT, dst=HA, sport=NATPORT, dport=434, nh=55, payload=bytes(um)[20:])).reverse(0, 28).out(2, less(fresh(
        IP(src=HOA, dst=CN, ttl=64, id=0, flags="DF", proto=17) / Raw(bytes(fresh(inner))[20:]))))
case("forward-no-route", [agent(), LINKS[0], LINKS[2], LINKS[4], binding()], "no way to the care-of address").ip(2, small).forward_octets(0, 1, 58).drop(
    "no_route").count(icmp_sent=1, created=1).out(2, icmp_error(3, 1, less(small), CN))
case("forward-simultaneous-expired", base(binding(expires_ms=1000), binding(id=1, care_of="198.51.100.99"), {"advance_ms": 1100}),
     "HA4-BND-06: the other one goes on").ip(2, small).forward(1, 58).out(0, ipip(less(small), dst="198.51.100.99"))
many_hops = [data(src=COA, dst="10.2.9.%d" % i) for i in range(65)]
c = case("neighbor-hops", base(), "64 next hops are waited for at once").ip(0, *many_hops).drop("neighbor_queue_full").count(held_neighbor=64)
for p in many_hops[:64]:
    c.event(EVENT_NEIGHBOR, address=p.dst)

# RFC 791 3.2: options with the copy bit go into every fragment, the others into the first.
options = b"\x94\x04\0\0" + b"\x01" + b"\x07\x07\x04\0\0\0\0"  # router alert, no operation, record route
body = bytes(i & 0xff for i in range(1400))
whole = IP(bytes([0x48, 0]) + bytes(fresh(IP(src=COA, dst=CN, ttl=64, id=44, proto=253)))[2:20] + options + body)
whole.len, whole.chksum = None, None
whole = fresh(whole)
assert IP(bytes(whole)).ihl == 8
first = IP(bytes(whole)[:32] + body[:968])
first.ttl, first.flags, first.len, first.chksum = 63, "MF", None, None
first = fresh(first)
later = fresh(IP(src=COA, dst=CN, ttl=63, id=44, proto=253, frag=121, options=IPOption(options[:4])) / Raw(body[968:]))
case("link-fragment-options", base({"port": {"index": 2, "mtu": 1000}})).ip(0, whole).count(fragments_made=2, created=1).out(2, first, later)
recut = fresh(IP(src=COA, dst=CN, id=45, proto=253, frag=10, flags="MF") / Raw(body[:1200]))
case("link-fragment-again", base({"port": {"index": 2, "mtu": 1000}}), "a fragment that is cut once more").ip(0, recut).count(fragments_made=2, created=1).out(
    2, fresh(IP(src=COA, dst=CN, ttl=63, id=45, proto=253, frag=10, flags="MF") / Raw(body[:976])),
    fresh(IP(src=COA, dst=CN, ttl=63, id=45, proto=253, frag=132, flags="MF") / Raw(body[976:1200])))
