"""IPsec inside Mobile IP (draft-tessier-mobileip-ipsec's other order) with a negotiated SA: home agent and VPN gateway are one address.

The node registers its access address in clear; what it says to the gateway, IKE too, goes through the tunnel from its home address.
So the SA is between home address and gateway, and no move of the node is one of the SA's. (Mobile IP inside IPsec: operator_test.py.)
"""
import re

import bed
import network as net
import programs
import tunnel_demo

HOME, KEY, SPI, NEXT = "10.99.0.10", "0123456789abcdeffedcba9876543210", 256, "198.51.100.3"


class InsideMobileIp(bed.Road):
	def __init__(self, build):
		super().__init__(build, client_connection=f"local_addrs = {HOME}\nmobike = no", client_settings="install_virtual_ip_on = ipsec0")
		for which in ("all", "default", "pa"):
			self.network.sysctl("client", f"net.ipv4.conf.{which}.rp_filter", 0)
		self.network.sysctl("client", "net.ipv4.conf.pa.promote_secondaries", 1)

	def gateway_of(self, *words, **settings):
		gateway = super().gateway_of(*words, **settings)
		gateway.agent = bed.GATEWAY
		gateway.nodes = [dict(home_address=HOME, spi=SPI, key=KEY)]
		# Registrations and the tunnel in clear; what comes out of the tunnel is Mobile IP's to judge.
		gateway.more += f"""
policies = (
  {{ name = "registration"; order = 900000; action = "bypass"; local_ts = [ "{bed.GATEWAY}[udp/434]" ]; remote_ts = [ "0.0.0.0/0[udp]" ]; }},
  {{ name = "tunnel"; order = 900001; action = "bypass"; local_ts = [ "{bed.GATEWAY}[4]" ]; remote_ts = [ "0.0.0.0/0[4]" ]; }}
);
"""
		return gateway

	def start(self):
		super().start()
		self.node = programs.mobile_node(self.network, "client", self.build, key=KEY, access="pa", tun="mip0", home_agent=bed.GATEWAY,
			home_address=HOME, spi=SPI, tunnel="ipip", route=f"{bed.GATEWAY}/32")

	def registered(self, care_of, start=0):
		self.node.expect(rf"event=registered .*care_of={care_of.replace('.', '[.]')} udp=no", 15, start)

	def finish(self):
		if not self.stopped:
			self.node.stop()
		super().finish()


def ends(b):
	return {(row["local"], row["remote"], row["spi"]) for row in b.rows()}


def test_the_association_is_the_home_address(b):  # HA4-SPD-02 -03
	b.registered(bed.CLIENT_A)
	b.wire = tunnel_demo.Wire(b.network, "internet", "access-a").begin()
	b.inner = b.up()
	assert {(local, remote) for local, remote, _ in ends(b)} == {(bed.GATEWAY, HOME)}, ends(b)
	b.ping("client", bed.HOST, source=b.inner)
	b.tcp("client", b.inner, "host", bed.HOST)


def test_a_move_of_the_node_is_none_of_the_association(b):  # HA4-SPD-02
	before, start = ends(b), len(b.node.output())
	b.network.ip("client", f"addr add {NEXT}/26 dev pa")
	b.network.ip("client", f"addr del {bed.CLIENT_A}/26 dev pa")
	b.network.ip("client", "route replace default via 198.51.100.1 dev pa")
	b.registered(NEXT, start)
	b.ping("client", bed.HOST, source=b.inner)
	assert ends(b) == before, (before, ends(b))
	b.tcp("client", b.inner, "host", bed.HOST, port=7101)


def test_a_rekey_goes_the_same_way(b):
	before = {spi for _, _, spi in ends(b)}
	b.client.swanctl("--rekey", "--child", "net")
	net.wait_for(lambda: {spi for _, _, spi in ends(b)} - before, "new SPIs", 10, 0.05)
	b.ping("client", bed.HOST, source=b.inner)
	assert {(local, remote) for local, remote, _ in ends(b)} == {(bed.GATEWAY, HOME)}, ends(b)


def test_on_the_access_link_all_of_it_is_ip_in_ip(b):
	seen = b.wire.finish()
	wrong = [kind for kind in seen["clear"] if not re.fullmatch(r".* protocol [14]|.* > 192[.]0[.]2[.]1 protocol 17 port 434"
		r"|192[.]0[.]2[.]1 > .* protocol 17 port [0-9]+", kind)]
	assert not wrong and not seen["packets"] and not seen["ike"], seen
	for kind in (f"{NEXT} > {bed.GATEWAY} protocol 4", f"{bed.GATEWAY} > {NEXT} protocol 4"):
		assert seen["clear"].get(kind, 0) > 10, seen["clear"]
	b.down()


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=InsideMobileIp)
