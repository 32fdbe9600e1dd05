"""The processes: restarts, draining, reloads, and what the operator is told."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from harness import (BACKSTAY, PATIENCE_S, Proxy, backends_of, chat_body, children_of,
                     clean_environment, compact, free_port, get, poll, targets_of)
from load import Load


def config_of(mocks, /, **more):
    return {"backends": backends_of(mocks), "models": {"chat": {"targets": targets_of(mocks)}},
            **more}


@pytest.fixture
def one(start_proxy, healthy):
    """A proxy of the test's own."""
    return start_proxy(config_of(healthy))


def gone(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# ---- living and dying --------------------------------------------------------------------


def test_a_killed_serving_process_is_replaced_and_nobody_is_refused(one, healthy, oracle):
    killed = set()
    load = Load(one, oracle, threads=6)
    load.may_break = True
    with load:
        for _ in range(4):
            load.wait_for(20)
            pid = one.serving_pid()
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
            poll("a new serving process",
                 lambda: not killed.intersection(children_of(one.process.pid)) and
                 children_of(one.process.pid))
        load.wait_for(20)
    # What was under way on a killed process breaks; nothing else may.
    assert load.broken <= 6 * len(killed)
    assert one.said().count("serving_died") == len(killed)
    assert one.status()["serving_starts"] == len(killed) + 1


def test_requests_wait_while_nobody_serves(one, healthy, oracle):
    """The sockets outlive the serving process: connections queue in the kernel."""
    before = one.serving_pid()
    os.kill(before, signal.SIGKILL)
    for i in range(10):
        status, _, got = one.chat("queued %d" % i)
        assert status == 200
        assert got["choices"][0]["message"]["content"] == oracle.text("queued %d" % i)
    assert one.serving_pid() != before


def test_nothing_outlives_a_killed_supervisor(start_proxy, healthy):
    proxy = start_proxy(config_of(healthy, mocks={
        "inner": {"listen": "127.0.0.1:%d" % free_port()}}))
    children = poll("server and mock", lambda: (
        lambda c: c if len(c) == 2 else None)(children_of(proxy.process.pid)))
    proxy.kill()
    poll("the children to end", lambda: all(gone(pid) for pid in children))


def test_a_mock_of_the_config_comes_back(start_proxy):
    port = free_port()
    proxy = start_proxy({
        "mocks": {"inner": {"listen": "127.0.0.1:%d" % port, "restart": "100ms"}},
        "backends": {"inner": {"url": "http://127.0.0.1:%d/v1" % port}},
        "models": {"chat": ["inner/m"]}})
    poll("an answer", lambda: proxy.chat()[0] == 200)
    pid = proxy.status()["mocks"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    poll("an answer of the new one",
         lambda: proxy.chat()[0] == 200 and proxy.status()["mocks"][0]["pid"] != pid)


# ---- running out of things ------------------------------------------------------------------


def test_descriptors_run_out(start_proxy, healthy, oracle):
    """Nobody is blamed for it, and it passes."""
    proxy = start_proxy(config_of(healthy), before=("prlimit", "--nofile=80:80"))
    pid = proxy.serving_pid()
    crowd = [socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S) for _ in range(120)]
    for one in crowd:
        one.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
    assert sum(one.recv(12) == b"HTTP/1.1 200" for one in crowd[:20]) == 20
    for one in crowd:
        one.close()
    poll("an answer", lambda: proxy.chat()[0] == 200)
    for i in range(20):
        status, _, got = proxy.chat("room %d" % i)
        assert status == 200
        assert got["choices"][0]["message"]["content"] == oracle.text("room %d" % i)
    assert proxy.serving_pid() == pid
    for model in proxy.status()["models"]:
        assert [t["blamed"] for t in model["targets"]] == [0, 0, 0]


def test_too_many_connections_are_told(start_proxy, healthy):
    proxy = start_proxy(config_of(healthy, limits={"connections": 20}))
    crowd = [socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S) for _ in range(20)]
    poll("the crowd", lambda: proxy.status()["client_connections"] == 20)
    status, _, got = proxy.chat()
    assert status == 503 and got["error"]["message"]
    crowd.pop().close()
    poll("room", lambda: proxy.chat()[0] == 200)
    for one in crowd:
        one.close()


def test_max_in_flight_holds_for_the_whole_process(start_proxy, healthy):
    config = config_of(healthy)
    config["backends"]["alpha"]["max_in_flight"] = 2
    config["models"]["alone"] = {"targets": ["alpha/m"], "queue": {"length": 0}}
    proxy = start_proxy(config)
    healthy[0].behave("gap 10ms tokens 100000")
    held = []
    for _ in range(2):
        held.append(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE_S))
        held[-1].request("POST", "/v1/chat/completions",
                         compact(chat_body("x", model="alone", stream=True)),
                         {"content-type": "application/json"})
        assert held[-1].getresponse().status == 200
    for _ in range(5):            # whichever worker is asked
        status, headers, got = proxy.chat(model="alone")
        assert (status, headers["x-should-retry"]) == (503, "false")
        assert int(headers["retry-after"]) >= 1 and "can take" in got["error"]["message"]
        assert proxy.chat()[0] == 200
    for one in held:
        one.close()
    healthy[0].behave("")
    poll("a place", lambda: proxy.chat(model="alone")[0] == 200)


def test_a_unix_socket(start_proxy, healthy, tmp_path):
    path = str(tmp_path / "listen.sock")
    config = config_of(healthy)
    proxy = start_proxy(config)
    both = start_proxy({**config, "listen": ["unix:" + path, "127.0.0.1:%d" % free_port()]})
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)
        one.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: one.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200") and b'"chat"' in answer
    assert both.stop() == 0 and proxy.alive()


# ---- draining -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_stream_is_finished_before_the_exit(start_proxy, healthy, oracle, number):
    proxy = start_proxy(config_of(healthy))
    for mock in healthy:
        mock.behave("gap 20ms")
    seen = []

    def stop(got):
        if len(got.events) == 3:
            proxy.signal(number)
            poll("draining", lambda: (get(proxy.admin, "/readyz") or [0])[0] in (503, 0))
            seen.append(True)

    got = proxy.stream("drained", on_event=stop)
    assert seen and got.complete and got.text == oracle.text("drained")
    assert proxy.wait() == 0
    with pytest.raises(OSError):
        proxy.chat()


def test_beyond_the_limit_a_stream_ends_honestly(start_proxy, healthy):
    proxy = start_proxy(config_of(healthy, drain="300ms"))
    for mock in healthy:
        mock.behave("gap 10ms tokens 100000")
    got = proxy.stream("endless", on_event=lambda g: len(g.events) == 3 and
                       proxy.signal(signal.SIGTERM))
    assert got.text and not got.done
    assert len(got.errors) == 1 and got.errors[0]["code"] == "shutting_down"
    assert proxy.wait() == 0
    assert "cut_short=yes" in proxy.said()


def test_a_second_signal_ends_at_once(start_proxy, healthy):
    proxy = start_proxy(config_of(healthy, drain="10m"))
    for mock in healthy:
        mock.behave("gap 10ms tokens 100000")

    def stop(got):
        if len(got.events) == 3:
            proxy.signal(signal.SIGTERM)
            poll("draining", lambda: "draining" in proxy.said())
            proxy.signal(signal.SIGTERM)

    got = proxy.stream("endless", on_event=stop)
    assert not got.done and (len(got.errors) == 1 or got.broken)
    assert proxy.wait() == 0


def test_draining_lets_idle_connections_go(start_proxy, healthy):
    proxy = start_proxy(config_of(healthy, drain="10m"))
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S) as idle:
        idle.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        proxy.signal(signal.SIGTERM)
        while idle.recv(65536):
            pass
    assert proxy.wait() == 0


# ---- reloading ------------------------------------------------------------------------------


def models(proxy):
    return {m["id"] for m in json.loads(proxy.ask("/v1/models")[2])["data"]}


def test_reloads_under_load_lose_nothing(one, healthy, oracle):
    with Load(one, oracle, threads=6) as load:
        for i in range(12):
            one.config["models"]["extra-%d" % i] = [healthy[i % 3].name + "/m"]
            one.config["models"]["chat"]["targets"].reverse()
            one.write()
            one.reload()
            assert "extra-%d" % i in models(one)
            load.wait_for(15)
        assert (load.honest, load.broken) == (0, 0)


def test_a_stream_outlives_the_config_it_began_with(one, healthy, oracle):
    whole = oracle.text("long")
    healthy[0].behave("gap 20ms")
    one.config["models"] = {"chat": ["alpha/mock-large"]}
    one.write()
    one.reload()

    def change(got):
        if len(got.events) == 3:
            one.config["models"] = {"other": ["bravo/mock-large"]}
            del one.config["backends"]["alpha"]
            one.write()
            one.reload()
            assert models(one) == {"other"}

    got = one.stream("long", on_event=change)
    assert got.complete and got.text == whole


BAD = {
    "syntax": ("listen: [", r":\d+:\d+: "),
    "unknown key": ("wrokers: 2\n", 'unknown key "wrokers".*did you mean "workers"'),
    "nothing": ("", "."),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_config_keeps_the_old_one_and_says_so(one, healthy, oracle, name):
    text, pattern = BAD[name]
    assert one.chat("before")[0] == 200
    before = one.status()["config"]
    one.write(text)
    one.signal(signal.SIGHUP)
    poll("the refusal",
         lambda: one.status()["config"]["reload_failures"] > before["reload_failures"])
    after = one.status()["config"]
    assert after["generation"] == before["generation"]
    assert re.search(pattern, after["refused"]) and one.file in after["refused"]
    poll("the log to say it", lambda: re.search(pattern, one.said().replace('\\"', '"')))
    status, _, got = one.chat("after")
    assert got["choices"][0]["message"]["content"] == oracle.text("after")
    metrics = get(one.admin, "/metrics")[1].decode()
    assert re.search(r"^backstay_config_reload_failures\S* [1-9]", metrics, re.M)
    one.write()
    one.reload()
    assert not one.status()["config"]["refused"]


def test_a_changed_file_is_noticed_by_itself(one):
    one.config["models"]["noticed"] = ["alpha/m"]
    one.write()
    poll("the new model", lambda: "noticed" in models(one))


def test_what_needs_a_restart_is_named(one):
    before = one.config["listen"]
    one.config["listen"] = "127.0.0.1:%d" % free_port()
    one.config["workers"] = 1
    one.write()
    one.reload()
    assert one.chat()[0] == 200       # still where it was
    for word in ("listen", "workers", "restart"):
        poll("a warning about " + word, lambda w=word: w in one.said())
    one.config["listen"] = before


def test_client_keys_change_with_the_config(one, healthy):
    assert one.chat()[0] == 200
    one.config["keys"] = [{"name": "ann", "key": "key-of-ann"},
                          {"name": "bob", "sha256": "808a1d81b5de08d72083995df738947d"
                                                    "519d230a20c236003268f0f4b65ee475"}]
    one.write()
    one.reload()
    status, headers, got = one.chat()
    assert (status, got["error"]["code"]) == (401, "invalid_api_key")
    for header in ({"authorization": "Bearer key-of-ann"}, {"x-api-key": "key-of-ann"},
                   {"authorization": "bearer key-of-ann"}, {"x-api-key": "key-of-bob"}):
        status, headers, _ = one.chat(headers=header)
        assert status == 200
        assert one.record_of(headers["x-request-id"])["key"] == str(header)[-5:-2]
    assert "key-of-ann" not in one.said() + open(one.access, encoding="utf-8").read()
    assert "key-of-ann" not in json.dumps(one.status())


# ---- what the operator sees -----------------------------------------------------------------


def test_health_and_readiness(one):
    assert get(one.admin, "/healthz") == (200, b"alive\n")
    assert get(one.admin, "/readyz") == (200, b"ready\n")
    assert get(one.admin, "/nothing")[0] == 404
    assert get(one.admin, "/healthz", "POST", b"x")[0] == 405
    # Not on the clients' port.
    assert get(one.port, "/healthz")[0] == 404 and get(one.port, "/metrics")[0] == 404


def test_the_status_page_needs_nothing_from_elsewhere(one):
    status, page = get(one.admin, "/")
    assert status == 200 and b"<html" in page.lower()
    assert not re.search(rb"(src|href)=[\"']?(https?:)?//", page)


SAMPLE = re.compile(r'^[a-z_:]+(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? -?[0-9.e+-]+(Inf)?$')


def test_metrics_are_prometheus_text_and_agree_with_the_log(one, healthy):
    healthy[0].behave("status 500")
    for i in range(9):
        assert one.chat("m%d" % i)[0] == 200
    one.chat(model="nobody")
    poll("ten lines", lambda: len(one.records()) >= 10)
    text = get(one.admin, "/metrics")[1].decode()
    typed = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            typed.add(line.split()[2])
        elif not line.startswith("#"):
            assert SAMPLE.match(line), line
            name = re.match(r"[a-z_:]+", line).group()
            assert name in typed or re.sub(r"_(bucket|sum|count)$", "", name) in typed, line
    records = one.records()
    total = sum(float(line.rpartition(" ")[2]) for line in text.splitlines()
                if line.startswith("backstay_attempts_total{"))
    assert total == sum(len(r["attempts"]) for r in records)


def test_the_access_log_is_opened_again_on_request(one, healthy):
    one.chat("first")
    poll("a line", one.records)
    os.rename(one.access, one.access + ".1")
    one.signal(signal.SIGUSR1)
    poll("the new file", lambda: os.path.exists(one.access))
    one.chat("second")
    poll("its line", one.records)
    assert len(one.records()) == 1


def test_the_access_log_on_stdout(start_proxy, healthy):
    proxy = start_proxy(config_of(healthy, log={"access": "stdout"}))
    _, headers, _ = proxy.chat()

    def lines():
        with open(proxy.out, encoding="utf-8") as file:
            return [json.loads(line) for line in file.read().split("\n")[:-1]]
    poll("the line", lines)
    assert [one["id"] for one in lines()] == [headers["x-request-id"]]


def test_a_port_in_use_is_named(place, one, healthy):
    other = Proxy(place, config_of(healthy), "second")
    other.config["listen"] = one.config["listen"]
    other.write()
    other.spawn(["run", "-c", other.file])
    assert other.wait() == 1
    assert one.config["listen"].rpartition(":")[2] in other.said()
    assert one.chat()[0] == 200


def run(*arguments, env=None):
    return subprocess.run([BACKSTAY, *map(str, arguments)], capture_output=True, text=True,
                          timeout=PATIENCE_S, env=env or clean_environment())


def test_a_refused_config_is_exit_code_2_with_the_place(place):
    path = os.path.join(str(place), "bad.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("listen: 127.0.0.1:0\nbackends:\n  a: {url: http://127.0.0.1:1/v1}\n"
                   "models:\n  chat: [b/m]\n")
    for command in ("run", "check"):
        ended = run(command, "-c", path)
        assert ended.returncode == 2
        assert path + ":5:10: " in ended.stderr + ended.stdout


def test_check_live_asks_every_backend(place, one, healthy):
    healthy[1].behave("bad-key")
    ended = run("check", "-c", one.file, "--live")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert all(mock.name in said for mock in healthy)
    healthy[1].behave("")
    assert run("check", "-c", one.file, "--live").returncode == 0
    assert run("check", "-c", one.file).returncode == 0


def test_without_a_file_the_environment_is_the_config(place, healthy, tmp_path):
    """No key, no server: a text that helps."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "BACKSTAY_CONFIG": ""}
    ended = run("run", "-c", str(tmp_path / "nowhere.yaml"), env=env)
    assert ended.returncode == 2 and "nowhere.yaml" in ended.stderr


def test_version_and_help():
    assert re.match(r"backstay \d+\.\d+", run("version").stdout)
    assert "backstay run" in run("--help").stdout
    assert run("no-such-command").returncode == 2
    assert run("run", "--no-such-option").returncode == 2


def test_a_program_without_arguments_explains_itself():
    ended = run()
    assert "backstay" in ended.stdout + ended.stderr
