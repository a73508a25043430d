"""Two workers with a queue each on one pair of security associations: no number twice, no packet lost, a copy passes once.

HOMEPORT_SHARING=owned: the pair belongs to one worker, the other one hands its packets over (MP-04).
"""
import os

os.environ.update(HOMEPORT_WORKERS="2", HOMEPORT_QUEUES="2")
from esp_bed import *  # noqa: E402,F403

FAT = Sa("fat", "aes128gcm16", 1, encap=True, replay_window=1024)
PORTS = 32
SHARING = os.environ.get("HOMEPORT_SHARING", "shared")
COUNT = 6000


def workers(bed, field):
	return [row[field] for row in bed.gateway.ask("show", "workers")]


def test_a_fat_flow_outwards(bed):  # MP-01 MP-02 ESP-SEQ-02 ESP-ALG-18
	"""Numbered datagrams from 32 ports, so that the kernel spreads them over both queues."""
	frames = []
	for port in range(PORTS):
		packet = udp4(CORRESPONDENT, FAT.host, 300)
		packet[UDP].sport, packet[UDP].chksum = 5000 + port, 0
		frame = bytes(bed.home.frame(packet))
		frames.append((frame[:42], frame[46:]))
	packets = []
	for n in range(COUNT):
		head, tail = frames[n % PORTS]
		bed.home.sock.send(head + n.to_bytes(4, "big") + tail)
		if n % 32 == 31:  # what is on its way stays below a device's queue
			net.wait_for(lambda: packets.extend(bed.bulk(bed.outside)) or n + 1 - len(packets) < 256, "packets to leave", 5, 0.001)
	net.wait_for(lambda: packets.extend(bed.bulk(bed.outside)) or len(packets) >= COUNT, "all packets", 5, 0.01)
	numbers, arrived = [], []
	for packet in packets:
		payload, _, number, iv = FAT.open(FAT.esp_of(packet))
		assert iv == struct.pack("!Q", number)
		numbers.append(number)
		arrived.append(int.from_bytes(payload[28:32], "big"))
	assert len(set(numbers)) == len(numbers), "a number was used twice"
	assert sorted(arrived) == list(range(COUNT)), f"{COUNT - len(set(arrived))} lost, {len(arrived) - len(set(arrived))} twice"
	highest, behind = 0, 0
	for number in numbers:
		highest = max(highest, number)
		behind = max(behind, highest - number)
	print(f"# {COUNT} packets, numbers up to {max(numbers)}, at most {behind} behind the highest; by worker {workers(bed, 'received_port')}")
	assert behind < 1024, behind  # inside the window that we have ourselves
	assert all(count > COUNT // 8 for count in workers(bed, "received_port")), "one worker did it all"
	assert bed.pair(FAT)["out"]["packets"] == COUNT


def test_copies_on_both_queues_pass_once(bed):  # MP-03 BAD-11 ESP-SEQ-10
	"""Each packet twice, from two source ports, back to back: the kernel may give the copies to two workers at the same moment."""
	before, received = bed.drops(), workers(bed, "received_port")
	count, sent = 1500, []
	for n in range(count):
		esp = FAT.esp(udp4(FAT.host, CORRESPONDENT, 100, n))
		sent.append([bytes(bed.outside.frame(FAT.outer(esp, sport=6000 + (n * 7 + copy * 13) % 64))) for copy in (0, 1)])
	arrived = []
	for n, copies in enumerate(sent):
		for frame in copies:
			bed.outside.sock.send(frame)
		if n % 32 == 31:
			net.wait_for(lambda: arrived.extend(p for p in bed.bulk(bed.home) if p[9] == 17) or n + 1 - len(arrived) < 128, "packets inside", 5, 0.001)
	net.wait_for(lambda: arrived.extend(p for p in bed.bulk(bed.home) if p[9] == 17) or len(arrived) >= count, "all packets inside", 5, 0.01)
	bed.drops_only({"ipsec_replay": count}, before, "the copies")
	numbers = [int.from_bytes(p[28:32], "big") for p in arrived + [p for p in bed.bulk(bed.home) if p[9] == 17]]
	assert sorted(numbers) == list(range(count)), f"{count - len(set(numbers))} lost, {len(numbers) - len(set(numbers))} twice"
	moved = [after - first for after, first in zip(workers(bed, "received_port"), received)]
	assert all(part > count // 8 for part in moved), f"one worker did it all: {moved}"
	row = bed.pair(FAT)["in"]
	assert (row["packets"], row["replays"], row["sequence"]) == (count, count, count), row


def test_packets_were_handed_over(bed):  # MP-04 MP-05
	handed = sum(workers(bed, "handed_over"))
	if SHARING == "shared":
		assert handed == 0, handed
		result = bed.gateway.ctl("sa", "move", hex(FAT.spi_out), "0")
		assert result.returncode == 1 and "sa_sharing" in result.stderr, result
		return
	assert handed == sum(workers(bed, "taken_over")) and handed > COUNT // 8, handed
	before = bed.pair(FAT)["out"]["sequence"]
	for worker in (0, 1, 0):
		for spi in (FAT.spi_out, FAT.spi_in):
			bed.ctl("sa", "move", hex(spi), str(worker))
		for n in range(8):
			number = bed.outward(FAT, udp4(CORRESPONDENT, FAT.host, 100 + n))[2]
			assert number == before + 1, (number, before)
			before = number
			bed.inward(FAT, udp4(FAT.host, CORRESPONDENT, 80 + n, n))
	assert bed.drops().get("ipsec_handover_full", 0) == 0


run(dict(globals()), sas=[FAT], dataplane=f'sa_sharing = "{SHARING}"; ')  # noqa: F405
