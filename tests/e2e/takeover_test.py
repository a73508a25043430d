"""Two gateways with the same associations, one active: it is killed, the other one takes over with the exported numbers.

    outside ("wan", "wan2") ── ext [gateway 192.0.2.1] int ── home ("lan", "lan2")
                            └─ ext2 [standby, the same addresses] int2 ─┘
"""
import json
import signal

from esp_bed import *  # noqa: F403
from esp_bed import STATIC

GCM = Sa("gcm", "aes128gcm16", 1, replay_window=128)
CBC = Sa("cbc", "aes256-sha256", 2)
ESN = Sa("esn", "aes256gcm16", 3, esn=True)
LATER = Sa("later", "aes128gcm16", 4)  # begins after the last export
SAS = [GCM, CBC, ESN, LATER]
JUMP = 1 << 30


class TwoGateways(EspBed):
	def __init__(self, build, sas, **settings):
		super().__init__(build, sas=sas, **settings)
		n = self.network
		n.namespace("standby")
		n.sysctl("standby", "net.ipv6.conf.default.disable_ipv6", 1)
		n.link("outside", "wan2", "standby", "ext2")
		n.link("home", "lan2", "standby", "int2")
		for interface in ("ext2", "int2"):
			n.dataplane_end("standby", interface)
		macs = {end: n.exec(where, "cat", f"/sys/class/net/{where_end}/address").strip()
			for where, end, where_end in (("outside", "wan", "wan2"), ("home", "lan", "lan2"))}
		more = STATIC.format(sas=",\n".join(sa.config() for sa in sas), policies=",\n".join(protect(sa) for sa in sas), **macs)
		for there, here in (("ext", "ext2"), ("int", "int2")):
			more = more.replace(f'port = "{there}"', f'port = "{here}"')
		self.other = programs.Gateway(n, "standby", build, agent=AGENT, nodes=NODES, name="-b", more=more,
			ports=[("ext2", "external", "hpext2", f"{AGENT}/24", None), ("int2", "internal", "hpint2", "10.1.0.1/16", HOME_PREFIX)],
			routes=[f"default via {ROUTER} dev hpext2"], dataplane=self.gateway.dataplane_settings, control='ipsec_role = "standby";')

	def start(self):
		super().start()
		self.other.start()
		self.macs.update({tap: self.network.exec("standby", "cat", f"/sys/class/net/{tap}/address").strip() for tap in ("hpext2", "hpint2")})
		self.outside2 = Wire(self, "outside", "wan2", "hpext2")
		self.home2 = Wire(self, "home", "lan2", "hpint2")

	def swap(self):
		"""From now on the other gateway is meant; what the first one sent stays with what tshark reads."""
		self.outside.read()
		self.home.read()
		self.outside2.all[:0], self.home2.all[:0] = self.outside.all, self.home.all
		self.gateway, self.outside, self.home = self.other, self.outside2, self.home2

	def refused(self, gateway, *words):
		result = gateway.ctl("-j", "sa", *words)
		assert result.returncode == 1, result
		return json.loads(result.stdout)["error"]


def inner(sa, size=100, number=0):
	return udp4(sa.host, CORRESPONDENT, size, number)


def outward(bed, sa, count):
	return [bed.outward(sa, udp4(CORRESPONDENT, sa.host, 90 + n % 7))[2:] for n in range(count)]


def exported(bed):
	with open(bed.file) as file:
		return json.load(file)


def test_a_standby_sends_and_takes_nothing(bed):  # HA-04
	drops = lambda: {row["reason"]: row["packets"] for row in bed.other.ask("show", "drops")}.get("ipsec_standby", 0)  # noqa: E731
	for n, (wire, packet) in enumerate(((bed.home2, udp4(CORRESPONDENT, GCM.host, 100)), (bed.outside2, GCM.outer(GCM.esp(inner(GCM), number=5))))):
		wire.send(packet)
		net.wait_for(lambda: drops() == n + 1, "the standby's drop", 5)
	bed.outside2.nothing(lambda p: bool(ip_octets(p)) and GCM.esp_of(ip_octets(p)) is not None, 0.2)
	rows = bed.other.ask("sa", "show", "gcm")
	assert all(row["packets"] == row["sequence"] == 0 and row["in_dataplane"] for row in rows), rows


def test_the_active_one_exports_its_numbers(bed):  # HA-01
	bed.file = bed.network.path("sas.json")
	bed.used = {sa.name: outward(bed, sa, 5) for sa in (GCM, CBC, ESN)}
	bed.old = []
	for n in range(5):
		for sa in (GCM, CBC, ESN):
			bed.inward(sa, inner(sa, 80, n))
	bed.watch = bed.network.start("gateway", "export", programs.binary(bed.gateway.build, "homeportctl"), "-s", bed.gateway.operator_socket, "sa",
		"export", bed.file, "watch", "1")
	flow = Flow(bed, GCM.host, 0.004)
	net.wait_for(lambda: os.path.exists(bed.file) and exported(bed)["written_ms"], "the file", 5)
	first = exported(bed)["written_ms"]
	net.wait_for(lambda: exported(bed)["written_ms"] > first + 1500, "the file to be written again", 10)
	net.wait_for(lambda: next(row for row in exported(bed)["sas"] if int(row["spi"], 16) == GCM.spi_out)["rate"] >= 50, "its rate", 5)
	flow.finish([GCM])
	for sa in (GCM, CBC, ESN):  # after the last look, perhaps
		packet = sa.protect(inner(sa, 70, 77))
		bed.outside.send(packet)
		bed.home.expect(lambda f: UDP in f, "the packet inside")
		bed.old.append((sa, packet))
	rows = {(row["direction"], int(row["spi"], 16)): row for row in exported(bed)["sas"]}
	row = rows["out", GCM.spi_out]
	assert len(rows) == 2 * len(SAS) and row["rate"] >= 50 and row["sequence"] > 50, row
	assert len(rows["in", GCM.spi_in]["bitmap"]) >= 4 and rows["in", GCM.spi_in]["rate"] is not None
	text = open(bed.file).read().lower()
	assert not any(key in text for sa in SAS for key in (sa.key_in.hex(), sa.key_out.hex())), "a key in the export"
	assert bed.refused(bed.gateway, "takeover", bed.file)["code"] == "active"


def test_a_kill_and_a_takeover(bed):  # HA-02 HA-03 HA-05 ESP-ALG-18
	net.wait_for(lambda: {row["spi"]: row for row in exported(bed)["sas"] if row["direction"] == "in"}[f"{GCM.spi_in:#010x}"]["sequence"] >= 6,
		"the last look", 5)
	outward(bed, GCM, 3)  # nobody has looked since
	sent = {sa.name: max(bed.ours.get(sa.name, {0: 0})) for sa in SAS}
	for process in (bed.gateway.dataplane, bed.gateway.control):
		process.process.send_signal(signal.SIGKILL)
		process.process.wait()
	bed.watch.process.wait(10)
	bed.swap()
	bed.ctl("sa", "takeover", bed.file)
	net.wait_for(lambda: all(row["in_dataplane"] for sa in SAS for row in bed.pair(sa).values()), "the associations", 5)
	for sa in SAS:
		window = sent[sa.name]  # the peer's own: it has seen all up to here
		for number, iv in outward(bed, sa, 4):
			low = number & 0xffffffff
			assert low > window, f"{sa.name}: number {low} after {window}"
			assert number < (1 << 32) and low - window <= JUMP + 1, f"{sa.name}: jump to {number} from {window}"
			window = low
			if sa.a.counter:
				assert iv == struct.pack("!Q", number), iv.hex()
	assert bed.pair(LATER)["out"]["sequence"] < JUMP, "it was in the file"


def test_old_packets_are_refused_and_new_ones_taken(bed):  # HA-03 ESP-SEQ-09
	for sa, packet in bed.old:  # with ESN, a number so far left means one of the next high half
		drops = bed.drops()
		bed.outside.send(packet)
		bed.drops_only({"ipsec_bad_icv" if sa.esn else "ipsec_replay_late": 1}, drops, f"{sa.name}: a packet from before the kill")
	for sa in (GCM, CBC, ESN):
		sa.number = (bed.pair(sa)["in"]["sequence"] & 0xffffffff) + 1000  # the peer had gone on meanwhile
		for n in range(3):
			bed.inward(sa, inner(sa, 90, n))


def test_stale_files_are_refused(bed):  # HA-05
	assert bed.refused(bed.gateway, "takeover", bed.file)["code"] == "active"
	bed.ctl("sa", "release")
	drops = bed.drops()
	bed.home.send(udp4(CORRESPONDENT, GCM.host, 100))
	bed.drops_only({"ipsec_standby": 1}, drops, "after the release")  # HA-04
	net.wait_for(lambda: bed.refused(bed.gateway, "takeover", bed.file)["code"] == "stale", "the old file to be refused", 5)
	content = exported(bed)
	content["written_ms"] += 1
	with open(bed.file, "w") as file:
		json.dump(content, file)
	error = bed.refused(bed.gateway, "takeover", bed.file)
	assert error["code"] == "stale" and "older than what runs" in error["text"], error
	with open(bed.file, "w") as file:
		file.write('{"format":"homeport-sas","version":2}')
	assert bed.refused(bed.gateway, "takeover", bed.file)["code"] == "bad_argument"


def test_an_unknown_association_gets_the_large_jump(bed):  # HA-02
	bed.ctl("sa", "export", bed.file)
	content = exported(bed)
	content["sas"] = [row for row in content["sas"] if int(row["spi"], 16) not in (LATER.spi_out, LATER.spi_in)]
	with open(bed.file, "w") as file:
		json.dump(content, file)
	before = bed.pair(LATER)["out"]["sequence"]
	bed.ctl("sa", "takeover", bed.file)
	assert bed.pair(LATER)["out"]["sequence"] == before + JUMP
	bed.gateway.control.expect(r"sa_soft_expired .*sa=later.*cause=takeover")
	_, _, number, _ = bed.outward(LATER, udp4(CORRESPONDENT, LATER.host, 90))
	assert number == before + JUMP + 1, number


def test_a_peer_with_an_unknown_association_is_a_hint(bed):  # HA-06
	other = Sa("other", "aes128gcm16", 9)
	bed.outside.send(IP(src=GCM.remote, dst=AGENT, proto=50) / Raw(other.esp(inner(other), number=1)))
	bed.gateway.control.expect(rf"liveness_hint .*spi={other.spi_in:#010x} .*source={GCM.remote}")


def test_the_role_outlives_control(bed):  # HA-04, HA-07: the configuration still says standby
	bed.gateway.control.kill()
	bed.gateway.start_control()
	outward(bed, GCM, 2)


main(dict(globals()), bed_class=TwoGateways, sas=SAS)  # noqa: F405
