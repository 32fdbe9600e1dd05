"""Real Redis servers for tests: one, with a sentinel, or a cluster."""

import os
import shutil
import signal
import socket
import subprocess

from harness import PATIENCE_S, free_port, poll

PROGRAM = shutil.which("redis-server")


class Redis:
    """redis-server on loopback; it keeps nothing on disk unless it is told so."""

    def __init__(self, directory, name, *options, sentinel=False, port=None):
        self.directory, self.name, self.options = str(directory), name, options
        self.port = port or free_port()
        self.sentinel = sentinel
        self.process = None

    def start(self):
        home = os.path.join(self.directory, "redis-" + self.name)
        os.makedirs(home, exist_ok=True)
        config = os.path.join(home, "redis.conf")
        with open(config, "w", encoding="utf-8") as file:
            lines = ["port %d" % self.port, "bind 127.0.0.1", "daemonize no", "dir " + home,
                     "protected-mode no"]
            if not self.sentinel:
                lines += ["save \"\"", "appendonly no"]
            file.write("\n".join([*lines, *self.options]) + "\n")
        with open(os.path.join(home, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, config, *(["--sentinel"] if self.sentinel else [])], stdout=log,
                stderr=log, stdin=subprocess.DEVNULL)
        poll("redis " + self.name, lambda: self.alive() and self.answers())
        return self

    def alive(self):
        assert self.process.poll() is None, "redis %s ended" % self.name
        return True

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def say(self, *words, user=()):
        """A command's reply, decoded as far as tests need."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as s:
            reader = s.makefile("rb")
            for command in ([("AUTH", *user)] if user else []) + [words]:
                parts = [str(w).encode() if not isinstance(w, bytes) else w for w in command]
                s.sendall(b"*%d\r\n" % len(parts) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
                reply = self._read(reader)
            return reply

    def _read(self, reader):
        line = reader.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            data = reader.read(size + 2)[:-2]
            return data
        if kind == b"*":
            return [self._read(reader) for _ in range(int(rest))]
        if kind == b":":
            return int(rest)
        assert kind != b"-", line
        return rest

    def stop(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait(PATIENCE_S)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)
