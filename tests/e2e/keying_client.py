"""A client of the keying socket (lib/ipc/keying.h) in Python: packs and reads the messages by the protocol's own words,
without the project's C. What charon's plugin would send; and, for tests, what it never should."""
import ipaddress
import os
import select
import socket
import struct
import time

VERSION = 2
MAGIC = 0x686B6579
REQUESTS = ("hello lease_spis claim_spi add_sa update_sa query_sa del_sa flush_sas add_policy query_policy del_policy "
            "flush_policies replay_begin replay_end udp_port").split()
TYPES = {name: index + 1 for index, name in enumerate(REQUESTS)}
TYPES.update(welcome=64, status=65, spis=66, sa_state=67, policy_state=68, expire=96, mapping=97, acquire=98, migrate=99)
NAMES = {number: name for name, number in TYPES.items()}
STATUSES = ("ok accepted malformed wrong_version wrong_state busy not_found exists bad_spi bad_algorithm bad_key bad_address "
            "bad_selector unsupported no_room conflict unauthorised refused no_memory stale").split()
FLAGS = dict(inbound=1, update=2, initiator=4, esn=8, encap=16, copy_df=32, copy_ecn=64, copy_dscp_out=128, copy_dscp_in=256,
             no_mapping=512, resume=1024)
TRANSPORT, TUNNEL = 1, 2
IN, OUT, FORWARD = 0, 1, 2
PROTECT, PASS, DROP = 1, 2, 3
PRIORITIES = dict(PASS=0, DEFAULT=1, ROUTED=2, FALLBACK=3)


def address(text):
    if not text:
        return bytes(16)
    value = ipaddress.ip_address(text)
    return value.packed if value.version == 6 else bytes(10) + b"\xff\xff" + value.packed


def address_text(octets):
    value = ipaddress.IPv6Address(octets)
    return str(value.ipv4_mapped or value)


def endpoint(where):
    """("192.0.2.1", 4500) or "192.0.2.1"."""
    host, port = (where, 0) if isinstance(where, str) else where
    return address(host) + struct.pack("!HH", port, 0)


def endpoint_read(octets):
    return address_text(octets[:16]), struct.unpack("!H", octets[16:18])[0]


def selector(where):
    """"10.0.0.0/8", or (prefix or (first, last), protocol, first port, last port)."""
    if isinstance(where, str):
        where = (where, 0, 0, 65535)
    span, protocol, first_port, last_port = where
    if isinstance(span, str):
        network = ipaddress.ip_network(span)
        span = str(network[0]), str(network[-1])
    return address(span[0]) + address(span[1]) + struct.pack("!HHB3x", first_port, last_port, protocol)


def selector_read(octets):
    first_port, last_port, protocol = struct.unpack("!HHB3x", octets[32:40])
    return (address_text(octets[:16]), address_text(octets[16:32])), protocol, first_port, last_port


def flags_of(names):
    return sum(FLAGS[name] for name in names.split())


def pack(kind, identifier, body=b"", version=VERSION):
    number = TYPES[kind] if isinstance(kind, str) else kind
    return struct.pack("!HHIQ", version, number, 16 + len(body), identifier) + body


def hello(instance, agent="keying_client"):
    return struct.pack("!IIQ64s", MAGIC, 0, instance, agent.encode())


def add_sa(handle, spi, source, destination, *, key, source_ts, destination_ts, flags="", reqid=1, mode=TUNNEL, encryption=20,
           integrity=0, integrity_key=b"", replay_window=64, tfc=0, lifetime=(0,) * 6, name="test", identity="peer@test",
           peer_addresses=()):
    """lifetime: soft and hard seconds, octets, packets."""
    source_ts = source_ts if isinstance(source_ts, list) else [source_ts]
    destination_ts = destination_ts if isinstance(destination_ts, list) else [destination_ts]
    return (struct.pack("!QIIIHHHHHHII", handle, spi, reqid, flags_of(flags), mode, encryption, integrity, len(key),
                        len(integrity_key), 0, replay_window, tfc) + endpoint(source) + endpoint(destination)
            + struct.pack("!6Q64s64s64s64sHHHH", *lifetime, key, integrity_key, name.encode(), identity.encode(),
                          len(source_ts), len(destination_ts), len(peer_addresses), 0)
            + b"".join(map(selector, source_ts + destination_ts)) + b"".join(map(address, peer_addresses)))


def sa_id(handle, spi, inbound):
    return struct.pack("!QII", handle, spi, 1 if inbound else 0)


def update_sa(handle, spi, inbound, source, destination, encap=False, reqid=0):
    return sa_id(handle, spi, inbound) + struct.pack("!II", 16 if encap else 0, reqid) + endpoint(source) + endpoint(destination)


def policy(direction, source_ts, destination_ts, *, handle=0, spi=0, reqid=1, action=PROTECT, priority="DEFAULT", mode=TUNNEL,
           manual=0, source=None, destination=None):
    return (struct.pack("!QIIHHHHII", handle, spi, reqid, direction, action, PRIORITIES[priority], mode, manual, 0)
            + address(source) + address(destination) + selector(source_ts) + selector(destination_ts))


def text_of(octets):
    return octets.split(b"\0", 1)[0].decode()


def read_sa_id(octets):
    handle, spi, flags = struct.unpack("!QII", octets)
    return dict(handle=handle, spi=spi, inbound=bool(flags & 1))


def read(octets):
    """One datagram of control -> dict with type and id."""
    version, number, length, identifier = struct.unpack("!HHIQ", octets[:16])
    assert version == VERSION and length == len(octets), (version, length, len(octets))
    body, kind = octets[16:], NAMES[number]
    answer = dict(type=kind, id=identifier)
    if kind == "welcome":
        answer.update(zip(("epoch", "spi_block", "wait_ms", "replay_window_max", "dataplane"), struct.unpack("!QIIII", body)))
    elif kind == "status":
        answer.update(status=STATUSES[struct.unpack("!I", body[:4])[0]], text=text_of(body[4:]))
    elif kind == "spis":
        answer.update(spis=list(struct.unpack(f"!{struct.unpack('!H', body[:2])[0]}I", body[4:])))
    elif kind == "sa_state":
        answer.update(zip(("packets", "bytes", "last_use_s", "sequence"), struct.unpack("!4Q", body)))
    elif kind == "policy_state":
        answer.update(zip(("hits", "last_use_s"), struct.unpack("!QQ", body)))
    elif kind == "expire":
        answer.update(read_sa_id(body[:16]), hard=bool(struct.unpack("!I", body[16:20])[0]),
                      destination=address_text(body[24:40]), cause=text_of(body[40:]))
    elif kind == "mapping":
        answer.update(read_sa_id(body[:16]), local=endpoint_read(body[16:36]), remote=endpoint_read(body[36:56]))
    elif kind == "acquire":
        answer.update(reqid=struct.unpack("!I", body[:4])[0], source=selector_read(body[8:48]),
                      destination=selector_read(body[48:88]))
    return answer


class KeyingClient:
    """One connection. Answers are looked for by id, events are kept in self.events."""

    def __init__(self, path, instance=None, greet=True):
        self.instance = instance or int.from_bytes(os.urandom(8), "big") | 1
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)
        self.next_id, self.answers, self.events, self.closed = 1, {}, [], False
        self.handles = 0
        if greet:
            self.welcome = self.ask("hello", hello(self.instance))
            assert self.welcome["type"] == "welcome", self.welcome

    def close(self):
        self.socket.close()

    def send(self, kind, body=b""):
        identifier, self.next_id = self.next_id, self.next_id + 1
        self.socket.send(pack(kind, identifier, body))
        return identifier

    def read_some(self, timeout):
        """One datagram, or False when the time is over or the server closed."""
        if self.closed or not select.select([self.socket], [], [], max(timeout, 0))[0]:
            return False
        octets = self.socket.recv(65536)
        if not octets:
            self.closed = True
            return False
        message = read(octets)
        if message["type"] in ("expire", "mapping", "acquire", "migrate"):
            self.events.append(message)
        else:
            self.answers[message["id"]] = message
        return True

    def answer(self, identifier, timeout=60):
        deadline = time.monotonic() + timeout
        while identifier not in self.answers:
            if not self.read_some(deadline - time.monotonic()):
                raise TimeoutError(f"no answer to request {identifier}" + (", connection closed" if self.closed else ""))
        return self.answers.pop(identifier)

    def ask(self, kind, body=b"", timeout=60):
        return self.answer(self.send(kind, body), timeout)

    def expect(self, status, kind, body=b"", timeout=60):
        answer = self.ask(kind, body, timeout)
        assert answer.get("status") == status, (kind, answer, "expected", status)
        return answer

    def want(self, kind, body=b"", timeout=60):
        """In force, or to be: on a loaded machine a hundred milliseconds may pass."""
        answer = self.ask(kind, body, timeout)
        assert answer.get("status") in ("ok", "accepted"), (kind, answer)
        return answer

    def event(self, kind, timeout=5, **wanted):
        """The first event of that kind with those values; it is taken out of the list."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self.events:
                if event["type"] == kind and all(event[name] == value for name, value in wanted.items()):
                    self.events.remove(event)
                    return event
            if not self.read_some(deadline - time.monotonic()):
                raise TimeoutError(f"no {kind} {wanted}; there were {self.events}")

    def closed_by_peer(self, timeout=60):
        deadline = time.monotonic() + timeout
        while not self.closed and time.monotonic() < deadline:
            self.read_some(deadline - time.monotonic())
        return self.closed

    def replay(self, *messages):
        """(kind, body) each; the empty replay of a client that has nothing."""
        self.expect("ok", "replay_begin")
        for kind, body in messages:
            answer = self.ask(kind, body)
            assert answer.get("status") in ("ok", "accepted"), (kind, answer)
        self.want("replay_end")

    def lease(self, count=1):
        answer = self.ask("lease_spis", struct.pack("!I", count))
        assert answer["type"] == "spis", answer
        return answer["spis"]

    def handle(self):
        self.handles += 1
        return self.handles
