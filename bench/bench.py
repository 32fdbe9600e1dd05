#!/usr/bin/env python3
"""Measures Backstay beside nginx, HAProxy and a bare relay, all in one run.

    bench/bench.py [--build DIR] [--quick] [--only ROW,...] [--json FILE] [--brownout]

Every proxy has one worker, pinned to one core; the backend and the load are on
the other one. The proxies take turns within each repetition, so that whatever
else the machine does falls on all of them. Printed are medians, with the least
and the most of the repetitions. CPU time is that of all of a proxy's processes,
as the kernel accounts it, and holds also when the other core is what limits the
rate.
"""

import argparse
import fcntl
import json
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import brownout
import gateways
import streams

HERE = os.path.dirname(os.path.abspath(__file__))
NOFILE = 20000
CONNECTIONS = 9000
START_SECONDS = 60

# What is measured: length in seconds; load's mode and options.
PHASES = {
    "unary": ("closed", {"connections": 64, "seconds": 2.5}),
    "body100k": ("closed", {"connections": 16, "seconds": 1.5, "body": 100 * 1024}),
    "body1m": ("closed", {"connections": 8, "seconds": 2, "body": 1024 * 1024}),
    "steady": ("open", {"connections": 64, "seconds": 2.5, "rate": 2000}),
    "paced": ("closed", {"connections": 200, "seconds": 2.5, "warm_ms": 500, "stream": 1,
                         "events": 100, "interval_us": 10000}),
    "burst": ("closed", {"connections": 16, "seconds": 1.5, "stream": 1, "events": 500,
                         "interval_us": 0}),
}
QUICK_SECONDS = 0.7
STREAMS = (500, 3000)
QUICK_STREAMS = (200, 1000)

GATEWAYS = gateways.NAMES
# They are slow, and few requests at a time serve them best.
GATEWAY_LOAD = {"connections": 16, "seconds": 3, "warm_ms": 2000}
ROWS = ("direct", "relay", "nginx", "haproxy") + GATEWAYS + ("backstay", "backstay-log")
TITLES = {"direct": "no proxy", "relay": "bare relay", "nginx": "nginx", "haproxy": "HAProxy",
          "portkey": "Portkey's gateway", "litellm": "LiteLLM",
          "backstay": "Backstay", "backstay-log": "Backstay, access log on"}

# key, title, digits after the point, which way is better ("less", "more", None)
METRICS = (
    ("rps", "1 KiB requests/s, 64 connections", 0, "more"),
    ("busy", "share of its core used for that, %", 0, None),
    ("cpu_us", "CPU per 1 KiB request, µs", 1, "less"),
    ("cpu_100k_us", "CPU per 100 KiB request, µs", 1, "less"),
    ("cpu_1m_us", "CPU per 1 MiB request, µs", 0, "less"),
    ("p50_us", "p50 at 2,000 requests/s, one core for all, µs", 0, "less"),
    ("added_p50_us", "added p50, µs", 0, "less"),
    ("added_p90_us", "added p90, µs", 0, "less"),
    ("added_p99_us", "added p99, µs", 0, "less"),
    ("added_p99_9_us", "added p99.9, µs", 0, "less"),
    ("added_first_p50_us", "added time to first event, p50, µs", 0, "less"),
    ("event_cpu_us", "CPU per paced SSE event, µs", 2, "less"),
    ("delay_p50_us", "event under way, p50, µs", 0, "less"),
    ("delay_p99_us", "event under way, p99, µs", 0, "less"),
    ("burst_eps", "SSE events/s in bursts", 0, "more"),
    ("burst_cpu_us", "CPU per SSE event in bursts, µs", 2, "less"),
    ("stream_kib", "memory per open stream, KiB", 2, "less"),
    ("tls_stream_kib", "the same with TLS on both sides, KiB", 2, "less"),
    ("idle_kib", "memory when idle, KiB", 0, "less"),
    ("start_ms", "time from start to listening, ms", 0, "less"),
)


# ---- processes ----------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, name):
    for _ in range(START_SECONDS * 200):
        if process.poll() is not None:
            sys.exit("%s ended at its start, exit %d" % (name, process.returncode))
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.005)
    sys.exit("%s does not listen" % name)


def family(pid):
    """The process and all below it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as f:
                    parents[int(entry)] = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cpu_seconds(pid):
    """User and system time of all threads; to the nanosecond where schedstat exists."""
    total = 0.0
    for one in family(pid):
        try:
            for task in os.listdir("/proc/%d/task" % one):
                with open("/proc/%d/task/%s/schedstat" % (one, task)) as f:
                    total += int(f.read().split()[0]) / 1e9
        except FileNotFoundError:
            with open("/proc/%d/stat" % one) as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def memory_kib(pid):
    """Proportional set size of all processes: shared pages are counted once."""
    total = 0
    for one in family(pid):
        with open("/proc/%d/smaps_rollup" % one) as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total


def pinned(core):
    def before_exec():
        os.sched_setaffinity(0, {core})
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit(), hard_limit()))
    return before_exec


def hard_limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def soft_limit():
    hard = hard_limit()
    return NOFILE if hard == resource.RLIM_INFINITY else min(NOFILE, hard)


# ---- the bench ------------------------------------------------------------------

class Bench:
    def __init__(self, options):
        self.options = options
        self.dir = tempfile.mkdtemp(prefix="backstay-bench-")
        os.chmod(self.dir, 0o755)
        cores = sorted(os.sched_getaffinity(0))
        self.proxy_core, self.load_core = cores[0], cores[-1]
        self.processes, self.port, self.root, self.start_ms = [], {}, {}, {}

    def tool(self, name):
        return os.path.join(self.options.build, "bench", "bench-" + name)

    def start(self, name, command, core, port):
        log = open(os.path.join(self.dir, name + ".out"), "wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   preexec_fn=pinned(core))
        self.processes.append(process)
        self.port[name], self.root[name] = port, process.pid
        begin = time.monotonic()
        try:
            wait_for_port(port, process, name)
            self.start_ms[name] = 1e3 * (time.monotonic() - begin)
        except SystemExit:
            with open(log.name) as f:
                sys.stderr.write(f.read()[-2000:])
            raise

    def backstay(self):
        return os.path.join(self.options.build, "src", "daemon", "backstay")

    def config(self, template, name, port, **more):
        values = {"PORT": port, "BACKEND": self.port.get("direct", ""), "DIR": self.dir,
                  "NOFILE": soft_limit(), "CONNECTIONS": min(CONNECTIONS, soft_limit() // 2 - 100),
                  "USER": "user root;" if os.geteuid() == 0 else "", **more}
        with open(os.path.join(HERE, template)) as f:
            text = f.read()
        for key, value in values.items():
            text = text.replace("@%s@" % key, str(value))
        path = os.path.join(self.dir, name + "-" + template[:-3])
        with open(path, "w") as f:
            f.write(text)
        return path

    def command(self, name, port):
        if name == "relay":
            return [self.tool("relay"), str(port), str(self.port["direct"])]
        if name == "nginx":
            return ["nginx", "-p", self.dir, "-c", self.config("nginx.conf.in", name, port)]
        if name == "haproxy":
            return ["haproxy", "-db", "-f", self.config("haproxy.cfg.in", name, port)]
        if name in GATEWAYS:
            return gateways.command(name, self.options.gateways, self.dir, port, self.port["direct"])
        access = "off" if name == "backstay" else os.path.join(self.dir, "access.log")
        return [self.backstay(), "run", "-c", self.config("backstay.yaml.in", name, port, ACCESS=access)]

    def start_all(self, rows):
        port = free_port()
        self.start("direct", [self.tool("backend"), str(port)], self.load_core, port)
        for name in rows:
            if name != "direct":
                port = free_port()
                self.start(name, self.command(name, port), self.proxy_core, port)

    def stop_processes(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
        self.processes = []

    def stop_all(self):
        self.stop_processes()
        shutil.rmtree(self.dir, ignore_errors=True)

    def load_command(self, name, mode, settings):
        return ([self.tool("load"), mode, str(self.port[name])] +
                ["%s=%s" % item for item in settings.items()] +
                ["header=" + line for line in gateways.headers(name, self.port["direct"])])

    def one_core(self, together):
        """The backend beside the proxies, or back on the load's core: where all share
        one core a latency holds no wake-up of another one."""
        core = self.proxy_core if together else self.load_core
        os.sched_setaffinity(self.root["direct"], {core})
        return core

    def phase(self, name, phase):
        """One load on one proxy: what the load counted, and the CPU it took."""
        mode, settings = PHASES[phase]
        if self.options.quick:
            settings = {**settings, "seconds": QUICK_SECONDS}
        if name in GATEWAYS:
            settings = {**settings, **GATEWAY_LOAD, "model": gateways.MODEL[name]}
        core = self.one_core(phase == "steady")
        before, begin = cpu_seconds(self.root[name]), time.monotonic()
        done = subprocess.run(self.load_command(name, mode, settings), check=True,
                              stdout=subprocess.PIPE, preexec_fn=pinned(core))
        self.one_core(False)
        result = json.loads(done.stdout)
        result["cpu_s"] = cpu_seconds(self.root[name]) - before
        result["busy"] = 100 * result["cpu_s"] / (time.monotonic() - begin)
        if result["errors"]:
            print("%s, %s: %d errors" % (name, phase, result["errors"]), file=sys.stderr)
        return result

    def repetition(self, name):
        unary, paced = self.phase(name, "unary"), self.phase(name, "paced")
        row = {"rps": unary["rps"], "first_p50_us": paced["first"]["p50_us"],
               "delay_p50_us": paced["delay"]["p50_us"], "delay_p99_us": paced["delay"]["p99_us"],
               "errors": unary["errors"] + paced["errors"]}
        if name in GATEWAYS:
            row.update({"busy": unary["busy"],
                        "cpu_us": 1e6 * unary["cpu_s"] / max(1, unary["requests_all"]),
                        "event_cpu_us": 1e6 * paced["cpu_s"] / max(1, paced["events_all"])})
            return row
        steady, burst = self.phase(name, "steady"), self.phase(name, "burst")
        small, large = self.phase(name, "body100k"), self.phase(name, "body1m")
        row.update({key + "_us": steady["latency"][key + "_us"] for key in ("p50", "p90", "p99", "p99_9")})
        row["burst_eps"] = burst["eps"]
        row["errors"] += sum(r["errors"] for r in (steady, burst, small, large))
        if name != "direct":
            row.update({"cpu_100k_us": 1e6 * small["cpu_s"] / max(1, small["requests_all"]),
                        "cpu_1m_us": 1e6 * large["cpu_s"] / max(1, large["requests_all"])})
            row.update({"busy": unary["busy"],
                        "cpu_us": 1e6 * unary["cpu_s"] / max(1, unary["requests_all"]),
                        "event_cpu_us": 1e6 * paced["cpu_s"] / max(1, paced["events_all"]),
                        "burst_cpu_us": 1e6 * burst["cpu_s"] / max(1, burst["events_all"])})
        return row

    def on_load_core(self):
        return pinned(self.load_core)

    def memory(self, name):
        few, many = QUICK_STREAMS if self.options.quick else STREAMS
        return streams.per_stream(self, [name], few, many, memory_kib)

    def tls_memory(self):
        """The same for Backstay with TLS on both sides."""
        streams.tls_backstay(self, free_port, "backstay-tls.yaml.in")
        return self.memory("tls")

    def many(self, count):
        """KiB a stream with so many of them, over as many Backstays as it takes."""
        names = ["backstay-%d" % i for i in range(-(-count // streams.PER_PROXY))]
        backend = self.port["direct"]
        for i, name in enumerate(names):
            if i % 2 == 0:            # a backend needs one descriptor a stream
                self.port["direct"] = free_port()
                self.start("backend-%d" % i, [self.tool("backend"), str(self.port["direct"])],
                           self.load_core, self.port["direct"])
            port = free_port()
            self.start(name, self.command("backstay", port), self.proxy_core, port)
        self.port["direct"] = backend
        return streams.per_stream(self, names, count // 10, count, memory_kib)


# ---- the report -------------------------------------------------------------------

def cpu_name():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def first_line(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout.decode().splitlines()[0].strip()
    except (OSError, IndexError):
        return "unknown"


def summary(repetitions):
    """Medians with least and most; what is added is seen within each repetition."""
    table = {}
    for name in repetitions[0]:
        table[name] = {}
        for key, *_ in METRICS:
            values = []
            for rep in repetitions:
                if key.startswith("added_") and name != "direct" and "direct" in rep:
                    plain = key[len("added_"):]
                    if plain in rep[name]:
                        values.append(rep[name][plain] - rep["direct"][plain])
                elif not key.startswith("added_") and rep[name].get(key) is not None:
                    values.append(rep[name][key])
            if values:
                table[name][key] = {"median": statistics.median(values),
                                    "min": min(values), "max": max(values)}
    return table


def number(value, digits):
    return "{:,.{}f}".format(value, digits)


def print_table(table, rows):
    print("| | " + " | ".join(TITLES[r] for r in rows) + " |")
    print("|---|" + "---:|" * len(rows))
    for key, title, digits, _ in METRICS:
        cells = []
        for row in rows:
            v = table[row].get(key)
            cells.append("" if v is None else number(v["median"], digits) if v["min"] == v["max"] else
                         "%s (%s–%s)" % tuple(number(v[k], digits) for k in ("median", "min", "max")))
        print("| %s | %s |" % (title, " | ".join(cells)))


def print_ratios(table, rows):
    """Above 1: Backstay is that many times better; below 1: worse."""
    others = [r for r in rows if r not in ("direct", "backstay")]
    print("\nHow many times better Backstay (access log off) is; below 1 it is worse:\n")
    print("| | " + " | ".join("than " + TITLES[r] for r in others) + " |")
    print("|---|" + "---:|" * len(others))
    for key, title, _, better in METRICS:
        if better is None:
            continue
        cells = []
        for row in others:
            ours, theirs = table["backstay"].get(key), table[row].get(key)
            if not ours or not theirs or ours["median"] <= 0 or theirs["median"] <= 0:
                cells.append("")
                continue
            ratio = ours["median"] / theirs["median"]
            cells.append("%.2f" % (ratio if better == "more" else 1 / ratio))
        print("| %s | %s |" % (title.rsplit(",", 1)[0], " | ".join(cells)))


def parse_options():
    parser = argparse.ArgumentParser(description="Backstay beside nginx, HAProxy and a bare relay")
    parser.add_argument("--build", default="build")
    parser.add_argument("--quick", action="store_true", default=bool(os.environ.get("BENCH_QUICK")))
    parser.add_argument("--only", help="rows, with commas: " + ", ".join(ROWS))
    parser.add_argument("--brownout", action="store_true",
                        help="instead: what clients notice when one of three backends has trouble")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--streams", default="10000,50000",
                        help="numbers of streams held open besides, with commas; empty: none")
    parser.add_argument("--json", default=os.path.join(HERE, "results.json"))
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    options.gateways = os.path.join(options.build, "bench-gateways")
    options.streams = [] if options.quick else [int(n) for n in options.streams.split(",") if n]
    options.repeat = options.repeat or (1 if options.quick else 3)
    options.rows = [r for r in ROWS if not options.only or r in options.only.split(",")]
    return options


def main_brownout(bench, options):
    rows = [r for r in brownout.ROWS if not options.only or r in options.only.split(",")]
    try:
        brownout.main(bench, free_port, rows, options.quick)
    finally:
        bench.stop_all()


def measure_once(bench, row, idle):
    """What does not change from one repetition to the next."""
    for name in row:
        if name == "direct":
            continue
        row[name]["idle_kib"], row[name]["start_ms"] = idle[name], bench.start_ms[name]
        if name not in GATEWAYS:
            row[name]["stream_kib"] = bench.memory(name)
    if "backstay" in row:
        row["backstay"]["tls_stream_kib"] = bench.tls_memory()


def own_network():
    """Runs the bench in a network namespace of its own, where it may: nothing else is
    on that loopback, and congestion control is reno (BBR paces, which doubles the
    cost of large bodies on a loopback)."""
    if os.environ.get("BENCH_NETNS"):
        with socket.socket() as s:
            request = struct.pack("16sH", b"lo", 0x1 | 0x40)       # IFF_UP, IFF_RUNNING
            fcntl.ioctl(s, 0x8914, request)                        # SIOCSIFFLAGS
        try:
            with open("/proc/sys/net/ipv4/tcp_congestion_control", "w") as f:
                f.write("reno")
        except OSError as e:
            print("congestion control stays as it is: %s" % e, file=sys.stderr)
        return
    may = subprocess.run(["unshare", "-n", "true"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, check=False).returncode == 0
    os.environ["BENCH_NETNS"] = "1" if may else ""
    if may:
        os.execvp("unshare", ["unshare", "-n", sys.executable, "-B"] + sys.argv)
    print("no network namespace of its own: others on this loopback disturb", file=sys.stderr)


def congestion_control():
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        return f.read().strip()


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    options = parse_options()
    options.rows = [r for r in options.rows if r not in GATEWAYS or
                    r in gateways.install(options.gateways, [r])]
    own_network()
    bench = Bench(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.brownout:
        main_brownout(bench, options)
        return
    print(subprocess.run([bench.tool("engine")], check=True, stdout=subprocess.PIPE).stdout.decode())
    machine = {"cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)),
               "kernel": platform.release(), "nginx": first_line(["/usr/sbin/nginx", "-v"]),
               "haproxy": first_line(["/usr/sbin/haproxy", "-v"]),
               "congestion_control": congestion_control(),
               "binary_kib": os.path.getsize(bench.backstay()) // 1024,
               "load_before": os.getloadavg()[0], "repetitions": options.repeat,
               "quick": options.quick}
    repetitions, many = [], {}
    try:
        bench.start_all(options.rows)
        idle = {name: memory_kib(bench.root[name]) for name in options.rows if name != "direct"}
        for i in range(options.repeat):
            repetitions.append({name: bench.repetition(name) for name in options.rows})
            print("repetition %d of %d done" % (i + 1, options.repeat), file=sys.stderr)
        measure_once(bench, repetitions[0], idle)
        for count in options.streams:
            many[count] = bench.many(count)
    finally:
        bench.stop_all()
    table = summary(repetitions)
    with open(options.json, "w") as f:
        json.dump({"machine": machine, "table": table, "repetitions": repetitions,
                   "kib_a_stream_of_many": many}, f, indent=1)
    print("%(cpu)s, %(cores)d cores, Linux %(kernel)s; %(nginx)s; %(haproxy)s" % machine)
    print("median (least–most) of %d; load average before: %.1f\n"
          % (options.repeat, machine["load_before"]))
    if machine["load_before"] > 1:
        print("The machine was busy with other work: CPU and memory hold, rates and times hardly do.\n")
    print_table(table, options.rows)
    if "backstay" in options.rows:
        print_ratios(table, options.rows)
        print("\nThe program has %(binary_kib)d KiB, symbols for debuggers included." % machine)
    for count, kib in many.items():
        print("%s streams over %d Backstays: %s KiB each" % (number(count, 0), -(-count // streams.PER_PROXY),
                                                             "no" if kib is None else number(kib, 2)))
    errors = sum(rep[name]["errors"] for rep in repetitions for name in rep)
    if errors:
        sys.exit("%d requests failed: the figures above do not count" % errors)


if __name__ == "__main__":
    main()
