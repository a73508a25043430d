"""Every size through tunnels of all paddings and limits: delivered whole, or answered with the exact MTU, never silent."""
from esp_bed import *  # noqa: F403

GCM = Sa("gcm", "aes128gcm16", 1)
UDP4 = Sa("gcm-udp", "aes256gcm16", 2, encap=True)
CBC = Sa("cbc", "aes256-sha512", 3)
SHA1 = Sa("cbc-udp", "aes128-sha1", 4, encap=True)
NULL = Sa("null", "null-sha256", 5)
V6 = Sa("gcm-v6", "aes128gcm16", 6, AGENT6, PEER6)
CBC6 = Sa("cbc-udp-v6", "aes128-sha256", 7, AGENT6, PEER6, encap=True)
AFTER = Sa("after", "aes128gcm16", 8, fragment_after=True)
NARROW = Sa("narrow", "aes128-sha256", 9, path_mtu=1281)  # inner MTU below 1280: RFC 8200 5
SAS = [GCM, UDP4, CBC, SHA1, NULL, V6, CBC6, AFTER, NARROW]
PTB = policy("too-big", 10, "bypass", ["192.0.2.1"], ["any[icmp/3:4]"], 'direction = "in";')
# Table of section 10 of the requirements, for a path of 1500.
INNER = {"gcm": 1446, "gcm-udp": 1438, "cbc": 1422, "cbc-udp": 1422, "null": 1454, "gcm-v6": 1426, "cbc-udp-v6": 1406, "after": 1446}


def inner_mtu(sa):
	return sa.a.inner_mtu(sa.settings.get("path_mtu", 1500), sa.outer_length())


class Sweep:
	"""Many sizes at once; the id of an IPv4 packet, or the number in an IPv6 one, says which."""

	def __init__(self, bed, sa):
		self.bed, self.sa = bed, sa
		self.whole = {}  # number of a datagram -> its octets
		self.pieces = {}  # outer fragments
		self.inners = {}  # inner fragments by id
		self.outer_fragments = self.inner_fragments = 0
		self.errors = {}
		self.df_clear = 0  # ESP over IPv4 that may be cut on its way
		self.longest_fragment = 0

	def send(self, packets, expect):
		"""packets: {number: packet}. Waits until each was delivered or answered; expect tells how many of both kinds."""
		# A few at a time: receive queues are as long as a device's.
		numbers = sorted(packets)
		for at in range(0, len(numbers), 64):
			part = numbers[at:at + 64]
			for number in part:
				self.bed.home.send(packets[number])
			try:
				net.wait_for(lambda: self.look() and all(n in self.whole or n in self.errors for n in part), "an end of each", 3, 0.01)
			except net.Failure:
				silent = [n for n in part if n not in self.whole and n not in self.errors]
				raise AssertionError(f"{self.sa.name}: {len(silent)} vanished: {silent[:8]}") from None
		assert set(self.whole) == expect, f"{self.sa.name}: delivered {sorted(set(self.whole) ^ expect)[:8]} otherwise than expected"

	def look(self):
		for octets in self.bed.bulk(self.bed.outside):
			self.outside(octets)
		for octets in self.bed.bulk(self.bed.home):
			self.answer(octets)
		return True

	def outside(self, octets):
		assert len(octets) <= 1500, len(octets)
		packet = IPv6(octets) if octets[0] >> 4 == 6 else IP(octets)
		if packet.version == 4 and (packet.flags.MF or packet.frag):
			self.outer_fragments += 1
			self.longest_fragment = max(self.longest_fragment, len(octets))
			key, at, more, data = packet.id, packet.frag * 8, packet.flags.MF, octets[20:]
			head = octets[:2] + b"\0\0" + octets[4:6] + b"\0\0" + octets[8:20]
		elif packet.version == 6 and packet.nh == 44:
			self.outer_fragments += 1
			self.longest_fragment = max(self.longest_fragment, len(octets))
			field = struct.unpack_from("!H", octets, 42)[0]
			key, at, more, data = octets[44:48], field & 0xfff8, field & 1, octets[48:]
			head = octets[:6] + octets[40:41] + octets[7:40]
		else:
			self.df_clear += packet.version == 4 and not packet.flags.DF
			self.esp(octets)
			return
		parts = self.pieces.setdefault(key, {})
		parts[at] = (data, more)
		whole = joined(parts)
		if whole is not None:
			del self.pieces[key]
			length = struct.pack("!H", len(whole) + (20 if packet.version == 4 else 0))
			self.esp(head[:2] + length + head[4:] + whole if packet.version == 4 else head[:4] + length + head[6:] + whole)

	def esp(self, octets):
		esp = self.sa.esp_of(octets)
		if esp is None:
			return
		payload, next_header = self.sa.open(esp)[:2]
		if next_header == 41:
			self.whole[int.from_bytes(payload[48:52], "big")] = payload
			return
		inner = IP(payload)
		if not inner.flags.MF and not inner.frag:
			self.whole[inner.id] = payload
			return
		self.inner_fragments += 1
		assert len(payload) <= inner_mtu(self.sa), (len(payload), inner_mtu(self.sa))
		parts = self.inners.setdefault(inner.id, {})
		parts[inner.frag * 8] = (payload[20:], inner.flags.MF)
		data = joined(parts)
		if data is not None:
			first = IP(payload[:20])
			first.flags, first.frag, first.len, first.chksum = 0, 0, 20 + len(data), None
			self.whole[inner.id] = bytes(first)[:20] + data

	def answer(self, octets):
		if octets[0] >> 4 == 4 and octets[9] == 1 and octets[20] == 3 and octets[21] == 4:
			self.errors[struct.unpack_from("!H", octets, 28 + 4)[0]] = struct.unpack_from("!H", octets, 26)[0]
		elif octets[0] >> 4 == 6 and octets[6] == 58 and octets[40] == 2:
			self.errors[int.from_bytes(octets[48 + 48:48 + 52], "big")] = struct.unpack_from("!I", octets, 44)[0]


def joined(parts):
	"""The octets of all fragments, None while some are missing."""
	at = 0
	data = b""
	while at in parts:
		piece, more = parts[at]
		data += piece
		at += len(piece)
		if not more:
			return data
	return None


def sizes(limit, least):
	"""All paddings of 16 at the small end, and every size around the limit."""
	return list(range(least, least + 34)) + list(range(limit - 18, limit + 1))


def test_every_size_up_to_the_limit_fits(bed):  # MTU-01 ESP-FMT-04
	for sa in SAS[:-1]:
		limit = inner_mtu(sa)
		assert limit == INNER[sa.name], (sa.name, limit)
		packets = {size: udp4(CORRESPONDENT, sa.host, size, size, flags="DF") for size in sizes(limit, 32)}
		sweep = Sweep(bed, sa)
		sweep.send(packets, set(packets))
		for size, packet in packets.items():
			assert sweep.whole[size] == hop(packet), f"{sa.name}: {size} octets"
		assert sweep.outer_fragments == sweep.inner_fragments == 0 and not sweep.errors


def test_one_more_with_df_is_answered_with_the_mtu(bed):  # MTU-02 MTU-07
	before = bed.drops()
	count = 0
	for sa in SAS[:-1]:
		limit = inner_mtu(sa)
		packets = {size: udp4(CORRESPONDENT, sa.host, size, size, flags="DF") for size in (limit + 1, limit + 2, 1499, 1500)}
		sweep = Sweep(bed, sa)
		sweep.send(packets, set())
		count += len(packets)
		assert sweep.errors == {size: limit for size in packets}, (sa.name, sweep.errors)
	bed.drops_only({"ipsec_mtu_exceeded": count}, before, "too large")


def test_without_df_it_is_cut_and_whole(bed):  # MTU-03 MTU-06 ECN-07
	before = bed.drops()
	for sa in SAS[:-1]:
		limit = inner_mtu(sa)
		packets = {size: udp4(CORRESPONDENT, sa.host, size, size) for size in [*range(limit - 2, limit + 20), 1499, 1500]}
		sweep = Sweep(bed, sa)
		sweep.send(packets, set(packets))
		for size, packet in packets.items():
			assert sweep.whole[size] == hop(packet), f"{sa.name}: {size} octets"
		cut = 2 * sum(size > limit for size in packets)
		assert (sweep.inner_fragments, sweep.outer_fragments) == ((0, cut) if sa is AFTER else (cut, 0)), (sa.name, sweep.inner_fragments, sweep.outer_fragments)
	bed.drops_only({}, before, "nothing is lost")


def test_inner_ipv6_up_to_1280_always_arrives(bed):  # MTU-04 ESP-OUT-10
	for sa in (GCM, CBC, V6, CBC6, NARROW):
		limit = max(inner_mtu(sa), 1280)
		fits = [*range(52, 86), *range(1262, 1281), *range(limit - 3, limit + 1)]
		packets = {size: udp6(CORRESPONDENT6, sa.host6, size, size) for size in fits}
		sweep = Sweep(bed, sa)
		sweep.send(packets, set(packets))
		for size, packet in packets.items():
			assert sweep.whole[size] == hop(packet), f"{sa.name}: {size} octets of IPv6"
		assert sweep.inner_fragments == 0
		# Cut by us, to what the link takes or to what the SA knows of its path.
		cut = sum(size > inner_mtu(sa) for size in set(fits))
		assert sweep.outer_fragments == 2 * cut, (sa.name, sweep.outer_fragments, cut)
		path = sa.settings.get("path_mtu", 1500)
		assert sweep.longest_fragment <= path and (not cut or sweep.longest_fragment > path - 8), (sa.name, sweep.longest_fragment, path)
		assert sweep.df_clear == 0, (sa.name, "nothing is left for the path to cut", sweep.df_clear)
	assert inner_mtu(NARROW) < 1280 and cut


def test_larger_ipv6_is_answered(bed):  # MTU-04
	for sa in (GCM, CBC6, NARROW):
		limit = max(inner_mtu(sa), 1280)
		packets = {size: udp6(CORRESPONDENT6, sa.host6, size, size) for size in (limit + 1, 1500)}
		sweep = Sweep(bed, sa)
		sweep.send(packets, set())
		assert sweep.errors == {size: limit for size in packets}, (sa.name, sweep.errors)


def test_inward_sizes_beyond_the_links_in_fragments(bed):  # MTU-12 ESP-IN-02 ESP-OUT-06
	for sa in (GCM, SHA1, CBC):
		for size in [*range(1380, 1400, 3), 1477, 1500, 1501, 1800]:
			packet = udp4(sa.host, CORRESPONDENT, size, size)
			outer = IP(bytes(sa.protect(packet, id=size)))
			for piece in fragment(outer, 1480):
				bed.outside.send(piece)
			want, parts = hop(packet), {}

			def whole():
				for octets in bed.bulk(bed.home):
					inner = IP(octets)
					if inner.id == size and inner.proto == 17:
						parts[inner.frag * 8] = (octets[20:], inner.flags.MF)
				return joined(parts)
			data = net.wait_for(whole, f"{sa.name}: {size} octets inside", 3, 0.002)
			assert data == want[20:], f"{sa.name}: {size} octets differ"
			assert len(parts) == (1 if size <= 1500 else -(-(size - 20) // 1480)), (size, len(parts))


def test_a_path_mtu_from_outside_is_believed_when_it_quotes_us(bed):  # MTU-08 MTU-09 MTU-11 BAD-41
	sa = GCM
	outer = bed.outward(sa, udp4(CORRESPONDENT, sa.host, 1400, 1, flags="DF"))[0]

	def tell(quoted, mtu):
		bed.outside.send(IP(src="203.0.113.99", dst=AGENT) / ICMP(type=3, code=4, nexthopmtu=mtu) / Raw(quoted))

	def limit_is(limit):
		sweep = Sweep(bed, sa)
		sweep.send({1446: udp4(CORRESPONDENT, sa.host, 1446, 1446, flags="DF")}, {1446} if limit == 1446 else set())
		return sweep.errors.get(1446, 1446)
	wrong = outer[:20] + struct.pack("!I", sa.spi_out + 77) + outer[24:28]
	tell(wrong, 1300)
	assert limit_is(1446) == 1446
	tell(outer[:28], 1300)
	net.wait_for(lambda: limit_after(bed, sa) == sa.a.inner_mtu(1300, 20), "the path's MTU", 3, 0.1)
	bed.ctl("sa", "update", sa.name, "--remote", "198.51.100.40")
	net.wait_for(lambda: limit_after(bed, sa) == 1446, "the new path's MTU", 3, 0.1)


def limit_after(bed, sa):
	"""What a packet of 1446 octets meets now."""
	bed.home.send(udp4(CORRESPONDENT, sa.host, 1446, 1446, flags="DF"))
	sweep = Sweep(bed, sa)
	net.wait_for(lambda: sweep.look() and (sweep.whole or sweep.errors), "an end of a packet", 3, 0.01)
	return sweep.errors.get(1446, 1446)


run(dict(globals()), sas=SAS, dataplane="icmp_rate = 1000000; icmp_source_rate = 1000000;",
	policies=[protect(sa) for sa in SAS] + [PTB])  # noqa: F405
