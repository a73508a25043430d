"""What a real charon asks for and homeport refuses: the reason is in both logs, and nothing of it stays."""
import bed
import network as net

FIXED = "10.9.77.1/32"


def pair_of(charon, name, identity):
	charon.connections += bed.connection(name, None, bed.GATEWAY, bed.child(name, FIXED, "10.1.0.0/16"), f"auth = psk\nid = {identity}",
		"auth = psk\nid = gw.example")


def refusals(b):
	return b.gateway.ask("show", "charon")["refused"]


def test_an_inner_address_is_one_peers(b):  # SPD-20, BAD-57, KIF-09
	b.client.initiate("one")
	kept, refused, mark = {row["spi"] for row in b.rows()}, refusals(b), b.server.mark()
	result = b.client.initiate("two", check=False, seconds=8)
	assert "completed successfully" not in result, result
	b.server.expect(r"homeport: inbound SA \w+ refused: conflict: inner address 10\.9\.77\.1 is one\.fixed's now", 5, mark)
	b.server.expect("unable to install .*IPsec SA", 5, mark)
	assert 'keying_refused request=add_sa status=conflict error="inner address 10.9.77.1 is one.fixed' in b.gateway.control.output()
	net.wait_for(lambda: {row["spi"] for row in b.rows()} == kept, "nothing of the second peer", 5, 0.1)
	assert len(b.gateway.ask("policy", "show")) == 2, b.gateway.ask("policy", "show")
	assert refusals(b) == refused + 1 and b.gateway.ask("show", "charon")["conflicts"] == 1
	assert not b.server.said(r"creating delete job for CHILD_SA", mark), "charon was told of an SA that it had given up itself"
	for name in ("two", "one"):
		b.client.terminate("--ike", name)
	net.wait_for(lambda: not b.rows(), "no SA", 10, 0.1)


def test_the_address_is_free_again(b):
	b.client.initiate("two")
	assert len(b.rows()) == 2
	b.client.terminate("--ike", "two")
	net.wait_for(lambda: not b.rows(), "no SA", 10, 0.1)


def test_a_new_mapping_is_not_followed_when_so_set(b):  # NAT-11
	b.nat("40000-40099")
	b.vip = b.up()
	b.ping("client", bed.HOST, b.vip)
	port = lambda: b.row("out", b.server.child("net")["spi-out"])["remote_port"]  # noqa: E731
	before, mark = port(), b.server.mark()
	assert 40000 <= before <= 40099, before
	inbound = b.row("in", b.server.child("net")["spi-in"])["packets"]
	b.nat("50000-50099")
	assert not b.reaches("client", bed.HOST, b.vip), "the answer came to the new port"
	net.wait_for(lambda: b.row("in", b.server.child("net")["spi-in"])["packets"] > inbound, "the packet from the new port", 5, 0.1)
	assert port() == before and b.gateway.ask("show", "charon")["mappings"] == 0
	assert not b.server.said("NAT mappings of CHILD_SA", mark)
	b.nat()
	b.client.terminate("--ike", "home", "--force")
	b.server.terminate("--ike", "rw", "--force")
	net.wait_for(lambda: not b.rows(), "no SA", 15, 0.1)


class Refused(bed.Road):
	def __init__(self, build):
		super().__init__(build)
		self.server.kernel_settings = f"kernel-homeport {{\n      socket = {self.server.keying_socket}\n      timeout = 1000\n      ignore_mappings = other, rw\n    }}"
		self.server.connections += bed.connection("fixed", bed.GATEWAY, None, bed.child("fixed", "10.1.0.0/16", "10.9.77.0/24"),
			"auth = psk\nid = gw.example", "auth = psk\nid = *.fixed")
		self.network.ip("client", f"addr add {FIXED} dev lo")
		pair_of(self.client, "one", "one.fixed")
		pair_of(self.client, "two", "two.fixed")


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=Refused)
