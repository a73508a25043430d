"""Makes docs/drops.md from the one list of drop reasons, lib/ipc/drop_reasons.h; --check compares instead of writing."""
import os
import re
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
TARGET = os.path.join(ROOT, "docs", "drops.md")


def page():
	with open(os.path.join(ROOT, "lib", "ipc", "drop_reasons.h")) as file:
		source = file.read()
	found = re.findall(r'X\(\s*(\w+),\s*(\w+),\s*((?:"[^"]*"[\s\\]*)+)\)', source)
	text = ["# Why a packet dies", "",
		"Made by `scripts/lib/drops.py` from `lib/ipc/drop_reasons.h`; do not edit. Every packet that the dataplane drops is counted",
		"once under one of these names: `homeportctl show drops`, and `reason` in the metrics.", "",
		"| reason | step | what it means |", "|---|---|---|"]
	for name, step, words in found:
		text.append(f"| `{name}` | {step} | {''.join(re.findall(chr(34) + '([^' + chr(34) + ']*)' + chr(34), words))} |")
	return "\n".join(text) + "\n", len(found)


def main():
	text, count = page()
	if "--check" in sys.argv[1:]:
		with open(TARGET) as file:
			if file.read() != text:
				print("docs/drops.md is not current: run scripts/lib/drops.py")
				return 1
	else:
		with open(TARGET, "w") as file:
			file.write(text)
	print(f"{count} reasons")
	return 0


if __name__ == "__main__":
	sys.exit(main())
