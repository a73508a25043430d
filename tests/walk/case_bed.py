"""What a case is made of, for generate.py and the *_cases.py: addresses, packets, tunnels, and Case, which says what goes into the dataplane and what
must come out. Both are made with Scapy alone, from the RFCs' rules, never from the program's output. Addresses are those of the Mobile IPv4
vectors."""
import json
import os

from scapy.all import (ARP, GRE, ICMP, IP, TCP, UDP, Ether, IPv6, Raw, conf, wrpcap)
from scapy.layers.inet import IPOption, IPerror, fragment
from scapy.layers.inet6 import (IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6PacketTooBig, ICMPv6TimeExceeded)
from scapy.utils import checksum

conf.verb = 0

HA, HOA, COA, NAT, NATPORT, CN = "192.0.2.1", "10.1.0.10", "198.51.100.23", "203.0.113.7", 40007, "10.2.0.5"
GATEWAY = "192.0.2.254"
PORT = ["02:00:00:00:00:01", "02:00:00:00:01:01", "02:00:00:00:02:01"]  # outside, home link, inside
ROUTER, CNMAC, HOST = "02:00:00:00:ee:fe", "02:00:00:00:ee:05", "02:00:00:00:ee:77"
BROADCAST = "ff:ff:ff:ff:ff:ff"

# enum agent_flag, enum binding_flag, enum punt_flag, enum event_type of lib/ipc
GREF, MINIMALF, UDPF, NO_CHECK, REQUIRE_T, ECN_COMPAT, DSCP_IN, DF_COPY, AFTER, CHECKSUM, RMULTI, AWAY_DROP, AWAY_LOG, MSS, INTERNAL, SIX = (
    1 << i for i in range(16))
B_UDP, B_HALF, B_STALE, B_SUSPENDED, B_BROADCAST, B_REVERSE, B_COLOCATED, B_IPSEC, B_ECN, B_STATIC = (1 << i for i in range(10))
EVENT_BOUND, EVENT_NEIGHBOR, EVENT_UNREACHABLE, EVENT_AWAY, EVENT_SPOOFED, EVENT_REJECTED, ACQUIRE = 2, 3, 5, 6, 7, 11, 12
# Of policies: direction, action, any address
IN, OUT_ = 0, 1
DISCARD, BYPASS, PROTECT = 0, 1, 2
ALL = "0.0.0.0/0"

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

    def write(self, out):
        folder = os.path.join(out, self.name)
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


def vector(name):
    return IP(VECTORS[name])


def kernel_copy(c, packet):
    return c.to_kernel(0, Ether(dst=PORT[0], src=ROUTER) / packet)


def policy(id, direction, action, local=ALL, remote=ALL, **more):
    return {"policy": dict(id=id, direction=direction, action=action, local=local, remote=remote, **more)}
