"""TLS on both sides, and backends behind a forward proxy."""

import http.client
import os
import socket
import ssl
import subprocess
import threading

import pytest

from harness import PATIENCE_S, Mock, chat_body, clean_environment, compact, get, poll

NAME = "models.test"              # no DNS knows it: only the forward proxy does


def openssl(*arguments, cwd):
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, place):
        self.place = str(place)
        with open(self.path("db"), "w", encoding="ascii"):
            pass
        with open(self.path("ca.cnf"), "w", encoding="ascii") as file:
            file.write("[ca]\ndefault_ca=c\n[c]\ndatabase=db\nnew_certs_dir=.\nrand_serial=yes\n"
                       "default_md=sha256\npolicy=p\nunique_subject=no\ncopy_extensions=copy\n"
                       "[p]\ncommonName=supplied\n")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "30",
                cwd=self.place)

    def path(self, name):
        return os.path.join(self.place, name)

    def issue(self, name, alternatives, begin="20200101000000Z", end="20991231235959Z"):
        """(certificate, key) as paths."""
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name,
                "-addext", "subjectAltName=" + alternatives, cwd=self.place)
        openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
                "-in", name + ".csr", "-out", name + ".pem", "-notext", "-startdate", begin,
                "-enddate", end, cwd=self.place)
        return self.path(name + ".pem"), self.path(name + ".key")


@pytest.fixture(scope="module")
def authority(place):
    return Authority(place)


@pytest.fixture(scope="module")
def start_mock(place, authority):
    started = []

    class Secure(Mock):
        """Asked with TLS only; there is no control."""

        def __init__(self, name, cert, key):
            super().__init__(place, name, "--tls-cert", cert, "--tls-key", key)
            started.append(self)

        @property
        def url(self):
            return "https://127.0.0.1:%d/v1" % self.port

        def ready(self):
            def listens():
                with socket.socket() as s:
                    return s.connect_ex(("127.0.0.1", self.port)) == 0
            poll("mock " + self.name, listens)
            return self

    def begin(name, alternatives, **validity):
        return Secure(name, *authority.issue(name, alternatives, **validity)).start()

    yield begin
    for mock in started:
        mock.kill()


@pytest.fixture(scope="module")
def good(start_mock):
    return start_mock("good", "IP:127.0.0.1,DNS:localhost,DNS:" + NAME)


def config_of(authority, url, **backend):
    return {"backends": {"far": {"url": url, "key": "upstream-secret",
                                 "tls": {"ca": authority.path("ca.pem")}, **backend}},
            "models": {"chat": ["far/m"]}}


def check_answer(proxy, oracle):
    status, _, got = proxy.chat("over TLS")
    assert status == 200, got
    assert got["choices"][0]["message"]["content"] == oracle.text("over TLS")
    got = proxy.stream("over TLS too")
    assert got.complete and got.text == oracle.text("over TLS too")


def refusal(proxy):
    """What the access log says of a request that must fail."""
    status, headers, got = proxy.chat("never")
    assert (status, got["error"]["code"]) == (502, "upstream_unreachable")
    attempt = proxy.record_of(headers["x-request-id"])["attempts"][0]
    assert attempt["fault"] == "connect"
    return attempt["text"]


# ---- towards clients ------------------------------------------------------------------------


def test_a_listener_with_tls(start_proxy, good, authority, oracle):
    cert, key = authority.issue("listener", "IP:127.0.0.1,DNS:localhost")
    proxy = start_proxy({**config_of(authority, good.url), "tls": {"cert": cert, "key": key}})
    trust = ssl.create_default_context(cafile=authority.path("ca.pem"))
    for _ in range(2):
        connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=trust,
                                                 timeout=PATIENCE_S)
        for i in range(3):            # kept alive
            connection.request("POST", "/v1/chat/completions", compact(chat_body("tls %d" % i)),
                               {"content-type": "application/json"})
            body = connection.getresponse().read().decode()
            assert oracle.text("tls %d" % i)[:10] in body
        connection.close()
    with pytest.raises((OSError, http.client.HTTPException)):
        proxy.chat("without TLS")
    with socket.create_connection(("127.0.0.1", proxy.port)) as old:
        with pytest.raises(ssl.SSLError):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.wrap_socket(old)


def test_a_long_kept_answer_comes_whole(start_proxy, good, authority):
    """Written in pieces, none of which may wait for news that never comes."""
    cert, key = authority.issue("keeper", "IP:127.0.0.1")
    config = {**config_of(authority, good.url), "tls": {"cert": cert, "key": key}}
    config["models"] = {"chat": {"targets": ["far/m"], "cache": {"fresh": "1h"}}}
    proxy = start_proxy(config)
    trust = ssl.create_default_context(cafile=authority.path("ca.pem"))
    got = []
    for _ in range(3):
        connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=trust,
                                                 timeout=PATIENCE_S)
        connection.request("POST", "/v1/chat/completions", compact(chat_body("long")),
                           {"content-type": "application/json", "x-mock-fault": "big-body 400000"})
        answer = connection.getresponse()
        got.append((answer.getheader("x-backstay-cache"), answer.read()))
        connection.close()
    assert [kept for kept, _ in got] == ["miss", "hit", "hit"]
    assert len(got[0][1]) > 400000
    assert got[1][1] == got[2][1] == got[0][1]


def test_a_new_certificate_is_used_after_a_reload(start_proxy, good, authority):
    cert, key = authority.issue("older", "IP:127.0.0.1")
    proxy = start_proxy({**config_of(authority, good.url), "tls": {"cert": cert, "key": key}})

    def common_name():
        trust = ssl.create_default_context(cafile=authority.path("ca.pem"))
        with socket.create_connection(("127.0.0.1", proxy.port)) as s:
            with trust.wrap_socket(s, server_hostname="127.0.0.1") as secure:
                return dict(x[0] for x in secure.getpeercert()["subject"])["commonName"]

    def told_to_end():
        return [float(line.split()[1]) for line in get(proxy.admin, "/metrics")[1].decode().split("\n")
                if line.startswith("backstay_certificate_expiry_timestamp_seconds ")]

    assert common_name() == "older"
    assert told_to_end() == [4102444799]          # 2099-12-31 23:59:59
    cert, key = authority.issue("newer", "IP:127.0.0.1", end="20991230235959Z")
    proxy.config["tls"] = {"cert": cert, "key": key}
    proxy.write()
    proxy.reload()
    poll("the new certificate", lambda: common_name() == "newer")
    assert told_to_end() == [4102444799 - 86400]


# ---- towards backends -----------------------------------------------------------------------


def test_a_backend_with_tls(start_proxy, good, authority, oracle):
    check_answer(start_proxy(config_of(authority, good.url)), oracle)


def test_the_end_of_a_backends_certificate_is_told(start_proxy, start_mock, authority, oracle):
    """By address and by name, from the first connection on; not before, and of no other."""
    mock = start_mock("ending", "IP:127.0.0.1,DNS:localhost", end="20300102030405Z")
    for host in ("127.0.0.1", "localhost"):
        proxy = start_proxy(config_of(authority, "https://%s:%d/v1" % (host, mock.port)))
        name = b'backstay_target_certificate_expiry_timestamp_seconds{target="far/m"} '
        assert name not in get(proxy.admin, "/metrics")[1]
        check_answer(proxy, oracle)
        assert name + b"1893553445\n" in get(proxy.admin, "/metrics")[1]


def test_a_backend_by_its_host_name(start_proxy, good, authority, oracle):
    check_answer(start_proxy(config_of(authority, "https://localhost:%d/v1" % good.port)), oracle)


def test_an_unknown_authority_is_refused(start_proxy, good, authority):
    config = config_of(authority, good.url)
    del config["backends"]["far"]["tls"]
    text = refusal(start_proxy(config))
    assert "certificate" in text and ("issuer" in text or "authority" in text or "self" in text)


def test_a_wrong_name_is_refused(start_proxy, start_mock, authority):
    mock = start_mock("elsewhere", "DNS:elsewhere.test")
    text = refusal(start_proxy(config_of(authority, mock.url)))
    assert "certificate" in text and ("mismatch" in text or "name" in text)


def test_an_expired_certificate_is_refused(start_proxy, start_mock, authority):
    mock = start_mock("expired", "IP:127.0.0.1", end="20210101000000Z")
    text = refusal(start_proxy(config_of(authority, mock.url)))
    assert "certificate" in text and "expired" in text


def test_a_certificate_of_the_future_is_refused(start_proxy, start_mock, authority):
    mock = start_mock("future", "IP:127.0.0.1", begin="20900101000000Z")
    text = refusal(start_proxy(config_of(authority, mock.url)))
    assert "certificate" in text and "not yet valid" in text


def test_a_backend_that_speaks_no_tls_is_refused(start_proxy, authority, oracle):
    refusal(start_proxy(config_of(authority, "https://127.0.0.1:%d/v1" % oracle.mock.port)))


def test_a_refused_certificate_fails_over(start_proxy, start_mock, good, authority, oracle):
    bad = start_mock("bad", "DNS:elsewhere.test")
    config = config_of(authority, good.url)
    config["backends"]["bad"] = {"url": bad.url, "tls": {"ca": authority.path("ca.pem")}}
    config["models"]["chat"] = ["bad/m", "far/m"]
    proxy = start_proxy(config)
    check_answer(proxy, oracle)


# ---- forward proxies ------------------------------------------------------------------------


class Forward:
    """An HTTP forward proxy that knows one way: to `port`, whatever is asked."""

    def __init__(self, port):
        self.port, self.asked = port, []
        self.refuse = None
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(1)
                if not data:
                    return
                head += data
            self.asked.append(head.decode("latin-1"))
            if self.refuse:
                client.sendall(self.refuse)
                client.close()
                return
            there = socket.create_connection(("127.0.0.1", self.port))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.pump, args=(there, client), daemon=True)
            back.start()
            self.pump(client, there)
        except OSError:
            client.close()

    @staticmethod
    def pump(source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            sink.close()

    def close(self):
        # close() alone leaves the socket to the thread that waits in accept().
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


@pytest.fixture
def forward(good):
    one = Forward(good.port)
    yield one
    if one.server.fileno() >= 0:
        one.close()


def test_a_proxy_named_by_the_config(start_proxy, forward, authority, oracle):
    url = forward.url.replace("//", "//user:pass%40word@")
    proxy = start_proxy(config_of(authority, "https://%s/v1" % NAME, proxy=url))
    check_answer(proxy, oracle)
    first = forward.asked[0]
    assert first.startswith("CONNECT %s:443 HTTP/1.1\r\n" % NAME)
    assert "\r\nhost: %s:443\r\n" % NAME in first.lower()
    assert "\r\nProxy-Authorization: Basic dXNlcjpwYXNzQHdvcmQ=\r\n" in first
    assert "upstream-secret" not in "".join(forward.asked)


def test_a_proxy_named_by_the_environment(start_proxy, forward, authority, oracle):
    env = clean_environment(HTTPS_PROXY=forward.url)
    check_answer(start_proxy(config_of(authority, "https://%s/v1" % NAME), env), oracle)
    assert forward.asked[0].startswith("CONNECT %s:443 " % NAME)


def test_a_plain_backend_behind_a_proxy(start_proxy, authority, oracle):
    forward = Forward(oracle.mock.port)
    config = config_of(authority, "http://%s/v1" % NAME, proxy=forward.url)
    del config["backends"]["far"]["tls"]
    check_answer(start_proxy(config), oracle)
    assert forward.asked[0].startswith("CONNECT %s:80 " % NAME)
    forward.close()


@pytest.mark.parametrize("exception", ["models.test", ".test", "*", "other.test, MODELS.test"])
def test_no_proxy_goes_straight(start_proxy, forward, authority, exception):
    env = clean_environment(HTTPS_PROXY=forward.url, NO_PROXY=exception)
    proxy = start_proxy(config_of(authority, "https://%s/v1" % NAME, connect="300ms"), env)
    refusal(proxy)                # nobody knows the name here
    assert not forward.asked


def test_this_machine_is_never_reached_through_the_environments_proxy(
        start_proxy, forward, good, authority, oracle):
    env = clean_environment(HTTPS_PROXY=forward.url, HTTP_PROXY=forward.url, ALL_PROXY=forward.url)
    check_answer(start_proxy(config_of(authority, good.url), env), oracle)
    assert not forward.asked


@pytest.mark.parametrize("answer,wanted", [
    (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "407"),
    (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "502"),
    (b"SSH-2.0-nonsense\r\n", "proxy"), (b"", "proxy")])
def test_a_proxy_that_refuses_is_named(start_proxy, forward, authority, answer, wanted):
    forward.refuse = answer or b"HTTP/1.1 "
    proxy = start_proxy(config_of(authority, "https://%s/v1" % NAME, proxy=forward.url))
    assert wanted in refusal(proxy)


def test_a_proxy_that_is_gone_is_named(start_proxy, forward, authority):
    forward.close()
    proxy = start_proxy(config_of(authority, "https://%s/v1" % NAME, proxy=forward.url))
    refusal(proxy)
