"""Every metric that operators were promised, by name and labels, on a live proxy to
which all of it has happened."""

import collections
import http.server
import json
import os
import re
import threading

import pytest

from harness import Proxy, chat_body, compact, get, poll, read_stream
from redis_server import PROGRAM, Redis

LINE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="([^"]*)"')
KEY = {"authorization": "Bearer key-one-0123456789"}
STORES = ("disk", "shared") if PROGRAM else ("disk",)

# What was promised; family; all its labels; those of one series that must not be 0
# (None: the family need only be there). A histogram stands for its three families.
PROMISED = [
    ("requests", "backstay_requests_total", "model status fault", {"model": "chat", "status": "2xx",
                                                                  "fault": "none"}),
    ("requests that failed", "backstay_requests_total", "model status fault", {"status": "5xx"}),
    ("attempts", "backstay_attempts_total", "target fault", {"target": "alpha/m", "fault": "none"}),
    *[("faults by class", "backstay_attempts_total", "target fault", {"fault": fault}) for fault in (
        "server_error", "rate_limited", "credential", "cut", "connect", "outrun")],
    ("retries", "backstay_retries_total", "model", {"model": "chat"}),
    ("hedges won", "backstay_hedges_total", "model result", {"result": "won"}),
    ("hedges lost", "backstay_hedges_total", "model result", {"result": "lost"}),
    ("fallbacks", "backstay_fallbacks_total", "model", {"model": "chat"}),
    ("resumes by strategy and result", "backstay_resumes_total", "model way result",
     {"way": "replay", "result": "went_on"}),
    ("resumes by strategy and result", "backstay_resumes_total", "model way result",
     {"way": "replay", "result": "failed"}),
    *[("degraded answers by kind", "backstay_degraded_total", "model kind", {"kind": kind}) for kind in (
        "fallback", "resumed", "stale", "near", "last-resort")],
    *[("cache by tier and result", "backstay_cache_total", "model use tier", {"use": use, "tier": tier})
      for use, tier in (("miss", "none"), ("hit", "memory"), *[("hit", store) for store in STORES],
                        ("stale", "memory"), ("near", "memory"), ("joined", "none"),
                        ("refresh", "none"))],
    ("cache in memory", "backstay_cache_memory_entries", "", {}),
    ("breaker state", "backstay_breaker_state", "target breaker", {"breaker": "own"}),
    ("breaker transitions", "backstay_breaker_transitions_total", "target breaker to", {"to": "open"}),
    ("breaker transitions", "backstay_breaker_transitions_total", "target breaker to", {"to": "back"}),
    ("ejections", "backstay_target_ejected_total", "target", {"target": "charlie/e"}),
    ("probes", "backstay_probes_total", "target result", {"result": "good"}),
    ("probes", "backstay_probes_total", "target result", {"result": "bad"}),
    ("in-flight", "backstay_requests_in_progress", "", {}),
    ("in-flight of a target", "backstay_target_in_flight", "target", {"target": "narrow/m"}),
    ("queue length", "backstay_queue_length", "model", {"model": "tight"}),
    ("queue wait", "backstay_queue_wait_seconds", "model", {"model": "tight"}),
    ("shed by class and reason", "backstay_shed_total", "model priority reason",
     {"model": "tight", "priority": "low", "reason": "queue_full"}),
    ("rate-limit headroom", "backstay_target_rate_left", "target of", {"of": "requests"}),
    *[("tokens in, out, cached", "backstay_tokens_total", "model target key kind",
       {"model": "cached", "target": "stub/c", "key": "team", "kind": kind})
      for kind in ("input", "output", "cached")],
    ("cost by model, target, key group", "backstay_cost_usd_total", "model target key",
     {"model": "cached", "target": "stub/c", "key": "team"}),
    ("time to first token", "backstay_time_to_first_token_seconds", "model", {"model": "chat"}),
    ("time between tokens", "backstay_time_between_tokens_seconds", "model", {"model": "chat"}),
    ("duration", "backstay_request_duration_seconds", "model", {"model": "chat"}),
    ("overhead", "backstay_overhead_seconds", "model", {"model": "chat"}),
    ("connections of clients", "backstay_client_connections", "", {}),
    ("connections to backends", "backstay_upstream_connections", "", {}),
    ("descriptors", "process_open_fds", "", {}),
    ("memory", "process_resident_memory_bytes", "", {}),
    ("event-loop lag", "backstay_loop_turn_seconds", "", {}),
    ("config generation", "backstay_config_generation", "", {}),
    *[("store health", "backstay_cache_store_up", "store", {"store": store}) for store in STORES],
    ("build info", "backstay_build_info", "version", {}),
    ("budgets", "backstay_budget_spent_usd", "budget", {"budget": "all"}),
]


class Seen:
    """The highest that each series was at any look: {family: {labels: value}}."""

    def __init__(self, proxy):
        self.proxy, self.types = proxy, {}
        self.highest = collections.defaultdict(dict)

    def look(self):
        for line in get(self.proxy.admin, "/metrics")[1].decode().split("\n"):
            if line.startswith("# TYPE "):
                self.types[line.split(" ")[2]] = line.split(" ")[3]
            match = LINE.match(line)
            if match:
                labels = frozenset(LABEL.findall(match.group(2) or ""))
                was = self.highest[match.group(1)].get(labels, 0)
                self.highest[match.group(1)][labels] = max(was, float(match.group(3)))
        return self

    def most(self, family, **labels):
        want = set(labels.items())
        return max((v for k, v in self.highest[family].items() if want <= k), default=0)


class Stub:
    """A backend that had most of the question in its cache."""

    ANSWER = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "c", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101,
                  "prompt_tokens_details": {"cached_tokens": 90}}}).encode()

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(Stub.ANSWER)))
                self.end_headers()
                self.wfile.write(Stub.ANSWER)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/v1" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def stub():
    one = Stub()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture(scope="module")
def redis(place):
    one = Redis(place, "metrics").start() if PROGRAM else None
    yield one
    if one:
        one.stop()


def config_of(mocks, stub, redis, place, disk):
    alpha, bravo, charlie = mocks
    store = {"disk": {"path": os.path.join(str(place), "answers.db"), "wait": "5s"}} if disk else {}
    if redis:
        store["shared"] = {"addresses": "127.0.0.1:%d" % redis.port, "wait": "5s"}
    quick = {"open": "200ms", "open_max": "300ms", "ramp": "100ms"}
    kept = {"targets": ["alpha/k"], "retry": {"max_attempts": 1}, "breaker": {"faults": 0, "rate": "0%"}}
    return {
        "backends": {
            "alpha": {"url": alpha.url, "resume": "replay"}, "bravo": {"url": bravo.url, "resume": "replay"},
            "charlie": {"url": charlie.url, "probe": {"path": "/health", "every": "100ms"}},
            "narrow": {"url": alpha.url, "max_in_flight": 1}, "stub": {"url": stub.url},
            "nobody": {"url": "http://127.0.0.1:1/v1"}},
        "keys": [{"name": "one", "key": "key-one-0123456789", "group": "team"}],
        "defaults": {"retry": {"budget": "100%"}, "ejection": {"share": "0%"}, "breaker": quick},
        "cache": store,
        "models": {
            "chat": {"targets": [{"backend": "alpha", "model": "m", "priority": 1},
                                 {"backend": "bravo", "model": "m", "priority": 2}],
                     "fallbacks": ["small"]},
            "small": {"targets": ["charlie/s"]},
            "unreachable": {"targets": ["nobody/n"]},
            "hedged": {"targets": [{"backend": "alpha", "model": "h", "priority": 1},
                                   {"backend": "bravo", "model": "h", "priority": 2}],
                       "hedge": {"after": "100ms", "budget": "100%"}},
            "even": {"targets": ["alpha/e", "bravo/e", "charlie/e"], "balance": "round_robin",
                     "ejection": {"share": "50%", "factor": 2, "slack": "100ms"}},
            "tight": {"targets": ["narrow/m"], "queue": {"length": 1, "wait": "60s"}},
            "kept": {**kept, "cache": {"fresh": "1h", "coalesce": "on"}},
            "renewed": {**kept, "cache": {"fresh": "1ms", "refresh": "1h"}},
            "rescued": {**kept, "cache": {"stale": "1h", "near": "30%"}},
            "resort": {**kept, "last_resort": {"message": "later"}},
            "cached": {"targets": ["stub/c"]},
        },
        "prices": {"c": {"input": 2, "output": 10, "cached": 1}},
        "spending": {"budgets": {"all": {"cost": 100}}},
    }


def ask(proxy, model, prompt="hello", **more):
    status, headers, _ = proxy.chat(prompt, model=model, headers=KEY, **more)
    return status, headers


def stream(proxy, model, prompt="hello", on_event=None):
    return read_stream(proxy.port, chat_body(prompt, model=model, stream=True), KEY, on_event)


def kept_elsewhere(place, mocks, stub, redis, proxy):
    """One answer is on disk, which is asked first; another in the shared store only."""
    if redis:
        other = Proxy(place, config_of(mocks, stub, redis, place, False), "other").start()
        ask(other, "kept", "what do all share?")
        poll("it to be shared", lambda: redis.say("KEYS", "backstay:a:*"))
        assert other.stop() == 0
    ask(proxy, "kept", "what is on disk?")
    poll("it to be written", lambda: Seen(proxy).look().most("backstay_cache_store_entries",
                                                              store="disk") == 1)
    assert proxy.stop() == 0
    proxy.start()


def cache_happens(proxy, mocks):
    alpha = mocks[0]
    for prompt in ("what is on disk?", "what do all share?", "what is on disk?", "what is new?"):
        ask(proxy, "kept", prompt)
    alpha.next("tokens 20 gap 100ms")
    follower = threading.Thread(target=stream, args=(proxy, "kept", "who comes along?"))
    stream(proxy, "kept", "who comes along?", lambda got: len(got.events) == 3 and follower.start())
    follower.join()
    poll("a new answer for an old one", lambda: ask(proxy, "renewed") and Seen(proxy).look().most(
        "backstay_cache_total", use="refresh"))
    ask(proxy, "rescued", "what is the capital of France?")
    alpha.behave("status 500")
    ask(proxy, "rescued", "what is the capital of France?")
    ask(proxy, "rescued", "what is the capital of France??")
    ask(proxy, "resort")
    alpha.behave("")


def trouble_happens(proxy, mocks):
    alpha, bravo, charlie = mocks
    for trouble in ("status 500", "status 429 retry-after 1", "bad-key"):
        alpha.next(trouble)
        ask(proxy, "chat")
        # A credential is off until the config changes, a target paced for a second.
        if trouble != "status 500":
            poll("the target to be used again", lambda: again(proxy))
    ask(proxy, "unreachable")
    for mock in (alpha, bravo):
        mock.behave("status 500")
    for _ in range(8):
        ask(proxy, "chat")
    charlie.behave("status 500")
    poll("a bad look", lambda: Seen(proxy).look().most("backstay_probes_total", result="bad"))
    for mock in mocks:
        mock.behave("")
    poll("the breakers to let requests back", lambda: ask(proxy, "chat") and Seen(proxy).look().most(
        "backstay_breaker_transitions_total", target="alpha/m", to="back"))


def again(proxy):
    if Seen(proxy).look().most("backstay_target_out_of_use", target="alpha/m"):
        proxy.config["backends"]["alpha"]["key"] = "another"
        proxy.write()
        proxy.reload()
    return proxy.targets()["alpha/m"]["use"] == "good" and ask(proxy, "chat")[1].get(
        "x-backstay-target") == "alpha/m"


def streams_happen(proxy, mocks, seen):
    alpha, bravo, _ = mocks
    poll("the first target to be used", lambda: again(proxy))
    alpha.next("tokens 12 cut after 3")
    assert stream(proxy, "chat").complete
    poll("the first target to be used", lambda: again(proxy))
    alpha.next("tokens 12 cut after 3")
    bravo.next("status 500")
    stream(proxy, "chat")
    alpha.next("ttft 20s")
    assert stream(proxy, "hedged").complete
    alpha.next("ttft 500ms")
    bravo.next("ttft 20s")
    assert stream(proxy, "hedged").complete
    seen.look()                   # what is left of the rate limit is known for a while only


def slowness_happens(proxy, mocks, seen):
    mocks[2].behave("ttft 600ms")

    def ejected():
        threads = [threading.Thread(target=stream, args=(proxy, "even")) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seen.look().most("backstay_target_ejected_total", target="charlie/e")

    poll("the slow one to be left out", ejected)
    mocks[2].behave("")


def crowd_happens(proxy, mocks, seen):
    """One has the only place, one waits, one is turned away."""
    mocks[0].next("tokens 400 gap 10ms")
    waiting = threading.Thread(target=ask, args=(proxy, "tight"))

    def on_event(got):
        if len(got.events) != 3:
            return
        waiting.start()
        poll("one to wait", lambda: seen.look().most("backstay_queue_length", model="tight"))
        poll("workers to tell", lambda: seen.look().most("backstay_requests_in_progress"))
        status, _, _ = proxy.ask(body=chat_body("hello", model="tight"), headers={
            **KEY, "x-backstay-priority": "low"})
        assert status == 503

    assert stream(proxy, "tight", on_event=on_event).complete
    waiting.join()


@pytest.fixture(scope="module")
def seen(place, start_proxy, mocks, stub, redis):
    proxy = start_proxy(config_of(mocks, stub, redis, place, True))
    kept_elsewhere(place, mocks, stub, redis, proxy)
    seen = Seen(proxy)
    cache_happens(proxy, mocks)
    streams_happen(proxy, mocks, seen)
    slowness_happens(proxy, mocks, seen)
    crowd_happens(proxy, mocks, seen)
    assert ask(proxy, "cached")[0] == 200
    trouble_happens(proxy, mocks)
    poll("all to be over", lambda: proxy.status()["total"]["in_progress"] == 0)
    return seen.look()


@pytest.mark.parametrize("what,family,labels,not_zero", PROMISED, ids=lambda v: (
    v if isinstance(v, str) else "-".join(v.values()) if v else "").replace(" ", "_"))
def test_promised(seen, what, family, labels, not_zero):
    names = set(labels.split())
    series = family
    if seen.types[family] == "histogram":
        series = family + "_count"
        names_of_buckets = [{name for name, _ in k} for k in seen.highest[family + "_bucket"]]
        assert names_of_buckets and all(found == names | {"le"} for found in names_of_buckets)
        assert seen.most(family + "_sum", **not_zero) > 0 or "between" in what
        assert seen.most(family + "_bucket", **not_zero, le="+Inf") == seen.most(series, **not_zero)
    found = [{name for name, _ in k} for k in seen.highest[series]]
    assert found, family + " is not told"
    assert all(one == names for one in found), "%s has the labels %s" % (family, found)
    assert seen.most(series, **not_zero) > 0, "%s (%s) is 0" % (family, what)


def test_both_formats_tell_the_same(seen):
    plain = get(seen.proxy.admin, "/metrics")[1].decode()
    status, text = get(seen.proxy.admin, "/metrics", headers={
        "accept": "application/openmetrics-text; version=1.0.0, text/plain; q=0.5"})
    assert status == 200
    openmetrics = text.decode()
    assert openmetrics.endswith("# EOF\n") and "# EOF" not in plain

    def families(told):
        return {re.sub(r"_(total|bucket|sum|count|created)$", "", LINE.match(line).group(1))
                for line in told.split("\n") if line and not line.startswith("#")}

    assert families(plain) == families(openmetrics)
