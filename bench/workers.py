"""More workers: does a request cost as much, and do they wait for one another?

Backstay runs with one, two and four workers on all cores, beside the load and the
backend: on two cores four workers cannot be faster, but what a request costs shows
whether they are in each other's way. In a run of its own a preloaded library counts
the locks that are taken and those that another thread held just then; in another
one strace counts the calls of futex, which is what waiting for a lock is.
"""

import os
import re
import shutil
import signal
import struct

COUNTS = (1, 2, 4)
LOADS = {"request": {"connections": 64, "seconds": 1.5},
         "event": {"connections": 16, "seconds": 1.5, "stream": 1, "events": 500, "interval_us": 0}}
QUICK_SECONDS = 0.5
DONE = {"request": "requests_all", "event": "events_all"}


def locks_of(path):
    """Taken, held by another: so far."""
    with open(path, "rb") as f:
        return struct.unpack("=QQ", f.read(16))


def futex_calls(path):
    """What strace -c has counted."""
    with open(path) as f:
        found = re.search(r"(\d+)\s+(?:\d+\s+)?futex$", f.read(), re.M)
    return int(found.group(1)) if found else 0


def load(bench, name, settings):
    if bench.options.quick:
        settings = {**settings, "seconds": QUICK_SECONDS}
    return bench.run_load(name, "closed", settings, bench.cores)


def start(bench, free_port, workers, how, prefix=(), **environment):
    name, port = "workers-%d-%s" % (workers, how), free_port()
    command = list(prefix) + bench.command("backstay", port, WORKERS=workers)
    bench.start(name, command, bench.cores, port, environment)
    return name


def with_locks(bench, free_port, workers):
    """Locks a request and an event, and how many of a million another thread held."""
    path = os.path.join(bench.dir, "locks-%d" % workers)
    name = start(bench, free_port, workers, "locks", BENCH_LOCKS=path,
                 LD_PRELOAD=os.path.join(bench.options.build, "bench", "bench_locks.so"))
    row = {}
    for what, settings in LOADS.items():
        before = locks_of(path)
        done = load(bench, name, settings)[DONE[what]]
        taken, held = (b - a for a, b in zip(before, locks_of(path)))
        row["locks_a_" + what] = taken / max(1, done)
        row["held_of_a_million_" + what] = 1e6 * held / max(1, taken)
    return row


def with_strace(bench, free_port, workers):
    """Calls of futex for a thousand requests; nothing where strace may not."""
    path = os.path.join(bench.dir, "futex-%d" % workers)
    before = len(bench.processes)
    try:
        name = start(bench, free_port, workers, "strace", prefix=(
            "strace", "-f", "--seccomp-bpf", "-c", "-e", "trace=futex", "-o", path))
    except SystemExit:
        bench.stop_processes(before)
        return {}
    done = load(bench, name, LOADS["request"])["requests_all"]
    # Its tracer must not be ended: it would let the program go on.
    for pid in bench.children(bench.root[name]):
        os.kill(pid, signal.SIGTERM)
    bench.processes[-1].wait(10)
    bench.stop_processes(before)
    return {"futex_a_thousand_requests": 1e3 * futex_calls(path) / max(1, done)}


def measure(bench, free_port):
    """{workers: what was counted}; the backend may use all cores meanwhile."""
    table = {}
    os.sched_setaffinity(bench.root["direct"], bench.cores)
    for workers in COUNTS:
        before = len(bench.processes)
        name = start(bench, free_port, workers, "plain")
        row = {}
        for what, settings in LOADS.items():
            result = load(bench, name, settings)
            done = result[DONE[what]]
            row[what + "s_a_second"] = done / result["took_s"]
            row["cpu_us_a_" + what] = 1e6 * result["cpu_s"] / max(1, done)
        bench.stop_processes(before)
        row.update(with_locks(bench, free_port, workers))
        bench.stop_processes(before)
        if shutil.which("strace"):
            row.update(with_strace(bench, free_port, workers))
        table[workers] = row
    bench.one_core(False)
    return table
