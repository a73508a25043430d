"""Programs whose packet path is measured side by side: DPDK's testpmd, l3fwd and ipsec-secgw.

Every program gets the same ports: "net_pcap0" replays a file without end (infinite_rx: each packet is copied into a fresh mbuf) and
"net_null0" swallows what is sent to it. Its worker alone has the last processor; its cycles a packet are the processor time of
that thread, in TSC cycles, for each packet that the first port received, so the ports' own work is in them, and another process on the
processor is not. All the programs of a comparison are started first and then take turns: the one that is measured has its worker at
real-time priority, the others are stopped or wait for an idle processor. What shares the caches is thus the same for all of them.
"""
import itertools
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
RUNTIME = "/var/run/dpdk" if os.getuid() == 0 else os.path.join(os.environ.get("XDG_RUNTIME_DIR") or "/tmp", "dpdk")  # as DPDK's libraries have it
NUMBERS = itertools.count()


class Failure(Exception):
	pass


def possible():
	"""Whether there is what every comparison needs; says what is missing."""
	if shutil.which("dpdk-testpmd"):
		return True
	print("  port to port: skipped, no dpdk-testpmd (Debian's package dpdk)")
	return False


def examples(cached=False):
	"""Directory of ipsec-secgw and l3fwd, built where need be (`cached`: not built); None and a sentence when they are not to be had."""
	result = subprocess.run([os.path.join(ROOT, "scripts/lib/dpdk-examples"), *(["--cached"] if cached else [])], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
	if result.returncode:
		print("  no ipsec-secgw and l3fwd: " + (result.stderr.strip().splitlines() or ["not built yet"])[-1])
		return None
	return result.stdout.strip()


def thread_seconds(path):
	with open(path) as file:
		return int(file.read().split()[0]) / 1e9


class Worker:
	"""One program under measurement; subclasses start it and say how many packets it received and sent."""

	name = "?"
	stops = True  # it may be stopped while others are measured
	share = 1.0  # of a turn's seconds
	patient = True  # waits for a processor of its own; False: takes what it gets, for a quick run

	def __init__(self):
		self.process = self.thread = None

	def packets(self):
		"""(received, sent) since the start."""
		raise NotImplementedError

	def thread_find(self, comm=None):
		"""The thread whose name begins with `comm`; the main thread when none is given."""
		tasks = f"/proc/{self.process.pid}/task"
		for task in os.listdir(tasks) if comm else [str(self.process.pid)]:
			with open(f"{tasks}/{task}/comm") as file:
				if comm is None or file.read().startswith(comm):
					self.thread = int(task)
		if self.thread is None:
			raise Failure(f"{self.name} has no thread {comm}")

	def sample(self):
		"""(received, sent, processor seconds) of about one moment: taken again when the machine kept us from looking."""
		path = f"/proc/{self.process.pid}/task/{self.thread}/schedstat"
		for _ in range(20):
			start = time.monotonic()
			before = thread_seconds(path)
			received, sent = self.packets()
			after = thread_seconds(path)
			if time.monotonic() - start < 0.01:
				break
		return received, sent, (before + after) / 2

	def schedule(self, policy, priority):
		if not self.patient:
			return
		try:
			os.sched_setscheduler(self.thread, policy, os.sched_param(priority))
		except OSError:
			pass  # not allowed: other work on the processor costs time, not cycles

	def turn_begin(self):
		if self.stops:
			self.process.send_signal(signal.SIGCONT)
		self.schedule(os.SCHED_FIFO, 50)

	def turn_end(self):
		self.schedule(os.SCHED_IDLE, 0)
		if self.stops:
			self.process.send_signal(signal.SIGSTOP)

	def measure(self, seconds, hz):
		"""Cycles a packet over some seconds of the worker's processor time; every packet must get through."""
		self.turn_begin()
		try:
			time.sleep(0.1)
			received, sent, before = self.sample()
			deadline = time.monotonic() + 30 + 10 * seconds
			while True:  # whoever else has the processor at real-time priority makes us wait
				time.sleep(seconds)
				received_after, sent_after, after = self.sample()
				if received_after - received >= 1000 and (after - before >= 0.9 * seconds or not self.patient) or time.monotonic() > deadline:
					break
		finally:
			self.turn_end()
		count = received_after - received
		through = 0.5 if not self.patient else 0.97 if seconds >= 1 else 0.9  # the two are not counted in the same moment
		if count < 1000 or sent_after - sent < through * count:
			raise Failure(f"{self.name}: of {count} packets {sent_after - sent} got through{self.why()}")
		return (after - before) * hz / count

	def why(self):
		return ""

	def close(self):
		if self.process:
			self.process.send_signal(signal.SIGCONT)
			self.process.kill()
			self.process.wait()
			self.process = None


class Peer(Worker):
	"""A DPDK program with its telemetry socket, from which the ports' counters come."""

	comm = None  # of the measured thread: the main one

	def __init__(self, folder, huge, megabytes, lcores, arguments, devices=(), sink=True):
		super().__init__()
		self.prefix = f"hp-bench-{self.name}-{os.getpid()}-{next(NUMBERS)}"
		self.log = f"{folder}/{self.name}.log"
		self.ports = [0, 1] if sink else [0]
		command = [self.program, "-m", str(megabytes), "--no-pci", "--lcores", lcores, "--file-prefix", self.prefix]
		command += ["--in-memory"] if huge else ["--no-huge"]
		for device in (f"net_pcap0,rx_pcap={folder}/in.pcap,infinite_rx=1", *(["net_null0,no-rx=1"] if sink else []), *devices):
			command += ["--vdev", device]
		with open(self.log, "wb") as log:
			self.process = subprocess.Popen(command + ["--", *arguments], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
		self.telemetry = None
		try:
			self.wait()
		except BaseException:
			self.close()
			raise

	def wait(self, seconds=180):
		deadline = time.monotonic() + seconds
		while time.monotonic() < deadline:
			if self.process.poll() is not None:
				raise Failure(f"{self.name} ended: {self.why()}")
			try:
				if self.telemetry is None:
					s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
					s.settimeout(10)
					s.connect(f"{RUNTIME}/{self.prefix}/dpdk_telemetry.v2")
					s.recv(65536)
					self.telemetry = s
				if self.packets()[0] > 0:
					self.thread_find(self.comm)
					return
			except (OSError, ValueError, KeyError, TypeError):
				pass
			time.sleep(0.2)
		raise Failure(f"{self.name} did not begin in {seconds} s{self.why()}")

	def ask(self, command):
		self.telemetry.send(command.encode())
		return json.loads(self.telemetry.recv(1 << 20))

	def packets(self):
		received = sent = 0
		for port in self.ports:
			stats = self.ask(f"/ethdev/stats,{port}")["/ethdev/stats"]
			received += stats["ipackets"]
			sent += stats["opackets"]
		return received, sent

	def why(self):
		try:
			with open(self.log, errors="replace") as file:
				text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", file.read())
		except OSError:
			return ""
		lines = [line.strip() for line in text.splitlines() if re.search(r"(?i)cause|error|fail|invalid|panic|cannot", line)]
		return "; ".join([""] + lines[-2:])

	def close(self):
		super().close()
		if self.telemetry:
			self.telemetry.close()
		try:
			os.unlink(f"{RUNTIME}/{self.prefix}/dpdk_telemetry.v2")
			os.rmdir(f"{RUNTIME}/{self.prefix}")
		except OSError:
			pass


class Testpmd(Peer):
	"""mac mode: the cheapest thing that a DPDK program can do with a packet."""

	name, program, comm = "testpmd", "dpdk-testpmd", "rte-worker"

	def __init__(self, folder, huge, packets, loop=False):
		first, last = processors()
		super().__init__(folder, huge, 64 + packets * 5 // 2048 * 2, f"0@{first},1@{last}", ["--forward-mode=mac",
			f"--port-topology={'loop' if loop else 'chained'}", f"--total-num-mbufs={packets + 8192}", "--auto-start"], sink=not loop)


class L3fwd(Peer):
	"""Longest prefix match in a table of the prefixes of `rules`, as its files have them, IPv4 and IPv6."""

	name = "l3fwd"

	def __init__(self, folder, huge, packets, directory, rules):
		_, last = processors()
		self.program = f"{directory}/l3fwd"
		for version, prefixes in rules.items():
			with open(f"{folder}/rules-{version}", "w") as file:
				file.writelines(f"R{prefix} 0\n" for prefix in prefixes)
		super().__init__(folder, huge, 1024, f"0@{last}", ["-p", "1", "-P", "--config=(0,0,0)", "--parse-ptype",
			"--lookup=lpm", *(f"--rule_ip{version}={folder}/rules-{version}" for version in rules)], sink=False)


class Secgw(Peer):
	"""ipsec-secgw; port 0 is protected for what goes out, unprotected for what comes in."""

	name = "ipsec-secgw"

	def __init__(self, folder, huge, packets, directory, direction, configuration, mode):
		_, last = processors()
		driver, words = mode
		self.program = f"{directory}/ipsec-secgw"
		super().__init__(folder, huge, 1024, f"0@{last}",
			["-p", "3", "-u", "2" if direction == "out" else "1", "-P", "-s", str(packets + 16384), "--txoffload", "0",
				"--config=(0,0,0),(1,0,0)", "-f", configuration, *words], devices=[driver])


def processors():
	"""The one of main threads and the one of workers."""
	found = sorted(os.sched_getaffinity(0))
	return found[0], found[-1]


def alternate(workers, runs, seconds, hz):
	"""Median cycles a packet of each worker by name, with low and high: (median, low, high)."""
	values = {worker.name: [] for worker in workers}
	for worker in workers:
		worker.turn_end()
	for _ in range(runs):
		for worker in workers:
			try:
				cycles = worker.measure(seconds * worker.share, hz)
			except Failure as error:
				print(f"  once more: {error}", flush=True)
				cycles = worker.measure(seconds * worker.share, hz)
			values[worker.name].append(cycles)
	return {name: (statistics.median(found), min(found), max(found)) for name, found in values.items()}


def figure(values, context):
	"""What every row says of alternate(): homeport's figure, the others as its reference, testpmd as the source."""
	median, low, high = values["homeport"]
	others = {name: found for name, found in values.items() if name != "homeport"}
	return {"value": round(median, 1), "unit": "cycles", "cycles_per_packet": round(median, 1), "runs": context.runs, "spread": [round(low, 1), round(high, 1)],
		"source": round(values["testpmd"][0], 1), "reference": {name: round(found[0], 1) for name, found in others.items()},
		"reference_spread": {name: [round(found[1], 1), round(found[2], 1)] for name, found in others.items()}}
