"""What the tests share, and the closing lines that `make test` adds up."""

import os
import shutil

import pytest

from harness import BACKSTAY, CALM, Mock, Oracle, Proxy, backends_of, targets_of


def pytest_configure(config):
    if not os.access(BACKSTAY, os.X_OK):
        pytest.exit("there is no program at %s: build it, or set BACKSTAY" % BACKSTAY, 2)


def _long_ones(items):
    return [item for item in items if item.module.__name__ == "test_long"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Those that take a minute come last: they go on beside all others."""
    items.sort(key=lambda item: item.module.__name__ == "test_long")


def pytest_collection_finish(session):
    wanted = _long_ones(session.items)
    if wanted and not session.config.option.collectonly:
        wanted[0].module.begin({item.callspec.id for item in wanted})


def pytest_sessionfinish(session):
    wanted = _long_ones(getattr(session, "items", ()))
    if wanted:
        wanted[0].module.end(not session.testsfailed)


@pytest.fixture(scope="module")
def place(tmp_path_factory, request):
    """A directory for the module's files; it goes when all went well."""
    path = tmp_path_factory.mktemp(request.module.__name__)
    yield path
    if not request.session.testsfailed:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def oracle(tmp_path_factory):
    mock = Mock(tmp_path_factory.mktemp("oracle"), "oracle", "--ignore-header").start()
    yield Oracle(mock)
    mock.kill()


@pytest.fixture(scope="module")
def mocks(place):
    """Three of them, with one seed."""
    three = [Mock(place, name).start() for name in ("alpha", "bravo", "charlie")]
    yield three
    for mock in three:
        mock.kill()


@pytest.fixture(scope="module")
def start_proxy(place):
    """Starts proxies that end with the module."""
    started = []

    def start(config, env=None, before=()):
        proxy = Proxy(place, config, "proxy%d" % len(started))
        started.append(proxy)
        return proxy.start(env, before)

    yield start
    for proxy in started:
        if proxy.alive():
            code = proxy.stop()
            assert code == 0, "exit code %s: %s" % (code, proxy.said())


@pytest.fixture(autouse=True)
def forget(request):
    """Proxies that remember no test before: a test's backends may be in disgrace
    for a minute, and its proxy is started anew then."""
    yield
    for proxy in getattr(request.module, "calm_proxies", ()):
        proxy.forget()


@pytest.fixture(scope="module")
def start_calm_proxy(request, start_proxy):
    """A proxy that asks those who fail again and again, and forgets after each test:
    for tests about what happens when they are asked."""
    request.module.calm_proxies = []

    def start(config):
        proxy = start_proxy({"defaults": CALM, **config})
        request.module.calm_proxies.append(proxy)
        return proxy

    return start


@pytest.fixture
def healthy(mocks):
    """The mocks alive and well, whatever the test before did to them."""
    for mock in mocks:
        if not mock.alive():
            mock.start()
        mock.behave("")
    return mocks


@pytest.fixture(scope="module")
def proxy(start_calm_proxy, mocks):
    """A proxy over the three mocks: "chat" on all, each alone by its name, and
    "spare", a model that falls back to "chat"."""
    models = {"chat": {"targets": targets_of(mocks)}, "embed": {"targets": targets_of(mocks)}}
    for mock in mocks:
        models["only-" + mock.name] = [mock.name + "/mock-large"]
    models["spare"] = {"targets": ["alpha/mock-large"], "fallbacks": ["only-bravo"]}
    return start_calm_proxy({"backends": backends_of(mocks, key="upstream-secret-of-ours"),
                             "models": models})


def _name(report):
    return report.nodeid.rpartition("/")[2].replace(".py::", "/")


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    skips = stats.get("skipped", [])
    for report in skips:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line("SKIP %s: %s" % (_name(report),
                                                     reason.replace("Skipped: ", "", 1)))
    passed, failed = len(stats.get("passed", [])), len(stats.get("failed", []))
    errors = len(stats.get("error", []))
    path = os.environ.get("E2E_COUNTS")
    if path:
        with open(path, "w", encoding="ascii") as file:
            file.write("%d passed, %d failed, %d skipped\n" % (passed, failed + errors, len(skips)))
