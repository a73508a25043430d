#!/usr/bin/python3
"""A case that names a drop reason which there is not must fail and say which name: unknown_reason_test.py WALK CASES"""
import json
import os
import shutil
import subprocess
import sys
import tempfile


def spoil_drops(case):
    case["drops"]["ipsec_bad_icw"] = case["drops"].pop("ipsec_bad_icv")


def spoil_event(case):
    case["events"][0]["reason"] = "ipsec_bad_icw"


def main():
    walk, cases = sys.argv[1:]
    failed = 0
    print("1..2")
    for number, spoil in enumerate((spoil_drops, spoil_event), 1):
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "case")
            shutil.copytree(os.path.join(cases, "esp-bad-icv"), copy)
            path = os.path.join(copy, "case.json")
            with open(path) as file:
                case = json.load(file)
            spoil(case)
            with open(path, "w") as file:
                json.dump(case, file)
            run = subprocess.run([walk, folder], capture_output=True, text=True, check=False)
        told = run.returncode == 1 and "not ok 1 - case: there is no drop reason ipsec_bad_icw" in run.stdout
        print("%s %d - %s" % ("ok" if told else "not ok", number, spoil.__name__))
        failed += not told
    return failed


if __name__ == "__main__":
    sys.exit(main())
