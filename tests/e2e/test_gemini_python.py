"""The Google Gen AI Python SDK, unmodified, against the proxy: over the Gemini API and
Vertex AI (passed on), over OpenAI's API and Anthropic's (translated); and OpenAI's SDK
over Gemini. A Vertex token is fetched with a service account's key."""

import base64
import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest

from harness import Mock, poll

try:
    from google import genai
    from google.genai import errors, types
except ImportError:
    genai = None
try:
    import openai
except ImportError:
    openai = None

pytestmark = pytest.mark.skipif(genai is None, reason="the Google Gen AI Python SDK is not installed")

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6k"
                         "gAAAABJRU5ErkJggg==")
KEY = "upstream-secret-of-ours"
STORY = " ".join("word%d" % i for i in range(200))
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}},
          "required": ["answer", "sure"]}
# What each of the proxy's models is reached over.
PASSED, VERTEX, OPENAI, CLAUDE = "gem", "vert", "gpt", "claude"
ALL = pytest.mark.parametrize("model", [PASSED, VERTEX, OPENAI, CLAUDE])
VENDOR = {PASSED: "gem", VERTEX: "vert", OPENAI: "oli", CLAUDE: "ann"}


def root(mock):
    return "http://127.0.0.1:%d" % mock.port


def service_account(place, token_url):
    pem = subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt",
                          "rsa_keygen_bits:2048"], check=True, capture_output=True, text=True).stdout
    path = os.path.join(str(place), "service-account.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"type": "service_account", "project_id": "proj", "private_key_id": "k1",
                   "private_key": pem, "client_email": "bot@proj.iam", "token_uri": token_url}, file)
    return path


@pytest.fixture(scope="module")
def vendors(place):
    some = {name: Mock(place, "genai-" + name, "--key", KEY).start() for name in
            ("gem", "vert", "oli", "ann", "token")}
    yield some
    for mock in some.values():
        mock.kill()


@pytest.fixture(scope="module")
def proxy(start_calm_proxy, vendors, place):
    key_file = service_account(place, root(vendors["token"]) + "/token")
    gem = {"backend": "gem", "model": "gemini-2.5-flash"}
    oli = {"backend": "oli", "model": "gpt-large"}
    return start_calm_proxy({
        "backends": {
            "gem": {"dialect": "gemini", "url": root(vendors["gem"]), "key": KEY},
            "vert": {"dialect": "vertex", "url": root(vendors["vert"]), "location": "europe-west4",
                     "credential": {"kind": "google", "file": key_file}},
            "oli": {"url": vendors["oli"].url, "key": KEY},
            "ann": {"dialect": "anthropic", "url": root(vendors["ann"]), "key": KEY},
        },
        "models": {
            PASSED: {"targets": [gem]},
            VERTEX: {"targets": [{"backend": "vert", "model": "gemini-3-pro-preview"}]},
            OPENAI: {"targets": [oli]},
            CLAUDE: {"targets": [{"backend": "ann", "model": "claude-haiku-4-5"}]},
            "vectors": {"targets": [{"backend": "gem", "model": "gemini-embedding-001"}]},
            "old-vectors": {"targets": [{"backend": "vert", "model": "text-embedding-005"}]},
            "gem-first": {"targets": [gem, {**oli, "priority": 2}]},
            "oli-first": {"targets": [oli, {**gem, "priority": 2}]},
        },
    })


@pytest.fixture
def well(vendors):
    for mock in vendors.values():
        if not mock.alive():
            mock.start()
        mock.behave("")
    return vendors


@pytest.fixture
def client(proxy, well):
    return genai.Client(api_key="a-client-key",
                        http_options=types.HttpOptions(base_url="http://127.0.0.1:%d" % proxy.port))


def sent_to(mock):
    return json.loads(mock.last().split("\n\n", 1)[1])


def text_of(answer):
    return "".join(part.text or "" for part in answer.candidates[0].content.parts if not part.thought)


def streamed(client, model, contents, **config):
    return client.models.generate_content_stream(model=model, contents=contents,
                                                 config=types.GenerateContentConfig(**config))


def ask(client, model, contents, **config):
    return client.models.generate_content(model=model, contents=contents,
                                          config=types.GenerateContentConfig(**config))


# ---- plain ---------------------------------------------------------------------------

@ALL
def test_an_answer(client, oracle, model):
    got = ask(client, model, "hello")
    assert got.text == oracle.text("hello")
    assert got.candidates[0].finish_reason == types.FinishReason.STOP
    assert got.usage_metadata.prompt_token_count > 0
    assert got.usage_metadata.candidates_token_count == 24
    assert got.model_version and got.response_id


@ALL
def test_a_stream(client, oracle, model):
    pieces, finish, usage = [], None, None
    for chunk in streamed(client, model, "a story"):
        for candidate in chunk.candidates or []:
            pieces += [p.text for p in (candidate.content.parts or []) if p.text] if candidate.content else []
            finish = candidate.finish_reason or finish
        usage = chunk.usage_metadata or usage
    assert "".join(pieces) == oracle.text("a story") and len(pieces) > 10
    assert finish == types.FinishReason.STOP
    assert usage.candidates_token_count == 24 and usage.prompt_token_count > 0


@ALL
def test_a_chat_goes_on(client, well, model):
    chat = client.chats.create(model=model)
    assert chat.send_message("hello").text
    assert chat.send_message("and then?").text
    assert len(chat.get_history()) == 4


@ALL
def test_what_is_asked_for_arrives(client, well, model):
    ask(client, model, "hello", system_instruction="You are brief.", temperature=0.5, top_p=0.9,
        max_output_tokens=999, stop_sequences=["never said"])
    sent = sent_to(well[VENDOR[model]])
    if model in (PASSED, VERTEX):
        assert sent["systemInstruction"]["parts"][0]["text"] == "You are brief."
        assert sent["generationConfig"]["maxOutputTokens"] == 999
    elif model == OPENAI:
        assert sent["messages"][0] == {"role": "system", "content": "You are brief."}
        assert (sent["temperature"], sent["stop"]) == (0.5, ["never said"])
    else:
        assert sent["system"][0]["text"] == "You are brief."
        assert sent["stop_sequences"] == ["never said"]


@ALL
def test_a_limit_of_tokens_ends_it(client, model):
    got = ask(client, model, "hello", max_output_tokens=5)
    assert got.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert got.usage_metadata.candidates_token_count == 5


@ALL
def test_a_stop_sequence_ends_it(client, model):
    got = ask(client, model, "echo: one two three four", stop_sequences=["three"])
    assert got.text == "one two " and got.candidates[0].finish_reason == types.FinishReason.STOP


def test_the_request_goes_where_google_wants_it(client, well):
    # As a stream, so that silence and cuts show early.
    ask(client, PASSED, "hello")
    head = well["gem"].last()
    assert head.startswith("POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse ")
    assert KEY in head and "a-client-key" not in head
    ask(client, VERTEX, "hello")
    head = well["vert"].last()
    assert head.startswith("POST /v1/projects/proj/locations/europe-west4/publishers/google/models/"
                           "gemini-3-pro-preview:streamGenerateContent?alt=sse ")
    assert "authorization: bearer " + KEY in head.lower()
    assert "a-client-key" not in head
    assert "jwt-bearer" in well["token"].last()


# ---- tools, pictures, schemas, thinking ------------------------------------------------

def weather(location: str) -> str:
    """The weather at a place."""
    return "rain in " + location


WEATHER = {"function_declarations": [{
    "name": "get_weather", "description": "The weather at a place",
    "parameters_json_schema": {"type": "object", "properties": {"location": {"type": "string"}},
                               "required": ["location"]}}, {"name": "get_time", "description": "The time"}]}


@ALL
def test_a_function_is_called_by_the_sdk_itself(client, well, model):
    got = ask(client, model, "the weather, please", tools=[weather])
    assert got.text                              # called, answered, and gone on
    assert len(got.automatic_function_calling_history) == 3


@ALL
@pytest.mark.parametrize("as_stream", [False, True])
def test_a_tool_s_round_trip(client, model, as_stream):
    question = types.Content(role="user", parts=[types.Part(text="what is the weather?")])
    config = {"tools": [WEATHER], "tool_config": {"function_calling_config": {
        "mode": "ANY", "allowed_function_names": ["get_weather"]}}}
    if as_stream:
        contents = [c.candidates[0].content for c in streamed(client, model, [question], **config)
                    if c.candidates and c.candidates[0].content]
        parts = [p for c in contents for p in c.parts or []]
    else:
        parts = ask(client, model, [question], **config).candidates[0].content.parts
    [call] = [p.function_call for p in parts if p.function_call]
    assert call.name == "get_weather" and isinstance(call.args["location"], str)
    answer = types.Part(function_response=types.FunctionResponse(
        id=call.id, name=call.name, response={"output": "rain"}))
    got = ask(client, model, [question, types.Content(role="model", parts=[p for p in parts if p.function_call]),
                              types.Content(role="user", parts=[answer])], tools=[WEATHER])
    assert got.text


@ALL
def test_several_calls_at_once(client, well, model):
    for mock in well.values():
        mock.behave("tool-call same-index")
    question = types.Content(role="user", parts=[types.Part(text="the weather, and the time")])
    parts = []
    for chunk in streamed(client, model, [question], tools=[WEATHER]):
        if chunk.candidates and chunk.candidates[0].content:
            parts += chunk.candidates[0].content.parts or []
    calls = [p.function_call for p in parts if p.function_call]
    assert [c.name for c in calls] == ["get_weather", "get_time"]
    assert "location" in calls[0].args and not calls[1].args
    for mock in well.values():
        mock.behave("")
    results = [types.Part(function_response=types.FunctionResponse(
        id=c.id, name=c.name, response={"sunny": True})) for c in calls]
    got = ask(client, model, [question, types.Content(role="model", parts=[p for p in parts if p.function_call]),
                              types.Content(role="user", parts=results)], tools=[WEATHER])
    assert got.text


@ALL
def test_pictures(client, well, model):
    got = ask(client, model, [types.Part.from_bytes(data=PIXEL, mime_type="image/png"), "what is it?"])
    assert got.text
    sent = json.dumps(sent_to(well[VENDOR[model]]))
    standard = base64.b64encode(PIXEL).decode()
    assert standard in sent or base64.urlsafe_b64encode(PIXEL).decode() in sent


@ALL
@pytest.mark.parametrize("kind", ["response_schema", "response_json_schema"])
def test_an_answer_to_a_schema(client, model, kind):
    got = ask(client, model, "answer", response_mime_type="application/json", **{kind: SCHEMA})
    answer = json.loads(got.text)
    assert set(answer) == {"answer", "sure"} and isinstance(answer["sure"], bool)


@ALL
def test_thinking_is_told_apart(client, well, model):
    for mock in well.values():
        mock.behave("reasoning 3")
    thoughts, text = "", ""
    for chunk in streamed(client, model, "think", thinking_config={"include_thoughts": True,
                                                                   "thinking_budget": 1024},
                          max_output_tokens=4000):
        for part in (chunk.candidates[0].content.parts or []) if chunk.candidates else []:
            if part.thought:
                thoughts += part.text or ""
            else:
                text += part.text or ""
    assert thoughts == "thought 0 thought 1 thought 2 " and text


@pytest.mark.parametrize("model", [PASSED, VERTEX, OPENAI])
def test_several_candidates(client, model):
    got = ask(client, model, "hello", candidate_count=2)
    assert len(got.candidates) == 2 and [c.index or 0 for c in got.candidates] == [0, 1]
    assert all(c.content.parts[0].text for c in got.candidates)


# ---- the other methods -------------------------------------------------------------------

@pytest.mark.parametrize("model", [PASSED, VERTEX, CLAUDE])
def test_counting_tokens(client, model):
    assert client.models.count_tokens(model=model, contents="hello").total_tokens > 0


@pytest.mark.parametrize("model", ["vectors", "old-vectors"])
def test_embeddings(client, model):
    got = client.models.embed_content(model=model, contents=["one", "two"],
                                      config={"output_dimensionality": 16, "task_type": "RETRIEVAL_QUERY"})
    assert [len(e.values) for e in got.embeddings] == [16, 16]
    assert got.embeddings[0].values != got.embeddings[1].values


def test_models(client):
    names = [m.name for m in client.models.list()]
    assert {"models/" + PASSED, "models/" + OPENAI} <= set(names)
    assert client.models.get(model=PASSED).name == "models/" + PASSED
    with pytest.raises(errors.ClientError) as error:
        client.models.get(model="nobody")
    assert error.value.code == 404


# ---- errors ----------------------------------------------------------------------------

ERRORS = [
    ("status 400", errors.ClientError if genai else None, 400, "INVALID_ARGUMENT"),
    ("context-length", errors.ClientError if genai else None, 400, "INVALID_ARGUMENT"),
    ("status 429 retry-after 3000", errors.ClientError if genai else None, 429, "RESOURCE_EXHAUSTED"),
    ("overloaded", errors.ServerError if genai else None, 503, "UNAVAILABLE"),
    ("status 500", errors.ServerError if genai else None, 500, "INTERNAL"),
]


@ALL
@pytest.mark.parametrize("spec,kind,code,word", ERRORS)
def test_errors_are_the_sdk_s_own(client, well, model, spec, kind, code, word):
    well[VENDOR[model]].behave(spec)
    with pytest.raises(kind) as error:
        ask(client, model, "hello")
    assert error.value.code == code or (code == 500 and error.value.code in (500, 502))
    assert error.value.status == word


@ALL
def test_an_error_in_mid_stream_is_told(client, well, model):
    well[VENDOR[model]].behave("error after 3 overloaded")
    with pytest.raises(errors.APIError) as error:
        for _ in streamed(client, model, "a story"):
            pass
    assert error.value.code >= 500


@ALL
def test_the_upstream_is_told_when_the_client_leaves(client, well, model):
    mock = well[VENDOR[model]]
    mock.behave("gap 50ms tokens 2000")
    before = mock.stats()["cancelled"]
    stream = streamed(client, model, "a story", max_output_tokens=4000)
    next(stream)
    stream.close()
    poll("the cancelled stream", lambda: mock.stats()["cancelled"] > before)


def test_refusals_of_our_own(client, proxy):
    with pytest.raises(errors.ClientError) as error:
        ask(client, "no-such-model", "hello")
    assert (error.value.code, error.value.status) == (404, "NOT_FOUND")


# ---- without an SDK ------------------------------------------------------------------------

BODY = json.dumps({"contents": [{"parts": [{"text": "a story"}]}]}).encode()


def test_a_stream_as_one_array(proxy, well, oracle):
    for model in (PASSED, OPENAI):
        status, headers, body = proxy.ask("/v1beta/models/%s:streamGenerateContent?key=x" % model, BODY)
        assert status == 200 and headers["content-type"].startswith("application/json")
        pieces = json.loads(body)
        text = "".join(p.get("text", "") for piece in pieces for c in piece.get("candidates", [])
                       for p in c.get("content", {}).get("parts", []))
        assert text == oracle.text("a story")
        assert len(pieces) > 10


def test_a_key_in_the_query_goes_no_further(proxy, well):
    status, _, _ = proxy.ask("/v1beta/models/%s:generateContent?key=secret-of-mine" % PASSED, BODY)
    assert status == 200
    assert "secret-of-mine" not in well["gem"].last()


# ---- across vendors -----------------------------------------------------------------------

@pytest.mark.parametrize("model", ["gem-first", "oli-first"])
def test_another_vendor_takes_over(client, well, oracle, model):
    well["oli" if model == "oli-first" else "gem"].behave("status 500")
    assert ask(client, model, "hello").text == oracle.text("hello")
    assert "".join(c.text or "" for c in streamed(client, model, "hello")) == oracle.text("hello")


@pytest.mark.parametrize("model", ["gem-first", "oli-first"])
def test_another_vendor_goes_on_in_mid_stream(client, well, model):
    first = well["oli" if model == "oli-first" else "gem"]
    for mock in well.values():
        mock.behave("gap 5ms")
    seen, finishes = "", 0
    for chunk in streamed(client, model, "echo: " + STORY):
        for candidate in chunk.candidates or []:
            seen += "".join(p.text or "" for p in candidate.content.parts or []) if candidate.content else ""
            finishes += candidate.finish_reason is not None
        if first.alive() and len(seen) > 200:
            first.kill()                         # kill -9
    assert not first.alive()
    assert (seen, finishes) == (STORY, 1)


def test_a_conversation_moves_between_vendors_with_its_tools(client, well):
    """Calls made by one vendor are answered to another, and back."""
    question = types.Content(role="user", parts=[types.Part(text="what is the weather?"),
                                                 types.Part.from_bytes(data=PIXEL, mime_type="image/png")])
    config = {"tools": [WEATHER], "tool_config": {"function_calling_config": {
        "mode": "ANY", "allowed_function_names": ["get_weather"]}}}
    for caller in (PASSED, VERTEX, OPENAI, CLAUDE):
        content = ask(client, caller, [question], **config).candidates[0].content
        [call] = [p.function_call for p in content.parts if p.function_call]
        result = types.Content(role="user", parts=[types.Part(function_response=types.FunctionResponse(
            id=call.id, name=call.name, response={"output": "rain"}))])
        for other in (PASSED, VERTEX, OPENAI, CLAUDE):
            # A proof of a call cannot be told to OpenAI's models, and older ones of Google's
            # give none, which newer ones want.
            if (caller, other) in ((VERTEX, OPENAI), (PASSED, VERTEX)):
                continue
            assert ask(client, other, [question, content, result], tools=[WEATHER]).text


# ---- OpenAI's SDK over Gemini -----------------------------------------------------------------

needs_openai = pytest.mark.skipif(openai is None, reason="the OpenAI Python SDK is not installed")
GOOGLE = pytest.mark.parametrize("model", [PASSED, VERTEX])


@pytest.fixture
def old_client(proxy, well):
    with openai.OpenAI(base_url=proxy.url, api_key="a-client-key", max_retries=0) as one:
        yield one


def say(text):
    return [{"role": "user", "content": text}]


@needs_openai
@GOOGLE
def test_openai_chat_and_stream(old_client, oracle, model):
    got = old_client.chat.completions.create(model=model, messages=say("hello"))
    assert got.choices[0].message.content == oracle.text("hello")
    assert (got.choices[0].finish_reason, got.usage.completion_tokens) == ("stop", 24)
    text, finish, usage = "", None, None
    for chunk in old_client.chat.completions.create(model=model, messages=say("a story"), stream=True,
                                                    stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert (text, finish, usage.completion_tokens) == (oracle.text("a story"), "stop", 24)


@needs_openai
@GOOGLE
def test_openai_tools_with_proofs_of_calls(old_client, well, model):
    function = {"type": "function", "function": WEATHER["function_declarations"][0] | {}}
    schema = function["function"].pop("parameters_json_schema")
    function["function"] = {**function["function"], "parameters": schema}
    messages = say("what is the weather?")
    got = old_client.chat.completions.create(model=model, messages=messages, tools=[function],
                                             tool_choice="required")
    assert got.choices[0].finish_reason == "tool_calls"
    [call] = got.choices[0].message.tool_calls
    assert "location" in json.loads(call.function.arguments)
    messages += [got.choices[0].message.model_dump(exclude_none=True),
                 {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    got = old_client.chat.completions.create(model=model, messages=messages, tools=[function])
    assert got.choices[0].message.content
    parts = sent_to(well[VENDOR[model]])["contents"][1]["parts"]
    if model == VERTEX:
        assert parts[0]["thoughtSignature"]
    assert sent_to(well[VENDOR[model]])["contents"][2]["parts"][0]["functionResponse"]["name"] == "get_weather"


@needs_openai
@GOOGLE
def test_openai_system_schema_picture_and_thinking(old_client, well, model):
    picture = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
    got = old_client.chat.completions.create(
        model=model, reasoning_effort="low", n=1,
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": [
            {"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": picture}}]}])
    assert set(json.loads(got.choices[0].message.content)) == {"answer", "sure"}
    sent = sent_to(well[VENDOR[model]])
    assert sent["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert sent["generationConfig"]["responseJsonSchema"] == SCHEMA
    assert sent["generationConfig"]["thinkingConfig"] in ({"thinkingBudget": 1024}, {"thinkingLevel": "LOW"})


def test_a_refused_key_is_told_in_googles_words(start_calm_proxy, vendors):
    """By the path: not every client of the API sends the header of its SDKs."""
    one = start_calm_proxy({
        "keys": [{"name": "team", "key": "right"}],
        "backends": {"gem": {"dialect": "gemini", "url": root(vendors["gem"]), "key": KEY}},
        "models": {PASSED: {"targets": [{"backend": "gem", "model": "gemini-2.5-flash"}]}}})
    for path, has in (("/v1beta/models/%s:generateContent" % PASSED, {"code", "message", "status"}),
                      ("/v1/chat/completions", {"code", "message", "type", "param"})):
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (one.port, path), b"{}",
                                         {"x-goog-api-key": "wrong"})
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=30)
        assert error.value.code == 401
        assert has <= json.loads(error.value.read())["error"].keys()


@needs_openai
@pytest.mark.parametrize("spec,kind,code", [
    ("status 400", "BadRequestError", None), ("context-length", "BadRequestError", "context_length_exceeded"),
    ("status 429 retry-after 3000", "RateLimitError", None), ("overloaded", "InternalServerError", None)])
def test_openai_errors(old_client, well, spec, kind, code):
    well["gem"].behave(spec)
    with pytest.raises(openai.APIStatusError) as error:
        old_client.chat.completions.create(model=PASSED, messages=say("hello"))
    assert type(error.value).__name__ == kind
    assert code in (None, error.value.code)
