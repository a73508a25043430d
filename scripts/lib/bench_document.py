#!/usr/bin/python3
"""Writes the tables of docs/performance.md from a JSON file of scripts/bench: the last row of each figure, between the two marks.

	scripts/lib/bench_document.py FILE [DOCUMENT]
"""
import json
import os
import re
import sys
import time

sys.dont_write_bytecode = True
import bench_budget as budget  # noqa: E402
from bench_verdict import judged, show  # noqa: E402

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BEGIN, END = "<!-- begin: scripts/lib/bench_document.py -->\n", "<!-- end: scripts/lib/bench_document.py -->\n"
COLUMNS = ("64", "512", "1400", "IMIX")
IN_PROCESS = {"esp": "ESP", "esp-million": "ESP, 1,000,000 SAs", "ipip": "IP-in-IP and MIP-UDP", "forward": "Forwarding", "suites": "ESP, other algorithms"}
LISTS = {"scale": "Two workers", "update": "Changes under load", "latency": "Latency", "control": "Control", "tables": "Tables",
	"bindings": "Bindings through control, rings and tables", "ring": "The ring", "engine": "The registration engine alone", "nodes": "Mobile nodes under traffic",
	"nodes-million": "1,000,000 mobile nodes under traffic", "ndr": "The rate without loss, by homeport-pktgen over memif",
	"ndr-long": "The rate without loss, longer trials", "crypto": "The crypto alone", "crypto-scale": "The crypto alone, two workers", "static": "Instructions a packet"}


def rows_read(path):
	rows = {}
	with open(path) as file:
		for line in file:
			row = json.loads(line)
			rows.pop((row["bench"], row["figure"]), None)
			rows[row["bench"], row["figure"]] = row
	return list(rows.values())


def column(row):
	if "IMIX" in row["figure"]:
		return "IMIX"
	near = budget.nearest(row["size"]) if row["size"] else None
	return COLUMNS[near] if near is not None else None


def label(row):
	return re.sub(r", (\d+ octets|IMIX)", "", row["figure"])


def number(value):
	return f"{value:.0f}"


def three(found, value):
	"""What is beside a path: at 64, 512 and 1400 octets."""
	values = [value(found[name]) if name in found else None for name in COLUMNS[:3]]
	return " / ".join("" if one is None else number(one) for one in values) if any(one is not None for one in values) else ""


def bare(row):
	return next((value for name, value in row["reference"].items() if name in ("bare, keys fetched ahead", "engine alone")), None)


def in_process(rows, name):
	paths = {}
	for row in rows:
		if row["bench"] == name and row["cycles_per_packet"] and column(row) and not budget.ported(row):
			paths.setdefault(label(row), {})[column(row)] = row
	if not paths:
		return
	imix = any("IMIX" in found for found in paths.values())
	names = COLUMNS if imix else COLUMNS[:3]
	yield f"### {IN_PROCESS[name]}\n\n"
	yield "| cycles (budget) | " + " | ".join(names) + " | the crypto alone | the rest | source | VPP, noted |\n|" + "---|" * (len(names) + 5) + "\n"
	for path, found in paths.items():
		cells = []
		for at in names:
			row = found.get(at)
			cells.append("" if row is None else number(row["cycles_per_packet"]) + ("*" if row.get("shared") else "")
				+ (f" ({number(row['budget'])})" if row["budget"] else ""))
		yield (f"| {path} | " + " | ".join(cells) + f" | {three(found, bare)} | {three(found, lambda row: row.get('rest'))} | "
			f"{three(found, lambda row: row.get('source'))} | {three(found, lambda row: row['reference'].get(budget.NOTED))} |\n")
	yield "\n"


def ported(rows):
	found = [row for row in rows if row["cycles_per_packet"] and budget.ported(row)]
	if not found:
		return
	peers = sorted({name for row in found for name in row["reference"]})
	yield "### Port to port\n\n| cycles | homeport | " + " | ".join(peers) + " |\n|" + "---|" * (len(peers) + 2) + "\n"
	for row in found:
		values = [number(row["reference"][name]) if name in row["reference"] else "" for name in peers]
		yield f"| {row['figure'].replace(', port to port', '')} | {number(row['cycles_per_packet'])}{'*' if row.get('shared') else ''} | " + " | ".join(values) + " |\n"
	yield "\n"


def plain(rows, name):
	"""Figures that are no cycles of one worker: a line each."""
	found = [row for row in rows if row["bench"] == name and not (name in IN_PROCESS and row["cycles_per_packet"]) and not budget.ported(row)]
	if not found:
		return
	yield f"### {LISTS.get(name, IN_PROCESS.get(name))}{', beside' if name in IN_PROCESS else ''}\n\n| | | lowest to highest | promised |\n|---|---|---|---|\n"
	for row in found:
		spread = " to ".join(map(show, row["spread"])) if (row["runs"] or 0) > 1 and row["spread"] and None not in row["spread"] else ""
		promised = f"{show(row['target'])}{'' if row.get('pass') else ', **missed**'}" if row.get("target") is not None else ""
		value = show(row["value"]) if not isinstance(row["value"], str) else row["value"]
		yield f"| {row['figure']} | {value} {row.get('unit', '')} | {spread} | {promised} |\n"
	yield "\n"


def verdict(rows):
	found = [row for row in rows if row["budget"] and row["cycles_per_packet"]]
	over = [row for row in found if row["cycles_per_packet"] > row["budget"]]
	yield f"Of {len(found)} rows with a budget {len(found) - len(over)} are within it"
	yield ".\n\n" if not over else "; above it: " + ", ".join(
		f"{row['figure']} by {row['cycles_per_packet'] / row['budget'] - 1:.0%}" for row in over) + ".\n\n"


def promised(rows):
	"""What is promised of the benchmarks that are there."""
	yield "### What is promised\n\n| promise | | |\n|---|---|---|\n"
	for result, text, values in judged(rows, list(dict.fromkeys(row["bench"] for row in rows))):
		yield f"| {text} | {result if result == 'reached' else f'**{result.lower()}**'} | {values} |\n"
	yield "\n"


def commits(rows):
	"""The last one measured, and what is of others."""
	benches = {}
	for row in rows:
		benches.setdefault(row.get("machine", {}).get("commit"), {})[row["bench"]] = None
	last = max(rows, key=lambda row: row["time"]).get("machine", {}).get("commit")
	every = [name for names in benches.values() for name in names]
	others = [", ".join(name + " in part" * (every.count(name) > 1) for name in names) + f": {commit}" for commit, names in benches.items() if commit != last]
	return f"commit {last}" + "".join(f"; {one}" for one in others)


def text(rows):
	machine = rows[-1].get("machine", {})
	day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(max(row["time"] for row in rows)))
	yield f"Measured until {day} UTC on {machine.get('processors')} processors, {machine.get('processor')}, Linux {machine.get('kernel')}, {commits(rows)}. "
	if machine.get("run_s", 0) < 2:
		yield "**Short runs on a busy machine: they show what there is to measure, and ratios at best.** "
	shared = sum(bool(row.get("shared")) for row in rows)
	yield f"{shared} rows with * were taken while somebody shared the core.\n\n" if shared else "No row was taken while somebody shared the core.\n\n"
	yield from verdict(rows)
	yield from promised(rows)
	for name in IN_PROCESS:
		yield from in_process(rows, name)
	yield from ported(rows)
	for name in [*IN_PROCESS, *LISTS]:
		yield from plain(rows, name)


def main():
	path = sys.argv[2] if len(sys.argv) > 2 else os.path.join(ROOT, "docs/performance.md")
	with open(path) as file:
		document = file.read()
	head, rest = document.split(BEGIN)
	_, tail = rest.split(END)
	with open(path, "w") as file:
		file.write(head + BEGIN + "\n" + "".join(text(rows_read(sys.argv[1]))) + END + tail)


if __name__ == "__main__":
	main()
