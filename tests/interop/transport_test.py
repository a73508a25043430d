"""Transport mode between two gateways: who may have it, what it carries, a rekey, and GRE under a trap policy."""
import socket

import bed
import network as net


def children(side):
	trap = "start_action = trap" if side == "a" else ""
	return bed.child("tra", None, None, "aes128gcm16-esn", "mode = transport\nrekey_time = 1h") \
		+ bed.child("gre", "dynamic[gre]", "dynamic[gre]", "aes128gcm16-esn", f"mode = transport\nrekey_time = 1h\n{trap}")


def pair(b, gateway):
	return {row["direction"]: row for row in sorted(b.rows(gateway), key=lambda row: -(row["age_s"] or 0))}


def packets(b):
	return pair(b, b.a)["out"]["packets"], pair(b, b.b)["in"]["packets"]


def test_a_transport_association_between_the_gateways(b):  # TRN-11
	b.sides["a"].initiate("tra")
	rows = pair(b, b.a)
	assert rows["in"]["mode"] == rows["out"]["mode"] == "transport", rows
	assert rows["out"]["selectors"] == [{"local": bed.GATEWAY, "remote": bed.GATEWAY_B}], rows["out"]["selectors"]


def test_what_the_gateways_say_to_each_other_is_protected(b):
	before = packets(b)
	b.ping("gateway-a", bed.GATEWAY_B)
	b.ping("gateway-b", bed.GATEWAY)
	after = packets(b)
	assert after[0] - before[0] == after[1] - before[1] == 6, (before, after)


def test_a_rekey_keeps_the_protection(b):  # LIFE-08
	before = pair(b, b.a)["in"]["spi"]
	b.sides["b"].swanctl("--rekey", "--child", "tra")
	net.wait_for(lambda: pair(b, b.a)["in"]["spi"] != before, "a rekey", 10, 0.05)
	b.ping("gateway-a", bed.GATEWAY_B, count=5)
	b.end()


def test_gre_under_a_trap_policy(b):  # SPD-13, docs/ike.md
	"""Protocol 47 by hand: not every kernel has GRE."""
	n = b.network
	message = b"\0\0\x08\0" + bytes(1000)
	with n.socket("gateway-a", socket.AF_INET, socket.SOCK_RAW, 47) as ours, n.socket("gateway-b", socket.AF_INET, socket.SOCK_RAW, 47) as theirs:
		theirs.settimeout(0.5)

		def arrives(source, drain, destination):
			source.sendto(message, (destination, 0))
			try:
				return drain.recv(2048)[20:] == message
			except TimeoutError:
				return False
		mark = b.sides["a"].mark()
		assert not arrives(ours, theirs, bed.GATEWAY_B), "the first packet went out without an association"
		b.sides["a"].expect("creating acquire job for policy", 5, mark)
		net.wait_for(lambda: arrives(ours, theirs, bed.GATEWAY_B), "GRE under IPsec", 10, 0.1)
		before = packets(b)
		ours.settimeout(0.5)
		assert all(arrives(ours, theirs, bed.GATEWAY_B) for _ in range(3)) and all(arrives(theirs, ours, bed.GATEWAY) for _ in range(3))
		after = packets(b)
	assert after[0] - before[0] == after[1] - before[1] == 3, (before, after)
	b.end()


def test_one_that_is_not_allowed_is_refused(b):  # TRN-11, BAD-58
	with open(b.b.config) as file:
		text = file.read()
	with open(b.b.config, "w") as file:
		file.write(text.replace('transport = "peer";', 'transport = "listed";'))
	assert b.b.ctl("reload").returncode == 0, b.b.ctl("reload").stderr
	mark = b.sides["b"].mark()
	assert "completed successfully" not in b.sides["a"].initiate("tra", check=False, seconds=8)
	b.sides["b"].expect(r"homeport: (in|out)bound SA \w+ refused: unauthorised", 5, mark)
	net.wait_for(lambda: not b.rows(b.b), "nothing left at the gateway that refused", 15, 0.1)


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=bed.Site, children=children, keying='transport = "peer";')
