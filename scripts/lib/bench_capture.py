"""Files of packets that net_pcap replays."""
import struct


def checksum(header):
	"""Of an IPv4 header without options."""
	total = sum(struct.unpack("!10H", header))
	while total >> 16:
		total = (total & 0xffff) + (total >> 16)
	return ~total & 0xffff


def write(path, frames):
	"""Frames without FCS."""
	with open(path, "wb") as file:
		file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
		for n, frame in enumerate(frames):
			file.write(struct.pack("<IIII", 0, n, len(frame), len(frame)) + frame)
