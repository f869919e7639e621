"""What all tests share: a hub of their own in a temporary folder, and a worker in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from taskhub_tui.config import Paths, Settings, paths
from taskhub_tui.domain.model import Status, TaskView
from taskhub_tui.hub import Hub
from taskhub_tui.worker import Worker, serve

PATIENCE = 20.0
"""Seconds after which a fact that is waited for is taken not to come."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub of its own for each test; nothing of the user's is read or written."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("TASKHUB_HOME", str(folder))
    return folder


@pytest.fixture
def where(home: Path) -> Paths:
    return paths()


@pytest.fixture
def settings() -> Settings:
    """Settings of a test: the desktop of who runs it is left alone."""
    return Settings(owner="ann", notifications={"desktop": {"enabled": False}})


@pytest.fixture
async def hub(where: Paths, settings: Settings) -> AsyncIterator[Hub]:
    async with await Hub.open(paths=where, settings=settings, autostart=False) as hub:
        yield hub


@pytest.fixture
async def worker(where: Paths, settings: Settings) -> AsyncIterator[Worker]:
    """A worker in this event loop, on the same database as `hub`."""
    async with working(where, settings) as worker:
        yield worker


@asynccontextmanager
async def working(where: Paths, settings: Settings, **options: object) -> AsyncIterator[Worker]:
    """Run a worker for a while; leaving the block detaches it from its work."""
    up: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(where, settings, ready=up.set_result, **options))
    await asyncio.wait([up, serving], return_when=asyncio.FIRST_COMPLETED)
    if not up.done():
        await serving
    try:
        yield up.result()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def until(
    hub: Hub, task_id: str, *wanted: Status, unless: tuple[Status, ...] = (Status.FAILED,)
) -> TaskView:
    """Wait until a task has one of the wanted states, and fail if it never gets there."""
    unless = tuple(status for status in unless if status not in wanted)
    async with asyncio.timeout(PATIENCE):
        while True:
            view = await hub.status(task_id)
            if view.task.status in wanted:
                return view
            assert view.task.status not in unless, view.task.error
            await hub.changed(0.05)


async def eventually(fact: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `fact` holds."""
    async with asyncio.timeout(PATIENCE):
        while not await fact():
            await asyncio.sleep(0.01)
