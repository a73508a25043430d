"""charon in namespaces, for the demos and the interop tests: its configuration, its start, swanctl and what it says.

  Charon(..., kernel="libipsec")     Debian's charon with its own user-space IPsec: a client that homeport knows nothing of
  Charon(..., kernel="homeport")     Debian's charon with homeport's plugin (LD_PRELOAD: nothing is written to /usr)
  Charon(..., kernel="")             IPsec by another of `plugins`

Each has its own /run (a tmpfs in its mount namespace), its own vici socket and its own directory, and is stopped by the handle
that started it.
"""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import network as net  # noqa: E402
import programs  # noqa: E402

CHARON = "/usr/lib/ipsec/charon"
PLUGINS = ("random nonce openssl curve25519 aes sha1 sha2 hmac kdf gcm ctr ccm chapoly cmac xcbc pem pkcs1 pkcs8 x509 constraints pubkey "
	"revocation drbg")
PLUGIN = "control/strongswan/libstrongswan-kernel-homeport.so"
FOLDERS = ("x509", "x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl", "pubkey", "private", "rsa", "ecdsa", "bliss", "pkcs8", "pkcs12")


def plugin(build):
	return os.path.join(programs.ROOT, build, PLUGIN)


def possible(build):
	"""None, or why there is no strongSwan to test with."""
	for program, package in ((CHARON, "strongswan-charon"), (shutil.which("swanctl"), "strongswan-swanctl"),
			("/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so", "libcharon-extra-plugins")):
		if not program or not os.path.exists(program):
			return f"{package} is not installed"
	version = subprocess.run([CHARON, "--version"], capture_output=True, text=True).stdout
	if "5.9.8" not in version:
		return f"the plugin is for strongSwan 5.9.8, here is {version.strip() or 'another'}"
	if not os.path.exists(plugin(build)):
		return "control/strongswan was not built (scripts/lib/strongswan-source fetches the headers)"
	return None


WORD = re.compile(r"\s*(?:(?P<open>[^\s={}\[\]]+) \{|(?P<close>\})|(?P<key>[^\s={}]+)=(?:\[(?P<list>[^\]]*)\]|(?P<value>[^\s{}]*)))")


def parse(text):
	"""What swanctl --raw prints, an event a line: its contents as dictionaries. Values with blanks in them are cut off."""
	events = []
	for line in text.splitlines():
		stack, position = [{}], 0
		while position < len(line):
			match = WORD.match(line, position)
			if not match:
				position += 1
				continue
			position = match.end()
			if match["open"]:
				stack[-1][match["open"]] = {}
				stack.append(stack[-1][match["open"]])
			elif match["close"]:
				if len(stack) > 1:
					stack.pop()
			else:
				stack[-1][match["key"]] = match["value"] if match["list"] is None else match["list"]
		events += [value for key, value in stack[0].items() if key == "event"]
	return events

TIMEOUT_MS = 1000  # of the plugin's calls, 150 unless said: a busy machine may keep control from answering for so long


class Charon:
	"""One charon. `connections`, `pools`, `secrets`, `authorities`: bodies of swanctl.conf's sections."""

	def __init__(self, network, where, name, kernel, connections, secrets="", pools="", authorities="", plugins="", settings="",
			plugin_settings="", socket=None, build=None, level=1, log=1, preload=""):
		self.network, self.where, self.name, self.kernel = network, where, name, kernel
		self.connections, self.secrets, self.pools, self.authorities = connections, secrets, pools, authorities
		self.plugins, self.settings, self.plugin_settings = plugins, settings, plugin_settings
		self.keying_socket, self.build, self.level, self.log_level, self.preload = socket, build, level, log, preload
		self.kernel_settings = self.tail = ""  # instead of our own for the plugin; the end of strongswan.conf
		self.directory = network.path(name)
		self.process = None
		self.starts = 0
		for folder in FOLDERS:
			os.makedirs(os.path.join(self.directory, folder), exist_ok=True)

	def path(self, name):
		return os.path.join(self.directory, name)

	def write(self):
		homeport = self.kernel_settings
		if not homeport and self.kernel == "homeport":
			homeport = f"kernel-homeport {{\n      socket = {self.keying_socket}\n      timeout = {TIMEOUT_MS}\n    }}"
		with open(self.path("strongswan.conf"), "w") as file:
			file.write(f"""charon {{
  load = {PLUGINS} {self.plugins} {self.kernel and "kernel-" + self.kernel} kernel-netlink socket-default vici
  {"install_routes = no" if self.kernel == "homeport" else ""}
  {"install_virtual_ip = no" if self.kernel == "homeport" else ""}
  retransmit_timeout = 1.0
  retransmit_base = 1.4
  {self.settings}
  filelog {{
    log {{
      path = {self.path("charon.log")}
      append = yes
      default = {self.log_level}
      knl = {self.level}
      ike_name = yes
      time_format = %T
      time_add_ms = yes
      flush_line = yes
    }}
  }}
  plugins {{
    {homeport}
    vici {{
      socket = unix://{self.path("vici")}
    }}
    {self.plugin_settings}
  }}
}}
swanctl {{
  plugins {{
  }}
}}
{self.tail}
""")
		with open(os.open(self.path("swanctl.conf"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
			for section in ("connections", "pools", "secrets", "authorities"):
				file.write(f"{section} {{\n{getattr(self, section)}\n}}\n")

	# ---- the process

	def start(self):
		self.write()
		self.starts += 1
		preload = plugin(self.build) if self.kernel == "homeport" else self.preload
		self.process = self.network.start(self.where, f"{self.name}-{self.starts}", "unshare", "-m", "sh", "-c",
			f"mount -t tmpfs tmpfs /run && exec env STRONGSWAN_CONF={self.path('strongswan.conf')} LD_PRELOAD={preload} {CHARON}")

		def up():
			if not self.process.running():
				raise net.Failure(f"{self.name} ended with status {self.process.process.returncode}: {self.process.last_lines(4)} "
					f"{self.last_lines(4)}")
			return os.path.exists(self.path("vici"))
		net.wait_for(up, f"{self.name} to listen for swanctl", 15)
		if self.kernel == "homeport":
			self.expect("connected to homeport-control", 15)
		self.load()

	def load(self):
		self.swanctl("--load-all", "--noprompt")

	def kill(self):
		self.process.kill()
		if os.path.exists(self.path("vici")):
			os.unlink(self.path("vici"))

	def stop(self):
		status = self.process.stop()
		if os.path.exists(self.path("vici")):
			os.unlink(self.path("vici"))
		return status

	# ---- what it says

	def log(self):
		try:
			with open(self.path("charon.log"), errors="replace") as file:
				return file.read()
		except FileNotFoundError:
			return ""

	def mark(self):
		"""Where its log ends now, for expect() and said()."""
		return len(self.log())

	def said(self, pattern, start=0):
		return re.compile(pattern, re.M).search(self.log(), start)

	def expect(self, pattern, seconds=10.0, start=0):
		return net.wait_for(lambda: self.said(pattern, start), f"{self.name} to log {pattern!r}", seconds)

	def last_lines(self, count=10):
		return " | ".join(self.log().strip().splitlines()[-count:])

	# ---- swanctl

	def run(self, *words, seconds=240):
		environment = {**os.environ, "STRONGSWAN_CONF": self.path("strongswan.conf"), "SWANCTL_DIR": self.directory}
		return subprocess.run(["swanctl", *words, "--uri", f"unix://{self.path('vici')}"], env=environment, stdin=subprocess.DEVNULL,
			capture_output=True, text=True, timeout=seconds)

	def swanctl(self, *words, check=True, seconds=240):
		result = self.run(*words, seconds=seconds)
		if check and result.returncode:
			raise net.Failure(f"{self.name}: swanctl {' '.join(words)}: {' '.join((result.stdout + result.stderr).split())[-300:]}")
		return result.stdout

	def initiate(self, child, *words, check=True, seconds=120):
		return self.swanctl("--initiate", "--child", child, "--timeout", str(seconds), *words, check=check, seconds=seconds + 5)

	def terminate(self, *words, check=False):
		return self.swanctl("--terminate", *words, "--timeout", "60", check=check)

	def associations(self):
		"""IKE_SAs: (name, fields), each with 'child-sas'."""
		found = []
		for event in parse(self.swanctl("--list-sas", "--raw")):
			found += list(event.items())
		return found

	def virtual_address(self):
		"""The inner address that a gateway gave it."""
		for _, ike in self.associations():
			if "local-vips" in ike:
				return ike["local-vips"]
		raise net.Failure(f"{self.name} has no virtual address")

	def children(self, name=None, state="INSTALLED"):
		"""Child SAs of a name in a state; newest last."""
		found = []
		for _, ike in self.associations():
			for child in ike.get("child-sas", {}).values():
				if child.get("state") == state and name in (None, child.get("name")):
					found.append(child)
		return sorted(found, key=lambda child: int(child["uniqueid"]))

	def child(self, name=None):
		"""The newest; during a rekey there is none for a moment."""
		return net.wait_for(lambda: self.children(name), f"a child SA {name or ''} of {self.name}", 3)[-1]

	def text(self):
		return self.swanctl("--list-sas")
