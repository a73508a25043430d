"""ESP cases for generate.py. The peer is Scapy's own ESP (AES-GCM) and the worked packets of esp_vectors.json; what must come out is
built by the rules of the RFCs, never taken from the program."""
import json
import os

from scapy.all import ESP, ICMP, IP, UDP, Ether, ICMPv6DestUnreach, IPv6, Raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from scapy.layers.ipsec import SecurityAssociation

IN, OUT = 0, 1
BYPASS, PROTECT = 1, 2
US, PEER, US6, PEER6 = "192.0.2.1", "198.51.100.2", "2001:db8:1::1", "2001:db8:2::2"
CLIENT, SERVER = "198.51.100.193", "192.0.2.129"
KEY = "01080f161d242b323940474e555c636a71787f86"
SPI = 0xc0000001
TRANSPORT, NATT, ESN, RESUME, DF_SET, DF_CLEAR, ECN_OFF, DSCP_IN, AFTER, NO_MAPPING, NO_INSPECT, SHARED, LARVAL = (1 << i for i in range(13))
EVENT_EXPIRED, EVENT_MAPPING, EVENT_REJECTED = 9, 10, 11
SOFT_TIME, SOFT_BYTES, SOFT_PACKETS, SOFT_SEQUENCE, HARD_TIME, HARD_BYTES, HARD_PACKETS, HARD_SEQUENCE = range(8)
ENCRYPTION = {"null": 11, "aes-cbc": 12, "aes-ctr": 13, "aes-ccm-8": 14, "aes-ccm-16": 16, "aes-gcm-8": 18, "aes-gcm-12": 19,
              "aes-gcm-16": 20, "aes-gmac": 21, "chacha20-poly1305": 28, "aes-gcm-16-iiv": 30, "chacha20-poly1305-iiv": 31}
INTEGRITY = {"none": 0, "hmac-sha1-96": 2, "hmac-sha256-128": 12, "hmac-sha384-192": 13, "hmac-sha512-256": 14}
ROUTER = "02:00:00:00:ee:fe"

BOTH = [{"local": "192.0.2.128/25", "remote": CLIENT + "/32"}, {"local": "2001:db8:3::/48", "remote": "2001:db8:4::/48"}]


def selectors(**more):
    return [dict(local="192.0.2.128/25", remote=CLIENT + "/32", **more)]


def sa(direction=IN, id=1, spi=SPI, key=KEY, **more):
    return {"sa": dict(dict(direction=direction, id=id, spi=spi, key=key, selectors=BOTH), **more)}


def add(g):
    case, less, fresh = g.case, g.less, g.fresh
    vectors = json.load(open(os.path.join(os.path.dirname(__file__), "../vectors/esp_vectors.json")))
    by_name = {v["name"]: v for v in vectors}

    def links(*more):
        return [{"local": {"address": US, "port": 0}}, {"local": {"address": US6, "port": 0}},
                {"route": {"prefix": "0.0.0.0/0", "via": g.GATEWAY, "port": 0}}, {"route": {"prefix": "::/0", "via": "2001:db8:1::fe", "port": 0}},
                {"route": {"prefix": "192.0.2.128/25", "port": 2}}, {"route": {"prefix": "2001:db8:3::/48", "port": 2}},
                {"neighbor": {"address": g.GATEWAY, "port": 0, "mac": 0xfe}}, {"neighbor": {"address": "2001:db8:1::fe", "port": 0, "mac": 0xfe}},
                {"neighbor": {"address": SERVER, "port": 2, "mac": 5}}, {"neighbor": {"address": "2001:db8:3::3", "port": 2, "mac": 5}},
                *more]

    def packet_of(raw):
        return IP(raw) if raw[0] >> 4 == 4 else IPv6(raw)

    def rejected(c, reason, spi=SPI, id=1, source=PEER, **audit):
        audit = dict({"to": None, "flow_label": 0}, **audit)
        audit = {key: value for key, value in audit.items() if value is not None}
        return c.event(EVENT_REJECTED, id=id, address=source, reason=reason, value=spi, audit=audit).drop(reason)

    def opened(packet, **more):
        """What an audit record says of the packet inside."""
        return dict(more, inner_source=packet.src, inner_destination=packet.dst, protocol=packet.proto, source_port=packet.sport, destination_port=packet.dport,
                    flags=7, to=US)

    def vector_sa(v, **more):
        flags = (ESN if v["esn"] else 0) | more.pop("flags", 0)
        if v["udp"]:
            flags |= NATT
            more.update(local_port=v["udp"][1], remote_port=v["udp"][0])
        raw = bytes.fromhex(v["packet"])
        if raw[0] >> 4 == 6:
            more.update(local=US6, remote=PEER6)
        if v["seq"] > 1 << 32:
            more.update(highest=v["seq"] - 1)
            flags |= RESUME
        return sa(spi=int(v["spi"], 16), key=v["keymat"], encryption=ENCRYPTION[v["enc"]], integrity=INTEGRITY[v["integ"]],
                  integrity_key=v["ikey"], flags=flags, **more)

    # ---- the worked packets, inbound (TV-02) ----
    for v in vectors:
        if v["expect"] != "accept" or v["name"].startswith(("gcm128-transport", "gcm256-esn-wrap")):
            continue
        raw = packet_of(bytes.fromhex(v["packet"]))
        inner = packet_of(bytes.fromhex(v["inner"]))
        if v["name"] == "gcm128-tfc":
            inner = IP(bytes(inner)[:inner.len])
        case("esp-in-" + v["name"], links(vector_sa(v)), "TV-02").ip(0, raw).out(2, less(inner), dst="02:00:00:00:ee:05").count(
            esp_decrypted=1).sa(IN, highest=v["seq"], packets=1, bytes=len(v["plaintext"]) // 2, used=1)

    for name, ecn in (("ecn-inner-ect0-outer-ce", 3), ("ecn-inner-ect0-outer-ect1", 1), ("ecn-inner-ce-outer-notect", 3), ("dscp-outer-ef", 0)):
        v = by_name[name]
        inner = packet_of(bytes.fromhex(v["inner"]))
        inner.tos = (inner.tos & 0xfc) | ecn
        del inner.chksum
        case("esp-in-" + name, links(vector_sa(v)), "ECN-03, ECN-08").ip(0, packet_of(bytes.fromhex(v["packet"]))).out(
            2, less(fresh(inner)), dst="02:00:00:00:ee:05").count(esp_decrypted=1)

    v = by_name["gcm128-tunnel-v4v4"]
    case("esp-in-port-down", links(vector_sa(v), {"port": {"index": 2, "up": 0}}), "AUD-16: decrypted, and then no way out").ip(
        0, packet_of(bytes.fromhex(v["packet"]))).drop("port_down").count(esp_decrypted=1)

    # ---- and outbound: the peer's side of the same packets; CBC's IV is not to be foreseen ----
    def out_links(*more, **policy):
        return links(*more, g.policy(7, IN, BYPASS, order=99), g.policy(8, OUT, BYPASS, order=99),
                     g.policy(7 + 2, IN, BYPASS, local="::/0", remote="::/0", order=99), g.policy(10, OUT, BYPASS, local="::/0", remote="::/0", order=99),
                     g.policy(1, OUT, PROTECT, local="198.51.100.192/28", remote="192.0.2.128/25", sa=1, **policy),
                     g.policy(2, OUT, PROTECT, local="2001:db8:4::/48", remote="2001:db8:3::/48", sa=1, **policy))

    def swap(steps):
        """The vectors' peer is us here: what is routed inside is outside and the other way round."""
        return [s for s in steps if s not in ({"route": {"prefix": "192.0.2.128/25", "port": 2}}, {"route": {"prefix": "2001:db8:3::/48", "port": 2}})]

    def more(packet):
        return less(packet, -1)

    for v in vectors:
        if v["expect"] != "accept" or v["enc"] == "aes-cbc" or v["name"] in ("gcm128-tfc", "gcm128-maxpad", "gcm256-esn-wrap", "chacha-esn"):
            continue  # chacha-esn: its IV is not the number
        if v["name"].startswith(("gcm128-transport", "dscp")):
            continue
        s = vector_sa(v)["sa"]
        del s["selectors"]
        s.update(direction=OUT, flags=s.get("flags", 0) | RESUME, sequence=v["seq"] - 1)
        s.pop("highest", None)
        s["local"], s["remote"] = s.pop("remote", PEER), s.pop("local", US)
        s["local_port"], s["remote_port"] = s.pop("remote_port", 0), s.pop("local_port", 0)
        inner = packet_of(bytes.fromhex(v["inner"]))
        raw = packet_of(bytes.fromhex(v["packet"]))
        if isinstance(raw, IPv6):
            continue  # the flow label is ours to choose
        steps = [t for t in swap(out_links({"sa": s})) if "local" not in t]
        case("esp-out-" + v["name"], steps, "TV-02, ESP-OUT-01").ip(2, more(inner)).out(0, raw).count(esp_encrypted=1).sa(
            OUT, sequence=v["seq"], packets=1, bytes=len(v["plaintext"]) // 2, used=1)

    # ---- BAD rows whose bytes are worked (section 18) ----
    def bad(name, reason, audited=False, spi=SPI, id=1, source=PEER, setup=None, **state):
        v = by_name[name]
        c = case("esp-" + name, setup or links(vector_sa(v)), "BAD-00: exactly this counter").ip(0, packet_of(bytes.fromhex(v["packet"])))
        if audited:
            rejected(c, reason, spi=spi, id=id, source=source, **(audited if audited is not True and audited != 1 else {}))
        else:
            c.drop(reason)
        if state:
            c.sa(IN, **state)
        return c

    NOTHING = dict(highest=0, packets=0, bytes=0, used=0)
    NO_SA = (1 << 32) - 1
    bad("bad-short", "ipsec_too_short", **NOTHING)  # BAD-01
    bad("bad-misaligned", "ipsec_bad_length", **NOTHING)  # BAD-02
    bad("bad-spi-zero", "ipsec_spi_reserved", True, spi=0, id=NO_SA, setup=links(sa()), **NOTHING)  # BAD-04
    bad("bad-spi-unknown", "ipsec_no_sa", True, spi=int(by_name["bad-spi-unknown"]["spi"], 16), id=NO_SA, setup=links(sa()), **NOTHING)  # BAD-05
    bad("bad-seq-zero", "ipsec_replay", True, replays=1, **NOTHING)  # BAD-10
    bad("bad-icv", "ipsec_bad_icv", dict(number=by_name["bad-icv"]["seq"], flags=1, to=US, protocol=0), bad_icv=1, **NOTHING)  # BAD-12
    bad("bad-seq-tampered", "ipsec_bad_icv", True, bad_icv=1, **NOTHING)
    for name, reason, audited in (("bad-pad-bytes", "ipsec_bad_pad", 0), ("bad-pad-length", "ipsec_bad_pad", 0),
                                  ("bad-next-header", "ipsec_bad_next_header", 0), ("bad-inner-version", "ipsec_inner_malformed", 0),
                                  ("bad-inner-length", "ipsec_inner_malformed", 0), ("bad-inner-source", "ipsec_selector_mismatch", 1),
                                  ("bad-inner-dest", "ipsec_selector_mismatch", 1), ("ecn-inner-notect-outer-ce", "ipsec_ecn_ce_not_ect", 0)):
        v = by_name[name]  # BAD-13..19, BAD-27: authentic, so the window moves
        c = bad(name, reason, audited, highest=v["seq"], packets=1, used=1).count(esp_decrypted=1)
        if name.startswith("ecn"):
            c.count(ecn_anomalies=1)
    bad("gcm128-dummy", "ipsec_dummy", highest=by_name["gcm128-dummy"]["seq"], packets=1, used=1).count(esp_decrypted=1)  # BAD-16

    # ---- the rest of section 18, with Scapy's ESP as the peer ----
    peer = {}

    def esp(packet, seq, spi=SPI, natt=None, src=PEER, dst=US, tos=0, **header):
        """What the peer sends: tunnel mode AES-GCM, IV = number."""
        a = peer.setdefault((spi, natt, src), SecurityAssociation(
            ESP, spi=spi, crypt_algo="AES-GCM", crypt_key=bytes.fromhex(KEY), tunnel_header=IP(src=src, dst=dst, ttl=64, id=0, flags="DF"),
            nat_t_header=UDP(sport=natt, dport=4500) if natt else None))
        p = a.encrypt(packet, seq_num=seq, iv=seq.to_bytes(8, "big"))
        p.tos = tos
        for field, value in header.items():
            setattr(p, field, value)
        if natt:
            p[UDP].chksum = 0
            del p[UDP].len  # Scapy has counted the header alone
        del p.chksum
        return fresh(p)

    def data(src=CLIENT, dst=SERVER, size=20, **more):
        return fresh(IP(src=src, dst=dst, ttl=63, **more) / UDP(sport=5000, dport=6000) / Raw(bytes(i & 0xff for i in range(size))))

    def through(c, *packets):
        return c.out(2, *[less(p) for p in packets], dst="02:00:00:00:ee:05").count(esp_decrypted=len(packets))

    one, two = esp(data(), 1), esp(data(size=24), 2)
    c = case("esp-larval", links({"sa": dict(direction=IN, id=1, spi=SPI, flags=LARVAL)}), "BAD-06, SAD-05").ip(0, one).drop("ipsec_sa_larval")
    c.step(sa()).ip(0, one)
    through(c, data())
    c = case("esp-removed", links(sa()), "BAD-07, LIFE-10").ip(0, one).step({"sa": dict(direction=IN, id=1, spi=SPI, remove=1)}).ip(0, two).drop(
        "ipsec_no_sa_recent")
    through(c, data()).step({"advance_ms": 61000}).ip(0, two)
    rejected(c, "ipsec_no_sa", id=NO_SA)
    c = case("esp-hard-packets", links(sa(limits=1, soft_packets=1, hard_packets=2)), "BAD-08, LIFE-01..03").ip(0, one, two, esp(data(), 3), esp(data(), 4))
    through(c, data(), data(size=24)).event(EVENT_EXPIRED, id=1, value=SOFT_PACKETS).event(EVENT_EXPIRED, id=1, value=HARD_PACKETS)
    c.drop("ipsec_sa_expired", 2).sa(IN, packets=2)
    c = case("esp-hard-bytes", links(sa(limits=1, hard_bytes=120)), "LIFE-03: what would cross the limit").ip(0, one, two, esp(data(), 3))
    through(c, data(), data(size=24)).event(EVENT_EXPIRED, id=1, value=HARD_BYTES).drop("ipsec_sa_expired").sa(IN, packets=2, bytes=52 + 56)
    c = case("esp-hard-time", links(sa(limits=1, soft_ms=1000, hard_ms=5000)), "LIFE-14").ip(0, one).step({"advance_ms": 2000}).ip(0, two).step(
        {"advance_ms": 4000}).ip(0, esp(data(), 3))
    through(c, data(), data(size=24)).event(EVENT_EXPIRED, id=1, value=SOFT_TIME).event(EVENT_EXPIRED, id=1, value=HARD_TIME).drop("ipsec_sa_expired")
    c = case("esp-replay", links(sa()), "BAD-09").ip(0, two, one, two)
    through(c, data(size=24), data())
    rejected(c, "ipsec_replay").sa(IN, highest=2, packets=2, replays=1)
    c = case("esp-replay-burst", links(sa()), "ESP-SEQ-10: the copy in the same burst")
    c._feed({"burst": 0}, [Ether(dst=g.PORT[0], src=ROUTER) / p for p in (one, one)])
    c.count(received_port=2)
    through(c, data())
    rejected(c, "ipsec_replay").sa(IN, highest=1, packets=1, replays=1)
    c = case("esp-replay-late", links(sa()), "BAD-10").ip(0, esp(data(), 65), one)
    through(c, data())
    rejected(c, "ipsec_replay_late").sa(IN, highest=65, replays_late=1)
    c = case("esp-window-off", links(sa(window=0)), "ESP-SEQ-15").ip(0, two, two, one)
    through(c, data(size=24), data(size=24), data())
    c = case("esp-move", links(sa()), "MOB-01..03, ESP-SEQ-18: both ends' old address still works, numbers stay").ip(0, one)
    moved = esp(data(), 3, src="203.0.113.99")
    c.step({"sa": dict(direction=IN, id=1, spi=SPI, remote="203.0.113.99")}).ip(0, moved, two, one)
    through(c, data(), data(), data(size=24)).count(ipsec_outer_mismatch=1)
    rejected(c, "ipsec_replay").sa(IN, highest=3, packets=3)
    case("esp-set-other-key", links(sa(), sa(key="ff" + KEY[2:], error=17)), "KIF-10").ip(0, one).out(2, less(data()), dst="02:00:00:00:ee:05").count(esp_decrypted=1)
    case("esp-set-again", links(sa(), sa()), "KIF-10: idempotent").ip(0, one).out(2, less(data()), dst="02:00:00:00:ee:05").count(esp_decrypted=1)
    # fragments and selectors
    ports = selectors(protocol=17, local_port=6000)
    later = fresh(IP(src=CLIENT, dst=SERVER, ttl=63, frag=2, proto=17) / Raw(bytes(16)))
    rejected(case("esp-frag-selector", links(sa(selectors=ports)), "BAD-20, ESP-IN-07").ip(0, esp(later, 1)).count(esp_decrypted=1), "ipsec_frag_selector")
    through(case("esp-frag-any", links(sa()), "ESP-IN-07").ip(0, esp(later, 1)), later)
    through(case("esp-ports", links(sa(selectors=ports)), "ESP-IN-05").ip(0, one), data())
    rejected(case("esp-ports-other", links(sa(selectors=selectors(protocol=17, local_port=6001))), "ESP-IN-05, AUD-03").ip(0, one).count(
        esp_decrypted=1), "ipsec_selector_mismatch", **opened(data(), number=1))
    labelled = IPv6(src=PEER6, dst=US6, fl=0xabcde, nh=50) / Raw((0xc00000ff).to_bytes(4, "big") + (77).to_bytes(4, "big") + bytes(32))
    rejected(case("esp-no-sa-ipv6", links(sa()), "AUD-02, RFC 4303 4: the flow label too").ip(0, labelled), "ipsec_no_sa", spi=0xc00000ff, id=NO_SA,
             source=PEER6, to=US6, flow_label=0xabcde, number=77, flags=1)
    # AUD-05: ten at once of one SA and reason; others are told of meanwhile, and how many were held back
    c = case("esp-audit-limit", links(sa()), "AUD-05").ip(0, one, *[one] * 13)
    through(c, data())
    for i in range(10):
        c.event(EVENT_REJECTED, id=1, address=PEER, reason="ipsec_replay", value=SPI, audit=dict(number=1, to=US, untold=0))
    c.drop("ipsec_replay", 13).count(audits_held_back=3).ip(0, fresh(IP(src=PEER, dst=US, proto=50) / Raw(b"\0\0\1\1" + bytes(36))))
    rejected(c, "ipsec_no_sa", spi=0x101, id=NO_SA, untold=3).step({"advance_ms": 1100}).ip(0, one)
    rejected(c, "ipsec_replay", number=1).sa(IN, replays=14)
    tiny = fresh(IP(src=CLIENT, dst=SERVER, ttl=63, frag=1, proto=17) / Raw(bytes(16)))
    case("esp-tiny", links(sa()), "BAD-21").ip(0, esp(tiny, 1)).count(esp_decrypted=1).drop("ipsec_tiny_fragment")
    quoted = fresh(IP(src=SERVER, dst=CLIENT) / UDP(sport=6000, dport=5000) / Raw(b"x" * 8))
    net = [{"local": "192.0.2.128/25", "remote": "198.51.100.192/28", "protocol": 17}]
    error = fresh(IP(src="198.51.100.194", dst=SERVER, ttl=63) / ICMP(type=3, code=1) / Raw(bytes(quoted)))
    through(case("esp-icmp-embedded", links(sa(selectors=net)), "ESP-IN-09: what it quotes fits the SA").ip(0, esp(error, 1)), error)
    foreign = fresh(IP(src="198.51.100.194", dst=SERVER, ttl=63) / ICMP(type=3, code=1) / Raw(bytes(fresh(IP(src=SERVER, dst="203.0.113.9") / UDP()))))
    rejected(case("esp-icmp-embedded-foreign", links(sa(selectors=net)), "BAD-22").ip(0, esp(foreign, 1)).count(esp_decrypted=1), "ipsec_icmp_embedded")
    rejected(case("esp-icmp-not-inspected", links(sa(selectors=net, flags=NO_INSPECT)), "ESP-IN-09 off").ip(0, esp(error, 1)).count(esp_decrypted=1),
             "ipsec_selector_mismatch")
    # sources and routes inside
    for name, src, dst, reason in (("multicast", "224.0.0.5", SERVER, "ipsec_inner_malformed"), ("loopback", "127.0.0.1", SERVER, "ipsec_inner_malformed"),
                                   ("ours", US, SERVER, "ipsec_inner_malformed"), ("to-multicast", CLIENT, "224.0.0.9", "rt_inner_multicast")):
        case("esp-inner-" + name, links(sa(selectors=[{"local": "0.0.0.0/0", "remote": "0.0.0.0/0"}])), "BAD-50, ESP-IN-14").ip(
            0, esp(data(src=src, dst=dst), 1)).count(esp_decrypted=1).drop(reason)
    routed = fresh(IP(src=CLIENT, dst=SERVER, ttl=63, options=[g.IPOption(b"\x83\x07\x04\x0a\x00\x00\x01\x00")]) / UDP(sport=1, dport=2))
    case("esp-source-route", links(sa()), "BAD-51").ip(0, esp(routed, 1)).count(esp_decrypted=1).drop("ipsec_option_reject")
    # AUD-14: 1,024 forgeries in a row; then the SA's peer alone is listened to, and nothing else has changed
    forged, elsewhere = IP(bytes(one)[:-1] + bytes([bytes(one)[-1] ^ 1])), "203.0.113.66"
    foreign = forged.copy()
    foreign.src = elsewhere
    del foreign.chksum
    foreign = fresh(foreign)
    c = case("esp-icv-limit", links(sa()), "AUD-14, BAD-54").many(0, foreign, 1024)
    for i in range(10):
        c.event(EVENT_REJECTED, id=1, address=elsewhere, reason="ipsec_bad_icv", value=SPI)
    good_elsewhere = esp(data(), 1, src=elsewhere)
    c.ip(0, foreign, good_elsewhere, forged, two, good_elsewhere)
    through(c, data(size=24), data()).drop("ipsec_bad_icv", 1025).drop("ipsec_icv_limit", 2).count(audits_held_back=1015, ipsec_outer_mismatch=1)
    c.sa(IN, highest=2, packets=2, bad_icv=1025)

    # ESP-SEQ-17: the peer is 2 * 2^32 numbers ahead of what we believe
    def esn(number, packet=data()):
        plain = bytes(packet)
        pad = -(len(plain) + 2) % 4
        plain += bytes(range(1, pad + 1)) + bytes([pad, 4])
        iv, low = number.to_bytes(8, "big"), (number & 0xffffffff).to_bytes(4, "big")
        sealed = AESGCM(bytes.fromhex(KEY)[:16]).encrypt(bytes.fromhex(KEY)[16:] + iv, plain, SPI.to_bytes(4, "big") + (number >> 32).to_bytes(4, "big") + low)
        return fresh(IP(src=PEER, dst=US, ttl=64, id=0, flags="DF", proto=50) / Raw(SPI.to_bytes(4, "big") + low + iv + sealed))

    def failed(c, n):
        for i in range(min(n, 10)):
            c.event(EVENT_REJECTED, id=1, address=PEER, reason="ipsec_bad_icv", value=SPI)
        return c.drop("ipsec_bad_icv", n).count(audits_held_back=n - 10) if n > 10 else c.drop("ipsec_bad_icv", n)

    extended = sa(flags=ESN | RESUME, highest=5)
    ahead = 2 << 32
    c = case("esp-esn-resync", links(extended), "ESP-SEQ-17: after 1,024 failures, and then as ever").many(0, esn(ahead + 9), 1024)
    failed(c, 1024).ip(0, esn(ahead + 9), esn(ahead + 10), esn(ahead + 9), esn(6))
    through(c, data(), data()).event(EVENT_REJECTED, id=1, address=PEER, reason="ipsec_replay", value=SPI).drop("ipsec_replay")
    c.drop("ipsec_bad_icv").count(audits_held_back=1).sa(IN, highest=ahead + 10, packets=2, bad_icv=1025, replays=1)
    c = case("esp-esn-resync-limit", links(extended), "ESP-SEQ-17: four halves on, once a second").many(0, esn(ahead + 9), 1023)
    failed(c, 1027).ip(0, esn((5 << 32) + 9), esn((5 << 32) + 9), esn(ahead + 9), esn(ahead + 9)).step({"advance_ms": 20}).step({"advance_ms": 1000})
    c.ip(0, esn((4 << 32) + 9))
    through(c, data()).sa(IN, highest=(4 << 32) + 9, packets=1, bad_icv=1027)
    c = case("esp-esn-resync-elsewhere", links(extended), "ESP-SEQ-17, AUD-14: for the SA's peer alone").many(0, esn(ahead + 9), 1024)
    stranger = esn(ahead + 9)
    stranger.src = elsewhere
    del stranger.chksum
    failed(c, 1024).ip(0, fresh(stranger)).drop("ipsec_icv_limit").sa(IN, highest=5, bad_icv=1024)
    # UDP 4500
    wrapped = dict(flags=NATT, local_port=4500, remote_port=40001)
    n1 = esp(data(), 1, natt=40001)
    through(case("esp-udp-on-plain", links(sa()), "BAD-38, ESP-IN-12").ip(0, n1), data()).count(ipsec_outer_mismatch=1)
    through(case("esp-plain-on-udp", links(sa(**wrapped)), "BAD-38, ESP-IN-12").ip(0, one), data()).count(ipsec_outer_mismatch=1)
    c = case("esp-mapping", links(sa(**wrapped)), "BAD-39, BAD-40, NAT-09, NAT-10: the newest alone, once").ip(
        0, esp(data(), 3, natt=40001), esp(data(), 2, natt=40002), esp(data(), 4, natt=40002), esp(data(), 5, natt=40002))
    through(c, *[data()] * 4).event(EVENT_MAPPING, id=1, address=PEER, udp_port=40002)
    case("esp-mapping-off", links(sa(**dict(wrapped, flags=NATT | NO_MAPPING))), "NAT-11").ip(0, esp(data(), 1, natt=40002)).out(
        2, less(data()), dst="02:00:00:00:ee:05").count(esp_decrypted=1)

    def udp4500(payload, **more):
        return fresh(IP(src=PEER, dst=US) / UDP(sport=40001, dport=4500, **more) / Raw(payload))

    case("esp-natt-short", links(sa()), "BAD-33").ip(0, udp4500(b"\xff\xff"), udp4500(b"\x00"), udp4500(b"")).drop("ipsec_natt_short", 3)
    case("esp-natt-keepalive", links(sa()), "BAD-34, NAT-13").ip(0, udp4500(b"\xff")).drop("ipsec_natt_keepalive").sa(IN, used=0)
    ike = udp4500(bytes(4) + b"ike message")
    case("esp-natt-ike", links(sa()), "BAD-35").ip(0, ike).to_kernel(0, Ether(dst=g.PORT[0], src=ROUTER) / ike)
    ike = fresh(IP(src=PEER, dst=US) / UDP(sport=500, dport=500) / Raw(b"x" * 40))
    case("esp-ike-500", links(sa()), "NAT-02: never ESP").ip(0, ike).to_kernel(0, Ether(dst=g.PORT[0], src=ROUTER) / ike)
    case("esp-udp-checksum", links(sa(**wrapped)), "BAD-36").ip(0, udp4500(bytes(40), chksum=0x1234)).drop("ipsec_udp_csum")
    case("esp-udp-checksum-ipv6", links(sa(**wrapped)), "BAD-36, NAT-06").ip(
        0, IPv6(src=PEER6, dst=US6) / UDP(sport=40001, dport=4500, chksum=0) / Raw(bytes(40))).drop("ipsec_udp_csum")
    # NAT-06, RFC 6936: checksum 0 over IPv6, by setting and between the SA's own ends alone
    ZERO6 = 1 << 13
    six_natt = dict(flags=NATT | ZERO6, local=US6, remote=PEER6, local_port=4500, remote_port=40001)

    def sealed(packet, seq, next_header=4):
        plain = bytes(packet)
        pad = -(len(plain) + 2) % 4
        plain += bytes(range(1, pad + 1)) + bytes([pad, next_header])
        head, iv = SPI.to_bytes(4, "big") + seq.to_bytes(4, "big"), seq.to_bytes(8, "big")
        return head + iv + AESGCM(bytes.fromhex(KEY)[:16]).encrypt(bytes.fromhex(KEY)[16:] + iv, plain, head)

    def udp6(payload, src=PEER6, dst=US6, sport=40001, dport=4500, **more):
        return fresh(IPv6(src=src, dst=dst) / UDP(sport=sport, dport=dport, **more) / Raw(payload))

    bare = udp6(sealed(data(), 1), chksum=0)
    through(case("esp-udp-zero-ipv6", links(sa(**six_natt)), "NAT-06").ip(0, bare, udp6(sealed(data(), 2))), data(), data())
    case("esp-udp-zero-ipv6-off", links(sa(**dict(six_natt, flags=NATT))), "NAT-06").ip(0, bare).drop("ipsec_udp_csum").sa(IN, highest=0, packets=0)
    case("esp-udp-zero-ipv6-elsewhere", links({"local": {"address": "2001:db8:1::2", "port": 0}}, sa(**six_natt)), "NAT-06: RFC 6936 4").ip(
        0, udp6(sealed(data(), 1), src="2001:db8:2::9", chksum=0), udp6(sealed(data(), 1), sport=40002, chksum=0),
        udp6(sealed(data(), 1), dst="2001:db8:1::2", chksum=0)).drop("ipsec_udp_csum", 3).sa(IN, highest=0, packets=0)
    case("esp-udp-zero-ipv6-other", links(sa(**six_natt)), "NAT-06: no keepalive, no IKE").ip(
        0, udp6(b"\xff", chksum=0), udp6(bytes(40), chksum=0)).drop("ipsec_udp_csum", 2)
    for name, chksum, flags in (("esp-out-udp-ipv6", None, NATT), ("esp-out-udp-zero-ipv6", 0, NATT | ZERO6)):
        inside6 = data(src=SERVER, dst=CLIENT)
        wire = IPv6(src=US6, dst=PEER6, hlim=64, fl=0xfffff)  # any
        c = case(name, links(g.policy(8, OUT, BYPASS, order=99), g.policy(9, IN, BYPASS, order=99),
                 g.policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", sa=1), sa(**dict(six_natt, flags=flags, direction=OUT))), "NAT-06")
        c.ip(2, inside6).out(0, fresh(wire / UDP(sport=4500, dport=40001, **({} if chksum is None else {"chksum": 0})) / Raw(sealed(less(inside6), 1))))
        c.count(esp_encrypted=1)
    # other ports than 4500: what the settings say, and nothing else
    elsewhere_port = fresh(IP(src=PEER, dst=US) / UDP(sport=40001, dport=14500, chksum=0) / Raw(sealed(data(), 1)))
    other_port = dict(flags=NATT, local_port=14500, remote_port=40001)
    through(case("esp-udp-port", links({"esp_port": 14500}, sa(**other_port)), "NAT-01: a configurable list").ip(
        0, elsewhere_port, fresh(IP(src=PEER, dst=US) / UDP(sport=40001, dport=14500) / Raw(b"\xff"))).drop("ipsec_natt_keepalive"), data())
    case("esp-udp-port-none", links(sa(**other_port)), "NAT-01: an ordinary port").ip(0, elsewhere_port).to_kernel(
        0, Ether(dst=g.PORT[0], src=ROUTER) / elsewhere_port)
    case("esp-udp-length", links(sa(**wrapped)), "BAD-03").ip(0, fresh(IP(src=PEER, dst=US) / UDP(sport=40001, dport=4500, len=100) / Raw(bytes(40)))).drop(
        "ipsec_bad_length")
    transit = fresh(IP(src=PEER, dst=SERVER, ttl=63, proto=50) / Raw(bytes(40)))
    case("esp-transit", links(sa()), "BAD-37, SAD-11: not to an address of ours").ip(0, transit).out(2, less(transit), dst="02:00:00:00:ee:05")
    case("esp-ah", links(sa()), "BAD-47, ESP-IN-15").ip(0, fresh(IP(src=PEER, dst=US, proto=51) / Raw(bytes(24)))).drop("ipsec_ah_unsupported")
    whole = bytes(one[IP].payload)
    parts = [fresh(IP(src=PEER, dst=US, id=7, flags="MF", proto=50) / Raw(whole[:48])), fresh(IP(src=PEER, dst=US, id=7, frag=6, proto=50) / Raw(whole[48:]))]
    through(case("esp-reassembly", links(sa()), "MTU-12, ESP-IN-02").ip(0, parts[1], parts[0]), data()).count(reassembled=1, joined=1)
    large = data(size=3000)
    whole = esp(large, 1)
    c = case("esp-reassembly-large", links(sa()), "MTU-12: more than one buffer holds; cut again on the way out").ip(
        0, *[fresh(f) for f in g.fragment(whole, 1400)])
    c.out(2, *[fresh(f) for f in g.fragment(less(large), 1480)], dst="02:00:00:00:ee:05").count(
        esp_decrypted=1, reassembled=1, joined=2, fragments_made=3, created=2)
    # nesting

    def nested(depth):
        p = data()
        for level in range(depth):
            p = esp(p, 1, spi=SPI + depth - 1 - level)
            p[IP].src, p[IP].dst = PEER, US
            del p.chksum
            p = fresh(p)
        return p

    many = [sa(id=1 + i, spi=SPI + i, selectors=[{"local": "0.0.0.0/0", "remote": "0.0.0.0/0"}]) for i in range(5)]
    c = case("esp-nested-3", links(*many), "ESP-IN-11").ip(0, nested(3))
    c.out(2, less(data()), dst="02:00:00:00:ee:05").count(esp_decrypted=3)
    c = case("esp-nested-4", links(*many), "BAD-32").ip(0, nested(4)).count(esp_decrypted=3)
    rejected(c, "ipsec_nesting", spi=SPI + 3, id=NO_SA)
    # outbound ends
    out_sa = dict(direction=OUT, selectors=[], local=US, remote=PEER)
    inside = data(src=SERVER, dst=CLIENT)

    def protect(*more, **policy):
        return links(*more, g.policy(8, OUT, BYPASS, order=99), g.policy(9, IN, BYPASS, order=99),
                     g.policy(1, OUT, PROTECT, local="192.0.2.128/25", remote=CLIENT + "/32", sa=1, **policy))

    def ours(packet, seq, df=0, **header):
        p = esp(packet, seq, src=US, dst=PEER, tos=packet.tos, **header)
        p.flags = "DF" if df else 0
        del p.chksum
        return fresh(p)

    case("esp-out-df-copied", protect(sa(**out_sa)), "TUN-06").ip(2, data(src=SERVER, dst=CLIENT, flags="DF")).out(
        0, ours(less(data(src=SERVER, dst=CLIENT, flags="DF")), 1, 1)).count(esp_encrypted=1)
    case("esp-out-df-set", protect(sa(flags=DF_SET, **out_sa)), "TUN-06").ip(2, inside).out(0, ours(less(inside), 1, 1)).count(esp_encrypted=1)
    marked = data(src=SERVER, dst=CLIENT, flags="DF", tos=0xb9)
    # dummies: an inner datagram that nobody looks at, next header 59 (ESP-FMT-12)
    INJECT_DUMMY, dummy = 4, fresh(IP(src=US, dst=PEER, ttl=64, id=0, flags="DF", proto=59) / Raw(bytes(range(44))))

    def trailed(packet, seq, next_header, natt=None):
        """What stands inside, sealed by the rules of RFC 4303 2 and RFC 4106, not by Scapy's ESP, which has no next header 59."""
        plain = bytes(packet)
        pad = -(len(plain) + 2) % 4
        plain += bytes(range(1, pad + 1)) + bytes([pad, next_header])
        head = SPI.to_bytes(4, "big") + seq.to_bytes(4, "big")
        iv = seq.to_bytes(8, "big")
        return head + iv + AESGCM(bytes.fromhex(KEY)[:16]).encrypt(bytes.fromhex(KEY)[16:] + iv, plain, head)

    outer = IP(src=US, dst=PEER, ttl=64, id=0, flags="DF", proto=50)
    c = case("esp-out-dummy", protect(sa(flags=DF_SET, **out_sa)), "ESP-FMT-12: numbers run on between dummies and data").inject(
        INJECT_DUMMY, 0, Ether() / dummy, sa=1).ip(2, inside)
    c.out(0, fresh(outer / Raw(trailed(dummy, 1, 59))), ours(less(inside), 2, 1)).count(esp_encrypted=2).sa(OUT, sequence=2, packets=2)
    wrapped = fresh(IP(src=US, dst=PEER, ttl=64, id=0, flags="DF") / UDP(sport=4500, dport=40001, chksum=0) / Raw(trailed(dummy, 1, 59)))
    case("esp-out-dummy-udp", protect(sa(flags=NATT, local_port=4500, remote_port=40001, **out_sa)), "ESP-FMT-12").inject(
        INJECT_DUMMY, 0, Ether() / dummy, sa=1).out(0, wrapped).count(esp_encrypted=1).sa(OUT, sequence=1, packets=1)
    case("esp-out-dummy-transport", protect(sa(flags=TRANSPORT, **out_sa)), "ESP-FMT-12: the header is the datagram's own").inject(
        INJECT_DUMMY, 0, Ether() / dummy, sa=1).out(0, fresh(outer / Raw(trailed(bytes(dummy)[20:], 1, 59)))).count(esp_encrypted=1).sa(
        OUT, sequence=1, packets=1)
    case("esp-out-dummy-no-sa", protect(sa(**out_sa)), "ESP-FMT-12").inject(INJECT_DUMMY, 0, Ether() / dummy, sa=2).drop("policy_no_sa").sa(OUT, sequence=0)
    large = fresh(IP(src=US, dst=PEER, ttl=64, id=0, flags="DF", proto=59) / Raw(bytes(1427)))
    case("esp-out-dummy-too-big", protect(sa(**out_sa)), "ESP-FMT-12: no fragments, no ICMP error").inject(
        INJECT_DUMMY, 0, Ether() / large, sa=1).drop("ipsec_mtu_exceeded").count(icmp_suppressed=1).sa(OUT, sequence=0)
    case("esp-out-tos", protect(sa(**out_sa)), "ECN-01, ECN-08").ip(2, marked).out(0, ours(less(marked), 1, 1)).count(esp_encrypted=1)
    fixed = ours(less(marked), 1, 1)
    fixed.tos = 10 << 2
    del fixed.chksum
    case("esp-out-tos-fixed", protect(sa(dscp=10, flags=ECN_OFF, **out_sa)), "ECN-02, ECN-08").ip(2, marked).out(0, fresh(fixed)).count(esp_encrypted=1)
    c = case("esp-out-last", protect(sa(flags=RESUME | DF_SET, sequence=(1 << 32) - 2, **out_sa)), "BAD-44, ESP-SEQ-03").ip(2, inside, inside)
    c.out(0, ours(less(inside), (1 << 32) - 1, 1)).count(esp_encrypted=1).event(EVENT_EXPIRED, id=1, port=OUT, value=SOFT_SEQUENCE).event(
        EVENT_REJECTED, id=1, address=SERVER, reason="ipsec_seq_overflow", value=SPI).event(
            EVENT_EXPIRED, id=1, port=OUT, value=HARD_SEQUENCE).drop("ipsec_seq_overflow").sa(OUT, sequence=(1 << 32) - 1, packets=1, bytes=52)
    c = case("esp-out-hard", protect(sa(limits=1, hard_packets=1, flags=DF_SET, **out_sa)), "LIFE-03").ip(2, inside, inside).drop("ipsec_out_expired")
    c.out(0, ours(less(inside), 1, 1)).count(esp_encrypted=1).event(EVENT_EXPIRED, id=1, port=OUT, value=HARD_PACKETS).sa(OUT, sequence=1, packets=1)
    case("esp-out-none", protect(), "BAD-42: never in clear").ip(2, inside).drop("policy_no_sa")
    case("esp-out-ttl", protect(sa(**out_sa)), "BAD-45").ip(2, fresh(IP(src=SERVER, dst=CLIENT, ttl=1) / ICMP(type=3, code=1))).drop("ttl").count(
        icmp_suppressed=1).sa(OUT, sequence=0)
    full = data(src=SERVER, dst=CLIENT, size=1446 - 28, flags="DF")
    case("esp-out-fits", protect(sa(**out_sa)), "MTU-01: 1446 over 1500").ip(2, full).out(0, ours(less(full), 1, 1)).count(esp_encrypted=1)
    large = data(src=SERVER, dst=CLIENT, size=1447 - 28, flags="DF")
    c = case("esp-out-too-big", protect(sa(**out_sa)), "BAD-46, MTU-02").ip(2, large).drop("ipsec_mtu_exceeded").count(icmp_sent=1, created=1).sa(OUT, sequence=0)
    c.out(2, g.icmp_error(3, 4, less(large), SERVER, src=US, mtu=1446), dst="02:00:00:00:ee:05")

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
