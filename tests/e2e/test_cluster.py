"""Proxies that share a Redis know of each other: both are listed by both, with what
they do and by which config; one that is killed is gone, one that ends in good order is
forgotten, and without Redis each says that it is alone, and why."""

import json
import os
import signal

import pytest

from browser_page import Page, missing
from harness import Mock, Proxy, children_of, get, poll
from redis_server import PROGRAM, Redis
from test_dashboard import shoot
from test_top import top

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")

KEY = "an-admin-key-of-length"
LONG_S = 90                       # a node is gone 15 s after its last sign of life


@pytest.fixture(scope="module")
def redis(place):
    server = Redis(place, "cluster").start()
    yield server
    server.stop()


def node(place, redis, mock, name):
    return Proxy(place, {
        "admin": {"key": KEY}, "alerts": {"source": name},
        "cache": {"shared": {"addresses": "127.0.0.1:%d" % redis.port, "prefix": "nodes"}},
        "backends": {"alpha": {"url": mock.url}},
        "models": {"chat": {"targets": ["alpha/mock-large"], "cache": {"stale": "1h"}}}}, "node-" + name)


@pytest.fixture(scope="module")
def pair(place, redis):
    mock = Mock(place, "of-nodes", "--ttft", "5ms", "--gap", "0ms").start()
    two = [node(place, redis, mock, name) for name in ("north", "south")]
    for one in two:
        one.start()
    yield two
    for one in two:
        if one.alive():
            one.stop()
    mock.kill()


def cluster(proxy):
    return json.loads(get(proxy.admin, "/admin/cluster")[1])


def names(proxy, *states):
    """Names of nodes, or of those in these states."""
    return [n["name"] for n in cluster(proxy)["nodes"] if not states or n["state"] in states]


def other(proxy, name):
    return next((n for n in cluster(proxy)["nodes"] if n["name"] == name and not n["self"]), None)


def state_of(proxy, name):
    found = [n["state"] for n in cluster(proxy)["nodes"] if n["name"] == name]
    assert len(found) <= 1, cluster(proxy)
    return found[0] if found else "absent"


def both_know_both(pair):
    for proxy in pair:
        if not proxy.alive():
            proxy.start()
    for proxy in pair:
        poll("both to be known", lambda p=proxy: sorted(names(p, "ready")) == ["north", "south"], LONG_S)


def kill_whole(proxy):
    """As a machine ends that loses its power: nobody says good-bye."""
    proxy.signal(signal.SIGSTOP)        # it starts nothing anew
    for pid in children_of(proxy.process.pid):
        os.kill(pid, signal.SIGKILL)
    proxy.kill()


def numbers(proxy):
    text = get(proxy.admin, "/metrics")[1].decode()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.split("\n") if line.startswith("backstay_cluster")}


def test_both_are_listed_by_both(pair):
    north, south = pair
    both_know_both(pair)
    assert not cluster(north)["cluster"]["alone"] and cluster(north)["cluster"]["shared"]
    seen, own = other(north, "south"), next(n for n in cluster(south)["nodes"] if n["self"])
    for what in ("id", "name", "version", "listen", "admin", "config", "workers"):
        assert seen[what] == own[what], what
    assert seen["listen"] == "127.0.0.1:%d" % south.port and seen["generation"] == 1
    assert len(own["config"]) == 8 and own["config"] != other(south, "north")["config"]
    assert north.status()["nodes"] and north.status()["cluster"] == cluster(north)["cluster"]
    counted = numbers(north)
    assert counted['backstay_cluster_nodes{state="ready"}'] == 2
    assert counted["backstay_cluster_alone"] == 0 and counted["backstay_cluster_configs"] == 2


def test_a_new_config_shows(pair):
    north, south = pair
    before = other(north, "south")
    south.config["log"]["level"] = "warn"
    south.write()
    south.signal(signal.SIGHUP)
    after = poll("the new config", lambda: (lambda n: n["generation"] == 2 and n)(other(north, "south")))
    assert after["config"] != before["config"] and after["id"] == before["id"]
    assert after["config_ms"] < after["uptime_ms"]
    page = top(north, "--once", key=KEY).stdout
    assert "Nodes" in page and "%s no. 2, another one" % after["config"] in page


def test_a_serving_process_that_is_started_again_is_the_same_node(pair):
    north, south = pair
    before = other(north, "south")["id"]
    os.kill(south.serving_pid(), signal.SIGKILL)
    poll("it to be back", lambda: other(north, "south")["id"] != before)
    assert state_of(north, "south") == "ready"      # once: its life before is not a node


@pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")
def test_the_dashboard_shows_them(pair):
    north, south = pair
    row = "[...document.querySelectorAll('#side .rows > div')].find(r => r.firstChild.textContent.startsWith('%s'))"
    page = Page("http://127.0.0.1:%d/" % north.admin)
    try:
        page.wait("/ready/.test((%s || {}).textContent || '')" % row % "south")
        assert "(this)" in page.ask("(%s).textContent" % row % "north")
        assert "another config" in page.ask("(%s).textContent" % row % "south")
        shoot(page, "dashboard-nodes")
        kill_whole(south)
        page.wait("/gone, seen \\d+ s ago/.test((%s).textContent)" % row % "south")
        assert page.ask("(%s).children[1].className.includes('bad')" % row % "south")
        page.do("size", width=390, height=844)
        page.wait("document.documentElement.scrollWidth <= 390")
        south.start()
        page.wait("/ready/.test((%s).textContent)" % row % "south")
        assert not page.do("problems")
    finally:
        page.close()


def test_one_that_is_killed_is_gone_until_it_is_back(pair):
    north, south = pair
    both_know_both(pair)
    kill_whole(south)
    poll("it to be gone", lambda: state_of(north, "south") == "gone", LONG_S)
    assert other(north, "south")["seen_ms"] > 15000
    assert not cluster(north)["cluster"]["alone"]
    counted = numbers(north)
    assert counted['backstay_cluster_nodes{state="gone"}'] == 1
    assert counted['backstay_cluster_nodes{state="ready"}'] == 1
    assert "x south" in top(north, "--once", key=KEY).stdout
    firing = poll("the alert", lambda: [a for a in north.status()["alerts"]["firing"] if a["kind"] == "node_gone"])
    assert firing[0]["subject"].startswith("south (") and "last sign of life" in firing[0]["text"]
    south.start()
    both_know_both(pair)
    poll("the alert's end", lambda: not [a for a in north.status()["alerts"]["firing"]
                                         if a["kind"] == "node_gone" and a["on"]], LONG_S)


def test_one_that_ends_in_good_order_is_forgotten(pair, redis):
    north, south = pair
    both_know_both(pair)
    assert redis.say("HLEN", "nodes:nodes") >= 2
    assert south.stop() == 0
    poll("it to be forgotten", lambda: names(north) == ["north"])
    assert not cluster(north)["cluster"]["alone"]
    south.start()
    both_know_both(pair)


def test_without_the_store_each_is_alone_and_says_why(pair, redis):
    both_know_both(pair)
    redis.stop()
    for proxy in pair:
        poll("to be alone", lambda p=proxy: cluster(p)["cluster"]["alone"])
        poll("the reason", lambda p=proxy: "refused" in cluster(p)["cluster"]["why"])
        assert names(proxy, "unknown") and numbers(proxy)["backstay_cluster_alone"] == 1
        assert "does not say who else is there" in top(proxy, "--once", key=KEY).stdout
        assert proxy.chat("alone")[0] == 200
    redis.start()
    both_know_both(pair)
    for proxy in pair:
        assert numbers(proxy)["backstay_cluster_alone"] == 0
        assert not [a for a in proxy.status()["alerts"]["firing"] if a["kind"] == "node_gone" and a["on"]]


def test_a_paused_store_says_nothing(pair, redis):
    both_know_both(pair)
    redis.pause()
    try:
        for proxy in pair:
            poll("to be alone", lambda p=proxy: cluster(p)["cluster"]["alone"])
            assert cluster(proxy)["cluster"]["why"]
    finally:
        redis.go_on()
    both_know_both(pair)


def test_a_user_without_the_commands_shares_answers_all_the_same(pair, redis, place):
    redis.say("ACL", "SETUSER", "limited", "on", ">a-password", "~*", "+@all", "-hgetall")
    third = Proxy(place, {**pair[0].config, "listen": None, "alerts": {"source": "third"}, "cache": {"shared": {
        **pair[0].config["cache"]["shared"], "user": "limited", "password": "a-password"}}}, "node-third")
    third.config.update(listen="127.0.0.1:%d" % third.port, log={"access": third.access},
                        admin={"key": KEY, "listen": "127.0.0.1:%d" % third.admin})
    third.write()
    try:
        third.start()
        poll("the refusal", lambda: any(word in cluster(third)["cluster"]["why"] for word in (
            "can't run this command", "permission")))
        assert names(third) == ["third"] and "third" not in names(pair[0])
        poll("to share", lambda: third.chat("by the third")[0] == 200 and [
            s for s in third.status()["cache"]["stores"] if s["name"] == "shared" and s["works"]])
        assert third.stop() == 0
    finally:
        third.kill()


def test_what_else_stands_in_the_store_harms_nobody(pair, redis):
    north, _ = pair
    both_know_both(pair)
    for i, junk in enumerate(("", "junk", "1 {}", "99999999999999 {\"name\":\"future\"}", "x" * 100000,
                              "\xff\xfe", "1 [1,2,3]")):
        redis.say("HSET", "nodes:nodes", "%016x" % i, junk)
    now = int(redis.say("TIME")[0]) * 1000
    good = '"version":"9","uptime_ms":5,"later":{"x":[1]}'
    redis.say("HSET", "nodes:nodes", "f" * 16, "%d {\"name\":\"later\",%s}" % (now, good))
    redis.say("HSET", "nodes:nodes", "e" * 16, "%d {\"name\":\"e\\u0000\",%s}" % (now, good))
    redis.say("HSET", "nodes:nodes", "no id", "%d {\"name\":\"no id\",%s}" % (now, good))
    redis.say("HSET", "nodes:nodes", "d" * 16, "%d {\"name\":\"%s\"}" % (now, "d" * 5000))
    poll("the later one", lambda: state_of(north, "later") == "ready")
    assert sorted(names(north)) == ["later", "north", "south"]
    poll("what is no line to be dropped", lambda: redis.say("HEXISTS", "nodes:nodes", "%016x" % 1) == 0)
    redis.say("HDEL", "nodes:nodes", "f" * 16, "e" * 16, "d" * 16, "no id")
    for i in range(100):
        redis.say("HSET", "nodes:nodes", "%016x" % (4096 + i), "%d {\"name\":\"many %d\"}" % (now, i))
    poll("no more than fit", lambda: cluster(north)["cluster"]["more"] >= 37)
    assert len(names(north)) == 65
    redis.say("DEL", "nodes:nodes")
    both_know_both(pair)
    poll("only both", lambda: sorted(names(north)) == ["north", "south"])
    redis.say("SET", "nodes:nodes", "no hash")
    poll("to be alone", lambda: "WRONGTYPE" in cluster(north)["cluster"]["why"])
    redis.say("DEL", "nodes:nodes")
    both_know_both(pair)
