"""The parts of scripts/bench that are programs of the build: they print one JSON object a line for each figure."""
import json
import os
import re
import signal
import subprocess
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Program:
	"""Arguments and environment of a real run, and of one that only shows that it works; `repeats` for one that does not take its own
	median; `limit`: seconds after which it hangs. `again` says how one of its rows is measured anew: "text" by one more argument, "only" by
	BENCH_ONLY, None not at all."""

	def __init__(self, name, arguments=(), smoke=(), quick=None, repeats=1, environment=None, quick_environment=None, again=None, limit=900):
		self.name, self.arguments, self.smoke, self.repeats, self.again, self.limit = name, list(arguments), list(smoke), repeats, again, limit
		self.quick = self.arguments if quick is None else list(quick)
		self.environment, self.quick_environment = environment or {}, quick_environment or environment or {}

	def __call__(self, context):
		arguments = context.pick(self.arguments, self.quick, self.smoke)
		environment = context.pick(self.environment, self.quick_environment, self.quick_environment)
		yield from self.run(context, arguments, environment, 1 if context.smoke else min(self.repeats, context.runs))

	def run(self, context, arguments, environment, repeats=1):
		path = find(context.build, self.name)
		if not path:
			context.fail(f"no {self.name} in {context.build}")
			return
		started, seconds, rounds = time.monotonic(), None, []
		for _ in range(repeats):
			count = 0
			for figure in program(path, arguments, context, environment, min(self.limit, int(max(context.left(), 0)) + 60)):
				count += 1
				if repeats == 1:
					if figure.get("source") and seconds is None:
						seconds = time.monotonic() - started  # of the tables and one row: what another start takes
					yield {**figure, "_kind": "memory", "_again": self.unit(figure, arguments, environment, seconds)}
				elif count > len(rounds):
					rounds.append([figure])
				else:
					rounds[count - 1].append(figure)
			if not count:
				context.fail(f"{self.name} {' '.join(arguments)} printed no figure")
		yield from (median(same) for same in rounds)

	def unit(self, figure, arguments, environment, seconds):
		"""(name, seconds to have for it, part) to measure the row again."""
		if seconds is None:
			return None
		name, reference = str(figure.get("figure")), next(iter(figure.get("reference") or {}), "")
		if self.again == "text":
			text = name.rsplit(", ", 1)[0]
			return f"{self.name} {' '.join(arguments)} {text}", seconds + 20, lambda context: self.run(context, [*arguments, text], environment)
		if self.again == "only":
			size = re.search(r"(\d+) octets", name)
			beside = f"{reference}, {next((n for n in (1400, 512, 64) if size and n <= int(size.group(1))), '')} octets"
			only = {**environment, "BENCH_ONLY": f"{beside}|{name}"}
			return f"{self.name} {' '.join(arguments)} {name}", seconds + 20, lambda context: self.run(context, arguments, only)
		return None


def only(part, figures):
	"""Of a part those figures alone whose name is like the regular expression."""
	return lambda context: (row for row in part(context) if re.search(figures, str(row.get("figure", ""))))


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


def environment_of(context, more):
	"""What the programs of pktgen/bench ask of their environment."""
	extra = {"BENCH_RUNS": str(context.runs), "BENCH_RUN_S": str(context.run_s), **more}
	if not context.huge:
		extra["BENCH_NO_HUGE"] = "1"
	return {**os.environ, **extra}


def first():
	try:
		os.nice(-19)
	except OSError:
		pass  # not allowed: others on the processor cost time, not cycles


def late(number, frame):
	raise TimeoutError


def program(path, arguments, context, environment, seconds):
	"""Figures as it prints them; everything else it prints is passed on. Ended badly or late is said, what came before counts."""
	name = f"{os.path.basename(path)} {' '.join(arguments)}".strip()
	process = subprocess.Popen([path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, preexec_fn=first,
		stdin=subprocess.DEVNULL, env=environment_of(context, environment))
	signal.signal(signal.SIGALRM, late)
	signal.alarm(seconds)
	try:
		for line in process.stdout:
			found = parsed(line)
			yield from found
			if not found and not line.startswith(("EAL:", "TELEMETRY:")):
				print("  " + line.rstrip(), flush=True)
		if process.wait():
			context.fail(f"{name} ended with status {process.returncode}")
	except TimeoutError:
		context.fail(f"{name} was not done after {seconds} s")
	finally:
		signal.alarm(0)
		if process.poll() is None:
			process.kill()
			process.wait()


def median(same):
	"""Of one figure over several runs, with the spread."""
	ranked = sorted(same, key=lambda figure: figure["value"])
	return {**ranked[len(ranked) // 2], "runs": len(ranked), "spread": [ranked[0]["value"], ranked[-1]["value"]]}
