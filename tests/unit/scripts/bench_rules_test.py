#!/usr/bin/python3
"""What scripts/bench promises, judges and survives, without measuring anything: rows are made up, programs are scripts of a few lines. TAP on stdout."""
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
LIBRARY = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../../scripts/lib")
sys.path.insert(0, LIBRARY)
import bench  # noqa: E402
import bench_budget as budget  # noqa: E402
import bench_document as document  # noqa: E402
import bench_verdict as verdict  # noqa: E402
from bench_context import KEYS, Context, Rows, complete, faults  # noqa: E402
from bench_program import Program  # noqa: E402

GHZ = 2.6e9


def row(bench_name, figure, cycles, size, entries, direction="out", udp=False, suite=None, reference=None, **more):
	return complete(bench_name, {"figure": figure, "cycles_per_packet": cycles, "value": cycles, "unit": "cycles", "size": size, "entries": entries,
		"direction": direction, "udp": udp, "suite": suite, "runs": 5, "spread": [cycles, cycles], "reference": reference or {}, **more}, GHZ)


def esp(direction, size, entries, cycles=1, udp=False, **more):
	name = "esp-million" if entries == 1000000 else "esp"
	return row(name, f"{'IP-in-IP in ' if more.get('inside') else ''}ESP {direction}{' in UDP' if udp else ''}, AES-128-GCM, {size} octets, {entries} SAs",
		cycles, size, entries, direction, udp, "aes-128-gcm", **more)


def context_of(**more):
	return Context(more.get("build", "."), False, GHZ, False, True, 1, 0.01, 60)


def test_the_budget_is_the_guides():
	"""Row by row as the project was given it: 64, 512, 1400 octets."""
	table = [
		(lambda size: esp("out", size, 1), (185, 280, 420)), (lambda size: esp("out", size, 100000), (260, 370, 600)),
		(lambda size: esp("in", size, 1), (200, 280, 440)), (lambda size: esp("in", size, 100000), (260, 370, 600)),
		(lambda size: esp("out", size, 1, udp=True), (200, 295, 435)), (lambda size: esp("in", size, 100000, udp=True), (275, 385, 615)),
		(lambda size: esp("out", size, 1000000), (325, 462.5, 750)), (lambda size: esp("in", size, 1000000), (325, 462.5, 750)),
		(lambda size: esp("out", size, 100000, inside="ipip"), (340, 450, 680)), (lambda size: esp("in", size, 100000, inside="ipip"), (340, 450, 680)),
		(lambda size: row("forward", "IPv4 forwarding, 1 destination", 1, size, 1, "forward"), (65, 100, 170)),
		(lambda size: row("forward", "IPv4 forwarding, 100000 destinations", 1, size, 100000, "forward"), (110, 170, 330))]
	for kind in ("IP-in-IP", "MIP-UDP"):
		for way in ("encapsulation", "decapsulation"):
			table.append((lambda size, kind=kind, way=way: row("ipip", f"{kind} {way}, 1000000 bindings", 1, size, 1000000,
				"out" if way[0] == "e" else "in", kind == "MIP-UDP"), (150, 200, 280)))
	for make, wanted in table:
		for size, cycles in zip((64, 512, 1400), wanted):
			made = make(size)
			assert abs((made["budget"] or 0) - cycles) <= 0.5, (made["figure"], size, made["budget"], cycles)


def every_promise_kept():
	"""Rows with which all is reached."""
	secgw = {"ipsec-secgw": 300}
	rows = [esp(direction, size, entries, udp=udp, rest=0) for direction in ("out", "in") for size in (64, 1400) for entries in (1, 100000) for udp in (False, True)]
	rows += [esp("out", 64, 10000), esp("out", 64, 1000000), row("esp", "ESP out, AES-128-GCM, 64 octets, 1 SA, port to port", 200, 64, 1, reference=secgw, suite="aes-128-gcm"),
		row("suites", "ESP out, AES-CBC/128+HMAC-SHA1-96, 64 octets, 1 SA", 300, 64, 1, suite="aes-cbc/128+hmac-sha1-96"),
		row("suites", "ESP out, AES-CBC/128+HMAC-SHA1-96, 64 octets, 1 SA, port to port", 200, 64, 1, reference=secgw, suite="aes-cbc/128+hmac-sha1-96"),
		row("ipip", "IP-in-IP encapsulation, 1000000 bindings, 64 octets", 100, 64, 1000000), row("forward", "IPv4 forwarding, 1 destination, 64 octets", 50, 64, 1, "forward")]
	others = [("esp", "ESP out, AES-128-GCM, 64 octets, 100000 SAs to one"), ("scale", "ESP out, 1000 SAs, copies, steered: two workers to one"),
		("scale", "ESP out, the fat one: 1 SA, copies: two workers to one"), ("update", "blocked by changes: 100000 pairs, policies, bindings added"),
		("update", "worker time taken by 50000 pairs, 200000 bindings changed a second"), ("tables", "bindings inserted, 1000000"),
		("tables", "SA pairs inserted, 1000000"), ("ipip", "memory of a binding, 1000000 bindings"),
		("esp", "memory of an SA pair, keys, windows and state included, 100000 pairs"), ("esp-million", "1000000 SA pairs and their policies in memory"),
		("ring", "between two processes, batches of 1"), ("bindings", "bindings inserted, mirror"), ("bindings", "last tenth to first, mirror"),
		("bindings", "resynchronisation, per 100,000 bindings, mirror"), ("control", "first registrations, for a second of control's CPU time")]
	return rows + [complete(name, {"figure": figure, "value": 1, "unit": "", "target": 1, "pass": True}, GHZ) for name, figure in others]


def kept(rows):
	with contextlib.redirect_stdout(io.StringIO()) as out:
		good = verdict.promises(rows, list(bench.BENCHES))
	return good, out.getvalue()


def test_a_promise_that_is_not_kept_is_said():
	rows = every_promise_kept()
	good, said = kept(rows)
	assert good and "NOT" not in said, said
	for n, one in enumerate(rows):
		if one["figure"].startswith("ESP out, AES-128-GCM, 64 octets, 10000 SAs"):
			worse = {**one, "cycles_per_packet": one["reference"][budget.NOTED] + 1}
		elif "pass" in one:
			worse = {**one, "pass": False}
		else:
			worse = {**one, "cycles_per_packet": 10000}
		good, said = kept(rows[:n] + [worse] + rows[n + 1:])
		assert not good and said.count("NOT REACHED") >= 1, (one["figure"], said)
		if one.get("rest") is not None:
			good, said = kept(rows[:n] + [{**one, "rest": 111}] + rows[n + 1:])
			assert not good and said.count("NOT REACHED") == 1, (one["figure"], said)


def test_a_promise_that_nobody_measured_is_said():
	rows = every_promise_kept()
	for name in bench.BENCHES:
		if not any(one["bench"] == name for one in rows):
			continue
		good, said = kept([one for one in rows if one["bench"] != name])
		assert not good and "NOT MEASURED" in said, (name, said)


def test_each_row_has_the_keys():
	one = esp("out", 64, 1, 130)
	assert set(KEYS) <= set(one) and not list(faults(one)), list(faults(one))
	assert abs(one["mpps"] - 20) < 0.1 and abs(one["gbps"] - 10.24) < 0.1, one
	assert "a run of 0.5 s" in list(faults({**one, "run_s": 0.5, "machine": {"run_s": 2}}))
	for key in ("size", "entries", "udp", "cycles_per_packet", "mpps", "gbps", "direction"):
		assert list(faults({**one, key: None})), key


def test_every_name_has_a_place_in_the_document():
	missing = set(bench.ALL) - set(document.IN_PROCESS) - set(document.LISTS)
	assert not missing, missing
	rows = [{**one, "time": 1, "machine": {"commit": "c", "run_s": 2}} for one in every_promise_kept()]
	text = "".join(document.text(rows))
	for one in rows:
		name = document.label(one) if one["cycles_per_packet"] and not budget.ported(one) else one["figure"].replace(", port to port", "")
		assert f"| {name} |" in text, (name, text)
	assert "**not" not in text, text


def test_a_full_disk_costs_no_row():
	rows = Rows("/dev/full", {})
	for n in range(3):
		rows.add("ring", {"figure": f"row {n}", "value": 1, "unit": "s"}, GHZ)
	unwritten = rows.finish()
	assert len(rows.rows) == 3 and "No space" in unwritten, unwritten


# ---- programs that are scripts

FIGURE = '{"figure": "between two processes, batches of 1", "value": 1, "unit": "commands/s", "target": 1, "pass": true}'


def script(folder, name, text):
	path = os.path.join(folder, name)
	with open(path, "w") as file:
		file.write("#!/bin/bash\n" + text)
	os.chmod(path, 0o755)


def parts_run(text, limit=60):
	"""The rows and the failures of a name whose first part is the script."""
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder, contextlib.redirect_stdout(io.StringIO()):
		script(folder, "bad_bench", text)
		script(folder, "good_bench", f"echo '{FIGURE}'\n")
		rows, context = Rows(os.path.join(folder, "rows.json"), {}), context_of(build=folder)
		bench.ALL["made up"] = ("", 1, 1, [Program("bad_bench", limit=limit), Program("good_bench")])
		try:
			bench.run(["made up"], context, rows)
		finally:
			del bench.ALL["made up"]
		rows.finish()
		with open(os.path.join(folder, "rows.json")) as file:
			return [json.loads(line) for line in file], context.failures


def test_a_program_that_dies_takes_no_row_with_it():
	for end, said in (("exit 3", "status 3"), ("kill -SEGV $$", "status -11"), ("echo '{\"figure\": broken'; exit 1", "status 1")):
		rows, failures = parts_run(f"echo '{FIGURE}'\necho something else\n{end}\n")
		assert len(rows) == 2 and len(failures) == 1 and said in failures[0], (rows, failures)
	rows, failures = parts_run("exit 0")
	assert len(rows) == 1 and failures == ["bad_bench  printed no figure"], failures


def test_a_program_that_hangs_is_ended():
	rows, failures = parts_run(f"echo '{FIGURE}'\nsleep 1000\n", limit=2)
	assert len(rows) == 2 and len(failures) == 1 and "not done after 2 s" in failures[0], (rows, failures)


def bench_start(folder, *words):
	return subprocess.Popen([sys.executable, os.path.join(LIBRARY, "bench.py"), "--build", folder, "--no-huge", *words], stdin=subprocess.DEVNULL,
		stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def lines(path):
	if not os.path.exists(path):
		return 0
	with open(path) as file:
		return file.read().count("\n")


def test_ctrl_c_keeps_what_was_measured():
	for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
		with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
			path, pid = os.path.join(folder, "rows.json"), os.path.join(folder, "pid")
			script(folder, "ring_bench", f"echo '{FIGURE}'\n")
			script(folder, "tables_bench", f"echo '{FIGURE}'\necho $$ > {pid}\nexec sleep 1000\n")
			process = bench_start(folder, "--smoke", "--json", path, "ring", "tables")
			deadline = time.monotonic() + 60
			while time.monotonic() < deadline and (lines(path) < 2 or lines(pid) < 1):
				time.sleep(0.05)
			process.send_signal(number)
			said = process.communicate(timeout=60)[0]
			with open(path) as file:
				rows = [json.loads(line) for line in file]
			assert process.returncode == 128 + number and len(rows) == 2 and "2 rows were measured" in said, (process.returncode, rows, said)
			with open(pid) as file:
				assert not os.path.exists(f"/proc/{file.read().strip()}"), "the program is still there"


def test_what_is_wrong_with_the_words_is_said_first():
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		for words, sentence in ((["nonsense"], "no such benchmark: nonsense"), (["--json", folder, "ring"], "Is a directory"),
				(["--json", f"{folder}/none/x", "ring"], "No such file or directory"), (["--minutes", "many"], "invalid float")):
			process = bench_start(folder, *words)
			said = process.communicate(timeout=60)[0]
			assert process.returncode == 2 and sentence in said, (process.returncode, said)
		process = bench_start(folder, "--smoke", "ring")
		said = process.communicate(timeout=60)[0]
		assert process.returncode == 1 and "no ring_bench" in said, said


def main():
	tests = {name: test for name, test in globals().items() if name.startswith("test_")}
	bad = 0
	for number, (name, test) in enumerate(tests.items(), 1):
		try:
			test()
			print(f"ok {number} - {name[5:]}", flush=True)
		except Exception:
			bad += 1
			print(re.sub("^", "# ", traceback.format_exc(), flags=re.M) + f"\nnot ok {number} - {name[5:]}", flush=True)
	print(f"1..{len(tests)}")
	return 1 if bad else 0


if __name__ == "__main__":
	sys.exit(main())
