#!/usr/bin/python3
"""A benchmark of scripts/bench in its shortest form: every row that it prints has what every row has (bench_context.faults).

	bench_smoke.py BUILD NAME [FIGURE ...]     FIGURE: a regular expression that some row's figure must match;
	                                   none: there may be no row (what it needs is not installed)
"""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
LIBRARY = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../scripts/lib")
sys.path.insert(0, LIBRARY)
from bench_context import faults  # noqa: E402


def main():
	build, name, *wanted = sys.argv[1:]
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		path = os.path.join(folder, "rows.json")
		status = subprocess.run(["/usr/bin/python3", os.path.join(LIBRARY, "bench.py"), "--build", build, "--smoke", "--no-huge", "--json", path, name]).returncode
		rows = []
		if os.path.exists(path):
			with open(path) as file:
				rows = [json.loads(line) for line in file]
	bad = [f"{row.get('figure')}: {fault}" for row in rows for fault in faults(row)]
	bad += [f"no figure like {figure}" for figure in wanted if not any(re.search(figure, row["figure"]) for row in rows)]
	bad += [f"a row of {row['bench']}" for row in rows if row["bench"] != name] + ([] if rows or not wanted else ["no row"])
	print("\n".join(bad))
	print(f"{len(rows)} rows, {len(bad)} faults, exit status {status}")
	return 1 if bad else status


if __name__ == "__main__":
	sys.exit(main())
