"""How long operators' lists take: homeportctl beside a homeport-control that holds many bindings, and what control spends on them."""
import os
import statistics
import subprocess
import tempfile
import time

import bench_gateway as gateway
import bench_peers as peers
import bench_ports as ports

DUMPS = (("show bindings", ["show", "bindings"]), ("show bindings, JSON", ["-j", "show", "bindings"]), ("show bindings count", ["show", "bindings", "count"]))


def control_seconds(ours):
	with open(f"/proc/{ours.control.pid}/stat") as file:
		fields = file.read().rsplit(")", 1)[1].split()
	return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait(ours, count, seconds=180):
	deadline = time.monotonic() + seconds
	while time.monotonic() < deadline:
		status = ours.ask("show status") or {}
		if status.get("bindings") == count:
			return
		if ours.control.poll() is not None:
			raise peers.Failure(f"homeport-control ended with status {ours.control.returncode}{ours.why()}")
		time.sleep(0.2)
	raise peers.Failure(f"control did not hold {count} bindings after {seconds} s{ours.why()}")


def part(context):
	count, ours = 2000 if context.smoke else 1000000, None
	with tempfile.TemporaryDirectory(prefix="hp-bench-") as folder:
		try:
			ours = gateway.Homeport(folder, context.build, False, ['{ name = "port"; device = "net_null0"; }'], "",
				settings=f"max_bindings = {count};", tables=ports.bindings_lines(count))
			wait(ours, count)
			for name, words in DUMPS:
				walls, processor = [], []
				for _ in range(context.runs):
					before, start = control_seconds(ours), time.monotonic()
					result = subprocess.run([os.path.join(ours.build, "control/ctl/homeportctl"), "-s", f"{folder}/control.sock", *words],
						stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
					walls.append(time.monotonic() - start)
					processor.append(control_seconds(ours) - before)
					if result.returncode or "count" not in words and result.stdout.count(b"\n") < count:
						raise peers.Failure(f"homeportctl {' '.join(words)}: status {result.returncode}, {result.stdout.count(10)} lines")
				yield {"figure": f"{name}, {count} bindings", "entries": count, "value": round(statistics.median(walls), 3), "unit": "s",
					"runs": len(walls), "spread": [round(min(walls), 3), round(max(walls), 3)], "control_s": round(statistics.median(processor), 3)}
		except (peers.Failure, OSError) as error:
			context.fail(f"dumps: {error}")
		finally:
			if ours:
				ours.close()
