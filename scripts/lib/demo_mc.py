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
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import demo  # noqa: E402
import network as net  # noqa: E402
import programs  # noqa: E402
import strongswan  # noqa: E402
import traffic  # noqa: E402

GATEWAY, AGENT, HOME_ADDRESS, HOST = "192.0.2.1", "10.20.0.1", "10.20.0.10", "10.1.0.5"
INNER, OFFICE = "10.30.0.0/24", "10.2.0.0/16"
KEY, SPI, NAI, SECRET = "0123456789abcdeffedcba9876543210", 256, "mn1@example.com", "correct horse battery staple"
GUARD_NS = 60_000_000  # what was sent this long before a move was on its way when the link broke


class Access:
	def __init__(self, name, bridge, address, length, router):
		self.name, self.bridge, self.address, self.length, self.router = name, bridge, address, length, router


OFFICE_LAN = Access("office", "brc", "10.2.0.77", 16, "10.2.0.1")
CAFE_A = Access("cafe-a", "bra", "192.168.1.23", 24, "192.168.1.1")
CAFE_B = Access("cafe-b", "brb", "192.168.2.23", 24, "192.168.2.1")

MASQUERADE = """flush ruleset
table ip nat {{
 chain out {{
  type nat hook postrouting priority 100;
  oifname "out" udp sport 0-65535 masquerade to :{ports}
  oifname "out" masquerade
 }}
}}
"""

# What else passes: the inside among itself, in clear. What goes to a tunnel inner address, under its SA or not at all.
POLICIES = f"""
policies = (
  {{ name = "inner"; order = 800000; action = "discard"; local_ts = [ "0.0.0.0/0" ]; remote_ts = [ "{INNER}" ]; }},
  {{ name = "inside"; order = 900000; action = "bypass"; local_ts = [ "10.0.0.0/8" ]; remote_ts = [ "10.0.0.0/8" ]; }}
);
"""


class Wire(traffic.Part):
	"""What is on the internet at the gateway: ESP in UDP, IKE, and everything else by kind."""

	def __init__(self, network, where, interface):
		super().__init__(network, where)
		self.interface = interface

	def body(self):
		esp, ike, clear = {}, 0, {}
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
				if frame[23] == 17 and 500 in ports:
					ike += 1
				elif frame[23] == 17 and 4500 in ports:
					if frame[header + 8:header + 12] == bytes(4) or len(frame) < header + 16:
						ike += 1
					else:
						spi, number = struct.unpack_from("!II", frame, header + 8)
						esp.setdefault(f"{spi:#010x}", []).append(number)
				else:
					kind = f"{source} > {destination} protocol {frame[23]}" + (f" port {ports[1]}" if frame[23] == 17 else "")
					clear[kind] = clear.get(kind, 0) + 1
		return {"esp": {spi: (len(n), len(n) - len(set(n))) for spi, n in esp.items()}, "ike": ike, "clear": clear}


class Mc(demo.Demo):
	NAME, PREFIX = "mc", "hp-mc"
	STAY = "seconds in each network (2)"

	def __init__(self, arguments):
		super().__init__(arguments)
		self.windows, self.stages = [], []  # (title, from, to); (where, binding's mode, care-of address)

	# ---- the network

	def lay_out(self):
		n = self.network
		n.namespace("mn", "gateway", "host", "air")
		n.namespace("cafe-a", "cafe-b", "internet", forward=True)
		n.ip("internet", "link add wan type bridge forward_delay 0")
		n.ip("internet", "link set wan up")
		n.ip("internet", "addr add 203.0.113.254/24 dev wan")
		for access in (OFFICE_LAN, CAFE_A, CAFE_B):
			n.ip("air", f"link add {access.bridge} type bridge forward_delay 0")
			n.ip("air", f"link set {access.bridge} up")
		for access, outside in ((CAFE_A, "203.0.113.7"), (CAFE_B, "203.0.113.8")):
			nat = access.name
			n.link(nat, "in", "air", f"to-{nat}")
			n.ip("air", f"link set to-{nat} master {access.bridge}")
			n.link(nat, "out", "internet", nat)
			n.ip("internet", f"link set {nat} master wan")
			n.ip(nat, f"addr add {access.router}/24 dev in")
			n.ip(nat, f"addr add {outside}/24 dev out")
			n.ip(nat, "route add default via 203.0.113.254")
			n.nft(nat, MASQUERADE.format(ports="40000-40999"))
		n.link("internet", "gateway", "gateway", "ext")
		n.ip("internet", "addr add 192.0.2.254/24 dev gateway")
		n.ip("internet", "route add 10.0.0.0/8 via 192.0.2.1")  # worse than the real one: clear requests do reach the gateway
		n.link("host", "lan", "gateway", "int")
		n.ip("host", f"addr add {HOST}/16 dev lan")
		n.ip("host", "route add default via 10.1.0.1")
		n.link("air", "to-office", "gateway", "lan")
		n.ip("air", f"link set to-office master {OFFICE_LAN.bridge}")
		n.link("mn", "acc0", "air", "node")
		n.sysctl("mn", "net.ipv4.conf.all.arp_notify", 1)
		n.sysctl("mn", "net.ipv4.conf.all.rp_filter", 0)
		n.sysctl("mn", "net.ipv4.conf.default.rp_filter", 0)
		n.sysctl("mn", "net.ipv4.conf.acc0.rp_filter", 0)
		for interface in ("ext", "int", "lan"):
			n.dataplane_end("gateway", interface)
		self.where = None

	def attach(self, access):
		n = self.network
		n.ip("mn", "link set acc0 down")
		if self.where:
			n.ip("mn", f"addr del {self.where.address}/{self.where.length} dev acc0")
		n.ip("air", f"link set node master {access.bridge}")
		n.ip("mn", "link set acc0 up")
		n.ip("mn", f"addr add {access.address}/{access.length} dev acc0")
		n.ip("mn", f"route add default via {access.router} dev acc0")
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
		self.wire = Wire(n, "internet", "gateway").begin()
		self.attach(OFFICE_LAN)
		net.wait_for(lambda: self.bound("c", OFFICE_LAN.address), "registration in the office", 15, 0.1)
		net.wait_for(lambda: self.said("event=network trusted=yes"), "TNC in the office", 5)
		self.stage("office")
		self.streams = [traffic.Stream(n, "host to node", "host", HOST, "mn", HOME_ADDRESS, 7001).begin(),
			traffic.Stream(n, "node to host", "mn", HOME_ADDRESS, "host", HOST, 7002).begin()]
		self.transfer = traffic.Transfer(n, "mn", HOME_ADDRESS, "host", HOST, 7003).begin()
		time.sleep(self.arguments.stay)
		self.to_cafe()
		self.move_cafe()
		self.rekey()
		self.to_office()
		self.transfer.finish()
		for stream in self.streams:
			stream.finish()
		self.seen = self.wire.finish()
		self.tables = self.gateway.ctl("show", "binding", HOME_ADDRESS).stdout

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
		self.windows.append(("out of the office, the VPN comes up", start, time.monotonic_ns()))
		self.stage("cafe A, VPN")
		time.sleep(self.arguments.stay)

	def move_cafe(self):
		"""MOBIKE: the tunnel moves, Mobile IP does not."""
		before = self.accepted()
		start, mark = time.monotonic_ns(), self.server.mark()
		self.attach(CAFE_B)
		net.wait_for(lambda: any(row["remote"] == "203.0.113.8" for row in self.gateway.ask("sa", "show")), "MOBIKE's move", 20, 0.05)
		at = len(self.streams[0].arrived) if hasattr(self.streams[0], "arrived") else 0
		net.wait_for(lambda: self.client.child("agent"), "the CHILD_SA", 5)
		time.sleep(0.2)
		self.windows.append(("from cafe to cafe, MOBIKE", start, time.monotonic_ns()))
		del at, mark
		time.sleep(self.arguments.stay + 2)  # the node's probes go out, and are not answered
		self.registrations_of_move = self.accepted() - before
		self.stage("cafe B, VPN")

	def rekey(self):
		before = {row["spi"] for row in self.gateway.ask("sa", "show")}
		start = time.monotonic_ns()
		self.client.swanctl("--rekey", "--child", "agent")
		net.wait_for(lambda: {row["spi"] for row in self.gateway.ask("sa", "show")} - before, "new SPIs", 10, 0.05)
		self.rekeyed = (start, time.monotonic_ns() + 1_000_000_000)
		time.sleep(self.arguments.stay + 6)  # until the old inbound SA is gone as well: the binding goes over to the new one
		self.stage("cafe B, rekeyed")

	def to_office(self):
		"""In: the probe in clear is answered with TNC, the binding leaves the tunnel, the VPN ends."""
		start = time.monotonic_ns()
		self.attach(OFFICE_LAN)
		net.wait_for(lambda: self.bound("c", OFFICE_LAN.address), "registration in the office again", 15, 0.05)
		self.windows.append(("back into the office", start, time.monotonic_ns()))
		self.client.terminate("--ike", "vpn")
		net.wait_for(lambda: not [r for r in self.gateway.ask("sa", "show") if r["state"] == "live"], "the end of the VPN", 15, 0.1)
		time.sleep(self.arguments.stay)
		self.stage("office again")

	# ---- what came of it

	def judge(self):
		wrong = []
		wanted = [("office", "c", OFFICE_LAN.address, False), ("cafe A, VPN", "mc", self.inner, True), ("cafe B, VPN", "mc", self.inner, True),
			("cafe B, rekeyed", "mc", self.inner, True), ("office again", "c", OFFICE_LAN.address, False)]
		if self.stages != wanted:
			wrong.append(f"the binding was {self.stages}, expected {wanted}")
		if self.clear_answer:
			wrong.append("a request in clear from outside changed the binding")
		if self.registrations_of_move:
			wrong.append(f"the home agent accepted {self.registrations_of_move} registrations when MOBIKE moved the tunnel")
		for kind, count in self.seen["clear"].items():
			if not re.fullmatch(rf"203\.0\.113\.[78] > {re.escape(AGENT)} protocol (17 port 434|1)", kind) and "protocol 1" not in kind:
				wrong.append(f"{count} packets in clear on the internet: {kind}")
		for spi, (_, twice) in self.seen["esp"].items():
			if twice:
				wrong.append(f"{twice} sequence numbers of {spi} used twice")
		if len(self.seen["esp"]) < 4:
			wrong.append(f"expected four SPIs on the internet, saw {sorted(self.seen['esp'])}")
		for stream in self.streams:
			if stream.error or not stream.sent:
				wrong.append(f"stream {stream.name}: {stream.error or 'sent nothing'}")
			outside = [i for i in stream.lost() if not any(s - GUARD_NS <= stream.sent[i] < e for _, s, e in self.windows)]
			if outside:
				wrong.append(f"{len(outside)} packets {stream.name} lost outside the moves")
		if self.transfer.error:
			wrong.append(f"TCP: {self.transfer.error}")
		return wrong

	def show(self):
		print("\nThe binding")
		for where, mode, care_of, ipsec in self.stages:
			print(f"  {where:<16} mode {mode:<2} care-of address {care_of}{', inside IPsec' if ipsec else ''}")
		print(f"\nOn the internet: {sum(n for n, _ in self.seen['esp'].values())} ESP packets of {len(self.seen['esp'])} SPIs, {self.seen['ike']} of IKE")
		for kind, count in sorted(self.seen["clear"].items()):
			print(f"  in clear: {count} x {kind}")
		print("\nTraffic")
		for stream in self.streams:
			inside = [f"{sum(s - GUARD_NS <= stream.sent[i] < e for i in stream.lost())} {t}" for t, s, e in self.windows]
			print(f"  UDP {stream.name}: {len(stream.sent)} sent, {len(stream.arrived)} arrived, {len(stream.lost())} lost ({'; '.join(inside)})")
		print(f"  TCP: {self.transfer.octets / 1e6:.1f} MB both ways, longest pause {self.transfer.longest_pause_s * 1000:.0f} ms, "
			f"hashes {'equal' if not self.transfer.error else 'NOT equal'}")
		for title, start, end in self.windows:
			print(f"  {title}: {(end - start) / 1e6:.0f} ms")

	def finish(self):
		wrong = []
		for charon in (self.client, self.server):
			status = charon.stop()
			if status:
				wrong.append(f"{charon.name} ended with status {status}: {charon.last_lines(2)}")
		return wrong + self.gateway.finish()

	def summary(self):
		return "office, cafe, cafe, rekey, office: one home address, one TCP connection, nothing in clear outside; the home agent saw no MOBIKE move"


if __name__ == "__main__":
	demo.run(Mc, __doc__)
