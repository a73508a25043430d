"""What an authenticated peer may still not have over the keying socket: ends of transport mode, outer addresses, slots, moves without end."""
from keying_bed import *  # noqa: F403

LISTED, FURTHER = "198.51.100.40", "203.0.113.9"


def host(address):
	return f"{address}/{128 if ':' in address else 32}"


def transport(bed, name, remote, identity=None, install=True, **settings):
	return bed.tunnel(name, mode="transport", remote=remote, local_ts=[host(AGENT)], remote_ts=[host(remote)], identity=identity, install=install, **settings)


def echo(bed, tunnel, source=None):
	"""An ICMP echo to the gateway itself, inside transport mode; the kernel answers, under ESP."""
	sa = tunnel.sa
	request = ICMP(id=7, seq=sa.number + 1) / Raw(b"transport")
	bed.outside.send(sa.outer(sa.esp(bytes(request), next_header=1), source=source))
	frame = bed.outside.expect(lambda f: ip_octets(f) and sa.esp_of(ip_octets(f)), f"{sa.name}: the answer under ESP")
	outer = ip_octets(frame)
	bed.note(outer)
	payload, next_header, _, _ = sa.open(sa.esp_of(outer))
	assert next_header == 1 and payload[0] == 0 and payload[8:] == b"transport", payload
	return socket.inet_ntoa(outer[16:20])


def refused(bed, tunnel, status, text):
	answer = bed.client.ask("add_sa", tunnel.message(True))
	assert answer["status"] == status and text in answer["text"], answer


def test_transport_mode_ends_where_it_may(bed):  # TRN-11 BAD-58
	listed = transport(bed, "listed", LISTED, "router@test")
	assert echo(bed, listed) == LISTED
	stranger = transport(bed, "stranger", LISTED, "other@test", install=False)
	refused(bed, stranger, "unauthorised", "transport_peers")
	peer = transport(bed, "peer", PEER, install=False)
	refused(bed, peer, "unauthorised", "not authorised")
	bed.client.want("add_sa", peer.message(True, peer_addresses=[PEER]))  # the IKE peer's own
	further = transport(bed, "further", FURTHER, install=False)
	refused(bed, further, "unauthorised", "not authorised")
	bed.client.want("add_sa", further.message(True, peer_addresses=[PEER, FURTHER]))  # of its MOBIKE set
	elsewhere = transport(bed, "elsewhere", "203.0.113.10", install=False)
	answer = bed.client.ask("add_sa", elsewhere.message(True, peer_addresses=[PEER, FURTHER]))
	assert answer["status"] == "unauthorised", answer
	answer = bed.client.ask("add_sa", elsewhere.message(True, destination_ts=["192.0.2.77/32"], peer_addresses=["203.0.113.10"]))
	assert answer["status"] == "unauthorised" and "not the gateway's" in answer["text"], answer
	assert bed.gateway.ask("show", "charon")["unauthorised"] == 5
	for tunnel in (peer, further):
		tunnel.delete(True)
	listed.del_policies()
	listed.delete()


def restarted(bed, tunnel, first):
	"""Control dies. What the plugin says to the next one: the SA with its first ends and selectors, its policies, where it is now."""
	def replay():
		updates = [("update_sa", keying.update_sa(handle, spi, inbound, *tunnel.ends(inbound))) for inbound, handle, spi in
			((True, tunnel.handle_in, tunnel.sa.spi_in), (False, tunnel.handle_out, tunnel.sa.spi_out))]
		now, tunnel.sa.remote = tunnel.sa.remote, first
		messages = replay_of(tunnel)
		tunnel.sa.remote = now
		bed.client.replay(*messages, *updates)
	instance, handles = bed.client.instance, bed.client.handles
	bed.gateway.control.kill()
	bed.start_control()
	bed.connect(instance, replay=False)
	bed.client.handles = handles
	replay()
	drops = bed.drops()
	bed.connect(instance, replay=False)  # the socket alone was lost: control knows all of it, and nothing moves back
	bed.client.handles = handles
	replay()
	net.wait_for(lambda: bed.live(tunnel), "the SA", 5)
	bed.drops_only({}, drops, "the second replay")


def test_transport_mode_moves_with_its_peer(bed):  # TRN-13 GAP-07
	moved = transport(bed, "moved", "198.51.100.41", "router@test")
	old = list(moved.policies)
	assert echo(bed, moved) == "198.51.100.41"
	moved.move(remote="198.51.100.42")
	rows = {row["direction"]: row for row in bed.live(moved)}
	assert rows["in"]["selectors"][0]["remote"] == "198.51.100.42", rows["in"]["selectors"]
	assert echo(bed, moved) == "198.51.100.42"
	restarted(bed, moved, "198.51.100.41")
	assert echo(bed, moved) == "198.51.100.42"
	assert {row["selectors"][0]["remote"] for row in bed.live(moved)} == {"198.51.100.42"}
	for row in old:  # charon names them by the old selectors
		bed.client.want("del_policy", row)
	bed.client.expect("not_found", "del_policy", old[0])
	moved.delete()
	again = transport(bed, "again", "198.51.100.41", "somebody-else@test", install=False)
	refused(bed, again, "unauthorised", "not authorised")  # and not a conflict: the address is free


def test_home_addresses_do_not_move(bed):  # TRN-12 GAP-07
	proxy = transport(bed, "proxy", "198.51.100.43", "router@test", install=False)
	ends = lambda inbound: ("198.51.100.43", AGENT) if inbound else (AGENT, "198.51.100.43")  # noqa: E731 (port 0)
	for inbound in (True, False):
		bed.client.want("add_sa", proxy.message(inbound, ends=ends(inbound)))
	answer = bed.client.ask("update_sa", keying.update_sa(proxy.handle_in, proxy.sa.spi_in, True, "198.51.100.44", AGENT))
	assert answer["status"] == "refused" and "not moved" in answer["text"], answer
	row = [r for r in bed.live(proxy) if r["direction"] == "in"][0]
	assert row["remote"] == "198.51.100.43", row
	proxy.delete()


def test_peers_stay_in_their_prefixes(bed):  # MOB-11 GAP-02
	far = bed.tunnel("far", remote="100.64.0.9", install=False)
	refused(bed, far, "refused", "keying.peers")
	near = bed.near = bed.tunnel("near", remote=PEER)
	near.move(remote="198.51.100.50")
	answer = bed.client.ask("update_sa", keying.update_sa(near.handle_out, near.sa.spi_out, False, AGENT, "100.64.0.9"))
	assert answer["status"] == "refused" and "keying.peers" in answer["text"], answer
	bed.outward(near.sa, udp4(CORRESPONDENT, near.sa.host, 100))


def test_moves_without_end_are_delayed(bed):  # MOB-17
	near = bed.near
	answers = []
	for n in range(80):
		body = keying.update_sa(near.handle_out, near.sa.spi_out, False, AGENT, f"198.51.100.{60 + n}")
		answers.append(bed.client.ask("update_sa", body)["status"])
	show = bed.gateway.ask("show", "charon")
	assert 18 <= show["moves_delayed"] <= 24, show
	assert set(answers) <= {"ok", "accepted"} and set(answers[:30]) != {"accepted"}, answers
	row = [r for r in bed.live(near) if r["direction"] == "out"][0]
	assert row["remote"] in [f"198.51.100.{60 + n}" for n in range(55, 62)], row
	for row in near.policy_rows():  # with the addresses of now; they were added with others
		bed.client.want("del_policy", row)
	assert not bed.gateway.ask("policy", "show")
	near.delete()


def test_slots_run_out_with_an_answer(bed):  # SAD-09 BAD-59
	leased = []
	while True:
		answer = bed.client.ask("lease_spis", struct.pack("!I", 64))
		if answer["type"] != "spis":
			break
		leased += answer["spis"]
	assert answer["status"] == "no_room" and len(leased) <= 16, (answer, len(leased))
	for spi in leased:
		bed.client.want("del_sa", keying.sa_id(0, spi, True))
	tunnels, before = [], len(bed.gateway.ask("sa", "show"))
	for n in range(40):
		handle = 500 + n
		body = keying.add_sa(handle, 0x5000 + n, AGENT, "198.51.100.99", key=struct.pack("!QQI", handle, 1, 2), source_ts="10.1.0.0/16",
			destination_ts=f"10.200.{n}.0/24", reqid=handle)
		status = bed.client.ask("add_sa", body)
		if status["status"] == "no_room":
			break
		tunnels.append((handle, 0x5000 + n))
	assert status["status"] == "no_room" and "max_security_associations" in status["text"], status
	assert len(bed.gateway.ask("sa", "show")) == before + len(tunnels)
	for handle, spi in tunnels:
		bed.client.want("del_sa", keying.sa_id(handle, spi, False))
	policies = 0
	while True:
		row = keying.policy(keying.OUT, "10.1.0.0/16", f"10.210.{policies}.0/24", action=keying.DROP, mode=0, reqid=0)
		answer = bed.client.ask("add_policy", row)
		if answer["status"] not in ("ok", "accepted"):
			break
		policies += 1
	assert answer["status"] == "no_room" and policies > 16, (answer, policies)
	bed.client.expect("not_found", "del_policy", row)
	bed.client.want("flush_policies")
	bed.client.want("flush_sas")
	assert not bed.gateway.ask("sa", "show") and not bed.gateway.ask("policy", "show")


def test_an_absent_charon_is_waited_for_and_no_longer(bed):  # HA-07
	last = bed.tunnel("last", remote="198.51.100.23")
	bed.inward(last.sa, udp4(last.sa.host, CORRESPONDENT, 100))
	bed.client.close()
	bed.gateway.control.kill()
	bed.start_control()
	assert bed.gateway.ask("show", "charon")["awaited"]
	bed.inward(last.sa, udp4(last.sa.host, CORRESPONDENT, 101))  # meanwhile it goes on
	net.wait_for(lambda: not bed.gateway.ask("show", "charon")["awaited"], "the end of the grace", 10)
	net.wait_for(lambda: bed.gateway.ask("show", "status")["synchronised"], "the sweep", 5)
	drops = bed.drops()
	bed.outside.send(last.sa.protect(udp4(last.sa.host, CORRESPONDENT, 102)))
	net.wait_for(lambda: bed.moved(drops).get("ipsec_no_sa_recent"), "the drop of what is no SA any more", 3)
	bed.connect(bed.client.instance, replay=False)
	bed.client.expect("ok", "replay_begin")
	for inbound in (True, False):
		answer = bed.client.ask("add_sa", last.message(inbound, "resume"))
		print(f"# after the grace: {answer['status']}")
		assert answer["status"] in ("accepted", "stale"), answer
	bed.client.want("replay_end")


run(globals(), limits="max_security_associations = 32; max_policies = 32; ",  # noqa: F405
	keying='grace_s = 8; transport = "peer-set"; peers = [ "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32" ];'
	'transport_peers = ( { identity = "router@test"; addresses = [ "198.51.100.40/30" ]; } );')
