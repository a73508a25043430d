"""The control process as a process, beside a real dataplane on net_ring and net_null ports: privileges, reload, replay, end.

Usage: control_process_test.py BUILD. Needs root (to give it up); no namespaces, no hugepages. TAP on standard output.
"""
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve()
BINDINGS = 100_000
CONFIG = """
dataplane = {{
  socket = "{run}/dataplane.sock"; workers = 1; huge_pages = false; file_prefix = "hp-control-{pid}"; memory_mb = 1024;
  max_bindings = 120000;
  ports = (
    {{ name = "outside"; device = "net_ring0"; tap = ""; zone = "external"; checksum_check = false; }},
    {{ name = "inside"; device = "net_null0"; tap = ""; zone = "internal"; checksum_check = false; }}
  );
}};
control = {{ socket = "{run}/control.sock"; store = "{run}/store"; user = "{user}"; log_level = "{level}"; }};
instances = ( {{ name = "lab"; addresses = [ {addresses} ]; max_bindings = 120000;
  home_networks = ( {{ prefix = "10.0.0.0/8"; }} ); }} );
mobile_nodes = ( {{ nai = "mn1@example.com"; home_address = "10.250.0.10";
  security = ( {{ spi = 0x100; algorithm = "hmac-md5"; key = "0123456789abcdeffedcba9876543210"; }} ); }} );
routes = ( {{ prefix = "0.0.0.0/0"; via = "192.0.2.254"; port = "outside"; }} );
neighbors = ( {{ address = "192.0.2.254"; port = "outside"; mac = "02:00:00:00:00:fe"; }} );
{bindings}
"""


class Bed:
	def __init__(self):
		self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hp-control-"))
		self.directory.chmod(0o755)
		self.nobody = pwd.getpwnam("nobody")
		self.run = self.directory / "run"
		self.run.mkdir()
		os.chown(self.run, self.nobody.pw_uid, self.nobody.pw_gid)
		self.file = self.directory / "homeport.cfg"
		self.control = self.dataplane = None
		self.write()

	def write(self, addresses='"192.0.2.1"', workers=1, tail="", level="info"):
		bindings = ",\n".join(f'{{ home_address = "10.{n >> 16}.{n >> 8 & 255}.{n & 255}"; care_of_address = "198.51.100.23"; instance = "lab"; }}'
			for n in range(1, BINDINGS + 1))
		text = CONFIG.format(run=self.run, pid=os.getpid(), user="nobody", level=level, addresses=addresses, bindings=f"bindings = (\n{bindings}\n);")
		self.file.write_text(text.replace("workers = 1", f"workers = {workers}") + tail)
		os.chown(self.file, self.nobody.pw_uid, self.nobody.pw_gid)
		self.file.chmod(0o600)

	def start(self, name):
		log = open(self.directory / f"{name}.log", "ab")
		# meson has glibc fill what is freed. Each of libconfig's 6,000 reallocations of the list of nodes frees all of the heap behind it:
		# at a reload, when much of it is free, that fills tens of GiB in a process that nobody else waits for.
		environment = {**os.environ, "MALLOC_PERTURB_": "0"}
		process = subprocess.Popen([BUILD / name.split("-")[0] / f"homeport-{name.split('-')[0]}", "--config", self.file], stderr=log, stdout=log,
			env=environment)
		log.close()
		return process

	def log(self, name="control"):
		return (self.directory / f"{name}.log").read_text()

	def ask(self, command):
		with socket.socket(socket.AF_UNIX) as s:
			s.settimeout(60)
			s.connect(str(self.run / "control.sock"))
			lines = s.makefile("rw")
			lines.readline()
			lines.write(json.dumps({"command": command}) + "\n")
			lines.flush()
			return json.loads(lines.readline())

	def status(self):
		try:
			return self.ask("show status")["data"]
		except (OSError, ValueError):
			return {}

	def end(self):
		for process in (self.control, self.dataplane):
			if process and process.poll() is None:
				process.kill()
				process.wait()
		shutil.rmtree(self.directory, ignore_errors=True)


def wait_for(condition, what, seconds):
	seconds *= 6  # of an idle machine
	deadline = time.monotonic() + seconds
	while time.monotonic() < deadline:
		value = condition()
		if value:
			return value
		time.sleep(0.01)
	raise AssertionError(f"{what}: not within {seconds} s")


def synchronised(bed):
	status = bed.status()
	return status.get("attached") and status.get("synchronised") and status


def test_starts_and_replays_to_a_first_dataplane(bed):
	bed.control = bed.start("control")
	wait_for(bed.status, "operator socket", 30)
	assert not bed.status()["attached"]
	bed.dataplane = bed.start("dataplane")
	status = wait_for(lambda: synchronised(bed), "synchronised", 30)
	assert status["bindings"] == BINDINGS, status
	assert status["commands_applied"] >= BINDINGS, status


def test_runs_without_privileges(bed):
	text = pathlib.Path(f"/proc/{bed.control.pid}/status").read_text()
	field = lambda name: re.search(rf"^{name}:\s*(.*)$", text, re.M).group(1)  # noqa: E731
	assert field("Uid").split() == [str(bed.nobody.pw_uid)] * 4, field("Uid")
	for name in ("CapEff", "CapPrm", "CapAmb"):
		assert int(field(name), 16) == 1 << 12, (name, field(name))  # CAP_NET_ADMIN
	assert field("NoNewPrivs") == "1"
	limits = pathlib.Path(f"/proc/{bed.control.pid}/limits").read_text()
	assert re.search(r"Max core file size\s+0\s+0", limits), limits
	# Not dumpable: its /proc entries belong to root, not to the user it runs as.
	assert os.stat(f"/proc/{bed.control.pid}/environ").st_uid == 0


def processor_seconds(process):
	fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
	return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# HA4-OPS-19, HA4-OPS-18: a dataplane that was killed gets everything again within two seconds, of its own processor at least
def test_killed_dataplane_gets_100000_bindings_within_two_seconds(bed):
	epoch = bed.status()["dataplane_epoch"]
	bed.dataplane.kill()
	bed.dataplane.wait()
	wait_for(lambda: bed.status().get("attached") is False, "control to notice", 5)
	bed.dataplane = bed.start("dataplane")
	wait_for(lambda: bed.status().get("attached"), "attached again", 20)
	attached, spent = time.monotonic(), processor_seconds(bed.control)
	status = wait_for(lambda: synchronised(bed), "synchronised", 20)
	took, spent = time.monotonic() - attached, processor_seconds(bed.control) - spent
	assert status["dataplane_epoch"] != epoch and status["session"] == 1, status
	assert status["commands_applied"] >= BINDINGS, status
	print(f"# {BINDINGS} bindings replayed in {took:.2f} s after the attach, {spent:.2f} s of them control's")
	assert spent < 2, spent


# HA4-OPS-21
def test_bad_reload_changes_nothing(bed):
	before = bed.ask("show config")
	bed.write(tail='\nno_such_setting = 1;\n')
	bed.control.send_signal(signal.SIGHUP)
	line = wait_for(lambda: re.search(r"error reload .*", bed.log()), "the error", 20).group(0)
	assert "no_such_setting" in line and "homeport.cfg:" in line, line
	assert bed.log().count("error reload") == 1
	assert bed.ask("show config") == before and synchronised(bed)


def test_reload_refuses_what_needs_a_restart(bed):
	bed.write(workers=2)
	bed.control.send_signal(signal.SIGHUP)
	line = wait_for(lambda: re.search(r"error reload .*workers.*", bed.log()), "the error", 20).group(0)
	assert "nothing changed" in line, line


# HA4-OPS-21: bindings stay, the new agent reaches the dataplane
def test_good_reload_applies_the_difference(bed):
	before = bed.status()
	bed.write(addresses='"192.0.2.1", "192.0.2.2"')
	bed.control.send_signal(signal.SIGHUP)
	wait_for(lambda: " reloaded " in bed.log(), "reload", 30)
	after = wait_for(lambda: (s := bed.status()).get("commands_applied", 0) > before["commands_applied"] and s, "the new agent", 10)
	assert after["bindings"] == BINDINGS
	assert after["commands_sent"] - before["commands_sent"] < 100, "a reload must not replay everything"
	assert "dataplane_refused" not in bed.log()


def test_ends_cleanly(bed):
	bed.control.send_signal(signal.SIGTERM)
	assert bed.control.wait(120) == 0
	assert not (bed.run / "control.sock").exists()
	assert any((bed.run / "store").iterdir())
	bed.dataplane.send_signal(signal.SIGTERM)
	assert bed.dataplane.wait(120) == 0
	assert "conservation=0" in bed.log("dataplane"), bed.log("dataplane")[-500:]


def main():
	if os.geteuid() != 0:
		print("1..0 # SKIP needs root to give it up")
		return 77
	tests = [value for name, value in globals().items() if name.startswith("test_")]
	bed, failed = Bed(), 0
	print(f"1..{len(tests)}")
	try:
		for number, test in enumerate(tests, 1):
			try:
				test(bed)
				print(f"ok {number} - {test.__name__[5:].replace('_', ' ')}", flush=True)
			except (AssertionError, subprocess.TimeoutExpired, KeyError, OSError) as error:
				failed += 1
				print(f"not ok {number} - {test.__name__[5:].replace('_', ' ')}: {error!r}"[:600], flush=True)
		if failed:
			print("\n".join("# " + line for line in (bed.log() + bed.log("dataplane")).splitlines()[-30:]))
	finally:
		bed.end()
	return 1 if failed else 0


sys.exit(main())
