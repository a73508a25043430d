"""Keys over the keying socket, as charon's plugin gives them: pairs, moves, rekeys, events, and what is refused."""
from keying_bed import *  # noqa: F403


def inner(tunnel, size=100, number=0):
	return udp4(tunnel.sa.host, CORRESPONDENT, size, number)


def both_ways(bed, tunnel, size=200):
	bed.inward(tunnel.sa, inner(tunnel, size))
	bed.outward(tunnel.sa, udp4(CORRESPONDENT, tunnel.sa.host, size))


def test_a_pair_carries_both_ways(bed):  # KIF-08 KIF-09 KIF-15 KIF-16 KIF-19
	assert bed.client.welcome["spi_block"] == 16 and bed.client.welcome["dataplane"] == 1, bed.client.welcome
	bed.one = bed.tunnel("one")
	spi = bed.one.sa.spi_in
	rows = {row["direction"]: row for row in bed.live(bed.one)}
	assert 0xC0000000 <= spi <= 0xCFFFFFFF and spi % 256 == rows["in"]["sa_id"], (hex(spi), rows["in"])  # SAD-06: the SPI carries its slot
	assert rows["in"]["replay_window"] == 1024 and rows["in"]["origin"] == "ike", rows["in"]  # KIF-13
	both_ways(bed, bed.one)
	bed.inward(bed.one.sa, udp6(bed.one.sa.host6, CORRESPONDENT6, 150))
	bed.outward(bed.one.sa, udp6(CORRESPONDENT6, bed.one.sa.host6, 150))


def test_query_tells_what_passed(bed):  # KIF-23 LIFE-11 LIFE-12
	before, now = bed.one.query(True), int(time.monotonic())
	bed.inward(bed.one.sa, inner(bed.one, 100))
	after = bed.one.query(True)
	assert after["packets"] == before["packets"] + 1 and after["bytes"] > before["bytes"], (before, after)
	assert now - 1 <= after["last_use_s"] <= time.monotonic() + 1, (now, after)  # of the burst, by another clock of the same time
	out = bed.one.query(False)
	assert out["packets"] == out["sequence"] == 2, out
	bed.client.expect("not_found", "query_sa", keying.sa_id(4711, 1000, True))
	bed.client.expect("not_found", "query_sa", keying.sa_id(bed.one.handle_in, bed.one.sa.spi_in, False))


def test_clear_packets_of_the_peer_are_dropped(bed):  # SPD-16, issue 5 bad input
	before = bed.drops()
	bed.outside.send(inner(bed.one, 90))
	bed.drops_only({"policy_cleartext": 1}, before, "cleartext")
	before = bed.drops()
	bed.outside.send(bed.one.sa.protect(udp4("10.100.99.7", CORRESPONDENT, 90)))
	bed.drops_only({"ipsec_selector_mismatch": 1}, before, "another inner source")


def test_update_moves_without_loss(bed):  # MOB-01 MOB-02 MOB-03 MOB-08 NAT-07
	sequence = bed.one.query(False)["sequence"]
	old = bed.one.sa.protect(inner(bed.one, 77))
	flow = Flow(bed, bed.one.sa.host, 0.0015)
	for remote, encap, port in (("198.51.100.30", False, 4500), ("198.51.100.31", True, 41000), ("198.51.100.31", True, 42000), (PEER6, False, 4500), (PEER, False, 4500)):
		at = flow.sent
		net.wait_for(lambda: flow.sent > at + 60, "traffic", 5)
		bed.one.move(local=AGENT6 if ":" in remote else AGENT, remote=remote, remote_port=port, encap=encap)
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 60, "traffic", 5)
	arrived, _, clear = flow.finish([bed.one.sa])
	missing = set(range(flow.sent)) - set(arrived)
	assert not missing and not clear, f"{len(missing)} of {flow.sent} lost, {clear} in clear"
	numbers = [bed.one.sa.number_of(bed.one.sa.esp_of(p)) for p in flow.packets if bed.one.sa.esp_of(p)]
	assert numbers == list(range(sequence + 1, sequence + flow.sent + 1)), "numbers do not go on one by one"
	bed.home.clear()
	bed.outside.send(old)  # on its way since before the moves
	bed.home.expect(lambda f: UDP in f and len(f[Raw].load) == 49, "the packet from the old place")
	drops = bed.drops()
	bed.outside.send(old)  # the window lived through them
	bed.drops_only({"ipsec_replay": 1}, drops, "a replay")
	bed.client.expect("not_found", "update_sa", keying.update_sa(4711, 1000, True, *bed.one.ends(True)))
	bed.client.expect("bad_address", "update_sa", keying.update_sa(bed.one.handle_in, bed.one.sa.spi_in, True, PEER6, AGENT))
	both_ways(bed, bed.one)


def test_rekey_loses_nothing(bed):  # KIF-21 LIFE-06 LIFE-07 LIFE-08
	old = bed.one
	flow = Flow(bed, old.sa.host, 0.0015)
	net.wait_for(lambda: flow.sent > 60, "traffic", 5)
	new = bed.tunnel("two", reqid=old.reqid, identity=old.identity, local_ts=old.sa.local_ts, remote_ts=old.sa.remote_ts, install=False)
	new.sa.host, new.sa.host6 = old.sa.host, old.sa.host6
	new.add()
	new.add_policies(directions=(keying.IN, keying.FORWARD))
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 60, "traffic", 5)
	bed.inward(old.sa, inner(old, 91))  # both inbound ones take packets
	bed.inward(new.sa, inner(new, 92))
	switched = flow.sent
	new.add_policies(directions=(keying.OUT,))
	old.del_policies(directions=(keying.OUT,))
	old.delete(False)
	at = flow.sent
	net.wait_for(lambda: flow.sent > at + 60, "traffic", 5)
	bed.inward(old.sa, inner(old, 93))  # until its own delete
	old.del_policies(directions=(keying.IN, keying.FORWARD))
	old.delete(True)
	arrived, by, clear = flow.finish([old.sa, new.sa])
	missing = set(range(flow.sent)) - set(arrived)
	assert not missing and not clear, f"{len(missing)} of {flow.sent} lost, {clear} in clear"
	assert by["one"] >= switched - 5 and by["two"] >= 60, (by, switched)
	drops = bed.drops()
	bed.outside.send(old.sa.protect(inner(old, 94)))
	net.wait_for(lambda: sum(bed.moved(drops).values()) == 1, "the drop", 2)
	assert list(bed.moved(drops)) in (["ipsec_no_sa"], ["ipsec_no_sa_recent"]), bed.moved(drops)  # LIFE-10
	both_ways(bed, new)
	bed.one = new


def test_limits_expire(bed):  # LIFE-01 LIFE-02 LIFE-04 KIF-14 KIF-40
	few = bed.tunnel("few", lifetime=(0, 0, 0, 0, 3, 6))
	for number in range(3):
		bed.inward(few.sa, inner(few, 100 + number))
	soft = bed.client.event("expire", handle=few.handle_in)
	assert not soft["hard"] and soft["cause"] == "packets" and soft["destination"] == AGENT and soft["spi"] == few.sa.spi_in, soft
	for number in range(3):
		bed.inward(few.sa, inner(few, 110 + number))
	bed.outside.send(few.sa.protect(inner(few, 120)))
	hard = bed.client.event("expire", handle=few.handle_in)
	assert hard["hard"] and hard["cause"] == "packets", hard
	for number in range(4):
		bed.outward(few.sa, udp4(CORRESPONDENT, few.sa.host, 100 + number))
	soft = bed.client.event("expire", handle=few.handle_out)
	assert not soft["hard"] and soft["destination"] == PEER and soft["spi"] == few.sa.spi_out, soft
	soon = bed.tunnel("soon", lifetime=(2, 5, 0, 0, 0, 0))
	for inbound in (True, False):
		handle = soon.handle_in if inbound else soon.handle_out
		assert not bed.client.event("expire", handle=handle)["hard"]
		assert bed.client.event("expire", handle=handle)["hard"]
	for tunnel in (few, soon):
		tunnel.del_policies()
		tunnel.delete()


def test_a_new_mapping_is_told_and_followed_by_update(bed):  # NAT-09 NAT-10 KIF-41 MOB-15
	nat = bed.tunnel("nat", encap=True, remote="203.0.113.7", remote_port=40001)
	both_ways(bed, nat)
	old = nat.sa.protect(inner(nat, 101))
	bed.inward(nat.sa, inner(nat, 102), sport=40002)
	event = bed.client.event("mapping", handle=nat.handle_in)
	assert event["inbound"] and event["local"] == (AGENT, 4500) and event["remote"] == ("203.0.113.7", 40002), event
	outer = bed.outward(nat.sa, udp4(CORRESPONDENT, nat.sa.host, 103))[0]
	assert struct.unpack_from("!H", outer, 22)[0] == 40001, "the dataplane followed by itself"
	nat.move(remote_port=40002)
	outer = bed.outward(nat.sa, udp4(CORRESPONDENT, nat.sa.host, 104))[0]
	assert struct.unpack_from("!H", outer, 22)[0] == 40002, "the update was not followed"
	old[UDP].sport = 40009
	bed.outside.send(old)  # authentic, inside the window, not the newest: no mapping
	bed.home.expect(lambda f: UDP in f and len(f[Raw].load) == 73, "the old packet")
	bed.client.expect("ok", "udp_port", struct.pack("!HH", 4500, 4))
	assert not [e for e in bed.client.events if e["type"] == "mapping"], bed.client.events
	nat.del_policies()
	nat.delete()


def test_a_trap_asks_for_an_association(bed):  # KIF-16 KIF-42 SPD-12 SPD-13
	trap = keying.policy(keying.OUT, "10.1.0.0/16", "10.77.0.0/16", reqid=77, priority="ROUTED", source=AGENT, destination=PEER)
	bed.client.want("add_policy", trap)
	drops = bed.drops()
	bed.home.send(udp4(CORRESPONDENT, "10.77.0.9", 100))
	event = bed.client.event("acquire", reqid=77)
	assert event["source"] == ((CORRESPONDENT,) * 2, 17, 9, 9) and event["destination"] == (("10.77.0.9",) * 2, 17, 12, 12), event
	bed.drops_only({"policy_no_sa": 1}, drops, "the packet that asked")
	assert bed.client.ask("query_policy", trap)["hits"] == 1
	bed.client.want("del_policy", trap)
	bed.client.expect("not_found", "del_policy", trap)  # KIF-22


def test_policies_stack_by_priority(bed):  # KIF-17 KIF-18 KIF-20
	block = dict(action=keying.DROP, mode=0, reqid=0, spi=0, handle=0, source=None, destination=None)
	both_ways(bed, bed.one)
	rows = bed.one.policy_rows(directions=(keying.OUT,), priority="FALLBACK", **block)
	for row in rows:
		bed.client.want("add_policy", row)
	bed.outward(bed.one.sa, udp4(CORRESPONDENT, bed.one.sa.host, 100))  # it is below
	top = bed.one.policy_rows(directions=(keying.OUT,), priority="PASS", **block)
	for row in top:
		bed.client.want("add_policy", row)
	drops = bed.drops()
	bed.home.send(udp4(CORRESPONDENT, bed.one.sa.host, 101))
	bed.drops_only({"policy_discard": 1}, drops, "the policy on top")
	for row in top + rows:
		bed.client.want("del_policy", row)
	both_ways(bed, bed.one)


def test_bad_requests_change_nothing(bed):  # KIF-10 KIF-11 SAD-01 BAD-57 BAD-58
	sas, policies = len(bed.gateway.ask("sa", "show")), len(bed.gateway.ask("policy", "show"))
	t = bed.tunnel("bad", install=False)
	one, c = bed.one, bed.client
	bad_ts = ("10.9.0.0/24", 6, 90, 80)
	for status, text, message in (
			("bad_spi", "SPI 0 is reserved", t.message(True, spi=0)),
			("bad_spi", "SPI 255 is reserved", t.message(True, spi=255)),
			("bad_algorithm", "encryption algorithm 99", t.message(True, encryption=99)),
			("bad_algorithm", "needs", t.message(True, encryption=12)),
			("bad_key", "19 octets", t.message(True, key=bytes(19))),
			("bad_key", "integrity key of 4 octets", t.message(True, encryption=12, integrity=12, key=bytes(16), integrity_key=bytes(4))),
			("bad_address", "two families", t.message(True, ends=(PEER6, AGENT))),
			("bad_address", "unicast", t.message(True, ends=("224.0.0.5", AGENT))),
			("bad_address", "port 0", t.message(True, "encap", ends=((PEER, 0), (AGENT, 4500)))),
			("unsupported", "esp_ports", t.message(True, "encap", ends=((PEER, 40001), (AGENT, 4501)))),
			("bad_selector", "ends before it begins", t.message(True, source_ts=[bad_ts])),
			("bad_selector", "0 pairs", t.message(True, source_ts=["2001:db8::/32"], destination_ts=["10.1.0.0/16"])),
			("bad_selector", "18 pairs", t.message(True, source_ts=[f"10.9.{i}.0/24" for i in range(6)], destination_ts=[f"10.1.{i}.0/24" for i in range(3)])),
			("exists", "is another security association's", t.message(True, spi=one.sa.spi_in)),
			("exists", "other keys", one.message(True, key=bytes(20))),
			("conflict", "10.100.", t.message(True, source_ts=list(one.sa.remote_ts))),
			("unauthorised", "not authorised", t.message(True, mode=keying.TRANSPORT, source_ts=[PEER + "/32"], destination_ts=[AGENT + "/32"])),
			("unauthorised", "between two hosts", t.message(True, mode=keying.TRANSPORT)),
			("stale", "lost", t.message(True, "resume", spi=0x4711))):
		answer = c.ask("add_sa", message)
		assert answer["status"] == status and text in answer["text"], (status, text, answer)
	both = t.policy_rows(directions=(keying.OUT,))[0]
	c.expect("not_found", "add_policy", both)
	c.expect("conflict", "add_policy", one.policy_rows(directions=(keying.OUT,), handle=one.handle_in)[0])
	c.expect("conflict", "add_policy", one.policy_rows(directions=(keying.OUT,), action=keying.DROP)[0])
	c.expect("bad_selector", "add_policy", keying.policy(keying.OUT, bad_ts, "10.1.0.0/16"))
	c.expect("wrong_state", "replay_end")
	c.expect("wrong_state", "claim_spi", struct.pack("!I", 0x4711))
	c.expect("unsupported", "udp_port", struct.pack("!HH", 4501, 4))
	answer = c.want("add_sa", one.message(True))  # the same again
	c.want("del_sa", keying.sa_id(0, t.sa.spi_in, True))  # the lease
	c.expect("not_found", "del_sa", keying.sa_id(0, t.sa.spi_in, True))
	leases = [row for row in bed.gateway.ask("sa", "show") if row["state"] == "larval"]
	assert len(bed.gateway.ask("sa", "show")) == sas and not leases, "something was half applied"
	assert len(bed.gateway.ask("policy", "show")) == policies
	log = bed.gateway.control.output()
	assert "keying_refused" in log and "status=conflict" in log and one.sa.key_in.hex() not in log
	both_ways(bed, one)


def test_malformed_messages_end_the_connection_alone(bed):
	one = bed.one
	good = keying.pack("query_sa", 1, one.id(True))
	for octets in (b"", b"\0", good[:15], good[:-1], good + b"\0", bytes([0, 1, 0, 200]) + good[4:], bytes([0, 1, 0, 65]) + good[4:], bytes(70000), os.urandom(200)):
		bed.client.close()
		bed.connect(bed.client.instance, replay=False)
		if not octets:
			continue
		try:
			bed.client.socket.send(octets)
		except OSError as error:
			assert len(octets) > 4096, error
			continue
		answers = []
		while not bed.client.closed:
			assert bed.client.read_some(60), "the connection stays open"
			answers += [bed.client.answers.popitem()[1]] if bed.client.answers else []
			if bed.client.closed_by_peer(0.5):
				break
		assert answers and answers[0]["status"] in ("malformed", "wrong_version"), (octets[:20], answers)
	client = keying.KeyingClient(bed.keying_path, greet=False)
	answer = client.ask("query_sa", one.id(True))
	assert answer["status"] == "wrong_state" and client.closed_by_peer(), answer
	client = keying.KeyingClient(bed.keying_path, greet=False)
	client.socket.send(keying.pack("hello", 1, keying.hello(5), version=keying.VERSION + 1))
	answer = client.answer(1)
	assert answer["status"] == "wrong_version" and "version" in answer["text"] and client.closed_by_peer(), answer
	both_ways(bed, one)  # nobody's tunnel was hurt
	bed.connect(bed.client.instance, replay=False)
	second = keying.KeyingClient(bed.keying_path, greet=False)
	net.wait_for(lambda: second.read_some(0.1) or second.closed, "the second client's answer", 3)
	assert second.answers[0]["status"] == "busy" and second.closed_by_peer(), second.answers
	bed.client.replay(*replay_of(one))
	both_ways(bed, one)


def test_operators_see_charon(bed):
	show = bed.gateway.ask("show", "charon")
	assert show["connected"] and show["agent"] == "keying_client" and show["associations"] == 2 and show["policies"] == 6, show
	assert show["malformed"] >= 7 and show["conflicts"] == 3 and show["unauthorised"] == 2 and show["mappings"] == 1, show
	row = [row for row in bed.gateway.ask("policy", "show") if row["name"].startswith("ike-")][0]
	result = bed.gateway.ctl("policy", "del", row["name"])
	assert result.returncode and "charon's" in result.stderr + result.stdout, result
	spare = bed.tunnel("spare")
	name = next(row["name"] for row in bed.gateway.ask("sa", "show") if row["reqid"] == spare.reqid)
	bed.ctl("sa", "del", name)  # an operator may end it; charon hears
	assert {bed.client.event("expire", cause="removed")["handle"] for _ in range(2)} == {spare.handle_in, spare.handle_out}
	spare.del_policies()


def test_another_user_is_turned_away(bed):  # KIF-52
	assert os.stat(bed.keying_path).st_mode & 0o777 == 0o600
	os.chmod(bed.keying_path, 0o666)
	os.chmod(bed.network.directory, 0o755)
	code = ("import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); "
		"s.settimeout(60); sys.exit(0 if s.recv(100) == b'' else 1)")
	result = subprocess.run([sys.executable, "-c", code, bed.keying_path], capture_output=True, text=True)
	os.chmod(bed.keying_path, 0o600)
	assert result.returncode == 0, result.stderr
	assert "keying_stranger" in bed.gateway.control.output()


def test_what_a_replay_leaves_out_is_swept(bed):  # HA-07
	stays = bed.tunnel("stays")
	bed.connect(bed.client.instance, replay=False)
	bed.client.replay(*replay_of(stays))
	assert bed.live(stays) and not bed.live(bed.one)
	both_ways(bed, stays)
	bed.connect()  # another charon: it has nothing
	net.wait_for(lambda: not bed.gateway.ask("sa", "show"), "the last associations to go", 3)
	assert not bed.gateway.ask("policy", "show")
	bed.tunnel("last")
	both_ways(bed, bed.tunnels[-1])


run(globals())  # noqa: F405
