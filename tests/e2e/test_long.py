"""Failures at the length they have in life, with the limits as they are by default: an outage of a
minute, a first token after twenty seconds, a stall of thirty; seen by unmodified OpenAI clients.

Each story has mocks and a proxy of its own. All of them begin when the session does and go on beside
the other tests, which are done before these are asked how it went: see begin() and conftest.py.
Waiting is the mocks' and the clients'; nothing is judged by the clock more closely than by tens of
seconds.
"""

import concurrent.futures
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

from harness import HERE, Mock, Oracle, Proxy, clean_environment

try:
    import openai
except ImportError:
    openai = None

HOME = os.path.join(os.environ.get("E2E_HOME", ""), "node")
NODE = shutil.which("node") if os.path.isdir(os.path.join(HOME, "node_modules", "openai")) else None
pytestmark = pytest.mark.skipif(openai is None, reason="the OpenAI Python SDK is not installed")

# Where node finds the SDK beside it; nobody else's, so that nobody writes what another reads.
SCRIPT = os.path.join(HOME, "gather-%d.mjs" % os.getpid())

OUTAGE_S, EVERY_S = 60, 3
EVENTS = 24                       # with content, in an answer of the mocks
PATIENCE_S = 400                  # for a story to end


class Stage:
    """Two mocks of one seed and a proxy that asks alpha first, for one story."""

    def __init__(self, directory, oracle, **model):
        os.makedirs(directory)
        self.oracle = oracle
        self.alpha, self.bravo = (Mock(directory, name).start() for name in ("alpha", "bravo"))
        chain = [{"backend": "alpha", "model": "m"}, {"backend": "bravo", "model": "m", "priority": 2}]
        self.proxy = Proxy(directory, {
            "workers": 1,
            "backends": {"alpha": {"url": self.alpha.url}, "bravo": {"url": self.bravo.url},
                         "going-on": {"url": self.bravo.url, "resume": "prefill"}},
            "models": {"chat": {"targets": chain, **model},
                       "alone": {"targets": chain[:1], **model},
                       "resumed": {"targets": [chain[0], {**chain[1], "backend": "going-on"}], **model}},
        }).start()
        self.client = openai.OpenAI(base_url=self.proxy.url, api_key="k", max_retries=0)

    def close(self):
        self.client.close()
        code = self.proxy.stop()
        self.alpha.kill()
        self.bravo.kill()
        assert code == 0, "exit code %s: %s" % (code, self.proxy.said())

    def ask(self, model="chat", prompt="a long story", **more):
        """A stream, whole and right; its line of the access log."""
        raw = self.client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": prompt}], stream=True, **more)
        text, finish, ids = "", None, set()
        for chunk in raw.parse():
            ids.add(chunk.id)
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
        assert (text, finish) == (self.oracle.text(prompt), "stop")
        assert len(ids) == 1
        return self.proxy.record_of(raw.headers["x-request-id"])

    def node(self, model="chat", prompt="a long story", how="stream"):
        """The same from the Node SDK; what it got."""
        env = clean_environment(PROXY=self.proxy.url)
        ended = subprocess.run([NODE, SCRIPT, model, prompt, how], env=env, capture_output=True,
                               text=True, timeout=PATIENCE_S)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def node_is_whole(self, *what):
        got = self.node(*what)
        assert got["error"] is None and len(got["ids"]) == 1, got
        assert (got["text"], got["finish"]) == (self.oracle.text("a long story"), "stop")


def asked(record):
    return [attempt["target"].split("/")[0] for attempt in record["attempts"]]


def faults(record):
    return [attempt["fault"] for attempt in record["attempts"]]


def ask_beside(asks):
    """All at once, each a function; their results."""
    with concurrent.futures.ThreadPoolExecutor(len(asks)) as pool:
        return [one.result() for one in [pool.submit(ask) for ask in asks]]


# ---- the stories ---------------------------------------------------------------------------


def outage(stage, begin, end):
    """A minute without the primary, a request every few seconds: all are served, by the other one,
    and hardly any asks the primary; when it heals it is soon asked again, and stays in use."""
    assert asked(stage.ask()) == ["alpha"]
    begin()
    over, records = time.monotonic() + OUTAGE_S, []
    while time.monotonic() < over:
        records.append(stage.ask())
        if NODE and len(records) % 5 == 0:
            stage.node_is_whole()
        time.sleep(EVERY_S)
    assert all(record["status"] == 200 and asked(record)[-1] == "bravo" for record in records)
    tried = sum(asked(record).count("alpha") for record in records)
    assert 1 <= tried <= 12 and len(records) >= 10, (tried, len(records))
    end()
    for _ in range(60):
        if asked(stage.ask()) == ["alpha"]:
            break
        time.sleep(1)
    for _ in range(5):
        assert asked(stage.ask()) == ["alpha"]


def dead_for_a_minute(stage):
    outage(stage, stage.alpha.kill, stage.alpha.start)


def failing_for_a_minute(stage):
    outage(stage, lambda: stage.alpha.behave("status 503"), lambda: stage.alpha.behave(""))


def first_token_after_twenty_seconds(stage):
    """Where another target is, nobody waits for so long; where none is, or the request is known to
    think, the answer is waited for."""
    stage.alpha.behave("ttft 20s")
    moved, alone, thinking = ask_beside([
        lambda: stage.ask(), lambda: stage.ask("alone"),
        lambda: stage.ask(reasoning_effort="high")])
    assert (asked(moved), faults(moved)) == (["alpha", "bravo"], ["silence", None])
    assert (asked(alone), faults(alone)) == (["alpha"], [None])
    assert (asked(thinking), faults(thinking)) == (["alpha"], [None])


def whole_answer_after_twenty_seconds(stage):
    """Without a stream nobody can tell silence from work: it is waited for."""
    stage.alpha.behave("delay 20s")
    raw = stage.client.chat.completions.with_raw_response.create(
        model="chat", messages=[{"role": "user", "content": "whole"}])
    assert raw.parse().choices[0].message.content == stage.oracle.text("whole")
    assert asked(stage.proxy.record_of(raw.headers["x-request-id"])) == ["alpha"]


def stall_of_thirty_seconds(stage):
    """Goes on elsewhere; in one error where nowhere else is; and nobody is left at who stalls."""
    stage.alpha.behave("stall after 5 for 30s")

    def alone():
        with pytest.raises(openai.APIError):
            stage.ask("alone")

    replayed, resumed, _ = ask_beside([
        lambda: stage.ask(), lambda: stage.ask("resumed"), alone] +
        ([stage.node_is_whole] if NODE else []))[:3]
    for record in (replayed, resumed):
        assert faults(record) == ["stall", None] and record["resumes"] == 1
        assert record["degraded"] == "resumed"
    assert resumed["attempts"][1]["kind"] == "prefill"
    assert stage.alpha.stats()["in_flight"] == 0


def stall_within_the_limit(stage):
    """Who has set the limit above it gets the rest after the thirty seconds, from the same one."""
    stage.alpha.behave("stall after 5 for 30s")
    record = stage.ask()
    assert (asked(record), faults(record)) == (["alpha"], [None])


def cut_after_every_event(stage):
    """Also with breakers as they are: at some point the one that cuts is not asked any more."""
    for n in range(1, EVENTS):
        stage.alpha.behave("%s after %d" % ("reset" if n % 2 else "cut", n))
        stage.ask("resumed" if n % 3 else "chat")
        if NODE and n % 4 == 0:       # to start a program takes seconds on a busy machine
            stage.node_is_whole("resumed" if n % 8 else "chat")


def every_other_fault(stage):
    """One request each, of both SDKs, while the primary has it."""
    for spec in ("bad-json after 9", "no-done", "cut mid-event after 9", "error after 9", "end after 9",
                 "reset-on-accept", "hang-up", "truncated-head", "status 429", "status 429 retry-after 2",
                 "status 429 retry-after-ms 1500", "html 502"):
        stage.alpha.behave(spec)
        stage.ask("resumed")
        if NODE:
            stage.node_is_whole("resumed")
            stage.node_is_whole("chat", "a long story", "whole")
    stage.alpha.behave("cut after 7")
    stage.bravo.behave("no-prefill")
    stage.ask("resumed")


def pause_of_twenty_seconds(stage):
    """A 429's hint that fits the deadline is waited for where nothing else is; others who come
    meanwhile wait as well, and nobody asks before the time."""
    stage.alpha.next("status 429 retry-after 20")
    first, second = ask_beside([lambda: stage.ask("alone"),
                                lambda: time.sleep(EVERY_S) or stage.ask("alone", "another")])
    assert faults(first) == ["rate_limited", None] and faults(second) == [None]
    assert stage.alpha.stats()["requests"] == 3


STORIES = {
    dead_for_a_minute: {}, failing_for_a_minute: {}, first_token_after_twenty_seconds: {},
    whole_answer_after_twenty_seconds: {}, stall_of_thirty_seconds: {},
    stall_within_the_limit: {"timeouts": {"idle": "90s"}},
    cut_after_every_event: {}, every_other_fault: {}, pause_of_twenty_seconds: {},
}

# ---- telling them --------------------------------------------------------------------------

_told, _started = {}, []


def _tell(story, model, place, oracle, done):
    try:
        stage = Stage(os.path.join(place, story.__name__), oracle, **model)
        try:
            story(stage)
        finally:
            stage.close()
        done.set_result(None)
    except BaseException as error:    # whatever it is, the test that asks will tell
        done.set_exception(error)


def begin(names):
    """Starts the stories of that name; called once, before the first test runs."""
    if openai is None:
        return
    place = tempfile.mkdtemp(prefix="backstay-long-")
    mock = Mock(place, "oracle", "--ignore-header").start()
    _started.extend([place, mock])
    if NODE:
        shutil.copy(os.path.join(HERE, "node", "gather.mjs"), SCRIPT)
    for story, model in STORIES.items():
        if story.__name__ in names:
            _told[story] = concurrent.futures.Future()
            threading.Thread(target=_tell, daemon=True, args=(
                story, model, place, Oracle(mock), _told[story])).start()


def end(good):
    """After the last test."""
    if _started:
        place, mock = _started
        mock.kill()
        if NODE:
            os.unlink(SCRIPT)
        if good:
            shutil.rmtree(place, ignore_errors=True)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_long(story):
    _told[story].result(PATIENCE_S)
