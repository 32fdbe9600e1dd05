"""A real Prometheus looks at a real proxy in a storm: the right alerts of
deploy/prometheus fire and end, and every query of the dashboards in deploy/grafana
is understood and finds something.

The rules are those of deploy/prometheus with short windows: minutes become seconds."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.parse

import pytest

from harness import ROOT, free_port, get, poll, read_stream, chat_body

pytestmark = pytest.mark.skipif(not shutil.which("prometheus"),
                                reason="prometheus is not installed")
PATIENCE_S = 120
SECONDS = {"1m": "1s", "2m": "1s", "5m": "5s", "10m": "8s", "15m": "1s", "30m": "10s", "1h": "15s",
           "2h": "15s", "6h": "20s", "1d": "20s", "3d": "25s"}


def shortened(text):
    """The rules with windows of seconds instead of minutes, hours, days."""
    text = re.sub(r"\[(\d+[mhd])\]", lambda m: "[%s]" % SECONDS[m.group(1)], text)
    return re.sub(r"(\n +for: )(\d+[mhd])", lambda m: m.group(1) + SECONDS[m.group(2)], text)


class Prometheus:
    def __init__(self, place, target):
        self.port, self.place = free_port(), str(place)
        with open(os.path.join(ROOT, "deploy/prometheus/backstay.rules.yaml"),
                  encoding="utf-8") as file:
            rules = shortened(file.read())
        self.write("rules.yaml", rules)
        self.write("prometheus.yaml", json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [{"job_name": "backstay", "static_configs": [
                {"targets": ["127.0.0.1:%d" % target]}]}]}))
        self.log = open(os.path.join(self.place, "prometheus.log"), "wb")
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=" + os.path.join(self.place, "prometheus.yaml"),
             "--storage.tsdb.path=" + os.path.join(self.place, "tsdb"),
             "--web.listen-address=127.0.0.1:%d" % self.port, "--query.lookback-delta=5s"],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        poll("prometheus", lambda: (get(self.port, "/-/ready") or (0,))[0] == 200, PATIENCE_S)

    def write(self, name, text):
        with open(os.path.join(self.place, name), "w", encoding="utf-8") as file:
            file.write(text)

    def api(self, path):
        answer = get(self.port, path)
        assert answer, "prometheus has gone"
        return answer[0], json.loads(answer[1])

    def firing(self):
        _, said = self.api("/api/v1/alerts")
        return {a["labels"]["alertname"] for a in said["data"]["alerts"] if a["state"] == "firing"}

    def query(self, text):
        status, said = self.api("/api/v1/query?query=" + urllib.parse.quote(text))
        assert status == 200, "%s: %s" % (text, said)
        return said["data"]["result"]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


@pytest.fixture(scope="module")
def proxy(start_proxy, mocks):
    alpha, bravo, charlie = mocks
    return start_proxy({
        "backends": {"alpha": {"url": alpha.url, "key": "one", "max_in_flight": 100},
                     "bravo": {"url": bravo.url},
                     "charlie": {"url": charlie.url, "probe": {"path": "/health", "every": "100ms"}},
                     "narrow": {"url": charlie.url, "max_in_flight": 1}},
        "models": {
            "chat": {"targets": [{"backend": "alpha", "model": "m"}, {"backend": "bravo", "model": "m"}],
                     "fallbacks": ["small"], "hedge": {"after": "200ms", "budget": "100%"}},
            "small": {"targets": [{"backend": "charlie", "model": "s"}]},
            "kept": {"targets": ["charlie/s"], "cache": {"fresh": "1h"}},
            "tight": {"targets": ["narrow/m"], "queue": {"length": 1, "wait": "60s"}}},
        "spending": {"budgets": {"all": {"cost": 1000, "tokens": 1000000000, "then": "cheaper"}}},
        "prices": {"m": {"input": 1, "output": 2}, "s": {"input": 1, "output": 2}},
    })


@pytest.fixture(scope="module")
def prometheus(proxy, place):
    started = Prometheus(place, proxy.admin)
    yield started
    started.stop()


class Traffic:
    """A few clients that go on asking, whatever comes."""

    def __init__(self, proxy):
        self.proxy, self.stopping, self.asked = proxy, threading.Event(), 0
        self.threads = [threading.Thread(target=self.run) for _ in range(3)]

    def run(self):
        while not self.stopping.is_set():
            try:
                read_stream(self.proxy.port, chat_body("storm", stream=True, stream_options={
                    "include_usage": True}))
            except OSError:
                pass
            self.asked += 1
            self.stopping.wait(0.02)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def test_alerts_fire_and_end_and_dashboards_show_it(proxy, prometheus, mocks, healthy):
    alpha, bravo, charlie = mocks
    with Traffic(proxy):
        # So much is seen that a window is full, and nothing fires.
        poll("a first look", lambda: prometheus.query(
            'sum(rate(backstay_requests_total{fault="none"}[5s])) > 0'), PATIENCE_S)
        assert not prometheus.firing() - {"BackstayRestarted"}

        alpha.behave("bad-key")
        poll("the refused credential", lambda: "BackstayCredentialOff" in prometheus.firing(),
             PATIENCE_S)
        assert "BackstayModelDown" not in prometheus.firing()

        bravo.behave("percent 30 cut after 3")      # some streams go on elsewhere
        poll("resumed streams", lambda: prometheus.query(
            "sum(backstay_resumes_total) > 0"), PATIENCE_S)
        bravo.behave("status 500")
        poll("the model's own targets to be out, and its fallback in use", lambda: {
            "BackstayModelDown", "BackstayOnFallback"} <= prometheus.firing(), PATIENCE_S)
        assert "BackstayErrorBudgetBurnsFast" not in prometheus.firing()

        crowd(proxy)
        charlie.behave("status 500")
        poll("errors that clients see", lambda: "BackstayErrorBudgetBurnsFast" in
             prometheus.firing(), PATIENCE_S)
        check_dashboards(prometheus)

        for mock in mocks:
            mock.behave("")
        proxy.config["backends"]["alpha"]["key"] = "two"      # what the runbook says
        proxy.write()
        proxy.reload()
        poll("all alerts to end", lambda: not prometheus.firing() - {"BackstayRestarted"},
             PATIENCE_S)


def crowd(proxy):
    """One has the only place of a model, one waits, one is turned away; and an answer
    is kept."""
    def ask(model):
        return proxy.ask(body=chat_body("hello", model=model))[0]

    waiting = threading.Thread(target=ask, args=("tight",))

    def on_event(got):
        if len(got.events) == 3:
            waiting.start()
            poll("one to wait", lambda: re.search(
                rb'queue_length{model="tight"} 1', get(proxy.admin, "/metrics")[1]))
            assert ask("tight") == 503

    # By header: the storm's requests reach the same mock.
    assert read_stream(proxy.port, chat_body("hello", "tight", stream=True),
                       {"x-mock-fault": "tokens 300 gap 10ms"}, on_event).complete
    waiting.join()
    assert [ask("kept") for _ in range(3)] == [200] * 3


def check_dashboards(prometheus):
    """Every query must be understood, and find something sooner or later."""
    listed = subprocess.run([sys.executable, os.path.join(ROOT, "scripts", "dashboards.py"),
                             "--queries"], check=True, capture_output=True, text=True).stdout
    left = dict.fromkeys(tuple(line.split("\t")) for line in listed.strip().split("\n"))

    def all_found():
        for query, where in list(left):
            # 1 m of data is not there yet for all.
            if prometheus.query(query.replace("[1m]", "[10s]")):
                del left[query, where]
        return not left

    try:
        poll("all to find something", all_found, PATIENCE_S)
    except AssertionError:
        raise AssertionError("queries that find nothing:\n" + "\n".join(
            "%s: %s" % (where, query) for query, where in left)) from None
