"""A road warrior's tunnel: it comes up, carries traffic both ways, is rekeyed from either side and goes."""
import threading
import time

import bed
import network as net
import traffic


def streams(b, port):
	"""Numbered datagrams both ways through the tunnel."""
	return [traffic.Stream(b.network, "up", "client", b.vip, "host", bed.HOST, port, 0.004).begin(),
		traffic.Stream(b.network, "down", "host", bed.HOST, "client", b.vip, port + 1, 0.004).begin()]


def whole(running):
	"""Nothing was lost, and nothing came twice."""
	time.sleep(0.3)
	for stream in running:
		stream.finish()
		assert not stream.error, stream.error
		assert len(stream.sent) > 20, f"{stream.name}: sent {len(stream.sent)}"
		assert not stream.lost(), f"{stream.name}: {len(stream.lost())} of {len(stream.sent)} lost"
		assert not stream.duplicates, f"{stream.name}: {stream.duplicates} twice"


def settled(b, count=1):
	"""Both sides have so many associations and no others on the way."""
	def look():
		return all(len(c.children("net")) == count and not c.children("net", "REKEYING") and not c.children("net", "REKEYED")
			and not c.children("net", "DELETING") and not c.children("net", "DELETED") for c in (b.server, b.client))
	net.wait_for(look, f"{count} associations on both sides", 12, 0.1)
	net.wait_for(lambda: len(b.rows()) == 2 * count, f"{2 * count} SAs in the dataplane", 12, 0.1)


def test_a_psk_tunnel_comes_up_and_carries_pings_and_tcp(b):  # KIF-07..09, KIF-15, PUNT-01, PUNT-02, BLD-04, BLD-08
	b.vip = b.up()
	assert b.vip.startswith("10.9."), b.vip
	b.ping("client", bed.HOST, b.vip)
	b.ping("host", b.vip)
	b.tcp("client", b.vip, "host", bed.HOST)


def test_nobody_is_cut_off_by_the_first_tunnel(b):  # SPD-15: the gateway's own system, from outside and in clear
	assert b.gateway.ask("policy", "show")
	b.ping("internet", bed.GATEWAY)
	b.ping("client", bed.GATEWAY, bed.CLIENT_A)
	b.ping("gateway", "192.0.2.254")
	drops = b.drops(b.gateway).get("policy_none", 0)
	b.network.ip("internet", f"route add 10.1.0.0/16 via {bed.GATEWAY}")
	assert not b.reaches("internet", bed.HOST)  # what is behind it is another matter
	b.network.ip("internet", f"route del 10.1.0.0/16 via {bed.GATEWAY}")
	assert b.drops(b.gateway)["policy_none"] > drops


def test_both_sides_show_the_same_association(b):  # KIF-23
	b.ping("client", bed.HOST, b.vip)
	ours, theirs = b.server.child("net"), b.client.child("net")
	assert (ours["spi-in"], ours["spi-out"]) == (theirs["spi-out"], theirs["spi-in"])
	assert ours["encap"] == "yes" and ours["encr-alg"] == "AES_GCM_16", ours
	inbound, outbound = b.row("in", ours["spi-in"]), b.row("out", ours["spi-out"])
	assert inbound["packets"] > 0 and outbound["packets"] > 0
	assert int(ours["bytes-in"]) > 100_000 and int(ours["bytes-out"]) > 100_000, ours
	assert int(ours["use-in"]) <= 60, ours


def test_what_is_not_selected_does_not_pass(b):  # ESP-IN-05, SPD-16
	assert not b.reaches("client", bed.HOST, bed.CLIENT_A), "an answer without a tunnel"
	assert not b.reaches("host", "10.9.77.77"), "an answer from an address that nobody has"


def test_rekeying_by_the_client_loses_nothing(b):  # KIF-21, LIFE-06..08
	before = b.server.child("net")["spi-in"]
	running = streams(b, 7200)
	for _ in range(3):
		b.client.swanctl("--rekey", "--child", "net")
		net.wait_for(lambda: b.server.child("net")["spi-in"] != before, "another SPI", 10, 0.05)
		before = b.server.child("net")["spi-in"]
	settled(b)
	whole(running)


def test_rekeying_by_the_gateway_loses_nothing(b):  # KIF-21, LIFE-07
	before = b.server.child("net")["spi-in"]
	running = streams(b, 7210)
	for _ in range(3):
		b.server.swanctl("--rekey", "--child", "net")
		net.wait_for(lambda: b.server.child("net")["spi-in"] != before, "another SPI", 10, 0.05)
		before = b.server.child("net")["spi-in"]
	settled(b)
	whole(running)


def test_rekeying_with_a_key_exchange_of_its_own(b):
	b.down()
	b.client.connections = b.client.connections.replace("esp_proposals = aes128gcm16\n", "esp_proposals = aes128gcm16-x25519\n")
	b.client.write()
	b.client.load()
	b.vip = b.up()
	before = b.server.child("net")["spi-in"]
	running = streams(b, 7220)
	b.client.swanctl("--rekey", "--child", "net")
	net.wait_for(lambda: b.server.child("net")["spi-in"] != before, "another SPI", 10, 0.05)
	assert b.server.child("net")["dh-group"] == "CURVE_25519", b.server.child("net")
	settled(b)
	whole(running)


def test_both_sides_rekeying_at_once_leave_one_association(b):  # KIF-21
	running = streams(b, 7230)
	for _ in range(4):
		sides = [threading.Thread(target=c.run, args=("--rekey", "--child", "net")) for c in (b.server, b.client)]
		for side in sides:
			side.start()
		for side in sides:
			side.join()
		time.sleep(0.3)
	settled(b)
	whole(running)
	b.ping("client", bed.HOST, b.vip)


def test_rekeying_the_ike_sa_leaves_the_tunnel_alone(b):
	spi = b.server.child("net")["spi-in"]
	mark = b.server.mark()
	running = streams(b, 7240)
	b.client.swanctl("--rekey", "--ike", "home")
	b.server.expect(r"IKE_SA rw\[\d+\] rekeyed|rekeyed between|established between", 10, mark)
	whole(running)
	assert b.server.child("net")["spi-in"] == spi


def test_reauthentication_brings_another_tunnel(b):
	before = b.server.child("net")["spi-in"]
	b.client.swanctl("--rekey", "--ike", "home", "--reauth")
	net.wait_for(lambda: b.server.children("net") and b.server.child("net")["spi-in"] != before, "another association", 15, 0.1)
	settled(b)
	b.vip = b.virtual_ip()
	b.ping("client", bed.HOST, b.vip)


def test_a_hundred_rekeys_under_load_lose_nothing(b):  # LIFE-06..09
	running = streams(b, 7250)
	for index in range(100):
		before = b.server.child("net")["spi-in"]
		side = (b.server, b.client)[index % 2]
		side.run("--rekey", "--child", "net")
		net.wait_for(lambda: b.server.children("net") and b.server.child("net")["spi-in"] != before, f"rekey {index}", 10, 0.02)
	settled(b)
	whole(running)


def test_the_end_leaves_nothing_behind(b):  # KIF-25
	b.down()
	net.wait_for(lambda: not b.rows(), "no SA in the dataplane", 10, 0.1)
	net.wait_for(lambda: not b.gateway.ask("policy", "show"), "no policy in the dataplane", 10, 0.1)


if __name__ == "__main__":
	bed.main(dict(globals()))
