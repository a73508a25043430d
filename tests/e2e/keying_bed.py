"""esp_bed.py with a keying socket, and a client in charon's place (keying_client.py) that installs pairs as charon does."""
from esp_bed import *  # noqa: F403

import keying_client as keying

ALGORITHMS = {"aes128gcm16": (20, 0), "aes256gcm16": (20, 0), "aes256-sha256": (12, 12), "chacha20poly1305": (28, 0)}


class KeyingBed(EspBed):
	def __init__(self, build, keying="", policies=(), **settings):
		super().__init__(build, sas=(), policies=list(policies), **settings)
		self.keying_path = self.network.path("keying.sock")
		self.gateway.more += f'keying = {{ socket = "{self.keying_path}"; {keying} }};\n'
		self.client, self.tunnels, self.reqids = None, [], 0

	def start(self):
		super().start()
		self.connect()

	def start_control(self):
		"""Attached; the resynchronisation ends with the replay."""
		self.gateway.synchronized = lambda status: status.get("attached", False)
		self.gateway.start_control()

	def connect(self, instance=None, replay=True):
		"""As charon's plugin does after its start and after each loss."""
		handles = self.client.handles if self.client else 0
		if self.client:
			self.client.close()

		def attempt():
			try:
				return keying.KeyingClient(self.keying_path, instance)
			except (FileNotFoundError, ConnectionRefusedError, BrokenPipeError, AssertionError):
				return None
		self.client = net.wait_for(attempt, "control's keying socket", 5)
		self.client.handles = handles  # never twice
		if replay:
			self.client.replay()
		return self.client

	def tunnel(self, name, algorithm="aes128gcm16", lifetime=(0,) * 6, identity=None, reqid=None, install=True, **settings):
		if reqid is None:
			self.reqids += 1
		tunnel = Tunnel(self, Sa(name, algorithm, len(self.tunnels) + 1, **settings), reqid or self.reqids, lifetime, identity or f"{name}@test")
		self.tunnels.append(tunnel)
		self.sas[name] = tunnel.sa
		if install:
			tunnel.add()
			tunnel.add_policies()
		return tunnel

	def live(self, tunnel):
		"""Both directions are in the dataplane."""
		rows = [row for row in self.gateway.ask("sa", "show") if row["reqid"] == tunnel.reqid and row["in_dataplane"]]
		return len(rows) == 2 and rows


class Tunnel:
	"""A CHILD_SA: one pair (esp_peer.Sa has the peer's side) and its policies."""

	def __init__(self, bed, sa, reqid, lifetime, identity):
		self.bed, self.sa, self.reqid, self.lifetime, self.identity = bed, sa, reqid, lifetime, identity
		self.handle_in, self.handle_out = bed.client.handle(), bed.client.handle()
		sa.spi_in = bed.client.lease()[0]
		sa.towards = type(sa.towards)(sa.a, sa.spi_in, sa.key_in, sa.esn)
		self.policies = []

	@property
	def client(self):
		return self.bed.client

	def ends(self, inbound):
		local, remote = (self.sa.local, self.sa.local_port), (self.sa.remote, self.sa.remote_port)
		return (remote, local) if inbound else (local, remote)

	def message(self, inbound, more="", **changes):
		sa = self.sa
		encryption, integrity = ALGORITHMS[sa.a.name]
		key = sa.key_in if inbound else sa.key_out
		flags = ("inbound update" if inbound else "initiator") + (" encap" if sa.encap else "") + (" esn" if sa.esn else "") + " copy_df copy_ecn copy_dscp_out"
		fields = dict(key=key[:sa.a.key], integrity_key=key[sa.a.key:], encryption=encryption, integrity=integrity, reqid=self.reqid,
			flags=f"{flags} {more}", lifetime=self.lifetime, name=sa.name, identity=self.identity,
			mode=keying.TRANSPORT if sa.mode == "transport" else keying.TUNNEL,
			source_ts=list(sa.remote_ts if inbound else sa.local_ts), destination_ts=list(sa.local_ts if inbound else sa.remote_ts))
		fields.update(changes)
		handle, spi = (self.handle_in, sa.spi_in) if inbound else (self.handle_out, sa.spi_out)
		return keying.add_sa(fields.pop("handle", handle), fields.pop("spi", spi), *fields.pop("ends", self.ends(inbound)), **fields)

	def add(self):
		self.client.want("add_sa", self.message(True))
		if self.client.want("add_sa", self.message(False))["status"] != "ok":
			net.wait_for(lambda: self.bed.live(self), f"{self.sa.name} in the dataplane", 5)

	def policy_rows(self, directions=(keying.IN, keying.FORWARD, keying.OUT), **changes):
		rows = []
		for direction in directions:
			for local in self.sa.local_ts:
				for remote in self.sa.remote_ts:
					if (":" in local) != (":" in remote):
						continue
					out = direction == keying.OUT
					fields = dict(handle=self.handle_out if out else 0, spi=self.sa.spi_out if out else self.sa.spi_in, reqid=self.reqid,
						source=self.sa.local if out else self.sa.remote, destination=self.sa.remote if out else self.sa.local)
					fields.update(changes)
					pair = (local, remote) if out else (remote, local)
					rows.append(keying.policy(direction, *pair, **fields))
		return rows

	def add_policies(self, **choice):
		for row in self.policy_rows(**choice):
			self.client.want("add_policy", row)
			self.policies.append(row)

	def del_policies(self, **choice):
		for row in self.policy_rows(**choice):
			self.client.want("del_policy", row)
			self.policies.remove(row)

	def delete(self, *directions):
		for inbound in directions or (True, False):
			self.client.want("del_sa", self.id(inbound))

	def id(self, inbound):
		return keying.sa_id(*((self.handle_in, self.sa.spi_in, True) if inbound else (self.handle_out, self.sa.spi_out, False)))

	def query(self, inbound):
		return self.client.ask("query_sa", self.id(inbound))

	def move(self, local=None, remote=None, remote_port=None, encap=None, status="ok"):
		"""update_sa of both directions, as MOBIKE has it."""
		sa = self.sa
		new = (local or sa.local, sa.local_port), (remote or sa.remote, remote_port or sa.remote_port)
		encap = sa.encap if encap is None else encap
		for inbound in (True, False):
			handle, spi = (self.handle_in, sa.spi_in) if inbound else (self.handle_out, sa.spi_out)
			ends = new[::-1] if inbound else new
			message = keying.update_sa(handle, spi, inbound, *ends, encap=encap)
			self.client.want("update_sa", message) if status == "ok" else self.client.expect(status, "update_sa", message)
		if status in ("ok", "accepted"):
			(sa.local, sa.local_port), (sa.remote, sa.remote_port) = new
			sa.encap = encap

	def replay(self, more="resume"):
		"""What the plugin sends of it after a loss."""
		return ([("add_sa", self.message(inbound, more)) for inbound in (True, False)], [("add_policy", row) for row in self.policies])


def replay_of(*tunnels, more="resume"):
	parts = [tunnel.replay(more) for tunnel in tunnels]
	return [m for sas, _ in parts for m in sas] + [m for _, policies in parts for m in policies]


def run(tests, **settings):
	main(tests, bed_class=KeyingBed, **settings)  # noqa: F405
