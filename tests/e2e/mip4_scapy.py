"""Mobile IPv4 for Scapy, written from RFC 5944, 3519 and 2794 alone: the tests' own reading of the formats.

Nothing here is shared with lib/wire, so a misreading there shows. Authenticators come from Python's hmac.
"""
import hashlib
import hmac
import struct

from scapy.all import (BitField, ByteField, FieldLenField, IP, IPField, IntField, Packet, ShortField, StrLenField, UDP,
	XLongField, bind_layers)

PORT = 434
NTP_UNIX = 2208988800


class Request(Packet):  # RFC 5944 3.3
	name = "MIP4 registration request"
	fields_desc = [ByteField("type", 1), BitField("S", 0, 1), BitField("B", 0, 1), BitField("D", 0, 1), BitField("M", 0, 1),
		BitField("G", 0, 1), BitField("r", 0, 1), BitField("T", 0, 1), BitField("x", 0, 1), ShortField("lifetime", 600),
		IPField("home_address", "0.0.0.0"), IPField("home_agent", "0.0.0.0"), IPField("care_of", "0.0.0.0"),
		XLongField("identification", 0)]


class Reply(Packet):  # RFC 5944 3.4
	name = "MIP4 registration reply"
	fields_desc = [ByteField("type", 3), ByteField("code", 0), ShortField("lifetime", 0), IPField("home_address", "0.0.0.0"),
		IPField("home_agent", "0.0.0.0"), XLongField("identification", 0)]


class TunnelData(Packet):  # RFC 3519 3.3
	name = "MIP4 tunnel data"
	fields_desc = [ByteField("type", 4), ByteField("next_header", 4), ShortField("reserved", 0)]


class Extension(Packet):  # RFC 5944 1.9, simple format
	name = "MIP4 extension"
	fields_desc = [ByteField("type", 0), FieldLenField("length", None, fmt="B", length_of="data"),
		StrLenField("data", b"", length_from=lambda p: p.length)]

	def extract_padding(self, s):
		return s, None


class Authentication(Packet):  # RFC 5944 3.5.2
	name = "MIP4 authentication"
	fields_desc = [ByteField("type", 32), ByteField("length", 20), IntField("spi", 256),
		StrLenField("authenticator", b"", length_from=lambda p: p.length - 4)]

	def extract_padding(self, s):
		return s, None


class UdpTunnelRequest(Packet):  # RFC 3519 3.1
	name = "UDP tunnel request"
	fields_desc = [ByteField("type", 144), ByteField("length", 6), ByteField("subtype", 0), ByteField("reserved1", 0),
		BitField("F", 0, 1), BitField("R", 0, 1), BitField("reserved2", 0, 6), ByteField("encapsulation", 0),
		ShortField("reserved3", 0)]


class UdpTunnelReply(Packet):  # RFC 3519 3.2
	name = "UDP tunnel reply"
	fields_desc = [ByteField("type", 44), ByteField("length", 6), ByteField("subtype", 0), ByteField("code", 0),
		BitField("F", 0, 1), BitField("reserved", 0, 15), ShortField("keepalive", 0)]


bind_layers(TunnelData, IP, next_header=4)

DIGESTS = {"hmac-md5": hashlib.md5, "hmac-sha1": hashlib.sha1, "hmac-sha256": hashlib.sha256}


def authenticate(message, spi, key, algorithm="hmac-md5", kind=32):
	"""The message with its authentication extension: covers all before the authenticator (RFC 5944 3.5.1)."""
	digest = DIGESTS[algorithm]
	head = bytes(message) + struct.pack("!BBI", kind, 4 + digest().digest_size, spi)
	return head + hmac.new(key, head, digest).digest()


def extensions(payload):
	"""[(type, data, offset)] of a reply's or request's extensions; ValueError when they do not add up."""
	found, at = [], 20 if payload[0] == 3 else 24
	while at < len(payload):
		if payload[at] == 0:
			at += 1
			continue
		if at + 2 > len(payload) or at + 2 + payload[at + 1] > len(payload):
			raise ValueError(f"extension at {at} runs over the end")
		found.append((payload[at], payload[at + 2:at + 2 + payload[at + 1]], at))
		at += 2 + payload[at + 1]
	return found


def identification(seconds, low=0):
	"""Timestamps are NTP's: seconds since 1900, fraction below (RFC 5944 5.7.1)."""
	return ((int(seconds) + NTP_UNIX) & 0xffffffff) << 32 | low


def is_message(packet, kind):
	return UDP in packet and bytes(packet[UDP].payload)[:1] == bytes([kind])
