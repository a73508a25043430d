#!/usr/bin/python3
"""Makes dataplane/crypto/known_answer_table.c: for every suite the ICVs of two fixed packets, by an implementation that has
nothing in common with IPsec-MB (python3-cryptography on OpenSSL, XCBC by RFC 3566 on AES alone).

  known_answers.py           writes it
  known_answers.py --check   fails when the file is not what would be written; exit 77 without python3-cryptography

The ICV covers the ciphertext in all transforms (NULL and GMAC: the text), so it proves the cipher too. The packets are those
of known_answer.c: SPI c0a80001; key octets 7 i + 1, integrity key octets 5 i + 3, text octets 11 i + 5, CBC IV octets 3 i + 9.
Packet 0: 100 octets of text (CBC 112), number 7. Packet 1: 1420 (CBC 1424), ESN, number 3 * 2^32 + 9.
"""
import hashlib
import hmac
import os
import struct
import sys

try:
	from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
	from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
	from cryptography.hazmat.primitives.cmac import CMAC
except ImportError as error:
	print(f"1..0 # SKIP {error}")
	sys.exit(77)

TARGET = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "dataplane", "crypto", "known_answer_table.c")
SPI = 0xC0A80001
PACKETS = ((100, 7, False), (1420, 3 << 32 | 9, True))


def pattern(length, step, start):
	return bytes((step * i + start) & 255 for i in range(length))


def ecb(key, block):
	encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
	return encryptor.update(block) + encryptor.finalize()


def xor(a, b):
	return bytes(x ^ y for x, y in zip(a, b))


def xcbc(key, data):
	"""RFC 3566 4."""
	k1, k2, k3 = (ecb(key, bytes([n]) * 16) for n in (1, 2, 3))
	blocks = [data[i:i + 16] for i in range(0, len(data), 16)] or [b""]
	state = bytes(16)
	for block in blocks[:-1]:
		state = ecb(k1, xor(state, block))
	last = blocks[-1]
	if len(last) == 16:
		return ecb(k1, xor(xor(last, state), k2))
	return ecb(k1, xor(xor((last + b"\x80").ljust(16, b"\0"), state), k3))


def xcbc_is_right():
	"""RFC 3566 4.6, test cases 1 to 5: lengths 0, 3, 16, 20, 32."""
	answers = {0: "75f0251d528ac01c4573dfd584d79f29", 3: "5b376580ae2f19afe7219ceef172756f", 16: "d2a246fa349b68a79998a4394ff7a263",
		20: "47f51b4564966215b8985c63055ed308", 32: "f54f0ec8d2b9f3d36807734bd5283fd4"}
	return all(xcbc(bytes(range(16)), bytes(range(length))).hex() == answer for length, answer in answers.items())


def cmac(key, data):
	c = CMAC(algorithms.AES(key))
	c.update(data)
	return c.finalize()


def hmac_of(digest):
	return lambda key, data: hmac.new(key, data, digest).digest()


INTEGRITY = (("hmac-sha1-96", hmac_of(hashlib.sha1), 20, 12), ("hmac-sha2-256-128", hmac_of(hashlib.sha256), 32, 16),
	("hmac-sha2-384-192", hmac_of(hashlib.sha384), 48, 24), ("hmac-sha2-512-256", hmac_of(hashlib.sha512), 64, 32),
	("aes-xcbc-96", xcbc, 16, 12), ("aes-cmac-96", cmac, 16, 12))


def separate(kind, bits, length, number, esn, function, key_length, icv):
	key = pattern(bits // 8 + (4 if kind == "ctr" else 0), 7, 1)
	if kind == "cbc":
		length = (length + 15) // 16 * 16
	text = pattern(length, 11, 5)
	iv = b""
	if kind == "cbc":
		iv = pattern(16, 3, 9)
		encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
		text = encryptor.update(text) + encryptor.finalize()
	elif kind == "ctr":
		iv = struct.pack(">Q", number)
		encryptor = Cipher(algorithms.AES(key[:-4]), modes.CTR(key[-4:] + iv + b"\0\0\0\1")).encryptor()
		text = encryptor.update(text) + encryptor.finalize()
	covered = struct.pack(">II", SPI, number & 0xffffffff) + iv + text + (struct.pack(">I", number >> 32) if esn else b"")
	return function(pattern(key_length, 5, 3), covered)[:icv]


def aead(kind, bits, length, number, esn, icv):
	salt = 3 if kind == "ccm" else 4
	key = pattern(bits // 8 + salt, 7, 1)
	key, salt = key[:-salt], key[-salt:]
	text, iv = pattern(length, 11, 5), struct.pack(">Q", number)
	additional = struct.pack(">IQ", SPI, number) if esn else struct.pack(">II", SPI, number)
	if kind == "gmac":
		return AESGCM(key).encrypt(salt + iv, b"", additional + iv + text)
	if kind == "ccm":
		return AESCCM(key, icv).encrypt(salt + iv, text, additional)[-icv:]
	algorithm = ChaCha20Poly1305 if kind == "chacha" else AESGCM
	return algorithm(key).encrypt(salt + iv, text, additional)[length:length + icv]


def suites():
	"""(name, function of a packet -> ICV), in no special order: the table is looked up by name."""
	for name, kind, sizes, icv in (("aes-gcm-16", "gcm", (128, 192, 256), 16), ("aes-gcm-12", "gcm", (128, 192, 256), 12),
		("aes-gcm-8", "gcm", (128, 192, 256), 8), ("aes-gcm-16-iiv", "gcm", (128, 192, 256), 16),
		("aes-gmac", "gmac", (128, 192, 256), 16), ("aes-ccm-16", "ccm", (128, 256), 16), ("aes-ccm-12", "ccm", (128, 256), 12),
		("aes-ccm-8", "ccm", (128, 256), 8), ("aes-ccm-8-iiv", "ccm", (128, 256), 8),
		("chacha20-poly1305", "chacha", (256,), 16), ("chacha20-poly1305-iiv", "chacha", (256,), 16)):
		for bits in sizes:
			yield f"{name}/{bits}", lambda p, kind=kind, bits=bits, icv=icv: aead(kind, bits, *p, icv)
	for name, kind, sizes in (("aes-cbc", "cbc", (128, 192, 256)), ("aes-ctr", "ctr", (128, 192, 256)), ("null", "null", (0,))):
		for bits in sizes:
			for hash_name, function, key_length, icv in INTEGRITY:
				full = f"{name}/{bits}" if bits else name
				yield f"{full}+{hash_name}", lambda p, k=kind, b=bits, f=function, n=key_length, i=icv: separate(k, b, *p, f, n, i)


def octets(data):
	cells = [f"0x{octet:02x}" for octet in data]
	return ",\n\t\t\t\t".join(", ".join(cells[i:i + 12]) for i in range(0, len(cells), 12))


def table():
	text = ["/* Made by tests/vectors/known_answers.py, which says what the packets are; do not edit. */",
		'#include "dataplane/crypto/known_answer_table.h"', "", "/* clang-format off */",
		"const struct known_answer known_answer_table[] = {"]
	rows = list(suites())
	for name, function in rows:
		text.append(f'\t{{"{name}",')
		text.append("\t\t{" + ",\n\t\t\t".join("{" + octets(function(packet)) + "}" for packet in PACKETS) + "}},")
	return "\n".join(text + ["};", "/* clang-format on */", "", f"const unsigned known_answer_table_count = {len(rows)};", ""])


def main():
	text = table()
	if "--check" not in sys.argv[1:]:
		with open(TARGET, "w") as file:
			file.write(text)
		return 0
	with open(TARGET) as file:
		same = file.read() == text
	right = xcbc_is_right()
	print(f"{'ok' if same else 'not ok'} 1 - known answers are those of an independent implementation")
	print(f"{'ok' if right else 'not ok'} 2 - and that one makes the vectors of RFC 3566\n1..2")
	return 0 if same and right else 1


sys.exit(main())
