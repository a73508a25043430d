"""Packets too large for the tunnel: ICMP towards the sender, fragments, reassembly, path MTU learned from outside."""
from scapy.all import fragment

from harness import *  # noqa: F403


def large(size, flags, number):
	return IP(src=CORRESPONDENT, dst=HOME_ADDRESS, flags=flags, id=number) / UDP(sport=9, dport=12) / Raw(bytes(size - 28))


def test_a_full_packet_with_df_brings_frag_needed(bed):  # HA4-MTU-02 HA4-MTU-03
	bed.register()
	bed.home.send(large(1500, "DF", 1))
	error = bed.home.expect(lambda p: ICMP in p and p[ICMP].type == 3 and p[ICMP].code == 4, "fragmentation needed")
	assert error[ICMP].nexthopmtu == 1480, error[ICMP].nexthopmtu
	assert error[IP].dst == CORRESPONDENT
	bed.outside.nothing(lambda p: IP in p and p[IP].proto == 4, 0.2)


def test_the_size_that_it_named_fits(bed):  # HA4-MTU-02
	bed.home.send(large(1480, "DF", 2))
	outer = bed.outside.expect(lambda p: IP in p and p[IP].proto == 4, "IP-in-IP packet")
	assert outer[IP].len == 1500, outer[IP].len


def test_without_df_it_is_fragmented_and_whole(bed):  # HA4-MTU-04
	packet = large(1500, 0, 3)
	bed.home.send(packet)
	pieces = {}
	total = None

	def whole():
		nonlocal total
		bed.outside.read()
		for frame in bed.outside.seen:
			if IP in frame and frame[IP].proto == 4:
				inner = IP(bytes(frame[IP].payload))
				pieces[inner.frag * 8] = bytes(inner.payload)[:inner.len - 20]
				if not inner.flags.MF:
					total = inner.frag * 8 + inner.len - 20
		bed.outside.seen.clear()
		return total is not None and sum(map(len, pieces.values())) == total
	net.wait_for(whole, "all fragments", 3)
	assert len(pieces) == 2, len(pieces)
	assert b"".join(pieces[k] for k in sorted(pieces)) == bytes(packet[UDP])


def test_fragments_of_the_tunnel_are_reassembled(bed):  # HA4-MTU-16 HA4-REV-19
	inner = IP(src=HOME_ADDRESS, dst=CORRESPONDENT, id=4) / UDP(sport=12, dport=9) / Raw(bytes(range(256)) * 5)
	outer = IP(src=CARE_OF, dst=AGENT, proto=4, id=5, flags=0) / inner
	for piece in reversed(fragment(outer, 600)):
		bed.outside.send(piece)
	got = bed.home.expect(lambda p: IP in p and p[IP].src == HOME_ADDRESS and UDP in p, "reassembled datagram")
	assert bytes(got[UDP].payload) == bytes(range(256)) * 5


def test_path_mtu_is_learned_from_the_tunnel(bed):  # HA4-MTU-01 HA4-MTU-06 HA4-MTU-08
	bed.home.send(large(1400, "DF", 6))
	outer = bed.outside.expect(lambda p: IP in p and p[IP].proto == 4, "IP-in-IP packet")
	quoted = bytes(outer[IP])[:28 + 20]
	bed.outside.send(IP(src="203.0.113.99", dst=AGENT) / ICMP(type=3, code=4, nexthopmtu=1300) / Raw(quoted))
	time.sleep(0.05)

	def told():
		bed.home.send(large(1400, "DF", 7))
		bed.home.read()
		found = [p for p in bed.home.seen if ICMP in p and p[ICMP].type == 3 and p[ICMP].code == 4]
		bed.home.seen.clear()
		return found
	error = net.wait_for(told, "fragmentation needed with the path's MTU", 3, 0.3)[-1]
	assert error[ICMP].nexthopmtu == 1280, error[ICMP].nexthopmtu
	bed.outside.clear()
	bed.home.send(large(1280, "DF", 8))
	outer = bed.outside.expect(lambda p: IP in p and p[IP].proto == 4, "IP-in-IP packet")
	assert outer[IP].len == 1300


main(dict(globals()))  # noqa: F405
