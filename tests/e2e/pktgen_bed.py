"""What the tests of homeport-pktgen share: writing profiles, running the generator, judging its report."""
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "..", "scripts", "lib")]
sys.dont_write_bytecode = True

import cases  # noqa: E402
import network as net  # noqa: E402
import programs  # noqa: E402

try:
	from scapy.all import rdpcap  # noqa: E402,F401
except ImportError as problem:
	print(f"1..0 # SKIP no Scapy: {problem}")
	sys.exit(0)

RING = ["--vdev=net_ring0"]
# All that lib/base/esp_algorithm.c knows.
SUITES = [f"aes{bits}{mode}{icv}" for bits in (128, 192, 256) for mode in ("gcm", "ccm") for icv in (8, 12, 16) if mode == "gcm" or bits != 192]
SUITES += [f"aes{bits}gmac" for bits in (128, 192, 256)] + [f"aes{bits}gcm16iiv" for bits in (128, 192, 256)]
SUITES += ["chacha20poly1305", "chacha20poly1305iiv", "aes128ccm8iiv", "aes256ccm8iiv"]
SUITES += [f"{cipher}-{integrity}" for cipher in ("null", "aes128", "aes192", "aes256", "aes128ctr", "aes192ctr", "aes256ctr")
	for integrity in ("sha1", "sha256", "sha384", "sha512", "aesxcbc", "aescmac")]


def value_text(value):
	if isinstance(value, bool):
		return "true" if value else "false"
	if isinstance(value, dict):
		return "{ " + " ".join(f"{k} = {value_text(v)};" for k, v in value.items()) + " }"
	return f'"{value}"' if isinstance(value, str) else str(value)


def profile_group(name, **settings):
	return value_text({"name": name, **settings})


class PktgenBed:
	"""Runs the generator in a directory of its own; with a network, inside a namespace."""

	def __init__(self, build, network=None):
		self.network = network or net.Network("hp-pktgen")
		self.program = programs.binary(build, "homeport-pktgen")
		self.build = build
		self.runs = 0

	def path(self, name):
		return self.network.path(name)

	def write(self, text, name="profile.conf"):
		with open(self.path(name), "w") as file:
			file.write(text)
		return self.path(name)

	def command(self, devices, *own, memory=256, lcores=1):
		"""With more lcores than one the first sends and the others receive."""
		self.runs += 1
		return [self.program, "--lcores", net.lcores(lcores, self.runs, apart=True), "--no-huge", "-m", str(memory), "--no-pci", "--no-telemetry",
			"--log-level=lib.eal:error", f"--file-prefix={self.network.prefix}-{self.runs}", *devices, "--", *own]

	def run(self, text, devices, *own, strict=True, where=None, seconds=480, status=0, lcores=1):
		"""The report of a run that must end with `status`."""
		report = self.path(f"report-{self.runs}.json")
		command = self.command(devices, "--profile", self.write(text), "--report", report, *(["--strict"] if strict else []), *own, lcores=lcores)
		if where:
			command = ["ip", "netns", "exec", self.network.full(where), *command]
		result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
		if result.returncode != status:
			what = (result.stderr or result.stdout).strip()[-600:]
			if os.path.exists(report):
				with open(report) as file:
					what += " " + self.summary(json.load(file))
			raise net.Failure(f"homeport-pktgen: status {result.returncode}, not {status}: {what}")
		self.stderr = result.stderr
		with open(report) as file:
			return json.load(file)

	@staticmethod
	def summary(report):
		return "; ".join(json.dumps({k: t[k] for k in ("wanted", "sent", "received", "duplicates", "faults", "others")}) for t in report["trials"][-3:])

	@staticmethod
	def perfect(report, packets):
		for trial in report["trials"]:
			assert trial["wanted"] == trial["sent"] == trial["received"] == packets, PktgenBed.summary(report)
			assert trial["lost"] == trial["duplicates"] == trial["reordered"] == trial["faults"]["sum"] == 0, PktgenBed.summary(report)
			assert trial["latency_ns"]["count"] == packets

	def offline(self, text, *own, status=0):
		result = subprocess.run([self.program, "--profile", self.write(text), *own], stdin=subprocess.DEVNULL, capture_output=True,
			text=True, timeout=240)
		assert result.returncode == status, f"status {result.returncode}, not {status}: {result.stderr.strip()[-400:]}"
		return result

	def started(self, text, devices, *own, lcores=1):
		return subprocess.run(self.command(devices, "--profile", self.write(text), *own, lcores=lcores), stdin=subprocess.DEVNULL,
			capture_output=True, text=True, timeout=240)

	def stderr_of(self, text, devices, *own, lcores=1):
		return self.started(text, devices, *own, lcores=lcores).stderr

	def refused(self, text, status, message, devices=None):
		result = self.offline(text, "--check", status=status) if devices is None else self.started(text, devices)
		assert result.returncode == status and re.search(message, result.stderr), (result.returncode, result.stderr[-400:])

	# ---- the second reader

	def write_keys(self, text):
		folder = self.path("wireshark")
		os.makedirs(folder, exist_ok=True)
		self.offline(text, "--keys", os.path.join(folder, "esp_sa"))

	def tshark(self, capture, *fields, read="udp"):
		environment = {**os.environ, "WIRESHARK_CONFIG_DIR": self.path("wireshark")}
		result = subprocess.run(["tshark", "-n", "-r", self.path(capture), "-o", "esp.enable_encryption_decode:TRUE",
			"-o", "esp.enable_authentication_check:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
			"-Y", read, "-T", "fields", *fields], env=environment, capture_output=True, text=True)
		assert result.returncode == 0, result.stderr.strip()
		return [line.split("\t") for line in result.stdout.splitlines()]


def main(tests, bed_class=PktgenBed, **settings):
	"""Runs the test functions of a file in TAP; skipped where it cannot be."""
	build = os.environ.get("HOMEPORT_BUILD") or (sys.argv[1] if len(sys.argv) > 1 else "build")
	why = net.possible() or (None if shutil.which("dpdk-testpmd") else "dpdk-testpmd is not installed")
	if why:
		print(f"1..0 # SKIP {why}")
		sys.exit(0)
	case_list = cases.functions(tests)
	print(f"1..{len(case_list)}", flush=True)
	bed = None
	try:
		bed = bed_class(build, **settings)
		bad = cases.run(case_list, bed)
	except (net.Failure, OSError) as error:
		bad = 1
		print(f"Bail out! {error}")
	if bad and bed:
		cases.show_output(bed.network.processes)
	if bed:
		bed.network.close()
	sys.exit(1 if bad else 0)
