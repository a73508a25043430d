"""homeport-pktgen against the real gateway: both daemons, memif between, the generator on the first processor, the worker on the last.

`nodes`: 10,000, 100,000 and 1,000,000 mobile nodes register, move and storm while their traffic runs; every reply and every packet is
verified by the generator, and the gateway's counters must say the same.
"""
import json
import os
import subprocess
import tempfile
import time

import bench_gateway as gateway
import bench_peers as peers

ENDS = {"outside": ("192.0.2.254", "192.0.2.1", "02:00:00:00:00:01", "02:00:00:00:01:01"),
	"inside": ("172.31.255.254", "172.31.255.1", "02:00:00:00:00:02", "02:00:00:00:01:02")}
CORRESPONDENT = "172.16.0.1"
RING = 13  # two to this power are the descriptors of a memif: where the generator shares its processor with control, packets wait
QUEUE = 1 << RING


# ---- a profile


def text(value):
	if isinstance(value, bool):
		return "true" if value else "false"
	if isinstance(value, dict):
		return "{ " + " ".join(f"{name} = {text(part)};" for name, part in value.items()) + " }"
	if isinstance(value, (list, tuple)):
		opened, closed = "()" if value and isinstance(value[0], dict) else "[]"
		return opened + ", ".join(map(text, value)) + closed
	return f'"{value}"' if isinstance(value, str) else str(value)


def profile(groups, traffic, **more):
	ports = [{"name": name, "address": ours, "gateway": theirs, "mac": mac, "gateway_mac": gateway_mac}
		for name, (ours, theirs, mac, gateway_mac) in ENDS.items()]
	whole = {"seed": 4, "queue_size": QUEUE, "buffers": 65536, "settle_ms": 2000, "ports": ports, "groups": groups, "traffic": traffic, **more}
	return "\n".join(f"{name} = {text(value)};" for name, value in whole.items()) + "\n"


def group(name, encapsulation, nodes, node, care_of=None, **more):
	outer = {} if encapsulation == "plain" else {"care_of": care_of, "agent": ENDS["outside"][1]}
	return {"name": name, "encapsulation": encapsulation, "access": "outside", "core": "inside", "nodes": nodes, "correspondents": min(nodes, 256),
		"node": node, "correspondent": CORRESPONDENT, **outer, **more}


# ---- the programs


def ahead(pid):
	"""Before whatever else the machine does, where we may: this is about programs, not about who gets a processor."""
	try:
		for thread in os.listdir(f"/proc/{pid}/task"):
			os.setpriority(os.PRIO_PROCESS, int(thread), -19)
	except OSError:
		pass


def homeport(folder, context, generator, settings="", instance="", ready=None):
	"""Both daemons with the tables that the generator wrote for them."""
	ports = [f'{{ name = "{name}"; device = "net_memif{n},role=server,id={n},socket={folder}/m.sock,socket-abstract=no,rsize={RING}"; mac = "{end[3]}"; '
		f'zone = "{"internal" if n else "external"}"; queue_size = {QUEUE}; }}' for n, (name, end) in enumerate(ENDS.items())]
	return gateway.Homeport(folder, context.build, context.huge, ports, "", settings=settings, tables=generator.gateway_part(), ready=ready,
		instance=instance)


class Generator:
	"""One run of homeport-pktgen: its report, and what the process took."""

	def __init__(self, folder, context, groups, traffic, **more):
		self.folder, self.huge = folder, context.huge
		self.alone = not more.get("sleep_us")  # polls, so it wants its processor for itself
		self.program = os.path.join(peers.ROOT, context.build, "pktgen/generator/homeport-pktgen")
		self.path = f"{folder}/profile.conf"
		with open(self.path, "w") as file:
			file.write(profile(groups, traffic, **more))

	def gateway_part(self):
		result = subprocess.run([self.program, "--profile", self.path, "--gateway-config", f"{self.folder}/part.cfg"], stdin=subprocess.DEVNULL,
			stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
		if result.returncode:
			raise peers.Failure(f"homeport-pktgen: {result.stdout.strip()}")
		with open(f"{self.folder}/part.cfg") as file:
			yield from file

	def run(self, seconds=600, show=False):
		first, _ = peers.processors()
		memory = ["--in-memory"] if self.huge else ["--no-huge"]
		devices = [f"--vdev=net_memif{n},role=client,id={n},socket={self.folder}/m.sock,socket-abstract=no,rsize={RING}" for n in range(2)]
		with open(f"{self.folder}/pktgen.log", "w") as log:
			process = subprocess.Popen([self.program, f"-l{first}", "-m512", *memory, "--no-pci", "--no-telemetry", "--log-level=*:error",
				f"--file-prefix=hp-bench-pktgen-{os.getpid()}", *devices, "--", "--profile", self.path, "--report", f"{self.folder}/report.json"],
				stdin=subprocess.DEVNULL, stdout=log, stderr=log)
		if self.alone:
			ahead(process.pid)
		deadline, usage = time.monotonic() + seconds, None
		try:
			while usage is None:
				found, status, rusage = os.wait4(process.pid, os.WNOHANG)
				if found:
					usage, process.returncode = rusage, os.waitstatus_to_exitcode(status)
				elif time.monotonic() > deadline:
					raise peers.Failure(f"homeport-pktgen was not done after {seconds} s: {self.last_line()}")
				else:
					time.sleep(0.1)
		finally:
			if process.returncode is None:
				process.kill()
				process.wait()
		if process.returncode:
			raise peers.Failure(f"homeport-pktgen: status {process.returncode}: {self.last_line()}")
		with open(f"{self.folder}/report.json") as file:
			report = json.load(file)
		report["memory_mib"] = usage.ru_maxrss // 1024
		return report

	def last_line(self):
		with open(f"{self.folder}/pktgen.log", errors="replace") as file:
			return (file.read().strip().splitlines() or [""])[-1]


# ---- many nodes

SMALL = "max_security_associations = 64; max_policies = 64;"
FREE = ("node_rate = 0; nat_move_limit = 0; nat_max_lifetime_s = 36000; police_endpoint_rate = 10000000; police_endpoint_burst = 10000000; "
	"police_source_rate = 10000000;")
STORM_MS = 2000
IN_FLIGHT = 384  # of each of two groups: what control's punt ring (1,024) takes at once


def node_groups(count):
	"""Half of the nodes with a tunnel of their own, half behind NATs, a hundred to each."""
	registration = {"rate": 0, "in_flight": IN_FLIGHT, "timeout_ms": 600000, "moves": 500, "storm_ms": STORM_MS, "storm_rate": 0}
	return [group("open", "ipip", count // 2, "10.16.0.0", "100.64.0.0", registration=registration),
		group("nat", "mip-udp", count // 2, "10.32.0.0", "203.0.0.0", care_of_count=max(count // 200, 1), registration=registration)]


def node_check(report, ours, count):
	"""What must be right whatever the speed; a sentence when it is not."""
	trial, r = report["trials"][0], report["registrations"]
	wrong = {name: r[name] for name in ("denied", "bad_address", "bad_authenticator", "bad_tunnel", "malformed", "expired") if r[name]}
	bindings = (ours.ask("show status") or {}).get("bindings")
	if wrong or trial["faults"]["sum"] or trial["duplicates"]:
		return f"wrong replies {wrong}, faults {trial['faults']}"
	if r["registered"] != count or bindings != count:
		return f"{r['registered']} nodes registered, {bindings} bindings, not {count}"
	return None


def node_rows(report, memory, started, count):
	trial, r = report["trials"][0], report["registrations"]
	latency = {name: round(r["latency_ns"][name] / 1e6, 2) for name in ("p50", "p99", "p99_9")}
	common = {"entries": count, "runs": 1, "unit": "1/s"}
	rows = [{"figure": f"{count} nodes register, every reply verified", "value": round(count / r["seconds"]), "seconds": round(r["seconds"], 2),
			"latency_ms": latency, "requests": r["requests"], "retransmissions": r["retransmissions"], **common}]
	if r["storm_seconds"]:
		rows.append({"figure": f"{count} nodes storm under traffic", "value": round(count / r["storm_seconds"]),
			"seconds": round(r["storm_seconds"], 2), "moves": r["moves"], **common})
	rows.append({"figure": f"lost under storm and moves, {count} nodes", "value": trial["lost"], "entries": count, "unit": "packets", "runs": 1,
		"packets": trial["wanted"], "drops": report["drops"]})
	for name, value in {"homeport-pktgen": report["memory_mib"], **memory}.items():
		rows.append({"figure": f"memory of {name}, {count} nodes", "value": value, "entries": count, "unit": "MiB", "runs": 1})
	rows.append({"figure": f"generator opened, {count} nodes", "value": round(report["opening_seconds"], 3), "entries": count, "unit": "s", "runs": 1})
	rows.append({"figure": f"gateway started, {count} nodes", "value": round(started, 2), "entries": count, "unit": "s", "runs": 1})
	return rows


def nodes_one(context, count, seconds):
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		generator = Generator(folder, context, node_groups(count),
			{"sizes": [64], "order": "random", "rate": 20000, "duration_ms": int(seconds * 1000), "drain_ms": 1000}, sleep_us=20)
		start, ours = time.monotonic(), None
		try:
			ours = homeport(folder, context, generator, SMALL + f" max_bindings = {count * 5 // 4 + 64}; punt_rate = 10000000; punt_burst = 10000000;", FREE)
			ours.dataplane_start()
			started = time.monotonic() - start
			report = generator.run(seconds + 700)
			report["drops"] = {drop["reason"]: drop["packets"] for drop in ours.ask("show drops") or []}
			wrong = node_check(report, ours, count)
			if wrong:
				raise peers.Failure(wrong + ours.why())
			rows = node_rows(report, ours.memory_mib(), started, count)
		finally:
			if ours:
				ours.close()
	return rows


def nodes_million(context):
	yield from nodes(context, (1000000,), 8000)


def nodes(context, counts=(10000, 100000), rate=2000):
	for count in context.pick(counts, counts, (2000,)):
		try:
			# Long enough for the storm at the rate that the smaller number had.
			found = nodes_one(context, count, 4 if context.smoke else 5 + 1.5 * count / rate)
			rate = found[0]["value"]
			yield from found
		except (peers.Failure, OSError, ValueError) as error:
			context.fail(f"{count} nodes: {error}")


# ---- the rate without loss

GOALS = {"ndr": 0, "pdr": 5000}
PATHS = {  # name: (nodes, group)
	"forward": (1000, lambda n: group("forward", "plain", n, "20.0.0.1")),
	"IP-in-IP": (1000, lambda n: group("ipip", "ipip", n, "10.16.0.0", "100.64.0.0", registration={"rate": 0, "in_flight": IN_FLIGHT})),
	"MIP-UDP": (1000, lambda n: group("mip-udp", "mip-udp", n, "10.32.0.0", "203.0.0.0", care_of_count=n // 10,
		registration={"rate": 0, "in_flight": IN_FLIGHT})),
	"ESP, AES-128-GCM": (1000, lambda n: group("esp", "esp", n, "12.0.0.1", "198.51.0.0", security={"algorithm": "aes128gcm16"})),
}


def searching(context):
	trial_ms, sum_ms, width = (100, 200, 200000) if context.smoke else (1000, 21000, 5000) if context.long else (500, 3000, 20000)
	return {"search_min": 1000 if context.smoke else 20000, "search_max": 5000000, "progress_ms": 0, "settle_ms": 2000,
		"searches": [{"name": name, "loss_ppm": ppm, "trial_ms": trial_ms, "duration_sum_ms": sum_ms, "width_ppm": width} for name, ppm in GOALS.items()]}


def search_rows(name, size, report, drops, context):
	"""A row for each goal; a trial in which anything was wrong is no result."""
	wrong = sum(trial["faults"]["sum"] + trial["duplicates"] for trial in report["trials"])
	if wrong:
		raise peers.Failure(f"{wrong} frames were wrong")
	unsent = sum(trial["wanted"] - trial["sent"] for trial in report["trials"])
	lost = sum(trial["wanted"] - trial["received"] for trial in report["trials"])
	for found in report["searches"]:
		row = {"figure": f"{found['name'].upper()} {name}, {size} octets", "value": round((found["throughput_pps"] or 0) / 1e6, 3), "unit": "Mpps",
			"size": size, "entries": PATHS[name][0], "direction": "both", "udp": "UDP" in name, "suite": "aes-128-gcm" if "GCM" in name else None,
			"mpps": round((found["throughput_pps"] or 0) / 1e6, 3), "lower_pps": found["lower_pps"], "upper_pps": found["upper_pps"],
			"runs": found["trials"], "unsent_share_of_loss": round(unsent / lost, 3) if lost else None, "drops": drops}
		if found["lower_pps"] and found["upper_pps"]:
			row["spread"] = [round(found["lower_pps"] / 1e6, 3), round(found["upper_pps"] / 1e6, 3)]
		yield row


def ndr_one(context, name, size):
	nodes, make = PATHS[name]
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		generator, ours = Generator(folder, context, [make(nodes)], {"sizes": [size], "order": "random", "warm_up_ms": 500, "drain_ms": 100,
			"rate": 10000}, **searching(context)), None
		try:
			ours = homeport(folder, context, generator, "max_bindings = 4096; max_security_associations = 1024; max_policies = 2048; "
				"punt_rate = 10000000; punt_burst = 10000000;", FREE)
			ours.dataplane_start()
			ahead(ours.process.pid)
			report = generator.run(900)
			return list(search_rows(name, size, report, {drop["reason"]: drop["packets"] for drop in ours.ask("show drops") or []}, context))
		finally:
			if ours:
				ours.close()


def ndr(context):
	for name in ("forward", "ESP, AES-128-GCM") if context.smoke else PATHS:
		for size in (64, 1400) if context.long else (64,):
			try:
				yield from ndr_one(context, name, size)
			except (peers.Failure, OSError, ValueError) as error:
				context.fail(f"NDR {name}, {size} octets: {error}")


def ndr_long(context):
	context.long = not context.smoke
	yield from ndr(context)
	context.long = False
