"""IKE's way to Linux and back: an ordinary UDP server on 500 and 4500 in the gateway's namespace gets what is IKE and nothing of ESP,
which shares port 4500 with it. PUNT-01 .. PUNT-03, NAT-01, NAT-02, NAT-14."""
from keying_bed import *  # noqa: F403

MARKER = bytes(4)
SERVER = """
import selectors, socket, struct, sys
selector = selectors.DefaultSelector()
for family, host in ((socket.AF_INET, sys.argv[1]), (socket.AF_INET6, sys.argv[2])):
    for port in (500, 4500):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET:
            s.setsockopt(socket.IPPROTO_IP, 12, 1)
        s.bind((host, port))
        selector.register(s, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        data, extra, _, peer = key.fileobj.recvmsg(65536, 100)
        ttl = [struct.unpack("i", value)[0] for level, kind, value in extra if kind == 2]
        print("got", key.fileobj.getsockname()[1], peer[0], peer[1], ttl[0] if ttl else 0, len(data), data[:8].hex(), flush=True)
        if data[:9].endswith(b"K"):  # a NAT keepalive, as charon sends it
            key.fileobj.sendto(b"\\xff", peer)
        else:
            key.fileobj.sendto(data[:4] + b"answer" + data[4:], peer)
"""


def start_server(bed):
	bed.network.exec("gateway", "sysctl", "-qw", "net.ipv6.conf.hpext.disable_ipv6=0")
	bed.network.ip("gateway", f"addr add {AGENT6}/64 dev hpext nodad")
	bed.network.ip("gateway", f"route replace default via {ROUTER6} dev hpext")
	bed.network.ip("gateway", f"neigh replace {ROUTER6} lladdr {bed.outside.mac} dev hpext")
	bed.server = bed.network.start("gateway", "server", sys.executable, "-c", SERVER, AGENT, AGENT6)
	bed.server.expect("ready")


def datagram(port, data, source=PEER, sport=40500, ttl=61):
	ip = IPv6(src=source, dst=AGENT6, hlim=ttl) if ":" in source else IP(src=source, dst=AGENT, ttl=ttl)
	return ip / UDP(sport=sport, dport=port) / Raw(data)


def got(bed, data, port, source, sport, ttl=61):
	text = f"got {port} {source} {sport} {ttl if ':' not in source else 0} {len(data)} {data[:8].hex()}"
	net.wait_for(lambda: text in bed.server.output().splitlines(), f"the server to see: {text}", 3)


def answered(bed, data, port, source, sport):
	"""The server's answer, on its way out through the dataplane."""
	want = data[:4] + b"answer" + data[4:]

	def match(frame):
		octets = ip_octets(frame)
		return octets and UDP in frame and frame[UDP].dport == sport and bytes(frame[UDP].payload)[:len(want)] == want
	frame = bed.outside.expect(match, "the answer outside")
	assert frame[UDP].sport == port and frame.payload.dst == source, frame.summary()


def exchange(bed, port, data, source=PEER, sport=40500):
	bed.outside.send(datagram(port, data, source, sport))
	got(bed, data, port, source, sport)
	answered(bed, data, port, source, sport)


def test_ike_reaches_an_ordinary_server_without_any_association(bed):  # PUNT-01 PUNT-02
	start_server(bed)
	exchange(bed, 500, b"ike_sa_init, port 500")
	exchange(bed, 500, b"port 500 from 500", sport=500)
	exchange(bed, 4500, MARKER + b"behind a marker")
	exchange(bed, 500, b"over IPv6", source=PEER6)
	exchange(bed, 4500, MARKER + b"over IPv6", source=PEER6)


def test_esp_beside_it_stays_in_the_dataplane(bed):  # NAT-01 NAT-02 NAT-14
	nat = bed.nat = bed.tunnel("nat", encap=True, remote="203.0.113.7", remote_port=40001)
	lines = len(bed.server.output().splitlines())
	bed.inward(nat.sa, udp4(nat.sa.host, CORRESPONDENT, 200))
	bed.outward(nat.sa, udp4(CORRESPONDENT, nat.sa.host, 200))
	assert len(bed.server.output().splitlines()) == lines, "ESP reached Linux"
	exchange(bed, 4500, MARKER + b"with a tunnel", "203.0.113.7", 40001)  # the same four-tuple
	exchange(bed, 500, b"with a tunnel", "203.0.113.7", 40001)
	exchange(bed, 4500, MARKER + b"from elsewhere")
	exchange(bed, 4500, MARKER + b"over IPv6", source=PEER6)
	drops = bed.drops()
	bed.outside.send(datagram(500, struct.pack("!II", nat.sa.spi_in, 9) + bytes(60)))  # looks like ESP, and is on port 500: IKE
	got(bed, struct.pack("!II", nat.sa.spi_in, 9) + bytes(60), 500, PEER, 40500)
	bed.drops_only({}, drops, "ESP on port 500")


def test_keepalives(bed):  # NAT-01 NAT-13 PUNT-02
	drops = bed.drops()
	bed.outside.send(datagram(4500, b"\xff", "203.0.113.7", 40001))
	bed.drops_only({"ipsec_natt_keepalive": 1}, drops, "a peer's keepalive")
	bed.outside.send(datagram(4500, MARKER + b"mak K...", "203.0.113.7", 40001))
	bed.outside.expect(lambda f: UDP in f and f[UDP].dport == 40001 and bytes(f[UDP].payload)[:1] == b"\xff" and f[UDP].len == 9,
		"the server's own keepalive outside")
	drops = bed.drops()
	bed.outside.send(datagram(4500, b"\0\0\0", "203.0.113.7", 40001))
	bed.drops_only({"ipsec_natt_short": 1}, drops, "less than a marker")


def test_fragments_of_ike_arrive_whole(bed):  # PUNT-03
	# The af_packet device joins fragments itself and cuts what is longer than 1968 octets then.
	drops = bed.drops()
	for port, data in ((500, b"certificates " + bytes(range(256)) * 7), (4500, MARKER + b"certificates " + bytes(range(256)) * 6)):
		for order in (1, -1):
			packet = datagram(port, data)
			packet.id = 100 + port % 100 + order
			pieces = fragment(packet, 600)
			assert len(pieces) > 2
			for piece in pieces[::order]:
				bed.outside.send(piece)
			net.wait_for(lambda: bed.server.output().count(f" {len(data)} {data[:8].hex()}") == (1 if order == 1 else 2), "the whole message", 3)
	bed.drops_only({}, drops, "fragments")


def test_a_flood_of_esp_does_not_delay_ike(bed):  # PUNT-05 PUNT-06
	flow = Flow(bed, bed.nat.sa.host, 0.001, burst=4)
	net.wait_for(lambda: flow.sent > 200, "traffic", 5)
	times = []
	try:
		for n in range(20):
			data = MARKER + b"%04dping" % n
			start = time.monotonic()
			bed.outside.send(datagram(4500, data))
			got(bed, data, 4500, PEER, 40500)
			times.append(time.monotonic() - start)
	finally:
		flow.finish([bed.nat.sa], 1)
	times.sort()
	print(f"# IKE to the server under load: median {times[10] * 1000:.1f} ms, with the test's own polling")
	assert times[0] < 0.2, times  # a queue that the flood fills delays each of them; the machine's other work only some


def test_policies_do_not_touch_ike(bed):  # SPD-15 PUNT-02
	everything = bed.tunnel("all", remote="198.51.100.77", local_ts=["0.0.0.0/0"], remote_ts=["0.0.0.0/0"])
	exchange(bed, 500, b"with a policy for all")
	exchange(bed, 4500, MARKER + b"with a policy for all")
	everything.del_policies()
	everything.delete()


class IkeBed(KeyingBed):
	def second_reader(self):
		"""But for the answers: what the server says is not IKE."""
		self.outside.all = [f for f in self.outside.all if not (UDP in f and b"answer" in bytes(f[UDP].payload)[:10]) and not (IP in f and f[IP].frag)]
		super().second_reader()


main(globals(), bed_class=IkeBed)  # noqa: F405
