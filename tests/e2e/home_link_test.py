"""The home link: proxy ARP while a node is away, gratuitous ARP when it leaves and returns, quiet otherwise."""
from harness import *  # noqa: F403


def who_has(bed, address, seconds=1.0):
	bed.home.send(Ether(src=bed.home.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=bed.home.mac, psrc=CORRESPONDENT, pdst=address))
	return bed.home.expect(lambda p: ARP in p and p[ARP].op == 2 and p[ARP].psrc == address, f"ARP reply for {address}", seconds)


# HA4-HOME-02
def test_no_proxy_arp_for_a_node_at_home(bed):
	bed.home.send(Ether(src=bed.home.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=bed.home.mac, psrc=CORRESPONDENT, pdst=HOME_ADDRESS))
	bed.home.nothing(lambda p: ARP in p and p[ARP].op == 2 and p[ARP].psrc == HOME_ADDRESS, 0.5)


# HA4-HOME-03
def test_gratuitous_arp_when_a_node_leaves(bed):
	bed.register()
	gratuitous = bed.home.expect(lambda p: ARP in p and p[ARP].psrc == HOME_ADDRESS and p[ARP].pdst == HOME_ADDRESS, "gratuitous ARP")
	assert gratuitous[Ether].dst == "ff:ff:ff:ff:ff:ff"
	assert gratuitous[ARP].hwsrc == bed.macs["hpint"], gratuitous.summary()


# HA4-HOME-01
def test_proxy_arp_for_a_node_away(bed):
	reply = who_has(bed, HOME_ADDRESS)
	assert reply[ARP].hwsrc == bed.macs["hpint"] and reply[ARP].pdst == CORRESPONDENT
	assert reply[Ether].dst == bed.home.mac


def test_the_gateway_still_answers_for_itself(bed):
	reply = who_has(bed, "10.1.0.1")
	assert reply[ARP].hwsrc == bed.macs["hpint"]


def test_the_kernel_of_the_gateway_answers_ping(bed):
	bed.outside.send(IP(src=ROUTER, dst=AGENT) / ICMP(id=9, seq=1) / Raw(b"hello"))
	echo = bed.outside.expect(lambda p: ICMP in p and p[ICMP].type == 0 and p[IP].dst == ROUTER, "echo reply")
	assert bytes(echo[ICMP].payload) == b"hello"


# HA4-HOME-06: it stops with the last binding
def test_proxy_arp_ends_with_the_binding(bed):
	message = bed.request(care_of=HOME_ADDRESS, lifetime=0)
	bed.send_request(message)
	assert bytes(bed.reply(message)[UDP].payload)[1] == 0
	bed.home.clear()
	bed.home.send(Ether(src=bed.home.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=bed.home.mac, psrc=CORRESPONDENT, pdst=HOME_ADDRESS))
	bed.home.nothing(lambda p: ARP in p and p[ARP].op == 2 and p[ARP].psrc == HOME_ADDRESS, 0.5)


main(dict(globals()))  # noqa: F405
