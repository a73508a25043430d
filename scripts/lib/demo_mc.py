"""scripts/demo mc: RFC 5266. A mobile node walks from the office through two cafes' NATs and back; strongSwan is its VPN client.

    mn ── air ─┬─ office 10.2.0.0/16 ───────────────────── lan ┐
               ├─ cafe-a (192.168.1.0/24 behind 203.0.113.7) ─┐ ├─ gateway ── int ── host 10.1.0.5
               └─ cafe-b (192.168.2.0/24 behind 203.0.113.8) ─┴ internet ── ext ┘
               home agent (i-HA) 10.20.0.1, home address 10.20.0.10, tunnel inner addresses 10.30.0.0/24

Each box is a network namespace; the gateway is VPN gateway (charon with homeport's plugin) and internal home agent in one. In the
office the node registers in clear and the answer says "trusted" (mode c). In a cafe its clear request gets no answer; the VPN client
(Debian's charon with kernel-libipsec) connects, its virtual address is the care-of address, and Mobile IP runs inside ESP (mode mc).
From one cafe to the other MOBIKE moves the tunnel, and the home agent does not notice. There the CHILD_SA is rekeyed. Back in the
office a request in clear is answered again, the binding leaves the tunnel, and the VPN goes down. Numbered datagrams both ways and a
TCP connection between host and home address run all the while. A watch on the internet says that nothing of them was in clear.
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import demo  # noqa: E402
import network as net  # noqa: E402
import programs  # noqa: E402
import radio  # noqa: E402
import strongswan  # noqa: E402
import tunnel_demo  # noqa: E402

GATEWAY, AGENT, HOME_ADDRESS, HOST = "192.0.2.1", "10.20.0.1", "10.20.0.10", "10.1.0.5"
INNER, OFFICE = "10.30.0.0/24", "10.2.0.0/16"
KEY, SPI, NAI, SECRET = "0123456789abcdeffedcba9876543210", 256, "mn1@example.com", "correct horse battery staple"

OFFICE_LAN = radio.Access("office", "brc", "10.2.0.77", 16, "10.2.0.1")
CAFE_A = radio.Access("cafe-a", "bra", "192.168.1.23", 24, "192.168.1.1", "203.0.113.7")
CAFE_B = radio.Access("cafe-b", "brb", "192.168.2.23", 24, "192.168.2.1", "203.0.113.8")

# What else passes: the inside among itself, in clear. What goes to a tunnel inner address, under its SA or not at all.
POLICIES = f"""
policies = (
  {{ name = "inner"; order = 800000; action = "discard"; local_ts = [ "0.0.0.0/0" ]; remote_ts = [ "{INNER}" ]; }},
  {{ name = "inside"; order = 900000; action = "bypass"; local_ts = [ "10.0.0.0/8" ]; remote_ts = [ "10.0.0.0/8" ]; }}
);
"""


class Mc(tunnel_demo.TunnelDemo):
	NAME, PREFIX = "mc", "hp-mc"
	STAY = "seconds in each network (2)"
	# Requests in clear, which get no answer, and ICMP errors about ESP.
	CLEAR = rf"203\.0\.113\.[78] > {re.escape(AGENT)} protocol 17 port 434|.* protocol 1"

	def __init__(self, arguments):
		super().__init__(arguments)
		self.stages = []  # (where, binding's mode, care-of address, requires IPsec)
		self.where = None

	# ---- the network

	def lay_out(self):
		n = self.network
		n.namespace("mn", "gateway", "host", "air")
		n.namespace("cafe-a", "cafe-b", "internet", forward=True)
		radio.lay_out_internet(n)
		radio.lay_out_air(n, (OFFICE_LAN, CAFE_A, CAFE_B))
		for access in (CAFE_A, CAFE_B):
			radio.lay_out_nat(n, access)
		radio.lay_out_gateway(n, "gateway")
		n.ip("internet", "route add 10.0.0.0/8 via 192.0.2.1")  # worse than the real one: clear requests do reach the gateway
		radio.lay_out_host(n, "host", HOST, "gateway")
		n.link("air", "to-office", "gateway", "lan")
		n.ip("air", f"link set to-office master {OFFICE_LAN.bridge}")
		for which in ("all", "default", "acc0"):
			n.sysctl("mn", f"net.ipv4.conf.{which}.rp_filter", 0)
		for interface in ("ext", "int", "lan"):
			n.dataplane_end("gateway", interface)

	def attach(self, access):
		radio.attach(self.network, access, self.where)
		self.where = access

	# ---- the programs

	def start(self):
		n, build = self.network, self.arguments.build
		keying = n.path("keying.sock")
		self.gateway = programs.Gateway(n, "gateway", build, agent=AGENT, virtual=["10.20.0.0/16"],
			ports=[("ext", "external", "hpext", f"{GATEWAY}/24", None), ("int", "internal", "hpint", "10.1.0.1/16", None),
				("lan", "internal", "hplan", "10.2.0.1/16", None)],
			routes=["default via 192.0.2.254 dev hpext"], nodes=[dict(home_address=HOME_ADDRESS, nai=NAI, spi=SPI, key=KEY)],
			instance=f'role = "i-HA"; trusted = [ "{OFFICE}", "{INNER}" ]; tunnel_inner = [ "{INNER}" ]; reverse_tunnel_mandatory = true;',
			dataplane="max_security_associations = 256; max_policies = 1024;",
			more=f'keying = {{ socket = "{keying}"; }};' + POLICIES)
		self.gateway.start()
		self.server = strongswan.Charon(n, "gateway", "charon-gateway", "homeport", build=build, socket=keying, level=2,
			settings="interfaces_use = hpext, hplan", pools=f"inner {{\n addrs = {INNER}\n}}", secrets=f'ike {{\n secret = "{SECRET}"\n}}',
			connections=f"""vpn {{
  version = 2
  local_addrs = {GATEWAY}
  pools = inner
  proposals = aes128gcm16-prfsha256-curve25519
  local {{
    auth = psk
    id = gateway.example.com
  }}
  remote {{
    auth = psk
  }}
  children {{
    agent {{
      local_ts = {AGENT}/32
      esp_proposals = aes128gcm16
    }}
  }}
}}""")
		self.client = strongswan.Charon(n, "mn", "charon-node", "libipsec", secrets=f'ike {{\n secret = "{SECRET}"\n}}',
			settings="install_virtual_ip_on = ipsec0\n  interfaces_use = acc0", connections=f"""vpn {{
  version = 2
  remote_addrs = {GATEWAY}
  vips = 0.0.0.0
  mobike = yes
  proposals = aes128gcm16-prfsha256-curve25519
  local {{
    auth = psk
    id = {NAI}
  }}
  remote {{
    auth = psk
    id = gateway.example.com
  }}
  children {{
    agent {{
      remote_ts = {AGENT}/32
      esp_proposals = aes128gcm16
    }}
  }}
}}""")
		self.charons = [self.client, self.server]
		self.server.start()
		self.client.start()
		self.node = programs.mobile_node(n, "mn", build, key=KEY, access="acc0", tun="mip0", home_agent=AGENT, home_address=HOME_ADDRESS,
			nai=NAI, spi=SPI, keepalive=10, vpn=INNER, route="10.1.0.0/16", tunnel="auto")

	# ---- looking

	def binding(self):
		rows = self.gateway.ask("show", "binding", HOME_ADDRESS, quiet=True)
		return rows[0] if rows else {}

	def bound(self, mode, care_of=None):
		row = self.binding()
		return row if row.get("mode") == mode and (care_of is None or row.get("care_of_address") == care_of) else None

	def said(self, text):
		return text in self.node.output()

	def stage(self, where):
		row = self.binding()
		self.stages.append((where, row.get("mode"), row.get("care_of_address"), row.get("requires_ipsec")))

	def accepted(self):
		return sum(row["accepted"] for row in self.gateway.ask("show", "nodes"))

	# ---- what happens

	def play(self):
		self.start()
		n = self.network
		self.wire = tunnel_demo.Wire(n, "internet", "gateway").begin()
		self.attach(OFFICE_LAN)
		net.wait_for(lambda: self.bound("c", OFFICE_LAN.address), "registration in the office", 15, 0.1)
		net.wait_for(lambda: self.said("event=network trusted=yes"), "TNC in the office", 5)
		self.stage("office")
		self.begin_traffic([("host to node", "host", HOST, "mn", HOME_ADDRESS, 7001), ("node to host", "mn", HOME_ADDRESS, "host", HOST, 7002)],
			("mn", HOME_ADDRESS, "host", HOST, 7003))
		self.to_cafe()
		self.move_cafe()
		self.rekey()
		self.to_office()
		self.finish_traffic()

	def to_cafe(self):
		"""Out: what is asked in clear is not answered, and the VPN takes over."""
		start = time.monotonic_ns()
		requests = self.node.output().count("event=request")
		self.attach(CAFE_A)
		net.wait_for(lambda: self.node.output().count("event=request") > requests + 1, "two requests in clear from the cafe", 10, 0.05)
		self.clear_answer = bool(self.bound("c", CAFE_A.address)) or self.binding().get("care_of_address") != OFFICE_LAN.address
		self.client.initiate("agent")
		net.wait_for(lambda: self.bound("mc"), "registration through the VPN", 15, 0.05)
		self.inner = self.binding()["care_of_address"]
		self.close_window("out of the office, the VPN comes up", start)
		self.stage("cafe A, VPN")
		time.sleep(self.arguments.stay)

	def move_cafe(self):
		"""MOBIKE: the tunnel moves, Mobile IP does not."""
		before = self.accepted()
		start = time.monotonic_ns()
		self.attach(CAFE_B)
		net.wait_for(lambda: any(row["remote"] == "203.0.113.8" for row in self.gateway.ask("sa", "show")), "MOBIKE's move", 20, 0.05)
		net.wait_for(lambda: self.client.child("agent"), "the CHILD_SA", 5)
		self.close_window("from cafe to cafe, MOBIKE", start)
		time.sleep(self.arguments.stay + 2)  # the node's probes go out, and are not answered
		self.registrations_of_move = self.accepted() - before
		self.stage("cafe B, VPN")

	def rekey(self):
		before = {row["spi"] for row in self.gateway.ask("sa", "show")}
		self.client.swanctl("--rekey", "--child", "agent")
		net.wait_for(lambda: {row["spi"] for row in self.gateway.ask("sa", "show")} - before, "new SPIs", 10, 0.05)
		time.sleep(self.arguments.stay + 6)  # until the old inbound SA is gone as well: the binding goes over to the new one
		self.stage("cafe B, rekeyed")

	def to_office(self):
		"""In: the probe in clear is answered with TNC, the binding leaves the tunnel, the VPN ends.

		Until the node has that answer, and it may be lost once, it sends through the VPN, where it has no binding any more: the gateway
		drops that as rt_no_binding (HA4-REV-02), which is told and is within the window.
		"""
		start = time.monotonic_ns()
		self.attach(OFFICE_LAN)
		net.wait_for(lambda: self.bound("c", OFFICE_LAN.address), "registration in the office again", 15, 0.05)
		self.close_window("back into the office", start)
		self.client.terminate("--ike", "vpn")
		net.wait_for(lambda: not [r for r in self.gateway.ask("sa", "show") if r["state"] == "live"], "the end of the VPN", 15, 0.1)
		time.sleep(self.arguments.stay)
		self.stage("office again")

	# ---- what came of it

	def judge(self):
		wrong = super().judge()
		wanted = [("office", "c", OFFICE_LAN.address, False), ("cafe A, VPN", "mc", self.inner, True), ("cafe B, VPN", "mc", self.inner, True),
			("cafe B, rekeyed", "mc", self.inner, True), ("office again", "c", OFFICE_LAN.address, False)]
		if self.stages != wanted:
			wrong.append(f"the binding was {self.stages}, expected {wanted}")
		if self.clear_answer:
			wrong.append("a request in clear from outside changed the binding")
		if self.registrations_of_move:
			wrong.append(f"the home agent accepted {self.registrations_of_move} registrations when MOBIKE moved the tunnel")
		return wrong

	def show(self):
		print("\nThe binding")
		for where, mode, care_of, ipsec in self.stages:
			print(f"  {where:<16} mode {mode:<2} care-of address {care_of}{', inside IPsec' if ipsec else ''}")
		self.show_wire()
		self.show_traffic("between the host and the home address")
		rows = [f"{row['reason']} {row['packets']}" for row in self.gateway.ask("show", "drops") if row["packets"]]
		print(f"  dropped by the gateway: {', '.join(rows) or 'nothing'}")

	def finish(self):
		return self.stop_charons() + self.gateway.finish()

	def summary(self):
		return "office, cafe, cafe, rekey, office: one home address, one TCP connection, nothing in clear outside; the home agent saw no MOBIKE move"


if __name__ == "__main__":
	demo.run(Mc, __doc__)
