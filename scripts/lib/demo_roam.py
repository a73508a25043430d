"""scripts/demo roam: a mobile node behind NATs keeps its address while it moves between three access networks.

    mn ── air ─┬─ nat-a (192.168.1.0/24 behind 203.0.113.7) ─┐
               ├─ nat-b (192.168.2.0/24 behind 203.0.113.8) ─┼─ internet ── gateway ── home (10.1.0.0/16)
               └─ 198.51.100.0/24, no NAT ───────────────────┘  203.0.113.0/24       correspondent 10.1.0.5

Each box is a network namespace. `air` is the radio: three bridges, and the node's link is a port of one of them at a time. The
gateway's two interfaces belong to homeport-dataplane (net_af_packet); Linux there sees only what the exception TAPs pass
on. Numbered UDP datagrams both ways and one TCP connection run through the tunnel from kernel stack to kernel stack
during all moves; a watch on the gateway's link notes requests, replies and data packets by time. From these come the figures:
nothing is taken from what the programs under test say about themselves.
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
import traffic  # noqa: E402

AGENT, HOME_ADDRESS, CORRESPONDENT = "192.0.2.1", "10.1.0.10", "10.1.0.5"
KEY, SPI, NAI = "0123456789abcdeffedcba9876543210", 256, "mn1@example.com"


A = radio.Access("nat-a", "bra", "192.168.1.23", 24, "192.168.1.1", "203.0.113.7")
B = radio.Access("nat-b", "brb", "192.168.2.23", 24, "192.168.2.1", "203.0.113.8")
C = radio.Access("no NAT", "brc", "198.51.100.23", 24, "198.51.100.254")


class Roam(demo.Demo):
	NAME, PREFIX = "roam", "hp-demo"
	STAY = "seconds in each network (2)"

	def __init__(self, arguments):
		super().__init__(arguments)
		self.moves = []
		self.where = None

	# ---- the network

	def lay_out(self):
		n = self.network
		n.namespace("mn", "gateway", "home")
		n.namespace("air")
		n.namespace("nat-a", "nat-b", "internet", forward=True)
		radio.lay_out_internet(n)
		radio.lay_out_air(n, (A, B, C))
		for access in (A, B):
			radio.lay_out_nat(n, access)
		n.link("internet", "access-c", "air", "to-c")
		n.ip("air", f"link set to-c master {C.bridge}")
		n.ip("internet", f"addr add {C.router}/24 dev access-c")
		radio.lay_out_gateway(n, "gateway")
		radio.lay_out_host(n, "home", CORRESPONDENT, "gateway")
		for interface in ("ext", "int"):
			n.dataplane_end("gateway", interface)

	def attach(self, access):
		radio.attach(self.network, access, self.where)
		self.where = access

	# ---- the programs

	def start_gateway(self):
		n = self.network
		self.gateway = programs.Gateway(n, "gateway", self.arguments.build, agent=AGENT,
			ports=[("ext", "external", "hpext", f"{AGENT}/24", None), ("int", "internal", "hpint", "10.1.0.1/16", "10.1.0.0/16")],
			routes=["default via 192.0.2.254 dev hpext"],
			nodes=[dict(home_address=HOME_ADDRESS, nai=NAI, spi=SPI, key=KEY)])
		self.gateway.start()

	def start_node(self):
		self.node = programs.mobile_node(self.network, "mn", self.arguments.build, key=KEY, access="acc0", tun="mip0",
			home_agent=AGENT, home_address=HOME_ADDRESS, home_prefix="10.1.0.0/16", nai=NAI, spi=SPI, keepalive=10)

	def binding(self):
		return self.gateway.binding(HOME_ADDRESS)

	def bound_to(self, address):
		binding = self.binding()
		return binding if binding and address in str(binding) else None

	def ping(self):
		output = self.network.exec("mn", "ping", "-c", "3", "-i", "0.2", "-W", "1", "-I", HOME_ADDRESS, CORRESPONDENT, check=False)
		if not re.search(r"3 packets transmitted, 3 received", output):
			raise net.Failure("ping through the tunnel got no answer: " + " ".join(output.split())[-160:])
		return re.search(r"= ([0-9./]+ ms)", output).group(1)

	# ---- what happens

	def move(self, access, title):
		at = time.monotonic_ns()
		self.attach(access)
		self.moves.append({"title": title, "at": at, "access": access})
		net.wait_for(lambda: self.bound_to(access.outside), f"registration from {access.name}", 15, 0.1)
		time.sleep(self.arguments.stay)

	def change_mapping(self):
		nat = self.where.name
		before = self.binding()
		at = time.monotonic_ns()
		radio.change_mapping(self.network, nat, 434)
		self.moves.append({"title": f"{nat} maps to another port", "at": at, "access": self.where, "mapping": True})
		net.wait_for(lambda: str(self.binding()) != str(before) and re.search(r"\b50\d\d\d\b", str(self.binding())),
			"registration through the new NAT mapping", 30, 0.1)
		time.sleep(self.arguments.stay)

	def play(self):
		self.attach(A)
		self.start_gateway()
		self.start_node()
		net.wait_for(lambda: self.bound_to(A.outside), "first registration", 15, 0.1)
		self.round_trip = self.ping()
		n = self.network
		self.watch = traffic.Watch(n, "internet", "gateway", AGENT).begin()
		self.down = traffic.Stream(n, "to the node", "home", CORRESPONDENT, "mn", HOME_ADDRESS, 7001).begin()
		self.up = traffic.Stream(n, "from the node", "mn", HOME_ADDRESS, "home", CORRESPONDENT, 7002).begin()
		self.transfer = traffic.Transfer(n, "mn", HOME_ADDRESS, "home", CORRESPONDENT, 7003, rate=300_000).begin()
		time.sleep(1)
		self.bindings = [("start", self.gateway.bindings_text())]
		self.move(B, "nat-a -> nat-b")
		self.move(C, "nat-b -> no NAT")
		self.bindings.append(("on the network without NAT", self.gateway.bindings_text()))
		self.move(A, "no NAT -> nat-a")
		self.change_mapping()
		self.move(B, "nat-a -> nat-b")
		self.move(A, "nat-b -> nat-a")
		self.move(C, "nat-a -> no NAT")
		self.bindings.append(("end", self.gateway.bindings_text()))
		self.transfer.finish()
		self.finished = time.monotonic_ns()
		self.down.finish()
		self.up.finish()
		self.notes = self.watch.finish()["notes"]

	# ---- what came of it

	def judge(self):
		"""Fills each move's figures from the watch and the streams; returns what is wrong."""
		wrong = []
		room = {stream: stream.no_room for stream in (self.down, self.up)}  # losses that are the hosts' own, in all
		for index, move in enumerate(self.moves):
			start = move["at"]
			end = self.moves[index + 1]["at"] if index + 1 < len(self.moves) else self.finished
			inside = [note for note in self.notes if start <= note["at"] < end and note["peer"] == move["access"].outside]
			replies = [note for note in inside if note["what"] == "reply" and note["code"] in (0, 1)]
			if move.get("mapping"):
				replies = [note for note in replies if note["port"] >= radio.FIRST_OTHER_PORT]
			if not replies:
				wrong.append(f"{move['title']}: no accepted registration on the wire")
				continue
			reply = replies[0]
			requests = [note for note in inside if note["what"] == "request" and note["identification"] == reply["identification"]]
			data = [note for note in inside if note["what"] == "data" and note["at"] > reply["at"]]
			move["reply"] = reply["at"]
			move["answer_ms"] = (reply["at"] - requests[0]["at"]) / 1e6 if requests else None
			move["path_ms"] = (data[0]["at"] - requests[0]["at"]) / 1e6 if requests and data else None
			move["gap_ms"] = (reply["at"] - start) / 1e6
			if not data:
				wrong.append(f"{move['title']}: no data on the new path")
			for stream, key in ((self.down, "down"), (self.up, "up")):
				move[key + "_before"] = len(stream.lost(stream.on_its_way(start), reply["at"]))
				late = stream.lost(reply["at"], stream.on_its_way(end))
				move[key + "_after"] = len(late)
				room[stream] -= len(late)
				if late and room[stream] < 0:
					first = (stream.sent[late[0]] - reply["at"]) / 1e6
					wrong.append(f"{move['title']}: {len(late)} packets {stream.name} lost after the reply, the first sent {first:.1f} ms after it")
		for stream in (self.down, self.up):
			first = stream.on_its_way(self.moves[0]["at"])
			if stream.error:
				wrong.append(f"stream {stream.name}: {stream.error}")
			room[stream] -= len(stream.lost(0, first))
			if stream.lost(0, first) and room[stream] < 0:
				wrong.append(f"{len(stream.lost(0, first))} packets {stream.name} lost before any move")
			if not stream.sent:
				wrong.append(f"stream {stream.name} sent nothing")
		if self.transfer.error:
			wrong.append(f"TCP: {self.transfer.error}")
		return wrong

	def show(self):
		if self.bindings:
			print("\nBinding table")
			for title, text in self.bindings:
				print(f"  {title}:")
				for line in text.rstrip().splitlines():
					print(f"    {line}")
		print("\nMoves                          request->  request->first   move->   lost to / from the node")
		print("                                 reply ms   packet new ms  reply ms   before reply  after reply")
		for move in self.moves:
			if "reply" not in move:
				print(f"  {move['title']:30} no registration")
				continue
			show = lambda value: "-" if value is None else f"{value:.2f}"  # noqa: E731
			print(f"  {move['title']:30} {show(move['answer_ms']):>8} {show(move['path_ms']):>14} {move['gap_ms']:9.0f}"
				f"   {move['down_before']:5} / {move['up_before']:<5} {move['down_after']:5} / {move['up_after']}")
		print("  (a new NAT mapping is noticed by silence under traffic, a second and three echoes; when idle by keepalives, 10 s apart here)")
		print(f"\nTraffic   ping before the moves {self.round_trip}")
		for stream in (self.down, self.up):
			print(f"  UDP {stream.name}: {len(stream.sent)} sent, {len(stream.arrived)} arrived, {len(stream.lost())} lost, "
				f"{stream.duplicates} twice" + (f", the hosts had no room for {stream.no_room}" if stream.no_room else ""))
		print(f"  TCP: {self.transfer.octets / 1e6:.1f} MB in {self.transfer.seconds:.0f} s both ways, "
			f"longest pause {self.transfer.longest_pause_s * 1000:.0f} ms, hashes {'equal' if not self.transfer.error else 'NOT equal'}")

	def finish(self):
		return self.gateway.finish()

	def summary(self):
		total = sum(len(stream.sent) for stream in (self.down, self.up))
		worst = max(move["path_ms"] or 0 for move in self.moves)
		return (f"{len(self.moves)} moves, {total} packets, none lost after a reply, "
			f"new path within {worst:.1f} ms of the request, TCP survived")


if __name__ == "__main__":
	demo.run(Roam, __doc__)
