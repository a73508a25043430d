"""RFC 3884 negotiated: IP-in-IP of Mobile IP under transport mode. Each gateway is home agent for the other's host.

Host b is bound at gateway a with gateway b's address as its care-of address, and host a at gateway b with gateway a's: so what the
hosts say to each other is IP-in-IP between the gateways, and the SA's selectors are their addresses and protocol 4.
"""
import bed
import network as net
import programs

KEY, SPI = "0123456789abcdeffedcba9876543210", 256


def children(side):
	return bed.child("ipip", "dynamic[4]", "dynamic[4]", "aes128gcm16-esn", "mode = transport\nrekey_time = 1h")


class HomeAgents(bed.Site):
	def gateway_of(self, where, name, outer, inner, **settings):
		gateway = super().gateway_of(where, name, outer, inner, **settings)
		gateway.agent = outer
		gateway.virtual = ["10.2.0.0/16" if name == "-a" else "10.1.0.0/16"]
		gateway.nodes = [dict(home_address=bed.HOST_B if name == "-a" else bed.HOST, spi=SPI, key=KEY)]
		gateway.more += """
policies = (
  { name = "registration"; order = 900000; action = "bypass"; local_ts = [ "0.0.0.0/0[udp]" ]; remote_ts = [ "0.0.0.0/0[udp]" ]; },
  { name = "tunnel"; order = 900001; action = "discard"; local_ts = [ "0.0.0.0/0[4]" ]; remote_ts = [ "0.0.0.0/0[4]" ]; }
);
"""
		return gateway

	def bind(self):
		for where, agent, home in (("gateway-b", bed.GATEWAY, bed.HOST_B), ("gateway-a", bed.GATEWAY_B, bed.HOST)):
			node = programs.mobile_node(self.network, where, self.build, key=KEY, access="hpext", tun="mip0", home_agent=agent,
				home_address=home, spi=SPI, tunnel="ipip", more=["--once"])
			node.expect("event=registered code=0", 10)
			net.wait_for(lambda: not node.running(), "the end of the registration", 5)


def packets(b):
	rows = b.rows(b.a)
	return [sum(row["packets"] for row in rows if row["direction"] == d) for d in ("in", "out")]


def test_without_an_association_the_tunnel_stays_shut(b):
	b.bind()
	assert not b.reaches("host-a", bed.HOST_B, source=bed.HOST), "IP-in-IP passed in clear"
	assert b.drops(b.a).get("policy_discard"), b.drops(b.a)


def test_ip_in_ip_under_transport_mode(b):  # TRN-05 -06 -07, HA4-SPD-09 -10, RFC 3884 3.1
	b.sides["a"].initiate("ipip")
	b.settle()
	for row in b.rows(b.a):
		assert row["mode"] == "transport" and row["selectors"][0]["remote"].startswith(bed.GATEWAY_B), row
	before = packets(b)
	b.ping("host-a", bed.HOST_B, source=bed.HOST)
	b.ping("host-b", bed.HOST, source=bed.HOST_B)
	assert [now - then for now, then in zip(packets(b), before)] == [6, 6], (before, packets(b))
	b.tcp("host-a", bed.HOST, "host-b", bed.HOST_B)
	binding, = b.a.ask("show", "binding", bed.HOST_B)
	assert binding["reverse_packets"] >= 6, binding


def test_a_home_address_that_is_not_bound_there_is_refused(b):  # HA4-SPD-10, TRN-06
	"""The SA lets it in, Mobile IP's own check does not."""
	drops, before = b.drops(b.a), packets(b)
	b.network.ip("host-b", "addr add 10.2.0.6/16 dev lan")
	assert not b.reaches("host-b", bed.HOST, source="10.2.0.6")
	after = b.drops(b.a)
	new = {reason: after[reason] - drops.get(reason, 0) for reason in after if after[reason] != drops.get(reason, 0)}
	assert packets(b)[0] == before[0] + 1 and new == {"rt_no_binding": 1}, (new, before, packets(b))


def test_a_rekey_keeps_it(b):
	before = {row["spi"] for row in b.rows(b.a)}
	b.sides["b"].swanctl("--rekey", "--child", "ipip")
	net.wait_for(lambda: {row["spi"] for row in b.rows(b.a)} - before, "new SPIs", 10, 0.05)
	b.ping("host-a", bed.HOST_B, source=bed.HOST)
	b.end()


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=HomeAgents, children=children, keying='transport = "peer";')
