"""Transport mode between addresses that are not IKE's (draft-dupont-mobike-transport): the peer's MOBIKE address set says who may.

Gateway b has two more addresses. It announces 203.0.113.9 as a further one of its own (MOBIKE's ADDITIONAL_IP4_ADDRESS); 203.0.113.77
it has too, on another interface, and says nothing of it.
"""
import bed
import network as net

FURTHER, UNTOLD = "203.0.113.9", "203.0.113.77"


def children(side):
	def transport(name, address):
		ends = dict(local_ts=f"{address}/32") if side == "b" else dict(remote_ts=f"{address}/32")
		return bed.child(name, **ends, more="mode = transport_proxy\nrekey_time = 1h")
	return bed.child("net", "10.1.0.0/16" if side == "a" else "10.2.0.0/16", "10.2.0.0/16" if side == "a" else "10.1.0.0/16") \
		+ transport("further", FURTHER) + transport("untold", UNTOLD)


class TwoAddresses(bed.Site):
	def start(self):
		for gateway in (self.a, self.b):
			gateway.start()
		self.network.ip("gateway-b", f"addr add {FURTHER}/24 dev hpext")
		self.network.ip("gateway-b", f"addr add {UNTOLD}/32 dev hpint")
		self.sides["b"].connections = self.sides["b"].connections.replace("%any", bed.GATEWAY, 1)  # either may begin
		for charon in self.sides.values():
			charon.start()

	def transport_rows(self, gateway):
		return {row["direction"]: row for row in self.rows(gateway) if row["mode"] == "transport"}


def protected(b, count=3):
	"""Echoes from the further address arrive, and every one of them is in ESP both ways."""
	before = b.transport_rows(b.a)
	b.ping("gateway-b", bed.GATEWAY, source=FURTHER, count=count)
	after = b.transport_rows(b.a)
	moved = [after[d]["packets"] - before[d]["packets"] for d in ("in", "out")]
	assert moved == [count, count], (before, after)


def test_the_set_is_known_within_ike_auth(b):  # TRN-11, as initiator and as responder
	for side in ("a", "b"):
		b.sides[side].initiate("further")
		b.settle()
		protected(b)
		b.end()


def test_a_further_address_of_the_peer_may(b):  # TRN-11 -12
	b.sides["a"].initiate("net")
	b.settle()
	b.sides["a"].initiate("further")
	b.settle(pairs=2)
	for gateway, local, remote in ((b.a, bed.GATEWAY, FURTHER), (b.b, FURTHER, bed.GATEWAY)):
		for row in b.transport_rows(gateway).values():
			assert row["selectors"] == [{"local": local, "remote": remote}], row
	protected(b)


def test_one_that_it_did_not_announce_may_not(b):  # TRN-11, BAD-58
	mark, before = b.sides["a"].mark(), b.a.ask("show", "charon")["unauthorised"]
	assert "completed successfully" not in b.sides["a"].initiate("untold", check=False, seconds=8)
	b.sides["a"].expect(r"homeport: (in|out)bound SA \w+ refused: unauthorised", 5, mark)
	assert b.a.ask("show", "charon")["unauthorised"] > before
	b.settle(pairs=2)
	protected(b)


def test_the_set_is_known_again_after_a_restart_of_control(b):
	mark = b.sides["a"].mark()
	before = {row["spi"]: row["selectors"] for row in b.transport_rows(b.a).values()}
	b.a.control.kill()
	b.a.start_control()
	b.sides["a"].expect("connected to homeport-control", 20, mark)
	net.wait_for(lambda: {row["spi"]: row["selectors"] for row in b.transport_rows(b.a).values()} == before, "the same SAs", 15, 0.1)
	protected(b)
	mark = b.sides["a"].mark()
	assert "completed successfully" not in b.sides["a"].initiate("untold", check=False, seconds=8)
	b.sides["a"].expect(r"homeport: (in|out)bound SA \w+ refused: unauthorised", 5, mark)


def test_with_the_ike_peer_alone_the_set_counts_for_nothing(b):  # TRN-11 (a)
	with open(b.a.config) as file:
		text = file.read()
	with open(b.a.config, "w") as file:
		file.write(text.replace('transport = "peer-set";', 'transport = "peer";'))
	assert b.a.ctl("reload").returncode == 0, b.a.ctl("reload").stderr
	b.sides["a"].swanctl("--terminate", "--child", "further")
	b.settle(pairs=1)
	mark = b.sides["a"].mark()
	assert "completed successfully" not in b.sides["a"].initiate("further", check=False, seconds=8)
	b.sides["a"].expect(r"homeport: (in|out)bound SA \w+ refused: unauthorised", 5, mark)
	b.end()


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=TwoAddresses, children=children, keying='transport = "peer-set";')
