"""`taskhub serve` as a process of its own, and what happens where there is no browser."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest

# Test modules are imported by path (importlib mode), so their helpers have no package.
sys.path.append(str(Path(__file__).parent))

import browser

from taskhub_tui.config import Paths

LACK = "chromium is missing: apt-get install chromium"
LEFT_OUT = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests in a browser out where there is none; never in CI."""
    if browser.program() is not None or os.environ.get("CI"):
        return
    out = [item for item in items if item.get_closest_marker("browser")]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
        config.stash[LEFT_OUT] = len(out)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if LEFT_OUT in config.stash:
        words = f"left out {config.stash[LEFT_OUT]} tests: {LACK}"
        terminalreporter.write_line(words, yellow=True)


class Served:
    """The program, where it listens, and its windows."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        said = ""
        while "}" not in said:
            line = process.stdout.readline()
            assert line, f"it ended: {process.communicate()[1]}"
            said += line
        self.said = json.loads(said)
        self.url: str = self.said["url"]
        self.origin = "http://" + urlsplit(self.url).netloc

    def windows(self) -> list[psutil.Process]:
        """The processes of its windows."""
        return [
            child
            for child in psutil.Process(self.process.pid).children(recursive=True)
            if "taskhub_tui.serving.session" in child.cmdline()
        ]

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Send a signal; return the exit code and what was said."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


@pytest.fixture
def serve(where: Paths) -> Iterator[Callable[..., Served]]:
    """Starts `taskhub serve`; it is ended in the end."""
    where.home.mkdir(exist_ok=True, mode=0o700)
    where.config.parent.mkdir(exist_ok=True, parents=True)
    where.config.write_text("[notifications.desktop]\nenabled = false\n")
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> Served:
        process = subprocess.Popen(
            [sys.executable, "-m", "taskhub_tui", "serve", "--json", "--port", "0", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return Served(process)

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


Client = Callable[[Served], AbstractAsyncContextManager[tuple[aiohttp.ClientSession, str]]]


@pytest.fixture
def visiting() -> Client:
    """A browser's manners without the browser: it is let in, and keeps its cookie."""

    @asynccontextmanager
    async def enter(served: Served) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as client:
            async with client.get(served.url) as answer:
                assert answer.status == 200
                base = str(answer.url).rstrip("/")
            yield client, base

    return enter
