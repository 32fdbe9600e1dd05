#!/usr/bin/env python3
"""What it costs to be seen: instructions for each request with a part of the
monitoring on, against none of it. Counting for /metrics is always on; what it costs
by itself is counted within the same run, by function.

    bench/eyes.py --backstay PROGRAM

As tests/budget: one thread plays client and backend under callgrind, so that a count
repeats to a fraction of a percent however busy the machine is. Needs valgrind.
"""

import argparse
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "tests", "budget"))
import budget                                             # noqa: E402

REQUESTS = 100
VARIANTS = (
    ("nothing", "log: {level: warn, access: off}"),
    ("access log to a file", "log: {level: warn, access: '%(dir)s/access.log'}"),
    ("... 5 % of it", "log: {level: warn, access: '%(dir)s/access.log', access_sample: 5%%}"),
    ("traces, none sampled", "log: {level: warn, access: off}\n"
     "tracing: {endpoint: 'http://127.0.0.1:%(collector)d', sample: 0%%}"),
    ("traces, 10 % sampled", "log: {level: warn, access: off}\n"
     "tracing: {endpoint: 'http://127.0.0.1:%(collector)d', sample: 10%%}"),
    ("traces, all sampled", "log: {level: warn, access: off}\n"
     "tracing: {endpoint: 'http://127.0.0.1:%(collector)d', sample: 100%%}"),
)


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def play(stage):
    budget.unary(stage, 3, budget.KIB, budget.KIB)
    budget.stream(stage, 2, 2)
    budget.mark(stage)
    budget.mark(stage)
    budget.unary(stage, REQUESTS, budget.KIB, budget.KIB)
    budget.mark(stage)
    budget.stream(stage, 20, 1)
    budget.mark(stage)


def dumps_of(directory):
    served = {}
    for name in os.listdir(directory):
        parts = name.split(".")
        if parts[0] == "counts" and len(parts) == 3:
            served.setdefault(parts[1], {})[int(parts[2])] = os.path.join(directory, name)
    best = max(served.values(), key=len)
    return [best[i] for i in sorted(best)]


def inclusive(path, function):
    """Instructions of a function with all that it calls, in one dump."""
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", path],
                          capture_output=True, text=True, check=True).stdout
    match = re.search(r"^\s*([\d,]+) .*:%s(?:'\d+)? " % re.escape(function), text, re.M)
    return int(match.group(1).replace(",", "")) if match else 0


def measure(program, more, collector):
    directory = tempfile.mkdtemp(prefix="backstay-eyes-")
    budget.CONFIG = re.sub(r"(?m)^log: .*$", lambda _: more, ORIGINAL).replace(
        "%(dir)s", directory).replace("%(collector)d", str(collector))
    stage = budget.Stage(program, directory)
    try:
        play(stage)
    finally:
        stage.stop()
    dumps = dumps_of(directory)
    empty = budget.total_of(dumps[1])
    unary = (budget.total_of(dumps[2]) - empty) / REQUESTS
    counting = inclusive(dumps[2], "metrics_count") / REQUESTS
    shutil.rmtree(directory, ignore_errors=True)
    return unary, counting


ORIGINAL = budget.CONFIG


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--backstay", required=True)
    program = os.path.abspath(parser.parse_args().backstay)
    if not shutil.which("valgrind"):
        print("valgrind is not installed")
        return 77
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = None
    print("instructions for one request of 1 KiB with an answer of 1 KiB")
    for name, more in VARIANTS:
        unary, counting = measure(program, more, server.server_address[1])
        base = base or unary
        print("%-24s %9d  %+6d  %+6.1f %%" % (name, unary, unary - base, 100 * (unary / base - 1)))
        if name == "nothing":
            print("%-24s %9d  %6s  %6.1f %%" % ("  counting for /metrics", counting, "",
                                               100 * counting / unary))
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
