"""Makes docs/conformance.md from docs/conformance/*.tsv (one line a requirement: ID, where done, test, note).

  conformance.py           writes it
  conformance.py --check   fails when the file is not what would be written, when a line names a file, a test, a drop reason or a
                           setting that is not there, or an ID that does not exist
"""
import glob
import os
import re
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
FOLDER = os.path.join(ROOT, "docs", "conformance")
FOLDERS = r"(lib|config|dataplane|control|pktgen|tests|scripts|docs|contrib)/"
TARGET = os.path.join(ROOT, "docs", "conformance.md")
# Lists of requirements (ID, level), in the order of the page.
LISTS = [("HA4.ids", "Mobile IPv4 home agent (HA4)"), ("IPSEC.ids", "IPsec data plane"), ("IKE.ids", "strongSwan's charon (KIF, BLD, PUNT)")]


def expand(text):
	"""HA4-REG-01, or HA4-REG-01..05 for five of them."""
	match = re.fullmatch(r"\s*((?:[A-Z0-9]+-)+)(\d+)\.\.(\d+)\s*", text)
	if not match:
		return [text.strip()]
	return [f"{match.group(1)}{n:02d}" for n in range(int(match.group(2)), int(match.group(3)) + 1)]


def names_in_sources():
	"""Every name_of_two_words or more in a source, and the sources' own names."""
	found = set()
	for folder, folders, files in os.walk(ROOT):
		folders[:] = [f for f in folders if not f.startswith((".", "build", "docs", "corpus"))]
		for name in files:
			if name.endswith((".c", ".h", ".py")):
				found.add(name.rsplit(".", 1)[0])
				with open(os.path.join(folder, name), errors="replace") as file:
					found.update(re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)+", file.read()))
	return found


def missing_names(note, found):
	"""Tests, drop reasons and settings that a note names and no source has."""
	return [name for name in re.findall(r"(?<![\w/.*-])[a-z0-9]+(?:_[a-z0-9]+)+(?![\w*/])", note)
		if name not in found and not any(other.endswith(name) for other in found)]


def load():
	levels, origin, rows, problems, found = {}, {}, {}, [], names_in_sources()
	for list_file, _ in LISTS:
		with open(os.path.join(FOLDER, list_file)) as file:
			for line in file:
				name, level = line.rstrip("\n").split("\t")
				levels[name] = level
				origin[name] = list_file
	for path in sorted(glob.glob(os.path.join(FOLDER, "*.tsv"))):
		area = os.path.basename(path)[:-4]
		with open(path) as file:
			for number, line in enumerate(file, 1):
				if not line.strip() or line.startswith("#"):
					continue
				fields = (line.rstrip("\n").split("\t") + ["", "", ""])[:4]
				names = expand(fields[0])
				if names == ["ID"]:
					continue
				problems += [f"{area}.tsv:{number}: no requirement {name}" for name in names if name not in levels]
				name = names[0]
				problems += [f"{area}.tsv:{number}: {name}: nothing is called {other}" for other in missing_names(fields[3], found)]
				for field in fields[1:3]:
					for word in re.split(r"[ ,;]+", field):
						word = word.strip("().:")
						if ("/" in word and re.search(r"\.(c|h|py|md|cfg|sh)$", word) or re.match(FOLDERS, word)) and not glob.glob(os.path.join(ROOT, word)):
							problems.append(f"{area}.tsv:{number}: {name}: no {word}")
				for name in names:
					rows.setdefault(name, []).append((area, *[f.strip() or "-" for f in fields[1:]]))
	return levels, origin, rows, problems


def join(values):
	return "; ".join(dict.fromkeys(v for v in values if v != "-")) or "-"


def group_of(name):
	"""HA4-REG-01 -> HA4-REG, SPD-07 -> SPD."""
	return name.rsplit("-", 1)[0]


def section(title, levels, rows):
	tested = [n for n in levels if n in rows and any(r[2] != "-" for r in rows[n])]
	done = [n for n in levels if n in rows and any(r[1] != "-" for r in rows[n])]
	missing = [n for n in levels if n not in rows]
	text = [f"## {title}", "",
		f"{len(levels)} requirements: {len(done)} done somewhere, {len(tested)} with a test, {len(missing)} claimed by nobody.", ""]
	if missing:
		text += ["**Claimed by nobody:** " + ", ".join(missing), ""]
	group = None
	for name, level in levels.items():
		if group_of(name) != group:
			if group is not None:
				text.append("")
			group = group_of(name)
			text += [f"### {group}", "", "| ID | level | where | test | note |", "|---|---|---|---|---|"]
		found = rows.get(name, [])
		cells = [join(r[i] for r in found).replace("|", "\\|") for i in (1, 2, 3)]
		if not found:
			cells[2] = "not claimed"
		text.append(f"| {name} | {level} | {cells[0]} | {cells[1]} | {cells[2]} |")
	return text + [""]


def page(levels, origin, rows):
	text = ["# Conformance", "",
		"Made by `scripts/lib/conformance.py` from `docs/conformance/*.tsv`; do not edit. One row for each requirement:",
		"where it is done, which test shows it, and what is not done.", ""]
	for list_file, title in LISTS:
		text += section(title, {n: level for n, level in levels.items() if origin[n] == list_file}, rows)
	return "\n".join(text).rstrip("\n") + "\n"


def main():
	levels, origin, rows, problems = load()
	text = page(levels, origin, rows)
	if "--check" in sys.argv[1:]:
		try:
			with open(TARGET) as file:
				current = file.read()
		except OSError:
			current = ""
		if current != text:
			problems.append("docs/conformance.md is not current: run scripts/lib/conformance.py")
	else:
		with open(TARGET, "w") as file:
			file.write(text)
	print("\n".join(problems) if problems else f"{len(levels)} requirements, {len(rows)} claimed")
	return 1 if problems else 0


if __name__ == "__main__":
	sys.exit(main())
