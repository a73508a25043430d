"""Starts homeport's programs inside namespaces, writes their configuration, asks them through homeportctl.

Each run has its own sockets, store and EAL file prefix in its own directory: nothing of the machine's is touched.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import network as net  # noqa: E402

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))

BINARIES = {
	"homeport-dataplane": "dataplane/homeport-dataplane",
	"homeport-control": "control/homeport-control",
	"homeportctl": "control/ctl/homeportctl",
	"homeport-pktgen": "pktgen/generator/homeport-pktgen",
	"homeport-mobile-node": "pktgen/mobile_node/homeport-mobile-node",
	"homeport-foreign-agent": "pktgen/foreign_agent/homeport-foreign-agent",
}


def binary(build, name):
	"""Path of a program in a build directory, wherever its meson.build put it."""
	build = os.path.join(ROOT, build)
	path = os.path.join(build, BINARIES[name])
	if os.path.isfile(path):
		return path
	for folder, _, files in os.walk(build):
		if name in files:
			return os.path.join(folder, name)
	raise net.Failure(f"{name} is not in {build}")


FRAMES = 4096  # of a device's queue: the gateway is a process among others, and what comes while it does not run must find room


class Gateway:
	"""homeport-dataplane and homeport-control in one namespace.

	HOMEPORT_WORKERS and HOMEPORT_QUEUES in the environment: as many workers, and queue pairs a device (fewer than workers: they
	hand frames over to the one that owns the device).
	ports: (interface, zone, tap, address of the tap or None, home prefix on that link or None)
	nodes: dict(home_address, nai, spi, key) and more settings by name
	name: tells the files of several gateways of one run apart, as "-a"
	"""

	def __init__(self, network, where, build, agent, ports, nodes, routes=(), instance="", dataplane="", control="", more="",
			virtual=(), name=""):
		self.network, self.where, self.build, self.name = network, where, build, name
		self.agent, self.ports, self.nodes, self.routes, self.virtual = agent, ports, nodes, routes, virtual
		self.instance, self.dataplane_settings, self.control_settings, self.more = instance, dataplane, control, more
		self.config = network.path(f"homeport{name}.cfg")
		self.operator_socket = network.path(f"control{name}.sock")
		self.attach_socket = network.path(f"dataplane{name}.sock")
		self.store = network.path(f"store{name}")
		self.dataplane = self.control = None
		self.starts = 0

	# ---- configuration

	def text(self):
		workers, pairs = int(os.environ.get("HOMEPORT_WORKERS", 1)), int(os.environ.get("HOMEPORT_QUEUES", 1))
		queues = f",qpairs={pairs}" if pairs > 1 else ""
		ports = ",\n".join(
			f'    {{ name = "{interface}"; device = "net_af_packet{index},iface={interface}{queues},framecnt={FRAMES}"; tap = "{tap}"; zone = "{zone}"; '
			f'checksum_check = false; }}' for index, (interface, zone, tap, _, _) in enumerate(self.ports))
		links = [f'{{ prefix = "{prefix}"; port = "{interface}"; }}' for interface, _, _, _, prefix in self.ports if prefix]
		links += [f'{{ prefix = "{prefix}"; }}' for prefix in self.virtual]
		nodes = ",\n".join(self.node_text(node) for node in self.nodes)
		return f"""# made by scripts/lib/programs.py for one run
dataplane = {{
  socket = "{self.attach_socket}";
  workers = {workers};
  huge_pages = false;
  memory_mb = 256;
  file_prefix = "{self.network.prefix}{self.name}";
  idle = "adaptive";
  buffers = 8192;
  max_bindings = 4096; max_prefixes = 256; max_routes = 1024; max_neighbors = 1024;
  {self.dataplane_settings}
  ports = (
{ports}
  );
}};
control = {{
  socket = "{self.operator_socket}";
  store = "{self.store}";
  user = "";
  kernel_mirror = true;
  {self.control_settings}
}};
instances = ( {{
  name = "home";
  addresses = [ "{self.agent}" ];
  home_networks = ( {", ".join(links)} );
  {self.instance}
}} );
mobile_nodes = (
{nodes}
);
{self.more}
"""

	@staticmethod
	def node_text(node):
		rest = {k: v for k, v in node.items() if k not in ("home_address", "nai", "spi", "key", "algorithm", "replay", "more")}
		text = f'nai = "{node["nai"]}"; ' if node.get("nai") else ""
		if node.get("home_address"):
			text += f'home_address = "{node["home_address"]}"; '
		text += "".join(f"{name} = {json.dumps(value)}; " for name, value in rest.items())
		security = f'spi = {node["spi"]}; key = "{node["key"]}"; algorithm = "{node.get("algorithm", "hmac-md5")}";'
		if node.get("replay"):
			security += f' replay = "{node["replay"]}";'
		return f'  {{ {text}instance = "home"; security = ( {{ {security} }} ); {node.get("more", "")} }}'

	def write(self):
		with open(self.config, "w") as file:
			file.write(self.text())
		os.chmod(self.config, 0o600)
		os.makedirs(self.store, exist_ok=True)

	# ---- processes

	def start(self):
		self.write()
		self.start_dataplane()
		self.start_control()

	def start_dataplane(self):
		self.starts += 1
		self.dataplane = self.network.start(self.where, f"dataplane{self.name}-{self.starts}", binary(self.build, "homeport-dataplane"),
			"--config", self.config)
		taps = [tap for _, _, tap, _, _ in self.ports if tap]

		def up():
			if not self.dataplane.running():
				raise net.Failure(f"homeport-dataplane ended with status {self.dataplane.process.returncode}: "
					+ self.dataplane.last_lines(4))
			links = self.network.ip(self.where, "-o link")
			return os.path.exists(self.attach_socket) and all(f" {tap}:" in links for tap in taps)
		net.wait_for(up, "homeport-dataplane to make its TAPs and its socket", 30)
		for _, _, tap, address, _ in self.ports:
			if tap:
				self.network.ip(self.where, f"link set {tap} up")
				if address:
					self.network.ip(self.where, f"addr replace {address} dev {tap}")
		for route in self.routes:
			self.network.ip(self.where, f"route replace {route}")

	def start_control(self):
		self.starts += 1
		self.control = self.network.start(self.where, f"control{self.name}-{self.starts}", binary(self.build, "homeport-control"),
			"--config", self.config)
		self.wait_ready()

	def wait_ready(self, seconds=15):
		def ready():
			if not self.control.running():
				raise net.Failure(f"homeport-control ended with status {self.control.process.returncode}: "
					+ self.control.last_lines(4))
			status = self.ask("show", "status", quiet=True)
			return status is not None and self.synchronized(status)
		net.wait_for(ready, "homeport-control to be attached and synchronised", seconds, 0.05)

	@staticmethod
	def synchronized(status):
		return status.get("attached", False) and status.get("synchronised", False)

	# ---- questions

	def ctl(self, *words, seconds=180, limit=1 << 26):
		"""homeportctl, bounded in time and output: what it prints is under test as well."""
		command = [binary(self.build, "homeportctl"), "-s", self.operator_socket, *words]
		with tempfile.TemporaryFile("w+", dir=self.network.directory) as out, tempfile.TemporaryFile("w+", dir=self.network.directory) as err:
			def limited():
				resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
			result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=seconds, preexec_fn=limited)
			out.seek(0)
			err.seek(0)
			return subprocess.CompletedProcess(command, result.returncode, out.read(), err.read())

	def ask(self, *words, quiet=False):
		"""The answer's data, or its rows; None when it was refused and quiet. With -j every row is a line, the answer the last."""
		result = self.ctl("-j", *words)
		try:
			lines = [json.loads(line) for line in result.stdout.splitlines()]
			if result.returncode == 0 and lines and lines[-1].get("ok"):
				answer = lines.pop()
				return answer["data"] if "data" in answer else lines
		except ValueError:
			pass
		if quiet:
			return None
		raise net.Failure(f"homeportctl {' '.join(words)}: status {result.returncode}: {(result.stderr or result.stdout).strip()[:300]}")

	def bindings(self):
		return self.ask("show", "bindings")

	def bindings_text(self):
		return self.ctl("show", "bindings").stdout

	def binding(self, home_address):
		for binding in self.bindings():
			if home_address in str(binding.get("home_address", "")):
				return binding
		return None

	def counters(self):
		return self.ask("show", "counters")

	# ---- the end

	def conservation(self):
		"""None when received + created = sent + dropped + punted + joined + held, else what each was."""
		c = self.counters()["conservation"]
		left = c["received"] + c["created"]
		right = sum(c[k] for k in ("sent", "dropped", "punted", "joined", "held"))
		return None if left == right else ", ".join(f"{name} {value}" for name, value in c.items())

	def finish(self):
		"""Stops both; returns what is wrong about the sums or the exit statuses."""
		wrong = []
		try:
			# Counters move while packets do: quiet traffic settles within a moment.
			try:
				net.wait_for(lambda: self.conservation() is None, "conservation", 3, 0.1)
			except net.Failure:
				wrong.append(f"conservation sum: {self.conservation()}")
		except net.Failure as error:
			wrong.append(str(error))
		for process in (self.control, self.dataplane):
			status = process.stop()
			if status:
				wrong.append(f"{process.name} ended with status {status}: {process.last_lines(3)}")
		return wrong


def mobile_node(network, where, build, key, more=(), **settings):
	"""Starts homeport-mobile-node; its settings are those of its command line, the key goes through a file."""
	path = network.path("mobile-node.key")
	with open(path, "w") as file:
		file.write(key + "\n")
	os.chmod(path, 0o600)
	command = [binary(build, "homeport-mobile-node"), "--key-file", path, *more]
	for name, value in settings.items():
		command += [f"--{name.replace('_', '-')}", str(value)]
	return network.start(where, "mobile-node", *command)
