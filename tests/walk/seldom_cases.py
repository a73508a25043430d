"""Rules that seldom decide, each alone, for generate.py: for every one of these a line of the dataplane could be wrong and no other case showed it."""
import case_bed as mip
import esp_bed
from case_bed import B_IPSEC, COA, HA, HOA, base, binding, ipip, mip_udp, udp_binding
from esp_bed import *  # noqa: F403
from esp_cases import data, esp, one, ours, out_sa, protect, through, two
from esp_path_cases import told
from ipv6_cases import C6, H6, N6, SIXLINKS

ANY = [{"local": "0.0.0.0/0", "remote": "0.0.0.0/0"}, {"local": "::/0", "remote": "::/0"}]
INSIDE = "02:00:00:00:ee:05"


def from_peer(plain, seq, next_header=4):
    head = SPI.to_bytes(4, "big") + seq.to_bytes(4, "big")
    padding = -(len(plain) + 2) % 4
    key, iv = bytes.fromhex(KEY), seq.to_bytes(8, "big")
    text = bytes(plain) + bytes(range(1, padding + 1)) + bytes([padding, next_header])
    return fresh(IP(src=PEER, dst=US, ttl=64, id=0, flags="DF", proto=50) / Raw(head + iv + AESGCM(key[:-4]).encrypt(key[-4:] + iv, text, head)))


# ---- ESP in: whose SA, and in which order ----

c = case("esp-other-vrf", links(sa(vrf=1)), "SAD-01: an SA is of one routing table alone").ip(0, one)
rejected(c, "ipsec_no_sa", id=(1 << 32) - 1).sa(IN, packets=0)
forged = IP(bytes(one)[:-1] + bytes([bytes(one)[-1] ^ 1]))
c = case("esp-replay-forged", links(sa()), "ESP-IN-01: a number that was seen is not opened again, whatever its ICV").ip(0, one, forged)
through(c, data())
rejected(c, "ipsec_replay").sa(IN, packets=1, replays=1, bad_icv=0)
wrapped = dict(flags=NATT, local_port=4500, remote_port=40001)
c = case("esp-mapping-again", links(sa(**wrapped)), "NAT-10: an endpoint that was told is told again after a minute")
for seq, wait in ((1, 2000), (2, 59000), (3, 0)):
    c.ip(0, esp(data(), seq, natt=40002)).step({"advance_ms": wait})
for _ in range(2):
    c.event(EVENT_MAPPING, id=1, address=PEER, udp_port=40002)
through(c, data(), data(), data())
c = case("esp-in-dscp", links(sa(flags=DSCP_IN)), "ECN-09: the outer DSCP by setting, ECN by the table").ip(0, esp(data(tos=0x02), 1, tos=0xb8 | 3))
through(c, data(tos=0xb8 | 3))

# ---- ESP in: what stands inside ----

for name, packet in (("source-zero", data(src="0.0.0.5")), ("to-zero", data(dst="0.0.0.5")), ("to-loopback", data(dst="127.0.0.1")),
                     ("to-class-e", data(dst="240.0.0.1")),
                     ("mapped-source", IPv6(src="::ffff:" + CLIENT, dst="2001:db8:3::3") / UDP(sport=1, dport=2)),
                     ("to-mapped", IPv6(src="2001:db8:4::4", dst="::ffff:" + SERVER) / UDP(sport=1, dport=2))):
    case("esp-inner-" + name, links(sa(selectors=ANY)), "BAD-50, ESP-IN-14").ip(
        0, from_peer(bytes(packet), 1, 41 if isinstance(packet, IPv6) else 4)).count(esp_decrypted=1).drop("ipsec_inner_malformed")
net = dict(local="192.0.2.128/25", remote="198.51.100.192/28")
for name, quoted, row in (("ports", UDP(sport=6000, dport=5000), dict(protocol=17, local_port=6000, remote_port=5000)),
                          ("type", ICMP(type=8), dict(protocol=1, local_port=8 << 8, remote_port=14 << 8))):
    error = fresh(IP(src="198.51.100.194", dst=SERVER, ttl=63) / ICMP(type=3, code=1) / Raw(bytes(fresh(IP(src=SERVER, dst=CLIENT) / quoted / Raw(b"x" * 8)))))
    through(case("esp-icmp-embedded-" + name, links(sa(selectors=[dict(net, **row)])), "ESP-IN-09: quoted as we sent it, its ports stand the other way").ip(
        0, esp(error, 1)), error)
    other = dict(net, **dict(row, local_port=row["local_port"] + 256))
    rejected(case("esp-icmp-embedded-%s-other" % name, links(sa(selectors=[other])), "BAD-22").ip(0, esp(error, 1)).count(esp_decrypted=1),
             "ipsec_icmp_embedded")

for protocol in (33, 136):
    c = case("esp-ports-%d" % protocol, links(sa(selectors=[dict(net, protocol=protocol, local_port=6000)])), "SPD-05: DCCP and UDP-Lite have ports, too")
    fits, wrong = (fresh(IP(src=CLIENT, dst=SERVER, ttl=63, proto=protocol) / Raw(bytes((0x13, 0x88)) + port.to_bytes(2, "big") + bytes(8))) for port in (6000, 6001))
    through(c.ip(0, esp(fits, 1), esp(wrong, 2)), fits)
    rejected(c.count(esp_decrypted=1), "ipsec_selector_mismatch")

# ---- ESP out ----

routed = fresh(IP(src=SERVER, dst=CLIENT, ttl=63, options=[mip.IPOption(b"\x83\x07\x04\x0a\x00\x00\x01\x00")]) / UDP(sport=1, dport=2))
case("esp-out-source-route", protect(sa(OUT)), "BAD-51: nor on the way in").ip(2, routed).drop("ipsec_option_reject").sa(OUT, sequence=0)
big = data(src=SERVER, dst=CLIENT, size=1446 - 27, flags="DF")
told(case("esp-out-path-mtu-over-link", protect(sa(path_mtu=9000, **out_sa)), "MTU-01: what is set lowers the link's MTU, never raises it").ip(2, big), big,
     1446).sa(OUT, sequence=0)
six = IPv6(bytes(IPv6(src="2001:db8:3::3", dst="2001:db8:4::4", hlim=63) / UDP(sport=1, dport=2) / Raw(b"six")))
six_policy = mip.policy(2, OUT, PROTECT, local="2001:db8:3::/48", remote="2001:db8:4::/48", sa=1)
carried = from_peer(bytes(less(six)), 1, 41)
carried.src, carried.dst = US, PEER
del carried.chksum
case("esp-out-ipv6-df", protect(sa(OUT, flags=DF_CLEAR), six_policy), "TUN-06: around IPv6, which nobody cuts, DF is set whatever the setting").ip(2, six).out(
    0, fresh(carried)).count(esp_encrypted=1)
case("esp-out-standby", protect(sa(OUT, flags=1 << 14)), "HA-04: another gateway's").ip(2, data(src=SERVER, dst=CLIENT)).drop("ipsec_standby").sa(
    OUT, sequence=0)
big6 = IPv6(bytes(IPv6(src="2001:db8:3::3", dst="2001:db8:4::4", hlim=63) / UDP(sport=1, dport=2) / Raw(bytes(1281 - 48))))
case("esp-out-too-big-least", protect(sa(path_mtu=1300, **out_sa), six_policy), "MTU-04: told 1280, though only 1246 fit").ip(2, big6).drop(
    "ipsec_mtu_exceeded").count(icmp_sent=1, created=1).out(2, IPv6(src=US6, dst="2001:db8:3::3", hlim=64, tc=0xc0) / mip.ICMPv6PacketTooBig(
        mtu=1280) / Raw(bytes(less(big6))[:1280 - 48]), dst=INSIDE)
# HA4-MTU-17: a tunnel's DF stays, also where the SA clears that of others
c = case("esp-out-tunnel-df", base(binding(flags=B_IPSEC), sa(OUT, selectors=[], local=HA, remote=PEER, flags=DF_CLEAR),
         mip.policy(1, OUT, PROTECT, local=HA + "/32", remote=COA + "/32", sa=1), mip.policy(9, IN, BYPASS, order=99)),
         "HA4-MTU-17: the tunnel's path MTU discovery needs it").ip(2, mip.data()).forward(0, len(mip.data())).count(esp_encrypted=1)
c.out(0, ours(ipip(less(mip.data())), 1, 1))

# ---- Mobile IP ----

# a sum of zero is sent as all ones (RFC 768); what is inside has no sum of its own
plain = IP(src=mip.CN, dst=HOA, ttl=64, proto=200) / Raw(bytes(2))
sum_of = mip.IP(bytes(mip_udp(less(plain))))[UDP].chksum
plain = fresh(IP(src=mip.CN, dst=HOA, ttl=64, proto=200) / Raw(sum_of.to_bytes(2, "big")))
assert mip.IP(bytes(mip_udp(less(plain))))[UDP].chksum == 0xffff
case("udp-sum-all-ones", base(udp_binding()), "HA4-NAT-25").ip(2, plain).forward(0, len(plain)).out(0, mip_udp(less(plain)))
ack = fresh(IP(src=HOA, dst=HA) / UDP(sport=434, dport=434) / Raw(bytes([15]) + bytes(11)))
case("reverse-own-revocation-ack", base(binding()), "HA4-REV-12: no signalling out of a node's own tunnel, of whichever type").ip(
    0, ipip(ack, src=COA, dst=HA)).drop("rt_signalling")
# a node behind a NAT that tunnels to its home address from where it thinks it is
case("loop-care-of-field", base(udp_binding()), "HA4-FWD-11: the care-of address as registered, too").ip(
    0, IP(src="192.168.1.23", dst=HOA) / IP(src=mip.CN, dst=HOA) / UDP()).drop("fwd_encapsulated_loop")
big6 = IPv6(src=N6, dst=H6) / UDP() / Raw(bytes(1300))
case("ipv6-too-big-least", SIXLINKS + [{"route": {"prefix": C6 + "/128", "via": "2001:db8::fe", "port": 0, "mtu": 1290}}],
     "RFC 8200 5: nobody is told less than 1280").ip(2, big6).forward_octets(0, 1, len(big6)).drop("mtu_df").count(icmp_sent=1, created=1).out(
         2, IPv6(src="2001:db8::1", dst=N6, hlim=64, tc=0xc0) / mip.ICMPv6PacketTooBig(mtu=1280) / Raw(bytes(less(big6))[:1232]))
long = mip.data(dst="203.0.113.50", size=1473, flags="DF")
case("route-mtu-over-link", base({"route": {"prefix": "203.0.113.50/32", "via": mip.GATEWAY, "port": 0, "mtu": 9000}}),
     "a route lowers the link's MTU, never raises it").ip(2, long).drop("mtu_df").count(icmp_sent=1, created=1).out(
         2, mip.icmp_error(3, 4, less(long), mip.CN, mtu=1500))
