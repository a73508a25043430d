"""The networks of the demos: the internet's ends, and the "air" that a node walks through: bridges, and the node's one link is a
port of one of them at a time.

An access with an outside address lies behind an nftables NAT of its own, in the namespace of its name.
"""

MASQUERADE = """flush ruleset
table ip nat {{
 chain out {{
  type nat hook postrouting priority 100;
  oifname "out" udp sport 0-65535 masquerade to :{ports}
  oifname "out" masquerade
 }}
}}
"""
PORTS, OTHER_PORTS, FIRST_OTHER_PORT = "40000-40999", "50000-50999", 50000


class Access:
	"""A network to be in. `outside`: what the internet sees of the node there."""

	def __init__(self, name, bridge, address, length, router, outside=None):
		self.name, self.bridge, self.address, self.length, self.router = name, bridge, address, length, router
		self.outside = outside or address


def masquerade(network, nat, ports=PORTS):
	network.nft(nat, MASQUERADE.format(ports=ports))


def change_mapping(network, nat, port):
	"""The NAT forgets its mappings to a UDP port and gives the next ones others, as a restarted router would."""
	masquerade(network, nat, OTHER_PORTS)
	network.exec(nat, "conntrack", "-D", "-p", "udp", "--dport", str(port), check=False)


def lay_out_internet(network):
	"""A bridge, 203.0.113.0/24, where NATs' outsides are."""
	network.ip("internet", "link add wan type bridge forward_delay 0")
	network.ip("internet", "link set wan up")
	network.ip("internet", "addr add 203.0.113.254/24 dev wan")


def lay_out_air(network, accesses):
	for access in accesses:
		network.ip("air", f"link add {access.bridge} type bridge forward_delay 0")
		network.ip("air", f"link set {access.bridge} up")
	network.link("mn", "acc0", "air", "node")
	network.sysctl("mn", "net.ipv4.conf.all.arp_notify", 1)


def lay_out_nat(network, access):
	"""Between an access' bridge and the internet."""
	nat = access.name
	network.link(nat, "in", "air", f"to-{nat}")
	network.ip("air", f"link set to-{nat} master {access.bridge}")
	network.link(nat, "out", "internet", nat)
	network.ip("internet", f"link set {nat} master wan")
	network.ip(nat, f"addr add {access.router}/24 dev in")
	network.ip(nat, f"addr add {access.outside}/24 dev out")
	network.ip(nat, "route add default via 203.0.113.254")
	masquerade(network, nat)



def lay_out_router(network, nat, address, client, interface):
	"""A router at home or in a cafe: NAT between 192.168.1.0/24, where `client` is, and the internet."""
	network.link("internet", nat, nat, "out")
	network.ip("internet", f"addr add 203.0.113.254/24 dev {nat}")
	network.ip(nat, f"addr add {address}/24 dev out")
	network.ip(nat, "route add default via 203.0.113.254")
	network.link(nat, "in", client, interface)
	network.ip(nat, "addr add 192.168.1.1/24 dev in")
	masquerade(network, nat)


def lay_out_gateway(network, gateway):
	"""Its link to the internet, 192.0.2.0/24."""
	network.link("internet", "gateway", gateway, "ext")
	network.ip("internet", "addr add 192.0.2.254/24 dev gateway")


def lay_out_host(network, host, address, gateway):
	"""A host on the gateway's inside, 10.1.0.0/16."""
	network.link(host, "lan", gateway, "int")
	network.ip(host, f"addr add {address}/16 dev lan")
	network.ip(host, "route add default via 10.1.0.1")


def attach(network, access, left=None):
	"""The node's interface loses one link and gets another, with that network's address and router."""
	network.ip("mn", "link set acc0 down")
	if left:
		network.ip("mn", f"addr del {left.address}/{left.length} dev acc0")
	network.ip("air", f"link set node master {access.bridge}")
	network.ip("mn", "link set acc0 up")
	network.ip("mn", f"addr add {access.address}/{access.length} dev acc0")
	network.ip("mn", f"route add default via {access.router} dev acc0")
