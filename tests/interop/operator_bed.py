"""RFC 5266's Appendix A: the network of an operator with trusted and untrusted access networks, and a node that walks through it.

    mn ── air ─┬─ office 10.2.0.0/16 ────────────────────────────────┐
               ├─ hotspot 10.3.0.0/24 ── fa (foreign agent 10.0.3.2) ─┤
               │                                                    core ─┬─ iha  [homeport: internal home agent 10.20.0.1]
               ├─ cafe-a NAT 203.0.113.7 ─┐                           │    └─ host 10.1.0.5
               └─ cafe-b NAT 203.0.113.8 ─┴ internet ── vpn [homeport and charon: 192.0.2.1] 10.0.2.1

The home agent and the VPN gateway are two machines: what the one knows of the other is what is on the wire between them. The VPN's
inner addresses are 10.30.0.0/24; another pool, 172.16.30.0/24, is private to the gateway, and core hides it behind 10.0.1.254. The
internet routes the home agent's address to the VPN gateway, which is worse than the real one: what is asked in clear from a cafe does
get there. Node: homeport-mobile-node, with Debian's charon (kernel-libipsec) as its VPN client.
"""
import bed
import network as net
import programs
import radio
import strongswan
import traffic
import tunnel_demo

AGENT, HOME_ADDRESS = "10.20.0.1", "10.20.0.10"
INNER, HIDDEN, TRANSLATED, FOREIGN_AGENT = "10.30.0.0/24", "172.16.30.0/24", "10.0.1.254", "10.0.3.2"
CORE = "10.0.3.254"  # a router inside, which answers echoes
KEY, SPI, NAI = "0123456789abcdeffedcba9876543210", 256, "mn1@example.com"

OFFICE = radio.Access("office", "brc", "10.2.0.77", 16, "10.2.0.1")
HOTSPOT = radio.Access("hotspot", "brf", "10.3.0.77", 24, "10.3.0.1")
CAFE_A = radio.Access("cafe-a", "bra", "192.168.1.23", 24, "192.168.1.1", "203.0.113.7")
CAFE_B = radio.Access("cafe-b", "brb", "192.168.2.23", 24, "192.168.2.1", "203.0.113.8")

POLICIES = f"""
policies = (
  {{ name = "inner"; order = 800000; action = "discard"; local_ts = [ "0.0.0.0/0" ]; remote_ts = [ "{INNER}", "{HIDDEN}" ]; }},
  {{ name = "inside"; order = 900000; action = "bypass"; local_ts = [ "10.0.0.0/8" ]; remote_ts = [ "10.0.0.0/8" ]; }}
);
"""
TRANSLATION = """flush ruleset
table ip nat {{
 chain out {{
  type nat hook postrouting priority 100;
  ip saddr {hidden} masquerade
 }}
}}
"""


class Operator(bed.Bed):
	def __init__(self, build):
		super().__init__(build, "hp-modes")
		self.where = self.node = None
		self.lay_out()
		self.agent = programs.Gateway(self.network, "iha", build, agent=AGENT, name="-iha", virtual=["10.20.0.0/16"],
			ports=[("int", "internal", "hpint", "10.0.1.1/24", None)], routes=["default via 10.0.1.254 dev hpint"],
			nodes=[dict(home_address=HOME_ADDRESS, nai=NAI, spi=SPI, key=KEY)],
			instance=f'role = "i-HA"; trusted = [ "10.2.0.0/16", "10.3.0.0/24", "{FOREIGN_AGENT}/32", "{INNER}", "{TRANSLATED}/32" ]; '
				'reverse_tunnel_mandatory = true;')
		self.vpn = programs.Gateway(self.network, "vpn", build, agent="10.99.0.1", name="-vpn", virtual=["10.99.0.0/16"],
			ports=[("ext", "external", "hpext", f"{bed.GATEWAY}/24", None), ("int", "internal", "hpint", "10.0.2.1/24", None)],
			routes=["default via 192.0.2.254 dev hpext", "10.0.0.0/8 via 10.0.2.254 dev hpint", f"{INNER} via 192.0.2.254 dev hpext",
				f"{HIDDEN} via 192.0.2.254 dev hpext"], nodes=[],
			dataplane=bed.LARGE.format(sas=256, policies=1024),
			more=f'keying = {{ socket = "{self.network.path("keying-vpn.sock")}"; }};' + POLICIES)
		self.gateways = [self.agent, self.vpn]
		children = bed.child("agent", f"{AGENT}/32") + bed.child("core", f"{CORE}/32")
		# A client's identity says which pool its inner address is from.
		self.server = self.charon_of("vpn", "charon-vpn", "-vpn", "".join(bed.connection(f"vpn-{pool}", bed.GATEWAY, None, children,
			"auth = psk\nid = gateway.example", f"auth = psk\nid = {pool}.example", f"pools = {pool}") for pool in ("inner", "hidden")),
			pools=f"inner {{\naddrs = {INNER}\n}}\nhidden {{\naddrs = {HIDDEN}\n}}", settings="interfaces_use = hpext, hpint")
		self.client = strongswan.Charon(self.network, "mn", "charon-node", "libipsec", "".join(bed.connection(pool, None, bed.GATEWAY,
			bed.child(pool, None, f"{AGENT}/32") + bed.child(f"{pool}-core", None, f"{CORE}/32"), f"auth = psk\nid = {pool}.example", "auth = psk\nid = gateway.example", "vips = 0.0.0.0")
			for pool in ("inner", "hidden")), secrets=bed.secret(), settings="install_virtual_ip_on = ipsec0\n  interfaces_use = acc0")
		self.charons.append(self.client)

	# ---- the network

	def lay_out(self):
		n = self.network
		n.namespace("mn", "air", "host", "iha", "vpn")
		n.namespace("core", "fa", "cafe-a", "cafe-b", "internet", forward=True)
		radio.lay_out_internet(n)
		radio.lay_out_air(n, (OFFICE, HOTSPOT, CAFE_A, CAFE_B))
		for access in (CAFE_A, CAFE_B):
			radio.lay_out_nat(n, access)
		n.link("internet", "to-vpn", "vpn", "ext")
		n.ip("internet", "addr add 192.0.2.254/24 dev to-vpn")
		n.ip("internet", "route add 10.20.0.0/16 via 192.0.2.1")
		for interface, peer, peer_interface, router in (("to-iha", "iha", "int", "10.0.1.254/24"), ("to-vpn", "vpn", "int", "10.0.2.254/24"),
				("to-fa", "fa", "out", "10.0.3.254/24"), ("to-host", "host", "lan", "10.1.0.1/16"), ("to-office", "air", "office", "10.2.0.1/16")):
			n.link("core", interface, peer, peer_interface)
			n.ip("core", f"addr add {router} dev {interface}")
		n.ip("air", f"link set office master {OFFICE.bridge}")
		n.link("fa", "in", "air", "hotspot")
		n.ip("air", f"link set hotspot master {HOTSPOT.bridge}")
		n.ip("fa", f"addr add {HOTSPOT.router}/24 dev in")
		n.ip("fa", f"addr add {FOREIGN_AGENT}/24 dev out")
		n.ip("fa", "route add default via 10.0.3.254")
		n.ip("host", f"addr add {bed.HOST}/16 dev lan")
		n.ip("host", "route add default via 10.1.0.1")
		for route in ("10.20.0.0/16 via 10.0.1.1", "10.3.0.0/24 via 10.0.3.2", f"{INNER} via 10.0.2.1", f"{HIDDEN} via 10.0.2.1", "192.0.2.0/24 via 10.0.2.1"):
			n.ip("core", f"route add {route}")
		n.nft("core", TRANSLATION.format(hidden=HIDDEN))
		for where, which in (("mn", "all"), ("mn", "default"), ("mn", "acc0"), ("fa", "all"), ("fa", "default"), ("fa", "in")):
			n.sysctl(where, f"net.ipv4.conf.{which}.rp_filter", 0)
		for where, interface in (("iha", "int"), ("vpn", "ext"), ("vpn", "int")):
			n.dataplane_end(where, interface)

	def attach(self, access):
		radio.attach(self.network, access, self.where)
		self.where = access

	# ---- the programs

	def start(self):
		for gateway in self.gateways:
			gateway.start()
		self.server.start()
		self.client.start()
		self.foreign_agent = self.network.start("fa", "foreign-agent", programs.binary(self.build, "homeport-foreign-agent"), "--access", "in",
			"--address", HOTSPOT.router, "--care-of", FOREIGN_AGENT, "--advertise", "1")
		self.start_node(INNER)

	def start_node(self, vpn):
		if self.node:
			self.node.stop()
		self.node = programs.mobile_node(self.network, "mn", self.build, key=KEY, access="acc0", tun="mip0", home_agent=AGENT, nai=NAI,
			home_address=HOME_ADDRESS, spi=SPI, keepalive=10, vpn=vpn, route="10.1.0.0/16", foreign_agent="any", lifetime=1800)

	def finish(self):
		wrong = []
		for process in (self.node, self.foreign_agent):
			if not self.stopped and process.stop():
				wrong.append(f"{process.name} ended with status {process.process.returncode}: {process.last_lines(2)}")
		super().finish()
		assert not wrong, "; ".join(wrong)

	# ---- looking

	def binding(self):
		rows = self.agent.ask("show", "binding", HOME_ADDRESS, quiet=True)
		return rows[0] if rows else {}

	def bound(self, care_of, seconds=20):
		"""Waits until the binding is there, at a care-of address or one of a prefix, and the node knows; returns it."""
		def look():
			row = self.binding()
			return row if row.get("care_of_address", "").startswith(care_of) else None
		row = net.wait_for(look, f"the binding at {care_of}", seconds, 0.05)
		self.node.expect(rf"event=registered .*care_of={row['care_of_address'].replace('.', '[.]')} ", seconds, self.said)
		return row

	def mark(self):
		self.said = len(self.node.output())

	def seen_by_agent(self):
		"""The home agent's counters of messages, all of them."""
		return self.agent.counters()["control"][0]["counters"]

	def associations(self):
		return [row for row in self.vpn.ask("sa", "show") if row["state"] == "live"]

	def moved_to(self, address):
		net.wait_for(lambda: {row["remote"] for row in self.associations()} == {address}, f"MOBIKE's move to {address}", 25, 0.05)

	def begin_traffic(self):
		self.transfer = traffic.Transfer(self.network, "mn", HOME_ADDRESS, "host", bed.HOST, 7003, rate=200_000).begin()
		self.wire = tunnel_demo.Wire(self.network, "internet", "to-vpn").begin()

	def finish_traffic(self, octets=100_000):
		"""TCP came through whole, and what was in clear on the internet were requests and ICMP."""
		self.transfer.finish()
		seen = self.wire.finish()
		assert not self.transfer.error, f"TCP: {self.transfer.error}"
		assert self.transfer.octets > octets, f"TCP carried {self.transfer.octets} octets"
		wrong = [kind for kind in seen["clear"] if not kind.endswith((f"> {AGENT} protocol 17 port 434", "protocol 1"))]
		assert not wrong, f"in clear on the internet: {wrong}"
		assert not seen["twice"], f"sequence numbers used twice: {seen['twice']}"
		return seen

