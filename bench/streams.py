"""What an open stream takes: many streams that rest, plain and with TLS on both
sides, and more of them than one process has descriptors for.

TLS is spoken by HAProxy, as a plain wrapper on the load's core: one towards the
proxy under test, one before the backend. Where there are more streams than a
proxy's descriptors allow, several equal proxies share them; the sum is told.
"""

import os
import subprocess
import time

EVENTS = {"stream": 1, "events": 100000, "interval_us": 10000000}    # within what is patiently waited for
PER_PROXY = 8400                  # of 20,000 descriptors: two a stream, and some to spare
WRAP = """global
	nbthread 1
	maxconn 9800
	no log
defaults
	mode tcp
	timeout connect 2s
	timeout client 1h
	timeout server 1h
listen wrap
	bind 127.0.0.1:%(port)d backlog 8192 %(bind)s
	server out 127.0.0.1:%(to)d %(server)s
"""


def hold(bench, names, count, memory_of):
    """Opens `count` streams over the proxies `names` and gives what their
    processes take then, in KiB; None where they could not be opened."""
    loads = []
    try:
        for i, name in enumerate(names):
            share = count // len(names) + (1 if i < count % len(names) else 0)
            loads.append(subprocess.Popen(
                bench.load_command(name, "hold", {**EVENTS, "connections": share}),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=bench.on_load_core()))
        if any(b"ready" not in load.stdout.readline() for load in loads):
            return None
        return sum(memory_of(bench.root[name]) for name in names)
    finally:
        for load in loads:
            load.stdin.close()
            load.wait(30)
            load.stdout.close()
        time.sleep(0.5)


def per_stream(bench, names, few, many, memory_of):
    """KiB a stream, from the difference between few and many of them."""
    kib = [hold(bench, names, count, memory_of) for count in (few, many)]
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


def tls_backstay(bench, free_port, template):
    """A Backstay with TLS on both sides, to be reached as "tls" without it."""
    key, cert, both = certificate(bench.dir)
    inner, outer, way = free_port(), free_port(), free_port()
    wrapper(bench, "tls-backend", inner, bench.port["direct"], bind="ssl crt " + both)
    config = bench.config(template, "backstay-tls", outer, ACCESS="off", INNER=inner, KEY=key, CERT=cert)
    bench.start("backstay-tls", [bench.backstay(), "run", "-c", config], bench.proxy_core, outer)
    wrapper(bench, "tls-way", way, outer, server="ssl verify none")
    bench.port["tls"], bench.root["tls"] = way, bench.root["backstay-tls"]
