"""Two real model servers on loopback, Backstay in front of them, and ways to ask."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time

import openai

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL_NAME = "small"            # what the servers call their model
PATIENCE_S = 120                # for anything that is waited for; only a hang takes it
LONG = "Tell me a long story about a ship and a storm."
SHORT = [
    "What is the capital of France?",
    "Name three colours.",
    "What does a lighthouse do?",
    "Why is the sky blue?",
    "Write one sentence about the sea.",
]
WORDS = 16                      # max_tokens of short answers
TALE = 32                       # and of those that break off

CONFIG = """
listen: 127.0.0.1:{port}
admin: {{listen: 127.0.0.1:{admin}}}
workers: 2
drain: 5s
log: {{access: {access_log}}}
# A busy test machine may be slow; slowness is not what is tested here.
defaults:
  timeouts: {{first_token: 90s, idle: 60s, answer: 2m, total: 4m}}
  # A server that was killed is up again in seconds: what it is asked by then counts.
  breaker: {{open: 200ms, open_max: 1s, ramp: 1s}}
backends:
  left:  {{url: "http://127.0.0.1:{left}/v1"}}
  right: {{url: "http://127.0.0.1:{right}/v1"}}
models:
  chat: [left/{model}, right/{model}]
  # The other ways to go on with an answer that broke off, and none.
  chat-prefill:
    - {{backend: left, model: {model}, resume: prefill}}
    - {{backend: right, model: {model}, resume: prefill}}
  chat-continue:
    - {{backend: left, model: {model}, resume: continue_final_message}}
    - {{backend: right, model: {model}, resume: continue_final_message}}
  chat-off: {{targets: [left/{model}, right/{model}], resume: off}}
  # Whole answers are asked for as streams, so that they can go on as well.
  chat-as-stream: {{targets: [left/{model}, right/{model}], stream_upstream: on}}
"""


def free_ports(count):
    """Ports that nobody has: held at once, so that all differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_for(what, condition):
    """Polls until condition() gives something true, and gives that."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < give_up, "waited in vain for " + what
        time.sleep(0.05)


def get(port, path):
    """(status, body), or None if nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def ask_body(prompt, **more):
    """A chat request; greedy, so that each server gives the same text."""
    return {"model": "chat", "messages": [{"role": "user", "content": prompt}],
            "temperature": 0, "max_tokens": WORDS, **more}


class Program:
    """A process that is ended with us, with what it says kept in a file."""

    def __init__(self, log):
        self.log = log
        self.process = None

    def spawn(self, *command):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def end(self, how):
        if self.alive():
            self.process.send_signal(how)
        if self.process is not None:
            self.process.wait(PATIENCE_S)
            self.process = None

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]


class Server(Program):
    """One llama.cpp server."""

    def __init__(self, name, port, log):
        super().__init__(log)
        self.name, self.port = name, port

    def start(self):
        self.spawn("node", os.path.join(HERE, "server.mjs"),
                   "--packages", os.environ["REAL_NODE"], "--model", os.environ["REAL_MODEL"],
                   "--port", str(self.port), "--name", MODEL_NAME)

    def wait(self):
        def ready():
            assert self.alive(), "%s did not start: %s" % (self.name, self.said())
            return get(self.port, "/health")
        wait_for(self.name, ready)

    def kill(self):
        self.end(signal.SIGKILL)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def stats(self):
        answer = get(self.port, "/stats")
        return json.loads(answer[1]) if answer else {}


class World:
    def __init__(self, directory):
        self.port, self.admin, left, right = free_ports(4)
        self.servers = {name: Server(name, port, directory / (name + ".log"))
                        for name, port in (("left", left), ("right", right))}
        self.proxy = Program(directory / "backstay.log")
        self.access_log = directory / "access.jsonl"
        self.config = directory / "backstay.yaml"
        self.config.write_text(CONFIG.format(
            port=self.port, admin=self.admin, left=left, right=right, model=MODEL_NAME,
            access_log=self.access_log), encoding="utf-8")
        self.known = {}

    def start(self):
        self.revive()
        self.proxy.spawn(os.environ["BACKSTAY"], "run", "-c", str(self.config))

        def ready():
            assert self.proxy.alive(), "backstay did not start: " + self.proxy.said()
            answer = get(self.admin, "/readyz")
            return answer and answer[0] == 200
        wait_for("backstay", ready)

    def revive(self):
        dead = [server for server in self.servers.values() if not server.alive()]
        for server in dead:
            server.start()
        for server in dead:
            server.wait()

    def stop(self):
        self.proxy.end(signal.SIGTERM)
        for server in self.servers.values():
            server.kill()

    def client(self, port=None, kind=openai.OpenAI):
        """The SDK without retries of its own: what fails is Backstay's failure."""
        return kind(base_url="http://127.0.0.1:%d/v1" % (port or self.port), api_key="unused",
                    max_retries=0, timeout=2 * PATIENCE_S)

    def truth(self, prompt, max_tokens=WORDS):
        """The greedy answer, from a server without a proxy between."""
        if (prompt, max_tokens) not in self.known:
            server = next(one for one in self.servers.values() if one.alive())
            answer = self.client(server.port).chat.completions.create(
                **ask_body(prompt, max_tokens=max_tokens))
            self.known[prompt, max_tokens] = answer.choices[0].message.content
        return self.known[prompt, max_tokens]

    def count(self, kind):
        """A number of the servers' /stats, over those that are alive."""
        return sum(server.stats().get(kind, 0) for server in self.servers.values())

    def is_true_beginning(self, prompt, text):
        """Is `text`, of an answer that was cut, what the model would have said?"""
        truth = self.truth(prompt, TALE)
        return bool(text) and truth[:len(text)] == text[:len(truth)]

    def records(self, request_id):
        """The access log's line about an exchange, once it is there."""
        def find():
            for line in self.access_log.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                if record["id"] == request_id:
                    return record
            return None
        return wait_for("the access log's line for " + request_id, find)


class RawStream:
    """A streamed answer read event by event, without an SDK between."""

    def __init__(self, port, body):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2 * PATIENCE_S)
        self.connection.request("POST", "/v1/chat/completions",
                                json.dumps({**body, "stream": True}),
                                {"content-type": "application/json"})
        self.answer = self.connection.getresponse()
        self.text, self.finish, self.errors, self.done = "", None, 0, False

    @property
    def server(self):
        """Which server answers: its backend's name."""
        return target_server(self.answer.headers)

    def read_event(self):
        """Reads until an event has been understood; False at the end."""
        while True:
            line = self.answer.readline()
            if not line:
                return False
            if line.startswith(b"data:"):
                self.understand(line[len(b"data:"):].strip().decode("utf-8"))
                return True

    def understand(self, data):
        assert not self.done, "after [DONE]: " + data
        if data == "[DONE]":
            self.done = True
            return
        event = json.loads(data)
        if "error" in event:
            self.errors += 1
            assert event["error"]["message"]
            return
        assert not self.errors, "after an error: " + data
        for choice in event["choices"]:
            self.text += choice["delta"].get("content") or ""
            self.finish = choice["finish_reason"] or self.finish

    def read_texts(self, count):
        """Until `count` pieces of text have come."""
        while count:
            before = self.text
            assert self.read_event(), "the stream ended early"
            count -= self.text != before

    def read_all(self):
        """To the end, whichever it is."""
        while self.read_event():
            pass
        self.close()

    def close(self):
        self.connection.close()


def target_server(headers):
    """The name of the server in x-backstay-target."""
    return headers["x-backstay-target"].split("/")[0].split("#")[0]
