"""A thousand tunnels set up as fast as charon can, by strongSwan's load tester; the same with charon's own kernel-libipsec beside it.

The rates are told, not judged: both ends and all four processes share the machine's cores.
"""
import os
import re
import time

import bed
import network as net
import strongswan

TUNNELS, INITIATORS = int(os.environ.get("INTEROP_TUNNELS", 1000)), 4
ROUND, ROUNDS = int(os.environ.get("INTEROP_ROUND", 400)), int(os.environ.get("INTEROP_ROUNDS", 3))
BUSY = """threads = 32
  dos_protection = no
  ikesa_table_size = 2048
  ikesa_table_segments = 16
  cookie_threshold = 0
  block_threshold = 0"""
PLAIN = "203.0.113.1"


def tester(b, name, responder, tunnels):
	"""charon that plays the clients: their IPsec is a fake, their IKE is not."""
	library = os.path.join(strongswan.programs.ROOT, b.build, "tests", "interop", "libstrongswan-load-tester.so")
	charon = strongswan.Charon(b.network, "client", name, "", "", plugins="load-tester", log=0, preload=library,
		settings="threads = 32\n  ikesa_table_size = 2048\n  ikesa_table_segments = 16", plugin_settings=f"""load-tester {{
      enable = yes
      fake_kernel = yes
      initiators = {INITIATORS}
      iterations = {tunnels // INITIATORS}
      init_limit = 100
      delay = 1
      responder = {responder}
      responder_auth = psk
      responder_id = gw.example
      initiator_auth = psk
      initiator_id = c%d-r%d.example
      preshared_key = {bed.SECRET.replace(" ", "-")}
      proposal = {bed.IKE}
      esp = aes128gcm16
      request_virtual_ip = yes
      initiator_tsr = 10.1.0.0/16
      child_rekey = 36000
    }}""")
	b.charons.append(charon)
	return charon


def established(charon):
	match = re.search(r"IKE_SAs: (\d+) total, (\d+) half-open", charon.swanctl("--stats"))
	return int(match.group(1)) - int(match.group(2))


def cpu_ms(*processes):
	"""What they have used so far: tells more than a rate does where others use the machine as well."""
	total = 0
	for process in processes:
		with open(f"/proc/{process.pid}/stat") as file:
			fields = file.read().rsplit(")", 1)[1].split()
		total += int(fields[11]) + int(fields[12])
	return total * 1000 / os.sysconf("SC_CLK_TCK")


def set_up(b, name, responder, server, tunnels):
	"""Seconds from the first tunnel to the last."""
	client = tester(b, name, responder, tunnels)
	client.start()
	net.wait_for(lambda: established(server) > 0, "the first tunnel", 20, 0.01)
	start = time.monotonic()
	net.wait_for(lambda: established(server) >= tunnels, f"{tunnels} tunnels", 120, 0.05)
	return client, time.monotonic() - start


def test_a_thousand_tunnels_to_homeport(b):  # KIF-02, KIF-07..09, KIF-24
	client, seconds = set_up(b, "clients", bed.GATEWAY, b.server, TUNNELS)
	print(f"# {TUNNELS} tunnels in {seconds:.2f} s")
	b.clients = client
	try:
		rows = net.wait_for(lambda: (lambda rows: rows if len(rows) == 2 * TUNNELS else None)(b.rows()), f"{2 * TUNNELS} SAs", 20, 0.2)
	except net.Failure as error:
		wrong = b.server.said(r".*(homeport: |refused|failed|unable).*")
		raise net.Failure(f"{error}: {len(b.rows())}, {established(b.server)} IKE SAs, {wrong and wrong.group(0)}") from None
	assert all(row["in_dataplane"] for row in rows)
	# An inbound and an outbound policy each (IN and FWD are one).
	net.wait_for(lambda: len(b.gateway.ask("policy", "show")) == 2 * TUNNELS, f"{2 * TUNNELS} policies", 20, 0.2)
	assert not b.server.said("refused|failed"), b.server.said(".*(refused|failed).*").group(0)
	start = time.monotonic()
	text = b.server.swanctl("--list-sas", seconds=60)
	print(f"# charon lists {text.count('INSTALLED')} associations with their use in {time.monotonic() - start:.2f} s")


def test_all_of_them_go(b):  # KIF-25
	start = time.monotonic()
	for _ in range(20):
		b.server.run("--terminate", "--ike", "rw", "--timeout", "5")
		if not b.rows():
			break
	net.wait_for(lambda: not b.rows(), "no SA", 60, 0.3)
	net.wait_for(lambda: not b.gateway.ask("policy", "show"), "no policy", 20, 0.2)
	print(f"# gone in {time.monotonic() - start:.1f} s")
	b.clients.kill()


def test_the_rate_beside_that_of_kernel_libipsec(b):
	"""In turn, each round with new processes: the machine may be busy, and not always alike."""
	plain = strongswan.Charon(b.network, "plain", "plain", "libipsec", bed.connection("rw", PLAIN, None, bed.child("net", "10.1.0.0/16"),
		"auth = psk\nid = gw.example", "auth = psk\nid = %any", "pools = pool4"), secrets=secret(), pools="pool4 {\naddrs = 10.9.0.0/16\n}",
		settings=BUSY, log=0)
	b.charons.append(plain)
	b.server.kill()
	rates, used = {b.server: [], plain: []}, {b.server: [], plain: []}
	beside = {b.server: [b.gateway.control, b.gateway.dataplane], plain: []}
	for index in range(ROUNDS):
		for server, address in ((b.server, bed.GATEWAY), (plain, PLAIN)):
			server.start()
			before = cpu_ms(server.process, *beside[server])
			client, seconds = set_up(b, f"clients-{server.name}-{index}", address, server, ROUND)
			rates[server].append(ROUND / seconds)
			used[server].append((cpu_ms(server.process, *beside[server]) - before) / ROUND)
			for charon in (client, server):
				charon.kill()
	ours, theirs = (sorted(rates[charon])[ROUNDS // 2] for charon in (b.server, plain))
	costs = [sorted(used[charon])[ROUNDS // 2] for charon in (b.server, plain)]
	shown = "; ".join(f"{charon.name}: {' '.join(f'{rate:.0f}' for rate in found)}" for charon, found in rates.items())
	print(f"# tunnels a second, median of {ROUNDS}: {ours:.0f} with homeport, {theirs:.0f} with kernel-libipsec ({ours / theirs:.2f} times); {shown}")
	print(f"# CPU of a tunnel: {costs[0]:.2f} ms of charon, control and dataplane; {costs[1]:.2f} ms of charon with kernel-libipsec")


def secret():
	return bed.secret().replace(bed.SECRET, bed.SECRET.replace(" ", "-"))


class Load(bed.Road):
	def __init__(self, build):
		# All clients have one address: the budget of IKE messages of one neighbourhood (AUD-12) is not what is measured.
		super().__init__(build, sas=4096, policies=8192, gateway_settings=BUSY, dataplane="ike_source_rate = 100000; ike_begin_rate = 100000;"
			" ike_rate = 100000;")
		n = self.network
		n.namespace("plain")
		n.link("internet", "to-plain", "plain", "ext")
		n.ip("internet", "addr add 203.0.113.254/24 dev to-plain")
		n.ip("plain", f"addr add {PLAIN}/24 dev ext")
		n.ip("plain", "route add default via 203.0.113.254")
		self.server.secrets = secret()
		self.server.log_level, self.server.level = 0, 1

	def start(self):
		self.gateway.start()
		self.server.start()


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=Load)
