"""What the parts of scripts/bench share: how long to measure, where failures go, the rows and which of them were taken on a shared core.

The processor may be one half of a core whose other half is somebody else's. The source alone tells: the same loop over the same frames
costs 1.4 times as much then, whatever is measured behind it. A row whose source was SHARED times the lowest source of its kind in the
run is marked, and measured once or twice again at the end if there is time; the one with the lowest source is kept, whatever its
result: the rule never looks at the result.
"""
import json
import os
import time

import bench_budget as budget

KEYS = ("bench", "direction", "suite", "size", "entries", "udp", "workers", "cycles_per_packet", "mpps", "gbps", "reference", "runs", "spread")
DIRECTIONS = ("out", "in", "forward")
SHARED = 1.3
AGAIN = 2  # times at most


class Context:
	"""huge: huge pages are there; hz: of the TSC; quick: a part of the rows and shorter runs; smoke: only shows that all works; runs of
	run_s seconds each; seconds: for all of it."""

	def __init__(self, build, huge, hz, quick, smoke, runs, run_s, seconds):
		self.build, self.huge, self.hz, self.quick, self.smoke, self.runs, self.run_s = build, huge, hz, quick, smoke, runs, run_s
		self.end, self.failures, self.long = time.monotonic() + seconds, [], False

	def left(self):
		return self.end - time.monotonic()

	def fail(self, text):
		"""Says why something was not measured; the run goes on, its exit status tells."""
		self.failures.append(text)
		print(f"  NOT MEASURED: {text}", flush=True)

	def pick(self, whole, quick, smoke):
		return smoke if self.smoke else quick if self.quick else whole


def number(value):
	return isinstance(value, (int, float)) and not isinstance(value, bool)


def complete(name, figure, hz):
	"""The row of a figure: every key is there, and a packet's cycles are told in the other units as well."""
	row = {key: None for key in KEYS}
	row["workers"] = 1
	row.update({key: value for key, value in figure.items() if not key.startswith("_")})
	row["bench"] = name
	if row["runs"] is None and number(row.get("value")):
		row["runs"], row["spread"] = 1, [row["value"], row["value"]]
	if row["cycles_per_packet"] and row["mpps"] is None and hz:
		row["mpps"] = round(hz * row["workers"] / row["cycles_per_packet"] / 1e6, 3)
		row["gbps"] = round(row["mpps"] * row["size"] * 8 / 1000, 3) if row["size"] else None
	row["budget"] = budget.of(row)
	row["reference"] = dict(row["reference"] or {})
	if budget.vpp(row):
		row["reference"][budget.NOTED] = budget.vpp(row)
	return row


def faults(row):
	"""What a row lacks of what every row has, and of what each has that says a packet's cycles."""
	for key in KEYS:
		if key not in row:
			yield f"no {key}"
	if not isinstance(row.get("reference"), dict) or not all(isinstance(name, str) and number(value) for name, value in row["reference"].items()):
		yield "reference is no object of numbers"
	if number(row.get("value")) and not row.get("runs"):
		yield "a number of no runs"
	if row.get("unit") != "cycles" and row.get("cycles_per_packet") is None:
		return
	for key in ("size", "entries", "workers", "cycles_per_packet", "mpps", "gbps", "runs"):
		if not number(row.get(key)) or row[key] <= 0:
			yield f"{key} is no number"
	if row.get("direction") not in DIRECTIONS:
		yield f"direction is {row.get('direction')}"
	if not isinstance(row.get("udp"), bool):
		yield "udp is neither true nor false"
	if isinstance(row.get("suite"), str) != ("ESP" in row.get("figure", "") or row.get("bench", "").startswith("crypto")):
		yield f"suite is {row.get('suite')}"
	if row.get("run_s") is not None and row["run_s"] < 0.99 * row.get("machine", {}).get("run_s", 0):
		yield f"a run of {row['run_s']} s"
	spread = row.get("spread")
	if not isinstance(spread, list) or len(spread) != 2 or not all(number(value) for value in spread) or not spread[0] <= row.get("value", 0) <= spread[1]:
		yield f"spread is {spread}, the figure {row.get('value')}"


class Rows:
	"""All rows of a run, in the order in which they came; each is appended to the file as it comes. finish() puts the file's part of this
	run in order: one line for each figure, with its final mark."""

	def __init__(self, path, machine):
		self.path, self.rows, self.agains, self.kinds, self.machine = path, [], [], [], machine
		self.start = os.path.getsize(path) if path and os.path.exists(path) else 0
		self.unwritten = None  # why the file has not all of the rows

	def add(self, name, figure, hz):
		row = {**complete(name, figure, hz), "time": int(time.time())}
		self.rows.append(row)
		self.agains.append(figure.get("_again"))
		size = budget.nearest(row["size"]) if isinstance(row["size"], int) else None
		self.kinds.append((figure.get("_kind"), row["direction"] == "in", row["size"] if size is None else size, row.get("inside")))
		self.write([row])
		return row

	def write(self, rows):
		"""A file that cannot be written, a full disk say, does not end what is being measured: finish() tells."""
		if not self.path:
			return
		try:
			with open(self.path, "a") as file:
				file.writelines(json.dumps({**row, "machine": self.machine}) + "\n" for row in rows)
			self.unwritten = None
		except OSError as error:
			self.unwritten = error.strerror

	def lowest(self, kind):
		"""The source depends on the frame's length alone, so programs that have the same source are one kind."""
		return min(row["source"] for row, other in zip(self.rows, self.kinds) if other == kind and row.get("source"))

	def mark(self):
		"""Which rows were taken on a shared core, as far as is known now."""
		for row, kind in zip(self.rows, self.kinds):
			if row.get("source"):
				row["source_lowest"] = self.lowest(kind)
				row["shared"] = row["source"] > SHARED * row["source_lowest"]

	def repeat(self, context):
		"""Marked rows again, the most disturbed ones first, while there is time."""
		for turn in range(AGAIN):
			self.mark()
			marked = [n for n, row in enumerate(self.rows) if row.get("shared") and self.agains[n]]
			units = {}
			for n in sorted(marked, key=lambda n: -self.rows[n]["source"] / self.rows[n]["source_lowest"]):
				units.setdefault(self.agains[n][0], self.agains[n])
			for key, seconds, part in units.values():
				if context.left() < seconds:
					print(f"  no time left for {key} again", flush=True)
					continue
				print(f"again ({turn + 1}), the core was shared: {key}", flush=True)
				try:
					for figure in part(context):
						self.replace(figure, context.hz)
				except Exception as error:  # what was measured before stays
					print(f"  {key}: not measured again: {error}", flush=True)
		self.mark()

	def replace(self, figure, hz):
		"""Keeps the one with the lower source, and says what the other was."""
		for n, old in enumerate(self.rows):
			if old.get("figure") != figure.get("figure") or not old.get("source") or not figure.get("source"):
				continue
			new = complete(old["bench"], figure, hz)
			kept, other = (new, old) if new["source"] < old["source"] else (old, new)
			tried = old.get("tried", []) + [{"value": other["value"], "source": other["source"]}]
			self.rows[n] = {**kept, "time": int(time.time()), "tried": tried}
			print(f"  {old['figure']}: {old['value']} (source {old['source']}), again {new['value']} (source {new['source']})", flush=True)
			return

	def finish(self):
		"""Returns why the file has not all of the rows, or None."""
		self.mark()
		if self.path and self.rows and os.path.isfile(self.path):  # a pipe has the rows as they came
			try:
				with open(self.path, "r+") as file:
					file.truncate(self.start)
			except OSError as error:
				self.unwritten = error.strerror
			else:
				self.write(self.rows)
		return self.unwritten
