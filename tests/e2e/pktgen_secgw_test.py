"""homeport-pktgen against another gateway than ours that speaks ESP: DPDK's ipsec-secgw over memif.

Its configuration is made from the one that the generator writes for homeport (scripts/lib/secgw_config.py). Skipped where ipsec-secgw is not
built: scripts/lib/dpdk-examples builds it.

    out [memif0, ESP] ── ipsec-secgw ── in [memif1, clear]
"""
from pktgen_bed import *  # noqa: F403

import secgw_config

MACS = {"out": "02:00:00:00:00:01", "in": "02:00:00:00:00:02"}
PORTS = {name: (number, mac) for number, (name, mac) in enumerate(MACS.items())}
DIRECTORY = subprocess.run([os.path.join(programs.ROOT, "scripts/lib/dpdk-examples"), "--cached"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
	text=True).stdout.strip()


class SecgwBed(PktgenBed):
	secgw = None

	def device(self, index, role):
		return f"--vdev=net_memif{index},role={role},id={index},socket={self.path(f'memif-{self.runs}.sock')},socket-abstract=no"

	def begin(self, text, change=lambda lines: lines):
		"""ipsec-secgw as the peer of this profile."""
		self.runs += 1
		self.devices = [self.device(0, "client"), self.device(1, "client")]
		lines = change(list(secgw_config.lines(self.offline(text, "--gateway-config", "-").stdout, PORTS)))
		config, log = self.path("secgw.cfg"), self.path(f"secgw-{self.runs}.log")
		with open(config, "w") as file:
			file.write("\n".join(lines) + "\n")
		self.secgw = net.Process("ipsec-secgw", ["stdbuf", "-oL", f"{DIRECTORY}/ipsec-secgw", "--lcores", net.lcores(1), "--no-huge", "-m", "512", "--no-pci", "--no-telemetry",
			f"--file-prefix={self.network.prefix}-secgw", self.device(0, "server"), self.device(1, "server"), "--vdev=crypto_aesni_mb0", "--", "-p", "3", "-u", "1",
			"-P", "-l", "-w", "1024", "-s", "8192", "--txoffload", "0", "--config=(0,0,0),(1,0,0)", "-f", config], log)
		self.network.processes.append(self.secgw)
		self.secgw.expect("Checking link status", 30)

	def end(self):
		self.secgw.stop()


def profile(groups, packets):
	ends = {"out": "198.18.0", "in": "198.19.0"}
	ports = ", ".join(f'{{ name = "{n}"; address = "{ends[n]}.2"; gateway = "{ends[n]}.1"; mac = "{mac}"; gateway_mac = "02:00:00:00:01:01"; }}'
		for n, mac in MACS.items())
	return (f'seed = 3; progress_ms = 0; sleep_us = 50; buffers = 8192;\nports = ( {ports} );\ngroups = ( {", ".join(groups)} );\n'
		f'traffic = {{ rate = 1000; packets = {packets}; duration_ms = 60000; warm_up_ms = 500; drain_ms = 1500; sizes = [64, 300, 1400]; }};\n')


def group(name, index):
	return profile_group(name, access="out", core="in", nodes=5, correspondents=3, encapsulation="esp", node=f"10.20.{index}.1", correspondent="10.1.0.5",
		agent="192.0.2.1", care_of=f"198.51.{index}.1", security=dict(algorithm=name, esn=False, spi_up=0x1000 + 256 * index, spi_down=0x8000 + 256 * index))


def test_esp_both_ways(bed):
	"""It decrypts what we send, we verify what it sends: AEAD and CBC."""
	text = profile([group("aes128gcm16", 1), group("aes256gcm16", 2), group("aes128-sha1", 3), group("aes256-sha256", 4)], 1200)
	bed.begin(text)
	report = bed.run(text, bed.devices)
	bed.perfect(report, 1200)
	for row in report["trials"][0]["groups"]:
		assert row["up"]["received"] == row["down"]["received"] == 150, row
	bed.end()


def test_a_wrong_key_is_found_out(bed):
	text = profile([group("aes128gcm16", 1)], 400)

	def wrong(lines):
		found = [i for i, line in enumerate(lines) if line.startswith("sa out ")]
		spi = lines[found[0]].split()[2]
		lines[found[0]] = lines[found[1]].replace(lines[found[1]].split()[2], spi, 1)
		return lines
	bed.begin(text, wrong)
	report = bed.run(text, bed.devices, status=1)
	trial, row = report["trials"][0], report["trials"][0]["groups"][0]
	assert row["up"]["received"] == 200, row
	assert row["down"]["received"] == 160 and trial["faults"]["icv"] == trial["faults"]["sum"] == 40, trial["faults"]
	assert [(flow["node"], flow["direction"], flow["received"]) for flow in trial["flows"]["worst"]] == [(0, "down", 0)], trial["flows"]
	bed.end()


if not DIRECTORY:
	print("1..0 # SKIP ipsec-secgw is not built: scripts/lib/dpdk-examples")
	sys.exit(0)
main(dict(globals()), bed_class=SecgwBed)
