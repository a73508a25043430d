"""Runs the benchmarks and puts their figures in one table; called by scripts/bench.

A benchmark is one or more parts. A part yields its figures as they come, objects of {"figure": ..., "value": ..., "unit": ...,
"reference": {name: cycles a packet}, ...}: a program of pktgen/bench prints them (bench_program), a module here measures whole programs
port to port. Absolute values move with the machine, so what a figure is compared with is measured in the same run, taking turns
with it. "target" and "pass" stand where the project promises something. What fails is said, and the next part runs.

A row of the JSON file always has the keys of bench_context.KEYS (null where one does not apply) beside the figure's own. At the end
rows that were taken while somebody shared the core are measured again (bench_context), then each figure that the project promises is
said to be reached, not reached or not measured; anything but reached is exit status 1.
"""
import argparse
import os
import platform
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import bench_dump as dump  # noqa: E402
import bench_esp as esp  # noqa: E402
import bench_machine as machine  # noqa: E402
import bench_peers as peers  # noqa: E402
import bench_pktgen as pktgen  # noqa: E402
import bench_ports as ports  # noqa: E402
import bench_static as static  # noqa: E402
import bench_verdict as verdict  # noqa: E402
from bench_context import Context, Rows  # noqa: E402
from bench_program import Program, only  # noqa: E402

MINUTES = 75
RESERVE_S = 20


def storms(nodes):
	"""First registrations are one run of the program: a node is new once. The median of several starts, which do little else."""
	return only(Program("control_bench", [nodes], ["4096"], repeats=5, environment={"BENCH_RUNS": "1", "BENCH_RUN_S": "0.01"}), r"^first registrations")


def tunnels_few(bindings):
	"""IP-in-IP alone, 64 octets: what stands beside VPP's figures."""
	return Program("ipip_bench", [bindings], [bindings, "20000"], again="only",
		environment={"BENCH_SIZES": "64", "BENCH_ONLY": f"plain forwarding beside {bindings} IP-in-IP|IP-in-IP"})


# name: (what it measures, seconds of the whole and of --quick on a quiet machine, parts); in the order of what is wanted first
BENCHES = {
	"esp": ("ESP through the whole pipeline: in process beside the bare crypto call, port to port beside ipsec-secgw", 900, 300,
		[Program("esp_bench", ["100000", "60"], ["1000", "2"], again="text"), esp.part]),
	"ipip": ("1, 10,000 and 1,000,000 bindings in random order, in process and port to port beside testpmd and l3fwd", 550, 200,
		[Program("ipip_bench", smoke=["20000", "20000"], again="only"), tunnels_few("10000"), tunnels_few("1"), ports.tunnels]),
	"forward": ("plain forwarding to 1 and 100,000 destinations, in process and port to port", 400, 150,
		[Program("forward_bench", smoke=["1000", "20000"], again="only"), ports.forwarding]),
	"esp-million": ("ESP in process with 1,000,000 pairs, and their memory", 120, 60,
		[Program("esp_bench", ["1000000", "20"], ["2000", "2"], again="text")]),
	"scale": ("two workers against one through the whole pipeline: copies of the crypto library and one, SAs owned by workers, one fat SA on both; what the machine lets two do", 440, 140,
		[Program("scale_bench", ["1000", "apart"], ["50", "apart"]), Program("scale_bench", smoke=["50"]), Program("scale_bench", ["1000", "owned"], ["50", "owned"]), Program("scale_bench", ["1000", "shared"], ["50", "shared"])]),
	"update": ("blocked time while 100,000 SA pairs, policies and bindings are added, moved and removed at 90 % of the load; what changes take of a worker", 150, 70,
		[Program("update_bench", smoke=["500"], limit=400)]),
	"latency": ("a packet's way through the dataplane at 10, 50 and 90 % load; from a registration to the first packet on the new path", 90, 40,
		[Program("latency_bench"), only(Program("control_bench", ["100000"], ["4096"]), r"^request in")]),
	"control": ("authenticated registrations a second through homeport-control on one core, a storm of 1,000,000 nodes, dump times", 240, 150,
		[storms("1000000"), only(Program("control_bench", ["1000000"], ["4096"]), r"^(?!first registrations)"), dump.part]),
	"tables": ("bindings, SAs and policies alone: inserts and removals a second, lookups in random order; 10,000 and 1,000,000", 150, 60,
		[Program("tables_bench", smoke=["2000"])]),
	"ring": ("commands a second through the shared ring", 45, 10, [Program("ring_bench", ["2000"], ["20"], quick=["500"], repeats=5)]),
	"bindings": ("1,000,000 bindings through control's mirror, the rings and the tables", 40, 20, [Program("binding_insert_bench", smoke=["20000"], repeats=5)]),
	"static": ("instructions a packet by callgrind and a static estimate of cycles by llvm-mca, of each path: immune to noise", 60, 60, [static.part]),
	"suites": ("ESP with other algorithms than AES-GCM, one pair of SAs: in process beside the crypto engine alone, port to port beside ipsec-secgw", 590, 110,
		[Program("esp_suites_bench", ["60"], ["2"], again="text"), esp.suites]),
	"nodes": ("homeport-pktgen against both daemons: 10,000 and 100,000 mobile nodes register, move and storm under traffic", 60, 60, [pktgen.nodes]),
	"ndr": ("the rate without loss (NDR) and with 0.5 % (PDR) of both daemons, homeport-pktgen's own search over memif", 100, 100, [pktgen.ndr]),
}
# Only when they are named: long, or a part of what the others show.
NAMED = {
	"engine": ("registrations by the registration engine alone", 60, 30, [Program("registration_bench", repeats=5)]),
	"crypto": ("the crypto under ESP alone: the bare call and the engine, warm and with 1,000 and 100,000 keys", 120, 120,
		[Program("esp_crypto_bench", smoke=["1000", "3200"])]),
	"crypto-scale": ("two workers at once, with a copy of the crypto library each and on one", 10, 10, [Program("esp_scale_bench", smoke=["20"], repeats=5)]),
	"nodes-million": ("as nodes, with 1,000,000", 300, 300, [pktgen.nodes_million]),
	"ndr-long": ("as ndr, with trials of 1 s, width 0.5 %, 64 and 1400 octets", 900, 900, [pktgen.ndr_long]),
}
ALL = {**BENCHES, **NAMED}


def part_run(name, part, context, rows):
	"""Its rows as they come, until there is no time left."""
	figures = part(context)
	try:
		for figure in figures:
			print("  " + verdict.line(rows.add(name, figure, context.hz)), flush=True)
			if context.left() < 0:
				context.fail(f"{name}, what came after {figure.get('figure')}: no time left")
				break
	except Exception as error:  # a fault of one part is not the others'
		context.fail(f"{name}: {type(error).__name__}: {error}")
	finally:
		getattr(figures, "close", lambda: None)()  # ends what it started


def run(names, context, rows):
	"""Every part of the names, in turn; what fails is said in context.failures."""
	for name in names:
		text, whole, quick, parts = ALL[name]
		expected = context.pick(whole, quick, 0) / len(parts)
		print(f"{name}: {text}", flush=True)
		start = time.monotonic()
		for number, part in enumerate(parts):
			if context.left() < max(expected / 2, RESERVE_S):
				context.fail(f"{name}, part {number + 1}: no time left")
				continue
			part_run(name, part, context, rows)
		print(f"  {name} took {time.monotonic() - start:.0f} s", flush=True)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop(number, frame):
	for other in SIGNALS:
		signal.signal(other, signal.SIG_IGN)  # once is enough: what was started is ended now, huge pages are given back
	raise SystemExit(128 + number)


def writable(parser, path):
	"""Said before an hour is spent, not after."""
	try:
		fresh = not os.path.exists(path)
		open(path, "a").close()
		if fresh:
			os.unlink(path)
	except OSError as error:
		parser.error(f"--json {path}: {error.strerror}")


def description():
	"""On what the figures were taken."""
	with open("/proc/cpuinfo") as file:
		found = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
	commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=os.path.dirname(__file__)).stdout.strip()
	return {"processor": found.group(1) if found else platform.processor(), "processors": os.cpu_count(), "kernel": platform.release(), "commit": commit}


def arguments_parse():
	names = "\n".join(f"  {name:13} {row[1]:5} {row[2]:5}  {row[0]}{'' if name in BENCHES else ' (only when named)'}" for name, row in ALL.items())
	whole, quick = (sum(row[n] for row in BENCHES.values()) / 60 for n in (1, 2))
	parser = argparse.ArgumentParser(prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
		description="Runs benchmarks, prints each row as it comes, a table and what is reached at the end.",
		epilog=f"names, and the seconds each takes, whole and --quick (quiet machine; {whole:.0f} and {quick:.0f} minutes in all):\n{names}")
	parser.add_argument("name", nargs="*", help="all when none is named")
	parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
	parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
	parser.add_argument("--no-huge", action="store_true", help="without huge pages")
	parser.add_argument("--quick", action="store_true", help="a part of the rows, 3 runs of 0.5 s (docs/figures.md)")
	parser.add_argument("--smoke", action="store_true", help="few entries, one short run: shows that all works, no figure to believe")
	parser.add_argument("--json", metavar="FILE", help="append one JSON object a line for each figure, as it comes")
	parser.add_argument("--minutes", type=float, default=MINUTES, help=f"begin nothing more after that many ({MINUTES}); rows of a shared core are repeated while there is time")
	arguments = parser.parse_args()
	for name in arguments.name:
		if name not in ALL:
			parser.error(f"no such benchmark: {name} ({', '.join(ALL)})")
	if arguments.json:
		writable(parser, arguments.json)
	return arguments


def main():
	for number in SIGNALS:
		signal.signal(number, stop)
	arguments = arguments_parse()
	if arguments.check:
		return 0
	names = arguments.name or list(ALL if arguments.smoke else BENCHES)
	before = machine.busy()
	if before:
		print(f"note: {before}; absolute figures will be worse than they are")
	length = (1, 0.1) if arguments.smoke else (3, 0.5) if arguments.quick else (5, 2.0)
	rows, start = Rows(arguments.json, {**description(), "run_s": length[1]}), time.monotonic()
	with machine.HugePages(not arguments.no_huge) as pages:
		print(f"{pages.count} huge pages of 2 MiB" if pages.count else f"without huge pages ({pages.why}): slower, for functional use")
		peers.Worker.patient = not arguments.smoke
		context = Context(arguments.build, pages.count > 0, machine.tsc_hz(), arguments.quick, arguments.smoke, *length, arguments.minutes * 60)
		try:
			run(names, context, rows)
			if not arguments.smoke:
				rows.repeat(context)
		except SystemExit:
			print(f"\nstopped; {len(rows.rows)} rows were measured", flush=True)
			raise
		finally:
			unwritten = rows.finish()
			if unwritten:
				context.fail(f"{arguments.json}: {unwritten}")
	verdict.table(rows.rows)
	kept = arguments.smoke or verdict.promises(rows.rows, names)
	for failure in context.failures:
		print(f"not measured: {failure}")
	if not arguments.smoke and (before or machine.busy(own=1)):
		print("note: the machine was busy; run again on a quiet one before believing an absolute figure")
	print(f"{len(rows.rows)} rows in {(time.monotonic() - start) / 60:.1f} minutes")
	return 0 if kept and not context.failures else 1


if __name__ == "__main__":
	sys.exit(main())
