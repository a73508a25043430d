"""Writes a manual page from a generated document: docs/settings.md to homeport.cfg(5), docs/commands.md to homeportctl(1).

  manual.py NAME SECTION "WHAT IT IS" DOCUMENT     roff on stdout
"""
import re
import sys


def escape(text):
	return text.replace("\\", "\\e").replace("-", "\\-")


def inline(text):
	"""One line of roff: `code` in bold, no line that begins like a request."""
	parts = re.split(r"`([^`]*)`", text.replace("\\|", "|"))
	text = "".join(f"\\fB{escape(part)}\\fR" if index % 2 else escape(part) for index, part in enumerate(parts))
	return "\\&" + text if text[:1] in ".'" else text


def row_cells(line):
	return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def setting(cells):
	"""A row of docs/settings.md: name, value, default, unit, reload, meaning."""
	name, value, default, unit, reload_, meaning = cells
	facts = [value + (f" {unit}" if unit else ""), "required" if default == "required" else f"default {default}"]
	if reload_ == "restart":
		facts.append("needs a restart")
	yield ".TP"
	yield inline(name)
	yield inline(meaning[:1].upper() + meaning[1:] + ".") if meaning else ""
	yield inline("(" + "; ".join(facts) + ")")


def body(lines):
	paragraph = False
	for line in lines:
		if line.startswith("## "):
			title = line[3:]
			if title.startswith("`"):
				yield ".TP"
				yield inline(title)
			else:
				yield f'.SS "{escape(title)}"'
			paragraph = False
		elif line.startswith("|"):
			cells = row_cells(line)
			if cells[0] == "setting" or set(cells[0]) <= set("-"):
				continue
			yield from setting(cells)
		elif line.startswith("- "):
			yield ".br"
			yield inline(line[2:])
		elif line.startswith("# ") or line.startswith("Generated from"):
			continue
		elif not line.strip():
			paragraph = True
		else:
			if paragraph:
				yield ".sp"
			paragraph = False
			yield inline(line)


def main():
	name, section, what, document = sys.argv[1:]
	with open(document) as file:
		lines = file.read().splitlines()
	first = next(index for index, line in enumerate(lines) if line.startswith("## "))
	out = [f'.TH {escape(name.upper())} {section} "" homeport', ".SH NAME", f"{escape(name)} \\- {escape(what)}", ".SH DESCRIPTION"]
	out += body(lines[:first])
	out += [".SH COMMANDS" if section == "1" else ".SH SETTINGS"]
	out += body(lines[first:])
	out += [".SH SEE ALSO", ".BR homeport\\-dataplane (8),", ".BR homeport\\-control (8),",
		".BR homeport.cfg (5)" if section == "1" else ".BR homeportctl (1)"]
	print("\n".join(line for line in out if line))


if __name__ == "__main__":
	main()
