"""A demo of scripts/demo as a test: each judges itself by what it saw on the wire. usage: demo_test.py NAME BUILD"""
import os
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "scripts", "lib"))
import network as net  # noqa: E402
import strongswan  # noqa: E402

NAME, BUILD = sys.argv[1:]
TITLES = {
	# HA4-NAT-11, HA4-NAT-14
	"roam": "a node moves between three networks and a NAT forgets it",
	# ESP-SEQ-02, NAT-10, LIFE-06, HA4-MODE-06, HA4-MODE-08, HA4-SPD-01
	"vpn-manual": "two sites, a NAT and a binding inside ESP, keys given by hand",
	# MOB-01, NAT-07, NAT-09, LIFE-06, LIFE-08
	"vpn": "a client walks about with a TCP transfer in its tunnel",
	# HA4-MODE-01 -03 -04 -06 -08 -09 -10 -13 -14 -16, HA4-TNC-02 -03 -05 -06, MOB-16, KIF-21
	"mc": "from the office through two cafes and back",
}
why = net.possible() or NAME in ("vpn", "mc") and strongswan.possible(BUILD)
if why:
	print(f"1..0 # SKIP {why}")
	sys.exit(0)
program = os.path.join(ROOT, "scripts", "lib", f"demo_{NAME.replace('-', '_')}.py")
result = subprocess.run([sys.executable, program, "--build", BUILD, "--stay", "1"], capture_output=True, text=True)
lines = result.stdout.strip().splitlines()
good = result.returncode == 0 and lines and lines[-1].startswith(f"demo {NAME}: ok")
print("1..1")
for line in lines + result.stderr.strip().splitlines():
	print(f"# {line}")
print(f"{'ok' if good else 'not ok'} 1 - {TITLES[NAME]}")
sys.exit(0 if good else 1)
