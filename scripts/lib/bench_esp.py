"""ESP beside DPDK's ipsec-secgw: the same packets, the same keys, the same processor, the same kind of port.

Tunnel mode, AES-128-GCM, sizes of the packet in clear; a pair of SAs and a policy of its own for each of 1, 1,000, 10,000 or 100,000 peers, packets in random order.
Both programs replay the same file. A replayed file brings the same sequence numbers again, so both run without a replay window when
they decrypt. ipsec-secgw gets the best of its modes
for the case (MODES), tried with the first size.
"""
import random
import socket
import struct
import tempfile

import bench_capture as capture
import bench_gateway as gateway
import bench_peers as peers
import bench_ports as ports

SPI_OUT, SPI_IN = 0x1000000, 0x2000000
INSIDE, AGENT = (172, 16, 0, 5), (192, 0, 2, 1)
# name: (type of its SAs, (crypto device, arguments))
MODES = {
	"legacy, aesni_mb": ("no-offload", ("crypto_aesni_mb0", [])),
	"librte_ipsec, aesni_mb": ("no-offload", ("crypto_aesni_mb0", ["-l"])),
	"librte_ipsec, aesni_gcm": ("no-offload", ("crypto_aesni_gcm0", ["-l"])),
	"cpu-crypto": ("cpu-crypto", ("crypto_aesni_gcm0", ["-l"])),
}
MODES_MANY = ("legacy, aesni_mb", "librte_ipsec, aesni_gcm")  # the quickest two with many SAs
HOMEPORT_TABLES = """
routes = ( {{ prefix = "0.0.0.0/0"; via = "192.0.2.254"; port = "{outside}"; }}, {{ prefix = "172.16.0.0/12"; via = "172.16.0.1"; port = "{inside}"; }} );
neighbors = ( {{ address = "192.0.2.254"; port = "{outside}"; mac = "02:00:00:00:00:09"; }},
  {{ address = "172.16.0.1"; port = "{inside}"; mac = "02:00:00:00:00:08"; }} );
"""


def home(n):
	return (12 << 24) + n


def outer(n):
	return (11 << 24) + n


def address(value):
	return socket.inet_ntoa(value.to_bytes(4, "big"))


def keys(n):
	"""Key and salt of what comes in and of what goes out."""
	octets = random.Random(n).randbytes(40)
	return octets[:20], octets[20:]


# ---- packets


def clear(source, destination, size):
	return ports.ipv4(source, destination, 17, struct.pack("!HHHH", 9, 9, size - 20, 0) + bytes(size - 28))


def sealed(n, number, size, udp):
	"""As peer n sends it: AES-128-GCM, IV of the number."""
	from cryptography.hazmat.primitives.ciphers.aead import AESGCM
	key = keys(n)[0]
	text = clear(home(n).to_bytes(4, "big"), INSIDE, size)
	padding = -(len(text) + 2) % 4
	text += bytes(range(1, padding + 1)) + bytes([padding, 4])
	header = struct.pack("!II", SPI_IN + n, number)
	iv = struct.pack("!Q", number)
	esp = header + iv + AESGCM(key[:16]).encrypt(key[16:] + iv, text, header)
	if udp:
		esp = struct.pack("!HHHH", 4500, 4500, 8 + len(esp), 0) + esp
	return ports.ipv4(outer(n).to_bytes(4, "big"), AGENT, 17 if udp else 50, esp)


def frames(direction, entries, size, udp):
	generator = random.Random(7)
	ethernet = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0])
	for number in range(packet_count(entries)):
		n = generator.randrange(entries)
		yield ethernet + (clear(INSIDE, home(n).to_bytes(4, "big"), size) if direction == "out" else sealed(n, number + 1, size, udp))


def packet_count(entries):
	"""As many as there are SAs, so that each is met; a few with one SA, so that it is the hot case."""
	return 1024 if entries == 1 else max(16384, entries)


# ---- configurations


def homeport_lines(entries, udp):
	yield "security_associations = (\n"
	encap = " encap = true;" if udp else ""
	for n in range(entries):
		key_in, key_out = keys(n)
		yield (f'{{name="s{n}";local="192.0.2.1";remote="{address(outer(n))}";spi_in={SPI_IN + n};spi_out={SPI_OUT + n};algorithm="aes128gcm16";'
			f'unsafe_static_keys=true;replay_window=0;key_in="{key_in.hex()}";key_out="{key_out.hex()}";{encap}'
			f'local_ts=["172.16.0.0/12"];remote_ts=["{address(home(n))}"];}}' + (",\n" if n + 1 < entries else "\n"))
	yield ");\npolicies = (\n"
	for n in range(entries):
		yield (f'{{name="s{n}";order=100;action="protect";security_association="s{n}";local_ts=["172.16.0.0/12"];'
			f'remote_ts=["{address(home(n))}"];}}' + (",\n" if n + 1 < entries else "\n"))
	yield ");\n"


def secgw_lines(entries, udp, kind):
	text = lambda key: ":".join(f"{octet:02x}" for octet in key)  # noqa: E731
	encap = " udp-encap" if udp else ""
	for n in range(entries):
		key_in, key_out = keys(n)
		inner, far = address(home(n)), address(outer(n))
		yield f"sp ipv4 out esp protect {SPI_OUT + n} pri 1 dst {inner}/32 sport 0:65535 dport 0:65535\n"
		yield f"sp ipv4 in esp protect {SPI_IN + n} pri 1 src {inner}/32 sport 0:65535 dport 0:65535\n"
		yield f"sa out {SPI_OUT + n} aead_algo aes-128-gcm aead_key {text(key_out)} mode ipv4-tunnel src 192.0.2.1 dst {far}{encap} type {kind}\n"
		yield f"sa in {SPI_IN + n} aead_algo aes-128-gcm aead_key {text(key_in)} mode ipv4-tunnel src {far} dst 192.0.2.1{encap} type {kind}\n"
	yield "rt ipv4 dst 11.0.0.0/8 port 1\nrt ipv4 dst 172.16.0.0/12 port 1\nneigh port 0 02:00:00:00:00:08\nneigh port 1 02:00:00:00:00:09\n"


def homeport(folder, build, huge, direction, entries, udp):
	source, sink = ("inside", "outside") if direction == "out" else ("outside", "inside")
	zone = lambda name: "internal" if name == "inside" else "external"  # noqa: E731
	slots = 64
	while slots < entries:
		slots *= 2
	return gateway.Homeport(folder, build, huge,
		[f'{{ name = "{source}"; device = "net_pcap0,rx_pcap={folder}/in.pcap,infinite_rx=1"; mac = "02:00:00:00:00:01"; zone = "{zone(source)}"; }}',
			f'{{ name = "{sink}"; device = "net_null0,no-rx=1"; mac = "02:00:00:00:00:02"; zone = "{zone(sink)}"; }}'],
		HOMEPORT_TABLES.format(inside="inside", outside="outside"),
		settings=f"max_security_associations = {slots}; max_policies = {2 * entries + 64}; max_replay_window = 0;",
		tables=homeport_lines(entries, udp), buffers=packet_count(entries) + 16384, memory=256 + (packet_count(entries) + 16384) * 5 // 2048,
		ready=lambda status: status.get("security_associations", entries) >= entries)


# ---- figures


def secgw_best(make, modes, seconds, hz):
	"""ipsec-secgw in that of the modes that takes the fewest cycles here; the others are ended."""
	best, said = None, []
	for mode in modes:
		kind, words = MODES[mode]
		try:
			worker = make(kind, words)
		except peers.Failure as error:
			said.append(f"{mode}: {error}")
			continue
		try:
			worker.measure(seconds, hz)  # the first packets of each SA make its session
			worker.cycles, worker.mode = worker.measure(seconds, hz), mode
			worker.turn_end()
			said.append(f"{mode} {worker.cycles:.0f}")
		except peers.Failure as error:
			said.append(f"{mode}: {error}")
			worker.close()
			continue
		if best is None or worker.cycles < best.cycles:
			best, worker = worker, best
		if worker:
			worker.close()
	print("  ipsec-secgw: " + ", ".join(said), flush=True)
	return best


def what(direction, entries, size, udp):
	return f"ESP {direction}{' in UDP' if udp else ''}, AES-128-GCM, {size} octets, {entries} SA{'s' if entries > 1 else ''}, port to port"


def one(ours, folder, directory, direction, entries, size, udp, modes, context):
	packets, huge = packet_count(entries), context.huge
	capture.write(f"{folder}/in.pcap", frames(direction, entries, size, udp))
	workers, mode = [], None
	try:
		if directory:
			secgw = secgw_best(lambda kind, words: peers.Secgw(folder, huge, packets, directory, direction, f"{folder}/secgw-{kind}.cfg", words),
				modes, min(context.run_s, 0.5), context.hz)
			if secgw:
				workers.append(secgw)
				mode = secgw.mode
			elif not context.smoke:
				context.fail(f"{what(direction, entries, size, udp)}: ipsec-secgw in none of its modes")
		workers.append(peers.Testpmd(folder, huge, packets))
		workers[-1].share = 0.25  # it is the source's cost here, no rival
		workers[-1].turn_end()
		ours.dataplane_start()
		workers.append(ours)
		values = peers.alternate(workers, context.runs, context.run_s, context.hz)
	finally:
		for worker in workers:
			if worker is not ours:
				worker.close()
		ours.dataplane_stop()
	return {"figure": what(direction, entries, size, udp), "direction": direction, "suite": "aes-128-gcm", "size": size, "entries": entries, "udp": udp,
		**peers.figure(values, context), "secgw_mode": mode, "_kind": ("port", packets)}


def case(context, direction, entries, udp, sizes):
	"""The rows of some sizes; one start of control for them all."""
	directory = peers.examples(context.smoke)
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		ours = None
		try:
			ours = homeport(folder, context.build, context.huge, direction, entries, udp)
			for kind in {kind for kind, _ in MODES.values()}:
				with open(f"{folder}/secgw-{kind}.cfg", "w") as file:
					file.writelines(secgw_lines(entries, udp, kind))
			modes = list(MODES) if entries < 10000 else MODES_MANY  # a start with many SAs takes half a minute
			for size in sizes:
				name = what(direction, entries, size, udp)
				try:
					row = one(ours, folder, directory, direction, entries, size, udp, modes, context)
				except peers.Failure as error:
					context.fail(f"{name}: {error}")
					continue
				modes = [row["secgw_mode"]] if row["secgw_mode"] else modes  # the quickest at one size is it at the next
				again = [size]
				yield {**row, "_again": (name, 120, lambda context, again=again: case(context, direction, entries, udp, again))}
		except (peers.Failure, OSError, ImportError) as error:
			context.fail(f"ESP {direction}, {entries} SAs{' in UDP' if udp else ''}, port to port: {error}")
		finally:
			if ours:
				ours.close()


def part(context):
	if not peers.possible():
		if not context.smoke:
			context.fail("port to port: no dpdk-testpmd")
		return
	few = {1: (64,), 100: (64,)}
	some = {1: (64, 1400), 100000: (64, 1400)}
	for entries, sizes in context.pick({1: (64, 1400), 10000: (64,), 100000: (64, 1400)}, some, few).items():
		for direction in ("out", "in"):
			yield from case(context, direction, entries, False, sizes)
	if not context.smoke and not context.quick:
		for direction in ("out", "in"):
			yield from case(context, direction, 1, True, (64,))
