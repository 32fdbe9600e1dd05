"""What the tests share: two model servers, the proxy, and the counting line."""

import os

import pytest

from world import World


@pytest.fixture(scope="session")
def all_day(tmp_path_factory):
    """The world, started once: loading a model takes a few seconds."""
    world = World(tmp_path_factory.mktemp("real"))
    try:
        world.start()
        yield world
    finally:
        world.stop()


@pytest.fixture
def world(all_day):
    """The world with both servers up, whatever the test before did to them."""
    all_day.revive()
    return all_day


@pytest.fixture
def client(world):
    return world.client()


def pytest_sessionfinish(session):
    """The counts, for the closing line."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    path = os.environ.get("REAL_COUNTS")
    if not reporter or not path:
        return
    count = {kind: len(reporter.stats.get(kind, [])) for kind in
             ("passed", "failed", "error", "skipped")}
    with open(path, "w", encoding="ascii") as file:
        file.write("%d passed, %d failed, %d skipped\n" % (
            count["passed"], count["failed"] + count["error"], count["skipped"]))
