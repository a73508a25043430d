"""Two gateways, both homeport: on demand, ESP without UDP, ESN, every suite, rekeys that collide, close actions, moves in place."""
import threading
import time

import bed
import network as net
import traffic

SUITES = ["aes128gcm16", "aes256gcm16", "aes128gmac", "aes256ccm16", "chacha20poly1305", "aes128-sha256", "aes256-sha512", "aes128ctr-sha1",
	"null-sha256", "aes128-aescmac"]


def children(side):
	local, remote = ("10.1.0.0/16", "10.2.0.0/16") if side == "a" else ("10.2.0.0/16", "10.1.0.0/16")
	more = "rekey_time = 1h\nreplay_window = 2048\nstart_action = trap\nclose_action = trap" if side == "a" else "rekey_time = 1h"
	esp = "aes128gcm16-x25519-esn" if side == "a" else "aes128gcm16-x25519-esn," + ",".join(f"{s}-esn,{s}" for s in SUITES)
	text = bed.child("lan", local, remote, esp, more)
	if side == "a":
		text += "".join(bed.child(f"s-{suite}{esn}", local, remote, f"{suite}{esn}") for suite in SUITES for esn in ("", "-esn"))
	return text


def pair_of(b, gateway):
	"""Its newest association each way."""
	return {row["direction"]: row for row in sorted(b.rows(gateway), key=lambda row: -(row["age_s"] or 0))}


def a_pair(b):
	return pair_of(b, b.a)


def streams(b, port):
	return [traffic.Stream(b.network, "a to b", "host-a", bed.HOST, "host-b", bed.HOST_B, port, 0.004).begin(),
		traffic.Stream(b.network, "b to a", "host-b", bed.HOST_B, "host-a", bed.HOST, port + 1, 0.004).begin()]


def whole(running):
	time.sleep(0.3)
	for stream in running:
		stream.finish()
		assert not stream.error, stream.error
		assert len(stream.sent) > 20 and not stream.lost(), f"{stream.name}: {len(stream.lost())} of {len(stream.sent)} lost"
		assert not stream.duplicates, f"{stream.name}: {stream.duplicates} twice"


def test_the_first_packet_asks_for_the_tunnel(b):  # SPD-12, SPD-13, KIF-16, KIF-42
	assert not b.rows(b.a)
	mark = b.sides["a"].mark()
	b.reaches("host-a", bed.HOST_B)
	b.sides["a"].expect(r"creating acquire job for policy 10.1.0.5/32\[icmp/8\] === 10.2.0.5/32\[icmp", 5, mark)
	net.wait_for(lambda: b.reaches("host-a", bed.HOST_B), "the tunnel", 10, 0.1)
	b.ping("host-a", bed.HOST_B)
	b.ping("host-b", bed.HOST)
	b.settle()


def test_it_is_esp_without_udp_and_with_long_numbers(b):  # ESP-SEQ-05, KIF-06, KIF-12
	pair = a_pair(b)
	assert not pair["in"]["encap"] and not pair["out"]["encap"], pair
	assert pair["in"]["esn"] and pair["out"]["esn"], pair
	assert pair["in"]["replay_window"] == 2048, pair["in"]


def test_tcp_passes(b):
	b.tcp("host-a", bed.HOST, "host-b", bed.HOST_B)


def test_rekeys_from_both_sides_and_at_once_lose_nothing(b):  # KIF-21, LIFE-06..08
	running = streams(b, 7500)
	for index in range(12):
		before = a_pair(b)["in"]["spi"]
		sides = [b.sides["a"], b.sides["b"]] if index % 3 == 2 else [b.sides["ab"[index % 2]]]
		threads = [threading.Thread(target=c.run, args=("--rekey", "--child", "lan")) for c in sides]
		for thread in threads:
			thread.start()
		for thread in threads:
			thread.join()
		net.wait_for(lambda: b.sides["a"].children("lan") and int(b.sides["a"].child("lan")["spi-in"], 16) != int(before, 16), "a rekey", 10, 0.05)
	whole(running)
	b.settle()


def move(b, old, new):
	n = b.network
	n.ip("gateway-a", f"addr add {new}/24 dev hpext")
	time.sleep(0.3)
	n.ip("gateway-a", f"addr del {old}/24 dev hpext")
	n.ip("gateway-a", f"addr replace {new}/24 dev hpext")
	n.ip("gateway-a", "route replace default via 192.0.2.254 dev hpext")
	net.wait_for(lambda: pair_of(b, b.b)["out"]["remote"] == new and a_pair(b)["out"]["local"] == new, "both gateways to follow", 15, 0.05)


def test_a_move_of_one_end_keeps_spi_and_numbers(b):  # MOB-01..03, MOB-05, KIF-27
	before = a_pair(b)
	running = streams(b, 7510)
	move(b, bed.GATEWAY, "192.0.2.9")
	time.sleep(1.5)
	after = a_pair(b)
	for way in ("in", "out"):
		assert after[way]["spi"] == before[way]["spi"], "another association"
		assert after[way]["sequence"] > before[way]["sequence"], f"{way}: numbers {before[way]['sequence']} -> {after[way]['sequence']}"
	for stream in running:
		stream.finish()
		lost = stream.lost()
		# A's kernel has no way out for a moment: what is lost is lost there, at once, and nothing later.
		assert not lost or lost[-1] < len(stream.sent) - 50, f"{stream.name}: {len(lost)} lost, the last one late"
	b.ping("host-a", bed.HOST_B)
	move(b, "192.0.2.9", bed.GATEWAY)
	b.ping("host-a", bed.HOST_B)
	b.ping("host-b", bed.HOST)


def test_an_operator_has_charon_move_it(b):  # KIF-44: MIGRATE, and charon's update_sa
	before, mark = a_pair(b), b.sides["b"].mark()
	further = "203.0.113.9"
	b.network.ip("gateway-b", f"addr add {further}/24 dev hpext")
	# B tells A of it a moment later, from the address it has: what was moved before that would be moved back.
	b.sides["b"].expect(r"sending address list update using MOBIKE(.|\n)*parsed INFORMATIONAL response", 10, mark)
	mark = b.sides["a"].mark()
	done = b.a.ctl("sa", "update", before["out"]["name"], "remote", further)
	assert done.returncode == 0, done.stderr
	b.sides["a"].expect("creating migrate job for policy", 5, mark)
	net.wait_for(lambda: {row["remote"] for row in a_pair(b).values()} == {further}, "both directions to be moved", 5, 0.05)
	after = a_pair(b)
	assert all(after[way]["spi"] == before[way]["spi"] for way in ("in", "out")), (before, after)
	b.ping("host-a", bed.HOST_B)
	wrong = b.a.ctl("sa", "update", before["out"]["name"], "encap", "yes")
	assert wrong.returncode and "charon is asked for other addresses alone" in wrong.stderr, wrong.stderr
	assert b.a.ctl("sa", "update", before["out"]["name"], "remote", bed.GATEWAY_B).returncode == 0
	net.wait_for(lambda: {row["remote"] for row in a_pair(b).values()} == {bed.GATEWAY_B}, "both directions to be moved back", 5, 0.05)
	b.network.ip("gateway-b", f"addr del {further}/24 dev hpext")
	b.ping("host-b", bed.HOST)


def test_a_deleted_tunnel_is_asked_for_again(b):  # close_action, LIFE-10
	b.sides["b"].terminate("--child", "lan")
	net.wait_for(lambda: not b.rows(b.a) and not b.rows(b.b), "the SAs to go", 10, 0.1)
	net.wait_for(lambda: b.reaches("host-a", bed.HOST_B), "the trap to bring it back", 10, 0.1)
	b.end()


def make(name):
	def test(b):  # ESP-ALG-01..06, ESP-SEQ-05
		b.sides["a"].initiate(f"s-{name}")
		pair = a_pair(b)
		assert pair["in"]["esn"] == name.endswith("-esn"), pair["in"]
		b.ping("host-a", bed.HOST_B, size=700)
		b.ping("host-b", bed.HOST, size=11)
		assert pair["in"]["algorithm"] == name.replace("-esn", ""), pair["in"]["algorithm"]
		b.end()
	return test


for suite in SUITES:
	for esn in ("", "-esn"):
		globals()[f"test_{suite}{esn}"] = make(suite + esn)


def with_limits(b, limits):
	charon = b.sides["a"]
	plain = charon.connections
	charon.connections = plain.replace("rekey_time = 1h\nreplay_window = 2048\nstart_action = trap\nclose_action = trap", limits)
	assert charon.connections != plain
	charon.write()
	charon.load()
	charon.connections = plain
	return charon


def test_a_soft_limit_in_packets_rekeys(b):  # LIFE-01, LIFE-02, LIFE-04, KIF-14, KIF-40
	charon = with_limits(b, "rekey_packets = 60\nlife_packets = 4000\nrand_packets = 0")
	charon.initiate("lan")
	spi, mark = charon.child("lan")["spi-in"], charon.mark()
	b.network.exec("host-a", "ping", "-c", "70", "-i", "0.01", "-W", "2", bed.HOST_B, check=False)  # as many as go: rekeys are tested above
	charon.expect(r"homeport: soft limit of SA \w+/[0-9.]+: packets", 5, mark)
	net.wait_for(lambda: charon.children("lan") and charon.child("lan")["spi-in"] != spi, "a rekey", 10, 0.05)
	b.ping("host-a", bed.HOST_B)
	b.end()


def test_a_hard_limit_in_octets_ends_the_tunnel(b):  # LIFE-02, LIFE-03, KIF-40
	charon = with_limits(b, "life_bytes = 5000")
	charon.initiate("lan")
	spi, mark = charon.child("lan")["spi-in"], charon.mark()
	assert not all(b.reaches("host-a", bed.HOST_B) for _ in range(70))
	charon.expect(r"homeport: hard limit of SA \w+/[0-9.]+: bytes", 5, mark)
	charon.expect("closing expired CHILD_SA", 5, mark)
	net.wait_for(lambda: charon.children("lan") and charon.child("lan")["spi-in"] != spi, "charon to make another one", 10, 0.1)
	b.sides["a"].write()
	b.sides["a"].load()
	b.end()


def test_a_tunnel_without_traffic_ends(b):  # query_policy: charon's inactivity is the dataplane's use time
	charon = with_limits(b, "inactivity = 3s")
	charon.initiate("lan")
	spi, mark = charon.child("lan")["spi-in"], charon.mark()
	b.ping("host-a", bed.HOST_B, count=25, interval=0.25)
	assert charon.child("lan")["spi-in"] == spi and not charon.said("deleting CHILD_SA after", mark), "it ended under traffic"
	charon.expect(r"deleting CHILD_SA after \d+ seconds of inactivity", 12, mark)
	net.wait_for(lambda: not b.rows(b.a), "the SAs to go", 10, 0.1)
	charon.write()
	charon.load()
	b.end()


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=bed.Site, children=children)
