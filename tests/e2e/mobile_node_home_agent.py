#!/usr/bin/python3
"""A home agent of one mobile node, as small as it gets, for mobile_node_test.py.

Independent of the C code on purpose: it builds and checks bytes with struct and hmac alone. Behind it stands one
correspondent (10.2.0.5), which answers every echo request that comes through the tunnel. What it sees goes to stdout, one
JSON object a line.
"""
import argparse
import hashlib
import hmac
import json
import select
import socket
import struct
import sys
import time

NTP = 2208988800
HA = socket.inet_aton("192.0.2.1")
HOA = socket.inet_aton("10.1.0.10")


def tell(**what):
    print(json.dumps(what), flush=True)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def extensions(data):
    at = 0
    while at < len(data):
        if data[at] == 0:
            at += 1
            continue
        length = data[at + 1]
        yield at, data[at], data[at + 2 : at + 2 + length]
        at += 2 + length


class HomeAgent:
    def __init__(self, options):
        self.options = options
        self.key = bytes.fromhex(options.key)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("192.0.2.1", 434))
        self.ipip = socket.socket(socket.AF_INET, socket.SOCK_RAW, 4)
        self.ipip.bind(("192.0.2.1", 0))
        self.binding = None
        self.resync_left = options.resync
        self.drop_left = options.drop
        self.mute_tunnel = False

    def authenticator(self, data):
        return hmac.new(self.key, data, hashlib.md5).digest()

    def request(self, data, source):
        _, flags, lifetime, hoa, agent, coa, high, low = struct.unpack("!BBH4s4s4sII", data[:24])
        tunnel, valid = None, False
        for at, kind, value in extensions(data[24:]):
            if kind == 144:
                tunnel = value
            if kind == 32:
                covered = data[: 24 + at + 6]
                valid = value[4:] == self.authenticator(covered)
        nat = source[0] != socket.inet_ntoa(coa)
        tell(
            saw="request", lifetime=lifetime, flags=flags, hoa=socket.inet_ntoa(hoa), coa=socket.inet_ntoa(coa),
            agent=socket.inet_ntoa(agent), source=source[0], port=source[1], valid=valid, tunnel=tunnel is not None, nat=nat,
        )
        if not valid:
            return
        if self.drop_left:
            self.drop_left -= 1
            return
        code, extra = 0, b""
        if self.resync_left:
            self.resync_left -= 1
            code, high = 133, (int(time.time()) + NTP + self.options.clock_offset) & 0xFFFFFFFF
        elif abs(high - (int(time.time()) + NTP + self.options.clock_offset)) > 7:
            code, high = 133, (int(time.time()) + NTP + self.options.clock_offset) & 0xFFFFFFFF
        else:
            lifetime = min(lifetime, self.options.lifetime)
            udp = tunnel is not None and (nat or tunnel[2] & 0x80) and lifetime
            if lifetime == 0:
                self.binding = None
            elif udp:
                self.binding = ("udp", source)
                extra = struct.pack("!BBBBHH", 44, 6, 0, 0, 0x8000 if tunnel[2] & 0x80 else 0, self.options.keepalive)
            else:
                self.binding = ("ipip", socket.inet_ntoa(coa))
                if tunnel is not None and lifetime:
                    extra = struct.pack("!BBBBHH", 44, 6, 0, 64, 0, 0)
            if self.options.trusted:
                extra += bytes([149, 2, 0, 0])
        reply = struct.pack("!BBH4s4sII", 3, code, lifetime, hoa, agent, high, low) + extra
        reply += struct.pack("!BBI", 32, 20, 256)
        good = reply + self.authenticator(reply)
        if self.options.forge:  # a forged acceptance first: it must count for nothing
            self.udp.sendto(reply + bytes(16), source)
        self.udp.sendto(good, source)

    def tunnelled(self, form, packet, source):
        if self.binding is None or self.binding[0] != form or self.binding[1] != source:
            tell(saw="stray", form=form, source=str(source), binding=str(self.binding))
            return
        header = (packet[0] & 15) * 4
        inner_source, inner_destination = packet[12:16], packet[16:20]
        if inner_source != HOA or packet[9] != 1 or packet[header] != 8:
            return
        body = b"\0\0\0\0" + packet[header + 4 :]
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        top = packet[:10] + b"\0\0" + inner_destination + inner_source + packet[20:header]
        top = top[:10] + struct.pack("!H", checksum(top)) + top[12:]
        tell(saw="echo", form=form, to=socket.inet_ntoa(inner_destination), length=len(packet))
        if form == "udp":
            self.udp.sendto(b"\x04\x04\0\0" + top + body, source)
        else:
            self.ipip.sendto(top + body, (source, 0))

    def run(self):
        tell(saw="ready")
        while True:
            for ready in select.select([self.udp, self.ipip], [], [])[0]:
                data, source = ready.recvfrom(65535)
                if ready is self.ipip:
                    self.tunnelled("ipip", data[(data[0] & 15) * 4 :], source[0])
                elif data[0] == 1:
                    self.request(data, source)
                elif data[0] == 4:
                    self.tunnelled("udp", data[4:], source)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", default="0123456789abcdeffedcba9876543210")
    parser.add_argument("--lifetime", type=int, default=60)
    parser.add_argument("--keepalive", type=int, default=30)
    parser.add_argument("--clock-offset", type=int, default=0)
    parser.add_argument("--resync", type=int, default=0)
    parser.add_argument("--drop", type=int, default=0)
    parser.add_argument("--trusted", action="store_true")
    parser.add_argument("--forge", action="store_true")
    try:
        HomeAgent(parser.parse_args()).run()
    except KeyboardInterrupt:
        sys.exit(0)
