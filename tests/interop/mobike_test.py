"""The client moves, a NAT comes and changes its mind, somebody replays: the gateway's associations follow whom they should."""
import socket
import struct
import time

import bed
import network as net
import traffic


def remote(b):
	"""Where the gateway sends the newest tunnel to."""
	try:
		row = b.row("out", b.server.child("net")["spi-out"])
	except net.Failure:  # just replaced
		return None, 0
	return row["remote"], row.get("remote_port")


def follows(b, address, seconds=12):
	net.wait_for(lambda: b.server.children("net") and remote(b)[0] == address, f"the gateway to send to {address}", seconds, 0.05)


def dropped(b, before):
	return {reason: count - before.get(reason, 0) for reason, count in b.drops(b.gateway).items() if count > before.get(reason, 0)}


def carries(b):
	"""Both ways, every packet. kernel-libipsec cannot move an SA: the client first sends from where it was, until it has rekeyed."""
	net.wait_for(lambda: b.reaches("client", bed.HOST, b.vip), "the client to send from its new address", 10, 0.05)
	b.ping("client", bed.HOST, b.vip)
	b.ping("host", b.vip)


def test_the_client_moves_to_another_network(b):  # MOB-01..06, MOB-16
	b.vip = b.up()
	b.ping("client", bed.HOST, b.vip)
	ike = b.server.associations()[0][1]["uniqueid"]
	for old, new, address in (("a", "b", bed.CLIENT_B), ("b", "a", bed.CLIENT_A)):
		b.move(old, new)
		follows(b, address)
		carries(b)
	assert b.server.associations()[0][1]["uniqueid"] == ike, "another IKE SA"
	assert b.virtual_ip() == b.vip


def test_a_tcp_connection_survives_moves(b):
	transfer = traffic.Transfer(b.network, "client", b.vip, "host", bed.HOST, 7300).begin()
	time.sleep(0.5)
	for old, new, address in (("a", "b", bed.CLIENT_B), ("b", "a", bed.CLIENT_A)):
		b.move(old, new)
		follows(b, address)
		time.sleep(0.5)
	transfer.finish()
	assert not transfer.error, transfer.error


def test_make_before_break_loses_nothing_at_the_gateway(b):  # MOB-03, MOB-05
	streams = [traffic.Stream(b.network, "up", "client", b.vip, "host", bed.HOST, 7310, 0.004).begin(),
		traffic.Stream(b.network, "down", "host", bed.HOST, "client", b.vip, 7311, 0.004).begin()]
	time.sleep(0.3)
	drops = b.drops(b.gateway)
	begin = time.monotonic_ns()
	b.attach("b")  # and its old address stays for what is on its way
	follows(b, bed.CLIENT_B)
	net.wait_for(lambda: b.reaches("client", bed.HOST, b.vip), "the client's own SA to follow", 10, 0.05)
	end = time.monotonic_ns()
	time.sleep(0.5)
	for stream in streams:
		stream.finish()
	moved = dropped(b, drops)
	b.detach("a")
	b.attach("a")
	b.detach("b")
	follows(b, bed.CLIENT_A)
	carries(b)
	for stream in streams:
		assert not stream.error, stream.error
		assert len(stream.arrived) > 50
	up, down = streams[0].lost(), streams[1].lost()
	assert not up, f"up: {up} of {len(streams[0].sent)} lost"
	assert not moved, f"the gateway dropped {moved}"
	# kernel-libipsec knows its SA by its old address until it has rekeyed: what the gateway sends to the new one meanwhile is lost
	# there. Two homeports (site_test) lose nothing.
	late = set(down) - set(streams[1].lost(streams[1].on_its_way(begin), end))
	assert not late, f"down: {down} of {len(streams[1].sent)} lost, {late} of them when all was as before"


def test_the_client_moves_from_ipv4_to_ipv6_and_back(b):  # MOB-08
	mark = b.server.mark()
	b.network.ip("client", f"-6 addr add {bed.CLIENT_A6}/64 dev pa nodad")
	b.network.ip("client", "-6 route replace default via 2001:db8:a::1 dev pa")
	time.sleep(0.3)
	b.detach("a")
	follows(b, bed.CLIENT_A6, 20)
	carries(b)
	b.attach("a")
	b.network.ip("client", f"-6 addr del {bed.CLIENT_A6}/64 dev pa")
	follows(b, bed.CLIENT_A, 20)
	carries(b)
	assert not b.server.said("refused", mark)


def test_a_nat_changes_its_mapping(b):  # NAT-07, NAT-09..11, KIF-41
	b.down()
	b.nat("40000-40099")
	b.vip = b.up()
	assert 40000 <= remote(b)[1] <= 40099, remote(b)
	b.ping("client", bed.HOST, b.vip)
	mark = b.server.mark()
	b.nat("50000-50099")
	b.network.exec("client", "ping", "-c", "1", "-W", "1", "-I", b.vip, bed.HOST, check=False)
	net.wait_for(lambda: 50000 <= remote(b)[1] <= 50099, "the gateway to follow the NAT's port", 10, 0.05)
	b.server.expect("NAT mappings of CHILD_SA", 5, mark)
	b.ping("client", bed.HOST, b.vip)
	b.ping("host", b.vip)


def test_a_storm_of_mappings_ends_at_the_last(b):  # NAT-10, MOB-13, MOB-17
	up = traffic.Stream(b.network, "up", "client", b.vip, "host", bed.HOST, 7320, 0.01).begin()
	for index in range(15):
		low = 41000 + 100 * index
		b.nat(f"{low}-{low + 99}")
		time.sleep(0.2)
	net.wait_for(lambda: 42400 <= remote(b)[1] <= 42499, "the gateway to follow to the last port", 20, 0.1)
	up.finish()
	b.ping("client", bed.HOST, b.vip)


def udp_checksum_off(frame, source, port):
	"""The frame's packet from another source; a UDP checksum of 0 is none."""
	packet = bytearray(frame[14:])
	header = (packet[0] & 15) * 4
	packet[12:16] = socket.inet_aton(source)
	packet[10:12] = b"\0\0"
	total = sum(struct.unpack(f"!{header // 2}H", packet[:header]))
	total = (total & 0xffff) + (total >> 16)
	total = (total & 0xffff) + (total >> 16)
	packet[10:12] = struct.pack("!H", ~total & 0xffff)
	packet[header:header + 2] = struct.pack("!H", port)
	packet[header + 6:header + 8] = b"\0\0"
	return frame[:14] + bytes(packet)


def esp_frames(sock, spi, count):
	"""Frames of the client's association, as they go to the gateway."""
	found, deadline = [], time.monotonic() + 5
	while len(found) < count and time.monotonic() < deadline:
		try:
			frame, address = sock.recvfrom(2048)
		except TimeoutError:
			continue
		header = 14 + (frame[14] & 15) * 4
		if len(frame) > header + 16 and frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[header + 8:header + 12] == spi \
				and frame[30:34] == socket.inet_aton(bed.GATEWAY):
			found.append(frame)
	return found


def test_a_replayed_packet_from_elsewhere_moves_nothing(b):  # NAT-09, MOB-07
	before, mark = remote(b), b.server.mark()
	spi = bytes.fromhex(b.server.child("net")["spi-in"])
	with b.network.socket("internet", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
		sock.bind(("gateway", 0))
		sock.settimeout(0.2)
		b.ping("client", bed.HOST, b.vip, count=10)
		frames = esp_frames(sock, spi, 8)
		assert len(frames) >= 5, f"{len(frames)} frames seen"
		b.ping("client", bed.HOST, b.vip, count=3)
		drops = b.drops(b.gateway)
		for frame in frames:
			sock.send(udp_checksum_off(frame, "198.51.100.99", 4500))
			sock.send(udp_checksum_off(frame, "192.0.2.254", 1234))
	replays = lambda: sum(count - drops.get(reason, 0) for reason, count in b.drops(b.gateway).items() if "replay" in reason)  # noqa: E731
	net.wait_for(lambda: replays() >= 2 * len(frames), "the replays to be dropped", 5, 0.05)
	assert remote(b) == before
	assert not b.server.said("NAT mappings of CHILD_SA", mark)
	b.ping("client", bed.HOST, b.vip)


class Roads(bed.Road):
	def __init__(self, *arguments, **settings):
		super().__init__(*arguments, **settings)
		n = self.network
		self.link6(("internet", "gateway", "2001:db8:2::fe/64"), ("internet", "access-a", "2001:db8:a::1/64"),
			("internet", "access-b", "2001:db8:b::1/64"))
		n.sysctl("internet", "net.ipv6.conf.all.forwarding", 1)
		for interface in ("pa", "pb"):
			n.sysctl("client", f"net.ipv6.conf.{interface}.disable_ipv6", 0)
			n.sysctl("client", f"net.ipv6.conf.{interface}.accept_ra", 0)

	def start(self):
		self.gateway.start()
		n = self.network
		n.sysctl("gateway", "net.ipv6.conf.hpext.disable_ipv6", 0)
		n.ip("gateway", f"-6 addr add {bed.GATEWAY6}/64 dev hpext nodad")
		n.ip("gateway", "-6 route add default via 2001:db8:2::fe dev hpext")
		self.server.start()
		self.client.start()


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=Roads)
