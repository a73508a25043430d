"""What does not fit a tunnel, and ICMP about tunnels, for generate.py."""
from case_bed import *  # noqa: F403
from reverse_cases import inner
from forward_cases import small

# ---- MTU: HA4-MTU-02..08 ----

for name, make, over, wrap in (("ipip", binding, 20, ipip), ("gre", lambda: binding(encapsulation=47), 24, gre), ("udp", udp_binding, 32, mip_udp)):
    fits, big = data(size=1500 - over - 28, flags="DF"), data(size=1500 - over - 27, flags="DF")
    case("mtu-%s" % name, base(make()), "HA4-MTU-03: the last that fits, the first that does not").ip(2, fits, big).forward(
        0, len(fits)).forward_octets(0, 1, len(big)).out(0, wrap(less(fits))).drop("mtu_df").count(icmp_sent=1, created=1).out(
            2, icmp_error(3, 4, less(big), CN, mtu=1500 - over))
    whole = data(size=2000 - 28, id=300)
    parts = fragment(less(fresh(whole)), (1500 - over - 20) // 8 * 8)
    case("mtu-%s-fragments" % name, base(make()), "HA4-MTU-04").receive(
        2, *[Ether(dst=PORT[2], src=CNMAC) / whole]).forward_octets(0, 1, 2000).count(
            encapsulated=2, fragments_made=2, created=1).out(0, *[wrap(fresh(p)) for p in parts])
fits = data(size=1500 - 12 - 28, flags="DF")
big = data(size=1500 - 12 - 27, flags="DF")
case("mtu-minimal", base(binding(encapsulation=55))).ip(2, fits, big).forward(0, 1488).forward_octets(0, 1, 1489).out(0, minimal(less(fits))).drop(
    "mtu_df").count(icmp_sent=1, created=1).out(2, icmp_error(3, 4, less(big), CN, mtu=1488))
for size in (576, 1006, 1280, 1400, 1492):
    case("mtu-cap-%d" % size, base(binding(path_mtu=size))).ip(2, data(size=size - 48, flags="DF"), data(size=size - 47, flags="DF")).forward(
        0, size - 20).forward_octets(0, 1, size - 19).out(0, ipip(less(data(size=size - 48, flags="DF")))).drop("mtu_df").count(
            icmp_sent=1, created=1).out(2, icmp_error(3, 4, less(data(size=size - 47, flags="DF")), CN, mtu=size - 20))


def about_tunnel(type, code, mtu=0, quoted=None, extra=b""):
    quoted = quoted or ipip(data(size=1452))
    return IP(src="198.51.100.1", dst=HA) / ICMP(type=type, code=code, nexthopmtu=mtu) / Raw(bytes(fresh(quoted))[:28] + extra)


big = data(size=1400 - 47, flags="DF")
c = case("path-mtu-learned", base(binding()), "HA4-MTU-06, -08")
e = about_tunnel(3, 4, 1400)
kernel_copy(c.ip(0, e), e)
c.ip(2, big).forward_octets(0, 1, len(big)).drop("mtu_df").count(icmp_sent=1, created=1).out(2, icmp_error(3, 4, less(big), CN, mtu=1380))
c = case("path-mtu-floor", base(binding()), "HA4-MTU-06: never under 576")
e = about_tunnel(3, 4, 100)
kernel_copy(c.ip(0, e), e)
c.ip(2, big).forward_octets(0, 1, len(big)).drop("mtu_df").count(icmp_sent=1, created=1).out(2, icmp_error(3, 4, less(big), CN, mtu=556))
c = case("path-mtu-plateau", base(binding()), "HA4-MTU-06: a router that tells no MTU")
e = about_tunnel(3, 4, 0)
kernel_copy(c.ip(0, e), e)
big2 = data(size=1492 - 47, flags="DF")
c.ip(2, big2).forward_octets(0, 1, len(big2)).drop("mtu_df").count(icmp_sent=1, created=1).out(2, icmp_error(3, 4, less(big2), CN, mtu=1472))
c = case("path-mtu-raise-ignored", base(binding()))
for m in (1400, 1450):
    e = about_tunnel(3, 4, m)
    kernel_copy(c.ip(0, e), e)
c.ip(2, big).forward_octets(0, 1, len(big)).drop("mtu_df").count(icmp_sent=1, created=1).out(2, icmp_error(3, 4, less(big), CN, mtu=1380))
c = case("path-mtu-forgotten", base(binding()), "HA4-MTU-07")
e = about_tunnel(3, 4, 1400)
kernel_copy(c.ip(0, e), e)
c.step({"advance_ms": 601000}).ip(2, big).forward(0, len(big)).out(0, ipip(less(big)))
c = case("path-mtu-not-ours", base(binding()), "HA4-MTU-06: other quotes change nothing")
wrong = [about_tunnel(3, 4, 600, ipip(data(), src="192.0.2.9")), about_tunnel(3, 4, 600, ipip(data(), dst="198.51.100.24")),
         about_tunnel(3, 4, 600, gre(data())), about_tunnel(3, 4, 600, mip_udp(data(), dst=COA))]
for e in wrong:
    kernel_copy(c.ip(0, e), e)
c.ip(2, big).forward(0, len(big)).out(0, ipip(less(big)))
c = case("path-mtu-udp-ports", base(udp_binding()), "HA4-MTU-06: the ports too")
for e in (about_tunnel(3, 4, 600, mip_udp(data(), dport=NATPORT + 1)), about_tunnel(3, 4, 600, mip_udp(data(), sport=435))):
    kernel_copy(c.ip(0, e), e)
e = about_tunnel(3, 4, 1200, mip_udp(data()))
c.ip(2, big).forward(0, len(big)).out(0, mip_udp(less(big)))
kernel_copy(c.ip(0, e), e)
c.ip(2, big).forward_octets(0, 1, len(big)).drop("mtu_df").count(icmp_sent=1, created=1).out(2, icmp_error(3, 4, less(big), CN, mtu=1168))
c = case("path-unreachable", base(binding()), "HA4-MTU-09, -11: tunnelled all the same, the sender is told")
e = about_tunnel(3, 2)
kernel_copy(c.ip(0, e), e).event(EVENT_UNREACHABLE, id=0, address=HOA, value=3 << 8 | 2)
c.ip(2, small).forward(0, 58).out(0, ipip(less(small))).count(icmp_sent=1, created=1).out(2, icmp_error(3, 1, less(small), CN))
c.ip(0, ipip(inner, src=COA, dst=HA)).reverse(0, 28).out(2, less(inner))
c.ip(2, small).forward(0, 58).out(0, ipip(less(small)))
c = case("path-unreachable-ends", base(binding()), "HA4-MTU-11: after 60 s")
e = about_tunnel(11, 0)
kernel_copy(c.ip(0, e), e).event(EVENT_UNREACHABLE, id=0, address=HOA, value=11 << 8)
c.step({"advance_ms": 61000}).ip(2, small).forward(0, 58).out(0, ipip(less(small)))
c = case("path-port-unreachable", base(udp_binding()), "HA4-MTU-10: told to control, never to a sender")
e = about_tunnel(3, 3, 0, mip_udp(data()))
kernel_copy(c.ip(0, e), e).event(EVENT_UNREACHABLE, id=0, address=HOA, value=3 << 8 | 3)
c.ip(2, small).forward(0, 58).out(0, mip_udp(less(small)))
# HA4-MTU-09: a Parameter Problem about the copied TOS goes on to the sender, when the inner header is quoted
sent = less(data(tos=0x1c, size=9))
error = IP(src=HA, dst=CN, ttl=64, id=0, tos=0xc0) / ICMP(type=12, code=0, ptr=1)
for name, make, over, wrap in (("ipip", binding, 20, ipip), ("gre", lambda: binding(encapsulation=47), 24, lambda p: gre(p, tos=p.tos)), ("udp", udp_binding, 32, mip_udp)):
    quoted = bytes(fresh(wrap(sent)))
    e = IP(src="198.51.100.1", dst=HA) / ICMP(type=12, code=0, ptr=1) / Raw(quoted[:over + 28])
    c = case("path-parameter-%s" % name, base(make()))
    kernel_copy(c.ip(0, e), e).count(icmp_sent=1, created=1).out(2, error / Raw(bytes(sent)[:28]))
c = case("path-parameter-not-relayed", base(binding(), binding(id=1, home="10.1.0.11", care_of="198.51.100.99"), binding(
    id=2, home="10.1.0.12", care_of="198.51.100.77", encapsulation=55)), "another field, too little quoted, another's home address, minimal encapsulation")
quoted = bytes(fresh(ipip(sent)))
to_other = bytes(fresh(ipip(data(dst="10.1.0.11"))))
small_frame = bytes(fresh(minimal(less(data(dst="10.1.0.12", tos=0x1c)), dst="198.51.100.77")))
for pointer, octets in ((8, quoted), (1, quoted[:47]), (1, quoted[:20]), (1, to_other), (1, small_frame), (1, bytes(fresh(gre(sent))))):
    e = IP(src="198.51.100.1", dst=HA) / ICMP(type=12, code=0, ptr=pointer) / Raw(octets)
    kernel_copy(c.ip(0, e), e)
c = case("path-parameter-fixed-dscp", [agent(dscp=10)] + LINKS + [binding()], "nothing was copied")
e = IP(src="198.51.100.1", dst=HA) / ICMP(type=12, code=0, ptr=1) / Raw(quoted)
kernel_copy(c.ip(0, e), e)
c = case("path-never-relayed", base(binding()), "HA4-MTU-09: source route failed, Source Quench, Redirect, wrong checksum, a later fragment")
later = fresh(IP(bytes(fresh(ipip(data())))[:20] + bytes(20)))
later.frag, later.len, later.chksum = 5, 60, None
for e in (about_tunnel(3, 5), about_tunnel(4, 0), about_tunnel(5, 1), about_tunnel(3, 1, quoted=later)):
    kernel_copy(c.ip(0, e), e)
e = fresh(about_tunnel(3, 1))
e[ICMP].chksum ^= 0x101
kernel_copy(c.ip(0, e), e)
c.ip(2, small).forward(0, 58).out(0, ipip(less(small)))
for code in (0, 1):
    c = case("path-unreachable-%d" % code, base(udp_binding()), "HA4-MTU-09")
    e = about_tunnel(3, code, 0, mip_udp(data()))
    kernel_copy(c.ip(0, e), e).event(EVENT_UNREACHABLE, id=0, address=HOA, value=3 << 8 | code)
    c.ip(2, small).forward(0, 58).out(0, mip_udp(less(small))).count(icmp_sent=1, created=1).out(2, icmp_error(3, 1, less(small), CN))
c = case("icmp-to-us", base())
e = IP(src=COA, dst=HA) / ICMP(type=8) / Raw(b"x")
kernel_copy(c.ip(0, e), e)
c = case("icmp-suppressed", base(binding()), "HA4-MTU-12")
later = IP(bytes(IP(src=CN, dst=HOA, ttl=1, frag=5) / Raw(bytes(20))))
err = IP(src=CN, dst=HOA, ttl=1) / ICMP(type=3, code=1) / Raw(bytes(data()))
c.ip(2, later, err).drop("ttl", 2).count(icmp_suppressed=2)
c = case("icmp-rate", base(binding()), "HA4-MTU-13: ten of one source at once")
many = [data(ttl=1, id=i) for i in range(14)]
c.ip(2, *many).drop("ttl", 14).count(icmp_sent=10, icmp_suppressed=4, created=10).out(2, *[icmp_error(11, 0, many[i], CN, id=i) for i in range(10)])
c = case("icmp-rate-all", base(binding()), "HA4-MTU-13: a hundred at once of all sources together")
many = [data(src="10.2.0.5", dst=HOA, ttl=1, id=i) for i in range(110)]
for i, p in enumerate(many):
    p.src = "10.3.%d.7" % i
c.steps.append({"route": {"prefix": "10.3.0.0/16", "via": CN, "port": 2}})
c.ip(2, *many).drop("ttl", 110).count(icmp_sent=100, icmp_suppressed=10, created=100).out(
    2, *[icmp_error(11, 0, many[i], many[i].src, id=i) for i in range(100)])
case("icmp-silent", base(binding()), "HA4-MTU-12: sources that name no single host, errors of all types").ip(
    2, data(src="10.1.255.255", dst=HOA, ttl=1), *[IP(src=CN, dst=HOA, ttl=1) / ICMP(type=t) / Raw(bytes(data())) for t in (3, 4, 5, 11, 12)]).drop(
        "ttl", 6).count(icmp_suppressed=6)
echo = IP(src=CN, dst=HOA, ttl=1) / ICMP(type=8)
case("icmp-about-echo", base(binding()), "a request is no error").ip(2, echo).drop("ttl").count(icmp_sent=1, created=1).out(2, icmp_error(11, 0, echo, CN))
c = case("icmp-quote", base(binding()), "HA4-MTU-13: 576 octets")
long = data(size=1400, ttl=1)
c.ip(2, long).drop("ttl").count(icmp_sent=1, created=1).out(2, icmp_error(11, 0, long, CN))
assert len(icmp_error(11, 0, long, CN)) == 576
c = case("kernel-too-big", base(binding(), {"local": {"address": "10.1.0.1", "port": 1}}), "our own kernel is told of the tunnel's MTU")
big3 = IP(src="10.1.0.1", dst=HOA, flags="DF") / TCP() / Raw(bytes(1460))
c.from_kernel(1, Ether(dst="00:00:00:00:01:01", src=PORT[1]) / big3).forward_octets(0, 1, 1500).drop("mtu_df").count(icmp_sent=1, created=1).to_kernel(
    1, Ether(dst=PORT[1], src="00:00:00:00:00:00") / icmp_error(3, 4, big3, "10.1.0.1", mtu=1480))
syn = IP(src=CN, dst=HOA) / TCP(flags="S", options=[("NOP", None), ("MSS", 1460)])
clamped = IP(src=CN, dst=HOA) / TCP(flags="S", options=[("NOP", None), ("MSS", 1440)])
case("mss-clamp", base(binding(), flags=MSS), "HA4-MTU-15").ip(2, syn).forward(0, len(syn)).out(0, ipip(less(fresh(clamped))))
for name, make, over, wrap in (("ipip", binding, 20, ipip), ("udp", udp_binding, 32, mip_udp), ("minimal", lambda: binding(encapsulation=55), 12, minimal)):
    ends = dict(src=NAT, dst=HA, sport=NATPORT, dport=434) if name == "udp" else dict(src=COA, dst=HA)
    flow = dict(src=HOA, dst=CN)
    asked = [IP(**flow) / TCP(flags="S", options=[("MSS", 1460), ("SAckOK", b"")]),  # clamped
             IP(**flow) / TCP(flags="SA", options=[("NOP", None), ("MSS", 1460)]),   # clamped, at an odd octet
             IP(**flow) / TCP(flags="S", options=[("MSS", 1000)]),                   # lower already
             IP(**flow) / TCP(flags="S"), IP(**flow) / TCP(flags="S", dataofs=6) / Raw(b"\x02\x09\x05\xb4"),  # no option, a broken one
             IP(**flow) / TCP(flags="A", options=[("MSS", 1460)])]                    # no SYN
    granted = [IP(**flow) / TCP(flags="S", options=[("MSS", 1460 - over), ("SAckOK", b"")]),
               IP(**flow) / TCP(flags="SA", options=[("NOP", None), ("MSS", 1460 - over)])] + asked[2:]
    case("mss-clamp-from-%s" % name, base(make(), flags=MSS | MINIMALF | UDPF), "HA4-MTU-15").ip(
        0, *[fresh(wrap(fresh(p), **ends)) for p in asked]).reverse(0, *[len(p) for p in asked]).out(2, *[less(fresh(p)) for p in granted])
from_node = ipip(IP(src=HOA, dst=CN) / TCP(flags="S", options=[("MSS", 1460)]), src=COA, dst=HA)
case("mss-clamp-from-cap", base(binding(path_mtu=1280), flags=MSS)).ip(0, from_node).reverse(0, 44).out(
    2, less(fresh(IP(src=HOA, dst=CN) / TCP(flags="S", options=[("MSS", 1220)]))))
case("mss-clamp-from-off", base(binding())).ip(0, from_node).reverse(0, 44).out(
    2, less(fresh(IP(src=HOA, dst=CN) / TCP(flags="S", options=[("MSS", 1460)]))))
case("mss-clamp-off", base(binding())).ip(2, syn).forward(0, len(syn)).out(0, ipip(less(fresh(syn))))

# ---- outer DF=0: HA4-MTU-04's option, HA4-FWD-08, -09. Each care-of address here is used once: identifications count from 0 ----

def outer_of(packet, to, id, df=False):
    return IP(src=HA, dst=to, ttl=64, id=id, flags="DF" if df else 0, tos=packet.tos, proto=4) / Raw(bytes(packet))


to = "198.51.100.201"
several = [data(size=i, id=i, flags="DF" if i == 2 else 0) for i in range(5)]
c = case("df-copy-identification", base(binding(care_of=to), binding(id=1, home="10.1.0.11", care_of="198.51.100.202"), flags=DF_COPY),
         "HA4-FWD-09: no number twice to one destination; DF=1 needs none")
c.ip(2, *several, data(dst="10.1.0.11")).forward(0, *[len(p) for p in several]).forward(1, 28)
for packet, id in zip(several, (0, 1, 0, 2, 3)):
    c.out(0, outer_of(less(packet), to, id, df=packet.flags.DF))
c.out(0, outer_of(less(data(dst="10.1.0.11")), "198.51.100.202", 0))
to = "198.51.100.203"
whole = data(size=2000 - 28, id=300)
parts = fragment(fresh(outer_of(less(fresh(whole)), to, 0)), 1480)
case("fragment-after", base(binding(care_of=to), flags=DF_COPY | AFTER), "HA4-MTU-04: encapsulated whole, the outer datagram is cut").ip(2, whole).forward(
    0, 2000).count(fragments_made=len(parts), created=len(parts) - 1).out(0, *[fresh(p) for p in parts])
df = data(size=2000 - 28, id=300, flags="DF")
case("fragment-after-df", base(binding(care_of="198.51.100.204"), flags=DF_COPY | AFTER), "HA4-MTU-03 all the same").ip(2, df).forward_octets(
    0, 1, 2000).drop("mtu_df").count(icmp_sent=1, created=1).out(2, icmp_error(3, 4, less(df), CN, mtu=1480))
for name, make, over, wrap, flags in (("udp", udp_binding, 32, mip_udp, UDPF | CHECKSUM | DF_COPY | AFTER), ("df-set", binding, 20, ipip, AFTER)):
    parts = fragment(less(fresh(whole)), (1500 - over - 20) // 8 * 8)
    case("fragment-after-" + name, base(make(), flags=flags), "HA4-MTU-04, -05: not in UDP, not with DF set: before").ip(2, whole).forward_octets(
        0, 1, 2000).count(encapsulated=2, fragments_made=2, created=1).out(0, *[wrap(fresh(p)) for p in parts])
parts = fragment(less(fresh(whole)), 1500 - 20 - 20)
case("mtu-minimal-fragments", base(binding(encapsulation=55)), "HA4-ALT-08: what was cut goes IP-in-IP").ip(2, whole).forward_octets(0, 1, 2000).count(
    encapsulated=2, fragments_made=2, created=1).out(0, *[ipip(fresh(p)) for p in parts])
three = fragment(data(size=60, id=9), 32)
case("udp-minimal-fragments", base(udp_binding(encapsulation=55)), "HA4-ALT-08: Next Header 4 for a fragment").ip(2, *three).forward(
    0, *[len(p) for p in three]).out(0, *[mip_udp(less(fresh(p)), nh=4) for p in three])

# ---- ICMP about tunnels: what is quoted ----

c = case("path-parameter-prefix", base(binding(flags=B_COLOCATED), {"prefix": {"prefix": "172.16.5.0/24", "id": 0}}), "a node of the mobile network; a later fragment is silent")
sent = less(data(dst="172.16.5.9", tos=0x1c))
e = IP(src="198.51.100.1", dst=HA) / ICMP(type=12, code=0, ptr=1) / Raw(bytes(fresh(ipip(sent))))
kernel_copy(c.ip(0, e), e).count(icmp_sent=1, created=1).out(2, error / Raw(bytes(sent)))
sent = fresh(IP(src=CN, dst="172.16.5.9", frag=9, proto=17) / Raw(bytes(16)))
e = IP(src="198.51.100.1", dst=HA) / ICMP(type=12, code=0, ptr=1) / Raw(bytes(fresh(ipip(sent))))
kernel_copy(c.ip(0, e), e).count(icmp_suppressed=1)
c = case("path-quote-short", base(udp_binding()), "too little to know the tunnel")
for octets in (bytes(fresh(mip_udp(data())))[:19], bytes(fresh(mip_udp(data())))[:23]):
    e = IP(src="198.51.100.1", dst=HA) / ICMP(type=3, code=4, nexthopmtu=600) / Raw(octets)
    kernel_copy(c.ip(0, e), e)
c.ip(2, small).forward(0, 58).out(0, mip_udp(less(small)))
