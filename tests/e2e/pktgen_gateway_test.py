"""homeport-pktgen against the real gateway over veth pairs: registrations, IP-in-IP, MIP UDP tunnels, ESP, ESP in UDP behind a NAT that
changes its mind. The gateway's configuration is what the generator wrote for it. Nothing may be lost, and the gateway's own counters must
say what the generator's report says, packet by packet.

    access [192.0.2.254] ── ext [gateway 192.0.2.1] int ── core [10.1.255.254]
"""
import threading

from pktgen_bed import *  # noqa: F403

AGENT6 = "2001:db8:e::1"
ACCESS, AGENT, CORE, INSIDE = "192.0.2.254", "192.0.2.1", "10.1.255.254", "10.1.255.1"
PORTS = (f'ports = ( {{ name = "ext"; address = "{ACCESS}"; gateway = "{AGENT}"; address6 = "2001:db8:e::fe"; gateway6 = "{AGENT6}"; mac = "02:00:00:00:00:01"; }},\n'
	f' {{ name = "int"; address = "{CORE}"; gateway = "{INSIDE}"; address6 = "2001:db8:a::fe"; gateway6 = "2001:db8:a::1"; mac = "02:00:00:00:00:02"; }} );\n')


class Gateway(programs.Gateway):
	"""With the sections that the generator wrote in the place of the bed's own."""
	sections = ""

	def text(self):
		head = super().text()
		return head[:head.index("mobile_nodes = (")] + self.sections


class GatewayBed(PktgenBed):
	def __init__(self, build):
		super().__init__(build)
		n = self.network
		n.namespace("gateway", "tester")
		n.link("tester", "access", "gateway", "ext")
		n.link("tester", "core", "gateway", "int")
		for interface in ("ext", "int"):
			n.dataplane_end("gateway", interface)
		for interface in ("access", "core"):
			n.dataplane_end("tester", interface)
		self.gateway = Gateway(n, "gateway", build, agent=AGENT, nodes=[], dataplane="max_security_associations = 1024; max_policies = 2048;"
			" punt_rate = 100000; punt_burst = 100000;", virtual=["10.10.0.0/16"],
			ports=[("ext", "external", "hpext", f"{AGENT}/24", None), ("int", "internal", "hpint", f"{INSIDE}/16", None)],
			instance="node_rate = 0; police_endpoint_rate = 10000; police_endpoint_burst = 10000; police_source_rate = 100000; nat_move_limit = 0;")
		self.started = False

	def devices(self):
		return ["--vdev=net_af_packet0,iface=access,framecnt=4096", "--vdev=net_af_packet1,iface=core,framecnt=4096"]

	def begin(self, text):
		"""A gateway that was made for this profile."""
		if self.started:
			self.end()
		self.gateway.sections = self.offline(text, "--gateway-config", "-").stdout
		self.gateway.start()
		self.started = True
		self.before = self.counters()

	def counters(self):
		return self.gateway.counters()

	def end(self):
		self.started = False
		wrong = self.gateway.finish()
		assert not wrong, "; ".join(wrong)

	def traffic(self, groups, packets, more="", rate=2000, own=(), strict=True, lcores=1, senders=1):
		text = f"sending_lcores = {senders};\n" + profile(groups, packets, more, rate)
		self.begin(text)
		report = self.run(text, self.devices(), *own, where="tester", strict=strict, lcores=lcores)
		return text, report


def profile(groups, packets, more="", rate=2000, sizes="84, 300, 1400"):
	return (f'seed = 5; progress_ms = 0; sleep_us = 50; buffers = 4096; queue_size = 512;\n{PORTS}groups = ( {", ".join(groups)} );\n'
		f'traffic = {{ rate = {rate}; packets = {packets}; duration_ms = 60000; drain_ms = 3000; sizes = [{sizes}]; {more} }};\n')


def group(name, index, **settings):
	home = 10 if settings.get("encapsulation") in ("ipip", "gre", "mip-udp", "minimal") else 20  # where no home agent expects a binding
	rows = {"access": "ext", "core": "int", "nodes": 10, "correspondents": 3, "node": f"10.{home}.{index}.1", "correspondent": "10.1.0.5",
		"agent": AGENT, "care_of": f"198.51.{index}.1", **settings}
	return profile_group(name, **rows)


def drops(bed):
	return {row["reason"]: row["packets"] for row in bed.gateway.ask("show", "drops") if row["packets"]}


def rows_of(report, name):
	return next(row for row in report["trials"][0]["groups"] if row["name"] == name)


def settled(bed, name, wanted):
	"""The workers' counters reach the operator a moment after the packets."""
	net.wait_for(lambda: bed.counters()["dataplane"].get(name) == wanted, f"{name} {wanted} (is {bed.counters()['dataplane'].get(name)})", 15)


def test_mobile_ip(bed):  # HA4-REG-07 HA4-NAT-10
	groups = [group("ipip", 1, encapsulation="ipip", registration=dict(rate=500, algorithm="hmac-sha1")),
		group("udp", 2, encapsulation="mip-udp", care_of_count=3, registration=dict(rate=500)),
		group("gre", 4, encapsulation="gre", registration=dict(rate=500)), group("plain", 3, node="203.0.113.1"),
		group("minimal", 5, encapsulation="minimal", registration=dict(rate=500))]
	text, report = bed.traffic(groups, 2000)
	bed.perfect(report, 2000)
	settled(bed, "encapsulated", 800)
	settled(bed, "decapsulated", 800)
	assert not drops(bed), drops(bed)
	registrations = report["registrations"]
	assert registrations["accepted"] == registrations["registered"] == registrations["nodes"] == 40, registrations
	assert registrations["latency_ns"]["count"] == 40
	wrong = ("denied", "bad_address", "bad_authenticator", "bad_tunnel", "malformed", "expired")
	assert not any(registrations[name] for name in wrong), registrations
	control = next(row for row in bed.counters()["control"] if row["instance"] == "home")["counters"]
	assert control["rx_request"] == registrations["requests"] and control["bindings_added"] == 40, control
	assert control["tx_reply"] == registrations["accepted"] + registrations["unmatched"]
	bindings = bed.gateway.bindings()
	assert len(bindings) == 40 and sum("udp" in json.dumps(b).lower() for b in bindings) >= 10, bindings[:2]


TUNNELS = ("ipip", "gre", "minimal", "mip-udp")


def sealed_groups(mode, **registration):
	"""Of each Mobile IP tunnel a group under ESP and one under ESP in UDP."""
	return [group(f"{tunnel}-{'udp' if encap else 'esp'}", index, encapsulation=tunnel, nodes=4, **({} if mode == "transport" else {
		"vpn_address": f"10.30.{index}.1"}), registration=dict(rate=500, **registration), security=dict(mode=mode, encap=encap,
		algorithm=("aes128gcm16", "aes256-sha256")[index % 2], spi_up=0x10000 + 256 * index, spi_down=0x20000 + 256 * index))
		for index, (tunnel, encap) in enumerate((tunnel, encap) for tunnel in TUNNELS for encap in (False, True))]


def inside_esp(bed, groups, packets, senders=1):
	"""Nothing of a node is seen in clear, and what the gateway counted under its associations are its packets and registrations."""
	text, report = bed.traffic(groups, packets, lcores=senders + 1, senders=senders, own=() if senders > 1 else ("--capture-received", bed.path("inside.pcap"),
		"--capture-transmitted", bed.path("sent.pcap")))
	bed.perfect(report, packets)
	assert not drops(bed), drops(bed)
	registrations = report["registrations"]
	assert registrations["registered"] == registrations["nodes"] and not registrations["denied"], registrations
	rows = report["trials"][0]["groups"]
	wanted = {"in": sum(row["up"]["sent"] for row in rows) + registrations["requests"],
		"out": sum(row["down"]["received"] for row in rows) + registrations["accepted"] + registrations["unmatched"]}

	def counted():
		return {direction: sum(counts[direction] for counts in sa_packets(bed).values()) for direction in wanted}
	net.wait_for(lambda: counted() == wanted, f"packets of the associations: {wanted} (are {counted()})", 15)
	for name in ("inside.pcap", "sent.pcap") if senders == 1 and "2001:db8:c:" not in text else ():
		outside = [p for p in rdpcap(bed.path(name)) if "IP" in p and any(a.startswith("198.51.") for a in (p["IP"].src, p["IP"].dst))]
		assert len(outside) >= packets / 2
		assert all(p["IP"].proto == 50 or 4500 in (p["UDP"].sport, p["UDP"].dport) for p in outside), "a packet in clear"
	return report


def test_mobile_ip_under_transport_mode(bed):  # TRN-05 -06 -08, HA4-SPD-10
	"""RFC 3884 around each tunnel, in UDP too: then the gateway mends the checksums of requests that were summed behind a NAT."""
	inside_esp(bed, sealed_groups("transport"), 1600)


def test_mobile_ip_in_mode_mc(bed):  # HA4-MODE-04 -08 -12, HA4-SPD-11
	"""RFC 5266: care-of addresses inside the tunnel; of mip-udp they are translated behind it. A storm passes through it too."""
	report = inside_esp(bed, sealed_groups("tunnel", storm_ms=200, storm_rate=100), 3200)
	registrations = report["registrations"]
	assert registrations["storms"] == 8 and registrations["accepted"] == 64, registrations


def test_mode_mc_over_ipv6(bed):  # HA4-MODE-04 ESP-TUN-01
	"""A VPN over IPv6, in UDP too, around Mobile IPv4: registrations, data, moves and NATs."""
	groups = [group(f"{tunnel}-{'udp' if encap else 'esp'}", index, encapsulation=tunnel, nodes=4, vpn_address=f"10.30.{index}.1", agent=AGENT6, home_agent=AGENT,
		care_of=f"2001:db8:c:{index}::1", registration=dict(rate=500, moves=4), **({"nat_rebind_ms": 400} if encap else {}),
		security=dict(encap=encap, spi_up=0x10000 + 256 * index, spi_down=0x20000 + 256 * index))
		for index, (tunnel, encap) in enumerate((tunnel, encap) for tunnel in ("ipip", "mip-udp") for encap in (False, True))]
	report = inside_esp(bed, groups, 2400)
	assert report["registrations"]["moves"] >= 4, report["registrations"]
	for name in ("inside.pcap", "sent.pcap"):
		outside = bed.tshark(name, "-e", "udp.checksum.status", read=f"ipv6.addr == {AGENT6} && (esp || udp.port == 4500)")
		assert len(outside) >= 1200 and not bed.tshark(name, "-e", "ip.src", read=f"ip.addr == {AGENT}"), f"{name}: {len(outside)} inside, or a packet in clear"
		assert name == "inside.pcap" or sum(row[0].split(",")[0] == "1" for row in outside) >= 600, outside[:3]  # RFC 8200 8.1


def moves_inside_esp(bed, mode, senders):
	"""ESP stays where it is: who moves registers through the pair of associations that it has at its other care-of address, and is answered there."""
	report = inside_esp(bed, sealed_groups(mode, moves=8), 3200, senders=senders)
	registrations = report["registrations"]
	assert registrations["moves"] >= 8 and registrations["accepted"] >= registrations["nodes"] + registrations["moves"], registrations
	rows = {row["name"]: row for row in bed.gateway.ask("sa", "show") if row["direction"] == "in"}
	for settings in report["trials"][0]["groups"]:
		used = [rows[f"{settings['name']}-{index}"]["packets"] for index in range(8)]
		assert all(used[:4]) and any(count > 1 for count in used[4:]), (settings["name"], used)  # more than the registration itself
	bindings = {row["home_address"]: row["care_of_address"] for row in bed.gateway.bindings()}
	assert any(address.startswith("198.51." if mode == "transport" else "10.30.") and int(address.split(".")[3]) > 4 for address in bindings.values()), bindings


def test_moves_under_transport_mode(bed):  # TRN-12 HA4-SPD-10
	moves_inside_esp(bed, "transport", 1)


def test_moves_in_mode_mc(bed):  # HA4-MODE-10
	moves_inside_esp(bed, "tunnel", 2)


def test_nat_rebinding_around_mobile_ip(bed):  # HA4-MODE-09 NAT-09 MOB-16
	"""The NAT gives mode mc's and transport mode's ESP other ports: the gateway follows, and no binding changes for it."""
	groups = [group("mc", 1, encapsulation="ipip", nodes=4, care_of_count=2, vpn_address="10.30.1.1", nat_rebind_ms=800, registration=dict(rate=500),
		security=dict(encap=True, spi_up=0x10000, spi_down=0x20000)),
		group("transport", 2, encapsulation="minimal", nodes=4, nat_rebind_ms=800, registration=dict(rate=500),
		security=dict(mode="transport", encap=True, spi_up=0x30000, spi_down=0x40000))]
	report = inside_esp(bed, groups, 4000)
	assert report["registrations"]["accepted"] == 8, report["registrations"]
	answers = [p for p in rdpcap(bed.path("inside.pcap")) if "UDP" in p and p["UDP"].sport == 4500]
	for care_of, ports in (("198.51.1.", {20000, 20001, 20002, 20003}), ("198.51.2.", {20000, 20001})):  # both mappings of all nodes
		assert {p["UDP"].dport for p in answers if p["IP"].dst.startswith(care_of)} == ports, ports


def sa_packets(bed):
	"""By group and direction, packets of the associations as the gateway counts them."""
	counts = {}
	for row in bed.gateway.ask("sa", "show"):
		group_counts = counts.setdefault(row["name"].rsplit("-", 1)[0], {"in": 0, "out": 0})
		group_counts[row["direction"]] += row["packets"]
	return counts


def moves_and_a_storm(bed, senders):
	groups = [group("ipip", 1, encapsulation="ipip", nodes=20, registration=dict(rate=500, moves=40, storm_ms=300, storm_rate=200))]
	text, report = bed.traffic(groups, 3000, lcores=3, senders=senders)  # replies come in by another lcore than requests leave
	registrations = report["registrations"]
	assert report["receiving_lcores"] == 3 - senders
	bed.perfect(report, 3000)  # handover loses nothing: the old address is reachable until the new one is registered
	assert registrations["moves"] >= 20 and registrations["storms"] == 1, registrations
	assert registrations["accepted"] >= 20 + registrations["moves"] + 15, registrations
	assert registrations["denied"] == registrations["bad_authenticator"] == 0, registrations
	assert not drops(bed), drops(bed)


def test_moves_and_a_storm(bed):
	moves_and_a_storm(bed, 1)


def test_moves_of_two_sending_lcores(bed):
	"""A node moves when the lcore that sends for it has sent its last packet from where it was."""
	moves_and_a_storm(bed, 2)


def esp_check(bed, report, names):
	"""Every group's packets, as the gateway counted them under its associations, are those of the report."""
	wanted = {}
	for name in names:
		row = rows_of(report, name)
		wanted[name] = {"in": row["up"]["sent"], "out": row["down"]["received"]}
	net.wait_for(lambda: sa_packets(bed) == wanted, f"packets of the associations: {wanted} (are {sa_packets(bed)})", 15)


def test_every_suite(bed):
	"""Of each of the gateway's suites, 100 packets each way: counted under its associations; tshark verifies what it knows of what comes."""
	for first in range(0, len(SUITES), 16):
		names = SUITES[first:first + 16]
		groups = [group(name, i + 1, encapsulation="esp", nodes=2, security=dict(algorithm=name, encap=i % 3 == 1, esn=i % 2 == 1,
			spi_up=0x10000 + 256 * i, spi_down=0x20000 + 256 * i)) for i, name in enumerate(names)]
		text, report = bed.traffic(groups, 200 * len(names), rate=4000, own=("--capture-received", bed.path("got.pcap")))
		bed.perfect(report, 200 * len(names))
		for row in report["trials"][0]["groups"]:
			assert row["up"]["received"] == row["down"]["received"] == 100, row
		esp_check(bed, report, names)
		assert not drops(bed), drops(bed)
		bed.write_keys(text)
		rows = bed.tshark("got.pcap", "-e", "esp.spi", "-e", "esp.icv_good", read="esp")
		good = sum(row[1] == "1" for row in rows)
		with open(bed.path("wireshark/esp_sa")) as file:
			known = len(file.readlines()) // 2  # neither CCM nor ESN
		assert len(rows) == 100 * len(names) and good == 50 * known and known, (len(rows), good, known)
		assert not any(row[1] == "0" for row in rows), rows


def test_nat_gives_other_ports(bed):  # NAT-12
	groups = [group("nat", 1, encapsulation="esp", nodes=6, care_of_count=2, nat_rebind_ms=400,
		security=dict(encap=True, algorithm="aes256-sha256", spi_up=0x10000, spi_down=0x20000))]
	text, report = bed.traffic(groups, 3000, rate=1500)
	bed.perfect(report, 3000)
	assert not drops(bed), drops(bed)
	esp_check(bed, report, ["nat"])
	ports = {row["remote_port"] for row in bed.gateway.ask("sa", "show") if "remote_port" in row}
	assert ports, bed.gateway.ask("sa", "show")[0]


class Told(threading.Thread):
	"""
	Tells the gateway of each move that the generator writes down, as an IKE with MOBIKE would. Behind each it waits until the gateway has sent there,
	as long as there is traffic: then each place that a peer was told to be at must be in what the generator captured, in this order.
	"""
	seen_in = ("told", "v6")

	def __init__(self, bed):
		super().__init__(daemon=True)
		self.bed, self.path, self.wrong, self.traffic = bed, bed.path("moves"), [], True
		self.told, self.seen = {}, {}  # by association: all addresses, and how many of them the gateway has surely sent to
		os.mkfifo(self.path)
		self.file = os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK))  # the writer needs a reader
		os.set_blocking(self.file.fileno(), True)
		self.writer = os.open(self.path, os.O_WRONLY)  # and the reader no end of file before there is one

	def sent(self, name):
		return next(row["packets"] for row in self.bed.gateway.ask("sa", "show", name) if row["direction"] == "out")

	def wait_sent(self, name):
		"""The counters come by and by: what the first rise brought may have left before, what the second one brought has not."""
		for _ in range(2):
			before = self.sent(name)
			net.wait_for(lambda: not self.traffic or self.sent(name) > before, f"a packet to where {name} is", 120, every=0.05)

	def tell(self, line):
		words = line.split()
		result = self.bed.gateway.ctl(*words)
		if result.returncode:
			self.wrong.append(line + result.stderr)
		self.told.setdefault(words[2], []).append(words[4])
		if words[2].split("-")[0] in self.seen_in and self.traffic:
			self.wait_sent(words[2])
			self.seen[words[2]] = self.seen.get(words[2], 0) + self.traffic

	def run(self):
		try:
			for line in iter(self.file.readline, "end\n"):
				self.tell(line)
		except Exception as error:  # for end(), which asks
			self.wrong.append(repr(error))

	def end(self):
		os.write(self.writer, b"end\n")
		self.join(240)
		os.close(self.writer)
		assert not self.wrong and not self.is_alive(), self.wrong[:3]


def places(bed, capture):
	"""Of each group and node the outer addresses that the gateway sent to, one after the other."""
	found = {}
	for row in bed.tshark(capture, "-e", "ip.dst", read=f"ip.src == {AGENT}"):
		address = row[0].split(",")[0]
		index, host = (int(part) for part in address.split(".")[2:])
		sequence = found.setdefault((index, (host - 1) % 4), [])
		if sequence[-1:] != [address]:
			sequence.append(address)
	return found


def test_peers_of_esp_move(bed):  # MOB-01 NAT-12
	"""They keep their associations. In plain ESP the gateway is told where they went, in UDP it follows by itself; nothing is lost meanwhile."""
	groups = [group("told", 1, encapsulation="esp", nodes=4, security=dict(moves=1, spi_up=0x10000, spi_down=0x20000)),
		group("followed", 2, encapsulation="esp", nodes=4, security=dict(moves=1, encap=True, algorithm="aes256-sha256", spi_up=0x30000, spi_down=0x40000)),
		group("v6", 3, encapsulation="esp", nodes=4, node="2001:db8:10::1", correspondent="2001:db8:a::5",
			security=dict(moves=1, spi_up=0x50000, spi_down=0x60000))]
	text = profile(groups, 0, rate=600).replace("duration_ms = 60000", "duration_ms = 3600000")
	bed.begin(text)
	told = Told(bed)
	told.start()
	output = bed.path("moved.json")
	generator = net.Process("homeport-pktgen", ["ip", "netns", "exec", bed.network.full("tester"), *bed.command(bed.devices(), "--profile", bed.write(text),
		"--report", output, "--strict", "--moves", told.path, "--capture-received", bed.path("moved.pcap"), "--capture-limit", "0")], bed.path("moved.log"))
	bed.network.processes.append(generator)
	# There, back and there again, each peer.
	names = [f"{name}-{index}" for name in Told.seen_in for index in range(4)]
	net.wait_for(lambda: told.wrong or not generator.running() or all(told.seen.get(name, 0) >= 3 for name in names), "three moves of every peer", 240)
	told.traffic = False
	generator.process.terminate()
	status = generator.process.wait(240)
	told.end()
	with open(output) as file:
		report = json.load(file)
	assert status == 0 and report["stopped"], (status, generator.last_lines(3))
	bed.perfect(report, report["trials"][0]["sent"])
	assert report["peer_moves"] == {"moves": sum(len(told.told[name]) for name in told.told), "untold": 0}, report["peer_moves"]
	assert not drops(bed), drops(bed)
	esp_check(bed, report, ["told", "followed", "v6"])
	for row in bed.gateway.ask("sa", "show"):
		if row["name"] in names:
			assert row["remote"] == told.told[row["name"]][-1], (row, told.told)
	found = places(bed, "moved.pcap")
	for name in names:
		index = 1 if name.startswith("told") else 3
		node, sure = int(name.split("-")[1]), told.seen[name]
		wanted = [f"198.51.{index}.{node + 1}", *told.told[name][:sure]]
		assert sure >= 3 and found[index, node][:sure + 1] == wanted, (name, found[index, node], wanted)
	for node in range(4):
		assert found[2, node][:2] == [f"198.51.2.{node + 1}", f"198.51.2.{node + 5}"], (node, found[2, node])


def test_ipv6_in_and_around(bed):
	six = dict(node="2001:db8:10::1", correspondent="2001:db8:a::5")
	outer = [dict(agent=AGENT6, care_of=f"2001:db8:c:{index}::1") for index in range(5)]
	groups = [group("six in four", 1, encapsulation="esp", **six, security=dict(spi_up=0x10000, spi_down=0x20000)),
		group("four in six", 2, encapsulation="esp", **outer[2], security=dict(spi_up=0x30000, spi_down=0x40000)),
		group("six in six in UDP", 3, encapsulation="esp", **{**six, "node": "2001:db8:11::1"}, **outer[3], nat_rebind_ms=200,
			security=dict(encap=True, spi_up=0x50000, spi_down=0x60000)),
		group("four in six in UDP", 4, encapsulation="esp", **outer[4], security=dict(encap=True, spi_up=0x70000, spi_down=0x80000))]
	text, report = bed.traffic(groups, 1600)
	bed.perfect(report, 1600)
	assert not drops(bed), drops(bed)


def test_loss_is_seen(bed):
	"""A policy that discards one node's answers: exactly its packets are missing, and the gateway counted exactly them."""
	groups = [group("esp", 1, encapsulation="esp", nodes=4, security=dict(spi_up=0x10000, spi_down=0x20000))]
	text = "sending_lcores = 2;\n" + profile(groups, 800)
	bed.begin(text)
	result = bed.gateway.ctl("policy", "add", "stop", "order", "1", "action", "discard", "local-ts", "10.1.0.5-10.1.0.7",
		"remote-ts", "10.20.1.2")
	assert result.returncode == 0, result.stderr + result.stdout
	report = bed.run(text, bed.devices(), where="tester", strict=True, status=1, lcores=2)
	row = rows_of(report, "esp")
	counted = drops(bed)
	lost = row["up"]["lost"] + row["down"]["lost"]
	assert lost >= 100 and report["trials"][0]["lost"] == lost, row
	assert sum(counted.values()) == lost, (counted, row)
	flows = report["trials"][0]["flows"]
	assert flows["active"] == 8 and flows["worst"][0]["node"] == 1, flows
	assert sum(f["sent"] - f["received"] for f in flows["worst"]) == lost, flows
	assert all(f["node"] == 1 for f in flows["worst"]) and flows["lossy"] == len(flows["worst"]), flows


def test_the_gateway_conserves_every_packet(bed):
	bed.end()


main(dict(globals()), bed_class=GatewayBed)
