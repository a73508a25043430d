"""The bed of harness.py with security associations: the gateway's two ends in both families, and peers made of esp_peer.py.

    outside ("wan", router 192.0.2.254, 2001:db8:1::fe)     home ("lan", correspondent 10.1.0.5, 2001:db8:a::5)

Next hops stand in the configuration, so that no packet waits for a neighbour and a new dataplane knows them as well. The last case of
each file reads with tshark and the keys: every ICV that the gateway sent is correct, and no number was used twice.
"""
import random
import threading

from harness import *  # noqa: F403
from scapy.all import IPv6, ICMPv6PacketTooBig, fragment  # noqa: F401
from scapy.utils import RawPcapWriter

from esp_peer import AGENT6, LOCAL_TS, PEER, PEER6, Sa  # noqa: F401

ROUTER6, CORRESPONDENT6 = "2001:db8:1::fe", "2001:db8:a::5"
STATIC = """
neighbors = ( {{ address = "192.0.2.254"; port = "ext"; mac = "{wan}"; }}, {{ address = "2001:db8:1::fe"; port = "ext"; mac = "{wan}"; }},
  {{ address = "10.1.0.5"; port = "int"; mac = "{lan}"; }}, {{ address = "2001:db8:a::5"; port = "int"; mac = "{lan}"; }} );
routes = ( {{ prefix = "0.0.0.0/0"; via = "192.0.2.254"; port = "ext"; }}, {{ prefix = "::/0"; via = "2001:db8:1::fe"; port = "ext"; }},
  {{ prefix = "2001:db8:a::/64"; port = "int"; }} );
locals = ( {{ address = "2001:db8:1::1"; port = "ext"; }}, {{ address = "2001:db8:a::1"; port = "int"; }} );
security_associations = ( {sas} );
policies = ( {policies} );
"""


def policy(name, order, action, local, remote, more=""):
	lists = ["[ " + ", ".join(f'"{t}"' for t in ts) + " ]" for ts in (local, remote)]
	return f'{{ name = "{name}"; order = {order}; action = "{action}"; local_ts = {lists[0]}; remote_ts = {lists[1]}; {more} }}'


def protect(sa, order=None):
	transport = sa.mode == "transport"
	return policy(sa.name, order or 1000 + sa.index, "protect", sa.local_ts or [sa.local] if transport else sa.local_ts,
		sa.remote_ts or [sa.remote] if transport else sa.remote_ts, f'security_association = "{sa.name}";')


def udp4(source, destination, size, number=0, flags=0, ttl=64, tos=0):
	"""An IPv4 datagram of exactly size octets that carries a number."""
	data = number.to_bytes(4, "big") + bytes(i & 255 for i in range(max(size - 32, 0)))
	return IP(src=source, dst=destination, id=number & 0xffff, flags=flags, ttl=ttl, tos=tos) / UDP(sport=9, dport=12) / Raw(data[:max(size - 28, 0)])


def udp6(source, destination, size, number=0, hlim=64, tc=0):
	data = number.to_bytes(4, "big") + bytes(i & 255 for i in range(max(size - 52, 0)))
	return IPv6(src=source, dst=destination, hlim=hlim, tc=tc, fl=0xabcde) / UDP(sport=9, dport=12) / Raw(data[:max(size - 48, 0)])


def hop(packet):
	"""The octets that the packet has after it was forwarded."""
	packet = packet.__class__(bytes(packet))
	if packet.version == 4:
		packet.ttl -= 1
		packet.chksum = None
	else:
		packet.hlim -= 1
	return bytes(packet)


def ip_octets(frame):
	"""An IP packet of a frame without Ethernet's padding; None for others."""
	frame = bytes(frame)
	if frame[12:14] == b"\x08\x00":
		return frame[14:14 + struct.unpack_from("!H", frame, 16)[0]]
	if frame[12:14] == b"\x86\xdd":
		return frame[14:54 + struct.unpack_from("!H", frame, 18)[0]]
	return None


class EspBed(Bed):
	def __init__(self, build, sas=(), policies=None, dataplane="", limits="max_security_associations = 256; max_policies = 2048; ", **settings):
		super().__init__(build, dataplane=limits + dataplane, **settings)
		self.network.sysctl("gateway", "net.ipv6.conf.default.disable_ipv6", 1)  # nothing of the kernel's own
		self.sas = {sa.name: sa for sa in sas}
		macs = {end: self.network.exec(where, "cat", f"/sys/class/net/{end}/address").strip()
			for where, end in (("outside", "wan"), ("home", "lan"))}
		rows = [protect(sa) for sa in sas] if policies is None else policies
		self.gateway.more = STATIC.format(sas=",\n".join(sa.config() for sa in sas), policies=",\n".join(rows), **macs)
		self.ours = {}  # SPI -> every ESP number that the gateway sent
		self.dummies = set()  # (SPI, number): tshark names no protocol for next header 59
		self.raw = []  # frames that were read in bulk
		self.repeats = set()  # pairs that were begun anew with the same keys

	# ---- asking

	def ctl(self, *words):
		result = self.gateway.ctl(*words)
		assert result.returncode == 0, f"{' '.join(words)}: {(result.stderr or result.stdout).strip()[:300]}"

	def add(self, sa, **rule):
		self.sas[sa.name] = sa
		self.ctl(*sa.words(self.network.directory))
		net.wait_for(lambda: all(row["in_dataplane"] for row in self.pair(sa).values()), f"{sa.name} in the dataplane", 5)
		if rule.get("order"):
			self.ctl("policy", "add", sa.name, "--order", str(rule["order"]), "--action", "protect", "--sa", sa.name,
				"--local-ts", ",".join(sa.local_ts or [sa.local]), "--remote-ts", ",".join(sa.remote_ts or [sa.remote]))
		return sa

	def pair(self, sa):
		return {row["direction"]: row for row in self.gateway.ask("sa", "show", sa.name)}

	def moved(self, before):
		"""Drop counters that moved since."""
		return {reason: count - before.get(reason, 0) for reason, count in self.drops().items() if count != before.get(reason, 0)}

	def drops_only(self, expected, before, what=""):
		"""Waits until exactly these were counted, and no other."""
		try:
			net.wait_for(lambda: self.moved(before) == expected, "drops", 2)
		except net.Failure:
			raise AssertionError(f"{what}: drops {self.moved(before)}, expected {expected}") from None

	# ---- packets

	def bulk(self, wire):
		"""IP packets that came from the gateway, as octets, in order; all that wait."""
		found, mac = [], bytes.fromhex(self.macs[wire.tap].replace(":", ""))
		while select.select([wire.sock], [], [], 0)[0]:
			for _ in range(64):
				try:
					data, address = wire.sock.recvfrom(65536, socket.MSG_DONTWAIT)
				except BlockingIOError:
					break
				if address[2] != socket.PACKET_OUTGOING and data[6:12] == mac:
					octets = ip_octets(data)
					if octets:
						found.append(octets)
						self.note(octets)
						self.raw.append(data)
		return found

	def note(self, octets):
		for sa in self.sas.values():
			esp = sa.esp_of(octets)
			if esp:
				numbers = self.ours.setdefault(sa.name, {})
				number = struct.unpack_from("!I", esp, 4)[0]
				numbers[number] = numbers.get(number, 0) + 1

	def inward(self, sa, inner, **header):
		"""The peer sends; the inner packet has to come out at home, octet by octet."""
		self.outside.send(sa.protect(inner, **header))
		want = hop(inner)
		got = self.home.expect(lambda f: (ip_octets(f) or b"")[20:] == want[20:], f"{sa.name}: the inner packet inside")
		assert ip_octets(got) == want, f"{sa.name}: {ip_octets(got).hex()} instead of {want.hex()}"

	def outward(self, sa, inner, seconds=3.0):
		"""The correspondent sends; returns (outer packet, ESP, its number, IV) after it was opened and compared."""
		self.home.send(inner)
		frame = self.outside.expect(lambda f: ip_octets(f) and sa.esp_of(ip_octets(f)), f"{sa.name}: ESP outside", seconds)
		outer = ip_octets(frame)
		self.note(outer)
		esp = sa.esp_of(outer)
		payload, next_header, number, iv = sa.open(esp)
		assert payload == hop(inner), f"{sa.name}: {payload.hex()} inside instead of {hop(inner).hex()}"
		assert next_header == (4 if inner.version == 4 else 41), next_header
		return outer, esp, number, iv

	# ---- what every file ends with

	def second_reader(self):
		"""tshark with the keys: all ICVs of known algorithms are good; no number twice; no complaint about any frame."""
		self.outside.read()
		self.home.read()
		frames = [bytes(frame) for frame in self.outside.all + self.home.all] + self.raw
		capture = self.network.path("sent.pcap")
		writer = RawPcapWriter(capture, linktype=1)
		writer.write_header(None)
		for frame in frames:
			writer.write_packet(frame)
		writer.close()
		options = ["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
		lines = [line for sa in self.sas.values() for line in sa.uat()]
		for line in lines:
			options += ["-o", f"uat:esp_sa:{line}"]
		result = subprocess.run(["tshark", "-n", "-r", capture, "-Y", "esp", *options, "-T", "fields", "-e", "esp.spi", "-e", "esp.sequence", "-e",
			"esp.icv_good", "-e", "esp.icv_bad", "-e", "esp.protocol"], capture_output=True, text=True)
		assert result.returncode == 0, result.stderr.strip()
		known = {sa.spi_out: sa.name for sa in self.sas.values() if sa.uat()}
		good, seen = 0, {}
		for row in result.stdout.splitlines():
			spi, number, icv_good, icv_bad, protocol = row.split("\t")
			key = (int(spi, 16), int(number))
			seen[key] = seen.get(key, 0) + 1
			if key[0] in known:
				assert icv_good == "1" and icv_bad != "1", f"ICV of {known[key[0]]} number {number}: {row!r}"
				assert protocol or key in self.dummies, f"{known[key[0]]} number {number} was not decrypted: {row!r}"
				good += 1
		anew = {self.sas[name].spi_out for name in self.repeats}
		twice = [f"{spi:#x}/{number}" for (spi, number), count in seen.items() if count > 1 and spi not in anew]
		assert not twice, f"numbers used twice: {twice[:5]}"
		assert good > 0 or not known, "no ICV was checked"
		print(f"# tshark: {len(seen)} ESP packets, {good} ICVs checked and good, {len(known)} associations")
		bad = "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0 || _ws.expert.group == 0x07000000"
		result = subprocess.run(["tshark", "-n", "-r", capture, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y", bad],
			capture_output=True, text=True)
		assert not result.stdout.strip(), f"tshark complains: {result.stdout.strip()[:400]}"


class Flow:
	"""Numbered datagrams from the correspondent to a host of the far side; what came out is opened afterwards."""

	def __init__(self, bed, destination, interval, size=200, burst=1, limit=1 << 30):
		self.bed, self.destination, self.interval, self.size, self.burst, self.limit = bed, destination, interval, size, burst, limit
		self.sent, self.end = 0, threading.Event()
		head = bytes(bed.home.frame(udp4(CORRESPONDENT, destination, size, 0)))
		self.head, self.tail = head[:42], head[46:]
		self.packets = []
		bed.home.clear()
		bed.outside.clear()
		self.thread = threading.Thread(target=self.run, daemon=True)
		self.thread.start()

	def run(self):
		due = time.monotonic()
		head = self.head[:40] + b"\0\0"  # no UDP checksum
		while not self.end.is_set() and self.sent < self.limit:
			for _ in range(self.burst):
				self.bed.home.sock.send(head + self.sent.to_bytes(4, "big") + self.tail)
				self.sent += 1
			due = max(due + self.interval, time.monotonic())  # no catching up after a pause: a burst would overflow queues
			time.sleep(max(0, due - time.monotonic()))

	def stop(self):
		self.end.set()
		self.thread.join()

	def collect(self, sas):
		self.packets += self.bed.bulk(self.bed.outside)
		return sum(1 for p in self.packets if any(sa.esp_of(p) for sa in sas))

	def finish(self, sas, seconds=3.0):
		"""Stops; returns ({number: times it arrived}, {name: packets under that pair}, packets in clear). seconds: to wait for all of them."""
		self.stop()
		try:
			net.wait_for(lambda: self.collect(sas) >= self.sent, "all packets", seconds, 0.05)
		except net.Failure:
			pass
		arrived, by, clear = {}, {sa.name: 0 for sa in sas}, 0
		for packet in self.packets:
			sa = next((sa for sa in sas if sa.esp_of(packet)), None)
			if sa is None:
				clear += bytes([0, 9, 0, 12]) in packet[20:24]
				continue
			payload = sa.open(sa.esp_of(packet))[0]
			number = int.from_bytes(payload[28:32], "big")
			arrived[number] = arrived.get(number, 0) + 1
			by[sa.name] += 1
		return arrived, by, clear


def run(tests, **settings):
	main(tests, bed_class=EspBed, **settings)  # noqa: F405
