"""What is asked in the matrix of clients and backends, and what must come of it. No
client is imported here: the rows are data, for Python's clients and for Node's."""

PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5Er"
         "kJggg==")
URL = "https://example.com/a.png"
WEATHER = {"name": "get_weather", "description": "The weather at a place", "schema": {
    "type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"],
    "additionalProperties": False}}
TIME = {"name": "get_time", "description": "What time it is", "schema": {
    "type": "object", "properties": {}, "additionalProperties": False}}
SCHEMA = {"title": "answer", "type": "object",
          "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}},
          "required": ["answer", "sure"], "additionalProperties": False}
RESULTS = {"get_weather": "rain", "get_time": "noon"}

BACKENDS = ("chat", "responses", "anthropic", "bedrock", "cohere", "gemini")

# name, the API it speaks, what its user cannot say or does not get to see; with a
# backend behind it: there alone (that one tells its thinking to those who ask for it,
# and chat has no word to ask with)
PYTHON = {
    "openai_chat": {"cannot": {"top_k"}, "hides": {"thoughts responses"}},
    "openai_responses": {"cannot": {"stop", "seed", "top_k"}},
    "anthropic": {"cannot": {"seed"}},
    "genai": {"cannot": set()},
    "langchain_openai": {"cannot": {"top_k"}, "hides": {"thoughts"}},
    "langchain_anthropic": {"cannot": {"seed"}},
}
NODE = {
    "openai_chat": {"cannot": {"top_k"}, "hides": {"thoughts responses"}},
    "openai_responses": {"cannot": {"stop", "seed", "top_k"}},
    "anthropic": {"cannot": {"seed"}},
    "genai": {"cannot": set()},
    "ai_openai_chat": {"cannot": {"top_k"}, "hides": {"thoughts"}},
    "ai_openai_responses": {"cannot": {"stop", "seed", "top_k"}},
    "ai_anthropic": {"cannot": {"seed"}},
}

# What the API of a backend cannot say: an honest 400 that names it.
LACKS = {
    "responses": {"stop": "stop", "seed": "seed", "top_k": "top_k"},
    "anthropic": {"seed": "seed"},
    "bedrock": {"seed": "seed", "image_by_url": "image_url"},
}



def say(text, **more):
    return {"turns": [{"user": text, **more}]}


# The case's name: what is asked; "spec": how the mock behaves; "results": a second ask
# follows that brings them; "want": what the first answer must be like.
CASES = {
    "plain": {"ask": {**say("hello"), "system": "You are brief."}, "want": {"text": "hello", "finish": "stop"}},
    "streaming": {"ask": {**say("hello"), "stream": True}, "want": {"text": "hello", "finish": "stop"}},
    "tool": {"ask": {**say("what is the weather?"), "tools": [WEATHER]}, "results": RESULTS,
             "want": {"calls": ["get_weather"], "finish": "calls"}},
    "tool_streamed": {"ask": {**say("what is the weather?"), "tools": [WEATHER], "stream": True},
                      "results": RESULTS, "want": {"calls": ["get_weather"], "finish": "calls"}},
    "parallel": {"ask": {**say("the weather, and the time"), "tools": [WEATHER, TIME]}, "results": RESULTS,
                 "spec": "tool-call two times 1 then ok",
                 "want": {"calls": ["get_weather", "get_time"], "finish": "calls"}},
    "parallel_streamed": {"ask": {**say("the weather, and the time"), "tools": [WEATHER, TIME], "stream": True},
                          "results": RESULTS, "spec": "tool-call two times 1 then ok",
                          "want": {"calls": ["get_weather", "get_time"], "finish": "calls"}},
    "image": {"ask": say("what is it?", image="data"), "want": {"finish": "stop", "sent": PIXEL}},
    "image_by_url": {"ask": say("what is it?", image="url"), "want": {"finish": "stop", "sent": URL}},
    "schema": {"ask": {**say("answer"), "schema": SCHEMA}, "want": {"json": ["answer", "sure"]}},
    "thinking": {"ask": {**say("think"), "think": True}, "spec": "reasoning 3", "want": {"thoughts": True}},
    "thinking_streamed": {"ask": {**say("think"), "think": True, "stream": True}, "spec": "reasoning 3",
                          "want": {"thoughts": True}},
    "stop": {"ask": {**say("echo: one two three four"), "stop": ["three"]},
             "want": {"words": "one two ", "finish": "stop"}},
    "seed": {"ask": {**say("hello"), "seed": 7}, "want": {"text": "hello", "sent": '"seed":7'}},
    "top_k": {"ask": {**say("hello"), "top_k": 7}, "want": {"text": "hello"}},
    "bad_request": {"ask": say("hello"), "spec": "status 400", "want": {"error": 400}},
    "too_long": {"ask": say("hello"), "spec": "context-length", "want": {"error": 400}},
    "broken": {"ask": say("hello"), "spec": "status 500", "want": {"error": 502}},
    "broken_streamed": {"ask": {**say("hello"), "stream": True}, "spec": "status 500", "want": {"error": 502}},
    # These have backends of their own: whose credential is refused, or who asks for
    # patience, is not asked again for a while.
    "limited": {"ask": say("hello"), "at": "-limited", "spec": "status 429 retry-after 3600",
                "want": {"error": 429, "patience": 3600}},
    "limited_streamed": {"ask": {**say("hello"), "stream": True}, "at": "-limited",
                         "spec": "status 429 retry-after 3600", "want": {"error": 429, "patience": 3600}},
    "refused": {"ask": say("hello"), "at": "-refused", "spec": "status 401", "want": {"error": 502}},
    "overloaded": {"ask": say("hello"), "spec": "status 503", "want": {"error": 503}},
    "overloaded_529": {"ask": {**say("hello"), "stream": True}, "spec": "status 529", "want": {"error": 503}},
    "broken_midway": {"ask": {**say("hello"), "stream": True}, "spec": "error after 3", "want": {"broken": True}},
    "cut_midway": {"ask": {**say("hello"), "stream": True}, "spec": "cut after 3", "want": {"broken": True}},
    "cancel": {"ask": {**say("a story"), "stream": True, "cancel": True}, "spec": "gap 20ms tokens 1000",
               "want": {"cancelled": True}},
    # Begun at one vendor, who calls a tool; when the result comes, he is out, and the
    # next one takes the conversation over, picture and calls and all.
    "across": {"ask": {**say("what is the weather in the picture?", image="data"), "tools": [WEATHER]},
               "results": RESULTS, "then": "-broken",
               "want": {"calls": ["get_weather"], "finish": "calls", "sent": PIXEL}},
    "across_streamed": {"ask": {**say("what is the weather in the picture?", image="data"), "tools": [WEATHER],
                                "stream": True},
                        "results": RESULTS, "then": "-broken",
                        "want": {"calls": ["get_weather"], "finish": "calls", "sent": PIXEL}},
}


def cells(clients):
    """(client, backend, case) of all that can be asked."""
    return [(client, backend, case) for client, row in clients.items() for backend in BACKENDS
            for case in CASES if not row["cannot"] & CASES[case]["ask"].keys()]


def errors(client, status):
    """The names that the client has for an error of that status."""
    if client == "genai":
        return {"ClientError" if status < 500 else "ServerError", "ApiError"}
    if client.startswith("ai_"):
        return {"AI_APICallError"}
    return {400: {"BadRequestError", "ContextOverflowError"}, 429: {"RateLimitError"},
            529: {"InternalServerError", "OverloadedError"}}.get(
        status, {"InternalServerError"})
