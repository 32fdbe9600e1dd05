"""The failure engine on real sockets, seen by unmodified OpenAI clients: dead and
slow backends are left, broken streams go on elsewhere, crowds wait."""

import asyncio
import threading

import pytest

from harness import CALM, chat_body, get, poll, read_stream

try:
    import openai
except ImportError:
    openai = None

pytestmark = pytest.mark.skipif(openai is None, reason="the OpenAI Python SDK is not installed")

PROMPT = "a long story"
EVENTS = 24                       # with content, in an answer of the mocks
WAYS = ["replay", "prefill", "prefix", "continue_final_message", "instruct"]
TIMEOUTS = {"first_token": "400ms", "idle": "400ms", "answer": "2s", "total": "20s"}


def chain(*targets):
    """Targets that are asked one after the other."""
    return [{"backend": backend, "model": "mock-large", "priority": i + 1}
            for i, backend in enumerate(targets)]


@pytest.fixture(scope="module")
def engine(start_calm_proxy, mocks):
    """Alpha first, then bravo, which goes on in each of the known ways."""
    backends = {mock.name: {"url": mock.url} for mock in mocks}
    for way in WAYS:
        backends[way] = {"url": mocks[1].url, "resume": way}
    backends["small"] = {"url": mocks[0].url, "max_in_flight": 2}
    backends["single"] = {"url": mocks[0].url, "max_in_flight": 1}
    models = {way: {"targets": chain("alpha", way)} for way in WAYS}
    models["chat"] = {"targets": chain("alpha", "bravo", "charlie")}
    models["off"] = {"targets": chain("alpha", "bravo"), "resume": "off"}
    models["streamed"] = {"targets": chain("alpha", "bravo"), "stream_upstream": "on"}
    models["only"] = {"targets": chain("alpha"), "retry": {"patience": "2s"}}
    models["hedged"] = {"targets": chain("alpha", "bravo"),
                        "timeouts": {"first_token": "10s"},
                        "hedge": {"after": "100ms", "budget": "100%"}}
    models["waiting"] = {"targets": chain("small")}
    models["narrow"] = {"targets": chain("single"), "queue": {"length": 1}}
    return start_calm_proxy({"defaults": {**CALM, "timeouts": TIMEOUTS}, "backends": backends,
                             "models": models})


@pytest.fixture
def client(engine, healthy):
    """Without retries of its own: what it sees is our doing."""
    with openai.OpenAI(base_url=engine.url, api_key="k", max_retries=0) as one:
        yield one


class Told:
    """A streamed answer as the SDK gives it, with its line of the access log."""

    def __init__(self, engine, client, model="chat", prompt=PROMPT, **more):
        raw = client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": prompt}], stream=True, **more)
        self.headers, self.error, self.usage, self.finish = raw.headers, None, None, None
        self.text, self.chunks = "", []
        try:
            for chunk in raw.parse():
                self.chunks.append(chunk)
                self.usage = chunk.usage or self.usage
                for choice in chunk.choices:
                    self.text += choice.delta.content or ""
                    self.finish = choice.finish_reason or self.finish
        except openai.APIError as error:
            self.error = error
        self.record = engine.record_of(self.headers["x-request-id"])
        self.faults = [attempt["fault"] for attempt in self.record["attempts"]]
        self.asked = [attempt["target"].split("/")[0] for attempt in self.record["attempts"]]

    def check(self, oracle, prompt=PROMPT):
        """All of it, once, as one answer."""
        assert self.error is None and self.finish == "stop"
        assert self.text == oracle.text(prompt)
        assert len({chunk.id for chunk in self.chunks}) == 1
        assert len({chunk.created for chunk in self.chunks}) == 1
        assert len({chunk.model for chunk in self.chunks}) == 1
        assert [chunk.choices[0].delta.role for chunk in self.chunks
                if chunk.choices and chunk.choices[0].delta.role] == ["assistant"]
        assert self.record["status"] == 200 and self.record["fault"] is None


# ---- streams that break -----------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["cut", "reset"])
def test_broken_after_each_event_goes_on_to_the_whole_text(engine, client, healthy, oracle, how,
                                                           way):
    for n in range(1, EVENTS):
        healthy[0].behave("%s after %d" % (how, n))
        got = Told(engine, client, way)
        got.check(oracle)
        # A reset may take with it what was under way; then nothing is there to go on with.
        if how == "cut":
            assert (got.asked, got.record["resumes"]) == (["alpha", way], 1), n
            assert got.record["attempts"][1]["kind"] == way
            assert got.record["degraded"] == "resumed"


@pytest.mark.parametrize("spec,fault", [
    ("bad-json after 9", "bad_answer"), ("error after 9", "server_error"),
    ("bad-chunk after 9", "bad_answer"), ("cut mid-event after 9", "cut"), ("end after 9", "cut")])
def test_broken_in_the_middle_in_other_ways(engine, client, healthy, oracle, spec, fault):
    healthy[0].behave(spec)
    got = Told(engine, client, "prefill")
    got.check(oracle)
    assert got.faults == [fault, None] and got.record["resumes"] == 1


class Response:
    """A streamed answer of the Responses API: each event is held against what came before."""

    def __init__(self, client, **more):
        self.ids, self.names, self.open, self.text, self.arguments, self.last = set(), [], {}, "", "", None
        raw = client.responses.with_raw_response.create(model="chat", stream=True, **more)
        self.request_id = raw.headers["x-request-id"]
        for number, event in enumerate(raw.parse()):
            assert event.sequence_number == number
            self.last = event
            if hasattr(event, "response"):
                self.ids.add(event.response.id)
            kind = event.type.removeprefix("response.")
            if kind == "output_item.added":
                assert event.output_index == len(self.names)
                self.names.append(event.item.id)
            elif kind == "output_item.done":
                assert event.item.id == self.names[event.output_index]
            elif hasattr(event, "item_id"):
                assert event.item_id == self.names[event.output_index], kind
            if kind in ("content_part.added", "reasoning_summary_part.added"):
                self.open[event.item_id] = True
            elif kind == "output_text.delta":
                assert self.open[event.item_id]
                self.text += event.delta
            elif kind == "function_call_arguments.delta":
                self.arguments += event.delta

    def check(self):
        assert self.last.type == "response.completed" and len(self.ids) == 1
        assert [item.id for item in self.last.response.output] == self.names
        assert self.last.response.output_text == self.text


def test_a_response_goes_on_under_the_names_that_it_has(engine, client, healthy):
    whole = Response(client, input=PROMPT)
    whole.check()
    resumed = 0
    for n in range(500, 6000, 250):
        healthy[0].behave("cut at-byte %d" % n)
        got = Response(client, input=PROMPT)
        got.check()
        assert got.text == whole.text, n
        resumed += engine.record_of(got.request_id)["resumes"]
    assert resumed > 10


def test_calls_of_a_response_go_on(engine, client, healthy):
    tool = {"type": "function", "name": "lookup", "strict": False,
            "parameters": {"type": "object", "properties": {"key": {"type": "string"}}}}
    for mock in healthy[:2]:
        mock.behave("tool-call")
    whole = Response(client, input=PROMPT, tools=[tool])
    assert whole.arguments
    resumed = 0
    for n in range(1000, 4000, 250):
        healthy[0].behave("cut at-byte %d tool-call" % n)
        got = Response(client, input=PROMPT, tools=[tool])
        got.check()
        assert got.arguments == whole.arguments, n
        resumed += engine.record_of(got.request_id)["resumes"]
    assert resumed > 3


def test_several_breaks_in_one_stream(engine, client, healthy, oracle):
    healthy[0].behave("cut after 5")
    healthy[1].behave("cut after 15")
    got = Told(engine, client)
    got.check(oracle)
    assert got.asked == ["alpha", "bravo", "charlie"] and got.record["resumes"] == 2


def test_a_stall_in_the_middle_goes_on_elsewhere(engine, client, healthy, oracle):
    healthy[0].behave("stall after 5 for 30s")
    got = Told(engine, client)
    got.check(oracle)
    assert got.faults == ["stall", None] and got.record["resumes"] == 1
    poll("the stalled request to be cancelled", lambda: healthy[0].stats()["in_flight"] == 0)


def test_killed_in_the_middle(engine, client, healthy, oracle):
    healthy[0].behave("gap 20ms")

    def kill(stream):
        if len(stream.events) == 8:
            healthy[0].kill()

    got = read_stream(engine.port, chat_body(PROMPT, stream=True), on_event=kill)
    assert got.complete and got.text == oracle.text(PROMPT)


def test_prefill_that_is_rejected_is_asked_otherwise(engine, client, healthy, oracle):
    healthy[0].behave("cut after 7")
    healthy[1].behave("no-prefill")
    got = Told(engine, client, "prefill")
    got.check(oracle)
    assert [a["kind"] for a in got.record["attempts"]] == [None, "prefill", "replay"]


def test_usage_is_that_of_all_hops(engine, client, healthy, oracle):
    healthy[0].behave("cut after 8")
    options = {"stream_options": {"include_usage": True}}
    got = Told(engine, client, "prefill", **options)
    got.check(oracle)
    assert [chunk.usage is not None for chunk in got.chunks].count(True) == 1
    assert got.usage.completion_tokens == EVENTS
    assert got.record["tokens"]["output"] == EVENTS
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens
    # Who begins anew says everything again, and it is paid for.
    replayed = Told(engine, client, "replay", **options)
    replayed.check(oracle)
    assert replayed.usage.completion_tokens == 8 + EVENTS


@pytest.mark.parametrize("ending", ["no-done", "stay-open", "after-done"])
def test_an_odd_ending_is_an_ending(engine, client, healthy, oracle, ending):
    healthy[0].behave(ending)
    got = Told(engine, client)
    got.check(oracle)
    assert got.asked == ["alpha"]


@pytest.mark.parametrize("spec", ["cut after 9", "bad-json after 9", "stall after 9 for 30s"])
def test_without_resume_there_is_one_honest_error(engine, client, healthy, oracle, spec):
    healthy[0].behave(spec)
    got = Told(engine, client, "off")
    assert got.error is not None and oracle.text(PROMPT).startswith(got.text) and got.text
    assert got.asked == ["alpha"] and got.record["committed"]


def test_a_whole_answer_is_asked_as_a_stream_and_goes_on_too(engine, client, healthy, oracle):
    healthy[0].behave("stall after 9 for 30s")
    raw = client.chat.completions.with_raw_response.create(
        model="streamed", messages=[{"role": "user", "content": PROMPT}])
    assert raw.parse().choices[0].message.content == oracle.text(PROMPT)
    assert '"stream":true' in healthy[1].last().replace(" ", "")
    record = engine.record_of(raw.headers["x-request-id"])
    assert [attempt["fault"] for attempt in record["attempts"]] == ["silence", None]


# ---- before the first token ---------------------------------------------------------------------


@pytest.mark.parametrize("spec,fault", [
    ("ttft 20s", "silence"), ("delay 20s", "silence"), ("headers-then-nothing", "silence"),
    ("reset-on-accept", None), ("hang-up", None), ("truncated-head", None), ("cut first", None),
    ("status 429", "rate_limited"), ("status 429 retry-after 30", "rate_limited"),
    ("status 429 retry-after-ms 30000", "rate_limited")])
def test_moves_on_unseen(engine, client, healthy, oracle, spec, fault):
    healthy[0].behave(spec)
    got = Told(engine, client)
    got.check(oracle)
    assert got.asked[-1] == "bravo" and got.record["resumes"] == 0
    assert fault is None or got.faults == [fault, None]
    assert "x-backstay-degraded" not in got.headers


@pytest.mark.parametrize("spec", ["status 429 retry-after 1", "status 429 retry-after-ms 300",
                                  "status 429"])
def test_who_is_alone_and_asks_for_patience_gets_it(engine, client, healthy, oracle, spec):
    healthy[0].next(spec)
    got = Told(engine, client, "only")
    got.check(oracle)
    assert got.faults == ["rate_limited", None]


def test_too_long_a_pause_is_told(engine, client, healthy):
    healthy[0].behave("status 429 retry-after 3000")
    with pytest.raises(openai.RateLimitError) as caught:
        Told(engine, client, "only")
    assert 2990 <= int(caught.value.response.headers["retry-after"]) <= 3000
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_hedge_wins(engine, client, healthy, oracle):
    healthy[0].behave("ttft 8s")
    before = healthy[0].stats()["cancelled"]
    got = Told(engine, client, "hedged")
    got.check(oracle)
    assert got.record["hedge"] == "won" and got.asked == ["alpha", "bravo"]
    assert got.headers["x-backstay-target"] == "bravo/mock-large"
    poll("the loser to be cancelled", lambda: healthy[0].stats()["cancelled"] == before + 1)


def test_a_hedge_is_not_made_for_who_is_quick(engine, client, healthy, oracle):
    got = Told(engine, client, "hedged")
    got.check(oracle)
    assert got.record["hedge"] is None and got.asked == ["alpha"]


# ---- an outage --------------------------------------------------------------------------------------


def test_an_outage(start_proxy, mocks, healthy, oracle):
    """With the breakers as they are by default. One primary is dead, another keeps
    silent; requests come one after the other, each for as long as its answer takes."""
    alpha, bravo, charlie = healthy
    proxy = start_proxy({
        "backends": {mock.name: {"url": mock.url} for mock in mocks},
        "defaults": {"timeouts": {"first_token": "300ms"}},
        "models": {"dead": chain("alpha", "charlie"), "silent": chain("bravo", "charlie")}})
    client = openai.OpenAI(base_url=proxy.url, api_key="k", max_retries=0)
    charlie.behave("gap 5ms")
    asked = {"dead": 0, "silent": 0}

    def ask(model):
        got = Told(proxy, client, model, "outage")
        got.check(oracle, "outage")
        asked[model] += got.asked.count({"dead": "alpha", "silent": "bravo"}[model])
        return got

    with client:
        assert ask("dead").asked == ["alpha"] and ask("silent").asked == ["bravo"]
        asked.update(dead=0, silent=0)
        alpha.kill()
        bravo.behave("no-answer")
        for _ in range(20):
            assert ask("dead").asked[-1] == ask("silent").asked[-1] == "charlie"
        assert 1 <= asked["dead"] <= 6 and 3 <= asked["silent"] <= 6, asked
        dead, silent = proxy.targets("dead"), proxy.targets("silent")
        assert dead["alpha/mock-large"]["use"] != "good" != silent["bravo/mock-large"]["use"]
        assert dead["charlie/mock-large"]["use"] == "good"
        alpha.start()
        bravo.behave("")
        for model, name in (("dead", "alpha"), ("silent", "bravo")):
            poll(name + " to be back", lambda m=model, n=name: ask(m).asked == [n])
            for _ in range(5):    # and it stays
                assert ask(model).asked == [name]


# ---- crowds ---------------------------------------------------------------------------------------------


def test_who_finds_no_place_waits(engine, healthy, oracle):
    """Twelve at once for two places."""
    healthy[0].behave("gap 2ms")

    async def crowd():
        async with openai.AsyncOpenAI(base_url=engine.url, api_key="k", max_retries=0) as client:
            async def ask(i):
                raw = await client.chat.completions.with_raw_response.create(
                    model="waiting", messages=[{"role": "user", "content": "crowd %d" % i}])
                return raw.headers["x-request-id"], raw.parse().choices[0].message.content
            return await asyncio.gather(*(ask(i) for i in range(12)))

    answers = asyncio.run(crowd())
    assert [text for _, text in answers] == [oracle.text("crowd %d" % i) for i in range(12)]
    records = [engine.record_of(request_id) for request_id, _ in answers]
    assert sum(record["queued_ms"] > 0 for record in records) >= 8
    assert all(len(record["attempts"]) == 1 for record in records)


def test_a_full_waiting_room_is_told_and_those_inside_are_served(engine, client, healthy, oracle):
    healthy[0].behave("gap 20ms tokens 100000")
    ask = {"model": "narrow", "messages": [{"role": "user", "content": PROMPT}]}
    served = []
    with client.chat.completions.create(stream=True, **ask) as holder:
        next(iter(holder))
        healthy[0].behave("")
        waiter = threading.Thread(target=lambda: served.append(
            client.chat.completions.create(**ask).choices[0].message.content))
        waiter.start()
        poll("somebody who waits", lambda: engine.status()["total"]["in_progress"] == 2)
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(**ask)
        assert caught.value.status_code == 503
        assert int(caught.value.response.headers["retry-after"]) >= 1
        assert not served
    waiter.join()
    assert served == [oracle.text(PROMPT)]


# ---- explaining -------------------------------------------------------------------------------------------


def test_why_it_went_there(engine, client, healthy, oracle):
    healthy[0].behave("status 500")
    got = Told(engine, client, extra_headers={"x-backstay-explain": "1"})
    got.check(oracle)
    told = got.headers["x-backstay-explain"]
    assert "alpha/mock-large: " in told and "server_error" in told
    assert "bravo/mock-large: chosen" in told
    assert "x-backstay-explain" not in Told(engine, client).headers


def test_how_the_targets_are_doing(engine, client, healthy):
    healthy[0].behave("status 429 retry-after 30")
    Told(engine, client)
    alpha, bravo = (engine.targets()[name + "/mock-large"] for name in ("alpha", "bravo"))
    assert (alpha["use"], alpha["why"]) == ("paced", "rate_limited")
    assert 0 < alpha["next_try_in_ms"] <= 30000
    assert (bravo["use"], bravo["in_flight"]) == ("good", 0)
    assert bravo["first_token_ms"] is None or bravo["first_token_ms"] >= 0
    metrics = get(engine.admin, "/metrics")[1].decode()
    assert 'backstay_target_use{target="alpha/mock-large"} 4' in metrics
    assert 'backstay_target_use{target="bravo/mock-large"} 0' in metrics


def test_nothing_is_left_over(engine, healthy):
    poll("all to be over", lambda: engine.status()["total"]["in_progress"] == 0)
    for model in engine.status()["models"]:
        assert {t["in_flight"] for t in model["targets"]} == {0}
