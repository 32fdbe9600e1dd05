"""The built program on real sockets: mocks, proxies, and ways to look at them.

Everything listens on 127.0.0.1. Nothing here sleeps for a fixed time or judges
by the clock: poll() waits for a condition, PATIENCE_S only bounds a hang.
"""

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BACKSTAY = os.path.abspath(os.environ.get("BACKSTAY") or
                           os.path.join(ROOT, "build", "src", "daemon", "backstay"))
PATIENCE_S = 30
# No breaker opens, nobody is left out for being slow, and retries are cheap.
CALM = {"breaker": {"faults": 0, "rate": "0%"}, "ejection": {"share": "0%"},
        "retry": {"budget": "100%"}}
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

_taken, _taking = set(), threading.Lock()


def free_port():
    """A port below the range that outgoing connections use, so that nobody
    takes it while its owner is dead for a moment."""
    for _ in range(1000):
        port = random.randint(20000, 31000)
        with _taking, socket.socket() as s:
            if port in _taken:
                continue
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            _taken.add(port)
        return port
    raise AssertionError("no free port between 20000 and 31000")


def poll(what, condition, patience_s=PATIENCE_S):
    """Waits until condition() gives something true, and gives that."""
    give_up = time.monotonic() + patience_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < give_up, "waited in vain for " + what
        time.sleep(0.01)


def get(port, path, method="GET", body=None, headers=None):
    """(status, body) of a request on a connection of its own; None: nobody there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def compact(value):
    """JSON as the official clients write it: mocks go by the bytes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def clean_environment(**more):
    """Ours, without the proxies it names."""
    env = {k: v for k, v in os.environ.items() if k.upper() not in PROXY_VARIABLES}
    env.update(more)
    return env


class Program:
    """A process that ends with us; what it says is in files."""

    def __init__(self, directory, name):
        self.out = os.path.join(str(directory), name + ".out")
        self.err = os.path.join(str(directory), name + ".err")
        self.process = None

    def spawn(self, arguments, env=None, before=()):
        """`before`: a command that starts ours, such as prlimit."""
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            self.process = subprocess.Popen([*before, BACKSTAY, *map(str, arguments)], stdout=out,
                                            stderr=err, stdin=subprocess.DEVNULL,
                                            env=env or clean_environment())

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """The exit code; negative: the signal that killed it."""
        return self.process.wait(PATIENCE_S)

    def kill(self):
        if self.alive():
            self.process.kill()
        if self.process:
            self.process.wait(PATIENCE_S)

    def said(self):
        with open(self.err, encoding="utf-8", errors="replace") as file:
            return file.read()


class Mock(Program):
    """One simulated model server. All mocks with one seed say the same words."""

    def __init__(self, directory, name, *options):
        super().__init__(directory, "mock-" + name)
        self.name, self.port, self.options = name, free_port(), options
        self.control = None

    @property
    def url(self):
        return "http://127.0.0.1:%d/v1" % self.port

    def start(self):
        self.spawn(["mock", "--listen", "127.0.0.1:%d" % self.port, "--name", self.name,
                    "--seed", "1", "--record", *self.options])
        self.control = None
        return self.ready()

    def ready(self):
        def answers():
            assert self.alive(), "mock %s ended: %s" % (self.name, self.said())
            return get(self.port, "/mock/stats")
        poll("mock " + self.name, answers)
        self.ask("GET", "/mock/stats")    # keeps a connection that no behaviour can spoil
        return self

    def ask(self, method, path, body=None):
        """A control request, on a connection that was there before the trouble."""
        for again in (True, False):
            if not self.control:
                self.control = http.client.HTTPConnection("127.0.0.1", self.port,
                                                          timeout=PATIENCE_S)
            try:
                self.control.request(method, path, body)
                answer = self.control.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                self.control.close()
                self.control = None
                if not again:
                    raise
                continue
            assert answer.status == 200, text
            return text

    def behave(self, spec):
        self.ask("POST", "/mock/behaviour", spec.encode())

    def next(self, spec):
        self.ask("POST", "/mock/behaviour?next", spec.encode())

    def stats(self, endpoint=None):
        everything = json.loads(self.ask("GET", "/mock/stats"))
        return everything["endpoints"][endpoint] if endpoint else everything["all"]

    def connections(self):
        """Open ones, without our own."""
        return json.loads(self.ask("GET", "/mock/stats"))["connections_open"] - 1

    def last(self):
        return self.ask("GET", "/mock/last").decode("utf-8", "replace")

    def kill(self):
        super().kill()
        if self.control:
            self.control.close()
            self.control = None


def children_of(pid):
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, encoding="ascii", errors="replace") as file:
                after_name = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if after_name[0] != "Z" and int(after_name[1]) == pid:
            found.append(int(name))
    return found


def descriptors_of(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def rss_kib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise AssertionError("no VmRSS of %d" % pid)


class Proxy(Program):
    """`backstay run` with a config given as a dict (JSON is YAML)."""

    def __init__(self, directory, config, name="proxy"):
        super().__init__(directory, name)
        self.port, self.admin = free_port(), free_port()
        self.file = os.path.join(str(directory), name + ".yaml")
        self.access = os.path.join(str(directory), name + ".access.jsonl")
        self.config = {
            "listen": "127.0.0.1:%d" % self.port,
            "admin": {"listen": "127.0.0.1:%d" % self.admin},
            "workers": 2,
            "drain": "10s",
            "log": {"access": self.access},
        }
        admin = {**self.config["admin"], **config.get("admin", {})}
        self.config.update(config, admin=admin)
        self.write()

    def write(self, text=None):
        """The config file, whole or not at all."""
        with open(self.file + ".new", "w", encoding="utf-8") as file:
            file.write(json.dumps(self.config, indent=1) + "\n" if text is None else text)
        os.replace(self.file + ".new", self.file)

    def start(self, env=None, before=()):
        self.spawn(["run", "-c", self.file], env, before)
        poll("the proxy", self.is_ready)
        return self

    def is_ready(self):
        assert self.alive(), "the proxy ended: " + self.said()
        answer = get(self.admin, "/readyz")
        return answer and answer[0] == 200

    def serving_pid(self):
        """The process that serves, once there is one."""
        return poll("the serving process", lambda: children_of(self.process.pid))[0]

    @property
    def url(self):
        return "http://127.0.0.1:%d/v1" % self.port

    def ask(self, path="/v1/chat/completions", body=None, method=None, headers=None):
        """(status, headers, body) on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            data = compact(body) if isinstance(body, (dict, list)) else body
            given = {"content-type": "application/json"} if data is not None else {}
            given.update(headers or {})
            connection.request(method or ("GET" if data is None else "POST"), path, data, given)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def chat(self, prompt="hello", headers=None, **more):
        """(status, headers, decoded JSON) of a chat that does not stream."""
        status, given, body = self.ask(body=chat_body(prompt, **more), headers=headers)
        return status, given, json.loads(body)

    def stream(self, prompt="hello", headers=None, on_event=None, **more):
        """A streamed chat as a Stream, read to its end."""
        return read_stream(self.port, chat_body(prompt, stream=True, **more), headers, on_event)

    def records(self):
        """The access log, every line of it parsed."""
        try:
            with open(self.access, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def record_of(self, request_id):
        return poll("the access log's line for " + request_id, lambda: next(
            (one for one in self.records() if one["id"] == request_id), None))

    def status(self):
        return json.loads(get(self.admin, "/status")[1])

    def reload(self):
        """SIGHUP, and the new config in force."""
        before = self.status()["config"]["generation"]
        self.signal(signal.SIGHUP)
        poll("the reload", lambda: self.status()["config"]["generation"] > before)

    def targets(self, model="chat"):
        """How the model's targets are doing, by name."""
        models = json.loads(get(self.admin, "/admin/targets")[1])["models"]
        return {t["name"]: t for m in models if m["name"] == model for t in m["targets"]}

    def forget(self):
        """A new start, where something is remembered against a target, or too many
        retries were spent."""
        if not self.alive():
            return
        models = json.loads(get(self.admin, "/admin/targets")[1])["models"]
        if all(m["retries_left"] >= 8 and all(t["use"] == "good" for t in m["targets"])
               for m in models):
            return
        poll("all to be over", lambda: self.status()["total"]["in_progress"] == 0)
        code = self.stop()
        assert code == 0, "exit code %s: %s" % (code, self.said())
        self.start()

    def stop(self):
        """Drains; the exit code."""
        if self.alive():
            self.signal(signal.SIGTERM)
        return self.wait()


def chat_body(prompt, model="chat", **more):
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **more}


class Stream:
    """What a client saw of a streamed answer."""

    def __init__(self):
        self.status, self.headers = 0, {}
        self.events = []              # data of each, as text
        self.pieces = 0               # of them, those with content
        self.text = ""
        self.finish = None
        self.done = False             # [DONE] was seen
        self.errors = []              # error events, or the error body of a refusal
        self.clean = False            # HTTP framing ended properly
        self.broken = None            # how the connection broke

    @property
    def complete(self):
        return (self.status == 200 and self.clean and self.done and self.finish is not None and
                not self.errors)

    def take(self, data):
        self.events.append(data)
        if data == "[DONE]":
            self.done = True
            return
        event = json.loads(data)
        if event.get("error"):
            self.errors.append(event["error"])
        said = [(c.get("delta") or {}).get("content") or "" for c in event.get("choices") or []]
        self.pieces += any(said)
        self.text += "".join(said)
        for choice in event.get("choices") or []:
            self.finish = choice.get("finish_reason") or self.finish


LINE_END = re.compile(b"\r\n|\n|\r")


class EventReader:
    """data of server-sent events, as WHATWG has it: any line ending, several
    data lines, comments."""

    def __init__(self):
        self.left, self.data = b"", []

    def feed(self, data):
        self.left += data
        while True:
            end = LINE_END.search(self.left)
            # A CR at the end may be half of a CR LF.
            if not end or (end.group() == b"\r" and end.end() == len(self.left)):
                return
            line, self.left = self.left[:end.start()], self.left[end.end():]
            if line.startswith(b"data:"):
                self.data.append(line[5:].removeprefix(b" ").decode("utf-8"))
            elif not line and self.data:
                yield "\n".join(self.data)
                self.data = []


def read_stream(port, body, headers=None, on_event=None):
    """Asks and reads to the end; on_event(stream) after each event."""
    got = Stream()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/v1/chat/completions", compact(body),
                           {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        got.status = answer.status
        got.headers = {k.lower(): v for k, v in answer.getheaders()}
        if got.status != 200:
            got.errors.append(json.loads(answer.read())["error"])
            return got
        events = EventReader()
        while True:
            data = answer.read1(65536)
            for event in events.feed(data or b"\n"):      # at the end: a CR may be kept
                got.take(event)
                if on_event:
                    on_event(got)
            if not data:
                break
        got.clean = answer.isclosed()
    except (OSError, http.client.HTTPException) as error:
        got.broken = repr(error)
    finally:
        connection.close()
    return got


class Oracle:
    """What the mocks must say: asked of one that has no faults."""

    def __init__(self, mock):
        self.mock, self.known = mock, {}

    def text(self, prompt, **more):
        key = json.dumps([prompt, more], sort_keys=True)
        if key not in self.known:
            status, body = get(self.mock.port, "/v1/chat/completions", "POST",
                               compact(chat_body(prompt, **more)),
                               {"content-type": "application/json"})
            assert status == 200, body
            self.known[key] = json.loads(body)["choices"][0]["message"]["content"]
        return self.known[key]


def backends_of(mocks, **more):
    return {mock.name: {"url": mock.url, **more} for mock in mocks}


def targets_of(mocks):
    return [{"backend": mock.name, "model": "mock-large"} for mock in mocks]
