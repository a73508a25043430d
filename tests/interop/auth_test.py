"""How peers say who they are, as in the examples: certificates, EAP-MSCHAPv2, EAP-TLS; each with traffic through its tunnel."""
import os
import shutil
import subprocess

import bed

USER, PASSWORD = "alice", "a good password"


def openssl(*words):
	subprocess.run(["openssl", *words], check=True, capture_output=True)


def certificates(b):
	"""An authority, a certificate for each end."""
	where = b.network.directory
	path = lambda name: os.path.join(where, name)  # noqa: E731
	key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
	openssl("req", "-x509", *key, "-keyout", path("ca.key"), "-out", path("ca.pem"), "-days", "2", "-subj", "/CN=ca")
	for name, charon in (("gw.example", b.server), ("peer.example", b.client)):
		openssl("req", *key, "-keyout", path(f"{name}.key"), "-out", path(f"{name}.csr"), "-subj", f"/CN={name}", "-addext",
			f"subjectAltName=DNS:{name}")
		openssl("x509", "-req", "-in", path(f"{name}.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial",
			"-copy_extensions", "copy", "-days", "2", "-out", path(f"{name}.pem"))
		shutil.copy(path("ca.pem"), charon.path("x509ca/ca.pem"))
		shutil.copy(path(f"{name}.pem"), charon.path(f"x509/{name}.pem"))
		shutil.copy(path(f"{name}.key"), charon.path(f"private/{name}.pem"))


def tunnel(b, server_remote, client_local, expected):
	"""The gateway shows a certificate; the client does what is under test."""
	b.server.connections = bed.connection("rw", bed.GATEWAY, None, bed.child("net", "10.1.0.0/16"), "auth = pubkey\ncerts = gw.example.pem\nid = gw.example",
		server_remote, "pools = pool4\nsend_cert = always")
	b.client.connections = bed.connection("home", None, bed.GATEWAY, bed.child("net", None, "10.1.0.0/16"), client_local,
		"auth = pubkey\nid = gw.example", "vips = 0.0.0.0")
	for charon in (b.server, b.client):
		charon.write()
		charon.load()
	mark = b.server.mark()
	b.vip = b.up()
	b.server.expect(expected, 5, mark)
	b.ping("client", bed.HOST, b.vip)
	b.ping("host", b.vip)
	b.down()


def test_certificates(b):
	tunnel(b, "auth = pubkey\ncacerts = ca.pem", "auth = pubkey\ncerts = peer.example.pem\nid = peer.example",
		"authentication of 'peer.example' with ECDSA.* successful")


def test_a_certificate_of_nobody_we_know_is_refused(b):
	b.client.connections = b.client.connections.replace("certs = peer.example.pem\nid = peer.example", "certs = peer.example.pem\nid = other.example")
	b.client.write()
	b.client.load()
	assert "completed successfully" not in b.client.initiate("net", check=False, seconds=10)
	assert not b.rows()


def test_eap_mschapv2(b):
	tunnel(b, "auth = eap-mschapv2\neap_id = %any", f"auth = eap-mschapv2\neap_id = {USER}",
		r"authentication of '.*' with EAP successful|EAP method EAP_MSCHAPV2 succeeded")


def test_a_wrong_password_is_refused(b):
	b.client.secrets = b.client.secrets.replace(PASSWORD, "a bad password")
	b.client.write()
	b.client.swanctl("--load-creds", "--clear", "--noprompt")
	assert "completed successfully" not in b.client.initiate("net", check=False, seconds=10)
	assert not b.rows()
	for charon, name in ((b.client, "home"), (b.server, "rw")):  # half open, the gateway waits for another attempt
		charon.terminate("--ike", name, "--force")


def test_eap_tls(b):
	tunnel(b, "auth = eap-tls\neap_id = %any", "auth = eap-tls\ncerts = peer.example.pem\nid = peer.example",
		r"EAP method EAP_TLS succeeded")


class Auth(bed.Road):
	def __init__(self, build):
		super().__init__(build)
		for charon in (self.server, self.client):
			charon.plugins = "eap-identity eap-tls eap-mschapv2 md4 md5"
			charon.secrets += f'\neap-{USER} {{\n id = {USER}\n secret = "{PASSWORD}"\n}}'
		certificates(self)


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=Auth)
