"""IPv6 inside IPv4. A bed of its own: where both ends have IPv6 addresses outside too, MOBIKE may move an association to them."""
import bed


def children(side):
	ends = ("2001:db8:1001::/64", "2001:db8:1002::/64") if side == "a" else ("2001:db8:1002::/64", "2001:db8:1001::/64")
	return bed.child("six", *ends, "aes128gcm16-esn")


def test_ipv6_inside_ipv4(b):  # TUN-06
	b.sides["a"].initiate("six")
	row = next(row for row in b.rows(b.a) if row["direction"] == "out")
	assert (row["local"], row["remote"]) == (bed.GATEWAY, bed.GATEWAY_B), row
	b.ping("host-a", bed.HOST_B6, size=900)
	b.ping("host-b", bed.HOST6, size=900)
	b.end()


if __name__ == "__main__":
	bed.main(dict(globals()), bed_class=bed.Site, children=children, ipv6=True)
