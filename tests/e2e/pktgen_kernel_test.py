"""homeport-pktgen against another gateway than ours: Linux forwards, IPv4 and IPv6. Nobody is configured: the generator asks for the
gateway's addresses by ARP and by neighbour solicitation, and answers for its own.

    left [10.1.0.2, 2001:db8:1::2] ── [kernel] ── [10.2.0.2, 2001:db8:2::2] right
"""
from pktgen_bed import *  # noqa: F403

ENDS = {"left": ("10.1.0", "2001:db8:1::", "10.3.0.0/16", "2001:db8:3::/48"), "right": ("10.2.0", "2001:db8:2::", "10.4.0.0/16", "2001:db8:4::/48")}


class KernelBed(PktgenBed):
	def __init__(self, build):
		super().__init__(build)
		n = self.network
		n.namespace("router", forward=True)
		n.namespace("tester")
		n.namespace("host", forward=True)
		n.sysctl("router", "net.ipv6.conf.all.forwarding", 1)
		for name, (v4, v6, far4, far6) in ENDS.items():
			n.link("tester", name, "router", f"to-{name}")
			n.dataplane_end("tester", name)
			n.sysctl("router", f"net.ipv6.conf.to-{name}.disable_ipv6", 0)
			n.ip("router", f"addr add {v4}.1/24 dev to-{name}")
			n.ip("router", f"addr add {v6}1/64 dev to-{name} nodad")
			n.ip("router", f"route add {far4} via {v4}.2")
			n.ip("router", f"-6 route add {far6} via {v6}2 dev to-{name}")


def profile(group, address, more=""):
	ports = ", ".join(f'{{ name = "{name}"; {address(v4, v6)} }}' for name, (v4, v6, _, _) in ENDS.items())
	return (f'progress_ms = 0; sleep_us = 50; ports = ( {ports} );\ngroups = ( {group} );\n'
		f'traffic = {{ rate = 2000; packets = 1000; duration_ms = 60000; drain_ms = 3000; sizes = [84, 300, 1400]; {more} }};\n')


DEVICES = ["--vdev=net_af_packet0,iface=left,framecnt=4096", "--vdev=net_af_packet1,iface=right,framecnt=4096"]


def neighbors(bed, version):
	return [line for line in bed.network.ip("router", f"-{version} neigh show nud reachable nud delay nud stale nud probe").splitlines() if "::2 " in line or ".0.2 " in line]


def test_arp(bed):
	text = profile(profile_group("four", access="left", core="right", nodes=20, correspondents=5, node="10.3.0.1", correspondent="10.4.0.1"),
		lambda v4, v6: f'address = "{v4}.2"; gateway = "{v4}.1";')
	bed.perfect(bed.run(text, DEVICES, where="tester"), 1000)
	assert len(neighbors(bed, 4)) == 2, neighbors(bed, 4)


def test_neighbor_discovery(bed):
	"""RFC 4861 7.2: solicitations both ways; the kernel would forward nothing without an answer, nor would the generator begin."""
	text = profile(profile_group("six", access="left", core="right", nodes=20, correspondents=5, node="2001:db8:3::1",
		correspondent="2001:db8:4::1"), lambda v4, v6: f'address6 = "{v6}2"; gateway6 = "{v6}1";')
	bed.perfect(bed.run(text, DEVICES, where="tester", lcores=3), 1000)
	found = neighbors(bed, 6)
	assert len(found) == 2 and all("lladdr" in line for line in found), found


def test_nodes_on_the_link(bed):
	"""The kernel asks for each node by itself when they are on its link."""
	text = profile(profile_group("near", access="left", core="right", nodes=5, correspondents=3, node="2001:db8:1::10",
		correspondent="2001:db8:2::10"), lambda v4, v6: f'address6 = "{v6}2"; gateway6 = "{v6}1";', "warm_up_ms = 500;")
	bed.perfect(bed.run(text, DEVICES, where="tester"), 1000)


def test_tap(bed):
	"""On TAP devices of the host whose kernel is the gateway: made by the generator, given addresses while it asks for them."""
	text = profile(profile_group("four", access="left", core="right", nodes=20, correspondents=5, node="10.3.0.1", correspondent="10.4.0.1"),
		lambda v4, v6: f'address = "{v4}.2"; gateway = "{v4}.1";', "warm_up_ms = 300;")
	report = bed.path("tap.json")
	devices = [f"--vdev=net_tap{index},iface={name}" for index, name in enumerate(ENDS)]
	run = bed.network.start("host", "tap", *bed.command(devices, "--profile", bed.write(text), "--report", report))
	for name, (v4, _, far4, _) in ENDS.items():
		net.wait_for(lambda: f" {name}: " in bed.network.ip("host", "-o link"), f"the TAP {name}", 10)
		bed.network.ip("host", f"addr add {v4}.1/24 dev {name}")
		bed.network.ip("host", f"link set {name} up")
		bed.network.ip("host", f"route add {far4} via {v4}.2")
	net.wait_for(lambda: not run.running(), "the end of the run", 30)
	assert run.process.returncode == 0, run.last_lines(4)
	with open(report) as file:
		report = json.load(file)
	assert [port["driver"] for port in report["ports"]] == ["net_tap"] * 2, report["ports"]
	bed.perfect(report, 1000)


def test_silence_is_said(bed):
	text = profile(profile_group("six", access="left", core="right", node="2001:db8:3::1", correspondent="2001:db8:4::1"),
		lambda v4, v6: f'address6 = "{v6}2"; gateway6 = "{v6}77";')
	text = "resolve_ms = 1500;\n" + text
	command = ["ip", "netns", "exec", bed.network.full("tester"), *bed.command(DEVICES, "--profile", bed.write(text))]
	result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
	assert result.returncode == 69 and "nobody answers for the gateway's address" in result.stderr, result.stderr


main(dict(globals()), bed_class=KernelBed)
