"""kill -9, and SIGSTOP, of each process in turn: what goes on, and how it comes back."""
import signal
import time

import bed
import network as net
import traffic


def sequence(b, direction):
	spi = b.server.child("net")["spi-in" if direction == "in" else "spi-out"]
	return b.row(direction, spi)["sequence"]


def test_a_tunnel(b):
	b.vip = b.up()
	b.ping("client", bed.HOST, b.vip, count=10)


def test_control_killed_loses_no_packet(b):  # KIF-51, LIFE-14, HA-07
	spi, mark = b.server.child("net")["spi-in"], b.server.mark()
	streams = [traffic.Stream(b.network, "up", "client", b.vip, "host", bed.HOST, 7400, 0.004).begin(),
		traffic.Stream(b.network, "down", "host", bed.HOST, "client", b.vip, 7401, 0.004).begin()]
	b.gateway.control.kill()
	b.server.expect("homeport-control closed the connection|lost homeport-control", 5, mark)
	time.sleep(0.5)
	b.gateway.start_control()
	b.server.expect(r"connected to homeport-control, told of 2 SAs and 3 policies", 10, mark)
	time.sleep(1)
	for stream in streams:
		stream.finish()
		assert not stream.error, stream.error
		assert not stream.lost(), f"{stream.name}: {len(stream.lost())} of {len(stream.sent)} lost"
	assert b.server.child("net")["spi-in"] == spi
	assert len(b.rows()) == 2, b.rows()
	before = sequence(b, "out")
	b.ping("host", b.vip)
	assert sequence(b, "out") > before > 100


def test_it_can_be_rekeyed_afterwards(b):
	before = b.server.child("net")["spi-in"]
	b.client.swanctl("--rekey", "--child", "net")
	net.wait_for(lambda: b.server.child("net")["spi-in"] != before, "another SPI", 10, 0.05)
	b.ping("client", bed.HOST, b.vip, count=10)


def test_dataplane_killed_goes_on_with_its_numbers(b):  # ESP-SEQ-02, LIFE-12
	spi = b.server.child("net")["spi-in"]
	before = {way: sequence(b, way) for way in ("in", "out")}
	octets = int(b.server.child("net")["bytes-in"])
	b.gateway.dataplane.kill()
	b.gateway.start_dataplane()
	b.gateway.wait_ready()
	net.wait_for(lambda: b.reaches("client", bed.HOST, b.vip), "the tunnel to carry packets again", 20, 0.2)
	assert b.server.child("net")["spi-in"] == spi
	for way, number in before.items():
		assert sequence(b, way) > number, f"{way}: {number} -> {sequence(b, way)}"
	assert int(b.server.child("net")["bytes-in"]) > octets


def test_charon_answers_while_control_is_stopped(b):  # KIF-02
	b.gateway.control.process.send_signal(signal.SIGSTOP)
	try:
		b.client.swanctl("--rekey", "--ike", "home")  # IKE only, and liveness
		net.wait_for(lambda: b.client.said(r"IKE_SA home\[\d+\] rekeyed|rekeyed between|established between"), "IKE", 10)
		b.ping("client", bed.HOST, b.vip)
		b.client.run("--rekey", "--child", "net")  # cannot succeed, and must not hang
		b.server.expect("homeport-control did not answer in time|homeport-control does not answer|no SPI", 10)
		assert b.server.associations(), "charon does not answer swanctl"
	finally:
		b.gateway.control.process.send_signal(signal.SIGCONT)
	b.gateway.wait_ready()
	b.ping("client", bed.HOST, b.vip)

	def rekeyed():
		before = b.server.child("net")["spi-in"]
		b.client.run("--rekey", "--child", "net")
		time.sleep(0.5)
		return b.server.child("net")["spi-in"] != before
	net.wait_for(rekeyed, "rekeying to work again", 20, 0.5)
	b.ping("client", bed.HOST, b.vip)


def test_charon_killed_leaves_the_tunnel_until_it_is_back(b):  # LIFE-14, HA-07
	old = {row["spi"] for row in b.rows()}
	b.server.kill()
	b.ping("client", bed.HOST, b.vip, count=5)
	b.ping("host", b.vip, count=5)
	b.server.start()
	net.wait_for(lambda: not old & {row["spi"] for row in b.rows()}, "the old associations to be swept", 10, 0.1)
	# The client's dead peer detection finds out and connects again.
	net.wait_for(lambda: b.server.children("net"), "the client to come again", 40, 0.2)
	b.vip = net.wait_for(lambda: b.client.children("net") and b.virtual_ip(), "its address", 10, 0.2)
	b.ping("client", bed.HOST, b.vip)
	b.ping("host", b.vip)


def test_both_killed_negotiate_anew(b):  # ESP-ALG-20: no number of a lost counter again
	old, mark = {row["spi"] for row in b.rows()}, b.server.mark()
	b.gateway.control.kill()
	b.gateway.dataplane.kill()
	b.gateway.start_dataplane()
	b.gateway.start_control()
	b.server.expect("refused: stale", 15, mark)
	net.wait_for(lambda: b.server.children("net") and not old & {row["spi"] for row in b.rows()} and len(b.rows()) == 2,
		"new associations", 40, 0.2)
	net.wait_for(lambda: b.client.children("net") and b.reaches("client", bed.HOST, b.virtual_ip()), "the new tunnel", 20, 0.2)
	b.vip = b.virtual_ip()
	b.ping("client", bed.HOST, b.vip)


def test_a_client_that_died_is_forgotten(b):  # DPD by the gateway
	b.client.kill()
	net.wait_for(lambda: not b.server.associations(), "the gateway's dead peer detection", 60, 0.5)
	net.wait_for(lambda: not b.rows(), "its SAs to go", 10, 0.1)
	b.client.start()
	b.vip = b.up()
	b.ping("client", bed.HOST, b.vip)


if __name__ == "__main__":
	bed.main(dict(globals()), client_child="dpd_action = restart\nclose_action = start", client_connection="dpd_delay = 1s",
		gateway_child="dpd_action = clear", gateway_connection="dpd_delay = 3s")
