"""IPv6 through the same steps: headers, extension headers, fragments, GRE, for generate.py."""
from case_bed import *  # noqa: F403

# ---- IPv6 through the same steps ----

H6, C6, N6 = "2001:db8:1::10", "2001:db8:9::23", "2001:db8:2::5"
SIXLINKS = [{"agent": {"address": "2001:db8::1", "flags": SIX}}, {"home_network": {"prefix": "2001:db8:1::/48", "port": 1}},
            {"route": {"prefix": "::/0", "via": "2001:db8::fe", "port": 0}}, {"route": {"prefix": "2001:db8:2::/48", "port": 2}},
            {"neighbor": {"address": "2001:db8::fe", "port": 0, "mac": 0xfe}}, {"neighbor": {"address": N6, "port": 2, "mac": 5}},
            {"binding": {"home": H6, "care_of": C6, "agent": "2001:db8::1", "encapsulation": 41}}]
six = IPv6(src=N6, dst=H6, hlim=64) / UDP(sport=1, dport=2) / Raw(b"six")
six_out = IPv6(src="2001:db8::1", dst=C6, hlim=64, nh=41) / Raw(bytes(less(six)))
case("ipv6-forward", SIXLINKS).ip(2, six).forward(0, len(six)).out(0, six_out)
six_in = IPv6(src=H6, dst=N6, hlim=64) / UDP(sport=2, dport=1) / Raw(b"six")
case("ipv6-reverse", SIXLINKS).ip(0, IPv6(src=C6, dst="2001:db8::1", nh=41) / Raw(bytes(six_in))).reverse(0, len(six_in)).out(2, less(six_in))
case("ipv6-reverse-spoofed", SIXLINKS).ip(0, IPv6(src="2001:db8:9::24", dst="2001:db8::1", nh=41) / Raw(bytes(six_in))).spoofed(
    "rt_no_binding", "2001:db8:9::24")
case("ipv6-hop-limit", SIXLINKS).ip(2, IPv6(src=N6, dst=H6, hlim=1) / UDP()).drop("ttl").count(icmp_sent=1, created=1).out(
    2, IPv6(src="2001:db8::1", dst=N6, hlim=64, tc=0xc0) / ICMPv6TimeExceeded() / Raw(bytes(IPv6(src=N6, dst=H6, hlim=1) / UDP())))
big6 = IPv6(src=N6, dst=H6) / UDP() / Raw(bytes(1440))
case("ipv6-too-big", SIXLINKS).ip(2, big6).forward_octets(0, 1, len(big6)).drop("mtu_df").count(icmp_sent=1, created=1).out(
    2, IPv6(src="2001:db8::1", dst=N6, hlim=64, tc=0xc0) / ICMPv6PacketTooBig(mtu=1460) / Raw(bytes(less(big6))[:1232]))


def about_six(kind, quoted, src="2001:db8:ffff::1"):
    return IPv6(src=src, dst="2001:db8::1", hlim=60) / kind / Raw(bytes(quoted)[:160])


def six_kernel(c, e):
    return c.to_kernel(0, Ether(dst=PORT[0], src=ROUTER) / e)


fits6, big6 = [IPv6(src=N6, dst=H6) / UDP() / Raw(bytes(size)) for size in (1400 - 40 - 48, 1400 - 40 - 47)]
out6 = IPv6(src="2001:db8::1", dst=C6, hlim=64, nh=41) / Raw(bytes(less(fits6)))
quoted6 = IPv6(src="2001:db8::1", dst=C6, hlim=64, nh=41) / Raw(bytes(big6))
c = case("ipv6-path-mtu", SIXLINKS, "HA4-MTU-06 over IPv6: lowered to 1400, never raised, never under 1280")
for mtu in (1400, 1450, 1279, 100):
    e = about_six(ICMPv6PacketTooBig(mtu=mtu), quoted6)
    six_kernel(c.ip(0, e), e)
c.ip(2, fits6, big6).forward(0, len(fits6)).forward_octets(0, 1, len(big6)).out(0, out6).drop("mtu_df").count(icmp_sent=1, created=1).out(
    2, IPv6(src="2001:db8::1", dst=N6, hlim=64, tc=0xc0) / ICMPv6PacketTooBig(mtu=1360) / Raw(bytes(less(big6))[:1232]))
c = case("ipv6-path-mtu-not-ours", SIXLINKS, "other ends, another protocol, a wrong checksum, too short a quote")
wrong6 = [about_six(ICMPv6PacketTooBig(mtu=1300), q) for q in (
    IPv6(src="2001:db8::2", dst=C6, nh=41) / Raw(bytes(big6)), IPv6(src="2001:db8::1", dst="2001:db8:9::24", nh=41) / Raw(bytes(big6)),
    IPv6(src="2001:db8::1", dst=C6, nh=47) / Raw(bytes(big6)), IPv6(src="2001:db8::1", dst=C6) / UDP(sport=434, dport=9), bytes(quoted6)[:39],
    IPv6(version=4, src="2001:db8::1", dst=C6, nh=41) / Raw(bytes(big6)))]
damaged = fresh(about_six(ICMPv6PacketTooBig(mtu=1300), quoted6))
damaged[ICMPv6PacketTooBig].cksum ^= 0x101
for e in wrong6 + [damaged]:
    six_kernel(c.ip(0, e), e)
c.ip(2, big6).forward(0, len(big6)).out(0, IPv6(src="2001:db8::1", dst=C6, hlim=64, nh=41) / Raw(bytes(less(big6))))
for name, kind, value, told in (("no-route", ICMPv6DestUnreach(code=0), 3 << 8, True), ("host", ICMPv6DestUnreach(code=3), 3 << 8 | 1, True),
                                ("admin", ICMPv6DestUnreach(code=1), 3 << 8 | 1, True), ("hop-limit", ICMPv6TimeExceeded(), 11 << 8, True),
                                ("port", ICMPv6DestUnreach(code=4), 3 << 8 | 3, False)):
    c = case("ipv6-unreachable-" + name, SIXLINKS, "HA4-MTU-09, -10, -11 over IPv6")
    e = about_six(kind, quoted6)
    six_kernel(c.ip(0, e), e).event(EVENT_UNREACHABLE, id=0, address=H6, value=value)
    c.ip(2, six).forward(0, len(six)).out(0, six_out)
    if told:
        c.count(icmp_sent=1, created=1).out(2, IPv6(src="2001:db8::1", dst=N6, hlim=64, tc=0xc0) / ICMPv6DestUnreach(code=3) / Raw(bytes(less(six))))
    c.ip(0, IPv6(src=C6, dst="2001:db8::1", nh=41) / Raw(bytes(six_in))).reverse(0, len(six_in)).out(2, less(six_in))
    c.ip(2, six).forward(0, len(six)).out(0, six_out)
case("ipv6-echo", SIXLINKS).ip(0, IPv6(src=C6, dst="2001:db8::1", nh=41) / Raw(bytes(IPv6(src=H6, dst="2001:db8::1") / ICMPv6EchoRequest(id=1, data=b"x")))).reverse(
    0, 49).forward(0, 49).count(keepalives_answered=1).out(0, IPv6(src="2001:db8::1", dst=C6, hlim=64, nh=41) / Raw(
        bytes(IPv6(src="2001:db8::1", dst=H6, hlim=64) / ICMPv6EchoReply(id=1, data=b"x"))))

# ---- IPv6: headers, extension headers, fragments, GRE ----

six_frame = lambda p, dst=None: Ether(dst=dst or PORT[2], src=CNMAC) / p
to_link_local = six_frame(IPv6(src="fe80::5", dst="fe80::201") / ICMPv6EchoRequest())
case("ipv6-sources", SIXLINKS, "RFC 4291 2.5.2, 2.5.6: never forwarded; a link broadcast with a unicast destination").receive(
    2, six_frame(IPv6(src="fe80::5", dst=H6) / UDP()), six_frame(IPv6(src="::", dst=H6) / UDP()), six_frame(six, BROADCAST), to_link_local).drop(
        "source_invalid", 2).drop("link_broadcast_unicast").to_kernel(2, to_link_local)


def six_tunnel(inner, nh=41, src=C6, tc=0):
    return IPv6(src=src, dst="2001:db8::1", nh=nh, tc=tc) / Raw(bytes(inner))


case("ipv6-inner-addresses", SIXLINKS, "HA4-REV-10 for IPv6").ip(
    0, *[six_tunnel(IPv6(src=a, dst=N6) / UDP()) for a in ("::", "::1", "ff02::1", "::ffff:10.1.0.10")],
    *[six_tunnel(IPv6(src=H6, dst=a) / UDP()) for a in ("::", "::1", "::ffff:10.1.0.10")],
    six_tunnel(IPv6(src=H6, dst=N6, plen=100) / UDP()), six_tunnel(bytes(IPv6(src=H6, dst=N6))[:39])).drop("rt_inner_source", 4).drop(
        "rt_inner_destination", 3).drop("rt_inner_bad", 2)
group6 = IPv6(src=H6, dst="ff05::9") / UDP()
case("ipv6-inner-multicast", SIXLINKS, "HA4-BCM-05").ip(0, six_tunnel(group6)).reverse(0, 48).drop("rt_inner_multicast")
multicasting = [dict(step, agent=dict(step["agent"], flags=SIX | RMULTI)) if "agent" in step else step for step in SIXLINKS]
case("ipv6-inner-multicast-on", multicasting, "RFC 2464 7: the group's link address").ip(0, six_tunnel(group6)).reverse(0, 48).out(
    1, group6, dst="33:33:00:00:00:09")
marked = IPv6(src=H6, dst=N6, tc=0x02) / UDP()
case("ipv6-ecn", SIXLINKS, "RFC 6040 4.2 in a traffic class").ip(0, six_tunnel(marked, tc=0x03)).reverse(0, 48).out(
    2, less(IPv6(src=H6, dst=N6, tc=0x03) / UDP()))
hop = IPv6(src=N6, dst=H6) / IPv6ExtHdrHopByHop() / UDP(sport=1, dport=2)
atomic = IPv6(src=N6, dst=H6) / IPv6ExtHdrFragment(id=9) / UDP(sport=1, dport=2)
cut6 = IPv6(src=N6, dst=H6, nh=0, plen=4) / Raw(b"\x11\0\0\0")
long6 = IPv6(src=N6, dst=H6, nh=0, plen=8) / Raw(b"\x11\x05" + bytes(6))
c = case("ipv6-extensions", SIXLINKS, "stepped over and carried; cut off, longer than the packet").ip(2, hop, atomic, cut6, long6).drop("ipv6_header", 2)
for p in (hop, atomic):
    c.forward(0, len(p)).out(0, IPv6(src="2001:db8::1", dst=C6, hlim=64, nh=41) / Raw(bytes(less(p))))
case("ipv6-icmp-suppressed", SIXLINKS, "RFC 4443 2.4 e: no error about an error or a redirect").ip(
    2, IPv6(src=N6, dst=H6, hlim=1) / ICMPv6DestUnreach() / Raw(bytes(48)), IPv6(src=N6, dst=H6, hlim=1, nh=58) / Raw(b"\x89" + bytes(39))).drop(
        "ttl", 2).count(icmp_suppressed=2)
large6 = IPv6(src=H6, dst=N6) / UDP(sport=2, dport=1) / Raw(bytes(i & 0xff for i in range(900)))
raw6 = bytes(large6)


def six_part(first, last, more, id=5, src=C6):
    return IPv6(src=src, dst="2001:db8::1") / IPv6ExtHdrFragment(nh=41, offset=first // 8, m=more, id=id) / Raw(raw6[first:last])


parts6 = [six_part(0, 400, 1), six_part(400, 800, 1), six_part(800, len(raw6), 0)]
case("ipv6-reassembly", SIXLINKS, "HA4-MTU-16 over IPv6, out of order").ip(0, parts6[2], parts6[0], parts6[1]).reverse(0, len(large6)).out(
    2, less(large6)).count(reassembled=1, joined=2)
case("ipv6-reassembly-overlap", SIXLINKS, "RFC 5722").ip(0, parts6[0], six_part(392, 800, 1), parts6[2]).drop("reasm_overlap", 2).count(held_reassembly=1)
case("ipv6-reassembly-odd", SIXLINKS, "not a multiple of 8, an empty one, extension headers before").ip(
    0, six_part(0, 399, 1), six_part(400, 400, 0), IPv6(src=C6, dst="2001:db8::1") / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(nh=41, m=1, id=6) / Raw(
        raw6[:400])).drop("ipv6_header", 3)
six_gre = [dict(step, agent=dict(step["agent"], flags=SIX | GREF)) if "agent" in step else
           dict(step, binding=dict(step["binding"], encapsulation=47)) if "binding" in step else step for step in SIXLINKS]
case("ipv6-gre", six_gre, "protocol type 86dd where it was granted").ip(2, six).forward(0, len(six)).out(
    0, IPv6(src="2001:db8::1", dst=C6, hlim=64, nh=47) / Raw(b"\0\0\x86\xdd" + bytes(less(six)))).ip(
        0, six_tunnel(b"\0\0\x86\xdd" + bytes(six_in), nh=47)).reverse(0, len(six_in)).out(2, less(six_in))
case("ipv6-gre-loop", six_gre, "HA4-ALT-04").ip(0, six_tunnel(b"\0\0\x86\xdd" + bytes(IPv6(src=H6, dst=C6) / UDP()), nh=47), six_tunnel(
    b"\0\0\x86\xdd" + bytes(IPv6(src=H6, dst=C6))[:39], nh=47)).drop("gre_loop").drop("rt_inner_bad")
