"""Every client over every backend: the official SDKs and two frameworks, unmodified,
against one proxy that has a model for each API that backends speak, all of them over
one mock. A cell of the matrix is a row of data (matrix_rows.py); what a backend's API
cannot say must be refused, by name."""

import json
import os
import shutil
import subprocess

import pytest

import matrix_clients
from harness import CALM, HERE, PATIENCE_S, Mock, clean_environment, poll
from matrix_rows import BACKENDS, CASES, LACKS, NODE, PIXEL, PYTHON, URL, cells, errors
from test_sdk_node import HOME, why_not

SCRIPT = os.path.join(HERE, "node", "matrix.mjs")
NODE_SECONDS = 8 * PATIENCE_S
NAMES = {"chat": "gpt-large", "responses": "gpt-large", "anthropic": "claude-haiku-4-5",
         "gemini": "gemini-3-flash", "bedrock": "us.anthropic.claude-sonnet-4-6-v1:0",
         "cohere": "command-a-reasoning"}


def backend_of(name, mock):
    root = "http://127.0.0.1:%d" % mock.port
    return {"chat": {"url": root + "/v1", "endpoints": ["chat"]},
            "responses": {"url": root + "/v1", "endpoints": ["responses"]},
            "anthropic": {"dialect": "anthropic", "url": root + "/v1"},
            "gemini": {"dialect": "gemini", "url": root + "/v1beta"},
            "bedrock": {"dialect": "bedrock", "url": root, "region": "eu-central-1",
                        "credential": {"kind": "aws", "client": "AKIDEXAMPLE", "secret": "secret"}},
            "cohere": {"dialect": "cohere", "url": root + "/v2", "key": "k"}}[name]


@pytest.fixture(scope="module")
def mock(place):
    one = Mock(place, "all").start()
    yield one
    one.kill()


@pytest.fixture(scope="module")
def ruin(place):
    """Whoever begins a conversation, and then is out."""
    one = Mock(place, "ruin", "--fault", "status 500").start()
    yield one
    one.kill()


@pytest.fixture(scope="module")
def proxy(start_proxy, mock, ruin):
    backends, models = {}, {}
    for i, name in enumerate(BACKENDS):
        heir = BACKENDS[(i + 1) % len(BACKENDS)]
        backends[name + "-ruin"] = backend_of(name, ruin)
        for state in ("", "-limited", "-refused"):
            backends[name + state] = backend_of(name, mock)
            models[name + state] = {"targets": [{"backend": name + state, "model": NAMES[name]}],
                                    "retry": {"max_attempts": 1}}
        models[name + "-limited"]["timeouts"] = {"total": "10s"}        # nothing to wait for
        models[name + "-broken"] = {"targets": [
            {"backend": name + "-ruin", "model": NAMES[name]},
            {"backend": heir, "model": NAMES[heir], "priority": 2}]}
    return start_proxy({"defaults": CALM, "backends": backends, "models": models})


def root_of(proxy):
    return "http://127.0.0.1:%d" % proxy.port


def then_of(backend, case):
    return backend + CASES[case].get("then", "")


# ---- what must have come -------------------------------------------------------------


def judge(client, row, backend, case, got, oracle):
    want, hides = CASES[case]["want"], row.get("hides", set())
    if case in LACKS.get(backend, {}):
        assert got["error"] and got["error"]["status"] == 400, got
        assert LACKS[backend][case] in got["error"]["message"]
        return
    if "error" in want:
        status = 529 if want["error"] == 503 and "anthropic" in client else want["error"]
        assert got["error"] and got["error"]["status"] == status, got
        assert errors(client, status) & set(got["error"]["kinds"]), got["error"]
        assert got["error"]["message"]
        if "patience" in want and got["error"]["retry_after"] is not None:
            assert 0 < int(got["error"]["retry_after"]) <= want["patience"]
        return
    if "broken" in want:
        assert got["error"] and got["error"]["message"], got
        return
    assert got["error"] is None, got["error"]
    if "text" in want:
        assert got["text"] == oracle.text(want["text"])
    if "words" in want:
        assert got["text"] == want["words"]
    if "json" in want:
        assert sorted(json.loads(got["text"])) == want["json"]
    if "finish" in want:
        assert got["finish"] == want["finish"]
    if "thoughts" in want:
        assert hides & {"thoughts", "thoughts " + backend} or got["thoughts"]
        assert got["text"]
    if "cancelled" in want:
        assert got["cancelled"]
    if "sent" in want:
        assert want["sent"] in got["sent"].replace(" ", "")
    if "calls" in want:
        assert [c["name"] for c in got["calls"]] == want["calls"]
        assert "location" in got["calls"][0]["arguments"]
        assert all(c["arguments"] == {} for c in got["calls"][1:])
        following = got["next"]
        assert following["error"] is None, following["error"]
        assert following["finish"] == "stop" and following["text"] and not following["calls"]


# ---- Python ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clients(proxy):
    return {name: make(root_of(proxy)) for name, make in matrix_clients.CLIENTS.items()}


def run(client, mock, backend, case):
    row = CASES[case]
    mock.behave(row.get("spec", ""))
    before = mock.stats()["cancelled"]
    got = matrix_clients.try_to(client, backend + row.get("at", ""), row["ask"])
    if "cancelled" in row["want"] and not got["error"]:
        poll("the cancelled stream", lambda: mock.stats()["cancelled"] > before)
        got["cancelled"] = True
    got["sent"] = mock.last()
    if "results" in row and not got["error"]:
        got["next"] = matrix_clients.try_to(client, then_of(backend, case), {
            **row["ask"], "turns": [*row["ask"]["turns"], {"native": got["native"]},
                                    {"results": row["results"], "calls": got["calls"]}]})
    return got


@pytest.mark.skipif(matrix_clients.missing is not None, reason="not installed: %s" % matrix_clients.missing)
@pytest.mark.parametrize("client, backend, case", cells(PYTHON))
def test_python(clients, mock, ruin, oracle, client, backend, case):
    asked = ruin.stats()["requests"]
    got = run(clients[client], mock, backend, case)
    judge(client, PYTHON[client], backend, case, got, oracle)
    assert "then" not in CASES[case] or ruin.stats()["requests"] > asked


# ---- Node ----------------------------------------------------------------------------------

PACKAGES = (("openai", "OpenAI"), ("@anthropic-ai/sdk", "Anthropic"), ("@google/genai", "Google"),
            ("ai", "Vercel"), ("@ai-sdk/openai", "Vercel"), ("@ai-sdk/anthropic", "Vercel"))
no_node = next((why for why in (why_not(*package) for package in PACKAGES) if why), None)


@pytest.fixture(scope="module")
def told(proxy, mock, request):
    """What all cells that are wanted came to, from one process."""
    wanted = [item.callspec.params["cell"] for item in request.session.items
              if getattr(item, "originalname", "") == "test_node" and item.module is request.module]
    jobs = [{"client": client, "model": backend + CASES[case].get("at", ""), "then": then_of(backend, case), "ask": CASES[case]["ask"],
             "spec": CASES[case].get("spec", ""), "results": CASES[case].get("results")}
            for client, backend, case in wanted]
    script = shutil.copy(SCRIPT, HOME)
    env = clean_environment(PROXY=root_of(proxy), MOCK="http://127.0.0.1:%d" % mock.port)
    ended = subprocess.run(["node", "--no-warnings", script], env=env, capture_output=True, text=True,
                           input=json.dumps({"jobs": jobs, "pixel": PIXEL, "url": URL}), timeout=NODE_SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return dict(zip(wanted, json.loads(ended.stdout)))


@pytest.mark.skipif(no_node is not None, reason=no_node or "")
@pytest.mark.parametrize("cell", cells(NODE), ids="-".join)
def test_node(told, oracle, cell):
    client, backend, case = cell
    judge(client, NODE[client], backend, case, told[cell], oracle)
