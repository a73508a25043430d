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
	X(reasm_ecn, input, "fragments of one datagram marked CE and not capable of it (RFC 3168 5.3)") \
	X(ipsec_natt_short, input, "ESP-in-UDP payload of 1 to 3 octets that is no keepalive (RFC 3948 2.2)") \
	X(ipsec_natt_keepalive, input, "NAT keepalive, one octet 0xff (RFC 3948 2.3): nothing to do") \
	X(ipsec_udp_csum, input, "UDP checksum on an ESP port wrong, or 0 over IPv6 unless the SA takes it (RFC 3948 2.1, RFC 6935 5)") \
	X(ipsec_punt_limit, input, "more IKE messages than the kernel's side is to be troubled with (RFC 7296 2.6)") \
	X(ipsec_ah_unsupported, input, "Authentication Header: not supported") \
	X(ipsec_esp_fragment, input, "ESP that is still a fragment (RFC 4303 3.4.1)") \
	X(ipsec_too_short, decap, "ESP shorter than its SA's headers and ICV") \
	X(ipsec_bad_length, decap, "ESP ciphertext no multiple of the cipher's block, or longer than the datagram") \
	X(ipsec_spi_reserved, decap, "SPI 0") \
	X(ipsec_no_sa, decap, "no SA with this SPI (RFC 4303 3.4.2)") \
	X(ipsec_no_sa_recent, decap, "SA removed less than a minute ago") \
	X(ipsec_sa_larval, decap, "SPI given out, SA not negotiated yet") \
	X(ipsec_sa_expired, decap, "SA beyond a hard limit") \
	X(ipsec_replay, decap, "sequence number seen before, or 0 (RFC 4303 3.4.3)") \
	X(ipsec_replay_late, decap, "sequence number left of the replay window") \
	X(ipsec_icv_limit, decap, "too many forgeries for this SA: only its peer is listened to") \
	X(ipsec_bad_icv, decap, "integrity check failed (RFC 4303 3.4.4)") \
	X(ipsec_bad_pad, decap, "padding is not 1, 2, 3, ... or longer than the payload") \
	X(ipsec_bad_next_header, decap, "next header that a tunnel SA cannot carry") \
	X(ipsec_dummy, decap, "authentic dummy packet, next header 59: nothing to do") \
	X(ipsec_inner_malformed, decap, "inner header of a decrypted packet malformed, or an address that no packet may carry") \
	X(ipsec_option_reject, decap, "source-routed packet (RFC 5095), or a Home Address option without a binding (RFC 6275 9.3.1)") \
	X(ipsec_tiny_fragment, decap, "inner fragment with offset 1 (RFC 4301 7.2)") \
	X(ipsec_frag_selector, decap, "fragment in an SA whose selectors name ports (RFC 4301 7)") \
	X(ipsec_icmp_embedded, decap, "ICMP error in an SA that may not carry the packet it quotes (RFC 4301 6.2)") \
	X(ipsec_selector_mismatch, decap, "decrypted packet does not match its SA's selectors (RFC 4301 5.2)") \
	X(ipsec_ecn_ce_not_ect, decap, "outer CE over inner Not-ECT of a tunnel SA (RFC 6040 4.2)") \
	X(ipsec_no_tunnel, decap, "transport SA carried a tunnel that nobody here ends (RFC 3884)") \
	X(ipsec_nesting, decap, "ESP in ESP deeper than three, inbound, or than dataplane.esp_nesting_max, outbound; a tunnel that leads into itself") \
	X(ipsec_standby, decap, "this gateway is on standby: the SA is another one's until takeover (RFC 6311)") \
	X(ipsec_crypto_error, decap, "the cryptographic library refused the packet") \
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
	X(rt_not_granted, decap, "T=0: from a mobile network, or the agent demands T (require-t)") \
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
	X(policy_none, forward, "no security policy matches (RFC 4301 5)") \
	X(ipsec_frag_state, forward, "later fragment that no policy matches, of a datagram whose first fragment was not bypassed (RFC 4301 7.4)") \
	X(policy_discard, forward, "a security policy says discard") \
	X(policy_cleartext, forward, "in clear from outside, but a security policy asks for protection (RFC 4301 5.2)") \
	X(policy_no_sa, forward, "a security policy asks for protection and no security association is there") \
	X(ipsec_icmp_no_sa, forward, "ICMP error that no policy allows, and no security association carries the answers to what it quotes (RFC 4301 6.2)") \
	X(broadcast, forward, "broadcast or multicast that nobody here may receive") \
	X(mtu_df, encap, "too large for the tunnel or link and may not be fragmented") \
	X(fragment, encap, "fragmentation failed") \
	X(no_headroom, encap, "no room for the outer headers") \
	X(ipsec_mtu_exceeded, encap, "too large for the SA's path and may not be fragmented") \
	X(ipsec_seq_overflow, encap, "sequence numbers of the SA are used up (RFC 4303 3.3.3)") \
	X(ipsec_out_expired, encap, "outbound SA beyond a hard limit") \
	X(ipsec_rr_limit, encap, "more than dataplane.move_allowance octets to an address that the SA was moved to and nothing authentic came from") \
	X(ipsec_no_buffer, encap, "no packet buffer to encrypt in") \
	X(neighbor_unresolved, output, "next hop did not resolve in time") \
	X(neighbor_queue_full, output, "too many packets wait for a next hop") \
	X(tx_full, output, "transmit queue full") \
	X(tx_refused, output, "device cannot send the frame as it is") \
	X(port_down, output, "port is down") \
	X(punt_full, link, "control is slow or absent: punt ring full") \
	X(punt_policed, link, "too many Mobile IP messages from one source") \
	X(exception_full, link, "kernel side slow: exception ring full") \
	X(exception_none, link, "for the kernel, but the port has no exception TAP") \
	X(ipsec_handover_full, link, "the worker that owns the SA is slow: ring between workers full") \
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
/* The reason of that name; DROP_NONE when there is none. */
unsigned drop_reason_by_name(const char *name);

#endif
