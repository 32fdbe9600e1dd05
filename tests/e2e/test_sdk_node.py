"""The OpenAI Node SDK, unmodified, against the proxy; the cases are in
node/check.mjs."""

import os
import re
import shutil
import subprocess

import pytest

from harness import HERE, PATIENCE_S, clean_environment, poll

HOME = os.path.join(os.environ.get("E2E_HOME", ""), "node")
CHECK = os.path.join(HERE, "node", "check.mjs")
NODE_AT_LEAST = 18


def why_not(package="openai", name="OpenAI"):
    if not shutil.which("node"):
        return "node is not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    if int((re.findall(r"\d+", version) or ["0"])[0]) < NODE_AT_LEAST:
        return "node is older than %d" % NODE_AT_LEAST
    if not os.path.isdir(os.path.join(HOME, "node_modules", *package.split("/"))):
        return "the %s Node SDK is not installed" % name
    return None


def cases():
    with open(CHECK, encoding="utf-8") as file:
        return re.findall(r"^\tasync (\w+)\(\)", file.read(), re.M)


reason = why_not()
pytestmark = pytest.mark.skipif(reason is not None, reason=reason or "")


@pytest.fixture(scope="module")
def check():
    """The cases, where node finds the SDK beside them."""
    return shutil.copy(CHECK, HOME)


@pytest.mark.parametrize("case", cases())
def test_node(proxy, healthy, oracle, check, case):
    env = clean_environment(PROXY=proxy.url, ORACLE=oracle.mock.url)
    before = [mock.stats() for mock in healthy]
    ended = subprocess.run(["node", check, case], env=env, capture_output=True, text=True,
                           timeout=2 * PATIENCE_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    if case == "server_error_is_tried_once":
        assert sum(m.stats()["requests"] for m in healthy) - \
            sum(b["requests"] for b in before) <= 4
    if case == "abort":
        poll("the cancelled stream",
             lambda: healthy[0].stats()["cancelled"] > before[0]["cancelled"])
