"""The Google Gen AI Node SDK, unmodified, against the proxy; the cases are in
node/gemini.mjs. Over the Gemini API, and over OpenAI's."""

import os
import re
import shutil
import subprocess

import pytest

from harness import HERE, PATIENCE_S, Mock, clean_environment, poll
from test_sdk_node import HOME, why_not

CHECK = os.path.join(HERE, "node", "gemini.mjs")


def cases():
    with open(CHECK, encoding="utf-8") as file:
        return re.findall(r"^\tasync (\w+)\(\)", file.read(), re.M)


reason = why_not("@google/genai", "Google Gen AI")
pytestmark = pytest.mark.skipif(reason is not None, reason=reason or "")


@pytest.fixture(scope="module")
def vendors(place):
    two = [Mock(place, name).start() for name in ("gen", "oli")]
    yield two
    for mock in two:
        mock.kill()


@pytest.fixture(scope="module")
def proxy(start_calm_proxy, vendors):
    gen, oli = vendors
    return start_calm_proxy({
        "backends": {"gen": {"dialect": "gemini", "url": without_v1(gen.url)}, "oli": {"url": oli.url}},
        "models": {"gemini": {"targets": [{"backend": "gen", "model": "gemini-2.5-flash"}]},
                   "gpt": {"targets": [{"backend": "oli", "model": "gpt-large"}]}},
    })


@pytest.fixture(scope="module")
def check():
    """The cases, where node finds the SDK beside them."""
    return shutil.copy(CHECK, HOME)


def without_v1(url):
    return url.removesuffix("/v1")


SPECS = {
    "thinking": "reasoning 3", "abort": "gap 50ms tokens 2000", "parallel": "tool-call same-index",
    "error_in_mid_stream": "error after 3 overloaded",
    "errors": "status 400 times 1 then overloaded times 2 then status 429 retry-after 3000",
}


@pytest.mark.parametrize("model", ["gemini", "gpt"])
@pytest.mark.parametrize("case", cases())
def test_node(proxy, vendors, oracle, check, case, model):
    mock = vendors[model == "gpt"]
    before = mock.stats()["cancelled"]
    mock.behave(SPECS.get(case, ""))
    env = clean_environment(PROXY=without_v1(proxy.url), ORACLE=without_v1(oracle.mock.url))
    ended = subprocess.run(["node", check, case, model], env=env, capture_output=True, text=True,
                           timeout=2 * PATIENCE_S)
    mock.behave("")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    if case == "abort":
        poll("the cancelled stream", lambda: mock.stats()["cancelled"] > before)
