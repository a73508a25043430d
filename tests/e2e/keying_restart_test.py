"""The keying socket over stops and kills of either process: nothing lost, no number twice, no window reopened, nothing left behind."""
import signal

from keying_bed import *  # noqa: F403

MANY = 5000  # pairs: 10,000 add_sa


def inner(tunnel, size=100, number=0):
	return udp4(tunnel.sa.host, CORRESPONDENT, size, number)


def both_ways(bed, tunnel, size=200):
	bed.inward(tunnel.sa, inner(tunnel, size))
	bed.outward(tunnel.sa, udp4(CORRESPONDENT, tunnel.sa.host, size))


def no_number_twice(bed, tunnel):
	numbers = bed.ours[tunnel.sa.name]
	twice = [number for number, count in numbers.items() if count > 1]
	assert not twice, f"numbers used twice: {twice[:5]}"
	return sorted(numbers)


def test_control_killed_under_traffic_loses_nothing(bed):  # HA-07 KIF-51 LIFE-12 LIFE-14 ESP-SEQ-18
	t = bed.one = bed.tunnel("one", replay_window=128)
	bed.two = bed.tunnel("two", encap=True, remote="203.0.113.7", remote_port=40001)
	bed.claimed = bed.client.lease(2)
	old = t.sa.protect(inner(t, 90, 7))
	bed.outside.send(old)
	bed.home.expect(lambda p: UDP in p, "the first packet")
	before = t.query(False)
	flow = Flow(bed, t.sa.host, 0.002)
	net.wait_for(lambda: flow.sent > 100, "traffic", 5)
	bed.gateway.control.kill()
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 100, "traffic without control", 5)
	bed.start_control()
	assert bed.gateway.ask("show", "status")["synchronised"] is False, "the SAs of charon were given up before it came back"
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 100, "traffic before the replay", 5)
	instance, handles = bed.client.instance, bed.client.handles
	bed.connect(instance, replay=False)
	bed.client.handles = handles
	claims = [("claim_spi", struct.pack("!I", spi)) for spi in bed.claimed[:1]]
	bed.client.replay(*replay_of(bed.one, bed.two), *claims)
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 100, "traffic after the replay", 5)
	arrived, _, clear = flow.finish([t.sa])
	missing = set(range(flow.sent)) - set(arrived)
	assert not missing and not clear, f"{len(missing)} of {flow.sent} lost, {clear} in clear"
	numbers = no_number_twice(bed, t)
	assert numbers == list(range(1, flow.sent + 1)), (numbers[0], numbers[-1], flow.sent)
	after = t.query(False)
	assert after["packets"] == before["packets"] + flow.sent and after["sequence"] == numbers[-1], after
	drops = bed.drops()
	bed.outside.send(old)
	bed.drops_only({"ipsec_replay": 1}, drops, "a packet from before the kill")
	both_ways(bed, bed.two)
	net.wait_for(lambda: bed.gateway.ask("show", "status")["synchronised"], "the end of the resynchronisation", 5)
	drops = bed.drops()
	for spi, reason in ((bed.claimed[0], "ipsec_sa_larval"), (bed.claimed[1], "ipsec_no_sa_recent")):  # the second was not claimed
		bed.outside.send(IP(src=PEER, dst=AGENT, proto=50) / Raw(struct.pack("!II", spi, 1) + bytes(60)))
		net.wait_for(lambda: bed.moved(drops).get(reason), f"{reason} for SPI {spi:#x}", 2)


def test_an_association_that_control_never_had_comes_in_the_replay(bed):  # KIF-51
	bed.gateway.control.kill()
	instance, handles = bed.client.instance, bed.client.handles
	bed.start_control()
	bed.connect(instance, replay=False)
	bed.client.handles = handles
	three = Tunnel.__new__(Tunnel)
	sa = Sa("three", "aes128gcm16", 3)
	three.bed, three.sa, three.reqid, three.lifetime, three.identity = bed, sa, 3, (0,) * 6, "three@test"
	three.handle_in, three.handle_out = bed.client.handle(), bed.client.handle()
	sa.spi_in = bed.claimed[0]
	sa.towards = type(sa.towards)(sa.a, sa.spi_in, sa.key_in, sa.esn)
	three.policies = three.policy_rows()
	bed.sas["three"] = sa
	bed.tunnels.append(three)
	bed.client.replay(*replay_of(bed.one, bed.two), *replay_of(three, more=""))
	net.wait_for(lambda: bed.live(three), "the new pair", 5)
	for tunnel in (bed.one, bed.two, three):
		both_ways(bed, tunnel)
	bed.three = three


def test_the_dataplane_killed_under_traffic_repeats_no_number(bed):  # ESP-SEQ-02 ESP-SEQ-18
	t = bed.one
	old = t.sa.protect(inner(t, 91, 7))
	bed.outside.send(old)
	bed.home.expect(lambda p: UDP in p, "a packet inside")
	before = t.query(False)
	bed.gateway.dataplane.process.send_signal(signal.SIGKILL)
	bed.gateway.dataplane.process.wait()
	net.wait_for(lambda: t.query(False)["packets"] == before["packets"], "counters that stay", 3)  # LIFE-12
	fresh = bed.client.lease()[0]
	assert fresh, "no SPI without a dataplane"  # KIF-07
	net.wait_for(lambda: " hpext:" not in bed.network.ip("gateway", "-o link"), "the old TAPs to go", 5)
	bed.gateway.start_dataplane()
	bed.learn_macs()
	for tunnel in (bed.one, bed.two, bed.three):
		net.wait_for(lambda: bed.live(tunnel), "the pairs in the new dataplane", 5)
	drops = bed.drops()
	bed.outside.send(old)
	bed.drops_only({"ipsec_replay": 1}, drops, "a packet from before the kill")
	for tunnel in (bed.one, bed.two, bed.three):
		both_ways(bed, tunnel)
	assert t.query(False)["packets"] == before["packets"] + 1, (before, t.query(False))
	no_number_twice(bed, t)
	bed.client.want("del_sa", keying.sa_id(0, fresh, True))


def test_both_killed_means_to_negotiate_anew(bed):  # ESP-ALG-20 HA-05
	for process in (bed.gateway.control, bed.gateway.dataplane):
		process.process.send_signal(signal.SIGKILL)
		process.process.wait()
	net.wait_for(lambda: " hpext:" not in bed.network.ip("gateway", "-o link"), "the old TAPs to go", 5)
	bed.gateway.start_dataplane()
	bed.start_control()
	bed.learn_macs()
	instance = bed.client.instance
	bed.connect(instance, replay=False)
	net.wait_for(lambda: bed.gateway.ask("show", "status")["attached"], "the attachment", 5)
	bed.client.expect("ok", "replay_begin")
	for tunnel in (bed.one, bed.two, bed.three):
		for inbound in (True, False):
			answer = bed.client.ask("add_sa", tunnel.message(inbound, "resume"))
			assert answer["status"] == "stale" and "lost" in answer["text"], answer
	bed.client.expect("ok", "replay_end")
	assert not bed.gateway.ask("sa", "show") and not bed.gateway.ask("policy", "show")
	bed.client.handles = 100
	bed.four = bed.tunnel("four")
	both_ways(bed, bed.four)


def test_ten_thousand_add_sa_against_a_stopped_dataplane(bed):  # KIF-02 KIF-09 MP-07
	"""Every request is answered while the dataplane stands still, none of them behind the wait of another, and applied when it goes on."""
	c = bed.client
	spis = []
	while len(spis) < MANY:
		spis += c.lease(min(64, MANY - len(spis)))
	assert len(set(spis)) == MANY
	bed.gateway.dataplane.process.send_signal(signal.SIGSTOP)
	start = time.monotonic()
	spis += c.lease(1)  # the dataplane stands still: an answer did not wait for it
	sent, statuses, latest = {}, {}, 0

	def take():
		nonlocal latest
		for identifier, answer in list(c.answers.items()):
			latest = max(latest, time.monotonic() - sent[identifier])
			statuses[answer["status"]] = statuses.get(answer["status"], 0) + 1
			del c.answers[identifier], sent[identifier]
	for index in range(MANY):
		remote, subnet = f"198.51.{100 + index // 250}.{1 + index % 250}", f"172.{16 + index // 256}.{index % 256}.0/24"
		for inbound in (True, False):
			handle = 1000 + 2 * index + (not inbound)
			ends = (remote, AGENT) if inbound else (AGENT, remote)
			ts = (subnet, "10.1.0.0/16") if inbound else ("10.1.0.0/16", subnet)
			body = keying.add_sa(handle, spis[index] if inbound else 0x1000000 + index, *ends, key=struct.pack("!QQI", handle, 1, 2),
				source_ts=ts[0], destination_ts=ts[1], flags="inbound update" if inbound else "", reqid=1000 + index, identity=f"peer{index}")
			sent[c.send("add_sa", body)] = time.monotonic()
		while c.read_some(0):
			pass
		take()
	last = time.monotonic()
	while sent and time.monotonic() - last < 60:
		c.read_some(0.1)
		take()
	took = time.monotonic() - start
	assert took < 2 * MANY * c.welcome["wait_ms"] / 1000 / 4, f"{took:.0f} s: they waited one behind the other"
	assert statuses == {"accepted": 2 * MANY}, (statuses, len(sent))
	print(f"# {2 * MANY} add_sa in {took:.2f} s, the latest answer after {latest * 1000:.0f} ms, dataplane stopped")
	start = time.monotonic()
	bed.gateway.dataplane.process.send_signal(signal.SIGCONT)
	table = lambda: bed.gateway.ask("show", "status")  # noqa: E731
	net.wait_for(lambda: table()["commands_sent"] == table()["commands_applied"], "all of them applied", 20)
	probe = keying.sa_id(1000 + 2 * (MANY - 1), spis[MANY - 1], True)
	assert c.ask("query_sa", probe)["type"] == "sa_state"
	print(f"# applied {time.monotonic() - start:.2f} s after it went on")
	both_ways(bed, bed.four)
	rows = [row for row in bed.gateway.ask("sa", "show") if row["reqid"] >= 1000]
	assert len(rows) == 2 * MANY and all(row["in_dataplane"] for row in rows), len(rows)
	start = time.monotonic()
	c.expect("ok", "replay_begin")
	for message in replay_of(bed.four):
		c.want(*message)
	c.want("replay_end")
	net.wait_for(lambda: len(bed.gateway.ask("sa", "show")) == 2, "the sweep", 10)
	print(f"# swept in {time.monotonic() - start:.2f} s")
	both_ways(bed, bed.four)


run(globals(), limits="max_security_associations = 16384; max_policies = 2048; ", keying="grace_s = 30;")  # noqa: F405
