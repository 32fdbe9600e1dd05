#!/usr/bin/env python3
"""Measures what an open stream that rests takes of the serving process's memory,
plain and with TLS on both sides, and holds it against tests/budget/memory.json.

    memory.py --backstay PROGRAM [--update]

Exit 0: within the budget; 1: it is not; 77: there is no /proc, or no openssl to make
a certificate with.

One thread opens streams one after another, as client and as backend: each has had
its head and one event, and stays. The difference of its anonymous memory at few and at
many of them, divided by the difference of their numbers, repeats to a percent:
malloc's pages are the error. (What it shares with others of the same program would
change with their number.)
"""

import argparse
import os
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

import budget

HERE = os.path.dirname(os.path.abspath(__file__))
FEW, MANY = 100, 500
CONFIG = """listen: 127.0.0.1:%(port)d
%(tls)s
admin: off
workers: 1
log: {level: warn, access: off}
backends:
  bench: {url: "%(scheme)s://127.0.0.1:%(backend)d/v1"%(trust)s, min_in_flight: 100000}
defaults:
  timeouts: {connect: 60s, first_token: 300s, idle: 300s, total: 10m}
models:
  chat: [bench/bench-model]
"""


def certificate(directory):
    """Gives the paths of a certificate for 127.0.0.1 and its key."""
    cert, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return cert, key


class Stage:
    """The proxy, and what is before and behind it."""

    def __init__(self, program, directory, tls):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.settimeout(budget.PATIENCE_S)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        values = {"port": self.port, "backend": self.listener.getsockname()[1], "tls": "", "trust": "",
                  "scheme": "http"}
        self.server = self.client = None
        if tls:
            cert, key = certificate(directory)
            values.update(scheme="https", tls="tls: {cert: %s, key: %s}" % (cert, key),
                          trust=", tls: {ca: %s}" % cert)
            self.server, self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=cert)
            self.server.load_cert_chain(cert, key)
        path = os.path.join(directory, "memory.yaml")
        with open(path, "w") as f:
            f.write(CONFIG % values)
        self.open = []
        self.process = subprocess.Popen(
            [program, "run", "-c", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Meson has malloc fill what it gives and takes.
            env={k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")})

    def connect(self):
        for _ in range(budget.PATIENCE_S * 10):
            if self.process.poll() is not None:
                sys.exit(self.process.stdout.read().decode() + "the proxy has ended")
            try:
                s = socket.create_connection(("127.0.0.1", self.port), budget.PATIENCE_S)
                return self.client.wrap_socket(s, server_hostname="127.0.0.1") if self.client else s
            except ConnectionRefusedError:
                try:
                    self.process.wait(0.1)
                except subprocess.TimeoutExpired:
                    pass
        sys.exit("the proxy does not listen")

    def open_stream(self):
        client = self.connect()
        client.sendall(budget.request(budget.KIB, True))
        backend, _ = self.listener.accept()
        backend.settimeout(budget.PATIENCE_S)
        if self.server:
            backend = self.server.wrap_socket(backend, server_side=True)
        budget.read_message(backend)
        backend.sendall(budget.STREAM_HEAD + budget.FIRST_EVENT + budget.EVENT)
        budget.read_until(client, b"]}\n\n\r\n")
        self.open += [client, backend]

    def serving_kib(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            served = int(f.read().split()[0])
        with open("/proc/%d/smaps_rollup" % served) as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))

    def stop(self):
        for s in self.open:
            s.close()
        self.listener.close()
        self.process.terminate()
        self.process.wait(budget.PATIENCE_S)
        self.process.stdout.close()


def measure(program, tls):
    """KiB a stream."""
    directory = tempfile.mkdtemp(prefix="backstay-memory-")
    stage = Stage(program, directory, tls)
    try:
        kib = []
        for count in (FEW, MANY):
            while len(stage.open) < 2 * count:
                stage.open_stream()
            kib.append(stage.serving_kib())
        return round((kib[1] - kib[0]) / (MANY - FEW), 2)
    finally:
        stage.stop()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="memory of an open stream")
    parser.add_argument("--backstay", required=True)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    if not os.path.exists("/proc/self/smaps_rollup") or not shutil.which("openssl"):
        print("there is no /proc, or no openssl")
        sys.exit(budget.SKIPPED)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    program = os.path.abspath(options.backstay)
    budget.settle({"plain": measure(program, False), "tls": measure(program, True)},
                  os.path.join(HERE, "memory.json"), "kib", "%6.2f KiB", options.update)


if __name__ == "__main__":
    main()
