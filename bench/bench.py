#!/usr/bin/env python3
"""Measures Backstay beside nginx, HAProxy and a bare relay, all in one run.

    bench/bench.py [--build DIR] [--quick] [--only ROW,...] [--part PART,...]
                   [--streams N,...] [--json FILE]

Every proxy has one worker, pinned to one core; the backend and the load are on
the other one. The proxies take turns within each phase of a repetition, so that
whatever else the machine does falls on all of them. Printed are medians, with the
least and the most of the repetitions; ratios are medians of those within each. CPU time is that of all of a proxy's processes,
as the kernel accounts it, and holds also when the other core is what limits the
rate. bench/table.py writes the tables of docs/performance.md from the JSON.
"""

import argparse
import contextlib
import fcntl
import json
import os
import platform
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import brownout
import gateways
import streams
import table
import tls
import workers

HERE = os.path.dirname(os.path.abspath(__file__))
NOFILE = 20000
CONNECTIONS = 9000
START_SECONDS = 60

# What is measured, in this order: load's mode and options.
PHASES = {
    "unary": ("closed", {"connections": 64, "seconds": 1}),
    "body100k": ("closed", {"connections": 16, "seconds": 0.8, "body": 100 * 1024}),
    "body1m": ("closed", {"connections": 8, "seconds": 1, "body": 1024 * 1024}),
    "paced": ("closed", {"connections": 200, "seconds": 1.5, "warm_ms": 500, "stream": 1,
                         "events": 100, "interval_us": 10000}),
    "burst": ("closed", {"connections": 16, "seconds": 0.8, "stream": 1, "events": 500,
                         "interval_us": 0}),
    "rate500": ("open", {"connections": 64, "seconds": 2, "rate": 500}),
    "rate2000": ("open", {"connections": 64, "seconds": 2, "rate": 2000}),
    "rate4000": ("open", {"connections": 64, "seconds": 1.5, "rate": 4000}),
}
# What of a phase's counts goes into the tables, and what of its CPU time.
TIMES = ("p50_us", "p90_us", "p99_us", "p99_9_us")
RATES = {"rate500": "r500_", "rate2000": "", "rate4000": "r4000_"}
CPU = {"unary": ("cpu_us", "requests_all"), "body100k": ("cpu_100k_us", "requests_all"),
       "body1m": ("cpu_1m_us", "requests_all"), "paced": ("event_cpu_us", "events_all"),
       "burst": ("burst_cpu_us", "events_all")}
ONE_CORE = tuple(RATES)           # all that takes part shares a core
QUICK_SECONDS = 0.7
STREAMS = (500, 3000)
QUICK_STREAMS = (200, 1000)
# Which interface the client speaks, and for which model: the one named claude is
# behind Anthropic's interface, the other behind OpenAI's.
SPOKEN = {"openai_anthropic": {"dialect": "openai", "model": "claude"},
          "anthropic_openai": {"dialect": "anthropic", "model": "chat"},
          "anthropic_anthropic": {"dialect": "anthropic", "model": "claude"}}

GATEWAYS = gateways.NAMES
# They are slow, and few requests at a time serve them best.
GATEWAY_LOAD = {"connections": 16, "seconds": 3, "warm_ms": 1000}
GATEWAY_PHASES = ("unary", "paced")
GATEWAY_REPETITIONS = 3
# Before all else, once: what runs in a virtual machine gets faster for a while.
GATEWAY_WARM = (("closed", {"connections": 16, "seconds": 12}),
                ("closed", {"connections": 16, "seconds": 5, "stream": 1, "events": 100,
                            "interval_us": 10000}))
ROWS = ("direct", "relay", "nginx", "haproxy") + GATEWAYS + ("backstay", "backstay-log")
# Of the namespace. BBR paces, which doubles the cost of large bodies on a loopback; with
# hundreds of thousands of connections the kernel searches long for a port among few.
NETWORK = {"tcp_congestion_control": "reno", "ip_local_port_range": "10000 65535"}
CALM_SECONDS = 10                 # what a proxy still does after a load, at most waited for
CALM_STEP = 0.05
PARTS = ("engine", "main", "memory", "tls", "many", "workers", "brownout")


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


def cpu_seconds(pids):
    """User and system time of all threads; to the nanosecond where schedstat exists."""
    total = 0.0
    for one in pids:
        try:
            for task in os.listdir("/proc/%d/task" % one):
                with open("/proc/%d/task/%s/schedstat" % (one, task)) as f:
                    total += int(f.read().split()[0]) / 1e9
        except FileNotFoundError:
            if os.path.exists("/proc/%d/stat" % one):     # it may have ended
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


def pinned(cores):
    def before_exec():
        os.sched_setaffinity(0, cores)
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
        self.cores = os.sched_getaffinity(0)
        self.proxy_core, self.load_core = {min(self.cores)}, {max(self.cores)}
        self.processes, self.port, self.root, self.start_ms = [], {}, {}, {}
        self.certified = None

    def tool(self, name):
        return os.path.join(self.options.build, "bench", "bench-" + name)

    def start(self, name, command, cores, port, environment=None):
        log = open(os.path.join(self.dir, name + ".out"), "wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   env={**os.environ, **(environment or {})}, preexec_fn=pinned(cores))
        log.close()
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
        return os.path.join(self.options.build, "release", "backstay")

    def certificate(self):
        """A key, a certificate, both in one file: one set for the run."""
        self.certified = self.certified or streams.certificate(self.dir)
        return self.certified

    def config(self, template, name, port, **more):
        values = {"PORT": port, "BACKEND": self.port.get("direct", ""), "DIR": self.dir, "WORKERS": 1,
                  "NOFILE": soft_limit(), "CONNECTIONS": min(CONNECTIONS, soft_limit() // 2 - 100),
                  "USER": "user root;" if os.geteuid() == 0 else "", "BIND": "", "SERVER": "", **more}
        with open(os.path.join(HERE, template)) as f:
            text = f.read()
        for key, value in values.items():
            text = text.replace("@%s@" % key, str(value))
        path = os.path.join(self.dir, name + "-%d-" % port + template[:-3])
        with open(path, "w") as f:
            f.write(text)
        return path

    def command(self, name, port, **more):
        if name == "relay":
            return [self.tool("relay"), str(port), str(self.port["direct"])]
        if name == "nginx":
            return ["nginx", "-p", self.dir, "-c", self.config("nginx.conf.in", name, port)]
        if name == "haproxy":
            return ["haproxy", "-db", "-f", self.config("haproxy.cfg.in", name, port)]
        if name in GATEWAYS:
            return gateways.command(name, self.options.gateways, self.dir, port, self.port["direct"])
        access = "off" if name == "backstay" else os.path.join(self.dir, "access.log")
        return [self.backstay(), "run", "-c",
                self.config("backstay.yaml.in", name, port, ACCESS=access, **more)]

    def start_all(self, rows):
        """The backend, and a proxy for each row; which of them did start."""
        port = free_port()
        self.start("direct", [self.tool("backend"), str(port)], self.load_core, port)
        started = []
        for name in rows:
            port = free_port()
            try:
                if name != "direct":
                    self.start(name, self.command(name, port), self.proxy_core, port)
                started.append(name)
            except SystemExit as e:
                if name not in GATEWAYS:
                    raise
                print("left out: %s" % e, file=sys.stderr)
        return started

    def children(self, pid):
        """Those that the process has started itself."""
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(child) for child in f.read().split()]

    def stop_processes(self, keep=0):
        """Ends all but the first `keep` that were started."""
        ending, self.processes = self.processes[keep:], self.processes[:keep]
        for process in reversed(ending):
            process.terminate()
        for process in ending:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()

    def stop_all(self):
        self.stop_processes()
        shutil.rmtree(self.dir, ignore_errors=True)

    def load_command(self, name, mode, settings):
        return ([self.tool("load"), mode, str(self.port[name])] +
                ["%s=%s" % item for item in settings.items()] +
                ["header=" + line for line in gateways.headers(name, self.port.get("direct"))])

    def one_core(self, together):
        """The backend beside the proxies, or back on the load's core: where all share
        one core a latency holds no wake-up of another one."""
        cores = self.proxy_core if together else self.load_core
        os.sched_setaffinity(self.root["direct"], cores)
        return cores

    def calm(self):
        """Waits until nothing here works on what the last load has left behind: some
        gateways go on with requests whose clients are gone."""
        started = family(os.getpid())[1:]
        for _ in range(int(CALM_SECONDS / CALM_STEP)):
            before = cpu_seconds(started)
            time.sleep(CALM_STEP)
            if cpu_seconds(started) - before < CALM_STEP / 10:
                return

    @contextlib.contextmanager
    def awake(self, cores):
        """Cores that never halt: waking one takes a virtual machine longer than what is to
        be measured. What keeps them awake has the scheduler's idle class, which gives way
        at once."""
        def idle_class():
            os.sched_setaffinity(0, cores)
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

        spinner = subprocess.Popen(["sh", "-c", "while :; do :; done"], preexec_fn=idle_class)
        try:
            yield
        finally:
            spinner.kill()
            spinner.wait()

    def run_load(self, name, mode, settings, cores):
        """One load on one proxy: what the load counted, and the CPU it took."""
        self.calm()
        with self.awake(cores) if mode == "open" else contextlib.nullcontext():
            return self.run_load_now(name, mode, settings, cores)

    def run_load_now(self, name, mode, settings, cores):
        before, begin = cpu_seconds(family(self.root[name])), time.monotonic()
        done = subprocess.run(self.load_command(name, mode, settings), check=True,
                              stdout=subprocess.PIPE, preexec_fn=pinned(cores))
        result = json.loads(done.stdout)
        result["cpu_s"] = cpu_seconds(family(self.root[name])) - before
        result["took_s"] = time.monotonic() - begin
        result["busy"] = 100 * result["cpu_s"] / result["took_s"]
        if result["errors"]:
            print("%s, %s: %d errors" % (name, settings, result["errors"]), file=sys.stderr)
        return result

    def phase(self, name, phase, **more):
        mode, settings = PHASES[phase]
        settings = {**settings, **more}
        if self.options.quick:
            settings["seconds"] = QUICK_SECONDS
        if name in GATEWAYS:
            settings = {**settings, **GATEWAY_LOAD, "model": gateways.MODEL[name]}
        cores = self.one_core(phase in ONE_CORE)
        try:
            return self.run_load(name, mode, settings, cores)
        finally:
            self.one_core(False)

    def warm_gateways(self, rows):
        for name in rows:
            for mode, settings in GATEWAY_WARM if name in GATEWAYS else ():
                if self.options.quick:
                    settings = {**settings, "seconds": 2}
                self.run_load(name, mode, {**settings, "model": gateways.MODEL[name]}, self.load_core)

    def takes_part(self, name, phase, number):
        if name in GATEWAYS:          # they are too slow for the others
            return phase in GATEWAY_PHASES and number < GATEWAY_REPETITIONS
        return name != "backstay-log" or phase not in ("rate500", "rate4000")

    def repetition(self, rows, number):
        """{row: {metric: value}}. Each phase goes through the rows in turn, so that
        those who are compared are seconds apart; who begins changes."""
        found = {name: {"errors": 0} for name in rows}
        begin = number % len(rows)
        for phase in PHASES:
            for name in rows[begin:] + rows[:begin]:
                if self.takes_part(name, phase, number):
                    result = self.phase(name, phase)
                    found[name].update(metrics_of(name, phase, result))
                    found[name]["errors"] += result["errors"]
                    if name == "backstay" and phase in CPU:
                        self.translated(phase, found[name])
        return {name: row for name, row in found.items() if len(row) > 1}

    def translated(self, phase, row):
        """The same from one interface to the other, and Anthropic's untranslated."""
        front = {"unary": "request", "paced": "paced", "burst": "burst"}.get(phase)
        for spoken, settings in SPOKEN.items() if front else ():
            result = self.phase("backstay", phase, **settings)
            row["%s_%s_us" % (front, spoken)] = cpu_us(result, CPU[phase][1])
            row["errors"] += result["errors"]

    def on_load_core(self):
        return pinned(self.load_core)

    def memory(self, name):
        few, many = QUICK_STREAMS if self.options.quick else STREAMS
        return streams.per_stream(self, [name], few, many, memory_kib)

    def tls_memory(self):
        """The same for Backstay with TLS on both sides."""
        before = len(self.processes)
        streams.tls_backstay(self, free_port, "tls")
        kib = self.memory("tls")
        self.stop_processes(before)
        return kib


def cpu_us(result, of):
    return 1e6 * result["cpu_s"] / max(1, result[of])


def metrics_of(name, phase, result):
    """What a phase says of a row, by the names of the tables."""
    row = {}
    if phase in RATES:
        row.update({RATES[phase] + key: result["latency"][key] for key in TIMES})
    if phase in CPU and name != "direct":
        key, of = CPU[phase]
        row[key] = cpu_us(result, of)
    if phase == "unary":
        row["rps"] = result["rps"]
        if name != "direct":
            row["busy"] = result["busy"]
    if phase == "burst":
        row["burst_eps"] = result["eps"]
    if phase == "paced":
        row.update({"first_p50_us": result["first"]["p50_us"], "delay_p50_us": result["delay"]["p50_us"],
                    "delay_p99_us": result["delay"]["p99_us"]})
    return row


# ---- the run ------------------------------------------------------------------------

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


def parse_options():
    parser = argparse.ArgumentParser(description="Backstay beside nginx, HAProxy and a bare relay")
    parser.add_argument("--build", default="build")
    parser.add_argument("--quick", action="store_true", default=bool(os.environ.get("BENCH_QUICK")))
    parser.add_argument("--only", help="rows, with commas: " + ", ".join(ROWS))
    parser.add_argument("--part", help="parts, with commas: " + ", ".join(PARTS))
    parser.add_argument("--brownout", action="store_true", help="the same as --part brownout")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--streams", help="numbers of streams held open besides, with commas; empty: "
                        "none (10000,50000; quick: none)")
    parser.add_argument("--json", default=os.path.join(HERE, "results.json"))
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    options.gateways = os.path.join(options.build, "bench-gateways")
    asked = options.streams if options.streams is not None else "" if options.quick else "10000,50000"
    options.streams = [int(n) for n in asked.split(",") if n]
    options.repeat = options.repeat or (1 if options.quick else 5)
    options.rows = [r for r in ROWS if not options.only or r in options.only.split(",")]
    parts = "brownout" if options.brownout else options.part or ",".join(PARTS)
    options.parts = [p for p in PARTS if p in parts.split(",")]
    return options


def measure_memory(bench, rows):
    """{row: {metric: KiB}}: what does not change from one repetition to the next."""
    memory = {name: {"stream_kib": bench.memory(name)} for name in rows
              if name not in GATEWAYS and name != "direct"}
    if "backstay" in rows and shutil.which("haproxy"):
        memory["backstay"]["tls_stream_kib"] = bench.tls_memory()
    return memory


def measure_many(bench, counts):
    """KiB a stream of so many, plain and with TLS on both sides."""
    found = {}
    for count in counts:
        for kind in ("plain", "tls"):
            found["%d %s" % (count, kind)] = streams.many(bench, free_port, count, kind == "tls", memory_kib)
            progress("%s streams, %s" % (count, kind))
    return found


def own_network():
    """Runs the bench in a network namespace of its own, where it may: nothing else is
    on that loopback, and it is set up as NETWORK says."""
    if os.environ.get("BENCH_NETNS"):
        with socket.socket() as s:
            request = struct.pack("16sH", b"lo", 0x1 | 0x40)       # IFF_UP, IFF_RUNNING
            fcntl.ioctl(s, 0x8914, request)                        # SIOCSIFFLAGS
        for name, value in NETWORK.items():
            try:
                with open("/proc/sys/net/ipv4/" + name, "w") as f:
                    f.write(value)
            except OSError as e:
                print("%s stays as it is: %s" % (name, e), file=sys.stderr)
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


def busy_percent():
    """How much of the machine is taken by others, before the bench begins."""
    def jiffies():
        with open("/proc/stat") as f:
            times = [int(t) for t in f.readline().split()[1:9]]
        return sum(times), times[3] + times[4]

    all_before, idle_before = jiffies()
    time.sleep(1)
    everything, idle = jiffies()
    return 100 - 100 * (idle - idle_before) / max(1, everything - all_before)


def machine_facts(bench, options):
    return {"cpu": cpu_name(), "cores": len(bench.cores), "kernel": ".".join(platform.release().split(".")[:2]),
            "date": time.strftime("%Y-%m-%d"),
            "nginx": first_line(["/usr/sbin/nginx", "-v"]).replace("nginx version: nginx/", "nginx "),
            "haproxy": first_line(["/usr/sbin/haproxy", "-v"]).split("-")[0].replace(" version", ""),
            "gateways": gateways.VERSIONS, "congestion_control": congestion_control(),
            "busy_before": busy_percent(), "repetitions": options.repeat,
            "quick": options.quick, "parts": options.parts}


BEGUN = time.monotonic()


def progress(what):
    print("%4d s: %s done" % (time.monotonic() - BEGUN, what), file=sys.stderr)


def binary_kib(pid, name):
    """Of the program's code and data, as `size` counts them; None for what is interpreted."""
    if name in GATEWAYS:
        return None
    said = subprocess.run(["size", "/proc/%d/exe" % pid], stdout=subprocess.PIPE, check=True).stdout
    return int(said.decode().splitlines()[1].split()[3]) / 1024


def measure_rows(bench, options, data):
    """The parts that need all proxies."""
    rows = data["rows"] = bench.start_all(options.rows)
    idle = {name: memory_kib(bench.root[name]) for name in rows if name != "direct"}
    data["once"] = {name: {"idle_kib": idle[name], "start_ms": bench.start_ms[name],
                           "binary_kib": binary_kib(bench.root[name], name)} for name in idle}
    progress("the start")
    if "memory" in options.parts:       # before heaps have grown by loads
        for name, kib in measure_memory(bench, rows).items():
            data["once"][name].update(kib)
        progress("memory of streams")
    if "main" in options.parts:
        bench.warm_gateways(rows)
        progress("the gateways' warming")
        for i in range(options.repeat):
            data["repetitions"].append(bench.repetition(rows, i))
            progress("repetition %d of %d" % (i + 1, options.repeat))


def measure_all(bench, options, data):
    if "engine" in options.parts:
        data["engine"] = table.engine_rows(subprocess.run(
            [bench.tool("engine")], check=True, stdout=subprocess.PIPE).stdout.decode())
    if "brownout" in options.parts:
        rows = [r for r in brownout.ROWS if not options.only or r in options.only.split(",")]
        data["brownout"] = brownout.main(bench, free_port, rows, options.quick)
        progress("the brownouts")
    if set(options.parts) & {"main", "memory", "tls", "many", "workers"}:
        measure_rows(bench, options, data)
    if "workers" in options.parts and "backstay" in options.rows:
        data["workers"] = workers.measure(bench, free_port)
        progress("workers")
    if "tls" in options.parts and "backstay" in options.rows and shutil.which("haproxy"):
        data["tls"] = tls.measure(bench, free_port)
        progress("TLS")
    if "many" in options.parts and "backstay" in options.rows:
        bench.stop_processes(1)       # all but the backend: memory for the streams
        data["many"] = measure_many(bench, options.streams)


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    options = parse_options()
    options.rows = [r for r in options.rows if r not in GATEWAYS or
                    r in gateways.install(options.gateways, [r])]
    own_network()
    bench = Bench(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    data = {"machine": machine_facts(bench, options), "rows": options.rows, "repetitions": [], "once": {}}
    try:
        measure_all(bench, options, data)
    finally:
        bench.stop_all()
        data["table"] = table.summary(data["repetitions"], data["once"])
        with open(options.json, "w") as f:
            json.dump(data, f, indent=1)
    table.show(data)
    errors = sum(rep[name]["errors"] for rep in data["repetitions"] for name in rep)
    if errors:
        sys.exit("%d requests failed: the figures above do not count" % errors)


if __name__ == "__main__":
    main()
