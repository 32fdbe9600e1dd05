"""The Anthropic Python SDK, unmodified, against the proxy: over Anthropic's API
(passed on) and over OpenAI's (translated); and OpenAI's SDK over Anthropic's."""

import json

import pytest

from harness import Mock, poll

try:
    import anthropic
except ImportError:
    anthropic = None
try:
    import openai
except ImportError:
    openai = None

pytestmark = pytest.mark.skipif(anthropic is None, reason="the Anthropic Python SDK is not installed")

PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5Er"
         "kJggg==")
WEATHER = {
    "name": "get_weather",
    "description": "The weather at a place",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}},
                     "required": ["location"], "additionalProperties": False},
}
TIME = {"name": "get_time", "input_schema": {"type": "object", "properties": {}}}
STORY = " ".join("word%d" % i for i in range(200))
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}},
          "required": ["answer", "sure"], "additionalProperties": False}
# What each of the proxy's models is reached over.
PASSED, TRANSLATED = "claude", "gpt"
BOTH = pytest.mark.parametrize("model", [PASSED, TRANSLATED])


@pytest.fixture(scope="module")
def vendors(place):
    """Two mocks, one spoken to in Anthropic's dialect, one in OpenAI's."""
    two = [Mock(place, name, "--key", "upstream-secret-of-ours").start() for name in ("ann", "oli")]
    yield two
    for mock in two:
        mock.kill()


@pytest.fixture(scope="module")
def proxy(start_calm_proxy, vendors):
    ann, oli = vendors
    key = "upstream-secret-of-ours"
    resume = {"resume": "prefill"}
    return start_calm_proxy({
        "backends": {
            "ann": {"dialect": "anthropic", "url": "http://127.0.0.1:%d" % ann.port, "key": key},
            "oli": {"url": oli.url, "key": key},
        },
        "models": {
            PASSED: {"targets": [{"backend": "ann", "model": "claude-haiku-4-5"}]},
            TRANSLATED: {"targets": [{"backend": "oli", "model": "gpt-large"}]},
            "ann-first": {"targets": [{"backend": "ann", "model": "claude-haiku-4-5", **resume},
                                      {"backend": "oli", "model": "gpt-large", "priority": 2, **resume}]},
            "oli-first": {"targets": [{"backend": "oli", "model": "gpt-large", **resume},
                                      {"backend": "ann", "model": "claude-haiku-4-5", "priority": 2,
                                       **resume}]},
        },
    })


@pytest.fixture
def well(vendors):
    for mock in vendors:
        if not mock.alive():
            mock.start()
        mock.behave("")
    return vendors


@pytest.fixture
def client(proxy, well):
    with anthropic.Anthropic(base_url="http://127.0.0.1:%d" % proxy.port, api_key="a-client-key") as one:
        yield one


@pytest.fixture
def old_client(proxy, well):
    """OpenAI's SDK at the same door."""
    with openai.OpenAI(base_url=proxy.url, api_key="a-client-key") as one:
        yield one


def say(text):
    return [{"role": "user", "content": text}]


def ask(client, model, text, **more):
    return client.messages.create(model=model, max_tokens=2000, messages=say(text), **more)


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


# ---- plain ---------------------------------------------------------------------------

@BOTH
def test_message(client, oracle, model):
    got = ask(client, model, "hello")
    assert text_of(got) == oracle.text("hello")
    assert (got.type, got.role, got.stop_reason) == ("message", "assistant", "end_turn")
    assert got.usage.input_tokens > 0 and got.usage.output_tokens == 24


@BOTH
def test_the_request_has_an_id(client, model):
    raw = client.messages.with_raw_response.create(model=model, max_tokens=99, messages=say("hello"),
                                                   extra_headers={"x-request-id": "mine-18"})
    assert raw.headers["request-id"] == "mine-18"
    assert raw.headers["x-backstay-target"].split("/")[0] == ("ann" if model == PASSED else "oli")


@BOTH
def test_stream(client, oracle, model):
    with client.messages.stream(model=model, max_tokens=2000, messages=say("a story")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == oracle.text("a story") == text_of(final)
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == 24 and final.usage.input_tokens > 0


@BOTH
def test_the_events_of_a_stream(client, model):
    kinds = [e.type for e in client.messages.create(model=model, max_tokens=2000, messages=say("a story"),
                                                    stream=True)]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    assert [k for k in kinds if k != "content_block_delta"] == [
        "message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]


@BOTH
def test_what_is_asked_for_arrives(client, well, model):
    ask(client, model, "hello", system="You are brief.", extra_body={"temperature": 0.5, "top_p": 0.9},
        stop_sequences=["never said"], metadata={"user_id": "somebody"})
    sent = json.loads(well[model == TRANSLATED].last().split("\n\n", 1)[1])
    assert sent["temperature"] == 0.5 and sent["top_p"] == 0.9
    if model == PASSED:
        assert sent["system"] == "You are brief." and sent["metadata"]["user_id"] == "somebody"
    else:
        assert sent["messages"][0] == {"role": "system", "content": "You are brief."}
        assert sent["stop"] == ["never said"] and sent["user"] == "somebody"


@BOTH
def test_a_limit_of_tokens_ends_it(client, model):
    got = client.messages.create(model=model, max_tokens=5, messages=say("hello"))
    assert (got.stop_reason, got.usage.output_tokens) == ("max_tokens", 5)


def test_a_stop_sequence_ends_it_and_is_told(client):
    got = ask(client, PASSED, "echo: one two three four", stop_sequences=["three"])
    assert (got.stop_reason, got.stop_sequence, text_of(got)) == ("stop_sequence", "three", "one two ")
    got = ask(client, TRANSLATED, "echo: one two three four", stop_sequences=["three"])
    assert (got.stop_reason, text_of(got)) == ("end_turn", "one two ")


@BOTH
def test_an_answer_begun_goes_on(client, oracle, model):
    whole = oracle.text("hello")
    begun = whole[:len(whole) // 2].rstrip()
    got = client.messages.create(model=model, max_tokens=2000, messages=[
        *say("hello"), {"role": "assistant", "content": begun}])
    assert begun + text_of(got) == whole


# ---- tools, pictures, schemas, thinking ------------------------------------------------

@BOTH
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_s_round_trip(client, model, streamed):
    messages = say("what is the weather?")
    args = {"model": model, "max_tokens": 2000, "tools": [WEATHER], "tool_choice": {"type": "any"}}
    if streamed:
        with client.messages.stream(messages=messages, **args) as stream:
            got = stream.get_final_message()
    else:
        got = client.messages.create(messages=messages, **args)
    assert got.stop_reason == "tool_use"
    [call] = [b for b in got.content if b.type == "tool_use"]
    assert call.name == "get_weather" and isinstance(call.input["location"], str)
    messages += [{"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in got.content]},
                 {"role": "user", "content": [
                     {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}]}]
    got = client.messages.create(model=model, max_tokens=2000, tools=[WEATHER], messages=messages)
    assert got.stop_reason == "end_turn" and text_of(got)


@BOTH
def test_several_calls_at_once(client, well, model):
    for mock in well:
        mock.behave("tool-call same-index")
    with client.messages.stream(model=model, max_tokens=2000, tools=[WEATHER, TIME],
                                messages=say("the weather, and the time")) as stream:
        got = stream.get_final_message()
    calls = [b for b in got.content if b.type == "tool_use"]
    assert [c.name for c in calls] == ["get_weather", "get_time"]
    assert "location" in calls[0].input and calls[1].input == {}
    assert got.stop_reason == "tool_use"
    for mock in well:
        mock.behave("")
    got = client.messages.create(model=model, max_tokens=2000, tools=[WEATHER, TIME], messages=[
        *say("the weather, and the time"),
        {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in got.content]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": c.id, "content": [{"type": "text", "text": "fine"}]}
            for c in calls]}])
    assert text_of(got)


@BOTH
def test_pictures(client, well, model):
    for source in ({"type": "base64", "media_type": "image/png", "data": PIXEL},
                   {"type": "url", "url": "https://example.com/a.png"}):
        got = client.messages.create(model=model, max_tokens=2000, messages=[{"role": "user", "content": [
            {"type": "image", "source": source}, {"type": "text", "text": "what is it?"}]}])
        assert text_of(got)
        sent = json.loads(well[model == TRANSLATED].last().split("\n\n", 1)[1])
        part = sent["messages"][0]["content"][0]
        if model == PASSED:
            assert part["source"] == source
        else:
            assert part["image_url"]["url"] == source.get("url", "data:image/png;base64," + PIXEL)


@BOTH
def test_an_answer_to_a_schema(client, model):
    got = ask(client, model, "answer", output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    answer = json.loads(text_of(got))
    assert set(answer) == {"answer", "sure"} and isinstance(answer["sure"], bool)


@BOTH
def test_thinking_and_sending_it_back(client, well, model):
    if model == TRANSLATED:
        well[1].behave("reasoning 3")
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1500}}
    with client.messages.stream(model=model, max_tokens=2000, messages=say("think"), **thinking) as stream:
        got = stream.get_final_message()
    assert [b.type for b in got.content] == ["thinking", "text"]
    assert got.content[0].thinking == "thought 0 thought 1 thought 2 " and got.content[0].signature
    messages = [*say("think"),
                {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in got.content]},
                *say("go on")]
    # Whoever thought it, the next turn is taken by either.
    for other in (PASSED, TRANSLATED):
        got = client.messages.create(model=other, max_tokens=2000, messages=messages, **thinking)
        assert text_of(got)


def test_counting_tokens(client):
    got = client.messages.count_tokens(model=PASSED, messages=say("hello"))
    assert got.input_tokens > 0
    with pytest.raises(anthropic.APIStatusError) as error:
        client.messages.count_tokens(model=TRANSLATED, messages=say("hello"))
    assert error.value.status_code >= 400 and error.value.body["type"] == "error"


def test_models(client):
    names = [m.id for m in client.models.list()]
    assert {PASSED, TRANSLATED} <= set(names)
    assert client.models.retrieve(PASSED).id == PASSED
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody")


# ---- errors ----------------------------------------------------------------------------

ERRORS = [
    ("status 400", "BadRequestError", "invalid_request_error"),
    ("context-length", "BadRequestError", "invalid_request_error"),
    ("status 429 retry-after 3000", "RateLimitError", "rate_limit_error"),
    ("overloaded", "OverloadedError", "overloaded_error"),
    ("status 500", "InternalServerError", "api_error"),
    ("status 413", "ContentTooLargeError", "request_too_large"),
]


@BOTH
@pytest.mark.parametrize("spec,kind,word", ERRORS)
def test_errors_are_the_sdk_s_own(client, well, model, spec, kind, word):
    for mock in well:
        mock.behave(spec)
    with pytest.raises(anthropic.APIStatusError) as error:
        ask(client, model, "hello")
    assert type(error.value).__name__ == kind
    assert error.value.body["type"] == "error" and error.value.body["error"]["type"] == word
    if model == TRANSLATED:              # else it is Anthropic's own body
        assert error.value.body["request_id"] == error.value.response.headers["request-id"]


def test_refusals_of_our_own(client, proxy):
    with pytest.raises(anthropic.NotFoundError) as error:
        ask(client, "no-such-model", "hello")
    assert error.value.body["error"]["type"] == "not_found_error"
    for path, status in (("/v1/nowhere", 404), ("/v1/messages", 405)):
        got, _, body = proxy.ask(path, method="GET", headers={"anthropic-version": "2023-06-01"})
        assert (got, json.loads(body)["type"]) == (status, "error")
    got, _, body = proxy.ask("/v1/messages", b"{", headers={"anthropic-version": "2023-06-01"})
    assert (got, json.loads(body)["error"]["type"]) == (400, "invalid_request_error")


@BOTH
def test_an_error_in_mid_stream_is_told(client, well, model):
    for mock in well:
        mock.behave("error after 3 overloaded")
    with pytest.raises(anthropic.APIStatusError):
        for _ in client.messages.create(model=model, max_tokens=2000, messages=say("a story"), stream=True):
            pass


@BOTH
def test_the_upstream_is_told_when_the_client_leaves(client, well, model):
    mock = well[model == TRANSLATED]
    mock.behave("gap 50ms tokens 2000")
    before = mock.stats()["cancelled"]
    with client.messages.stream(model=model, max_tokens=4000, messages=say("a story")) as stream:
        for _ in stream.text_stream:
            break
    poll("the cancelled stream", lambda: mock.stats()["cancelled"] > before)


# ---- across vendors -----------------------------------------------------------------------

@pytest.mark.parametrize("model", ["ann-first", "oli-first"])
def test_another_vendor_takes_over(client, well, oracle, model):
    well[model == "oli-first"].behave("status 500")
    got = ask(client, model, "hello")
    assert text_of(got) == oracle.text("hello")
    with client.messages.stream(model=model, max_tokens=2000, messages=say("hello")) as stream:
        assert stream.get_final_text() == oracle.text("hello")


@pytest.mark.parametrize("model", ["ann-first", "oli-first"])
def test_another_vendor_goes_on_in_mid_stream(client, well, model):
    first = well[model == "oli-first"]
    for mock in well:
        mock.behave("gap 5ms")
    seen, killed = "", False
    kinds = []
    for event in client.messages.create(model=model, max_tokens=2000, messages=say("echo: " + STORY),
                                        stream=True):
        kinds.append(event.type)
        if event.type == "content_block_delta":
            seen += event.delta.text
        if not killed and len(seen) > 200:
            first.kill()                 # kill -9
            killed = True
    assert killed and kinds[-1] == "message_stop"
    assert kinds.count("message_start") == kinds.count("content_block_start") == 1
    assert kinds.count("content_block_stop") == kinds.count("message_delta") == 1
    assert seen == STORY


# ---- OpenAI's SDK over Anthropic's API ---------------------------------------------------------

needs_openai = pytest.mark.skipif(openai is None, reason="the OpenAI Python SDK is not installed")


@needs_openai
def test_openai_chat(old_client, oracle):
    got = old_client.chat.completions.create(model=PASSED, messages=say("hello"))
    assert got.choices[0].message.content == oracle.text("hello")
    assert (got.object, got.choices[0].finish_reason) == ("chat.completion", "stop")
    assert got.usage.completion_tokens == 24 and got.usage.prompt_tokens > 0


@needs_openai
def test_openai_stream(old_client, oracle):
    text, finish, usage = "", None, None
    for chunk in old_client.chat.completions.create(model=PASSED, messages=say("a story"), stream=True,
                                                    stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert (text, finish) == (oracle.text("a story"), "stop")
    assert usage.completion_tokens == 24


@needs_openai
def test_openai_tools(old_client, well):
    function = {"type": "function", "function": {
        "name": "get_weather", "description": "The weather", "parameters": WEATHER["input_schema"]}}
    messages = say("what is the weather?")
    got = old_client.chat.completions.create(model=PASSED, messages=messages, tools=[function],
                                             tool_choice="required")
    assert got.choices[0].finish_reason == "tool_calls"
    [call] = got.choices[0].message.tool_calls
    assert "location" in json.loads(call.function.arguments)
    messages += [got.choices[0].message.model_dump(exclude_none=True),
                 {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    got = old_client.chat.completions.create(model=PASSED, messages=messages, tools=[function])
    assert got.choices[0].message.content
    sent = json.loads(well[0].last().split("\n\n", 1)[1])
    assert sent["messages"][-1]["content"][0]["type"] == "tool_result"


@needs_openai
def test_openai_system_schema_picture_and_thinking(old_client, well):
    got = old_client.chat.completions.create(
        model=PASSED, reasoning_effort="low", max_completion_tokens=4000,
        response_format={"type": "json_schema",
                         "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}},
        messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": [
            {"type": "text", "text": "what is it?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}}]}])
    assert set(json.loads(got.choices[0].message.content)) == {"answer", "sure"}
    assert got.choices[0].message.reasoning_content == "thinking about it"
    sent = json.loads(well[0].last().split("\n\n", 1)[1])
    assert sent["system"] == [{"type": "text", "text": "Be brief."}]
    assert sent["messages"][0]["content"][1]["source"]["data"] == PIXEL
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert sent["output_config"]["format"]["schema"] == SCHEMA


@needs_openai
@pytest.mark.parametrize("spec,kind", [
    ("status 400", "BadRequestError"), ("status 429 retry-after 3000", "RateLimitError"),
    ("overloaded", "InternalServerError"), ("context-length", "BadRequestError")])
def test_openai_errors(old_client, well, spec, kind):
    well[0].behave(spec)
    with pytest.raises(openai.APIStatusError) as error:
        old_client.chat.completions.create(model=PASSED, messages=say("hello"))
    assert type(error.value).__name__ == kind
    if spec == "context-length":
        assert error.value.code == "context_length_exceeded"


@needs_openai
@pytest.mark.parametrize("model", ["ann-first", "oli-first"])
def test_openai_goes_on_across_vendors(old_client, well, model):
    first = well[model == "oli-first"]
    for mock in well:
        mock.behave("gap 5ms")
    got, finish = "", None
    for chunk in old_client.chat.completions.create(model=model, messages=say("echo: " + STORY), stream=True):
        for choice in chunk.choices:
            got += choice.delta.content or ""
            finish = choice.finish_reason or finish
        if first.alive() and len(got) > 200:
            first.kill()
    assert (got, finish) == (STORY, "stop")
