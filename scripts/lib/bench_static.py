"""What a packet costs without a clock: instructions (callgrind) and a static estimate of cycles (llvm-mca) of each path.

callgrind runs a bench of pktgen/bench on a fixed sequence of packets and counts between entry and end of path_bench_receive: what
the worker does with a burst, with tables as small as the second cache. The cipher's own instructions are left out: valgrind offers
it another instruction set than the machine. llvm-mca reads the functions that callgrind saw at work, as they were linked, and
estimates the cycles of each body as if run through without a branch: an upper bound of its work in the first cache, on one named
processor model wherever it runs. Neither figure moves with load or machine, both move with the compiler.

  bench_static.py --build DIRECTORY [--update]      compares with tests/bench-guard/paths.json, or writes it; TAP on stdout
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
STORED = os.path.join(ROOT, "tests", "bench-guard", "paths.json")
TOGGLE = "path_bench_receive"
MODEL = "icelake-server"  # of llvm-mca
SHARE = 0.01  # of a path's instructions: what takes less is not estimated
PACKETS = 3200
PIECES, PIECE, COUNTS = 6, 512, 2  # of esp_bench: pieces, packets of each, numbers of pairs


def simple(program, entries, name):
	return program, [str(entries), str(PACKETS)], {"BENCH_ONLY": name}, PACKETS


def esp(name, counts=COUNTS):
	return "esp_bench", ["64", str(PIECES), name], {}, PIECES * PIECE * counts


PATHS = {
	"IPv4 forwarding, 64 octets": simple("forward_bench", 16, "IPv4 forwarding, 16 destinations, 64 "),
	"IPv6 forwarding, 66 octets": simple("forward_bench", 16, "IPv6 forwarding, 16 /64s, 66 "),
	"IP-in-IP encapsulation, 64 octets": simple("ipip_bench", 1000, "IP-in-IP encapsulation, 1000 bindings, 64 "),
	"IP-in-IP decapsulation, 66 octets": simple("ipip_bench", 1000, "IP-in-IP decapsulation, 1000 bindings, 64 "),
	"MIP-UDP encapsulation, 64 octets": simple("ipip_bench", 1000, "MIP-UDP encapsulation, 1000 bindings, 64 "),
	"MIP-UDP decapsulation, 78 octets": simple("ipip_bench", 1000, "MIP-UDP decapsulation, 1000 bindings, 78 "),
	"ESP out, AES-128-GCM, 64 octets": esp("ESP out, AES-128-GCM, 64 "),
	"ESP in, AES-128-GCM, 64 octets": esp("ESP in, AES-128-GCM, 64 "),
	"ESP out, AES-128-GCM, 1400 octets": esp("ESP out, AES-128-GCM, 1400 "),
	"ESP in, AES-128-GCM, 1400 octets": esp("ESP in, AES-128-GCM, 1400 "),
	"ESP out in UDP, AES-128-GCM, 64 octets": esp("ESP out in UDP, AES-128-GCM, 64 "),
	"ESP in in UDP, AES-128-GCM, 64 octets": esp("ESP in in UDP, AES-128-GCM, 64 "),
	"IP-in-IP in ESP out, AES-128-GCM, 64 octets": esp("IP-in-IP in ESP out, AES-128-GCM, 64 ", 1),
	"IP-in-IP in ESP in, AES-128-GCM, 64 octets": esp("IP-in-IP in ESP in, AES-128-GCM, 64 ", 1),
}


class Failure(Exception):
	pass


# ---- callgrind


def costs(path):
	"""{(object, function): instructions of its own} of a callgrind file."""
	names, found, ob, fn, skip = {}, {}, "", "", False

	def name(kind, text):
		number, _, rest = re.match(r"(\(\d+\))( (.*))?$", text).group(1, 2, 3)
		if rest:
			names[kind, number] = rest
		return names[kind, number]

	with open(path, errors="replace") as file:
		for line in file:
			line = line.rstrip("\n")
			if line.startswith("ob="):
				ob = name("ob", line[3:])
			elif line.startswith("fn="):
				fn = name("fn", line[3:])
			elif line.startswith("cob="):
				name("ob", line[4:])
			elif line.startswith("cfn="):
				name("fn", line[4:])
			elif re.match(r"(fl|fi|fe|cfl|cfi)=", line):
				pass
			elif line.startswith("calls="):
				skip = True  # the next line is the callee's
			elif re.match(r"[+\-*\d]", line):
				if not skip:
					found[ob, fn] = found.get((ob, fn), 0) + int(line.split()[-1])
				skip = False
	return found


def instructions(build, path):
	"""(program, {(object, function): instructions a packet}) of a path."""
	program, arguments, environment, packets = PATHS[path]
	executable = os.path.join(ROOT, build, "pktgen", "bench", program)
	with tempfile.TemporaryDirectory(prefix="hp-guard-") as folder:
		out = f"{folder}/callgrind.out"
		result = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", f"--toggle-collect={TOGGLE}",
			executable, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
			env={**os.environ, **environment, "BENCH_NO_HUGE": "1", "BENCH_RUNS": "1", "BENCH_RUN_S": "0"})
		found = costs(out) if os.path.exists(out) else {}
	if result.returncode or not found or f'"{path.rsplit(",", 1)[0].split(",")[0]}' not in result.stdout:
		raise Failure(f"{program} {' '.join(arguments)} under callgrind: exit status {result.returncode}: "
			+ " | ".join(line for line in result.stdout.splitlines() if not line.startswith(("==", "{")))[-300:])
	return executable, {key: cost / packets for key, cost in found.items()}


def is_cipher(ob):
	return "IPSec_MB" in ob or ob == "???"  # a worker's private copy, whose file is gone


# ---- llvm-mca


def body(executable, function):
	"""The instructions of a function as llvm-mca takes them, jumps and calls without their targets' addresses."""
	text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", executable], stdout=subprocess.PIPE, text=True).stdout
	lines = []
	for line in text.splitlines():
		found = re.match(r"\s+[0-9a-f]+:\t(.*)", line)
		if found:
			instruction = re.sub(r"#.*$", "", found.group(1)).strip()
			instruction = re.sub(r"\b((?:bnd |notrack )?(?:call|j[a-z]+)(?:,p[nt])?)\s+[0-9a-f]+ <.*>", r"\1 elsewhere", instruction)
			lines.append(re.sub(r"<.*>", "", instruction))
	return lines


def estimate(lines):
	"""Cycles of one pass; 0 when there is nothing to estimate."""
	for _ in range(30):
		if not lines:
			return 0
		result = subprocess.run(["llvm-mca", "-mtriple=x86_64", f"-mcpu={MODEL}", "-iterations=10", "-instruction-info=false",
			"-resource-pressure=false"], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
		found = re.search(r"^Total Cycles:\s+(\d+)", result.stdout, re.M)
		if found:
			return int(found.group(1)) / 10
		bad = {int(number) for number in re.findall(r"<stdin>:(\d+):", result.stderr)}
		text = set(re.findall(r"^warning: .*|^note: instruction:\s+(.*)$", result.stderr, re.M))
		kept = [line for number, line in enumerate(lines, 1) if number not in bad and line not in text]
		if len(kept) == len(lines):
			raise Failure("llvm-mca: " + " | ".join(result.stderr.splitlines()[:3]))
		lines = kept
	raise Failure("llvm-mca does not take the code")


# ---- figures


def measure(build, path, bodies):
	"""What is stored of a path; `bodies` keeps what was estimated: {(program, function): cycles}."""
	executable, found = instructions(build, path)
	own = {key: cost for key, cost in found.items() if not is_cipher(key[0])}
	total = sum(own.values())
	functions = {}
	for (ob, function), cost in sorted(own.items(), key=lambda item: -item[1]):
		if ob != os.path.realpath(executable) or cost < SHARE * total:
			continue
		function = function.split("'")[0]
		key = executable, function
		if shutil.which("llvm-mca") and key not in bodies:
			bodies[key] = estimate(body(executable, function))
		functions[function] = [round(cost, 1), bodies.get(key, 0)]
	return {"instructions": round(total, 1), "static_cycles": round(sum(cycles for _, cycles in functions.values()), 1), "functions": functions}


def compiler():
	return "gcc " + subprocess.run(["gcc", "-dumpfullversion"], stdout=subprocess.PIPE, text=True).stdout.strip()


def missing():
	"""Why nothing can be counted here; None when all is there."""
	if not shutil.which("valgrind"):
		return "no valgrind (Debian's package valgrind)"
	return None


def part(context):
	"""For scripts/bench."""
	why, bodies = missing(), {}
	if why:
		if context.smoke:
			print(f"  skipped: {why}")
		else:
			context.fail(why)
		return
	for path in list(PATHS)[:1] if context.smoke else PATHS:
		try:
			found = measure(context.build, path, bodies)
		except Failure as error:
			context.fail(f"{path}: {error}")
			continue
		direction = re.search(r"\b(out|in|encapsulation|decapsulation)\b", path)
		common = {"direction": {"encapsulation": "out", "decapsulation": "in"}.get(direction.group(1), direction.group(1)) if direction else "forward",
			"size": int(re.search(r"(\d+) octets", path).group(1)), "udp": "UDP" in path, "suite": "aes-128-gcm" if "GCM" in path else None, "runs": 1}
		yield {"figure": path, "value": found["instructions"], "unit": "instructions", **common, "functions": found["functions"]}
		if found["static_cycles"]:
			yield {"figure": f"{path}, static", "value": found["static_cycles"], "unit": "cycles, mca", **common}


def judge(name, kind, now, then, tolerance):
	"""A line of TAP; whether it is good."""
	change = now / then - 1 if then else 0
	good = change <= tolerance
	print(f"{'ok' if good else 'not ok'} - {name}: {kind} {now} ({then} stored, {change:+.1%}, {tolerance:.0%} allowed)"
		+ ("" if change >= -tolerance else ": better; store it with scripts/check bench-guard --update"), flush=True)
	return good


def main():
	parser = argparse.ArgumentParser()
	parser.add_argument("--build", required=True)
	parser.add_argument("--update", action="store_true")
	arguments = parser.parse_args()
	why, stored = missing(), {"compiler": None}
	if not why and not arguments.update:
		with open(STORED) as file:
			stored = json.load(file)
		if stored["compiler"] != compiler():
			why = f"figures are stored for {stored['compiler']}, this is {compiler()}"
	if why:
		print(f"ok - bench-guard # SKIP {why}")
		return 77 if arguments.update else 0
	if not shutil.which("llvm-mca"):
		print("ok - static estimates # SKIP no llvm-mca (Debian's package llvm)")
	paths, good, bodies = {}, True, {}
	for path in PATHS:
		try:
			paths[path] = measure(arguments.build, path, bodies)
		except Failure as error:
			print(f"not ok - {path}: {error}")
			good = False
			continue
		then = stored.get("paths", {}).get(path)
		for kind in ("instructions", "static_cycles") if not arguments.update else ():
			if then is None:
				print(f"not ok - {path}: nothing stored; scripts/check bench-guard --update")
				good = False
				break
			if paths[path][kind]:
				good = judge(path, kind, paths[path][kind], then[kind], stored["tolerance"][kind]) and good
	if arguments.update and good:
		os.makedirs(os.path.dirname(STORED), exist_ok=True)
		with open(STORED, "w") as file:
			json.dump({"compiler": compiler(), "tolerance": {"instructions": 0.05, "static_cycles": 0.15}, "paths": paths}, file, indent="\t")
			file.write("\n")
		for path, found in paths.items():
			print(f"ok - {path}: {found['instructions']} instructions, {found['static_cycles']} cycles by llvm-mca stored")
	return 0 if good else 1


if __name__ == "__main__":
	sys.exit(main())
