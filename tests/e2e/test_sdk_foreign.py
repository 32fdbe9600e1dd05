"""The OpenAI Python SDK, unmodified, against the proxy over backends that speak AWS
Bedrock's and Cohere's languages; and AWS's own SDK (node/aws.mjs) against the mock,
to prove the mock and what is signed."""

import json
import os
import shutil
import subprocess

import pytest

from harness import CALM, HERE, PATIENCE_S, Mock, clean_environment, poll
from test_sdk_node import HOME as NODE_HOME

try:
    import openai
except ImportError:
    openai = None

needs_openai = pytest.mark.skipif(openai is None, reason="the OpenAI Python SDK is not installed")

CLAUDE = "us.anthropic.claude-sonnet-4-6-v1:0"
KEYS = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG"
PIXEL = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
         "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather at a place",
    "parameters": {"type": "object", "properties": {"location": {"type": "string"}},
                   "required": ["location"]}}}
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}},
          "required": ["answer", "sure"], "additionalProperties": False}
BACKENDS = ("bedrock", "cohere")


def root(mock):
    return "http://127.0.0.1:%d" % mock.port


@pytest.fixture(scope="module")
def vendors(place):
    """A mock of each vendor, and one of OpenAI to go on with."""
    some = {"bedrock": Mock(place, "bedrock", "--key", KEYS).start(),
            "cohere": Mock(place, "cohere", "--key", "co-key").start(),
            "openai": Mock(place, "openai").start()}
    yield some
    for mock in some.values():
        mock.kill()


@pytest.fixture(scope="module")
def foreign(start_proxy, vendors):
    account, secret = KEYS.split(":")
    return start_proxy({
        "defaults": CALM,
        "backends": {
            "bedrock": {"dialect": "bedrock", "url": root(vendors["bedrock"]), "region": "eu-central-1",
                        "credential": {"kind": "aws", "client": account, "secret": secret}},
            "cohere": {"dialect": "cohere", "url": root(vendors["cohere"]) + "/v2", "key": "co-key"},
            "openai": {"url": vendors["openai"].url},
        },
        "models": {
            "bedrock": {"targets": ["bedrock/" + CLAUDE]},
            "cohere": {"targets": ["cohere/command-a-03-2025"]},
            "embed": {"targets": ["cohere/embed-v4.0"]},
            "bedrock-embed": {"targets": ["bedrock/cohere.embed-v4:0"]},
            "titan": {"targets": ["bedrock/amazon.titan-embed-text-v2:0"]},
            "titan-first": {"targets": [{"backend": "bedrock", "model": "amazon.titan-embed-text-v2:0"},
                                        {"backend": "bedrock", "model": "cohere.embed-v4:0", "priority": 2}]},
            "bedrock-first": {"targets": [{"backend": "bedrock", "model": CLAUDE},
                                          {"backend": "openai", "model": "m", "priority": 2}]},
            "cohere-first": {"targets": [{"backend": "cohere", "model": "command-a"},
                                         {"backend": "bedrock", "model": CLAUDE, "priority": 2}]},
            "openai-first": {"targets": [{"backend": "openai", "model": "m"},
                                         {"backend": "bedrock", "model": CLAUDE, "priority": 2}]},
        },
    })


@pytest.fixture(autouse=True)
def well(request):
    yield
    if "vendors" in request.fixturenames:
        for mock in request.getfixturevalue("vendors").values():
            mock.behave("")


@pytest.fixture
def client(foreign):
    with openai.OpenAI(base_url=foreign.url, api_key="a-client-key", max_retries=0) as one:
        yield one


def say(prompt):
    return [{"role": "user", "content": prompt}]


def gather(stream):
    text, finish, calls, thoughts, usage = "", None, {}, "", None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            thoughts += getattr(choice.delta, "reasoning_content", None) or ""
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or ():
                one = calls.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
                one["id"] += call.id or ""
                one["name"] += call.function.name or ""
                one["arguments"] += call.function.arguments or ""
    return text, finish, calls, thoughts, usage


# ---- the matrix ------------------------------------------------------------------------


@needs_openai
@pytest.mark.parametrize("model", BACKENDS)
class TestChat:
    def test_plain(self, client, oracle, model):
        got = client.chat.completions.create(model=model, messages=say("hello"))
        assert got.choices[0].message.content == oracle.text("hello")
        assert got.choices[0].finish_reason == "stop"
        assert got.model == model and got.id
        assert got.usage.completion_tokens > 0
        assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens

    def test_streaming(self, client, oracle, model):
        text, finish, _, _, usage = gather(client.chat.completions.create(
            model=model, messages=say("hello"), stream=True, stream_options={"include_usage": True}))
        assert text == oracle.text("hello")
        assert finish == "stop"
        assert usage.completion_tokens > 0

    def test_instructions_and_sampling(self, client, vendors, model):
        client.chat.completions.create(
            model=model, messages=[{"role": "system", "content": "Be brief."}, *say("hello")],
            temperature=0.5, top_p=0.25, max_tokens=7)
        sent = json.loads(vendors[model].last().partition("\n\n")[2])
        if model == "bedrock":
            assert sent["system"] == [{"text": "Be brief."}]
            assert sent["inferenceConfig"] == {"maxTokens": 7, "temperature": 0.5, "topP": 0.25}
        else:
            assert sent["messages"][0] == {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
            assert (sent["max_tokens"], sent["temperature"], sent["p"]) == (7, 0.5, 0.25)

    def test_length(self, client, model):
        got = client.chat.completions.create(model=model, messages=say("hello"), max_tokens=3)
        assert got.choices[0].finish_reason == "length"

    @pytest.mark.parametrize("stream", (False, True))
    def test_tool_round_trip(self, client, oracle, model, stream):
        messages = say("How is the weather in Oslo?")
        got = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER], stream=stream)
        if stream:
            _, finish, calls, _, _ = gather(got)
            call = calls[0]
        else:
            finish = got.choices[0].finish_reason
            one = got.choices[0].message.tool_calls[0]
            call = {"id": one.id, "name": one.function.name, "arguments": one.function.arguments}
        assert finish == "tool_calls"
        assert call["name"] == "get_weather"
        assert "location" in json.loads(call["arguments"])
        messages.append({"role": "assistant", "content": None, "tool_calls": [
            {"id": call["id"], "type": "function",
             "function": {"name": call["name"], "arguments": call["arguments"]}}]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": "Sunny."})
        got = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
        assert got.choices[0].finish_reason == "stop"
        assert got.choices[0].message.content

    @pytest.mark.parametrize("stream", (False, True))
    def test_parallel_tools(self, client, vendors, model, stream):
        vendors[model].next("tool-call same-index")
        got = client.chat.completions.create(model=model, messages=say("weather and time"), tools=[WEATHER],
                                             stream=stream)
        if stream:
            calls = [(c["name"], c["arguments"]) for c in gather(got)[2].values()]
        else:
            calls = [(c.function.name, c.function.arguments) for c in got.choices[0].message.tool_calls]
        assert [name for name, _ in calls] == ["get_weather", "get_time"]
        assert calls[1][1] == "{}"
        json.loads(calls[0][1])

    def test_chosen_tool(self, client, vendors, model):
        client.chat.completions.create(
            model=model, messages=say("hello"), tools=[WEATHER],
            tool_choice={"type": "function", "function": {"name": "get_weather"}})
        sent = json.loads(vendors[model].last().partition("\n\n")[2])
        if model == "bedrock":
            assert sent["toolConfig"]["toolChoice"] == {"tool": {"name": "get_weather"}}
        else:
            assert sent["tool_choice"] == "REQUIRED"

    def test_image(self, client, vendors, model):
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": [
            {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]}])
        sent = json.loads(vendors[model].last().partition("\n\n")[2])
        part = sent["messages"][0]["content"][1]
        data = PIXEL.partition(",")[2]
        if model == "bedrock":
            assert part == {"image": {"format": "png", "source": {"bytes": data}}}
        else:
            assert part == {"type": "image_url", "image_url": {"url": PIXEL}}

    def test_schema(self, client, model):
        got = client.chat.completions.create(model=model, messages=say("hello"), response_format={
            "type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}})
        assert set(json.loads(got.choices[0].message.content)) == {"answer", "sure"}

    @pytest.mark.parametrize("stream", (False, True))
    def test_reasoning(self, client, model, stream):
        got = client.chat.completions.create(model=model, messages=say("hello"), reasoning_effort="low",
                                             stream=stream)
        if stream:
            assert gather(got)[3].startswith("thought 0 ")
        else:
            assert got.choices[0].message.reasoning_content.startswith(("thought 0 ", "thinking about it"))

    def test_stop(self, client, oracle, model):
        word = oracle.text("hello").split()[3]
        got = client.chat.completions.create(model=model, messages=say("hello"), stop=[word])
        assert word not in got.choices[0].message.content
        assert got.choices[0].finish_reason == "stop"

    @pytest.mark.parametrize("status, error", ((400, "BadRequestError"), (429, "RateLimitError"),
                                               (500, "InternalServerError"), (503, "InternalServerError")))
    def test_errors(self, client, vendors, model, status, error):
        vendors[model].behave("status %d" % status)
        with pytest.raises(getattr(openai, error)) as raised:
            client.chat.completions.create(model=model, messages=say("hello"))
        assert raised.value.body["message"]
        assert raised.value.body["type"]

    def test_error_first(self, client, vendors, model):
        vendors[model].behave("error first status 503")
        with pytest.raises(openai.APIError):
            gather(client.chat.completions.create(model=model, messages=say("hello"), stream=True))

    def test_error_in_the_middle(self, client, vendors, model):
        vendors[model].behave("gap 5ms error after 3 status 503")
        text = ""
        with pytest.raises(openai.APIError):
            for chunk in client.chat.completions.create(model=model, messages=say("hello"), stream=True):
                text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        assert text

    @pytest.mark.parametrize("spec", ("cut after 3", "end after 3", "cut mid-event after 3", "bad-json after 3",
                                      "bad-sum after 3", "reset after 3", "no-finish", "no-ending"))
    def test_no_broken_stream_looks_whole(self, client, vendors, model, spec):
        vendors[model].behave("gap 5ms " + spec)
        with pytest.raises(openai.APIError):
            gather(client.chat.completions.create(model=model, messages=say("hello"), stream=True))

    def test_cancel(self, client, vendors, model):
        before = vendors[model].stats()["cancelled"]
        vendors[model].behave("gap 50ms tokens 1000")
        stream = client.chat.completions.create(model=model, messages=say("hello"), stream=True)
        next(iter(stream))
        stream.close()
        poll("the cancelled stream", lambda: vendors[model].stats()["cancelled"] > before)

    def test_what_cannot_be_said_is_not_dropped(self, client, model):
        with pytest.raises(openai.BadRequestError) as raised:
            client.chat.completions.create(model=model, messages=say("hello"), logit_bias={"1": 2})
        assert "logit_bias" in raised.value.body["message"]


# ---- across vendors ----------------------------------------------------------------------


@needs_openai
@pytest.mark.parametrize("model, first", (("bedrock-first", "bedrock"), ("cohere-first", "cohere"),
                                          ("openai-first", "openai")))
class TestAcross:
    @pytest.mark.parametrize("spec", ("status 503", "error first status 503", "ttft 0ms cut after 0", "bad-sum first"))
    def test_fallback(self, client, oracle, vendors, model, first, spec):
        vendors[first].next(spec)
        text, finish, _, _, _ = gather(client.chat.completions.create(
            model=model, messages=say("hello"), stream=True))
        assert (text, finish) == (oracle.text("hello"), "stop")

    @pytest.mark.parametrize("spec", ("cut after 5", "error after 5 status 500", "bad-sum after 5"))
    def test_resume(self, client, oracle, vendors, model, first, spec):
        vendors[first].next("gap 5ms " + spec)
        with client.chat.completions.with_streaming_response.create(
                model=model, messages=say("hello"), stream=True) as raw:
            text, finish, _, _, _ = gather(raw.parse())
        assert (text, finish) == (oracle.text("hello"), "stop")

    def test_fallback_with_tools_and_pictures(self, client, vendors, model, first):
        messages = [{"role": "user", "content": [
            {"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function",
                 "function": {"name": "get_weather", "arguments": "{\"location\":\"Oslo\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Sunny."}]
        vendors[first].next("status 500 times 2")
        got = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
        assert got.choices[0].finish_reason == "stop"
        assert got.choices[0].message.content


@needs_openai
@pytest.mark.parametrize("model", ("embed", "bedrock-embed", "titan-first"))
def test_embeddings(client, model):
    """Titan takes one text at a time: several are for another."""
    plain = client.embeddings.create(model=model, input=["a", "b"], encoding_format="float")
    packed = client.embeddings.create(model=model, input=["a", "b"])
    assert [d.index for d in plain.data] == [0, 1]
    assert len(plain.data[0].embedding) == 64
    for one, other in zip(plain.data, packed.data):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert plain.usage.prompt_tokens > 0 or model != "embed"


@needs_openai
def test_embeddings_of_titan(client):
    plain = client.embeddings.create(model="titan", input="a", encoding_format="float", dimensions=256)
    assert len(plain.data[0].embedding) == 256 and plain.usage.prompt_tokens > 0
    with pytest.raises(openai.APIStatusError) as error:
        client.embeddings.create(model="titan", input=["a", "b"])
    assert error.value.status_code in (400, 404)


# ---- credentials ----------------------------------------------------------------------------


def bedrock_config(mock, **backend):
    return {"defaults": CALM,
            "backends": {"aws": {"dialect": "bedrock", "url": root(mock), "region": "us-east-1", **backend}},
            "models": {"chat": {"targets": ["aws/" + CLAUDE]}}}


def aws_environment(**more):
    env = {k: v for k, v in clean_environment().items() if not k.startswith("AWS_")}
    env.update(HOME="/nonexistent", **more)
    return env


def test_keys_of_the_environment(vendors, start_proxy, oracle):
    account, secret = KEYS.split(":")
    proxy = start_proxy(bedrock_config(vendors["bedrock"]),
                        aws_environment(AWS_ACCESS_KEY_ID=account, AWS_SECRET_ACCESS_KEY=secret))
    status, _, body = proxy.chat()
    assert status == 200, body
    assert body["choices"][0]["message"]["content"] == oracle.text("hello")


def test_a_bearer_key(vendors, start_proxy):
    proxy = start_proxy(bedrock_config(vendors["bedrock"]), aws_environment(AWS_BEARER_TOKEN_BEDROCK=KEYS))
    status, _, body = proxy.chat()
    assert status == 200, body


def test_a_profile_of_the_shared_file(place, vendors, start_proxy):
    account, secret = KEYS.split(":")
    file = place / "credentials"
    file.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = old\n"
                    "[work]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % (account, secret))
    proxy = start_proxy(bedrock_config(vendors["bedrock"], credential={
        "kind": "aws", "file": str(file), "profile": "work"}), aws_environment())
    status, _, body = proxy.chat()
    assert status == 200, body


def test_session_tokens_of_a_machine(place, start_proxy):
    mock = Mock(place, "machine", "--key", "AKIDROLE:role-secret:role+token/==").start()
    try:
        proxy = start_proxy(bedrock_config(mock), aws_environment(
            AWS_EC2_METADATA_SERVICE_ENDPOINT=root(mock)))
        status, _, body = proxy.chat()
        assert status == 200, body
        assert mock.stats("aws")["requests"] >= 3
    finally:
        mock.kill()


def test_keys_of_a_container(place, start_proxy):
    mock = Mock(place, "container", "--key", "AKIDTASK:task-secret:t").start()
    token = place / "token"
    token.write_text("mock-container\n")
    try:
        proxy = start_proxy(bedrock_config(mock), aws_environment(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=root(mock) + "/aws-container/keys?x=1",
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token)))
        status, _, body = proxy.chat()
        assert status == 200, body
    finally:
        mock.kill()


def test_a_wrong_clock_is_seen_and_made_good(place, start_proxy):
    mock = Mock(place, "late", "--key", KEYS).start()
    account, secret = KEYS.split(":")
    try:
        mock.behave("clock-ahead 1h")
        config = bedrock_config(mock, credential={"kind": "aws", "client": account, "secret": secret})
        config["workers"] = 1           # each worker finds out for itself
        proxy = start_proxy(config, aws_environment())
        for attempts in ("2", "1"):
            status, headers, body = proxy.chat()
            assert status == 200, body
            assert headers["x-backstay-attempts"] == attempts
    finally:
        mock.kill()


def test_wrong_keys_are_told(place, start_proxy):
    mock = Mock(place, "strict", "--key", KEYS).start()
    try:
        proxy = start_proxy(bedrock_config(mock, credential={
            "kind": "aws", "client": "AKIDEXAMPLE", "secret": "wrong"}), aws_environment())
        status, _, body = proxy.chat()
        assert status == 502
        assert body["error"]["code"] in ("upstream_credential", "InvalidSignatureException")
    finally:
        mock.kill()


# ---- AWS's own SDK against the mock -------------------------------------------------------------


AWS = os.path.join(HERE, "node", "aws.mjs")


def why_no_aws():
    if not shutil.which("node"):
        return "node is not installed"
    if not os.path.isdir(os.path.join(NODE_HOME, "node_modules", "@aws-sdk", "client-bedrock-runtime")):
        return "the AWS SDK for JavaScript is not installed"
    return None


@pytest.mark.skipif(why_no_aws() is not None, reason=why_no_aws() or "")
@pytest.mark.parametrize("case", ("converse", "stream", "tools", "reasoning", "count", "exceptions", "errors",
                                  "signature", "session"))
def test_aws_sdk(vendors, oracle, case, place):
    with_token = Mock(place, "token-" + case, "--key", "AKID:s/e+c:to/k+en==").start() if case == "session" else None
    mock = with_token or vendors["bedrock"]
    try:
        script = shutil.copy(AWS, NODE_HOME)
        env = aws_environment(MOCK=root(mock), KEYS=(mock.options[1]), TRUTH=oracle.text("hello"), CASE=case)
        ended = subprocess.run(["node", "--no-warnings", script, case], env=env, capture_output=True, text=True,
                               timeout=2 * PATIENCE_S)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    finally:
        if with_token:
            with_token.kill()
