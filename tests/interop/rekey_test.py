"""A thousand rekeys under traffic: a soft limit of a few packets, told by the dataplane, makes charon change keys all the time."""
import time

import bed
import network as net
import traffic

REKEYS = 1000


def test_a_thousand_rekeys_under_load_lose_nothing(b):  # LIFE-02, LIFE-06..09, KIF-21, KIF-40
	b.vip = b.up()
	b.ping("client", bed.HOST, b.vip)
	streams = [traffic.Stream(b.network, "up", "client", b.vip, "host", bed.HOST, 7600, 0.002).begin(),
		traffic.Stream(b.network, "down", "host", bed.HOST, "client", b.vip, 7601, 0.002).begin()]
	start = time.monotonic()

	def number():
		children = b.server.children("net")
		return int(children[-1]["uniqueid"]) if children else 0
	net.wait_for(lambda: number() > REKEYS, f"{REKEYS} rekeys", 240, 0.5)
	seconds, number = time.monotonic() - start, number()
	for stream in streams:
		stream.finish()
		assert not stream.error, stream.error
		assert len(stream.sent) > REKEYS and not stream.lost(), f"{stream.name}: {stream.lost()[:20]} of {len(stream.sent)} lost"
		assert not stream.duplicates, f"{stream.name}: {stream.duplicates} twice"
	print(f"# {number - 1} rekeys in {seconds:.0f} s under {sum(len(s.sent) for s in streams)} packets")
	assert not b.server.said("homeport: .*refused"), b.server.said("homeport: .*refused.*").group(0)


if __name__ == "__main__":
	bed.main(dict(globals()), gateway_child="rekey_packets = 20\nrand_packets = 0\nlife_packets = 1000000", sas=8192, policies=16384)
