"""Numbers and windows over kills of either process, moves of the outer addresses, and a NAT's new mapping."""
import signal

from esp_bed import *  # noqa: F403

GCM = Sa("gcm", "aes128gcm16", 1, replay_window=128)
CBC = Sa("cbc", "aes256-sha256", 2)
ESN = Sa("esn", "aes256gcm16", 3, esn=True)
NAT = Sa("nat", "aes128gcm16", 4, encap=True, remote_port=40004)
FOLLOW = Sa("follow", "aes128gcm16", 5, encap=True, remote_port=40005, follow_mapping=True)
SAS = [GCM, CBC, ESN, NAT, FOLLOW]


def inner(sa, size=100, number=0):
	return udp4(sa.host, CORRESPONDENT, size, number)


def restart_dataplane(bed):
	taps = lambda: bed.network.ip("gateway", "-o link")  # noqa: E731
	net.wait_for(lambda: " hpext:" not in taps(), "the old TAPs to go", 5)
	bed.gateway.start_dataplane()
	bed.learn_macs()


def no_number_twice(bed, sa):
	twice = [number for number, count in bed.ours[sa.name].items() if count > 1]
	assert not twice, f"{sa.name}: numbers used twice: {twice[:5]}"
	return sorted(bed.ours[sa.name])


def test_control_killed_under_traffic_loses_nothing(bed):  # LIFE-14 LIFE-12 ESP-SEQ-18
	flow = Flow(bed, GCM.host, 0.002)
	net.wait_for(lambda: flow.sent > 100, "traffic", 5)
	bed.gateway.control.kill()
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 150, "traffic without control", 5)
	bed.gateway.start_control()
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 150, "traffic after control's return", 5)
	arrived, _, clear = flow.finish([GCM])
	missing = set(range(flow.sent)) - set(arrived)
	assert not missing and not clear, f"{len(missing)} of {flow.sent} lost, {clear} in clear"
	numbers = no_number_twice(bed, GCM)
	assert numbers == list(range(1, flow.sent + 1)), (numbers[0], numbers[-1], flow.sent)  # adopted: nothing was skipped either
	rows = bed.pair(GCM)
	assert rows["out"]["packets"] == flow.sent and rows["out"]["sequence"] == flow.sent, rows["out"]


def test_dataplane_killed_under_traffic_repeats_no_number(bed):  # ESP-SEQ-02 ESP-SEQ-18 MP-05
	old = {sa.name: sa.protect(inner(sa, 90, 7)) for sa in (GCM, CBC)}
	for sa in (GCM, CBC):
		bed.outside.send(old[sa.name])
		bed.home.expect(lambda p: UDP in p, "the first packet inside")
	for n, number in enumerate((0x7fffffff, 0xffffffff, 1 << 32, (1 << 32) + 3, (1 << 32) + 9)):
		bed.inward(ESN, inner(ESN, 80 + n), number=number)  # the high half has to survive as well
	ESN.number = (1 << 32) + 9
	before = {sa.name: bed.pair(sa) for sa in SAS}
	flow = Flow(bed, GCM.host, 0.002)
	net.wait_for(lambda: flow.sent > 150, "traffic", 5)
	for sa in (CBC, ESN):
		bed.home.send(udp4(CORRESPONDENT, sa.host, 90))
	bed.gateway.dataplane.process.send_signal(signal.SIGKILL)
	bed.gateway.dataplane.process.wait()
	bed.collected = flow.collect([GCM])
	restart_dataplane(bed)
	flow.head = bytes(bed.home.frame(udp4(CORRESPONDENT, GCM.host, 200)))[:42]  # the TAP has another address now
	at = bed.collected
	net.wait_for(lambda: flow.collect([GCM]) > at + 100, "traffic after the kill", 15, 0.05)
	arrived, _, clear = flow.finish([GCM], 0.5)
	assert not clear, f"{clear} packets in clear"
	assert all(count == 1 for count in arrived.values())
	numbers = no_number_twice(bed, GCM)
	assert len(numbers) >= before["gcm"]["out"]["packets"] + 200
	bed.home.clear()
	for sa in (GCM, CBC):  # what was accepted before the kill is not accepted again
		drops = bed.drops()
		bed.outside.send(old[sa.name])
		bed.drops_only({"ipsec_replay": 1}, drops, f"{sa.name}: a packet from before the kill")
	drops = bed.drops()
	bed.outside.send(ESN.outer(ESN.esp(inner(ESN), number=(1 << 32) + 3)))
	bed.drops_only({"ipsec_replay": 1}, drops, "esn: a packet from before the kill")
	for sa in (GCM, CBC, ESN):
		row = bed.pair(sa)["in"]
		assert row["sequence"] >= before[sa.name]["in"]["sequence"], row
		bed.inward(sa, inner(sa, 120))  # and the next one is
	number = bed.outward(CBC, udp4(CORRESPONDENT, CBC.host, 91))[2]
	assert number > before["cbc"]["out"]["sequence"], number
	bed.bulk(bed.outside)
	for sa in SAS:
		if sa.name in bed.ours:
			no_number_twice(bed, sa)


def test_update_moves_without_loss(bed):  # MOB-01 MOB-02 MOB-03 MOB-08 MOB-13 ESP-SEQ-18 TRN-16
	before = bed.pair(GCM)["out"]["sequence"]
	flow = Flow(bed, GCM.host, 0.0015)
	seen = []
	places = [("198.51.100.30", "no", 4500), ("198.51.100.31", "yes", 41000), ("198.51.100.31", "yes", 42000), (PEER6, "no", 4500), (PEER, "no", 4500)]
	for remote, encap, port in places:
		at = flow.sent
		net.wait_for(lambda: flow.sent > at + 60, "traffic", 5)
		local = AGENT6 if ":" in remote else AGENT
		bed.ctl("sa", "update", "gcm", "--local", local, "--remote", remote, "--encap", encap, "--remote-port", str(port))
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 60, "traffic", 5)
	arrived, _, clear = flow.finish([GCM])
	missing = set(range(flow.sent)) - set(arrived)
	assert not missing and not clear, f"{len(missing)} of {flow.sent} lost, {clear} in clear"
	numbers = [GCM.number_of(GCM.esp_of(p)) for p in flow.packets if GCM.esp_of(p)]
	assert numbers == list(range(before + 1, before + flow.sent + 1)), "numbers do not go on one by one"
	for packet in flow.packets:
		if packet[0] >> 4 == 6:
			place = (socket.inet_ntop(socket.AF_INET6, packet[24:40]), None)
		else:
			place = (socket.inet_ntoa(packet[16:20]), int.from_bytes(packet[22:24], "big") if packet[9] == 17 else None)
		if not seen or seen[-1] != place:
			seen.append(place)
	assert seen == [(PEER, None), ("198.51.100.30", None), ("198.51.100.31", 41000), ("198.51.100.31", 42000), (PEER6, None), (PEER, None)], seen
	# What was in flight from the old place is taken (MOB-03), and the window went on.
	bed.inward(GCM, inner(GCM, 130), source="198.51.100.30")


class Events:
	"""`homeportctl watch events`, line by line."""

	def __init__(self, bed):
		self.process = bed.network.start("gateway", "events", programs.binary(bed.gateway.build, "homeportctl"), "-s",
			bed.gateway.operator_socket, "-j", "watch", "events")
		net.wait_for(lambda: self.process.running(), "the watch", 2)

	def lines(self):
		return self.process.output().splitlines()

	def expect(self, *words):
		return net.wait_for(lambda: next((x for x in self.lines() if all(w in x for w in words)), None), f"an event with {words}", 3)

	def count(self, *words):
		return sum(all(w in x for w in words) for x in self.lines())


def outer_place(bed, sa):
	outer = bed.outward(sa, udp4(CORRESPONDENT, sa.host, 100))[0]
	return socket.inet_ntoa(outer[16:20]), int.from_bytes(outer[22:24], "big")


def test_a_new_mapping_is_told_and_not_followed(bed):  # NAT-09 NAT-10 BAD-39 BAD-40 MOB-07
	events, ports = Events(bed), iter(range(45000, 46000))
	other = bed.add(Sa("other", "aes128gcm16", 11, encap=True, remote_port=40011), order=50)

	def watching():
		bed.inward(other, inner(other), sport=next(ports))  # an event itself: the subscription has no answer that could be waited for
		return events.lines()
	net.wait_for(watching, "the watch to begin", 5, 0.1)
	bed.inward(NAT, inner(NAT, 100))
	bed.inward(NAT, inner(NAT, 101), number=20)
	bed.inward(NAT, inner(NAT, 102), number=15, source="203.0.113.9", sport=41111)  # inside the window
	forged = NAT.esp(inner(NAT, 103), number=30)
	bed.outside.send(NAT.outer(forged[:-1] + bytes([forged[-1] ^ 1]), source="203.0.113.9", sport=41112))
	bed.outside.send(IP(src="203.0.113.9", dst=AGENT) / UDP(sport=41113, dport=4500, chksum=0) / Raw(b"\xff"))
	bed.inward(NAT, inner(NAT, 104), number=31, source="203.0.113.9", sport=41114)  # the newest, and authentic
	line = events.expect("mapping", "sa=nat", "203.0.113.9")
	for wrong in ("41111", "41112", "41113"):
		assert wrong not in line, line
	assert events.count("mapping", "sa=nat") == 1, events.lines()
	assert outer_place(bed, NAT) == (PEER, 40004)
	assert bed.pair(NAT)["out"]["remote_port"] == 40004
	events.process.stop()


def test_follow_mapping_follows_the_newest(bed):  # NAT-09 NAT-10 MOB-15
	bed.inward(FOLLOW, inner(FOLLOW, 100), number=10)
	assert outer_place(bed, FOLLOW) == (PEER, 40005)
	bed.inward(FOLLOW, inner(FOLLOW, 101), number=5, sport=45555)  # old: no
	assert outer_place(bed, FOLLOW) == (PEER, 40005)
	bed.inward(FOLLOW, inner(FOLLOW, 102), number=11, source="203.0.113.9", sport=46666)
	net.wait_for(lambda: bed.pair(FOLLOW)["out"]["remote_port"] == 46666, "the pair to follow", 3)
	assert outer_place(bed, FOLLOW) == ("203.0.113.9", 46666)
	rows = bed.pair(FOLLOW)
	assert rows["in"]["remote_port"] == 46666 and rows["out"]["remote"] == "203.0.113.9", rows


def test_both_killed_begin_anew_where_that_was_allowed(bed):  # ESP-ALG-20, docs/decisions/0030
	"""Said of the configuration's pairs with unsafe_static_keys and of CBC; what an operator added is gone."""
	added = bed.add(Sa("added", "aes128gcm16", 9), order=40)
	bed.outward(added, udp4(CORRESPONDENT, added.host, 100))
	bed.outward(CBC, udp4(CORRESPONDENT, CBC.host, 93))
	bed.outward(CBC, udp4(CORRESPONDENT, CBC.host, 94))
	bed.bulk(bed.outside)
	bed.gateway.control.kill()
	bed.gateway.dataplane.kill()
	before = {sa.name: max(bed.ours.get(sa.name, {0: 0})) for sa in SAS}
	# A counter mode without the word is refused at start, whatever ran before.
	bad = bed.network.path("bad.cfg")
	with open(bed.gateway.config) as file:
		text = file.read()
	with open(os.open(bad, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
		file.write(text.replace("unsafe_static_keys = true;", ""))
	result = subprocess.run([programs.binary(bed.gateway.build, "homeport-control"), "--config", bad, "--check"], capture_output=True, text=True)
	assert result.returncode != 0 and "unsafe_static_keys" in result.stdout + result.stderr, (result.returncode, result.stdout, result.stderr)
	net.wait_for(lambda: " hpext:" not in bed.network.ip("gateway", "-o link"), "the old TAPs to go", 5)
	bed.gateway.start_dataplane()
	bed.learn_macs()
	bed.gateway.start_control()
	assert not bed.gateway.ask("sa", "show", "added", quiet=True), "an operator's pair came back"
	assert not bed.gateway.ask("policy", "show", "added", quiet=True)
	bed.home.clear()
	bed.home.send(udp4(CORRESPONDENT, added.host, 100))
	net.wait_for(lambda: bed.drops().get("policy_none", 0) == 1, "no policy for it any more", 3)
	assert before["cbc"] > 1
	assert bed.outward(CBC, udp4(CORRESPONDENT, CBC.host, 92))[2] == 1  # a random IV: it may
	bed.repeats = {"cbc"}


run(dict(globals()), sas=SAS)  # noqa: F405
