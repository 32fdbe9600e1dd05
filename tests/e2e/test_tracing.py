"""Spans of a real proxy at a small collector, field by field; and a collector that
hangs, which nobody waits for."""

import http.server
import json
import threading

import pytest

from harness import get, poll

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-%s"


class Collector:
    """Takes OTLP/HTTP in JSON."""

    def __init__(self):
        self.spans, self.requests, self.hang = [], [], threading.Event()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if collector.hang.is_set():
                    return
                collector.take(self.path, dict(self.headers), json.loads(body))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server.server_address[1]

    def take(self, path, headers, document):
        self.requests.append((path, {k.lower(): v for k, v in headers.items()}, document))
        for resource in document["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                self.spans.extend(scope["spans"])

    def of(self, trace_id, count):
        """The spans of a trace, once there are so many: the exchange's, the attempts'."""
        def found():
            spans = [s for s in self.spans if s["traceId"] == trace_id]
            return spans if len(spans) >= count else None
        spans = poll("%d spans of %s" % (count, trace_id), found)
        root = [s for s in spans if s["kind"] == 2]
        assert len(root) == 1
        tries = sorted((s for s in spans if s["kind"] == 3), key=lambda s: attributes(s)[
            "backstay.attempt.number"])
        assert len(root) + len(tries) == len(spans)
        return root[0], tries

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def attributes(thing):
    values = {}
    for one in thing["attributes"]:
        (kind, value), = one["value"].items()
        values[one["key"]] = int(value) if kind == "intValue" else (
            [v["stringValue"] for v in value["values"]] if kind == "arrayValue" else value)
    return values


@pytest.fixture(scope="module")
def collector():
    made = Collector()
    yield made
    made.close()


@pytest.fixture(scope="module")
def traced(start_proxy, mocks, collector):
    return start_proxy({
        "backends": {m.name: {"url": m.url} for m in mocks},
        "models": {
            "chat": {"targets": [
                {"backend": m.name, "model": "m", "priority": i + 1} for i, m in enumerate(mocks)]},
            "hedged": {"targets": [
                {"backend": m.name, "model": "m", "priority": i + 1} for i, m in enumerate(mocks[:2])],
                "hedge": {"after": "100ms", "budget": "100%"}}},
        "tracing": {"endpoint": collector.url, "sample": "0%", "every": "100ms",
                    "service": "front", "headers": {"x-team": "eyes"}},
    })


def test_a_sampled_trace_is_gone_on_with(traced, mocks, collector, healthy):
    parent = PARENT % "01"
    got = traced.stream("hello", {"traceparent": parent, "tracestate": "a=1"},
                        stream_options={"include_usage": True})
    assert got.complete
    root, (first,) = collector.of(parent[3:35], 2)
    record = traced.record_of(got.headers["x-request-id"])
    assert root["parentSpanId"] == parent[36:52]
    assert root["name"] == "chat chat" and first["name"] == "chat m"
    assert first["parentSpanId"] == root["spanId"]
    seen = mocks[0].last().lower()
    assert "traceparent: 00-%s-%s-01" % (parent[3:35], first["spanId"]) in seen
    assert "tracestate: a=1" in seen
    told = attributes(root)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.request.model"] == "chat" and told["gen_ai.response.model"] == "m"
    assert told["gen_ai.usage.input_tokens"] == record["tokens"]["input"]
    assert told["gen_ai.usage.output_tokens"] == record["tokens"]["output"]
    assert told["gen_ai.response.finish_reasons"] == ["stop"]
    assert told["http.response.status_code"] == 200
    assert told["backstay.request_id"] == got.headers["x-request-id"]
    assert "error.type" not in told and root["status"] == {}
    tried = attributes(first)
    assert tried["server.address"] == "127.0.0.1" and tried["server.port"] == mocks[0].port
    assert tried["gen_ai.usage.output_tokens"] == record["tokens"]["output"]
    began, ended = int(root["startTimeUnixNano"]), int(root["endTimeUnixNano"])
    assert (ended - began) // 1000000 == record["duration_ms"]
    assert began <= int(first["startTimeUnixNano"]) <= int(first["endTimeUnixNano"]) <= ended
    (commit,) = root["events"]
    assert commit["name"] == "backstay.commit" and began <= int(commit["timeUnixNano"]) <= ended
    path, headers, document = collector.requests[-1]
    assert path == "/v1/traces" and headers["x-team"] == "eyes"
    assert headers["content-type"] == "application/json"
    assert {"key": "service.name", "value": {"stringValue": "front"}} in \
        document["resourceSpans"][0]["resource"]["attributes"]
    assert "hello" not in json.dumps(document)


def test_what_is_not_sampled_is_not_told_unless_it_failed(traced, mocks, collector, healthy):
    quiet = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    assert traced.stream("hello", {"traceparent": quiet}).complete
    mocks[0].next("cut after 5")
    failed = "00-2af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    got = traced.stream("hello", {"traceparent": failed})
    assert got.complete
    root, (broken, went_on) = collector.of(failed[3:35], 3)
    assert attributes(root)["backstay.degraded"] == "resumed"
    assert attributes(broken)["error.type"] == "cut" and broken["status"]["code"] == 2
    assert attributes(went_on)["backstay.attempt.kind"] == "replay"
    assert [e["name"] for e in root["events"]] == ["backstay.commit", "backstay.resume"]
    assert attributes(root["events"][1]) == {
        "backstay.target": attributes(went_on)["backstay.target"], "backstay.resume.way": "replay"}
    assert not [s for s in collector.spans if s["traceId"] == quiet[3:35]]


def test_a_hedge_is_an_event_of_the_exchange(traced, mocks, collector, healthy):
    mocks[0].next("ttft 30s")
    parent = PARENT.replace("0af7", "3af7") % "01"
    got = traced.stream("hello", {"traceparent": parent}, model="hedged")
    assert got.complete
    root, tries = collector.of(parent[3:35], 3)
    hedge, commit = root["events"]
    assert hedge["name"] == "backstay.hedge" and commit["name"] == "backstay.commit"
    assert int(hedge["timeUnixNano"]) <= int(commit["timeUnixNano"])
    (second,) = [t for t in tries if attributes(t).get("backstay.attempt.kind") == "hedge"]
    assert attributes(hedge)["backstay.target"] == attributes(second)["backstay.target"]
    assert attributes(second)["backstay.target"] == attributes(commit)["backstay.target"]


def test_a_new_trace_begins_where_the_client_has_none(traced, mocks, collector, healthy):
    assert traced.stream("hello", {"traceparent": "junk", "tracestate": "a=1"}).complete
    seen = mocks[0].last().lower()
    assert "traceparent: 00-" in seen and "junk" not in seen and "tracestate" not in seen


def test_a_collector_that_hangs_is_not_waited_for(traced, mocks, collector, healthy):
    collector.hang.set()
    for _ in range(50):
        assert traced.stream("hello", {"traceparent": PARENT % "01"}).complete

    def failures():
        for line in get(traced.admin, "/metrics")[1].decode().split("\n"):
            if line.startswith("backstay_trace_export_failures_total "):
                return int(line.split()[1])
        raise AssertionError("no such metric")

    poll("a batch that is not taken", lambda: failures() > 0)
    collector.hang.clear()
    before = len(collector.spans)
    poll("the spans to arrive after all", lambda: len(collector.spans) > before)
