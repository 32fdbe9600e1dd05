"""One way to ask, said in each official Python client's own way.

An ask is data: {"turns": [...], "system", "tools", "schema", "stop", "think", "seed",
"top_k", "stream", "cancel"}. A turn is {"user": text, "image": kind}, {"native": what
the client said an answer was} or {"results": {name: text}, "calls": [...]}. What came
is a Got. node/matrix.mjs has the same for the Node clients."""

import base64
import json

from matrix_rows import PIXEL, URL

try:
    import anthropic
    import openai
    from google import genai
    from google.genai import types
    from langchain_anthropic import ChatAnthropic
    from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
    from langchain_openai import ChatOpenAI
except ImportError as error:
    missing = str(error)
else:
    missing = None

MAX_TOKENS = 3000


def got_nothing():
    return {"text": "", "thoughts": "", "calls": [], "finish": None, "native": None, "error": None}


def with_data(kind):
    return URL if kind == "url" else "data:image/png;base64," + PIXEL


def take_all(stream, ask, got, take):
    """Every event, or the first with something in it where the client is to leave."""
    for event in stream:
        take(event)
        if ask.get("cancel") and got["text"]:
            return


# ---- OpenAI ---------------------------------------------------------------------------


class OpenAIChat:
    def __init__(self, root):
        self.client = openai.OpenAI(base_url=root + "/v1", api_key="k", max_retries=0)

    @staticmethod
    def messages(ask):
        if ask.get("system"):
            yield {"role": "system", "content": ask["system"]}
        for turn in ask["turns"]:
            if "native" in turn:
                yield turn["native"]
            elif "results" in turn:
                for call in turn["calls"]:
                    yield {"role": "tool", "tool_call_id": call["id"], "content": turn["results"][call["name"]]}
            elif turn.get("image"):
                yield {"role": "user", "content": [
                    {"type": "text", "text": turn["user"]},
                    {"type": "image_url", "image_url": {"url": with_data(turn["image"])}}]}
            else:
                yield {"role": "user", "content": turn["user"]}

    def ask(self, model, ask):
        more = {name: ask[name] for name in ("stop", "seed") if name in ask}
        if "tools" in ask:
            more["tools"] = [{"type": "function", "function": {
                "name": t["name"], "description": t["description"], "parameters": t["schema"]}}
                for t in ask["tools"]]
        if "schema" in ask:
            more["response_format"] = {"type": "json_schema", "json_schema": {
                "name": "answer", "schema": ask["schema"], "strict": True}}
        if "think" in ask:
            more["reasoning_effort"] = "low"
        args = {"model": model, "messages": list(self.messages(ask)), **more}
        got = got_nothing()
        if not ask.get("stream"):
            answer = self.client.chat.completions.create(**args)
            self.whole(got, answer.choices[0])
            return got
        if ask.get("cancel"):
            with self.client.chat.completions.create(stream=True, **args) as stream:
                take_all(stream, ask, got, lambda chunk: self.piece(got, chunk))
            return got
        with self.client.chat.completions.stream(**args) as stream:
            for event in stream:
                if event.type == "chunk":
                    self.piece(got, event.chunk)
            streamed = got["text"]
            self.whole(got, stream.get_final_completion().choices[0])
            assert streamed == got["text"]
        return got

    @staticmethod
    def piece(got, chunk):
        for choice in chunk.choices:
            got["text"] += choice.delta.content or ""
            got["thoughts"] += getattr(choice.delta, "reasoning_content", None) or ""

    @staticmethod
    def whole(got, choice):
        message = choice.message
        got["text"] = message.content or ""
        got["thoughts"] = getattr(message, "reasoning_content", None) or got["thoughts"]
        got["finish"] = {"tool_calls": "calls"}.get(choice.finish_reason, choice.finish_reason)
        got["calls"] = [{"id": c.id, "name": c.function.name, "arguments": json.loads(c.function.arguments)}
                        for c in message.tool_calls or ()]
        got["native"] = message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
        for call in got["native"].get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)


class OpenAIResponses:
    def __init__(self, root):
        self.client = openai.OpenAI(base_url=root + "/v1", api_key="k", max_retries=0)

    @staticmethod
    def items(ask):
        for turn in ask["turns"]:
            if "native" in turn:
                yield from turn["native"]
            elif "results" in turn:
                for call in turn["calls"]:
                    yield {"type": "function_call_output", "call_id": call["id"],
                           "output": turn["results"][call["name"]]}
            elif turn.get("image"):
                yield {"role": "user", "content": [
                    {"type": "input_text", "text": turn["user"]},
                    {"type": "input_image", "image_url": with_data(turn["image"]), "detail": "auto"}]}
            else:
                yield {"role": "user", "content": turn["user"]}

    def ask(self, model, ask):
        more = {}
        if ask.get("system"):
            more["instructions"] = ask["system"]
        if "tools" in ask:
            more["tools"] = [{"type": "function", "name": t["name"], "description": t["description"],
                              "parameters": t["schema"], "strict": False} for t in ask["tools"]]
        if "schema" in ask:
            more["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": ask["schema"],
                                       "strict": True}}
        if "think" in ask:
            more["reasoning"] = {"effort": "low", "summary": "auto"}
        args = {"model": model, "input": list(self.items(ask)), "store": False, **more}
        got = got_nothing()
        if not ask.get("stream"):
            self.whole(got, self.client.responses.create(**args))
            return got
        with self.client.responses.stream(**args) as stream:
            take_all(stream, ask, got, lambda event: self.piece(got, event))
            if not ask.get("cancel"):
                streamed = got["text"]
                self.whole(got, stream.get_final_response())
                assert streamed == got["text"]
        return got

    @staticmethod
    def piece(got, event):
        if event.type == "response.output_text.delta":
            got["text"] += event.delta

    @staticmethod
    def whole(got, answer):
        got["text"] = answer.output_text
        got["native"] = [item.model_dump(exclude_none=True) for item in answer.output]
        for item in answer.output:
            if item.type == "function_call":
                got["calls"].append({"id": item.call_id, "name": item.name,
                                     "arguments": json.loads(item.arguments)})
            elif item.type == "reasoning":
                got["thoughts"] += "".join(part.text for part in [*item.summary, *(item.content or ())])
        for item in got["native"]:
            item.pop("parsed_arguments", None)
            for part in item.get("content", ()):
                part.pop("parsed", None)
        got["finish"] = "calls" if got["calls"] else {"completed": "stop"}.get(answer.status, answer.status)


# ---- Anthropic -------------------------------------------------------------------------


class Anthropic:
    def __init__(self, root):
        self.client = anthropic.Anthropic(base_url=root, api_key="k", max_retries=0)

    @staticmethod
    def messages(ask):
        for turn in ask["turns"]:
            if "native" in turn:
                yield {"role": "assistant", "content": turn["native"]}
            elif "results" in turn:
                yield {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": call["id"], "content": turn["results"][call["name"]]}
                    for call in turn["calls"]]}
            elif turn.get("image"):
                source = ({"type": "url", "url": URL} if turn["image"] == "url" else
                          {"type": "base64", "media_type": "image/png", "data": PIXEL})
                yield {"role": "user", "content": [{"type": "image", "source": source},
                                                   {"type": "text", "text": turn["user"]}]}
            else:
                yield {"role": "user", "content": turn["user"]}

    def ask(self, model, ask):
        more = {}
        if ask.get("system"):
            more["system"] = ask["system"]
        if "tools" in ask:
            more["tools"] = [{"name": t["name"], "description": t["description"], "input_schema": t["schema"]}
                             for t in ask["tools"]]
        if "schema" in ask:
            more["output_config"] = {"format": {"type": "json_schema", "schema": ask["schema"]}}
        if "stop" in ask:
            more["stop_sequences"] = ask["stop"]
        if "top_k" in ask:
            more["extra_body"] = {"top_k": ask["top_k"]}
        if "think" in ask:
            more["thinking"] = {"type": "enabled", "budget_tokens": 1500}
        args = {"model": model, "max_tokens": MAX_TOKENS, "messages": list(self.messages(ask)), **more}
        got = got_nothing()
        if not ask.get("stream"):
            self.whole(got, self.client.messages.create(**args))
            return got
        with self.client.messages.stream(**args) as stream:
            take_all(stream, ask, got, lambda event: self.piece(got, event))
            if not ask.get("cancel"):
                streamed = got["text"]
                self.whole(got, stream.get_final_message())
                assert streamed == got["text"]
        return got

    @staticmethod
    def piece(got, event):
        if event.type == "text":
            got["text"] += event.text

    @staticmethod
    def whole(got, message):
        got["text"] = "".join(b.text for b in message.content if b.type == "text")
        got["thoughts"] = "".join(b.thinking for b in message.content if b.type == "thinking")
        got["calls"] = [{"id": b.id, "name": b.name, "arguments": b.input}
                        for b in message.content if b.type == "tool_use"]
        got["finish"] = {"tool_use": "calls", "end_turn": "stop", "stop_sequence": "stop"}.get(
            message.stop_reason, message.stop_reason)
        keep = {"type", "text", "thinking", "signature", "id", "name", "input", "data"}
        got["native"] = [b.model_dump(exclude_none=True, include=keep) for b in message.content]


# ---- Google -----------------------------------------------------------------------------


class GenAI:
    def __init__(self, root):
        self.client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=root))

    @staticmethod
    def contents(ask):
        for turn in ask["turns"]:
            if "native" in turn:
                yield turn["native"]
            elif "results" in turn:
                yield types.Content(role="user", parts=[
                    types.Part(function_response=types.FunctionResponse(
                        id=call["id"], name=call["name"], response={"result": turn["results"][call["name"]]}))
                    for call in turn["calls"]])
            else:
                parts = [types.Part(text=turn["user"])]
                if turn.get("image") == "url":
                    parts.append(types.Part.from_uri(file_uri=URL, mime_type="image/png"))
                elif turn.get("image"):
                    parts.append(types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png"))
                yield types.Content(role="user", parts=parts)

    def ask(self, model, ask):
        more = {"automatic_function_calling": types.AutomaticFunctionCallingConfig(disable=True)}
        if ask.get("system"):
            more["system_instruction"] = ask["system"]
        if "tools" in ask:
            more["tools"] = [types.Tool(function_declarations=[
                types.FunctionDeclaration(name=t["name"], description=t["description"],
                                          parameters_json_schema=t["schema"]) for t in ask["tools"]])]
        if "schema" in ask:
            more.update(response_mime_type="application/json", response_json_schema=ask["schema"])
        if "stop" in ask:
            more["stop_sequences"] = ask["stop"]
        if "think" in ask:
            more["thinking_config"] = types.ThinkingConfig(thinking_budget=1500, include_thoughts=True)
        more.update({name: ask[name] for name in ("seed", "top_k") if name in ask})
        args = {"model": model, "contents": list(self.contents(ask)),
                "config": types.GenerateContentConfig(**more)}
        got = got_nothing()
        if not ask.get("stream"):
            self.piece(got, self.client.models.generate_content(**args))
        else:
            stream = self.client.models.generate_content_stream(**args)
            take_all(stream, ask, got, lambda chunk: self.piece(got, chunk))
            stream.close()
        return got

    @staticmethod
    def piece(got, answer):
        candidate = answer.candidates[0]
        content = candidate.content or types.Content(role="model", parts=[])
        for part in content.parts or ():
            if part.function_call:
                call = part.function_call
                got["calls"].append({"id": call.id, "name": call.name, "arguments": call.args or {}})
            elif part.text:
                got["thoughts" if part.thought else "text"] += part.text
        if got["native"] is None:
            got["native"] = types.Content(role="model", parts=[])
        got["native"].parts.extend(content.parts or ())
        if candidate.finish_reason:
            reason = candidate.finish_reason.value
            got["finish"] = "calls" if got["calls"] else reason.lower()


# ---- LangChain ---------------------------------------------------------------------------


class LangChain:
    """What both of its packages have in common."""

    def build(self, model, ask):
        raise NotImplementedError

    @staticmethod
    def messages(ask):
        if ask.get("system"):
            yield SystemMessage(ask["system"])
        for turn in ask["turns"]:
            if "native" in turn:
                yield turn["native"]
            elif "results" in turn:
                for call in turn["calls"]:
                    yield ToolMessage(turn["results"][call["name"]], tool_call_id=call["id"])
            elif turn.get("image"):
                part = ({"type": "image", "url": URL} if turn["image"] == "url" else
                        {"type": "image", "base64": PIXEL, "mime_type": "image/png"})
                yield HumanMessage(content=[{"type": "text", "text": turn["user"]}, part])
            else:
                yield HumanMessage(turn["user"])

    def ask(self, model, ask):
        chat, got, messages = self.build(model, ask), got_nothing(), list(self.messages(ask))
        if "tools" in ask:
            chat = chat.bind_tools([{"type": "function", "function": {
                "name": t["name"], "description": t["description"], "parameters": t["schema"]}}
                for t in ask["tools"]])
        if "schema" in ask:
            chat = chat.with_structured_output(ask["schema"], method="json_schema", include_raw=True)
            self.whole(got, chat.invoke(messages)["raw"])
        elif not ask.get("stream"):
            self.whole(got, chat.invoke(messages))
        else:
            whole, stream = None, chat.stream(messages)
            for chunk in stream:
                whole = chunk if whole is None else whole + chunk
                if ask.get("cancel") and whole.text:
                    stream.close()
                    return got
            self.whole(got, whole)
        return got

    @staticmethod
    def whole(got, message):
        got["text"] = str(message.text)
        got["calls"] = [{"id": c["id"], "name": c["name"], "arguments": c["args"]} for c in message.tool_calls]
        got["thoughts"] = "".join(b.get("reasoning", "") for b in message.content_blocks
                                  if b["type"] == "reasoning")
        told = message.response_metadata
        reason = told.get("finish_reason") or told.get("stop_reason") or told.get("status")
        got["finish"] = {"tool_calls": "calls", "tool_use": "calls", "end_turn": "stop", "completed": "stop",
                         "stop_sequence": "stop"}.get(reason, reason)
        got["native"] = message


class LangChainOpenAI(LangChain):
    def __init__(self, root):
        self.root = root

    def build(self, model, ask):
        more = {name: ask[name] for name in ("stop", "seed") if name in ask}
        if "think" in ask:
            more["reasoning_effort"] = "low"
        return ChatOpenAI(model=model, base_url=self.root + "/v1", api_key="k", max_retries=0, **more)


class LangChainAnthropic(LangChain):
    def __init__(self, root):
        self.root = root

    def build(self, model, ask):
        more = {"stop": ask["stop"]} if "stop" in ask else {}
        if "top_k" in ask:
            more["top_k"] = ask["top_k"]
        if "think" in ask:
            more["thinking"] = {"type": "enabled", "budget_tokens": 1500}
        return ChatAnthropic(model=model, base_url=self.root, api_key="k", max_retries=0,
                             max_tokens=MAX_TOKENS, **more)


CLIENTS = {"openai_chat": OpenAIChat, "openai_responses": OpenAIResponses, "anthropic": Anthropic,
           "genai": GenAI, "langchain_openai": LangChainOpenAI, "langchain_anthropic": LangChainAnthropic}


def try_to(client, model, ask):
    """A Got, whatever comes of it."""
    try:
        return client.ask(model, ask)
    except Exception as error:                   # the judge knows which are right
        got = got_nothing()
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        got["error"] = {"kinds": [kind.__name__ for kind in type(error).__mro__],
                        "status": status if isinstance(status, int) else None, "message": str(error),
                        "retry_after": headers.get("retry-after")}
        return got
