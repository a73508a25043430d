"""Transport mode between two gateways: who may have it, what it carries, a rekey, and GRE under a trap policy."""
import fcntl
import os
import select
import socket
import struct

import bed
import network as net
import traffic

INNER, INNER_B = "10.255.0.1", "10.255.0.2"
TUNSETIFF, TUN_WITHOUT_HEADER = 0x400454ca, 0x1001
GRE_OF_IPV4 = b"\0\0\x08\0"  # RFC 2784 2.1


class Gre(traffic.Part):
	"""One end of a GRE tunnel, a TUN device and a socket of protocol 47: not every kernel has GRE."""

	def __init__(self, network, where, local, remote, inner):
		super().__init__(network, where)
		self.local, self.remote, self.inner = local, remote, inner

	def body(self):
		tun = os.open("/dev/net/tun", os.O_RDWR)
		fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"gre-test", TUN_WITHOUT_HEADER))
		self.network.ip(self.where, f"addr add {self.inner}/30 dev gre-test")
		self.network.ip(self.where, "link set gre-test mtu 1400 up")
		moved = {"in": 0, "out": 0}
		with socket.socket(socket.AF_INET, socket.SOCK_RAW, 47) as gre:
			self.ready.set()
			while not self.end.is_set():
				for fd in select.select([tun, gre], [], [], 0.1)[0]:
					if fd == tun:
						packet = os.read(tun, 2048)
						if packet[0] >> 4 == 4:
							gre.sendto(GRE_OF_IPV4 + packet, (self.remote, 0))
							moved["out"] += 1
						continue
					packet = gre.recv(2048)
					payload = packet[(packet[0] & 15) * 4:]
					if packet[12:16] == socket.inet_aton(self.remote) and payload[:4] == GRE_OF_IPV4:
						os.write(tun, payload[4:])
						moved["in"] += 1
		return moved


def traffic_of(b):
	"""All frames between the gateways from now on."""
	wire = b.network.socket("internet", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
	wire.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
	wire.bind(("to-a", 0))
	wire.setblocking(False)
	return wire


def protocols(wire):
	seen = {}
	with wire:
		try:
			while True:
				protocol = wire.recv(64)[23]
				seen[protocol] = seen.get(protocol, 0) + 1
		except BlockingIOError:
			return seen


def children(side):
	trap = "start_action = trap" if side == "a" else ""
	return bed.child("tra", None, None, "aes128gcm16-esn", "mode = transport\nrekey_time = 1h") \
		+ bed.child("gre", "dynamic[gre]", "dynamic[gre]", "aes128gcm16-esn", f"mode = transport\nrekey_time = 1h\n{trap}")


def pair(b, gateway):
	return {row["direction"]: row for row in sorted(b.rows(gateway), key=lambda row: -(row["age_s"] or 0))}


def packets(b):
	return pair(b, b.a)["out"]["packets"], pair(b, b.b)["in"]["packets"]


def test_a_transport_association_between_the_gateways(b):  # TRN-11
	b.sides["a"].initiate("tra")
	rows = pair(b, b.a)
	assert rows["in"]["mode"] == rows["out"]["mode"] == "transport", rows
	assert rows["out"]["selectors"] == [{"local": bed.GATEWAY, "remote": bed.GATEWAY_B}], rows["out"]["selectors"]


def test_what_the_gateways_say_to_each_other_is_protected(b):
	before = packets(b)
	b.ping("gateway-a", bed.GATEWAY_B)
	b.ping("gateway-b", bed.GATEWAY)
	after = packets(b)
	assert after[0] - before[0] == after[1] - before[1] == 6, (before, after)


def test_a_rekey_keeps_the_protection(b):  # LIFE-08
	before = pair(b, b.a)["in"]["spi"]
	b.sides["b"].swanctl("--rekey", "--child", "tra")
	net.wait_for(lambda: pair(b, b.a)["in"]["spi"] != before, "a rekey", 10, 0.05)
	b.ping("gateway-a", bed.GATEWAY_B, count=5)
	b.end()


def test_gre_under_a_trap_policy(b):  # SPD-13, docs/ike.md
	ends = [Gre(b.network, *end).begin() for end in (("gateway-a", bed.GATEWAY, bed.GATEWAY_B, INNER), ("gateway-b", bed.GATEWAY_B, bed.GATEWAY, INNER_B))]
	wire = traffic_of(b)
	mark = b.sides["a"].mark()
	assert not b.reaches("gateway-a", INNER_B), "the first packet went out without an association"
	b.sides["a"].expect("creating acquire job for policy", 5, mark)
	net.wait_for(lambda: b.reaches("gateway-a", INNER_B), "GRE under IPsec", 10, 0.1)
	before = packets(b)
	b.ping("gateway-a", INNER_B, count=5, size=1200)
	b.ping("gateway-b", INNER, count=5)
	after = packets(b)
	assert after[0] - before[0] == after[1] - before[1] == 10, (before, after)
	b.tcp("gateway-a", INNER, "gateway-b", INNER_B)
	seen = protocols(wire)
	assert 47 not in seen and seen.get(50, 0) > 100, f"on the wire, by protocol: {seen}"
	for end in ends:
		moved = end.finish()
		assert not moved.get("error") and moved["in"] > 50 and moved["out"] > 50, moved
	b.end()


def test_one_that_is_not_allowed_is_refused(b):  # TRN-11, BAD-58
	with open(b.b.config) as file:
		text = file.read()
	with open(b.b.config, "w") as file:
		file.write(text.replace('transport = "peer";', 'transport = "listed";'))
	assert b.b.ctl("reload").returncode == 0, b.b.ctl("reload").stderr
	mark = b.sides["b"].mark()
	assert "completed successfully" not in b.sides["a"].initiate("tra", check=False, seconds=8)
	b.sides["b"].expect(r"homeport: (in|out)bound SA \w+ refused: unauthorised", 5, mark)
	net.wait_for(lambda: not b.rows(b.b), "nothing left at the gateway that refused", 15, 0.1)


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=bed.Site, children=children, keying='transport = "peer";')
