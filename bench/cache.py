#!/usr/bin/env python3
"""Kept answers beside those of nginx and Varnish, on the same payload.

    bench/cache.py [--build DIR] [--quick] [--repetitions N]

Each proxy has one worker (Varnish its threads), pinned to one core; backend and
load are on the other. All are asked the same chat completion again and again over
64 connections and answer from memory. nginx looks the request's body up as it
stands; Varnish looks up nothing but the path, which is less than both others do.
Beside it: what Backstay pays for a request whose answer is not there (it reads the
question, asks, and keeps the answer), and how much memory an answer takes.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys

from bench import HERE, Bench, cpu_seconds, family, free_port, memory_kib, pinned

CLOSED = ("closed", {"connections": 64, "seconds": 2.5})
OPEN = ("open", {"connections": 64, "seconds": 2.5, "rate": 2000})
ENTRIES = 20000
QUICK_ENTRIES = 4000


class CacheBench(Bench):
    def command(self, name, port):
        if name == "nginx":
            return ["nginx", "-p", self.dir, "-c", self.config("cache-nginx.conf.in", name, port)]
        if name == "varnish":
            return ["varnishd", "-F", "-n", os.path.join(self.dir, "varnish"), "-j", "none",
                    "-a", "127.0.0.1:%d" % port, "-s", "malloc,256m", "-p", "thread_pools=1",
                    "-f", self.config("cache-varnish.vcl.in", name, port)]
        return [self.backstay(), "run", "-c",
                self.config("cache-backstay.yaml.in", name, port, ADMIN=self.admin)]

    def measure(self, name, model):
        row = {}
        for mode, settings in (CLOSED, OPEN):
            if self.options.quick:
                settings = {**settings, "seconds": 0.7}
            before = cpu_seconds(family(self.root[name]))
            done = subprocess.run(self.load_command(name, mode, {**settings, "model": model}),
                                  check=True, stdout=subprocess.PIPE,
                                  preexec_fn=pinned(self.load_core))
            result = json.loads(done.stdout)
            if result["errors"]:
                print("%s: %d errors" % (name, result["errors"]), file=sys.stderr)
            if mode == "closed":
                row["rps"] = result["rps"]
                row["cpu_us"] = 1e6 * (cpu_seconds(family(self.root[name])) - before) / max(1, result["requests_all"])
            else:
                row["p50_us"] = result["latency"]["p50_us"]
                row["p99_us"] = result["latency"]["p99_us"]
        return row

    def memory_per_entry(self, count):
        """KiB of the process for each kept answer, and what the cache itself counts."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port["backstay"])
        sizes = []

        def ask(n):
            connection.request("POST", "/v1/chat/completions", json.dumps(
                {"model": "hit", "messages": [{"role": "user", "content": "question %d" % n}]}),
                {"content-type": "application/json"})
            answer = connection.getresponse()
            sizes.append(len(answer.read()))
            assert answer.status == 200

        for n in range(1000):
            ask(n)
        before = memory_kib(self.root["backstay"])
        for n in range(1000, 1000 + count):
            ask(n)
        after = memory_kib(self.root["backstay"])
        admin = http.client.HTTPConnection("127.0.0.1", self.admin)
        admin.request("GET", "/admin/cache")
        memory = json.loads(admin.getresponse().read())["memory"]
        return ((after - before) * 1024 / count, memory["bytes"] / memory["entries"],
                statistics.median(sizes), memory["entries"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(HERE), "build"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    bench = CacheBench(options)
    bench.admin = free_port()
    rows = (("direct", "chat", "no proxy"), ("nginx", "hit", "nginx, hit"),
            ("varnish", "hit", "Varnish, hit"), ("backstay", "hit", "Backstay, hit"),
            ("backstay", "chat", "Backstay, nothing kept"),
            ("backstay", "miss", "Backstay, miss and kept"))
    results = {title: [] for _, _, title in rows}
    try:
        bench.start_all(("nginx", "varnish", "backstay"))
        for _ in range(1 if options.quick else options.repetitions):
            for name, model, title in rows:
                results[title].append(bench.measure(name, model))
        entry = bench.memory_per_entry(QUICK_ENTRIES if options.quick else ENTRIES)
    finally:
        bench.stop_all()
    print("%-26s %12s %14s %10s %10s" % ("", "requests/s", "CPU/request", "p50", "p99"))
    for title, one in results.items():
        median = {k: statistics.median(r[k] for r in one) for k in one[0]}
        print("%-26s %12.0f %11.1f us %7.0f us %7.0f us" % (
            title, median["rps"], median["cpu_us"], median["p50_us"], median["p99_us"]))
    print("memory for an answer: %.0f bytes of the process, %.0f as counted, for a body of %.0f (%d kept)"
          % entry)
    return 0


if __name__ == "__main__":
    sys.exit(main())
