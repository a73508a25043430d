"""What homeport-pktgen says to its user when something is amiss: exit status, one sentence that names it, and a report whatever happens."""
import signal
import time

from pktgen_bed import *  # noqa: F403

LOOP = ('loopback = true; sleep_us = 20; buffers = 4096; progress_ms = 100;\nports = ( { name = "loop"; } );\n'
	'groups = ( { name = "g"; access = "loop"; core = "loop"; nodes = 10; node = "10.1.0.1"; correspondent = "10.200.0.1"; } );\n'
	'traffic = { rate = 1000; duration_ms = 600000; drain_ms = 5000; };\n')


def said(bed, status, *arguments):
	result = subprocess.run([bed.program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
	assert result.returncode == status, (arguments, result.returncode, result.stderr[-400:])
	return result.stderr


def test_the_command_line(bed):
	profile = bed.write(LOOP)
	assert "--profile is missing" in said(bed, 64)
	assert "homeport-pktgen: unrecognized option '--foo'" in said(bed, 64, "--foo")
	assert "homeport-pktgen: option '--rate' requires an argument" in said(bed, 64, "--profile", profile, "--rate")
	assert "--rate many: not a number" in said(bed, 64, "--profile", profile, "--rate", "many")
	assert "--capture-limit -1: not a number" in said(bed, 64, "--profile", profile, "--capture-limit", "-1")
	assert "more: no option" in said(bed, 64, "--profile", profile, "more")
	assert "nowhere.conf: No such file" in said(bed, 78, "--profile", bed.path("nowhere.conf"), "--check")
	assert said(bed, 0, "--profile", profile, "--check") == ""
	searching = bed.write(LOOP + 'searches = ( { name = "ndr"; } );\n', "searching.conf")
	assert "--rate: the profile is a search, which has no rate" in said(bed, 64, "--profile", searching, "--rate", "5")


def test_bad_profiles_name_their_line(bed):
	for text, message in ((LOOP.replace("nodes = 10", "nodes = 1000001000"), r"profile\.conf:3: nodes is 1000001000, not 1 to 1048576"),
		(LOOP.replace("rate = 1000;", "rate = ;"), r"profile\.conf:4: syntax error"),
		(LOOP.replace("10.200.0.1", "10.200.0.300"), r"profile\.conf:3: correspondent"),
		(LOOP.replace('access = "loop"', 'access = "pool"'), r'profile\.conf:3: no port is named "pool"')):
		bed.refused(text, 78, message)


def test_shipped_profiles(bed):
	"""Each is good, makes a gateway's part, and stands in the manual."""
	folder = os.path.join(programs.ROOT, "contrib", "pktgen")
	with open(os.path.join(programs.ROOT, "docs", "pktgen.md")) as file:
		manual = file.read()
	names = sorted(name for name in os.listdir(folder) if name.endswith(".conf"))
	assert len(names) >= 11, names
	for name in names:
		profile = os.path.join(folder, name)
		assert said(bed, 0, "--profile", profile, "--check") == "", name
		said(bed, 0, "--profile", profile, "--gateway-config", bed.path("part.cfg"))
		assert os.stat(bed.path("part.cfg")).st_mode & 0o77 == 0 and f"| `{name}` |" in manual, name


def test_keys_that_wireshark_cannot_use(bed):
	"""Said by name: an empty table would look like a mistake of Wireshark's."""
	profile = os.path.join(programs.ROOT, "contrib", "pktgen", "self-test.conf")
	assert 'no keys of group "esp"' in said(bed, 0, "--profile", profile, "--keys", bed.path("esp_sa"))
	with open(profile) as file:
		text = file.read().replace('algorithm = "aes256gcm16"', 'algorithm = "aes256gcm16"; esn = false')
	assert said(bed, 0, "--profile", bed.write(text), "--keys", bed.path("esp_sa")) == ""
	with open(bed.path("esp_sa")) as file:
		assert len(file.readlines()) == 200


def test_ports_that_do_not_exist(bed):
	for devices, message in ((["--vdev=net_foo0"], "the EAL refused its arguments"), ([], "the profile has 1 ports and the EAL found 0"),
		(["--vdev=net_af_packet0,iface=nowhere"], "the profile has 1 ports and the EAL found 0")):
		result = subprocess.run(bed.command(devices, "--profile", bed.write(LOOP)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
		assert result.returncode == 71 and message in result.stderr, (devices, result.returncode, result.stderr[-400:])


def test_files_that_cannot_be_made(bed):
	"""Found out before the run, which would take ten minutes."""
	for option in ("--report", "--capture-transmitted", "--capture-received"):
		began = time.monotonic()
		result = subprocess.run(bed.command(RING, "--profile", bed.write(LOOP), option, bed.path("nowhere/file")), stdin=subprocess.DEVNULL,
			capture_output=True, text=True, timeout=240)
		assert result.returncode == (73 if option == "--report" else 71) and "nowhere/file: No such file" in result.stderr, (option, result.stderr[-400:])
		assert time.monotonic() - began < 240
	assert "nowhere/part: No such file" in said(bed, 73, "--profile", bed.write(LOOP), "--gateway-config", bed.path("nowhere/part"))


def interrupted(bed, text, devices, when, number=signal.SIGINT):
	"""The status and report of a run that gets a signal once its standard error has said `when`."""
	report = bed.path("stopped.json")
	process = net.Process("homeport-pktgen", bed.command(devices, "--profile", bed.write(text), "--report", report, "--strict"), bed.path("stopped.log"))
	bed.network.processes.append(process)
	process.expect(when, 60)
	process.process.send_signal(number)
	status = process.process.wait(240)
	with open(report) as file:
		return status, json.load(file)


def test_a_signal_ends_it_with_a_report(bed):
	"""What was sent until then is judged as ever: nothing is lost because the run was cut short."""
	for number in (signal.SIGINT, signal.SIGTERM):
		status, report = interrupted(bed, LOOP, RING, r"trial: 0\.\d s, sent", number)
		trial = report["trials"][0]
		assert status == 0 and report["stopped"] is True, (status, report.get("stopped"))
		assert 0 < trial["wanted"] == trial["sent"] == trial["received"] < 600000, bed.summary(report)
	text = LOOP + 'search_min = 1000; search_max = 2000; searches = ( { name = "ndr"; trial_ms = 200; } );\n'
	status, report = interrupted(bed, text, RING, r"search: trial 2: ")
	assert report["stopped"] is True and len(report["trials"]) >= 2 and report["searches"][0]["name"] == "ndr", report.get("searches")


def test_a_signal_while_nobody_answers(bed):
	text = LOOP.replace("loopback = true", "resolve_ms = 500000").replace('name = "loop";', 'name = "loop"; address = "10.9.0.2"; gateway = "10.9.0.1";')
	status, report = interrupted(bed, text, ["--vdev=net_null0,no-rx=1"], r"resolving: port \"loop\" has no answer yet")
	assert status == 0 and report["stopped"] is True and report["trials"] == [], (status, report)


def test_who_does_not_answer_is_in_the_report(bed):
	text = LOOP.replace("loopback = true", "resolve_ms = 300").replace('name = "loop";', 'name = "loop"; address = "10.9.0.2"; gateway = "10.9.0.1";')
	report = bed.run(text, ["--vdev=net_null0,no-rx=1"], status=69)
	assert "nobody answers for the gateway's address" in report["error"] and report["trials"] == [], report


def test_why_nodes_do_not_register_is_in_the_report(bed):
	text = LOOP.replace("loopback = true; ", "").replace('name = "loop";', 'name = "loop"; gateway_mac = "02:00:00:00:00:09";').replace('name = "g";',
		'name = "g"; encapsulation = "ipip"; agent = "192.0.2.1"; care_of = "198.51.100.1"; registration = { timeout_ms = 1500; };')
	report = bed.run(text, ["--vdev=net_null0,no-rx=1"], status=69)
	assert re.search(r"^0 of 10 nodes registered in time: [1-9]\d* requests, no reply$", report["error"]), report["error"]


def test_the_rate_of_few_packets_is_exact(bed):
	"""The last packet has its interval, too: ten a second are not eleven."""
	trial = bed.run(LOOP.replace("rate = 1000; duration_ms = 600000", "rate = 10; duration_ms = 1000"), RING)["trials"][0]
	assert trial["sent"] == trial["received"] == 10 and trial["seconds"] >= 1 and trial["sent_pps"] <= 10, trial


def test_a_newer_capture_format_is_named(bed):
	with open(bed.path("new.pcapng"), "wb") as file:
		file.write(bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000"))
	text = f'loopback = true; ports = ( {{ name = "a"; }} ); replay = {{ file = "{bed.path("new.pcapng")}"; }};'
	report = bed.run(text, RING, status=66)
	assert "new.pcapng is a pcapng file: editcap -F nsecpcap" in report["error"], report["error"]


def test_a_long_replay_shows_progress(bed):
	loop = LOOP.replace("duration_ms = 600000", "packets = 100; duration_ms = 600000")
	bed.run(loop, RING, "--capture-transmitted", bed.path("some.pcap"))
	text = f'loopback = true; progress_ms = 100; ports = ( {{ name = "a"; }} ); traffic = {{ rate = 500; }}; replay = {{ file = "{bed.path("some.pcap")}"; loops = 3; }};'
	report = bed.run(text, RING)
	assert report["replay"]["sent"] == 300 and re.search(r"^replay: 0\.\d s, sent \d+/s", bed.stderr, re.M), bed.stderr


def test_a_replay_that_is_not_taken_ends(bed):
	"""The other end of a memif stands still: its ring is full, and the replay says so instead of waiting for ever."""
	bed.run(LOOP.replace("duration_ms = 600000", "packets = 100; duration_ms = 600000"), RING, "--capture-transmitted", bed.path("some.pcap"))
	socket = bed.path("still.sock")
	testpmd = net.Process("testpmd", ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", net.lcores(2), "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
		f"--file-prefix={bed.network.prefix}-still", f"--vdev=net_memif0,role=server,socket={socket},socket-abstract=no", "--", "--auto-start",
		"--forward-mode=rxonly", "--total-num-mbufs=4096", "--no-lsc-interrupt", "--stats-period=1000"], bed.path("testpmd.log"))
	bed.network.processes.append(testpmd)
	testpmd.expect("start packet forwarding|Press enter|statistics", 60)
	text = (f'loopback = true; progress_ms = 100; resolve_ms = 5000; ports = ( {{ name = "a"; }} ); traffic = {{ rate = 20000; }}; '
		f'replay = {{ file = "{bed.path("some.pcap")}"; loops = 4000000000; }};')
	report = bed.path("still.json")
	process = net.Process("homeport-pktgen", bed.command([f"--vdev=net_memif0,role=client,socket={socket},socket-abstract=no"],
		"--profile", bed.write(text), "--report", report), bed.path("still.log"))
	bed.network.processes.append(process)
	process.expect(r"replay: 0\.\d s, sent", 60)
	testpmd.process.send_signal(signal.SIGSTOP)
	status = process.process.wait(240)
	testpmd.process.send_signal(signal.SIGCONT)
	testpmd.stop()
	with open(report) as file:
		what = json.load(file)
	assert status == 69 and what["error"] == 'port "a" takes no more frames; is its other end there?', (status, what.get("error"))
	assert what["replay"]["obstacles"]["port_full"] > 0 and 0 < what["replay"]["sent"] < what["replay"]["wanted"], what["replay"]


def test_two_ports_joined_by_a_cable(bed):
	"""The self-test of a machine with two NICs (docs/pktgen.md): what leaves by one comes in by the other."""
	n = bed.network
	n.namespace("cable")
	n.link("cable", "left", "cable", "right")
	for interface in ("left", "right"):
		n.dataplane_end("cable", interface)
	ports = ", ".join(f'{{ name = "{name}"; mac = "02:00:00:00:00:0{i}"; gateway_mac = "02:00:00:00:00:0{3 - i}"; }}' for i, name in ((1, "a"), (2, "b")))
	text = LOOP.replace("loopback = true; ", "").replace('{ name = "loop"; }', ports).replace('access = "loop"; core = "loop"', 'access = "a"; core = "b"')
	report = bed.run(text.replace("duration_ms = 600000", "packets = 500; duration_ms = 60000"), ["--vdev=net_af_packet0,iface=left",
		"--vdev=net_af_packet1,iface=right"], where="cable")
	bed.perfect(report, 500)
	assert [port["gateway_mac"] for port in report["ports"]] == ["02:00:00:00:00:02", "02:00:00:00:00:01"], report["ports"]


def test_what_keeps_packets_from_leaving_is_named(bed):
	"""Each turn 64 packets go into the ring and 32 are taken out: first the buffers are gone, or the ring is full, as there are fewer of one or the other."""
	text = LOOP.replace("rate = 1000; duration_ms = 600000", "rate = 30000000; burst = 64; duration_ms = 300").replace("sleep_us = 20", "sleep_us = 0")
	for buffers, name, other, said_so in ((1024, "no_buffer", "port_full", r"no packet buffer was free; set buffers higher, and give the EAL memory for them with -m"),
		(4096, "port_full", "no_buffer", r', at "loop" \d+: a port did not take all that it was given; its other end is slower than the rate')):
		report = bed.run(text.replace("buffers = 4096", f"buffers = {buffers}"), RING, status=1)
		trial = report["trials"][0]
		obstacles = trial["obstacles"]
		assert obstacles[name] > 0 and obstacles[other] == 0, (buffers, obstacles)
		assert trial["wanted"] == trial["sent"] + trial["unsent"] + obstacles["out_of_time"] > trial["sent"] == trial["received"], bed.summary(report)
		assert obstacles["ports_full"] == ({"loop": obstacles["port_full"]} if name == "port_full" else {}), obstacles
		assert f"trial: {trial['wanted'] - trial['sent']} of {trial['wanted']} packets were not sent" in bed.stderr, bed.stderr
		assert re.search(rf"^trial: {name}: {obstacles[name]} times.*{said_so}", bed.stderr, re.M), bed.stderr
	report = bed.run(LOOP.replace("duration_ms = 600000", "packets = 100; duration_ms = 60000"), RING)
	assert not any(report["trials"][0]["obstacles"].values()) and "not sent" not in bed.stderr, (report["trials"][0]["obstacles"], bed.stderr)


def test_what_a_port_loses_is_named(bed):
	"""af_packet takes frames up to framesz, and drops what is longer."""
	n = bed.network
	n.namespace("short")
	n.link("short", "long", "short", "far")
	for interface in ("long", "far"):
		n.dataplane_end("short", interface)
	text = LOOP.replace("rate = 1000; duration_ms = 600000; drain_ms = 5000", "rate = 1000; packets = 50; duration_ms = 60000; drain_ms = 200; size_max = 4000; sizes = [4000]")
	report = bed.run(text, ["--vdev=net_af_packet0,iface=long,framesz=2048,blocksz=4096"], where="short", status=1)
	assert report["ports"][0]["oerrors"] == 50 and report["trials"][0]["received"] == 0, report["ports"]
	assert 'port "loop": oerrors: 50 frames it was given did not leave: longer than it takes' in bed.stderr, bed.stderr


def test_the_counter_is_measured(bed):
	"""DPDK's own measure of the processor's counter is rounded to 10 MHz: rates and times were up to 0.25 % off."""
	text = LOOP.replace("duration_ms = 600000", "packets = 10; duration_ms = 1000")
	first, second = (bed.run(text, RING)["machine"]["tsc_hz"] for _ in range(2))
	assert first % 10 ** 7 and second % 10 ** 7 and abs(first / second - 1) < 0.0005, (first, second)


main(dict(globals()))
