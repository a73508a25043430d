"""The commands of docs/pktgen.md as they stand there: what a newcomer types must work. Only places are others: a folder and names of this run's own."""
from pktgen_bed import *  # noqa: F403

ROOT = os.path.realpath(os.path.join(HERE, "..", ".."))


def blocks(title):
	"""The indented commands under a heading of the manual, one text for each block."""
	with open(os.path.join(ROOT, "docs", "pktgen.md")) as file:
		section = file.read().split(f"## {title}\n")[1].split("\n## ")[0]
	return [re.sub("^\t", "", block.strip("\n"), flags=re.M) + "\n" for block in re.findall(r"(?:^\t.*\n)+", section, re.M)]


def here(bed, text):
	"""With this run's folder, build, processors and DPDK prefixes."""
	prefix = bed.network.prefix
	text = text.replace("/tmp/pktgen/", bed.path("")).replace("/tmp/pktgen", bed.path(".")).replace("/tmp/loop.sock", bed.path("loop.sock"))
	text = re.sub(r'file_prefix = "', f'file_prefix = "{prefix}-', text).replace("--file-prefix=", f"--file-prefix={prefix}-")
	text = re.sub(r"--no-pci (?!--file-prefix)", f"--no-pci --file-prefix={prefix} ", text)
	return re.sub(r"(?<![/\w])build/", os.path.realpath(bed.build) + "/", text).replace("report.json", bed.path("report.json")).replace(
		"testpmd.log", bed.path("testpmd.log"))


def typed(bed, text):
	"""What the commands print; every one must succeed, and none of what it began in the background may be left."""
	script = "trap 'kill $(jobs -p) 2>/dev/null || true; wait || true' EXIT\n" + here(bed, text)
	result = subprocess.run(["bash", "-ec", script], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150)
	if result.returncode:
		for name in ("dataplane.log", "control.log", "testpmd.log"):
			if os.path.exists(bed.path(name)):
				with open(bed.path(name)) as file:
					print("".join(f"# {name}: {line}" for line in file.readlines()[-8:]))
		raise net.Failure(f"status {result.returncode}: {result.stderr.strip()[-600:]}")
	with open(bed.path("report.json")) as file:
		return json.load(file), result.stdout


def test_the_generator_alone(bed):
	ring, testpmd = blocks("First run: the generator alone")
	build, command = ring.split("\n", 1)
	assert build == "scripts/lib/install check && scripts/lib/build build", build  # that is how this build came to be
	for text in (command, testpmd):
		report, _ = typed(bed, text)
		bed.perfect(report, 10000)


def test_a_capture_is_replayed(bed):
	text, = blocks("Replaying a capture")
	profile = bed.path("replay.conf")
	with open(os.path.join(ROOT, "contrib", "pktgen", "replay.conf")) as source, open(profile, "w") as file:
		file.write(source.read().replace("capture.pcap", bed.path("capture.pcap")))
	report, _ = typed(bed, text.replace("capture.pcap", bed.path("capture.pcap")).replace("contrib/pktgen/replay.conf", profile))
	replay = report["replay"]
	assert replay["sent"] == replay["received"] == replay["others"]["foreign"] == 100000 and replay["timing"] == "timestamps", replay


def test_the_gateway(bed):
	text, = blocks("Second run: the gateway")
	head = bed.path("head.cfg")
	with open(os.path.join(ROOT, "contrib", "pktgen", "gateway-head.cfg")) as source, open(head, "w") as file:
		file.write(here(bed, source.read()))
	report, said = typed(bed, text.replace("contrib/pktgen/gateway-head.cfg", head))
	bed.perfect(report, 4000)
	registrations = report["registrations"]
	assert registrations["registered"] == 60 and registrations["storms"] == 1 and registrations["moves"] >= 20, registrations
	assert said.count("10.10.") >= 60 and "aes256-sha256" in said, said[:2000]


main(dict(globals()))
