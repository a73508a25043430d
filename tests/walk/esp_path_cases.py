"""ESP and the path: errors, its MTU, an address that moved, mode mc, transport mode, for generate.py. The peer is Scapy's own ESP."""
from esp_bed import *  # noqa: F403
from esp_worked_cases import NO_SA
from esp_cases import data, esp, one, ours, out_sa, protect, through, two

# ---- errors that no policy names (RFC 4301 6.2) ----
web = g.policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", protocol=17, local_port=6000, remote_port=5000, sa=1)
only = links(sa(flags=DF_SET, **out_sa), g.policy(9, IN, BYPASS, order=99), web)
asked = fresh(IP(src=CLIENT, dst=SERVER) / UDP(sport=5000, dport=6000) / Raw(b"x" * 8))


def error_about(packet, **header):
    return fresh(IP(src="192.0.2.130", dst=CLIENT, ttl=64, **header) / ICMP(type=3, code=3) / Raw(bytes(packet)))


about = error_about(asked)
case("esp-out-icmp-quoted", only, "ESP-OUT-13: the SA of the answers to what it quotes").ip(2, about).out(
    0, ours(less(about), 1, 1)).count(esp_encrypted=1).sa(OUT, sequence=1, packets=1)
for name, packet in (("port", fresh(IP(src=CLIENT, dst=SERVER) / UDP(sport=5000, dport=6001) / Raw(b"x" * 8))),
                     ("not-reversed", fresh(IP(src=SERVER, dst=CLIENT) / UDP(sport=6000, dport=5000) / Raw(b"x" * 8))),
                     ("fragment", fresh(IP(src=CLIENT, dst=SERVER, frag=9, proto=17) / Raw(b"x" * 16))),
                     ("cut", Raw(bytes(asked)[:19]))):
    c = case("esp-out-icmp-quoted-" + name, only, "BAD-53, ESP-OUT-13").ip(2, error_about(packet)).sa(OUT, sequence=0)
    rejected(c, "ipsec_icmp_no_sa", spi=0, id=NO_SA, source="192.0.2.130")
c = case("esp-out-icmp-quoted-no-sa", links(g.policy(9, IN, BYPASS, order=99), dict(policy=dict(web["policy"], sa=5))),
         "BAD-53: and no SA is asked for").ip(2, about)
rejected(c, "ipsec_icmp_no_sa", spi=0, id=NO_SA, source="192.0.2.130")
clear = g.policy(1, OUT, BYPASS, local="192.0.2.128/25", remote=CLIENT + "/32", protocol=17)
c = case("esp-out-icmp-quoted-clear", links(g.policy(9, IN, BYPASS, order=99), clear), "ESP-OUT-13: an SA or not at all").ip(2, about)
rejected(c, "ipsec_icmp_no_sa", spi=0, id=NO_SA, source="192.0.2.130")
echo = fresh(IP(src="192.0.2.130", dst=CLIENT, ttl=64) / ICMP(type=8) / Raw(b"x" * 8))
case("esp-out-icmp-no-error", only, "ESP-OUT-13 is for errors alone").ip(2, echo).denied("policy_none", echo, OUT).sa(OUT, sequence=0)
named = g.policy(3, OUT, 0, local="192.0.2.128/25", remote=CLIENT + "/32", protocol=1)
case("esp-out-icmp-discard", only + [named], "a policy that says discard is obeyed").ip(2, about).denied("policy_discard", about, OUT).sa(OUT, sequence=0)

# ---- the path's MTU: MTU-02..04, -08..11 ----


def too_big(quoted, mtu, src="198.51.100.77", dst=US):
    return fresh(IP(src=src, dst=dst) / ICMP(type=3, code=4, nexthopmtu=mtu) / Raw(bytes(quoted)[:28]))


def told(c, packet, mtu):
    return c.drop("ipsec_mtu_exceeded").count(icmp_sent=1, created=1).out(
        2, g.icmp_error(3, 4, less(packet), SERVER, src=US, mtu=mtu), dst="02:00:00:00:ee:05")


def to_kernel(c, *packets):
    return c.to_kernel(0, *[Ether(dst=g.PORT[0], src=ROUTER) / p for p in packets])


# AUD-12, BAD-56: IKE to the kernel has a budget; 20 a second of a /24, 50 of all that begin something


def ike_message(responder, src=PEER, port=500):
    return fresh(IP(src=src, dst=US) / UDP(sport=500, dport=port) / Raw((bytes(4) if port == 4500 else b"") + b"initiate" + responder + bytes(12)))


goes_on = ike_message(b"answered")
c = case("esp-ike-limit", links(sa()), "AUD-12: those of one neighbourhood").many(0, goes_on, 25)
to_kernel(c, *[goes_on] * 20).drop("ipsec_punt_limit", 5)
elsewhere_ike = ike_message(b"answered", "203.0.113.9", 4500)
to_kernel(c.ip(0, ike_message(b"answered", "198.51.100.77")).drop("ipsec_punt_limit").ip(0, elsewhere_ike), elsewhere_ike)
to_kernel(c.step({"advance_ms": 1000}).ip(0, goes_on), goes_on)
c = case("esp-ike-limit-begin", links(sa()), "AUD-12: a smaller one for who has no IKE SA")
for i in range(3):
    c.many(0, ike_message(bytes(8), f"203.0.{i}.9"), 20)
to_kernel(c, *[ike_message(bytes(8), f"203.0.{i}.9") for i in (0, 1) for _ in range(20)], *[ike_message(bytes(8), "203.0.2.9")] * 10)
to_kernel(c.drop("ipsec_punt_limit", 10).ip(0, goes_on), goes_on)
inside_df = data(src=SERVER, dst=CLIENT, flags="DF", size=1000)
first = ours(less(inside_df), 1, 1)
good = too_big(first, 900)
c = case("esp-ptb", protect(sa(**out_sa)), "MTU-08, -09: this SA alone, from the next packet on; MTU-10: forgotten").ip(2, inside_df).out(
    0, first).ip(0, good)
to_kernel(c, good).ip(2, inside_df)
told(c, inside_df, 846).step({"advance_ms": 601000}).ip(2, inside_df).out(0, ours(less(inside_df), 2, 1)).count(esp_encrypted=2)
c = case("esp-ptb-moved", protect(sa(**out_sa)), "MTU-11: another path").ip(2, inside_df).out(0, first).ip(0, good)
to_kernel(c, good).step({"sa": dict(out_sa, id=1, spi=SPI, remote="203.0.113.99")}).ip(2, inside_df)
away = ours(less(inside_df), 2, 1)
away.dst = "203.0.113.99"
del away.chksum
c.out(0, fresh(away)).count(esp_encrypted=2)
# MOB-12: 44 packets of 1484 octets fit into 64 kB; an old address or a repeated packet proves nothing, the new one does
new, long = "203.0.113.99", data(src=SERVER, dst=CLIENT, size=1400)
both = [dict(out_sa, id=1, spi=SPI, pair=1, flags=DF_SET), dict(direction=IN, id=1, spi=SPI, pair=1)]


def to_new(seq):
    p = ours(less(long), seq, 1)
    p.dst = new
    del p.chksum
    return fresh(p)


c = case("esp-rr-limit", protect(sa(**both[0]), sa(**both[1])), "MOB-12, BAD-55").ip(0, one)
for direction in both:
    c.step({"sa": dict(direction, remote=new)})
c.ip(2, *[long] * 45).ip(0, two, esp(data(), 2, src=new)).ip(2, long)
c.step({"sa": dict(both[0], remote=new)}).ip(2, long)  # said again: no new allowance
c.ip(0, esp(data(), 3, src=new)).ip(2, long, long)
c.out(0, *[to_new(i) for i in range(1, 47)]).drop("ipsec_rr_limit", 3).count(esp_encrypted=46, ipsec_outer_mismatch=1)
through(c, data(), data(size=24), data()).sa(OUT, sequence=46, packets=46).sa(IN, highest=3, packets=3, replays=1)
rejected(c, "ipsec_replay", source=new)
# a mapping is told of by an authentic packet: whichever SA is moved first, nothing is held back
for name, order in (("in", both[::-1]), ("out", both)):
    natt = [dict(d, flags=d.get("flags", 0) | NATT, local_port=4500, remote_port=40001) for d in order]
    c = case("esp-rr-mapping-" + name, protect(*[sa(**d) for d in natt]), "MOB-12, NAT-09").ip(0, esp(data(), 1, natt=40002))
    for direction in natt:
        c.step({"sa": dict(direction, remote_port=40002)})
        c.ip(2, *[long] * (45 if direction is natt[1] else 0))
    c.event(EVENT_MAPPING, id=1, address=PEER, udp_port=40002)
    mapped = [ours(less(long), i, 1, natt=40002) for i in range(1, 46)]
    for p in mapped:
        p[UDP].sport, p[UDP].dport, p[UDP].chksum = 4500, 40002, 0
    c.out(0, *mapped).count(esp_encrypted=45)
    through(c, data())
other_spi = IP(bytes(first)[:20] + b"\xc0\x00\x00\x09" + bytes(first)[24:])
ahead = IP(bytes(first)[:24] + (70000).to_bytes(4, "big") + bytes(first)[28:])
foreign = first.copy()
foreign.src = "192.0.2.77"
del foreign.chksum
lies = [too_big(other_spi, 900), too_big(ahead, 900), too_big(fresh(foreign), 900), too_big(first, 60)]
c = case("esp-ptb-lies", protect(sa(**out_sa)), "BAD-41, MTU-08: SPI, number, source, absurd MTU").ip(2, inside_df).out(0, first).ip(0, *lies)
to_kernel(c, *lies).count(ipsec_ptb_reject=4).ip(2, inside_df).out(0, ours(less(inside_df), 2, 1)).count(esp_encrypted=2)
absurd = too_big(first, 100)
c = case("esp-ptb-floor", protect(sa(**out_sa)), "MTU-09: never below 576").ip(2, inside_df).out(0, first).ip(0, absurd)
told(to_kernel(c, absurd).ip(2, inside_df), inside_df, 522).count(esp_encrypted=1)
open_ = data(src=SERVER, dst=CLIENT, size=1600)
raw = bytes(less(open_))
c = case("esp-out-fragment-before", protect(sa(flags=DF_SET, **out_sa)), "MTU-03: each fragment its own ESP packet").ip(
    2, *[open_[IP]]).count(created=1, fragments_made=2, esp_encrypted=2)
f1 = IP(src=SERVER, dst=CLIENT, ttl=62, flags="MF", proto=17) / Raw(raw[20:20 + 1424])
f2 = IP(src=SERVER, dst=CLIENT, ttl=62, frag=178, proto=17) / Raw(raw[20 + 1424:])
c.out(0, ours(fresh(f1), 1, 1), ours(fresh(f2), 2, 1))
six = IPv6(src="2001:db8:3::3", dst="2001:db8:4::4", hlim=63) / UDP(sport=1, dport=2) / Raw(bytes(1280 - 48))
six_policy = [g.policy(2, OUT, PROTECT, local="2001:db8:3::/48", remote="2001:db8:4::/48", sa=1)]


def ours6(packet, seq, outer6):
    head = IPv6(src=US6, dst=PEER6, hlim=64) if outer6 else IP(src=US, dst=PEER, ttl=64, id=0)
    a = SecurityAssociation(ESP, spi=SPI, crypt_algo="AES-GCM", crypt_key=bytes.fromhex(KEY), tunnel_header=head)
    return bytes(a.encrypt(packet, seq_num=seq, iv=seq.to_bytes(8, "big")))


six_sa = sa(flags=DF_SET, **out_sa)
six_web = g.policy(1, OUT, PROTECT, local="2001:db8:3::/48", remote="2001:db8:4::/48", protocol=17, local_port=6000, remote_port=5000, sa=1)
asked6 = IPv6(bytes(IPv6(src="2001:db8:4::4", dst="2001:db8:3::3") / UDP(sport=5000, dport=6000) / Raw(b"x" * 8)))
about6 = IPv6(bytes(IPv6(src="2001:db8:3::5", dst="2001:db8:4::4", hlim=64) / ICMPv6DestUnreach(code=4) / Raw(bytes(asked6))))
carried = IP(ours6(less(about6), 1, False))
carried.flags = "DF"
del carried.chksum
case("esp-out-icmp-quoted-ipv6", links(six_sa, g.policy(9, IN, BYPASS, order=99), six_web), "ESP-OUT-13").ip(2, about6).out(
    0, fresh(carried)).count(esp_encrypted=1).sa(OUT, sequence=1, packets=1)
whole = ours6(less(six), 1, False)
c = case("esp-out-1280-ipv4", protect(sa(path_mtu=1200, **out_sa), *six_policy, {"route": {"prefix": PEER + "/32", "via": g.GATEWAY, "port": 0, "mtu": 1200}}),
         "MTU-04: an IPv6 packet of 1280 always gets there").ip(2, six)
room = (1200 - 20) & ~7
body = whole[20:]
pieces = [IP(src=US, dst=PEER, ttl=64, id=0, flags="MF", proto=50) / Raw(body[:room]), IP(src=US, dst=PEER, ttl=64, id=0, frag=room // 8, proto=50) / Raw(body[room:])]
c.out(0, *[fresh(p) for p in pieces]).count(esp_encrypted=1, created=1, fragments_made=2)
big6 = IPv6(src="2001:db8:3::3", dst="2001:db8:4::4", hlim=63) / UDP(sport=1, dport=2) / Raw(bytes(1447 - 48))
# the same over IPv6, whose routers cut nothing: pieces of the path that the SA knows, not of the link
six6 = protect(sa(path_mtu=1280, local=US6, remote=PEER6, **{k: v for k, v in out_sa.items() if k not in ("local", "remote")}), *six_policy)
c = case("esp-out-1280-ipv6", six6, "MTU-04: a Fragment header, pieces of 1280 at most").ip(2, six)
body6 = bytes(IPv6(ours6(less(six), 1, True)).payload)
room6 = (1280 - 48) & ~7


def piece6(data, offset, more):
    return IPv6(bytes(IPv6(src=US6, dst=PEER6, hlim=64, fl=0xfffff, nh=44) / Raw(bytes([50, 0]) + (offset | more).to_bytes(2, "big") + b"\xff" * 4 + data)))


c.out(0, piece6(body6[:room6], 0, 1), piece6(body6[room6:], room6, 0)).count(esp_encrypted=1, created=1, fragments_made=2)
learned6 = protect(sa(local=US6, remote=PEER6, **{k: v for k, v in out_sa.items() if k not in ("local", "remote")}), *six_policy,
                   g.policy(10, IN, BYPASS, local="::/0", remote="::/0", order=99))
whole6 = IPv6(ours6(less(six), 1, True))
whole6.fl = 0xfffff
c = case("esp-ptb-ipv6", learned6, "MTU-04, MTU-08, MTU-09: and of one that an ICMPv6 error told").ip(2, six).out(0, IPv6(bytes(whole6)))
told6 = IPv6(src="2001:db8:77::1", dst=US6) / g.ICMPv6PacketTooBig(mtu=1300) / Raw(ours6(less(six), 1, True)[:1000])
told6 = IPv6(bytes(told6))
c.ip(0, told6).to_kernel(0, Ether(dst=g.PORT[0], src=ROUTER) / told6).ip(2, six)
body6, room6 = bytes(IPv6(ours6(less(six), 2, True)).payload), (1300 - 48) & ~7
c.out(0, piece6(body6[:room6], 0, 1), piece6(body6[room6:], room6, 0)).count(esp_encrypted=2, created=1, fragments_made=2)
c = case("esp-out-too-big-ipv6", protect(sa(**out_sa), *six_policy), "MTU-04, never below 1280").ip(2, big6).drop("ipsec_mtu_exceeded").count(
    icmp_sent=1, created=1)
c.out(2, IPv6(src=US6, dst="2001:db8:3::3", hlim=64, tc=0xc0) / g.ICMPv6PacketTooBig(mtu=1446) / Raw(bytes(less(big6))[:1280 - 48]),
      dst="02:00:00:00:ee:05")

# ---- RFC 5266 mode mc: a binding whose care-of address is the inner address of a tunnel (V27, V28, V29) ----
gateway, inside, given, reverse, needs_ipsec = "192.0.2.9", "10.0.0.1", "10.9.0.7", 1 << 5, 1 << 7
v25, v27, v28, v29 = (g.VECTORS[n] for n in ("V25", "V27", "V28", "V29"))
null_sha1 = dict(spi=0x1000, key="", encryption=ENCRYPTION["null"], integrity=INTEGRITY["hmac-sha1-96"],
                 integrity_key="000102030405060708090a0b0c0d0e0f10111213", local=gateway, remote="198.51.100.23",
                 selectors=[{"local": "10.0.0.0/8", "remote": given + "/32"}])


def mode_mc(*more):
    return [{"local": {"address": gateway, "port": 0}}, g.agent(address=inside)] + g.LINKS + list(more)


mc = dict(care_of=given, agent=inside, flags=reverse | needs_ipsec, sa=1)
case("V27-mc-rrq-esp", mode_mc(sa(**null_sha1)), "HA4-MODE-03, -08: out of the SA to the internal home agent").ip(0, IP(v27)).punt(
    1, v25[28:], source=given, destination=inside, source_port=int.from_bytes(v25[20:22], "big"), ttl=v25[8], layers=1).count(
    esp_decrypted=1).sa(IN, highest=1, packets=1, used=1)
case("V28-mc-data-esp", mode_mc(sa(**null_sha1), g.binding(**mc)), "HA4-MODE-08: ESP, selectors, the binding, out").ip(0, IP(v28)).reverse(
    0, 64 - 20).out(2, less(IP(v28[28 + 20:][:44]))).count(esp_decrypted=1).sa(IN, highest=2, packets=1, used=1)
both = dict(mc, care_of_port=int.from_bytes(v29[28 + 8 + 20:][:2], "big"), agent_port=434, flags=mc["flags"] | 1)
case("V29-mc-data-esp-both-nat", mode_mc(sa(**dict(null_sha1, flags=NATT, remote="203.0.113.7", local_port=4500, remote_port=40500)),
    g.binding(**both)), "HA4-MODE-12: UDP 4500, ESP, UDP 434").ip(0, IP(v29)).reverse(0, 44).out(
    2, less(IP(v29[28 + 8 + 20 + 8 + 4:][:44]))).count(esp_decrypted=1).sa(IN, highest=3, packets=1, used=1)
# The same packet in clear, and out of an SA whose peer was given another address.
other = dict(null_sha1, selectors=[{"local": "10.0.0.0/8", "remote": "10.9.0.8/32"}])
c = case("V28-mc-data-other-sa", mode_mc(sa(**other), g.binding(**mc)), "HA4-MODE-03: the selectors of its own SA alone hold the address")
rejected(c.ip(0, IP(v28)), "ipsec_selector_mismatch", spi=0x1000, source="198.51.100.23").count(esp_decrypted=1)
case("V28-mc-data-clear", mode_mc(sa(**null_sha1), g.binding(**mc)), "HA4-SPD-14").ip(0, IP(v28[28:28 + 64])).drop("rt_needs_ipsec")

# ---- transport mode: TRN-01..08; SA selectors are the packet's own addresses ----
whole_ends = [{"local": US + "/32", "remote": PEER + "/32"}]


def transport(direction=IN, **more):
    return sa(direction, flags=TRANSPORT | more.pop("flags", 0), selectors=more.pop("selectors", whole_ends), **more)


def esp_transport(packet, seq, natt=None):
    a = SecurityAssociation(ESP, spi=SPI, crypt_algo="AES-GCM", crypt_key=bytes.fromhex(KEY),
                            nat_t_header=UDP(sport=natt, dport=4500) if natt else None)
    p = a.encrypt(packet, seq_num=seq, iv=seq.to_bytes(8, "big"))
    if natt:
        p[UDP].chksum = 0
        del p[UDP].len
    if isinstance(p, IP):
        del p.chksum, p.len
    else:
        del p.plen
    return fresh(p)

ssh = fresh(IP(src=PEER, dst=US, id=9) / UDP(sport=7, dport=9) / Raw(b"transport"))
c = case("esp-transport", links(transport()), "TRN-02, TRN-03").ip(0, esp_transport(ssh, 1)).count(esp_decrypted=1)
c.to_kernel(0, Ether(dst=g.PORT[0], src=ROUTER) / ssh)
rejected(case("esp-transport-selector", links(transport(selectors=[dict(whole_ends[0], protocol=6)])), "TRN-03").ip(0, esp_transport(ssh, 1)).count(
    esp_decrypted=1), "ipsec_selector_mismatch")
natted = fresh(IP(src=PEER, dst=US, id=9) / UDP(sport=7, dport=9, chksum=0x4242) / Raw(b"transport"))
c = case("esp-transport-nat", links(transport(flags=NATT, local_port=4500, remote_port=40001)), "TRN-08: the checksum is made anew").ip(
    0, esp_transport(natted, 1, natt=40001)).count(esp_decrypted=1)
c.to_kernel(0, Ether(dst=g.PORT[0], src=ROUTER) / ssh)
tunnelled = fresh(IP(src=PEER, dst=US, id=9, proto=4) / Raw(bytes(data())))
case("esp-transport-no-tunnel", links(transport()), "BAD-49, TRN-06").ip(0, esp_transport(tunnelled, 1)).count(esp_decrypted=1).drop("ipsec_no_tunnel")
gre = fresh(IP(src=PEER, dst=US, id=9, proto=47) / Raw(b"\0\0\x08\0" + bytes(data())))
c = case("esp-transport-gre", links(transport()), "GRE ends in the kernel as well").ip(0, esp_transport(gre, 1)).count(esp_decrypted=1)
c.to_kernel(0, Ether(dst=g.PORT[0], src=ROUTER) / gre)
# IIPtran: the binding's tunnel, checked as ever, protected by a transport SA (HA4-SPD-10)
mip = [dict(local=g.HA + "/32", remote=g.COA + "/32")]
inner_mip = g.data(src=g.HOA, dst=g.CN)
iip = g.ipip(inner_mip, src=g.COA, dst=g.HA)
c = case("esp-transport-ipip", g.base(g.binding(flags=g.B_IPSEC), transport(selectors=mip, local=g.HA, remote=g.COA)),
         "HA4-SPD-10, HA4-REV-18: through the SA it is taken").ip(0, esp_transport(iip, 1)).count(esp_decrypted=1)
c.reverse(0, len(inner_mip)).out(2, less(inner_mip))
c = case("esp-out-transport-ipip", g.base(g.binding(flags=g.B_IPSEC), transport(OUT, selectors=[], local=g.HA, remote=g.COA),
         g.policy(1, OUT, PROTECT, local=g.HA + "/32", remote=g.COA + "/32", protocol=4, sa=1), g.policy(9, IN, BYPASS, order=99)),
         "TRN-05, HA4-MODE-06: IP-in-IP, then ESP").ip(2, g.data()).forward(0, len(g.data())).count(esp_encrypted=1)
c.out(0, esp_transport(g.ipip(less(g.data())), 1))
# the care-of address is the inner address of a VPN tunnel (RFC 5266 mode mc)
c = case("esp-out-tunnel-ipip", g.base(g.binding(flags=g.B_IPSEC), sa(OUT, selectors=[], local=g.HA, remote=PEER),
         g.policy(1, OUT, PROTECT, local=g.HA + "/32", remote=g.COA + "/32", sa=1), g.policy(9, IN, BYPASS, order=99)),
         "HA4-SPD-01, HA4-MODE-06: IP-in-IP inside a tunnel SA").ip(2, g.data()).forward(0, len(g.data())).count(esp_encrypted=1)
c.out(0, ours(g.ipip(less(g.data())), 1, 1))
c = case("esp-in-tunnel-ipip", g.base(g.binding(flags=g.B_IPSEC), sa(local=g.HA, selectors=[dict(local=g.HA + "/32", remote=g.COA + "/32")])),
         "HA4-SPD-11, HA4-REV-18").ip(0, esp(iip, 1)).count(esp_decrypted=1)
c.reverse(0, len(inner_mip)).out(2, less(inner_mip))
# the SA's peer is a home address: ESP inside IP-in-IP (order A)
c = case("esp-out-peer-is-home", g.base(g.binding(), sa(OUT, selectors=[], local=g.HA, remote=g.HOA, flags=DF_SET),
         g.policy(1, OUT, PROTECT, local=g.CN + "/32", remote="203.0.113.50/32", sa=1), g.policy(8, OUT, BYPASS, order=99), g.policy(9, IN, BYPASS, order=99)),
         "HA4-SPD-02: the answer is tunnelled although its source is our own").ip(2, g.data(dst="203.0.113.50")).count(esp_encrypted=1)
e = ours(less(g.data(dst="203.0.113.50")), 1, 1)
e.dst = g.HOA
del e.chksum
c.forward(0, len(e)).out(0, g.ipip(fresh(e)))
