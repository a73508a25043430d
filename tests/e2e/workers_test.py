#!/usr/bin/python3
"""Several workers: devices with one queue (the others hand frames to the device's owner) and with one for each worker.

Both daemons, ports that replay packets without end (net_pcap, net_null), no namespaces, no huge pages. Traffic never stops: tables
change under it, control is killed under it, and the dataplane is ended with frames in every ring; then not one may be missing.

Usage: workers_test.py BUILD. TAP on standard output.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "scripts", "lib")]
sys.dont_write_bytecode = True
import bench_machine as machine  # noqa: E402
import network as net  # noqa: E402

try:
	from scapy.all import Ether, IP, UDP, Raw, wrpcap
except ImportError as problem:
	print(f"1..0 # SKIP no Scapy: {problem}")
	sys.exit(0)

BUILD = os.path.realpath(sys.argv[1] if len(sys.argv) > 1 else "build")
MACS = ("02:00:00:00:01:01", "02:00:00:00:02:01")  # ours, outside and inside
AGENT, CARE_OF, PEER = "192.0.2.1", "198.51.100.23", "203.0.113.5"
HOMES = 64
CONFIG = """
dataplane = {{
  socket = "{run}/dataplane.sock"; workers = {workers}; huge_pages = {huge}; file_prefix = "hp-workers-{pid}"; memory_mb = 256;
  max_bindings = 4096; buffers = 16384;
  ports = (
    {{ name = "outside"; device = "{outside}"; mac = "{macs[0]}"; zone = "external"; }},
    {{ name = "inside"; device = "{inside}"; mac = "{macs[1]}"; zone = "internal"; }}
  );
}};
control = {{ socket = "{run}/control.sock"; store = ""; kernel_mirror = false; log_level = "notice"; }};
instances = ( {{ name = "lab"; addresses = [ "192.0.2.1" ]; home_networks = ( {{ prefix = "10.1.0.0/16"; }} ); }} );
mobile_nodes = ( {{ home_address = "10.1.255.1"; security = ( {{ spi = 256; key = "0123456789abcdeffedcba9876543210"; }} ); }} );
routes = ( {{ prefix = "0.0.0.0/0"; via = "192.0.2.254"; port = "outside"; }}, {{ prefix = "10.2.0.0/16"; via = "10.9.0.2"; port = "inside"; }} );
neighbors = ( {{ address = "192.0.2.254"; port = "outside"; mac = "02:00:00:00:01:fe"; }},
  {{ address = "10.9.0.2"; port = "inside"; mac = "02:00:00:00:02:fe"; }} );
locals = ( {{ address = "10.9.0.1"; port = "inside"; }} );
bindings = ( {bindings} );
"""


class Bed:
	def __init__(self, workers, pcap, huge=False):
		self.folder = tempfile.TemporaryDirectory(prefix="hp-workers-")
		self.run, self.workers, self.huge = self.folder.name, workers, huge
		self.report = f"{self.run}/report.json"
		self.outside = f"net_pcap0,rx_pcap={self.run}/outside.pcap,infinite_rx=1" if pcap else "net_null0,size=128"
		self.inside = f"net_pcap1,rx_pcap={self.run}/inside.pcap,infinite_rx=1" if pcap else "net_null1,size=64"
		if pcap:
			self.packets()
		self.write(HOMES)
		self.dataplane, self.control = self.start("dataplane", "--exit-report", self.report), None

	def packets(self):
		"""From outside: tunnelled datagrams of the nodes to a host inside; from inside: its datagrams to them."""
		def datagram(source, destination, size):
			return IP(src=source, dst=destination) / UDP(sport=9, dport=9) / Raw(bytes(size))
		out, back = [], []
		for n in range(HOMES):
			home = f"10.1.0.{n + 1}"
			out.append(Ether(src="02:00:00:00:01:fe", dst=MACS[0]) / IP(src=CARE_OF, dst=AGENT, proto=4, id=n) / datagram(home, "10.2.0.7", 64 + n * 8))
			back.append(Ether(src="02:00:00:00:02:fe", dst=MACS[1]) / datagram("10.2.0.7", home, 64 + n * 8))
		wrpcap(f"{self.run}/outside.pcap", out)
		wrpcap(f"{self.run}/inside.pcap", back)

	def write(self, homes):
		bindings = ", ".join(f'{{ home_address = "10.1.0.{n + 1}"; care_of_address = "{CARE_OF}"; }}' for n in range(homes))
		with open(f"{self.run}/homeport.cfg", "w") as file:
			file.write(CONFIG.format(run=self.run, pid=os.getpid(), workers=self.workers, huge=str(self.huge).lower(), outside=self.outside, inside=self.inside, macs=MACS,
				bindings=bindings))
		os.chmod(f"{self.run}/homeport.cfg", 0o600)

	def start(self, what, *options):
		with open(f"{self.run}/{what}.log", "ab") as log:
			return subprocess.Popen([f"{BUILD}/{what}/homeport-{what}", "--config", f"{self.run}/homeport.cfg", *options], stdout=log, stderr=log)

	def start_control(self):
		self.control = self.start("control")
		net.wait_for(lambda: self.ask("show status", {}).get("synchronised"), "control to be synchronised", 60)

	def ask(self, command, otherwise=None):
		"""An answer's data, or its rows."""
		try:
			with socket.socket(socket.AF_UNIX) as s:
				s.settimeout(120)
				s.connect(f"{self.run}/control.sock")
				lines = s.makefile("rw")
				lines.readline()
				lines.write(json.dumps({"command": command}) + "\n")
				lines.flush()
				answer = json.loads(lines.readline())
				return answer["data"] if "data" in answer else answer["rows"]
		except (OSError, ValueError):
			if otherwise is None:
				raise
			return otherwise

	def counters(self):
		return self.ask("show workers")

	def moved(self, field, by, seconds=60):
		"""Waits until the sum of a counter has risen by so much."""
		first = sum(worker[field] for worker in self.counters())
		net.wait_for(lambda: sum(worker[field] for worker in self.counters()) >= first + by, f"{field} to rise by {by}", seconds)

	def reload(self, homes):
		self.write(homes)
		self.control.send_signal(signal.SIGHUP)
		net.wait_for(lambda: self.ask("show status")["bindings"] == homes, f"{homes} bindings", 20)

	def finish(self):
		"""Ends the dataplane under traffic; its own last count."""
		self.dataplane.send_signal(signal.SIGTERM)
		assert self.dataplane.wait(120) == 0, self.log("dataplane")
		self.control.send_signal(signal.SIGTERM)
		assert self.control.wait(120) == 0, self.log("control")
		with open(self.report) as file:
			return json.load(file)

	def log(self, what):
		with open(f"{self.run}/{what}.log") as file:
			return "".join(file.readlines()[-5:])

	def close(self):
		for process in (self.dataplane, self.control):
			if process and process.poll() is None:
				process.kill()
				process.wait()
		self.folder.cleanup()


def balanced(report):
	"""The conservation sum is exact over all workers, and the sums are those of the workers."""
	assert report["conservation"] == 0, report
	total = {}
	for worker in report["workers"]:
		for name, value in worker.items():
			if isinstance(value, int):
				total[name] = total.get(name, 0) + value
		for name, value in worker["drops"].items():
			total["dropped"] = total.get("dropped", 0) + value
	left = total["received_port"] + total["received_exception"] + total["received_inject"] + total["created"]
	right = total["sent_port"] + total.get("dropped", 0) + total["punted_control"] + total["punted_exception"] + total["joined"]
	right += total["held_reassembly"] + total["held_neighbor"]
	assert left == right, (left, right, report)
	return total


def test_hand_off(bed):
	"""Port 0 belongs to worker 0, port 1 to worker 1, worker 2 sleeps: every frame changes hands, both ways."""
	bed.start_control()
	bed.moved("sent_port", 20000)
	bed.reload(HOMES // 2)  # removals wait for the worker that sleeps as well
	bed.reload(HOMES)
	bed.control.kill()
	bed.control.wait()
	bed.start_control()
	bed.moved("sent_port", 20000)
	report = bed.finish()
	total, workers = balanced(report), report["workers"]
	assert workers[0]["decapsulated"] > 0 and workers[0]["encapsulated"] == 0, workers[0]
	assert workers[1]["encapsulated"] > 0 and workers[1]["decapsulated"] == 0, workers[1]
	assert workers[2]["received_port"] == 0 and workers[2]["sleeps"] > 0, workers[2]
	# Who sends is who owns: what worker 1 encapsulated left through worker 0's device.
	assert 0 < workers[0]["sent_port"] <= workers[1]["received_port"], workers
	assert 0 < workers[1]["sent_port"] <= workers[0]["received_port"], workers
	assert total["sent_port"] >= 40000, total


def test_two_workers_hand_over(bed):
	bed.start_control()
	bed.moved("sent_port", 20000)
	balanced(bed.finish())


def test_a_queue_for_each_worker(bed):
	"""net_null gives every worker a queue of each port; its frames are zeros, dropped under one name."""
	bed.start_control()
	for n in range(3):
		before = bed.counters()[n]["received_port"]
		net.wait_for(lambda: bed.counters()[n]["received_port"] > before + 1000, f"worker {n} to receive", 60)
	bed.reload(HOMES // 2)
	report = bed.finish()
	total = balanced(report)
	assert all(worker["received_port"] > 0 for worker in report["workers"]), report
	assert total["dropped"] == total["received_port"], total


def test_huge_pages(bed):
	"""The same in 2 MiB pages: packet memory and region take some while it runs, and all of them are free after it."""
	bed.start_control()
	bed.moved("sent_port", 20000)
	with open(f"/proc/{bed.dataplane.pid}/status") as file:  # its own: others may take and give back some meanwhile
		used = next(int(line.split()[1]) for line in file if line.startswith("HugetlbPages:"))
	assert used >= 128 * 2048, f"the dataplane has {used} KiB in huge pages"  # memory_mb = 256
	balanced(bed.finish())
	left = [name for name in os.listdir(machine.MOUNT) if name.startswith(f"hp-workers-{os.getpid()}")] if os.path.isdir(machine.MOUNT) else []
	assert not left, f"files of huge pages that no process has: {left}"


def tap_queues(network):
	"""A TAP has a queue for each worker and the kernel spreads flows over them: each worker receives, none receives all."""
	network.namespace("gateway")
	report, flows = network.path("report.json"), 600
	with open(network.path("tap.cfg"), "w") as file:
		file.write(f"""dataplane = {{ socket = "{network.path("dataplane.sock")}"; workers = 3; huge_pages = false; memory_mb = 128;
			buffers = 8192; max_bindings = 64; file_prefix = "{network.prefix}";
			ports = ( {{ name = "tap"; device = "net_tap0,iface=hptap"; }} ); }};""")
	dataplane = network.start("gateway", "dataplane", f"{BUILD}/dataplane/homeport-dataplane", "--config", network.path("tap.cfg"),
		"--exit-report", report)
	net.wait_for(lambda: os.path.exists(network.path("dataplane.sock")), "the dataplane to start", 30)
	network.ip("gateway", "link set hptap up")
	network.ip("gateway", "addr add 10.77.0.1/24 dev hptap")
	network.ip("gateway", "neigh add 10.77.0.2 lladdr 02:00:00:00:00:77 dev hptap")
	for _ in range(flows):  # a source port each
		with network.socket("gateway", socket.AF_INET, socket.SOCK_DGRAM) as sender:
			sender.sendto(bytes(100), ("10.77.0.2", 9))

	def read():
		"""Packets that the dataplane took from the kernel: the interface's sent ones."""
		with open(f"/proc/{dataplane.pid}/net/dev") as file:  # of its namespace
			return int(next(line for line in file if "hptap:" in line).split(":")[1].split()[9])
	net.wait_for(lambda: read() >= flows, "the dataplane to read the datagrams")
	status = dataplane.stop()
	assert status == 0, f"status {status}: {dataplane.last_lines(3)}"
	with open(report) as file:
		result = json.load(file)
	total, received = balanced(result), [worker["received_port"] for worker in result["workers"]]
	assert total["received_port"] >= flows, received
	assert all(flows / 10 < count < flows * 2 / 3 for count in received), received


def tap_queues_run(number):
	title, why = "a TAP queue for each worker", net.possible()
	if why:
		print(f"ok {number} - {title} # SKIP {why}", flush=True)
		return True
	network = net.Network("hp-workers")
	try:
		tap_queues(network)
		print(f"ok {number} - {title}", flush=True)
		return True
	except Exception as error:
		print(f"not ok {number} - {title}\n# {type(error).__name__}: {error}", flush=True)
		return False
	finally:
		network.close()


def huge_pages_run(number):
	"""The case, skipped where huge pages are not to be had; what the machine had of them is restored."""
	title = "huge pages"
	with machine.HugePages(pages=PAGES) as pages:
		free = machine.memory_kib("HugePages_Free")
		if free < PAGES:
			why = f"{free} of {PAGES} huge pages are free" + ("" if pages.count else f", {pages.why}")
			print(f"ok {number} - {title} # SKIP {why}", flush=True)
			return True
		return case_run(number, test_huge_pages, 2, True, True)


PAGES = 256
CASES = [(test_hand_off, 3, True), (test_two_workers_hand_over, 2, True), (test_a_queue_for_each_worker, 3, False)]


def case_run(number, test, workers, pcap, huge=False):
	title = test.__name__[5:].replace("_", " ")
	bed = None
	try:
		bed = Bed(workers, pcap, huge)
		test(bed)
		print(f"ok {number} - {title}", flush=True)
		return True
	except Exception as error:  # the others still run
		print(f"not ok {number} - {title}\n# {type(error).__name__}: {error}", flush=True)
		for what in ("dataplane", "control"):
			if bed and os.path.exists(f"{bed.run}/{what}.log"):
				print(f"# {what}: " + bed.log(what).replace("\n", f"\n# {what}: "))
		return False
	finally:
		if bed:
			bed.close()


def main():
	print(f"1..{len(CASES) + 2}", flush=True)
	good = [case_run(number, *case) for number, case in enumerate(CASES, 1)]
	good.append(huge_pages_run(len(CASES) + 1))
	good.append(tap_queues_run(len(CASES) + 2))
	return 0 if all(good) else 1


if __name__ == "__main__":
	sys.exit(main())
