"""What an open stream takes: many streams that rest, plain and with TLS on both
sides, and more of them than one process has descriptors for.

TLS is spoken by HAProxy, as a plain wrapper on the load's core: one towards the
proxy under test, one before the backend. Where there are more streams than a
proxy's descriptors allow, several equal proxies share them; the sum is told.
"""

import json
import os
import shutil
import subprocess
import sys
import time

EVENTS = {"stream": 1, "events": 100000, "interval_us": 10000000}    # within what is patiently waited for
# Through two more proxies and four times TLS: fewer events, so that handshakes have the cores.
TLS_EVENTS = {**EVENTS, "interval_us": 60000000}
PER_PROXY = 8400                  # of 20,000 descriptors: two a stream, and some to spare
OPENING = 60     # streams that begin at once, all loads together: more wait longer than a connection may take
NEED_KIB = {False: 30, True: 200}  # of all processes and the kernel's sockets, a stream; measured, and a third more
WRAP = """global
	nbthread 1
	maxconn 9800
	no log
defaults
	mode tcp
	timeout connect 20s
	timeout client 1h
	timeout server 1h
listen wrap
	bind 127.0.0.1:%(port)d backlog 8192 %(bind)s
	server out 127.0.0.1:%(to)d %(server)s
"""


def opened(load, name, share):
    """Waits until the load has all its streams, or has given up, which it says."""
    told = load.stdout.readline()
    held = json.loads(told) if told else {"ready": 0, "errors": "?", "last_failed_status": "?"}
    if held["ready"] < share or held["errors"]:
        print("%s: %s of %d streams opened, %s tries failed, the last with status %s" %
              (name, held["ready"], share, held["errors"], held["last_failed_status"]), file=sys.stderr)
    return held["ready"] >= share


def end_load(load):
    load.stdin.close()
    try:
        load.wait(30)
    except subprocess.TimeoutExpired:
        load.kill()
        load.wait()
    load.stdout.close()


def hold(bench, names, count, memory_of, events):
    """Opens `count` streams over the proxies `names` and gives what their
    processes take then, in KiB; None where they could not be opened, which is told."""
    shares = {name: count // len(names) + (1 if i < count % len(names) else 0)
              for i, name in enumerate(names)}
    loads = []
    try:
        for name, share in shares.items():
            loads.append(subprocess.Popen(
                bench.load_command(name, "hold", {**events, "connections": share,
                                                  "opening": max(5, OPENING // len(names))}),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=bench.on_load_core()))
        good = [opened(load, name, shares[name]) for load, name in zip(loads, names)]
        return sum(memory_of(bench.root[name]) for name in names) if all(good) else None
    finally:
        for load in loads:
            end_load(load)
        time.sleep(0.5)


def per_stream(bench, names, few, many, memory_of, events=EVENTS):
    """KiB a stream, from the difference between few and many of them."""
    kib = [hold(bench, names, count, memory_of, events) for count in (few, many)]
    return None if None in kib else (kib[1] - kib[0]) / (many - few)


def certificate(directory):
    """A key and certificate for 127.0.0.1 and localhost; gives both in one file."""
    key, cert, both = (os.path.join(directory, n) for n in ("key.pem", "cert.pem", "both.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(both, "w") as out:
        for name in (key, cert):
            with open(name) as f:
                out.write(f.read())
    return key, cert, both


def wrapper(bench, name, port, to, bind="", server=""):
    path = os.path.join(bench.dir, name + ".cfg")
    with open(path, "w") as f:
        f.write(WRAP % {"port": port, "to": to, "bind": bind, "server": server})
    bench.start(name, ["haproxy", "-db", "-f", path], bench.load_core, port)


def behind_tls(bench, free_port, name, command):
    """A proxy that speaks TLS on both sides, before the present backend, to be reached as
    `name` without it. `command(name, outer, inner)`: what starts it, with its own port and
    that of the backend."""
    inner, outer, way = free_port(), free_port(), free_port()
    _, _, both = bench.certificate()
    wrapper(bench, name + "-backend", inner, bench.port["direct"], bind="ssl crt " + both)
    bench.start(name + "-itself", command(name, outer, inner), bench.proxy_core, outer)
    # Every connection shakes hands anew, as those of different clients do.
    wrapper(bench, name + "-way", way, outer, server="ssl verify none no-ssl-reuse")
    bench.port[name], bench.root[name] = way, bench.root[name + "-itself"]


def tls_backstay(bench, free_port, name):
    key, cert, _ = bench.certificate()
    behind_tls(bench, free_port, name, lambda name, outer, inner: [
        bench.backstay(), "run", "-c",
        bench.config("backstay-tls.yaml.in", name, outer, ACCESS="off", INNER=inner, KEY=key, CERT=cert)])


def available_kib():
    with open("/proc/meminfo") as f:
        for line in f:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1])
    return 0


def why_not(count, tls):
    """What keeps this machine from so many streams; None: nothing known."""
    need, free = count * NEED_KIB[tls], available_kib()
    if free < need:
        return "they need some %d MiB, %d are free" % (need // 1024, free // 1024)
    if tls and not shutil.which("haproxy"):
        return "HAProxy is not here to speak TLS"
    return None


def many(bench, free_port, count, tls, memory_of):
    """KiB a stream with so many of them, over as many Backstays as it takes; {"kib",
    "backstays"}, or {"skipped"} with the reason."""
    why = why_not(count, tls)
    if why:
        return {"skipped": why}
    kind = "tls" if tls else "plain"
    names = ["%s-%d-%d" % (kind, count, i) for i in range(-(-count // PER_PROXY))]
    backend, processes = bench.port["direct"], len(bench.processes)
    try:
        for i, name in enumerate(names):
            if i % 2 == 0:            # a backend needs one descriptor a stream
                port = free_port()
                bench.start("backend-" + name, [bench.tool("backend"), str(port)], bench.load_core, port)
                bench.port["direct"] = port
            if tls:
                tls_backstay(bench, free_port, name)
            else:
                port = free_port()
                bench.start(name, bench.command("backstay", port), bench.proxy_core, port)
        kib = per_stream(bench, names, count // 10, count, memory_of, TLS_EVENTS if tls else EVENTS)
    finally:
        bench.port["direct"] = backend
        bench.stop_processes(processes)
    return {"skipped": "they did not all open"} if kib is None else {"kib": kib, "backstays": len(names)}
