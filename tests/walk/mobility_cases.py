"""Mobile IPv6's addresses before policies and selectors (TRN-14; RFC 4877 4.2, RFC 6275 6.3, 6.4, 9.3.1), for generate.py: the home agent's side
of Binding Updates and Acknowledgements in transport mode (RFC 3776 3.1, 3.2)."""
from scapy.all import UDP, Ether, IPv6, Raw
from scapy.layers.inet6 import HAO, IPv6ExtHdrDestOpt, IPv6ExtHdrRouting, MIP6MH_BA, MIP6MH_BU

import esp_bed
import esp_edge_cases
from esp_bed import BYPASS, IN, OUT, PROTECT, SPI, TRANSPORT

US6, COA6, HOA6, OTHER6 = "2001:db8:1::1", "2001:db8:9::23", "2001:db8:aa::10", "2001:db8:aa::11"
MH, BU, BA, NO_SA = 135, 5 << 8, 6 << 8, (1 << 32) - 1


def add(g):
    case, fresh, policy = g.case, g.fresh, g.policy
    ends = dict(local=US6 + "/128", remote=HOA6 + "/128", protocol=MH)
    links = [{"local": {"address": US6, "port": 0}}, {"route": {"prefix": "::/0", "via": "2001:db8:1::fe", "port": 0}},
             {"neighbor": {"address": "2001:db8:1::fe", "port": 0, "mac": 0xfe}}]
    sa_in = esp_bed.sa(IN, id=1, spi=SPI, local=US6, remote=HOA6, flags=TRANSPORT, selectors=[dict(ends, remote_port=BU)])
    sa_out = esp_bed.sa(OUT, id=1, spi=SPI, local=US6, remote=HOA6, flags=TRANSPORT, selectors=[])

    def update(hoa=HOA6, upper=None, options=None):
        """As it is without IPsec: IPv6, Home Address option, Mobility Header."""
        options = [HAO(hoa=hoa)] if options is None else options
        return fresh(IPv6(src=COA6, dst=US6, hlim=60) / IPv6ExtHdrDestOpt(options=options) / (upper or MIP6MH_BU(seq=7, mhtime=60)))

    def sealed(packet, seq=1):
        """The same with ESP behind the option."""
        raw = bytes(packet)
        head = 40 + 8 + 8 * raw[41]
        body = esp_edge_cases.esp_octets(raw[head:], seq, next_header=raw[40])
        out = bytearray(raw[:head] + body)
        out[40] = 50
        out[4:6] = (len(out) - 40).to_bytes(2, "big")
        return IPv6(bytes(out))

    def kernel(packet):
        return Ether(dst=g.PORT[0], src=g.ROUTER) / packet

    def from_kernel(packet):
        return Ether(src=g.PORT[0], dst=g.ROUTER) / packet

    case("mip6-update", links + [sa_in], "TRN-14: the option's address is the source").ip(0, sealed(update())).to_kernel(
        0, kernel(update())).count(esp_decrypted=1, ipsec_outer_mismatch=1).sa(IN, packets=1)
    c = case("mip6-update-other", links + [sa_in], "TRN-14: another node's home address").ip(0, sealed(update(OTHER6))).count(esp_decrypted=1, ipsec_outer_mismatch=1)
    c.event(g.EVENT_REJECTED, id=1, address=COA6, reason="ipsec_selector_mismatch", value=SPI).drop("ipsec_selector_mismatch")
    c = case("mip6-update-bare", links + [sa_in], "TRN-14: without the option the care-of address is the source").ip(
        0, sealed(update(options=[]))).count(esp_decrypted=1, ipsec_outer_mismatch=1)
    c.event(g.EVENT_REJECTED, id=1, address=COA6, reason="ipsec_selector_mismatch", value=SPI).drop("ipsec_selector_mismatch")
    whole = dict(local=US6 + "/128", remote=HOA6 + "/128")
    any_in = esp_bed.sa(IN, id=1, spi=SPI, local=US6, remote=HOA6, flags=TRANSPORT, selectors=[whole])
    case("mip6-no-binding", links + [any_in], "TRN-14, RFC 6275 9.3.1: no binding, no Binding Update").ip(
        0, sealed(update(upper=UDP(sport=5000, dport=6000) / Raw(b"data"))), sealed(update(upper=MIP6MH_BA()), 2)).drop("ipsec_option_reject", 2).count(
        esp_decrypted=2, ipsec_outer_mismatch=2).sa(IN, packets=2)
    case("mip6-not-unicast", links + [any_in], "TRN-14, RFC 6275 9.3.1").ip(
        0, sealed(update("ff02::1")), sealed(update("::"), 2), sealed(update(options=[HAO(hoa=HOA6), HAO(hoa=HOA6)]), 3)).drop(
        "ipsec_option_reject", 3).count(esp_decrypted=3, ipsec_outer_mismatch=3)
    c = case("mip6-update-clear", links + [policy(1, IN, BYPASS, remote_port=BU, **ends)], "TRN-14: in clear, by policy").ip(
        0, update()).to_kernel(0, kernel(update())).ip(0, update(OTHER6)).drop("policy_none")
    c.event(g.EVENT_REJECTED, id=NO_SA, address=COA6, reason="policy_none", value=0)
    # the Binding Acknowledgement, by our kernel
    answer = fresh(IPv6(src=US6, dst=COA6, hlim=64) / IPv6ExtHdrRouting(type=2, addresses=[HOA6], segleft=1) / MIP6MH_BA(seq=7))
    protect = links + [sa_out, policy(1, OUT, PROTECT, sa=1, local_port=BA, **ends), policy(2, OUT, BYPASS, local="::/0", remote="::/0", order=99)]
    case("mip6-answer", protect, "TRN-14: the routing header's address is the destination").from_kernel(0, from_kernel(answer)).out(
        0, sealed(answer)).count(esp_encrypted=1)
    bare = fresh(IPv6(src=US6, dst=COA6, hlim=64) / MIP6MH_BA(seq=7))
    case("mip6-answer-bare", protect, "TRN-14: without it the policy is not meant").from_kernel(0, from_kernel(bare)).out(0, bare)
