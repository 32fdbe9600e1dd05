"""What a backend cannot be told is named, or keeps it out: seen by a client."""

import json
import urllib.error
import urllib.request

import pytest

from harness import CALM, Mock


@pytest.fixture(scope="module")
def proxy(start_proxy, place):
    mock = Mock(place, "losses").start()
    claude = {"targets": [{"backend": "claude", "model": "claude-haiku-4-5"}]}
    yield start_proxy({"defaults": CALM, "backends": {
        "claude": {"dialect": "anthropic", "url": "http://127.0.0.1:%d/v1" % mock.port, "key": "k"}},
        "models": {"strict": claude, "lax": {**claude, "may_lose": ["temperature", "reasoning_effort"]}}})
    mock.kill()


def ask(proxy, model, **more):
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}
    request = urllib.request.Request("http://127.0.0.1:%d/v1/chat/completions" % proxy.port,
                                     json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["x-backstay-dropped"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["x-backstay-dropped"], error.read().decode()


@pytest.mark.parametrize("more, lost", (
    ({"temperature": 1.5}, "temperature"),
    ({"temperature": 0.5, "reasoning_effort": "low"}, "temperature"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
      "tool_choice": "required", "reasoning_effort": "low"}, "reasoning_effort")))
def test_needs_keep_out_unless_they_may_be_lost(proxy, more, lost):
    status, named, text = ask(proxy, "strict", **more)
    assert status == 400 and lost in json.loads(text)["error"]["message"] and named is None
    status, named, _ = ask(proxy, "lax", **more)
    assert (status, named) == (200, lost)


@pytest.mark.parametrize("more, lost", (
    ({"temperature": 0.5}, None),
    ({"max_tokens": 500, "reasoning_effort": "low"}, "reasoning_effort"),
    ({"prompt_cache_key": "k"}, "cache_hint"),
    ({"service_tier": "flex"}, "service_tier")))
def test_what_is_told_by_less_is_named(proxy, more, lost):
    assert ask(proxy, "strict", **more)[:2] == (200, lost)


@pytest.mark.parametrize("stream", (False, True))
def test_json_of_any_shape_is_asked_for_as_a_call_and_told_as_text(proxy, stream):
    status, named, text = ask(proxy, "strict", response_format={"type": "json_object"}, stream=stream)
    assert (status, named) == (200, None)
    if stream:
        chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        choices = [c["choices"][0] for c in chunks if c["choices"]]
        said = "".join(c["delta"].get("content") or "" for c in choices)
        assert not any(c["delta"].get("tool_calls") for c in choices)
        reason = choices[-1]["finish_reason"]
    else:
        choice = json.loads(text)["choices"][0]
        said, reason = choice["message"]["content"], choice["finish_reason"]
        assert not choice["message"].get("tool_calls")
    assert isinstance(json.loads(said), dict) and reason == "stop"
