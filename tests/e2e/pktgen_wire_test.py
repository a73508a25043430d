"""What homeport-pktgen says of a wire whose faults are known (wire.py): loss, doubles and order by flow, latency by its quantiles.

    generator [af_packet, loopback] ── veth ── [wire.py]
"""
import struct

from pktgen_bed import *  # noqa: F403

CLOCKS = 0.998  # the wire waits by the kernel's clock, the generator counts TSC cycles: they differ by some 50 millionths
DEVICES = ["--vdev=net_af_packet0,iface=near,framecnt=4096"]


class WireBed(PktgenBed):
	def __init__(self, build):
		super().__init__(build)
		self.network.namespace("tester", "far")
		self.network.link("tester", "near", "far", "far")
		self.network.dataplane_end("tester", "near")
		self.network.dataplane_end("far", "far")

	def with_rules(self, text, *rules, own=(), **more):
		wire = self.network.start("far", f"wire-{self.runs}", sys.executable, os.path.join(HERE, "wire.py"), "far", *rules)
		wire.expect("ready", 10)
		try:
			return self.run(text, DEVICES, *own, where="tester", **more)
		finally:
			wire.stop()


def profile(nodes, packets, rate, more="", direction="up", top=""):
	return (f'seed = 9; loopback = true; progress_ms = 0; buffers = 4096; sleep_us = 20; {top}\nports = ( {{ name = "a"; }} );\n'
		f'groups = ( {{ name = "g"; access = "a"; core = "a"; nodes = {nodes}; direction = "{direction}"; node = "10.1.0.1"; correspondent = "10.200.0.1"; }} );\n'
		f'traffic = {{ rate = {rate}; packets = {packets}; duration_ms = 60000; drain_ms = 2000; {more} }};\n')


def captured(path):
	"""(sequence number, ns) of each frame, in order."""
	with open(path, "rb") as file:
		octets, found, at = file.read(), [], 24
	while at < len(octets):
		seconds, nanoseconds, length = struct.unpack_from("=III", octets, at)
		found.append((int.from_bytes(octets[at + 16 + 48:at + 16 + 52], "big"), seconds * 10 ** 9 + nanoseconds))
		at += 16 + length
	return found


def quantiles_fit(latency, delays):
	"""They are what the wire holds frames for or more, and what the frames' own times make them; those are taken a moment beside."""
	print("# " + ", ".join(f"{name} {latency[name] / 1e6:.1f} ms" for name in ("min", "mean", "p50", "p90", "p99", "p99_9", "max")))
	for name, held in (("min", 20), ("mean", 21), ("p50", 20), ("p90", 20), ("p99", 60), ("p99_9", 150), ("max", 150)):
		assert latency[name] >= held * CLOCKS * 1e6, (name, latency)
	delays, moment = sorted(delays), 5e6
	for name, part in (("min", 0), ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("max", 1)):
		at = int(part * (len(delays) - 1))
		low, high = delays[max(at - 2, 0)], delays[min(at + 2, len(delays) - 1)]
		assert low * 0.98 - moment < latency[name] < high * 1.02 + moment, (name, latency, low, high)
	mean = sum(delays) / len(delays)
	assert abs(latency["mean"] - mean) < moment, (latency, mean)


def test_quantiles_of_a_known_delay(bed):
	"""Of 1,000 packets 970 are held for 20 ms, 25 for 60 ms, 5 for 150 ms: so much are the quantiles, and what the machine adds."""
	sent, received = bed.path("sent.pcap"), bed.path("received.pcap")
	report = bed.with_rules(profile(1, 1000, 1000), "*:200:7:150", "*:40:11:60", "*:1:0:20", own=("--capture-transmitted", sent,
		"--capture-received", received, "--capture-limit", "0"))
	trial = report["trials"][0]
	assert trial["received"] == trial["latency_ns"]["count"] == 1000 and trial["faults"]["sum"] == 0, bed.summary(report)
	left, came = dict(captured(sent)), captured(received)
	assert len(left) == len(came) == 1000, (len(left), len(came))
	quantiles_fit(trial["latency_ns"], [at - left[number] for number, at in came])
	# Whoever was held for longer came after later ones: 30, unless those left later still, on a machine that stood still in between.
	highest, behind = -1, 0
	for number, _ in came:
		behind += number < highest
		highest = max(highest, number)
	assert trial["groups"][0]["up"]["reordered"] == behind and 10 <= behind, (trial["groups"][0]["up"], behind)


def test_faults_of_flows(bed):
	"""Exactly those flows lost, doubled and reordered what the wire did to them; with one sending lcore and with two."""
	rules = ("3:10:4:lose", "5:25:6:double", "8:50:9:400")
	for senders in (1, 2):
		text = profile(6, 12 * 100, 2000, 'order = "random";', direction="both", top=f"sending_lcores = {senders};")
		report = bed.with_rules(text, *rules, strict=False, lcores=senders + 1)
		trial = report["trials"][0]
		assert report["sending_lcores"] == senders and trial["sent"] == trial["wanted"] == 1200, bed.summary(report)
		assert (trial["lost"], trial["duplicates"], trial["reordered"], trial["faults"]["sum"]) == (10, 4, 2, 0), bed.summary(report)
		flows = trial["flows"]
		assert [flows[name] for name in ("active", "lossy", "doubled", "reordered")] == [12, 1, 1, 1], flows
		lossy, doubled = flows["worst"]
		assert (lossy["node"], lossy["direction"], lossy["sent"], lossy["received"], lossy["duplicates"]) == (1, "down", 100, 90, 0), lossy
		assert (doubled["node"], doubled["direction"], doubled["received"], doubled["duplicates"]) == (2, "down", 100, 4), doubled
		assert abs(trial["loss_ratio"] - 10 / 1200) < 1e-9, trial["loss_ratio"]


def test_the_last_packet_doubled(bed):
	"""All of it is back when the double comes: it is seen all the same."""
	text = profile(1, 50, 1000).replace("drain_ms = 2000", "drain_ms = 20000")
	report = bed.with_rules(text, "*:50:0:double", strict=False)
	trial = report["trials"][0]
	assert (trial["received"], trial["duplicates"]) == (50, 1), bed.summary(report)


def test_a_search_of_a_lossy_wire(bed):
	"""Every tenth packet is lost, at any rate: NDR has no lower bound, a PDR of 15 % no upper one. The report has what a figure stands next to."""
	text = profile(1, 0, 0, 'warm_up_ms = 300;').replace("duration_ms = 60000;", "duration_ms = 1000;").replace("progress_ms = 0", "progress_ms = 100") + (
		"search_min = 200; search_max = 500;\nsearches = ( { name = \"ndr\"; trial_ms = 200; duration_sum_ms = 600; width_ppm = 100000; },"
		" { name = \"pdr\"; loss_ppm = 150000; trial_ms = 200; duration_sum_ms = 600; width_ppm = 100000; } );\n")
	text = text.replace("rate = 0;", "rate = 500;").replace("drain_ms = 2000", "drain_ms = 800")
	report = bed.with_rules(text, "*:10:5:lose", strict=False)
	ndr, pdr = report["searches"]
	assert ndr["lower_pps"] is None and ndr["upper_pps"] == 200, ndr
	assert pdr["lower_pps"] == 500 and pdr["upper_pps"] is None, pdr
	assert 425 <= pdr["throughput_pps"] <= 455 and 0.09 <= pdr["loss_ratio_at_lower"] <= 0.15, pdr
	for name in ("processor", "processors", "tsc_hz", "kernel", "memory", "dpdk", "homeport"):
		assert report["machine"][name], report["machine"]
	assert report["seed"] == 9 and report["arguments"] and report["time"], report["time"]
	assert re.search(r"^warm-up: 0\.\d s, sent \d+/s, received \d+/s", bed.stderr, re.M), bed.stderr
	assert len(re.findall(r"^search: trial \d+: \d+/s for 0\.\d+ s, lost", bed.stderr, re.M)) == len(report["trials"]), bed.stderr


main(dict(globals()), bed_class=WireBed)
