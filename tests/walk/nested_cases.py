"""ESP in ESP by policy (ESP-OUT-04, TUN-12) and what may go to an address that an SA was moved to (MOB-12), for generate.py. The peer's side
is esp_edge_cases' own builder."""
from scapy.all import IP, UDP, Raw

import esp_edge_cases
from esp_bed import CLIENT, DF_SET, IN, NATT, OUT, PEER, PROTECT, SERVER, SPI, TRANSPORT, US, BYPASS

NESTED = 4
HUBS = [PEER, "203.0.113.98", "203.0.113.99", "203.0.113.100"]


def add(g):
    case, less, fresh, policy = g.case, g.less, g.fresh, g.policy

    def sa(level, **more):
        import esp_bed
        return esp_bed.sa(OUT, **dict(dict(id=1 + level, spi=SPI + level, selectors=[], local=US, remote=HUBS[level], flags=DF_SET), **more))

    def nest(level, protocol=50, remote=None, **more):
        """What goes to the hub of the level below goes through this one's SA."""
        return policy(20 - 2 * level - 8, OUT, PROTECT, local=US + "/32", remote=(remote or HUBS[level - 1]) + "/32", protocol=protocol,
                      **dict(dict(sa=1 + level, flags=NESTED), **more))

    def setup(*more):
        return [{"local": {"address": US, "port": 0}}, {"route": {"prefix": "0.0.0.0/0", "via": g.GATEWAY, "port": 0}},
                {"route": {"prefix": "192.0.2.128/25", "port": 2}}, {"neighbor": {"address": g.GATEWAY, "port": 0, "mac": 0xfe}},
                {"neighbor": {"address": SERVER, "port": 2, "mac": 5}},
                policy(14, OUT, BYPASS, order=99), policy(15, IN, BYPASS, order=99),
                policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", sa=1), *more]

    def data(size=20, **more):
        return fresh(IP(src=SERVER, dst=CLIENT, ttl=63, **more) / UDP(sport=5000, dport=6000) / Raw(bytes(i & 0xff for i in range(size))))

    def esp(inner, level, seq=1, natt=None, dst=None):
        """The packet of a level's SA, outer header and all."""
        body = esp_edge_cases.esp_octets(bytes(inner), seq, spi=SPI + level)
        head = IP(src=US, dst=dst or HUBS[level], ttl=64, id=0, flags="DF", proto=17 if natt else 50)
        if natt:
            body = bytes(UDP(sport=natt[0], dport=natt[1], chksum=0, len=8 + len(body))) + body
        return fresh(head / Raw(body))

    inside = data()
    one = esp(less(inside), 0)
    two = esp(one, 1)
    case("esp-out-nested", setup(sa(0), sa(1), nest(1)), "ESP-OUT-04: ESP in ESP, where a policy says so").ip(2, inside, inside).out(
        0, two, esp(esp(less(inside), 0, 2), 1, 2)).count(esp_encrypted=4).sa(OUT, 1, sequence=2, packets=2).sa(OUT, 2, sequence=2, packets=2)
    case("esp-out-nested-not", setup(sa(0), sa(1), nest(1, flags=0)), "ESP-OUT-03: a policy that does not say so is not asked").ip(
        2, inside).out(0, one).count(esp_encrypted=1)
    case("esp-out-nested-other", setup(sa(0), sa(1), nest(1, remote="203.0.113.1")), "ESP-OUT-04: nor one of other addresses").ip(
        2, inside).out(0, one).count(esp_encrypted=1)
    three = esp(two, 2)
    chain = [sa(0), sa(1), sa(2), sa(3), nest(1), nest(2)]
    case("esp-out-nested-3", setup(*chain), "ESP-OUT-04: three times").ip(2, inside).out(0, three).count(esp_encrypted=3)
    c = case("esp-out-nested-4", setup(*chain, nest(3)), "ESP-OUT-04, TUN-12: and no more").ip(2, inside).count(esp_encrypted=3)
    c.event(g.EVENT_REJECTED, id=4, address=US, reason="ipsec_nesting", value=SPI + 3).drop("ipsec_nesting")
    c = case("esp-out-nested-max", setup(*chain, {"esp_nesting_max": 2}), "ESP-OUT-04: as often as is set").ip(2, inside).count(esp_encrypted=2)
    c.event(g.EVENT_REJECTED, id=3, address=US, reason="ipsec_nesting", value=SPI + 2).drop("ipsec_nesting")
    case("esp-out-nested-loop", setup(sa(0), nest(1, sa=1)), "TUN-12: a tunnel that leads into itself").ip(2, inside).count(esp_encrypted=1).denied(
        "ipsec_nesting", one, OUT)
    c = case("esp-out-nested-circle", setup(sa(0), sa(1), nest(1), nest(2, sa=1)), "TUN-12: or into one that leads back").ip(2, inside)
    c.count(esp_encrypted=3).event(g.EVENT_REJECTED, id=2, address=US, reason="ipsec_nesting", value=SPI + 1).drop("ipsec_nesting")
    case("esp-out-nested-none", setup(sa(0), nest(1, sa=0xffffffff)), "SPD-13: and none is there").ip(2, inside).count(esp_encrypted=1).drop(
        "policy_no_sa").event(g.ACQUIRE, id=10, address=PEER, value=50 << 32)
    natt = dict(flags=NATT | DF_SET, local_port=4500, remote_port=40001)
    case("esp-out-nested-udp", setup(sa(0, **natt), sa(1), nest(1, protocol=17, local_port=4500)), "ESP-OUT-04: ESP in UDP inside").ip(2, inside).out(
        0, esp(esp(less(inside), 0, natt=(4500, 40001)), 1)).count(esp_encrypted=2)
    # transport mode around it: the IP header stays, ESP follows ESP
    body = esp_edge_cases.esp_octets(bytes(one[IP].payload), 1, spi=SPI + 1, next_header=50)
    case("esp-out-nested-transport", setup(sa(0), sa(1, flags=DF_SET | TRANSPORT, remote=PEER), nest(1)), "ESP-OUT-04, RFC 4301 4.3").ip(2, inside).out(
        0, fresh(IP(src=US, dst=PEER, ttl=64, id=0, flags="DF", proto=50) / Raw(body))).count(esp_encrypted=2)
    # 1500: 1446 inside the outer one, 1390 inside both
    fits, large = data(size=1390 - 28, flags="DF"), data(size=1390 - 27, flags="DF")
    case("esp-out-nested-mtu", setup(sa(0), sa(1), nest(1)), "MTU-01: both are counted").ip(2, fits).out(
        0, esp(esp(less(fits), 0), 1)).count(esp_encrypted=2)
    case("esp-out-nested-too-big", setup(sa(0), sa(1), nest(1)), "MTU-02").ip(2, large).drop("ipsec_mtu_exceeded").count(
        icmp_sent=1, created=1).out(2, g.icmp_error(3, 4, less(large), SERVER, src=US, mtu=1390), dst=esp_edge_cases.INSIDE)

    # MOB-12: how much is a setting
    long, new = data(size=1400), "203.0.113.99"
    moved = [dict(id=1, spi=SPI, pair=1, direction=d, flags=DF_SET * d, local=US, remote=new) for d in (OUT, IN)]
    for name, allowance, through in (("set", 3000, 2), ("off", 0, 50)):
        c = case("esp-rr-" + name, setup({"move_allowance": allowance}, sa(0, pair=1), {"sa": dict(moved[1], remote=PEER, key=esp_edge_cases.KEY, selectors=[{"local": "0.0.0.0/0", "remote": "0.0.0.0/0"}])},
                 *[{"sa": m} for m in moved]), "MOB-12: %d octets" % allowance)
        c.ip(2, *[long] * 50).out(0, *[esp(less(long), 0, i, dst=new) for i in range(1, through + 1)]).count(esp_encrypted=through)
        if through < 50:
            c.drop("ipsec_rr_limit", 50 - through)
