"""Port to port: both daemons, one worker, beside testpmd and DPDK's l3fwd on the same packets over the same kind of port.

The port replays a file of packets to or from random ones of the bindings or destinations (net_pcap, infinite_rx, which copies each
packet into a fresh mbuf) and frees what is sent back to it. homeport-control holds the tables and tells them to each dataplane anew.
How cycles are counted: bench_peers. testpmd swaps addresses, l3fwd looks the destination up in a table of a few prefixes: neither
does what is measured here, they say what a packet costs at least.
"""
import random
import socket
import struct
import tempfile

import bench_capture as capture
import bench_gateway as gateway
import bench_peers as peers

PACKETS = 16384  # at least in a file: more than the caches hold
AGENT, PEER = (192, 0, 2, 1), (203, 0, 113, 5)
NAMES = {"forward": "IPv4 forwarding", "forward6": "IPv6 forwarding", "out": "IP-in-IP encapsulation", "in": "IP-in-IP decapsulation"}
RULES = {"v4": ["10.0.0.0/8", "20.0.0.0/8", "192.0.0.0/8", "203.0.0.0/8"], "v6": ["2001:db8:0:0:0:0:0:0/32", "2001:db9:0:0:0:0:0:0/32"]}
ROUTES = """
routes = ( {{ prefix = "0.0.0.0/0"; via = "192.0.2.254"; port = "port"; }}, {{ prefix = "::/0"; via = "2001:db8:ff::2"; port = "port"; }}{more} );
neighbors = ( {{ address = "192.0.2.254"; port = "port"; mac = "02:00:00:00:00:09"; }},
  {{ address = "2001:db8:ff::2"; port = "port"; mac = "02:00:00:00:00:09"; }} );
"""


# ---- packets


def home(n):
	return (10 << 24 | n * 2654435761 & 0xffffff).to_bytes(4, "big")


def care_of(n):
	return ((11 << 24) + n).to_bytes(4, "big")


def destination(n):
	return ((20 << 24) + n).to_bytes(4, "big")


def destination6(n):
	return socket.inet_pton(socket.AF_INET6, "2001:db9::")[:4] + n.to_bytes(4, "big") + bytes(7) + b"\1"


def ipv4(source, to, protocol, payload):
	header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, bytes(source), bytes(to))
	return header[:10] + struct.pack("!H", capture.checksum(header)) + header[12:] + payload


def ipv6(source, to, payload):
	return struct.pack("!IHBB16s16s", 6 << 28, len(payload), 17, 64, source, to) + payload


def udp(room):
	return struct.pack("!HHHH", 9, 9, 8 + room, 0) + bytes(room)


def frame(direction, n, size):
	"""A frame of `size` octets, FCS not among them, for binding or destination n."""
	if direction == "forward6":
		packet = ipv6(socket.inet_pton(socket.AF_INET6, "2001:db8::5"), destination6(n), udp(size - 14 - 48))
		return bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd]) + packet
	if direction == "in":
		packet = ipv4(care_of(n), AGENT, 4, ipv4(home(n), PEER, 17, udp(size - 14 - 48)))
	else:
		packet = ipv4(PEER, home(n) if direction == "out" else destination(n), 17, udp(size - 14 - 28))
	return bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0]) + packet


def least(direction, size):
	return max(size, {"in": 66, "forward6": 66}.get(direction, 64))


def packet_count(entries):
	return min(max(PACKETS, entries), 131072)


# ---- the gateway


def bindings_lines(count):
	yield "bindings = (\n"
	for n in range(count):
		yield (f'{{home_address="{socket.inet_ntoa(home(n))}";care_of_address="{socket.inet_ntoa(care_of(n))}";}}' + (",\n" if n + 1 < count else "\n"))
	yield ");\n"


def routes(count):
	"""A host route for each destination, beside the default ones."""
	if count == 1:
		return ""
	lines = []
	for n in range(count):
		lines.append(f', {{ prefix = "{socket.inet_ntoa(destination(n))}/32"; via = "192.0.2.254"; port = "port"; }}')
		lines.append(f', {{ prefix = "{socket.inet_ntop(socket.AF_INET6, destination6(n))}/128"; via = "2001:db8:ff::2"; port = "port"; }}')
	return "".join(lines)


def homeport(folder, context, bindings, destinations):
	packets = packet_count(max(bindings, destinations))
	return gateway.Homeport(folder, context.build, context.huge,
		[f'{{ name = "port"; device = "net_pcap0,rx_pcap={folder}/in.pcap,infinite_rx=1"; mac = "02:00:00:00:00:01"; }}'],
		ROUTES.format(more=routes(destinations)), settings=f"max_bindings = {max(bindings, 16)}; max_routes = {2 * destinations + 64};",
		tables=bindings_lines(bindings) if bindings else (), buffers=packets + 16384, memory=256 + (packets + 16384) * 5 // 2048,
		ready=lambda status: status.get("bindings") == bindings)


# ---- figures


def one(ours, folder, directory, direction, entries, size, context):
	size, huge, packets = least(direction, size), context.huge, packet_count(entries)
	generator = random.Random(7)
	capture.write(f"{folder}/in.pcap", (frame(direction, generator.randrange(entries), size - 4) for _ in range(packets)))
	workers = []
	try:
		workers.append(peers.Testpmd(folder, huge, packets, loop=True))
		workers[-1].turn_end()
		if directory:
			workers.append(peers.L3fwd(folder, huge, packets, directory, RULES))
			workers[-1].turn_end()
		ours.dataplane_start()
		workers.append(ours)
		before = ours.workers()
		values = peers.alternate(workers, context.runs, context.run_s, context.hz)
		after = ours.workers()
	finally:
		for worker in workers:
			if worker is not ours:
				worker.close()
		ours.dataplane_stop()
	counter = {"out": "encapsulated", "in": "decapsulated"}.get(direction, "sent_port")
	done, received = (after[name] - before[name] for name in (counter, "received_port"))
	if done < (0.5 if context.smoke else 0.98) * received:
		raise peers.Failure(f"of {received} packets {done} were {counter}")
	what = "destination" if direction.startswith("forward") else "binding"
	return {"figure": f"{NAMES[direction]}, {entries} {what}{'s' if entries > 1 else ''}, {size} octets, port to port", "direction": direction[:7],
		"size": size, "entries": entries, "udp": False, **peers.figure(values, context), "_kind": ("port", packets)}


def case(context, entries, pairs):
	"""The rows of some (direction, size) with as many bindings or destinations; one start of control for them all."""
	directory = peers.examples(context.smoke)
	tunnels = pairs[0][0] in ("out", "in")
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		ours = None
		try:
			ours = homeport(folder, context, entries if tunnels else 0, 0 if tunnels else entries)
			for direction, size in pairs:
				what = f"{NAMES[direction]}, {entries} entries, {size} octets, port to port"
				try:
					row = one(ours, folder, directory, direction, entries, size, context)
				except peers.Failure as error:
					context.fail(f"{what}: {error}")
					continue
				again = [(direction, size)]
				yield {**row, "_again": (what, 90, lambda context, again=again: case(context, entries, again))}
		except (peers.Failure, OSError, ImportError) as error:
			context.fail(f"port to port, {entries} entries: {error}")
		finally:
			if ours:
				ours.close()


def measure(context, directions, cases):
	if not peers.possible():
		if not context.smoke:
			context.fail("port to port: no dpdk-testpmd")
		return
	for entries, sizes in cases.items():
		yield from case(context, entries, [(direction, size) for size in sizes for direction in directions])


def tunnels(context):
	"""IP-in-IP both ways."""
	yield from measure(context, ("out", "in"), context.pick({1: (64,), 10000: (64,), 1000000: (64,)}, {1: (64,), 1000000: (64,)}, {100: (64,)}))


def forwarding(context):
	"""Plain IPv4 and IPv6."""
	yield from measure(context, ("forward", "forward6"), context.pick({1: (64,), 100000: (64,)}, {1: (64,), 100000: (64,)}, {1: (64,), 100: (64,)}))
