#!/usr/bin/python3
"""What scripts/bench tells ipsec-secgw of a case of ESP, and the packets that both gateways are to open."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../../scripts/lib"))
import bench_esp  # noqa: E402
import bench_esp_case as esp  # noqa: E402

try:
	from cryptography.exceptions import InvalidTag
	from cryptography.hazmat.primitives import hashes, hmac
	from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes
except ImportError:
	aead = None

HEADER = 14 + 20


def opened(suite, packet, key):
	"""What is in an ESP packet, trailer included."""
	if suite in (esp.GCM, esp.CHACHA):
		kind = aead.AESGCM if suite is esp.GCM else aead.ChaCha20Poly1305
		return kind(key[:-4]).decrypt(key[-4:] + packet[8:16], packet[16:], packet[:8])
	kind, octets = (hashes.SHA1(), 12) if suite is esp.CBC_SHA1 else (hashes.SHA256(), 16)
	icv = hmac.HMAC(key[16:], kind)
	icv.update(packet[:-octets])
	if icv.finalize()[:octets] != packet[-octets:]:
		raise InvalidTag
	return Cipher(algorithms.AES(key[:16]), modes.CBC(packet[8:24])).decryptor().update(packet[24:-octets])


class EspTest(unittest.TestCase):
	def test_udp_stands_behind_a_type_that_takes_it_and_nobody_opens_it(self):
		case = esp.Case("out", 2, udp=True)
		kinds = {bench_esp.MODES[mode][0] for mode in bench_esp.modes_of(case)}
		self.assertEqual((kinds, bench_esp.modes_of(esp.Case("in", 2, udp=True))), ({"inline-crypto-offload"}, []))
		words = [line.split() for line in esp.secgw_lines(case, *kinds) if line.startswith("sa ")]
		self.assertEqual(({tuple(line[-3:]) for line in words}, len(words)), ({("type", "inline-crypto-offload", "udp-encap")}, 4))
		self.assertNotIn("udp-encap", "".join(esp.secgw_lines(esp.Case("out", 2), "no-offload")))

	@unittest.skipUnless(aead, "no python3-cryptography")
	def test_packets_open_with_the_keys_of_their_peer_alone(self):
		for suite, octets in ((esp.GCM, 120), (esp.CHACHA, 120), (esp.CBC_SHA1, 136), (esp.CBC_SHA256, 140)):
			frame = next(esp.frames(esp.Case("in", 1, suite=suite), 64))
			self.assertEqual(len(frame), 14 + octets, suite)
			text = opened(suite, frame[HEADER:], esp.keys(suite, 0)[0])
			self.assertEqual((text[0], len(text) % suite.block, text[-1], text[-2]), (0x45, 0, 4, len(text) - 66), suite)
			with self.assertRaises(InvalidTag):
				opened(suite, frame[HEADER:], esp.keys(suite, 1)[0])

	@unittest.skipUnless(aead, "no python3-cryptography")
	def test_in_udp_only_the_udp_header_is_more(self):
		plain, udp = (next(esp.frames(esp.Case("in", 1, udp), 64)) for udp in (False, True))
		self.assertEqual((udp[HEADER + 8:], udp[HEADER:HEADER + 6].hex()), (plain[HEADER:], "119411940" + f"{len(plain) - HEADER + 8:03x}"))

	def test_figures_say_what_was_measured(self):
		self.assertEqual(esp.Case("in", 1, True).text(64), "ESP in in UDP, AES-128-GCM, 64 octets, 1 SA, port to port")
		self.assertEqual(esp.Case("out", 100, suite=esp.CBC_SHA1).text(), "ESP out, AES-CBC/128+HMAC-SHA1-96, 100 SAs, port to port")


if __name__ == "__main__":
	unittest.main()
