"""People are told of trouble by receivers that fail, hang, recover, and across a
restart; and they are told once."""

import hashlib
import hmac
import json
import os
import re
import signal
import subprocess

import pytest

from harness import BACKSTAY, backends_of, clean_environment, free_port, get, poll, targets_of
from receiver import Receiver

SECRET = "0123456789abcdef0123"
QUICK = {"breaker": {"open": "300ms", "open_max": "500ms", "ramp": "100ms"}}


@pytest.fixture
def receivers():
    four = {name: Receiver(free_port()) for name in ("hook", "chat", "pager", "manager")}
    yield four
    for receiver in four.values():
        receiver.close()


def sinks_of(receivers):
    return {
        "hook": {"url": receivers["hook"].url + "/in?a=b", "secret": SECRET, "bearer": "t0ken"},
        "chat": {"kind": "slack", "url": receivers["chat"].url + "/services/T/B/X"},
        "pager": {"kind": "pagerduty", "url": receivers["pager"].url + "/v2/enqueue",
                  "secret": "R0UT1NG", "severity": "critical"},
        "manager": {"kind": "alertmanager", "url": receivers["manager"].url},
    }


def metric(proxy, name, **labels):
    want = name + ("{%s}" % ",".join('%s="%s"' % one for one in labels.items()) if labels else "") + " "
    for line in get(proxy.admin, "/metrics")[1].decode().splitlines():
        if line.startswith(want):
            return float(line[len(want):])
    return None


@pytest.fixture
def told(start_proxy, place, mocks, healthy, receivers):
    """A proxy that tells quickly, with its state in a file."""
    state = os.path.join(str(place), "alerts-%d.json" % receivers["hook"].port)
    return start_proxy({
        "backends": backends_of(mocks, connect="500ms"),
        "defaults": QUICK,
        "models": {"chat": {"targets": targets_of(mocks)},
                   "frail": {"targets": ["alpha/mock-large"], "fallbacks": ["spare"]},
                   "spare": ["bravo/mock-large"]},
        "alerts": {"wait": "200ms", "calm": "300ms", "state": state, "source": "node-1",
                   "link": "http://ops.example/", "sinks": sinks_of(receivers)},
    })


def break_it(proxy, mock):
    """Until the target is out."""
    mock.kill()

    def out():
        proxy.chat("hello", model="frail")
        return proxy.targets("frail")["alpha/mock-large"]["use"] == "open"
    poll("the target to be out", out)


def mend_it(proxy, mock):
    mock.start()

    def well():
        proxy.chat("hello", model="frail")
        return proxy.targets("frail")["alpha/mock-large"]["use"] == "good"
    poll("the target to be back", well)


def test_each_kind_of_sink_is_told_in_its_own_words(told, healthy, receivers):
    hook, chat, pager, manager = (receivers[n] for n in ("hook", "chat", "pager", "manager"))
    break_it(told, healthy[0])
    poll("all to hear of it", lambda: ("firing", "model_degraded", "frail") in hook.alerts() and
         chat.bodies() and manager.bodies())
    assert ("firing", "target_open", "alpha/mock-large") in hook.alerts()
    stamp, _, signature = hook.headers["x-backstay-signature"].partition(",v1=")
    expected = hmac.new(SECRET.encode(), stamp[2:].encode() + b"." + hook.raw, hashlib.sha256)
    assert signature == expected.hexdigest()
    assert hook.headers["authorization"] == "Bearer t0ken"
    assert hook.taken[0][0] == "/in?a=b"
    assert hook.bodies()[0]["source"] == "node-1"
    assert "alpha/mock-large" in json.dumps(chat.bodies())
    alert = next(a for message in manager.bodies() for a in message
                 if a["labels"]["alertname"] == "backstay_model_degraded")
    assert alert["labels"]["subject"] == "frail" and alert["endsAt"] > alert["startsAt"]
    assert manager.taken[0][0] == "/api/v2/alerts"
    assert metric(told, "backstay_alerts_firing", kind="model_degraded") == 1

    # The fallback goes as well: now it is worth a call at night.
    healthy[1].kill()

    def down():
        told.chat("hello", model="frail")
        return pager.bodies()
    trigger = poll("the pager to be called", down)[0]
    assert (trigger["event_action"], trigger["routing_key"]) == ("trigger", "R0UT1NG")
    assert trigger["payload"]["severity"] == "critical"

    healthy[1].start()
    mend_it(told, healthy[0])
    poll("the end of it", lambda: ("resolved", "model_degraded", "frail") in hook.alerts() or
         ("resolved", "target_open", "alpha/mock-large") in hook.alerts())
    resolves = poll("the pager to be told so", lambda: [
        m for m in pager.bodies() if m["event_action"] == "resolve"])
    assert trigger["dedup_key"] in [m["dedup_key"] for m in resolves]
    # A target that nobody asks is not known to be well.
    poll("all to be over", lambda: told.chat() and
         metric(told, "backstay_alerts_firing", kind="target_open") == 0)
    firing = [a for a in hook.alerts() if a[:2] == ("firing", "target_open")]
    assert len(firing) == len(set(firing)), "told twice"


def test_a_receiver_that_fails_hangs_and_recovers(told, healthy, receivers):
    hook, chat = receivers["hook"], receivers["chat"]
    hook.mode, chat.mode = "503", "hang"
    break_it(told, healthy[0])
    poll("some tries", lambda: hook.tries >= 2 and chat.tries >= 1)
    poll("the trouble to be seen", lambda: metric(told, "backstay_alert_sink_failing", sink="hook") == 1)
    assert metric(told, "backstay_alert_notes_queued", sink="hook") >= 1
    assert "alert_sink_fails sink=hook status=503" in told.said()
    # Who is well is told meanwhile.
    poll("the others to be told", receivers["manager"].bodies)
    hook.mode = chat.mode = "take"
    chat.released.set()
    poll("it to be told after all", lambda: ("firing", "target_open", "alpha/mock-large") in
         hook.alerts() and chat.bodies())
    poll("all to be well", lambda: metric(told, "backstay_alert_sink_failing", sink="hook") == 0)
    poll("the log to say so", lambda: "alert_sink_back sink=hook" in told.said())
    mend_it(told, healthy[0])


def test_what_nobody_took_survives_a_restart_and_a_crash(told, healthy, receivers):
    hook = receivers["hook"]
    hook.mode = "500"
    break_it(told, healthy[0])
    poll("a try", lambda: hook.tries >= 1)
    assert told.stop() == 0
    with open(told.config["alerts"]["state"], encoding="utf-8") as file:
        assert "alpha/mock-large" in file.read()
    told.start()
    poll("a try of the next process", lambda: metric(told, "backstay_alert_send_failures_total",
                                                     sink="hook"))
    pid = told.serving_pid()
    os.kill(pid, signal.SIGKILL)
    poll("the next process", lambda: told.serving_pid() != pid and told.is_ready())
    hook.mode = "take"
    poll("it to be told after all", lambda: ("firing", "target_open", "alpha/mock-large") in
         hook.alerts() or ("resolved", "target_open", "alpha/mock-large") in hook.alerts())
    poll("the crash to be told", lambda: ("firing", "process_restarted", "serving process") in
         hook.alerts())
    mend_it(told, healthy[0])


def test_a_refused_config_is_told_and_so_is_its_mending(told, receivers):
    hook = receivers["hook"]
    told.write("models: {}\n")
    told.signal(signal.SIGHUP)
    poll("the refusal", lambda: [a for a in hook.alerts() if a[:2] == ("firing", "config_refused")])
    told.write()
    told.signal(signal.SIGHUP)
    poll("its end", lambda: [a for a in hook.alerts() if a[:2] == ("resolved", "config_refused")])


def test_a_credential_that_is_refused(told, healthy, receivers):
    pager = receivers["pager"]
    healthy[2].behave("bad-key")
    poll("the pager to be called", lambda: told.chat("x") and [
        m for m in pager.bodies() if m.get("payload", {}).get("class") == "credential_off"])
    healthy[2].behave("")


@pytest.mark.parametrize("trouble,kind,subject,text", [
    ("insufficient-quota", "out_of_money", "charlie", "add credit or raise the limit"),
    ("model-not-found", "model_gone", "charlie/mock-large", "does not know"),
    ("bad-key", "credential_off", "charlie", "check its key"),
])
def test_trouble_that_a_person_must_mend(told, healthy, receivers, trouble, kind, subject, text):
    """Clients notice nothing; people are told what to do, and that it is over."""
    hook = receivers["hook"]
    healthy[2].behave(trouble)

    def fired():
        assert told.chat("x")[0] == 200
        return ("firing", kind, subject) in hook.alerts()
    poll("people to be told", fired)
    alert = next(a for m in hook.bodies() for a in m["alerts"] if a["kind"] == kind)
    assert text in alert["text"]
    assert metric(told, "backstay_alerts_firing", kind=kind) == 1


def test_a_model_that_is_down_with_its_retries_spent(told, healthy, receivers):
    hook = receivers["hook"]
    for mock in healthy:
        mock.behave("status 500")

    def fired():
        for _ in range(5):
            told.chat("x")
        kinds = {a[1:] for a in hook.alerts() if a[0] == "firing"}
        return kinds if {("model_down", "chat"), ("retries_spent", "chat")} <= kinds else None
    poll("people to be told", fired)
    for mock in healthy:
        mock.behave("")

    def over():
        told.chat("x")
        return {("resolved", "model_down", "chat"), ("resolved", "retries_spent", "chat")} <= set(hook.alerts())
    poll("its end to be told", over)


def test_every_kind_of_alert_has_a_test_that_raises_it():
    """The kinds of the table in the docs, each named where it is raised."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with open(os.path.join(top, "docs", "operations.md"), encoding="utf-8") as file:
        kinds = [row.split("`")[1] for row in file if row.startswith("| `") and
                 row.count("|") == 4 and row.split("|")[2].strip() in ("critical", "warning", "info")]
    with open(os.path.join(top, "src", "observe", "alert.h"), encoding="utf-8") as file:
        known = re.findall(r'X\([A-Z_]+, +"([a-z_]+)"', file.read())
    assert sorted(kinds) == sorted(known)
    tests = ""
    for name in ("test_alerts.py", "test_budgets.py", "test_admin_api.py", "test_certificates.py",
                 "test_cluster.py"):
        path = os.path.join(top, "tests", "e2e", name)
        tests += open(path, encoding="utf-8").read() if os.path.exists(path) else ""
    for kind in kinds:
        assert '"%s"' % kind in tests, kind


def run(told, *arguments):
    return subprocess.run([BACKSTAY, "alert", "test", "-c", told.file, *arguments], check=False,
                          capture_output=True, text=True, env=clean_environment(), timeout=60)


def test_the_test_command(told, receivers):
    done = run(told)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok  ") == 8, done.stdout
    assert ("firing", "test", "backstay alert test") in receivers["hook"].alerts()
    receivers["hook"].mode = "401"
    done = run(told, "hook")
    assert done.returncode == 1
    assert "FAIL  hook" in done.stdout and "check the sink's secret or bearer" in done.stdout
    assert run(told, "nobody").returncode == 2


def test_a_store_that_is_out(start_proxy, mocks, receivers):
    """Nobody listens where the shared answers are kept: clients notice nothing, people are told."""
    lonely = start_proxy({
        "backends": backends_of(mocks),
        "models": {"chat": {"targets": targets_of(mocks), "cache": {"fresh": "1h"}}},
        "cache": {"shared": {"addresses": "127.0.0.1:%d" % free_port()}},
        "alerts": {"wait": "100ms", "sinks": {"hook": {"url": receivers["hook"].url}}},
    })
    numbers = iter(range(1000))
    poll("people to be told", lambda: lonely.chat("stored %d" % next(numbers))[0] == 200 and [
        a for a in receivers["hook"].alerts() if a[:2] == ("firing", "store_down")])
