#!/usr/bin/env python3
"""What it costs to be seen: instructions for each request with a part of the
monitoring on, against none of it. Counting for /metrics is always on; what it costs
by itself is counted within the same run, by function.

    bench/eyes.py --backstay PROGRAM

What an open dashboard costs goes by time, not by requests: it is told the state twice
a second. That is counted by itself, for each such message, and taken off again where
requests are counted with the page open.

As tests/budget: one thread plays client and backend under callgrind, so that a count
repeats to a fraction of a percent however busy the machine is. Needs valgrind.
"""

import argparse
import http.client
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "tests", "budget"))
import budget                                             # noqa: E402

REQUESTS = 100
MESSAGES = 10
ADMIN = "admin: {listen: '127.0.0.1:%(admin)d'}"
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
    ("two budgets", "log: {level: warn, access: off}\n"
     "prices: {bench-model: {input: 1, output: 4}}\n"
     "spending: {budgets: {all: {cost: 1000}, most: {tokens: 100000000, per: hour, then: refuse}}}"),
    ("dashboard open", "log: {level: warn, access: off}"),
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


class Watcher(threading.Thread):
    """What a page in a browser does: it reads the live stream. `told`: messages with the
    state, the first not counted."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=budget.PATIENCE_S)
        self.connection.request("GET", "/admin/events")
        self.answer, self.told, self.more = self.connection.getresponse(), -1, threading.Condition()
        self.start()

    def run(self):
        try:
            for line in self.answer:
                if line.startswith(b"event: state"):
                    with self.more:
                        self.told += 1
                        self.more.notify()
        except OSError:
            pass                    # closed

    def wait(self, count):
        with self.more:
            until = self.told + count
            assert self.more.wait_for(lambda: self.told >= until, budget.PATIENCE_S)


def play(stage, admin):
    """Messages to the watcher while requests were counted."""
    budget.unary(stage, 3, budget.KIB, budget.KIB)
    budget.stream(stage, 2, 2)
    watcher = Watcher(admin) if admin else None
    if watcher:
        watcher.wait(1)
    budget.mark(stage)
    if watcher:
        watcher.wait(MESSAGES)
    budget.mark(stage)
    before = watcher.told if watcher else 0
    budget.unary(stage, REQUESTS, budget.KIB, budget.KIB)
    told = watcher.told - before if watcher else 0
    budget.mark(stage)
    budget.stream(stage, 20, 1)
    budget.mark(stage)
    return told


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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def measure(program, more, collector, plain_mark=None):
    """Instructions for a request; of these counting's; for a message to the page, which is
    open where it is known what a mark costs without it; what a mark costs."""
    watched = plain_mark is not None
    admin = free_port() if watched else 0
    directory = tempfile.mkdtemp(prefix="backstay-eyes-")
    budget.CONFIG = re.sub(r"(?m)^log: .*$", lambda _: more, ORIGINAL).replace(
        "%(dir)s", directory).replace("%(collector)d", str(collector))
    if watched:
        budget.CONFIG = budget.CONFIG.replace("admin: off", ADMIN.replace("%(admin)d", str(admin)))
    stage = budget.Stage(program, directory)
    try:
        told = play(stage, admin)
    finally:
        stage.stop()
    dumps = dumps_of(directory)
    empty, message = budget.total_of(dumps[1]), 0
    if watched:
        message = (empty - plain_mark) / MESSAGES
        empty = plain_mark + told * message
    unary = (budget.total_of(dumps[2]) - empty) / REQUESTS
    counting = inclusive(dumps[2], "metrics_count") / REQUESTS
    shutil.rmtree(directory, ignore_errors=True)
    return unary, counting, message, empty


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
    base = mark = None
    print("instructions for one request of 1 KiB with an answer of 1 KiB")
    for name, more in VARIANTS:
        page = name == "dashboard open"
        unary, counting, message, cost = measure(program, more, server.server_address[1],
                                                 mark if page else None)
        if base is None:
            base, mark = unary, cost
        print("%-24s %9d  %+6d  %+6.1f %%" % (name, unary, unary - base, 100 * (unary / base - 1)))
        if name == "nothing":
            print("%-24s %9d  %6s  %6.1f %%" % ("  counting for /metrics", counting, "",
                                               100 * counting / unary))
        if page:
            print("%-24s %9d  that is %.1f requests, twice a second" % (
                "  a message to it", message, message / base))
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
