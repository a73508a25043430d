"""RFC 5266 in the operator's network of its Appendix A: modes c, f and mc, both ways across the border while TCP runs."""
import bed
import operator_bed as operator
import network as net

HOME = operator.HOME_ADDRESS


def walk(b, access, care_of):
	"""To another network; returns the binding there."""
	b.mark()
	b.attach(access)
	return b.bound(care_of)


def test_mode_f_through_the_foreign_agent(b):  # HA4-MODE-02
	row = walk(b, operator.HOTSPOT, operator.FOREIGN_AGENT)
	assert row["mode"] == "f" and not row["requires_ipsec"], row
	b.node.expect("event=network trusted=yes")
	# The node asked from its own address first, and was told there that it is inside (RFC 5266 3).
	said = b.node.output()
	assert said.index("event=registered") < said.index("event=probe"), said
	b.ping("mn", bed.HOST, source=HOME)
	b.begin_traffic()


def test_out_of_there_the_vpn_takes_over(b):  # HA4-MODE-03 -14, HA4-TNC-02
	b.mark()
	before = b.seen_by_agent()
	b.attach(operator.CAFE_A)
	net.wait_for(lambda: b.node.output()[b.said:].count("event=request") >= 2, "two requests in clear from the cafe", 15, 0.05)
	assert b.seen_by_agent() == before and b.binding()["care_of_address"] == operator.FOREIGN_AGENT, "a request in clear from outside counted"
	b.client.initiate("inner")
	assert b.bound("10.30.0.")["encapsulation"] == "ipip"  # IP-in-IP inside ESP: nothing translated the inner address
	b.moved_to(operator.CAFE_A.outside)
	b.ping("mn", bed.HOST, source=HOME)


def test_mobike_moves_what_the_home_agent_never_sees(b):  # HA4-MODE-09 -10, RFC 5266 3
	before, inner = b.seen_by_agent(), b.binding()["care_of_address"]
	b.attach(operator.CAFE_B)
	b.moved_to(operator.CAFE_B.outside)
	b.ping("mn", bed.HOST, source=HOME)
	assert b.binding()["care_of_address"] == inner
	assert b.seen_by_agent() == before, "the home agent saw MOBIKE's move"


def test_in_again_by_the_clear_answer(b):  # HA4-MODE-01 -13, RFC 5266 3.4.1
	row = walk(b, operator.OFFICE, operator.OFFICE.address)
	assert row["mode"] == "c" and not row["requires_ipsec"], row
	b.ping("mn", bed.HOST, source=HOME)


def test_the_gateway_serves_from_inside_as_well(b):  # HA4-MODE-16, RFC 5266 3.4.1 step 1a
	before = b.seen_by_agent()
	b.moved_to(operator.OFFICE.address)  # through an internal port, and no longer behind a NAT
	b.client.initiate("inner-core")
	assert {row["remote"] for row in b.associations()} == {operator.OFFICE.address}
	b.ping("mn", operator.CORE, source=b.client.virtual_address())
	packets = {row["direction"]: row["packets"] for row in b.associations() if row["packets"] == 3}
	assert packets == {"in": 3, "out": 3}, b.associations()
	b.client.swanctl("--rekey", "--child", "inner-core")
	b.ping("mn", operator.CORE, source=b.client.virtual_address())
	b.client.terminate("--ike", "inner")
	net.wait_for(lambda: not b.associations(), "the end of the VPN", 15, 0.1)
	assert b.seen_by_agent() == before and b.binding()["mode"] == "c", b.binding()


def test_and_to_the_foreign_agent(b):
	row = walk(b, operator.HOTSPOT, operator.FOREIGN_AGENT)
	assert row["mode"] == "f", row
	b.ping("mn", bed.HOST, source=HOME)
	seen = b.finish_traffic()
	assert len(seen["numbers"]) >= 2, seen["numbers"]


def test_a_foreign_agent_that_ends_leaves_mode_c(b):  # RFC 5944 2.4.2.1
	b.mark()
	assert b.foreign_agent.stop() == 0, b.foreign_agent.last_lines(2)
	assert b.bound(operator.HOTSPOT.address)["mode"] == "c"
	assert operator.HOME_ADDRESS not in b.network.ip("fa", "route show table all") + b.network.ip("fa", "rule show"), "it left something behind"
	b.ping("mn", bed.HOST, source=HOME)


def test_private_inner_addresses_through_both_traversals(b):  # HA4-MODE-12, HA4-TNC-07, RFC 5266 4
	"""The inner address is translated between gateway and home agent, and the tunnel by the cafe."""
	b.start_node(operator.HIDDEN)
	b.mark()
	b.attach(operator.CAFE_A)
	b.client.initiate("hidden")
	b.node.expect(r"event=registered .*care_of=172[.]16[.]30[.]\d+ udp=yes", 20, b.said)
	row = b.binding()
	assert row["encapsulation"] == "udp-ipip" and row["nat"] == "detected" and row["care_of_address"] == operator.TRANSLATED, row
	assert row["care_of_field"].startswith("172.16.30."), row
	assert {row["remote_port"] != 4500 and row["remote"] for row in b.associations()} == {operator.CAFE_A.outside}, b.associations()
	b.begin_traffic()
	b.ping("mn", bed.HOST, source=HOME)
	before = b.seen_by_agent()
	b.attach(operator.CAFE_B)
	b.moved_to(operator.CAFE_B.outside)
	b.ping("mn", bed.HOST, source=HOME)
	assert b.seen_by_agent() == before, "the home agent saw MOBIKE's move"
	b.finish_traffic(octets=50_000)


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=operator.Operator)
