"""Either process killed with -9 under traffic: nothing lost without control, everything back after the dataplane."""
import threading

from harness import *  # noqa: F403


class Flow:
	"""Numbered datagrams to the node, one every 2 ms, and which of them came out of the tunnel."""

	def __init__(self, bed):
		self.bed, self.end, self.sent, self.failures = bed, threading.Event(), 0, 0
		self.template = bed.home.frame(IP(src=CORRESPONDENT, dst=HOME_ADDRESS, chksum=0) / UDP(sport=9, dport=11, chksum=0) / Raw(b"????"))
		self.frames = [bed.home.frame(IP(src=CORRESPONDENT, dst=HOME_ADDRESS) / UDP(sport=9, dport=11) / Raw(n.to_bytes(4, "big")))
			for n in range(1500)]
		self.thread = threading.Thread(target=self.run, daemon=True)

	def run(self):
		while not self.end.is_set() and self.sent < len(self.frames):
			self.bed.home.sock.send(self.frames[self.sent])
			self.sent += 1
			time.sleep(0.002)

	def finish(self):
		"""Numbers that did not arrive."""
		self.end.set()
		self.thread.join()
		arrived = set()

		def look():
			self.bed.outside.read()
			for packet in self.bed.outside.seen:
				if IP in packet and packet[IP].proto == 4 and bytes(packet)[34 + 20 + 2:34 + 20 + 4] == b"\x00\x0b":
					arrived.add(int.from_bytes(bytes(packet)[-4:], "big"))
			self.bed.outside.seen.clear()
			return len(arrived) >= self.sent
		try:
			net.wait_for(look, "all datagrams", 2)
		except net.Failure:
			pass
		return sorted(set(range(self.sent)) - arrived)


# HA4-OPS-19: control killed with -9 loses no packet
def test_control_killed_under_traffic_loses_nothing(bed):
	bed.register(lifetime=600)
	bed.home.send(IP(src=CORRESPONDENT, dst=HOME_ADDRESS) / UDP(sport=9, dport=10) / Raw(b"first"))
	bed.outside.expect(lambda p: IP in p and p[IP].proto == 4, "IP-in-IP packet")
	flow = Flow(bed)
	flow.thread.start()
	net.wait_for(lambda: flow.sent > 200, "traffic", 5)
	bed.gateway.control.kill()
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 200, "traffic without control", 5)
	bed.gateway.start_control()
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 150 or flow.sent >= 1500, "traffic after control's return", 5)
	lost = flow.finish()
	assert flow.sent > 500 and not lost, f"{len(lost)} of {flow.sent} lost, first {lost[:3]}"


# HA4-RPL-10 HA4-OPS-19: bindings and last identifications survive
def test_control_remembers_bindings_and_identifications(bed):
	binding = bed.gateway.binding(HOME_ADDRESS)
	assert binding and binding["care_of_address"] == CARE_OF, bed.gateway.bindings()
	assert binding["remaining_s"] < 600
	message, _ = bed.register(lifetime=400)
	bed.gateway.control.kill()
	bed.gateway.start_control()
	old = bed.request(lifetime=99, identification=int.from_bytes(message[16:24], "big") - (1 << 32))
	bed.send_request(old)
	assert bytes(bed.reply(old)[UDP].payload)[1] == 133


# the dataplane killed: control replays everything to its successor
def test_dataplane_killed_gets_all_bindings_again(bed):
	bed.register(lifetime=600)
	bed.register(NODES[1], source="198.51.100.24", care_of="198.51.100.24")
	bed.gateway.dataplane.kill()
	taps = lambda: bed.network.ip("gateway", "-o link")  # noqa: E731
	net.wait_for(lambda: " hpext:" not in taps(), "the old TAPs to go", 5)
	bed.gateway.start_dataplane()
	bed.learn_macs()

	def tunnelled():
		bed.home.send(IP(src=CORRESPONDENT, dst=HOME_ADDRESS) / UDP(sport=9, dport=10) / Raw(b"again"))
		bed.home.send(IP(src=CORRESPONDENT, dst="10.1.0.11") / UDP(sport=9, dport=10) / Raw(b"again"))
		bed.outside.read()
		found = {p[IP].dst for p in bed.outside.seen if IP in p and p[IP].proto == 4}
		return {CARE_OF, "198.51.100.24"} <= found
	net.wait_for(tunnelled, "both tunnels of the new dataplane", 10, 0.05)
	# the reply path works as well
	bed.outside.clear()
	bed.register(lifetime=600)


main(dict(globals()))  # noqa: F405
