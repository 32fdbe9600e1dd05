"""Three mocks under load: killed and started again in turn, and failing in
every way there is. With a healthy one left every answer is complete, streams that
had begun on a dead one among them; behind it all nothing is left over."""

import socket

import pytest

from harness import (PATIENCE_S, backends_of, chat_body, compact, descriptors_of, poll, rss_kib,
                     targets_of)
from load import Load

RSS_GROWTH_KIB = 24 * 1024        # above the size after a first round of the same
FAULTS = [
    "status 500", "status 503", "status 429 retry-after 30", "insufficient-quota", "bad-key",
    "model-not-found", "html 502", "html 200", "error-200", "overloaded", "hang-up", "stale",
    "idle-close", "idle-reset", "idle-junk", "reset-on-accept", "close-on-accept",
    "junk-on-accept", "no-answer", "mute", "headers-then-nothing", "truncated-head", "junk tls",
    "junk binary", "content-length +10", "two-lengths", "extra-bytes", "trailers", "gzip",
    "gzip corrupt", "empty", "truncated", "choices empty", "choices null", "cut first",
    "cut after 5", "cut mid-event after 9", "reset after 7", "end after 12", "error first",
    "error after 6", "bad-json after 8", "bad-chunk after 4", "stall after 3", "no-ending",
    "done-only", "sse-for-json", "json-for-stream", "crlf", "split-utf8", "drip 40 1ms",
    "comments 10ms only", "percent 40 cut after 3", "percent 30 status 500",
]


@pytest.fixture(scope="module")
def stormy(start_proxy, mocks):
    """Idle connections leave quickly, so that what stays open is a leak; and the
    breakers are quick, so that each test can begin with all targets in use."""
    return start_proxy({
        "backends": backends_of(mocks, connect="500ms", keep_alive="300ms"),
        "defaults": {"breaker": {"open": "200ms", "open_max": "500ms", "ramp": "500ms"}},
        "models": {"chat": {"targets": targets_of(mocks),
                            "timeouts": {"first_token": "600ms", "idle": "600ms",
                                         "answer": "600ms"}}},
    })


def settle(proxy):
    poll("all exchanges to be over", lambda: proxy.status()["total"]["in_progress"] == 0)


def all_free(proxy):
    return [t["in_flight"] for m in proxy.status()["models"] for t in m["targets"]]


@pytest.fixture(scope="module")
def start(stormy, mocks, oracle):
    """Descriptors before, memory after a first round of load."""
    stormy.chat("storm 0")
    settle(stormy)
    poll("the idle connections to leave", lambda: all(m.connections() == 0 for m in mocks))
    descriptors = descriptors_of(stormy.serving_pid())
    with Load(stormy, oracle) as load:
        load.wait_for(500)
    settle(stormy)
    return descriptors, rss_kib(stormy.serving_pid()), stormy.serving_pid()


@pytest.fixture
def fresh(stormy, healthy):
    """Nobody is out for what was before: other models are asked with other keys, by a
    reload (bad keys are remembered for a minute), and the machines are back."""
    generation = stormy.status()["config"]["generation"]
    for target in stormy.config["models"]["chat"]["targets"]:
        target["model"] = "storm-%d" % generation
    for backend in stormy.config["backends"].values():
        backend["key"] = "key-%d" % generation
    stormy.write()
    stormy.reload()

    def good():
        stormy.chat("storm 1")
        return all(t["use"] == "good" for t in stormy.targets().values())

    poll("all targets to be in use", good)
    return healthy


def check_nothing_is_left(proxy, mocks, start):
    descriptors, rss, pid = start
    assert proxy.serving_pid() == pid, "the serving process was restarted: " + proxy.said()
    settle(proxy)
    poll("the descriptors of the start (%d)" % descriptors,
         lambda: descriptors_of(pid) == descriptors)
    assert rss_kib(pid) <= rss + RSS_GROWTH_KIB
    assert set(all_free(proxy)) == {0}
    poll("the backends to be idle", lambda: all(m.stats()["in_flight"] == 0 for m in mocks))


def test_each_is_killed_and_started_again(stormy, fresh, oracle, start):
    for mock in fresh:
        mock.behave("gap 1ms")
    with Load(stormy, oracle) as load:
        for _ in range(3):
            for mock in fresh:
                load.wait_for(40)
                mock.kill()
                load.wait_for(40)
                mock.start()
                mock.behave("gap 1ms")
        load.wait_for(40)
    assert load.complete >= 700
    # What the killed one had begun was gone on with elsewhere.
    assert not load.honest
    assert [r for r in stormy.records() if r["resumes"] and r["degraded"] == "resumed"]
    check_nothing_is_left(stormy, fresh, start)


def test_two_are_killed_and_one_is_left(stormy, fresh, oracle, start):
    with Load(stormy, oracle) as load:
        load.wait_for(40)
        fresh[0].kill()
        fresh[2].kill()
        load.wait_for(150)
        fresh[0].start()
        fresh[2].start()
        load.wait_for(100)
        poll("work at those who are back", lambda: fresh[0].stats("chat")["finished"] > 0 and
             fresh[2].stats("chat")["finished"] > 0)
    check_nothing_is_left(stormy, fresh, start)


def test_all_are_killed(stormy, fresh, oracle, start):
    """Honest errors, quickly; right answers as soon as one is back."""
    with Load(stormy, oracle) as load:
        load.wait_for(40)
    for mock in fresh:
        mock.kill()
    for i in range(50):
        status, headers, got = stormy.chat("storm %d" % i)
        assert (status, headers["x-should-retry"]) == (502, "false")
        assert got["error"]["code"] == "upstream_unreachable"
    for mock in fresh:
        mock.start()
    with Load(stormy, oracle) as load:
        load.wait_for(60)
    check_nothing_is_left(stormy, fresh, start)


@pytest.mark.parametrize("pair", [0, 1, 2])
def test_every_fault_in_turn(stormy, fresh, oracle, start, pair):
    """Two of them fail together, the third is well."""
    bad = [fresh[pair], fresh[(pair + 1) % 3]]
    with Load(stormy, oracle) as load:
        for spec in FAULTS[pair::3]:
            for mock in bad:
                mock.behave(spec)
            load.wait_for(40)
        for mock in bad:
            mock.behave("")
        load.wait_for(40)
    check_nothing_is_left(stormy, fresh, start)


def test_clients_that_leave_in_the_middle(stormy, fresh, start):
    for mock in fresh:
        mock.behave("gap 5ms tokens 2000")
    before = sum(mock.stats()["cancelled"] for mock in fresh)

    class Leave(Exception):
        pass

    for n in range(60):
        def leave(got, n=n):
            if len(got.events) > n % 20:
                raise Leave
        with pytest.raises(Leave):
            stormy.stream("storm %d" % n, on_event=leave)
    poll("60 cancelled requests",
         lambda: sum(m.stats()["cancelled"] for m in fresh) == before + 60)
    check_nothing_is_left(stormy, fresh, start)


def test_a_reader_that_does_not_read_stops_the_backend(stormy, fresh, start):
    """Memory stays bounded: the stream of a client that takes nothing is paused."""
    body = compact(chat_body("storm 1", stream=True))
    for mock in fresh:
        mock.behave("tokens 100000")
    lazy = []
    for _ in range(8):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(PATIENCE_S)
        one.connect(("127.0.0.1", stormy.port))
        one.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: "
                    b"application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        assert one.recv(9, socket.MSG_WAITALL) == b"HTTP/1.1 "
        lazy.append(one)
    poll("all streams under way", lambda: stormy.status()["total"]["in_progress"] == 8)
    for _ in range(50):               # looks while the backends push 200 MB
        assert rss_kib(stormy.serving_pid()) <= start[1] + RSS_GROWTH_KIB
        assert stormy.status()["total"]["in_progress"] == 8
    for one in lazy:
        one.close()
    check_nothing_is_left(stormy, fresh, start)


def test_the_access_log_holds_every_exchange(stormy, healthy, start):
    records = stormy.records()
    total = stormy.status()["total"]
    poll("the last line", lambda: len(stormy.records()) == total["exchanges"])
    records = stormy.records()
    assert len({r["id"] for r in records}) == len(records)
    assert sum(1 for r in records if r["fault"] is None) == total["good"]
    for record in records:
        assert record["attempts"] or record["status"] >= 400
        assert len(record["attempts"]) <= 4
        if record["fault"] is None:
            assert record["status"] == 200 and record["attempts"][-1]["fault"] is None
