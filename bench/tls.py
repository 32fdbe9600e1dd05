"""What TLS costs: CPU with TLS on both sides, beside the same without, of Backstay and
of HAProxy; and what a connection costs that is made for one request.

TLS is spoken with them by HAProxies on the load's core (streams.py); every connection
of a client shakes hands in full.
"""

import statistics

import streams

# Load's settings, and what the CPU time is divided by.
PHASES = {
    "request": ({"connections": 64, "seconds": 0.7}, "requests_all"),
    "body1m": ({"connections": 8, "seconds": 0.8, "body": 1024 * 1024}, "requests_all"),
    "burst": ({"connections": 16, "seconds": 0.7, "stream": 1, "events": 500, "interval_us": 0},
              "events_all"),
    "connection": ({"connections": 16, "seconds": 0.8, "header": "Connection: close"}, "requests_all"),
}
PROXIES = ("backstay", "haproxy")


def start(bench, free_port):
    """Each proxy with and without TLS, all before the present backend."""
    _, _, both = bench.certificate()
    for proxy in PROXIES:
        port = free_port()
        bench.start("plain-" + proxy, bench.command(proxy, port), bench.proxy_core, port)
    streams.tls_backstay(bench, free_port, "tls-backstay")
    streams.behind_tls(bench, free_port, "tls-haproxy", lambda name, outer, inner: [
        "haproxy", "-db", "-f", bench.config("haproxy.cfg.in", name, outer, BACKEND=inner,
                                             BIND="ssl crt " + both, SERVER="ssl verify none")])
    return [kind + proxy for proxy in PROXIES for kind in ("plain-", "tls-")]


def measure(bench, free_port):
    """{phase: {row: median CPU in us}}"""
    found = {phase: {} for phase in PHASES}
    before = len(bench.processes)
    try:
        rows = start(bench, free_port)
        for i in range(1 if bench.options.quick else 5):
            for phase, (settings, of) in PHASES.items():
                begin = i % len(rows)
                for row in rows[begin:] + rows[:begin]:
                    result = bench.run_load(row, "closed", settings, bench.load_core)
                    found[phase].setdefault(row, []).append(1e6 * result["cpu_s"] / max(1, result[of]))
    finally:
        bench.stop_processes(before)
    return {phase: {row: statistics.median(values) for row, values in of_phase.items()}
            for phase, of_phase in found.items()}
