"""scripts/demo vpn-manual: two gateways, a NAT between them, keys given by hand, and a mobile node's binding inside the tunnel.

    host-a 10.1.0.5 ── gateway-a ── internet ── nat ── gateway-b ─┬─ host-b 10.2.0.5
           home agent 10.20.0.1     203.0.113.0/24                └─ mn 10.2.0.77, home address 10.20.0.10

Each box is a network namespace. The sites' traffic passes an ESP-in-UDP tunnel between the two gateways; what the kernels of the
hosts send is never on the internet in clear. The mobile node is a guest of site B: it registers with the home agent at site A
through the tunnel, and its own tunnel (IP in IP) runs inside ESP (RFC 5266 mode mc). While numbered datagrams and a TCP connection run,
gateway A's control is killed and started again, the NAT gives the tunnel another port, the keys are changed by hand, and gateway A's
dataplane is killed.
From a watch on the internet link come the figures: no packet in clear, and no sequence number of any SPI twice.
"""
import os
import re
import secrets
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import demo  # noqa: E402
import network as net  # noqa: E402
import programs  # noqa: E402
import traffic  # noqa: E402

A, B, NAT = "192.0.2.1", "192.168.1.23", "203.0.113.7"
HOST_A, HOST_B, NODE = "10.1.0.5", "10.2.0.5", "10.2.0.77"
AGENT, HOME_ADDRESS = "10.20.0.1", "10.20.0.10"
KEY, SPI, NAI = "0123456789abcdeffedcba9876543210", 256, "mn1@example.com"
SITE_A, SITE_B = ["10.1.0.0/16", "10.20.0.0/16"], ["10.2.0.0/16"]
GUARD_NS = 50_000_000

MASQUERADE = """flush ruleset
table ip nat {{
 chain out {{
  type nat hook postrouting priority 100;
  oifname "out" udp sport 0-65535 masquerade to :{ports}
 }}
}}
"""


class Wire(traffic.Part):
	"""What is on the internet: ESP by SPI and number, and everything else."""

	def __init__(self, network, where, interface):
		super().__init__(network, where)
		self.interface = interface

	def body(self):
		seen, twice, clear, packets = {}, {}, {}, 0
		with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
			sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
			sock.bind((self.interface, 0))
			sock.settimeout(0.1)
			self.ready.set()
			while not self.end.is_set():
				try:
					frame = sock.recv(2048)
				except TimeoutError:
					continue
				if len(frame) < 42 or frame[12:14] != b"\x08\x00":
					continue
				header = 14 + (frame[14] & 15) * 4
				source, destination = socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])
				ports = struct.unpack_from("!HH", frame, header)
				if frame[23] == 17 and 4500 in ports and len(frame) >= header + 16:
					spi, sequence = struct.unpack_from("!II", frame, header + 8)
					numbers = seen.setdefault(f"{spi:#010x}", set())
					if sequence in numbers:
						twice[f"{spi:#010x}"] = twice.get(f"{spi:#010x}", 0) + 1
					numbers.add(sequence)
					packets += 1
				else:
					kind = f"{source} > {destination} protocol {frame[23]}"
					clear[kind] = clear.get(kind, 0) + 1
		return {"packets": packets, "numbers": {spi: [min(n), max(n), len(n)] for spi, n in seen.items()}, "twice": twice, "clear": clear}


class VpnManual(demo.Demo):
	NAME, PREFIX = "vpn-manual", "hp-vpn"
	STAY = "seconds between events (2)"

	def __init__(self, arguments):
		super().__init__(arguments)
		# What the NAT's router answers to packets for a port that it has forgotten: it quotes ESP.
		self.errors = [f"{NAT} > {A} protocol 1"]
		self.windows = []  # (title, start, end): what is lost in them is told, not judged

	def lay_out(self):
		n = self.network
		n.namespace("host-a", "gateway-a", "gateway-b", "host-b", "mn", "lan-b")
		n.namespace("nat", "internet", forward=True)
		n.link("internet", "gateway", "gateway-a", "ext")
		n.ip("internet", "addr add 192.0.2.254/24 dev gateway")
		n.link("internet", "nat", "nat", "out")
		n.ip("internet", "addr add 203.0.113.254/24 dev nat")
		n.ip("nat", f"addr add {NAT}/24 dev out")
		n.ip("nat", "route add default via 203.0.113.254")
		n.link("nat", "in", "gateway-b", "ext")
		n.ip("nat", "addr add 192.168.1.1/24 dev in")
		n.nft("nat", MASQUERADE.format(ports="40000-40999"))
		n.link("host-a", "lan", "gateway-a", "int")
		n.ip("host-a", f"addr add {HOST_A}/16 dev lan")
		n.ip("host-a", "route add default via 10.1.0.1")
		n.ip("lan-b", "link add lan type bridge forward_delay 0")
		n.ip("lan-b", "link set lan up")
		for name, interface, port in (("host-b", "lan", "to-host"), ("mn", "acc0", "to-mn"), ("gateway-b", "int", "to-gw")):
			n.link(name, interface, "lan-b", port)
			n.ip("lan-b", f"link set {port} master lan")
		n.ip("host-b", f"addr add {HOST_B}/16 dev lan")
		n.ip("host-b", "route add default via 10.2.0.1")
		n.ip("mn", f"addr add {NODE}/16 dev acc0")
		n.ip("mn", "route add default via 10.2.0.1")
		for name in ("gateway-a", "gateway-b"):
			for interface in ("ext", "int"):
				n.dataplane_end(name, interface)

	# ---- keys and configuration

	def key_files(self, generation):
		"""Each gateway's private file: what one sends the other receives."""
		one, other = secrets.token_hex(20), secrets.token_hex(20)
		paths = []
		for name, received, sent in (("a", other, one), ("b", one, other)):
			path = self.network.path(f"keys-{generation}-{name}")
			with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
				file.write(f"in {received}\nout {sent}\n")
			paths.append(path)
		return paths

	@staticmethod
	def vpn(local, remote, spis, key_file, local_ts, remote_ts, follow):
		show = lambda prefixes: "[ " + ", ".join(f'"{p}"' for p in prefixes) + " ]"  # noqa: E731
		return f"""security_associations = ( {{
  name = "site"; local = "{local}"; remote = "{remote}"; encap = true; follow_mapping = {str(follow).lower()};
  spi_in = {spis[0]:#x}; spi_out = {spis[1]:#x}; algorithm = "aes128gcm16"; unsafe_static_keys = true;
  key_file = "{key_file}"; local_ts = {show(local_ts)}; remote_ts = {show(remote_ts)};
}} );
policies = (
  {{ name = "site"; order = 100; action = "protect"; security_association = "site"; local_ts = {show(local_ts)}; remote_ts = {show(remote_ts)}; }}
);
"""

	def start(self):
		n, build = self.network, self.arguments.build
		keys = self.key_files(1)
		self.a = programs.Gateway(n, "gateway-a", build, agent=AGENT, name="-a", virtual=["10.20.0.0/16"],
			ports=[("ext", "external", "hpext", f"{A}/24", None), ("int", "internal", "hpint", "10.1.0.1/16", None)],
			routes=["default via 192.0.2.254 dev hpext"], nodes=[dict(home_address=HOME_ADDRESS, nai=NAI, spi=SPI, key=KEY)],
			instance='role = "i-HA"; trusted = [ "10.0.0.0/8" ]; tunnel_inner = [ "10.2.0.0/16" ];',
			dataplane="max_security_associations = 64; max_policies = 256;",
			more=self.vpn(A, NAT, (0xa001, 0xb001), keys[0], SITE_A, SITE_B, True))
		self.b = programs.Gateway(n, "gateway-b", build, agent="10.99.0.1", name="-b", virtual=["10.99.0.0/16"],
			ports=[("ext", "external", "hpext", f"{B}/24", None), ("int", "internal", "hpint", "10.2.0.1/16", None)],
			routes=["default via 192.168.1.1 dev hpext"], nodes=[],
			dataplane="max_security_associations = 64; max_policies = 256;",
			more=self.vpn(B, A, (0xb001, 0xa001), keys[1], SITE_B, SITE_A, False))
		self.a.start()
		self.b.start()

	def start_node(self):
		self.node = programs.mobile_node(self.network, "mn", self.arguments.build, key=KEY, access="acc0", tun="mip0",
			home_agent=AGENT, home_address=HOME_ADDRESS, home_prefix="10.1.0.0/16", nai=NAI, spi=SPI, keepalive=10)

	# ---- what happens

	def pair(self, gateway, name="site"):
		rows = gateway.ask("sa", "show", name, quiet=True) or []
		return {row["direction"]: row for row in rows}

	def ping(self, where, source, destination):
		output = self.network.exec(where, "ping", "-c", "3", "-i", "0.2", "-W", "1", "-I", source, destination, check=False)
		if not re.search(r"3 received", output):
			raise net.Failure(f"ping {source} > {destination}: " + " ".join(output.split())[-160:])
		return re.search(r"= ([0-9./]+ ms)", output).group(1)

	def kill_control(self):
		"""The dataplane goes on; the new control finds its pair's numbers. The NAT's port it learns from the peer's next packet."""
		start = time.monotonic_ns()
		before = {way: row["sequence"] for way, row in self.pair(self.a).items()}
		learned = self.pair(self.a)["out"]["remote_port"]
		self.a.control.kill()
		self.a.start_control()
		net.wait_for(lambda: self.pair(self.a)["out"]["remote_port"] == learned, "the NAT's port after control's restart", 10, 0.05)
		after = {way: row["sequence"] for way, row in self.pair(self.a).items()}
		self.windows.append(("a killed control", start, time.monotonic_ns()))
		if any(after[way] < before[way] for way in before):
			raise net.Failure(f"numbers went back when control was killed: {before} -> {after}")

	def change_mapping(self):
		start = time.monotonic_ns()
		self.network.nft("nat", MASQUERADE.format(ports="50000-50999"))
		self.network.exec("nat", "conntrack", "-D", "-p", "udp", "--dport", "4500", check=False)
		net.wait_for(lambda: (self.pair(self.a)["out"]["remote_port"] or 0) >= 50000, "gateway A to follow the NAT's new port", 15, 0.05)
		self.windows.append(("the NAT's new port", start, time.monotonic_ns()))

	def rekey(self):
		"""First both receive with the new keys, then both send with them, then the old ones go."""
		keys = self.key_files(2)
		port = str(self.pair(self.a)["out"]["remote_port"])
		common = ["--encap", "--algorithm", "aes128gcm16", "--unsafe-static-keys"]
		ts = lambda local, remote: ["--local-ts", ",".join(local), "--remote-ts", ",".join(remote)]  # noqa: E731
		self.a.ask("sa", "add", "site-2", "--local", A, "--remote", NAT, "--remote-port", port, "--spi-in", "0xa002", "--spi-out",
			"0xb002", "--key-file", keys[0], "--follow-mapping", *common, *ts(SITE_A, SITE_B), quiet=True)
		self.b.ask("sa", "add", "site-2", "--local", B, "--remote", A, "--spi-in", "0xb002", "--spi-out", "0xa002", "--key-file", keys[1],
			*common, *ts(SITE_B, SITE_A), quiet=True)
		for gateway in (self.a, self.b):
			net.wait_for(lambda: self.pair(gateway, "site-2").get("in", {}).get("in_dataplane"), "the new associations", 5)
		time.sleep(0.3)
		for gateway, local, remote in ((self.a, SITE_A, SITE_B), (self.b, SITE_B, SITE_A)):
			self.do(gateway, "policy", "add", "site-2", "--order", "50", "--action", "protect", "--sa", "site-2", *ts(local, remote))
		net.wait_for(lambda: all(self.pair(g, "site-2")["out"]["packets"] > 0 for g in (self.a, self.b)), "traffic under the new keys", 10)
		time.sleep(0.5)
		for gateway in (self.a, self.b):
			self.do(gateway, "policy", "del", "site")
			self.do(gateway, "sa", "del", "site")

	@staticmethod
	def do(gateway, *words):
		result = gateway.ctl(*words)
		if result.returncode:
			raise net.Failure(f"homeportctl {' '.join(words)}: {result.stderr.strip()}")

	def kill(self):
		before = self.pair(self.a, "site-2")["out"]["sequence"]
		start = time.monotonic_ns()
		self.a.dataplane.kill()
		self.a.start_dataplane()
		self.a.wait_ready()
		self.resumed = (before, self.pair(self.a, "site-2")["out"]["sequence"])
		net.wait_for(lambda: self.pair(self.a, "site-2")["in"]["sequence"] > 0 and self.pair(self.a, "site-2")["out"]["sequence"]
			> self.resumed[1], "traffic after the kill", 15, 0.1)
		self.windows.append(("a killed dataplane", start, time.monotonic_ns()))
		time.sleep(self.arguments.stay)

	def play(self):
		self.start()
		n = self.network
		self.wire = Wire(n, "internet", "gateway").begin()
		self.round_trip = self.ping("host-b", HOST_B, HOST_A)
		self.start_node()
		net.wait_for(lambda: self.a.binding(HOME_ADDRESS), "registration through the tunnel", 15, 0.1)
		self.binding = self.a.ask("show", "binding", HOME_ADDRESS)[0]
		self.node_round_trip = self.ping("mn", HOME_ADDRESS, HOST_A)
		self.streams = [traffic.Stream(n, "host A to B", "host-a", HOST_A, "host-b", HOST_B, 7001).begin(),
			traffic.Stream(n, "host B to A", "host-b", HOST_B, "host-a", HOST_A, 7002).begin(),
			traffic.Stream(n, "host A to the node", "host-a", HOST_A, "mn", HOME_ADDRESS, 7003).begin(),
			traffic.Stream(n, "the node to host A", "mn", HOME_ADDRESS, "host-a", HOST_A, 7004).begin()]
		self.transfer = traffic.Transfer(n, "host-b", HOST_B, "host-a", HOST_A, 7005).begin()
		time.sleep(self.arguments.stay)
		self.kill_control()
		time.sleep(self.arguments.stay)
		self.change_mapping()
		time.sleep(self.arguments.stay)
		self.rekey()
		time.sleep(self.arguments.stay)
		self.kill()
		self.transfer.finish()
		for stream in self.streams:
			stream.finish()
		self.seen = self.wire.finish()
		self.tables = [("gateway A", self.a.ctl("sa", "show").stdout + self.a.ctl("policy", "show").stdout),
			("gateway B", self.b.ctl("sa", "show").stdout + self.b.ctl("policy", "show").stdout)]

	# ---- what came of it

	def judge(self):
		wrong = []
		if self.seen.get("error"):
			wrong.append(f"watch: {self.seen['error']}")
		for kind, count in self.seen.get("clear", {}).items():
			if kind in self.errors:
				continue
			wrong.append(f"{count} packets in clear on the internet: {kind}")
		for spi, count in self.seen.get("twice", {}).items():
			wrong.append(f"{count} sequence numbers of {spi} used twice")
		if len(self.seen.get("numbers", {})) < 4:
			wrong.append(f"expected four SPIs on the internet, saw {sorted(self.seen.get('numbers', {}))}")
		if self.resumed[1] < self.resumed[0]:
			wrong.append(f"numbers went back after the kill: {self.resumed[0]} -> {self.resumed[1]}")
		if not self.binding.get("requires_ipsec"):
			wrong.append(f"the binding is not marked as one that requires IPsec: {self.binding}")
		for stream in self.streams:
			if stream.error or not stream.sent:
				wrong.append(f"stream {stream.name}: {stream.error or 'sent nothing'}")
			outside = [i for i in stream.lost() if not any(s - GUARD_NS <= stream.sent[i] < e for _, s, e in self.windows)]
			if outside:
				wrong.append(f"{len(outside)} packets {stream.name} lost outside the interruptions")
		if self.transfer.error:
			wrong.append(f"TCP: {self.transfer.error}")
		return wrong

	def show(self):
		for title, text in self.tables:
			print(f"\n{title}")
			for line in text.rstrip().splitlines():
				print(f"  {line}")
		print(f"\nOn the internet: {self.seen.get('packets')} ESP packets, {sum(self.seen.get('clear', {}).values())} ICMP errors about them")
		for spi, (first, last, count) in sorted(self.seen.get("numbers", {}).items()):
			print(f"  SPI {spi}: numbers {first} to {last}, {count} different, {self.seen['twice'].get(spi, 0)} twice")
		print(f"  gateway A's next number before and after the kill: {self.resumed[0]} -> {self.resumed[1]}")
		print(f"\nTraffic   ping between the sites {self.round_trip}, from the node {self.node_round_trip}")
		for stream in self.streams:
			inside = [f"{sum(s - GUARD_NS <= stream.sent[i] < e for i in stream.lost())} at {t}" for t, s, e in self.windows]
			print(f"  UDP {stream.name}: {len(stream.sent)} sent, {len(stream.arrived)} arrived, {len(stream.lost())} lost ({', '.join(inside)}), "
				f"{stream.duplicates} twice")
		print(f"  TCP: {self.transfer.octets / 1e6:.1f} MB both ways, longest pause {self.transfer.longest_pause_s * 1000:.0f} ms, "
			f"hashes {'equal' if not self.transfer.error else 'NOT equal'}")
		for title, start, end in self.windows:
			print(f"  {title}: {(end - start) / 1e6:.0f} ms until it was seen to work again")

	def finish(self):
		return self.a.finish() + self.b.finish()

	def summary(self):
		return (f"{self.seen['packets']} ESP packets, none in clear, no number twice; NAT move, rekey and a kill of each "
			f"process survived, a binding inside the tunnel")


if __name__ == "__main__":
	demo.run(VpnManual, __doc__)
