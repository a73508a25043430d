"""Runs the benchmarks and puts their figures in one table; called by scripts/bench.

A benchmark is one or more parts. A part is a program of pktgen/bench that prints one JSON object a line for each figure, {"figure": ...,
"value": ..., "unit": ..., "reference": {name: cycles a packet}, ...}, or a module here that measures whole programs port to port and
returns such objects. Absolute values move with the machine, so what a figure is compared with is measured in the same run, taking
turns with it. "target" and "pass" stand where the project promises something.

A row of the JSON file always has the keys of KEYS (null where one does not apply) beside the figure's own. At the end each figure
that the project promises is said to be reached, not reached or not measured; anything but reached is exit status 1.
"""
import argparse
import collections
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import bench_budget as budget  # noqa: E402
import bench_dump as dump  # noqa: E402
import bench_esp as esp  # noqa: E402
import bench_machine as machine  # noqa: E402
import bench_peers as peers  # noqa: E402
import bench_pktgen as pktgen  # noqa: E402
import bench_ports as ports  # noqa: E402
import bench_static as static  # noqa: E402

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
KEYS = ("bench", "direction", "suite", "size", "entries", "udp", "workers", "cycles_per_packet", "mpps", "gbps", "reference", "runs", "spread")

# huge: huge pages are there; hz: of the TSC; quick: a part of the rows and shorter runs; smoke: only shows that all works; runs of run_s
# seconds each
Context = collections.namedtuple("Context", "build huge hz quick smoke runs run_s")


class Program:
	"""A program of the build: arguments of a real run and of one that only shows that it works; `repeats` for one that does not take its own median."""

	def __init__(self, name, arguments=(), smoke=(), quick=None, repeats=1):
		self.name, self.arguments, self.smoke, self.repeats = name, list(arguments), list(smoke), repeats
		self.quick = self.arguments if quick is None else list(quick)

	def __call__(self, context):
		path = find(context.build, self.name)
		if not path:
			print(f"  not measured: no {self.name} in {context.build}")
			return [], False
		arguments = self.smoke if context.smoke else self.quick if context.quick else self.arguments
		figures, status = repeated(path, arguments, context, 1 if context.smoke else min(self.repeats, context.runs))
		if status or not figures:
			print(f"  {self.name} ended with status {status}, {len(figures)} figures")
		return figures, not status and bool(figures)


def only(part, figures):
	"""Of a part those figures alone whose name is like the regular expression."""
	def run_part(context):
		rows, good = part(context)
		return [row for row in rows if re.search(figures, str(row.get("figure", "")))], good
	return run_part


# name: (what it measures, parts)
BENCHES = {
	"ring": ("commands a second through the shared ring", [Program("ring_bench", smoke=["20"], repeats=5)]),
	"bindings": ("1,000,000 bindings through control's mirror, the rings and the tables",
		[Program("binding_insert_bench", smoke=["20000"], repeats=5)]),
	"control": ("authenticated registrations a second through homeport-control on one core, a storm of 1,000,000 nodes, dump times",
		[Program("control_bench", smoke=["4096", "0.2"], quick=["100000", "2"]), Program("control_bench", ["1000000", "5"], ["4096", "0.2"]), dump.part]),
	"engine": ("the same by the registration engine alone", [Program("registration_bench", repeats=5)]),
	"tables": ("bindings, SAs and policies alone: inserts and removals a second, lookups in random order; 10,000 and 1,000,000",
		[Program("tables_bench", smoke=["2000"])]),
	"forward": ("cycles a packet, plain forwarding to 1 and 100,000 destinations, in process and port to port", [Program("forward_bench", smoke=["1000", "20000"]), ports.forwarding]),
	"ipip": ("cycles a packet, 1, 10,000 and 1,000,000 bindings in random order, in process and port to port",
		[Program("ipip_bench", ["1"], ["1", "20000"]), Program("ipip_bench", ["10000"], ["10000", "20000"]), Program("ipip_bench", smoke=["20000", "20000"]),
			ports.tunnels]),
	"esp": ("cycles a packet, ESP through the whole pipeline: in process beside the bare crypto call, port to port beside ipsec-secgw",
		[Program("esp_bench", smoke=["1000", "2"]), esp.part]),
	"esp-million": ("the same in process with 1,000,000 pairs, and their memory", [Program("esp_bench", ["1000000", "20"], ["2000", "2"])]),
	"scale": ("two workers against one through the whole pipeline: copies of the crypto library and one, and one fat SA on both",
		[Program("scale_bench", smoke=["50"]), Program("scale_bench", ["1000", "shared"], ["50", "shared"])]),
	"update": ("blocked time while 100,000 SA pairs, policies and bindings are added, moved and removed at 90 % of the load",
		[Program("update_bench", smoke=["500"])]),
	"latency": ("a packet's way through the dataplane at 10, 50 and 90 % load; from a registration to the first packet on the new path",
		[Program("latency_bench"), only(Program("control_bench", ["100000", "1"], ["4096", "0.2"]), r"^request in")]),
	"nodes": ("homeport-pktgen against both daemons: 10,000, 100,000 and 1,000,000 mobile nodes register, move and storm under traffic", [pktgen.nodes]),
	"ndr": ("the rate without loss (NDR) and with 0.5 % (PDR) of both daemons, homeport-pktgen's own search over memif", [pktgen.ndr]),
	"static": ("instructions a packet by callgrind and a static estimate of cycles by llvm-mca, of each path: immune to noise", [static.part]),
	"crypto": ("the crypto under ESP alone: the bare call and the engine, warm and with 1,000 and 100,000 keys",
		[Program("esp_crypto_bench", smoke=["1000", "3200"])]),
	"crypto-scale": ("two workers at once, with a copy of the crypto library each and on one", [Program("esp_scale_bench", smoke=["20"])]),
}

# What the project promises: (sentence, bench, figures by regular expression)
PROMISES = [
	("over 5,000,000 commands a second through the ring", "ring", r""),
	("1,000,000 bindings inserted at over 200,000 a second through control and rings", "bindings", r"^bindings inserted"),
	("the last tenth of them no slower than 0.8 of the first", "bindings", r"^last tenth"),
	("100,000 bindings replayed to a restarted dataplane within 2 s", "bindings", r"^resynchronisation"),
	("at least 20,000 authenticated registrations a second through the whole control path on one core",
		"control", r"CPU time"),  # a second of one core, whoever else wants it; the wall clock stands beside it in the table
	("ESP with 100,000 SAs in random order at most 1.4 of one SA at 64 octets, 1.45 at 1400", "esp", r"SAs to one$"),
	("two workers at least 1.9 times one, a fat SA on two at least 1.6 times one", "scale", r"two workers to one$"),
	("no packet lost by table changes at 90 % of the load", "update", r"^blocked"),
	("an SA pair in at most 3,072 octets", "esp", r"^memory of an SA pair"),
	("1,000,000 SA pairs in at most 4 GiB", "esp-million", r"pairs and their policies"),
]
# The same where the promise is to be ahead of a peer: (sentence, bench, figures, the peer)
AHEAD = [
	("ESP ahead of ipsec-secgw on every row", "esp", r"port to port$", "ipsec-secgw"),
	("ESP ahead of what VPP was noted to cost", "esp", r"", budget.NOTED),
	("IP-in-IP with 1,000,000 bindings ahead of what VPP was noted to cost with 10,000", "ipip", r"1000000", budget.NOTED),
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


def environment(context):
	"""What the programs of pktgen/bench ask of their environment."""
	extra = {"BENCH_RUNS": str(context.runs), "BENCH_RUN_S": str(context.run_s)}
	if not context.huge:
		extra["BENCH_NO_HUGE"] = "1"
	return {**os.environ, **extra}


def program(path, arguments, context, seconds=1800):
	"""Figures that a program printed, and its exit status; everything else it prints is passed on."""
	figures = []
	process = subprocess.Popen([path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
		stdin=subprocess.DEVNULL, env=environment(context))
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


def repeated(path, arguments, context, times):
	"""The median of each figure over several runs, with the spread; one run's figures come as they are."""
	rounds = []
	for _ in range(times):
		figures, status = program(path, arguments, context)
		if status or times == 1:
			return figures, status
		rounds.append(figures)
	medians = []
	for same in zip(*rounds):
		ranked = sorted(same, key=lambda figure: figure["value"])
		medians.append({**ranked[times // 2], "runs": times, "spread": [ranked[0]["value"], ranked[-1]["value"]]})
	return medians, 0


def complete(name, figure, hz):
	"""The row of a figure: every key is there, and a packet's cycles are told in the other units as well."""
	row = {key: None for key in KEYS}
	row["workers"] = 1
	row.update(figure)
	row["bench"] = name
	if row["cycles_per_packet"] and row["mpps"] is None and hz:
		row["mpps"] = round(hz / row["cycles_per_packet"] / 1e6, 3)
		row["gbps"] = round(row["mpps"] * row["size"] * 8 / 1000, 3) if row["size"] else None
	row["budget"] = row.get("budget") or budget.of(row)
	if budget.vpp(row):
		row["reference"] = {**(row["reference"] or {}), budget.NOTED: budget.vpp(row)}
	return row


def show(value):
	if isinstance(value, float):
		return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
	return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def ratios(row):
	"""How the figure stands to each of its references."""
	if not row["reference"] or not row["cycles_per_packet"]:
		return ""
	return ", ".join(f"x {row['cycles_per_packet'] / value:.2f} {name}" for name, value in row["reference"].items() if value)


def verdict(row):
	"""Whether the row does what is expected of it; empty where nothing is."""
	if row["budget"] and row["cycles_per_packet"]:
		return "reached" if row["cycles_per_packet"] <= row["budget"] else f"missed x {row['cycles_per_packet'] / row['budget']:.2f}"
	if "pass" in row:
		return "reached" if row["pass"] else "missed"
	return ""


def table(rows):
	"""One block for each bench; `target` is the budget in cycles or what is promised."""
	name = None
	for row in rows:
		if row["bench"] != name:
			name = row["bench"]
			print(f"\n{name:70} {'value':>12} {'unit':12} {'spread':>15} {'Mpps':>7} {'target':>8} {'':13} to the references")
		mpps = "" if row["mpps"] is None else f"{row['mpps']:.2f}"
		spread = "-".join(show(value) for value in row["spread"]) if row["spread"] and None not in row["spread"] else ""
		print(f"{str(row.get('figure', ''))[:70]:70} {show(row.get('value', '')):>12} {row.get('unit', ''):12} "
			f"{spread:>15} {mpps:>7} {show(row['budget'] or row.get('target') or ''):>8} {verdict(row):13} {ratios(row)}".rstrip())


def promises(rows, chosen):
	"""Says of each promise whether it is kept; True when all of those that were chosen are."""
	kept = True

	def say(good, found, text, values):
		nonlocal kept
		kept = kept and good
		print(f"  {'reached' if good else 'NOT REACHED' if found else 'NOT MEASURED':12}  {text}{': ' + values if values else ''}")

	print("\nwhat the project promises:")
	for text, bench, figure in PROMISES:
		found = [row for row in rows if row["bench"] == bench and re.search(figure, str(row.get("figure", ""))) and "pass" in row]
		if bench in chosen:
			say(bool(found) and all(row["pass"] for row in found), found, text,
				", ".join(f"{show(row['value'])} {row.get('unit', '')}".strip() for row in found))
	for text, bench, figure, peer in AHEAD:
		found = [row for row in rows if row["bench"] == bench and re.search(figure, str(row.get("figure", ""))) and (row["reference"] or {}).get(peer)]
		ahead = [row for row in found if row["cycles_per_packet"] < row["reference"][peer]]
		if bench in chosen:
			say(bool(found) and len(ahead) == len(found), found, text, f"{len(ahead)} of {len(found)} rows" if found else "")
	for bench in chosen:
		found = [row for row in rows if row["bench"] == bench and row["budget"] and row["cycles_per_packet"]]
		within = [row for row in found if row["cycles_per_packet"] <= row["budget"]]
		if found:
			say(len(within) == len(found), True, f"{bench} within the budget", f"{len(within)} of {len(found)} rows")
	return kept


def keep(rows, path):
	"""Appends the rows to the JSON file: after each bench, so that what was measured is there whatever happens later."""
	if path:
		with open(path, "a") as file:
			for row in rows:
				file.write(json.dumps({"time": int(time.time()), **row}) + "\n")


def run(names, context, path):
	"""All rows, and whether every part ended well."""
	rows, good = [], True
	for name in names:
		text, parts = BENCHES[name]
		print(f"{name}: {text}", flush=True)
		start, before = time.monotonic(), len(rows)
		for part in parts:
			figures, well = part(context)
			good = good and well
			rows += [complete(name, figure, context.hz) for figure in figures]
		keep(rows[before:], path)
		print(f"  {name} took {time.monotonic() - start:.0f} s", flush=True)
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
	parser.add_argument("--quick", action="store_true", help="a part of the rows, 3 runs of 0.5 s: half an hour in all (docs/figures.md)")
	parser.add_argument("--smoke", action="store_true", help="few entries, one short run: shows that all works, no figure to believe")
	parser.add_argument("--json", metavar="FILE", help="append one JSON object a line for each figure")
	arguments = parser.parse_args()
	for name in arguments.name:
		if name not in BENCHES:
			parser.error(f"no such benchmark: {name} ({', '.join(BENCHES)})")
	names = arguments.name or list(BENCHES)
	before = machine.busy()
	if before:
		print(f"note: {before}; absolute figures will be worse than they are")
	with machine.HugePages(not arguments.no_huge) as pages:
		print(f"{pages.count} huge pages of 2 MiB" if pages.count else f"without huge pages ({pages.why}): slower, for functional use")
		peers.Worker.patient = not arguments.smoke
		length = (1, 0.1) if arguments.smoke else (3, 0.5) if arguments.quick else (5, 2.0)
		rows, good = run(names, Context(arguments.build, pages.count > 0, machine.tsc_hz(), arguments.quick, arguments.smoke, *length), arguments.json)
	table(rows)
	if arguments.smoke:
		return 0 if good else 1
	kept = promises(rows, names)
	if before or machine.busy(own=1):
		print("note: the machine was busy; run again on a quiet one before believing an absolute figure")
	return 0 if good and kept else 1


if __name__ == "__main__":
	sys.exit(main())
