"""Chromium on a page, driven through browser/driver.mjs."""

import json
import os
import shutil
import subprocess

from harness import HERE

HOME = os.path.join(os.environ.get("E2E_HOME", ""), "browser")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


def missing():
    """What a test of the page needs and does not find; empty: nothing."""
    if not os.path.exists(CHROMIUM):
        return "chromium is not installed"
    if not shutil.which("node"):
        return "node is not installed"
    if not os.path.isdir(os.path.join(HOME, "node_modules", "playwright-core")):
        return "playwright-core could not be installed"
    return ""


class Page:
    def __init__(self, url):
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "browser", "driver.mjs")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, "BROWSER_HOME": HOME, "CHROMIUM": CHROMIUM})
        self.do("goto", url=url)

    def do(self, name, **arguments):
        self.process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    def wait(self, what):
        return self.do("wait", what=what)

    def ask(self, what):
        return self.do("eval", what=what)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
