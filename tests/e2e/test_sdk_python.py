"""The OpenAI Python SDK, unmodified, against the proxy."""

import asyncio
import base64
import io
import json

import pytest

try:
    import openai
    from pydantic import BaseModel
except ImportError:
    openai, BaseModel = None, object

pytestmark = pytest.mark.skipif(openai is None, reason="the OpenAI Python SDK is not installed")

PIXEL = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkY"
         "Phf DwAChwGA60e6kgAAAABJRU5ErkJggg==").replace(" ", "")
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}},
                       "required": ["location"], "additionalProperties": False},
    },
}


class Answer(BaseModel):
    answer: str
    steps: list[str]
    sure: bool


@pytest.fixture
def client(proxy, healthy):
    with openai.OpenAI(base_url=proxy.url, api_key="a-client-key") as one:
        yield one


def say(prompt):
    return [{"role": "user", "content": prompt}]


def test_chat(client, oracle):
    got = client.chat.completions.create(model="chat", messages=say("hello"))
    assert got.choices[0].message.content == oracle.text("hello")
    assert got.choices[0].finish_reason == "stop"
    assert got.usage.completion_tokens > 0
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens


def test_chat_names_the_request_and_the_target(client):
    raw = client.chat.completions.with_raw_response.create(
        model="chat", messages=say("hello"), extra_headers={"x-request-id": "mine-17"})
    assert raw.request_id == "mine-17"
    assert raw.headers["x-backstay-target"].split("/")[0] in ("alpha", "bravo", "charlie")
    assert raw.headers["x-backstay-attempts"] == "1"
    assert "x-backstay-degraded" not in raw.headers
    assert raw.parse().choices[0].message.content


def test_stream(client, oracle):
    text, finish = "", None
    with client.chat.completions.create(model="chat", messages=say("a story"), stream=True) as all:
        for chunk in all:
            assert chunk.object == "chat.completion.chunk"
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                finish = chunk.choices[0].finish_reason or finish
    assert (text, finish) == (oracle.text("a story"), "stop")


def test_stream_with_usage(client):
    chunks = list(client.chat.completions.create(
        model="chat", messages=say("count"), stream=True, stream_options={"include_usage": True}))
    assert [c.usage is not None for c in chunks].count(True) == 1
    assert chunks[-1].usage.completion_tokens == 24
    assert chunks[-1].choices == []


def test_stream_without_usage(client):
    chunks = list(client.chat.completions.create(model="chat", messages=say("count"), stream=True))
    assert not any(c.usage for c in chunks)


def test_stream_helper_gives_the_whole_message(client, oracle):
    with client.chat.completions.stream(model="chat", messages=say("helper")) as stream:
        deltas = "".join(e.delta for e in stream if e.type == "content.delta")
        whole = stream.get_final_completion()
    assert deltas == whole.choices[0].message.content == oracle.text("helper")


def test_with_streaming_response(client, oracle):
    with client.chat.completions.with_streaming_response.create(
            model="chat", messages=say("lines"), stream=True) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        data = [line[6:] for line in response.iter_lines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    text = "".join((c["delta"].get("content") or "") for line in data[:-1]
                   for c in json.loads(line)["choices"])
    assert text == oracle.text("lines")


def test_async_unary_and_streams_at_once(proxy, healthy, oracle):
    async def stream(client, prompt):
        text = ""
        async for chunk in await client.chat.completions.create(
                model="chat", messages=say(prompt), stream=True):
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
        return text

    async def whole(client, prompt):
        got = await client.chat.completions.create(model="chat", messages=say(prompt))
        return got.choices[0].message.content

    async def all():
        async with openai.AsyncOpenAI(base_url=proxy.url, api_key="k") as client:
            return await asyncio.gather(*(
                (stream if i % 2 else whole)(client, "async %d" % i) for i in range(40)))

    assert asyncio.run(all()) == [oracle.text("async %d" % i) for i in range(40)]


def test_tool_call_round_trip(client):
    messages = say("What is the weather in Zürich?")
    first = client.chat.completions.create(model="chat", messages=messages, tools=[WEATHER])
    call = first.choices[0].message.tool_calls[0]
    assert first.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["location"], str)
    messages += [first.choices[0].message,
                 {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'}]
    second = client.chat.completions.create(model="chat", messages=messages, tools=[WEATHER])
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content


def test_tool_call_in_a_stream(client):
    name, arguments, finish = "", "", None
    for chunk in client.chat.completions.create(
            model="chat", messages=say("the weather, please"), tools=[WEATHER], stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            assert call.index == 0
            name += call.function.name or ""
            arguments += call.function.arguments or ""
        finish = chunk.choices[0].finish_reason or finish
    assert (name, finish) == ("get_weather", "tool_calls")
    assert "location" in json.loads(arguments)


def test_image_in_the_conversation(client, healthy):
    got = client.chat.completions.create(model="only-alpha", messages=[{
        "role": "user", "content": [{"type": "text", "text": "What is this?"},
                                    {"type": "image_url", "image_url": {"url": PIXEL}}]}])
    assert got.choices[0].message.content
    assert PIXEL in healthy[0].last()


def test_json_schema_is_parsed(client):
    got = client.chat.completions.parse(model="chat", messages=say("structured"),
                                        response_format=Answer)
    assert isinstance(got.choices[0].message.parsed, Answer)


def test_json_schema_is_parsed_from_a_stream(client):
    with client.chat.completions.stream(model="chat", messages=say("structured"),
                                        response_format=Answer) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Answer)


def test_several_choices(client):
    got = client.chat.completions.create(model="chat", messages=say("three"), n=3)
    assert [c.index for c in got.choices] == [0, 1, 2]
    assert len({c.message.content for c in got.choices}) == 3


def test_several_choices_in_a_stream(client):
    whole = client.chat.completions.create(model="chat", messages=say("three"), n=3)
    texts = ["", "", ""]
    for chunk in client.chat.completions.create(model="chat", messages=say("three"), n=3,
                                                stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [c.message.content for c in whole.choices]


def test_logprobs(client, oracle):
    tokens = [t for chunk in client.chat.completions.create(
        model="chat", messages=say("odds"), logprobs=True, stream=True) if chunk.choices
        for t in (chunk.choices[0].logprobs.content if chunk.choices[0].logprobs else [])]
    assert "".join(t.token for t in tokens) == oracle.text("odds")
    assert all(t.logprob <= 0 for t in tokens)
    whole = client.chat.completions.create(model="chat", messages=say("odds"), logprobs=True)
    assert whole.choices[0].message.content.startswith(
        whole.choices[0].logprobs.content[0].token)


def test_length_is_a_finish_reason(client):
    got = client.chat.completions.create(model="chat", messages=say("short"), max_tokens=3)
    assert (got.choices[0].finish_reason, got.usage.completion_tokens) == ("length", 3)


def test_unknown_fields_go_through_untouched(client, healthy):
    got = client.chat.completions.create(
        model="only-alpha", messages=say("odd"), extra_query={"odd": "yes & no"},
        extra_body={"a_field_of_tomorrow": {"big": 12345678901234567890, "exact": 1.10}},
        extra_headers={"x-of-tomorrow": "kept"})
    assert got.choices
    seen = healthy[0].last()
    body = seen.partition("\n\n")[2]
    assert '"big":12345678901234567890' in body.replace(" ", "")
    assert '"model":"mock-large"' in body.replace(" ", "")
    assert "x-of-tomorrow: kept" in seen
    assert "/v1/chat/completions?odd=yes" in seen.splitlines()[0]


def test_completions(client):
    got = client.completions.create(model="chat", prompt="Once upon a time")
    text = ""
    for chunk in client.completions.create(model="chat", prompt="Once upon a time", stream=True):
        text += chunk.choices[0].text if chunk.choices else ""
    assert text == got.choices[0].text != ""


def test_embeddings_come_as_floats_from_base64(client, healthy):
    got = client.embeddings.create(model="only-alpha", input=["one", "two"])
    assert '"encoding_format":"base64"' in healthy[0].last().replace(" ", "")
    assert [d.index for d in got.data] == [0, 1]
    assert all(isinstance(v, float) for v in got.data[0].embedding)
    plain = client.embeddings.create(model="embed", input=["one", "two"], encoding_format="float")
    assert plain.data[1].embedding == pytest.approx(got.data[1].embedding, abs=1e-5)


def test_responses(client):
    got = client.responses.create(model="chat", input="Say something")
    assert got.status == "completed"
    assert got.output_text
    assert got.usage.output_tokens > 0


def test_responses_in_a_stream(client):
    whole = client.responses.create(model="chat", input="Say something")
    kinds, text, final = [], "", None
    for event in client.responses.create(model="chat", input="Say something", stream=True):
        kinds.append(event.type)
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type == "response.completed":
            final = event.response
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert text == final.output_text == whole.output_text


def test_responses_call_a_function(client):
    tool = {"type": "function", "strict": True, **WEATHER["function"]}
    asked = [{"role": "user", "content": "the weather in Zürich"}]
    first = client.responses.create(model="chat", input=asked, tools=[tool])
    call = next(item for item in first.output if item.type == "function_call")
    assert "location" in json.loads(call.arguments)
    asked += [call, {"type": "function_call_output", "call_id": call.call_id, "output": "21"}]
    assert client.responses.create(model="chat", input=asked, tools=[tool]).output_text


def test_responses_parse(client):
    got = client.responses.parse(model="chat", input="structured", text_format=Answer)
    assert isinstance(got.output_parsed, Answer)


def test_models(client):
    names = [m.id for m in client.models.list()]
    assert set(names) == {"chat", "embed", "only-alpha", "only-bravo", "only-charlie", "spare"}
    assert client.models.retrieve("chat").id == "chat"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def test_moderations(client):
    got = client.moderations.create(model="chat", input="a kind word")
    assert got.results[0].flagged is False


def test_transcription(client, healthy):
    got = client.audio.transcriptions.create(
        model="only-alpha", file=("speech.wav", io.BytesIO(b"RIFF" + bytes(range(256)) * 40)))
    assert "somebody speaks" in got.text
    seen = healthy[0].last()
    assert "multipart/form-data" in seen
    assert "mock-large" in seen and "only-alpha" not in seen


def test_speech_comes_byte_by_byte(client):
    got = client.audio.speech.create(model="chat", voice="alloy", input="Hello").read()
    assert got[:4] == b"RIFF" and len(got) == 108
    with client.audio.speech.with_streaming_response.create(
            model="chat", voice="alloy", input="Hello") as response:
        assert b"".join(response.iter_bytes()) == got


def test_images(client):
    got = client.images.generate(model="chat", prompt="a harbour")
    assert base64.b64decode(got.data[0].b64_json).startswith(b"\x89PNG")


def test_files(client):
    made = client.files.create(purpose="batch", file=("batch.jsonl", b'{"custom_id":"1"}\n'))
    assert made.id.startswith("file-")
    assert client.files.retrieve(made.id).object == "file"
    assert list(client.files.list()) == []
    assert client.files.delete(made.id).deleted


def test_rerank(client):
    got = client.post("/rerank", body={"model": "chat", "query": "q", "documents": ["a", "b"]},
                      cast_to=object)
    assert [r["index"] for r in got["results"]] == [0, 1]


def test_a_large_conversation(client, oracle):
    prompt = "naïve 東京 🙂 " * 60000
    got = client.chat.completions.create(model="chat", messages=say(prompt))
    assert got.choices[0].finish_reason == "stop"


def test_the_fallback_model_is_said(client, healthy):
    healthy[0].behave("status 500")
    raw = client.chat.completions.with_raw_response.create(model="spare", messages=say("hi"))
    assert raw.headers["x-backstay-degraded"] == "fallback"
    assert raw.headers["x-backstay-target"].startswith("bravo/")
    assert raw.parse().choices[0].message.content


def test_a_whole_answer_although_the_backend_streams(client, healthy, oracle):
    healthy[0].behave("sse-for-json")
    got = client.chat.completions.create(model="only-alpha", messages=say("form"))
    assert got.choices[0].message.content == oracle.text("form")


def test_a_stream_although_the_backend_answers_whole(client, healthy, oracle):
    healthy[0].behave("json-for-stream")
    text = "".join(c.choices[0].delta.content or "" for c in client.chat.completions.create(
        model="only-alpha", messages=say("form"), stream=True) if c.choices)
    assert text == oracle.text("form")


def test_the_access_log_tells_what_the_sdk_saw(client, proxy):
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=say("logged"))
    record = proxy.record_of(raw.headers["x-request-id"])
    usage = raw.parse().usage
    assert record["tokens"]["output"] == usage.completion_tokens
    assert record["target"] == raw.headers["x-backstay-target"]
    assert (record["status"], record["model"], record["stream"]) == (200, "chat", False)
    assert "logged" not in json.dumps(record)


