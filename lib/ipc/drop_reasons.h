/*
 * The one list of reasons a packet dies in the dataplane: name, step that drops it, help text.
 * The only X-macro of the tree. Every drop is counted exactly once under one of these; the enum,
 * the operators' "show drops", the metrics and docs/drops.md are made from it. Names of HA4-BAD
 * keep their spelling there. Append within a step freely: the layout version in region.h covers the
 * order.
 */
#ifndef LIB_IPC_DROP_REASONS_H
#define LIB_IPC_DROP_REASONS_H

/* One reason a line, whatever its length. */
/* clang-format off */
#define DROP_REASONS(X) \
	X(rx_frame_short, input, "frame shorter than an Ethernet header or than its own tags") \
	X(rx_not_for_us, input, "unicast frame for another station's address") \
	X(rx_vlan_unknown, input, "VLAN tag on a port that has no such VLAN") \
	X(ipv4_header, input, "IPv4 version, header length or total length wrong (RFC 1812 5.2.2)") \
	X(ipv4_checksum, input, "IPv4 header checksum wrong") \
	X(ipv6_header, input, "IPv6 version or payload length wrong (RFC 8200 3)") \
	X(source_invalid, input, "source address that no packet may carry (RFC 1812 5.3.7)") \
	X(destination_invalid, input, "destination address that no packet may carry (RFC 1812 5.3.7)") \
	X(link_broadcast_unicast, input, "unicast IP destination in a link broadcast frame (RFC 1812 5.3.4)") \
	X(udp_short, input, "UDP header cut off or UDP length wrong") \
	X(udp_badsum, input, "UDP checksum wrong") \
	X(rx_short, input, "Mobile IP message shorter than its fixed part") \
	X(rx_unknown_type, input, "Mobile IP message type unknown") \
	X(rx_unexpected_rrp, input, "registration reply sent to a home agent") \
	X(rx_source_port, input, "Mobile IP message from UDP port 0") \
	X(rx_source_address, input, "Mobile IP message from an address that cannot be a peer") \
	X(reasm_overlap, input, "overlapping fragment: the whole datagram is discarded") \
	X(reasm_tiny, input, "first fragment shorter than the headers it must hold") \
	X(reasm_limit, input, "reassembly table full, or too many fragments or octets of one source") \
	X(reasm_timeout, input, "fragments whose datagram never became whole") \
	X(rt_no_binding, decap, "tunnel packet whose inner source, outer addresses or ports match no binding") \
	X(rt_encap_mismatch, decap, "tunnel packet in another encapsulation than the binding's") \
	X(udp_tun_nh_mismatch, decap, "MIP tunnel data with another next header than the binding's") \
	X(rt_inner_bad, decap, "inner header does not parse") \
	X(rt_inner_source, decap, "inner source address that no packet may carry") \
	X(rt_inner_destination, decap, "inner destination address that no packet may carry") \
	X(rt_inner_multicast, decap, "reverse-tunnelled multicast or broadcast, not enabled") \
	X(rt_signalling, decap, "Mobile IP signalling inside the sender's own tunnel") \
	X(rt_nest, decap, "more than four tunnel layers") \
	X(rt_needs_ipsec, decap, "binding demands IPsec, packet came without") \
	X(rt_not_granted, decap, "reverse tunnel not granted and the agent demands it (require-t)") \
	X(ecn_drop, decap, "outer CE over inner Not-ECT (RFC 6040 4.2)") \
	X(gre_header, decap, "GRE version, reserved bits or length wrong") \
	X(gre_checksum, decap, "GRE checksum wrong") \
	X(gre_protocol, decap, "GRE payload is neither IPv4 nor a granted IPv6") \
	X(gre_loop, decap, "GRE payload addressed to the outer source") \
	X(minimal_header, decap, "minimal encapsulation header or checksum wrong") \
	X(tunnel_protocol, decap, "tunnel protocol that this agent address does not serve") \
	X(ttl, forward, "time to live or hop limit used up") \
	X(fwd_loop, forward, "own source address or the tunnel's own end would enter the tunnel (RFC 2003 3.2)") \
	X(fwd_nest, forward, "more than four encapsulations, or a care-of address chain that closes") \
	X(fwd_half_bound, forward, "UDP tunnel not bound yet (RFC 3519 R bit)") \
	X(fwd_stale_nat, forward, "NAT mapping now belongs to another node") \
	X(fwd_suspended, forward, "binding suspended by control") \
	X(fwd_needs_ipsec, forward, "binding demands IPsec and has no security association") \
	X(fwd_encapsulated_loop, forward, "tunnelled home-address packet from the care-of address itself (RFC 5944 4.2.3)") \
	X(no_route, forward, "no route to the destination") \
	X(route_blackhole, forward, "route says discard") \
	X(home_unreachable, forward, "home address on a virtual home network without a binding") \
	X(away_source, forward, "un-tunnelled packet from an away home address, policy drop") \
	X(broadcast, forward, "broadcast or multicast that nobody here may receive") \
	X(mtu_df, encap, "too large for the tunnel or link and may not be fragmented") \
	X(fragment, encap, "fragmentation failed") \
	X(no_headroom, encap, "no room for the outer headers") \
	X(neighbor_unresolved, output, "next hop did not resolve in time") \
	X(neighbor_queue_full, output, "too many packets wait for a next hop") \
	X(tx_full, output, "transmit queue full") \
	X(port_down, output, "port is down") \
	X(punt_full, link, "control is slow or absent: punt ring full") \
	X(punt_policed, link, "too many Mobile IP messages from one source") \
	X(exception_full, link, "kernel side slow: exception ring full") \
	X(exception_none, link, "for the kernel, but the port has no exception TAP") \
	X(inject_bad, link, "control asked to send something malformed") \
	X(no_buffer, link, "no packet buffer left")
/* clang-format on */

enum drop_reason {
	DROP_NONE = 0, /* not dropped */
#define X(name, step, text) DROP_##name,
	DROP_REASONS(X)
#undef X
		DROP_REASON_COUNT
};

/* Name ("rt_no_binding"), step ("decap") and help text; "none" for DROP_NONE and unknown values. */
const char *drop_reason_name(unsigned reason);
const char *drop_reason_step(unsigned reason);
const char *drop_reason_text(unsigned reason);

#endif
