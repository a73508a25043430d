"""What every demo is: a network laid out, a play, a judgement, figures, and one last line that says ok or what failed.

A demo is a class in scripts/lib/demo_NAME.py:

    class Roam(demo.Demo):
        NAME, PREFIX = "roam", "hp-demo"       # scripts/demo NAME; of its namespaces
        STAY = "seconds in each network (2)"   # what --stay means
        def lay_out(self), play(self)          # may raise network.Failure
        def judge(self)                        # what is wrong, a line each
        def show(self)                         # prints the figures
        def finish(self)                       # ends what runs; what is wrong about its end
        def summary(self)                      # what stands behind "ok: "

    if __name__ == "__main__":
        demo.run(Roam, __doc__)
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import network as net  # noqa: E402

LAST_LINES = 12


class Demo:
	NAME = PREFIX = STAY = None

	def __init__(self, arguments):
		self.arguments = arguments
		self.network = net.Network(self.PREFIX)
		self.network.keep = arguments.keep

	def say_failed(self, text):
		print(f"demo {self.NAME}: failed: {text}")
		return 1

	def show_processes(self):
		for process in self.network.processes:
			if process.output().strip():
				print(f"--- {process.name}: last lines")
				print("\n".join("    " + line for line in process.output().strip().splitlines()[-LAST_LINES:]))

	def main(self):
		start = time.monotonic()
		try:
			self.lay_out()
			self.play()
			wrong = self.judge()
			self.show()
			wrong += self.finish()
		except net.Failure as error:
			wrong = [str(error)]
			self.show_processes()
		for text in wrong:
			self.say_failed(text)
		if not wrong:
			print(f"demo {self.NAME}: ok: {self.summary()} ({time.monotonic() - start:.0f} s)")
		return 1 if wrong else 0


def run(demo, document):
	parser = argparse.ArgumentParser(prog=f"scripts/demo {demo.NAME}", description=document.splitlines()[0])
	parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
	parser.add_argument("--stay", type=float, default=2.0, help=demo.STAY)
	parser.add_argument("--keep", action="store_true", help="keep the logs and the configuration")
	arguments = parser.parse_args()
	why = net.possible()
	if why:
		print(f"demo {demo.NAME}: failed: {why}")
		sys.exit(1)
	sys.exit(demo(arguments).main())
