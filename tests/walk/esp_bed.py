"""What the ESP cases share: associations, where they stand, what an audit record says; the worked packets of esp_vectors.json."""
import json
import os

from scapy.all import ESP, ICMP, IP, UDP, Ether, ICMPv6DestUnreach, IPv6, Raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from scapy.layers.ipsec import SecurityAssociation

import case_bed as g
from case_bed import case, fresh, less

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
