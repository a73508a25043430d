#!/usr/bin/python3
"""Writes tests/walk/cases: what goes into the dataplane and what must come out. case_bed.py has what a case is made of, each *_cases.py those of one
part of the dataplane.

Run it after changing a case and commit what it writes: generate.py [CASES]. Drop reasons stand in the cases by name: a new one changes none of them.
"""
import os
import shutil
import sys

import case_bed
import input_cases  # noqa: F401
import forward_cases  # noqa: F401
import reverse_cases  # noqa: F401
import mtu_cases  # noqa: F401
import output_cases  # noqa: F401
import ipv6_cases  # noqa: F401
import policy_cases  # noqa: F401
import corner_cases  # noqa: F401
import esp_worked_cases  # noqa: F401
import esp_cases  # noqa: F401
import esp_path_cases  # noqa: F401
import seldom_cases  # noqa: F401
import network_cases
import order_cases
import esp_edge_cases
import nested_cases
import mobility_cases
from case_bed import CASES

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "cases")
for part in (network_cases, order_cases, esp_edge_cases, nested_cases, mobility_cases):
    part.add(case_bed)


def write_corpus(name, wanted):
    """What the cases receive, as inputs of tests/fuzz/NAME_fuzz.c: port, kind, length, octets; kind 3 is time."""
    folder = os.path.join(os.path.dirname(__file__), "../fuzz/corpus", name)
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        if not old.startswith("found-"):  # what fuzzing found stays
            os.remove(os.path.join(folder, old))
    for c in CASES:
        records = b""
        for step in c.steps:
            kind = 0 if "receive" in step or "burst" in step else 1 if "kernel" in step else 2 if step.get("inject") == 2 else None
            if "advance_ms" in step:
                records += bytes([0, 3]) + min(step["advance_ms"] // 8, 4095).to_bytes(2, "big")
            elif kind is not None and "pcap" in step:
                for frame in c.files[step["pcap"]]:
                    raw = bytes(frame)[14 if kind == 2 else 0:]
                    records += bytes([step.get("receive", step.get("burst", step.get("kernel", step.get("port", 0)))), kind]) + len(raw).to_bytes(2, "big") + raw
        if records and wanted(c.name) and len(records) < 8192:
            with open(os.path.join(folder, c.name), "wb") as file:
                file.write(records)


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    names = [c.name for c in CASES]
    assert len(names) == len(set(names)), [n for n in names if names.count(n) > 1]
    for c in CASES:
        c.write(OUT)
    write_corpus("input_path", lambda name: True)
    write_corpus("icmp", lambda name: name.startswith(("path-", "icmp", "solicitation", "V05", "reverse-echo")))
    write_corpus("reassembly", lambda name: "reassembly" in name or "outer-fragments" in name)
    folder = os.path.join(os.path.dirname(__file__), "../fuzz/corpus/esp_path")
    os.makedirs(folder, exist_ok=True)
    for name, octets in esp_edge_cases.corpus().items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(octets)
    print("%d cases" % len(CASES))