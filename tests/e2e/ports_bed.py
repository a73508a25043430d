"""The gateway on virtual ports without a kernel side, and who drives it there: homeport-pktgen, testpmd, or any other generator.

    left  (mobile side)  ── [gateway 192.0.2.1 | 10.1.255.1] ──  right (correspondents)
"""
from pktgen_bed import *  # noqa: F403
from pktgen_bed import main as pktgen_main

import shutil
import time

AGENT, INSIDE = "192.0.2.1", "10.1.255.1"
MACS = {"left": "02:00:00:00:00:01", "right": "02:00:00:00:00:02"}  # the generator's
GATEWAY_MACS = {"left": "02:00:00:00:01:01", "right": "02:00:00:00:01:02"}
ENDS = {"left": ("192.0.2.254", AGENT), "right": ("10.1.255.254", INSIDE)}


def ports_text(gateway_macs=None):
	macs = gateway_macs or GATEWAY_MACS
	return "ports = ( " + ", ".join(f'{{ name = "{n}"; address = "{ENDS[n][0]}"; gateway = "{ENDS[n][1]}"; mac = "{MACS[n]}"; '
		f'gateway_mac = "{macs[n]}"; }}' for n in ("left", "right")) + " );\n"


def profile(packets, rate=1000):
	rows = {"access": "left", "core": "right", "nodes": 5, "correspondents": 3, "correspondent": "10.1.0.5", "agent": AGENT}
	groups = [profile_group("plain", **rows, node="203.0.113.1"),
		profile_group("esp", **rows, encapsulation="esp", node="10.20.0.1", care_of="198.51.100.1"),
		profile_group("udp", **rows, encapsulation="esp", node="10.20.1.1", care_of="198.51.101.1",
			security=dict(encap=True, algorithm="aes256-sha512", spi_up=0x1000, spi_down=0x2000)),
		profile_group("ipip", **rows, encapsulation="ipip", node="10.10.0.1", care_of="198.51.102.1")]
	return (f'seed = 3; progress_ms = 0; sleep_us = 50; buffers = 8192; queue_size = 1024;\n{ports_text()}groups = ( {", ".join(groups)} );\n'
		f'traffic = {{ rate = {rate}; packets = {packets}; duration_ms = 60000; warm_up_ms = 500; drain_ms = 3000; sizes = [64, 300, 1400]; }};\n')


class Gateway(programs.Gateway):
	devices = {}
	sections = ""

	def text(self):
		head = super().text()
		head = head[:head.index("mobile_nodes = (")].replace("kernel_mirror = true", "kernel_mirror = false")
		start, end = head.index("  ports = ("), head.index("control = {")
		ports = ",\n".join(f'    {{ name = "{n}"; device = "{d}"; mac = "{GATEWAY_MACS[n]}"; zone = "{"external" if n == "left" else "internal"}";'
			f' queue_size = 1024; }}' for n, d in self.devices.items())
		return head[:start] + f"  ports = (\n{ports}\n  );\n}};\n" + head[end:] + self.sections


class PortsBed(PktgenBed):
	def __init__(self, build):
		super().__init__(build)
		n = self.network
		n.namespace("gateway", "tester")
		self.gateway = Gateway(n, "gateway", build, agent=AGENT, nodes=[], ports=[], virtual=["10.10.0.0/16"],
			dataplane="max_security_associations = 64; max_policies = 128;", instance="node_rate = 0;")
		self.text = profile(1000)
		self.gateway.sections = self.offline(self.text, "--gateway-config", "-").stdout
		self.gateway.devices = self.gateway_devices()
		self.gateway.start()

	# ---- what the three kinds of ports differ in

	def gateway_devices(self):
		raise NotImplementedError

	def tester_devices(self):
		raise NotImplementedError

	# ---- what a generator did and what the gateway says

	def gateway_counts(self):
		c = self.gateway.counters()["conservation"]
		return {k: c[k] for k in ("received", "sent", "dropped", "punted")}

	def moved(self, before):
		return {k: v - before[k] for k, v in self.gateway_counts().items()}

	def settle(self, before, **wanted):
		"""Waits until the counters have moved by exactly so much."""
		net.wait_for(lambda: {k: self.moved(before)[k] for k in wanted} == wanted, f"gateway {wanted}, not {self.moved(before)}", 5)

	def still(self):
		before = self.gateway_counts()
		time.sleep(0.5)
		return not any(self.moved(before).values())

	def testpmd(self, device, *options):
		"""testpmd with one port in the tester's place, started."""
		program = shutil.which("dpdk-testpmd")
		if not program:
			raise net.Failure("dpdk-testpmd is not installed")
		self.runs += 1
		return Testpmd(["ip", "netns", "exec", self.network.full("tester"), "stdbuf", "-oL", program, "--lcores", net.lcores(2, self.runs),
			"--no-huge", "-m", "256", "--no-pci", "--no-telemetry", f"--file-prefix={self.network.prefix}-{self.runs}", device, "--",
			"-i", "--total-num-mbufs=4096", "--no-flush-rx", "--rxd=1024", "--txd=1024", *options], self.path(f"testpmd-{self.runs}.log"))

	@staticmethod
	def read(path):
		with open(path, errors="replace") as file:
			return file.read()


class Testpmd:
	def __init__(self, command, log):
		self.log = log
		with open(log, "w") as out:
			self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, text=True)
		net.wait_for(lambda: "testpmd>" in self.text() or self.process.poll() is not None, "testpmd's prompt", 20)

	def text(self):
		return PortsBed.read(self.log)

	def say(self, word):
		self.process.stdin.write(word + "\n")
		self.process.stdin.flush()

	def counts(self, word="show fwd stats all"):
		"""What it received and sent since it started."""
		length = len(self.text())
		self.say(word)
		pattern = re.compile(r"Forward statistics for port 0 .*?\n\s+RX-packets: (\d+).*?\n\s+TX-packets: (\d+)", re.S)
		found = net.wait_for(lambda: pattern.search(self.text(), length), "testpmd's statistics", 10)
		return int(found[1]), int(found[2])

	def clear(self):
		"""From now on it counts from 0: it has answered behind that."""
		self.say("clear fwd stats all")
		self.counts()

	def end(self):
		if self.process.poll() is None:
			self.say("quit")
			try:
				self.process.wait(60)
			except subprocess.TimeoutExpired:
				self.process.kill()
				self.process.wait()
		return self.process.returncode


# ---- the tests, the same on every kind of port

def test_homeport_pktgen(bed):
	before = bed.gateway_counts()
	report = bed.run(bed.text, bed.tester_devices(), where="tester")
	bed.perfect(report, 1000)
	registrations = report["registrations"]
	assert registrations["accepted"] == 5, registrations
	# Replies that leave before the gateway has seen the link come up are dropped, and asked for again.
	replies = registrations["accepted"] + registrations["unmatched"]
	warm = report["warm_up"]
	bed.settle(before, sent=1000 + replies + warm["received"], dropped=registrations["requests"] - replies + warm["lost"],
		punted=registrations["requests"])


def test_testpmd(bed):
	"""One testpmd sends 16 bursts of UDP from the left, another takes them on the right: all three counts are one."""
	left, right = bed.tester_devices()
	receiver = bed.testpmd(right, "--forward-mode=rxonly")
	sender = bed.testpmd(left, "--forward-mode=rxonly", "--tx-ip=203.0.113.1,10.1.0.5", "--eth-peer=0," + GATEWAY_MACS["left"],
		"--burst=16", "--txpkts=100")
	try:
		receiver.say("start")
		sender.say("start tx_first 1")
		before = bed.gateway_counts()

		def both_links_work():
			receiver.clear()
			sender.say("stop")
			sender.say("start tx_first 1")
			time.sleep(0.1)
			return receiver.counts()[0] >= 16
		net.wait_for(both_links_work, "the gateway to see both links", 20)
		sender.say("stop")
		net.wait_for(lambda: bed.still(), "quiet", 10)
		before = bed.gateway_counts()
		receiver.clear()
		sender.say("start tx_first 16")
		net.wait_for(lambda: bed.moved(before)["received"] >= 256, "256 packets at the gateway", 10)
		net.wait_for(lambda: receiver.counts()[0] >= 256, "256 packets at the receiver", 10)
		received, sent, counts = receiver.counts("stop")[0], sender.counts("stop")[1], bed.moved(before)
	finally:
		status = [sender.end(), receiver.end()]
	print(f"# testpmd sent {sent}, the gateway {counts}, testpmd received {received}")
	assert status == [0, 0], status
	assert sent == counts["received"] == counts["sent"] == received == 256, (sent, counts, received)


def test_the_gateway_conserves_every_packet(bed):
	wrong = bed.gateway.finish()
	assert not wrong, "; ".join(wrong)


def main(bed_class, **more):
	tests = {name: test for name, test in globals().items() if name.startswith("test_")}
	last = tests.pop("test_the_gateway_conserves_every_packet")
	pktgen_main({**tests, **more, "test_the_gateway_conserves_every_packet": last}, bed_class=bed_class)
