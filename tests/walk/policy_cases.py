"""The security policy at the boundary, for generate.py."""
import esp_bed
from case_bed import *  # noqa: F403
from input_cases import v01

# ---- the security policy at the boundary: SPD, HA4-SPD ----

out_all, in_all = policy(8, OUT_, BYPASS, order=99), policy(9, IN, BYPASS, order=99)
away = data(src=CN, dst="203.0.113.50")
c = case("policy-none-out", base(in_all), "SPD-01, SPD-15: what no policy matches is discarded").ip(2, away).denied("policy_none", away, OUT_)
c = case("policy-none-in", base(out_all), "SPD-01: in clear from outside").ip(0, data(src="203.0.113.50", dst=CN)).denied(
    "policy_none", data(src="203.0.113.50", dst=CN), IN)
c = case("policy-bypass", base(in_all, out_all), "SPD-02: forwarded unchanged, ESP-OUT-03").ip(2, away).out(0, less(away))
back = data(src="203.0.113.50", dst=CN)
c.ip(0, back).out(2, less(back))
c = case("policy-inside", base(policy(1, OUT_, DISCARD)), "inside to the home link crosses no boundary").ip(
    2, data(dst="10.1.0.77")).event(EVENT_NEIGHBOR, port=1, address="10.1.0.77").count(held_neighbor=1)
case("policy-discard", base(in_all, policy(1, OUT_, DISCARD, remote="203.0.113.50/32"), out_all), "SPD-02, SPD-03").ip(2, away).denied("policy_discard", away, OUT_)
c = case("policy-discard-told", base(in_all, policy(1, OUT_, DISCARD, remote="203.0.113.50/32", flags=2), out_all), "AUD-09").ip(2, away).denied("policy_discard", away, OUT_)
c.count(icmp_sent=1, created=1).out(2, IP(src=HA, dst=CN, ttl=64, id=0, tos=0xc0) / ICMP(type=3, code=13) / Raw(bytes(less(away))))
case("policy-order", base(in_all, policy(1, OUT_, BYPASS, remote="203.0.113.0/24", protocol=17, remote_port=6000, order=1),
                          policy(2, OUT_, DISCARD, remote="203.0.113.50/32", order=2)), "SPD-03, SPD-04").ip(2, away).out(0, less(away)).ip(
    2, fresh(IP(src=CN, dst="203.0.113.50") / UDP(sport=1, dport=6001))).denied(
    "policy_discard", IP(src=CN, dst="203.0.113.50") / UDP(sport=1, dport=6001), OUT_)
case("policy-cleartext", base(out_all, policy(1, IN, PROTECT, remote="203.0.113.50/32"), policy(2, IN, BYPASS)), "SPD-14, SPD-16").ip(
    0, back).denied("policy_cleartext", back, IN)
case("policy-acquire", base(in_all, policy(1, OUT_, PROTECT, remote="203.0.113.50/32")), "SPD-13: one event, never in clear").ip(2, away).ip(2, away).drop(
    "policy_no_sa", 2).event(ACQUIRE, id=1, address="203.0.113.50", value=17 << 32 | 5000 << 16 | 6000)
case("policy-icmp", base(in_all, policy(1, OUT_, BYPASS, protocol=1, local_port=8 << 8)), "SPD-06, SPD-08: echo may leave, its answer not").ip(
    2, fresh(IP(src=CN, dst="203.0.113.50") / ICMP(type=8))).out(0, less(fresh(IP(src=CN, dst="203.0.113.50") / ICMP(type=8)))).ip(
    2, fresh(IP(src=CN, dst="203.0.113.50") / ICMP(type=0))).denied("policy_none", IP(src=CN, dst="203.0.113.50") / ICMP(type=0), OUT_)
later = IP(src=CN, dst="203.0.113.50", frag=2, proto=17) / Raw(bytes(16))
case("policy-fragment", base(in_all, policy(1, OUT_, BYPASS, protocol=17, remote_port=6000)), "SPD-10: a later fragment shows no port").ip(
    2, fresh(later)).denied("ipsec_frag_state", later, OUT_)
# SPD-17: a first fragment that was bypassed opens the way for the rest of its datagram, for 30 s
web = data(src=CN, dst="203.0.113.50", size=64)
pieces = [fresh(IP(src=CN, dst="203.0.113.50", ttl=web.ttl, id=7, flags=more, frag=at // 8, proto=17) / Raw(bytes(web)[20 + at:20 + at + 32]))
          for at, more in ((0, "MF"), (32, "MF"), (64, 0))]
other = fresh(IP(src=CN, dst="203.0.113.50", id=8, frag=4, proto=17) / Raw(bytes(16)))
ported = policy(1, OUT_, BYPASS, protocol=17, remote_port=6000)
c = case("policy-fragment-state", base(in_all, ported), "SPD-17, BAD-31").ip(2, *pieces, other).out(0, *[less(p) for p in pieces])
c.denied("ipsec_frag_state", other, OUT_).step({"advance_ms": 29000}).ip(2, pieces[2]).out(0, less(pieces[2])).step({"advance_ms": 1100}).ip(
    2, pieces[2]).denied("ipsec_frag_state", pieces[2], OUT_)
c = case("policy-fragment-state-first", base(in_all, ported), "SPD-17: not before the first fragment").ip(2, pieces[2]).denied("ipsec_frag_state", pieces[2], OUT_)
c.ip(2, pieces[0]).out(0, less(pieces[0]))
c = case("policy-fragment-state-order", base(in_all, policy(1, OUT_, DISCARD, remote="203.0.113.50/32", order=1), dict(policy=dict(ported["policy"], id=2, order=2))),
         "SPD-03, SPD-18: a discard before it decides")
c.ip(2, pieces[0], pieces[2]).denied("policy_discard", pieces[0], OUT_).denied("policy_discard", pieces[2], OUT_)
c = case("policy-fragment-state-behind", base(in_all, dict(policy=dict(ported["policy"], order=1)), policy(2, OUT_, DISCARD, order=2)), "SPD-17: and one behind it does not")
c.ip(2, pieces[0], pieces[2], other).out(0, less(pieces[0]), less(pieces[2])).denied("policy_discard", other, OUT_)
back_pieces = [fresh(IP(src="203.0.113.50", dst=CN, id=9, flags=more, frag=at // 8, proto=17) / Raw((bytes(UDP(sport=6000, dport=5000, len=48)) + bytes(40))[at:at + 24]))
               for at, more in ((0, "MF"), (24, 0))]
c = case("policy-fragment-state-in", base(out_all, policy(1, IN, BYPASS, protocol=17, remote_port=6000)), "SPD-17 inbound").ip(0, back_pieces[1])
c.denied("ipsec_frag_state", back_pieces[1], IN).ip(0, *back_pieces).out(2, *[less(p) for p in back_pieces])
case("policy-fragment-any", base(in_all, policy(1, OUT_, BYPASS, protocol=17)), "SPD-10: any port matches a hidden one").ip(2, fresh(later)).out(0, less(fresh(later)))
# RFC 5266 mode mc: the tunnel's outer datagram goes through an SA; its room is what the SA leaves, HA4-SPD-01 order A.
TIA = "10.8.0.7"
mc = base(in_all, esp_bed.sa(esp_bed.OUT, id=1, local=HA, remote="203.0.113.7", selectors=[dict(local=HA + "/32", remote=TIA + "/32")]),
          policy(1, OUT_, PROTECT, local=HA + "/32", remote=TIA + "/32", sa=1), out_all, binding(care_of=TIA))
fits = (1500 - 20 - 8 - 8 - 16) // 4 * 4 - 2 - 20  # MTU-01, then the outer IP header of RFC 2003
c = case("policy-mode-mc-mtu", mc, "MTU-01, MTU-02 for what goes into the tunnel that goes into the SA").ip(2, data(size=fits - 28 + 1, flags="DF"))
c.drop("mtu_df").count(icmp_sent=1, created=1).forward_octets(0, 1, fits + 1)
big = less(data(size=fits - 28 + 1, flags="DF"))
c.out(2, icmp_error(3, 4, big, CN, mtu=fits))
signal_in = policy(1, IN, BYPASS, local=HA + "/32", protocol=17, local_port=434, flags=1)
c = case("policy-signalling", base(out_all, signal_in, binding()), "HA4-SPD-05: requests pass")
c.ip(0, vector("V01")).punt(1, v01[28:], source=COA, destination=HA, source_port=5434, ttl=IP(v01).ttl)
case("policy-signalling-data", base(out_all, signal_in, udp_binding()), "HA4-SPD-06: tunnel data on the same port does not").ip(0, vector("V07")).denied(
    "policy_none", vector("V07"), IN)
case("policy-tunnel-in", base(out_all, binding()), "HA4-SPD-14: clear IP-in-IP without a policy for it").ip(0, vector("V22")).denied(
    "policy_none", vector("V22"), IN)
c = case("policy-tunnel", base(policy(1, IN, BYPASS, local=HA + "/32", protocol=4), policy(2, OUT_, BYPASS, local=HA + "/32", protocol=4), binding()),
         "the outer datagram is judged, the inner one has no boundary to cross").ip(0, vector("V22")).reverse(0, 44).out(2, less(IP(VECTORS["V22"][20:])))
c.ip(2, data()).forward(0, 28).out(0, ipip(less(data())))
case("policy-esp-in", base(out_all, policy(1, IN, DISCARD)), "ESP and IKE to us are not judged in clear").ip(
    0, fresh(IP(src=COA, dst=HA) / UDP(sport=500, dport=500) / Raw(b"ike ike!"))).to_kernel(
    0, Ether(dst=PORT[0], src=ROUTER) / fresh(IP(src=COA, dst=HA) / UDP(sport=500, dport=500) / Raw(b"ike ike!")))
asks = lambda hop_limit: Ether(dst="33:33:ff:00:00:01", src=ROUTER) / IPv6(src="fe80::1", dst="ff02::1:ff00:1", hlim=hop_limit) / ICMPv6ND_NS(  # noqa: E731
    tgt="2001:db8::1")
case("policy-neighbor-discovery", base(out_all, policy(1, IN, BYPASS)), "SPD-15: what ARP does for IPv4 is not judged either").receive(
    0, asks(255)).to_kernel(0, asks(255))
case("policy-neighbor-discovery-far", base(out_all, policy(1, IN, BYPASS)), "RFC 4861 6.1: a hop limit of less than 255 came from elsewhere").receive(
    0, asks(64)).denied("policy_none", asks(64).payload, IN)

# SPD-15: what no policy names, by dataplane.unmatched
LOCALLY, IN_CLEAR = {"unmatched": 1}, {"unmatched": 2}
login = fresh(IP(src="203.0.113.50", dst=HA) / TCP(sport=4000, dport=22, flags="S"))
c = case("policy-unmatched-local", base(LOCALLY, out_all, policy(1, IN, PROTECT, remote="203.0.113.99/32"), binding()),
         "SPD-15: to the gateway's own system").ip(0, login).to_kernel(0, Ether(dst=PORT[0], src=ROUTER) / login)
c.ip(0, data(src="203.0.113.50", dst=CN)).denied("policy_none", data(src="203.0.113.50", dst=CN), IN)
c.ip(0, vector("V22")).denied("policy_none", vector("V22"), IN).ip(0, vector("V01")).denied("policy_none", vector("V01"), IN)
secret = fresh(IP(src="203.0.113.99", dst=HA) / TCP(sport=4000, dport=22, flags="S"))
c.ip(0, secret).denied("policy_cleartext", secret, IN)
case("policy-unmatched-local-out", base(LOCALLY, in_all), "what is forwarded is not the system's").ip(2, away).denied("policy_none", away, OUT_)
c = case("policy-unmatched-bypass", base(IN_CLEAR, policy(1, IN, PROTECT, remote="203.0.113.99/32"), policy(2, OUT_, DISCARD, remote="203.0.113.99/32")),
         "SPD-15, SPD-16: all in clear but what a policy names")
c.ip(2, away).out(0, less(away)).ip(0, back).out(2, less(back)).ip(0, secret).denied("policy_cleartext", secret, IN)
named = data(src=CN, dst="203.0.113.99")
c.ip(2, named).denied("policy_discard", named, OUT_)
case("policy-unmatched-bypass-fragment", base(IN_CLEAR, ported), "SPD-17: and later fragments, which show no port").ip(2, pieces[2]).out(0, less(pieces[2]))
