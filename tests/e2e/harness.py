"""The end-to-end tests' bench: both daemons in one namespace, Scapy on the wires at either side.

    outside ("wan", router 192.0.2.254) ── ext [gateway 192.0.2.1] int ── home ("lan", correspondent 10.1.0.5)

The kernels of `outside` and `home` answer ARP for the router and the correspondent; all else is sent and read here, frame by frame.
A test file has functions test_*(bed), run in order and told in TAP; after them every file gets two more: the
conservation sum is exact and both daemons end well, and tshark finds nothing wrong in any frame that we sent.
"""
import os
import select
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "..", "scripts", "lib")]
sys.dont_write_bytecode = True

import cases  # noqa: E402
import network as net  # noqa: E402
import programs  # noqa: E402

try:
	from scapy.all import ARP, Ether, ICMP, IP, UDP, Raw, wrpcap  # noqa: E402,F401
	import mip4_scapy as mip  # noqa: E402
except ImportError as problem:
	print(f"1..0 # SKIP no Scapy: {problem}")
	sys.exit(0)

SO_TIMESTAMPNS = 35
AGENT, ROUTER = "192.0.2.1", "192.0.2.254"
CORRESPONDENT, HOME_PREFIX = "10.1.0.5", "10.1.0.0/16"
HOME_ADDRESS, CARE_OF = "10.1.0.10", "198.51.100.23"
PRIVATE, NAT, NAT_PORT = "192.168.1.23", "203.0.113.7", 40007
NAI, SPI, KEY = "mn1@example.com", 256, "0123456789abcdeffedcba9876543210"
NODES = [
	dict(nai=NAI, home_address=HOME_ADDRESS, spi=SPI, key=KEY),
	dict(nai="mn2@example.com", home_address="10.1.0.11", spi=257, key="00112233445566778899aabbccddeeff"),
]


class Wire:
	"""Our end of one of the gateway's links."""

	def __init__(self, bed, where, interface, gateway_tap):
		self.bed, self.where, self.interface, self.tap = bed, where, interface, gateway_tap
		self.sock = bed.network.socket(where, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
		net.deep(self.sock)
		self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
		self.sock.bind((interface, 0))
		self.mac = bed.network.exec(where, "cat", f"/sys/class/net/{interface}/address").strip()
		self.seen = []
		self.all = []  # what the gateway sent, for tshark

	@property
	def gateway_mac(self):
		return self.bed.network.exec("gateway", "cat", f"/sys/class/net/{self.tap}/address").strip()

	def frame(self, packet):
		return bytes(Ether(src=self.mac, dst=self.bed.macs[self.tap]) / packet)

	def send(self, packet):
		"""An IP packet to the gateway, or a whole frame."""
		self.sock.send(bytes(packet) if isinstance(packet, Ether) else self.frame(packet))

	def read(self):
		"""Takes in what is waiting; only frames from the gateway."""
		while select.select([self.sock], [], [], 0)[0]:
			data, extra, _, address = self.sock.recvmsg(65536, 128)
			if address[2] == socket.PACKET_OUTGOING:
				continue
			if data[6:12] == bytes.fromhex(self.bed.macs[self.tap].replace(":", "")):
				packet = Ether(data)
				seconds, nanoseconds = struct.unpack_from("qq", extra[0][2])  # when the kernel had it
				packet.time = seconds + nanoseconds / 1e9
				packet.at = seconds * 10 ** 9 + nanoseconds
				self.seen.append(packet)
				self.all.append(packet)

	def expect(self, match, what, seconds=3.0):
		"""Waits for a frame from the gateway that matches, takes it out and returns it."""
		def look():
			self.read()
			for index, packet in enumerate(self.seen):
				if match(packet):
					return self.seen.pop(index)
			return None
		return net.wait_for(look, what, seconds, 0.002)

	def nothing(self, match, seconds=0.5):
		"""Asserts that no such frame comes within a while."""
		end = time.monotonic() + seconds
		while time.monotonic() < end:
			self.read()
			for packet in self.seen:
				assert not match(packet), f"unexpected: {packet.summary()}"
			time.sleep(0.01)

	def clear(self):
		self.read()
		self.seen.clear()


class Bed:
	def __init__(self, build, **settings):
		self.network = net.Network("hp-e2e")
		n = self.network
		n.namespace("gateway", "outside", "home")
		n.link("outside", "wan", "gateway", "ext")
		n.link("home", "lan", "gateway", "int")
		n.ip("outside", f"addr add {ROUTER}/24 dev wan")
		n.ip("home", f"addr add {CORRESPONDENT}/16 dev lan")
		for where in ("outside", "home"):  # the kernel there does ARP only
			n.nft(where, "table ip hp {\n chain in {\n  type filter hook input priority 0; policy drop;\n }\n}\n")
		for interface in ("ext", "int"):
			n.dataplane_end("gateway", interface)
		# Tests register faster than nodes do; what limits them has a test of its own.
		settings = {"nodes": NODES, "instance": "node_rate = 0; police_endpoint_rate = 1000; police_endpoint_burst = 1000; "
			"auth_failure_reply_rate = 1000; nat_move_limit = 0;", **settings}
		self.gateway = programs.Gateway(n, "gateway", build, agent=AGENT,
			ports=[("ext", "external", "hpext", f"{AGENT}/24", None), ("int", "internal", "hpint", "10.1.0.1/16", HOME_PREFIX)],
			routes=[f"default via {ROUTER} dev hpext"], **settings)
		self.macs = {}
		self.stopped = False
		self.clock = 0

	def forget(self):
		"""What was caught so far; once all has ended it stays for the second reader."""
		if not self.stopped:
			self.outside.clear()
			self.home.clear()

	def start(self):
		self.gateway.start()
		self.learn_macs()
		self.outside = Wire(self, "outside", "wan", "hpext")
		self.home = Wire(self, "home", "lan", "hpint")

	def learn_macs(self):
		for tap in ("hpext", "hpint"):
			self.macs[tap] = self.network.exec("gateway", "cat", f"/sys/class/net/{tap}/address").strip()

	# ---- registrations

	def identification(self):
		"""Now, and never the same twice."""
		self.clock += 1
		now = time.time()
		return mip.identification(now, (int(now % 1 * (1 << 32)) & 0xffff0000) | self.clock & 0xffff)

	def request(self, node=NODES[0], care_of=CARE_OF, lifetime=600, extra=b"", identification=None, key=None, nai=False, home=None,
			**flags):
		flags = {"D": 1, "T": 1, **flags}
		message = bytes(mip.Request(lifetime=lifetime, home_address=home or node["home_address"], home_agent=AGENT,
			care_of=care_of, identification=identification or self.identification(), **flags))
		if nai:
			message += bytes(mip.Extension(type=131, data=node["nai"].encode()))
		return mip.authenticate(message + bytes(extra), node["spi"], bytes.fromhex(key or node["key"]))

	def send_request(self, message, source=CARE_OF, sport=5434):
		self.outside.send(IP(src=source, dst=AGENT) / UDP(sport=sport, dport=mip.PORT) / Raw(message))

	def reply(self, message, seconds=3.0):
		"""The reply to a request, as a packet."""
		low = message[20:24]
		return self.outside.expect(lambda p: mip.is_message(p, 3) and bytes(p[UDP].payload)[16:20] == low,
			"registration reply", seconds)

	def expected_reply(self, message, node=NODES[0], code=0, lifetime=600, extra=b"", identification=None):
		"""The bytes that the home agent must answer with."""
		head = bytes(mip.Reply(code=code, lifetime=lifetime, home_address=node["home_address"], home_agent=AGENT,
			identification=identification if identification is not None else int.from_bytes(message[16:24], "big")))
		return mip.authenticate(head + bytes(extra), node["spi"], bytes.fromhex(node["key"]))

	def register(self, node=NODES[0], source=CARE_OF, sport=5434, **fields):
		"""Registers, checks for code 0 and returns (request, reply payload)."""
		message = self.request(node, **fields)
		self.send_request(message, source, sport)
		payload = bytes(self.reply(message)[UDP].payload)
		assert payload[1] == 0, f"registration answered with code {payload[1]}"
		return message, payload

	def drops(self):
		"""Counters by drop reason."""
		return {row["reason"]: row["packets"] for row in self.gateway.ask("show", "drops")}

	def dropped(self, reason, before=0, seconds=3.0):
		return net.wait_for(lambda: self.drops().get(reason, 0) > before, f"drop counted as {reason}", seconds)

	# ---- what every file ends with

	def finish(self):
		if self.stopped:
			return
		self.stopped = True
		wrong = self.gateway.finish()
		assert not wrong, "; ".join(wrong)

	def second_reader(self):
		"""tshark reads every frame the gateway sent, all checksums checked."""
		self.outside.read()
		self.home.read()
		frames = self.outside.all + self.home.all
		assert frames, "the gateway sent nothing"
		capture = self.network.path("sent.pcap")
		wrpcap(capture, frames)
		bad = "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0 || _ws.expert.group == 0x07000000"
		result = subprocess.run(["tshark", "-n", "-r", capture, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y", bad],
			capture_output=True, text=True)
		assert result.returncode == 0, result.stderr.strip()
		assert not result.stdout.strip(), f"tshark complains: {result.stdout.strip()[:400]}"


def main(tests, build=None, bed_class=Bed, **settings):
	"""Runs the test functions of a file; exit status 0 or 1; skipped where namespaces cannot be made."""
	build = build or os.environ.get("HOMEPORT_BUILD") or (sys.argv[1] if len(sys.argv) > 1 else "build")
	why = net.possible()
	if why:  # TAP's way to say skipped
		print(f"1..0 # SKIP {why}")
		sys.exit(0)
	case_list = cases.functions(tests)
	case_list += [("the conservation sum is exact and both daemons end well", Bed.finish),
		("tshark reads every frame that was sent without complaint", bed_class.second_reader)]
	bed = None
	try:
		bed = bed_class(build, **settings)
		bed.start()
	except (net.Failure, OSError) as error:
		print(f"1..1\nnot ok 1 - start: {error}")
		show_logs(bed)
		sys.exit(1)
	print(f"1..{len(case_list)}", flush=True)
	bad = cases.run(case_list, bed, bed.forget)
	if bad:
		show_logs(bed)
	bed.network.close()
	sys.exit(1 if bad else 0)


def show_logs(bed):
	cases.show_output(bed.network.processes if bed else [])
