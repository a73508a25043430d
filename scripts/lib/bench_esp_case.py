"""One case of ESP port to port: its packets, and the same SAs and policies in the words of both programs.

Tunnel mode; a pair of SAs and a policy of its own for each peer, packets of random ones. Sizes are those of the packet in clear.
Both programs replay the same file. A replayed file brings the same sequence numbers again, so both run without a replay window when
they decrypt.
"""
import random
import socket
import struct
import typing

import bench_gateway as gateway
import bench_ports as ports
import secgw_config

SPI_OUT, SPI_IN = 0x1000000, 0x2000000
INSIDE, AGENT = (172, 16, 0, 5), (192, 0, 2, 1)
HOMEPORT_TABLES = """
routes = ( {{ prefix = "0.0.0.0/0"; via = "192.0.2.254"; port = "{outside}"; }}, {{ prefix = "172.16.0.0/12"; via = "172.16.0.1"; port = "{inside}"; }} );
neighbors = ( {{ address = "192.0.2.254"; port = "{outside}"; mac = "02:00:00:00:00:09"; }},
  {{ address = "172.16.0.1"; port = "{inside}"; mac = "02:00:00:00:00:08"; }} );
"""


class Suite(typing.NamedTuple):
	title: str  # in a figure's name
	name: str  # the row's
	word: str  # in homeport's configuration
	octets: int  # of the keys of one direction, a salt among them
	block: int  # what is encrypted is a multiple of


GCM = Suite("AES-128-GCM", "aes-128-gcm", "aes128gcm16", 20, 4)
CHACHA = Suite("CHACHA20-POLY1305/256", "chacha20-poly1305/256", "chacha20poly1305", 36, 4)
CBC_SHA1 = Suite("AES-CBC/128+HMAC-SHA1-96", "aes-cbc/128+hmac-sha1-96", "aes128-sha1", 36, 16)
CBC_SHA256 = Suite("AES-CBC/128+HMAC-SHA2-256-128", "aes-cbc/128+hmac-sha2-256-128", "aes128-sha256", 48, 16)


class Case(typing.NamedTuple):
	direction: str
	entries: int
	udp: bool = False
	suite: Suite = GCM

	def text(self, size=None):
		size = "" if size is None else f" {size} octets,"
		return f"ESP {self.direction}{' in UDP' if self.udp else ''}, {self.suite.title},{size} {self.entries} SA{'s' if self.entries > 1 else ''}, port to port"

	def packets(self):
		"""As many as there are SAs, so that each is met; a few with one SA, so that it is the hot case."""
		return 1024 if self.entries == 1 else max(16384, self.entries)


def home(n):
	return (12 << 24) + n


def outer(n):
	return (11 << 24) + n


def address(value):
	return socket.inet_ntoa(value.to_bytes(4, "big"))


def keys(suite, n):
	"""What decrypts what comes in from peer n, and what encrypts what goes out to it."""
	octets = random.Random(n).randbytes(2 * suite.octets)
	return octets[:suite.octets], octets[suite.octets:]


# ---- packets


def clear(source, destination, size):
	return ports.ipv4(source, destination, 17, struct.pack("!HHHH", 9, 9, size - 20, 0) + bytes(size - 28))


def encrypted(suite, key, header, number, text):
	"""IV, ciphertext and ICV; the IV is made of the number, as no one who listens is there to guess it."""
	from cryptography.hazmat.primitives import hashes, hmac
	from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes
	if suite in (GCM, CHACHA):
		iv = struct.pack("!Q", number)
		kind = aead.AESGCM if suite is GCM else aead.ChaCha20Poly1305
		return iv + kind(key[:-4]).encrypt(key[-4:] + iv, text, header)
	iv = struct.pack("!QQ", number, number)
	cipher = Cipher(algorithms.AES(key[:16]), modes.CBC(iv)).encryptor()
	body = iv + cipher.update(text) + cipher.finalize()
	kind, length = (hashes.SHA1(), 12) if suite is CBC_SHA1 else (hashes.SHA256(), 16)
	icv = hmac.HMAC(key[16:], kind)
	icv.update(header + body)
	return body + icv.finalize()[:length]


def sealed(case, n, number, size):
	"""As peer n sends it."""
	text = clear(home(n).to_bytes(4, "big"), INSIDE, size)
	padding = -(len(text) + 2) % case.suite.block
	text += bytes(range(1, padding + 1)) + bytes([padding, 4])
	header = struct.pack("!II", SPI_IN + n, number)
	esp = header + encrypted(case.suite, keys(case.suite, n)[0], header, number, text)
	if case.udp:
		esp = struct.pack("!HHHH", 4500, 4500, 8 + len(esp), 0) + esp
	return ports.ipv4(outer(n).to_bytes(4, "big"), AGENT, 17 if case.udp else 50, esp)


def frames(case, size):
	generator = random.Random(7)
	ethernet = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0])
	for number in range(case.packets()):
		n = generator.randrange(case.entries)
		yield ethernet + (clear(INSIDE, home(n).to_bytes(4, "big"), size) if case.direction == "out" else sealed(case, n, number + 1, size))


# ---- configurations


def homeport_lines(case):
	yield "security_associations = (\n"
	encap = " encap = true;" if case.udp else ""
	for n in range(case.entries):
		key_in, key_out = keys(case.suite, n)
		yield (f'{{name="s{n}";local="192.0.2.1";remote="{address(outer(n))}";spi_in={SPI_IN + n};spi_out={SPI_OUT + n};algorithm="{case.suite.word}";'
			f'unsafe_static_keys=true;replay_window=0;key_in="{key_in.hex()}";key_out="{key_out.hex()}";{encap}'
			f'local_ts=["172.16.0.0/12"];remote_ts=["{address(home(n))}"];}}' + (",\n" if n + 1 < case.entries else "\n"))
	yield ");\npolicies = (\n"
	for n in range(case.entries):
		yield (f'{{name="s{n}";order=100;action="protect";security_association="s{n}";local_ts=["172.16.0.0/12"];'
			f'remote_ts=["{address(home(n))}"];}}' + (",\n" if n + 1 < case.entries else "\n"))
	yield ");\n"


def secgw_lines(case, kind):
	"""`kind` is the type of the SAs. It must stand before udp-encap, which ipsec-secgw takes for some types only."""
	more = f"type {kind}{' udp-encap' if case.udp else ''}"
	for n in range(case.entries):
		key_in, key_out = (secgw_config.algorithm(case.suite.word, key.hex()) for key in keys(case.suite, n))
		inner, far = address(home(n)), address(outer(n))
		yield f"sp ipv4 out esp protect {SPI_OUT + n} pri 1 dst {inner}/32 sport 0:65535 dport 0:65535\n"
		yield f"sp ipv4 in esp protect {SPI_IN + n} pri 1 src {inner}/32 sport 0:65535 dport 0:65535\n"
		yield f"sa out {SPI_OUT + n} {key_out} mode ipv4-tunnel src 192.0.2.1 dst {far} {more}\n"
		yield f"sa in {SPI_IN + n} {key_in} mode ipv4-tunnel src {far} dst 192.0.2.1 {more}\n"
	yield "rt ipv4 dst 11.0.0.0/8 port 1\nrt ipv4 dst 172.16.0.0/12 port 1\nneigh port 0 02:00:00:00:00:08\nneigh port 1 02:00:00:00:00:09\n"


def homeport(folder, context, case):
	"""Both daemons with the case's tables; their port replays in.pcap of the folder."""
	source, sink = ("inside", "outside") if case.direction == "out" else ("outside", "inside")
	zone = lambda name: "internal" if name == "inside" else "external"  # noqa: E731
	slots = 64
	while slots < case.entries:
		slots *= 2
	return gateway.Homeport(folder, context.build, context.huge,
		[f'{{ name = "{source}"; device = "net_pcap0,rx_pcap={folder}/in.pcap,infinite_rx=1"; mac = "02:00:00:00:00:01"; zone = "{zone(source)}"; }}',
			f'{{ name = "{sink}"; device = "net_null0,no-rx=1"; mac = "02:00:00:00:00:02"; zone = "{zone(sink)}"; }}'],
		HOMEPORT_TABLES.format(inside="inside", outside="outside"),
		settings=f"max_security_associations = {slots}; max_policies = {2 * case.entries + 64}; max_replay_window = 0;",
		tables=homeport_lines(case), buffers=case.packets() + 16384, memory=256 + (case.packets() + 16384) * 5 // 2048,
		ready=lambda status: status.get("security_associations", case.entries) >= case.entries)
