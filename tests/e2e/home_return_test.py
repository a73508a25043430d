"""Coming home and staying away: deregistration from the home link, restart with nodes away, conflicts, solicitations."""
from harness import *  # noqa: F403

NODE_MAC = "02:00:00:00:00:01"
ALL_ROUTERS_MAC = "01:00:5e:00:00:02"


def gratuitous(packet):
	return ARP in packet and packet[ARP].psrc == HOME_ADDRESS and packet[ARP].pdst == HOME_ADDRESS


def from_home(bed, message, ttl=1):
	"""A request as the node sends it on its home link (V08)."""
	bed.home.send(Ether(src=NODE_MAC, dst=bed.macs["hpint"]) / IP(src=HOME_ADDRESS, dst=AGENT, ttl=ttl) / UDP(sport=5434, dport=434) / Raw(message))


# HA4-HOME-04: three times, a second apart
def test_departure_is_told_three_times(bed):
	bed.register()
	first = bed.home.expect(gratuitous, "first gratuitous ARP")
	second = bed.home.expect(gratuitous, "second gratuitous ARP")
	third = bed.home.expect(gratuitous, "third gratuitous ARP")
	assert {p[ARP].hwsrc for p in (first, second, third)} == {bed.macs["hpint"]}
	for gap in (second.time - first.time, third.time - second.time):
		assert 0.5 < gap < 10, gap  # a busy machine delays the one or the other
	bed.home.nothing(gratuitous, 1.3)


# HA4-HOME-05
def test_a_refresh_is_silent(bed):
	bed.register()
	bed.home.nothing(gratuitous, 0.5)


# HA4-HOME-08, HA4-HOME-09: refused, and told to the very station that asked
def test_a_refused_deregistration_changes_nothing(bed):
	message = bed.request(care_of=HOME_ADDRESS, lifetime=0, key="ff" * 16)
	from_home(bed, message)
	reply = bed.home.expect(lambda p: mip.is_message(p, 3), "denial on the home link")
	assert reply[Ether].dst == NODE_MAC and bytes(reply[UDP].payload)[1] == 131
	bed.home.nothing(gratuitous, 0.5)
	assert bed.gateway.binding(HOME_ADDRESS)


# HA4-HOME-06, HA4-HOME-07, HA4-HOME-09, HA4-HOME-11: V08, V09, V11 with a live binding
def test_coming_home(bed):
	message = bed.request(care_of=HOME_ADDRESS, lifetime=0)
	from_home(bed, message)
	reply = bed.home.expect(lambda p: mip.is_message(p, 3), "reply on the home link")
	assert reply[Ether].dst == NODE_MAC, reply.summary()
	assert bytes(reply[UDP].payload)[1] == 0 and reply[IP].dst == HOME_ADDRESS
	told = [bed.home.expect(gratuitous, "gratuitous ARP with the node's address") for _ in range(3)]
	assert {p[ARP].hwsrc for p in told} == {NODE_MAC}
	assert told[0][Ether].dst == "ff:ff:ff:ff:ff:ff"
	assert NODE_MAC in bed.network.ip("gateway", f"neigh show {HOME_ADDRESS} dev hpint")
	assert not bed.gateway.binding(HOME_ADDRESS)
	# What comes from outside goes to the node itself now.
	bed.outside.send(IP(src=ROUTER, dst=HOME_ADDRESS) / UDP(sport=1, dport=2) / Raw(b"home"))
	packet = bed.home.expect(lambda p: UDP in p and bytes(p[UDP].payload)[:4] == b"home", "datagram at home")
	assert packet[Ether].dst == NODE_MAC


# HA4-HOME-04: what was still to be told is given up when the node leaves again; HA4-HOME-11: the kernel forgets its address
def test_leaving_again_stops_the_node_s_announcements(bed):
	message = bed.request(care_of=HOME_ADDRESS, lifetime=0)
	bed.register()
	bed.home.expect(lambda p: gratuitous(p) and p[ARP].hwsrc == bed.macs["hpint"], "our announcement")
	from_home(bed, message)
	bed.home.nothing(lambda p: gratuitous(p) and p[ARP].hwsrc == NODE_MAC, 0.2)  # older than the registration: refused
	assert bed.gateway.binding(HOME_ADDRESS)
	assert NODE_MAC not in bed.network.ip("gateway", f"neigh show {HOME_ADDRESS} dev hpint")


# HA4-HOME-07: deregistration from elsewhere ends it without a word
def test_deregistration_from_elsewhere_is_silent(bed):
	message = bed.request(care_of=HOME_ADDRESS, lifetime=0)
	bed.send_request(message)
	bed.reply(message)
	bed.home.clear()
	bed.home.nothing(gratuitous, 1.5)


# HA4-HOME-12: after a restart the link is told again
def test_restarted_control_announces_away_nodes(bed):
	bed.register()
	for _ in range(3):
		bed.home.expect(gratuitous, "gratuitous ARP")
	bed.gateway.control.kill()
	bed.home.clear()
	bed.gateway.start_control()
	again = bed.home.expect(gratuitous, "gratuitous ARP after the restart")
	assert again[ARP].hwsrc == bed.macs["hpint"]


# HA4-HOME-13
def test_a_claim_for_an_away_address_is_logged(bed):
	bed.home.send(Ether(src=NODE_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=NODE_MAC, psrc=HOME_ADDRESS, pdst=HOME_ADDRESS))
	net.wait_for(lambda: "home_address_claimed" in bed.gateway.control.output() and NODE_MAC in bed.gateway.control.output(), "log line", 3)
	assert bed.gateway.binding(HOME_ADDRESS), "it must not change the binding"


# HA4-HOME-14, HA4-HOME-19: a solicitation is answered whatever its source, by hardware address
def test_a_solicitation_is_answered(bed):
	bed.home.send(Ether(src=NODE_MAC, dst=ALL_ROUTERS_MAC) / IP(src="198.51.100.99", dst="224.0.0.2", ttl=1) / ICMP(type=10, code=0))
	answer = bed.home.expect(lambda p: ICMP in p and p[ICMP].type == 9, "agent advertisement")
	assert answer[Ether].dst == NODE_MAC and answer[IP].ttl == 1
	extension = bytes(answer[ICMP])[16:]
	assert extension[0] == 16 and extension[1] == 6, extension.hex()
	assert int.from_bytes(extension[6:8], "big") & 0xf000 == 0x2000, extension.hex()  # H, not R, B or F


main(dict(globals()))  # noqa: F405
