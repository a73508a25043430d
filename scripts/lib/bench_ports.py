"""Port to port: both daemons with 1,000,000 bindings, one worker, over the kind of port that testpmd is measured over.

The port replays a file of packets to and from random ones of the bindings (net_pcap, infinite_rx, which copies each packet into a
fresh mbuf) and frees what is sent. homeport-control holds the bindings and tells them to each dataplane anew. Cycles a packet are
the worker's processor time, in TSC cycles, for each packet it received: the port's own receive and transmit are in them.
"""
import json
import os
import random
import socket
import statistics
import struct
import subprocess
import tempfile
import time

import bench_testpmd as testpmd

SIZES = testpmd.SIZES
RUNS, RUN_S = 5, 1.0
BINDINGS = 1000000
MAC, GATEWAY_MAC = "02:00:00:00:00:01", "02:00:00:00:00:09"
AGENT, PEER, HOP = (192, 0, 2, 1), (203, 0, 113, 5), (192, 0, 2, 254)
COMMON = """
dataplane = {{
  socket = "{run}/dataplane.sock"; workers = 1; huge_pages = {huge}; file_prefix = "hp-bench-{pid}"; memory_mb = {memory};
  idle = "poll"; buffers = {buffers}; max_bindings = {bindings}; icmp_rate = 1;
  ports = ( {{ name = "port"; device = "net_pcap0,rx_pcap={run}/in.pcap,infinite_rx=1"; mac = "{mac}"; }} );
}};
control = {{ socket = "{run}/control.sock"; store = ""; kernel_mirror = false; log_level = "warning"; }};
instances = ( {{ name = "bench"; addresses = [ "192.0.2.1" ]; home_networks = ( {{ prefix = "10.0.0.0/8"; }} ); }} );
routes = ( {{ prefix = "0.0.0.0/0"; via = "192.0.2.254"; port = "port"; }} );
neighbors = ( {{ address = "192.0.2.254"; port = "port"; mac = "02:00:00:00:00:09"; }} );
"""


def home(n):
	return (10 << 24 | n * 2654435761 & 0xffffff).to_bytes(4, "big")


def care_of(n):
	return ((11 << 24) + n).to_bytes(4, "big")


def ipv4(source, destination, protocol, payload):
	header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, bytes(source), bytes(destination))
	return header[:10] + struct.pack("!H", testpmd.checksum(header)) + header[12:] + payload


def frame(direction, n, size):
	"""A frame of `size` octets, FCS not among them, for binding n."""
	room = size - 14 - 28 - (20 if direction == "in" else 0)
	udp = struct.pack("!HHHH", 9, 9, 8 + room, 0) + bytes(room)
	if direction == "in":
		packet = ipv4(care_of(n), AGENT, 4, ipv4(home(n), PEER, 17, udp))
	else:
		packet = ipv4(PEER, home(n) if direction == "out" else (203, 0, 114, n & 255), 17, udp)
	return bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0]) + packet


class Gateway:
	def __init__(self, build, huge, bindings):
		self.folder = tempfile.TemporaryDirectory(prefix="hp-bench-")
		self.run, self.build, self.bindings = self.folder.name, build, bindings
		self.dataplane = self.control = None
		common = COMMON.format(run=self.run, pid=os.getpid(), mac=MAC, huge=str(huge).lower(), bindings=bindings,
			buffers=4 * testpmd.PACKETS, memory=512)
		with open(f"{self.run}/dataplane.cfg", "w") as file:
			file.write(common)
		with open(f"{self.run}/control.cfg", "w") as file:
			file.write(common + "bindings = (\n")
			for n in range(bindings):
				file.write(f'{{home_address="{socket.inet_ntoa(home(n))}";care_of_address="{socket.inet_ntoa(care_of(n))}";}}'
					+ ("," if n + 1 < bindings else "") + "\n")
			file.write(");\n")
		self.control = self.start("control")

	def start(self, what):
		return subprocess.Popen([f"{self.build}/{what}/homeport-{what}", "--config", f"{self.run}/{what}.cfg"], stdout=subprocess.DEVNULL,
			stderr=open(f"{self.run}/{what}.log", "ab"))

	def ask(self, command):
		try:
			with socket.socket(socket.AF_UNIX) as s:
				s.settimeout(10)
				s.connect(f"{self.run}/control.sock")
				lines = s.makefile("rw")
				lines.readline()
				lines.write(json.dumps({"command": command}) + "\n")
				lines.flush()
				answer = json.loads(lines.readline())
				return answer.get("data") or answer.get("rows")
		except (OSError, ValueError):
			return None

	def dataplane_start(self, direction, size):
		generator = random.Random(7)
		testpmd.capture_frames(f"{self.run}/in.pcap",
			(frame(direction, generator.randrange(self.bindings), size - 4) for _ in range(testpmd.PACKETS)))
		self.dataplane = self.start("dataplane")
		deadline = time.monotonic() + 120
		while time.monotonic() < deadline:
			status = self.ask("show status") or {}
			if status.get("attached") and status.get("synchronised") and status.get("bindings") == self.bindings:
				return
			for process in (self.control, self.dataplane):
				if process.poll() is not None:
					raise RuntimeError(f"a daemon ended with status {process.returncode}")
			time.sleep(0.1)
		raise RuntimeError("control was not synchronised in 120 s")

	def worker_seconds(self):
		"""Processor time of the worker's thread."""
		tasks = f"/proc/{self.dataplane.pid}/task"
		for task in os.listdir(tasks):
			with open(f"{tasks}/{task}/comm") as file:
				if file.read().startswith("rte-worker"):
					with open(f"{tasks}/{task}/schedstat") as file:
						return int(file.read().split()[0]) / 1e9
		raise RuntimeError("no worker thread")

	def sample(self):
		return self.ask("show workers")[0], self.worker_seconds()

	def dataplane_stop(self):
		if self.dataplane:
			self.dataplane.terminate()
			self.dataplane.wait()
			self.dataplane = None

	def close(self):
		self.dataplane_stop()
		if self.control:
			self.control.terminate()
			self.control.wait()
		self.folder.cleanup()


def measure_one(gateway, direction, size, hz):
	"""Cycles a packet of each run; every packet must go the way that is measured."""
	gateway.dataplane_start(direction, size)
	values = []
	done = {"out": "encapsulated", "in": "decapsulated", "forward": "sent_port"}[direction]
	for _ in range(RUNS):
		before, seconds = gateway.sample()
		time.sleep(RUN_S)
		after, seconds_after = gateway.sample()
		packets = after["received_port"] - before["received_port"]
		if packets < 1000 or after[done] - before[done] < 0.99 * packets:
			raise RuntimeError(f"{direction}, {size} octets: of {packets} packets {after[done] - before[done]} were {done}")
		values.append((seconds_after - seconds) * hz / packets)
	gateway.dataplane_stop()
	return values


def measure(build, huge, hz, bindings=BINDINGS):
	"""Figures; none and a sentence when it cannot."""
	figures = []
	gateway = Gateway(build, huge, bindings)
	names = {"forward": "plain forwarding beside bindings", "out": "IP-in-IP encapsulation", "in": "IP-in-IP decapsulation"}
	try:
		for size in SIZES:
			for direction, name in names.items():
				values = measure_one(gateway, direction, max(size, 66) if direction == "in" else size, hz)
				figures.append({"figure": f"{name}, {bindings} bindings, {max(size, 66) if direction == 'in' else size} octets",
					"value": round(statistics.median(values), 1), "unit": "cycles", "low": min(values), "high": max(values)})
	except (RuntimeError, OSError, TypeError) as error:
		print(f"  not measured: {error}")
	finally:
		gateway.close()
	return figures
