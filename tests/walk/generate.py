#!/usr/bin/python3
"""Writes tests/walk/cases: what goes into the dataplane and what must come out, both made with Scapy alone.

Run it after changing a case and commit what it writes: generate.py [CASES]. Drop reasons stand in the cases by
name: a new one changes none of them. The expected packets are built from the RFCs' rules,
never taken from the program's output. Addresses are those of the Mobile IPv4 vectors.
"""
import json
import os
import shutil
import sys

from scapy.all import (ARP, GRE, ICMP, IP, TCP, UDP, Ether, IPv6, Raw, conf, wrpcap)
from scapy.layers.inet import IPOption, IPerror, fragment
from scapy.layers.inet6 import (IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6PacketTooBig, ICMPv6TimeExceeded)
from scapy.utils import checksum

conf.verb = 0
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "cases")

HA, HOA, COA, NAT, NATPORT, CN = "192.0.2.1", "10.1.0.10", "198.51.100.23", "203.0.113.7", 40007, "10.2.0.5"
GATEWAY = "192.0.2.254"
PORT = ["02:00:00:00:00:01", "02:00:00:00:01:01", "02:00:00:00:02:01"]  # outside, home link, inside
ROUTER, CNMAC, HOST = "02:00:00:00:ee:fe", "02:00:00:00:ee:05", "02:00:00:00:ee:77"
BROADCAST = "ff:ff:ff:ff:ff:ff"

# enum agent_flag, enum binding_flag, enum punt_flag, enum event_type of lib/ipc
GREF, MINIMALF, UDPF, NO_CHECK, REQUIRE_T, ECN_COMPAT, DSCP_IN, DF_COPY, AFTER, CHECKSUM, RMULTI, AWAY_DROP, AWAY_LOG, MSS, INTERNAL, SIX = (
    1 << i for i in range(16))
B_UDP, B_HALF, B_STALE, B_SUSPENDED, B_BROADCAST, B_REVERSE, B_COLOCATED, B_IPSEC, B_ECN, B_STATIC = (1 << i for i in range(10))
EVENT_BOUND, EVENT_NEIGHBOR, EVENT_UNREACHABLE, EVENT_AWAY, EVENT_SPOOFED, EVENT_REJECTED = 2, 3, 5, 6, 7, 11

DROPS = ["none"]
with open(os.path.join(os.path.dirname(__file__), "../../lib/ipc/drop_reasons.h")) as header:
    for line in header:
        if line.strip().startswith("X("):
            DROPS.append(line.split("(")[1].split(",")[0])

VECTORS = {}
path = os.environ.get("MIP4_VECTORS", "/work/shared/vectors/mip4_vectors.json")
if not os.path.exists(path):
    path = os.path.join(os.path.dirname(__file__), "../vectors/mip4_vectors.json")
with open(path) as source:
    for v in json.load(source)["vectors"]:
        VECTORS[v["name"].split("-")[0]] = bytes.fromhex(v["hex"])


def agent(flags=GREF | MINIMALF | UDPF | CHECKSUM, **more):
    return {"agent": dict(flags=flags, **more)}


def binding(**more):
    return {"binding": more}


def udp_binding(**more):
    return {"binding": dict(dict(care_of=NAT, care_of_field="192.168.1.23", care_of_port=NATPORT, agent_port=434, flags=B_UDP), **more)}


LINKS = [{"home_network": {"prefix": "10.1.0.0/16", "port": 1}},
         {"route": {"prefix": "0.0.0.0/0", "via": GATEWAY, "port": 0}},
         {"route": {"prefix": "10.2.0.0/16", "port": 2}},
         {"neighbor": {"address": GATEWAY, "port": 0, "mac": 0xfe}},
         {"neighbor": {"address": CN, "port": 2, "mac": 0x05}}]


def base(*more, flags=None):
    return [agent() if flags is None else agent(flags)] + LINKS + list(more)


def fresh(packet):
    """Every length and checksum computed again."""
    return packet.__class__(bytes(packet))


def stamped(frame):
    frame = Raw(bytes(frame))
    frame.time = 0
    return frame


class Case:
    def __init__(self, name, setup, about=""):
        self.name, self.about = name, about
        self.steps = list(setup)
        self.files, self.sent, self.kernel = {}, {}, {}
        self.counters, self.drops, self.bindings = {}, {}, {}
        self.punted, self.events = [], []
        self.sas = {}
        self.finished = [0, 0]

    def count(self, **counters):
        for name, n in counters.items():
            self.counters[name] = self.counters.get(name, 0) + n
        return self

    def step(self, step):
        self.steps.append(step)
        return self

    def _feed(self, step, frames):
        name = "in%d.pcap" % len([f for f in self.files if f.startswith("in")])
        self.files[name] = frames
        self.steps.append(dict(step, pcap=name))

    def receive(self, port, *frames):
        self._feed({"receive": port}, list(frames))
        return self.count(received_port=len(frames))

    def burst(self, port, *packets, src=None):
        self._feed({"burst": port}, [Ether(dst=PORT[port], src=src or [ROUTER, HOST, CNMAC][port]) / p for p in packets])
        return self.count(received_port=len(packets))

    def ip(self, port, *packets, src=None):
        return self.receive(port, *[Ether(dst=PORT[port], src=src or [ROUTER, HOST, CNMAC][port]) / p for p in packets])

    def many(self, port, packet, times):
        self._feed({"receive": port, "times": times}, [Ether(dst=PORT[port], src=[ROUTER, HOST, CNMAC][port]) / packet])
        return self.count(received_port=times)

    def from_kernel(self, port, *frames):
        self._feed({"kernel": port}, list(frames))
        return self.count(received_exception=len(frames))

    def inject(self, kind, port, frame, flags=0, **more):
        self._feed({"inject": kind, "port": port, "flags": flags, **more}, [frame])
        return self.count(received_inject=1)

    def out(self, port, *packets, dst=None):
        dst = dst or [ROUTER, HOST, CNMAC][port]
        self.sent.setdefault(port, []).extend(Ether(dst=dst, src=PORT[port]) / p for p in packets)
        return self.count(sent_port=len(packets))

    def frames_out(self, port, *frames):
        self.sent.setdefault(port, []).extend(frames)
        return self.count(sent_port=len(frames))

    def to_kernel(self, port, *frames):
        self.kernel.setdefault(port, []).extend(frames)
        return self.count(punted_exception=len(frames))

    def drop(self, reason, n=1):
        assert reason in DROPS, reason
        self.drops[reason] = self.drops.get(reason, 0) + n
        return self

    def denied(self, reason, packet, direction):
        """A policy's refusal and its audit record (AUD-03)."""
        packet = packet.__class__(bytes(packet))
        protocol = packet.nh if isinstance(packet, IPv6) else packet.proto
        head = bytes(packet.payload)[:4]
        later = not isinstance(packet, IPv6) and packet.frag
        ports = not later and (protocol in (6, 17) or protocol in (1, 58)) and len(head) == 4
        audit = dict(to=packet.dst, inner_source=packet.src, inner_destination=packet.dst, protocol=protocol, flags=2 | 4 * ports | 8 * direction,
                     source_port=int.from_bytes(head[:2], "big") if ports else 0,
                     destination_port=int.from_bytes(head[2:], "big") if ports and protocol in (6, 17) else 0)
        self.events.append(dict(type=EVENT_REJECTED, id=(1 << 32) - 1, address=packet.src, reason=reason, audit=audit))
        return self.drop(reason)

    def spoofed(self, reason, source, udp_port=0):
        self.events.append(dict(type=EVENT_SPOOFED, reason=reason, address=source, udp_port=udp_port))
        return self.drop(reason)

    def finished_by_device(self, ipv4, udp):
        self.finished = [ipv4, udp]
        return self

    def event(self, type, **more):
        self.events.append(dict(type=type, **more))
        return self

    def punt(self, kind, data, **more):
        self.punted.append(dict(kind=kind, hex=bytes(data).hex(), **more))
        return self.count(punted_control=1)

    def sa(self, direction, id=1, **values):
        """Run-time state of an SA at the end: sequence, highest, packets, bytes, replays, ..."""
        self.sas.setdefault(["inbound", "outbound"][direction], {}).setdefault(str(id), {}).update(values)
        return self

    def forward(self, id, *sizes):
        b = self.bindings.setdefault(str(id), [0, 0, 0, 0])
        b[0] += len(sizes)
        b[1] += sum(sizes)
        return self.count(encapsulated=len(sizes))

    def forward_octets(self, id, packets, octets):
        b = self.bindings.setdefault(str(id), [0, 0, 0, 0])
        b[0] += packets
        b[1] += octets
        return self

    def reverse(self, id, *sizes):
        b = self.bindings.setdefault(str(id), [0, 0, 0, 0])
        b[2] += len(sizes)
        b[3] += sum(sizes)
        return self.count(decapsulated=len(sizes))

    def write(self):
        folder = os.path.join(OUT, self.name)
        os.makedirs(folder)
        for what, table in (("sent", self.sent), ("kernel", self.kernel)):
            for port, frames in table.items():
                self.files["%s%d.pcap" % (what, port)] = frames
        for name, frames in self.files.items():
            # One fixed time stamp: writing the same case twice gives the same file.
            wrpcap(os.path.join(folder, name), [stamped(f) for f in frames], linktype=1)
        case = dict(about=self.about, steps=self.steps,
                    sent={str(p): "sent%d.pcap" % p for p in self.sent}, kernel={str(p): "kernel%d.pcap" % p for p in self.kernel},
                    counters=self.counters, drops=self.drops, bindings=self.bindings, punted=self.punted, events=self.events, sas=self.sas,
                    finished_ipv4=self.finished[0], finished_udp=self.finished[1])
        with open(os.path.join(folder, "case.json"), "w") as file:
            json.dump({k: v for k, v in case.items() if v}, file, indent=1)
            file.write("\n")


CASES = []


def case(name, setup, about=""):
    c = Case(name, setup, about)
    CASES.append(c)
    return c


def data(src=CN, dst=HOA, size=0, ttl=64, **more):
    return IP(src=src, dst=dst, ttl=ttl, **more) / UDP(sport=5000, dport=6000) / Raw(bytes(i & 0xff for i in range(size)))


def less(packet, by=1):
    """The packet after forwarding."""
    p = packet.copy()
    if isinstance(p, IPv6):
        p.hlim -= by
    else:
        p.ttl -= by
        del p.chksum
    return fresh(p)


def ipip(inner, src=HA, dst=COA, ttl=64, df=True, tos=None, **more):
    tos = tos if tos is not None else inner.tc if isinstance(inner, IPv6) else inner.tos
    proto = 41 if isinstance(inner, IPv6) else 4
    return IP(src=src, dst=dst, ttl=ttl, id=0, flags="DF" if df else 0, tos=tos, proto=proto, **more) / Raw(bytes(inner))


def gre(inner, src=HA, dst=COA, tos=0):
    return IP(src=src, dst=dst, ttl=64, id=0, flags="DF", tos=tos) / GRE() / inner


def mip_udp(inner, src=HA, dst=NAT, sport=434, dport=NATPORT, nh=4, tos=None, checksum_on=True, payload=None):
    u = UDP(sport=sport, dport=dport) if checksum_on else UDP(sport=sport, dport=dport, chksum=0)
    return IP(src=src, dst=dst, ttl=64, id=0, flags="DF", tos=inner.tos if tos is None else tos) / u / Raw(
        bytes([4, nh, 0, 0]) + (bytes(inner) if payload is None else payload))


def minimal(inner, src=HA, dst=COA, s=True):
    inner = fresh(inner)
    raw = bytes(inner)
    head = inner.ihl * 4
    m = bytes([inner.proto, 0x80 if s else 0, 0, 0]) + raw[16:20] + (raw[12:16] if s else b"")
    c = checksum(m)
    m = m[:2] + bytes([c >> 8, c & 255]) + m[4:]
    outer = inner.copy()
    outer.remove_payload()
    outer.proto, outer.src, outer.dst = 55, src, dst
    del outer.chksum
    del outer.len
    return outer / Raw(m + raw[head:])


def icmp_error(type, code, about, to, src=HA, mtu=0, id=0):
    return IP(src=src, dst=to, ttl=64, id=id, tos=0xc0) / ICMP(type=type, code=code, nexthopmtu=mtu) / Raw(bytes(about)[:548]) if type == 3 else \
        IP(src=src, dst=to, ttl=64, id=id, tos=0xc0) / ICMP(type=type, code=code) / Raw(bytes(about)[:548])


# ---- the vectors: HA4-MSG, HA4-REV, HA4-FWD, HA4-NAT, HA4-BAD ----

def vector(name):
    return IP(VECTORS[name])


inner = IP(VECTORS["V22"][20:])
case("V22-ipip-reverse", base(binding())).ip(0, vector("V22")).reverse(0, 44).out(2, less(inner))
inner = IP(VECTORS["V07"][32:])
case("V07-udp-reverse", base(udp_binding())).ip(0, vector("V07")).reverse(0, 44).out(2, less(inner))
case("V23-gre-reverse", base(binding(encapsulation=47))).ip(0, vector("V23")).reverse(0, 44).out(2, less(IP(VECTORS["V23"][24:])))
inner = IP(src=HOA, dst=CN, ttl=64, id=0x42, proto=1) / Raw(VECTORS["V24"][32:])
case("V24-minimal-reverse", base(binding(encapsulation=55))).ip(0, vector("V24")).reverse(0, 44).out(2, less(fresh(inner)))
# HA4-NAT-20, V06 but for the samples' outer identification
reply = IP(VECTORS["V06"][32:])
keepalive_reply = mip_udp(reply)
case("V05-keepalive", base(udp_binding())).ip(0, vector("V05")).reverse(0, 44).forward(0, 44).out(0, keepalive_reply).count(
    keepalives_answered=1)
v21 = IP(VECTORS["V21"][20:])
before = v21.copy()
before.ttl = 64
del before.chksum
case("V21-ipip-forward", base(binding())).ip(2, fresh(before)).forward(0, 44).out(0, vector("V21"))
v35 = IP(VECTORS["V35"][32:])
before = v35.copy()
before.ttl = 64
del before.chksum
case("V35-udp-forward", base(udp_binding())).ip(2, fresh(before)).forward(0, 44).out(0, mip_udp(v35))
v08 = VECTORS["V08"]
case("V08-dereg-home", base(binding()), "HA4-MSG-15: TTL 1 does not matter").receive(
    1, Ether(dst=PORT[1], src=HOST) / IP(v08)).punt(1, v08[28:], source=HOA, destination=HA, source_port=5434, ttl=1, port=1)
v01 = VECTORS["V01"]
case("V01-registration", base()).ip(0, vector("V01")).punt(1, v01[28:], source=COA, destination=HA, source_port=5434, ttl=IP(v01).ttl)
n15 = VECTORS["N15"]
case("N15-zero-checksum", base()).ip(0, vector("N15")).punt(1, n15[28:], source=COA, destination=HA, source_port=5434, ttl=IP(n15).ttl,
                                                          flags=4)
v16 = VECTORS["V16"]
case("V10-garp-sent", base(), "gratuitous ARP that control injects").inject(
    1, 1, Ether(dst=BROADCAST, src=PORT[1], type=0x806) / Raw(VECTORS["V10"])).frames_out(
        1, Ether(dst=BROADCAST, src=PORT[1], type=0x806) / Raw(VECTORS["V10"]))
for name, reason, setup in (("N14", "udp_badsum", []), ("N23", "rx_short", [udp_binding()]), ("N26", "rt_inner_bad", [binding()]),
                            ("N27", "rx_unknown_type", []), ("N28", "rx_unexpected_rrp", []), ("N29", "rt_signalling", [binding()]),
                            ("N36", "ecn_drop", [binding()])):
    c = case(name + "-" + reason.replace("_", "-"), base(*setup)).ip(0, vector(name)).drop(reason)
    if name == "N36":
        c.count(ecn_anomalies=1)
case("N21-wrong-next-header", base(udp_binding())).ip(0, vector("N21")).spoofed("udp_tun_nh_mismatch", NAT, NATPORT)
case("N22-wrong-port", base(udp_binding()), "HA4-NAT-16: the endpoint does not move").ip(0, vector("N22")).spoofed(
    "rt_no_binding", NAT, NATPORT + 1).ip(2, data(size=20)).forward(0, 48).out(0, mip_udp(less(data(size=20))))
case("N24-wrong-care-of", base(binding())).ip(0, vector("N24")).spoofed("rt_no_binding", "198.51.100.99")
case("N25-wrong-inner", base(binding())).ip(0, vector("N25")).spoofed("rt_no_binding", COA)
case("N35-loop", base(binding())).ip(0, vector("N35")).drop("fwd_encapsulated_loop")

# ---- input ----

case("input-headers", base()).receive(
    0, Raw(bytes(10)), Ether(dst="02:00:00:00:99:99", src=ROUTER) / data(),
    Ether(dst=PORT[0], src=ROUTER, type=0x8100) / Raw(b"\x00\x07\x08\x00" + bytes(data())),
    Ether(dst=PORT[0], src=ROUTER) / Raw(b"\x45" + bytes(10)),
    Ether(dst=PORT[0], src=ROUTER, type=0x800) / Raw(bytes(IP(src=CN, dst=HOA, ttl=9, chksum=0x1234))),
    Ether(dst=PORT[0], src=ROUTER, type=0x800) / Raw(bytes(IP(src=CN, dst=HOA, len=2000) / Raw(bytes(20)))),
    Ether(dst=PORT[0], src=ROUTER) / IP(src="127.0.0.1", dst=HOA), Ether(dst=PORT[0], src=ROUTER) / IP(src="224.1.1.1", dst=HOA),
    Ether(dst=PORT[0], src=ROUTER) / IP(src="240.1.1.1", dst=HOA), Ether(dst=PORT[0], src=ROUTER) / IP(src="0.0.0.0", dst=HOA),
    Ether(dst=PORT[0], src=ROUTER) / IP(src=CN, dst="127.0.0.1"), Ether(dst=PORT[0], src=ROUTER) / IP(src=CN, dst="0.1.2.3"),
    Ether(dst=BROADCAST, src=ROUTER) / data()).drop("rx_frame_short").drop("rx_not_for_us").drop("rx_vlan_unknown").drop(
        "ipv4_checksum").drop("ipv4_header", 1).drop("source_invalid", 4).drop("destination_invalid", 2).drop("link_broadcast_unicast")
CASES[-1].drop("ipv4_header")
CASES[-1].files["in0.pcap"][3] = Ether(dst=PORT[0], src=ROUTER, type=0x800) / Raw(b"\x45" + bytes(10))
arp_kernel = Ether(dst=BROADCAST, src=ROUTER) / ARP(op=1, hwsrc=ROUTER, psrc=GATEWAY, pdst=HA)
ssh = Ether(dst=PORT[0], src=ROUTER) / IP(src=COA, dst=HA) / TCP(dport=22, flags="S")
other = Ether(dst=PORT[0], src=ROUTER, type=0x88cc) / Raw(bytes(46))
case("exception", base()).receive(0, arp_kernel, ssh, other).to_kernel(0, arp_kernel, ssh, other)
case("exception-without-tap", base({"port": {"index": 0, "tap": 0}})).receive(0, ssh).drop("exception_none")
padded = Ether(dst=PORT[0], src=ROUTER) / IP(src=COA, dst=HA) / TCP(dport=22, flags="S")
case("padding-is-cut", base(binding())).receive(
    2, Ether(dst=PORT[2], src=CNMAC) / IP(bytes(data(size=1)) + bytes(17))).forward(0, 29).out(0, ipip(less(data(size=1))))
v6kernel = Ether(dst="33:33:00:00:00:01", src=ROUTER) / IPv6(src="fe80::1", dst="ff02::1", hlim=255) / ICMPv6EchoRequest()
case("ipv6-headers", base()).receive(
    0, v6kernel, Ether(dst=PORT[0], src=ROUTER) / IPv6(src="::ffff:10.1.0.10", dst="2001:db8::1") / UDP(),
    Ether(dst=PORT[0], src=ROUTER) / IPv6(src="2001:db8::1", dst="::ffff:10.1.0.10") / UDP(),
    Ether(dst=PORT[0], src=ROUTER) / IPv6(src="ff02::1", dst="2001:db8::1") / UDP(),
    Ether(dst=PORT[0], src=ROUTER) / IPv6(src="2001:db8::1", dst="2001:db8::2", plen=900)).to_kernel(0, v6kernel).drop(
        "source_invalid", 2).drop("destination_invalid").drop("ipv6_header")

rrq = VECTORS["V01"][28:]


def request(src=COA, dst=HA, sport=5434, payload=rrq, **more):
    return IP(src=src, dst=dst, **more) / UDP(sport=sport, dport=434) / Raw(payload)


case("registration-invalid-source", base(), "HA4-BAD-13: multicast, loopback, broadcast, class E").ip(
    0, *[request(src=a) for a in ("224.0.0.1", "127.0.0.1", "255.255.255.255", "240.0.0.1")]).drop("source_invalid", 4)
case("registration-bad-source", base(), "HA4-BAD-03, -12, -13").ip(
    0, request(sport=0), request(src=HA), request(src="0.0.0.0"), request(payload=rrq[:23]), request(payload=b""),
    request(payload=bytes([7]) * 19), request(payload=bytes([15]) * 11)).drop("rx_source_port").drop("rx_source_address", 2).drop("rx_short", 4)
long_udp = IP(src=COA, dst=HA) / UDP(sport=5434, dport=434, len=500) / Raw(rrq)
short_udp = IP(src=COA, dst=HA) / UDP(sport=5434, dport=434, len=7) / Raw(rrq)
trailing = IP(bytes(IP(src=COA, dst=HA, len=28 + len(rrq) + 5) / UDP(sport=5434, dport=434, len=8 + len(rrq), chksum=0) / Raw(rrq + b"extra")))
case("registration-udp-length", base(), "HA4-MSG-08").ip(0, long_udp, short_udp, trailing).drop("udp_short", 2).punt(
    1, rrq, source=COA, destination=HA, source_port=5434, ttl=64, flags=4).count(udp_trailing=1)
case("registration-broadcast", base(), "HA4-MSG-01, HA4-BAD-13: on the home link alone").receive(
    1, Ether(dst=BROADCAST, src=HOST) / request(src="0.0.0.0", dst="255.255.255.255"),
    Ether(dst=BROADCAST, src=HOST) / request(src=HOA, dst="10.1.255.255"),
    Ether(dst="01:00:5e:00:00:0b", src=HOST) / request(src=HOA, dst="224.0.0.11")).punt(
        1, rrq, source="0.0.0.0", destination="255.255.255.255", source_port=5434, ttl=64, flags=3, port=1).punt(
            1, rrq, source=HOA, destination="10.1.255.255", source_port=5434, ttl=64, flags=3, port=1).punt(
                1, rrq, source=HOA, destination="224.0.0.11", source_port=5434, ttl=64, flags=3, port=1)
outside = Ether(dst=BROADCAST, src=ROUTER) / request(dst="255.255.255.255")
case("registration-broadcast-outside", base()).receive(0, outside).to_kernel(0, outside)
case("registration-transit", base(), "HA4-MSG-12").ip(2, request(src=CN, dst="192.0.2.77")).out(0, less(request(src=CN, dst="192.0.2.77")))
unfinished = request()
pseudo = 0
raw = bytes(fresh(unfinished))
for i in range(12, 20, 2):
    pseudo += raw[i] << 8 | raw[i + 1]
pseudo += 17 + 8 + len(rrq)
pseudo = (pseudo & 0xffff) + (pseudo >> 16)
unfinished[UDP].chksum = pseudo
case("registration-unfinished", base({"port": {"index": 0, "checksum_check": 0}})).ip(0, unfinished, vector("N14")).punt(
    1, rrq, source=COA, destination=HA, source_port=5434, ttl=64).drop("udp_badsum")
case("registration-unfinished-strict", base()).ip(0, unfinished).drop("udp_badsum")
fragments = fragment(request(src=COA, dst=HA, payload=rrq + bytes(700), id=77), 400)
case("registration-fragments", base(), "HA4-MSG-14").ip(0, *fragments).punt(
    1, rrq + bytes(700), source=COA, destination=HA, source_port=5434, ttl=64, flags=8).count(reassembled=1, joined=len(fragments) - 1)
solicit = IP(src="10.1.0.99", dst="255.255.255.255", ttl=1) / ICMP(type=10)
case("solicitation", base()).receive(1, Ether(dst=BROADCAST, src=HOST) / solicit).punt(
    2, bytes(solicit), source="10.1.0.99", destination="255.255.255.255", ttl=1, port=1, flags=3)

# ---- ARP: HA4-HOME-01, -02, -13 ----

who = Ether(dst=BROADCAST, src=HOST) / ARP(op=1, hwsrc=HOST, psrc="10.1.0.99", pdst=HOA)
case("arp-proxy", base(binding())).receive(1, who).count(proxy_arp_sent=1).frames_out(
    1, Ether(dst=HOST, src=PORT[1]) / ARP(op=2, hwsrc=PORT[1], psrc=HOA, hwdst=HOST, pdst="10.1.0.99"))
case("arp-not-bound", base()).receive(1, who).to_kernel(1, who)
case("arp-expired", base(binding(expires_ms=5000))).step({"advance_ms": 5200}).receive(1, who).to_kernel(1, who)
case("arp-other-link", base(binding())).receive(2, who).to_kernel(2, who)
own = Ether(dst=BROADCAST, src=HOST) / ARP(op=1, hwsrc=HOST, psrc=HOA, pdst=HOA)
ask = Ether(dst=BROADCAST, src=HOST) / ARP(op=1, hwsrc=HOST, psrc=HOA, pdst=HA)
case("arp-own", base(binding())).receive(1, own, ask).punt(
    3, bytes(own)[14:], source=HOA, destination=HOA, port=1, flags=1).to_kernel(1, ask)
mine = Ether(dst=BROADCAST, src=PORT[1]) / ARP(op=1, hwsrc=PORT[1], psrc="10.1.0.1", pdst=HOA)
case("arp-from-kernel", base(binding())).from_kernel(1, mine).to_kernel(
    1, Ether(dst=PORT[1], src="00:00:00:00:01:01") / ARP(op=2, hwsrc="00:00:00:00:01:01", psrc=HOA, hwdst=PORT[1], pdst="10.1.0.1"))

# ---- forward ----

small = data(size=30)
case("forward-gre", base(binding(encapsulation=47))).ip(2, small).forward(0, 58).out(0, gre(less(small)))
case("forward-minimal", base(binding(encapsulation=55))).ip(2, small).forward(0, 58).out(0, minimal(less(small)))
case("forward-udp-gre", base(udp_binding(encapsulation=47))).ip(2, small).forward(0, 58).out(
    0, mip_udp(less(small), nh=47, payload=b"\0\0\x08\0" + bytes(less(small))))
m = bytes(minimal(less(small)))
case("forward-udp-minimal", base(udp_binding(encapsulation=55))).ip(2, small).forward(0, 58).out(
    0, mip_udp(less(small), nh=55, payload=m[20:]))
case("forward-udp-no-checksum", base(udp_binding(), flags=UDPF)).ip(2, small).forward(0, 58).out(0, mip_udp(less(small), checksum_on=False))
case("forward-ttl", base(binding()), "HA4-FWD-03").ip(2, data(ttl=1), data(ttl=0)).drop("ttl", 2).count(icmp_sent=2, created=2).out(
    2, icmp_error(11, 0, data(ttl=1), CN), icmp_error(11, 0, data(ttl=0), CN, id=1))
case("forward-ttl-2", base(binding())).ip(2, data(ttl=2)).forward(0, 28).out(0, ipip(less(data(ttl=2))))
case("forward-tos", base(binding()), "HA4-FWD-06, -07").ip(2, data(tos=0xb9)).forward(0, 28).out(0, ipip(less(data(tos=0xb9))))
case("forward-dscp-fixed", [agent(dscp=10)] + LINKS + [binding()]).ip(2, data(tos=0xb9)).forward(0, 28).out(
    0, ipip(less(data(tos=0xb9)), tos=10 << 2 | 1))
case("forward-ecn-compatibility", base(binding(flags=B_ECN))).ip(2, data(tos=0xb9)).forward(0, 28).out(
    0, ipip(less(data(tos=0xb9)), tos=0xb8))
case("forward-df-copy", base(binding(), flags=DF_COPY)).ip(2, data(flags="DF")).forward(0, 28).out(0, ipip(less(data(flags="DF"))))
case("forward-options", base(binding()), "options stay inside (HA4-FWD-02, -05)").ip(
    2, data(options=IPOption(b"\x94\x04\0\0"))).forward(0, 32).out(0, ipip(less(fresh(data(options=IPOption(b"\x94\x04\0\0"))))))
case("forward-loop-own", base(binding(), {"local": {"address": "10.2.0.1", "port": 2}}), "HA4-FWD-10").ip(
    2, data(src="10.2.0.1"), data(src=COA), data(src=HA)).drop("fwd_loop", 3)
case("forward-nested-ipip", base(binding()), "HA4-FWD-11: another's IP-in-IP is encapsulated once more").ip(
    2, IP(src="10.2.0.9", dst=HOA, ttl=64) / data(src="10.3.0.1", dst="10.4.0.1")).forward(0, 48).out(
        0, ipip(less(fresh(IP(src="10.2.0.9", dst=HOA, ttl=64) / data(src="10.3.0.1", dst="10.4.0.1")))))
for flag, reason in ((B_HALF | B_UDP, "fwd_half_bound"), (B_STALE, "fwd_stale_nat"), (B_SUSPENDED, "fwd_suspended"), (B_IPSEC, "fwd_needs_ipsec")):
    make = udp_binding if flag & B_UDP else binding
    c = case("forward-" + reason[4:].replace("_", "-"), base(make(flags=flag))).ip(2, small).drop(reason)
    if flag == B_IPSEC:  # HA4-MODE-06: tunnelled, and then no SA takes it
        c.forward(0, len(small))
case("forward-expired", base(binding(expires_ms=1000)), "HA4-BND-06: control is dead, the binding ends").ip(2, small).step(
    {"advance_ms": 1100}).step({"neighbor": {"address": HOA, "port": 1, "mac": 0x77}}).ip(2, small).forward(0, 58).out(
        0, ipip(less(small))).out(1, less(small))
two = [binding(), binding(id=1, care_of="198.51.100.99"), udp_binding(id=2)]
c = case("forward-simultaneous", base(*two), "HA4-BND-08, -09, HA4-FWD-13").ip(2, small).count(created=2)
for id in range(3):
    c.forward(id, 58)
case("forward-to-other-node", base(binding(), binding(id=1, home="10.1.0.11", care_of="198.51.100.99")), "HA4-FWD-14").ip(
    0, ipip(data(src=HOA, dst="10.1.0.11"), src=COA, dst=HA)).reverse(0, 28).forward(1, 28).out(
        0, ipip(less(data(src=HOA, dst="10.1.0.11")), dst="198.51.100.99"))
nest = [binding(), binding(id=1, home="10.1.0.11", care_of=HOA)]
case("forward-nested", base(*nest), "HA4-FWD-12").ip(2, data(dst="10.1.0.11")).forward(1, 28).forward(0, 48).out(
    0, ipip(ipip(less(data(dst="10.1.0.11")), dst=HOA)))
case("forward-nested-loop", base(binding(care_of="10.1.0.11"), binding(id=1, home="10.1.0.11", care_of=HOA))).ip(2, small).forward_octets(
    0, 1, 58).drop("fwd_nest")
fr = fragment(data(size=60, id=9), 32)
c = case("forward-fragments", base(binding()), "HA4-FWD-15").ip(2, *fr).forward(0, *[len(f) for f in fr]).out(0, *[ipip(less(fresh(f))) for f in fr])
fm = case("forward-minimal-fragments", base(binding(encapsulation=55)), "HA4-ALT-08").ip(2, *fr).forward(0, *[len(f) for f in fr]).out(
    0, *[ipip(less(fresh(f))) for f in fr])
case("home-link", base({"neighbor": {"address": HOA, "port": 1, "mac": 0x77}}), "HA4-HOME-10").ip(2, small).out(1, less(small))
case("home-virtual", [agent(), {"home_network": {"prefix": "10.1.0.0/16"}}] + LINKS[1:], "HA4-HOME-10").ip(2, small).drop(
    "home_unreachable").count(icmp_sent=1, created=1).out(2, icmp_error(3, 1, less(small), CN))
case("home-directed-broadcast", base()).ip(2, data(dst="10.1.255.255")).drop("broadcast")
case("away-source-accept", base(binding())).ip(1, data(src=HOA, dst=CN)).out(2, less(data(src=HOA, dst=CN)))
case("away-source-log", base(binding(), flags=AWAY_LOG)).ip(1, data(src=HOA, dst=CN)).out(2, less(data(src=HOA, dst=CN))).event(
    EVENT_AWAY, id=0, address=HOA)
case("away-source-drop", base(binding(), flags=AWAY_DROP)).ip(1, data(src=HOA, dst=CN)).drop("away_source").event(EVENT_AWAY, id=0, address=HOA)
case("route-missing", [agent(), LINKS[2], LINKS[4]]).ip(2, data(dst="8.8.8.8")).drop("no_route").count(icmp_sent=1, created=1).out(
    2, icmp_error(3, 0, less(data(dst="8.8.8.8")), CN))
case("route-flags", base({"route": {"prefix": "10.66.0.0/16", "port": 0, "flags": 1}}, {"route": {"prefix": "10.67.0.0/16", "port": 0, "flags": 2}})).ip(
    2, data(dst="10.66.0.1"), data(dst="10.67.0.1")).drop("route_blackhole").drop("no_route").count(icmp_sent=1, created=1).out(
        2, icmp_error(3, 1, less(data(dst="10.67.0.1")), CN))
case("port-down", base({"port": {"index": 2, "up": 0}})).ip(0, data(src=COA, dst=CN)).drop("port_down")

# ---- reverse ----

def reverse_case(name, setup, outer, reason=None, about="", spoof=None, udp_port=0, anomalies=0):
    c = case(name, setup, about).ip(0, outer)
    if spoof:
        c.spoofed(reason, spoof, udp_port)
    else:
        c.drop(reason)
    if anomalies:
        c.count(ecn_anomalies=anomalies)
    return c


inner = data(src=HOA, dst=CN)
reverse_case("reverse-gre-on-ipip", base(binding()), gre(inner, src=COA, dst=HA), "rt_encap_mismatch", "HA4-ALT-10", COA)
reverse_case("reverse-ipip-on-gre", base(binding(encapsulation=47)), ipip(inner, src=COA, dst=HA), "rt_encap_mismatch", "", COA)
reverse_case("reverse-ipip-on-udp", base(udp_binding()), ipip(inner, src=NAT, dst=HA), "rt_encap_mismatch", "", NAT)
reverse_case("reverse-udp-on-ipip", base(binding()), mip_udp(inner, src=COA, dst=HA, sport=434, dport=434), "rt_encap_mismatch", "", COA, 434)
reverse_case("reverse-expired", base(binding(expires_ms=1000), {"advance_ms": 1100}), ipip(inner, src=COA, dst=HA), "rt_no_binding", "HA4-BND-06", COA)
reverse_case("reverse-other-agent", base(binding(), agent(address="192.0.2.2")), ipip(inner, src=COA, dst="192.0.2.2"), "rt_no_binding", "", COA)
reverse_case("reverse-gre-off", base(binding(), flags=0), gre(inner, src=COA, dst=HA), "tunnel_protocol")
reverse_case("reverse-ipv6-inside", base(binding()), ipip(IPv6(src="2001:db8::1", dst="2001:db8::2"), src=COA, dst=HA), "tunnel_protocol", "HA4-REV-15")
reverse_case("reverse-proto4-version6", base(binding()), IP(src=COA, dst=HA, proto=4) / Raw(bytes(IPv6(src="2001:db8::1", dst="2001:db8::2"))), "tunnel_protocol")
reverse_case("reverse-inner-checksum", base(binding()), ipip(data(src=HOA, dst=CN, chksum=0x1111), src=COA, dst=HA), "rt_inner_bad")
reverse_case("reverse-inner-source", base(binding()), ipip(data(src="127.0.0.1", dst=CN), src=COA, dst=HA), "rt_inner_source", "HA4-REV-10")
reverse_case("reverse-inner-destination", base(binding()), ipip(data(src=HOA, dst="127.0.0.1"), src=COA, dst=HA), "rt_inner_destination")
reverse_case("reverse-multicast", base(binding()), ipip(data(src=HOA, dst="224.0.0.9"), src=COA, dst=HA), "rt_inner_multicast", "HA4-BCM-05").reverse(0, 28)
reverse_case("reverse-ttl-0", base(binding()), ipip(data(src=HOA, dst=CN, ttl=0), src=COA, dst=HA), "ttl", "HA4-REV-07")
reverse_case("reverse-needs-ipsec", base(binding(flags=B_IPSEC)), ipip(inner, src=COA, dst=HA), "rt_needs_ipsec")
reverse_case("reverse-require-t", base(binding(), flags=REQUIRE_T), ipip(inner, src=COA, dst=HA), "rt_not_granted", "HA4-REV-05")
case("reverse-require-t-granted", base(binding(flags=B_REVERSE), flags=REQUIRE_T)).ip(0, ipip(inner, src=COA, dst=HA)).reverse(0, 28).out(2, less(inner))
case("reverse-multicast-on", base(binding(), flags=RMULTI)).ip(0, ipip(data(src=HOA, dst="224.0.0.9", ttl=1), src=COA, dst=HA)).reverse(0, 28).out(
    1, data(src=HOA, dst="224.0.0.9", ttl=1), dst="01:00:5e:00:00:09")
case("reverse-no-check", base(binding(), flags=NO_CHECK), "HA4-REV-04: others' tunnels, never a bound address from elsewhere").ip(
    0, ipip(data(src="10.7.0.1", dst=CN), src="198.51.100.77", dst=HA), ipip(inner, src="198.51.100.77", dst=HA)).count(decapsulated=1).out(
        2, less(data(src="10.7.0.1", dst=CN))).spoofed("rt_no_binding", "198.51.100.77")
case("reverse-grace", [agent(grace_ms=2000)] + LINKS + [binding(), binding(care_of="198.51.100.99")], "HA4-REV-16").ip(
    0, ipip(inner, src=COA, dst=HA)).step({"advance_ms": 2500}).ip(0, ipip(inner, src=COA, dst=HA)).reverse(0, 28).out(2, less(inner)).spoofed(
        "rt_no_binding", COA)
case("reverse-no-grace", base(binding(), binding(care_of="198.51.100.99"))).ip(0, ipip(inner, src=COA, dst=HA)).spoofed("rt_no_binding", COA)
case("reverse-simultaneous", base(binding(), binding(id=1, care_of="198.51.100.99")), "HA4-BND-11").ip(
    0, ipip(inner, src="198.51.100.99", dst=HA)).reverse(1, 28).out(2, less(inner))
case("reverse-ttl-1", base(binding()), "HA4-REV-07, HA4-MTU-14: the error goes through the tunnel").ip(
    0, ipip(data(src=HOA, dst=CN, ttl=1), src=COA, dst=HA)).reverse(0, 28).drop("ttl").count(icmp_sent=1, created=1).forward(0, 56).out(
        0, ipip(icmp_error(11, 0, data(src=HOA, dst=CN, ttl=1), HOA), df=True))
nested_inner = data(src="10.1.0.11", dst=CN)
case("reverse-nested", base(*nest), "HA4-REV-13").ip(0, ipip(ipip(nested_inner, src=HOA, dst=HA), src=COA, dst=HA)).reverse(0, 48).reverse(1, 28).out(
    2, less(nested_inner))
deep, layers = data(src="10.1.0.14", dst=CN), []
chain = [binding(id=0, home="10.1.0.10", care_of=COA)] + [binding(id=i, home="10.1.0.%d" % (10 + i), care_of="10.1.0.%d" % (9 + i)) for i in range(1, 5)]
packet, sizes = deep, []
for i in range(4, -1, -1):
    sizes.insert(0, len(packet))
    packet = ipip(packet, src=COA if i == 0 else "10.1.0.%d" % (9 + i), dst=HA)
c = case("reverse-too-deep", base(*chain), "HA4-REV-13").ip(0, packet).drop("rt_nest")
for i in range(4):
    c.reverse(i, sizes[i])
case("reverse-dscp-in", base(binding(), flags=DSCP_IN), "HA4-REV-09").ip(0, ipip(data(src=HOA, dst=CN, tos=0x02), src=COA, dst=HA, tos=0xb8 | 2)).reverse(
    0, 28).out(2, less(data(src=HOA, dst=CN, tos=0xba)))
TABLE = {0: [0, 0, 0, None], 2: [2, 1, 2, 3], 1: [1, 1, 1, 3], 3: [3, 3, 3, 3]}  # RFC 6040 figure 4: inner -> by outer value 0, 1, 2, 3
ODD = {(0, 1), (0, 2), (0, 3), (1, 2), (3, 1)}
c = case("reverse-ecn", base(binding()), "HA4-REV-08: all 16 combinations")
for i in range(4):
    for o in range(4):
        packet = data(src=HOA, dst=CN, tos=0x28 | i, id=16 * i + o)
        c.ip(0, ipip(packet, src=COA, dst=HA, tos=0x48 | o))
        if (i, o) in ODD:
            c.count(ecn_anomalies=1)
        if TABLE[i][o] is None:
            c.drop("ecn_drop")
            continue
        packet.tos = 0x28 | TABLE[i][o]
        c.reverse(0, 28).out(2, less(fresh(packet)))
big = data(src=HOA, dst=CN, size=900)
fr = fragment(fresh(ipip(big, src=COA, dst=HA, df=False)), 400)
c = case("reverse-outer-fragments", base(binding()), "HA4-REV-19").ip(0, fr[2], fr[0], fr[1]).reverse(0, 928).out(2, less(fresh(big))).count(
    reassembled=1, joined=2)
case("reverse-echo", base(binding()), "an agent answers a ping out of the tunnel").ip(
    0, ipip(IP(src=HOA, dst=HA, id=5) / ICMP(type=8, id=1, seq=2) / Raw(b"abc"), src=COA, dst=HA)).reverse(0, 31).forward(0, 31).count(
        keepalives_answered=1).out(0, ipip(IP(src=HA, dst=HOA, id=6) / ICMP(type=0, id=1, seq=2) / Raw(b"abc")))
tcp = IP(src=HOA, dst=HA) / TCP(dport=22, flags="S")
case("reverse-to-kernel", base(binding()), "HA4-REV-11").ip(0, ipip(tcp, src=COA, dst=HA)).reverse(0, 40).to_kernel(1, Ether(dst=PORT[1], src=ROUTER) / tcp)
case("kernel-to-away", base(binding()), "what the kernel answers goes into the tunnel, TTL untouched").from_kernel(
    1, Ether(dst="00:00:00:00:01:01", src=PORT[1]) / IP(src=HA, dst=HOA, ttl=64) / TCP(sport=22, flags="SA")).forward(0, 40).out(
        0, ipip(IP(src=HA, dst=HOA, ttl=64) / TCP(sport=22, flags="SA")))
kernel_frame = Ether(dst=ROUTER, src=PORT[0]) / IP(src=HA, dst="198.51.100.1") / TCP()
case("kernel-frame", base(binding())).from_kernel(0, kernel_frame).frames_out(0, kernel_frame)

# ---- reverse: what each header must be ----

bodies = [bytes(fresh(inner))[:19], b"\x55" + bytes(fresh(inner))[1:], b"\x44" + bytes(fresh(inner))[1:], b"\x4f" + bytes(fresh(inner))[1:],
          bytes(fresh(data(src=HOA, dst=CN, len=19))), bytes(fresh(data(src=HOA, dst=CN, len=29)))]
case("reverse-inner-header", base(binding()), "HA4-REV-06: cut off, version, IHL under 5, IHL beyond the end, Total Length too small, too large").ip(
    0, *[IP(src=COA, dst=HA, proto=4) / Raw(b) for b in bodies]).drop("rt_inner_bad", len(bodies))
case("reverse-inner-trailing", base(binding()), "HA4-REV-06: excess octets are cut").ip(
    0, IP(src=COA, dst=HA, proto=4) / Raw(bytes(fresh(inner)) + b"excess")).reverse(0, 28).out(2, less(inner))
case("reverse-inner-sources", base(binding(), {"prefix": {"prefix": "0.0.0.0/0", "id": 0}}), "HA4-REV-10: also from a mobile network").ip(
    0, *[ipip(data(src=a, dst=CN), src=COA, dst=HA) for a in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1")]).drop(
        "rt_inner_source", 6)
case("reverse-inner-destinations", base(binding())).ip(
    0, *[ipip(data(src=HOA, dst=a), src=COA, dst=HA) for a in ("0.0.0.0", "127.0.0.1", "240.0.0.1")]).drop("rt_inner_destination", 3)
case("reverse-broadcast", base(binding()), "HA4-BCM-05: limited and to the home network").ip(
    0, ipip(data(src=HOA, dst="255.255.255.255"), src=COA, dst=HA), ipip(data(src=HOA, dst="10.1.255.255"), src=COA, dst=HA)).reverse(
        0, 28, 28).drop("rt_inner_multicast").drop("broadcast")
case("reverse-broadcast-on", base(binding(), flags=RMULTI), "HA4-BCM-05: onto the home link at most").ip(
    0, ipip(data(src=HOA, dst="255.255.255.255", ttl=1), src=COA, dst=HA)).reverse(0, 28).out(
        1, data(src=HOA, dst="255.255.255.255", ttl=1), dst=BROADCAST)
tunnelled = IP(src="172.16.5.9", dst=HA) / UDP(sport=5434, dport=434) / Raw(rrq)
case("reverse-others-signalling", base(binding(flags=B_REVERSE), {"prefix": {"prefix": "172.16.5.0/24", "id": 0}}), "HA4-REV-12: a visitor of the mobile network registers").ip(
    0, ipip(tunnelled, src=COA, dst=HA)).reverse(0, len(tunnelled)).punt(1, rrq, source="172.16.5.9", destination=HA, source_port=5434, ttl=64, layers=1)
own_parts = [fresh(p) for p in fragment(fresh(IP(src=HOA, dst=HA, id=7) / UDP(sport=5434, dport=434) / Raw(rrq)), 40)]
case("reverse-signalling-fragments", base(binding()), "HA4-REV-12: the first fragment shows it").ip(
    0, *[ipip(p, src=COA, dst=HA, df=False) for p in own_parts]).reverse(0, *[len(p) for p in own_parts[1:]]).drop("rt_signalling").count(held_reassembly=1)
own_parts = [fresh(p) for p in fragment(fresh(IP(src=HOA, dst=HA, id=7) / UDP(sport=5434, dport=434) / Raw(rrq)), 8)][:3]
case("reverse-signalling-tiny", base(binding()), "HA4-REV-12: too short to show it").ip(
    0, *[ipip(p, src=COA, dst=HA, df=False) for p in own_parts]).reverse(0, 28, 28, 28).drop("reasm_tiny").count(held_reassembly=2)
case("reverse-minimal-off", base(binding(), flags=0), "HA4-ALT-01").ip(0, minimal(inner, src=COA, dst=HA)).drop("tunnel_protocol")

# ---- GRE and minimal encapsulation: HA4-ALT ----

def gre_raw(words, payload, src=COA):
    return IP(src=src, dst=HA, proto=47) / Raw(words + bytes(payload))


on = base(binding(encapsulation=47))
good = fresh(inner)
case("gre-header", on, "HA4-ALT-03, -05: version, routing, key, sequence, strict route, recursion; cut off").ip(
    0, *[gre_raw(bytes([first, second, 8, 0]), good) for first, second in ((0, 1), (0, 7), (0x40, 0), (0x20, 0), (0x10, 0), (0x08, 0), (0x04, 0))],
    gre_raw(b"\0\0\x08", b""), gre_raw(b"\x80\0\x08\0\0\0", b"")).drop("gre_header", 9)
case("gre-reserved-ignored", on, "HA4-ALT-03: bits 6 to 12").ip(0, gre_raw(b"\x03\xf8\x08\0", good)).reverse(0, 28).out(2, less(inner))
with_sum = b"\x80\0\x08\0\0\0\0\0" + bytes(good)
sum_of = checksum(with_sum)
case("gre-checksum", on, "HA4-ALT-03: the C bit, right and wrong").ip(
    0, gre_raw(with_sum[:4] + sum_of.to_bytes(2, "big") + with_sum[6:], b""), gre_raw(with_sum[:4] + (sum_of ^ 1).to_bytes(2, "big") + with_sum[6:], b"")).reverse(
        0, 28).out(2, less(inner)).drop("gre_checksum")
case("gre-protocol", on, "HA4-ALT-03: ARP, transparent Ethernet, IPv6 that was not granted, a version that belies the type").ip(
    0, gre_raw(b"\0\0\x08\x06", good), gre_raw(b"\0\0\x65\x58", good), gre_raw(b"\0\0\x86\xdd", IPv6(src="2001:db8::1", dst="2001:db8::2")),
    gre_raw(b"\0\0\x08\0", IPv6(src="2001:db8::1", dst="2001:db8::2")), gre_raw(b"\0\0\x08\0", b"")).drop("gre_protocol", 3).drop("rt_inner_bad", 2)
case("gre-loop", on, "HA4-ALT-04: back to where it came from").ip(0, gre(data(src=HOA, dst=COA), src=COA, dst=HA)).drop("gre_loop")
case("gre-loop-udp", base(udp_binding(encapsulation=47)), "HA4-ALT-04 in UDP").ip(
    0, mip_udp(data(src=HOA, dst=NAT), src=NAT, dst=HA, sport=NATPORT, dport=434, nh=47, payload=b"\0\0\x08\0" + bytes(fresh(data(src=HOA, dst=NAT))))).drop("gre_loop")
small_on = base(binding(encapsulation=55))


def minimal_raw(flags, spoil=0, cut=None, src=COA):
    raw = bytes(fresh(minimal(inner, src=src, dst=HA, s=bool(flags & 0x80))))
    head = bytearray(raw[20:32] if flags & 0x80 else raw[20:28])
    head[1] = flags
    head[2:4] = b"\0\0"
    head[2:4] = (checksum(bytes(head)) ^ spoil).to_bytes(2, "big")
    rest = bytes(head) + raw[20 + len(head):]
    return IP(src=src, dst=HA, proto=55, ttl=64, id=1) / Raw(rest if cut is None else rest[:cut])


restored = fresh(IP(src=HOA, dst=CN, ttl=64, id=1) / Raw(bytes(fresh(inner))[20:]))
restored.proto, restored.chksum = 17, None
case("minimal-reserved-ignored", small_on, "HA4-ALT-09").ip(0, minimal_raw(0xff)).reverse(0, 28).out(2, less(fresh(restored)))
case("minimal-header", small_on, "HA4-ALT-09: checksum wrong, cut off with and without a source").ip(
    0, minimal_raw(0x80, spoil=1), minimal_raw(0x80, cut=11), minimal_raw(0, cut=7)).drop("minimal_header", 3)
case("minimal-no-source", small_on, "HA4-ALT-09: S=0, so the care-of address is the inner source").ip(0, minimal_raw(0)).spoofed("rt_no_binding", COA)
case("minimal-ipip-whole", small_on, "HA4-ALT-10: IP-in-IP for fragments alone").ip(0, ipip(inner, src=COA, dst=HA)).spoofed("rt_encap_mismatch", COA)

# ---- NAT: HA4-NAT-20..22 ----

half = udp_binding(flags=B_UDP | B_HALF, care_of_port=5434)
case("half-bound-keepalive", base(half), "HA4-NAT-21: the answer goes where the keepalive came from").ip(0, vector("V05")).reverse(0, 44).forward(
    0, 44).count(keepalives_answered=1).event(EVENT_BOUND, id=0, address=NAT, udp_port=NATPORT).out(0, keepalive_reply)
c = case("half-bound-again", base(half), "HA4-NAT-21: told once, again after a second, at once when the endpoint is another")
for port, told in ((NATPORT, True), (NATPORT, False), (NATPORT + 1, True), (NATPORT, False), (0, False), (NATPORT, True)):
    if port == 0:
        c.step({"advance_ms": 1100})
        continue
    c.ip(0, mip_udp(IP(VECTORS["V05"][32:]), src=NAT, dst=HA, sport=port, dport=434)).reverse(0, 44).forward(0, 44).count(
        keepalives_answered=1).out(0, mip_udp(reply, dport=port))
    if told:
        c.event(EVENT_BOUND, id=0, address=NAT, udp_port=port)
case("half-bound-data", base(half)).ip(0, vector("V07")).spoofed("rt_no_binding", NAT, NATPORT)
other = mip_udp(IP(VECTORS["V05"][32:]), src="203.0.113.99", dst=HA, sport=NATPORT, dport=434)
case("half-bound-other-source", base(half), "HA4-NAT-22").ip(0, other).spoofed("rt_no_binding", "203.0.113.99", NATPORT)
case("nat-shared-address", base(udp_binding(), udp_binding(id=1, home="10.1.0.11", care_of_port=40008)), "HA4-NAT-17").ip(
    0, mip_udp(data(src="10.1.0.11", dst=CN), src=NAT, dst=HA, sport=40008, dport=434)).reverse(1, 28).out(2, less(data(src="10.1.0.11", dst=CN))).ip(
        0, mip_udp(data(src="10.1.0.11", dst=CN), src=NAT, dst=HA, sport=NATPORT, dport=434)).spoofed("rt_no_binding", NAT, NATPORT)
bad = mip_udp(inner, src=NAT, dst=HA, sport=NATPORT, dport=434)
bad[UDP].chksum = 0x1234
case("nat-checksum", base(udp_binding()), "HA4-NAT-25").ip(0, bad, mip_udp(inner, src=NAT, dst=HA, sport=NATPORT, dport=434, checksum_on=False)).drop(
    "udp_badsum").reverse(0, 28).out(2, less(inner))
case("nat-signalling-type4-same-tuple", base(udp_binding()), "HA4-MSG-03").ip(0, request(src=NAT, sport=NATPORT)).punt(
    1, rrq, source=NAT, destination=HA, source_port=NATPORT, ttl=64)
case("reverse-keepalive-without-t", base(udp_binding(), flags=REQUIRE_T | UDPF | CHECKSUM), "HA4-NAT-20: also with T=0").ip(0, vector("V05")).reverse(
    0, 44).forward(0, 44).out(0, keepalive_reply).count(keepalives_answered=1)

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


def kernel_copy(c, packet):
    return c.to_kernel(0, Ether(dst=PORT[0], src=ROUTER) / packet)


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

# ---- order within a burst: HA4-FWD-17 ----

# Every datagram of the flow leaves behind the one that came before it, whatever way it took.
def one(size, id, **more):
    return data(size=size, id=id, **more)


def fragments_of(packet, over):
    return [fresh(p) for p in fragment(less(fresh(packet)), (1500 - over - 20) // 8 * 8)]


whole = [one(30, 1), one(1972, 2), one(31, 3), one(1972, 4), one(32, 5)]
for name, make, over, wrap in (("ipip", binding, 20, ipip), ("gre", lambda: binding(encapsulation=47), 24, gre), ("udp", udp_binding, 32, mip_udp)):
    c = case("order-%s-cut" % name, base(make())).burst(2, *whole)
    for p in whole:
        if len(p) <= 1500 - over:
            c.forward(0, len(p)).out(0, wrap(less(p)))
            continue
        parts = fragments_of(p, over)
        c.forward_octets(0, 1, len(p)).count(encapsulated=len(parts), fragments_made=len(parts), created=len(parts) - 1).out(
            0, *[wrap(q) for q in parts])
parts = fragment(one(60, 9), 32)
mixed = [one(30, 1), parts[0], one(31, 2), parts[1], parts[2], one(32, 3)]
c = case("order-minimal-fragments", base(binding(encapsulation=55)), "fragments go IP-in-IP beside minimal encapsulation").burst(2, *mixed)
for p in mixed:
    p = fresh(p)
    c.forward(0, len(p)).out(0, (ipip if p.frag or p.flags.MF else minimal)(less(p)))
parts = [fresh(p) for p in fragment(fresh(data(src=HOA, dst=CN, size=60, id=9)), 32)]
mixed = [data(src=HOA, dst=CN, size=30, id=1), parts[0], data(src=HOA, dst=CN, size=31, id=2), parts[1], parts[2], data(src=HOA, dst=CN, size=32, id=3)]
c = case("order-minimal-reverse", base(binding(encapsulation=55)), "HA4-ALT-10").burst(
    0, *[fresh((ipip if p.frag or p.flags.MF else minimal)(fresh(p), src=COA, dst=HA)) for p in mixed])
for p in mixed:
    c.reverse(0, len(fresh(p))).out(2, less(fresh(p)))
inners = [data(src=HOA, dst=CN, size=size, id=i) for i, size in enumerate((30, 900, 31, 32))]
outer = [fragment(fresh(ipip(p, src=COA, dst=HA, df=False)), 500) if len(p) > 500 else [ipip(p, src=COA, dst=HA)] for p in inners]
assert len(outer[1]) == 2
c = case("order-reassembled", base(binding()), "joined: where its last fragment came").burst(
    0, *outer[0], outer[1][0], *outer[2], outer[1][1], *outer[3]).count(reassembled=1, joined=1)
for i in (0, 2, 1, 3):
    c.reverse(0, len(inners[i])).out(2, less(fresh(inners[i])))
late = [data(src=COA, dst="10.2.0.77", id=i, size=s) for i, s in enumerate((10, 1400, 11))]
c = case("order-neighbor", base({"port": {"index": 2, "mtu": 1000}}), "what waited goes before what comes, fragments in their place").burst(
    0, *late).step({"neighbor": {"address": "10.2.0.77", "port": 2, "mac": 0x4d}}).burst(0, data(src=COA, dst="10.2.0.77", id=9, size=1400), data(
        src=COA, dst="10.2.0.77", id=10)).event(EVENT_NEIGHBOR, address="10.2.0.77").count(fragments_made=4, created=2)
for p in late + [data(src=COA, dst="10.2.0.77", id=9, size=1400), data(src=COA, dst="10.2.0.77", id=10)]:
    c.out(2, *([less(p)] if len(p) <= 1000 else [fresh(q) for q in fragment(less(p), 976)]), dst="02:00:00:00:ee:4d")
c = case("order-copies", base(binding(), udp_binding(id=1)), "each copy's tunnel sees the order").burst(2, *whole).count(created=len(whole))
for p in whole:
    for id, over, wrap in ((0, 20, ipip), (1, 32, mip_udp)):
        if len(p) <= 1500 - over:
            c.forward(id, len(p)).out(0, wrap(less(p)))
            continue
        parts = fragments_of(p, over)
        c.forward_octets(id, 1, len(p)).count(encapsulated=len(parts), fragments_made=len(parts), created=len(parts) - 1).out(
            0, *[wrap(q) for q in parts])

# ---- checksums left to the device: the same octets on the wire, whoever writes them ----

offload = {"port": {"index": 0, "tx_ipv4": 1, "tx_udp": 1}}
opted = data(size=30, options=IPOption(b"\x94\x04\0\0"))
for name, make, packet, wrap, finished in (
        ("ipip", binding, small, ipip, (1, 0)), ("gre", lambda: binding(encapsulation=47), small, gre, (1, 0)),
        ("minimal", lambda: binding(encapsulation=55), opted, minimal, (1, 0)), ("udp", udp_binding, small, mip_udp, (1, 1)),
        ("udp-odd", udp_binding, data(size=31), mip_udp, (1, 1))):
    packet = fresh(packet)
    case("offload-" + name, base(make(), offload)).ip(2, packet).forward(0, len(packet)).out(0, wrap(less(packet))).finished_by_device(*finished)
case("offload-ipv4-alone", base(udp_binding(), {"port": {"index": 0, "tx_ipv4": 1}})).ip(2, small).forward(0, 58).out(
    0, mip_udp(less(small))).finished_by_device(1, 0)
case("offload-no-udp-checksum", base(udp_binding(), offload, flags=UDPF)).ip(2, small).forward(0, 58).out(
    0, mip_udp(less(small), checksum_on=False)).finished_by_device(1, 0)
case("offload-keepalive", base(udp_binding(), offload)).ip(0, vector("V05")).reverse(0, 44).forward(0, 44).out(0, keepalive_reply).count(
    keepalives_answered=1).finished_by_device(1, 1)
case("offload-nested", base(*(nest + [offload])), "the outermost header alone").ip(2, data(dst="10.1.0.11")).forward(1, 28).forward(0, 48).out(
    0, ipip(ipip(less(data(dst="10.1.0.11")), dst=HOA))).finished_by_device(1, 0)
case("offload-other-port", base(binding(), {"port": {"index": 2, "tx_ipv4": 1, "tx_udp": 1}})).ip(2, small).forward(0, 58).out(0, ipip(less(small)))
case("offload-transit", base(offload), "a header that only lost a hop is right already").ip(2, data(src=CN, dst="192.0.2.77")).out(
    0, less(data(src=CN, dst="192.0.2.77")))
good = {"port": {"index": 0, "rx_good": 1}}
case("rx-checksum-good", base(udp_binding(), good), "the device's word is taken for the outer headers, never for what is inside").ip(
    0, bad, mip_udp(data(src=HOA, dst=CN, chksum=0x1111), src=NAT, dst=HA, sport=NATPORT, dport=434)).reverse(0, 28).out(2, less(inner)).drop("rt_inner_bad")
case("rx-checksum-good-reassembled", base(good), "no device sees the sum over fragments").ip(0, *fragment(
    fresh(IP(src=COA, dst=HA, id=78) / UDP(sport=5434, dport=434, chksum=0x1234) / Raw(rrq + bytes(700))), 400)).drop("udp_badsum").count(
        reassembled=1, joined=len(fragments) - 1)
case("rx-checksum-bad", base({"port": {"index": 0, "rx_bad": 1}}), "looked at again: a right one passes").ip(0, vector("V01"), vector("N14")).punt(
    1, v01[28:], source=COA, destination=HA, source_port=5434, ttl=IP(v01).ttl).drop("udp_badsum")

# ---- links ----

whole = data(src=COA, dst=CN, size=1472, id=300)
parts = fragment(less(fresh(whole)), 976)
case("link-fragments", base({"port": {"index": 2, "mtu": 1000}})).ip(0, whole).count(fragments_made=2, created=1).out(2, *[fresh(p) for p in parts])
df = data(src=COA, dst=CN, size=1472, flags="DF")
case("link-df", base({"port": {"index": 2, "mtu": 1000}})).ip(0, df).drop("mtu_df").count(icmp_sent=1, created=1).out(
    0, icmp_error(3, 4, less(df), COA, mtu=1000))
unknown = data(src=COA, dst="10.2.0.77")
case("neighbor-late", base(), "held until control tells, in order").ip(0, unknown, data(src=COA, dst="10.2.0.77", id=2)).step(
    {"neighbor": {"address": "10.2.0.77", "port": 2, "mac": 0x4d}}).step({"advance_ms": 100}).event(EVENT_NEIGHBOR, address="10.2.0.77").out(
        2, less(unknown), less(data(src=COA, dst="10.2.0.77", id=2)), dst="02:00:00:00:ee:4d")
c = case("neighbor-never", base()).ip(0, *[data(src=COA, dst="10.2.0.77", id=i) for i in range(10)]).step({"advance_ms": 3500})
c.drop("neighbor_queue_full", 2).drop("neighbor_unresolved", 8).count(icmp_sent=8, created=8)
for i in range(8):
    c.out(0, icmp_error(3, 1, less(data(src=COA, dst="10.2.0.77", id=i)), COA, id=i))
for i in range(3):
    c.event(EVENT_NEIGHBOR, address="10.2.0.77")
c = case("neighbor-held", base()).ip(0, unknown).count(held_neighbor=1).event(EVENT_NEIGHBOR, address="10.2.0.77")

# ---- reassembly: HA4-MTU-16 ----

outer = fresh(ipip(data(src=HOA, dst=CN, size=900), src=COA, dst=HA, df=False, ))
fr = fragment(outer, 400)
case("reassembly-held", base(binding())).ip(0, fr[0], fr[2]).count(held_reassembly=2)
case("reassembly-timeout", base(binding())).ip(0, fr[0], fr[2]).step({"advance_ms": 30500}).drop("reasm_timeout", 2)
overlap = IP(bytes(fr[1]))
overlap.frag -= 8
del overlap.chksum
case("reassembly-overlap", base(binding()), "the whole datagram is gone").ip(0, fr[0], overlap, fr[1], fr[2]).drop("reasm_overlap", 2).count(
    held_reassembly=2)
case("reassembly-duplicate", base(binding())).ip(0, fr[0], fr[0], fr[1], fr[2]).drop("reasm_overlap").count(reassembled=1, joined=2).reverse(0, 928).out(
    2, less(fresh(data(src=HOA, dst=CN, size=900))))
tiny = IP(src=COA, dst=HA, proto=4, flags="MF", id=3) / Raw(bytes(8))
case("reassembly-tiny", base(binding())).ip(0, tiny).drop("reasm_tiny")
case("reassembly-too-long", base(binding())).ip(0, IP(bytes(IP(src=COA, dst=HA, proto=4, frag=8190, id=3) / Raw(bytes(100))))).drop("ipv4_header")
flood = [IP(src=COA, dst=HA, proto=4, flags="MF", id=i) / Raw(bytes(64)) for i in range(12)]
case("reassembly-limit", base(binding()), "an eighth of the table for one source").ip(0, *flood).drop("reasm_limit", 4).count(held_reassembly=8)

big = data(src=HOA, dst=CN, size=900)
for name, make, wrapped, over in (("gre", lambda: binding(encapsulation=47), gre(big, src=COA, dst=HA), 24),
                                  ("minimal", lambda: binding(encapsulation=55), minimal(big, src=COA, dst=HA), 12),
                                  ("udp", udp_binding, mip_udp(big, src=NAT, dst=HA, sport=NATPORT, dport=434), 32)):
    wrapped = fresh(wrapped)
    wrapped.flags, wrapped.chksum = 0, None
    fr = fragment(fresh(wrapped), 400)
    case("reassembly-" + name, base(make()), "HA4-MTU-16, HA4-REV-19").ip(0, fr[1], fr[2], fr[0]).reverse(0, 928).out(2, less(fresh(big))).count(
        reassembled=1, joined=2)
flood = [fresh(p) for p in fragment(fresh(IP(src=COA, dst=HA, proto=4, id=4) / Raw(bytes(8 * 70))), 8)]
flood[0] = fresh(IP(src=COA, dst=HA, proto=4, id=4, flags="MF") / Raw(bytes(16)))
del flood[1]
case("reassembly-many", base(binding()), "more than 64 fragments: the datagram is gone").ip(0, *flood[:65]).drop("reasm_limit", 65)
# 131,070 octets for one source: the 94th of 1400 is one too many; its datagram's nine others go with it, the last two begin anew
hoard = [IP(src=COA, dst=HA, proto=4, id=i, frag=k * 175, flags="MF") / Raw(bytes(1400)) for i in range(8) for k in range(12)]
case("reassembly-octets", base(binding()), "HA4-MTU-16: octets of one source").ip(0, *hoard).drop("reasm_limit", 10).count(held_reassembly=86)
last = [fresh(p) for p in fragment(fresh(ipip(big, src=COA, dst=HA, df=False)), 400)]
beyond = fresh(IP(src=COA, dst=HA, proto=4, id=last[0].id, frag=(last[2].frag * 8 + len(last[2]) - 20 + 7) // 8 + 1) / Raw(bytes(8)))
case("reassembly-beyond-end", base(binding()), "two ends: the whole datagram is gone").ip(0, last[0], last[2], beyond).drop("reasm_overlap", 3)
other_end = fresh(IP(src="198.51.100.24", dst=HA, proto=4, id=last[0].id, frag=last[1].frag, flags="MF") / Raw(bytes(last[1].payload)))
case("reassembly-other-source", base(binding()), "same identification, another sender").ip(0, last[0], other_end, last[2]).count(held_reassembly=3)

# ---- broadcast: HA4-BCM ----

dhcp = IP(src="10.1.0.50", dst="10.1.255.255", ttl=1) / UDP(sport=137, dport=137) / Raw(b"name")
frame = Ether(dst=BROADCAST, src=HOST) / dhcp
network = {"home_network": {"prefix": "10.1.0.0/16", "port": 1, "flags": 2, "broadcast_port": 137}}
case("broadcast-b0", [agent()] + LINKS + [network, binding()], "HA4-BCM-01").receive(1, frame).to_kernel(1, frame)
case("broadcast-b1-d1", [agent()] + LINKS + [network, binding(flags=B_BROADCAST | B_COLOCATED)], "HA4-BCM-02, -03").receive(1, frame).to_kernel(
    1, frame).count(created=1).forward(0, len(dhcp)).out(0, ipip(dhcp))
case("broadcast-b1-d0", [agent()] + LINKS + [network, binding(flags=B_BROADCAST)], "HA4-BCM-03: to the home address first").receive(1, frame).to_kernel(
    1, frame).count(created=1, encapsulated=1).forward(0, len(dhcp)).out(0, ipip(ipip(dhcp, dst=HOA)))
off = {"home_network": {"prefix": "10.1.0.0/16", "port": 1, "flags": 2, "broadcast_port": 138}}
case("broadcast-other-port", [agent()] + LINKS + [off, binding(flags=B_BROADCAST)]).receive(1, frame).to_kernel(1, frame)
rated = {"home_network": {"prefix": "10.1.0.0/16", "port": 1, "flags": 2, "broadcast_port": 0xffff, "broadcast_rate": 2}}
case("broadcast-rate", [agent()] + LINKS + [rated, binding(flags=B_BROADCAST | B_COLOCATED)], "HA4-BCM-02: two at once, two a second").receive(
    1, *[frame] * 4).step({"advance_ms": 600}).receive(1, frame, frame).to_kernel(1, *[frame] * 6).count(created=3).forward(0, *[len(dhcp)] * 3).out(
        0, *[ipip(dhcp)] * 3)
group = Ether(dst="01:00:5e:00:00:fb", src=HOST) / IP(src="10.1.0.50", dst="224.0.0.251", ttl=1) / UDP(sport=5353, dport=5353)
case("broadcast-multicast", [agent()] + LINKS + [rated, binding(flags=B_BROADCAST)], "HA4-BCM-04: no multicast to nodes").receive(1, group).to_kernel(1, group)
case("broadcast-frame-unicast", base(binding()), "HA4-BCM-06").receive(1, Ether(dst=BROADCAST, src=HOST) / data(src="10.1.0.50")).drop(
    "link_broadcast_unicast")

# ---- inject ----

rrp = IP(src=HA, dst=HOA, ttl=64) / UDP(sport=434, dport=5434) / Raw(b"reply")
case("inject-bypass", base(binding(), {"neighbor": {"address": HOA, "port": 1, "mac": 0x77}}), "HA4-MSG-11").inject(
    2, 0, Ether(dst=HOST, src=PORT[0]) / rrp, flags=1).out(1, rrp)
case("inject-tunnelled", base(binding())).inject(2, 0, Ether(dst=HOST, src=PORT[0]) / rrp).forward(0, len(rrp)).out(0, ipip(rrp))
case("inject-to-mac", base(binding())).inject(3, 1, Ether(dst=HOST, src=PORT[1]) / rrp).out(1, rrp)
case("inject-bad", base()).inject(2, 0, Ether(dst=HOST, src=PORT[0]) / Raw(bytes(30))).drop("inject_bad")

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

# ---- the security policy at the boundary: SPD, HA4-SPD ----

IN, OUT_ = 0, 1
DISCARD, BYPASS, PROTECT = 0, 1, 2
ALL = "0.0.0.0/0"


def policy(id, direction, action, local=ALL, remote=ALL, **more):
    return {"policy": dict(id=id, direction=direction, action=action, local=local, remote=remote, **more)}


ACQUIRE = 12
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
import esp_cases  # noqa: E402

TIA = "10.8.0.7"
mc = base(in_all, esp_cases.sa(esp_cases.OUT, id=1, local=HA, remote="203.0.113.7", selectors=[dict(local=HA + "/32", remote=TIA + "/32")]),
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

# ---- corners of each step ----

tagged = lambda tci, body: Ether(dst=PORT[2], src=CNMAC, type=0x8100) / Raw(tci.to_bytes(2, "big") + b"\x08\0" + bytes(fresh(body)))
case("input-priority-tag", base(binding()), "VLAN 0 is no VLAN; a tag cut off").receive(2, tagged(0xe000, small)).forward(0, 58).out(
    0, ipip(less(small))).receive(2, Ether(dst=PORT[2], src=CNMAC, type=0x8100) / Raw(b"\0")).drop("rx_frame_short")
cut_arp = Ether(dst=BROADCAST, src=HOST, type=0x806) / Raw(bytes(ARP(op=1, psrc="10.1.0.99", pdst=HOA))[:27])
gratuitous = Ether(dst=BROADCAST, src=HOST) / ARP(op=2, hwsrc=HOST, psrc="10.1.0.99", pdst="10.1.0.99")
case("arp-odd", base(binding()), "cut off, an announcement of another, a sender that claims a group address").receive(
    1, cut_arp, gratuitous, Ether(dst=BROADCAST, src=HOST) / ARP(op=1, hwsrc="01:00:5e:00:00:01", psrc="10.1.0.99", pdst=HOA)).to_kernel(
        1, cut_arp, gratuitous).drop("source_invalid")
dns = IP(src=COA, dst=HA) / UDP(sport=9, dport=53)
short_icmp = IP(src=COA, dst=HA, proto=1) / Raw(b"\x08\0\xf7")
c = case("agent-to-kernel", base(binding()), "UDP to another port, ICMP cut off; a UDP header cut off is dropped")
kernel_copy(c.ip(0, dns), dns)
kernel_copy(c.ip(0, short_icmp), short_icmp)
c.ip(0, IP(src=COA, dst=HA, proto=17) / Raw(bytes(7))).drop("udp_short")
case("udp-tunnel-odd", base(udp_binding()), "an unknown Next Header; ESP's is not for here").ip(
    0, mip_udp(inner, src=NAT, dst=HA, sport=NATPORT, dport=434, nh=99)).drop("udp_tun_nh_mismatch")
um = fresh(minimal(inner, src=NAT, dst=HA))
case("reverse-udp-minimal", base(udp_binding(encapsulation=55))).ip(
    0, mip_udp(inner, src=NAT, dst=HA, sport=NATPORT, dport=434, nh=55, payload=bytes(um)[20:])).reverse(0, 28).out(2, less(fresh(
        IP(src=HOA, dst=CN, ttl=64, id=0, flags="DF", proto=17) / Raw(bytes(fresh(inner))[20:]))))
case("forward-no-route", [agent(), LINKS[0], LINKS[2], LINKS[4], binding()], "no way to the care-of address").ip(2, small).forward_octets(0, 1, 58).drop(
    "no_route").count(icmp_sent=1, created=1).out(2, icmp_error(3, 1, less(small), CN))
case("forward-simultaneous-expired", base(binding(expires_ms=1000), binding(id=1, care_of="198.51.100.99"), {"advance_ms": 1100}),
     "HA4-BND-06: the other one goes on").ip(2, small).forward(1, 58).out(0, ipip(less(small), dst="198.51.100.99"))
many_hops = [data(src=COA, dst="10.2.9.%d" % i) for i in range(65)]
c = case("neighbor-hops", base(), "64 next hops are waited for at once").ip(0, *many_hops).drop("neighbor_queue_full").count(held_neighbor=64)
for p in many_hops[:64]:
    c.event(EVENT_NEIGHBOR, address=p.dst)

# RFC 791 3.2: options with the copy bit go into every fragment, the others into the first.
options = b"\x94\x04\0\0" + b"\x01" + b"\x07\x07\x04\0\0\0\0"  # router alert, no operation, record route
body = bytes(i & 0xff for i in range(1400))
whole = IP(bytes([0x48, 0]) + bytes(fresh(IP(src=COA, dst=CN, ttl=64, id=44, proto=253)))[2:20] + options + body)
whole.len, whole.chksum = None, None
whole = fresh(whole)
assert IP(bytes(whole)).ihl == 8
first = IP(bytes(whole)[:32] + body[:968])
first.ttl, first.flags, first.len, first.chksum = 63, "MF", None, None
first = fresh(first)
later = fresh(IP(src=COA, dst=CN, ttl=63, id=44, proto=253, frag=121, options=IPOption(options[:4])) / Raw(body[968:]))
case("link-fragment-options", base({"port": {"index": 2, "mtu": 1000}})).ip(0, whole).count(fragments_made=2, created=1).out(2, first, later)
recut = fresh(IP(src=COA, dst=CN, id=45, proto=253, frag=10, flags="MF") / Raw(body[:1200]))
case("link-fragment-again", base({"port": {"index": 2, "mtu": 1000}}), "a fragment that is cut once more").ip(0, recut).count(fragments_made=2, created=1).out(
    2, fresh(IP(src=COA, dst=CN, ttl=63, id=45, proto=253, frag=10, flags="MF") / Raw(body[:976])),
    fresh(IP(src=COA, dst=CN, ttl=63, id=45, proto=253, frag=132, flags="MF") / Raw(body[976:1200])))

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

# Copies leave step by step: IP-in-IP ones first, then UDP; among them the newest binding first, as the table chains them.
sim = next(c for c in CASES if c.name == "forward-simultaneous")
sim.out(0, ipip(less(small), dst="198.51.100.99"), ipip(less(small)), mip_udp(less(small)))

esp_cases.add(sys.modules[__name__])
import network_cases  # noqa: E402
import order_cases  # noqa: E402
import esp_edge_cases  # noqa: E402
import nested_cases  # noqa: E402
import mobility_cases  # noqa: E402

network_cases.add(sys.modules[__name__])
order_cases.add(sys.modules[__name__])
esp_edge_cases.add(sys.modules[__name__])
nested_cases.add(sys.modules[__name__])
mobility_cases.add(sys.modules[__name__])


def write_corpus(name, wanted):
    """What the cases receive, as inputs of tests/fuzz/NAME_fuzz.c: port, kind, length, octets; kind 3 is time."""
    folder = os.path.join(os.path.dirname(__file__), "../fuzz/corpus", name)
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        if not old.startswith("found-"):  # what fuzzing found stays
            os.remove(os.path.join(folder, old))
    for c in CASES:
        records = b""
        for step in c.steps:
            kind = 0 if "receive" in step or "burst" in step else 1 if "kernel" in step else 2 if step.get("inject") == 2 else None
            if "advance_ms" in step:
                records += bytes([0, 3]) + min(step["advance_ms"] // 8, 4095).to_bytes(2, "big")
            elif kind is not None and "pcap" in step:
                for frame in c.files[step["pcap"]]:
                    raw = bytes(frame)[14 if kind == 2 else 0:]
                    records += bytes([step.get("receive", step.get("burst", step.get("kernel", step.get("port", 0)))), kind]) + len(raw).to_bytes(2, "big") + raw
        if records and wanted(c.name) and len(records) < 8192:
            with open(os.path.join(folder, c.name), "wb") as file:
                file.write(records)


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    names = [c.name for c in CASES]
    assert len(names) == len(set(names)), [n for n in names if names.count(n) > 1]
    for c in CASES:
        c.write()
    write_corpus("input_path", lambda name: True)
    write_corpus("icmp", lambda name: name.startswith(("path-", "icmp", "solicitation", "V05", "reverse-echo")))
    write_corpus("reassembly", lambda name: "reassembly" in name or "outer-fragments" in name)
    folder = os.path.join(os.path.dirname(__file__), "../fuzz/corpus/esp_path")
    os.makedirs(folder, exist_ok=True)
    for name, octets in esp_edge_cases.corpus().items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(octets)
    print("%d cases" % len(CASES))
