"""`bench.py --brownout`: one of three backends has trouble; what do clients notice?

Each run starts afresh: three simulated model servers, one proxy with its best
settings against failures, an open load. After a second one server's trouble
begins and stays. Counted are all requests from then on and from before; times
run from when a request should have been sent. Noticed is a request that failed or
took three times as long as usual; for how long there are such is told. Two proxies
at a time take part, each with servers of its own: they mostly wait.
"""

import json
import subprocess
import time
import urllib.request

RATE = 100                      # requests a second
SECONDS = 6
BEFORE = 1.5                    # of them until the trouble begins
SLOW_MS = 350                   # what takes longer is noticed: usual are some 100 to 120
LIMIT_S = 2                     # each proxy's longest wait for a backend's answer
USUAL = "delay 100ms"           # how a server answers when all is well
STREAM = "gap 5ms tokens 24"
TENTH = "delay 1s"

# name: what happens; the server's behaviour from then on (None: killed); streams?
TROUBLES = {
    "dead": ("one is killed", None, False),
    "errors": ("one answers 30 % with 500", USUAL + " percent 30 status 500", False),
    "slow": ("one is ten times slower", TENTH, False),
    "hang": ("one takes requests and never answers", "no-answer", False),
    "cut": ("one breaks off each stream after 8 tokens", STREAM + " cut after 8", True),
}
ROWS = ("nginx", "haproxy", "backstay", "backstay-tuned")
TEMPLATES = {"nginx": "brownout-nginx.conf.in", "haproxy": "brownout-haproxy.cfg.in",
             "backstay": "brownout-backstay.yaml.in", "backstay-tuned": "brownout-backstay.yaml.in"}
TUNING = {"backstay": "", "backstay-tuned":
          "balance: least_latency\n  stream_upstream: on\n  hedge: {after: p95}"}


def behave(port, behaviour):
    request = urllib.request.Request("http://127.0.0.1:%d/mock/behaviour" % port,
                                     data=behaviour.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


def stage(bench, row, trouble, free_port):
    """Starts the servers and the proxy of a row; the first server's process and port."""
    stream = TROUBLES[trouble][2]
    ports = [free_port() for _ in range(4)]
    first = len(bench.processes)
    for port in ports[:3]:
        bench.start("mock-%d" % port, [bench.backstay(), "mock", "--listen", "127.0.0.1:%d" % port,
                                       "--fault", STREAM if stream else USUAL], bench.load_core, port)
    config = bench.config(TEMPLATES[row], row, ports[3], ONE=ports[0], TWO=ports[1],
                          THREE=ports[2], LIMIT=LIMIT_S, TUNING=TUNING.get(row, ""))
    command = {"nginx": ["nginx", "-p", bench.dir, "-c", config],
               "haproxy": ["haproxy", "-db", "-f", config]}.get(
                   row, [bench.backstay(), "run", "-c", config])
    bench.start(row, command, bench.proxy_core, ports[3])
    return bench.processes[first], ports[0]


def run(bench, rows, trouble, free_port):
    """Some proxies in one trouble: what the load counted of each."""
    _, behaviour, stream = TROUBLES[trouble]
    settings = {"connections": 1000, "seconds": SECONDS, "warm_ms": 0, "rate": RATE,
                "stream": int(stream), "slow_ms": SLOW_MS}
    before, loads = len(bench.processes), {}
    try:
        stages = [stage(bench, row, trouble, free_port) for row in rows]
        for row in rows:
            loads[row] = subprocess.Popen(bench.load_command(row, "open", settings),
                                          stdout=subprocess.PIPE)
        time.sleep(BEFORE)
        for process, port in stages:
            if behaviour is None:
                process.kill()
            else:
                behave(port, behaviour)
        return {row: told(json.loads(load.communicate()[0])) for row, load in loads.items()}
    finally:
        for load in loads.values():
            load.kill()
            load.wait()
        bench.stop_processes(before)


def told(result):
    """The figures of a row."""
    answered, failed, latency = result["requests"], result["errors"], result["latency"]
    figures = {key: latency[key + "_us"] / 1000 for key in ("p50", "p90", "p99", "max")}
    figures.update(rate=answered / SECONDS, failed_percent=100 * failed / max(1, answered + failed),
                   noticed_s=max(0, result["last_bad_ms"] / 1000 - BEFORE),
                   to_the_end=result["last_bad_ms"] / 1000 > SECONDS - 0.5)
    return figures


def main(bench, free_port, rows, quick):
    """{trouble: {row: its figures}}"""
    results = {}
    for trouble in ("dead", "errors") if quick else TROUBLES:
        results[trouble] = {}
        for i in range(0, len(rows), 2):
            results[trouble].update(run(bench, rows[i:i + 2], trouble, free_port))
    return results
