"""`bench.py --brownout`: one of three backends has trouble; what do clients notice?

Each run starts afresh: three simulated model servers, one proxy with its best
settings against failures, an open load. After a second one server's trouble
begins and stays. Counted are all requests from then on and from before; times
run from when a request should have been sent.
"""

import json
import subprocess
import time
import urllib.request

RATE = 100                      # requests a second
SECONDS = 6
BEFORE = 1.5                    # of them until the trouble begins
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
TITLES = {"nginx": "nginx", "haproxy": "HAProxy", "backstay": "Backstay",
          "backstay-tuned": "Backstay, least_latency and hedge"}
TEMPLATES = {"nginx": "brownout-nginx.conf.in", "haproxy": "brownout-haproxy.cfg.in",
             "backstay": "brownout-backstay.yaml.in", "backstay-tuned": "brownout-backstay.yaml.in"}
TUNING = {"backstay": "", "backstay-tuned":
          "balance: least_latency\n  stream_upstream: on\n  hedge: {after: p95}"}


def behave(port, behaviour):
    request = urllib.request.Request("http://127.0.0.1:%d/mock/behaviour" % port,
                                     data=behaviour.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


def run(bench, row, trouble, free_port):
    """One proxy in one trouble: what the load counted."""
    _, behaviour, stream = TROUBLES[trouble]
    ports = [free_port() for _ in range(4)]
    names = ["one", "two", "three"]
    try:
        for name, port in zip(names, ports):
            bench.start(name, [bench.backstay(), "mock", "--listen", "127.0.0.1:%d" % port,
                               "--fault", STREAM if stream else USUAL], bench.load_core, port)
        config = bench.config(TEMPLATES[row], row, ports[3], ONE=ports[0], TWO=ports[1],
                              THREE=ports[2], LIMIT=LIMIT_S, TUNING=TUNING.get(row, ""))
        command = {"nginx": ["nginx", "-p", bench.dir, "-c", config],
                   "haproxy": ["haproxy", "-db", "-f", config]}.get(
                       row, [bench.backstay(), "run", "-c", config])
        bench.start(row, command, bench.proxy_core, ports[3])
        settings = {"connections": 1000, "seconds": SECONDS, "warm_ms": 0, "rate": RATE,
                    "stream": int(stream)}
        with subprocess.Popen(bench.load_command(row, "open", settings),
                              stdout=subprocess.PIPE) as load:
            time.sleep(BEFORE)
            if behaviour is None:
                bench.processes[0].kill()
            else:
                behave(ports[0], behaviour)
            result = json.loads(load.stdout.read())
    finally:
        bench.stop_processes()
    return result


def cell(result):
    answered, failed = result["requests"], result["errors"]
    latency = result["latency"]
    share = 100 * failed / max(1, answered + failed)
    return "%.1f | %s %% | %s | %s | %s | %s" % (
        answered / SECONDS, "0" if not failed else "%.2f" % share,
        *("{:,.0f}".format(latency[key] / 1000)
          for key in ("p50_us", "p90_us", "p99_us", "max_us")))


def main(bench, free_port, rows, quick):
    troubles = ("dead", "errors") if quick else TROUBLES
    results = {}
    for trouble in troubles:
        for row in rows:
            results.setdefault(trouble, {})[row] = run(bench, row, trouble, free_port)
    print("%d requests/s for %d s; trouble after %.1f s\n" % (RATE, SECONDS, BEFORE))
    print("| of three backends | proxy | right answers/s | failed | p50, ms | p90, ms | p99, ms | "
          "longest, ms |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for trouble, of_rows in results.items():
        for row, result in of_rows.items():
            print("| %s | %s | %s |" % (TROUBLES[trouble][0], TITLES[row], cell(result)))
    return results
