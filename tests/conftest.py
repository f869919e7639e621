"""What all tests share: a hub of their own in a temporary folder, and a worker in this process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support import eventually, until, working

from taskhub_tui.config import Paths, Settings, paths
from taskhub_tui.hub import Hub
from taskhub_tui.worker import Worker

__all__ = ["eventually", "until", "working"]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run all tests in two processes, and some of them in this one."""
    return 2 if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0


_unpressed: list[set[str]] = []
"""For each process of this run, the keys of the app that no test pressed there."""


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a process what `tui/conftest.py` has noted there, once all its tests are done."""
    if "unpressed" in (said := getattr(node, "workeroutput", {})):
        _unpressed.append(set(said["unpressed"]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail when a key of the app was pressed in no process."""
    if _never() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _never():
        terminalreporter.write_line(f"FAILED: no test presses {', '.join(_never())}", red=True)


def _never() -> list[str]:
    return sorted(set.intersection(*_unpressed)) if _unpressed else []


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub of its own for each test; nothing of the user's is read or written."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("TASKHUB_HOME", str(folder))
    # Whoever runs the tests may have these; a terminal that a test opens has a size of its own.
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def where(home: Path) -> Paths:
    return paths()


@pytest.fixture
def settings() -> Settings:
    """Settings of a test: the desktop is left alone, and decisions are sent at once."""
    return Settings(owner="ann", undo=0, notifications={"desktop": {"enabled": False}})


@pytest.fixture
async def hub(where: Paths, settings: Settings) -> AsyncIterator[Hub]:
    async with await Hub.open(paths=where, settings=settings, autostart=False) as hub:
        yield hub


@pytest.fixture
async def worker(where: Paths, settings: Settings) -> AsyncIterator[Worker]:
    """A worker in this event loop, on the same database as `hub`."""
    async with working(where, settings) as worker:
        yield worker
