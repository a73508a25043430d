"""Looks at the sources: who includes whom, headers that stand alone, names, known gaps, generated documents. Speaks TAP.

  lint.py ROOT BUILD     BUILD is a meson build directory (static libraries, compile_commands.json)

Each rule comes from the style guide; a rule that cannot look (no static libraries yet, say) is skipped with its reason.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import documents  # noqa: E402

root, build = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
number = bad = 0

# folder -> folders whose headers it may include (besides its own). The longest matching folder decides.
MAY_INCLUDE = {
	"lib/base": [],
	"lib/wire": ["lib/base"],
	"lib/ipc": ["lib/base"],
	"config": ["lib/base"],
	"dataplane": ["lib/base", "lib/wire", "lib/ipc", "config"],
	"dataplane/crypto": ["lib/base", "lib/wire", "lib/ipc"],
	"control": ["lib/base", "lib/wire", "lib/ipc", "config"],
	"control/ctl": ["lib/base", "lib/ipc"],
	"control/strongswan": ["lib/base", "lib/ipc"],
	"pktgen": ["lib/base", "lib/wire"],
	"pktgen/mobile_node": ["lib/base", "lib/wire"],
	"pktgen/foreign_agent": ["lib/base", "lib/wire", "pktgen/mobile_node"],
	# The generator speaks ESP: it links the crypto library, which knows nothing of the dataplane (decisions/0080).
	"pktgen/generator": ["lib/base", "lib/wire", "config", "dataplane/crypto", "pktgen/mobile_node"],
	"pktgen/bench": ["lib/base", "lib/wire", "lib/ipc", "config", "dataplane", "dataplane/crypto", "control"],
}
# strongSwan's style, and its headers, which are not always there.
FOREIGN = "control/strongswan/"
STEPS = ["input", "decap", "forward", "encap", "output"]
DPDK_USERS = ("dataplane/", "pktgen/", "tests/")


def report(name, problems, skip=None):
	global number, bad
	number += 1
	if skip:
		print(f"ok {number} - {name} # SKIP {skip}", flush=True)
		return
	for problem in problems:
		print(f"# {problem}")
	bad += bool(problems)
	print(f"{'not ok' if problems else 'ok'} {number} - {name}", flush=True)


def sources(*suffixes):
	files = subprocess.run(["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-co", "--exclude-standard"],
		capture_output=True, text=True).stdout.split("\n")
	return sorted({f for f in files if f.endswith(suffixes) and os.path.isfile(os.path.join(root, f))})


def read(path):
	with open(os.path.join(root, path), errors="replace") as file:
		return file.read()


def folder_rule(path):
	parts = os.path.dirname(path).split("/")
	while parts:
		folder = "/".join(parts)
		if folder in MAY_INCLUDE:
			return folder
		parts.pop()
	return None


def layering():
	problems = []
	for path in sources(".c", ".h"):
		text = read(path)
		own = folder_rule(path)
		if re.search(r"^#include <rte_", text, re.M) and not path.startswith(DPDK_USERS):
			problems.append(f"{path}: only dataplane and pktgen may use DPDK")
		for included in re.findall(r'^#include "([^"]+)"', text, re.M):
			if "/" not in included or path.startswith(FOREIGN) and not included.startswith("lib/"):
				if path.startswith(FOREIGN) and os.path.exists(os.path.join(root, os.path.dirname(path), included)):
					continue
				problems.append(f'{path}: "{included}" is not written from the root')
				continue
			if own is None:
				continue
			target = folder_rule(included)
			if target is None:
				problems.append(f"{path}: {included} is of no known folder")
			elif target != own and not (target + "/").startswith(own + "/") and target not in MAY_INCLUDE[own]:
				problems.append(f"{path}: {own} may not include {included}")
			if path.startswith("pktgen/mobile_node/") and not included.startswith(("pktgen/mobile_node/", "lib/base/", "lib/wire/")):
				problems.append(f"{path}: the mobile node may not include {included}")
	report("layering: who includes whom", problems)

	problems = []
	for path in sources(".c", ".h"):
		parts = path.split("/")
		if parts[0] != "dataplane" or len(parts) < 3:
			continue
		for included in re.findall(r'^#include "dataplane/([a-z]+)/', read(path), re.M):
			if parts[1] in STEPS and included in STEPS and included != parts[1]:
				problems.append(f"{path}: step {parts[1]} includes step {included}")
			if parts[1] == "table" and included in STEPS:
				problems.append(f"{path}: a table knows step {included}")
	report("layering: no step includes another step, tables know no step", problems)


def releases():
	"""DPDK 24.11 has a struct where 22.11 has 16 octets: an IPv6 address is reached by its address (compatibility.h)."""
	problems = []
	for path in sources(".c", ".h"):
		if not path.startswith(DPDK_USERS) or "rte_ipv6_hdr" not in read(path):
			continue
		for index, line in enumerate(read(path).splitlines(), 1):
			if re.search(r"(memcpy|memcmp|ip_address_from_v6)\(([^&]*, *)?[a-z0-9_]+(->|\.)(src|dst)_addr\b(?!\.)", line):
				problems.append(f"{path}:{index}: {line.strip()}")
	report("releases: IPv6 addresses as both DPDK releases have them", problems)


def headers():
	"""Every header compiles alone, with the flags of a source of its own folder."""
	try:
		with open(os.path.join(build, "compile_commands.json")) as file:
			commands = json.load(file)
	except OSError as error:
		report("headers stand alone", [], f"no compile_commands.json ({error.strerror})")
		return
	flags = {}
	for entry in commands:
		path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), root)
		found = entry["directory"], shlex.split(entry["command"])
		for folder in {path.split("/")[0], os.path.dirname(path)}:
			# Programs of one folder use different libraries: the one that sees the most headers.
			if folder not in flags or len(found[1]) > len(flags[folder][1]):
				flags[folder] = found
	problems = []
	cache = ["ccache"] if shutil.which("ccache") else []
	for path in sources(".h"):
		top = path.split("/")[0]
		if top not in flags or FOREIGN in path and os.path.dirname(path) not in flags:
			continue
		directory, command = flags.get(os.path.dirname(path), flags[top])
		keep, words = [], iter(command[1:])
		for word in words:
			if word in ("-o", "-MF", "-MQ"):
				next(words)
			elif word not in ("-c", "-MD") and not word.endswith(".c"):
				keep.append(word)
		compiler = next(w for w in command if not w.endswith("ccache"))
		keep = [word for word in keep if word != compiler]
		# A source of one line, compiled through ccache: most headers have not changed since the last time.
		stub = os.path.join(build, "lint", path + ".c")
		os.makedirs(os.path.dirname(stub), exist_ok=True)
		with open(stub, "w") as file:
			file.write(f'#include "{path}"\n')
		result = subprocess.run([*cache, compiler, *keep, f"-I{root}", "-fdiagnostics-color=never", "-c", stub, "-o", stub[:-1] + "o"],
			cwd=directory, capture_output=True, text=True)
		if result.returncode:
			problems.append(f"{path}: {(result.stderr.splitlines() or ['?'])[0]}")
	report("headers: each compiles alone", problems)


EXPORT_EXCEPTIONS = {"main", "LLVMFuzzerTestOneInput"}
# Files of a pair of small objects, named after what they are for.
EXPORT_PREFIXES = {"address": ["ip_"], "cursor": ["reader_", "writer_"], "timer_wheel": ["timer_"], "slab": ["retirement_"],
	"document": ["schema_document"], "kernel_homeport_convert": ["convert_"]}


def names():
	"""A .c exports only names that begin with its file's name; the folder's name may stand before it."""
	objects = []
	for folder, _, files in os.walk(build):
		objects += [os.path.join(folder, f) for f in files if f.endswith(".c.o")]
	if not objects:
		report("names: exports begin with the file's name", [], "nothing compiled")
		return
	exports = {}
	for line in subprocess.run(["nm", "-A", "--defined-only", "-g", *objects], capture_output=True, text=True).stdout.splitlines():
		path, rest = line.split(":", 1)
		exports.setdefault(path, []).append(rest.split()[-1])
	problems = []
	for path in sorted(objects):
		relative = os.path.relpath(path, build)
		if not relative.startswith(("lib/", "config/", "control/", "dataplane/", "pktgen/")):
			continue
		file_name = os.path.basename(path)[:-len(".c.o")]
		# meson flattens the path of a source below the folder of its meson.build: mip4_decide.c.o, "_" for "/"
		folder = relative.split(".p/")[0].rsplit("/", 1)[0]
		candidates = {file_name}
		words = file_name.split("_")
		for cut in range(1, len(words)):
			if os.path.isdir(os.path.join(root, folder, *words[:cut])) or os.path.isdir(os.path.join(root, folder, "_".join(words[:cut]))):
				candidates.add("_".join(words[cut:]))
		# tables_lookup.c is a part of what tables.h declares.
		for name in list(candidates):
			words = name.split("_")
			candidates |= {"_".join(words[:cut]) for cut in range(1, len(words)) if any(
				os.path.exists(os.path.join(root, folder, inner, "_".join(words[:cut]) + ".h"))
				for inner in ("", file_name[:-len(name)].rstrip("_").replace("_", "/")))}
		parent = os.path.basename(folder)
		candidates |= {f"{parent}_{name}" for name in candidates}
		for symbol in exports.get(path, []):
			if symbol in EXPORT_EXCEPTIONS or symbol.startswith("__"):
				continue
			if symbol.startswith(tuple(EXPORT_PREFIXES.get(file_name, ["\0"]))):
				continue
			if not any(symbol == name or symbol.startswith(name + "_") or symbol.startswith(name.rstrip("s") + "_")
				or symbol in (name.rstrip("s"), name + "s") for name in candidates):
				problems.append(f"{relative}: {symbol}")
	# What stood before the rule did: the list may shrink, a name that is not in it is an error.
	known = set(read("tests/lint/export_exceptions.txt").split("\n"))
	report("names: exports begin with the file's name", sorted(set(problems) - known))


def gaps():
	problems = []
	for path in sources(".c", ".h", ".py", "meson.build") + [f for f in sources("") if f.startswith("scripts/")]:
		if path.startswith("tests/lint/"):
			continue
		for index, line in enumerate(read(path).splitlines(), 1):
			if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
				problems.append(f"{path}:{index}: {line.strip()[:80]}")
	report("gaps: no TODO or FIXME", problems)


def formatting():
	if not shutil.which("clang-format"):
		report("format: clang-format agrees", [], "no clang-format")
		return
	problems = []
	files = [path for path in sources(".c", ".h") if not path.startswith(FOREIGN)]
	for start in range(0, len(files), 40):
		result = subprocess.run(["clang-format", "--dry-run", *files[start:start + 40]], cwd=root, capture_output=True, text=True)
		problems += sorted({line.split(":")[0] for line in result.stderr.splitlines() if "clang-format-violations" in line})
	report("format: clang-format agrees", problems)


def generated():
	"""Documents made from the sources are the ones in the tree."""
	for tool, document in (("conformance", "docs/conformance.md"), ("drops", "docs/drops.md")):
		script = os.path.join(root, "scripts", "lib", tool + ".py")
		if not os.path.exists(script) or not os.path.exists(os.path.join(root, document)):
			report(f"documents: {document} is current", [], "not there yet")
			continue
		result = subprocess.run(["/usr/bin/python3", script, "--check"], cwd=root, capture_output=True, text=True)
		report(f"documents: {document} is current", (result.stdout + result.stderr).splitlines()[:20] if result.returncode else [])


def named():
	parts = re.findall(r'^\t"([a-z0-9-]+)": "', read("scripts/lib/check.py"), re.M)
	report("documents: what they name is there", documents.missing(root, sources(".md"), parts))


for rule in (layering, releases, headers, names, gaps, formatting, generated, named):
	rule()
print(f"1..{number}")
sys.exit(1 if bad else 0)
