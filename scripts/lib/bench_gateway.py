"""Our two daemons as one of the programs that bench_peers measures: homeport-control holds the tables, homeport-dataplane has the worker."""
import json
import os
import re
import socket
import subprocess
import time

import bench_peers as peers

COMMON = """
dataplane = {{
  socket = "{run}/dataplane.sock"; workers = 1; lcores = "0@{first},1@{last}"; huge_pages = {huge}; file_prefix = "hp-bench-{pid}";
  memory_mb = {memory}; idle = "poll"; buffers = {buffers}; icmp_rate = 1; {settings}
  ports = ( {ports} );
}};
control = {{ socket = "{run}/control.sock"; store = ""; kernel_mirror = false; log_level = "warning"; }};
instances = ( {{ name = "bench"; addresses = [ "192.0.2.1" ]; home_networks = ( {{ prefix = "10.0.0.0/8"; }} ); {instance} }} );
{more}
"""


class Homeport(peers.Worker):
	"""`tables` are the parts of control's configuration that may be long, as an iterable of lines; `ready` says from the answer to
	"show status" whether they are all in the dataplane."""

	name = "homeport"
	stops = False  # control would take a stopped dataplane for a dead one; it idles at the lowest priority instead

	def __init__(self, folder, build, huge, ports, more, settings="", tables=(), ready=None, memory=512, buffers=65536, instance=""):
		super().__init__()
		self.folder, self.build, self.ready = folder, os.path.join(peers.ROOT, build), ready or (lambda status: True)
		self.control = None
		first, last = peers.processors()
		common = COMMON.format(run=folder, first=first, last=last, huge=str(huge).lower(), pid=os.getpid(), memory=memory, buffers=buffers,
			settings=settings, ports=", ".join(ports), more=more, instance=instance)
		with open(f"{folder}/dataplane.cfg", "w") as file:
			file.write(common)
		with open(f"{folder}/control.cfg", "w") as file:
			file.write(common)
			file.writelines(tables)
		self.control = self.program("control")

	def program(self, what):
		with open(f"{self.folder}/{what}.log", "ab") as log:
			return subprocess.Popen([f"{self.build}/{what}/homeport-{what}", "--config", f"{self.folder}/{what}.cfg"], stdout=log, stderr=log)

	def ask(self, command):
		try:
			with socket.socket(socket.AF_UNIX) as s:
				s.settimeout(30)
				s.connect(f"{self.folder}/control.sock")
				lines = s.makefile("rw")
				lines.readline()
				lines.write(json.dumps({"command": command}) + "\n")
				lines.flush()
				answer = json.loads(lines.readline())
				return answer.get("data") or answer.get("rows")
		except (OSError, ValueError):
			return None

	def dataplane_start(self, seconds=180):
		self.process = self.program("dataplane")
		deadline = time.monotonic() + seconds
		status = {}
		while time.monotonic() < deadline:
			status = self.ask("show status") or {}
			if status.get("attached") and status.get("synchronised") and self.ready(status):
				self.thread_find("rte-worker")
				return
			for process in (self.control, self.process):
				if process.poll() is not None:
					raise peers.Failure(f"a daemon ended with status {process.returncode}{self.why()}")
			time.sleep(0.1)
		raise peers.Failure(f"the tables were not in the dataplane after {seconds} s: {status}{self.why()}")

	def dataplane_stop(self):
		if self.process:
			self.process.terminate()
			try:
				self.process.wait(20)
			except subprocess.TimeoutExpired:
				self.process.kill()
				self.process.wait()
			self.process = self.thread = None

	def workers(self):
		rows = self.ask("show workers")
		if not rows:
			raise peers.Failure("control does not answer")
		return rows[0]

	def packets(self):
		row = self.workers()
		return row["received_port"], row["sent_port"]

	def memory_mib(self):
		"""Of each daemon: the most it had in small pages, and its huge pages."""
		found = {}
		for what, process in (("control", self.control), ("dataplane", self.process)):
			with open(f"/proc/{process.pid}/status") as file:
				fields = dict(re.findall(r"^(VmHWM|HugetlbPages):\s+(\d+)", file.read(), re.M))
			found[what] = sum(int(value) for value in fields.values()) // 1024
		return found

	def why(self):
		text = ""
		drops = self.ask("show drops") if self.process else None
		for drop in sorted(drops or [], key=lambda drop: -drop["packets"])[:3]:
			text += f"; dropped {drop['reason']} {drop['packets']}"
		for what in ("control", "dataplane"):
			try:
				with open(f"{self.folder}/{what}.log", errors="replace") as file:
					text += "".join(f"; {line.strip()}" for line in file.readlines()[-2:])
			except OSError:
				pass
		return text

	def close(self):
		self.dataplane_stop()
		if self.control:
			self.control.terminate()
			self.control.wait()
			self.control = None
