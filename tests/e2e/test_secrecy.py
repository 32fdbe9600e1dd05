"""What people ask and what they are answered is nobody else's business: no word of it
is in any log, trace, metric, alert, dashboard or state file, however much is logged
and whatever goes wrong."""

import http.server
import json
import os
import threading

import pytest

from harness import Mock, free_port, get, poll
from receiver import Receiver
from test_tracing import Collector

PROMPT = "zanzibarine-question"
ANSWER = "quetzalcoatl-reply"
KEY = "client-key-0123456789-periwinkle"
UPSTREAM_KEY = "upstream-key-0123456789-vermilion"
ADMIN_KEY = "admin-key-0123456789-heliotrope"
SINK_SECRET = "sink-secret-0123456789-chartreuse"
PAGER_KEY = "pager-key-0123456789-aquamarine"     # which PagerDuty itself must be told
MANAGER_KEY = "manager-key-0123456789-turquoise"
SINKS = ("hook", "chat", "pager", "manager")
SECRETS = (PROMPT, ANSWER, KEY, UPSTREAM_KEY, ADMIN_KEY, SINK_SECRET, PAGER_KEY, MANAGER_KEY)


class Quoting:
    """A model server whose errors repeat the question, as some do."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                words = json.dumps(asked.get("messages"))
                status = 400 if "caller" in words else 500
                body = json.dumps({"error": {"message": "cannot read " + words, "type": "server_error",
                                             "code": None, "param": None}}).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d/v1" % self.server.server_address[1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def helpers(place):
    things = {"hook": Receiver(free_port()), "chat": Receiver(free_port()),
              "pager": Receiver(free_port()), "manager": Receiver(free_port()), "collector": Collector(),
              "quoting": Quoting(), "mock": Mock(place, "teller", "--key", UPSTREAM_KEY).start()}
    yield things
    things.pop("mock").kill()
    for thing in things.values():
        thing.close()


@pytest.fixture
def watched(start_proxy, place, helpers):
    proxy = start_proxy({
        "admin": {"key": ADMIN_KEY, "read": "all"},
        "keys": [{"name": "web", "key": KEY, "explain": "on"}],
        "backends": {"good": {"url": helpers["mock"].url, "key": UPSTREAM_KEY},
                     "quoting": {"url": helpers["quoting"].url, "key": UPSTREAM_KEY}},
        "models": {"chat": {"targets": [{"backend": "quoting", "model": "m", "priority": 1},
                                        {"backend": "good", "model": "m", "priority": 2}],
                            "cache": {"fresh": "1h", "stale": "1h"}},
                   "alone": ["quoting/m"], "well": ["good/m"]},
        "log": {"level": "debug", "access": str(place / "secrecy.jsonl")},
        "tracing": {"endpoint": helpers["collector"].url, "sample": "100%", "every": "100ms"},
        "spending": {"state": str(place / "secrecy-spent"), "budgets": {"all": {"tokens": 5}}},
        "alerts": {"wait": "50ms", "calm": "50ms", "state": str(place / "secrecy-alerts"), "sinks": {
            "hook": {"url": helpers["hook"].url, "secret": SINK_SECRET},
            "chat": {"kind": "slack", "url": helpers["chat"].url},
            "pager": {"kind": "pagerduty", "url": helpers["pager"].url, "secret": PAGER_KEY},
            "manager": {"kind": "alertmanager", "url": helpers["manager"].url, "bearer": MANAGER_KEY}}},
    })
    proxy.access = str(place / "secrecy.jsonl")
    return proxy


def talk(proxy, mock):
    """Every way a request can go, with the words in all of them."""
    headers = {"authorization": "Bearer " + KEY, "x-backstay-explain": "1"}
    words = "echo: %s %s" % (PROMPT, ANSWER)
    seen = []
    for model in ("well", "chat"):
        status, _, body = proxy.chat(words, headers=headers, model=model, user=PROMPT)
        assert status == 200
        seen.append(json.dumps(body))
        assert proxy.stream(words, headers=headers, model=model).text
    assert proxy.chat(words, headers=headers)[1]["x-backstay-cache"] == "hit"
    assert proxy.chat(PROMPT + " caller", headers=headers, model="alone")[0] == 400
    for _ in range(4):
        assert proxy.chat(PROMPT, headers=headers, model="alone")[0] >= 500
    mock.next("cut after 4")
    proxy.stream(words + " again", headers=headers, model="well")
    mock.next("status 500")
    proxy.chat(words + " and again", headers=headers, model="well")
    status, _, body = proxy.ask("/v1/messages", headers={"x-api-key": KEY}, body={
        "model": "well", "max_tokens": 50, "system": PROMPT,
        "messages": [{"role": "user", "content": words}]})
    assert status == 200
    assert proxy.ask(body=b'{"model": "well", "messages": [{"' + PROMPT.encode() + b'"', headers={
        "authorization": "Bearer " + KEY, "content-type": "application/json"})[0] == 400
    assert any(ANSWER in text for text in seen), "the words have to be there to be looked for"


def test_no_word_of_it_is_anywhere(watched, helpers, place):
    talk(watched, helpers["mock"])
    poll("people to be told", lambda: all(
        helpers[sink].taken for sink in SINKS))
    poll("traces", lambda: len(helpers["collector"].spans) >= 10)
    poll("the log", lambda: len(watched.records()) >= 10)
    places = {path: get(watched.admin, path)[1].decode() for path in (
        "/metrics", "/status", "/admin/state", "/admin/targets", "/admin/exchanges", "/admin/queue",
        "/admin/alerts", "/admin/budgets", "/admin/cluster", "/admin/drills", "/admin/cache", "/")}
    assert watched.stop() == 0
    places.update({sink: json.dumps(helpers[sink].taken) for sink in SINKS})
    places["traces"] = json.dumps([r[2] for r in helpers["collector"].requests])
    places["log"] = watched.said()
    for name in os.listdir(str(place)):
        if name.startswith("secrecy"):
            with open(os.path.join(str(place), name), encoding="utf-8", errors="replace") as file:
                places[name] = file.read()
    assert " debug " in places["log"]
    assert "attempt_failed" in places["log"]
    assert {"secrecy.jsonl", "secrecy-alerts", "secrecy-spent"} <= set(places)
    for where, text in places.items():
        assert text, where
        for word in SECRETS:
            told = where == "pager" and word == PAGER_KEY
            assert (word in text) == told, "%s: %s" % (where, word)
