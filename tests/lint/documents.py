"""What the documents name is there: links, files, parts of scripts/check, commands of homeportctl, settings."""
import glob
import os
import re

FOLDERS = "lib|config|dataplane|control|pktgen|tests|scripts|docs|contrib"
GENERATED = ("docs/commands.md", "docs/settings.md", "docs/conformance.md")
# decisions tell of what was rejected too
HISTORY = "docs/decisions/"


def missing_paths(root, path, text):
	problems = []
	for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
		if "://" not in target and not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
			problems.append(f"{path}: no {target} to link to")
	for name in re.findall(rf"(?<![\w/.<-])((?:{FOLDERS})/[\w./*-]*[\w*])", "" if path.startswith(HISTORY) else text):
		if not any(glob.glob(os.path.join(root, name + end)) for end in ("", ".c", ".h", ".py")):
			problems.append(f"{path}: there is no {name}")
	return problems


def commands(root):
	"""First word -> second words, from the generated page."""
	known = {}
	with open(os.path.join(root, "docs", "commands.md")) as file:
		for line in file:
			words = re.match(r"## `(\w+)(?: ([\w-]+))?", line)
			if words:
				known.setdefault(words.group(1), set()).add(words.group(2))
	return known


def settings(root):
	"""group.setting, from the generated page."""
	known, group = set(), ""
	with open(os.path.join(root, "docs", "settings.md")) as file:
		for line in file:
			if line.startswith("## "):
				group = line[3:].strip()
			elif line.startswith("| `"):
				known.add(f"{group}.{line.split('`')[1]}")
	return known


def missing(root, documents, parts):
	"""Problems in the documents (paths from the root); parts: those of scripts/check."""
	problems, known_commands, known_settings = [], commands(root), settings(root)
	for path in documents:
		if path in GENERATED:
			continue
		with open(os.path.join(root, path)) as file:
			text = file.read()
		problems += missing_paths(root, path, text)
		problems += [f"{path}: scripts/check has no part {part}" for part in re.findall(r"scripts/check ([a-z][a-z0-9-]*)", text) if part not in parts]
		for first, second in re.findall(r"[`\n ]homeportctl (?:-j )?([a-z]+)(?: ([a-z-]+))?", text):
			seconds = known_commands.get(first)
			if seconds is None and re.search(rf"(`|^ +)homeportctl (-j )?{first}\b", text, re.M):
				problems.append(f"{path}: there is no homeportctl {first}")
			elif seconds and second and len(seconds) > 1 and None not in seconds and second not in seconds:
				problems.append(f"{path}: there is no homeportctl {first} {second}")
		for name in re.findall(r"(?<![\w/-])((?:dataplane|control|keying)\.[a-z_]+)\b(?!/)", text):
			if name not in known_settings and not re.search(r"\.(c|h|md|cfg|sock|tsv|log|service)$", name):
				problems.append(f"{path}: there is no setting {name}")
	return problems
