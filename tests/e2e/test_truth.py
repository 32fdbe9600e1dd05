"""Metrics against ground truth: what clients and mocks have counted themselves."""

import collections
import json
import re
import threading

import pytest

from harness import CALM, chat_body, get, poll, read_stream

LINE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="([^"]*)"')
PRICES = {"m": {"input": 2, "output": 10, "cached": 1}}
FAULTS = [
    ["", "", ""],
    ["status 500", "", ""],
    ["percent 40 cut after 3", "percent 20 status 503", ""],
    ["stall after 3", "", "percent 30 error after 4"],
    ["hang-up", "reset after 5", ""],
    ["status 500", "status 500", "status 500"],
]


def scrape(proxy):
    """{family: {frozenset of labels: value}}"""
    found = collections.defaultdict(dict)
    for line in get(proxy.admin, "/metrics")[1].decode().split("\n"):
        match = LINE.match(line)
        if match:
            found[match.group(1)][frozenset(LABEL.findall(match.group(2) or ""))] = float(
                match.group(3))
    return found


def total(metrics, family, **labels):
    want = set(labels.items())
    return sum(v for k, v in metrics[family].items() if want <= k)


@pytest.fixture(scope="module")
def proxy(start_proxy, mocks):
    return start_proxy({
        "backends": {m.name: {"url": m.url, "connect": "1s"} for m in mocks},
        "keys": [{"name": "one", "key": "key-one-0123456789", "group": "team"},
                 {"name": "two", "key": "key-two-0123456789"}],
        "defaults": CALM,
        "models": {"chat": {"targets": [{"backend": m.name, "model": "m"} for m in mocks],
                            "timeouts": {"first_token": "1s", "idle": "700ms", "answer": "2s"}}},
        "prices": PRICES,
    })


class Client(threading.Thread):
    """Asks `count` times and keeps what it saw."""

    def __init__(self, proxy, number, count):
        super().__init__()
        self.proxy, self.number, self.count = proxy, number, count
        self.seen = collections.Counter()
        self.degraded = collections.Counter()
        self.gaps = 0

    def run(self):
        key = ("key-one-0123456789", "key-two-0123456789")[self.number % 2]
        for turn in range(self.count):
            got = read_stream(self.proxy.port, chat_body(
                "truth %d" % turn, stream=True, stream_options={"include_usage": True}),
                {"authorization": "Bearer " + key})
            self.seen[got.status, "complete" if got.complete else "broken"] += 1
            self.degraded[got.headers.get("x-backstay-degraded")] += 1
            self.gaps += max(0, got.pieces - 1)


def check(metrics, clients, records, mocks, before):
    """Everything that was counted twice is the same number."""
    seen, degraded = collections.Counter(), collections.Counter()
    for client in clients:
        seen += client.seen
    asked = sum(seen.values())
    assert total(metrics, "backstay_requests_total", model="chat") == asked == len(records)
    whole = sum(n for (status, how), n in seen.items() if status == 200 and how == "complete")
    assert total(metrics, "backstay_requests_total", fault="none", status="2xx") == whole
    assert total(metrics, "backstay_requests_total", status="5xx") == sum(
        n for (status, _), n in seen.items() if status >= 500)
    assert total(metrics, "backstay_broken_answers_total") == sum(
        n for (status, how), n in seen.items() if status == 200 and how == "broken")
    tries = collections.Counter((a["target"], a["fault"] or "none")
                                for r in records for a in r["attempts"])
    for (target, fault), count in tries.items():
        assert total(metrics, "backstay_attempts_total", target=target, fault=fault) == count
    assert total(metrics, "backstay_attempts_total") == sum(tries.values())
    for mock, was in zip(mocks, before):
        got = mock.stats("chat")
        mine = [a for r in records for a in r["attempts"] if a["target"].startswith(mock.name)]
        # What reached it; a try that found no connection did not, a stale one did twice.
        reached = sum(1 + a["stale_replays"] for a in mine if a["fault"] != "connect")
        assert got["requests"] - was["requests"] == reached
    degraded = collections.Counter(r["degraded"] for r in records if r["degraded"])
    for kind in ("fallback", "resumed"):
        assert total(metrics, "backstay_degraded_total", kind=kind) == degraded[kind]
    assert total(metrics, "backstay_resumes_total", result="went_on") == sum(
        r["resumes"] for r in records)
    assert total(metrics, "backstay_request_duration_seconds_count") == asked
    assert total(metrics, "backstay_request_duration_seconds_bucket", le="+Inf") == asked
    assert total(metrics, "backstay_time_to_first_token_seconds_count") == sum(
        1 for r in records if r["first_token_ms"] is not None)
    assert round(total(metrics, "backstay_request_duration_seconds_sum") * 1000) == sum(
        r["duration_ms"] for r in records)
    # Of every stream, whole or broken, resumed or not, one for each two pieces.
    assert total(metrics, "backstay_time_between_tokens_seconds_count") == sum(
        client.gaps for client in clients)
    assert total(metrics, "backstay_time_per_output_token_seconds_count") <= whole
    check_money(metrics, records)


def check_money(metrics, records):
    for key, group in (("one", "team"), ("two", "two")):
        own = [r for r in records if r["key"] == key]
        for kind in ("input", "output"):
            told = sum((r["tokens"] or {}).get(kind, 0) for r in own)
            assert total(metrics, "backstay_tokens_total", key=group, kind=kind) >= told
        cost = sum(r["cost"] for r in own)
        assert abs(total(metrics, "backstay_cost_usd_total", key=group) - cost) < 1e-9
    price = PRICES["m"]
    tokens = {kind: total(metrics, "backstay_tokens_total", kind=kind)
              for kind in ("input", "output", "cached")}
    assert abs(total(metrics, "backstay_cost_usd_total") - (
        (tokens["input"] - tokens["cached"]) * price["input"] + tokens["cached"] * price["cached"] +
        tokens["output"] * price["output"]) / 1e6) < 1e-9
    assert total(metrics, "backstay_unpriced_tokens_total") == 0


def test_counters_are_what_clients_and_mocks_counted(proxy, mocks, healthy):
    before = [mock.stats("chat") for mock in mocks]
    clients = []
    for faults in FAULTS:
        for mock, spec in zip(mocks, faults):
            mock.behave("tokens 12 " + spec if spec else "tokens 12")
        round_ = [Client(proxy, n, 10) for n in range(8)]
        for client in round_:
            client.start()
        for client in round_:
            client.join()
        clients += round_
    for mock in mocks:
        mock.behave("")
    poll("all to be over", lambda: proxy.status()["total"]["in_progress"] == 0)
    poll("the mocks to be idle", lambda: all(m.stats()["in_flight"] == 0 for m in mocks))
    asked = sum(sum(c.seen.values()) for c in clients)
    poll("all lines of the access log", lambda: len(proxy.records()) == asked)
    check(scrape(proxy), clients, proxy.records(), mocks, before)
