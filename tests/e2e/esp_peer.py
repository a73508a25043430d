"""The far end of a pair of security associations: Scapy's ipsec layer, and OpenSSL for what Scapy 2.5.0 gets wrong or does not have
(HMAC and CMAC with ESN, short GCM ICVs, GMAC, implicit IVs). What the gateway sends is opened by one of them and built again octet by octet.
"""
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.cmac import CMAC
from scapy.all import ESP, IP, IPv6, UDP, Raw
from scapy.layers.ipsec import SecurityAssociation

AGENT, PEER = "192.0.2.1", "198.51.100.23"
AGENT6, PEER6 = "2001:db8:1::1", "2001:db8:2::23"
LOCAL_TS = ["10.1.0.0/16", "2001:db8:a::/64"]

# How Scapy and tshark call them; octets of encryption key (salt included), IV, ICV, alignment.
CIPHERS = {
	**{f"aes{bits}gcm{icv}": ("AES-GCM", f"AES-GCM with {icv} octet ICV [RFC4106]", bits // 8 + 4, 8, icv, 4)
		for bits in (128, 192, 256) for icv in (16, 12, 8)},
	**{f"aes{bits}ccm{icv}": ("AES-CCM", None, bits // 8 + 3, 8, icv, 4) for bits in (128, 256) for icv in (16, 12, 8)},
	"chacha20poly1305": ("CHACHA20-POLY1305", None, 36, 8, 16, 4),
	**{f"aes{bits}": ("AES-CBC", "AES-CBC [RFC3602]", bits // 8, 16, 0, 16) for bits in (128, 192, 256)},
	**{f"aes{bits}ctr": ("AES-CTR", "AES-CTR [RFC3686]", bits // 8 + 4, 8, 0, 4) for bits in (128, 256)},
	"null": ("NULL", "NULL", 0, 0, 0, 4),
	**{f"aes{bits}gmac": (None, None, bits // 8 + 4, 8, 16, 4) for bits in (128, 256)},
	"aes128gcm16iiv": (None, None, 20, 0, 16, 4),
	"chacha20poly1305iiv": (None, None, 36, 0, 16, 4),
}
INTEGRITIES = {  # key, ICV
	"sha1": ("HMAC-SHA1-96", "HMAC-SHA-1-96 [RFC2404]", 20, 12),
	"sha256": ("SHA2-256-128", "HMAC-SHA-256-128 [RFC4868]", 32, 16),
	"sha384": ("SHA2-384-192", "HMAC-SHA-384-192 [RFC4868]", 48, 24),
	"sha512": ("SHA2-512-256", "HMAC-SHA-512-256 [RFC4868]", 64, 32),
	"aescmac": ("AES-CMAC-96", None, 16, 12),
}


class Algorithm:
	def __init__(self, name):
		self.name = name
		cipher, _, integrity = name.partition("-")
		self.scapy, self.tshark, self.key, self.iv, self.icv, self.align = CIPHERS[cipher]
		self.auth = self.tshark_auth = None
		self.auth_key = 0
		if integrity:
			self.auth, self.tshark_auth, self.auth_key, self.icv = INTEGRITIES[integrity]
		self.integrity = integrity
		self.counter = cipher != "null" and self.scapy != "AES-CBC"

	def scapy_is_right(self, esn):
		"""Not with ESN beside a separate integrity algorithm, nor with a GCM ICV that is cut."""
		return self.scapy is not None and not (esn and self.auth) and not (self.scapy == "AES-GCM" and self.icv < 16)

	def inner_mtu(self, path, outer):
		"""Largest inner packet for an outer path MTU and outer headers (section 10 of the requirements)."""
		return (path - outer - 8 - self.iv - self.icv) // self.align * self.align - 2


class OpenSsl:
	"""ESP from the RFCs' text: 4303, 4106, 4309, 4543, 7634, 8750, 3602, 3686."""

	def __init__(self, algorithm, spi, key, esn):
		self.a, self.spi, self.esn = algorithm, spi, esn
		self.key, self.auth_key = key[:algorithm.key], key[algorithm.key:]

	def head(self, number):
		return struct.pack("!II", self.spi, number & 0xffffffff)

	def aad(self, number):
		return struct.pack("!IQ", self.spi, number) if self.esn else self.head(number)

	def nonce(self, number, iv):
		salt = 3 if "ccm" in self.a.name else 4
		return self.key[-salt:] + (iv or struct.pack("!Q", number)), self.key[:-salt]

	def aead(self, key):
		if "chacha" in self.a.name:
			return ChaCha20Poly1305(key)
		return AESCCM(key, self.a.icv) if "ccm" in self.a.name else AESGCM(key)

	def mac(self, text, number):
		text += struct.pack("!I", number >> 32) if self.esn else b""
		if self.a.integrity == "aescmac":
			mac = CMAC(algorithms.AES(self.auth_key))
			mac.update(text)
			return mac.finalize()[:self.a.icv]
		return hmac.new(self.auth_key, text, getattr(hashlib, self.a.integrity)).digest()[:self.a.icv]

	def cipher(self, iv):
		if self.a.scapy == "AES-CBC":
			return Cipher(algorithms.AES(self.key), modes.CBC(iv))
		return Cipher(algorithms.AES(self.key[:-4]), modes.CTR(self.key[-4:] + iv + b"\0\0\0\1"))

	def seal(self, payload, next_header, number, iv):
		pad = -(len(payload) + 2) % self.a.align
		text = payload + bytes(range(1, pad + 1)) + bytes([pad, next_header])
		if self.a.integrity:
			if self.a.scapy != "NULL":
				step = self.cipher(iv).encryptor()
				text = step.update(text) + step.finalize()
			covered = self.head(number) + iv + text
			return covered + self.mac(covered, number)
		nonce, key = self.nonce(number, iv)
		if "gmac" in self.a.name:
			return self.head(number) + iv + text + self.aead(key).encrypt(nonce, b"", self.aad(number) + iv + text)
		sealed = self.aead(key).encrypt(nonce, text, self.aad(number))
		return self.head(number) + iv + sealed[:len(text) + self.a.icv]

	def open(self, esp, number):
		"""(payload, next header); raises when the ICV is wrong."""
		iv, text, icv = esp[8:8 + self.a.iv], esp[8 + self.a.iv:-self.a.icv], esp[-self.a.icv:]
		if self.a.integrity:
			assert self.mac(esp[:-self.a.icv], number) == icv, "wrong ICV"
			if self.a.scapy != "NULL":
				step = self.cipher(iv).decryptor()
				text = step.update(text) + step.finalize()
		else:
			nonce, key = self.nonce(number, iv)
			if "gmac" in self.a.name:
				self.aead(key).decrypt(nonce, icv, self.aad(number) + iv + text)
			elif "gcm" in self.a.name:
				step = Cipher(algorithms.AES(key), modes.GCM(nonce, icv, min_tag_length=8)).decryptor()
				step.authenticate_additional_data(self.aad(number))
				text = step.update(text) + step.finalize()
			else:
				text = self.aead(key).decrypt(nonce, text + icv, self.aad(number))
		pad, next_header = text[-2:]
		assert text[len(text) - 2 - pad:-2] == bytes(range(1, pad + 1)), "padding"
		return text[:len(text) - 2 - pad], next_header


class ScapyEsp:
	"""The same two calls with Scapy's layer."""

	def __init__(self, algorithm, spi, key, esn):
		aead = not algorithm.auth
		self.sa = SecurityAssociation(ESP, spi, crypt_algo=algorithm.scapy, crypt_key=key[:algorithm.key] or None,
			crypt_icv_size=algorithm.icv if aead else None, auth_algo=algorithm.auth, auth_key=key[algorithm.key:] or None, esn_en=esn)

	def seal(self, payload, next_header, number, iv):
		"""In transport mode Scapy takes whatever the header says comes next; what stands before ESP is cut off again."""
		packet = IP(src="192.0.2.99", dst="192.0.2.98", proto=next_header) / Raw(payload)
		self.sa.seq_num = 0  # else Scapy takes its own instead of 0
		return bytes(self.sa.encrypt(IP(bytes(packet)), seq_num=number & 0xffffffff, iv=iv, esn=number >> 32)[ESP])

	def open(self, esp, number):
		packet = self.sa.decrypt(IP(bytes(IP(src="192.0.2.99", dst="192.0.2.98", proto=50) / Raw(esp))), esn=number >> 32)
		return bytes(packet.payload), packet.proto


class Sa:
	"""A pair as the gateway is told it, and the peer that has the other ends of it."""

	def __init__(self, name, algorithm, index, local=AGENT, remote=PEER, local_ts=None, remote_ts=None, mode="tunnel", encap=False,
			remote_port=4500, local_port=4500, esn=False, **settings):
		self.name, self.a, self.index, self.mode = name, Algorithm(algorithm), index, mode
		self.local, self.remote, self.encap, self.esn = local, remote, encap, esn
		self.remote_port, self.local_port, self.settings = remote_port, local_port, settings
		self.spi_in, self.spi_out = 0x10000 + index, 0x20000 + index
		self.local_ts = LOCAL_TS if local_ts is None else local_ts
		self.remote_ts = [f"10.100.{index}.0/24", f"2001:db8:b:{index:x}::/64"] if remote_ts is None else remote_ts
		length = self.a.key + self.a.auth_key
		self.key_in, self.key_out = (hashlib.shake_256(f"{name} {way}".encode()).digest(length) for way in ("in", "out"))
		kind = ScapyEsp if self.a.scapy_is_right(esn) else OpenSsl
		self.towards, self.back = kind(self.a, self.spi_in, self.key_in, esn), kind(self.a, self.spi_out, self.key_out, esn)
		self.number = 0  # of the last packet sent to the gateway
		self.seen = 0  # highest from it
		self.host, self.host6 = f"10.100.{index}.7", f"2001:db8:b:{index:x}::7"

	# ---- what the gateway is told

	def config(self):
		ports = f"encap = true; local_port = {self.local_port}; remote_port = {self.remote_port};" if self.encap else ""
		lists = "".join(f"{k} = [ " + ", ".join(f'"{t}"' for t in v) + " ]; " for k, v in (("local_ts", self.local_ts), ("remote_ts", self.remote_ts)) if v)
		more = "".join(f"{k} = {str(v).lower() if isinstance(v, (bool, int)) else chr(34) + v + chr(34)}; " for k, v in self.settings.items())
		static = "unsafe_static_keys = true; " if self.a.counter else ""
		return (f'{{ name = "{self.name}"; mode = "{self.mode}"; local = "{self.local}"; remote = "{self.remote}"; spi_in = {self.spi_in}; '
			f'spi_out = {self.spi_out}; algorithm = "{self.a.name}"; esn = {str(self.esn).lower()}; key_in = "{self.key_in.hex()}"; '
			f'key_out = "{self.key_out.hex()}"; {ports} {lists} {more} {static} }}')

	def key_file(self, folder):
		path = os.path.join(folder, f"{self.name}.keys")
		with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
			file.write(f"in {self.key_in.hex()}\nout {self.key_out.hex()}\n")
		return path

	def words(self, folder):
		"""Of `homeportctl sa add`."""
		words = ["sa", "add", self.name, "--local", self.local, "--remote", self.remote, "--spi-in", str(self.spi_in), "--spi-out", str(self.spi_out),
			"--algorithm", self.a.name, "--key-file", self.key_file(folder), "--mode", self.mode]
		words += ["--local-ts", ",".join(self.local_ts)] if self.local_ts else []
		words += ["--remote-ts", ",".join(self.remote_ts)] if self.remote_ts else []
		words += ["--encap", "--local-port", str(self.local_port), "--remote-port", str(self.remote_port)] if self.encap else []
		words += ["--esn"] if self.esn else []
		words += ["--unsafe-static-keys"] if self.a.counter else []
		for name, value in self.settings.items():
			words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
		return words

	def uat(self):
		"""tshark's lines for what the gateway sends, wherever to; none when it cannot check it."""
		if not self.a.tshark or (self.a.auth and not self.a.tshark_auth) or self.esn:
			return []
		key, auth = (f"0x{part.hex()}" if part else "" for part in (self.key_out[:self.a.key], self.key_out[self.a.key:]))
		return [f'"{family}","*","*","0x{self.spi_out:08x}","{self.a.tshark}","{key}","{self.a.tshark_auth or "NULL"}","{auth}"'
			for family in ("IPv4", "IPv6")]

	# ---- packets

	def outer_length(self):
		return (40 if ":" in self.remote else 20) + (8 if self.encap else 0)

	def esp(self, inner, number=None, next_header=None, iv=None):
		"""ESP as the peer would send it. inner: a packet for a tunnel, or octets with their protocol."""
		if number is None:
			self.number = number = self.number + 1
		if next_header is None:
			next_header = 41 if bytes(inner)[0] >> 4 == 6 else 4
		if iv is None:
			iv = struct.pack("!Q", number) if self.a.counter and self.a.iv else os.urandom(self.a.iv)
		return self.towards.seal(bytes(inner), next_header, number, iv)

	def outer(self, esp, source=None, sport=None, destination=None, udp=None, **header):
		"""Around it the headers of a packet to the gateway."""
		source, destination = source or self.remote, destination or self.local
		if ":" in source:
			ip = IPv6(src=source, dst=destination, nh=50, **header)
		else:
			ip = IP(src=source, dst=destination, proto=50, **header)
		if not (self.encap if udp is None else udp):
			return ip / Raw(esp)
		ip.nh = ip.proto = 17
		datagram = UDP(sport=sport or self.remote_port, dport=self.local_port) / Raw(esp)
		if ":" not in source:
			datagram.chksum = 0
		return ip / datagram

	def protect(self, inner, number=None, **header):
		return self.outer(self.esp(inner, number), **header)

	def esp_of(self, packet):
		"""The octets of ESP in a packet (bytes, from its IP header), None when it is none of this SA's."""
		if packet[0] >> 4 == 4:
			at, protocol = (packet[0] & 15) * 4, packet[9]
			end = struct.unpack_from("!H", packet, 2)[0]
		else:
			at, protocol = 40, packet[6]
			end = 40 + struct.unpack_from("!H", packet, 4)[0]
		if protocol == 17:
			at += 8
		elif protocol != 50:
			return None
		esp = packet[at:end]
		return esp if len(esp) >= 8 and esp[:4] == struct.pack("!I", self.spi_out) else None

	def number_of(self, esp):
		"""The whole number: with ESN the one nearest above what was seen."""
		low = struct.unpack_from("!I", esp, 4)[0]
		if not self.esn:
			return low
		high = self.seen >> 32
		number = high << 32 | low
		return number + (1 << 32) if number + (1 << 31) < self.seen else number

	def open(self, esp):
		"""(payload, next header, number, iv) of ESP from the gateway."""
		number = self.number_of(esp)
		payload, next_header = self.back.open(esp, number)
		self.seen = max(self.seen, number)
		return payload, next_header, number, esp[8:8 + self.a.iv]
