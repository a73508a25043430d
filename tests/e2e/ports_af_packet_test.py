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


def raw_socket(bed, name):
	found = bed.network.socket("tester", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
	found.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE: what came is read when the sender is done
	found.bind((name, 0))
	found.setblocking(False)
	return found


def numbers_wait(right, count):
	"""Until IPv4 packets of so many different identifications came out of the gateway on the right, from 0 on."""
	seen = set()

	def all_there():
		try:
			while True:
				frame = right.recv(2048)
				if frame[6:12] == bytes.fromhex(GATEWAY_MACS["right"].replace(":", "")) and frame[12:14] == b"\x08\x00":
					seen.add(int.from_bytes(frame[18:20], "big"))
		except BlockingIOError:
			return seen >= set(range(count))
	net.wait_for(all_there, f"{count} packets", 20)


def test_any_program_with_a_socket(bed):
	left, right = raw_socket(bed, "left"), raw_socket(bed, "right")
	before = bed.gateway_counts()
	for n in range(100):
		left.send(bytes(Ether(src=MACS["left"], dst=GATEWAY_MACS["left"]) / IP(src="203.0.113.1", dst="10.1.0.5", id=n)
			/ UDP(sport=9, dport=9) / Raw(bytes(100))))
	numbers_wait(right, 100)
	bed.settle(before, received=100, sent=100)


def test_trafgen(bed):
	"""A generator of somebody else's; the command is that of docs/pktgen.md."""
	if not shutil.which("trafgen"):
		raise net.Failure("trafgen is not installed (Debian's package netsniff-ng)")
	with open(os.path.join(HERE, "..", "..", "docs", "pktgen.md")) as file:
		command, = re.findall(r"^\t(trafgen .*\n(?:\t\t.*\n)*)", file.read(), re.M)
	command = re.sub(r"\\\n\t*", "", command).replace("02:00:00:00:00:01", MACS["left"]).replace("02:00:00:00:01:01", GATEWAY_MACS["left"])
	right, before = raw_socket(bed, "right"), bed.gateway_counts()
	net.run("ip", "netns", "exec", bed.network.full("tester"), "sh", "-c", command)
	numbers_wait(right, 1000)
	bed.settle(before, received=1000, sent=1000)


main(AfPacketBed, test_any_program_with_a_socket=test_any_program_with_a_socket, test_trafgen=test_trafgen)
