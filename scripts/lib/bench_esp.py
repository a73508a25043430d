"""ESP beside DPDK's ipsec-secgw: the same packets, the same keys, the same processor, the same kind of port (bench_esp_case).

1, 10,000 or 100,000 SAs of AES-128-GCM, one in UDP, one of other algorithms. ipsec-secgw gets the best of the modes that can do the case at all,
tried with the first size.
"""
import tempfile

import bench_capture as capture
import bench_esp_case as esp
import bench_peers as peers

# name: (type of its SAs, crypto device, arguments)
MODES = {
	"legacy, aesni_mb": ("no-offload", "crypto_aesni_mb0", []),
	"librte_ipsec, aesni_mb": ("no-offload", "crypto_aesni_mb0", ["-l"]),
	"librte_ipsec, aesni_gcm": ("no-offload", "crypto_aesni_gcm0", ["-l"]),
	"cpu-crypto": ("cpu-crypto", "crypto_aesni_gcm0", ["-l"]),
	"cpu-crypto, aesni_mb": ("cpu-crypto", "crypto_aesni_mb0", ["-l"]),
	"librte_ipsec, aesni_mb, in UDP": ("inline-crypto-offload", "crypto_aesni_mb0", ["-l"]),
	"librte_ipsec, aesni_gcm, in UDP": ("inline-crypto-offload", "crypto_aesni_gcm0", ["-l"]),
}


def modes_of(case):
	"""The modes to try. In UDP it only sends, from port 0: its parser takes udp-encap for SAs of a port's inline crypto, which without a
	port fall back to the crypto device; its legacy mode forgets the UDP header then, and what comes in behind one is dropped
	(docs/figures.md has the lines)."""
	if case.udp:
		return [mode for mode in MODES if mode.endswith("in UDP")] if case.direction == "out" else []
	if case.suite is esp.GCM:
		few = ("legacy, aesni_mb", "librte_ipsec, aesni_mb", "librte_ipsec, aesni_gcm", "cpu-crypto")
		many = ("legacy, aesni_mb", "librte_ipsec, aesni_gcm")  # the quickest two; a start with many SAs takes half a minute
		return list(few if case.entries < 10000 else many)
	legacy = [] if case.suite is esp.CHACHA else ["legacy, aesni_mb"]
	return [*legacy, "librte_ipsec, aesni_mb", "cpu-crypto, aesni_mb"]


def secgw_best(make, modes, seconds, hz):
	"""ipsec-secgw in that of the modes that takes the fewest cycles here; the others are ended."""
	best, said = None, []
	for mode in modes:
		try:
			worker = make(mode)
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


def secgw(folder, directory, case, mode, context):
	kind, device, words = MODES[mode]
	return peers.Secgw(folder, context.huge, case.packets(), directory, case.direction, f"{folder}/secgw-{kind}.cfg", (device, words))


def one(ours, folder, directory, case, size, modes, context):
	packets, huge = case.packets(), context.huge
	capture.write(f"{folder}/in.pcap", esp.frames(case, size))
	workers, chosen = [], None
	try:
		if not modes:
			print("  ipsec-secgw: not beside, it cannot open ESP in UDP (docs/figures.md)", flush=True)
		elif directory:
			best = secgw_best(lambda mode: secgw(folder, directory, case, mode, context), modes, min(context.run_s, 0.5), context.hz)
			if best:
				workers.append(best)
				chosen = best.mode
			elif not context.smoke:
				context.fail(f"{case.text(size)}: ipsec-secgw in none of its modes")
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
	return {"figure": case.text(size), "direction": case.direction, "suite": case.suite.name, "size": size, "entries": case.entries, "udp": case.udp,
		**peers.figure(values, context), "secgw_mode": chosen, "_kind": ("port", packets)}


def measure(context, case, sizes):
	"""The rows of some sizes; one start of control for them all."""
	directory = peers.examples(context.smoke)
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		ours = None
		try:
			ours = esp.homeport(folder, context, case)
			modes = modes_of(case)
			for kind in {MODES[mode][0] for mode in modes}:
				with open(f"{folder}/secgw-{kind}.cfg", "w") as file:
					file.writelines(esp.secgw_lines(case, kind))
			for size in sizes:
				try:
					row = one(ours, folder, directory, case, size, modes, context)
				except peers.Failure as error:
					context.fail(f"{case.text(size)}: {error}")
					continue
				modes = [row["secgw_mode"]] if row["secgw_mode"] else modes  # the quickest at one size is it at the next
				again = [size]
				yield {**row, "_again": (case.text(size), 120, lambda context, again=again: measure(context, case, again))}
		except (peers.Failure, OSError, ImportError) as error:
			context.fail(f"{case.text()}: {error}")
		finally:
			if ours:
				ours.close()


def cases(context, sizes_of):
	"""Each of the cases, out and in."""
	if not peers.possible():
		if not context.smoke:
			context.fail("port to port: no dpdk-testpmd")
		return
	for (entries, udp, suite), sizes in sizes_of.items():
		for direction in ("out", "in"):
			yield from measure(context, esp.Case(direction, entries, udp, suite), sizes)


def part(context):
	"""AES-128-GCM with few and many SAs, and in UDP."""
	one, many, most, udp = (1, False, esp.GCM), (10000, False, esp.GCM), (100000, False, esp.GCM), (1, True, esp.GCM)
	yield from cases(context, context.pick({one: (64, 1400), many: (64,), most: (64, 1400), udp: (64, 1400)}, {one: (64, 1400), most: (64, 1400)},
		{one: (64,), (100, False, esp.GCM): (64,), udp: (64,)}))


def suites(context):
	"""The other algorithms that both have: a cipher and a hash apart, and ChaCha20."""
	sha1, sha256, chacha = ((1, False, suite) for suite in (esp.CBC_SHA1, esp.CBC_SHA256, esp.CHACHA))
	yield from cases(context, context.pick({sha1: (64, 1400), sha256: (64,), chacha: (64,)}, {sha1: (64,)}, {sha1: (64,)}))
