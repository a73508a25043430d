"""The operators' command: stable JSON, roles by credentials, clear and revoke, reload all or nothing."""
import json
import os
import pwd
import re

from harness import *  # noqa: F403


# HA4-OPS-25 HA4-OPS-26
def test_every_show_answers_in_json(bed):
	bed.register()
	for words in ("status", "bindings", "counters", "drops", "ports", "workers", "config"):
		assert bed.gateway.ask("show", words) is not None, words
	answer = bed.gateway.ask("show", "binding", HOME_ADDRESS)
	assert HOME_ADDRESS in json.dumps(answer)


def test_every_table_has_its_lines(bed):
	for words in ("bindings", "ports", "workers", "drops", "mobile-nodes", "instances"):
		result = bed.gateway.ctl("show", words)
		lines = result.stdout.splitlines()
		assert result.returncode == 0 and 1 <= len(lines) < 20, (words, result)
		assert all(len(line) < 400 for line in lines), words
	assert HOME_ADDRESS in bed.gateway.bindings_text()


# ESP-ALG-26: a machine that fell back to a slower path shows it
def test_the_path_of_the_cryptography_is_told(bed):
	crypto = bed.gateway.ask("show", "status")["crypto"]
	assert re.fullmatch(r"(AVX512 VAES|AVX512|AVX2|AVX|SSE), IPsec-MB \d+\.\d+\.\d+, (private copies|one copy)", crypto), crypto


# HA4-AUTH-24
def test_keys_never_leave(bed):
	for words in (["show", "config"], ["-j", "show", "config"], ["-j", "show", "binding", HOME_ADDRESS]):
		output = bed.gateway.ctl(*words).stdout
		assert output and KEY not in output.lower(), words


def test_an_error_is_json_too(bed):
	result = bed.gateway.ctl("-j", "show", "binding", "10.1.0.200")
	assert result.returncode != 0
	assert "error" in json.loads(result.stdout or result.stderr), result


# a user who is neither root nor in the operators' group: read only or refused, never an admin
def test_another_user_may_not_clear(bed):
	import subprocess
	nobody = pwd.getpwnam("nobody")
	os.chmod(bed.network.directory, 0o755)
	command = [programs.binary(bed.gateway.build, "homeportctl"), "-s", bed.gateway.operator_socket, "-j", "clear", "bindings", HOME_ADDRESS]
	result = subprocess.run(command, capture_output=True, text=True, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
	assert result.returncode != 0, result.stdout
	assert bed.gateway.binding(HOME_ADDRESS), "an unprivileged user cleared a binding"


# HA4-OPS-21
def test_a_bad_file_changes_nothing_on_reload(bed):
	good = open(bed.gateway.config).read()
	with open(bed.gateway.config, "w") as file:
		file.write(good.replace("instances", "instancez"))
	result = bed.gateway.ctl("reload")
	assert result.returncode != 0, result.stdout
	assert bed.gateway.binding(HOME_ADDRESS)
	with open(bed.gateway.config, "w") as file:
		file.write(good)
	result = bed.gateway.ctl("reload")
	assert result.returncode == 0, result.stderr
	bed.register()


# HA4-OPS-27
def test_a_cleared_binding_is_gone_from_the_dataplane(bed):
	bed.gateway.ask("clear", "bindings", HOME_ADDRESS)
	net.wait_for(lambda: bed.gateway.binding(HOME_ADDRESS) is None, "binding gone", 2)
	bed.outside.clear()
	bed.home.send(IP(src=CORRESPONDENT, dst=HOME_ADDRESS) / UDP(sport=9, dport=10) / Raw(b"nobody away"))
	bed.outside.nothing(lambda p: IP in p and p[IP].proto == 4, 0.3)


def test_a_bad_configuration_is_exit_status_78(bed):
	import subprocess
	bad = bed.network.path("bad.cfg")
	with open(bad, "w") as file:
		file.write("dataplane = { workerz = 1; };\n")
	for name in ("homeport-control", "homeport-dataplane"):
		result = subprocess.run([programs.binary(bed.gateway.build, name), "--config", bad, "--check"], capture_output=True, text=True)
		assert result.returncode == 78, (name, result.returncode, result.stderr)
		assert "bad.cfg:1" in result.stderr, result.stderr


main(dict(globals()))  # noqa: F405
