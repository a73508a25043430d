"""IPv6 outside; IPv6, IPv4 and both inside."""
import bed
import network as net

TS = {"4": ("10.1.0.0/16", "10.2.0.0/16"), "6": ("2001:db8:1001::/64", "2001:db8:1002::/64")}
HOSTS = {"4": (bed.HOST, bed.HOST_B), "6": (bed.HOST6, bed.HOST_B6)}


def children(side):
	ends = {family: TS[family] if side == "a" else TS[family][::-1] for family in "46"}
	return "".join(bed.child(f"in{family}", *ends[family], "aes128gcm16-esn") for family in "46") \
		+ bed.child("in46", f"{ends['4'][0]},{ends['6'][0]}", f"{ends['4'][1]},{ends['6'][1]}", "aes128gcm16-esn")


def both_ways(b, family):
	here, there = HOSTS[family]
	for size in (56, 900):
		b.ping("host-a", there, size=size)
		b.ping("host-b", here, size=size)


def row(b):
	return next(row for row in b.rows(b.a) if row["direction"] == "out")


def test_ipv6_in_ipv6(b):  # TUN, MOB-08, KIF-15
	b.sides["a"].initiate("in6")
	assert (row(b)["local"], row(b)["remote"]) == (bed.GATEWAY6, bed.GATEWAY_B6), row(b)
	both_ways(b, "6")
	b.end()


def test_ipv4_in_ipv6(b):
	b.sides["a"].initiate("in4")
	both_ways(b, "4")
	b.end()


def test_both_families_in_one_association(b):  # KIF-15: all pairs
	b.sides["a"].initiate("in46")
	both_ways(b, "4")
	both_ways(b, "6")
	before = b.sides["a"].child("in46")["spi-in"]
	b.sides["b"].swanctl("--rekey", "--child", "in46")
	net.wait_for(lambda: b.sides["a"].children("in46") and b.sides["a"].child("in46")["spi-in"] != before, "a rekey", 10, 0.1)
	both_ways(b, "4")
	both_ways(b, "6")
	b.end()


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=bed.Site, children=children, outer6=True)
