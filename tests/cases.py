"""Test functions of a file, one after the other, told in TAP: what the beds of e2e/ and interop/ have in common."""
import os
import re
import time
import traceback


def functions(tests, only=()):
	"""(title, function) of each test_* in a module's names; of those in `only` when there are any."""
	return [(name[5:].replace("_", " "), test) for name, test in tests.items() if name.startswith("test_") and (not only or name in only)]


def run(cases, bed, before=None, failed=None):
	"""before(): ahead of each case; failed(): behind one that failed. Returns how many failed."""
	bad = 0
	for number, (title, test) in enumerate(cases, 1):
		start = time.monotonic()
		try:
			if before:
				before()
			test(bed)
			print(f"ok {number} - {title}\n# {time.monotonic() - start:.1f} s", flush=True)
		except Exception as error:  # a test may fail in any way; the others still run
			bad += 1
			print(f"not ok {number} - {title}", flush=True)
			last = traceback.extract_tb(error.__traceback__)
			where = next((f for f in reversed(last) if re.search(r"_test\.py$", f.filename)), last[-1])
			print(f"# {os.path.basename(where.filename)}:{where.lineno}: {type(error).__name__}: {error}", flush=True)
			if failed:
				failed()
	return bad


def show_output(processes, most=15):
	"""The last lines of what each process said."""
	for process in processes:
		lines = process.output().splitlines()[-most:]
		if lines:
			print(f"# --- {process.name}")
			print("\n".join(f"#   {line}" for line in lines))
