"""scripts/demo vpn: a strongSwan client behind a cafe's NAT; its TCP transfer survives a new NAT port, a move and a rekey.

    host 10.1.0.5 ── [gateway 192.0.2.1: charon + homeport] ── internet ─┬─ cafe (nftables NAT) ── wlan ─┐
                                                                         └─ 198.51.100.0/24 ────── lte ──┴─ client: charon, kernel-libipsec

Each box is a network namespace. The client is Debian's charon with its own user-space IPsec, unmodified; the gateway's charon has
homeport's plugin, and its IKE messages pass the dataplane's exception TAP. The client gets an inner address from a pool. While numbered
datagrams and a TCP connection run both ways through the tunnel, the NAT gives the client another port, the client walks out of the
cafe onto its mobile network and back (MOBIKE), and either side changes the keys. A watch on the gateway's internet link tells what was there
in clear (nothing but IKE), and whether any SPI used a number twice.
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

GATEWAY, CAFE, LTE, HOST = "192.0.2.1", "203.0.113.7", "198.51.100.2", "10.1.0.5"
IKE, ESP = "aes128gcm16-prfsha256-curve25519", "aes128gcm16-x25519"

CONNECTION = """{name} {{
  version = 2
  {addresses}
  proposals = {ike}
  dpd_delay = 30s
  local {{
    auth = psk
    id = {local}
  }}
  remote {{
    auth = psk
    id = {remote}
  }}
  children {{
    office {{
      {selectors}
      esp_proposals = {esp}
    }}
  }}
}}
"""
SECRET = 'ike-1 {\n secret = "for this demo alone"\n}'


class Vpn(tunnel_demo.TunnelDemo):
	NAME, PREFIX = "vpn", "hp-ike"
	STAY = "seconds between events (2)"
	CLEAR = re.escape(f"{CAFE} > {GATEWAY} protocol 1")  # the NAT's router about a port that it has forgotten: it quotes ESP
	SPIS = 6

	def __init__(self, arguments):
		super().__init__(arguments)
		why = strongswan.possible(arguments.build)
		if why:
			sys.exit(self.say_failed(why))

	def lay_out(self):
		n = self.network
		n.namespace("host", "gateway", "client")
		n.namespace("cafe", "internet", forward=True)
		radio.lay_out_gateway(n, "gateway")
		radio.lay_out_router(n, "cafe", CAFE, "client", "wlan")
		n.link("internet", "lte", "client", "lte")
		n.ip("internet", "addr add 198.51.100.1/24 dev lte")
		radio.lay_out_host(n, "host", HOST, "gateway")
		for interface in ("ext", "int"):
			n.dataplane_end("gateway", interface)
		self.attach("wlan")

	def attach(self, interface):
		address, router = ("192.168.1.23/24", "192.168.1.1") if interface == "wlan" else (LTE + "/24", "198.51.100.1")
		self.network.ip("client", f"addr replace {address} dev {interface}")
		self.network.ip("client", f"route replace default via {router} dev {interface}")

	def start(self):
		n, build = self.network, self.arguments.build
		keying = n.path("keying.sock")
		self.gateway = programs.Gateway(n, "gateway", build, agent="10.99.0.1", virtual=["10.99.0.0/16"], nodes=[],
			ports=[("ext", "external", "hpext", f"{GATEWAY}/24", None), ("int", "internal", "hpint", "10.1.0.1/16", None)],
			routes=["default via 192.0.2.254 dev hpext"], dataplane="max_security_associations = 256; max_policies = 1024;",
			more=f'keying = {{ socket = "{keying}"; }};')
		self.gateway.start()
		self.server = strongswan.Charon(n, "gateway", "server", "homeport", CONNECTION.format(name="roadwarrior", ike=IKE, esp=ESP,
			addresses=f"local_addrs = {GATEWAY}\n  pools = inner", local="gateway.example", remote="%any", selectors="local_ts = 10.1.0.0/16"),
			secrets=SECRET, pools="inner {\n addrs = 10.30.0.0/24\n}", settings="interfaces_use = hpext", socket=keying, build=build)
		self.client = strongswan.Charon(n, "client", "client", "libipsec", CONNECTION.format(name="gateway", ike=IKE, esp=ESP,
			addresses=f"remote_addrs = {GATEWAY}\n  vips = 0.0.0.0", local="client.example", remote="gateway.example",
			selectors="remote_ts = 10.1.0.0/16"), secrets=SECRET)
		self.charons = [self.client, self.server]
		self.server.start()
		self.client.start()

	# ---- what happens

	def out(self):
		"""The gateway's outbound SA in use."""
		children = self.server.children("office")
		rows = self.gateway.ask("sa", "show") if children else []
		return next((row for row in rows if row["direction"] == "out" and children and int(row["spi"], 16) == int(children[-1]["spi-out"], 16)), {})

	def window(self, title, happen, condition, what):
		"""Lets something happen; the window ends when the condition holds and packets pass both ways again."""
		start = time.monotonic_ns()
		happen()
		net.wait_for(condition, what, 15, 0.02)
		self.close_window(title, start)
		time.sleep(self.arguments.stay)

	def walk(self, old, new):
		self.network.ip("client", f"addr flush dev {old}")
		self.attach(new)

	def rekey(self, side):
		before = self.server.child("office")["spi-in"]
		side.swanctl("--rekey", "--child", "office")
		net.wait_for(lambda: self.server.children("office") and self.server.child("office")["spi-in"] != before, "new keys", 10, 0.05)
		time.sleep(self.arguments.stay)

	def play(self):
		n = self.network
		self.start()
		self.wire = tunnel_demo.Wire(n, "internet", "gateway").begin()
		start = time.monotonic()
		self.client.initiate("office")
		self.setup_ms = (time.monotonic() - start) * 1000
		self.inner = self.client.virtual_address()
		self.round_trip = self.ping("client", self.inner, HOST)
		self.begin_traffic([("client to host", "client", self.inner, "host", HOST, 7001), ("host to client", "host", HOST, "client", self.inner, 7002)],
			("client", self.inner, "host", HOST, 7005))
		port = lambda: self.out().get("remote_port") or 0  # noqa: E731
		self.window("the NAT's new port", lambda: radio.change_mapping(n, "cafe", 4500), lambda: port() >= radio.FIRST_OTHER_PORT,
			"the gateway to follow the NAT's new port")
		self.rekey(self.client)
		self.window("the walk onto LTE", lambda: self.walk("wlan", "lte"), lambda: self.out().get("remote") == LTE, "the move onto LTE")
		self.rekey(self.server)
		self.window("the walk back into the cafe", lambda: self.walk("lte", "wlan"), lambda: self.out().get("remote") == CAFE,
			"the move back into the cafe")
		self.tables = [("charon on the gateway", self.server.text()), ("homeport", self.table())]
		self.finish_traffic()

	def table(self):
		"""Without the SPIs that charon has in hand."""
		return "\n".join(line for line in self.gateway.ctl("sa", "show").stdout.splitlines() if " larval " not in line)

	# ---- what came of it

	def judge(self):
		wrong = super().judge()
		if self.server.said("refused"):
			wrong.append("homeport refused something: " + self.server.said(r"homeport: .*refused.*").group(0))
		return wrong

	def show(self):
		for title, text in self.tables:
			print(f"\n{title}")
			for line in text.rstrip().splitlines():
				print(f"  {line}")
		self.show_wire()
		self.show_traffic(f"tunnel set up in {self.setup_ms:.0f} ms, inner address {self.inner}, ping {self.round_trip}")

	def finish(self):
		return self.stop_charons() + self.gateway.finish()

	def summary(self):
		return (f"{self.seen['packets']} ESP packets, none in clear, no number twice; a TCP transfer of {self.transfer.octets / 1e6:.1f} MB survived a new "
			"NAT port, two moves and two rekeys")


if __name__ == "__main__":
	demo.run(Vpn, __doc__)
