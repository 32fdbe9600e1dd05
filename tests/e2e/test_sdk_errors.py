"""What fails reaches the OpenAI Python SDK as the right exception, once."""

import asyncio

import pytest

from harness import backends_of, poll, targets_of

try:
    import openai
except ImportError:
    openai = None

pytestmark = pytest.mark.skipif(openai is None, reason="the OpenAI Python SDK is not installed")

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def guarded(start_calm_proxy, mocks):
    """With a client key, and little time for those who are slow."""
    return start_calm_proxy({
        "keys": [{"name": "tester", "key": "sesame-open"}],
        "backends": backends_of(mocks),
        "models": {
            "chat": {"targets": targets_of(mocks)},
            "hasty": {"targets": targets_of(mocks), "timeouts": {"total": "3s"}},
            "impatient": {"targets": targets_of(mocks[:1]), "timeouts": {"idle": "300ms"}},
        },
    })


@pytest.fixture
def client(guarded, healthy):
    """With the retries that the SDK makes by itself."""
    with openai.OpenAI(base_url=guarded.url, api_key="sesame-open") as one:
        yield one


def all_behave(mocks, spec):
    for mock in mocks:
        mock.behave(spec)


def asked(mocks):
    return sum(mock.stats("chat")["requests"] for mock in mocks)


def ask(client, **more):
    return client.chat.completions.create(**{"model": "chat", "messages": HELLO, **more})


@pytest.mark.parametrize("key", ["wrong", "sesame-ope", "sesame-open2", "SESAME-OPEN"])
def test_a_wrong_key_is_an_authentication_error(guarded, healthy, key):
    before = asked(healthy)
    with openai.OpenAI(base_url=guarded.url, api_key=key) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            ask(client)
    assert caught.value.code == "invalid_api_key"
    assert key not in str(caught.value)
    assert asked(healthy) == before


def test_an_unknown_model_is_not_found_and_the_right_one_suggested(client):
    with pytest.raises(openai.NotFoundError, match="Did you mean 'chat'") as caught:
        ask(client, model="chatt")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_an_unknown_path_is_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.post("/no/such/thing", body={}, cast_to=object)


def test_a_request_without_model_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError, match="model"):
        client.post("/chat/completions", body={"messages": HELLO}, cast_to=object)


@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_request_is_passed_on_in_the_words_of_the_backend(client, healthy, stream):
    all_behave(healthy, 'status 400 code integer_below_min_value type invalid_request_error '
                        'message "The temperature must not freeze"')
    before = asked(healthy)
    with pytest.raises(openai.BadRequestError, match="must not freeze") as caught:
        ask(client, stream=stream)
    assert caught.value.code == "integer_below_min_value"
    assert asked(healthy) == before + 1


@pytest.mark.parametrize("spec,code", [
    ("context-length", "context_length_exceeded"), ("content-filter", "content_filter")])
def test_a_verdict_on_the_request_is_not_asked_for_elsewhere(client, healthy, spec, code):
    all_behave(healthy, spec)
    before = asked(healthy)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client)
    assert caught.value.code == code
    assert asked(healthy) == before + 1


def test_rate_limited_everywhere_is_a_rate_limit_error_with_the_shortest_wait(client, healthy):
    for mock, wait in zip(healthy, (40, 30, 50)):
        mock.behave("status 429 retry-after %d" % wait)
    before = asked(healthy)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, model="hasty")
    headers = caught.value.response.headers
    assert 1 <= int(headers["retry-after"]) <= 30
    assert headers["x-should-retry"] == "false"
    assert asked(healthy) == before + 3


def test_rate_limited_in_one_place_is_unseen(client, healthy):
    healthy[0].behave("status 429 retry-after 40")
    healthy[1].behave("status 429 retry-after 40")
    assert ask(client).choices[0].message.content


@pytest.mark.parametrize("spec,kind", [
    ("status 500", "InternalServerError"), ("status 503", "InternalServerError"),
    ("html 502", "InternalServerError"), ("hang-up", "InternalServerError"),
    ("junk ssh", "InternalServerError"), ("bad-key", "InternalServerError"),
    ("truncated", "InternalServerError"), ("choices empty", "InternalServerError"),
    ("model-not-found", "NotFoundError")])
def test_the_sdk_does_not_multiply_our_attempts(client, healthy, guarded, spec, kind):
    all_behave(healthy, spec)
    before = asked(healthy)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, model="hasty")
    assert type(caught.value).__name__ == kind
    assert caught.value.response.headers["x-should-retry"] == "false"
    attempts = int(caught.value.response.headers["x-backstay-attempts"])
    record = guarded.record_of(caught.value.response.headers["x-request-id"])
    assert len(record["attempts"]) == attempts <= 4
    # A reused connection that was closed is replaced once, free of the limit.
    replays = sum(attempt["stale_replays"] for attempt in record["attempts"])
    assert asked(healthy) - before == attempts + replays
    assert record["fault"] == record["attempts"][-1]["fault"]


def test_a_dead_house_is_said_as_it_is(guarded, client, healthy):
    for mock in healthy:
        mock.kill()
    with pytest.raises(openai.InternalServerError, match="could not be reached") as caught:
        ask(client)
    assert caught.value.code == "upstream_unreachable"


def pieces(stream):
    """(text, the error that ended it)."""
    text = ""
    try:
        for chunk in stream:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
    except openai.APIError as error:
        return text, error
    return text, None


@pytest.mark.parametrize("spec,code", [
    ("cut after 4", "stream_cut"), ("reset after 4", "stream_cut"),
    ("end after 4", "stream_cut"), ("stall after 4", "stream_stalled"),
    ("error after 4", None), ("error after 4 shape vllm", None),
    ("error after 4 shape openrouter", None), ("bad-json after 4", None)])
def test_a_broken_stream_raises_after_what_came(client, healthy, oracle, spec, code):
    healthy[0].behave(spec)
    text, error = pieces(ask(client, model="impatient", stream=True))
    assert isinstance(error, openai.APIError) and not isinstance(error, openai.APIStatusError)
    assert text and oracle.text("hello").startswith(text) and text != oracle.text("hello")
    assert error.body["message"]
    if code:
        assert error.code == code


def test_a_client_that_times_out_frees_the_backend(client, healthy):
    all_behave(healthy, "no-answer")
    before = sum(mock.stats()["cancelled"] for mock in healthy)
    with pytest.raises(openai.APITimeoutError):
        ask(client.with_options(timeout=0.5, max_retries=0))
    poll("the cancelled request", lambda: sum(m.stats()["cancelled"] for m in healthy) > before)
    assert sum(mock.stats()["in_flight"] for mock in healthy) == 0


def test_a_stream_that_is_left_frees_the_backend(client, healthy):
    all_behave(healthy, "gap 50ms tokens 5000")
    before = sum(mock.stats()["cancelled"] for mock in healthy)
    with ask(client, stream=True) as stream:
        next(iter(stream))
    poll("the cancelled stream", lambda: sum(m.stats()["cancelled"] for m in healthy) > before)
    assert sum(mock.stats()["in_flight"] for mock in healthy) == 0


def test_cancelled_tasks_free_the_backends(guarded, healthy):
    all_behave(healthy, "gap 50ms tokens 5000")
    before = sum(mock.stats()["cancelled"] for mock in healthy)

    async def forget():
        async with openai.AsyncOpenAI(base_url=guarded.url, api_key="sesame-open") as client:
            async def read():
                async for _ in await ask(client, stream=True):
                    begun.set()
            begun = asyncio.Event()
            tasks = [asyncio.create_task(read()) for _ in range(6)]
            await begun.wait()
            while sum(m.stats()["in_flight"] for m in healthy) < 6:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(forget())
    poll("six cancelled streams",
         lambda: sum(m.stats()["cancelled"] for m in healthy) == before + 6)
    poll("the access log", lambda: len(
        [r for r in guarded.records() if r["fault"] == "client_gone" and r["committed"]]) >= 6)
