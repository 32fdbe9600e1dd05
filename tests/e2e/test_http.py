"""HTTP by hand: what clients and attackers write, byte by byte."""

import json
import socket

import pytest

from harness import PATIENCE_S, backends_of, compact, chat_body, poll, targets_of

SECRET = "upstream-secret-of-ours"


@pytest.fixture(scope="module")
def strict(start_calm_proxy, mocks):
    """With small limits."""
    return start_calm_proxy({
        "limits": {"header_bytes": "8KiB", "body_bytes": "64KiB", "header_time": "400ms",
                   "body_idle": "400ms", "keep_alive": "2s"},
        "backends": backends_of(mocks), "models": {"chat": {"targets": targets_of(mocks)}},
    })


class Wire:
    """A client socket; answers are read as HTTP/1.1 demands."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, *parts):
        for part in parts:
            self.socket.sendall(part)
        return self

    def head(self):
        line = self.file.readline()
        if not line:
            return None, {}
        headers = {}
        for one in iter(self.file.readline, b"\r\n"):
            assert one.endswith(b"\r\n"), one
            name, _, value = one.decode("latin-1").partition(":")
            assert name.lower() not in headers, "twice: " + name
            headers[name.lower()] = value.strip()
        return int(line.split()[1]), headers

    def answer(self, of_head=False):
        """(status, headers, body); (None, {}, b"") if the server closed."""
        status, headers = self.head()
        if status is None or of_head or status == 100:
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size = int(self.file.readline(), 16)
                body += self.file.read(size)
                assert self.file.readline() == b"\r\n"
                if not size:
                    return status, headers, body
        return status, headers, self.file.read(int(headers["content-length"]))

    def at_end(self):
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


def post(body, *headers, path="/v1/chat/completions", method="POST"):
    lines = ["%s %s HTTP/1.1" % (method, path), "host: localhost",
             "content-type: application/json", "content-length: %d" % len(body), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chat(prompt="hello", **more):
    return compact(chat_body(prompt, **more))


def text_of(body):
    return json.loads(body)["choices"][0]["message"]["content"]


def test_keep_alive(proxy, healthy, oracle):
    with Wire(proxy.port) as wire:
        for i in range(5):
            status, _, body = wire.send(post(chat("turn %d" % i))).answer()
            assert (status, text_of(body)) == (200, oracle.text("turn %d" % i))


def test_pipelined_requests_are_answered_in_order(proxy, healthy, oracle):
    prompts = ["pipe %d" % i for i in range(8)]
    with Wire(proxy.port) as wire:
        wire.send(b"".join(post(chat(p)) for p in prompts))
        assert [text_of(wire.answer()[2]) for _ in prompts] == [oracle.text(p) for p in prompts]


def test_a_stream_and_a_whole_answer_pipelined(proxy, healthy, oracle):
    with Wire(proxy.port) as wire:
        wire.send(post(chat("one", stream=True)) + post(chat("two")))
        status, headers, body = wire.answer()
        assert status == 200 and headers["content-type"].startswith("text/event-stream")
        assert body.endswith(b"data: [DONE]\n\n")
        assert text_of(wire.answer()[2]) == oracle.text("two")


def test_byte_by_byte(proxy, healthy, oracle):
    request = post(chat("slowly"))
    with Wire(proxy.port) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.send(*(request[i:i + 1] for i in range(len(request))))
        assert text_of(wire.answer()[2]) == oracle.text("slowly")


def test_a_chunked_request(proxy, healthy, oracle):
    body = chat("chunks")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7])
                      for i in range(0, len(body), 7)) + b"0\r\n\r\n"
    with Wire(proxy.port) as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
                  b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n" + chunks)
        assert text_of(wire.answer()[2]) == oracle.text("chunks")


def test_expect_100_continue(proxy, healthy, oracle):
    body = chat("wait for me")
    request = post(body, "expect: 100-continue")
    with Wire(proxy.port) as wire:
        wire.send(request[:-len(body)])
        assert wire.answer()[0] == 100
        assert text_of(wire.send(body).answer()[2]) == oracle.text("wait for me")


def test_expect_is_refused_before_the_body_where_the_answer_is_known(strict):
    with Wire(strict.port) as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
                  b"content-length: 9999999\r\n\r\n")
        assert wire.answer()[0] == 413
        assert wire.at_end()


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/chat", "/v1/files"])
def test_head_has_no_body(proxy, healthy, path):
    with Wire(proxy.port) as wire:
        whole = wire.send(b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % path.encode()).answer()
        status, headers, _ = wire.send(
            b"HEAD %s HTTP/1.1\r\nhost: x\r\n\r\n" % path.encode()).answer(of_head=True)
        # The next answer is where the body would have been.
        again = wire.send(b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % path.encode()).answer()
    assert status == 200 and headers["content-length"] == str(len(whole[2]))
    assert json.loads(again[2]).keys() == json.loads(whole[2]).keys()


def test_http_10_closes(proxy, healthy, oracle):
    body = chat("old")
    with Wire(proxy.port) as wire:
        wire.send(post(body).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        status, headers, got = wire.answer()
        assert (status, headers["connection"], text_of(got)) == (200, "close", oracle.text("old"))
        assert wire.at_end()


def test_connection_close_is_obeyed(proxy, healthy):
    with Wire(proxy.port) as wire:
        status, headers, _ = wire.send(post(chat(), "connection: close")).answer()
        assert (status, headers["connection"]) == (200, "close")
        assert wire.at_end()


def too_long_head():
    return b"GET /v1/models HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 2000 + b"\r\n"


REFUSED = {
    "head too large": (too_long_head(), 431),
    "one header too large": (b"GET /v1/models HTTP/1.1\r\nhost: x\r\na: " + b"b" * 9000, 431),
    "body too large, said so": (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
                                b"content-length: 65537\r\n\r\n", 413),
    "body too large, in chunks": (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
                                  b"transfer-encoding: chunked\r\n\r\n" +
                                  (b"4000\r\n" + b"x" * 16384 + b"\r\n") * 5, 413),
    "body absurdly large": (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
                            b"content-length: 9223372036854775808\r\n\r\n", 400),
    "head never ends": (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n", 408),
    "body never ends": (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
                        b"content-length: 100\r\n\r\n{", 408),
    "method not allowed": (b"GET /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n", 405),
    "CONNECT": (b"CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n", None),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40, None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_limits(strict, name):
    data, wanted = REFUSED[name]
    with Wire(strict.port) as wire:
        try:
            wire.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        status, headers, body = wire.answer()
        assert status == wanted or (wanted is None and 400 <= status < 600)
        assert json.loads(body)["error"]["message"]
        if status != 405:
            assert headers["connection"] == "close"
            assert wire.at_end()


SMUGGLED = b"GET /v1/models/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
SMUGGLING = {
    "two lengths": b"content-length: 0\r\ncontent-length: 48\r\n\r\n",
    "a list of lengths": b"content-length: 0, 48\r\n\r\n",
    "length and chunked": b"content-length: 48\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": b"transfer-encoding: chunked\r\ncontent-length: 48\r\n\r\n0\r\n\r\n",
    "a signed length": b"content-length: +0\r\n\r\n",
    "a hexadecimal length": b"content-length: 0x0\r\n\r\n",
    "a negative length": b"content-length: -1\r\n\r\n",
    "a length with a space inside": b"content-length: 0 0\r\n\r\n",
    "an empty length": b"content-length:\r\n\r\n",
    "space before the colon": b"content-length : 0\r\n\r\n",
    "tab before the colon": b"transfer-encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a first line that is folded": b" x: y\r\n\r\n",
    "a bare CR": b"x: y\rtransfer-encoding: chunked\r\n\r\n",
    "a bare LF": b"x: y\ntransfer-encoding: chunked\r\n\r\n",
    "only LFs": b"x: y\n\n",
    "a NUL in a value": b"x: y\x00z\r\n\r\n",
    "a NUL in a name": b"x\x00: y\r\n\r\n",
    "an empty name": b": y\r\n\r\n",
    "no colon": b"transfer-encoding chunked\r\n\r\n",
    "chunked twice": b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two lines": b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": b"transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a quoted coding": b"transfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    "chunked with a vertical tab": b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a chunk size with a sign": b"transfer-encoding: chunked\r\n\r\n+0\r\n\r\n",
    "a chunk size with 0x": b"transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "a chunk size beyond all": b"transfer-encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
    "a chunk that is too long": b"transfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "a chunk that ends in LF": b"transfer-encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    "a chunk line with a bare CR": b"transfer-encoding: chunked\r\n\r\n0\r\r\n\r\n",
    "two hosts": b"host: y\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling(strict, healthy, name):
    before = sum(mock.stats()["requests"] for mock in healthy)
    with Wire(strict.port) as wire:
        try:
            wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n" + SMUGGLING[name] +
                      SMUGGLED)
        except (BrokenPipeError, ConnectionResetError):
            pass
        status, headers, _ = wire.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert wire.at_end(), "a second answer: the smuggled request was served"
    assert sum(mock.stats()["requests"] for mock in healthy) == before


@pytest.mark.parametrize("line", [
    b"GET  /v1/models HTTP/1.1", b" GET /v1/models HTTP/1.1", b"GET /v1/models HTTP/1.1 ",
    b"GET /v1/models", b"GET /v1/models HTTP/1.10", b"GET /v1/models http/1.1",
    b"GET /v1/mod els HTTP/1.1", b"G\x00T /v1/models HTTP/1.1", b"GET v1/models HTTP/1.1",
    b"GET /v1/models\tHTTP/1.1", b"G(T /v1/models HTTP/1.1"])
def test_malformed_request_lines(strict, line):
    with Wire(strict.port) as wire:
        status, _, _ = wire.send(line + b"\r\nhost: x\r\n\r\n").answer()
        assert status in (400, 505)
        assert wire.at_end()


def test_no_host_is_refused(strict):
    with Wire(strict.port) as wire:
        assert wire.send(b"GET /v1/models HTTP/1.1\r\n\r\n").answer()[0] == 400


def test_a_slow_client_holds_nobody_up(strict, healthy, oracle):
    slow = [Wire(strict.port).send(b"POST /v1/chat/completions HTTP/1.1\r\nho") for _ in range(50)]
    status, _, got = strict.chat("quick")
    assert (status, got["choices"][0]["message"]["content"]) == (200, oracle.text("quick"))
    for wire in slow:
        assert wire.answer()[0] == 408
        wire.__exit__()


def test_idle_connections_are_closed(strict, healthy):
    with Wire(strict.port) as wire:
        assert wire.send(post(chat())).answer()[0] == 200
        assert wire.at_end()


BODIES = {
    "no JSON": b"hello", "empty": b"", "a list": b"[]", "cut": b'{"model":"chat","messages":[',
    "model twice": b'{"model":"chat","model":"embed","messages":[]}',
    "model twice, escaped": b'{"model":"chat","\\u006dodel":"embed","messages":[]}',
    "model no text": b'{"model":7,"messages":[]}',
    "bad UTF-8": b'{"model":"chat","messages":[{"role":"user","content":"\xff\xfe"}]}',
    "deep": b'{"model":"chat","messages":' + b"[" * 20000 + b"]" * 20000 + b"}",
    "rubbish behind": b'{"model":"chat","messages":[]}}',
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_refused(strict, healthy, name):
    before = sum(mock.stats()["requests"] for mock in healthy)
    status, headers, body = strict.ask(body=BODIES[name])
    assert status == 400, body
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert headers["x-request-id"]
    assert sum(mock.stats()["requests"] for mock in healthy) == before


# ---- who sees what ---------------------------------------------------------------------


CREDENTIALS = {
    "authorization": "Bearer client-secret-1", "x-api-key": "client-secret-2",
    "api-key": "client-secret-3", "x-goog-api-key": "client-secret-4",
    "cookie": "session=client-secret-5", "proxy-authorization": "Basic client-secret-6",
    "openai-organization": "client-secret-7", "openai-project": "client-secret-8",
    "x-forwarded-for": "client-secret-9", "forwarded": "for=client-secret-10",
    "x-hop": "client-secret-11", "connection": "x-hop", "te": "client-secret-12",
    "x-backstay-model": "client-secret-13", "upgrade": "client-secret-14",
}


def test_client_credentials_never_reach_a_backend(proxy, healthy):
    status, _, _ = proxy.ask(path="/v1/chat/completions", body=chat_body("private", "only-alpha"),
                             headers=CREDENTIALS)
    assert status == 200
    seen = healthy[0].last()
    assert "client-secret" not in seen
    assert seen.lower().count("authorization: bearer " + SECRET) == 1
    assert "accept-encoding: identity" in seen.lower()
    assert "\nhost: 127.0.0.1:%d\n" % healthy[0].port in seen.lower()


@pytest.mark.parametrize("spec", [
    "ok", "bad-key", 'status 401 message "key upstream-secret-of-ours is wrong"',
    'status 400 message "you sent Bearer upstream-secret-of-ours"',
    'status 500 shape plain message "upstream-secret-of-ours"', "html 502",
    'error first message "upstream-secret-of-ours"',
    'error after 3 message "upstream-secret-of-ours"'])
@pytest.mark.parametrize("stream", [False, True])
def test_the_key_of_a_backend_never_reaches_a_client_or_a_log(proxy, healthy, spec, stream):
    healthy[0].behave(spec)
    _, headers, body = proxy.ask(body=chat_body("nosy", "only-alpha", stream=stream))
    assert SECRET not in repr(headers) + body.decode()
    proxy.record_of(headers["x-request-id"])
    with open(proxy.access, encoding="utf-8") as file:
        assert SECRET not in file.read()
    assert SECRET not in proxy.said()
    assert SECRET not in json.dumps(proxy.status())


def test_the_request_id_is_one_everywhere(proxy, healthy):
    _, headers, _ = proxy.ask(body=chat_body("id", "only-alpha"),
                              headers={"x-request-id": "trace-4711"})
    assert headers["x-request-id"] == "trace-4711"
    assert "x-request-id: trace-4711" in healthy[0].last().lower()
    assert proxy.record_of("trace-4711")["model"] == "only-alpha"


@pytest.mark.parametrize("bad", ["x" * 65, "a b", "a\"b", "<script>"])
def test_an_odd_request_id_is_replaced(proxy, healthy, bad):
    _, headers, _ = proxy.ask(body=chat_body("id"), headers={"x-request-id": bad})
    assert headers["x-request-id"].startswith("req_")


def test_own_headers_of_the_backend_do_not_replace_ours(proxy, healthy):
    _, headers, _ = proxy.chat("mine", model="only-alpha")
    assert headers["x-backstay-target"] == "alpha/mock-large"
    assert headers["x-backstay-attempts"] == "1"


def test_the_prompt_is_in_no_log(proxy, healthy):
    _, headers, _ = proxy.chat("a very private sentence")
    proxy.record_of(headers["x-request-id"])
    with open(proxy.access, encoding="utf-8") as file:
        assert "very private" not in file.read()
    assert "very private" not in proxy.said()


def test_the_access_log_agrees_with_the_mocks(strict, healthy):
    before = sum(mock.stats()["requests"] for mock in healthy)
    ids = [strict.chat("counted %d" % i)[1]["x-request-id"] for i in range(30)]
    records = [strict.record_of(one) for one in ids]
    assert sum(len(r["attempts"]) for r in records) == \
        sum(mock.stats()["requests"] for mock in healthy) - before == 30
    poll("all to be over", lambda: strict.status()["total"]["in_progress"] == 0)
