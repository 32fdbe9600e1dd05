"""The access log's other ways: by share, to syslog, and into files that are
rotated."""

import json
import os
import re
import signal
import socket
import threading

import pytest

from harness import CALM, get, poll


def left_out(proxy):
    for line in get(proxy.admin, "/metrics")[1].decode().split("\n"):
        if line.startswith("backstay_access_lines_left_out_total "):
            return int(line.split()[1])
    raise AssertionError("no such metric")


def config_of(mocks, **log):
    return {"backends": {m.name: {"url": m.url} for m in mocks}, "defaults": CALM,
            "models": {"chat": {"targets": [
                {"backend": m.name, "model": "m", "priority": i + 1} for i, m in enumerate(mocks)]}},
            "log": log}


@pytest.fixture(scope="module")
def sparing(start_proxy, mocks, place):
    path = str(place / "sparing.jsonl")
    proxy = start_proxy(config_of(mocks, access=path, access_sample="0%"))
    proxy.access = path
    return proxy


def test_of_calm_requests_a_share_has_lines_and_all_others_have(sparing, mocks, healthy):
    for n in range(20):
        assert sparing.chat("calm %d" % n)[0] == 200
    mocks[0].next("status 500")
    status, headers, _ = sparing.chat("rescued")
    assert status == 200
    assert sparing.record_of(headers["x-request-id"])["attempts"][0]["fault"] == "server_error"
    for mock in mocks:
        mock.behave("status 500")
    status, headers, _ = sparing.chat("failed")
    for mock in mocks:
        mock.behave("")
    assert status >= 500
    sparing.record_of(headers["x-request-id"])
    poll("what was left out to be counted", lambda: left_out(sparing) == 20)
    assert len(sparing.records()) == 2


def test_each_line_is_a_message_of_syslog(start_proxy, mocks, place, healthy):
    path = str(place / "log")
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.settimeout(30)
    daemon.bind(path)
    proxy = start_proxy(config_of(mocks, access="syslog", syslog="unix:" + path))
    for n in range(3):
        _, headers, _ = proxy.chat("hello %d" % n)
        message = daemon.recv(65536).decode()
        match = re.match(r"<30>\w{3} [ \d]\d \d\d:\d\d:\d\d backstay\[\d+\]: (\{.*\})$", message)
        assert match, message
        assert json.loads(match.group(1))["id"] == headers["x-request-id"]
    daemon.close()


def test_rotations_under_load_lose_no_line(start_proxy, mocks, place, healthy):
    """Each line is whole, in one file, and there: in the old one or the new one."""
    path = str(place / "rotated.jsonl")
    proxy = start_proxy(config_of(mocks, access=path))
    proxy.access, asked, files = path, [], []
    over = threading.Event()

    def ask():
        while not over.is_set():
            asked.append(proxy.chat("rotated")[1]["x-request-id"])

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    for turn in range(6):
        before = len(asked)
        poll("requests to go on", lambda: len(asked) > before + 20)
        files.append("%s.%d" % (path, turn))
        os.rename(path, files[-1])
        proxy.signal(signal.SIGUSR1)
        poll("the new file", lambda: os.path.exists(path))
    over.set()
    for client in clients:
        client.join()
    proxy.chat("into the last file")
    assert proxy.stop() == 0

    def ids(name):
        with open(name, encoding="utf-8") as file:
            return [json.loads(line)["id"] for line in file]

    told = [one for name in files + [path] for one in ids(name)]
    assert len(told) == len(set(told)) == len(asked) + 1
    assert set(told) > set(asked)
    assert all(ids(name) for name in files[1:] + [path]), "each file has lines"
