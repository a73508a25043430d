"""The worked packets of esp_vectors.json, in, out, and spoiled (TV-02, section 18), for generate.py."""
from esp_bed import *  # noqa: F403

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
