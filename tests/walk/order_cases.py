"""Mobile IP and IPsec in one another, for generate.py (HA4-SPD, HA4-MODE): the node's inner address (TIA) as care-of address, its home
address as IPsec peer, and transport mode around a Mobile IP tunnel. The peer is Scapy's ESP; what must come out is built from the RFCs."""
from scapy.all import ESP, IP, UDP, Raw
from scapy.layers.ipsec import SecurityAssociation

import esp_bed
from esp_bed import BYPASS, DF_SET, IN, KEY, OUT, PROTECT, SPI, TRANSPORT

TIA, ROAMING, OTHER = "10.8.0.7", "203.0.113.9", "203.0.113.77"
REMOTE = "10.9.0.1"  # behind a node, reached through its SA
EVENT_REJECTED = esp_bed.EVENT_REJECTED


def add(g):
    case, base, binding, data, less, fresh, ipip, policy = g.case, g.base, g.binding, g.data, g.less, g.fresh, g.ipip, g.policy
    HA, HOA, COA, CN = g.HA, g.HOA, g.COA, g.CN
    B_IPSEC = g.B_IPSEC

    def tunnel(packet, seq, src, dst, tos=0, spi=SPI):
        """Tunnel mode, AES-GCM, IV = number; DF set, as we write it."""
        a = SecurityAssociation(ESP, spi=spi, crypt_algo="AES-GCM", crypt_key=bytes.fromhex(KEY),
                                tunnel_header=IP(src=src, dst=dst, ttl=64, id=0, flags="DF", tos=tos))
        return fresh(a.encrypt(packet, seq_num=seq, iv=seq.to_bytes(8, "big")))

    def transport(packet, seq):
        a = SecurityAssociation(ESP, spi=SPI, crypt_algo="AES-GCM", crypt_key=bytes.fromhex(KEY))
        return fresh(a.encrypt(packet, seq_num=seq, iv=seq.to_bytes(8, "big")))

    def sa(direction, local, remote, selector_local, selector_remote, **more):
        return esp_bed.sa(direction, local=local, remote=remote, selectors=[dict(local=selector_local, remote=selector_remote)], **more)

    rest = [policy(8, OUT, BYPASS, order=99), policy(9, IN, BYPASS, order=99)]
    inner = data(src=HOA, dst=CN)   # 28 octets
    answer = data(src=CN, dst=HOA)

    # ---- order B, RFC 5266 mode mc: IP-in-IP inside ESP; the care-of address is the tunnel's inner address ----
    mc = [sa(IN, HA, ROAMING, HA + "/32", TIA + "/32"), sa(OUT, HA, ROAMING, HA + "/32", TIA + "/32", flags=DF_SET),
          policy(1, OUT, PROTECT, local=HA + "/32", remote=TIA + "/32", sa=1), policy(2, IN, PROTECT, local=HA + "/32", remote=TIA + "/32")] + rest
    inside = fresh(IP(src=TIA, dst=HA, ttl=64, proto=4) / Raw(bytes(inner)))
    c = case("order-mc-in", base(*mc, binding(care_of=TIA, flags=B_IPSEC)), "HA4-SPD-01, HA4-MODE-08: ESP, selectors, IP-in-IP, binding").ip(
        0, tunnel(inside, 1, ROAMING, HA))
    c.reverse(0, 28).out(2, less(inner)).count(esp_decrypted=1)
    c = case("order-mc-out", base(*mc, binding(care_of=TIA, flags=B_IPSEC)), "HA4-SPD-01, HA4-MODE-06: the same outwards in one pass").ip(2, answer)
    c.forward(0, 28).out(0, tunnel(ipip(less(answer), dst=TIA), 1, HA, ROAMING)).count(esp_encrypted=1)
    clear = fresh(IP(src=TIA, dst=HA, ttl=64, proto=4) / Raw(bytes(inner)))
    case("order-mc-clear", base(*mc, binding(care_of=TIA, flags=B_IPSEC)), "SPD-16: the policy sees it first").ip(
        0, clear).denied("policy_cleartext", clear, IN)
    c = case("order-mc-clear-bypassed", base(*mc[:3], *rest, binding(care_of=TIA, flags=B_IPSEC)),
             "HA4-SPD-14, HA4-REV-18: and the binding where no policy does").ip(0, clear).drop("rt_needs_ipsec")
    c = case("order-mc-no-sa", base(*mc[3:], binding(care_of=TIA, flags=B_IPSEC)), "HA4-MODE-05, -06: never in clear").ip(2, answer)
    c.forward(0, 28).drop("fwd_needs_ipsec")
    c = case("order-mc-other-sa", base(*mc, sa(IN, HA, OTHER, HA + "/32", "10.8.0.8/32", id=2, spi=SPI + 1), binding(care_of=TIA, flags=B_IPSEC)),
             "HA4-MODE-03: another user's SA cannot send from this inner address").ip(0, tunnel(inside, 1, OTHER, HA, spi=SPI + 1)).count(esp_decrypted=1)
    c.event(EVENT_REJECTED, id=2, address=OTHER, reason="ipsec_selector_mismatch", value=SPI + 1).drop("ipsec_selector_mismatch")
    c = case("order-mc-no-binding", base(*mc, binding(care_of=COA)), "HA4-SPD-04: the Mobile IP check is not skipped for what was authenticated").ip(
        0, tunnel(inside, 1, ROAMING, HA)).count(esp_decrypted=1)
    c.spoofed("rt_no_binding", TIA)
    direct = fresh(IP(src=HOA, dst=CN, ttl=64) / UDP(sport=1, dport=2))
    c = case("order-mc-home-source", base(*mc, binding(care_of=TIA, flags=B_IPSEC)), "HA4-SPD-11, HA4-MODE-07: the home address is not in the SA's selectors").ip(
        0, tunnel(direct, 1, ROAMING, HA)).count(esp_decrypted=1)
    c.event(EVENT_REJECTED, id=1, address=ROAMING, reason="ipsec_selector_mismatch", value=SPI).drop("ipsec_selector_mismatch")
    c = case("order-mc-moved", base(*mc, binding(care_of=TIA, flags=B_IPSEC)), "HA4-MODE-09: MOBIKE moves the SA, the binding sees nothing").ip(2, answer)
    c.step(sa(OUT, HA, OTHER, HA + "/32", TIA + "/32", flags=DF_SET)).ip(2, answer)
    c.forward(0, 28, 28).out(0, tunnel(ipip(less(answer), dst=TIA), 1, HA, ROAMING), tunnel(ipip(less(answer), dst=TIA), 2, HA, OTHER)).count(esp_encrypted=2)

    df = [data(src=CN, dst=HOA, flags="DF"), data(src=CN, dst=HOA)]
    c = case("order-mc-df-clear", base(mc[0], sa(OUT, HA, ROAMING, HA + "/32", TIA + "/32", flags=esp_bed.DF_CLEAR), *mc[2:],
                                       binding(care_of=TIA, flags=B_IPSEC)), "HA4-MTU-17: an SA that clears DF does not for a Mobile IP tunnel").ip(2, *df)
    c.forward(0, 28, 28).count(esp_encrypted=2).out(0, *[tunnel(ipip(less(p), dst=TIA), n + 1, HA, ROAMING) for n, p in enumerate(df)])
    reply = IP(src=HA, dst=TIA, ttl=64) / UDP(sport=434, dport=5434) / Raw(b"reply")
    sent = g.Ether(dst=g.ROUTER, src=g.PORT[0]) / reply
    c = case("order-mc-reply", base(*mc), "HA4-MODE-05: past the bindings, into the SA all the same").inject(2, 0, sent, flags=1)
    c.out(0, tunnel(fresh(reply), 1, HA, ROAMING)).count(esp_encrypted=1)
    case("order-mc-reply-no-sa", base(*mc[2:]), "HA4-MODE-05: without the SA never").inject(2, 0, sent, flags=1).drop("policy_no_sa")

    # ---- both at once: MIP(ESP(MIP)) at external agent, gateway and internal agent in one, RFC 5265 modes cvc and fvc ----
    both = [sa(IN, HA, HOA, HA + "/32", TIA + "/32"), sa(OUT, HA, HOA, HA + "/32", TIA + "/32", flags=DF_SET)] + mc[2:] + [
        binding(), binding(id=1, home="10.1.0.11", care_of=TIA, flags=B_IPSEC)]
    user, to_user = data(src="10.1.0.11", dst=CN), data(src=CN, dst="10.1.0.11")
    esp = tunnel(fresh(IP(src=TIA, dst=HA, ttl=64, proto=4) / Raw(bytes(user))), 1, HOA, HA)
    c = case("order-both", base(*both), "HA4-MODE-17, HA4-SPD-01: all three taken off, and put on")
    c.ip(0, fresh(IP(src=COA, dst=HA, ttl=64, proto=4) / Raw(bytes(esp)))).reverse(0, len(esp)).reverse(1, 28).count(esp_decrypted=1).out(2, less(user))
    sent = tunnel(ipip(less(to_user), dst=TIA), 1, HA, HOA)
    c.ip(2, to_user).forward(1, 28).forward(0, len(sent)).count(esp_encrypted=1).out(0, ipip(sent))

    # ---- order A: ESP inside IP-in-IP; the IPsec peer is the home address ----
    node = [sa(IN, HA, HOA, "10.2.0.0/16", REMOTE + "/32"), sa(OUT, HA, HOA, "10.2.0.0/16", REMOTE + "/32", flags=DF_SET),
            policy(1, OUT, PROTECT, local="10.2.0.0/16", remote=REMOTE + "/32", sa=1)] + rest
    beyond, back = data(src=REMOTE, dst=CN), data(src=CN, dst=REMOTE)
    esp = tunnel(beyond, 1, HOA, HA)
    c = case("order-esp-in-mip-in", base(*node, binding()), "HA4-SPD-02: after the reverse tunnel check it enters IPsec").ip(
        0, fresh(IP(src=COA, dst=HA, ttl=64, proto=4) / Raw(bytes(esp))))
    c.reverse(0, len(esp)).out(2, less(beyond)).count(esp_decrypted=1)
    c = case("order-esp-in-mip-out", base(*node, binding()), "HA4-SPD-02, -03: the SA's peer is the home address, away at the care-of address").ip(2, back)
    sent = tunnel(less(back), 1, HA, HOA)
    c.forward(0, len(sent)).out(0, ipip(sent)).count(esp_encrypted=1)
    c = case("order-esp-in-mip-moves", base(*node, binding()), "HA4-SPD-02: the SA survives a change of the care-of address").ip(2, back)
    c.step(binding(care_of="198.51.100.99")).ip(2, back)
    again = tunnel(less(back), 2, HA, HOA)
    c.forward(0, len(sent), len(again)).out(0, ipip(sent), ipip(again, dst="198.51.100.99")).count(esp_encrypted=2)

    # ---- IIPtran: transport mode around the Mobile IP tunnel, told apart by the SA's mode alone ----
    def iiptran(flags):
        return [sa(IN, HA, COA, HA + "/32", COA + "/32", flags=flags), sa(OUT, HA, COA, HA + "/32", COA + "/32", flags=flags | DF_SET),
                policy(1, OUT, PROTECT, local=HA + "/32", remote=COA + "/32", protocol=4, sa=1)] + rest

    outer = fresh(IP(src=COA, dst=HA, ttl=64, id=0, flags="DF", proto=4) / Raw(bytes(inner)))
    c = case("order-transport-in", base(*iiptran(TRANSPORT), binding()), "HA4-SPD-10, TRN-06: Mobile IP takes the tunnel off").ip(0, transport(outer, 1))
    c.reverse(0, 28).out(2, less(inner)).count(esp_decrypted=1)
    c = case("order-transport-out", base(*iiptran(TRANSPORT), binding()), "HA4-SPD-09, TRN-05").ip(2, answer)
    c.forward(0, 28).out(0, transport(ipip(less(answer)), 1)).count(esp_encrypted=1)
    c = case("order-transport-no-binding", base(*iiptran(TRANSPORT)), "HA4-SPD-10: a tunnel that Mobile IP does not own").ip(0, transport(outer, 1)).count(esp_decrypted=1)
    c.spoofed("rt_no_binding", COA)
    c = case("order-transport-as-tunnel", base(*iiptran(0), binding()), "HA4-SPD-12: the same bytes on a tunnel mode SA, whose selectors say no").ip(
        0, transport(outer, 1)).count(esp_decrypted=1)
    c.event(EVENT_REJECTED, id=1, address=COA, reason="ipsec_selector_mismatch", value=SPI).drop("ipsec_selector_mismatch")
    ecn = fresh(IP(src=CN, dst=HOA, ttl=64, flags="DF", tos=2) / UDP(sport=1, dport=2))
    c = case("order-mc-ecn-df", base(mc[0], sa(OUT, HA, ROAMING, HA + "/32", TIA + "/32"), *mc[2:], binding(care_of=TIA, flags=B_IPSEC)),
             "HA4-SPD-13: DF copied, ECN by RFC 6040").ip(2, ecn)
    c.forward(0, 28).out(0, tunnel(ipip(less(ecn), dst=TIA), 1, HA, ROAMING, tos=2)).count(esp_encrypted=1)
