"""Every ESP suite that charon's kernel-libipsec and homeport both have, each with a tunnel of its own."""
import bed
import network as net

SUITES = {
	"aes128gcm16": "AES_GCM_16", "aes192gcm16": "AES_GCM_16", "aes256gcm16": "AES_GCM_16", "aes128gcm12": "AES_GCM_12",
	"aes256gcm8": "AES_GCM_8", "aes128ccm16": "AES_CCM_16", "aes256ccm12": "AES_CCM_12", "aes128ccm8": "AES_CCM_8",
	"chacha20poly1305": "CHACHA20_POLY1305", "aes128-sha1": "AES_CBC", "aes128-sha256": "AES_CBC", "aes192-sha384": "AES_CBC",
	"aes256-sha512": "AES_CBC", "aes128-aesxcbc": "AES_CBC", "aes128-aescmac": "AES_CBC", "aes128ctr-sha256": "AES_CTR",
	"aes256ctr-sha512": "AES_CTR", "null-sha256": "NULL",
}


def make(suite, algorithm):
	def test(b):  # ESP-ALG-01..06, KIF-11, TV-02
		text = b.client.connections
		start = text.index("esp_proposals = ")
		b.client.connections = text[:start] + f"esp_proposals = {suite}" + text[text.index("\n", start):]
		b.client.write()
		b.client.load()
		b.vip = b.up()
		ours = b.server.child("net")
		assert ours["encr-alg"] == algorithm, ours
		net.wait_for(lambda: b.reaches("client", bed.HOST, b.vip), "the client's side to be ready", 5, 0.05)
		b.ping("client", bed.HOST, b.vip, size=300)
		b.ping("host", b.vip, size=1)
		inbound = b.row("in", ours["spi-in"])
		assert inbound["packets"] >= 6 and inbound["bad_icv"] == 0, inbound
		b.down()
		net.wait_for(lambda: not b.rows(), "the SAs to go", 10, 0.05)
	return test


def test_a_suite_that_homeport_lacks_is_refused_by_name(b):  # ESP-ALG-07, KIF-11
	mark = b.server.mark()
	b.client.connections = b.client.connections.replace("esp_proposals = aes128gcm16\n", "esp_proposals = 3des-sha1\n")
	b.client.write()
	b.client.load()
	result = b.client.initiate("net", check=False, seconds=8)
	b.server.expect(r"homeport: inbound SA \w+ refused: bad_algorithm", 10, mark)
	assert "completed successfully" not in result
	assert "keying_refused request=add_sa status=bad_algorithm" in b.gateway.control.output()
	b.client.terminate("--ike", "home")
	net.wait_for(lambda: not b.rows() and not b.server.associations(), "nothing left of it", 15, 0.1)
	b.client.connections = b.client.connections.replace("esp_proposals = 3des-sha1\n", "esp_proposals = aes128gcm16\n")


for name, encryption in SUITES.items():
	globals()[f"test_{name.replace('-', '_')}"] = make(name, encryption)

if __name__ == "__main__":
	bed.main(dict(globals()), gateway_esp=",".join([*SUITES, "3des-sha1"]))
