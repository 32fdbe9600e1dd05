"""`backstay top`: one page for scripts, and live on a terminal."""

import os
import pty
import select
import subprocess

import pytest

from harness import BACKSTAY, PATIENCE_S, backends_of, clean_environment, poll, targets_of

KEY = "an-admin-key-of-length"


@pytest.fixture(scope="module")
def watched(start_proxy, mocks):
    return start_proxy({
        "backends": backends_of(mocks, connect="500ms"),
        "models": {"chat": {"targets": targets_of(mocks)}},
        "admin": {"key": KEY, "read": "key"},
    })


def top(proxy, *options, key=KEY):
    return subprocess.run([BACKSTAY, "top", "-a", "127.0.0.1:%d" % proxy.admin, *options], check=False,
                          capture_output=True, text=True, timeout=PATIENCE_S,
                          env=clean_environment(BACKSTAY_ADMIN_KEY=key))


def test_one_page_for_scripts(watched, healthy):
    watched.chat("hello")
    healthy[0].kill()
    poll("the target to be out", lambda: watched.chat("x") and
         "x alpha/mock-large" in top(watched, "--once").stdout)
    done = top(watched, "--once")
    assert done.returncode == 0, done.stderr
    assert "\033" not in done.stdout
    assert "chat  weakened" in done.stdout
    assert "x alpha/mock-large" in done.stdout and "What went wrong" in done.stdout
    healthy[0].start()


def test_what_does_not_work_is_said(watched):
    assert "BACKSTAY_ADMIN_KEY" in top(watched, "--once", key="").stderr
    assert top(watched, "--once", key="wrong").returncode == 1
    assert top(watched, "--twice").returncode == 2
    assert "no terminal" in top(watched).stderr


def test_live_on_a_terminal(watched):
    main, side = pty.openpty()
    process = subprocess.Popen([BACKSTAY, "top", "-a", "127.0.0.1:%d" % watched.admin], stdin=side,
                               stdout=side, stderr=side, env=clean_environment(BACKSTAY_ADMIN_KEY=KEY))
    os.close(side)
    seen = b""
    while seen.count(b"alpha/mock-large") < 3:
        assert select.select([main], [], [], PATIENCE_S)[0], seen
        seen += os.read(main, 65536)
    assert b"\033[?1049h" in seen
    os.write(main, b"q")
    while b"\033[?1049l" not in seen:
        assert select.select([main], [], [], PATIENCE_S)[0], seen
        seen += os.read(main, 65536)
    assert process.wait(PATIENCE_S) == 0
    os.close(main)
