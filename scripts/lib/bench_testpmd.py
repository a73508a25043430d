"""Plain forwarding by DPDK's testpmd over a replayed port: what the machine's packets cost at least."""
import os
import re
import statistics
import struct
import subprocess
import tempfile
import time

SIZES = (64, 512, 1400)  # octets on the wire, FCS counted
RUNS, RUN_S = 5, 2
PACKETS = 16384  # more than the caches hold


def checksum(header):
	total = sum(struct.unpack("!10H", header))
	while total >> 16:
		total = (total & 0xffff) + (total >> 16)
	return ~total & 0xffff


def capture_frames(path, frames):
	with open(path, "wb") as file:
		file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
		for n, frame in enumerate(frames):
			file.write(struct.pack("<IIII", 0, n, len(frame), len(frame)) + frame)


def frame(n, size):
	"""A UDP packet to an address in random-looking order, without FCS."""
	address = (n * 2654435761) & 0xffff
	header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size - 14, n & 0xffff, 0, 64, 17, 0, bytes([203, 0, 113, 5]),
		bytes([10, 1, address >> 8, address & 255]))
	header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
	head = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0]) + header + struct.pack("!HHHH", 9, 9, size - 34, 0)
	return head + bytes(size - len(head))


def run(path, huge):
	"""Cycles a packet, source and sink included."""
	processors = sorted(os.sched_getaffinity(0))
	command = ["dpdk-testpmd", "-m", "512", "--no-pci", "--no-telemetry", "--lcores", f"0@{processors[0]},1@{processors[-1]}",
		"--file-prefix", f"hpbench{os.getpid()}", "--vdev", f"net_pcap0,rx_pcap={path},infinite_rx=1"]
	command += ["--in-memory"] if huge else ["--no-huge"]
	command += ["--", "--forward-mode=mac", "--record-core-cycles", "--port-topology=loop", "--total-num-mbufs=65536", "--auto-start"]
	process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
	time.sleep(1 + RUN_S)  # start and forwarding; testpmd ends on Enter
	try:
		output, _ = process.communicate("\n", timeout=30)
	except subprocess.TimeoutExpired:
		process.kill()
		output, _ = process.communicate()
	found = re.search(r"CPU cycles/packet=([0-9.]+)", output)
	if not found:
		raise RuntimeError("testpmd said: " + " | ".join(output.strip().splitlines()[-3:]))
	return float(found.group(1))


def measure(huge):
	"""Figures, and {size: cycles a packet}; the sizes take turns."""
	values = {size: [] for size in SIZES}
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		paths = {size: os.path.join(folder, f"{size}.pcap") for size in SIZES}
		try:
			for size, path in paths.items():
				capture_frames(path, (frame(n, size - 4) for n in range(PACKETS)))
			for _ in range(RUNS):
				for size, path in paths.items():
					values[size].append(run(path, huge))
		except (RuntimeError, OSError) as error:
			print(f"  not measured: {error}")
	figures = [{"figure": f"mac forwarding over net_pcap, {size} octets", "direction": "forward", "size": size, "value": statistics.median(found),
		"unit": "cycles", "cycles_per_packet": statistics.median(found), "runs": len(found), "spread": [min(found), max(found)]}
		for size, found in values.items() if found]
	return figures, {figure["size"]: figure["value"] for figure in figures}
