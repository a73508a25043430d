"""What a benchmark asks of the machine: huge pages for its time, how busy others keep it, the rate of its TSC."""
import os
import re
import subprocess

HUGE_PAGES = 1536
NR_HUGE = "/proc/sys/vm/nr_hugepages"
MOUNT = "/dev/hugepages"


def memory_kib(field):
	with open("/proc/meminfo") as file:
		found = re.search(rf"^{field}:\s+(\d+)", file.read(), re.M)
	return int(found.group(1)) if found else 0


def number_read():
	with open(NR_HUGE) as file:
		return int(file.read())


def number_write(number):
	with open(NR_HUGE, "w") as file:
		file.write(str(number))


class HugePages:
	"""2 MiB pages where we may have them, given back at the end; `count` is 0 and `why` says why where we may not."""

	def __init__(self, wanted=True, pages=HUGE_PAGES):
		self.before, self.mounted, self.count, self.why = None, False, 0, "not wanted" if not wanted else "none to be had"
		self.wanted, self.pages = wanted, pages

	def __enter__(self):
		if not self.wanted:
			return self
		try:
			before = number_read()
			if before < self.pages:
				if memory_kib("MemAvailable") < 2 * self.pages * 2048:
					raise OSError("too little memory is free")
				self.before = before
				number_write(self.pages)
			self.count = memory_kib("HugePages_Free")
			if self.count < self.pages // 2:
				self.why, self.count = f"only {self.count} free", 0
			elif not os.path.ismount(MOUNT) and os.path.isdir(MOUNT):
				self.mounted = subprocess.run(["mount", "-t", "hugetlbfs", "none", MOUNT], stderr=subprocess.DEVNULL).returncode == 0
		except OSError as error:
			self.why = error.strerror or str(error)
		return self

	def __exit__(self, *exception):
		if self.mounted:
			subprocess.run(["umount", MOUNT], stderr=subprocess.DEVNULL)
		if self.before is not None:
			number_write(self.before)


def busy(own=0):
	"""A sentence when others use the machine, else None; `own` processors are our own doing."""
	load = os.getloadavg()[0]
	return f"the machine is busy (load {load:.1f} on {os.cpu_count()} processors)" if load > own + 0.7 else None


def tsc_hz():
	"""As the kernel measured it, or the processor's clock; 0 when unknown. Only for packets a second out of cycles a packet."""
	try:
		log = subprocess.run(["dmesg"], capture_output=True, text=True).stdout
		found = re.search(r"tsc: (?:Refined TSC clocksource calibration|Detected): ([\d.]+) MHz", log)
		if not found:
			with open("/proc/cpuinfo") as file:
				found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", file.read(), re.M)
		return float(found.group(1)) * 1e6 if found else 0
	except OSError:
		return 0
