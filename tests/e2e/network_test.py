"""The tests' own namespaces and processes go, however often somebody interrupts."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "scripts", "lib"))
sys.dont_write_bytecode = True

import network as net  # noqa: E402

# One that is slow to go: the second signal comes while the first one cleans up.
SLOW = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *a: (time.sleep(1), sys.exit(0))); print('up', flush=True); time.sleep(60)"


def child():
	n = net.Network("hp-plugin-signal")
	n.namespace("one")
	processes = [n.start("one", f"slow-{index}", sys.executable, "-c", SLOW) for index in range(3)]
	for process in processes:
		process.expect("up")
	print(n.full("one"), n.directory, *[process.pid for process in processes], flush=True)
	time.sleep(60)


def main():
	why = net.possible()
	if why:
		print(f"1..0 # SKIP {why}")
		return
	print("1..1")
	started = subprocess.Popen([sys.executable, __file__, "child"], stdout=subprocess.PIPE, text=True)
	words = started.stdout.readline().split()
	name, directory, pids = words[0], words[1], list(map(int, words[2:]))
	said = None
	for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
		started.send_signal(number)
		if number == signal.SIGTERM and not said:
			said = started.stdout.readline()  # the others come while it cleans up
	status = started.wait(120)
	left = [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
	good = not left and name not in net.run("ip", "netns", "list") and not os.path.exists(directory) and status == 128 + signal.SIGTERM
	print(f"{'' if good else 'not '}ok 1 - a second signal leaves nothing behind\n# status {status}, processes left: {left}")
	sys.exit(not good)


if sys.argv[1:] == ["child"]:
	child()
main()
