"""A real model answers through Backstay as it answers without it."""

import asyncio

import openai
import pytest

from own_words import needs_own_words
from world import LONG, SHORT, TALE, WORDS, ask_body, target_server, wait_for


def join(chunks):
    """(text, finish reason, usage) of a stream."""
    text, finish, usage = "", None, None
    for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    return text, finish, usage


def test_the_model_says_what_it_says_when_asked_directly(world, client):
    answer = client.chat.completions.create(**ask_body(SHORT[0]))
    direct = world.client(world.servers["left"].port).chat.completions.create(**ask_body(SHORT[0]))
    assert answer.choices[0].message.content == direct.choices[0].message.content
    assert answer.choices[0].finish_reason == direct.choices[0].finish_reason
    assert answer.usage.total_tokens == (
        answer.usage.prompt_tokens + answer.usage.completion_tokens)


def test_both_servers_give_the_same_greedy_text(world):
    """What all tests of failing over rest on."""
    for prompt in SHORT[:2]:
        texts = {world.client(server.port).chat.completions.create(**ask_body(prompt))
                 .choices[0].message.content for server in world.servers.values()}
        assert len(texts) == 1


def test_whole_answers_are_the_models_own(world, client):
    for prompt in SHORT:
        answer = client.chat.completions.create(**ask_body(prompt))
        assert answer.choices[0].message.content == world.truth(prompt)


def test_streamed_answers_are_the_models_own(world, client):
    for prompt in SHORT:
        stream = client.chat.completions.create(
            **ask_body(prompt), stream=True, stream_options={"include_usage": True})
        text, finish, usage = join(stream)
        assert text == world.truth(prompt)
        assert finish in ("stop", "length")
        assert 0 < usage.completion_tokens <= WORDS


def test_a_stream_arrives_token_by_token(client):
    stream = client.chat.completions.create(**ask_body(LONG, max_tokens=16), stream=True)
    pieces = [chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) >= 8


def test_an_answer_of_limited_length_says_so(client):
    answer = client.chat.completions.create(**ask_body(LONG, max_tokens=5))
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 5


def test_a_conversation_goes_on(client):
    messages = [{"role": "system", "content": "You answer with one word."},
                {"role": "user", "content": "What is the capital of France?"}]
    first = client.chat.completions.create(model="chat", messages=messages, temperature=0,
                                           max_tokens=WORDS)
    messages += [{"role": "assistant", "content": first.choices[0].message.content},
                 {"role": "user", "content": "And of Italy?"}]
    second = client.chat.completions.create(model="chat", messages=messages, temperature=0,
                                            max_tokens=WORDS)
    assert second.choices[0].message.content
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


def test_both_servers_share_the_work(client):
    used = set()
    for _ in range(4):
        answer = client.chat.completions.with_raw_response.create(
            **ask_body(SHORT[0], max_tokens=2))
        used.add(target_server(answer.headers))
        assert answer.headers["x-backstay-attempts"] == "1"
    assert used == {"left", "right"}


def test_asked_all_at_once(world):
    expected = [world.truth(prompt) for prompt in SHORT]

    async def ask_all():
        async with world.client(kind=openai.AsyncOpenAI) as client:
            return await asyncio.gather(*(
                client.chat.completions.create(**ask_body(prompt)) for prompt in SHORT))
    answers = asyncio.run(ask_all())
    assert [answer.choices[0].message.content for answer in answers] == expected


def test_the_models_own_refusal_comes_through(world, client):
    """A prompt that is too long blames nobody: the server's words, one attempt."""
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**ask_body("word " * 1000))
    assert "too long for this server" in str(refused.value)
    assert refused.value.response.headers["x-backstay-attempts"] == "1"


def test_the_log_counts_the_models_tokens(world, client):
    answer = client.chat.completions.with_raw_response.create(**ask_body(SHORT[1]))
    record = world.records(answer.headers["x-request-id"])
    usage = answer.parse().usage
    assert record["tokens"]["input"] == usage.prompt_tokens
    assert record["tokens"]["output"] == usage.completion_tokens


def test_the_model_goes_on_with_its_own_words(world):
    """What prefill and continue_final_message rest on: the servers themselves,
    given any beginning of their answer, say exactly the rest of it."""
    needs_own_words(world)
    truth = world.truth(LONG, TALE)
    client = world.client(world.servers["left"].port)
    pieces = [chunk.choices[0].delta.content for chunk in client.chat.completions.create(
        **ask_body(LONG, max_tokens=TALE), stream=True) if chunk.choices[0].delta.content]
    assert "".join(pieces) == truth
    for cut in (1, 8, 24):
        body = ask_body(LONG, max_tokens=len(pieces) - cut)
        body["messages"].append({"role": "assistant", "content": "".join(pieces[:cut])})
        rest = client.chat.completions.create(**body)
        assert "".join(pieces[:cut]) + rest.choices[0].message.content == truth


@pytest.mark.parametrize("stream", [True, False], ids=["streaming", "whole"])
def test_a_client_that_leaves_stops_the_model(world, client, stream):
    before = world.count("cancelled")
    if stream:
        answer = client.chat.completions.create(**ask_body(LONG, max_tokens=600), stream=True)
        next(iter(answer))
        answer.close()
    else:
        async def leave():
            async with world.client(kind=openai.AsyncOpenAI) as leaving:
                asked = asyncio.create_task(leaving.chat.completions.create(
                    **ask_body(LONG, max_tokens=600)))
                while not world.count("running"):
                    await asyncio.sleep(0.05)
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
        asyncio.run(leave())
    wait_for("the generation to be cancelled", lambda: world.count("cancelled") == before + 1)
    wait_for("nothing to run", lambda: world.count("running") == 0)
