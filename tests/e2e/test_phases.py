"""A backend that fails at every point of an answer: unseen as long as another one
can answer, or go on with it; else one honest error, and never a clean ending of a
half answer."""

import threading

import pytest

from harness import backends_of, poll, targets_of

PROMPT = "phases"
# Whatever a server can do before, or instead of, the first content.
UNSEEN = [
    "reset-on-accept", "close-on-accept", "junk-on-accept", "mute", "no-answer", "hang-up", "stale",
    "idle-close", "idle-reset", "idle-junk", "close-after", "early-response status 503",
    "status 500", "status 502", "status 503", "status 504", "status 520", "status 529",
    "status 408", "status 409", "status 401", "status 403", "status 402", "overloaded",
    "status 429 retry-after 30", "insufficient-quota", "bad-key", "model-not-found",
    "html 502", "html 200", "error-200", "redirect 307 http://127.0.0.1:1/",
    "status 500 shape string", "status 500 shape detail", "status 500 shape list",
    "1xx 3", "100-then-eof", "headers-then-nothing", "truncated-head", "headers 2m",
    "junk tls", "junk ssh", "junk http09", "junk binary", "content-length two",
    "content-length negative", "content-length rubbish", "two-lengths", "extra-bytes", "trailers",
    "bad-chunk first", "gzip", "gzip corrupt", "gzip bomb 100m", "empty",
    "error first", "error first shape vllm", "error first shape openrouter", "error first shape raw",
    "bad-json first", "cut first", "cut mid-event first", "reset first", "end first", "stall first",
    "comments 20ms only", "done-only",
]
WHOLE = ["truncated", "choices empty", "choices null", "choices missing", "choices null-message",
         "odd-json bad-utf8", "odd-json list", "content-length +10", "http10", "no-length",
         "gzip cut", "whitespace 3 10ms", "sse-for-json", "cut at-byte 100"]
STREAMED = ["json-for-stream", "crlf", "cr", "multi-data", "no-space", "split-utf8", "bom",
            "blank-lines", "empty-choices-first", "role-early", "dup-role", "unknown-events",
            "comments 5ms ttft 30ms", "no-done", "stay-open", "after-done", "dup-finish",
            "usage every", "usage in-finish", "drip 7 1ms"]


@pytest.fixture(scope="module")
def hasty(start_calm_proxy, mocks):
    """That does not wait long."""
    timeouts = {"first_token": "500ms", "idle": "500ms", "answer": "500ms"}
    models = {"chat": {"targets": targets_of(mocks), "timeouts": timeouts},
              "no-resume": {"targets": targets_of(mocks), "timeouts": timeouts, "resume": "off"}}
    for mock in mocks:
        models["only-" + mock.name] = {"targets": targets_of([mock]), "timeouts": timeouts}
    return start_calm_proxy({"backends": backends_of(mocks, connect="500ms"), "models": models})


def ask_whole(proxy, oracle, **more):
    status, headers, got = proxy.chat(PROMPT, **more)
    assert status == 200, got
    assert got["choices"][0]["message"]["content"] == oracle.text(PROMPT)
    assert got["choices"][0]["finish_reason"] == "stop"


def ask_stream(proxy, oracle, **more):
    got = proxy.stream(PROMPT, **more)
    assert got.complete, (got.status, got.errors, got.broken, got.events[-2:])
    assert got.text == oracle.text(PROMPT)


@pytest.mark.parametrize("spec", UNSEEN + WHOLE)
def test_unseen_in_a_whole_answer(hasty, healthy, oracle, spec):
    for mock in healthy[:2]:
        mock.behave(spec)
    for _ in range(2):
        ask_whole(hasty, oracle)


@pytest.mark.parametrize("spec", UNSEEN + STREAMED)
def test_unseen_in_a_stream(hasty, healthy, oracle, spec):
    for mock in healthy[:2]:
        mock.behave(spec)
    for _ in range(2):
        ask_stream(hasty, oracle)


def check_cut(got, whole):
    """Complete, or broken with exactly one error; the number of errors."""
    assert whole.startswith(got.text), (got.text, whole)
    if got.complete:
        assert got.text == whole
        return 0
    assert got.status == 200, got.errors
    assert len(got.errors) == 1, (got.errors, got.broken, got.events[-3:])
    assert not got.done
    assert "error" in got.events[-1], "something behind the error"
    assert got.errors[0]["message"] and got.errors[0]["type"]
    return 1


@pytest.mark.parametrize("how", ["cut", "cut mid-event", "reset", "end", "error", "bad-json",
                                 "bad-chunk"])
def test_broken_after_each_event(hasty, healthy, oracle, how):
    whole = oracle.text(PROMPT)
    seen = []
    for n in range(1, 28):
        healthy[0].behave("%s after %d" % (how, n))
        got = hasty.stream(PROMPT, model="only-alpha")
        if got.status != 200:
            assert got.errors and not got.text
            continue
        seen.append((check_cut(got, whole), len(got.text)))
    broken = [length for errors, length in seen if errors]
    assert len(broken) >= 20
    assert broken == sorted(broken), "a later cut must not show less"


@pytest.mark.parametrize("model", ["chat", "no-resume"])
def test_cut_after_each_byte(hasty, healthy, oracle, model):
    """Alpha's answers break at byte n, bravo's are whole."""
    whole = oracle.text(PROMPT)
    healthy[2].behave("status 503")
    outcomes = {0: 0, 1: 0}
    for n in list(range(0, 600, 3)) + list(range(600, 7000, 41)):
        healthy[0].behave("%s at-byte %d" % ("reset" if n % 2 else "cut", n))
        outcomes[check_cut(hasty.stream(PROMPT, model=model), whole)] += 1
    assert outcomes[0] > 0 and (outcomes[1] > 0) == (model == "no-resume")


def test_a_whole_answer_cut_after_each_byte(hasty, healthy, oracle):
    for n in range(0, 900, 7):
        healthy[0].behave("%s at-byte %d" % ("reset" if n % 2 else "cut", n))
        healthy[1].behave("cut at-byte %d" % n)
        ask_whole(hasty, oracle)


@pytest.mark.parametrize("events", [0, 1, 2, 5, 12, 20])
def test_killed_after_so_many_events(hasty, healthy, oracle, events):
    alpha = healthy[0]
    alpha.behave("gap 20ms")
    killed = []

    def kill_at(got):
        if not killed and len(got.events) > events:
            alpha.kill()
            killed.append(True)

    got = hasty.stream(PROMPT, model="only-alpha", on_event=kill_at)
    assert killed and check_cut(got, oracle.text(PROMPT)) == 1
    assert got.errors[0]["code"] == "stream_cut"


@pytest.mark.parametrize("stream", [False, True])
def test_killed_before_the_first_content(hasty, healthy, oracle, stream):
    """Alpha and bravo sit on the request and die; charlie answers."""
    dying = healthy[:2]
    for mock in dying:
        mock.behave("delay 30s")
    failures = []

    def ask():
        try:
            (ask_stream if stream else ask_whole)(hasty, oracle)
        except BaseException as error:    # pylint: disable=broad-except
            failures.append(error)

    askers = [threading.Thread(target=ask) for _ in range(6)]
    for one in askers:
        one.start()
    for mock in dying:
        poll("a request at " + mock.name, lambda m=mock: m.stats()["in_flight"] > 0)
        mock.kill()
    for one in askers:
        one.join()
    assert not failures, failures[0]


def test_all_dead_then_one_comes_back(hasty, healthy, oracle):
    for mock in healthy:
        mock.kill()
    status, _, got = hasty.chat(PROMPT)
    assert (status, got["error"]["code"]) == (502, "upstream_unreachable")
    healthy[1].start()
    ask_whole(hasty, oracle)
    ask_stream(hasty, oracle)


# ---- sizes ----------------------------------------------------------------------------------


def test_an_event_of_megabytes_is_relayed(hasty, healthy):
    healthy[0].behave("big-event 2m after 3")
    got = hasty.stream(PROMPT, model="only-alpha")
    assert got.complete and len(got.text) > 2 << 20


def test_an_event_beyond_all_bounds_is_one_honest_error(hasty, healthy):
    healthy[0].behave("big-event 20m after 3")
    got = hasty.stream(PROMPT, model="only-alpha")
    assert len(got.errors) == 1 and not got.done and 0 < len(got.text) < 1 << 20


def test_an_answer_beyond_all_bounds_is_asked_elsewhere(hasty, healthy, oracle):
    for mock in healthy[:2]:
        mock.behave("big-body 70m")
    ask_whole(hasty, oracle)


def test_a_large_request_arrives_whole(hasty, healthy):
    """Echoed, so that every byte is seen."""
    prompt = "echo: " + "".join(chr(0x4e00 + i % 20000) for i in range(200000))
    status, _, got = hasty.chat(prompt, model="only-alpha")
    assert status == 200
    assert got["choices"][0]["message"]["content"] == prompt.removeprefix("echo: ")


def test_a_large_request_to_one_that_does_not_read(hasty, healthy, oracle):
    """Given up for another one, with the whole body sent again."""
    prompt = "x" * (8 << 20)
    healthy[0].behave("early-response status 503")
    healthy[1].behave("mute")
    for _ in range(3):
        status, _, got = hasty.chat(prompt)
        assert status == 200
        assert got["choices"][0]["message"]["content"] == oracle.text(prompt)


# ---- at last ---------------------------------------------------------------------------------


def test_all_places_are_free_again(hasty, healthy):
    """Whatever happened above."""
    poll("all to be over", lambda: hasty.status()["total"]["in_progress"] == 0)
    for model in hasty.status()["models"]:
        assert [t["in_flight"] for t in model["targets"]] == [0] * len(model["targets"])
    assert not [line for line in hasty.said().splitlines() if "serving_died" in line]
