"""Servers die and come back while a real model answers."""

import threading

import openai
import pytest

from own_words import needs_own_words
from world import LONG, SHORT, TALE, RawStream, ask_body, target_server, wait_for

LONG_WORDS = 400                # enough that a kill comes while text still flows


def in_background(work, count):
    """`count` threads that do `work(i)`; gives them with the list of their results."""
    results = [None] * count

    def run(i):
        try:
            results[i] = work(i)
        except Exception as error:      # judged by the test, in its own thread
            results[i] = error
    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


def ask_and_tell(world, prompt, stream):
    """(text, the exchange's headers) through the SDK."""
    with world.client() as client:
        answer = client.chat.completions.with_raw_response.create(**ask_body(prompt), stream=stream)
        if not stream:
            return answer.parse().choices[0].message.content, answer.headers
        text = "".join(chunk.choices[0].delta.content or ""
                       for chunk in answer.parse() if chunk.choices)
        return text, answer.headers


@pytest.mark.parametrize("stream", [True, False], ids=["streaming", "whole"])
def test_killed_before_its_first_token_nobody_notices(world, stream):
    """The left server is frozen, so that what it was asked hangs before any
    content; what the right one was asked ends. Then the left one is killed."""
    prompts = [SHORT[i % len(SHORT)] for i in range(6)]
    expected = [world.truth(prompt) for prompt in prompts]
    left = world.servers["left"]
    left.freeze()
    threads, results = in_background(lambda i: ask_and_tell(world, prompts[i], stream), 6)
    wait_for("an answer from the right server", lambda: any(results))
    left.kill()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    assert [text for text, _ in results] == expected
    moved = [world.records(headers["x-request-id"]) for _, headers in results
             if headers["x-backstay-attempts"] != "1"]
    assert moved, "round robin asked the left server too"
    for record in moved:
        assert record["attempts"][0]["target"].startswith("left/")
        assert record["attempts"][0]["fault"]
        assert record["attempts"][-1]["target"].startswith("right/")
        assert record["attempts"][-1]["fault"] is None


@pytest.mark.parametrize("way, pieces", [
    ("replay", 1), ("replay", 8), ("replay", 24), ("prefill", 1), ("prefill", 24), ("continue", 8)])
def test_killed_amid_a_stream_the_text_goes_on(world, way, pieces):
    """Word for word what the model says when nobody is killed."""
    if way != "replay":
        needs_own_words(world)
    truth = world.truth(LONG, TALE)
    model = "chat" if way == "replay" else "chat-" + way
    stream = RawStream(world.port, ask_body(LONG, model=model, max_tokens=TALE))
    stream.read_texts(pieces)
    first = world.servers[stream.server]
    second = next(one for one in world.servers.values() if one is not first)
    continued = second.stats()["continued"]
    first.kill()
    stream.read_all()
    assert stream.text == truth
    assert (stream.errors, stream.done, stream.finish) == (0, True, "length")
    record = world.records(stream.answer.headers["x-request-id"])
    assert record["resumes"] == 1 and not record["fault"]
    assert record["attempts"][0]["target"].startswith(first.name)
    assert record["attempts"][-1]["target"].startswith(second.name)
    assert second.stats()["continued"] - continued == (way != "replay")


def test_killed_twice_the_text_goes_on_twice(world):
    needs_own_words(world)
    stream = RawStream(world.port, ask_body(LONG, model="chat-continue", max_tokens=TALE))
    first = world.servers[stream.server]
    second = next(one for one in world.servers.values() if one is not first)
    stream.read_texts(4)
    first.kill()
    stream.read_texts(4)
    second.freeze()                 # it keeps what it has not said
    first.start()
    first.wait()
    second.kill()
    stream.read_all()
    assert stream.text == world.truth(LONG, TALE)
    assert (stream.errors, stream.done) == (0, True)
    assert world.records(stream.answer.headers["x-request-id"])["resumes"] == 2


def test_killed_amid_a_stream_the_sdk_notices_nothing(world, client):
    answer = client.chat.completions.with_raw_response.create(
        **ask_body(LONG, max_tokens=TALE), stream=True)
    chunks = iter(answer.parse())
    seen = [next(chunks)]
    world.servers[target_server(answer.headers)].kill()
    seen += chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in seen) == \
        world.truth(LONG, TALE)
    assert len({chunk.id for chunk in seen}) == 1, "one answer has one name"


@pytest.mark.parametrize("model, tokens", [
    ("chat", 16), ("chat-as-stream", 1), ("chat-as-stream", 16)])
def test_killed_amid_a_whole_answer_the_text_is_whole(world, model, tokens):
    truth = world.truth(LONG, TALE)
    before = {name: one.stats()["tokens"] for name, one in world.servers.items()}

    def ask(_):
        with world.client() as client:
            answer = client.chat.completions.create(
                **ask_body(LONG, model=model, max_tokens=TALE))
            return answer.choices[0].message.content
    threads, results = in_background(ask, 1)
    busy = wait_for("%d tokens" % tokens, lambda: next(
        (one for name, one in world.servers.items()
         if one.stats()["tokens"] >= before[name] + tokens), None))
    busy.kill()
    threads[0].join()
    assert results == [truth]


def test_with_resume_off_a_broken_stream_ends_in_one_error(world):
    stream = RawStream(world.port, ask_body(LONG, model="chat-off", max_tokens=LONG_WORDS))
    stream.read_texts(12)
    world.servers[stream.server].kill()
    stream.read_all()
    assert (stream.errors, stream.done, stream.finish) == (1, False, None)
    assert world.is_true_beginning(LONG, stream.text)


def test_with_resume_off_the_sdk_raises(world, client):
    answer = client.chat.completions.with_raw_response.create(
        **ask_body(LONG, model="chat-off", max_tokens=LONG_WORDS), stream=True)
    chunks = iter(answer.parse())
    text = next(chunks).choices[0].delta.content or ""
    world.servers[target_server(answer.headers)].kill()
    with pytest.raises(openai.APIError) as broken:
        for chunk in chunks:
            text += chunk.choices[0].delta.content or ""
    assert not isinstance(broken.value, openai.APIConnectionError)
    assert world.is_true_beginning(LONG, text)
    record = world.records(answer.headers["x-request-id"])
    assert record["committed"] and record["fault"]


def test_one_server_is_enough(world, client):
    for name, other in (("left", "right"), ("right", "left")):
        world.revive()
        expected = world.truth(SHORT[0])
        world.servers[name].kill()
        for _ in range(3):
            answer = client.chat.completions.with_raw_response.create(**ask_body(SHORT[0]))
            assert answer.parse().choices[0].message.content == expected
            assert target_server(answer.headers) == other


def test_a_server_that_returns_is_used_again(world, client):
    left = world.servers["left"]
    left.kill()
    client.chat.completions.create(**ask_body(SHORT[0], max_tokens=2))
    left.start()
    left.wait()

    def left_answers():
        answer = client.chat.completions.with_raw_response.create(
            **ask_body(SHORT[0], max_tokens=2))
        return target_server(answer.headers) == "left"
    wait_for("an answer from the left server", left_answers)


def test_without_any_server_the_error_is_honest_and_passes(world, client):
    expected = world.truth(SHORT[0])
    for server in world.servers.values():
        server.kill()
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(**ask_body(SHORT[0]))
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert "attempts failed" in str(failed.value)
    world.revive()

    def answers():
        try:
            return client.chat.completions.create(**ask_body(SHORT[0]))
        except openai.InternalServerError:
            return None
    answer = wait_for("an answer after the outage", answers)
    assert answer.choices[0].message.content == expected


class Load:
    """Clients that ask without pause, half of them streaming, and judge every
    answer: it must be right to the letter, whoever was killed meanwhile."""

    def __init__(self, world, clients):
        self.world, self.over = world, threading.Event()
        self.lock = threading.Lock()
        self.right, self.wrong = [], []
        self.threads, self.crashes = in_background(self.ask_on, clients)

    def ask_on(self, client):
        for turn in range(10000):
            if self.over.is_set():
                return
            prompt = SHORT[(client + turn) % len(SHORT)]
            if client % 2:
                self.ask_stream(prompt)
            else:
                self.ask_whole(prompt)

    def note(self, where, what):
        with self.lock:
            where.append(what)

    def ask_whole(self, prompt):
        try:
            text, headers = ask_and_tell(self.world, prompt, stream=False)
        except openai.OpenAIError as error:
            return self.note(self.wrong, repr(error))
        good = text == self.world.truth(prompt)
        return self.note(self.right if good else self.wrong,
                         target_server(headers) if good else text)

    def ask_stream(self, prompt):
        stream = RawStream(self.world.port, ask_body(prompt))
        if stream.answer.status != 200:
            return self.note(self.wrong, stream.answer.read())
        server = stream.server
        stream.read_all()
        truth = self.world.truth(prompt)
        if stream.done and stream.finish and not stream.errors and stream.text == truth:
            return self.note(self.right, server)
        return self.note(self.wrong, (server, stream.errors, stream.text))

    def count(self):
        with self.lock:
            return len(self.right)

    def wait_for_more(self, count):
        begun = self.count()
        wait_for("%d more answers under load" % count,
                 lambda: self.wrong or self.count() >= begun + count)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert self.wrong == []
        assert [crash for crash in self.crashes if crash] == []


def test_under_load_each_server_is_killed_and_returns(world):
    clients = 4
    for prompt in SHORT:
        world.truth(prompt)
    load = Load(world, clients)
    try:
        for name in ("left", "right"):
            server = world.servers[name]
            load.wait_for_more(clients)
            wait_for("work on " + name, lambda: server.stats().get("running"))
            server.kill()
            load.wait_for_more(clients)
            server.start()
            server.wait()
            before = load.right.count(name)
            wait_for("work for " + name, lambda: load.wrong or load.right.count(name) > before)
    finally:
        load.end()
