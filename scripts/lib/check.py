"""Builds homeport in the ways that find errors and runs its suites; called by scripts/check.

A part is one build with the suites that run on it, or a test of the sources themselves. Every test case counts: the
lines of a program that speaks TAP one by one, any other program as one. A case that did not run is skipped, with its
reason printed; it never counts as passed. A build that fails is a failed case too, so that the closing line cannot be green without it.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
JOBS = str(os.cpu_count() or 1)

GCC_SUITES = ["unit", "vectors", "walk", "scenario", "fuzz", "bench-smoke", "e2e", "interop", "lint"]
SANITIZED = ["unit", "vectors", "walk", "fuzz"]
THREADED = ["unit", "vectors", "scenario"]
FUZZ_SECONDS = 60

PARTS = {
	"unit": "cmocka programs of one file each (gcc)",
	"vectors": "the worked packets of the requirement lists (gcc)",
	"walk": "pcap in, pcap out and exactly these counters (gcc)",
	"scenario": "control in simulated time (gcc)",
	"replay": "the fuzz corpus as plain tests (gcc)",
	"bench-smoke": "each benchmark, briefly",
	"bench-guard": "instructions a packet and static cycles of each path beside the stored ones (release build)",
	"e2e": "both daemons over veth, Scapy as the peer (root)",
	"interop": "strongSwan's charon as gateway and as peer (root)",
	"lint": "layering, headers, names, format, generated documents",
	"clang": "everything compiles with clang without a warning",
	"asan": "unit, vectors, walk and corpus under ASan and UBSan (clang)",
	"tsan": "unit and scenario without DPDK under TSan (clang)",
	"fuzz": "one minute of fresh fuzzing for each target (not in the default run)",
	"tidy": "clang-tidy over every source file (not in the default run)",
}
DEFAULT = [name for name in PARTS if name not in ("fuzz", "tidy")]
SUITE_OF = {"replay": "fuzz"}

total = collections.Counter()
counting = threading.Lock()
failures = []


def count(result, name, why=""):
	"""Counts "ok", "skip" or "fail", and returns it."""
	with counting:
		total[result] += 1
		if result == "fail":
			failures.append(name)
	if result == "skip":
		print(f"  skipped: {name}: {why or 'no reason given'}", flush=True)
	elif result == "fail":
		print(f"  FAILED: {name}{': ' + why if why else ''}", flush=True)
	return result


def closing(tally):
	return f"{tally['ok']} passed, {tally['fail']} failed, {tally['skip']} skipped"


def polite(command):
	"""What runs beside tests with deadlines gives way to them."""
	return command if threading.current_thread() is threading.main_thread() else ["nice", "-n", "15", *command]


def run(command, log, env=None):
	command = polite(command)
	with open(log, "ab") as out:
		out.write(("\n$ " + " ".join(command) + "\n").encode())
		out.flush()
		return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
			env={**os.environ, **(env or {})}).returncode


def tail(log, lines=40):
	with open(log, errors="replace") as file:
		sys.stdout.write("".join("    | " + line for line in file.readlines()[-lines:]))
	sys.stdout.flush()


def build(name, compiler, options):
	"""Sets up and compiles build-check/NAME; returns the directory, or None after counting the failure."""
	directory = os.path.join("build-check", name)
	path = os.path.join(ROOT, directory)
	log = os.path.join(ROOT, "build-check", name + ".log")
	os.makedirs(os.path.dirname(log), exist_ok=True)
	open(log, "w").close()
	start = time.monotonic()
	cc = f"ccache {compiler}" if shutil.which("ccache") else compiler
	setup = ["meson", "setup", directory, "-Dwerror=true", "-Dtests=enabled"] + options
	if os.path.isfile(os.path.join(path, "build.ninja")):
		setup += ["--reconfigure"]
	elif os.path.isdir(path):
		shutil.rmtree(path)
	if run(setup, log, {"CC": cc}) or run(["ninja", "-C", directory, "-j", JOBS], log):
		tail(log)
		count("fail", f"build {name}")
		return None
	print(f"build {name}: ok ({time.monotonic() - start:.0f} s)", flush=True)
	count("ok", f"build {name}")
	return directory


TAP = re.compile(r"^(not )?ok\b\s*(\d*)\s*-?\s*(.*)$")


def count_test(test, label):
	"""One meson test: its TAP lines, or itself. Returns how many of each result."""
	name = f"{label}: {test['name']}"
	result = test["result"]
	output = test.get("stdout", "") or ""
	lines = [TAP.match(line) for line in output.splitlines()]
	lines = [line for line in lines if line]
	tally = collections.Counter()
	for line in lines:
		text = line.group(3)
		skip = re.search(r"#\s*skip\S*\s*(.*)$", text, re.I)
		if skip:  # cmocka says "not ok N # SKIP name", and why in a comment before it
			case = text[:skip.start()].strip() or skip.group(1)
			why = re.search(r"^# " + re.escape(case) + r" skipped: (.*)$", output, re.M)
			tally[count("skip", f"{name}: {case}", why.group(1) if why else skip.group(1))] += 1
		elif line.group(1):
			tally[count("fail", f"{name}: {text}")] += 1
		else:
			tally[count("ok", name)] += 1
	if result == "SKIP" and not lines:
		why = [line for line in (output + (test.get("stderr") or "")).splitlines() if line.strip()]
		tally[count("skip", name, why[-1].strip() if why else "")] += 1
	elif result in ("OK", "EXPECTEDFAIL"):
		if not lines:
			tally[count("ok", name)] += 1
	elif tally["skip"] and not tally["fail"] and test.get("returncode") == 0:
		result = "OK"  # meson takes cmocka's skipped cases for failed ones
	elif result != "SKIP" and not tally["fail"]:
		tally[count("fail", name, f"{result.lower()}, exit status {test.get('returncode')}")] += 1
	if result not in ("OK", "EXPECTEDFAIL", "SKIP"):
		text = (output + (test.get("stderr") or "")).splitlines()
		print("\n".join("    | " + line for line in text[-60:]), flush=True)
	return tally


# Tests that share the machine's clock or its network run one by one, the others side by side.
ALONE = ["e2e", "interop", "bench-smoke"]


def run_suites(directory, suites, label, env=None):
	jobs = "1" if suites[0] in ALONE else JOBS
	log = os.path.join(ROOT, directory, "meson-logs", "testlog.json")
	if os.path.exists(log):
		os.remove(log)
	command = ["meson", "test", "-C", directory, "--no-rebuild", "--num-processes", jobs, "-t", "5"]  # a shared machine may be that much slower
	for suite in suites:
		command += ["--suite", suite]
	start = time.monotonic()
	run(command, os.path.join(ROOT, directory + ".log"), env)
	tests = []
	if os.path.exists(log):
		with open(log, errors="replace") as file:
			tests = [json.loads(line) for line in file if line.strip()]
	tally = sum((count_test(test, label) for test in tests), collections.Counter())
	print(f"{label}: {' '.join(suites)}: {closing(tally)} ({time.monotonic() - start:.0f} s)", flush=True)


def sanitizer_env(name):
	suppressions = os.path.join(ROOT, "tests", "lint", f"{name}.supp")
	extra = f":suppressions={suppressions}" if os.path.exists(suppressions) else ""
	symbolizer = shutil.which("llvm-symbolizer") or ""
	return {
		"ASAN_OPTIONS": f"abort_on_error=0:detect_stack_use_after_return=1:external_symbolizer_path={symbolizer}",
		"LSAN_OPTIONS": "print_suppressions=0" + (extra if name == "lsan" else ""),
		"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
		"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1" + (extra if name == "tsan" else ""),
	}


def part_asan():
	directory = build("asan", "clang", ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Doptimization=1"])
	if directory:
		run_suites(directory, SANITIZED, "asan", sanitizer_env("lsan"))


def part_tsan():
	directory = build("tsan", "clang", ["-Db_sanitize=thread", "-Db_lundef=false", "-Ddataplane=disabled",
		"-Doptimization=1"])
	if directory:
		run_suites(directory, THREADED, "tsan", sanitizer_env("tsan"))


def part_guard(update):
	"""Figures without a clock: bench_static.py says what they are."""
	directory = os.path.join("build-check", "guard")
	log = os.path.join(ROOT, "build-check", "guard-run.log")
	os.makedirs(os.path.dirname(log), exist_ok=True)
	open(log, "w").close()
	# As scripts/bench builds.
	if run(["scripts/lib/build", directory, "-Dbuildtype=release", "-Doptimization=3", "-Db_ndebug=true", "-Db_lto=true"], log,
			{"BUILD_ONLY": "pktgen/bench/(forward|ipip|esp)_bench"}):
		tail(log)
		count("fail", "build guard")
		return
	count("ok", "build guard")
	command = [sys.executable, "scripts/lib/bench_static.py", "--build", directory, *(["--update"] if update else [])]
	result = subprocess.run(polite(command), cwd=ROOT,
		stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
	print("".join(f"    | {line}\n" for line in result.stdout.splitlines()), end="", flush=True)
	count_test({"name": "paths", "result": "FAIL" if result.returncode else "OK", "returncode": result.returncode, "stdout": result.stdout}, "bench-guard")


def part_fuzz(seconds):
	directory = build("fuzz", "clang", ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false",
		"-Doptimization=1"])
	if not directory:
		return
	folder = os.path.join(ROOT, directory, "tests", "fuzz")
	targets = sorted(name for name in os.listdir(folder) if name.endswith("_fuzz")) if os.path.isdir(folder) else []
	if not targets:
		count("skip", "fuzz", "no targets in tests/fuzz")
	for target in targets:
		name = target[:-len("_fuzz")]
		fresh = os.path.join(ROOT, "build-check", "fresh", name)
		os.makedirs(fresh, exist_ok=True)
		corpus = os.path.join(ROOT, "tests", "fuzz", "corpus", name)
		log = os.path.join(ROOT, "build-check", f"fuzz-{name}.log")
		open(log, "w").close()
		status = run([os.path.join(folder, target), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096",
			f"-artifact_prefix={fresh}/", "-print_final_stats=1", fresh] + ([corpus] if os.path.isdir(corpus) else []),
			log, sanitizer_env("lsan"))
		with open(log, errors="replace") as file:
			runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", file.read())
		runs = int(runs.group(1)) if runs else 0
		print(f"fuzz: {name}: {runs} inputs in {seconds} s", flush=True)
		if status or not runs:
			tail(log)
		count("ok" if status == 0 and runs else "fail", f"fuzz: {name}")


def part_tidy():
	directory = build("tidy", "clang", [])
	if not directory:
		return
	with open(os.path.join(ROOT, directory, "compile_commands.json")) as file:
		sources = sorted({os.path.relpath(os.path.join(e["directory"], e["file"]), ROOT) for e in json.load(file)})
	sources = [source for source in sources if not source.startswith(("tests/", "../"))]  # nor what is strongSwan's own

	def tidy(source):
		return subprocess.run(["clang-tidy", "-p", directory, "--quiet", "--warnings-as-errors=*", source], cwd=ROOT,
			stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

	with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
		for source, result in zip(sources, pool.map(tidy, sources)):
			if result.returncode:
				findings = [line for line in result.stdout.splitlines() if re.search(r": (error|warning): ", line)]
				print("\n".join("    | " + line for line in findings or result.stdout.splitlines()[-20:]), flush=True)
			count("fail" if result.returncode else "ok", f"tidy: {source}")


def other_builds(parts, update):
	"""Parts whose results do not depend on how fast they run."""
	if "bench-guard" in parts:
		part_guard(update)
	if "clang" in parts:
		build("clang", "clang", [])
	if "asan" in parts:
		part_asan()
	if "tsan" in parts:
		part_tsan()


def main():
	parser = argparse.ArgumentParser(prog="scripts/check", formatter_class=argparse.RawDescriptionHelpFormatter,
		description="Builds, runs the suites, ends with 'N passed, N failed, N skipped'.",
		epilog="parts:\n" + "\n".join(f"  {name:12} {text}" for name, text in PARTS.items()))
	parser.add_argument("part", nargs="*", help="what to run; all but fuzz and tidy when none is named")
	parser.add_argument("--seconds", type=int, default=FUZZ_SECONDS, help="length of each target's fuzzing (60)")
	parser.add_argument("--update", action="store_true", help="bench-guard stores its figures instead of comparing")
	arguments = parser.parse_args()
	parts = arguments.part or DEFAULT
	for part in parts:
		if part not in PARTS:
			parser.error(f"no such part: {part} ({', '.join(PARTS)})")
	start = time.monotonic()
	suites = [SUITE_OF.get(part, part) for part in PARTS if part in parts and SUITE_OF.get(part, part) in GCC_SUITES
		and part != "fuzz"]
	directory = build("gcc", "gcc", []) if suites else None
	together, alone = [s for s in suites if s not in ALONE], [s for s in suites if s in ALONE]
	if directory and together:
		run_suites(directory, together, "gcc")
	# Tests over a network wait most of their time: other builds use it.
	beside = threading.Thread(target=other_builds, args=(parts, arguments.update))
	beside.start()
	if directory and alone:
		run_suites(directory, alone, "gcc")
	beside.join()
	if "fuzz" in parts:
		part_fuzz(arguments.seconds)
	if "tidy" in parts:
		part_tidy()
	print(f"({time.monotonic() - start:.0f} s)")
	for name in failures:
		print(f"failed: {name}")
	print(closing(total), flush=True)
	return 1 if total["fail"] or not total["ok"] else 0


if __name__ == "__main__":
	sys.exit(main())
