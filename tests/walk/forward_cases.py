"""To mobile nodes: bindings, encapsulations, broadcast, what control injects, for generate.py."""
from case_bed import *  # noqa: F403

# ---- forward ----

small = data(size=30)
case("forward-gre", base(binding(encapsulation=47))).ip(2, small).forward(0, 58).out(0, gre(less(small)))
case("forward-minimal", base(binding(encapsulation=55))).ip(2, small).forward(0, 58).out(0, minimal(less(small)))
case("forward-udp-gre", base(udp_binding(encapsulation=47))).ip(2, small).forward(0, 58).out(
    0, mip_udp(less(small), nh=47, payload=b"\0\0\x08\0" + bytes(less(small))))
m = bytes(minimal(less(small)))
case("forward-udp-minimal", base(udp_binding(encapsulation=55))).ip(2, small).forward(0, 58).out(
    0, mip_udp(less(small), nh=55, payload=m[20:]))
case("forward-udp-no-checksum", base(udp_binding(), flags=UDPF)).ip(2, small).forward(0, 58).out(0, mip_udp(less(small), checksum_on=False))
case("forward-ttl", base(binding()), "HA4-FWD-03").ip(2, data(ttl=1), data(ttl=0)).drop("ttl", 2).count(icmp_sent=2, created=2).out(
    2, icmp_error(11, 0, data(ttl=1), CN), icmp_error(11, 0, data(ttl=0), CN, id=1))
case("forward-ttl-2", base(binding())).ip(2, data(ttl=2)).forward(0, 28).out(0, ipip(less(data(ttl=2))))
case("forward-tos", base(binding()), "HA4-FWD-06, -07").ip(2, data(tos=0xb9)).forward(0, 28).out(0, ipip(less(data(tos=0xb9))))
case("forward-dscp-fixed", [agent(dscp=10)] + LINKS + [binding()]).ip(2, data(tos=0xb9)).forward(0, 28).out(
    0, ipip(less(data(tos=0xb9)), tos=10 << 2 | 1))
case("forward-ecn-compatibility", base(binding(flags=B_ECN))).ip(2, data(tos=0xb9)).forward(0, 28).out(
    0, ipip(less(data(tos=0xb9)), tos=0xb8))
case("forward-df-copy", base(binding(), flags=DF_COPY)).ip(2, data(flags="DF")).forward(0, 28).out(0, ipip(less(data(flags="DF"))))
case("forward-options", base(binding()), "options stay inside (HA4-FWD-02, -05)").ip(
    2, data(options=IPOption(b"\x94\x04\0\0"))).forward(0, 32).out(0, ipip(less(fresh(data(options=IPOption(b"\x94\x04\0\0"))))))
case("forward-loop-own", base(binding(), {"local": {"address": "10.2.0.1", "port": 2}}), "HA4-FWD-10").ip(
    2, data(src="10.2.0.1"), data(src=COA), data(src=HA)).drop("fwd_loop", 3)
case("forward-nested-ipip", base(binding()), "HA4-FWD-11: another's IP-in-IP is encapsulated once more").ip(
    2, IP(src="10.2.0.9", dst=HOA, ttl=64) / data(src="10.3.0.1", dst="10.4.0.1")).forward(0, 48).out(
        0, ipip(less(fresh(IP(src="10.2.0.9", dst=HOA, ttl=64) / data(src="10.3.0.1", dst="10.4.0.1")))))
for flag, reason in ((B_HALF | B_UDP, "fwd_half_bound"), (B_STALE, "fwd_stale_nat"), (B_SUSPENDED, "fwd_suspended"), (B_IPSEC, "fwd_needs_ipsec")):
    make = udp_binding if flag & B_UDP else binding
    c = case("forward-" + reason[4:].replace("_", "-"), base(make(flags=flag))).ip(2, small).drop(reason)
    if flag == B_IPSEC:  # HA4-MODE-06: tunnelled, and then no SA takes it
        c.forward(0, len(small))
case("forward-expired", base(binding(expires_ms=1000)), "HA4-BND-06: control is dead, the binding ends").ip(2, small).step(
    {"advance_ms": 1100}).step({"neighbor": {"address": HOA, "port": 1, "mac": 0x77}}).ip(2, small).forward(0, 58).out(
        0, ipip(less(small))).out(1, less(small))
two = [binding(), binding(id=1, care_of="198.51.100.99"), udp_binding(id=2)]
c = case("forward-simultaneous", base(*two), "HA4-BND-08, -09, HA4-FWD-13").ip(2, small).count(created=2)
for id in range(3):
    c.forward(id, 58)
case("forward-to-other-node", base(binding(), binding(id=1, home="10.1.0.11", care_of="198.51.100.99")), "HA4-FWD-14").ip(
    0, ipip(data(src=HOA, dst="10.1.0.11"), src=COA, dst=HA)).reverse(0, 28).forward(1, 28).out(
        0, ipip(less(data(src=HOA, dst="10.1.0.11")), dst="198.51.100.99"))
nest = [binding(), binding(id=1, home="10.1.0.11", care_of=HOA)]
case("forward-nested", base(*nest), "HA4-FWD-12").ip(2, data(dst="10.1.0.11")).forward(1, 28).forward(0, 48).out(
    0, ipip(ipip(less(data(dst="10.1.0.11")), dst=HOA)))
case("forward-nested-loop", base(binding(care_of="10.1.0.11"), binding(id=1, home="10.1.0.11", care_of=HOA))).ip(2, small).forward_octets(
    0, 1, 58).drop("fwd_nest")
fr = fragment(data(size=60, id=9), 32)
c = case("forward-fragments", base(binding()), "HA4-FWD-15").ip(2, *fr).forward(0, *[len(f) for f in fr]).out(0, *[ipip(less(fresh(f))) for f in fr])
fm = case("forward-minimal-fragments", base(binding(encapsulation=55)), "HA4-ALT-08").ip(2, *fr).forward(0, *[len(f) for f in fr]).out(
    0, *[ipip(less(fresh(f))) for f in fr])
case("home-link", base({"neighbor": {"address": HOA, "port": 1, "mac": 0x77}}), "HA4-HOME-10").ip(2, small).out(1, less(small))
case("home-virtual", [agent(), {"home_network": {"prefix": "10.1.0.0/16"}}] + LINKS[1:], "HA4-HOME-10").ip(2, small).drop(
    "home_unreachable").count(icmp_sent=1, created=1).out(2, icmp_error(3, 1, less(small), CN))
case("home-directed-broadcast", base()).ip(2, data(dst="10.1.255.255")).drop("broadcast")
case("away-source-accept", base(binding())).ip(1, data(src=HOA, dst=CN)).out(2, less(data(src=HOA, dst=CN)))
case("away-source-log", base(binding(), flags=AWAY_LOG)).ip(1, data(src=HOA, dst=CN)).out(2, less(data(src=HOA, dst=CN))).event(
    EVENT_AWAY, id=0, address=HOA)
case("away-source-drop", base(binding(), flags=AWAY_DROP)).ip(1, data(src=HOA, dst=CN)).drop("away_source").event(EVENT_AWAY, id=0, address=HOA)
case("route-missing", [agent(), LINKS[2], LINKS[4]]).ip(2, data(dst="8.8.8.8")).drop("no_route").count(icmp_sent=1, created=1).out(
    2, icmp_error(3, 0, less(data(dst="8.8.8.8")), CN))
case("route-flags", base({"route": {"prefix": "10.66.0.0/16", "port": 0, "flags": 1}}, {"route": {"prefix": "10.67.0.0/16", "port": 0, "flags": 2}})).ip(
    2, data(dst="10.66.0.1"), data(dst="10.67.0.1")).drop("route_blackhole").drop("no_route").count(icmp_sent=1, created=1).out(
        2, icmp_error(3, 1, less(data(dst="10.67.0.1")), CN))
case("port-down", base({"port": {"index": 2, "up": 0}})).ip(0, data(src=COA, dst=CN)).drop("port_down")

# Copies leave step by step: IP-in-IP ones first, then UDP; among them the newest binding first, as the table chains them.
sim = next(c for c in CASES if c.name == "forward-simultaneous")
sim.out(0, ipip(less(small), dst="198.51.100.99"), ipip(less(small)), mip_udp(less(small)))

# ---- broadcast: HA4-BCM ----

dhcp = IP(src="10.1.0.50", dst="10.1.255.255", ttl=1) / UDP(sport=137, dport=137) / Raw(b"name")
frame = Ether(dst=BROADCAST, src=HOST) / dhcp
network = {"home_network": {"prefix": "10.1.0.0/16", "port": 1, "flags": 2, "broadcast_port": 137}}
case("broadcast-b0", [agent()] + LINKS + [network, binding()], "HA4-BCM-01").receive(1, frame).to_kernel(1, frame)
case("broadcast-b1-d1", [agent()] + LINKS + [network, binding(flags=B_BROADCAST | B_COLOCATED)], "HA4-BCM-02, -03").receive(1, frame).to_kernel(
    1, frame).count(created=1).forward(0, len(dhcp)).out(0, ipip(dhcp))
case("broadcast-b1-d0", [agent()] + LINKS + [network, binding(flags=B_BROADCAST)], "HA4-BCM-03: to the home address first").receive(1, frame).to_kernel(
    1, frame).count(created=1, encapsulated=1).forward(0, len(dhcp)).out(0, ipip(ipip(dhcp, dst=HOA)))
off = {"home_network": {"prefix": "10.1.0.0/16", "port": 1, "flags": 2, "broadcast_port": 138}}
case("broadcast-other-port", [agent()] + LINKS + [off, binding(flags=B_BROADCAST)]).receive(1, frame).to_kernel(1, frame)
rated = {"home_network": {"prefix": "10.1.0.0/16", "port": 1, "flags": 2, "broadcast_port": 0xffff, "broadcast_rate": 2}}
case("broadcast-rate", [agent()] + LINKS + [rated, binding(flags=B_BROADCAST | B_COLOCATED)], "HA4-BCM-02: two at once, two a second").receive(
    1, *[frame] * 4).step({"advance_ms": 600}).receive(1, frame, frame).to_kernel(1, *[frame] * 6).count(created=3).forward(0, *[len(dhcp)] * 3).out(
        0, *[ipip(dhcp)] * 3)
group = Ether(dst="01:00:5e:00:00:fb", src=HOST) / IP(src="10.1.0.50", dst="224.0.0.251", ttl=1) / UDP(sport=5353, dport=5353)
case("broadcast-multicast", [agent()] + LINKS + [rated, binding(flags=B_BROADCAST)], "HA4-BCM-04: no multicast to nodes").receive(1, group).to_kernel(1, group)
case("broadcast-frame-unicast", base(binding()), "HA4-BCM-06").receive(1, Ether(dst=BROADCAST, src=HOST) / data(src="10.1.0.50")).drop(
    "link_broadcast_unicast")

# ---- inject ----

rrp = IP(src=HA, dst=HOA, ttl=64) / UDP(sport=434, dport=5434) / Raw(b"reply")
case("inject-bypass", base(binding(), {"neighbor": {"address": HOA, "port": 1, "mac": 0x77}}), "HA4-MSG-11").inject(
    2, 0, Ether(dst=HOST, src=PORT[0]) / rrp, flags=1).out(1, rrp)
case("inject-tunnelled", base(binding())).inject(2, 0, Ether(dst=HOST, src=PORT[0]) / rrp).forward(0, len(rrp)).out(0, ipip(rrp))
case("inject-to-mac", base(binding())).inject(3, 1, Ether(dst=HOST, src=PORT[1]) / rrp).out(1, rrp)
case("inject-bad", base()).inject(2, 0, Ether(dst=HOST, src=PORT[0]) / Raw(bytes(30))).drop("inject_bad")
