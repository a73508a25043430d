"""Mobile networks (RFC 5177 6.3, 6.5, 7) for generate.py: one tunnel to a co-located care-of address, two to a foreign agent's, and
what comes back from the networks."""
from scapy.all import ICMP, IP, TCP, UDP, Ether, Raw, fragment

NODE = "172.16.5.9"


def add(g):
    case, base, binding, udp_binding, data, less, fresh, ipip = g.case, g.base, g.binding, g.udp_binding, g.data, g.less, g.fresh, g.ipip
    HA, HOA, COA, CN, NAT = g.HA, g.HOA, g.COA, g.CN, g.NAT
    network = {"prefix": {"prefix": "172.16.5.0/24", "id": 0}}

    def router(flags=g.B_REVERSE, **more):
        return [binding(flags=flags, **more), network]

    def wrapped(packet, **more):
        """The tunnel to the router's home address."""
        return ipip(packet, dst=HOA, **more)

    def forward(c, *sizes, id=0):
        """One of each: in the binding once, two headers put on."""
        return c.forward(id, *sizes).count(encapsulated=len(sizes))

    small = data(dst=NODE, size=30)
    home = data(size=30)

    # ---- HA4-NEMO-07: to the networks ----
    case("network-colocated", base(*router(g.B_REVERSE | g.B_COLOCATED)), "HA4-NEMO-07, D=1: one tunnel").ip(2, small, home).forward(
        0, 58, 58).out(0, ipip(less(small)), ipip(less(home)))
    forward(case("network-agent", base(*router()), "HA4-NEMO-07, D=0: two for the network, one for the router itself").ip(2, small).out(
        0, ipip(wrapped(less(small)))), 58).ip(2, home).forward(0, 58).out(0, ipip(less(home)))
    for name, number, wrap in (("gre", 47, g.gre), ("minimal", 55, g.minimal)):
        forward(case("network-agent-" + name, base(*router(encapsulation=number)), "the agent's encapsulation is around IP-in-IP").ip(2, small).out(
            0, wrap(wrapped(less(small)))), 58)
    forward(case("network-agent-udp", base(udp_binding(flags=g.B_UDP | g.B_REVERSE), network)).ip(2, small).out(
        0, g.mip_udp(wrapped(less(small)))), 58)
    tos = data(dst=NODE, tos=0xb9)
    forward(case("network-agent-tos", base(*router()), "HA4-FWD-06, -07: in both headers").ip(2, tos).out(0, ipip(wrapped(less(tos)))), 28)
    ttl = [g.agent(dscp=10, ttl=33)] + g.LINKS + router()
    forward(case("network-agent-style", ttl, "the agent's TTL and DSCP in both headers").ip(2, tos).out(
        0, ipip(wrapped(less(tos), ttl=33, tos=10 << 2 | 1), ttl=33)), 28)
    to = "198.51.100.210"
    df = data(dst=NODE, size=1, flags="DF")
    c = case("network-agent-df-copy", base(*router(care_of=to), flags=g.DF_COPY), "HA4-FWD-08, -09: DF=0 and a number in both, each its own destination's")
    c.steps[-2]["binding"]["home"] = "10.1.0.200"
    first = wrapped(less(data(dst=NODE)), df=False)
    first.dst = "10.1.0.200"
    second = wrapped(less(df))
    second.dst = "10.1.0.200"
    forward(c.ip(2, data(dst=NODE), df), 28, 29).out(0, ipip(fresh(first), dst=to, df=False), ipip(fresh(second), dst=to))
    forward(case("network-agent-nested", base(*router(), binding(id=1, home="10.1.0.11", care_of=NODE, flags=g.B_REVERSE | g.B_COLOCATED)),
                 "HA4-FWD-12: a visitor of the network has its tunnel inside both").ip(2, data(dst="10.1.0.11")).forward(1, 28).out(
                     0, ipip(wrapped(ipip(less(data(dst="10.1.0.11")), dst=NODE)))), 48)
    echo = IP(src=NODE, dst=HA) / ICMP(id=7, seq=1) / Raw(b"inside")
    answer = IP(src=HA, dst=NODE, id=2) / ICMP(type=0, id=7, seq=1) / Raw(b"inside")
    c = case("network-agent-echo", base(*router()), "the agent answers a node of the network the way it came")
    forward(c.ip(0, ipip(ipip(echo, src=HOA, dst=HA), src=COA, dst=HA)), len(answer)).reverse(0, 54).count(
        decapsulated=1, keepalives_answered=1).out(0, ipip(wrapped(answer)))

    # ---- path MTU: HA4-MTU-02..04, -15 with both headers ----
    for name, more, over, wrap in (("ipip", {}, 40, ipip), ("gre", {"encapsulation": 47}, 44, g.gre), ("minimal", {"encapsulation": 55}, 32, g.minimal)):
        fits, big = data(dst=NODE, size=1500 - over - 28, flags="DF"), data(dst=NODE, size=1500 - over - 27, flags="DF")
        c = case("network-mtu-" + name, base(*router(**more)), "HA4-MTU-03: the last that fits, the first that does not")
        forward(c.ip(2, fits, big), len(fits)).forward_octets(0, 1, len(big)).out(0, wrap(wrapped(less(fits)))).drop("mtu_df").count(
            icmp_sent=1, created=1).out(2, g.icmp_error(3, 4, less(big), CN, mtu=1500 - over))
        whole = data(dst=NODE, size=2000 - 28, id=300)
        parts = fragment(less(fresh(whole)), (1500 - over - 20) // 8 * 8)
        case("network-mtu-%s-fragments" % name, base(*router(**more)), "HA4-MTU-04: each fragment in both headers").ip(2, whole).forward_octets(
            0, 1, 2000).count(encapsulated=4, fragments_made=2, created=1).out(0, *[wrap(wrapped(fresh(p))) for p in parts])
    big = data(dst=NODE, size=1400 - 67, flags="DF")
    c = case("network-mtu-learned", base(*router()), "HA4-MTU-06: what the path to the agent is, less both headers")
    e = IP(src="198.51.100.1", dst=HA) / ICMP(type=3, code=4, nexthopmtu=1400) / Raw(bytes(fresh(ipip(wrapped(less(big)))))[:28])
    g.kernel_copy(c.ip(0, e), e)
    c.ip(2, big).forward_octets(0, 1, len(big)).drop("mtu_df").count(icmp_sent=1, created=1).out(2, g.icmp_error(3, 4, less(big), CN, mtu=1360))
    c = case("network-mtu-nested", base(*router(), binding(id=1, home="10.1.0.11", care_of=NODE, flags=g.B_REVERSE | g.B_COLOCATED)),
             "three headers around a visitor's datagram")
    fits, big = [data(dst="10.1.0.11", size=1500 - 60 - 28 + n, flags="DF") for n in (0, 1)]
    forward(c.ip(2, fits, big).forward(1, len(fits)), len(fits) + 20).forward_octets(1, 1, len(big)).out(
        0, ipip(wrapped(ipip(less(fits), dst=NODE)))).drop("mtu_df").count(icmp_sent=1, created=1).out(2, g.icmp_error(3, 4, less(big), CN, mtu=1440))
    syn = [IP(src=CN, dst=NODE) / TCP(flags="S", options=[("MSS", m)]) for m in (1460, 1420)]
    c = case("network-mss", base(*router(), flags=g.MSS), "HA4-MTU-15, both ways")
    forward(c.ip(2, syn[0]), 44).out(0, ipip(wrapped(less(fresh(syn[1])))))
    back = [IP(src=NODE, dst=CN) / TCP(flags="SA", options=[("MSS", m)]) for m in (1460, 1420)]
    c.ip(0, ipip(ipip(fresh(back[0]), src=HOA, dst=HA), src=COA, dst=HA)).reverse(0, 64).count(decapsulated=1).out(2, less(fresh(back[1])))
    sent = less(data(dst=NODE, tos=0x1c))
    e = IP(src="198.51.100.1", dst=HA) / ICMP(type=12, code=0, ptr=1) / Raw(bytes(fresh(ipip(wrapped(sent)))))
    c = case("network-parameter", base(*router()), "HA4-MTU-09: told to the sender, whose header is behind both of ours")
    g.kernel_copy(c.ip(0, e), e).count(icmp_sent=1, created=1).out(
        2, IP(src=HA, dst=CN, ttl=64, id=0, tos=0xc0) / ICMP(type=12, code=0, ptr=1) / Raw(bytes(sent)))

    # ---- HA4-NEMO-08, -09: from the networks ----
    out = data(src=NODE, dst=CN, size=4)

    def single(packet, **more):
        return ipip(packet, **dict(dict(src=COA, dst=HA), **more))

    def double(packet, **more):
        return single(ipip(packet, **dict(dict(src=HOA, dst=HA), **more)))

    for name, flags in (("agent", g.B_REVERSE), ("colocated", g.B_REVERSE | g.B_COLOCATED)):
        case("network-reverse-" + name, base(*router(flags)), "HA4-NEMO-08: in one tunnel, and in the router's own inside it").ip(
            0, single(out), double(out)).reverse(0, 32, 52).count(decapsulated=1).out(2, less(out), less(out))
    case("network-reverse-udp", base(udp_binding(flags=g.B_UDP | g.B_REVERSE), network)).ip(
        0, g.mip_udp(ipip(out, src=HOA, dst=HA), src=NAT, dst=HA, sport=g.NATPORT, dport=434)).reverse(0, 52).count(decapsulated=1).out(2, less(out))
    case("network-reverse-gre", base(*router(encapsulation=47))).ip(0, g.gre(ipip(out, src=HOA, dst=HA), src=COA, dst=HA)).reverse(0, 52).count(
        decapsulated=1).out(2, less(out))
    other = data(src="172.16.6.9", dst=CN)
    case("network-reverse-elsewhere", base(*router()), "HA4-NEMO-08: outside the networks").ip(0, single(other), double(other)).reverse(0, 48).spoofed(
        "rt_no_binding", COA).spoofed("rt_no_binding", HOA)
    case("network-reverse-home-inside", base(*router()), "HA4-NEMO-08: two tunnels are for the networks alone").ip(
        0, double(data(src=HOA, dst=CN))).reverse(0, 48).spoofed("rt_no_binding", HOA)
    case("network-reverse-care-of", base(*router()), "RFC 5177 7: from another care-of address, or none").ip(
        0, single(out, src="198.51.100.99"), single(ipip(out, src=HOA, dst=HA), src="198.51.100.99"), ipip(out, src=HOA, dst=HA)).spoofed(
            "rt_no_binding", "198.51.100.99").spoofed("rt_no_binding", "198.51.100.99").spoofed("rt_no_binding", HOA)
    two = router() + [binding(id=1, home="10.1.0.11", care_of="198.51.100.77", flags=g.B_REVERSE), {"prefix": {"prefix": "172.16.6.0/24", "id": 1}}]
    case("network-reverse-other-router", base(*two), "another router's tunnel, or another's network in one's own").ip(
        0, double(other), single(ipip(out, src=HOA, dst=HA), src="198.51.100.77"),
        single(ipip(other, src="10.1.0.11", dst=HA), src=COA)).reverse(0, 48).spoofed("rt_no_binding", HOA).spoofed(
            "rt_no_binding", "198.51.100.77").spoofed("rt_no_binding", COA)
    case("network-reverse-gre-inside", base(*router()), "the router's own tunnel is IP-in-IP").ip(
        0, single(g.gre(out, src=HOA, dst=HA))).reverse(0, 56).spoofed("rt_no_binding", HOA)
    parts = [fresh(p) for p in fragment(fresh(IP(src=HOA, dst=HA, proto=4, id=31) / Raw(bytes(fresh(data(src=NODE, dst=CN, size=100))))), 64)]
    case("network-reverse-fragments", base(*router()), "HA4-REV-19: the router's own tunnel in fragments").ip(
        0, *[single(p) for p in parts]).reverse(0, *[len(p) for p in parts]).count(
            decapsulated=1, reassembled=1, joined=len(parts) - 1).out(2, less(data(src=NODE, dst=CN, size=100)))
    case("network-reverse-t0", base(*router(0)), "HA4-NEMO-09: forward alone; the router itself as HA4-REV-05 says").ip(
        0, single(out), double(out), single(data(src=HOA, dst=CN))).reverse(0, 52, 28).drop("rt_not_granted", 2).out(2, less(data(src=HOA, dst=CN)))
    forward(case("network-forward-t0", base(*router(0)), "HA4-NEMO-09: forward goes on").ip(2, small).out(0, ipip(wrapped(less(small)))), 58)
    case("network-away", base(binding(flags=g.B_REVERSE, expires_ms=5000), network, {"route": {"prefix": "172.16.0.0/16", "port": 2}}),
         "RFC 5177 6.7: no binding, no networks").step({"advance_ms": 5200}).ip(0, double(out)).spoofed("rt_no_binding", COA)
