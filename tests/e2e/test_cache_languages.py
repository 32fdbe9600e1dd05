"""A kept answer is given in the language and form that is asked for, whichever it was
computed in: every pair of APIs that clients speak, whole answers and streams."""

import json

import pytest

from harness import Mock, Proxy

SYSTEM, QUESTION = "Answer in one sentence.", "What is kept of #%s?"
LIMIT = 400


def chat(question, stream):
    body = {"model": "chat", "max_tokens": LIMIT, "temperature": 0, "messages": [
        {"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]}
    return "/v1/chat/completions", {**body, "stream": True} if stream else body


def responses(question, stream):
    body = {"model": "chat", "max_output_tokens": LIMIT, "temperature": 0.0, "store": False,
            "input": [{"role": "system", "content": SYSTEM},
                      {"role": "user", "content": [{"type": "input_text", "text": question}]}]}
    return "/v1/responses", {**body, "stream": True} if stream else body


def messages(question, stream):
    body = {"model": "chat", "max_tokens": LIMIT, "temperature": 0, "system": SYSTEM,
            "messages": [{"role": "user", "content": [{"type": "text", "text": question}]}]}
    return "/v1/messages", {**body, "stream": True} if stream else body


def gemini(question, stream):
    body = {"systemInstruction": {"parts": [{"text": SYSTEM}]},
            "contents": [{"role": "user", "parts": [{"text": question}]}],
            "generationConfig": {"temperature": 0, "maxOutputTokens": LIMIT}}
    what = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return "/v1beta/models/chat:" + what, body


LANGUAGES = {"chat": chat, "responses": responses, "messages": messages, "gemini": gemini}


def events_of(text):
    """The JSON of each event of a stream that must end well."""
    datas = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(d) for d in datas if d != "[DONE]"], datas[-1]


def text_of(language, stream, raw):
    """What the answer says, as its language has it; asserts that it is complete."""
    raw = raw.decode()
    if not stream:
        answer = json.loads(raw)
        if language == "chat":
            assert answer["choices"][0]["finish_reason"] == "stop"
            return answer["choices"][0]["message"]["content"]
        if language == "responses":
            assert answer["status"] == "completed"
            return "".join(p["text"] for item in answer["output"] if item["type"] == "message"
                           for p in item["content"])
        if language == "messages":
            assert answer["stop_reason"] == "end_turn" and answer["type"] == "message"
            return "".join(p["text"] for p in answer["content"])
        assert answer["candidates"][0]["finishReason"] == "STOP"
        return "".join(p["text"] for p in answer["candidates"][0]["content"]["parts"])
    events, last = events_of(raw)
    if language == "chat":
        assert last == "[DONE]"
        return "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])
    if language == "responses":
        assert events[-1]["type"] == "response.completed"
        return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    if language == "messages":
        assert events[-1]["type"] == "message_stop"
        return "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta")
    told = [c for e in events for c in e.get("candidates", ())]
    assert told[-1]["finishReason"] == "STOP"
    return "".join(p.get("text", "") for c in told
                   for p in c.get("content", {}).get("parts", []))


@pytest.fixture(scope="module")
def mock(place):
    one = Mock(place, "languages", "--ttft", "1ms", "--gap", "0ms", "--tokens", "30").start()
    yield one
    one.kill()


@pytest.fixture(scope="module")
def proxy(place, mock):
    one = Proxy(place, {"backends": {"alpha": {"url": mock.url}}, "models": {
        "chat": {"targets": ["alpha/mock-large"], "cache": {"fresh": "1h", "tools": "on"}}}}, "languages").start()
    yield one
    assert one.stop() == 0


def ask(proxy, language, stream, question):
    path, body = LANGUAGES[language](question, stream)
    status, headers, raw = proxy.ask(path, body)
    assert status == 200, raw
    return headers["x-backstay-cache"], text_of(language, stream, raw), headers["x-request-id"]


@pytest.mark.parametrize("first_streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("first", LANGUAGES)
def test_kept_in_one_given_in_all(proxy, mock, first, first_streams):
    question = QUESTION % (first + str(first_streams))
    before = mock.stats()["requests"]
    use, said, _ = ask(proxy, first, first_streams, question)
    assert use == "miss" and len(said) > 50
    for language in LANGUAGES:
        for stream in (False, True):
            use, again, name = ask(proxy, language, stream, question)
            assert (use, again) == ("hit", said), (language, stream)
            record = proxy.record_of(name)
            assert record["cost"] == 0 and record["cache"] == "hit"
    assert mock.stats()["requests"] == before + 1


def changed(language, how):
    path, body = LANGUAGES[language]("one question", False)
    how(body)
    return path, body


@pytest.mark.parametrize("path,body", [
    changed("chat", lambda b: b.update(max_tokens=401)),
    changed("chat", lambda b: b.update(temperature=0.5)),
    changed("chat", lambda b: b.update(seed=7)),
    changed("chat", lambda b: b.update(some_vendors_member=1)),
    changed("chat", lambda b: b["messages"][0].update(role="developer")),
    changed("chat", lambda b: b["messages"][1].update(content="another question")),
    changed("chat", lambda b: b["messages"].append({"role": "assistant", "content": "It"})),
    changed("chat", lambda b: b.update(response_format={"type": "json_object"})),
    changed("chat", lambda b: b.update(stop=["x"])),
    changed("messages", lambda b: b.update(top_k=5)),
    changed("messages", lambda b: b.update(system="Answer in two sentences.")),
    changed("messages", lambda b: b.update(tools=[{"name": "f", "input_schema": {"type": "object"}}])),
    changed("responses", lambda b: b.update(store=True)),
    changed("gemini", lambda b: b["generationConfig"].update(topP=0.5)),
], ids=str)
def test_what_changes_the_answer_is_another_question(proxy, path, body):
    ask(proxy, "chat", False, "one question")
    status, headers, raw = proxy.ask(path, body)
    assert status == 200, raw
    assert headers["x-backstay-cache"] == "miss"


def test_what_changes_nothing_is_the_same_question(proxy):
    ask(proxy, "messages", False, "the same question")
    path, body = chat("the same question", False)
    for more in ({"user": "u"}, {"metadata": {"a": "b"}}, {"top_p": 1.0}, {"n": 1}, {"tool_choice": None},
                 {"messages": [{"content": SYSTEM, "role": "system"},
                               {"role": "user", "content": [{"type": "text", "text": "the same \u0071uestion"}]}]}):
        status, headers, raw = proxy.ask(path, {**body, **more})
        assert status == 200 and headers["x-backstay-cache"] == "hit", (more, raw)
    status, headers, _ = proxy.ask("/v1/messages", messages("the same question", False)[1],
                                   headers={"anthropic-version": "2023-06-01"})
    assert headers["x-backstay-cache"] == "hit"
    status, headers, _ = proxy.ask("/v1/messages", messages("the same question", False)[1],
                                   headers={"anthropic-beta": "something-new"})
    assert headers["x-backstay-cache"] == "miss"


def test_a_call_of_a_tool(proxy, mock):
    """Calls travel too, where the config keeps them."""
    tool = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    question = [{"role": "user", "content": "weather?"}]
    before = mock.stats()["requests"]
    status, headers, raw = proxy.ask("/v1/chat/completions", {
        "model": "chat", "max_tokens": LIMIT, "messages": question, "temperature": 0,
        "tools": [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": tool}}]})
    assert status == 200, raw
    call = json.loads(raw)["choices"][0]["message"]["tool_calls"][0]
    status, headers, raw = proxy.ask("/v1/messages", {
        "model": "chat", "max_tokens": LIMIT, "messages": question, "temperature": 0,
        "tools": [{"name": "weather", "description": "d", "input_schema": tool}]})
    assert status == 200 and headers["x-backstay-cache"] == "hit", raw
    answer = json.loads(raw)
    use = next(p for p in answer["content"] if p["type"] == "tool_use")
    assert answer["stop_reason"] == "tool_use"
    assert (use["id"], use["name"]) == (call["id"], call["function"]["name"])
    assert mock.stats()["requests"] == before + 1
    assert use["input"] == json.loads(call["function"]["arguments"])
