"""Runs the benchmarks and puts their figures in one table; called by scripts/bench.

A benchmark is a program of pktgen/bench that prints one JSON object a line for each figure: {"figure": ..., "value": ...,
"unit": ..., "target": ..., "pass": ...}; the last two only where the project promises something. Everything is measured in one
run: absolute values move with the machine, so a packet's cycles stand beside those of testpmd's plain forwarding.

A row of the JSON file always has the keys of KEYS (null where one does not apply) beside the figure's own. At the end each figure
that the project promises is said to be reached, not reached or not measured; anything but reached is exit status 1.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import bench_machine as machine  # noqa: E402
import bench_ports as ports  # noqa: E402
import bench_testpmd as testpmd  # noqa: E402

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
KEYS = ("bench", "direction", "suite", "size", "entries", "udp", "workers", "cycles_per_packet", "mpps", "gbps", "reference", "runs", "spread")

# name: (what it measures, program, arguments)
BENCHES = {
	"ring": ("commands a second through the shared ring", "ring_bench", []),
	"bindings": ("1,000,000 bindings through control's mirror, the rings and the tables", "binding_insert_bench", []),
	"registrations": ("authenticated registrations a second: homeport-control on one core, store and rings included", "control_bench", []),
	"engine": ("the same by the registration engine alone", "registration_bench", []),
	"tables": ("lookups and inserts of the binding table alone, random order", "tables_bench", []),
	"forward": ("cycles a packet, IPv4 forwarding to 1 and 100,000 destinations", "forward_bench", []),
	"ipip": ("cycles a packet, 1,000,000 bindings in random order", "ipip_bench", []),
	"esp": ("cycles a packet, ESP through the whole pipeline with 1, 1,000 and 100,000 pairs of SAs; reference: the bare crypto call", "esp_bench", []),
	"esp-million": ("the same with 1,000,000 pairs, and their memory", "esp_bench", ["1000000", "20"]),
	"crypto": ("the crypto under ESP alone: the bare call and the engine, warm and with 1,000 and 100,000 keys", "esp_crypto_bench", []),
	"crypto-scale": ("two workers at once, with a copy of the crypto library each and on one", "esp_scale_bench", []),
	"ports": ("the same port to port, both daemons, over the port that testpmd is measured over", "homeport-dataplane", None),
}
REPEATS = {"ring": 3, "bindings": 5}  # the others take their own median, or long
PACKETS = ("forward", "ipip", "ports")  # beside testpmd

# What the project promises: (sentence, bench, figures by regular expression)
PROMISES = [
	("over 5,000,000 commands a second through the ring", "ring", r""),
	("1,000,000 bindings inserted at over 200,000 a second through control and rings", "bindings", r"^bindings inserted"),
	("the last tenth of them no slower than 0.8 of the first", "bindings", r"^last tenth"),
	("100,000 bindings replayed to a restarted dataplane within 2 s", "bindings", r"^resynchronisation"),
	("at least 20,000 authenticated registrations a second through the whole control path on one core",
		"registrations", r"CPU time"),  # a second of one core, whoever else wants it; the wall clock stands beside it in the table
	("IP-in-IP with 1,000,000 bindings beside testpmd over a replayed port, in process", "ipip", r"^IP-in-IP"),
	("the same over the same kind of port, by both daemons", "ports", r"^IP-in-IP"),
	("ESP with 100,000 SAs in random order at most 1.4 of one SA at 64 octets, 1.45 at 1400", "esp", r"SAs to one$"),
	("an SA pair in at most 3,072 octets", "esp", r"^memory of an SA pair"),
	("1,000,000 SA pairs in at most 4 GiB", "esp-million", r"pairs and their policies"),
]


def find(build, name):
	for folder, _, files in os.walk(os.path.join(ROOT, build)):
		path = os.path.join(folder, name)
		if name in files and os.access(path, os.X_OK):
			return path
	return None


def parsed(line):
	"""The figures of one line of output."""
	try:
		value = json.loads(line) if line.startswith("{") else None
	except ValueError:
		return []
	if not isinstance(value, dict):
		return []
	if "new_per_second" in value:  # registration_bench: one object of several numbers
		nodes = value["nodes"]
		return [
			{"figure": f"refreshes and moves of {nodes} nodes", "entries": nodes, "value": value["per_second"], "unit": "1/s"},
			{"figure": f"first registrations of {nodes} nodes", "entries": nodes, "value": value["new_per_second"], "unit": "1/s"}]
	return [value]


def program(path, arguments, seconds):
	"""Figures that a program printed, and its exit status; everything else it prints is passed on."""
	figures = []
	process = subprocess.Popen([path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
		stdin=subprocess.DEVNULL)
	signal.alarm(seconds)
	try:
		for line in process.stdout:
			found = parsed(line)
			figures += found
			if not found and not line.startswith(("EAL:", "TELEMETRY:")):
				print("  " + line.rstrip(), flush=True)
		return figures, process.wait()
	except TimeoutError:
		print(f"  {os.path.basename(path)} was not done after {seconds} s")
		return figures, "timeout"
	finally:
		signal.alarm(0)
		if process.poll() is None:
			process.kill()
			process.wait()


def repeated(path, arguments, seconds, times):
	"""The median of each figure over several runs, with the spread; one run's figures come as they are."""
	rounds = []
	for _ in range(times):
		figures, status = program(path, arguments, seconds)
		if status or times == 1:
			return figures, status
		rounds.append(figures)
	medians = []
	for same in zip(*rounds):
		ranked = sorted(same, key=lambda figure: figure["value"])
		medians.append({**ranked[times // 2], "runs": times, "spread": [ranked[0]["value"], ranked[-1]["value"]]})
	return medians, 0


def complete(name, figure, references, hz):
	"""The row of a figure: every key is there, and a packet's cycles are told in the other units as well."""
	row = {key: None for key in KEYS}
	row.update({"bench": name, "workers": 1, "udp": False if name in PACKETS else None})
	text = str(figure.get("figure", ""))
	if figure.get("unit") in ("cycles", "cycles/packet") and name in PACKETS:
		size, entries = re.search(r"(\d+) octets", text), re.search(r"([\d,]+) (bindings|destinations)", text)
		row["size"] = int(size.group(1)) if size else None
		row["entries"] = int(entries.group(1).replace(",", "")) if entries else 1000000 if name == "ipip" and "forward" not in text else None
		row["udp"] = "UDP" in text
		row["direction"] = "in" if "decapsulation" in text else "out" if "encapsulation" in text else "forward"
		row["cycles_per_packet"] = figure.get("value")
		row["runs"], row["spread"] = 5, [figure.get("low"), figure.get("high")]
		row["reference"] = references.get(max((size for size in references if size <= (row["size"] or 0)), default=None))
	row.update(figure)
	row["bench"] = name
	if row["cycles_per_packet"] and row["mpps"] is None and hz:
		row["mpps"] = round(hz / row["cycles_per_packet"] / 1e6, 3)
		row["gbps"] = round(row["mpps"] * (row["size"] - 4) * 8 / 1000, 3) if row["size"] else None
	return row


def show(value):
	if isinstance(value, float):
		return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
	return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def table(rows):
	print(f"\n{'bench':14} {'figure':66} {'value':>12} {'unit':12} {'Mpps':>7} {'to ref.':>8} {'budget':>7}")
	for row in rows:
		mark = "" if "pass" not in row else "ok" if row["pass"] else f"MISSED (target {show(row.get('target'))})"
		ratio = f"x {row['cycles_per_packet'] / row['reference']:.2f}" if row["reference"] and row["cycles_per_packet"] else ""
		mpps = "" if row["mpps"] is None else f"{row['mpps']:.2f}"
		print(f"{row['bench']:14} {str(row.get('figure', ''))[:66]:66} {show(row.get('value', '')):>12} {row.get('unit', ''):12} "
			f"{mpps:>7} {ratio:>8} {show(row.get('budget') or ''):>7} {mark}".rstrip())


def promises(rows, chosen):
	"""Says of each promise whether it is kept; True when all of those that were chosen are."""
	kept = True
	print("\nwhat the project promises:")
	for text, bench, figure in PROMISES:
		if bench not in chosen:
			continue
		found = [row for row in rows if row["bench"] == bench and re.search(figure, str(row.get("figure", "")))]
		if bench in PACKETS:  # a measurement is promised, not a number
			good = bool(found) and all(row["reference"] for row in found)
			values = ", ".join(f"{row['direction']} {row['size']} B x {row['cycles_per_packet'] / row['reference']:.2f}" for row in found if row["reference"])
			said = "reached" if good else "NOT MEASURED"
		else:
			found = [row for row in found if "pass" in row]
			good = bool(found) and all(row["pass"] for row in found)
			values = ", ".join(f"{show(row['value'])} {row.get('unit', '')}".strip() for row in found)
			said = "reached" if good else "NOT REACHED" if found else "NOT MEASURED"
		kept = kept and good
		print(f"  {said:12}  {text}{': ' + values if values else ''}")
	return kept


def run(names, build, huge):
	"""All rows, and whether every program ended well."""
	rows, good, references, hz = [], True, {}, machine.tsc_hz()
	with machine.HugePages(huge) as pages:
		print(f"{pages.count} huge pages of 2 MiB" if pages.count else f"without huge pages ({pages.why}): slower, for functional use")
		if set(names) & set(PACKETS):
			print("testpmd: plain forwarding over a replayed port (net_pcap, infinite_rx), the reference", flush=True)
			figures, references = testpmd.measure(pages.count > 0)
			rows += [complete("testpmd", figure, {}, hz) for figure in figures]
		for name in names:
			text, executable, words = BENCHES[name]
			path = find(build, executable)
			print(f"{name}: {text}", flush=True)
			if not path:
				print(f"  not measured: no {executable} in {build}")
				good = False
				continue
			figures, status = repeated(path, words, 300, REPEATS.get(name, 1)) if words is not None else (ports.measure(build, pages.count > 0, hz), 0)
			if status or not figures:
				print(f"  {executable} ended with status {status}, {len(figures)} figures")
				good = False
			rows += [complete(name, figure, references, hz) for figure in figures]
	return rows, good


def stop(number, frame):
	raise SystemExit(128 + number)  # so that huge pages are given back


def late(number, frame):
	raise TimeoutError


def main():
	signal.signal(signal.SIGTERM, stop)
	signal.signal(signal.SIGHUP, stop)
	signal.signal(signal.SIGALRM, late)
	parser = argparse.ArgumentParser(prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
		description="Runs benchmarks, prints a table.",
		epilog="names:\n" + "\n".join(f"  {name:14} {row[0]}" for name, row in BENCHES.items()))
	parser.add_argument("name", nargs="*", help="all when none is named")
	parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
	parser.add_argument("--no-huge", action="store_true", help="without huge pages")
	parser.add_argument("--json", metavar="FILE", help="append one JSON object a line for each figure")
	arguments = parser.parse_args()
	for name in arguments.name:
		if name not in BENCHES:
			parser.error(f"no such benchmark: {name} ({', '.join(BENCHES)})")
	names = arguments.name or list(BENCHES)
	before = machine.busy()
	if before:
		print(f"note: {before}; absolute figures will be worse than they are")
	rows, good = run(names, arguments.build, not arguments.no_huge)
	table(rows)
	kept = promises(rows, names)
	if before or machine.busy(own=1):
		print("note: the machine was busy; run again on a quiet one before believing an absolute figure")
	if arguments.json:
		with open(arguments.json, "a") as file:
			for row in rows:
				file.write(json.dumps({"time": int(time.time()), **row}) + "\n")
	return 0 if good and kept else 1


if __name__ == "__main__":
	sys.exit(main())
