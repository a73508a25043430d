"""homeport-pktgen against itself: a ring, or testpmd over memif, hands back what it sent. Every suite, every encapsulation, both families.

Nothing may be lost, doubled or wrong, and tshark, with the keys that the generator writes, reads what it wrote to pcap: an independent
reader of its frames, ICVs included.
"""
import struct

from pktgen_bed import *  # noqa: F403



def group(name, index, **settings):
	rows = {"access": "a", "core": "a", "nodes": 3, "correspondents": 2, "node": f"10.{index}.0.1", "correspondent": "10.200.0.1",
		"agent": "192.0.2.1", "care_of": f"198.51.{index}.1", **settings}
	return profile_group(name, **rows)


def loopback(groups, packets, more="", sizes=(64, 101, 1400)):
	return (f'seed = 11; loopback = true; progress_ms = 0; sleep_us = 20; buffers = 4096;\nports = ( {{ name = "a"; }} );\n'
		f'groups = ( {", ".join(groups)} );\n'
		f'traffic = {{ rate = 20000; packets = {packets}; duration_ms = 60000; drain_ms = 2000; sizes = [{", ".join(map(str, sizes))}]; {more} }};\n')


def test_plain_and_mobile_ip(bed):
	report = bed.run(loopback([group("plain", 1), group("ipip", 2, encapsulation="ipip"), group("mip", 3, encapsulation="mip-udp"),
		group("nat", 4, encapsulation="mip-udp", nodes=9, care_of_count=2), group("gre", 5, encapsulation="gre"),
		group("minimal", 6, encapsulation="minimal"), group("transport", 7, encapsulation="ipip", security=dict(mode="transport", spi_up=0x1000, spi_down=0x2000)),
		group("mc", 8, encapsulation="ipip", vpn_address="10.30.0.1", security=dict(algorithm="aes256-sha256", spi_up=0x3000, spi_down=0x4000))], 8000), RING)
	bed.perfect(report, 8000)
	for row in report["trials"][0]["groups"]:
		assert row["up"]["sent"] == row["up"]["received"] == 500, row
		assert row["down"]["sent"] == row["down"]["received"] == 500, row
		assert 0 < row["up"]["latency_ns"]["p50"] <= row["up"]["latency_ns"]["p99_9"] <= row["up"]["latency_ns"]["max"], row


def test_every_suite(bed):
	for first in range(0, len(SUITES), 15):
		names = SUITES[first:first + 15]
		groups = [group(name, 10 + i, encapsulation="esp", direction="up", security=dict(algorithm=name, esn=i % 2 == 0,
			spi_up=0x1000 + 256 * i, spi_down=0x100000 + 256 * i)) for i, name in enumerate(names)]
		report = bed.run(loopback(groups, 30 * len(names)), RING)
		bed.perfect(report, 30 * len(names))
		assert [row["up"]["received"] for row in report["trials"][0]["groups"]] == [30] * len(names)


def test_esp_in_udp_with_rebinding_and_ipv6(bed):
	groups = [group("udp", 1, encapsulation="esp", nodes=8, care_of_count=2, nat_rebind_ms=20, security=dict(encap=True, spi_up=0x1000, spi_down=0x2000)),
		group("v6", 2, encapsulation="esp", agent="2001:db8::1", care_of="2001:db8:1::1", node="2001:db8:2::1",
			correspondent="2001:db8:3::1", security=dict(spi_up=0x3000, spi_down=0x4000)),
		group("v6 in v4", 3, encapsulation="esp", node="2001:db8:4::1", correspondent="2001:db8:3::1",
			security=dict(spi_up=0x5000, spi_down=0x6000, algorithm="aes256-sha256"))]
	report = bed.run(loopback(groups, 3000, sizes=(84, 500)), RING)
	bed.perfect(report, 3000)


def test_numbers_pass_the_end_of_32_bits(bed):  # ESP-SEQ-06
	groups = [group("late", 1, encapsulation="esp", direction="up", nodes=1,
		security=dict(spi_up=0x1000, spi_down=0x2000, sequence_first=0xffffff00))]
	bed.perfect(bed.run(loopback(groups, 1000), RING), 1000)


def test_numbers_end_without_esn(bed):  # ESP-SEQ-03
	"""Nothing is sent behind 2^32 - 1, and every packet that was not has its reason; the other groups go on."""
	groups = [group("end", 1, encapsulation="esp", direction="up", nodes=2, security=dict(esn=False, spi_up=0x1000, spi_down=0x2000, sequence_first=0xffffff00)),
		group("esn", 2, encapsulation="esp", direction="up", nodes=2, security=dict(spi_up=0x3000, spi_down=0x4000, sequence_first=0xffffff00))]
	report = bed.run(loopback(groups, 2000), RING, "--capture-transmitted", bed.path("end.pcap"), status=1)
	trial = report["trials"][0]
	rows = {row["name"]: row["up"] for row in trial["groups"]}
	assert rows["end"]["sent"] == rows["end"]["received"] == 2 * 255 and rows["esn"]["sent"] == rows["esn"]["received"] == 1000, rows
	assert trial["wanted"] == 2000 and trial["obstacles"]["sequence_end"] == 490 == trial["wanted"] - trial["sent"], trial["obstacles"]
	assert trial["faults"]["sum"] == trial["lost"] == 0 and trial["loss_ratio"] == 0.245, bed.summary(report)
	assert re.search(r"^trial: sequence_end: 490 packets: their associations have used all sequence numbers.*RFC 4303 3\.3\.3", bed.stderr, re.M), bed.stderr
	numbers = {}
	for spi, number in bed.tshark("end.pcap", "-e", "esp.spi", "-e", "esp.sequence", read="esp"):
		numbers.setdefault(int(spi, 16), []).append(int(number))
	for spi in (0x1000, 0x1001):
		assert numbers[spi] == list(range(0xffffff01, 2 ** 32)), (spi, numbers[spi][-3:])
	assert numbers[0x3000][254:257] == [2 ** 32 - 1, 0, 1], numbers[0x3000][254:257]


def captured(bed, frames):
	"""Several lcores wrote one file: every frame is there whole, none is earlier than the one before."""
	rows = bed.tshark("many.pcap", "-e", "frame.time_delta", "-e", "_ws.malformed", read="eth")
	assert len(rows) == frames and all(float(row[0]) >= 0 for row in rows) and not any(row[1] for row in rows), len(rows)


def test_receiving_lcores(bed):
	"""Two ports, two receiving lcores and a sending one: every packet and every wrong one is counted once."""
	groups = [group("plain", 1), group("esp", 2, encapsulation="esp", security=dict(encap=True)), group("other", 3, encapsulation="esp", access="b", core="b",
		security=dict(spi_up=0x100, spi_down=0x200))]
	text = loopback(groups, 6000, more="trials = 2;").replace('{ name = "a"; }', '{ name = "a"; }, { name = "b"; }')
	rings = ["--vdev=net_ring0", "--vdev=net_ring1"]
	for lcores in (2, 3):
		report = bed.run(text, rings, "--capture-received", bed.path("many.pcap"), "--capture-limit", "0", lcores=lcores)
		bed.perfect(report, 6000)
		captured(bed, 12000)
		assert report["receiving_lcores"] == lcores - 1
		assert [row["up"]["received"] for row in report["trials"][1]["groups"]] == [1000] * 3, report["trials"][1]["groups"]


def test_sending_lcores(bed):
	"""Two and three sending lcores, with and without receiving ones: each flow is sent by one of them, each packet once, at one exact rate."""
	groups = [group("plain", 1, nodes=7), group("esp", 2, encapsulation="esp", nodes=5, care_of_count=2, nat_rebind_ms=50, security=dict(encap=True)),
		group("cbc", 3, encapsulation="esp", access="b", core="b", share=2, security=dict(algorithm="aes256-sha256", spi_up=0x100, spi_down=0x200))]
	for senders, lcores in ((2, 2), (3, 3), (2, 4)):
		text = loopback(groups, 6001, more='trials = 2; order = "random";').replace('{ name = "a"; }', '{ name = "a"; }, { name = "b"; }')
		report = bed.run(f"sending_lcores = {senders};\n" + text, ["--vdev=net_ring0", "--vdev=net_ring1"], "--capture-transmitted", bed.path("many.pcap"),
			"--capture-limit", "0", lcores=lcores)
		bed.perfect(report, 6001)
		captured(bed, 12002)
		assert (report["sending_lcores"], report["receiving_lcores"]) == (senders, lcores - senders), report["sending_lcores"]
		for trial in report["trials"]:
			assert trial["seconds"] > 0.29, trial["seconds"]  # faster than the rate it never is
			sent = [row["up"]["sent"] + row["down"]["sent"] for row in trial["groups"]]
			assert abs(sent[0] - 1500) <= 4 and abs(sent[1] - 1500) <= 4 and abs(sent[2] - 3000) <= 4, sent
			assert trial["flows"]["active"] == 2 * (7 + 5 + 3), trial["flows"]
	assert "sending_lcores is 2 and the EAL has 1" in bed.stderr_of("sending_lcores = 2;\n" + text, ["--vdev=net_ring0", "--vdev=net_ring1"])


def test_vlan_tags(bed):
	"""Every frame has the tag, tshark says; one that comes without it is a fault."""
	groups = [group("plain", 1), group("esp", 2, encapsulation="esp", security=dict(esn=False))]
	text = loopback(groups, 400).replace('{ name = "a"; }', '{ name = "a"; vlan = 42; }')
	bed.perfect(bed.run(text, RING, "--capture-received", bed.path("vlan.pcap")), 400)
	bed.write_keys(text)
	rows = bed.tshark("vlan.pcap", "-e", "vlan.id", "-e", "esp.icv_good")
	assert len(rows) == 400 and all(row[0] == "42" for row in rows) and sum(row[1] == "1" for row in rows) == 100, rows[:4]
	bed.run(loopback(groups[:1], 50), RING, "--capture-transmitted", bed.path("untagged.pcap"))
	report = bed.run(text, [f"--vdev=net_pcap0,rx_pcap={bed.path('untagged.pcap')},tx_pcap={bed.path('nowhere.pcap')}"], strict=False)
	trial = report["trials"][0]
	assert trial["received"] == 0 and trial["faults"]["encapsulation"] == 50, trial["faults"]


def test_the_same_seed_makes_the_same_packets(bed):
	text = loopback([group("g", 1, encapsulation="esp", direction="up", nodes=20)], 200, more='order = "random";')
	frames = []
	for name in ("one.pcap", "two.pcap"):
		bed.run(text, RING, "--capture-transmitted", bed.path(name))
		frames.append([bytes(p) for p in rdpcap(bed.path(name))])
	# All but the timestamp inside ESP, and with it the ICV, is the same.
	assert [(f[:58], len(f)) for f in frames[0]] == [(f[:58], len(f)) for f in frames[1]]
	assert len(frames[0]) == 200 and len(set(f[26:30] for f in frames[0])) == 20


def test_tshark_opens_what_was_written(bed):
	names = ["aes128gcm16", "aes256gcm16", "aes192gcm12", "aes128-sha256", "aes256-sha512", "aes192-sha384", "aes128ctr-sha1", "null-sha256"]
	groups = [group(name, 10 + i, encapsulation="esp", direction="up", security=dict(algorithm=name, encap=i % 2 == 1, esn=False,
		spi_up=0x1000 + 256 * i, spi_down=0x100000 + 256 * i)) for i, name in enumerate(names)]
	text = loopback(groups, 160)
	bed.perfect(bed.run(text, RING, "--capture-transmitted", bed.path("sent.pcap"), "--capture-received", bed.path("got.pcap")), 160)
	bed.write_keys(text)
	for name in ("sent.pcap", "got.pcap"):
		rows = bed.tshark(name, "-e", "esp.spi", "-e", "esp.icv_good", "-e", "udp.dstport", "-e", "udp.checksum.status")
		assert len(rows) == 160, len(rows)
		for spi, good, ports, checksums in rows:
			assert good == "1", (name, spi, good)
			assert ports.split(",")[-1] == "10002", (spi, ports)
			assert checksums.split(",")[-1] == "1", (spi, checksums)


def test_search_ends_at_the_maximum_of_a_ring(bed):
	text = loopback([group("g", 1)], 0).replace("rate = 20000", "rate = 0") + (
		'search_min = 1000; search_max = 4000;\nsearches = ( { name = "ndr"; trial_ms = 100; duration_sum_ms = 300; },'
		' { name = "pdr"; loss_ppm = 500000; trial_ms = 100; duration_sum_ms = 300; } );\n')
	report = bed.run(text, RING, strict=False)
	names = [row["name"] for row in report["searches"]]
	assert names == ["ndr", "pdr"], names
	# The machine may be busy: NDR is what it is, but half of the packets get through at the maximum.
	assert report["searches"][1]["lower_pps"] == 4000 and report["searches"][1]["upper_pps"] is None, report["searches"]
	assert len(report["trials"]) >= 2


def test_testpmd_hands_back(bed):
	"""The self-test of the manual: testpmd in io mode behind a memif."""
	socket = bed.path("loop.sock")
	testpmd = net.Process("testpmd", ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", net.lcores(2), "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
		f"--file-prefix={bed.network.prefix}-testpmd", f"--vdev=net_memif0,role=server,socket={socket},socket-abstract=no", "--", "--auto-start",
		"--port-topology=loop", "--forward-mode=io", "--total-num-mbufs=4096", "--no-lsc-interrupt", "--stats-period=1000"], bed.path("testpmd.log"))
	bed.network.processes.append(testpmd)
	testpmd.expect("start packet forwarding|Press enter|statistics", 30)
	text = loopback([group("plain", 1), group("esp", 2, encapsulation="esp", security=dict(encap=True))], 800, more="warm_up_ms = 300;").replace("20000", "1000")
	bed.perfect(bed.run(text, [f"--vdev=net_memif0,role=client,socket={socket},socket-abstract=no"]), 800)
	testpmd.stop()


def test_rates_are_exact(bed):
	"""The n-th packet is sent n / rate after the start, or as soon as the machine lets it, and as many in all as the rate makes due."""
	for rate in (333, 4000):
		text = loopback([group("g", 1, nodes=7)], 0).replace("rate = 20000", f"rate = {rate}").replace("duration_ms = 60000", "duration_ms = 2000")
		report = bed.run(text, RING, "--capture-transmitted", bed.path("paced.pcap"), "--capture-limit", "0")
		bed.perfect(report, rate * 2)
		times = [float(packet.time) for packet in rdpcap(bed.path("paced.pcap"))]
		late = [time - n / rate for n, time in enumerate(times)]
		first, second = min(late[:rate]), min(late[rate:])  # of the packet of each second that was delayed the least
		assert len(times) == rate * 2 and abs(first - second) < 0.02, (len(times), first, second)


def test_replays_what_it_wrote(bed):
	bed.run(loopback([group("g", 1, encapsulation="ipip")], 50), RING, "--capture-transmitted", bed.path("replay.pcap"))
	text = f'loopback = true; ports = ( {{ name = "a"; }} ); traffic = {{ rate = 5000; sizes = [1500]; }}; replay = {{ file = "{bed.path("replay.pcap")}"; loops = 3; }};'
	report = bed.run(text, RING, "--capture-received", bed.path("replayed.pcap"))
	assert report["replay"]["frames"] == 50 and report["replay"]["sent"] == report["replay"]["received"] == 150, report["replay"]
	frames = [bytes(p) for p in rdpcap(bed.path("replay.pcap"))]
	assert [bytes(p) for p in rdpcap(bed.path("replayed.pcap"))] == 3 * frames
	with open(bed.path("replay.pcap"), "r+b") as file:
		file.truncate(100)
	bed.refused(text, 66, "is cut off", RING)


def test_replays_as_it_was_recorded(bed):
	"""By timestamps of micro- and nanoseconds, faster and slower: no frame leaves before it is due, all leave in their order."""
	times = (0, 1_000_000, 200_000_000, 200_000_500, 400_000_000)  # a loop is a mean distance longer: 0.5 s
	frames = [bytes(range(index, index + 60 + index)) for index in range(len(times))]
	for magic, unit in ((0xa1b23c4d, 1), (0xa1b2c3d4, 1000)):
		with open(bed.path("timed.pcap"), "wb") as file:
			file.write(struct.pack("<IHHIIII", magic, 2, 4, 0, 0, 65535, 1))
			for time, frame in zip(times, frames):
				file.write(struct.pack("<IIII", 1000 + time // 10 ** 9, time % 10 ** 9 // unit, len(frame), len(frame)) + frame)
		for speed, loops, last in ((100, 1, 0.4), (400, 4, 0.475), (50, 1, 0.8)):
			text = (f'loopback = true; progress_ms = 0; ports = ( {{ name = "a"; }} ); replay = {{ file = "{bed.path("timed.pcap")}"; loops = {loops}; timing = "timestamps";'
				f' speed_percent = {speed}; }};')
			report = bed.run(text, RING, "--capture-received", bed.path("replayed.pcap"))["replay"]
			assert report["sent"] == report["received"] == report["lag_ns"]["count"] == loops * len(times), report
			assert report["seconds"] >= last and report["timing"] == "timestamps" and abs(report["recorded_seconds"] - 0.5) < 1e-9, report
			assert [bytes(p) for p in rdpcap(bed.path("replayed.pcap"))] == loops * frames
	bed.refused(text.replace("timed.pcap", "missing.pcap"), 66, "missing.pcap cannot be read: No such file", RING)


def test_every_flow_is_accounted_for(bed):
	report = bed.run(loopback([group("g", 1, nodes=5)], 500), RING)
	flows = report["trials"][0]["flows"]
	assert flows == {"active": 10, "lossy": 0, "doubled": 0, "reordered": 0, "worst": []}, flows


def test_the_page_of_settings_is_current(bed):
	text = subprocess.run([bed.program, "--settings"], capture_output=True, text=True, timeout=120).stdout
	with open(os.path.join(programs.ROOT, "docs", "pktgen-settings.md")) as file:
		assert file.read() == text, "write it anew: homeport-pktgen --settings > docs/pktgen-settings.md"


def test_the_manual_has_every_option(bed):
	text = subprocess.run([bed.program, "--help"], capture_output=True, text=True, timeout=120).stdout
	with open(os.path.join(programs.ROOT, "contrib", "man", "homeport-pktgen.8")) as file:
		page = file.read().replace("\\-", "-")
	options = set(re.findall(r"^  (--[a-z-]+)|, (--[a-z-]+)", text, re.M))
	missing = [option for pair in options for option in pair if option and option not in page]
	assert len(options) > 10 and not missing, missing


def test_refusals(bed):
	bed.refused("speed = 1;", 78, "1: ports is missing|has no setting \"speed\"")
	bed.refused(loopback([group("g", 1)], 1).replace('{ name = "a"; }', '{ name = "a"; }, { name = "b"; }'), 71, "the profile has 2 ports", RING)


main(dict(globals()))
