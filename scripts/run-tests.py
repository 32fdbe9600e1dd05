#!/usr/bin/env python3
"""Runs the suites of a build and closes with one counting line.

  run-tests.py --build DIR [--jobs N] [--e2e] [--slow]

--e2e: also runs tests/e2e/run.sh where it is. That prints what it likes; lines
"SKIP name: reason" name what it left out, and its last line "N passed, N failed,
N skipped" is counted.
--slow: for sanitizers; time limits are five times longer.

The tests inside a cmocka program count one by one, any other program as one.
"""

import argparse
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
CMOCKA = re.compile(r"^\[ *(PASSED|FAILED|SKIPPED) *\] (\d+) test\(s\)", re.M)
BAD = ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS")


class Total:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures, self.skips = [], []

    def add_program(self, name, result, output):
        inside = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
        for kind, count in CMOCKA.findall(output):
            inside[kind] += int(count)
        self.passed += inside["PASSED"]
        self.failed += inside["FAILED"]
        self.skipped += inside["SKIPPED"]
        if inside["SKIPPED"]:
            self.skips.append("%s (%d inside)" % (name, inside["SKIPPED"]))
        if result == "SKIP":
            self.skipped += 1
            self.skips.append(name)
        elif result in BAD:
            self.failures.append("%s (%s)" % (name, result.lower()))
            if not inside["FAILED"]:
                self.failed += 1
        elif not any(inside.values()):
            self.passed += 1

    def say(self):
        for name in self.skips:
            print("skipped: %s" % name)
        for name in self.failures:
            print("failed: %s" % name)
        print("%d passed, %d failed, %d skipped" % (self.passed, self.failed, self.skipped))


def run_meson(args, total):
    command = ["meson", "test", "-C", args.build, "--no-rebuild", "--print-errorlogs",
               "--num-processes", str(args.jobs)]
    if args.slow:
        command += ["--timeout-multiplier", "5"]
    code = subprocess.call(command)
    log = os.path.join(args.build, "meson-logs", "testlog.json")
    seen = 0
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            for line in file:
                test = json.loads(line)
                total.add_program(test["name"], test["result"],
                                  (test.get("stdout") or "") + (test.get("stderr") or ""))
                seen += 1
    except OSError:
        pass
    if not seen or (code and not total.failed):
        total.failed += 1
        total.failures.append("meson test (exit code %d)" % code)


def run_e2e(args, total):
    script = os.path.join(ROOT, "tests", "e2e", "run.sh")
    if not os.path.exists(script):
        return
    binary = os.path.abspath(os.path.join(args.build, "src", "daemon", "backstay"))
    counts = None
    process = subprocess.Popen(["bash", script], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                               errors="replace", env=dict(
                                   os.environ, BACKSTAY=binary,
                                   E2E_HOME=os.path.abspath(os.path.join(args.build, "e2e"))))
    for line in process.stdout:
        print(line, end="", flush=True)
        match = COUNTS.match(line.strip())
        if match:
            counts = [int(n) for n in match.groups()]
        elif line.startswith("SKIP "):
            total.skips.append(line[len("SKIP "):].strip())
    code = process.wait()
    if counts:
        total.passed += counts[0]
        total.failed += counts[1]
        total.skipped += counts[2]
    if (code and not (counts and counts[1])) or not counts:
        total.failed += 1
    if code or not counts or counts[1]:
        total.failures.append("tests/e2e (exit code %d)" % code)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--e2e", action="store_true")
    parser.add_argument("--slow", action="store_true")
    args = parser.parse_args()
    total = Total()
    run_meson(args, total)
    if args.e2e:
        run_e2e(args, total)
    print()
    total.say()
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
