"""What the demos of ESP share: a watch on the internet, streams and a TCP transfer through the tunnel, and their judgement.

Nothing is taken from what the programs under test say about themselves: the watch tells what was in clear and whether a number came
twice, the streams what was lost. What is lost while something happens (a window) is told; what is lost at any other time is wrong.
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
import traffic  # noqa: E402


class Wire(traffic.Part):
	"""What is on a link of the internet: ESP in UDP by SPI and number, IKE with its keepalives, and everything else by kind."""

	def __init__(self, network, where, interface):
		super().__init__(network, where)
		self.interface = interface

	def body(self):
		self.numbers, self.twice, self.clear, self.packets, self.ike = {}, {}, {}, 0, 0
		with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
			net.deep(sock)
			sock.bind((self.interface, 0))
			sock.settimeout(0.1)
			self.ready.set()
			while not self.end.is_set():
				try:
					frame = sock.recv(2048)
				except TimeoutError:
					continue
				if len(frame) >= 42 and frame[12:14] == b"\x08\x00":
					self.note(frame)
		return {"packets": self.packets, "ike": self.ike, "twice": self.twice, "clear": self.clear,
			"numbers": {spi: [min(n), max(n), len(n)] for spi, n in self.numbers.items()}}

	def note(self, frame):
		header = 14 + (frame[14] & 15) * 4
		ports = struct.unpack_from("!HH", frame, header) if frame[23] == 17 else ()
		if 500 in ports or 4500 in ports and frame[header + 8:header + 12] in (bytes(4), b"\xff"):
			self.ike += 1
		elif 4500 in ports and len(frame) >= header + 16:
			spi, sequence = struct.unpack_from("!II", frame, header + 8)
			numbers = self.numbers.setdefault(f"{spi:#010x}", set())
			if sequence in numbers:
				self.twice[f"{spi:#010x}"] = self.twice.get(f"{spi:#010x}", 0) + 1
			numbers.add(sequence)
			self.packets += 1
		else:
			kind = f"{socket.inet_ntoa(frame[26:30])} > {socket.inet_ntoa(frame[30:34])} protocol {frame[23]}"
			if ports:
				kind += f" port {ports[1]}"
			self.clear[kind] = self.clear.get(kind, 0) + 1


class TunnelDemo(demo.Demo):
	CLEAR = r"(?!)"  # a regular expression of what may be on the internet in clear
	SPIS = 4         # as many at least are seen there

	def __init__(self, arguments):
		super().__init__(arguments)
		self.probes = []   # (namespace, source, destination): what is asked for an echo when a window is to close
		self.windows = []  # (title, start, end), of time.monotonic_ns()
		self.charons = []

	def ping(self, where, source, destination):
		output = self.network.exec(where, "ping", "-c", "3", "-i", "0.2", "-W", "1", "-I", source, destination, check=False)
		if not re.search(r"3 received", output):
			raise net.Failure(f"ping {source} > {destination}: " + " ".join(output.split())[-160:])
		return re.search(r"= ([0-9./]+ ms)", output).group(1)

	# ---- traffic; each stream: (name, namespace, address, namespace, address, port)

	def begin_traffic(self, streams, transfer):
		self.streams = [traffic.Stream(self.network, *stream).begin() for stream in streams]
		self.probes = list(dict.fromkeys((streams[n][1], streams[n][2], streams[n][4]) for n in range(0, len(streams), 2)))
		self.transfer = traffic.Transfer(self.network, *transfer, rate=300_000).begin()
		time.sleep(self.arguments.stay)

	def finish_traffic(self):
		self.transfer.finish()
		for stream in self.streams:
			stream.finish()
		self.seen = self.wire.finish()

	def works(self, where, source, destination):
		return "1 received" in self.network.exec(where, "ping", "-c", "1", "-W", "1", "-I", source, destination, check=False)

	def close_window(self, title, start):
		"""Both ways work again: the echoes came back. What control and charon say is true of one end of the path only."""
		for where, source, destination in self.probes:
			net.wait_for(lambda: self.works(where, source, destination), f"an echo from {destination} after {title}", 15, 0.02)
		self.windows.append((title, start, time.monotonic_ns()))

	def within(self, stream, window):
		"""Lost packets that were on their way when something happened, or left before it was over."""
		_, start, end = window
		return set(stream.lost(stream.on_its_way(start), end))

	# ---- what came of it

	def judge(self):
		return self.judge_wire() + self.judge_traffic()

	def judge_wire(self):
		if self.seen.get("error"):
			return [f"watch: {self.seen['error']}"]
		wrong = [f"{count} packets in clear on the internet: {kind}" for kind, count in self.seen["clear"].items() if not re.fullmatch(self.CLEAR, kind)]
		wrong += [f"{count} sequence numbers of {spi} used twice" for spi, count in self.seen["twice"].items()]
		if len(self.seen["numbers"]) < self.SPIS:
			wrong.append(f"expected {self.SPIS} SPIs or more on the internet, saw {sorted(self.seen['numbers'])}")
		return wrong

	def place(self, at):
		"""A time, by what happened last and what next."""
		before = max(((end, title) for title, _, end in self.windows if end <= at), default=(self.streams[0].sent[0], "the begin"))
		after = min(((start, title) for title, start, _ in self.windows if start > at), default=(self.streams[0].sent[-1], "the end"))
		return f"{(at - before[0]) / 1e6:.0f} ms after {before[1]} and {(after[0] - at) / 1e6:.0f} ms before {after[1]}"

	def judge_traffic(self):
		wrong = []
		for stream in self.streams:
			if stream.error or not stream.sent:
				wrong.append(f"stream {stream.name}: {stream.error or 'sent nothing'}")
			outside = set(stream.lost()).difference(*(self.within(stream, window) for window in self.windows))
			if len(outside) > stream.no_room:
				wrong.append(f"{len(outside)} packets {stream.name} lost when nothing happened, sent {self.place(stream.sent[min(outside)])}"
					f" to {self.place(stream.sent[max(outside)])}")
		if self.transfer.error:
			wrong.append(f"TCP: {self.transfer.error}")
		return wrong

	def show_wire(self):
		print(f"\nOn the internet: {self.seen['packets']} ESP packets under {len(self.seen['numbers'])} SPIs, "
			f"{self.seen['ike']} IKE messages and keepalives")
		for spi, (first, last, count) in sorted(self.seen["numbers"].items()):
			print(f"  SPI {spi}: numbers {first} to {last}, {count} different, {self.seen['twice'].get(spi, 0)} twice")
		for kind, count in sorted(self.seen["clear"].items()):
			print(f"  in clear: {count} x {kind}")

	def show_traffic(self, heading):
		print(f"\nTraffic   {heading}")
		for stream in self.streams:
			inside = [f"{len(self.within(stream, window))} at {window[0]}" for window in self.windows]
			print(f"  UDP {stream.name}: {len(stream.sent)} sent, {len(stream.arrived)} arrived, {len(stream.lost())} lost ({', '.join(inside)}), "
				f"{stream.duplicates} twice" + (f", the hosts had no room for {stream.no_room}" if stream.no_room else ""))
		print(f"  TCP: {self.transfer.octets / 1e6:.1f} MB both ways, longest pause {self.transfer.longest_pause_s * 1000:.0f} ms, "
			f"hashes {'equal' if not self.transfer.error else 'NOT equal'}")
		for title, start, end in self.windows:
			print(f"  {title}: {(end - start) / 1e6:.0f} ms until it was seen to work again")

	def stop_charons(self):
		wrong = []
		for charon in self.charons:
			status = charon.stop()
			if status:
				wrong.append(f"{charon.name} ended with status {status}: {charon.last_lines(2)}")
		return wrong

	def show_processes(self):
		super().show_processes()
		for charon in self.charons:
			print(f"--- {charon.name}: last lines")
			print("\n".join("    " + line for line in charon.log().splitlines()[-demo.LAST_LINES:]))
