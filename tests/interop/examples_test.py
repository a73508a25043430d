"""The examples of contrib/: a charon with homeport's plugin takes each, and the snippets of strongswan.conf."""
import os
import shutil
import subprocess

import bed
import strongswan

CONTRIB = os.path.join(strongswan.programs.ROOT, "contrib")
EXAMPLES = sorted(os.listdir(os.path.join(CONTRIB, "swanctl")))


def make(example):
	def test(b):
		shutil.copy(os.path.join(CONTRIB, "swanctl", example), b.server.path("swanctl.conf"))
		output = b.server.swanctl("--load-all", "--noprompt")
		assert "successfully loaded 1 connections" in output, output
		connections = b.server.swanctl("--list-conns")
		mode = "TRANSPORT" if example.startswith("transport") else "TUNNEL"
		assert mode in connections, connections
		assert not b.server.said("refused"), b.server.said(".*refused.*").group(0)
		b.server.swanctl("--load-conns", "--file", "/dev/null", check=False)
	return test


for name in EXAMPLES:
	globals()["test_" + name.replace(".conf", "").replace("-", "_")] = make(name)


def certificates(b):
	"""What the examples find in /etc/swanctl: an authority and the gateway's certificate."""
	def openssl(*words):
		subprocess.run(["openssl", *words], check=True, capture_output=True)
	path = b.server.path
	key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
	openssl("req", "-x509", *key, "-keyout", path("ca.key"), "-out", path("x509ca/ca.pem"), "-days", "2", "-subj", "/CN=ca")
	openssl("req", *key, "-keyout", path("private/gateway.pem"), "-out", path("gateway.csr"), "-subj", "/CN=gateway.example.com",
		"-addext", "subjectAltName=DNS:gateway.example.com")
	openssl("x509", "-req", "-in", path("gateway.csr"), "-CA", path("x509ca/ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial",
		"-copy_extensions", "copy", "-days", "2", "-out", path("x509/gateway.pem"))


class Examples(bed.Road):
	def __init__(self, build):
		super().__init__(build)
		self.server.plugins = "eap-identity eap-tls eap-mschapv2 md4 md5"
		self.charons.remove(self.client)
		certificates(self)

	def start(self):
		"""BLD-07: with the snippets, but for the names of the socket and the TAP."""
		snippets = {}
		for name in ("kernel-homeport.conf", "homeport.conf"):
			with open(os.path.join(CONTRIB, "strongswan", name)) as file:
				text = file.read().replace("hp-ext", "hpext").replace("/run/homeport/keying.sock", self.server.keying_socket)
			snippets[name] = self.server.path(name)
			with open(snippets[name], "w") as file:
				file.write(text)
		self.gateway.start()
		self.server.kernel_settings = f"include {snippets['kernel-homeport.conf']}"
		self.server.tail = f"include {snippets['homeport.conf']}"
		self.server.start()


def test_the_snippets_are_in_force(b):  # BLD-07
	b.server.swanctl("--reload-settings")
	assert b.server.said("connected to homeport-control")
	assert "worker threads: 32 total" in b.server.swanctl("--stats"), b.server.swanctl("--stats")


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=Examples)
