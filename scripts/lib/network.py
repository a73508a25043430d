"""Namespaces, links and processes for the demo and the end-to-end tests.

Everything is named after a prefix of this run, so that clean-up removes what this run made and nothing else. Processes
are stopped by the handle that started them. Sockets can be opened inside a namespace from here (setns of this thread),
so a test stays one program.
"""
import atexit
import ctypes
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

CLONE_NEWNET = 0x40000000
RECEIVE_BUFFER_FORCE = 33
# How often longer than said a wait lasts before it counts as failed: the times said are those of an idle machine, and a shared one is that
# much slower now and then. It costs nothing where all is well.
PATIENCE = 6
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
	"""What went wrong, in one sentence for the user."""


def run(*command, check=True, stdin=None):
	"""Runs a command to its end and returns what it printed."""
	result = subprocess.run(command, input=stdin, capture_output=True, text=True)
	if check and result.returncode:
		raise Failure(f"{' '.join(command)}: {(result.stderr or result.stdout).strip()}")
	return result.stdout


def wait_for(condition, what, seconds=10.0, every=0.02):
	"""Calls condition until it returns something true, and returns that. seconds: of an idle machine, see PATIENCE."""
	seconds *= PATIENCE
	deadline = time.monotonic() + seconds
	while True:
		value = condition()
		if value:
			return value
		if time.monotonic() > deadline:
			raise Failure(f"{what}: not within {seconds:g} s")
		time.sleep(every)


def lcores(count, turn=0, apart=False):
	"""A DPDK program's --lcores on processors that this one may use, by turns; all on one, or apart as far as there are more."""
	allowed = sorted(os.sched_getaffinity(0))
	return ",".join(f"{lcore}@{allowed[(turn + lcore * apart) % len(allowed)]}" for lcore in range(count))


class Process:
	"""A started program with its output in a file."""

	def __init__(self, name, command, log):
		self.name, self.log = name, log
		self.file = open(log, "wb")
		self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.file, stderr=subprocess.STDOUT,
			start_new_session=True)

	@property
	def pid(self):
		return self.process.pid

	def running(self):
		return self.process.poll() is None

	def output(self):
		with open(self.log, errors="replace") as file:
			return file.read()

	def expect(self, pattern, seconds=10.0, start=0):
		"""Waits for a line that matches; returns the match."""
		def look():
			match = re.compile(pattern, re.M).search(self.output(), start)
			if not match and not self.running():
				raise Failure(f"{self.name} ended with status {self.process.returncode}: {self.last_lines(4)}")
			return match
		return wait_for(look, f"{self.name} to print {pattern!r}", seconds)

	def last_lines(self, count=10):
		return " | ".join(self.output().strip().splitlines()[-count:])

	def terminate(self):
		if self.running():
			self.process.terminate()

	def kill(self):
		self.process.kill()
		self.process.wait()

	def stop(self, seconds=60.0):
		"""SIGTERM, and SIGKILL when that is not enough; the exit status."""
		if self.running():
			self.process.terminate()
			try:
				self.process.wait(seconds)
			except subprocess.TimeoutExpired:
				self.kill()
		self.file.close()
		return self.process.returncode


class Network:
	def __init__(self, prefix):
		self.prefix = f"{prefix}-{os.getpid()}"
		self.names = []
		self.processes = []
		self.directory = tempfile.mkdtemp(prefix=self.prefix + "-")
		self.keep = False
		self.closed = False
		atexit.register(self.close)
		for number in SIGNALS:
			signal.signal(number, self.interrupted)

	def interrupted(self, number, frame):
		for further in SIGNALS:  # one more must not leave half of it behind
			signal.signal(further, signal.SIG_IGN)
		print(f"interrupted by signal {number}: cleaning up", flush=True)
		self.close()
		os._exit(128 + number)

	def close(self):
		if self.closed or os.getpid() != int(self.prefix.rsplit("-", 1)[1]):
			return
		if threading.current_thread() is threading.main_thread():
			for number in SIGNALS:
				signal.signal(number, signal.SIG_IGN)
		self.closed = True
		for process in self.processes:
			process.terminate()
		for part in multiprocessing.active_children():
			part.kill()
			part.join()
		for process in reversed(self.processes):
			process.stop(15)
		for name in reversed(self.names):
			subprocess.run(["ip", "netns", "del", name], capture_output=True)
		if not self.keep:
			shutil.rmtree(self.directory, ignore_errors=True)

	def full(self, name):
		return f"{self.prefix}-{name}"

	def path(self, name):
		return os.path.join(self.directory, name)

	# ---- topology

	def namespace(self, *names, forward=False):
		for name in names:
			run("ip", "netns", "add", self.full(name))
			self.names.append(self.full(name))
			self.ip(name, "link set lo up")
			self.sysctl(name, "net.ipv4.ip_forward", int(forward))

	def sysctl(self, name, key, value):
		run("ip", "netns", "exec", self.full(name), "sysctl", "-q", "-w", f"{key}={value}")

	def ip(self, name, arguments, check=True):
		return run("ip", "-n", self.full(name), *arguments.split(), check=check)

	def exec(self, name, *command, check=True, stdin=None):
		return run("ip", "netns", "exec", self.full(name), *command, check=check, stdin=stdin)

	def nft(self, name, rules):
		self.exec(name, "nft", "-f", "-", stdin=rules)

	def link(self, name, interface, peer, peer_interface, mtu=1500):
		"""A veth pair whose ends finish their checksums and segments before they hand a packet over."""
		run("ip", "-n", self.full(name), "link", "add", interface, "mtu", str(mtu), "type", "veth", "peer", "name", peer_interface,
			"mtu", str(mtu), "netns", self.full(peer))
		for end, device in ((name, interface), (peer, peer_interface)):
			self.sysctl(end, f"net.ipv6.conf.{device}.disable_ipv6", 1)
			self.exec(end, "ethtool", "-K", device, "tx", "off", "gso", "off", "tso", "off", "gro", "off")
			self.ip(end, f"link set {device} up")

	def dataplane_end(self, name, interface):
		"""Leaves an interface to the dataplane: its packet tap sees each frame before the ingress hook drops it."""
		self.ip(name, f"link set {interface} arp off promisc on")
		self.nft(name, f"table netdev hp_{interface} {{\n chain in {{\n  type filter hook ingress device {interface} priority 0; "
			f"policy drop;\n }}\n}}\n")

	# ---- programs

	def start(self, where, name, *command):
		process = Process(name, ["ip", "netns", "exec", self.full(where), *map(str, command)], self.path(f"{name}.log"))
		self.processes.append(process)
		return process

	def enter(self, name):
		"""Moves this thread into a namespace; returns a descriptor of the one it left."""
		old = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
		new = os.open(f"/run/netns/{self.full(name)}", os.O_RDONLY)
		if libc.setns(new, CLONE_NEWNET):
			raise Failure(f"cannot enter namespace {name}: {os.strerror(ctypes.get_errno())}")
		os.close(new)
		return old

	def leave(self, old):
		if libc.setns(old, CLONE_NEWNET):
			raise Failure("cannot go back to the namespace of this run")
		os.close(old)

	def socket(self, name, *arguments):
		old = self.enter(name)
		try:
			return socket.socket(*arguments)
		finally:
			self.leave(old)


def deep(sock, octets=1 << 25):
	"""Room for what comes while this process does not run; beyond the machine's limit, which an unprivileged SO_RCVBUF keeps to."""
	sock.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_FORCE, octets)


def possible():
	"""None, or why namespaces cannot be made here."""
	if os.geteuid():
		return "needs root for network namespaces"
	name = f"hp-probe-{os.getpid()}"
	try:
		run("ip", "netns", "add", name)
		run("ip", "netns", "del", name)
		for tool in ("nft", "ethtool", "sysctl"):
			if not shutil.which(tool):
				return f"{tool} is not installed"
		if not os.path.exists("/dev/net/tun"):
			return "no /dev/net/tun"
	except (Failure, OSError) as error:
		return f"no network namespaces here: {error}"
	return None
