#!/usr/bin/python3
"""The bad input table of the requirements (section 18), row by row: which case of the walk shows it, under exactly which reason
the packet ends, whether it is audited, and what else leaves the gateway. The walk itself compares every counter, every frame, every event
and the SA's state; this test holds the cases to the table, so that none of them can come to expect something else. // BAD-00

  bad_rows_test.py CASES
"""
import json
import os
import sys

AUDITED, QUIET = True, False
EVENT_REJECTED, EVENT_MAPPING, EVENT_ACQUIRE = 11, 10, 12

# Row, case, what is dropped under which reason, audited, frames that leave (the sound packets of the case, and answers).
ROWS = [
    (1, "esp-bad-short", {"ipsec_too_short": 1}, QUIET, 0),
    (2, "esp-bad-misaligned", {"ipsec_bad_length": 1}, QUIET, 0),
    (3, "esp-udp-length", {"ipsec_bad_length": 1}, QUIET, 0),
    (4, "esp-bad-spi-zero", {"ipsec_spi_reserved": 1}, AUDITED, 0),
    (5, "esp-bad-spi-unknown", {"ipsec_no_sa": 1}, AUDITED, 0),
    (6, "esp-larval", {"ipsec_sa_larval": 1}, QUIET, 1),
    (7, "esp-removed", {"ipsec_no_sa_recent": 1, "ipsec_no_sa": 1}, AUDITED, 1),  # a minute later
    (8, "esp-hard-packets", {"ipsec_sa_expired": 2}, QUIET, 2),
    (9, "esp-replay", {"ipsec_replay": 1}, AUDITED, 2),
    (10, "esp-replay-late", {"ipsec_replay_late": 1}, AUDITED, 1),
    (10, "esp-bad-seq-zero", {"ipsec_replay": 1}, AUDITED, 0),
    (11, "esp-replay-burst", {"ipsec_replay": 1}, AUDITED, 1),
    (12, "esp-bad-icv", {"ipsec_bad_icv": 1}, AUDITED, 0),
    (12, "esp-bad-seq-tampered", {"ipsec_bad_icv": 1}, AUDITED, 0),
    (13, "esp-bad-pad-bytes", {"ipsec_bad_pad": 1}, QUIET, 0),
    (14, "esp-bad-pad-length", {"ipsec_bad_pad": 1}, QUIET, 0),
    (15, "esp-bad-next-header", {"ipsec_bad_next_header": 1}, QUIET, 0),
    (16, "esp-gcm128-dummy", {"ipsec_dummy": 1}, QUIET, 0),
    (17, "esp-bad-inner-version", {"ipsec_inner_malformed": 1}, QUIET, 0),
    (17, "esp-bad-inner-length", {"ipsec_inner_malformed": 1}, QUIET, 0),
    (18, "esp-bad-inner-source", {"ipsec_selector_mismatch": 1}, AUDITED, 0),
    (19, "esp-bad-inner-dest", {"ipsec_selector_mismatch": 1}, AUDITED, 0),
    (20, "esp-frag-selector", {"ipsec_frag_selector": 1}, AUDITED, 0),
    (20, "esp-frag-selector-ipv6", {"ipsec_frag_selector": 1}, AUDITED, 1),
    (21, "esp-tiny", {"ipsec_tiny_fragment": 1}, QUIET, 0),
    (22, "esp-icmp-embedded-foreign", {"ipsec_icmp_embedded": 1}, AUDITED, 0),
    (23, "esp-transport-fragment", {"ipsec_esp_fragment": 1}, QUIET, 0),  # inbound fragments are made whole first
    (24, "esp-outer-overlap", {"reasm_overlap": 2}, QUIET, 0),
    (25, "esp-outer-limit", {"reasm_limit": 4}, QUIET, 1),
    (25, "esp-outer-timeout", {"reasm_timeout": 2}, QUIET, 0),
    (26, "esp-outer-ecn-bad", {"reasm_ecn": 3}, QUIET, 0),
    (27, "esp-ecn-inner-notect-outer-ce", {"ipsec_ecn_ce_not_ect": 1}, QUIET, 0),
    (28, "esp-in-ecn-unused", {}, QUIET, 3),
    (29, "policy-cleartext", {"policy_cleartext": 1}, AUDITED, 0),
    (30, "policy-none-in", {"policy_none": 1}, AUDITED, 0),
    (31, "policy-fragment-state-first", {"ipsec_frag_state": 1}, AUDITED, 1),  # the first one comes after it
    (32, "esp-nested-4", {"ipsec_nesting": 1}, AUDITED, 0),
    (33, "esp-natt-short", {"ipsec_natt_short": 3}, QUIET, 0),
    (34, "esp-natt-keepalive", {"ipsec_natt_keepalive": 1}, QUIET, 0),
    (35, "esp-natt-ike", {}, QUIET, 0),
    (36, "esp-udp-checksum", {"ipsec_udp_csum": 1}, QUIET, 0),
    (36, "esp-udp-checksum-ipv6", {"ipsec_udp_csum": 1}, QUIET, 0),
    (37, "esp-transit", {}, QUIET, 1),
    (38, "esp-udp-on-plain", {}, QUIET, 1),
    (38, "esp-plain-on-udp", {}, QUIET, 1),
    (39, "esp-mapping", {}, QUIET, 4),
    (40, "esp-mapping", {}, QUIET, 4),
    (41, "esp-ptb-lies", {}, QUIET, 2),
    (42, "policy-acquire", {"policy_no_sa": 2}, QUIET, 0),  # told as an acquire
    (43, "policy-discard", {"policy_discard": 1}, AUDITED, 0),
    (43, "policy-discard-told", {"policy_discard": 1}, AUDITED, 1),
    (44, "esp-out-last", {"ipsec_seq_overflow": 1}, AUDITED, 1),
    (45, "esp-out-ttl-told", {"ttl": 1}, QUIET, 1),
    (46, "esp-out-too-big", {"ipsec_mtu_exceeded": 1}, QUIET, 1),
    (46, "esp-out-too-big-ipv6", {"ipsec_mtu_exceeded": 1}, QUIET, 1),
    (47, "esp-ah", {"ipsec_ah_unsupported": 1}, QUIET, 0),
    (49, "esp-transport-no-tunnel", {"ipsec_no_tunnel": 1}, QUIET, 0),
    (50, "esp-inner-multicast", {"ipsec_inner_malformed": 1}, QUIET, 0),
    (50, "esp-inner-loopback", {"ipsec_inner_malformed": 1}, QUIET, 0),
    (50, "esp-inner-ours", {"ipsec_inner_malformed": 1}, QUIET, 0),
    (51, "esp-source-route", {"ipsec_option_reject": 1}, QUIET, 0),
    (52, "policy-chain-long", {"policy_none": 1}, AUDITED, 0),
    (52, "policy-chain-any", {}, QUIET, 1),
    (53, "esp-out-icmp-quoted-no-sa", {"ipsec_icmp_no_sa": 1}, AUDITED, 0),
    (54, "esp-icv-limit", {"ipsec_bad_icv": 1025, "ipsec_icv_limit": 2}, AUDITED, 2),
    (55, "esp-rr-limit", {"ipsec_rr_limit": 3, "ipsec_replay": 1}, AUDITED, 49),
    (56, "esp-ike-limit", {"ipsec_punt_limit": 6}, QUIET, 0),
]
# Rows with other counters that have to move, by name.
COUNTERS = {28: {"ecn_anomalies": 3}, 27: {"ecn_anomalies": 1}, 38: {"ipsec_outer_mismatch": 1}, 41: {"ipsec_ptb_reject": 4},
            35: {"punted_exception": 1}, 45: {"icmp_sent": 1}, 46: {"icmp_sent": 1}}
EVENTS = {39: EVENT_MAPPING, 40: EVENT_MAPPING, 42: EVENT_ACQUIRE}
# Shown by other suites: no frame alone makes them.
ELSEWHERE = {48: "tests/unit/dataplane/esp_outer_test.c", 57: "tests/unit/config/config_test.c", 58: "tests/unit/config/config_test.c",
             59: "tests/unit/control/ipsec/ipsec_test.c"}


def problem(row, case, drops, audited, sent):
    counters = case.get("counters", {})
    rejected = [e["reason"] for e in case.get("events", []) if e["type"] == EVENT_REJECTED]
    if drops is not None and case.get("drops", {}) != drops:
        return "drops %s, not %s" % (case.get("drops", {}), drops)
    if sent is not None and counters.get("sent_port", 0) != sent:
        return "%d frames leave, not %d" % (counters.get("sent_port", 0), sent)
    if audited != bool(rejected):
        return "audited: %s" % rejected
    for name, n in COUNTERS.get(row, {}).items():
        if counters.get(name, 0) != n:
            return "%s is %d, not %d" % (name, counters.get(name, 0), n)
    if row in EVENTS and not any(e["type"] == EVENTS[row] for e in case.get("events", [])):
        return "event %d is missing" % EVENTS[row]
    return None


def main():
    folder = sys.argv[1]
    root = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    results = []
    for row, name, drops, audited, sent in ROWS:
        try:
            with open(os.path.join(folder, name, "case.json")) as file:
                wrong = problem(row, json.load(file), drops, audited, sent)
        except OSError as error:
            wrong = str(error)
        results.append(("BAD-%02d %s" % (row, name), wrong))
    for row, path in ELSEWHERE.items():
        with open(os.path.join(root, path)) as file:
            results.append(("BAD-%02d %s" % (row, path), None if "BAD-%02d" % row in file.read() else "does not name the row"))
    shown = {row for row, *_ in ROWS} | set(ELSEWHERE)
    results.append(("every row of the table", None if shown == set(range(1, 60)) else "missing: %s" % sorted(set(range(1, 60)) - shown)))
    for number, (name, wrong) in enumerate(results, 1):
        print("%s %d - %s%s" % ("not ok" if wrong else "ok", number, name, ": " + wrong if wrong else ""))
    print("1..%d" % len(results))
    return any(wrong for _, wrong in results)


if __name__ == "__main__":
    sys.exit(main())
