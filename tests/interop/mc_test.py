"""scripts/demo mc as a test: RFC 5266 with real charons, the mobile node and the home agent. usage: mc_test.py BUILD"""
import os
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "scripts", "lib"))
import network as net  # noqa: E402
import strongswan  # noqa: E402

why = net.possible() or strongswan.possible(sys.argv[1])
if why:
	print(f"1..0 # SKIP {why}")
	sys.exit(0)
# HA4-MODE-01 -03 -04 -06 -08 -09 -10 -13 -14 -16, HA4-TNC-02 -03 -05 -06, MOB-16, KIF-21
result = subprocess.run([sys.executable, os.path.join(ROOT, "scripts/lib/demo_mc.py"), "--build", sys.argv[1], "--stay", "1"],
	capture_output=True, text=True)
lines = result.stdout.strip().splitlines()
good = result.returncode == 0 and lines and lines[-1].startswith("demo mc: ok")
print("1..1")
for line in lines + result.stderr.strip().splitlines():
	print(f"# {line}")
print(f"{'ok' if good else 'not ok'} 1 - from the office through two cafes and back")
sys.exit(0 if good else 1)
