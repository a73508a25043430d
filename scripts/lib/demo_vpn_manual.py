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
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import demo  # noqa: E402
import network as net  # noqa: E402
import programs  # noqa: E402
import radio  # noqa: E402
import tunnel_demo  # noqa: E402

A, B, NAT = "192.0.2.1", "192.168.1.23", "203.0.113.7"
HOST_A, HOST_B, NODE = "10.1.0.5", "10.2.0.5", "10.2.0.77"
AGENT, HOME_ADDRESS = "10.20.0.1", "10.20.0.10"
KEY, SPI, NAI = "0123456789abcdeffedcba9876543210", 256, "mn1@example.com"
SITE_A, SITE_B = ["10.1.0.0/16", "10.20.0.0/16"], ["10.2.0.0/16"]


class VpnManual(tunnel_demo.TunnelDemo):
	NAME, PREFIX = "vpn-manual", "hp-vpn"
	STAY = "seconds between events (2)"
	CLEAR = re.escape(f"{NAT} > {A} protocol 1")  # the NAT's router about a port that it has forgotten: it quotes ESP

	def lay_out(self):
		n = self.network
		n.namespace("host-a", "gateway-a", "gateway-b", "host-b", "mn", "lan-b")
		n.namespace("nat", "internet", forward=True)
		radio.lay_out_gateway(n, "gateway-a")
		radio.lay_out_router(n, "nat", NAT, "gateway-b", "ext")
		radio.lay_out_host(n, "host-a", HOST_A, "gateway-a")
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

	def kill_control(self):
		"""The dataplane goes on; the new control finds its pair's numbers. The NAT's port it learns from the peer's next packet."""
		start = time.monotonic_ns()
		before = {way: row["sequence"] for way, row in self.pair(self.a).items()}
		learned = self.pair(self.a)["out"]["remote_port"]
		self.a.control.kill()
		self.a.start_control()
		net.wait_for(lambda: self.pair(self.a)["out"]["remote_port"] == learned, "the NAT's port after control's restart", 10, 0.05)
		after = {way: row["sequence"] for way, row in self.pair(self.a).items()}
		self.close_window("a killed control", start)
		if any(after[way] < before[way] for way in before):
			raise net.Failure(f"numbers went back when control was killed: {before} -> {after}")

	def change_mapping(self):
		start = time.monotonic_ns()
		radio.change_mapping(self.network, "nat", 4500)
		net.wait_for(lambda: (self.pair(self.a)["out"]["remote_port"] or 0) >= radio.FIRST_OTHER_PORT, "gateway A to follow the NAT's new port", 15, 0.05)
		self.close_window("the NAT's new port", start)

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
		self.close_window("a killed dataplane", start)
		time.sleep(self.arguments.stay)

	def play(self):
		self.start()
		n = self.network
		self.wire = tunnel_demo.Wire(n, "internet", "gateway").begin()
		self.round_trip = self.ping("host-b", HOST_B, HOST_A)
		self.start_node()
		net.wait_for(lambda: self.a.binding(HOME_ADDRESS), "registration through the tunnel", 15, 0.1)
		self.binding = self.a.ask("show", "binding", HOME_ADDRESS)[0]
		self.node_round_trip = self.ping("mn", HOME_ADDRESS, HOST_A)
		self.begin_traffic([("host A to B", "host-a", HOST_A, "host-b", HOST_B, 7001), ("host B to A", "host-b", HOST_B, "host-a", HOST_A, 7002),
			("host A to the node", "host-a", HOST_A, "mn", HOME_ADDRESS, 7003), ("the node to host A", "mn", HOME_ADDRESS, "host-a", HOST_A, 7004)],
			("host-b", HOST_B, "host-a", HOST_A, 7005))
		self.kill_control()
		time.sleep(self.arguments.stay)
		self.change_mapping()
		time.sleep(self.arguments.stay)
		self.rekey()
		time.sleep(self.arguments.stay)
		self.kill()
		self.finish_traffic()
		self.tables = [("gateway A", self.a.ctl("sa", "show").stdout + self.a.ctl("policy", "show").stdout),
			("gateway B", self.b.ctl("sa", "show").stdout + self.b.ctl("policy", "show").stdout)]

	# ---- what came of it

	def judge(self):
		wrong = super().judge()
		if self.seen["ike"]:
			wrong.append(f"{self.seen['ike']} messages of IKE where there is none")
		if self.resumed[1] < self.resumed[0]:
			wrong.append(f"numbers went back after the kill: {self.resumed[0]} -> {self.resumed[1]}")
		if not self.binding.get("requires_ipsec"):
			wrong.append(f"the binding is not marked as one that requires IPsec: {self.binding}")
		return wrong

	def show(self):
		for title, text in self.tables:
			print(f"\n{title}")
			for line in text.rstrip().splitlines():
				print(f"  {line}")
		self.show_wire()
		print(f"  gateway A's next number before and after the kill: {self.resumed[0]} -> {self.resumed[1]}")
		self.show_traffic(f"ping between the sites {self.round_trip}, from the node {self.node_round_trip}")

	def finish(self):
		return self.a.finish() + self.b.finish()

	def summary(self):
		return (f"{self.seen['packets']} ESP packets, none in clear, no number twice; NAT move, rekey and a kill of each "
			f"process survived, a binding inside the tunnel")


if __name__ == "__main__":
	demo.run(VpnManual, __doc__)
