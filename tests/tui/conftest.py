"""The app on a real hub in a folder of its own."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

# Test modules are imported by path (importlib mode), so their helpers have no package.
sys.path.append(str(Path(__file__).parent))

import pressed
from hubs import Seed, asleep
from play import Play, User, opened

from taskhub_tui.config import Paths, Settings
from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screens look the same whoever runs the tests."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@pytest.fixture(autouse=True, scope="session")
def noted() -> Iterator[None]:
    """What is pressed is noted, so that the last test can say what never was."""
    with pytest.MonkeyPatch.context() as patch:
        pressed.note(patch)
        yield


@pytest.fixture
async def other(where: Paths, settings: Settings) -> AsyncIterator[Hub]:
    """Another front end of the same hub."""
    opened = Hub.open(
        paths=where, settings=settings, channel="desktop", actor="Peter", autostart=False
    )
    async with await opened as hub:
        yield hub


@pytest.fixture
async def seed(hub: Hub, where: Paths, other: Hub) -> Seed:
    # Written by a connection of its own, as an engine would, and heard through the doorbell.
    return Seed(hub, where, other._store)


@pytest.fixture
def app(hub: Hub) -> TaskHubApp:
    return TaskHubApp(hub, services=[asleep])


@pytest.fixture
def play(where: Paths, settings: Settings) -> Play:
    """The app on a hub of its own, in the words of `play`."""

    def begin(width: int = 120, height: int = 36, **more: Any) -> AbstractAsyncContextManager[User]:
        return opened(where, settings, (width, height), **more)

    return begin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="write the goldens of the app anew")


_LOOKS_BACK = "test_every_key_was_pressed_by_some_test"
_WHOLE = pytest.StashKey[bool]()
"""Whether all tests of the app are run, be it in several processes."""
_left_out: list[pytest.Item] = []


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _left_out.extend(items)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests in tmux out where there is none, never in CI; put what looks back last."""
    last = [item for item in items if item.name == _LOOKS_BACK]
    # In another process keys are pressed unseen, so tests in tmux are no part of it. Where several
    # processes share the tests, the one that started them looks back: see `pytest_sessionfinish`.
    config.stash[_WHOLE] = _all_here(config, items)
    all_here = config.stash[_WHOLE] and not hasattr(config, "workerinput")
    out = [] if all_here else [*last]
    if shutil.which("tmux") is None and not os.environ.get("CI"):
        out += [item for item in items if item.get_closest_marker("tmux")]
    if out:
        config.hook.pytest_deselected(items=out)
    gone = {*out, *last}
    items[:] = [item for item in items if item not in gone]
    items += last if all_here else []


def _all_here(config: pytest.Config, items: list[pytest.Item]) -> bool:
    """Return whether all tests of the app are to run, and not only some of them."""
    here = Path(__file__).parent
    chosen = {item.path for item in items}
    some = any("::" in str(arg) for arg in config.args)
    less = any(here in item.path.parents for item in _left_out)
    return chosen >= {*here.glob("test_*.py")} and not some and not less


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Say which keys were not pressed in this process, where it is one of several."""
    config = session.config
    if hasattr(config, "workeroutput") and config.stash.get(_WHOLE, False):
        never = pressed.every_key() - pressed.pressed()
        config.workeroutput["unpressed"] = [f"{key} ({act})" for act, key in sorted(never)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if shutil.which("tmux") is None:
        terminalreporter.write_line("left out the test in tmux: apt-get install tmux", yellow=True)
