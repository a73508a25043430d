"""A wire with faults: gives every measured frame back after a while, and loses, doubles or delays some of them by their numbers.

  wire.py INTERFACE RULES...

A rule is FLOW:EVERY:AT:WHAT, for the packets of a flow ("*": any) whose sequence number is AT modulo EVERY; the first that fits decides.
WHAT is "lose", "double" or milliseconds to hold the frame. Whatever no rule names comes back at once.
"""
import heapq
import select
import socket
import sys
import time

ALL = 3  # ETH_P_ALL: before any hook that drops
RECEIVE_BUFFER_FORCE = 33
SIGNATURE = 14 + 20 + 8 + 2  # behind Ethernet, IPv4, UDP and the magic


def rule(word):
	flow, every, at, what = word.split(":")
	return None if flow == "*" else int(flow), int(every), int(at), what


def verdict(rules, frame):
	flow, sequence = (int.from_bytes(frame[at:at + 4], "big") for at in (SIGNATURE, SIGNATURE + 4))
	return next((what for wanted, every, at, what in rules if wanted in (None, flow) and sequence % every == at), "0")


def main():
	rules = [rule(word) for word in sys.argv[2:]]
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
	s.bind((sys.argv[1], ALL))
	s.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_FORCE, 1 << 25)  # a busy machine may let us wait for seconds
	held, count = [], 0
	print("ready", flush=True)
	while True:
		now = time.monotonic()
		while held and held[0][0] <= now:
			s.send(heapq.heappop(held)[2])
		readable, _, _ = select.select([s], [], [], max(0, held[0][0] - now) if held else None)
		if not readable:
			continue
		frame, address = s.recvfrom(65536)
		if address[2] == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00":
			continue
		what = verdict(rules, frame)
		if what == "lose":
			continue
		count += 1
		if what == "double":
			s.send(frame)
			what = "0"
		if what == "0":
			s.send(frame)
		else:
			heapq.heappush(held, (time.monotonic() + float(what) / 1000, count, frame))


main()
