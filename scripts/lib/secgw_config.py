#!/usr/bin/python3
"""The gateway's side of a profile of homeport-pktgen, in the words of DPDK's ipsec-secgw.

  scripts/lib/secgw_config.py GATEWAY_PART PORT=NUMBER=MAC ... > secgw.cfg

GATEWAY_PART is what `homeport-pktgen --gateway-config` wrote; PORT are the profile's ports with ipsec-secgw's numbers for them and the
generator's Ethernet addresses there. IPv4 tunnels of 32-bit sequence numbers without UDP (which it has for inline crypto alone), and few suites.
"""
import re
import sys

AEAD = {"aes128gcm16": "aes-128-gcm", "aes192gcm16": "aes-192-gcm", "aes256gcm16": "aes-256-gcm", "chacha20poly1305": "chacha20-poly1305"}
CIPHERS = {"null": ("null", 0), "aes128": ("aes-128-cbc", 16), "aes192": ("aes-192-cbc", 24), "aes256": ("aes-256-cbc", 32)}
HASHES = {"sha1": "sha1-hmac", "sha256": "sha256-hmac"}


def octets(text):
	return ":".join(text[at:at + 2] for at in range(0, len(text), 2))


def algorithm(name, key):
	if name in AEAD:
		return f"aead_algo {AEAD[name]} aead_key {octets(key)}"
	cipher, integrity = name.split("-")
	word, length = CIPHERS[cipher]
	secret = f" cipher_key {octets(key[:2 * length])}" if length else ""
	return f"cipher_algo {word}{secret} auth_algo {HASHES[integrity]} auth_key {octets(key[2 * length:])}"


def section(text, name):
	"""The rows of a list, each a dictionary of its scalar settings and first selectors."""
	body = re.search(rf"^{name} = \(\n(.*?)^\);", text, re.M | re.S).group(1)
	rows = []
	for row in re.findall(r"^  \{ (.*) \},?$", body, re.M):
		rows.append(dict(re.findall(r'(\w+) = (?:\[ )?"?([^";\]]+)"?', row)))
	return rows


def lines(text, ports):
	for sa in section(text, "security_associations"):
		if sa["esn"] != "false" or ":" in sa["local"] or sa.get("mode", "tunnel") != "tunnel" or "encap" in sa:
			raise SystemExit(f"{sa['name']}: only IPv4 tunnels without esn can be told to ipsec-secgw")
		inner, spi_in, spi_out = sa["remote_ts"], int(sa["spi_in"], 0), int(sa["spi_out"], 0)
		yield f"sp ipv4 out esp protect {spi_out} pri 1 dst {inner}/32 sport 0:65535 dport 0:65535"
		yield f"sp ipv4 in esp protect {spi_in} pri 1 src {inner}/32 sport 0:65535 dport 0:65535"
		for direction, spi, key, ends in (("out", spi_out, "key_out", (sa["local"], sa["remote"])), ("in", spi_in, "key_in", (sa["remote"], sa["local"]))):
			yield f"sa {direction} {spi} {algorithm(sa['algorithm'], sa[key])} mode ipv4-tunnel src {ends[0]} dst {ends[1]} type no-offload"
	for route in section(text, "routes"):
		yield f"rt ipv4 dst {route['prefix']} port {ports[route['port']][0]}"
	for number, mac in ports.values():
		yield f"neigh port {number} {mac}"


def main():
	if len(sys.argv) < 3 or any(word.count("=") != 2 for word in sys.argv[2:]):
		raise SystemExit(__doc__)
	with open(sys.argv[1]) as file:
		text = file.read()
	ports = {name: (number, mac) for name, number, mac in (word.split("=") for word in sys.argv[2:])}
	print("\n".join(lines(text, ports)))


if __name__ == "__main__":
	main()
