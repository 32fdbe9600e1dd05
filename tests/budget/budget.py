#!/usr/bin/env python3
"""Counts the instructions that the serving process spends on fixed inputs and
holds them against tests/budget/budget.json.

    budget.py --backstay PROGRAM [--update] [--keep DIR]

Exit 0: all within their budgets; 1: one is not; 77: valgrind is not here.

One thread plays client and backend by turns: nothing is sent before what went
before has come out on the other side, so that each turn of the proxy's loop has
one thing to do and a count repeats to a fraction of a percent, however busy the
machine is. callgrind writes its counts down each time the proxy answers a
question for its models: those are the marks between the inputs. What two marks
without anything between them cost is taken off.

User space only: what the kernel does for the proxy is not in it. A count above
its budget by more than the margin is a failure. One that is below
it by more than the margin is a gain: --update keeps it. --keep leaves callgrind's
files, one for each input, for callgrind_annotate.
"""

import argparse
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 120
SKIPPED = 77
KIB = 1024

CONFIG = """listen: 127.0.0.1:%(port)d
admin: off
workers: 1
log: {level: warn, access: off}
backends:
  bench: {url: "http://127.0.0.1:%(backend)d/v1"}
  claude: {dialect: anthropic, url: "http://127.0.0.1:%(backend)d", key: sk-none}
defaults:
  timeouts: {connect: 60s, first_token: 300s, answer: 300s, idle: 300s, total: 10m}
models:
  chat: [bench/bench-model]
  claude: [claude/bench-claude]
"""

REQUEST_HEAD = ("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
                "Accept: application/json\r\nAccept-Encoding: identity\r\n"
                "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 2.8.0\r\n"
                "X-Stainless-Lang: python\r\nX-Stainless-Retry-Count: 0\r\n"
                "Authorization: Bearer sk-bench-0123456789abcdef0123456789abcdef\r\n"
                "Content-Length: %d\r\n\r\n")
MESSAGES_HEAD = (REQUEST_HEAD.replace("/v1/chat/completions", "/v1/messages")
                 .replace("Authorization: Bearer ", "anthropic-version: 2023-06-01\r\nx-api-key: "))
WORDS = "The quick brown fox jumps over the lazy dog, and says \\\"so be it\\\" to nobody.\\n"


def padded(front, back, size):
    """JSON text of exactly `size` bytes: sentences between a front and a back."""
    room = size - len(front) - len(back)
    return (front + (WORDS * (room // len(WORDS))).ljust(room, ".") + back).encode()


def request(size, stream, model="chat"):
    body = padded('{"model":"' + model + '","messages":[{"role":"system","content":"You are helpful."},'
                  '{"role":"user","content":"',
                  '"}],"temperature":0.7,"max_tokens":512,"stream":%s}' % ("true" if stream else "false"),
                  size)
    return (REQUEST_HEAD % len(body)).encode() + body


def message_request(size):
    body = padded('{"model":"chat","max_tokens":512,"stream":true,"messages":[{"role":"user","content":"',
                  '"}]}', size)
    return (MESSAGES_HEAD % len(body)).encode() + body


def answer(size):
    body = padded('{"id":"chatcmpl-bench","object":"chat.completion","created":1760000000,'
                  '"model":"bench-model","choices":[{"index":0,"message":{"role":"assistant",'
                  '"content":"',
                  '"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":120,'
                  '"completion_tokens":150,"total_tokens":270}}\n', size)
    return (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            % len(body)) + body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta, finish="null"):
    return ('data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,'
            '"model":"bench-model","system_fingerprint":"fp_bench","choices":[{"index":0,"delta":%s,'
            '"logprobs":null,"finish_reason":%s}]}\n\n' % (delta, finish)).encode()


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
FIRST_EVENT = chunk(event('{"role":"assistant","content":""}'))
EVENT = chunk(event('{"content":" and then some"}'))
LAST_EVENTS = chunk(event("{}", '"stop"')) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"

def told(name, rest):
    return chunk(('event: %s\ndata: {"type":"%s"%s}\n\n' % (name, name, rest)).encode())


FIRST_TOLD = (told("message_start", ',"message":{"id":"msg_bench","type":"message","role":"assistant",'
                   '"model":"bench-claude","content":[],"stop_reason":null,"stop_sequence":null,'
                   '"usage":{"input_tokens":120,"output_tokens":1}}') +
              told("content_block_start", ',"index":0,"content_block":{"type":"text","text":""}'))
TOLD = told("content_block_delta", ',"index":0,"delta":{"type":"text_delta","text":" and then some"}')
LAST_TOLD = (told("content_block_stop", ',"index":0') +
             told("message_delta", ',"delta":{"stop_reason":"end_turn","stop_sequence":null},'
                  '"usage":{"output_tokens":150}') + told("message_stop", "") + b"0\r\n\r\n")
MARK = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"


class Stage:
    """The proxy under callgrind, with a client before it and a backend behind."""

    def __init__(self, program, directory):
        self.dir = directory
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE_S)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        config = os.path.join(directory, "budget.yaml")
        with open(config, "w") as f:
            f.write(CONFIG % {"port": self.port, "backend": self.listener.getsockname()[1]})
        self.log = os.path.join(directory, "valgrind.log")
        self.process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", "--dump-before=answer_models",
             "--compress-strings=no", "--compress-pos=no",
             "--callgrind-out-file=%s/counts.%%p" % directory, "--log-file=%s.%%p" % self.log,
             program, "run", "-c", config],
            # Meson has malloc fill what it gives and takes, which would be counted.
            env={k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.backend = None
        self.client = self.connect()

    def connect(self):
        for _ in range(PATIENCE_S * 10):
            if self.process.poll() is not None:
                sys.exit(self.process.stdout.read().decode() + "the proxy has ended")
            try:
                s = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return s
            except ConnectionRefusedError:
                try:
                    self.process.wait(0.1)
                except subprocess.TimeoutExpired:
                    pass
        sys.exit("the proxy does not listen")

    def accept(self):
        self.backend, _ = self.listener.accept()
        self.backend.settimeout(PATIENCE_S)
        self.backend.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


def receive(s):
    got = s.recv(KIB * KIB)
    if not got:
        raise EOFError("the proxy has closed a connection")
    return got


def read_until(s, end, anywhere=False):
    data = b""
    while not (end in data if anywhere else data.endswith(end)):
        data += receive(s)
    return data


def read_message(s):
    """One message with a Content-Length."""
    data = read_until(s, b"\r\n\r\n", anywhere=True)
    head, _, rest = data.partition(b"\r\n\r\n")
    left = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]) - len(rest)
    while left > 0:
        left -= len(receive(s))


def ask(stage, message, size):
    """The request goes out and reaches the backend; in pieces, so that none
    waits for room in a socket that nobody reads."""
    stage.client.sendall(message)
    while stage.backend is None or stage.listener in select.select(
            [stage.backend, stage.listener], [], [], PATIENCE_S)[0]:
        stage.accept()
    read_message(stage.backend)


# ---- the inputs ---------------------------------------------------------------

def unary(stage, count, request_size, answer_size):
    asked, answered = request(request_size, False), answer(answer_size)
    for _ in range(count):
        ask(stage, asked, request_size)
        stage.backend.sendall(answered)
        read_message(stage.client)


def stream(stage, steps, events_a_step):
    """`steps` times so many events at once."""
    ask(stage, request(KIB, True), KIB)
    stage.backend.sendall(STREAM_HEAD + FIRST_EVENT + EVENT)
    read_until(stage.client, b"]}\n\n\r\n")
    for _ in range(steps):
        stage.backend.sendall(EVENT * events_a_step)
        left = events_a_step
        while left > 0:
            left -= read_until(stage.client, b"]}\n\n\r\n").count(b"data: ")
    stage.backend.sendall(LAST_EVENTS)
    read_until(stage.client, b"0\r\n\r\n")


def translated(stage, asked, opening, one, ending, steps, events_a_step):
    """The same where client and backend speak different interfaces."""
    ask(stage, asked, KIB)
    stage.backend.sendall(STREAM_HEAD + opening + one)
    read_until(stage.client, b" and then some", anywhere=True)
    for _ in range(steps):
        stage.backend.sendall(one * events_a_step)
        left = events_a_step
        while left > 0:
            left -= receive(stage.client).count(b" and then some")
    stage.backend.sendall(ending)
    read_until(stage.client, b"0\r\n\r\n")


def from_anthropic(stage, steps, events_a_step):
    translated(stage, request(KIB, True, "claude"), FIRST_TOLD, TOLD, LAST_TOLD, steps, events_a_step)


def to_anthropic(stage, steps, events_a_step):
    translated(stage, message_request(KIB), FIRST_EVENT, EVENT, LAST_EVENTS, steps, events_a_step)


# name, what is done, by how much it is divided, less which other input
INPUTS = (
    ("request_1k", lambda s: unary(s, 100, KIB, KIB), 100, None),
    ("request_100k", lambda s: unary(s, 10, 100 * KIB, KIB), 10, None),
    ("request_1m", lambda s: unary(s, 4, KIB * KIB, KIB), 4, None),
    ("answer_100k", lambda s: unary(s, 10, KIB, 100 * KIB), 10, None),
    ("stream", lambda s: [stream(s, 0, 0) for _ in range(10)], 10, None),
    ("event_paced", lambda s: stream(s, 200, 1), 200, "stream"),
    ("event_burst", lambda s: stream(s, 10, 50), 500, "stream"),
    ("stream_from_anthropic", lambda s: [from_anthropic(s, 0, 0) for _ in range(10)], 10, None),
    ("event_from_anthropic", lambda s: from_anthropic(s, 10, 50), 500, "stream_from_anthropic"),
    ("stream_to_anthropic", lambda s: [to_anthropic(s, 0, 0) for _ in range(10)], 10, None),
    ("event_to_anthropic", lambda s: to_anthropic(s, 10, 50), 500, "stream_to_anthropic"),
)


def mark(stage):
    stage.client.sendall(MARK)
    read_message(stage.client)


def play(stage):
    for warm in (lambda: unary(stage, 3, KIB, KIB), lambda: unary(stage, 1, KIB * KIB, KIB),
                 lambda: stream(stage, 2, 2), lambda: from_anthropic(stage, 2, 2),
                 lambda: to_anthropic(stage, 2, 2), lambda: stream(stage, 2, 2)):
        warm()
    mark(stage)
    mark(stage)
    for _, act, _, _ in INPUTS:
        act(stage)
        mark(stage)


def total_of(path):
    with open(path) as f:
        for line in f:
            if line.startswith(("summary:", "totals:")):
                return int(line.split()[1])
    sys.exit("%s has no sum" % path)


def read_counts(directory):
    """The serving process's counts between marks, in order."""
    dumps = {}
    for name in os.listdir(directory):
        parts = name.split(".")
        if parts[0] == "counts" and len(parts) == 3:
            dumps.setdefault(parts[1], {})[int(parts[2])] = os.path.join(directory, name)
    served = max(dumps.values(), key=len, default={})
    if len(served) < len(INPUTS) + 2:
        sys.exit("callgrind wrote %d files, %d are needed" % (len(served), len(INPUTS) + 2))
    totals = [total_of(served[i]) for i in sorted(served)]
    empty = totals[1]
    counts = {}
    for i, (name, _, count, less) in enumerate(INPUTS):
        counts[name] = round((totals[i + 2] - empty - counts.get(less, 0)) / count)
    return counts


def count(program, keep):
    directory = keep or tempfile.mkdtemp(prefix="backstay-budget-")
    os.makedirs(directory, exist_ok=True)
    stage = Stage(program, directory)
    try:
        play(stage)
    finally:
        stage.stop()
    counts = read_counts(directory)
    if not keep:
        shutil.rmtree(directory, ignore_errors=True)
    return counts


# ---- the budget -----------------------------------------------------------------

def judge(counts, allowed, margin, unit):
    """Says how each stands to its budget; are all within it? `unit`: how one is written."""
    good = True
    for name, counted in counts.items():
        over = counted / allowed[name] - 1 if allowed.get(name) else 1
        word = "over its budget" if over > margin else "less than its budget" if over < -margin else ""
        good = good and over <= margin
        print("%-21s %s of %s  %+6.1f %%  %s" % (name, unit % counted, unit % allowed.get(name, 0),
                                               100 * over, word))
    return good


def settle(counts, path, what, unit, update):
    """Holds the counts against those kept in the file at `path` as `what`, or (update)
    keeps them there. Ends the program where one is over its budget."""
    with open(path) as f:
        kept = json.load(f)
    if update:
        kept[what] = counts
        with open(path, "w") as f:
            json.dump(kept, f, indent=1)
            f.write("\n")
    if not judge(counts, kept[what], kept["margin"], unit):
        sys.exit("That is more than the budget allows. If it is worth it, say why in the commit and run "
                 "tests/budget/%s --update." % os.path.basename(sys.argv[0]))


def main():
    parser = argparse.ArgumentParser(description="instructions per request and per event")
    parser.add_argument("--backstay", required=True)
    parser.add_argument("--budget", default=os.path.join(HERE, "budget.json"))
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--keep")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("valgrind is not installed")
        sys.exit(SKIPPED)
    with open("/proc/cpuinfo") as f:
        if " avx2 " not in f.read():
            print("the budget is that of a processor with AVX2")
            sys.exit(SKIPPED)
    counts = count(os.path.abspath(options.backstay), options.keep)
    settle(counts, options.budget, "instructions", "%10d", options.update)


if __name__ == "__main__":
    main()
