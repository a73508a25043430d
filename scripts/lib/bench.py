"""Runs the benchmarks and puts their figures in one table; called by scripts/bench.

A benchmark is a program of pktgen/bench that prints one JSON object a line for each figure: {"figure": ..., "value": ...,
"unit": ..., "target": ..., "pass": ...}; the last two only where the project promises something. A promise that is not met is
exit status 1. Absolute values move with the machine, so each cycles figure stands beside a reference of the same run.
"""
import argparse
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))

# name: (what it measures, programs that may provide it, arguments)
BENCHES = {
	"ring": ("commands a second through the shared ring", ["ring_bench"], []),
	"insert": ("1,000,000 bindings through control and rings", ["insert_bench", "binding_insert_bench"], []),
	"registrations": ("authenticated registrations a second on one core", ["registration_bench"], []),
	"tables": ("lookups and inserts of the binding table alone", ["tables_bench"], []),
	"tables": ("cycles a lookup, 1,000,000 entries in random order", ["tables_bench"], []),
	"forward": ("cycles a packet, IPv4 forwarding to 1 and 100,000 destinations", ["forward_bench"], []),
	"ipip": ("cycles a packet, 1,000,000 bindings in random order", ["ipip_bench", "dataplane_bench"], []),
}
HUGE_PAGES = 1024
NR_HUGE = "/proc/sys/vm/nr_hugepages"


def find(build, names):
	for folder, _, files in os.walk(os.path.join(ROOT, build)):
		for name in names:
			path = os.path.join(folder, name)
			if name in files and os.access(path, os.X_OK):
				return path
	return None


class HugePages:
	"""Asks for 2 MiB pages and gives them back; the benchmarks go on without."""

	def __enter__(self):
		self.before = None
		try:
			with open(NR_HUGE) as file:
				before = int(file.read())
			if before < HUGE_PAGES:
				with open(NR_HUGE, "w") as file:
					file.write(str(HUGE_PAGES))
				self.before = before
			with open(NR_HUGE) as file:
				self.count = int(file.read())
		except OSError:
			self.count = 0
		return self

	def __exit__(self, *exception):
		if self.before is not None:
			with open(NR_HUGE, "w") as file:
				file.write(str(self.before))


def program(path, arguments, seconds=600):
	"""Figures that a program printed, and its exit status; everything else it prints is passed on."""
	figures = []
	process = subprocess.Popen([path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
		stdin=subprocess.DEVNULL)
	try:
		for line in process.stdout:
			try:
				value = json.loads(line) if line.startswith("{") else None
			except ValueError:
				value = None
			if isinstance(value, dict) and "per_second" in value:  # registration_bench: one row of several numbers
				figures.append({"figure": f"refreshes and moves of {value['nodes']} nodes", "value": value["per_second"], "unit": "1/s",
					"target": 20000, "pass": value["per_second"] >= 20000})
				figures.append({"figure": f"first registrations of {value['nodes']} nodes", "value": value["new_per_second"], "unit": "1/s"})
			elif isinstance(value, dict):
				figures.append(value)
			elif not line.startswith(("EAL:", "TELEMETRY:")):
				print("  " + line.rstrip(), flush=True)
		return figures, process.wait(seconds)
	finally:
		if process.poll() is None:
			process.kill()


def capture(path, count=4096, size=60):
	"""A pcap file of UDP packets in random-looking order, written plainly: 64 octets on the wire with the FCS."""
	with open(path, "wb") as file:
		file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
		for n in range(count):
			address = (n * 2654435761) & 0xffff
			body = size - 14
			header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, body, n & 0xffff, 0, 64, 17, 0, bytes([10, 2, 0, 5]),
				bytes([10, 1, address >> 8, address & 255]))
			total = sum(struct.unpack("!10H", header))
			while total >> 16:
				total = (total & 0xffff) + (total >> 16)
			header = header[:10] + struct.pack("!H", ~total & 0xffff) + header[12:]
			frame = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]) + header + struct.pack("!HHHH", 9, 9, body - 20, 0)
			frame += bytes(size - len(frame))
			file.write(struct.pack("<IIII", 0, n, size, size) + frame)


def testpmd(huge, size):
	"""Plain forwarding by testpmd over a replayed port: cycles a packet, source and sink included."""
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		path = os.path.join(folder, "in.pcap")
		capture(path, size=size - 4)
		command = ["dpdk-testpmd", "-m", "512", "--no-pci", "--no-telemetry", "-l", "0,1", "--file-prefix", f"hpbench{os.getpid()}",
			"--vdev", f"net_pcap0,rx_pcap={path},infinite_rx=1"] + (["--in-memory"] if huge else ["--no-huge"]) + ["--", "--forward-mode=mac",
			"--record-core-cycles", "--port-topology=loop", "--total-num-mbufs=16384", "--auto-start"]
		process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
		time.sleep(4)  # start and two seconds of forwarding; testpmd ends on Enter
		try:
			output, _ = process.communicate("\n", timeout=30)
		except subprocess.TimeoutExpired:
			process.kill()
			output, _ = process.communicate()
	found = re.search(r"CPU cycles/packet=([0-9.]+)", output)
	if not found:
		raise RuntimeError("testpmd said: " + " | ".join(output.strip().splitlines()[-3:]))
	return float(found.group(1))


def reference(huge):
	figures = []
	for size in (64, 512, 1400):
		values = []
		try:
			for _ in range(3):
				values.append(testpmd(huge, size))
		except (RuntimeError, OSError) as error:
			print(f"  testpmd reference: {error}")
			break
		values.sort()
		figures.append({"figure": f"testpmd mac forwarding over net_pcap, {size} B", "value": values[1], "unit": "cycles/packet",
			"spread": [values[0], values[-1]]})
	return figures


def show(value):
	if isinstance(value, float):
		return f"{value:,.1f}" if abs(value) < 10000 else f"{value:,.0f}"
	return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def stop(number, frame):
	raise SystemExit(128 + number)  # so that huge pages are given back


def main():
	signal.signal(signal.SIGTERM, stop)
	parser = argparse.ArgumentParser(prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
		description="Runs benchmarks, prints a table.",
		epilog="names:\n" + "\n".join(f"  {name:14} {row[0]}" for name, row in BENCHES.items()))
	parser.add_argument("name", nargs="*", help="all when none is named")
	parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
	parser.add_argument("--json", metavar="FILE", help="append one JSON object a line for each figure")
	arguments = parser.parse_args()
	for name in arguments.name:
		if name not in BENCHES:
			parser.error(f"no such benchmark: {name} ({', '.join(BENCHES)})")
	results, bad = [], False
	load = os.getloadavg()[0]
	if load > 0.7:
		print(f"note: the machine is busy (load {load:.1f}); absolute figures will be worse than they are")
	with HugePages() as pages:
		print(f"{pages.count} huge pages of 2 MiB" if pages.count else "no huge pages: figures are for functional use")
		for name in arguments.name or BENCHES:
			text, programs, words = BENCHES[name]
			path = find(arguments.build, programs)
			print(f"{name}: {text}", flush=True)
			if not path:
				print(f"  not measured: no {' or '.join(programs)} in {arguments.build}")
				bad = True
				continue
			figures, status = program(path, words)
			if status:
				print(f"  {os.path.basename(path)} ended with status {status}")
				bad = True
			if name == "ipip":
				figures += reference(pages.count > 0)
			results += [{"bench": name, **figure} for figure in figures]
	print(f"\n{'bench':14} {'figure':58} {'value':>16} unit")
	for row in results:
		mark = "" if "pass" not in row else "  ok" if row["pass"] else f"  MISSED (target {show(row.get('target'))})"
		bad = bad or row.get("pass") is False
		print(f"{row['bench']:14} {str(row.get('figure', row.get('name', '')))[:58]:58} {show(row.get('value', '')):>16} {row.get('unit', '')}{mark}")
	if arguments.json:
		with open(arguments.json, "a") as file:
			for row in results:
				file.write(json.dumps({"time": int(time.time()), **row}) + "\n")
	return 1 if bad else 0


if __name__ == "__main__":
	sys.exit(main())
