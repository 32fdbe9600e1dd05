"""Spend budgets, with real processes: counted over all workers, told, refused, and
not forgotten over a restart or a crash."""

import json
import os
import signal

import pytest

from harness import backends_of, free_port, get, poll
from receiver import Receiver
from test_alerts import metric

KEYS = [{"name": "web", "key": "web-key-0123456789", "group": "team"},
        {"name": "job", "key": "job-key-0123456789"}]
WEB, JOB = ({"authorization": "Bearer " + k["key"]} for k in KEYS)
ADMIN_KEY = "a-key-for-the-admin-port"


@pytest.fixture
def hook():
    receiver = Receiver(free_port())
    yield receiver
    receiver.close()


@pytest.fixture
def spender(start_proxy, place, mocks, healthy, hook):
    """Answers of alpha cost 1,000 dollars for a million tokens, each way."""
    return start_proxy({
        "workers": 2,
        "backends": backends_of(mocks, connect="500ms"),
        "keys": KEYS,
        "prices": {"alpha/*": {"input": 1000, "output": 1000}, "bravo/*": {"input": 1, "output": 1}},
        "models": {"chat": ["alpha/mock-large"],
                   "two": {"targets": [{"backend": "alpha", "model": "mock-large", "priority": 1},
                                       {"backend": "bravo", "model": "mock-large", "priority": 2}]}},
        "spending": {"state": os.path.join(str(place), "spent-%d" % hook.port), "budgets": {
            "team": {"cost": 1, "per": "month", "keys": "team", "models": "chat", "then": "refuse"},
            "moved": {"cost": 0.05, "per": "month", "models": "two", "then": "cheaper"},
            "told": {"tokens": 10, "per": "month", "keys": "job", "alert": "50%"}}},
        "alerts": {"wait": "100ms", "calm": "200ms", "sinks": {"hook": {"url": hook.url}}},
    })


def budget(proxy, name):
    return next(b for b in json.loads(get(proxy.admin, "/admin/budgets")[1])["budgets"] if b["name"] == name)


def spend(proxy, headers, state, name="team"):
    """Asks until the budget stands so; gives the dollars that the answers cost by their usage."""
    cost = 0

    def stands():
        nonlocal cost
        if budget(proxy, name)["state"] == state:
            return True
        status, _, body = proxy.chat(headers=headers)
        assert status == 200
        cost += body["usage"]["total_tokens"] / 1000
        return False
    poll("the budget to be " + state, stands)
    return cost


def test_a_budget_is_counted_told_refused_and_not_forgotten(spender, hook):
    cost = spend(spender, WEB, "near")
    poll("people to be told early", lambda: ("firing", "budget_near", "team") in hook.alerts())
    assert ("firing", "budget_spent", "team") not in hook.alerts()
    cost += spend(spender, WEB, "spent")
    poll("people to be told", lambda: ("firing", "budget_spent", "team") in hook.alerts())
    poll("the first alert to be over", lambda: ("resolved", "budget_near", "team") in hook.alerts())
    told = budget(spender, "team")
    assert told["cost_usd"] == pytest.approx(cost)
    assert told["used_percent"] >= 100 and told["then"] == "refuse"
    assert metric(spender, "backstay_budget_spent_usd", budget="team") == pytest.approx(cost)
    assert metric(spender, "backstay_budget_limit_usd", budget="team") == 1
    assert metric(spender, "backstay_budget_used_ratio", budget="team") >= 1
    assert metric(spender, "backstay_alerts_firing", kind="budget_spent") == 1

    for n in range(8):                      # whichever worker it meets
        status, headers, body = spender.chat("number %d" % n, headers=WEB)
        assert status == 429, body
        assert body["error"]["code"] == "budget_spent"
        assert headers["x-backstay-budget-spent"] == "team"
        assert headers["x-should-retry"] == "false"
        assert 0 < int(headers["retry-after"]) <= 31 * 86400
    assert metric(spender, "backstay_budget_refused_total", budget="team") == 8
    assert spender.chat(headers=JOB)[0] == 200
    assert spender.chat(headers=WEB, model="two")[0] == 200

    # What has been spent is written within a second; a crash forgets no more than that.
    with_it = '"cost_usd":'
    assert with_it in get(spender.admin, "/admin/budgets")[1].decode()
    path = spender.config["spending"]["state"]
    poll("the file to have it", lambda: "team month" in open(path, encoding="utf-8").read() and
         int(open(path, encoding="utf-8").read().split("team month ")[1].split()[1]) ==
         round(told["cost_usd"] * 1e9))
    os.kill(spender.serving_pid(), signal.SIGKILL)
    poll("it to be back", lambda: spender.chat(headers=JOB)[0] == 200)
    assert spender.chat(headers=WEB)[0] == 429
    assert spender.stop() == 0
    spender.start()
    assert spender.chat(headers=WEB)[0] == 429
    assert budget(spender, "team")["cost_usd"] == pytest.approx(cost)

    # More money, and on it goes at once; what was spent stays counted.
    spender.config["spending"]["budgets"]["team"]["cost"] = 100
    spender.write()
    spender.reload()
    assert spender.chat(headers=WEB)[0] == 200
    assert budget(spender, "team")["cost_usd"] > cost
    poll("the end to be told", lambda: ("resolved", "budget_spent", "team") in hook.alerts() or
         metric(spender, "backstay_alerts_firing", kind="budget_spent") == 0)


def test_requests_go_to_cheaper_targets(spender):
    assert spender.chat(headers=JOB, model="two")[1]["x-backstay-target"] == "alpha/mock-large"
    poll("the budget to be spent", lambda: budget(spender, "moved")["state"] == "spent" or
         not spender.chat(headers=JOB, model="two"))
    status, headers, _ = spender.chat(headers=JOB, model="two")
    assert status == 200
    assert headers["x-backstay-target"] == "bravo/mock-large"
    assert headers["x-backstay-budget-spent"] == "moved"
    assert metric(spender, "backstay_budget_moved_total", budget="moved") >= 1


def test_a_budget_that_only_tells(spender, hook):
    spend(spender, JOB, "spent", "told")
    poll("people to be told", lambda: ("firing", "budget_spent", "told") in hook.alerts())
    status, headers, _ = spender.chat(headers=JOB)
    assert status == 200 and "x-backstay-budget-spent" not in headers


def test_a_state_file_that_is_damaged_begins_anew(spender):
    assert spender.stop() == 0
    with open(spender.config["spending"]["state"], "w", encoding="utf-8") as file:
        file.write("nonsense")
    spender.start()
    assert spender.chat(headers=WEB)[0] == 200
    poll("the log to say so", lambda: "budget_state_unreadable" in spender.said())
