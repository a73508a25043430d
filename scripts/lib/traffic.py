"""Measured traffic for the demo and the end-to-end tests; each part is a process of its own.

  Stream    numbered UDP datagrams at a steady rate: what was sent when, and what arrived when
  Transfer  a TCP connection that carries a known pseudo-random stream both ways until it is told to stop; hashes compared
  Watch     reads one link as a packet socket and notes Mobile IP messages and tunnel data by time

Times are CLOCK_MONOTONIC in ns, the same clock in every namespace of the machine.
"""
import hashlib
import json
import multiprocessing
import os
import select
import signal
import socket
import struct
import time

import network as net

HEADER = struct.Struct("!QQ")
QUIET_S = 3
IN_FLIGHT_NS = 60_000_000


class Part(multiprocessing.Process):
	"""Runs body() inside a namespace until stop(); collect() returns what body returned."""

	def __init__(self, network, where):
		super().__init__(daemon=True)
		self.network, self.where = network, where
		self.end = multiprocessing.Event()
		self.ready = multiprocessing.Event()
		self.result = network.path(f"part-{id(self)}.json")

	def run(self):
		for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
			signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
		self.network.enter(self.where)
		try:
			value = self.body()
		except OSError as error:
			value = {"error": str(error)}
		with open(self.result, "w") as file:
			json.dump(value, file)
		os._exit(0)

	def begin(self):
		self.start()
		self.ready.wait(60)
		return self

	def finish(self, seconds=90):
		self.end.set()
		self.join(seconds)
		if self.is_alive():
			self.kill()
			return {"error": "did not end"}
		with open(self.result) as file:
			return json.load(file)


class StreamReceiver(Part):
	def __init__(self, network, where, port):
		super().__init__(network, where)
		self.port, self.sent = port, multiprocessing.Value("Q", 0)

	def body(self):
		with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
			net.deep(sock)
			sock.bind(("0.0.0.0", self.port))
			sock.settimeout(0.1)
			arrived = {}
			duplicates = 0
			self.ready.set()
			last = time.monotonic()
			# At the end until all are there, or none came for so long that none is on its way any more; half a second for doubles.
			while not self.end.is_set() or time.monotonic() - last < (0.5 if len(arrived) >= self.sent.value else QUIET_S):
				try:
					data = sock.recv(2048)
				except TimeoutError:
					last = last if self.end.is_set() else time.monotonic()
					continue
				last = time.monotonic()
				sequence = HEADER.unpack_from(data)[0]
				duplicates += sequence in arrived
				arrived[sequence] = time.monotonic_ns()
			return {"arrived": arrived, "duplicates": duplicates}


class StreamSender(Part):
	def __init__(self, network, where, source, destination, port, interval, size=200):
		super().__init__(network, where)
		self.source, self.destination, self.port, self.interval, self.size = source, destination, port, interval, size

	def body(self):
		with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
			sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
			sock.bind((self.source, 0))
			sent, refused = [], 0
			self.ready.set()
			due = time.monotonic()
			padding = bytes(max(0, self.size - HEADER.size))
			while not self.end.is_set():
				now = time.monotonic_ns()
				try:
					sock.sendto(HEADER.pack(len(sent), now) + padding, (self.destination, self.port))
					sent.append(now)
				except OSError:  # no route for a moment: nothing was sent, nothing can be lost
					refused += 1
				due += self.interval
				pause = due - time.monotonic()
				if pause > 0:
					time.sleep(pause)
				else:
					due = time.monotonic()
			return {"sent": sent, "refused": refused}


def backlog_dropped():
	"""Frames between links of this machine that were dropped because no processor came to take them (net.core.netdev_max_backlog)."""
	with open("/proc/net/softnet_stat") as file:
		return sum(int(line.split()[1], 16) for line in file)


class Stream:
	"""One direction of numbered datagrams."""

	def __init__(self, network, name, source_ns, source, destination_ns, destination, port, interval=0.004):
		self.name, self.network, self.ends, self.no_room = name, network, (source_ns, destination_ns), 0
		self.receiver = StreamReceiver(network, destination_ns, port)
		self.sender = StreamSender(network, source_ns, source, destination, port, interval)

	def begin(self):
		self.backlog = backlog_dropped()
		self.receiver.begin()
		self.sender.begin()
		return self

	def finish(self):
		sent = self.sender.finish()
		self.receiver.sent.value = len(sent.get("sent", []))
		received = self.receiver.finish()
		self.error = sent.get("error") or received.get("error")
		self.sent = sent.get("sent", [])
		self.refused = sent.get("refused", 0)
		self.arrived = {int(k): v for k, v in received.get("arrived", {}).items()}
		self.duplicates = received.get("duplicates", 0)
		self.no_room = self.dropped_by_hosts()
		return self

	def dropped_by_hosts(self):
		"""What the kernel had no room for: a TUN device's queue on the way out, a UDP or raw socket's on the way in, a processor's backlog. A program that
		encrypts there and does not run for a while loses packets which the gateway never saw, or has sent."""
		links = json.loads(self.network.exec(self.ends[0], "ip", "-j", "-d", "-s", "link", "show", "type", "tun") or "[]")
		rows = [line.split() for line in self.network.exec(self.ends[1], "cat", "/proc/net/snmp").splitlines() if line.startswith("Udp:")]
		raw = self.network.exec(self.ends[1], "cat", "/proc/net/raw").splitlines()[1:]
		return sum(link["stats64"]["tx"]["dropped"] for link in links if link) + int(dict(zip(*rows))["RcvbufErrors"]) \
			+ sum(int(line.split()[-1]) for line in raw) + backlog_dropped() - self.backlog

	def on_its_way(self, at):
		"""The time since which, at a moment, what was sent was still on its way: 60 ms on an idle machine; on a busy one all that was sent
		behind the last one that arrived, within a second."""
		last = max((sent for n, sent in enumerate(self.sent) if sent < at and n in self.arrived), default=0)
		return min(at - IN_FLIGHT_NS, max(last + 1, at - 10 ** 9))

	def lost(self, start=0, end=1 << 63):
		"""Sequence numbers sent in [start, end) that never arrived."""
		return [n for n, at in enumerate(self.sent) if start <= at < end and n not in self.arrived]


def pattern(seed):
	"""An endless stream that both ends can make."""
	counter = 0
	while True:
		yield hashlib.sha256(f"{seed}:{counter}".encode()).digest() * 32
		counter += 1


def pump(sock, seed, rate, end, last_word, least=0):
	"""Sends and receives until the end, `least` octets and more; returns counts, hashes of what was sent and what came."""
	sock.setblocking(False)
	source = pattern(seed)
	out, sent, received = b"", 0, 0
	sent_hash, received_hash = hashlib.sha256(), hashlib.sha256()
	start = time.monotonic()
	open_in = open_out = True
	longest, last = 0.0, start
	deadline = None
	credit, before = 0.0, start
	while open_in or open_out:
		now = time.monotonic()
		# No catching up after a pause: a burst would overflow queues and look like loss of the tunnel.
		credit, before = min(credit + rate * (now - before), 4096), now
		ending = end.is_set() and sent >= least
		if end.is_set():
			deadline = deadline or now + last_word
			if now > deadline:
				break
		want = open_out and (credit > 0 or ending)
		readable, writable, _ = select.select([sock] if open_in else [], [sock] if want else [], [], 0.005)
		if readable:
			data = sock.recv(65536)
			if data:
				received += len(data)
				received_hash.update(data)
				now = time.monotonic()
				longest, last = max(longest, now - last), now
			else:
				open_in = False
		if writable:
			if not out and ending:
				sock.shutdown(socket.SHUT_WR)
				open_out = False
				continue
			if not out:
				out = next(source)
			count = sock.send(out[:4096])
			credit -= count
			sent_hash.update(out[:count])
			sent += count
			out = out[count:]
	return {"sent": sent, "received": received, "sent_hash": sent_hash.hexdigest(), "received_hash": received_hash.hexdigest(),
		"complete": not open_in and not open_out, "longest_pause_s": longest, "seconds": time.monotonic() - start}


class TransferEnd(Part):
	def __init__(self, network, where, local, remote, port, seed, rate, least):
		super().__init__(network, where)
		self.local, self.remote, self.port, self.seed, self.rate, self.least = local, remote, port, seed, rate, least

	def body(self):
		if self.remote is None:
			with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
				listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
				listener.bind((self.local, self.port))
				listener.listen(1)
				listener.settimeout(120)
				self.ready.set()
				sock, _ = listener.accept()
		else:
			sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
			sock.bind((self.local, 0))
			sock.settimeout(120)
			sock.connect((self.remote, self.port))
			self.ready.set()
		with sock:
			return pump(sock, self.seed, self.rate, self.end, 120, self.least)


class Transfer:
	"""A TCP connection opened by the client, both ways at `rate` octets a second each, `least` octets in any case."""

	def __init__(self, network, client_ns, client, server_ns, server, port, rate=1_000_000, least=0):
		self.server = TransferEnd(network, server_ns, server, None, port, "server", rate, least)
		self.client = TransferEnd(network, client_ns, client, server, port, "client", rate, least)

	def begin(self):
		self.server.begin()
		self.client.begin()
		return self

	def finish(self):
		self.client.end.set()
		self.server.end.set()
		a, b = self.client.finish(150), self.server.finish(150)
		self.error = a.get("error") or b.get("error")
		if not self.error:
			if not (a["complete"] and b["complete"]):
				self.error = "the connection did not come to its end"
			elif a["sent_hash"] != b["received_hash"] or b["sent_hash"] != a["received_hash"]:
				self.error = "what arrived is not what was sent"
		self.octets = a.get("received", 0) + b.get("received", 0)
		self.seconds = a.get("seconds", 0)
		self.longest_pause_s = max(a.get("longest_pause_s", 0), b.get("longest_pause_s", 0))
		return self


SO_TIMESTAMPNS = 35


class Watch(Part):
	"""Notes on one interface: registration requests and replies, and data packets, each way."""

	def __init__(self, network, where, interface, agent):
		super().__init__(network, where)
		self.interface, self.agent = interface, socket.inet_aton(agent)

	def body(self):
		with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
			sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
			net.deep(sock)
			sock.bind((self.interface, 0))
			sock.settimeout(0.1)
			notes = []
			offset = time.monotonic_ns() - time.time_ns()
			self.ready.set()
			while not self.end.is_set():
				try:
					frame, extra, _, _ = sock.recvmsg(2048, 128)
				except TimeoutError:
					continue
				note = self.look(frame)
				if note:
					at = time.monotonic_ns()
					for level, kind, data in extra:
						if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
							seconds, nanoseconds = struct.unpack_from("qq", data)
							at = seconds * 10 ** 9 + nanoseconds + offset
					note["at"] = at
					notes.append(note)
			return {"notes": notes}

	def look(self, frame):
		if len(frame) < 34 or frame[12:14] != b"\x08\x00":
			return None
		header = (frame[14] & 15) * 4
		protocol, source, destination = frame[23], frame[26:30], frame[30:34]
		if self.agent not in (source, destination):
			return None
		toward = destination == self.agent  # towards the home agent
		peer = socket.inet_ntoa(source if toward else destination)
		note = {"toward": toward, "peer": peer, "port": 0}
		if protocol in (4, 47, 55):
			return {**note, "what": "data"}
		udp = frame[14 + header:]
		if protocol != 17 or len(udp) < 9:
			return None
		source_port, destination_port = struct.unpack("!HH", udp[:4])
		if (destination_port if toward else source_port) != 434:
			return None
		note["port"] = source_port if toward else destination_port
		message = udp[8:]
		if message[0] == 1 and len(message) >= 24:
			return {**note, "what": "request", "lifetime": struct.unpack("!H", message[2:4])[0], "identification": message[16:24].hex()}
		if message[0] == 3 and len(message) >= 20:
			return {**note, "what": "reply", "code": message[1], "lifetime": struct.unpack("!H", message[2:4])[0],
				"identification": message[12:20].hex()}
		if message[0] == 4:
			inner = message[4:]
			keepalive = len(inner) > 20 and inner[9] == 1
			return {**note, "what": "keepalive" if keepalive else "data"}
		return None
