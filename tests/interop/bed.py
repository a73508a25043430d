"""The interop tests' benches: real charons (Debian's strongSwan), homeport's plugin in that of a gateway.

  Road:  client ══ pa 198.51.100.2  ──┐
                   pb 198.51.100.66 ──┤ internet (router, NAT when told) ── ext [gateway 192.0.2.1] int ── host 10.1.0.5
         virtual address 10.9.0.x     └

  Site:  host-a 10.1.0.5 ── [gateway-a 192.0.2.1] ── internet ── [gateway-b 203.0.113.1] ── host-b 10.2.0.5

The client of Road is charon with its own kernel-libipsec (always ESP in UDP); both gateways of Site are homeport (ESP without UDP,
ESN, transport mode). A test file has functions test_*(bed), run in order and told in TAP; after them every file gets one more: each
gateway's conservation sum is exact and all processes end well.
"""
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "..", "scripts", "lib")]
sys.dont_write_bytecode = True

import cases  # noqa: E402
import network as net  # noqa: E402
import programs  # noqa: E402
import radio  # noqa: E402
import strongswan  # noqa: E402
import traffic  # noqa: E402

GATEWAY, GATEWAY_B = "192.0.2.1", "203.0.113.1"
GATEWAY6, GATEWAY_B6 = "2001:db8:2::1", "2001:db8:3::1"
CLIENT_A, CLIENT_B = "198.51.100.2", "198.51.100.66"
CLIENT_A6, CLIENT_B6 = "2001:db8:a::2", "2001:db8:b::2"
HOST, HOST_B = "10.1.0.5", "10.2.0.5"
HOST6, HOST_B6 = "2001:db8:1001::5", "2001:db8:1002::5"
SECRET = "correct horse battery staple"
IKE = "aes128gcm16-prfsha256-curve25519"
LARGE = "max_security_associations = {sas}; max_policies = {policies}; max_replay_window = 4096;"


class Bed:
	"""What both benches have."""

	def __init__(self, build, prefix):
		self.build = build
		self.network = net.Network(prefix)
		self.stopped = False
		self.charons, self.gateways = [], []

	def link6(self, *ends):
		"""IPv6 on links whose ends net.link() made without it: (namespace, interface, address)."""
		for where, interface, address in ends:
			self.network.sysctl(where, f"net.ipv6.conf.{interface}.disable_ipv6", 0)
			self.network.ip(where, f"-6 addr add {address} dev {interface} nodad")

	def gateway_of(self, where, name, outer, inner, sas=2048, policies=8192, more="", dataplane="", **settings):
		gateway = programs.Gateway(self.network, where, self.build, agent="10.99.0.1", name=name, virtual=["10.99.0.0/16"],
			ports=[("ext", "external", "hpext", f"{outer}/24", None), ("int", "internal", "hpint", f"{inner}/16", None)],
			nodes=[], dataplane=LARGE.format(sas=sas, policies=policies) + dataplane,
			more=f'keying = {{ socket = "{self.network.path(f"keying{name}.sock")}"; {more} }};', **settings)
		self.gateways.append(gateway)
		return gateway

	def charon_of(self, where, name, gateway_name, connections, **settings):
		charon = strongswan.Charon(self.network, where, name, "homeport", connections, socket=self.network.path(f"keying{gateway_name}.sock"),
			build=self.build, level=settings.pop("level", 2), **{"secrets": secret(), **settings, "settings": "interfaces_use = hpext\n  " + settings.get("settings", "")})
		self.charons.append(charon)
		return charon

	def ping(self, where, destination, source=None, count=3, interval=0.1, size=56):
		"""All of them answered."""
		words = ["ping", "-c", str(count), "-i", str(interval), "-W", "10", "-s", str(size)] + (["-I", source] if source else [])
		output = self.network.exec(where, *words, destination, check=False)
		if not re.search(rf"{count} received", output):
			raise net.Failure(f"ping {source or where} > {destination}: " + " ".join(output.split())[-160:])

	def reaches(self, where, destination, source=None):
		words = ["ping", "-c", "1", "-W", "1"] + (["-I", source] if source else [])
		return "1 received" in self.network.exec(where, *words, destination, check=False)

	def tcp(self, client, client_address, server, server_address, seconds=0.5, port=7100):
		"""A TCP connection that carries data both ways and ends whole."""
		transfer = traffic.Transfer(self.network, client, client_address, server, server_address, port, least=150_000).begin()
		time.sleep(seconds)
		transfer.finish()
		assert not transfer.error, f"TCP: {transfer.error}"
		assert transfer.octets > 100_000, f"TCP carried {transfer.octets} octets"

	def drops(self, gateway):
		return {row["reason"]: row["packets"] for row in gateway.ask("show", "drops")}

	def finish(self):
		if self.stopped:
			return
		self.stopped = True
		wrong = []
		for charon in self.charons:
			if charon.process and charon.process.running():
				status = charon.stop()
				if status:
					wrong.append(f"{charon.name} ended with status {status}: {charon.last_lines(2)}")
		for gateway in self.gateways:
			wrong += gateway.finish()
		assert not wrong, "; ".join(wrong)

	def show_logs(self):
		for charon in self.charons:
			print(f"# --- {charon.name}")
			for line in charon.log().splitlines()[-40:]:
				print(f"#   {line}")
		cases.show_output([process for process in self.network.processes
			if not any(process.name.startswith(charon.name) for charon in self.charons)], 12)


def secret(*more):
	return "\n".join(f"ike-{index} {{\n secret = \"{text}\"\n}}" for index, text in enumerate((SECRET, *more)))


def connection(name, local, remote, children, auth_local="auth = psk", auth_remote="auth = psk", more=""):
	"""A body of swanctl.conf's connections; addresses may be None."""
	local_addrs = f"local_addrs = {local}\n" if local else ""
	remote_addrs = f"remote_addrs = {remote}\n" if remote else ""
	return f"{name} {{\nversion = 2\n{local_addrs}{remote_addrs}proposals = {IKE}\n{more}\nlocal {{\n{auth_local}\n}}\n" \
		f"remote {{\n{auth_remote}\n}}\nchildren {{\n{children}\n}}\n}}\n"


def child(name, local_ts=None, remote_ts=None, esp="aes128gcm16", more=""):
	local = f"local_ts = {local_ts}\n" if local_ts else ""
	remote = f"remote_ts = {remote_ts}\n" if remote_ts else ""
	return f"{name} {{\n{local}{remote}esp_proposals = {esp}\n{more}\n}}\n"


class Road(Bed):
	"""A client with two access networks, and a gateway."""

	GATEWAY_CHILD = dict(local_ts="10.1.0.0/16", esp="aes128gcm16,aes128gcm16-x25519")
	CLIENT_CHILD = dict(remote_ts="10.1.0.0/16", esp="aes128gcm16")

	def __init__(self, build, gateway_connection="", client_connection="", gateway_child="", client_child="", gateway_esp=None,
			client_esp=None, gateway_settings="", client_settings="", **gateway):
		super().__init__(build, "hp-road")
		n = self.network
		n.namespace("host", "gateway", "client")
		n.namespace("internet", forward=True)
		radio.lay_out_gateway(n, "gateway")
		for name, subnet in (("a", 0), ("b", 64)):
			n.link("internet", f"access-{name}", "client", f"p{name}")
			n.ip("internet", f"addr add 198.51.100.{subnet + 1}/26 dev access-{name}")
		radio.lay_out_host(n, "host", HOST, "gateway")
		for interface in ("ext", "int"):
			n.dataplane_end("gateway", interface)
		self.attach("a")
		self.gateway = self.gateway_of("gateway", "", GATEWAY, "10.1.0.1", routes=["default via 192.0.2.254 dev hpext"], **gateway)
		self.server = self.charon_of("gateway", "server", "", connection("rw", GATEWAY, None,
			child("net", "10.1.0.0/16", None, gateway_esp or self.GATEWAY_CHILD["esp"], gateway_child), "auth = psk\nid = gw.example",
			"auth = psk\nid = %any", "pools = pool4\n" + gateway_connection), pools="pool4 {\naddrs = 10.9.0.0/16\n}",
			settings=gateway_settings)
		self.client = strongswan.Charon(n, "client", "client", "libipsec", connection("home", None, GATEWAY,
			child("net", None, "10.1.0.0/16", client_esp or self.CLIENT_CHILD["esp"], client_child), "auth = psk\nid = peer.example",
			"auth = psk\nid = gw.example", "vips = 0.0.0.0\n" + client_connection), secrets=secret(), settings=client_settings)
		self.charons.append(self.client)

	def start(self):
		self.gateway.start()
		self.server.start()
		self.client.start()

	# ---- the client's way into the internet

	def attach(self, name):
		subnet = 0 if name == "a" else 64
		self.network.ip("client", f"addr replace 198.51.100.{subnet + 2}/26 dev p{name}")
		self.network.ip("client", f"link set p{name} up")
		self.network.ip("client", f"route replace default via 198.51.100.{subnet + 1} dev p{name}")

	def detach(self, name):
		subnet = 0 if name == "a" else 64
		self.network.ip("client", f"addr del 198.51.100.{subnet + 2}/26 dev p{name}", check=False)

	def move(self, old, new):
		"""Break before make."""
		self.detach(old)
		self.attach(new)

	def nat(self, ports=None):
		"""The router hides the client behind its own address; None: it does not."""
		rules = "flush ruleset\n"
		if ports:
			rules += f"""table ip nat {{
 chain out {{
  type nat hook postrouting priority 100;
  oifname "gateway" ip saddr 198.51.100.0/24 meta l4proto udp masquerade to :{ports}
 }}
}}
"""
		self.network.nft("internet", rules)
		self.network.exec("internet", "conntrack", "-D", "-p", "udp", check=False)

	# ---- the tunnel

	def up(self, *words):
		self.client.initiate("net", *words)
		return self.virtual_ip()

	def virtual_ip(self):
		return self.client.virtual_address()

	def down(self):
		self.client.terminate("--ike", "home")
		net.wait_for(lambda: not self.server.associations(), "the gateway to have no IKE SA", 10)

	def rows(self):
		"""The dataplane's SAs; SPIs that charon has in hand are none."""
		return [row for row in self.gateway.ask("sa", "show") if row["state"] != "larval"]

	def row(self, direction, spi):
		for row in self.rows():
			if row["direction"] == direction and spi_of(row["spi"]) == int(spi, 16):
				return row
		raise net.Failure(f"gateway has no {direction} SA {spi}: {self.rows()}")


class Site(Bed):
	"""Two sites, a homeport each. `children`: bodies of children of connection "site", by side: local and remote are exchanged."""

	def __init__(self, build, children, connection_more="", settings="", ipv6=False, keying="", outer6=False):
		super().__init__(build, "hp-site")
		n = self.network
		self.ipv6, self.outer6 = ipv6 or outer6, outer6
		n.namespace("host-a", "host-b", "gateway-a", "gateway-b")
		n.namespace("internet", forward=True)
		for side, router, router6 in (("a", "192.0.2.254", "2001:db8:2::fe"), ("b", "203.0.113.254", "2001:db8:3::fe")):
			n.link("internet", f"to-{side}", f"gateway-{side}", "ext")
			n.ip("internet", f"addr add {router}/24 dev to-{side}")
			n.link(f"host-{side}", "lan", f"gateway-{side}", "int")
			net_number = 1 if side == "a" else 2
			n.ip(f"host-{side}", f"addr add 10.{net_number}.0.5/16 dev lan")
			n.ip(f"host-{side}", f"route add default via 10.{net_number}.0.1")
			if self.ipv6:
				self.link6(("internet", f"to-{side}", f"{router6}/64"), (f"host-{side}", "lan", f"2001:db8:100{net_number}::5/64"))
				n.ip(f"host-{side}", f"-6 route add default via 2001:db8:100{net_number}::1")
			for interface in ("ext", "int"):
				n.dataplane_end(f"gateway-{side}", interface)
		if self.ipv6:
			n.sysctl("internet", "net.ipv6.conf.all.forwarding", 1)
		self.a = self.gateway_of("gateway-a", "-a", GATEWAY, "10.1.0.1", routes=["default via 192.0.2.254 dev hpext"], more=keying)
		self.b = self.gateway_of("gateway-b", "-b", GATEWAY_B, "10.2.0.1", routes=["default via 203.0.113.254 dev hpext"], more=keying)
		ends = {"a": (GATEWAY6 if outer6 else GATEWAY, GATEWAY_B6 if outer6 else GATEWAY_B)}
		ends["b"] = ends["a"][::-1]
		self.sides = {}
		for side in ("a", "b"):
			local, remote = ends[side]
			self.sides[side] = self.charon_of(f"gateway-{side}", f"charon-{side}", f"-{side}", connection("site", local if side == "b" else None, remote if side == "a" else "%any", children(side),
				f"auth = psk\nid = {side}.example", f"auth = psk\nid = {'b' if side == 'a' else 'a'}.example", connection_more), settings=settings)

	def start(self):
		for side, gateway in (("a", self.a), ("b", self.b)):
			gateway.start()
			if self.ipv6:
				number = 1 if side == "a" else 2
				outer, router = (GATEWAY6, "2001:db8:2::fe") if side == "a" else (GATEWAY_B6, "2001:db8:3::fe")
				for interface, address in (("hpext", f"{outer}/64"), ("hpint", f"2001:db8:100{number}::1/64")):
					self.network.sysctl(f"gateway-{side}", f"net.ipv6.conf.{interface}.disable_ipv6", 0)
					self.network.ip(f"gateway-{side}", f"-6 addr add {address} dev {interface} nodad")
				self.network.ip(f"gateway-{side}", f"-6 route replace default via {router} dev hpext")
		for charon in self.sides.values():
			charon.start()

	def rows(self, gateway):
		return [row for row in gateway.ask("sa", "show") if row["state"] != "larval"]

	def settle(self, pairs=1):
		net.wait_for(lambda: all(len(self.rows(g)) == 2 * pairs for g in (self.a, self.b)), f"{pairs} pairs of SAs", 15, 0.1)

	def end(self):
		self.sides["a"].terminate("--ike", "site")
		net.wait_for(lambda: all(not c.associations() for c in self.sides.values()), "no IKE SA", 10, 0.1)
		net.wait_for(lambda: not self.rows(self.a) and not self.rows(self.b), "no SA", 15, 0.1)


def spi_of(value):
	return int(value, 16) if isinstance(value, str) else value


def main(tests, bed_class=Road, **settings):
	"""Runs the test functions of a file; skipped where namespaces cannot be made or strongSwan is not there."""
	build = os.environ.get("HOMEPORT_BUILD") or (sys.argv[1] if len(sys.argv) > 1 else "build")
	only = sys.argv[2:]
	why = net.possible() or strongswan.possible(build)
	if why:
		print(f"1..0 # SKIP {why}")
		sys.exit(0)
	case_list = cases.functions(tests, only)
	case_list += [("the conservation sum is exact and all processes end well", Bed.finish)]
	bed = None
	try:
		bed = bed_class(build, **settings)
		bed.start()
	except (net.Failure, OSError) as error:
		print(f"1..1\nnot ok 1 - start: {error}")
		if bed:
			bed.show_logs()
		sys.exit(1)
	print(f"1..{len(case_list)}", flush=True)
	bad = cases.run(case_list, bed, failed=bed.show_logs if os.environ.get("INTEROP_LOGS") else None)
	if bad:
		bed.show_logs()
	bed.network.close()
	sys.exit(1 if bad else 0)
