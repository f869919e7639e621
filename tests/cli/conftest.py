"""A hub of its own for every test, driven in this process or as the real program."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from taskhub_tui import config, process
from taskhub_tui.cli import main
from taskhub_tui.hub import Hub
from taskhub_tui.storage import claims
from taskhub_tui.storage.store import Store


@dataclass(frozen=True)
class Said:
    """What a command printed and returned."""

    code: int
    out: str
    err: str


Cli = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a new hub; the current folder is an empty one beside it."""
    home, work = tmp_path / "hub", tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("TASKHUB_HOME", str(home))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.chdir(work)
    yield home
    if (home / "taskhub.db").exists():
        asyncio.run(_stop_workers())


async def _stop_workers() -> None:
    """Leave nothing running: a worker that outlives its test would write into the next one's."""
    async with await Hub.open(autostart=False) as hub:
        found = [one for one in await hub.workers() if one.here and one.pid != os.getpid()]
        await hub.stop_worker()
    for one in found:
        try:
            psutil.Process(one.pid).wait(10)
        except psutil.NoSuchProcess:
            continue
        except psutil.TimeoutExpired:
            psutil.Process(one.pid).kill()
            raise


@pytest.fixture
def still(home: Path) -> Path:
    """A hub that believes in a living worker, so that none is started and nothing moves."""
    asyncio.run(_pretend(home))
    return home


async def _pretend(home: Path) -> None:
    store = await Store.open(config.paths().database)
    now = time.time()
    who = process.identity()
    await store.write(lambda tx: claims.beat(tx, "still", who, "0", now, now + 3600))
    await store.close()


@pytest.fixture
def cli(home: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in this process."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run


@pytest.fixture
def program(home: Path) -> Cli:
    """Runs a command as users do: a process of its own."""

    def run(*words: str, stdin: str = "", timeout: float = 30) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "taskhub_tui", *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run
