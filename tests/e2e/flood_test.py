"""A flood of registrations without a valid authenticator neither delays a good one nor fills anything up."""
import multiprocessing

from harness import *  # noqa: F403


# HA4-OPS-30 HA4-OPS-31: policed before the HMAC; a good one answered within 100 ms where nothing else delays it
def test_a_flood_does_not_delay_a_good_registration(bed):
	frames = []
	for n in range(2000):
		message = bed.request(key="ff" * 16)
		source = f"198.51.{100 + n % 4}.{n // 4 % 200 + 30}"
		frames.append(bed.outside.frame(IP(src=source, dst=AGENT) / UDP(sport=1024 + n, dport=434) / Raw(message)))
	end, count = multiprocessing.Event(), multiprocessing.Value("q", 0)
	flooder = bed.network.socket("outside", socket.AF_PACKET, socket.SOCK_RAW, 0)
	flooder.bind(("wan", 0))

	def flood():
		while not end.is_set():
			for start in range(0, len(frames), 20):
				for frame in frames[start:start + 20]:
					flooder.send(frame)
				count.value += 20
				if end.is_set():
					os._exit(0)
				time.sleep(0.002)
		os._exit(0)
	process = multiprocessing.get_context("fork").Process(target=flood, daemon=True)
	process.start()
	slow = []
	try:
		net.wait_for(lambda: count.value > 2000, "the flood to run", 10)
		for attempt in range(10):
			message = bed.request(NODES[attempt % 2], care_of="198.51.100.250", lifetime=600)
			start = time.time_ns()
			bed.send_request(message, "198.51.100.250", 5000 + attempt)
			low = message[20:24]
			reply = None
			deadline = time.monotonic() + 3 * net.PATIENCE
			while reply is None and time.monotonic() < deadline:
				bed.outside.read()
				for packet in bed.outside.seen:
					if mip.is_message(packet, 3) and bytes(packet[UDP].payload)[16:20] == low and packet[IP].dst == "198.51.100.250":
						reply = packet
				bed.outside.seen.clear()
			assert reply is not None, f"no reply to good registration {attempt}"
			assert bytes(reply[UDP].payload)[1] == 0, bytes(reply[UDP].payload)[1]
			slow.append((reply.at - start) / 1e6)
			time.sleep(1.05)  # the node's own rate is one registration a second
	finally:
		end.set()
		process.join()
	bed.outside.all = bed.outside.all[-2000:]
	print(f"# {count.value} requests of the flood, good ones answered after {min(slow):.1f} to {max(slow):.1f} ms")
	assert min(slow) < 100, slow  # a queue that the flood fills delays each of them; the machine's other work only some


def test_the_flood_left_no_binding(bed):
	found = {binding["home_address"] for binding in bed.gateway.bindings()}
	assert found <= {node["home_address"] for node in NODES}, found


main(dict(globals()), instance="")  # noqa: F405
