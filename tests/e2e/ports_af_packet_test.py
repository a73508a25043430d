"""The gateway on af_packet ports over veth, driven by homeport-pktgen, by testpmd and by a program with a plain packet socket."""
from ports_bed import *  # noqa: F403

import socket

from scapy.all import Ether, IP, UDP, Raw


class AfPacketBed(PortsBed):
	def gateway_devices(self):
		n = self.network
		for name in ("left", "right"):
			n.link("tester", name, "gateway", f"gw-{name}")
			n.dataplane_end("gateway", f"gw-{name}")
			n.dataplane_end("tester", name)
		return {name: f"net_af_packet{i},iface=gw-{name},framecnt=4096" for i, name in enumerate(("left", "right"))}

	def tester_devices(self):
		return [f"--vdev=net_af_packet{i},iface={name},framecnt=4096" for i, name in enumerate(("left", "right"))]


def test_any_program_with_a_socket(bed):
	sockets = {}
	for name in ("left", "right"):
		sockets[name] = bed.network.socket("tester", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
		sockets[name].bind((name, 0))
		sockets[name].setblocking(False)
	before = bed.gateway_counts()
	for n in range(100):
		sockets["left"].send(bytes(Ether(src=MACS["left"], dst=GATEWAY_MACS["left"]) / IP(src="203.0.113.1", dst="10.1.0.5", id=n)
			/ UDP(sport=9, dport=9) / Raw(bytes(100))))
	seen = set()

	def all_there():
		try:
			while True:
				frame = sockets["right"].recv(2048)
				if frame[6:12] == bytes.fromhex(GATEWAY_MACS["right"].replace(":", "")) and frame[12:14] == b"\x08\x00":
					seen.add(int.from_bytes(frame[18:20], "big"))
		except BlockingIOError:
			return len(seen) == 100
	net.wait_for(all_there, "100 packets", 5)
	bed.settle(before, received=100, sent=100)


main(AfPacketBed, test_any_program_with_a_socket=test_any_program_with_a_socket)
