"""The desktop under these tests, and what happens where a machine cannot have one."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

# Test modules are imported by path (importlib mode), so their helpers have no package.
sys.path.append(str(Path(__file__).parent))

import desktop_session
import imap_server

if sys.platform != "linux":
    # D-Bus and X11 are the desktop of Linux only; its libraries are not installed elsewhere.
    collect_ignore = ["test_desktop_linux.py", "test_desktop_failures.py", "test_desktop_real.py"]

LEFT_OUT = pytest.StashKey[dict[str, int]]()
_NEEDS = {"desktop": desktop_session.missing, "mailbox": imap_server.missing}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests out, and say so, where the programs that they need are missing; never in CI."""
    if os.environ.get("CI"):
        return
    said = config.stash.setdefault(LEFT_OUT, {})
    for marker, missing in _NEEDS.items():
        out = [item for item in items if item.get_closest_marker(marker)]
        if out and (lack := missing()) is not None:
            config.hook.pytest_deselected(items=out)
            items[:] = [item for item in items if item not in set(out)]
            said[lack] = len(out)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for lack, count in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"left out {count} tests: {lack}", yellow=True)


def _require() -> None:
    if lack := desktop_session.missing():
        pytest.fail(lack, pytrace=False)


@pytest.fixture
def no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may be run over SSH; the program under test must not know."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv("SSH_TTY", raising=False)


@pytest.fixture
def bus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_ssh: None
) -> Iterator[desktop_session.Bus]:
    """A private message bus that this process takes for its session's."""
    _require()
    with desktop_session.private_bus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        yield bus


@pytest.fixture
def session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_ssh: None
) -> Iterator[desktop_session.Session]:
    """A screen and a bus that this process takes for its own; no notification daemon yet."""
    _require()
    with desktop_session.desktop(tmp_path) as session:
        for name in ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
            monkeypatch.setenv(name, session.env[name])
        yield session


class Person:
    """Takes what was pressed, in order."""

    def __init__(self) -> None:
        self.pressed: asyncio.Queue[object] = asyncio.Queue()
        self.lost: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()

    async def next(self) -> object:
        async with asyncio.timeout(5):
            return await self.pressed.get()

    async def next_lost(self) -> tuple[str, ...]:
        async with asyncio.timeout(5):
            return await self.lost.get()


@pytest.fixture
def open_channel():
    """Open a channel whose presses and losses go to a `Person`; closed at the end of the block."""
    from taskhub_tui.notifications.channels.desktop import DesktopChannel

    @asynccontextmanager
    async def opened(**options) -> AsyncIterator[tuple[DesktopChannel, Person]]:
        person = Person()
        channel = DesktopChannel(person.pressed.put, on_daemon_restart=person.lost.put, **options)
        try:
            yield channel, person
        finally:
            await channel.close()

    return opened
